/* SPDX-License-Identifier: MIT */
/*
 * src/pt/desc.h - what the walker must know about a format
 *
 * Every instance has one `static const` descriptor. It is given to always_inline
 * code in the same translation unit, so each member folds to a constant and each
 * function below to a few instructions: no indirect call is left but the host's.
 *
 * Levels count from the leaves: level 0 is the table whose entries are pages.
 *
 * A leaf is one entry, or a run: 2^run neighbours in one table which together say
 * one larger page (Arm's contiguous bit, RISC-V's NAPOT, AMD's coded sizes).
 */
#ifndef UIOMMU_PT_DESC_H
#define UIOMMU_PT_DESC_H

#include <uiommu/pt.h>

#include "../port/port.h"

#define PT_MAX_LEVELS 6

/* Attribute bits of a leaf, already in the format's own encoding. A structure, so
 * that bits of one format cannot be handed to another or mistaken for PROT_*. */
struct pt_attr {
	uint64_t bits;
};

/* pt_desc.feat */
#define PT_SIGN_EXT	(1u << 0)	/* addresses are canonical: the top bit repeats */
#define PT_GROW		(1u << 1)	/* levels are added above as addresses need them */
#define PT_SMALL_ROOT	(1u << 2)	/* a root has only the entries that can be reached */
/* Entries of successive pages differ by a constant. Not where the upper bits of an
 * address stand apart, nor in a run whose entries are all the same. */
#define PT_LINEAR	(1u << 3)
#define PT_RUN_SAME	(1u << 4)	/* all entries of a run are the same */

struct pt_desc {
	unsigned granule_lg2;	/* bytes of a table and of the smallest page, log2 */
	unsigned index_bits;	/* address bits that one level resolves */
	unsigned max_level;	/* level of the highest root */
	unsigned min_top;	/* level of the lowest */
	unsigned root_bits;	/* address bits that a root may resolve beyond index_bits */
	unsigned feat;		/* PT_* */
	unsigned ias_min, ias_max, oas_min, oas_max;
	uint64_t ias_only;	/* bit n: n input bits exist; 0: all from min to max */
	uint64_t pgsizes;	/* bit n: a leaf of 2^n bytes exists, always */
	uint64_t contig;	/* bit n: and, as a run, where hardware takes the hint */
	uint64_t wide;		/* bit n: and, where addresses have oas_max bits */
	unsigned prot;		/* UIOMMU_PROT_* that the format takes */
	uint64_t run_mask;	/* bits of which one at least is set in each entry of a run,
				   and none in a leaf of its own */
	/* A bit that hardware ignores in a table entry and that says "this entry has
	 * been cleaned to memory"; used on hosts with cache_clean only. */
	uint64_t table_clean;

	uint64_t (*present)(uint64_t e);		/* in bit 0; other bits: anything */
	bool (*leaf)(uint64_t e, unsigned lvl);		/* of a present entry, above level 0 */
	bool (*table)(uint64_t e);			/* above level 0: present and no leaf */
	/* what a present entry points to: a page, a block or the next table. It gets
	 * the level because formats place bits differently by size */
	uint64_t (*oa)(uint64_t e, unsigned lvl);
	uint64_t (*next)(uint64_t e);			/* of a table; NULL: oa() does */
	unsigned (*run)(uint64_t e, unsigned lvl);	/* of a leaf; NULL: there are none */
	/* @dirty: hardware marks the leaf when it is written; it starts as marked */
	struct pt_attr (*attr)(unsigned prot, bool dirty);
	uint64_t (*mk_leaf)(uint64_t pa, unsigned lvl, unsigned run, struct pt_attr a);
	struct pt_attr (*get_attr)(uint64_t e, unsigned lvl);	/* back from a leaf */
	uint64_t (*mk_table)(uint64_t pa, unsigned lvl);	/* lvl: of the entry */
	bool (*is_dirty)(uint64_t e);
	uint64_t (*mk_clean)(uint64_t e);
};

#endif
