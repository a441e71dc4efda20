/* SPDX-License-Identifier: MIT */
/* stage2.c - stage 2 alone: what an STE may say, the walk, events, TLBI */
#include "bed.h"

#define SID	9
#define VMID	0x1234
#define IPA	((uint64_t)0x12345000)
#define CMD_S2_IPA(vmid) OP_VMID(0x2a, vmid)
#define ABORTED	(-UIOMMU_EFAULT)

struct s2 {
	uint64_t root, page;
};

static int setup(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	c.oas_lg2 = 48;
	*state = bed_new(&c);
	return 0;
}

#define S2CASE(f) cmocka_unit_test_setup_teardown(f, setup, bed_teardown)

/* 39 bits from level 1: one table */
static struct s2 stream_s2(struct bed *b)
{
	struct s2 s = { bed_alloc(b, 4096), bed_alloc(b, 4096) };

	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, VMID), s.root);
	map_s2(b, s.root, 12, 1, IPA, 12, s.page | S2_RW);
	return s;
}

static void hits(struct bed *b, uint64_t ipa, uint64_t page)
{
	uint64_t v = 0;

	set_mem(b, page, ~page);
	assert_int_equal(dma_read(b, SID, ipa, &v), 0);
	assert_true(v == ~page);
	no_event(b);
}

static void faults(struct bed *b, unsigned code, uint64_t ipa, bool write, uint64_t more)
{
	uint64_t v;
	int err = write ? dma_write(b, SID, ipa, 1) : dma_read(b, SID, ipa, &v);

	assert_int_equal(err, ABORTED);
	expect_event(b, EV(code, SID), EV_S2 | EV_CLASS_IN | (write ? 0 : EV_READ) | more, ipa,
		     ipa & ~(uint64_t)0xfff);
}

static void bad_ste(struct bed *b)
{
	uint64_t v;

	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_read(b, SID, IPA, &v), ABORTED);
	expect_event(b, EV(C_BAD_STE, SID), 0, 0, 0);
}

static void s2_translates(void **state)
{
	struct bed *b = *state;
	struct s2 s = stream_s2(b);

	hits(b, IPA, s.page);
	assert_int_equal(dma_write(b, SID, IPA + 8, 5), 0);
	assert_true(mem(b, s.page + 8) == 5);
}

static void s2_id_registers(void **state)
{
	struct bed *b = *state;

	assert_true(rd(b, IDR0) & 1);		/* S2P */
	assert_true(rd(b, IDR0) & BIT(18));	/* VMID16 */
	assert_int_equal(rd(b, IDR0) >> 6 & 3, 2);	/* HTTU */
	assert_int_equal(rd(b, IDR0) >> 24 & 3, 0);	/* STALL_MODEL: both */
	assert_int_equal(rd(b, IDR5) >> 16, 3);	/* STALL_MAX */
}

static void s2_missing_is_bad_ste(void **state)
{
	struct bed *b = bed_new(NULL);

	stream_s2(b);
	bad_ste(b);
	bed_free(b);
	(void)state;
}

static void s1_missing_is_bad_ste(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	c.no_stage1 = true;
	b = bed_new(&c);
	assert_false(rd(b, IDR0) & 2);
	stream_s1(b, SID, 1);
	bad_ste(b);
	cmd(b, 0x11, 0);		/* TLBI_NH_ASID is of stage 1 */
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);
	for (unsigned op = 5; op <= 6; op++) {		/* there are no CDs to invalidate */
		set_mem(b, b->cmdq + (rd(b, CMDQ_CONS) & 15) * 16, op);
		wr(b, GERRORN, rd(b, GERROR));
		assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);
		assert_int_not_equal(rd(b, CMDQ_CONS) & 0xfffff, rd(b, CMDQ_PROD));
	}
	bed_free(b);
	(void)state;
}

