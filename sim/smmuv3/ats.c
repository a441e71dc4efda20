/* SPDX-License-Identifier: MIT */
/*
 * ats.c - what devices with a TLB of their own ask for, and are told
 *
 * A translation request is a transaction that ends before the access. Which of
 * its errors are "Unsupported Request" and which "Completer Abort" follows the
 * charts of the manual's translation procedure.
 */
#include "sim.h"

/* ---- translation requests ---- */

/* Configuration that says no is UR (0: STE.Config says abort); an error is CA, and so
 * is service failure mode. */
static enum uiommu_sim_ats_status denied(const struct uiommu_sim_smmuv3 *s)
{
	if (s->failed)
		return UIOMMU_SIM_ATS_CA;
	return !s->last_code || s->last_code == EVT_F_BAD_ATS_TREQ ? UIOMMU_SIM_ATS_UR :
								     UIOMMU_SIM_ATS_CA;
}

static void grant(const struct sim_txn *t, const struct sim_tlb_entry *e, bool wants_exec,
		  struct uiommu_sim_ats_reply *out)
{
	unsigned p = e->perm1 & e->perm2;
	uint64_t offset = t->addr & (((uint64_t)1 << e->size_lg2) - 1);

	if (t->priv)
		p >>= 3;
	out->addr = e->pa + (offset & ~(uint64_t)0xfff);
	out->bytes = (uint64_t)1 << e->size_lg2;
	out->read = p & SIM_PERM_R;
	out->write = p & SIM_PERM_W;
	out->exec = wants_exec && p & SIM_PERM_X;
}

/* A write that is refused may still be granted as a read. */
static enum sim_end request(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			    struct sim_txn *t, struct sim_tlb_entry *e)
{
	enum sim_end end;

	*t = uiommu_sim_arrive(a, a->iova);
	t->ats = true;
	t->asks_exec = a->exec;
	t->inst = false;		/* what it is asked for decides, not what it fetches */
	end = uiommu_sim_transaction(s, t, e);
	if (end != SIM_NO_ACCESS || !a->write || s->last_code != EVT_F_PERMISSION)
		return end;
	t->write = false;
	t->ste = NULL;
	t->cd = NULL;
	return uiommu_sim_transaction(s, t, e);
}

void uiommu_sim_smmuv3_ats(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			   struct uiommu_sim_ats_reply *out)
{
	struct sim_tlb_entry e;
	struct sim_txn t;
	enum sim_end end;

	*out = (struct uiommu_sim_ats_reply){ .status = UIOMMU_SIM_ATS_UR };
	if (!s->cfg.ats)
		return;
	uiommu_sim_enter(s);
	end = request(s, a, &t, &e);
	if (end == SIM_OK || end == SIM_NO_ACCESS)
		out->status = UIOMMU_SIM_ATS_SUCCESS;
	else
		out->status = denied(s);
	if (end == SIM_OK)
		grant(&t, &e, a->exec, out);
	uiommu_sim_leave(s);
}

/* ---- CMD_ATC_INV ---- */

/* Size counts 4 KiB pages; 52 is the whole address space, more is reserved */
bool uiommu_sim_cmd_atc_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	return FGET(CMD_ATC_INV_Size, w[1]) <= CMD_ATC_INV_Size_ALL;
}

void uiommu_sim_cmd_atc_inv(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned lg2 = 12 + (unsigned)FGET(CMD_ATC_INV_Size, w[1]);
	uint64_t span = lg2 > 63 ? ~(uint64_t)0 : ((uint64_t)1 << lg2) - 1;
	struct uiommu_sim_inval inv = {
		.stream_id = (uint32_t)FGET(CMD_ATC_INV_StreamID, w[0]),
		.substream_id = (uint32_t)FGET(CMD_ATC_INV_SubstreamID, w[0]),
		.ssv = FGET(CMD_ATC_INV_SSV, w[0]),
		.global = FGET(CMD_ATC_INV_Global, w[0]),
		.queue = s->issuer->number,
		.first = w[1] & FMASK(CMD_ATC_INV_Address) & ~span,
	};
	int err;

	inv.last = inv.first + span;
	err = s->env.atc_inv ? s->env.atc_inv(s->env.ctx, &inv) : 0;
	if (err < 0)
		s->issuer->atc_timeout = true;
	if (err > 0) {
		s->issuer->atc_pending++;
		s->issuer->atc_left |= uiommu_sim_vcmdq_is_nobodys(s->issuer);
	}
}

void uiommu_sim_smmuv3_atc_inv_done(struct uiommu_sim_smmuv3 *s, unsigned queue, bool ok)
{
	struct sim_cmdq *q = uiommu_sim_cmdq(s, queue);

	uiommu_sim_enter(s);
	q->atc_timeout |= !ok;
	if (q->atc_pending && !--q->atc_pending) {
		q->atc_left = false;
		uiommu_sim_cmdq_run(s, q, queue ? SIM_BATCH : SIM_ALL);
		if (queue)
			uiommu_sim_cmdq_run(s, &s->cmdq, SIM_ALL);
	}
	uiommu_sim_leave(s);
}

