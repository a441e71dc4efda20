/* SPDX-License-Identifier: MIT */
/*
 * Page requests: gathered into groups, each answered to hardware exactly once, by its
 * handler or by the core, whoever is first; nothing is left when a domain is detached.
 */
#include "fake.h"

#include <unistd.h>

#define ADDR	0x5000u
#define LAST	UIOMMU_PAGE_REQUEST_LAST
#define STALL	UIOMMU_PAGE_REQUEST_STALL
#define TAGGED	UIOMMU_FAULT_HAS_PASID
#define WRITE	UIOMMU_FAULT_WRITE

/* A handler that keeps what it gets. */
struct keeper {
	struct uiommu_iopf_group *got[64];
	unsigned num, cancelled;
	bool at_once;			/* answers SUCCESS and keeps nothing */
	bool deaf;			/* does not listen to cancel() */
};

static void keep(void *ctx, struct uiommu_iopf_group *g)
{
	struct keeper *k = ctx;

	if (k->at_once) {
		k->num++;
		uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		return;
	}
	assert_true(k->num < 64);
	k->got[k->num++] = g;
}

static void take_back(void *ctx, struct uiommu_iopf_group *g)
{
	struct keeper *k = ctx;

	k->cancelled++;
	for (unsigned i = 0; i < k->num && !k->deaf; i++)
		if (k->got[i] == g) {
			k->got[i] = NULL;
			uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		}
}

static const struct uiommu_iopf_handler keeping = { keep, take_back };

struct scene {
	struct world *w;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;
	struct keeper k;
};

static struct uiommu_dev *add(struct world *w, const char *name, uint32_t sid, unsigned max,
			      unsigned rate)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = &w->a.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 4, .group = -1, .can_stall = true,
		.pri = true, .max_faults = max, .fault_rate = rate,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(w->u, &cfg, &dev), 0);
	return dev;
}

static void build(struct scene *s, struct world *w, unsigned max, unsigned rate)
{
	memset(s, 0, sizeof(*s));
	s->w = w;
	w->a.iommu.caps = UIOMMU_IOMMU_STALL | UIOMMU_IOMMU_PRI;
	s->dev = add(w, "dev", 1, max, rate);
	s->dom = world_domain(s->dev);
	assert_int_equal(uiommu_domain_set_iopf(s->dom, &keeping, &s->k), 0);
	assert_int_equal(uiommu_attach_device_pasid(s->dom, s->dev, 3), 0);
}

static bool ask(struct scene *s, uint32_t grpid, uiommu_iova_t addr, unsigned flags)
{
	const struct uiommu_page_request r = {
		.stream_id = 1, .pasid = flags & TAGGED ? 3 : 0, .grpid = grpid, .addr = addr,
		.flags = flags,
	};

	return uiommu_page_request_report(&s->w->a.iommu, &r);
}

static void answered(const struct scene *s, unsigned n, uint32_t grpid,
		     enum uiommu_page_response code)
{
	assert_int_equal(s->w->a.num_answers, n);
	assert_int_equal(s->w->a.answered.grpid, grpid);
	assert_int_equal(s->w->a.code, code);
}

/* ---- groups ---- */

static void a_group_ends_with_its_last_page(void **state)
{
	struct scene s;
	const struct uiommu_page_request *r;

	build(&s, *state, 0, 0);
	ask(&s, 7, ADDR, TAGGED);
	ask(&s, 8, ADDR + 0x8000, TAGGED | WRITE);	/* another one in between */
	ask(&s, 7, ADDR + 0x1000, TAGGED);
	assert_int_equal(s.k.num, 0);
	assert_true(ask(&s, 7, ADDR + 0x2000, TAGGED | LAST));
	assert_int_equal(s.k.num, 1);
	assert_int_equal(s.k.got[0]->num, 3);
	assert_ptr_equal(s.k.got[0]->dev, s.dev);
	r = s.k.got[0]->requests;
	for (unsigned i = 0; i < 3; i++, r = r->next)
		assert_int_equal(r->addr, ADDR + i * 0x1000);
	assert_null(r);
	assert_true(ask(&s, 8, ADDR, TAGGED | LAST));
	assert_int_equal(s.k.got[1]->num, 2);
	/* in another order */
	uiommu_page_response(s.k.got[1], UIOMMU_PAGE_INVALID);
	answered(&s, 1, 8, UIOMMU_PAGE_INVALID);
	uiommu_page_response(s.k.got[0], UIOMMU_PAGE_SUCCESS);
	answered(&s, 2, 7, UIOMMU_PAGE_SUCCESS);
	assert_true(s.w->a.answered.flags & LAST);
	uiommu_page_response((ask(&s, 7, ADDR, TAGGED | LAST), s.k.got[2]), UIOMMU_PAGE_FAILURE);
	answered(&s, 3, 7, UIOMMU_PAGE_FAILURE);
}

