/* SPDX-License-Identifier: MIT */
/*
 * vmm.h - for programs that a test runs under `uiommu run`: a guest with its own stage-1
 * tables, typed by hand, and the calls that Linux has for it. The guest is this process
 * too: its memory is a mapping.
 */
#ifndef UIOMMU_TESTS_DEMO_VMM_H
#define UIOMMU_TESTS_DEMO_VMM_H

#include "edu.h"

#define RAM		0x40000000ull	/* where the guest has its memory */
#define PAGES		64u
#define VA		0x7fc0201000ull	/* one page of its process, and the one behind it */
#define VSID		0x2222u
#define VALID		(1ull << 31)
#define LEAF		(3ull | 1u << 6 | 3u << 8 | 1u << 10 | 1u << 11)

static struct edu e;
static uint8_t *ram;
static unsigned used;

static inline uint64_t take(void)
{
	need(used < PAGES);
	return RAM + used++ * PAGE;
}

static inline uint64_t *at(uint64_t ipa)
{
	return (uint64_t *)(void *)(ram + (ipa - RAM));
}

/* The entry for @va in the third level, with tables on the way. */
static inline uint64_t *entry(uint64_t root, uint64_t va)
{
	for (unsigned shift = 30; shift > 12; shift -= 9) {
		uint64_t *pte = &at(root)[va >> shift & 511];

		if (!*pte)
			*pte = take() | 3;
		root = *pte & ~4095ull;
	}
	return &at(root)[va >> 12 & 511];
}

/* 39 bits, 4 KiB, one table, ASID 5, faults recorded and aborted. */
static inline void write_cd(uint64_t cd, uint64_t root)
{
	at(cd)[0] = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | VALID | 2ull << 32 |
		    1ull << 41 | 1ull << 45 | 1ull << 46 | 1ull << 47 | 5ull << 48;
	at(cd)[1] = root;
	at(cd)[3] = 0xff;
}

struct guest {
	uint64_t root, one, two;	/* its table, and two pages: one is mapped at VA */
	uint64_t ste[2];
};

static inline void boot(struct guest *g)
{
	uint64_t cd = take();

	g->root = take();
	g->one = take();
	g->two = take();
	*at(g->one) = 1111;
	*at(g->two) = 2222;
	write_cd(cd, g->root);
	*entry(g->root, VA) = g->one | LEAF;
	*entry(g->root, RAM + (PAGES - 1) * PAGE) = (RAM + (PAGES - 1) * PAGE) | LEAF;
	g->ste[0] = 1 | 5u << 1 | cd;			/* V, stage 1, the CD's IPA */
	g->ste[1] = 1u << 2 | 1u << 4 | 3u << 6;	/* cacheable, inner shareable */
}

/* ---- the host's half ---- */

static inline uint32_t hwpt(uint32_t pt, uint32_t flags, const uint64_t *ste)
{
	struct iommu_hwpt_alloc c = {
		.size = sizeof(c), .flags = flags, .dev_id = e.id, .pt_id = pt,
		.data_type = ste ? IOMMU_HWPT_DATA_ARM_SMMUV3 : IOMMU_HWPT_DATA_NONE,
		.data_len = ste ? 16 : 0, .data_uptr = (uintptr_t)ste,
	};

	need(!ioctl(e.iommufd, IOMMU_HWPT_ALLOC, &c));
	return c.out_hwpt_id;
}

static inline void attach(uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt a = { .argsz = sizeof(a), .pt_id = pt };

	need(!ioctl(e.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a));
}

static inline uint32_t viommu(uint32_t parent, uint32_t type, void *data, uint32_t bytes)
{
	struct iommu_viommu_alloc c = { .size = sizeof(c), .type = type, .dev_id = e.id,
					.hwpt_id = parent, .data_len = bytes,
					.data_uptr = (uintptr_t)data };

	need(!ioctl(e.iommufd, IOMMU_VIOMMU_ALLOC, &c));
	return c.out_viommu_id;
}

static inline void vdevice(uint32_t v)
{
	struct iommu_vdevice_alloc c = { .size = sizeof(c), .viommu_id = v, .dev_id = e.id,
					 .virt_id = VSID };

	need(!ioctl(e.iommufd, IOMMU_VDEVICE_ALLOC, &c));
}

static inline int veventq(uint32_t v, uint32_t type)
{
	struct iommu_veventq_alloc c = { .size = sizeof(c), .viommu_id = v, .type = type,
					 .veventq_depth = 16 };

	need(!ioctl(e.iommufd, IOMMU_VEVENTQ_ALLOC, &c));
	return (int)c.out_veventq_fd;
}

/* ---- the device, as the guest's process drives it ---- */

static inline uint64_t reads(uint64_t va)
{
	uint64_t out = RAM + (PAGES - 1) * PAGE, v = 0;

	/* back through a page that is mapped at the address it has */
	if (!edu_dma(&e, va, 8, false) || !edu_dma(&e, out, 8, true))
		return 0;
	memcpy(&v, at(out), 8);
	return v;
}

static inline void open_all(void)
{
	e.iommufd = open("/dev/iommu", O_RDWR);
	need(e.iommufd >= 0);
	e.fd = edu_open_file(0);
	need(e.fd >= 0);
	need(!edu_bind(e.fd, e.iommufd, &e.id));
	e.ioas = edu_ioas(e.iommufd);
	/* shared, so that a child's stores are the guest's too; and as aligned as mmap() gives
	 * it: one page, whatever the guest thinks */
	ram = mmap(NULL, (PAGES + 16) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		   -1, 0);
	need((void *)ram != MAP_FAILED);
	ram += (PAGE - (uintptr_t)ram) & (16 * PAGE - 1);
	need(!edu_map(&e, ram, PAGES * PAGE, RAM));
	e.bar = mmap(NULL, BAR, PROT_READ | PROT_WRITE, MAP_SHARED, e.fd, 0);
	need((void *)e.bar != MAP_FAILED);
	edu_bus_master(&e);
}

#endif
