/* SPDX-License-Identifier: MIT */
/*
 * main.c - many seeds; what failed, as short as it gets, and how to see it again
 *
 *   hostile [--seeds N] [--first N] [--steps N] [--jobs N] [--seed N [--keep LIST]]
 *           [--log] [--quick] [--fail-each] [--liberties]
 *
 * Exit status 0: clean; 1: something failed; 2: usage.
 */
#include "world.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
	uint64_t first;
	unsigned seeds, steps, jobs;
	bool one, quick, log, fail_each;
	const char *keep;
};

struct totals {
	uint64_t seeds, failed_seed;
	bool failed;
	struct run_result r;
};

static void add(struct totals *t, const struct run_result *r)
{
	t->seeds++;
	t->r.steps += r->steps;
	t->r.dmas += r->dmas;
	t->r.aborts += r->aborts;
	t->r.events += r->events;
	t->r.prefetches += r->prefetches;
	t->r.lookups += r->lookups;
	t->r.atc_invs += r->atc_invs;
	t->r.silent += r->silent;
	t->r.atc_dmas += r->atc_dmas;
	t->r.binds += r->binds;
	t->r.guest_commands += r->guest_commands;
	t->r.guest_events += r->guest_events;
	t->r.nested_dmas += r->nested_dmas;
	t->r.answers += r->answers;
	t->r.resumes += r->resumes;
	t->r.delivered += r->delivered;
	t->r.served += r->served;
	t->r.cancelled += r->cancelled;
	t->r.waited += r->waited;
	t->r.mem.switches += r->mem.switches;
	t->r.mem.stores += r->mem.stores;
	t->r.mem.reordered += r->mem.reordered;
	t->r.mem.stale += r->mem.stale;
	t->r.mem.evicted += r->mem.evicted;
	for (unsigned i = 0; i < UIOMMU_SIM_LIBERTIES; i++)
		t->r.taken[i] += r->taken[i];
}

/* ---- as short as it gets ---- */

/* What went wrong, without where. */
static const char *kind_of(const char *why)
{
	static const char *const kinds[] = {
		"reaches physical", "is aborted", "is shut off", "was given back", "given back twice",
		"nobody caused", "hangs", "crashes", "left behind", "returns", "no barrier",
		"is not pinned", "lock order", "spin lock held", "told twice",
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(why, kinds[i]))
			return kinds[i];
	return why;
}

static bool still_fails(const struct run_config *cfg, const char *why)
{
	struct run_result res;

	run(cfg, &res);
	return res.why[0] && !strcmp(kind_of(res.why), kind_of(why));
}

static unsigned kept(const struct run_config *cfg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cfg->steps; i++)
		n += cfg->keep[i];
	return n;
}

/* Without these @n operations, if it fails as before. */
static void leave_out(const struct run_config *cfg, uint8_t *keep, unsigned from, unsigned n,
		      const char *why)
{
	uint8_t *before;
	bool any = false;

	for (unsigned i = 0; i < n; i++)
		any |= keep[from + i];
	if (!any)
		return;
	before = malloc(n);
	memcpy(before, keep + from, n);
	memset(keep + from, 0, n);
	if (!still_fails(cfg, why))
		memcpy(keep + from, before, n);
	free(before);
}

/* Pieces, from halves to single ones, as long as that makes it shorter. */
static void shrink(const struct run_config *cfg, uint8_t *keep, unsigned failed_at,
		   const char *why)
{
	time_t end = time(NULL) + 30;
	unsigned before;

	memset(keep + failed_at, 0, cfg->steps - failed_at);
	do {
		before = kept(cfg);
		for (unsigned n = failed_at / 2; n && time(NULL) < end; n /= 2)
			for (unsigned i = 0; i < failed_at; i += n)
				leave_out(cfg, keep, i, n < failed_at - i ? n : failed_at - i, why);
	} while (kept(cfg) < before && time(NULL) < end);
}

static void print_list(const struct run_config *cfg)
{
	const char *sep = "";

	for (unsigned i = 0; i < cfg->steps; i++)
		if (cfg->keep[i]) {
			printf("%s%u", sep, i);
			sep = ",";
		}
}

/* The last lines of the history of a run that fails. */
static void show(struct run_config *cfg)
{
	struct run_result res;
	char *text = NULL, *from;
	size_t bytes = 0;
	unsigned lines = 0;

	cfg->log = open_memstream(&text, &bytes);
	run(cfg, &res);
	fclose(cfg->log);
	cfg->log = NULL;
	for (from = text + bytes; from > text && lines <= 60; from--)
		lines += from[-1] == '\n';
	printf("%s%s", from > text ? "  ...\n" : "", from > text ? from + 1 : from);
	printf("  %s\n", res.why);
	free(text);
}

