/* SPDX-License-Identifier: MIT */
/* What may be attached where, who is told, and the errno of everything else. */
#include "fake.h"

struct rig {
	struct world *w;
	struct uiommu_dev *dev;
	struct uiommu_domain *d1, *d2, *identity, *blocked;
};

static struct rig rig_of(void **state)
{
	struct world *w = *state;
	struct rig r = { .w = w };

	r.dev = world_add(&w->a, "0000:01:00.0", 0x100);
	r.d1 = world_domain(r.dev);
	r.d2 = world_domain(r.dev);
	r.identity = uiommu_domain_identity(w->u);
	r.blocked = uiommu_domain_blocked(w->u);
	return r;
}

static void device_starts_with_its_default_domain(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a = world_add(&w->a, "a", 1), *b;

	assert_ptr_equal(world_has(a, 0), uiommu_domain_identity(w->u));
	assert_int_equal(world_try_add(&w->a, "b", 2, -1, UIOMMU_DOMAIN_BLOCKED, &b), 0);
	assert_ptr_equal(world_has(b, 0), uiommu_domain_blocked(w->u));
	assert_ptr_equal(w->is, uiommu_domain_blocked(w->u));
	assert_null(w->was);
	uiommu_device_remove(b);
	assert_null(w->is);
}

static void duplicates_and_nonsense_are_refused(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = NULL;
	uint32_t sids[] = { 7, 8, 7 };
	struct uiommu_dev_config cfg = {
		.name = "n", .iommu = &w->a.iommu, .stream_ids = sids, .num_stream_ids = 2,
		.group = -1,
	};

	world_add(&w->a, "a", 1);
	assert_int_equal(world_try_add(&w->a, "a", 2, -1, 0, &dev), -UIOMMU_EEXIST);
	assert_int_equal(world_try_add(&w->b, "a", 2, -1, 0, &dev), -UIOMMU_EEXIST);
	assert_int_equal(world_try_add(&w->a, "b", 1, -1, 0, &dev), -UIOMMU_EEXIST);
	/* a StreamID is a number of one IOMMU */
	assert_int_equal(world_try_add(&w->b, "b", 1, -1, 0, &dev), 0);
	assert_int_equal(world_try_add(&w->a, "c", 0x10000, -1, 0, &dev), -UIOMMU_ERANGE);
	assert_int_equal(world_try_add(&w->a, "c", 3, -1, UIOMMU_DOMAIN_PAGING, &dev),
			 -UIOMMU_EINVAL);
	cfg.num_stream_ids = 3;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EEXIST);
	cfg.num_stream_ids = 0;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);
	cfg.num_stream_ids = 2;
	cfg.pasid_bits = 21;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);
	cfg.pasid_bits = 20;
	cfg.name = NULL;
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), -UIOMMU_EINVAL);
	cfg.name = "n";
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), 0);
	assert_int_equal(uiommu_device_pasid_bits(dev), 4);	/* the IOMMU's limit */
	/* gone means gone: everything of it can be used again */
	uiommu_device_remove(dev);
	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), 0);
}

static void rid_attach_detach_replace(void **state)
{
	struct rig r = rig_of(state);

	assert_int_equal(uiommu_replace_device_pasid(r.d1, r.dev, 0), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);
	assert_ptr_equal(world_has(r.dev, 0), r.d1);
	assert_ptr_equal(r.w->was, r.identity);
	assert_ptr_equal(r.w->is, r.d1);
	assert_int_equal(uiommu_attach_device(r.d2, r.dev), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_domain_free(r.d1), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.dev, 0), 0);
	assert_ptr_equal(world_has(r.dev, 0), r.d2);
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.dev, 0), 0);
	assert_int_equal(uiommu_domain_free(r.d1), 0);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_ptr_equal(world_has(r.dev, 0), r.identity);
	uiommu_detach_device_pasid(r.dev, 0);		/* nothing to do */
	assert_int_equal(uiommu_domain_free(r.d2), 0);
}

