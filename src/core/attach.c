/* SPDX-License-Identifier: MIT */
/*
 * src/core/attach.c - attach, replace and detach: one path for RID and PASID
 *
 * Whatever the call, (device, PASID) goes from one link to another: see move().
 * Nothing is the BLOCKED link. What a call may do is decided before, in check().
 */
#include "core.h"

/* ---- what may be attached where ---- */

/* -EOPNOTSUPP unless the IOMMU has it per PASID */
static const struct {
	int rid, pasid;
	unsigned cap;		/* makes @pasid 0 */
} rule[] = {
	[UIOMMU_DOMAIN_BLOCKED]	 = { 0, 0, 0 },
	[UIOMMU_DOMAIN_IDENTITY] = { 0, -UIOMMU_EOPNOTSUPP, UIOMMU_IOMMU_PASID_IDENTITY },
	[UIOMMU_DOMAIN_PAGING]	 = { 0, 0, 0 },
	[UIOMMU_DOMAIN_SVA]	 = { -UIOMMU_EINVAL, 0, 0 },
	[UIOMMU_DOMAIN_NESTED]	 = { 0, -UIOMMU_EINVAL, UIOMMU_IOMMU_PASID_NESTED },
};

static int check_type(const struct uiommu_domain *dom, const struct uiommu_dev *dev,
		      uiommu_pasid_t pasid)
{
	if (pasid == UIOMMU_NO_PASID)
		return rule[dom->type].rid;
	if (dev->iommu->caps & rule[dom->type].cap)
		return 0;
	return rule[dom->type].pasid;
}

static int check(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	int err;

	if (dom->u != dev->u || pasid > UIOMMU_PASID_MAX || pasid >> dev->pasid_bits)
		return -UIOMMU_EINVAL;
	err = check_type(dom, dev, pasid);
	return err ? err : dev->iommu->ops->domain_check(dom, dev, pasid);
}

/* ---- attachments as objects ---- */

static void free_attach(struct uiommu_retire *r)
{
	struct uiommu_attach *att = uiommu_container_of(r, struct uiommu_attach, retire);

	host_free(att->host, att, sizeof(*att));
}

/* Readers of the list find it from here on. */
static void show(struct uiommu_attach *att)
{
	list_add(&att->link->attaches, &att->node);
}

static void hide(struct uiommu_attach *att)
{
	list_del(&att->link->attaches, &att->node);
}

/* Out of every list, its reference on the link given back. */
static void drop(struct uiommu_attach *att) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void drop(struct uiommu_attach *att)
{
	hide(att);
	if (att->base)
		return;
	uiommu_link_put(att->link);
	host_retire(att->host, &att->retire, free_attach);
}

static void setup(struct uiommu_attach *att, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		  struct uiommu_link *link)
{
	att->dev = dev;
	att->host = dev->host;
	att->pasid = pasid;
	att->link = link;
}

