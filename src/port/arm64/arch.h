/* SPDX-License-Identifier: MIT */
/* Arm: hardware that walks our tables is in the outer shareable domain. */
#ifndef UIOMMU_PORT_ARCH_H
#define UIOMMU_PORT_ARCH_H

UIOMMU_ALWAYS_INLINE void port_dma_wmb(void)
{
	__asm__ volatile("dmb oshst" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_rmb(void)
{
	__asm__ volatile("dmb oshld" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_mb(void)
{
	__asm__ volatile("dmb osh" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_wmb(void)
{
	__asm__ volatile("dmb oshst" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_rmb(void)
{
	__asm__ volatile("dmb oshld" ::: "memory");
}

#include "../access.h"

#endif
