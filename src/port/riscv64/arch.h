/* SPDX-License-Identifier: MIT */
/* RISC-V: memory is r/w, registers are i/o. */
#ifndef UIOMMU_PORT_ARCH_H
#define UIOMMU_PORT_ARCH_H

UIOMMU_ALWAYS_INLINE void port_dma_wmb(void)
{
	__asm__ volatile("fence w,w" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_rmb(void)
{
	__asm__ volatile("fence r,r" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_dma_mb(void)
{
	__asm__ volatile("fence rw,rw" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_wmb(void)
{
	__asm__ volatile("fence w,o" ::: "memory");
}

UIOMMU_ALWAYS_INLINE void port_io_rmb(void)
{
	__asm__ volatile("fence i,r" ::: "memory");
}

#include "../access.h"

#endif
