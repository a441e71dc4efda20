/* SPDX-License-Identifier: MIT */
/*
 * A host for table tests: step 1 of the contract, with everything a test wants to
 * know or break. Memory comes from one arena whose physical addresses differ from
 * its pointers, so that mixing the two up shows.
 *
 * With @noncoherent there are two copies of the memory: the CPU's, and what
 * hardware sees, which starts as garbage and follows only when cleaned.
 */
#ifndef TESTS_PT_ARENA_H
#define TESTS_PT_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <uiommu/pt.h>

#define ARENA_PA	0x4000000000ull
#define ARENA_UNIT	64u
#define ARENA_BYTES	(8u << 20)
#define ARENA_UNITS	(ARENA_BYTES / ARENA_UNIT)

struct arena {
	struct uiommu_host host;
	unsigned char *cpu, *hw;	/* hw == cpu unless noncoherent */
	unsigned char *used;		/* per unit; 1: allocated */
	size_t next;			/* where the search for room starts */
	unsigned live, calls;		/* allocations held, allocations asked for */
	unsigned fail_at;		/* this call (from 1) gets NULL; 0: none */
	void (*on_alloc)(struct arena *a);	/* before memory is given */
	void (*on_clean)(struct arena *a);
	void *test;
};

static inline uint64_t arena_off(const struct arena *a, const void *p)
{
	uint64_t off = (uint64_t)((const unsigned char *)p - a->cpu);

	assert_true(off < ARENA_BYTES);
	return off;
}

static inline void *arena_alloc(void *ctx, size_t bytes)
{
	struct arena *a = ctx;
	size_t n = bytes / ARENA_UNIT, tried, u;

	assert_true(bytes >= 64 && !(bytes & (bytes - 1)));
	if (++a->calls == a->fail_at)
		return NULL;
	if (a->on_alloc)
		a->on_alloc(a);
	u = a->next;
	for (tried = 0; tried < ARENA_UNITS; tried += n, u += n) {
		u = (u + n - 1) / n * n % ARENA_UNITS;
		if (!memchr(&a->used[u], 1, n))
			break;
	}
	assert_true(tried < ARENA_UNITS);
	memset(&a->used[u], 1, n);
	memset(a->cpu + u * ARENA_UNIT, 0, bytes);
	a->next = u + n;
	a->live++;
	return a->cpu + u * ARENA_UNIT;
}

static inline void arena_free(void *ctx, void *p, size_t bytes)
{
	struct arena *a = ctx;
	uint64_t off = arena_off(a, p);

	assert_int_equal(off % bytes, 0);
	for (size_t i = 0; i < bytes / ARENA_UNIT; i++)
		assert_int_equal(a->used[off / ARENA_UNIT + i], 1);
	memset(&a->used[off / ARENA_UNIT], 0, bytes / ARENA_UNIT);
	memset(a->cpu + off, 0xa5, bytes);	/* who still reads it, finds out */
	memset(a->hw + off, 0xa5, bytes);
	a->live--;
}

static inline void arena_clean(void *ctx, const void *p, size_t bytes)
{
	struct arena *a = ctx;
	uint64_t off = arena_off(a, p) & ~63ull;	/* whole cache lines, as real ones */
	uint64_t end = (arena_off(a, p) + bytes + 63) & ~63ull;

	memcpy(a->hw + off, a->cpu + off, end - off);
	if (a->on_clean)
		a->on_clean(a);
}

/* Pages that nobody touches cost nothing, unlike malloc's. */
static inline unsigned char *arena_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static inline void arena_init(struct arena *a, bool noncoherent)
{
	*a = (struct arena){ 0 };
	a->cpu = arena_pages(ARENA_BYTES);
	a->used = arena_pages(ARENA_UNITS);
	a->hw = a->cpu;
	if (noncoherent) {
		a->hw = arena_pages(ARENA_BYTES);
		memset(a->hw, 0xff, ARENA_BYTES);
	}
	a->host = (struct uiommu_host){
		.ctx = a, .table_alloc = arena_alloc, .table_free = arena_free,
		.table_offset = (uint64_t)(uintptr_t)a->cpu - ARENA_PA,
		.cache_clean = noncoherent ? arena_clean : NULL,
	};
}

static inline void arena_fini(struct arena *a)
{
	assert_int_equal(a->live, 0);
	if (a->hw != a->cpu)
		munmap(a->hw, ARENA_BYTES);
	munmap(a->cpu, ARENA_BYTES);
	munmap(a->used, ARENA_UNITS);
}

/* ---- what hardware sees: a reader of its own, from the architecture's words ---- */

static inline uint64_t hw_read(const struct arena *a, uint64_t pa)
{
	uint64_t v;

	assert_true(pa >= ARENA_PA && pa < ARENA_PA + ARENA_BYTES);
	assert_true(a->used[(pa - ARENA_PA) / ARENA_UNIT]);
	memcpy(&v, a->hw + (pa - ARENA_PA), 8);
	return v;
}

