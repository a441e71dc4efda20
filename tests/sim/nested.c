/* SPDX-License-Identifier: MIT */
/* nested.c - stage 1 on stage 2: the CD, the tables and the page are all IPAs */
#include "bed.h"

#define SID	9
#define VMID	7
#define ASID	3
#define ABORTED	(-UIOMMU_EFAULT)

/* what the guest calls a page of memory */
#define GUEST(pa) ((pa) - RAM + 0x10000000u)
#define PAGE(x) ((x) & ~(uint64_t)0xfff)

struct nested {
	uint64_t s2, cd, t[4], page;	/* physical; t[n]: the level n table of stage 1 */
};

static int setup(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	*state = bed_new(&c);
	return 0;
}

#define NCASE(f) cmocka_unit_test_setup_teardown(f, setup, bed_teardown)

static void own(struct bed *b, const struct nested *n, uint64_t pa, uint64_t attr)
{
	map_s2(b, n->s2, 12, 1, GUEST(PAGE(pa)), 12, PAGE(pa) | attr);
}

static void s1_leaf(struct bed *b, const struct nested *n, uint64_t desc)
{
	set_mem(b, n->t[3] + (VA >> 12 & 511) * 8, desc | 3);
}

static struct nested stream_nested(struct bed *b)
{
	struct nested n = { .s2 = bed_alloc(b, 4096), .cd = bed_alloc(b, 4096) };

	for (unsigned i = 0; i < 4; i++)
		n.t[i] = bed_alloc(b, 4096);
	n.page = bed_alloc(b, 4096);
	for (unsigned i = 0; i < 3; i++)
		set_mem(b, n.t[i] + (VA >> (39 - 9 * i) & 511) * 8, GUEST(n.t[i + 1]) | 3);
	s1_leaf(b, &n, GUEST(n.page) | PTE_RW);
	for (uint64_t pa = n.cd; pa <= n.page; pa += 4096)
		own(b, &n, pa, S2_RW);
	put_ste(b, SID, 1 | 7 << 1 | GUEST(n.cd), 0);
	put_ste_s2(b, SID, s2_word2(39, VMID), n.s2);
	put_cd(b, n.cd, cd_4k(ASID), GUEST(n.t[0]));
	return n;
}

static void hits(struct bed *b, uint64_t va, uint64_t page)
{
	uint64_t v = 0;

	set_mem(b, page + (va & 0xfff), ~page);
	assert_int_equal(dma_read(b, SID, va, &v), 0);
	assert_true(v == ~page);
	no_event(b);
}

static void s2_fault(struct bed *b, unsigned code, uint64_t class, uint64_t ipa, bool write)
{
	uint64_t v;
	int err = write ? dma_write(b, SID, VA, 1) : dma_read(b, SID, VA, &v);

	assert_int_equal(err, ABORTED);
	expect_event(b, EV(code, SID), EV_S2 | class | (write ? 0 : EV_READ), VA, PAGE(ipa));
}

static void nested_translates(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	hits(b, VA, n.page);
	hits(b, VA + 8, n.page);
}

/* ---- events say for what stage 2 was asked ---- */

static void s2_access_flag_of_cd(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.cd, S2_RW & ~BIT(10));
	s2_fault(b, F_ACCESS, 0, GUEST(n.cd), false);
}

static void hole(struct bed *b, const struct nested *n, uint64_t pa)
{
	uint64_t at = n->s2 + (GUEST(pa) >> 30) * 8;

	for (unsigned shift = 21; shift >= 12; shift -= 9)
		at = (mem(b, at) & 0xfffffffff000) + (GUEST(pa) >> shift & 511) * 8;
	set_mem(b, at, 0);
}

static void s2_hole_for_cd(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	hole(b, &n, n.cd);
	s2_fault(b, F_TRANSLATION, 0, GUEST(n.cd), true);
}

