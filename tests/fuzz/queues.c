/* SPDX-License-Identifier: MIT */
/*
 * queues.c - a VM with command queues in its hands that wants out: whatever it writes
 * into its queues and its page of registers, another VM and the host do not notice
 *
 * Its virtual interface is number 1 and its VMID 5; number 2 is the other VM's (VMID 9),
 * number 0 the host's. The input is a list of moves of the enemy's, with some of the
 * host's in between. After each the others' translations are looked at: they are cached
 * and wrong in memory, so one that was invalidated shows; so is an STE of theirs. The
 * SMMU reads commands in the enemy's memory only, and writes nothing.
 */
#include "../heap.h"
#include "input.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <uiommu/sim/temper.h>

#define MOVES  400
#define BIT(n) ((uint64_t)1 << (n))

/* memory, in pages; what is ENEMY and beyond is the enemy's */
#define RAM   0x10000000u
#define PAGES 64u
enum { STRTAB, EVTQ, OWN, HOSTS, OTHERS, TABLES, ENEMY = 32 };
#define RAM_AT(page) (RAM + (uint64_t)(page)*4096)

#define QUEUE_LG2 3u			  /* of everybody's */
#define VA(n)	  (0x5000u + (n)*0x2000u) /* of stream n: two pages */

struct world {
	struct uiommu_sim_smmuv3 *s;
	struct uiommu_sim_smmuv3_port *port;
	bool hostile; /* acts when it is told to, by @dice */
	uint64_t dice;
	bool holds;	   /* a translation of the enemy's is in use */
	unsigned open[2];  /* invalidations of the enemy's queues, unanswered */
	bool silent, slow; /* what its devices do with the next */
	bool theirs;	   /* what happens now is of others' making */
	uint32_t prod[3];  /* of OWN, HOSTS, OTHERS */
};

static uint8_t ram[PAGES * 4096];
static struct world worlds[2], *w;

static void fail(unsigned line)
{
	fprintf(stderr, "%s:%u\n", __FILE__, line);
	abort();
}

#define must(b) ((b) ? (void)0 : fail(__LINE__))

/* ---- the world ---- */

static uint8_t *at(uint64_t pa, size_t bytes)
{
	return pa >= RAM && pa - RAM <= sizeof(ram) && bytes <= sizeof(ram) - (pa - RAM)
		       ? ram + (pa - RAM)
		       : NULL;
}

static void set(uint64_t pa, uint64_t v)
{
	memcpy(at(pa, 8), &v, 8);
}

/* Commands are fetched where the host has said. */
static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	const uint8_t *p = at(pa, bytes);

	must(w->theirs || (p && pa >= RAM_AT(ENEMY)));
	if (p)
		memcpy(buf, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

/* Nothing but events. */
static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	must(w->theirs || pa >= RAM_AT(ENEMY) ||
	     (w->hostile && pa >= RAM_AT(EVTQ) && pa < RAM_AT(EVTQ + 1)));
	must(at(pa, bytes) != NULL);
	memcpy(at(pa, bytes), buf, bytes);
	return 0;
}

static void env_irq(void *ctx, enum uiommu_sim_irq line)
{
	must(w->theirs || w->hostile || line == UIOMMU_SIM_IRQ_CMDQV);
}

/* Only its own devices, which are 0x11 and 0x12. */
static int env_atc_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	must(inv->queue == 3 || inv->queue == 4);
	must(inv->stream_id == 0x11 || inv->stream_id == 0x12);
	if (w->silent)
		return -1;
	w->open[inv->queue - 3] += w->slow;
	return w->slow;
}

static unsigned choose(void *ctx, unsigned n)
{
	w->dice = w->dice * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(w->dice >> 33) % n;
}

static void settle(void)
{
	while (w->hostile && uiommu_sim_smmuv3_step(w->s))
		;
}

/* ---- registers ---- */

static void own(unsigned reg, uint64_t v, unsigned size)
{
	uiommu_sim_smmuv3_mmio_write(w->s, reg, v, size);
	settle();
}

static void put(unsigned off, uint64_t v, unsigned size)
{
	uiommu_sim_smmuv3_cmdqv_write(w->s, off, v, size);
}