static void the_same_index_with_and_without_pasid(void **state)
{
	struct scene s;

	build(&s, *state, 0, 0);
	assert_int_equal(uiommu_attach_device(s.dom, s.dev), 0);
	ask(&s, 7, ADDR, TAGGED);
	ask(&s, 7, ADDR, 0);
	ask(&s, 7, ADDR, STALL | LAST);
	assert_int_equal(s.k.num, 1);
	assert_int_equal(s.k.got[0]->num, 1);
	ask(&s, 7, ADDR, LAST);
	assert_int_equal(s.k.got[1]->num, 2);
	ask(&s, 7, ADDR, TAGGED | LAST);
	assert_int_equal(s.k.got[2]->num, 2);
	for (unsigned i = 0; i < 3; i++)
		uiommu_page_response(s.k.got[i], UIOMMU_PAGE_SUCCESS);
}

static void nobody_wants_it(void **state)
{
	const struct uiommu_page_request stranger = { .stream_id = 99, .grpid = 1, .flags = LAST };
	struct uiommu_iopf_stats st;
	struct scene s;

	build(&s, *state, 0, 0);
	assert_false(ask(&s, 1, ADDR, LAST));		/* the RID is blocked */
	answered(&s, 1, 1, UIOMMU_PAGE_INVALID);
	assert_false(uiommu_page_request_report(&s.w->a.iommu, &stranger));
	answered(&s, 2, 1, UIOMMU_PAGE_INVALID);
	assert_int_equal(uiommu_domain_set_iopf(s.dom, NULL, NULL), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_domain_set_iopf(uiommu_domain_identity(s.w->u), &keeping, NULL),
			 -UIOMMU_EINVAL);
	uiommu_detach_device_pasid(s.dev, 3);
	assert_int_equal(uiommu_domain_set_iopf(s.dom, NULL, NULL), 0);
	assert_int_equal(uiommu_attach_device_pasid(s.dom, s.dev, 3), 0);
	assert_false(ask(&s, 2, ADDR, TAGGED | LAST));
	answered(&s, 3, 2, UIOMMU_PAGE_INVALID);
	uiommu_device_iopf_stats(s.dev, &st);
	assert_int_equal(st.groups, 2);
	assert_int_equal(st.refused, 2);
	assert_true(uiommu_device_can_fault(s.dev));
	assert_false(uiommu_device_can_fault(world_add(&s.w->b, "plain", 5)));
}

/* ---- limits ---- */

