/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - what was attached and mapped when; may this DMA reach that page?
 *
 * A value is possible from the moment at which the call that brings it begins to that
 * at which the call that takes it away returns. A DMA may move its data only where the
 * values that are possible at that moment lead; and it must not fail when, all the time
 * that it was under way, only values were possible that lead somewhere.
 */
#include "world.h"

void var_init(struct var *v, uint64_t value)
{
	*v = (struct var){ .n = 1 };
	v->e[0].v = value;
	v->e[0].to = NEVER;
}

uint64_t var_now(const struct var *v)
{
	return v->e[(v->n - 1) % KEPT].v;
}

void var_begin(struct world *w, struct var *v, uint64_t value)
{
	unsigned i = v->n++ % KEPT;

	v->e[i].v = value;
	v->e[i].from = ++w->clock;
	v->e[i].to = NEVER;
}

/* @done: it is the new one now; else it stays the old one. */
void var_end(struct world *w, struct var *v, bool done)
{
	unsigned now = (v->n - 1) % KEPT, before = (v->n - 2) % KEPT;

	if (!done) {
		uint64_t value = v->e[now].v, from = v->e[now].from;

		v->e[now].v = v->e[before].v;
		v->e[now].from = v->e[before].from;
		v->e[before].v = value;
		v->e[before].from = from;
	}
	v->e[before].to = ++w->clock;
}

unsigned var_possible(const struct var *v, uint64_t t0, uint64_t t1, uint64_t out[KEPT],
		      bool *whole)
{
	unsigned num = v->n < KEPT ? v->n : KEPT, n = 0;

	*whole = v->n <= KEPT;
	for (unsigned i = 0; i < num; i++) {
		if (v->e[i].to < t0)
			*whole = true;
		else if (v->e[i].from <= t1)
			out[n++] = v->e[i].v;
	}
	return n;
}

static const struct var *spot_of(const struct world *w, uint64_t domain, uint64_t iova)
{
	for (unsigned r = 0; r < REGIONS; r++)
		for (unsigned s = 0; s < SPOTS; s++)
			if (world_iova(r, s) == (iova & ~(uint64_t)(PAGE - 1)))
				return &w->dom[domain].region[r].spot[s];
	return NULL;
}

/* Where an access can end: up to KEPT pages, 0: it is aborted. */
struct ends {
	uint64_t pa[64];
	unsigned n;
	bool whole;
};

static void add_end(struct ends *e, uint64_t pa)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->pa[i] == pa)
			return;
	if (e->n < 64)
		e->pa[e->n++] = pa;
}

static void add_domain(const struct world *w, struct ends *e, uint64_t domain, uint64_t iova,
		       uint64_t t0, uint64_t t1)
{
	const struct var *spot = spot_of(w, domain, iova);
	uint64_t v[KEPT];
	bool whole;

	if (!spot) {
		add_end(e, 0);
		return;
	}
	for (unsigned n = var_possible(spot, t0, t1, v, &whole); n;)
		add_end(e, v[--n]);
	e->whole &= whole;
}

/* From one table to another changes two words of a CD: there is no hitless order. */
static bool two_tables(const uint64_t *v, unsigned n)
{
	uint64_t one = BLOCKED;

	for (unsigned i = 0; i < n; i++) {
		if (v[i] >= DOMS)
			continue;
		if (one != BLOCKED && one != v[i])
			return true;
		one = v[i];
	}
	return false;
}

/* Nor from an identity through the table, as ATS needs it, to a stage 2: its VMID. */
static bool identity_and_whole(const struct world *w, const struct dma *d, const uint64_t *v,
			       unsigned n)
{
	bool identity = false, whole = false;

	for (unsigned i = 0; i < n; i++) {
		identity |= v[i] == IDENTITY;
		whole |= v[i] == world_whole(w);
	}
	return identity && whole && w->dev[d->dev].e.always_on;
}

static struct ends ends_of(const struct world *w, const struct dma *d, uint64_t t0, uint64_t t1)
{
	struct ends e = { .whole = true };
	uint64_t v[KEPT];
	bool whole, shut = false;
	unsigned n;

	for (n = var_possible(&w->on, t0, t1, v, &whole); n; e.whole &= whole)
		shut |= !v[--n];
	for (n = var_possible(&w->dev[d->dev].open, t0, t1, v, &whole); n; e.whole &= whole)
		shut |= !v[--n];
	/* a call that hardware fails ends BLOCKED, before it has returned */
	if (shut || (w->failing && (w->dev[d->dev].busy || w->dev[d->dev].slot[d->slot].busy)))
		add_end(&e, 0);
	n = var_possible(&w->dev[d->dev].slot[d->slot].att, t0, t1, v, &whole);
	e.whole &= whole;
	if (two_tables(v, n) || identity_and_whole(w, d, v, n) || w->dev[d->dev].by_blocked)
		add_end(&e, 0);
	while (n--) {
		if (v[n] == IDENTITY)
			add_end(&e, d->iova & ~(uint64_t)(PAGE - 1));
		else if (v[n] == BLOCKED)
			add_end(&e, 0);
		else
			add_domain(w, &e, v[n], d->iova, t0, t1);
	}
	return e;
}

/* Is the device shut off for good at this moment? */
static bool shut_now(const struct world *w, const struct dma *d)
{
	uint64_t v[KEPT];
	bool whole, open = false;
	unsigned n;

	for (n = var_possible(&w->dev[d->dev].open, w->clock, w->clock, v, &whole); n;)
		open |= v[--n];
	return !open;
}

