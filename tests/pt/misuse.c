/* SPDX-License-Identifier: MIT */
/*
 * Two threads on one range, which the checked build tells: the other thread acts just
 * before one of our compare-and-exchanges. Tables stay well formed all along.
 */
#define TESTS_PT_MISUSE
#include "arena.h"

const struct instance *current;
static struct fixture *fx;
static void (*other)(void);
static unsigned told, nth;

void test_before_cmpxchg(uint64_t *p);

void test_before_cmpxchg(uint64_t *p)
{
	void (*f)(void) = other;

	(void)p;
	if (!f || nth--)
		return;
	other = NULL;
	f();
}

void uiommu_pt_misuse(const struct uiommu_pt *pt, const char *what)
{
	(void)pt;
	assert_non_null(what);
	told++;
}

static void other_maps(void)
{
	struct fixture *x = fx;

	map(x, 3 * P, PA + P, P, NULL);
}

static void other_unmaps(void)
{
	struct fixture *x = fx;

	x->pt.ops->unmap(&x->pt, 3 * P, P, &x->gather, NULL);
}

static void other_unmaps_the_table(void)
{
	struct fixture *x = fx;

	x->pt.ops->unmap(&x->pt, 0, B, &x->gather, NULL);
}

static void play(struct fixture *x, void (*f)(void), unsigned after)
{
	fx = x;
	told = 0;
	nth = after;
	other = f;
}

static void two_map_the_same_page(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 5 * P, PA, P, NULL), 0);	/* tables are there */
	play(x, other_maps, 0);
	map(x, 3 * P, PA + 7 * P, P, NULL);
	assert_true(told >= 1);
	assert_true(is_mapped(x, 3 * P, PA + P));	/* the first stays */
}

static void two_unmap_the_same_page(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 3 * P, PA, P, NULL), 0);
	play(x, other_unmaps, 0);
	x->pt.ops->unmap(&x->pt, 3 * P, P, &x->gather, NULL);
	assert_int_equal(told, 1);
	assert_false(hw(x, 3 * P).mapped);
}

static void one_maps_what_another_unmaps(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 5 * P, PA, P, NULL), 0);
	play(x, other_unmaps_the_table, 0);
	map(x, 3 * P, PA, P, NULL);
	assert_int_equal(told, 1);
	assert_false(hw(x, 3 * P).mapped);
}

static void hardware_is_not_another_thread(void **state)
{
	struct fixture *x = *state;

	told = 0;
	other = NULL;
	assert_int_equal(map(x, 3 * P, PA, 60 * P, NULL), 0);
	assert_int_equal(unmap(x, 3 * P, 60 * P, NULL), 0);
	assert_int_equal(told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_map_the_same_page),
		TEST(two_unmap_the_same_page),
		TEST(one_maps_what_another_unmaps),
		TEST(hardware_is_not_another_thread),
	};

	/* a root that holds pages has no table to take away */
	RUN_IF(tests, !current->noncoherent && current->ias > current->block_lg2 + 4);
}
