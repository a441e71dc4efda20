/* SPDX-License-Identifier: MIT */
/*
 * src/core/status.c - what is attached where, from both ends
 *
 * Read without the instance lock, so that these may be called from an observer
 * and from each other. Every entry was true at some moment during the walk.
 */
#include "core.h"

/* @dom: from whose end; NULL: the device's. */
static int say(const struct uiommu_attach *att, struct uiommu_domain *dom, uiommu_attach_fn fn,
	       void *ctx)
{
	struct uiommu_domain *has = att->link->dom;
	const struct uiommu_attach_status st = {
		.dev = att->dev,
		.pasid = att->pasid,
		.dom = dom ? dom : has,
		.nested = dom && dom != has ? has : NULL,
		.tag = att->link->tag,
	};

	return fn(ctx, &st);
}

int uiommu_device_for_each_attach(struct uiommu_dev *dev, uiommu_attach_fn fn, void *ctx)
{
	unsigned token = host_read_enter(dev->host);
	struct uiommu_attach *att;
	int ret = 0;

	for (uiommu_pasid_t p = 0; !ret && (att = uiommu_index_next(dev, &p)); p++)
		ret = say(att, NULL, fn, ctx);
	host_read_leave(dev->host, token);
	return ret;
}

bool uiommu_device_has(const struct uiommu_dev *dev, uiommu_pasid_t pasid,
		       const struct uiommu_domain *dom)
{
	unsigned token = host_read_enter(dev->host);
	const struct uiommu_attach *att = uiommu_index_get(dev, pasid);
	bool has = att && att->link->dom == dom;

	host_read_leave(dev->host, token);
	return has;
}

/* What the RID has by default stays in its list while it has something else. */
static bool in_effect(const struct uiommu_attach *att)
{
	return !att->base || uiommu_index_get(att->dev, att->pasid) == att;
}

static int each_of_link(const struct uiommu_link *link, struct uiommu_domain *dom,
			uiommu_attach_fn fn, void *ctx)
{
	struct uiommu_node *n;
	int ret = 0;

	for (n = list_first(&link->attaches); n && !ret; n = list_next(n)) {
		struct uiommu_attach *att = uiommu_container_of(n, struct uiommu_attach, node);

		if (in_effect(att))
			ret = say(att, dom, fn, ctx);
	}
	return ret;
}

static int each_of_iommu(const struct uiommu_link *link, uiommu_attach_fn fn, void *ctx)
{
	int ret = each_of_link(link, link->dom, fn, ctx);
	struct uiommu_node *n;

	for (n = list_first(&link->children); n && !ret; n = list_next(n))
		ret = each_of_link(uiommu_container_of(n, struct uiommu_link, sibling), link->dom,
				   fn, ctx);
	return ret;
}

int uiommu_domain_for_each_attach(struct uiommu_domain *dom, uiommu_attach_fn fn, void *ctx)
{
	unsigned token = host_read_enter(dom->host);
	struct uiommu_node *n;
	int ret = 0;

	for (n = list_first(&dom->links); n && !ret; n = list_next(n))
		ret = each_of_iommu(uiommu_container_of(n, struct uiommu_link, node), fn, ctx);
	host_read_leave(dom->host, token);
	return ret;
}

int uiommu_for_each_device(struct uiommu *u, int (*fn)(void *ctx, struct uiommu_dev *dev),
			   void *ctx)
{
	unsigned token = host_read_enter(u->host);
	struct uiommu_node *n;
	int ret = 0;

	for (n = list_first(&u->devices); n && !ret; n = list_next(n))
		ret = fn(ctx, uiommu_container_of(n, struct uiommu_dev, node));
	host_read_leave(u->host, token);
	return ret;
}

int uiommu_for_each_domain(struct uiommu *u, int (*fn)(void *ctx, struct uiommu_domain *dom),
			   void *ctx)
{
	unsigned token = host_read_enter(u->host);
	struct uiommu_node *n;
	int ret;

	ret = fn(ctx, &u->identity);
	if (!ret)
		ret = fn(ctx, &u->blocked);
	for (n = list_first(&u->domains); n && !ret; n = list_next(n))
		ret = fn(ctx, uiommu_container_of(n, struct uiommu_domain, node));
	host_read_leave(u->host, token);
	return ret;
}
