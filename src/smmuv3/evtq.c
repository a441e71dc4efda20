/* SPDX-License-Identifier: MIT */
/* src/smmuv3/evtq.c - event records out of the queue, and what they mean */
#include "smmu.h"
#include "text.h"

static size_t ring_bytes(const struct smmu_evtq *q)
{
	size_t bytes = (size_t)EVT_WORDS * 8 << q->lg2;

	return bytes < 64 ? 64 : bytes;
}

int uiommu_smmuv3_evtq_init(struct smmu *s, unsigned lg2)
{
	struct smmu_evtq *q = &s->evtq;
	int err = host_lock_init(s->host, &q->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	q->lg2 = lg2;
	q->ring = s->host->table_alloc(s->host->ctx, ring_bytes(q));
	if (q->ring) {
		/* no dirty line of ours may ever be written over a record */
		port_clean(s->host, q->ring, ring_bytes(q));
		return 0;
	}
	host_lock_fini(s->host, &q->lock);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_evtq_fini(struct smmu *s)
{
	s->host->table_free(s->host->ctx, s->evtq.ring, ring_bytes(&s->evtq));
	host_lock_fini(s->host, &s->evtq.lock);
}

void uiommu_smmuv3_evtq_setup(struct smmu *s)
{
	struct smmu_evtq *q = &s->evtq;

	host_lock(s->host, &q->lock);
	q->cons = 0;
	port_write64(&s->mmio, SMMU_EVENTQ_BASE,
		     (port_virt_to_pa(s->host, q->ring) & FMASK(EVENTQ_BASE_ADDR)) |
		     FPREP(EVENTQ_BASE_LOG2SIZE, q->lg2) | FMASK(EVENTQ_BASE_WA));
	smmu_write(s, SMMU_EVENTQ_PROD, 0);
	smmu_write(s, SMMU_EVENTQ_CONS, 0);
	q->off = false;
	host_unlock(s->host, &q->lock);
}

void uiommu_smmuv3_evtq_stop(struct smmu *s)
{
	host_lock(s->host, &s->evtq.lock);
	s->evtq.off = true;
	host_unlock(s->host, &s->evtq.lock);
}

/* ---- out of the queue ---- */

/* The overflow flags differ: records were lost. Said once, then acknowledged. */
static void check_overflow(struct smmu *s, uint32_t prod)
{
	struct smmu_evtq *q = &s->evtq;
	char line[96];
	struct text t;

	if (FGET(EVENTQ_PROD_OVFLG, prod) == FGET(EVENTQ_CONS_OVACKFLG, q->cons))
		return;
	q->cons ^= FMASK(EVENTQ_CONS_OVACKFLG);
	t = text_begin(line, sizeof(line));
	text_str(&t, s->base.name);
	text_str(&t, ": event queue overflow: events lost");
	host_log(s->host, UIOMMU_LOG_WARN, line);
}

/* One record, if there is one. CONS is written for each: it frees the place. */
static bool pop(struct smmu *s, uint64_t evt[EVT_WORDS])
{
	struct smmu_evtq *q = &s->evtq;
	uint32_t index = ((uint32_t)1 << q->lg2) - 1, wrap = ((uint32_t)2 << q->lg2) - 1;
	uint32_t prod, rd;
	bool some;

	host_lock(s->host, &q->lock);
	if (q->off) {
		host_unlock(s->host, &q->lock);
		return false;
	}
	prod = smmu_read(s, SMMU_EVENTQ_PROD);
	rd = FGET(EVENTQ_CONS_RD, q->cons);
	some = ((FGET(EVENTQ_PROD_WR, prod) ^ rd) & wrap) != 0;
	if (some) {
		const uint64_t *e = &q->ring[(size_t)(rd & index) * EVT_WORDS];

		for (unsigned i = 0; i < EVT_WORDS; i++)
			evt[i] = port_load64(&e[i]);
		port_dma_mb();	/* hardware may write the place after this */
		q->cons = (uint32_t)FSET(EVENTQ_CONS_RD, q->cons, (rd + 1) & wrap);
	}
	check_overflow(s, prod);
	if (some)
		smmu_write(s, SMMU_EVENTQ_CONS, q->cons);
	host_unlock(s->host, &q->lock);
	return some;
}

void uiommu_smmuv3_evtq_drain(struct smmu *s)
{
	unsigned phase = gate_enter(&s->evtq.gate);
	uint64_t evt[EVT_WORDS];

	while (pop(s, evt)) {
		struct uiommu_fault f;

		uiommu_smmuv3_decode_event(evt, &f);
		if (!(f.flags & UIOMMU_FAULT_STALLED) || !uiommu_smmuv3_stalled(s, &f))
			uiommu_fault_report(&s->base, &f);
	}
	gate_leave(&s->evtq.gate, phase);
}

/* ---- what a record means ---- */

enum {
	SSID	= 1 << 0,	/* has SSV and SubstreamID */
	RW	= 1 << 1,	/* has RnW, InD, PnU */
	ADDR	= 1 << 2,	/* has InputAddr */
	WALK	= 1 << 3,	/* has S2, CLASS */
	IPA	= 1 << 4,
	STALL	= 1 << 5,
	RNW	= 1 << 6,	/* has RnW alone */
	PASID	= 1 << 7,	/* has SubstreamID without SSV: it is always valid */
};

static const struct kind {
	const char *name, *table;
	unsigned has;
} kinds[] = {
#define KIND(e, has, table) [EVT_##e] = { #e, table, has }
	KIND(F_UUT, SSID | RW | ADDR, "the SMMU: unsupported transaction"),
	KIND(C_BAD_STREAMID, SSID, "stream table: no entry for this StreamID"),
	KIND(F_STE_FETCH, SSID, "stream table: cannot be read"),
	KIND(C_BAD_STE, SSID, "STE: invalid"),
	KIND(F_BAD_ATS_TREQ, SSID | ADDR, "STE: no ATS requests"),
	KIND(F_STREAM_DISABLED, SSID, "STE: no untagged DMA"),
	KIND(F_TRANSL_FORBIDDEN, SSID | RNW | ADDR, "STE: no translated DMA"),
	KIND(C_BAD_SUBSTREAMID, PASID, "STE: no such PASID"),
	KIND(F_CD_FETCH, SSID, "CD table: cannot be read"),
	KIND(C_BAD_CD, SSID, "CD: nothing attached to this PASID"),
	KIND(F_WALK_EABT, SSID | RW | ADDR | WALK, "page table: cannot be read"),
	KIND(F_TRANSLATION, SSID | RW | ADDR | WALK | IPA | STALL, "page table: not mapped"),
	KIND(F_ADDR_SIZE, SSID | RW | ADDR | WALK | IPA | STALL, "page table: address too large"),
	KIND(F_ACCESS, SSID | RW | ADDR | WALK | IPA | STALL, "page table: access flag clear"),
	KIND(F_PERMISSION, SSID | RW | ADDR | WALK | IPA | STALL, "page table: not permitted"),
	KIND(F_TLB_CONFLICT, SSID | RW | ADDR | IPA, "TLB: two entries for one address"),
	KIND(F_CFG_CONFLICT, SSID, "configuration caches: conflict"),
	KIND(E_PAGE_REQUEST, SSID | ADDR, "page request hint"),
	KIND(F_VMS_FETCH, SSID, "VMS: cannot be read"),
#undef KIND
};

static const struct kind unknown = { "unknown event", "unknown", 0 };

/* The fields below have the same place in every record that has them. */
static void decode_access(const uint64_t *evt, unsigned has, struct uiommu_fault *f)
{
	bool read = FGET(EVT_F_TRANSLATION_RnW, evt[1]);

	if (!(has & (RW | RNW)))
		return;
	f->flags |= UIOMMU_FAULT_HAS_RW | (read ? UIOMMU_FAULT_READ : UIOMMU_FAULT_WRITE);
	if (!(has & RW))
		return;
	if (FGET(EVT_F_TRANSLATION_InD, evt[1]))
		f->flags |= UIOMMU_FAULT_EXEC;
	if (FGET(EVT_F_TRANSLATION_PnU, evt[1]))
		f->flags |= UIOMMU_FAULT_PRIV;
}

static void decode_where(const uint64_t *evt, unsigned has, struct uiommu_fault *f)
{
	if (has & ADDR) {
		f->flags |= UIOMMU_FAULT_HAS_IOVA;
		f->iova = evt[EVT_F_TRANSLATION_InputAddr_WORD];
	}
	if (has & WALK && FGET(EVT_F_TRANSLATION_S2, evt[1]))
		f->flags |= UIOMMU_FAULT_STAGE2;
	if (has & IPA && f->flags & UIOMMU_FAULT_STAGE2) {
		f->flags |= UIOMMU_FAULT_HAS_IPA;
		f->ipa = evt[3] & FMASK(EVT_F_TRANSLATION_IPA);
	}
	if (has & STALL && FGET(EVT_F_TRANSLATION_Stall, evt[1]))
		f->flags |= UIOMMU_FAULT_STALLED;
}

void uiommu_smmuv3_decode_event(const uint64_t *evt, struct uiommu_fault *f)
{
	unsigned code = FGET(EVT_Number, evt[0]);
	const struct kind *k = &unknown;

	if (code < sizeof(kinds) / sizeof(kinds[0]) && kinds[code].name)
		k = &kinds[code];
	*f = (struct uiommu_fault){
		.stream_id = FGET(EVT_StreamID, evt[0]),
		.code = code,
		.name = k->name,
		.table = k->table,
		.raw = { evt[0], evt[1], evt[2], evt[3] },
	};
	if (k->has & PASID || (k->has & SSID && FGET(EVT_SSV, evt[0]))) {
		f->flags |= UIOMMU_FAULT_HAS_PASID;
		f->pasid = FGET(EVT_SubstreamID, evt[0]);
	}
	decode_access(evt, k->has, f);
	decode_where(evt, k->has, f);
}