static void pasid_attach_detach_replace(void **state)
{
	struct rig r = rig_of(state);

	assert_int_equal(uiommu_replace_device_pasid(r.d1, r.dev, 5), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.dev, 5), 0);
	assert_ptr_equal(world_has(r.dev, 5), r.d1);
	assert_null(r.w->was);
	assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, 5), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.dev, 5), 0);
	assert_ptr_equal(world_has(r.dev, 5), r.d2);
	assert_ptr_equal(world_has(r.dev, 0), r.identity);	/* not disturbed */
	uiommu_detach_device_pasid(r.dev, 5);
	assert_null(world_has(r.dev, 5));
	assert_null(r.w->is);
	uiommu_detach_device_pasid(r.dev, 5);
	uiommu_detach_device_pasid(r.dev, 0xfffff);
}

/* Each row: what is there, the call, what it gives. */
static void errno_matrix(void **state)
{
	struct rig r = rig_of(state);
	struct world *w = r.w;
	struct uiommu_dev *vtd = world_add(&w->b, "vtd", 9);
	struct thost t2;
	struct uiommu *u2;
	struct fake f2;
	struct uiommu_domain *foreign;
	struct picture before, after;

	thost_init(&t2, false);
	assert_int_equal(uiommu_create(&t2.host, NULL, &u2), 0);
	fake_init(&f2, &t2, u2, 0);
	foreign = world_domain(world_add(&f2, "x", 1));
	picture_take(&before, w->u);

	const struct {
		struct uiommu_domain *dom;
		struct uiommu_dev *dev;
		uiommu_pasid_t pasid;
		int err;
	} rows[] = {
		{ foreign, r.dev, 0, -UIOMMU_EINVAL },
		{ foreign, r.dev, 3, -UIOMMU_EINVAL },
		{ uiommu_domain_identity(u2), r.dev, 0, -UIOMMU_EINVAL },
		{ r.d1, r.dev, 16, -UIOMMU_EINVAL },		/* 4 bits */
		{ r.d1, r.dev, 0xfffff, -UIOMMU_EINVAL },
		{ r.d1, r.dev, 0x100000, -UIOMMU_EINVAL },
		{ r.d1, r.dev, 0xffffffff, -UIOMMU_EINVAL },
		{ r.identity, r.dev, 3, -UIOMMU_EOPNOTSUPP },
		{ r.blocked, r.dev, 3, 0 },			/* is detach, of nothing */
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(uiommu_attach_device_pasid(rows[i].dom, rows[i].dev,
							    rows[i].pasid), rows[i].err);
	w->a.check_result = -UIOMMU_EBUSY;		/* the driver's own word */
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.dev, 3), -UIOMMU_EBUSY);
	w->a.check_result = 0;
	picture_take(&after, w->u);
	assert_string_equal(before.s, after.s);

	/* hardware that can: bypass for one PASID */
	assert_int_equal(uiommu_attach_device_pasid(r.identity, vtd, 3), 0);
	assert_ptr_equal(world_has(vtd, 3), r.identity);
	assert_int_equal(uiommu_attach_device_pasid(r.blocked, vtd, 3), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(r.blocked, vtd, 3), 0);
	assert_null(world_has(vtd, 3));

	/* flags, static domains */
	assert_int_equal(uiommu_domain_alloc_paging(r.dev, 8, &foreign), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_domain_free(r.identity), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_domain_free(r.blocked), -UIOMMU_EINVAL);
	uiommu_destroy(u2);
	thost_fini(&t2);
}

