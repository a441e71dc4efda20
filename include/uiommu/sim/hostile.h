/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sim/hostile.h - logical threads and a weakly ordered memory, replayable
 *
 * Put your driver and a simulator of its hardware on this, and a seed decides who
 * runs when, down to single accesses, and when a store becomes visible to anybody
 * but the thread that made it. The same seed does the same again.
 *
 * Threads are cooperative: each function below that says "yields" may run others.
 * Stores wait in a small buffer of their thread and leave it in any order that the
 * Arm architecture allows: stores to one place stay in order, a store with release
 * comes after all that the thread did before, and one behind a barrier after those
 * in front of it. Loads see what is in memory, or in the own buffer; of what hardware
 * wrote they may see what was there before, until a load barrier.
 *
 * What two threads do to one place has to be ordered by something that the memory or
 * the language knows: a lock, a release that an acquire has seen. If it is not, the run
 * fails, though nobody was hurt this time.
 *
 * One world at a time in a thread of the operating system: the functions that take no
 * world act on the one that runs, and outside of uiommu_hostile_run() access memory
 * as usual. src/port/hostile/arch.h is a port of the library on these.
 */
#ifndef UIOMMU_SIM_HOSTILE_H
#define UIOMMU_SIM_HOSTILE_H

#include <uiommu/err.h>
#include <uiommu/types.h>

struct uiommu_hostile;

/**
 * struct uiommu_hostile_config - one world
 * @seed:       decides everything
 * @bytes:      of memory, a multiple of 2 MiB
 * @coherent:   hardware sees what left a store buffer; else what was cleaned, or what
 *              a cache happened to write back
 * @quarantine: pieces of memory that were given back and are not given out again yet;
 *              0: the last one is the next. Hardware or a thread that touches one fails
 * @limit:      switches after which it is called a hang
 */
struct uiommu_hostile_config {
	uint64_t seed;
	size_t bytes;
	bool coherent;
	unsigned quarantine;
	uint64_t limit;
};

/**
 * struct uiommu_hostile_stats - what has happened
 * @switches:  from one thread to another
 * @stores:    that waited in a buffer
 * @reordered: of them, that left it before an older one
 * @stale:     loads that saw what was there before hardware wrote
 * @evicted:   lines that a cache wrote back by itself
 */
struct uiommu_hostile_stats {
	uint64_t switches, stores, reordered, stale, evicted;
};

/**
 * uiommu_hostile_create() - make a world
 * @cfg: copied
 * @out: the world; only set on success
 *
 * Context:   any; the world belongs to the calling thread.
 * Ownership: the caller's, until uiommu_hostile_destroy().
 * Return:    0, or
 *   -UIOMMU_ENOMEM  no memory, or not where it has to be   nothing made
 *   -UIOMMU_EBUSY   this thread has one                    nothing made
 */
int uiommu_hostile_create(const struct uiommu_hostile_config *cfg, struct uiommu_hostile **out);

/**
 * uiommu_hostile_destroy() - end it, with its memory and threads
 * @w: from uiommu_hostile_create(); gone afterwards
 *
 * Context: not from one of its threads.
 */
void uiommu_hostile_destroy(struct uiommu_hostile *w);

/**
 * uiommu_hostile_spawn() - one more thread
 * @w:      the world
 * @name:   for messages; kept
 * @fn:     what it does
 * @arg:    handed to it
 * @daemon: uiommu_hostile_run() does not wait for it
 *
 * Context: before uiommu_hostile_run(), or from a thread.
 * Return:  0, or
 *   -UIOMMU_ENOSPC  there are too many
 */
int uiommu_hostile_spawn(struct uiommu_hostile *w, const char *name, void (*fn)(void *arg),
			 void *arg, bool daemon);

/**
 * uiommu_hostile_run() - let them run until all but daemons are done
 * @w: the world
 *
 * Context: not from one of its threads; once.
 * Return:  NULL, or what failed; good until uiommu_hostile_destroy().
 */
const char *uiommu_hostile_run(struct uiommu_hostile *w);

/**
 * uiommu_hostile_fail() - end the run with a message
 * @fmt: as for printf
 *
 * Context: a thread; does not return. Elsewhere: prints, and aborts.
 */
void uiommu_hostile_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/**
 * uiommu_hostile_stats() - what has happened so far
 * @w:   the world
 * @out: filled in
 *
 * Context: any.
 */
void uiommu_hostile_stats(const struct uiommu_hostile *w, struct uiommu_hostile_stats *out);

