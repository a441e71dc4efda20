/* SPDX-License-Identifier: MIT */
/*
 * race.c - two threads at one place, and nothing that orders them
 *
 * Vector clocks, as FastTrack (Flanagan and Freund, PLDI 2009) and ThreadSanitizer have
 * them. What orders: a lock that is given back and taken, a release and an acquire of
 * one word, a reader that left and what waited for it. Barriers do not, nor does who
 * happened to run first: so a lock that is missing is found by any two calls that overlap,
 * not only by those that meet within an instruction.
 *
 * Each 8 bytes of memory have a few cells for the accesses before. A table in which no
 * cell is free forgets one.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SYNCS	(1u << 14)

#define KIND_WRITE	1u
#define KIND_ATOMIC	2u		/* meets no other atomic one */
#define KIND_ENTRY	4u		/* a store to what hardware reads: only one at a time */

struct sync {
	const void *p;
	uint32_t clock[MAX_THREADS];
	uint64_t seen;				/* of hardware's writes */
};

/* Places are told as addr2line takes them. */
extern const char __executable_start[];

static uint32_t place(const void *pc)
{
	return (uint32_t)((const char *)pc - __executable_start) & 0xffffff;
}

static unsigned who(const struct uiommu_hostile *w, const struct thread *t)
{
	return (unsigned)(t - w->threads);
}

/* ---- what orders ---- */

static struct sync *sync_at(struct uiommu_hostile *w, const void *p, bool make)
{
	uint64_t h = ((uintptr_t)p >> 2) * 0x9e3779b97f4a7c15u >> 50;

	for (unsigned n = 0; n < SYNCS; n++, h = (h + 1) % SYNCS) {
		if (w->syncs[h].p == p)
			return &w->syncs[h];
		if (w->syncs[h].p)
			continue;
		if (!make)
			return NULL;
		w->syncs[h].p = p;
		if (hostile_in_memory(w, p))
			w->synced[hostile_unit(w, p)] = 1;
		return &w->syncs[h];
	}
	uiommu_hostile_fail("more than %u places order threads", SYNCS);
}

static void join(uint32_t *into, const uint32_t *from)
{
	for (unsigned i = 0; i < MAX_THREADS; i++)
		if (into[i] < from[i])
			into[i] = from[i];
}

void uiommu_hostile_acquire(const void *p)
{
	struct uiommu_hostile *w = world;
	const struct sync *s = w && w->cur ? sync_at(w, p, false) : NULL;

	if (!s)
		return;
	join(w->cur->clock, s->clock);
	if (w->cur->seen < s->seen)
		w->cur->seen = s->seen;
}

void uiommu_hostile_release(const void *p)
{
	struct uiommu_hostile *w = world;
	struct sync *s;

	if (!w || !w->cur)
		return;
	s = sync_at(w, p, true);
	join(s->clock, w->cur->clock);
	if (s->seen < w->cur->seen)
		s->seen = w->cur->seen;
	w->cur->clock[who(w, w->cur)]++;
}

void uiommu_hostile_born(struct uiommu_hostile *w, struct thread *t)
{
	if (w->cur) {
		join(t->clock, w->cur->clock);
		w->cur->clock[who(w, w->cur)]++;
	}
	t->clock[who(w, t)]++;
}

void uiommu_hostile_handover(void)
{
	uiommu_hostile_mb();
	if (!world)
		return;
	uiommu_hostile_release(&world->forget);
	uiommu_hostile_acquire(&world->forget);
}

/* ---- accesses ---- */

static bool conflict(unsigned was, unsigned is)
{
	if (!((was | is) & KIND_WRITE))
		return false;
	return !(was & is & KIND_ATOMIC) || (was & is & KIND_ENTRY);
}

static void __attribute__((noreturn)) race(struct uiommu_hostile *w, const struct cell *c,
					   const void *p, unsigned kind, uint32_t at)
{
	uiommu_hostile_fail("%s %s +0x%zx, which %s %s, and nothing orders the two"
			    " (at 0x%x, and 0x%x)", uiommu_hostile_self(),
			    kind & KIND_WRITE ? "writes" : "reads",
			    (size_t)((const unsigned char *)p - w->mem), w->threads[c->who].name,
			    c->kind & KIND_WRITE ? "wrote" : "read", at, c->at);
}

