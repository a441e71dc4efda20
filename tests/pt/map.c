/* SPDX-License-Identifier: MIT */
/* map, iova_to_phys, walk: what is where afterwards, and every refusal. */
#include "arena.h"

const struct instance *current;

/* The last page that an input address can have; all ones where canonical. */
static uint64_t last_page(const struct fixture *x)
{
	return (x->in->canonical ? 0 : x->size) - P;
}

static void page_goes_where_it_was_told(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped, pa = 0;

	assert_int_equal(map(x, 5 * P, PA + 7 * P, P, &mapped), 0);
	assert_int_equal(mapped, P);
	assert_true(is_mapped(x, 5 * P + 0x123, PA + 7 * P + 0x123));
	assert_false(hw(x, 5 * P - 1).mapped);
	assert_false(hw(x, 6 * P).mapped);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, 6 * P - 1, &pa), 0);
	assert_int_equal(pa, PA + 8 * P - 1);
}

static void first_and_last_page_of_the_address_space(void **state)
{
	struct fixture *x = *state;
	uint64_t last = last_page(x), pa;

	assert_int_equal(map(x, 0, P, P, NULL), 0);
	assert_int_equal(map(x, last, 2 * P, P, NULL), 0);
	assert_true(is_mapped(x, 0xabc, P + 0xabc));
	assert_true(is_mapped(x, last + P - 1, 3 * P - 1));
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, last + P - 1, &pa), 0);
	assert_int_equal(pa, 3 * P - 1);
	assert_int_equal(unmap(x, last, P, NULL), 0);
	assert_false(hw(x, last + P - 1).mapped);
	assert_true(is_mapped(x, 0, P));
}

static void upper_half_of_canonical_addresses(void **state)
{
	struct fixture *x = *state;
	uint64_t low = -x->size, mapped = 1, n;

	if (!x->in->canonical)
		return;
	assert_int_equal(map(x, low, PA, 2 * B, NULL), 0);
	assert_true(is_mapped(x, low + 2 * B - 1, PA + 2 * B - 1));
	assert_false(hw(x, low + 2 * B).mapped);
	assert_false(hw(x, 0).mapped);
	assert_int_equal(map(x, x->size - P, PA, P, NULL), 0);
	assert_true(is_mapped(x, x->size - 1, PA + P - 1));
	/* no address between the halves, and no range around */
	assert_int_equal(map(x, x->size - P, PA, 2 * P, &mapped), -UIOMMU_ERANGE);
	assert_int_equal(mapped, 0);
	assert_int_equal(map(x, low - P, PA, P, NULL), -UIOMMU_ERANGE);
	assert_int_equal(map(x, low - P, PA, 2 * P, NULL), -UIOMMU_ERANGE);
	assert_int_equal(map(x, -P, PA, 2 * P, NULL), -UIOMMU_ERANGE);
	assert_int_equal(unmap(x, low, 2 * B, &n), 0);
	assert_int_equal(n, 2 * B);
	assert_false(hw(x, low).mapped);
	assert_true(is_mapped(x, x->size - P, PA));
}

static void highest_output_page(void **state)
{
	struct fixture *x = *state;
	uint64_t top = 1ull << x->in->oas;

	assert_int_equal(map(x, P, top - P, P, NULL), 0);
	assert_true(is_mapped(x, P + 1, top - P + 1));
	/* every bit of an address, in pages and in blocks */
	for (unsigned b = x->in->block_lg2; b < x->in->oas; b++) {
		assert_int_equal(map(x, 2 * B, (1ull << b) + P, 3 * P, NULL), 0);
		assert_true(is_mapped(x, 2 * B + P, (1ull << b) + 2 * P));
		assert_int_equal(unmap(x, 2 * B, B, NULL), 0);
		assert_int_equal(map(x, 2 * B, 1ull << b, B, NULL), 0);
		assert_int_equal(hw(x, 2 * B).lg2, x->in->block_lg2);
		assert_true(is_mapped(x, 2 * B + P, (1ull << b) + P));
		assert_int_equal(unmap(x, 2 * B, B, NULL), 0);
		/* pages over the end of what the lower bits can say */
		assert_int_equal(map(x, 2 * B, (1ull << b) - P, 2 * P, NULL), 0);
		assert_true(is_mapped(x, 2 * B + P, 1ull << b));
		assert_int_equal(unmap(x, 2 * B, B, NULL), 0);
	}
}

