/* SPDX-License-Identifier: MIT */
/*
 * abi.h - the numbers and layouts of <linux/iommufd.h>, typed again from facts
 *
 * A name here is the system header's with uiommu_abi_ or UIOMMU_ABI_ in front,
 * so both can be included in one file. Sizes and offsets are asserted below and
 * compared with tests/golden/iommufd-abi-7.3.txt by tests/abi. Everything is in
 * the byte order of the machine; every structure starts with its size in bytes.
 */
#ifndef UIOMMU_SRC_IOMMUFD_ABI_H
#define UIOMMU_SRC_IOMMUFD_ABI_H

#include <stddef.h>
#include <stdint.h>

#define UIOMMU_ABI_IOMMUFD_TYPE			0x3bu	/* ';' */
#define UIOMMU_ABI_IOMMUFD_CMD_BASE		0x80u

#define UIOMMU_ABI_IOMMU_DESTROY			0x3b80u
#define UIOMMU_ABI_IOMMU_IOAS_ALLOC		0x3b81u
#define UIOMMU_ABI_IOMMU_IOAS_ALLOW_IOVAS		0x3b82u
#define UIOMMU_ABI_IOMMU_IOAS_COPY			0x3b83u
#define UIOMMU_ABI_IOMMU_IOAS_IOVA_RANGES		0x3b84u
#define UIOMMU_ABI_IOMMU_IOAS_MAP			0x3b85u
#define UIOMMU_ABI_IOMMU_IOAS_UNMAP		0x3b86u
#define UIOMMU_ABI_IOMMU_OPTION			0x3b87u
#define UIOMMU_ABI_IOMMU_VFIO_IOAS			0x3b88u
#define UIOMMU_ABI_IOMMU_HWPT_ALLOC		0x3b89u
#define UIOMMU_ABI_IOMMU_GET_HW_INFO		0x3b8au
#define UIOMMU_ABI_IOMMU_HWPT_SET_DIRTY_TRACKING	0x3b8bu
#define UIOMMU_ABI_IOMMU_HWPT_GET_DIRTY_BITMAP	0x3b8cu
#define UIOMMU_ABI_IOMMU_HWPT_INVALIDATE		0x3b8du
#define UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC		0x3b8eu
#define UIOMMU_ABI_IOMMU_IOAS_MAP_FILE		0x3b8fu
#define UIOMMU_ABI_IOMMU_VIOMMU_ALLOC		0x3b90u
#define UIOMMU_ABI_IOMMU_VDEVICE_ALLOC		0x3b91u
#define UIOMMU_ABI_IOMMU_IOAS_CHANGE_PROCESS	0x3b92u
#define UIOMMU_ABI_IOMMU_VEVENTQ_ALLOC		0x3b93u
#define UIOMMU_ABI_IOMMU_HW_QUEUE_ALLOC		0x3b94u

#define UIOMMU_ABI_IOMMU_IOAS_MAP_FIXED_IOVA	(1u << 0)
#define UIOMMU_ABI_IOMMU_IOAS_MAP_WRITEABLE	(1u << 1)
#define UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE		(1u << 2)

#define UIOMMU_ABI_IOMMU_OPTION_RLIMIT_MODE	0u
#define UIOMMU_ABI_IOMMU_OPTION_HUGE_PAGES		1u
#define UIOMMU_ABI_IOMMU_OPTION_OP_SET		0u
#define UIOMMU_ABI_IOMMU_OPTION_OP_GET		1u

#define UIOMMU_ABI_IOMMU_VFIO_IOAS_GET		0u
#define UIOMMU_ABI_IOMMU_VFIO_IOAS_SET		1u
#define UIOMMU_ABI_IOMMU_VFIO_IOAS_CLEAR		2u

#define UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT	(1u << 0)
#define UIOMMU_ABI_IOMMU_HWPT_ALLOC_DIRTY_TRACKING	(1u << 1)
#define UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID	(1u << 2)
#define UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID		(1u << 3)
#define UIOMMU_ABI_IOMMU_HWPT_DATA_NONE		0u

#define UIOMMU_ABI_IOMMU_HW_INFO_TYPE_NONE		0u
#define UIOMMU_ABI_IOMMU_HW_INFO_TYPE_DEFAULT	0u
#define UIOMMU_ABI_IOMMU_HW_INFO_TYPE_INTEL_VTD	1u
#define UIOMMU_ABI_IOMMU_HW_INFO_TYPE_ARM_SMMUV3	2u
#define UIOMMU_ABI_IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV 3u
#define UIOMMU_ABI_IOMMU_HW_INFO_FLAG_INPUT_TYPE	(1u << 0)
#define UIOMMU_ABI_IOMMU_HW_CAP_DIRTY_TRACKING	(1u << 0)

