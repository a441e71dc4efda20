/* SPDX-License-Identifier: MIT */
/*
 * Any order of calls on groups, some of them with one PASID table, while allocations and
 * hardware fail: what the core says, what hardware has and what unmap reaches is what an
 * array says; a call that fails has changed nothing.
 *
 *   core_random [seed]		one seed; without: eight fixed ones
 */
#include "fake.h"

#include "../rng.h"

#define DEVS	6u
#define DOMS	4u
#define PASIDS	3u
#define STEPS	1500u

enum { NOTHING = -1, IDENTITY = DOMS, BLOCKED, NDOMS };

static const uiommu_pasid_t pasid_of[PASIDS] = { 0, 1, 5 };

/* Three in a group, the last without PASIDs; two on one table; one alone. */
static const struct shape {
	const char *name;
	int group;
	bool shared, on_b;
	unsigned bits;
	int def;
} shapes[DEVS] = {
	{ "a0", 6, false, false, 4, IDENTITY }, { "a1", 6, false, false, 4, BLOCKED },
	{ "a2", 6, false, false, 0, IDENTITY }, { "b0", 7, true, true, 4, IDENTITY },
	{ "b1", 7, true, true, 4, IDENTITY }, { "a3", -1, false, false, 4, BLOCKED },
};

struct model {
	struct world *w;
	uint64_t rng;
	uint32_t seed;
	unsigned step;
	struct uiommu_dev *dev[DEVS];	/* NULL: removed */
	struct uiommu_domain *dom[NDOMS];
	int has[DEVS][PASIDS], def[DEVS];
	bool reset[DEVS];
	unsigned claims[DEVS];
	int owner[3];			/* of groups 6, 7 and the lone one; 0: nobody */
};

static unsigned rnd(struct model *m, unsigned n)
{
	return (unsigned)(rng_next(&m->rng) >> 20) % n;
}

#define CHECK(m, c) do { \
	if (!(c)) \
		fail_msg("seed %u, step %u: %s\nrerun: core_random %u", \
			 (m)->seed, (m)->step, #c, (m)->seed); \
} while (0)

static int *owner_of(struct model *m, unsigned d)
{
	return &m->owner[shapes[d].group < 0 ? 2 : shapes[d].group - 6];
}

static bool same_group(const struct model *m, unsigned a, unsigned b)
{
	return a == b || (shapes[a].group >= 0 && shapes[a].group == shapes[b].group);
}

static struct fake *iommu_of(struct model *m, unsigned d)
{
	return shapes[d].on_b ? &m->w->b : &m->w->a;
}

/* Is @e one of those that a call for @d moves? */
static bool in_set(const struct model *m, unsigned d, unsigned e, unsigned p, bool whole)
{
	if (!m->dev[e] || (d != e && !(same_group(m, d, e) && (whole || shapes[d].shared))))
		return false;
	return !(p && whole && !shapes[e].bits);
}

static int base_of(struct model *m, unsigned d)
{
	return *owner_of(m, d) ? BLOCKED : m->def[d];
}

/* ---- what may come out ---- */

/* An error of a device is one that the call may give; any means that it fails. */
struct errors {
	int e[8];
	unsigned n;
};

static void may_fail(struct errors *errs, int e)
{
	errs->e[errs->n++ & 7] = e;
}

static void check(struct model *m, int err, const struct errors *errs, bool injected)
{
	bool known = !err && !errs->n;

	for (unsigned i = 0; i < errs->n && i < 8; i++)
		known |= err == errs->e[i];
	known |= injected && (err == -UIOMMU_ENOMEM || err == -UIOMMU_ETIMEDOUT);
	CHECK(m, known);
}

static bool inject(struct model *m, struct fake *f)
{
	switch (rnd(m, 6)) {
	case 0:
		m->w->t.fail_at = m->w->t.calls + 1 + rnd(m, 6);
		return true;
	case 1:
		f->fail_commit = f->commits + 1 + rnd(m, 3);
		f->fail_commits = 1;
		return true;
	default:
		return false;
	}
}

static void heal(struct model *m)
{
	m->w->t.fail_at = 0;
	m->w->a.fail_commit = m->w->b.fail_commit = 0;
}

