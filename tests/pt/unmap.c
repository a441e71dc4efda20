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

	for (unsigned first = 0; first < 12; first++) {
		for (unsigned count = 1; count < 40; count += 1 + count / 9) {
			assert_int_equal(map(x, 0, SKEW, 64 * P, NULL), 0);
			assert_int_equal(raw_unmap(x, first * P, count * P, &n), 0);
			assert_int_equal(n, count * P);
			for (unsigned a = 0; a < 64; a++)
				assert_int_equal(is_mapped(x, a * P, SKEW + a * P),
						 a < first || a >= first + count);
			assert_int_equal(x->gather.start, first * P);
			assert_int_equal(x->gather.last, (first + count) * P - 1);
			assert_int_equal(x->gather.pgsizes, P);
			assert_false(x->gather.tables);
			assert_null(x->gather.free_list);
			assert_false(uiommu_gather_empty(&x->gather));
			unmap(x, 0, B, NULL);
			assert_false(hw(x, 0).mapped);
		}
	}
}

static void stops_at_the_first_hole(void **state)
{
	struct fixture *x = *state;
	uint64_t n = 1;

	for (unsigned len = 1; len < 20; len++) {
		assert_int_equal(map(x, P, SKEW, len * P, NULL), 0);
		assert_int_equal(map(x, (len + 2) * P, SKEW + 80 * P, 2 * P, NULL), 0);
		assert_int_equal(raw_unmap(x, P, (len + 3) * P, &n), 0);
		assert_int_equal(n, len * P);
		assert_true(is_mapped(x, (len + 2) * P, SKEW + 80 * P));
		assert_int_equal(x->gather.last, (len + 1) * P - 1);
		uiommu_gather_free(&x->gather, &x->arena.host);
		assert_true(uiommu_gather_empty(&x->gather));
		assert_int_equal(unmap(x, (len + 2) * P, 2 * P, &n), 0);
		assert_int_equal(n, 2 * P);
	}
	assert_int_equal(raw_unmap(x, P, 6 * P, &n), 0);
	assert_int_equal(n, 0);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_int_equal(raw_unmap(x, x->size - P, P, &n), 0);
	assert_int_equal(n, 0);
}

static void a_covered_table_waits_for_hardware(void **state)
{
	struct fixture *x = *state;
	unsigned live;
	uint64_t n, table, first, second;
	struct uiommu_pt_step s[8];
	unsigned ns;

	assert_int_equal(map(x, B, SKEW, B, NULL), 0);
	live = x->arena.live;
	assert_int_equal(x->pt.ops->walk(&x->pt, B, s, 8, &ns), 0);
	table = s[ns - 1].entry_pa;
	second = hw_read(&x->arena, table + 8);

	assert_int_equal(raw_unmap(x, B, B, &n), 0);
	assert_int_equal(n, B);
	assert_false(hw(x, B).mapped);
	assert_int_equal(hw(x, B).lg2, x->in->block_lg2);	/* the table entry is gone */
	assert_int_equal(x->arena.live, live);			/* the table is not */
	assert_true(x->gather.tables);
	assert_int_equal(x->gather.pgsizes, x->pt.pgsizes & (B - 1));
	/* who still walks it finds entry 0 absent and the rest as it was */
	first = hw_read(&x->arena, table);
	assert_int_equal(first & 3, 0);
	assert_int_equal(hw_read(&x->arena, table + 8), second);

	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, live - 1);
	assert_true(uiommu_gather_empty(&x->gather));
}

