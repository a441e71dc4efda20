/* SPDX-License-Identifier: MIT */
/* src/core/fault.c - whose access it was, and who wants to know */
#include "core.h"

struct uiommu_dev *uiommu_stream_device(const struct uiommu_iommu *iommu, uint32_t id)
{
	struct uiommu_list *bucket = uiommu_stream_bucket((struct uiommu_iommu *)iommu, id);
	struct uiommu_node *n;

	list_for_each(n, bucket) {
		struct uiommu_stream *s = uiommu_container_of(n, struct uiommu_stream, node);

		if (s->id == id)
			return s->dev;
	}
	return NULL;
}

void uiommu_fault_report(struct uiommu_iommu *iommu, struct uiommu_fault *f)
{
	const struct uiommu_observer *o = &iommu->u->obs;
	unsigned token = host_read_enter(iommu->host);

	f->iommu = iommu;
	f->dev = uiommu_stream_device(iommu, f->stream_id);
	if (!uiommu_viommu_tell(f) && o->fault)
		o->fault(o->ctx, f);
	host_read_leave(iommu->host, token);
}
