/* SPDX-License-Identifier: MIT */
/*
 * device.c - a device file: opened often, bound once, attached and detached
 */
#include "internal.h"

/* ---- helpers of all files ---- */

void *uiommu_vfio_alloc(const struct uiommu_vfio_device *d, size_t bytes)
{
	return d->host->alloc(d->host->ctx, bytes);
}

void uiommu_vfio_free(const struct uiommu_vfio_device *d, void *p, size_t bytes)
{
	d->host->free(d->host->ctx, p, bytes);
}

void uiommu_vfio_lock(struct uiommu_vfio_device *d)
{
	if (d->host->lock)
		d->host->lock(d->host->ctx, &d->lock);
}

void uiommu_vfio_unlock(struct uiommu_vfio_device *d)
{
	if (d->host->unlock)
		d->host->unlock(d->host->ctx, &d->lock);
}

int uiommu_vfio_copy_in(const struct uiommu_vfio_device *d, struct uiommu_as *as, void *dst,
			uint64_t src, size_t bytes)
{
	return d->uaccess->copy_in(d->uaccess->ctx, as, dst, src, bytes);
}

int uiommu_vfio_copy_out(const struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t dst,
			 const void *src, size_t bytes)
{
	return d->uaccess->copy_out(d->uaccess->ctx, as, dst, src, bytes);
}

int uiommu_vfio_fetch(const struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t src,
		      void *dst, size_t bytes)
{
	uint32_t argsz;

	if (uiommu_vfio_copy_in(d, as, dst, src, bytes))
		return -UIOMMU_EFAULT;
	memcpy(&argsz, dst, sizeof(argsz));
	return argsz < bytes ? -UIOMMU_EINVAL : 0;
}

/* ---- made and unmade ---- */

static bool power_of_two(uint64_t v)
{
	return !(v & (v - 1));
}

static int check_backend(const struct uiommu_vfio_backend *be)
{
	const uint64_t cfg = be->region_bytes[UIOMMU_ABI_VFIO_PCI_CONFIG_REGION_INDEX];

	if (cfg != PCI_CFG_BYTES && cfg != PCI_CFG_MAX)
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < 6; i++)
		if (!power_of_two(be->region_bytes[i]) ||
		    be->region_bytes[i] >> UIOMMU_VFIO_INDEX_SHIFT)
			return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < UIOMMU_VFIO_NUM_IRQS; i++)
		if (be->irq_count[i] > UIOMMU_VFIO_MAX_VECTORS)
			return -UIOMMU_EINVAL;
	return 0;
}

static int init_device(struct uiommu_vfio_device *d)
{
	d->cfg = uiommu_vfio_alloc(d, sizeof(*d->cfg));
	if (!d->cfg)
		return -UIOMMU_ENOMEM;
	d->cfg->bytes = (unsigned)d->be.region_bytes[UIOMMU_ABI_VFIO_PCI_CONFIG_REGION_INDEX];
	d->irq_index = UIOMMU_VFIO_NO_IRQ;
	if (!d->host->lock_init)
		return 0;
	return d->host->lock_init(d->host->ctx, &d->lock, UIOMMU_LOCK_MUTEX);
}

static void free_device(struct uiommu_vfio_device *d)
{
	if (d->cfg)
		uiommu_vfio_free(d, d->cfg, sizeof(*d->cfg));
	uiommu_vfio_free(d, d, sizeof(*d));
}

int uiommu_vfio_device_create(const struct uiommu_host *host, const struct uiommu_uaccess *uaccess,
			      const struct uiommu_vfio_backend *be, struct uiommu_vfio_device **out)
{
	struct uiommu_vfio_device *d;
	int ret = check_backend(be);

	if (ret)
		return ret;
	d = host->alloc(host->ctx, sizeof(*d));
	if (!d)
		return -UIOMMU_ENOMEM;
	d->host = host;
	d->uaccess = uaccess;
	d->be = *be;
	ret = init_device(d);
	if (ret) {
		free_device(d);
		return ret;
	}
	*out = d;
	return 0;
}

void uiommu_vfio_device_destroy(struct uiommu_vfio_device *d)
{
	if (d->host->lock_fini)
		d->host->lock_fini(d->host->ctx, &d->lock);
	free_device(d);
}

int uiommu_vfio_open(struct uiommu_vfio_device *d, struct uiommu_vfio_file **out)
{
	struct uiommu_vfio_file *f = uiommu_vfio_alloc(d, sizeof(*f));

	if (!f)
		return -UIOMMU_ENOMEM;
	f->dev = d;
	*out = f;
	return 0;
}

static void unbind(struct uiommu_vfio_device *d)
{
	uiommu_vfio_irq_off(d);
	uiommu_vfio_function_off(d);
	uiommu_vfio_function_reset(d);
	uiommu_iommufd_unbind(d->idev);
	uiommu_iommufd_put(d->ictx);
	d->idev = NULL;
	d->ictx = NULL;
	d->bound = NULL;
}

