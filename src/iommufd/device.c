/* SPDX-License-Identifier: MIT */
/*
 * device.c - bound devices: what is attached to their RIDs and PASIDs
 *
 * A group is one unit to the hardware's isolation, so what Linux asks of it is
 * asked here: devices of one group that use a PASID (or the RID) use the same
 * page table there, and a replace moves all of them.
 */
#include "internal.h"

static struct uiommu_iattach *find_attach(const struct uiommu_iommufd_dev *idev,
					  uiommu_pasid_t pasid)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&idev->attaches, pasid, pasid);

	return r ? uiommu_container_of(r, struct uiommu_iattach, r) : NULL;
}

/* The next device after @d (NULL: the first) of @idev's group in this context. */
static struct uiommu_iommufd_dev *next_in_group(const struct uiommu_iommufd_dev *idev,
						const struct uiommu_iommufd_dev *d)
{
	struct uiommu_iommufd_dev *n = d ? d->next : idev->ctx->devs;

	while (n && uiommu_device_group(n->dev) != uiommu_device_group(idev->dev))
		n = n->next;
	return n;
}

#define for_each_in_group(d, idev) \
	for ((d) = next_in_group(idev, NULL); (d); (d) = next_in_group(idev, d))

/* What the group has at @pasid, NULL: nothing. */
static struct uiommu_hwpt *group_hwpt(const struct uiommu_iommufd_dev *idev,
				      uiommu_pasid_t pasid)
{
	const struct uiommu_iommufd_dev *d;

	for_each_in_group(d, idev) {
		const struct uiommu_iattach *att = find_attach(d, pasid);

		if (att)
			return att->hwpt;
	}
	return NULL;
}

static bool group_has_pasids(const struct uiommu_iommufd_dev *idev)
{
	const struct uiommu_iommufd_dev *d;

	for_each_in_group(d, idev)
		if (uiommu_ranges_first(&d->attaches, UIOMMU_NO_PASID + 1))
			return true;
	return false;
}

/* RID and PASIDs of a device share a table whose format all of them must fit:
 * once a PASID is used, every page table must have been made for that. */
static int pasid_compat(const struct uiommu_hwpt *hwpt, const struct uiommu_iommufd_dev *idev,
			uiommu_pasid_t pasid)
{
	const struct uiommu_hwpt *rid;

	if (pasid == UIOMMU_NO_PASID)
		return hwpt->pasid_compat || !group_has_pasids(idev) ? 0 : -UIOMMU_EINVAL;
	if (!hwpt->pasid_compat)
		return -UIOMMU_EINVAL;
	rid = group_hwpt(idev, UIOMMU_NO_PASID);
	return !rid || rid->pasid_compat ? 0 : -UIOMMU_EINVAL;
}

/* ---- what a RID's address space keeps free: reserved ranges, the MSI window ---- */

static int reserve_window(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt)
{
	if (!ctx->num_msi_max)
		return 0;
	return uiommu_iopt_reserve(ctx, iopt, ctx->cfg.msi_base,
				   ctx->cfg.msi_base + ctx->cfg.msi_bytes - 1);
}

static void unreserve_window(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt)
{
	if (ctx->num_msi_max)
		uiommu_iopt_unreserve(ctx, iopt, ctx->cfg.msi_base,
				      ctx->cfg.msi_base + ctx->cfg.msi_bytes - 1);
}

/* A device's ranges in the order that they have there; the first @done are kept free. */
struct resv_walk {
	struct uiommu_iommufd *ctx;
	struct uiommu_iopt *iopt;
	unsigned done;
};

/* What firmware needs only as long as nobody claims the device is not in the way. */
static bool keeps_free(const struct uiommu_dev_resv *resv)
{
	return resv->type != UIOMMU_RESV_DIRECT_RELAXABLE;
}

