/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/ats.c - devices that keep translations of their own
 *
 * What an SMMU has told a device (PCIe ATS) the device keeps until a CMD_ATC_INV says
 * that it must not, and uses without asking again. Order (IHI 0070, 3.9.1 and 3.9.2):
 * the SMMU's own TLB forgets first, and has done so, or the device would ask again and
 * be told the old; ATS is on in the STE before it is on in the device, and off in the
 * device, whose translations are gone, before it is off in the STE.
 *
 * A device that does not answer makes the CMD_SYNC fail that waits for it, which does
 * not say whose answer is missing. So each is asked by itself; the one that stays
 * silent is put into quarantine: its STEs abort, and as CR0.ATSCHK is set that goes
 * for what it has translated itself too. An unmap may find that out, which does not
 * hold the instance lock: the lock of the stream table keeps it apart from whoever
 * writes the same STE.
 */
#include "smmu.h"
#include "text.h"

/* ---- what invalidate() looks at ---- */

static unsigned state(const struct uiommu_dev *dev)
{
	return __atomic_load_n(&dev->drv_state, __ATOMIC_ACQUIRE);
}

bool uiommu_smmuv3_ats_on(const struct uiommu_dev *dev)
{
	return state(dev) & SMMU_DEV_ATS;
}

bool uiommu_smmuv3_quarantined(const struct uiommu_dev *dev)
{
	return state(dev) & SMMU_DEV_QUARANTINE;
}

void uiommu_smmuv3_set_state(struct uiommu_dev *dev, unsigned on, unsigned off)
{
	struct smmu *s = to_smmu(dev->iommu);

	host_lock(s->host, &s->strtab.lock);
	__atomic_store_n(&dev->drv_state, (dev->drv_state & ~off) | on, __ATOMIC_RELEASE);
	host_unlock(s->host, &s->strtab.lock);
}

void uiommu_smmuv3_new_life(struct uiommu_dev *dev)
{
	unsigned life = (state(dev) & -SMMU_DEV_LIFE) + SMMU_DEV_LIFE;

	uiommu_smmuv3_set_state(dev, life, ~SMMU_DEV_ATS);
}

static void switch_ats(const struct uiommu_dev *dev, bool on)
{
	if (dev->set_ats)
		dev->set_ats(dev->ats_ctx, on);
}

/* ---- quarantine ---- */

static void log_silent(const struct smmu *s, const struct uiommu_dev *dev)
{
	char line[160];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, s->base.name);
	text_str(&t, ": ");
	text_str(&t, dev->name);
	text_str(&t, " does not answer CMD_ATC_INV: in quarantine, ");
	text_str(&t, "its DMA aborts until it is reset");
	host_log(s->host, UIOMMU_LOG_ERR, line);
}

/* A device that is gone has no STE any more; one that was reset since it was asked, in
 * @asked's life, has forgotten everything. */
static bool is_the_one_asked(unsigned now, unsigned asked)
{
	return !(now & SMMU_DEV_GONE) && !((now ^ asked) & -SMMU_DEV_LIFE);
}

/*
 * One store makes an STE abort: nothing else of it is looked at then. Whoever is
 * writing it finds out at his next store. Its own switch is turned with the lock held:
 * whoever turns it on after a reset comes later.
 */
static bool close_streams(struct smmu *s, struct uiommu_dev *dev, unsigned asked)
{
	bool first;
	unsigned was;

	host_lock(s->host, &s->strtab.lock);
	was = dev->drv_state;
	first = !(was & SMMU_DEV_QUARANTINE) && is_the_one_asked(was, asked);
	if (first) {
		__atomic_store_n(&dev->drv_state, (was & -SMMU_DEV_LIFE) | SMMU_DEV_QUARANTINE,
				 __ATOMIC_RELEASE);
		s->strtab.closings++;
		for (unsigned i = 0; i < dev->num_streams; i++) {
			uint64_t *ste = uiommu_smmuv3_strtab_entry(s, dev->streams[i].id);

			port_store64(ste, FPREP(STE_V, 1) | FPREP(STE_Config, STE_Config_ABORT));
			port_clean(s->host, ste, sizeof(*ste));
		}
		switch_ats(dev, false);
	}
	host_unlock(s->host, &s->strtab.lock);
	return first;
}

/* Also when another thread has just closed them, and is about to say so to hardware:
 * on return they are. */
