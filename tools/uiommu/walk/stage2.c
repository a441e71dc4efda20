/* SPDX-License-Identifier: MIT */
/* stage2.c - VMSAv8-64 stage 2: an IPA to a physical address */
#include <inttypes.h>

#include "src/smmuv3/fields.h"
#include "walk.h"

#define BIT(n) ((uint64_t)1 << (n))

/* ---- configuration ---- */

/*
 * {S2SL0_2, S2SL0} count levels upwards, from another one for the 4 KiB granule; some
 * only small tables or DS have, some only a large output size. False: reserved.
 */
static bool start_level(const struct walk *w, struct geometry *g)
{
	unsigned sl0 = (unsigned)FGET(STE_S2SL0, w->ste[2]), gr = g->granule_lg2;

	if (g->ds && gr == 12 && FGET(STE_S2SL0_2, w->ste[3])) {
		g->level = -1;
		return !sl0;
	}
	if (gr == 12) {
		g->level = sl0 == 3 ? 3 : 2 - (int)sl0;
		return sl0 == 3 ? FGET(IDR3_STT, w->regs->idr3) : sl0 < 2 || w->oas_lg2 > 42;
	}
	g->level = 3 - (int)sl0;
	if (sl0 == 3)
		return gr == 14 && g->ds;
	return sl0 < 2 || w->oas_lg2 > (gr == 14 ? 40 : 42);
}

static const char *geometry_illegal(struct walk *w, unsigned tsz)
{
	struct geometry *g = &w->g2;
	bool more = g->granule_lg2 == 16 || g->ds;
	unsigned ias = w->oas_lg2, shift, oas = g->oas_lg2;

	if (FGET(IDR0_TTF, w->regs->idr0) & 1 && ias < 40)
		ias = 40;		/* AArch32 tables have as many */
	if (ias > 48 && !more)
		ias = 48;
	if (!g->granule_lg2)
		return "STE.S2TG is a granule that IDR5 does not have, or reserved";
	if (tsz < 64 - ias || tsz > walk_tsz_max(w, g->granule_lg2))
		return walk_str(w, "STE.S2T0SZ is %u, outside of %u to %u", tsz, 64 - ias,
				walk_tsz_max(w, g->granule_lg2));
	if (!start_level(w, g))
		return "STE.S2SL0 is reserved, or starts too high for IDR5.OAS";
	shift = g->granule_lg2 + (g->granule_lg2 - 3) * (unsigned)(3 - g->level);
	if (g->ias_lg2 <= shift || g->ias_lg2 > shift + g->granule_lg2 - 3 + 4)
		return "STE.S2SL0 does not go with S2T0SZ: the first table would be none, or more "
		       "than 16 tables";
	if (!more && oas > 48)
		oas = 48;
	return g->base >> oas ? "STE.S2TTB is beyond the output size" : NULL;
}

static const char *stage2_illegal(struct walk *w)
{
	const uint64_t *s = w->ste;
	unsigned httu = (unsigned)FGET(IDR0_HTTU, w->regs->idr0);
	unsigned stall = (unsigned)FGET(IDR0_STALL_MODEL, w->regs->idr0);

	if (!FGET(STE_S2AA64, s[2]))
		return "STE.S2AA64 (bit 179) is 0";
	if (!walk_endian_legal(w, FGET(STE_S2ENDI, s[2])))
		return "STE.S2ENDI is a byte order that IDR0.TTENDIAN does not have";
	if (FGET(STE_S2S, s[2]) && stall == IDR0_STALL_MODEL_TERMINATE)
		return "STE.S2S is 1 and IDR0.STALL_MODEL says there is no stalling";
	if (!FGET(STE_S2S, s[2]) && stall == IDR0_STALL_MODEL_STALL)
		return "STE.S2S is 0 and IDR0.STALL_MODEL says that all faults stall";
	if ((FGET(STE_S2HA, s[2]) && !httu) || (FGET(STE_S2HD, s[2]) && httu < 2))
		return "STE.S2HA or S2HD is 1 and IDR0.HTTU does not have it";
	return geometry_illegal(w, (unsigned)FGET(STE_S2T0SZ, s[2]));
}