static void s2_hole_for_each_table(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	for (unsigned i = 0; i < 4; i++) {
		hole(b, &n, n.t[i]);
		s2_fault(b, F_TRANSLATION, EV_CLASS_TT, GUEST(n.t[i]), i & 1);
		own(b, &n, n.t[i], S2_RW);
	}
	hits(b, VA, n.page);
}

static void s2_hole_for_page(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	hole(b, &n, n.page);
	s2_fault(b, F_TRANSLATION, EV_CLASS_IN, GUEST(n.page), false);
}

static void s2_no_read_for_table(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.t[2], S2_RW & ~S2_R);
	s2_fault(b, F_PERMISSION, EV_CLASS_TT | EV_TTRNW, GUEST(n.t[2]), true);
}

static void s2_no_write_for_page(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.page, S2_RW & ~S2_W);
	s2_fault(b, F_PERMISSION, EV_CLASS_IN, GUEST(n.page), true);
	hits(b, VA, n.page);
	s2_fault(b, F_PERMISSION, EV_CLASS_IN, GUEST(n.page), true);	/* on a hit */
}

/* both stages refuse: stage 1 comes first */
static void s1_permission_first(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.page, S2_RW & ~S2_W);
	s1_leaf(b, &n, GUEST(n.page) | PTE_RW | PTE_RO);
	assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA, 0);
}

static void s1_fault_in_nested(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream_nested(b);
	assert_int_equal(dma_read(b, SID, VA + 4096, &v), ABORTED);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN | EV_READ, VA + 4096, 0);
}

/* the table of stage 1 is mapped by stage 2, to where nothing answers */
static void s1_walk_eabt(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);
	uint64_t v;

	map_s2(b, n.s2, 12, 1, GUEST(n.t[0]), 12, NOWHERE | S2_RW);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_WALK_EABT, SID), EV_CLASS_TT | EV_READ, VA,
		     NOWHERE + (VA >> 39 & 511) * 8);
}

static void cd_fetch_eabt(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);
	uint64_t v;

	map_s2(b, n.s2, 12, 1, GUEST(n.cd), 12, NOWHERE | S2_RW);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_CD_FETCH, SID), 0, 0, NOWHERE);
}

/* S2PTW: tables of stage 1 in what stage 2 calls Device memory */
static void s2ptw(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.t[1], S2_RW & ~((uint64_t)0xf << 2));
	hits(b, VA, n.page);
	put_ste_s2(b, SID, s2_word2(39, VMID) | BIT(54), n.s2);
	cmd(b, OP_CFGI_STE(SID), 0);
	cmd(b, OP_VMID(0x28, VMID), 0);
	s2_fault(b, F_PERMISSION, EV_CLASS_TT | EV_TTRNW, GUEST(n.t[1]), false);
}

static void s2ptw_for_cd(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	own(b, &n, n.cd, S2_RW & ~((uint64_t)0xf << 2));
	put_ste_s2(b, SID, s2_word2(39, VMID) | BIT(54), n.s2);
	s2_fault(b, F_PERMISSION, 0, GUEST(n.cd), false);	/* CLASS CD */
}

/* 2 MiB at stage 1 in 4 KiB pieces of stage 2: one piece per entry */
static struct nested block(struct bed *b)
{
	struct nested n = stream_nested(b);
	uint64_t base = GUEST(n.page) & ~(BIT(21) - 1);

	set_mem(b, n.t[2] + (VA >> 21 & 511) * 8, base | PTE_RW | 1);
	for (unsigned i = 0; i < 2; i++)
		map_s2(b, n.s2, 12, 1, base + (VA & (BIT(21) - 1)) + i * 4096, 12,
		       (i ? n.cd : n.page) | S2_RW);
	return n;
}

static void block_on_pages(void **state)
{
	struct bed *b = *state;
	struct nested n = block(b);

	hits(b, VA, n.page);
	hits(b, VA + 4096 + 512, n.cd);
}

