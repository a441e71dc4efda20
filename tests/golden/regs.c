/* SPDX-License-Identifier: MIT */
/*
 * regs.c - is src/smmuv3/regs.def right?
 *
 * The driver and the simulator share that table, so a wrong number in it would
 * agree with itself. Here it is held against three files that were made apart from
 * it: what Linux uses, what the manual and other implementations say, and what is
 * public of command queues for user hands. Every line of them must be in the table
 * with the same numbers, and every row of the table must be named by a line of one.
 *
 * usage: golden-regs <smmuv3-linux-7.2.txt> <smmuv3-other.txt> <cmdqv.txt>
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/smmuv3/fields.h"

/* ---- the table, flattened ---- */

enum kind { REGISTER, BITS, VALUE, SIZE };

struct row {
	enum kind kind;
	const char *of, *name;	/* structure or register (BITS), else NULL; name */
	unsigned hi, lo;	/* BITS: numbered through the whole structure */
	unsigned value;		/* REGISTER: offset; SIZE: bytes */
	unsigned width;		/* REGISTER */
	unsigned seen;		/* by how many lines */
	const char *block;	/* REGISTER; NULL: the SMMU's own */
	unsigned count;		/* REGISTER: side by side */
};

static struct row rows[] = {
#define RO 0
#define RW 0
#define REG(name_, offset, width_, access)                                                         \
	{ REGISTER, NULL, #name_, 0, 0, offset, width_ + (access), 0, NULL, 1 },
#define BREG(block, name_, offset, width_, count, access)                                          \
	{ REGISTER, NULL, #name_, 0, 0, offset, width_ + (access), 0, #block, count },
#define BFIELD(reg, name_, hi_, lo_)                                                               \
	{ .kind = BITS, .of = #reg, .name = #name_, .hi = hi_, .lo = lo_ },
#define FIELD(reg, name_, hi_, lo_)                                           \
	{ .kind = BITS, .of = #reg, .name = #name_, .hi = hi_, .lo = lo_ },
#define ENTRY(name_, words) { .kind = SIZE, .name = #name_, .value = (words) * 8 },
#define EFIELD(entry, word, name_, hi_, lo_)                                  \
	{ .kind = BITS, .of = #entry, .name = #name_,                         \
	  .hi = (word) * 64 + hi_, .lo = (word) * 64 + lo_ },
#define CODE(kind_, name_, value_) { .kind = VALUE, .name = #kind_ "_" #name_, .value = value_ },
#include "src/smmuv3/regs.def"
};

#define NUM_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *golden[3];

static struct row *find(enum kind kind, const char *of, const char *name)
{
	for (size_t i = 0; i < NUM_ROWS; i++)
		if (rows[i].kind == kind && !strcmp(rows[i].name, name) &&
		    (!of || !strcmp(rows[i].of, of)))
			return &rows[i];
	return NULL;
}

/* bits of the structure or register @of; 0: no such thing */
static unsigned total_bits(const char *of)
{
	struct row *r = find(REGISTER, NULL, of);

	if (r)
		return r->width;
	r = find(SIZE, NULL, of);
	return r ? r->value * 8 : 0;
}

/* ---- the table by itself ---- */

static void test_fields_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++) {
		struct row *r = &rows[i];

		if (r->kind != BITS)
			continue;
		if (r->hi < r->lo || r->hi / 64 != r->lo / 64 || r->hi >= total_bits(r->of))
			fail_msg("%s.%s [%u:%u] does not fit", r->of, r->name, r->hi, r->lo);
	}
}

static void test_fields_do_not_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++)
		for (size_t j = i + 1; j < NUM_ROWS; j++) {
			struct row *a = &rows[i], *b = &rows[j];

			if (a->kind != BITS || b->kind != BITS || strcmp(a->of, b->of))
				continue;
			if (a->lo <= b->hi && b->lo <= a->hi)
				fail_msg("%s: %s [%u:%u] and %s [%u:%u] overlap", a->of, a->name,
					 a->hi, a->lo, b->name, b->hi, b->lo);
		}
}

static bool same_block(const struct row *a, const struct row *b)
{
	return a->block && b->block ? !strcmp(a->block, b->block) : a->block == b->block;
}

static unsigned end_of(const struct row *r)
{
	return r->value + r->width / 8 * r->count;
}