static uint32_t get(unsigned off)
{
	return (uint32_t)uiommu_sim_smmuv3_cmdqv_read(w->s, off, 4);
}

#define ALLOC(q)    (0x200 + 4 * (q))
#define VINTF(i)    (0x1000 + 0x100 * (i))
#define PAGE0(i, l) (0x30000 + 0x20000 * (i) + 0x80 * (l))
#define PAGE1(i, l) (PAGE0(i, l) + 0x10000)

static void queue_on(unsigned i, unsigned l, uint64_t base)
{
	put(ALLOC(2 * i + l), i << 15 | l << 1 | 1, 4);
	put(PAGE1(i, l), base | QUEUE_LG2, 8);
	put(PAGE0(i, l) + 8, 1, 4);
	settle();
}

static void vintf_on(unsigned i, uint32_t config)
{
	put(VINTF(i), config, 4);
	settle();
	put(VINTF(i), config | 1, 4);
	settle();
}

static uint64_t enemys_queue(unsigned l)
{
	return RAM_AT(ENEMY + l);
}

static void enemys_interface(void)
{
	vintf_on(1, 5 << 1);
	for (unsigned k = 0; k < 2; k++) {
		put(VINTF(1) + 0x80 + 4 * k, 0x11 + k, 4);
		put(VINTF(1) + 0x40 + 4 * k, (0x21 + k) << 1 | 1, 4);
		queue_on(1, k, enemys_queue(k));
	}
}

/* ---- streams ---- */

/* Of the host, of the other VM, and one of the enemy's. The simulator may take the ASID of
 * one for that of another VM's by their hash, as hardware may; never of two at once. */
static const struct stream {
	unsigned sid, vmid, asid;
} streams[] = {
	{ 1, 0, 1 }, { 3, 0, 0x1234 }, { 2, 9, 1 }, { 4, 9, 0x4321 }, { 0x11, 5, 1 },
};
#define STREAMS	       5u
#define OTHERS_STREAMS 4u

/* pages of each */
enum { CD, L2, L3, OLD, NEW, STREAM_PAGES };

static uint64_t page_of(unsigned n, unsigned page)
{
	return RAM_AT(TABLES + n * STREAM_PAGES + page);
}

/* 0: the DMA was aborted */
static uint64_t read_page(unsigned n, unsigned page)
{
	struct uiommu_sim_access a = { .stream_id = streams[n].sid, .iova = VA(n) + page * 4096u };
	uint64_t x = 0;

	return uiommu_sim_smmuv3_dma(w->s, &a, &x, 8, NULL) ? 0 : x;
}

/* page 0 is global, 1 is not */
static void leaves(unsigned n, unsigned page)
{
	for (unsigned k = 0; k < 2; k++)
		set(page_of(n, L3) + (VA(n) / 4096 + k) * 8,
		    page_of(n, page) | 0x443 | (k ? BIT(11) : 0));
}

static void set_ste(unsigned n, unsigned config)
{
	uint64_t ste = RAM_AT(STRTAB) + streams[n].sid * 64;

	set(ste + 16, streams[n].vmid);
	set(ste, 1 | config << 1 | (config ? page_of(n, CD) : 0));
}

/* Cached, and wrong from now on: the page; of others the STE, too. */
static void stream(unsigned n)
{
	set(page_of(n, OLD), BIT(32) | n);
	set(page_of(n, NEW), BIT(33) | n);
	set(page_of(n, CD), 39 | BIT(30) | BIT(31) | (uint64_t)5 << 32 | BIT(41) | BIT(45) |
				    BIT(46) | (uint64_t)streams[n].asid << 48);
	set(page_of(n, CD) + 8, page_of(n, L2));
	set(page_of(n, L2), page_of(n, L3) | 3);
	leaves(n, OLD);
	set_ste(n, 5);
	for (unsigned k = 0; k < 2; k++)
		must(read_page(n, k) == (BIT(32) | n));
	leaves(n, NEW);
	if (n < OTHERS_STREAMS)
		set_ste(n, 0);
}