static void quarantine(struct smmu *s, struct uiommu_dev *dev, unsigned asked)
{
	unsigned life = uiommu_smmuv3_life(s);
	bool first = close_streams(s, dev, asked);
	int err = 0;

	for (unsigned i = 0; i < dev->num_streams && !err; i++)
		err = uiommu_smmuv3_cfgi_ste(s, dev->streams[i].id, true);
	if (err)
		uiommu_smmuv3_shut_off_in(s, life, ": a silent device cannot be closed: shut off, "
					  "every DMA aborts");
	if (!first || !is_the_one_asked(state(dev), asked))
		return;
	log_silent(s, dev);
	uiommu_device_failed(dev);
}

/* ---- commands ---- */

/* The smallest power of two of pages that has the whole range in it, aligned to its
 * size: more goes than has to, in one command. */
static uint64_t span_of(uint64_t first, uint64_t last)
{
	uint64_t differ = first >> 12 ^ last >> 12;
	unsigned size = differ ? port_msb64(differ) + 1 : 0;

	return FPREP(CMD_ATC_INV_Size, size) |
	       (first >> 12 >> size << size << 12 & FMASK(CMD_ATC_INV_Address));
}

#define EVERYWHERE FPREP(CMD_ATC_INV_Size, CMD_ATC_INV_Size_ALL)

/* One thing that a device must forget. */
struct item {
	struct uiommu_dev *dev;
	uiommu_pasid_t pasid;
	bool global;			/* of all PASIDs */
	uint64_t span;
};

/* First all of them in one batch; if an answer is missing, each by itself. */
struct job {
	struct smmu *s;
	bool ask, any;
	struct smmu_batch b;
};

static void command(const struct item *it, uint32_t sid, uint64_t cmd[CMD_WORDS])
{
	cmd[0] = FPREP(CMD_Opcode, CMD_ATC_INV) | FPREP(CMD_ATC_INV_StreamID, sid);
	cmd[1] = it->span;
	if (it->pasid != UIOMMU_NO_PASID)
		cmd[0] |= FPREP(CMD_ATC_INV_SSV, 1) | FPREP(CMD_ATC_INV_SubstreamID, it->pasid) |
			  FPREP(CMD_ATC_INV_Global, it->global);
}

/*
 * In one piece: a CMD_SYNC that takes the blame for what others sent before, the
 * command, and the CMD_SYNC that fails if this one is not answered. Refused commands
 * of others make it repeat.
 */
static bool answers(struct smmu *s, const uint64_t cmd[CMD_WORDS])
{
	struct smmu_batch b;

	for (unsigned tries = 0; tries < 3; tries++) {
		struct smmu_wait w = { 0 };

		uiommu_smmuv3_batch_begin(s, &b);
		b.wait = &w;
		uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_SYNC), 0);
		uiommu_smmuv3_batch_add(s, &b, cmd[0], cmd[1]);
		if (!uiommu_smmuv3_batch_sync(s, &b))
			return !w.lost;
	}
	return uiommu_smmuv3_cmdq_is_dead(s);
}

static void tell(struct job *j, const struct item *it)
{
	unsigned asked = state(it->dev);
	uint64_t cmd[CMD_WORDS];

	for (unsigned i = 0; i < it->dev->num_streams; i++) {
		command(it, it->dev->streams[i].id, cmd);
		j->any = true;
		if (!j->ask) {
			uiommu_smmuv3_batch_add(j->s, &j->b, cmd[0], cmd[1]);
		} else if (!answers(j->s, cmd)) {
			quarantine(j->s, it->dev, asked);
			return;
		}
	}
}

/* One that another thread is just closing may still have what it had: hardware is told.
 * One look: a reset that ends in between makes another device of it. */
bool uiommu_smmuv3_ats_closed(struct smmu *s, struct uiommu_dev *dev)
{
	unsigned now = state(dev);

	if (!(now & SMMU_DEV_QUARANTINE))
		return false;
	quarantine(s, dev, now);
	return true;
}

static bool keeps(struct job *j, struct uiommu_dev *dev)
{
	if (uiommu_smmuv3_ats_on(dev))
		return true;
	uiommu_smmuv3_ats_closed(j->s, dev);
	return false;
}

