/* SPDX-License-Identifier: MIT */
/*
 * ops.c - the calls that logical threads make
 *
 * Who calls has the thing that it changes to itself: one (device, PASID), one range of
 * a domain, a whole device, a whole domain. So each call has one right answer, and all
 * else (the STE, the PASID table, the page table, the tag, the queue) is shared.
 */
#include "world.h"

/* ---- devices' DMA and hardware's curiosity ---- */

static unsigned some_address(void)
{
	unsigned n = pick(8);

	if (n < 5)
		return pick(REGIONS * SPOTS);
	return pick(ADDRESSES);
}

void dma_once(struct world *w, unsigned dev, unsigned slot, unsigned where, bool write)
{
	uint64_t iova = world_address(w, where);
	struct dma d = { .dev = dev, .slot = slot, .where = where, .iova = iova,
			 .write = write, .active = true, .began = w->clock };
	unsigned i = 0, stream = pick(w->dev[dev].e.num);
	const struct uiommu_sim_access a = {
		.stream_id = world_stream[dev][stream],
		.substream_id = world_pasid[dev][slot], .ssv = slot,
		.write = write, .iova = iova,
	};
	int err;

	while (w->flying[i])
		i++;
	w->flying[i] = &d;
	world_note(w, "%s of device %c, PASID %u, at 0x%llx arrives", write ? "write" : "read",
		   "abc"[dev], (unsigned)world_pasid[dev][slot], (unsigned long long)iova);
	err = ats_dma(w, &w->dev[dev].e, stream, &a, &d);
	oracle_end(w, &d, err);
	*uiommu_hostile_local() = NULL;
	w->flying[i] = NULL;
}

/* Rather through something that is attached. */
static void dma_somewhere(struct world *w)
{
	unsigned d = pick(DEVS), s = pick(SLOTS);

	for (unsigned n = 0; n < 4 && var_now(&w->dev[d].slot[s].att) == BLOCKED; n++) {
		d = pick(DEVS);
		s = pick(SLOTS);
	}
	dma_once(w, d, s, some_address(), pick(2));
}

void dma_random(struct world *w)
{
	if (!w->ready)
		return;
	if (w->hot.aimed && pick(4))
		dma_once(w, w->hot.dev, w->hot.slot, w->hot.where, true);
	else if (!pick(6))
		extra_dma(w);
	else if (w->setup.faults && !pick(4))
		faults_random(w);
	else if (w->setup.nested && !pick(4))
		nested_random(w);
	else if (pick(2))
		dma_once(w, w->hot.dev, w->hot.slot, w->hot.where, pick(2));
	else
		dma_somewhere(w);
}

static void prefetch(struct world *w, unsigned dev, unsigned slot, unsigned where)
{
	const struct uiommu_sim_access a = {
		.stream_id = pick(8) ? world_stream[dev][pick(2)] : extra_stranger(w),
		.substream_id = world_pasid[dev][slot], .ssv = slot,
		.iova = world_address(w, where),
	};

	w->res->prefetches++;
	uiommu_sim_smmuv3_prefetch(w->sim, &a);
}

void prefetch_random(struct world *w)
{
	if (w->setup.faults && w->ready && !pick(5))
		faults_prefetch(w);
	else if (w->setup.nested && w->ready && !pick(5))
		nested_prefetch(w);
	else if (pick(3))
		prefetch(w, w->hot.dev, w->hot.slot, w->hot.where);
	else
		prefetch(w, pick(DEVS), pick(SLOTS), some_address());
}

/* What is about to change is cached, perhaps; all look there from now on. */
static void warm(struct world *w, unsigned dev, unsigned slot, unsigned where)
{
	w->hot.dev = dev;
	w->hot.slot = slot;
	w->hot.where = where;
	w->hot.aimed = false;
	if (pick(2))
		prefetch(w, dev, slot, where);
	else if (pick(2))
		dma_once(w, dev, slot, where, pick(2));
}

/* ---- attach, replace, detach ---- */

static bool lock_slot(struct world *w, unsigned d, unsigned s)
{
	if (w->dev[d].busy || w->dev[d].slot[s].busy)
		return false;
	w->dev[d].users++;
	w->dev[d].slot[s].busy = true;
	return true;
}

