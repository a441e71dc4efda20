/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/domain.c - the driver's operations: what the core decided, done
 *
 * The STE of a device follows from what its RID has and whether any PASID is
 * attached; CD n of its table from what PASID n has, CD 0 from what the RID has.
 * Order: a CD is in memory before an STE leads to it, and goes when none does or
 * when PASID n alone stops.
 */
#include "smmu.h"

/* ---- entries into memory ---- */

struct ste_sync {
	struct smmu *s;
	uint32_t sid;
	unsigned closings;		/* as it was when the entry was looked at */
};

static bool enter_ste(void *ctx)
{
	const struct ste_sync *c = ctx;

	host_lock(c->s->host, &c->s->strtab.lock);
	if (c->closings == c->s->strtab.closings)
		return true;
	host_unlock(c->s->host, &c->s->strtab.lock);
	return false;
}

static void leave_ste(void *ctx)
{
	const struct ste_sync *c = ctx;

	host_unlock(c->s->host, &c->s->strtab.lock);
}

static unsigned closings(struct smmu *s)
{
	unsigned n;

	host_lock(s->host, &s->strtab.lock);
	n = s->strtab.closings;
	host_unlock(s->host, &s->strtab.lock);
	return n;
}

static int sync_ste(void *ctx)
{
	const struct ste_sync *c = ctx;

	return c->s->off ? 0 : uiommu_smmuv3_cfgi_ste(c->s, c->sid, true);
}

/* Also for another device that has the StreamID. */
static bool stream_blocked(const struct smmu_master *m, uint32_t sid)
{
	for (m = m->cdtab->masters; m; m = m->next)
		for (unsigned i = 0; i < m->dev->num_streams; i++)
			if (m->dev->streams[i].id == sid &&
			    (m->blocked || uiommu_smmuv3_quarantined(m->dev)))
				return true;
	return false;
}

static int write_ste_once(struct smmu *s, uint32_t sid, unsigned seen, const uint64_t *target)
{
	struct ste_sync ctx = { s, sid, seen };
	const struct smmu_writer w = {
		.host = s->host,
		.used = uiommu_smmuv3_ste_used,
		.safe = uiommu_smmuv3_ste_safe,
		.enter = enter_ste,
		.leave = leave_ste,
		.sync = sync_ste,
		.ctx = &ctx,
	};

	return uiommu_smmuv3_write_entry(&w, uiommu_smmuv3_strtab_entry(s, sid), target);
}

/* @target; or abort, where that is @open and the stream has to be closed. */
static int write_ste(struct smmu_master *m, uint32_t sid, const uint64_t *target, bool open)
{
	static const struct smmu_ste_cfg none = { .config = STE_Config_ABORT };
	uint64_t abort[STE_WORDS];
	int err;

	uiommu_smmuv3_ste(abort, &none);
	do {
		unsigned seen = closings(m->smmu);

		err = write_ste_once(m->smmu, sid, seen,
				     open && stream_blocked(m, sid) ? abort : target);
	} while (err == -UIOMMU_EAGAIN);
	return err;
}

static int write_stes(struct smmu_master *m, const uint64_t *target)
{
	int err = 0;

	m->written = true;
	for (unsigned i = 0; i < m->dev->num_streams; i++) {
		int e = write_ste(m, m->dev->streams[i].id, target, true);

		err = err ? err : e;
	}
	return err;
}

struct cd_sync {
	struct smmu_master *m;
	uiommu_pasid_t pasid;
	bool unlinked;			/* hardware cannot get there */
};

static int sync_cd(void *ctx)
{
	const struct cd_sync *c = ctx;

	return c->unlinked ? 0 : uiommu_smmuv3_cfgi_cd(c->m, c->pasid, true);
}

bool uiommu_smmuv3_cd_valid(const uint64_t *cd)
{
	return cd && FGET(CD_V, port_load64(&cd[CD_V_WORD]));
}

/* CD @pasid becomes @target; counts the PASIDs that have one. */
static int write_cd(struct smmu_master *m, uiommu_pasid_t pasid, const uint64_t *target)
{
	struct cd_sync ctx = { m, pasid, uiommu_smmuv3_cdtab_unlinked(m, pasid) };
	const struct smmu_writer w = {
		.host = m->smmu->host,
		.used = uiommu_smmuv3_cd_used,
		.sync = sync_cd,
		.ctx = &ctx,
	};
	uint64_t *cd = uiommu_smmuv3_cdtab_entry(m, pasid);
	bool before = uiommu_smmuv3_cd_valid(cd);
	int err = uiommu_smmuv3_write_entry(&w, cd, target);

	if (ctx.unlinked)
		err = uiommu_smmuv3_cdtab_link(m, pasid);
	if (pasid != UIOMMU_NO_PASID)
		m->cdtab->num_pasids += (unsigned)uiommu_smmuv3_cd_valid(cd) - (unsigned)before;
	return err;
}

