/* SPDX-License-Identifier: MIT */
/* What happens when several threads are at it; meant for ThreadSanitizer too. */
#include <pthread.h>
#include <stdatomic.h>

#include "host/posix/internal.h"
#include "rig.h"

/* ---- reclamation ---- */

struct node {
	struct uiommu_retire retire;
	uint64_t a, b;			/* equal for as long as it lives */
	struct world *w;
};

struct world {
	struct rig *r;
	struct node *_Atomic now;
	atomic_bool stop;
	atomic_int retired, freed;
};

static void node_free(struct uiommu_retire *self)
{
	struct node *n = (struct node *)self;

	n->a = 1;
	n->b = 2;
	atomic_fetch_add(&n->w->freed, 1);
	free(n);
}

static struct node *node_new(struct world *w, uint64_t v)
{
	struct node *n = calloc(1, sizeof(*n));

	*n = (struct node){ { NULL, node_free }, v, v, w };
	return n;
}

static void *reader(void *arg)
{
	struct world *w = arg;
	const struct uiommu_host *h = w->r->h;
	long bad = 0;

	while (!atomic_load(&w->stop)) {
		unsigned t = h->read_enter(h->ctx), t2;
		struct node *n = atomic_load(&w->now);

		bad += n->a != n->b;
		t2 = h->read_enter(h->ctx);	/* readers nest */
		bad += n->a != n->b;
		h->read_leave(h->ctx, t2);
		bad += n->a != n->b;
		h->read_leave(h->ctx, t);
	}
	return (void *)bad;
}

static void *writer(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 3000; i++) {
		struct node *old = atomic_exchange(&w->now, node_new(w, i));

		atomic_fetch_add(&w->retired, 1);
		w->r->h->retire(w->r->h->ctx, &old->retire);
	}
	return NULL;
}

static void nobody_reads_what_is_freed(void **state)
{
	struct world w = { .r = *state };
	pthread_t rd[3], wr[2];
	void *bad;

	w.now = node_new(&w, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&rd[i], NULL, reader, &w);
	for (int i = 0; i < 2; i++)
		pthread_create(&wr[i], NULL, writer, &w);
	for (int i = 0; i < 2; i++)
		pthread_join(wr[i], NULL);
	atomic_store(&w.stop, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(rd[i], &bad);
		assert_null(bad);
	}
	/* the last reader out took everything along */
	assert_int_equal(w.freed, w.retired);
	free(w.now);
}

static void retire_waits_for_those_inside(void **state)
{
	struct world w = { .r = *state };
	const struct uiommu_host *h = w.r->h;
	unsigned t = h->read_enter(h->ctx);

	for (int i = 0; i < 3; i++)
		h->retire(h->ctx, &node_new(&w, 0)->retire);	/* does not block */
	assert_int_equal(w.freed, 0);
	h->read_leave(h->ctx, t);
	assert_int_equal(w.freed, 3);
	h->retire(h->ctx, &node_new(&w, 0)->retire);
	assert_int_equal(w.freed, 4);
}

/* A reader may have looked at the epoch before it changed, and count itself in
 * only now: such a one is waited for as well. */
static void late_readers_count(void **state)
{
	struct world w = { .r = *state };
	struct reclaim *rc = &w.r->p->reclaim;
	unsigned late = !(rc->epoch & 1);

	atomic_fetch_add(&rc->shard[3].in[late], 1);
	w.r->h->retire(w.r->h->ctx, &node_new(&w, 0)->retire);
	assert_int_equal(w.freed, 0);
	w.r->h->read_leave(w.r->h->ctx, 3 << 1 | late);
	assert_int_equal(w.freed, 1);
}

/* ---- accesses against removal ---- */

struct slow {
	atomic_int inside, removed, bad;
};

static int slow_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	struct slow *s = ctx;

	atomic_fetch_add(&s->inside, 1);
	usleep(50);
	if (atomic_load(&s->removed))
		atomic_fetch_add(&s->bad, 1);
	atomic_fetch_sub(&s->inside, 1);
	memset(buf, 0, bytes);
	return 0;
}

static const struct uiommu_posix_frames_ops slow_ops = { slow_read, NULL };

struct dma {
	struct rig *r;
	uiommu_pa_t _Atomic pa;
	atomic_bool stop;
	atomic_int ok;
};

