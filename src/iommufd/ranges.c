/* SPDX-License-Identifier: MIT */
/*
 * ranges.c - the treap of ranges.h
 */
#include "ranges.h"

struct uiommu_range *uiommu_ranges_first(const struct uiommu_ranges *t, uint64_t from)
{
	struct uiommu_range *n = t->root, *best = NULL;

	while (n) {
		if (n->last >= from) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct uiommu_range *uiommu_ranges_overlap(const struct uiommu_ranges *t, uint64_t start,
					   uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_first(t, start);

	return r && r->start <= last ? r : NULL;
}

struct uiommu_range *uiommu_ranges_next(const struct uiommu_ranges *t,
					const struct uiommu_range *r)
{
	return r->last == UINT64_MAX ? NULL : uiommu_ranges_first(t, r->last + 1);
}

/* A bijection of 32 bits that looks random: equal counts never repeat early. */
static uint32_t mix(uint32_t x)
{
	x = (x ^ (x >> 16)) * 0x7feb352du;
	x = (x ^ (x >> 15)) * 0x846ca68bu;
	return x ^ (x >> 16);
}

void uiommu_ranges_insert(struct uiommu_ranges *t, struct uiommu_range *r)
{
	struct uiommu_range **link = &t->root, **lo = &r->left, **hi = &r->right, *n;

	r->prio = mix(++t->count);
	while (*link && (*link)->prio >= r->prio)
		link = r->start < (*link)->start ? &(*link)->left : &(*link)->right;
	n = *link;
	*link = r;
	while (n) {
		if (n->start < r->start) {
			*lo = n;
			lo = &n->right;
			n = n->right;
		} else {
			*hi = n;
			hi = &n->left;
			n = n->left;
		}
	}
	*lo = NULL;
	*hi = NULL;
}

void uiommu_ranges_remove(struct uiommu_ranges *t, struct uiommu_range *r)
{
	struct uiommu_range **link = &t->root, *a = r->left, *b = r->right;

	while (*link != r)
		link = r->start < (*link)->start ? &(*link)->left : &(*link)->right;
	while (a && b) {
		if (a->prio > b->prio) {
			*link = a;
			link = &a->right;
			a = a->right;
		} else {
			*link = b;
			link = &b->left;
			b = b->left;
		}
	}
	*link = a ? a : b;
	r->left = NULL;
	r->right = NULL;
}
