/* SPDX-License-Identifier: MIT */
/* Which physical memory there is: for whoever writes it down. */
#include "host/posix/internal.h"

struct run {
	int (*fn)(void *ctx, uiommu_pa_t pa, uint64_t bytes);
	void *ctx;
	uiommu_pa_t pa;
	uint64_t bytes;			/* 0: none yet */
};

static int run_end(struct run *r)
{
	uint64_t bytes = r->bytes;

	r->bytes = 0;
	return bytes ? r->fn(r->ctx, r->pa, bytes) : 0;
}

/* Neighbours become one. */
static int run_add(struct run *r, uiommu_pa_t pa, uint64_t bytes)
{
	int ret = 0;

	if (r->bytes && r->pa + r->bytes == pa) {
		r->bytes += bytes;
		return 0;
	}
	ret = run_end(r);
	r->pa = pa;
	r->bytes = bytes;
	return ret;
}

static int slab(struct run *r, uiommu_pa_t pa, uint64_t used)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < 64; i++)
		if (used >> i & 1)
			ret = run_add(r, pa + ((uint64_t)i << ARENA_MIN_LG2), 1u << ARENA_MIN_LG2);
	return ret;
}

static int tables(struct arena *a, struct run *r)
{
	int ret = 0;

	pthread_mutex_lock(&a->lock);
	for (uint64_t i = 0; !ret && i < a->fresh; i++) {
		uiommu_pa_t pa = UIOMMU_POSIX_TABLE_PA + i * PAGE_BYTES;
		unsigned kind = atomic_load(&a->pages[i].kind);

		if (kind == PAGE_SLAB)
			ret = slab(r, pa, atomic_load(&a->pages[i].used));
		else if (kind != PAGE_FREE)
			ret = run_add(r, pa, PAGE_BYTES);
	}
	ret = ret ? ret : run_end(r);
	pthread_mutex_unlock(&a->lock);
	return ret;
}

static int frames(struct phys *ph, struct run *r)
{
	int ret = 0;

	pthread_mutex_lock(&ph->lock);
	for (struct range *g = ph->ranges; !ret && g; g = g->next)
		if (!g->mmio)
			ret = run_add(r, g->pa, g->bytes);
	ret = ret ? ret : run_end(r);
	pthread_mutex_unlock(&ph->lock);
	return ret;
}

int uiommu_posix_for_each_memory(struct uiommu_posix *p, enum uiommu_posix_memory what,
				 int (*fn)(void *ctx, uiommu_pa_t pa, uint64_t bytes), void *ctx)
{
	struct run r = { fn, ctx, 0, 0 };

	return what == UIOMMU_POSIX_TABLES ? tables(&p->arena, &r) : frames(&p->phys, &r);
}
