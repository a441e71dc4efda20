/* SPDX-License-Identifier: MIT */
/*
 * hwpt.c - a context's handle on a domain: a page table of an address space
 */
#include "internal.h"

#define VALID_FLAGS (UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT |		\
		     UIOMMU_ABI_IOMMU_HWPT_ALLOC_DIRTY_TRACKING |	\
		     UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID |		\
		     UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID)
/* what is not carried through to the end here: dirty bits */
#define REFUSED_FLAGS UIOMMU_ABI_IOMMU_HWPT_ALLOC_DIRTY_TRACKING
/* what lies below a guest's tables answers no page requests of its own */
#define PARENT_FAULTS (UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT |		\
		       UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID)

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
					 (hwpt->pasid_compat ? UIOMMU_DOMAIN_ALLOC_PASID : 0) |
					 (hwpt->nest_parent ? UIOMMU_DOMAIN_ALLOC_NEST_PARENT : 0),
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

	if ((flags & ~VALID_FLAGS) || (flags & REFUSED_FLAGS) ||
	    (flags & PARENT_FAULTS) == PARENT_FAULTS)
		return -UIOMMU_EOPNOTSUPP;
	hwpt = uiommu_iommufd_alloc(ctx, sizeof(*hwpt));
	if (!hwpt)
		return -UIOMMU_ENOMEM;
	hwpt->ioas = ioas;
	hwpt->pasid_compat = flags & UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID;
	hwpt->nest_parent = flags & UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT;
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

/* ---- on top of one of those ---- */

static void set_nested_name(const struct uiommu_hwpt *hwpt)
{
	char name[32], *p = put_text(name, "nested HWPT ");

	p = put_number(p, hwpt->obj.id);
	p = put_text(p, " on ");
	p = put_number(p, hwpt->parent->obj.id);
	*p = 0;
	uiommu_domain_set_name(hwpt->dom, name);
}

static int init_nested(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt,
		       struct uiommu_iommufd_dev *idev, const struct uiommu_user_data *user)
{
	int ret = uiommu_iobj_add(ctx, &hwpt->obj, UIOMMU_IOBJ_NESTED);

	if (ret)
		return ret;
	ret = uiommu_domain_alloc_nested(hwpt->parent->dom, hwpt->viommu->v, idev->dev, user,
					 &hwpt->dom);
	if (ret)
		uiommu_iobj_remove(ctx, &hwpt->obj);
	else
		set_nested_name(hwpt);
	return ret;
}

static int create_nested(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv,
			 struct uiommu_iommufd_dev *idev, const struct uiommu_user_data *user,
			 struct uiommu_hwpt **out)
{
	struct uiommu_hwpt *hwpt = uiommu_iommufd_alloc(ctx, sizeof(*hwpt));
	int ret;

	if (!hwpt)
		return -UIOMMU_ENOMEM;
	hwpt->parent = iv->parent;
	hwpt->viommu = iv;
	hwpt->ioas = iv->parent->ioas;
	ret = init_nested(ctx, hwpt, idev, user);
	if (ret) {
		uiommu_iommufd_free(ctx, hwpt, sizeof(*hwpt));
		return ret;
	}
	hwpt->parent->obj.users++;
	iv->obj.users++;
	*out = hwpt;
	return 0;
}

static void free_nested(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt)
{
	uiommu_iobj_remove(ctx, &hwpt->obj);
	uiommu_domain_free(hwpt->dom);
	if (hwpt->fault)
		hwpt->fault->users--;
	hwpt->viommu->obj.users--;
	hwpt->parent->obj.users--;
	uiommu_iommufd_free(ctx, hwpt, sizeof(*hwpt));
}

void uiommu_hwpt_free(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt)
{
	if (hwpt->parent) {
		free_nested(ctx, hwpt);
		return;
	}
	uiommu_iobj_remove(ctx, &hwpt->obj);
	uiommu_iopt_remove_hwpt(ctx, &hwpt->ioas->iopt, hwpt);
	uiommu_domain_free(hwpt->dom);
	hwpt->ioas->obj.users--;
	if (hwpt->fault)
		hwpt->fault->users--;
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

struct uiommu_hwpt *uiommu_icall_find_hwpt(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_HWPT);

	return obj ? uiommu_container_of(obj, struct uiommu_hwpt, obj) : NULL;
}

