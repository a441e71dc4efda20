/* SPDX-License-Identifier: MIT */
/* run.c - one seed: its operations, the threads that carry them out, what failed */
#include "srv.h"

#include "tests/hostile/guard.h"

#include <stdlib.h>
#include <string.h>

const char run_again[] = "./dev hostile --servers";

static uint64_t next(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng * 0x2545f4914f6cdd1du >> 16;
}

static struct op *make_ops(uint64_t seed, unsigned n)
{
	struct op *ops = calloc(n + 1, sizeof(*ops));
	uint64_t rng = (seed + 99) * 0x9e3779b97f4a7c15u | 1;
	unsigned sum = 0;

	for (unsigned i = 0; i < srv_num_ops; i++)
		sum += srv_weight[i];
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (unsigned)(next(&rng) % sum);
		uint64_t v = next(&rng);

		while (at >= srv_weight[ops[i].what])
			at -= srv_weight[ops[i].what++];
		ops[i].a = (uint8_t)v;
		ops[i].b = (uint8_t)(v >> 8);
		ops[i].c = (uint8_t)(v >> 16);
		ops[i].d = (uint8_t)(v >> 24);
	}
	return ops;
}

struct worker {
	struct srv *s;
	unsigned first;
	bool done;
};

static void work(void *arg)
{
	struct worker *me = arg;
	struct srv *s = me->s;

	for (unsigned i = me->first; i < s->cfg->steps; i += WORKERS) {
		if (s->cfg->keep && !s->cfg->keep[i])
			continue;
		if (i >= s->begun)
			s->begun = i + 1;
		if (s->cfg->log)
			fprintf(s->cfg->log, " operation %u\n", i);
		s->res->steps++;
		srv_op(s, &s->ops[i]);
		uiommu_hostile_yield();
	}
	me->done = true;
}

static void everything(void *arg)
{
	static const char *const names[WORKERS] = { "cpu0", "cpu1", "cpu2" };
	struct worker me[WORKERS];
	struct srv *s = arg;

	host_boot(s);
	program_boot(s);
	s->ready = true;
	for (unsigned i = 0; i < WORKERS; i++) {
		me[i] = (struct worker){ s, i, false };
		uiommu_hostile_spawn(s->h, names[i], work, &me[i], false);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		while (!me[i].done)
			uiommu_hostile_wait();
	srv_settle(s);
	s->ready = false;
	while (s->flights)
		uiommu_hostile_wait();
	program_shut(s);
	host_shut(s);
}

void run(const struct run_config *cfg, struct run_result *res)
{
	struct srv *s = calloc(1, sizeof(*s));
	char text[100];
	const char *why;

	memset(res, 0, sizeof(*res));
	s->cfg = cfg;
	s->res = res;
	s->ops = make_ops(cfg->seed, cfg->steps);
	host_create(s);
	uiommu_hostile_spawn(s->h, "main", everything, s, false);
	why = guarded_run(s->h, text, sizeof(text));
	snprintf(res->why, sizeof(res->why), "%s", why ? why : "");
	res->failed_at = s->begun;
	s->sim_locked = false;
	uiommu_sim_smmuv3_liberties(s->sim, res->taken);
	uiommu_hostile_stats(s->h, &res->mem);
	host_destroy(s);
	program_destroy(s);
	free(s->ops);
	free(s);
}