static int reserve_range(void *arg, const struct uiommu_dev_resv *resv)
{
	struct resv_walk *w = arg;
	int ret = 0;

	if (keeps_free(resv))
		ret = uiommu_iopt_reserve(w->ctx, w->iopt, resv->start, resv->last);
	w->done += !ret;
	return ret;
}

static int unreserve_range(void *arg, const struct uiommu_dev_resv *resv)
{
	struct resv_walk *w = arg;

	if (!w->done)
		return 1;
	w->done--;
	if (keeps_free(resv))
		uiommu_iopt_unreserve(w->ctx, w->iopt, resv->start, resv->last);
	return 0;
}

static void unreserve(struct uiommu_iommufd_dev *idev, struct uiommu_hwpt *hwpt)
{
	struct resv_walk w = { idev->ctx, &hwpt->ioas->iopt, UIOMMU_RESV_MAX };

	uiommu_device_for_each_resv(idev->dev, unreserve_range, &w);
	unreserve_window(idev->ctx, &hwpt->ioas->iopt);
}

static int reserve(struct uiommu_iommufd_dev *idev, struct uiommu_hwpt *hwpt)
{
	struct resv_walk w = { idev->ctx, &hwpt->ioas->iopt, 0 };
	int ret = reserve_window(idev->ctx, w.iopt);

	if (ret)
		return ret;
	ret = uiommu_device_for_each_resv(idev->dev, reserve_range, &w);
	if (!ret)
		return 0;
	uiommu_device_for_each_resv(idev->dev, unreserve_range, &w);
	unreserve_window(idev->ctx, w.iopt);
	return ret;
}

/* Before the RID of @idev uses @hwpt: window and ranges are kept free there, and the
 * doorbells that the device has so far are in it. */
static int enter_rid(struct uiommu_iommufd_dev *idev, struct uiommu_hwpt *hwpt)
{
	int ret = reserve(idev, hwpt);

	if (ret)
		return ret;
	ret = uiommu_hwpt_map_msi(idev->ctx, hwpt, idev->msi);
	if (!ret) {
		hwpt->rid_users++;
		return 0;
	}
	if (!hwpt->rid_users)
		uiommu_hwpt_unmap_msi(idev->ctx, hwpt);
	unreserve(idev, hwpt);
	return ret;
}

static void leave_rid(struct uiommu_iommufd_dev *idev, struct uiommu_hwpt *hwpt)
{
	if (!--hwpt->rid_users)
		uiommu_hwpt_unmap_msi(idev->ctx, hwpt);
	unreserve(idev, hwpt);
}

/* Whose address space the IOVAs of this one are in: below a guest's table the parent's. */
static struct uiommu_hwpt *paging_of(struct uiommu_hwpt *hwpt)
{
	return hwpt->parent ? hwpt->parent : hwpt;
}

static int enter(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid, struct uiommu_hwpt *hwpt)
{
	return pasid == UIOMMU_NO_PASID ? enter_rid(idev, paging_of(hwpt)) : 0;
}

static void leave(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid, struct uiommu_hwpt *hwpt)
{
	if (pasid == UIOMMU_NO_PASID)
		leave_rid(idev, paging_of(hwpt));
}

/* ---- attach ---- */

static void put_hwpt(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt)
{
	if (!--hwpt->obj.users && hwpt->auto_domain)
		uiommu_hwpt_free(ctx, hwpt);
}

/* Devices that share a PASID table have all in common: the first that attaches does
 * so for all of them, the last that detaches likewise. */
static bool has_it_in_common(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid)
{
	const struct uiommu_iommufd_dev *d;

	if (!uiommu_device_is_shared(idev->dev))
		return false;
	for_each_in_group(d, idev)
		if (d != idev && find_attach(d, pasid))
			return true;
	return false;
}

static int attach_checked(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
			  struct uiommu_hwpt *hwpt)
{
	int ret = pasid_compat(hwpt, idev, pasid);

	if (ret || has_it_in_common(idev, pasid))
		return ret;
	return uiommu_attach_device_pasid(hwpt->dom, idev->dev, pasid);
}