static void no_more_than_allowed(void **state)
{
	struct uiommu_iopf_stats st;
	struct scene s;

	build(&s, *state, 4, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_true(ask(&s, i, ADDR + i * 0x1000, TAGGED | LAST));
	assert_false(ask(&s, 9, ADDR, TAGGED | LAST));
	answered(&s, 1, 9, UIOMMU_PAGE_INVALID);
	uiommu_page_response(s.k.got[2], UIOMMU_PAGE_SUCCESS);
	s.k.got[2] = NULL;
	assert_true(ask(&s, 10, ADDR, TAGGED | LAST));
	uiommu_device_iopf_stats(s.dev, &st);
	assert_int_equal(st.outstanding, 4);
	assert_int_equal(st.refused, 1);
	/* groups that never end do not block what does */
	uiommu_detach_device_pasid(s.dev, 3);
	assert_int_equal(uiommu_attach_device_pasid(s.dom, s.dev, 3), 0);
	for (unsigned i = 0; i < 100; i++)
		ask(&s, 100 + i, ADDR, TAGGED);
	assert_true(ask(&s, 11, ADDR, TAGGED | LAST));
	uiommu_detach_device_pasid(s.dev, 3);
}

/* SUCCESS again and again for one page: not for ever. Others are served. */
static void the_same_page_for_ever(void **state)
{
	unsigned served = 0;
	struct scene s;

	build(&s, *state, 0, 0);
	s.k.at_once = true;
	while (served < 1000 && ask(&s, 1, ADDR, TAGGED | LAST | STALL))
		served++;
	assert_int_equal(served, 65);
	assert_int_equal(s.w->a.code, UIOMMU_PAGE_INVALID);
	assert_true(thost_logged(&s.w->t, "asks for pages too often"));
	assert_true(ask(&s, 2, ADDR + 0x1000, TAGGED | LAST));
	/* many accesses that wait for one page are one */
	s.k.at_once = false;
	s.k.num = 0;
	for (unsigned i = 0; i < 60; i++)
		assert_true(ask(&s, 100 + i, ADDR + 0x2000, TAGGED | LAST | STALL));
	for (unsigned i = 0; i < 60; i++)
		uiommu_page_response(s.k.got[i], UIOMMU_PAGE_SUCCESS);
	s.k.at_once = true;
	for (unsigned i = 0; i < 60; i++)
		assert_true(ask(&s, 100 + i, ADDR + 0x2000, TAGGED | LAST | STALL));
	/* a second later it is forgotten */
	s.w->t.tick = 2000000000u;
	s.w->t.now = (uint64_t)1 << 62;
	assert_true(ask(&s, 1, ADDR, TAGGED | LAST | STALL));
	s.w->t.tick = 0;
}

static void too_many_in_a_second(void **state)
{
	struct uiommu_iopf_stats st;
	struct scene s;

	build(&s, *state, 0, 20);
	s.k.at_once = true;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(ask(&s, 1, ADDR + i * 0x1000, TAGGED | LAST), i < 20);
	uiommu_device_iopf_stats(s.dev, &st);
	assert_int_equal(st.throttled, 30);
	assert_int_equal(st.delivered, 20);
}

/* ---- whatever takes the domain away ---- */

static void by_detach(struct scene *s)
{
	uiommu_detach_device_pasid(s->dev, 3);
}

static void by_replace(struct scene *s)
{
	assert_int_equal(uiommu_replace_device_pasid(world_domain(s->dev), s->dev, 3), 0);
}

static void by_reset(struct scene *s)
{
	assert_int_equal(uiommu_device_reset_prepare(s->dev), 0);
	assert_int_equal(uiommu_device_reset_done(s->dev), 0);
}

static void by_removal(struct scene *s)
{
	uiommu_device_remove(s->dev);
	s->dev = NULL;
}

static void by_release(struct scene *s)
{
	uiommu_device_release(s->dev, s);
}

static void (*const takers[])(struct scene *s) = {
	by_detach, by_replace, by_reset, by_removal, by_release,
};

/* Outstanding and still in hardware's queue: all answered, once; a handler that does
 * not let go answers into the void later, also when the device is gone. */
static void invariant_11_nothing_is_left(void **state)
{
	for (unsigned i = 0; i < 2 * sizeof(takers) / sizeof(takers[0]); i++) {
		void *st;
		struct scene s;
		struct fake *f;

		world_setup(&st);
		build(&s, st, 0, 0);
		f = &s.w->a;
		uiommu_detach_device_pasid(s.dev, 3);
		assert_int_equal(uiommu_device_claim(s.dev, &s), 0);
		assert_int_equal(uiommu_attach_device_pasid(s.dom, s.dev, 3), 0);
		s.k.deaf = i & 1;
		ask(&s, 1, ADDR, TAGGED | LAST);
		ask(&s, 2, ADDR, TAGGED | LAST | STALL);
		ask(&s, 3, ADDR, TAGGED);
		ask(&s, 4, ADDR, TAGGED | LAST);
		uiommu_page_response(s.k.got[2], UIOMMU_PAGE_SUCCESS);
		s.k.got[2] = NULL;
		f->asked[f->num_asked++] = (struct uiommu_page_request){
			.stream_id = 1, .pasid = 3, .grpid = 5, .flags = TAGGED | LAST,
		};
		f->num_answers = 0;
		takers[i / 2](&s);
		assert_int_equal(f->num_answers, 3);
		assert_int_equal(f->code, UIOMMU_PAGE_INVALID);
		assert_int_equal(f->num_asked, 0);
		for (unsigned n = 0; n < s.k.num && s.k.deaf; n++)
			if (s.k.got[n])
				uiommu_page_response(s.k.got[n], UIOMMU_PAGE_SUCCESS);
		assert_int_equal(f->num_answers, 3);
		if (s.dev) {
			struct uiommu_iopf_stats stats;

			uiommu_device_iopf_stats(s.dev, &stats);
			assert_int_equal(stats.outstanding, 0);
		}
		world_teardown(&st);
	}
}

/* Another PASID, and another device, are not disturbed. */
static void only_what_is_taken_away(void **state)
{
	struct scene s;

	build(&s, *state, 0, 0);
	assert_int_equal(uiommu_attach_device(s.dom, s.dev), 0);
	ask(&s, 1, ADDR, TAGGED | LAST);
	ask(&s, 2, ADDR, LAST);
	uiommu_detach_device_pasid(s.dev, 3);
	assert_int_equal(s.k.cancelled, 1);
	answered(&s, 1, 1, UIOMMU_PAGE_INVALID);
	uiommu_page_response(s.k.got[1], UIOMMU_PAGE_SUCCESS);
	answered(&s, 2, 2, UIOMMU_PAGE_SUCCESS);
}

/* Hardware that stopped takes no answer; after its reset stalls are forgotten by it,
 * and a PCIe device gets what it was owed. */
static void what_is_owed_after_a_reset(void **state)
{
	struct scene s;

	build(&s, *state, 0, 0);
	ask(&s, 1, ADDR, TAGGED | LAST);
	ask(&s, 2, ADDR, TAGGED | LAST | STALL);
	ask(&s, 3, ADDR, TAGGED | LAST);
	ask(&s, 4, ADDR, TAGGED | LAST | STALL);
	s.w->a.mute = true;
	uiommu_page_response(s.k.got[0], UIOMMU_PAGE_SUCCESS);
	uiommu_page_response(s.k.got[1], UIOMMU_PAGE_SUCCESS);
	s.k.got[0] = s.k.got[1] = NULL;
	assert_int_equal(uiommu_iommu_recover(&s.w->a.iommu), 0);
	assert_int_equal(s.k.cancelled, 2);
	assert_int_equal(s.w->a.num_answers, 2);
	assert_int_equal(s.w->a.code, UIOMMU_PAGE_INVALID);
	assert_false(s.w->a.answered.flags & STALL);
}

static void every_allocation_fails_in_turn(void **state)
{
	struct world *w = *state;
	const uint32_t sid = 1;
	const struct uiommu_dev_config cfg = {
		.name = "dev", .iommu = &w->a.iommu, .stream_ids = &sid, .num_stream_ids = 1,
		.group = -1, .can_stall = true,
	};
	struct uiommu_dev *dev = NULL;
	long live = w->t.live;
	unsigned n = 0;

	w->a.iommu.caps = UIOMMU_IOMMU_STALL;
	do {
		w->t.fail_at = w->t.calls + ++n;
		if (uiommu_device_add(w->u, &cfg, &dev))
			assert_int_equal(w->t.live, live);
	} while (!dev);
	w->t.fail_at = 0;
	assert_true(n > 3);
}

/* ---- everything at once ---- */

#define GROUPS	40000u
#define DEVS	2u

struct storm {
	struct world *w;
	struct uiommu_dev *dev[DEVS];
	struct uiommu_domain *dom[2];
	pthread_mutex_t m;
	struct uiommu_iopf_group *list;
	unsigned reporters, handed, given_back, wrong;
};

static void storm_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct storm *s = ctx;

	if (!(g->requests->grpid % 4))
		sched_yield();
	pthread_mutex_lock(&s->m);
	s->handed++;
	g->handler.prev = NULL;
	g->handler.next = s->list;
	if (s->list)
		s->list->handler.prev = g;
	s->list = g;
	pthread_mutex_unlock(&s->m);
}