/* A call that fails changes nothing. */
static struct picture before, after;

static bool failed(struct model *m, int err)
{
	heal(m);
	if (!err)
		return false;
	picture_take(&after, m->w->u);
	CHECK(m, !strcmp(before.s, after.s));
	return true;
}

/* ---- the calls ---- */

static int error_of(struct model *m, unsigned d, unsigned p, int dom, bool replace)
{
	int had = m->has[d][p];

	if (p && !shapes[d].bits)
		return -UIOMMU_EINVAL;
	if (p && dom == IDENTITY && !shapes[d].on_b)
		return -UIOMMU_EOPNOTSUPP;
	if (m->reset[d])
		return -UIOMMU_EBUSY;
	if (replace)
		return had == NOTHING ? -UIOMMU_EINVAL : 0;
	return had != NOTHING && had != BLOCKED ? -UIOMMU_EBUSY : 0;
}

static int (*const enter[2][2])(struct uiommu_domain *, struct uiommu_dev *, uiommu_pasid_t) = {
	{ uiommu_attach_device_pasid, uiommu_attach_group_pasid },
	{ uiommu_replace_device_pasid, uiommu_replace_group_pasid },
};

static void do_enter(struct model *m, unsigned d, unsigned p)
{
	bool whole = rnd(m, 3) == 0, replace = rnd(m, 2), injected, any = false;
	int dom = (int)rnd(m, NDOMS), err;
	struct errors errs = { .n = 0 };

	for (unsigned e = 0; e < DEVS; e++) {
		if (!in_set(m, d, e, p, whole))
			continue;
		any = true;
		err = error_of(m, e, p, dom, replace);
		if (err)
			may_fail(&errs, err);
	}
	if (!any)
		may_fail(&errs, -UIOMMU_EINVAL);
	picture_take(&before, m->w->u);
	injected = inject(m, iommu_of(m, d));
	err = enter[replace][whole](m->dom[dom], m->dev[d], pasid_of[p]);
	check(m, err, &errs, injected);
	if (failed(m, err))
		return;
	for (unsigned e = 0; e < DEVS; e++)
		if (in_set(m, d, e, p, whole))
			m->has[e][p] = p && dom == BLOCKED ? NOTHING : dom;
}

static void do_detach(struct model *m, unsigned d, unsigned p)
{
	bool whole = rnd(m, 3) == 0;

	m->w->t.forbid = true;
	(whole ? uiommu_detach_group_pasid : uiommu_detach_device_pasid)(m->dev[d], pasid_of[p]);
	m->w->t.forbid = false;
	for (unsigned e = 0; e < DEVS; e++)
		if (in_set(m, d, e, p, whole))
			m->has[e][p] = NOTHING;
}

static void clear(struct model *m, unsigned d)
{
	for (unsigned p = 0; p < PASIDS; p++)
		m->has[d][p] = NOTHING;
}

static void do_claim(struct model *m, unsigned d)
{
	int me = 1 + (int)rnd(m, 2), *owner = owner_of(m, d), err;
	struct errors errs = { .n = 0 };
	bool injected;

	for (unsigned e = 0; e < DEVS && !*owner; e++)
		for (unsigned p = 0; p < PASIDS; p++)
			if (m->dev[e] && same_group(m, d, e) && m->has[e][p] != NOTHING)
				may_fail(&errs, -UIOMMU_EBUSY);
	if (*owner && *owner != me)
		may_fail(&errs, -UIOMMU_EPERM);
	picture_take(&before, m->w->u);
	injected = inject(m, iommu_of(m, d));
	err = uiommu_device_claim(m->dev[d], &m->owner + me);
	check(m, err, &errs, injected);
	if (failed(m, err))
		return;
	*owner = me;
	m->claims[d]++;
}

static unsigned group_claims(struct model *m, unsigned d)
{
	unsigned n = 0;

	for (unsigned e = 0; e < DEVS; e++)
		if (same_group(m, d, e))
			n += m->claims[e];
	return n;
}

