/* SPDX-License-Identifier: MIT */
/*
 * walkcache.c - table descriptors of both stages, held like translations
 *
 * What is kept is where the next table is and what the levels so far took away,
 * by the range of addresses that one entry of level 0, 1 or 2 covers. It has the
 * tags and the stamps of a translation, so what drops those by ASID, VMID or
 * regime drops these, in the same step. By address they go only with Leaf 0.
 *
 * Of a nested walk the addresses of stage 1's tables are IPAs here: stage 2 is
 * looked at for each of them.
 */
#include "tlb.h"

#define WAYS 4

/* word 1: page number, and what else a look-up compares; level -1 is kept as 3 */
enum { WALK_LEVEL = 52, WALK_REGIME = 54, WALK_GRANULE = 56 };

static uint64_t key_of(struct sim_tag tag, unsigned granule_lg2, int level, uint64_t va)
{
	unsigned shift = sim_level_shift(granule_lg2, level);

	return va >> shift << shift >> 12 | (uint64_t)(level & 3) << WALK_LEVEL |
	       (uint64_t)tag.regime << WALK_REGIME |
	       (uint64_t)(granule_lg2 - 12) << WALK_GRANULE;
}

static uint32_t ids_of(struct sim_tag tag)
{
	return tag.vmid | (uint32_t)tag.asid << 16;
}

static struct sim_walk_way *set_of(struct sim_tlb *tlb, uint64_t key, uint32_t ids)
{
	uint64_t hash = (key ^ (uint64_t)ids << 20) * 0x9e3779b97f4a7c15u;

	return &tlb->walks[(hash >> (64 - SIM_WALK_SETS_LG2)) * WAYS];
}

static struct sim_walk_way *find(struct sim_tlb *tlb, struct sim_tag tag, uint64_t key)
{
	struct sim_walk_way *w = set_of(tlb, key, ids_of(tag));

	for (unsigned i = 0; i < WAYS; i++)
		if (w[i].key == key && w[i].ids == ids_of(tag) && w[i].stamp &&
		    sim_tlb_younger(tlb, tag, false, w[i].stamp))
			return &w[i];
	return NULL;
}

bool uiommu_sim_walk_find(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			  int first_level, struct sim_walk *out)
{
	for (int level = 2; level >= first_level; level--) {
		uint64_t key = key_of(tag, out->granule_lg2, level, va);
		const struct sim_walk_way *w = find(&s->tlb, tag, key);

		if (!w)
			continue;
		out->level = level;
		out->table = w->table;
		out->limits = w->limits;
		return true;
	}
	return false;
}

/* It was not found just now, or the walk would have begun behind it. */
void uiommu_sim_walk_fill(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			  const struct sim_walk *walk)
{
	struct sim_tlb *tlb = &s->tlb;
	uint64_t key = key_of(tag, walk->granule_lg2, walk->level, va);
	struct sim_walk_way *w = &set_of(tlb, key, ids_of(tag))[tlb->walk_victim++ % WAYS];

	*w = (struct sim_walk_way){ .stamp = ++tlb->now, .key = key, .ids = ids_of(tag),
				    .limits = walk->limits, .table = walk->table };
	tlb->any_walk = true;
}

/* ---- by address ---- */

static bool matches(const struct sim_walk_way *w, const struct sim_tlb_match *m)
{
	int level = ((int)(w->key >> WALK_LEVEL & 3) + 1) % 4 - 1;
	unsigned granule = 12 + (w->key >> WALK_GRANULE & 7);
	uint64_t first = w->key << 12;
	uint64_t last = first | sim_bits(sim_level_shift(granule, level) - 1, 0);

	return w->stamp && (w->key >> WALK_REGIME & 3) == m->regime &&
	       (uint16_t)w->ids == m->vmid && (m->any_asid || w->ids >> 16 == m->asid) &&
	       first <= m->last && last >= m->first &&
	       (!m->granule_lg2 || granule == m->granule_lg2) &&
	       (!m->level || level < m->level);
}

/* one page: the places where its descriptors can be, for each granule */
static void drop_page(struct sim_tlb *tlb, const struct sim_tlb_match *m)
{
	struct sim_tag tag = { m->regime, m->vmid, m->asid, false };

	for (unsigned granule = 12; granule <= 16; granule += 2)
		for (int level = granule == 12 ? -1 : 0; level < 3; level++) {
			uint64_t key = key_of(tag, granule, level, m->first);
			struct sim_walk_way *w = set_of(tlb, key, ids_of(tag));

			for (unsigned i = 0; i < WAYS; i++)
				if (w[i].key == key && matches(&w[i], m))
					w[i].stamp = 0;
		}
}

void uiommu_sim_walk_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m)
{
	struct sim_tlb *tlb = &s->tlb;

	if (!tlb->any_walk)
		return;
	if (m->first >> 12 == m->last >> 12 && !m->any_asid) {
		drop_page(tlb, m);
		return;
	}
	for (unsigned i = 0; i < WAYS << SIM_WALK_SETS_LG2; i++)
		if (matches(&tlb->walks[i], m))
			tlb->walks[i].stamp = 0;
}
