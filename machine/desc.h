/* SPDX-License-Identifier: MIT */
/*
 * desc.h - a machine as a list of things, read from a devicetree
 *
 * Whatever describes a machine ends up here; what is built knows nothing of
 * where the description came from.
 */
#ifndef UIOMMU_MACHINE_DESC_H
#define UIOMMU_MACHINE_DESC_H

#include <uiommu/iommu.h>
#include <uiommu/sim/dev.h>
#include <uiommu/sim/smmuv3.h>

#define DESC_MAX_SMMUS		16
#define DESC_MAX_ITS		16
#define DESC_MAX_HOSTS		16
#define DESC_MAX_FUNCTIONS	256
#define DESC_MAX_MAP		64	/* entries of one iommu-map or msi-map */
#define DESC_NAME_BYTES		48

/* An SMMU's queues for VMs. */
struct desc_cmdqv {
	bool there;
	int node;
	uiommu_pa_t pa;
	uint64_t bytes;
	bool has_irq;
	unsigned irq;
};

struct desc_smmu {
	char name[DESC_NAME_BYTES];		/* "iommu@2b400000" */
	int node;
	uint32_t phandle;
	uiommu_pa_t pa;
	uint64_t bytes;
	bool has_irqs;
	unsigned irq_evtq, irq_gerror, irq_priq, irq_sync;
	bool has_priq_irq, has_sync_irq;
	unsigned hostile_seed;			/* 0: it is kind */
	struct desc_cmdqv cmdqv;
	struct uiommu_sim_smmuv3_config sim;
};

struct desc_its {
	char name[DESC_NAME_BYTES];
	int node;
	uint32_t phandle;
	uiommu_pa_t pa;
	uint64_t bytes;
};

struct desc_function {
	char name[16];				/* "0000:01:00.0" */
	int node;
	uint32_t segment, rid;
	unsigned smmu;				/* index */
	uint32_t sid;
	int its;				/* index, or -1: no message interrupts */
	uint32_t device_id;
	int group;				/* -1: one of its own */
	bool shared;				/* its StreamID is another function's too */
	struct uiommu_sim_edu_config edu;
	struct uiommu_dev_resv resv[UIOMMU_RESV_MAX];
	unsigned num_resv;
};

struct desc {
	unsigned num_smmus, num_its, num_functions;
	struct desc_smmu smmus[DESC_MAX_SMMUS];
	struct desc_its its[DESC_MAX_ITS];
	struct desc_function functions[DESC_MAX_FUNCTIONS];	/* in order of segment, RID */
};

/*
 * Reads @dtb into @d. Return: 0, or -UIOMMU_EINVAL with one sentence in @err
 * (@err_bytes > 0) that names the node and property at fault.
 */
int uiommu_desc_from_dtb(const void *dtb, size_t dtb_bytes, struct desc *d, char *err,
			 size_t err_bytes);

#endif
