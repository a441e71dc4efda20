/* SPDX-License-Identifier: MIT */
/* src/core/resv.c - ranges of a device that are not for mapping, and those that always are */
#include "core.h"

#define PAGE	4096u

static bool is_direct(const struct uiommu_dev_resv *r)
{
	return r->type <= UIOMMU_RESV_DIRECT_RELAXABLE;
}

static bool is_sane(const struct uiommu_dev_resv *r)
{
	if (r->type > UIOMMU_RESV_MSI || r->start > r->last)
		return false;
	if (!is_direct(r))
		return true;
	return r->prot && !(r->start % PAGE) && r->last % PAGE == PAGE - 1;
}

int uiommu_resv_check(const struct uiommu_dev_resv *resv, unsigned n, bool blocked)
{
	if (n > UIOMMU_RESV_MAX || (n && !resv))
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (!is_sane(&resv[i]) || (blocked && resv[i].type == UIOMMU_RESV_DIRECT))
			return -UIOMMU_EINVAL;
	return 0;
}

bool uiommu_resv_is_direct(const struct uiommu_dev *dev)
{
	for (unsigned i = 0; i < dev->num_resv; i++)
		if (dev->resv[i].type == UIOMMU_RESV_DIRECT)
			return true;
	return false;
}

/* 1: all of it is there, 0: nothing of it, or an error: something else is. */
static int is_mapped(struct uiommu_domain *dom, const struct uiommu_dev_resv *r)
{
	uint64_t there = 0, pages = (r->last - r->start) / PAGE + 1;

	for (uint64_t i = 0; i < pages; i++) {
		uiommu_pa_t pa;

		if (uiommu_iova_to_phys(dom, r->start + i * PAGE, &pa))
			continue;
		if (pa != r->start + i * PAGE)
			return -UIOMMU_EADDRINUSE;
		there++;
	}
	if (there && there != pages)
		return -UIOMMU_EADDRINUSE;
	return there != 0;
}

static int map_one(struct uiommu_domain *dom, const struct uiommu_dev_resv *r)
{
	uint64_t done = 0;
	int err = uiommu_map(dom, r->start, r->start, r->last - r->start + 1, r->prot, &done);

	if (err && done)
		uiommu_unmap(dom, r->start, done, NULL);
	return err;
}

int uiommu_resv_map(const struct uiommu_dev *dev, struct uiommu_domain *dom, bool is_default,
		    uint32_t *mapped)
{
	*mapped = 0;
	if (dom->type != UIOMMU_DOMAIN_PAGING)
		return 0;
	for (unsigned i = 0; i < dev->num_resv; i++) {
		const struct uiommu_dev_resv *r = &dev->resv[i];
		int err;

		if (!is_direct(r) || (r->type == UIOMMU_RESV_DIRECT_RELAXABLE && !is_default))
			continue;
		err = is_mapped(dom, r);
		if (err > 0)
			continue;
		if (!err)
			err = map_one(dom, r);
		if (err) {
			uiommu_resv_unmap(dev, dom, *mapped);
			return err;
		}
		*mapped |= 1u << i;
	}
	return 0;
}

void uiommu_resv_unmap(const struct uiommu_dev *dev, struct uiommu_domain *dom, uint32_t mapped)
{
	for (unsigned i = 0; i < dev->num_resv; i++) {
		const struct uiommu_dev_resv *r = &dev->resv[i];

		if (mapped >> i & 1)
			uiommu_unmap(dom, r->start, r->last - r->start + 1, NULL);
	}
}

int uiommu_device_for_each_resv(const struct uiommu_dev *dev,
				int (*fn)(void *ctx, const struct uiommu_dev_resv *resv), void *ctx)
{
	int ret = 0;

	for (unsigned i = 0; i < dev->num_resv && !ret; i++)
		ret = fn(ctx, &dev->resv[i]);
	return ret;
}
