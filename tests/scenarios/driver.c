/* SPDX-License-Identifier: MIT */
/*
 * driver.c - scenarios of the driver, by the library's public functions: attach,
 * replace, identity, blocked, map and unmap, both stages and one on the other, and
 * each fault on the way
 */
#include <uiommu/nested.h>

#include "scenarios.h"
#include "text.h"

#include "src/port/port.h"
#include "src/smmuv3/fields.h"
#include "src/smmuv3/smmu.h"

#define RW		(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)
#define UNTOUCHED	0xa5a5a5a5u
#define PAGE		4096u
#define PAGES		(RAM + (320u << 20))	/* where devices are to write */
#define NUM_PAGES	4u
#define GUEST		(PAGES + 0x100000)	/* a guest's CD and tables */
#define LARGE		(PAGES + 0x200000)	/* 4 MiB */
#define IOVA		0x123456789000ull

static struct {
	struct uiommu *u;
	struct uiommu_iommu *smmu;
	struct uiommu_dev *dev;
	bool irqs, quiet;
	unsigned faults;
} r;

/* ---- what is told ---- */

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	r.faults++;
	if (r.quiet)
		return;
	tell("  %s: %s%s 0x%x, %s, %s", f->name,
	     f->flags & UIOMMU_FAULT_WRITE ? "write" : f->flags & UIOMMU_FAULT_READ ? "read" : "",
	     f->flags & UIOMMU_FAULT_STAGE2 ? ", stage 2," : "", (uint64_t)f->iova,
	     f->dev ? "of the device" : "of nobody", f->table ? f->table : "");
}

static uint64_t page(unsigned i)
{
	return PAGES + i * PAGE;
}

static void clear(uint64_t first, uint64_t bytes)
{
	for (uint64_t pa = first; pa < first + bytes; pa += 4)
		*world_word32(pa) = UNTOUCHED;
}

static bool tell_if_hit(const char *what, uint64_t first, uint64_t bytes)
{
	bool hit = false;

	for (uint64_t pa = first; pa < first + bytes; pa += 4) {
		if (*world_word32(pa) == UNTOUCHED)
			continue;
		tell("  %s + 0x%x has 0x%x", what, pa - first, (uint64_t)*world_word32(pa));
		hit = true;
	}
	return hit;
}

/* One write, and everything that it leaves behind. */
static void dma(uint64_t iova, uint16_t data)
{
	static const char *const names[NUM_PAGES] = { "page A", "page B", "page C", "page D" };
	bool hit = false;

	clear(PAGES, NUM_PAGES * PAGE);
	clear(LARGE, 16 * PAGE);
	tell(" write to 0x%x", iova);
	world.write(iova, data);
	if (!r.irqs)
		uiommu_smmuv3_poll(r.smmu);
	for (unsigned i = 0; i < NUM_PAGES; i++)
		hit |= tell_if_hit(names[i], page(i), PAGE);
	hit |= tell_if_hit("large", LARGE, 16 * PAGE);
	if (!hit)
		tell("  nothing arrives");
}

static void done(const char *what, int err)
{
	if (err)
		tell("%s: error %u", what, (unsigned)-err);
	else
		tell("%s", what);
}

static void map(struct uiommu_domain *dom, const char *what, uint64_t iova, uint64_t pa,
		uint64_t len, unsigned prot)
{
	done(what, uiommu_map(dom, iova, pa, len, prot, NULL));
}

static void unmap(struct uiommu_domain *dom, const char *what, uint64_t iova, uint64_t len)
{
	uint64_t n = 0;

	done(what, uiommu_unmap(dom, iova, len, &n));
	if (n != len)
		tell("  only 0x%x bytes", n);
}

static void replace(struct uiommu_domain *dom, const char *what)
{
	done(what, uiommu_replace_device_pasid(dom, r.dev, UIOMMU_NO_PASID));
}

/* ---- up and down ---- */

#define QUEUE_LG2	4u			/* of the event queue */

static int reset(void *ctx)
{
	port_write32(&world.mmio, SMMU_CR0, 0);
	return 0;
}