static int set_cd(struct smmu_master *m, uiommu_pasid_t pasid, const struct uiommu_link *link)
{
	uint64_t cd[CD_WORDS];

	if (!SMMU_STAGE1)
		return -UIOMMU_EINVAL;
	uiommu_smmuv3_cd_of(cd, m, link);
	return write_cd(m, pasid, cd);
}

static int clear_cd(struct smmu_master *m, uiommu_pasid_t pasid)
{
	static const uint64_t none[CD_WORDS];

	if (!SMMU_STAGE1 || !uiommu_smmuv3_cd_valid(uiommu_smmuv3_cdtab_entry(m, pasid)))
		return 0;
	return write_cd(m, pasid, none);
}

/* ---- what the STE has to be ---- */

static const struct {
	unsigned config, s1dss;
} rid_kinds[] = {
	[UIOMMU_DOMAIN_BLOCKED]	 = { STE_Config_ABORT, STE_S1DSS_TERMINATE },
	[UIOMMU_DOMAIN_IDENTITY] = { STE_Config_BYPASS, STE_S1DSS_BYPASS },
	[UIOMMU_DOMAIN_PAGING]	 = { STE_Config_S1, STE_S1DSS_SSID0 },
	[UIOMMU_DOMAIN_SVA]	 = { STE_Config_S1, STE_S1DSS_SSID0 },
	[UIOMMU_DOMAIN_NESTED]	 = { STE_Config_S1_S2, STE_S1DSS_SSID0 },
};

/* Bypass, through the table: a bypass in the STE itself refuses ATS. */
static bool keeps_ats(const struct smmu_master *m)
{
	return m->rid->dom->type == UIOMMU_DOMAIN_IDENTITY && m->dev->ats_always_on &&
	       m->cdtab->top && m->cdtab->bits && uiommu_smmuv3_ats_usable(m);
}

/* With PASIDs attached S1DSS does for untagged traffic what Config did. */
static unsigned config_of(const struct smmu_master *m)
{
	if (m->blocked)
		return STE_Config_ABORT;
	if (uiommu_smmuv3_is_stage2(m->rid->dom))
		return STE_Config_S2;
	if (m->rid->dom->parent)
		return uiommu_smmuv3_nested_config(m->rid->dom);
	if (m->cdtab->num_pasids || keeps_ats(m))
		return STE_Config_S1;
	return rid_kinds[m->rid->dom->type].config;
}

static struct smmu_ste_cfg ste_cfg(const struct smmu_master *m)
{
	const struct smmu_caps *caps = &m->smmu->caps;
	const struct uiommu_domain *dom = m->rid->dom;
	const struct smmu_cdtab *t = m->cdtab;

	return (struct smmu_ste_cfg){
		.config = config_of(m),
		.ats = uiommu_smmuv3_ats_usable(m),
		.coherent = caps->coherent,
		.cdtab = t->top ? port_virt_to_pa(m->smmu->host, t->top) : 0,
		.s1dss = rid_kinds[dom->type].s1dss,
		.cd_bits = t->bits,
		.s1fmt = t->two_level ? STE_S1Fmt_L2_64K : STE_S1Fmt_LINEAR,
		.no_stall = caps->stalls && !m->dev->can_stall,
		.user = dom->parent ? dom->user : NULL,
		.s2 = dom->parent ? &dom->parent->pt : &dom->pt,
		.vmid = m->rid->tag,
	};
}

/*
 * Between two lives of the table its CDs were changed without a word, as no STE led
 * to them; what hardware kept of the last life goes before the next begins. The way
 * out is recorded when hardware has done it, the way in before it can: whoever might
 * look counts as live.
 */
static int go_live(struct smmu_master *m)
{
	int err = 0;

	if (!m->live && m->cds_cached && !m->smmu->off)
		err = uiommu_smmuv3_cfgi_cd_all(m);
	if (!err)
		m->live = m->cds_cached = true;
	return err;
}

/* What (device, @pasid) has has changed, but for the STE; @fresh: it had nothing. */
static int update_ste(struct smmu_master *m, uiommu_pasid_t pasid, bool fresh)
{
	const struct smmu_ste_cfg cfg = ste_cfg(m);
	bool ats = cfg.ats && cfg.config > STE_Config_BYPASS;
	uint64_t ste[STE_WORDS];
	int err = 0;

	uiommu_smmuv3_ste(ste, &cfg);
	uiommu_smmuv3_ats_before(m, pasid, ats);
	if (cfg.config == STE_Config_S1)
		err = go_live(m);
	if (!err)
		err = write_stes(m, ste);
	if (!err && cfg.config != STE_Config_S1)
		m->live = false;
	if (!err)
		uiommu_smmuv3_ats_after(m, pasid, ats, fresh);
	return err;
}

