/* SPDX-License-Identifier: MIT */
/*
 * src/core/link.c - the counted record of one domain behind one IOMMU
 *
 * It is in dom->links from before hardware can see an entry made from it until
 * after the caches have forgotten its tag: unmap, which reads that list without
 * a lock, finds every IOMMU that could still hold what it took away.
 */
#include "core.h"

void uiommu_link_setup(struct uiommu_link *link, struct uiommu_domain *dom,
		       struct uiommu_iommu *iommu)
{
	link->dom = dom;
	link->iommu = iommu;
	link->host = dom->host;
	list_init(&link->attaches);
}

static struct uiommu_link *find(struct uiommu_domain *dom, const struct uiommu_iommu *iommu)
{
	struct uiommu_node *n;

	list_for_each(n, &dom->links) {
		struct uiommu_link *l = uiommu_container_of(n, struct uiommu_link, node);

		if (l->iommu == iommu)
			return l;
	}
	return NULL;
}

static int make(struct uiommu_domain *dom, struct uiommu_iommu *iommu, struct uiommu_link **out)
{
	struct uiommu_link *l = host_alloc(dom->host, sizeof(*l));
	int err;

	if (!l)
		return -UIOMMU_ENOMEM;
	uiommu_link_setup(l, dom, iommu);
	err = iommu->ops->link_init(l);
	if (err) {
		host_free(dom->host, l, sizeof(*l));
		return err;
	}
	list_add(&dom->links, &l->node);
	*out = l;
	return 0;
}

int uiommu_link_get(struct uiommu_domain *dom, struct uiommu_iommu *iommu,
		    struct uiommu_link **out)
{
	struct uiommu_link *l = find(dom, iommu);
	int err = l ? 0 : make(dom, iommu, &l);

	if (err)
		return err;
	l->users++;
	*out = l;
	return 0;
}

static void free_link(struct uiommu_retire *r)
{
	struct uiommu_link *l = uiommu_container_of(r, struct uiommu_link, retire);

	host_free(l->host, l, sizeof(*l));
}

static bool is_static(const struct uiommu_link *l)
{
	return l == &l->iommu->identity || l == &l->iommu->blocked;
}

void uiommu_link_put(struct uiommu_link *l)
{
	if (--l->users || is_static(l))
		return;
	l->iommu->ops->link_fini(l);
	list_del(&l->dom->links, &l->node);
	host_retire(l->host, &l->retire, free_link);
}
