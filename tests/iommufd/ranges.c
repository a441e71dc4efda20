/* SPDX-License-Identifier: MIT */
/* The tree of ranges against a flat array, in random order. */
#include "rig.h"
#include "src/iommufd/ranges.h"

#define SPACE	4096u

struct model {
	struct uiommu_ranges t;
	struct uiommu_range *at[SPACE];		/* who has this number */
};

static void add(struct model *m, uint64_t start, uint64_t last)
{
	struct uiommu_range *r;

	for (uint64_t i = start; i <= last; i++)
		if (m->at[i])
			return;
	r = calloc(1, sizeof(*r));
	r->start = start;
	r->last = last;
	uiommu_ranges_insert(&m->t, r);
	for (uint64_t i = start; i <= last; i++)
		m->at[i] = r;
}

static void del(struct model *m, uint64_t at)
{
	struct uiommu_range *r = m->at[at];

	if (!r)
		return;
	uiommu_ranges_remove(&m->t, r);
	for (uint64_t i = r->start; i <= r->last; i++)
		m->at[i] = NULL;
	free(r);
}

static void check(struct model *m, uint64_t from, uint64_t last)
{
	struct uiommu_range *want = NULL;

	for (uint64_t i = from; i < SPACE && !want; i++)
		want = m->at[i];
	assert_ptr_equal(uiommu_ranges_first(&m->t, from), want);
	assert_ptr_equal(uiommu_ranges_overlap(&m->t, from, last),
			 want && want->start <= last ? want : NULL);
}

static unsigned depth(const struct uiommu_range *n)
{
	unsigned l, r;

	if (!n)
		return 0;
	l = depth(n->left);
	r = depth(n->right);
	return 1 + (l > r ? l : r);
}

static void as_a_flat_array(void **state)
{
	uint64_t seed = rig_seed("as_a_flat_array", 1);
	struct model *m = calloc(1, sizeof(*m));

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t v = rig_random(&seed), at = v % SPACE, len = (v >> 32) % 8;

		if (v >> 63)
			add(m, at, at + len < SPACE ? at + len : at);
		else
			del(m, at);
		check(m, (v >> 16) % SPACE, ((v >> 16) % SPACE) + len);
	}
	for (uint64_t at = 0; at < SPACE; at++)
		del(m, at);
	assert_null(m->t.root);
	free(m);
}

static void in_order_keys_do_not_make_a_list_of_it(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	for (uint64_t at = 0; at < SPACE; at++)
		add(m, at, at);
	assert_true(depth(m->t.root) < 40);
	assert_null(uiommu_ranges_next(&m->t, m->at[SPACE - 1]));
	for (uint64_t at = 0; at < SPACE; at++)
		del(m, at);
	free(m);
}

static void the_last_number(void **state)
{
	struct uiommu_ranges t = { 0 };
	struct uiommu_range all = { .start = 0, .last = UINT64_MAX };

	uiommu_ranges_insert(&t, &all);
	assert_ptr_equal(uiommu_ranges_first(&t, UINT64_MAX), &all);
	assert_null(uiommu_ranges_next(&t, &all));
	uiommu_ranges_remove(&t, &all);
	assert_null(t.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_a_flat_array),
		cmocka_unit_test(in_order_keys_do_not_make_a_list_of_it),
		cmocka_unit_test(the_last_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
