/* SPDX-License-Identifier: MIT */
/*
 * abi.h - the numbers and layouts of <linux/vfio.h> for device files, typed
 * again from facts; names as in src/iommufd/abi.h, compared by tests/abi with
 * tests/golden/vfio-abi-7.3.txt
 *
 * Structures start with argsz, the caller's idea of their size; unlike iommufd's
 * a longer one is simply not looked at beyond what is known.
 */
#ifndef UIOMMU_SRC_VFIO_ABI_H
#define UIOMMU_SRC_VFIO_ABI_H

#include <stddef.h>
#include <stdint.h>

#define UIOMMU_ABI_VFIO_DEVICE_GET_INFO			0x3b6bu
#define UIOMMU_ABI_VFIO_DEVICE_GET_REGION_INFO		0x3b6cu
#define UIOMMU_ABI_VFIO_DEVICE_GET_IRQ_INFO		0x3b6du
#define UIOMMU_ABI_VFIO_DEVICE_SET_IRQS			0x3b6eu
#define UIOMMU_ABI_VFIO_DEVICE_RESET			0x3b6fu
#define UIOMMU_ABI_VFIO_DEVICE_GET_PCI_HOT_RESET_INFO	0x3b70u
#define UIOMMU_ABI_VFIO_DEVICE_PCI_HOT_RESET		0x3b71u
#define UIOMMU_ABI_VFIO_DEVICE_FEATURE			0x3b75u
#define UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD		0x3b76u
#define UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT	0x3b77u
#define UIOMMU_ABI_VFIO_DEVICE_DETACH_IOMMUFD_PT	0x3b78u

#define UIOMMU_ABI_VFIO_DEVICE_FLAGS_RESET		(1u << 0)
#define UIOMMU_ABI_VFIO_DEVICE_FLAGS_PCI		(1u << 1)

#define UIOMMU_ABI_VFIO_REGION_INFO_FLAG_READ		(1u << 0)
#define UIOMMU_ABI_VFIO_REGION_INFO_FLAG_WRITE		(1u << 1)
#define UIOMMU_ABI_VFIO_REGION_INFO_FLAG_MMAP		(1u << 2)
#define UIOMMU_ABI_VFIO_REGION_INFO_FLAG_CAPS		(1u << 3)
#define UIOMMU_ABI_VFIO_REGION_INFO_CAP_MSIX_MAPPABLE	3u

#define UIOMMU_ABI_VFIO_IRQ_INFO_EVENTFD		(1u << 0)
#define UIOMMU_ABI_VFIO_IRQ_INFO_MASKABLE		(1u << 1)
#define UIOMMU_ABI_VFIO_IRQ_INFO_AUTOMASKED		(1u << 2)
#define UIOMMU_ABI_VFIO_IRQ_INFO_NORESIZE		(1u << 3)

#define UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE		(1u << 0)
#define UIOMMU_ABI_VFIO_IRQ_SET_DATA_BOOL		(1u << 1)
#define UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD		(1u << 2)
#define UIOMMU_ABI_VFIO_IRQ_SET_ACTION_MASK		(1u << 3)
#define UIOMMU_ABI_VFIO_IRQ_SET_ACTION_UNMASK		(1u << 4)
#define UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TRIGGER		(1u << 5)
#define UIOMMU_ABI_VFIO_IRQ_SET_DATA_TYPE_MASK		0x07u
#define UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TYPE_MASK	0x38u

#define UIOMMU_ABI_VFIO_DEVICE_FEATURE_MASK		0xffffu
#define UIOMMU_ABI_VFIO_DEVICE_FEATURE_GET		(1u << 16)
#define UIOMMU_ABI_VFIO_DEVICE_FEATURE_SET		(1u << 17)
#define UIOMMU_ABI_VFIO_DEVICE_FEATURE_PROBE		(1u << 18)

#define UIOMMU_ABI_VFIO_DEVICE_BIND_FLAG_TOKEN		(1u << 0)
#define UIOMMU_ABI_VFIO_DEVICE_ATTACH_PASID		(1u << 0)
#define UIOMMU_ABI_VFIO_DEVICE_DETACH_PASID		(1u << 0)

#define UIOMMU_ABI_VFIO_PCI_BAR0_REGION_INDEX		0u
#define UIOMMU_ABI_VFIO_PCI_BAR5_REGION_INDEX		5u
#define UIOMMU_ABI_VFIO_PCI_ROM_REGION_INDEX		6u
#define UIOMMU_ABI_VFIO_PCI_CONFIG_REGION_INDEX		7u
#define UIOMMU_ABI_VFIO_PCI_VGA_REGION_INDEX		8u
#define UIOMMU_ABI_VFIO_PCI_NUM_REGIONS			9u

#define UIOMMU_ABI_VFIO_PCI_INTX_IRQ_INDEX		0u
#define UIOMMU_ABI_VFIO_PCI_MSI_IRQ_INDEX		1u
#define UIOMMU_ABI_VFIO_PCI_MSIX_IRQ_INDEX		2u
#define UIOMMU_ABI_VFIO_PCI_ERR_IRQ_INDEX		3u
#define UIOMMU_ABI_VFIO_PCI_REQ_IRQ_INDEX		4u
#define UIOMMU_ABI_VFIO_PCI_NUM_IRQS			5u

struct uiommu_abi_vfio_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
	uint32_t cap_offset;
	uint32_t pad;
};

struct uiommu_abi_vfio_info_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next;
};

struct uiommu_abi_vfio_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};

struct uiommu_abi_vfio_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

struct uiommu_abi_vfio_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;			/* then count fds or bools */
};

struct uiommu_abi_vfio_device_feature {
	uint32_t argsz;
	uint32_t flags;			/* then the feature's own data */
};

struct uiommu_abi_vfio_device_bind_iommufd {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
	uint64_t token_uuid_ptr;
};

struct uiommu_abi_vfio_device_attach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
	uint32_t pasid;
};

struct uiommu_abi_vfio_device_detach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pasid;
};

struct uiommu_abi_vfio_pci_hot_reset_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
};

#define UIOMMU_ABI_ASSERT(type, bytes, field, off)			\
	_Static_assert(sizeof(struct uiommu_abi_##type) == (bytes) &&	\
		       offsetof(struct uiommu_abi_##type, field) == (off), #type)

UIOMMU_ABI_ASSERT(vfio_device_info, 24, cap_offset, 16);
UIOMMU_ABI_ASSERT(vfio_info_cap_header, 8, next, 4);
UIOMMU_ABI_ASSERT(vfio_region_info, 32, offset, 24);
UIOMMU_ABI_ASSERT(vfio_irq_info, 16, count, 12);
UIOMMU_ABI_ASSERT(vfio_irq_set, 20, count, 16);
UIOMMU_ABI_ASSERT(vfio_device_feature, 8, flags, 4);
UIOMMU_ABI_ASSERT(vfio_device_bind_iommufd, 24, token_uuid_ptr, 16);
UIOMMU_ABI_ASSERT(vfio_device_attach_iommufd_pt, 16, pasid, 12);
UIOMMU_ABI_ASSERT(vfio_device_detach_iommufd_pt, 12, pasid, 8);
UIOMMU_ABI_ASSERT(vfio_pci_hot_reset_info, 12, count, 8);

#undef UIOMMU_ABI_ASSERT

#endif
