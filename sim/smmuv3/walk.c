/* SPDX-License-Identifier: MIT */
/*
 * walk.c - stage 1: an input address through the tables of a CD (VMSAv8-64)
 *
 * Translation tables are the CPU's: 64-bit descriptors, 4, 16 or 64 KiB
 * granule. Nothing between the levels is cached.
 */
#include "sim.h"

/* bits of a descriptor; the CPU architecture's, so not in regs.def */
#define D_VALID		((uint64_t)1 << 0)
#define D_TABLE		((uint64_t)1 << 1)	/* at level 3: a page */
#define D_AP_UNPRIV	((uint64_t)1 << 6)	/* AP[1] */
#define D_AP_RO		((uint64_t)1 << 7)	/* AP[2] */
#define D_AF		((uint64_t)1 << 10)
#define D_NG		((uint64_t)1 << 11)
#define D_PXN		((uint64_t)1 << 53)
#define D_UXN		((uint64_t)1 << 54)
#define D_PXN_TABLE	((uint64_t)1 << 59)
#define D_UXN_TABLE	((uint64_t)1 << 60)
#define D_AP_TABLE_NOUNPRIV ((uint64_t)1 << 61)
#define D_AP_TABLE_RO	((uint64_t)1 << 62)

/* what the hierarchy takes away, as bits of a leaf */
struct limits {
	bool no_unpriv, ro, pxn, uxn;
};

struct step {
	unsigned level, shift;	/* an entry covers 2^shift bytes */
	uint64_t table, desc;
	struct limits lim;
};

/* Ends in one of the four faults that CD.A and CD.R govern. */
static enum sim_end fault(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			  const struct sim_cd *cd, unsigned code)
{
	if (cd->record)
		uiommu_sim_event_stage1(s, t, code);
	return cd->abort ? SIM_ABORT : SIM_RAZ_WI;
}

static uint64_t bits(unsigned hi, unsigned lo)
{
	return (~(uint64_t)0 >> (63 - hi)) & (~(uint64_t)0 << lo);
}

/* the address in a descriptor, for an output aligned to 2^lg2; a 64 KiB granule
 * with 52-bit outputs keeps bits 51:48 in 15:12 */
static uint64_t address(const struct sim_tt *tt, const struct sim_cd *cd, uint64_t desc,
			unsigned lg2)
{
	uint64_t pa = desc & bits(47, lg2);

	if (tt->granule_lg2 == 16 && cd->oas_lg2 == 52)
		pa |= (desc & bits(15, 12)) << 36;
	return pa;
}

static bool block_allowed(const struct sim_tt *tt, const struct sim_cd *cd, unsigned level)
{
	if (level == 2)
		return true;
	return level == 1 && (tt->granule_lg2 == 12 ||
			      (tt->granule_lg2 == 16 && cd->oas_lg2 == 52));
}

static void descend(const struct sim_tt *tt, const struct sim_cd *cd, struct step *st)
{
	st->table = address(tt, cd, st->desc, tt->granule_lg2);
	st->level++;
	st->shift -= tt->granule_lg2 - 3;
	if (tt->had)
		return;
	st->lim.no_unpriv |= !!(st->desc & D_AP_TABLE_NOUNPRIV);
	st->lim.ro |= !!(st->desc & D_AP_TABLE_RO);
	st->lim.pxn |= !!(st->desc & D_PXN_TABLE);
	st->lim.uxn |= !!(st->desc & D_UXN_TABLE);
}

static void start(const struct sim_tt *tt, struct step *st)
{
	unsigned stride = tt->granule_lg2 - 3, root_bits;

	st->level = 3 - (tt->ias_lg2 - 1 - tt->granule_lg2) / stride;
	st->shift = tt->granule_lg2 + stride * (3 - st->level);
	root_bits = tt->ias_lg2 - st->shift;
	/* the table is aligned to its size, and to 64 bytes where 52-bit bases are */
	st->table = tt->base & ~(((uint64_t)8 << root_bits) - 1);
}

/* SIM_OK: st->desc is a leaf */
static enum sim_end walk(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			 const struct sim_cd *cd, const struct sim_tt *tt, uint64_t va,
			 struct step *st)
{
	unsigned top = tt->ias_lg2;

	for (start(tt, st);; top = st->shift + tt->granule_lg2 - 3) {
		uint64_t pa = st->table + ((va & bits(top - 1, st->shift)) >> st->shift) * 8;

		s->stats.pte_fetches++;
		if (uiommu_sim_read_words(s, pa, &st->desc, 1)) {
			uiommu_sim_event_walk_eabt(s, t, pa);
			return SIM_ABORT;
		}
		if (!(st->desc & D_VALID))
			return fault(s, t, cd, EVT_F_TRANSLATION);
		if (st->level == 3)
			return st->desc & D_TABLE ? SIM_OK : fault(s, t, cd, EVT_F_TRANSLATION);
		if (!(st->desc & D_TABLE))
			return block_allowed(tt, cd, st->level) ?
			       SIM_OK : fault(s, t, cd, EVT_F_TRANSLATION);
		descend(tt, cd, st);
		if (st->table >> cd->oas_lg2)
			return fault(s, t, cd, EVT_F_ADDR_SIZE);
	}
}

