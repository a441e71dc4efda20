/* SPDX-License-Identifier: MIT */
/*
 * Address spaces of processes: one PASID while bound, a list of domains, references,
 * and what is refused. (S3, S4)
 */
#include "fake.h"

#include <uiommu/sva.h>

struct scene {
	struct world *w;
	struct uiommu_pt pt;
	struct uiommu_mm *x, *y;
	struct uiommu_dev *dev, *dev2, *other;
	uint32_t pinned;
	unsigned pins, unpins;
};

static struct uiommu_iommu_ops other_kind;

static int pin(void *ctx, uint32_t *asid)
{
	struct scene *s = ctx;

	if (!s->pinned)
		return -UIOMMU_ENOSPC;
	s->pins++;
	host_held(HOST_PIN, 1);
	*asid = s->pinned;
	return 0;
}

static void unpin(void *ctx)
{
	((struct scene *)ctx)->unpins++;
	host_held(HOST_PIN, -1);
}

static struct uiommu_mm *make_mm(struct scene *s, const char *name, bool pins)
{
	const struct uiommu_mm_config cfg = {
		.name = name, .table = &s->pt, .ctx = s, .pin_asid = pins ? pin : NULL,
		.unpin_asid = pins ? unpin : NULL,
	};
	struct uiommu_mm *mm = NULL;

	assert_int_equal(uiommu_mm_create(s->w->u, &cfg, &mm), 0);
	return mm;
}

static void build(struct scene *s, struct world *w)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };

	memset(s, 0, sizeof(*s));
	host_counter(&s->pins, sizeof(s->pins));
	host_counter(&s->unpins, sizeof(s->unpins));
	s->w = w;
	other_kind = fake_ops;
	w->b.iommu.ops = &other_kind;
	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&s->pt, &w->t.host, &cfg), 0);
	s->x = make_mm(s, "mm X", false);
	s->y = make_mm(s, "mm Y", false);
	s->dev = world_add(&w->a, "dev", 1);
	s->dev2 = world_add(&w->a, "dev2", 2);
	s->other = world_add(&w->b, "other", 3);
}

static void done(struct scene *s)
{
	assert_int_equal(uiommu_mm_destroy(s->x), 0);
	assert_int_equal(uiommu_mm_destroy(s->y), 0);
	s->pt.ops->fini(&s->pt);
}

static struct uiommu_sva *bound(struct uiommu_dev *dev, struct uiommu_mm *mm)
{
	struct uiommu_sva *b = NULL;

	assert_int_equal(uiommu_sva_bind_device(dev, mm, &b), 0);
	return b;
}

static int count(void *ctx, struct uiommu_domain *dom)
{
	assert_ptr_equal(dom->pt.top, ((struct uiommu_pt *)ctx)->top);
	return 0;
}

static int one_more(void *ctx, struct uiommu_domain *dom)
{
	++*(unsigned *)ctx;
	return 0;
}

static unsigned num_domains(struct uiommu_mm *mm)
{
	unsigned n = 0;

	uiommu_mm_for_each_domain(mm, one_more, &n);
	return n;
}

static void invariant_10_one_pasid_and_a_list(void **state)
{
	struct scene s;
	struct uiommu_sva *a, *b, *c, *again, *y;
	struct uiommu_domain *dom;
	uiommu_pasid_t next = 0;

	build(&s, *state);
	assert_int_equal(uiommu_mm_pasid(s.x), UIOMMU_NO_PASID);
	a = bound(s.dev, s.x);
	assert_int_equal(uiommu_sva_pasid(a), 1);
	dom = world_has(s.dev, 1);
	assert_int_equal(dom->type, UIOMMU_DOMAIN_SVA);
	assert_string_equal(uiommu_domain_name(dom), "mm X");
	b = bound(s.dev2, s.x);			/* one domain for one kind */
	assert_ptr_equal(world_has(s.dev2, 1), dom);
	assert_int_equal(num_domains(s.x), 1);
	c = bound(s.other, s.x);		/* another kind: another domain, the same PASID */
	assert_int_equal(uiommu_sva_pasid(c), 1);
	assert_int_equal(num_domains(s.x), 2);
	assert_ptr_not_equal(world_has(s.other, 1), dom);
	uiommu_mm_for_each_domain(s.x, count, &s.pt);
	/* a reference, not an attachment */
	again = bound(s.dev, s.x);
	assert_ptr_equal(again, a);
	uiommu_sva_unbind_device(again);
	assert_ptr_equal(world_has(s.dev, 1), dom);
	/* others draw from the same numbers */
	y = bound(s.dev, s.y);
	assert_int_equal(uiommu_sva_pasid(y), 2);
	assert_int_equal(uiommu_pasid_alloc(s.w->u, 4, &next), 0);
	assert_int_equal(next, 3);
	assert_int_equal(uiommu_mm_destroy(s.x), -UIOMMU_EBUSY);
	uiommu_sva_unbind_device(a);
	assert_null(world_has(s.dev, 1));
	uiommu_sva_unbind_device(c);
	assert_int_equal(num_domains(s.x), 1);
	assert_int_equal(uiommu_mm_pasid(s.x), 1);
	assert_int_equal(uiommu_pasid_free(s.w->u, 1), -UIOMMU_EBUSY);
	uiommu_sva_unbind_device(b);
	assert_int_equal(num_domains(s.x), 0);
	assert_int_equal(uiommu_mm_pasid(s.x), UIOMMU_NO_PASID);
	assert_int_equal(uiommu_pasid_free(s.w->u, 1), -UIOMMU_EINVAL);	/* it has been given back */
	uiommu_sva_unbind_device(y);
	assert_int_equal(s.w->a.live_tags + s.w->b.live_tags, 0);
	done(&s);
}