static void covered_tables_of_several_levels(void **state)
{
	struct fixture *x = *state;
	unsigned live, above;
	uint64_t c = B << (x->in->page_lg2 - 3), n;

	if (3 * c >= x->size || levels(x) < 3)
		return;
	/* page, table and block under one table of tables, its neighbours stay */
	assert_int_equal(map(x, c - P, P, P, NULL), 0);
	above = x->arena.live;
	assert_int_equal(map(x, c, SKEW, 2 * B, NULL), 0);
	assert_int_equal(map(x, c + 4 * B, PA, B, NULL), 0);
	assert_int_equal(map(x, 2 * c - P, P, P, NULL), 0);
	assert_int_equal(map(x, 2 * c, 2 * P, P, NULL), 0);
	live = x->arena.live;
	assert_int_equal(raw_unmap(x, c, c, &n), 0);
	assert_int_equal(n, c);
	assert_int_equal(x->gather.start, c);
	assert_int_equal(x->gather.last, 2 * c - 1);
	assert_int_equal(x->gather.pgsizes, x->pt.pgsizes & (c - 1));
	assert_false(hw(x, c).mapped);
	assert_false(hw(x, 2 * c - 1).mapped);
	assert_true(is_mapped(x, c - P, P));
	assert_true(is_mapped(x, 2 * c, 2 * P));
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, live - 4);	/* 3 of pages, 1 above them */
	assert_true(x->arena.live > above);
}

static void everything_at_once(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	assert_int_equal(map(x, 0, PA, P, NULL), 0);
	assert_int_equal(map(x, x->size - 2 * P, SKEW, 2 * P, NULL), 0);
	assert_int_equal(raw_unmap(x, 0, x->size / 2, &n), 0);
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_false(hw(x, 0).mapped);
	assert_true(is_mapped(x, x->size - P, SKEW + P));
	assert_int_equal(raw_unmap(x, x->size / 2, x->size / 2, &n), 0);
	uiommu_gather_free(&x->gather, &x->arena.host);
	unmap(x, x->size - 2 * P, 2 * P, NULL);
	assert_false(hw(x, x->size - 1).mapped);
}

static void blocks_are_not_cut(void **state)
{
	struct fixture *x = *state;
	const struct { uint64_t iova, len; } cut[] = {
		{ 4 * B, P },				/* its head */
		{ 5 * B - P, P },			/* its tail */
		{ 4 * B + B / 2, P },			/* its middle */
		{ 4 * B + B / 2, B / 2 },		/* its second half */
		{ 4 * B, B / 2 },			/* its first */
		{ 4 * B - P, 2 * P },			/* behind a page that is there */
		{ 5 * B - P, 2 * P },			/* before one */
		{ 4 * B - P, B },			/* all but its last page */
		{ 4 * B + P, B },			/* all but its first */
	};
	uint64_t n, len = B + 2 * P;

	assert_int_equal(map(x, 4 * B - P, PA + B - P, len, NULL), 0);
	assert_int_equal(hw(x, 4 * B).lg2, x->in->block_lg2);
	for (size_t i = 0; i < sizeof(cut) / sizeof(*cut); i++) {
		n = 1;
		assert_int_equal(raw_unmap(x, cut[i].iova, cut[i].len, &n), -UIOMMU_EINVAL);
		assert_int_equal(n, 0);
		assert_true(uiommu_gather_empty(&x->gather));
		for (uint64_t o = 0; o < len; o += P)
			assert_true(is_mapped(x, 4 * B - P + o, PA + B - P + o));
	}
	assert_int_equal(raw_unmap(x, 4 * B, B, &n), 0);
	assert_int_equal(n, B);
	assert_int_equal(x->gather.pgsizes, B);
	assert_true(is_mapped(x, 4 * B - 1, PA + B - 1));
	assert_true(is_mapped(x, 5 * B, PA + 2 * B));
}

static void blocks_of_the_level_above_are_not_cut(void **state)
{
	struct fixture *x = *state;
	uint64_t n, c = x->cs;

	if (!c || 4 * c >= x->size || 5 * c >> x->in->oas)
		return;
	assert_int_equal(map(x, c - B, 2 * c - B, c + 2 * B, NULL), 0);
	assert_int_equal(raw_unmap(x, c, B, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, c - B, 2 * B, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, 2 * c - P, 2 * P, &n), -UIOMMU_EINVAL);
	assert_int_equal(raw_unmap(x, c - B, c, &n), -UIOMMU_EINVAL);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_true(is_mapped(x, c - B, 2 * c - B));
	assert_int_equal(raw_unmap(x, c, c, &n), 0);
	assert_int_equal(n, c);
	assert_int_equal(x->gather.pgsizes, c);
	assert_false(hw(x, c).mapped);
	assert_true(is_mapped(x, 2 * c, 3 * c));
	assert_int_equal(raw_unmap(x, 2 * c, B, &n), 0);
	assert_int_equal(n, B);
	assert_true(is_mapped(x, c - 1, 2 * c - 1));
}

