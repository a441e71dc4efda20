/* SPDX-License-Identifier: MIT */
/*
 * host/template/template.c - the port to copy
 *
 * Every function of the host contract, empty: it refuses (-UIOMMU_ENOSYS, NULL) or
 * does nothing. It compiles and links for each CPU of the library; with it every
 * create and probe fails cleanly. Fill it in from the top: after each step, what the
 * step names works. include/uiommu/host.h says what each function must do;
 * host/baremetal/qemu-virt-aarch64/host.c is a small one that is complete.
 */
#include <uiommu/host.h>

struct template_host {
	int your_own_state;
};

/* ---- step 1: page tables alone ---- */

/* @bytes: a power of two, and the alignment. Zeroed. NULL: no memory. May sleep. */
static void *table_alloc(void *ctx, size_t bytes)
{
	return NULL;
}

/* Gets the size of the table_alloc() back. Cannot fail. */
static void table_free(void *ctx, void *p, size_t bytes)
{
}

/* Only where table walks do not see CPU caches; else leave the pointer NULL. */
static void cache_clean(void *ctx, const void *p, size_t bytes)
{
}

/* ---- step 2: a driver ---- */

/* Any size, zeroed, aligned for any object. NULL: no memory. May sleep. */
static void *object_alloc(void *ctx, size_t bytes)
{
	return NULL;
}

/* Gets the size of the alloc() back. Cannot fail. Also called by retire callbacks. */
static void object_free(void *ctx, void *p, size_t bytes)
{
}

/* Make @bytes of registers at @pa accessible and fill in @out. May sleep. */
static int mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	return -UIOMMU_ENOSYS;
}

static void mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
}

/* Monotonic. Timeouts of hardware are measured with it, so it must advance. */
static uint64_t now_ns(void *ctx)
{
	return 0;
}

/* Between two polls of a register: a hint to the CPU, or a yield. */
static void relax(void *ctx)
{
}

/* One line, no newline. Any context. */
static void log_line(void *ctx, enum uiommu_log_level level, const char *line)
{
}

/* ---- step 3: threads and interrupts; leave out all or none of a group ---- */

static int lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	return -UIOMMU_ENOSYS;
}

static void lock_fini(void *ctx, struct uiommu_lock *lock)
{
}

static void lock_take(void *ctx, struct uiommu_lock *lock)
{
}

static void lock_give(void *ctx, struct uiommu_lock *lock)
{
}

/* Nothing retired after the enter may have its function called before the leave. */
static unsigned read_enter(void *ctx)
{
	return 0;
}

static void read_leave(void *ctx, unsigned token)
{
}

/* Must call r->fn(r) once, some time: the library counts on it to free memory. */
static void retire(void *ctx, struct uiommu_retire *r)
{
	r->fn(r);
}

static int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	return -UIOMMU_ENOSYS;
}

/* When it returns, no call of @fn is under way and none will come. */
static void irq_release(void *ctx, unsigned irq)
{
}

/* ---- all of it ---- */

void template_host_init(struct uiommu_host *host, struct template_host *state);

void template_host_init(struct uiommu_host *host, struct template_host *state)
{
	*host = (struct uiommu_host){
		.ctx = state,
		.table_alloc = table_alloc,
		.table_free = table_free,
		.table_offset = 0,		/* pointer minus physical address */
		.cache_clean = cache_clean,
		.alloc = object_alloc,
		.free = object_free,
		.mmio_map = mmio_map,
		.mmio_unmap = mmio_unmap,
		.now_ns = now_ns,
		.relax = relax,
		.log = log_line,
		.lock_init = lock_init,
		.lock_fini = lock_fini,
		.lock = lock_take,
		.unlock = lock_give,
		.read_enter = read_enter,
		.read_leave = read_leave,
		.retire = retire,
		.irq_request = irq_request,
		.irq_release = irq_release,
	};
}
