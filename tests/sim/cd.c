/* SPDX-License-Identifier: MIT */
/* cd.c - substreams, CD tables, and which CDs are legal */
#include "bed.h"

#define SID 7

/* A table of 2^cdmax CDs in which each valid one maps VA to a page of its own,
 * holding the SubstreamID. */
static uint64_t add_context(struct bed *b, uint64_t cd_pa, uint16_t asid, uint64_t value)
{
	uint64_t root = bed_alloc(b, 4096), page = bed_alloc(b, 4096);

	put_cd(b, cd_pa, cd_4k(asid), root);
	map4k(b, root, VA, page, PTE_RW);
	set_mem(b, page, value);
	return page;
}

static uint64_t linear(struct bed *b, unsigned cdmax, unsigned dss)
{
	uint64_t table = bed_alloc(b, 64u << cdmax);

	put_ste(b, SID, ste_s1(table, 0, cdmax), dss);
	return table;
}

static void reads(struct bed *b, int ssid, uint64_t want)
{
	uint64_t v = 0;
	int err = ssid < 0 ? dma_read(b, SID, VA, &v) :
			     dma_read_ssid(b, SID, (uint32_t)ssid, VA, &v);

	assert_int_equal(err, 0);
	assert_true(v == want);
	no_event(b);
}

static void aborts(struct bed *b, int ssid, uint64_t w0, uint64_t w3)
{
	uint64_t v = 0;
	int err = ssid < 0 ? dma_read(b, SID, VA, &v) :
			     dma_read_ssid(b, SID, (uint32_t)ssid, VA, &v);

	assert_int_equal(err, -UIOMMU_EFAULT);
	expect_event(b, w0, 0, 0, w3);
}

/* ---- S1DSS: transactions without a substream ---- */

static void ste_s1dss_terminate(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 4, 0);

	add_context(b, t, 1, 100);
	add_context(b, t + 3 * 64, 2, 103);
	aborts(b, -1, EV(F_STREAM_DISABLED, SID), 0);
	reads(b, 3, 103);
	reads(b, 0, 100);	/* substream 0 is one like any other */
}

static void ste_s1dss_reserved_is_terminate(void **state)
{
	linear(*state, 4, 3);
	aborts(*state, -1, EV(F_STREAM_DISABLED, SID), 0);
}

static void ste_s1dss_bypass(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 4, 1), v;

	add_context(b, t + 3 * 64, 2, 103);
	set_mem(b, RAM + 0x50000, 5);
	assert_int_equal(dma_read(b, SID, RAM + 0x50000, &v), 0);
	assert_true(v == 5);
	reads(b, 3, 103);
	assert_int_equal(dma_read(b, SID, BIT(60), &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_ADDR_SIZE, SID), EV_READ | EV_CLASS_IN, BIT(60), 0);
}

static void ste_s1dss_bypass_fetches_no_cd(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	put_ste(b, SID, ste_s1(NOWHERE, 0, 4), 1);
	assert_int_equal(dma_read(b, SID, RAM, &v), 0);
	no_event(b);
}

static void ste_s1dss_ssid0(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 4, 2);

	add_context(b, t, 1, 100);
	add_context(b, t + 3 * 64, 2, 103);
	reads(b, -1, 100);
	reads(b, 3, 103);
	/* substream 0 itself is then not available */
	aborts(b, 0, EV(F_STREAM_DISABLED, SID) | EV_SSID(0), 0);
}

static void ste_s1dss_is_ignored_without_substreams(void **state)
{
	for (unsigned dss = 0; dss < 4; dss++) {
		struct bed *b = bed_new(NULL);
		uint64_t t = linear(b, 0, dss);

		add_context(b, t, 1, 100);
		reads(b, -1, 100);
		bed_free(b);
	}
	(void)state;
}

/* ---- SubstreamIDs out of range ---- */

static void substream_where_they_are_disabled(void **state)
{
	uint64_t t = linear(*state, 0, 0);

	add_context(*state, t, 1, 100);
	aborts(*state, 0, EV(C_BAD_SUBSTREAMID, SID), 0);
	aborts(*state, 1, EV(C_BAD_SUBSTREAMID, SID) | 1 << 12, 0);
}

