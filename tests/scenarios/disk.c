/* SPDX-License-Identifier: MIT */
/*
 * disk.c - an NVMe drive behind QEMU's SMMUv3, bare metal: its queues and its data go
 * through stage 1, through stage 2, and through both
 *
 * Each way reads the first part of the disk, tells its checksum, and writes it back,
 * turned over, to a place of its own. Whoever made the image knows both.
 */
#include <uiommu/nested.h>

#include "board.h"
#include "disk.h"
#include "text.h"

#include "src/smmuv3/fields.h"

#define RW		(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)
#define PAGE		4096u
#define MEMORY		(RAM + (320u << 20))	/* queues, a page that is not used, two of data */
#define DATA		(MEMORY + 5 * PAGE)
#define PAGES		7u
#define GUEST		(MEMORY + 0x100000)
#define GUEST_PAGES	5u
#define IOVA		0x1234560000ull
#define IPA		0x40000000ull
#define PART		(DISK_PART / (2 * PAGE))	/* requests of two pages */

static struct uiommu *u;
static struct uiommu_iommu *smmu;
static struct uiommu_dev *dev;
static struct nvme nvme;
static unsigned faults;

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	faults++;
}

static uint64_t checksum(uint64_t sum, uint64_t pa, uint64_t bytes)
{
	volatile uint8_t *p = (volatile uint8_t *)(uintptr_t)pa;

	for (uint64_t i = 0; i < bytes; i++)
		sum = DISK_SUM(sum, p[i]);
	return sum;
}

static void turn_over(uint64_t pa, uint64_t bytes)
{
	for (; bytes; bytes -= 8, pa += 8)
		*world_word(pa) = ~*world_word(pa);
}

/* Everything in its memory is zero, and the device is brought up over it. */
static bool start(void)
{
	for (uint64_t pa = MEMORY; pa < MEMORY + PAGES * PAGE; pa += 8)
		*world_word(pa) = 0;
	return nvme_init(&nvme, (volatile void *)(uintptr_t)MEMORY, IOVA);
}

static bool copy(unsigned way, uint64_t *sum)
{
	const unsigned blocks = 2 * PAGE / NVME_BLOCK;
	uint64_t to = (uint64_t)(way + 1) * PART * blocks;

	*sum = DISK_SUM_START;
	for (uint64_t i = 0; i < PART; i++) {
		if (!nvme_rw(&nvme, false, i * blocks, blocks, IOVA + (DATA - MEMORY)))
			return false;
		*sum = checksum(*sum, DATA, 2 * PAGE);
		turn_over(DATA, 2 * PAGE);
		if (!nvme_rw(&nvme, true, to + i * blocks, blocks, IOVA + (DATA - MEMORY)))
			return false;
	}
	return true;
}

/* The page in front of the data is not mapped: what is read to there goes nowhere. */
static void read_to_nowhere(const char *name)
{
	faults = 0;
	nvme_rw(&nvme, false, 0, 1, IOVA + 4 * PAGE);
	uiommu_smmuv3_poll(smmu);
	tell("%s: a block to a page that is not mapped: %s", name, faults ? "faults" : "no fault");
}

static void try_way(unsigned way, const char *name, struct uiommu_domain *dom)
{
	uint64_t sum;
	int err = uiommu_attach_device(dom, dev);

	faults = 0;
	if (err || !start()) {
		tell("%s: it does not start (%u, %u faults)", name, (unsigned)-err, faults);
		return;
	}
	if (copy(way, &sum))
		tell("%s: sum %x, written back", name, sum);
	else
		tell("%s: an error of the drive", name);
	uiommu_smmuv3_poll(smmu);
	tell("%s: %u faults", name, faults);
	read_to_nowhere(name);
	nvme_stop(&nvme);
	uiommu_detach_device_pasid(dev, UIOMMU_NO_PASID);
}

/* ---- the three ways ---- */

static bool map_all(struct uiommu_domain *dom, uint64_t at)
{
	return !uiommu_map(dom, at, MEMORY, 4 * PAGE, RW, NULL) &&
	       !uiommu_map(dom, at + (DATA - MEMORY), DATA, 2 * PAGE, RW, NULL);
}

