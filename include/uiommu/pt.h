/* SPDX-License-Identifier: MIT */
/**
 * uiommu/pt.h - I/O page tables, usable alone
 *
 * One walker, one small file per format, one instance per (format, granule,
 * stage). A table needs step 1 of the host contract and nothing else:
 *
 *	struct uiommu_pt pt;
 *	struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 44 };
 *
 *	uiommu_pt_arm_s1_4k_ops.init(&pt, &host, &cfg);
 *	pt.ops->map(&pt, 0x10000, 0x80000000, 0x4000, UIOMMU_PROT_READ, NULL);
 *
 * and hardware is pointed at the physical address of pt.top. Nothing here tells
 * hardware anything: unmap says in a struct uiommu_gather what must be invalidated,
 * and keeps table pages that hardware may still read until that has been done.
 *
 * Threads. map, unmap, iova_to_phys and walk take no lock and may run at the same
 * time on one table as long as their ranges are disjoint; the caller sees to that.
 * An overlap loses or leaves mappings in the overlap. Overlapping with an unmap is
 * worse: the other call may follow a table that the unmap is about to free.
 * init and fini are alone with their table.
 */
#ifndef UIOMMU_PT_H
#define UIOMMU_PT_H

#include <uiommu/host.h>

/* ---- gather ---- */

/*
 * What one or several unmaps of one table took away. Fields are for whoever
 * invalidates; they may be read any time, and are written by unmap only.
 *
 * Between start and last everything may have gone: invalidate all of it. An unmap
 * of a range in one call leaves no gap; gathering several calls spans the gaps.
 * @tables: a table page was removed too, so cached walks must go (on Arm: an
 * invalidation that is not "leaf only"). Which pages that table held is not looked
 * at: @pgsizes then has every size that could have been below it.
 */
struct uiommu_gather {
	uiommu_iova_t start, last;	/* bytes, inclusive; start > last: nothing */
	uint64_t pgsizes;		/* bit n: an entry of 2^n bytes may be gone */
	bool tables;			/* a table was removed: walk caches too */
	void *free_list;		/* table pages, linked through their first word */
	size_t table_bytes;		/* of each page on free_list */
};

/**
 * uiommu_gather_init() - an empty gather
 * @g: any memory, not in use as a gather
 *
 * Context:   any.
 * Ownership: allocates nothing; an empty gather may be forgotten.
 */
void uiommu_gather_init(struct uiommu_gather *g);

/**
 * uiommu_gather_empty() - is there nothing to invalidate and nothing to free?
 * @g: initialised
 *
 * Context: any.
 * Return:  true if so
 */
bool uiommu_gather_empty(const struct uiommu_gather *g);

/**
 * uiommu_gather_free() - give back the tables that unmap took out, start afresh
 * @g:    initialised; empty when this returns
 * @host: the host of the table that was unmapped from
 *
 * Context:   where host->table_free() may be called; cannot fail.
 * Hardware:  call it only once every IOMMU that uses the table has finished
 *            invalidating [g->start, g->last]: hardware may read these pages
 *            until then.
 * Ownership: the pages on the list return to @host.
 */
void uiommu_gather_free(struct uiommu_gather *g, const struct uiommu_host *host);

/* ---- a table ---- */

/*
 * The sizes are those of the addresses themselves, as log2 of their range, not of
 * what happens to be installed. Arm stage 1 with 4 KiB pages takes 25..48 bits in
 * and 32..48 out. The number of levels follows from @ias_lg2.
 */
struct uiommu_pt_config {
	unsigned ias_lg2, oas_lg2;	/* input and output address bits */
	unsigned flags;			/* UIOMMU_PT_*; none is known yet: 0 */
};

/* Belongs to the caller, who reads it and never writes. (i) set by init, fixed
 * until fini. (h) hardware reads the memory it points to. */
struct uiommu_pt {
	const struct uiommu_pt_ops *ops;	/* (i) */
	const struct uiommu_host *host;		/* (i) */
	void *top;				/* (i)(h) root; NULL: no table */
	uint64_t top_bytes;			/* (i) its size and alignment, 64 or more */
	unsigned ias_lg2, oas_lg2;		/* (i) */
	unsigned top_level;			/* (i) level of the root; 0 = leaf table */
	unsigned flags;				/* (i) */
};

/* One step of a walk: what was read where. */
struct uiommu_pt_step {
	unsigned level;			/* 0: the table whose entries are pages */
	uiommu_pa_t entry_pa;		/* where the entry is */
	uint64_t entry;			/* as hardware reads it */
	enum { UIOMMU_PT_STEP_INVALID, UIOMMU_PT_STEP_TABLE, UIOMMU_PT_STEP_LEAF } kind;
	uiommu_pa_t next_pa;		/* TABLE: the next table; LEAF: where the iova goes */
	unsigned page_lg2;		/* LEAF only: size of the page or block */
};

/*
 * An instance: one format with one granule. Constant, shared by all its tables.
 */
struct uiommu_pt_ops {
	const char *name;		/* "arm_s1_4k" */
	uint64_t pgsizes;		/* bit n: leaves of 2^n bytes; the lowest is the
					   alignment of everything below */

	/**
	 * init() - an empty table
	 * @pt:   out; overwritten
	 * @host: at least step 1; kept, stays valid until fini
	 * @cfg:  sizes; not kept
	 *
	 * Context:   may call host->table_alloc().
	 * Hardware:  the root is visible to hardware on return.
	 * Ownership: the caller ends it with fini().
	 * Return:    0, or (then pt->top is NULL and nothing is held)
	 *   -UIOMMU_EINVAL  a size that the format does not have, or a flag
	 *   -UIOMMU_ENOMEM  no memory for the root
	 *   -UIOMMU_ERANGE  the host's memory lies beyond the output size
	 */
	int (*init)(struct uiommu_pt *pt, const struct uiommu_host *host,
		    const struct uiommu_pt_config *cfg);

