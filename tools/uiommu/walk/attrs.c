/* SPDX-License-Identifier: MIT */
/* attrs.c - what the leaves on the way say of the memory at the end, put together */
#include <string.h>

#include "src/smmuv3/fields.h"
#include "walk.h"

#define BIT(n) ((uint64_t)1 << (n))

/* from the strongest: where both stages have a type, the stronger one counts */
enum cache { NC, WT, WB };

static const char *const device_words[4] = { "nGnRnE", "nGnRE", "nGRE", "GRE" };
static const char *const cache_words[3] = {
	"non-cacheable", "write-through", "write-back",
};
static const char *const share_words[4] = {
	"non-shareable", "reserved", "outer shareable", "inner shareable",
};

struct memory {
	bool device;
	unsigned kind;			/* device: index of device_words */
	enum cache outer, inner;
	unsigned share;			/* as in descriptors */
};

/* a nibble of MAIR: RW bits are hints */
static enum cache nibble(unsigned n)
{
	if (n == 4)
		return NC;
	return (n & 0xc) == 0 || (n & 0xc) == 8 ? WT : WB;
}

static struct memory of_mair(unsigned attr, unsigned share)
{
	struct memory m = { .share = share };

	m.device = !(attr & 0xf0);
	m.kind = attr >> 2 & 3;
	m.outer = attr == 0x40 ? NC : nibble(attr >> 4);
	m.inner = nibble(attr & 15);
	return m;
}

/* MemAttr of a stage 2 descriptor, without FWB */
static struct memory of_stage2(unsigned attr, unsigned share)
{
	static const enum cache caches[4] = { NC, NC, WT, WB };

	return (struct memory){ .device = !(attr >> 2), .kind = attr & 3,
				.outer = caches[attr >> 2], .inner = caches[attr & 3],
				.share = share };
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned wider(unsigned a, unsigned b)
{
	return a == 2 || b == 2 ? 2 : a == 3 || b == 3 ? 3 : 0;
}

/* Device wins over Normal, and the stronger of two; the weaker of two cacheabilities. */
static struct memory combine(struct memory a, struct memory b)
{
	struct memory m = { .device = a.device || b.device, .share = wider(a.share, b.share) };

	m.kind = !a.device ? b.kind : !b.device ? a.kind : least(a.kind, b.kind);
	m.outer = least(a.outer, b.outer);
	m.inner = least(a.inner, b.inner);
	return m;
}

/* FWB: stage 2 says it all, or leaves it to stage 1. */
static struct memory forced(struct memory s1, unsigned attr, bool has_s1)
{
	struct memory m = s1;

	if (!(attr & 4))
		return (struct memory){ .device = true, .kind = attr & 3 };
	if ((attr & 3) == 3 && has_s1)
		return s1;
	m.device = m.device && (attr & 3) == 1 && has_s1;
	m.outer = m.inner = (attr & 3) == 1 ? NC : WB;
	return m;
}

static struct memory memory_of(const struct walk *w)
{
	bool fwb = FGET(IDR3_FWB, w->regs->idr3) && FGET(STE_S2FWB, w->ste[1]);
	struct memory s1 = of_mair(w->leaf1.mair, w->leaf1.share), s2;

	if (!w->s2)
		return s1;
	s2 = of_stage2(w->leaf2.mair, w->leaf2.share);
	if (fwb)
		return forced(w->leaf1.used ? s1 : s2, w->leaf2.mair, w->leaf1.used);
	return w->leaf1.used ? combine(s1, s2) : s2;
}

static void say_memory(struct report_item *it, const struct memory *m)
{
	/* what nobody caches is as if shared by all */
	unsigned share = m->device || (m->outer == NC && m->inner == NC) ? 2 : m->share;

	if (m->device)
		report_text(it, "memory", "Device-%s", device_words[m->kind]);
	else if (m->outer == m->inner)
		report_text(it, "memory", "Normal, %s, %s", cache_words[m->outer],
			    share_words[share]);
	else
		report_text(it, "memory", "Normal, outer %s, inner %s, %s", cache_words[m->outer],
			    cache_words[m->inner], share_words[share]);
}

static void say_who(struct report_item *it, const char *name, unsigned perms)
{
	report_text(it, name, "%s%s%s", perms & WALK_R ? "read " : "", perms & WALK_W ? "write " :
		    "", perms & WALK_X ? "execute" : perms & (WALK_R | WALK_W) ? "" : "nothing");
}

/* What other accesses of the same stream would find at this address. */
static void say_permissions(struct walk *w, struct report_item *it)
{
	unsigned unpriv = w->leaf1.used ? w->leaf1.unpriv : WALK_R | WALK_W | WALK_X;
	unsigned priv = w->leaf1.used ? w->leaf1.priv : WALK_R | WALK_W | WALK_X;

	if (w->s2) {
		unpriv &= w->leaf2.unpriv;
		priv &= w->leaf2.priv;
	}
	say_who(it, "unprivileged", unpriv);
	say_who(it, "privileged", priv);
}

/* The STE's own attributes where no stage translates. */
static void say_bypass(struct walk *w, struct report_item *it)
{
	if (!FGET(CR0_SMMUEN, w->regs->cr0))
		report_text(it, "memory", "as the device says, unless GBPA overrides it");
	else if (FGET(STE_MTCFG, w->ste[1]))
		report_text(it, "memory", "STE.MemAttr 0x%x in place of the device's own (MTCFG)",
			    (unsigned)FGET(STE_MemAttr, w->ste[1]));
	else
		report_text(it, "memory", "as the device says");
}

void walk_attributes(struct walk *w, struct report_item *it)
{
	struct memory m;

	if (!w->leaf1.used && !w->leaf2.used) {
		say_bypass(w, it);
		return;
	}
	m = memory_of(w);
	say_memory(it, &m);
	say_permissions(w, it);
}