static int attach_new(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		      struct uiommu_hwpt *hwpt)
{
	const struct uiommu_hwpt *now = group_hwpt(idev, pasid);
	struct uiommu_iattach *att;
	int ret;

	if (now && now != hwpt)
		return -UIOMMU_EINVAL;
	att = uiommu_iommufd_alloc(idev->ctx, sizeof(*att));
	if (!att)
		return -UIOMMU_ENOMEM;
	ret = enter(idev, pasid, hwpt);
	if (ret)
		goto out_free;
	ret = attach_checked(idev, pasid, hwpt);
	if (ret)
		goto out_leave;
	att->r.start = pasid;
	att->r.last = pasid;
	att->hwpt = hwpt;
	uiommu_ranges_insert(&idev->attaches, &att->r);
	hwpt->obj.users++;
	return 0;

out_leave:
	leave(idev, pasid, hwpt);
out_free:
	uiommu_iommufd_free(idev->ctx, att, sizeof(*att));
	return ret;
}

/* ---- replace ---- */

/* The group's devices at @pasid, up to but not including @end, are where they
 * were before again. The core keeps a device that refuses BLOCKED. */
static void put_back(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		     const struct uiommu_iommufd_dev *end)
{
	const struct uiommu_iommufd_dev *d;

	for_each_in_group(d, idev) {
		const struct uiommu_iattach *att = find_attach(d, pasid);

		if (d == end)
			return;
		if (att)
			uiommu_replace_device_pasid(att->hwpt->dom, d->dev, pasid);
	}
}

static int replace_all(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		       struct uiommu_hwpt *hwpt)
{
	const struct uiommu_iommufd_dev *d;
	int ret = 0;

	for_each_in_group(d, idev) {
		if (find_attach(d, pasid))
			ret = uiommu_replace_device_pasid(hwpt->dom, d->dev, pasid);
		if (!ret)
			continue;
		put_back(idev, pasid, d);
		return ret;
	}
	return 0;
}

/* leave() for the group's devices at @pasid that entered @hwpt, up to @end */
static void leave_all(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		      struct uiommu_hwpt *hwpt, const struct uiommu_iommufd_dev *end)
{
	struct uiommu_iommufd_dev *d;

	for_each_in_group(d, idev) {
		if (d == end)
			return;
		if (find_attach(d, pasid))
			leave(d, pasid, hwpt);
	}
}

static int enter_all(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		     struct uiommu_hwpt *hwpt)
{
	struct uiommu_iommufd_dev *d;
	int ret = 0;

	for_each_in_group(d, idev) {
		if (find_attach(d, pasid))
			ret = enter(d, pasid, hwpt);
		if (!ret)
			continue;
		leave_all(idev, pasid, hwpt, d);
		return ret;
	}
	return 0;
}

static void move_all(const struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		     struct uiommu_hwpt *old, struct uiommu_hwpt *now)
{
	struct uiommu_iommufd_dev *d;

	old->obj.users++;		/* until the last of them has left */
	for_each_in_group(d, idev) {
		struct uiommu_iattach *att = find_attach(d, pasid);

		if (!att)
			continue;
		leave(d, pasid, old);
		att->hwpt = now;
		now->obj.users++;
		old->obj.users--;
	}
	put_hwpt(idev->ctx, old);
}

static int replace(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		   struct uiommu_hwpt *old, struct uiommu_hwpt *now)
{
	int ret;

	if (old == now)
		return 0;
	ret = enter_all(idev, pasid, now);
	if (ret)
		return ret;
	ret = pasid_compat(now, idev, pasid);
	if (!ret)
		ret = replace_all(idev, pasid, now);
	if (ret)
		leave_all(idev, pasid, now, NULL);
	else
		move_all(idev, pasid, old, now);
	return ret;
}

/* ---- which page table an id means ---- */