static const char *text_of(const struct dma *d)
{
	static char text[100];

	snprintf(text, sizeof(text), "%s of device %c, PASID %u, at 0x%llx",
		 d->write ? "write" : "read", "abc"[d->dev],
		 (unsigned)world_pasid[d->dev][d->slot], (unsigned long long)d->iova);
	return text;
}

void oracle_access(struct world *w, const struct dma *d, uint64_t pa)
{
	uint64_t page = pa & ~(uint64_t)(PAGE - 1);
	struct ends e;

	((struct dma *)d)->moved = true;
	if (d->judge) {
		d->judge->access(w, d, pa);
		return;
	}
	if (d->dev >= EXTRA) {
		if (!w->failing)
			extra_access(w, d, pa);
		return;
	}
	world_note(w, "%s moves its data at physical 0x%llx", text_of(d),
		   (unsigned long long)pa);
	/* nothing waits for what is on its way when the SMMU fails (IHI 0070 6.3.9.6) */
	if (w->failing && d->began <= w->failed_at)
		return;
	if (shut_now(w, d))
		uiommu_hostile_fail("%s reaches memory while the device is shut off", text_of(d));
	e = ends_of(w, d, w->clock, w->clock);
	for (unsigned i = 0; i < e.n; i++)
		if (e.pa[i] == page && page)
			return;
	uiommu_hostile_fail("%s reaches physical 0x%llx, which it must not (any more)",
			    text_of(d), (unsigned long long)pa);
}

bool oracle_must(struct world *w, const struct dma *d, uint64_t *pa)
{
	struct ends e = ends_of(w, d, d->began, w->clock);

	for (unsigned i = 0; i < e.n; i++)
		if (!e.pa[i])
			return false;
	*pa = e.n ? e.pa[0] : 0;
	return e.whole && e.n;
}

static struct tally *tally(struct world *w, const struct dma *d)
{
	return &w->tally[d->dev][d->slot][d->where][d->write];
}

/* An access is over. */
void oracle_end(struct world *w, struct dma *d, int err)
{
	uint64_t pa;

	d->active = false;
	w->res->dmas++;
	if (!err)
		return;
	w->res->aborts++;
	if (!ats_excuses(d) && oracle_must(w, d, &pa))
		uiommu_hostile_fail("%s is aborted, and nothing was in its way", text_of(d));
	tally(w, d)->aborts++;
}

/* ---- events ---- */

/* Of one place, each event has an abort behind it, or a DMA that may yet be aborted. */
static unsigned under_way(const struct world *w, unsigned dev, unsigned slot, int where, int write)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FLYERS; i++) {
		const struct dma *d = w->flying[i];

		n += d && d->active && !d->moved && d->dev == dev && d->slot == slot &&
		     (where < 0 || d->where == (unsigned)where) && (write < 0 || d->write == write);
	}
	return n;
}

static bool find_stream(const struct uiommu_fault *f, unsigned *dev, unsigned *slot)
{
	uiommu_pasid_t pasid = f->flags & UIOMMU_FAULT_HAS_PASID ? f->pasid : 0;

	for (*dev = 0; *dev < DEVS; ++*dev)
		for (*slot = 0; *slot < SLOTS; ++*slot)
			if ((world_stream[*dev][0] == f->stream_id ||
			     world_stream[*dev][1] == f->stream_id) &&
			    world_pasid[*dev][*slot] == pasid)
				return true;
	return false;
}

static bool whole_record(struct world *w, const struct uiommu_fault *f, unsigned dev,
			 unsigned slot)
{
	int write = !!(f->flags & UIOMMU_FAULT_WRITE);
	unsigned where = 0;
	struct tally *t;

	while (where < ADDRESSES && world_address(w, where) != f->iova)
		where++;
	if (where == ADDRESSES)
		return false;
	t = &w->tally[dev][slot][where][write];
	return ++t->events <= t->aborts + under_way(w, dev, slot, (int)where, write);
}

static bool short_record(struct world *w, unsigned dev, unsigned slot)
{
	unsigned aborts = 0, events = ++w->short_events[dev][slot];

	for (unsigned i = 0; i < ADDRESSES * 2; i++) {
		aborts += w->tally[dev][slot][i / 2][i % 2].aborts;
		events += w->tally[dev][slot][i / 2][i % 2].events;
	}
	return events <= aborts + under_way(w, dev, slot, -1, -1);
}

void oracle_event(struct world *w, const struct uiommu_fault *f)
{
	const unsigned all = UIOMMU_FAULT_HAS_IOVA | UIOMMU_FAULT_HAS_RW;
	unsigned dev, slot;

	w->res->events++;
	world_note(w, "event %s, stream 0x%x", f->name, f->stream_id);
	if (ats_event(w, f) || faults_event(w, f) || nested_event(w, f) ||
	    extra_event(w, f))
		return;
	if (find_stream(f, &dev, &slot) &&
	    ((f->flags & all) == all ? whole_record(w, f, dev, slot) : short_record(w, dev, slot)))
		return;
	uiommu_hostile_fail("an event that nobody caused: %s, stream 0x%x, PASID 0x%x, at 0x%llx",
			    f->name, f->stream_id, f->pasid, (unsigned long long)f->iova);
}