static void test_registers_do_not_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++) {
		struct row *a = &rows[i];

		if (a->kind != REGISTER)
			continue;
		assert_true(a->width == 32 || a->width == 64);
		assert_int_equal(a->value % (a->width / 8), 0);
		for (size_t j = i + 1; j < NUM_ROWS; j++)
			if (rows[j].kind == REGISTER && same_block(a, &rows[j]) &&
			    a->value < end_of(&rows[j]) && rows[j].value < end_of(a))
				fail_msg("%s and %s overlap", a->name, rows[j].name);
	}
}

static void test_names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++) {
		struct row *first = find(rows[i].kind, rows[i].of, rows[i].name);

		if (first != &rows[i])
			fail_msg("%s%s%s twice", rows[i].of ? rows[i].of : "",
				 rows[i].of ? "." : "", rows[i].name);
	}
}

/* A value of the field F.X is called F_X_something: it must fit. */
static void test_values_fit_their_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++) {
		char joined[80];

		if (rows[i].kind != BITS)
			continue;
		snprintf(joined, sizeof(joined), "%s_%s_", rows[i].of, rows[i].name);
		for (size_t j = 0; j < NUM_ROWS; j++)
			if (rows[j].kind == VALUE &&
			    !strncmp(rows[j].name, joined, strlen(joined)) &&
			    (uint64_t)rows[j].value >> (rows[i].hi - rows[i].lo + 1))
				fail_msg("%s = %u is too large", rows[j].name, rows[j].value);
	}
}

/* fields.h: what each macro makes of one field in the middle of a word */
static void test_macros(void **state)
{
	static const uint64_t constant = FCONST(CD_IPS, 5);

	(void)state;
	assert_true(FMAX(CD_IPS) == 7 && FMASK(CD_IPS) == 0x700000000u);
	assert_true(constant == 0x500000000u && FPREP(CD_IPS, 5) == constant);
	assert_true(FGET(CD_IPS, ~(uint64_t)0) == 7);
	assert_true(FSET(CD_IPS, ~(uint64_t)0, 2) == 0xfffffffaffffffffu);
	assert_true(FMASK(CD_MAIR) == ~(uint64_t)0 && FMASK(CD_ASID) == 0xffff000000000000u);
	assert_true(SMMU_EVENTQ_CONS == 0x100ac && CD_ASID_WORD == 0 && CD_MAIR_WORD == 3);
}

/* ---- against Linux ---- */