static void storm_remove(struct storm *s, struct uiommu_iopf_group *g)
{
	if (g->handler.prev)
		g->handler.prev->handler.next = g->handler.next;
	else
		s->list = g->handler.next;
	if (g->handler.next)
		g->handler.next->handler.prev = g->handler.prev;
}

static struct uiommu_iopf_group *storm_take(struct storm *s, struct uiommu_iopf_group *which)
{
	struct uiommu_iopf_group *g;

	pthread_mutex_lock(&s->m);
	for (g = s->list; g && which && g != which; g = g->handler.next)
		;
	if (g)
		storm_remove(s, g);
	s->given_back += !!g;
	pthread_mutex_unlock(&s->m);
	return g;
}

static void storm_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	g = storm_take(ctx, g);
	if (g)
		uiommu_page_response(g, UIOMMU_PAGE_INVALID);
}

static const struct uiommu_iopf_handler storming = { storm_fault, storm_cancel };

static void *storm_report(void *arg)
{
	struct storm *s = arg;
	static unsigned next;

	for (;;) {
		unsigned n = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % (GROUPS + DEVS);
		struct uiommu_page_request r = {
			.stream_id = 1 + n % DEVS, .pasid = n % 3, .grpid = n, .addr = n * 4096ull,
			.flags = LAST | (n % 3 ? TAGGED : 0) | (n & 8 ? STALL : 0),
		};

		if (n >= GROUPS)
			break;
		uiommu_page_request_report(&s->w->a.iommu, &r);
	}
	__atomic_fetch_sub(&s->reporters, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *storm_answer(void *arg)
{
	struct storm *s = arg;

	for (;;) {
		bool last = !__atomic_load_n(&s->reporters, __ATOMIC_ACQUIRE);
		struct uiommu_iopf_group *g = storm_take(s, NULL);

		if (g)
			uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		else if (last)
			return NULL;
		else
			sched_yield();
	}
}

/* Nothing that came in before is still with the handler. */
static void storm_is_over(struct storm *s, const struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	pthread_mutex_lock(&s->m);
	for (const struct uiommu_iopf_group *g = s->list; g; g = g->handler.next)
		s->wrong += g->dev == dev && g->requests->pasid == pasid;
	pthread_mutex_unlock(&s->m);
}

/* Takes domains away and puts others there, resets, and looks that nothing is open. */
static void *storm_move(void *arg)
{
	struct storm *s = arg;

	for (unsigned i = 0; __atomic_load_n(&s->reporters, __ATOMIC_ACQUIRE); i++) {
		struct uiommu_dev *dev = s->dev[i % DEVS];
		uiommu_pasid_t p = i % 3;

		if (uiommu_replace_device_pasid(s->dom[i / 7 & 1], dev, p))
			s->wrong++;
		uiommu_detach_device_pasid(dev, p);
		storm_is_over(s, dev, p);
		if (uiommu_attach_device_pasid(s->dom[i & 1], dev, p))
			s->wrong++;
		if (!(i % 16) && uiommu_device_reset_prepare(dev))
			s->wrong++;
		uiommu_device_reset_done(dev);
		sched_yield();
	}
	return NULL;
}

/* ---- a handler that takes its time ---- */

struct slow {
	struct scene s;
	int inside, cancelled_inside, detaching;
};

static void slow_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct slow *s = ctx;

	__atomic_store_n(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->detaching, __ATOMIC_SEQ_CST))
		sched_yield();
	usleep(20000);
	s->s.k.got[0] = g;
	s->s.k.num = 1;
	__atomic_store_n(&s->inside, 0, __ATOMIC_SEQ_CST);
}

