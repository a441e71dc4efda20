/* SPDX-License-Identifier: MIT */
/* Reserved ranges, the reset window, and PASIDs that the instance gives out. */
#include "fake.h"

/* ---- ranges that are not for mapping ---- */

#define RMR	0x8000000ull

static struct uiommu_dev *add_with(struct world *w, const char *name, uint32_t sid, int group,
				   const struct uiommu_dev_resv *resv, unsigned n, int err)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = &w->a.iommu, .stream_ids = &sid, .num_stream_ids = 1,
		.pasid_bits = 4, .group = group, .default_type = UIOMMU_DOMAIN_IDENTITY,
		.resv = resv, .num_resv = n,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), err);
	return dev;
}

static const struct uiommu_dev_resv lists[] = {
	{ RMR, RMR + 4 * PAGE - 1, UIOMMU_RESV_DIRECT, RW },
	{ RMR + 0x100000, RMR + 0x100fff, UIOMMU_RESV_DIRECT_RELAXABLE, RW },
	{ 0xfee00000, 0xfeefffff, UIOMMU_RESV_MSI, 0 },
	{ 0x1234, 0x1238, UIOMMU_RESV_RESERVED, 0 },
};

static int next_resv(void *ctx, const struct uiommu_dev_resv *resv)
{
	const struct uiommu_dev_resv **at = ctx;

	assert_memory_equal(resv, (*at)++, sizeof(*resv));
	return resv->type == UIOMMU_RESV_MSI ? 7 : 0;
}

static void the_list_of_a_device(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = add_with(w, "a", 1, -1, lists, 4, 0);
	const struct uiommu_dev_resv *at = lists;
	struct uiommu_dev_resv bad[] = { { 2, 1, UIOMMU_RESV_MSI, 0 },
				     { 1, PAGE - 1, UIOMMU_RESV_DIRECT, RW },
				     { 0, PAGE, UIOMMU_RESV_DIRECT, RW },
				     { 0, PAGE - 1, UIOMMU_RESV_DIRECT, 0 },
				     { 0, 1, UIOMMU_RESV_MSI + 1, 0 } };
	struct uiommu_dev_config cfg = { .name = "d", .iommu = &w->a.iommu, .group = -1,
					 .stream_ids = &(uint32_t){ 9 }, .num_stream_ids = 1,
					 .resv = lists, .num_resv = 1 };

	assert_int_equal(uiommu_device_for_each_resv(dev, next_resv, &at), 7);
	assert_ptr_equal(at, lists + 3);
	for (unsigned i = 0; i < 5; i++)
		add_with(w, "b", 2, -1, &bad[i], 1, -UIOMMU_EINVAL);
	add_with(w, "b", 2, -1, lists, 33, -UIOMMU_EINVAL);
	add_with(w, "b", 2, -1, NULL, 1, -UIOMMU_EINVAL);
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);	/* BLOCKED */
}

static void is_direct(struct uiommu_domain *dom, uiommu_iova_t at, bool there)
{
	uiommu_pa_t pa = 0;

	assert_int_equal(uiommu_iova_to_phys(dom, at, &pa), there ? 0 : -UIOMMU_ENOENT);
	assert_int_equal(pa, there ? at : 0);
}

static struct uiommu_domain *watched;

/* Before hardware gets the new domain the range is in it. */
static void must_be_direct(struct fake *f)
{
	is_direct(watched, RMR + 3 * PAGE, true);
}

static void direct_ranges_are_kept_across_domains(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = add_with(w, "a", 1, -1, lists, 4, 0);
	struct uiommu_dev *lone = world_add(&w->a, "l", 3);
	struct uiommu_domain *d[3] = { world_domain(dev), world_domain(dev), world_domain(dev) };
	int me;

	w->a.on_commit = must_be_direct;
	watched = d[0];
	assert_int_equal(uiommu_attach_device(d[0], dev), 0);
	is_direct(d[0], RMR + 0x100000, false);		/* relaxable: by default only */
	watched = d[1];
	assert_int_equal(uiommu_replace_device_pasid(d[1], dev, 0), 0);
	w->a.on_commit = NULL;
	is_direct(d[0], RMR, true);			/* stays */
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_device_set_default(dev, d[2]), 0);
	is_direct(d[2], RMR, true);
	is_direct(d[2], RMR + 0x100000, true);
	assert_int_equal(uiommu_attach_device(d[0], dev), 0);	/* there already */
	/* it cannot be blocked */
	assert_int_equal(uiommu_replace_device_pasid(uiommu_domain_blocked(w->u), dev, 0),
			 -UIOMMU_EINVAL);
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_device_claim(dev, &me), -UIOMMU_EINVAL);
	/* nor does it matter to others, or to PASIDs */
	assert_int_equal(uiommu_attach_device(world_domain(lone), lone), 0);
	assert_int_equal(uiommu_attach_device_pasid(world_domain(dev), dev, 1), 0);
}