/* One domain of ours. */
static void one_stage(unsigned way, const char *name, unsigned flags)
{
	struct uiommu_domain *dom;

	if (uiommu_domain_alloc_paging(dev, flags, &dom) || !map_all(dom, IOVA)) {
		tell("%s: no domain", name);
		return;
	}
	try_way(way, name, dom);
	uiommu_domain_free(dom);
}

/* A guest's CD and four levels of table, at IPA in the parent. */
static void guest_tables(void)
{
	uint64_t root = GUEST + PAGE;
	volatile uint64_t *cd = world_word(GUEST);

	for (uint64_t pa = GUEST; pa < GUEST + GUEST_PAGES * PAGE; pa += 8)
		*world_word(pa) = 0;
	cd[0] = FPREP(CD_V, 1) | FPREP(CD_AA64, 1) | FPREP(CD_R, 1) | FPREP(CD_A, 1) |
		FPREP(CD_T0SZ, 16) | FPREP(CD_EPD1, 1) | FPREP(CD_IPS, 4) | FPREP(CD_ASID, 3) |
		FPREP(CD_SH0, SH_ISH) | FPREP(CD_IR0, 1) | FPREP(CD_OR0, 1) | FPREP(CD_ASET, 1);
	cd[1] = IPA + PAGE;
	cd[3] = 0xff;
	for (unsigned level = 0; level < 3; level++, root += PAGE)
		world_word(root)[IOVA >> (39 - 9 * level) & 511] = (IPA + (level + 2) * PAGE) | 3;
	for (uint64_t i = 0; i < PAGES; i++)
		world_word(root)[(IOVA >> 12 & 511) + i] = i == 4 ? 0 :
			(IPA + 0x100000 + i * PAGE) | 3 | 1u << 6 | 1u << 10 | 3u << 8 | 1u << 11;
}

static void both_stages(unsigned way, const char *name)
{
	const uint64_t ste[2] = {
		FPREP(STE_V, 1) | FPREP(STE_Config, STE_Config_S1) | IPA,
		FPREP(STE_S1CIR, 1) | FPREP(STE_S1COR, 1) | FPREP(STE_S1CSH, SH_ISH),
	};
	const struct uiommu_user_data user = { .type = 2, .data = ste, .bytes = sizeof(ste) };
	struct uiommu_domain *parent, *dom;

	guest_tables();
	if (uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &parent) ||
	    uiommu_map(parent, IPA, GUEST, GUEST_PAGES * PAGE, RW, NULL) ||
	    !map_all(parent, IPA + 0x100000) ||
	    uiommu_domain_alloc_nested(parent, NULL, dev, &user, &dom)) {
		tell("%s: no domain", name);
		return;
	}
	try_way(way, name, dom);
	uiommu_domain_free(dom);
	uiommu_domain_free(parent);
}

int disk(void)
{
	static const struct uiommu_observer observer = { .fault = on_fault };
	struct uiommu_smmuv3_config cfg = board.smmu;
	struct uiommu_dev_config d = {
		.name = "nvme", .stream_ids = &nvme.sid, .num_stream_ids = 1, .group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED,
	};

	cfg.has_irqs = false;
	cfg.evtq_lg2 = 12;		/* QEMU makes an event of every four bytes */
	if (!nvme_find(&nvme) || uiommu_create(host_get(false), &observer, &u) ||
	    uiommu_smmuv3_probe(u, &cfg, &smmu)) {
		tell("no drive, or no SMMU");
		return 1;
	}
	d.rid = nvme.rid;
	d.iommu = smmu;
	if (uiommu_device_add(u, &d, &dev)) {
		tell("the drive cannot be added");
		return 1;
	}
	one_stage(0, "stage 1", 0);
	one_stage(1, "stage 2", UIOMMU_DOMAIN_ALLOC_NEST_PARENT);
	both_stages(2, "both");
	uiommu_destroy(u);
	tell("%u allocations are left", host_live());
	return 0;
}
