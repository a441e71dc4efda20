/* SPDX-License-Identifier: MIT */
/*
 * tests/fail/hook.h - where a test's host asks whether this call is the one that is
 * refused, and says what it has given out. Both are absent where each.c is not linked.
 */
#ifndef TESTS_FAIL_HOOK_H
#define TESTS_FAIL_HOOK_H

#include <stdbool.h>

/* What a host may refuse, and is counted for as long as it is held. */
enum host_call {
	HOST_ALLOC, HOST_TABLE, HOST_LOCK, HOST_IRQ, HOST_MMIO,
	HOST_PIN, HOST_PIN_FAULT, HOST_COPY_IN, HOST_COPY_OUT, HOST_FILE_GET, HOST_FILE_GIVE,
	HOST_FILE_GIVE_FAULT, HOST_AS, HOST_MSI, HOST_CALLS
};

bool each_refuses(enum host_call what) __attribute__((weak));
void each_held(enum host_call what, int by) __attribute__((weak));

static inline bool host_refuses(enum host_call what)
{
	return each_refuses && each_refuses(what);
}

static inline void host_held(enum host_call what, int by)
{
	if (each_held)
		each_held(what, by);
}

#endif
