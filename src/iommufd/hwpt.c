/* SPDX-License-Identifier: MIT */
/*
 * hwpt.c - a context's handle on a domain: a page table of an address space
 */
#include "internal.h"

#define VALID_FLAGS (UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT |		\
		     UIOMMU_ABI_IOMMU_HWPT_ALLOC_DIRTY_TRACKING |	\
		     UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID |		\
		     UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID)
/* what no driver here can do: a stage-2 parent, dirty bits */
#define REFUSED_FLAGS (UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT |	\
		       UIOMMU_ABI_IOMMU_HWPT_ALLOC_DIRTY_TRACKING)

static char *put_text(char *p, const char *text)
{
	while (*text)
		*p++ = *text++;
	return p;
}

static char *put_number(char *p, uint32_t v)
{
	char digits[10];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = digits[--n];
	return p;
}

/* What people see it as when they ask who is attached to what. */
static void set_name(const struct uiommu_hwpt *hwpt)
{
	char name[32], *p = name;

	p = put_text(p, "IOAS ");
	p = put_number(p, hwpt->ioas->obj.id);
	p = put_text(p, " HWPT ");
	p = put_number(p, hwpt->obj.id);
	*p = 0;
	uiommu_domain_set_name(hwpt->dom, name);
}

static int init_hwpt(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt,
		     struct uiommu_iommufd_dev *idev)
{
	int ret = uiommu_iobj_add(ctx, &hwpt->obj, UIOMMU_IOBJ_HWPT);

	if (ret)
		return ret;
	ret = uiommu_domain_alloc_paging(idev->dev,
					 hwpt->pasid_compat ? UIOMMU_DOMAIN_ALLOC_PASID : 0,
					 &hwpt->dom);
	if (ret)
		return ret;
	uiommu_domain_info(hwpt->dom, &hwpt->info);
	set_name(hwpt);
	ret = uiommu_iopt_add_hwpt(ctx, &hwpt->ioas->iopt, hwpt);
	if (ret)
		uiommu_domain_free(hwpt->dom);
	return ret;
}

int uiommu_hwpt_create(struct uiommu_iommufd *ctx, struct uiommu_ioas *ioas,
		       struct uiommu_iommufd_dev *idev, unsigned flags, struct uiommu_hwpt **out)
{
	struct uiommu_hwpt *hwpt;
	int ret;

	if ((flags & ~VALID_FLAGS) || (flags & REFUSED_FLAGS))
		return -UIOMMU_EOPNOTSUPP;
	hwpt = uiommu_iommufd_alloc(ctx, sizeof(*hwpt));
	if (!hwpt)
		return -UIOMMU_ENOMEM;
	hwpt->ioas = ioas;
	hwpt->pasid_compat = flags & UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID;
	ret = init_hwpt(ctx, hwpt, idev);
	if (ret) {
		uiommu_iobj_remove(ctx, &hwpt->obj);
		uiommu_iommufd_free(ctx, hwpt, sizeof(*hwpt));
		return ret;
	}
	ioas->obj.users++;
	*out = hwpt;
	return 0;
}

void uiommu_hwpt_free(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt)
{
	uiommu_iobj_remove(ctx, &hwpt->obj);
	uiommu_iopt_remove_hwpt(ctx, &hwpt->ioas->iopt, hwpt);
	uiommu_domain_free(hwpt->dom);
	hwpt->ioas->obj.users--;
	uiommu_iommufd_free(ctx, hwpt, sizeof(*hwpt));
}

/* ---- doorbells ---- */

static bool has_msi(const uint64_t *map, unsigned n)
{
	return map[n / 64] >> n % 64 & 1;
}

static uiommu_iova_t msi_iova(const struct uiommu_iommufd *ctx, unsigned n)
{
	return ctx->cfg.msi_base + n * UIOMMU_IOMMUFD_PAGE;
}

/* What was mapped stays when a later one fails: it is no more than another
 * device on this page table might ask for, and goes with the last RID. */
int uiommu_hwpt_map_msi(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt,
			const uint64_t *want)
{
	for (unsigned n = 0; n < ctx->num_msi; n++) {
		int ret;

		if (!has_msi(want, n) || has_msi(hwpt->msi, n))
			continue;
		ret = uiommu_map(hwpt->dom, msi_iova(ctx, n), ctx->msi_pa[n], UIOMMU_IOMMUFD_PAGE,
				 UIOMMU_PROT_WRITE | UIOMMU_PROT_MMIO, NULL);
		if (ret)
			return ret;
		hwpt->msi[n / 64] |= 1ull << n % 64;
	}
	return 0;
}

void uiommu_hwpt_unmap_msi(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt)
{
	for (unsigned n = 0; n < ctx->num_msi; n++)
		if (has_msi(hwpt->msi, n))
			uiommu_unmap(hwpt->dom, msi_iova(ctx, n), UIOMMU_IOMMUFD_PAGE, NULL);
	memset(hwpt->msi, 0, sizeof(hwpt->msi));
}

/* ---- ioctls ---- */

static struct uiommu_hwpt *find_hwpt(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_HWPT);

	return obj ? uiommu_container_of(obj, struct uiommu_hwpt, obj) : NULL;
}

