/* SPDX-License-Identifier: MIT */
/*
 * dma.c - a transaction from its arrival to memory
 */
#include "sim.h"

static enum sim_end straight_through(const struct uiommu_sim_smmuv3 *s, uint64_t addr,
				     struct sim_tlb_entry *out)
{
	if (addr >> s->cfg.oas_lg2)
		return SIM_ABORT;
	*out = (struct sim_tlb_entry){ .size_lg2 = (uint8_t)s->cfg.oas_lg2,
				       .perm1 = SIM_PERM_ALL, .perm2 = SIM_PERM_ALL };
	return SIM_OK;
}

/* CR0.SMMUEN is 0: GBPA says what becomes of it; nothing is recorded */
static enum sim_end global_bypass(const struct uiommu_sim_smmuv3 *s, uint64_t addr,
				  struct sim_tlb_entry *out)
{
	if (sim_reg_bit(s, R_GBPA, FMASK(GBPA_ABORT)))
		return SIM_ABORT;
	return straight_through(s, addr, out);
}

/* Stage 1 does not translate; its "output" must still be an address. */
static enum sim_end stage1_bypass(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
				  struct sim_tlb_entry *out)
{
	const struct sim_fault f = { .code = EVT_F_ADDR_SIZE, .class = SIM_CLASS_IN };
	enum sim_end end = straight_through(s, t->addr, out);

	if (end != SIM_OK)
		return uiommu_sim_fault(s, t, &f);
	if (!t->ste->s2)
		return SIM_OK;
	return uiommu_sim_stage2(s, t, t->addr, SIM_CLASS_IN, sim_need(t), out);
}

static enum sim_end config_error(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				 unsigned code)
{
	uiommu_sim_event_config(s, t, code);
	return SIM_ABORT;
}

/* Overrides of the STE; instruction writes do not exist. */
static void override(struct sim_txn *t, const struct sim_ste *ste)
{
	if (ste->privcfg >= STE_PRIVCFG_UNPRIV)
		t->priv = ste->privcfg == STE_PRIVCFG_PRIV;
	if (ste->instcfg >= STE_INSTCFG_DATA)
		t->inst = ste->instcfg == STE_INSTCFG_INSTRUCTION;
	t->inst = t->inst && !t->write;
}

static enum sim_end translate(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			      struct sim_tlb_entry *out)
{
	enum sim_end end = uiommu_sim_cd(s, t);

	return end == SIM_OK ? uiommu_sim_stage1(s, t, out) : end;
}

/* Which CD, if any: S1CDMax and S1DSS. */
static enum sim_end substream(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			      struct sim_tlb_entry *out)
{
	const struct sim_ste *ste = t->ste;

	if (t->ssv) {
		if (!ste->s1cdmax || t->ssid >> ste->s1cdmax)
			return config_error(s, t, EVT_C_BAD_SUBSTREAMID);
		if (!t->ssid && ste->s1dss == STE_S1DSS_SSID0)
			return config_error(s, t, EVT_F_STREAM_DISABLED);
	} else if (ste->s1cdmax && ste->s1dss == STE_S1DSS_BYPASS) {
		return stage1_bypass(s, t, out);
	} else if (ste->s1cdmax && ste->s1dss != STE_S1DSS_SSID0) {
		return config_error(s, t, EVT_F_STREAM_DISABLED);
	}
	return translate(s, t, out);
}

/* ---- translation requests and translated transactions ---- */

static enum sim_end ats_error(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	uiommu_sim_event_ats(s, t, code);
	return SIM_ABORT;
}

/* Neither bypass nor abort has ATS. Split-stage ATS gives out stage 1's output, and
 * the translated transaction must come back for the second one: ATSCHK. */
static unsigned effective_eats(const struct uiommu_sim_smmuv3 *s, const struct sim_ste *ste)
{
	if (!ste->s1 && !ste->s2)
		return STE_EATS_ABORT;
	if (ste->eats == STE_EATS_S1CHK && !sim_reg_bit(s, R_CR0, FMASK(CR0_ATSCHK)))
		return STE_EATS_ABORT;
	return ste->eats;
}

/* What a device says it has been told: believed, unless CR0.ATSCHK is set. */
static enum sim_end translated(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			       struct sim_tlb_entry *out)
{
	t->ssv = t->priv = t->inst = false;	/* IDR3.PASIDTT is 0 */
	t->ssid = 0;
	if (!sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)) || !s->cfg.ats)
		return ats_error(s, t, EVT_F_TRANSL_FORBIDDEN);
	if (!sim_reg_bit(s, R_CR0, FMASK(CR0_ATSCHK)))
		return straight_through(s, t->addr, out);
	t->ste = uiommu_sim_ste(s, t);
	if (!t->ste)
		return SIM_ABORT;
	if (t->ste->kind == STE_ABORT)
		return SIM_ABORT;
	switch (effective_eats(s, t->ste)) {
	case STE_EATS_TRANS:
		return straight_through(s, t->addr, out);
	case STE_EATS_S1CHK:
		override(t, t->ste);
		return stage1_bypass(s, t, out);
	default:
		return ats_error(s, t, EVT_F_TRANSL_FORBIDDEN);
	}
}

/* ---- any transaction ---- */

static enum sim_end untranslated(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
				 struct sim_tlb_entry *out)
{
	t->ste = uiommu_sim_ste(s, t);
	if (!t->ste || t->ste->kind == STE_ABORT)
		return SIM_ABORT;
	if (t->ats && !effective_eats(s, t->ste))
		return ats_error(s, t, EVT_F_BAD_ATS_TREQ);
	override(t, t->ste);
	t->split = t->ats && effective_eats(s, t->ste) == STE_EATS_S1CHK;
	if (t->ste->s1)
		return substream(s, t, out);
	if (t->ssv)
		return config_error(s, t, EVT_C_BAD_SUBSTREAMID);
	return stage1_bypass(s, t, out);
}

