/* SPDX-License-Identifier: MIT */
/* table.c - StreamID to STE, and PASID to CD */
#include <inttypes.h>

#include "src/smmuv3/fields.h"
#include "walk.h"

static bool read_words(struct walk *w, uint64_t pa, uint64_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!w->mem->read(w->mem->ctx, pa + 8 * i, &v[i]))
			return false;
	return true;
}

/* ---- the stream table ---- */

static bool bad_streamid(struct walk *w, const char *blame)
{
	return walk_config_fault(w, EVT_C_BAD_STREAMID, blame);
}

static unsigned split_of(const struct walk *w)
{
	unsigned split = (unsigned)FGET(STRTAB_BASE_CFG_SPLIT, w->regs->strtab_base_cfg);

	return split == 8 || split == 10 ? split : 6;	/* others are reserved: 6 */
}

/* Tables are aligned to their size, and to 64 bytes at least. */
static uint64_t aligned_base(uint64_t base, uint64_t bytes)
{
	return base & FMASK(STRTAB_BASE_ADDR) & ~((bytes < 64 ? 64 : bytes) - 1);
}

static bool second_level(struct walk *w, unsigned log2size, uint64_t *pa)
{
	unsigned split = split_of(w), l1_lg2 = log2size > split ? log2size - split : 0;
	uint32_t slot = w->a.sid & ((1u << split) - 1);
	uint64_t at, l1, span;
	struct report_item *it;

	at = aligned_base(w->regs->strtab_base, (uint64_t)8 << l1_lg2) +
	     8 * (uint64_t)(w->a.sid >> split);
	if (!read_words(w, at, &l1, 1))
		return walk_fetch_fault(w, EVT_F_STE_FETCH, at);
	span = FGET(L1STD_Span, l1);
	it = walk_step(w, "l1std", "L1STD", at, &l1, 1);
	it->what = walk_str(w, "entry 0x%x of the stream table", w->a.sid >> split);
	report_value(it, "Span", span, span ? "2^%u STEs" : "no STEs", (unsigned)span - 1);
	report_value(it, "L2Ptr", l1 & FMASK(L1STD_L2Ptr), NULL);
	if (!span)
		return bad_streamid(w, walk_str(w, "Span (bits 4:0) of the L1STD at 0x%" PRIx64
						" is 0: no STEs here", at));
	if (span > 11 || span > split + 1)
		return bad_streamid(w, walk_str(w, "Span of the L1STD at 0x%" PRIx64 " is %u: more "
						"than SPLIT, reserved", at, (unsigned)span));
	if (slot >> (span - 1))
		return bad_streamid(w, walk_str(w, "Span of the L1STD at 0x%" PRIx64 " reaches to "
						"entry 0x%x; this is entry 0x%x", at,
						(1u << (span - 1)) - 1, slot));
	*pa = (l1 & FMASK(L1STD_L2Ptr) & ~(((uint64_t)64 << (span - 1)) - 1)) + 64 * slot;
	return true;
}

static bool ste_address(struct walk *w, uint64_t *pa)
{
	uint64_t cfg = w->regs->strtab_base_cfg;
	unsigned log2size = (unsigned)FGET(STRTAB_BASE_CFG_LOG2SIZE, cfg);
	unsigned sidsize = (unsigned)FGET(IDR1_SIDSIZE, w->regs->idr1);

	if (log2size > sidsize)
		log2size = sidsize;
	if ((uint64_t)w->a.sid >> log2size)
		return bad_streamid(w, walk_str(w, "the table has 2^%u entries (STRTAB_BASE_CFG."
						"LOG2SIZE, IDR1.SIDSIZE)", log2size));
	if (FGET(STRTAB_BASE_CFG_FMT, cfg) == STRTAB_BASE_CFG_FMT_TWO_LEVEL)
		return second_level(w, log2size, pa);
	*pa = aligned_base(w->regs->strtab_base, (uint64_t)64 << log2size) +
	      64 * (uint64_t)w->a.sid;
	return true;
}

