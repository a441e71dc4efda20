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
	if (g->ds)
		return (desc & walk_bits(49, lg2)) | (desc >> 8 & 3) << 50;
	return (desc & walk_bits(47, lg2)) | (g->wide ? (desc >> 12 & 15) << 48 : 0);
}

bool walk_block_allowed(const struct geometry *g, int level)
{
	if (level == 2)
		return true;
	if (level == 1)
		return g->granule_lg2 == 12 || g->ds || g->wide;
	return level == 0 && g->granule_lg2 == 12 && g->ds;
}

bool walk_endian_legal(const struct walk *w, bool big)
{
	unsigned which = (unsigned)FGET(IDR0_TTENDIAN, w->regs->idr0);

	return which == IDR0_TTENDIAN_MIXED || big == (which == IDR0_TTENDIAN_BIG);
}

uint64_t walk_order(bool big, uint64_t desc)
{
	return big ? __builtin_bswap64(desc) : desc;
}

unsigned walk_granule(const struct walk *w, unsigned lg2)
{
	uint64_t idr5 = w->regs->idr5;
	bool has = lg2 == 12 ? FGET(IDR5_GRAN4K, idr5) : lg2 == 14 ? FGET(IDR5_GRAN16K, idr5) :
		   lg2 == 16 ? FGET(IDR5_GRAN64K, idr5) : false;

	return has ? lg2 : 0;
}

unsigned walk_tsz_max(const struct walk *w, unsigned granule_lg2)
{
	if (!FGET(IDR3_STT, w->regs->idr3))
		return 39;
	return granule_lg2 == 16 ? 47 : 48;
}

struct half {
	struct geometry g;
	bool disabled, tbi, had, e0pd;
	unsigned tsz, number;
};

static struct half half_of(struct walk *w, unsigned number)
{
	static const uint8_t granules[2][4] = { { 12, 16, 14, 0 }, { 0, 14, 12, 16 } };
	const uint64_t *c = w->cd.w;
	struct half h = { .number = number };
	unsigned tg = (unsigned)(number ? FGET(CD_TG1, c[0]) : FGET(CD_TG0, c[0]));

	h.disabled = number ? FGET(CD_EPD1, c[0]) : FGET(CD_EPD0, c[0]);
	if (w->cd.one_priv)
		h.disabled = number;
	h.tbi = number ? FGET(CD_TBI1, c[0]) : FGET(CD_TBI0, c[0]);
	h.had = FGET(IDR3_HAD, w->regs->idr3) &&
		(number ? FGET(CD_HAD1, c[2]) : FGET(CD_HAD0, c[1]));
	h.e0pd = !w->cd.one_priv && FGET(IDR3_E0PD, w->regs->idr3) &&
		 (number ? FGET(CD_E0PD1, c[2]) : FGET(CD_E0PD0, c[1]));
	h.tsz = (unsigned)(number ? FGET(CD_T1SZ, c[0]) : FGET(CD_T0SZ, c[0]));
	h.g.granule_lg2 = walk_granule(w, granules[number][tg]);
	h.g.ds = h.g.granule_lg2 != 16 && FGET(IDR5_DS, w->regs->idr5) && FGET(CD_DS, c[2]);
	h.g.wide = h.g.granule_lg2 == 16 && w->oas_lg2 == 52;
	h.g.ias_lg2 = 64 - h.tsz;
	h.g.oas_lg2 = w->cd.oas_lg2;
	h.g.base = number ? c[2] & FMASK(CD_TTB1) : c[1] & FMASK(CD_TTB0);
	return h;
}

