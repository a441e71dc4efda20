/* SPDX-License-Identifier: MIT */
/*
 * hw_queue.c - HW_QUEUE_ALLOC: a queue in a VM's memory, which hardware reads itself
 *
 * Hardware reads it by physical address, so the memory has to be in one piece and has to
 * stay where it is. What is mapped in an address space with a page table is pinned, and a
 * vIOMMU's parent is one: it is enough that the mapping cannot be taken away.
 */
#include "internal.h"

struct uiommu_ihw_queue {
	struct uiommu_iobj obj;
	struct uiommu_hw_queue *q;		/* (i) */
	struct uiommu_iviommu *viommu;		/* (i) holds a user of it */
	struct uiommu_ihw_queue *below;		/* (i) of the next lower number, likewise; NULL */
	uint64_t iova, last;			/* (i) locked in the parent's address space */
};

static struct uiommu_iopt *space_of(const struct uiommu_iviommu *iv)
{
	return &iv->parent->ioas->iopt;
}

static void release(struct uiommu_iommufd *ctx, struct uiommu_ihw_queue *hq)
{
	uiommu_iopt_unlock(space_of(hq->viommu), hq->iova, hq->last);
	uiommu_iobj_remove(ctx, &hq->obj);
	uiommu_iommufd_free(ctx, hq, sizeof(*hq));
}

void uiommu_ihw_queue_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	struct uiommu_ihw_queue *hq = uiommu_container_of(obj, struct uiommu_ihw_queue, obj);

	uiommu_hw_queue_free(hq->q);	/* one above would be a user of this */
	hq->viommu->top_queue = hq->below;
	if (hq->below)
		hq->below->obj.users--;
	hq->viommu->obj.users--;
	release(ctx, hq);
}

/* Whole pages of the program's are what it is made of. */
static int lock_memory(struct uiommu_ihw_queue *hq, uint64_t iova, uint64_t length,
		       uiommu_pa_t *base)
{
	const uint64_t mask = UIOMMU_IOMMUFD_PAGE - 1;
	int ret;

	if ((iova & mask) > UINT64_MAX - length || (iova & mask) + length > UINT64_MAX - mask)
		return -UIOMMU_ERANGE;
	hq->iova = iova & ~mask;
	hq->last = (iova + length - 1) | mask;
	ret = uiommu_iopt_lock(space_of(hq->viommu), hq->iova, hq->last, base);
	*base += iova & mask;
	return ret;
}

static int init_queue(struct uiommu_iommufd *ctx, struct uiommu_ihw_queue *hq,
		      const struct uiommu_abi_iommu_hw_queue_alloc *cmd)
{
	struct uiommu_hw_queue_config cfg = { .type = cmd->type, .index = cmd->index,
					      .bytes = cmd->length };
	int ret = lock_memory(hq, cmd->nesting_parent_iova, cmd->length, &cfg.base);

	if (ret)
		return ret;
	ret = uiommu_iobj_add(ctx, &hq->obj, UIOMMU_IOBJ_HW_QUEUE);
	if (!ret)
		ret = uiommu_hw_queue_alloc(hq->viommu->v, &cfg, &hq->q);
	if (ret) {
		uiommu_iopt_unlock(space_of(hq->viommu), hq->iova, hq->last);
		uiommu_iobj_remove(ctx, &hq->obj);
	}
	return ret;
}

/* Each holds the one below: they go from the top, and DESTROY of another is -EBUSY. */
static int create(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv,
		  const struct uiommu_abi_iommu_hw_queue_alloc *cmd, struct uiommu_ihw_queue **out)
{
	struct uiommu_ihw_queue *hq = uiommu_iommufd_alloc(ctx, sizeof(*hq));
	int ret;

	if (!hq)
		return -UIOMMU_ENOMEM;
	hq->viommu = iv;
	hq->below = iv->top_queue;
	ret = init_queue(ctx, hq, cmd);
	if (ret) {
		uiommu_iommufd_free(ctx, hq, sizeof(*hq));
		return ret;
	}
	if (hq->below)
		hq->below->obj.users++;
	iv->obj.users++;
	iv->top_queue = hq;
	*out = hq;
	return 0;
}

static int check(const struct uiommu_abi_iommu_hw_queue_alloc *cmd)
{
	if (cmd->flags || cmd->type == UIOMMU_ABI_IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	if (!cmd->length)
		return -UIOMMU_EINVAL;
	return cmd->nesting_parent_iova > UINT64_MAX - (cmd->length - 1) ? -UIOMMU_EOVERFLOW : 0;
}

int uiommu_icall_hw_queue_alloc(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_hw_queue_alloc *cmd = c->cmd;
	struct uiommu_ihw_queue *hq;
	struct uiommu_iviommu *iv;
	int ret = check(cmd);

	if (ret)
		return ret;
	iv = uiommu_icall_find_viommu(c, cmd->viommu_id);
	if (!iv)
		return -UIOMMU_ENOENT;
	if (!uiommu_viommu_num_hw_queues(iv->v, cmd->type))
		return -UIOMMU_EOPNOTSUPP;
	ret = create(c->ctx, iv, cmd, &hq);
	if (ret)
		return ret;
	cmd->out_hw_queue_id = hq->obj.id;
	ret = uiommu_icall_respond(c);
	if (ret)
		uiommu_ihw_queue_free(c->ctx, &hq->obj);
	return ret;
}
