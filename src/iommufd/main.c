/* SPDX-License-Identifier: MIT */
/*
 * main.c - contexts, and one table that says what an ioctl number means
 *
 * Every structure begins with its own size. A program built against an older
 * header sends a shorter one (the rest is zero), one built against a newer
 * header a longer one, which is fine as long as what we do not know is zero.
 */
#include "internal.h"

const char uiommu_iommufd_kind[] = "iommufd";

#define SCAN_CHUNK	4096u

void *uiommu_iommufd_alloc(const struct uiommu_iommufd *ctx, size_t bytes)
{
	return ctx->cfg.host->alloc(ctx->cfg.host->ctx, bytes);
}

void uiommu_iommufd_free(const struct uiommu_iommufd *ctx, void *p, size_t bytes)
{
	ctx->cfg.host->free(ctx->cfg.host->ctx, p, bytes);
}

void uiommu_iommufd_lock(struct uiommu_iommufd *ctx)
{
	if (ctx->cfg.host->lock)
		ctx->cfg.host->lock(ctx->cfg.host->ctx, &ctx->lock);
}

void uiommu_iommufd_unlock(struct uiommu_iommufd *ctx)
{
	if (ctx->cfg.host->unlock)
		ctx->cfg.host->unlock(ctx->cfg.host->ctx, &ctx->lock);
}

/* ---- copying ---- */

int uiommu_icall_copy_in(const struct uiommu_icall *c, void *dst, uint64_t src, size_t bytes)
{
	const struct uiommu_uaccess *ua = c->ctx->cfg.uaccess;

	return ua->copy_in(ua->ctx, c->as, dst, src, bytes);
}

int uiommu_icall_copy_out(const struct uiommu_icall *c, uint64_t dst, const void *src,
			  size_t bytes)
{
	const struct uiommu_uaccess *ua = c->ctx->cfg.uaccess;

	return ua->copy_out(ua->ctx, c->as, dst, src, bytes);
}

int uiommu_icall_zero(const struct uiommu_icall *c, uint64_t dst, uint64_t bytes)
{
	static const unsigned char zeros[SCAN_CHUNK];

	while (bytes) {
		size_t n = bytes < sizeof(zeros) ? (size_t)bytes : sizeof(zeros);
		int ret = uiommu_icall_copy_out(c, dst, zeros, n);

		if (ret)
			return ret;
		dst += n;
		bytes -= n;
	}
	return 0;
}

int uiommu_icall_respond(const struct uiommu_icall *c)
{
	size_t n = c->user_size < c->cmd_size ? c->user_size : c->cmd_size;

	return uiommu_icall_copy_out(c, c->user, c->cmd, n);
}

int uiommu_icall_check_zero(const struct uiommu_icall *c, uint64_t src, uint64_t bytes)
{
	unsigned char buf[SCAN_CHUNK];

	while (bytes) {
		size_t n = bytes < sizeof(buf) ? (size_t)bytes : sizeof(buf);
		int ret = uiommu_icall_copy_in(c, buf, src, n);

		if (ret)
			return ret;
		for (size_t i = 0; i < n; i++)
			if (buf[i])
				return -UIOMMU_E2BIG;
		src += n;
		bytes -= n;
	}
	return 0;
}

/* ---- the table ---- */

union command {
	uint32_t size;
	struct uiommu_abi_iommu_destroy destroy;
	struct uiommu_abi_iommu_ioas_iova_ranges ranges;
	struct uiommu_abi_iommu_ioas_map map;
	struct uiommu_abi_iommu_ioas_copy copy;
	struct uiommu_abi_iommu_hwpt_alloc hwpt;
	struct uiommu_abi_iommu_fault_alloc fault;
	struct uiommu_abi_iommu_hw_info info;
	struct uiommu_abi_iommu_hwpt_get_dirty_bitmap dirty;
	struct uiommu_abi_iommu_viommu_alloc viommu;
	struct uiommu_abi_iommu_hw_queue_alloc hw_queue;
};

