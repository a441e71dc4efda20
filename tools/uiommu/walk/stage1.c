/* SPDX-License-Identifier: MIT */
/* stage1.c - VMSAv8-64 stage 1 of EL1 and EL0 */
#include <inttypes.h>
#include <string.h>

#include "src/smmuv3/fields.h"
#include "walk.h"

/* bits of descriptors: the CPU architecture's, not in regs.def */
#define BIT(n) ((uint64_t)1 << (n))

uint64_t walk_address(const struct geometry *g, uint64_t desc, unsigned lg2)
{
	uint64_t pa = desc & walk_bits(47, lg2);

	/* 64 KiB granule with 52 bits: bits 51:48 are kept in 15:12 */
	if (g->granule_lg2 == 16 && g->oas_lg2 == 52)
		pa |= (desc >> 12 & 15) << 48;
	return pa;
}

bool walk_block_allowed(const struct geometry *g, unsigned level)
{
	if (level == 2)
		return true;
	return level == 1 && (g->granule_lg2 == 12 || (g->granule_lg2 == 16 && g->oas_lg2 == 52));
}

static unsigned granule_of(const struct walk *w, bool upper, unsigned tg)
{
	static const uint8_t lg2[2][4] = { { 12, 16, 14, 0 }, { 0, 14, 12, 16 } };
	unsigned g = lg2[upper][tg];
	uint64_t idr5 = w->regs->idr5;
	bool has = g == 12 ? FGET(IDR5_GRAN4K, idr5) : g == 14 ? FGET(IDR5_GRAN16K, idr5) :
		   g == 16 ? FGET(IDR5_GRAN64K, idr5) : false;

	return has ? g : 0;
}

struct half {
	struct geometry g;
	bool disabled, tbi, had;
	unsigned tsz, number;
};

static struct half half_of(struct walk *w, unsigned number)
{
	const uint64_t *c = w->cd.w;
	struct half h = { .number = number };

	h.disabled = number ? FGET(CD_EPD1, c[0]) : FGET(CD_EPD0, c[0]);
	h.tbi = number ? FGET(CD_TBI1, c[0]) : FGET(CD_TBI0, c[0]);
	h.had = number ? FGET(CD_HAD1, c[2]) : FGET(CD_HAD0, c[1]);
	h.tsz = (unsigned)(number ? FGET(CD_T1SZ, c[0]) : FGET(CD_T0SZ, c[0]));
	h.g.granule_lg2 = granule_of(w, number, (unsigned)(number ? FGET(CD_TG1, c[0]) :
							   FGET(CD_TG0, c[0])));
	h.g.ias_lg2 = 64 - h.tsz;
	h.g.oas_lg2 = w->cd.oas_lg2;
	h.g.base = number ? c[2] & FMASK(CD_TTB1) : c[1] & FMASK(CD_TTB0);
	return h;
}

/* Both halves must be legal before either is used. */
static bool check_half(struct walk *w, const struct half *h)
{
	unsigned min = h->g.granule_lg2 == 16 && FGET(IDR5_VAX, w->regs->idr5) ? 12 : 16;
	unsigned max = FGET(IDR3_STT, w->regs->idr3) ? 48 : 39, oas = h->g.oas_lg2;

	if (h->disabled)
		return true;
	if (h->g.granule_lg2 != 16 && oas > 48)
		oas = 48;
	if (!h->g.granule_lg2)
		return walk_config_fault(w, EVT_C_BAD_CD, walk_str(w, "CD.TG%u is a granule that "
					 "IDR5 does not have, or reserved", h->number));
	if (h->tsz < min || h->tsz > max)
		return walk_config_fault(w, EVT_C_BAD_CD, walk_str(w, "CD.T%uSZ is %u, outside of "
					 "%u to %u", h->number, h->tsz, min, max));
	if (h->g.base >> oas)
		return walk_config_fault(w, EVT_C_BAD_CD, walk_str(w, "CD.TTB%u is beyond the "
					 "output size of %u bits", h->number, oas));
	return true;
}