static struct uiommu_iommufd_dev *find_dev(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_DEVICE);

	return obj ? uiommu_container_of(obj, struct uiommu_iommufd_dev, obj) : NULL;
}

/* Which object a new page table is made from decides its kind: an IOAS gives a
 * paging one; a parent would give a nested one, which no driver here has. */
static int alloc_from(const struct uiommu_icall *c, struct uiommu_iommufd_dev *idev,
		      struct uiommu_iobj *pt, struct uiommu_hwpt **out)
{
	const struct uiommu_abi_iommu_hwpt_alloc *cmd = c->cmd;

	if (!pt || pt->type == UIOMMU_IOBJ_DEVICE)
		return -UIOMMU_EINVAL;
	if (pt->type == UIOMMU_IOBJ_HWPT || cmd->data_len)
		return -UIOMMU_EOPNOTSUPP;
	return uiommu_hwpt_create(c->ctx, uiommu_container_of(pt, struct uiommu_ioas, obj), idev,
				  cmd->flags, out);
}

int uiommu_icall_hwpt_alloc(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_hwpt_alloc *cmd = c->cmd;
	struct uiommu_iommufd_dev *idev;
	struct uiommu_hwpt *hwpt;
	int ret;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	if (!cmd->data_len != (cmd->data_type == UIOMMU_ABI_IOMMU_HWPT_DATA_NONE))
		return -UIOMMU_EINVAL;
	idev = find_dev(c, cmd->dev_id);
	if (!idev)
		return -UIOMMU_ENOENT;
	ret = alloc_from(c, idev, uiommu_iobj_find(c->ctx, cmd->pt_id, UIOMMU_IOBJ_ANY), &hwpt);
	if (ret)
		return ret;
	cmd->out_hwpt_id = hwpt->obj.id;
	/* there are no fault queues, so the one named does not exist */
	ret = cmd->flags & UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID ? -UIOMMU_ENOENT
							   : uiommu_icall_respond(c);
	if (ret)
		uiommu_hwpt_free(c->ctx, hwpt);
	return ret;
}

int uiommu_icall_set_dirty_tracking(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hwpt_set_dirty_tracking *cmd = c->cmd;

	if (cmd->flags & ~UIOMMU_ABI_IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -UIOMMU_EOPNOTSUPP;
	return find_hwpt(c, cmd->hwpt_id) ? -UIOMMU_EOPNOTSUPP : -UIOMMU_ENOENT;
}

int uiommu_icall_get_dirty_bitmap(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hwpt_get_dirty_bitmap *cmd = c->cmd;

	if ((cmd->flags & ~UIOMMU_ABI_IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) || cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	return find_hwpt(c, cmd->hwpt_id) ? -UIOMMU_EOPNOTSUPP : -UIOMMU_ENOENT;
}

/* Limits on one call, as Linux 7.3 sets them. */
#define INVALIDATE_ENTRIES_MAX	(1u << 19)
#define INVALIDATE_ENTRY_MAX	4096u

static int check_invalidate(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->entry_num && (!cmd->data_uptr || !cmd->entry_len ||
			       cmd->entry_len > INVALIDATE_ENTRY_MAX ||
			       cmd->entry_num > INVALIDATE_ENTRIES_MAX))
		return -UIOMMU_EINVAL;
	if (!uiommu_iobj_find(c->ctx, cmd->hwpt_id, UIOMMU_IOBJ_ANY))
		return -UIOMMU_ENOENT;
	return -UIOMMU_EINVAL;		/* neither nested nor a vIOMMU: there are none */
}

int uiommu_icall_hwpt_invalidate(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_hwpt_invalidate *cmd = c->cmd;
	int ret = check_invalidate(c);

	cmd->entry_num = 0;		/* handled entries, also on failure */
	if (uiommu_icall_respond(c))
		return -UIOMMU_EFAULT;
	return ret;
}

/*
 * A VM's slice of an IOMMU needs nesting, which no driver here has: Linux says
 * the same on such hardware, after looking at the arguments. What needs a slice
 * to be named can then only be given one that does not exist.
 */
int uiommu_icall_viommu_alloc(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_viommu_alloc *cmd = c->cmd;

	if (cmd->flags || cmd->type == UIOMMU_ABI_IOMMU_VIOMMU_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	return find_dev(c, cmd->dev_id) ? -UIOMMU_EOPNOTSUPP : -UIOMMU_ENOENT;
}

int uiommu_icall_vdevice_alloc(const struct uiommu_icall *c)
{
	return -UIOMMU_ENOENT;
}

#define VEVENTQ_DEPTH_MAX	(1u << 19)

int uiommu_icall_veventq_alloc(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_veventq_alloc *cmd = c->cmd;

	if (cmd->flags || cmd->__reserved || cmd->type == UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > VEVENTQ_DEPTH_MAX)
		return -UIOMMU_EINVAL;
	return -UIOMMU_ENOENT;
}

int uiommu_icall_hw_queue_alloc(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hw_queue_alloc *cmd = c->cmd;

	if (cmd->flags || cmd->type == UIOMMU_ABI_IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	if (!cmd->length)
		return -UIOMMU_EINVAL;
	if (cmd->nesting_parent_iova > UINT64_MAX - (cmd->length - 1))
		return -UIOMMU_EOVERFLOW;
	return -UIOMMU_ENOENT;
}
