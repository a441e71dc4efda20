/* SPDX-License-Identifier: MIT */
/*
 * No CPU's: each access is a place at which other logical threads may run, and a
 * store waits in a simulated buffer (uiommu/sim/hostile.h). In no product build;
 * -DUIOMMU_PORT_HEADER='"hostile/arch.h"' selects it.
 */
#ifndef UIOMMU_PORT_ARCH_H
#define UIOMMU_PORT_ARCH_H

#include <uiommu/sim/hostile.h>

#define port_load64		uiommu_hostile_load64
#define port_store64		uiommu_hostile_store64
#define port_cmpxchg64		uiommu_hostile_cmpxchg64
#define port_dma_wmb		uiommu_hostile_wmb
#define port_dma_rmb		uiommu_hostile_rmb
#define port_dma_mb		uiommu_hostile_mb
#define port_io_wmb		uiommu_hostile_wmb
#define port_io_rmb		uiommu_hostile_rmb

/* Pointers of a host whose pointers have 64 bits. */
#define port_load_acquire(p) \
	((__typeof__(*(p)))(uintptr_t)uiommu_hostile_load_acquire( \
		(const uint64_t *)(const void *)(p)))
#define port_store_release(p, v) \
	uiommu_hostile_store_release((uint64_t *)(void *)(p), (uint64_t)(uintptr_t)(v))

/* Registers are calls: nothing is mapped. */
UIOMMU_ALWAYS_INLINE uint32_t port_mmio_load32(volatile uint32_t *p)
{
	return *p;
}

UIOMMU_ALWAYS_INLINE uint64_t port_mmio_load64(volatile uint64_t *p)
{
	return *p;
}

UIOMMU_ALWAYS_INLINE void port_mmio_store32(volatile uint32_t *p, uint32_t v)
{
	*p = v;
}

UIOMMU_ALWAYS_INLINE void port_mmio_store64(volatile uint64_t *p, uint64_t v)
{
	*p = v;
}

#endif