static void s2_hole(void **state)
{
	stream_s2(*state);
	faults(*state, F_TRANSLATION, IPA + 0x1008, false, 0);
	faults(*state, F_TRANSLATION, IPA + 0x1008, true, 0);
}

static void s2_beyond_t0sz(void **state)
{
	stream_s2(*state);
	faults(*state, F_TRANSLATION, BIT(39), false, 0);
}

/* stage 1 is bypassed, and its "output" is no address of this system */
static void s2_beyond_oas(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream_s2(b);
	assert_int_equal(dma_read(b, SID, BIT(48), &v), ABORTED);
	expect_event(b, EV(F_ADDR_SIZE, SID), EV_CLASS_IN | EV_READ, BIT(48), 0);
}

static void s2_permissions(void **state)
{
	static const struct {
		uint64_t bits;
		bool r, w;
	} t[] = { { 0, false, false }, { S2_R, true, false }, { S2_W, false, true },
		  { S2_R | S2_W, true, true } };
	struct bed *b = *state;
	struct s2 s = stream_s2(b);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t ipa = IPA + 0x10000 + i * 4096, v;

		map_s2(b, s.root, 12, 1, ipa, 12, s.page | BIT(10) | t[i].bits);
		if (t[i].r)
			assert_int_equal(dma_read(b, SID, ipa, &v), 0);
		else
			faults(b, F_PERMISSION, ipa, false, 0);
		if (t[i].w)
			assert_int_equal(dma_write(b, SID, ipa, 1), 0);
		else
			faults(b, F_PERMISSION, ipa, true, 0);
	}
}

/* XN is bit 54; with XNX bit 53 tells the privileges apart */
static void s2_execute_never(void **state)
{
	for (unsigned xnx = 0; xnx < 2; xnx++)
		for (uint64_t xn = 0; xn < 4; xn++) {
			struct uiommu_sim_smmuv3_config c = full_cfg();
			struct uiommu_sim_access a = { .stream_id = SID, .iova = IPA,
						       .exec = true };
			bool user = xn < 2, priv = user;
			struct bed *b;
			struct s2 s;

			c.xnx = xnx;
			b = bed_new(&c);
			s = stream_s2(b);
			if (xnx)	/* 01: not privileged, 10: nobody, 11: not unprivileged */
				priv = xn == 0 || xn == 3;
			map_s2(b, s.root, 12, 1, IPA, 12, s.page | S2_RW | xn << 53);
			assert_int_equal(dma_as(b, &a), user ? 0 : ABORTED);
			a.priv = true;
			assert_int_equal(dma_as(b, &a), priv ? 0 : ABORTED);
			bed_free(b);
		}
	(void)state;
}

static void s2affd(void **state)
{
	struct bed *b = *state;
	struct s2 s = stream_s2(b);

	map_s2(b, s.root, 12, 1, IPA, 12, s.page | (S2_RW & ~BIT(10)));
	faults(b, F_ACCESS, IPA, false, 0);
	put_ste_s2(b, SID, s2_word2(39, VMID) | BIT(53), s.root);
	cmd(b, OP_CFGI_STE(SID), 0);
	hits(b, IPA, s.page);
}

static void s2_no_record(void **state)
{
	struct bed *b = *state;
	struct s2 s = stream_s2(b);
	uint64_t v;

	put_ste_s2(b, SID, s2_word2(39, VMID) & ~BIT(58), s.root);
	assert_int_equal(dma_read(b, SID, IPA + 4096, &v), ABORTED);
	no_event(b);
}

static void s2ps_limits_output(void **state)
{
	struct bed *b = *state;
	struct s2 s = stream_s2(b);

	put_ste_s2(b, SID, s2_word2(39, VMID) & ~((uint64_t)7 << 48), s.root);	/* 32 bits */
	map_s2(b, s.root, 12, 1, IPA, 12, BIT(32) | S2_RW);
	faults(b, F_ADDR_SIZE, IPA, false, 0);
	set_mem(b, s.root, BIT(32) | 3);	/* a table beyond it */
	faults(b, F_ADDR_SIZE, IPA, true, 0);
}