static int icall_destroy(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_destroy *cmd = c->cmd;
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, cmd->id, UIOMMU_IOBJ_ANY);

	if (!obj)
		return -UIOMMU_ENOENT;
	if (obj->users)
		return -UIOMMU_EBUSY;
	uiommu_iobj_destroy(c->ctx, obj);
	return 0;
}

struct op {
	uint32_t cmd;
	uint32_t size, min_size;	/* all of it; up to the last required member */
	int (*fn)(const struct uiommu_icall *c);
};

#define OP(NAME, fn, type, last)						\
	[UIOMMU_ABI_##NAME - UIOMMU_ABI_IOMMU_DESTROY] = {			\
		UIOMMU_ABI_##NAME, sizeof(struct uiommu_abi_##type),		\
		offsetof(struct uiommu_abi_##type, last) +			\
			sizeof(((struct uiommu_abi_##type *)0)->last),		\
		fn }

/* Numbers without an entry answer ENOTTY, as a kernel that does not have them. */
static const struct op ops[] = {
	OP(IOMMU_DESTROY, icall_destroy, iommu_destroy, id),
	OP(IOMMU_IOAS_ALLOC, uiommu_icall_ioas_alloc, iommu_ioas_alloc, out_ioas_id),
	OP(IOMMU_IOAS_ALLOW_IOVAS, uiommu_icall_ioas_allow_iovas, iommu_ioas_allow_iovas,
	   allowed_iovas),
	OP(IOMMU_IOAS_COPY, uiommu_icall_ioas_copy, iommu_ioas_copy, src_iova),
	OP(IOMMU_IOAS_IOVA_RANGES, uiommu_icall_ioas_iova_ranges, iommu_ioas_iova_ranges,
	   out_iova_alignment),
	OP(IOMMU_IOAS_MAP, uiommu_icall_ioas_map, iommu_ioas_map, iova),
	OP(IOMMU_IOAS_UNMAP, uiommu_icall_ioas_unmap, iommu_ioas_unmap, length),
	OP(IOMMU_OPTION, uiommu_icall_option, iommu_option, val64),
	OP(IOMMU_VFIO_IOAS, uiommu_icall_vfio_ioas, iommu_vfio_ioas, __reserved),
	OP(IOMMU_HWPT_ALLOC, uiommu_icall_hwpt_alloc, iommu_hwpt_alloc, __reserved),
	OP(IOMMU_GET_HW_INFO, uiommu_icall_get_hw_info, iommu_hw_info, __reserved),
	OP(IOMMU_HWPT_SET_DIRTY_TRACKING, uiommu_icall_set_dirty_tracking,
	   iommu_hwpt_set_dirty_tracking, __reserved),
	OP(IOMMU_HWPT_GET_DIRTY_BITMAP, uiommu_icall_get_dirty_bitmap,
	   iommu_hwpt_get_dirty_bitmap, data),
	OP(IOMMU_HWPT_INVALIDATE, uiommu_icall_hwpt_invalidate, iommu_hwpt_invalidate,
	   __reserved),
	OP(IOMMU_FAULT_QUEUE_ALLOC, uiommu_icall_fault_alloc, iommu_fault_alloc, out_fault_fd),
	OP(IOMMU_VIOMMU_ALLOC, uiommu_icall_viommu_alloc, iommu_viommu_alloc, out_viommu_id),
	OP(IOMMU_VDEVICE_ALLOC, uiommu_icall_vdevice_alloc, iommu_vdevice_alloc, virt_id),
	OP(IOMMU_VEVENTQ_ALLOC, uiommu_icall_veventq_alloc, iommu_veventq_alloc, out_veventq_fd),
	OP(IOMMU_HW_QUEUE_ALLOC, uiommu_icall_hw_queue_alloc, iommu_hw_queue_alloc, length),
};

static const struct op *find_op(uint32_t cmd)
{
	const uint32_t n = cmd - UIOMMU_ABI_IOMMU_DESTROY;

	return n < sizeof(ops) / sizeof(ops[0]) && ops[n].fn ? &ops[n] : NULL;
}

static int load(struct uiommu_icall *c, const struct op *op, union command *cmd)
{
	size_t n = c->user_size < op->size ? c->user_size : op->size;

	if (c->user_size < op->min_size)
		return -UIOMMU_EINVAL;
	memset(cmd, 0, sizeof(*cmd));
	if (c->user_size > op->size) {
		int ret = uiommu_icall_check_zero(c, c->user + op->size, c->user_size - op->size);

		if (ret)
			return ret;
	}
	c->cmd = cmd;
	c->cmd_size = op->size;
	return uiommu_icall_copy_in(c, cmd, c->user, n);
}

/* Numbers in iommufd's range read the size before they are looked up. */
static bool in_range(uint32_t cmd)
{
	return (cmd & 0xff) >= UIOMMU_ABI_IOMMUFD_CMD_BASE &&
	       (cmd & 0xff) < UIOMMU_ABI_IOMMUFD_CMD_BASE + sizeof(ops) / sizeof(ops[0]);
}

static int other_ioctl(const struct uiommu_icall *c, uint32_t cmd)
{
	int ret;

	uiommu_iommufd_lock(c->ctx);
	ret = uiommu_icall_vfio(c, cmd);
	uiommu_iommufd_unlock(c->ctx);
	return ret;
}

int uiommu_iommufd_ioctl(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t cmd,
			 uint64_t arg)
{
	struct uiommu_icall c = { .ctx = ctx, .as = as, .user = arg };
	const struct op *op = find_op(cmd);
	union command buf;
	int ret;

	if (!in_range(cmd))
		return other_ioctl(&c, cmd);
	ret = uiommu_icall_copy_in(&c, &c.user_size, arg, sizeof(c.user_size));
	if (ret)
		return ret;
	if (!op)
		return -UIOMMU_ENOTTY;
	ret = load(&c, op, &buf);
	if (ret)
		return ret;
	uiommu_iommufd_lock(ctx);
	ret = op->fn(&c);
	uiommu_iommufd_unlock(ctx);
	return ret;
}

/* ---- contexts ---- */

static int check_window(const struct uiommu_iommufd_config *cfg)
{
	const uint64_t mask = UIOMMU_IOMMUFD_PAGE - 1;

	if ((cfg->msi_base | cfg->msi_bytes) & mask)
		return -UIOMMU_EINVAL;
	if (cfg->msi_bytes && cfg->msi_base > UINT64_MAX - (cfg->msi_bytes - 1))
		return -UIOMMU_EINVAL;
	return 0;
}

int uiommu_iommufd_create(const struct uiommu_iommufd_config *cfg, struct uiommu_iommufd **out)
{
	const uint64_t pages = cfg->msi_bytes / UIOMMU_IOMMUFD_PAGE;
	struct uiommu_iommufd *ctx;
	int ret = check_window(cfg);

	if (ret)
		return ret;
	ctx = cfg->host->alloc(cfg->host->ctx, sizeof(*ctx));
	if (!ctx)
		return -UIOMMU_ENOMEM;
	ctx->cfg = *cfg;
	ctx->num_msi_max = pages < UIOMMU_MSI_PAGES ? (unsigned)pages : UIOMMU_MSI_PAGES;
	ctx->refs = 1;
	if (cfg->host->lock_init)
		ret = cfg->host->lock_init(cfg->host->ctx, &ctx->lock, UIOMMU_LOCK_MUTEX);
	if (ret) {
		uiommu_iommufd_free(ctx, ctx, sizeof(*ctx));
		return ret;
	}
	*out = ctx;
	return 0;
}

void uiommu_iommufd_get(struct uiommu_iommufd *ctx)
{
	uiommu_iommufd_lock(ctx);
	ctx->refs++;
	uiommu_iommufd_unlock(ctx);
}

void uiommu_iommufd_put(struct uiommu_iommufd *ctx)
{
	const struct uiommu_host *host = ctx->cfg.host;
	bool last;

	uiommu_iommufd_lock(ctx);
	last = !--ctx->refs;
	if (last)
		uiommu_iobj_destroy_all(ctx);
	uiommu_iommufd_unlock(ctx);
	if (!last)
		return;
	if (host->lock_fini)
		host->lock_fini(host->ctx, &ctx->lock);
	uiommu_iommufd_free(ctx, ctx, sizeof(*ctx));
}
