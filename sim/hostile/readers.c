/* SPDX-License-Identifier: MIT */
/*
 * readers.c - locks, readers, and what waits for readers to leave
 *
 * What is retired is freed at the first moment at which it may be, so that who reads
 * on without having entered is found.
 */
#include "internal.h"

void uiommu_hostile_lock(uint64_t *word)
{
	struct uiommu_hostile *w = world;
	uint64_t me = (uint64_t)(w->cur - w->threads) + 1;

	uiommu_hostile_yield();
	for (;;) {
		uint64_t who = uiommu_hostile_load64(word);

		if (!who)
			break;
		if (who == me)
			uiommu_hostile_fail("%s: takes a lock that it holds",
					    uiommu_hostile_self());
		uiommu_hostile_wait();
	}
	/* nobody runs between the look and the store; what it gave back itself is seen */
	*word = me;
	for (unsigned i = 0; i < w->cur->num; i++)
		if (w->cur->stores[i].p == word) {
			uiommu_hostile_drain_all(w, w->cur);
			*word = me;
		}
	w->cur->seen = w->writes;
	uiommu_hostile_acquire(word);
}

void uiommu_hostile_unlock(uint64_t *word)
{
	uint64_t me = (uint64_t)(world->cur - world->threads) + 1;

	if (*word != me)
		uiommu_hostile_fail("%s: gives back a lock that it does not hold",
				    uiommu_hostile_self());
	for (unsigned i = 0; i < LOADS; i++)
		world->cur->loads[i] = NULL;	/* they are done before the lock is free */
	uiommu_hostile_store_release(word, 0);
}

void uiommu_hostile_read_enter(void)
{
	struct thread *t = world->cur;

	uiommu_hostile_yield();
	if (!t->readers++)
		t->entered++;
}

static bool still_read(const struct uiommu_hostile *w, unsigned i)
{
	for (unsigned t = 0; t < w->num; t++)
		if (w->threads[t].readers && w->waits[i].entered[t] == w->threads[t].entered)
			return true;
	return false;
}

static void run_retired(struct uiommu_hostile *w)
{
	for (unsigned i = 0; i < w->num_retired;) {
		struct uiommu_retire *r = w->retired[i];

		if (still_read(w, i)) {
			i++;
			continue;
		}
		w->num_retired--;
		w->retired[i] = w->retired[w->num_retired];
		w->waits[i] = w->waits[w->num_retired];
		uiommu_hostile_acquire(r);
		uiommu_hostile_acquire(&w->num_retired);
		r->fn(r);
		i = 0;
	}
}

void uiommu_hostile_read_leave(void)
{
	struct thread *t = world->cur;

	if (!t->readers)
		uiommu_hostile_fail("%s: leaves what it has not entered", uiommu_hostile_self());
	uiommu_hostile_release(&world->num_retired);
	if (!--t->readers && world->num_retired)
		run_retired(world);
	uiommu_hostile_yield();
}

void uiommu_hostile_retire(struct uiommu_retire *r)
{
	struct uiommu_hostile *w = world;
	unsigned i = w->num_retired;

	if (w->cur) {
		uiommu_hostile_drain_all(w, w->cur);
		if (w->cur->readers)
			uiommu_hostile_fail("%s: retires while it reads", uiommu_hostile_self());
	}
	if (i == sizeof(w->retired) / sizeof(w->retired[0]))
		uiommu_hostile_fail("too much waits for readers");
	uiommu_hostile_release(r);
	w->retired[i] = r;
	for (unsigned t = 0; t < w->num; t++)
		w->waits[i].entered[t] = w->threads[t].readers ? w->threads[t].entered : 0;
	w->num_retired++;
	uiommu_hostile_yield();
	run_retired(w);
}
