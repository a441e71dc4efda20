/* SPDX-License-Identifier: MIT */
/*
 * caches.c - by hand: which invalidation makes hardware forget what
 *
 * A translation or an entry is used, then changed in memory, then a command is given,
 * then used again: "old" if hardware has kept it. The architecture lets hardware keep
 * what no command names, and does not make it; a command that does not name it but
 * still gives "new" is therefore no mistake. Both SMMUs here keep everything.
 */
#include "raw.h"
#include "scenarios.h"
#include "text.h"

#define STRTAB		(RAW_MEMORY + 0x100000)
#define STRTAB_LG2	9u
#define TABLES		(RAW_MEMORY + 0x200000)	/* 64 KiB each: CD, stage 1, stage 2, others */
#define CD_AT		TABLES
#define S1_AT		(TABLES + 0x10000)
#define S2_AT		(TABLES + 0x20000)
#define CD2_AT		(TABLES + 0x30000)
#define S1B_AT		(TABLES + 0x40000)
#define OLD		(TABLES + 0x80000)
#define NEW		(TABLES + 0x90000)
#define VA		0x4000201000ull
#define ASID		5u
#define VMID		9u
#define LEAF		(1ull | 2 | 1u << 6 | 1u << 10 | 1u << 11)	/* page, unprivileged, AF, nG */
#define S2_LEAF		(1ull | 2 | 3u << 6 | 1u << 10 | 0xfu << 2)

static volatile uint64_t *ste(void)
{
	return world_word(STRTAB) + world.sid * STE_WORDS;
}

/* Four levels of 4 KiB from @root on; the entry of the last is the answer. */
static volatile uint64_t *walk(uint64_t root, uint64_t va)
{
	for (unsigned level = 0; level < 3; level++, root += 0x1000)
		world_word(root)[va >> (39 - 9 * level) & 511] = (root + 0x1000) | 3;
	return &world_word(root)[va >> 12 & 511];
}

static void make_cd(uint64_t at, uint64_t table)
{
	volatile uint64_t *cd = world_word(at);

	cd[0] = FPREP(CD_V, 1) | FPREP(CD_AA64, 1) | FPREP(CD_R, 1) | FPREP(CD_A, 1) |
		FPREP(CD_T0SZ, 16) | FPREP(CD_EPD1, 1) | FPREP(CD_IPS, 4) | FPREP(CD_ASID, ASID) |
		FPREP(CD_SH0, SH_ISH);
	cd[1] = table;
	cd[3] = 0xff;
}

/* Stage 2 is the identity but for the page that the scenario is about. */
static void make_stage2(void)
{
	volatile uint64_t *gib = world_word(S2_AT);

	for (uint64_t i = 0; i < 512; i++)
		gib[i] = i << 30 | (S2_LEAF & ~2ull);
	gib[1] = (S2_AT + 0x1000) | 3;
	for (uint64_t i = 0; i < 512; i++)
		world_word(S2_AT + 0x1000)[i] = (RAM + (i << 21)) | (S2_LEAF & ~2ull);
	world_word(S2_AT + 0x1000)[(OLD - RAM) >> 21] = (S2_AT + 0x2000) | 3;
	for (uint64_t i = 0; i < 512; i++)
		world_word(S2_AT + 0x2000)[i] = (OLD & ~0x1fffffull) + (i << 12) + S2_LEAF;
}

static volatile uint64_t *stage2_entry(uint64_t ipa)
{
	return &world_word(S2_AT + 0x2000)[ipa >> 12 & 511];
}

static void make_ste(unsigned config)
{
	ste()[1] = FPREP(STE_SHCFG, SHCFG_INCOMING);
	/* without stage 2 too the VMID is a tag */
	ste()[2] = FPREP(STE_S2VMID, VMID) | FPREP(STE_S2T0SZ, 64 - 39) | FPREP(STE_S2SL0, 1) |
		   FPREP(STE_S2PS, 4) | FPREP(STE_S2AA64, 1) | FPREP(STE_S2R, 1);
	ste()[3] = S2_AT;
	ste()[0] = FPREP(STE_V, 1) | FPREP(STE_Config, config) | CD_AT;
}

static void set_up(unsigned config)
{
	for (uint64_t pa = STRTAB; pa < STRTAB + (64u << STRTAB_LG2); pa += 8)
		*world_word(pa) = 0;
	for (uint64_t pa = TABLES; pa < OLD; pa += 8)
		*world_word(pa) = 0;
	make_cd(CD_AT, S1_AT);
	make_cd(CD2_AT, S1B_AT);
	*walk(S1_AT, VA) = OLD | LEAF;
	*walk(S1B_AT, VA) = NEW | LEAF;
	make_stage2();
	make_ste(config);
	raw_enable(STRTAB, STRTAB_LG2, (uint32_t)FMASK(CR2_RECINVSID));
}

static const char *use(uint64_t va)
{
	uint64_t w[EVT_WORDS];
	const char *what = "neither";

	*world_word32(OLD) = *world_word32(NEW) = 0;
	world.write(va, 0x7007);
	if (*world_word32(OLD) == 0x7007)
		what = "old";
	else if (*world_word32(NEW) == 0x7007)
		what = "new";
	while (raw_event(w))
		tell("  event 0x%x 0x%x 0x%x 0x%x", w[0] & 0xffffffff, w[1], w[2], w[3]);
	return what;
}

