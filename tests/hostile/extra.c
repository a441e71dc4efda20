/* SPDX-License-Identifier: MIT */
/*
 * extra.c - one more device: its RID has a domain with IOVAs of its own, its PASIDs are
 * those that the instance gives out. And streams that are nobody's.
 */
#include "world.h"

#define SID		4u
#define PASID_BITS	6u

void extra_boot(struct world *w)
{
	static const uint32_t sid = SID;
	struct uiommu_dev_config cfg = {
		.name = "d", .iommu = w->iommu, .rid = 3, .stream_ids = &sid, .num_stream_ids = 1,
		.pasid_bits = PASID_BITS, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct extra *x = &w->extra;
	int err = 0;

	ats_endpoint(w, &x->e, &sid, 1);
	ats_configure(&x->e, &cfg);
	x->deferred = pick(2);
	while (!x->dma && !err) {
		if (!x->dev)
			err = uiommu_device_add(w->u, &cfg, &x->dev);
		if (!err)
			err = uiommu_dma_create(x->dev, x->deferred ? UIOMMU_DMA_DEFERRED :
						UIOMMU_DMA_STRICT,
						w->setup.small ? 0xafff : 0xffffffff, &x->dma);
		if (world_forgives(w, err))
			err = 0;
	}
	if (!err)
		err = uiommu_attach_device(uiommu_dma_domain(x->dma), x->dev);
	if (world_forgives(w, err))
		err = uiommu_attach_device(uiommu_dma_domain(x->dma), x->dev);
	if (err)
		uiommu_hostile_fail("the extra device cannot be set up: %d", err);
	/* the others use these by name */
	for (unsigned i = 1; i < 16; i++) {
		uiommu_pasid_t pasid;

		if (world_forgives(w, uiommu_pasid_alloc(w->u, PASID_BITS, &pasid)))
			uiommu_pasid_alloc(w->u, PASID_BITS, &pasid);
	}
}

void extra_shut(struct world *w)
{
	struct extra *x = &w->extra;

	uiommu_device_remove(x->dev);
	if (uiommu_dma_destroy(x->dma))
		uiommu_hostile_fail("a domain for DMA cannot be destroyed");
}

/* ---- what an IOVA has been ---- */

static struct var *var_of(struct world *w, uint64_t iova)
{
	struct extra *x = &w->extra;

	for (unsigned i = 0; i < x->num; i++)
		if (x->iova[i] == iova)
			return &x->var[i];
	if (x->num == EXTRA_IOVAS)
		uiommu_hostile_fail("more IOVAs than can be watched");
	x->iova[x->num] = iova;
	var_init(&x->var[x->num], 0);
	return &x->var[x->num++];
}

static void close_older(struct world *w, struct var *v)
{
	unsigned last = (v->n - 1) % KEPT;

	++w->clock;
	for (unsigned i = 0; i < KEPT; i++)
		if (i != last && v->e[i].to == NEVER)
			v->e[i].to = w->clock;
}

static void push(struct var *v, uint64_t value, uint64_t from)
{
	unsigned i = v->n++ % KEPT;

	v->e[i].v = value;
	v->e[i].from = from;
	v->e[i].to = NEVER;
}

/* An IOVA that is given out again has been invalidated. */
static void map(struct world *w, unsigned i, unsigned page)
{
	struct extra *x = &w->extra;
	uint64_t from = ++w->clock;
	bool refused = w->refused;
	struct var *v;
	int err = uiommu_dma_map(x->dma, w->page[page], PAGE, RW, &x->map[i].iova);

	uiommu_hostile_device_write();
	world_note(w, "dma_map of page %u: %d, IOVA 0x%llx", page, err,
		   (unsigned long long)x->map[i].iova);
	/* without memory for more IOVAs, what caches hold is looked through: it may do */
	if (w->refused != refused && w->refused_to == uiommu_hostile_self() &&
	    err != -UIOMMU_ENOMEM)
		w->forgiven = true;
	if ((err == -UIOMMU_ENOSPC && w->setup.small) || world_forgives(w, err))
		return;
	if (err)
		uiommu_hostile_fail("dma_map returns %d", err);
	v = var_of(w, x->map[i].iova);
	push(v, w->page[page], from);
	close_older(w, v);
	x->map[i].mapped = true;
}

static void unmap(struct world *w, unsigned i)
{
	struct extra *x = &w->extra;
	uint64_t iova = x->map[i].iova;
	struct var *v = var_of(w, iova);
	unsigned mine;

	world_note(w, "dma_unmap of IOVA 0x%llx: begins", (unsigned long long)iova);
	x->map[i].mapped = false;
	push(v, 0, ++w->clock);
	mine = v->n;
	uiommu_dma_unmap(x->dma, iova, PAGE);
	world_note(w, "... returns");
	/* else it is another's by now, who says himself when he is done with it */
	if (v->n != mine)
		return;
	if (!x->deferred)
		close_older(w, v);
	x->gone[v - x->var] = mine;
}

/* What was unmapped before it began is out of reach when it returns. */
static void flush(struct world *w)
{
	struct extra *x = &w->extra;
	unsigned n[EXTRA_IOVAS], num = x->num;

	for (unsigned i = 0; i < num; i++)
		n[i] = x->gone[i] == x->var[i].n ? x->gone[i] : 0;
	world_note(w, "dma_flush: begins");
	uiommu_dma_flush(x->dma);
	world_note(w, "... returns");
	for (unsigned i = 0; i < num; i++)
		if (n[i] && n[i] == x->var[i].n)
			close_older(w, &x->var[i]);
}

/* ---- its DMA ---- */

static void touch(struct world *w, uint64_t iova, bool write)
{
	const struct uiommu_sim_access a = { .stream_id = SID, .write = write, .iova = iova };
	struct dma d = { .dev = EXTRA, .iova = iova, .write = write, .active = true,
			 .began = w->clock };

	w->extra.flying++;
	d.err = ats_dma(w, &w->extra.e, 0, &a, &d);
	d.active = false;
	w->extra.flying--;
	*uiommu_hostile_local() = NULL;
	w->res->dmas++;
	if (!d.err)
		return;
	w->res->aborts++;
	w->extra.aborts++;
	extra_end(w, &d);
}

static unsigned values(const struct world *w, const struct dma *d, uint64_t t0, uint64_t t1,
		       uint64_t out[KEPT], bool *whole)
{
	for (unsigned i = 0; i < w->extra.num; i++)
		if (w->extra.iova[i] == d->iova)
			return var_possible(&w->extra.var[i], t0, t1, out, whole);
	return 0;
}

void extra_access(struct world *w, const struct dma *d, uint64_t pa)
{
	uint64_t v[KEPT];
	bool whole;

	if (d->dev == STRANGER)
		uiommu_hostile_fail("a stream that is nobody's reaches memory");
	for (unsigned n = values(w, d, w->clock, w->clock, v, &whole); n;)
		if (v[--n] == (pa & ~(uint64_t)(PAGE - 1)))
			return;
	/* dma_map() has not said yet which IOVA it is */
	if (!w->extra.mapping)
		uiommu_hostile_fail("device d reaches physical 0x%llx through IOVA 0x%llx, which it "
				    "must not (any more)", (unsigned long long)pa,
				    (unsigned long long)d->iova);
}

void extra_end(struct world *w, const struct dma *d)
{
	uint64_t v[KEPT];
	bool whole = false, none = w->failing || ats_excuses(d);
	unsigned n = values(w, d, d->began, w->clock, v, &whole);

	if (!n)
		return;
	while (n)
		none |= !v[--n];
	if (whole && !none)
		uiommu_hostile_fail("a DMA of device d at IOVA 0x%llx is aborted, and nothing was in "
				    "its way", (unsigned long long)d->iova);
}

bool extra_event(struct world *w, const struct uiommu_fault *f)
{
	if ((f->stream_id & 0xff) == 0x80)
		return true;
	return f->stream_id == SID && ++w->extra.events <= w->extra.aborts + w->extra.flying;
}

/* A neighbour of devices that are there, or have just come. */
uint32_t extra_stranger(const struct world *w)
{
	unsigned last = 2 + w->extra.plugs;

	return 0x80 + 0x100 * (pick(2) ? last - pick(2) : pick(last + 1));
}

static void touch_stranger(struct world *w)
{
	const struct uiommu_sim_access a = { .stream_id = extra_stranger(w),
					     .iova = w->page[0] };
	struct dma d = { .dev = STRANGER, .iova = w->page[0], .active = true };
	uint64_t buf;

	*uiommu_hostile_local() = &d;
	uiommu_sim_smmuv3_dma(w->sim, &a, &buf, sizeof(buf), NULL);
	*uiommu_hostile_local() = NULL;
}

void extra_dma(struct world *w)
{
	struct extra *x = &w->extra;

	if (!pick(8))
		touch_stranger(w);
	else if (x->num)
		touch(w, x->iova[pick(x->num)], pick(2));
}

/* ---- calls ---- */

void op_dma(struct world *w, const struct op *op)
{
	struct extra *x = &w->extra;
	unsigned i = op->a % EXTRA_MAPS;

	if (w->failing)
		return;
	if (x->deferred && op->b % 8 == 0)
		flush(w);
	if (x->map[i].busy)
		return;
	x->map[i].busy = true;
	uiommu_hostile_acquire(&x->map[i]);
	if (x->map[i].mapped) {
		if (op->b & 1)
			touch(w, x->map[i].iova, true);
		unmap(w, i);
	} else {
		x->mapping++;
		map(w, i, op->c % PAGES);
		x->mapping--;
	}
	if (x->map[i].iova)
		touch(w, x->map[i].iova, op->d & 1);
	uiommu_hostile_handover();
	uiommu_hostile_release(&x->map[i]);
	x->map[i].busy = false;
}

/* It answers again afterwards. */
static void reset(struct world *w)
{
	struct extra *x = &w->extra;

	x->resetting = true;
	if (uiommu_device_reset_prepare(x->dev))
		uiommu_hostile_fail("device d cannot be reset");
	ats_reset(&x->e);
	if (uiommu_device_reset_done(x->dev) && !x->e.trouble)
		uiommu_hostile_fail("device d does not come out of its reset");
	ats_well(w, &x->e);
	x->resetting = false;
}

/* A device with the first StreamID of a new part of the stream table comes and goes. */
void op_plug(struct world *w, const struct op *op)
{
	uint32_t sid = 0x100 * (2 + w->extra.plugs) + 5;
	const struct uiommu_dev_config cfg = {
		.name = "e", .iommu = w->iommu, .rid = 4, .stream_ids = &sid,
		.num_stream_ids = 1, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct uiommu_dev *dev;
	int err;

	(void)op;
	if (w->extra.e.silent && !w->extra.attaching && !w->extra.resetting)
		reset(w);
	if (w->failing || w->extra.plugging || w->extra.plugs == 60)
		return;
	w->extra.plugging = true;
	w->extra.plugs++;
	err = uiommu_device_add(w->u, &cfg, &dev);
	if (err && !w->failing && !world_forgives(w, err))
		uiommu_hostile_fail("a device cannot come: %d", err);
	if (!err)
		uiommu_device_remove(dev);
	w->extra.plugging = false;
}

/* A PASID is not given out again while somebody has it. */
void op_pasid(struct world *w, const struct op *op)
{
	struct extra *x = &w->extra;
	uiommu_pasid_t pasid;
	unsigned i = op->a % (DOMS - 1);
	int err;

	if (w->failing || w->dom[i].busy || x->resetting)
		return;
	w->dom[i].users++;
	x->attaching++;
	err = uiommu_pasid_alloc(w->u, PASID_BITS, &pasid);
	if (world_forgives(w, err))
		err = uiommu_pasid_alloc(w->u, PASID_BITS, &pasid);
	if (!err && x->pasids >> pasid & 1)
		uiommu_hostile_fail("PASID %u is given out twice", pasid);
	if (!err)
		x->pasids |= (uint64_t)1 << pasid;
	if (!err)
		err = uiommu_attach_device_pasid(w->dom[i].dom, x->dev, pasid);
	if (world_forgives(w, err))
		err = uiommu_attach_device_pasid(w->dom[i].dom, x->dev, pasid);
	if (!err && uiommu_pasid_free(w->u, pasid) != -UIOMMU_EBUSY)
		uiommu_hostile_fail("PASID %u is given away while it is attached", pasid);
	if (!err)
		uiommu_detach_device_pasid(x->dev, pasid);
	x->pasids &= ~((uint64_t)1 << pasid);
	if (!err)
		err = uiommu_pasid_free(w->u, pasid);
	if (err == -UIOMMU_EIO && x->e.trouble)
		err = uiommu_pasid_free(w->u, pasid);
	if (err && !w->failing)
		uiommu_hostile_fail("a PASID of the instance's: %d", err);
	uiommu_hostile_handover();
	x->attaching--;
	w->dom[i].users--;
}
