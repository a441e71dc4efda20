/* SPDX-License-Identifier: MIT */
/* walk.c - stage 1 translation tables: sizes, halves, faults, permissions */
#include "bed.h"

#define SID 2

static void fault(struct bed *b, uint64_t va, unsigned code)
{
	uint64_t v;

	assert_int_equal(dma_read(b, SID, va, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(code, SID), EV_READ | EV_CLASS_IN, va, 0);
}

static void reads(struct bed *b, uint64_t va, uint64_t want)
{
	uint64_t v;

	assert_int_equal(dma_read(b, SID, va, &v), 0);
	assert_true(v == want);
	no_event(b);
}

/* ---- geometry ---- */

/* T0SZ, granule and leaf: one page at the very top of the range, one in it */
static void geometry(unsigned tg0, unsigned g, unsigned t0sz, unsigned leaf)
{
	struct bed *b = bed_new(NULL);
	unsigned ias = 64 - t0sz;
	uint64_t cd = bed_alloc(b, 64), root = bed_alloc(b, BIT(g));
	uint64_t va = (BIT(ias) - 1) & ~(BIT(leaf) - 1), block = RAM & ~(BIT(leaf) - 1);
	uint64_t at = RAM - block + 0x7f8;	/* in RAM, whatever the block's size */

	put_ste(b, SID, ste_s1(cd, 0, 0), 0);
	put_cd(b, cd, (cd_4k(1) & ~(uint64_t)0xff) | t0sz | tg0 << 6, root);
	map(b, root, g, ias, va, leaf, block | PTE_RW);
	set_mem(b, RAM + 0x7f8, 0xabc);
	reads(b, va + at, 0xabc);
	if (ias < 55)
		fault(b, BIT(ias), F_TRANSLATION);
	fault(b, va - BIT(leaf) + 8, F_TRANSLATION);
	bed_free(b);
}

static void granule_4k(void **state)
{
	(void)state;
	for (unsigned t0sz = 16; t0sz <= 39; t0sz++)
		for (unsigned leaf = 12; leaf <= 30; leaf += 9)
			if (leaf < 64 - t0sz)
				geometry(0, 12, t0sz, leaf);
}

static void granule_16k(void **state)
{
	(void)state;
	for (unsigned t0sz = 16; t0sz <= 39; t0sz++)
		for (unsigned leaf = 14; leaf <= 25; leaf += 11)
			if (leaf < 64 - t0sz)
				geometry(2, 14, t0sz, leaf);
}

static void granule_64k(void **state)
{
	(void)state;
	for (unsigned t0sz = 16; t0sz <= 39; t0sz++)
		for (unsigned leaf = 16; leaf <= 29; leaf += 13)
			if (leaf < 64 - t0sz)
				geometry(1, 16, t0sz, leaf);
}

static void granule_64k_52_bit_input(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t cd, root, page;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.vax52 = true;
	b = bed_new(&cfg);
	cd = bed_alloc(b, 64);
	root = bed_alloc(b, 8 << 10);		/* 1024 entries */
	page = bed_alloc(b, 65536);
	put_ste(b, SID, ste_s1(cd, 0, 0), 0);
	put_cd(b, cd, (cd_4k(1) & ~(uint64_t)0xff) | 12 | 1 << 6, root);
	map(b, root, 16, 52, BIT(51) + 0x10000, 16, page | PTE_RW);
	set_mem(b, page + 8, 6);
	reads(b, BIT(51) + 0x10008, 6);
	fault(b, BIT(52), F_TRANSLATION);
	bed_free(b);
}

static void granule_64k_52_bit_output(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA };
	struct uiommu_sim_xlat x;
	struct bed *b;
	uint64_t cd, root;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.oas_lg2 = 52;
	b = bed_new(&cfg);
	cd = bed_alloc(b, 64);
	root = bed_alloc(b, 65536);
	put_ste(b, SID, ste_s1(cd, 0, 0), 0);
	put_cd(b, cd, (cd_4k(1) & ~(uint64_t)0x7000000ff) | 16 | 1 << 6 | (uint64_t)6 << 32,
	       root);
	/* bits 51:48 of the address are bits 15:12 of the descriptor */
	map(b, root, 16, 48, VA, 16, (BIT(47) | 0xa << 12 | PTE_RW));
	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
	assert_true(x.pa == ((uint64_t)0xa << 48 | BIT(47) | (VA & 0xffff)));
	bed_free(b);
}

