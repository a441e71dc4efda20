/* SPDX-License-Identifier: MIT */
/* Stands where the preloaded library will be. */
int uiommu_dummy;
