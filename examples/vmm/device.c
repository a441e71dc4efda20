/* SPDX-License-Identifier: MIT */
/* device.c - a device of the host's becomes a guest's, and goes away from it again */
#include <sys/mman.h>
#include <unistd.h>

#include "say.h"
#include "vm.h"

#define PCI_COMMAND		0x04u
#define PCI_COMMAND_MEMORY	0x0002u
#define PCI_COMMAND_MASTER	0x0004u
#define PCI_EXT_CAPS		0x100u
#define PCI_EXT_CAP_ATS		0x0fu
#define PCI_EXT_CAP_PRI		0x13u
#define PCI_ATS_CAP		0x04u
#define PCI_ATS_CAP_GLOBAL	0x0040u

/* Where an extended capability is in config space; 0: the function does not have it. */
static unsigned find_ext_cap(int fd, unsigned id)
{
	unsigned at = PCI_EXT_CAPS;

	for (unsigned n = 0; at >= PCI_EXT_CAPS && n < 480; n++) {
		uint32_t header = host_config_read(fd, at, 4);

		if ((header & 0xffff) == id)
			return at;
		at = header >> 20 & ~3u;
	}
	return 0;
}

static void read_caps(struct vdev *d)
{
	unsigned ats = find_ext_cap(d->fd, PCI_EXT_CAP_ATS);

	d->board.ats = ats;
	d->board.ats_global = ats && host_config_read(d->fd, ats + PCI_ATS_CAP, 2) &
					     PCI_ATS_CAP_GLOBAL;
	d->board.pri = ats && find_ext_cap(d->fd, PCI_EXT_CAP_PRI);
}

/* VFIO hands a function over with DMA off. */
static void enable_dma(const struct vdev *d)
{
	host_config_write(d->fd, PCI_COMMAND, host_config_read(d->fd, PCI_COMMAND, 2) |
					      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

/* false: the host has no queues for VMs, or none left: the guest's own is trapped. */
static bool take_queues(struct vm *vm, uint32_t dev)
{
	struct host_cmdqv cmdqv;
	volatile void *page;
	size_t bytes;

	if (!host_cmdqv_info(vm->iommufd, dev, &cmdqv) ||
	    host_viommu_cmdqv_alloc(vm->iommufd, dev, vm->parent, &vm->viommu, &page, &bytes))
		return false;
	vcmdqv_init(&vm->cmdqv, vm, &cmdqv, page, bytes);
	vm->queue_events = host_queue_eventq_alloc(vm->iommufd, vm->viommu, 16);
	return true;
}

/* The SMMU of the first device is the one that the VM has a slice of. */
static void take_slice(struct vm *vm, uint32_t dev, const struct host_smmu *smmu)
{
	vm->parent = host_parent_alloc(vm->iommufd, dev, vm->ioas);
	if (!vm->user_queue || !take_queues(vm, dev))
		vm->viommu = host_viommu_alloc(vm->iommufd, dev, vm->parent);
	vm->events = host_veventq_alloc(vm->iommufd, vm->viommu, 64);
	vm->faults = host_faultq_alloc(vm->iommufd, &vm->faultq);
	vsmmu_init(&vm->smmu, vm, smmu);
}

const struct board_device *vm_add_device(struct vm *vm, unsigned n, uint32_t rid, uint32_t vsid,
					 const char *name)
{
	struct vdev d = { .board = { .name = name, .rid = rid, .stream_id = vsid } };
	struct host_smmu smmu;

	d.fd = host_device_open(n);
	d.id = host_device_bind(d.fd, vm->iommufd);
	smmu = host_smmu_info(vm->iommufd, d.id);
	d.board.pasid_bits = smmu.pasid_bits;
	read_caps(&d);
	if (!vm->viommu)
		take_slice(vm, d.id, &smmu);
	d.vdevice = host_vdevice_alloc(vm->iommufd, vm->viommu, d.id, vsid);
	d.board.bar = host_bar_map(d.fd, &d.bar_bytes);
	enable_dma(&d);
	return &vsmmu_device_come(&vm->smmu, &d)->board;
}

void vm_device_close(struct vdev *d)
{
	close(d->fd);
	d->fd = -1;
}

void vm_device_unmap(struct vdev *d)
{
	if (d->bar_bytes)
		munmap((void *)(uintptr_t)d->board.bar, d->bar_bytes);
	d->bar_bytes = 0;
}

struct vdev *vm_device_by_sid(struct vm *vm, uint32_t sid)
{
	for (unsigned i = 0; i < VM_DEVICES; i++)
		if (vm->dev[i].fd >= 0 && vm->dev[i].board.stream_id == sid)
			return &vm->dev[i];
	return NULL;
}

struct vdev *vm_device_by_id(struct vm *vm, uint32_t id)
{
	for (unsigned i = 0; i < VM_DEVICES; i++)
		if (vm->dev[i].fd >= 0 && vm->dev[i].id == id)
			return &vm->dev[i];
	return NULL;
}
