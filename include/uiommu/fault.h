/* SPDX-License-Identifier: MIT */
/**
 * uiommu/fault.h - a DMA that hardware refused, in terms of devices
 *
 * Made by a driver from a record of its hardware, given to the instance's
 * observer (uiommu/iommu.h). In words: uiommu_fault_text() of the driver.
 */
#ifndef UIOMMU_FAULT_H
#define UIOMMU_FAULT_H

#include <uiommu/types.h>

struct uiommu_dev;
struct uiommu_iommu;

#define UIOMMU_FAULT_READ	(1u << 0)
#define UIOMMU_FAULT_WRITE	(1u << 1)
#define UIOMMU_FAULT_EXEC	(1u << 2)
#define UIOMMU_FAULT_PRIV	(1u << 3)
#define UIOMMU_FAULT_HAS_RW	(1u << 4)	/* READ or WRITE (EXEC, PRIV) says something */
#define UIOMMU_FAULT_HAS_PASID	(1u << 5)	/* it was tagged with @pasid */
#define UIOMMU_FAULT_HAS_IOVA	(1u << 6)
#define UIOMMU_FAULT_HAS_IPA	(1u << 7)
#define UIOMMU_FAULT_STAGE2	(1u << 8)	/* stage 2 said no, else stage 1 */
#define UIOMMU_FAULT_STALLED	(1u << 9)	/* the access waits for an answer */

/**
 * struct uiommu_fault - one refused access
 * @iommu:     which IOMMU
 * @dev:       whose access; NULL: no device has this StreamID
 * @stream_id: as the IOMMU saw it
 * @pasid:     with UIOMMU_FAULT_HAS_PASID
 * @flags:     UIOMMU_FAULT_*: which members are good, and how it was accessed
 * @code:      hardware's own number for it (SMMUv3: event number)
 * @name:      hardware's own name, "F_TRANSLATION"; a constant
 * @table:     which table said no and why, "page table: not mapped"; a constant.
 *             One that begins with "page table" is of the stage that @flags names
 * @iova:      with UIOMMU_FAULT_HAS_IOVA; the input address, bytes
 * @ipa:       with UIOMMU_FAULT_HAS_IPA; what stage 1 gave, bytes
 * @raw:       the record as hardware wrote it
 */
struct uiommu_fault {
	struct uiommu_iommu *iommu;
	struct uiommu_dev *dev;
	uint32_t stream_id;
	uiommu_pasid_t pasid;
	unsigned flags;
	unsigned code;
	const char *name;
	const char *table;
	uiommu_iova_t iova;
	uiommu_pa_t ipa;
	uint64_t raw[4];
};

#endif