static void explain(const struct options *o, uint64_t seed)
{
	struct run_config cfg = { .seed = seed, .steps = o->steps };
	uint8_t *keep = malloc(o->steps + 1);
	struct run_result res;

	memset(keep, 1, o->steps);
	run(&cfg, &res);
	printf("seed %llu: %s\n", (unsigned long long)seed, res.why);
	cfg.keep = keep;
	if (!o->quick) {
		shrink(&cfg, keep, res.failed_at, res.why);
		printf("shortest history found: %u of %u operations\n", kept(&cfg), o->steps);
		show(&cfg);
	}
	printf("again: %s --seed %llu --steps %u", run_again, (unsigned long long)seed, o->steps);
	if (!o->quick) {
		printf(" --keep ");
		print_list(&cfg);
	}
	printf("\n");
	free(keep);
}

/* ---- many ---- */

/* Devices that have a TLB, that wait, that are VMs'. */
static void report_devices(const struct run_result *r)
{
	printf("ATS: %llu DMAs by devices' own TLBs, %llu CMD_ATC_INV, %llu answered late, "
	       "%llu devices that fell silent\n", (unsigned long long)r->atc_dmas,
	       (unsigned long long)r->atc_invs, (unsigned long long)r->taken[UIOMMU_SIM_LATE_ATC],
	       (unsigned long long)r->silent);
	printf("faults: %llu binds; %llu page requests, %llu answers; %llu stalls, %llu resumed; "
	       "handlers were given %llu groups, answered %llu, %llu taken back; %llu DMAs went on\n",
	       (unsigned long long)r->binds, (unsigned long long)r->taken[UIOMMU_SIM_PAGE_REQUEST],
	       (unsigned long long)r->answers, (unsigned long long)r->taken[UIOMMU_SIM_STALL],
	       (unsigned long long)r->resumes, (unsigned long long)r->delivered,
	       (unsigned long long)r->served, (unsigned long long)r->cancelled,
	       (unsigned long long)r->waited);
	printf("VMs: %llu DMAs by guests' tables, %llu commands of guests, %llu events to them\n",
	       (unsigned long long)r->nested_dmas, (unsigned long long)r->guest_commands,
	       (unsigned long long)r->guest_events);
}

