/* SPDX-License-Identifier: MIT */
/*
 * src/core/iova.h - which IOVAs are free: a buddy system in pieces of 2^18 pages
 *
 * A block has 2^order pages and is aligned to its size. A piece has a bit for each
 * block of each order that is free as a whole; pieces come when the lower ones are
 * full, so that freeing needs no memory. In front of it are caches of small blocks,
 * one of a few for each thread: threads are told apart by where their stacks are.
 *
 * Order of locks: cache, then pieces. Both SPIN, both short.
 */
#ifndef UIOMMU_CORE_IOVA_H
#define UIOMMU_CORE_IOVA_H

#include "core.h"

#define IOVA_ORDERS	19u		/* 2^18 pages: 1 GiB of 4 KiB */
#define IOVA_PIECES	512u
#define IOVA_CACHED	6u		/* orders that are cached: up to 32 pages */
#define IOVA_CACHES	8u
#define IOVA_DEPTH	32u

struct iova_piece {
	unsigned count[IOVA_ORDERS];		/* free blocks */
	unsigned hint[IOVA_ORDERS];		/* no free one in a word below */
	uint64_t bits[(2u << (IOVA_ORDERS - 1)) / 64 + IOVA_ORDERS];
};

struct iova_cache {
	struct uiommu_lock lock;
	unsigned n[IOVA_CACHED];
	uint32_t page[IOVA_CACHED][IOVA_DEPTH];	/* page numbers fit: 2^27 of them */
};

struct iova_space {
	const struct uiommu_host *host;		/* (i) */
	const struct uiommu_dev_resv *resv;	/* (i) */
	unsigned num_resv;			/* (i) */
	unsigned page_lg2;			/* (i) */
	uint64_t pages;				/* (i) below that many */
	unsigned num_locks;			/* (i) */
	struct uiommu_lock lock;
	struct iova_piece *piece[IOVA_PIECES];	/* lock */
	struct iova_cache cache[IOVA_CACHES];
};

int uiommu_iova_init(struct iova_space *s);
void uiommu_iova_fini(struct iova_space *s);
/* A block of 2^@order pages: 0, -ENOSPC, -ENOMEM. */
int uiommu_iova_alloc(struct iova_space *s, unsigned order, uint64_t *page);
void uiommu_iova_free(struct iova_space *s, unsigned order, uint64_t page);

#endif
