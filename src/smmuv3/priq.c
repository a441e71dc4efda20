/* SPDX-License-Identifier: MIT */
/* src/smmuv3/priq.c - page requests of PCIe devices out of the queue */
#include "smmu.h"

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

	if (!smmu_has_priq(s))
		return;
	phase = gate_enter(&s->priq.gate);
	while (uiommu_smmuv3_outq_pop(s, &s->priq, pri, &lost))
		report(s, pri);
	if (lost) {
		uiommu_smmuv3_log(s, UIOMMU_LOG_WARN, ": page request queue overflow: ",
				  "devices are asked to ask again");
		uiommu_page_requests_lost(&s->base);
	}
	gate_leave(&s->priq.gate, phase);
}
