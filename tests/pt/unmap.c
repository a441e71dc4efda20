/* SPDX-License-Identifier: MIT */
/* unmap and the gather: exactly what was asked, and what hardware must be told. */
#include "arena.h"

const struct instance *current;

static int raw_unmap(struct fixture *x, uint64_t iova, uint64_t len, uint64_t *n)
{
	return x->pt.ops->unmap(&x->pt, iova, len, &x->gather, n);
}

static void exactly_what_was_asked(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	assert_int_equal(map(x, 0, 0x80000000, 1 * M, NULL), 0);
	assert_int_equal(raw_unmap(x, 0x3000, 0x5000, &n), 0);
	assert_int_equal(n, 0x5000);
	for (uint64_t a = 0; a < 1 * M; a += 4 * K)
		assert_int_equal(is_mapped(x, a, 0x80000000 + a), a < 0x3000 || a >= 0x8000);
	assert_int_equal(x->gather.start, 0x3000);
	assert_int_equal(x->gather.last, 0x7fff);
	assert_int_equal(x->gather.pgsizes, 4 * K);
	assert_false(x->gather.tables);
	assert_null(x->gather.free_list);
	assert_false(uiommu_gather_empty(&x->gather));
}

static void stops_at_the_first_hole(void **state)
{
	struct fixture *x = *state;
	uint64_t n = 1;

	assert_int_equal(map(x, 0x1000, 0x80000000, 8 * K, NULL), 0);
	assert_int_equal(map(x, 0x5000, 0x90000000, 8 * K, NULL), 0);
	assert_int_equal(raw_unmap(x, 0x1000, 0x6000, &n), 0);
	assert_int_equal(n, 8 * K);
	assert_true(is_mapped(x, 0x5000, 0x90000000));
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_true(uiommu_gather_empty(&x->gather));

	assert_int_equal(raw_unmap(x, 0x1000, 0x6000, &n), 0);
	assert_int_equal(n, 0);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_int_equal(raw_unmap(x, x->size - 4 * K, 4 * K, &n), 0);
	assert_int_equal(n, 0);
}

static void a_covered_table_waits_for_hardware(void **state)
{
	struct fixture *x = *state;
	unsigned live;
	uint64_t n, table, first, second;
	struct uiommu_pt_step s[8];
	unsigned ns;

	assert_int_equal(map(x, 2 * M, 0x80001000, 2 * M, NULL), 0);
	live = x->arena.live;
	assert_int_equal(x->pt.ops->walk(&x->pt, 2 * M, s, 8, &ns), 0);
	table = s[ns - 1].entry_pa;
	second = hw_read(&x->arena, table + 8);

	assert_int_equal(raw_unmap(x, 2 * M, 2 * M, &n), 0);
	assert_int_equal(n, 2 * M);
	assert_false(hw(x, 2 * M).mapped);
	assert_int_equal(hw(x, 2 * M).lg2, 21);		/* the table entry is gone */
	assert_int_equal(x->arena.live, live);		/* the table is not */
	assert_true(x->gather.tables);
	assert_int_equal(x->gather.pgsizes, 4 * K);
	/* who still walks it finds entry 0 absent and the rest as it was */
	first = hw_read(&x->arena, table);
	assert_int_equal(first & 1, 0);
	assert_int_equal(hw_read(&x->arena, table + 8), second);

	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, live - 1);
	assert_true(uiommu_gather_empty(&x->gather));
}

static void covered_tables_of_several_levels(void **state)
{
	struct fixture *x = *state;
	unsigned live, above;
	uint64_t n;

	if (x->size <= 4 * G)
		return;
	/* page, table and block under one gigabyte, its neighbours stay */
	assert_int_equal(map(x, G - 4 * K, 0x1000, 4 * K, NULL), 0);
	above = x->arena.live;
	assert_int_equal(map(x, G, 0x80001000, 4 * M, NULL), 0);
	assert_int_equal(map(x, G + 8 * M, 0x90000000, 2 * M, NULL), 0);
	assert_int_equal(map(x, 2 * G - 4 * K, 0x1000, 4 * K, NULL), 0);
	assert_int_equal(map(x, 2 * G, 0x2000, 4 * K, NULL), 0);
	live = x->arena.live;
	assert_int_equal(raw_unmap(x, G, G, &n), 0);
	assert_int_equal(n, G);
	assert_int_equal(x->gather.start, G);
	assert_int_equal(x->gather.last, 2 * G - 1);
	assert_int_equal(x->gather.pgsizes, 4 * K | 2 * M);
	assert_false(hw(x, G).mapped);
	assert_false(hw(x, 2 * G - 1).mapped);
	assert_true(is_mapped(x, G - 4 * K, 0x1000));
	assert_true(is_mapped(x, 2 * G, 0x2000));
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, live - 4);	/* 3 of pages, 1 above them */
	assert_true(x->arena.live > above);
}

