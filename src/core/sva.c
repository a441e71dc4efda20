/* SPDX-License-Identifier: MIT */
/*
 * src/core/sva.c - address spaces of processes on devices
 *
 * Nobody asks here which domain is on a PASID: a bind tries to attach each domain
 * of the mm, and the attach says whether the place is free (-EBUSY), whether the domain
 * suits the IOMMU (-EINVAL: the next one), or that it is done. (S4)
 */
#include <uiommu/sva.h>

#include "core.h"

struct uiommu_mm {
	struct uiommu *u;			/* (i) */
	struct uiommu_mm_config cfg;		/* (i) table: dom->pt is the copy */
	struct uiommu_pt table;			/* (i) */
	char name[32];				/* (i) */
	struct uiommu_list domains;		/* (r) */
	struct uiommu_sva *binds;		/* (u) */
	uiommu_pasid_t pasid;			/* (a) written under the instance lock */
	unsigned num_pasids;			/* (u) binds that use it */
	bool dead;				/* (u) */
	uint32_t asid;				/* (u) pinned; 0: not */
	struct uiommu_mm *next;			/* (u) u->mms */
};

/* One device, or group that is one to the IOMMU, and one mm. */
struct uiommu_sva {
	struct uiommu_mm *mm;			/* (i) */
	struct uiommu_domain *dom;		/* (i) */
	struct uiommu_dev *dev;			/* (u) NULL: it was removed */
	uiommu_pasid_t pasid;			/* (i) */
	unsigned refs;				/* (u) */
	struct uiommu_sva *next;		/* (u) mm->binds */
};

/* ---- the mm ---- */

int uiommu_mm_create(struct uiommu *u, const struct uiommu_mm_config *cfg, struct uiommu_mm **out)
{
	struct uiommu_mm *mm;

	if (!cfg->table || !cfg->table->top)
		return -UIOMMU_EINVAL;
	mm = host_alloc(u->host, sizeof(*mm));
	if (!mm)
		return -UIOMMU_ENOMEM;
	mm->u = u;
	mm->cfg = *cfg;
	mm->table = *cfg->table;
	for (size_t i = 0; cfg->name && i < sizeof(mm->name) - 1 && cfg->name[i]; i++)
		mm->name[i] = cfg->name[i];
	list_init(&mm->domains);
	core_lock(u);
	mm->next = u->mms;
	u->mms = mm;
	core_unlock(u);
	*out = mm;
	return 0;
}


static struct uiommu_domain *domain_at(struct uiommu_node *n)
{
	return uiommu_container_of(n, struct uiommu_domain, mm_node);
}

int uiommu_mm_destroy(struct uiommu_mm *mm)
{
	struct uiommu *u = mm->u;
	struct uiommu_mm **at = &u->mms;

	core_lock(u);
	if (mm->binds) {
		core_unlock(u);
		return -UIOMMU_EBUSY;
	}
	while (*at != mm)
		at = &(*at)->next;
	*at = mm->next;
	core_unlock(u);
	host_free(u->host, mm, sizeof(*mm));
	return 0;
}

void uiommu_mm_die(struct uiommu_mm *mm)
{
	struct uiommu_node *n;

	core_lock(mm->u);
	if (!mm->dead) {
		mm->dead = true;
		list_for_each(n, &mm->domains)
			uiommu_attach_kill(domain_at(n));
	}
	core_unlock(mm->u);
}

/* The barrier is the other half of the one in attach.c:move(), as for unmap. */
void uiommu_mm_invalidate(struct uiommu_mm *mm, const struct uiommu_gather *g)
{
	struct uiommu_node *n;
	unsigned token;

	port_dma_mb();
	token = host_read_enter(mm->u->host);
	list_for_each(n, &mm->domains)
		uiommu_domain_invalidate(domain_at(n), g);
	host_read_leave(mm->u->host, token);
}

uiommu_pasid_t uiommu_mm_pasid(const struct uiommu_mm *mm)
{
	return __atomic_load_n(&mm->pasid, __ATOMIC_RELAXED);
}

int uiommu_mm_for_each_domain(struct uiommu_mm *mm, int (*fn)(void *ctx, struct uiommu_domain *dom),
			      void *ctx)
{
	unsigned token = host_read_enter(mm->u->host);
	struct uiommu_node *n;
	int ret = 0;

	for (n = list_first(&mm->domains); n && !ret; n = list_next(n))
		ret = fn(ctx, domain_at(n));
	host_read_leave(mm->u->host, token);
	return ret;
}

