/* SPDX-License-Identifier: MIT */
/*
 * plain.c - ordinary accesses as places where others may run
 *
 * Compilers that instrument for ThreadSanitizer call a function before each access.
 * Here these functions yield, in some phases of a run: so a lock that protects nothing
 * but ordinary data is missed as well. Linked instead of ThreadSanitizer's run time.
 */
#include <uiommu/sim/hostile.h>

static void yield(void)
{
	if (uiommu_hostile_fine())
		uiommu_hostile_yield();
}

static void look(const void *p, size_t bytes, bool write, const void *pc)
{
	yield();
	uiommu_hostile_plain(p, bytes, write, pc);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

#define ACCESS(name, bytes, write) \
	void __tsan_##name(void *p); \
	void __tsan_##name(void *p) \
	{ \
		look(p, bytes, write, __builtin_return_address(0)); \
	}

ACCESS(read1, 1, false)
ACCESS(read2, 2, false)
ACCESS(read4, 4, false)
ACCESS(read8, 8, false)
ACCESS(read16, 16, false)
ACCESS(write1, 1, true)
ACCESS(write2, 2, true)
ACCESS(write4, 4, true)
ACCESS(write8, 8, true)
ACCESS(write16, 16, true)
ACCESS(unaligned_read2, 2, false)
ACCESS(unaligned_read4, 4, false)
ACCESS(unaligned_read8, 8, false)
ACCESS(unaligned_read16, 16, false)
ACCESS(unaligned_write2, 2, true)
ACCESS(unaligned_write4, 4, true)
ACCESS(unaligned_write8, 8, true)
ACCESS(unaligned_write16, 16, true)

void __tsan_func_entry(void *p);
void __tsan_func_entry(void *p)
{
	(void)p;
	yield();
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *p, size_t bytes);
void __tsan_read_range(void *p, size_t bytes)
{
	look(p, bytes, false, __builtin_return_address(0));
}

void __tsan_write_range(void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes)
{
	look(p, bytes, true, __builtin_return_address(0));
}

/* Atomics are done as they are, and yield before. What they order is what they say. */
static void before(const volatile void *p, size_t bytes, bool write, int order, const void *pc)
{
	const void *at = (const void *)(uintptr_t)p;

	uiommu_hostile_yield();
	uiommu_hostile_atomic(at, bytes, write, pc);
	if (order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST)
		uiommu_hostile_release(at);
	if (order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE)
		uiommu_hostile_acquire(at);
}

#define BEFORE(write) before(p, sizeof(*p), write, order, __builtin_return_address(0))

#define ATOMICS(n, type) \
	type __tsan_atomic##n##_load(const volatile type *p, int order); \
	type __tsan_atomic##n##_load(const volatile type *p, int order) \
	{ \
		BEFORE(false); \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST); \
	} \
	void __tsan_atomic##n##_store(volatile type *p, type v, int order); \
	void __tsan_atomic##n##_store(volatile type *p, type v, int order) \
	{ \
		BEFORE(true); \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_exchange(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_exchange(volatile type *p, type v, int order) \
	{ \
		BEFORE(true); \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_fetch_add(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_fetch_add(volatile type *p, type v, int order) \
	{ \
		BEFORE(true); \
		return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); \
	} \
	type __tsan_atomic##n##_fetch_sub(volatile type *p, type v, int order); \
	type __tsan_atomic##n##_fetch_sub(volatile type *p, type v, int order) \
	{ \
		BEFORE(true); \
		return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); \
	} \
	int __tsan_atomic##n##_compare_exchange_strong(volatile type *p, type *old, type v, \
						       int order, int failed); \
	int __tsan_atomic##n##_compare_exchange_strong(volatile type *p, type *old, type v, \
						       int order, int failed) \
	{ \
		(void)failed; \
		BEFORE(true); \
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, \
						   __ATOMIC_SEQ_CST); \
	}

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