static void tables_are_aligned_to_their_size(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.page, 3);
	set_mem(b, s.cd + 8, s.root + 0x30);	/* low bits of TTB0 */
	reads(b, VA, 3);
}

static void translate_tells_how_far(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA + 0x123 };
	struct uiommu_sim_xlat x;

	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
	assert_true(x.pa == s.page + 0x123 && x.bytes == 0x1000 - 0x123 && !x.raz_wi);
	a.iova = 0;
	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), -UIOMMU_EFAULT);
	assert_true(x.pa == 0 && x.bytes == 0);
}

/* ---- the two halves ---- */

static void upper_half(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t root = bed_alloc(b, 4096), page = bed_alloc(b, 4096);
	uint64_t va = 0xffff800012345000u;

	/* EPD1 0, T1SZ 16, TG1 4K */
	set_mem(b, s.cd, (mem(b, s.cd) & ~BIT(30)) | 16 << 16 | 2 << 22);
	set_mem(b, s.cd + 16, root);
	map4k(b, root, va, page, PTE_RW);
	set_mem(b, page, 1);
	set_mem(b, s.page, 0);
	reads(b, va, 1);
	reads(b, VA, 0);
	fault(b, va & ~BIT(63), F_TRANSLATION);		/* not a copy of bit 55 */
	fault(b, 0xfffe800012345000u, F_TRANSLATION);
	fault(b, 0xffff000000000000u, F_TRANSLATION);
}

static void upper_half_granules_are_encoded_differently(void **state)
{
	static const struct {
		unsigned tg1, g;
	} t[] = { { 1, 14 }, { 2, 12 }, { 3, 16 } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct bed *b = bed_new(NULL);
		struct s1 s = stream_s1(b, SID, 1);
		uint64_t root = bed_alloc(b, BIT(t[i].g)), page = bed_alloc(b, 65536);

		set_mem(b, s.cd, (mem(b, s.cd) & ~BIT(30)) | 25 << 16 | t[i].tg1 << 22);
		set_mem(b, s.cd + 16, root);
		map(b, root, t[i].g, 39, 0xfffffffff0000000u, t[i].g, page | PTE_RW);
		set_mem(b, page, 10 + i);
		reads(b, 0xfffffffff0000000u, 10 + i);
		bed_free(b);
	}
}

static void disabled_half_does_not_walk(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	fault(b, 0xffff800012345000u, F_TRANSLATION);	/* EPD1 is set */
}

static void top_byte_ignored_where_tbi_says_so(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	fault(b, VA | (uint64_t)0xab << 56, F_TRANSLATION);
	set_mem(b, s.cd, mem(b, s.cd) | BIT(38));
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	set_mem(b, s.page, 5);
	reads(b, VA | (uint64_t)0xab << 56, 5);
	reads(b, VA, 5);
	/* the record has the address as it arrived */
	fault(b, 0xab00000000000000u, F_TRANSLATION);
	fault(b, 0xab01000000000000u | VA, F_TRANSLATION);
}

/* ---- descriptors that do not translate ---- */

static void invalid_descriptor_at_every_level(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t table = s.root;

	for (unsigned level = 0; level < 4; level++) {
		uint64_t pa = table + (VA >> (39 - 9 * level) & 511) * 8, old = mem(b, pa);

		set_mem(b, pa, old & ~(uint64_t)1);
		fault(b, VA, F_TRANSLATION);
		set_mem(b, pa, old);
		table = old & 0xfffffffff000u;
	}
	reads(b, VA, 0);
}