#define UIOMMU_ABI_IOMMU_HWPT_DIRTY_TRACKING_ENABLE	(1u << 0)
#define UIOMMU_ABI_IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR (1u << 0)

#define UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_PASID_VALID	(1u << 0)
#define UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_LAST_PAGE	(1u << 1)
#define UIOMMU_ABI_IOMMU_PGFAULT_PERM_READ		(1u << 0)
#define UIOMMU_ABI_IOMMU_PGFAULT_PERM_WRITE	(1u << 1)
#define UIOMMU_ABI_IOMMU_PGFAULT_PERM_EXEC		(1u << 2)
#define UIOMMU_ABI_IOMMU_PGFAULT_PERM_PRIV		(1u << 3)
#define UIOMMU_ABI_IOMMUFD_PAGE_RESP_SUCCESS	0u
#define UIOMMU_ABI_IOMMUFD_PAGE_RESP_INVALID	1u

#define UIOMMU_ABI_IOMMU_VIOMMU_TYPE_DEFAULT	0u
#define UIOMMU_ABI_IOMMU_VIOMMU_TYPE_ARM_SMMUV3	1u
#define UIOMMU_ABI_IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV 2u
#define UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_DEFAULT	0u
#define UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_ARM_SMMUV3	1u
#define UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV 2u
#define UIOMMU_ABI_IOMMU_VEVENTQ_FLAG_LOST_EVENTS	(1u << 0)
#define UIOMMU_ABI_IOMMU_HW_QUEUE_TYPE_DEFAULT	0u
#define UIOMMU_ABI_IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV 1u

/* the VFIO container's calls, which Linux answers on the same file */
#define UIOMMU_ABI_VFIO_GET_API_VERSION		0x3b64u
#define UIOMMU_ABI_VFIO_CHECK_EXTENSION		0x3b65u
#define UIOMMU_ABI_VFIO_SET_IOMMU			0x3b66u
#define UIOMMU_ABI_VFIO_IOMMU_GET_INFO		0x3b70u
#define UIOMMU_ABI_VFIO_IOMMU_MAP_DMA		0x3b71u
#define UIOMMU_ABI_VFIO_IOMMU_UNMAP_DMA		0x3b72u
#define UIOMMU_ABI_VFIO_API_VERSION			0u
#define UIOMMU_ABI_VFIO_TYPE1_IOMMU			1u
#define UIOMMU_ABI_VFIO_TYPE1v2_IOMMU		3u
#define UIOMMU_ABI_VFIO_DMA_CC_IOMMU		4u
#define UIOMMU_ABI_VFIO_UNMAP_ALL			9u
#define UIOMMU_ABI_VFIO_IOMMU_INFO_PGSIZES		(1u << 0)
#define UIOMMU_ABI_VFIO_IOMMU_INFO_CAPS		(1u << 1)
#define UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE 1u
#define UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL	3u
#define UIOMMU_ABI_VFIO_DMA_MAP_FLAG_READ		(1u << 0)
#define UIOMMU_ABI_VFIO_DMA_MAP_FLAG_WRITE		(1u << 1)
#define UIOMMU_ABI_VFIO_DMA_UNMAP_FLAG_ALL		(1u << 1)

struct uiommu_abi_iommu_destroy {
	uint32_t size;
	uint32_t id;
};

struct uiommu_abi_iommu_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_ioas_id;
};

struct uiommu_abi_iommu_iova_range {
	uint64_t start;
	uint64_t last;
};

struct uiommu_abi_iommu_ioas_iova_ranges {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t __reserved;
	uint64_t allowed_iovas;
	uint64_t out_iova_alignment;
};

struct uiommu_abi_iommu_ioas_allow_iovas {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t __reserved;
	uint64_t allowed_iovas;
};

struct uiommu_abi_iommu_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t __reserved;
	uint64_t user_va;
	uint64_t length;
	uint64_t iova;
};

struct uiommu_abi_iommu_ioas_copy {
	uint32_t size;
	uint32_t flags;
	uint32_t dst_ioas_id;
	uint32_t src_ioas_id;
	uint64_t length;
	uint64_t dst_iova;
	uint64_t src_iova;
};

