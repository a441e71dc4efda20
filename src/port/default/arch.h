/* SPDX-License-Identifier: MIT */
/*
 * The portable port: C11 atomics and full fences. Right wherever the compiler's
 * fences order accesses by other bus masters too; the others are here for speed.
 * Little-endian CPUs only.
 */
#ifndef UIOMMU_PORT_ARCH_H
#define UIOMMU_PORT_ARCH_H

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tables and registers are little-endian: this CPU needs a port that swaps"
#endif

/* gcc refuses (-Wtsan) a fence under ThreadSanitizer. A sequentially consistent
 * read-modify-write of anything is as strong on the CPUs that it runs on. */
UIOMMU_ALWAYS_INLINE void port_fence(void)
{
#if defined(UIOMMU_PORT_TSAN)
	volatile unsigned dummy = 0;

	__atomic_fetch_add(&dummy, 0, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

UIOMMU_ALWAYS_INLINE void port_dma_wmb(void)
{
	port_fence();
}

UIOMMU_ALWAYS_INLINE void port_dma_rmb(void)
{
	port_fence();
}

UIOMMU_ALWAYS_INLINE void port_dma_mb(void)
{
	port_fence();
}

UIOMMU_ALWAYS_INLINE void port_io_wmb(void)
{
	port_fence();
}

UIOMMU_ALWAYS_INLINE void port_io_rmb(void)
{
	port_fence();
}

#include "../access.h"

#endif
