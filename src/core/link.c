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
	list_init(&link->children);
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

/* What is nested is among its parent's children before hardware has anything of it. */
static int make(struct uiommu_domain *dom, struct uiommu_iommu *iommu, struct uiommu_link *parent,
		struct uiommu_link **out)
{
	struct uiommu_link *l = host_alloc(dom->host, sizeof(*l));
	int err;

	if (!l)
		return -UIOMMU_ENOMEM;
	uiommu_link_setup(l, dom, iommu);
	l->parent = parent;
	err = iommu->ops->link_init(l);
	if (err) {
		host_free(dom->host, l, sizeof(*l));
		return err;
	}
	list_add(&dom->links, &l->node);
	if (parent)
		list_add(&parent->children, &l->sibling);
	*out = l;
	return 0;
}

static int get(struct uiommu_domain *dom, struct uiommu_iommu *iommu, struct uiommu_link *parent,
	       struct uiommu_link **out)
{
	struct uiommu_link *l = find(dom, iommu);
	int err = l ? 0 : make(dom, iommu, parent, &l);

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

static void put(struct uiommu_link *l)
{
	if (--l->users || is_static(l))
		return;
	l->iommu->ops->link_fini(l);
	if (l->parent)
		list_del(&l->parent->children, &l->sibling);
	list_del(&l->dom->links, &l->node);
	host_retire(l->host, &l->retire, free_link);
}

/* Who uses a nested domain's uses its parent's. */
int uiommu_link_get(struct uiommu_domain *dom, struct uiommu_iommu *iommu,
		    struct uiommu_link **out)
{
	struct uiommu_link *parent = NULL;
	int err = dom->parent ? get(dom->parent, iommu, NULL, &parent) : 0;

	if (!err)
		err = get(dom, iommu, parent, out);
	if (err && parent)
		put(parent);
	return err;
}

void uiommu_link_put(struct uiommu_link *l)
{
	struct uiommu_link *parent = l->parent;

	put(l);
	if (parent)
		put(parent);
}