static void slow_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct slow *s = ctx;

	s->cancelled_inside += __atomic_load_n(&s->inside, __ATOMIC_SEQ_CST);
	take_back(&s->s.k, g);
}

static const struct uiommu_iopf_handler slowly = { slow_fault, slow_cancel };

static void *slow_report(void *arg)
{
	struct slow *s = arg;

	ask(&s->s, 1, ADDR, TAGGED | LAST);
	return NULL;
}

/* It is asked to take back what it has got, not what it is just getting. */
static void a_detach_waits_for_the_handler(void **state)
{
	struct world w = { 0 };
	struct slow s = { .s.w = &w };
	pthread_t th;

	thost_init(&w.t, true);
	assert_int_equal(uiommu_create(&w.t.host, NULL, &w.u), 0);
	fake_init(&w.a, &w.t, w.u, UIOMMU_IOMMU_STALL);
	s.s.dev = add(&w, "dev", 1, 0, 0);
	s.s.dom = world_domain(s.s.dev);
	assert_int_equal(uiommu_domain_set_iopf(s.s.dom, &slowly, &s), 0);
	assert_int_equal(uiommu_attach_device_pasid(s.s.dom, s.s.dev, 3), 0);
	assert_int_equal(pthread_create(&th, NULL, slow_report, &s), 0);
	while (!__atomic_load_n(&s.inside, __ATOMIC_SEQ_CST))
		sched_yield();
	__atomic_store_n(&s.detaching, 1, __ATOMIC_SEQ_CST);
	uiommu_detach_device_pasid(s.s.dev, 3);
	assert_null(s.s.k.got[0]);
	pthread_join(th, NULL);
	assert_int_equal(s.cancelled_inside, 0);
	assert_int_equal(s.s.k.cancelled, 1);
	assert_int_equal(w.a.num_answers, 1);
	uiommu_destroy(w.u);
	thost_fini(&w.t);
}