/**
 * uiommu_hostile_random() - a number that the seed decides
 * @n: at least 1
 *
 * Context: any thread of the world, or its owner.
 * Return:  0 to @n - 1.
 */
unsigned uiommu_hostile_random(unsigned n);

/**
 * uiommu_hostile_yield() - here others may run
 *
 * Context: a thread; elsewhere nothing happens. Yields.
 */
void uiommu_hostile_yield(void);

/**
 * uiommu_hostile_fine() - is this a phase in which ordinary accesses yield too?
 *
 * For whoever instruments them.
 *
 * Context: any.
 * Return:  false outside of threads.
 */
bool uiommu_hostile_fine(void);

/**
 * uiommu_hostile_wait() - as uiommu_hostile_yield(), when there is nothing to do
 *
 * Context: a thread; elsewhere nothing happens. Yields.
 */
void uiommu_hostile_wait(void);

/**
 * uiommu_hostile_now() - a clock
 *
 * Context: any.
 * Return:  switches so far, in microseconds of 1000 ns.
 */
uint64_t uiommu_hostile_now(void);

/**
 * uiommu_hostile_self() - the name of the thread that runs
 *
 * Context: any.
 * Return:  as it was spawned with; "nobody" outside of threads.
 */
const char *uiommu_hostile_self(void);

/**
 * uiommu_hostile_local() - a pointer that the thread keeps
 *
 * Context: any.
 * Return:  where it is, NULL in the beginning; outside of threads one of the world.
 */
void **uiommu_hostile_local(void);

/* ---- memory ---- */

/**
 * uiommu_hostile_alloc() - memory of the world
 * @bytes: any number but 0
 *
 * Context:   any; yields.
 * Ownership: given back with uiommu_hostile_free(), or with the world.
 * Return:    zeroed, aligned to the next power of two of @bytes, up to 2 MiB; NULL when
 *            there is none left. Where it is depends on the seed only.
 */
void *uiommu_hostile_alloc(size_t bytes);

/**
 * uiommu_hostile_free() - takes it back
 * @p:     from uiommu_hostile_alloc()
 * @bytes: the same number
 *
 * Context: any; all that the thread stored is visible before. Yields.
 */
void uiommu_hostile_free(void *p, size_t bytes);

/**
 * uiommu_hostile_plain() - an ordinary access is about to be made
 * @p:     anywhere
 * @bytes: how many
 * @write: or a read
 * @pc:    where in the program, for messages: __builtin_return_address(0)
 *
 * For whoever instruments them.
 *
 * Context: any. Fails when it was given back, or when another thread wrote there, or
 *          reads what this one is to write, and nothing is between the two.
 */
void uiommu_hostile_plain(const void *p, size_t bytes, bool write, const void *pc);

/**
 * uiommu_hostile_atomic() - an atomic access of the language is about to be made
 * @p, @bytes, @write, @pc: as above
 *
 * As uiommu_hostile_plain(), but two of these need nothing between them. What they
 * order is told by uiommu_hostile_acquire() and _release().
 *
 * Context: any.
 */
void uiommu_hostile_atomic(const void *p, size_t bytes, bool write, const void *pc);

/**
 * uiommu_hostile_release() - the thread has done what a place stands for
 * @p: a name, no more: nothing is read or written there
 *
 * All that it did so far comes before what others do after uiommu_hostile_acquire()
 * of @p. Stores in buffers stay there: this is said besides, by a host of what orders
 * in ways of its own.
 *
 * Context: any; outside of threads nothing happens.
 */
void uiommu_hostile_release(const void *p);

/**
 * uiommu_hostile_acquire() - the thread relies on what a place stands for
 * @p: as above
 *
 * Context: any; outside of threads nothing happens.
 */
void uiommu_hostile_acquire(const void *p);

/**
 * uiommu_hostile_handover() - between two calls of an embedder
 *
 * As if a lock of the embedder's were given back, and taken by whoever is here next:
 * what is made in one call may be used in another. Calls of two threads that overlap
 * are not ordered by it.
 *
 * Context: any; yields. A full barrier.
 */
void uiommu_hostile_handover(void);

/**
 * uiommu_hostile_memory() - where memory begins
 * @w: the world
 *
 * Context: any.
 * Return:  the same address in every process; aligned to 2 MiB.
 */
void *uiommu_hostile_memory(const struct uiommu_hostile *w);

/**
 * uiommu_hostile_load64() - a load
 * @p: aligned, in memory of the world or elsewhere
 *
 * Context: any; yields.
 * Return:  what the thread sees there.
 */
