/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - translations, held until a command names them or room is needed
 *
 * Invalidating by ASID, by VMID or all is a note of the time: an entry that is
 * older than the note is gone. There is no entry for a translation that failed,
 * except that a permission fault is found on the entry of the page.
 */
#include "tlb.h"

/* ---- entries in and out of their places ---- */

static void pack(const struct sim_tlb_entry *e, uint64_t *w)
{
	w[0] = e->stamp;
	w[1] = sim_tlb_key(e->regime, e->global, e->va, e->size_lg2) |
	       (uint64_t)e->level << TLB_LEVEL | (uint64_t)e->clean << TLB_CLEAN;
	w[2] = e->vmid | (uint64_t)e->asid << 16 | (uint64_t)e->perm1 << TLB_PERM1 |
	       (uint64_t)e->perm2 << TLB_PERM2 | (uint64_t)e->span_lg2 << TLB_SPAN |
	       (uint64_t)(e->granule_lg2 - 12) << TLB_GRANULE | (uint64_t)e->device << TLB_DEVICE |
	       (uint64_t)e->aset << TLB_ASET;
	w[3] = e->pa;
}

static void unpack(const uint64_t *w, struct sim_tlb_entry *e)
{
	*e = (struct sim_tlb_entry){
		.stamp = w[0],
		.va = w[1] << 12, .pa = w[3],
		.size_lg2 = w[1] >> TLB_SIZE & 63, .regime = w[1] >> TLB_REGIME & 3,
		.global = w[1] >> TLB_GLOBAL & 1, .level = w[1] >> TLB_LEVEL & 3,
		.clean = w[1] >> TLB_CLEAN & 1,
		.vmid = (uint16_t)w[2], .asid = (uint16_t)(w[2] >> 16),
		.perm1 = w[2] >> TLB_PERM1 & SIM_PERM_ALL,
		.perm2 = w[2] >> TLB_PERM2 & SIM_PERM_ALL,
		.span_lg2 = w[2] >> TLB_SPAN & 63,
		.granule_lg2 = (uint8_t)(12 + (w[2] >> TLB_GRANULE & 7)),
		.device = w[2] >> TLB_DEVICE & 1, .aset = w[2] >> TLB_ASET & 1,
	};
}

static bool read_way(struct sim_tlb_way *w, struct sim_tlb_entry *e)
{
	uint64_t words[4];

	if (!sim_read_words4(w->w, words))
		return false;
	unpack(words, e);
	return true;
}

/* ---- look-up ---- */

static struct sim_tlb_way *find_in_set(struct sim_tlb *tlb, struct sim_tag tag, bool global,
				       uint64_t va, unsigned lg2, struct sim_tlb_entry *e)
{
	uint64_t w[4];
	struct sim_tlb_way *way = sim_tlb_probe(tlb, tag, global, va, lg2, w);

	if (way && e)
		unpack(w, e);
	return way;
}

bool uiommu_sim_tlb_find(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			 struct sim_tlb_entry *out)
{
	struct sim_tlb *tlb = &s->tlb;

	for (uint64_t m = tlb->sizes; m; m &= m - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(m);

		if (find_in_set(tlb, tag, false, va, lg2, out) ||
		    (tlb->any_global && find_in_set(tlb, tag, true, va, lg2, out)))
			return true;
	}
	return false;
}

bool uiommu_sim_tlb_conflict(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va)
{
	struct sim_tlb *tlb = &s->tlb;
	unsigned n = 0;

	if (!s->cfg.conflicts || s->cfg.bbml)
		return false;
	for (uint64_t m = tlb->sizes; m; m &= m - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(m);

		n += find_in_set(tlb, tag, false, va, lg2, NULL) != NULL;
		n += find_in_set(tlb, tag, true, va, lg2, NULL) != NULL;
	}
	return n > 1;
}

/* where it goes: over one for the same page, a free place, or the next victim */
static struct sim_tlb_way *place(struct sim_tlb *tlb, const struct sim_tlb_entry *new)
{
	struct sim_tag tag = { new->regime, new->vmid, new->asid, new->aset };
	struct sim_tlb_way *w = find_in_set(tlb, tag, new->global, new->va, new->size_lg2, NULL);
	uint64_t set = sim_tlb_set(tlb, tag, new->global, new->va, new->size_lg2);