/* What makes an STE with stage 1 ILLEGAL; NULL: nothing. */
static const char *stage1_illegal(struct walk *w)
{
	const uint64_t *s = w->ste;
	unsigned fmt = (unsigned)FGET(STE_S1Fmt, s[0]), max = (unsigned)FGET(STE_S1CDMax, s[0]);
	unsigned ssid = (unsigned)FGET(IDR1_SSIDSIZE, w->regs->idr1);

	if (!FGET(IDR0_S1P, w->regs->idr0))
		return "STE.Config has stage 1 and IDR0.S1P is 0";
	if (FGET(STE_S1STALLD, s[1]) && FGET(IDR0_STALL_MODEL, w->regs->idr0))
		return "STE.S1STALLD is 1 and IDR0.STALL_MODEL is not 0";
	if (ssid && max > ssid)
		return "STE.S1CDMax is larger than IDR1.SSIDSIZE";
	if (ssid && max && (fmt == STE_S1Fmt_L2_4K || fmt == STE_S1Fmt_L2_64K) &&
	    !FGET(IDR0_CD2L, w->regs->idr0))
		return "STE.S1Fmt is two-level and IDR0.CD2L is 0";
	if ((s[0] & FMASK(STE_S1ContextPtr)) >> w->oas_lg2)
		return "STE.S1ContextPtr is beyond IDR5.OAS";
	return NULL;
}

/* What a device with a cache of its own (ATS) makes ILLEGAL. */
static const char *ats_illegal(struct walk *w, unsigned config)
{
	unsigned eats = (unsigned)FGET(STE_EATS, w->ste[1]);
	bool stalls = FGET(STE_S2S, w->ste[2]);

	if (!FGET(IDR0_ATS, w->regs->idr0))
		return NULL;
	if (eats == STE_EATS_TRANS && config & 2 && stalls)
		return "STE.EATS is 0b01 and STE.S2S is 1: translation requests cannot stall";
	if (eats == STE_EATS_S1CHK && (config != STE_Config_S1_S2 || stalls ||
				       FGET(IDR0_NS1ATS, w->regs->idr0)))
		return "STE.EATS is 0b10 (split stages), which needs both stages, no stalls, and "
		       "IDR0.NS1ATS 0";
	return NULL;
}

static const char *translation_illegal(struct walk *w, unsigned config)
{
	bool world = config == STE_Config_S1 && FGET(IDR0_Hyp, w->regs->idr0);
	unsigned strw = world ? (unsigned)FGET(STE_STRW, w->ste[1]) : STE_STRW_NSEL1;
	const char *blame = config & 1 ? stage1_illegal(w) : NULL;

	if (!blame && config & 2 && !FGET(IDR0_S2P, w->regs->idr0))
		blame = "STE.Config has stage 2 and IDR0.S2P is 0";
	if (!blame && strw & 1)
		blame = "STE.STRW (bits 95:94) is 0b01 or 0b11: reserved";
	if (!blame && FGET(IDR0_S2P, w->regs->idr0) && strw == STE_STRW_NSEL1 &&
	    !FGET(IDR0_VMID16, w->regs->idr0) && FGET(STE_S2VMID, w->ste[2]) > 0xff)
		blame = "STE.S2VMID has more than 8 bits and IDR0.VMID16 is 0";
	return blame ? blame : ats_illegal(w, config);
}

static bool check_ste(struct walk *w)
{
	unsigned config = (unsigned)FGET(STE_Config, w->ste[0]);
	const char *blame = NULL;

	if (!FGET(STE_V, w->ste[0]))
		return walk_config_fault(w, EVT_C_BAD_STE, "STE.V (bit 0) is 0");
	if (config < STE_Config_BYPASS)
		return true;
	if (config & 3)
		blame = translation_illegal(w, config);
	if (blame)
		return walk_config_fault(w, EVT_C_BAD_STE, blame);
	return !(config & 2) || walk_stage2_config(w);
}

static const char *const config_words[8] = {
	"abort", "abort", "abort", "abort", "bypass", "stage 1", "stage 2", "stage 1 and stage 2",
};

