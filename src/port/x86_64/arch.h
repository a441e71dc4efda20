/* SPDX-License-Identifier: MIT */
/*
 * x86-64: loads and stores to write-back memory are seen in order but for a store
 * followed by a load; uncached stores are ordered after earlier stores.
 */
#ifndef UIOMMU_PORT_ARCH_H
#define UIOMMU_PORT_ARCH_H

UIOMMU_ALWAYS_INLINE void port_dma_wmb(void)
{
	__asm__ volatile("" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_rmb(void)
{
	__asm__ volatile("" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_mb(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_wmb(void)
{
	__asm__ volatile("" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_rmb(void)
{
	__asm__ volatile("" ::: "memory");
}

#include "../access.h"

#endif
