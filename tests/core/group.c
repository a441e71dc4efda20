/* SPDX-License-Identifier: MIT */
/* Groups: one call for all devices, sharing, ownership, defaults, PCI topology. */
#include "fake.h"

struct rig {
	struct world *w;
	struct uiommu_dev *d[4];	/* of one group; the last has no PASIDs */
	struct uiommu_domain *d1, *d2;
};

static struct uiommu_dev *add(struct world *w, const char *name, uint32_t sid, unsigned bits,
			      bool shared, int err)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = &w->a.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = bits, .group = 6,
		.default_type = UIOMMU_DOMAIN_IDENTITY, .shared = shared,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), err);
	return dev;
}

static struct rig rig_of(void **state, bool shared)
{
	struct rig r = { .w = *state };

	r.d[0] = add(r.w, "2", 2, 4, shared, 0);
	r.d[1] = add(r.w, "3", 3, 4, shared, 0);
	r.d[2] = add(r.w, "4", 4, 4, shared, 0);
	if (!shared)
		r.d[3] = add(r.w, "5", 5, 0, false, 0);
	r.d1 = world_domain(r.d[0]);
	r.d2 = world_domain(r.d[0]);
	return r;
}

static void all_have(struct rig *r, uiommu_pasid_t pasid, const struct uiommu_domain *dom)
{
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(world_has(r->d[i], pasid), dom);
}

static void invariant_03_a_group_takes_the_same_path(void **state)
{
	struct rig r = rig_of(state, false);
	struct uiommu_domain *id = uiommu_domain_identity(r.w->u);

	assert_int_equal(uiommu_attach_group_pasid(r.d1, r.d[1], 0), 0);
	all_have(&r, 0, r.d1);
	assert_ptr_equal(world_has(r.d[3], 0), r.d1);
	assert_int_equal(uiommu_attach_group_pasid(r.d2, r.d[1], 0), -UIOMMU_EBUSY);
	/* the one without PASIDs is left alone */
	assert_int_equal(uiommu_attach_group_pasid(r.d2, r.d[3], 5), 0);
	all_have(&r, 5, r.d2);
	assert_null(world_has(r.d[3], 5));
	assert_int_equal(uiommu_replace_group_pasid(r.d1, r.d[0], 5), 0);
	all_have(&r, 5, r.d1);
	assert_int_equal(uiommu_replace_group_pasid(r.d2, r.d[0], 0), 0);
	all_have(&r, 0, r.d2);
	/* replace by what some have already */
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.d[1], 5), 0);
	assert_int_equal(uiommu_replace_group_pasid(r.d2, r.d[0], 5), 0);
	all_have(&r, 5, r.d2);
	uiommu_detach_group_pasid(r.d[2], 5);
	all_have(&r, 5, NULL);
	uiommu_detach_group_pasid(r.d[2], 0);
	all_have(&r, 0, id);
	assert_int_equal(uiommu_replace_group_pasid(r.d1, r.d[0], 5), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_group_pasid(r.d1, r.d[0], 16), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_domain_free(r.d1), 0);
	assert_int_equal(uiommu_domain_free(r.d2), 0);
}

/* A PASID for a group in which nobody has any. */
static void no_member_has_pasids(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = add(w, "x", 1, 0, false, 0);

	add(w, "y", 2, 0, false, 0);
	assert_int_equal(uiommu_attach_group_pasid(world_domain(dev), dev, 1), -UIOMMU_EINVAL);
}

/* One is occupied already: the others, which were free, stay free. */
static void invariant_13_one_occupied_member_refuses_for_all(void **state)
{
	struct rig r = rig_of(state, false);
	struct picture before, after;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(uiommu_attach_device_pasid(r.d2, r.d[i], 3), 0);
		picture_take(&before, r.w->u);
		assert_int_equal(uiommu_attach_group_pasid(r.d1, r.d[0], 3), -UIOMMU_EBUSY);
		assert_int_equal(uiommu_replace_group_pasid(r.d1, r.d[0], 3), -UIOMMU_EINVAL);
		picture_take(&after, r.w->u);
		assert_string_equal(before.s, after.s);
		uiommu_detach_device_pasid(r.d[i], 3);
	}
	assert_int_equal(uiommu_domain_free(r.d1), 0);
}