bool walk_find_ste(struct walk *w)
{
	struct report_item *it;
	uint64_t pa = 0;

	if (!ste_address(w, &pa))
		return false;
	if (!read_words(w, pa, w->ste, STE_WORDS))
		return walk_fetch_fault(w, EVT_F_STE_FETCH, pa);
	it = walk_step(w, "ste", "STE", pa, w->ste, STE_WORDS);
	it->what = walk_str(w, "of StreamID 0x%x", w->a.sid);
	report_value(it, "V", FGET(STE_V, w->ste[0]), NULL);
	report_value(it, "Config", FGET(STE_Config, w->ste[0]), "%s",
		     config_words[FGET(STE_Config, w->ste[0])]);
	if (FGET(STE_Config, w->ste[0]) >= STE_Config_S1 && FGET(STE_Config, w->ste[0]) & 1) {
		report_value(it, "S1ContextPtr", w->ste[0] & FMASK(STE_S1ContextPtr), NULL);
		report_value(it, "S1CDMax", FGET(STE_S1CDMax, w->ste[0]), NULL);
		report_value(it, "S1DSS", FGET(STE_S1DSS, w->ste[1]), NULL);
	}
	if (FGET(STE_Config, w->ste[0]) == STE_Config_S1 && FGET(STE_STRW, w->ste[1]))
		report_value(it, "STRW", FGET(STE_STRW, w->ste[1]), NULL);
	if (FGET(STE_Config, w->ste[0]) >= STE_Config_S2) {
		report_value(it, "S2TTB", w->ste[3] & FMASK(STE_S2TTB), NULL);
		report_value(it, "S2VMID", FGET(STE_S2VMID, w->ste[2]), NULL);
	}
	return check_ste(w);
}

/* ---- context descriptors ---- */

/* A CD table is at physical addresses, or, nested, at IPAs. */
static bool cd_to_pa(struct walk *w, uint64_t at, uint64_t *pa)
{
	const struct purpose p = { .class = EVT_CLASS_CD };
	uint64_t bytes;

	*pa = at;
	return !w->s2 || walk_stage2(w, at, &p, pa, &bytes);
}

static bool read_cd_words(struct walk *w, uint64_t at, uint64_t *v, unsigned n, uint64_t *pa)
{
	if (!cd_to_pa(w, at, pa))
		return false;
	return read_words(w, *pa, v, n) || walk_fetch_fault(w, EVT_F_CD_FETCH, *pa);
}

static bool second_cd_level(struct walk *w, uint64_t base, unsigned max, unsigned lg2, uint64_t *at)
{
	uint32_t index = w->a.pasid >> lg2;
	unsigned upper = max > lg2 ? max - lg2 : 0;
	uint64_t l1_at = (base & ~(((uint64_t)8 << upper) - 1)) + 8 * (uint64_t)index, l1, pa, ptr;
	struct report_item *it;

	if (!read_cd_words(w, l1_at, &l1, 1, &pa))
		return false;
	ptr = l1 & FMASK(L1CD_L2Ptr) & ~(((uint64_t)64 << lg2) - 1);
	it = walk_step(w, "l1cd", "L1CD", pa, &l1, 1);
	it->what = walk_str(w, "entry 0x%x of the CD table", index);
	report_value(it, "V", FGET(L1CD_V, l1), NULL);
	report_value(it, "L2Ptr", ptr, NULL);
	if (!FGET(L1CD_V, l1))
		return walk_config_fault(w, EVT_C_BAD_SUBSTREAMID, walk_str(w, "V (bit 0) of the "
					 "L1CD at 0x%" PRIx64 " is 0", pa));
	if (ptr >> w->oas_lg2)
		return walk_config_fault(w, EVT_C_BAD_SUBSTREAMID, walk_str(w, "L2Ptr of the L1CD "
					 "at 0x%" PRIx64 " is beyond IDR5.OAS", pa));
	*at = ptr + 64 * (uint64_t)(w->a.pasid & ((1u << lg2) - 1));
	return true;
}

static bool cd_address(struct walk *w, uint64_t *at)
{
	unsigned fmt = (unsigned)FGET(STE_S1Fmt, w->ste[0]), lg2 = 0;
	unsigned max = (unsigned)FGET(STE_S1CDMax, w->ste[0]);
	uint64_t base = w->ste[0] & FMASK(STE_S1ContextPtr);

	if (!FGET(IDR1_SSIDSIZE, w->regs->idr1))
		max = 0;
	if (max)
		lg2 = fmt == STE_S1Fmt_L2_4K ? 6 : fmt == STE_S1Fmt_L2_64K ? 10 : 0;
	if (lg2)
		return second_cd_level(w, base, max, lg2, at);
	*at = (base & ~(((uint64_t)64 << max) - 1)) + 64 * (uint64_t)w->a.pasid;
	return true;
}