/* Has it a CD? */
static bool has_cd(const struct uiommu_link *link)
{
	if (!SMMU_STAGE1 || link->dom->type == UIOMMU_DOMAIN_SVA)
		return SMMU_STAGE1;
	return link->dom->type == UIOMMU_DOMAIN_PAGING && !uiommu_smmuv3_is_stage2(link->dom);
}

/* CD 0 is of all that share the table: the last RID that it serves takes it away. */
static bool cd0_used(const struct smmu_master *m)
{
	for (m = m->cdtab->masters; m; m = m->next)
		if (has_cd(m->rid))
			return true;
	return false;
}

static bool is_blocked(const struct uiommu_link *link)
{
	return link->dom->type == UIOMMU_DOMAIN_BLOCKED;
}

/*
 * A guest's STE that has the words of the one before is not written, so nobody is told of
 * it. What it leads to may be new all the same: a guest says CFGI_STE, which stands for
 * all CDs behind the STE (IHI 0070, 4.3.1), and its VMM attaches what it finds there.
 */
static int forget_guests_cds(struct smmu_master *m, const struct uiommu_link *old)
{
	if (!SMMU_STAGE1 || !old->dom->parent || !m->rid->dom->parent || m->smmu->off)
		return 0;
	return uiommu_smmuv3_cfgi_cd_all(m);
}

static int commit_rid(struct smmu_master *m, const struct uiommu_link *old,
		      const struct uiommu_link *now)
{
	int err = has_cd(now) ? set_cd(m, UIOMMU_NO_PASID, now) : 0;

	m->rid = now;
	if (!err)
		err = update_ste(m, UIOMMU_NO_PASID, is_blocked(old));
	if (!err)
		err = forget_guests_cds(m, old);
	if (!err && !cd0_used(m))
		err = clear_cd(m, UIOMMU_NO_PASID);
	return err;
}

static int commit_pasid(struct smmu_master *m, uiommu_pasid_t pasid,
			const struct uiommu_link *old, const struct uiommu_link *now)
{
	int err = has_cd(now) ? set_cd(m, pasid, now) : clear_cd(m, pasid);

	return err ? err : update_ste(m, pasid, is_blocked(old));
}

static int attach_commit(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			 const struct uiommu_link *old, const struct uiommu_link *now)
{
	struct smmu_master *m = dev->drv;
	int err = pasid == UIOMMU_NO_PASID ? commit_rid(m, old, now)
					   : commit_pasid(m, pasid, old, now);

	return !err && !is_blocked(now) && uiommu_smmuv3_quarantined(dev) ? -UIOMMU_EIO : err;
}

int uiommu_smmuv3_restore(struct uiommu_dev *dev)
{
	struct smmu_master *m = dev->drv;
	size_t n = uiommu_smmuv3_cdtab_size(m);

	uiommu_smmuv3_ats_hold(m);
	m->rid = uiommu_device_link(dev, UIOMMU_NO_PASID);
	for (uiommu_pasid_t p = 1; p < n; p++) {
		const struct uiommu_link *link = uiommu_device_link(dev, p);

		if (has_cd(link))
			set_cd(m, p, link);
		else
			clear_cd(m, p);
	}
	return commit_rid(m, m->rid, m->rid);
}

int uiommu_smmuv3_restore_ats(struct uiommu_dev *dev)
{
	struct smmu_master *m = dev->drv;

	if (!m->ats_held)
		return 0;
	m->ats_held = false;
	return update_ste(m, UIOMMU_NO_PASID, true);
}

static int attach_prepare(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			  const struct uiommu_link *now)
{
	return has_cd(now) ? uiommu_smmuv3_cdtab_reserve(dev->drv, pasid) : 0;
}

/* One entry stops RID and PASIDs; what is in the table stays for later. */
static int block(struct uiommu_dev *dev, bool on)
{
	struct smmu_master *m = dev->drv;

	m->blocked = on;
	if (!on) {
		m->ats_stale |= uiommu_smmuv3_quarantined(dev);
		uiommu_smmuv3_new_life(dev);
	}
	return update_ste(m, UIOMMU_NO_PASID, true);
}

/* ---- devices ---- */