/* A run is one page: whole, or not at all. */
static void runs_are_not_cut(void **state)
{
	struct fixture *x = *state;
	uint64_t sizes = x->pt.pgsizes & (B - 1) & ~P, n;

	for (uint64_t r; (r = sizes & -sizes); sizes &= ~r) {
		const struct { uint64_t iova, len; } cut[] = {
			{ r, P }, { 2 * r - P, P }, { r + r / 2, r / 2 }, { r, r / 2 },
			{ r, r - P }, { r + P, r - P }, { r - P, 2 * P }, { r - P, r },
			{ 2 * r - P, 2 * P }, { r + P, r },
		};

		assert_int_equal(map(x, B + r - P, PA + r - P, r + 2 * P, NULL), 0);
		assert_int_equal(1ull << hw(x, B + r).lg2, r);
		for (size_t i = 0; i < sizeof(cut) / sizeof(*cut); i++) {
			if (!cut[i].len)
				continue;
			assert_int_equal(raw_unmap(x, B + cut[i].iova, cut[i].len, &n),
					 cut[i].len == r && cut[i].iova == r ? 0 : -UIOMMU_EINVAL);
			assert_int_equal(n, 0);
			assert_true(uiommu_gather_empty(&x->gather));
		}
		for (uint64_t o = 0; o < r + 2 * P; o += P)
			assert_true(is_mapped(x, B + r - P + o, PA + r - P + o));
		assert_int_equal(raw_unmap(x, B + r, r, &n), 0);
		assert_int_equal(n, r);
		assert_int_equal(x->gather.pgsizes, r);
		assert_false(hw(x, B + r).mapped);
		assert_false(hw(x, B + 2 * r - P).mapped);
		uiommu_gather_free(&x->gather, &x->arena.host);
		unmap(x, B, B, NULL);
		unmap(x, 2 * B, B, NULL);
	}
}

static void several_sizes_in_one_call(void **state)
{
	struct fixture *x = *state;
	uint64_t n;

	assert_int_equal(map(x, B - P, PA + B - P, B + 2 * P, NULL), 0);
	assert_int_equal(raw_unmap(x, B - P, B + 2 * P, &n), 0);
	assert_int_equal(n, B + 2 * P);
	assert_int_equal(x->gather.pgsizes, B | P);
	assert_int_equal(x->gather.start, B - P);
	assert_int_equal(x->gather.last, 2 * B + P - 1);
	for (uint64_t a = 0; a < 3 * B; a += P)
		assert_false(hw(x, a).mapped);
}

static void one_gather_for_several_calls(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(map(x, P, PA, 8 * P, NULL), 0);
	assert_int_equal(raw_unmap(x, 4 * P, P, NULL), 0);
	assert_int_equal(raw_unmap(x, 6 * P, P, NULL), 0);
	assert_int_equal(raw_unmap(x, 2 * P, P, NULL), 0);
	assert_int_equal(x->gather.start, 2 * P);
	assert_int_equal(x->gather.last, 7 * P - 1);
}