static void largest_pages_that_fit(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, B, PA, B, NULL), 0);
	assert_int_equal(hw(x, B).lg2, x->in->block_lg2);
	/* the output alignment counts too */
	assert_int_equal(map(x, 2 * B, SKEW, B, NULL), 0);
	assert_int_equal(hw(x, 2 * B).lg2, x->in->page_lg2);
	assert_true(is_mapped(x, 3 * B - 1, SKEW + B - 1));
	if (!x->cs || 3 * x->cs >= x->size)
		return;
	assert_int_equal(map(x, x->cs, 0, x->cs, NULL), 0);
	assert_int_equal(hw(x, x->cs).lg2, x->in->block2_lg2);
	assert_true(is_mapped(x, 2 * x->cs - 1, x->cs - 1));
}

static void mixed_sizes_in_one_call(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped, len = 2 * B + 3 * P;

	/* a page up to a block, two blocks, two pages behind them */
	assert_int_equal(map(x, B - P, PA - P, len, &mapped), 0);
	assert_int_equal(mapped, len);
	assert_int_equal(hw(x, B - 1).lg2, x->in->page_lg2);
	assert_true(hw(x, B).lg2 >= x->in->block_lg2);
	assert_true(hw(x, 3 * B - 1).lg2 >= x->in->block_lg2);
	assert_true(hw(x, 3 * B).lg2 < x->in->block_lg2);
	assert_false(hw(x, B - P - 1).mapped);
	assert_false(hw(x, 3 * B + 2 * P).mapped);
	for (uint64_t i = 0; i < mapped; i += P)
		assert_true(is_mapped(x, B - P + i, PA - P + i));
}

static void a_block_of_the_level_above_in_the_middle(void **state)
{
	struct fixture *x = *state;
	uint64_t c = x->cs;

	if (!c || 3 * c >= x->size || 3 * c >> x->in->oas)
		return;
	assert_int_equal(map(x, c - B, c - B, c + 2 * B, NULL), 0);
	assert_int_equal(hw(x, c - 1).lg2, x->in->block_lg2);
	assert_int_equal(hw(x, c).lg2, x->in->block2_lg2);
	assert_int_equal(hw(x, 2 * c).lg2, x->in->block_lg2);
	assert_true(is_mapped(x, 2 * c + B - 1, 2 * c + B - 1));
	assert_false(hw(x, 2 * c + B).mapped);
}

/* Runs of every size that the format has, wherever they fit. */
static void runs_where_they_fit(void **state)
{
	struct fixture *x = *state;
	uint64_t sizes = x->pt.pgsizes & (B - 1) & ~P, mapped;

	if (has_runs(x))
		assert_true(sizes != 0);
	else
		assert_int_equal(sizes, 0);
	for (uint64_t r; (r = sizes & -sizes); sizes &= ~r) {
		assert_int_equal(map(x, B - r - P, PA - r - P, r + P, &mapped), 0);
		assert_int_equal(1ull << hw(x, B - r).lg2, r);
		assert_int_equal(hw(x, B - r - P).lg2, x->in->page_lg2);
		for (uint64_t i = 0; i < r + P; i += P)
			assert_true(is_mapped(x, B - r - P + i, PA - r - P + i));
		assert_int_equal(unmap(x, B - r - P, r + P, NULL), 0);
		/* something in the way of a run's last page: smaller ones up to it */
		assert_int_equal(map(x, B - P, PA, P, NULL), 0);
		assert_int_equal(map(x, B - r, PA - r, r, &mapped), -UIOMMU_EEXIST);
		assert_int_equal(mapped, r - P);
		assert_true(hw(x, B - r).mapped || r == P);
		assert_true(is_mapped(x, B - P, PA));
		for (uint64_t i = 0; i < mapped; i += P)
			assert_true(is_mapped(x, B - r + i, PA - r + i));
		assert_int_equal(unmap(x, B - r, r, NULL), 0);
	}
}

static void an_empty_table_in_the_way_gets_smaller_pages(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, B, PA, P, NULL), 0);
	assert_int_equal(unmap(x, B, P, NULL), 0);
	assert_int_equal(map(x, B, PA, B, NULL), 0);
	assert_true(hw(x, B).lg2 < x->in->block_lg2);
	assert_true(is_mapped(x, 2 * B - 1, PA + B - 1));
	/* an unmap that covers it takes the table: blocks again */
	assert_int_equal(unmap(x, B, B, NULL), 0);
	assert_int_equal(map(x, B, PA, B, NULL), 0);
	assert_int_equal(hw(x, B).lg2, x->in->block_lg2);
}

