/* SPDX-License-Identifier: MIT */
/*
 * invalidate.c - what is held stays until the right command comes
 *
 * Each case changes a table under the simulator, shows that the old contents
 * are still used, gives commands that are not enough, and then the one that is.
 */
#include "bed.h"

#define SID 3
#define ASID 0x1234

static void maps_to(struct bed *b, uint64_t va, uint64_t page)
{
	struct uiommu_sim_access a = { .stream_id = SID, .iova = va };
	struct uiommu_sim_xlat x;

	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
	assert_true(x.pa == page + (va & 0xfff));
	no_event(b);
}

static void faults(struct bed *b, uint64_t va)
{
	uint64_t v;

	assert_int_equal(dma_read(b, SID, va, &v), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, F_TRANSLATION);
}

/* a stream whose VA is cached, and whose table now says another page */
struct stale {
	struct s1 s;
	uint64_t old, now;
};

static struct stale stale(struct bed *b, uint64_t attr)
{
	struct stale t = { .s = stream_s1(b, SID, ASID) };

	t.old = t.s.page;
	t.now = bed_alloc(b, 4096);
	map4k(b, t.s.root, VA, t.old, attr);
	maps_to(b, VA, t.old);
	map4k(b, t.s.root, VA, t.now, attr);
	maps_to(b, VA, t.old);
	return t;
}

/* ---- TLB ---- */

static void tlb_holds_until_va(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW);

	cmd(b, OP_NH_VA(ASID), VA + 0x1000);	/* another page */
	cmd(b, OP_NH_VA(ASID), VA - 0x1000);
	cmd(b, OP_NH_VA(ASID + 1), VA);		/* another address space */
	cmd(b, OP_CFGI_CD(SID, 0), 1);		/* another cache */
	cmd(b, OP_CFGI_STE(SID), 0);
	sync(b);
	maps_to(b, VA, t.old);
	cmd(b, OP_NH_VA(ASID), VA);
	sync(b);
	maps_to(b, VA, t.now);
}

static void tlb_va_leaf_is_enough(void **state)
{
	struct stale t = stale(*state, PTE_RW);

	cmd(*state, OP_NH_VA(ASID), VA | 1);
	maps_to(*state, VA, t.now);
}

static void tlb_holds_until_vaa(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW);

	cmd(b, 0x13, VA + 0x1000);
	maps_to(b, VA, t.old);
	cmd(b, 0x13, VA);
	maps_to(b, VA, t.now);
}

static void tlb_holds_until_asid(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW);

	cmd(b, OP_NH_ASID(ASID + 1), 0);
	maps_to(b, VA, t.old);
	cmd(b, OP_NH_ASID(ASID), 0);
	maps_to(b, VA, t.now);
}

static void tlb_holds_until_nh_all(void **state)
{
	struct stale t = stale(*state, PTE_RW);

	cmd(*state, 0x10, 0);
	maps_to(*state, VA, t.now);
}

static void tlb_holds_until_nsnh_all(void **state)
{
	struct stale t = stale(*state, PTE_RW);

	cmd(*state, 0x30, 0);
	maps_to(*state, VA, t.now);
}

static void tlb_without_stage_2_matches_no_vmid(void **state)
{
	struct stale t = stale(*state, PTE_RW);

	cmd(*state, OP_NH_VA(ASID) | (uint64_t)7 << 32, VA);
	maps_to(*state, VA, t.now);
}

static void tlb_global_entries_ignore_the_asid(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW & ~PTE_NG);

	cmd(b, OP_NH_ASID(ASID), 0);		/* non-global ones only */
	maps_to(b, VA, t.old);
	cmd(b, OP_NH_VA(ASID + 1), VA);		/* global: whatever the ASID */
	maps_to(b, VA, t.now);
}

static void tlb_global_entries_serve_every_asid(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW & ~PTE_NG);

	put_cd(b, t.s.cd, cd_4k(ASID + 9), t.s.root);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	maps_to(b, VA, t.old);
}