/* Linux's name, ours; where joining ours with "_" does not give Linux's. */
static const struct {
	const char *theirs, *of, *name;
} fields_by_name[] = {
	{ "IDR0_ST_LVL", "IDR0", "ST_LEVEL" },
	{ "IDR0_HYP", "IDR0", "Hyp" },
	{ "IDR1_EVTQS", "IDR1", "EVENTQS" },
	{ "IIDR_PRODUCTID", "IIDR", "ProductID" },
	{ "IIDR_VARIANT", "IIDR", "Variant" },
	{ "IIDR_REVISION", "IIDR", "Revision" },
	{ "IIDR_IMPLEMENTER", "IIDR", "Implementer" },
	{ "IDR3_BBM", "IDR3", "BBML" },
	{ "CR0_EVTQEN", "CR0", "EVENTQEN" },
	{ "GBPA_UPDATE", "GBPA", "Update" },
	{ "IRQ_CTRL_EVTQ_IRQEN", "IRQ_CTRL", "EVENTQ_IRQEN" },
	{ "GERROR_MSI_EVTQ_ABT_ERR", "GERROR", "MSI_EVENTQ_ABT_ERR" },
	{ "GERROR_EVTQ_ABT_ERR", "GERROR", "EVENTQ_ABT_ERR" },
	{ "STRTAB_BASE_ADDR_MASK", "STRTAB_BASE", "ADDR" },
	{ "MSI_CFG0_ADDR_MASK", "GERROR_IRQ_CFG0", "ADDR" },
	{ "MSI_CFG2_SH", "GERROR_IRQ_CFG2", "SH" },
	{ "MSI_CFG2_MEMATTR", "GERROR_IRQ_CFG2", "MemAttr" },
	{ "Q_OVERFLOW_FLAG", "EVENTQ_PROD", "OVFLG" },
	{ "Q_BASE_RWA", "CMDQ_BASE", "RA" },
	{ "Q_BASE_RWA", "EVENTQ_BASE", "WA" },
	{ "Q_BASE_RWA", "PRIQ_BASE", "WA" },
	{ "Q_BASE_ADDR_MASK", "CMDQ_BASE", "ADDR" },
	{ "Q_BASE_ADDR_MASK", "EVENTQ_BASE", "ADDR" },
	{ "Q_BASE_ADDR_MASK", "PRIQ_BASE", "ADDR" },
	{ "Q_BASE_LOG2SIZE", "CMDQ_BASE", "LOG2SIZE" },
	{ "Q_BASE_LOG2SIZE", "EVENTQ_BASE", "LOG2SIZE" },
	{ "Q_BASE_LOG2SIZE", "PRIQ_BASE", "LOG2SIZE" },
	{ "STRTAB_L1_DESC_SPAN", "L1STD", "Span" },
	{ "STRTAB_L1_DESC_L2PTR_MASK", "L1STD", "L2Ptr" },
	{ "STRTAB_STE_0_V", "STE", "V" },
	{ "STRTAB_STE_0_CFG", "STE", "Config" },
	{ "STRTAB_STE_0_S1FMT", "STE", "S1Fmt" },
	{ "STRTAB_STE_0_S1CTXPTR_MASK", "STE", "S1ContextPtr" },
	{ "STRTAB_STE_0_S1CDMAX", "STE", "S1CDMax" },
	{ "STRTAB_STE_1_S1DSS", "STE", "S1DSS" },
	{ "STRTAB_STE_1_S1CIR", "STE", "S1CIR" },
	{ "STRTAB_STE_1_S1COR", "STE", "S1COR" },
	{ "STRTAB_STE_1_S1CSH", "STE", "S1CSH" },
	{ "STRTAB_STE_1_MEV", "STE", "MEV" },
	{ "STRTAB_STE_1_S2FWB", "STE", "S2FWB" },
	{ "STRTAB_STE_1_S1STALLD", "STE", "S1STALLD" },
	{ "STRTAB_STE_1_EATS", "STE", "EATS" },
	{ "STRTAB_STE_1_STRW", "STE", "STRW" },
	{ "STRTAB_STE_1_SHCFG", "STE", "SHCFG" },
	{ "STRTAB_STE_2_S2VMID", "STE", "S2VMID" },
	{ "STRTAB_STE_2_VTCR_S2T0SZ", "STE", "S2T0SZ" },
	{ "STRTAB_STE_2_VTCR_S2SL0", "STE", "S2SL0" },
	{ "STRTAB_STE_2_VTCR_S2IR0", "STE", "S2IR0" },
	{ "STRTAB_STE_2_VTCR_S2OR0", "STE", "S2OR0" },
	{ "STRTAB_STE_2_VTCR_S2SH0", "STE", "S2SH0" },
	{ "STRTAB_STE_2_VTCR_S2TG", "STE", "S2TG" },
	{ "STRTAB_STE_2_VTCR_S2PS", "STE", "S2PS" },
	{ "STRTAB_STE_2_S2AA64", "STE", "S2AA64" },
	{ "STRTAB_STE_2_S2ENDI", "STE", "S2ENDI" },
	{ "STRTAB_STE_2_S2PTW", "STE", "S2PTW" },
	{ "STRTAB_STE_2_S2S", "STE", "S2S" },
	{ "STRTAB_STE_2_S2R", "STE", "S2R" },
	{ "STRTAB_STE_3_S2TTB_MASK", "STE", "S2TTB" },
	{ "CTXDESC_L1_DESC_V", "L1CD", "V" },
	{ "CTXDESC_L1_DESC_L2PTR_MASK", "L1CD", "L2Ptr" },
	{ "CTXDESC_CD_0_TCR_T0SZ", "CD", "T0SZ" },
	{ "CTXDESC_CD_0_TCR_TG0", "CD", "TG0" },
	{ "CTXDESC_CD_0_TCR_IRGN0", "CD", "IR0" },
	{ "CTXDESC_CD_0_TCR_ORGN0", "CD", "OR0" },
	{ "CTXDESC_CD_0_TCR_SH0", "CD", "SH0" },
	{ "CTXDESC_CD_0_TCR_EPD0", "CD", "EPD0" },
	{ "CTXDESC_CD_0_TCR_EPD1", "CD", "EPD1" },
	{ "CTXDESC_CD_0_ENDI", "CD", "ENDI" },
	{ "CTXDESC_CD_0_V", "CD", "V" },
	{ "CTXDESC_CD_0_TCR_IPS", "CD", "IPS" },
	{ "CTXDESC_CD_0_TCR_TBI0", "CD", "TBI0" },
	{ "CTXDESC_CD_0_TCR_HA", "CD", "HA" },
	{ "CTXDESC_CD_0_TCR_HD", "CD", "HD" },
	{ "CTXDESC_CD_0_AA64", "CD", "AA64" },
	{ "CTXDESC_CD_0_S", "CD", "S" },
	{ "CTXDESC_CD_0_R", "CD", "R" },
	{ "CTXDESC_CD_0_A", "CD", "A" },
	{ "CTXDESC_CD_0_ASET", "CD", "ASET" },
	{ "CTXDESC_CD_0_ASID", "CD", "ASID" },
	{ "CTXDESC_CD_1_HAFT", "CD", "HAFT" },
	{ "CTXDESC_CD_1_TTB0_MASK", "CD", "TTB0" },
	{ "CMDQ_0_OP", "CMD", "Opcode" },
	{ "CMDQ_0_SSV", "CMD_ATC_INV", "SSV" },
	{ "CMDQ_PREFETCH_0_SID", "CMD_PREFETCH_CONFIG", "StreamID" },
	{ "CMDQ_PREFETCH_1_SIZE", "CMD_PREFETCH_ADDR", "Size" },
	{ "CMDQ_PREFETCH_1_ADDR_MASK", "CMD_PREFETCH_ADDR", "Address" },
	{ "CMDQ_CFGI_0_SSID", "CMD_CFGI_CD", "SubstreamID" },
	{ "CMDQ_CFGI_0_SID", "CMD_CFGI_CD", "StreamID" },
	{ "CMDQ_CFGI_0_SID", "CMD_CFGI_STE", "StreamID" },
	{ "CMDQ_CFGI_1_LEAF", "CMD_CFGI_CD", "Leaf" },
	{ "CMDQ_CFGI_1_LEAF", "CMD_CFGI_STE", "Leaf" },
	{ "CMDQ_CFGI_1_RANGE", "CMD_CFGI_STE_RANGE", "Range" },
	{ "CMDQ_TLBI_0_NUM", "CMD_TLBI_NH_VA", "NUM" },
	{ "CMDQ_TLBI_0_SCALE", "CMD_TLBI_NH_VA", "SCALE" },
	{ "CMDQ_TLBI_0_VMID", "CMD_TLBI_NH_VA", "VMID" },
	{ "CMDQ_TLBI_0_ASID", "CMD_TLBI_NH_VA", "ASID" },
	{ "CMDQ_TLBI_1_LEAF", "CMD_TLBI_NH_VA", "Leaf" },
	{ "CMDQ_TLBI_1_TTL", "CMD_TLBI_NH_VA", "TTL" },
	{ "CMDQ_TLBI_1_TG", "CMD_TLBI_NH_VA", "TG" },
	{ "CMDQ_TLBI_1_VA_MASK", "CMD_TLBI_NH_VA", "Address" },
	{ "CMDQ_TLBI_1_IPA_MASK", "CMD_TLBI_S2_IPA", "Address" },
	{ "CMDQ_ATC_0_SSID", "CMD_ATC_INV", "SubstreamID" },
	{ "CMDQ_ATC_0_SID", "CMD_ATC_INV", "StreamID" },
	{ "CMDQ_ATC_0_GLOBAL", "CMD_ATC_INV", "Global" },
	{ "CMDQ_ATC_1_SIZE", "CMD_ATC_INV", "Size" },
	{ "CMDQ_ATC_1_ADDR_MASK", "CMD_ATC_INV", "Address" },
	{ "CMDQ_PRI_0_SSID", "CMD_PRI_RESP", "SubstreamID" },
	{ "CMDQ_PRI_0_SID", "CMD_PRI_RESP", "StreamID" },
	{ "CMDQ_PRI_1_GRPID", "CMD_PRI_RESP", "PRGIndex" },
	{ "CMDQ_PRI_1_RESP", "CMD_PRI_RESP", "Resp" },
	{ "CMDQ_RESUME_0_SID", "CMD_RESUME", "StreamID" },
	{ "CMDQ_RESUME_1_STAG", "CMD_RESUME", "STAG" },
	{ "CMDQ_SYNC_0_CS", "CMD_SYNC", "CS" },
	{ "CMDQ_SYNC_0_MSH", "CMD_SYNC", "MSH" },
	{ "CMDQ_SYNC_0_MSIATTR", "CMD_SYNC", "MSIAttr" },
	{ "CMDQ_SYNC_0_MSIDATA", "CMD_SYNC", "MSIData" },
	{ "CMDQ_SYNC_1_MSIADDR_MASK", "CMD_SYNC", "MSIAddress" },
	{ "EVTQ_0_ID", "EVT", "Number" },
	{ "EVTQ_0_SSV", "EVT", "SSV" },
	{ "EVTQ_0_SSID", "EVT", "SubstreamID" },
	{ "EVTQ_0_SID", "EVT", "StreamID" },
	{ "EVTQ_1_STAG", "EVT_F_TRANSLATION", "STAG" },
	{ "EVTQ_1_STALL", "EVT_F_TRANSLATION", "Stall" },
	{ "EVTQ_1_PnU", "EVT_F_TRANSLATION", "PnU" },
	{ "EVTQ_1_InD", "EVT_F_TRANSLATION", "InD" },
	{ "EVTQ_1_RnW", "EVT_F_TRANSLATION", "RnW" },
	{ "EVTQ_1_S2", "EVT_F_TRANSLATION", "S2" },
	{ "EVTQ_1_CLASS", "EVT_F_TRANSLATION", "CLASS" },
	{ "EVTQ_1_TT_READ", "EVT_F_PERMISSION", "TTRnW" },
	{ "EVTQ_2_ADDR", "EVT_F_TRANSLATION", "InputAddr" },
	{ "EVTQ_3_IPA", "EVT_F_TRANSLATION", "IPA" },
	{ "EVTQ_3_FETCH_ADDR", "EVT_F_STE_FETCH", "FetchAddr" },
	{ "PRIQ_0_SID", "PRI", "StreamID" },
	{ "PRIQ_0_SSID", "PRI", "SubstreamID" },
	{ "PRIQ_0_PERM_PRIV", "PRI", "P" },
	{ "PRIQ_0_PERM_EXEC", "PRI", "X" },
	{ "PRIQ_0_PERM_READ", "PRI", "R" },
	{ "PRIQ_0_PERM_WRITE", "PRI", "W" },
	{ "PRIQ_0_PRG_LAST", "PRI", "Last" },
	{ "PRIQ_0_SSID_V", "PRI", "SSV" },
	{ "PRIQ_1_PRG_IDX", "PRI", "PRGIndex" },
	{ "PRIQ_1_ADDR_MASK", "PRI", "Address" },
};

