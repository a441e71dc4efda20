/* SPDX-License-Identifier: MIT */
/*
 * host.c - the host contract on one CPU without an operating system
 *
 * Memory is one static arena, so table_offset is 0: pointers are physical
 * addresses. Blocks are powers of two, kept by size when they come back.
 */
#include "board.h"

#define ARENA_BYTES	(8u << 20)
#define MIN_LG2		6
#define CLASSES		20

static unsigned char arena[ARENA_BYTES] __attribute__((section(".arena"), aligned(1 << 22)));
static size_t used;
static void *spare[CLASSES];		/* freed blocks of 64 << i bytes, linked by word 0 */
static unsigned live;

static unsigned size_class(size_t bytes)
{
	unsigned c = 0;

	while ((size_t)1 << (MIN_LG2 + c) < bytes)
		c++;
	return c;
}

static void *take(unsigned c)
{
	size_t bytes = (size_t)1 << (MIN_LG2 + c), at = (used + bytes - 1) & ~(bytes - 1);
	void *p = spare[c];

	if (p) {
		spare[c] = *(void **)p;
		return p;
	}
	if (bytes > ARENA_BYTES || at > ARENA_BYTES - bytes)
		return NULL;
	used = at + bytes;
	return arena + at;
}

static void *host_alloc(void *ctx, size_t bytes)
{
	unsigned c = size_class(bytes);
	bool masked = irq_mask();
	uint64_t *p = c < CLASSES ? take(c) : NULL;

	irq_restore(masked);
	if (!p)
		return NULL;
	for (size_t i = 0; i < (size_t)1 << (MIN_LG2 + c - 3); i++)
		p[i] = 0;
	live++;
	return p;
}

static void host_free(void *ctx, void *p, size_t bytes)
{
	unsigned c = size_class(bytes);
	bool masked = irq_mask();

	*(void **)p = spare[c];
	spare[c] = p;
	live--;
	irq_restore(masked);
}

unsigned host_live(void)
{
	return live;
}

static int host_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	*out = (struct uiommu_mmio){ .base = (volatile void *)(uintptr_t)pa, .bytes = bytes };
	return 0;
}

static void host_mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	mmio->base = NULL;
}

static uint64_t host_now_ns(void *ctx)
{
	return board_now_ns();
}

static void host_relax(void *ctx)
{
	__asm__ volatile("yield");
}

static void host_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	say("# %s\n", line);
}

/* One CPU: what a spin lock must keep out is the interrupt. */
struct cpu_lock {
	bool masked;
};

static int host_lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	return 0;
}

static void host_lock_fini(void *ctx, struct uiommu_lock *lock)
{
}

static void host_lock(void *ctx, struct uiommu_lock *lock)
{
	bool masked = irq_mask();

	((struct cpu_lock *)lock->opaque)->masked = masked;
}

static void host_unlock(void *ctx, struct uiommu_lock *lock)
{
	irq_restore(((struct cpu_lock *)lock->opaque)->masked);
}

#define STEP_2							\
	.table_alloc = host_alloc, .table_free = host_free,	\
	.alloc = host_alloc, .free = host_free,			\
	.mmio_map = host_mmio_map, .mmio_unmap = host_mmio_unmap, \
	.now_ns = host_now_ns, .relax = host_relax, .log = host_log

/* Readers are never interrupted by a writer here, so nothing need be retired. */
static const struct uiommu_host polled = { STEP_2 };
static const struct uiommu_host with_irqs = {
	STEP_2,
	.lock_init = host_lock_init, .lock_fini = host_lock_fini,
	.lock = host_lock, .unlock = host_unlock,
	.irq_request = irq_request, .irq_release = irq_release,
};

const struct uiommu_host *host_get(bool irqs)
{
	return irqs ? &with_irqs : &polled;
}