static bool bring_up(bool irqs)
{
	static const struct uiommu_observer observer = { .fault = on_fault };
	struct uiommu_smmuv3_config smmu = world.smmu;
	struct uiommu_dev_config dev = {
		.name = "device", .rid = world.rid, .stream_ids = &world.sid, .num_stream_ids = 1,
		.group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};

	r.irqs = smmu.has_irqs = irqs;
	smmu.reset = reset;
	smmu.evtq_lg2 = QUEUE_LG2;
	tell("== driver, %s", irqs ? "on interrupts" : "polled");
	done("instance", uiommu_create(world.host(irqs), &observer, &r.u));
	done("probe", uiommu_smmuv3_probe(r.u, &smmu, &r.smmu));
	if (!r.smmu)
		return false;
	tell(" nobody has been added");
	dma(page(0), 0x1000);
	dev.iommu = r.smmu;
	done("add the device", uiommu_device_add(r.u, &dev, &r.dev));
	return r.dev;
}

static void tear_down(void)
{
	uiommu_device_remove(r.dev);
	tell("the device is removed");
	dma(page(0), 0x1fff);
	uiommu_smmuv3_remove(r.smmu);
	uiommu_destroy(r.u);
	r.smmu = NULL;
	r.dev = NULL;
	tell("all is gone: %u allocations are left", world.live());
}

/* ---- one domain ---- */

static void pages(struct uiommu_domain *dom)
{
	map(dom, "map page A", IOVA & 0xffffffffff, page(0), PAGE, RW);
	dma((IOVA & 0xffffffffff) + 0x248, 0x1001);
	dma((IOVA & 0xffffffffff) + PAGE, 0x1002);
	dma(page(0), 0x1003);
	unmap(dom, "unmap it", IOVA & 0xffffffffff, PAGE);
	dma((IOVA & 0xffffffffff) + 0x248, 0x1004);
	map(dom, "map page B there", IOVA & 0xffffffffff, page(1), PAGE, RW);
	dma((IOVA & 0xffffffffff) + 0x248, 0x1005);
	unmap(dom, "unmap that", IOVA & 0xffffffffff, PAGE);
	map(dom, "map it read-only", IOVA & 0xffffffffff, page(1), PAGE, UIOMMU_PROT_READ);
	dma((IOVA & 0xffffffffff) + 4, 0x1006);
	unmap(dom, "unmap that too", IOVA & 0xffffffffff, PAGE);
	dma(0xfffffffffffffff0ull, 0x1007);
	dma(1ull << 50, 0x1008);
}

/* Blocks; many small pages, two tables of them; runs that are marked as contiguous. */
static void blocks(struct uiommu_domain *dom)
{
	uint64_t end = 3ull << 30;

	map(dom, "map 2 MiB at 1 GiB", 1ull << 30, LARGE, 2u << 20, RW);
	dma((1ull << 30) + 0x5678, 0x2001);
	unmap(dom, "unmap them", 1ull << 30, 2u << 20);
	dma((1ull << 30) + 0x5678, 0x2002);
	map(dom, "map 1 GiB at 2 GiB", 2ull << 30, RAM, 1ull << 30, RW);
	dma((2ull << 30) + (PAGES - RAM) + 8, 0x2003);
	unmap(dom, "unmap it", 2ull << 30, 1ull << 30);
	dma((2ull << 30) + (PAGES - RAM) + 8, 0x2004);
	map(dom, "map 513 pages across a table's end", end - PAGE, PAGES - PAGE, 513 * PAGE, RW);
	dma(end + 0x10, 0x2005);
	unmap(dom, "unmap them all", end - PAGE, 513 * PAGE);
	dma(end + 0x10, 0x2006);
	map(dom, "map 64 KiB", 5ull << 30, LARGE, 65536, RW);
	dma((5ull << 30) + 0xf004, 0x2007);
	unmap(dom, "unmap them", 5ull << 30, 65536);
	dma((5ull << 30) + 0xf004, 0x2008);
}

/* More pages in one call than one range command can name. */
static void huge(struct uiommu_domain *dom)
{
	uint64_t step = 1ull << 39, len = 32 * step;

	for (uint64_t a = 0; a < len; a += step)
		uiommu_map(dom, a, page(2), PAGE, RW, NULL);
	tell("map page C every 512 GiB");
	dma(31 * step + 4, 0x3001);
	unmap(dom, "unmap 16 TiB", 0, len);
	dma(31 * step + 4, 0x3002);
}

static struct uiommu_domain *make(const char *what, unsigned flags)
{
	struct uiommu_domain *dom = NULL;

