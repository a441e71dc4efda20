/* SPDX-License-Identifier: MIT */
/*
 * src/core/nested.c - user-managed tables on a parent, and a VM's slice of an IOMMU
 *
 * A nested domain is attached like any other (attach.c); what makes it one is its link,
 * which holds the parent's and is among that one's children: that is how an unmap of
 * the parent finds who has it implicitly.
 */
#include "core.h"

/* ---- nested domains ---- */

static bool can_be_parent(const struct uiommu_domain *dom, const struct uiommu_dev *dev)
{
	return dom->u == dev->u && dom->type == UIOMMU_DOMAIN_PAGING &&
	       (dom->flags & UIOMMU_DOMAIN_ALLOC_NEST_PARENT);
}

static int make(struct uiommu_domain *parent, struct uiommu_viommu *v, struct uiommu_dev *dev,
		const struct uiommu_user_data *user, struct uiommu_domain **out)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int make(struct uiommu_domain *parent, struct uiommu_viommu *v, struct uiommu_dev *dev,
		const struct uiommu_user_data *user, struct uiommu_domain **out)
{
	const struct uiommu_iommu_ops *ops = dev->iommu->ops;
	struct uiommu_domain *dom;
	int err;

	if (!ops->nested_init)
		return -UIOMMU_EOPNOTSUPP;
	if (!can_be_parent(parent, dev) || (v && v->cfg.parent != parent))
		return -UIOMMU_EINVAL;
	dom = host_alloc(dev->host, sizeof(*dom));
	if (!dom)
		return -UIOMMU_ENOMEM;
	uiommu_domain_setup(dom, dev->u, UIOMMU_DOMAIN_NESTED, "");
	dom->parent = parent;
	dom->viommu = v;
	err = ops->nested_init(dom, dev, user);
	if (err) {
		host_free(dev->host, dom, sizeof(*dom));
		return err;
	}
	parent->holds++;
	if (v)
		v->holds++;
	list_add(&dev->u->domains, &dom->node);
	*out = dom;
	return 0;
}

int uiommu_domain_alloc_nested(struct uiommu_domain *parent, struct uiommu_viommu *v,
			       struct uiommu_dev *dev, const struct uiommu_user_data *user,
			       struct uiommu_domain **out)
{
	int err;

	core_lock(dev->u);
	err = make(parent, v, dev, user, out);
	core_unlock(dev->u);
	return err;
}

struct uiommu_domain *uiommu_domain_parent(const struct uiommu_domain *dom)
{
	return dom->parent;
}

void uiommu_nested_forget(struct uiommu_domain *dom)
{
	dom->parent->holds--;
	if (dom->viommu)
		dom->viommu->holds--;
}

/* ---- bound to one (device, PASID) ---- */

