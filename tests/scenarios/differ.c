/* SPDX-License-Identifier: MIT */
/* differ.c - a case goes through an SMMU, and what came of it is written down */
#include "differ.h"

#include "src/port/port.h"
#include "src/smmuv3/fields.h"

#define QUEUE_LG2	7
#define CMDQ		DIFFER_QUEUES
#define EVTQ		(DIFFER_QUEUES + 0x1000)
#define LOADED		(DIFFER_QUEUES + 0x2000)	/* what a read has brought */
#define UNTOUCHED	0xa5a5a5a5u

/* ---- the SMMU, by hand ---- */

static uint32_t rd(unsigned reg)
{
	return port_read32(&world.mmio, reg);
}

static void wr(unsigned reg, uint32_t v)
{
	port_write32(&world.mmio, reg, v);
}

static bool cr0(uint32_t v)
{
	wr(SMMU_CR0, v);
	for (unsigned i = 0; i < 100000; i++)
		if (rd(SMMU_CR0ACK) == v)
			return true;
	return false;
}

#define QUEUES_ON	(FMASK(CR0_CMDQEN) | FMASK(CR0_EVENTQEN))

static void command(uint64_t w0, uint64_t w1)
{
	uint32_t prod = rd(SMMU_CMDQ_PROD);

	port_store64((uint64_t *)world_word(CMDQ) + (prod & 127) * 2, w0);
	port_store64((uint64_t *)world_word(CMDQ) + (prod & 127) * 2 + 1, w1);
	prod = (prod + 1) & 255;
	wr(SMMU_CMDQ_PROD, prod);
	while ((rd(SMMU_CMDQ_CONS) & FMASK(CMDQ_CONS_RD)) != prod)
		;
}