/* ---- permissions ---- */

struct perms {
	bool no_unpriv, ro, uxn, pxn;	/* taken away by the tables above */
};

static bool s1_fault(struct walk *w, unsigned code, const char *blame)
{
	const struct purpose p = { .class = EVT_CLASS_IN };

	return walk_fault(w, code, false, &p, 0, blame);
}

/* The bit that says no to this access, or NULL. */
static const char *refused(struct walk *w, uint64_t d, const struct perms *t)
{
	bool unpriv = d & BIT(6) && !t->no_unpriv;
	bool dirty = FGET(CD_HD, w->cd.w[0]) && d & BIT(51);
	bool write = (!(d & BIT(7)) || dirty) && !t->ro;
	bool wxn = FGET(CD_WXN, w->cd.w[0]) && write;

	if (w->a.exec && w->a.priv)
		return d & BIT(53) ? "PXN (bit 53) is 1" : t->pxn ? "PXNTable above it is 1" :
		       unpriv && write ? "pages that unprivileged accesses may write are never "
		       "executable for privileged ones" : wxn ? "CD.WXN, and it is writable" : NULL;
	if (w->a.exec)
		return d & BIT(54) ? "UXN (bit 54) is 1" : t->uxn ? "UXNTable above it is 1" :
		       wxn && unpriv ? "CD.WXN, and it is writable" : NULL;
	if (!w->a.priv && !unpriv)
		return t->no_unpriv ? "APTable[0] (bit 61) above it is 1: privileged only" :
		       "AP[1] (bit 6) is 0: privileged only";
	if (w->a.priv && unpriv && FGET(CD_PAN, w->cd.w[0]))
		return "AP[1] (bit 6) is 1 and CD.PAN refuses privileged accesses to it";
	if (w->a.write && !write)
		return t->ro ? "APTable[1] (bit 62) above it is 1: read-only" :
		       "AP[2] (bit 7) is 1: read-only";
	return NULL;
}

static bool leaf(struct walk *w, const struct geometry *g, uint64_t desc, unsigned shift,
		 const struct perms *t, uint64_t *out)
{
	const char *blame;

	*out = walk_address(g, desc, shift);
	if (*out >> g->oas_lg2)
		return s1_fault(w, EVT_F_ADDR_SIZE, walk_str(w, "the page's address 0x%" PRIx64
				" is beyond %u bits (CD.IPS)", *out, g->oas_lg2));
	if (!(desc & BIT(10)) && !FGET(CD_AFFD, w->cd.w[0]) && !FGET(CD_HA, w->cd.w[0]))
		return s1_fault(w, EVT_F_ACCESS, "AF (bit 10) is 0");
	blame = refused(w, desc, t);
	return blame ? s1_fault(w, EVT_F_PERMISSION, blame) : true;
}

/* ---- levels ---- */

static void show_level(struct walk *w, const struct geometry *g, unsigned level, unsigned shift,
		       uint64_t pa, uint64_t desc)
{
	struct report_item *it = walk_step(w, "s1-descriptor", walk_str(w, "stage 1 level %u",
					   level), pa, &desc, 1);
	bool is_leaf = level == 3 || !(desc & BIT(1));
	static const char *const sh[4] = { "NSH", "reserved", "OSH", "ISH" };
	unsigned attr = desc >> 2 & 7;

	report_value(it, "desc", desc, NULL);
	if (!(desc & BIT(0))) {
		it->what = "invalid";
		return;
	}
	it->what = is_leaf ? level == 3 ? "page" : "block" : "table";
	report_value(it, "address", walk_address(g, desc, is_leaf ? shift : g->granule_lg2), NULL);
	if (!is_leaf)
		return;
	report_text(it, "access", "%s%s%s%s%s", desc & BIT(7) ? "read-only" : "read-write",
		    desc & BIT(6) ? ", unprivileged too" : ", privileged only",
		    desc & BIT(54) ? ", UXN" : "", desc & BIT(53) ? ", PXN" : "",
		    desc & BIT(10) ? "" : ", AF 0");
	report_text(it, "memory", "AttrIndx %u: MAIR 0x%02x, %s", attr,
		    (unsigned)(w->cd.w[3] >> 8 * attr & 0xff), sh[desc >> 8 & 3]);
}