/* The cell says nothing that the new one does not say as well. */
static bool covers(const struct thread *t, const struct cell *is, const struct cell *was)
{
	return was->clock <= t->clock[was->who] && !(was->mask & ~is->mask) &&
	       (is->kind == was->kind || is->kind == KIND_WRITE);
}

static void meet(struct uiommu_hostile *w, const void *p, unsigned mask, unsigned kind,
		 uint32_t at)
{
	struct thread *t = w->cur;
	size_t i = (size_t)((const unsigned char *)p - w->mem) >> 3;
	struct cell *cells = &w->cells[i * CELLS], *into = NULL;
	const struct cell is = { .clock = t->clock[who(w, t)], .mask = mask, .at = at,
				 .who = who(w, t), .kind = kind };

	w->met[i >> (UNIT_LG2 - 3)] = 1;
	for (unsigned k = 0; k < CELLS; k++) {
		struct cell *c = &cells[k];

		if (!c->mask) {
			into = c;
			break;
		}
		if (c->mask & mask && c->who != is.who && conflict(c->kind, kind) &&
		    c->clock > t->clock[c->who])
			race(w, c, p, kind, at);
		if (covers(t, &is, c))
			into = c;
	}
	*(into ? into : &cells[w->forget++ % CELLS]) = is;
}

static void access(const void *p, size_t bytes, unsigned kind, const void *pc)
{
	struct uiommu_hostile *w = world;
	uintptr_t from = (uintptr_t)p, end = from + bytes;

	if (!w || !w->cur || !hostile_in_memory(w, p))
		return;
	for (; from < end; from = (from | 7) + 1) {
		unsigned first = from & 7, n = end - from < 8 - first ? (unsigned)(end - from) :
								       8 - first;

		meet(w, (const void *)(from & ~(uintptr_t)7), ((1u << n) - 1) << first, kind,
		     place(pc));
	}
}

static void touch(const void *p)
{
	const struct uiommu_hostile *w = world;

	if (w && w->cur && hostile_in_memory(w, p) && w->freed[hostile_unit(w, p)])
		uiommu_hostile_fail("%s touches memory that was given back", uiommu_hostile_self());
}

void uiommu_hostile_plain(const void *p, size_t bytes, bool write, const void *pc)
{
	touch(p);
	access(p, bytes, write ? KIND_WRITE : 0, pc);
}

void uiommu_hostile_atomic(const void *p, size_t bytes, bool write, const void *pc)
{
	touch(p);
	access(p, bytes, KIND_ATOMIC | (write ? KIND_WRITE : 0), pc);
}

void uiommu_hostile_entry(const void *p, const void *pc)
{
	access(p, 8, KIND_ATOMIC | KIND_WRITE | KIND_ENTRY, pc);
}

/* ---- memory comes and goes ---- */

/* Who has it next has nothing to do with who had it. */
void uiommu_hostile_forget(struct uiommu_hostile *w, const void *p, size_t bytes)
{
	size_t unit = hostile_unit(w, p), end = unit + (bytes >> UNIT_LG2);

	for (; unit < end; unit++) {
		const unsigned char *at = w->mem + (unit << UNIT_LG2);

		if (w->met[unit])
			memset(&w->cells[(unit << (UNIT_LG2 - 3)) * CELLS], 0,
			       (sizeof(struct cell) * CELLS) << (UNIT_LG2 - 3));
		w->met[unit] = 0;
		for (unsigned k = 0; w->synced[unit] && k < 1u << UNIT_LG2; k++) {
			struct sync *s = sync_at(w, at + k, false);

			if (s)
				*s = (struct sync){ .p = s->p };
		}
	}
}

static size_t bytes_of(const struct uiommu_hostile *w)
{
	return w->cfg.bytes / 8 * CELLS * sizeof(struct cell) + 2 * (w->cfg.bytes >> UNIT_LG2) +
	       SYNCS * sizeof(struct sync);
}

int uiommu_hostile_race_init(struct uiommu_hostile *w)
{
	unsigned char *p = mmap(NULL, bytes_of(w), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -UIOMMU_ENOMEM;
	w->cells = (void *)p;
	p += w->cfg.bytes / 8 * CELLS * sizeof(struct cell);
	w->syncs = (void *)p;
	w->met = p + SYNCS * sizeof(struct sync);
	w->synced = w->met + (w->cfg.bytes >> UNIT_LG2);
	return 0;
}

void uiommu_hostile_race_fini(struct uiommu_hostile *w)
{
	munmap(w->cells, bytes_of(w));
}