static void block_where_there_is_none(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t l1, l2, l3;

	set_mem(b, s.root + 8, RAM | PTE_RW | 1);	/* level 0 */
	fault(b, BIT(39), F_TRANSLATION);
	l1 = mem(b, s.root) & ~(uint64_t)0xfff;
	l2 = mem(b, l1) & ~(uint64_t)0xfff;
	l3 = mem(b, l2 + (VA >> 21) * 8) & ~(uint64_t)0xfff;
	set_mem(b, l3 + (VA >> 12 & 511) * 8, s.page | PTE_RW | 1);	/* reserved at level 3 */
	fault(b, VA, F_TRANSLATION);
}

static void block_16k_only_at_level_2(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t root = bed_alloc(b, 16384);

	put_cd(b, s.cd, cd_4k(1) | 2 << 6, root);
	set_mem(b, root, bed_alloc(b, 16384) | 3);			/* level 0 */
	set_mem(b, mem(b, root) & ~(uint64_t)0x3fff, RAM | PTE_RW | 1);	/* level 1 */
	fault(b, 0, F_TRANSLATION);
}

static void address_size_of_a_leaf(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.cd, (mem(b, s.cd) & ~((uint64_t)7 << 32)) | (uint64_t)1 << 32); /* 36 */
	map4k(b, s.root, VA + 0x1000, BIT(36), PTE_RW);
	map4k(b, s.root, VA + 0x2000, BIT(36) - 4096, PTE_RW);
	fault(b, VA + 0x1000, F_ADDR_SIZE);
	/* in range, but nothing answers: the device's affair, no event */
	assert_int_equal(dma_read(b, SID, VA + 0x2000, &(uint64_t){ 0 }), -UIOMMU_EFAULT);
	no_event(b);
}

static void address_size_of_a_table(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.cd, (mem(b, s.cd) & ~((uint64_t)7 << 32)) | (uint64_t)1 << 32);
	set_mem(b, s.root + 8, BIT(40) | 3);
	fault(b, BIT(39), F_ADDR_SIZE);
}

static void output_size_is_capped(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	struct s1 s;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.oas_lg2 = 40;
	b = bed_new(&cfg);
	s = stream_s1(b, SID, 1);		/* IPS 48 */
	map4k(b, s.root, VA + 0x1000, BIT(40), PTE_RW);
	fault(b, VA + 0x1000, F_ADDR_SIZE);
	bed_free(b);
}

static void access_flag(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	map4k(b, s.root, VA, s.page, PTE_USER | PTE_NG);
	fault(b, VA, F_ACCESS);
	/* not cached: once it is set, the access goes on */
	map4k(b, s.root, VA, s.page, PTE_RW);
	reads(b, VA, 0);
}

static void access_flag_fault_disabled(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.cd, mem(b, s.cd) | BIT(35));
	map4k(b, s.root, VA, s.page, PTE_USER | PTE_NG);
	reads(b, VA, 0);
}

static void access_flag_comes_before_permission(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	map4k(b, s.root, VA, s.page, PTE_NG);	/* neither AF nor user */
	fault(b, VA, F_ACCESS);
}

static void walk_aborted_at_every_level(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t table = s.root, v;

	for (unsigned level = 0; level < 4; level++) {
		uint64_t pa = table + (VA >> (39 - 9 * level) & 511) * 8;

		b->poison = pa;
		assert_int_equal(dma_read(b, SID, VA, &v), -UIOMMU_EFAULT);
		expect_event(b, EV(F_WALK_EABT, SID), EV_READ | EV_CLASS_TT, VA, pa);
		table = mem(b, pa) & 0xfffffffff000u;
	}
	b->poison = 0;
	set_mem(b, s.cd + 8, NOWHERE);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	cmd(b, OP_NH_ASID(1), 0);		/* tables on the way are cached, too */
	assert_int_equal(dma_write(b, SID, VA, 0), -UIOMMU_EFAULT);
	expect_event(b, EV(F_WALK_EABT, SID), EV_CLASS_TT, VA, NOWHERE);
}

