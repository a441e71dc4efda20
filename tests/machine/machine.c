/* SPDX-License-Identifier: MIT */
/* A whole machine, from the ioctl to the bytes: the pictures of S1, step by step. */
#include <uiommu/sim/temper.h>

#include "machine/internal.h"
#include "rig.h"

#define IOVA 0x50000000ull
#define X 0x11
#define Y 0x22

static struct rig rig;
static struct rig *const r = &rig;
static uint8_t dtb[DTB_MAX];

/* The first picture of S1. */
struct picture {
	uint32_t ioas[3], hwpt[3];
	uint8_t *mem[3];
};

static void draw(struct picture *p, bool threads, const void *blob, size_t n)
{
	rig_start(r, blob, n, threads);
	rig_bind(r, 0);
	rig_bind(r, 1);
	for (int i = 0; i < 3; i++) {
		p->ioas[i] = rig_ioas(r);
		p->mem[i] = rig_pages(4);
		assert_int_equal(rig_map(r, p->ioas[i], p->mem[i], 4 * PAGE, IOVA), 0);
		p->hwpt[i] = rig_hwpt(r, 0, p->ioas[i]);
	}
	assert_int_equal(rig_attach(r, 0, 0, p->hwpt[0]), 0);
	assert_int_equal(rig_attach(r, 0, X, p->hwpt[1]), 0);
	assert_int_equal(rig_attach(r, 0, Y, p->hwpt[2]), 0);
	assert_int_equal(rig_attach(r, 1, 0, p->hwpt[2]), 0);
	rig_msi(r, 0);
	rig_msi(r, 1);
	set_pasid(r, 0, 1, X);
	set_pasid(r, 0, 2, Y);
}

static void rub_out(struct picture *p)
{
	rig_stop(r);
	for (int i = 0; i < 3; i++)
		munmap(p->mem[i], 4 * PAGE);
}

static void three_queues_three_memories(void **state)
{
	struct picture p;

	draw(&p, false, NULL, 0);
	for (int i = 0; i < 3; i++)
		memset(p.mem[i], 'a' + i, PAGE);
	for (unsigned q = 0; q < 3; q++) {
		assert_true(rig_copies(r, 0, q, IOVA, IOVA + PAGE));
		assert_int_equal(p.mem[q][PAGE], 'a' + q);
		assert_int_equal(p.mem[q][PAGE + 255], 'a' + q);
		assert_int_equal(p.mem[q][PAGE + 256], 0);
		for (unsigned other = q + 1; other < 3; other++)
			assert_int_equal(p.mem[other][PAGE], 0);
	}
	assert_int_equal(rig_messages(r, 0), 6);
	/* RID2 sees vm2's memory */
	memset(p.mem[2] + 2 * PAGE, 'z', 256);
	assert_true(rig_copies(r, 1, 0, IOVA + 2 * PAGE, IOVA + 3 * PAGE));
	assert_int_equal(p.mem[2][3 * PAGE], 'z');
	assert_int_equal(rig_messages(r, 1), 2);
	assert_int_equal(r->faults, 0);
	rub_out(&p);
}

static void expect_fault(unsigned n, const char *dev, const char *name, uint32_t pasid,
			 uint64_t iova)
{
	const struct fault_seen *f = &r->fault[n];

	assert_int_equal(r->faults, n + 1);
	assert_string_equal(f->dev, dev);
	assert_string_equal(f->name, name);
	assert_int_equal(f->pasid, pasid);
	assert_int_equal(!!(f->flags & UIOMMU_FAULT_HAS_PASID), pasid != 0);
	if (iova)
		assert_int_equal(f->iova, iova);
}