static void over_something_mapped(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped = 1;

	assert_int_equal(map(x, 16 * P, PA, P, NULL), 0);
	assert_int_equal(map(x, 16 * P, 2 * PA, P, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 0);
	assert_true(is_mapped(x, 16 * P, PA));
	/* what lies before it stays, and is what *mapped says */
	for (unsigned before = 1; before <= 16; before++) {
		uint64_t iova = (16 - before) * P;

		assert_int_equal(map(x, iova, PA + 32 * P, 40 * P, &mapped), -UIOMMU_EEXIST);
		assert_int_equal(mapped, before * P);
		assert_true(is_mapped(x, 15 * P, PA + (31 + before) * P));
		assert_true(is_mapped(x, 16 * P, PA));
		assert_false(hw(x, 17 * P).mapped);
		assert_int_equal(unmap(x, iova, mapped, NULL), 0);
	}
}

static void over_and_under_a_block(void **state)
{
	struct fixture *x = *state;
	uint64_t mapped = 1;

	assert_int_equal(map(x, 2 * B, PA, B, NULL), 0);
	assert_int_equal(map(x, 2 * B + 3 * P, P, P, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 0);
	assert_int_equal(map(x, B, 2 * PA, 2 * B, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, B);
	/* a block over a page: up to the page in smaller ones */
	assert_int_equal(map(x, 3 * B + 5 * P, P, P, NULL), 0);
	assert_int_equal(map(x, 3 * B, PA, B, &mapped), -UIOMMU_EEXIST);
	assert_int_equal(mapped, 5 * P);
	assert_true(is_mapped(x, 3 * B + 5 * P, P));
	assert_true(is_mapped(x, 3 * B + 4 * P, PA + 4 * P));
}

static void bad_arguments_change_nothing(void **state)
{
	struct fixture *x = *state;
	uint64_t top = 1ull << x->in->oas;
	const struct { uint64_t iova, pa, len; unsigned prot; int ret; } bad[] = {
		{ P, P, 0, RW, -UIOMMU_EINVAL },
		{ P + 1, P, P, RW, -UIOMMU_EINVAL },
		{ P, P + P / 2, P, RW, -UIOMMU_EINVAL },
		{ P, P, 2 * P - 1, RW, -UIOMMU_EINVAL },
		{ P, P, UINT64_MAX, RW, -UIOMMU_EINVAL },
		{ P, P, P, 0, -UIOMMU_EINVAL },
		{ P, P, P, UIOMMU_PROT_EXEC, -UIOMMU_EINVAL },
		{ P, P, P, RW | 0x20, -UIOMMU_EINVAL },
		{ P, P, P, RW | 1u << 31, -UIOMMU_EINVAL },
		{ x->size, P, P, RW, -UIOMMU_ERANGE },
		{ x->size - P, P, 2 * P, RW, -UIOMMU_ERANGE },
		{ P, P, -P, RW, -UIOMMU_ERANGE },
		{ 0, 0, -P, RW, -UIOMMU_ERANGE },
		{ P, top, P, RW, -UIOMMU_ERANGE },
		{ P, top - P, 2 * P, RW, -UIOMMU_ERANGE },
		{ P, P, -P, RW, -UIOMMU_ERANGE },
		{ -P, P, P, x->in->canonical ? 0 : RW,
		  x->in->canonical ? -UIOMMU_EINVAL : -UIOMMU_ERANGE },
		{ -P, P, 2 * P, RW, -UIOMMU_ERANGE },
		{ P, -P, P, RW, -UIOMMU_ERANGE },
		{ P, -P, 2 * P, RW, -UIOMMU_ERANGE },
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

	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, P, &pa), -UIOMMU_ENOENT);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, x->size, &pa), -UIOMMU_ERANGE);
	assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, UINT64_MAX, &pa),
			 x->in->canonical ? -UIOMMU_ENOENT : -UIOMMU_ERANGE);
	assert_int_equal(pa, 0x1234);
}

