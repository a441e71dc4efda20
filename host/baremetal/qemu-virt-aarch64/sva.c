/* SPDX-License-Identifier: MIT */
/*
 * sva.c - the CPU's own translation tables, walked by QEMU's SMMUv3
 *
 * QEMU's SMMU has no substreams, so the tables are on edu's RID, which the core does
 * only where it is asked by name: what TTBR0_EL1, TCR_EL1 and MAIR_EL1 say becomes CD
 * 0. CPU and device use one pointer. Memory is resident. After each change the CPU's
 * TLB maintenance and the SMMU's commands go together, as nothing is broadcast to it.
 */
#include <uiommu/smmuv3.h>
#include <uiommu/sva.h>

#include "board.h"

static unsigned checks, failed, faults;
static struct uiommu_fault last;

static void check(bool ok, const char *what)
{
	checks++;
	failed += !ok;
	say("%s %u - %s\n", ok ? "ok" : "FAIL", checks, what);
}

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	char line[160];

	faults++;
	last = *f;
	uiommu_fault_text(f, line, sizeof(line));
	say("# %s\n", line);
}

static const struct uiommu_observer observer = { .fault = on_fault };

/* ---- the CPU's tables ---- */

#define WINDOW		0x7000000000ull		/* below 2^39, and nothing is there */
#define PAGE		4096u
#define TABLE		3ull
/* page, Attr0, EL0 too, read-write, inner shareable, AF, nG, never executable */
#define LEAF		(3ull | 1u << 6 | 3u << 8 | 1u << 10 | 1u << 11 | 3ull << 53)

static uint64_t l2[512] __attribute__((aligned(4096)));
static uint64_t l3[512] __attribute__((aligned(4096)));
static volatile uint32_t page_a[1024] __attribute__((aligned(4096)));
static volatile uint32_t page_b[1024] __attribute__((aligned(4096)));

static uint64_t pa(const volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

#define SYSREG(name) ({ uint64_t v_; __asm__ volatile("mrs %0, " #name : "=r"(v_)); v_; })

static uint64_t *root(void)
{
	return (uint64_t *)(uintptr_t)(SYSREG(ttbr0_el1) & 0xfffffffff000ull);
}

/* A pointer that leads to @page; in place of what was there: the same as munmap() and
 * mmap(), on every CPU and on every device. */
static volatile uint32_t *map(struct uiommu_mm *mm, unsigned n, volatile void *page)
{
	uint64_t va = WINDOW + n * PAGE;
	struct uiommu_gather g;

	l3[n] = 0;
	__asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb"
			 : : "r"(va >> 12) : "memory");
	uiommu_gather_init(&g);
	g.start = va;
	g.last = va + PAGE - 1;
	g.pgsizes = PAGE;
	if (mm)
		uiommu_mm_invalidate(mm, &g);
	if (page)
		l3[n] = pa(page) | LEAF;
	__asm__ volatile("dsb ishst\n\tisb" : : : "memory");
	return (volatile uint32_t *)(uintptr_t)va;
}

static void make_window(void)
{
	l2[0] = pa(l3) | TABLE;
	root()[WINDOW >> 30] = pa(l2) | TABLE;
	__asm__ volatile("dsb ishst\n\tisb" : : : "memory");
}

/* What the CPU walks, in this library's words. */
static struct uiommu_pt cpu_table(const struct uiommu_host *host)
{
	uint64_t tcr = SYSREG(tcr_el1);
	static const uint8_t oas[] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return (struct uiommu_pt){
		.ops = &uiommu_pt_arm_s1_4k_ops,
		.host = host,
		.top = root(),
		.ias_lg2 = 64 - (unsigned)(tcr & 63),
		.oas_lg2 = oas[tcr >> 32 & 7],
	};
}

/* ---- the steps ---- */

struct rig {
	struct edu edu;
	struct uiommu *u;
	struct uiommu_iommu *smmu;
	struct uiommu_dev *dev;
	struct uiommu_mm *mm;
	struct uiommu_sva *sva;
};

static void dma(const struct rig *r, const volatile void *at, uint16_t data)
{
	faults = 0;
	for (unsigned i = 0; i < 1024; i++)
		page_a[i] = page_b[i] = 0xa5a5a5a5u;
	edu_dma_write(&r->edu, pa(at), data);
	uiommu_smmuv3_poll(r->smmu);
}

