/* SPDX-License-Identifier: MIT */
/*
 * stale.c - random changes of tables, each followed by as little invalidation as the
 * architecture asks for: whatever is cached, nothing old may be used after that
 *
 * Beside the simulator under test stands another one on the same memory, which
 * forgets everything before each question. usage: sim-stale [SEED]
 */
#include "bed.h"

#include "../rng.h"

#define STEPS	2000
#define VMID	7
#define IPAS	0x10000000u	/* of both stages, what stage 1 points to */

enum { S1 = 1, S2 = 2, NESTED = 3 };

static uint64_t state;

static uint64_t rnd(void)
{
	return rng_next(&state) * 0x2545f4914f6cdd1du >> 11;
}

static bool one_in(unsigned n)
{
	return rnd() % n == 0;
}

struct world {
	struct bed *b;
	struct uiommu_sim_smmuv3 *ref;
	unsigned kind;
	uint64_t s1, s2;		/* roots of level 1: 39 bits */
	/* two tables for each place of one, which is never in two places */
	uint64_t level2[2][2][2], level3[2][2][3][2];
	uint64_t cmdq;			/* of the other one */
	unsigned prod;
};

/* ---- the two simulators ---- */

static void start(struct uiommu_sim_smmuv3 *s, uint64_t strtab, uint64_t cmdq)
{
	uiommu_sim_smmuv3_mmio_write(s, STRTAB_BASE, strtab, 8);
	uiommu_sim_smmuv3_mmio_write(s, STRTAB_BASE_CFG, STRTAB_LG2, 4);
	uiommu_sim_smmuv3_mmio_write(s, CMDQ_BASE, cmdq | CMDQ_LG2, 8);
	uiommu_sim_smmuv3_mmio_write(s, CR0, 8 | 1, 4);
}

static void forget(struct world *w)
{
	static const uint64_t all[][2] = { { 0x04, 31 }, { 0x30, 0 } };

	for (unsigned i = 0; i < 2; i++, w->prod++)
		for (unsigned j = 0; j < 2; j++)
			set_mem(w->b, w->cmdq + (w->prod & 15) * 16 + j * 8, all[i][j]);
	uiommu_sim_smmuv3_mmio_write(w->ref, CMDQ_PROD, w->prod & 31, 4);
}

static void make(struct world *w, unsigned kind)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	c.tlb_entries_lg2 = 2 + (unsigned)(rnd() % 8);
	b = bed_new(&c);
	*w = (struct world){ .b = b, .kind = kind, .cmdq = bed_alloc(b, 16u << CMDQ_LG2) };
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &b->env, &w->ref), 0);
	wr(b, CR0, 8 | 1);			/* nobody reads events */
	start(w->ref, b->strtab, w->cmdq);
	w->s1 = bed_alloc(b, 4096);
	w->s2 = bed_alloc(b, 4096);
	for (unsigned i = 0; i < 8; i++)
		(&w->level2[0][0][0])[i] = bed_alloc(b, 4096);
	for (unsigned i = 0; i < 24; i++)
		(&w->level3[0][0][0][0])[i] = bed_alloc(b, 4096);
	for (uint32_t sid = 1; sid < 3; sid++) {
		uint64_t cd = bed_alloc(b, 64);

		put_ste(b, sid, 1 | (4 | kind) << 1 | (kind & S1 ? cd : 0), 0);
		put_ste_s2(b, sid, s2_word2(39, VMID), w->s2);
		put_cd(b, cd, (cd_4k((uint16_t)sid) & ~(uint64_t)0xff) | 25, w->s1);
	}
	/* CDs and tables are where they are */
	for (uint64_t at = RAM; kind == NESTED && at < RAM + RAM_BYTES; at += 2 << 20)
		map_s2(b, w->s2, 12, 1, at, 21, at | S2_RW);
}

static void unmake(struct world *w)
{
	uiommu_sim_smmuv3_destroy(w->ref);
	bed_free(w->b);
}

/* ---- questions ---- */

static uint64_t some_address(void)
{
	return rnd() % 2 << 30 | rnd() % 3 << 21 | rnd() % 6 << 12;
}

static void ask(struct world *w, uint64_t seed, unsigned step)
{
	struct uiommu_sim_access a = { .stream_id = 1 + (uint32_t)(rnd() % 2),
				       .iova = some_address(), .write = one_in(2) };
	struct uiommu_sim_xlat got, want;
	int e1, e2;

	forget(w);
	e1 = uiommu_sim_smmuv3_translate(w->b->sim, &a, &got);
	e2 = uiommu_sim_smmuv3_translate(w->ref, &a, &want);
	if (e1 != e2 || got.pa != want.pa)
		fail_msg("kind %u, step %u: %s of %llx by %u: %llx, not %llx; again: sim-stale %llu",
			 w->kind, step, a.write ? "write" : "read", (unsigned long long)a.iova,
			 a.stream_id, e1 ? 0ull : (unsigned long long)got.pa,
			 e2 ? 0ull : (unsigned long long)want.pa, (unsigned long long)seed);
}

/* ---- changes ---- */

static uint64_t addr_of(uint64_t desc)
{
	return desc & 0xfffffffff000u;
}

static uint64_t some_table(struct world *w, bool s2, uint64_t va, unsigned level)
{
	unsigned i = va >> 30 & 1, j = (va >> 21 & 511) % 3, which = one_in(2);

	return level == 1 ? w->level2[s2][i][which] : w->level3[s2][i][j][which];
}

