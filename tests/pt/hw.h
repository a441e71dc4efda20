/* SPDX-License-Identifier: MIT */
/*
 * What hardware sees: readers of their own for every architecture, typed from its
 * words and sharing nothing with src/pt. They read what was cleaned to memory, refuse
 * what is reserved or malformed, and look at every entry of a run.
 */
#ifndef TESTS_PT_HW_H
#define TESTS_PT_HW_H

static inline uint64_t top_pa(const struct fixture *x);

static inline uint64_t hw_read(const struct arena *a, uint64_t pa)
{
	uint64_t v;

	assert_true(pa >= ARENA_PA && pa < ARENA_PA + ARENA_BYTES);
	assert_true(a->used[(pa - ARENA_PA) / ARENA_UNIT]);
	memcpy(&v, a->hw + (pa - ARENA_PA), 8);
	return v;
}

static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
	return v >> lo & ((2ull << (hi - lo)) - 1);
}

/* ---- Arm. Levels as the architecture counts them: 3 is the last, -1 the first ---- */

#define HW_S2	0x100u
#define HW_DS	0x200u

/* Address bits of a descriptor with granule @g. */
static inline uint64_t hw_arm_addr(uint64_t d, unsigned g, bool ds)
{
	if (g == 16)
		return bits(d, 47, 16) << 16 | bits(d, 15, 12) << 48;
	if (ds)
		return bits(d, 49, g) << g | bits(d, 9, 8) << 50;
	return bits(d, 47, g) << g;
}

static inline bool hw_arm_block_ok(const struct fixture *x, unsigned g, int level, bool ds)
{
	if (g == 12)
		return level == 1 || level == 2 || (level == 0 && ds && x->in->oas == 52);
	if (g == 14)
		return level == 2 || (level == 1 && ds && x->in->oas == 52);
	return level == 2 || (level == 1 && x->in->oas == 52);
}

/* All entries of a contiguous run have the bit, and lead to successive pages. */
static inline unsigned hw_arm_run(const struct fixture *x, uint64_t at, uint64_t d, unsigned g,
				  int level, unsigned lg2, bool ds)
{
	unsigned run = g == 12 ? 4 : g == 16 ? 5 : level == 3 ? 7 : 5;
	uint64_t base = at & ~((8ull << run) - 1), n = (at - base) / 8;

	assert_true(x->in->flags & UIOMMU_PT_CONTIG);
	for (uint64_t i = 0; i < 1u << run; i++) {
		uint64_t e = hw_read(&x->arena, base + 8 * i);

		assert_true(e & 1 && bits(e, 52, 52));
		assert_int_equal(hw_arm_addr(e, g, ds) - (i << lg2),
				 hw_arm_addr(d, g, ds) - (n << lg2));
	}
	assert_int_equal((hw_arm_addr(d, g, ds) - (n << lg2)) & ((1ull << (lg2 + run)) - 1), 0);
	return lg2 + run;
}

static inline struct hw_leaf hw_arm(const struct fixture *x, uint64_t iova)
{
	unsigned g = x->in->arg & 0xff, each = g - 3, left = x->in->ias - g;
	bool s2 = x->in->arg & HW_S2, ds = x->in->arg & HW_DS;
	uint64_t table = top_pa(x), at;
	int level = 3;

	/* stage 2: up to 16 tables side by side instead of one level more */
	for (; left > each + (s2 && !(g == 12 && level == 3) ? 4 : 0); left -= each)
		level--;
	if (g == 12 && level == 3)
		level = 2;		/* the lowest root made here */
	at = table + 8 * (iova >> (g + each * (3 - level)));
	for (;; level++) {
		unsigned lg2 = g + each * (3 - level);
		uint64_t d = hw_read(&x->arena, at);
		struct hw_leaf r = { false, 0, d, lg2 };

		if (!(d & 1))
			return r;
		if (level == 3)
			assert_true(d & 2);
		if (level == 3 || !(d & 2)) {
			assert_true(level == 3 || hw_arm_block_ok(x, g, level, ds));
			assert_int_equal(hw_arm_addr(d, g, ds) & ((1ull << lg2) - 1), 0);
			assert_true(bits(d, 10, 10));		/* AF */
			r.mapped = true;
			r.pa = hw_arm_addr(d, g, ds) + (iova & ((1ull << lg2) - 1));
			if (bits(d, 52, 52))
				r.lg2 = hw_arm_run(x, at, d, g, level, lg2, ds);
			return r;
		}
		assert_int_equal(bits(d, 63, 59), 0);
		at = hw_arm_addr(d, g, ds) + 8 * bits(iova, lg2 - 1, lg2 - each);
	}
}

/* ---- RISC-V: levels count down to 0 ---- */

#define HW_X4	1u

