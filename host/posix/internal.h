/* SPDX-License-Identifier: MIT */
/* What the files of this room know of each other. */
#ifndef UIOMMU_POSIX_INTERNAL_H
#define UIOMMU_POSIX_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "host/posix/posix.h"

#define PAGE_LG2	12
#define PAGE_BYTES	4096ull

/* Field legend: (i) set at create, (m) under the part's lock, (a) atomic. */

/* ---- arena.c: table memory ---- */

#define ARENA_MIN_LG2	6		/* 64 B */
#define ARENA_MAX_LG2	26		/* 64 MiB */
#define ARENA_ORDERS	(ARENA_MAX_LG2 - PAGE_LG2 + 1)
#define ARENA_CLASSES	(PAGE_LG2 - ARENA_MIN_LG2)

enum page_kind { PAGE_FREE, PAGE_BLOCK, PAGE_BLOCK_TAIL, PAGE_SLAB };

struct arena_page {
	uint32_t next, prev;		/* (m) in a free list or slab list; index + 1 */
	uint8_t lg2;			/* (m) FREE, BLOCK: of the block; SLAB: of its cells */
	_Atomic uint8_t kind;		/* (a) enum page_kind; read by accesses */
	bool listed;			/* (m) head of a free block, or slab with room */
	_Atomic uint64_t used;		/* (a) SLAB: one bit per 64 bytes */
};

struct arena {
	pthread_mutex_t lock;
	char *base;			/* (i) */
	uint64_t bytes;			/* (i) */
	struct arena_page *pages;	/* (i) one per page, untouched where never used */
	uint64_t fresh;			/* (m) pages handed to the free lists so far */
	uint32_t free[ARENA_ORDERS];	/* (m) index + 1 */
	uint32_t slabs[ARENA_CLASSES];	/* (m) with room; index + 1 */
	uint64_t live_blocks, live_bytes;	/* (m) */
};

int uiommu_arena_init(struct arena *a);
void uiommu_arena_fini(struct arena *a);
void *uiommu_arena_alloc(struct arena *a, size_t bytes);
/* false: this was not allocated, or with another size */
bool uiommu_arena_free(struct arena *a, void *p, size_t bytes);
/* is [off, off + bytes) allocated, as far as its first and last byte say */
bool uiommu_arena_live(const struct arena *a, uint64_t off, uint64_t bytes);

/* ---- reclaim.c: readers, and what is freed after them ---- */

#define READER_SHARDS	16

struct reader_shard {
	_Alignas(64) atomic_ulong in[2];
};

struct reclaim {
	struct reader_shard shard[READER_SHARDS];	/* (a) */
	atomic_uint epoch;				/* (a) */
	atomic_bool pending;				/* (a) something waits */
	pthread_mutex_t lock;
	unsigned phase;					/* (m) 0 none, 1, 2 */
	struct uiommu_retire *waiting, *next, **next_tail;	/* (m) */
};

int uiommu_reclaim_init(struct reclaim *r);
void uiommu_reclaim_fini(struct reclaim *r);
unsigned uiommu_reclaim_enter(struct reclaim *r);
void uiommu_reclaim_leave(struct reclaim *r, unsigned token);
void uiommu_reclaim_retire(struct reclaim *r, struct uiommu_retire *item);
/* returns when every reader that was inside has left */
void uiommu_reclaim_wait(struct reclaim *r);

/* ---- phys.c: which physical address is what ---- */

struct range {
	struct uiommu_retire retire;
	uiommu_pa_t pa;				/* (i) */
	uint64_t bytes;				/* (i) */
	const struct uiommu_mmio_ops *mmio;	/* (i) one of three: registers, */
	const struct uiommu_posix_frames_ops *frames;	/* (i) calls, */
	char *direct;				/* (i) plain memory */
	void *ctx;				/* (i) */
	atomic_ulong busy;			/* (a) accesses under way */
	struct range *next, *prev;		/* (m) all of them */
};

struct phys {
	pthread_mutex_t lock;
	struct pnode *_Atomic *top;		/* (m) to write; one per GiB */
	struct range *ranges;			/* (m) */
	bool stray;				/* (m) a failed add left empty nodes */
	uiommu_pa_t cursor;			/* (m) where frames are looked for first */
};

int uiommu_phys_init(struct phys *ph);
void uiommu_phys_fini(struct uiommu_posix *p);

/* ---- irq.c ---- */

struct irq_line {
	struct irq_line *next;
	unsigned irq;
	bool raised, running, released;
	void (*fn)(void *arg);
	void *arg;
};

struct irqs {
	pthread_mutex_t lock;
	pthread_cond_t wake;		/* something was raised, or stop */
	pthread_cond_t idle;		/* a handler has returned */
	struct irq_line *lines;		/* (m) */
	pthread_t thread;		/* (m) if started */
	bool started, polled, stop;	/* (m) */
};

int uiommu_irqs_init(struct irqs *q);
void uiommu_irqs_fini(struct uiommu_posix *p);
int uiommu_irqs_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg);
void uiommu_irqs_release(void *ctx, unsigned irq);

/* ---- lock.c ---- */

int uiommu_posix_lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind);
void uiommu_posix_lock_fini(void *ctx, struct uiommu_lock *lock);
void uiommu_posix_lock(void *ctx, struct uiommu_lock *lock);
void uiommu_posix_unlock(void *ctx, struct uiommu_lock *lock);

/* ---- host.c ---- */

struct uiommu_posix {
	struct uiommu_host host;	/* (i) */
	struct arena arena;
	struct reclaim reclaim;
	struct phys phys;
	struct irqs irqs;
	atomic_long live_allocs;	/* (a) */
	atomic_long live_maps;		/* (a) */
	enum uiommu_log_level log_max;	/* (i) */
	void (*log_fn)(void *ctx, enum uiommu_log_level level, const char *line);	/* (i) */
	void *log_ctx;			/* (i) */
};

int uiommu_posix_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out);
void uiommu_posix_log(struct uiommu_posix *p, enum uiommu_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
