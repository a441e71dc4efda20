/* SPDX-License-Identifier: MIT */
/* src/core/group.c - groups, and who owns one */
#include "core.h"

static struct uiommu_group *find(struct uiommu *u, unsigned number)
{
	struct uiommu_group *g = u->groups;

	while (g && g->number != number)
		g = g->next;
	return g;
}

static unsigned free_number(struct uiommu *u)
{
	unsigned n = 0;

	while (find(u, n))
		n++;
	return n;
}

static struct uiommu_group *make(struct uiommu *u, unsigned number, bool named)
{
	struct uiommu_group *g = host_alloc(u->host, sizeof(*g));

	if (!g)
		return NULL;
	g->number = number;
	g->named = named;
	g->next = u->groups;
	u->groups = g;
	return g;
}

/* Whoever joins a PASID table finds in it what the others have: nothing yet. A claimed
 * group is blocked, which is not for a device with a DIRECT range. */
static int may_join(const struct uiommu_group *g, const struct uiommu_dev *dev)
{
	const struct uiommu_dev *d = g->devs;

	if (dev->shared != d->shared)
		return -UIOMMU_EINVAL;
	if (!g->named || (g->owner && uiommu_resv_is_direct(dev)))
		return -UIOMMU_EBUSY;
	if (!dev->shared)
		return 0;
	if (d->iommu != dev->iommu || d->pasid_bits != dev->pasid_bits)
		return -UIOMMU_EINVAL;
	return uiommu_group_at_rest(g) ? 0 : -UIOMMU_EBUSY;
}

int uiommu_group_join(struct uiommu *u, struct uiommu_dev *dev, int number)
{
	struct uiommu_group *g = number < 0 ? NULL : find(u, (unsigned)number);
	int err = g ? may_join(g, dev) : 0;

	if (err)
		return err;
	if (!g)
		g = make(u, number < 0 ? free_number(u) : (unsigned)number, number >= 0);
	if (!g)
		return -UIOMMU_ENOMEM;
	dev->group = g;
	dev->sharer = dev->shared ? g->devs : NULL;
	dev->group_next = g->devs;
	g->devs = dev;
	return 0;
}

/* Nobody claims it any more: every device to its default domain. */
static void give_back(struct uiommu_group *g) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void give_back(struct uiommu_group *g)
{
	g->owner = NULL;
	for (struct uiommu_dev *d = g->devs; d; d = d->group_next)
		uiommu_attach_drop_all(d);
}

void uiommu_group_leave(struct uiommu_dev *dev)
{
	struct uiommu_group *g = dev->group, **pg = &dev->u->groups;
	struct uiommu_dev **pd = &g->devs;

	while (*pd != dev)
		pd = &(*pd)->group_next;
	*pd = dev->group_next;
	g->claims -= dev->claims;
	if (dev->claims && !g->claims)
		give_back(g);
	if (g->devs)
		return;
	while (*pg != g)
		pg = &(*pg)->next;
	*pg = g->next;
	host_free(dev->host, g, sizeof(*g));
}

bool uiommu_group_at_rest(const struct uiommu_group *g)
{
	for (const struct uiommu_dev *d = g->devs; d; d = d->group_next)
		if (d->num_pasids || !uiommu_index_get(d, UIOMMU_NO_PASID)->base)
			return false;
	return true;
}

/* Each device to the base that the ownership now asks for; all or none. */
static int rebase_all(struct uiommu_group *g, const void *owner_before)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int rebase_all(struct uiommu_group *g, const void *owner_before)
{
	struct uiommu_dev *d, *back;
	int err = 0;

	for (d = g->devs; d && !err; d = d->group_next)
		err = uiommu_attach_rebase(d);
	if (!err)
		return 0;
	g->owner = owner_before;
	for (back = g->devs; back != d; back = back->group_next)
		uiommu_attach_rebase(back);
	return err;
}

static int take(struct uiommu_group *g, const void *owner)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int take(struct uiommu_group *g, const void *owner)
{
	if (g->owner)
		return g->owner == owner ? 0 : -UIOMMU_EPERM;
	if (!uiommu_group_at_rest(g))
		return -UIOMMU_EBUSY;
	for (const struct uiommu_dev *d = g->devs; d; d = d->group_next)
		if (uiommu_resv_is_direct(d))
			return -UIOMMU_EINVAL;
	g->owner = owner;
	return rebase_all(g, NULL);
}

int uiommu_device_claim(struct uiommu_dev *dev, const void *owner)
{
	int err;

	if (!owner)
		return -UIOMMU_EINVAL;
	core_lock(dev->u);
	err = take(dev->group, owner);
	if (!err) {
		dev->claims++;
		dev->group->claims++;
	}
	core_unlock(dev->u);
	return err;
}

static void release(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void release(struct uiommu_dev *dev)
{
	struct uiommu_group *g = dev->group;

	g->claims--;
	dev->claims--;
	/* one table: it is held until nobody holds any of them */
	if (dev->claims || (dev->shared && g->claims))
		return;
	uiommu_attach_drop_all(dev);
	if (!g->claims)
		give_back(g);
}

void uiommu_device_release(struct uiommu_dev *dev, const void *owner)
{
	core_lock(dev->u);
	if (dev->claims && dev->group->owner == owner)
		release(dev);
	core_unlock(dev->u);
}

unsigned uiommu_device_group(const struct uiommu_dev *dev)
{
	return dev->group->number;
}
