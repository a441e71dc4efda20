/* SPDX-License-Identifier: MIT */
/*
 * tests/fail/hook.h - where a test's host asks whether this call is the one that is
 * refused, and says what it has given out. Both are absent where each.c is not linked.
 */
#ifndef TESTS_FAIL_HOOK_H
#define TESTS_FAIL_HOOK_H

#include <stdbool.h>
#include <stddef.h>

/* What a host may refuse, and is counted for as long as it is held. */
enum host_call {
	HOST_ALLOC, HOST_TABLE, HOST_LOCK, HOST_IRQ, HOST_MMIO,
	HOST_PIN, HOST_PIN_FAULT, HOST_COPY_IN, HOST_COPY_OUT, HOST_FILE_GET, HOST_FILE_GIVE,
	HOST_FILE_GIVE_FAULT, HOST_AS, HOST_MSI, HOST_MEMORY, HOST_THREAD, HOST_CALLS
};

bool each_refuses(enum host_call what) __attribute__((weak));
void each_held(enum host_call what, int by) __attribute__((weak));
void each_counter(void *p, size_t bytes) __attribute__((weak));
void each_afresh(void (*fn)(void *arg), void *arg) __attribute__((weak));
bool each_tries(void) __attribute__((weak));
void each_no_counters(void) __attribute__((weak));

static inline bool host_refuses(enum host_call what)
{
	return each_refuses && each_refuses(what);
}

static inline void host_held(enum host_call what, int by)
{
	if (each_held)
		each_held(what, by);
}

/*
 * What a test counts (resets, tags, stores) is what it was before the call that was
 * refused something, when that is made again. Until host_counts_nothing(): what is there
 * must live as long.
 */
static inline void host_counter(void *p, size_t bytes)
{
	if (each_counter)
		each_counter(p, bytes);
}

/* Likewise what hardware has in it: @fn makes it as it was. */
static inline void host_afresh(void (*fn)(void *arg), void *arg)
{
	if (each_afresh)
		each_afresh(fn, arg);
}

/* Is this within the call that is refused something? Then it is not the one that counts. */
static inline bool host_tries(void)
{
	return each_tries && each_tries();
}

static inline void host_counts_nothing(void)
{
	if (each_no_counters)
		each_no_counters();
}

#endif
