/* SPDX-License-Identifier: MIT */
/*
 * sim.c - three ways for an input to be hostile to the software SMMUv3
 *
 *   regs     registers, the command queue, and memory under both
 *   tables   STEs, CDs and translation tables: the input is what memory holds
 *   device   accesses, translation and page requests, in front of tables that work
 *
 * The target is chosen at build time (TARGET); replay.c feeds the kept corpus to
 * the same code without a fuzzer. Nothing may crash, leave the memory, or record
 * an event that does not exist.
 */
#include "../heap.h"
#include "input.h"

#include <stdbool.h>
#include <stdlib.h>

#include <uiommu/sim/atc.h>
#include <uiommu/sim/smmuv3.h>

#define RAM_LG2		16
#define RAM_BYTES	(1u << RAM_LG2)
#define RAM_BASE	0x10000u
#define STRTAB		0u
#define CMDQ		0x1000u
#define EVTQ		0x2000u
#define PRIQ		0x3000u
#define PAGES		0x4000u

enum { REGS, TABLES, DEVICE };

static uint8_t ram[RAM_BYTES];
static struct uiommu_sim_atc atc;

/* ---- the world ---- */

static uint8_t *at(uiommu_pa_t pa, size_t bytes)
{
	if (pa < RAM_BASE || pa - RAM_BASE > RAM_BYTES || bytes > RAM_BYTES - (pa - RAM_BASE))
		return NULL;
	return ram + (pa - RAM_BASE);
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	const uint8_t *p = at(pa, bytes);

	if (p)
		memcpy(buf, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	uint8_t *p = at(pa, bytes);

	if (p)
		memcpy(p, buf, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static int env_cas64(void *ctx, uiommu_pa_t pa, uint64_t *old, uint64_t new_value)
{
	uint8_t *p = at(pa, 8);
	uint64_t was;

	if (!p || pa % 8)
		return -UIOMMU_EFAULT;
	memcpy(&was, p, 8);
	if (was == *old)
		memcpy(p, &new_value, 8);
	*old = was;
	return 0;
}

static void env_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
}

static int env_atc_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	return inv->stream_id & 64 ? -1 : uiommu_sim_atc_inv(&atc, inv);
}

static struct uiommu_sim_smmuv3 *create(uint64_t bits)
{
	static const uint8_t oas[8] = { 48, 32, 36, 40, 42, 44, 48, 52 };
	const struct uiommu_sim_env env = { .alloc = heap_alloc, .free = heap_free,
		.read = env_read, .write = env_write, .cas64 = env_cas64,
		.resume = env_resume, .atc_inv = env_atc_inv };
	struct uiommu_sim_smmuv3_config c;
	struct uiommu_sim_smmuv3 *s;

	uiommu_sim_smmuv3_config_init(&c);
	c.tlb_entries_lg2 = 4;
	c.stage2 = c.hyp = c.ats = c.pri = true;
	c.priq_max_lg2 = 8;
	c.stall_max = 4;
	c.stall = 1 + (bits & 1);
	c.httu = bits >> 1 & 2;
	c.oas_lg2 = oas[bits >> 3 & 7];
	c.vax52 = bits >> 6 & 1;
	c.xnx = bits >> 7 & 1;
	c.msi = bits >> 8 & 1;
	c.vmid16 = bits >> 9 & 1;
	c.merge_events = bits >> 10 & 1;
	c.ds = bits >> 11 & 1;
	c.conflicts = bits >> 12 & 1;
	c.stt = c.e0pd = c.epan = bits >> 13 & 1;
	c.endian = bits >> 13 & 1;
	c.vmw = c.ats_record = bits >> 14 & 1;
	c.mpam_partid_max = bits >> 14 & 1;
	c.pps = c.no_split_ats = bits >> 15 & 1;
	if (uiommu_sim_smmuv3_create(&c, &env, &s))
		abort();
	return s;
}

/* Making one costs more than most inputs: those of some configurations are kept, and
 * reset, which must make them as new. */
static struct uiommu_sim_smmuv3 *obtain(uint64_t bits)
{
	static struct {
		uint64_t bits;
		struct uiommu_sim_smmuv3 *s;
	} kept[128], *k;

	k = &kept[bits * 0x9e3779b97f4a7c15u >> 57];
	if (k->s && k->bits == bits) {
		uiommu_sim_smmuv3_reset(k->s);
	} else {
		if (k->s)
			uiommu_sim_smmuv3_destroy(k->s);
		k->s = create(bits);
		k->bits = bits;
	}
	uiommu_sim_atc_init(&atc, k->s, 1);
	return k->s;
}

static void put(uint64_t off, uint64_t v)
{
	memcpy(ram + off, &v, 8);
}

static void enable(struct uiommu_sim_smmuv3 *s)
{
	uiommu_sim_smmuv3_mmio_write(s, 0x80, RAM_BASE + STRTAB, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0x88, 6, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x90, (RAM_BASE + CMDQ) | 5, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0xa0, (RAM_BASE + EVTQ) | 4, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0xc0, (RAM_BASE + PRIQ) | 4, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0x2c, 2, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x50, 7, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x20, 15, 4);
}

/* ---- what is always true ---- */

static void check_events(struct uiommu_sim_smmuv3 *s)
{
	static const uint64_t known = 1ull << 1 | 1ull << 2 | 1ull << 3 | 1ull << 4 | 1ull << 5 |
		1ull << 6 | 1ull << 7 | 1ull << 8 | 1ull << 9 | 1ull << 0xa | 1ull << 0xb |
		1ull << 0x10 | 1ull << 0x11 | 1ull << 0x12 | 1ull << 0x13 | 1ull << 0x20 |
		1ull << 0x21 | 1ull << 0x25;
	uint64_t prod = uiommu_sim_smmuv3_mmio_read(s, 0x100a8, 4);
	uint64_t cons = uiommu_sim_smmuv3_mmio_read(s, 0x100ac, 4);

	for (; (prod ^ cons) & 31; cons = (cons + 1) & 31)
		if (!(known >> (ram[EVTQ + (cons & 15) * 32] & 63) & 1) ||
		    ram[EVTQ + (cons & 15) * 32] > 63)
			abort();
	uiommu_sim_smmuv3_mmio_write(s, 0x100ac, prod, 4);
}

static void access_with(struct uiommu_sim_smmuv3 *s, uint64_t bits, uint64_t iova)
{
	const struct uiommu_sim_access a = {
		.stream_id = bits & 7, .substream_id = bits >> 3 & 7, .ssv = bits >> 6 & 1,
		.write = bits >> 7 & 1, .exec = bits >> 8 & 1, .priv = bits >> 9 & 1,
		.translated = bits >> 10 & 1, .unsupported = (bits >> 11 & 31) == 31,
		.iova = iova,
	};
	uint8_t buf[64] = { 0 };
	size_t done, bytes = 1 + (bits >> 11 & 31);

	if (uiommu_sim_smmuv3_dma(s, &a, buf, bytes, &done) ? done >= bytes : done != bytes)
		abort();
}

/* ---- the targets ---- */

static void op_regs(struct uiommu_sim_smmuv3 *s, struct input *in)
{
	uint64_t op = take(in, 1), off = take(in, 1) * 4 | (op & 4 ? 0x10000 : 0);
	unsigned size = op & 8 ? 8 : 4;

	switch (op & 3) {
	case 0:
		uiommu_sim_smmuv3_mmio_write(s, off, take(in, size), size);
		break;
	case 1:
		uiommu_sim_smmuv3_mmio_read(s, off, size);
		break;
	case 2:		/* the next command, as the driver would */
		off = uiommu_sim_smmuv3_mmio_read(s, 0x98, 4);
		put(CMDQ + (off & 31) * 16, take(in, 8));
		put(CMDQ + (off & 31) * 16 + 8, take(in, 8));
		uiommu_sim_smmuv3_mmio_write(s, 0x98, (off + 1) & 63, 4);
		break;
	default:
		access_with(s, take(in, 2), take(in, 3));
	}
}

static void fuzz_regs(struct uiommu_sim_smmuv3 *s, struct input *in)
{
	if (take(in, 1) & 1)
		enable(s);
	while (in->left)
		op_regs(s, in);
}

static void fuzz_tables(struct uiommu_sim_smmuv3 *s, struct input *in)
{
	uint64_t accesses[8];

	for (unsigned i = 0; i < 8; i++)
		accesses[i] = take(in, 8);
	while (in->left) {		/* where, and what */
		uint64_t off = take(in, 2) & (RAM_BYTES - 8);

		put(off, take(in, 8));
	}
	enable(s);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 8; i++) {
			access_with(s, accesses[i], accesses[i] >> 16);
			check_events(s);
		}
}