static void what_is_not_mapped_faults(void **state)
{
	struct picture p;

	draw(&p, false, NULL, 0);
	assert_int_equal(rig_dma(r, 0, 0, IOVA + 4 * PAGE, 64, true), DMA_ABORTED);
	expect_fault(0, "0000:01:00.0", "F_TRANSLATION", 0, IOVA + 4 * PAGE);
	assert_true(r->fault[0].flags & UIOMMU_FAULT_WRITE);
	assert_int_equal(r->fault[0].sid, 0x40);

	memset(p.mem[1], 'm', 64);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_unmap(r, p.ioas[1], IOVA, 4 * PAGE), 0);
	memset(p.mem[1], 'n', 64);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, true), DMA_ABORTED);
	expect_fault(1, "0000:01:00.0", "F_TRANSLATION", X, IOVA);
	assert_int_equal(p.mem[1][0], 'n');

	set_pasid(r, 0, 1, 0x33);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, true), DMA_ABORTED);
	assert_int_equal(r->faults, 3);
	assert_int_equal(r->fault[2].pasid, 0x33);
	assert_string_equal(r->fault[2].dev, "0000:01:00.0");
	assert_int_equal(rig_dma(r, 0, 2, IOVA, 64, false), DMA_OK);
	rub_out(&p);
}

/* A message is a DMA of the RID: it needs the RID's domain, not the queue's. */
static void a_message_is_a_dma(void **state)
{
	struct picture p;

	draw(&p, false, NULL, 0);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	assert_int_equal(rig_detach(r, 0, 0), 0);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, false), DMA_OK);	/* X is still there */
	assert_int_equal(rig_messages(r, 0), 0);
	assert_int_equal(rig_attach(r, 0, 0, p.hwpt[1]), 0);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	/* RID2's messages never ring RID1's eventfd, though the data is the same */
	assert_int_equal(rig_dma(r, 1, 0, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 0);
	assert_int_equal(rig_messages(r, 1), 1);
	rub_out(&p);
}

/* Only GITS_TRANSLATER is a doorbell, only for a write of its size, and what rings
 * is the writer's own vector, not one that it names. */
static void only_the_doorbell_rings(void **state)
{
	const uint64_t bell = 0x8000000 + 0x40;
	struct picture p;

	draw(&p, false, NULL, 0);
	memset(p.mem[0], 0, 64);
	assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);	/* each DMA's own */
	assert_int_equal(rig_dma(r, 0, 0, bell, 4, true), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 2);
	assert_int_equal(rig_messages(r, 1), 0);
	assert_int_equal(rig_dma(r, 0, 0, bell + 4, 4, true), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	assert_int_equal(rig_dma(r, 0, 0, bell, 8, true), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	/* an event that nobody has, and one beyond all vectors */
	p.mem[0][0] = 1;
	assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_dma(r, 0, 0, bell, 4, true), DMA_OK);
	p.mem[0][3] = 0xff;
	assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_dma(r, 0, 0, bell, 4, true), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 4);
	rub_out(&p);
}

/* A fault that no device of ours had a part in: the interrupt alone tells it. */
static void the_event_interrupt_is_wired(void **state)
{
	const struct uiommu_sim_access a = { .stream_id = 0x40, .iova = IOVA };
	struct uiommu_sim_xlat x;

	rig_start(r, NULL, 0, false);
	rig_bind(r, 0);
	assert_int_equal(rig_attach(r, 0, 0, rig_ioas(r)), 0);
	assert_true(uiommu_sim_smmuv3_translate(r->m->smmus[0].sim, &a, &x) < 0);
	assert_int_equal(r->faults, 0);
	uiommu_posix_poll_irqs(r->posix);
	expect_fault(0, "0000:01:00.0", "F_TRANSLATION", 0, IOVA);
	assert_true(r->fault[0].flags & UIOMMU_FAULT_READ);
	rig_stop(r);
}

static void message_registers(void **state)
{
	struct uiommu_sim_dev *d;

	rig_start(r, NULL, 0, false);
	d = r->m->fns[0].sim;
	uiommu_mach_msi_program(&r->m->fns[0], 1, 0, 0x123456789abcull, 0x77);
	assert_int_equal(uiommu_sim_cfg_read(d, d->msi_cap + 4, 4), 0x56789abc);
	assert_int_equal(uiommu_sim_cfg_read(d, d->msi_cap + 8, 4), 0x1234);
	assert_int_equal(uiommu_sim_cfg_read(d, d->msi_cap + 12, 2), 0x77);
	rig_stop(r);
}