/* what came of one block goes with any address of the block */
static void tlbi_va_of_cut_block(void **state)
{
	struct bed *b = *state;
	struct nested n = block(b);
	uint64_t v;

	hits(b, VA, n.page);
	hits(b, VA + 4096 + 512, n.cd);
	set_mem(b, n.t[2] + (VA >> 21 & 511) * 8, 0);
	cmd(b, OP_VMID(OP_NH_VA(ASID), VMID), (VA & ~(BIT(21) - 1)) | 1);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	assert_int_equal(dma_read(b, SID, VA + 4096, &v), ABORTED);
}

/* ---- invalidation: a combined entry goes by what names its stage 1 ---- */

static void after(struct bed *b, uint64_t w0, uint64_t w1, uint64_t then, bool gone)
{
	struct nested n = stream_nested(b);

	hits(b, VA, n.page);
	map_s2(b, n.s2, 12, 1, GUEST(n.page), 12, n.cd | S2_RW);
	cmd(b, w0, w1);
	if (then)
		cmd(b, then, 0);
	sync(b);
	hits(b, VA + 512, gone ? n.cd : n.page);
}

#define TLBI(name, w0, w1, then, gone) \
	static void name(void **state) { after(*state, w0, w1, then, gone); }
TLBI(s2_ipa_alone_is_stale, OP_VMID(0x2a, VMID), GUEST(RAM + 0x100000), 0, false)
TLBI(nh_all_alone_keeps_stage2, OP_VMID(0x10, VMID), 0, 0, false)
TLBI(s12_vmall, OP_VMID(0x28, VMID), 0, 0, true)
TLBI(s12_vmall_of_another, OP_VMID(0x28, VMID + 1), 0, 0, false)
TLBI(nsnh_all, 0x30, 0, 0, true)

static void s2_ipa_and_nh_all(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	hits(b, VA, n.page);
	map_s2(b, n.s2, 12, 1, GUEST(n.page), 12, n.cd | S2_RW);
	cmd(b, OP_VMID(0x2a, VMID), GUEST(n.page));
	hits(b, VA + 512, n.page);
	cmd(b, OP_VMID(0x10, VMID), 0);
	hits(b, VA + 512, n.cd);
}

/* S1DSS bypass: stage 2 alone for what has no substream */
static void s1dss_bypass_to_stage2(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	put_ste(b, SID, 1 | 7 << 1 | GUEST(n.cd) | (uint64_t)2 << 59, 1);
	hits(b, GUEST(n.page), n.page);
}

static void strw_is_ignored_in_front_of_stage_2(void **state)
{
	struct bed *b = *state;
	struct nested n = stream_nested(b);

	for (uint64_t strw = 1; strw < 4; strw++) {
		put_ste(b, SID, 1 | 7 << 1 | GUEST(n.cd), strw << 30);
		cmd(b, OP_CFGI_STE(SID), 0);
		hits(b, VA, n.page);
	}
}

static void strw_reserved_is_bad_ste(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t v;

	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)1 << 30);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_STE, SID), 0, 0, 0);
	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)3 << 30);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_STE, SID), 0, 0, 0);
}

/* without IDR0.Hyp STRW is not there, and EL1 it is */
static void strw_is_ignored_without_hyp(void **state)
{
	struct bed *b = bed_new(NULL);
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t v = 0;

	(void)state;
	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)3 << 30);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	cmd(b, OP_NH_ASID(ASID + 1), 0);
	map4k(b, s.root, VA, NOWHERE, PTE_RW);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);	/* an ASID: held */
	cmd(b, OP_NH_ASID(ASID), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	bed_free(b);
}

/* ---- EL2 stream worlds ---- */

static struct s1 stream_el2(struct bed *b, bool e2h)
{
	struct s1 s = stream_s1(b, SID, ASID);

	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)2 << 30);
	wr(b, CR0, 0);
	wr(b, CR2, 2 | e2h);
	wr(b, CR0, 13);
	return s;
}

