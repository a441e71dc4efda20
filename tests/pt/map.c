/* SPDX-License-Identifier: MIT */
/* map, iova_to_phys, walk: what is where afterwards, and every refusal. */
#include "arena.h"

const struct instance *current;

static void page_goes_where_it_was_told(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped, pa = 0;

	assert_int_equal(map(x, 0x5000, 0x80007000, 4 * K, &mapped), 0);
	assert_int_equal(mapped, 4 * K);
	assert_true(is_mapped(x, 0x5123, 0x80007123));
	assert_false(hw(x, 0x4fff).mapped);
	assert_false(hw(x, 0x6000).mapped);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, 0x5fff, &pa), 0);
	assert_int_equal(pa, 0x80007fff);
}

static void first_and_last_page_of_the_address_space(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 0, 0x1000, 4 * K, NULL), 0);
	assert_int_equal(map(x, x->size - 4 * K, 0x2000, 4 * K, NULL), 0);
	assert_true(is_mapped(x, 0xabc, 0x1abc));
	assert_true(is_mapped(x, x->size - 1, 0x2fff));
	assert_int_equal(unmap(x, x->size - 4 * K, 4 * K, NULL), 0);
	assert_false(hw(x, x->size - 1).mapped);
}

static void highest_output_page(void **state)
{
	struct fixture *x = *state;
	uint64_t pa = (1ull << x->in->oas) - 4 * K;

	assert_int_equal(map(x, 0x1000, pa, 4 * K, NULL), 0);
	assert_true(is_mapped(x, 0x1001, pa + 1));
}

static void largest_pages_that_fit(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 2 * M, 0x80200000, 2 * M, NULL), 0);
	assert_int_equal(hw(x, 2 * M).lg2, 21);
	/* the output alignment counts too */
	assert_int_equal(map(x, 4 * M, 0x80001000, 2 * M, NULL), 0);
	assert_int_equal(hw(x, 4 * M).lg2, 12);
	assert_true(is_mapped(x, 6 * M - 1, 0x80201000 - 1));
	if (x->size <= 4 * G)
		return;
	assert_int_equal(map(x, 1 * G, 2 * G, 2 * G, NULL), 0);
	assert_int_equal(hw(x, 1 * G).lg2, 30);
	assert_int_equal(hw(x, 3 * G - 1).lg2, 30);
	assert_true(is_mapped(x, 3 * G - 1, 4 * G - 1));
}

static void mixed_sizes_in_one_call(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped;

	/* 4 KiB up to a block, two blocks, 8 KiB behind them */
	assert_int_equal(map(x, 2 * M - 4 * K, 0x80000000 - 4 * K, 4 * M + 12 * K, &mapped), 0);
	assert_int_equal(mapped, 4 * M + 12 * K);
	assert_int_equal(hw(x, 2 * M - 1).lg2, 12);
	assert_int_equal(hw(x, 2 * M).lg2, 21);
	assert_int_equal(hw(x, 6 * M - 1).lg2, 21);
	assert_int_equal(hw(x, 6 * M).lg2, 12);
	assert_false(hw(x, 2 * M - 4 * K - 1).mapped);
	assert_false(hw(x, 6 * M + 8 * K).mapped);
	for (uint64_t i = 0; i < mapped; i += 4 * K)
		assert_true(is_mapped(x, 2 * M - 4 * K + i, 0x80000000 - 4 * K + i));
}

static void across_a_gigabyte(void **state)
{
	struct fixture *x = *state;

	if (x->size <= 2 * G)
		return;
	assert_int_equal(map(x, G - 2 * M, 4 * G - 2 * M, G + 4 * M, NULL), 0);
	assert_int_equal(hw(x, G - 1).lg2, 21);
	assert_int_equal(hw(x, G).lg2, 30);
	assert_int_equal(hw(x, 2 * G).lg2, 21);
	assert_true(is_mapped(x, 2 * G + 2 * M - 1, 5 * G + 2 * M - 1));
	assert_false(hw(x, 2 * G + 2 * M).mapped);
}

static void an_empty_table_in_the_way_gets_smaller_pages(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 2 * M, 0x80200000, 4 * K, NULL), 0);
	assert_int_equal(unmap(x, 2 * M, 4 * K, NULL), 0);
	assert_int_equal(map(x, 2 * M, 0x80200000, 2 * M, NULL), 0);
	assert_int_equal(hw(x, 2 * M).lg2, 12);
	assert_true(is_mapped(x, 4 * M - 1, 0x80400000 - 1));
	/* an unmap that covers it takes the table: blocks again */
	assert_int_equal(unmap(x, 2 * M, 2 * M, NULL), 0);
	assert_int_equal(map(x, 2 * M, 0x80200000, 2 * M, NULL), 0);
	assert_int_equal(hw(x, 2 * M).lg2, 21);
}

