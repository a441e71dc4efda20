/* SPDX-License-Identifier: MIT */
/* src/smmuv3/priq.c - page requests of PCIe devices out of the queue */
#include "smmu.h"
#include "text.h"

static size_t ring_bytes(const struct smmu_priq *q)
{
	size_t bytes = (size_t)PRI_WORDS * 8 << q->lg2;

	return bytes < 64 ? 64 : bytes;
}

int uiommu_smmuv3_priq_init(struct smmu *s, unsigned lg2)
{
	struct smmu_priq *q = &s->priq;
	int err = host_lock_init(s->host, &q->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	q->lg2 = lg2;
	q->ring = s->host->table_alloc(s->host->ctx, ring_bytes(q));
	if (q->ring) {
		port_clean(s->host, q->ring, ring_bytes(q));
		return 0;
	}
	host_lock_fini(s->host, &q->lock);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_priq_fini(struct smmu *s)
{
	if (!s->priq.ring)
		return;
	s->host->table_free(s->host->ctx, s->priq.ring, ring_bytes(&s->priq));
	host_lock_fini(s->host, &s->priq.lock);
}

void uiommu_smmuv3_priq_setup(struct smmu *s)
{
	struct smmu_priq *q = &s->priq;

	if (!q->ring)
		return;
	host_lock(s->host, &q->lock);
	q->cons = 0;
	port_write64(&s->mmio, SMMU_PRIQ_BASE,
		     (port_virt_to_pa(s->host, q->ring) & FMASK(PRIQ_BASE_ADDR)) |
		     FPREP(PRIQ_BASE_LOG2SIZE, q->lg2) | FMASK(PRIQ_BASE_WA));
	smmu_write(s, SMMU_PRIQ_PROD, 0);
	smmu_write(s, SMMU_PRIQ_CONS, 0);
	q->off = false;
	host_unlock(s->host, &q->lock);
}

void uiommu_smmuv3_priq_stop(struct smmu *s)
{
	if (!s->priq.ring)
		return;
	host_lock(s->host, &s->priq.lock);
	s->priq.off = true;
	host_unlock(s->host, &s->priq.lock);
}

static void log_overflow(struct smmu *s)
{
	char line[96];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, s->base.name);
	text_str(&t, ": page request queue overflow: devices are asked to ask again");
	host_log(s->host, UIOMMU_LOG_WARN, line);
}

/*
 * One record, if there is one. The overflow flags differ: requests were dropped behind
 * those that are in the queue; of groups whose last one that was, the SMMU has
 * answered. It is acknowledged when the queue is empty, @lost then.
 */
static bool pop(struct smmu *s, uint64_t pri[PRI_WORDS], bool *lost)
{
	struct smmu_priq *q = &s->priq;
	uint32_t index = ((uint32_t)1 << q->lg2) - 1, wrap = ((uint32_t)2 << q->lg2) - 1;
	uint32_t prod, rd;
	bool some;

	host_lock(s->host, &q->lock);
	*lost = false;
	if (q->off) {
		host_unlock(s->host, &q->lock);
		return false;
	}
	prod = smmu_read(s, SMMU_PRIQ_PROD);
	rd = FGET(PRIQ_CONS_RD, q->cons);
	some = ((FGET(PRIQ_PROD_WR, prod) ^ rd) & wrap) != 0;
	if (some) {
		const uint64_t *e = &q->ring[(size_t)(rd & index) * PRI_WORDS];

		for (unsigned i = 0; i < PRI_WORDS; i++)
			pri[i] = port_load64(&e[i]);
		port_dma_mb();	/* hardware may write the place after this */
		q->cons = (uint32_t)FSET(PRIQ_CONS_RD, q->cons, (rd + 1) & wrap);
	}
	*lost = !some && FGET(PRIQ_PROD_OVFLG, prod) != FGET(PRIQ_CONS_OVACKFLG, q->cons);
	if (*lost)
		q->cons ^= FMASK(PRIQ_CONS_OVACKFLG);
	if (some || *lost)
		smmu_write(s, SMMU_PRIQ_CONS, q->cons);
	host_unlock(s->host, &q->lock);
	return some;
}

static unsigned flags_of(uint64_t w)
{
	return (FGET(PRI_R, w) ? UIOMMU_FAULT_READ : 0) |
	       (FGET(PRI_W, w) ? UIOMMU_FAULT_WRITE : 0) |
	       (FGET(PRI_X, w) ? UIOMMU_FAULT_EXEC : 0) |
	       (FGET(PRI_P, w) ? UIOMMU_FAULT_PRIV : 0) |
	       (FGET(PRI_SSV, w) ? UIOMMU_FAULT_HAS_PASID : 0) |
	       (FGET(PRI_Last, w) ? UIOMMU_PAGE_REQUEST_LAST : 0);
}

/* "No more of this PASID": asks for nothing and has no answer. */
static bool is_stop_marker(unsigned flags)
{
	return flags & UIOMMU_PAGE_REQUEST_LAST && flags & UIOMMU_FAULT_HAS_PASID &&
	       !(flags & (UIOMMU_FAULT_READ | UIOMMU_FAULT_WRITE));
}

static void report(struct smmu *s, const uint64_t pri[PRI_WORDS])
{
	const struct uiommu_page_request r = {
		.addr = pri[1] & FMASK(PRI_Address),
		.stream_id = (uint32_t)FGET(PRI_StreamID, pri[0]),
		.pasid = FGET(PRI_SSV, pri[0]) ? (uint32_t)FGET(PRI_SubstreamID, pri[0]) : 0,
		.grpid = (uint32_t)FGET(PRI_PRGIndex, pri[1]),
		.flags = flags_of(pri[0]),
	};

	if (!is_stop_marker(r.flags))
		uiommu_page_request_report(&s->base, &r);
}

void uiommu_smmuv3_priq_drain(struct smmu *s)
{
	uint64_t pri[PRI_WORDS];
	unsigned phase;
	bool lost;

	if (!s->priq.ring)
		return;
	phase = gate_enter(&s->priq.gate);
	while (pop(s, pri, &lost))
		report(s, pri);
	if (lost) {
		log_overflow(s);
		uiommu_page_requests_lost(&s->base);
	}
	gate_leave(&s->priq.gate, phase);
}