struct hw_leaf {
	bool mapped;
	uint64_t pa;		/* of the byte asked for */
	uint64_t entry;		/* the last one read */
	unsigned lg2;		/* bytes that this entry speaks for */
};

/* Arm, 4 KiB granule: 9 bits a level, level 3 last; bit 0 valid, bit 1 table/page. */
static inline struct hw_leaf hw_walk_arm_4k(const struct arena *a, uint64_t top_pa,
					    unsigned ias, uint64_t iova)
{
	uint64_t table = top_pa;
	int level = ias > 39 ? 0 : ias > 30 ? 1 : 2;

	for (;; level++) {
		unsigned lg2 = 39 - 9 * level;
		uint64_t d = hw_read(a, table + (iova >> lg2 & 511) * 8);
		struct hw_leaf r = { false, 0, d, lg2 };

		if (!(d & 1) || (level == 3 && !(d & 2)) || (level == 0 && !(d & 2)))
			return r;
		if (level == 3 || !(d & 2)) {
			r.mapped = true;
			r.pa = (d & 0xfffffffff000ull) + (iova & ((1ull << lg2) - 1));
			return r;
		}
		table = d & 0xfffffffff000ull;
	}
}

/* ---- instances and their configurations ---- */

struct instance {
	const struct uiommu_pt_ops *ops;
	const char *name;
	unsigned ias, oas;
	bool noncoherent;
	struct hw_leaf (*hw_walk)(const struct arena *a, uint64_t top_pa, unsigned ias,
				  uint64_t iova);
};

static const struct instance instances[] = {
#define ARM_S1_4K(i, o) \
	{ &uiommu_pt_arm_s1_4k_ops, "arm_s1_4k " #i "->" #o, i, o, false, hw_walk_arm_4k }, \
	{ &uiommu_pt_arm_s1_4k_ops, "arm_s1_4k " #i "->" #o " noncoherent", i, o, true, \
	  hw_walk_arm_4k }
	ARM_S1_4K(48, 48), ARM_S1_4K(48, 44), ARM_S1_4K(40, 40), ARM_S1_4K(39, 40),
	ARM_S1_4K(32, 48), ARM_S1_4K(30, 44), ARM_S1_4K(25, 39),
};

#define K (1ull << 10)
#define M (1ull << 20)
#define G (1ull << 30)

struct fixture {
	const struct instance *in;
	struct arena arena;
	struct uiommu_pt pt;
	struct uiommu_gather gather;
	uint64_t size;		/* of the input address space */
};

extern const struct instance *current;

static inline uint64_t top_pa(const struct fixture *x)
{
	return (uint64_t)(uintptr_t)x->pt.top - x->arena.host.table_offset;
}

static inline struct hw_leaf hw(const struct fixture *x, uint64_t iova)
{
	return x->in->hw_walk(&x->arena, top_pa(x), x->in->ias, iova);
}

static inline int setup_again(struct fixture *x)
{
	struct uiommu_pt_config cfg = { .ias_lg2 = x->in->ias, .oas_lg2 = x->in->oas };

	return x->in->ops->init(&x->pt, &x->arena.host, &cfg);
}

static inline int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->in = current;
	x->size = 1ull << current->ias;
	arena_init(&x->arena, current->noncoherent);
	uiommu_gather_init(&x->gather);
	assert_int_equal(setup_again(x), 0);
	*state = x;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *x = *state;

	uiommu_gather_free(&x->gather, &x->arena.host);
	x->pt.ops->fini(&x->pt);
	assert_null(x->pt.top);
	arena_fini(&x->arena);
	free(x);
	return 0;
}

#define RW (UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)

static inline int map(struct fixture *x, uint64_t iova, uint64_t pa, uint64_t len,
		      uint64_t *mapped)
{
	return x->pt.ops->map(&x->pt, iova, pa, len, RW, mapped);
}

/* Unmaps and plays the driver: whatever was gathered is invalidated and freed. */
static inline int unmap(struct fixture *x, uint64_t iova, uint64_t len, uint64_t *unmapped)
{
	int ret = x->pt.ops->unmap(&x->pt, iova, len, &x->gather, unmapped);

	uiommu_gather_free(&x->gather, &x->arena.host);
	return ret;
}

static inline bool is_mapped(const struct fixture *x, uint64_t iova, uint64_t pa)
{
	struct hw_leaf r = hw(x, iova);

	return r.mapped && r.pa == pa;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Runs @tests_ once for every instance and configuration. */
#define RUN_ALL(tests_)									\
	do {										\
		int failed = 0;								\
		for (size_t i = 0; i < sizeof(instances) / sizeof(*instances); i++) {	\
			current = &instances[i];					\
			failed += cmocka_run_group_tests_name(current->name, tests_,	\
							      NULL, NULL);		\
		}									\
		return failed ? 1 : 0;							\
	} while (0)

#endif
