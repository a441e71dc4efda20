/* SPDX-License-Identifier: MIT */
/*
 * guest.c - a VMM in miniature, for `uiommu run`: a guest with its own stage-1 tables,
 * through the calls that Linux has for it and nothing else. The guest is this process
 * too: its memory is a mapping, its tables are typed here by hand.
 */
#include <poll.h>

#include "vmm.h"

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

int main(void)
{
	uint32_t parent, v, nested;
	struct guest g;
	int events;

	open_all();
	boot(&g);
	parent = hwpt(e.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL);
	v = viommu(parent, IOMMU_VIOMMU_TYPE_ARM_SMMUV3, NULL, 0);
	vdevice(v);
	events = veventq(v, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3);
	nested = hwpt(v, 0, g.ste);
	attach(nested);

	need(reads(VA) == 1111);
	printf("the guest's process reads through both stages\n");
	need(!reads(VA + PAGE));
	an_event(events, VA + PAGE);
	printf("what is not mapped is the guest's own event\n");
	*entry(g.root, VA) = g.two | LEAF;
	tlbi(v, VA);
	need(reads(VA) == 2222);
	printf("what the guest invalidates is gone\n");
	attach(parent);
	need(!reads(VA) && reads(g.two) == 2222);
	attach(nested);
	need(!edu_unmap(&e, RAM, PAGES * PAGE));
	need(!reads(VA));
	printf("what the host takes away is gone for both\n");
	return 0;
}