static bool stale(unsigned n, unsigned page)
{
	return read_page(n, page) == (BIT(32) | n);
}

/* ---- what must stay as it was ---- */

static const unsigned prod_of[] = { 0, PAGE0(0, 0) + 4, PAGE0(2, 0) + 4 };

static void answer(unsigned l, bool ok)
{
	if (!w->open[l])
		return;
	w->open[l]--;
	uiommu_sim_smmuv3_atc_inv_done(w->s, 3 + l, ok);
}

/* The host waits for what devices owe a queue that it has taken away. */
static void answer_for_the_host(void)
{
	for (unsigned l = 0; l < 2; l++)
		while (!(get(ALLOC(2 + l)) & 1) && w->open[l])
			answer(l, false);
}

/* Each of the others says CMD_SYNC, and has it. */
static void sync_of(unsigned k)
{
	uint32_t prod = w->prod[k], next = (prod + 1) & ((2u << QUEUE_LG2) - 1), cons;

	set(RAM_AT(OWN + k) + (prod & ((1u << QUEUE_LG2) - 1)) * 16, 0x46);
	w->prod[k] = next;
	if (k)
		put(prod_of[k], next, 4);
	else
		own(0x98, next, 4);
	settle();
	if (!k)
		answer_for_the_host();
	settle();
	cons = k ? get(prod_of[k] - 4) : (uint32_t)uiommu_sim_smmuv3_mmio_read(w->s, 0x9c, 4);
	must(cons == next);
}

static void registers_are_the_same(void)
{
	must(get(0) == 0x20083 && get(8) == 1);
	must(!(get(0x14) & ~2u) && !get(0x18));
	must(!(get(0x24) & ~(uint32_t)(BIT(2) | BIT(3))));
	must(get(VINTF(0)) == (BIT(17) | 1) && get(VINTF(2)) == (9 << 1 | 1));
	must(get(VINTF(0) + 4) == (1 << 16 | 1) && get(VINTF(2) + 4) == (1 << 16 | 1));
	must(get(ALLOC(0)) == 1 && get(ALLOC(4)) == (2 << 15 | 1));
	must((get(VINTF(1)) & ~1u) == 5 << 1);
	for (unsigned k = 0; k < 2; k++) {
		unsigned at = k ? PAGE0(2, 0) : PAGE0(0, 0);

		must(get(at + 12) == 1 && get(at + 16) == get(at + 20));
		must(get(at + 0x10000) == (RAM_AT(HOSTS + k) | QUEUE_LG2));
		must(get(0x20000 + 0x80 * (2 + k)) == (enemys_queue(k) | QUEUE_LG2));
		must(get(0x20000 + 0x80 * (2 + k) + 8) == 0);
	}
	must(uiommu_sim_smmuv3_mmio_read(w->s, 0x60, 4) ==
	     uiommu_sim_smmuv3_mmio_read(w->s, 0x64, 4));
}

static void look(bool closely)
{
	w->theirs = true;
	for (unsigned n = 0; n < OTHERS_STREAMS; n++)
		must(stale(n, 0));
	must(stale(0, 1) || stale(1, 1));
	must(stale(2, 1) || stale(3, 1));
	if (closely) {
		registers_are_the_same();
		for (unsigned k = 0; k < 3; k++)
			sync_of(k);
	}
	w->theirs = false;
}

/* ---- the moves ---- */

/* A command of the likely ones, with numbers that mean something to somebody; or not. */
static uint64_t command(struct input *in, uint64_t *w1)
{
	static const uint8_t likely[] = { 0x11, 0x12, 0x40, 0x46, 0x12, 0x40, 0x46, 0x46 };
	static const uint64_t vmids[] = { 0, 5, 9, 0x109 };
	static const uint64_t sids[] = { 0x21, 0x22, 0x11, 1, 2, 0x100021, 0, 0x23 };
	uint64_t how = take(in, 2), op = likely[how & 7], n = how >> 3 & 3;

	if (how & 0x8000) { /* any */
		*w1 = take(in, 8);
		return take(in, 8) << (how & 0x4000 ? 8 : 0) | (how & 0x4000 ? op : 0);
	}
	*w1 = op == 0x40 ? 52 : VA(n) + (how >> 5 & 1) * 0x1000 + (how >> 6 & 1);
	if (op == 0x40)
		return op | sids[how >> 7 & 7] << 32;
	return op | (op == 0x46 ? 0 : vmids[how >> 7 & 3] << 32 | (uint64_t)streams[n].asid << 48);
}

