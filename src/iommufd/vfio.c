/* SPDX-License-Identifier: MIT */
/*
 * vfio.c - the calls of a VFIO container (type 1) on an iommufd context
 *
 * Linux answers them on /dev/iommu for the IOAS that VFIO_IOAS named. Type 1, the
 * first, may unmap the middle of a mapping, which takes page tables of small
 * pages; version 2 may not.
 */
#include "internal.h"

/* The first @bytes of a structure, whose argsz must say that there are as many. */
static int fetch(const struct uiommu_icall *c, void *dst, size_t bytes)
{
	uint32_t argsz;

	if (uiommu_icall_copy_in(c, dst, c->user, bytes))
		return -UIOMMU_EFAULT;
	memcpy(&argsz, dst, sizeof(argsz));
	return argsz < bytes ? -UIOMMU_EINVAL : 0;
}

/* ---- what there is ---- */

static int check_extension(const struct uiommu_icall *c, struct uiommu_ioas *ioas)
{
	switch (c->user) {
	case UIOMMU_ABI_VFIO_TYPE1_IOMMU:
	case UIOMMU_ABI_VFIO_TYPE1v2_IOMMU:
	case UIOMMU_ABI_VFIO_UNMAP_ALL:
		return 1;
	case UIOMMU_ABI_VFIO_DMA_CC_IOMMU:
		/* no page table here forces non-coherent accesses to be coherent */
		return ioas ? !ioas->iopt.hwpts : -UIOMMU_ENODEV;
	default:
		return 0;
	}
}

static int set_iommu(const struct uiommu_icall *c, struct uiommu_ioas *ioas)
{
	if (c->user != UIOMMU_ABI_VFIO_TYPE1_IOMMU && c->user != UIOMMU_ABI_VFIO_TYPE1v2_IOMMU)
		return -UIOMMU_EINVAL;
	if (!ioas)
		return -UIOMMU_ENODEV;
	return c->user == UIOMMU_ABI_VFIO_TYPE1_IOMMU ?
	       uiommu_iopt_set_small_pages(&ioas->iopt, true) : 0;
}

/* ---- IOMMU_GET_INFO ---- */

static uint64_t page_sizes(const struct uiommu_iopt *iopt)
{
	uint64_t sizes = UINT64_MAX;

	for (const struct uiommu_hwpt *h = iopt->hwpts; h; h = h->next)
		sizes &= h->info.pgsizes;
	/* a program counts in pages; smaller ones are as good as one */
	if (sizes & (UIOMMU_IOMMUFD_PAGE - 1))
		sizes = (sizes & ~(UIOMMU_IOMMUFD_PAGE - 1)) | UIOMMU_IOMMUFD_PAGE;
	return sizes > iopt->alignment ? sizes : iopt->alignment;
}

static int put_dma_avail(const struct uiommu_icall *c, uint32_t argsz, uint32_t at, uint32_t *end)
{
	const struct uiommu_abi_vfio_iommu_type1_info_dma_avail cap = {
		.id = UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1,
		.avail = UINT32_MAX,	/* memory is the limit */
	};

	*end = at + 16;			/* capabilities are 8-byte aligned */
	if (argsz < at + sizeof(cap))
		return 0;
	return uiommu_icall_copy_out(c, c->user + at, &cap, sizeof(cap));
}

static int put_iova_ranges(const struct uiommu_icall *c, const struct uiommu_iopt *iopt,
			   uint32_t argsz, uint32_t at, uint32_t *end)
{
	struct uiommu_abi_vfio_iommu_type1_info_cap_iova_range cap = {
		.id = UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1,
	};
	struct uiommu_abi_vfio_iova_range r = { 0 };
	bool more = true;

	for (*end = at + sizeof(cap); more; r.start = r.end + 1) {
		if (!uiommu_iopt_next_hole(iopt, &r.start, &r.end))
			break;
		if (argsz >= *end + sizeof(r) &&
		    uiommu_icall_copy_out(c, c->user + *end, &r, sizeof(r)))
			return -UIOMMU_EFAULT;
		cap.nr_iovas++;
		*end += sizeof(r);
		more = r.end != UINT64_MAX;
	}
	if (argsz < *end)
		return 0;
	return uiommu_icall_copy_out(c, c->user + at, &cap, sizeof(cap));
}

/* As much as there is room for; argsz says afterwards how much there is. */
static int get_info(const struct uiommu_icall *c, struct uiommu_ioas *ioas)
{
	const size_t min = offsetof(struct uiommu_abi_vfio_iommu_type1_info, cap_offset);
	struct uiommu_abi_vfio_iommu_type1_info info = { 0 };
	uint32_t room, ranges_at, end;
	int ret = fetch(c, &info, min);

	if (ret)
		return ret;
	if (!ioas)
		return -UIOMMU_ENODEV;
	room = info.argsz;
	info.flags = UIOMMU_ABI_VFIO_IOMMU_INFO_PGSIZES | UIOMMU_ABI_VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = page_sizes(&ioas->iopt);
	ret = put_dma_avail(c, room, sizeof(info), &ranges_at);
	if (!ret)
		ret = put_iova_ranges(c, &ioas->iopt, room, ranges_at, &end);
	if (!ret && room >= ranges_at)
		ret = uiommu_icall_copy_out(c, c->user + sizeof(info) + 4, &ranges_at,
					    sizeof(ranges_at));		/* the first one's next */
	if (ret)
		return ret;
	info.argsz = end;
	info.cap_offset = room >= end ? sizeof(info) : 0;
	return uiommu_icall_copy_out(c, c->user, &info, room < sizeof(info) ? room : sizeof(info));
}