/* Whoever comes next sees all that was done, as behind any lock of an embedder's. */
static void unlock_slot(struct world *w, unsigned d, unsigned s)
{
	uiommu_hostile_handover();
	w->dev[d].users--;
	w->dev[d].slot[s].busy = false;
}

/* Stage 2 is the whole device's: what its PASIDs may have depends on it. */
static bool lock_for(struct world *w, unsigned d, unsigned s, uint64_t v)
{
	if (s || (v != world_whole(w) && var_now(&w->dev[d].slot[s].att) != world_whole(w)))
		return lock_slot(w, d, s);
	if (w->dev[d].busy || w->dev[d].users)
		return false;
	w->dev[d].busy = true;
	w->dev[d].slot[s].busy = true;
	return true;
}

static void unlock_for(struct world *w, unsigned d, unsigned s)
{
	if (!w->dev[d].busy) {
		unlock_slot(w, d, s);
		return;
	}
	uiommu_hostile_handover();
	w->dev[d].busy = false;
	w->dev[d].slot[s].busy = false;
}

static uint64_t base_of(const struct world *w, unsigned d, unsigned s)
{
	return d == 2 && !s && !w->dev[d].claimed ? IDENTITY : BLOCKED;
}

struct look {
	struct world *w;
	unsigned d, s;
	uint64_t has;
};

static int compare(void *ctx, const struct uiommu_attach_status *st)
{
	struct look *l = ctx;

	if (st->pasid != world_pasid[l->d][l->s])
		return 0;
	if (st->dom == uiommu_domain_identity(l->w->u))
		l->has = IDENTITY;
	for (unsigned i = 0; i < DOMS; i++)
		if (st->dom == l->w->dom[i].dom)
			l->has = i;
	return 1;
}

/* What the driver says is attached. */
static uint64_t status_of(struct world *w, unsigned d, unsigned s)
{
	struct look l = { w, d, s, BLOCKED };

	uiommu_device_for_each_attach(w->dev[d].dev, compare, &l);
	return l.has;
}

/* What fails because the SMMU did, or because the device is in quarantine. */
static bool excused(const struct world *w, unsigned d, int err)
{
	if (w->dev[d].e.trouble && err == -UIOMMU_EIO)
		return true;
	return w->failing && (err == -UIOMMU_EIO || err == -UIOMMU_ETIMEDOUT);
}

static void set_users(struct world *w, uint64_t was, uint64_t is)
{
	if (was < DOMS)
		w->dom[was].users--;
	if (is < DOMS)
		w->dom[is].users++;
}

/* After an error of hardware: as before, or BLOCKED. */
static void after_failure(struct world *w, unsigned d, unsigned s)
{
	struct var *att = &w->dev[d].slot[s].att;
	uint64_t was = var_now(att), is = status_of(w, d, s);

	if (is == was) {
		/* was it put back, or is it BLOCKED for want of anything better? */
		w->dev[d].slot[s].unsure |= !s && was == BLOCKED && w->dev[d].slot[s].attached;
		return;
	}
	if (is != BLOCKED)
		uiommu_hostile_fail("a failed call left something else attached");
	set_users(w, was, BLOCKED);
	var_begin(w, att, BLOCKED);
	var_end(w, att, true);
	w->dev[d].slot[s].attached = false;
}

static struct uiommu_domain *domain_of(struct world *w, uint64_t v)
{
	if (v == IDENTITY)
		return uiommu_domain_identity(w->u);
	return v == BLOCKED ? uiommu_domain_blocked(w->u) : w->dom[v].dom;
}

static unsigned pasids_of(const struct world *w, unsigned d)
{
	unsigned n = 0;

	for (unsigned s = 1; s < SLOTS; s++)
		n += var_now(&w->dev[d].slot[s].att) != BLOCKED;
	return n;
}

static int wanted(const struct world *w, unsigned d, unsigned s, uint64_t v, bool replace)
{
	bool attached = w->dev[d].slot[s].attached, whole = v == world_whole(w);

	if (s && world_pasid[d][s] >> uiommu_device_pasid_bits(w->dev[d].dev))
		return -UIOMMU_EINVAL;
	if (s && v == IDENTITY)
		return -UIOMMU_EOPNOTSUPP;
	if (s && v != BLOCKED && var_now(&w->dev[d].slot[0].att) == world_whole(w))
		return -UIOMMU_EINVAL;
	if (whole && (s || pasids_of(w, d)))
		return s ? -UIOMMU_EINVAL : -UIOMMU_EBUSY;
	if (w->dev[d].reset)
		return -UIOMMU_EBUSY;
	if (replace)
		return attached ? 0 : -UIOMMU_EINVAL;
	return attached && var_now(&w->dev[d].slot[s].att) != BLOCKED ? -UIOMMU_EBUSY : 0;
}

