/* SPDX-License-Identifier: MIT */
/* src/smmuv3/outq.c - queues that hardware fills (IHI 0070, 3.5): events, page requests */
#include "smmu.h"

/* Both have their fields in the same places. */
_Static_assert(FMASK(EVENTQ_BASE_ADDR) == FMASK(PRIQ_BASE_ADDR) &&
	       FMASK(EVENTQ_BASE_LOG2SIZE) == FMASK(PRIQ_BASE_LOG2SIZE) &&
	       FMASK(EVENTQ_BASE_WA) == FMASK(PRIQ_BASE_WA), "BASE");
_Static_assert(FMASK(EVENTQ_PROD_WR) == FMASK(PRIQ_PROD_WR) &&
	       FMASK(EVENTQ_PROD_OVFLG) == FMASK(PRIQ_PROD_OVFLG), "PROD");
_Static_assert(FMASK(EVENTQ_CONS_RD) == FMASK(PRIQ_CONS_RD) &&
	       FMASK(EVENTQ_CONS_OVACKFLG) == FMASK(PRIQ_CONS_OVACKFLG), "CONS");

/* What tells one from the other. */
struct kind {
	unsigned words;			/* of a record */
	unsigned base, prod, cons;	/* registers */
	bool lost_at_end;		/* an overflow counts once the queue is empty */
};

static const struct kind evtq = {
	EVT_WORDS, SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS, false
};

/*
 * What was dropped stood behind what is in the queue; of groups whose last request that
 * was, the SMMU has answered.
 */
static const struct kind priq = {
	PRI_WORDS, SMMU_PRIQ_BASE, SMMU_PRIQ_PROD, SMMU_PRIQ_CONS, true
};

static const struct kind *kind_of(const struct smmu *s, const struct smmu_outq *q)
{
	return SMMU_STAGE1 && q == &s->priq ? &priq : &evtq;
}

static size_t ring_bytes(const struct smmu *s, const struct smmu_outq *q)
{
	size_t bytes = (size_t)kind_of(s, q)->words * 8 << q->lg2;

	return bytes < 64 ? 64 : bytes;
}

int uiommu_smmuv3_outq_init(struct smmu *s, struct smmu_outq *q, unsigned lg2)
{
	int err = host_lock_init(s->host, &q->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	q->lg2 = lg2;
	q->ring = s->host->table_alloc(s->host->ctx, ring_bytes(s, q));
	if (q->ring) {
		/* no dirty line of ours may ever be written over a record */
		port_clean(s->host, q->ring, ring_bytes(s, q));
		return 0;
	}
	host_lock_fini(s->host, &q->lock);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_outq_fini(struct smmu *s, struct smmu_outq *q)
{
	s->host->table_free(s->host->ctx, q->ring, ring_bytes(s, q));
	host_lock_fini(s->host, &q->lock);
}

void uiommu_smmuv3_outq_setup(struct smmu *s, struct smmu_outq *q)
{
	const struct kind *k = kind_of(s, q);

	host_lock(s->host, &q->lock);
	q->cons = 0;
	port_write64(&s->mmio, k->base,
		     (port_virt_to_pa(s->host, q->ring) & FMASK(EVENTQ_BASE_ADDR)) |
		     FPREP(EVENTQ_BASE_LOG2SIZE, q->lg2) | FMASK(EVENTQ_BASE_WA));
	smmu_write(s, k->prod, 0);
	smmu_write(s, k->cons, 0);
	q->off = false;
	host_unlock(s->host, &q->lock);
}

void uiommu_smmuv3_outq_stop(struct smmu *s, struct smmu_outq *q)
{
	host_lock(s->host, &q->lock);
	q->off = true;
	host_unlock(s->host, &q->lock);
}

static void take(struct smmu_outq *q, unsigned words, uint64_t *record)
{
	uint32_t index = ((uint32_t)1 << q->lg2) - 1, wrap = ((uint32_t)2 << q->lg2) - 1;
	uint32_t rd = FGET(EVENTQ_CONS_RD, q->cons);
	const uint64_t *e = &q->ring[(size_t)(rd & index) * words];

	for (unsigned i = 0; i < words; i++)
		record[i] = port_load64(&e[i]);
	port_dma_mb();	/* hardware may write the place after this */
	q->cons = (uint32_t)FSET(EVENTQ_CONS_RD, q->cons, (rd + 1) & wrap);
}

/* CONS is written for each record: it frees the place. */
static bool pop_locked(struct smmu *s, struct smmu_outq *q, uint64_t *record, bool *lost)
{
	const struct kind *k = kind_of(s, q);
	uint32_t wrap = ((uint32_t)2 << q->lg2) - 1;
	uint32_t prod = smmu_read(s, k->prod);
	bool some = ((FGET(EVENTQ_PROD_WR, prod) ^ FGET(EVENTQ_CONS_RD, q->cons)) & wrap) != 0;

	if (some)
		take(q, k->words, record);
	*lost = FGET(EVENTQ_PROD_OVFLG, prod) != FGET(EVENTQ_CONS_OVACKFLG, q->cons) &&
		!(some && k->lost_at_end);
	if (*lost)
		q->cons ^= FMASK(EVENTQ_CONS_OVACKFLG);
	if (some || *lost)
		smmu_write(s, k->cons, q->cons);
	return some;
}

bool uiommu_smmuv3_outq_pop(struct smmu *s, struct smmu_outq *q, uint64_t *record, bool *lost)
{
	bool some;

	host_lock(s->host, &q->lock);
	*lost = false;
	some = !q->off && pop_locked(s, q, record, lost);
	host_unlock(s->host, &q->lock);
	return some;
}
