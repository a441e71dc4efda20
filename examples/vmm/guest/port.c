/* SPDX-License-Identifier: MIT */
/*
 * port.c - the host contract (uiommu/host.h) on the board: all three steps of it
 *
 * Memory is a power of two from a list; locks spin; what is retired is freed when no
 * reader is inside; interrupts are functions that the second CPU calls.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

#define SMALLEST	64u

/* ---- locks ---- */

void lock_take(struct kernel *k, uint32_t *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		kernel_pause(k);
}

void lock_give(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static uint32_t *word_of(struct uiommu_lock *lock)
{
	return (uint32_t *)(void *)lock->opaque;
}

static int host_lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	*word_of(lock) = 0;
	return 0;
}

static void host_lock_fini(void *ctx, struct uiommu_lock *lock)
{
}

static void host_lock(void *ctx, struct uiommu_lock *lock)
{
	lock_take(ctx, word_of(lock));
}

static void host_unlock(void *ctx, struct uiommu_lock *lock)
{
	lock_give(word_of(lock));
}

/* ---- memory ---- */

static unsigned class_of(size_t bytes)
{
	unsigned n = 0;

	while (((size_t)SMALLEST << n) < bytes)
		n++;
	return n;
}

/* From what was never used: the gap that aligning leaves is lost. */
static void *carve(struct heap *h, size_t bytes)
{
	uintptr_t at = ((uintptr_t)h->next + bytes - 1) & ~(uintptr_t)(bytes - 1);

	if (at + bytes > (uintptr_t)h->end)
		return NULL;
	h->next = (uint8_t *)(at + bytes);
	return (void *)at;
}

void *heap_alloc(struct kernel *k, size_t bytes)
{
	struct heap *h = &k->heap;
	unsigned n = class_of(bytes);
	void *p = NULL;

	lock_take(k, &h->lock);
	if (n < sizeof(h->free) / sizeof(h->free[0])) {
		p = h->free[n];
		if (p)
			memcpy(&h->free[n], p, sizeof(p));
		else
			p = carve(h, (size_t)SMALLEST << n);
	}
	lock_give(&h->lock);
	return p ? memset(p, 0, bytes) : NULL;
}

void heap_free(struct kernel *k, void *p, size_t bytes)
{
	struct heap *h = &k->heap;
	unsigned n = class_of(bytes);

	if (!p)
		return;
	lock_take(k, &h->lock);
	memcpy(p, &h->free[n], sizeof(p));
	h->free[n] = p;
	lock_give(&h->lock);
}

static void *host_alloc(void *ctx, size_t bytes)
{
	return heap_alloc(ctx, bytes);
}

static void host_free(void *ctx, void *p, size_t bytes)
{
	heap_free(ctx, p, bytes);
}

/* ---- registers, time ---- */

static int host_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	const struct kernel *k = ctx;

	if (pa != BOARD_SMMU || bytes > k->board->smmu.bytes)
		return -UIOMMU_ENODEV;
	*out = k->board->smmu;
	return 0;
}

static void host_mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
}

/* Only the time that the VM has had: what a busy host takes from it is no sign of hardware
 * that does not answer. */
static uint64_t host_now_ns(void *ctx)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void host_relax(void *ctx)
{
	kernel_pause(ctx);
}

static void host_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	const struct kernel *k = ctx;

	if (level <= UIOMMU_LOG_WARN)
		fprintf(stderr, "%s: %s\n", k->board->name, line);
}

/* ---- what others may still read ---- */

static unsigned host_read_enter(void *ctx)
{
	struct kernel *k = ctx;

	lock_take(k, &k->readers_lock);
	k->readers++;
	lock_give(&k->readers_lock);
	return 0;
}

static void free_all(struct uiommu_retire *r)
{
	while (r) {
		struct uiommu_retire *next = r->next;

		r->fn(r);
		r = next;
	}
}

/* The list, if nobody is inside who may have found what is in it. */
static struct uiommu_retire *take_retired(struct kernel *k)
{
	struct uiommu_retire *r = k->readers ? NULL : k->retired;

	if (r)
		k->retired = NULL;
	return r;
}

static void host_read_leave(void *ctx, unsigned token)
{
	struct kernel *k = ctx;
	struct uiommu_retire *r;

	lock_take(k, &k->readers_lock);
	k->readers--;
	r = take_retired(k);
	lock_give(&k->readers_lock);
	free_all(r);
}

static void host_retire(void *ctx, struct uiommu_retire *r)
{
	struct kernel *k = ctx;

	lock_take(k, &k->readers_lock);
	r->next = k->retired;
	k->retired = r;
	r = take_retired(k);
	lock_give(&k->readers_lock);
	free_all(r);
}

/* ---- interrupts ---- */

static int host_irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	struct kernel *k = ctx;
	int err = 0;

	if (irq >= BOARD_IRQS)
		return -UIOMMU_EINVAL;
	lock_take(k, &k->irq_lock);
	if (k->irq[irq].fn)
		err = -UIOMMU_EBUSY;
	else
		k->irq[irq] = (struct irq){ fn, arg, 0 };
	lock_give(&k->irq_lock);
	return err;
}

static void host_irq_release(void *ctx, unsigned irq)
{
	struct kernel *k = ctx;

	lock_take(k, &k->irq_lock);
	k->irq[irq] = (struct irq){ NULL, NULL, 0 };
	lock_give(&k->irq_lock);
}

void port_run_irqs(struct kernel *k, uint32_t lines)
{
	lock_take(k, &k->irq_lock);
	for (unsigned i = 0; i < BOARD_IRQS; i++) {
		if (!(lines >> i & 1) || !k->irq[i].fn)
			continue;
		k->irq[i].fn(k->irq[i].arg);
		k->irq[i].came++;
	}
	lock_give(&k->irq_lock);
}

unsigned kernel_interrupts(struct kernel *k, unsigned line)
{
	unsigned n;

	lock_take(k, &k->irq_lock);
	n = k->irq[line].came;
	lock_give(&k->irq_lock);
	return n;
}

/* ---- all of it ---- */

void port_init(struct kernel *k)
{
	k->host = (struct uiommu_host){
		.ctx = k,
		.table_alloc = host_alloc,
		.table_free = host_free,
		.table_offset = (uint64_t)(uintptr_t)k->board->ram - BOARD_RAM,
		.alloc = host_alloc,
		.free = host_free,
		.mmio_map = host_mmio_map,
		.mmio_unmap = host_mmio_unmap,
		.now_ns = host_now_ns,
		.relax = host_relax,
		.log = host_log,
		.lock_init = host_lock_init,
		.lock_fini = host_lock_fini,
		.lock = host_lock,
		.unlock = host_unlock,
		.read_enter = host_read_enter,
		.read_leave = host_read_leave,
		.retire = host_retire,
		.irq_request = host_irq_request,
		.irq_release = host_irq_release,
	};
}
