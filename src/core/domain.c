/* SPDX-License-Identifier: MIT */
/* src/core/domain.c - address spaces: what they hold, map and unmap */
#include "core.h"

void uiommu_domain_setup(struct uiommu_domain *dom, struct uiommu *u,
			 enum uiommu_domain_type type, const char *name)
{
	dom->u = u;
	dom->host = u->host;
	dom->type = type;
	list_init(&dom->links);
	uiommu_domain_set_name(dom, name);
}

int uiommu_domain_alloc_paging(struct uiommu_dev *dev, unsigned flags,
			       struct uiommu_domain **out)
{
	struct uiommu *u = dev->u;
	struct uiommu_domain *dom;
	int err;

	if (flags & ~(UIOMMU_DOMAIN_ALLOC_PASID | UIOMMU_DOMAIN_ALLOC_NEST_PARENT |
		      UIOMMU_DOMAIN_ALLOC_DIRTY))
		return -UIOMMU_EOPNOTSUPP;
	dom = host_alloc(u->host, sizeof(*dom));
	if (!dom)
		return -UIOMMU_ENOMEM;
	uiommu_domain_setup(dom, u, UIOMMU_DOMAIN_PAGING, "");
	dom->flags = flags;
	core_lock(u);
	err = dev->iommu->ops->domain_init(dom, dev, flags);
	if (err)
		host_free(u->host, dom, sizeof(*dom));
	else
		list_add(&u->domains, &dom->node);
	core_unlock(u);
	if (!err)
		*out = dom;
	return err;
}

static void free_domain(struct uiommu_retire *r)
{
	struct uiommu_domain *dom = uiommu_container_of(r, struct uiommu_domain, retire);

	host_free(dom->host, dom, sizeof(*dom));
}

void uiommu_domain_destroy(struct uiommu_domain *dom)
{
	list_del(&dom->u->domains, &dom->node);
	if (dom->parent)
		uiommu_nested_forget(dom);
	else if (dom->type != UIOMMU_DOMAIN_SVA)	/* that table is the host's */
		dom->pt.ops->fini(&dom->pt);
	host_retire(dom->host, &dom->retire, free_domain);
}

int uiommu_domain_free(struct uiommu_domain *dom)
{
	struct uiommu *u = dom->u;
	int err = 0;

	if (dom->type != UIOMMU_DOMAIN_PAGING && dom->type != UIOMMU_DOMAIN_NESTED)
		return -UIOMMU_EINVAL;
	core_lock(u);
	if (list_empty(&dom->links) && !dom->holds)
		uiommu_domain_destroy(dom);
	else
		err = -UIOMMU_EBUSY;
	core_unlock(u);
	return err;
}

struct uiommu_domain *uiommu_domain_identity(struct uiommu *u)
{
	return &u->identity;
}

struct uiommu_domain *uiommu_domain_blocked(struct uiommu *u)
{
	return &u->blocked;
}

static uiommu_iova_t last_of(unsigned bits)
{
	return bits < 64 ? ((uiommu_iova_t)1 << bits) - 1 : UINT64_MAX;
}

void uiommu_domain_info(const struct uiommu_domain *dom, struct uiommu_domain_info *out)
{
	*out = (struct uiommu_domain_info){ .type = dom->type };
	if (dom->type == UIOMMU_DOMAIN_IDENTITY)
		out->aperture_last = UINT64_MAX;
	if (dom->type != UIOMMU_DOMAIN_PAGING)
		return;
	out->format = dom->pt.ops->name;
	out->pgsizes = dom->pt.ops->pgsizes;
	out->aperture_last = last_of(dom->pt.ias_lg2);
}

void uiommu_domain_set_name(struct uiommu_domain *dom, const char *name)
{
	size_t n = 0;

	for (; n < sizeof(dom->name) - 1 && name[n]; n++)
		__atomic_store_n(&dom->name[n], name[n], __ATOMIC_RELAXED);
	__atomic_store_n(&dom->name[n], 0, __ATOMIC_RELAXED);
}

const char *uiommu_domain_name(const struct uiommu_domain *dom)
{
	return dom->name;
}

int uiommu_map(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t pa, uint64_t len,
	       unsigned prot, uint64_t *mapped)
{
	uint64_t n = 0;
	int err = -UIOMMU_EINVAL;

	if (dom->type == UIOMMU_DOMAIN_PAGING)
		err = dom->pt.ops->map(&dom->pt, iova, pa, len, prot, &n);
	if (mapped)
		*mapped = n;
	return err;
}

/*
 * Every IOMMU that the domain sits behind forgets what was gathered. The barrier
 * is the other half of the one in attach.c:move(): either this reads a list with
 * the new link in it, or the new link's hardware reads the cleared entries.
 */
void uiommu_domain_invalidate(struct uiommu_domain *dom, const struct uiommu_gather *g)
{
	struct uiommu_node *n;
	unsigned token;

	port_dma_mb();
	token = host_read_enter(dom->host);
	list_for_each(n, &dom->links) {
		struct uiommu_link *l = uiommu_container_of(n, struct uiommu_link, node);

		l->iommu->ops->invalidate(l, g);
	}
	host_read_leave(dom->host, token);
}

int uiommu_unmap(struct uiommu_domain *dom, uiommu_iova_t iova, uint64_t len,
		 uint64_t *unmapped)
{
	struct uiommu_gather g;
	uint64_t n = 0;
	int err = -UIOMMU_EINVAL;

	if (dom->type == UIOMMU_DOMAIN_PAGING) {
		uiommu_gather_init(&g);
		err = dom->pt.ops->unmap(&dom->pt, iova, len, &g, &n);
		if (!uiommu_gather_empty(&g))
			uiommu_domain_invalidate(dom, &g);
		uiommu_gather_free(&g, dom->host);
	}
	if (unmapped)
		*unmapped = n;
	return err;
}

int uiommu_iova_to_phys(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t *pa)
{
	switch (dom->type) {
	case UIOMMU_DOMAIN_PAGING:
		return dom->pt.ops->iova_to_phys(&dom->pt, iova, pa);
	case UIOMMU_DOMAIN_IDENTITY:
		*pa = iova;
		return 0;
	default:
		return -UIOMMU_ENOENT;
	}
}