static void everything_at_once(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	assert_int_equal(map(x, 0, 0x80000000, 4 * K, NULL), 0);
	assert_int_equal(map(x, x->size - 8 * K, 0x80000000, 8 * K, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(raw_unmap(x, i ? x->size / 2 : 0, x->size / 2, &n), 0);
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_false(hw(x, 0).mapped);
	unmap(x, x->size - 8 * K, 8 * K, NULL);
	assert_false(hw(x, x->size - 1).mapped);
}

static void blocks_are_not_cut(void **state)
{
	struct fixture *x = *state;
	const struct { uint64_t iova, len; } cut[] = {
		{ 4 * M, 4 * K },			/* its head */
		{ 6 * M - 4 * K, 4 * K },		/* its tail */
		{ 4 * M + 1 * M, 4 * K },		/* its middle */
		{ 4 * M - 8 * K, 12 * K },		/* behind a page that is there */
		{ 6 * M - 4 * K, 12 * K },		/* before one */
		{ 4 * M - 8 * K, 2 * M + 4 * K },	/* all but its last page */
		{ 4 * M + 4 * K, 2 * M },		/* all but its first */
	};
	uint64_t n;

	assert_int_equal(map(x, 4 * M - 8 * K, 0x10000000 - 8 * K, 2 * M + 16 * K, NULL), 0);
	assert_int_equal(hw(x, 4 * M).lg2, 21);
	for (size_t i = 0; i < sizeof(cut) / sizeof(*cut); i++) {
		n = 1;
		assert_int_equal(raw_unmap(x, cut[i].iova, cut[i].len, &n), -UIOMMU_EINVAL);
		assert_int_equal(n, 0);
		assert_true(uiommu_gather_empty(&x->gather));
		for (uint64_t o = 0; o < 2 * M + 16 * K; o += 4 * K)
			assert_true(is_mapped(x, 4 * M - 8 * K + o, 0x10000000 - 8 * K + o));
	}
	assert_int_equal(raw_unmap(x, 4 * M, 2 * M, &n), 0);
	assert_int_equal(n, 2 * M);
	assert_int_equal(x->gather.pgsizes, 2 * M);
	assert_true(is_mapped(x, 4 * M - 1, 0x10000000 - 1));
	assert_true(is_mapped(x, 6 * M, 0x10200000));
}

static void gigabytes_are_not_cut(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	if (x->size <= 4 * G)
		return;
	assert_int_equal(map(x, G - 2 * M, 2 * G - 2 * M, 2 * G + 4 * M, NULL), 0);
	assert_int_equal(raw_unmap(x, G, 2 * M, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, G - 2 * M, 4 * M, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, 3 * G - 4 * K, 8 * K, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, G - 2 * M, 2 * G, &n), -UIOMMU_EINVAL);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_true(is_mapped(x, G - 2 * M, 2 * G - 2 * M));
	assert_int_equal(raw_unmap(x, G, G, &n), 0);
	assert_int_equal(x->gather.pgsizes, G);
	assert_false(hw(x, G).mapped);
	assert_true(is_mapped(x, 2 * G, 3 * G));
	assert_int_equal(raw_unmap(x, 2 * G, G + 2 * M, &n), 0);
	assert_int_equal(n, G + 2 * M);
	assert_true(is_mapped(x, G - 1, 2 * G - 1));
}

static void several_sizes_in_one_call(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	assert_int_equal(map(x, 2 * M - 4 * K, 0x80000000 - 4 * K, 2 * M + 8 * K, NULL), 0);
	assert_int_equal(raw_unmap(x, 2 * M - 4 * K, 2 * M + 8 * K, &n), 0);
	assert_int_equal(n, 2 * M + 8 * K);
	assert_int_equal(x->gather.pgsizes, 2 * M | 4 * K);
	assert_int_equal(x->gather.start, 2 * M - 4 * K);
	assert_int_equal(x->gather.last, 4 * M + 4 * K - 1);
	for (uint64_t a = 0; a < 6 * M; a += 4 * K)
		assert_false(hw(x, a).mapped);
}

static void one_gather_for_several_calls(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, 0x1000, 0x80000000, 0x8000, NULL), 0);
	assert_int_equal(raw_unmap(x, 0x4000, 0x1000, NULL), 0);
	assert_int_equal(raw_unmap(x, 0x6000, 0x1000, NULL), 0);
	assert_int_equal(raw_unmap(x, 0x2000, 0x1000, NULL), 0);
	assert_int_equal(x->gather.start, 0x2000);
	assert_int_equal(x->gather.last, 0x6fff);
}

