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
	iova = x->size / 2 - 4 * M - 8 * K;
	len = 8 * M + 20 * K;
	for (unsigned nth = 1;; nth++) {
		x->arena.calls = 0;
		x->arena.fail_at = nth;
		ret = map(x, iova, 0x80001000, len, &mapped);
		x->arena.fail_at = 0;
		if (!ret)
			break;
		fails++;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		assert_true(mapped < len);
		for (uint64_t o = 0; o < len; o += 4 * K) {
			struct hw_leaf r = hw(x, iova + o);

			assert_int_equal(r.mapped, o < mapped);
			if (r.mapped)
				assert_int_equal(r.pa, 0x80001000 + o);
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
	/* 6 leaf tables, and what is above them */
	assert_true(fails >= 6);
	assert_int_equal(x->arena.live, fails + 1);
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
		TEST(init_without_memory),
	};

	RUN_ALL(tests);
}
