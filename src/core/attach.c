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
	[UIOMMU_DOMAIN_SVA]	 = { -UIOMMU_EINVAL, 0, 0 },	/* the RID: dom->sva.on_rid */
	[UIOMMU_DOMAIN_NESTED]	 = { 0, -UIOMMU_EOPNOTSUPP, UIOMMU_IOMMU_PASID_NESTED },
};

static int check_type(const struct uiommu_domain *dom, const struct uiommu_dev *dev,
		      uiommu_pasid_t pasid)
{
	if (dom->type == UIOMMU_DOMAIN_SVA && dom->sva.kind != dev->iommu->ops)
		return -UIOMMU_EINVAL;
	if (pasid == UIOMMU_NO_PASID)
		return dom->sva.on_rid ? 0 : rule[dom->type].rid;
	if (dev->iommu->caps & rule[dom->type].cap)
		return 0;
	return rule[dom->type].pasid;
}

/* Of these nobody here can say that a DIRECT range is reached. */
static bool may_hide_direct(const struct uiommu_domain *dom)
{
	return dom->type == UIOMMU_DOMAIN_BLOCKED || dom->type == UIOMMU_DOMAIN_NESTED;
}

static int check(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	int err;

	if (dom->u != dev->u || pasid > UIOMMU_PASID_MAX || pasid >> dev->pasid_bits)
		return -UIOMMU_EINVAL;
	if (pasid == UIOMMU_NO_PASID && may_hide_direct(dom) && uiommu_resv_is_direct(dev))
		return -UIOMMU_EINVAL;
	if (dom->viommu && dom->viommu->iommu != dev->iommu)
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

/* Counted before it is in the list, so that nobody passes it by who must not. */
static void enlist(struct uiommu_attach *att)
{
	struct uiommu_link *l = att->link;

	if (att->dev->ats)
		__atomic_store_n(&l->num_ats, l->num_ats + 1, __ATOMIC_RELAXED);
	list_add(&l->attaches, &att->node);
}

static void delist(struct uiommu_attach *att)
{
	struct uiommu_link *l = att->link;

	list_del(&l->attaches, &att->node);
	if (att->dev->ats)
		__atomic_store_n(&l->num_ats, l->num_ats - 1, __ATOMIC_RELAXED);
}

/* Readers of the list find it from here on. A base is there always. */
static void show(struct uiommu_attach *att)
{
	if (!att->base)
		enlist(att);
}

/* Never seen by anybody: gone at once. */
void uiommu_attach_unmake(struct uiommu_attach *att)
{
	uiommu_link_put(att->link);
	host_free(att->host, att, sizeof(*att));
}

/* Out of every list, its reference on the link given back. */
static void end(struct uiommu_attach *att) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void end(struct uiommu_attach *att)
{
	delist(att);
	uiommu_link_put(att->link);
	host_retire(att->host, &att->retire, free_attach);
}

static void drop(struct uiommu_attach *att) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void drop(struct uiommu_attach *att)
{
	if (!att->base)
		end(att);
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
	if (old)
		uiommu_iopf_drain(dev, pasid, was);
	if (pasid != UIOMMU_NO_PASID)
		dev->num_pasids += !!now - !!old;
	if (old)
		drop(old);
	tell(dev, pasid, was, dom_of(now));
	if (was)
		uiommu_nested_left(was);
}

/* (dev, pasid) had @old, hardware could not be brought to anything but BLOCKED. */
static void record_blocked(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_attach *old) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void record_blocked(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_attach *old)
{
	struct uiommu_attach *now = pasid == UIOMMU_NO_PASID ? &dev->blocked : NULL;

	host_log(dev->host, UIOMMU_LOG_ERR,
		 "uiommu: hardware does not answer; an attachment ends BLOCKED");
	if (old != now)
		record(dev, pasid, old, now);
}

/* ---- one call, one device or all of a group ---- */

struct set {
	struct uiommu_dev *first;
	uiommu_pasid_t pasid;
	bool whole;
};

static struct set set_of(struct uiommu_dev *dev, uiommu_pasid_t pasid, bool whole)
{
	struct set s = { dev, pasid, whole || dev->shared };

	if (s.whole)
		s.first = dev->group->devs;
	return s;
}

/* A member without PASIDs is left alone when the group gets one. */
static struct uiommu_dev *skip(const struct set *s, struct uiommu_dev *d)
{
	while (d && s->whole && s->pasid != UIOMMU_NO_PASID && !d->pasid_bits)
		d = d->group_next;
	return d;
}

static struct uiommu_dev *next(const struct set *s, const struct uiommu_dev *d)
{
	return s->whole ? skip(s, d->group_next) : NULL;
}

#define for_each(d, s) for ((d) = skip(s, (s)->first); (d); (d) = next(s, d))

static bool moves(const struct uiommu_dev *d)
{
	return d->move.old != d->move.now;
}

/* Back to what it had, else BLOCKED. */
static void put_back(struct uiommu_dev *d, uiommu_pasid_t pasid)
{
	d->move.restored = !commit(d, pasid, d->move.now, d->move.old);
	if (!d->move.restored)
		commit(d, pasid, d->move.old, NULL);
}

/* The @last device of the set would not go: nobody goes. */
static void roll_back(const struct set *s, const struct uiommu_dev *last)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void roll_back(const struct set *s, const struct uiommu_dev *last)
{
	bool reached = false;
	struct uiommu_dev *d;

	for_each(d, s) {
		d->move.restored = true;
		if (moves(d) && !reached)
			put_back(d, s->pasid);
		reached |= d == last;
	}
	for_each(d, s) {
		if (!moves(d))
			continue;
		if (d->move.now)
			drop(d->move.now);
		if (!d->move.restored)
			record_blocked(d, s->pasid, d->move.old);
	}
}

/*
 * Each device of the set from move.old to move.now, either NULL: nothing (only on a
 * PASID). What is new is in its list, and its link in the domain's, before hardware
 * can see the entry, and a concurrent unmap that did not see it there cleared its
 * entries before hardware could walk to them: that is what the barrier is for
 * (docs/LOCKING.md). What is old stays recorded until hardware has let go of it in
 * all of them: a device that shares a table loses it with the first.
 */
static int move(const struct set *s) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int move(const struct set *s)
{
	struct uiommu_dev *d;
	int err = 0;

	for_each(d, s)
		if (moves(d) && d->move.now)
			show(d->move.now);
	port_dma_mb();
	for_each(d, s) {
		if (moves(d))
			err = commit(d, s->pasid, d->move.old, d->move.now);
		if (err) {
			roll_back(s, d);
			return err;
		}
	}
	for_each(d, s)
		if (moves(d))
			record(d, s->pasid, d->move.old, d->move.now);
	return 0;
}

static int move_one(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		    struct uiommu_attach *now) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int move_one(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		    struct uiommu_attach *now)
{
	const struct set s = { dev, pasid, false };

	dev->move.old = old;
	dev->move.now = now;
	return move(&s);
}

/* As move_one(), but @old goes whatever hardware says. */
static void move_out(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		     struct uiommu_attach *now) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void move_out(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *old,
		     struct uiommu_attach *now)
{
	if (!commit(dev, pasid, old, now)) {
		record(dev, pasid, old, now);
		return;
	}
	commit(dev, pasid, old, NULL);
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

static int check_place(const struct uiommu_attach *old, enum uiommu_attach_how how)
{
	if (how == UIOMMU_ATTACH)
		return occupied(old) ? -UIOMMU_EBUSY : 0;
	return !old || old->base ? -UIOMMU_EINVAL : 0;
}

/* All that can fail for want of something, for one device. */
static int plan_one(struct uiommu_domain *dom, struct uiommu_dev *d, uiommu_pasid_t pasid,
		    enum uiommu_attach_how how) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int plan_one(struct uiommu_domain *dom, struct uiommu_dev *d, uiommu_pasid_t pasid,
		    enum uiommu_attach_how how)
{
	struct uiommu_attach *old = uiommu_index_get(d, pasid), *now = NULL;
	int err = check(dom, d, pasid);

	d->move.old = d->move.now = old;
	d->move.mapped = 0;
	if (!err)
		err = d->in_reset ? -UIOMMU_EBUSY : check_place(old, how);
	if (err || (how == UIOMMU_REPLACE && dom_of(old) == dom))
		return err;
	if (!means_detach(dom, pasid))
		err = make(dom, d, pasid, &now);
	if (!err && pasid == UIOMMU_NO_PASID)
		err = uiommu_resv_map(d, dom, false, &d->move.mapped);
	if (!err)
		d->move.now = now;
	else if (now)
		uiommu_attach_unmake(now);
	return err;
}

static void unplan(struct uiommu_domain *dom, const struct set *s, const struct uiommu_dev *end)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void unplan(struct uiommu_domain *dom, const struct set *s, const struct uiommu_dev *end)
{
	struct uiommu_dev *d;

	for_each(d, s) {
		if (d == end)
			return;
		if (moves(d) && d->move.now)
			uiommu_attach_unmake(d->move.now);
		uiommu_resv_unmap(d, dom, d->move.mapped);
	}
}

static int enter(struct uiommu_domain *dom, const struct set *s, enum uiommu_attach_how how)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int enter(struct uiommu_domain *dom, const struct set *s, enum uiommu_attach_how how)
{
	struct uiommu_dev *d;
	int err;

	if (!skip(s, s->first))
		return -UIOMMU_EINVAL;
	for_each(d, s) {
		err = plan_one(dom, d, s->pasid, how);

		if (err) {
			unplan(dom, s, d);
			return err;
		}
	}
	err = move(s);
	if (err)
		for_each(d, s)
			uiommu_resv_unmap(d, dom, d->move.mapped);
	return err;
}

static int enter_locked(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			bool whole, enum uiommu_attach_how how)
{
	struct set s;
	int err;

	/* who binds and unbinds counts them: uiommu_sva_bind_device() */
	if (dom->type == UIOMMU_DOMAIN_SVA)
		return -UIOMMU_EINVAL;
	core_lock(dev->u);
	s = set_of(dev, pasid, whole);
	err = enter(dom, &s, how);
	core_unlock(dev->u);
	return err;
}

static void detach_one(struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void detach_one(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach *old = uiommu_index_get(dev, pasid);

	if (!old || old->base)
		return;
	move_out(dev, pasid, old, pasid == UIOMMU_NO_PASID ? uiommu_attach_base(dev) : NULL);
}

static void leave(struct uiommu_dev *dev, uiommu_pasid_t pasid, bool whole)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void leave(struct uiommu_dev *dev, uiommu_pasid_t pasid, bool whole)
{
	const struct set s = set_of(dev, pasid, whole);
	struct uiommu_dev *d;

	for_each(d, &s)
		detach_one(d, pasid);
}

int uiommu_attach_enter(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			enum uiommu_attach_how how)
{
	const struct set s = set_of(dev, pasid, false);

	return enter(dom, &s, how);
}

void uiommu_attach_leave(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	leave(dev, pasid, false);
}

int uiommu_attach_make_home(struct uiommu_domain *dom, struct uiommu_dev *dev,
			    struct uiommu_attach **out)
{
	return make(dom, dev, UIOMMU_NO_PASID, out);
}

void uiommu_attach_go_home(struct uiommu_attach *home)
{
	struct uiommu_dev *dev = home->dev;

	show(home);
	port_dma_mb();
	move_out(dev, UIOMMU_NO_PASID, uiommu_index_get(dev, UIOMMU_NO_PASID), home);
	if (uiommu_index_get(dev, UIOMMU_NO_PASID) != home)
		drop(home);
}

int uiommu_attach_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid)
{
	return enter_locked(dom, dev, pasid, false, UIOMMU_ATTACH);
}

int uiommu_attach_group_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			      uiommu_pasid_t pasid)
{
	return enter_locked(dom, dev, pasid, true, UIOMMU_ATTACH);
}

int uiommu_replace_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
				uiommu_pasid_t pasid)
{
	return enter_locked(dom, dev, pasid, false, UIOMMU_REPLACE);
}