/* A stage 1 descriptor, at an IPA where there is stage 2. */
static bool read_desc(struct walk *w, uint64_t at, uint64_t *pa, uint64_t *desc)
{
	const struct purpose p = { .class = EVT_CLASS_TT };
	uint64_t bytes;

	*pa = at;
	if (w->s2 && !walk_stage2(w, at, &p, pa, &bytes))
		return false;
	return w->mem->read(w->mem->ctx, *pa, desc) || walk_eabt(w, false, EVT_CLASS_TT, *pa);
}

static void inherit(const struct half *h, uint64_t desc, struct perms *t)
{
	if (h->had)
		return;
	t->no_unpriv |= !!(desc & BIT(61));
	t->ro |= !!(desc & BIT(62));
	t->uxn |= !!(desc & BIT(60));
	t->pxn |= !!(desc & BIT(59));
}

static bool walk_half(struct walk *w, const struct half *h, uint64_t va, uint64_t *out,
		      uint64_t *bytes)
{
	unsigned stride = h->g.granule_lg2 - 3, top = h->g.ias_lg2, level, shift;
	struct perms t = { 0 };
	uint64_t table, desc, pa;

	level = 3 - (h->g.ias_lg2 - 1 - h->g.granule_lg2) / stride;
	shift = h->g.granule_lg2 + stride * (3 - level);
	table = h->g.base & ~(((uint64_t)8 << (top - shift)) - 1);
	for (;; level++, top = shift, shift -= stride) {
		if (!read_desc(w, table + 8 * ((va & walk_bits(top - 1, shift)) >> shift), &pa,
			       &desc))
			return false;
		show_level(w, &h->g, level, shift, pa, desc);
		if (!(desc & BIT(0)))
			return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "bit 0 (valid) of the "
					"level %u descriptor at 0x%" PRIx64 " is 0", level, pa));
		if (level == 3 && !(desc & BIT(1)))
			return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "bit 1 of the level 3 "
					"descriptor at 0x%" PRIx64 " is 0: reserved", pa));
		if (level < 3 && !(desc & BIT(1)) && !walk_block_allowed(&h->g, level))
			return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "the descriptor at 0x%"
					PRIx64 " is a block, and level %u has none", pa, level));
		if (level == 3 || !(desc & BIT(1)))
			break;
		inherit(h, desc, &t);
		table = walk_address(&h->g, desc, h->g.granule_lg2);
		if (table >> h->g.oas_lg2)
			return s1_fault(w, EVT_F_ADDR_SIZE, walk_str(w, "the table's address 0x%"
					PRIx64 " is beyond %u bits (CD.IPS)", table, h->g.oas_lg2));
	}
	if (!leaf(w, &h->g, desc, shift, &t, out))
		return false;
	*out |= va & walk_bits(shift - 1, 0);
	*bytes = BIT(shift) - (va & walk_bits(shift - 1, 0));
	return true;
}

bool walk_stage1(struct walk *w, uint64_t *out, uint64_t *bytes)
{
	const struct half halves[2] = { half_of(w, 0), half_of(w, 1) };
	const struct half *h = &halves[w->a.iova >> 55 & 1];
	uint64_t va = w->a.iova, above;

	if (!check_half(w, &halves[0]) || !check_half(w, &halves[1]))
		return false;
	if (h->disabled)
		return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "CD.EPD%u is 1: this half of the "
				"addresses (bit 55) is switched off", h->number));
	if (h->tbi)
		va = h->number ? va | walk_bits(63, 56) : va & walk_bits(55, 0);
	above = walk_bits(63, h->g.ias_lg2);
	if ((va & above) != (h->number ? above : 0))
		return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "the address has bits above %u "
				"(CD.T%uSZ)", h->g.ias_lg2 - 1, h->number));
	return walk_half(w, h, va, out, bytes);
}