/* As a driver would: behind what is there. */
static void say(struct input *in)
{
	uint64_t how = take(in, 1), w0, w1;
	unsigned l = how & 1, n = 1 + (how >> 1 & 3);
	uint32_t prod = get(PAGE0(1, l) + 4);

	for (unsigned k = 0; k < n; k++, prod++) {
		w0 = command(in, &w1);
		set(enemys_queue(l) + (prod & ((1u << QUEUE_LG2) - 1)) * 16, w0);
		set(enemys_queue(l) + (prod & ((1u << QUEUE_LG2) - 1)) * 16 + 8, w1);
	}
	put(PAGE0(1, l) + 4, prod & ((2u << QUEUE_LG2) - 1), 4);
}

/* Any of its page, or one that is there. */
static unsigned register_of(uint64_t how, uint64_t where)
{
	return PAGE0(1, 0) + (how & 2 ? where & 0xfffc : (where & 1) * 0x80 + (where >> 1 & 7) * 4);
}

static void write_register(struct input *in)
{
	uint64_t how = take(in, 1), where = take(in, 2), v = take(in, how & 1 ? 8 : 4);

	put(register_of(how, where), how & 4 ? v & 7 : v, how & 1 ? 8 : 4);
}

static void read_register(struct input *in)
{
	uint64_t how = take(in, 1), where = take(in, 2);

	uiommu_sim_smmuv3_cmdqv_read(w->s, register_of(how, where), how & 1 ? 8 : 4);
}

static void scribble(struct input *in)
{
	uint64_t where = take(in, 1);

	set(enemys_queue(where & 1) + (where >> 1) % (16u << QUEUE_LG2) / 8 * 8, take(in, 8));
}

static void mend(struct input *in)
{
	unsigned page0 = PAGE0(1, take(in, 1) & 1);

	put(page0 + 20, get(page0 + 16), 4);
}

static void dma(struct input *in)
{
	uint64_t how = take(in, 1);

	w->theirs = true;
	leaves(4, how & 2 ? OLD : NEW);
	read_page(4, how & 1);
	w->theirs = false;
}

static void release(void)
{
	w->theirs = true;
	if (w->holds)
		uiommu_sim_smmuv3_end(w->s, w->port);
	w->holds = w->theirs = false;
}

/* A translation of the enemy's is used for longer: its CMD_SYNCs wait, others' do not. */
static void hold(struct input *in)
{
	struct uiommu_sim_access a = { .stream_id = 0x11, .iova = VA(4) };
	struct uiommu_sim_xlat x;

	release();
	w->theirs = true;
	w->holds = take(in, 1) & 1 && !uiommu_sim_smmuv3_begin(w->s, w->port, &a, &x);
	w->theirs = false;
}

static void devices(struct input *in)
{
	uint64_t how = take(in, 1);

	w->silent = how & 1;
	w->slow = how & 2;
	if (how & 4)
		answer(how >> 3 & 1, how & 16);
}

/* What a VMM and its host do for the enemy in between. */
static void host(struct input *in)
{
	uint64_t how = take(in, 1);

	switch (how & 3) {
	case 0:
		put(VINTF(1), 5 << 1 | (how >> 2 & 1), 4);
		break;
	case 1:
		put(ALLOC(2 + (how >> 2 & 1)), 1 << 15 | (how >> 2 & 1) << 1 | (how >> 3 & 1), 4);
		break;
	case 2:
		put(VINTF(1) + 0x40 + 4 * (how >> 2 & 1),
		    (uint32_t)take(in, 3) << 1 | (how >> 3 & 1), 4);
		break;
	case 3:
		put(0x1c, how >> 2 & 2, 4);
		break;
	}
}

static void (*const moves[])(struct input *in) = {
	say, write_register, read_register, scribble, mend, dma, hold, devices, host, say,
};

