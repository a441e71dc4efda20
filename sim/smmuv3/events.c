/* SPDX-License-Identifier: MIT */
/*
 * events.c - event records and the event queue
 *
 * Bits that a record does not define are zero, and so are those that it leaves
 * UNKNOWN. Records are not merged (STE.MEV is a permission).
 */
#include "sim.h"

static bool queue_full(const struct uiommu_sim_smmuv3 *s, unsigned lg2)
{
	uint32_t diff = (uint32_t)(s->reg[R_EVENTQ_PROD] ^ s->reg[R_EVENTQ_CONS]);

	return (diff & sim_q_mask(lg2)) == 1u << lg2;
}

/* the overflow condition is OVFLG != OVACKFLG; a second one cannot be told */
static void overflow(struct uiommu_sim_smmuv3 *s)
{
	uint64_t diff = s->reg[R_EVENTQ_PROD] ^ s->reg[R_EVENTQ_CONS];

	if (!(diff & FMASK(EVENTQ_PROD_OVFLG)))
		s->reg[R_EVENTQ_PROD] ^= FMASK(EVENTQ_PROD_OVFLG);
}

static int write_record(struct uiommu_sim_smmuv3 *s, unsigned lg2, const uint64_t *w)
{
	uint64_t pa = s->reg[R_EVENTQ_BASE] & FMASK(EVENTQ_BASE_ADDR);
	uint32_t prod = (uint32_t)FGET(EVENTQ_PROD_WR, s->reg[R_EVENTQ_PROD]);

	pa &= ~(((uint64_t)EVT_WORDS * 8 << lg2) - 1);	/* the queue is aligned to its size */
	pa += (uint64_t)sim_q_slot(prod, lg2) * EVT_WORDS * 8;
	for (unsigned i = 0; i < EVT_WORDS; i++)
		if (s->env.write(s->env.ctx, pa + i * 8, &w[i], 8))
			return -UIOMMU_EFAULT;
	return 0;
}

static void publish(struct uiommu_sim_smmuv3 *s, unsigned lg2)
{
	uint32_t prod = (uint32_t)FGET(EVENTQ_PROD_WR, s->reg[R_EVENTQ_PROD]);
	uint32_t cons = (uint32_t)FGET(EVENTQ_CONS_RD, s->reg[R_EVENTQ_CONS]);
	bool was_empty = ((prod ^ cons) & sim_q_mask(lg2)) == 0;

	s->reg[R_EVENTQ_PROD] = FSET(EVENTQ_PROD_WR, s->reg[R_EVENTQ_PROD],
				     (prod + 1) & sim_q_mask(lg2));
	s->stats.events++;
	if (was_empty)
		uiommu_sim_irq(s, UIOMMU_SIM_IRQ_EVTQ);
}

static void record(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned lg2 = uiommu_sim_q_lg2(s, R_EVENTQ_BASE);

	if (!sim_reg_bit(s, R_CR0, FMASK(CR0_EVENTQEN)) ||
	    uiommu_sim_gerror_active(s, FMASK(GERROR_EVENTQ_ABT_ERR))) {
		s->stats.events_lost++;
	} else if (queue_full(s, lg2)) {
		s->stats.events_lost++;
		overflow(s);
	} else if (write_record(s, lg2, w)) {
		s->stats.events_lost++;
		uiommu_sim_gerror(s, FMASK(GERROR_EVENTQ_ABT_ERR));
	} else {
		publish(s, lg2);
	}
}

static void header(uint64_t *w, const struct sim_txn *t, unsigned code)
{
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
	uint64_t w[EVT_WORDS] = { 0 };

	header(w, t, code);
	if (code == EVT_C_BAD_SUBSTREAMID)	/* SubstreamID always valid, no SSV */
		w[0] = (w[0] & ~FMASK(EVT_SSV)) |
		       FPREP(EVT_C_BAD_SUBSTREAMID_SubstreamID, t->ssid);
	record(s, w);
}

void uiommu_sim_event_fetch(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code,
			    uint64_t addr)
{
	uint64_t w[EVT_WORDS] = { 0 };

	header(w, t, code);
	w[3] = addr & FMASK(EVT_F_STE_FETCH_FetchAddr);
	record(s, w);
}

void uiommu_sim_event_walk_eabt(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				uint64_t addr)
{
	uint64_t w[EVT_WORDS] = { 0 };

	header(w, t, EVT_F_WALK_EABT);
	access(w, t);
	w[1] |= FPREP(EVT_F_WALK_EABT_CLASS, EVT_CLASS_TT);
	w[3] = addr & FMASK(EVT_F_WALK_EABT_FetchAddr);
	record(s, w);
}

void uiommu_sim_event_stage1(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code)
{
	uint64_t w[EVT_WORDS] = { 0 };

	header(w, t, code);
	access(w, t);
	w[1] |= FPREP(EVT_F_TRANSLATION_CLASS, EVT_CLASS_IN);
	record(s, w);
}