struct uiommu_iommufd_dev *uiommu_icall_find_dev(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_DEVICE);

	return obj ? uiommu_container_of(obj, struct uiommu_iommufd_dev, obj) : NULL;
}

#define USER_DATA_MAX	64u

/* What a guest says of an entry: copied once, so that it cannot change its mind. */
static int alloc_nested(const struct uiommu_icall *c, struct uiommu_iommufd_dev *idev,
			struct uiommu_iviommu *iv, struct uiommu_hwpt **out)
{
	const struct uiommu_abi_iommu_hwpt_alloc *cmd = c->cmd;
	unsigned char buf[USER_DATA_MAX];
	const struct uiommu_user_data user = { cmd->data_type, buf, cmd->data_len };
	int ret;

	if (cmd->flags & ~UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID || !cmd->data_len)
		return -UIOMMU_EOPNOTSUPP;
	if (uiommu_device_iommu(idev->dev) != iv->iommu)
		return -UIOMMU_EINVAL;
	if (cmd->data_len > sizeof(buf))
		return -UIOMMU_EINVAL;
	ret = uiommu_icall_copy_in(c, buf, cmd->data_uptr, cmd->data_len);
	return ret ? ret : create_nested(c->ctx, iv, idev, &user, out);
}

/* Which object a new page table is made from decides its kind: an IOAS gives a paging
 * one, a VM's slice a nested one. SMMUv3 has none on a parent without a slice. */
static int alloc_from(const struct uiommu_icall *c, struct uiommu_iommufd_dev *idev,
		      struct uiommu_iobj *pt, struct uiommu_hwpt **out)
{
	const struct uiommu_abi_iommu_hwpt_alloc *cmd = c->cmd;

	if (!pt)
		return -UIOMMU_EINVAL;
	switch (pt->type) {
	case UIOMMU_IOBJ_HWPT:
		return -UIOMMU_EOPNOTSUPP;
	case UIOMMU_IOBJ_VIOMMU:
		return alloc_nested(c, idev, uiommu_container_of(pt, struct uiommu_iviommu, obj),
				    out);
	case UIOMMU_IOBJ_IOAS:
		if (cmd->data_len)
			return -UIOMMU_EOPNOTSUPP;
		return uiommu_hwpt_create(c->ctx, uiommu_container_of(pt, struct uiommu_ioas, obj),
					  idev, cmd->flags, out);
	default:
		return -UIOMMU_EINVAL;
	}
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
	idev = uiommu_icall_find_dev(c, cmd->dev_id);
	if (!idev)
		return -UIOMMU_ENOENT;
	ret = alloc_from(c, idev, uiommu_iobj_find(c->ctx, cmd->pt_id, UIOMMU_IOBJ_ANY), &hwpt);
	if (ret)
		return ret;
	cmd->out_hwpt_id = hwpt->obj.id;
	if (cmd->flags & UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID)
		ret = uiommu_hwpt_set_fault(c, hwpt, cmd->fault_id);
	if (!ret)
		ret = uiommu_icall_respond(c);
	if (ret)
		uiommu_hwpt_free(c->ctx, hwpt);
	return ret;
}

int uiommu_icall_set_dirty_tracking(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hwpt_set_dirty_tracking *cmd = c->cmd;

	if (cmd->flags & ~UIOMMU_ABI_IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -UIOMMU_EOPNOTSUPP;
	return uiommu_icall_find_hwpt(c, cmd->hwpt_id) ? -UIOMMU_EOPNOTSUPP : -UIOMMU_ENOENT;
}

int uiommu_icall_get_dirty_bitmap(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_hwpt_get_dirty_bitmap *cmd = c->cmd;

	if ((cmd->flags & ~UIOMMU_ABI_IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) || cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	return uiommu_icall_find_hwpt(c, cmd->hwpt_id) ? -UIOMMU_EOPNOTSUPP : -UIOMMU_ENOENT;
}
