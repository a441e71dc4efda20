/* SPDX-License-Identifier: MIT */
/* Dirty tracking, and cut: what hardware marks is found, once, and nothing is lost. */
#include "arena.h"

const struct instance *current;

#define WORDS 1024

struct view {
	uint64_t bits[WORDS];
};

static struct view read_dirty(struct fixture *x, uint64_t iova, uint64_t len, unsigned lg2,
			      unsigned flags)
{
	struct view v = { { 0 } };
	struct uiommu_pt_dirty d = { iova, len, v.bits, lg2, flags };

	assert_true((len - 1) >> lg2 < 64 * WORDS);
	assert_int_equal(x->pt.ops->read_dirty(&x->pt, &d, &x->gather), 0);
	return v;
}

static unsigned count(const struct view *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(v->bits[i]);
	return n;
}

static bool bit(const struct view *v, uint64_t n)
{
	return v->bits[n / 64] >> (n % 64) & 1;
}

static void written_pages_are_found_once(void **state)
{
	struct fixture *x = *state;
	struct view v;

	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
	assert_int_equal(map(x, 3 * P, PA, 40 * P, NULL), 0);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_int_equal(count(&v), 0);
	assert_true(uiommu_gather_empty(&x->gather));
	hw_write(x, 7 * P + 5);
	hw_write(x, 42 * P);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, UIOMMU_PT_DIRTY_KEEP);
	assert_true(bit(&v, 7) && bit(&v, 42));
	assert_int_equal(count(&v), 2);
	assert_true(uiommu_gather_empty(&x->gather));
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_true(bit(&v, 7) && bit(&v, 42));
	assert_int_equal(x->gather.start, 7 * P);
	assert_int_equal(x->gather.last, 43 * P - 1);
	uiommu_gather_free(&x->gather, &x->arena.host);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_int_equal(count(&v), 0);
	/* the pages still work */
	assert_true(is_mapped(x, 7 * P, PA + 4 * P));
	hw_write(x, 7 * P);
	v = read_dirty(x, 6 * P, 2 * P, x->in->page_lg2, 0);
	assert_int_equal(v.bits[0], 2);
	/* in the units that were asked for */
	hw_write(x, 7 * P);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2 + 2, 0);
	assert_int_equal(v.bits[0], 2);
}

static void a_block_is_dirty_as_a_whole(void **state)
{
	struct fixture *x = *state;
	unsigned n = B / P;
	struct view v;

	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
	assert_int_equal(map(x, B, PA, B, NULL), 0);
	assert_int_equal(map(x, 3 * B, PA, B, NULL), 0);
	hw_write(x, B + 9 * P);
	/* a part of it: reported, and still dirty */
	v = read_dirty(x, B + 2 * P, 5 * P, x->in->page_lg2, 0);
	assert_int_equal(v.bits[0], 0x1f);
	assert_true(uiommu_gather_empty(&x->gather));
	v = read_dirty(x, 0, 4 * B, x->in->page_lg2, 0);
	assert_int_equal(count(&v), n);
	assert_true(bit(&v, n) && bit(&v, 2 * n - 1));
	assert_int_equal(x->gather.start, B);
	assert_int_equal(x->gather.last, 2 * B - 1);
	assert_int_equal(x->gather.pgsizes, B);
	v = read_dirty(x, 0, 4 * B, x->in->page_lg2, 0);
	assert_int_equal(count(&v), 0);
}

/* Any entry of a run may be the one that hardware marks. */
static void a_run_is_dirty_as_a_whole(void **state)
{
	struct fixture *x = *state;
	uint64_t r = x->pt.pgsizes & (B - 1) & ~P;
	struct view v;

	r &= -r;
	if (!r)
		return;
	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
	assert_int_equal(map(x, B, PA, r, NULL), 0);
	assert_int_equal(1ull << hw(x, B).lg2, r);
	hw_write(x, B + r - P);
	v = read_dirty(x, B, r, x->in->page_lg2, 0);
	assert_int_equal(count(&v), r / P);
	assert_int_equal(x->gather.pgsizes, r);
	v = read_dirty(x, B, r, x->in->page_lg2, 0);
	assert_int_equal(count(&v), 0);
}

static void only_what_can_be_written_is_dirty(void **state)
{
	struct fixture *x = *state;
	struct view v;

	/* before tracking, nobody knows: all that is writable counts */
	assert_int_equal(x->pt.ops->map(&x->pt, 0, PA, 3 * P, UIOMMU_PROT_READ, NULL), 0);
	assert_int_equal(map(x, 5 * P, PA, 3 * P, NULL), 0);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_int_equal(v.bits[0], 7 << 5);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_int_equal(count(&v), 0);
	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
	assert_int_equal(map(x, 9 * P, PA, P, NULL), 0);
	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, false), 0);
	assert_int_equal(map(x, 11 * P, PA, P, NULL), 0);
	v = read_dirty(x, 0, 64 * P, x->in->page_lg2, 0);
	assert_int_equal(v.bits[0], 1 << 11);
}