struct uiommu_abi_iommu_ioas_unmap {
	uint32_t size;
	uint32_t ioas_id;
	uint64_t iova;
	uint64_t length;
};

struct uiommu_abi_iommu_option {
	uint32_t size;
	uint32_t option_id;
	uint16_t op;
	uint16_t __reserved;
	uint32_t object_id;
	uint64_t val64;
};

struct uiommu_abi_iommu_vfio_ioas {
	uint32_t size;
	uint32_t ioas_id;
	uint16_t op;
	uint16_t __reserved;
};

struct uiommu_abi_iommu_hwpt_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id;
	uint32_t pt_id;
	uint32_t out_hwpt_id;
	uint32_t __reserved;
	uint32_t data_type;
	uint32_t data_len;
	uint64_t data_uptr;
	uint32_t fault_id;
	uint32_t __reserved2;
};

struct uiommu_abi_iommu_fault_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_fault_id;
	uint32_t out_fault_fd;
};

struct uiommu_abi_iommu_hwpt_pgfault {
	uint32_t flags;
	uint32_t dev_id;
	uint32_t pasid;
	uint32_t grpid;
	uint32_t perm;
	uint32_t __reserved;
	uint64_t addr;
	uint32_t length;
	uint32_t cookie;
};

struct uiommu_abi_iommu_hwpt_page_response {
	uint32_t cookie;
	uint32_t code;
};

struct uiommu_abi_iommu_hw_info {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id;
	uint32_t data_len;
	uint64_t data_uptr;
	union {
		uint32_t in_data_type;
		uint32_t out_data_type;
	};
	uint8_t out_max_pasid_log2;
	uint8_t __reserved[3];
	uint64_t out_capabilities;
};

struct uiommu_abi_iommu_hwpt_set_dirty_tracking {
	uint32_t size;
	uint32_t flags;
	uint32_t hwpt_id;
	uint32_t __reserved;
};

struct uiommu_abi_iommu_hwpt_get_dirty_bitmap {
	uint32_t size;
	uint32_t hwpt_id;
	uint32_t flags;
	uint32_t __reserved;
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	uint64_t data;
};

struct uiommu_abi_iommu_hwpt_invalidate {
	uint32_t size;
	uint32_t hwpt_id;
	uint64_t data_uptr;
	uint32_t data_type;
	uint32_t entry_len;
	uint32_t entry_num;
	uint32_t __reserved;
};

struct uiommu_abi_iommu_viommu_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t type;
	uint32_t dev_id;
	uint32_t hwpt_id;
	uint32_t out_viommu_id;
	uint32_t data_len;
	uint32_t __reserved;
	uint64_t data_uptr;
};

struct uiommu_abi_iommu_vdevice_alloc {
	uint32_t size;
	uint32_t viommu_id;
	uint32_t dev_id;
	uint32_t out_vdevice_id;
	uint64_t virt_id;
};

struct uiommu_abi_iommu_veventq_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t viommu_id;
	uint32_t type;
	uint32_t veventq_depth;
	uint32_t out_veventq_id;
	uint32_t out_veventq_fd;
	uint32_t __reserved;
};

struct uiommu_abi_iommufd_vevent_header {
	uint32_t flags;
	uint32_t sequence;
};

struct uiommu_abi_iommu_vevent_arm_smmuv3 {
	uint64_t evt[4];		/* little-endian */
};

struct uiommu_abi_iommu_vevent_tegra241_cmdqv {
	uint64_t lvcmdq_err_map[2];	/* little-endian */
};

struct uiommu_abi_iommu_viommu_tegra241_cmdqv {
	uint64_t out_vintf_mmap_offset;
	uint64_t out_vintf_mmap_length;
};

struct uiommu_abi_iommu_hw_info_tegra241_cmdqv {
	uint32_t flags;
	uint8_t version;
	uint8_t log2vcmdqs;
	uint8_t log2vsids;
	uint8_t __reserved;
};

struct uiommu_abi_iommu_hw_queue_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t viommu_id;
	uint32_t type;
	uint32_t index;
	uint32_t out_hw_queue_id;
	uint64_t nesting_parent_iova;
	uint64_t length;
};

struct uiommu_abi_vfio_iommu_type1_info {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova_pgsizes;
	uint32_t cap_offset;
	uint32_t pad;
};

struct uiommu_abi_vfio_iommu_type1_info_cap_iova_range {
	uint16_t id;			/* struct vfio_info_cap_header */
	uint16_t version;
	uint32_t next;
	uint32_t nr_iovas;
	uint32_t reserved;		/* then the ranges */
};

