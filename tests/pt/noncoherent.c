/* SPDX-License-Identifier: MIT */
/*
 * Hardware that does not see CPU caches: at every single clean, the tables that it
 * can reach are well formed, and after every call it sees what was asked for.
 * arena.h keeps the two memories; what was never cleaned reads as all ones.
 */
#include "arena.h"

const struct instance *current;

/* Hardware's reader refuses what it must not meet: memory that is not allocated or was
 * never cleaned has reserved bits, or leads out of the arena. */
static void check_all(struct arena *a)
{
	struct fixture *x = a->test;

	for (unsigned i = 0; i < 8; i++) {
		hw(x, i * (B / 2));
		hw(x, B - 3 * P + i * P);
		hw(x, 3 * B - 3 * P + i * P);
	}
	hw(x, x->size - P);
}

static void hardware_never_sees_an_uninitialised_table(void **state)
{
	struct fixture *x = *state;

	x->arena.test = x;
	x->arena.on_clean = check_all;
	assert_int_equal(map(x, B - 2 * P, SKEW, 2 * B, NULL), 0);
	for (uint64_t o = 0; o < 2 * B; o += P)
		assert_true(is_mapped(x, B - 2 * P + o, SKEW + o));
	assert_int_equal(unmap(x, B - 2 * P, 2 * B, NULL), 0);
	for (uint64_t o = 0; o < 2 * B; o += P)
		assert_false(hw(x, B - 2 * P + o).mapped);
	x->arena.on_clean = NULL;
}

/* Another thread has installed a table and has not cleaned its entry yet: who puts
 * a page below it must not return before hardware can get there. */
static void a_table_of_another_thread_is_cleaned_first(void **state)
{
	struct fixture *x = *state;
	struct uiommu_pt_step s[8];
	uint64_t clean, pa, *e;
	unsigned n;

	assert_int_equal(map(x, 0, SKEW, P, NULL), 0);
	/* back to just after each compare-and-exchange */
	assert_int_equal(x->pt.ops->walk(&x->pt, 0, s, 8, &n), 0);
	for (unsigned i = 0; i + 1 < n; i++) {
		e = (uint64_t *)(x->arena.cpu + (s[i].entry_pa - ARENA_PA));
		clean = *e & x->pt.table_clean;
		assert_int_equal(clean, x->pt.table_clean);
		*e &= ~clean;
		memset(x->arena.hw + (s[i].entry_pa - ARENA_PA), 0, 8);
	}
	assert_false(hw(x, 0).mapped);
	assert_int_equal(map(x, P, SKEW + P, P, NULL), 0);
	assert_true(is_mapped(x, P, SKEW + P));
	assert_true(is_mapped(x, 0, SKEW));
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, P, &pa), 0);
	assert_int_equal(pa, SKEW + P);
}

/* So are those that cut makes. */
static void cut_cleans_what_it_makes(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, B, PA, 2 * B, NULL), 0);
	x->arena.test = x;
	x->arena.on_clean = check_all;
	assert_int_equal(x->pt.ops->cut(&x->pt, B + 3 * P, &x->gather), 0);
	for (uint64_t o = 0; o < 2 * B; o += P)
		assert_true(is_mapped(x, B + o, PA + o));
	assert_int_equal(unmap(x, B + 3 * P, P, NULL), 0);
	assert_false(hw(x, B + 3 * P).mapped);
	x->pt.ops->trim(&x->pt, &x->gather);
	x->arena.on_clean = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hardware_never_sees_an_uninitialised_table),
		TEST(a_table_of_another_thread_is_cleaned_first),
		TEST(cut_cleans_what_it_makes),
	};

	RUN_IF(tests, current->noncoherent);
}
