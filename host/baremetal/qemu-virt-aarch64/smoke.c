/* SPDX-License-Identifier: MIT */
/*
 * smoke.c - one DMA through QEMU's SMMUv3, with the library's public functions only
 *
 * The probe is edu's MSI: a synchronous DMA write of 4 bytes to any address. The
 * same steps run twice: with the event queue polled, and with it on interrupts.
 */
#include <uiommu/smmuv3.h>

#include "board.h"

static unsigned checks, failed;

static void check(bool ok, const char *what)
{
	checks++;
	failed += !ok;
	say("%s %u - %s\n", ok ? "ok" : "FAIL", checks, what);
}

/* ---- faults ---- */

static unsigned faults;
static struct uiommu_fault last;

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	char line[160];

	faults++;
	last = *f;
	uiommu_fault_text(f, line, sizeof(line));
	say("# %s\n", line);
}

static const struct uiommu_observer observer = { .fault = on_fault };

/* ---- the machine ---- */

struct rig {
	struct edu edu;
	bool irqs;
	struct uiommu *u;
	struct uiommu_iommu *smmu;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;
};

static volatile uint32_t page_a[1024] __attribute__((aligned(4096)));
static volatile uint32_t page_b[1024] __attribute__((aligned(4096)));

#define F_TRANSLATION	0x10
#define F_PERMISSION	0x13
#define IOVA		0x123456789000ull
#define UNTOUCHED	0xa5a5a5a5u
#define RAM_FREE	(board.ram + (128u << 20))	/* nothing of the image is there */

