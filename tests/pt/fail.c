/* SPDX-License-Identifier: MIT */
/* Every allocation fails once: what is mapped is what map said, nothing leaks. */
#include "arena.h"

const struct instance *current;

/* A map that needs tables of every level, in the middle and at both ends. */
static void map_says_how_far_it_came(void **state)
{
	struct fixture *x = *state;
	uint64_t iova, len, mapped;
	unsigned fails = 0;
	int ret;

	/* across the middle of the address space, where all tables are apart */
	iova = x->size / 2 - 2 * B - 2 * P;
	len = 4 * B + 5 * P;
	for (unsigned nth = 1;; nth++) {
		x->arena.calls = 0;
		x->arena.fail_at = nth;
		ret = map(x, iova, SKEW, len, &mapped);
		x->arena.fail_at = 0;
		if (!ret)
			break;
		fails++;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		assert_true(mapped < len);
		for (uint64_t o = 0; o < len; o += P) {
			struct hw_leaf r = hw(x, iova + o);

			assert_int_equal(r.mapped, o < mapped);
			if (r.mapped)
				assert_int_equal(r.pa, SKEW + o);
		}
		/* the caller's way back allocates nothing and leaves nothing mapped */
		x->arena.fail_at = x->arena.calls + 1;
		for (uint64_t done = 0, n; done < mapped; done += n)
			assert_int_equal(unmap(x, iova + done, mapped - done, &n), 0);
		x->arena.fail_at = 0;
		/* from scratch, so that the next round needs all tables again */
		x->pt.ops->fini(&x->pt);
		assert_int_equal(x->arena.live, 0);
		assert_int_equal(setup_again(x), 0);
	}
	assert_int_equal(mapped, len);
	/* 6 leaf tables (fewer in a small space), and what is above them */
	assert_true(fails >= 6 || x->size < 8 * B);
	assert_int_equal(x->arena.live, fails + 1);
}

/* A cut that fails leaves every address going where it went. */
static void cut_says_so_and_harms_nothing(void **state)
{
	struct fixture *x = *state;
	uint64_t size = x->cs ? x->cs : B, at = size + B / 2 + P;
	unsigned fails = 0;
	int ret;

	if (4 * size >= x->size || 4 * size >> x->in->oas)
		return;
	for (unsigned nth = 1;; nth++) {
		assert_int_equal(map(x, size, 2 * size, size, NULL), 0);
		x->arena.calls = 0;
		x->arena.fail_at = nth;
		ret = x->pt.ops->cut(&x->pt, at, &x->gather);
		x->arena.fail_at = 0;
		for (uint64_t o = 0; o < size; o += size / 512)
			assert_true(is_mapped(x, size + o + 1, 2 * size + o + 1));
		assert_true(is_mapped(x, at, at + size));
		if (!ret)
			break;
		fails++;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		assert_int_equal(unmap(x, size, size, NULL), 0);
	}
	assert_true(fails >= 1);
	assert_int_equal(unmap(x, at, P, NULL), 0);
}

static void init_without_memory(void **state)
{
	struct fixture *x = *state;

	x->pt.ops->fini(&x->pt);
	x->arena.calls = 0;
	x->arena.fail_at = 1;
	assert_int_equal(setup_again(x), -UIOMMU_ENOMEM);
	assert_null(x->pt.top);
	assert_int_equal(x->arena.live, 0);
	x->pt.ops = x->in->ops;		/* for the teardown: fini of no table */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(map_says_how_far_it_came),
		TEST(cut_says_so_and_harms_nothing),
		TEST(init_without_memory),
	};

	RUN_ALL(tests);
}
