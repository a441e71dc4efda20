/* SPDX-License-Identifier: MIT */
/**
 * uiommu/types.h - the words that every other header uses
 */
#ifndef UIOMMU_TYPES_H
#define UIOMMU_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t uiommu_iova_t;		/* what a device puts on the bus, bytes */
typedef uint64_t uiommu_pa_t;		/* what memory is reached by, bytes */
typedef uint32_t uiommu_pasid_t;	/* 20 bits; 0 is the RID's own traffic */

/* The RID's own, untagged traffic. Never given out as a PASID (DESIGN 3.5). */
#define UIOMMU_NO_PASID		((uiommu_pasid_t)0)
#define UIOMMU_PASID_MAX	((uiommu_pasid_t)0xfffff)

/* What a mapping allows. Typed per format by src/pt; raw bits never travel. */
#define UIOMMU_PROT_READ	(1u << 0)
#define UIOMMU_PROT_WRITE	(1u << 1)
#define UIOMMU_PROT_EXEC	(1u << 2)
#define UIOMMU_PROT_PRIV	(1u << 3)	/* privileged accesses only */
#define UIOMMU_PROT_MMIO	(1u << 4)	/* device memory (a doorbell), not cacheable RAM */
#define UIOMMU_PROT_ALL		0x1fu

#endif
