/* SPDX-License-Identifier: MIT */
/* smmuv3.c - what stands before the driver's functions */
#include <uiommu/smmuv3.h>

#include "each.h"

EACH(uiommu_smmuv3_probe,
	(struct uiommu *u, const struct uiommu_smmuv3_config *cfg, struct uiommu_iommu **out),
	(u, cfg, out))
EACH_VOID(uiommu_smmuv3_remove, (struct uiommu_iommu *iommu), (iommu))