static bool untouched(void)
{
	for (unsigned i = 0; i < 1024; i++)
		if (page_a[i] != 0xa5a5a5a5u || page_b[i] != 0xa5a5a5a5u)
			return false;
	return true;
}

static bool bring_up(struct rig *r)
{
	struct uiommu_smmuv3_config smmu = board.smmu;
	struct uiommu_dev_config edu = {
		.name = "edu", .rid = r->edu.rid, .stream_ids = &r->edu.sid,
		.num_stream_ids = 1, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct uiommu_pt table = cpu_table(host_get(false));
	const struct uiommu_mm_config mm = {
		.name = "CPU", .table = &table, .mair = SYSREG(mair_el1),
	};

	smmu.has_irqs = false;
	check(!uiommu_create(host_get(false), &observer, &r->u), "an instance");
	check(r->u && !uiommu_smmuv3_probe(r->u, &smmu, &r->smmu), "the SMMU is probed and on");
	if (!r->smmu)
		return false;
	edu.iommu = r->smmu;
	check(!uiommu_device_add(r->u, &edu, &r->dev), "edu is behind it");
	check(!uiommu_mm_create(r->u, &mm, &r->mm), "the CPU's table as an mm");
	return r->dev && r->mm;
}

static void one_pointer(struct rig *r)
{
	volatile uint32_t *p = map(NULL, 5, page_a);

	check(uiommu_sva_bind_device(r->dev, r->mm, &r->sva) == -UIOMMU_EOPNOTSUPP,
	      "no PASIDs: it cannot be bound to one");
	check(!uiommu_sva_bind_rid(r->dev, r->mm, &r->sva), "to the RID, asked for by name");
	dma(r, &p[0x92], 0x1234);
	check(p[0x92] == 0x1234 && page_a[0x92] == 0x1234 && !faults,
	      "a device writes where a pointer of the CPU's leads");
	/* AP says "EL1 alone"; QEMU's SMMU does not look at that bit, silicon does */
	dma(r, page_a, 0x2222);
	say("# memory that only the kernel may use: %s\n",
	    untouched() && faults == 1 && last.code == 0x13 ? "refused" : "QEMU lets it by");
	dma(r, p + 1024, 0x3333);
	check(untouched() && faults == 1 && last.code == 0x10, "where nothing is: F_TRANSLATION");
	check(map(r->mm, 5, page_b) == p, "another page under the same pointer");
	dma(r, &p[7], 0x4444);
	check(p[7] == 0x4444 && page_b[7] == 0x4444 && page_a[7] != 0x4444 && !faults,
	      "the device reaches the new one");
	map(r->mm, 5, NULL);
	dma(r, &p[7], 0x5555);
	check(untouched() && faults == 1 && last.code == 0x10, "unmapped: F_TRANSLATION");
	map(r->mm, 5, page_a);
	dma(r, &p[8], 0x6666);
	check(p[8] == 0x6666 && !faults, "mapped again: it works");
}

static void the_end(struct rig *r)
{
	volatile uint32_t *p = map(r->mm, 6, page_a);

	uiommu_mm_die(r->mm);
	dma(r, p, 0x7777);
	check(untouched(), "the process has ended: its DMA goes nowhere");
	check(uiommu_mm_destroy(r->mm) == -UIOMMU_EBUSY, "it is still bound");
	uiommu_sva_unbind_device(r->sva);
	dma(r, p, 0x8888);
	check(untouched(), "unbound: its DMA goes nowhere");
	check(!uiommu_mm_destroy(r->mm), "the mm is given back");
	uiommu_device_remove(r->dev);
	uiommu_smmuv3_remove(r->smmu);
	uiommu_destroy(r->u);
	check(host_live() == 0, "all memory came back");
}

int main(void)
{
	struct rig r = { 0 };

	check(edu_find(&r.edu), "edu is on the bus");
	make_window();
	if (bring_up(&r)) {
		one_pointer(&r);
		the_end(&r);
	}
	say("# %u checks, %u failed\n", checks, failed);
	return failed ? 1 : 0;
}