static void *device(void *arg)
{
	struct dma *d = arg;
	char c;

	while (!atomic_load(&d->stop))
		if (!uiommu_posix_pa_read(d->r->p, d->pa, &c, 1))
			atomic_fetch_add(&d->ok, 1);
	return NULL;
}

static void removal_waits_for_accesses(void **state)
{
	struct dma d = { .r = *state };
	struct slow s[50] = { 0 };
	pthread_t t[3];
	uiommu_pa_t pa;

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, device, &d);
	for (int i = 0; i < 50; i++) {
		int ok = d.ok;

		assert_int_equal(uiommu_posix_add_frames(d.r->p, 4096, 0, 4096, &slow_ops, &s[i],
							 &pa), 0);
		d.pa = pa;
		while (d.ok < ok + 3)
			usleep(10);
		uiommu_posix_remove_frames(d.r->p, pa);
		assert_int_equal(s[i].inside, 0);
		atomic_store(&s[i].removed, 1);
	}
	d.stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 50; i++)
		assert_int_equal(s[i].bad, 0);
}

/* Somebody who has found the range and not yet counted himself in. */
static void *remover(void *arg)
{
	struct dma *d = arg;

	uiommu_posix_remove_frames(d->r->p, d->pa);
	d->stop = true;
	return NULL;
}

static void removal_waits_for_lookups(void **state)
{
	struct dma d = { .r = *state };
	const struct uiommu_host *h = d.r->h;
	struct slow s = { 0 };
	uiommu_pa_t pa;
	pthread_t t;
	unsigned token;

	assert_int_equal(uiommu_posix_add_frames(d.r->p, 4096, 0, 4096, &slow_ops, &s, &pa), 0);
	d.pa = pa;
	token = h->read_enter(h->ctx);
	pthread_create(&t, NULL, remover, &d);
	usleep(20000);
	assert_false(d.stop);
	h->read_leave(h->ctx, token);
	pthread_join(t, NULL);
	assert_true(d.stop);
}

/* A slow access keeps only those waiting who remove what it uses. */
static void *one_access(void *arg)
{
	struct dma *d = arg;
	char c;

	uiommu_posix_pa_read(d->r->p, d->pa, &c, 1);
	return NULL;
}

static atomic_bool gate;

static int gated_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	atomic_store((atomic_bool *)ctx, true);
	while (!atomic_load(&gate))
		usleep(100);
	memset(buf, 0, bytes);
	return 0;
}

static const struct uiommu_posix_frames_ops gated_ops = { gated_read, NULL };

static void others_are_not_held_up(void **state)
{
	struct dma d = { .r = *state };
	struct slow s = { 0 };
	atomic_bool inside = false;
	uiommu_pa_t a, b;
	pthread_t t;

	assert_int_equal(uiommu_posix_add_frames(d.r->p, 4096, 0, 4096, &gated_ops, &inside,
						 &a), 0);
	assert_int_equal(uiommu_posix_add_frames(d.r->p, 4096, 0, 4096, &slow_ops, &s, &b), 0);
	d.pa = a;
	pthread_create(&t, NULL, one_access, &d);
	while (!inside)
		usleep(10);
	uiommu_posix_remove_frames(d.r->p, b);
	gate = true;
	uiommu_posix_remove_frames(d.r->p, a);
	pthread_join(t, NULL);
}

/* ---- table memory ---- */

static void *allocator(void *arg)
{
	struct rig *r = arg;
	uint64_t *v[20] = { 0 };

	for (int i = 0; i < 4000; i++) {
		size_t n = 64ull << i % 9;
		int k = i % 18;		/* 18 and 9: the same size comes back to a slot */

		if (v[k])
			r->h->table_free(r->h->ctx, v[k], n);
		v[k] = r->h->table_alloc(r->h->ctx, n);
		v[k][0] = i;
	}
	for (int k = 0; k < 18; k++)
		r->h->table_free(r->h->ctx, v[k], 64ull << k % 9);
	return NULL;
}

static void tables_from_threads(void **state)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, allocator, *state);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* A walker reads what a driver writes, each through its own accesses. */
static void *walker(void *arg)
{
	struct dma *d = arg;
	uint64_t v, last = 0;
	long bad = 0;

	for (int i = 0; i < 200000; i++) {
		bad += uiommu_posix_pa_read(d->r->p, d->pa, &v, 8) != 0;
		bad += v >> 32 != (uint32_t)v || v < last;	/* both halves, in order */
		last = v;
	}
	atomic_store(&d->stop, true);
	return (void *)bad;
}