/* ---- its domains ---- */

static int pin(struct uiommu_mm *mm)
{
	return mm->cfg.pin_asid && !mm->asid ? mm->cfg.pin_asid(mm->cfg.ctx, &mm->asid) : 0;
}

static void unpin(struct uiommu_mm *mm)
{
	if (mm->asid)
		mm->cfg.unpin_asid(mm->cfg.ctx);
	mm->asid = 0;
}

static int make_domain(struct uiommu_mm *mm, struct uiommu_dev *dev, struct uiommu_domain **out)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int make_domain(struct uiommu_mm *mm, struct uiommu_dev *dev, struct uiommu_domain **out)
{
	struct uiommu_domain *dom = host_alloc(mm->u->host, sizeof(*dom));
	int err = dom ? pin(mm) : -UIOMMU_ENOMEM;

	if (err) {
		host_free(mm->u->host, dom, sizeof(*dom));
		return err;
	}
	uiommu_domain_setup(dom, mm->u, UIOMMU_DOMAIN_SVA, mm->name);
	dom->pt = mm->table;
	dom->iopf = mm->cfg.iopf;
	dom->iopf_ctx = mm->cfg.ctx;
	dom->sva = (struct uiommu_domain_sva){
		.kind = dev->iommu->ops, .mair = mm->cfg.mair, .asid = mm->asid,
	};
	list_add(&mm->u->domains, &dom->node);
	list_add(&mm->domains, &dom->mm_node);
	*out = dom;
	return 0;
}

/* Attached nowhere any more, and nobody can find it to bind with. */
static void drop_domain(struct uiommu_mm *mm, struct uiommu_domain *dom)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void drop_domain(struct uiommu_mm *mm, struct uiommu_domain *dom)
{
	list_del(&mm->domains, &dom->mm_node);
	uiommu_domain_destroy(dom);
	if (list_empty(&mm->domains))
		unpin(mm);
}

/* ---- bind ---- */

static bool is_for(const struct uiommu_sva *b, const struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	if (!b->dev || b->pasid != pasid)
		return false;
	return b->dev == dev || (dev->shared && b->dev->group == dev->group);
}

static struct uiommu_sva *find_bind(const struct uiommu_mm *mm, const struct uiommu_dev *dev,
				    uiommu_pasid_t pasid)
{
	struct uiommu_sva *b = mm->binds;

	while (b && !is_for(b, dev, pasid))
		b = b->next;
	return b;
}