static void walk_shows_every_step(void **state)
{
	struct fixture *x = *state;
	struct uiommu_pt_step s[8];
	unsigned n, full = levels(x);
	uint64_t table = top_pa(x);

	assert_int_equal(map(x, 7 * P, SKEW, P, NULL), 0);
	assert_int_equal(x->pt.ops->walk(&x->pt, 7 * P + 0xabc, s, 8, &n), 0);
	assert_int_equal(n, full);
	for (unsigned i = 0; i < n; i++) {
		bool last = i == n - 1;

		assert_int_equal(s[i].level, n - 1 - i);
		assert_int_equal(s[i].entry_pa, table + (last ? 7 * 8 : 0));
		assert_int_equal(s[i].kind, last ? UIOMMU_PT_STEP_LEAF : UIOMMU_PT_STEP_TABLE);
		table = s[i].next_pa;
	}
	assert_int_equal(s[n - 1].entry, hw(x, 7 * P).entry);
	assert_int_equal(s[n - 1].next_pa, SKEW + 0xabc);
	assert_int_equal(s[n - 1].page_lg2, x->in->page_lg2);

	assert_int_equal(x->pt.ops->walk(&x->pt, 8 * P, s, 8, &n), 0);
	assert_int_equal(s[n - 1].kind, UIOMMU_PT_STEP_INVALID);
	assert_int_equal(x->pt.ops->walk(&x->pt, 7 * P, s, 1, &n), -UIOMMU_EMSGSIZE);
	assert_int_equal(n, full);
	assert_int_equal(x->pt.ops->walk(&x->pt, x->size, s, 8, &n), -UIOMMU_ERANGE);
	assert_int_equal(n, 0);
}

static void sizes_that_the_format_has_not(void **state)
{
	struct fixture *x = *state;
	unsigned i = x->in->ias, o = x->in->oas, page = x->in->page_lg2;
	const struct uiommu_pt_config bad[] = {
		{ 24, o, 0, 0 }, { 65, o, 0, 0 }, { 0, o, 0, 0 }, { ~0u, o, 0, 0 },
		{ i, 31, 0, 0 }, { i, 57, 0, 0 }, { i, 0, 0, 0 }, { i, ~0u, 0, 0 },
		{ i, o, 4, 0 }, { i, o, 1u << 31, 0 }, { i, o, 0, page - 1 }, { i, o, 0, 64 },
		{ i, o, 0, ~0u },
	};
	struct uiommu_pt pt;

	for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
		pt.top = NULL;
		assert_int_equal(x->in->ops->init(&pt, &x->arena.host, &bad[n]),
				 -UIOMMU_EINVAL);
	}
	assert_int_equal(x->arena.live, 1);
}

static void no_larger_pages_than_told(void **state)
{
	struct fixture *x = *state;

	x->pt.ops->fini(&x->pt);
	assert_int_equal(x->in->ops->init(&x->pt, &x->arena.host, &(struct uiommu_pt_config){
			.ias_lg2 = x->in->ias, .oas_lg2 = x->in->oas, .flags = x->in->flags,
			.max_page_lg2 = x->in->block_lg2 }), 0);
	assert_int_equal(map(x, 2 * B, PA, B, NULL), 0);
	assert_int_equal(hw(x, 2 * B).lg2, x->in->block_lg2);
	x->pt.ops->fini(&x->pt);
	assert_int_equal(x->in->ops->init(&x->pt, &x->arena.host, &(struct uiommu_pt_config){
			.ias_lg2 = x->in->ias, .oas_lg2 = x->in->oas, .flags = x->in->flags,
			.max_page_lg2 = x->in->page_lg2 }), 0);
	assert_int_equal(map(x, 2 * B, PA, B, NULL), 0);
	assert_int_equal(hw(x, 2 * B).lg2, x->in->page_lg2);
	assert_true(is_mapped(x, 3 * B - 1, PA + B - 1));
}

static void memory_beyond_the_output_size(void **state)
{
	struct fixture *x = *state;
	struct uiommu_pt_config cfg = { .ias_lg2 = x->in->ias, .oas_lg2 = 38 };
	struct uiommu_pt pt;

	/* the arena starts at 2^38 */
	assert_int_equal(x->in->ops->init(&pt, &x->arena.host, &cfg), -UIOMMU_ERANGE);
	assert_null(pt.top);
	x->pt.oas_lg2 = 38;
	if (levels(x) > 1)
		assert_int_equal(map(x, P, P, P, NULL), -UIOMMU_ERANGE);
	assert_int_equal(x->arena.live, 1);
	x->in->ops->fini(&pt);		/* of nothing */
}

