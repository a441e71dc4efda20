/* SPDX-License-Identifier: MIT */
/*
 * src/pt/desc.h - what the walker must know about a format
 *
 * Every instance has one `static const` descriptor. It is given to always_inline
 * code in the same translation unit, so each member folds to a constant and each
 * function below to a few instructions: no indirect call is left but the host's.
 *
 * Levels count from the leaves: level 0 is the table whose entries are pages.
 */
#ifndef UIOMMU_PT_DESC_H
#define UIOMMU_PT_DESC_H

#include <uiommu/pt.h>

#include "../port/port.h"

#define PT_MAX_LEVELS 5

/* Attribute bits of a leaf, already in the format's own encoding. A structure, so
 * that bits of one format cannot be handed to another or mistaken for PROT_*. */
struct pt_attr {
	uint64_t bits;
};

struct pt_desc {
	unsigned granule_lg2;	/* bytes of a table and of the smallest page, log2 */
	unsigned index_bits;	/* address bits that one level resolves */
	unsigned max_level;	/* level of the root at ias_max */
	unsigned ias_min, ias_max, oas_min, oas_max;
	uint64_t pgsizes;	/* bit n: a leaf of 2^n bytes exists */
	unsigned prot;		/* UIOMMU_PROT_* that the format can say */
	/* A bit that hardware ignores in a table entry and that says "this entry has
	 * been cleaned to memory"; used on hosts with cache_clean only. */
	uint64_t table_clean;

	bool (*present)(uint64_t e);
	bool (*leaf)(uint64_t e, unsigned lvl);		/* of a present entry */
	/* what a present entry points to: a page, a block or the next table. It gets
	 * the level because a 52-bit format places the top bits differently by size */
	uint64_t (*oa)(uint64_t e, unsigned lvl);
	struct pt_attr (*attr)(unsigned prot);
	uint64_t (*mk_leaf)(uint64_t pa, unsigned lvl, struct pt_attr a);
	uint64_t (*mk_table)(uint64_t pa);
};

#endif
