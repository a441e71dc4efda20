/* SPDX-License-Identifier: MIT */
/* outq.c - a queue that the SMMU writes and software reads: EVENTQ, PRIQ */
#include "sim.h"

struct outq {
	enum sim_reg base, prod, cons;
	unsigned words;
	uint64_t enable, abort_error, ovflg;
	enum uiommu_sim_irq irq;
};

static const struct outq outqs[] = {
	[SIM_EVENTQ] = { R_EVENTQ_BASE, R_EVENTQ_PROD, R_EVENTQ_CONS, EVT_WORDS,
			 FCONST(CR0_EVENTQEN, 1), FCONST(GERROR_EVENTQ_ABT_ERR, 1),
			 FCONST(EVENTQ_PROD_OVFLG, 1), UIOMMU_SIM_IRQ_EVTQ },
	[SIM_PRIQ] = { R_PRIQ_BASE, R_PRIQ_PROD, R_PRIQ_CONS, PRI_WORDS,
		       FCONST(CR0_PRIQEN, 1), FCONST(GERROR_PRIQ_ABT_ERR, 1),
		       FCONST(PRIQ_PROD_OVFLG, 1), UIOMMU_SIM_IRQ_PRIQ },
};

/* the overflow condition is OVFLG != OVACKFLG; a second one cannot be told */
static void overflow(struct uiommu_sim_smmuv3 *s, const struct outq *q)
{
	if (!((s->reg[q->prod] ^ s->reg[q->cons]) & q->ovflg))
		s->reg[q->prod] ^= q->ovflg;
}

static int write_record(struct uiommu_sim_smmuv3 *s, const struct outq *q, unsigned lg2,
			const uint64_t *w)
{
	uint64_t pa = s->reg[q->base] & FMASK(EVENTQ_BASE_ADDR);
	uint32_t prod = (uint32_t)FGET(EVENTQ_PROD_WR, s->reg[q->prod]);

	pa &= ~(((uint64_t)q->words * 8 << lg2) - 1);	/* the queue is aligned to its size */
	pa += (uint64_t)sim_q_slot(prod, lg2) * q->words * 8;
	for (unsigned i = 0; i < q->words; i++)
		if (s->env.write(s->env.ctx, pa + i * 8, &w[i], 8))
			return -UIOMMU_EFAULT;
	return 0;
}

static void publish(struct uiommu_sim_smmuv3 *s, const struct outq *q, unsigned lg2)
{
	uint32_t prod = (uint32_t)FGET(EVENTQ_PROD_WR, s->reg[q->prod]);
	uint32_t cons = (uint32_t)FGET(EVENTQ_CONS_RD, s->reg[q->cons]);
	bool was_empty = ((prod ^ cons) & sim_q_mask(lg2)) == 0;

	s->reg[q->prod] = FSET(EVENTQ_PROD_WR, s->reg[q->prod], (prod + 1) & sim_q_mask(lg2));
	if (was_empty)
		uiommu_sim_irq(s, q->irq);
}

enum sim_put uiommu_sim_outq_put(struct uiommu_sim_smmuv3 *s, enum sim_outq which,
				 const uint64_t *w)
{
	const struct outq *q = &outqs[which];
	unsigned lg2 = uiommu_sim_q_lg2(s, q->base);
	uint32_t diff = (uint32_t)(s->reg[q->prod] ^ s->reg[q->cons]) & sim_q_mask(lg2);

	if (!sim_reg_bit(s, R_CR0, q->enable))
		return SIM_PUT_OFF;
	if (uiommu_sim_gerror_active(s, q->abort_error))
		return SIM_PUT_ABORTED;
	if (diff == 1u << lg2) {
		overflow(s, q);
		return SIM_PUT_FULL;
	}
	if (write_record(s, q, lg2, w)) {
		uiommu_sim_gerror(s, q->abort_error);
		return SIM_PUT_ABORTED;
	}
	publish(s, q, lg2);
	return SIM_PUT;
}