/* false: the SMMU is off, and nobody may have been told. */
static bool run(struct smmu *s, void (*walk)(struct job *j, const void *what), const void *what)
{
	struct job j;
	int err;

	j.s = s;
	j.ask = j.any = false;
	uiommu_smmuv3_batch_begin(s, &j.b);
	walk(&j, what);
	if (!j.any)
		return true;
	err = uiommu_smmuv3_batch_sync(s, &j.b);
	if (!err && !uiommu_smmuv3_batch_unanswered(&j.b))
		return true;
	if (uiommu_smmuv3_cmdq_is_dead(s))
		return false;
	j.ask = true;
	walk(&j, what);
	return !uiommu_smmuv3_cmdq_is_dead(s);
}

/* ---- what an unmap took from a domain ---- */

struct gone {
	const struct uiommu_link *link;
	uint64_t span;
};

/*
 * A device with the domain on many PASIDs, which can be told of all of them by one
 * command (Global, IHI 0070, 4.5.1; the device says in its ATS capability whether it
 * can). It then forgets the range for other PASIDs too. Those that do not fit in here
 * are told PASID by PASID.
 */
struct many {
	unsigned n;
	struct {
		const struct uiommu_dev *dev;
		unsigned pasids;
		bool told;
	} of[8];
};

static void count(struct many *m, const struct uiommu_attach *att)
{
	unsigned i = 0;

	if (!att->dev->ats_global || att->pasid == UIOMMU_NO_PASID)
		return;
	while (i < m->n && m->of[i].dev != att->dev)
		i++;
	if (i == sizeof(m->of) / sizeof(m->of[0]))
		return;
	if (i == m->n) {
		m->of[i].dev = att->dev;
		m->of[i].pasids = 0;
		m->of[i].told = false;
		m->n++;
	}
	m->of[i].pasids++;
}

static struct many count_all(const struct uiommu_link *link)
{
	struct many m;
	struct uiommu_node *n;

	m.n = 0;
	list_for_each(n, &link->attaches)
		count(&m, uiommu_container_of(n, struct uiommu_attach, node));
	return m;
}

/* false: it has been said already. */
static bool as_one(struct many *m, const struct uiommu_attach *att, bool *global)
{
	*global = false;
	for (unsigned i = 0; i < m->n && att->pasid != UIOMMU_NO_PASID; i++) {
		if (m->of[i].dev != att->dev || m->of[i].pasids < 2)
			continue;
		*global = true;
		if (m->of[i].told)
			return false;
		m->of[i].told = true;
	}
	return true;
}

/* All of it: a guest's addresses are not known here, nor are its PASIDs. */
static void tell_guests(struct job *j, const struct uiommu_link *child)
{
	struct uiommu_node *n;

	list_for_each(n, &child->attaches) {
		struct uiommu_attach *att = uiommu_container_of(n, struct uiommu_attach, node);
		struct item it = { .dev = att->dev, .span = EVERYWHERE };

		if (!keeps(j, att->dev))
			continue;
		tell(j, &it);
		it.pasid = 1;
		it.global = true;
		if (att->dev->pasid_bits)
			tell(j, &it);
	}
}

static void tell_each(struct job *j, const struct gone *g)
{
	struct many m = count_all(g->link);
	struct uiommu_node *n;

	list_for_each(n, &g->link->attaches) {
		struct uiommu_attach *att = uiommu_container_of(n, struct uiommu_attach, node);
		struct item it = { .dev = att->dev, .pasid = att->pasid, .span = g->span };

		if (keeps(j, att->dev) && as_one(&m, att, &it.global))
			tell(j, &it);
	}
}

static void walk_link(struct job *j, const void *what)
{
	const struct gone *g = what;
	struct uiommu_node *n;

	if (__atomic_load_n(&g->link->num_ats, __ATOMIC_RELAXED))
		tell_each(j, g);
	list_for_each(n, &g->link->children)
		tell_guests(j, uiommu_container_of(n, struct uiommu_link, sibling));
}

/*
 * After the TLBI is done, as whoever waits for it reads nothing of this before: who is
 * attached, or has ATS switched on, later than that asks for translations later, and is
 * told the new (docs/LOCKING.md).
 */
void uiommu_smmuv3_atc_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	const struct gone what = {
		link, g->start <= g->last ? span_of(g->start, g->last) : EVERYWHERE,
	};

	run(to_smmu(link->iommu), walk_link, &what);
}

void uiommu_smmuv3_atc_ask_each(struct smmu *s, const uint64_t *cmd, size_t n)
{
	for (; n--; cmd += CMD_WORDS) {
		struct uiommu_dev *dev;
		unsigned asked;

		if (FGET(CMD_Opcode, cmd[0]) != CMD_ATC_INV)
			continue;
		dev = uiommu_stream_device(&s->base, FGET(CMD_ATC_INV_StreamID, cmd[0]));
		asked = dev ? state(dev) : 0;
		if (asked & SMMU_DEV_QUARANTINE || (asked & SMMU_DEV_ATS && !answers(s, cmd)))
			quarantine(s, dev, asked);
	}
}