static void forget_all(void)
{
	command(FPREP(CMD_Opcode, CMD_CFGI_STE_RANGE), CMD_CFGI_STE_RANGE_Range_ALL);
	command(FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	command(FPREP(CMD_Opcode, CMD_SYNC), 0);
}

bool differ_begin(void)
{
	if (!cr0(0))
		return false;
	/* where blocks of 512 MiB and 1 GiB begin, which may be taken for tables */
	for (uint64_t pa = RAM; pa < RAM + 0x10000; pa += 8)
		*world_word(pa) = 0;
	for (uint64_t pa = CMDQ; pa < LOADED + 0x1000; pa += 8)
		*world_word(pa) = 0;
	port_write64(&world.mmio, SMMU_CMDQ_BASE, CMDQ | QUEUE_LG2);
	port_write64(&world.mmio, SMMU_EVENTQ_BASE, EVTQ | QUEUE_LG2);
	wr(SMMU_CMDQ_PROD, 0);
	wr(SMMU_CMDQ_CONS, 0);
	wr(SMMU_EVENTQ_PROD, 0);
	wr(SMMU_EVENTQ_CONS, 0);
	wr(SMMU_GERRORN, rd(SMMU_GERROR));
	return cr0(QUEUES_ON);
}

static void point_to(uint64_t strtab, uint32_t cfg, uint32_t cr2)
{
	cr0(QUEUES_ON);
	port_write64(&world.mmio, SMMU_STRTAB_BASE, strtab);
	wr(SMMU_STRTAB_BASE_CFG, cfg);
	wr(SMMU_CR2, cr2);
	forget_all();
	cr0(QUEUES_ON | FMASK(CR0_SMMUEN));
}

static void take_events(struct differ_result *out)
{
	uint32_t prod = rd(SMMU_EVENTQ_PROD), cons = rd(SMMU_EVENTQ_CONS) & 255;

	for (; cons != (prod & 255); cons = (cons + 1) & 255) {
		volatile uint64_t *e = world_word(EVTQ) + (cons & 127) * EVT_WORDS;

		for (unsigned i = 0; i < EVT_WORDS && !out->events; i++)
			out->event[i] = e[i];
		out->events++;
	}
	wr(SMMU_EVENTQ_CONS, cons | (prod & (uint32_t)FMASK(EVENTQ_PROD_OVFLG)));
}

/* ---- memory ---- */

/* of a read: tells the place, and the case */
static uint32_t tag(const struct differ_case *c, uint64_t pa)
{
	return (uint32_t)((pa >> 2) * 0x9e3779b1u ^ (uint32_t)c->seed) | 1;
}

/* also what an earlier case has left: a write that nobody looked for */
static void install(const struct differ_case *c)
{
	for (uint64_t pa = c->scan; pa < c->next; pa += 8)
		if (*world_word(pa))
			*world_word(pa) = 0;
	for (unsigned i = 0; i < c->num_words; i++)
		*world_word(c->words[i].pa) = c->words[i].value;
	for (unsigned i = 0; i < c->num_places; i++)
		*world_word32(c->places[i]) = c->read ? tag(c, c->places[i]) : UNTOUCHED;
}

static void arrived(struct differ_result *out, uint64_t pa)
{
	out->reached = out->reached ? 1 : pa;
}

/* a word of a table that is not as it was: in its lower or its upper half */
static void changed(struct differ_result *out, uint64_t pa, uint64_t was)
{
	uint64_t is = *world_word(pa);

	if (is != was)
		arrived(out, (uint32_t)is != (uint32_t)was ? pa : pa + 4);
	*world_word(pa) = 0;
}

/* Finds what was written, and leaves zeroes where tables were. */
static void look(const struct differ_case *c, struct differ_result *out)
{
	for (unsigned i = 0; i < c->num_words; i++)
		changed(out, c->words[i].pa, c->words[i].value);
	for (uint64_t pa = c->scan; pa < c->next; pa += 8)
		if (*world_word(pa))
			changed(out, pa, 0);
	for (unsigned i = 0; i < c->num_places; i++) {
		if (!c->read && *world_word32(c->places[i]) != UNTOUCHED)
			arrived(out, c->places[i]);
		*world_word32(c->places[i]) = 0;
	}
}

/* ---- a case ---- */

static uint32_t loaded(void)
{
	cr0(QUEUES_ON);			/* what is off lets everything pass: GBPA.ABORT is 0 */
	world.store(LOADED);
	return *world_word32(LOADED);
}

void differ_run(const struct differ_case *c, struct differ_result *out)
{
	*out = (struct differ_result){ 0 };
	install(c);
	point_to(c->strtab, c->strtab_cfg, c->cr2);
	if (c->read)
		world.load(c->iova);
	else
		world.write(c->iova, 0x5aff);
	take_events(out);
	look(c, out);
	if (c->read)
		out->reached = loaded();
}

/* ---- text ---- */

static char *hex(char *p, uint64_t v)
{
	unsigned shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		*p++ = "0123456789abcdef"[v >> shift & 15];
		if (!shift)
			return p;
	}
}

void differ_line(const struct differ_result *r, char *buf)
{
	char *p = hex(buf, r->reached);

	*p++ = ' ';
	p = hex(p, r->events);
	for (unsigned i = 0; r->events && i < EVT_WORDS; i++) {
		*p++ = ' ';
		p = hex(p, r->event[i]);
	}
	*p = 0;
}

void differ_one(uint64_t seed, uint64_t i, bool read)
{
	static struct differ_case c;
	struct differ_result r;
	char line[DIFFER_LINE + 24] = "c ", *p;

	differ_generate(&c, seed, world.sid, read);
	differ_run(&c, &r);
	p = hex(line + 2, i);
	*p++ = ' ';
	differ_line(&r, p);
	world.say(line);
}

void differ_all(uint64_t run, uint64_t first, uint64_t count, bool read)
{
	for (unsigned two_level = 0; two_level < 2; two_level++)
		for (uint64_t i = first; i < first + count; i++)
			if (differ_two_level(differ_seed(run, i)) == two_level)
				differ_one(differ_seed(run, i), i, read);
}
