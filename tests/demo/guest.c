/* SPDX-License-Identifier: MIT */
/*
 * guest.c - a VMM in miniature, for `uiommu run`: a guest with its own stage-1 tables,
 * through the calls that Linux has for it and nothing else. The guest is this process
 * too: its memory is a mapping, its tables are typed here by hand.
 */
#include <poll.h>

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

static uint64_t take(void)
{
	need(used < PAGES);
	return RAM + used++ * PAGE;
}

static uint64_t *at(uint64_t ipa)
{
	return (uint64_t *)(void *)(ram + (ipa - RAM));
}

/* The entry for @va in the third level, with tables on the way. */
static uint64_t *entry(uint64_t root, uint64_t va)
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
static void write_cd(uint64_t cd, uint64_t root)
{
	at(cd)[0] = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 30 | VALID | 2ull << 32 |
		    1ull << 41 | 1ull << 45 | 1ull << 46 | 1ull << 47 | 5ull << 48;
	at(cd)[1] = root;
	at(cd)[3] = 0xff;
}

/* ---- the host's half ---- */

static uint32_t hwpt(uint32_t pt, uint32_t flags, const uint64_t *ste)
{
	struct iommu_hwpt_alloc c = {
		.size = sizeof(c), .flags = flags, .dev_id = e.id, .pt_id = pt,
		.data_type = ste ? IOMMU_HWPT_DATA_ARM_SMMUV3 : IOMMU_HWPT_DATA_NONE,
		.data_len = ste ? 16 : 0, .data_uptr = (uintptr_t)ste,
	};

	need(!ioctl(e.iommufd, IOMMU_HWPT_ALLOC, &c));
	return c.out_hwpt_id;
}

static void attach(uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt a = { .argsz = sizeof(a), .pt_id = pt };

	need(!ioctl(e.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a));
}

static uint32_t viommu(uint32_t parent)
{
	struct iommu_viommu_alloc c = { .size = sizeof(c), .type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
					.dev_id = e.id, .hwpt_id = parent };

	need(!ioctl(e.iommufd, IOMMU_VIOMMU_ALLOC, &c));
	return c.out_viommu_id;
}

static void vdevice(uint32_t v)
{
	struct iommu_vdevice_alloc c = { .size = sizeof(c), .viommu_id = v, .dev_id = e.id,
					 .virt_id = VSID };

	need(!ioctl(e.iommufd, IOMMU_VDEVICE_ALLOC, &c));
}

static int veventq(uint32_t v)
{
	struct iommu_veventq_alloc c = { .size = sizeof(c), .viommu_id = v, .veventq_depth = 16,
					 .type = IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 };

	need(!ioctl(e.iommufd, IOMMU_VEVENTQ_ALLOC, &c));
	return (int)c.out_veventq_fd;
}

/* What the guest puts into its command queue: TLBI_NH_VAA of @va. */
static void tlbi(uint32_t v, uint64_t va)
{
	uint64_t cmd[2] = { 0x13, va | 1 };
	struct iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = v, .data_uptr = (uintptr_t)cmd,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, .entry_len = 16,
		.entry_num = 1,
	};

	need(!ioctl(e.iommufd, IOMMU_HWPT_INVALIDATE, &c));
	need(c.entry_num == 1);
}

/* ---- the device, as the guest's process drives it ---- */

static uint64_t reads(uint64_t va)
{
	uint64_t out = RAM + (PAGES - 1) * PAGE, v = 0;

	/* back through a page that is mapped at the address it has */
	if (!edu_dma(&e, va, 8, false) || !edu_dma(&e, out, 8, true))
		return 0;
	memcpy(&v, at(out), 8);
	return v;
}

static void an_event(int fd, uint64_t va)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct {
		struct iommufd_vevent_header head;
		struct iommu_vevent_arm_smmuv3 body;
	} ev;

	need(poll(&p, 1, 5000) == 1);
	need(read(fd, &ev, sizeof(ev)) == sizeof(ev));
	need(!ev.head.flags);
	need((ev.body.evt[0] & 0xff) == 0x10);		/* F_TRANSLATION */
	need(ev.body.evt[0] >> 32 == VSID);
	need(ev.body.evt[2] == va);
	need(read(fd, &ev, sizeof(ev)) == 0);
}

static void open_all(void)
{
	e.iommufd = open("/dev/iommu", O_RDWR);
	need(e.iommufd >= 0);
	e.fd = edu_open_file(0);
	need(e.fd >= 0);
	need(!edu_bind(e.fd, e.iommufd, &e.id));
	e.ioas = edu_ioas(e.iommufd);
	ram = edu_pages(PAGES);
	need(!edu_map(&e, ram, PAGES * PAGE, RAM));
	e.bar = mmap(NULL, BAR, PROT_READ | PROT_WRITE, MAP_SHARED, e.fd, 0);
	need((void *)e.bar != MAP_FAILED);
	edu_bus_master(&e);
}

int main(void)
{
	uint64_t cd, root, one, two, ste[2];
	uint32_t parent, v, nested;
	int events;

	open_all();
	cd = take();
	root = take();
	one = take();
	two = take();
	*at(one) = 1111;
	*at(two) = 2222;
	write_cd(cd, root);
	*entry(root, VA) = one | LEAF;
	*entry(root, RAM + (PAGES - 1) * PAGE) = (RAM + (PAGES - 1) * PAGE) | LEAF;

	parent = hwpt(e.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL);
	v = viommu(parent);
	vdevice(v);
	events = veventq(v);
	ste[0] = 1 | 5u << 1 | cd;			/* V, stage 1, the CD's IPA */
	ste[1] = 1u << 2 | 1u << 4 | 3u << 6;		/* cacheable, inner shareable */
	nested = hwpt(v, 0, ste);
	attach(nested);

	need(reads(VA) == 1111);
	printf("the guest's process reads through both stages\n");
	need(!reads(VA + PAGE));
	an_event(events, VA + PAGE);
	printf("what is not mapped is the guest's own event\n");
	*entry(root, VA) = two | LEAF;
	tlbi(v, VA);
	need(reads(VA) == 2222);
	printf("what the guest invalidates is gone\n");
	attach(parent);
	need(!reads(VA) && reads(two) == 2222);
	attach(nested);
	need(!edu_unmap(&e, RAM, PAGES * PAGE));
	need(!reads(VA));
	printf("what the host takes away is gone for both\n");
	return 0;
}