struct count {
	unsigned n;
	unsigned pasids[8];
	const char *devs[8];
};

static int count_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct count *c = ctx;

	assert_true(c->n < 8);
	c->devs[c->n] = uiommu_device_name(st->dev);
	c->pasids[c->n++] = st->pasid;
	return 0;
}

static struct uiommu_domain *rid_domain;

static int remember_domain(void *ctx, const struct uiommu_attach_status *st)
{
	if (st->pasid == UIOMMU_NO_PASID)
		rid_domain = st->dom;
	return 0;
}

static void status_from_both_ends(void **state)
{
	struct picture p;
	struct count c = { 0 }, d = { 0 };
	struct uiommu_dev *rid1, *rid2;

	draw(&p, false, NULL, 0);
	rid1 = uiommu_machine_vfio(r->m, 0)->dev;
	rid2 = uiommu_machine_vfio(r->m, 1)->dev;
	uiommu_device_for_each_attach(rid1, count_attach, &c);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.pasids[0] + c.pasids[1] + c.pasids[2], X + Y);
	uiommu_device_for_each_attach(rid2, remember_domain, NULL);
	uiommu_domain_for_each_attach(rid_domain, count_attach, &d);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.pasids[0] + d.pasids[1], Y);
	assert_true(strcmp(d.devs[0], d.devs[1]) != 0);
	assert_true(r->changes >= 4);
	rub_out(&p);
}

static void reset_keeps_what_linux_keeps(void **state)
{
	struct picture p;

	draw(&p, false, NULL, 0);
	set_reg(r, 0, 0x04, 5, 4);
	set_reg(r, 0, 0x98, 1, 4);			/* pending, and forgotten */
	assert_int_equal(vfio_ioctl(r, 0, VFIO_DEVICE_RESET, NULL), 0);
	uiommu_machine_step(r->m);
	assert_int_equal(reg(r, 0, 0x04), 0xffffffff);
	assert_int_equal(reg(r, 0, 0xa8), 0);
	/* BARs, bus mastering, PASIDs and messages are as before */
	set_pasid(r, 0, 1, X);
	assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, false), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	rub_out(&p);
}

/* close() gives the device back quiet: no bus mastering, no messages, BLOCKED. */
static void closed_and_opened_again(void **state)
{
	struct picture p;
	struct count c = { 0 };

	draw(&p, false, NULL, 0);
	uiommu_vfio_close(r->file[0]);
	uiommu_device_for_each_attach(uiommu_machine_vfio(r->m, 0)->dev, count_attach, &c);
	assert_int_equal(c.n, 1);
	close(r->event[0]);
	rig_bind(r, 0);
	rig_msi(r, 0);
	assert_int_equal(reg(r, 0, 0xa8), 0);
	assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, true), DMA_ABORTED);
	assert_int_equal(rig_attach(r, 0, 0, p.hwpt[0]), 0);
	assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, true), DMA_OK);
	assert_int_equal(rig_messages(r, 0), 1);
	rub_out(&p);
}

#define CMDQV                                                                                      \
	"/ { cmdqv: cmdqv@2c800000 { compatible = \"nvidia,tegra264-cmdqv\";"                      \
	"	reg = <0 0x2c800000 0 0x830000>; interrupts = <0 80 1>; };"                              \
	"iommu@2b400000 { nvidia,cmdqv = <&cmdqv>; }; };"