static void attach(struct world *w, unsigned d, unsigned s, uint64_t v, bool replace)
{
	int want = wanted(w, d, s, v, replace), err;
	struct var *att = &w->dev[d].slot[s].att;
	uint64_t was = var_now(att);

	world_note(w, "%s device %c, PASID %u, %s %u: begins", replace ? "replace" : "attach",
		   "abc"[d], (unsigned)world_pasid[d][s], v < DOMS ? "domain" : "special",
		   (unsigned)v);
	var_begin(w, att, want && !w->dev[d].slot[s].unsure ? was : v);
	w->attaching = (unsigned)v + 1;
	w->changing = d + 1;
	err = (replace ? uiommu_replace_device_pasid : uiommu_attach_device_pasid)(
		domain_of(w, v), w->dev[d].dev, world_pasid[d][s]);
	w->attaching = w->changing = 0;
	if (world_forgives(w, err)) {
		var_end(w, att, false);
		return;
	}
	world_note(w, "... returns %d", err);
	if (w->dev[d].slot[s].unsure && replace && (!want || want == -UIOMMU_EINVAL) &&
	    (!err || err == -UIOMMU_EINVAL)) {
		w->dev[d].slot[s].attached = w->dev[d].slot[s].unsure = false;
		want = err;
	}
	if (err != want && !excused(w, d, err))
		uiommu_hostile_fail("attach or replace returns %d instead of %d", err, want);
	var_end(w, att, !err);
	if (err && !want) {
		after_failure(w, d, s);
	} else if (!err) {
		set_users(w, was, v);
		w->dev[d].slot[s].attached = !s || v != BLOCKED;
		w->dev[d].slot[s].unsure = false;
	}
}

static void op_attach(struct world *w, const struct op *op)
{
	unsigned d = op->a % DEVS, s = op->b % SLOTS;
	uint64_t v = op->c % 12 < 10 ? op->c % 12 % DOMS : IDENTITY + op->c % 2;

	/* domains that are nowhere, for a while */
	if (w->setup.sparse && op->c % 12 < 8)
		v = BLOCKED;

	if (!lock_for(w, d, s, v))
		return;
	if (v >= DOMS || !w->dom[v].busy) {
		set_users(w, BLOCKED, v);
		warm(w, d, s, op->d % (REGIONS * SPOTS));
		attach(w, d, s, v, op->d >> 6 & 1);
		set_users(w, v, BLOCKED);
		dma_once(w, d, s, op->d % (REGIONS * SPOTS), false);
	}
	unlock_for(w, d, s);
}

static void detach(struct world *w, unsigned d, unsigned s)
{
	struct var *att = &w->dev[d].slot[s].att;
	bool attached = w->dev[d].slot[s].attached, unsure = w->dev[d].slot[s].unsure;
	uint64_t was = var_now(att), base = base_of(w, d, s);

	world_note(w, "detach device %c, PASID %u: begins", "abc"[d],
		   (unsigned)world_pasid[d][s]);
	var_begin(w, att, attached || unsure ? base : was);
	w->changing = d + 1;
	uiommu_detach_device_pasid(w->dev[d].dev, world_pasid[d][s]);
	w->changing = 0;
	world_note(w, "... returns");
	if (attached)
		set_users(w, was, BLOCKED);
	var_end(w, att, !unsure || status_of(w, d, s) == base);
	w->dev[d].slot[s].attached = w->dev[d].slot[s].unsure = false;
	if (w->failing || w->dev[d].e.trouble)
		after_failure(w, d, s);
}

static void op_detach(struct world *w, const struct op *op)
{
	unsigned d = op->a % DEVS, s = op->b % SLOTS;

	if (!lock_for(w, d, s, BLOCKED))
		return;
	warm(w, d, s, op->d % (REGIONS * SPOTS));
	detach(w, d, s);
	dma_once(w, d, s, op->d % (REGIONS * SPOTS), true);
	unlock_for(w, d, s);
}