/* BLOCKED and IDENTITY can be attached to a RID like any other domain. */
static void static_domains_on_a_rid(void **state)
{
	struct rig r = rig_of(state);

	assert_int_equal(uiommu_attach_device(r.blocked, r.dev), 0);
	assert_ptr_equal(world_has(r.dev, 0), r.blocked);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);	/* BLOCKED is no occupant */
	assert_int_equal(uiommu_replace_device_pasid(r.identity, r.dev, 0), 0);
	assert_ptr_equal(world_has(r.dev, 0), r.identity);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_ptr_equal(world_has(r.dev, 0), r.identity);
}

static void claim_ends_blocked_and_release_restores(void **state)
{
	struct rig r = rig_of(state);
	int me, you;

	assert_int_equal(uiommu_device_claim(r.dev, NULL), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_device_claim(r.dev, &me), 0);
	assert_ptr_equal(world_has(r.dev, 0), r.blocked);
	assert_int_equal(uiommu_device_claim(r.dev, &you), -UIOMMU_EPERM);
	uiommu_device_release(r.dev, &you);		/* not his */
	assert_ptr_equal(world_has(r.dev, 0), r.blocked);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, 3), 0);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_ptr_equal(world_has(r.dev, 0), r.blocked);	/* claimed: not the default */
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);
	uiommu_device_release(r.dev, &me);
	assert_ptr_equal(world_has(r.dev, 0), r.identity);
	assert_null(world_has(r.dev, 3));
	assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, 3), 0);
	assert_int_equal(uiommu_device_claim(r.dev, &me), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r.dev, 3);
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);
	assert_int_equal(uiommu_device_claim(r.dev, &me), -UIOMMU_EBUSY);
}

static void a_group_is_owned_as_a_whole(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a, *b, *c, *lone = world_add(&w->a, "lone", 9);
	struct uiommu_domain *blocked = uiommu_domain_blocked(w->u), *dom = world_domain(lone);
	int me, you;

	assert_int_equal(world_try_add(&w->a, "a", 1, 40, UIOMMU_DOMAIN_IDENTITY, &a), 0);
	assert_int_equal(world_try_add(&w->b, "b", 2, 40, UIOMMU_DOMAIN_IDENTITY, &b), 0);
	assert_int_equal(uiommu_device_group(a), 40);
	assert_int_equal(uiommu_device_group(b), 40);
	assert_int_equal(uiommu_device_group(lone), 0);
	/* nobody joins a group that was numbered for one device */
	assert_int_equal(world_try_add(&w->a, "c", 3, 0, UIOMMU_DOMAIN_IDENTITY, &c),
			 -UIOMMU_EBUSY);

	assert_int_equal(uiommu_device_claim(a, &me), 0);
	assert_ptr_equal(world_has(b, 0), blocked);
	assert_int_equal(uiommu_device_claim(b, &you), -UIOMMU_EPERM);
	assert_int_equal(uiommu_device_claim(b, &me), 0);
	/* a newcomer to a claimed group */
	assert_int_equal(world_try_add(&w->a, "c", 3, 40, UIOMMU_DOMAIN_IDENTITY, &c), 0);
	assert_ptr_equal(world_has(c, 0), blocked);
	assert_int_equal(uiommu_attach_device(dom, a), 0);
	uiommu_device_release(a, &me);
	assert_ptr_equal(world_has(a, 0), blocked);	/* b is still claimed */
	uiommu_device_remove(b);			/* with its claim: the group is free */
	assert_int_equal(uiommu_device_claim(a, &you), 0);
	uiommu_device_release(a, &you);
	assert_ptr_equal(world_has(a, 0), uiommu_domain_identity(w->u));
	assert_ptr_equal(world_has(c, 0), uiommu_domain_identity(w->u));
}

/* Removing the last claimed device of a group gives the others back, too. */
static void removal_of_the_claimed_device_frees_the_group(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a, *b;
	int me;

	assert_int_equal(world_try_add(&w->a, "a", 1, 40, UIOMMU_DOMAIN_IDENTITY, &a), 0);
	assert_int_equal(world_try_add(&w->a, "b", 2, 40, UIOMMU_DOMAIN_IDENTITY, &b), 0);
	assert_int_equal(uiommu_device_claim(a, &me), 0);
	uiommu_device_remove(a);
	assert_ptr_equal(world_has(b, 0), uiommu_domain_identity(w->u));
}