struct uiommu_abi_vfio_iova_range {
	uint64_t start;
	uint64_t end;			/* inclusive */
};

struct uiommu_abi_vfio_iommu_type1_info_dma_avail {
	uint16_t id;
	uint16_t version;
	uint32_t next;
	uint32_t avail;
};

struct uiommu_abi_vfio_iommu_type1_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t vaddr;
	uint64_t iova;
	uint64_t size;
};

struct uiommu_abi_vfio_iommu_type1_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
};

#define UIOMMU_ABI_ASSERT(type, bytes, field, off)			\
	_Static_assert(sizeof(struct uiommu_abi_##type) == (bytes) &&	\
		       offsetof(struct uiommu_abi_##type, field) == (off), #type)

UIOMMU_ABI_ASSERT(iommu_destroy, 8, id, 4);
UIOMMU_ABI_ASSERT(iommu_ioas_alloc, 12, out_ioas_id, 8);
UIOMMU_ABI_ASSERT(iommu_iova_range, 16, last, 8);
UIOMMU_ABI_ASSERT(iommu_ioas_iova_ranges, 32, out_iova_alignment, 24);
UIOMMU_ABI_ASSERT(iommu_ioas_allow_iovas, 24, allowed_iovas, 16);
UIOMMU_ABI_ASSERT(iommu_ioas_map, 40, iova, 32);
UIOMMU_ABI_ASSERT(iommu_ioas_copy, 40, src_iova, 32);
UIOMMU_ABI_ASSERT(iommu_ioas_unmap, 24, length, 16);
UIOMMU_ABI_ASSERT(iommu_option, 24, val64, 16);
UIOMMU_ABI_ASSERT(iommu_vfio_ioas, 12, op, 8);
UIOMMU_ABI_ASSERT(iommu_hwpt_alloc, 48, fault_id, 40);
UIOMMU_ABI_ASSERT(iommu_fault_alloc, 16, out_fault_fd, 12);
UIOMMU_ABI_ASSERT(iommu_hwpt_pgfault, 40, cookie, 36);
UIOMMU_ABI_ASSERT(iommu_hwpt_page_response, 8, code, 4);
UIOMMU_ABI_ASSERT(iommu_hw_info, 40, out_capabilities, 32);
UIOMMU_ABI_ASSERT(iommu_hwpt_set_dirty_tracking, 16, hwpt_id, 8);
UIOMMU_ABI_ASSERT(iommu_hwpt_get_dirty_bitmap, 48, data, 40);
UIOMMU_ABI_ASSERT(iommu_hwpt_invalidate, 32, entry_num, 24);
UIOMMU_ABI_ASSERT(iommu_viommu_alloc, 40, data_uptr, 32);
UIOMMU_ABI_ASSERT(iommu_vdevice_alloc, 24, virt_id, 16);
UIOMMU_ABI_ASSERT(iommu_veventq_alloc, 32, out_veventq_fd, 24);
UIOMMU_ABI_ASSERT(iommufd_vevent_header, 8, sequence, 4);
UIOMMU_ABI_ASSERT(iommu_vevent_arm_smmuv3, 32, evt, 0);
UIOMMU_ABI_ASSERT(iommu_vevent_tegra241_cmdqv, 16, lvcmdq_err_map, 0);
UIOMMU_ABI_ASSERT(iommu_viommu_tegra241_cmdqv, 16, out_vintf_mmap_length, 8);
UIOMMU_ABI_ASSERT(iommu_hw_info_tegra241_cmdqv, 8, log2vsids, 6);
UIOMMU_ABI_ASSERT(iommu_hw_queue_alloc, 40, length, 32);
UIOMMU_ABI_ASSERT(vfio_iommu_type1_info, 24, cap_offset, 16);
UIOMMU_ABI_ASSERT(vfio_iommu_type1_info_cap_iova_range, 16, nr_iovas, 8);
UIOMMU_ABI_ASSERT(vfio_iova_range, 16, end, 8);
UIOMMU_ABI_ASSERT(vfio_iommu_type1_info_dma_avail, 12, avail, 8);
UIOMMU_ABI_ASSERT(vfio_iommu_type1_dma_map, 32, size, 24);
UIOMMU_ABI_ASSERT(vfio_iommu_type1_dma_unmap, 24, size, 16);

#undef UIOMMU_ABI_ASSERT

#endif
