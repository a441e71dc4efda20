/* SPDX-License-Identifier: MIT */
/*
 * board.h - the machine that a guest finds itself on: what a devicetree tells it, and
 * what its CPUs do when they are told to wait
 *
 * This is all that the two halves of this program have in common.
 *
 *	0x08020040	where the SMMU's messages go: the value is an interrupt line
 *	0x09050000	SMMUv3, 128 KiB of registers
 *	0x09080000	perhaps: its CMDQV, 320 KiB
 *	0x40000000	memory
 *
 * It has two CPUs. The first runs the guest's kernel and its programs; the second
 * takes interrupts.
 */
#ifndef VMM_BOARD_H
#define VMM_BOARD_H

#include <uiommu/host.h>

#define BOARD_DOORBELL	0x08020040ull
#define BOARD_SMMU	0x09050000ull
#define BOARD_SMMU_BYTES 0x20000ull
#define BOARD_RAM	0x40000000ull

/* interrupt lines */
enum {
	BOARD_IRQ_EVTQ = 1,
	BOARD_IRQ_PRIQ,
	BOARD_IRQ_GERROR,
	BOARD_IRQ_SYNC,
	BOARD_IRQ_CMDQV,
	BOARD_IRQS
};

/* A PCI function, with its BAR 0 mapped. */
struct board_device {
	const char *name;
	uint32_t rid, stream_id;
	unsigned pasid_bits;
	bool ats, ats_global, pri;
	volatile uint8_t *bar;
};

struct board {
	const char *name;
	uint8_t *ram;				/* BOARD_RAM, as the CPUs see it */
	uint64_t ram_bytes;
	struct uiommu_mmio smmu;		/* its registers */
	struct uiommu_mmio cmdqv;		/* and those of its queues */
	bool has_cmdqv;
	void *cpu;				/* handed to the functions */
	void (*pause)(void *cpu);		/* between two looks at something */
	/* sleeps until one is raised: a bit for each line; 0: the power is off */
	uint32_t (*wait_for_interrupt)(void *cpu);
};

#endif