static void entries_are_single_copy(void **state)
{
	struct dma d = { .r = *state };
	uint64_t *p = d.r->h->table_alloc(d.r->h->ctx, 64);
	pthread_t t;
	void *bad;

	d.pa = pa_of(d.r, p);
	pthread_create(&t, NULL, walker, &d);
	for (uint64_t i = 0; !atomic_load(&d.stop); i++)
		__atomic_store_n(p, i << 32 | i, __ATOMIC_RELAXED);
	pthread_join(t, &bad);
	assert_null(bad);
	d.r->h->table_free(d.r->h->ctx, p, 64);
}

/* ---- interrupts ---- */

struct line {
	atomic_int calls;
	atomic_bool inside, slow;
};

static void on_irq(void *arg)
{
	struct line *l = arg;

	l->inside = true;
	if (l->slow)
		usleep(2000);
	l->inside = false;
	l->calls++;
}

static void interrupts_arrive(void **state)
{
	struct rig *r = *state;
	struct line l = { 0 };

	uiommu_posix_raise_irq(r->p, 5);	/* nobody asked for it */
	assert_int_equal(r->h->irq_request(r->h->ctx, 5, on_irq, &l), 0);
	assert_int_equal(r->h->irq_request(r->h->ctx, 5, on_irq, &l), -UIOMMU_EBUSY);
	for (int i = 1; i < 50; i++) {
		int before = l.calls;

		uiommu_posix_raise_irq(r->p, 5);
		while (l.calls == before)
			usleep(10);
	}
	r->h->irq_release(r->h->ctx, 5);
	r->h->irq_release(r->h->ctx, 5);
}

static void release_waits_for_the_handler(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 20; i++) {
		struct line l = { .slow = true };

		assert_int_equal(r->h->irq_request(r->h->ctx, i, on_irq, &l), 0);
		uiommu_posix_raise_irq(r->p, i);
		if (i % 2)
			while (!l.inside && !l.calls)
				usleep(10);
		r->h->irq_release(r->h->ctx, i);
		assert_false(l.inside);
		assert_true(i % 2 == 0 || l.calls == 1);
		uiommu_posix_raise_irq(r->p, i);
	}
}

static void polled_interrupts(void **state)
{
	struct rig *r = *state;
	struct line a = { 0 }, b = { 0 };

	uiommu_posix_set_polled(r->p);
	assert_int_equal(r->h->irq_request(r->h->ctx, 1, on_irq, &a), 0);
	assert_int_equal(r->h->irq_request(r->h->ctx, 2, on_irq, &b), 0);
	uiommu_posix_raise_irq(r->p, 1);
	uiommu_posix_raise_irq(r->p, 1);
	assert_int_equal(a.calls, 0);
	uiommu_posix_poll_irqs(r->p);
	assert_int_equal(a.calls, 1);	/* edges before it was called are one */
	assert_int_equal(b.calls, 0);
	uiommu_posix_poll_irqs(r->p);
	assert_int_equal(a.calls, 1);
	r->h->irq_release(r->h->ctx, 1);
	r->h->irq_release(r->h->ctx, 2);
}

/* ---- locks ---- */

static struct uiommu_lock lock;
static long counter;

static void *count(void *arg)
{
	struct rig *r = arg;

	for (int i = 0; i < 20000; i++) {
		r->h->lock(r->h->ctx, &lock);
		counter++;
		r->h->unlock(r->h->ctx, &lock);
	}
	return NULL;
}

static void locks_exclude(void **state)
{
	struct rig *r = *state;
	pthread_t t[3];

	counter = 0;
	assert_int_equal(r->h->lock_init(r->h->ctx, &lock, UIOMMU_LOCK_SPIN), 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, count, r);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(counter, 60000);
	r->h->lock_fini(r->h->ctx, &lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(nobody_reads_what_is_freed),
		RIG_TEST(retire_waits_for_those_inside),
		RIG_TEST(late_readers_count),
		RIG_TEST(removal_waits_for_accesses),
		RIG_TEST(removal_waits_for_lookups),
		RIG_TEST(others_are_not_held_up),
		RIG_TEST(tables_from_threads),
		RIG_TEST(entries_are_single_copy),
		RIG_TEST(interrupts_arrive),
		RIG_TEST(release_waits_for_the_handler),
		RIG_TEST(polled_interrupts),
		RIG_TEST(locks_exclude),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