static const struct {
	const char *theirs, *name;
	unsigned scale;		/* theirs counts this many of ours; 0: a power of two */
} values_by_name[] = {
	{ "MEMATTR_DEVICE_nGnRE", "MEMATTR_DEVICE_nGnRE", 1 },
	{ "MEMATTR_OIWB", "MEMATTR_OIWB", 1 },
	{ "IDR0_ST_LVL_2LVL", "IDR0_ST_LEVEL_TWO_LEVEL", 1 },
	{ "IDR0_STALL_MODEL_STALL", "IDR0_STALL_MODEL_STALL_AND_TERMINATE", 1 },
	{ "IDR0_STALL_MODEL_FORCE", "IDR0_STALL_MODEL_STALL", 1 },
	{ "IDR0_TTENDIAN_LE", "IDR0_TTENDIAN_LITTLE", 1 },
	{ "IDR0_TTENDIAN_BE", "IDR0_TTENDIAN_BIG", 1 },
	{ "IDR0_HTTU_ACCESS_DIRTY_HAFT", "IDR0_HTTU_ACCESS_DIRTY_TABLE", 1 },
	{ "IDR5_OAS_32_BIT", "IDR5_OAS_32", 1 },
	{ "IDR5_OAS_36_BIT", "IDR5_OAS_36", 1 },
	{ "IDR5_OAS_40_BIT", "IDR5_OAS_40", 1 },
	{ "IDR5_OAS_42_BIT", "IDR5_OAS_42", 1 },
	{ "IDR5_OAS_44_BIT", "IDR5_OAS_44", 1 },
	{ "IDR5_OAS_48_BIT", "IDR5_OAS_48", 1 },
	{ "IDR5_OAS_52_BIT", "IDR5_OAS_52", 1 },
	{ "IDR5_VAX_52_BIT", "IDR5_VAX_52", 1 },
	{ "CR1_CACHE_NC", "CACHE_NC", 1 },
	{ "CR1_CACHE_WB", "CACHE_WB", 1 },
	{ "CR1_CACHE_WT", "CACHE_WT", 1 },
	{ "STRTAB_BASE_CFG_FMT_2LVL", "STRTAB_BASE_CFG_FMT_TWO_LEVEL", 1 },
	{ "ARM_SMMU_SH_NSH", "SH_NSH", 1 },
	{ "ARM_SMMU_SH_OSH", "SH_OSH", 1 },
	{ "ARM_SMMU_SH_ISH", "SH_ISH", 1 },
	{ "STRTAB_STE_0_CFG_ABORT", "STE_Config_ABORT", 1 },
	{ "STRTAB_STE_0_CFG_BYPASS", "STE_Config_BYPASS", 1 },
	{ "STRTAB_STE_0_CFG_S1_TRANS", "STE_Config_S1", 1 },
	{ "STRTAB_STE_0_CFG_S2_TRANS", "STE_Config_S2", 1 },
	{ "STRTAB_STE_0_CFG_NESTED", "STE_Config_S1_S2", 1 },
	{ "STRTAB_STE_0_S1FMT_LINEAR", "STE_S1Fmt_LINEAR", 1 },
	{ "STRTAB_STE_0_S1FMT_64K_L2", "STE_S1Fmt_L2_64K", 1 },
	{ "STRTAB_STE_1_S1DSS_TERMINATE", "STE_S1DSS_TERMINATE", 1 },
	{ "STRTAB_STE_1_S1DSS_BYPASS", "STE_S1DSS_BYPASS", 1 },
	{ "STRTAB_STE_1_S1DSS_SSID0", "STE_S1DSS_SSID0", 1 },
	{ "STRTAB_STE_DWORDS", "STE", 8 },
	{ "CTXDESC_CD_DWORDS", "CD", 8 },
	{ "CMDQ_ENT_SZ_SHIFT", "CMD", 0 },
	{ "EVTQ_ENT_SZ_SHIFT", "EVT", 0 },
	{ "PRIQ_ENT_SZ_SHIFT", "PRI", 0 },
	{ "CMDQ_ERR_CERROR_NONE_IDX", "CERROR_NONE", 1 },
	{ "CMDQ_ERR_CERROR_ILL_IDX", "CERROR_ILL", 1 },
	{ "CMDQ_ERR_CERROR_ABT_IDX", "CERROR_ABT", 1 },
	{ "CMDQ_ERR_CERROR_ATC_INV_IDX", "CERROR_ATC_INV_SYNC", 1 },
	{ "ATC_INV_SIZE_ALL", "CMD_ATC_INV_Size_ALL", 1 },
	{ "CMDQ_SYNC_0_CS_NONE", "CMD_SYNC_CS_SIG_NONE", 1 },
	{ "CMDQ_SYNC_0_CS_IRQ", "CMD_SYNC_CS_SIG_IRQ", 1 },
	{ "CMDQ_SYNC_0_CS_SEV", "CMD_SYNC_CS_SIG_SEV", 1 },
	{ "EVT_ID_BAD_STREAMID_CONFIG", "EVT_C_BAD_STREAMID", 1 },
	{ "EVT_ID_STE_FETCH_FAULT", "EVT_F_STE_FETCH", 1 },
	{ "EVT_ID_BAD_STE_CONFIG", "EVT_C_BAD_STE", 1 },
	{ "EVT_ID_STREAM_DISABLED_FAULT", "EVT_F_STREAM_DISABLED", 1 },
	{ "EVT_ID_BAD_SUBSTREAMID_CONFIG", "EVT_C_BAD_SUBSTREAMID", 1 },
	{ "EVT_ID_CD_FETCH_FAULT", "EVT_F_CD_FETCH", 1 },
	{ "EVT_ID_BAD_CD_CONFIG", "EVT_C_BAD_CD", 1 },
	{ "EVT_ID_TRANSLATION_FAULT", "EVT_F_TRANSLATION", 1 },
	{ "EVT_ID_ADDR_SIZE_FAULT", "EVT_F_ADDR_SIZE", 1 },
	{ "EVT_ID_ACCESS_FAULT", "EVT_F_ACCESS", 1 },
	{ "EVT_ID_PERMISSION_FAULT", "EVT_F_PERMISSION", 1 },
	{ "EVT_ID_VMS_FETCH_FAULT", "EVT_F_VMS_FETCH", 1 },
	{ "EVTQ_1_CLASS_TT", "EVT_CLASS_TT", 1 },
	{ "CMDQ_OP_PREFETCH_CFG", "CMD_PREFETCH_CONFIG", 1 },
	{ "CMDQ_OP_CFGI_ALL", "CMD_CFGI_STE_RANGE", 1 },
	{ "CMDQ_OP_CMD_SYNC", "CMD_SYNC", 1 },
};

