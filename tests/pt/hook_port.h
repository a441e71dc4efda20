/* SPDX-License-Identifier: MIT */
/* A port for one test: before any compare-and-exchange another thread may act. */
#ifndef TESTS_PT_HOOK_PORT_H
#define TESTS_PT_HOOK_PORT_H

void test_before_cmpxchg(uint64_t *p);

#define port_cmpxchg64 hooked_cmpxchg64
#include "src/port/default/arch.h"
#undef port_cmpxchg64

UIOMMU_ALWAYS_INLINE uint64_t port_cmpxchg64(uint64_t *p, uint64_t old, uint64_t v)
{
	test_before_cmpxchg(p);
	return hooked_cmpxchg64(p, old, v);
}

#endif
