/* SPDX-License-Identifier: MIT */
/*
 * compare.c - what QEMU's SMMUv3 made of random configurations, against ours
 *
 *   compare RUN READS <lines      lines of baremetal.c; exit 1: a difference that is not
 *                                 explained
 *   compare --show SEED READS     one case: what it is, and what ours makes of it
 *   compare --quirks              what the explanations are
 *   compare --alone RUN COUNT     ours alone: do the cases come to all kinds of ends?
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "differ.h"
#include "process.h"
#include "quirks.h"

#include "src/smmuv3/fields.h"

static const char *const kinds[] = { "L1STD", "STE", "CD", "S1", "S2" };

static void show(const struct differ_case *c)
{
	printf("%s of 0x%" PRIx64 ", StreamID 0x%x, STRTAB_BASE 0x%" PRIx64 " CFG 0x%x CR2 0x%x\n",
	       c->read ? "read" : "write", c->iova, c->sid, c->strtab, c->strtab_cfg, c->cr2);
	printf("meant: config %u, stage 1 granule %u input %u level %u%s, stage 2 granule %u "
	       "input %u level %u, %u mistakes\n", c->config, c->s1.granule_lg2, c->s1.ias_lg2,
	       c->s1.level, c->s1.upper ? " upper" : "", c->s2.granule_lg2, c->s2.ias_lg2,
	       c->s2.level, c->mistakes);
	for (unsigned i = 0; i < c->num_words; i++)
		printf("  %09" PRIx64 " %5s %u%s %016" PRIx64 "\n", c->words[i].pa,
		       kinds[c->words[i].kind], c->words[i].index, c->words[i].leaf ? " leaf" : "",
		       c->words[i].value);
}

static void say(const char *line)
{
	puts(line);
}

static int show_one(uint64_t seed, bool read)
{
	static struct differ_case c;
	struct differ_result r;
	char line[DIFFER_LINE];

	differ_generate(&c, seed, world.sid, read);
	show(&c);
	differ_run(&c, &r);
	differ_line(&r, line);
	printf("ours: %s\n", line);
	return 0;
}

static unsigned same, explained, other, unseen, by_quirk[QUIRKS_MAX];

static bool parse(const char *s, struct differ_result *r)
{
	*r = (struct differ_result){ 0 };
	return sscanf(s, "%" SCNx64 " %x %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		      &r->reached, &r->events, &r->event[0], &r->event[1], &r->event[2],
		      &r->event[3]) >= 2;
}

/* True: it is unexplained. */
static bool judge(const struct differ_case *c, const struct differ_result *ours,
		  const struct differ_result *theirs)
{
	uint64_t why;

	if (!quirk_explains(c, ours, theirs, &why)) {
		other++;
		return true;
	}
	explained++;
	for (unsigned i = 0; i < QUIRKS_MAX; i++)
		by_quirk[i] += why >> i & 1;
	return false;
}

static void compare_one(uint64_t run, uint64_t i, bool read, const char *theirs)
{
	static struct differ_case c;
	struct differ_result r, t;
	char ours[DIFFER_LINE];

	differ_generate(&c, differ_seed(run, i), world.sid, read);
	differ_run(&c, &r);
	unseen += !read && !r.reached && process_arrived() >= RAM && process_arrived() < RAM_END;
	differ_line(&r, ours);
	if (!strcmp(ours, theirs))
		same++;
	else if (!parse(theirs, &t) || judge(&c, &r, &t))
		printf("case %" PRIu64 ", ./dev qemu --seed 0x%" PRIx64 "%s\n  QEMU %s\n  ours %s\n",
		       i, c.seed, read ? " --reads" : "", theirs, ours);
}

static int compare(uint64_t run, bool read)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		char *end;
		uint64_t i;

		line[strcspn(line, "\r\n")] = 0;
		if (strncmp(line, "c ", 2))
			continue;
		i = strtoull(line + 2, &end, 16);
		compare_one(run, i, read, end + 1);
	}
	for (unsigned i = 0; quirk_name(i); i++)
		if (by_quirk[i])
			printf("%6u %s\n", by_quirk[i], quirk_name(i));
	if (unseen)
		printf("%u went where nobody looked\n", unseen);
	printf("%u the same, %u explained, %u not\n", same, explained, other);
	return other || !same;
}

/* What cases come to on ours alone: no kind of end may be missing, or too rare to be
 * tested by a run. */
static const struct {
	unsigned code, per_mille;
	const char *name;
} wanted[] = {
	{ EVT_C_BAD_STREAMID, 2, "C_BAD_STREAMID" }, { EVT_F_STE_FETCH, 2, "F_STE_FETCH" },
	{ EVT_C_BAD_STE, 20, "C_BAD_STE" }, { EVT_F_CD_FETCH, 1, "F_CD_FETCH" },
	{ EVT_C_BAD_CD, 10, "C_BAD_CD" }, { EVT_F_WALK_EABT, 5, "F_WALK_EABT" },
	{ EVT_F_TRANSLATION, 50, "F_TRANSLATION" }, { EVT_F_ADDR_SIZE, 10, "F_ADDR_SIZE" },
	{ EVT_F_ACCESS, 1, "F_ACCESS" }, { EVT_F_PERMISSION, 2, "F_PERMISSION" },
};

static int alone(uint64_t run, uint64_t count)
{
	static unsigned ends[256], reached, silent;
	static struct differ_case c;
	struct differ_result r;
	int wrong = 0;

	for (uint64_t i = 0; i < count; i++) {
		differ_generate(&c, differ_seed(run, i), world.sid, false);
		differ_run(&c, &r);
		ends[r.events ? r.event[0] & 0xff : 0]++;
		reached += r.reached != 0;
		silent += !r.events && !r.reached;
	}
	printf("run %" PRIu64 ": %u of %" PRIu64 " arrive, %u go nowhere in silence\n", run,
	       reached, count, silent);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool ok = ends[wanted[i].code] * 1000ull >= count * wanted[i].per_mille;

		printf("%sok %u - %s, %u times\n", ok ? "" : "not ", i + 1, wanted[i].name,
		       ends[wanted[i].code]);
		wrong += !ok;
	}
	return wrong || reached * 4 < count || !silent;
}

static int usage(void)
{
	fprintf(stderr, "usage: compare RUN READS <lines, --show SEED READS, --alone RUN COUNT, "
		"--quirks\n");
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t a = argc > 2 ? strtoull(argv[argc - 2], NULL, 0) : 0;
	uint64_t b = argc > 2 ? strtoull(argv[argc - 1], NULL, 0) : 0;

	for (unsigned i = 0; argc == 2 && !strcmp(argv[1], "--quirks") && quirk_name(i); i++)
		puts(quirk_name(i));
	if (argc == 2)
		return 0;
	if (argc != 3 && argc != 4)
		return usage();
	process_begin(0x105, say);
	if (!differ_begin())
		return 1;
	if (argc == 3)
		return compare(a, b);
	if (!strcmp(argv[1], "--show"))
		return show_one(a, b);
	return strcmp(argv[1], "--alone") ? usage() : alone(a, b);
}
