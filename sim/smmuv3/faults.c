/* SPDX-License-Identifier: MIT */
/*
 * faults.c - what becomes of a fault: it is recorded, or not, and aborts the
 * transaction, lets it come to nothing, or stalls it until CMD_RESUME
 *
 * A stalled transaction is held by its device; what is kept here is its tag, and
 * its event as long as the queue has no room: such an event is never lost, nor is it
 * an overflow.
 */
#include "sim.h"

/* ---- stalling ---- */

static struct sim_stall *free_stall(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; i < s->cfg.stall_max; i++)
		if (s->stalls[i].state == STALL_FREE)
			return &s->stalls[i];
	return NULL;
}

static void try_record(struct uiommu_sim_smmuv3 *s, struct sim_stall *st)
{
	if (!uiommu_sim_outq_writable(s, SIM_EVENTQ) ||
	    uiommu_sim_outq_put(s, SIM_EVENTQ, st->event) != SIM_PUT)
		return;
	s->stats.events++;
	st->recorded = true;
	s->stalls_unrecorded--;
}

static enum sim_end stall(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			  const struct sim_fault *f)
{
	struct sim_stall *st = free_stall(s);

	if (!st)
		return SIM_BUSY;
	t->stag = (uint16_t)(st - s->stalls);
	*st = (struct sim_stall){ .state = STALL_HELD, .sid = t->sid };
	uiommu_sim_event_fault(t, f, st->event);
	st->event[1] |= FPREP(EVT_F_TRANSLATION_Stall, 1) |
			FPREP(EVT_F_TRANSLATION_STAG, t->stag);
	s->stalls_unrecorded++;
	try_record(s, st);
	return SIM_STALLED;
}

static void end_stall(struct uiommu_sim_smmuv3 *s, struct sim_stall *st,
		      enum uiommu_sim_resume how)
{
	if (!st->recorded)
		s->stalls_unrecorded--;
	st->state = STALL_ENDED;
	st->how = how;
	s->stalls_ended++;
}

static bool unrecorded(const struct sim_stall *st)
{
	return st->state == STALL_HELD && !st->recorded;
}

/* After an invalidation and a CMD_SYNC nobody may be told of what was there before:
 * the transaction is looked at again when the queue has room. */
void uiommu_sim_stall_invalidated(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; s->stalls_unrecorded && i < s->cfg.stall_max; i++)
		s->stalls[i].stale = unrecorded(&s->stalls[i]);
}

void uiommu_sim_stall_record(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; s->stalls_unrecorded && i < s->cfg.stall_max; i++) {
		struct sim_stall *st = &s->stalls[i];

		if (!unrecorded(st) || !uiommu_sim_outq_writable(s, SIM_EVENTQ))
			continue;
		if (st->stale)
			end_stall(s, st, UIOMMU_SIM_RESUME_RETRY);
		else
			try_record(s, st);
	}
}

/* a tag that is not stalled, or not for this stream, is not an error */
void uiommu_sim_stall_end(struct uiommu_sim_smmuv3 *s, uint32_t sid, unsigned stag,
			  enum uiommu_sim_resume how)
{
	if (stag < s->cfg.stall_max && s->stalls[stag].state == STALL_HELD &&
	    s->stalls[stag].sid == sid)
		end_stall(s, &s->stalls[stag], how);
}

void uiommu_sim_stall_end_all(struct uiommu_sim_smmuv3 *s, uint32_t first, uint32_t last)
{
	for (unsigned i = 0; i < s->cfg.stall_max; i++)
		if (s->stalls[i].state == STALL_HELD && s->stalls[i].sid >= first &&
		    s->stalls[i].sid <= last)
			end_stall(s, &s->stalls[i], UIOMMU_SIM_RESUME_ABORT);
}

static bool take_ended(struct uiommu_sim_smmuv3 *s, struct sim_stall *out, uint16_t *stag)
{
	bool found = false;

	if (s->env.lock)
		s->env.lock(s->env.ctx);
	for (unsigned i = 0; s->stalls_ended && !found && i < s->cfg.stall_max; i++) {
		if (s->stalls[i].state != STALL_ENDED)
			continue;
		*out = s->stalls[i];
		*stag = (uint16_t)i;
		s->stalls[i].state = STALL_FREE;
		s->stalls_ended--;
		found = true;
	}
	if (s->env.unlock)
		s->env.unlock(s->env.ctx);
	return found;
}

void uiommu_sim_stall_deliver(struct uiommu_sim_smmuv3 *s)
{
	struct sim_stall st;
	uint16_t stag;

	while (take_ended(s, &st, &stag))
		s->env.resume(s->env.ctx, st.sid, stag, st.how);
}

/* ---- CD.{A,R,S}, STE.{S2R,S2S} ---- */

enum sim_end uiommu_sim_fault(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			      const struct sim_fault *f)
{
	bool record = f->s2 ? t->ste->t2.record : !t->cd || t->cd->record;
	bool stalls = f->s2 ? t->ste->t2.stall : t->cd && t->cd->stall;
	uint64_t w[EVT_WORDS];

	s->last_code = f->code;
	if (t->prefetch)
		return SIM_ABORT;
	if (t->ats)
		return SIM_NO_ACCESS;
	if (stalls)
		return stall(s, t, f);
	if (record) {
		uiommu_sim_event_fault(t, f, w);
		uiommu_sim_event_record(s, t, w);
	}
	return f->s2 || !t->cd || t->cd->abort ? SIM_ABORT : SIM_RAZ_WI;
}
