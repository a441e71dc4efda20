/* SPDX-License-Identifier: MIT */
#ifndef TESTS_POSIX_RIG_H
#define TESTS_POSIX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/posix/posix.h"

/* One host, and the lines that it logs. */
struct rig {
	struct uiommu_posix *p;
	const struct uiommu_host *h;
	char line[256];
	unsigned lines;
};

static inline void rig_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	struct rig *r = ctx;

	snprintf(r->line, sizeof(r->line), "%s", line);
	r->lines++;
}

static inline int rig_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r || uiommu_posix_create(&r->p))
		return -1;
	r->h = uiommu_posix_host(r->p);
	uiommu_posix_set_log(r->p, UIOMMU_LOG_WARN, rig_log, r);
	*state = r;
	return 0;
}

/* Whatever a test leaves behind is a failure. */
static inline int rig_down(void **state)
{
	struct rig *r = *state;
	int bad;

	uiommu_posix_destroy(r->p);
	bad = r->lines;
	if (bad)
		print_error("%s\n", r->line);
	free(r);
	return bad;
}

#define RIG_TEST(f)	cmocka_unit_test_setup_teardown(f, rig_up, rig_down)

/* How a child that runs @fn ends: must be by a signal. */
static inline void dies(void (*fn)(struct rig *r, void *arg), struct rig *r, void *arg)
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		uiommu_posix_set_log(r->p, UIOMMU_LOG_ERR, NULL, NULL);
		fn(r, arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFSIGNALED(st));
}

static inline uiommu_pa_t pa_of(struct rig *r, const void *p)
{
	return (uintptr_t)p - r->h->table_offset;
}

/* A generator that a seed replays; UIOMMU_TEST_SEED gives the seed. */
static inline uint32_t rnd(uint64_t *s)
{
	*s = *s * 6364136223846793005ull + 1442695040888963407ull;
	return *s >> 33;
}

static inline uint64_t seed(void)
{
	const char *e = getenv("UIOMMU_TEST_SEED");

	return e ? strtoull(e, NULL, 0) : 1;
}

#endif