/* ---- map, unmap ---- */

static bool lock_region(struct world *w, unsigned i, unsigned r)
{
	if (w->dom[i].busy || w->dom[i].region[r].busy)
		return false;
	w->dom[i].users++;
	w->dom[i].region[r].busy = true;
	return true;
}

static void unlock_region(struct world *w, unsigned i, unsigned r)
{
	uiommu_hostile_handover();
	w->dom[i].users--;
	w->dom[i].region[r].busy = false;
}

/* A device and a PASID that has the domain, to look through; rather one that falls silent. */
static bool seen_by(const struct world *w, unsigned i, unsigned *d, unsigned *s)
{
	bool aim = w->setup.silent && w->setup.silent_one < DEVS && pick(2);
	unsigned n = aim ? w->setup.silent_one * SLOTS + pick(SLOTS) : pick(DEVS * SLOTS);

	for (unsigned k = 0; k < DEVS * SLOTS; k++, n = (n + 1) % (DEVS * SLOTS)) {
		if (var_now(&w->dev[n / SLOTS].slot[n % SLOTS].att) != i)
			continue;
		*d = n / SLOTS;
		*s = n % SLOTS;
		return true;
	}
	return false;
}

/* A write to a register of a device tells it to go: map()'s barrier is in front. */
static void doorbell(void)
{
	uiommu_hostile_device_write();
}

static uint64_t *own_page(const struct world *w, unsigned i, unsigned r)
{
	return (uint64_t *)(uintptr_t)(w->dom[i].region[r].own + w->host.table_offset);
}

static void map_page(struct world *w, unsigned i, unsigned r, unsigned spot, uint64_t pa)
{
	struct var *v = &w->dom[i].region[r].spot[spot];
	int want = var_now(v) ? -UIOMMU_EEXIST : 0, err;
	uint64_t n = 0;

	world_note(w, "map domain %u, 0x%llx to physical 0x%llx: begins", i,
		   (unsigned long long)world_iova(r, spot), (unsigned long long)pa);
	var_begin(w, v, want ? var_now(v) : pa);
	err = uiommu_map(w->dom[i].dom, world_iova(r, spot), pa, PAGE, RW, &n);
	doorbell();
	world_note(w, "... returns %d", err);
	if (world_forgives(w, err))
		want = err;
	if (err != want)
		uiommu_hostile_fail("map returns %d instead of %d", err, want);
	var_end(w, v, !err);
}

static bool empty(const struct world *w, unsigned i, unsigned r)
{
	for (unsigned s = 0; s < SPOTS; s++)
		if (var_now(&w->dom[i].region[r].spot[s]))
			return false;
	return true;
}

/* All of a region to a block of memory, or the run of pages at its end. */
static void map_block(struct world *w, unsigned i, unsigned r, unsigned block, bool all)
{
	unsigned first = all ? 0 : SPOTS - 1;
	uint64_t off = all ? 0 : BLOCK - RUN, n = 0, pa = w->block[block];
	int err;

	world_note(w, "map domain %u, %s of 0x%llx to block %u: begins", i, all ? "all" : "the end",
		   (unsigned long long)world_iova(r, 0), block);
	for (unsigned s = first; s < SPOTS; s++)
		var_begin(w, &w->dom[i].region[r].spot[s],
			  pa + (world_iova(r, s) - world_iova(r, 0)));
	err = uiommu_map(w->dom[i].dom, world_iova(r, 0) + off, pa + off, BLOCK - off, RW, &n);
	doorbell();
	world_note(w, "... returns %d", err);
	if (err && !world_forgives(w, err))
		uiommu_hostile_fail("map of a block returns %d", err);
	if (err && n)
		uiommu_unmap(w->dom[i].dom, world_iova(r, 0) + off, n, NULL);
	for (unsigned s = first; s < SPOTS; s++)
		var_end(w, &w->dom[i].region[r].spot[s], !err);
	w->dom[i].region[r].block = all && !err;
	w->dom[i].region[r].run = !all && !err;
}