/* Recorded with the attributes as they came, also while SMMUEN is 0. */
static enum sim_end unsupported(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t)
{
	if (!t->translated)
		uiommu_sim_event_unsupported(s, t, t->unsupported);
	return SIM_ABORT;
}

enum sim_end uiommu_sim_transaction(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
				    struct sim_tlb_entry *out)
{
	s->stats.translations++;
	s->last_code = 0;
	if (s->failed)
		return SIM_ABORT;
	if (t->unsupported)
		return unsupported(s, t);
	if (t->translated)
		return translated(s, t, out);
	if (sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)))
		return untranslated(s, t, out);
	return t->ats ? ats_error(s, t, EVT_F_BAD_ATS_TREQ) : global_bypass(s, t->addr, out);
}

static enum sim_end transaction(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
				struct uiommu_sim_xlat *out)
{
	struct sim_tlb_entry e;
	enum sim_end end = uiommu_sim_transaction(s, t, &e);
	uint64_t offset;

	if (end != SIM_OK)
		return end;
	offset = t->addr & (((uint64_t)1 << e.size_lg2) - 1);
	out->pa = e.pa + offset;
	out->bytes = ((uint64_t)1 << e.size_lg2) - offset;
	return SIM_OK;
}

struct sim_txn uiommu_sim_arrive(const struct uiommu_sim_access *a, uiommu_iova_t iova)
{
	return (struct sim_txn){
		.sid = a->stream_id, .ssv = a->ssv, .ssid = a->ssv ? a->substream_id : 0,
		.write = a->write, .inst = a->exec && !a->write, .priv = a->priv,
		.translated = a->translated, .unsupported = a->unsupported,
		.addr = iova,
	};
}

int uiommu_sim_result(enum sim_end end)
{
	switch (end) {
	case SIM_OK:
	case SIM_RAZ_WI:
		return 0;
	case SIM_STALLED:
		return -UIOMMU_EAGAIN;
	case SIM_BUSY:
		return -UIOMMU_EBUSY;
	default:
		return -UIOMMU_EFAULT;
	}
}

/* ---- moving data ---- */

static void zero(uint8_t *p, size_t n)
{
	while (n--)
		*p++ = 0;
}

/* what is no hit; @slot is marked, and stays so for SIM_OK */
enum sim_end uiommu_sim_slow(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			     uiommu_iova_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *x)
{
	struct sim_txn t = uiommu_sim_arrive(a, iova);
	enum sim_end end;

	*x = (struct uiommu_sim_xlat){ 0 };
	uiommu_sim_enter(s);
	end = transaction(s, &t, x);
	if (end == SIM_OK)
		uiommu_sim_ctx_fill(s, a, &t);
	else
		uiommu_sim_finish_locked(s, slot);
	uiommu_sim_leave(s);
	x->raz_wi = end == SIM_RAZ_WI;
	x->stag = t.stag;
	return end;
}

/* SIM_OK: *@x is good until @slot, which is marked, is not any more */
static enum sim_end find(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			 uiommu_iova_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *x)
{
	return uiommu_sim_hit(s, a, iova, slot, x) ? SIM_OK :
						     uiommu_sim_slow(s, a, iova, slot, x);
}

int uiommu_sim_smmuv3_translate(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
				struct uiommu_sim_xlat *out)
{
	struct sim_slot *slot = uiommu_sim_mark(s);
	enum sim_end end = find(s, a, a->iova, slot, out);

	if (end == SIM_OK)
		uiommu_sim_finish(s, slot);
	return uiommu_sim_result(end);
}

/* The part of a DMA up to the end of one page. */
static int transfer(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
		    uiommu_iova_t iova, uint8_t *buf, size_t bytes, size_t *moved, uint16_t *stag)
{
	struct sim_slot *slot = uiommu_sim_mark(s);
	struct uiommu_sim_xlat x;
	enum sim_end end = find(s, a, iova, slot, &x);
	int err;

	*stag = x.stag;
	if (uiommu_sim_result(end))
		return uiommu_sim_result(end);
	if (end == SIM_RAZ_WI) {
		*moved = bytes;
		if (!a->write)
			zero(buf, bytes);
		return 0;
	}
	*moved = bytes < x.bytes ? bytes : (size_t)x.bytes;
	err = a->write ? s->env.write(s->env.ctx, x.pa, buf, *moved)
		       : s->env.read(s->env.ctx, x.pa, buf, *moved);
	uiommu_sim_finish(s, slot);
	return err ? -UIOMMU_EFAULT : 0;
}

int uiommu_sim_smmuv3_dma_stag(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			       void *buf, size_t bytes, size_t *done, uint16_t *stag)
{
	size_t n = 0, moved = 0;
	uint16_t tag = 0;
	int err = 0;

	while (n < bytes) {
		err = transfer(s, a, a->iova + n, (uint8_t *)buf + n, bytes - n, &moved, &tag);
		if (err)
			break;
		n += moved;
	}
	if (done)
		*done = n;
	if (stag && err == -UIOMMU_EAGAIN)
		*stag = tag;
	return err;
}

int uiommu_sim_smmuv3_dma(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			  void *buf, size_t bytes, size_t *done)
{
	return uiommu_sim_smmuv3_dma_stag(s, a, buf, bytes, done, NULL);
}
