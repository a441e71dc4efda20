/* SPDX-License-Identifier: MIT */
/*
 * board.h - QEMU's "virt" machine with iommu=smmuv3, as far as a bare-metal image
 * needs it: console, exit, interrupts, PCI, and a host for the library
 *
 * Where things are stands in the devicetree that QEMU leaves at the start of RAM.
 * The image itself is linked for RAM at 1 GiB: that is all it knows of the board.
 */
#ifndef BOARD_H
#define BOARD_H

#include <uiommu/smmuv3.h>

/* What the devicetree says. */
struct board {
	uint64_t uart, gicd, gicr;
	uint64_t ram, ram_bytes;
	uint64_t ecam, ecam_bytes;
	uint64_t pci_mmio, pci_mmio_end;	/* 32-bit window for BARs */
	uint32_t map_rid, map_sid, map_len;	/* iommu-map: requester IDs from map_rid on */
	struct uiommu_smmuv3_config smmu;	/* has_irqs is set: there are wires */
	const char *args;			/* -append */
};

extern struct board board;

/* ---- board.c ---- */

void board_init(void);			/* devicetree, console, MMU, interrupt controller */
void board_exit(int code) __attribute__((noreturn));
void board_exception(uint64_t esr, uint64_t elr, uint64_t far) __attribute__((noreturn));
uint64_t board_now_ns(void);

/* %s, %u, %x, %llx and %% only */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The value of "NAME=" in the arguments, a number; @otherwise where it is not there. */
uint64_t arg_number(const char *name, uint64_t otherwise);
/* Is the first word of the arguments @word? */
bool arg_word(const char *word);

/* What an image does; its value is the exit code. */
int main(void);

/* ---- gic.c ---- */

void gic_init(void);
void board_irq(void);
bool irq_mask(void);			/* returns what was: true = masked */
void irq_restore(bool masked);
int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg);
void irq_release(void *ctx, unsigned irq);
/* An interrupt number of ours for entry @index of a node's interrupts. */
struct dt_node;
unsigned gic_wire(const struct dt_node *node, unsigned index);

/* ---- pci.c ---- */

/* Number the buses, place every BAR below 4 GiB, let every function be a master. */
void pci_init(void);
/* Requester ID of the first function with these; -1: there is none. */
int pci_find(unsigned vendor, unsigned device);
volatile uint32_t *pci_cfg(unsigned rid, unsigned off);
/* Where its capability @id is; 0: it has none. */
unsigned pci_cap(unsigned rid, unsigned id);
volatile uint32_t *pci_bar0(unsigned rid);
/* How the SMMU sees it. */
uint32_t pci_stream_id(unsigned rid);

/* ---- edu.c ---- */

struct edu {
	unsigned rid;
	uint32_t sid;
	volatile uint32_t *bar;
	unsigned msi;			/* offset of its MSI capability */
};

/* False: there is none. */
bool edu_find(struct edu *edu);
/* One DMA write of 4 bytes, complete on return: @data (16 bits) to @iova. It is the
 * device's MSI, which is a memory write like any other. */
void edu_dma_write(const struct edu *edu, uint64_t iova, uint16_t data);
/* Its engine: @bytes, at most 4096, from @iova into the device, or from there to @iova.
 * Complete on return; it tells nobody whether it was let through. Takes 100 ms of the
 * machine's time. */
void edu_dma_load(const struct edu *edu, uint64_t iova, unsigned bytes);
void edu_dma_store(const struct edu *edu, uint64_t iova, unsigned bytes);

/* ---- nvme.c ---- */

struct nvme {
	unsigned rid;
	uint32_t sid;
	volatile uint32_t *bar;
	struct nvme_queue {
		volatile uint32_t *sq, *cq;	/* as the CPU sees them */
		unsigned tail, head, phase, id;
	} admin, io;
};

#define NVME_BLOCK	512u

/* False: there is none. */
bool nvme_find(struct nvme *n);
/*
 * Bring it up. @mem: 4 pages, zeroed, which the device reaches at @iova: everything
 * that it does for us, queues too, is DMA. False: it does not become ready.
 */
bool nvme_init(struct nvme *n, volatile void *mem, uint64_t iova);
/* Blocks between the disk and a page-aligned buffer of at most two pages at @iova. */
bool nvme_rw(struct nvme *n, bool write, uint64_t lba, unsigned blocks, uint64_t iova);
/* Off: from here on it does no DMA. */
void nvme_stop(struct nvme *n);

/* ---- host.c ---- */

/* @irqs: with the functions of step 3, else a polled, single-threaded host. */
const struct uiommu_host *host_get(bool irqs);
unsigned host_live(void);		/* allocations that were not freed */

#endif