static void what_is_refused(void **state)
{
	struct uiommu_sva *b = (void *)1, *keep[3];
	struct uiommu_domain *dom;
	struct uiommu_dev *narrow;
	const uint32_t sid = 9;
	const struct uiommu_dev_config cfg = {
		.name = "narrow", .iommu = &((struct world *)*state)->a.iommu, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 1, .group = -1,
	};
	struct uiommu_dev_config none = cfg;
	const uint32_t sid2 = 10;
	struct scene s;

	build(&s, *state);
	assert_int_equal(uiommu_device_add(s.w->u, &cfg, &narrow), 0);
	keep[0] = bound(s.dev, s.y);				/* PASID 1 */
	keep[1] = bound(s.dev2, s.x);				/* PASID 2 */
	assert_int_equal(uiommu_sva_bind_device(narrow, s.x, &b), -UIOMMU_EOVERFLOW);
	assert_int_equal(num_domains(s.x), 1);
	assert_null(world_has(narrow, 1));
	keep[2] = bound(narrow, s.y);
	uiommu_sva_unbind_device(keep[2]);
	dom = world_domain(s.dev);
	assert_int_equal(uiommu_attach_device_pasid(dom, s.dev, 2), 0);
	assert_int_equal(uiommu_sva_bind_device(s.dev, s.x, &b), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(s.dev, 2);
	assert_int_equal(uiommu_domain_free(dom), 0);
	none.name = "none";
	none.pasid_bits = 0;
	none.stream_ids = &sid2;
	assert_int_equal(uiommu_device_add(s.w->u, &none, &narrow), 0);
	assert_int_equal(uiommu_sva_bind_device(narrow, s.x, &b), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_sva_bind_rid(narrow, s.x, &b), -UIOMMU_EOPNOTSUPP);
	uiommu_device_remove(narrow);
	/* a domain of an mm is not attached by hand, on a RID still less */
	dom = world_has(s.dev, 1);
	assert_int_equal(uiommu_attach_device_pasid(dom, s.dev2, 5), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(dom, s.dev2), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_domain_free(dom), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_map(dom, 0, 0, 4096, RW, NULL), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_device_set_default(s.dev, dom), -UIOMMU_EINVAL);
	/* the IOMMU cannot walk it */
	s.w->b.check_result = -UIOMMU_EINVAL;
	assert_int_equal(uiommu_sva_bind_device(s.other, s.x, &b), -UIOMMU_EINVAL);
	assert_int_equal(num_domains(s.x), 1);
	s.w->b.check_result = 0;
	assert_ptr_equal(b, (void *)1);
	uiommu_sva_unbind_device(keep[0]);
	uiommu_sva_unbind_device(keep[1]);
	/* one that failed has not kept a number */
	assert_int_equal(uiommu_attach_device_pasid(dom = world_domain(s.dev), s.dev, 1), 0);
	assert_int_equal(uiommu_sva_bind_device(s.dev, s.x, &b), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_mm_pasid(s.x), UIOMMU_NO_PASID);
	uiommu_detach_device_pasid(s.dev, 1);
	keep[0] = bound(s.dev, s.x);
	assert_int_equal(uiommu_sva_pasid(keep[0]), 1);
	uiommu_sva_unbind_device(keep[0]);
	done(&s);
}

static void all_numbers_taken(void **state)
{
	uiommu_pasid_t p;
	struct uiommu_sva *b;
	struct scene s;

	build(&s, *state);
	for (unsigned i = 1; i < 16; i++)
		assert_int_equal(uiommu_pasid_alloc(s.w->u, 4, &p), 0);
	assert_int_equal(uiommu_sva_bind_device(s.dev, s.x, &b), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_pasid_free(s.w->u, 7), 0);
	b = bound(s.dev, s.x);
	assert_int_equal(uiommu_sva_pasid(b), 7);
	uiommu_sva_unbind_device(b);
	done(&s);
}

/* A number that the VM named for one device does not disturb who had it elsewhere. */
static void a_clash_stays_on_its_device(void **state)
{
	struct uiommu_domain *dom;
	struct uiommu_sva *b;
	struct scene s;

	build(&s, *state);
	b = bound(s.dev, s.x);
	dom = world_domain(s.dev);
	assert_int_equal(uiommu_attach_device_pasid(dom, s.dev2, 1), 0);
	uiommu_sva_unbind_device(b);
	b = bound(s.dev, s.y);
	assert_int_equal(uiommu_sva_pasid(b), 1);
	assert_ptr_equal(world_has(s.dev2, 1), dom);
	/* taken away by hand: what is there now is not the mm's to detach */
	uiommu_detach_device_pasid(s.dev, 1);
	assert_int_equal(uiommu_attach_device_pasid(dom, s.dev, 1), 0);
	uiommu_sva_unbind_device(b);
	assert_ptr_equal(world_has(s.dev, 1), dom);
	done(&s);
}

static void the_process_dies_first(void **state)
{
	struct uiommu_sva *a, *b, *c = NULL;
	unsigned commits;
	struct scene s;

	build(&s, *state);
	a = bound(s.dev, s.x);
	b = bound(s.other, s.x);
	commits = s.w->a.commits;
	s.w->a.invalidations = s.w->b.invalidations = 0;
	s.w->t.forbid = true;
	uiommu_mm_die(s.x);
	s.w->t.forbid = false;
	assert_true(world_has(s.dev, 1)->dead);
	assert_int_equal(s.w->a.commits, commits + 1);
	assert_int_equal(s.w->a.invalidations, 1);
	assert_true(s.w->a.last.tables);
	assert_int_equal(s.w->b.invalidations, 1);
	uiommu_mm_die(s.x);
	assert_int_equal(s.w->a.invalidations, 1);
	assert_int_equal(uiommu_sva_bind_device(s.dev2, s.x, &c), -UIOMMU_ENODEV);
	/* nobody gets its PASID yet */
	c = bound(s.dev2, s.y);
	assert_int_equal(uiommu_sva_pasid(c), 2);
	uiommu_sva_unbind_device(a);
	uiommu_sva_unbind_device(b);
	uiommu_sva_unbind_device(c);
	done(&s);
}

static void devices_go_first(void **state)
{
	struct uiommu_sva *a, *b, *c;
	struct scene s;

	build(&s, *state);
	a = bound(s.dev, s.x);
	b = bound(s.dev, s.x);
	c = bound(s.dev2, s.x);
	uiommu_device_remove(s.dev);
	assert_int_equal(uiommu_mm_pasid(s.x), 1);
	s.dev = world_add(&s.w->a, "dev", 1);
	uiommu_sva_unbind_device(a);
	uiommu_sva_unbind_device(b);
	assert_int_equal(num_domains(s.x), 1);
	uiommu_sva_unbind_device(c);
	assert_int_equal(num_domains(s.x), 0);
	done(&s);
}

static void invalidations_reach_every_domain(void **state)
{
	struct uiommu_gather g;
	struct uiommu_sva *a, *b;
	struct scene s;

	build(&s, *state);
	uiommu_gather_init(&g);
	g.start = 0x1000;
	g.last = 0x1fff;
	g.pgsizes = 4096;
	uiommu_mm_invalidate(s.x, &g);
	a = bound(s.dev, s.x);
	b = bound(s.other, s.x);
	s.w->a.invalidations = s.w->b.invalidations = 0;
	uiommu_mm_invalidate(s.x, &g);
	assert_int_equal(s.w->a.invalidations, 1);
	assert_int_equal(s.w->b.invalidations, 1);
	assert_int_equal(s.w->a.last.start, 0x1000);
	uiommu_mm_invalidate(s.y, &g);
	assert_int_equal(s.w->a.invalidations, 1);
	uiommu_sva_unbind_device(a);
	uiommu_sva_unbind_device(b);
	done(&s);
}

static void cpu_asids_are_pinned_while_bound(void **state)
{
	struct uiommu_sva *a = NULL, *b;
	struct uiommu_mm *mm;
	struct scene s;

	build(&s, *state);
	mm = make_mm(&s, "pinned", true);
	assert_int_equal(uiommu_sva_bind_device(s.dev, mm, &a), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_mm_pasid(mm), UIOMMU_NO_PASID);
	s.pinned = 77;
	a = bound(s.dev, mm);
	b = bound(s.other, mm);
	assert_int_equal(world_has(s.dev, 1)->sva.asid, 77);
	assert_int_equal(s.pins, 1);
	uiommu_sva_unbind_device(a);
	assert_int_equal(s.unpins, 0);
	uiommu_sva_unbind_device(b);
	assert_int_equal(s.unpins, 1);
	a = bound(s.dev, mm);
	assert_int_equal(s.pins, 2);
	uiommu_sva_unbind_device(a);
	assert_int_equal(uiommu_mm_destroy(mm), 0);
	done(&s);
}

/* Behind an IOMMU without PASIDs, and only by this name. */
static void on_a_rid(void **state)
{
	struct uiommu_sva *a = NULL, *b = NULL;
	struct uiommu_dev *dev;
	struct scene s;

	build(&s, *state);
	s.w->a.iommu.pasid_bits = 0;
	dev = world_add(&s.w->a, "bare", 7);
	assert_int_equal(uiommu_sva_bind_device(dev, s.x, &a), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_sva_bind_rid(dev, s.x, &a), 0);
	assert_int_equal(uiommu_sva_pasid(a), UIOMMU_NO_PASID);
	assert_int_equal(world_has(dev, 0)->type, UIOMMU_DOMAIN_SVA);
	assert_int_equal(uiommu_sva_bind_rid(dev, s.y, &b), -UIOMMU_EBUSY);
	uiommu_sva_unbind_device(a);
	assert_int_equal(world_has(dev, 0)->type, UIOMMU_DOMAIN_IDENTITY);
	done(&s);
}

static void shared_devices_are_one(void **state)
{
	struct uiommu_dev *d[2] = { NULL, NULL };
	struct uiommu_sva *a, *b;
	struct scene s;

	build(&s, *state);
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t sid = 20 + i;
		const struct uiommu_dev_config cfg = {
			.name = i ? "s1" : "s0", .iommu = &s.w->a.iommu, .stream_ids = &sid,
			.num_stream_ids = 1, .pasid_bits = 4, .group = 7, .shared = true,
		};

		assert_int_equal(uiommu_device_add(s.w->u, &cfg, &d[i]), 0);
	}
	a = bound(d[0], s.x);
	assert_ptr_equal(world_has(d[1], 1), world_has(d[0], 1));
	b = bound(d[1], s.x);
	assert_ptr_equal(a, b);
	uiommu_device_remove(d[0]);
	uiommu_sva_unbind_device(a);
	assert_non_null(world_has(d[1], 1));
	uiommu_sva_unbind_device(b);
	assert_null(world_has(d[1], 1));
	done(&s);
}

