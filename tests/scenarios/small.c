/* SPDX-License-Identifier: MIT */
/*
 * small.c - the build for stage 2 alone, booted: what a hypervisor wants of it, with
 * memory that is a static array
 */
#include "board.h"

#define RW		(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)
#define IOVA		0x1234567000ull

static unsigned checks, failed, faults;
static struct uiommu_fault last;
static volatile uint32_t page_a[1024] __attribute__((aligned(4096)));
static volatile uint32_t page_b[1024] __attribute__((aligned(4096)));
static struct edu edu;
static struct uiommu_iommu *smmu;

static void check(bool ok, const char *what)
{
	checks++;
	failed += !ok;
	say("%s %u - %s\n", ok ? "ok" : "FAIL", checks, what);
}

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	faults++;
	last = *f;
}

static uint64_t pa(volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* 0: nothing, else the page that has it */
static volatile uint32_t *dma(uint64_t iova, uint16_t data)
{
	faults = 0;
	page_a[iova / 4 % 1024] = page_b[iova / 4 % 1024] = 0;
	edu_dma_write(&edu, iova, data);
	uiommu_smmuv3_poll(smmu);
	return page_a[iova / 4 % 1024] == data ? page_a :
	       page_b[iova / 4 % 1024] == data ? page_b : NULL;
}

static void translate(struct uiommu_domain *dom, struct uiommu_dev *dev)
{
	uint64_t n;

	check(!uiommu_attach_device(dom, dev), "attach a VM's memory");
	check(!uiommu_map(dom, IOVA, pa(page_a), 4096, RW, NULL), "map a page");
	check(dma(IOVA + 8, 0x1001) == page_a && !faults, "a write arrives");
	check(!dma(IOVA + 4096, 0x1002) && faults == 1 && last.flags & UIOMMU_FAULT_STAGE2,
	      "one beside it is a fault of stage 2");
	check(!uiommu_unmap(dom, IOVA, 4096, &n) && n == 4096, "unmap it");
	check(!dma(IOVA + 8, 0x1003) && faults == 1, "nothing arrives any more");
	check(!uiommu_map(dom, IOVA, pa(page_b), 4096, UIOMMU_PROT_READ, NULL), "map read-only");
	check(!dma(IOVA, 0x1004) && faults == 1, "a write is a fault");
	uiommu_detach_device_pasid(dev, UIOMMU_NO_PASID);
	check(!dma(IOVA, 0x1005) && !faults, "detached: blocked");
}

static void refusals(struct uiommu_domain *dom, struct uiommu_dev *dev)
{
	struct uiommu_domain *other = NULL;

	check(uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_PASID, &other) ==
	      -UIOMMU_EOPNOTSUPP, "a domain for PASIDs is refused");
	check(uiommu_attach_device_pasid(dom, dev, 1) < 0, "and so is a PASID");
}

static void run(struct uiommu *u)
{
	struct uiommu_dev_config cfg = {
		.name = "edu", .iommu = smmu, .rid = edu.rid, .stream_ids = &edu.sid,
		.num_stream_ids = 1, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct uiommu_domain *dom = NULL;
	struct uiommu_dev *dev = NULL;

	check(!uiommu_device_add(u, &cfg, &dev), "a device");
	check(dev && !uiommu_domain_alloc_paging(dev, 0, &dom), "a stage 2");
	if (!dom)
		return;
	translate(dom, dev);
	refusals(dom, dev);
	check(!uiommu_attach_device(uiommu_domain_identity(u), dev), "identity");
	check(dma(pa(page_a) + 16, 0x1006) == page_a, "a write to a physical address");
	uiommu_detach_device_pasid(dev, UIOMMU_NO_PASID);
	check(!uiommu_domain_free(dom), "free");
	uiommu_device_remove(dev);
}

int main(void)
{
	static const struct uiommu_observer observer = { .fault = on_fault };
	struct uiommu_smmuv3_config cfg = board.smmu;
	struct uiommu *u = NULL;

	cfg.has_irqs = false;
	check(edu_find(&edu), "edu is on the bus");
	check(!uiommu_create(host_get(false), &observer, &u) &&
	      !uiommu_smmuv3_probe(u, &cfg, &smmu), "an instance, and the SMMU");
	if (smmu) {
		run(u);
		uiommu_smmuv3_remove(smmu);
		uiommu_destroy(u);
	}
	check(!host_live(), "all memory came back");
	return failed ? 1 : 0;
}
