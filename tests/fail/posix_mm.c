/* SPDX-License-Identifier: MIT */
/* posix_mm.c - what stands before a process that devices share with its threads */
#include "each.h"
#include "host/posix/mm.h"

EACH(uiommu_posix_mm_create,
	(struct uiommu_posix *p, struct uiommu *u, struct uiommu_posix_mm **out), (p, u, out))
