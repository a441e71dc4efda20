/* SPDX-License-Identifier: MIT */
/**
 * uiommu/smmuv3.h - bring up an Arm SMMUv3 (IHI 0070) and give it to an instance
 *
 * What it can do here: stage 1 on RIDs and on PASIDs, stage 2 on RIDs; tables of
 * 4, 16 or 64 KiB, 48-bit addresses in and out (52 with 64 KiB); linear and two-level
 * stream and CD tables; range invalidation where hardware has it; marking of written
 * pages; interrupts by wire or message, or polling; recovery from service failures,
 * with the embedder's help; stalls and page requests; devices with a TLB of
 * their own (ATS); queues that VMs have in their hands (TEGRA241_CMDQV), and one of ours
 * beside them. Off: broadcast TLB maintenance. Nothing in it depends on the simulator.
 */
#ifndef UIOMMU_SMMUV3_H
#define UIOMMU_SMMUV3_H

#include <uiommu/iommu.h>

/**
 * struct uiommu_smmuv3_msi - where an interrupt of its own is written to
 * @pa:   a doorbell, a multiple of 4; 0: the interrupt is a wire
 * @data: what is written
 */
struct uiommu_smmuv3_msi {
	uiommu_pa_t pa;
	uint32_t data;
};

/**
 * struct uiommu_smmuv3_config - what a devicetree says about it
 * @name:       "smmu@9050000", for messages; copied, cut at 31 bytes
 * @mmio_pa:    where its registers are
 * @mmio_bytes: 0x20000 or more: both register pages
 * @coherent:   its table walks and queues see CPU caches (dma-coherent). Where it or
 *              the hardware says no, host->cache_clean() is needed, and the host's
 *              table memory must be such that what hardware writes (the event
 *              queue) is seen by loads
 * @has_irqs:   false, or host->irq_request NULL: somebody calls
 *              uiommu_smmuv3_poll()
 * @irq_evtq:   interrupt numbers for host->irq_request()
 * @irq_gerror: likewise
 * @has_irq_priq: false: where it has PRI, somebody calls uiommu_smmuv3_poll()
 * @irq_priq:   likewise
 * @msi_evtq:   the message that raises @irq_evtq, where hardware has messages (else it
 *              is a wire)
 * @msi_gerror: likewise
 * @msi_priq:   likewise
 * @cmdqv:      registers of its queues for VMs (TEGRA241_CMDQV), if @has_cmdqv; copied, the
 *              embedder's again after uiommu_smmuv3_remove(). One of them is the driver's
 *              own, for invalidations, so that a guest's driver gets by without its VMM.
 *              Registers that make no sense, or do not answer, are left alone: a line in
 *              the log says so
 * @has_cmdqv:  it has those
 * @has_irq_cmdqv: false: where it has those, somebody calls uiommu_smmuv3_poll()
 * @irq_cmdqv:  a queue has stopped; raised once for each that does (edge)
 * @reset:      puts the hardware through reset; may sleep. 0, or a negative UIOMMU_E*.
 *              NULL: it cannot, and an SMMU that failed stays off
 * @reset_ctx:  handed to @reset
 * @vmid_alloc: where VMIDs come from, for an embedder that shares them with CPUs: puts
 *              one into *@vmid, not 0 and below 2^8 or 2^16 as IDR0.VMID16 says. 0, or a
 *              negative UIOMMU_E*, which becomes that of the attach. May sleep; under
 *              the instance lock. NULL: the lowest that is free here
 * @vmid_free:  takes one back: hardware has forgotten all of it. Goes with @vmid_alloc
 * @vmid_ctx:   handed to both
 * @firmware_ids: StreamIDs whose DMA firmware has started and that goes on (an RMR node
 *              of IORT, a picture on the screen): they bypass from the moment the SMMU
 *              is on until a device with that number is added. If the SMMU is found off
 *              and lets everything pass, it does so until it is on. Not kept
 * @num_firmware_ids: how many
 * @sync_batches: a CMD_SYNC in at most every 64 commands, for hardware that wants that
 * @cmdq_lg2:   entries of the command queue, log2; 0: as many as fit 4 KiB. Cut at
 *              what hardware can do
 * @evtq_lg2:   entries of the event queue, likewise
 * @priq_lg2:   entries of the page request queue, likewise
 */
