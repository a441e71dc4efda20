/* SPDX-License-Identifier: MIT */
/*
 * cfgcache.c - the caches of L1STD, STE, L1CD and CD
 *
 * What was fetched stays, in whatever state it was (also invalid), until a
 * CMD_CFGI_* names it or its place is needed. CDs and L1CDs carry the cd_stamp
 * of the STE they were reached through: a new stamp drops all of them at once.
 */
#include "sim.h"

#define WAYS 4

static struct cfg_way *set_of(struct cfg_cache *c, uint64_t key, uint64_t *set)
{
	*set = (key * 0x9e3779b97f4a7c15u) >> 32 & ((1u << c->sets_lg2) - 1);
	return &c->ways[*set * WAYS];
}

struct cfg_way *uiommu_sim_cfg_find(struct cfg_cache *c, uint64_t key, uint64_t parent)
{
	uint64_t set;
	struct cfg_way *w = set_of(c, key, &set);

	for (unsigned i = 0; i < WAYS; i++)
		if (w[i].valid && w[i].key == key && w[i].parent == parent)
			return &w[i];
	return NULL;
}

static unsigned pick(struct cfg_cache *c, const struct cfg_way *w, uint64_t key, uint64_t set)
{
	for (unsigned i = 0; i < WAYS; i++)	/* one of an older parent is dead */
		if (w[i].valid && w[i].key == key)
			return i;
	for (unsigned i = 0; i < WAYS; i++)
		if (!w[i].valid)
			return i;
	return c->victim[set]++ % WAYS;
}

struct cfg_way *uiommu_sim_cfg_fill(struct cfg_cache *c, uint64_t key, uint64_t parent)
{
	uint64_t set;
	struct cfg_way *w = set_of(c, key, &set);

	w += pick(c, w, key, set);
	w->key = key;
	w->parent = parent;
	w->valid = true;
	return w;
}

void uiommu_sim_cfg_drop(struct cfg_cache *c, uint64_t key)
{
	uint64_t set;
	struct cfg_way *w = set_of(c, key, &set);

	for (unsigned i = 0; i < WAYS; i++)
		if (w[i].key == key)
			w[i].valid = false;
}

unsigned uiommu_sim_cfg_num_ways(const struct cfg_cache *c)
{
	return WAYS << c->sets_lg2;
}

void uiommu_sim_cfg_drop_range(struct cfg_cache *c, uint64_t first, uint64_t last)
{
	unsigned n = uiommu_sim_cfg_num_ways(c);

	if (last - first < n) {
		for (uint64_t k = first; k < last; k++)
			uiommu_sim_cfg_drop(c, k);
		uiommu_sim_cfg_drop(c, last);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (c->ways[i].key >= first && c->ways[i].key <= last)
			c->ways[i].valid = false;
}