static int device_add(struct uiommu_dev *dev)
{
	struct smmu *s = to_smmu(dev->iommu);
	struct smmu_master *m;

	for (unsigned i = 0; i < dev->num_streams; i++) {
		int err = uiommu_smmuv3_strtab_reserve(s, dev->streams[i].id);

		if (err)
			return err;
	}
	m = host_alloc(dev->host, sizeof(*m));
	if (!m)
		return -UIOMMU_ENOMEM;
	m->smmu = s;
	m->dev = dev;
	m->rid = &dev->iommu->blocked;
	dev->drv = m;
	if (uiommu_smmuv3_cdtab_join(m, dev->sharer ? dev->sharer->drv : NULL))
		goto no_cdtab;
	if (!dev->ats_always_on || !uiommu_smmuv3_ats_usable(m) ||
	    !uiommu_smmuv3_cdtab_reserve(m, UIOMMU_NO_PASID))
		return 0;
	uiommu_smmuv3_cdtab_leave(m);
no_cdtab:
	host_free(dev->host, m, sizeof(*m));
	dev->drv = NULL;
	return -UIOMMU_ENOMEM;
}

/* Another device that shares has this StreamID too. */
static bool stream_stays(const struct smmu_master *m, uint32_t sid)
{
	for (const struct smmu_master *o = m->cdtab->masters; o; o = o->next)
		for (unsigned i = 0; o != m && i < o->dev->num_streams; i++)
			if (o->dev->streams[i].id == sid)
				return true;
	return false;
}

/* An invalid STE aborts too, and says so: whoever still does DMA is unknown. One that
 * was never anything else is left: what firmware has started goes on. */
static void device_remove(struct uiommu_dev *dev)
{
	static const uint64_t none[STE_WORDS];
	struct smmu_master *m = dev->drv;

	m->blocked = true;
	uiommu_smmuv3_ats_before(m, UIOMMU_NO_PASID, false);
	for (unsigned i = 0; m->written && i < dev->num_streams; i++)
		if (!stream_stays(m, dev->streams[i].id))
			write_ste(m, dev->streams[i].id, none, false);
	uiommu_smmuv3_set_state(dev, SMMU_DEV_GONE, SMMU_DEV_ATS);
	uiommu_smmuv3_cdtab_leave(m);
	host_free(dev->host, m, sizeof(*m));
	dev->drv = NULL;
}

#define IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED	(1u << 3)

#define HW_INFO_SMMUV3	2u		/* IOMMU_HW_INFO_TYPE_ARM_SMMUV3 */

static int hw_info(const struct uiommu_dev *dev, unsigned type, struct uiommu_hw_info *out)
{
	const struct smmu *s = to_smmu(dev->iommu);

	if (!type || type == HW_INFO_SMMUV3)
		*out = (struct uiommu_hw_info){ HW_INFO_SMMUV3, s->hw_info, sizeof(s->hw_info), 0 };
	else if (!uiommu_smmuv3_cmdqv_info(s, type, out))
		return -UIOMMU_EOPNOTSUPP;
	out->capabilities = dev->ats && s->caps.ats ? 0 : IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	return 0;
}

const struct uiommu_iommu_ops uiommu_smmuv3_ops = {
	.name = "smmuv3",
	.device_add = device_add,
	.device_remove = device_remove,
	.domain_init = uiommu_smmuv3_domain_init,
	.domain_check = uiommu_smmuv3_domain_check,
	.link_init = uiommu_smmuv3_link_init,
	.link_fini = uiommu_smmuv3_link_fini,
	.attach_prepare = attach_prepare,
	.attach_commit = attach_commit,
	.block = block,
	.recover = uiommu_smmuv3_recover,
	.invalidate = uiommu_smmuv3_invalidate,
	.page_response = uiommu_smmuv3_page_response,
	.drain_faults = uiommu_smmuv3_drain_faults,
	.nested_init = uiommu_smmuv3_nested_init,
	.has_viommu = uiommu_smmuv3_has_viommu,
#ifndef UIOMMU_CONFIG_STAGE2_ONLY
	.viommu_init = uiommu_smmuv3_viommu_init,
	.viommu_fini = uiommu_smmuv3_viommu_fini,
	.vdevice_init = uiommu_smmuv3_vdevice_init,
	.vdevice_fini = uiommu_smmuv3_vdevice_fini,
	.viommu_mmio = uiommu_smmuv3_viommu_mmio,
	.num_hw_queues = uiommu_smmuv3_num_hw_queues,
	.hw_queue_init = uiommu_smmuv3_hw_queue_init,
	.hw_queue_fini = uiommu_smmuv3_hw_queue_fini,
#endif
	.viommu_invalidate = uiommu_smmuv3_viommu_invalidate,
	.viommu_event = uiommu_smmuv3_viommu_event,
	.hw_info = hw_info,
	.remove = uiommu_smmuv3_remove,
};
