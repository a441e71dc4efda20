/* SPDX-License-Identifier: MIT */
/*
 * fail_each.c - the shared scenarios as a test, to be run with UIOMMU_FAIL_EACH set: what
 * they tell does not depend on a call that had to be made twice
 */
#include <stdio.h>
#include <string.h>

#include "process.h"
#include "scenarios.h"
#include "tests/fail/each.h"

#define TOLD	(256u << 10)

static char first[TOLD], now[TOLD];
static size_t told;

/* What the library says to people, "# ...", may be about the refusal. */
static void collect(const char *line)
{
	size_t n = strlen(line);

	if (line[0] == '#')
		return;
	assert_true(told + n + 2 < sizeof(now));
	told += (size_t)sprintf(now + told, "%s\n", line);
}

static void the_same_is_told(void **state)
{
	told = 0;
	process_begin(0x105, collect);
	scenarios_all();
	assert_int_equal(world.live(), 0);
	process_end();
	if (!first[0])
		memcpy(first, now, sizeof(first));
	assert_string_equal(first, now);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_same_is_told) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