void uiommu_vfio_close(struct uiommu_vfio_file *f)
{
	struct uiommu_vfio_device *d = f->dev;

	uiommu_vfio_lock(d);
	if (d->bound == f)
		unbind(d);
	uiommu_vfio_unlock(d);
	uiommu_vfio_free(d, f, sizeof(*f));
}

/* ---- BIND_IOMMUFD ---- */

/* The one structure of VFIO that follows iommufd's rule: a longer one may only
 * end in zeros. */
static int load_bind(const struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg,
		     struct uiommu_abi_vfio_device_bind_iommufd *b)
{
	const uint32_t min = offsetof(struct uiommu_abi_vfio_device_bind_iommufd, token_uuid_ptr);
	uint32_t argsz;
	uint8_t tail[64];

	if (uiommu_vfio_copy_in(d, as, &argsz, arg, sizeof(argsz)))
		return -UIOMMU_EFAULT;
	if (argsz < min)
		return -UIOMMU_EINVAL;
	for (uint32_t n, at = sizeof(*b); at < argsz; at += n) {
		n = argsz - at < sizeof(tail) ? argsz - at : sizeof(tail);
		if (uiommu_vfio_copy_in(d, as, tail, arg + at, n))
			return -UIOMMU_EFAULT;
		for (uint32_t i = 0; i < n; i++)
			if (tail[i])
				return -UIOMMU_E2BIG;
	}
	return uiommu_vfio_copy_in(d, as, b, arg, argsz < sizeof(*b) ? argsz : sizeof(*b));
}

/* A token says who owns the virtual functions of an SR-IOV device; these have
 * none, so giving one is wrong. */
static int check_token(const struct uiommu_vfio_device *d, struct uiommu_as *as,
		       const struct uiommu_abi_vfio_device_bind_iommufd *b)
{
	uint8_t uuid[16];

	if (!(b->flags & UIOMMU_ABI_VFIO_DEVICE_BIND_FLAG_TOKEN))
		return 0;
	if (uiommu_vfio_copy_in(d, as, uuid, b->token_uuid_ptr, sizeof(uuid)))
		return -UIOMMU_EFAULT;
	return -UIOMMU_EINVAL;
}

static int get_context(const struct uiommu_vfio_device *d, struct uiommu_as *as, int fd,
		       struct uiommu_iommufd **out)
{
	const struct uiommu_uaccess *ua = d->uaccess;
	struct uiommu_file *file;
	int ret = ua->file_get(ua->ctx, as, fd, &file);

	if (ret)
		return ret;
	*out = ua->file_object(ua->ctx, file, uiommu_iommufd_kind);
	if (*out)
		uiommu_iommufd_get(*out);
	ua->file_put(ua->ctx, file);
	return *out ? 0 : -UIOMMU_EBADFD;
}

/* The device is the caller's: from its default domain to BLOCKED, reset, and
 * with what the program shall see of it. */
static int take(struct uiommu_vfio_device *d, struct uiommu_vfio_file *f,
		struct uiommu_iommufd *ictx, uint32_t *id)
{
	int ret = uiommu_iommufd_bind(ictx, d->be.dev, &d->idev, id);

	if (ret)
		return ret;
	d->ictx = ictx;
	d->bound = f;
	uiommu_vfio_config_init(d);	/* where the BARs are, before the reset */
	uiommu_vfio_function_on(d);
	uiommu_vfio_function_reset(d);
	uiommu_vfio_config_init(d);
	return 0;
}

static int bind_iommufd(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t arg)
{
	const size_t out = offsetof(struct uiommu_abi_vfio_device_bind_iommufd, out_devid);
	struct uiommu_abi_vfio_device_bind_iommufd b = { 0 };
	struct uiommu_vfio_device *d = f->dev;
	struct uiommu_iommufd *ictx;
	int ret = load_bind(d, as, arg, &b);

	if (ret)
		return ret;
	if (b.iommufd < 0 || (b.flags & ~UIOMMU_ABI_VFIO_DEVICE_BIND_FLAG_TOKEN))
		return -UIOMMU_EINVAL;
	if (d->bound == f)
		return -UIOMMU_EINVAL;
	ret = check_token(d, as, &b);
	if (!ret)
		ret = get_context(d, as, b.iommufd, &ictx);
	if (ret)
		return ret;
	ret = d->bound ? -UIOMMU_EINVAL : take(d, f, ictx, &b.out_devid);
	if (ret) {
		uiommu_iommufd_put(ictx);
		return ret;
	}
	ret = uiommu_vfio_copy_out(d, as, arg + out, &b.out_devid, sizeof(b.out_devid));
	if (ret)
		unbind(d);
	return ret;
}

