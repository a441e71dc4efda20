/* SPDX-License-Identifier: MIT */
/*
 * stage2.c - stage 2: an IPA through the table of an STE
 *
 * The same walk serves the address of a transaction, of a CD and of a stage 1
 * table.
 */
#include "sim.h"

#define S2AP_R		((uint64_t)1 << 6)
#define S2AP_W		((uint64_t)1 << 7)
#define S2_MEMATTR_HI	((uint64_t)3 << 4)	/* 0: Device memory */
#define S2_XN_LO	((uint64_t)1 << 53)	/* with XNX */
#define S2_XN		((uint64_t)1 << 54)

/* a race that is lost this often is given up */
#define MAX_TRIES 64

/* ---- what an STE says ---- */

static unsigned s2_granule(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	static const uint8_t lg2[4] = { [STE_S2TG_4K] = 12, [STE_S2TG_64K] = 16,
					[STE_S2TG_16K] = 14 };
	unsigned g = lg2[FGET(STE_S2TG, w[2])];

	if ((g == 12 && s->cfg.gran4k) || (g == 14 && s->cfg.gran16k) ||
	    (g == 16 && s->cfg.gran64k))
		return g;
	return 0;
}

static unsigned s2_output(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	static const uint8_t lg2[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };
	unsigned ps = lg2[FGET(STE_S2PS, w[2])];

	return ps < s->cfg.oas_lg2 ? ps : s->cfg.oas_lg2;
}

static bool s2_ds(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	return s->cfg.ds && FGET(STE_S2DS, w[3]) && s2_granule(s, w) != 16;
}

/* {S2SL0_2, S2SL0} counts levels upwards, from another one for the 4 KiB granule,
 * and has some that only small tables (3 with 4 KiB) or DS have. False where the value
 * is reserved, or the output size is too small for so many levels. */
static bool start_level(const struct uiommu_sim_smmuv3 *s, const uint64_t *w, int *level)
{
	unsigned g = s2_granule(s, w), sl0 = (unsigned)FGET(STE_S2SL0, w[2]);
	bool ds = s2_ds(s, w);

	if (ds && g == 12 && FGET(STE_S2SL0_2, w[3])) {
		*level = -1;
		return !sl0;
	}
	*level = g != 12 ? 3 - (int)sl0 : sl0 == 3 ? 3 : 2 - (int)sl0;
	if (sl0 == 3)
		return g == 12 ? s->cfg.stt : g == 14 && ds;
	if (g == 12)
		return *level > 0 || s->cfg.oas_lg2 > 42;
	return *level > 1 || s->cfg.oas_lg2 > (g == 14 ? 40 : 42);
}

/* The root has between one bit of its own and four more than a table: sixteen
 * tables, one after the other. */
static bool root_fits(unsigned g, int level, unsigned ias)
{
	unsigned below = sim_level_shift(g, level);

	return ias > below && ias <= below + g - 3 + 4;
}

static bool sizes_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned g = s2_granule(s, w), tsz = (unsigned)FGET(STE_S2T0SZ, w[2]);
	unsigned ias = s->cfg.oas_lg2;
	int level;

	if (ias > 48 && g != 16 && !s2_ds(s, w))
		ias = 48;
	return g && sim_tsz_legal(s, g, 64 - ias, tsz) && start_level(s, w, &level) &&
	       root_fits(g, level, 64 - tsz);
}

/* within the output size, and within 48 bits where descriptors have no more */
static bool base_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned oas = s2_output(s, w);

	if (oas > 48 && s2_granule(s, w) != 16 && !s2_ds(s, w))
		oas = 48;
	return !((w[3] & FMASK(STE_S2TTB)) >> oas);
}

static bool stall_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	bool stall = FGET(STE_S2S, w[2]);

	return s->cfg.stall == 1 || stall == (s->cfg.stall == 2);
}

bool uiommu_sim_s2_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	if (!FGET(STE_S2AA64, w[2]) || !sim_endian_legal(s, FGET(STE_S2ENDI, w[2])))
		return false;		/* IDR0.TTF, IDR0.TTENDIAN */
	if ((FGET(STE_S2HA, w[2]) && s->cfg.httu < 1) ||
	    (FGET(STE_S2HD, w[2]) && s->cfg.httu < 2))
		return false;
	return sizes_legal(s, w) && stall_legal(s, w) && base_legal(s, w);
}

