/* SPDX-License-Identifier: MIT */
/*
 * A failed call leaves things as they were; tear-down cannot fail and allocates
 * nothing; where nothing can be restored, BLOCKED.
 */
#include "fake.h"

struct scene {
	struct world *w;
	struct uiommu_dev *dev, *mate, *other, *added;
	struct uiommu_domain *d1, *d2, *made;
	int me;
};

static void build(struct scene *s, struct world *w)
{
	memset(s, 0, sizeof(*s));
	s->w = w;
	assert_int_equal(world_try_add(&w->a, "dev", 1, 5, UIOMMU_DOMAIN_IDENTITY, &s->dev), 0);
	assert_int_equal(world_try_add(&w->a, "mate", 2, 5, UIOMMU_DOMAIN_IDENTITY, &s->mate), 0);
	assert_int_equal(world_try_add(&w->a, "3rd", 4, 5, UIOMMU_DOMAIN_BLOCKED, &s->added), 0);
	s->added = NULL;
	s->other = world_add(&w->b, "other", 3);
	s->d1 = world_domain(s->other);
	s->d2 = world_domain(s->other);
	assert_int_equal(uiommu_attach_device_pasid(s->d1, s->other, 7), 0);
}

/* ---- the calls that may fail ---- */

static int add_device(struct scene *s)
{
	return world_try_add(&s->w->a, "new", 0x77, -1, UIOMMU_DOMAIN_IDENTITY, &s->added);
}

static int alloc_domain(struct scene *s)
{
	return uiommu_domain_alloc_paging(s->dev, 0, &s->made);
}

static int attach_rid(struct scene *s)
{
	return uiommu_attach_device(s->d1, s->dev);
}

static int attach_pasid(struct scene *s)
{
	return uiommu_attach_device_pasid(s->d1, s->dev, 3);
}

static int replace_rid(struct scene *s)
{
	return uiommu_replace_device_pasid(s->d2, s->dev, 0);
}

static int replace_pasid(struct scene *s)
{
	return uiommu_replace_device_pasid(s->d2, s->dev, 3);
}

static int attach_identity(struct scene *s)
{
	return uiommu_attach_device(uiommu_domain_identity(s->w->u), s->dev);
}

static int claim(struct scene *s)
{
	return uiommu_device_claim(s->dev, &s->me);
}

