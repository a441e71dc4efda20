/* SPDX-License-Identifier: MIT */
/*
 * hit.c - a hit, without a lock
 *
 * The caller has marked itself (inflight.c) before it looks, so a CMD_SYNC waits
 * for what it finds. What is found here was found with env->lock held before; all
 * that is not as simple as that (faults, clean pages, bypass, another
 * configuration) is left to the slow way, which reports it.
 */
#include "tlb.h"

/* what a context says, from bit: */
enum {
	CTX_ASID = 16, CTX_REGIME = 32, CTX_PRIV = 34, CTX_INST = 36,
	CTX_HALF0 = 38, CTX_HALF1 = 47, CTX_ASET = 56,
};
/* of a half: disabled, tbi, bits */
enum { HALF_OFF = 1, HALF_TBI = 2, HALF_IAS = 2 };

static uint64_t ctx_key(const struct uiommu_sim_access *a)
{
	return a->stream_id | (a->ssv ? (uint64_t)(a->substream_id & 0xfffff) << 32 |
			       (uint64_t)1 << 52 : 0);
}

static struct sim_ctx *ctx_at(const struct sim_tlb *tlb, uint64_t key)
{
	return &tlb->ctx[(key * 0x9e3779b97f4a7c15u) >> (64 - SIM_CTX_LG2)];
}

/* ---- filling ---- */

static uint64_t half(const struct sim_tt *tt)
{
	return (tt->disabled ? HALF_OFF : 0) | (tt->tbi ? HALF_TBI : 0) |
	       (uint64_t)tt->ias_lg2 << HALF_IAS;
}

void uiommu_sim_ctx_fill(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			 const struct sim_txn *t)
{
	uint64_t key = ctx_key(a), w[4] = { 0, key };
	const struct sim_ste *ste = t->ste;

	if (!ste || a->translated || (a->ssv && a->substream_id >> 20))
		return;
	if (t->cd)
		w[2] = ste->vmid | (uint64_t)t->cd->asid << CTX_ASID |
		       (uint64_t)ste->regime << CTX_REGIME | half(&t->cd->tt[0]) << CTX_HALF0 |
		       half(&t->cd->tt[1]) << CTX_HALF1 | (uint64_t)t->cd->aset << CTX_ASET;
	else if (ste->s2)
		w[2] = ste->vmid | (uint64_t)SIM_STAGE2 << CTX_REGIME |
		       (uint64_t)HALF_OFF << CTX_HALF0 | (uint64_t)HALF_OFF << CTX_HALF1;
	else
		return;
	w[2] |= (uint64_t)ste->privcfg << CTX_PRIV | (uint64_t)ste->instcfg << CTX_INST;
	w[0] = ++s->tlb.now;
	sim_write_words4(ctx_at(&s->tlb, key)->w, w);
}

void uiommu_sim_ctx_drop(struct uiommu_sim_smmuv3 *s)
{
	s->tlb.cfg_since = ++s->tlb.now;
	s->enabled = sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)) && !s->failed && !s->cfg.conflicts;
}

/* ---- looking ---- */

static inline bool find_ctx(struct sim_tlb *tlb, const struct uiommu_sim_access *a, uint64_t *w)
{
	uint64_t key = ctx_key(a);

	return sim_read_words4(ctx_at(tlb, key)->w, w) && w[1] == key &&
	       w[0] >= atomic_load_explicit(&tlb->cfg_since, memory_order_acquire);
}

/* as select_half() and in_range() of walk.c */
static inline bool address_ok(uint64_t ctx, uint64_t *va)
{
	bool upper = *va >> 55 & 1;
	unsigned h = ctx >> (upper ? CTX_HALF1 : CTX_HALF0) & 0x1ff;

	if (h & HALF_TBI)
		*va = upper ? *va | sim_bits(63, 56) : *va & sim_bits(55, 0);
	return h & HALF_OFF || (uint64_t)((int64_t)*va >> (h >> HALF_IAS)) == -(uint64_t)upper;
}

/* as override() of dma.c */
static inline unsigned need_of(uint64_t ctx, const struct uiommu_sim_access *a)
{
	unsigned privcfg = ctx >> CTX_PRIV & 3, instcfg = ctx >> CTX_INST & 3;
	bool priv = privcfg < STE_PRIVCFG_UNPRIV ? a->priv : privcfg == STE_PRIVCFG_PRIV;
	bool inst = instcfg < STE_INSTCFG_DATA ? a->exec : instcfg == STE_INSTCFG_INSTRUCTION;
	unsigned need = a->write ? SIM_PERM_W : inst ? SIM_PERM_X : SIM_PERM_R;

	return priv ? SIM_PERM_PRIV(need) : need;
}

static inline bool find_entry(struct sim_tlb *tlb, struct sim_tag tag, uint64_t va, uint64_t *w)
{
	uint64_t m = atomic_load_explicit(&tlb->sizes, memory_order_relaxed);

	for (; m; m &= m - 1) {
		unsigned lg2 = (unsigned)__builtin_ctzll(m);

		if (sim_tlb_probe(tlb, tag, false, va, lg2, w) ||
		    (atomic_load_explicit(&tlb->any_global, memory_order_relaxed) &&
		     sim_tlb_probe(tlb, tag, true, va, lg2, w)))
			return true;
	}
	return false;
}

static inline void count(struct sim_slot *slot)
{
	uint64_t n = atomic_load_explicit(&slot->hits, memory_order_relaxed);

	atomic_store_explicit(&slot->hits, n + 1, memory_order_relaxed);
}

static inline bool hit(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
		       uint64_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *out)
{
	uint64_t c[4], w[4], va = iova, offset;
	struct sim_tag tag;
	unsigned lg2;

	if (a->translated || a->unsupported || (a->ssv && a->substream_id >> 20) ||
	    !atomic_load_explicit(&s->enabled, memory_order_acquire) ||
	    !find_ctx(&s->tlb, a, c) || !address_ok(c[2], &va))
		return false;
	tag = (struct sim_tag){ (enum sim_regime)(c[2] >> CTX_REGIME & 3), (uint16_t)c[2],
				(uint16_t)(c[2] >> CTX_ASID), c[2] >> CTX_ASET & 1 };
	if (!find_entry(&s->tlb, tag, va, w) ||
	    !((w[2] >> TLB_PERM1) & (w[2] >> TLB_PERM2) & need_of(c[2], a)))
		return false;
	lg2 = w[1] >> TLB_SIZE & 63;
	offset = va & (((uint64_t)1 << lg2) - 1);
	*out = (struct uiommu_sim_xlat){ .pa = w[3] + offset,
					 .bytes = ((uint64_t)1 << lg2) - offset };
	count(slot);
	return true;
}

bool uiommu_sim_hit(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
		    uint64_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *out)
{
	return hit(s, a, iova, slot, out);
}

/* ---- ports ---- */

int uiommu_sim_smmuv3_begin(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port,
			    const struct uiommu_sim_access *a, struct uiommu_sim_xlat *out)
{
	struct sim_slot *slot = (struct sim_slot *)port;
	enum sim_end end;

	sim_mark_port(s, slot);
	if (hit(s, a, a->iova, slot, out))
		return 0;
	end = uiommu_sim_slow(s, a, a->iova, slot, out);
	if (end == SIM_RAZ_WI)
		sim_mark_port(s, slot);		/* success: there will be an end */
	return uiommu_sim_result(end);
}

void uiommu_sim_smmuv3_end(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port)
{
	if (sim_unmark(s, (struct sim_slot *)port))
		uiommu_sim_sync_again(s);
}