static int attach_hwpt(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		       struct uiommu_hwpt *hwpt, uint32_t *pt_id)
{
	const struct uiommu_iattach *att = find_attach(idev, pasid);
	const uint32_t id = hwpt->obj.id;
	int ret;

	ret = att ? replace(idev, pasid, att->hwpt, hwpt) : attach_new(idev, pasid, hwpt);
	if (!ret)
		*pt_id = id;
	return ret;
}

/* An address space's own page tables are tried first: -EINVAL means that one
 * does not suit this device, anything else is the answer. */
static int attach_ioas(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
		       struct uiommu_ioas *ioas, uint32_t *pt_id)
{
	struct uiommu_hwpt *hwpt;
	int ret;

	for (hwpt = ioas->iopt.hwpts; hwpt; hwpt = hwpt->next) {
		if (!hwpt->auto_domain)
			continue;
		ret = attach_hwpt(idev, pasid, hwpt, pt_id);
		if (ret != -UIOMMU_EINVAL)
			return ret;
	}
	ret = uiommu_hwpt_create(idev->ctx, ioas, idev, 0, &hwpt);
	if (ret)
		return ret;
	ret = attach_hwpt(idev, pasid, hwpt, pt_id);
	if (ret)
		uiommu_hwpt_free(idev->ctx, hwpt);
	else
		hwpt->auto_domain = true;
	return ret;
}

static void detach(struct uiommu_iommufd_dev *idev, struct uiommu_iattach *att)
{
	const uiommu_pasid_t pasid = (uiommu_pasid_t)att->r.start;

	if (!has_it_in_common(idev, pasid))
		uiommu_detach_device_pasid(idev->dev, pasid);
	leave(idev, pasid, att->hwpt);
	uiommu_ranges_remove(&idev->attaches, &att->r);
	put_hwpt(idev->ctx, att->hwpt);
	uiommu_iommufd_free(idev->ctx, att, sizeof(*att));
}

/* Hardware that did not answer has left (device, PASID) BLOCKED: then nothing is
 * attached there, and an attach begins anew. */
static void forget_lost(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid)
{
	struct uiommu_iommufd_dev *d;

	for_each_in_group(d, idev) {
		struct uiommu_iattach *att = find_attach(d, pasid);

		if (att && !uiommu_device_has(d->dev, pasid, att->hwpt->dom))
			detach(d, att);
	}
}

static int attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid, uint32_t *pt_id)
{
	struct uiommu_iobj *obj;

	forget_lost(idev, pasid);
	obj = uiommu_iobj_find(idev->ctx, *pt_id, UIOMMU_IOBJ_ANY);
	if (!obj)
		return -UIOMMU_ENOENT;
	switch (obj->type) {
	case UIOMMU_IOBJ_HWPT:
	case UIOMMU_IOBJ_NESTED:
		return attach_hwpt(idev, pasid,
				   uiommu_container_of(obj, struct uiommu_hwpt, obj), pt_id);
	case UIOMMU_IOBJ_IOAS:
		return attach_ioas(idev, pasid,
				   uiommu_container_of(obj, struct uiommu_ioas, obj), pt_id);
	default:
		return -UIOMMU_EINVAL;
	}
}

int uiommu_iommufd_attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid, uint32_t *pt_id)
{
	int ret;

	uiommu_iommufd_lock(idev->ctx);
	ret = attach(idev, pasid, pt_id);
	uiommu_iommufd_unlock(idev->ctx);
	return ret;
}

/* ---- detach, bind, unbind ---- */

void uiommu_iommufd_detach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid)
{
	struct uiommu_iattach *att;

	uiommu_iommufd_lock(idev->ctx);
	att = find_attach(idev, pasid);
	if (att)
		detach(idev, att);
	uiommu_iommufd_unlock(idev->ctx);
}

