/* SPDX-License-Identifier: MIT */
/* src/core/device.c - devices: added, named, removed */
#include "core.h"

static size_t name_bytes(const char *name)
{
	size_t n = 0;

	while (name[n])
		n++;
	return n + 1;
}

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool name_taken(const struct uiommu *u, const char *name)
{
	struct uiommu_node *n;

	list_for_each(n, &u->devices)
		if (same_name(uiommu_container_of(n, struct uiommu_dev, node)->name, name))
			return true;
	return false;
}

static bool listed_twice(const uint32_t *ids, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (ids[i] == ids[j])
				return true;
	return false;
}

/* Devices that are one to the IOMMU may have one StreamID. */
static bool may_have(const struct uiommu_dev_config *cfg, const struct uiommu_dev *owner)
{
	if (!owner)
		return true;
	return owner->shared && cfg->shared && owner->group->number == (unsigned)cfg->group;
}

static bool stream_taken(const struct uiommu_dev_config *cfg)
{
	for (unsigned i = 0; i < cfg->num_stream_ids; i++)
		if (!may_have(cfg, uiommu_stream_device(cfg->iommu, cfg->stream_ids[i])))
			return true;
	return listed_twice(cfg->stream_ids, cfg->num_stream_ids);
}

static int check(const struct uiommu *u, const struct uiommu_dev_config *cfg)
{
	if (!cfg->name || !cfg->iommu || cfg->iommu->u != u || !cfg->stream_ids ||
	    !cfg->num_stream_ids || cfg->num_stream_ids > UINT16_MAX || cfg->pasid_bits > 20 ||
	    cfg->max_faults > UINT16_MAX)
		return -UIOMMU_EINVAL;
	if (cfg->default_type > UIOMMU_DOMAIN_IDENTITY || (cfg->shared && cfg->group < 0))
		return -UIOMMU_EINVAL;
	if (uiommu_resv_check(cfg->resv, cfg->num_resv,
			      cfg->default_type == UIOMMU_DOMAIN_BLOCKED))
		return -UIOMMU_EINVAL;
	if (name_taken(u, cfg->name) || stream_taken(cfg))
		return -UIOMMU_EEXIST;
	return 0;
}

/* One allocation: the device, its reserved ranges, its streams, its name. */
static void copy_lists(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg, size_t name)
{
	struct uiommu_dev_resv *resv = (struct uiommu_dev_resv *)(dev + 1);
	char *text;

	for (unsigned i = 0; i < cfg->num_resv; i++)
		resv[i] = cfg->resv[i];
	dev->resv = resv;
	dev->num_resv = cfg->num_resv;
	dev->streams = (struct uiommu_stream *)&resv[cfg->num_resv];
	dev->num_streams = cfg->num_stream_ids;
	for (unsigned i = 0; i < dev->num_streams; i++) {
		dev->streams[i].dev = dev;
		dev->streams[i].id = cfg->stream_ids[i];
	}
	text = (char *)&dev->streams[dev->num_streams];
	for (size_t i = 0; i < name; i++)
		text[i] = cfg->name[i];
	dev->name = text;
}

static struct uiommu_dev *make(struct uiommu *u, const struct uiommu_dev_config *cfg)
{
	size_t streams = cfg->num_stream_ids * sizeof(struct uiommu_stream);
	size_t resv = cfg->num_resv * sizeof(struct uiommu_dev_resv), name = name_bytes(cfg->name);
	size_t bytes = sizeof(struct uiommu_dev) + resv + streams + name;
	struct uiommu_dev *dev = host_alloc(u->host, bytes);

	if (!dev)
		return NULL;
	dev->u = u;
	dev->host = u->host;
	dev->bytes = bytes;
	dev->iommu = cfg->iommu;
	dev->rid = cfg->rid;
	dev->shared = cfg->shared;
	dev->ats = cfg->ats;
	dev->ats_global = cfg->ats_global;
	dev->ats_always_on = cfg->ats_always_on;
	dev->set_ats = cfg->set_ats;
	dev->ats_ctx = cfg->ats_ctx;
	dev->can_stall = cfg->can_stall && cfg->iommu->caps & UIOMMU_IOMMU_STALL;
	dev->pri = cfg->pri && cfg->iommu->caps & UIOMMU_IOMMU_PRI;
	dev->pri_pasid = cfg->pri_pasid;
	dev->pasid_bits = cfg->pasid_bits < cfg->iommu->pasid_bits ? cfg->pasid_bits
								   : cfg->iommu->pasid_bits;
	copy_lists(dev, cfg, name);
	return dev;
}

static void unmake(struct uiommu_dev *dev)
{
	uiommu_index_free(dev);
	host_free(dev->host, dev, dev->bytes);
}

static void free_device(struct uiommu_retire *r)
{
	struct uiommu_dev *dev = uiommu_container_of(r, struct uiommu_dev, retire);

	uiommu_iopf_destroy(dev);
	unmake(dev);
}

static void show(struct uiommu_dev *dev)
{
	for (unsigned i = 0; i < dev->num_streams; i++)
		list_add(uiommu_stream_bucket(dev->iommu, dev->streams[i].id),
			 &dev->streams[i].node);
	list_add(&dev->u->devices, &dev->node);
}