void uiommu_sim_s2_decode(const struct uiommu_sim_smmuv3 *s, const uint64_t *w,
			  struct sim_ste *ste)
{
	ste->t2.granule_lg2 = s2_granule(s, w);
	ste->t2.ias_lg2 = 64 - (unsigned)FGET(STE_S2T0SZ, w[2]);
	ste->t2.oas_lg2 = s2_output(s, w);
	ste->t2.ds = s2_ds(s, w);
	ste->t2.big_endian = FGET(STE_S2ENDI, w[2]);
	start_level(s, w, &ste->t2.level);
	ste->t2.affd = FGET(STE_S2AFFD, w[2]);
	ste->t2.ptw = FGET(STE_S2PTW, w[2]);
	ste->t2.ha = FGET(STE_S2HA, w[2]);
	ste->t2.hd = FGET(STE_S2HD, w[2]);
	ste->t2.stall = FGET(STE_S2S, w[2]);
	ste->t2.record = FGET(STE_S2R, w[2]);
	ste->t2.base = w[3] & FMASK(STE_S2TTB);
}

/* ---- the walk ---- */

struct step {
	int level;
	unsigned shift;
	uint64_t pa, desc;	/* of the last entry that was read */
};

static enum sim_end fault(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct sim_fault *f,
			  unsigned code)
{
	f->code = code;
	return uiommu_sim_fault(s, t, f);
}

static struct sim_tag tag_of(const struct sim_txn *t)
{
	return (struct sim_tag){ SIM_STAGE2, t->ste->vmid, 0, false };
}

/* from the root, or from where the walk cache knows a table; how many bits of the
 * IPA the table there looks at: more than a table has where roots are concatenated */
static unsigned start(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, uint64_t ipa,
		      struct step *st, uint64_t *table)
{
	unsigned g = t->ste->t2.granule_lg2, top = t->ste->t2.ias_lg2;
	struct sim_walk w = { .granule_lg2 = g };

	st->level = t->ste->t2.level;
	st->shift = sim_level_shift(g, st->level);
	*table = t->ste->t2.base & ~(((uint64_t)8 << (top - st->shift)) - 1);
	if (!uiommu_sim_walk_find(s, tag_of(t), ipa, st->level, &w))
		return top;
	st->level = w.level + 1;
	st->shift = sim_level_shift(g, st->level);
	*table = w.table;
	return st->shift + g - 3;
}

static bool leaf_legal(const struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
		       const struct step *st)
{
	if (st->level == 3)
		return st->desc & D_TABLE;
	return sim_block_allowed(s, t->ste->t2.granule_lg2, t->ste->t2.ds, st->level);
}

static enum sim_end walk(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct sim_fault *f,
			 struct step *st)
{
	unsigned g = t->ste->t2.granule_lg2, oas = t->ste->t2.oas_lg2, top;
	uint64_t table;

	for (top = start(s, t, f->ipa, st, &table);; top = st->shift + g - 3) {
		st->pa = table + ((f->ipa & sim_bits(top - 1, st->shift)) >> st->shift) * 8;
		s->stats.pte_fetches++;
		if (uiommu_sim_read_words(s, st->pa, &st->desc, 1)) {
			uiommu_sim_event_walk_eabt(s, t, f, st->pa);
			return SIM_ABORT;
		}
		st->desc = sim_order(t->ste->t2.big_endian, st->desc);
		if (!(st->desc & D_VALID))
			return fault(s, t, f, EVT_F_TRANSLATION);
		if (st->level == 3 || !(st->desc & D_TABLE))
			break;
		table = sim_desc_addr(s, g, t->ste->t2.ds, st->desc, g);
		if (table >> oas)
			return fault(s, t, f, EVT_F_ADDR_SIZE);
		uiommu_sim_walk_fill(s, tag_of(t), f->ipa, &(struct sim_walk){
			.granule_lg2 = g, .level = st->level, .table = table });
		st->level++;
		st->shift -= g - 3;
	}
	return leaf_legal(s, t, st) ? SIM_OK : fault(s, t, f, EVT_F_TRANSLATION);
}

/* XN is one bit, or two with XNX: 01 keeps privileged code out, 11 unprivileged */
static unsigned permissions(const struct uiommu_sim_smmuv3 *s, uint64_t desc)
{
	bool xn = desc & S2_XN, lo = s->cfg.xnx && desc & S2_XN_LO;
	unsigned p = (desc & S2AP_R ? SIM_PERM_R : 0) | (desc & S2AP_W ? SIM_PERM_W : 0);

	p |= SIM_PERM_PRIV(p);
	if (xn == lo)
		p |= xn ? SIM_PERM_PRIV(SIM_PERM_X) : SIM_PERM_X | SIM_PERM_PRIV(SIM_PERM_X);
	else if (lo)
		p |= SIM_PERM_X;
	return p;
}

#define ALL_W (SIM_PERM_W | SIM_PERM_PRIV(SIM_PERM_W))