/* One line of a file, split at blanks. */
struct line {
	char text[600];
	char *word[8];
	unsigned n;
	const char *file;
	unsigned number;
};

static unsigned number(const struct line *l, unsigned i)
{
	if (i >= l->n)
		fail_msg("%s:%u: too short", l->file, l->number);
	return (unsigned)strtoul(l->word[i], NULL, 0);
}

static void expect(const struct line *l, struct row *r, const char *what, unsigned is,
		   unsigned should)
{
	if (!r)
		fail_msg("%s:%u: %s %s: not in regs.def", l->file, l->number, l->word[0],
			 l->word[1]);
	if (is != should)
		fail_msg("%s:%u: %s%s%s: %s is 0x%x in regs.def, 0x%x here", l->file, l->number,
			 r->of ? r->of : "", r->of ? "." : "", r->name, what, is, should);
	r->seen++;
}

static void for_each_line(const char *file, void (*fn)(const struct line *l))
{
	struct line l = { .file = file };
	FILE *f = fopen(file, "r");

	if (!f)
		fail_msg("cannot read %s", file);
	while (fgets(l.text, sizeof(l.text), f)) {
		char *save = NULL;

		l.number++;
		l.n = 0;
		for (char *w = strtok_r(l.text, " \t\n", &save); w && l.n < 8;
		     w = strtok_r(NULL, " \t\n", &save))
			l.word[l.n++] = w;
		if (l.n > 1 && l.word[0][0] != '#')
			fn(&l);
	}
	fclose(f);
}