/* A claimed group is blocked: who cannot be is not let in. */
static void direct_ranges_and_claimed_groups(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = add_with(w, "a", 1, 5, NULL, 0, 0), *late;
	int me;

	assert_int_equal(uiommu_device_claim(dev, &me), 0);
	add_with(w, "late", 2, 5, lists, 4, -UIOMMU_EBUSY);
	add_with(w, "relaxable", 3, 5, &lists[1], 1, 0);
	uiommu_device_release(dev, &me);
	late = add_with(w, "late", 2, 5, lists, 4, 0);
	assert_ptr_equal(world_has(late, 0), uiommu_domain_identity(w->u));
	assert_int_equal(uiommu_device_claim(dev, &me), -UIOMMU_EINVAL);
}

static void invariant_13_direct_ranges_of_a_failed_call(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = add_with(w, "a", 1, -1, lists, 4, 0);
	struct uiommu_domain *dom = world_domain(dev), *clash = world_domain(dev);

	w->a.fail_commit = w->a.commits + 1;
	w->a.fail_commits = 1;
	assert_int_equal(uiommu_attach_device(dom, dev), -UIOMMU_ETIMEDOUT);
	is_direct(dom, RMR, false);
	w->a.fail_commit = w->a.commits + 1;
	assert_int_equal(uiommu_device_set_default(dev, dom), -UIOMMU_ETIMEDOUT);
	w->a.fail_commit = 0;
	is_direct(dom, RMR, false);
	is_direct(dom, RMR + 0x100000, false);
	assert_int_equal(uiommu_map(clash, RMR + 2 * PAGE, 0, PAGE, RW, NULL), 0);
	assert_int_equal(uiommu_attach_device(clash, dev), -UIOMMU_EADDRINUSE);
	is_direct(clash, RMR, false);
	assert_int_equal(uiommu_unmap(clash, RMR + 2 * PAGE, PAGE, NULL), 0);
	/* the first range fits, the second does not */
	assert_int_equal(uiommu_map(clash, RMR + 0x100000, 0, PAGE, RW, NULL), 0);
	assert_int_equal(uiommu_device_set_default(dev, clash), -UIOMMU_EADDRINUSE);
	is_direct(clash, RMR, false);
	assert_int_equal(uiommu_domain_free(clash), 0);
	for (unsigned n = 1; n < 12; n++) {
		int err;

		w->t.fail_at = w->t.calls + n;
		err = uiommu_attach_device(dom, dev);
		w->t.fail_at = 0;
		is_direct(dom, RMR, !err);
		if (!err)
			return;
		assert_int_equal(err, -UIOMMU_ENOMEM);
	}
	fail_msg("it never succeeds");
}

/* ---- the reset window ---- */

static void a_device_in_reset_is_blocked_and_refuses(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = NULL, *mate = NULL;
	struct uiommu_domain *d1, *d2;

	assert_int_equal(world_try_add(&w->a, "a", 1, 4, UIOMMU_DOMAIN_IDENTITY, &dev), 0);
	assert_int_equal(world_try_add(&w->a, "b", 2, 4, UIOMMU_DOMAIN_IDENTITY, &mate), 0);
	d1 = world_domain(dev);
	d2 = world_domain(dev);
	uiommu_attach_device(d1, dev);
	uiommu_attach_device_pasid(d2, dev, 3);
	uiommu_attach_device_pasid(d2, dev, 4);
	uiommu_map(d2, 0, 0, PAGE, RW, NULL);
	w->t.forbid = true;
	assert_int_equal(uiommu_device_reset_done(dev), 0);	/* nothing to end */
	assert_int_equal(uiommu_device_reset_prepare(dev), 0);
	assert_true(fake_find(dev)->blocked);
	assert_false(fake_find(mate)->blocked);
	assert_int_equal(uiommu_device_reset_prepare(dev), -UIOMMU_EBUSY);
	w->t.forbid = false;
	assert_int_equal(uiommu_attach_device_pasid(d1, dev, 5), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(d1, dev, 3), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(d2, dev, 0), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_device_set_default(dev, d1), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_attach_group_pasid(d1, mate, 7), -UIOMMU_EBUSY);
	assert_null(world_has(mate, 7));
	assert_int_equal(uiommu_attach_device_pasid(d1, mate, 7), 0);
	/* unmap reaches what it will have; detach is seen afterwards */
	w->t.forbid = true;
	w->a.invalidations = 0;
	assert_int_equal(uiommu_unmap(d2, 0, PAGE, NULL), 0);
	assert_int_equal(w->a.invalidations, 1);
	uiommu_detach_device_pasid(dev, 4);
	assert_true(fake_find(dev)->blocked);
	assert_int_equal(uiommu_device_reset_done(dev), 0);
	w->t.forbid = false;
	assert_false(fake_find(dev)->blocked);
	assert_ptr_equal(world_has(dev, 0), d1);
	assert_ptr_equal(world_has(dev, 3), d2);
	assert_null(world_has(dev, 4));
	assert_int_equal(uiommu_attach_device_pasid(d1, dev, 5), 0);
}