static int call(struct rig *r, unsigned what)
{
	switch (what) {
	case 0: return uiommu_attach_group_pasid(r->d1, r->d[0], 0);
	case 1: return uiommu_attach_group_pasid(r->d1, r->d[0], 3);
	case 2: return uiommu_replace_group_pasid(r->d2, r->d[0], 0);
	case 3: return uiommu_replace_group_pasid(r->d2, r->d[0], 3);
	default: return uiommu_device_set_default(r->d[0], r->d1);
	}
}

static void before_call(struct rig *r, unsigned what)
{
	if (what == 2 || what == 3)
		assert_int_equal(call(r, what - 2), 0);
}

/* Hardware refuses the k-th device; then every allocation, too, fails in turn. */
static void invariant_13_the_kth_device_fails(void **state)
{
	for (unsigned shared = 0; shared < 2; shared++)
		for (unsigned what = 0; what < 5; what++)
			for (unsigned k = 1; k <= 3; k++) {
				struct picture before, after;
				struct rig r;
				void *st;

				if (what == 4 && !shared && k > 1)
					continue;	/* one device */
				world_setup(&st);
				r = rig_of(&st, shared);
				before_call(&r, what);
				picture_take(&before, r.w->u);
				r.w->a.fail_commit = r.w->a.commits + k;
				r.w->a.fail_commits = 1;
				assert_int_equal(call(&r, what), -UIOMMU_ETIMEDOUT);
				r.w->a.fail_commit = 0;
				picture_take(&after, r.w->u);
				assert_string_equal(before.s, after.s);
				assert_int_equal(call(&r, what), 0);
				world_teardown(&st);
			}
}

static void invariant_13_the_nth_allocation_of_a_group_fails(void **state)
{
	for (unsigned what = 0; what < 5; what++) {
		int err = -1;

		for (unsigned n = 1; err; n++) {
			struct picture before, after;
			struct rig r;
			void *st;

			world_setup(&st);
			r = rig_of(&st, true);
			before_call(&r, what);
			picture_take(&before, r.w->u);
			r.w->t.fail_at = r.w->t.calls + n;
			err = call(&r, what);
			r.w->t.fail_at = 0;
			picture_take(&after, r.w->u);
			if (err) {
				assert_int_equal(err, -UIOMMU_ENOMEM);
				assert_string_equal(before.s, after.s);
			}
			world_teardown(&st);
			assert_true(n < 40);
		}
	}
}

static void invariant_13_a_dead_kth_device_ends_blocked(void **state)
{
	struct rig r = rig_of(state, false);

	r.w->a.fail_commit = r.w->a.commits + 2;
	r.w->a.fail_commits = 3;	/* the second, back, blocked */
	assert_int_equal(uiommu_attach_group_pasid(r.d1, r.d[0], 0), -UIOMMU_ETIMEDOUT);
	r.w->a.fail_commit = 0;
	unsigned blocked = 0;

	for (unsigned i = 0; i < 4; i++)
		blocked += world_has(r.d[i], 0) == uiommu_domain_blocked(r.w->u);
	/* the failing one, and the first, whose way back came next, or not */
	assert_true(blocked >= 1);
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_not_equal(world_has(r.d[i], 0), r.d1);
	assert_int_equal(r.w->a.live_tags, 0);
}

/* ---- S3: domain B with devices 2, 3 and 4 on one PASID table ---- */

static void invariant_02_shared_devices_have_all_in_common(void **state)
{
	struct rig r = rig_of(state, true);
	struct uiommu_domain *id = uiommu_domain_identity(r.w->u);
	int me;

	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.d[2], 2), 0);
	all_have(&r, 2, r.d1);
	assert_int_equal(uiommu_attach_device(r.d2, r.d[0]), 0);
	all_have(&r, 0, r.d2);
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.d[0], 2), 0);
	all_have(&r, 2, r.d2);
	/* nobody joins a table that is in use */
	add(r.w, "late", 9, 4, true, -UIOMMU_EBUSY);
	/* one goes, the others keep what they have */
	uiommu_device_remove(r.d[1]);
	r.d[1] = r.d[0];
	all_have(&r, 2, r.d2);
	all_have(&r, 0, r.d2);
	uiommu_detach_device_pasid(r.d[2], 2);
	all_have(&r, 2, NULL);
	uiommu_detach_device_pasid(r.d[2], 0);
	all_have(&r, 0, id);
	/* the claim of one holds the table until nobody claims any */
	assert_int_equal(uiommu_device_claim(r.d[0], &me), 0);
	assert_int_equal(uiommu_device_claim(r.d[2], &me), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.d[2], 2), 0);
	uiommu_device_release(r.d[0], &me);
	all_have(&r, 2, r.d1);
	uiommu_device_release(r.d[2], &me);
	all_have(&r, 2, NULL);
	all_have(&r, 0, id);
}

