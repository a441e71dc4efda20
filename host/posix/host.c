/* SPDX-License-Identifier: MIT */
/* The host contract, put together. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "host/posix/internal.h"

static void *table_alloc(void *ctx, size_t bytes)
{
	return uiommu_arena_alloc(&((struct uiommu_posix *)ctx)->arena, bytes);
}

/* Going on would hand the same memory out twice. */
static void table_free(void *ctx, void *p, size_t bytes)
{
	struct uiommu_posix *px = ctx;

	if (!p || uiommu_arena_free(&px->arena, p, bytes))
		return;
	uiommu_posix_log(px, UIOMMU_LOG_ERR, "table_free of %p, %zu bytes: not allocated, freed "
			 "twice, or of another size", p, bytes);
	abort();
}

static void *host_alloc(void *ctx, size_t bytes)
{
	struct uiommu_posix *p = ctx;
	void *m = calloc(1, bytes ? bytes : 1);

	if (m)
		atomic_fetch_add_explicit(&p->live_allocs, 1, memory_order_relaxed);
	return m;
}

static void host_free(void *ctx, void *m, size_t bytes)
{
	struct uiommu_posix *p = ctx;

	if (m)
		atomic_fetch_sub_explicit(&p->live_allocs, 1, memory_order_relaxed);
	free(m);
}

static int mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	struct uiommu_posix *p = ctx;
	int ret = uiommu_posix_mmio_map(ctx, pa, bytes, out);

	if (!ret)
		atomic_fetch_add(&p->live_maps, 1);
	return ret;
}

static void mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	atomic_fetch_sub(&((struct uiommu_posix *)ctx)->live_maps, 1);
}

static uint64_t now_ns(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void relax(void *ctx)
{
	sched_yield();
}

static void host_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	struct uiommu_posix *p = ctx;

	if (level > p->log_max)
		return;
	if (p->log_fn)
		p->log_fn(p->log_ctx, level, line);
	else
		fprintf(stderr, "uiommu: %s\n", line);
}

void uiommu_posix_log(struct uiommu_posix *p, enum uiommu_log_level level, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	host_log(p, level, line);
}

static unsigned host_read_enter(void *ctx)
{
	return uiommu_reclaim_enter(&((struct uiommu_posix *)ctx)->reclaim);
}

static void host_read_leave(void *ctx, unsigned token)
{
	uiommu_reclaim_leave(&((struct uiommu_posix *)ctx)->reclaim, token);
}

static void host_retire(void *ctx, struct uiommu_retire *r)
{
	uiommu_reclaim_retire(&((struct uiommu_posix *)ctx)->reclaim, r);
}

static const struct uiommu_host template = {
	.table_alloc = table_alloc,
	.table_free = table_free,
	.alloc = host_alloc,
	.free = host_free,
	.mmio_map = mmio_map,
	.mmio_unmap = mmio_unmap,
	.now_ns = now_ns,
	.relax = relax,
	.log = host_log,
	.lock_init = uiommu_posix_lock_init,
	.lock_fini = uiommu_posix_lock_fini,
	.lock = uiommu_posix_lock,
	.unlock = uiommu_posix_unlock,
	.read_enter = host_read_enter,
	.read_leave = host_read_leave,
	.retire = host_retire,
	.irq_request = uiommu_irqs_request,
	.irq_release = uiommu_irqs_release,
};

int uiommu_posix_create(struct uiommu_posix **out)
{
	struct uiommu_posix *p = calloc(1, sizeof(*p));

	if (!p)
		return -UIOMMU_ENOMEM;
	if (uiommu_arena_init(&p->arena))
		goto no_arena;
	if (uiommu_phys_init(&p->phys))
		goto no_phys;
	/* the default mutex and condition of Linux need no memory: cannot fail */
	uiommu_reclaim_init(&p->reclaim);
	uiommu_irqs_init(&p->irqs);
	p->log_max = UIOMMU_LOG_WARN;
	p->host = template;
	p->host.ctx = p;
	p->host.table_offset = (uintptr_t)p->arena.base - UIOMMU_POSIX_TABLE_PA;
	*out = p;
	return 0;

no_phys:
	uiommu_arena_fini(&p->arena);
no_arena:
	free(p);
	return -UIOMMU_ENOMEM;
}

void uiommu_posix_destroy(struct uiommu_posix *p)
{
	if (!p)
		return;
	uiommu_irqs_fini(p);
	uiommu_phys_fini(p);
	uiommu_reclaim_fini(&p->reclaim);
	if (p->arena.live_blocks)
		uiommu_posix_log(p, UIOMMU_LOG_WARN, "%llu tables (%llu bytes) were not freed",
			  (unsigned long long)p->arena.live_blocks,
			  (unsigned long long)p->arena.live_bytes);
	if (p->live_allocs)
		uiommu_posix_log(p, UIOMMU_LOG_WARN, "%ld allocations were not freed",
			  (long)p->live_allocs);
	if (p->live_maps)
		uiommu_posix_log(p, UIOMMU_LOG_WARN, "%ld register windows were not unmapped",
			  (long)p->live_maps);
	uiommu_arena_fini(&p->arena);
	free(p);
}

const struct uiommu_host *uiommu_posix_host(struct uiommu_posix *p)
{
	return &p->host;
}

struct uiommu_posix *uiommu_posix_from_host(const struct uiommu_host *host)
{
	return host->ctx;
}

void uiommu_posix_set_log(struct uiommu_posix *p, enum uiommu_log_level max,
			  void (*fn)(void *ctx, enum uiommu_log_level level, const char *line),
			  void *ctx)
{
	p->log_max = max;
	p->log_fn = fn;
	p->log_ctx = ctx;
}