/* What a leaf grants: VMSAv8-64, EL1&0. Memory that unprivileged accesses may
 * write is never executable by privileged ones. */
static unsigned permissions(const struct sim_cd *cd, const struct step *st)
{
	bool unpriv = st->desc & D_AP_UNPRIV && !st->lim.no_unpriv;
	bool write = !(st->desc & D_AP_RO) && !st->lim.ro;
	bool ux = !(st->desc & D_UXN) && !st->lim.uxn;
	bool px = !(st->desc & D_PXN) && !st->lim.pxn && !(unpriv && write);
	unsigned p = 0;

	if (cd->wxn && write) {
		px = false;
		ux = ux && !unpriv;
	}
	if (unpriv)
		p |= SIM_PERM_R | (write ? SIM_PERM_W : 0);
	if (!(cd->pan && unpriv))
		p |= SIM_PERM_PRIV(SIM_PERM_R | (write ? SIM_PERM_W : 0));
	return p | (ux ? SIM_PERM_X : 0) | (px ? SIM_PERM_PRIV(SIM_PERM_X) : 0);
}

static bool permitted(const struct sim_txn *t, const struct sim_tlb_entry *e)
{
	unsigned need = t->write ? SIM_PERM_W : t->inst ? SIM_PERM_X : SIM_PERM_R;

	return e->perm & (t->priv ? SIM_PERM_PRIV(need) : need);
}

static enum sim_end miss(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			 const struct sim_cd *cd, const struct sim_tt *tt, uint64_t va,
			 struct sim_tlb_entry *e)
{
	struct step st = { 0 };
	enum sim_end end;

	if (tt->disabled)
		return fault(s, t, cd, EVT_F_TRANSLATION);
	end = walk(s, t, cd, tt, va, &st);
	if (end != SIM_OK)
		return end;
	*e = (struct sim_tlb_entry){
		.va = va & ~bits(st.shift - 1, 0),
		.pa = address(tt, cd, st.desc, st.shift),
		.asid = cd->asid,
		.size_lg2 = (uint8_t)st.shift,
		.granule_lg2 = (uint8_t)tt->granule_lg2,
		.level = (uint8_t)st.level,
		.perm = (uint8_t)permissions(cd, &st),
		.global = !(st.desc & D_NG),
	};
	if (e->pa >> cd->oas_lg2)
		return fault(s, t, cd, EVT_F_ADDR_SIZE);
	if (!(st.desc & D_AF) && !cd->affd)
		return fault(s, t, cd, EVT_F_ACCESS);
	uiommu_sim_tlb_fill(s, e);
	return SIM_OK;
}

/* Bit 55 selects the half; what lies above its size must be a copy of that bit,
 * but the top byte is not looked at where TBI says so. */
static const struct sim_tt *select_half(const struct sim_cd *cd, uint64_t *va)
{
	bool upper = *va >> 55 & 1;
	const struct sim_tt *tt = &cd->tt[upper];

	if (tt->tbi)
		*va = upper ? *va | bits(63, 56) : *va & bits(55, 0);
	return tt;
}

static bool in_range(const struct sim_tt *tt, uint64_t va)
{
	uint64_t above;

	if (tt->disabled)
		return true;		/* T*SZ is IGNORED; a hit may still translate */
	above = va & bits(63, tt->ias_lg2);
	return above == (va >> 55 & 1 ? bits(63, tt->ias_lg2) : 0);
}

enum sim_end uiommu_sim_stage1(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			       const struct sim_cd *cd, struct sim_tlb_entry *out)
{
	uint64_t va = t->addr;
	const struct sim_tt *tt = select_half(cd, &va);
	struct sim_tlb_entry *hit;
	enum sim_end end;

	if (!in_range(tt, va))
		return fault(s, t, cd, EVT_F_TRANSLATION);
	hit = uiommu_sim_tlb_find(s, 0, cd->asid, va);
	if (hit) {
		s->stats.tlb_hits++;
		*out = *hit;
	} else {
		s->stats.tlb_misses++;
		end = miss(s, t, cd, tt, va, out);
		if (end != SIM_OK)
			return end;
	}
	return permitted(t, out) ? SIM_OK : fault(s, t, cd, EVT_F_PERMISSION);
}
