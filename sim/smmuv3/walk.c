/* SPDX-License-Identifier: MIT */
/*
 * walk.c - stage 1: an input address through the tables of a CD (VMSAv8-64), and
 * through stage 2 behind it where the STE says so
 *
 * Translation tables are the CPU's: 64-bit descriptors, 4, 16 or 64 KiB granule.
 */
#include "sim.h"

#define D_AP_UNPRIV	((uint64_t)1 << 6)	/* AP[1] */
#define D_AP_RO		((uint64_t)1 << 7)	/* AP[2] */
#define D_NG		((uint64_t)1 << 11)
#define D_PXN		((uint64_t)1 << 53)
#define D_UXN		((uint64_t)1 << 54)
#define D_PXN_TABLE	((uint64_t)1 << 59)
#define D_UXN_TABLE	((uint64_t)1 << 60)
#define D_AP_TABLE_NOUNPRIV ((uint64_t)1 << 61)
#define D_AP_TABLE_RO	((uint64_t)1 << 62)

#define ONLY_PRIV SIM_PERM_PRIV(SIM_PERM_R | SIM_PERM_W | SIM_PERM_X)

/* a race that is lost this often is given up */
#define MAX_TRIES 64

/* what the hierarchy takes away */
enum { NO_UNPRIV = 1, RO = 2, PXN = 4, UXN = 8 };

struct step {
	int level;
	unsigned shift;		/* an entry covers 2^shift bytes */
	uint64_t table, at, desc;	/* @at: where desc was read, before stage 2 */
	unsigned lim;
};

/* Ends in one of the four faults that CD.{A,R,S} govern. */
static enum sim_end fault(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, unsigned code)
{
	const struct sim_fault f = { .code = code, .class = SIM_CLASS_IN };

	return uiommu_sim_fault(s, t, &f);
}

static enum sim_end walk_eabt(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, uint64_t pa)
{
	const struct sim_fault f = { .class = SIM_CLASS_TT };

	uiommu_sim_event_walk_eabt(s, t, &f, pa);
	return SIM_ABORT;
}

static unsigned limits_of(uint64_t desc)
{
	return (desc & D_AP_TABLE_NOUNPRIV ? NO_UNPRIV : 0) | (desc & D_AP_TABLE_RO ? RO : 0) |
	       (desc & D_PXN_TABLE ? PXN : 0) | (desc & D_UXN_TABLE ? UXN : 0);
}

static void descend(const struct uiommu_sim_smmuv3 *s, const struct sim_tt *tt, struct step *st)
{
	st->table = sim_desc_addr(s, tt->granule_lg2, tt->ds, st->desc, tt->granule_lg2);
	st->level++;
	st->shift -= tt->granule_lg2 - 3;
	if (!tt->had)
		st->lim |= limits_of(st->desc);
}

static struct sim_tag tag_of(const struct sim_txn *t)
{
	return (struct sim_tag){ t->ste->regime, t->ste->vmid, t->cd->asid, t->cd->aset };
}

/* from the root, or from where the walk cache knows a table */
static void start(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, const struct sim_tt *tt,
		  uint64_t va, struct step *st)
{
	unsigned g = tt->granule_lg2;
	int root = 3 - (int)((tt->ias_lg2 - 1 - g) / (g - 3));
	struct sim_walk w = { .granule_lg2 = g };

	*st = (struct step){ .level = root, .shift = sim_level_shift(g, root) };
	/* the table is aligned to its size, and to 64 bytes where 52-bit bases are */
	st->table = tt->base & ~(((uint64_t)8 << (tt->ias_lg2 - st->shift)) - 1);
	if (!uiommu_sim_walk_find(s, tag_of(t), va, root, &w))
		return;
	*st = (struct step){ .level = w.level + 1, .shift = sim_level_shift(g, w.level + 1),
			     .table = w.table, .lim = w.limits };
}

/* @st has just descended */
static void keep(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, const struct sim_tt *tt,
		 uint64_t va, const struct step *st)
{
	uiommu_sim_walk_fill(s, tag_of(t), va, &(struct sim_walk){
		.granule_lg2 = tt->granule_lg2, .level = st->level - 1,
		.limits = st->lim, .table = st->table });
}

/* which entry of st->table: the root has as many as there are bits left */
static uint64_t entry_at(const struct sim_tt *tt, const struct step *st, uint64_t va)
{
	unsigned top = st->shift + tt->granule_lg2 - 3;

	if (top > tt->ias_lg2)
		top = tt->ias_lg2;
	return st->table + ((va & sim_bits(top - 1, st->shift)) >> st->shift) * 8;
}

static enum sim_end read_desc(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct step *st)
{
	uint64_t pa = st->at;
	enum sim_end end = uiommu_sim_fetch_addr(s, t, &pa, SIM_CLASS_TT, SIM_PERM_R);