static void tlb_entries_of_different_asids_are_apart(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW);

	put_cd(b, t.s.cd, cd_4k(ASID + 9), t.s.root);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	maps_to(b, VA, t.now);
	put_cd(b, t.s.cd, cd_4k(ASID), t.s.root);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	maps_to(b, VA, t.old);		/* it is still there */
}

static void tlb_is_shared_by_streams_of_one_asid(void **state)
{
	struct bed *b = *state;
	struct stale t = stale(b, PTE_RW);
	struct uiommu_sim_access a = { .stream_id = SID + 1, .iova = VA };
	struct uiommu_sim_xlat x;

	put_ste(b, SID + 1, ste_s1(t.s.cd, 0, 0), 0);
	assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
	assert_true(x.pa == t.old);
}

static void tlb_holds_an_unmapped_page(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);

	maps_to(b, VA, s.page);
	set_mem(b, s.root, 0);		/* the whole tree */
	maps_to(b, VA, s.page);
	cmd(b, OP_NH_VA(ASID), VA);
	faults(b, VA);
}

static void tlb_holds_permissions(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);

	maps_to(b, VA, s.page);
	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO);
	assert_int_equal(dma_write(b, SID, VA, 1), 0);
	cmd(b, OP_NH_VA(ASID), VA);
	assert_int_equal(dma_write(b, SID, VA, 2), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, F_PERMISSION);
	/* the entry is there now, so granting more is not seen either */
	map4k(b, s.root, VA, s.page, PTE_RW);
	assert_int_equal(dma_write(b, SID, VA, 3), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, F_PERMISSION);
	cmd(b, OP_NH_VA(ASID), VA);
	assert_int_equal(dma_write(b, SID, VA, 4), 0);
}

static void tlb_keeps_no_failed_translation(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);

	faults(b, VA + 0x1000);
	map4k(b, s.root, VA + 0x1000, s.page, PTE_RW);
	maps_to(b, VA + 0x1000, s.page);
}

static void tlb_block_goes_by_any_address_in_it(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t va = BIT(38);

	map(b, s.root, 12, 48, va, 21, RAM | PTE_RW);
	maps_to(b, va + 0x123456, RAM + 0x123000);
	map(b, s.root, 12, 48, va, 21, (RAM + 0x200000) | PTE_RW);
	maps_to(b, va + 0x1ff000, RAM + 0x1ff000);
	cmd(b, OP_NH_VA(ASID), va + 0x200000);
	maps_to(b, va, RAM);
	cmd(b, OP_NH_VA(ASID), va + 0x7000);
	maps_to(b, va, RAM + 0x200000);
}

/* global entries of the CPUs' address spaces and of our own are not each other's */
static void tlb_global_entries_are_of_an_aset(void **state)
{
	struct bed *b = *state;
	struct s1 one = stream_s1(b, SID, ASID), two = stream_s1(b, SID + 1, ASID + 1);

	for (unsigned i = 0; i < 2; i++) {	/* slowly, then from the TLB */
		map4k(b, one.root, VA, one.page, PTE_USER | PTE_AF);	/* nG 0 */
		map4k(b, two.root, VA, two.page, PTE_USER | PTE_AF);
		set_mem(b, two.cd, mem(b, two.cd) | BIT(47));
		for (unsigned j = 0; j < 2; j++) {
			struct uiommu_sim_access a = { .stream_id = SID, .iova = VA };
			struct uiommu_sim_xlat x;

			assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
			assert_true(x.pa == one.page);
			a.stream_id++;
			assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
			assert_true(x.pa == two.page);
		}
		cmd(b, OP_NH_VA(ASID), VA);	/* disregards ASET */
		map4k(b, two.root, VA, one.page, PTE_USER | PTE_AF);
		two.page = one.page;
	}
}