static uint64_t pa(volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* One write; then the events that it made, unless an interrupt has brought them. */
static void dma(const struct rig *r, uint64_t iova, uint16_t data)
{
	faults = 0;
	for (unsigned i = 0; i < 1024; i++)
		page_a[i] = page_b[i] = UNTOUCHED;
	edu_dma_write(&r->edu, iova, data);
	if (!r->irqs && r->smmu)
		uiommu_smmuv3_poll(r->smmu);
}

/* Is @value the only thing in the two pages, at byte @off of @page? NULL: nothing. */
static bool landed(volatile uint32_t *page, unsigned off, uint32_t value)
{
	for (unsigned i = 0; i < 1024; i++) {
		uint32_t hit = i == off / 4 ? value : UNTOUCHED;

		if (page_a[i] != (page == page_a ? hit : UNTOUCHED) ||
		    page_b[i] != (page == page_b ? hit : UNTOUCHED))
			return false;
	}
	return faults == 0;
}

static bool blocked(const struct rig *r, uint64_t iova, unsigned code)
{
	return faults == 1 && last.code == code && last.dev == r->dev &&
	       last.stream_id == r->edu.sid && last.iova == iova &&
	       (last.flags & UIOMMU_FAULT_HAS_RW) && (last.flags & UIOMMU_FAULT_WRITE) &&
	       !(last.flags & (UIOMMU_FAULT_READ | UIOMMU_FAULT_HAS_PASID)) &&
	       (faults = 0, landed(NULL, 0, 0));
}

/* ---- the steps ---- */

static bool bring_up(struct rig *r)
{
	struct uiommu_smmuv3_config smmu = board.smmu;
	struct uiommu_dev_config edu = {
		.name = "edu", .rid = r->edu.rid, .stream_ids = &r->edu.sid,
		.num_stream_ids = 1, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};

	smmu.has_irqs = r->irqs;
	check(!uiommu_create(host_get(r->irqs), &observer, &r->u), "an instance");
	check(r->u && !uiommu_smmuv3_probe(r->u, &smmu, &r->smmu), "the SMMU is probed and on");
	if (!r->smmu)
		return false;
	edu.iommu = r->smmu;
	check(!uiommu_device_add(r->u, &edu, &r->dev), "edu is behind it");
	if (!r->dev)
		return false;
	dma(r, pa(page_a), 0x1111);
	check(landed(NULL, 0, 0), "nobody has claimed it: its DMA goes nowhere");
	check(!uiommu_domain_alloc_paging(r->dev, 0, &r->dom), "a stage 1 domain");
	return r->dom;
}

static void translate(struct rig *r)
{
	check(!uiommu_map(r->dom, IOVA, pa(page_a), 4096,
			  UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL), "map a page");
	check(!uiommu_attach_device(r->dom, r->dev), "attach");
	dma(r, IOVA + 0x248, 0x2222);
	check(landed(page_a, 0x248, 0x2222), "a write lands where the table says");
	dma(r, pa(page_a), 0x3333);
	check(blocked(r, pa(page_a), F_TRANSLATION), "to a physical address: F_TRANSLATION");
	dma(r, IOVA + 0x1ffc, 0x4444);
	check(blocked(r, IOVA + 0x1ffc, F_TRANSLATION), "to an unmapped page: F_TRANSLATION");
	dma(r, 0xfffffffffffffff0ull, 0x4545);
	check(blocked(r, 0xfffffffffffffff0ull, F_TRANSLATION), "beyond 48 bits: F_TRANSLATION");
}

static void unmap(struct rig *r)
{
	uint64_t n = 0;

	check(!uiommu_unmap(r->dom, IOVA, 4096, &n) && n == 4096, "unmap it");
	dma(r, IOVA + 0x248, 0x5555);
	check(blocked(r, IOVA + 0x248, F_TRANSLATION), "after unmap: F_TRANSLATION");
	check(!uiommu_map(r->dom, IOVA, pa(page_b), 4096,
			  UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL), "map another page there");
	dma(r, IOVA, 0x6666);
	check(landed(page_b, 0, 0x6666), "the write lands in the new one");
	check(!uiommu_unmap(r->dom, IOVA, 4096, &n), "unmap that");
	check(!uiommu_map(r->dom, IOVA, pa(page_a), 4096, UIOMMU_PROT_READ, NULL),
	      "map read-only");
	dma(r, IOVA + 4, 0x7777);
	check(blocked(r, IOVA + 4, F_PERMISSION), "a write to it: F_PERMISSION");
	check(!uiommu_unmap(r->dom, IOVA, 4096, &n), "unmap that too");
}

/* A block; and the unmap of 513 pages, two tables and an end. */
static void large(struct rig *r)
{
	volatile uint32_t *far = (volatile uint32_t *)(uintptr_t)(RAM_FREE + 0x123450);
	uint64_t n = 0, end = 3ull << 30;

	check(!uiommu_map(r->dom, 1ull << 30, RAM_FREE, 2u << 20,
			  UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL), "map a 2 MiB block");
	*far = UNTOUCHED;
	dma(r, (1ull << 30) + 0x123450, 0x8888);
	check(*far == 0x8888 && landed(NULL, 0, 0), "a write into its middle");
	check(!uiommu_unmap(r->dom, 1ull << 30, 2u << 20, &n) && n == 2u << 20, "unmap it");
	*far = UNTOUCHED;
	dma(r, (1ull << 30) + 0x123450, 0x9999);
	check(blocked(r, (1ull << 30) + 0x123450, F_TRANSLATION) && *far == UNTOUCHED,
	      "after unmap: F_TRANSLATION");

	check(!uiommu_map(r->dom, end - 4096, pa(page_a) - 4096, 513 * 4096,
			  UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL), "map 513 small pages");
	dma(r, end + 0x10, 0xaaaa);
	check(landed(page_a, 0x10, 0xaaaa), "a write into the second");
	check(!uiommu_unmap(r->dom, end - 4096, 513 * 4096, &n) && n == 513 * 4096, "unmap all");
	dma(r, end + 0x10, 0xbbbb);
	check(blocked(r, end + 0x10, F_TRANSLATION), "after unmap: F_TRANSLATION");
}

/* 16 TiB in one call: more pages than one range command can name. */
static void huge(struct rig *r)
{
	uint64_t step = 1ull << 39, len = 32 * step, n = 0;
	int err = 0;

	for (uint64_t a = 0; a < len; a += step)
		err |= uiommu_map(r->dom, a, pa(page_a), 4096, UIOMMU_PROT_WRITE, NULL);
	check(!err, "map a page in each 512 GiB");
	dma(r, 31 * step + 4, 0xc0c0);
	check(landed(page_a, 4, 0xc0c0), "a write to the last");
	check(!uiommu_unmap(r->dom, 0, len, &n) && n == len, "unmap 16 TiB");
	dma(r, 31 * step + 4, 0xc1c1);
	check(blocked(r, 31 * step + 4, F_TRANSLATION), "after unmap: F_TRANSLATION");
}

static void replace(struct rig *r)
{
	struct uiommu_domain *other = NULL;

	check(!uiommu_domain_alloc_paging(r->dev, 0, &other), "a second domain");
	check(!uiommu_map(r->dom, IOVA, pa(page_a), 4096, UIOMMU_PROT_WRITE, NULL) &&
	      !uiommu_map(other, IOVA, pa(page_b), 4096, UIOMMU_PROT_WRITE, NULL),
	      "the same IOVA in both");
	dma(r, IOVA + 8, 0xcccc);
	check(landed(page_a, 8, 0xcccc), "a write through the first");
	check(!uiommu_replace_device_pasid(other, r->dev, UIOMMU_NO_PASID), "replace it");
	dma(r, IOVA + 8, 0xdddd);
	check(landed(page_b, 8, 0xdddd), "a write through the second");
	check(!uiommu_replace_device_pasid(uiommu_domain_identity(r->u), r->dev,
					   UIOMMU_NO_PASID), "identity");
	dma(r, pa(page_a) + 12, 0xeeee);
	check(landed(page_a, 12, 0xeeee), "a write to a physical address");
	/* from here to there only the STE changes: no CD has a say */
	check(!uiommu_replace_device_pasid(uiommu_domain_blocked(r->u), r->dev,
					   UIOMMU_NO_PASID), "blocked");
	dma(r, pa(page_a) + 12, 0xe0e0);
	check(landed(NULL, 0, 0), "a write goes nowhere");
	check(!uiommu_replace_device_pasid(uiommu_domain_identity(r->u), r->dev,
					   UIOMMU_NO_PASID), "identity again");
	dma(r, pa(page_a) + 12, 0xe1e1);
	check(landed(page_a, 12, 0xe1e1), "a write to a physical address");
	check(!uiommu_replace_device_pasid(r->dom, r->dev, UIOMMU_NO_PASID), "the first again");
	dma(r, IOVA + 16, 0xffff);
	check(landed(page_a, 16, 0xffff), "a write through it");
	check(!uiommu_domain_free(other), "the second is freed");
}

static void tear_down(struct rig *r)
{
	uiommu_detach_device_pasid(r->dev, UIOMMU_NO_PASID);
	dma(r, IOVA + 16, 0x1212);
	check(landed(NULL, 0, 0), "detached: its DMA goes nowhere");
	check(!uiommu_domain_free(r->dom), "the first is freed");
	uiommu_device_remove(r->dev);
	uiommu_smmuv3_remove(r->smmu);
	uiommu_destroy(r->u);
	check(host_live() == 0, "all memory came back");
}

static void run(struct rig *r)
{
	say("# %s\n", r->irqs ? "on interrupts" : "polled");
	if (!bring_up(r)) {
		check(false, "cannot go on");
		return;
	}
	translate(r);
	unmap(r);
	large(r);
	huge(r);
	replace(r);
	tear_down(r);
}

int main(void)
{
	struct rig polled = { 0 }, irqs = { .irqs = true };
	uint64_t start = board_now_ns();

	check(edu_find(&polled.edu), "edu is on the bus");
	irqs.edu = polled.edu;
	say("# edu is %x:%x.%x, StreamID 0x%x\n", polled.edu.rid >> 8, polled.edu.rid >> 3 & 31,
	    polled.edu.rid & 7, polled.edu.sid);
	dma(&polled, pa(page_a) + 64, 0x1234);
	check(landed(page_a, 64, 0x1234), "its DMA works, SMMU off");
	run(&polled);
	run(&irqs);
	say("# %u checks, %u failed, %u us\n", checks, failed,
	    (unsigned)((board_now_ns() - start) / 1000));
	return failed ? 1 : 0;
}