/* The same program on machines of other makes. */
static void other_machines(void **state)
{
	static const char *const changes[][2] = {
		{ "interrupts = <0 74 1>, <0 75 1>, <0 76 1>, <0 77 1>;", "" },
		{ "uiommu,sidsize = <10>;", "uiommu,sidsize = <16>; uiommu,asid-bits = <8>;" },
		{ "uiommu,sidsize = <10>;",
		  "uiommu,sidsize = <10>; uiommu,no-range-invalidation;" },
		{ "uiommu,sidsize = <10>;",
		  "uiommu,sidsize = <10>; uiommu,cmdq-max-lg2 = <2>; uiommu,evtq-max-lg2 = <2>;" },
		{ "uiommu,pasid-bits = <20>;", "uiommu,pasid-bits = <6>;" },
		{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0 &smmu 0 0x300>;" },
		{ NULL, CMDQV },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		size_t n = dts_compile(changes[i][0], changes[i][1], dtb);
		struct picture p;

		assert_true(n);
		draw(&p, false, dtb, n);
		memset(p.mem[1], 'q', PAGE);
		assert_true(rig_copies(r, 0, 1, IOVA, IOVA + PAGE));
		assert_int_equal(p.mem[1][PAGE], 'q');
		assert_int_equal(rig_unmap(r, p.ioas[1], IOVA, 4 * PAGE), 0);
		assert_int_equal(rig_dma(r, 0, 1, IOVA, 64, true), DMA_ABORTED);
		expect_fault(0, "0000:01:00.0", "F_TRANSLATION", X, IOVA);
		rub_out(&p);
	}
}

/* One address space behind two SMMUs: an unmap reaches both. */
static void two_smmus(void **state)
{
	size_t n = dts_compile(NULL, "/ { pcie@30000000 {"
		"	iommu-map = <0x0100 &smmu 0x40 0x100>, <0x0200 &smmu2 3 0x10>; };"
		"smmu2: iommu@2b500000 {"
		"	compatible = \"arm,smmu-v3\"; reg = <0 0x2b500000 0 0x20000>;"
		"	interrupts = <0 80 1>, <0 81 1>; dma-coherent;"
		"	interrupt-names = \"eventq\", \"gerror\";"
		"	#iommu-cells = <1>; uiommu,sidsize = <5>; }; };", dtb);
	uint8_t *mem = rig_pages(2);
	uint32_t ioas;

	assert_true(n);
	rig_start(r, dtb, n, false);
	rig_bind(r, 0);
	rig_bind(r, 1);
	ioas = rig_ioas(r);
	assert_int_equal(rig_map(r, ioas, mem, 2 * PAGE, IOVA), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig_attach(r, i, 0, ioas), 0);
		rig_msi(r, i);
		memset(mem, 'A' + (int)i, 256);
		assert_true(rig_copies(r, i, 0, IOVA, IOVA + PAGE));
		assert_int_equal(mem[PAGE], 'A' + i);
		assert_int_equal(rig_messages(r, i), 2);
	}
	assert_int_equal(rig_unmap(r, ioas, IOVA, 2 * PAGE), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(rig_dma(r, i, 0, IOVA, 64, true), DMA_ABORTED);
	assert_int_equal(r->faults, 2);
	assert_string_equal(r->fault[1].dev, "0000:02:00.0");
	assert_int_equal(r->fault[1].sid, 3);
	rig_stop(r);
	munmap(mem, 2 * PAGE);
}

/* S3: functions on one PASID table. What one attaches both have, until both have left. */
static void one_table_for_two_functions(void **state)
{
	size_t n = dts_compile(NULL, "/ { pcie@30000000 { iommu-map-mask = <0xff>;"
		"	iommu-map = <0 &smmu 0x40 0x200>; }; };", dtb);
	uint8_t *mem[2] = { rig_pages(2), rig_pages(2) };
	uint32_t ioas[2], hwpt[2];

	assert_true(n);
	rig_start(r, dtb, n, false);
	for (unsigned i = 0; i < 2; i++)
		rig_bind(r, i);
	for (unsigned i = 0; i < 2; i++) {
		ioas[i] = rig_ioas(r);
		hwpt[i] = rig_hwpt(r, 0, ioas[i]);
		assert_int_equal(rig_map(r, ioas[i], mem[i], 2 * PAGE, IOVA), 0);
		memset(mem[i], 'a' + (int)i, 256);
		set_pasid(r, i, 1, X);
	}
	assert_int_equal(rig_attach(r, 0, 0, hwpt[0]), 0);
	assert_int_equal(rig_attach(r, 1, 0, hwpt[0]), 0);
	assert_int_equal(rig_attach(r, 1, X, hwpt[1]), 0);
	for (unsigned i = 0; i < 2; i++) {
		memset(mem[0] + PAGE, 0, 256);
		memset(mem[1] + PAGE, 0, 256);
		assert_true(rig_copies(r, i, 0, IOVA, IOVA + PAGE));
		assert_true(rig_copies(r, i, 1, IOVA, IOVA + PAGE));
		assert_int_equal(mem[0][PAGE], 'a');
		assert_int_equal(mem[1][PAGE], 'b');
	}
	assert_int_equal(rig_attach(r, 0, X, hwpt[1]), 0);
	assert_int_equal(rig_detach(r, 1, X), 0);
	assert_true(rig_copies(r, 1, 1, IOVA, IOVA + PAGE));
	assert_int_equal(rig_detach(r, 0, X), 0);
	assert_int_equal(rig_dma(r, 1, 1, IOVA, 64, false), DMA_ABORTED);
	/* a reset of one blocks what both are to the SMMU, and gives it back */
	assert_int_equal(vfio_ioctl(r, 0, VFIO_DEVICE_RESET, NULL), 0);
	assert_true(rig_copies(r, 1, 0, IOVA, IOVA + PAGE));
	rig_stop(r);
	for (unsigned i = 0; i < 2; i++)
		munmap(mem[i], 2 * PAGE);
}

/* Reserved memory of the machine file: a hole in IOVA_RANGES, and a device that is not
 * given away because firmware uses it. */
static void reserved_memory(void **state)
{
	size_t n = dts_compile(NULL, "/ { reserved-memory { #address-cells = <2>;"
		"	#size-cells = <2>; ranges;"
		"	hole: hole { iommu-addresses = <&e1 0 0 0x50000000 0 0x10000>; };"
		"	fw: fw@88000000 { reg = <0 0x88000000 0 0x4000>;"
		"		iommu-addresses = <&e2 0 0 0x88000000 0 0x4000>; }; };"
		"pcie@30000000 { pci@1,0 { e1: edu@0,0 { memory-region = <&hole>; }; };"
		"	pci@2,0 { e2: edu@0,0 { memory-region = <&fw>; }; }; }; };", dtb);
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = IOMMUFD_NUMBER };
	struct iommu_iova_range out[4];
	struct iommu_ioas_iova_ranges q = { .size = sizeof(q), .num_iovas = 4,
					    .allowed_iovas = (uintptr_t)out };
	uint8_t *mem = rig_pages(1);

	assert_true(n);
	rig_start(r, dtb, n, false);
	rig_bind(r, 0);
	q.ioas_id = rig_ioas(r);
	assert_int_equal(rig_attach(r, 0, 0, q.ioas_id), 0);
	assert_int_equal(iommufd_ioctl(r, IOMMU_IOAS_IOVA_RANGES, &q), 0);
	assert_int_equal(q.num_iovas, 3);
	assert_int_equal(out[1].last, IOVA - 1);
	assert_int_equal(out[2].start, IOVA + 0x10000);
	assert_int_equal(rig_map(r, q.ioas_id, mem, PAGE, IOVA), -UIOMMU_EINVAL);
	assert_int_equal(rig_map(r, q.ioas_id, mem, PAGE, IOVA + 0x10000), 0);
	assert_int_equal(uiommu_vfio_open(uiommu_machine_vfio(r->m, 1)->vfio, &r->file[1]), 0);
	assert_int_equal(vfio_ioctl(r, 1, VFIO_DEVICE_BIND_IOMMUFD, &b), -UIOMMU_EINVAL);
	rig_stop(r);
	munmap(mem, PAGE);
}

