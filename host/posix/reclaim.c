/* SPDX-License-Identifier: MIT */
/*
 * Readers are counted in two sets, by the parity of an epoch. What is retired
 * waits until the set that was current has drained, twice: a reader may have
 * looked at the epoch before it changed and count itself in afterwards, so one
 * turn proves nothing about the other set.
 *
 * Nobody sleeps here. A reader that leaves while something waits tries to move
 * it on; so whatever waits does so because of a reader who is still inside, and
 * the last one out takes it along.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "host/posix/internal.h"

int uiommu_reclaim_init(struct reclaim *r)
{
	memset(r, 0, sizeof(*r));
	r->next_tail = &r->next;
	return pthread_mutex_init(&r->lock, NULL) ? -UIOMMU_ENOMEM : 0;
}

/* What a reader loads after it counted itself in must not be older than that.
 * (ThreadSanitizer knows no fences; for it the atomics are enough.) */
static void reader_fence(void)
{
#ifndef __SANITIZE_THREAD__
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Threads spread over the shards in the order in which they come. */
static unsigned my_shard(void)
{
	static atomic_uint counter;
	static _Thread_local unsigned mine;

	if (!mine)
		mine = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) %
		       READER_SHARDS + 1;
	return mine - 1;
}

unsigned uiommu_reclaim_enter(struct reclaim *r)
{
	unsigned shard = my_shard();
	unsigned set = atomic_load(&r->epoch) & 1;

	atomic_fetch_add(&r->shard[shard].in[set], 1);
	reader_fence();
	return shard << 1 | set;
}

static bool drained(struct reclaim *r, unsigned set)
{
	reader_fence();
	for (unsigned i = 0; i < READER_SHARDS; i++)
		if (atomic_load(&r->shard[i].in[set]))
			return false;
	return true;
}

static void next_phase(struct reclaim *r)
{
	r->phase++;
	atomic_fetch_add(&r->epoch, 1);
}

/* Moves on as far as possible; returns what may be freed now. */
static struct uiommu_retire *advance_locked(struct reclaim *r)
{
	struct uiommu_retire *done = NULL, **tail = &done;

	for (;;) {
		if (!r->phase) {
			if (!r->next)
				break;
			r->waiting = r->next;
			r->next = NULL;
			r->next_tail = &r->next;
			next_phase(r);
		}
		if (!drained(r, (atomic_load(&r->epoch) - 1) & 1))
			break;
		if (r->phase == 1) {
			next_phase(r);
			continue;
		}
		for (*tail = r->waiting; *tail; tail = &(*tail)->next)
			;
		r->waiting = NULL;
		r->phase = 0;
	}
	atomic_store(&r->pending, r->phase != 0);
	return done;
}

static void run(struct uiommu_retire *item)
{
	while (item) {
		struct uiommu_retire *next = item->next;

		item->fn(item);
		item = next;
	}
}

static void advance(struct reclaim *r)
{
	struct uiommu_retire *done;

	pthread_mutex_lock(&r->lock);
	done = advance_locked(r);
	pthread_mutex_unlock(&r->lock);
	run(done);
}

void uiommu_reclaim_leave(struct reclaim *r, unsigned token)
{
	atomic_fetch_sub(&r->shard[token >> 1].in[token & 1], 1);
	if (atomic_load(&r->pending))
		advance(r);
}

void uiommu_reclaim_retire(struct reclaim *r, struct uiommu_retire *item)
{
	item->next = NULL;
	pthread_mutex_lock(&r->lock);
	*r->next_tail = item;
	r->next_tail = &item->next;
	atomic_store(&r->pending, true);
	pthread_mutex_unlock(&r->lock);
	advance(r);
}

struct waiter {
	struct uiommu_retire retire;
	atomic_bool done;
};

static void waiter_done(struct uiommu_retire *self)
{
	atomic_store(&((struct waiter *)self)->done, true);
}

void uiommu_reclaim_wait(struct reclaim *r)
{
	struct waiter w = { .retire.fn = waiter_done };

	uiommu_reclaim_retire(r, &w.retire);
	for (unsigned n = 0; !atomic_load(&w.done); n++)
		if (n < 100)
			sched_yield();
		else
			usleep(50);
}

void uiommu_reclaim_fini(struct reclaim *r)
{
	uiommu_reclaim_wait(r);
	pthread_mutex_destroy(&r->lock);
}
