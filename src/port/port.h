/* SPDX-License-Identifier: MIT */
/*
 * src/port/port.h - what is hot or per CPU: barriers, accesses to memory that
 * hardware also reads, register accesses
 *
 * Everything hardware reads is written through here, so that another build (one
 * whose accessors are yield points with a simulated store buffer) is a matter of
 * the include path: -DUIOMMU_PORT_HEADER='"my_port.h"' replaces the file below.
 */
#ifndef UIOMMU_PORT_H
#define UIOMMU_PORT_H

#include <uiommu/host.h>

#define UIOMMU_ALWAYS_INLINE static inline __attribute__((always_inline))

/* ThreadSanitizer understands accesses of the language, and no barrier at all:
 * under it the default port makes every access order (access.h). */
#if defined(__SANITIZE_THREAD__)
#define UIOMMU_PORT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UIOMMU_PORT_TSAN 1
#endif
#endif

#if defined(UIOMMU_PORT_HEADER)
#include UIOMMU_PORT_HEADER
#elif defined(UIOMMU_PORT_TSAN) || defined(UIOMMU_PORT_DEFAULT)
#include "default/arch.h"
#elif defined(__aarch64__)
#include "arm64/arch.h"
#elif defined(__riscv)
#include "riscv64/arch.h"
#elif defined(__x86_64__)
#include "x86_64/arch.h"
#else
#include "default/arch.h"
#endif

/*
 * From arch.h:
 *   port_dma_wmb()   earlier stores to memory are visible to hardware before later ones
 *   port_dma_rmb()   earlier loads of what hardware wrote are done before later ones
 *   port_dma_mb()    both, and stores before loads
 *   port_io_wmb()    earlier stores to memory are visible to hardware before a later
 *                    register write
 *   port_io_rmb()    a register read is done before later loads of memory
 *   port_load64(p), port_store64(p, v), port_cmpxchg64(p, old, v)
 *                    one 64-bit access to a table entry; little-endian in memory;
 *                    cmpxchg returns what was there; earlier accesses are visible
 *                    to hardware before it, later ones come after its load
 *   port_load_acquire(p), port_store_release(p, v)
 *                    a pointer that is read without a lock
 */

/* Trailing zeroes of @v, which is not 0. Without an instruction for it compilers
 * call their run-time library, which a freestanding build does not have. */
UIOMMU_ALWAYS_INLINE unsigned port_ctz64(uint64_t v)
{
#if defined(__riscv) && !defined(__riscv_zbb)
	unsigned n = 0;

	for (unsigned s = 32; s; s /= 2) {
		if (!(v & (((uint64_t)1 << s) - 1))) {
			v >>= s;
			n += s;
		}
	}
	return n;
#else
	return (unsigned)__builtin_ctzll(v);
#endif
}

/* The highest bit that is set in @v, which is not 0. */
UIOMMU_ALWAYS_INLINE unsigned port_msb64(uint64_t v)
{
#if defined(__riscv) && !defined(__riscv_zbb)
	unsigned n = 0;

	for (unsigned s = 32; s; s /= 2) {
		if (v >> s) {
			v >>= s;
			n += s;
		}
	}
	return n;
#else
	return 63 - (unsigned)__builtin_clzll(v);
#endif
}

/* Make [p, p + bytes) visible to a table walker that does not see our caches. */
UIOMMU_ALWAYS_INLINE void port_clean(const struct uiommu_host *h, const void *p, size_t bytes)
{
	if (h->cache_clean)
		h->cache_clean(h->ctx, p, bytes);
}

UIOMMU_ALWAYS_INLINE uiommu_pa_t port_virt_to_pa(const struct uiommu_host *h, const void *p)
{
	return (uint64_t)(uintptr_t)p - h->table_offset;
}

UIOMMU_ALWAYS_INLINE void *port_pa_to_virt(const struct uiommu_host *h, uiommu_pa_t pa)
{
	return (void *)(uintptr_t)(pa + h->table_offset);
}

/* Registers. Reads and writes of one window stay in program order; stores to
 * memory before a write are visible to hardware first, loads after a read are
 * done after it. */
UIOMMU_ALWAYS_INLINE volatile void *port_reg(const struct uiommu_mmio *m, uint64_t off)
{
	return (volatile char *)m->base + off;
}

UIOMMU_ALWAYS_INLINE uint32_t port_read32(const struct uiommu_mmio *m, uint64_t off)
{
	uint32_t v = m->ops ? m->ops->read32(m->ctx, off) : port_mmio_load32(port_reg(m, off));

	port_io_rmb();
	return v;
}

UIOMMU_ALWAYS_INLINE uint64_t port_read64(const struct uiommu_mmio *m, uint64_t off)
{
	uint64_t v = m->ops ? m->ops->read64(m->ctx, off) : port_mmio_load64(port_reg(m, off));

	port_io_rmb();
	return v;
}

UIOMMU_ALWAYS_INLINE void port_write32(const struct uiommu_mmio *m, uint64_t off, uint32_t v)
{
	port_io_wmb();
	if (m->ops)
		m->ops->write32(m->ctx, off, v);
	else
		port_mmio_store32(port_reg(m, off), v);
}

UIOMMU_ALWAYS_INLINE void port_write64(const struct uiommu_mmio *m, uint64_t off, uint64_t v)
{
	port_io_wmb();
	if (m->ops)
		m->ops->write64(m->ctx, off, v);
	else
		port_mmio_store64(port_reg(m, off), v);
}

#endif