static void substream_beyond_s1cdmax(void **state)
{
	uint64_t t = linear(*state, 4, 0);

	add_context(*state, t + 15 * 64, 1, 115);
	reads(*state, 15, 115);
	aborts(*state, 16, EV(C_BAD_SUBSTREAMID, SID) | 16 << 12, 0);
	aborts(*state, 0xfffff, EV(C_BAD_SUBSTREAMID, SID) | (uint64_t)0xfffff << 12, 0);
}

static void substreams_not_supported(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t t;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.ssidsize = 0;
	b = bed_new(&cfg);
	t = linear(b, 4, 0);		/* S1CDMax and S1DSS are IGNORED */
	add_context(b, t, 1, 100);
	reads(b, -1, 100);
	aborts(b, 1, EV(C_BAD_SUBSTREAMID, SID) | 1 << 12, 0);
	bed_free(b);
}

/* ---- two levels ---- */

static void cd_two_level(struct bed *b, unsigned fmt, unsigned lg2)
{
	unsigned ssid = (3u << lg2) + 5;
	uint64_t l1 = bed_alloc(b, 8 * 16), l2 = bed_alloc(b, 64u << lg2);

	put_ste(b, SID, ste_s1(l1, fmt, lg2 + 4), 0);
	set_mem(b, l1 + 3 * 8, l2 | 1);
	add_context(b, l2 + 5 * 64, 9, 1234);
	reads(b, (int)ssid, 1234);
	/* an upper entry that is not valid */
	aborts(b, 1 << lg2, EV(C_BAD_SUBSTREAMID, SID) | (uint64_t)1 << lg2 << 12, 0);
	/* a CD that is not valid */
	aborts(b, (int)ssid + 1, EV(C_BAD_CD, SID) | EV_SSID(ssid + 1), 0);
}

static void cd_table_two_level_4k(void **state)
{
	cd_two_level(*state, 1, 6);
}

static void cd_table_two_level_64k(void **state)
{
	cd_two_level(*state, 2, 10);
}

static void cd_table_format_3_is_linear(void **state)
{
	struct bed *b = *state;
	uint64_t t = bed_alloc(b, 64 * 16);

	put_ste(b, SID, ste_s1(t, 3, 4), 0);
	add_context(b, t + 9 * 64, 1, 9);
	reads(b, 9, 9);
}

static void l1cd_pointer_beyond_output_size(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = bed_alloc(b, 128);

	put_ste(b, SID, ste_s1(l1, 1, 8), 2);
	set_mem(b, l1, BIT(48) | 1);
	set_mem(b, l1 + 8, BIT(49) | 1);
	aborts(b, 70, EV(C_BAD_SUBSTREAMID, SID) | 70 << 12, 0);
	aborts(b, -1, EV(C_BAD_SUBSTREAMID, SID), 0);	/* by S1DSS: index 0 */
}

static void l1cd_fetch_aborted(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = bed_alloc(b, 128);

	put_ste(b, SID, ste_s1(l1, 1, 8), 0);
	b->poison = l1 + 8;
	aborts(b, 64, EV(F_CD_FETCH, SID) | EV_SSID(64), l1 + 8);
}

static void cd_fetch_aborted(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 4, 2);

	b->poison = t + 2 * 64 + 56;
	aborts(b, 2, EV(F_CD_FETCH, SID) | EV_SSID(2), t + 2 * 64);
	/* it was not cached */
	b->poison = 0;
	add_context(b, t + 2 * 64, 1, 102);
	reads(b, 2, 102);
	put_ste(b, SID + 1, ste_s1(NOWHERE, 0, 0), 0);
	assert_int_equal(dma_read(b, SID + 1, VA, &(uint64_t){ 0 }), -UIOMMU_EFAULT);
	expect_event(b, EV(F_CD_FETCH, SID + 1), 0, 0, NOWHERE);
}

/* ---- legality ---- */