static void invariant_13_every_allocation_fails_in_turn(void **state)
{
	struct uiommu_sva *b = NULL;
	struct picture before, after;
	struct scene s;
	unsigned n = 0;

	build(&s, *state);
	picture_take(&before, s.w->u);
	do {
		long live = s.w->t.live, tags = s.w->a.live_tags;

		s.w->t.fail_at = s.w->t.calls + ++n;
		if (uiommu_sva_bind_device(s.dev, s.x, &b)) {
			picture_take(&after, s.w->u);
			assert_string_equal(before.s, after.s);
			assert_int_equal(uiommu_mm_pasid(s.x), UIOMMU_NO_PASID);
			/* a piece of the PASID map may have come to stay */
			assert_true(s.w->t.live - live <= 2);
			assert_int_equal(s.w->a.live_tags, tags);
		}
	} while (!b);
	s.w->t.fail_at = 0;
	assert_true(n > 4);
	s.w->t.forbid = true;
	uiommu_sva_unbind_device(b);
	s.w->t.forbid = false;
	done(&s);
}

/* The instance goes with everything in it, bound or not. */
static void the_instance_goes_first(void **state)
{
	struct scene s;

	build(&s, *state);
	bound(s.dev, s.x);
	bound(s.other, s.x);
	bound(s.dev2, s.y);
	uiommu_destroy(s.w->u);
	s.pt.ops->fini(&s.pt);
	assert_int_equal(uiommu_create(&s.w->t.host, NULL, &s.w->u), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(invariant_10_one_pasid_and_a_list),
		T(what_is_refused),
		T(all_numbers_taken),
		T(a_clash_stays_on_its_device),
		T(the_process_dies_first),
		T(devices_go_first),
		T(invalidations_reach_every_domain),
		T(cpu_asids_are_pinned_while_bound),
		T(on_a_rid),
		T(shared_devices_are_one),
		T(invariant_13_every_allocation_fails_in_turn),
		T(the_instance_goes_first),
	};

	return cmocka_run_group_tests_name("sva", tests, NULL, NULL);
}