/* ---- MAP_DMA, UNMAP_DMA ---- */

static int map_dma(const struct uiommu_icall *c, struct uiommu_ioas *ioas)
{
	const uint32_t known = UIOMMU_ABI_VFIO_DMA_MAP_FLAG_READ |
			       UIOMMU_ABI_VFIO_DMA_MAP_FLAG_WRITE;
	struct uiommu_abi_vfio_iommu_type1_dma_map map;
	unsigned prot;
	int ret = fetch(c, &map, sizeof(map));

	if (ret)
		return ret;
	if (map.flags & ~known)
		return -UIOMMU_EINVAL;
	if (!ioas)
		return -UIOMMU_ENODEV;
	prot = (map.flags & UIOMMU_ABI_VFIO_DMA_MAP_FLAG_READ ? UIOMMU_PROT_READ : 0) |
	       (map.flags & UIOMMU_ABI_VFIO_DMA_MAP_FLAG_WRITE ? UIOMMU_PROT_WRITE : 0);
	return uiommu_ioas_map_user(c, ioas, map.vaddr, map.size, &map.iova, true, prot);
}

/* What it names, ready to be cut out or whole, and how much that is. */
static int prepare_unmap(const struct uiommu_icall *c, const struct uiommu_iopt *iopt,
			 struct uiommu_abi_vfio_iommu_type1_dma_unmap *u, struct uiommu_cut *cut)
{
	const uint64_t size = u->size;
	int ret;

	*cut = (struct uiommu_cut){ .start = u->iova, .last = u->iova + size - 1 };
	u->size = 0;			/* what is unmapped */
	if (u->flags & UIOMMU_ABI_VFIO_DMA_UNMAP_FLAG_ALL)
		cut->last = UINT64_MAX;
	else if (!size)
		return -UIOMMU_EINVAL;
	else if (u->iova > UINT64_MAX - (size - 1))
		return -UIOMMU_EOVERFLOW;
	ret = iopt->small_pages ? uiommu_iopt_prepare_cut(c->ctx, iopt, cut) :
				  uiommu_iopt_check_unmap(iopt, cut->start, cut->last);
	if (!ret)
		u->size = uiommu_iopt_mapped(iopt, cut->start, cut->last);
	return ret;
}

/* The answer first: what is unmapped cannot be put back. */
static int unmap_dma(const struct uiommu_icall *c, struct uiommu_ioas *ioas)
{
	struct uiommu_abi_vfio_iommu_type1_dma_unmap u;
	struct uiommu_cut cut;
	int ret = fetch(c, &u, sizeof(u));

	if (ret)
		return ret;
	if (u.flags & ~UIOMMU_ABI_VFIO_DMA_UNMAP_FLAG_ALL)
		return -UIOMMU_EINVAL;
	if (!ioas)
		return -UIOMMU_ENODEV;
	if ((u.flags & UIOMMU_ABI_VFIO_DMA_UNMAP_FLAG_ALL) && (u.iova || u.size))
		return -UIOMMU_EINVAL;
	ret = prepare_unmap(c, &ioas->iopt, &u, &cut);
	if (uiommu_icall_copy_out(c, c->user, &u, sizeof(u))) {
		if (!ret)
			uiommu_iopt_forget_cut(c->ctx, &cut);
		return -UIOMMU_EFAULT;
	}
	if (ret)
		return ret;
	uiommu_iopt_cut(c->ctx, &ioas->iopt, &cut);
	uiommu_iopt_unmap(c->ctx, &ioas->iopt, cut.start, cut.last);
	return 0;
}

int uiommu_icall_vfio(const struct uiommu_icall *c, uint32_t cmd)
{
	struct uiommu_ioas *ioas = c->ctx->vfio_ioas;

	switch (cmd) {
	case UIOMMU_ABI_VFIO_GET_API_VERSION:
		return UIOMMU_ABI_VFIO_API_VERSION;
	case UIOMMU_ABI_VFIO_CHECK_EXTENSION:
		return check_extension(c, ioas);
	case UIOMMU_ABI_VFIO_SET_IOMMU:
		return set_iommu(c, ioas);
	case UIOMMU_ABI_VFIO_IOMMU_GET_INFO:
		return get_info(c, ioas);
	case UIOMMU_ABI_VFIO_IOMMU_MAP_DMA:
		return map_dma(c, ioas);
	case UIOMMU_ABI_VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(c, ioas);
	default:
		return -UIOMMU_ENOTTY;
	}
}