static void bad_ranges(void **state)
{
	struct fixture *x = *state;
	const struct { uint64_t iova, len; int ret; } bad[] = {
		{ 0x1000, 0, -UIOMMU_EINVAL },
		{ 0x1001, 0x1000, -UIOMMU_EINVAL },
		{ 0x1000, 0x1001, -UIOMMU_EINVAL },
		{ 0x1000, UINT64_MAX, -UIOMMU_EINVAL },
		{ x->size, 0x1000, -UIOMMU_ERANGE },
		{ x->size - 0x1000, 0x2000, -UIOMMU_ERANGE },
		{ -0x1000ull, 0x1000, -UIOMMU_ERANGE },
		{ -0x1000ull, 0x3000, -UIOMMU_ERANGE },
		{ 0x1000, -0x1000ull, -UIOMMU_ERANGE },
	};

	assert_int_equal(map(x, 0x1000, 0x80000000, 0x1000, NULL), 0);
	assert_int_equal(map(x, x->size - 0x1000, 0x80000000, 0x1000, NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint64_t n = 1;

		assert_int_equal(raw_unmap(x, bad[i].iova, bad[i].len, &n), bad[i].ret);
		assert_int_equal(n, 0);
		assert_true(uiommu_gather_empty(&x->gather));
	}
	assert_true(is_mapped(x, 0x1000, 0x80000000));
	assert_true(is_mapped(x, x->size - 0x1000, 0x80000000));
}

static void allocates_nothing(void **state)
{
	struct fixture *x = *state;
	unsigned calls;

	assert_int_equal(map(x, 0, 0x80001000, 8 * M, NULL), 0);
	assert_int_equal(map(x, 8 * M, 0x90000000, 8 * M, NULL), 0);
	calls = x->arena.calls;
	for (uint64_t a = 0; a < 16 * M; a += 2 * M)
		assert_int_equal(unmap(x, a, 2 * M, NULL), 0);
	assert_int_equal(x->arena.calls, calls);
}

/* Mapped and unmapped piece by piece, leaf tables go with the piece that covers
 * them: what stays is what is above them. */
static void tables_do_not_pile_up(void **state)
{
	struct fixture *x = *state;
	uint64_t size = x->size < 4 * G ? x->size : 4 * G;

	for (uint64_t a = 0; a < size; a += 2 * M) {
		assert_int_equal(map(x, a, 0x80001000, 2 * M, NULL), 0);
		assert_int_equal(unmap(x, a, 2 * M, NULL), 0);
	}
	/* root, one below it (ias > 39), one for each gigabyte (ias > 30) */
	assert_in_range(x->arena.live, 1, 2 + size / G);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exactly_what_was_asked),
		TEST(stops_at_the_first_hole),
		TEST(a_covered_table_waits_for_hardware),
		TEST(covered_tables_of_several_levels),
		TEST(everything_at_once),
		TEST(blocks_are_not_cut),
		TEST(gigabytes_are_not_cut),
		TEST(several_sizes_in_one_call),
		TEST(one_gather_for_several_calls),
		TEST(bad_ranges),
		TEST(allocates_nothing),
		TEST(tables_do_not_pile_up),
	};

	RUN_ALL(tests);
}