uint64_t uiommu_hostile_load64(const uint64_t *p);

/**
 * uiommu_hostile_load_acquire() - a load before all later accesses
 * @p: as above
 *
 * Context: any; yields.
 * Return:  what the thread sees there.
 */
uint64_t uiommu_hostile_load_acquire(const uint64_t *p);

/**
 * uiommu_hostile_store64() - a store
 * @p: as above
 * @v: the value
 *
 * Context: any; yields.
 */
void uiommu_hostile_store64(uint64_t *p, uint64_t v);

/**
 * uiommu_hostile_store_release() - a store after all earlier accesses
 * @p: as above
 * @v: the value
 *
 * Context: any; yields.
 */
void uiommu_hostile_store_release(uint64_t *p, uint64_t v);

/**
 * uiommu_hostile_cmpxchg64() - if it is @old it becomes @v; a full barrier
 * @p:   as above
 * @old: what is expected
 * @v:   the value
 *
 * Context: any; yields.
 * Return:  what was there.
 */
uint64_t uiommu_hostile_cmpxchg64(uint64_t *p, uint64_t old, uint64_t v);

/**
 * uiommu_hostile_wmb() - earlier stores are visible before later ones
 *
 * Context: any; yields.
 */
void uiommu_hostile_wmb(void);

/**
 * uiommu_hostile_rmb() - earlier loads are done before later accesses
 *
 * Context: any; yields.
 */
void uiommu_hostile_rmb(void);

/**
 * uiommu_hostile_mb() - earlier accesses come before later ones
 *
 * Context: any; yields.
 */
void uiommu_hostile_mb(void);

/**
 * uiommu_hostile_clean() - a cache writes back
 * @p:     what
 * @bytes: how much
 *
 * Context: any; complete on return. Yields.
 */
void uiommu_hostile_clean(const void *p, size_t bytes);

/**
 * uiommu_hostile_device_write() - call it before each write of a register
 *
 * Stores in front of the last barrier are visible to hardware when it returns; others
 * need not be. Nothing else orders a register write against memory.
 *
 * Context: any; yields.
 */
void uiommu_hostile_device_write(void);

/**
 * uiommu_hostile_linger() - the thread's stores wait for long
 * @on: from now on they leave for barriers, and hardly by themselves; false: as usual
 *
 * For a test that aims: a call's last stores shall still be on their way while another
 * thread's call begins and ends.
 *
 * Context: any; outside of threads nothing happens.
 */
void uiommu_hostile_linger(bool on);

/* ---- hardware's side ---- */

/**
 * uiommu_hostile_hw_read() - hardware reads memory
 * @p:     where, in memory of the world
 * @buf:   out
 * @bytes: how many; single-copy atomic for aligned 8
 *
 * Context: a thread that plays hardware. Yields. Fails when it was given back.
 * Return:  0, or
 *   -UIOMMU_EFAULT  it is not in the memory of the world
 */
int uiommu_hostile_hw_read(const void *p, void *buf, size_t bytes);

/**
 * uiommu_hostile_hw_write() - hardware writes memory
 * @p, @buf, @bytes: as above
 *
 * Context: a thread that plays hardware. Yields. Fails when it was given back, or when
 *          a thread's load of it, before its last register write, may still be under way.
 * Return:  as above.
 */
int uiommu_hostile_hw_write(void *p, const void *buf, size_t bytes);

/* ---- locks and readers, for a host ---- */

/**
 * uiommu_hostile_lock() - takes a lock
 * @word: 0: nobody has it
 *
 * Context: a thread; yields. Fails when the thread has it.
 */
void uiommu_hostile_lock(uint64_t *word);

/**
 * uiommu_hostile_unlock() - gives it back; a store with release
 * @word: as above
 *
 * Context: who has it; yields.
 */
void uiommu_hostile_unlock(uint64_t *word);

/**
 * uiommu_hostile_read_enter() - from here on nothing that is retired is freed
 *
 * Context: a thread; nests. Yields.
 */
void uiommu_hostile_read_enter(void);

/**
 * uiommu_hostile_read_leave() - until here
 *
 * Context: a thread; may call functions given to uiommu_hostile_retire(). Yields.
 */
void uiommu_hostile_read_leave(void);

struct uiommu_retire;

/**
 * uiommu_hostile_retire() - calls @r->fn(@r) as soon as each reader has left
 * @r: see uiommu/host.h
 *
 * Context: any; all that the thread stored is visible before. Yields.
 */
void uiommu_hostile_retire(struct uiommu_retire *r);

#endif