static void op_map(struct world *w, const struct op *op)
{
	unsigned i = op->a % DOMS, r = op->b % REGIONS, spot = op->c % SPOTS, d, s;

	if (!lock_region(w, i, r))
		return;
	if (w->dom[i].region[r].block)
		;
	else if (op->d % 4 == 0 && empty(w, i, r))
		map_block(w, i, r, op->d / 4 % 2, true);
	else if (op->d % 8 == 1 && !var_now(&w->dom[i].region[r].spot[SPOTS - 1]))
		map_block(w, i, r, op->d / 8 % 2, false);
	else if (!spot && op->d & 16)
		map_page(w, i, r, spot, w->dom[i].region[r].own);
	else
		map_page(w, i, r, spot, w->page[op->d % PAGES]);
	if (seen_by(w, i, &d, &s))
		dma_once(w, d, s, r * SPOTS + spot, op->d & 1);
	unlock_region(w, i, r);
}

static bool has_own(const struct world *w, unsigned i, unsigned r)
{
	return var_now(&w->dom[i].region[r].spot[0]) == w->dom[i].region[r].own;
}

/* What was written before an unmap returned is seen by whoever reads after it. */
static void look(const struct world *w, unsigned i, unsigned r)
{
	const uint64_t *p = own_page(w, i, r);

	if (!w->failing && uiommu_hostile_load64(p) != *p)
		uiommu_hostile_fail("a page is unmapped, and what is read of it was there before a "
				    "device wrote");
}

/* @bytes, the last page of which is spot @last, and the first that is one is @first. */
static void unmap(struct world *w, unsigned i, unsigned r, unsigned first, unsigned last,
		  uint64_t bytes)
{
	uint64_t iova = world_iova(r, last) + PAGE - bytes, want = 0, n = 0;
	bool own = !first && has_own(w, i, r);
	int err;

	world_note(w, "unmap domain %u, 0x%llx, 0x%llx bytes: begins", i, (unsigned long long)iova,
		   (unsigned long long)bytes);
	for (unsigned s = first; s <= last; s++) {
		want += !!var_now(&w->dom[i].region[r].spot[s]);
		var_begin(w, &w->dom[i].region[r].spot[s], 0);
	}
	err = uiommu_unmap(w->dom[i].dom, iova, bytes, &n);
	world_note(w, "... returns %d", err);
	if (err || (want && n != bytes))
		uiommu_hostile_fail("unmap returns %d, and says that %llu bytes went", err,
				    (unsigned long long)n);
	if (own)
		look(w, i, r);
	for (unsigned s = first; s <= last; s++)
		var_end(w, &w->dom[i].region[r].spot[s], true);
}

/* An unmap goes as far as the first hole. */
static bool all_three(const struct world *w, unsigned i, unsigned r)
{
	for (unsigned s = 0; s < 3; s++)
		if (!var_now(&w->dom[i].region[r].spot[s]))
			return false;
	return true;
}

/* What is nowhere attached is unmapped just when somebody attaches it. */
static void meet_attach(struct world *w, unsigned i, unsigned where)
{
	for (unsigned n = 0; n < 300 && w->attaching != i + 1; n++)
		uiommu_hostile_wait();
	uiommu_hostile_linger(true);
	w->hot.where = where;
}

/* What it stored may wait in its buffer all that time. */
static void outstay_attach(struct world *w, unsigned i)
{
	for (unsigned n = 0; n < 2000 && w->attaching == i + 1; n++)
		uiommu_hostile_wait();
}

static void op_unmap(struct world *w, const struct op *op)
{
	unsigned i = op->a % DOMS, r = op->b % REGIONS, spot = op->c % SPOTS, d, s;
	bool seen;

	if (!lock_region(w, i, r))
		return;
	seen = seen_by(w, i, &d, &s);
	if (seen) {
		warm(w, d, s, r * SPOTS + spot);
		w->hot.aimed = !spot && has_own(w, i, r);
	} else if (op->d & 8) {
		meet_attach(w, i, r * SPOTS + spot);
	}
	if (w->dom[i].region[r].block || op->d % 4 == 0) {
		unmap(w, i, r, 0, SPOTS - 1, BLOCK);
		w->dom[i].region[r].block = w->dom[i].region[r].run = false;
	} else if (op->d % 4 == 1 && all_three(w, i, r)) {
		unmap(w, i, r, 0, 2, 3 * PAGE);
	} else if (w->dom[i].region[r].run && spot == SPOTS - 1) {
		unmap(w, i, r, spot, spot, RUN);
		w->dom[i].region[r].run = false;
	} else {
		unmap(w, i, r, spot, spot, PAGE);
	}
	w->hot.aimed = false;
	if (!seen && w->attaching == i + 1)
		outstay_attach(w, i);
	uiommu_hostile_linger(false);
	if (seen || seen_by(w, i, &d, &s))
		dma_once(w, d, s, r * SPOTS + spot, op->d & 1);
	unlock_region(w, i, r);
}