	if (end != SIM_OK)
		return end;
	s->stats.pte_fetches++;
	if (uiommu_sim_read_words(s, pa, &st->desc, 1))
		return walk_eabt(s, t, pa);
	st->desc = sim_order(t->cd->big_endian, st->desc);
	return SIM_OK;
}

/* SIM_OK: st->desc is a leaf */
static enum sim_end walk(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, const struct sim_tt *tt,
			 uint64_t va, struct step *st)
{
	enum sim_end end;

	for (start(s, t, tt, va, st);; keep(s, t, tt, va, st)) {
		st->at = entry_at(tt, st, va);
		end = read_desc(s, t, st);
		if (end != SIM_OK)
			return end;
		if (!(st->desc & D_VALID))
			return fault(s, t, EVT_F_TRANSLATION);
		if (st->level == 3)
			return st->desc & D_TABLE ? SIM_OK : fault(s, t, EVT_F_TRANSLATION);
		if (!(st->desc & D_TABLE))
			return sim_block_allowed(s, tt->granule_lg2, tt->ds, st->level) ?
			       SIM_OK : fault(s, t, EVT_F_TRANSLATION);
		descend(s, tt, st);
		if (st->table >> t->cd->oas_lg2)
			return fault(s, t, EVT_F_ADDR_SIZE);
	}
}

static bool writable_clean(const struct sim_cd *cd, uint64_t desc)
{
	return cd->hd && desc & D_DBM && desc & D_AP_RO;
}

/* What a leaf grants: VMSAv8-64, EL1&0 (and EL2&0). Memory that unprivileged
 * accesses may write is never executable by privileged ones. @may_write: it is
 * writable, or becomes so by being written to (DBM): that is what counts for those. */
static unsigned two_privileges(const struct sim_cd *cd, const struct step *st, bool write,
			       bool may_write)
{
	bool unpriv = st->desc & D_AP_UNPRIV && !(st->lim & NO_UNPRIV);
	bool ux = !(st->desc & D_UXN) && !(st->lim & UXN);
	bool px = !(st->desc & D_PXN) && !(st->lim & PXN) && !(unpriv && may_write);
	unsigned p = 0;

	if (cd->wxn && may_write) {
		px = false;
		ux = ux && !unpriv;
	}
	if (unpriv)
		p |= SIM_PERM_R | (write ? SIM_PERM_W : 0);
	if (!(cd->pan && (unpriv || (cd->epan && ux))))
		p |= SIM_PERM_PRIV(SIM_PERM_R | (write ? SIM_PERM_W : 0));
	return p | (ux ? SIM_PERM_X : 0) | (px ? SIM_PERM_PRIV(SIM_PERM_X) : 0);
}

/* Regime EL2 has one privilege: AP[1] and PXN are not looked at. */
static unsigned permissions(const struct sim_cd *cd, const struct step *st, bool dirty)
{
	bool write = (dirty || !(st->desc & D_AP_RO)) && !(st->lim & RO), x;
	bool may_write = write || (writable_clean(cd, st->desc) && !(st->lim & RO));
	unsigned p;

	if (!cd->one_priv)
		return two_privileges(cd, st, write, may_write);
	x = !(st->desc & D_UXN) && !(st->lim & UXN) && !(cd->wxn && may_write);
	p = SIM_PERM_R | (write ? SIM_PERM_W : 0) | (x ? SIM_PERM_X : 0);
	return p | SIM_PERM_PRIV(p);
}

/* ---- hardware update ---- */

/* What the leaf has to become; it becomes dirty only for a write that is allowed. */
static uint64_t updated(const struct sim_txn *t, const struct step *st)
{
	uint64_t desc = st->desc;

	if (t->cd->ha)
		desc |= D_AF;
	if (t->write && writable_clean(t->cd, desc) &&
	    permissions(t->cd, st, true) & sim_need(t))
		desc &= ~D_AP_RO;
	return desc;
}

/* SIM_OK: st->desc is what memory holds; *again: it has changed, look again */
static enum sim_end update(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct step *st,
			   bool *again)
{
	bool be = t->cd->big_endian;
	uint64_t new = updated(t, st), old = sim_order(be, st->desc), pa = st->at;
	enum sim_end end;

	*again = false;
	if (new == st->desc)
		return SIM_OK;
	end = uiommu_sim_fetch_addr(s, t, &pa, SIM_CLASS_TT, SIM_PERM_R | SIM_PERM_W);
	if (end != SIM_OK)
		return end;
	if (s->env.cas64(s->env.ctx, pa, &old, sim_order(be, new)))
		return walk_eabt(s, t, pa);
	*again = old != sim_order(be, st->desc);
	st->desc = new;
	return SIM_OK;
}

static enum sim_end find_leaf(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			      const struct sim_tt *tt, uint64_t va, struct step *st)
{
	enum sim_end end;
	bool again;