static void over_something_mapped(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped = 1;

	assert_int_equal(map(x, 0x10000, 0x80000000, 4 * K, NULL), 0);
	assert_int_equal(map(x, 0x10000, 0x90000000, 4 * K, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 0);
	assert_true(is_mapped(x, 0x10000, 0x80000000));
	/* what lies before it stays, and is what *mapped says */
	assert_int_equal(map(x, 0xd000, 0x90000000, 8 * 4 * K, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 3 * 4 * K);
	assert_true(is_mapped(x, 0xf000, 0x90002000));
	assert_true(is_mapped(x, 0x10000, 0x80000000));
	assert_false(hw(x, 0x11000).mapped);
}

static void over_and_under_a_block(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped = 1;

	assert_int_equal(map(x, 4 * M, 0x80400000, 2 * M, NULL), 0);
	assert_int_equal(map(x, 4 * M + 0x3000, 0x1000, 4 * K, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 0);
	assert_int_equal(map(x, 2 * M, 0x90000000, 4 * M, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 2 * M);
	/* a block over a page: up to the page in smaller ones */
	assert_int_equal(map(x, 8 * M + 0x5000, 0x1000, 4 * K, NULL), 0);
	assert_int_equal(map(x, 8 * M, 0xa0000000, 2 * M, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 0x5000);
	assert_true(is_mapped(x, 8 * M + 0x5000, 0x1000));
	assert_true(is_mapped(x, 8 * M + 0x4000, 0xa0004000));
}

static void bad_arguments_change_nothing(void **state)
{
	struct fixture *x = *state;
	uint64_t top = 1ull << x->in->oas;
	const struct { uint64_t iova, pa, len; unsigned prot; int ret; } bad[] = {
		{ 0x1000, 0x1000, 0, RW, -UIOMMU_EINVAL },
		{ 0x1001, 0x1000, 0x1000, RW, -UIOMMU_EINVAL },
		{ 0x1000, 0x1800, 0x1000, RW, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, 0x1fff, RW, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, UINT64_MAX, RW, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, 0x1000, 0, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, 0x1000, UIOMMU_PROT_EXEC, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, 0x1000, RW | 0x20, -UIOMMU_EINVAL },
		{ 0x1000, 0x1000, 0x1000, RW | 1u << 31, -UIOMMU_EINVAL },
		{ x->size, 0x1000, 0x1000, RW, -UIOMMU_ERANGE },
		{ x->size - 0x1000, 0x1000, 0x2000, RW, -UIOMMU_ERANGE },
		{ 0x1000, top, 0x1000, RW, -UIOMMU_ERANGE },
		{ 0x1000, top - 0x1000, 0x2000, RW, -UIOMMU_ERANGE },
		{ 0x1000, 0x1000, -0x1000ull, RW, -UIOMMU_ERANGE },
		{ -0x1000ull, 0x1000, 0x1000, RW, -UIOMMU_ERANGE },
		{ -0x1000ull, 0x1000, 0x2000, RW, -UIOMMU_ERANGE },
		{ 0x1000, -0x1000ull, 0x1000, RW, -UIOMMU_ERANGE },
		{ 0x1000, -0x1000ull, 0x2000, RW, -UIOMMU_ERANGE },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint64_t mapped = 1;

		assert_int_equal(x->pt.ops->map(&x->pt, bad[i].iova, bad[i].pa, bad[i].len,
						bad[i].prot, &mapped), bad[i].ret);
		assert_int_equal(mapped, 0);
	}
	assert_int_equal(x->arena.live, 1);	/* the root */
	for (unsigned i = 0; i < x->pt.top_bytes / 8; i++)
		assert_int_equal(hw_read(&x->arena, top_pa(x) + 8 * i), 0);
}

static void lookups_that_find_nothing(void **state)
{
	struct fixture *x = *state;
	uint64_t pa = 0x1234;

	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, 0x1000, &pa), -UIOMMU_ENOENT);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, x->size, &pa), -UIOMMU_ERANGE);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, UINT64_MAX, &pa), -UIOMMU_ERANGE);
	assert_int_equal(pa, 0x1234);
}

