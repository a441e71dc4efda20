/* SPDX-License-Identifier: MIT */
/* differ.c - a case goes through an SMMU, and what came of it is written down */
#include "differ.h"
#include "raw.h"

#define LOADED		RAW_MEMORY		/* what a read has brought */
#define UNTOUCHED	0xa5a5a5a5u

bool differ_begin(void)
{
	/* where blocks of 512 MiB and 1 GiB begin, which may be taken for tables */
	for (uint64_t pa = RAM; pa < RAM + 0x10000; pa += 8)
		*world_word(pa) = 0;
	return raw_begin(7);
}

static void take_events(struct differ_result *out)
{
	uint64_t w[EVT_WORDS];

	while (raw_event(w)) {
		for (unsigned i = 0; i < EVT_WORDS && !out->events; i++)
			out->event[i] = w[i];
		out->events++;
	}
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
	raw_cr0(RAW_QUEUES_ON);			/* what is off lets everything pass: GBPA.ABORT is 0 */
	world.store(LOADED);
	return *world_word32(LOADED);
}

void differ_run(const struct differ_case *c, struct differ_result *out)
{
	*out = (struct differ_result){ 0 };
	install(c);
	raw_enable(c->strtab, c->strtab_cfg, c->cr2);
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
