/* SPDX-License-Identifier: MIT */
/*
 * events.c - event records
 *
 * Bits that a record does not define are zero, and so are those that it leaves
 * UNKNOWN.
 */
#include "temper.h"

/* STE.MEV permits it; the one before must still be there to stand for this one */
static bool merged(const struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, const uint64_t *w)
{
	uint64_t diff = s->reg[R_EVENTQ_PROD] ^ s->reg[R_EVENTQ_CONS];

	if (!s->cfg.merge_events || !t->ste || !t->ste->mev || !(diff & FMASK(EVENTQ_PROD_WR)))
		return false;
	for (unsigned i = 0; i < EVT_WORDS; i++)
		if (w[i] != s->last_event[i])
			return false;
	return true;
}

/* Of configuration errors only ordinary transactions tell, and with CR2.REC_CFG_ATS
 * others. What a translated one meets behind that, in split-stage ATS, is told. */
static bool told(const struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	if (sim_reg_bit(s, R_CR2, FMASK(CR2_REC_CFG_ATS)))
		return true;
	if (t->ats)
		return code == EVT_F_BAD_ATS_TREQ;
	return !t->translated || (code >= EVT_F_TRANSL_FORBIDDEN && code != EVT_F_CFG_CONFLICT &&
				  code != EVT_F_VMS_FETCH);
}

/* Into the queue, or lost. */
void uiommu_sim_event_put(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	if (uiommu_sim_outq_put(s, SIM_EVENTQ, w) != SIM_PUT) {
		s->stats.events_lost++;
		return;
	}
	s->stats.events++;
	for (unsigned i = 0; i < EVT_WORDS; i++)
		s->last_event[i] = w[i];
}

void uiommu_sim_event_record(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			     const uint64_t *w)
{
	s->last_code = (unsigned)FGET(EVT_Number, w[0]);
	if (!told(s, t, s->last_code))
		return;
	if (t->prefetch || merged(s, t, w))
		return;
	if (s->temper)
		uiommu_sim_temper_event(s, w);
	else
		uiommu_sim_event_put(s, w);
}

static void header(uint64_t *w, const struct sim_txn *t, unsigned code)
{
	for (unsigned i = 1; i < EVT_WORDS; i++)
		w[i] = 0;
	w[0] = FPREP(EVT_Number, code) | FPREP(EVT_StreamID, t->sid);
	if (t->ssv)
		w[0] |= FPREP(EVT_SSV, 1) | FPREP(EVT_SubstreamID, t->ssid);
}

/* PnU, InD, RnW and InputAddr are where F_TRANSLATION has them in every record */
static void access(uint64_t *w, const struct sim_txn *t)
{
	w[1] |= FPREP(EVT_F_TRANSLATION_PnU, t->priv) | FPREP(EVT_F_TRANSLATION_InD, t->inst) |
		FPREP(EVT_F_TRANSLATION_RnW, !t->write);
	w[2] = t->addr;
}

void uiommu_sim_event_config(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	uint64_t w[EVT_WORDS];

	header(w, t, code);
	if (code == EVT_C_BAD_SUBSTREAMID)	/* SubstreamID always valid, no SSV */
		w[0] = (w[0] & ~FMASK(EVT_SSV)) |
		       FPREP(EVT_C_BAD_SUBSTREAMID_SubstreamID, t->ssid);
	uiommu_sim_event_record(s, t, w);
}

void uiommu_sim_event_fetch(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code,
			    uint64_t addr)
{
	uint64_t w[EVT_WORDS];

	header(w, t, code);
	w[3] = addr & FMASK(EVT_F_STE_FETCH_FetchAddr) & sim_bits(s->cfg.oas_lg2 - 1, 0);
	uiommu_sim_event_record(s, t, w);
}

/* F_BAD_ATS_TREQ, F_TRANSL_FORBIDDEN */
void uiommu_sim_event_ats(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	uint64_t w[EVT_WORDS];

	header(w, t, code);
	if (code == EVT_F_TRANSL_FORBIDDEN) {
		w[1] = FPREP(EVT_F_TRANSL_FORBIDDEN_RnW, !t->write);
		w[2] = t->addr;
	} else {	/* one STU; as requested, before the STE's overrides */
		w[1] = FPREP(EVT_F_BAD_ATS_TREQ_R, 1) | FPREP(EVT_F_BAD_ATS_TREQ_W, t->write) |
		       FPREP(EVT_F_BAD_ATS_TREQ_X, t->asks_exec) |
		       FPREP(EVT_F_BAD_ATS_TREQ_P, t->priv) | FPREP(EVT_F_BAD_ATS_TREQ_Span, 1);
		w[2] = t->addr & FMASK(EVT_F_BAD_ATS_TREQ_InputAddr);
	}
	uiommu_sim_event_record(s, t, w);
}

void uiommu_sim_event_unsupported(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				  unsigned reason)
{
	uint64_t w[EVT_WORDS];

	header(w, t, EVT_F_UUT);
	access(w, t);
	w[1] |= FPREP(EVT_F_UUT_Reason, reason);
	uiommu_sim_event_record(s, t, w);
}

void uiommu_sim_event_tlb_conflict(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, bool s2,
				   uint64_t ipa)
{
	uint64_t w[EVT_WORDS];

	header(w, t, EVT_F_TLB_CONFLICT);
	access(w, t);
	w[1] |= FPREP(EVT_F_TLB_CONFLICT_S2, s2);
	w[3] = s2 ? ipa & FMASK(EVT_F_TLB_CONFLICT_IPA) : 0;
	uiommu_sim_event_record(s, t, w);
}

/* @addr is what was fetched; S2 and CLASS say for what */
void uiommu_sim_event_walk_eabt(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				const struct sim_fault *f, uint64_t addr)
{
	uint64_t w[EVT_WORDS];

	header(w, t, EVT_F_WALK_EABT);
	access(w, t);
	w[1] |= FPREP(EVT_F_WALK_EABT_CLASS, f->class) | FPREP(EVT_F_WALK_EABT_S2, f->s2);
	w[3] = addr & FMASK(EVT_F_WALK_EABT_FetchAddr);
	uiommu_sim_event_record(s, t, w);
}

void uiommu_sim_event_fault(const struct sim_txn *t, const struct sim_fault *f, uint64_t *w)
{
	header(w, t, f->code);
	access(w, t);
	w[1] |= FPREP(EVT_F_TRANSLATION_CLASS, f->class) | FPREP(EVT_F_TRANSLATION_S2, f->s2);
	if (!f->s2)
		return;
	w[3] = f->ipa & FMASK(EVT_F_TRANSLATION_IPA);
	if (f->code == EVT_F_PERMISSION && f->class == SIM_CLASS_TT)
		w[1] |= FPREP(EVT_F_PERMISSION_TTRnW, !f->update);
}
