/* SPDX-License-Identifier: MIT */
/*
 * cmocka.h - as much of cmocka as tests/pt use, for CPUs that the machine has no cmocka
 * for. Same names, and the same lines on standard output.
 */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

#define cmocka_unit_test(f) { #f, f, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, up, down) { #f, f, up, down }

static jmp_buf cross_failed;

__attribute__((noreturn, unused)) static void cross_fail(const char *file, int line)
{
	fprintf(stderr, "[   LINE   ] --- %s:%d: error: Failure!\n", file, line);
	longjmp(cross_failed, 1);
}

#define CROSS_CHECK(ok, ...) do {					\
	if (!(ok)) {							\
		fprintf(stderr, __VA_ARGS__);				\
		cross_fail(__FILE__, __LINE__);				\
	}								\
} while (0)

#define cross_u(x)	((unsigned long long)(x))
#define assert_true(c)	CROSS_CHECK((c), "%s\n", #c)
#define assert_false(c)	CROSS_CHECK(!(c), "%s\n", #c)
#define assert_null(p)	CROSS_CHECK(!(p), "%s\n", #p)
#define assert_non_null(p) CROSS_CHECK((p), "%s\n", #p)
#define assert_int_equal(a, b) do {					\
	unsigned long long a_ = cross_u(a), b_ = cross_u(b);		\
									\
	CROSS_CHECK(a_ == b_, "0x%llx != 0x%llx\n", a_, b_);		\
} while (0)
#define assert_in_range(v, min, max) do {				\
	unsigned long long v_ = cross_u(v);				\
									\
	CROSS_CHECK(v_ >= cross_u(min) && v_ <= cross_u(max), "0x%llx\n", v_); \
} while (0)
#define print_message(...)	printf(__VA_ARGS__)
#define fail_msg(...) do {						\
	fprintf(stderr, __VA_ARGS__);					\
	cross_fail(__FILE__, __LINE__);					\
} while (0)

__attribute__((unused)) static int cross_run(const struct CMUnitTest *t, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		void *state = NULL;

		printf("[ RUN      ] %s\n", t[i].name);
		if (setjmp(cross_failed)) {
			failed++;
			printf("[  FAILED  ] %s\n", t[i].name);
			continue;
		}
		if (t[i].setup)
			t[i].setup(&state);
		t[i].test(&state);
		if (t[i].teardown)
			t[i].teardown(&state);
		printf("[       OK ] %s\n", t[i].name);
	}
	return failed;
}

#define cmocka_run_group_tests(t, up, down) cross_run(t, sizeof(t) / sizeof((t)[0]))
#define cmocka_run_group_tests_name(name, t, up, down) cmocka_run_group_tests(t, up, down)

#endif
