/* SPDX-License-Identifier: MIT */
/* stream_table.c - from a StreamID to what its STE says */
#include "bed.h"

#define SID 5

static void aborts(struct bed *b, uint32_t sid, unsigned code)
{
	uint64_t v;

	assert_int_equal(dma_read(b, sid, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(code, sid), 0, 0, 0);
}

static void ste_v0(void **state)
{
	put_ste(*state, SID, 4 << 1, 0);
	aborts(*state, SID, C_BAD_STE);
}

static void ste_v0_with_substream(void **state)
{
	uint64_t v;

	assert_int_equal(dma_read_ssid(*state, SID, 0x12345, RAM, &v), -UIOMMU_EFAULT);
	expect_event(*state, EV(C_BAD_STE, SID) | EV_SSID(0x12345), 0, 0, 0);
}

static void ste_config_abort_is_silent(void **state)
{
	uint64_t v;

	for (unsigned config = 0; config < 4; config++) {	/* 0b0xx */
		put_ste(*state, SID + config, 1 | config << 1, 0);
		assert_int_equal(dma_read(*state, SID + config, RAM, &v), -UIOMMU_EFAULT);
		assert_int_equal(dma_read_ssid(*state, SID + config, 1, RAM, &v),
				 -UIOMMU_EFAULT);
	}
	no_event(*state);
}

static void ste_config_bypass(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	put_ste(b, SID, 1 | 4 << 1, 0);
	set_mem(b, RAM + 0x40000, 77);
	assert_int_equal(dma_read(b, SID, RAM + 0x40000, &v), 0);
	assert_true(v == 77);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 78), 0);
	assert_true(mem(b, RAM + 0x40000) == 78);
	no_event(b);
}

static void ste_bypass_takes_no_substream(void **state)
{
	uint64_t v;

	put_ste(*state, SID, 1 | 4 << 1, 0);
	assert_int_equal(dma_read_ssid(*state, SID, 3, RAM, &v), -UIOMMU_EFAULT);
	/* this record has no SSV */
	expect_event(*state, EV(C_BAD_SUBSTREAMID, SID) | 3 << 12, 0, 0, 0);
}

static void ste_bypass_beyond_output_size(void **state)
{
	struct bed *b = *state;
	uint64_t v, va = BIT(48) + 0x1238;

	put_ste(b, SID, 1 | 4 << 1, 0);
	assert_int_equal(dma_read(b, SID, va, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_ADDR_SIZE, SID), EV_READ | EV_CLASS_IN, va, 0);
}

static void ste_stage2_is_illegal_without_s2p(void **state)
{
	for (unsigned config = 6; config < 8; config++) {
		put_ste(*state, config, 1 | config << 1, 0);
		aborts(*state, config, C_BAD_STE);
	}
}

static void ste_s1stalld_is_illegal_without_stalls(void **state)
{
	put_ste(*state, SID, ste_s1(RAM, 0, 0), BIT(91 - 64));
	aborts(*state, SID, C_BAD_STE);
}

static void ste_s1cdmax_beyond_ssidsize(void **state)
{
	put_ste(*state, SID, ste_s1(RAM, 0, 21), 0);
	aborts(*state, SID, C_BAD_STE);
}

static void ste_context_pointer_beyond_output_size(void **state)
{
	put_ste(*state, SID, ste_s1(BIT(48), 0, 0), 0);
	aborts(*state, SID, C_BAD_STE);
}

static void ste_two_level_cds_where_there_are_none(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.cd_2level = false;
	b = bed_new(&cfg);
	put_ste(b, SID, ste_s1(RAM, 1, 8), 0);
	aborts(b, SID, C_BAD_STE);
	bed_free(b);
}

static void streamid_out_of_range(void **state)
{
	aborts(*state, 1 << STRTAB_LG2, C_BAD_STREAMID);
	aborts(*state, 0xffffffff, C_BAD_STREAMID);
}

static void streamid_beyond_sidsize(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.sidsize = 3;	/* less than LOG2SIZE says */
	b = bed_new(&cfg);
	put_ste(b, 7, 1 | 4 << 1, 0);
	put_ste(b, 8, 1 | 4 << 1, 0);
	assert_int_equal(dma_write(b, 7, RAM + 0x40000, 0), 0);
	aborts(b, 8, C_BAD_STREAMID);
	bed_free(b);
}

