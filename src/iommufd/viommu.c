/* SPDX-License-Identifier: MIT */
/*
 * viommu.c - a VM's slice of an IOMMU, the devices it has, and what the VM invalidates
 *
 * What these are to hardware is the core's affair (uiommu/nested.h); here they get
 * numbers, and hold each other so that a program may destroy them in any order that
 * makes sense and gets -EBUSY for the others.
 */
#include "internal.h"

struct uiommu_iviommu *uiommu_icall_find_viommu(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_VIOMMU);

	return obj ? uiommu_container_of(obj, struct uiommu_iviommu, obj) : NULL;
}

void uiommu_iviommu_lock(struct uiommu_iviommu *iv)
{
	if (iv->host->lock)
		iv->host->lock(iv->host->ctx, &iv->lock);
}

void uiommu_iviommu_unlock(struct uiommu_iviommu *iv)
{
	if (iv->host->unlock)
		iv->host->unlock(iv->host->ctx, &iv->lock);
}

/* ---- VIOMMU_ALLOC ---- */

static void free_retired(struct uiommu_retire *r)
{
	struct uiommu_iviommu *iv = uiommu_container_of(r, struct uiommu_iviommu, retire);
	const struct uiommu_host *h = iv->host;

	if (h->lock_fini)
		h->lock_fini(h->ctx, &iv->lock);
	h->free(h->ctx, iv, sizeof(*iv));
}

/* Registers for the VM's own hands, where the type has them. */
static void add_region(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv)
{
	size_t bytes;

	if (uiommu_viommu_mmio(iv->v, &iv->region.mmio, &bytes))
		return;
	iv->region.owner = &iv->obj;
	uiommu_region_add(ctx, &iv->region, bytes);
}

static int init_viommu(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv, unsigned type,
		       struct uiommu_iommufd_dev *idev)
{
	const struct uiommu_viommu_config cfg = {
		.parent = iv->parent->dom, .dev = idev->dev, .type = type,
		.event = uiommu_veventq_tell, .ctx = iv,
	};
	int ret = uiommu_iobj_add(ctx, &iv->obj, UIOMMU_IOBJ_VIOMMU);

	if (ret)
		return ret;
	ret = uiommu_viommu_alloc(&cfg, &iv->v);
	if (ret)
		uiommu_iobj_remove(ctx, &iv->obj);
	else
		add_region(ctx, iv);
	return ret;
}

static int create_viommu(struct uiommu_iommufd *ctx, struct uiommu_hwpt *parent, unsigned type,
			 struct uiommu_iommufd_dev *idev, struct uiommu_iviommu **out)
{
	struct uiommu_iviommu *iv = uiommu_iommufd_alloc(ctx, sizeof(*iv));
	int ret;

	if (!iv)
		return -UIOMMU_ENOMEM;
	iv->host = ctx->cfg.host;
	iv->parent = parent;
	iv->iommu = uiommu_device_iommu(idev->dev);
	ret = iv->host->lock_init ?
		iv->host->lock_init(iv->host->ctx, &iv->lock, UIOMMU_LOCK_SPIN) : 0;
	if (ret) {
		uiommu_iommufd_free(ctx, iv, sizeof(*iv));
		return ret;
	}
	ret = init_viommu(ctx, iv, type, idev);
	if (ret) {
		free_retired(&iv->retire);
		return ret;
	}
	parent->obj.users++;
	*out = iv;
	return 0;
}

void uiommu_iviommu_free(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv)
{
	uiommu_iobj_remove(ctx, &iv->obj);
	uiommu_region_remove(&iv->region);
	uiommu_viommu_free(iv->v);
	iv->parent->obj.users--;
	/* an event that is being told may still look at it */
	iv->retire.fn = free_retired;
	if (iv->host->retire)
		iv->host->retire(iv->host->ctx, &iv->retire);
	else
		free_retired(&iv->retire);
}

/* What comes with a type. Linux reads all of it first, though all of it is out. */
static int check_data(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_viommu_alloc *cmd = c->cmd;
	struct uiommu_abi_iommu_viommu_tegra241_cmdqv data;

	if (cmd->type != UIOMMU_ABI_IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV)
		return 0;
	if (cmd->data_len != sizeof(data))
		return -UIOMMU_EINVAL;
	return uiommu_icall_copy_in(c, &data, cmd->data_uptr, sizeof(data));
}