static void s2ttb_beyond_output(void **state)
{
	struct bed *b = *state;

	stream_s2(b);
	put_ste_s2(b, SID, s2_word2(39, VMID) & ~((uint64_t)7 << 48), BIT(32));
	bad_ste(b);
}

/* the table of the walk aborts: for the input address, at stage 2 */
static void s2_walk_eabt(void **state)
{
	struct bed *b = *state;
	struct s2 s = stream_s2(b);
	uint64_t v;

	put_ste_s2(b, SID, s2_word2(39, VMID), NOWHERE);
	assert_int_equal(dma_read(b, SID, IPA, &v), ABORTED);
	expect_event(b, EV(F_WALK_EABT, SID), EV_S2 | EV_CLASS_IN | EV_READ, IPA, NOWHERE);
	(void)s;
}

/* every granule and level, alone and concatenated */
static void s2_roots(void **state)
{
	static const struct {
		unsigned g, tg, sl0, level, ias, leaf;
	} t[] = {
		{ 12, 0, 2, 0, 48, 12 }, { 12, 0, 2, 0, 40, 30 }, { 12, 0, 1, 1, 39, 12 },
		{ 12, 0, 1, 1, 43, 21 }, { 12, 0, 1, 1, 31, 12 }, { 12, 0, 0, 2, 30, 12 },
		{ 12, 0, 0, 2, 34, 21 }, { 12, 0, 0, 2, 25, 12 },
		{ 14, 2, 2, 1, 47, 14 }, { 14, 2, 2, 1, 48, 25 }, { 14, 2, 1, 2, 36, 14 },
		{ 14, 2, 1, 2, 40, 25 }, { 14, 2, 0, 3, 25, 14 }, { 14, 2, 0, 3, 29, 14 },
		{ 16, 1, 2, 1, 48, 16 }, { 16, 1, 1, 2, 42, 29 }, { 16, 1, 1, 2, 46, 16 },
		{ 16, 1, 0, 3, 29, 16 }, { 16, 1, 0, 3, 33, 16 },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b = bed_new(&c);
		unsigned shift = t[i].g + (t[i].g - 3) * (3 - t[i].level);
		uint64_t bytes = (uint64_t)8 << (t[i].ias - shift);
		uint64_t root = bed_alloc(b, bytes < 64 ? 64 : bytes);
		uint64_t page = bed_alloc(b, BIT(t[i].g)), out;
		uint64_t ipa = (BIT(t[i].ias) - 1) & ~(BIT(t[i].g) - 1);	/* the last page */

		out = t[i].leaf > 16 ? RAM & ~(BIT(t[i].leaf) - 1) : page;
		put_ste(b, SID, 1 | 6 << 1, 0);
		put_ste_s2(b, SID, (s2_word2(t[i].ias, 1) & ~((uint64_t)3 << 38)) |
			   (uint64_t)t[i].sl0 << 38 | (uint64_t)t[i].tg << 46, root);
		map_s2(b, root, t[i].g, t[i].level, ipa, t[i].leaf, out | S2_RW);
		if (out == page) {
			hits(b, ipa, page);
		} else {
			struct uiommu_sim_access a = { .stream_id = SID, .iova = ipa };
			struct uiommu_sim_xlat x;

			assert_int_equal(uiommu_sim_smmuv3_translate(b->sim, &a, &x), 0);
			assert_true(x.pa == out + (ipa & (BIT(t[i].leaf) - 1)));
		}
		bed_free(b);
	}
	(void)state;
}

