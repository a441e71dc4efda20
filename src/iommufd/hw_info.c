/* SPDX-License-Identifier: MIT */
/*
 * hw_info.c - GET_HW_INFO: what the IOMMU in front of a device says of itself
 */
#include "internal.h"

/* A program may ask for one kind of description by its number. */
static unsigned wanted(const struct uiommu_abi_iommu_hw_info *cmd)
{
	return cmd->flags & UIOMMU_ABI_IOMMU_HW_INFO_FLAG_INPUT_TYPE ?
	       cmd->in_data_type : UIOMMU_ABI_IOMMU_HW_INFO_TYPE_DEFAULT;
}

/* As much as there is room for; the rest of the room becomes zero. */
static int put_data(const struct uiommu_icall *c, const struct uiommu_hw_info *info)
{
	const struct uiommu_abi_iommu_hw_info *cmd = c->cmd;
	uint64_t n = cmd->data_len < info->bytes ? cmd->data_len : info->bytes;

	if (n && uiommu_icall_copy_out(c, cmd->data_uptr, info->data, n))
		return -UIOMMU_EFAULT;
	return uiommu_icall_zero(c, cmd->data_uptr + n, cmd->data_len - n);
}

static int check(const struct uiommu_abi_iommu_hw_info *cmd)
{
	if (cmd->flags & ~UIOMMU_ABI_IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->__reserved[0] || cmd->__reserved[1] || cmd->__reserved[2])
		return -UIOMMU_EOPNOTSUPP;
	return 0;
}

int uiommu_icall_get_hw_info(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_hw_info *cmd = c->cmd;
	struct uiommu_hw_info info = { 0 };
	const struct uiommu_iommufd_dev *idev;
	struct uiommu_iobj *obj;
	int ret = check(cmd);

	if (ret)
		return ret;
	obj = uiommu_iobj_find(c->ctx, cmd->dev_id, UIOMMU_IOBJ_DEVICE);
	if (!obj)
		return -UIOMMU_ENOENT;
	idev = uiommu_container_of(obj, struct uiommu_iommufd_dev, obj);
	ret = uiommu_device_hw_info(idev->dev, wanted(cmd), &info);
	if (ret)
		return ret;
	ret = put_data(c, &info);
	if (ret)
		return ret;
	cmd->data_len = (uint32_t)info.bytes;
	cmd->out_data_type = info.type;
	cmd->out_max_pasid_log2 = (uint8_t)uiommu_device_pasid_bits(idev->dev);
	cmd->out_capabilities = info.capabilities;
	return uiommu_icall_respond(c);
}