/* What the leaf has to become for this access: 0 for nothing. */
static uint64_t update(const struct sim_txn *t, uint64_t desc, unsigned need)
{
	uint64_t set = 0;

	if (t->ste->t2.ha && !(desc & D_AF))
		set |= D_AF;
	if (t->ste->t2.hd && t->ste->t2.ha && need & ALL_W && desc & D_DBM && !(desc & S2AP_W))
		set |= S2AP_W;
	return set;
}

/* false: somebody else changed it, look again */
static bool apply(struct uiommu_sim_smmuv3 *s, bool be, struct step *st, uint64_t set,
		  enum sim_end *end)
{
	uint64_t old = sim_order(be, st->desc);

	*end = SIM_OK;
	if (s->env.cas64(s->env.ctx, st->pa, &old, sim_order(be, st->desc | set))) {
		*end = SIM_ABORT;
		return true;
	}
	if (old != sim_order(be, st->desc))
		return false;
	st->desc |= set;
	return true;
}

static enum sim_end find_leaf(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct sim_fault *f,
			      unsigned need, struct step *st)
{
	enum sim_end end;

	for (unsigned i = 0; i < MAX_TRIES; i++) {
		uint64_t set;

		end = walk(s, t, f, st);
		if (end != SIM_OK)
			return end;
		set = update(t, st->desc, need);
		if (!set || apply(s, t->ste->t2.big_endian, st, set, &end))
			break;
		end = SIM_ABORT;
	}
	if (end != SIM_OK)
		uiommu_sim_event_walk_eabt(s, t, f, st->pa);
	return end;
}

static enum sim_end miss(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, struct sim_fault *f,
			 unsigned need, struct sim_tlb_entry *e)
{
	const struct sim_ste *ste = t->ste;
	struct step st;
	enum sim_end end;

	if (f->ipa >> ste->t2.ias_lg2)
		return fault(s, t, f, EVT_F_TRANSLATION);
	end = find_leaf(s, t, f, need, &st);
	if (end != SIM_OK)
		return end;
	*e = (struct sim_tlb_entry){
		.va = f->ipa & ~sim_bits(st.shift - 1, 0),
		.pa = sim_desc_addr(s, ste->t2.granule_lg2, ste->t2.ds, st.desc, st.shift),
		.regime = SIM_STAGE2, .vmid = ste->vmid,
		.size_lg2 = (uint8_t)st.shift, .span_lg2 = (uint8_t)st.shift,
		.granule_lg2 = (uint8_t)ste->t2.granule_lg2, .level = (uint8_t)st.level,
		.perm1 = SIM_PERM_ALL, .perm2 = (uint8_t)permissions(s, st.desc),
		.clean = ste->t2.hd && ste->t2.ha && st.desc & D_DBM && !(st.desc & S2AP_W),
		.device = !(st.desc & S2_MEMATTR_HI),
	};
	if (e->pa >> ste->t2.oas_lg2)
		return fault(s, t, f, EVT_F_ADDR_SIZE);
	if (!(st.desc & D_AF) && !ste->t2.affd)
		return fault(s, t, f, EVT_F_ACCESS);
	uiommu_sim_tlb_fill(s, e);
	return SIM_OK;
}

enum sim_end uiommu_sim_stage2(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t ipa,
			       enum sim_class class, unsigned need, struct sim_tlb_entry *out)
{
	struct sim_fault f = { .s2 = true, .class = class, .ipa = ipa,
			       .update = class == SIM_CLASS_TT && need & SIM_PERM_W };
	enum sim_end end;

	if (uiommu_sim_tlb_conflict(s, tag_of(t), ipa)) {
		uiommu_sim_event_tlb_conflict(s, t, true, ipa);
		return SIM_ABORT;
	}
	if (!uiommu_sim_tlb_find(s, tag_of(t), ipa, out) || (out->clean && need & ALL_W)) {
		end = miss(s, t, &f, need, out);
		if (end != SIM_OK)
			return end;
	}
	if (need & ~out->perm2 || (class != SIM_CLASS_IN && t->ste->t2.ptw && out->device))
		return fault(s, t, &f, EVT_F_PERMISSION);
	return SIM_OK;
}

enum sim_end uiommu_sim_fetch_addr(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t *addr,
				   enum sim_class class, unsigned need)
{
	struct sim_tlb_entry e;
	enum sim_end end;

	if (!t->ste->s2)
		return SIM_OK;
	end = uiommu_sim_stage2(s, t, *addr, class, need, &e);
	if (end == SIM_OK)
		*addr = e.pa + (*addr - e.va);
	return end;
}
