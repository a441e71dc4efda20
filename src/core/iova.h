/* SPDX-License-Identifier: MIT */
/*
 * src/core/iova.h - which IOVAs are free: buddies of two sizes
 *
 * A block is 2^order pages, aligned to its size; a piece has a bit for each block of
 * each order that is free as a whole. One piece is of units, 2^18 pages each, as far as
 * the space reaches; each unit that is in use in part has a piece of its own, of pages.
 * A unit that is free again goes back to the first, and keeps its piece for later: so
 * freeing needs no memory. What a block has beyond what was asked for is free again at
 * once. In front of it are caches of small blocks, one of a few for each thread: threads
 * are told apart by where their stacks are.
 *
 * Order of locks: cache, then space. Both SPIN, both short.
 */
#ifndef UIOMMU_CORE_IOVA_H
#define UIOMMU_CORE_IOVA_H

#include "core.h"

#define IOVA_LG2	18u		/* blocks of order 0 in a piece, at most */
#define IOVA_ORDERS	(IOVA_LG2 + 1)
#define IOVA_CACHED	6u		/* orders that are cached: up to 32 pages */
#define IOVA_CACHES	8u
#define IOVA_DEPTH	32u
#define IOVA_BUCKETS	64u

struct iova_piece {
	unsigned lg2;				/* blocks of order 0 */
	uint32_t some;				/* bit o: count[o] is not 0 */
	unsigned count[IOVA_ORDERS];		/* free blocks */
	unsigned hint[IOVA_ORDERS];		/* no free one in a word below */
	unsigned at[IOVA_ORDERS];		/* first word of the order in bits */
	uint64_t *bits;				/* (i) behind what it is part of */
};

struct iova_unit {
	uint64_t number;			/* (i) */
	struct iova_unit *in_bucket;		/* found by number */
	struct iova_unit *next;			/* all of them, a ring */
	struct iova_piece piece;
};

struct iova_cache {
	struct uiommu_lock lock;
	unsigned n[IOVA_CACHED];
	uint64_t page[IOVA_CACHED][IOVA_DEPTH];
};

struct iova_space {
	const struct uiommu_host *host;		/* (i) */
	const struct uiommu_dev_resv *resv;	/* (i) */
	unsigned num_resv;			/* (i) */
	unsigned page_lg2;			/* (i) */
	uint64_t first, end;			/* (i) pages; not page 0 */
	/* by uiommu_iova_init() */
	unsigned unit_lg2;			/* (i) pages of a unit */
	unsigned num_locks;			/* (i) */
	struct uiommu_lock lock;
	struct iova_piece *whole;		/* lock: units that are free */
	struct iova_unit *bucket[IOVA_BUCKETS];	/* lock */
	struct iova_unit *here;			/* lock: in the ring, the last that gave */
	unsigned edges;				/* lock: so many were looked at: edge() */
	struct iova_cache cache[IOVA_CACHES];
};

/* A thread's place among @n of something; @n is a power of two. */
static inline unsigned iova_thread(unsigned n)
{
	char here;

	return (unsigned)(((uintptr_t)&here >> 14) * 0x9e3779b1u >> 16) & (n - 1);
}

/* What is marked (i), above, is set. 0, -EINVAL: not a single page, -ENOMEM. Of more than
 * 2^36 pages the first 2^36 are used. */
int uiommu_iova_init(struct iova_space *s);
void uiommu_iova_fini(struct iova_space *s);
/* Room for @pages, aligned to their number rounded up to a power of two: 0, -ENOSPC,
 * -ENOMEM. */
int uiommu_iova_alloc(struct iova_space *s, uint64_t pages, uint64_t *page);
void uiommu_iova_free(struct iova_space *s, uint64_t pages, uint64_t page);

#endif
