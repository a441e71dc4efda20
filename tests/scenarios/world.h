/* SPDX-License-Identifier: MIT */
/*
 * world.h - what the shared scenarios and the differential test run in: an SMMUv3,
 * memory, and a device that does DMA. Twice: QEMU's, bare metal, and the software
 * SMMUv3 in a process, which maps its memory where QEMU's machine has it, so that
 * pointers are physical addresses in both, and a structure in memory is the same in
 * both to the last bit.
 */
#ifndef WORLD_H
#define WORLD_H

#include <uiommu/smmuv3.h>

/* RAM of both; the image that runs on QEMU stays below RAM_FREE. */
#define RAM		0x40000000ull
#define RAM_FREE	0x48000000ull
#define RAM_END		0x78000000ull	/* 896 MiB: sanitizers want what is above */

/*
 * @mmio:  the SMMU's registers
 * @smmu:  what a devicetree says of it
 * @sid:   the device's StreamID; @rid: its requester ID
 * @host:  for the library, polled, or with interrupts
 * @live:  allocations of the host that were not freed
 * @write: one DMA write of 4 bytes, complete on return: @data to @iova
 * @load:  one DMA read of 4 bytes into the device, which has 0 when the read is stopped;
 *         slow on QEMU
 * @store: what it has is written to @iova
 * @say:   a line of the transcript, without its newline
 */
struct world {
	struct uiommu_mmio mmio;
	struct uiommu_smmuv3_config smmu;
	uint32_t sid, rid;
	const struct uiommu_host *(*host)(bool irqs);
	unsigned (*live)(void);
	void (*write)(uint64_t iova, uint16_t data);
	void (*load)(uint64_t iova);
	void (*store)(uint64_t iova);
	void (*say)(const char *line);
};

/* The only one of its kind in an image or a process. */
extern struct world world;

static inline volatile uint64_t *world_word(uint64_t pa)
{
	return (volatile uint64_t *)(uintptr_t)pa;
}

static inline volatile uint32_t *world_word32(uint64_t pa)
{
	return (volatile uint32_t *)(uintptr_t)pa;
}

#endif