static inline struct hw_leaf hw_riscv(const struct fixture *x, uint64_t iova)
{
	bool x4 = x->in->arg & HW_X4;
	int level = (x->in->ias - 12 - (x4 ? 2 : 0)) / 9 - 1;
	uint64_t at = top_pa(x) + 8 * bits(iova, 12 + 9 * level + (x4 ? 10 : 8), 12 + 9 * level);

	assert_int_equal(top_pa(x) % (x4 ? 16384 : 4096), 0);
	for (;; level--) {
		unsigned lg2 = 12 + 9 * level;
		uint64_t e = hw_read(&x->arena, at), pa = bits(e, 53, 10) << 12;
		struct hw_leaf r = { false, 0, e, lg2 };

		if (!(e & 1))
			return r;
		assert_int_equal(bits(e, 62, 54), 0);
		if (!(e & 0xe)) {
			assert_true(level > 0);
			assert_int_equal(e & 0xd0, 0);		/* D, A, U of a table */
			assert_int_equal(bits(e, 63, 63), 0);
			at = pa + 8 * bits(iova, lg2 - 1, lg2 - 9);
			continue;
		}
		assert_true(e & 2 && e & 0x40);			/* W needs R; A */
		r.mapped = true;
		if (bits(e, 63, 63)) {
			assert_true(level == 0 && x->in->flags & UIOMMU_PT_CONTIG);
			assert_int_equal(bits(e, 13, 10), 8);
			for (uint64_t i = 0; i < 16; i++)
				assert_int_equal(hw_read(&x->arena, (at & ~127ull) + 8 * i) | 0x80,
						 e | 0x80);
			pa &= ~0xffffull;
			r.lg2 = lg2 = 16;
		}
		assert_int_equal(pa & ((1ull << lg2) - 1), 0);
		r.pa = pa + (iova & ((1ull << lg2) - 1));
		return r;
	}
}

/* ---- x86-64 and VT-d second stage: the same walk over other bits ---- */

static inline struct hw_leaf hw_intel(const struct fixture *x, uint64_t iova, int level,
				      uint64_t present, uint64_t table_reserved)
{
	uint64_t at = top_pa(x) + 8 * bits(iova, 20 + 9 * level, 12 + 9 * level);

	assert_int_equal(top_pa(x) % 4096, 0);
	for (;; level--) {
		unsigned lg2 = 12 + 9 * level;
		uint64_t e = hw_read(&x->arena, at), pa = bits(e, 51, 12) << 12;
		struct hw_leaf r = { false, 0, e, lg2 };

		if (!(e & present))
			return r;
		if (level && !bits(e, 7, 7)) {
			assert_int_equal(e & table_reserved, 0);
			at = pa + 8 * bits(iova, lg2 - 1, lg2 - 9);
			continue;
		}
		assert_true(level < 3 && (level || !bits(e, 7, 7)));
		assert_int_equal(pa & ((1ull << lg2) - 1), 0);
		r.mapped = true;
		r.pa = pa + (iova & ((1ull << lg2) - 1));
		return r;
	}
}

static inline struct hw_leaf hw_x86_64(const struct fixture *x, uint64_t iova)
{
	return hw_intel(x, iova, x->in->ias == 57 ? 4 : 3, 1, 1ull << 63);
}

static inline struct hw_leaf hw_vtd_ss(const struct fixture *x, uint64_t iova)
{
	return hw_intel(x, iova, x->in->ias > 48 ? 4 : x->in->ias > 39 ? 3 : 2, 3, 0);
}

/* ---- AMD v1: levels from 1; an entry names the next one, or codes its page's size ---- */

static inline struct hw_leaf hw_amd_v1(const struct fixture *x, uint64_t iova)
{
	unsigned level, size;
	uint64_t table = uiommu_pt_root(&x->pt, &level), at;

	for (level++;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t e, pa;
		struct hw_leaf r = { false, 0, 0, shift };

		if (level < 6 && iova >> (shift + 9) && table == top_pa(x))
			return r;	/* the DTE's mode does not reach it */
		at = table + 8 * (iova >> shift & 511);
		r.entry = e = hw_read(&x->arena, at);
		pa = bits(e, 51, 12) << 12;
		if (!(e & 1))
			return r;
		assert_int_equal(bits(e, 58, 52), 0);
		if (bits(e, 11, 9) && bits(e, 11, 9) != 7) {
			assert_int_equal(bits(e, 11, 9), level - 1);
			assert_int_equal(bits(e, 62, 61), 3);
			table = pa;
			continue;
		}
		size = shift;
		if (bits(e, 11, 9) == 7) {
			for (size = 13; bits(e, size - 1, size - 1); size++)
				;
			assert_in_range(size, shift + 1, shift + 8);
			pa &= ~((1ull << size) - 1);
			for (uint64_t i = 0; i < 1u << (size - shift); i++)
				assert_int_equal(hw_read(&x->arena,
					(at & ~((8ull << (size - shift)) - 1)) + 8 * i) | 0x40,
					e | 0x40);
		}
		assert_int_equal(pa & ((1ull << size) - 1), 0);
		r.mapped = true;
		r.lg2 = size;
		r.pa = pa + (iova & ((1ull << size) - 1));
		return r;
	}
}

#endif
