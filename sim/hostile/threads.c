/* SPDX-License-Identifier: MIT */
/*
 * threads.c - logical threads, who runs next, the clock
 *
 * A run is a row of phases. In each, every thread has a weight, some of them almost
 * none: bugs that need one thread to stand still while another does much come up as
 * often as those that need a close race.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Thread_local struct uiommu_hostile *uiommu_hostile_world;

/* At a fixed place: what depends on an address is the same in each run. */
#define STACKS_AT	((void *)0x6a0000000000)

static void new_phase(struct uiommu_hostile *w)
{
	static const unsigned weights[] = { 1, 8, 8, 16, 64 };
	static const unsigned means[] = { 3, 12, 40, 150 };

	w->phase = 20 + hostile_below(w, 400);
	w->mean = means[hostile_below(w, 4)];
	w->eager = 1 + hostile_below(w, 6);
	w->lazy = !hostile_below(w, 3);
	w->newest = !hostile_below(w, 4);
	w->fine = !hostile_below(w, 4);
	for (unsigned i = 0; i < w->num; i++)
		w->threads[i].weight = weights[hostile_below(w, 5)];
}

static struct thread *pick(struct uiommu_hostile *w)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < w->num; i++)
		sum += w->threads[i].done ? 0 : w->threads[i].weight;
	at = hostile_below(w, sum);
	for (unsigned i = 0;; i++) {
		struct thread *t = &w->threads[i];

		if (t->done)
			continue;
		if (at < t->weight)
			return t;
		at -= t->weight;
	}
}

static void reschedule(struct uiommu_hostile *w)
{
	struct thread *to;

	if (++w->stats.switches > w->cfg.limit)
		uiommu_hostile_fail("it hangs: %llu switches, and somebody still waits",
				    (unsigned long long)w->cfg.limit);
	if (!w->phase--)
		new_phase(w);
	uiommu_hostile_background(w);
	w->fuel = 1 + hostile_below(w, 2 * w->mean);
	to = pick(w);
	if (to != w->cur)
		uiommu_hostile_enter(w, to);
}

void uiommu_hostile_yield(void)
{
	struct uiommu_hostile *w = world;

	if (!w || !w->cur || --w->fuel)
		return;
	reschedule(w);
}

bool uiommu_hostile_fine(void)
{
	return world && world->cur && world->fine;
}

void uiommu_hostile_wait(void)
{
	if (world && world->cur)
		reschedule(world);
}

/* The outermost function of each thread; never returns. */
void uiommu_hostile_main(void)
{
	struct uiommu_hostile *w = world;
	struct thread *t = w->cur;

	t->fn(t->arg);
	uiommu_hostile_drain_all(w, t);
	t->done = true;
	if (!t->daemon && !--w->alive)
		uiommu_hostile_leave(w);
	for (;;)
		reschedule(w);
}

int uiommu_hostile_spawn(struct uiommu_hostile *w, const char *name, void (*fn)(void *arg),
			 void *arg, bool daemon)
{
	struct thread *t = &w->threads[w->num];

	if (w->num == MAX_THREADS)
		return -UIOMMU_ENOSPC;
	t->name = name;
	t->fn = fn;
	t->arg = arg;
	t->daemon = daemon;
	t->weight = 8;
	uiommu_hostile_prepare(t);
	uiommu_hostile_born(w, t);
	w->num++;
	w->alive += !daemon;
	return 0;
}

const char *uiommu_hostile_run(struct uiommu_hostile *w)
{
	if (w->alive) {
		new_phase(w);
		w->fuel = w->mean;
		uiommu_hostile_enter(w, pick(w));
	}
	return w->failed ? w->text : NULL;
}

void uiommu_hostile_fail(const char *fmt, ...)
{
	struct uiommu_hostile *w = world;
	va_list ap;

	va_start(ap, fmt);
	if (!w || !w->cur) {
		vfprintf(stderr, fmt, ap);
		fputc('\n', stderr);
		abort();
	}
	if (!w->failed)
		vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	w->failed = true;
	uiommu_hostile_leave(w);
	abort();			/* nobody comes back here */
}

void uiommu_hostile_stats(const struct uiommu_hostile *w, struct uiommu_hostile_stats *out)
{
	*out = w->stats;
}

unsigned uiommu_hostile_random(unsigned n)
{
	return world ? hostile_below(world, n) : 0;
}

uint64_t uiommu_hostile_now(void)
{
	return world ? world->stats.switches * 1000 : 0;
}

const char *uiommu_hostile_self(void)
{
	return world && world->cur ? world->cur->name : "nobody";
}

void **uiommu_hostile_local(void)
{
	return world->cur ? &world->cur->local : &world->local;
}

/* ---- life ---- */

static int make_stacks(struct uiommu_hostile *w)
{
	unsigned char *p = mmap(STACKS_AT, MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
				-1, 0);

	if (p == MAP_FAILED)
		return -UIOMMU_ENOMEM;
	for (unsigned i = 0; i < MAX_THREADS; i++)
		w->threads[i].stack = p + i * STACK_BYTES;
	return 0;
}

int uiommu_hostile_create(const struct uiommu_hostile_config *cfg, struct uiommu_hostile **out)
{
	struct uiommu_hostile *w;
	int err;

	if (world)
		return -UIOMMU_EBUSY;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -UIOMMU_ENOMEM;
	w->cfg = *cfg;
	w->rng = (cfg->seed + 1) * 0x9e3779b97f4a7c15u | 1;
	for (unsigned i = 0; i < 8; i++)
		hostile_next(w);
	w->drain = 1;
	/* as an STE: abort, bypass, stage 1; as a descriptor: block, block, table */
	w->garbage = ((const unsigned char[]){ 0xa5, 0x09, 0x0b })[hostile_below(w, 3)];
	err = make_stacks(w);
	if (!err)
		err = uiommu_hostile_alloc_init(w);
	if (!err)
		err = uiommu_hostile_race_init(w);
	if (err) {
		free(w);
		return err;
	}
	world = w;
	*out = w;
	return 0;
}

void uiommu_hostile_destroy(struct uiommu_hostile *w)
{
	uiommu_hostile_race_fini(w);
	uiommu_hostile_alloc_fini(w);
	munmap(w->threads[0].stack, MAX_THREADS * STACK_BYTES);
	world = NULL;
	free(w);
}