/* ---- an input ---- */

static struct uiommu_sim_smmuv3 *create(bool hostile)
{
	const struct uiommu_sim_env env = { .alloc = heap_alloc,
					    .free = heap_free,
					    .read = env_read,
					    .write = env_write,
					    .irq = env_irq,
					    .atc_inv = env_atc_inv };
	const struct uiommu_sim_temper t = { .choose = choose };
	struct uiommu_sim_smmuv3_config c;
	struct uiommu_sim_smmuv3 *s;

	uiommu_sim_smmuv3_config_init(&c);
	c.stage2 = c.vmid16 = c.ats = true;
	c.cmdq_max_lg2 = QUEUE_LG2;
	c.cmdqv.vintfs_lg2 = 2;
	c.cmdqv.vcmdqs_lg2 = 3;
	c.cmdqv.sids_lg2 = 1;
	must(!uiommu_sim_smmuv3_create(&c, &env, &s));
	must(!hostile || !uiommu_sim_smmuv3_set_temper(s, &t));
	return s;
}

static void begin(uint64_t how)
{
	w = &worlds[how & 1];
	w->hostile = how & 1;
	w->dice = how;
	w->theirs = true;
	w->silent = w->slow = false;
	if (!w->s) {
		w->s = create(w->hostile);
		w->port = uiommu_sim_smmuv3_port_open(w->s);
	}
	uiommu_sim_smmuv3_reset(w->s);
	memset(ram, 0, sizeof(ram));
	memset(w->prod, 0, sizeof(w->prod));
	own(0x80, RAM_AT(STRTAB), 8);
	own(0x88, 6, 4);
	own(0x90, RAM_AT(OWN) | QUEUE_LG2, 8);
	own(0xa0, RAM_AT(EVTQ) | 4, 8);
	own(0x50, 5, 4);
	own(0x20, 13, 4);
	vintf_on(0, BIT(17));
	queue_on(0, 0, RAM_AT(HOSTS));
	vintf_on(2, 9 << 1);
	queue_on(2, 0, RAM_AT(OTHERS));
	enemys_interface();
	/* a reset need not have emptied the caches: CFGI_STE_RANGE, TLBI_NSNH_ALL */
	set(RAM_AT(OWN), 0x04);
	set(RAM_AT(OWN) + 8, 31);
	set(RAM_AT(OWN) + 16, 0x30);
	w->prod[0] = 2;
	sync_of(0);
}

/* The host takes its queues away and gives them back: they are as new. */
static void mended(unsigned l)
{
	unsigned page0 = PAGE0(1, l);

	put(page0 + 8, 0, 4);
	settle();
	put(page0 + 4, 0, 4);
	put(page0, 0, 4);
	put(page0 + 20, get(page0 + 16), 4);
	w->theirs = true;
	sync_of(0); /* so that a time-out is told to nobody */
	w->theirs = false;
	set(enemys_queue(l), 0x46);
	put(page0 + 8, 1, 4);
	put(page0 + 4, 1, 4);
	settle();
	must(get(page0) == 1 && get(page0 + 12) == 1 && get(page0 + 16) == get(page0 + 20));
}

static void end(void)
{
	release();
	w->slow = false;
	settle();
	for (unsigned l = 0; l < 2; l++)
		while (w->open[l])
			answer(l, true);
	vintf_on(1, 5 << 1);
	for (unsigned l = 0; l < 2; l++)
		put(ALLOC(2 + l), 1 << 15 | l << 1 | 1, 4);
	for (unsigned l = 0; l < 2; l++)
		mended(l);
	look(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	begin(take(&in, 4));
	for (unsigned n = 0; n < STREAMS; n++)
		stream(n);
	look(true);
	for (unsigned i = 0; i < MOVES && in.left; i++) {
		moves[take(&in, 1) % (sizeof(moves) / sizeof(moves[0]))](&in);
		for (unsigned k = choose(NULL, 8); w->hostile && k--;)
			uiommu_sim_smmuv3_step(w->s);
		look(i % 8 == 7);
	}
	end();
	return 0;
}
