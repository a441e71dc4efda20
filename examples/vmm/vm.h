/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a VM: memory, devices, a virtual SMMU, two CPUs and a thread for what the
 * host has to say
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdatomic.h>

#include "vcmdqv.h"
#include "vsmmu.h"

#define VM_DEVICES	4u
#define VM_RAM_BYTES	(2ull << 20)

struct kernel;

/* A device of the host's that the guest has. */
struct vdev {
	int fd;				/* -1: there is no device here */
	uint32_t id;			/* iommufd's number for it */
	uint32_t vdevice;		/* and for its being this guest's */
	uint32_t hwpt;			/* its page table now; 0: none yet */
	size_t bar_bytes;
	struct board_device board;	/* as the guest knows it */
};

/* What its CPUs may still do: VM_DYING, nothing that leaves them for the VMM. */
enum vm_power { VM_ON, VM_DYING, VM_OFF };

struct vm_config {
	const char *name;
	uint64_t seed;			/* 0: its SMMU is kind */
	bool user_queue;		/* its SMMU has queues of the host's, if that has some */
};

struct vm {
	const char *name;
	uint8_t *ram;
	bool user_queue;
	int iommufd, events, faults, queue_events;	/* the last: -1: none */
	uint32_t ioas, parent, viommu, faultq;	/* numbers of iommufd's */
	struct vdev dev[VM_DEVICES];		/* smmu.lock */
	struct vsmmu smmu;
	struct vcmdqv cmdqv;
	struct board board;

	_Atomic enum vm_power power;
	pthread_t cpu[2], io;
	int stop;				/* an eventfd: the I/O thread ends */

	pthread_mutex_t irq_lock;		/* the two below */
	pthread_cond_t irq_wake;
	uint32_t irqs;
	bool asleep;				/* the second CPU, with nothing to do */

	pthread_mutex_t job_lock;		/* what the first CPU runs: all below */
	pthread_cond_t job_wake;
	void (*job)(struct kernel *k, void *arg);
	void *job_arg;
	bool ended;				/* no more will come */
	struct kernel *kernel;			/* NULL: it has not booted */
};

/* ---- life ---- */

/* Memory, and no device: at least one comes before vm_boot(). */
void vm_create(struct vm *vm, const struct vm_config *cfg);
/*
 * /dev/vfio/devices/vfio@n becomes its, under StreamID @vsid. The guest is not told: what
 * is returned is what it has to know.
 */
const struct board_device *vm_add_device(struct vm *vm, unsigned n, uint32_t rid, uint32_t vsid,
					 const char *name);
void vm_boot(struct vm *vm);
/* its kernel goes down, then everything but its memory is given back */
void vm_shut_down(struct vm *vm);
/* As if its process had died: its files are closed, while its devices are at work. */
void vm_kill(struct vm *vm);
/* the memory of a VM that was killed or shut down */
void vm_destroy(struct vm *vm);

/* ---- what its guest does ---- */

/* The first CPU runs @fn(kernel, @arg). start() returns at once, wait() when it is done. */
void vm_start(struct vm *vm, void (*fn)(struct kernel *k, void *arg), void *arg);
void vm_wait(struct vm *vm);
void vm_run(struct vm *vm, void (*fn)(struct kernel *k, void *arg), void *arg);
/* These wait for a moment at which both CPUs have nothing to do, and nothing is on its way
 * to them. How often they have left the guest so far, for whatever reason of the SMMU's. */
uint64_t vm_exits(struct vm *vm);
/* and to say that there are commands */
uint64_t vm_queue_exits(struct vm *vm);
/* Of all its memory. */
uint64_t vm_checksum(struct vm *vm);

/* ---- device.c ---- */

void vm_device_close(struct vdev *d);
void vm_device_unmap(struct vdev *d);

/* ---- for the virtual SMMU ---- */

/* Guest memory by physical address; NULL: there is none for all of @bytes. */
void *vm_ram(const struct vm *vm, uint64_t pa, uint64_t bytes);
bool vm_read64(const struct vm *vm, uint64_t pa, uint64_t *out, unsigned words);
bool vm_write64(const struct vm *vm, uint64_t pa, const uint64_t *words, unsigned n);
bool vm_write32(const struct vm *vm, uint64_t pa, uint32_t value);
void vm_raise_irq(struct vm *vm, unsigned line);
/* false: its files are about to be closed, or are */
bool vm_is_on(const struct vm *vm);
/* NULL: the VM has none; smmu.lock is held */
struct vdev *vm_device_by_sid(struct vm *vm, uint32_t sid);
struct vdev *vm_device_by_id(struct vm *vm, uint32_t id);

#endif