bool walk_stage2_config(struct walk *w)
{
	static const uint8_t granules[4] = { 12, 16, 14, 0 };
	const uint64_t *s = w->ste;
	unsigned g = walk_granule(w, granules[FGET(STE_S2TG, s[2])]);
	unsigned oas = walk_size_bits((unsigned)FGET(STE_S2PS, s[2]));
	const char *blame;

	w->g2 = (struct geometry){
		.granule_lg2 = g, .ias_lg2 = 64 - (unsigned)FGET(STE_S2T0SZ, s[2]),
		.oas_lg2 = oas < w->oas_lg2 ? oas : w->oas_lg2, .base = s[3] & FMASK(STE_S2TTB),
		.ds = g != 16 && FGET(IDR5_DS, w->regs->idr5) && FGET(STE_S2DS, s[3]),
		.big_endian = FGET(STE_S2ENDI, s[2]),
		.wide = g == 16 && w->oas_lg2 == 52,
	};
	blame = stage2_illegal(w);
	return blame ? walk_config_fault(w, EVT_C_BAD_STE, blame) : true;
}

/* ---- permissions ---- */

static const char *exec_refused(struct walk *w, uint64_t d)
{
	unsigned xn = d >> 53 & 3;

	if (!FGET(IDR3_XNX, w->regs->idr3))
		return d & BIT(54) ? "XN (bit 54) is 1" : NULL;
	if (xn == 2 || xn == (w->a.priv ? 1 : 3))
		return "XN (bits 54:53) refuses this privilege";
	return NULL;
}

static const char *refused(struct walk *w, uint64_t d, const struct purpose *p)
{
	bool dirty = FGET(STE_S2HA, w->ste[2]) && FGET(STE_S2HD, w->ste[2]) && d & BIT(51);
	bool fwb = FGET(IDR3_FWB, w->regs->idr3) && FGET(STE_S2FWB, w->ste[1]);
	bool device = !fwb && !(d >> 4 & 3);

	if (!(d & BIT(6)) && (p->class == EVT_CLASS_TT || (!p->write && !p->exec)))
		return "S2AP[0] (bit 6) is 0: not readable";
	if (p->write && !(d & BIT(7)) && !dirty)
		return "S2AP[1] (bit 7) is 0: not writable";
	if (p->class != EVT_CLASS_IN && FGET(STE_S2PTW, w->ste[2]) && device)
		return "STE.S2PTW is 1 and the table lies in device memory";
	return p->exec ? exec_refused(w, d) : NULL;
}

/* ---- levels ---- */

static void show_level(struct walk *w, int level, unsigned shift, uint64_t at, uint64_t desc)
{
	struct report_item *it = walk_step(w, "s2-descriptor", walk_str(w, "stage 2 level %d",
					   level), at, &desc, 1);
	bool is_leaf = level == 3 || !(desc & BIT(1));

	report_value(it, "desc", desc, NULL);
	if (!(desc & BIT(0))) {
		it->what = "invalid";
		return;
	}
	it->what = is_leaf ? level == 3 ? "page" : "block" : "table";
	report_value(it, "address", walk_address(&w->g2, desc, is_leaf ? shift :
						 w->g2.granule_lg2), NULL);
	if (is_leaf)
		report_text(it, "access", "%s%s%s", desc & BIT(6) ? "read" : "",
			    desc & BIT(7) ? " write" : "", desc & BIT(10) ? "" : ", AF 0");
}

static bool s2_fault(struct walk *w, unsigned code, const struct purpose *p, uint64_t ipa,
		     const char *blame)
{
	return walk_fault(w, code, true, p, ipa, blame);
}

/* XN is one bit, or two with XNX: 01 keeps privileged code out, 11 unprivileged */
static void keep(struct walk *w, uint64_t d)
{
	unsigned xn = FGET(IDR3_XNX, w->regs->idr3) ? d >> 53 & 3 : (d >> 54 & 1) << 1;
	bool dirty = FGET(STE_S2HA, w->ste[2]) && FGET(STE_S2HD, w->ste[2]) && d & BIT(51);
	unsigned rw = (d & BIT(6) ? WALK_R : 0) | (d & BIT(7) || dirty ? WALK_W : 0);

	w->leaf2 = (struct walk_leaf){
		.used = true, .mair = d >> 2 & 15,
		.share = w->g2.ds ? (unsigned)FGET(STE_S2SH0, w->ste[2]) : d >> 8 & 3,
		.unpriv = rw | (xn < 2 ? WALK_X : 0),
		.priv = rw | (xn == 0 || xn == 3 ? WALK_X : 0),
	};
}

