/* SPDX-License-Identifier: MIT */
/*
 * preload/sys.h - system calls as the kernel sees them: no PLT, no errno, no
 * cancellation point, so that they may be used in a signal handler, in a vfork
 * child and below another interposer
 */
#ifndef UIOMMU_PRELOAD_SYS_H
#define UIOMMU_PRELOAD_SYS_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long pl_sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* pl_sys(SYS_x, up to six arguments): >= 0, or negative errno */
#define pl_sys(...) PL_SYS_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define PL_SYS_PICK(n, a, b, c, d, e, f, ...) \
	pl_sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
