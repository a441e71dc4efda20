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

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_GUARD
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_GUARD
#endif
#endif
#ifdef ARENA_GUARD
#include <sanitizer/asan_interface.h>
#endif

#define ARENA_PA	0x4000000000ull
#define ARENA_UNIT	64u
#ifndef ARENA_BYTES
#define ARENA_BYTES	(8u << 20)
#endif
#define ARENA_UNITS	(ARENA_BYTES / ARENA_UNIT)

struct arena {
	struct uiommu_host host;
	unsigned char *cpu, *hw;	/* hw == cpu unless noncoherent */
	unsigned char *used;		/* per unit; 1: allocated */
	size_t next;			/* where the search for room starts */
	unsigned live, calls;		/* allocations held, allocations asked for */
	unsigned fail_at;		/* this call (from 1) gets NULL; 0: none */
	unsigned limit;			/* allocations held at most; 0: no limit */
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

/* Under AddressSanitizer: nothing may touch what is not allocated. */
static inline void arena_guard(void *p, size_t bytes, bool on)
{
#ifdef ARENA_GUARD
	if (on)
		__asan_poison_memory_region(p, bytes);
	else
		__asan_unpoison_memory_region(p, bytes);
#else
	(void)p, (void)bytes, (void)on;
#endif
}

static inline void *arena_alloc(void *ctx, size_t bytes)
{
	struct arena *a = ctx;
	size_t n = bytes / ARENA_UNIT, tried, u;

	assert_true(bytes >= 64 && !(bytes & (bytes - 1)));
	if (++a->calls == a->fail_at || (a->limit && a->live >= a->limit))
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
	arena_guard(a->cpu + u * ARENA_UNIT, bytes, false);
	memset(a->cpu + u * ARENA_UNIT, 0, bytes);
	if (a->hw != a->cpu)
		memset(a->hw + u * ARENA_UNIT, 0xff, bytes);
	a->next = u + n;
	a->live++;
	return a->cpu + u * ARENA_UNIT;
}

/* Filled with what would be entries. */
static inline void *arena_alloc_raw(void *ctx, size_t bytes)
{
	void *p = arena_alloc(ctx, bytes);

	return p ? memset(p, 0xff, bytes) : NULL;
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
	arena_guard(a->cpu + off, bytes, true);
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

/* Pages that nobody touches cost nothing, unlike malloc's. With ARENA_KEEP they are
 * kept for the next arena, as they are: what is allocated is cleared anyway. */
#ifdef ARENA_KEEP
static unsigned char *arena_kept[2];
static unsigned arena_nkept;
#endif

static inline void arena_unmap(unsigned char *p, size_t bytes)
{
#ifdef ARENA_KEEP
	if (bytes == ARENA_BYTES && arena_nkept < 2) {
		arena_kept[arena_nkept++] = p;
		return;
	}
#endif
	munmap(p, bytes);
}

/* Pointers are as aligned as the physical addresses are, wherever mmap() puts things. */
#define ARENA_ALIGN ((size_t)1 << 20)

static inline unsigned char *arena_pages(size_t bytes)
{
	size_t before;
	void *p;

#ifdef ARENA_KEEP
	if (bytes == ARENA_BYTES && arena_nkept)
		return arena_kept[--arena_nkept];
#endif
	p = mmap(NULL, bytes + ARENA_ALIGN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	assert_true(p != MAP_FAILED);
	before = -(uintptr_t)p % ARENA_ALIGN;
	if (before)
		munmap(p, before);
	munmap((unsigned char *)p + before + bytes, ARENA_ALIGN - before);
	return (unsigned char *)p + before;
}

static inline void arena_init(struct arena *a, bool noncoherent)
{
	*a = (struct arena){ 0 };
	a->cpu = arena_pages(ARENA_BYTES);
	a->used = arena_pages(ARENA_UNITS);
	a->hw = a->cpu;
	arena_guard(a->cpu, ARENA_BYTES, true);
	if (noncoherent)
		a->hw = arena_pages(ARENA_BYTES);
	a->host = (struct uiommu_host){
		.ctx = a, .table_alloc = arena_alloc, .table_free = arena_free,
		.table_alloc_raw = arena_alloc_raw,
		.table_offset = (uint64_t)(uintptr_t)a->cpu - ARENA_PA,
		.cache_clean = noncoherent ? arena_clean : NULL,
	};
}

static inline void arena_fini(struct arena *a)
{
	assert_int_equal(a->live, 0);
	arena_guard(a->cpu, ARENA_BYTES, false);
	if (a->hw != a->cpu)
		arena_unmap(a->hw, ARENA_BYTES);
	arena_unmap(a->cpu, ARENA_BYTES);
	arena_unmap(a->used, ARENA_UNITS);
}

/* ---- instances and their configurations ---- */

struct fixture;

struct hw_leaf {
	bool mapped;
	uint64_t pa;		/* of the byte asked for */
	uint64_t entry;		/* the last one read */
	unsigned lg2;		/* bytes that this entry, with its run, speaks for */
};

struct instance {
	const struct uiommu_pt_ops *ops;
	const char *name;
	unsigned ias, oas, flags;
	bool noncoherent;
	struct hw_leaf (*hw)(const struct fixture *x, uint64_t iova);
	unsigned page_lg2, block_lg2;	/* smallest page, and what its table covers */
	unsigned block2_lg2;		/* leaf of the next level, 0: there is none */
	bool canonical;			/* addresses are sign-extended */
	unsigned arg;			/* of hw */
};

struct fixture {
	const struct instance *in;
	struct arena arena;
	struct uiommu_pt pt;
	struct uiommu_gather gather;
	uint64_t size;		/* of the input address space, or of its lower half */
	uint64_t ps, bs, cs;	/* bytes: page, block, block of the level above or 0 */
};

/* The sizes of the instance at hand: of a page, of a block, and where to map to. */
#define P	(x->ps)
#define B	(x->bs)
#define PA	0x80000000ull	/* a multiple of every block */
#define SKEW	(PA + P)	/* no page but the smallest fits */

#include "hw.h"

#define K (1ull << 10)
#define M (1ull << 20)
#define G (1ull << 30)

#define CONTIG	UIOMMU_PT_CONTIG
#define DIRTY	UIOMMU_PT_DIRTY
#define CONF(n, i, o, fl, ...)								\
	{ &uiommu_pt_##n##_ops, #n " " #i "->" #o " " #fl, i, o, fl, false, __VA_ARGS__ }, \
	{ &uiommu_pt_##n##_ops, #n " " #i "->" #o " " #fl " noncoherent", i, o, fl, true, \
	  __VA_ARGS__ }
#define ARM_4K(n, i, o, fl, arg)	CONF(n, i, o, fl, hw_arm, 12, 21, 30, false, 12 | arg)
#define ARM_16K(n, i, o, fl, arg)	CONF(n, i, o, fl, hw_arm, 14, 25, 0, false, 14 | arg)
#define ARM_16K_W(n, i, o, fl, arg)	CONF(n, i, o, fl, hw_arm, 14, 25, 36, false, 14 | arg)
#define ARM_64K(n, i, o, fl, arg)	CONF(n, i, o, fl, hw_arm, 16, 29, 0, false, 16 | arg)
#define ARM_64K_W(n, i, o, fl, arg)	CONF(n, i, o, fl, hw_arm, 16, 29, 42, false, 16 | arg)
#define RISCV(n, i, o, fl, c, arg)	CONF(n, i, o, fl, hw_riscv, 12, 21, 30, c, arg)
#define X86(i, o, fl)		CONF(x86_64, i, o, fl, hw_x86_64, 12, 21, 30, true, 0)
#define VTD(i, o, fl)		CONF(vtd_ss, i, o, fl, hw_vtd_ss, 12, 21, 30, false, 0)
#define AMD(i, o, fl)		CONF(amd_v1, i, o, fl, hw_amd_v1, 12, 21, 30, false, 0)

static const struct instance instances[] = {
	ARM_4K(arm_s1_4k, 48, 48, 0, 0), ARM_4K(arm_s1_4k, 48, 44, CONTIG, 0),
	ARM_4K(arm_s1_4k, 40, 40, DIRTY, 0), ARM_4K(arm_s1_4k, 39, 40, 0, 0),
	ARM_4K(arm_s1_4k, 32, 48, CONTIG | DIRTY, 0), ARM_4K(arm_s1_4k, 30, 44, 0, 0),
	ARM_4K(arm_s1_4k, 25, 39, CONTIG, 0),
	ARM_4K(arm_s2_4k, 48, 48, 0, HW_S2), ARM_4K(arm_s2_4k, 40, 40, CONTIG, HW_S2),
	ARM_4K(arm_s2_4k, 44, 44, DIRTY, HW_S2), ARM_4K(arm_s2_4k, 43, 44, 0, HW_S2),
	ARM_4K(arm_s2_4k, 34, 44, 0, HW_S2), ARM_4K(arm_s2_4k, 25, 39, 0, HW_S2),
	ARM_4K(arm_s1_4k_52, 52, 52, 0, HW_DS), ARM_4K(arm_s1_4k_52, 48, 50, CONTIG, HW_DS),
	ARM_4K(arm_s1_4k_52, 49, 52, DIRTY, HW_DS),
	ARM_4K(arm_s2_4k_52, 52, 52, CONTIG, HW_S2 | HW_DS),
	ARM_4K(arm_s2_4k_52, 42, 48, DIRTY, HW_S2 | HW_DS),
	ARM_16K(arm_s1_16k, 48, 48, 0, 0), ARM_16K(arm_s1_16k, 47, 40, CONTIG, 0),
	ARM_16K(arm_s1_16k, 36, 48, DIRTY, 0), ARM_16K(arm_s1_16k, 29, 48, 0, 0),
	ARM_16K(arm_s2_16k, 48, 48, CONTIG, HW_S2), ARM_16K(arm_s2_16k, 40, 44, 0, HW_S2),
	ARM_16K(arm_s2_16k, 36, 44, DIRTY, HW_S2),
	ARM_16K_W(arm_s1_16k_52, 52, 52, 0, HW_DS), ARM_16K(arm_s1_16k_52, 48, 48, CONTIG, HW_DS),
	ARM_16K_W(arm_s2_16k_52, 52, 52, DIRTY, HW_S2 | HW_DS),
	ARM_16K_W(arm_s2_16k_52, 51, 52, CONTIG, HW_S2 | HW_DS),
	ARM_64K(arm_s1_64k, 48, 48, 0, 0), ARM_64K_W(arm_s1_64k, 52, 52, CONTIG, 0),
	ARM_64K(arm_s1_64k, 42, 48, DIRTY, 0), ARM_64K(arm_s1_64k, 33, 48, 0, 0),
	ARM_64K(arm_s2_64k, 48, 48, DIRTY, HW_S2), ARM_64K_W(arm_s2_64k, 52, 52, CONTIG, HW_S2),
	ARM_64K(arm_s2_64k, 46, 48, 0, HW_S2), ARM_64K(arm_s2_64k, 34, 40, 0, HW_S2),
	RISCV(riscv_sv, 39, 56, 0, true, 0), RISCV(riscv_sv, 48, 50, CONTIG, true, 0),
	RISCV(riscv_sv, 57, 56, CONTIG | DIRTY, true, 0),
	RISCV(riscv_sv_x4, 41, 56, 0, false, HW_X4), RISCV(riscv_sv_x4, 50, 44, CONTIG, false, HW_X4),
	RISCV(riscv_sv_x4, 59, 56, DIRTY, false, HW_X4),
	X86(48, 46, 0), X86(48, 52, DIRTY), X86(57, 52, 0),
	VTD(39, 39, 0), VTD(48, 46, DIRTY), VTD(57, 52, 0), VTD(35, 52, 0),
	AMD(48, 48, 0), AMD(63, 52, DIRTY), AMD(34, 40, 0),
};
#define INSTANCES (sizeof(instances) / sizeof(*instances))

extern const struct instance *current;

static inline struct hw_leaf hw(const struct fixture *x, uint64_t iova)
{
	return x->in->hw(x, iova);
}

static inline uint64_t top_pa(const struct fixture *x)
{
	return uiommu_pt_root(&x->pt, NULL);
}

/* Tables from the root to the smallest page. */
static inline unsigned levels(const struct fixture *x)
{
	unsigned level;

	uiommu_pt_root(&x->pt, &level);
	return level + 1;
}

/* May neighbours be one larger page? */
static inline bool has_runs(const struct fixture *x)
{
	return x->in->flags & CONTIG || x->in->hw == hw_amd_v1;
}

static inline int setup_again(struct fixture *x)
{
	struct uiommu_pt_config cfg = { .ias_lg2 = x->in->ias, .oas_lg2 = x->in->oas,
					.flags = x->in->flags };

	return x->in->ops->init(&x->pt, &x->arena.host, &cfg);
}

static inline int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->in = current;
	x->size = 1ull << (current->ias - current->canonical);
	x->ps = 1ull << current->page_lg2;
	x->bs = 1ull << current->block_lg2;
	x->cs = current->block2_lg2 ? 1ull << current->block2_lg2 : 0;
	arena_init(&x->arena, current->noncoherent);
	uiommu_gather_init(&x->gather);
	assert_int_equal(setup_again(x), 0);
	if (!(x->pt.pgsizes & x->cs))
		x->cs = 0;	/* a root below that level */
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

/* Hardware writes to @iova: marks the entry, as each architecture says. */
static inline void hw_write(struct fixture *x, uint64_t iova)
{
	struct uiommu_pt_step s[8];
	uint64_t *e;
	unsigned n;

	assert_int_equal(x->pt.ops->walk(&x->pt, iova, s, 8, &n), 0);
	assert_int_equal(s[n - 1].kind, UIOMMU_PT_STEP_LEAF);
	e = (uint64_t *)(x->arena.cpu + (s[n - 1].entry_pa - ARENA_PA));
	if (x->in->hw == hw_arm) {
		assert_true(*e >> 51 & 1);			/* DBM: no fault */
		*e = x->in->arg & HW_S2 ? *e | 1 << 7 : *e & ~(uint64_t)(1 << 7);
	} else {
		*e |= x->in->hw == hw_riscv ? 1 << 7 : x->in->hw == hw_vtd_ss ? 1 << 9 : 1 << 6;
	}
	memcpy(x->arena.hw + (s[n - 1].entry_pa - ARENA_PA), e, 8);
}

#if defined(UIOMMU_PT_CHECKED) && !defined(TESTS_PT_MISUSE)
/* No test here works twice on one range. */
void uiommu_pt_misuse(const struct uiommu_pt *pt, const char *what)
{
	(void)pt;
	fail_msg("%s", what);
}
#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/*
 * Runs @tests_ once for every instance and configuration. PT_ONLY=text in the
 * environment: only for those whose name has the text.
 */
#define RUN_IF(tests_, cond_)								\
	do {										\
		const char *only = getenv("PT_ONLY");					\
		int failed = 0;								\
		for (size_t i = 0; i < INSTANCES; i++) {				\
			current = &instances[i];					\
			if ((only && !strstr(current->name, only)) || !(cond_))		\
				continue;						\
			failed += cmocka_run_group_tests_name(current->name, tests_,	\
							      NULL, NULL);		\
		}									\
		return failed ? 1 : 0;							\
	} while (0)
#define RUN_ALL(tests_) RUN_IF(tests_, true)

#endif