static void walk_shows_every_step(void **state)
{
	struct fixture *x = *state;
	struct uiommu_pt_step s[8];
	unsigned n, full = x->pt.top_level + 1;
	uint64_t table = top_pa(x);

	assert_int_equal(map(x, 0x7000, 0x80009000, 4 * K, NULL), 0);
	assert_int_equal(x->pt.ops->walk(&x->pt, 0x7abc, s, 8, &n), 0);
	assert_int_equal(n, full);
	for (unsigned i = 0; i < n; i++) {
		bool last = i == n - 1;

		assert_int_equal(s[i].level, n - 1 - i);
		assert_int_equal(s[i].entry_pa, table + (last ? 7 * 8 : 0));
		assert_int_equal(s[i].kind, last ? UIOMMU_PT_STEP_LEAF : UIOMMU_PT_STEP_TABLE);
		table = s[i].next_pa;
	}
	assert_int_equal(s[n - 1].entry, hw(x, 0x7000).entry);
	assert_int_equal(s[n - 1].next_pa, 0x80009abc);
	assert_int_equal(s[n - 1].page_lg2, 12);

	assert_int_equal(x->pt.ops->walk(&x->pt, 0x8000, s, 8, &n), 0);
	assert_int_equal(s[n - 1].kind, UIOMMU_PT_STEP_INVALID);
	assert_int_equal(x->pt.ops->walk(&x->pt, 0x7000, s, 1, &n), -UIOMMU_EMSGSIZE);
	assert_int_equal(n, full);
	assert_int_equal(x->pt.ops->walk(&x->pt, x->size, s, 8, &n), -UIOMMU_ERANGE);
	assert_int_equal(n, 0);
}

static void sizes_that_the_format_has_not(void **state)
{
	static const struct uiommu_pt_config bad[] = {
		{ 24, 48, 0 }, { 49, 48, 0 }, { 0, 48, 0 }, { 64, 48, 0 }, { ~0u, 48, 0 },
		{ 48, 31, 0 }, { 48, 49, 0 }, { 48, 0, 0 }, { 48, ~0u, 0 }, { 48, 48, 1 },
	};
	struct fixture *x = *state;
	struct uiommu_pt pt;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		pt.top = NULL;
		assert_int_equal(x->in->ops->init(&pt, &x->arena.host, &bad[i]),
				 -UIOMMU_EINVAL);
	}
	assert_int_equal(x->arena.live, 1);
}

static void memory_beyond_the_output_size(void **state)
{
	struct fixture *x = *state;
	struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 38 };
	struct uiommu_pt pt;

	/* the arena starts at 2^38 */
	assert_int_equal(x->in->ops->init(&pt, &x->arena.host, &cfg), -UIOMMU_ERANGE);
	assert_null(pt.top);
	x->pt.oas_lg2 = 38;
	assert_int_equal(map(x, 0x1000, 0x1000, 4 * K, NULL), -UIOMMU_ERANGE);
	assert_int_equal(x->arena.live, 1);
	x->in->ops->fini(&pt);		/* of nothing */
}

/* Another thread maps the page next door while this one waits for memory. */
static void map_next_door(struct arena *a)
{
	struct fixture *x = a->test;

	a->on_alloc = NULL;
	assert_int_equal(map(x, 0x2000, 0x80002000, 4 * K, NULL), 0);
}

static void another_thread_was_faster(void **state)
{
	struct fixture *x = *state;

	x->arena.test = x;
	x->arena.on_alloc = map_next_door;
	assert_int_equal(map(x, 0x1000, 0x80001000, 4 * K, NULL), 0);
	assert_true(is_mapped(x, 0x1000, 0x80001000));
	assert_true(is_mapped(x, 0x2000, 0x80002000));
	assert_int_equal(x->arena.live, x->pt.top_level + 1);
}

static void root_is_as_large_as_it_must_be(void **state)
{
	struct fixture *x = *state;
	uint64_t want = x->in->ias == 48 || x->in->ias == 39 || x->in->ias == 30 ? 4096 :
			x->in->ias == 25 ? 128 : 64;

	assert_int_equal(x->pt.top_bytes, want);
	assert_int_equal((uintptr_t)x->pt.top % want, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_goes_where_it_was_told),
		TEST(first_and_last_page_of_the_address_space),
		TEST(highest_output_page),
		TEST(largest_pages_that_fit),
		TEST(mixed_sizes_in_one_call),
		TEST(across_a_gigabyte),
		TEST(an_empty_table_in_the_way_gets_smaller_pages),
		TEST(over_something_mapped),
		TEST(over_and_under_a_block),
		TEST(bad_arguments_change_nothing),
		TEST(lookups_that_find_nothing),
		TEST(walk_shows_every_step),
		TEST(sizes_that_the_format_has_not),
		TEST(memory_beyond_the_output_size),
		TEST(another_thread_was_faster),
		TEST(root_is_as_large_as_it_must_be),
	};

	RUN_ALL(tests);
}
