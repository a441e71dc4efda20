/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - memory given out and taken back
 *
 * In powers of two, each aligned to its size, from a range at a fixed place. What is
 * taken back is filled with nonsense, and watched until it is given out again.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MEMORY_AT	((void *)0x6b0000000000)
#if defined(__SANITIZE_ADDRESS__)
void __asan_poison_memory_region(const volatile void *p, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *p, size_t bytes);
#else
#define __asan_poison_memory_region(p, bytes) ((void)0)
#define __asan_unpoison_memory_region(p, bytes) ((void)0)
#endif

static unsigned order_of(size_t bytes)
{
	unsigned order = 0;

	while ((size_t)1 << (order + UNIT_LG2) < bytes)
		order++;
	return order;
}

static size_t size_of(unsigned order)
{
	return (size_t)1 << (order + UNIT_LG2);
}

static void mark(struct uiommu_hostile *w, void *p, unsigned order, int freed)
{
	memset(w->freed + hostile_unit(w, p), freed, (size_t)1 << order);
}

static void *fresh(struct uiommu_hostile *w, unsigned order)
{
	size_t bytes = size_of(order), at = (w->next + bytes - 1) & ~(bytes - 1);

	if (at + bytes > w->cfg.bytes)
		return NULL;
	w->next = at + bytes;
	return w->mem + at;
}

/* Hardware that sees no caches sees what was there before, and sometimes a line. */
static void clear(struct uiommu_hostile *w, void *p, size_t bytes)
{
	memset(p, 0, bytes);
	uiommu_hostile_fresh(w, p, bytes);
	if (w->cfg.coherent)
		return;
	memset(w->dirty + hostile_unit(w, p), 1, bytes >> UNIT_LG2);
	memset(w->hw + ((unsigned char *)p - w->mem), w->garbage, bytes);
	uiommu_hostile_new_line(w, (char *)p + hostile_below(w, (unsigned)bytes));
}

void *uiommu_hostile_alloc(size_t bytes)
{
	struct uiommu_hostile *w = world;
	unsigned order = order_of(bytes);
	void *p;

	uiommu_hostile_yield();
	if (order >= ORDERS)
		return NULL;
	p = w->free[order];
	if (p) {
		__asan_unpoison_memory_region(p, size_of(order));
		memcpy(&w->free[order], p, sizeof(void *));
	} else {
		p = fresh(w, order);
	}
	if (!p)
		return NULL;
	mark(w, p, order, 0);
	uiommu_hostile_forget(w, p, size_of(order));
	clear(w, p, size_of(order));
	return p;
}

static void release(struct uiommu_hostile *w, void *p, unsigned order)
{
	__asan_unpoison_memory_region(p, sizeof(void *));
	memcpy(p, &w->free[order], sizeof(void *));
	__asan_poison_memory_region(p, size_of(order));
	w->free[order] = p;
}

static void hold(struct uiommu_hostile *w, void *p, unsigned order)
{
	unsigned i = w->held_at++ % w->cfg.quarantine;

	if (w->held[i].p)
		release(w, w->held[i].p, w->held[i].order);
	w->held[i].p = p;
	w->held[i].order = order;
}

void uiommu_hostile_free(void *p, size_t bytes)
{
	struct uiommu_hostile *w = world;
	unsigned order = order_of(bytes);

	if (w->cur)
		uiommu_hostile_drain_all(w, w->cur);
	if (w->freed[hostile_unit(w, p)])
		uiommu_hostile_fail("%s: memory is given back twice", uiommu_hostile_self());
	memset(p, w->garbage, size_of(order));
	if (!w->cfg.coherent) {
		memset(w->hw + ((unsigned char *)p - w->mem), w->garbage, size_of(order));
		memset(w->dirty + hostile_unit(w, p), 0, (size_t)1 << order);
	}
	mark(w, p, order, 1);
	uiommu_hostile_not_fresh(w, p);
	__asan_poison_memory_region(p, size_of(order));
	if (w->cfg.quarantine)
		hold(w, p, order);
	else
		release(w, p, order);
	uiommu_hostile_yield();
}

void *uiommu_hostile_memory(const struct uiommu_hostile *w)
{
	return w->mem;
}

int uiommu_hostile_alloc_init(struct uiommu_hostile *w)
{
	size_t units = w->cfg.bytes >> UNIT_LG2, sight = w->cfg.coherent ? 0 : w->cfg.bytes;
	size_t bytes = w->cfg.bytes + sight + 2 * units;
	unsigned char *p = mmap(MEMORY_AT, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
				-1, 0);

	if (p == MAP_FAILED)
		return -UIOMMU_ENOMEM;
	if (w->cfg.quarantine > sizeof(w->held) / sizeof(w->held[0]))
		w->cfg.quarantine = sizeof(w->held) / sizeof(w->held[0]);
	w->mem = p;
	w->hw = sight ? p + w->cfg.bytes : p;
	w->freed = p + w->cfg.bytes + sight;
	w->dirty = w->freed + units;
	return 0;
}

void uiommu_hostile_alloc_fini(struct uiommu_hostile *w)
{
	size_t units = w->cfg.bytes >> UNIT_LG2, sight = w->cfg.coherent ? 0 : w->cfg.bytes;

	__asan_unpoison_memory_region(w->mem, w->cfg.bytes);
	munmap(w->mem, w->cfg.bytes + sight + 2 * units);
}
