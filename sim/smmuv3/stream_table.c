/* SPDX-License-Identifier: MIT */
/*
 * stream_table.c - StreamID to STE, through a linear or two-level table
 */
#include "sim.h"

/* Out of range: recorded only where CR2.RECINVSID asks for it. */
static bool bad_streamid(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	if (sim_reg_bit(s, R_CR2, FMASK(CR2_RECINVSID)))
		uiommu_sim_event_config(s, t, EVT_C_BAD_STREAMID);
	return false;
}

/* reserved values of SPLIT behave as 6 */
unsigned uiommu_sim_strtab_split(const struct uiommu_sim_smmuv3 *s)
{
	unsigned n = (unsigned)FGET(STRTAB_BASE_CFG_SPLIT, s->reg[R_STRTAB_BASE_CFG]);

	return n == 8 || n == 10 ? n : 6;
}

static uint64_t table_base(const struct uiommu_sim_smmuv3 *s, unsigned entries_lg2,
			   unsigned entry_bytes)
{
	uint64_t bytes = (uint64_t)entry_bytes << entries_lg2;

	if (bytes < 64)
		bytes = 64;
	return s->reg[R_STRTAB_BASE] & FMASK(STRTAB_BASE_ADDR) & ~(bytes - 1);
}

static int read_l1std(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned log2size,
		      uint64_t *l1)
{
	unsigned n = uiommu_sim_strtab_split(s);
	uint64_t index = t->sid >> n, pa;
	struct cfg_way *w = uiommu_sim_cfg_find(&s->cfg_cache[CFG_L1STD], index, 0);

	if (!w) {
		pa = table_base(s, log2size > n ? log2size - n : 0, 8) + index * 8;
		if (uiommu_sim_read_words(s, pa, l1, 1)) {
			uiommu_sim_event_fetch(s, t, EVT_F_STE_FETCH, pa);
			return -UIOMMU_EFAULT;
		}
		w = uiommu_sim_cfg_fill(&s->cfg_cache[CFG_L1STD], index, 0);
		w->l1 = *l1;
	}
	*l1 = w->l1;
	return 0;
}

static bool locate_two_level(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			     unsigned log2size, uint64_t *pa)
{
	unsigned n = uiommu_sim_strtab_split(s);
	uint32_t index = t->sid & ((1u << n) - 1);
	uint64_t l1, span;

	if (read_l1std(s, t, log2size, &l1))
		return false;
	span = FGET(L1STD_Span, l1);
	if (!span || span > 11 || span > n + 1 || index >> (span - 1))
		return bad_streamid(s, t);
	/* the level 2 array is aligned to its size */
	*pa = l1 & FMASK(L1STD_L2Ptr) & ~(((uint64_t)STE_WORDS * 8 << (span - 1)) - 1);
	*pa += (uint64_t)index * STE_WORDS * 8;
	return true;
}

/* where the STE is; false: the transaction ended here */
static bool locate(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, uint64_t *pa)
{
	uint64_t cfg = s->reg[R_STRTAB_BASE_CFG];
	unsigned log2size = (unsigned)FGET(STRTAB_BASE_CFG_LOG2SIZE, cfg);

	if (log2size > s->cfg.sidsize)
		log2size = s->cfg.sidsize;
	if ((uint64_t)t->sid >> log2size)
		return bad_streamid(s, t);
	if (FGET(STRTAB_BASE_CFG_FMT, cfg) == STRTAB_BASE_CFG_FMT_TWO_LEVEL)
		return locate_two_level(s, t, log2size, pa);
	*pa = table_base(s, log2size, STE_WORDS * 8) + (uint64_t)t->sid * STE_WORDS * 8;
	return true;
}

static bool s1_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint64_t fmt = FGET(STE_S1Fmt, w[0]), max = FGET(STE_S1CDMax, w[0]);

	if (FGET(STE_S1STALLD, w[1]) && s->cfg.stall != 1)
		return false;
	if (s->cfg.ssidsize && max > s->cfg.ssidsize)
		return false;
	if (s->cfg.ssidsize && max && !s->cfg.cd_2level &&
	    (fmt == STE_S1Fmt_L2_4K || fmt == STE_S1Fmt_L2_64K))
		return false;
	return !((w[0] & FMASK(STE_S1ContextPtr)) >> s->cfg.oas_lg2);
}