struct uiommu_smmuv3_config {
	const char *name;
	uiommu_pa_t mmio_pa;
	uint64_t mmio_bytes;
	bool coherent;
	bool has_irqs;
	bool has_irq_priq;
	unsigned irq_evtq, irq_gerror, irq_priq;
	struct uiommu_smmuv3_msi msi_evtq, msi_gerror, msi_priq;
	struct uiommu_mmio cmdqv;
	bool has_cmdqv, has_irq_cmdqv;
	unsigned irq_cmdqv;
	int (*reset)(void *ctx);
	void *reset_ctx;
	int (*vmid_alloc)(void *ctx, uint32_t *vmid);
	void (*vmid_free)(void *ctx, uint32_t vmid);
	void *vmid_ctx;
	const uint32_t *firmware_ids;
	unsigned num_firmware_ids;
	bool sync_batches;
	unsigned cmdq_lg2, evtq_lg2, priq_lg2;
};

/**
 * uiommu_smmuv3_probe() - bring one up
 * @u:   the instance it becomes part of
 * @cfg: copied
 * @out: for uiommu_dev_config.iommu and the functions below; only set on success
 *
 * Context:   a thread that may sleep; takes the instance lock; may call any function
 *            of the host.
 * Hardware:  takes it over as it is found, also running. From the first register
 *            write on nothing passes (GBPA.ABORT; where it is not implemented, a line
 *            in the log says so) until devices are added: every StreamID aborts, except
 *            @cfg->firmware_ids.
 * Ownership: the caller's, until uiommu_smmuv3_remove() or uiommu_destroy().
 * Return:    0, or (hardware is off and aborts, nothing stays)
 *   -UIOMMU_EINVAL      no name, too few bytes of registers, or one function for VMIDs
 *                       without the other
 *   -UIOMMU_EOPNOTSUPP  it lacks something that is needed; a line in the log says what
 *   -UIOMMU_ENOMEM      the host gave no memory
 *   -UIOMMU_ERANGE      @firmware_ids has one that it cannot look up
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  it does not acknowledge, or does not take commands
 *   others              as host->mmio_map() and host->irq_request() returned
 */
int uiommu_smmuv3_probe(struct uiommu *u, const struct uiommu_smmuv3_config *cfg,
			struct uiommu_iommu **out);

/**
 * uiommu_smmuv3_remove() - switch one off and take it out of its instance
 * @iommu: from uiommu_smmuv3_probe(); gone afterwards
 *
 * Devices that are still behind it are removed as by uiommu_device_remove().
 *
 * Context:   a thread that may sleep; takes the instance lock. Cannot fail,
 *            allocates nothing.
 * Hardware:  off; every DMA through it aborts.
 */
void uiommu_smmuv3_remove(struct uiommu_iommu *iommu);

/**
 * uiommu_smmuv3_poll() - do what the interrupts do
 * @iommu: from uiommu_smmuv3_probe()
 *
 * Looks at GERROR, drains the event and the page request queue, tells the observer of
 * each fault, the handlers of each page request, and a VM of its queues that stopped. Also
 * fine where there are interrupts.
 *
 * Context:   any in which a UIOMMU_LOCK_SPIN may be taken; several at once are fine,
 *            then records may be reported out of order.
 * Hardware:  acknowledges errors, frees places of the event queue.
 */
void uiommu_smmuv3_poll(struct uiommu_iommu *iommu);

/**
 * uiommu_fault_text() - a fault in words
 * @f:     as given to the observer, during its call
 * @buf:   out; one line without a newline, always terminated
 * @bytes: of @buf; 200 are enough
 *
 * "F_TRANSLATION: 0000:01:00.0 (RID 01:00.0) PASID 0x5, write at IOVA 0x10000; said
 * no: stage 1 page table: not mapped"
 *
 * Context:   any; takes no lock.
 * Return:    0, or
 *   -UIOMMU_EINVAL    @bytes is 0                  @buf is not touched
 *   -UIOMMU_EMSGSIZE  the line did not fit         @buf has its beginning
 */
int uiommu_fault_text(const struct uiommu_fault *f, char *buf, size_t bytes);

#endif