static int bind_dev(struct uiommu_iommufd *ctx, struct uiommu_iommufd_dev *idev)
{
	int ret = uiommu_iobj_add(ctx, &idev->obj, UIOMMU_IOBJ_DEVICE);

	if (ret)
		return ret;
	ret = uiommu_device_claim(idev->dev, ctx);
	if (ret) {
		uiommu_iobj_remove(ctx, &idev->obj);
		return ret;
	}
	idev->obj.users = 1;		/* whoever bound it: DESTROY is refused */
	idev->next = ctx->devs;
	ctx->devs = idev;
	ctx->refs++;
	return 0;
}

int uiommu_iommufd_bind(struct uiommu_iommufd *ctx, struct uiommu_dev *dev,
			struct uiommu_iommufd_dev **out, uint32_t *out_id)
{
	struct uiommu_iommufd_dev *idev = uiommu_iommufd_alloc(ctx, sizeof(*idev));
	int ret;

	if (!idev)
		return -UIOMMU_ENOMEM;
	idev->ctx = ctx;
	idev->dev = dev;
	uiommu_iommufd_lock(ctx);
	ret = bind_dev(ctx, idev);
	if (!ret)
		*out_id = idev->obj.id;
	uiommu_iommufd_unlock(ctx);
	if (ret)
		uiommu_iommufd_free(ctx, idev, sizeof(*idev));
	else
		*out = idev;
	return ret;
}

void uiommu_iommufd_unbind(struct uiommu_iommufd_dev *idev)
{
	struct uiommu_iommufd *ctx = idev->ctx;
	struct uiommu_iommufd_dev **link = &ctx->devs;
	struct uiommu_range *r;

	uiommu_iommufd_lock(ctx);
	while ((r = idev->attaches.root))
		detach(idev, uiommu_container_of(r, struct uiommu_iattach, r));
	if (idev->vdevice)
		uiommu_ivdevice_orphan(ctx, idev->vdevice);
	while (*link != idev)
		link = &(*link)->next;
	*link = idev->next;
	uiommu_device_release(idev->dev, ctx);
	uiommu_iobj_remove(ctx, &idev->obj);
	uiommu_iommufd_unlock(ctx);
	uiommu_iommufd_free(ctx, idev, sizeof(*idev));
	uiommu_iommufd_put(ctx);
}

/* ---- doorbells ---- */

/* Which page of the window a doorbell's page has; the next free one if new. */
static int window_page(struct uiommu_iommufd *ctx, uiommu_pa_t page, unsigned *out)
{
	unsigned n = 0;

	while (n < ctx->num_msi && ctx->msi_pa[n] != page)
		n++;
	if (n == ctx->num_msi_max)
		return -UIOMMU_ENOSPC;
	*out = n;
	return 0;
}

static int map_doorbell(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
			uiommu_iova_t *iova)
{
	const uint64_t mask = UIOMMU_IOMMUFD_PAGE - 1;
	struct uiommu_iommufd *ctx = idev->ctx;
	const struct uiommu_iattach *rid = find_attach(idev, UIOMMU_NO_PASID);
	uint64_t want[UIOMMU_MSI_WORDS] = { 0 };
	unsigned n;
	int ret = window_page(ctx, doorbell_pa & ~mask, &n);

	if (ret)
		return ret;
	if (n == ctx->num_msi)
		ctx->msi_pa[ctx->num_msi++] = doorbell_pa & ~mask;
	want[n / 64] |= 1ull << n % 64;
	if (rid)
		ret = uiommu_hwpt_map_msi(ctx, paging_of(rid->hwpt), want);
	if (ret)
		return ret;
	idev->msi[n / 64] |= want[n / 64];
	*iova = ctx->cfg.msi_base + n * UIOMMU_IOMMUFD_PAGE + (doorbell_pa & mask);
	return 0;
}

int uiommu_iommufd_msi_map(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
			   uiommu_iova_t *iova)
{
	int ret;

	uiommu_iommufd_lock(idev->ctx);
	ret = map_doorbell(idev, doorbell_pa, iova);
	uiommu_iommufd_unlock(idev->ctx);
	return ret;
}