/* STEs that the architecture calls ILLEGAL; each one bit or field away from a good one */
static void s2_illegal(void **state)
{
	static const struct {
		unsigned oas, ias, sl0, tg;
		uint64_t flip;
	} t[] = {
		{ 48, 39, 1, 0, BIT(51) },		/* S2AA64 */
		{ 48, 39, 1, 0, BIT(52) },		/* S2ENDI */
		{ 48, 39, 1, 3, 0 },			/* S2TG reserved */
		{ 48, 39, 3, 0, 0 },			/* S2SL0 reserved */
		{ 48, 44, 1, 0, 0 },			/* 17 and more tables at level 1 */
		{ 48, 30, 1, 0, 0 },			/* nothing left for level 1 */
		{ 48, 39, 2, 0, 0 }, { 48, 39, 0, 0, 0 },
		{ 48, 24, 0, 0, 0 },			/* T0SZ above 39 */
		{ 40, 42, 1, 0, 0 },			/* more than the output size */
		{ 42, 42, 2, 0, 0 },			/* level 0 with 42 bits */
		{ 40, 40, 2, 2, 0 },			/* level 1 of 16 KiB with 40 */
		{ 42, 42, 2, 1, 0 },			/* level 1 of 64 KiB with 42 */
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		struct s2 s;

		c.oas_lg2 = t[i].oas;
		b = bed_new(&c);
		s = stream_s2(b);
		put_ste_s2(b, SID, ((s2_word2(t[i].ias, 1) & ~((uint64_t)3 << 38)) |
			   (uint64_t)t[i].sl0 << 38 | (uint64_t)t[i].tg << 46) ^ t[i].flip,
			   s.root);
		bad_ste(b);
		bed_free(b);
	}
	(void)state;
}

static void s2_httu_and_stall_missing(void **state)
{
	static const uint64_t bits[] = { BIT(55), BIT(56), BIT(57) };	/* S2HD, S2HA, S2S */
	struct uiommu_sim_smmuv3_config c = full_cfg();

	c.httu = c.stall = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct bed *b = bed_new(&c);
		struct s2 s = stream_s2(b);

		put_ste_s2(b, SID, s2_word2(39, 1) | bits[i], s.root);
		bad_ste(b);
		bed_free(b);
	}
	(void)state;
}

static void vmid8(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	c.vmid16 = false;
	b = bed_new(&c);
	stream_s2(b);		/* VMID 0x1234 */
	bad_ste(b);
	bed_free(b);
	(void)state;
}

static void s2_with_substream(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream_s2(b);
	assert_int_equal(dma_read_ssid(b, SID, 3, IPA, &v), ABORTED);
	expect_event(b, EV(C_BAD_SUBSTREAMID, SID) | (uint64_t)3 << 12, 0, 0, 0);
}

/* ---- the TLB holds it until a command names it ---- */

static struct s2 moved(struct bed *b)
{
	struct s2 s = stream_s2(b);
	uint64_t other = bed_alloc(b, 4096);

	hits(b, IPA, s.page);
	map_s2(b, s.root, 12, 1, IPA, 12, other | S2_RW);
	hits(b, IPA, s.page);
	return (struct s2){ s.page, other };
}

static void after(struct bed *b, uint64_t w0, uint64_t w1, bool gone)
{
	struct s2 m = moved(b);

	cmd(b, w0, w1);
	sync(b);
	hits(b, IPA, gone ? m.page : m.root);
}

#define TLBI(name, w0, w1, gone) \
	static void name(void **state) { after(*state, w0, w1, gone); }