static void report(const struct totals *t, double seconds)
{
	printf("%llu seeds, %llu steps on %d threads, %llu DMAs (%llu aborted), %llu events, "
	       "%.0f s\n", (unsigned long long)t->seeds, (unsigned long long)t->r.steps, WORKERS,
	       (unsigned long long)t->r.dmas, (unsigned long long)t->r.aborts,
	       (unsigned long long)t->r.events, seconds);
	printf("switches %llu, stores that waited %llu, reordered %llu, stale loads %llu, "
	       "lines written back %llu\n", (unsigned long long)t->r.mem.switches,
	       (unsigned long long)t->r.mem.stores, (unsigned long long)t->r.mem.reordered,
	       (unsigned long long)t->r.mem.stale, (unsigned long long)t->r.mem.evicted);
	if (t->r.atc_invs)
		report_devices(&t->r);
	printf("liberties:");
	for (unsigned i = 0; i < UIOMMU_SIM_LIBERTIES; i++)
		if (t->r.taken[i])
			printf(" %s %llu", uiommu_sim_liberties[i].name,
			       (unsigned long long)t->r.taken[i]);
	printf("\n");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Every @jobs-th seed from @from; what came of it into the pipe. */
static void child(const struct options *o, unsigned from, int out)
{
	struct totals t = { 0 };

	for (unsigned i = from; i < o->seeds && !t.failed; i += o->jobs) {
		const struct run_config cfg = { .seed = o->first + i, .steps = o->steps };
		struct run_result r;

		run(&cfg, &r);
		add(&t, &r);
		t.failed = r.why[0];
		t.failed_seed = cfg.seed;
		if (write(out, &t, sizeof(t)) != (ssize_t)sizeof(t))
			_exit(1);
		memset(&t.r, 0, sizeof(t.r));
		t.seeds = 0;
	}
	_exit(0);
}

static void progress(const struct totals *t, const struct options *o, double since)
{
	static double last;
	double at = now();

	if (at - last < (isatty(1) ? 0.5 : 10))
		return;
	last = at;
	printf("%s%llu of %u seeds, %llu steps, %.0f s%s", isatty(1) ? "\r" : "",
	       (unsigned long long)t->seeds, o->seeds, (unsigned long long)t->r.steps,
	       at - since, isatty(1) ? "" : "\n");
	fflush(stdout);
}

static int many(const struct options *o)
{
	struct totals all = { 0 }, t;
	double since = now();
	int fd[2];

	if (pipe(fd))
		return 2;
	fflush(stdout);
	for (unsigned i = 0; i < o->jobs; i++) {
		if (fork())
			continue;
		close(fd[0]);
		child(o, i, fd[1]);
	}
	close(fd[1]);
	while (read(fd[0], &t, sizeof(t)) == (ssize_t)sizeof(t)) {
		add(&all, &t.r);
		if (t.failed && (!all.failed || t.failed_seed < all.failed_seed)) {
			all.failed = true;
			all.failed_seed = t.failed_seed;
		}
		progress(&all, o, since);
	}
	while (wait(NULL) > 0)
		;
	if (isatty(1))
		printf("\n");
	report(&all, now() - since);
	if (all.failed)
		explain(o, all.failed_seed);
	return all.failed || all.seeds < (all.failed ? 1 : o->seeds);
}

/* ---- one ---- */

static void parse_list(const char *list, uint8_t *keep, unsigned n)
{
	char *end;

	for (; *list; list = *end ? end + 1 : end) {
		unsigned long i = strtoul(list, &end, 0);

		if (i < n)
			keep[i] = 1;
	}
}

static int one(const struct options *o)
{
	uint8_t *keep = calloc(o->steps + 1, 1);
	struct run_config cfg = { .seed = o->first, .steps = o->steps };
	struct run_result res;

	if (o->keep) {
		parse_list(o->keep, keep, o->steps);
		cfg.keep = keep;
	}
	if (o->log)
		cfg.log = stdout;
	run(&cfg, &res);
	if (!res.why[0])
		printf("seed %llu: clean, %llu steps\n", (unsigned long long)o->first,
		       (unsigned long long)res.steps);
	else if (o->log)
		printf("%s\n", res.why);
	else if (o->keep)
		show(&cfg);
	else
		explain(o, o->first);
	free(keep);
	return res.why[0] != 0;
}

/* Every host call that may fail, of every seed, in turn. */
static int fail_each(const struct options *o)
{
	uint64_t runs = 0;

	for (unsigned i = 0; i < o->seeds; i++) {
		struct run_config cfg = { .seed = o->first + i, .steps = o->steps, .fail_at = NEVER };
		struct run_result res;
		uint64_t calls;

		run(&cfg, &res);
		calls = res.calls;
		if (!calls) {
			printf("nothing is refused here\n");
			return 2;
		}
		for (cfg.fail_at = 1; !res.why[0] && cfg.fail_at <= calls; cfg.fail_at++, runs++)
			run(&cfg, &res);
		if (!res.why[0])
			continue;
		printf("seed %llu, host call %llu refused: %s\nagain: ./dev hostile --fail-each --first "
		       "%llu --seeds 1 --steps %u\n", (unsigned long long)cfg.seed,
		       (unsigned long long)cfg.fail_at - 1, res.why, (unsigned long long)cfg.seed,
		       o->steps);
		return 1;
	}
	printf("%u seeds, %llu host calls refused, one in each run: nothing changed, nothing leaked\n",
	       o->seeds, (unsigned long long)runs);
	return 0;
}

static int print_liberties(void)
{
	for (unsigned i = 0; i < UIOMMU_SIM_LIBERTIES; i++) {
		const struct uiommu_sim_liberty_rule *r = &uiommu_sim_liberties[i];

		printf("%-13s %s\n%13s allowed: %s\n%13s read in: %s; taken by: %s\n", r->name,
		       r->what, "", r->rule, "", r->read, r->whose);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seeds", 1, NULL, 'n' }, { "first", 1, NULL, 'f' }, { "steps", 1, NULL, 't' },
		{ "jobs", 1, NULL, 'j' }, { "seed", 1, NULL, 's' }, { "keep", 1, NULL, 'k' },
		{ "quick", 0, NULL, 'q' }, { "log", 0, NULL, 'v' },
		{ "fail-each", 0, NULL, 'e' },
		{ "liberties", 0, NULL, 'l' }, { 0 },
	};
	struct options o = { .seeds = 200, .steps = 2000, .jobs = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n': o.seeds = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'f': o.first = strtoull(optarg, NULL, 0); break;
		case 't': o.steps = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'j': o.jobs = (unsigned)strtoul(optarg, NULL, 0); break;
		case 's': o.first = strtoull(optarg, NULL, 0); o.one = true; break;
		case 'k': o.keep = optarg; break;
		case 'q': o.quick = true; break;
		case 'v': o.log = true; break;
		case 'e': o.fail_each = true; break;
		case 'l': return print_liberties();
		default: return 2;
		}
	}
	if (!o.steps || !o.jobs || o.jobs > 64 || optind < argc)
		return 2;
	if (o.fail_each)
		return fail_each(&o);
	return o.one ? one(&o) : many(&o);
}