static void bad_ranges(void **state)
{
	struct fixture *x = *state;
	const struct { uint64_t iova, len; int ret; } bad[] = {
		{ P, 0, -UIOMMU_EINVAL },
		{ P + 1, P, -UIOMMU_EINVAL },
		{ P, P + 1, -UIOMMU_EINVAL },
		{ P, UINT64_MAX, -UIOMMU_EINVAL },
		{ 0, UINT64_MAX, -UIOMMU_EINVAL },
		{ x->size, P, -UIOMMU_ERANGE },
		{ x->size - P, 2 * P, -UIOMMU_ERANGE },
		{ -P, 3 * P, -UIOMMU_ERANGE },
		{ -P, 2 * P, -UIOMMU_ERANGE },
		{ P, -P, -UIOMMU_ERANGE },
		{ 0, -P, -UIOMMU_ERANGE },
	};

	assert_int_equal(map(x, P, PA, P, NULL), 0);
	assert_int_equal(map(x, x->size - P, PA, P, NULL), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint64_t n = 1;

		assert_int_equal(raw_unmap(x, bad[i].iova, bad[i].len, &n), bad[i].ret);
		assert_int_equal(n, 0);
		assert_true(uiommu_gather_empty(&x->gather));
	}
	assert_true(is_mapped(x, P, PA));
	assert_true(is_mapped(x, x->size - P, PA));
}

static void allocates_nothing(void **state)
{
	struct fixture *x = *state;
	unsigned calls;

	assert_int_equal(map(x, 0, SKEW, 4 * B, NULL), 0);
	for (uint64_t a = 4 * B; a < 8 * B; a += B)
		assert_int_equal(map(x, a, PA, B, NULL), 0);
	calls = x->arena.calls;
	for (uint64_t a = 0; a < 8 * B; a += B)
		assert_int_equal(unmap(x, a, B, NULL), 0);
	assert_int_equal(x->arena.calls, calls);
}

/* Mapped and unmapped block by block, leaf tables go with the call that covers them:
 * what stays is what is above them; trim takes that too. */
static void tables_do_not_pile_up(void **state)
{
	struct fixture *x = *state;
	uint64_t c = B << (x->in->page_lg2 - 3), size = x->size < 4 * c ? x->size : 4 * c;

	if (size / B > 2048)
		size = 2048 * B;
	for (uint64_t a = 0; a < size; a += B) {
		assert_int_equal(map(x, a, SKEW, 2 * P, NULL), 0);
		assert_int_equal(unmap(x, a, B, NULL), 0);
	}
	assert_in_range(x->arena.live, 1, levels(x) - 1 + size / c);
	x->pt.ops->trim(&x->pt, &x->gather);
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, 1);
}

static void trim_leaves_what_is_in_use(void **state)
{
	struct fixture *x = *state;
	unsigned live;

	assert_int_equal(map(x, 3 * B, PA, P, NULL), 0);
	assert_int_equal(map(x, x->size - B, PA, B, NULL), 0);
	live = x->arena.live;
	/* empty tables beside them, above and below */
	for (uint64_t a = x->size / 2; a; a /= 2) {
		if (a / B < 8 || map(x, a, PA, P, NULL))
			continue;
		assert_int_equal(unmap(x, a, P, NULL), 0);
	}
	assert_true(x->arena.live > live);
	x->pt.ops->trim(&x->pt, &x->gather);
	assert_true(x->gather.tables);
	assert_true(x->gather.start > x->gather.last);
	uiommu_gather_free(&x->gather, &x->arena.host);
	assert_int_equal(x->arena.live, live);
	assert_true(is_mapped(x, 3 * B, PA));
	assert_true(is_mapped(x, x->size - 1, PA + B - 1));
	/* what is trimmed can be used again; nothing is left to trim */
	x->pt.ops->trim(&x->pt, &x->gather);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_int_equal(map(x, 5 * B, PA, P, NULL), 0);
	assert_true(is_mapped(x, 5 * B, PA));
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
		TEST(blocks_of_the_level_above_are_not_cut),
		TEST(runs_are_not_cut),
		TEST(several_sizes_in_one_call),
		TEST(one_gather_for_several_calls),
		TEST(bad_ranges),
		TEST(allocates_nothing),
		TEST(tables_do_not_pile_up),
		TEST(trim_leaves_what_is_in_use),
	};

	RUN_ALL(tests);
}