/* Service failure: everything aborts, and comes back with the next step, also what was
 * changed meanwhile. */
static void a_failed_smmu_is_brought_back(void **state)
{
	struct picture p;

	draw(&p, false, NULL, 0);
	for (unsigned round = 0; round < 3; round++) {
		uiommu_sim_smmuv3_fail(r->m->smmus[0].sim);
		uiommu_posix_poll_irqs(r->posix);
		assert_int_equal(atomic_load(&r->failures), round + 1);
		/* it is off: an unmap returns, a detach too */
		assert_int_equal(rig_unmap(r, p.ioas[1], IOVA, 4 * PAGE), 0);
		assert_int_equal(rig_map(r, p.ioas[1], p.mem[1], 3 * PAGE, IOVA), 0);
		assert_int_equal(rig_detach(r, 0, Y), 0);
		/* the step in which a DMA aborts is the one that ends with recovery */
		assert_int_equal(rig_dma(r, 0, 0, IOVA, 64, false), DMA_ABORTED);
		assert_int_equal(rig_messages(r, 0), 0);
		memset(p.mem[0], 'a', 256);
		memset(p.mem[1], 'b', 256);
		assert_true(rig_copies(r, 0, 0, IOVA, IOVA + PAGE));
		assert_true(rig_copies(r, 0, 1, IOVA, IOVA + PAGE));
		assert_int_equal(p.mem[0][PAGE], 'a');
		assert_int_equal(p.mem[1][PAGE], 'b');
		assert_true(rig_copies(r, 1, 0, IOVA, IOVA + PAGE));
		assert_int_equal(rig_messages(r, 0), 4);
		assert_int_equal(rig_dma(r, 0, 1, IOVA + 3 * PAGE, 64, true), DMA_ABORTED);
		assert_int_equal(rig_dma(r, 0, 2, IOVA, 64, true), DMA_ABORTED);
		assert_int_equal(rig_messages(r, 0), 2);
		assert_int_equal(rig_messages(r, 1), 2);
		assert_int_equal(rig_attach(r, 0, Y, p.hwpt[2]), 0);
		assert_true(rig_copies(r, 0, 2, IOVA, IOVA + PAGE));
		assert_int_equal(rig_messages(r, 0), 2);
	}
	atomic_store(&r->complaints, 0);		/* that it failed, and came back */
	rub_out(&p);
}