static const char *cd_illegal(struct walk *w)
{
	const uint64_t *c = w->cd.w;
	unsigned httu = (unsigned)FGET(IDR0_HTTU, w->regs->idr0);
	unsigned stall = (unsigned)FGET(IDR0_STALL_MODEL, w->regs->idr0);
	bool halves = !FGET(CD_EPD0, c[0]) || !FGET(CD_EPD1, c[0]);

	if (!FGET(CD_V, c[0]))
		return "CD.V (bit 31) is 0";
	if (!FGET(CD_AA64, c[0]))
		return "CD.AA64 (bit 41) is 0";
	if (FGET(CD_S, c[0]) && stall == IDR0_STALL_MODEL_TERMINATE)
		return "CD.S is 1 and IDR0.STALL_MODEL says there is no stalling";
	if (!FGET(CD_S, c[0]) && stall == IDR0_STALL_MODEL_STALL)
		return "CD.S is 0 and IDR0.STALL_MODEL says that all faults stall";
	if (FGET(CD_HA, c[0]) && !httu)
		return "CD.HA is 1 and IDR0.HTTU is 0";
	if (FGET(CD_HD, c[0]) && httu < 2)
		return "CD.HD is 1 and IDR0.HTTU does not have it";
	if (FGET(CD_S, c[0]) && FGET(STE_S1STALLD, w->ste[1]))
		return "CD.S is 1 and STE.S1STALLD forbids stalling";
	if (!FGET(CD_A, c[0]) && FGET(IDR0_TERM_MODEL, w->regs->idr0))
		return "CD.A is 0 and IDR0.TERM_MODEL says that faults always abort";
	if (!walk_endian_legal(w, FGET(CD_ENDI, c[0])) && halves)
		return "CD.ENDI is a byte order that IDR0.TTENDIAN does not have";
	if (!FGET(IDR0_ASID16, w->regs->idr0) && FGET(CD_ASID, c[0]) > 0xff)
		return "CD.ASID has more than 8 bits and IDR0.ASID16 is 0";
	return NULL;
}

bool walk_find_cd(struct walk *w)
{
	uint64_t at = 0, pa = 0;
	struct report_item *it;
	const char *blame;
	unsigned oas;

	if (!cd_address(w, &at) || !read_cd_words(w, at, w->cd.w, CD_WORDS, &pa))
		return false;
	it = walk_step(w, "cd", "CD", pa, w->cd.w, CD_WORDS);
	it->what = walk_str(w, w->a.has_pasid ? "of PASID 0x%x" : "number %u", w->a.pasid);
	report_value(it, "V", FGET(CD_V, w->cd.w[0]), NULL);
	report_value(it, "ASID", FGET(CD_ASID, w->cd.w[0]), NULL);
	report_value(it, "TTB0", w->cd.w[1] & FMASK(CD_TTB0), NULL);
	report_value(it, "T0SZ", FGET(CD_T0SZ, w->cd.w[0]), NULL);
	blame = cd_illegal(w);
	if (blame)
		return walk_config_fault(w, EVT_C_BAD_CD, blame);
	if (FGET(IDR3_S1PI, w->regs->idr3) &&
	    (FGET(STE_S1PIE, w->ste[1]) || FGET(CD_PIE, w->cd.w[2])))
		return walk_refuse(w, "STE.S1PIE, CD.PIE: permission indirection is not "
				   "explained");
	w->cd.one_priv = w->el2 && !FGET(CR2_E2H, w->regs->cr2);
	w->cd.ha = FGET(CD_HA, w->cd.w[0]);
	w->cd.hd = w->cd.ha && FGET(CD_HD, w->cd.w[0]);
	oas = walk_size_bits((unsigned)FGET(CD_IPS, w->cd.w[0]));
	w->cd.oas_lg2 = oas < w->oas_lg2 ? oas : w->oas_lg2;
	return true;
}