static void hide(struct uiommu_dev *dev)
{
	for (unsigned i = 0; i < dev->num_streams; i++)
		list_del(uiommu_stream_bucket(dev->iommu, dev->streams[i].id),
			 &dev->streams[i].node);
	list_del(&dev->u->devices, &dev->node);
}

/* Shown before its first attachment: a fault may come right after that. */
static int start(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int start(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg)
{
	const struct uiommu_iommu_ops *ops = dev->iommu->ops;
	struct uiommu *u = dev->u;
	bool open = cfg->default_type == UIOMMU_DOMAIN_IDENTITY;
	int err = uiommu_group_join(u, dev, cfg->group);

	if (err)
		return err;
	err = ops->device_add(dev);
	if (err) {
		uiommu_group_leave(dev);
		return err;
	}
	show(dev);
	err = uiommu_attach_start(dev, open ? &u->identity : &u->blocked);
	if (err) {
		hide(dev);
		ops->device_remove(dev);
		uiommu_group_leave(dev);
	}
	return err;
}

static int add(struct uiommu *u, const struct uiommu_dev_config *cfg, struct uiommu_dev **out)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int add(struct uiommu *u, const struct uiommu_dev_config *cfg, struct uiommu_dev **out)
{
	struct uiommu_dev *dev;
	int err = check(u, cfg);

	if (err)
		return err;
	dev = make(u, cfg);
	if (!dev)
		return -UIOMMU_ENOMEM;
	err = dev->can_stall || dev->pri ? uiommu_iopf_create(dev, cfg) : 0;
	if (!err)
		err = start(dev, cfg);
	if (err)
		host_retire(dev->host, &dev->retire, free_device);
	else
		*out = dev;
	return err;
}

int uiommu_device_add(struct uiommu *u, const struct uiommu_dev_config *cfg,
		      struct uiommu_dev **out)
{
	int err;

	core_lock(u);
	err = add(u, cfg, out);
	core_unlock(u);
	return err;
}

void uiommu_device_remove_locked(struct uiommu_dev *dev)
{
	if (dev->vdev)
		uiommu_vdevice_end(dev->vdev);
	uiommu_sva_device_gone(dev);
	uiommu_attach_end(dev);
	uiommu_iopf_drain(dev, UIOMMU_NO_PASID, NULL);
	hide(dev);
	uiommu_group_leave(dev);
	host_retire(dev->host, &dev->retire, free_device);
}

void uiommu_device_remove(struct uiommu_dev *dev)
{
	struct uiommu *u = dev->u;

	core_lock(u);
	uiommu_device_remove_locked(dev);
	core_unlock(u);
}

static int prepare(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int prepare(struct uiommu_dev *dev)
{
	const struct uiommu_iommu_ops *ops = dev->iommu->ops;
	int err = ops->block ? 0 : -UIOMMU_EOPNOTSUPP;

	if (!err && dev->in_reset)
		err = -UIOMMU_EBUSY;
	if (err)
		return err;
	err = ops->block(dev, true);
	if (err) {
		ops->block(dev, false);
		return err;
	}
	dev->in_reset = true;
	uiommu_iopf_drain(dev, UIOMMU_NO_PASID, NULL);
	return 0;
}

int uiommu_device_reset_prepare(struct uiommu_dev *dev)
{
	int err;

	core_lock(dev->u);
	err = prepare(dev);
	core_unlock(dev->u);
	return err;
}

static int done(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int done(struct uiommu_dev *dev)
{
	int err;

	if (!dev->in_reset)
		return 0;
	dev->in_reset = false;
	err = dev->iommu->ops->block(dev, false);
	if (err) {
		dev->iommu->ops->block(dev, true);
		uiommu_attach_drop_to_blocked(dev);
		dev->iommu->ops->block(dev, false);	/* nothing is left to open */
	}
	return err;
}

int uiommu_device_reset_done(struct uiommu_dev *dev)
{
	int err;

	core_lock(dev->u);
	err = done(dev);
	core_unlock(dev->u);
	return err;
}

const char *uiommu_device_name(const struct uiommu_dev *dev)
{
	return dev->name;
}

uint32_t uiommu_device_rid(const struct uiommu_dev *dev)
{
	return dev->rid;
}

struct uiommu_iommu *uiommu_device_iommu(const struct uiommu_dev *dev)
{
	return dev->iommu;
}

unsigned uiommu_device_pasid_bits(const struct uiommu_dev *dev)
{
	return dev->pasid_bits;
}

void uiommu_device_failed(struct uiommu_dev *dev)
{
	const struct uiommu_observer *o = &dev->u->obs;

	if (o->device_failed)
		o->device_failed(o->ctx, dev);
}

bool uiommu_device_is_shared(const struct uiommu_dev *dev)
{
	return dev->shared;
}

int uiommu_device_hw_info(const struct uiommu_dev *dev, unsigned type,
			  struct uiommu_hw_info *out)
{
	*out = (struct uiommu_hw_info){ 0 };
	return dev->iommu->ops->hw_info(dev, type, out);
}