/* Each domain of the mm, and if none suits, a new one. */
static int attach_any(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		      struct uiommu_domain **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int attach_any(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		      struct uiommu_domain **out)
{
	struct uiommu_domain *dom;
	struct uiommu_node *n;
	int err;

	list_for_each(n, &mm->domains) {
		*out = domain_at(n);
		err = uiommu_attach_enter(*out, dev, pasid, UIOMMU_ATTACH);
		if (err != -UIOMMU_EINVAL)
			return err;
	}
	err = make_domain(mm, dev, &dom);
	if (err)
		return err;
	dom->sva.on_rid = pasid == UIOMMU_NO_PASID;
	err = uiommu_attach_enter(dom, dev, pasid, UIOMMU_ATTACH);
	if (err)
		drop_domain(mm, dom);
	*out = dom;
	return err;
}

static int bind_new(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		    struct uiommu_sva **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int bind_new(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		    struct uiommu_sva **out)
{
	struct uiommu_sva *b = host_alloc(mm->u->host, sizeof(*b));
	int err = b ? attach_any(mm, dev, pasid, &b->dom) : -UIOMMU_ENOMEM;

	if (err) {
		host_free(mm->u->host, b, sizeof(*b));
		return err;
	}
	b->mm = mm;
	b->dev = dev;
	b->pasid = pasid;
	b->dom->sva.binds++;
	b->next = mm->binds;
	mm->binds = b;
	*out = b;
	return 0;
}

static int bind(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		struct uiommu_sva **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int bind(struct uiommu_mm *mm, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		struct uiommu_sva **out)
{
	struct uiommu_sva *b = find_bind(mm, dev, pasid);
	int err = b ? 0 : bind_new(mm, dev, pasid, &b);

	if (!err) {
		b->refs++;
		*out = b;
	}
	return err;
}

static int check(const struct uiommu_mm *mm, const struct uiommu_dev *dev)
{
	if (mm->u != dev->u)
		return -UIOMMU_EINVAL;
	return mm->dead ? -UIOMMU_ENODEV : 0;
}

static void set_pasid(struct uiommu_mm *mm, uiommu_pasid_t pasid)
{
	__atomic_store_n(&mm->pasid, pasid, __ATOMIC_RELAXED);
}

/* The PASID of the mm, drawn if it has none. */
static int need_pasid(struct uiommu_mm *mm, const struct uiommu_dev *dev)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int need_pasid(struct uiommu_mm *mm, const struct uiommu_dev *dev)
{
	uiommu_pasid_t pasid = 0;
	int err;

	if (!dev->pasid_bits)
		return -UIOMMU_EOPNOTSUPP;
	if (mm->pasid)
		return mm->pasid >> dev->pasid_bits ? -UIOMMU_EOVERFLOW : 0;
	err = uiommu_pasid_take(mm->u, dev->pasid_bits, &pasid);
	if (!err)
		set_pasid(mm, pasid);
	return err;
}

static void give_pasid(struct uiommu_mm *mm) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void give_pasid(struct uiommu_mm *mm)
{
	if (mm->num_pasids || !mm->pasid)
		return;
	uiommu_pasid_give(mm->u, mm->pasid);
	set_pasid(mm, UIOMMU_NO_PASID);
}

int uiommu_sva_bind_device(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out)
{
	struct uiommu_sva *b = NULL;
	int err;

	core_lock(dev->u);
	err = check(mm, dev);
	if (!err)
		err = need_pasid(mm, dev);
	if (!err)
		err = bind(mm, dev, mm->pasid, &b);
	if (!err && b->refs == 1)
		mm->num_pasids++;
	if (err && mm->u == dev->u)
		give_pasid(mm);
	core_unlock(dev->u);
	if (!err)
		*out = b;
	return err;
}

int uiommu_sva_bind_rid(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out)
{
	int err;

	core_lock(dev->u);
	err = check(mm, dev);
	if (!err && dev->iommu->pasid_bits)
		err = -UIOMMU_EOPNOTSUPP;
	if (!err)
		err = bind(mm, dev, UIOMMU_NO_PASID, out);
	core_unlock(dev->u);
	return err;
}

/* ---- unbind ---- */

/* @b, out of its list and detached, goes. */
static void unbind(struct uiommu_sva *b) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void unbind(struct uiommu_sva *b)
{
	struct uiommu_mm *mm = b->mm;

	if (b->dev)
		uiommu_attach_leave_domain(b->dom, b->dev, b->pasid);
	if (!--b->dom->sva.binds)
		drop_domain(mm, b->dom);
	if (b->pasid) {
		mm->num_pasids--;
		give_pasid(mm);
	}
	host_free(mm->u->host, b, sizeof(*b));
}

void uiommu_sva_unbind_device(struct uiommu_sva *b)
{
	struct uiommu *u = b->mm->u;
	struct uiommu_sva **at = &b->mm->binds;

	core_lock(u);
	if (!--b->refs) {
		while (*at != b)
			at = &(*at)->next;
		*at = b->next;
		unbind(b);
	}
	core_unlock(u);
}

uiommu_pasid_t uiommu_sva_pasid(const struct uiommu_sva *b)
{
	return b->pasid;
}

/* Another device that has the same attachment, if it is shared. */
static struct uiommu_dev *heir_of(const struct uiommu_dev *dev)
{
	struct uiommu_dev *d = dev->shared ? dev->group->devs : NULL;

	while (d == dev)
		d = d->group_next;
	return d;
}

void uiommu_sva_device_gone(struct uiommu_dev *dev)
{
	for (struct uiommu_mm *mm = dev->u->mms; mm; mm = mm->next)
		for (struct uiommu_sva *b = mm->binds; b; b = b->next)
			if (b->dev == dev)
				b->dev = heir_of(dev);
}

/* Devices and domains are gone already, with all that was attached. */
void uiommu_sva_free_all(struct uiommu *u)
{
	struct uiommu_mm *mm;

	while ((mm = u->mms)) {
		struct uiommu_sva *b;

		u->mms = mm->next;
		while ((b = mm->binds)) {
			mm->binds = b->next;
			host_free(u->host, b, sizeof(*b));
		}
		unpin(mm);
		host_free(u->host, mm, sizeof(*mm));
	}
}
