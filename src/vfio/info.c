/* SPDX-License-Identifier: MIT */
/*
 * info.c - what a device tells of itself: regions, interrupts, features
 */
#include "internal.h"

int uiommu_vfio_get_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	struct uiommu_abi_vfio_device_info info = { 0 };
	const size_t min = offsetof(struct uiommu_abi_vfio_device_info, cap_offset);
	int ret = uiommu_vfio_fetch(d, as, arg, &info, min);

	if (ret)
		return ret;
	info.flags = UIOMMU_ABI_VFIO_DEVICE_FLAGS_PCI;
	if (d->be.reset)
		info.flags |= UIOMMU_ABI_VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = UIOMMU_ABI_VFIO_PCI_NUM_REGIONS;
	info.num_irqs = UIOMMU_ABI_VFIO_PCI_NUM_IRQS;
	return uiommu_vfio_copy_out(d, as, arg, &info,
				    info.argsz < sizeof(info) ? info.argsz : sizeof(info));
}

/* The table of MSI-X vectors may be mapped with the rest of its BAR: what a
 * program writes there is only where the function's own writes go. */
static int add_msix_cap(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg,
			struct uiommu_abi_vfio_region_info *info)
{
	const struct uiommu_abi_vfio_info_cap_header cap = {
		.id = UIOMMU_ABI_VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
		.version = 1,
	};

	info->flags |= UIOMMU_ABI_VFIO_REGION_INFO_FLAG_CAPS;
	info->cap_offset = 0;
	if (info->argsz < sizeof(*info) + sizeof(cap)) {
		info->argsz = sizeof(*info) + sizeof(cap);
		return 0;
	}
	info->cap_offset = sizeof(*info);
	return uiommu_vfio_copy_out(d, as, arg + sizeof(*info), &cap, sizeof(cap));
}

static int bar_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg,
		    struct uiommu_abi_vfio_region_info *info)
{
	uint64_t start, end;

	if (!info->size)
		return 0;
	info->flags = UIOMMU_ABI_VFIO_REGION_INFO_FLAG_READ |
		      UIOMMU_ABI_VFIO_REGION_INFO_FLAG_WRITE;
	if (!d->be.mmap_ok[info->index])
		return 0;
	info->flags |= UIOMMU_ABI_VFIO_REGION_INFO_FLAG_MMAP;
	if (!uiommu_vfio_msix_table(d, info->index, &start, &end))
		return 0;
	return add_msix_cap(d, as, arg, info);
}

int uiommu_vfio_get_region_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	struct uiommu_abi_vfio_region_info info = { 0 };
	int ret = uiommu_vfio_fetch(d, as, arg, &info, sizeof(info));

	if (ret)
		return ret;
	if (info.index >= UIOMMU_ABI_VFIO_PCI_VGA_REGION_INDEX)
		return -UIOMMU_EINVAL;
	info.flags = 0;
	info.size = d->be.region_bytes[info.index];
	info.offset = (uint64_t)info.index << UIOMMU_VFIO_INDEX_SHIFT;
	if (info.index == UIOMMU_ABI_VFIO_PCI_CONFIG_REGION_INDEX)
		info.flags = UIOMMU_ABI_VFIO_REGION_INFO_FLAG_READ |
			     UIOMMU_ABI_VFIO_REGION_INFO_FLAG_WRITE;
	else if (info.index == UIOMMU_ABI_VFIO_PCI_ROM_REGION_INDEX)
		info.size = 0;		/* functions here have no ROM to read */
	else
		ret = bar_info(d, as, arg, &info);
	return ret ? ret : uiommu_vfio_copy_out(d, as, arg, &info, sizeof(info));
}

int uiommu_vfio_get_irq_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	struct uiommu_abi_vfio_irq_info info;
	int ret = uiommu_vfio_fetch(d, as, arg, &info, sizeof(info));

	if (ret)
		return ret;
	if (info.index >= UIOMMU_ABI_VFIO_PCI_NUM_IRQS)
		return -UIOMMU_EINVAL;
	info.flags = UIOMMU_ABI_VFIO_IRQ_INFO_EVENTFD;
	info.count = uiommu_vfio_irq_count(d, info.index);
	if (info.index == UIOMMU_ABI_VFIO_PCI_INTX_IRQ_INDEX)
		info.flags |= UIOMMU_ABI_VFIO_IRQ_INFO_MASKABLE |
			      UIOMMU_ABI_VFIO_IRQ_INFO_AUTOMASKED;
	else if (info.index != UIOMMU_ABI_VFIO_PCI_MSIX_IRQ_INDEX)
		info.flags |= UIOMMU_ABI_VFIO_IRQ_INFO_NORESIZE;
	return uiommu_vfio_copy_out(d, as, arg, &info, sizeof(info));
}

/* The call is understood, and the answer to every feature is that there is none
 * of that kind: migration, DMA logging, VF tokens, low power. */
int uiommu_vfio_feature(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	const uint32_t getset = UIOMMU_ABI_VFIO_DEVICE_FEATURE_GET |
				UIOMMU_ABI_VFIO_DEVICE_FEATURE_SET;
	const uint32_t known = UIOMMU_ABI_VFIO_DEVICE_FEATURE_MASK | getset |
			       UIOMMU_ABI_VFIO_DEVICE_FEATURE_PROBE;
	struct uiommu_abi_vfio_device_feature f;
	int ret = uiommu_vfio_fetch(d, as, arg, &f, sizeof(f));

	if (ret)
		return ret;
	if (f.flags & ~known)
		return -UIOMMU_EINVAL;
	if (!(f.flags & UIOMMU_ABI_VFIO_DEVICE_FEATURE_PROBE) && (f.flags & getset) == getset)
		return -UIOMMU_EINVAL;
	return -UIOMMU_ENOTTY;
}