static void who_may_share(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev;
	uint32_t sid = 2;
	struct uiommu_dev_config cfg = {
		.name = "b", .iommu = &w->b.iommu, .stream_ids = &sid, .num_stream_ids = 1,
		.pasid_bits = 4, .group = 6, .shared = true,
	};

	add(w, "2", 2, 4, true, 0);
	add(w, "n", 3, 4, false, -UIOMMU_EINVAL);	/* all or none */
	add(w, "n", 3, 2, true, -UIOMMU_EINVAL);	/* one table, one size */
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);
	cfg.iommu = &w->a.iommu;
	cfg.group = -1;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);
	/* an alias: the same StreamID, only there */
	cfg.group = 7;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EEXIST);
	cfg.group = 6;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), 0);
}

/* ---- default domains ---- */

static void a_default_of_its_own(void **state)
{
	struct rig r = rig_of(state, false);
	struct uiommu_domain *id = uiommu_domain_identity(r.w->u);
	struct uiommu_dev *dev = r.d[0];
	int me;

	assert_int_equal(uiommu_device_set_default(dev, r.d1), 0);
	assert_ptr_equal(world_has(dev, 0), r.d1);
	assert_ptr_equal(world_has(r.d[1], 0), id);		/* per device */
	assert_int_equal(uiommu_domain_free(r.d1), -UIOMMU_EBUSY);
	/* it is what a free RID has: attach finds the place free, detach comes back */
	assert_int_equal(uiommu_replace_device_pasid(r.d2, dev, 0), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(r.d2, dev), 0);
	assert_int_equal(uiommu_domain_free(r.d1), -UIOMMU_EBUSY);
	r.w->t.forbid = true;
	uiommu_detach_device_pasid(dev, 0);
	assert_ptr_equal(world_has(dev, 0), r.d1);
	assert_int_equal(uiommu_device_claim(dev, &me), 0);
	assert_ptr_equal(world_has(dev, 0), uiommu_domain_blocked(r.w->u));
	assert_int_equal(uiommu_device_set_default(dev, id), -UIOMMU_EBUSY);
	uiommu_device_release(dev, &me);
	r.w->t.forbid = false;
	assert_ptr_equal(world_has(dev, 0), r.d1);
	/* another one while something else is attached: seen later */
	assert_int_equal(uiommu_attach_device(r.d2, dev), 0);
	assert_int_equal(uiommu_device_set_default(dev, id), 0);
	assert_ptr_equal(world_has(dev, 0), r.d2);
	assert_int_equal(uiommu_domain_free(r.d1), 0);
	uiommu_detach_device_pasid(dev, 0);
	assert_ptr_equal(world_has(dev, 0), id);
}

/* The default is in the domain's list while the RID is elsewhere: not in status. */
static int count(void *ctx, const struct uiommu_attach_status *st)
{
	++*(unsigned *)ctx;
	return 0;
}

static void invariant_04_both_ends_agree_about_a_default(void **state)
{
	struct rig r = rig_of(state, false);
	unsigned n = 0;

	assert_int_equal(uiommu_device_set_default(r.d[0], r.d1), 0);
	uiommu_domain_for_each_attach(r.d1, count, &n);
	assert_int_equal(n, 1);
	assert_int_equal(uiommu_attach_device(r.d2, r.d[0]), 0);
	n = 0;
	uiommu_domain_for_each_attach(r.d1, count, &n);
	assert_int_equal(n, 0);
}

/* ---- PCI ---- */

#define MAXFN 12

