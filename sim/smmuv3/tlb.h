/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - the part of a look-up that is the same with and without env->lock
 */
#ifndef SIM_SMMUV3_TLB_H
#define SIM_SMMUV3_TLB_H

#include "sim.h"

/* word 1: page number, and up to TLB_GLOBAL what a look-up compares */
enum { TLB_SIZE = 52, TLB_REGIME = 58, TLB_GLOBAL = 60, TLB_LEVEL = 61, TLB_CLEAN = 63 };
/* word 2: VMID, ASID, and what is granted */
enum {
	TLB_PERM1 = 32, TLB_PERM2 = 38, TLB_SPAN = 44, TLB_GRANULE = 50, TLB_DEVICE = 53,
	TLB_ASET = 54,
};
#define TLB_KEY (((uint64_t)1 << TLB_LEVEL) - 1)

static inline uint64_t sim_tlb_key(enum sim_regime r, bool global, uint64_t va, unsigned lg2)
{
	return (va >> lg2 << lg2) >> 12 | (uint64_t)lg2 << TLB_SIZE |
	       (uint64_t)r << TLB_REGIME | (uint64_t)global << TLB_GLOBAL;
}

static inline uint64_t sim_tlb_set(const struct sim_tlb *tlb, struct sim_tag tag, bool global,
				   uint64_t va, unsigned lg2)
{
	uint64_t salt = (uint64_t)tag.vmid << 20 ^ (uint64_t)tag.regime << 38 ^
			(uint64_t)lg2 << 42 ^ (global ? (uint64_t)1 << 41 : tag.asid);

	return ((va >> lg2) ^ salt << 6) * 0x9e3779b97f4a7c15u >> 1 >> (63 - tlb->sets_lg2);
}

static inline unsigned sim_vmid_slot(enum sim_regime r, uint16_t vmid)
{
	return (unsigned)r << 16 | vmid;
}

static inline unsigned sim_asid_slot(enum sim_regime r, uint16_t vmid, uint16_t asid)
{
	return (asid ^ vmid * 40503u ^ (unsigned)r * 30011u) % SIM_TLB_ASID_SLOTS;
}

/* is an entry with this tag younger than the last invalidation that named it? */
static inline bool sim_tlb_younger(struct sim_tlb *tlb, struct sim_tag tag, bool global,
				   uint64_t stamp)
{
	const memory_order o = memory_order_acquire;
	unsigned vmid = sim_vmid_slot(tag.regime, tag.vmid);
	unsigned asid = sim_asid_slot(tag.regime, tag.vmid, tag.asid);

	return stamp >= atomic_load_explicit(&tlb->regime_since[tag.regime], o) &&
	       stamp >= atomic_load_explicit(&tlb->vmid_since[vmid], o) &&
	       (global || stamp >= atomic_load_explicit(&tlb->asid_since[asid], o));
}

static inline bool sim_tlb_alive(struct sim_tlb *tlb, const uint64_t *w)
{
	struct sim_tag tag = { (enum sim_regime)(w[1] >> TLB_REGIME & 3), (uint16_t)w[2],
			       (uint16_t)(w[2] >> 16), false };

	return sim_tlb_younger(tlb, tag, w[1] >> TLB_GLOBAL & 1, w[0]);
}

/* NULL, or the place, and in @w what it holds */
static inline struct sim_tlb_way *sim_tlb_probe(struct sim_tlb *tlb, struct sim_tag tag,
						bool global, uint64_t va, unsigned lg2, uint64_t *w)
{
	uint64_t key = sim_tlb_key(tag.regime, global, va, lg2);
	uint64_t ids = tag.vmid | (uint64_t)tag.asid << 16 | (uint64_t)tag.aset << TLB_ASET;
	uint64_t mask = global ? 0xffff | (uint64_t)1 << TLB_ASET : ~0u;
	struct sim_tlb_way *way = &tlb->ways[sim_tlb_set(tlb, tag, global, va, lg2) * SIM_TLB_WAYS];

	for (unsigned i = 0; i < SIM_TLB_WAYS; i++, way++) {
		w[0] = atomic_load_explicit(&way->w[0], memory_order_acquire);
		w[1] = atomic_load_explicit(&way->w[1], memory_order_acquire);
		if ((w[1] ^ key) & TLB_KEY)
			continue;
		w[2] = atomic_load_explicit(&way->w[2], memory_order_acquire);
		w[3] = atomic_load_explicit(&way->w[3], memory_order_acquire);
		if (w[0] && w[0] == atomic_load_explicit(&way->w[0], memory_order_relaxed) &&
		    !((w[2] ^ ids) & mask) && sim_tlb_younger(tlb, tag, global, w[0]))
			return way;
	}
	return NULL;
}

#endif
