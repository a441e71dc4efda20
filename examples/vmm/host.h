/* SPDX-License-Identifier: MIT */
/*
 * host.h - every call that the VMM makes to its kernel, one function each
 *
 * Linux's iommufd and VFIO device files, and nothing else. What only fails when the
 * machine is not fit for the VMM ends it with a sentence; what a guest may make fail
 * returns 0 or a negative errno.
 *
 * The order in which a VM comes to be (vm.c, device.c):
 *
 *	open /dev/iommu, IOAS_ALLOC, IOAS_MAP	its memory
 *	open vfioN, BIND_IOMMUFD		a device
 *	GET_HW_INFO				what its SMMU is, which the guest's will be
 *	HWPT_ALLOC, NEST_PARENT, on the IOAS	stage 2; as of now memory is pinned
 *	GET_HW_INFO of type TEGRA241_CMDQV	has it queues for VMs? -EOPNOTSUPP: no
 *	VIOMMU_ALLOC on stage 2			a slice of the SMMU, with or without
 *	mmap /dev/iommu				with: at the offset that came with it
 *	VEVENTQ_ALLOC, FAULT_QUEUE_ALLOC	files, before anything can happen
 *	VDEVICE_ALLOC				the device's StreamID in the guest
 *	HWPT_ALLOC on the slice, ATTACH		nothing, until the guest has an SMMU
 *
 * and what it does as the guest goes on:
 *
 *	an STE changes (vstrtab.c)		HWPT_ALLOC on the slice, ATTACH, DESTROY of the old
 *	a command in a trapped queue (vcmdq.c)	HWPT_INVALIDATE
 *	a queue has a place (vcmdqv.c)		HW_QUEUE_ALLOC, from index 0 up
 *	it moves or goes			DESTROY, from the top down: -EBUSY otherwise
 *
 * When a VM ends its files are closed, and the kernel takes all of it down; what has to go
 * one by one goes from the bottom of this list up, a mapping before its slice.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the IOMMU in front of a device says of itself. */
struct host_smmu {
	uint32_t idr[6], aidr;
	unsigned pasid_bits;		/* of the device: log2 */
};

/* What a VM gets of the SMMU's command queues for VMs. */
struct host_cmdqv {
	unsigned version, queues_lg2, sids_lg2;
};

/* ---- iommufd ---- */

int host_iommufd_open(void);
uint32_t host_ioas_alloc(int iommufd);
/* guest memory: @bytes at @va are at @iova for devices */
void host_ioas_map(int iommufd, uint32_t ioas, void *va, uint64_t bytes, uint64_t iova);
/* stage 2 of a VM, on which its stage 1 will lie */
uint32_t host_parent_alloc(int iommufd, uint32_t dev, uint32_t ioas);
struct host_smmu host_smmu_info(int iommufd, uint32_t dev);
/* false: the SMMU has no queues for VMs */
bool host_cmdqv_info(int iommufd, uint32_t dev, struct host_cmdqv *out);
uint32_t host_viommu_alloc(int iommufd, uint32_t dev, uint32_t parent);
/* one with such queues, of which page 0 is mapped; -errno where none is left */
int host_viommu_cmdqv_alloc(int iommufd, uint32_t dev, uint32_t parent, uint32_t *viommu,
			    volatile void **page, size_t *bytes);
/* queue @index is in guest memory at @iova; 0, or a negative errno */
int host_hw_queue_alloc(int iommufd, uint32_t viommu, unsigned index, uint64_t iova,
			uint64_t bytes, uint32_t *id);
/* @dev is StreamID @vsid of the guest's */
uint32_t host_vdevice_alloc(int iommufd, uint32_t viommu, uint32_t dev, uint32_t vsid);
/* a file of records about the guest's devices, @depth of them at most; or its queues */
int host_veventq_alloc(int iommufd, uint32_t viommu, unsigned depth);
int host_queue_eventq_alloc(int iommufd, uint32_t viommu, unsigned depth);
/* a file of page requests; *@id is for host_nested_alloc() */
int host_faultq_alloc(int iommufd, uint32_t *id);
/*
 * Stage 1 as the guest's STE says (its first two words), @faultq: 0, or where page
 * requests go. -EIO: an STE cannot say that.
 */
int host_nested_alloc(int iommufd, uint32_t dev, uint32_t viommu, const uint64_t ste[2],
		      uint32_t faultq, uint32_t *hwpt);
void host_destroy(int iommufd, uint32_t id);
/*
 * @n of the guest's commands, two words each; *@done: how many have taken effect.
 * -EIO: the next one is none that a guest may give.
 */
int host_invalidate(int iommufd, uint32_t viommu, const uint64_t *cmds, unsigned n,
		    unsigned *done);

/* ---- records ---- */

struct host_event {
	bool lost;			/* some were, and this is none */
	uint64_t words[4];		/* an SMMU's event record, with the guest's StreamID */
};

/* which of the guest's queues have stopped; all ones where that was lost */
bool host_queue_error_read(int fd, uint64_t map[2]);

struct host_page_request {
	uint32_t dev, pasid, grpid, cookie;
	uint64_t addr;
	bool has_pasid, last, read, write, exec, priv;
};

/* false: there is none */
bool host_event_read(int fd, struct host_event *out);
/* up to @max, whole groups; how many there are */
unsigned host_page_requests_read(int fd, struct host_page_request *out, unsigned max);
/* the answer to a group; one that is not open any more is not answered */
void host_page_response(int fd, uint32_t cookie, bool success);

/* ---- VFIO ---- */

/* /dev/vfio/devices/vfio@n */
int host_device_open(unsigned n);
uint32_t host_device_bind(int device, int iommufd);
/* a second one replaces the first; 0 or a negative errno */
int host_device_attach(int device, uint32_t hwpt);
uint32_t host_config_read(int device, unsigned offset, unsigned bytes);
void host_config_write(int device, unsigned offset, uint32_t value, unsigned bytes);
volatile void *host_bar_map(int device, size_t *bytes);

#endif
