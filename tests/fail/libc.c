/* SPDX-License-Identifier: MIT */
/*
 * libc.c - what stands before the posix host, and before what it and a machine ask of
 * libc: memory and threads
 *
 * The posix host's other functions (tables, locks, registers, interrupts) are replaced
 * in the structure that it gives out.
 */
#include <pthread.h>

#include "each.h"
#include "host/posix/posix.h"

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
	return host_refuses(HOST_MEMORY) ? NULL : __real_malloc(bytes);
}

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes)
{
	return host_refuses(HOST_MEMORY) ? NULL : __real_calloc(n, bytes);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg)
{
	return host_refuses(HOST_THREAD) ? UIOMMU_ENOMEM : __real_pthread_create(t, attr, fn, arg);
}

/* ---- the posix host ---- */

static struct uiommu_host real;

static void *table_alloc(void *ctx, size_t bytes)
{
	void *p = host_refuses(HOST_TABLE) ? NULL : real.table_alloc(ctx, bytes);

	host_held(HOST_TABLE, p != NULL);
	return p;
}

static void table_free(void *ctx, void *p, size_t bytes)
{
	host_held(HOST_TABLE, p ? -1 : 0);
	real.table_free(ctx, p, bytes);
}

static void *alloc(void *ctx, size_t bytes)
{
	void *p = real.alloc(ctx, bytes);

	host_held(HOST_ALLOC, p != NULL);
	return p;
}

static void dealloc(void *ctx, void *p, size_t bytes)
{
	host_held(HOST_ALLOC, p ? -1 : 0);
	real.free(ctx, p, bytes);
}

static int lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	int ret = host_refuses(HOST_LOCK) ? -UIOMMU_ENOMEM : real.lock_init(ctx, lock, kind);

	host_held(HOST_LOCK, !ret);
	return ret;
}

static void lock_fini(void *ctx, struct uiommu_lock *lock)
{
	host_held(HOST_LOCK, -1);
	real.lock_fini(ctx, lock);
}

static int mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	int ret = host_refuses(HOST_MMIO) ? -UIOMMU_ENOMEM : real.mmio_map(ctx, pa, bytes, out);

	host_held(HOST_MMIO, !ret);
	return ret;
}

static void mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	host_held(HOST_MMIO, -1);
	real.mmio_unmap(ctx, mmio);
}

static int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	int ret = host_refuses(HOST_IRQ) ? -UIOMMU_ENOMEM : real.irq_request(ctx, irq, fn, arg);

	host_held(HOST_IRQ, !ret);
	return ret;
}

static void irq_release(void *ctx, unsigned irq)
{
	host_held(HOST_IRQ, -1);
	real.irq_release(ctx, irq);
}

/* The functions are the same of every posix host. */
static void stand_before(struct uiommu_host *h)
{
	real = *h;
	h->table_alloc = table_alloc;
	h->table_free = table_free;
	h->alloc = alloc;
	h->free = dealloc;
	h->lock_init = lock_init;
	h->lock_fini = lock_fini;
	h->mmio_map = mmio_map;
	h->mmio_unmap = mmio_unmap;
	if (h->irq_request) {
		h->irq_request = irq_request;
		h->irq_release = irq_release;
	}
}

int __real_uiommu_posix_create(struct uiommu_posix **out);
int __wrap_uiommu_posix_create(struct uiommu_posix **out);
int __wrap_uiommu_posix_create(struct uiommu_posix **out)
{
	struct entry e = { .name = "uiommu_posix_create" };
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_posix_create(out);
		entry_end(&e);
	} while (entry_again(&e, ret));
	if (!ret && getenv("UIOMMU_FAIL_EACH"))
		stand_before((struct uiommu_host *)(uintptr_t)uiommu_posix_host(*out));
	return ret;
}

EACH(uiommu_posix_add_mmio,
	(struct uiommu_posix *p, uiommu_pa_t pa, uint64_t bytes,
	 const struct uiommu_mmio_ops *ops, void *ctx),
	(p, pa, bytes, ops, ctx))
EACH(uiommu_posix_add_frames,
	(struct uiommu_posix *p, uint64_t bytes, uint64_t want, uint64_t congruent,
	 const struct uiommu_posix_frames_ops *ops, void *ctx, uiommu_pa_t *pa),
	(p, bytes, want, congruent, ops, ctx, pa))
EACH(uiommu_posix_pin_self,
	(struct uiommu_posix *p, void *va, uint64_t len, uiommu_pa_t *pa), (p, va, len, pa))
EACH_VOID(uiommu_posix_remove_mmio, (struct uiommu_posix *p, uiommu_pa_t pa), (p, pa))
EACH_VOID(uiommu_posix_remove_frames, (struct uiommu_posix *p, uiommu_pa_t pa), (p, pa))
