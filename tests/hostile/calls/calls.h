/* SPDX-License-Identifier: MIT */
/* calls.h - what three threads have together, and what each has to itself */
#ifndef TESTS_HOSTILE_CALLS_H
#define TESTS_HOSTILE_CALLS_H

#include "tests/hostile/world.h"

#include <uiommu/driver.h>

#define SHARED	(DEVS + 2)		/* the last two are a group */
#define MAPS	8
#define PROCESSES 4

struct process {
	struct uiommu_mm *mm;
	struct uiommu_pt pt;
};

struct mine {
	unsigned number;
	struct uiommu_domain *dom, *parent, *nested;
	struct uiommu_dev *dev;
	struct process process;
	struct uiommu_sva *sva;
	struct uiommu_viommu *v;
	struct uiommu_vdevice *vd;
	struct uiommu_hw_queue *q[2];		/* of its own slice, of the shared one */
	struct { uiommu_iova_t iova; uint64_t bytes; } map[MAPS];	/* of the shared one */
	struct uiommu_dma *dma;
	uiommu_pasid_t pasid;
	struct uiommu_iommu iommu;		/* a driver that has no device */
	unsigned claims[SHARED];
};

struct calls {
	struct world w;				/* its devices and domains, at rest */
	struct uiommu_dev *dev[SHARED];
	struct process process[PROCESSES];
	struct uiommu_dma *dma;
	struct uiommu_domain *parent;
	struct uiommu_viommu *v;		/* with queues, where there are such */
	void *ring;
	bool recovering;
	struct fdevice *asks;			/* by PRI; NULL: none does */
	struct uiommu_domain *asked;
	struct uiommu_iopf_group *held[HELD];
	struct mine mine[WORKERS];
};

extern const unsigned calls_weight[], calls_num;
void calls_boot(struct calls *c);
void calls_op(void *world, const struct op *op);
void calls_shut(struct calls *c);

#endif