/* SID 1: stage 1; 2: stage 2; 3: both; 4: bypass. IOVA 0..64K is memory, all ways. */
static void plant(void)
{
	for (unsigned sid = 1; sid < 5; sid++) {
		uint64_t ste = STRTAB + sid * 64;

		put(ste, 1 | (sid < 4 ? 4 | sid : 4) << 1 | (sid & 1 ? RAM_BASE + 0x4000 : 0) |
		    (sid == 1 ? 1ull << 59 : 0));
		put(ste + 8, (sid == 3 ? 2ull : 1ull) << 28 | (sid == 1 ? 2 : 0));
		put(ste + 16, sid | 25ull << 32 | 1ull << 38 | 5ull << 48 | 1ull << 51 |
		    1ull << 58);
		put(ste + 24, RAM_BASE + 0x8000);
	}
	for (unsigned i = 0; i < 2; i++) {	/* CDs of SubstreamID 0 and 1 */
		put(0x4000 + i * 64, 25 | 1ull << 30 | 1ull << 31 | 5ull << 32 | 1ull << 41 |
		    3ull << 45 | (i + 1ull) << 48);
		put(0x4008 + i * 64, RAM_BASE + 0x5000);
	}
	put(0x5000, (RAM_BASE + 0x6000) | 3);		/* stage 1: levels 1, 2, 3 */
	put(0x6000, (RAM_BASE + 0x7000) | 3);
	put(0x8000, (RAM_BASE + 0x9000) | 3);		/* stage 2 */
	put(0x9000, (RAM_BASE + 0xa000) | 3);
	for (unsigned i = 0; i < 32; i++) {
		put(0x7000 + i * 8, (RAM_BASE + i % 16 * 4096) | 0xc43);
		put(0xa000 + i * 8, (RAM_BASE + i % 16 * 4096) | 0x4ff);
	}
}