	if (w)
		return w;
	w = &tlb->ways[set * SIM_TLB_WAYS];
	for (unsigned i = 0; i < SIM_TLB_WAYS; i++) {
		uint64_t words[4];

		if (!sim_read_words4(w[i].w, words) || !sim_tlb_alive(tlb, words))
			return &w[i];
	}
	return &w[tlb->victim[set]++ % SIM_TLB_WAYS];
}

void uiommu_sim_tlb_fill(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_entry *new)
{
	struct sim_tlb *tlb = &s->tlb;
	struct sim_tlb_way *way = place(tlb, new);
	uint64_t w[4];

	pack(new, w);
	w[0] = ++tlb->now;
	sim_write_words4(way->w, w);
	tlb->sizes |= (uint64_t)1 << new->size_lg2;
	if (new->global)
		tlb->any_global = true;
	tlb->any_cut |= new->size_lg2 < new->span_lg2;
}

/* ---- invalidation ---- */

void uiommu_sim_tlb_drop_regime(struct uiommu_sim_smmuv3 *s, enum sim_regime r)
{
	s->tlb.regime_since[r] = ++s->tlb.now;
}

void uiommu_sim_tlb_drop_vmid(struct uiommu_sim_smmuv3 *s, enum sim_regime r, uint16_t vmid)
{
	s->tlb.vmid_since[sim_vmid_slot(r, vmid)] = ++s->tlb.now;
}

void uiommu_sim_tlb_drop_asid(struct uiommu_sim_smmuv3 *s, struct sim_tag tag)
{
	s->tlb.asid_since[sim_asid_slot(tag.regime, tag.vmid, tag.asid)] = ++s->tlb.now;
}

/* All that came of one leaf of stage 1 goes with any address of it. */
static bool matches(const struct sim_tlb_entry *e, const struct sim_tlb_match *m)
{
	uint64_t span = ((uint64_t)1 << e->span_lg2) - 1, first = e->va & ~span;

	return e->regime == m->regime && e->vmid == m->vmid &&
	       (m->any_asid || e->global || e->asid == m->asid) &&
	       first <= m->last && first + span >= m->first &&
	       (!m->granule_lg2 || e->granule_lg2 == m->granule_lg2) &&
	       (!m->level || e->level == m->level);
}

static void drop_way(struct sim_tlb_way *w, const struct sim_tlb_match *m)
{
	struct sim_tlb_entry e;

	if (read_way(w, &e) && matches(&e, m))
		w->w[0] = 0;
}

/* the set in which an entry for @va can be, for each size that is there */
static void drop_page(struct sim_tlb *tlb, const struct sim_tlb_match *m, uint64_t va,
		      unsigned lg2, bool global)
{
	struct sim_tag tag = { m->regime, m->vmid, m->asid, false };
	uint64_t set = sim_tlb_set(tlb, tag, global, va, lg2);

	for (unsigned i = 0; i < SIM_TLB_WAYS; i++)
		drop_way(&tlb->ways[set * SIM_TLB_WAYS + i], m);
}

static void drop_by_scan(struct sim_tlb *tlb, const struct sim_tlb_match *m)
{
	for (unsigned i = 0; i < (unsigned)SIM_TLB_WAYS << tlb->sets_lg2; i++)
		drop_way(&tlb->ways[i], m);
}

void uiommu_sim_tlb_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m)
{
	struct sim_tlb *tlb = &s->tlb;
	uint64_t all = tlb->sizes;
	unsigned smallest = all ? (unsigned)__builtin_ctzll(all) : 12;

	if (m->any_asid || (tlb->any_cut && m->regime == SIM_NH) ||
	    (m->last - m->first) >> smallest > 1u << tlb->sets_lg2) {
		drop_by_scan(tlb, m);
		return;
	}
	for (uint64_t sizes = all; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		for (uint64_t p = m->first >> lg2; p <= m->last >> lg2; p++) {
			drop_page(tlb, m, p << lg2, lg2, false);
			drop_page(tlb, m, p << lg2, lg2, true);
		}
	}
}
