/* SPDX-License-Identifier: MIT */
/*
 * walkcache.c - table descriptors that are held: a table is replaced by another one,
 * and who does not say so goes on through the old one
 */
#include "bed.h"

#define SID 3
#define ASID 5
#define VMID 7
#define VA1 (VA + 0x1000)	/* of the same last table as VA */

static uint64_t where(struct bed *b, uint32_t sid, uint64_t va)
{
	struct uiommu_sim_access a = { .stream_id = sid, .iova = va };
	struct uiommu_sim_xlat x = { 0 };

	return uiommu_sim_smmuv3_translate(b->sim, &a, &x) ? 1 : x.pa;
}

/* the descriptor of @level on the way to @va, granule 4 KiB, 48 bits */
static uint64_t desc_at(struct bed *b, uint64_t root, uint64_t va, unsigned level)
{
	uint64_t at = root;

	for (unsigned l = 0;; l++) {
		at += (va >> (39 - 9 * l) & 511) * 8;
		if (l == level)
			return at;
		at = mem(b, at) & 0xfffffffff000u;
	}
}

/* a copy of the table that the descriptor at @at points to; @at points to it now */
static void move_table(struct bed *b, uint64_t at)
{
	uint64_t old = mem(b, at) & 0xfffffffff000u, new = bed_alloc(b, 4096);

	for (unsigned i = 0; i < 512; i++)
		set_mem(b, new + i * 8, mem(b, old + i * 8));
	set_mem(b, at, new | 3);
}

/* VA was walked; the table of @level is another one now, and only there VA1 is mapped
 * to RAM + 0x3000. VA1 itself was never looked at. */
static struct s1 moved(struct bed *b, unsigned level)
{
	struct s1 s = stream_s1(b, SID, ASID);

	map4k(b, s.root, VA1, RAM + 0x2000, PTE_RW);
	assert_true(where(b, SID, VA) == s.page);
	for (unsigned l = level; l < 3; l++)
		move_table(b, desc_at(b, s.root, VA, l));
	map4k(b, s.root, VA1, RAM + 0x3000, PTE_RW);
	return s;
}

#define OLD (RAM + 0x2000)
#define NEW (RAM + 0x3000)

static void table_is_held(void **state)
{
	moved(*state, 2);
	assert_true(where(*state, SID, VA1) == OLD);
}

static void leaf_1_leaves_tables(void **state)
{
	struct bed *b = *state;

	moved(b, 2);
	cmd(b, OP_NH_VA(ASID), VA | 1);
	cmd(b, OP_NH_VA(ASID), VA1 | 1);
	cmd(b, 0x13, VA | 1);				/* VAA */
	assert_true(where(b, SID, VA1) == OLD);
}

static void leaf_0_drops_tables_of_every_level(void **state)
{
	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		struct bed *b = bed_new(NULL);

		moved(b, level);
		/* any address under it, but one of another table of each level */
		cmd(b, OP_NH_VA(ASID), VA1 ^ BIT(40));
		cmd(b, OP_NH_VA(ASID), VA ^ BIT(40));
		assert_true(where(b, SID, VA1) == OLD);
		cmd(b, OP_NH_VA(ASID), VA);		/* drops the one of VA1's tables, too */
		cmd(b, OP_NH_VA(ASID), VA1 | 1);
		assert_true(where(b, SID, VA1) == NEW);
		bed_free(b);
	}
}

/* what drops them, and what does not */
static void commands(void **state)
{
	static const struct {
		uint64_t w0, w1;
		bool drops;
	} c[] = {
		{ OP_NH_ASID(ASID), 0, true }, { OP_NH_ASID(ASID + 1), 0, false },
		{ 0x10, 0, true }, { 0x30, 0, true },
		{ OP_NH_VA(ASID), VA, true }, { OP_NH_VA(ASID + 1), VA, false },
		{ 0x13, VA, true },
		{ OP_CFGI_STE(SID), 0, false }, { OP_CFGI_CD(SID, 0), 0, false },
		/* ranges: another granule, a level above it, this level, all levels */
		{ OP_NH_VA(ASID) | 1 << 12, VA | 2 << 10, false },
		{ OP_NH_VA(ASID) | 1 << 12, VA | 1 << 10 | 2 << 8, false },
		{ OP_NH_VA(ASID) | 1 << 12, VA | 1 << 10 | 3 << 8, true },
		{ OP_NH_VA(ASID) | 1 << 12, VA | 1 << 10, true },
		{ OP_NH_VA(ASID) | 1 << 12, (VA ^ BIT(30)) | 1 << 10, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct bed *b = bed_new(NULL);

		moved(b, 2);
		cmd(b, c[i].w0, c[i].w1);
		if (where(b, SID, VA1) != (c[i].drops ? NEW : OLD))
			fail_msg("command %u", i);
		bed_free(b);
	}
}

/* Tables are tagged: another address space finds its own. */
static void tagged_by_asid(void **state)
{
	struct bed *b = *state;
	struct s1 one = stream_s1(b, SID, ASID), two = stream_s1(b, SID + 1, ASID + 1);

	assert_true(where(b, SID, VA) == one.page);
	assert_true(where(b, SID + 1, VA) == two.page);
	assert_true(where(b, SID, VA1) == 1 && where(b, SID + 1, VA1) == 1);
}

/* what the levels above took away is remembered with them */
static void hierarchy_is_remembered(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t at = desc_at(b, s.root, VA, 1);

	set_mem(b, at, mem(b, at) | BIT(62));			/* APTable: read-only */
	map4k(b, s.root, VA1, RAM + 0x2000, PTE_RW);
	assert_true(where(b, SID, VA) == s.page);
	assert_int_equal(dma_write(b, SID, VA1, 1), -UIOMMU_EFAULT);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA1, 0);
}

