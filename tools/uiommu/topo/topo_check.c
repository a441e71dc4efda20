/* SPDX-License-Identifier: MIT */
/* topo_check.c - what bites: shared and missing StreamIDs, overlaps, sizes */
#include <inttypes.h>
#include <stdlib.h>

#include "../decode/report.h"
#include "topo.h"

#define MAX_USES (8u << 20)

struct use {
	uint32_t smmu, sid, root, id;
};

static int by_sid(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->smmu != y->smmu)
		return x->smmu < y->smmu ? -1 : 1;
	if (x->sid != y->sid)
		return x->sid < y->sid ? -1 : 1;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* ---- RIDs without a StreamID, and the list of those with one ---- */

#define GAPS_TOLD 2

struct gap {
	uint32_t first, last;
	bool open;
	unsigned before;		/* gaps of this root that are ended */
	uint64_t untold;		/* IDs in those beyond GAPS_TOLD */
};

static void end_gap(struct topo *t, unsigned root, struct gap *g)
{
	char first[96], last[96];

	if (!g->open)
		return;
	g->open = false;
	if (g->before++ >= GAPS_TOLD) {
		g->untold += g->last - g->first + 1;
		return;
	}
	topo_name_id(t, root, g->first, first, sizeof(first));
	topo_name_id(t, root, g->last, last, sizeof(last));
	topo_find(t, TOPO_WARNING, "unmapped", "%s: RIDs 0x%04x to 0x%04x (%s to %s) have no "
		  "StreamID: no entry maps them", t->roots[root].name, g->first, g->last, first,
		  last);
}

static void end_gaps(struct topo *t, unsigned root, struct gap *g)
{
	end_gap(t, root, g);
	if (g->untold)
		topo_find(t, TOPO_WARNING, "unmapped", "%s: neither have 0x%" PRIx64 " more RIDs "
			  "in %u ranges", t->roots[root].name, g->untold, g->before - GAPS_TOLD);
}

static bool has_maps(const struct topo *t, unsigned root)
{
	for (unsigned i = 0; i < t->num_maps; i++)
		if (t->maps[i].root == root)
			return true;
	return false;
}

static unsigned uses_of_root(struct topo *t, unsigned root, struct use *u, unsigned n)
{
	const struct topo_root *r = &t->roots[root];
	struct gap g = { 0 };

	for (uint32_t id = r->rid_first; n < MAX_USES; id++) {
		uint32_t sid;
		const struct topo_map *m = topo_lookup(t, root, id, &sid);

		if (m) {
			end_gap(t, root, &g);
			u[n++] = (struct use){ m->smmu, sid, root, id };
		} else if (r->pci) {
			g.first = g.open ? g.first : id;
			g.last = id;
			g.open = true;
		}
		if (id >= r->rid_last)
			break;
	}
	end_gaps(t, root, &g);
	return n;
}

static bool named_dev(const struct topo *t, const struct use *u)
{
	for (unsigned i = 0; i < t->num_devs; i++)
		if (t->devs[i].root == u->root && t->devs[i].id == u->id)
			return true;
	return !t->roots[u->root].pci;
}

/* ---- two on one StreamID ---- */

struct clash {
	struct use a, b;
	unsigned sids;
	bool known;			/* both are devices that firmware names */
};

static void say_clash(struct topo *t, const struct clash *c)
{
	const struct topo_root *ra = &t->roots[c->a.root];
	bool masked = c->a.root == c->b.root && ra->mask < 0xffff;
	char a[96], b[96];

	topo_name_id(t, c->a.root, c->a.id, a, sizeof(a));
	topo_name_id(t, c->b.root, c->b.id, b, sizeof(b));
	topo_find(t, c->known ? TOPO_ERROR : TOPO_WARNING, "shared-streamid", "%s (0x%04x) and %s "
		  "(0x%04x) both become StreamID 0x%x of %s%s: they cannot be kept apart, and land "
		  "in one group. %u StreamID%s of %s%s%s shared", a, c->a.id, b, c->b.id, c->a.sid,
		  t->smmus[c->a.smmu].name, masked ?
		  ", because iommu-map-mask drops bits of the RID" : "", c->sids,
		  c->sids == 1 ? "" : "s", ra->name, c->a.root == c->b.root ? "" : " and ",
		  c->a.root == c->b.root ? (c->sids == 1 ? " is" : " are") :
		  t->roots[c->b.root].name);
}

/* All clashes of one pair of roots are one finding. */
static void note_clash(const struct topo *t, struct clash **list, unsigned *n, const struct use *a,
		       const struct use *b, bool new_sid)
{
	bool known = named_dev(t, a) && named_dev(t, b);

	for (unsigned i = 0; i < *n; i++) {
		struct clash *c = &(*list)[i];

		if (c->a.root != a->root || c->b.root != b->root || c->a.smmu != a->smmu)
			continue;
		c->sids += new_sid;
		if (known && !c->known) {
			c->a = *a;
			c->b = *b;
			c->known = true;
		}
		return;
	}
	*list = tool_grow(*list, *n, sizeof(**list));
	(*list)[(*n)++] = (struct clash){ *a, *b, 1, known };
}

