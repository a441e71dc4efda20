/* SPDX-License-Identifier: MIT */
/* crew.c - see crew.h */
#include "crew.h"
#include "guard.h"

#include <stdlib.h>

#include "../rng.h"

static uint64_t next(uint64_t *rng)
{
	return rng_next(rng) * 0x2545f4914f6cdd1du >> 16;
}

void crew_plan(struct crew *c, unsigned salt, const unsigned *weight, unsigned num)
{
	uint64_t rng = (c->cfg->seed + salt) * 0x9e3779b97f4a7c15u | 1, v;
	struct op *op = calloc(c->cfg->steps + 1, sizeof(*op));
	unsigned sum = 0;

	c->ops = op;
	for (unsigned i = 0; i < num; i++)
		sum += weight[i];
	for (; op < c->ops + c->cfg->steps; op++) {
		unsigned at = (unsigned)(next(&rng) % sum);

		v = next(&rng);
		while (at >= weight[op->what])
			at -= weight[op->what++];
		op->a = (uint8_t)v;
		op->b = (uint8_t)(v >> 8);
		op->c = (uint8_t)(v >> 16);
		op->d = (uint8_t)(v >> 24);
	}
}

void crew_forget(struct crew *c)
{
	free(c->ops);
}

struct worker {
	struct crew *crew;
	unsigned first;
	bool done;
};

/* Every WORKERS-th operation, in order. */
static void work(void *arg)
{
	struct worker *me = arg;
	struct crew *c = me->crew;

	for (unsigned i = me->first; i < c->cfg->steps; i += WORKERS) {
		if (c->cfg->keep && !c->cfg->keep[i])
			continue;
		if (i >= c->res->failed_at)
			c->res->failed_at = i + 1;
		if (c->cfg->log)
			fprintf(c->cfg->log, " operation %u\n", i);
		uiommu_hostile_handover();
		c->carry_out(c->world, &c->ops[i]);
		c->res->steps++;
		uiommu_hostile_handover();
	}
	me->done = true;
}

void crew_work(struct crew *c, struct uiommu_hostile *h)
{
	static const char *const names[WORKERS] = { "cpu0", "cpu1", "cpu2" };
	struct worker me[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		me[i] = (struct worker){ c, i, false };
		uiommu_hostile_spawn(h, names[i], work, &me[i], false);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		while (!me[i].done)
			uiommu_hostile_wait();
	uiommu_hostile_handover();
}

void crew_run(struct crew *c, struct uiommu_hostile *h)
{
	char text[100];
	const char *why = guarded_run(h, text, sizeof(text));

	snprintf(c->res->why, sizeof(c->res->why), "%s", why ? why : "");
	uiommu_hostile_stats(h, &c->res->mem);
}

void crew_liberties(const struct crew *c, struct uiommu_sim_smmuv3 *sim)
{
	uint64_t taken[UIOMMU_SIM_LIBERTIES];

	uiommu_sim_smmuv3_liberties(sim, taken);
	for (unsigned i = 0; i < UIOMMU_SIM_LIBERTIES; i++)
		c->res->taken[i] += taken[i];
}