/* ---- whole devices and domains ---- */

static bool lock_device(struct world *w, unsigned d)
{
	if (w->dev[d].busy || w->dev[d].users)
		return false;
	w->dev[d].busy = true;
	return true;
}

static void op_reset(struct world *w, const struct op *op)
{
	unsigned d = op->a % DEVS;
	struct device *dev = &w->dev[d];
	int err;

	if (!lock_device(w, d))
		return;
	warm(w, d, op->b % SLOTS, op->d % (REGIONS * SPOTS));
	world_note(w, "reset_%s device %c: begins", dev->reset ? "done" : "prepare", "abc"[d]);
	var_begin(w, &dev->open, dev->reset);
	err = (dev->reset ? uiommu_device_reset_done : uiommu_device_reset_prepare)(dev->dev);
	world_note(w, "... returns %d", err);
	if (err && !excused(w, d, err))
		uiommu_hostile_fail("reset_prepare or _done returns %d", err);
	if (dev->reset) {
		var_end(w, &dev->open, true);
		dev->reset = false;
		for (unsigned s = 0; err && s < SLOTS; s++)
			after_failure(w, d, s);
		ats_well(w, &dev->e);
	} else {
		var_end(w, &dev->open, !err);
		dev->reset = !err;
		if (!err)
			ats_reset(&dev->e);
	}
	dma_once(w, d, op->b % SLOTS, op->d % (REGIONS * SPOTS), true);
	uiommu_hostile_handover();
	dev->busy = false;
}

/* All slots to what they have when nothing is attached. */
static void bare(struct world *w, unsigned d, bool begins)
{
	for (unsigned s = 0; s < SLOTS; s++) {
		struct var *att = &w->dev[d].slot[s].att;

		if (begins) {
			var_begin(w, att, base_of(w, d, s));
			continue;
		}
		set_users(w, att->e[(att->n - 2) % KEPT].v, BLOCKED);
		var_end(w, att, true);
		w->dev[d].slot[s].attached = false;
	}
}

static void op_replug(struct world *w, const struct op *op)
{
	unsigned d = op->a % DEVS;
	int err;

	if (w->failing || !lock_device(w, d))
		return;
	w->busy_workers++;
	warm(w, d, op->b % SLOTS, op->d % (REGIONS * SPOTS));
	world_note(w, "remove device %c: begins", "abc"[d]);
	var_begin(w, &w->dev[d].open, 0);
	w->dev[d].claimed = false;
	bare(w, d, true);
	uiommu_device_remove(w->dev[d].dev);
	ats_gone(&w->dev[d].e);
	var_end(w, &w->dev[d].open, true);
	bare(w, d, false);
	world_note(w, "... returns");
	dma_once(w, d, op->b % SLOTS, op->d % (REGIONS * SPOTS), true);
	var_begin(w, &w->dev[d].open, 1);
	w->dev[d].reset = false;
	do {
		ats_reset(&w->dev[d].e);
		err = world_add(w, d);
	} while (err && excused(w, d, err));
	world_note(w, "device added: %d", err);
	if (err)
		uiommu_hostile_fail("a device cannot be added again: %d", err);
	var_end(w, &w->dev[d].open, true);
	ats_well(w, &w->dev[d].e);
	w->busy_workers--;
	uiommu_hostile_handover();
	w->dev[d].busy = false;
}