static void tlb_capacity_is_limited_not_wrong(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	struct s1 s;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.tlb_entries_lg2 = 3;
	b = bed_new(&cfg);
	s = stream_s1(b, SID, ASID);
	for (unsigned i = 0; i < 64; i++)
		map4k(b, s.root, VA + i * 0x1000, RAM + i * 0x1000, PTE_RW);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 64; i++)
			maps_to(b, VA + i * 0x1000, RAM + i * 0x1000);
	bed_free(b);
}

/* ---- by range ---- */

static uint64_t range(unsigned num, unsigned scale)
{
	return OP_NH_VA(ASID) | num << 12 | scale << 20;
}

/* 16 pages; which of them still show the old contents after one command */
static unsigned still_old(struct bed *b, uint64_t w0, uint64_t w1)
{
	struct s1 s = stream_s1(b, SID, ASID);
	struct uiommu_sim_access a = { .stream_id = SID };
	struct uiommu_sim_xlat x;
	unsigned old = 0;

	cmd(b, OP_CFGI_STE(SID), 0);
	cmd(b, 0x30, 0);
	for (unsigned i = 0; i < 16; i++) {
		map4k(b, s.root, VA + i * 0x1000, RAM, PTE_RW);
		maps_to(b, VA + i * 0x1000, RAM);
		map4k(b, s.root, VA + i * 0x1000, RAM + 0x1000, PTE_RW);
	}
	cmd(b, w0, w1);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	for (unsigned i = 0; i < 16; i++) {
		a.iova = VA + i * 0x1000;
		assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
		old |= (x.pa == RAM) << i;
	}
	return old;
}

#define TG_4K	(1 << 10)
#define TG_16K	(2 << 10)
#define TTL(n)	((n) << 8)

static void tlbi_range(void **state)
{
	struct bed *b = *state;

	assert_int_equal(still_old(b, range(2, 0), (VA + 0x1000) | TG_4K), 0xfff1);
	assert_int_equal(still_old(b, range(0, 1), VA | TG_4K), 0xfffc);
	assert_int_equal(still_old(b, range(1, 2), VA | TG_4K), 0xff00);
	assert_int_equal(still_old(b, range(31, 31), VA | TG_4K), 0);
	assert_int_equal(still_old(b, range(31, 31), (VA + 0x8000) | TG_4K), 0x00ff);
	assert_int_equal(still_old(b, 0x13 | 1 << 12, (VA + 0x4000) | TG_4K), 0xffcf);
}

static void tlbi_range_does_not_wrap(void **state)
{
	assert_int_equal(still_old(*state, range(31, 31), 0xfffffffffffff000u | TG_4K), 0xffff);
}

static void tlbi_granule_narrows(void **state)
{
	assert_int_equal(still_old(*state, range(15, 0), VA | TG_16K), 0xffff);
}

static void tlbi_level_narrows(void **state)
{
	struct bed *b = *state;

	assert_int_equal(still_old(b, range(15, 0), VA | TG_4K | TTL(2)), 0xffff);
	assert_int_equal(still_old(b, range(15, 0), VA | TG_4K | TTL(3)), 0);
	assert_int_equal(still_old(b, range(0, 0), VA | TG_4K | TTL(3)), 0xfffe);
}

static void tlbi_range_is_ignored_without_ril(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.range_inv = false;
	b = bed_new(&cfg);
	assert_int_equal(still_old(b, range(15, 0), VA | TG_16K | TTL(1)), 0xfffe);
	bed_free(b);
}

static void tlbi_range_of_blocks(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t va = BIT(38);

	map(b, s.root, 12, 48, va, 21, RAM | PTE_RW);
	maps_to(b, va, RAM);
	map(b, s.root, 12, 48, va, 21, (RAM + 0x200000) | PTE_RW);
	cmd(b, range(0, 9), va | TG_4K | TTL(3));	/* no page entries there */
	maps_to(b, va, RAM);
	cmd(b, range(0, 9), va | TG_4K | TTL(2));
	maps_to(b, va, RAM + 0x200000);
}

/* ---- configuration ---- */

