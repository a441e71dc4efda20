/* SPDX-License-Identifier: MIT */
/*
 * Hardware that does not see CPU caches: at every single clean, the tables that it
 * can reach are well formed, and after every call it sees what was asked for.
 * arena.h keeps the two memories; what was never cleaned reads as all ones.
 */
#include "arena.h"

const struct instance *current;

/* Every entry that hardware can reach is 0, a leaf, or leads to cleaned memory. */
static void check_table(const struct arena *a, uint64_t pa, uint64_t entries, int level)
{
	for (uint64_t i = 0; i < entries; i++) {
		uint64_t e = hw_read(a, pa + 8 * i);

		assert_true(e != UINT64_MAX);
		if (!(e & 1) || level == 3 || !(e & 2))
			continue;
		check_table(a, e & 0xfffffffff000ull, 512, level + 1);
	}
}

static void check_all(struct arena *a)
{
	struct fixture *x = a->test;

	check_table(a, top_pa(x), x->pt.top_bytes / 8,
		    x->in->ias > 39 ? 0 : x->in->ias > 30 ? 1 : 2);
}

static void hardware_never_sees_an_uninitialised_table(void **state)
{
	struct fixture *x = *state;

	x->arena.test = x;
	x->arena.on_clean = check_all;
	assert_int_equal(map(x, 2 * M - 8 * K, 0x80001000, 4 * M, NULL), 0);
	for (uint64_t o = 0; o < 4 * M; o += 4 * K)
		assert_true(is_mapped(x, 2 * M - 8 * K + o, 0x80001000 + o));
	assert_int_equal(unmap(x, 2 * M - 8 * K, 4 * M, NULL), 0);
	for (uint64_t o = 0; o < 4 * M; o += 4 * K)
		assert_false(hw(x, 2 * M - 8 * K + o).mapped);
	x->arena.on_clean = NULL;
}

/* Another thread has installed a table and has not cleaned its entry yet: who puts
 * a page below it must not return before hardware can get there. */
static void a_table_of_another_thread_is_cleaned_first(void **state)
{
	struct fixture *x = *state;
	uint64_t *root = x->pt.top, pa;
	unsigned char garbage[8];

	assert_int_equal(map(x, 0, 0x80001000, 4 * K, NULL), 0);
	/* back to just after its compare-and-exchange */
	memset(garbage, 0, sizeof(garbage));
	memcpy(x->arena.hw + (top_pa(x) - ARENA_PA), garbage, sizeof(garbage));
	root[0] &= ~(1ull << 55);
	assert_false(hw(x, 0).mapped);

	assert_int_equal(map(x, 0x1000, 0x80002000, 4 * K, NULL), 0);
	assert_true(is_mapped(x, 0x1000, 0x80002000));
	assert_true(is_mapped(x, 0, 0x80001000));
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, 0x1000, &pa), 0);
	assert_int_equal(pa, 0x80002000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hardware_never_sees_an_uninitialised_table),
		TEST(a_table_of_another_thread_is_cleaned_first),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(instances) / sizeof(*instances); i++) {
		current = &instances[i];
		if (current->noncoherent)
			failed += cmocka_run_group_tests_name(current->name, tests, NULL, NULL);
	}
	return failed ? 1 : 0;
}