/* something for an entry of @level; stage 2's attributes are others */
static uint64_t some_desc(struct world *w, bool s2, uint64_t va, unsigned level)
{
	uint64_t base = w->kind == NESTED && !s2 ? IPAS : RAM;
	uint64_t attr = s2 ? S2_R | BIT(10) | 0xf << 2 | (one_in(4) ? 0 : S2_W) :
			     PTE_USER | PTE_AF | (one_in(3) ? 0 : PTE_NG) |
				     (one_in(4) ? PTE_RO : 0);

	if (one_in(6))
		return 0;
	if (level == 3)
		return (base + rnd() % 64 * 4096) | attr | 3;
	if (one_in(4))
		return (base & ~(BIT(level == 1 ? 30 : 21) - 1)) | attr | 1;
	return some_table(w, s2, va, level) | 3;
}

/* the entry for @va as deep as @level, or above where there is no table; its level */
static unsigned entry(struct world *w, bool s2, uint64_t va, unsigned level, uint64_t *at)
{
	uint64_t table = s2 ? w->s2 : w->s1;

	for (unsigned l = 1;; l++) {
		*at = table + (va >> (39 - 9 * l) & 511) * 8;
		if (l == level || (mem(w->b, *at) & 3) != 3)
			return l;
		table = addr_of(mem(w->b, *at));
	}
}

/* how many pages are under an entry, as NUM and SCALE */
static uint64_t range_bits(unsigned level)
{
	unsigned lg2 = 9 * (3 - level);

	return lg2 ? (uint64_t)31 << 12 | (uint64_t)(lg2 - 5) << 20 : 0;
}

/* by ASID: both use the tables; a global leaf goes whichever is named */
static void by_asid(struct world *w, uint64_t w0, uint64_t w1, bool global)
{
	uint64_t only = global ? rnd() % 3 : 0;

	for (uint64_t asid = 1; asid < 3; asid++)
		if (!only || only == asid)
			cmd(w->b, w0 | asid << 48, w1);
}

/* Of what the descriptor said that was at @at, nothing may be left. */
static void invalidate_s1(struct world *w, uint64_t va, unsigned level, uint64_t was)
{
	bool table = level < 3 && (was & 2), global = !table && !(was & PTE_NG);
	uint64_t leaf = !table && one_in(2), vmid = OP_VMID(0, VMID);
	uint64_t first = va & ~(BIT(39 - 9 * level) - 1), range = range_bits(level);
	uint64_t ttl = table ? 0 : level;

	switch (rnd() % 6) {
	case 0:		/* one address of a leaf; of a table all that is under it */
		if (!table) {
			by_asid(w, 0x12 | vmid, (va & ~(uint64_t)0xfff) | leaf, global);
			return;
		}
		/* fall through */
	case 1:
		by_asid(w, 0x12 | vmid | range, first | 1 << 10 | leaf | (range ? 0 : 3 << 8),
			global);
		return;
	case 2:
		cmd(w->b, 0x13 | vmid | range, first | 1 << 10 | leaf | (range ? 0 : 3 << 8));
		return;
	case 3:		/* with the level of the leaf, which may be all of the hint */
		if (ttl) {
			by_asid(w, 0x12 | vmid, first | 1 << 10 | ttl << 8 | leaf, global);
			return;
		}
		/* fall through */
	case 4:
		cmd(w->b, 0x10 | vmid, 0);
		return;
	default:
		cmd(w->b, 0x30, 0);
	}
}

/* What both stages made goes by what names stage 1. */
static void invalidate_s2(struct world *w, uint64_t ipa, unsigned level, uint64_t was)
{
	bool table = level < 3 && (was & 2);
	uint64_t leaf = !table && one_in(2);
	uint64_t first = ipa & ~(BIT(39 - 9 * level) - 1), range = range_bits(level);

	switch (rnd() % 3) {
	case 0:
		cmd(w->b, OP_VMID(0x2a, VMID) | range,
		    first | 1 << 10 | leaf | (range ? 0 : 3 << 8));
		if (w->kind == NESTED)
			cmd(w->b, OP_VMID(0x10, VMID), 0);
		return;
	case 1:
		cmd(w->b, OP_VMID(0x28, VMID), 0);
		return;
	default:
		cmd(w->b, 0x30, 0);
	}
}

/* break, invalidate, make */
static void change(struct world *w)
{
	bool s2 = w->kind == S2 || (w->kind == NESTED && one_in(2));
	uint64_t va = some_address(), at, was;
	unsigned level;

	if (s2 && w->kind == NESTED)
		va = IPAS + rnd() % 64 * 4096;
	level = entry(w, s2, va, 1 + (unsigned)(rnd() % 3), &at);
	was = mem(w->b, at);
	set_mem(w->b, at, 0);
	if (was & 1) {
		if (s2)
			invalidate_s2(w, va, level, was);
		else
			invalidate_s1(w, va, level, was);
	}
	set_mem(w->b, at, some_desc(w, s2, va, level));
}

static void run(unsigned kind, uint64_t seed)
{
	struct world w;

	state = seed;
	make(&w, kind);
	for (unsigned step = 0; step < STEPS; step++) {
		change(&w);
		for (unsigned i = 0; i < 6; i++)
			ask(&w, seed, step);
	}
	unmake(&w);
}

static uint64_t seed = 1;

static void stage1(void **state_)
{
	(void)state_;
	for (unsigned i = 0; i < 4; i++)
		run(S1, seed + i);
}

static void stage2(void **state_)
{
	(void)state_;
	for (unsigned i = 0; i < 4; i++)
		run(S2, seed + i);
}

static void nested(void **state_)
{
	(void)state_;
	for (unsigned i = 0; i < 16; i++)
		run(NESTED, seed + i);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stage1), cmocka_unit_test(stage2), cmocka_unit_test(nested),
	};
	const char *env = getenv("UIOMMU_SEED");

	if (argc > 1 || env)
		seed = strtoull(argc > 1 ? argv[1] : env, NULL, 0);
	if (!seed)
		seed = 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