/* "..._<word>_..." in a Linux name: which 64-bit word; VTCR is at bit 32 of its */
static unsigned linux_base(const char *theirs)
{
	static const char *const with_words[] = { "STRTAB_STE", "CTXDESC_CD", "CMDQ", "EVTQ",
						  "PRIQ" };
	unsigned base = 0;

	for (size_t i = 0; i < sizeof(with_words) / sizeof(with_words[0]); i++)
		if (!strncmp(theirs, with_words[i], strlen(with_words[i])))
			for (const char *p = theirs; *p; p++)
				if (p[0] == '_' && p[1] >= '0' && p[1] <= '3' && p[2] == '_')
					base = (unsigned)(p[1] - '0') * 64;
	return strstr(theirs, "VTCR_") ? base + 32 : base;
}

static void linux_reg(const struct line *l)
{
	char name[80];
	struct row *r = find(REGISTER, NULL, l->word[1]);
	unsigned offset = number(l, 2);

	if (!strncmp(l->word[1], "MEMATTR_", 8)) {
		r = find(VALUE, NULL, l->word[1]);
		expect(l, r, "value", r ? r->value : 0, offset);
		return;
	}
	if (!r && !strncmp(l->word[1], "EVTQ_", 5)) {
		snprintf(name, sizeof(name), "EVENTQ_%s", l->word[1] + 5);
		r = find(REGISTER, NULL, name);
	}
	/* Linux adds page 1 where it maps it; the architecture has these there */
	if (r && (strstr(r->name, "EVENTQ_") || strstr(r->name, "PRIQ_")) &&
	    (strstr(r->name, "_PROD") || strstr(r->name, "_CONS")))
		offset += 0x10000;
	expect(l, r, "offset", r ? r->value : 0, offset);
}