static void permissions_that_the_format_cannot_say(void **state)
{
	struct fixture *x = *state;
	bool priv = x->in->hw == hw_x86_64 || (x->in->hw == hw_arm && !(x->in->arg & HW_S2)) ||
		    (x->in->hw == hw_riscv && !(x->in->arg & HW_X4));

	assert_int_equal(x->pt.ops->map(&x->pt, P, P, P, RW | UIOMMU_PROT_PRIV, NULL),
			 priv ? 0 : -UIOMMU_EINVAL);
	assert_int_equal(x->pt.ops->map(&x->pt, 2 * P, P, P, UIOMMU_PROT_WRITE |
					UIOMMU_PROT_EXEC | UIOMMU_PROT_MMIO, NULL), 0);
	assert_true(is_mapped(x, 2 * P, P));
}

/* Another thread maps the page next door while this one waits for memory. */
static void map_next_door(struct arena *a)
{
	struct fixture *x = a->test;

	a->on_alloc = NULL;
	assert_int_equal(map(x, 2 * P, PA + 2 * P, P, NULL), 0);
}

static void another_thread_was_faster(void **state)
{
	struct fixture *x = *state;

	x->arena.test = x;
	x->arena.on_alloc = map_next_door;
	assert_int_equal(map(x, P, PA + P, P, NULL), 0);
	assert_true(is_mapped(x, P, PA + P));
	assert_true(is_mapped(x, 2 * P, PA + 2 * P));
	assert_int_equal(x->arena.live, levels(x));
}

static void root_is_as_large_as_it_must_be(void **state)
{
	struct fixture *x = *state;
	uint64_t want = 4096;
	unsigned each = x->in->page_lg2 - 3, left = x->in->ias - x->in->page_lg2;

	if (x->in->hw == hw_riscv && x->in->arg & HW_X4)
		want = 16384;
	if (x->in->hw == hw_arm) {
		left -= each * x->pt.top_level;
		want = 8ull << left < 64 ? 64 : 8ull << left;
		assert_true(left <= each + (x->in->arg & HW_S2 ? 4 : 0));
	}
	assert_int_equal(x->pt.top_bytes, want);
	assert_int_equal((uintptr_t)x->pt.top % want, 0);
}

/* Levels come as addresses need them, and the old root stays in use. */
static void a_root_that_grows(void **state)
{
	struct fixture *x = *state;
	uint64_t first = top_pa(x), pa, n;
	unsigned want = 3;

	if (x->in->hw != hw_amd_v1)
		return;
	assert_int_equal(map(x, 0, PA, P, NULL), 0);
	assert_int_equal(levels(x), 3);
	for (unsigned b = 12; b < x->in->ias; b++) {
		uint64_t iova = 1ull << b;

		assert_int_equal(x->pt.ops->iova_to_phys(&x->pt, iova, &pa), -UIOMMU_ENOENT);
		assert_int_equal(unmap(x, iova, P, &n), 0);
		assert_int_equal(n, 0);
		assert_int_equal(map(x, iova, PA + iova % G, P, NULL), 0);
		want = b < 39 ? 3 : (b - 12) / 9 + 1;
		assert_int_equal(levels(x), want);
		assert_int_equal(top_pa(x) == first, want == 3);
		for (unsigned o = 12; o <= b; o++)
			assert_true(is_mapped(x, 1ull << o, PA + (1ull << o) % G));
		assert_true(is_mapped(x, 0, PA));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(page_goes_where_it_was_told),
		TEST(first_and_last_page_of_the_address_space),
		TEST(upper_half_of_canonical_addresses),
		TEST(highest_output_page),
		TEST(largest_pages_that_fit),
		TEST(mixed_sizes_in_one_call),
		TEST(a_block_of_the_level_above_in_the_middle),
		TEST(runs_where_they_fit),
		TEST(an_empty_table_in_the_way_gets_smaller_pages),
		TEST(over_something_mapped),
		TEST(over_and_under_a_block),
		TEST(bad_arguments_change_nothing),
		TEST(lookups_that_find_nothing),
		TEST(walk_shows_every_step),
		TEST(sizes_that_the_format_has_not),
		TEST(no_larger_pages_than_told),
		TEST(memory_beyond_the_output_size),
		TEST(permissions_that_the_format_cannot_say),
		TEST(another_thread_was_faster),
		TEST(root_is_as_large_as_it_must_be),
		TEST(a_root_that_grows),
	};

	RUN_ALL(tests);
}