/* ---- what is changed ---- */

static void change_leaf(void)
{
	*walk(S1_AT, VA) = NEW | LEAF;
}

/* the last table, not what is in it */
static void change_table(void)
{
	world_word(S1_AT + 0x2000)[VA >> 21 & 511] = (S1B_AT + 0x3000) | 3;
}

static void change_cd(void)
{
	world_word(CD_AT)[1] = S1B_AT;
}

static void change_ste(void)
{
	ste()[0] = (ste()[0] & ~FMASK(STE_S1ContextPtr)) | CD2_AT;
}

static void change_stage2(void)
{
	*stage2_entry(OLD) = NEW | S2_LEAF;
}

/* ---- commands ---- */

#define OP(c)		FCONST(CMD_Opcode, CMD_##c)
#define IN_VMID(v)	FCONST(CMD_TLBI_NH_ALL_VMID, v)
#define IN_ASID(a)	FCONST(CMD_TLBI_NH_ASID_ASID, a)
#define OTHER_SID	FCONST(CMD_CFGI_STE_StreamID, 0x31)
#define RANGE(scale, num) (FCONST(CMD_TLBI_NH_VA_SCALE, scale) | FCONST(CMD_TLBI_NH_VA_NUM, num))
#define TG_4K		FCONST(CMD_TLBI_NH_VA_TG, CMD_TLBI_TG_4K)
#define NH_VA(vmid, asid) (OP(TLBI_NH_VA) | IN_VMID(vmid) | IN_ASID(asid))
#define NH_ASID(asid)	(OP(TLBI_NH_ASID) | IN_VMID(VMID) | IN_ASID(asid))
#define NONE		{ { 0, 0, false } }
#define MAX_CMDS	2

