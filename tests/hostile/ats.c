/* SPDX-License-Identifier: MIT */
/*
 * ats.c - devices with a TLB of their own, as bad as they may be
 *
 * A device keeps each translation until a CMD_ATC_INV forces it out, over the times when
 * ATS is off too where the seed says so, and then uses it all the same; it answers late;
 * or, from some moment on, not at all, until it is reset. Nothing of that may let it
 * reach what an unmap or a detach that has returned took away: the oracle judges where
 * its data goes, however it got there.
 */
#include "world.h"

#include <string.h>

void ats_endpoint(struct world *w, struct endpoint *e, const uint32_t *streams, unsigned n)
{
	e->w = w;
	e->streams = streams;
	e->num = n;
	e->keeps = pick(2);
	for (unsigned i = 0; i < n; i++) {
		uiommu_sim_atc_init(&e->atc[i], w->sim, streams[i]);
		uiommu_sim_atc_enable(&e->atc[i], false);
	}
	w->endpoint[w->num_endpoints++] = e;
	cmdqv_pairs(w);
}

/*
 * The Enable bit. What a good device forgets then, one that keeps does not. Configuration
 * space is slow: what the device does with it is over long before the write is.
 */
static void set_ats(void *ctx, bool on)
{
	struct endpoint *e = ctx;

	world_note(e->w, "ATS of StreamID 0x%x goes %s", e->streams[0], on ? "on" : "off");
	for (unsigned i = 0; i < e->num; i++) {
		if (on && !e->keeps)
			uiommu_sim_atc_flush(&e->atc[i]);
		uiommu_sim_atc_enable(&e->atc[i], on);
	}
	e->on = on;
	e->changes++;
	for (unsigned n = pick(3) && !e->silent ? 1 : pick(200); n; n--)
		uiommu_hostile_wait();
}

void ats_configure(struct endpoint *e, struct uiommu_dev_config *cfg)
{
	cfg->ats = e->w->setup.ats;
	cfg->ats_global = e->global;
	cfg->ats_always_on = e->always_on;
	cfg->set_ats = set_ats;
	cfg->ats_ctx = e;
}

/* ---- invalidations ---- */

static struct endpoint *find(const struct world *w, uint32_t stream, unsigned *i)
{
	for (unsigned k = 0; k < w->num_endpoints; k++)
		for (*i = 0; *i < w->endpoint[k]->num; ++*i)
			if (w->endpoint[k]->streams[*i] == stream)
				return w->endpoint[k];
	return NULL;
}

/* Rather while its entries change, most of all when it is a guest that tells it. From now
 * on it may be put into quarantine. */
static void fall_silent(struct world *w, struct endpoint *e)
{
	bool changes = w->changing && &w->dev[w->changing - 1].e == e;

	if (!w->setup.silent || !w->ready || e->silent ||
	    e != w->endpoint[w->setup.silent_one % w->num_endpoints] ||
	    pick(w->nested.told == e ? 3 : changes ? 20 : 60))
		return;
	world_note(w, "StreamID 0x%x answers no more", e->streams[0]);
	e->silent = e->trouble = true;
	w->res->silent++;
}

/* env->atc_inv: with the simulator's lock. */
int ats_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	struct world *w = ctx;
	unsigned i;
	struct endpoint *e = find(w, inv->stream_id, &i);

	w->res->atc_invs++;
	if (!e)
		return 0;
	fall_silent(w, e);
	if (w->num_late < LATE && !pick(3)) {
		w->late[w->num_late++] = (struct late){ e, i, *inv };
		return 1;
	}
	return e->silent ? -1 : uiommu_sim_atc_inv(&e->atc[i], inv);
}

/* One of those that wait, in any order. */
static void answer_one(struct world *w)
{
	unsigned k = pick(w->num_late);
	struct late l = w->late[k];

	w->late[k] = w->late[--w->num_late];
	w->res->taken[UIOMMU_SIM_LATE_ATC]++;
	if (l.e->silent)
		uiommu_sim_smmuv3_atc_inv_done(w->sim, l.inv.queue, false);
	else if (!uiommu_sim_atc_inv(&l.e->atc[l.stream], &l.inv))
		uiommu_sim_smmuv3_atc_inv_done(w->sim, l.inv.queue, true);
}

void ats_acts(void *arg)
{
	struct world *w = arg;

	for (;; uiommu_hostile_wait())
		if (w->num_late && !pick(3))
			answer_one(w);
}

/* One that was reset since is well, whoever may still be about to find it silent. */
void ats_failed(struct world *w, const struct uiommu_dev *dev)
{
	unsigned i;
	struct endpoint *e = find(w, dev->streams[0].id, &i);

	world_note(w, "the driver says that device %s failed", uiommu_device_name(dev));
	if (!e || !e->trouble)
		uiommu_hostile_fail("a device that answers is put into quarantine");
}

/*
 * It is reset, or is another one now: it answers again. One that kept silent has forgotten
 * everything; one that keeps what it has has been told before.
 */
void ats_reset(struct endpoint *e)
{
	for (unsigned i = 0; i < e->num && (e->silent || !e->keeps); i++)
		uiommu_sim_atc_flush(&e->atc[i]);
	e->silent = false;
}

/* The driver has let go of it. */
void ats_gone(const struct endpoint *e)
{
	if (e->on)
		uiommu_hostile_fail("a device is removed, and its ATS is on: StreamID 0x%x",
				    e->streams[0]);
}

/* The driver has been told of it: what it is aborted for it did not do itself. */
void ats_well(struct world *w, struct endpoint *e)
{
	if (!e->trouble || e->silent)
		return;
	e->trouble = false;
	e->well_since = ++w->clock;
}

/* ---- its DMA ---- */

/* On, through its own TLB, but for some; off, from there only what it has kept: rather so
 * while it is silent. */
int ats_dma(struct world *w, struct endpoint *e, unsigned stream,
	    const struct uiommu_sim_access *a, struct dma *d)
{
	bool by_atc = w->setup.ats && (e->on || e->silent ? pick(4) : !pick(4));
	uint64_t buf = ++w->written;
	int err;

	d->e = e;
	d->changes = e->changes;
	d->kept = by_atc && !e->on;
	d->by_atc = by_atc;
	*uiommu_hostile_local() = d;
	if (!by_atc) {
		err = uiommu_sim_smmuv3_dma_stag(w->sim, a, &buf, sizeof(buf), NULL, &d->stag);
	} else {
		e->flying++;
		err = uiommu_sim_atc_dma(&e->atc[stream], a, &buf, sizeof(buf), NULL);
		e->flying--;
		e->aborts += err != 0;
		w->res->atc_dmas += !err;
		w->res->taken[UIOMMU_SIM_ATC_KEEPS] += !err && d->kept;
	}
	return err;
}

/* Aborted for what became of its ATS meanwhile, not for where it went? */
bool ats_excuses(const struct dma *d)
{
	const struct endpoint *e = d->e;

	if (e->trouble || d->began <= e->well_since)
		return true;
	return d->by_atc && (d->kept || d->changes != e->changes);
}

/* A translated access has no PASID, and the address that it was told. */
bool ats_event(struct world *w, const struct uiommu_fault *f)
{
	unsigned i;
	struct endpoint *e = find(w, f->stream_id, &i);

	return e && !strcmp(f->name, "F_TRANSL_FORBIDDEN") &&
	       ++e->events <= e->aborts + e->flying;
}
