/* SPDX-License-Identifier: MIT */
/* atc.c - see uiommu/sim/atc.h */
#include <uiommu/sim/atc.h>

static void lock(struct uiommu_sim_atc *c)
{
	if (c->lock)
		c->lock(c->ctx);
}

static void unlock(struct uiommu_sim_atc *c)
{
	if (c->unlock)
		c->unlock(c->ctx);
}

void uiommu_sim_atc_init(struct uiommu_sim_atc *c, struct uiommu_sim_smmuv3 *sim,
			 uint32_t stream_id)
{
	*c = (struct uiommu_sim_atc){ .sim = sim, .stream_id = stream_id };
}

static bool same_space(const struct uiommu_sim_atc_entry *e, bool ssv, uint32_t ssid)
{
	if (e->ssv != ssv)
		return false;
	return !ssv || e->global || e->substream_id == ssid;
}

static const struct uiommu_sim_atc_entry *find(const struct uiommu_sim_atc *c,
					       const struct uiommu_sim_access *a)
{
	for (unsigned i = 0; i < UIOMMU_SIM_ATC_ENTRIES; i++) {
		const struct uiommu_sim_atc_entry *e = &c->entries[i];

		if (e->bytes && a->iova - e->iova < e->bytes && e->priv == a->priv &&
		    same_space(e, a->ssv, a->substream_id) &&
		    (a->write ? e->write : a->exec ? e->exec : e->read))
			return e;
	}
	return NULL;
}

/* An invalidation that came while the question was open makes the answer void. */
static bool keep(struct uiommu_sim_atc *c, const struct uiommu_sim_atc_entry *e, unsigned changes)
{
	bool fresh;

	lock(c);
	fresh = c->changes == changes;
	if (fresh)
		c->entries[c->victim++ % UIOMMU_SIM_ATC_ENTRIES] = *e;
	unlock(c);
	return fresh;
}

static int ask(struct uiommu_sim_atc *c, const struct uiommu_sim_access *a)
{
	struct uiommu_sim_ats_reply r;
	struct uiommu_sim_atc_entry e;
	unsigned changes;
	bool mute;

	do {
		lock(c);
		changes = c->changes;
		mute = c->mute;
		unlock(c);
		if (mute)
			return -UIOMMU_EFAULT;
		uiommu_sim_smmuv3_ats(c->sim, a, &r);
		if (r.status != UIOMMU_SIM_ATS_SUCCESS)
			return -UIOMMU_EFAULT;
		if (!(a->write ? r.write : a->exec ? r.exec : r.read))
			return -UIOMMU_EACCES;
		e = (struct uiommu_sim_atc_entry){
			.iova = a->iova & ~(r.bytes - 1), .pa = r.addr & ~(r.bytes - 1),
			.bytes = r.bytes, .substream_id = a->substream_id, .ssv = a->ssv,
			.priv = a->priv, .read = r.read, .write = r.write, .exec = r.exec,
			.global = r.global,
		};
	} while (!keep(c, &e, changes));
	return 0;
}

/* false: there is no translation. Else it is in use until release(). */
static bool use(struct uiommu_sim_atc *c, const struct uiommu_sim_access *a,
		struct uiommu_sim_access *out, uint64_t *bytes)
{
	const struct uiommu_sim_atc_entry *e;

	lock(c);
	e = find(c, a);
	if (e) {
		*out = *a;
		out->translated = true;
		out->iova = e->pa + (a->iova - e->iova);
		*bytes = e->bytes - (a->iova - e->iova);
		c->using++;
	}
	unlock(c);
	return e;
}

static void release(struct uiommu_sim_atc *c)
{
	unsigned done[UIOMMU_SIM_QUEUES] = { 0 }, n = 0;

	lock(c);
	if (!--c->using) {
		n = c->open;
		c->open = 0;
		for (unsigned q = 0; n && q < UIOMMU_SIM_QUEUES; q++) {
			done[q] = c->open_of[q];
			c->open_of[q] = 0;
		}
	}
	unlock(c);
	for (unsigned q = 0; n; q++)
		for (; done[q]; done[q]--, n--)
			uiommu_sim_smmuv3_atc_inv_done(c->sim, q, true);
}

static int part(struct uiommu_sim_atc *c, const struct uiommu_sim_access *a, void *buf,
		size_t bytes, size_t *moved)
{
	struct uiommu_sim_access t;
	uint64_t room;
	int err;

	*moved = 0;
	while (!use(c, a, &t, &room)) {
		err = ask(c, a);
		if (err)
			return err;
	}
	if (bytes > room)
		bytes = (size_t)room;
	err = uiommu_sim_smmuv3_dma(c->sim, &t, buf, bytes, moved);
	release(c);
	return err ? -UIOMMU_EFAULT : 0;
}

int uiommu_sim_atc_dma(struct uiommu_sim_atc *c, const struct uiommu_sim_access *a, void *buf,
		       size_t bytes, size_t *done)
{
	struct uiommu_sim_access at = *a;
	size_t n = 0, moved;
	int err = 0;

	at.stream_id = c->stream_id;
	at.translated = false;
	while (n < bytes && !err) {
		at.iova = a->iova + n;
		err = part(c, &at, (char *)buf + n, bytes - n, &moved);
		n += moved;
	}
	if (done)
		*done = n;
	return err;
}

static bool named(const struct uiommu_sim_atc_entry *e, const struct uiommu_sim_inval *inv)
{
	if (!e->bytes || e->iova > inv->last || e->iova + (e->bytes - 1) < inv->first)
		return false;
	return inv->ssv && inv->global ? e->ssv : same_space(e, inv->ssv, inv->substream_id);
}

int uiommu_sim_atc_inv(struct uiommu_sim_atc *c, const struct uiommu_sim_inval *inv)
{
	bool busy;

	lock(c);
	c->changes++;
	for (unsigned i = 0; i < UIOMMU_SIM_ATC_ENTRIES; i++)
		if (named(&c->entries[i], inv))
			c->entries[i].bytes = 0;
	busy = c->using;
	c->open += busy;
	c->open_of[inv->queue] += busy;
	unlock(c);
	return busy;
}

void uiommu_sim_atc_flush(struct uiommu_sim_atc *c)
{
	lock(c);
	c->changes++;
	for (unsigned i = 0; i < UIOMMU_SIM_ATC_ENTRIES; i++)
		c->entries[i].bytes = 0;
	unlock(c);
}

void uiommu_sim_atc_enable(struct uiommu_sim_atc *c, bool on)
{
	lock(c);
	c->changes++;
	c->mute = !on;
	unlock(c);
}
