/* SPDX-License-Identifier: MIT */
/*
 * internal.h - a VFIO device, as its files share it
 *
 * One mutex per device guards what is marked (d); (i) is set when the device is
 * made. Functions declared here are called with it held unless they say
 * otherwise. It is taken before a context's lock, never after. The function
 * that a message interrupt calls takes no lock: it only looks at its vector,
 * which msi_free() keeps alive until it is not running any more.
 */
#ifndef UIOMMU_SRC_VFIO_INTERNAL_H
#define UIOMMU_SRC_VFIO_INTERNAL_H

#include <string.h>
#include <uiommu/vfio.h>
#include "abi.h"
#include "pci.h"

#define UIOMMU_VFIO_NO_IRQ	UINT32_MAX
#define UIOMMU_VFIO_MAX_VECTORS	2048u		/* MSI-X has no more */
#define UIOMMU_VFIO_INDEX_SHIFT	40		/* file offset -> region index */

/* Configuration space as the program sees it. A bit of @virt: read and written
 * in @val, hardware not asked; a bit of @write: the program may change it. */
struct uiommu_vfio_config {
	unsigned bytes;			/* (i) 256 or 4096 */
	unsigned msi, exp, msix;	/* (d) where these capabilities are; 0: not there */
	unsigned pasid, pri;
	uint32_t rbar[6], rrom;		/* (d) what hardware's BARs hold */
	uint8_t val[PCI_CFG_MAX];	/* (d) */
	uint8_t virt[PCI_CFG_MAX];
	uint8_t write[PCI_CFG_MAX];
};

struct uiommu_vfio_vector {
	struct uiommu_vfio_device *dev;
	struct uiommu_file *file;	/* the eventfd */
	uiommu_iova_t iova;		/* what the function was programmed with */
	uint32_t data;
};

struct uiommu_vfio_device {
	const struct uiommu_host *host;		/* (i) */
	const struct uiommu_uaccess *uaccess;	/* (i) */
	struct uiommu_vfio_backend be;		/* (i) */
	struct uiommu_lock lock;
	struct uiommu_vfio_file *bound;		/* (d) the open that has the device */
	struct uiommu_iommufd *ictx;		/* (d) */
	struct uiommu_iommufd_dev *idev;	/* (d) */
	struct uiommu_vfio_config *cfg;		/* (i) the pointer */

	uint32_t irq_index;			/* (d) MSI or MSI-X if on, else NO_IRQ */
	unsigned num_enabled;			/* (d) vectors when it was switched on */
	struct uiommu_vfio_vector **vectors;	/* (d) [irq_count], NULL: no eventfd */
	struct uiommu_file *err_trigger, *req_trigger;	/* (d) */
};

struct uiommu_vfio_file {
	struct uiommu_vfio_device *dev;	/* (i) */
};

void *uiommu_vfio_alloc(const struct uiommu_vfio_device *d, size_t bytes);
void uiommu_vfio_free(const struct uiommu_vfio_device *d, void *p, size_t bytes);
void uiommu_vfio_lock(struct uiommu_vfio_device *d);
void uiommu_vfio_unlock(struct uiommu_vfio_device *d);

int uiommu_vfio_copy_in(const struct uiommu_vfio_device *d, struct uiommu_as *as, void *dst,
			uint64_t src, size_t bytes);
int uiommu_vfio_copy_out(const struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t dst,
			 const void *src, size_t bytes);
/* The first @bytes of a structure, whose argsz must say that there are as many. */
int uiommu_vfio_fetch(const struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t src,
		      void *dst, size_t bytes);

/* ---- config.c ---- */

/* From hardware's configuration space: at bind. */
void uiommu_vfio_config_init(struct uiommu_vfio_device *d);
/* At most 4 bytes, naturally aligned. */
uint32_t uiommu_vfio_config_read(struct uiommu_vfio_device *d, unsigned off, unsigned size);
void uiommu_vfio_config_write(struct uiommu_vfio_device *d, unsigned off, uint32_t val,
			      unsigned size);
bool uiommu_vfio_memory_enabled(const struct uiommu_vfio_device *d);
/* the bytes of a BAR that hold the MSI-X table; false: not in that BAR */
bool uiommu_vfio_msix_table(const struct uiommu_vfio_device *d, unsigned bar, uint64_t *start,
			    uint64_t *end);
/* Memory decoding on, bus mastering off: as after pci_enable_device(); or all off. */
void uiommu_vfio_function_on(struct uiommu_vfio_device *d);
void uiommu_vfio_function_off(struct uiommu_vfio_device *d);
/* Resets the function, which reaches nothing meanwhile, and puts back what it must not
 * lose. An error is the IOMMU's, which does not answer: the function was reset. */
int uiommu_vfio_function_reset(struct uiommu_vfio_device *d);

/* ---- irq.c ---- */

unsigned uiommu_vfio_irq_count(const struct uiommu_vfio_device *d, uint32_t index);
int uiommu_vfio_set_irqs(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);
/* the function has lost its MSI registers */
void uiommu_vfio_irq_reprogram(struct uiommu_vfio_device *d);
void uiommu_vfio_irq_off(struct uiommu_vfio_device *d);

/* ---- info.c ---- */

int uiommu_vfio_get_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);
int uiommu_vfio_get_region_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);
int uiommu_vfio_get_irq_info(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);
int uiommu_vfio_feature(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg);

#endif