	/**
	 * fini() - free all tables, whatever is still mapped
	 * @pt: from init(); or with top NULL, then nothing happens
	 *
	 * Context:   alone with this table; calls host->table_free(), cannot fail,
	 *            allocates nothing.
	 * Hardware:  no IOMMU uses the table any more, nor has anything of it cached.
	 * Ownership: all memory of the table is the host's again.
	 */
	void (*fini)(struct uiommu_pt *pt);

	/**
	 * map() - let [iova, iova + len) go to [pa, pa + len)
	 * @iova:   bytes, multiple of the smallest page
	 * @pa:     bytes, multiple of the smallest page
	 * @len:    bytes, multiple of the smallest page, not 0
	 * @prot:   UIOMMU_PROT_*, at least one of READ and WRITE. Arm stage 1 cannot
	 *          say write-only: WRITE allows reading too.
	 * @mapped: out, may be NULL; bytes mapped from @iova on, valid on every return
	 *
	 * Takes the largest pages that alignment and length allow, except that a
	 * table which is already there is used, not replaced: below it the pages
	 * are smaller. (Replacing it would need an invalidation, and map has none.)
	 *
	 * Context:   any thread, ranges disjoint; may call host->table_alloc().
	 * Hardware:  visible on return, before any later store of this thread. Needs no
	 *            invalidation on hardware that does not remember absent entries.
	 * Ownership: takes none of the memory at @pa.
	 * Return:    0, or
	 *   -UIOMMU_EINVAL  alignment, length 0, unknown or no permission: nothing mapped
	 *   -UIOMMU_ERANGE  beyond the input or output size, or beyond 2^64: nothing
	 *                   mapped; or host->table_alloc() gave memory beyond the
	 *                   output size: [iova, iova + *mapped) stays mapped
	 *   -UIOMMU_EEXIST  something is mapped at iova + *mapped: the bytes before
	 *                   it stay mapped, it is unchanged
	 *   -UIOMMU_ENOMEM  no memory for a table: [iova, iova + *mapped) stays mapped
	 * Tables made on the way stay, empty, until an unmap covers them or fini.
	 */
	int (*map)(struct uiommu_pt *pt, uiommu_iova_t iova, uiommu_pa_t pa,
		   uint64_t len, unsigned prot, uint64_t *mapped);

	/**
	 * unmap() - take [iova, iova + len) out
	 * @iova:     bytes, multiple of the smallest page
	 * @len:      bytes, multiple of the smallest page, not 0
	 * @gather:   initialised; what was removed is added to it
	 * @unmapped: out, may be NULL; bytes gone from @iova on, valid on every return
	 *
	 * Removes exactly what was asked for. A table that the range covers as a whole
	 * is taken out in one step, without a look at what it holds, and goes onto
	 * gather->free_list. At the first hole elsewhere it stops: that is success,
	 * and *unmapped says how far it came (0 if nothing is mapped at @iova). A
	 * caller who wants to go on calls again behind the hole.
	 *
	 * Context:   any thread, ranges disjoint; allocates nothing.
	 * Hardware:  may still use the old entries until the gather is invalidated.
	 * Ownership: the memory that was mapped is the caller's after that, not before.
	 * Return:    0, or, with nothing changed,
	 *   -UIOMMU_EINVAL  alignment, length 0, or an end of the range lies inside a
	 *                   block: blocks are not split
	 *   -UIOMMU_ERANGE  beyond the input size, or beyond 2^64
	 */
	int (*unmap)(struct uiommu_pt *pt, uiommu_iova_t iova, uint64_t len,
		     struct uiommu_gather *gather, uint64_t *unmapped);

	/**
	 * iova_to_phys() - where does an access to @iova go?
	 * @iova: bytes, any alignment
	 * @pa:   out; bytes; untouched on error
	 *
	 * Context: any thread, not while @iova is being unmapped. Allocates nothing.
	 * Return:  0, or
	 *   -UIOMMU_ENOENT  nothing is mapped there
	 *   -UIOMMU_ERANGE  beyond the input size
	 */
	int (*iova_to_phys)(struct uiommu_pt *pt, uiommu_iova_t iova, uiommu_pa_t *pa);

	/**
	 * walk() - every entry on the way to @iova, root first
	 * @iova:      bytes, any alignment
	 * @steps:     out
	 * @max_steps: room in @steps; pt->top_level + 1 is always enough
	 * @nsteps:    out; steps written. The last one is LEAF or INVALID.
	 *
	 * Context: any thread, not while @iova is being unmapped. Allocates nothing.
	 * Return:  0, or
	 *   -UIOMMU_ERANGE    beyond the input size: no steps
	 *   -UIOMMU_EMSGSIZE  @steps is too short: filled as far as it goes, and
	 *                     *nsteps is the room that is always enough
	 */
	int (*walk)(struct uiommu_pt *pt, uiommu_iova_t iova,
		    struct uiommu_pt_step *steps, unsigned max_steps, unsigned *nsteps);
};

/*
 * Arm stage 1, 4 KiB granule: 4 KiB, 2 MiB, 1 GiB. Entries are tagged with the ASID
 * (nG), the access flag is set, normal memory is inner shareable. What MAIR and TCR
 * must hold for it stands in src/pt/fmt/arm_lpae_regs.h.
 */
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_4k_ops;

#endif
