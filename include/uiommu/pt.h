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
 *
 * The stores that took it away may still be on their way. Whoever invalidates begins
 * with a full barrier (uiommu_domain_invalidate() and uiommu_mm_invalidate() do).
 */
struct uiommu_pt_ops;

struct uiommu_gather {
	uiommu_iova_t start, last;	/* bytes, inclusive; start > last: nothing */
	uint64_t pgsizes;		/* bit n: an entry of 2^n bytes may be gone */
	bool tables;			/* a table was removed: walk caches too */
	void *free_list;		/* tables that were removed, with all below them */
	size_t table_bytes;		/* of each of them */
	const struct uiommu_pt_ops *ops;	/* whose tables they are */
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

/* uiommu_pt_config.flags */
/* Mark runs of leaves that hardware may hold as one (Arm's contiguous bit, RISC-V's
 * NAPOT). Such a run is one larger page: unmap does not cut it, cut() does. */
#define UIOMMU_PT_CONTIG	(1u << 0)
/* Hardware marks the leaves that are written (Arm: HD is set; VT-d second stage: A/D
 * is enabled; AMD: HD; RISC-V: GADE/SADE; x86-64 always). Needed by read_dirty. */
#define UIOMMU_PT_DIRTY		(1u << 1)

/*
 * The sizes are those of the addresses themselves, as log2 of their range, not of
 * what happens to be installed. The number of levels follows from @ias_lg2.
 *
 *	instance		in		out	pages (CONTIG adds)
 *	arm_s1_4k, arm_s2_4k	25..48		32..48	4K 2M 1G (64K 32M 16G)
 *	arm_s1_4k_52, s2	25..52		32..52	and, out = 52, 512G
 *	arm_s1_16k, arm_s2_16k	25..48		32..48	16K 32M (2M 1G)
 *	arm_s1_16k_52, s2	25..52		32..52	and, out = 52, 64G
 *	arm_s1_64k, arm_s2_64k	25..52		32..52	64K 512M (2M 16G); out = 52: 4T
 *	riscv_sv		39, 48, 57	32..56	of every level (64K)
 *	riscv_sv_x4		41, 50, 59	32..56	of every level (64K)
 *	x86_64			48, 57		32..52	4K 2M 1G
 *	vtd_ss			30..57		32..52	4K 2M 1G
 *	amd_v1			30..64		32..52	every power of two, 4K to 256G
 *
 * riscv_sv and x86_64 take canonical addresses: with 48 bits 0 to 2^47 - 1 and
 * 2^64 - 2^47 to 2^64 - 1; a range lies in one of the halves. Write-only exists in
 * arm_s2, vtd_ss and amd_v1; elsewhere WRITE allows reading too. PRIV exists in arm_s1,
 * riscv_sv and x86_64; the others refuse it. vtd_ss and amd_v1 do not control
 * execution: EXEC changes nothing there.
 */
struct uiommu_pt_config {
	unsigned ias_lg2, oas_lg2;	/* input and output address bits */
	unsigned flags;			/* UIOMMU_PT_* */
	unsigned max_page_lg2;		/* no larger leaves than this; 0: no limit */
};

/* Belongs to the caller, who reads it and never writes. (i) set by init, fixed
 * until fini. (h) hardware reads the memory it points to. (a) atomic. */
struct uiommu_pt {
	const struct uiommu_pt_ops *ops;	/* (i) */
	const struct uiommu_host *host;		/* (i) */
	void *top;				/* (i)(h) root; NULL: no table. Of amd_v1 the
						   first one: uiommu_pt_root() has today's */
	uint64_t top_bytes;			/* (i) its size and alignment, 64 or more */
	unsigned ias_lg2, oas_lg2;		/* (i) */
	unsigned top_level;			/* (i) level of @top; 0 = leaf table */
	unsigned flags;				/* (i) */
	uint64_t pgsizes;			/* (i) bit n: leaves of 2^n bytes are made */