/* ---- what a device has, when its entries change ---- */

struct change {
	struct smmu_master *m;
	uiommu_pasid_t pasid;
	bool rid, all;
};

static void tell_all_of(struct job *j, struct smmu_master *m, uiommu_pasid_t pasid, bool global)
{
	const struct item it = { .dev = m->dev, .pasid = pasid, .global = global,
				 .span = EVERYWHERE };

	if (!uiommu_smmuv3_ats_closed(j->s, m->dev))
		tell(j, &it);
}

static void tell_all_pasids(struct job *j, struct smmu_master *m)
{
	size_t n = uiommu_smmuv3_cdtab_size(m);

	if (m->dev->ats_global && m->dev->pasid_bits) {
		tell_all_of(j, m, 1, true);
		return;
	}
	for (uiommu_pasid_t p = 1; p < n; p++) {
		const uint64_t *cd = uiommu_smmuv3_cdtab_entry(m, p);

		if (m->ats_lost ? cd != NULL : uiommu_smmuv3_cd_valid(cd))
			tell_all_of(j, m, p, false);
	}
}

static void walk_change(struct job *j, const void *what)
{
	const struct change *c = what;

	if (c->rid)
		tell_all_of(j, c->m, UIOMMU_NO_PASID, false);
	if (c->all)
		tell_all_pasids(j, c->m);
	else if (c->pasid != UIOMMU_NO_PASID)
		tell_all_of(j, c->m, c->pasid, false);
}

bool uiommu_smmuv3_ats_usable(const struct smmu_master *m)
{
	const struct uiommu_domain *dom = m->rid->dom;

	if (!m->dev->ats || !m->smmu->caps.ats || m->ats_held || m->blocked ||
	    uiommu_smmuv3_quarantined(m->dev))
		return false;
	/* a guest's PASIDs are not known: a device must be able to forget them all */
	return !dom->parent || (FGET(STE_EATS, dom->user[1]) == STE_EATS_TRANS &&
				(!m->dev->pasid_bits || m->dev->ats_global));
}

void uiommu_smmuv3_ats_before(struct smmu_master *m, uiommu_pasid_t pasid, bool want)
{
	struct change c = { .m = m, .pasid = pasid, .rid = true };
	bool was = uiommu_smmuv3_ats_on(m->dev);

	m->ats_was = was;
	if (was == want) {
		uiommu_smmuv3_ats_closed(m->smmu, m->dev);
		return;
	}
	c.all = m->blocked || m->ats_stale || m->ats_user;
	if (want)
		uiommu_smmuv3_set_state(m->dev, SMMU_DEV_ATS, 0);
	else
		switch_ats(m->dev, false);
	if (run(m->smmu, walk_change, &c)) {
		m->ats_stale = c.all && !want;
		m->ats_lost &= !want;
	} else {
		m->ats_stale = m->ats_lost = true;
	}
}

void uiommu_smmuv3_ats_after(struct smmu_master *m, uiommu_pasid_t pasid, bool want, bool fresh)
{
	const struct change c = {
		.m = m, .pasid = pasid, .rid = pasid == UIOMMU_NO_PASID, .all = m->ats_user,
	};

	m->ats_user = want && m->rid->dom->parent;
	if (want && m->ats_was && !fresh)
		run(m->smmu, walk_change, &c);
	if (want && !m->ats_was && !uiommu_smmuv3_quarantined(m->dev))
		switch_ats(m->dev, true);
	if (!want && m->ats_was)
		uiommu_smmuv3_set_state(m->dev, 0, SMMU_DEV_ATS);
	/* an unmap may have closed it meanwhile, and switched it off before */
	if (want && uiommu_smmuv3_quarantined(m->dev))
		switch_ats(m->dev, false);
}

/* The SMMU was off: what unmaps and detaches could not tell the device it is told before it
 * asks again. */
void uiommu_smmuv3_ats_hold(struct smmu_master *m)
{
	if (!uiommu_smmuv3_ats_on(m->dev))
		return;
	switch_ats(m->dev, false);
	uiommu_smmuv3_set_state(m->dev, 0, SMMU_DEV_ATS);
	m->ats_held = m->ats_stale = m->ats_lost = true;
}
