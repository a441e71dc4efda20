/* SPDX-License-Identifier: MIT */
/**
 * uiommu/host.h - everything a port must provide; the only header a port reads
 *
 * One structure of functions. Fill in as much as you need:
 *
 *   step 1, page tables alone:   table_alloc, table_free, table_offset
 *                                  (and, if there, table_alloc_raw, cache_clean)
 *   step 2, a driver:            + alloc, free, mmio_map, mmio_unmap, now_ns,
 *                                  relax, log
 *   step 3, threads, interrupts: + locks, reclamation, irq_request, irq_release
 *
 * A NULL in step 3 means: one thread, polled. @ctx is handed back to every
 * function and is otherwise not looked at. The structure must stay valid and
 * unchanged for as long as anything made with it exists.
 *
 * What is hot or per CPU (barriers, MMIO accesses, atomics) is not here but in
 * src/port/<arch>/ as static inlines.
 */
#ifndef UIOMMU_HOST_H
#define UIOMMU_HOST_H

#include <uiommu/err.h>
#include <uiommu/types.h>

/**
 * struct uiommu_mmio_ops - registers that are calls
 * @read32, @read64:   the register at @offset bytes from the window's start
 * @write32, @write64: the same, to write
 *
 * That is how the same object code drives silicon and a simulator. Values are in
 * CPU byte order; the registers are little-endian and naturally aligned. NULL: no
 * access of that size.
 *
 * Context: wherever the driver accesses registers, interrupt functions included,
 *          with its UIOMMU_LOCK_SPIN locks held.
 */
struct uiommu_mmio_ops {
	uint32_t (*read32)(void *ctx, uint64_t offset);
	void (*write32)(void *ctx, uint64_t offset, uint32_t value);
	uint64_t (*read64)(void *ctx, uint64_t offset);
	void (*write64)(void *ctx, uint64_t offset, uint64_t value);
};

/**
 * struct uiommu_mmio - a register window, filled in by uiommu_host.mmio_map()
 * @base:  where it is mapped, when @ops is NULL: accesses are single, naturally
 *         aligned and volatile
 * @ops:   else each access is a call; must outlive the window
 * @ctx:   handed to @ops
 * @bytes: how long it is
 */
struct uiommu_mmio {
	volatile void *base;
	const struct uiommu_mmio_ops *ops;
	void *ctx;
	uint64_t bytes;
};

/* Room for the host's lock; a host whose lock is larger keeps a pointer here. */
struct uiommu_lock {
	_Alignas(16) unsigned char opaque[64];
};

enum uiommu_lock_kind {
	UIOMMU_LOCK_MUTEX,	/* may be held while sleeping; never taken in an interrupt */
	UIOMMU_LOCK_SPIN,	/* short; may be taken in the interrupt functions of a driver */
};

/**
 * struct uiommu_retire - embedded by whatever is freed while others may read it
 * @next: the host's, from retire() until @fn is called
 * @fn:   called once, frees
 */
struct uiommu_retire {
	struct uiommu_retire *next;
	void (*fn)(struct uiommu_retire *self);
};

enum uiommu_log_level {
	UIOMMU_LOG_ERR,		/* something is wrong and stays so */
	UIOMMU_LOG_WARN,	/* something was wrong and was dealt with */
	UIOMMU_LOG_INFO,
	UIOMMU_LOG_DEBUG,
};

/**
 * struct uiommu_host - the functions of a host
 * @ctx: handed back to each of them
 *
 * "May sleep" below means: is only called where the embedder's own call into the
 * library may sleep. Nothing is called from an interrupt function but lock() and
 * unlock() on a UIOMMU_LOCK_SPIN, registers, now_ns(), relax(), log(), cache_clean(),
 * read_enter() and read_leave().
 */
struct uiommu_host {
	void *ctx;

	/* ---- step 1: memory that hardware walks ---- */

	/*
	 * table_alloc() - memory for tables and queues
	 * @bytes: a power of two, 64 bytes to 64 MiB
	 *
	 * Context:   map, attach and probe; may sleep, unless the embedder itself maps
	 *            from a context that may not.
	 * Ownership: given back with table_free().
	 * Return:    zeroed memory, or NULL. Pointer and physical address are aligned to
	 *            @bytes; hardware sees the zeroes after a cache_clean().
	 */
	void *(*table_alloc)(void *ctx, size_t bytes);

	/*
	 * table_free() - takes it back
	 * @p, @bytes: as in the table_alloc() it came from
	 *
	 * Cannot fail. Only called once hardware can no longer reach it.
	 *
	 * Context: unmap, detach and teardown, and functions given to retire().
	 */
	void (*table_free)(void *ctx, void *p, size_t bytes);

	/*
	 * For every byte of such memory, with one constant for all of it (modulo 2^64):
	 *	physical address = (uintptr_t)pointer - table_offset
	 */
	uint64_t table_offset;

	/*
	 * cache_clean() - makes stores visible to a table walker
	 * @p, @bytes: what was written
	 *
	 * NULL where hardware sees the CPU's caches. Else cleans it to the point from
	 * which the walker reads, and is complete on return. Cannot fail.
	 *
	 * Context: any.
	 */
	void (*cache_clean)(void *ctx, const void *p, size_t bytes);