static void pci(const struct uiommu_pci_fn *fns, unsigned n, const unsigned *want)
{
	unsigned got[MAXFN];

	assert_int_equal(uiommu_pci_groups(fns, n, got), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
}

#define RID(b, d, f) ((b) << 8 | (d) << 3 | (f))
#define FN(id, what, up) .rid = id, .kind = what, .parent = up
#define EP UIOMMU_PCI_ENDPOINT
#define RP UIOMMU_PCI_ROOT_PORT
#define UP UIOMMU_PCI_UPSTREAM
#define DP UIOMMU_PCI_DOWNSTREAM
#define BR UIOMMU_PCI_BRIDGE

/* root port - switch - two endpoints; @acs of the first and the second port */
static void a_switch(bool root, bool p0, bool p1, const unsigned *want)
{
	const struct uiommu_pci_fn fns[] = {
		{ FN(RID(0, 1, 0), RP, -1), .acs = root },
		{ FN(RID(1, 0, 0), UP, 0) },
		{ FN(RID(2, 0, 0), DP, 1), .acs = p0 },
		{ FN(RID(2, 1, 0), DP, 1), .acs = p1 },
		{ FN(RID(3, 0, 0), EP, 2) },
		{ FN(RID(4, 0, 0), EP, 3) },
	};

	pci(fns, 6, want);
}

static void pci_switches(void **state)
{
	a_switch(true, true, true, (unsigned[]){ 0, 1, 2, 3, 4, 5 });
	/* one port without ACS reaches what is below the other */
	a_switch(true, false, true, (unsigned[]){ 0, 1, 1, 1, 1, 1 });
	a_switch(true, false, false, (unsigned[]){ 0, 1, 1, 1, 1, 1 });
	a_switch(false, true, true, (unsigned[]){ 0, 0, 0, 0, 0, 0 });
}

static void pci_functions_and_aliases(void **state)
{
	static const uint16_t ghost[] = { RID(5, 0, 4) }, other[] = { RID(5, 0, 4) };
	const struct uiommu_pci_fn multi[] = {
		{ FN(RID(5, 0, 0), EP, -1), .multi = true },
		{ FN(RID(5, 0, 1), EP, -1), .multi = true },
		{ FN(RID(5, 0, 2), EP, -1), .multi = true, .acs = true },
		{ FN(RID(5, 1, 0), EP, -1) },
		/* quirks: both send with a function number that is nobody's */
		{ FN(RID(6, 0, 0), EP, -1), .aliases = ghost, .num_aliases = 1 },
		{ FN(RID(7, 0, 0), EP, -1), .aliases = other, .num_aliases = 1 },
	};
	const struct uiommu_pci_fn bridge[] = {
		{ FN(RID(0, 2, 0), RP, -1), .acs = true },
		{ FN(RID(8, 0, 0), BR, 0) },
		{ FN(RID(9, 0, 0), EP, 1) },
		{ FN(RID(9, 4, 0), EP, 1) },
		{ FN(RID(0, 3, 0), EP, -1) },
	};
	struct uiommu_pci_fn bad[] = { { FN(1, EP, -1) }, { FN(2, EP, 0) } };
	unsigned out[2] = { 77, 77 };

	pci(multi, 6, (unsigned[]){ 0, 0, 2, 3, 4, 4 });
	pci(bridge, 5, (unsigned[]){ 0, 1, 1, 1, 4 });
	assert_int_equal(uiommu_pci_groups(bad, 2, out), -UIOMMU_EINVAL);
	bad[1].parent = 1;
	assert_int_equal(uiommu_pci_groups(bad, 2, out), -UIOMMU_EINVAL);
	bad[1].parent = -2;
	assert_int_equal(uiommu_pci_groups(bad, 2, out), -UIOMMU_EINVAL);
	assert_int_equal(out[0], 77);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(invariant_03_a_group_takes_the_same_path),
		T(no_member_has_pasids),
		T(invariant_13_one_occupied_member_refuses_for_all),
		cmocka_unit_test(invariant_13_the_kth_device_fails),
		cmocka_unit_test(invariant_13_the_nth_allocation_of_a_group_fails),
		T(invariant_13_a_dead_kth_device_ends_blocked),
		T(invariant_02_shared_devices_have_all_in_common),
		T(who_may_share),
		T(a_default_of_its_own),
		T(invariant_04_both_ends_agree_about_a_default),
		cmocka_unit_test(pci_switches),
		cmocka_unit_test(pci_functions_and_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