/* ---- page requests ---- */

/* The queue stops while there is no room, so that none of its answers is lost. */
static void respond(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_page_response *r)
{
	if (s->num_responses < SIM_MAX_RESPONSES)
		s->responses[s->num_responses++] = *r;
}

void uiommu_sim_cmd_pri_resp(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	respond(s, &(struct uiommu_sim_page_response){
		.stream_id = (uint32_t)FGET(CMD_PRI_RESP_StreamID, w[0]),
		.ssv = FGET(CMD_PRI_RESP_SSV, w[0]),
		.substream_id = (uint32_t)FGET(CMD_PRI_RESP_SubstreamID, w[0]),
		.prgi = (uint16_t)FGET(CMD_PRI_RESP_PRGIndex, w[1]),
		.resp = (unsigned)FGET(CMD_PRI_RESP_Resp, w[1]),
	});
}

static bool take_response(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_page_response *r)
{
	bool found = false;

	if (s->env.lock)
		s->env.lock(s->env.ctx);
	if (s->num_responses) {
		*r = s->responses[0];
		s->num_responses--;
		for (unsigned i = 0; i < s->num_responses; i++)
			s->responses[i] = s->responses[i + 1];
		if (s->num_responses == SIM_MAX_RESPONSES - 1)
			uiommu_sim_queues_run(s); /* one had stopped for want of room */
		found = true;
	}
	if (s->env.unlock)
		s->env.unlock(s->env.ctx);
	return found;
}

void uiommu_sim_pri_deliver(struct uiommu_sim_smmuv3 *s)
{
	struct uiommu_sim_page_response r;

	while (take_response(s, &r))
		if (s->env.page_response)
			s->env.page_response(s->env.ctx, &r);
}

static void encode(const struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_page_request *r,
		   uint64_t *w)
{
	w[0] = FPREP(PRI_StreamID, r->stream_id) | FPREP(PRI_R, r->read) |
	       FPREP(PRI_W, r->write) | FPREP(PRI_Last, r->last);
	if (r->ssv && s->cfg.ssidsize)
		w[0] |= FPREP(PRI_SSV, 1) | FPREP(PRI_SubstreamID, r->substream_id & 0xfffff) |
			FPREP(PRI_X, r->exec) | FPREP(PRI_P, r->priv);
	w[1] = FPREP(PRI_PRGIndex, r->prgi & 0x1ff) | (r->iova & FMASK(PRI_Address));
}

/* The answer to a request that finds the queue full is "success": the device asks
 * again. Whether it has the request's PASID is in the STE (PPAR), or fixed (IDR3.PPS);
 * without an STE that says so it is "failure". */
static void overflowed(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_page_request *r,
		       struct uiommu_sim_page_response *a)
{
	struct sim_txn t = { .sid = r->stream_id, .ssv = r->ssv, .ats = true,
			     .ssid = r->ssv ? r->substream_id & 0xfffff : 0 };
	const struct sim_ste *ste;

	a->resp = CMD_PRI_RESP_Resp_SUCCESS;
	if (!r->ssv || !s->cfg.ssidsize)
		return;
	ste = s->cfg.pps ? NULL : uiommu_sim_ste(s, &t);
	a->ssv = s->cfg.pps || (ste && ste->ppar);
	if (a->ssv)
		a->substream_id = r->substream_id;
	else if (!ste)
		a->resp = CMD_PRI_RESP_Resp_FAILURE;
}

/* A group whose last request is lost is answered here. A Stop Marker never is. */
static void lost(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_page_request *r, bool full)
{
	bool marker = r->ssv && r->last && !r->read && !r->write;
	struct uiommu_sim_page_response a = { .stream_id = r->stream_id, .prgi = r->prgi & 0x1ff,
					      .resp = CMD_PRI_RESP_Resp_FAILURE };

	if (marker || (full && !r->last))
		return;
	if (full)
		overflowed(s, r, &a);
	respond(s, &a);
}

void uiommu_sim_smmuv3_page_request(struct uiommu_sim_smmuv3 *s,
				    const struct uiommu_sim_page_request *r)
{
	uint64_t w[PRI_WORDS];
	enum sim_put put = SIM_PUT_OFF;

	encode(s, r, w);
	uiommu_sim_enter(s);
	if (s->cfg.pri && !s->failed && sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)))
		put = uiommu_sim_outq_put(s, SIM_PRIQ, w);
	if (put != SIM_PUT)
		lost(s, r, put == SIM_PUT_FULL);
	uiommu_sim_leave(s);
}