static void op_device(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port,
		      struct input *in)
{
	uint64_t op = take(in, 1), bits = take(in, 2), iova = take(in, 3), v = 0;
	struct uiommu_sim_access a = { .stream_id = bits & 7, .substream_id = bits >> 3 & 3,
		.ssv = bits >> 5 & 1, .write = bits >> 6 & 1, .exec = bits >> 7 & 1,
		.priv = bits >> 8 & 1, .iova = iova };
	struct uiommu_sim_ats_reply r;
	struct uiommu_sim_xlat x;

	switch (op & 7) {
	case 0:
		uiommu_sim_smmuv3_ats(s, &a, &r);
		break;
	case 1:
		uiommu_sim_atc_dma(&atc, &a, &v, 8, NULL);
		break;
	case 2:
		uiommu_sim_smmuv3_page_request(s, &(struct uiommu_sim_page_request){
			.stream_id = bits & 7, .ssv = bits >> 5 & 1, .last = bits >> 9 & 1,
			.substream_id = (uint32_t)iova, .read = true, .prgi = (uint16_t)bits,
			.iova = iova });
		break;
	case 3:
		if (!uiommu_sim_smmuv3_begin(s, port, &a, &x))
			uiommu_sim_smmuv3_end(s, port);
		break;
	case 4:
		uiommu_sim_smmuv3_translate(s, &a, &x);
		break;
	case 5:
		op_regs(s, &(struct input){ (const uint8_t *)"\2", 1 });	/* command 0: an error */
		uiommu_sim_smmuv3_mmio_write(s, 0x64, uiommu_sim_smmuv3_mmio_read(s, 0x60, 4), 4);
		break;
	case 6:		/* a command that is one, at the same place of the queue */
		v = uiommu_sim_smmuv3_mmio_read(s, 0x98, 4);
		put(CMDQ + (v & 31) * 16, bits & 0x47 ? (bits & 0xff) | iova << 32 : 0x46);
		put(CMDQ + (v & 31) * 16 + 8, iova << 8);
		uiommu_sim_smmuv3_mmio_write(s, 0x98, (v + 1) & 63, 4);
		break;
	default:
		access_with(s, bits, iova);
	}
}

static void fuzz_device(struct uiommu_sim_smmuv3 *s, struct input *in)
{
	struct uiommu_sim_smmuv3_port *port = uiommu_sim_smmuv3_port_open(s);

	plant();
	enable(s);
	while (in->left)
		op_device(s, port, in);
	uiommu_sim_smmuv3_port_close(s, port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct uiommu_sim_smmuv3 *s, struct input *in) = {
		[REGS] = fuzz_regs, [TABLES] = fuzz_tables, [DEVICE] = fuzz_device };
	struct input in = { data, size };

	memset(ram, 0, sizeof(ram));
	targets[TARGET](obtain(take(&in, 2)), &in);
	return 0;
}