static int count(void *ctx, const struct uiommu_attach_status *st)
{
	return ++*(int *)ctx == 1000;
}

static int stop_at_2(void *ctx, const struct uiommu_attach_status *st)
{
	return ++*(int *)ctx == 2 ? 17 : 0;
}

static void invariant_04_attach_status_from_both_ends(void **state)
{
	struct rig r = rig_of(state);
	struct uiommu_dev *rid2 = world_add(&r.w->a, "rid2", 0x200);
	struct picture p;
	char want[200];
	int n = 0;

	uiommu_attach_device(r.d1, r.dev);
	uiommu_attach_device_pasid(r.d2, r.dev, 9);
	uiommu_attach_device_pasid(r.d1, r.dev, 3);
	uiommu_attach_device(r.d2, rid2);
	memset(&p, 0, sizeof(p));
	assert_int_equal(uiommu_device_for_each_attach(r.dev, picture_attach, &p), 0);
	snprintf(want, sizeof(want), " 0000:01:00.0+0->%p/1 0000:01:00.0+3->%p/1 "
		 "0000:01:00.0+9->%p/2", (void *)r.d1, (void *)r.d1, (void *)r.d2);
	assert_string_equal(p.s, want);
	memset(&p, 0, sizeof(p));
	assert_int_equal(uiommu_domain_for_each_attach(r.d2, picture_attach, &p), 0);
	snprintf(want, sizeof(want), " 0000:01:00.0+9->%p/2 rid2+0->%p/2", (void *)r.d2,
		 (void *)r.d2);
	assert_string_equal(p.s, want);
	assert_true(uiommu_device_has(r.dev, 0, r.d1) && uiommu_device_has(r.dev, 9, r.d2));
	assert_false(uiommu_device_has(r.dev, 9, r.d1) || uiommu_device_has(r.dev, 1, r.d1));
	assert_int_equal(uiommu_device_for_each_attach(r.dev, stop_at_2, &n), 17);
	n = 0;
	uiommu_device_for_each_attach(r.dev, count, &n);
	assert_int_equal(n, 3);
}

static void invariant_01_one_domain_behind_two_iommus(void **state)
{
	struct rig r = rig_of(state);
	struct uiommu_dev *other = world_add(&r.w->b, "other", 1);
	uint64_t done;

	r.w->b.next_tag = 20;
	assert_int_equal(uiommu_attach_device(r.d1, r.dev), 0);
	assert_int_equal(uiommu_attach_device(r.d1, other), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.d1, other, 2), 0);
	assert_int_equal(fake_find(r.dev)->hw[0]->tag, 1);
	assert_int_equal(fake_find(other)->hw[0]->tag, 21);
	assert_int_equal(fake_find(other)->hw[2]->tag, 21);	/* one tag per (domain, IOMMU) */
	assert_int_equal(uiommu_map(r.d1, 0, PAGE, PAGE, RW, NULL), 0);
	assert_int_equal(uiommu_unmap(r.d1, 0, PAGE, &done), 0);
	assert_int_equal(r.w->a.invalidations, 1);
	assert_int_equal(r.w->b.invalidations, 1);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_int_equal(r.w->a.live_tags, 0);
	assert_int_equal(r.w->b.live_tags, 1);
	uiommu_detach_device_pasid(other, 0);
	assert_int_equal(r.w->b.live_tags, 1);
	uiommu_detach_device_pasid(other, 2);
	assert_int_equal(r.w->b.live_tags, 0);
}

