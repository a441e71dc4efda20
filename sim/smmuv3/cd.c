/* SPDX-License-Identifier: MIT */
/*
 * cd.c - (STE, SubstreamID) to CD, through a linear or two-level table
 */
#include "sim.h"

/* a two-level table's lower level holds 64 (4 KiB) or 1024 (64 KiB) CDs */
static unsigned l2_lg2(const struct sim_ste *ste)
{
	if (!ste->s1cdmax)
		return 0;
	return ste->s1fmt == STE_S1Fmt_L2_4K ? 6 : ste->s1fmt == STE_S1Fmt_L2_64K ? 10 : 0;
}

static enum sim_end bad(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	uiommu_sim_event_config(s, t, code);
	return SIM_ABORT;
}

/* @addr is an IPA where stage 2 is in use */
static enum sim_end read_words(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t addr,
			       uint64_t *w, unsigned n)
{
	enum sim_end end = uiommu_sim_fetch_addr(s, t, &addr, SIM_CLASS_CD, SIM_PERM_R);

	if (end != SIM_OK)
		return end;
	if (!uiommu_sim_read_words(s, addr, w, n))
		return SIM_OK;
	uiommu_sim_event_fetch(s, t, EVT_F_CD_FETCH, addr);
	return SIM_ABORT;
}

static enum sim_end read_l1cd(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, unsigned lg2,
			      uint64_t *l1)
{
	const struct sim_ste *ste = t->ste;
	uint32_t index = t->ssid >> lg2;
	unsigned upper = ste->s1cdmax > lg2 ? ste->s1cdmax - lg2 : 0;
	uint64_t key = sim_cfg_key(t->sid, index), addr;
	struct cfg_way *w = uiommu_sim_cfg_find(&s->cfg_cache[CFG_L1CD], key, ste->cd_stamp);
	enum sim_end end;

	if (!w) {
		addr = (ste->ctxptr & ~(((uint64_t)8 << upper) - 1)) + (uint64_t)index * 8;
		end = read_words(s, t, addr, l1, 1);
		if (end != SIM_OK)
			return end;
		w = uiommu_sim_cfg_fill(&s->cfg_cache[CFG_L1CD], key, ste->cd_stamp);
		w->l1 = *l1;
	}
	*l1 = w->l1;
	return SIM_OK;
}

static enum sim_end locate(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t *addr)
{
	const struct sim_ste *ste = t->ste;
	unsigned lg2 = l2_lg2(ste);
	uint64_t l1, ptr;
	enum sim_end end;

	if (!lg2) {
		*addr = (ste->ctxptr & ~(((uint64_t)CD_WORDS * 8 << ste->s1cdmax) - 1)) +
			(uint64_t)t->ssid * CD_WORDS * 8;
		return SIM_OK;
	}
	end = read_l1cd(s, t, lg2, &l1);
	if (end != SIM_OK)
		return end;
	ptr = l1 & FMASK(L1CD_L2Ptr) & ~(((uint64_t)CD_WORDS * 8 << lg2) - 1);
	if (!FGET(L1CD_V, l1) || ptr >> s->cfg.oas_lg2)
		return bad(s, t, EVT_C_BAD_SUBSTREAMID);
	*addr = ptr + (uint64_t)(t->ssid & ((1u << lg2) - 1)) * CD_WORDS * 8;
	return SIM_OK;
}

/* the granules of the two halves are encoded differently */
static unsigned granule(const struct uiommu_sim_smmuv3 *s, bool upper, unsigned tg)
{
	static const uint8_t lg2[2][4] = {
		{ [CD_TG0_4K] = 12, [CD_TG0_64K] = 16, [CD_TG0_16K] = 14 },
		{ [CD_TG1_16K] = 14, [CD_TG1_4K] = 12, [CD_TG1_64K] = 16 },
	};
	unsigned g = lg2[upper][tg];

	if ((g == 12 && s->cfg.gran4k) || (g == 14 && s->cfg.gran16k) ||
	    (g == 16 && s->cfg.gran64k))
		return g;
	return 0;
}

/* Fields of a disabled half are IGNORED. TTBs outside the output size, sizes
 * outside the architecture's limits and unsupported granules are ILLEGAL. */
static bool decode_half(const struct uiommu_sim_smmuv3 *s, const struct sim_cd *cd,
			struct sim_tt *tt, bool upper, unsigned tg, unsigned tsz)
{
	unsigned oas = cd->oas_lg2;
	bool wide;

	if (tt->disabled)
		return true;
	tt->granule_lg2 = granule(s, upper, tg);
	tt->ias_lg2 = 64 - tsz;
	tt->ds = tt->ds && tt->granule_lg2 != 16;
	wide = tt->granule_lg2 == 16 || tt->ds;
	if (!wide && oas > 48)
		oas = 48;
	return tt->granule_lg2 && !(tt->base >> oas) &&
	       sim_tsz_legal(s, tt->granule_lg2, wide && s->cfg.vax52 ? 12 : 16, tsz);
}

