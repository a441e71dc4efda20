/* SPDX-License-Identifier: MIT */
/* src/core/instance.c - one instance, and the IOMMUs in it */
#include "core.h"

int uiommu_create(const struct uiommu_host *host, const struct uiommu_observer *obs,
		  struct uiommu **out)
{
	struct uiommu *u = host_alloc(host, sizeof(*u));
	int err;

	if (!u)
		return -UIOMMU_ENOMEM;
	u->host = host;
	if (obs)
		u->obs = *obs;
	err = host_lock_init(host, &u->lock, UIOMMU_LOCK_MUTEX);
	if (err) {
		host_free(host, u, sizeof(*u));
		return err;
	}
	list_init(&u->devices);
	list_init(&u->domains);
	list_init(&u->iommus);
	list_init(&u->viommus);
	uiommu_domain_setup(&u->identity, u, UIOMMU_DOMAIN_IDENTITY, "identity");
	uiommu_domain_setup(&u->blocked, u, UIOMMU_DOMAIN_BLOCKED, "blocked");
	*out = u;
	return 0;
}

/* Those that stand on others first. */
static void remove_nested(struct uiommu *u) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void remove_nested(struct uiommu *u)
{
	struct uiommu_node *n = list_first(&u->domains);

	while (n) {
		struct uiommu_domain *dom = uiommu_container_of(n, struct uiommu_domain, node);

		n = list_next(n);
		if (dom->parent)
			uiommu_domain_destroy(dom);
	}
}

static void remove_all(struct uiommu *u)
{
	struct uiommu_node *n;

	core_lock(u);
	while ((n = list_first(&u->devices)))
		uiommu_device_remove_locked(uiommu_container_of(n, struct uiommu_dev, node));
	remove_nested(u);
	uiommu_viommu_end_all(u, NULL);
	while ((n = list_first(&u->domains)))
		uiommu_domain_destroy(uiommu_container_of(n, struct uiommu_domain, node));
	core_unlock(u);
}

void uiommu_destroy(struct uiommu *u)
{
	struct uiommu_node *n;

	if (!u)
		return;
	remove_all(u);
	while ((n = list_first(&u->iommus))) {
		struct uiommu_iommu *i = uiommu_container_of(n, struct uiommu_iommu, node);

		i->ops->remove(i);
	}
	uiommu_sva_free_all(u);
	uiommu_pasid_free_all(u);
	host_lock_fini(u->host, &u->lock);
	host_free(u->host, u, sizeof(*u));
}

const struct uiommu_host *uiommu_host_of(const struct uiommu *u)
{
	return u->host;
}

int uiommu_iommu_register(struct uiommu *u, struct uiommu_iommu *iommu)
{
	iommu->u = u;
	iommu->host = u->host;
	for (unsigned i = 0; i < UIOMMU_STREAM_BUCKETS; i++)
		list_init(&iommu->streams[i]);
	uiommu_link_setup(&iommu->identity, &u->identity, iommu);
	uiommu_link_setup(&iommu->blocked, &u->blocked, iommu);
	core_lock(u);
	list_add(&u->identity.links, &iommu->identity.node);
	list_add(&u->blocked.links, &iommu->blocked.node);
	list_add(&u->iommus, &iommu->node);
	core_unlock(u);
	return 0;
}

static void remove_devices(struct uiommu_iommu *iommu) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void remove_devices(struct uiommu_iommu *iommu)
{
	struct uiommu_node *n = list_first(&iommu->u->devices);

	while (n) {
		struct uiommu_dev *dev = uiommu_container_of(n, struct uiommu_dev, node);

		n = list_next(n);
		if (dev->iommu == iommu)
			uiommu_device_remove_locked(dev);
	}
}

const struct uiommu_link *uiommu_device_link(const struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	const struct uiommu_attach *att = uiommu_index_get(dev, pasid);

	return att ? att->link : &dev->iommu->blocked;
}

int uiommu_iommu_for_each_device(struct uiommu_iommu *iommu, int (*fn)(struct uiommu_dev *dev))
{
	struct uiommu_node *n;

	list_for_each(n, &iommu->u->devices) {
		struct uiommu_dev *dev = uiommu_container_of(n, struct uiommu_dev, node);
		int ret = dev->iommu == iommu ? fn(dev) : 0;

		if (ret)
			return ret;
	}
	return 0;
}

void uiommu_iommu_failed(struct uiommu_iommu *iommu)
{
	const struct uiommu_observer *o = &iommu->u->obs;

	if (o->iommu_failed)
		o->iommu_failed(o->ctx, iommu);
}

static int forget_faults(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int forget_faults(struct uiommu_dev *dev)
{
	uiommu_iopf_before_recover(dev);
	return 0;
}

static int answer_faults(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int answer_faults(struct uiommu_dev *dev)
{
	uiommu_iopf_after_recover(dev);
	return 0;
}

static int recover(struct uiommu_iommu *iommu) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int recover(struct uiommu_iommu *iommu)
{
	int err;

	if (iommu->caps & (UIOMMU_IOMMU_STALL | UIOMMU_IOMMU_PRI))
		iommu->ops->drain_faults(iommu);
	uiommu_iommu_for_each_device(iommu, forget_faults);
	err = iommu->ops->recover(iommu);
	if (!err)
		uiommu_iommu_for_each_device(iommu, answer_faults);
	return err;
}

static int lose(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int lose(struct uiommu_dev *dev)
{
	uiommu_attach_drop_to_blocked(dev);
	return 0;
}

int uiommu_iommu_recover(struct uiommu_iommu *iommu)
{
	int err = -UIOMMU_EOPNOTSUPP;

	core_lock(iommu->u);
	if (iommu->ops->recover)
		err = recover(iommu);
	if (err)
		uiommu_iommu_for_each_device(iommu, lose);
	core_unlock(iommu->u);
	return err;
}

void uiommu_iommu_unregister(struct uiommu_iommu *iommu)
{
	struct uiommu *u = iommu->u;

	core_lock(u);
	remove_devices(iommu);
	uiommu_viommu_end_all(u, iommu);
	list_del(&u->iommus, &iommu->node);
	list_del(&u->identity.links, &iommu->identity.node);
	list_del(&u->blocked.links, &iommu->blocked.node);
	core_unlock(u);
}