	/* the walker's own */
	uint64_t root;				/* (a)(h) the root's pointer | level */
	uint64_t iova_last;			/* (i) 2^ias_lg2 - 1 */
	uint64_t offset;			/* (i) host->table_offset */
	uint64_t table_clean;			/* (i) 0 where hardware sees caches */
	unsigned top_mask;			/* (i) entries of the root, less 1 */
	bool tracking;				/* (a) new leaves start clean */
	enum {
		UIOMMU_PT_QUICK_NONE, UIOMMU_PT_QUICK_PAGE, UIOMMU_PT_QUICK_ALL,
	} quick;				/* (i) what the short paths may do */
};

#define UIOMMU_PT_ROOT_LEVEL	15u		/* the bits of uiommu_pt.root that are it */

/**
 * uiommu_pt_root() - what hardware must be pointed at
 * @pt:    from init()
 * @level: out, may be NULL; its level, 0 = leaf table
 *
 * The root of most tables is fixed. That of amd_v1 grows when something is mapped
 * beyond its reach: who has called map compares with what hardware was told and tells
 * it if that is another. The old root remains part of the new one, so hardware that
 * has not been told yet keeps all it had.
 *
 * Context: any thread. Allocates nothing.
 * Return:  physical address of the root table
 */
uiommu_pa_t uiommu_pt_root(const struct uiommu_pt *pt, unsigned *level);

#ifdef UIOMMU_PT_CHECKED
/**
 * uiommu_pt_misuse() - two threads were found at work on the same range
 * @pt:   the table
 * @what: a sentence for a log
 *
 * A library built with UIOMMU_PT_CHECKED calls this; the embedder defines it. When it
 * returns, the call that noticed goes on, with well-formed tables.
 *
 * Context: that of the call which noticed.
 */
void uiommu_pt_misuse(const struct uiommu_pt *pt, const char *what);
#endif

/* uiommu_pt_dirty.flags */
#define UIOMMU_PT_DIRTY_KEEP	(1u << 0)	/* look only, clear nothing */

/* What read_dirty is asked for, and where it puts the answer. */
struct uiommu_pt_dirty {
	uiommu_iova_t iova;	/* bytes, multiple of the smallest page */
	uint64_t len;		/* bytes, multiple of the smallest page, not 0 */
	uint64_t *bitmap;	/* bit n: [iova + (n << page_lg2), ...). Bits are set, never
				   cleared; (len - 1 >> page_lg2) + 1 of them */
	unsigned page_lg2;	/* smallest page, or more */
	unsigned flags;		/* UIOMMU_PT_DIRTY_* */
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
	uint64_t pgsizes;		/* bit n: leaves of 2^n bytes in every table; the
					   lowest is the alignment of everything below */

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
	 * @prot:   UIOMMU_PROT_*, at least one of READ and WRITE; see above for what
	 *          formats cannot say
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
	 * Tables made on the way stay, empty, until an unmap covers them, trim or fini.
	 * Where the last of a run of small pages meets something mapped, the run
	 * falls into smaller ones: what is mapped is *mapped bytes in any case.
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
	 *                     *nsteps is the room that is enough
	 * Beyond the reach of a root that grows there are no steps, and that is 0.
	 */
	int (*walk)(struct uiommu_pt *pt, uiommu_iova_t iova,
		    struct uiommu_pt_step *steps, unsigned max_steps, unsigned *nsteps);

	/**
	 * cut() - no leaf shall lie across @iova
	 * @iova:   bytes, multiple of the smallest page
	 * @gather: initialised; what the change makes stale is added to it
	 *
	 * A block or run around @iova becomes smaller leaves with the same output and
	 * permissions, as often as it takes; so does a caller make ready, while it
	 * may still fail, an unmap that would cut. Every address keeps going where it
	 * went at every moment.
	 *
	 * Context:   any thread, the whole leaf being the caller's own range; calls
	 *            host->table_alloc().
	 * Hardware:  sees old or new entries at any time until the gather has been
	 *            invalidated. Arm hardware without "break before make" level 2
	 *            support must not access the range in the meantime.
	 * Return:    0, or
	 *   -UIOMMU_EINVAL  alignment
	 *   -UIOMMU_ERANGE  beyond the input size; or memory beyond the output size
	 *   -UIOMMU_ENOMEM  no memory for a table: leaves may be smaller than
	 *                   before, all that was mapped still is
	 */
	int (*cut)(struct uiommu_pt *pt, uiommu_iova_t iova, struct uiommu_gather *gather);