static void streamid_out_of_range_not_recorded_without_recinvsid(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	wr(b, CR0, 4 | 8);
	wr(b, CR2, 0);
	wr(b, CR0, 4 | 8 | 1);
	assert_int_equal(dma_read(b, 1000, RAM, &v), -UIOMMU_EFAULT);
	no_event(b);
}

static void ste_fetch_aborted(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	b->poison = b->strtab + SID * 64 + 32;
	assert_int_equal(dma_read_ssid(b, SID, 9, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_STE_FETCH, SID) | EV_SSID(9), 0, 0, b->strtab + SID * 64);
	/* a fetch that failed is not cached */
	b->poison = 0;
	put_ste(b, SID, 1 | 4 << 1, 0);
	assert_int_equal(dma_write(b, SID, RAM + 0x40000, 0), 0);
}

/* ---- two levels ---- */

/* 2^10 StreamIDs; returns the upper table */
static uint64_t two_level(struct bed *b, unsigned split)
{
	uint64_t l1 = bed_alloc(b, 128);

	wr(b, CR0, 4 | 8);
	wr64(b, STRTAB_BASE, l1);
	wr(b, STRTAB_BASE_CFG, 1 << 16 | split << 6 | 10);
	wr(b, CR0, 4 | 8 | 1);
	return l1;
}

static void strtab_two_level_every_split(void **state)
{
	static const struct {
		unsigned field, split;
	} splits[] = { { 6, 6 }, { 8, 8 }, { 10, 10 }, { 7, 6 }, { 0, 6 } };
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
		struct bed *b = bed_new(NULL);
		unsigned n = splits[i].split, sid = 1023;
		uint64_t l1 = two_level(b, splits[i].field), l2 = bed_alloc(b, 64u << n);

		set_mem(b, l1 + (sid >> n) * 8, l2 | (n + 1));
		set_mem(b, l2 + (sid & ((1u << n) - 1)) * 64, 1 | 4 << 1);
		assert_int_equal(dma_read(b, sid, RAM, &v), 0);
		no_event(b);
		bed_free(b);
	}
}

static void strtab_span_limits_the_lower_table(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = two_level(b, 8), l2 = bed_alloc(b, 64 * 4), v;

	set_mem(b, l1 + 8, l2 | 3);		/* 4 STEs */
	for (unsigned i = 0; i < 4; i++)
		set_mem(b, l2 + i * 64, 1 | 4 << 1);
	assert_int_equal(dma_read(b, 256 + 3, RAM, &v), 0);
	aborts(b, 256 + 4, C_BAD_STREAMID);
	aborts(b, 256 + 255, C_BAD_STREAMID);
	aborts(b, 0, C_BAD_STREAMID);		/* span 0 */
}

static void strtab_span_too_large(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = two_level(b, 6), l2 = bed_alloc(b, 64 << 10);

	set_mem(b, l1, l2 | 8);			/* more than SPLIT + 1 */
	set_mem(b, l1 + 8, l2 | 12);		/* reserved */
	aborts(b, 0, C_BAD_STREAMID);
	aborts(b, 64, C_BAD_STREAMID);
}

static void strtab_lower_table_is_aligned_to_its_size(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = two_level(b, 6), l2 = bed_alloc(b, 64 * 64), v;

	set_mem(b, l1, (l2 + 64 * 8) | 7);	/* low bits are not looked at */
	set_mem(b, l2, 1 | 4 << 1);
	assert_int_equal(dma_read(b, 0, RAM, &v), 0);
}

static void l1std_fetch_aborted(void **state)
{
	struct bed *b = *state;
	uint64_t l1 = two_level(b, 6), v;

	b->poison = l1 + 2 * 8;
	assert_int_equal(dma_read(b, 128 + 5, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_STE_FETCH, 128 + 5), 0, 0, l1 + 2 * 8);
}