static void op_claim(struct world *w, const struct op *op)
{
	unsigned d = op->a % DEVS;
	struct device *dev = &w->dev[d];
	int err = 0, want = 0;

	if (w->failing || !lock_device(w, d))
		return;
	w->busy_workers++;
	for (unsigned s = 0; s < SLOTS; s++)
		want = dev->slot[s].attached ? -UIOMMU_EBUSY : want;
	world_note(w, "%s device %c: begins", dev->claimed ? "release" : "claim", "abc"[d]);
	if (dev->claimed) {
		dev->claimed = false;
		dev->by_blocked = true;
		bare(w, d, true);
		uiommu_device_release(dev->dev, w);
		bare(w, d, false);
		if (dev->e.trouble)
			after_failure(w, d, 0);
		dev->by_blocked = false;
	} else if (!want) {
		dev->claimed = true;
		bare(w, d, true);
		err = uiommu_device_claim(dev->dev, w);
		bare(w, d, false);
	} else {
		err = uiommu_device_claim(dev->dev, w) == want ? 0 : 1;
	}
	world_note(w, "... returns %d", err);
	if (err)
		uiommu_hostile_fail("claim does not return %d, but %d", want, err);
	dma_once(w, d, op->b % SLOTS, op->d % ADDRESSES, true);
	w->busy_workers--;
	uiommu_hostile_handover();
	dev->busy = false;
}

/* One that is attached stays. */
static void keep_domain(struct world *w, unsigned i)
{
	unsigned d, s;
	int err;

	if (!seen_by(w, i, &d, &s) || !lock_slot(w, d, s))
		return;
	w->dom[i].users++;
	err = var_now(&w->dev[d].slot[s].att) == i ? uiommu_domain_free(w->dom[i].dom) :
						      -UIOMMU_EBUSY;
	w->dom[i].users--;
	if (err != -UIOMMU_EBUSY && !w->failing)
		uiommu_hostile_fail("domain_free of what is attached returns %d", err);
	unlock_slot(w, d, s);
}

/* A domain that nobody has goes, and another comes. */
static void op_domain(struct world *w, const struct op *op)
{
	unsigned i = op->a % DOMS;
	struct domain *dom = &w->dom[i];
	int err;

	if (dom->busy || w->dev[0].busy)
		return;
	if (dom->users) {
		keep_domain(w, i);
		return;
	}
	w->dev[0].users++;
	dom->busy = true;
	world_note(w, "free domain %u: begins", i);
	err = uiommu_domain_free(dom->dom);
	for (unsigned k = 0; k < REGIONS * SPOTS; k++) {
		var_begin(w, &dom->region[k / SPOTS].spot[k % SPOTS], 0);
		var_end(w, &dom->region[k / SPOTS].spot[k % SPOTS], true);
		dom->region[k / SPOTS].block = dom->region[k / SPOTS].run = false;
	}
	if (!err)
		err = world_domain(w, i);
	world_note(w, "... returns %d", err);
	if (err)
		uiommu_hostile_fail("a domain cannot be freed or made: %d", err);
	uiommu_hostile_handover();
	dom->busy = false;
	w->dev[0].users--;
}

/* ---- looking, polling, failing ---- */

static int count(void *ctx, const struct uiommu_attach_status *st)
{
	struct world *w = ctx;

	w->res->lookups++;
	uiommu_hostile_yield();
	if (!st->dev || !st->dom || !uiommu_device_name(st->dev)[0])
		uiommu_hostile_fail("status walks find nonsense");
	return 0;
}

static int each_device(void *ctx, struct uiommu_dev *dev)
{
	return uiommu_device_for_each_attach(dev, count, ctx);
}

static int each_domain(void *ctx, struct uiommu_domain *dom)
{
	return uiommu_domain_for_each_attach(dom, count, ctx);
}

static void op_status(struct world *w, const struct op *op)
{
	unsigned i = op->b % DOMS;

	if (op->a % 4 == 0) {
		uiommu_for_each_device(w->u, each_device, w);
	} else if (op->a % 4 == 1) {
		uiommu_for_each_domain(w->u, each_domain, w);
	} else if (!w->dom[i].busy) {
		w->dom[i].users++;
		uiommu_domain_for_each_attach(w->dom[i].dom, count, w);
		w->dom[i].users--;
	}
}

static void op_poll(struct world *w, const struct op *op)
{
	(void)op;
	uiommu_smmuv3_poll(w->iommu);
}

static void op_touch(struct world *w, const struct op *op)
{
	dma_once(w, op->a % DEVS, op->b % SLOTS, op->c % 2 ? op->d % ADDRESSES :
		 op->d % (REGIONS * SPOTS), op->c & 4);
}