	for (unsigned i = 0; i < MAX_TRIES; i++) {
		end = walk(s, t, tt, va, st);
		if (end != SIM_OK)
			return end;
		end = update(s, t, st, &again);
		if (end != SIM_OK || !again)
			return end;
	}
	return walk_eabt(s, t, st->at);
}

/* ---- both stages ---- */

/* The entry becomes one for both: the smaller of the two pages. */
static enum sim_end behind(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t va,
			   struct sim_tlb_entry *e)
{
	uint64_t ipa = e->pa + (va - e->va);
	struct sim_tlb_entry e2;
	enum sim_end end;

	if (!(e->perm1 & sim_need(t)))
		return SIM_OK;			/* stage 1 will say so */
	end = uiommu_sim_stage2(s, t, ipa, SIM_CLASS_IN, sim_need(t), &e2);
	if (end != SIM_OK)
		return end;
	if (e2.size_lg2 < e->size_lg2)
		e->size_lg2 = e2.size_lg2;
	e->va = va & ~sim_bits(e->size_lg2 - 1, 0);
	e->pa = (e2.pa + (ipa - e2.va)) & ~sim_bits(e->size_lg2 - 1, 0);
	e->perm2 = e2.perm2;
	e->clean |= e2.clean;
	uiommu_sim_tlb_fill(s, e);
	return SIM_OK;
}

static enum sim_end miss(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, const struct sim_tt *tt,
			 uint64_t va, struct sim_tlb_entry *e)
{
	const struct sim_cd *cd = t->cd;
	struct step st;
	enum sim_end end;

	if (tt->disabled)
		return fault(s, t, EVT_F_TRANSLATION);
	end = find_leaf(s, t, tt, va, &st);
	if (end != SIM_OK)
		return end;
	*e = (struct sim_tlb_entry){
		.va = va & ~sim_bits(st.shift - 1, 0),
		.pa = sim_desc_addr(s, tt->granule_lg2, tt->ds, st.desc, st.shift),
		.regime = t->ste->regime, .vmid = t->ste->vmid, .asid = cd->asid,
		.size_lg2 = (uint8_t)st.shift, .span_lg2 = (uint8_t)st.shift,
		.granule_lg2 = (uint8_t)tt->granule_lg2, .level = (uint8_t)st.level,
		.perm1 = (uint8_t)(permissions(cd, &st, false) & (tt->e0pd ? ONLY_PRIV : ~0u)),
		.perm2 = SIM_PERM_ALL,
		.global = !(st.desc & D_NG) || cd->one_priv, .aset = cd->aset,
		.clean = writable_clean(cd, st.desc),
	};
	if (e->pa >> cd->oas_lg2)
		return fault(s, t, EVT_F_ADDR_SIZE);
	if (!(st.desc & D_AF) && !cd->affd)
		return fault(s, t, EVT_F_ACCESS);
	if (t->split)
		return SIM_OK;
	if (t->ste->s2)
		return behind(s, t, va, e);
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
		*va = upper ? *va | sim_bits(63, 56) : *va & sim_bits(55, 0);
	return tt;
}

static bool in_range(const struct sim_tt *tt, uint64_t va)
{
	uint64_t above;

	if (tt->disabled)
		return true;		/* T*SZ is IGNORED; a hit may still translate */
	above = va & sim_bits(63, tt->ias_lg2);
	return above == (va >> 55 & 1 ? sim_bits(63, tt->ias_lg2) : 0);
}

/* A write to a page that hardware may make dirty, and a fault of stage 2, whose
 * IPA an entry does not hold, go to the tables again. */
static bool usable(const struct sim_txn *t, const struct sim_tlb_entry *e)
{
	unsigned need = sim_need(t);

	if (e->clean && t->write && !(e->perm1 & e->perm2 & need))
		return false;
	return !(e->perm1 & need) || e->perm2 & need;
}

enum sim_end uiommu_sim_stage1(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			       struct sim_tlb_entry *out)
{
	uint64_t va = t->addr;
	const struct sim_tt *tt = select_half(t->cd, &va);
	enum sim_end end;

	if (!in_range(tt, va) || (tt->e0pd && !t->priv))
		return fault(s, t, EVT_F_TRANSLATION);
	if (uiommu_sim_tlb_conflict(s, tag_of(t), va)) {
		uiommu_sim_event_tlb_conflict(s, t, false, 0);
		return SIM_ABORT;
	}
	if (!t->split && uiommu_sim_tlb_find(s, tag_of(t), va, out) && usable(t, out)) {
		s->stats.tlb_hits++;
	} else {
		s->stats.tlb_misses++;
		end = miss(s, t, tt, va, out);
		if (end != SIM_OK)
			return end;
	}
	return out->perm1 & sim_need(t) ? SIM_OK : fault(s, t, EVT_F_PERMISSION);
}