static void end_bound(struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void end_bound(struct uiommu_domain *dom)
{
	if (dom->home)
		uiommu_attach_unmake(dom->home);
	uiommu_domain_destroy(dom);
}

void uiommu_nested_left(struct uiommu_domain *dom)
{
	if (dom->bound && list_empty(&dom->links))
		end_bound(dom);
}

static int check_bind(const struct uiommu_domain *parent, struct uiommu_dev *dev,
		      uiommu_pasid_t pasid)
{
	if (dev->shared)
		return -UIOMMU_EINVAL;
	if (pasid == UIOMMU_NO_PASID)
		return uiommu_device_link(dev, pasid)->dom == parent ? 0 : -UIOMMU_EINVAL;
	if (dev->iommu->caps & UIOMMU_IOMMU_PASID_NESTED)
		return 0;
	host_log(dev->host, UIOMMU_LOG_WARN,
		 "uiommu: no table of a user's on a PASID: stage 2 is per RID behind this IOMMU");
	return -UIOMMU_EOPNOTSUPP;
}

static int bind(struct uiommu_domain *parent, struct uiommu_dev *dev,
		const struct uiommu_user_data *user, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int bind(struct uiommu_domain *parent, struct uiommu_dev *dev,
		const struct uiommu_user_data *user, uiommu_pasid_t pasid)
{
	bool rid = pasid == UIOMMU_NO_PASID;
	struct uiommu_domain *dom;
	int err = check_bind(parent, dev, pasid);

	if (!err)
		err = make(parent, NULL, dev, user, &dom);
	if (err)
		return err;
	dom->bound = true;
	if (rid)
		err = uiommu_attach_make_home(parent, dev, &dom->home);
	if (!err)
		err = uiommu_attach_enter(dom, dev, pasid, rid ? UIOMMU_REPLACE : UIOMMU_ATTACH);
	if (err)
		end_bound(dom);
	return err;
}

int uiommu_bind_pgtable_pasid(struct uiommu_domain *parent, struct uiommu_dev *dev,
			      const struct uiommu_user_data *user, uiommu_pasid_t pasid)
{
	int err;

	core_lock(dev->u);
	err = bind(parent, dev, user, pasid);
	core_unlock(dev->u);
	return err;
}

static void unbind(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void unbind(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach *home = dom->home;

	dom->home = NULL;
	if (home)
		uiommu_attach_go_home(home);
	else
		uiommu_attach_leave(dev, pasid);
}

void uiommu_unbind_pgtable_pasid(struct uiommu_domain *parent, struct uiommu_dev *dev,
				 uiommu_pasid_t pasid)
{
	struct uiommu_domain *dom;

	core_lock(dev->u);
	dom = uiommu_device_link(dev, pasid)->dom;
	if (dom->bound && dom->parent == parent)
		unbind(dom, dev, pasid);
	core_unlock(dev->u);
}

/* ---- a VM's slice ---- */

static void free_viommu(struct uiommu_retire *r)
{
	struct uiommu_viommu *v = uiommu_container_of(r, struct uiommu_viommu, retire);

	host_free(v->host, v, sizeof(*v));
}

bool uiommu_device_has_viommu(const struct uiommu_dev *dev, unsigned type)
{
	const struct uiommu_iommu_ops *ops = dev->iommu->ops;

	return ops->has_viommu && ops->has_viommu(dev->iommu, type);
}

static int viommu_init(struct uiommu_viommu *v, const struct uiommu_viommu_config *cfg)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int viommu_init(struct uiommu_viommu *v, const struct uiommu_viommu_config *cfg)
{
	const struct uiommu_iommu_ops *ops = cfg->dev->iommu->ops;
	int err;

	v->cfg = *cfg;
	v->host = cfg->dev->host;
	v->iommu = cfg->dev->iommu;
	list_init(&v->devs);
	list_init(&v->queues);
	if (!uiommu_device_has_viommu(cfg->dev, cfg->type))
		return -UIOMMU_EOPNOTSUPP;
	if (!can_be_parent(cfg->parent, cfg->dev))
		return -UIOMMU_EINVAL;
	err = uiommu_link_get(cfg->parent, v->iommu, &v->link);
	if (err || !ops->viommu_init)
		return err;
	err = ops->viommu_init(v);
	if (err)
		uiommu_link_put(v->link);
	return err;
}

int uiommu_viommu_alloc(const struct uiommu_viommu_config *cfg, struct uiommu_viommu **out)
{
	struct uiommu_dev *dev = cfg->dev;
	struct uiommu_viommu *v = host_alloc(dev->host, sizeof(*v));
	int err;

	if (!v)
		return -UIOMMU_ENOMEM;
	core_lock(dev->u);
	err = viommu_init(v, cfg);
	if (!err) {
		cfg->parent->holds++;
		list_add(&dev->u->viommus, &v->node);
		*out = v;
	}
	core_unlock(dev->u);
	if (err)
		host_free(dev->host, v, sizeof(*v));
	return err;
}

/* Its IOMMU goes: domains of it that are left have nothing that they fit. */
static void orphan(const struct uiommu_viommu *v) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void orphan(const struct uiommu_viommu *v)
{
	struct uiommu_node *n;

	list_for_each(n, &v->cfg.parent->u->domains) {
		struct uiommu_domain *dom = uiommu_container_of(n, struct uiommu_domain, node);

		if (dom->viommu == v)
			dom->viommu = NULL;
	}
}

static void viommu_end(struct uiommu_viommu *v) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void viommu_end(struct uiommu_viommu *v)
{
	struct uiommu_node *n;

	orphan(v);
	uiommu_hw_queue_end_all(v);
	while ((n = list_first(&v->devs)))
		uiommu_vdevice_end(uiommu_container_of(n, struct uiommu_vdevice, node));
	list_del(&v->cfg.parent->u->viommus, &v->node);
	/* hardware has the tag no more when it is given away */
	if (v->drv)
		v->iommu->ops->viommu_fini(v);
	uiommu_link_put(v->link);
	v->cfg.parent->holds--;
	host_retire(v->host, &v->retire, free_viommu);
}

int uiommu_viommu_free(struct uiommu_viommu *v)
{
	struct uiommu *u = v->cfg.parent->u;
	int err = 0;

	core_lock(u);
	if (list_empty(&v->devs) && list_empty(&v->queues) && !v->holds)
		viommu_end(v);
	else
		err = -UIOMMU_EBUSY;
	core_unlock(u);
	return err;
}

void uiommu_viommu_end_all(struct uiommu *u, const struct uiommu_iommu *iommu)
{
	struct uiommu_node *n = list_first(&u->viommus);

	while (n) {
		struct uiommu_viommu *v = uiommu_container_of(n, struct uiommu_viommu, node);

		n = list_next(n);
		if (!iommu || v->iommu == iommu)
			viommu_end(v);
	}
}

int uiommu_iommu_for_each_viommu(struct uiommu_iommu *iommu,
				 int (*fn)(struct uiommu_viommu *v))
{
	struct uiommu_node *n;
	int ret = 0;

	list_for_each(n, &iommu->u->viommus) {
		struct uiommu_viommu *v = uiommu_container_of(n, struct uiommu_viommu, node);

		if (!ret && v->iommu == iommu)
			ret = fn(v);
	}
	return ret;
}

/* ---- its devices ---- */

struct uiommu_dev *uiommu_viommu_find(const struct uiommu_viommu *v, uint64_t virt_id)
{
	struct uiommu_node *n;

	list_for_each(n, &v->devs) {
		struct uiommu_vdevice *vd = uiommu_container_of(n, struct uiommu_vdevice, node);

		if (vd->virt_id == virt_id)
			return vd->dev;
	}
	return NULL;
}

/* An IOMMU's numbers have 32 bits at most; hardware that looks them up has its own say. */
static int check_vdevice(const struct uiommu_viommu *v, const struct uiommu_dev *dev,
			 uint64_t virt_id)
{
	if (dev->iommu != v->iommu || dev->num_streams != 1)
		return -UIOMMU_EINVAL;
	if (virt_id > UINT32_MAX && !v->drv)
		return -UIOMMU_ERANGE;
	return dev->vdev || uiommu_viommu_find(v, virt_id) ? -UIOMMU_EEXIST : 0;
}

static int vdevice_init(struct uiommu_vdevice *vd) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int vdevice_init(struct uiommu_vdevice *vd)
{
	int err = check_vdevice(vd->viommu, vd->dev, vd->virt_id);

	if (!err && vd->viommu->drv)
		err = vd->viommu->iommu->ops->vdevice_init(vd);
	return err;
}

int uiommu_vdevice_alloc(struct uiommu_viommu *v, struct uiommu_dev *dev, uint64_t virt_id,
			 struct uiommu_vdevice **out)
{
	struct uiommu_vdevice *vd = host_alloc(dev->host, sizeof(*vd));
	int err;

	if (!vd)
		return -UIOMMU_ENOMEM;
	vd->viommu = v;
	vd->host = dev->host;
	vd->dev = dev;
	vd->virt_id = virt_id;
	core_lock(dev->u);
	err = vdevice_init(vd);
	if (!err) {
		list_add(&v->devs, &vd->node);
		__atomic_store_n(&dev->vdev, vd, __ATOMIC_RELEASE);
		*out = vd;
	}
	core_unlock(dev->u);
	if (err)
		host_free(dev->host, vd, sizeof(*vd));
	return err;
}

static void free_vdevice(struct uiommu_retire *r)
{
	struct uiommu_vdevice *vd = uiommu_container_of(r, struct uiommu_vdevice, retire);

	host_free(vd->host, vd, sizeof(*vd));
}

void uiommu_vdevice_end(struct uiommu_vdevice *vd)
{
	__atomic_store_n(&vd->dev->vdev, NULL, __ATOMIC_RELEASE);
	list_del(&vd->viommu->devs, &vd->node);
	if (vd->viommu->drv)
		vd->viommu->iommu->ops->vdevice_fini(vd);
	host_retire(vd->host, &vd->retire, free_vdevice);
}

void uiommu_vdevice_free(struct uiommu_vdevice *vd)
{
	struct uiommu *u = vd->dev->u;

	core_lock(u);
	uiommu_vdevice_end(vd);
	core_unlock(u);
}

struct uiommu_vdevice *uiommu_device_vdevice(const struct uiommu_dev *dev)
{
	return __atomic_load_n(&dev->vdev, __ATOMIC_ACQUIRE);
}

/* ---- what a VM says, and is told ---- */

int uiommu_cache_invalidate(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
			    size_t n, size_t *handled)
{
	unsigned token = host_read_enter(v->host);
	int err = v->iommu->ops->viommu_invalidate(v, inv, n, handled);

	host_read_leave(v->host, token);
	return err;
}

const struct uiommu_attach *uiommu_attach_serving(const struct uiommu_dev *dev,
						  uiommu_pasid_t pasid)
{
	const struct uiommu_attach *att = uiommu_index_get(dev, pasid), *rid;

	if (att)
		return att;
	rid = uiommu_index_get(dev, UIOMMU_NO_PASID);
	return rid && rid->link->dom->type == UIOMMU_DOMAIN_NESTED ? rid : NULL;
}

static bool is_users(const struct uiommu_fault *f)
{
	uiommu_pasid_t pasid = f->flags & UIOMMU_FAULT_HAS_PASID ? f->pasid : UIOMMU_NO_PASID;
	const struct uiommu_attach *att = uiommu_attach_serving(f->dev, pasid);

	return att && att->link->dom->type == UIOMMU_DOMAIN_NESTED;
}

bool uiommu_viommu_report(const struct uiommu_viommu *v, unsigned type, const void *record,
			  size_t bytes)
{
	return v->cfg.event && v->cfg.event(v->cfg.ctx, type, record, bytes);
}

bool uiommu_viommu_tell(const struct uiommu_fault *f)
{
	const struct uiommu_vdevice *vd = f->dev ? uiommu_device_vdevice(f->dev) : NULL;
	uint64_t record[UIOMMU_RECORD_WORDS];
	unsigned type = 0;
	size_t bytes;

	if (!vd || !is_users(f))
		return false;
	bytes = f->iommu->ops->viommu_event(vd, f, &type, record);
	return bytes && uiommu_viommu_report(vd->viommu, type, record, bytes);
}
