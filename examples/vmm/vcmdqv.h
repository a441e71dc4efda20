/* SPDX-License-Identifier: MIT */
/*
 * vcmdqv.h - command queues that the guest has in its own hands (TEGRA241_CMDQV)
 *
 * A block of registers beside the SMMU. The guest sees one interface (VINTF) with a few
 * queues:
 *
 *	0x00000	configuration		trapped
 *	0x10000	page 0, by number	trapped: the same as at 0x30000
 *	0x20000	page 1, by number	trapped: where a queue is
 *	0x30000	page 0			the host's hardware: PROD, CONS, errors, on and off
 *	0x40000	page 1			trapped
 *
 * When the guest has said where a queue is, the host is given it (IOMMU_HW_QUEUE_ALLOC).
 * From then on hardware takes its commands from guest memory, and the guest moves PROD
 * in page 0, which is not ours: no exit. What the queue may do is the host's to see to.
 *
 * With a temper what is switched on or off is so late, which STATUS says, and interrupts
 * come late. What says where a queue is has its effect at once, as hardware's registers do.
 */
#ifndef VMM_VCMDQV_H
#define VMM_VCMDQV_H

#include <uiommu/host.h>

#include "host.h"

struct vm;

#define VCMDQV_QUEUES_LG2	1u		/* no more than that, if the host has them */
#define VCMDQV_QUEUES		(1u << VCMDQV_QUEUES_LG2)
#define VCMDQV_BYTES		0x50000ull

struct vcmdqv_queue {
	uint64_t base, cons_base;	/* as the guest wrote them */
	uint32_t alloc;			/* CMDQ_ALLOC */
	uint32_t id;			/* the host's; 0: it does not have it */
	uint64_t id_base;		/* with this base */
};

/* All under the SMMU's lock; (i) set before the guest runs. */
struct vcmdqv {
	struct vm *vm;			/* (i) */
	volatile uint8_t *page;		/* (i) page 0, the host's; NULL: there is no such block */
	size_t page_bytes;		/* (i) */
	unsigned queues_lg2;		/* (i) */
	uint32_t param;			/* (i) */
	uint32_t config, vintf_config, int_mask[2];	/* as written */
	bool on, vintf_on;		/* what of it is in effect: late, with a temper */
	bool due;			/* an interrupt */
	struct vcmdqv_queue queue[VCMDQV_QUEUES];
	uint64_t exits;
};

void vcmdqv_init(struct vcmdqv *c, struct vm *vm, const struct host_cmdqv *host,
		 volatile void *page, size_t bytes);

/*
 * What the CPU does with an address of the block. In a VM with a CPU of its own page 0 is
 * mapped into it, and the rest traps: here a function says which is which.
 */
extern const struct uiommu_mmio_ops vcmdqv_mmio_ops;

/* Something is switched on or off, or an interrupt comes: a step of the SMMU's (vsmmu.h). */
bool vcmdqv_step(struct vcmdqv *c);
/* From the host: queues of the guest have stopped, a bit for each. */
void vcmdqv_error(struct vcmdqv *c, const uint64_t map[2]);

#endif