	/*
	 * table_alloc_raw() - as table_alloc(), but not zeroed
	 * @bytes: likewise
	 *
	 * NULL where there is no such thing; table_alloc() is then called. Else for page
	 * tables that are filled before hardware can see them.
	 *
	 * Context:   map.
	 * Ownership: given back with table_free().
	 * Return:    memory with anything in it, or NULL
	 */
	void *(*table_alloc_raw)(void *ctx, size_t bytes);

	/* ---- step 2: objects, registers, time ---- */

	/*
	 * alloc() - memory for the library's own objects
	 * @bytes: any number but 0
	 *
	 * Context:   may sleep.
	 * Ownership: given back with free().
	 * Return:    zeroed memory aligned for any object, or NULL.
	 */
	void *(*alloc)(void *ctx, size_t bytes);

	/*
	 * free() - takes it back
	 * @p:     from alloc(), or NULL
	 * @bytes: the same number
	 *
	 * Context: may sleep, except when called by a function given to retire().
	 */
	void (*free)(void *ctx, void *p, size_t bytes);

	/*
	 * mmio_map() - gives access to registers
	 * @pa:    where they are
	 * @bytes: how many
	 * @out:   filled in on success, untouched otherwise
	 *
	 * Context:   probe; may sleep.
	 * Ownership: given back with mmio_unmap().
	 * Return:    0, or a negative UIOMMU_E*: -UIOMMU_ENODEV where there are none.
	 */
	int (*mmio_map)(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out);

	/*
	 * mmio_unmap() - takes it back
	 * @mmio: as mmio_map() filled it in
	 *
	 * Context: remove, and probe that fails; may sleep.
	 */
	void (*mmio_unmap)(void *ctx, struct uiommu_mmio *mmio);

	/*
	 * now_ns() - a clock that never goes back
	 *
	 * Context: any.
	 * Return:  nanoseconds since anything.
	 */
	uint64_t (*now_ns)(void *ctx);

	/*
	 * relax() - between two polls of a register
	 *
	 * May yield, and must let whatever plays the hardware run.
	 *
	 * Context: any, with UIOMMU_LOCK_SPIN locks held too.
	 */
	void (*relax)(void *ctx);

	/*
	 * log() - a message for people
	 * @level: how important
	 * @line:  one line without a newline; not kept
	 *
	 * Context: any.
	 */
	void (*log)(void *ctx, enum uiommu_log_level level, const char *line);

	/* ---- step 3: threads; all four functions, or none ---- */

	/*
	 * lock_init() - makes a lock, not held
	 * @lock: room for it, which does not move until lock_fini()
	 * @kind: who will take it
	 *
	 * Context: may sleep.
	 * Return:  0, or -UIOMMU_ENOMEM.
	 */
	int (*lock_init)(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind);

	/*
	 * lock_fini() - the end of a lock that nobody holds
	 * @lock: from lock_init()
	 *
	 * Context: may sleep, except when called by a function given to retire().
	 */
	void (*lock_fini)(void *ctx, struct uiommu_lock *lock);

	/*
	 * lock() - takes it
	 * @lock: not held by the caller: locks do not recurse
	 *
	 * What was stored before the last unlock() is seen after it. Cannot fail.
	 *
	 * Context: as the kind of lock says.
	 */
	void (*lock)(void *ctx, struct uiommu_lock *lock);

	/*
	 * unlock() - gives it back
	 * @lock: held by the caller
	 *
	 * Context: where lock() was called.
	 */
	void (*unlock)(void *ctx, struct uiommu_lock *lock);

	/* ---- step 3: reclamation; all three, or none: retire is then the call itself ---- */

	/*
	 * read_enter() - from here on nothing that is retired is freed
	 *
	 * Readers nest, exclude nobody, and do not stay for long.
	 *
	 * Context: any.
	 * Return:  a token for read_leave().
	 */
	unsigned (*read_enter)(void *ctx);

	/*
	 * read_leave() - until here
	 * @token: what the matching read_enter() returned
	 *
	 * May call functions that were given to retire().
	 *
	 * Context: the thread that entered.
	 */
	void (*read_leave)(void *ctx, unsigned token);

	/*
	 * retire() - calls @r->fn(@r) once every reader that is inside has left
	 * @r: embedded in what is to be freed; no reader can find it any more
	 *
	 * Never fails, allocates nothing, does not wait for readers. May call it at
	 * once, or later on any thread: @r->fn takes no lock of the library's.
	 *
	 * Context:   not by a reader, nor in an interrupt function.
	 * Ownership: @r is the host's until @r->fn is called.
	 */
	void (*retire)(void *ctx, struct uiommu_retire *r);

	/* ---- step 3: interrupts; both, or none: the driver is polled ---- */

	/*
	 * irq_request() - asks for an interrupt
	 * @irq: the number that the embedder put into the driver's configuration
	 * @fn:  called with @arg at least once after each interrupt
	 * @arg: handed to @fn
	 *
	 * @fn runs in any context in which a UIOMMU_LOCK_SPIN may be taken; never from
	 * within a call of this library on the same thread that holds a lock; never
	 * twice at a time for one @irq.
	 *
	 * Context: probe; may sleep.
	 * Return:  0, or a negative UIOMMU_E*: -UIOMMU_EBUSY for one that is taken.
	 */
	int (*irq_request)(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg);

	/*
	 * irq_release() - takes that back
	 * @irq: from irq_request()
	 *
	 * On return no call is under way, and none will come.
	 *
	 * Context: remove; sleeps; not from @fn, nor with a lock held that @fn takes.
	 */
	void (*irq_release)(void *ctx, unsigned irq);
};

#endif
