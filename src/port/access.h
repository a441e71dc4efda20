/* SPDX-License-Identifier: MIT */
/*
 * Single 64-bit and register accesses, the same on every little-endian CPU.
 *
 * The ordering is in the barriers of arch.h, and between a pointer and what it
 * points to in the CPU's own dependency ordering. ThreadSanitizer follows neither,
 * so there each load acquires and each store releases.
 */
#ifndef UIOMMU_PORT_ACCESS_H
#define UIOMMU_PORT_ACCESS_H

#if defined(UIOMMU_PORT_TSAN)
#define PORT_LOAD_ORDER		__ATOMIC_ACQUIRE
#define PORT_STORE_ORDER	__ATOMIC_RELEASE
#else
#define PORT_LOAD_ORDER		__ATOMIC_RELAXED
#define PORT_STORE_ORDER	__ATOMIC_RELAXED
#endif

UIOMMU_ALWAYS_INLINE uint64_t port_load64(const uint64_t *p)
{
	return __atomic_load_n(p, PORT_LOAD_ORDER);
}

UIOMMU_ALWAYS_INLINE void port_store64(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, PORT_STORE_ORDER);
}

UIOMMU_ALWAYS_INLINE uint64_t port_cmpxchg64(uint64_t *p, uint64_t old, uint64_t v)
{
	__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

/* Pointers that are read without a lock: before later accesses, after earlier ones. */
#define port_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define port_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

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