/* With the last claim all of the group go back. */
static void unclaimed(struct model *m, unsigned d)
{
	if (group_claims(m, d))
		return;
	*owner_of(m, d) = 0;
	for (unsigned e = 0; e < DEVS; e++)
		if (same_group(m, d, e))
			clear(m, e);
}

static void do_release(struct model *m, unsigned d)
{
	int me = 1 + (int)rnd(m, 2);

	m->w->t.forbid = true;
	uiommu_device_release(m->dev[d], &m->owner + me);
	m->w->t.forbid = false;
	if (!m->claims[d] || *owner_of(m, d) != me)
		return;
	if (!--m->claims[d] && !shapes[d].shared)
		clear(m, d);
	unclaimed(m, d);
}

static void do_default(struct model *m, unsigned d)
{
	int dom = (int)rnd(m, NDOMS), err;
	struct errors errs = { .n = 0 };
	bool injected;

	if (*owner_of(m, d))
		may_fail(&errs, -UIOMMU_EBUSY);
	for (unsigned e = 0; e < DEVS; e++)
		if (in_set(m, d, e, 0, false) && m->reset[e])
			may_fail(&errs, -UIOMMU_EBUSY);
	picture_take(&before, m->w->u);
	injected = inject(m, iommu_of(m, d));
	err = uiommu_device_set_default(m->dev[d], m->dom[dom]);
	check(m, err, &errs, injected);
	if (failed(m, err))
		return;
	for (unsigned e = 0; e < DEVS; e++)
		if (in_set(m, d, e, 0, false))
			m->def[e] = dom;
}

static void do_reset(struct model *m, unsigned d)
{
	struct errors errs = { .n = 0 };
	bool injected;
	int err;

	if (m->reset[d] && rnd(m, 2)) {
		CHECK(m, !uiommu_device_reset_done(m->dev[d]));
		m->reset[d] = false;
		return;
	}
	if (m->reset[d])
		may_fail(&errs, -UIOMMU_EBUSY);
	picture_take(&before, m->w->u);
	injected = inject(m, iommu_of(m, d));
	err = uiommu_device_reset_prepare(m->dev[d]);
	check(m, err, &errs, injected);
	m->reset[d] |= !failed(m, err);
}

static void add(struct model *m, unsigned d)
{
	const struct shape *s = &shapes[d];
	const uint32_t sid = 0x100 + d;
	const struct uiommu_dev_config cfg = {
		.name = s->name, .iommu = &iommu_of(m, d)->iommu, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = s->bits, .group = s->group,
		.shared = s->shared, .default_type = s->def == BLOCKED ? UIOMMU_DOMAIN_BLOCKED
								       : UIOMMU_DOMAIN_IDENTITY,
	};
	struct errors errs = { .n = 0 };
	bool injected;
	int err;

	for (unsigned e = 0; e < DEVS && s->shared; e++)
		for (unsigned p = 0; p < PASIDS; p++)
			if (m->dev[e] && same_group(m, d, e) && m->has[e][p] != NOTHING)
				may_fail(&errs, -UIOMMU_EBUSY);
	picture_take(&before, m->w->u);
	injected = inject(m, iommu_of(m, d));
	err = uiommu_device_add(m->w->u, &cfg, &m->dev[d]);
	check(m, err, &errs, injected);
	if (failed(m, err))
		return;
	m->def[d] = s->def;
	m->reset[d] = false;
}

static void do_remove(struct model *m, unsigned d)
{
	bool claimed = m->claims[d];

	m->w->t.forbid = true;
	uiommu_device_remove(m->dev[d]);
	m->w->t.forbid = false;
	m->dev[d] = NULL;
	m->claims[d] = 0;
	clear(m, d);
	if (claimed)
		unclaimed(m, d);
}

/* ---- what must be so ---- */

static bool uses(struct model *m, unsigned d, int dom)
{
	bool any = m->def[d] == dom;

	for (unsigned p = 0; p < PASIDS; p++)
		any |= m->has[d][p] == dom;
	return m->dev[d] && any;
}

static bool is_used(struct model *m, int dom, const struct fake *f)
{
	for (unsigned d = 0; d < DEVS; d++)
		if (iommu_of(m, d) == f && uses(m, d, dom))
			return true;
	return false;
}