/* All that can fail for want of something; nothing is visible yet. */
static int make(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		struct uiommu_attach **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int make(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		struct uiommu_attach **out)
{
	struct uiommu_attach *att = host_alloc(dev->host, sizeof(*att));
	struct uiommu_link *link = NULL;
	int err = att ? uiommu_index_reserve(dev, pasid) : -UIOMMU_ENOMEM;

	if (!err)
		err = uiommu_link_get(dom, dev->iommu, &link);
	if (!err && dom->type > UIOMMU_DOMAIN_IDENTITY)
		err = dev->iommu->ops->attach_prepare(dev, pasid, link);
	if (!err) {
		setup(att, dev, pasid, link);
		*out = att;
		return 0;
	}
	if (link)
		uiommu_link_put(link);
	host_free(dev->host, att, sizeof(*att));
	return err;
}

/* ---- moving ---- */

static void tell(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_domain *old,
		 struct uiommu_domain *now)
{
	const struct uiommu_observer *o = &dev->u->obs;

	if (o->attach_changed && old != now)
		o->attach_changed(o->ctx, dev, pasid, old, now);
}

static struct uiommu_link *link_of(struct uiommu_dev *dev, const struct uiommu_attach *att)
{
	return att ? att->link : &dev->iommu->blocked;
}

static struct uiommu_domain *dom_of(const struct uiommu_attach *att)
{
	return att ? att->link->dom : NULL;
}

static int commit(struct uiommu_dev *dev, uiommu_pasid_t pasid, const struct uiommu_attach *old,
		  const struct uiommu_attach *now)
{
	return dev->iommu->ops->attach_commit(dev, pasid, link_of(dev, old), link_of(dev, now));
}

/* The record of (dev, pasid) follows what hardware was told. */
static void record(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		   struct uiommu_attach *now) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void record(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		   struct uiommu_attach *now)
{
	struct uiommu_domain *was = dom_of(old);

	uiommu_index_set(dev, pasid, now);
	if (pasid != UIOMMU_NO_PASID)
		dev->num_pasids += !!now - !!old;
	if (old)
		drop(old);
	tell(dev, pasid, was, dom_of(now));
}

/* (dev, pasid) had @old, hardware could not be brought to anything but BLOCKED. */
static void record_blocked(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_attach *old) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void record_blocked(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_attach *old)
{
	struct uiommu_attach *now = pasid == UIOMMU_NO_PASID ? &dev->base[1] : NULL;

	host_log(dev->host, UIOMMU_LOG_ERR,
		 "uiommu: hardware does not answer; an attachment ends BLOCKED");
	if (old == now)
		return;
	if (now)
		show(now);
	record(dev, pasid, old, now);
}

/*
 * (dev, pasid) from @old to @now, either NULL: nothing (only on a PASID). @now is
 * in its list, and its link in the domain's, before hardware can see the entry,
 * and a concurrent unmap that did not see it there cleared its entries before
 * hardware could walk to them: that is what the barrier is for (docs/LOCKING.md).
 */
static int move(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		struct uiommu_attach *now) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int move(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		struct uiommu_attach *now)
{
	bool restored;
	int err;

	if (now)
		show(now);
	port_dma_mb();
	err = commit(dev, pasid, old, now);
	if (!err) {
		record(dev, pasid, old, now);
		return 0;
	}
	restored = !commit(dev, pasid, now, old);
	if (!restored)
		commit(dev, pasid, old, NULL);
	if (now)
		drop(now);
	if (!restored)
		record_blocked(dev, pasid, old);
	return err;
}

/* As move(), but @old goes whatever hardware says. */
static void move_out(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		     struct uiommu_attach *now) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void move_out(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		     struct uiommu_attach *now)
{
	if (now)
		show(now);
	port_dma_mb();
	if (!commit(dev, pasid, old, now)) {
		record(dev, pasid, old, now);
		return;
	}
	commit(dev, pasid, old, NULL);
	if (now)
		hide(now);
	record_blocked(dev, pasid, old);
}

/* ---- the calls ---- */

/* BLOCKED on a PASID is no entry: nothing to make, and it cannot fail. */
static bool means_detach(const struct uiommu_domain *dom, uiommu_pasid_t pasid)
{
	return dom->type == UIOMMU_DOMAIN_BLOCKED && pasid != UIOMMU_NO_PASID;
}

static bool occupied(const struct uiommu_attach *att)
{
	if (!att || att->base)
		return false;
	return att->link->dom->type != UIOMMU_DOMAIN_BLOCKED;
}

static int attach(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int attach(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach *old = uiommu_index_get(dev, pasid), *now;
	int err = check(dom, dev, pasid);

	if (!err && occupied(old))
		err = -UIOMMU_EBUSY;
	if (err || means_detach(dom, pasid))
		return err;
	err = make(dom, dev, pasid, &now);
	return err ? err : move(dev, pasid, old, now);
}

static int replace(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int replace(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach *old = uiommu_index_get(dev, pasid), *now = NULL;
	int err = check(dom, dev, pasid);

	if (!err && (!old || old->base))
		err = -UIOMMU_EINVAL;
	if (err || old->link->dom == dom)
		return err;
	if (!means_detach(dom, pasid))
		err = make(dom, dev, pasid, &now);
	return err ? err : move(dev, pasid, old, now);
}

static void detach(struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void detach(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach *old = uiommu_index_get(dev, pasid);

	if (!old || old->base)
		return;
	move_out(dev, pasid, old, pasid == UIOMMU_NO_PASID ? uiommu_attach_base(dev) : NULL);
}

int uiommu_attach_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid)
{
	int err;

	core_lock(dev->u);
	err = attach(dom, dev, pasid);
	core_unlock(dev->u);
	return err;
}

int uiommu_replace_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
				uiommu_pasid_t pasid)
{
	int err;

	core_lock(dev->u);
	err = replace(dom, dev, pasid);
	core_unlock(dev->u);
	return err;
}

void uiommu_detach_device_pasid(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	core_lock(dev->u);
	detach(dev, pasid);
	core_unlock(dev->u);
}

/* ---- what a device has when nothing is attached ---- */

struct uiommu_attach *uiommu_attach_base(struct uiommu_dev *dev)
{
	bool ours = !dev->group->owner;

	return &dev->base[ours ? 0 : 1];
}

int uiommu_attach_rebase(struct uiommu_dev *dev)
{
	struct uiommu_attach *old = uiommu_index_get(dev, UIOMMU_NO_PASID);
	struct uiommu_attach *now = uiommu_attach_base(dev);

	return old == now ? 0 : move(dev, UIOMMU_NO_PASID, old, now);
}

static void forget_rid(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void forget_rid(struct uiommu_dev *dev)
{
	struct uiommu_attach *rid = uiommu_index_get(dev, UIOMMU_NO_PASID);

	if (!rid)
		return;
	uiommu_index_set(dev, UIOMMU_NO_PASID, NULL);
	hide(rid);
	tell(dev, UIOMMU_NO_PASID, dom_of(rid), NULL);
}

int uiommu_attach_start(struct uiommu_dev *dev)
{
	struct uiommu_link *links[2] = { &dev->iommu->blocked, &dev->iommu->blocked };
	int err = uiommu_index_reserve(dev, UIOMMU_NO_PASID);

	if (dev->default_type == UIOMMU_DOMAIN_IDENTITY)
		links[0] = &dev->iommu->identity;
	for (unsigned i = 0; i < 2; i++) {
		setup(&dev->base[i], dev, UIOMMU_NO_PASID, links[i]);
		dev->base[i].base = true;
	}
	if (err)
		return err;
	err = move(dev, UIOMMU_NO_PASID, NULL, uiommu_attach_base(dev));
	if (err)
		forget_rid(dev);
	return err;
}

void uiommu_attach_drop_all(struct uiommu_dev *dev)
{
	uiommu_pasid_t pasid = UIOMMU_NO_PASID;
	struct uiommu_attach *rid;

	while (dev->num_pasids) {
		pasid++;
		uiommu_index_next(dev, &pasid);
		detach(dev, pasid);
	}
	detach(dev, UIOMMU_NO_PASID);
	rid = uiommu_index_get(dev, UIOMMU_NO_PASID);
	if (rid != uiommu_attach_base(dev))
		move_out(dev, UIOMMU_NO_PASID, rid, uiommu_attach_base(dev));
}

void uiommu_attach_end(struct uiommu_dev *dev)
{
	uiommu_attach_drop_all(dev);
	forget_rid(dev);
}