/* Service failure at any moment, and recovery. */
static void op_fail(struct world *w, const struct op *op)
{
	int err;

	(void)op;
	if (!w->setup.fails || w->failing || w->busy_workers || pick(8))
		return;
	world_note(w, "the SMMU fails");
	w->failing = true;
	var_begin(w, &w->on, 0);
	uiommu_sim_smmuv3_fail(w->sim);
	w->failed_at = ++w->clock;
	for (unsigned n = pick(200); n; n--)
		uiommu_hostile_wait();
	var_begin(w, &w->on, 1);
	err = uiommu_iommu_recover(w->iommu);
	world_note(w, "recovered: %d", err);
	if (err)
		uiommu_hostile_fail("recovery returns %d", err);
	/* calls that began before may still say so */
	var_init(&w->on, 1);
	w->on.e[0].from = ++w->clock;
}

static void (*const ops[NUM_OPS])(struct world *w, const struct op *op) = {
	[OP_ATTACH] = op_attach, [OP_DETACH] = op_detach, [OP_MAP] = op_map,
	[OP_UNMAP] = op_unmap, [OP_TOUCH] = op_touch, [OP_RESET] = op_reset,
	[OP_REPLUG] = op_replug, [OP_DOMAIN] = op_domain, [OP_STATUS] = op_status,
	[OP_POLL] = op_poll, [OP_CLAIM] = op_claim, [OP_FAIL] = op_fail,
	[OP_DMA] = op_dma, [OP_PASID] = op_pasid, [OP_PLUG] = op_plug,
	[OP_BIND] = sva_bind, [OP_PAGE] = sva_page, [OP_END] = sva_end, [OP_FDEV] = sva_device,
	[OP_GUEST] = nested_guest, [OP_BALLOON] = nested_balloon, [OP_VDEV] = nested_device,
	[OP_VM] = nested_vm,
};

/*
 * What needs two threads at one thing within a few accesses: in some runs most operations
 * are such, at one device and two domains, or at what else there is little of.
 */
static struct op focused(const struct world *w, struct op op)
{
	static const uint8_t instead[NUM_FOCUS][8] = {
		{ OP_UNMAP, OP_MAP, OP_UNMAP, OP_MAP, OP_ATTACH, OP_DETACH, OP_ATTACH, OP_RESET },
		{ OP_BIND, OP_BIND, OP_PAGE, OP_PAGE, OP_BIND, OP_PAGE, OP_END, OP_FDEV },
		{ OP_GUEST, OP_GUEST, OP_GUEST, OP_VDEV, OP_VDEV, OP_BALLOON, OP_GUEST, OP_VM },
		{ OP_DMA, OP_DMA, OP_DMA, OP_DMA, OP_DMA, OP_DMA, OP_PASID, OP_DMA },
		{ OP_REPLUG, OP_ATTACH, OP_ATTACH, OP_ATTACH, OP_PLUG, OP_MAP, OP_ATTACH, OP_DETACH },
	};
	unsigned f = w->setup.focus;

	if (!f || (f == FOCUS_FAULTS && !w->setup.faults) ||
	    (f == FOCUS_GUESTS && !w->setup.nested) || op.d % 8 == 7)
		return op;
	op.what = instead[f - 1][op.d >> 5];
	if (f != FOCUS_DEVICE)
		return op;
	if (op.what == OP_MAP || op.what == OP_UNMAP) {
		op.a %= 2;
		op.b %= 2;
	} else {
		op.a = (uint8_t)(w->setup.silent_one % DEVS);
		op.c = 8 + op.c % 2;	/* op_attach(): one of the two */
	}
	return op;
}

void op_run(void *world, const struct op *op)
{
	const struct op now = focused(world, *op);

	ops[now.what](world, &now);
}

/* ---- the end ---- */

/* Nobody changes anything any more: every access must end where it has to. */
void settle(struct world *w)
{
	for (unsigned d = 0; d < DEVS; d++)
		for (unsigned s = 0; s < SLOTS; s++)
			for (unsigned k = 0; k < REGIONS * SPOTS; k++)
				dma_once(w, d, s, k, k & 1);
	while (uiommu_sim_smmuv3_step(w->sim))
		uiommu_hostile_yield();
	uiommu_smmuv3_poll(w->iommu);
}