int uiommu_replace_group_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid)
{
	return enter_locked(dom, dev, pasid, true, UIOMMU_REPLACE);
}

void uiommu_detach_device_pasid(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	core_lock(dev->u);
	leave(dev, pasid, false);
	core_unlock(dev->u);
}

void uiommu_detach_group_pasid(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	core_lock(dev->u);
	leave(dev, pasid, true);
	core_unlock(dev->u);
}

void uiommu_attach_leave_domain(struct uiommu_domain *dom, struct uiommu_dev *dev,
				uiommu_pasid_t pasid)
{
	const struct set s = set_of(dev, pasid, false);
	struct uiommu_dev *d;

	for_each(d, &s)
		if (dom_of(uiommu_index_get(d, pasid)) == dom)
			detach_one(d, pasid);
}

static void kill_link(struct uiommu_link *link) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void kill_link(struct uiommu_link *link)
{
	struct uiommu_node *n;

	list_for_each(n, &link->attaches) {
		struct uiommu_attach *att = uiommu_container_of(n, struct uiommu_attach, node);

		commit(att->dev, att->pasid, att, att);
	}
}

/* From one value of the entry to another, like any move; then nothing cached stays. */
void uiommu_attach_kill(struct uiommu_domain *dom)
{
	struct uiommu_gather all;
	struct uiommu_node *n, *m;

	__atomic_store_n(&dom->dead, true, __ATOMIC_SEQ_CST);
	list_for_each(n, &dom->links)
		kill_link(uiommu_container_of(n, struct uiommu_link, node));
	uiommu_gather_init(&all);
	all.tables = true;
	uiommu_domain_invalidate(dom, &all);
	list_for_each(n, &dom->links)
		list_for_each(m, &uiommu_container_of(n, struct uiommu_link, node)->attaches) {
			struct uiommu_attach *att =
				uiommu_container_of(m, struct uiommu_attach, node);

			uiommu_iopf_drain(att->dev, att->pasid, dom);
		}
}

