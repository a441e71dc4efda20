/* SPDX-License-Identifier: MIT */
/*
 * object.c - the numbers that a program knows a context's objects by
 *
 * Numbers start at 1, go up to 31 bits, and the lowest free one is given out,
 * as Linux does: programs and their logs rely on small, predictable numbers.
 */
#include "internal.h"

#define FIRST_SLOTS	16u
#define MAX_SLOTS	0x7fffffffu

static int grow(struct uiommu_iommufd *ctx)
{
	uint32_t n = ctx->num_objs ? ctx->num_objs * 2 : FIRST_SLOTS;
	struct uiommu_iobj **objs;

	if (ctx->num_objs > MAX_SLOTS / 2)
		return -UIOMMU_ENOSPC;
	objs = uiommu_iommufd_alloc(ctx, n * sizeof(*objs));
	if (!objs)
		return -UIOMMU_ENOMEM;
	if (ctx->objs) {
		memcpy(objs, ctx->objs, ctx->num_objs * sizeof(*objs));
		uiommu_iommufd_free(ctx, ctx->objs, ctx->num_objs * sizeof(*objs));
	}
	ctx->objs = objs;
	ctx->num_objs = n;
	return 0;
}

int uiommu_iobj_add(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj,
		    enum uiommu_iobj_type type)
{
	uint32_t slot = ctx->lowest_free;
	int ret;

	while (slot < ctx->num_objs && ctx->objs[slot])
		slot++;
	ctx->lowest_free = slot;
	if (slot == ctx->num_objs) {
		ret = grow(ctx);
		if (ret)
			return ret;
	}
	ctx->objs[slot] = obj;
	ctx->lowest_free = slot + 1;
	obj->id = slot + 1;
	obj->type = type;
	return 0;
}

void uiommu_iobj_tombstone(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	ctx->objs[obj->id - 1] = &ctx->tombstone;
	obj->id = 0;
}

void uiommu_iobj_remove(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	uint32_t slot = obj->id - 1;

	if (!obj->id)
		return;
	ctx->objs[slot] = NULL;
	if (slot < ctx->lowest_free)
		ctx->lowest_free = slot;
	obj->id = 0;
}

struct uiommu_iobj *uiommu_iobj_find(const struct uiommu_iommufd *ctx, uint32_t id,
				     enum uiommu_iobj_type type)
{
	struct uiommu_iobj *obj;

	if (!id || id > ctx->num_objs)
		return NULL;
	obj = ctx->objs[id - 1];
	if (!obj || obj == &ctx->tombstone)
		return NULL;
	return type == UIOMMU_IOBJ_ANY || obj->type == type ? obj : NULL;
}

void uiommu_iobj_destroy(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	switch (obj->type) {
	case UIOMMU_IOBJ_IOAS:
		uiommu_ioas_free(ctx, uiommu_container_of(obj, struct uiommu_ioas, obj));
		break;
	case UIOMMU_IOBJ_HWPT:
	case UIOMMU_IOBJ_NESTED:
		uiommu_hwpt_free(ctx, uiommu_container_of(obj, struct uiommu_hwpt, obj));
		break;
	case UIOMMU_IOBJ_VIOMMU:
		uiommu_iviommu_free(ctx, uiommu_container_of(obj, struct uiommu_iviommu, obj));
		break;
	case UIOMMU_IOBJ_VDEVICE:
		uiommu_ivdevice_free(ctx, uiommu_container_of(obj, struct uiommu_ivdevice, obj));
		break;
	case UIOMMU_IOBJ_VEVENTQ:
		uiommu_veventq_free(ctx, obj);
		break;
	case UIOMMU_IOBJ_HW_QUEUE:
		uiommu_ihw_queue_free(ctx, obj);
		break;
	case UIOMMU_IOBJ_FAULT:
		uiommu_fault_free(ctx, obj);
		break;
	default:
		break;
	}
}

/* A page table uses its address space, so a pass over the numbers may find
 * something still in use that the next pass does not. Devices are gone: each
 * holds the context. */
void uiommu_iobj_destroy_all(struct uiommu_iommufd *ctx)
{
	bool progress = true;

	while (progress) {
		progress = false;
		for (uint32_t i = 0; i < ctx->num_objs; i++) {
			if (!ctx->objs[i] || ctx->objs[i] == &ctx->tombstone || ctx->objs[i]->users)
				continue;
			uiommu_iobj_destroy(ctx, ctx->objs[i]);
			progress = true;
		}
	}
	if (ctx->objs)
		uiommu_iommufd_free(ctx, ctx->objs, ctx->num_objs * sizeof(*ctx->objs));
	ctx->objs = NULL;
	ctx->num_objs = 0;
}
