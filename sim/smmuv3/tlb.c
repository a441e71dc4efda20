/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - translations, held until a command names them or room is needed
 *
 * Invalidating by ASID, by VMID or all is a note of the time: an entry that is
 * older than the note is gone. There is no entry for a translation that failed,
 * except that a permission fault is found on the entry of the page.
 */
#include "sim.h"

static struct sim_tlb_entry *set_of(struct sim_tlb *tlb, struct sim_tag tag, bool global,
				    uint64_t va, unsigned size_lg2, uint64_t *set)
{
	uint64_t h = (va >> size_lg2) * 0x9e3779b97f4a7c15u;
	uint32_t asid = global ? 0x10000 : tag.asid;	/* as if they had one of their own */

	h ^= (asid * 0x85ebca77c2b2ae63u) ^ (tag.vmid * 0xc2b2ae3d27d4eb4fu) ^
	     (uint64_t)size_lg2 << 40 ^ (uint64_t)tag.regime << 37;
	*set = h >> 32 & ((1u << tlb->sets_lg2) - 1);
	return &tlb->ways[*set * SIM_TLB_WAYS];
}

static unsigned vmid_slot(enum sim_regime r, uint16_t vmid)
{
	return (unsigned)r << 16 | vmid;
}

static unsigned asid_slot(enum sim_regime r, uint16_t vmid, uint16_t asid)
{
	return (asid ^ vmid * 40503u ^ (unsigned)r * 30011u) % SIM_TLB_ASID_SLOTS;
}

static bool alive(const struct sim_tlb *tlb, const struct sim_tlb_entry *e)
{
	if (!e->stamp || e->stamp < tlb->regime_since[e->regime] ||
	    e->stamp < tlb->vmid_since[vmid_slot(e->regime, e->vmid)])
		return false;
	return e->global || e->stamp >= tlb->asid_since[asid_slot(e->regime, e->vmid, e->asid)];
}

static struct sim_tlb_entry *find_in_set(struct sim_tlb *tlb, struct sim_tag tag, bool global,
					 uint64_t va, unsigned lg2)
{
	uint64_t set, base = va >> lg2 << lg2;
	struct sim_tlb_entry *e = set_of(tlb, tag, global, va, lg2, &set);

	for (unsigned i = 0; i < SIM_TLB_WAYS; i++, e++)
		if (e->va == base && e->size_lg2 == lg2 && e->regime == tag.regime &&
		    e->vmid == tag.vmid && e->global == global &&
		    (global || e->asid == tag.asid) && alive(tlb, e))
			return e;
	return NULL;
}

struct sim_tlb_entry *uiommu_sim_tlb_find(struct uiommu_sim_smmuv3 *s, struct sim_tag tag,
					  uint64_t va)
{
	struct sim_tlb *tlb = &s->tlb;
	struct sim_tlb_entry *e;

	for (uint64_t m = tlb->sizes; m; m &= m - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(m);

		e = find_in_set(tlb, tag, false, va, lg2);
		if (!e && tlb->any_global)
			e = find_in_set(tlb, tag, true, va, lg2);
		if (e)
			return e;
	}
	return NULL;
}

/* where it goes: over one for the same page, a free place, or the next victim */
static struct sim_tlb_entry *place(struct sim_tlb *tlb, const struct sim_tlb_entry *new)
{
	struct sim_tag tag = { new->regime, new->vmid, new->asid };
	struct sim_tlb_entry *w = find_in_set(tlb, tag, new->global, new->va, new->size_lg2);
	uint64_t set;

	if (w)
		return w;
	w = set_of(tlb, tag, new->global, new->va, new->size_lg2, &set);
	for (unsigned i = 0; i < SIM_TLB_WAYS; i++)
		if (!alive(tlb, &w[i]))
			return &w[i];
	return &w[tlb->victim[set]++ % SIM_TLB_WAYS];
}

void uiommu_sim_tlb_fill(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_entry *new)
{
	struct sim_tlb *tlb = &s->tlb;
	struct sim_tlb_entry *w = place(tlb, new);

	*w = *new;
	w->stamp = tlb->now;
	tlb->sizes |= (uint64_t)1 << new->size_lg2;
	tlb->any_global |= new->global;
	tlb->any_cut |= new->size_lg2 < new->span_lg2;
}

void uiommu_sim_tlb_drop_regime(struct uiommu_sim_smmuv3 *s, enum sim_regime r)
{
	s->tlb.regime_since[r] = ++s->tlb.now;
}

void uiommu_sim_tlb_drop_vmid(struct uiommu_sim_smmuv3 *s, enum sim_regime r, uint16_t vmid)
{
	s->tlb.vmid_since[vmid_slot(r, vmid)] = ++s->tlb.now;
}

void uiommu_sim_tlb_drop_asid(struct uiommu_sim_smmuv3 *s, struct sim_tag tag)
{
	s->tlb.asid_since[asid_slot(tag.regime, tag.vmid, tag.asid)] = ++s->tlb.now;
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

/* the sets in which an entry for @va can be, for each size that is there */
static void drop_page(struct sim_tlb *tlb, const struct sim_tlb_match *m, uint64_t va,
		      unsigned lg2, bool global)
{
	struct sim_tag tag = { m->regime, m->vmid, m->asid };
	uint64_t set;
	struct sim_tlb_entry *e = set_of(tlb, tag, global, va, lg2, &set);

	for (unsigned i = 0; i < SIM_TLB_WAYS; i++, e++)
		if (e->stamp && matches(e, m))
			e->stamp = 0;
}

static void drop_by_scan(struct sim_tlb *tlb, const struct sim_tlb_match *m)
{
	for (unsigned i = 0; i < (unsigned)SIM_TLB_WAYS << tlb->sets_lg2; i++)
		if (tlb->ways[i].stamp && matches(&tlb->ways[i], m))
			tlb->ways[i].stamp = 0;
}

void uiommu_sim_tlb_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m)
{
	struct sim_tlb *tlb = &s->tlb;
	unsigned smallest = tlb->sizes ? (unsigned)__builtin_ctzll(tlb->sizes) : 12;

	if (m->any_asid || (tlb->any_cut && m->regime == SIM_NH) ||
	    (m->last - m->first) >> smallest > 1u << tlb->sets_lg2) {
		drop_by_scan(tlb, m);
		return;
	}
	for (uint64_t sizes = tlb->sizes; sizes; sizes &= sizes - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(sizes);

		for (uint64_t p = m->first >> lg2; p <= m->last >> lg2; p++) {
			drop_page(tlb, m, p << lg2, lg2, false);
			drop_page(tlb, m, p << lg2, lg2, true);
		}
	}
}