static const struct {
	const char *name;
	unsigned config;
	void (*change)(void);
	struct { uint64_t w0, w1; bool of_sid; } cmds[MAX_CMDS];
} rows[] = {
#define S1 STE_Config_S1
#define S2 STE_Config_S2
#define BOTH STE_Config_S1_S2
	{ "leaf", S1, change_leaf, NONE },
	{ "leaf, SYNC alone", S1, change_leaf, { { OP(SYNC), 0, false } } },
	{ "leaf, NH_VA", S1, change_leaf, { { NH_VA(VMID, ASID), VA, false } } },
	{ "leaf, NH_VA with Leaf", S1, change_leaf,
	  { { NH_VA(VMID, ASID), VA | 1, false } } },
	{ "leaf, NH_VA of another ASID", S1, change_leaf,
	  { { NH_VA(VMID, ASID + 1), VA, false } } },
	{ "leaf, NH_VA of another VMID", S1, change_leaf,
	  { { NH_VA(VMID + 1, ASID), VA, false } } },
	{ "leaf, NH_VA of another page", S1, change_leaf,
	  { { NH_VA(VMID, ASID), VA + 0x1000, false } } },
	{ "leaf, NH_VAA", S1, change_leaf, { { OP(TLBI_NH_VAA) | IN_VMID(VMID), VA, false } } },
	{ "leaf, NH_ASID", S1, change_leaf, { { NH_ASID(ASID), 0, false } } },
	{ "leaf, NH_ASID of another", S1, change_leaf,
	  { { NH_ASID(ASID + 1), 0, false } } },
	{ "leaf, NH_ALL", S1, change_leaf, { { OP(TLBI_NH_ALL) | IN_VMID(VMID), 0, false } } },
	{ "leaf, NH_ALL of another VMID", S1, change_leaf,
	  { { OP(TLBI_NH_ALL) | IN_VMID(VMID + 1), 0, false } } },
	{ "leaf, NSNH_ALL", S1, change_leaf, { { OP(TLBI_NSNH_ALL), 0, false } } },
	{ "leaf, S12_VMALL", S1, change_leaf, { { OP(TLBI_S12_VMALL) | IN_VMID(VMID), 0, false } } },
	{ "leaf, a range that begins there", S1, change_leaf,
	  { { NH_VA(VMID, ASID) | RANGE(0, 7), VA | TG_4K, false } } },
	{ "leaf, a range that ends there", S1, change_leaf,
	  { { NH_VA(VMID, ASID) | RANGE(0, 7),
	      (VA - 0x7000) | TG_4K, false } } },
	{ "leaf, a range that ends before", S1, change_leaf,
	  { { NH_VA(VMID, ASID) | RANGE(0, 7),
	      (VA - 0x8000) | TG_4K, false } } },
	{ "leaf, CFGI_STE", S1, change_leaf, { { OP(CFGI_STE), 1, true } } },
	{ "table, nothing", S1, change_table, NONE },
	{ "table, NH_VA with Leaf", S1, change_table, { { NH_VA(VMID, ASID), VA | 1, false } } },
	{ "table, NH_VA", S1, change_table, { { NH_VA(VMID, ASID), VA, false } } },
	{ "CD", S1, change_cd, NONE },
	{ "CD, CFGI_CD alone", S1, change_cd, { { OP(CFGI_CD), 1, true } } },
	{ "CD, NH_ASID alone", S1, change_cd, { { NH_ASID(ASID), 0, false } } },
	{ "CD, CFGI_CD and NH_ASID", S1, change_cd,
	  { { OP(CFGI_CD), 1, true }, { NH_ASID(ASID), 0, false } } },
	{ "CD, CFGI_CD_ALL and NH_ALL", S1, change_cd,
	  { { OP(CFGI_CD_ALL), 0, true }, { OP(TLBI_NH_ALL) | IN_VMID(VMID), 0, false } } },
	{ "CD, CFGI_CD of another and NH_ASID", S1, change_cd,
	  { { OP(CFGI_CD) | OTHER_SID, 1, false },
	    { NH_ASID(ASID), 0, false } } },
	{ "STE, NH_ASID alone", S1, change_ste, { { NH_ASID(ASID), 0, false } } },
	{ "STE, CFGI_STE and NH_ASID", S1, change_ste,
	  { { OP(CFGI_STE), 1, true }, { NH_ASID(ASID), 0, false } } },
	{ "STE, CFGI_STE of another and NH_ASID", S1, change_ste,
	  { { OP(CFGI_STE) | OTHER_SID, 1, false },
	    { NH_ASID(ASID), 0, false } } },
	{ "STE, CFGI_ALL and NH_ASID", S1, change_ste,
	  { { OP(CFGI_STE_RANGE), 31, false },
	    { NH_ASID(ASID), 0, false } } },
	{ "stage 2, nothing", S2, change_stage2, NONE },
	{ "stage 2, S2_IPA", S2, change_stage2, { { OP(TLBI_S2_IPA) | IN_VMID(VMID), OLD, false } } },
	{ "stage 2, S2_IPA of another page", S2, change_stage2,
	  { { OP(TLBI_S2_IPA) | IN_VMID(VMID), OLD + 0x1000, false } } },
	{ "stage 2, S2_IPA of another VMID", S2, change_stage2,
	  { { OP(TLBI_S2_IPA) | IN_VMID(VMID + 1), OLD, false } } },
	{ "stage 2, S12_VMALL", S2, change_stage2, { { OP(TLBI_S12_VMALL) | IN_VMID(VMID), 0, false } } },
	{ "stage 2, S12_VMALL of another", S2, change_stage2,
	  { { OP(TLBI_S12_VMALL) | IN_VMID(VMID + 1), 0, false } } },
	{ "stage 2, a range of IPAs", S2, change_stage2,
	  { { OP(TLBI_S2_IPA) | IN_VMID(VMID) | RANGE(0, 3), (OLD - 0x1000) | TG_4K, false } } },
	{ "both, stage 2 changed, nothing", BOTH, change_stage2, NONE },
	{ "both, stage 2 changed, S2_IPA alone", BOTH, change_stage2,
	  { { OP(TLBI_S2_IPA) | IN_VMID(VMID), OLD, false } } },
	{ "both, stage 2 changed, S2_IPA and NH_ALL", BOTH, change_stage2,
	  { { OP(TLBI_S2_IPA) | IN_VMID(VMID), OLD, false },
	    { OP(TLBI_NH_ALL) | IN_VMID(VMID), 0, false } } },
	{ "both, stage 2 changed, S12_VMALL", BOTH, change_stage2,
	  { { OP(TLBI_S12_VMALL) | IN_VMID(VMID), 0, false } } },
	{ "both, leaf changed, NH_VA", BOTH, change_leaf,
	  { { NH_VA(VMID, ASID), VA, false } } },
	{ "both, leaf changed, NH_VA of another VMID", BOTH, change_leaf,
	  { { NH_VA(VMID + 1, ASID), VA, false } } },
	{ "both, CD changed, CFGI_CD and NH_ASID", BOTH, change_cd,
	  { { OP(CFGI_CD), 1, true }, { NH_ASID(ASID), 0, false } } },
#undef S1
#undef S2
#undef BOTH
};

static void row(unsigned i)
{
	uint64_t va = rows[i].config == STE_Config_S2 ? OLD : VA;
	const char *before, *after;

	set_up(rows[i].config);
	before = use(va);
	rows[i].change();
	for (unsigned k = 0; k < MAX_CMDS && rows[i].cmds[k].w0; k++)
		raw_command(rows[i].cmds[k].w0 | (rows[i].cmds[k].of_sid ? FPREP(CMD_CFGI_STE_StreamID, world.sid) : 0),
			    rows[i].cmds[k].w1);
	raw_sync();
	after = use(va);
	tell("%s: %s, then %s", rows[i].name, before, after);
}

static void some(const char *what, bool stage2)
{
	tell("== %s", what);
	raw_begin(7);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((rows[i].config != STE_Config_S1) == stage2)
			row(i);
	raw_cr0(RAW_QUEUES_ON);
}

void scenario_caches(void)
{
	some("what makes it forget stage 1", false);
}

void scenario_nested_caches(void)
{
	some("what makes it forget stage 2, and both", true);
}
