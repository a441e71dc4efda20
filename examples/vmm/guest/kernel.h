/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - a guest: a kernel around an instance of the library, on the board
 *
 * It knows nothing of the VMM. Its SMMU driver is the library's, the same that the
 * host's side uses; all that the library asks of it is in port.c. Everything that it
 * has, itself included, is in the VM's memory.
 */
#ifndef VMM_GUEST_KERNEL_H
#define VMM_GUEST_KERNEL_H

#include <uiommu/dma.h>
#include <uiommu/smmuv3.h>
#include <uiommu/sva.h>

#include "examples/vmm/board.h"

#define PAGE		4096u
#define KERNEL_DEVICES	4u
#define KERNEL_FAULTS	16u

/* Powers of two from 64 bytes on; what is free of a size is a list. */
struct heap {
	uint32_t lock;
	void *free[24];			/* of 64 << n bytes */
	uint8_t *next, *end;		/* never used */
};

struct irq {
	void (*fn)(void *arg);
	void *arg;
	unsigned came;			/* how often */
};

/* A device, and the address space that the kernel has on its RID. */
struct device {
	const struct board_device *board;
	struct uiommu_dev *dev;
	struct uiommu_dma *dma;
};

struct kernel {
	const struct board *board;
	struct heap heap;
	struct uiommu_host host;
	uint32_t irq_lock;			/* held while a handler runs */
	struct irq irq[BOARD_IRQS];		/* irq_lock */
	uint32_t readers_lock;			/* the two below */
	unsigned readers;
	struct uiommu_retire *retired;

	struct uiommu *u;
	struct uiommu_iommu *smmu;
	struct device dev[KERNEL_DEVICES];
	unsigned devices;

	struct work *work;			/* work.c's */

	uint32_t faults_lock;			/* the two below */
	struct uiommu_fault fault[KERNEL_FAULTS];	/* number n % KERNEL_FAULTS */
	unsigned faults;
};

/* ---- kernel.c ---- */

/* The first CPU begins here. NULL: no SMMU that the driver takes. */
struct kernel *kernel_boot(const struct board *board);
/* The second CPU: until the power is off. */
void kernel_take_interrupts(struct kernel *k);
/* A device that is there, or has just come. NULL: the driver does not take it. */
struct device *kernel_add_device(struct kernel *k, const struct board_device *board);
void kernel_remove_device(struct device *d);
/* the device that has this requester ID, or NULL */
struct device *kernel_device(struct kernel *k, uint32_t rid);
/* all devices are stopped, the SMMU is off */
void kernel_halt(struct kernel *k);
/* how many events have come since boot */
unsigned kernel_faults(struct kernel *k);
/* The event number @n, from 0, once it has come; false: it has not for five seconds. */
bool kernel_fault(struct kernel *k, unsigned n, struct uiommu_fault *out);

/* ---- port.c: what the library asks of a kernel ---- */

void port_init(struct kernel *k);
void lock_take(struct kernel *k, uint32_t *lock);
void lock_give(uint32_t *lock);
/* zeroed, aligned to its size; a power of two */
void *heap_alloc(struct kernel *k, size_t bytes);
void heap_free(struct kernel *k, void *p, size_t bytes);
unsigned kernel_interrupts(struct kernel *k, unsigned line);	/* so far */
void port_run_irqs(struct kernel *k, uint32_t lines);

static inline uiommu_pa_t kernel_pa(const struct kernel *k, const void *p)
{
	return (uint64_t)(uintptr_t)p - k->host.table_offset;
}

static inline void *kernel_va(const struct kernel *k, uiommu_pa_t pa)
{
	return (void *)(uintptr_t)(pa + k->host.table_offset);
}

static inline void kernel_pause(const struct kernel *k)
{
	k->board->pause(k->board->cpu);
}

#endif
