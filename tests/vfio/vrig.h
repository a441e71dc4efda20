/* SPDX-License-Identifier: MIT */
/* vrig.h - shorthands for a program that uses a VFIO device */
#ifndef TESTS_VFIO_VRIG_H
#define TESTS_VFIO_VRIG_H

#include "tests/iommufd/rig.h"
#include "tests/fail/hook.h"

#define IOMMUFD		3	/* the program's file numbers */
#define EVENTFD		4
#define EVENTFD2	5
#define CONFIG		(7ull << 40)
#define PCI_COMMAND	0x04
#define MASTER		0x0004u
#define MEMORY		0x0002u

struct venv {
	struct rig *r;
	struct uiommu_iommufd *ctx;	/* borrowed from file IOMMUFD */
	struct uiommu_vfio_file *f;	/* of function 0 */
	uint32_t dev_id;
};

static inline int vioctl(struct rig *r, struct uiommu_vfio_file *f, uint32_t nr, void *cmd,
			 size_t bytes)
{
	uint64_t arg = rig_arg(r, cmd, bytes);
	int ret = uiommu_vfio_ioctl(f, &r->as, nr, arg);

	memcpy(cmd, rig_ptr(r, arg), bytes);
	return ret;
}

static inline int vbind(struct rig *r, struct uiommu_vfio_file *f, int fd, uint32_t *id)
{
	struct uiommu_abi_vfio_device_bind_iommufd cmd = { .argsz = sizeof(cmd), .iommufd = fd };
	int ret = vioctl(r, f, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, &cmd, sizeof(cmd));

	*id = cmd.out_devid;
	return ret;
}

static inline int vattach(struct rig *r, struct uiommu_vfio_file *f, uint32_t pasid, uint32_t *pt)
{
	struct uiommu_abi_vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd), .flags = !!pasid, .pt_id = *pt, .pasid = pasid,
	};
	int ret = vioctl(r, f, UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd, sizeof(cmd));

	*pt = cmd.pt_id;
	return ret;
}

static inline int vdetach(struct rig *r, struct uiommu_vfio_file *f, uint32_t pasid)
{
	struct uiommu_abi_vfio_device_detach_iommufd_pt cmd = {
		.argsz = sizeof(cmd), .flags = !!pasid, .pasid = pasid,
	};

	return vioctl(r, f, UIOMMU_ABI_VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd, sizeof(cmd));
}

/* SET_IRQS with @count fds (or bools, or nothing) behind the header */
static inline int virqs(struct rig *r, struct uiommu_vfio_file *f, uint32_t flags, uint32_t index,
			uint32_t start, uint32_t count, const void *data, size_t bytes)
{
	uint8_t buf[128];
	const struct uiommu_abi_vfio_irq_set hdr = {
		.argsz = (uint32_t)(sizeof(hdr) + bytes), .flags = flags, .index = index,
		.start = start, .count = count,
	};

	memcpy(buf, &hdr, sizeof(hdr));
	if (bytes)
		memcpy(buf + sizeof(hdr), data, bytes);
	return vioctl(r, f, UIOMMU_ABI_VFIO_DEVICE_SET_IRQS, buf, sizeof(hdr) + bytes);
}

#define TRIGGER	UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TRIGGER
#define FDS	UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD
#define BOOLS	UIOMMU_ABI_VFIO_IRQ_SET_DATA_BOOL
#define NONE	UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE

static inline int64_t vread(struct rig *r, struct uiommu_vfio_file *f, uint64_t off, void *buf,
			    size_t bytes)
{
	int64_t ret = uiommu_vfio_read(f, &r->as, off, bytes, RIG_VA);

	memcpy(buf, rig_ptr(r, RIG_VA), bytes);
	return ret;
}

static inline int64_t vwrite(struct rig *r, struct uiommu_vfio_file *f, uint64_t off,
			     const void *buf, size_t bytes)
{
	memcpy(rig_ptr(r, RIG_VA), buf, bytes);
	return uiommu_vfio_write(f, &r->as, off, bytes, RIG_VA);
}

static inline uint32_t vget(struct rig *r, struct uiommu_vfio_file *f, uint64_t off, size_t bytes)
{
	uint32_t v = 0;

	assert_int_equal(vread(r, f, off, &v, bytes), bytes);
	return v;
}

static inline void vput(struct rig *r, struct uiommu_vfio_file *f, uint64_t off, uint32_t v,
			size_t bytes)
{
	assert_int_equal(vwrite(r, f, off, &v, bytes), bytes);
}

static inline struct venv *venv_create(void)
{
	struct venv *e = calloc(1, sizeof(*e));

	e->r = rig_create(true, false);
	e->ctx = rig_iommufd(e->r);
	rig_install(e->r, IOMMUFD, uiommu_iommufd_kind, e->ctx);
	rig_install_eventfd(e->r, EVENTFD);
	rig_install_eventfd(e->r, EVENTFD2);
	assert_int_equal(uiommu_vfio_open(e->r->fns[0].vfio, &e->f), 0);
	return e;
}

static inline struct venv *venv_create_bound(void)
{
	struct venv *e = venv_create();

	assert_int_equal(vbind(e->r, e->f, IOMMUFD, &e->dev_id), 0);
	return e;
}

static inline void venv_destroy(struct venv *e)
{
	if (e->f)
		uiommu_vfio_close(e->f);
	rig_destroy(e->r);
	free(e);
}

#endif