/* Refused machines leave nothing behind: the host would complain. */
static void what_cannot_be_built(void **state)
{
	size_t n = dts_compile("reg = <0x0 0x2b400000 0x0 0x20000>;",
			       "reg = <0x40 0x00000000 0x0 0x20000>;", dtb);
	char err[256];

	rig_init(r, false);
	assert_true(rig_create(r, dtb, n, false, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "iommu@2b400000: property reg"));
	assert_int_equal(rig_create(r, dtb, 10, false, err, sizeof(err)), -UIOMMU_EINVAL);
	assert_int_equal(rig_create(r, dtb, 10, false, NULL, 0), -UIOMMU_EINVAL);
	assert_null(r->m);
	assert_int_equal(rig_create(r, NULL, 0, false, err, sizeof(err)), 0);
	assert_string_equal(err, "");
	assert_null(uiommu_machine_vfio(r->m, 2));
	assert_int_equal(uiommu_machine_num_vfio(r->m), 2);
	rig_stop(r);
}

/* Its registers are where the devicetree says, and gone with the machine. */
static void queues_for_vms(void **state)
{
	size_t n = dts_compile(NULL, CMDQV, dtb);
	const struct uiommu_host *h;
	struct uiommu_mmio mmio;

	assert_true(n);
	rig_start(r, dtb, n, false);
	h = uiommu_posix_host(r->posix);
	assert_int_equal(h->mmio_map(h->ctx, 0x2c800000, 0x830000, &mmio), 0);
	assert_int_equal(mmio.ops->read32(mmio.ctx, 4), 0x4671);
	/* a queue that nobody has yet */
	mmio.ops->write64(mmio.ctx, 0x20000 + 0x80 * 100, 0x1000000 | 5);
	assert_int_equal(mmio.ops->read64(mmio.ctx, 0x20000 + 0x80 * 100), 0x1000000 | 5);
	mmio.ops->write32(mmio.ctx, 0x10000 + 0x80 * 100 + 4, 7);
	assert_int_equal(mmio.ops->read32(mmio.ctx, 0x10000 + 0x80 * 100 + 4), 7);
	h->mmio_unmap(h->ctx, &mmio);
	rig_stop(r);
	rig_start(r, NULL, 0, false);
	h = uiommu_posix_host(r->posix);
	assert_int_equal(h->mmio_map(h->ctx, 0x2c800000, 0x830000, &mmio), -UIOMMU_ENODEV);
	rig_stop(r);
}

