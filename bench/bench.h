/* SPDX-License-Identifier: MIT */
/* bench.h - medians of interleaved passes; instructions counted one by one */
#ifndef UIOMMU_BENCH_H
#define UIOMMU_BENCH_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int bench_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double bench_median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), bench_by_value);
	return v[n / 2];
}

#if defined(__x86_64__)
#define BENCH_MARK() __asm__ volatile("int3" ::: "memory")

/*
 * Instructions of one @fn(@arg) in user space, by single-stepping a forked copy of
 * this process between two breakpoints; -1 where ptrace is not allowed. @fn has to
 * do without other threads: a fork has none.
 */
static inline long bench_instructions(void (*fn)(void *arg), void *arg)
{
	long n = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		fn(arg);	/* once before: faults pages in, binds symbols */
		BENCH_MARK();
		fn(arg);
		BENCH_MARK();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	for (;;) {
		siginfo_t si;

		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return -1;
		if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &si) || si.si_code != TRAP_TRACE)
			break;	/* the second breakpoint */
		n++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return n;
}
#else
static inline long bench_instructions(void (*fn)(void *arg), void *arg)
{
	return -1;
}
#endif

static inline void bench_print_instructions(const char *what, long n, const char *than)
{
	if (n < 0)
		printf("%-44s (instructions: ptrace is not to be had here)\n", what);
	else
		printf("%-44s %9ld instructions %s\n", what, n, than);
}

#endif