static void ste_is_held_until_cfgi_ste(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);

	maps_to(b, VA, s.page);
	put_ste(b, SID, 1 | 4 << 1, 0);
	maps_to(b, VA, s.page);
	cmd(b, OP_CFGI_STE(SID + 1), 0);
	cmd(b, OP_CFGI_STE(SID - 1), 0);
	cmd(b, OP_CFGI_CD_ALL(SID), 0);
	cmd(b, 0x30, 0);
	sync(b);
	maps_to(b, VA, s.page);
	cmd(b, OP_CFGI_STE(SID), 1);
	maps_to(b, VA, VA);
}

static void ste_that_is_invalid_is_held_too(void **state)
{
	struct bed *b = *state;

	assert_int_equal(dma_write(b, SID, RAM, 0), -UIOMMU_EFAULT);
	event(b);
	put_ste(b, SID, 1 | 4 << 1, 0);
	assert_int_equal(dma_write(b, SID, RAM, 0), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
	cmd(b, OP_CFGI_STE(SID), 1);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), 0);
}

static void ste_range(struct bed *b, unsigned range, uint32_t at, bool gone)
{
	put_ste(b, SID, 1 | 4 << 1, 0);
	cmd(b, OP_CFGI_STE(SID), 1);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), 0);
	put_ste(b, SID, 1, 0);
	cmd(b, 0x04 | (uint64_t)at << 32, range);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), gone ? -UIOMMU_EFAULT : 0);
}

static void ste_is_held_until_cfgi_ste_range(void **state)
{
	struct bed *b = *state;

	ste_range(b, 0, 2, true);	/* 2, 3 */
	ste_range(b, 0, 3, true);	/* the low bits are not looked at */
	ste_range(b, 0, 4, false);
	ste_range(b, 1, 0, true);
	ste_range(b, 1, 4, false);
	ste_range(b, 15, 0x8000, true);
	ste_range(b, 15, 0x10000, false);
	ste_range(b, 31, 0x12345, true);	/* CFGI_ALL */
	no_event(b);
}