/* word 0 and TTB0 of CDs that are ILLEGAL, each for one reason */
static void cd_illegal(void **state)
{
	static const struct {
		const char *why;
		uint64_t clear, set, ttb0;
	} cds[] = {
		{ "V 0", BIT(31), 0, 0 },
		{ "AA64 0: no VMSAv8-32", BIT(41), 0, 0 },
		{ "HA without HTTU", 0, BIT(43), 0 },
		{ "HD without HTTU", 0, BIT(42), 0 },
		{ "S without stalls", 0, BIT(44), 0 },
		{ "ENDI with little-endian only", 0, BIT(15), 0 },
		{ "T0SZ 15", 63, 15, 0 },
		{ "T0SZ 40", 63, 40, 0 },
		{ "TG0 reserved", 3 << 6, 3 << 6, 0 },
		{ "TTB0 beyond IPS", (uint64_t)7 << 32, (uint64_t)2 << 32, BIT(40) },
		{ "TTB0 beyond OAS", (uint64_t)7 << 32, (uint64_t)6 << 32, BIT(48) },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cds) / sizeof(cds[0]); i++) {
		struct bed *b = bed_new(NULL);
		uint64_t t = linear(b, 0, 0);

		put_cd(b, t, (cd_4k(1) & ~cds[i].clear) | cds[i].set, cds[i].ttb0);
		print_message("%s\n", cds[i].why);
		aborts(b, -1, EV(C_BAD_CD, SID), 0);
		bed_free(b);
	}
}

static void cd_granule_not_supported(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t t;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.gran64k = false;
	b = bed_new(&cfg);
	t = linear(b, 0, 0);
	put_cd(b, t, cd_4k(1) | 1 << 6, RAM);
	aborts(b, -1, EV(C_BAD_CD, SID), 0);
	bed_free(b);
}

static void cd_asid_of_16_bits_where_there_are_8(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t t;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.asid16 = false;
	b = bed_new(&cfg);
	t = linear(b, 0, 0);
	add_context(b, t, 0x100, 0);
	aborts(b, -1, EV(C_BAD_CD, SID), 0);
	t = linear(b, 1, 0);
	add_context(b, t + 64, 0xff, 3);
	cmd(b, OP_CFGI_STE(SID), 1);
	reads(b, 1, 3);
	bed_free(b);
}

static void cd_ttb1_is_checked_too(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 0, 0);

	/* EPD1 0, T1SZ 16, TG1 4K: legal; then TG1 reserved */
	add_context(b, t, 1, 3);
	set_mem(b, t, (mem(b, t) & ~BIT(30)) | 16 << 16 | 2 << 22);
	reads(b, -1, 3);
	set_mem(b, t, mem(b, t) & ~(uint64_t)(3 << 22));
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	aborts(b, -1, EV(C_BAD_CD, SID), 0);
}

static void cd_disabled_half_is_not_checked(void **state)
{
	struct bed *b = *state;
	uint64_t t = linear(b, 0, 0), v;

	/* EPD0 and EPD1: T0SZ 0, TG0 reserved, TTB0 out of range, ENDI */
	put_cd(b, t, (cd_4k(1) & ~(uint64_t)63) | 3 << 6 | BIT(14) | BIT(15), BIT(51));
	assert_int_equal(dma_read(b, SID, VA, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_TRANSLATION, SID), EV_READ | EV_CLASS_IN, VA, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ste_s1dss_terminate),
		CASE(ste_s1dss_reserved_is_terminate),
		CASE(ste_s1dss_bypass),
		CASE(ste_s1dss_bypass_fetches_no_cd),
		CASE(ste_s1dss_ssid0),
		cmocka_unit_test(ste_s1dss_is_ignored_without_substreams),
		CASE(substream_where_they_are_disabled),
		CASE(substream_beyond_s1cdmax),
		cmocka_unit_test(substreams_not_supported),
		CASE(cd_table_two_level_4k),
		CASE(cd_table_two_level_64k),
		CASE(cd_table_format_3_is_linear),
		CASE(l1cd_pointer_beyond_output_size),
		CASE(l1cd_fetch_aborted),
		CASE(cd_fetch_aborted),
		cmocka_unit_test(cd_illegal),
		cmocka_unit_test(cd_granule_not_supported),
		cmocka_unit_test(cd_asid_of_16_bits_where_there_are_8),
		CASE(cd_ttb1_is_checked_too),
		CASE(cd_disabled_half_is_not_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
