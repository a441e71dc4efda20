/* SPDX-License-Identifier: MIT */
/*
 * stream_table.c - StreamID to STE, through a linear or two-level table
 */
#include "sim.h"

/* Out of range: recorded only where CR2.RECINVSID asks for it; of a translated
 * transaction, whatever that says. */
static bool bad_streamid(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	s->last_code = EVT_C_BAD_STREAMID;
	if (t->translated || sim_reg_bit(s, R_CR2, FMASK(CR2_RECINVSID)))
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

/* STRW is IGNORED unless stage 1 alone translates, and without IDR0.Hyp. */
static uint64_t stream_world(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	if (!s->cfg.hyp || FGET(STE_Config, w[0]) != STE_Config_S1)
		return STE_STRW_NSEL1;
	return FGET(STE_STRW, w[1]);
}

/* IGNORED without IDR0.ATS; 0b11 needs a device permission table, and there is none */
static unsigned eats(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned v = (unsigned)FGET(STE_EATS, w[1]);

	return !s->cfg.ats || v > STE_EATS_S1CHK ? STE_EATS_ABORT : v;
}

/* Stage 2 must not stall translation requests; split-stage needs both stages. */
static bool eats_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w, bool s1, bool s2)
{
	bool stalls = FGET(STE_S2S, w[2]);

	switch (eats(s, w)) {
	case STE_EATS_TRANS:
		return !(s2 && stalls);
	case STE_EATS_S1CHK:
		return s1 && s2 && !stalls && !s->cfg.no_split_ats;
	default:
		return true;
	}
}

/* where the structure is that maps PARTIDs; 0: not in use */
static uint64_t vms(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	if (!s->cfg.mpam_partid_max || !FGET(STE_S1MPAM, w[1]) ||
	    FGET(STE_Config, w[0]) != STE_Config_S1_S2)
		return 0;
	return w[5] & FMASK(STE_VMSPtr);
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
	if (!s1 && !s2)
		return STE_USABLE;
	if (stream_world(s, w) & 1 || !eats_legal(s, w, s1, s2) || vms(s, w) >> s->cfg.oas_lg2)
		return STE_ILLEGAL;
	if (s->cfg.stage2 && !s->cfg.vmid16 && FGET(STE_S2VMID, w[2]) > 0xff &&
	    stream_world(s, w) == STE_STRW_NSEL1)
		return STE_ILLEGAL;
	if (s1 && !s1_legal(s, w))
		return STE_ILLEGAL;
	return !s2 || uiommu_sim_s2_legal(s, w) ? STE_USABLE : STE_ILLEGAL;
}

/* STEs of a span that CONT promises must not differ but in CONT. */
static uint64_t content_of(const uint64_t *w)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < STE_WORDS; i++) {
		h = (h ^ (i == STE_CONT_WORD ? w[i] & ~FMASK(STE_CONT) : w[i])) *
		    0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h;
}

static void decode(struct uiommu_sim_smmuv3 *s, const uint64_t *w, struct sim_ste *ste)
{
	unsigned config = (unsigned)FGET(STE_Config, w[0]);
	bool el2 = stream_world(s, w) == STE_STRW_EL2;

	*ste = (struct sim_ste){
		.kind = kind_of(s, w),
		.s1 = config & 1, .s2 = config & 2,
		.s1stalld = FGET(STE_S1STALLD, w[1]),
		.mev = FGET(STE_MEV, w[1]),
		.ppar = FGET(STE_PPAR, w[1]),
		.cont = FGET(STE_V, w[0]) ? (unsigned)FGET(STE_CONT, w[1]) : 0,
		.content = s->cfg.conflicts ? content_of(w) : 0,
		.vms = vms(s, w),
		.regime = el2 ? SIM_EL2 : SIM_NH,
		.vmid = s->cfg.stage2 && !el2 ? (uint16_t)FGET(STE_S2VMID, w[2]) : 0,
		.eats = eats(s, w),
		.s1fmt = (unsigned)FGET(STE_S1Fmt, w[0]),
		/* without substreams both fields are IGNORED */
		.s1cdmax = s->cfg.ssidsize ? (unsigned)FGET(STE_S1CDMax, w[0]) : 0,
		.s1dss = (unsigned)FGET(STE_S1DSS, w[1]),
		.privcfg = s->cfg.no_overrides ? 0 : (unsigned)FGET(STE_PRIVCFG, w[1]),
		.instcfg = s->cfg.no_overrides ? 0 : (unsigned)FGET(STE_INSTCFG, w[1]),
		.ctxptr = w[0] & FMASK(STE_S1ContextPtr),
		.cd_stamp = ++s->stamp,
	};
	if (ste->kind == STE_USABLE && ste->s2)
		uiommu_sim_s2_decode(s, w, ste);
}

static bool spans(const struct cfg_way *w, uint32_t sid)
{
	return (w->key ^ sid) >> w->ste.cont == 0;
}

/* One that is cached, whose span reaches this StreamID or the other way around, and
 * that is not the same. Which of the two is used is up to the SMMU; this one may be
 * configured to mind. */
static bool cfg_conflict(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			 const struct cfg_way *new)
{
	const struct cfg_cache *c = &s->cfg_cache[CFG_STE];

	for (unsigned i = 0; s->cfg.conflicts && i < uiommu_sim_cfg_num_ways(c); i++) {
		const struct cfg_way *w = &c->ways[i];

		if (w->valid && w != new && w->ste.content != new->ste.content &&
		    (spans(w, t->sid) || spans(new, (uint32_t)w->key)))
			return true;
	}
	return false;
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
	if (cfg_conflict(s, t, w)) {
		w->valid = false;
		uiommu_sim_event_config(s, t, EVT_F_CFG_CONFLICT);
		return NULL;
	}
	return &w->ste;
}

/* The virtual machine structure goes into the cache with the STE. */
static bool vms_fetched(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, struct sim_ste *ste)
{
	uint64_t partid_map[8];

	if (!ste->vms || ste->vms_read)
		return true;
	if (uiommu_sim_read_words(s, ste->vms, partid_map, 8)) {
		uiommu_sim_event_fetch(s, t, EVT_F_VMS_FETCH, ste->vms);
		return false;
	}
	ste->vms_read = true;
	return true;
}

const struct sim_ste *uiommu_sim_ste(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	struct cfg_way *w = uiommu_sim_cfg_find(&s->cfg_cache[CFG_STE], t->sid, 0);
	struct sim_ste *ste = w ? &w->ste : fetch(s, t);

	if (ste && ste->kind == STE_ILLEGAL) {
		uiommu_sim_event_config(s, t, EVT_C_BAD_STE);
		return NULL;
	}
	return ste && vms_fetched(s, t, ste) ? ste : NULL;
}