static void ste_override_of_privilege_and_instruction(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA };

	map4k(b, s.root, VA, s.page, PTE_AF | PTE_NG);	/* privileged only, PXN clear */
	assert_int_equal(dma_as(b, &a), -UIOMMU_EFAULT);
	expect_event(b, EV(F_PERMISSION, SID), EV_READ | EV_CLASS_IN, VA, 0);

	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)3 << (112 - 64));	/* PRIVCFG */
	cmd(b, OP_CFGI_STE(SID), 1);
	assert_int_equal(dma_as(b, &a), 0);
	/* ... and now unprivileged, whatever the device says */
	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)2 << (112 - 64));
	cmd(b, OP_CFGI_STE(SID), 1);
	a.priv = true;
	assert_int_equal(dma_as(b, &a), -UIOMMU_EFAULT);
	expect_event(b, EV(F_PERMISSION, SID), EV_READ | EV_CLASS_IN, VA, 0);

	/* INSTCFG: reads become instruction fetches, writes stay data */
	map4k(b, s.root, VA + 0x1000, s.page, PTE_RW | PTE_UXN);
	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)3 << (114 - 64));
	cmd(b, OP_CFGI_STE(SID), 1);
	a = (struct uiommu_sim_access){ .stream_id = SID, .iova = VA + 0x1000 };
	assert_int_equal(dma_as(b, &a), -UIOMMU_EFAULT);
	expect_event(b, EV(F_PERMISSION, SID), BIT(34) | EV_READ | EV_CLASS_IN, VA + 0x1000, 0);
	a.write = true;
	assert_int_equal(dma_as(b, &a), 0);
	map4k(b, s.root, VA + 0x2000, s.page, PTE_RW | PTE_RO);
	a.iova = VA + 0x2000;
	assert_int_equal(dma_as(b, &a), -UIOMMU_EFAULT);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA + 0x2000, 0);
}

/* a table beyond the output size; FetchAddr has no bits there */
static void fetch_address_is_cut_to_output_size(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t v;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.oas_lg2 = 40;
	b = bed_new(&cfg);
	wr(b, CR0, 12);
	wr64(b, STRTAB_BASE, BIT(45) | NOWHERE);
	wr(b, CR0, 13);
	assert_int_equal(dma_read(b, SID, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_STE_FETCH, SID), 0, 0, NOWHERE + SID * 64);
	bed_free(b);
}

/* the whole range of SIDSIZE; the last STE is where no memory is */
static void sidsize_0_and_32(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t v;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.sidsize = 0;
	b = bed_new(&cfg);
	put_ste(b, 0, 1 | 4 << 1, 0);
	assert_int_equal(dma_read(b, 0, RAM, &v), 0);
	assert_int_equal(dma_read(b, 1, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(C_BAD_STREAMID, 1), 0, 0, 0);
	bed_free(b);
	cfg.sidsize = 32;
	b = bed_new(&cfg);
	wr(b, CR0, 12);
	wr64(b, STRTAB_BASE, 0);
	wr(b, STRTAB_BASE_CFG, 32);
	wr(b, CR0, 13);
	set_mem(b, RAM, 1 | 4 << 1);
	assert_int_equal(dma_read(b, RAM / 64, RAM, &v), 0);
	assert_int_equal(dma_read(b, UINT32_MAX, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_STE_FETCH, UINT32_MAX), 0, 0, (uint64_t)UINT32_MAX * 64);
	/* two levels, the widest split */
	wr(b, CR0, 12);
	wr(b, STRTAB_BASE_CFG, 1 << 16 | 10 << 6 | 32);
	wr(b, CR0, 13);
	assert_int_equal(dma_read(b, UINT32_MAX, RAM, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(F_STE_FETCH, UINT32_MAX), 0, 0, (UINT32_MAX >> 10) * (uint64_t)8);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ste_v0),
		CASE(ste_v0_with_substream),
		CASE(ste_config_abort_is_silent),
		CASE(ste_config_bypass),
		CASE(ste_bypass_takes_no_substream),
		CASE(ste_bypass_beyond_output_size),
		CASE(ste_stage2_is_illegal_without_s2p),
		CASE(ste_s1stalld_is_illegal_without_stalls),
		CASE(ste_s1cdmax_beyond_ssidsize),
		CASE(ste_context_pointer_beyond_output_size),
		cmocka_unit_test(ste_two_level_cds_where_there_are_none),
		CASE(streamid_out_of_range),
		cmocka_unit_test(streamid_beyond_sidsize),
		CASE(streamid_out_of_range_not_recorded_without_recinvsid),
		CASE(ste_fetch_aborted),
		cmocka_unit_test(sidsize_0_and_32),
		cmocka_unit_test(fetch_address_is_cut_to_output_size),
		cmocka_unit_test(strtab_two_level_every_split),
		CASE(strtab_span_limits_the_lower_table),
		CASE(strtab_span_too_large),
		CASE(strtab_lower_table_is_aligned_to_its_size),
		CASE(l1std_fetch_aborted),
		CASE(ste_override_of_privilege_and_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
