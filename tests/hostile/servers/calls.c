/* SPDX-License-Identifier: MIT */
/* calls.c - one call each, by the numbers of the ABI, and what may come of it */
#include "srv.h"

int expect(struct srv *s, const char *what, int ret, const int *errs)
{
	srv_note(s, "%s: %d", what, ret);
	for (; ret && *errs; errs++)
		if (ret == -*errs)
			return ret;
	if (ret)
		uiommu_hostile_fail("%s returns %d", what, ret);
	return ret;
}

int call(struct srv *s, struct uiommu_file *f, uint32_t nr, void *cmd)
{
	int ret = uiommu_iommufd_ioctl(f->object, &s->as, nr, (uintptr_t)cmd);

	uiommu_hostile_handover();
	return ret;
}

int vcall(struct srv *s, struct uiommu_vfio_file *f, uint32_t nr, void *cmd)
{
	int ret = uiommu_vfio_ioctl(f, &s->as, nr, (uintptr_t)cmd);

	uiommu_hostile_handover();
	return ret;
}

int call_destroy(struct srv *s, struct uiommu_file *f, uint32_t id)
{
	struct uiommu_abi_iommu_destroy d = { .size = sizeof(d), .id = id };

	return call(s, f, UIOMMU_ABI_IOMMU_DESTROY, &d);
}

/* ---- address spaces ---- */

int call_ioas_alloc(struct srv *s, struct uiommu_file *f, uint32_t *id)
{
	struct uiommu_abi_iommu_ioas_alloc c = { .size = sizeof(c) };
	int ret = call(s, f, UIOMMU_ABI_IOMMU_IOAS_ALLOC, &c);

	*id = c.out_ioas_id;
	return ret;
}

int call_map(struct srv *s, struct uiommu_file *f, uint32_t ioas, unsigned page, uint64_t iova)
{
	struct uiommu_abi_iommu_ioas_map c = {
		.size = sizeof(c), .flags = 7, .ioas_id = ioas,
		.user_va = (uintptr_t)(s->memory + page * PAGE), .length = PAGE, .iova = iova,
	};

	return call(s, f, UIOMMU_ABI_IOMMU_IOAS_MAP, &c);
}

int call_unmap(struct srv *s, struct uiommu_file *f, uint32_t ioas, uint64_t iova)
{
	struct uiommu_abi_iommu_ioas_unmap c = {
		.size = sizeof(c), .ioas_id = ioas, .iova = iova, .length = PAGE,
	};
	int ret = call(s, f, UIOMMU_ABI_IOMMU_IOAS_UNMAP, &c);

	if (!ret && c.length != PAGE)
		uiommu_hostile_fail("IOAS_UNMAP has unmapped %llu bytes",
				    (unsigned long long)c.length);
	return ret;
}

int call_copy(struct srv *s, struct uiommu_file *f, uint32_t dst, uint64_t to, uint32_t src,
	      uint64_t from)
{
	struct uiommu_abi_iommu_ioas_copy c = {
		.size = sizeof(c), .flags = 7, .dst_ioas_id = dst, .src_ioas_id = src,
		.length = PAGE, .dst_iova = to, .src_iova = from,
	};

	return call(s, f, UIOMMU_ABI_IOMMU_IOAS_COPY, &c);
}

/* ---- the same as a VFIO container ---- */

int call_container(struct srv *s, struct uiommu_file *f, uint32_t ioas)
{
	struct uiommu_abi_iommu_vfio_ioas c = {
		.size = sizeof(c), .ioas_id = ioas, .op = UIOMMU_ABI_IOMMU_VFIO_IOAS_SET,
	};

	return call(s, f, UIOMMU_ABI_IOMMU_VFIO_IOAS, &c);
}

int call_map_dma(struct srv *s, struct uiommu_file *f, unsigned page, uint64_t iova)
{
	struct uiommu_abi_vfio_iommu_type1_dma_map c = {
		.argsz = sizeof(c), .flags = 3, .vaddr = (uintptr_t)(s->memory + page * PAGE),
		.iova = iova, .size = PAGE,
	};

	return call(s, f, UIOMMU_ABI_VFIO_IOMMU_MAP_DMA, &c);
}

int call_unmap_dma(struct srv *s, struct uiommu_file *f, uint64_t iova)
{
	struct uiommu_abi_vfio_iommu_type1_dma_unmap c = {
		.argsz = sizeof(c), .iova = iova, .size = PAGE,
	};

	return call(s, f, UIOMMU_ABI_VFIO_IOMMU_UNMAP_DMA, &c);
}

/* ---- page tables, and what a VM has ---- */

