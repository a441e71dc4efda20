/* SPDX-License-Identifier: MIT */
/* core.c - what stands before the functions of the core */
#include <uiommu/dma.h>
#include <uiommu/iopf.h>
#include <uiommu/nested.h>
#include <uiommu/sva.h>

#include "each.h"

int __real_uiommu_create(const struct uiommu_host *host, const struct uiommu_observer *obs,
			 struct uiommu **out);
int __wrap_uiommu_create(const struct uiommu_host *host, const struct uiommu_observer *obs,
			 struct uiommu **out);
int __wrap_uiommu_create(const struct uiommu_host *host, const struct uiommu_observer *obs,
			 struct uiommu **out)
{
	struct entry e = { .name = "uiommu_create" };
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_create(host, obs, out);
		entry_end(&e);
	} while (entry_again(&e, ret));
	if (!ret)
		each_add_instance(*out);
	return ret;
}

void __real_uiommu_destroy(struct uiommu *u);
void __wrap_uiommu_destroy(struct uiommu *u);
void __wrap_uiommu_destroy(struct uiommu *u)
{
	struct entry e = { .name = "uiommu_destroy" };

	each_remove_instance(u);
	entry_begin_void(&e);
	__real_uiommu_destroy(u);
	entry_end_void(&e);
}

/* What a map that fails has mapped is its caller's to unmap. */
int __real_uiommu_map(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t pa,
		      uint64_t len, unsigned prot, uint64_t *mapped);
int __wrap_uiommu_map(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t pa,
		      uint64_t len, unsigned prot, uint64_t *mapped);
int __wrap_uiommu_map(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t pa,
		      uint64_t len, unsigned prot, uint64_t *mapped)
{
	struct entry e = { .name = "uiommu_map" };
	uint64_t done = 0;
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_map(dom, iova, pa, len, prot, &done);
		if (entry_end(&e) && done)
			uiommu_unmap(dom, iova, done, NULL);
	} while (entry_again(&e, ret));
	if (mapped)
		*mapped = done;
	return ret;
}

EACH(uiommu_device_add,
	(struct uiommu *u, const struct uiommu_dev_config *cfg, struct uiommu_dev **out),
	(u, cfg, out))
EACH(uiommu_device_reset_prepare, (struct uiommu_dev *dev), (dev))
EACH(uiommu_device_reset_done, (struct uiommu_dev *dev), (dev))
EACH(uiommu_device_claim, (struct uiommu_dev *dev, const void *owner), (dev, owner))
EACH(uiommu_device_set_default, (struct uiommu_dev *dev, struct uiommu_domain *dom), (dev, dom))
EACH(uiommu_domain_alloc_paging,
	(struct uiommu_dev *dev, unsigned flags, struct uiommu_domain **out), (dev, flags, out))
EACH(uiommu_attach_device_pasid,
	(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid), (dom, dev, pasid))
EACH(uiommu_replace_device_pasid,
	(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid), (dom, dev, pasid))
EACH(uiommu_attach_group_pasid,
	(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid), (dom, dev, pasid))
EACH(uiommu_replace_group_pasid,
	(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid), (dom, dev, pasid))
EACH(uiommu_pasid_alloc, (struct uiommu *u, unsigned bits, uiommu_pasid_t *out), (u, bits, out))

/* One that fails loses what was attached: tests/driver/recover.c. */
int __real_uiommu_iommu_recover(struct uiommu_iommu *iommu);
int __wrap_uiommu_iommu_recover(struct uiommu_iommu *iommu);
int __wrap_uiommu_iommu_recover(struct uiommu_iommu *iommu)
{
	int ret;

	each_aside(1);
	ret = __real_uiommu_iommu_recover(iommu);
	each_aside(-1);
	return ret;
}

bool __real_uiommu_page_request_report(struct uiommu_iommu *iommu,
				       const struct uiommu_page_request *r);
bool __wrap_uiommu_page_request_report(struct uiommu_iommu *iommu,
				       const struct uiommu_page_request *r);