static void el2_one_privilege(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_el2(b, false);

	map4k(b, s.root, VA, s.page, PTE_AF);	/* AP[1] clear: not looked at */
	hits(b, VA, s.page);
}

static void e2h_two_privileges(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_el2(b, true);
	uint64_t v;

	map4k(b, s.root, VA, s.page, PTE_AF);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN | EV_READ, VA, 0);
}

static void el2_upper_half(void **state)
{
	struct bed *b = *state;
	uint64_t v, va = ~(uint64_t)0xfff;
	struct s1 s = stream_el2(b, false);

	put_cd(b, s.cd, cd_4k(ASID) & ~BIT(30), s.root);	/* EPD1 clear: IGNORED */
	assert_int_equal(dma_read(b, SID, va, &v), ABORTED);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN | EV_READ, va, 0);
}

static void el2_has_no_epd(void **state)
{
	struct bed *b = *state;
	uint64_t v;
	struct s1 s = stream_el2(b, false);

	put_cd(b, s.cd, cd_4k(ASID) | BIT(14), s.root);		/* EPD0: IGNORED */
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
}

static void el2_tlbi(struct bed *b, bool e2h, uint64_t w0, uint64_t w1, bool gone)
{
	struct s1 s = stream_el2(b, e2h);
	uint64_t other = bed_alloc(b, 4096);

	hits(b, VA, s.page);
	map4k(b, s.root, VA, other, PTE_RW);
	cmd(b, w0, w1);
	sync(b);
	hits(b, VA, gone ? other : s.page);
}

#define EL2(name, e2h, w0, w1, gone) \
	static void name(void **state) { el2_tlbi(*state, e2h, w0, w1, gone); }
EL2(tlbi_el2_all, false, 0x20, 0, true)
EL2(tlbi_el2_va, false, 0x22, VA, true)
EL2(tlbi_el2_va_other, false, 0x22, VA + 4096, false)
EL2(tlbi_el2_asid, true, 0x21 | (uint64_t)ASID << 48, 0, true)
EL2(tlbi_el2_asid_other, true, 0x21 | (uint64_t)(ASID + 1) << 48, 0, false)
EL2(tlbi_el2_vaa, true, 0x23, VA, true)
EL2(tlbi_nh_asid_is_not_el2, true, OP_NH_ASID(ASID), 0, false)
EL2(tlbi_nsnh_all_is_not_el2, true, 0x30, 0, false)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NCASE(nested_translates), NCASE(s2_access_flag_of_cd), NCASE(s2_hole_for_cd),
		NCASE(s2_hole_for_each_table), NCASE(s2_hole_for_page),
		NCASE(s2_no_read_for_table), NCASE(s2_no_write_for_page),
		NCASE(s1_permission_first), NCASE(s1_fault_in_nested), NCASE(s1_walk_eabt),
		NCASE(cd_fetch_eabt), NCASE(s2ptw), NCASE(s2ptw_for_cd), NCASE(block_on_pages),
		NCASE(tlbi_va_of_cut_block), NCASE(s2_ipa_alone_is_stale),
		NCASE(nh_all_alone_keeps_stage2), NCASE(s12_vmall), NCASE(s12_vmall_of_another),
		NCASE(nsnh_all), NCASE(s2_ipa_and_nh_all), NCASE(s1dss_bypass_to_stage2),
		NCASE(strw_is_ignored_in_front_of_stage_2),
		NCASE(strw_reserved_is_bad_ste), NCASE(strw_is_ignored_without_hyp), NCASE(el2_one_privilege), NCASE(e2h_two_privileges),
		NCASE(el2_upper_half), NCASE(el2_has_no_epd), NCASE(tlbi_el2_all), NCASE(tlbi_el2_va),
		NCASE(tlbi_el2_va_other), NCASE(tlbi_el2_asid), NCASE(tlbi_el2_asid_other),
		NCASE(tlbi_el2_vaa), NCASE(tlbi_nh_asid_is_not_el2),
		NCASE(tlbi_nsnh_all_is_not_el2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