static void linux_field_is(const struct line *l, struct row *r)
{
	unsigned base = linux_base(l->word[1]);

	expect(l, r, "high bit", r ? r->hi : 0, base + number(l, 2));
	expect(l, r, "low bit", r->lo, base + number(l, 3));
}

/* The name as ours, joined with "_". */
static struct row *joined(const char *name)
{
	char buf[80];

	for (size_t i = 0; i < NUM_ROWS; i++) {
		if (rows[i].kind != BITS)
			continue;
		snprintf(buf, sizeof(buf), "%s_%s", rows[i].of, rows[i].name);
		if (!strcmp(buf, name))
			return &rows[i];
	}
	return NULL;
}

static void linux_field(const struct line *l)
{
	unsigned found = 0;

	if (!strcmp(l->word[1], "STRTAB_STE_2_VTCR"))
		return;		/* the sum of the fields that follow */
	if (!strcmp(l->word[1], "CMDQ_RESUME_0_RESP")) {
		/* one field of two bits there, two of one here */
		assert_true(number(l, 2) == find(BITS, "CMD_RESUME", "Ab")->hi);
		assert_true(number(l, 3) == find(BITS, "CMD_RESUME", "Ac")->lo);
		return;
	}
	for (size_t i = 0; i < sizeof(fields_by_name) / sizeof(fields_by_name[0]); i++)
		if (!strcmp(fields_by_name[i].theirs, l->word[1])) {
			linux_field_is(l, find(BITS, fields_by_name[i].of, fields_by_name[i].name));
			found++;
		}
	if (!found)
		linux_field_is(l, joined(l->word[1]));
}

