/* SPDX-License-Identifier: MIT */
/*
 * machine.h - puts one machine together from a devicetree: simulated SMMUs with
 * our driver on them, devices behind them, an MSI controller, and the iommufd
 * and VFIO servers on top. Everything but preload meets here.
 *
 * docs/MACHINE.md says what a machine file may contain.
 */
#ifndef UIOMMU_MACHINE_H
#define UIOMMU_MACHINE_H

#include <uiommu/vfio.h>

struct uiommu_machine;
struct uiommu_posix;

/* Where MSI doorbells are mapped in every address space: Linux's window. */
#define UIOMMU_MACHINE_MSI_BASE		0x8000000u
#define UIOMMU_MACHINE_MSI_BYTES	0x100000u

/**
 * struct uiommu_machine_config - what a machine is made of
 * @dtb:       a flattened devicetree, or NULL: the built-in default machine
 * @dtb_bytes: its size; ignored when @dtb is NULL
 * @posix:     memory, locks, time, register windows; must outlive the machine
 * @uaccess:   how programs are reached; must outlive the machine
 * @observer:  told about attachments and faults; may be NULL, else it must
 *             outlive the machine
 * @threads:   true: each device works on a thread of its own. false: device work
 *             waits for uiommu_machine_step(). An SMMU that fails is reset and gets
 *             back all that its devices had, by a thread, or by the next step
 *
 * The blob is copied where it is needed; it may go away after create.
 */
struct uiommu_machine_config {
	const void *dtb;
	size_t dtb_bytes;
	struct uiommu_posix *posix;
	const struct uiommu_uaccess *uaccess;
	const struct uiommu_observer *observer;
	bool threads;
};

/**
 * uiommu_machine_create() - read the devicetree and bring everything up
 * @cfg:       see above; read during the call only, except what it points to
 * @out:       the machine; untouched on failure
 * @err:       one sentence without a newline that names the node and property
 *             at fault; always terminated, empty on success. May be NULL
 * @err_bytes: room in @err
 *
 * Context:   one thread; may sleep. Not from an observer.
 * Hardware:  each SMMU is probed and switched on; every device starts BLOCKED.
 * Ownership: the caller destroys the machine before @cfg->posix.
 * Return:    0, or
 *   -UIOMMU_EINVAL  the devicetree has a mistake     nothing was made
 *   -UIOMMU_ENOMEM  no memory, or no thread          nothing was made
 *   what the driver's probe or a server's create returned, likewise
 */
int uiommu_machine_create(const struct uiommu_machine_config *cfg, struct uiommu_machine **out,
			  char *err, size_t err_bytes);

/**
 * uiommu_machine_destroy() - take everything down
 * @m: the machine, or NULL. Every file of its VFIO devices must be closed and
 *     every iommufd context put.
 *
 * Context:   one thread, not from an observer or a message handler; may sleep.
 * Hardware:  devices stop, then the SMMUs are switched off.
 */
void uiommu_machine_destroy(struct uiommu_machine *m);

/**
 * uiommu_machine_step() - do what devices have pending
 * @m: the machine
 *
 * Then recovers what SMMUs have failed. Returns when nothing is pending any more. Does
 * nothing on a machine made with threads.
 *
 * Context:   one thread at a time; may sleep. Not from an observer.
 */
void uiommu_machine_step(struct uiommu_machine *m);

/**
 * uiommu_machine_instance() - the instance that all its devices belong to
 * @m: the machine
 *
 * Context:   any.
 * Return:    the instance; lives as long as the machine.
 */
struct uiommu *uiommu_machine_instance(struct uiommu_machine *m);

/**
 * uiommu_machine_iommufd_create() - a new open of /dev/iommu
 * @m:   the machine
 * @out: the context; the caller puts it
 *
 * Context:   any thread; may sleep.
 * Return:    what uiommu_iommufd_create() returns.
 */
int uiommu_machine_iommufd_create(struct uiommu_machine *m, struct uiommu_iommufd **out);

/* A VFIO device: number i is /dev/vfio/devices/vfio<i>. All fields are set when
 * the machine is made and never change. */
struct uiommu_machine_vfio {
	struct uiommu_vfio_device *vfio;
	struct uiommu_dev *dev;
	const char *name;		/* "0000:01:00.0" */
	uint16_t vendor, device;
	uint32_t class_code;		/* 24 bits */
	unsigned group;
	unsigned smmu;			/* which SMMU it is behind */
	uint32_t sid;			/* as that one sees it */
	struct uiommu_sim_dev *sim;	/* its config space and BARs, for sysfs */
};

/**
 * uiommu_machine_num_vfio() - how many VFIO devices there are
 * @m: the machine
 *
 * Context:   any.
 * Return:    the number; they are numbered from 0 in the order of their RIDs.
 */
unsigned uiommu_machine_num_vfio(const struct uiommu_machine *m);

/**
 * uiommu_machine_vfio() - one of them
 * @m: the machine
 * @i: 0 .. uiommu_machine_num_vfio() - 1
 *
 * Context:   any.
 * Return:    the description, or NULL when @i is too large; lives as long as
 *            the machine.
 */
const struct uiommu_machine_vfio *uiommu_machine_vfio(const struct uiommu_machine *m, unsigned i);

/* An SMMU. All fields are set when the machine is made and never change. */
struct uiommu_machine_smmu {
	const char *name;		/* "iommu@2b400000" */
	uiommu_pa_t pa;
	struct uiommu_iommu *iommu;	/* our driver on it */
};

/**
 * uiommu_machine_smmu() - one of the machine's SMMUs
 * @m:   the machine
 * @i:   from 0
 * @out: overwritten whole
 *
 * Context:   any.
 * Return:    false: there are not so many.
 */
bool uiommu_machine_smmu(const struct uiommu_machine *m, unsigned i,
			 struct uiommu_machine_smmu *out);

/**
 * uiommu_machine_smmu_regs() - the registers of an SMMU, for people
 * @m:   the machine
 * @i:   which SMMU, from 0
 * @fn:  called for each with its architectural name and value; must not call the
 *       machine. Those of a CMDQV beside it come behind, each with the number of its
 *       interface or queue: VINTF_CONFIG[1], VCMDQ_PROD[3], VINTF_SID_MATCH[1][0]
 * @ctx: handed to @fn
 *
 * Context:   any thread; may sleep.
 * Hardware:  reads every register that we know. That changes nothing.
 */
void uiommu_machine_smmu_regs(const struct uiommu_machine *m, unsigned i,
			      void (*fn)(void *ctx, const char *name, uint64_t value), void *ctx);

/**
 * uiommu_machine_dtb() - the devicetree that the machine was made from
 * @m:     the machine
 * @bytes: out: its size
 *
 * Context:   any.
 * Return:    the blob; the machine's own.
 */
const void *uiommu_machine_dtb(const struct uiommu_machine *m, size_t *bytes);

#endif