static void invariant_13_a_reset_that_fails(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = world_add(&w->a, "a", 1);
	struct uiommu_domain *dom = world_domain(dev);

	uiommu_attach_device_pasid(dom, dev, 3);
	w->a.fail_commit = w->a.commits + 1;
	w->a.fail_commits = 1;
	assert_int_equal(uiommu_device_reset_prepare(dev), -UIOMMU_ETIMEDOUT);
	assert_false(fake_find(dev)->blocked);
	assert_int_equal(uiommu_device_reset_prepare(dev), 0);
	w->a.fail_commit = w->a.commits + 1;
	assert_int_equal(uiommu_device_reset_done(dev), -UIOMMU_ETIMEDOUT);
	assert_ptr_equal(world_has(dev, 0), uiommu_domain_blocked(w->u));
	assert_null(world_has(dev, 3));
	assert_int_equal(uiommu_domain_free(dom), 0);
}

/* ---- PASIDs ---- */

static void invariant_05_allocated_pasids_are_one_space(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a = world_add(&w->a, "a", 1), *b = world_add(&w->b, "b", 1);
	struct uiommu_domain *dom = world_domain(a);
	uiommu_pasid_t p;

	assert_int_equal(uiommu_pasid_alloc(w->u, 0, &p), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_pasid_alloc(w->u, 21, &p), -UIOMMU_EINVAL);
	for (unsigned i = 1; i < 16; i++) {
		assert_int_equal(uiommu_pasid_alloc(w->u, 4, &p), 0);
		assert_int_equal(p, i);			/* 0 is never given out */
	}
	assert_int_equal(uiommu_pasid_alloc(w->u, 4, &p), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_pasid_alloc(w->u, 5, &p), 0);
	assert_int_equal(p, 16);
	/* not before it is detached everywhere */
	assert_int_equal(uiommu_attach_device_pasid(dom, a, 3), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom, b, 3), 0);
	assert_int_equal(uiommu_pasid_free(w->u, 3), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(a, 3);
	assert_int_equal(uiommu_pasid_free(w->u, 3), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(b, 3);
	w->t.forbid = true;
	assert_int_equal(uiommu_pasid_free(w->u, 3), 0);
	assert_int_equal(uiommu_pasid_free(w->u, 3), -UIOMMU_EINVAL);
	w->t.forbid = false;
	assert_int_equal(uiommu_pasid_alloc(w->u, 4, &p), 0);
	assert_int_equal(p, 3);
	/* a guest names the same number: a clash on one device, and only there */
	assert_int_equal(uiommu_attach_device_pasid(dom, a, 3), 0);
	assert_int_equal(uiommu_attach_device_pasid(world_domain(a), a, 3), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_pasid_free(w->u, 0), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_pasid_free(w->u, 77), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_pasid_free(w->u, UIOMMU_PASID_MAX), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_pasid_free(w->u, UIOMMU_PASID_MAX + 1), -UIOMMU_EINVAL);
}

static void invariant_05_all_pasids(void **state)
{
	struct world *w = *state;
	uiommu_pasid_t p;

	for (unsigned i = 1; i < 1u << 20; i++) {
		if (uiommu_pasid_alloc(w->u, 20, &p) || p != i)
			fail_msg("PASID %u", i);
	}
	assert_int_equal(uiommu_pasid_alloc(w->u, 20, &p), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_pasid_free(w->u, UIOMMU_PASID_MAX), 0);
	assert_int_equal(uiommu_pasid_alloc(w->u, 19, &p), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_pasid_alloc(w->u, 20, &p), 0);
	assert_int_equal(p, UIOMMU_PASID_MAX);
}

static void pasid_without_memory(void **state)
{
	struct world *w = *state;
	uiommu_pasid_t p = 9;

	w->t.fail_at = w->t.calls + 1;
	assert_int_equal(uiommu_pasid_alloc(w->u, 8, &p), -UIOMMU_ENOMEM);
	assert_int_equal(p, 9);
	assert_int_equal(uiommu_pasid_alloc(w->u, 8, &p), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(the_list_of_a_device),
		T(direct_ranges_are_kept_across_domains),
		T(direct_ranges_and_claimed_groups),
		T(invariant_13_direct_ranges_of_a_failed_call),
		T(a_device_in_reset_is_blocked_and_refuses),
		T(invariant_13_a_reset_that_fails),
		T(invariant_05_allocated_pasids_are_one_space),
		T(invariant_05_all_pasids),
		T(pasid_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
