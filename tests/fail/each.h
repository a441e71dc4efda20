/* SPDX-License-Identifier: MIT */
/*
 * tests/fail/each.h - every host call refused in turn, along every test of a program
 *
 * A test runs once to count the calls that its host could refuse, and then once for
 * each: that one is refused. The linker puts a function of a file here before each
 * function of the library that may fail (--wrap). It sees whether the call that met the
 * refusal says so with the right error, and leaves all as it was; then it calls again, so
 * that the test goes on as if nothing had been, and its own checks say whether that is
 * so. Its end says whether anything is left behind.
 *
 * In a loop of a test it is the first two calls that came the same way, and a few of all
 * others. Where threads call the library there are no numbers: each way is refused once,
 * to whichever thread comes it first, and only error and end are looked at.
 */
#ifndef TESTS_FAIL_EACH_H
#define TESTS_FAIL_EACH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <uiommu/iommu.h>
#include "hook.h"

/* A description of all that may not have changed, as text. */
struct picture {
	char s[1 << 19];
	size_t n;
};

void picture_say(struct picture *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One call of the library, from outside of it. */
struct entry {
	const char *name;
	void (*extra)(struct picture *p, const void *arg);	/* of the servers */
	const void *arg;
	bool fired;			/* a host call was refused in it */
	bool ends_blocked;		/* may leave less attached than before */
};

void entry_begin(struct entry *e);
/* It has returned: was it refused something? */
bool entry_end(struct entry *e);
/* The same before it ends: what is done until then is of the same entry. */
bool entry_fired(const struct entry *e);
/* What was refused in the entry that has just ended. */
enum host_call entry_refused(void);
/* True: it failed as it should have; call it again. */
bool entry_again(struct entry *e, int64_t ret);

/* A function that cannot fail asks for nothing that can be refused. */
void entry_begin_void(struct entry *e);
void entry_end_void(struct entry *e);

/* Within a page request that is reported there is nobody who could be told. */
void each_aside(int by);

/* Instances there are, for pictures. */
void each_add_instance(struct uiommu *u);
void each_remove_instance(struct uiommu *u);

/* Before a function that may fail: @fn returns an error, and may be called again. */
#define EACH(fn, params, args)						\
	int __real_##fn params;						\
	int __wrap_##fn params;						\
	int __wrap_##fn params						\
	{								\
		struct entry e = { .name = #fn };			\
		int ret;						\
									\
		do {							\
			entry_begin(&e);				\
			ret = __real_##fn args;				\
			entry_end(&e);					\
		} while (entry_again(&e, ret));				\
		return ret;						\
	}

/* Before one that cannot. */
#define EACH_VOID(fn, params, args)					\
	void __real_##fn params;					\
	void __wrap_##fn params;					\
	void __wrap_##fn params						\
	{								\
		struct entry e = { .name = #fn };			\
									\
		entry_begin_void(&e);					\
		__real_##fn args;					\
		entry_end_void(&e);					\
	}

#endif
