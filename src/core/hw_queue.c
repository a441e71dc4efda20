/* SPDX-License-Identifier: MIT */
/*
 * src/core/hw_queue.c - command queues in a VM's memory, which hardware reads itself
 *
 * They are made from number 0 up and go from the top: that is how hardware wants them
 * (TEGRA241_CMDQV), and no user needs more.
 */
#include "core.h"

int uiommu_viommu_mmio(const struct uiommu_viommu *v, struct uiommu_mmio *out, size_t *bytes)
{
	return v->drv ? v->iommu->ops->viommu_mmio(v, out, bytes) : -UIOMMU_EOPNOTSUPP;
}

unsigned uiommu_viommu_num_hw_queues(const struct uiommu_viommu *v, unsigned type)
{
	return v->drv ? v->iommu->ops->num_hw_queues(v, type) : 0;
}

/* The one of the highest number; NULL: there is none. */
static struct uiommu_hw_queue *top_of(const struct uiommu_viommu *v)
{
	struct uiommu_hw_queue *top = NULL;
	struct uiommu_node *n;

	list_for_each(n, &v->queues)
		top = uiommu_container_of(n, struct uiommu_hw_queue, node);
	return top;
}

static int check(const struct uiommu_viommu *v, const struct uiommu_hw_queue_config *cfg)
{
	unsigned max = uiommu_viommu_num_hw_queues(v, cfg->type);
	const struct uiommu_hw_queue *top = top_of(v);
	unsigned next = top ? top->cfg.index + 1 : 0;

	if (!max)
		return -UIOMMU_EOPNOTSUPP;
	if (cfg->index >= max)
		return -UIOMMU_EINVAL;
	if (cfg->index < next)
		return -UIOMMU_EEXIST;
	return cfg->index > next ? -UIOMMU_EIO : 0;
}

int uiommu_hw_queue_alloc(struct uiommu_viommu *v, const struct uiommu_hw_queue_config *cfg,
			  struct uiommu_hw_queue **out)
{
	struct uiommu *u = v->cfg.parent->u;
	struct uiommu_hw_queue *q = host_alloc(v->host, sizeof(*q));
	int err;

	if (!q)
		return -UIOMMU_ENOMEM;
	q->viommu = v;
	q->cfg = *cfg;
	core_lock(u);
	err = check(v, cfg);
	if (!err)
		err = v->iommu->ops->hw_queue_init(q);
	if (!err) {
		list_add(&v->queues, &q->node);
		*out = q;
	}
	core_unlock(u);
	if (err)
		host_free(v->host, q, sizeof(*q));
	return err;
}

static void end(struct uiommu_hw_queue *q) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static void end(struct uiommu_hw_queue *q)
{
	struct uiommu_viommu *v = q->viommu;

	v->iommu->ops->hw_queue_fini(q);
	list_del(&v->queues, &q->node);
	host_free(v->host, q, sizeof(*q));
}

int uiommu_hw_queue_free(struct uiommu_hw_queue *q)
{
	struct uiommu *u = q->viommu->cfg.parent->u;
	int err = 0;

	core_lock(u);
	if (q == top_of(q->viommu))
		end(q);
	else
		err = -UIOMMU_EBUSY;
	core_unlock(u);
	return err;
}

void uiommu_hw_queue_end_all(struct uiommu_viommu *v)
{
	struct uiommu_hw_queue *q;

	while ((q = top_of(v)))
		end(q);
}