	/**
	 * trim() - give back every table that leads to no leaf
	 * @gather: initialised; the tables are added to it, with @tables set. It has no
	 *          range of its own: what is stale are walks, of the whole table.
	 *
	 * Context:   alone with this table; allocates nothing.
	 * Hardware:  may be using the table.
	 */
	void (*trim)(struct uiommu_pt *pt, struct uiommu_gather *gather);

	/**
	 * set_dirty_tracking() - shall leaves mapped from now on start clean?
	 * @on: true before one wants to know; then read_dirty() over all that is mapped
	 *      clears what has gathered until then
	 *
	 * Context:   any thread; a map under way may still make leaves the other way,
	 *            which then are reported as dirty once.
	 * Return:    0, or
	 *   -UIOMMU_EOPNOTSUPP  the table was made without UIOMMU_PT_DIRTY
	 */
	int (*set_dirty_tracking)(struct uiommu_pt *pt, bool on);

	/**
	 * read_dirty() - which pages did hardware write, since when they were cleared?
	 * @d:      see there
	 * @gather: initialised; the leaves that were cleared, whose cached copies would
	 *          let further writes go unmarked. Untouched with UIOMMU_PT_DIRTY_KEEP.
	 *
	 * A leaf is dirty as a whole: all its bits within the range are set. One that
	 * lies partly outside the range is reported and stays dirty.
	 *
	 * Context:   any thread, not while the range is being unmapped; each entry is
	 *            read and cleared atomically, hardware may write at the same time.
	 * Return:    0, or, with nothing changed,
	 *   -UIOMMU_EINVAL      alignment, length 0, page_lg2 or a flag
	 *   -UIOMMU_ERANGE      beyond the input size
	 *   -UIOMMU_EOPNOTSUPP  the table was made without UIOMMU_PT_DIRTY
	 */
	int (*read_dirty)(struct uiommu_pt *pt, const struct uiommu_pt_dirty *d,
			  struct uiommu_gather *gather);

	/**
	 * free_tables() - uiommu_gather_free() for tables of this format
	 * @host: of the table they were part of
	 * @list: uiommu_gather.free_list, may be NULL
	 *
	 * Context: as uiommu_gather_free(), which is what to call.
	 */
	void (*free_tables)(const struct uiommu_host *host, void *list);
};

/*
 * Arm stage 1 and 2, by granule. Stage 1 entries are tagged with the ASID (nG), the
 * access flag is set, normal memory is inner shareable. What MAIR and TCR must hold
 * stands in src/pt/fmt/arm_lpae_regs.h. The 52-bit ones of 4 and 16 KiB need DS set;
 * that of 64 KiB serves 48 bits as well. A stage 2 root may be up to 16 tables long:
 * top_level, not ias_lg2 alone, says where hardware begins.
 */
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_4k_ops, uiommu_pt_arm_s2_4k_ops;
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_16k_ops, uiommu_pt_arm_s2_16k_ops;
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_64k_ops, uiommu_pt_arm_s2_64k_ops;
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_4k_52_ops, uiommu_pt_arm_s2_4k_52_ops;
extern const struct uiommu_pt_ops uiommu_pt_arm_s1_16k_52_ops, uiommu_pt_arm_s2_16k_52_ops;

/* RISC-V Sv39, Sv48, Sv57, and the second stages Sv39x4, Sv48x4, Sv57x4 */
extern const struct uiommu_pt_ops uiommu_pt_riscv_sv_ops, uiommu_pt_riscv_sv_x4_ops;

/* x86-64 with four or five levels (VT-d first stage, AMD v2); VT-d second stage; AMD v1 */
extern const struct uiommu_pt_ops uiommu_pt_x86_64_ops, uiommu_pt_vtd_ss_ops;
extern const struct uiommu_pt_ops uiommu_pt_amd_v1_ops;

#endif
