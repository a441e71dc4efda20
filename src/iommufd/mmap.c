/* SPDX-License-Identifier: MIT */
/*
 * mmap.c - registers that a program may map: mmap() of a context's file
 *
 * An ioctl that makes an object with such registers hands out an offset into the file:
 * the lowest where they fit, from the second page on, as Linux gives them. Who maps them
 * holds the object and the context, so that neither goes away below an access.
 */
#include "internal.h"
#include "src/port/port.h"

void uiommu_region_add(struct uiommu_iommufd *ctx, struct uiommu_iommufd_region *reg,
		       uint64_t bytes)
{
	const struct uiommu_range *r = uiommu_ranges_first(&ctx->regions, UIOMMU_IOMMUFD_PAGE);
	uint64_t at = UIOMMU_IOMMUFD_PAGE;

	for (; r && r->start - at < bytes; r = uiommu_ranges_next(&ctx->regions, r))
		at = r->last + 1;
	reg->ctx = ctx;
	reg->r.start = at;
	reg->r.last = at + bytes - 1;
	uiommu_ranges_insert(&ctx->regions, &reg->r);
}

void uiommu_region_remove(struct uiommu_iommufd_region *reg)
{
	if (reg->ctx)
		uiommu_ranges_remove(&reg->ctx->regions, &reg->r);
}

int uiommu_iommufd_mmap(struct uiommu_iommufd *ctx, uint64_t off, uint64_t len,
			struct uiommu_iommufd_region **out)
{
	struct uiommu_range *r;
	int ret = -UIOMMU_ENXIO;

	uiommu_iommufd_lock(ctx);
	r = uiommu_ranges_overlap(&ctx->regions, off, off);
	if (r && r->start == off && r->last - off == len - 1) {
		*out = uiommu_container_of(r, struct uiommu_iommufd_region, r);
		(*out)->owner->users++;
		ctx->refs++;
		ret = 0;
	}
	uiommu_iommufd_unlock(ctx);
	return ret;
}

void uiommu_iommufd_munmap(struct uiommu_iommufd_region *reg)
{
	struct uiommu_iommufd *ctx = reg->ctx;

	uiommu_iommufd_lock(ctx);
	reg->owner->users--;
	uiommu_iommufd_unlock(ctx);
	uiommu_iommufd_put(ctx);
}

static bool is_register(const struct uiommu_iommufd_region *reg, uint64_t off, unsigned size)
{
	return (size == 4 || size == 8) && !(off & (size - 1)) &&
	       off <= reg->r.last - reg->r.start;
}

uint64_t uiommu_iommufd_load(struct uiommu_iommufd_region *reg, uint64_t off, unsigned size)
{
	if (!is_register(reg, off, size))
		return 0;
	return size == 4 ? port_read32(&reg->mmio, off) : port_read64(&reg->mmio, off);
}

void uiommu_iommufd_store(struct uiommu_iommufd_region *reg, uint64_t off, uint64_t val,
			  unsigned size)
{
	if (!is_register(reg, off, size))
		return;
	if (size == 4)
		port_write32(&reg->mmio, off, (uint32_t)val);
	else
		port_write64(&reg->mmio, off, val);
}