/* ---- one that comes while another is waited for ---- */

struct late {
	struct scene s;
	pthread_t th[2];
	int began, inside[2], go[2], left, cancelled_inside;
};

static struct late *late;

static void late_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct late *l = ctx;
	unsigned n = g->requests->grpid;

	__atomic_store_n(&l->inside[n], 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&l->go[n], __ATOMIC_SEQ_CST))
		sched_yield();
	l->s.k.got[n] = g;
	__atomic_store_n(&l->inside[n], 0, __ATOMIC_SEQ_CST);
}

static void late_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct late *l = ctx;

	l->s.k.num = 2;
	l->cancelled_inside += __atomic_load_n(&l->inside[g->requests->grpid], __ATOMIC_SEQ_CST);
	take_back(&l->s.k, g);
}

static const struct uiommu_iopf_handler lately = { late_fault, late_cancel };

static void late_report(struct late *l, unsigned n)
{
	const struct uiommu_page_request r = {
		.stream_id = 1, .pasid = 3, .grpid = n, .addr = ADDR, .flags = TAGGED | LAST | STALL,
	};

	uiommu_page_request_report(&l->s.w->a.iommu, &r);
}

static void *first_report(void *arg)
{
	late_report(arg, 0);
	__atomic_store_n(&((struct late *)arg)->left, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *second_report(void *arg)
{
	late_report(arg, 1);
	return NULL;
}

/* The drain waits: for the first, and then for the second, which came meanwhile. */
static void while_it_waits(struct thost *t)
{
	struct late *l = late;

	(void)t;
	if (!__atomic_exchange_n(&l->began, 1, __ATOMIC_SEQ_CST)) {
		assert_int_equal(pthread_create(&l->th[1], NULL, second_report, l), 0);
		while (!__atomic_load_n(&l->inside[1], __ATOMIC_SEQ_CST))
			sched_yield();
		__atomic_store_n(&l->go[0], 1, __ATOMIC_SEQ_CST);
	}
	if (__atomic_load_n(&l->left, __ATOMIC_SEQ_CST))
		__atomic_store_n(&l->go[1], 1, __ATOMIC_SEQ_CST);
}

/* A reset leaves the domain where it is, so requests go on coming. */
static void what_comes_during_a_drain_is_not_taken_back_half_told(void **state)
{
	struct world w = { 0 };
	struct late l = { .s.w = &w };

	late = &l;
	thost_init(&w.t, true);
	assert_int_equal(uiommu_create(&w.t.host, NULL, &w.u), 0);
	fake_init(&w.a, &w.t, w.u, UIOMMU_IOMMU_STALL);
	l.s.dev = add(&w, "dev", 1, 0, 0);
	l.s.dom = world_domain(l.s.dev);
	assert_int_equal(uiommu_domain_set_iopf(l.s.dom, &lately, &l), 0);
	assert_int_equal(uiommu_attach_device_pasid(l.s.dom, l.s.dev, 3), 0);
	assert_int_equal(pthread_create(&l.th[0], NULL, first_report, &l), 0);
	while (!__atomic_load_n(&l.inside[0], __ATOMIC_SEQ_CST))
		sched_yield();
	w.t.on_relax = while_it_waits;
	assert_int_equal(uiommu_device_reset_prepare(l.s.dev), 0);
	w.t.on_relax = NULL;
	__atomic_store_n(&l.go[1], 1, __ATOMIC_SEQ_CST);
	pthread_join(l.th[0], NULL);
	pthread_join(l.th[1], NULL);
	assert_int_equal(l.cancelled_inside, 0);
	assert_null(l.s.k.got[0]);
	if (l.s.k.got[1])
		uiommu_page_response(l.s.k.got[1], UIOMMU_PAGE_SUCCESS);
	assert_int_equal(w.a.num_answers, 2);
	assert_int_equal(uiommu_device_reset_done(l.s.dev), 0);
	uiommu_destroy(w.u);
	thost_fini(&w.t);
}

static void invariant_11_exactly_once_in_any_order(void **state)
{
	static void *(*const jobs[])(void *arg) = {
		storm_report, storm_report, storm_answer, storm_answer, storm_move,
	};
	struct storm s = { .reporters = 2 };
	pthread_t th[5];
	struct world w = { 0 };

	thost_init(&w.t, true);
	assert_int_equal(uiommu_create(&w.t.host, NULL, &w.u), 0);
	fake_init(&w.a, &w.t, w.u, UIOMMU_IOMMU_STALL | UIOMMU_IOMMU_PRI);
	s.w = &w;
	pthread_mutex_init(&s.m, NULL);
	w.a.answers = calloc(GROUPS, 1);
	for (unsigned d = 0; d < DEVS; d++)
		s.dev[d] = add(&w, d ? "1" : "0", 1 + d, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		s.dom[i] = world_domain(s.dev[0]);
		assert_int_equal(uiommu_domain_set_iopf(s.dom[i], &storming, &s), 0);
	}
	for (unsigned i = 0; i < DEVS * 3; i++)
		assert_int_equal(uiommu_attach_device_pasid(s.dom[0], s.dev[i % DEVS], i / DEVS),
				 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&th[i], NULL, jobs[i], &s), 0);
	for (unsigned i = 0; i < 5; i++)
		pthread_join(th[i], NULL);
	for (unsigned n = 0; n < GROUPS; n++)
		assert_int_equal(w.a.answers[n], 1);
	assert_int_equal(s.wrong, 0);
	assert_true(s.handed > 100);
	assert_int_equal(s.handed, s.given_back);
	uiommu_destroy(w.u);
	free(w.a.answers);
	thost_fini(&w.t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_group_ends_with_its_last_page),
		T(the_same_index_with_and_without_pasid),
		T(nobody_wants_it),
		T(no_more_than_allowed),
		T(the_same_page_for_ever),
		T(too_many_in_a_second),
		cmocka_unit_test(invariant_11_nothing_is_left),
		T(only_what_is_taken_away),
		T(what_is_owed_after_a_reset),
		T(every_allocation_fails_in_turn),
		cmocka_unit_test(a_detach_waits_for_the_handler),
		cmocka_unit_test(what_comes_during_a_drain_is_not_taken_back_half_told),
		cmocka_unit_test(invariant_11_exactly_once_in_any_order),
	};

	return cmocka_run_group_tests_name("iopf", tests, NULL, NULL);
}