/* ---- attach, detach ---- */

static int load_pasid(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg,
		      uint32_t argsz, size_t at, uint32_t *pasid)
{
	if (argsz < at + sizeof(*pasid))
		return -UIOMMU_EINVAL;
	return uiommu_vfio_copy_in(d, as, pasid, arg + at, sizeof(*pasid));
}

static int attach(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	const size_t min = offsetof(struct uiommu_abi_vfio_device_attach_iommufd_pt, pasid);
	struct uiommu_abi_vfio_device_attach_iommufd_pt a = { 0 };
	const uint64_t out = arg + offsetof(struct uiommu_abi_vfio_device_attach_iommufd_pt, pt_id);
	int ret = uiommu_vfio_fetch(d, as, arg, &a, min);

	if (ret)
		return ret;
	if (a.flags & ~UIOMMU_ABI_VFIO_DEVICE_ATTACH_PASID)
		return -UIOMMU_EINVAL;
	if (a.flags & UIOMMU_ABI_VFIO_DEVICE_ATTACH_PASID) {
		ret = load_pasid(d, as, arg, a.argsz, min, &a.pasid);
		if (!ret && a.pasid == UIOMMU_NO_PASID)
			ret = -UIOMMU_EINVAL;	/* 0 is the RID's own traffic */
	}
	/* the answer must have a place before anything is changed */
	if (!ret)
		ret = uiommu_vfio_copy_out(d, as, out, &a.pt_id, sizeof(a.pt_id));
	if (!ret)
		ret = uiommu_iommufd_attach(d->idev, a.pasid, &a.pt_id);
	if (ret)
		return ret;
	ret = uiommu_vfio_copy_out(d, as, out, &a.pt_id, sizeof(a.pt_id));
	if (ret)
		uiommu_iommufd_detach(d->idev, a.pasid);
	return ret;
}

static int detach(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	const size_t min = offsetof(struct uiommu_abi_vfio_device_detach_iommufd_pt, pasid);
	struct uiommu_abi_vfio_device_detach_iommufd_pt a = { 0 };
	int ret = uiommu_vfio_fetch(d, as, arg, &a, min);

	if (ret)
		return ret;
	if (a.flags & ~UIOMMU_ABI_VFIO_DEVICE_DETACH_PASID)
		return -UIOMMU_EINVAL;
	if (a.flags & UIOMMU_ABI_VFIO_DEVICE_DETACH_PASID) {
		ret = load_pasid(d, as, arg, a.argsz, min, &a.pasid);
		if (ret || a.pasid == UIOMMU_NO_PASID)
			return ret;	/* nothing can be attached there */
	}
	uiommu_iommufd_detach(d->idev, a.pasid);
	return 0;
}

/* ---- reset ---- */

static int reset(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	if (!d->be.reset)
		return -UIOMMU_EINVAL;
	return uiommu_vfio_function_reset(d);
}

/* There is no bus or slot here that could be reset as one. */
static int hot_reset(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	struct uiommu_abi_vfio_pci_hot_reset_info h;
	int ret = uiommu_vfio_fetch(d, as, arg, &h, sizeof(h));

	return ret ? ret : -UIOMMU_ENODEV;
}

/* ---- the table ---- */

static const struct {
	uint32_t cmd;
	int (*fn)(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);
} ops[] = {
	{ UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach },
	{ UIOMMU_ABI_VFIO_DEVICE_DETACH_IOMMUFD_PT, detach },
	{ UIOMMU_ABI_VFIO_DEVICE_GET_INFO, uiommu_vfio_get_info },
	{ UIOMMU_ABI_VFIO_DEVICE_GET_REGION_INFO, uiommu_vfio_get_region_info },
	{ UIOMMU_ABI_VFIO_DEVICE_GET_IRQ_INFO, uiommu_vfio_get_irq_info },
	{ UIOMMU_ABI_VFIO_DEVICE_SET_IRQS, uiommu_vfio_set_irqs },
	{ UIOMMU_ABI_VFIO_DEVICE_RESET, reset },
	{ UIOMMU_ABI_VFIO_DEVICE_FEATURE, uiommu_vfio_feature },
	{ UIOMMU_ABI_VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, hot_reset },
	{ UIOMMU_ABI_VFIO_DEVICE_PCI_HOT_RESET, hot_reset },
};

static int dispatch(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg)
{
	if (cmd == UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD)
		return bind_iommufd(f, as, arg);
	if (f->dev->bound != f)
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i].cmd == cmd)
			return ops[i].fn(f->dev, as, arg);
	return -UIOMMU_ENOTTY;
}

int uiommu_vfio_ioctl(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg)
{
	int ret;

	uiommu_vfio_lock(f->dev);
	ret = dispatch(f, as, cmd, arg);
	uiommu_vfio_unlock(f->dev);
	return ret;
}
