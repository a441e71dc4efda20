/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/page_request.c - accesses that wait for a page: told, and answered
 *
 * A stalled access is an event with a tag; CMD_RESUME with StreamID and tag ends it.
 * A page request is in the PRI queue and answered by CMD_PRI_RESP. Neither command is
 * waited for: what hardware does with it, it does when it takes it.
 */
#include "smmu.h"

#define STALL_FIELD(evt, f)	FGET(EVT_F_TRANSLATION_##f, (evt)[EVT_F_TRANSLATION_##f##_WORD])

bool uiommu_smmuv3_stalled(struct smmu *s, const struct uiommu_fault *f)
{
	const struct uiommu_page_request r = {
		.addr = f->iova,
		.stream_id = f->stream_id,
		.pasid = f->flags & UIOMMU_FAULT_HAS_PASID ? f->pasid : 0,
		.grpid = (uint32_t)STALL_FIELD(f->raw, STAG),
		.flags = (f->flags & (UIOMMU_FAULT_READ | UIOMMU_FAULT_WRITE | UIOMMU_FAULT_EXEC |
				      UIOMMU_FAULT_PRIV | UIOMMU_FAULT_HAS_PASID)) |
			 UIOMMU_PAGE_REQUEST_STALL | UIOMMU_PAGE_REQUEST_LAST,
	};

	return uiommu_page_request_report(&s->base, &r);
}

/* Ac: try again. Else Ab: the device is told that it was aborted. */
static void add_resume(struct smmu *s, struct smmu_batch *b, const struct uiommu_page_request *r,
		       enum uiommu_page_response code)
{
	bool again = code == UIOMMU_PAGE_SUCCESS;

	uiommu_smmuv3_batch_add(s, b,
				FPREP(CMD_Opcode, CMD_RESUME) |
				FPREP(CMD_RESUME_StreamID, r->stream_id) |
				FPREP(CMD_RESUME_Ac, again) | FPREP(CMD_RESUME_Ab, !again),
				FPREP(CMD_RESUME_STAG, r->grpid));
}

/* Does the answer to this request carry its PASID? */
static bool with_pasid(struct smmu *s, const struct uiommu_page_request *r)
{
	unsigned token = host_read_enter(s->host);
	const struct uiommu_dev *dev = uiommu_stream_device(&s->base, r->stream_id);
	bool with = r->flags & UIOMMU_FAULT_HAS_PASID && (!dev || dev->pri_pasid);

	host_read_leave(s->host, token);
	return with;
}

static void add_pri_resp(struct smmu *s, struct smmu_batch *b,
			 const struct uiommu_page_request *r, enum uiommu_page_response code)
{
	static const unsigned resp[] = {
		[UIOMMU_PAGE_SUCCESS] = CMD_PRI_RESP_Resp_SUCCESS,
		[UIOMMU_PAGE_INVALID] = CMD_PRI_RESP_Resp_INVALID,
		[UIOMMU_PAGE_FAILURE] = CMD_PRI_RESP_Resp_FAILURE,
	};
	uint64_t w0 = FPREP(CMD_Opcode, CMD_PRI_RESP) | FPREP(CMD_PRI_RESP_StreamID, r->stream_id);

	if (with_pasid(s, r))
		w0 |= FPREP(CMD_PRI_RESP_SSV, 1) | FPREP(CMD_PRI_RESP_SubstreamID, r->pasid);
	uiommu_smmuv3_batch_add(s, b, w0,
				FPREP(CMD_PRI_RESP_PRGIndex, r->grpid) |
				FPREP(CMD_PRI_RESP_Resp, resp[code]));
}

int uiommu_smmuv3_page_response(struct uiommu_iommu *iommu, const struct uiommu_page_request *r,
				enum uiommu_page_response code)
{
	struct smmu *s = to_smmu(iommu);
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	if (r->flags & UIOMMU_PAGE_REQUEST_STALL)
		add_resume(s, &b, r, code);
	else
		add_pri_resp(s, &b, r, code);
	return uiommu_smmuv3_batch_send(s, &b);
}

/* An event that did not fit the queue comes as soon as it does: so until it is empty. */
void uiommu_smmuv3_drain_faults(struct uiommu_iommu *iommu)
{
	struct smmu *s = to_smmu(iommu);

	uiommu_smmuv3_evtq_drain(s);
	gate_wait(s->host, &s->evtq.gate);
	if (!smmu_has_priq(s))
		return;
	uiommu_smmuv3_priq_drain(s);
	gate_wait(s->host, &s->priq.gate);
}