static unsigned output_size(const struct uiommu_sim_smmuv3 *s, unsigned ips)
{
	static const uint8_t lg2[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return lg2[ips] < s->cfg.oas_lg2 ? lg2[ips] : s->cfg.oas_lg2;
}

/* CD.S: what STALL_MODEL leaves, and STE.S1STALLD takes away */
static bool stall_legal(const struct uiommu_sim_smmuv3 *s, const struct sim_ste *ste, bool stall)
{
	if (s->cfg.stall == 1)
		return !(stall && ste->s1stalld);
	return stall == (s->cfg.stall == 2);
}

static bool httu_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	return !(FGET(CD_HA, w[0]) && s->cfg.httu < 1) && !(FGET(CD_HD, w[0]) && s->cfg.httu < 2);
}

static bool legal(const struct uiommu_sim_smmuv3 *s, const struct sim_ste *ste, const uint64_t *w,
		  struct sim_cd *cd)
{
	if (!FGET(CD_V, w[0]) || !FGET(CD_AA64, w[0]))
		return false;		/* TTF */
	if (s->cfg.abort_only && !cd->abort)
		return false;		/* TERM_MODEL */
	if (!stall_legal(s, ste, FGET(CD_S, w[0])) || !httu_legal(s, w))
		return false;
	if (!sim_endian_legal(s, cd->big_endian) && !(cd->tt[0].disabled && cd->tt[1].disabled))
		return false;
	if (!s->cfg.asid16 && cd->asid > 0xff)
		return false;
	return decode_half(s, cd, &cd->tt[0], false, (unsigned)FGET(CD_TG0, w[0]),
			   (unsigned)FGET(CD_T0SZ, w[0])) &&
	       decode_half(s, cd, &cd->tt[1], true, (unsigned)FGET(CD_TG1, w[0]),
			   (unsigned)FGET(CD_T1SZ, w[0]));
}

static void decode(const struct uiommu_sim_smmuv3 *s, const struct sim_ste *ste, const uint64_t *w,
		   struct sim_cd *cd)
{
	/* EL2 without E2H has one half, which cannot be disabled, one privilege, no ASID */
	bool one = ste->regime == SIM_EL2 && !sim_reg_bit(s, R_CR2, FMASK(CR2_E2H));
	bool e0pd = s->cfg.e0pd && !one, ds = s->cfg.ds && FGET(CD_DS, w[2]);
	bool had = !s->cfg.no_had;

	*cd = (struct sim_cd){
		.abort = FGET(CD_A, w[0]),
		.record = FGET(CD_R, w[0]),
		.stall = FGET(CD_S, w[0]),
		.affd = FGET(CD_AFFD, w[0]),
		.wxn = FGET(CD_WXN, w[0]),
		.pan = FGET(CD_PAN, w[0]),
		.epan = s->cfg.epan && FGET(CD_EPAN, w[1]),
		.ha = FGET(CD_HA, w[0]),
		.hd = FGET(CD_HA, w[0]) && FGET(CD_HD, w[0]),
		.one_priv = one,
		.big_endian = FGET(CD_ENDI, w[0]),
		.aset = !one && FGET(CD_ASET, w[0]),
		.asid = one ? 0 : (uint16_t)FGET(CD_ASID, w[0]),
		.oas_lg2 = output_size(s, (unsigned)FGET(CD_IPS, w[0])),
		.tt = {
			{ .disabled = !one && FGET(CD_EPD0, w[0]), .tbi = FGET(CD_TBI0, w[0]),
			  .had = had && FGET(CD_HAD0, w[1]), .e0pd = e0pd && FGET(CD_E0PD0, w[1]),
			  .ds = ds, .base = w[1] & FMASK(CD_TTB0) },
			{ .disabled = one || FGET(CD_EPD1, w[0]), .tbi = FGET(CD_TBI1, w[0]),
			  .had = had && FGET(CD_HAD1, w[2]), .e0pd = e0pd && FGET(CD_E0PD1, w[2]),
			  .ds = ds, .base = w[2] & FMASK(CD_TTB1) },
		},
	};
	cd->legal = legal(s, ste, w, cd);
}

static enum sim_end fetch(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct sim_cd **cd)
{
	uint64_t addr, words[CD_WORDS];
	enum sim_end end = locate(s, t, &addr);
	struct cfg_way *w;

	if (end != SIM_OK)
		return end;
	s->stats.cd_fetches++;
	end = read_words(s, t, addr, words, CD_WORDS);
	if (end != SIM_OK)
		return end;
	w = uiommu_sim_cfg_fill(&s->cfg_cache[CFG_CD], sim_cfg_key(t->sid, t->ssid),
				t->ste->cd_stamp);
	decode(s, t->ste, words, &w->cd);
	*cd = &w->cd;
	return SIM_OK;
}

enum sim_end uiommu_sim_cd(struct uiommu_sim_smmuv3 *s, struct sim_txn *t)
{
	struct cfg_way *w = uiommu_sim_cfg_find(&s->cfg_cache[CFG_CD],
						sim_cfg_key(t->sid, t->ssid), t->ste->cd_stamp);
	struct sim_cd *cd = w ? &w->cd : NULL;
	enum sim_end end = cd ? SIM_OK : fetch(s, t, &cd);

	if (end != SIM_OK)
		return end;
	if (!cd->legal)
		return bad(s, t, EVT_C_BAD_CD);
	t->cd = cd;
	return SIM_OK;
}
