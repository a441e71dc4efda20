/* SPDX-License-Identifier: MIT */
/*
 * plain.c - ordinary accesses as places where others may run
 *
 * Compilers that instrument for ThreadSanitizer call a function before each access.
 * Here these functions yield, in some phases of a run: so a lock that protects nothing
 * but ordinary data is missed as well. Linked instead of ThreadSanitizer's run time.
 */
#include <uiommu/sim/hostile.h>

static inline void look(const void *p)
{
	if (uiommu_hostile_fine())
		uiommu_hostile_yield();
	uiommu_hostile_touch(p);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

#define ACCESS(name) \
	void __tsan_##name(void *p); \
	void __tsan_##name(void *p) \
	{ \
		look(p); \
	}

ACCESS(read1)
ACCESS(read2)
ACCESS(read4)
ACCESS(read8)
ACCESS(read16)
ACCESS(write1)
ACCESS(write2)
ACCESS(write4)
ACCESS(write8)
ACCESS(write16)
ACCESS(unaligned_read2)
ACCESS(unaligned_read4)
ACCESS(unaligned_read8)
ACCESS(unaligned_read16)
ACCESS(unaligned_write2)
ACCESS(unaligned_write4)
ACCESS(unaligned_write8)
ACCESS(unaligned_write16)
ACCESS(func_entry)

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *p, size_t bytes);
void __tsan_read_range(void *p, size_t bytes)
{
	(void)bytes;
	look(p);
}

void __tsan_write_range(void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes)
{
	(void)bytes;
	look(p);
}

/* Atomics are done as they are, and yield before. */
#define ATOMICS(n, type) \
	type __tsan_atomic##n##_load(const volatile type *p, int order); \
	type __tsan_atomic##n##_load(const volatile type *p, int order) \
	{ \
		(void)order; \
		uiommu_hostile_yield(); \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST); \
	} \
	void __tsan_atomic##n##_store(volatile type *p, type v, int order); \
	void __tsan_atomic##n##_store(volatile type *p, type v, int order) \
	{ \
		(void)order; \
		uiommu_hostile_yield(); \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_exchange(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_exchange(volatile type *p, type v, int order) \
	{ \
		(void)order; \
		uiommu_hostile_yield(); \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_fetch_add(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_fetch_add(volatile type *p, type v, int order) \
	{ \
		(void)order; \
		uiommu_hostile_yield(); \
		return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_fetch_sub(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_fetch_sub(volatile type *p, type v, int order) \
	{ \
		(void)order; \
		uiommu_hostile_yield(); \
		return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); \
	} \
	int __tsan_atomic##n##_compare_exchange_strong(volatile type *p, type *old, type v, \
						       int order, int failed); \
	int __tsan_atomic##n##_compare_exchange_strong(volatile type *p, type *old, type v, \
						       int order, int failed) \
	{ \
		(void)order, (void)failed; \
		uiommu_hostile_yield(); \
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, \
						   __ATOMIC_SEQ_CST); \
	}

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
