/* SPDX-License-Identifier: MIT */
/*
 * board.h - QEMU's "virt" machine with iommu=smmuv3, as far as a bare-metal image
 * needs it: console, exit, interrupts, PCI, and a host for the library
 */
#ifndef BOARD_H
#define BOARD_H

#include <uiommu/host.h>

/* Where things are. -M virt fixes these addresses; its devicetree says the same. */
#define SMMU_PA		0x09050000ull
#define SMMU_BYTES	0x20000ull
#define SMMU_IRQ_EVTQ	106		/* SPI 74 */
#define SMMU_IRQ_GERROR	109		/* SPI 77 */
#define PCI_MMIO	0x10000000ull	/* room for BARs */
#define RAM_FREE	0x48000000ull	/* from here on nothing of the image lies */

/* ---- board.c ---- */

void board_init(void);			/* console, MMU, interrupt controller */
void board_exit(int code) __attribute__((noreturn));
void board_exception(uint64_t esr, uint64_t elr, uint64_t far) __attribute__((noreturn));
void board_irq(void);
uint64_t board_now_ns(void);

/* %s, %u, %x, %llx and %% only */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

bool irq_mask(void);			/* returns what was: true = masked */
void irq_restore(bool masked);
int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg);
void irq_release(void *ctx, unsigned irq);

/* ---- pci.c ---- */

struct edu {
	unsigned bdf;
	volatile uint32_t *bar;
	unsigned msi;			/* offset of its MSI capability */
};

/* The first edu on the bus, its BAR assigned, its bus mastering on. False: none. */
bool edu_find(struct edu *edu);
/* One DMA write of 4 bytes, complete on return: @data (16 bits) to @iova. It is the
 * device's MSI, which is a memory write like any other. */
void edu_dma_write(const struct edu *edu, uint64_t iova, uint16_t data);

/* ---- host.c ---- */

/* @irqs: with the functions of step 3, else a polled, single-threaded host. */
const struct uiommu_host *host_get(bool irqs);
unsigned host_live(void);		/* allocations that were not freed */

#endif