static int put_data(const struct uiommu_icall *c, const struct uiommu_iviommu *iv)
{
	const struct uiommu_abi_iommu_viommu_alloc *cmd = c->cmd;
	const struct uiommu_range *r = &iv->region.r;
	const struct uiommu_abi_iommu_viommu_tegra241_cmdqv data = {
		.out_vintf_mmap_offset = r->start, .out_vintf_mmap_length = r->last - r->start + 1,
	};

	if (cmd->type != UIOMMU_ABI_IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV)
		return 0;
	return uiommu_icall_copy_out(c, cmd->data_uptr, &data, sizeof(data));
}

/* As Linux looks: the device, what its IOMMU can, then the parent, then the data. */
static int viommu_alloc(const struct uiommu_icall *c, struct uiommu_iviommu **out)
{
	const struct uiommu_abi_iommu_viommu_alloc *cmd = c->cmd;
	struct uiommu_iommufd_dev *idev;
	struct uiommu_hwpt *hwpt;
	int ret;

	if (cmd->flags || cmd->type == UIOMMU_ABI_IOMMU_VIOMMU_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	idev = uiommu_icall_find_dev(c, cmd->dev_id);
	if (!idev)
		return -UIOMMU_ENOENT;
	if (!uiommu_device_has_viommu(idev->dev, cmd->type))
		return -UIOMMU_EOPNOTSUPP;
	hwpt = uiommu_icall_find_hwpt(c, cmd->hwpt_id);
	if (!hwpt)
		return -UIOMMU_ENOENT;
	if (!hwpt->nest_parent)
		return -UIOMMU_EINVAL;
	ret = check_data(c);
	return ret ? ret : create_viommu(c->ctx, hwpt, cmd->type, idev, out);
}

int uiommu_icall_viommu_alloc(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_viommu_alloc *cmd = c->cmd;
	struct uiommu_iviommu *iv;
	int ret = viommu_alloc(c, &iv);

	if (ret)
		return ret;
	cmd->out_viommu_id = iv->obj.id;
	ret = put_data(c, iv);
	if (!ret)
		ret = uiommu_icall_respond(c);
	if (ret)
		uiommu_iviommu_free(c->ctx, iv);
	return ret;
}

/* ---- VDEVICE_ALLOC ---- */

static int create_vdevice(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv,
			  struct uiommu_iommufd_dev *idev, uint64_t virt_id,
			  struct uiommu_ivdevice **out)
{
	struct uiommu_ivdevice *ivd = uiommu_iommufd_alloc(ctx, sizeof(*ivd));
	int ret;

	if (!ivd)
		return -UIOMMU_ENOMEM;
	ivd->viommu = iv;
	ivd->idev = idev;
	ret = uiommu_iobj_add(ctx, &ivd->obj, UIOMMU_IOBJ_VDEVICE);
	if (!ret)
		ret = uiommu_vdevice_alloc(iv->v, idev->dev, virt_id, &ivd->vd);
	if (ret) {
		uiommu_iobj_remove(ctx, &ivd->obj);
		uiommu_iommufd_free(ctx, ivd, sizeof(*ivd));
		return ret;
	}
	iv->obj.users++;
	idev->vdevice = ivd;
	*out = ivd;
	return 0;
}

static void end_vdevice(struct uiommu_iommufd *ctx, struct uiommu_ivdevice *ivd)
{
	uiommu_vdevice_free(ivd->vd);
	ivd->viommu->obj.users--;
	ivd->idev->vdevice = NULL;
	uiommu_iommufd_free(ctx, ivd, sizeof(*ivd));
}

void uiommu_ivdevice_free(struct uiommu_iommufd *ctx, struct uiommu_ivdevice *ivd)
{
	uiommu_iobj_remove(ctx, &ivd->obj);
	end_vdevice(ctx, ivd);
}

/* The program still knows the number: it must not come to mean something else. */
void uiommu_ivdevice_orphan(struct uiommu_iommufd *ctx, struct uiommu_ivdevice *ivd)
{
	uiommu_iobj_tombstone(ctx, &ivd->obj);
	end_vdevice(ctx, ivd);
}

static int vdevice_alloc(const struct uiommu_icall *c, struct uiommu_ivdevice **out)
{
	const struct uiommu_abi_iommu_vdevice_alloc *cmd = c->cmd;
	struct uiommu_iviommu *iv = uiommu_icall_find_viommu(c, cmd->viommu_id);
	struct uiommu_iommufd_dev *idev = uiommu_icall_find_dev(c, cmd->dev_id);

	if (!iv || !idev)
		return -UIOMMU_ENOENT;
	if (uiommu_device_iommu(idev->dev) != iv->iommu)
		return -UIOMMU_EINVAL;
	if (idev->vdevice)
		return -UIOMMU_EEXIST;
	return create_vdevice(c->ctx, iv, idev, cmd->virt_id, out);
}

int uiommu_icall_vdevice_alloc(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_vdevice_alloc *cmd = c->cmd;
	struct uiommu_ivdevice *ivd;
	int ret = vdevice_alloc(c, &ivd);

	if (ret)
		return ret;
	cmd->out_vdevice_id = ivd->obj.id;
	ret = uiommu_icall_respond(c);
	if (ret)
		uiommu_ivdevice_free(c->ctx, ivd);
	return ret;
}

/* ---- HWPT_INVALIDATE ---- */

/* Limits on one call, as Linux 7.3 sets them. */
#define INVALIDATE_ENTRIES_MAX	(1u << 19)
#define INVALIDATE_ENTRY_MAX	4096u
#define INVALIDATE_CHUNK	64u
#define ENTRY_BYTES		16u		/* iommu_viommu_arm_smmuv3_invalidate */

/* One entry of the program's, which may be shorter or longer than ours. */
static int copy_entry(const struct uiommu_icall *c, void *dst, uint64_t src, uint32_t len)
{
	uint32_t n = len < ENTRY_BYTES ? len : ENTRY_BYTES;

	memset(dst, 0, ENTRY_BYTES);
	if (len > n) {
		int ret = uiommu_icall_check_zero(c, src + n, len - n);

		if (ret)
			return ret;
	}
	return uiommu_icall_copy_in(c, dst, src, n);
}

/* Some of them from number @first on; what could be copied is done first. */
static int invalidate_some(const struct uiommu_icall *c, struct uiommu_iviommu *iv, uint32_t first,
			   uint32_t n, size_t *handled)
{
	const struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;
	unsigned char buf[INVALIDATE_CHUNK * ENTRY_BYTES];
	struct uiommu_user_data inv = { cmd->data_type, buf, 0 };
	uint32_t i;
	int ret = 0, err;

	for (i = 0; i < n && !ret; i++)
		ret = copy_entry(c, buf + i * ENTRY_BYTES,
				 cmd->data_uptr + (uint64_t)(first + i) * cmd->entry_len,
				 cmd->entry_len);
	i -= ret != 0;
	inv.bytes = (size_t)i * ENTRY_BYTES;
	err = uiommu_cache_invalidate(iv->v, &inv, i, handled);
	return err ? err : ret;
}

static int invalidate_all(const struct uiommu_icall *c, struct uiommu_iviommu *iv, uint32_t *done)
{
	const struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;
	int ret = 0;

	do {
		uint32_t left = cmd->entry_num - *done;
		size_t handled;

		ret = invalidate_some(c, iv, *done,
				      left < INVALIDATE_CHUNK ? left : INVALIDATE_CHUNK, &handled);
		*done += (uint32_t)handled;
	} while (!ret && *done < cmd->entry_num);
	return ret;
}

static int invalidate(const struct uiommu_icall *c, uint32_t *done)
{
	const struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;
	struct uiommu_iobj *obj;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->entry_num && (!cmd->data_uptr || !cmd->entry_len ||
			       cmd->entry_len > INVALIDATE_ENTRY_MAX ||
			       cmd->entry_num > INVALIDATE_ENTRIES_MAX))
		return -UIOMMU_EINVAL;
	obj = uiommu_iobj_find(c->ctx, cmd->hwpt_id, UIOMMU_IOBJ_ANY);
	if (!obj)
		return -UIOMMU_ENOENT;
	if (obj->type == UIOMMU_IOBJ_NESTED)	/* SMMUv3 takes them by the vIOMMU alone */
		return -UIOMMU_EOPNOTSUPP;
	if (obj->type != UIOMMU_IOBJ_VIOMMU)
		return -UIOMMU_EINVAL;
	return invalidate_all(c, uiommu_container_of(obj, struct uiommu_iviommu, obj), done);
}

int uiommu_icall_hwpt_invalidate(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;
	uint32_t done = 0;
	int ret = invalidate(c, &done);

	cmd->entry_num = done;		/* handled entries, also on failure */
	if (uiommu_icall_respond(c))
		return -UIOMMU_EFAULT;
	return ret;
}