static void cd_is_held_until_cfgi_cd(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);

	maps_to(b, VA, s.page);
	set_mem(b, s.cd, 0);
	cmd(b, OP_CFGI_CD(SID, 1), 0);		/* another CD */
	cmd(b, OP_CFGI_CD(SID + 1, 0), 0);	/* another stream */
	cmd(b, 0x30, 0);
	maps_to(b, VA, s.page);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	assert_int_equal(dma_write(b, SID, VA, 0), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
	/* invalid ones are held too */
	put_cd(b, s.cd, cd_4k(ASID), s.root);
	assert_int_equal(dma_write(b, SID, VA, 0), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	maps_to(b, VA, s.page);
}

static void cd_goes_with(struct bed *b, uint64_t w0, uint64_t w1)
{
	struct s1 s = stream_s1(b, SID, ASID);

	cmd(b, OP_CFGI_STE(SID), 0);
	cmd(b, 0x30, 0);
	maps_to(b, VA, s.page);
	set_mem(b, s.cd, 0);
	maps_to(b, VA, s.page);
	cmd(b, w0, w1);
	assert_int_equal(dma_write(b, SID, VA, 0), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
}

static void cd_goes_with_wider_commands(void **state)
{
	cd_goes_with(*state, OP_CFGI_CD_ALL(SID), 0);
	cd_goes_with(*state, OP_CFGI_STE(SID), 1);
	cd_goes_with(*state, 0x04 | (uint64_t)2 << 32, 0);
	cd_goes_with(*state, 0x04, 31);
}

static void cd_is_held_per_substream(void **state)
{
	struct bed *b = *state;
	uint64_t t = bed_alloc(b, 64 * 8), root = bed_alloc(b, 4096), v;

	put_ste(b, SID, ste_s1(t, 0, 3), 0);
	map4k(b, root, VA, RAM + 0x40000, PTE_RW);
	for (unsigned i = 1; i < 8; i++) {
		put_cd(b, t + i * 64, cd_4k((uint16_t)i), root);
		assert_int_equal(dma_read_ssid(b, SID, i, VA, &v), 0);
		set_mem(b, t + i * 64, 0);
	}
	cmd(b, OP_CFGI_CD(SID, 5), 1);
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(dma_read_ssid(b, SID, i, VA, &v), i == 5 ? -UIOMMU_EFAULT : 0);
	event(b);
	no_event(b);
}

static void l1cd_is_held_until_a_command_that_is_not_leaf(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = bed_alloc(b, 64), old = bed_alloc(b, 4096), now = bed_alloc(b, 4096);
	uint64_t root = bed_alloc(b, 4096), v;

	put_ste(b, SID, ste_s1(l1, 1, 8), 0);
	set_mem(b, l1 + 8, old | 1);
	put_cd(b, old, cd_4k(1), root);
	map4k(b, root, VA, RAM + 0x40000, PTE_RW);
	assert_int_equal(dma_read_ssid(b, SID, 64, VA, &v), 0);
	set_mem(b, l1 + 8, now | 1);
	cmd(b, OP_CFGI_CD(SID, 64), 1);
	assert_int_equal(dma_read_ssid(b, SID, 64, VA, &v), 0);
	cmd(b, OP_CFGI_CD(SID, 64), 0);
	assert_int_equal(dma_read_ssid(b, SID, 64, VA, &v), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
	/* CFGI_CD_ALL takes them, too */
	set_mem(b, l1 + 8, old | 1);
	cmd(b, OP_CFGI_CD_ALL(SID), 0);
	assert_int_equal(dma_read_ssid(b, SID, 64, VA, &v), 0);
}

static void l1std_is_held_until_a_command_that_is_not_leaf(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = bed_alloc(b, 64), l2 = bed_alloc(b, 4096);

	wr(b, CR0, 4 | 8);
	wr64(b, STRTAB_BASE, l1);
	wr(b, STRTAB_BASE_CFG, 1 << 16 | 6 << 6 | 8);
	wr(b, CR0, 4 | 8 | 1);
	set_mem(b, l2 + SID * 64, 1 | 4 << 1);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), -UIOMMU_EFAULT);
	event(b);
	set_mem(b, l1, l2 | 7);
	cmd(b, OP_CFGI_STE(SID), 1);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), -UIOMMU_EFAULT);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STREAMID);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(tlb_holds_until_va),
		CASE(tlb_va_leaf_is_enough),
		CASE(tlb_holds_until_vaa),
		CASE(tlb_holds_until_asid),
		CASE(tlb_holds_until_nh_all),
		CASE(tlb_holds_until_nsnh_all),
		CASE(tlb_without_stage_2_matches_no_vmid),
		CASE(tlb_global_entries_ignore_the_asid),
		CASE(tlb_global_entries_are_of_an_aset),
		CASE(tlb_global_entries_serve_every_asid),
		CASE(tlb_entries_of_different_asids_are_apart),
		CASE(tlb_is_shared_by_streams_of_one_asid),
		CASE(tlb_holds_an_unmapped_page),
		CASE(tlb_holds_permissions),
		CASE(tlb_keeps_no_failed_translation),
		CASE(tlb_block_goes_by_any_address_in_it),
		cmocka_unit_test(tlb_capacity_is_limited_not_wrong),
		CASE(tlbi_range),
		CASE(tlbi_range_does_not_wrap),
		CASE(tlbi_granule_narrows),
		CASE(tlbi_level_narrows),
		cmocka_unit_test(tlbi_range_is_ignored_without_ril),
		CASE(tlbi_range_of_blocks),
		CASE(ste_is_held_until_cfgi_ste),
		CASE(ste_that_is_invalid_is_held_too),
		CASE(ste_is_held_until_cfgi_ste_range),
		CASE(cd_is_held_until_cfgi_cd),
		CASE(cd_goes_with_wider_commands),
		CASE(cd_is_held_per_substream),
		CASE(l1cd_is_held_until_a_command_that_is_not_leaf),
		CASE(l1std_is_held_until_a_command_that_is_not_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