/* ---- what the fault does: CD.A and CD.R ---- */

static void cd_r_0_suppresses_the_record(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t v;

	set_mem(b, s.cd, mem(b, s.cd) & ~BIT(45));
	assert_int_equal(dma_read(b, SID, 0, &v), -UIOMMU_EFAULT);
	no_event(b);
	/* but not of an external abort */
	cmd(b, OP_NH_ASID(1), 0);
	b->poison = s.root;
	assert_int_equal(dma_read(b, SID, 0, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_WALK_EABT, SID), EV_READ | EV_CLASS_TT, 0, s.root);
}

static void cd_a_0_is_raz_wi(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID };
	struct uiommu_sim_xlat x;
	uint64_t v = 0x1234;

	set_mem(b, s.cd, mem(b, s.cd) & ~BIT(46));
	assert_int_equal(dma_read(b, SID, 0, &v), 0);
	assert_true(v == 0);
	expect_event(b, EV(F_TRANSLATION, SID), EV_READ | EV_CLASS_IN, 0, 0);
	assert_int_equal(dma_write(b, SID, 8, 1), 0);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN, 8, 0);
	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
	assert_true(x.raz_wi && x.bytes == 0);
	event(b);
	/* an external abort is an abort all the same */
	cmd(b, OP_NH_ASID(1), 0);
	b->poison = s.root;
	assert_int_equal(dma_read(b, SID, 0, &v), -UIOMMU_EFAULT);
}

/* ---- permissions ---- */

enum { UR = 1, UW = 2, UX = 4, PR = 8, PW = 16, PX = 32 };

static unsigned allowed(struct bed *b, uint64_t va)
{
	unsigned got = 0;

	for (unsigned i = 0; i < 6; i++) {
		struct uiommu_sim_access a = { .stream_id = SID, .iova = va, .write = i % 3 == 1,
					       .exec = i % 3 == 2, .priv = i >= 3 };

		if (!dma_as(b, &a)) {
			got |= 1u << i;
			continue;
		}
		expect_event(b, EV(F_PERMISSION, SID),
			     (a.priv ? BIT(33) : 0) | (a.exec ? BIT(34) : 0) |
			     (a.write ? 0 : EV_READ) | EV_CLASS_IN, va, 0);
	}
	return got;
}

static void permissions_of_a_leaf(void **state)
{
	static const struct {
		uint64_t attr;
		unsigned may;
	} t[] = {
		{ 0, PR | PW | PX | UX },
		{ PTE_RO, PR | PX | UX },
		{ PTE_USER, PR | PW | UR | UW | UX },	/* user-writable is never PX */
		{ PTE_USER | PTE_RO, PR | PX | UR | UX },
		{ PTE_UXN, PR | PW | PX },
		{ PTE_PXN, PR | PW | UX },
		{ PTE_USER | PTE_RO | PTE_PXN | PTE_UXN, PR | UR },
		{ PTE_USER | PTE_UXN, PR | PW | UR | UW },
	};
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t va = VA + 0x1000 * (i + 1);

		map4k(b, s.root, va, s.page, t[i].attr | PTE_AF | PTE_NG);
		assert_int_equal(allowed(b, va), t[i].may);
	}
}

static void wxn_forbids_execution_of_writable_pages(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.cd, mem(b, s.cd) | BIT(36));
	map4k(b, s.root, VA, s.page, PTE_AF | PTE_NG);
	map4k(b, s.root, VA + 0x1000, s.page, PTE_AF | PTE_NG | PTE_USER);
	map4k(b, s.root, VA + 0x2000, s.page, PTE_AF | PTE_NG | PTE_USER | PTE_RO);
	assert_int_equal(allowed(b, VA), PR | PW | UX);
	assert_int_equal(allowed(b, VA + 0x1000), PR | PW | UR | UW);
	assert_int_equal(allowed(b, VA + 0x2000), PR | PX | UR | UX);
}