static bool takes_liberties(void)
{
	uint64_t taken[UIOMMU_SIM_LIBERTIES];

	uiommu_sim_smmuv3_liberties(r->m->smmus[0].sim, taken);
	return taken[UIOMMU_SIM_LATE_COMMAND] && taken[UIOMMU_SIM_WORDS] &&
	       taken[UIOMMU_SIM_PREFETCH] && taken[UIOMMU_SIM_EVICT];
}

/* It does as it likes, and everything works: the DMA, the unmap, the fault. How soon it has
 * taken all liberties is up to the threads too. */
static void a_hostile_smmu(void **state)
{
	size_t n = dts_compile(NULL, "&smmu { uiommu,hostile-seed = <7>; };", dtb);
	struct picture p;

	assert_true(n);
	draw(&p, false, dtb, n);
	for (unsigned i = 0; i < 20 || (i < 400 && !takes_liberties()); i++) {
		memset(p.mem[1], 'a' + i % 26, PAGE);
		assert_true(rig_copies(r, 0, 1, IOVA, IOVA + PAGE));
		assert_int_equal(p.mem[1][PAGE], 'a' + i % 26);
		assert_int_equal(rig_map(r, p.ioas[1], p.mem[1], PAGE, IOVA + 16 * PAGE), 0);
		assert_int_equal(rig_dma(r, 0, 1, IOVA + 16 * PAGE, 64, false), DMA_OK);
		assert_int_equal(rig_unmap(r, p.ioas[1], IOVA + 16 * PAGE, PAGE), 0);
		assert_int_equal(rig_dma(r, 0, 1, IOVA + 16 * PAGE, 64, false), DMA_ABORTED);
	}
	assert_true(takes_liberties());
	rub_out(&p);
}

static void no_devices_at_all(void **state)
{
	size_t n = dts_compile("bus-range = <0x00 0xff>;", "status = \"disabled\";", dtb);

	rig_start(r, dtb, n, false);
	assert_int_equal(uiommu_machine_num_vfio(r->m), 0);
	rig_stop(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_queues_three_memories),
		cmocka_unit_test(what_is_not_mapped_faults),
		cmocka_unit_test(a_message_is_a_dma),
		cmocka_unit_test(only_the_doorbell_rings),
		cmocka_unit_test(the_event_interrupt_is_wired),
		cmocka_unit_test(message_registers),
		cmocka_unit_test(status_from_both_ends),
		cmocka_unit_test(reset_keeps_what_linux_keeps),
		cmocka_unit_test(closed_and_opened_again),
		cmocka_unit_test(other_machines),
		cmocka_unit_test(two_smmus),
		cmocka_unit_test(one_table_for_two_functions),
		cmocka_unit_test(reserved_memory),
		cmocka_unit_test(a_failed_smmu_is_brought_back),
		cmocka_unit_test(what_cannot_be_built),
		cmocka_unit_test(queues_for_vms),
		cmocka_unit_test(a_hostile_smmu),
		cmocka_unit_test(no_devices_at_all),
	};

	if (argc < 2 || dts_load(argv[1])) {
		fprintf(stderr, "usage: %s machine/default.dts\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