	done(what, uiommu_domain_alloc_paging(r.dev, flags, &dom));
	return dom;
}

static void one_stage(const char *what, unsigned flags)
{
	struct uiommu_domain *dom = make(what, flags);

	if (!dom)
		return;
	done("attach", uiommu_attach_device(dom, r.dev));
	done("attach again", uiommu_attach_device(dom, r.dev));
	pages(dom);
	blocks(dom);
	huge(dom);
	uiommu_detach_device_pasid(r.dev, UIOMMU_NO_PASID);
	tell("detach");
	dma(page(0), 0x4001);
	done("free", uiommu_domain_free(dom));
}

/* ---- one after another ---- */

static void replacements(void)
{
	struct uiommu_domain *a = make("stage 1, the first", 0), *b = make("the second", 0);
	struct uiommu_domain *s2 = make("a stage 2", UIOMMU_DOMAIN_ALLOC_NEST_PARENT);
	struct uiommu_domain *const all[] = {
		a, b, s2, uiommu_domain_identity(r.u), uiommu_domain_blocked(r.u),
	};
	static const char *const names[] = {
		"the first", "the second", "the stage 2", "identity", "blocked",
	};

	map(a, "page A in the first", page(3), page(0), PAGE, RW);
	map(b, "page B in the second", page(3), page(1), PAGE, RW);
	map(s2, "page C in the stage 2", page(3), page(2), PAGE, RW);
	done("attach the first", uiommu_attach_device(a, r.dev));
	/* every one after every other */
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++) {
			replace(all[i], names[i]);
			dma(page(3) + 16, (uint16_t)(0x5000 + i * 16 + k));
			replace(all[k], names[k]);
			dma(page(3) + 16, (uint16_t)(0x5800 + i * 16 + k));
		}
	uiommu_detach_device_pasid(r.dev, UIOMMU_NO_PASID);
	done("free the first", uiommu_domain_free(a));
	done("free the second", uiommu_domain_free(b));
	done("free the stage 2", uiommu_domain_free(s2));
}

/* ---- one on the other ---- */

#define GUEST_IPA	0x10000000ull		/* where the guest has its memory */
#define GUEST_VA	0x7654321000ull

/* A guest's CD, and a table of it that leads to the IPA of @page. */
static void guest_tables(uint64_t target)
{
	uint64_t root = GUEST + 0x1000, va = GUEST_VA;
	volatile uint64_t *cd = world_word(GUEST);

	for (uint64_t pa = GUEST; pa < GUEST + 0x5000; pa += 8)
		*world_word(pa) = 0;
	cd[0] = FPREP(CD_V, 1) | FPREP(CD_AA64, 1) | FPREP(CD_R, 1) | FPREP(CD_A, 1) |
		FPREP(CD_T0SZ, 16) | FPREP(CD_EPD1, 1) | FPREP(CD_IPS, 4) | FPREP(CD_ASID, 77) |
		FPREP(CD_SH0, SH_ISH) | FPREP(CD_IR0, 1) | FPREP(CD_OR0, 1) | FPREP(CD_ASET, 1);
	cd[1] = GUEST_IPA + 0x1000;
	cd[3] = 0xff;
	for (unsigned level = 0; level < 3; level++, root += 0x1000)
		world_word(root)[va >> (39 - 9 * level) & 511] =
			(GUEST_IPA + 0x2000 + level * 0x1000ull) | 3;
	world_word(root)[va >> 12 & 511] = target | 3 | 1u << 6 | 1u << 10 | 3u << 8 | 1u << 11;
}

#define GUEST_SID	0x55u			/* what the guest calls the device */

static void guest_leaf(uint64_t target)
{
	world_word(GUEST + 0x4000)[GUEST_VA >> 12 & 511] =
		target | 3 | 1u << 6 | 1u << 10 | 3u << 8 | 1u << 11;
	port_dma_wmb();
}

/* What the guest has in its command queue. */
static void guest_says(struct uiommu_viommu *v, const char *what, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2] = { w0, w1 };
	const struct uiommu_user_data inv = { .type = 1, .data = cmd, .bytes = sizeof(cmd) };
	size_t handled;

	done(what, uiommu_cache_invalidate(v, &inv, 1, &handled));
}

