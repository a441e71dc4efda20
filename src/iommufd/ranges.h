/* SPDX-License-Identifier: MIT */
/*
 * ranges.h - disjoint, inclusive ranges of 64-bit numbers in a balanced tree
 *
 * A treap whose nodes are embedded in what they describe: inserting allocates
 * nothing, so unmapping and undoing cannot fail. Priorities come from a counter,
 * never from the keys, so a program cannot choose keys that make it degenerate.
 */
#ifndef UIOMMU_SRC_IOMMUFD_RANGES_H
#define UIOMMU_SRC_IOMMUFD_RANGES_H

#include <uiommu/types.h>

struct uiommu_range {
	uint64_t start, last;		/* inclusive; constant while in a tree */
	struct uiommu_range *left, *right;
	uint32_t prio;
};

struct uiommu_ranges {
	struct uiommu_range *root;
	uint32_t count;			/* of insertions: where priorities come from */
};

/* the lowest range that ends at or after @from, or NULL */
struct uiommu_range *uiommu_ranges_first(const struct uiommu_ranges *t, uint64_t from);
/* the lowest range that shares a number with [start, last], or NULL */
struct uiommu_range *uiommu_ranges_overlap(const struct uiommu_ranges *t, uint64_t start,
					   uint64_t last);
/* the one after @r, or NULL */
struct uiommu_range *uiommu_ranges_next(const struct uiommu_ranges *t,
					const struct uiommu_range *r);
/* @r must not overlap anything in @t */
void uiommu_ranges_insert(struct uiommu_ranges *t, struct uiommu_range *r);
void uiommu_ranges_remove(struct uiommu_ranges *t, struct uiommu_range *r);

#endif
