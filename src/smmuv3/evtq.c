/* SPDX-License-Identifier: MIT */
/* src/smmuv3/evtq.c - event records out of the queue, and what they mean */
#include "smmu.h"

static void report(struct smmu *s, const uint64_t evt[EVT_WORDS])
{
	struct uiommu_fault f;

	uiommu_smmuv3_decode_event(evt, &f);
	if (!(f.flags & UIOMMU_FAULT_STALLED) || !uiommu_smmuv3_stalled(s, &f))
		uiommu_fault_report(&s->base, &f);
}

void uiommu_smmuv3_evtq_drain(struct smmu *s)
{
	unsigned phase = gate_enter(&s->evtq.gate);
	uint64_t evt[EVT_WORDS];
	bool some, lost;

	do {
		some = uiommu_smmuv3_outq_pop(s, &s->evtq, evt, &lost);
		if (lost)
			uiommu_smmuv3_log(s, UIOMMU_LOG_WARN,
					  ": event queue overflow: ", "events lost");
		if (some)
			report(s, evt);
	} while (some);
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