bool __wrap_uiommu_page_request_report(struct uiommu_iommu *iommu,
				       const struct uiommu_page_request *r)
{
	bool taken;

	each_aside(1);
	taken = __real_uiommu_page_request_report(iommu, r);
	each_aside(-1);
	return taken;
}

EACH(uiommu_domain_alloc_nested,
	(struct uiommu_domain *parent, struct uiommu_viommu *v, struct uiommu_dev *dev,
	const struct uiommu_user_data *user, struct uiommu_domain **out),
	(parent, v, dev, user, out))
EACH(uiommu_bind_pgtable_pasid,
	(struct uiommu_domain *parent, struct uiommu_dev *dev, const struct uiommu_user_data *user,
	uiommu_pasid_t pasid),
	(parent, dev, user, pasid))
EACH(uiommu_viommu_alloc,
	(const struct uiommu_viommu_config *cfg, struct uiommu_viommu **out), (cfg, out))
EACH(uiommu_vdevice_alloc,
	(struct uiommu_viommu *v, struct uiommu_dev *dev, uint64_t virt_id,
	struct uiommu_vdevice **out),
	(v, dev, virt_id, out))
EACH(uiommu_hw_queue_alloc,
	(struct uiommu_viommu *v, const struct uiommu_hw_queue_config *cfg,
	 struct uiommu_hw_queue **out), (v, cfg, out))
EACH(uiommu_cache_invalidate,
	(struct uiommu_viommu *v, const struct uiommu_user_data *inv, size_t num, size_t *handled),
	(v, inv, num, handled))

EACH(uiommu_dma_create,
	(struct uiommu_dev *dev, enum uiommu_dma_mode mode, uiommu_iova_t last,
	struct uiommu_dma **out),
	(dev, mode, last, out))
EACH(uiommu_dma_map,
	(struct uiommu_dma *dma, uiommu_pa_t pa, uint64_t len, unsigned prot, uiommu_iova_t *iova),
	(dma, pa, len, prot, iova))
EACH(uiommu_dma_map_sg,
	(struct uiommu_dma *dma, struct uiommu_dma_seg *seg, unsigned n, unsigned prot),
	(dma, seg, n, prot))

EACH(uiommu_mm_create,
	(struct uiommu *u, const struct uiommu_mm_config *cfg, struct uiommu_mm **out),
	(u, cfg, out))
EACH(uiommu_sva_bind_device,
	(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out), (dev, mm, out))
EACH(uiommu_sva_bind_rid,
	(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out), (dev, mm, out))
EACH(uiommu_domain_set_iopf,
	(struct uiommu_domain *dom, const struct uiommu_iopf_handler *h, void *ctx), (dom, h, ctx))

EACH_VOID(uiommu_device_remove, (struct uiommu_dev *dev), (dev))
EACH_VOID(uiommu_device_release, (struct uiommu_dev *dev, const void *owner), (dev, owner))
EACH_VOID(uiommu_detach_device_pasid, (struct uiommu_dev *dev, uiommu_pasid_t pasid),
	(dev, pasid))
EACH_VOID(uiommu_detach_group_pasid, (struct uiommu_dev *dev, uiommu_pasid_t pasid),
	(dev, pasid))
EACH_VOID(uiommu_unbind_pgtable_pasid,
	(struct uiommu_domain *parent, struct uiommu_dev *dev, uiommu_pasid_t pasid),
	(parent, dev, pasid))
EACH_VOID(uiommu_vdevice_free, (struct uiommu_vdevice *vd), (vd))
EACH_VOID(uiommu_dma_unmap, (struct uiommu_dma *dma, uiommu_iova_t iova, uint64_t len),
	(dma, iova, len))
EACH_VOID(uiommu_dma_flush, (struct uiommu_dma *dma), (dma))
EACH_VOID(uiommu_sva_unbind_device, (struct uiommu_sva *sva), (sva))
EACH_VOID(uiommu_page_response,
	(struct uiommu_iopf_group *g, enum uiommu_page_response code), (g, code))