static int count(void *ctx, const struct uiommu_attach_status *st)
{
	++*(unsigned *)ctx;
	return 0;
}

static void look_at(struct model *m, unsigned d, unsigned *links)
{
	struct uiommu_domain *rid = world_has(m->dev[d], 0);
	int now = m->has[d][0] == NOTHING ? base_of(m, d) : m->has[d][0];

	CHECK(m, rid == m->dom[now]);
	links[now]++;
	for (unsigned p = 1; p < PASIDS; p++) {
		now = m->has[d][p];
		CHECK(m, world_has(m->dev[d], pasid_of[p]) ==
			 (now == NOTHING ? NULL : m->dom[now]));
		if (now != NOTHING)
			links[now]++;
	}
	CHECK(m, fake_find(m->dev[d])->blocked == m->reset[d]);
}

static void look(struct model *m)
{
	unsigned links[NDOMS] = { 0 }, tags[2] = { 0 };

	for (unsigned d = 0; d < DEVS; d++)
		if (m->dev[d])
			look_at(m, d, links);
	for (unsigned i = 0; i < NDOMS; i++) {
		unsigned n = 0;

		uiommu_domain_for_each_attach(m->dom[i], count, &n);
		CHECK(m, n == links[i]);
		tags[0] += i < DOMS && is_used(m, (int)i, &m->w->a);
		tags[1] += i < DOMS && is_used(m, (int)i, &m->w->b);
	}
	CHECK(m, m->w->a.live_tags == tags[0] && m->w->b.live_tags == tags[1]);
}

/* An unmap tells each IOMMU behind which the domain is, and no other. */
static void do_unmap(struct model *m)
{
	unsigned i = rnd(m, DOMS), a = m->w->a.invalidations, b = m->w->b.invalidations;

	CHECK(m, !uiommu_map(m->dom[i], 0x1000, 0, PAGE, RW, NULL));
	m->w->t.forbid = true;
	CHECK(m, !uiommu_unmap(m->dom[i], 0x1000, PAGE, NULL));
	m->w->t.forbid = false;
	CHECK(m, m->w->a.invalidations - a == is_used(m, (int)i, &m->w->a));
	CHECK(m, m->w->b.invalidations - b == is_used(m, (int)i, &m->w->b));
}

static void one_call(struct model *m, unsigned d, unsigned p)
{
	unsigned what = rnd(m, 40);

	if (!m->dev[d])
		add(m, d);
	else if (what < 16)
		do_enter(m, d, p);
	else if (what < 23)
		do_detach(m, d, p);
	else if (what < 26)
		do_claim(m, d);
	else if (what < 30)
		do_release(m, d);
	else if (what < 33)
		do_default(m, d);
	else if (what < 36)
		do_reset(m, d);
	else if (what < 39)
		do_unmap(m);
	else
		do_remove(m, d);
}

static void run(uint32_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	void *st;

	world_setup(&st);
	m->w = st;
	m->seed = seed;
	m->rng = 0x9e3779b97f4a7c15ull * (seed + 1);
	for (unsigned d = 0; d < DEVS; d++) {
		clear(m, d);
		while (!m->dev[d])
			add(m, d);
	}
	for (unsigned i = 0; i < DOMS; i++)
		m->dom[i] = world_domain(m->dev[0]);
	m->dom[IDENTITY] = uiommu_domain_identity(m->w->u);
	m->dom[BLOCKED] = uiommu_domain_blocked(m->w->u);
	for (m->step = 0; m->step < STEPS; m->step++) {
		one_call(m, rnd(m, DEVS), rnd(m, PASIDS));
		look(m);
	}
	world_teardown(&st);
	free(m);
}

static uint32_t first, many = 8;

static void invariant_13_any_order_of_calls(void **state)
{
	for (uint32_t s = first; s < first + many; s++)
		run(s);
}

int main(int argc, char **argv)
{
	const char *env = getenv("UIOMMU_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_13_any_order_of_calls),
	};

	if (argc > 1 || env) {
		first = (uint32_t)strtoul(argc > 1 ? argv[1] : env, NULL, 0);
		many = 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