static void what_read_dirty_refuses(void **state)
{
	struct fixture *x = *state;
	uint64_t w[2] = { 0 };
	const struct { struct uiommu_pt_dirty d; int ret; } bad[] = {
		{ { 0, 0, w, x->in->page_lg2, 0 }, -UIOMMU_EINVAL },
		{ { P + 1, P, w, x->in->page_lg2, 0 }, -UIOMMU_EINVAL },
		{ { P, P, w, x->in->page_lg2 - 1, 0 }, -UIOMMU_EINVAL },
		{ { P, P, w, 64, 0 }, -UIOMMU_EINVAL },
		{ { P, P, w, x->in->page_lg2, 2 }, -UIOMMU_EINVAL },
		{ { x->size, P, w, x->in->page_lg2, 0 }, -UIOMMU_ERANGE },
		{ { P, -P, w, 63, 0 }, -UIOMMU_ERANGE },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(x->pt.ops->read_dirty(&x->pt, &bad[i].d, &x->gather),
				 bad[i].ret);
	assert_int_equal(w[0], 0);
}

static void without_the_flag_there_is_none(void **state)
{
	struct fixture *x = *state;
	uint64_t w = 0;
	struct uiommu_pt_dirty d = { 0, P, &w, x->in->page_lg2, 0 };

	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(x->pt.ops->read_dirty(&x->pt, &d, &x->gather), -UIOMMU_EOPNOTSUPP);
}

/* ---- cut ---- */

static void cut_makes_room_for_an_unmap(void **state)
{
	struct fixture *x = *state;
	uint64_t size = x->cs ? x->cs : B, at = 2 * size, n, offs[] = { 0, P, size / 2, size - P };

	if (4 * size >= x->size || 4 * size >> x->in->oas)
		return;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t cut = at + offs[i];

		assert_int_equal(map(x, at, size, size, NULL), 0);
		assert_int_equal(1ull << hw(x, at).lg2, size);
		assert_int_equal(x->pt.ops->cut(&x->pt, cut, &x->gather), 0);
		/* the edge of a leaf needs no cut */
		assert_int_equal(uiommu_gather_empty(&x->gather), cut == at);
		assert_int_equal(x->pt.ops->cut(&x->pt, cut + P, &x->gather), 0);
		if (cut + P < at + size) {
			assert_int_equal(x->gather.start, at);
			assert_int_equal(x->gather.last, at + size - 1);
			assert_true(x->gather.pgsizes & size);
		}
		for (uint64_t o = 0; o < size; o += size / 256)
			assert_true(is_mapped(x, at + o + 1, size + o + 1));
		uiommu_gather_free(&x->gather, &x->arena.host);
		assert_int_equal(unmap(x, cut, P, &n), 0);
		assert_int_equal(n, P);
		assert_false(hw(x, cut).mapped);
		assert_int_equal(is_mapped(x, cut - P, size + offs[i] - P), i > 0);
		assert_int_equal(is_mapped(x, cut + P, size + offs[i] + P), i < 3);
		for (uint64_t a = at; a < at + size; a += n ? n : P)
			assert_int_equal(unmap(x, a, at + size - a, &n), 0);
	}
}

static void cut_keeps_entries_as_they_are(void **state)
{
	struct fixture *x = *state;
	uint64_t page, cut;

	/* the same page, mapped as such and made from a block, has the same entry */
	assert_int_equal(x->pt.ops->map(&x->pt, 5 * P, PA + 5 * P, P, UIOMMU_PROT_READ, NULL), 0);
	page = hw(x, 5 * P).entry;
	assert_int_equal(x->pt.ops->map(&x->pt, B, PA, B, UIOMMU_PROT_READ, NULL), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, B + 5 * P, &x->gather), 0);
	cut = hw(x, B + 5 * P).entry;
	assert_int_equal(cut, page);
	/* runs, too */
	assert_int_equal(x->pt.ops->map(&x->pt, 2 * B, PA, B / 2, UIOMMU_PROT_READ, NULL), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, 2 * B + 5 * P, &x->gather), 0);
	assert_int_equal(hw(x, 2 * B + 5 * P).entry, page);
}

static void cut_of_nothing(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(x->pt.ops->cut(&x->pt, 5 * P, &x->gather), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, 0, &x->gather), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, x->size - P, &x->gather), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, x->size, &x->gather), -UIOMMU_ERANGE);
	assert_int_equal(x->pt.ops->cut(&x->pt, P + 1, &x->gather), -UIOMMU_EINVAL);
	assert_true(uiommu_gather_empty(&x->gather));
	assert_int_equal(x->arena.live, 1);
}

int main(void)
{
	const struct CMUnitTest cut[] = {
		TEST(cut_makes_room_for_an_unmap),
		TEST(cut_keeps_entries_as_they_are),
		TEST(cut_of_nothing),
		TEST(without_the_flag_there_is_none),
	};
	const struct CMUnitTest dirty[] = {
		TEST(written_pages_are_found_once),
		TEST(a_block_is_dirty_as_a_whole),
		TEST(a_run_is_dirty_as_a_whole),
		TEST(only_what_can_be_written_is_dirty),
		TEST(what_read_dirty_refuses),
		TEST(cut_makes_room_for_an_unmap),
		TEST(cut_keeps_entries_as_they_are),
		TEST(cut_of_nothing),
	};
	int failed = 0;

	for (size_t i = 0; i < INSTANCES; i++) {
		current = &instances[i];
		if (getenv("PT_ONLY") && !strstr(current->name, getenv("PT_ONLY")))
			continue;
		failed += current->flags & DIRTY
			? cmocka_run_group_tests_name(current->name, dirty, NULL, NULL)
			: cmocka_run_group_tests_name(current->name, cut, NULL, NULL);
	}
	return failed ? 1 : 0;
}