static bool leaf(struct walk *w, uint64_t ipa, uint64_t desc, unsigned shift,
		 const struct purpose *p, uint64_t *pa)
{
	const char *blame;

	*pa = walk_address(&w->g2, desc, shift);
	if (*pa >> w->g2.oas_lg2)
		return s2_fault(w, EVT_F_ADDR_SIZE, p, ipa, walk_str(w, "the page's address 0x%"
				PRIx64 " is beyond %u bits (STE.S2PS)", *pa, w->g2.oas_lg2));
	if (!(desc & BIT(10)) && !FGET(STE_S2AFFD, w->ste[2]) && !FGET(STE_S2HA, w->ste[2]))
		return s2_fault(w, EVT_F_ACCESS, p, ipa, "AF (bit 10) of stage 2 is 0");
	if (p->class == EVT_CLASS_IN)
		keep(w, desc);
	blame = refused(w, desc, p);
	return blame ? s2_fault(w, EVT_F_PERMISSION, p, ipa, blame) : true;
}

static bool valid(const struct geometry *g, int level, uint64_t desc)
{
	if (!(desc & BIT(0)))
		return false;
	return desc & BIT(1) || (level < 3 && walk_block_allowed(g, level));
}

static bool descend(struct walk *w, uint64_t ipa, const struct purpose *p, uint64_t *desc,
		    unsigned *shift)
{
	const struct geometry *g = &w->g2;
	unsigned stride = g->granule_lg2 - 3, top = g->ias_lg2;
	int level = g->level;
	uint64_t table, at;

	*shift = g->granule_lg2 + stride * (unsigned)(3 - level);
	table = g->base & ~(((uint64_t)8 << (top - *shift)) - 1);
	for (;; level++, top = *shift, *shift -= stride) {
		at = table + 8 * ((ipa & walk_bits(top - 1, *shift)) >> *shift);
		if (!w->mem->read(w->mem->ctx, at, desc))
			return walk_eabt(w, true, p->class, at);
		*desc = walk_order(g->big_endian, *desc);
		show_level(w, level, *shift, at, *desc);
		if (!valid(g, level, *desc))
			return s2_fault(w, EVT_F_TRANSLATION, p, ipa, walk_str(w, "the level %d "
					"descriptor of stage 2 at 0x%" PRIx64 " is not valid (bits "
					"1:0 are %u)", level, at, (unsigned)(*desc & 3)));
		if (level == 3 || !(*desc & BIT(1)))
			return true;
		table = walk_address(g, *desc, g->granule_lg2);
		if (table >> g->oas_lg2)
			return s2_fault(w, EVT_F_ADDR_SIZE, p, ipa, walk_str(w, "the table's "
					"address 0x%" PRIx64 " is beyond %u bits (STE.S2PS)", table,
					g->oas_lg2));
	}
}

bool walk_stage2(struct walk *w, uint64_t ipa, const struct purpose *p, uint64_t *pa,
		 uint64_t *bytes)
{
	uint64_t desc = 0;
	unsigned shift = 0;
	bool good;

	w->depth += p->class != EVT_CLASS_IN;
	if (ipa >> w->g2.ias_lg2)
		good = s2_fault(w, EVT_F_TRANSLATION, p, ipa, walk_str(w, "the IPA 0x%" PRIx64
				" has bits above %u (STE.S2T0SZ)", ipa, w->g2.ias_lg2 - 1));
	else
		good = descend(w, ipa, p, &desc, &shift) && leaf(w, ipa, desc, shift, p, pa);
	w->depth -= p->class != EVT_CLASS_IN;
	if (!good)
		return false;
	*pa |= ipa & walk_bits(shift - 1, 0);
	*bytes = BIT(shift) - (ipa & walk_bits(shift - 1, 0));
	return true;
}