static const struct {
	const char *name;
	int (*before)(struct scene *s), (*call)(struct scene *s);
	unsigned commits;	/* that the call makes when nothing fails */
} calls[] = {
	{ "add_device", NULL, add_device, 1 },
	{ "alloc_domain", NULL, alloc_domain, 0 },
	{ "attach_rid", NULL, attach_rid, 1 },
	{ "attach_pasid", NULL, attach_pasid, 1 },
	{ "attach_pasid with a RID", attach_rid, attach_pasid, 1 },
	{ "replace_rid", attach_rid, replace_rid, 1 },
	{ "replace_pasid", attach_pasid, replace_pasid, 1 },
	{ "attach_identity", NULL, attach_identity, 1 },
	{ "claim of a group of three", NULL, claim, 3 },
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* The n-th allocation of the call fails, for every n until it succeeds. */
static void invariant_13_fail_nth_allocation(void **state)
{
	for (unsigned i = 0; i < NCALLS; i++) {
		unsigned n = 1;
		int err = -1;

		for (; err; n++) {
			void *st;
			struct scene s;
			struct picture before, after;
			long live_tags;

			world_setup(&st);
			build(&s, st);
			if (calls[i].before)
				assert_int_equal(calls[i].before(&s), 0);
			picture_take(&before, s.w->u);
			live_tags = s.w->a.live_tags;
			s.w->t.fail_at = s.w->t.calls + n;
			err = calls[i].call(&s);
			s.w->t.fail_at = 0;
			picture_take(&after, s.w->u);
			if (err) {
				assert_int_equal(err, -UIOMMU_ENOMEM);
				assert_string_equal(before.s, after.s);
				assert_int_equal(s.w->a.live_tags, live_tags);
				/* and it can be done afterwards */
				assert_int_equal(calls[i].call(&s), 0);
			}
			world_teardown(&st);	/* nothing leaked */
			assert_true(n < 20);
		}
		print_message("%s: %u allocations\n", calls[i].name, n - 2);
	}
}

/* Hardware does not take the n-th change, but can be put back. */
static void invariant_13_fail_nth_commit(void **state)
{
	for (unsigned i = 0; i < NCALLS; i++)
		for (unsigned n = 1; n <= calls[i].commits; n++) {
			void *st;
			struct scene s;
			struct picture before, after;

			world_setup(&st);
			build(&s, st);
			if (calls[i].before)
				assert_int_equal(calls[i].before(&s), 0);
			picture_take(&before, s.w->u);
			s.w->a.fail_commit = s.w->a.commits + n;
			s.w->a.fail_commits = 1;
			assert_int_equal(calls[i].call(&s), -UIOMMU_ETIMEDOUT);
			s.w->a.fail_commit = 0;
			picture_take(&after, s.w->u);
			assert_string_equal(before.s, after.s);
			assert_int_equal(calls[i].call(&s), 0);
			world_teardown(&st);
		}
}

/* Hardware is dead: what was moved ends BLOCKED, and tear-down still works. */
static void invariant_13_dead_hardware_ends_blocked(void **state)
{
	for (unsigned i = 0; i < NCALLS; i++) {
		void *st;
		struct scene s;

		if (!calls[i].commits)
			continue;
		world_setup(&st);
		build(&s, st);
		if (calls[i].before)
			assert_int_equal(calls[i].before(&s), 0);
		s.w->a.fail_commit = s.w->a.commits + 1;
		s.w->a.fail_commits = 1000;
		assert_int_equal(calls[i].call(&s), -UIOMMU_ETIMEDOUT);
		if (calls[i].call == attach_pasid || calls[i].call == replace_pasid)
			assert_null(world_has(s.dev, 3));
		else if (calls[i].call == claim)	/* none before the one that failed */
			assert_ptr_equal(world_has(s.mate, 0), uiommu_domain_identity(s.w->u));
		else if (calls[i].call != add_device)
			assert_ptr_equal(world_has(s.dev, 0), uiommu_domain_blocked(s.w->u));
		assert_true(calls[i].call == add_device || thost_logged(&s.w->t, "BLOCKED"));
		world_teardown(&st);
	}
}

/* Also when only the way back to the default domain fails: never open. */
static void invariant_13_detach_to_identity_that_fails_is_blocked(void **state)
{
	struct scene s;

	build(&s, *state);
	assert_int_equal(attach_rid(&s), 0);
	s.w->a.fail_commit = s.w->a.commits + 1;
	s.w->a.fail_commits = 1;
	uiommu_detach_device_pasid(s.dev, 0);
	assert_ptr_equal(world_has(s.dev, 0), uiommu_domain_blocked(s.w->u));
	assert_int_equal(s.w->a.live_tags, 0);
	/* and from there life goes on */
	s.w->a.fail_commit = 0;
	assert_int_equal(attach_rid(&s), 0);
	uiommu_detach_device_pasid(s.dev, 0);
	assert_ptr_equal(world_has(s.dev, 0), uiommu_domain_identity(s.w->u));
}

static void invariant_13_tear_down_allocates_nothing(void **state)
{
	struct scene s;
	uint64_t n;

	build(&s, *state);
	assert_int_equal(claim(&s), 0);
	assert_int_equal(attach_rid(&s), 0);
	assert_int_equal(attach_pasid(&s), 0);
	assert_int_equal(uiommu_attach_device_pasid(s.d2, s.dev, 4), 0);
	assert_int_equal(uiommu_attach_device(s.d2, s.mate), 0);
	assert_int_equal(uiommu_map(s.d1, 0, 0, PAGE, RW, &n), 0);
	s.w->t.forbid = true;
	uiommu_unmap(s.d1, 0, PAGE, &n);
	uiommu_detach_device_pasid(s.dev, 3);
	uiommu_detach_device_pasid(s.dev, 0);
	uiommu_device_release(s.dev, &s.me);
	uiommu_detach_device_pasid(s.other, 7);
	uiommu_device_remove(s.mate);
	uiommu_device_remove(s.other);
	assert_int_equal(uiommu_domain_free(s.d1), 0);
	assert_int_equal(uiommu_domain_free(s.d2), 0);
	uiommu_device_remove(s.dev);
	/* the rest goes in the teardown of this test, still without memory */
}

static void create_without_memory(void **state)
{
	struct thost t;
	struct uiommu *u = NULL;

	for (unsigned n = 1; n <= 2; n++) {
		thost_init(&t, false);
		t.fail_at = n;
		assert_int_equal(uiommu_create(&t.host, NULL, &u), -UIOMMU_ENOMEM);
		assert_null(u);
		thost_fini(&t);
	}
	uiommu_destroy(NULL);
}

/* A host of steps 1 and 2 alone: no locks, no reclamation, no interrupts. */
static void a_host_without_threads(void **state)
{
	struct thost t;
	struct uiommu *u;
	struct fake f;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;

	thost_init(&t, false);
	t.host.lock_init = NULL;
	t.host.lock_fini = NULL;
	t.host.lock = t.host.unlock = NULL;
	t.host.read_enter = NULL;
	t.host.read_leave = NULL;
	t.host.retire = NULL;
	t.host.log = NULL;
	assert_int_equal(uiommu_create(&t.host, NULL, &u), 0);
	fake_init(&f, &t, u, 0);
	dev = world_add(&f, "d", 1);
	dom = world_domain(dev);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_domain_free(dom), 0);
	uiommu_device_remove(dev);
	uiommu_destroy(u);
	thost_fini(&t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_13_fail_nth_allocation),
		cmocka_unit_test(invariant_13_fail_nth_commit),
		cmocka_unit_test(invariant_13_dead_hardware_ends_blocked),
		T(invariant_13_detach_to_identity_that_fails_is_blocked),
		T(invariant_13_tear_down_allocates_nothing),
		cmocka_unit_test(create_without_memory),
		cmocka_unit_test(a_host_without_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