int call_hwpt(struct srv *s, struct uiommu_file *f, struct uiommu_abi_iommu_hwpt_alloc c,
	      uint32_t *id)
{
	int ret;

	c.size = sizeof(c);
	ret = call(s, f, UIOMMU_ABI_IOMMU_HWPT_ALLOC, &c);
	*id = c.out_hwpt_id;
	return ret;
}

int call_viommu(struct srv *s, struct uiommu_file *f, uint32_t dev, uint32_t hwpt, uint32_t *id,
		struct uiommu_abi_iommu_viommu_tegra241_cmdqv *page)
{
	struct uiommu_abi_iommu_viommu_alloc c = {
		.size = sizeof(c), .type = page ? 2 : 1, .dev_id = dev, .hwpt_id = hwpt,
		.data_len = page ? sizeof(*page) : 0, .data_uptr = (uintptr_t)page,
	};
	int ret = call(s, f, UIOMMU_ABI_IOMMU_VIOMMU_ALLOC, &c);

	*id = c.out_viommu_id;
	return ret;
}

int call_vdevice(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint32_t dev,
		 uint32_t *id)
{
	struct uiommu_abi_iommu_vdevice_alloc c = {
		.size = sizeof(c), .viommu_id = viommu, .dev_id = dev, .virt_id = VSID,
	};
	int ret = call(s, f, UIOMMU_ABI_IOMMU_VDEVICE_ALLOC, &c);

	*id = c.out_vdevice_id;
	return ret;
}

int call_veventq(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint32_t *id, int *fd)
{
	struct uiommu_abi_iommu_veventq_alloc c = {
		.size = sizeof(c), .viommu_id = viommu, .type = 1, .veventq_depth = 2,
	};
	int ret = call(s, f, UIOMMU_ABI_IOMMU_VEVENTQ_ALLOC, &c);

	*id = c.out_veventq_id;
	*fd = (int)c.out_veventq_fd;
	return ret;
}

int call_queue(struct srv *s, struct uiommu_file *f, uint32_t *id, int *fd)
{
	struct uiommu_abi_iommu_fault_alloc c = { .size = sizeof(c) };
	int ret = call(s, f, UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC, &c);

	*id = c.out_fault_id;
	*fd = (int)c.out_fault_fd;
	return ret;
}

int call_invalidate(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint64_t *cmds,
		    unsigned n)
{
	struct uiommu_abi_iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = viommu, .data_uptr = (uintptr_t)cmds,
		.data_type = 1, .entry_len = 16, .entry_num = n,
	};

	return call(s, f, UIOMMU_ABI_IOMMU_HWPT_INVALIDATE, &c);
}

/* ---- devices ---- */

int call_bind(struct srv *s, struct uiommu_vfio_file *f, int fd, uint32_t *id)
{
	struct uiommu_abi_vfio_device_bind_iommufd c = { .argsz = sizeof(c), .iommufd = fd };
	int ret = vcall(s, f, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, &c);

	*id = c.out_devid;
	return ret;
}

int call_attach(struct srv *s, struct uiommu_vfio_file *f, uiommu_pasid_t pasid, uint32_t pt)
{
	struct uiommu_abi_vfio_device_attach_iommufd_pt c = {
		.argsz = sizeof(c), .flags = pasid != 0, .pt_id = pt, .pasid = pasid,
	};

	return vcall(s, f, UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, &c);
}

int call_detach(struct srv *s, struct uiommu_vfio_file *f, uiommu_pasid_t pasid)
{
	struct uiommu_abi_vfio_device_detach_iommufd_pt c = {
		.argsz = sizeof(c), .flags = pasid != 0, .pasid = pasid,
	};

	return vcall(s, f, UIOMMU_ABI_VFIO_DEVICE_DETACH_IOMMUFD_PT, &c);
}

/* @fd -1: none; -2: interrupts off */
int call_irqs(struct srv *s, struct uiommu_vfio_file *f, unsigned start, unsigned count, int fd)
{
	struct {
		struct uiommu_abi_vfio_irq_set h;
		int32_t fd[VECTORS];
	} c = { .h = { .argsz = sizeof(c), .index = 1, .start = start, .count = count,
		       .flags = UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TRIGGER |
				UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD } };

	for (unsigned i = 0; i < VECTORS; i++)
		c.fd[i] = fd;
	if (fd == -2) {
		c.h.flags = UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TRIGGER |
			    UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE;
		c.h.start = c.h.count = 0;
	}
	return vcall(s, f, UIOMMU_ABI_VFIO_DEVICE_SET_IRQS, &c);
}