static void linux_value(const struct line *l)
{
	const char *name = l->word[1];
	unsigned scale = 1, v = number(l, 2);
	char buf[80];
	struct row *r;

	for (size_t i = 0; i < sizeof(values_by_name) / sizeof(values_by_name[0]); i++)
		if (!strcmp(values_by_name[i].theirs, name)) {
			name = values_by_name[i].name;
			scale = values_by_name[i].scale;
			break;
		}
	if (!strncmp(name, "CMDQ_OP_", 8)) {
		snprintf(buf, sizeof(buf), "CMD_%s", name + 8);
		name = buf;
	}
	r = find(scale == 1 ? VALUE : SIZE, NULL, name);
	expect(l, r, "value", r ? r->value : 0, scale ? v * scale : 1u << v);
}

static void linux_line(const struct line *l)
{
	if (!strcmp(l->word[0], "reg"))
		linux_reg(l);
	else if (!strcmp(l->word[0], "field"))
		linux_field(l);
	else if (!strcmp(l->word[0], "value"))
		linux_value(l);
	else
		fail_msg("%s:%u: what is \"%s\"?", l->file, l->number, l->word[0]);
}

static void test_equal_to_linux(void **state)
{
	(void)state;
	for_each_line(golden[0], linux_line);
}

/* ---- against the manual and the others ---- */

static void other_names(const struct line *l, bool bits)
{
	char names[500], *save = NULL;

	snprintf(names, sizeof(names), "%s", l->word[1]);
	for (char *of = strtok_r(names, ",", &save); of; of = strtok_r(NULL, ",", &save)) {
		struct row *r = bits ? find(BITS, of, l->word[2]) : find(SIZE, NULL, of);

		if (!r)
			fail_msg("%s:%u: %s %s: not in regs.def", l->file, l->number, of,
				 bits ? l->word[2] : "");
		if (bits) {
			expect(l, r, "high bit", r->hi, number(l, 3));
			expect(l, r, "low bit", r->lo, number(l, 4));
		} else {
			expect(l, r, "size", r->value, number(l, 2));
		}
	}
}

static void other_line(const struct line *l)
{
	struct row *r;

	if (!strcmp(l->word[0], "reg")) {
		r = find(REGISTER, NULL, l->word[1]);
		expect(l, r, "offset", r ? r->value : 0, number(l, 2));
	} else if (!strcmp(l->word[0], "value")) {
		r = find(VALUE, NULL, l->word[1]);
		expect(l, r, "value", r ? r->value : 0, number(l, 2));
	} else if (!strcmp(l->word[0], "bits")) {
		other_names(l, true);
	} else if (!strcmp(l->word[0], "size")) {
		other_names(l, false);
	} else {
		fail_msg("%s:%u: what is \"%s\"?", l->file, l->number, l->word[0]);
	}
}

static void test_equal_to_the_manual(void **state)
{
	(void)state;
	for_each_line(golden[1], other_line);
}

/* A register's line says how many there are, too. */
static void cmdqv_line(const struct line *l)
{
	struct row *r;

	if (strcmp(l->word[0], "reg")) {
		other_line(l);
		return;
	}
	r = find(REGISTER, NULL, l->word[1]);
	expect(l, r, "offset", r ? r->value : 0, number(l, 2));
	expect(l, r, "width", r->width, number(l, 3));
	expect(l, r, "count", r->count, number(l, 4));
}

static void test_equal_to_public_cmdqv(void **state)
{
	(void)state;
	for_each_line(golden[2], cmdqv_line);
}

/* runs after those above, which count */
static void test_every_row_is_checked(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (size_t i = 0; i < NUM_ROWS; i++)
		if (!rows[i].seen) {
			print_error("%s%s%s: in no golden file\n", rows[i].of ? rows[i].of : "",
				    rows[i].of ? "." : "", rows[i].name);
			missing++;
		}
	assert_int_equal(missing, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_inside),
		cmocka_unit_test(test_fields_do_not_overlap),
		cmocka_unit_test(test_registers_do_not_overlap),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_values_fit_their_fields),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_equal_to_linux),
		cmocka_unit_test(test_equal_to_the_manual),
		cmocka_unit_test(test_equal_to_public_cmdqv),
		cmocka_unit_test(test_every_row_is_checked),
	};

	if (argc != 4) {
		fprintf(stderr, "usage: %s <smmuv3-linux-7.2.txt> <smmuv3-other.txt> <cmdqv.txt>\n",
			argv[0]);
		return 1;
	}
	golden[0] = argv[1];
	golden[1] = argv[2];
	golden[2] = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