/* With and without the word that belongs to it, and with one that does not. */
static void guest_changes(struct uiommu_viommu *v)
{
	const uint64_t va = GUEST_VA & FMASK(CMD_TLBI_NH_VA_Address);
	const uint64_t asid = FPREP(CMD_TLBI_NH_ASID_ASID, 77);

	dma(GUEST_VA + 0x20, 0x6101);
	guest_leaf(0x20001000);
	tell("the guest changes its leaf to page B");
	dma(GUEST_VA + 0x20, 0x6102);
	guest_says(v, "TLBI_NH_VA of another ASID",
		   FPREP(CMD_Opcode, CMD_TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 78), va);
	dma(GUEST_VA + 0x20, 0x6103);
	guest_says(v, "TLBI_NH_VA", FPREP(CMD_Opcode, CMD_TLBI_NH_VA) | asid, va);
	dma(GUEST_VA + 0x20, 0x6104);
	guest_leaf(0x20000000);
	guest_says(v, "back, and TLBI_NH_ASID", FPREP(CMD_Opcode, CMD_TLBI_NH_ASID) | asid, 0);
	dma(GUEST_VA + 0x20, 0x6105);
	*world_word(GUEST) = 0;
	port_dma_wmb();
	tell("the guest takes its CD away");
	dma(GUEST_VA + 0x20, 0x6106);
	guest_says(v, "CFGI_CD of a device that it has not",
		   FPREP(CMD_Opcode, CMD_CFGI_CD) | FPREP(CMD_CFGI_CD_StreamID, world.sid), 1);
	guest_says(v, "CFGI_CD of its own",
		   FPREP(CMD_Opcode, CMD_CFGI_CD) | FPREP(CMD_CFGI_CD_StreamID, GUEST_SID), 1);
	guest_says(v, "TLBI_NSNH_ALL", FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	dma(GUEST_VA + 0x20, 0x6107);
	guest_says(v, "CMD_SYNC", FPREP(CMD_Opcode, CMD_SYNC), 0);
}

static struct uiommu_domain *guest_domain(struct uiommu_domain *parent, struct uiommu_viommu *v)
{
	const uint64_t ste[2] = {
		FPREP(STE_V, 1) | FPREP(STE_Config, STE_Config_S1) | GUEST_IPA,
		FPREP(STE_S1CIR, 1) | FPREP(STE_S1COR, 1) | FPREP(STE_S1CSH, SH_ISH),
	};
	const struct uiommu_user_data user = { .type = 2, .data = ste, .bytes = sizeof(ste) };
	struct uiommu_domain *dom = NULL;

	done("a guest's tables on it",
	     uiommu_domain_alloc_nested(parent, v, r.dev, &user, &dom));
	return dom;
}

static void nested(void)
{
	struct uiommu_domain *parent = make("a parent", UIOMMU_DOMAIN_ALLOC_NEST_PARENT), *dom;

	if (!parent)
		return;
	map(parent, "the guest's tables", GUEST_IPA, GUEST, 0x5000, RW);
	map(parent, "page A at IPA 0x20000000", 0x20000000, page(0), PAGE, RW);
	guest_tables(0x20000000);
	dom = guest_domain(parent, NULL);
	if (!dom)
		return;
	done("attach", uiommu_attach_device(dom, r.dev));
	dma(GUEST_VA + 0x20, 0x6001);
	dma(GUEST_VA + PAGE, 0x6002);
	unmap(parent, "unmap the IPA", 0x20000000, PAGE);
	dma(GUEST_VA + 0x20, 0x6003);
	map(parent, "page B there", 0x20000000, page(1), PAGE, RW);
	dma(GUEST_VA + 0x20, 0x6004);
	unmap(parent, "unmap the guest's tables", GUEST_IPA, 0x5000);
	dma(GUEST_VA + 0x20, 0x6005);
	map(parent, "and map them again", GUEST_IPA, GUEST, 0x5000, RW);
	dma(GUEST_VA + 0x20, 0x6006);
	replace(parent, "the parent itself");
	dma(0x20000000, 0x6007);
	replace(dom, "and back");
	dma(GUEST_VA + 0x24, 0x6008);
	uiommu_detach_device_pasid(r.dev, UIOMMU_NO_PASID);
	done("free the parent", uiommu_domain_free(parent));
	done("free the guest's", uiommu_domain_free(dom));
	done("free the parent", uiommu_domain_free(parent));
}

static bool on_guest_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	const uint64_t *evt = record;

	tell("  the guest is told: event 0x%x of 0x%x", FGET(EVT_Number, evt[0]),
	     FGET(EVT_StreamID, evt[0]));
	return bytes == 32;
}