/* an entry that does not point to a table is not held */
static void invalid_entries_are_not_held(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t at = desc_at(b, s.root, VA, 2), old = mem(b, at);

	set_mem(b, s.cd, (mem(b, s.cd) & ~((uint64_t)7 << 32)) | (uint64_t)1 << 32);
	set_mem(b, at, 0);
	assert_true(where(b, SID, VA) == 1);
	event(b);
	set_mem(b, at, BIT(40) | 3);				/* beyond IPS */
	assert_true(where(b, SID, VA) == 1);
	event(b);
	set_mem(b, at, old);
	assert_true(where(b, SID, VA) == s.page);
}

/* fewer reads is what it is for */
static void second_page_reads_one_descriptor(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	struct uiommu_sim_smmuv3_stats before, after;

	map4k(b, s.root, VA1, RAM + 0x2000, PTE_RW);
	where(b, SID, VA);
	uiommu_sim_smmuv3_stats(b->sim, &before);
	where(b, SID, VA1);
	uiommu_sim_smmuv3_stats(b->sim, &after);
	assert_int_equal(after.pte_fetches - before.pte_fetches, 1);
}

/* ---- stage 2 ---- */

static struct bed *s2_bed(uint64_t *root)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = bed_new(&c);

	*root = bed_alloc(b, 4096);
	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, VMID), *root);
	return b;
}

/* as moved(): the last table of stage 2 is another one, and the neighbour differs */
static void s2_move(struct bed *b, uint64_t root)
{
	uint64_t at;

	map_s2(b, root, 12, 1, VA, 12, RAM | S2_RW);
	map_s2(b, root, 12, 1, VA1, 12, OLD | S2_RW);
	assert_true(where(b, SID, VA) == RAM);
	at = (mem(b, root + (VA >> 30) * 8) & 0xfffffffff000u) + (VA >> 21 & 511) * 8;
	move_table(b, at);
	map_s2(b, root, 12, 1, VA1, 12, NEW | S2_RW);
}

static void s2_commands(void **state)
{
	static const struct {
		uint64_t w0, w1;
		bool drops;
	} c[] = {
		{ OP_VMID(0x2a, VMID), VA, true }, { OP_VMID(0x2a, VMID), VA | 1, false },
		{ OP_VMID(0x2a, VMID + 1), VA, false },
		{ OP_VMID(0x28, VMID), 0, true }, { OP_VMID(0x28, VMID + 1), 0, false },
		{ 0x30, 0, true }, { OP_VMID(0x10, VMID), 0, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		uint64_t root;
		struct bed *b = s2_bed(&root);

		s2_move(b, root);
		cmd(b, c[i].w0, c[i].w1);
		if (where(b, SID, VA1) != (c[i].drops ? NEW : OLD))
			fail_msg("command %u", i);
		bed_free(b);
	}
}

/* Stage 1's tables are known by IPA: another page of stage 2 under one is seen once
 * stage 2 is told. */
static void nested_tables_are_ipas(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = bed_new(&c);
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t root = bed_alloc(b, 4096), last, copy = bed_alloc(b, 4096);

	(void)state;
	put_ste(b, SID, ste_s1(s.cd, 0, 0) | 7 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, VMID), root);
	for (uint64_t pa = RAM; pa < RAM + 0x80000; pa += 4096)
		map_s2(b, root, 12, 1, pa, 12, pa | S2_RW);
	map4k(b, s.root, VA1, OLD, PTE_RW);
	assert_true(where(b, SID, VA) == s.page);
	/* the last table's IPA leads to a copy in which VA1 is elsewhere */
	last = desc_at(b, s.root, VA1, 3) & ~(uint64_t)0xfff;
	for (unsigned i = 0; i < 512; i++)
		set_mem(b, copy + i * 8, mem(b, last + i * 8));
	set_mem(b, copy + (VA1 >> 12 & 511) * 8, NEW | PTE_RW | 3);
	map_s2(b, root, 12, 1, last, 12, copy | S2_RW);
	cmd(b, OP_VMID(0x2a, VMID), last | 1);
	assert_true(where(b, SID, VA1) == NEW);
	bed_free(b);
}

/* ---- EL2 ---- */

static void el2_asid_is_ignored_without_e2h(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = bed_new(&c);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct s1 s = stream_s1(b, SID, ASID);

		put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)2 << 30);
		cmd(b, OP_CFGI_STE(SID), 0);
		map4k(b, s.root, VA1, OLD, PTE_RW);
		assert_true(where(b, SID, VA) == s.page);
		move_table(b, desc_at(b, s.root, VA, 2));
		map4k(b, s.root, VA1, NEW, PTE_RW);
		/* Leaf 1, then 0, with an ASID that is nobody's */
		cmd(b, 0x22 | (uint64_t)9 << 48, VA | !i);
		assert_true(where(b, SID, VA1) == (i ? NEW : OLD));
		cmd(b, 0x20, 0);
	}
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(table_is_held),
		CASE(leaf_1_leaves_tables),
		CASE(leaf_0_drops_tables_of_every_level),
		CASE(commands),
		CASE(tagged_by_asid),
		CASE(hierarchy_is_remembered),
		CASE(invalid_entries_are_not_held),
		CASE(second_page_reads_one_descriptor),
		CASE(s2_commands),
		CASE(nested_tables_are_ipas),
		CASE(el2_asid_is_ignored_without_e2h),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
