/* SPDX-License-Identifier: MIT */
/*
 * rig.h - a machine for the server's tests: the real core, driver and simulated
 * SMMU, two edu functions, and a program that is a table of memory and files
 *
 * Everything is single-threaded. Host allocations are counted and the n-th can
 * be made to fail. Physical addresses are pointers; only table memory, pinned
 * pages and the doorbell answer, anything else aborts.
 */
#ifndef TESTS_IOMMUFD_RIG_H
#define TESTS_IOMMUFD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <uiommu/sim/dev.h>
#include <uiommu/sim/smmuv3.h>
#include <uiommu/smmuv3.h>
#include <uiommu/vfio.h>
#include "src/iommufd/abi.h"
#include "src/vfio/abi.h"

#define PAGE		4096ull
#define RIG_VA		0x7f0000000000ull	/* where the program's memory starts */
#define RIG_PAGES	1088			/* 2 MiB-aligned, so that large pages are possible */
#define RIG_RO_PAGES	4			/* behind that: readable only */
#define RIG_HOLE	(RIG_VA + (RIG_PAGES + RIG_RO_PAGES) * PAGE)
#define RIG_FDS		16
#define RIG_DEVS	3			/* 0, 1: groups of their own... */
#define RIG_VECTORS	4			/* the functions can be given; edu sends 0 */
#define RIG_DOORBELL	0x123450040ull
#define RIG_MSI_BASE	0x8000000ull
#define RIG_MSI_BYTES	0x100000ull

struct uiommu_as {
	unsigned refs;
	uint8_t *mem;		/* RIG_PAGES + RIG_RO_PAGES, page-aligned */
	bool dead;		/* the process is gone */
	struct uiommu_file *fds[RIG_FDS];
};

struct uiommu_file {
	unsigned refs;
	const void *kind;
	void *object;
	bool eventfd;
	uint64_t count;		/* of signals; of a file that was given: of "ready" */
};

struct rig_pin {
	struct uiommu_pin pin;
	struct uiommu_pin_seg segs[2];
	uint64_t va, like;	/* as it was asked for */
	struct rig_pin *next;	/* an older one */
};

struct rig_fn {
	struct rig *rig;
	struct uiommu_dev *dev;
	struct uiommu_sim_bus bus;
	struct uiommu_sim_dev *sim;
	struct uiommu_vfio_device *vfio;
	void (*msi_fn[RIG_VECTORS])(void *arg);
	void *msi_arg[RIG_VECTORS];
	uint32_t sid;
	unsigned resets;
	void (*on_reset)(struct rig_fn *f);
};

struct rig {
	struct uiommu_host host;
	struct uiommu_uaccess ua;
	unsigned long allocs, live;	/* host allocations, ever and now */
	unsigned long fail_at;		/* the allocation that fails; 0: none */
	struct rig_table { void *p; size_t bytes; struct rig_table *next; } *tables;
	struct rig_pin *pins;
	unsigned num_pins, num_files, num_locks;
	struct uiommu_sim_smmuv3 *smmu;
	struct uiommu_iommu *iommu;
	struct uiommu *u;
	struct rig_fn fns[RIG_DEVS];
	struct uiommu_as as;
	uint8_t *room;			/* what its memory lies in */
	unsigned faults;
	char fault_text[200];
	unsigned resumed[3];		/* accesses that waited, by how they ended */
	bool no_files;			/* the process takes none */
};

#define RIG_VINTFS	4		/* the first is the driver's own */
#define RIG_QUEUES	2		/* of each */
#define RIG_SIDS	2

struct rig_options {
	bool vfio;			/* with VFIO devices on the functions */
	bool group;			/* devices 1 and 2 are one group */
	bool shared;			/* with one PASID table */
	const struct uiommu_dev_resv *resv;	/* of devices 0 and 1 */
	unsigned num_resv;
	bool identity;			/* by default */
	bool nesting;			/* the SMMU has both stages */
	bool faults;			/* accesses that fault can wait; 0 and 1 do */
	bool cmdqv;			/* the SMMU has queues for VMs: */
};

struct rig *rig_create_with(const struct rig_options *o);
/* @vfio, @group: see there */
struct rig *rig_create(bool vfio, bool group);
/* checks that nothing is left: pins, files, references, memory */
void rig_destroy(struct rig *r);

struct uiommu_iommufd *rig_iommufd(struct rig *r);
/* the context as the program's file @fd; takes over the caller's reference */
void rig_install(struct rig *r, int fd, const void *kind, void *object);
void rig_install_eventfd(struct rig *r, int fd);
void rig_close_fd(struct rig *r, int fd);

/* a slot in the program's memory for arguments, in the last writable page */
uint64_t rig_arg(struct rig *r, const void *src, size_t bytes);
void *rig_ptr(struct rig *r, uint64_t va);
/* ioctl with a copy of *@cmd in the program's memory, copied back afterwards */
int rig_ioctl(struct rig *r, struct uiommu_iommufd *ctx, uint32_t nr, void *cmd, size_t bytes);

/* what the device does: 0 or -EFAULT. @pasid -1: untagged */
int rig_dma(struct rig *r, unsigned fn, int32_t pasid, uint64_t iova, void *buf, size_t bytes,
	    bool write);
/* the first 8 bytes at @iova, or 0 if the access was refused */
uint64_t rig_read64(struct rig *r, unsigned fn, int32_t pasid, uint64_t iova);

/* shorthands that assert success */
uint32_t rig_ioas(struct rig *r, struct uiommu_iommufd *ctx);
void rig_map(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t va, uint64_t len,
	     uint64_t iova);
int rig_try_map(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t va,
		uint64_t len, uint64_t *iova, uint32_t flags);
int rig_unmap(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t iova,
	      uint64_t len, uint64_t *unmapped);
int rig_destroy_obj(struct rig *r, struct uiommu_iommufd *ctx, uint32_t id);
int rig_hwpt_alloc(struct rig *r, struct uiommu_iommufd *ctx, uint32_t dev, uint32_t pt,
		   uint32_t flags, uint32_t *out);

#define RW (UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE | UIOMMU_ABI_IOMMU_IOAS_MAP_WRITEABLE)
#define FIXED UIOMMU_ABI_IOMMU_IOAS_MAP_FIXED_IOVA

/* a seeded generator; the seed comes from UIOMMU_SEED or @dflt and is printed */
uint64_t rig_seed(const char *test, uint64_t dflt);
uint64_t rig_random(uint64_t *state);

#endif