/* A VM's slice of the SMMU, by which the guest says what it changed. */
static void guest(void)
{
	struct uiommu_viommu_config cfg = { .dev = r.dev, .type = 1, .event = on_guest_event };
	struct uiommu_viommu *v = NULL;
	struct uiommu_vdevice *vd = NULL;
	struct uiommu_domain *dom;

	cfg.parent = make("a VM's memory", UIOMMU_DOMAIN_ALLOC_NEST_PARENT);
	if (!cfg.parent)
		return;
	map(cfg.parent, "the guest's tables", GUEST_IPA, GUEST, 0x5000, RW);
	map(cfg.parent, "pages A and B at IPA 0x20000000", 0x20000000, page(0), 2 * PAGE, RW);
	guest_tables(0x20000000);
	done("its slice", uiommu_viommu_alloc(&cfg, &v));
	dom = v ? guest_domain(cfg.parent, v) : NULL;
	if (!dom)
		return;
	done("attach a stranger's", uiommu_attach_device(dom, r.dev));
	done("the device is the VM's", uiommu_vdevice_alloc(v, r.dev, GUEST_SID, &vd));
	done("attach", uiommu_attach_device(dom, r.dev));
	dma(GUEST_VA + PAGE, 0x6100);
	guest_changes(v);
	uiommu_detach_device_pasid(r.dev, UIOMMU_NO_PASID);
	uiommu_vdevice_free(vd);
	done("free the guest's", uiommu_domain_free(dom));
	done("free the slice", uiommu_viommu_free(v));
	done("free the VM's memory", uiommu_domain_free(cfg.parent));
}

/* ---- when much goes wrong ---- */

/* More events than the queue holds, while nobody looks; on interrupts somebody does. */
static void flood(struct uiommu_domain *dom)
{
	map(dom, "map page A", IOVA & 0xffffffffff, page(0), PAGE, RW);
	r.quiet = true;
	r.faults = 0;
	for (unsigned i = 0; i < 40; i++)
		world.write(0x1000 * (i + 1), 1);
	uiommu_smmuv3_poll(r.smmu);
	r.quiet = false;
	tell("40 writes to nothing: %u are reported", r.faults);
	dma(0x1000, 0x7001);
	dma((IOVA & 0xffffffffff) + 8, 0x7002);
}

/* No public function gives a wrong command: one is slipped in, between two that are right. */
static void refused_command(void)
{
	struct smmu *s = to_smmu(r.smmu);
	struct smmu_batch batch;
	uint32_t error;

	uiommu_smmuv3_batch_begin(s, &batch);
	uiommu_smmuv3_batch_add(s, &batch, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	uiommu_smmuv3_batch_add(s, &batch, FPREP(CMD_Opcode, 0x50), 0);
	uiommu_smmuv3_batch_add(s, &batch, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	done("a command that is none", uiommu_smmuv3_batch_sync(s, &batch));
	error = port_read32(&world.mmio, SMMU_GERROR) ^ port_read32(&world.mmio, SMMU_GERRORN);
	tell("  %u refused, GERROR 0x%x", s->cmdq.refused, (uint64_t)error);
}

static void recovery(void)
{
	struct uiommu_domain *dom = make("stage 1", 0);

	done("attach", uiommu_attach_device(dom, r.dev));
	flood(dom);
	refused_command();
	dma((IOVA & 0xffffffffff) + 16, 0x7006);
	done("recover", uiommu_iommu_recover(r.smmu));
	dma((IOVA & 0xffffffffff) + 12, 0x7003);
	dma(0x2000, 0x7004);
	unmap(dom, "unmap", IOVA & 0xffffffffff, PAGE);
	dma((IOVA & 0xffffffffff) + 12, 0x7005);
	uiommu_detach_device_pasid(r.dev, UIOMMU_NO_PASID);
	done("free", uiommu_domain_free(dom));
}

void scenario_driver(bool irqs)
{
	if (!bring_up(irqs))
		return;
	one_stage("stage 1", 0);
	one_stage("stage 2", UIOMMU_DOMAIN_ALLOC_NEST_PARENT);
	replacements();
	nested();
	guest();
	recovery();
	tear_down();
}