/* Stream worlds of stage 1: EL2 only where it is, and never in front of stage 2. */
static bool strw_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w, bool s2)
{
	uint64_t strw = FGET(STE_STRW, w[1]);

	return strw == STE_STRW_NSEL1 || (strw == STE_STRW_EL2 && s->cfg.hyp && !s2);
}

static enum sim_ste_kind kind_of(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned config = (unsigned)FGET(STE_Config, w[0]);
	bool s1 = config & 1, s2 = config & 2;

	if (!FGET(STE_V, w[0]))
		return STE_ILLEGAL;
	if (config < STE_Config_BYPASS)		/* 0b0xx */
		return STE_ABORT;
	if ((s1 && s->cfg.no_stage1) || (s2 && !s->cfg.stage2))
		return STE_ILLEGAL;
	if ((s1 || s2) && s->cfg.stage2 && !s->cfg.vmid16 && FGET(STE_S2VMID, w[2]) > 0xff)
		return STE_ILLEGAL;
	if (s1 && !(s1_legal(s, w) && strw_legal(s, w, s2)))
		return STE_ILLEGAL;
	return !s2 || uiommu_sim_s2_legal(s, w) ? STE_USABLE : STE_ILLEGAL;
}

static void decode(struct uiommu_sim_smmuv3 *s, const uint64_t *w, struct sim_ste *ste)
{
	unsigned config = (unsigned)FGET(STE_Config, w[0]);
	bool el2 = FGET(STE_STRW, w[1]) == STE_STRW_EL2;

	*ste = (struct sim_ste){
		.kind = kind_of(s, w),
		.s1 = config & 1, .s2 = config & 2,
		.s1stalld = FGET(STE_S1STALLD, w[1]),
		.mev = FGET(STE_MEV, w[1]),
		.regime = el2 ? SIM_EL2 : SIM_NH,
		.vmid = s->cfg.stage2 && !el2 ? (uint16_t)FGET(STE_S2VMID, w[2]) : 0,
		.eats = (unsigned)FGET(STE_EATS, w[1]),
		.s1fmt = (unsigned)FGET(STE_S1Fmt, w[0]),
		/* without substreams both fields are IGNORED */
		.s1cdmax = s->cfg.ssidsize ? (unsigned)FGET(STE_S1CDMax, w[0]) : 0,
		.s1dss = (unsigned)FGET(STE_S1DSS, w[1]),
		.privcfg = (unsigned)FGET(STE_PRIVCFG, w[1]),
		.instcfg = (unsigned)FGET(STE_INSTCFG, w[1]),
		.ctxptr = w[0] & FMASK(STE_S1ContextPtr),
		.cd_stamp = ++s->stamp,
	};
	if (ste->kind == STE_USABLE && ste->s2)
		uiommu_sim_s2_decode(s, w, ste);
}

static struct sim_ste *fetch(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	uint64_t pa, words[STE_WORDS];
	struct cfg_way *w;

	if (!locate(s, t, &pa))
		return NULL;
	s->stats.ste_fetches++;
	if (uiommu_sim_read_words(s, pa, words, STE_WORDS)) {
		uiommu_sim_event_fetch(s, t, EVT_F_STE_FETCH, pa);
		return NULL;
	}
	w = uiommu_sim_cfg_fill(&s->cfg_cache[CFG_STE], t->sid, 0);
	decode(s, words, &w->ste);
	return &w->ste;
}

const struct sim_ste *uiommu_sim_ste(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	struct cfg_way *w = uiommu_sim_cfg_find(&s->cfg_cache[CFG_STE], t->sid, 0);
	struct sim_ste *ste = w ? &w->ste : fetch(s, t);

	if (ste && ste->kind == STE_ILLEGAL) {
		uiommu_sim_event_config(s, t, EVT_C_BAD_STE);
		return NULL;
	}
	return ste;
}
