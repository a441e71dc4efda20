/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of a hostile world share
 *
 * threads.c   logical threads, who runs next, the clock
 * switch.c    from one stack to another
 * weak.c      store buffers, barriers, loads; hardware's side of memory
 * alloc.c     memory given out and taken back
 * readers.c   locks, readers, what waits for them
 * race.c      accesses that nothing orders
 *
 * One operating system thread, so nothing here is locked.
 */
#ifndef SIM_HOSTILE_INTERNAL_H
#define SIM_HOSTILE_INTERNAL_H

#include <stdarg.h>
#include <stddef.h>

#include <uiommu/host.h>
#include <uiommu/sim/hostile.h>

#define MAX_THREADS	20u
#define DEPTH		12u			/* stores that wait, of one thread */
#define LOADS		8u			/* loads that may be late */
#define HISTORY		16u			/* what hardware wrote last */
#define RETIRED		1024u			/* while a reader stands still */
#define UNIT_LG2	6			/* memory is given out in units; a cache line */
#define FRESH		4u
#define LINES		64u			/* dirty lines that may be written back */
#define ORDERS		16u			/* 64 bytes to 2 MiB */
#define CELLS		4u			/* accesses that 8 bytes remember */

/* A store that waits. It may leave when none in front of it is to the same place or
 * older than @wait. */
struct store {
	uint64_t *p, v;
	uint32_t seq, wait;
};

/* An access to 8 bytes; none: @mask is 0. */
struct cell {
	uint64_t clock : 24,			/* of the thread, then */
		 mask : 8,			/* of the bytes */
		 at : 24,			/* in the executable */
		 who : 5,
		 kind : 3;
};

struct thread {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	void *sp;				/* while it does not run */
	unsigned char *stack;
	void *fake;				/* ASan's */
	bool daemon, done;
	unsigned weight;			/* in this phase */
	void *local;				/* the embedder's */

	struct store stores[DEPTH];
	unsigned num;
	uint32_t seq, floor;			/* of later stores */
	uint64_t filter;			/* a bit for each place in @stores, hashed */
	bool lingers;				/* few of them leave by themselves */

	const uint64_t *loads[LOADS];		/* since the last load barrier */
	bool exposed[LOADS];			/* and then a register was written */
	unsigned next_load;
	uint64_t seen;				/* hardware's writes up to here */

	struct {
		unsigned char *p;
		size_t bytes;
	} fresh[FRESH];				/* cleared, and no store barrier since */
	unsigned num_fresh;

	uint32_t clock[MAX_THREADS];		/* how far each was, as this one knows */

	unsigned readers;
	uint64_t entered;			/* how often it became a reader */
};

struct uiommu_hostile {
	struct uiommu_hostile_config cfg;
	struct uiommu_hostile_stats stats;
	uint64_t rng;
	struct thread threads[MAX_THREADS], *cur;
	unsigned num, alive;			/* @alive: not done, no daemons */
	unsigned fuel, phase, drain;		/* until: a switch, new weights, a store leaves */
	unsigned mean, eager;			/* of fuel; one in so many stores does not wait */
	bool lazy;				/* no store leaves by itself */
	bool newest;				/* the newest that may leave does so first */
	bool fine;				/* ordinary accesses yield too */
	unsigned char garbage;
	void *home;				/* the stack of run() */
	void *home_fake;
	const void *home_bottom;
	size_t home_bytes;
	bool failed;
	char text[512];
	void *local;

	unsigned char *mem, *hw;		/* as CPUs, as hardware sees it */
	unsigned char *freed;			/* by unit */
	unsigned char *dirty;			/* by unit, where not coherent */
	size_t next;				/* never given out yet */
	void *free[ORDERS];			/* chains of pieces */
	struct {
		void *p;
		unsigned order;
	} held[64];				/* quarantine */
	unsigned held_at;
	struct cell *cells;			/* by 8 bytes */
	struct sync *syncs;			/* what orders, by its address */
	unsigned char *met, *synced;		/* by unit: has cells, has such */
	unsigned forget;			/* the cell that goes next */
	uint32_t lines[LINES];
	unsigned num_lines;

	struct {
		const uint64_t *p;
		uint64_t old, time;
	} history[HISTORY];
	uint64_t writes;			/* of hardware */
	uint64_t write_filter;

	struct uiommu_retire *retired[RETIRED];
	struct {
		uint64_t entered[MAX_THREADS];	/* of those who read when it was retired */
	} waits[RETIRED];
	unsigned num_retired;
};

extern _Thread_local struct uiommu_hostile *uiommu_hostile_world;
#define world uiommu_hostile_world

static inline uint64_t hostile_next(struct uiommu_hostile *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng * 0x2545f4914f6cdd1du;
}

static inline unsigned hostile_below(struct uiommu_hostile *w, unsigned n)
{
	return (unsigned)((hostile_next(w) >> 32) * n >> 32);
}

static inline bool hostile_in_memory(const struct uiommu_hostile *w, const void *p)
{
	return (uintptr_t)p - (uintptr_t)w->mem < w->cfg.bytes;
}

static inline size_t hostile_unit(const struct uiommu_hostile *w, const void *p)
{
	return (size_t)((const unsigned char *)p - w->mem) >> UNIT_LG2;
}

/* switch.c */
#define STACK_BYTES	((size_t)128 << 10)
void uiommu_hostile_enter(struct uiommu_hostile *w, struct thread *to);	/* from run() */
void uiommu_hostile_leave(struct uiommu_hostile *w);			/* to run() */
void uiommu_hostile_prepare(struct thread *t);
void uiommu_hostile_started(struct uiommu_hostile *w);	/* first thing on a new stack */

/* threads.c */
void uiommu_hostile_main(void);

/* weak.c */
void uiommu_hostile_drain_all(struct uiommu_hostile *w, struct thread *t);
void uiommu_hostile_background(struct uiommu_hostile *w);
void uiommu_hostile_fresh(struct uiommu_hostile *w, void *p, size_t bytes);
void uiommu_hostile_not_fresh(struct uiommu_hostile *w, const void *p);
void uiommu_hostile_new_line(struct uiommu_hostile *w, const void *p);

/* race.c */
int uiommu_hostile_race_init(struct uiommu_hostile *w);
void uiommu_hostile_race_fini(struct uiommu_hostile *w);
void uiommu_hostile_born(struct uiommu_hostile *w, struct thread *t);
void uiommu_hostile_entry(const void *p, const void *pc);	/* what hardware reads */
void uiommu_hostile_forget(struct uiommu_hostile *w, const void *p, size_t bytes);

/* alloc.c */
int uiommu_hostile_alloc_init(struct uiommu_hostile *w);
void uiommu_hostile_alloc_fini(struct uiommu_hostile *w);

#endif