/* ---- what a device has when nothing is attached ---- */

struct uiommu_attach *uiommu_attach_base(struct uiommu_dev *dev)
{
	return dev->group->owner ? &dev->blocked : dev->def;
}

int uiommu_attach_rebase(struct uiommu_dev *dev)
{
	struct uiommu_attach *old = uiommu_index_get(dev, UIOMMU_NO_PASID);
	struct uiommu_attach *now = uiommu_attach_base(dev);

	return old == now ? 0 : move_one(dev, UIOMMU_NO_PASID, old, now);
}

static void forget_rid(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void forget_rid(struct uiommu_dev *dev)
{
	struct uiommu_attach *rid = uiommu_index_get(dev, UIOMMU_NO_PASID);

	if (!rid)
		return;
	uiommu_index_set(dev, UIOMMU_NO_PASID, NULL);
	tell(dev, UIOMMU_NO_PASID, dom_of(rid), NULL);
}

/* A base goes into its list here, and stays one until end() has taken it out. */
static int make_base(struct uiommu_domain *dom, struct uiommu_dev *dev,
		     struct uiommu_attach **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int make_base(struct uiommu_domain *dom, struct uiommu_dev *dev,
		     struct uiommu_attach **out)
{
	int err = make(dom, dev, UIOMMU_NO_PASID, out);

	if (err)
		return err;
	(*out)->base = true;		/* before readers of the list see it */
	enlist(*out);
	return 0;
}

static int make_bases(struct uiommu_domain *dom, const struct set *s)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int make_bases(struct uiommu_domain *dom, const struct set *s)
{
	struct uiommu_dev *d, *done;
	int err = 0;

	for_each(d, s) {
		d->move.mapped = 0;
		err = d->in_reset ? -UIOMMU_EBUSY : check(dom, d, UIOMMU_NO_PASID);
		if (!err)
			err = make_base(dom, d, &d->new_def);
		if (err)
			break;
		err = uiommu_resv_map(d, dom, true, &d->move.mapped);
		if (err) {
			end(d->new_def);
			break;
		}
	}
	for (done = s->first; err && done != d; done = next(s, done)) {
		uiommu_resv_unmap(done, dom, done->move.mapped);
		end(done->new_def);
	}
	return err;
}

/* Where the RID has the old default it goes to the new one. */
static int adopt(struct uiommu_domain *dom, const struct set *s)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int adopt(struct uiommu_domain *dom, const struct set *s)
{
	struct uiommu_dev *d;
	int err;

	for_each(d, s) {
		d->move.old = uiommu_index_get(d, UIOMMU_NO_PASID);
		d->move.now = d->move.old == d->def ? d->new_def : d->move.old;
	}
	err = move(s);
	for_each(d, s) {
		struct uiommu_attach *gone = err ? d->new_def : d->def;

		if (err)
			uiommu_resv_unmap(d, dom, d->move.mapped);
		else
			d->def = d->new_def;
		end(gone);
	}
	return err;
}

static bool can_be_default(const struct uiommu_domain *dom)
{
	return dom->type <= UIOMMU_DOMAIN_PAGING;
}

int uiommu_device_set_default(struct uiommu_dev *dev, struct uiommu_domain *dom)
{
	const struct set s = set_of(dev, UIOMMU_NO_PASID, false);
	int err = can_be_default(dom) ? 0 : -UIOMMU_EINVAL;

	core_lock(dev->u);
	if (!err && dev->group->owner)
		err = -UIOMMU_EBUSY;
	if (!err)
		err = make_bases(dom, &s);
	if (!err)
		err = adopt(dom, &s);
	core_unlock(dev->u);
	return err;
}

static void unstart(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void unstart(struct uiommu_dev *dev)
{
	forget_rid(dev);
	delist(&dev->blocked);
	end(dev->def);
}

int uiommu_attach_start(struct uiommu_dev *dev, struct uiommu_domain *def)
{
	int err = make_base(def, dev, &dev->def);

	if (err)
		return err;
	setup(&dev->blocked, dev, UIOMMU_NO_PASID, &dev->iommu->blocked);
	dev->blocked.base = true;
	enlist(&dev->blocked);
	err = move_one(dev, UIOMMU_NO_PASID, NULL, uiommu_attach_base(dev));
	if (err)
		unstart(dev);
	return err;
}

/* Whatever is attached goes, and the RID to @base. */
static void drop_to(struct uiommu_dev *dev, struct uiommu_attach *base)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void drop_to(struct uiommu_dev *dev, struct uiommu_attach *base)
{
	uiommu_pasid_t pasid = UIOMMU_NO_PASID;
	struct uiommu_attach *rid;

	while (dev->num_pasids) {
		pasid++;
		uiommu_index_next(dev, &pasid);
		detach_one(dev, pasid);
	}
	rid = uiommu_index_get(dev, UIOMMU_NO_PASID);
	if (rid != base)
		move_out(dev, UIOMMU_NO_PASID, rid, base);
}

void uiommu_attach_drop_all(struct uiommu_dev *dev)
{
	drop_to(dev, uiommu_attach_base(dev));
}

void uiommu_attach_drop_to_blocked(struct uiommu_dev *dev)
{
	drop_to(dev, &dev->blocked);
}

static void forget_all(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void forget_all(struct uiommu_dev *dev)
{
	struct uiommu_attach *att;

	for (uiommu_pasid_t p = 1; (att = uiommu_index_next(dev, &p)); p++)
		record(dev, p, att, NULL);
	att = uiommu_index_get(dev, UIOMMU_NO_PASID);
	if (att != &dev->blocked)
		record(dev, UIOMMU_NO_PASID, att, &dev->blocked);
}

/* What is in a table that others use as well stays there. */
void uiommu_attach_end(struct uiommu_dev *dev)
{
	bool alone = !dev->shared || (dev->group->devs == dev && !dev->group_next);

	if (alone)
		uiommu_attach_drop_all(dev);
	dev->iommu->ops->device_remove(dev);
	if (!alone)
		forget_all(dev);
	unstart(dev);
}