static void invariant_03_rid_and_pasid_are_one_operation(void **state)
{
	struct rig r = rig_of(state);

	for (uiommu_pasid_t p = 0; p < FAKE_PASIDS; p++) {
		unsigned before = r.w->a.commits;

		assert_int_equal(uiommu_attach_device_pasid(r.d1, r.dev, p), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, p), -UIOMMU_EBUSY);
		assert_int_equal(uiommu_replace_device_pasid(r.d2, r.dev, p), 0);
		assert_ptr_equal(world_has(r.dev, p), r.d2);
		assert_int_equal(r.w->a.commits, before + 2);
	}
	assert_int_equal(r.dev->num_pasids, FAKE_PASIDS - 1);
	assert_int_equal(r.w->a.live_tags, 1);
	for (uiommu_pasid_t p = 0; p < FAKE_PASIDS; p++)
		uiommu_detach_device_pasid(r.dev, p);
	assert_int_equal(r.w->a.live_tags, 0);
}

static void invariant_05_pasids_whatever_the_rid_has(void **state)
{
	struct rig r = rig_of(state);
	struct uiommu_domain *rid[] = { r.identity, r.blocked, r.d1 };

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(uiommu_attach_device(rid[i], r.dev), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, 1), 0);
		assert_ptr_equal(world_has(r.dev, 0), rid[i]);
		assert_ptr_equal(world_has(r.dev, 1), r.d2);
		uiommu_detach_device_pasid(r.dev, 0);
		assert_ptr_equal(world_has(r.dev, 1), r.d2);
		uiommu_detach_device_pasid(r.dev, 1);
	}
}

static void tags_run_out(void **state)
{
	struct rig r = rig_of(state);
	struct picture before, after;

	r.w->a.max_tag = 1;
	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.dev, 1), 0);
	picture_take(&before, r.w->u);
	assert_int_equal(uiommu_attach_device_pasid(r.d2, r.dev, 2), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_replace_device_pasid(r.d2, r.dev, 1), -UIOMMU_ENOSPC);
	picture_take(&after, r.w->u);
	assert_string_equal(before.s, after.s);
	assert_int_equal(uiommu_attach_device_pasid(r.d1, r.dev, 2), 0);
}

/* The observer may look, from both ends, while it is told. */
static struct picture seen_from_observer;

static void look(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		 struct uiommu_domain *old, struct uiommu_domain *now)
{
	memset(&seen_from_observer, 0, sizeof(seen_from_observer));
	uiommu_device_for_each_attach(dev, picture_attach, &seen_from_observer);
	if (old)
		uiommu_domain_for_each_attach(old, picture_attach, &seen_from_observer);
}

static void observer_sees_both_ends_agree(void **state)
{
	const struct uiommu_observer obs = { .attach_changed = look };
	struct thost t;
	struct uiommu *u;
	struct fake f;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;
	char want[100];

	thost_init(&t, false);
	assert_int_equal(uiommu_create(&t.host, &obs, &u), 0);
	fake_init(&f, &t, u, 0);
	dev = world_add(&f, "d", 1);
	dom = world_domain(dev);
	uiommu_attach_device(dom, dev);
	snprintf(want, sizeof(want), " d+0->%p/1", (void *)dom);
	assert_string_equal(seen_from_observer.s, want);	/* nothing left at the old domain */
	uiommu_destroy(u);
	thost_fini(&t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(device_starts_with_its_default_domain),
		T(duplicates_and_nonsense_are_refused),
		T(rid_attach_detach_replace),
		T(pasid_attach_detach_replace),
		T(errno_matrix),
		T(static_domains_on_a_rid),
		T(claim_ends_blocked_and_release_restores),
		T(a_group_is_owned_as_a_whole),
		T(removal_of_the_claimed_device_frees_the_group),
		T(invariant_01_one_domain_behind_two_iommus),
		T(invariant_03_rid_and_pasid_are_one_operation),
		T(invariant_04_attach_status_from_both_ends),
		T(invariant_05_pasids_whatever_the_rid_has),
		T(tags_run_out),
		T(observer_sees_both_ends_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