/* Both halves must be legal before either is used. */
static bool check_half(struct walk *w, const struct half *h)
{
	bool more = h->g.granule_lg2 == 16 || h->g.ds;
	unsigned min = more && FGET(IDR5_VAX, w->regs->idr5) ? 12 : 16;
	unsigned max = walk_tsz_max(w, h->g.granule_lg2), oas = h->g.oas_lg2;

	if (h->disabled)
		return true;
	if (!more && oas > 48)
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

/* a leaf that hardware makes writable (dirty) when it is written to */
static bool writable_clean(const struct walk *w, uint64_t d)
{
	return w->cd.hd && d & BIT(51) && d & BIT(7);
}

static bool writable(const struct walk *w, uint64_t d, const struct perms *t)
{
	return (!(d & BIT(7)) || writable_clean(w, d)) && !t->ro;
}

static const char *read_only(const struct perms *t)
{
	return t->ro ? "APTable[1] (bit 62) above it is 1: read-only" :
	       "AP[2] (bit 7) is 1: read-only";
}

/* EL2 has one privilege: AP[1] and PXN are not looked at. */
static const char *refused_el2(const struct walk *w, uint64_t d, const struct perms *t)
{
	bool write = writable(w, d, t);

	if (w->a.exec)
		return d & BIT(54) ? "XN (bit 54) is 1" :
		       t->uxn ? "XNTable (bit 60) above it is 1" :
		       write && FGET(CD_WXN, w->cd.w[0]) ? "CD.WXN, and it is writable" : NULL;
	return w->a.write && !write ? read_only(t) : NULL;
}

static const char *refused_exec(const struct walk *w, uint64_t d, const struct perms *t,
				bool unpriv)
{
	bool write = writable(w, d, t), wxn = FGET(CD_WXN, w->cd.w[0]) && write;

	if (w->a.priv)
		return d & BIT(53) ? "PXN (bit 53) is 1" : t->pxn ? "PXNTable above it is 1" :
		       unpriv && write ? "pages that unprivileged accesses may write are never "
		       "executable for privileged ones" :
		       wxn ? "CD.WXN, and it is writable" : NULL;
	return d & BIT(54) ? "UXN (bit 54) is 1" : t->uxn ? "UXNTable above it is 1" :
	       wxn && unpriv ? "CD.WXN, and it is writable" : NULL;
}

/* PAN, and with EPAN pages that unprivileged code may only execute. */
static const char *refused_pan(const struct walk *w, uint64_t d, const struct perms *t,
			       bool unpriv)
{
	bool epan = FGET(IDR3_EPAN, w->regs->idr3) && FGET(CD_EPAN, w->cd.w[1]);
	bool exec = !(d & BIT(54)) && !t->uxn &&
		    !(FGET(CD_WXN, w->cd.w[0]) && writable(w, d, t) && unpriv);

	if (!FGET(CD_PAN, w->cd.w[0]))
		return NULL;
	if (unpriv)
		return "AP[1] (bit 6) is 1 and CD.PAN refuses privileged accesses to it";
	return epan && exec ? "unprivileged code may execute it, and CD.PAN with CD.EPAN refuses "
			      "privileged accesses to it" : NULL;
}

/* The bit that says no to this access, or NULL. */
static const char *refused(const struct walk *w, uint64_t d, const struct perms *t)
{
	bool unpriv = d & BIT(6) && !t->no_unpriv;
	const char *pan;

	if (w->cd.one_priv)
		return refused_el2(w, d, t);
	if (w->a.exec)
		return refused_exec(w, d, t, unpriv);
	if (!w->a.priv && !unpriv)
		return t->no_unpriv ? "APTable[0] (bit 61) above it is 1: privileged only" :
		       "AP[1] (bit 6) is 0: privileged only";
	pan = w->a.priv ? refused_pan(w, d, t, unpriv) : NULL;
	if (pan)
		return pan;
	return w->a.write && !writable(w, d, t) ? read_only(t) : NULL;
}

/* Hardware that writes AF or dirty state needs to be let by stage 2. */
static bool update(struct walk *w, uint64_t at, uint64_t desc, const struct perms *t)
{
	const struct purpose p = { .class = EVT_CLASS_TT, .write = true };
	bool af = w->cd.ha && !(desc & BIT(10));
	bool dirty = w->a.write && writable_clean(w, desc) && !refused(w, desc, t);
	struct report_item *it = w->r->items[w->r->num_items - 1];
	uint64_t pa, bytes;

	if (!af && !dirty)
		return true;
	report_text(it, "hardware", "%s%s%s", af ? "sets AF" : "", af && dirty ? ", " : "",
		    dirty ? "makes it writable (dirty)" : "");
	return !w->s2 || walk_stage2(w, at, &p, &pa, &bytes);
}

static unsigned share_of(const struct walk *w, const struct half *h, uint64_t desc)
{
	if (!h->g.ds)
		return desc >> 8 & 3;
	return (unsigned)(h->number ? FGET(CD_SH1, w->cd.w[0]) : FGET(CD_SH0, w->cd.w[0]));
}

/* Each kind of access, asked one by one. */
static unsigned permitted(const struct walk *w, uint64_t desc, const struct perms *t, bool priv)
{
	struct walk other = { .regs = w->regs, .cd = w->cd, .a = { .priv = priv } };
	unsigned p = refused(&other, desc, t) ? 0 : WALK_R;

	other.a.write = true;
	p |= refused(&other, desc, t) ? 0 : WALK_W;
	other.a.write = false;
	other.a.exec = true;
	return p | (refused(&other, desc, t) ? 0 : WALK_X);
}

static void keep(struct walk *w, const struct half *h, uint64_t desc, const struct perms *t)
{
	unsigned attr = desc >> 2 & 7;

	w->leaf1 = (struct walk_leaf){
		.used = true, .mair = (unsigned)(w->cd.w[3] >> 8 * attr & 0xff),
		.share = share_of(w, h, desc),
		.unpriv = h->e0pd ? 0 : permitted(w, desc, t, false),
		.priv = permitted(w, desc, t, true),
	};
}

static bool leaf(struct walk *w, const struct half *h, uint64_t desc, unsigned shift,
		 const struct perms *t, uint64_t *out)
{
	const struct geometry *g = &h->g;
	const char *blame;

	*out = walk_address(g, desc, shift);
	if (*out >> g->oas_lg2)
		return s1_fault(w, EVT_F_ADDR_SIZE, walk_str(w, "the page's address 0x%" PRIx64
				" is beyond %u bits (CD.IPS)", *out, g->oas_lg2));
	if (!(desc & BIT(10)) && !FGET(CD_AFFD, w->cd.w[0]) && !w->cd.ha)
		return s1_fault(w, EVT_F_ACCESS, "AF (bit 10) is 0");
	keep(w, h, desc, t);
	blame = refused(w, desc, t);
	return blame ? s1_fault(w, EVT_F_PERMISSION, blame) : true;
}

/* ---- levels ---- */

static void show_leaf(struct walk *w, struct report_item *it, const struct half *h, uint64_t desc)
{
	static const char *const sh[4] = { "NSH", "reserved", "OSH", "ISH" };
	unsigned attr = desc >> 2 & 7;

	report_text(it, "access", "%s%s%s%s%s", desc & BIT(7) ? "read-only" : "read-write",
		    w->cd.one_priv ? "" : desc & BIT(6) ? ", unprivileged too" :
		    ", privileged only", desc & BIT(54) ? ", UXN" : "",
		    desc & BIT(53) ? ", PXN" : "", desc & BIT(10) ? "" : ", AF 0");
	report_text(it, "memory", "AttrIndx %u: MAIR 0x%02x, %s", attr,
		    (unsigned)(w->cd.w[3] >> 8 * attr & 0xff), sh[share_of(w, h, desc)]);
}

static void show_level(struct walk *w, const struct half *h, int level, unsigned shift,
		       uint64_t pa, uint64_t desc)
{
	struct report_item *it = walk_step(w, "s1-descriptor", walk_str(w, "stage 1 level %d",
					   level), pa, &desc, 1);
	bool is_leaf = level == 3 || !(desc & BIT(1));

	report_value(it, "desc", desc, NULL);
	if (!(desc & BIT(0))) {
		it->what = "invalid";
		return;
	}
	it->what = is_leaf ? level == 3 ? "page" : "block" : "table";
	report_value(it, "address", walk_address(&h->g, desc, is_leaf ? shift :
						 h->g.granule_lg2), NULL);
	if (is_leaf)
		show_leaf(w, it, h, desc);
}

/* A stage 1 descriptor, at an IPA where there is stage 2. */
static bool read_desc(struct walk *w, uint64_t at, uint64_t *pa, uint64_t *desc)
{
	const struct purpose p = { .class = EVT_CLASS_TT };
	uint64_t bytes;

	*pa = at;
	if (w->s2 && !walk_stage2(w, at, &p, pa, &bytes))
		return false;
	if (!w->mem->read(w->mem->ctx, *pa, desc))
		return walk_eabt(w, false, EVT_CLASS_TT, *pa);
	*desc = walk_order(FGET(CD_ENDI, w->cd.w[0]), *desc);
	return true;
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

/* What ends the walk at this descriptor; NULL: nothing. */
static const char *not_valid(struct walk *w, const struct half *h, int level, uint64_t pa,
			     uint64_t desc)
{
	if (!(desc & BIT(0)))
		return walk_str(w, "bit 0 (valid) of the level %d descriptor at 0x%" PRIx64 " is 0",
				level, pa);
	if (level == 3 && !(desc & BIT(1)))
		return walk_str(w, "bit 1 of the level 3 descriptor at 0x%" PRIx64 " is 0: "
				"reserved", pa);
	if (level < 3 && !(desc & BIT(1)) && !walk_block_allowed(&h->g, level))
		return walk_str(w, "the descriptor at 0x%" PRIx64 " is a block, and level %d has "
				"none", pa, level);
	return NULL;
}

struct found_leaf {
	uint64_t at, desc;		/* @at: an IPA where there is stage 2 */
	unsigned shift;
	struct perms t;
};

static bool descend(struct walk *w, const struct half *h, uint64_t va, struct found_leaf *f)
{
	unsigned stride = h->g.granule_lg2 - 3, top = h->g.ias_lg2;
	int level = 3 - (int)((h->g.ias_lg2 - 1 - h->g.granule_lg2) / stride);
	const char *blame;
	uint64_t table, pa;

	f->shift = h->g.granule_lg2 + stride * (unsigned)(3 - level);
	table = h->g.base & ~(((uint64_t)8 << (top - f->shift)) - 1);
	for (;; level++, top = f->shift, f->shift -= stride) {
		f->at = table + 8 * ((va & walk_bits(top - 1, f->shift)) >> f->shift);
		if (!read_desc(w, f->at, &pa, &f->desc))
			return false;
		show_level(w, h, level, f->shift, pa, f->desc);
		blame = not_valid(w, h, level, pa, f->desc);
		if (blame)
			return s1_fault(w, EVT_F_TRANSLATION, blame);
		if (level == 3 || !(f->desc & BIT(1)))
			return true;
		inherit(h, f->desc, &f->t);
		table = walk_address(&h->g, f->desc, h->g.granule_lg2);
		if (table >> h->g.oas_lg2)
			return s1_fault(w, EVT_F_ADDR_SIZE, walk_str(w, "the table's address 0x%"
					PRIx64 " is beyond %u bits (CD.IPS)", table, h->g.oas_lg2));
	}
}

static bool walk_half(struct walk *w, const struct half *h, uint64_t va, uint64_t *out,
		      uint64_t *bytes)
{
	struct found_leaf f = { 0 };

	if (!descend(w, h, va, &f) || !update(w, f.at, f.desc, &f.t) ||
	    !leaf(w, h, f.desc, f.shift, &f.t, out))
		return false;
	*out |= va & walk_bits(f.shift - 1, 0);
	*bytes = BIT(f.shift) - (va & walk_bits(f.shift - 1, 0));
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
		return s1_fault(w, EVT_F_TRANSLATION, w->cd.one_priv ? "EL2 (STE.STRW) has no "
				"upper half of addresses (bit 55)" : walk_str(w, "CD.EPD%u is 1: "
				"this half of the addresses (bit 55) is switched off", h->number));
	if (h->e0pd && !w->a.priv)
		return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "CD.E0PD%u is 1: this half is "
				"not for unprivileged accesses", h->number));
	if (h->tbi)
		va = h->number ? va | walk_bits(63, 56) : va & walk_bits(55, 0);
	above = walk_bits(63, h->g.ias_lg2);
	if ((va & above) != (h->number ? above : 0))
		return s1_fault(w, EVT_F_TRANSLATION, walk_str(w, "the address has bits above %u "
				"(CD.T%uSZ)", h->g.ias_lg2 - 1, h->number));
	return walk_half(w, h, va, out, bytes);
}