TLBI(tlbi_s2_ipa, CMD_S2_IPA(VMID), IPA, true)
TLBI(tlbi_s2_ipa_leaf, CMD_S2_IPA(VMID), IPA | 1, true)
TLBI(tlbi_s2_ipa_other, CMD_S2_IPA(VMID), IPA + 4096, false)
TLBI(tlbi_s2_ipa_other_vmid, CMD_S2_IPA(VMID + 1), IPA, false)
TLBI(tlbi_s2_ipa_range, CMD_S2_IPA(VMID) | 3 << 12, (IPA - 0x3000) | 1 << 10, true)
TLBI(tlbi_s2_ipa_range_below, CMD_S2_IPA(VMID) | 2 << 12, (IPA - 0x3000) | 1 << 10, false)
TLBI(tlbi_s2_ipa_wrong_granule, CMD_S2_IPA(VMID) | 3 << 12, (IPA & ~0xffffull) | 3 << 10, false)
TLBI(tlbi_s12_vmall, OP_VMID(0x28, VMID), 0, true)
TLBI(tlbi_s12_vmall_other, OP_VMID(0x28, VMID + 1), 0, false)
TLBI(tlbi_nsnh_all_s2, 0x30, 0, true)
TLBI(tlbi_nh_all_is_stage1, OP_VMID(0x10, VMID), 0, false)
TLBI(tlbi_nh_va_is_stage1, OP_VMID(0x12, VMID), IPA, false)
TLBI(tlbi_el2_all_is_el2, 0x20, 0, false)

static void s2_commands_missing(void **state)
{
	static const uint8_t op[] = { 0x28, 0x2a, 0x20, 0x21, 0x22, 0x23, 0x44, 0x45 };

	for (unsigned i = 0; i < sizeof(op); i++) {
		struct bed *b = bed_new(NULL);

		cmd(b, op[i], 0);
		assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);	/* CERROR_ILL */
		bed_free(b);
	}
	(void)state;
}

/* VMIDs tell two streams' entries apart, of stage 1 too */
static void vmid_tags_stage1(void **state)
{
	struct bed *b = *state;
	struct s1 x = stream_s1(b, 1, 5), y = stream_s1(b, 2, 5);
	uint64_t v;

	put_ste_s2(b, 1, 1, 0);		/* same ASID, VMIDs 1 and 2 */
	put_ste_s2(b, 2, 2, 0);
	set_mem(b, x.page, 100);
	set_mem(b, y.page, 200);
	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	assert_int_equal(dma_read(b, 2, VA, &v), 0);
	assert_true(v == 200);
	map4k(b, x.root, VA, y.page, PTE_RW);
	cmd(b, OP_VMID(OP_NH_ASID(5), 2), 0);
	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	assert_true(v == 100);		/* VMID 1 was not named */
	cmd(b, OP_VMID(OP_NH_ASID(5), 1), 0);
	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	assert_true(v == 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S2CASE(s2_translates), S2CASE(s2_id_registers),
		cmocka_unit_test(s2_missing_is_bad_ste), cmocka_unit_test(s1_missing_is_bad_ste),
		S2CASE(s2_hole), S2CASE(s2_beyond_t0sz), S2CASE(s2_beyond_oas),
		S2CASE(s2_permissions), cmocka_unit_test(s2_execute_never), S2CASE(s2affd),
		S2CASE(s2_no_record), S2CASE(s2ps_limits_output), S2CASE(s2ttb_beyond_output),
		S2CASE(s2_walk_eabt), cmocka_unit_test(s2_roots), cmocka_unit_test(s2_illegal),
		cmocka_unit_test(s2_httu_and_stall_missing), cmocka_unit_test(vmid8),
		S2CASE(s2_with_substream),
		S2CASE(tlbi_s2_ipa), S2CASE(tlbi_s2_ipa_leaf), S2CASE(tlbi_s2_ipa_other),
		S2CASE(tlbi_s2_ipa_other_vmid), S2CASE(tlbi_s2_ipa_range),
		S2CASE(tlbi_s2_ipa_range_below), S2CASE(tlbi_s2_ipa_wrong_granule),
		S2CASE(tlbi_s12_vmall), S2CASE(tlbi_s12_vmall_other), S2CASE(tlbi_nsnh_all_s2),
		S2CASE(tlbi_nh_all_is_stage1), S2CASE(tlbi_nh_va_is_stage1),
		S2CASE(tlbi_el2_all_is_el2), cmocka_unit_test(s2_commands_missing),
		S2CASE(vmid_tags_stage1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