static void pan_forbids_privileged_data_access_to_user_pages(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	set_mem(b, s.cd, mem(b, s.cd) | BIT(40));
	map4k(b, s.root, VA, s.page, PTE_AF | PTE_NG | PTE_USER | PTE_RO);
	map4k(b, s.root, VA + 0x1000, s.page, PTE_AF | PTE_NG);
	assert_int_equal(allowed(b, VA), PX | UR | UX);
	assert_int_equal(allowed(b, VA + 0x1000), PR | PW | PX | UX);
}

static void hierarchical_attributes_take_away(void **state)
{
	static const struct {
		uint64_t bit;
		unsigned may;
	} t[] = {
		{ BIT(59), PR | PW | UR | UW | UX },		/* PXNTable */
		{ BIT(60), PR | PW | UR | UW },			/* UXNTable */
		{ BIT(61), PR | PW | PX | UX },			/* APTable: no user */
		{ BIT(62), PR | PX | UR | UX },			/* APTable: read-only */
		{ BIT(61) | BIT(62), PR | PX | UX },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (unsigned level = 0; level < 3; level++) {
			struct bed *b = bed_new(NULL);
			struct s1 s = stream_s1(b, SID, 1);
			uint64_t table = s.root, pa = 0;

			for (unsigned l = 0; l <= level; l++) {
				pa = table + (VA >> (39 - 9 * l) & 511) * 8;
				table = mem(b, pa) & 0xfffffffff000u;
			}
			set_mem(b, pa, mem(b, pa) | t[i].bit);
			assert_int_equal(allowed(b, VA), t[i].may);
			/* CD.HAD0 takes the effect away */
			set_mem(b, s.cd + 8, mem(b, s.cd + 8) | 2);
			cmd(b, OP_CFGI_CD(SID, 0), 1);
			cmd(b, OP_NH_ASID(1), 0);
			assert_int_equal(allowed(b, VA), PR | PW | UR | UW | UX);
			bed_free(b);
		}
}

static void record_has_the_substream(void **state)
{
	struct bed *b = *state;
	uint64_t t = bed_alloc(b, 64 * 4), root = bed_alloc(b, 4096), v;

	put_ste(b, SID, ste_s1(t, 0, 2), 0);
	put_cd(b, t + 3 * 64, cd_4k(1), root);
	assert_int_equal(dma_read_ssid(b, SID, 3, VA, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_TRANSLATION, SID) | EV_SSID(3), EV_READ | EV_CLASS_IN, VA, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(granule_4k),
		cmocka_unit_test(granule_16k),
		cmocka_unit_test(granule_64k),
		cmocka_unit_test(granule_64k_52_bit_input),
		cmocka_unit_test(granule_64k_52_bit_output),
		CASE(tables_are_aligned_to_their_size),
		CASE(translate_tells_how_far),
		CASE(upper_half),
		cmocka_unit_test(upper_half_granules_are_encoded_differently),
		CASE(disabled_half_does_not_walk),
		CASE(top_byte_ignored_where_tbi_says_so),
		CASE(invalid_descriptor_at_every_level),
		CASE(block_where_there_is_none),
		CASE(block_16k_only_at_level_2),
		CASE(address_size_of_a_leaf),
		CASE(address_size_of_a_table),
		cmocka_unit_test(output_size_is_capped),
		CASE(access_flag),
		CASE(access_flag_fault_disabled),
		CASE(access_flag_comes_before_permission),
		CASE(walk_aborted_at_every_level),
		CASE(cd_r_0_suppresses_the_record),
		CASE(cd_a_0_is_raz_wi),
		CASE(permissions_of_a_leaf),
		CASE(wxn_forbids_execution_of_writable_pages),
		CASE(pan_forbids_privileged_data_access_to_user_pages),
		cmocka_unit_test(hierarchical_attributes_take_away),
		CASE(record_has_the_substream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
