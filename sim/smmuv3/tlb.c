/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - translations, held until a command names them or room is needed
 *
 * Invalidating by ASID, by VMID or all is a note of the time: an entry that is
 * older than the note is gone. There is no entry for a translation that failed,
 * except that a permission fault is found on the entry of the page.
 */
#include "sim.h"

static struct sim_tlb_entry *set_of(struct sim_tlb *tlb, uint16_t vmid, uint32_t asid, uint64_t va,
				    unsigned size_lg2, uint64_t *set)
{
	uint64_t h = (va >> size_lg2) * 0x9e3779b97f4a7c15u;

	h ^= (asid * 0x85ebca77c2b2ae63u) ^ (vmid * 0xc2b2ae3d27d4eb4fu) ^ (uint64_t)size_lg2 << 40;
	*set = h >> 32 & ((1u << tlb->sets_lg2) - 1);
	return &tlb->ways[*set * SIM_TLB_WAYS];
}

/* global entries are hashed as if they had an ASID of their own */
static uint32_t hash_asid(bool global, uint16_t asid)
{
	return global ? 0x10000 : asid;
}

static unsigned asid_slot(uint16_t vmid, uint16_t asid)
{
	return (asid ^ vmid * 40503u) % SIM_TLB_ASID_SLOTS;
}

static bool alive(const struct sim_tlb *tlb, const struct sim_tlb_entry *e)
{
	if (!e->stamp || e->stamp < tlb->all_since || e->stamp < tlb->vmid_since[e->vmid])
		return false;
	return e->global || e->stamp >= tlb->asid_since[asid_slot(e->vmid, e->asid)];
}

static struct sim_tlb_entry *find_in_set(struct sim_tlb *tlb, uint16_t vmid, uint16_t asid,
					 bool global, uint64_t va, unsigned lg2)
{
	uint64_t set, base = va >> lg2 << lg2;
	struct sim_tlb_entry *e = set_of(tlb, vmid, hash_asid(global, asid), va, lg2, &set);

	for (unsigned i = 0; i < SIM_TLB_WAYS; i++, e++)
		if (e->va == base && e->size_lg2 == lg2 && e->vmid == vmid &&
		    e->global == global && (global || e->asid == asid) && alive(tlb, e))
			return e;
	return NULL;
}

struct sim_tlb_entry *uiommu_sim_tlb_find(struct uiommu_sim_smmuv3 *s, uint16_t vmid,
					  uint16_t asid, uint64_t va)
{
	struct sim_tlb *tlb = &s->tlb;
	struct sim_tlb_entry *e;

	for (uint64_t m = tlb->sizes; m; m &= m - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(m);

		e = find_in_set(tlb, vmid, asid, false, va, lg2);
		if (!e && tlb->any_global)
			e = find_in_set(tlb, vmid, asid, true, va, lg2);
		if (e)
			return e;
	}
	return NULL;
}

void uiommu_sim_tlb_fill(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_entry *new)
{
	struct sim_tlb *tlb = &s->tlb;
	unsigned i = 0;
	uint64_t set;
	struct sim_tlb_entry *w = set_of(tlb, new->vmid, hash_asid(new->global, new->asid), new->va,
					 new->size_lg2, &set);

	while (i < SIM_TLB_WAYS && alive(tlb, &w[i]))
		i++;
	if (i == SIM_TLB_WAYS)
		i = tlb->victim[set]++ % SIM_TLB_WAYS;
	w[i] = *new;
	w[i].stamp = tlb->now;
	tlb->sizes |= (uint64_t)1 << new->size_lg2;
	tlb->any_global |= new->global;
}

void uiommu_sim_tlb_drop_all(struct uiommu_sim_smmuv3 *s)
{
	s->tlb.all_since = ++s->tlb.now;
	s->tlb.sizes = 0;
	s->tlb.any_global = false;
}

void uiommu_sim_tlb_drop_vmid(struct uiommu_sim_smmuv3 *s, uint16_t vmid)
{
	s->tlb.vmid_since[vmid] = ++s->tlb.now;
}

void uiommu_sim_tlb_drop_asid(struct uiommu_sim_smmuv3 *s, uint16_t vmid, uint16_t asid)
{
	s->tlb.asid_since[asid_slot(vmid, asid)] = ++s->tlb.now;
}

static bool matches(const struct sim_tlb_entry *e, const struct sim_tlb_match *m)
{
	uint64_t e_last = e->va + (((uint64_t)1 << e->size_lg2) - 1);

	return e->vmid == m->vmid && (m->any_asid || e->global || e->asid == m->asid) &&
	       e->va <= m->last && e_last >= m->first &&
	       (!m->granule_lg2 || e->granule_lg2 == m->granule_lg2) &&
	       (!m->level || e->level == m->level);
}

/* the sets in which an entry for @va can be, for each size that is there */
static void drop_page(struct sim_tlb *tlb, const struct sim_tlb_match *m, uint64_t va,
		      unsigned lg2, bool global)
{
	uint64_t set;
	struct sim_tlb_entry *e = set_of(tlb, m->vmid, hash_asid(global, m->asid), va, lg2, &set);

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

	if (m->any_asid || (m->last - m->first) >> smallest > 1u << tlb->sets_lg2) {
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
