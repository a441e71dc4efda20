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

/* when the queue stops being empty, or (PRIQ_IRQ_CFG2.LO) with the last of a group */
static bool interrupts(const struct uiommu_sim_smmuv3 *s, const struct outq *q, bool was_empty,
		       const uint64_t *w)
{
	if (q->irq == UIOMMU_SIM_IRQ_PRIQ && FGET(PRIQ_IRQ_CFG2_LO, s->reg[R_PRIQ_IRQ_CFG2]))
		return FGET(PRI_Last, w[0]);
	return was_empty;
}

static void publish(struct uiommu_sim_smmuv3 *s, const struct outq *q, unsigned lg2,
		    const uint64_t *w)
{
	uint32_t prod = (uint32_t)FGET(EVENTQ_PROD_WR, s->reg[q->prod]);
	uint32_t cons = (uint32_t)FGET(EVENTQ_CONS_RD, s->reg[q->cons]);
	bool was_empty = ((prod ^ cons) & sim_q_mask(lg2)) == 0;

	s->reg[q->prod] = FSET(EVENTQ_PROD_WR, s->reg[q->prod], (prod + 1) & sim_q_mask(lg2));
	if (interrupts(s, q, was_empty, w))
		uiommu_sim_irq(s, q->irq);
}

/* An overflow that is not acknowledged keeps page requests out, not events. */
static bool full(const struct uiommu_sim_smmuv3 *s, const struct outq *q, unsigned lg2)
{
	uint64_t diff = s->reg[q->prod] ^ s->reg[q->cons];

	return (diff & sim_q_mask(lg2)) == 1u << lg2 ||
	       (q->irq == UIOMMU_SIM_IRQ_PRIQ && diff & q->ovflg);
}

bool uiommu_sim_outq_writable(const struct uiommu_sim_smmuv3 *s, enum sim_outq which)
{
	const struct outq *q = &outqs[which];

	return sim_reg_bit(s, R_CR0, q->enable) && !uiommu_sim_gerror_active(s, q->abort_error) &&
	       !full(s, q, uiommu_sim_q_lg2(s, q->base));
}

enum sim_put uiommu_sim_outq_put(struct uiommu_sim_smmuv3 *s, enum sim_outq which,
				 const uint64_t *w)
{
	const struct outq *q = &outqs[which];
	unsigned lg2 = uiommu_sim_q_lg2(s, q->base);

	if (!sim_reg_bit(s, R_CR0, q->enable))
		return SIM_PUT_OFF;
	if (uiommu_sim_gerror_active(s, q->abort_error))
		return SIM_PUT_ABORTED;
	if (full(s, q, lg2)) {
		overflow(s, q);
		return SIM_PUT_FULL;
	}
	if (write_record(s, q, lg2, w)) {
		uiommu_sim_gerror(s, q->abort_error);
		return SIM_PUT_ABORTED;
	}
	publish(s, q, lg2, w);
	return SIM_PUT;
}