static void find_clashes(struct topo *t, struct use *u, unsigned n)
{
	struct clash *list = NULL;
	unsigned clashes = 0, first = 0;

	if (n)
		qsort(u, n, sizeof(*u), by_sid);
	for (unsigned i = 1; i < n; i++) {
		if (u[i].smmu != u[first].smmu || u[i].sid != u[first].sid) {
			first = i;
			continue;
		}
		/* with the one before, and with the first: enough to meet each pair of roots */
		note_clash(t, &list, &clashes, &u[first], &u[i], i == first + 1);
	}
	for (unsigned i = 0; i < clashes; i++)
		say_clash(t, &list[i]);
	free(list);
}

/* ---- entries among themselves ---- */

static bool overlap(uint32_t a, uint64_t na, uint32_t b, uint64_t nb)
{
	return a < b + nb && b < a + na;
}

static void check_overlaps(struct topo *t)
{
	for (unsigned i = 0; i < t->num_maps; i++)
		for (unsigned k = i + 1; k < t->num_maps; k++) {
			const struct topo_map *a = &t->maps[i], *b = &t->maps[k];

			if (a->root != b->root || !overlap(a->id, a->count, b->id, b->count))
				continue;
			topo_find(t, TOPO_ERROR, "overlap", "%s: two entries cover the same "
				"IDs: 0x%x"
				  "+0x%" PRIx64 " and 0x%x+0x%" PRIx64 "; the first counts",
				  t->roots[a->root].name, a->id, a->count, b->id, b->count);
		}
}

/* the first entry that goes from this root to this SMMU */
static bool first_of_pair(const struct topo *t, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (t->maps[k].root == t->maps[i].root && t->maps[k].smmu == t->maps[i].smmu)
			return false;
	return true;
}

static void check_sizes(struct topo *t, unsigned sidsize)
{
	for (unsigned i = 0; i < t->num_maps; i++) {
		const struct topo_map *m = &t->maps[i];
		unsigned bits = t->smmus[m->smmu].sidsize ? t->smmus[m->smmu].sidsize : sidsize;
		uint64_t last = m->sid + (m->single ? 0 : m->count - 1);

		if (bits && last >> bits)
			topo_find(t, TOPO_ERROR, "sidsize", "%s: StreamIDs up to 0x%" PRIx64
				  " go to %s, which has only %u bits (0x%" PRIx64 "): what is "
				  "beyond gives C_BAD_STREAMID", t->roots[m->root].name, last,
				  t->smmus[m->smmu].name, bits, ((uint64_t)1 << bits) - 1);
		if (t->smmus[m->smmu].disabled && first_of_pair(t, i))
			topo_find(t, TOPO_WARNING, "disabled", "%s leads to %s, which is disabled",
				  t->roots[m->root].name, t->smmus[m->smmu].name);
	}
}

static void check_regions(struct topo *t)
{
	for (unsigned i = 0; i < t->num_regions; i++)
		for (unsigned k = i + 1; k < t->num_regions; k++) {
			const struct topo_region *a = &t->regions[i], *b = &t->regions[k];

			if (a->base < b->base + b->bytes && b->base < a->base + a->bytes)
				topo_find(t, TOPO_WARNING, "overlap", "Reserved memory 0x%" PRIx64
					  "+0x%" PRIx64 " (%s) overlaps 0x%" PRIx64 "+0x%" PRIx64
					  " (%s)", a->base, a->bytes, a->name, b->base, b->bytes,
					  b->name);
		}
}

void topo_check(struct topo *t, unsigned sidsize)
{
	struct use *u = NULL;
	unsigned n = 0;

	check_overlaps(t);
	check_sizes(t, sidsize);
	check_regions(t);
	for (unsigned i = 0; i < t->num_roots; i++) {
		uint64_t ids = (uint64_t)t->roots[i].rid_last - t->roots[i].rid_first + 1;

		if (t->roots[i].region)
			continue;
		if (!has_maps(t, i)) {
			if (t->num_smmus && t->roots[i].pci)
				topo_find(t, TOPO_WARNING, "unmapped", "%s: nothing maps its RIDs: "
					  "no SMMU translates for them", t->roots[i].name);
			continue;
		}
		if (n + ids > MAX_USES) {
			topo_find(t, TOPO_NOTE, "too-many", "Too many IDs to look at all: %s and "
				  "what follows is not checked for sharing", t->roots[i].name);
			break;
		}
		u = tool_realloc(u, (n + ids) * sizeof(*u));
		n = uses_of_root(t, i, u, n);
	}
	find_clashes(t, u, n);
	free(u);
}
