/* SPDX-License-Identifier: MIT */
/*
 * run.c - one seed: its operations, the threads that carry them out, what failed
 *
 * The operations come from the seed alone, not from who ran when: leaving some out
 * leaves the others what they are.
 */
#include "guard.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

const char run_again[] = "./dev hostile";

static const unsigned weight[NUM_OPS] = {
	[OP_ATTACH] = 60, [OP_DETACH] = 25, [OP_MAP] = 70, [OP_UNMAP] = 60, [OP_TOUCH] = 20,
	[OP_RESET] = 6, [OP_REPLUG] = 2, [OP_DOMAIN] = 8, [OP_STATUS] = 6, [OP_POLL] = 6,
	[OP_CLAIM] = 3, [OP_FAIL] = 1,
	[OP_DMA] = 30, [OP_PASID] = 4, [OP_PLUG] = 6,
	[OP_BIND] = 24, [OP_PAGE] = 30, [OP_END] = 3, [OP_FDEV] = 4,
	[OP_GUEST] = 24, [OP_BALLOON] = 12, [OP_VDEV] = 16, [OP_VM] = 3,
};

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
	uint64_t rng = (seed + 77) * 0x9e3779b97f4a7c15u | 1, v;
	unsigned sum = 0;

	for (unsigned i = 0; i < NUM_OPS; i++)
		sum += weight[i];
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (unsigned)(next(&rng) % sum);

		v = next(&rng);
		while (at >= weight[ops[i].what])
			at -= weight[ops[i].what++];
		ops[i].a = (uint8_t)v;
		ops[i].b = (uint8_t)(v >> 8);
		ops[i].c = (uint8_t)(v >> 16);
		ops[i].d = (uint8_t)(v >> 24);
	}
	return ops;
}

struct worker {
	struct world *w;
	unsigned first;
	bool done;
};

/* Every WORKERS-th operation, in order. */
static void work(void *arg)
{
	struct worker *me = arg;
	struct world *w = me->w;

	for (unsigned i = me->first; i < w->cfg->steps; i += WORKERS) {
		if (w->cfg->keep && !w->cfg->keep[i])
			continue;
		if (i >= w->begun)
			w->begun = i + 1;
		if (w->cfg->log)
			fprintf(w->cfg->log, " operation %u\n", i);
		op_run(w, &w->ops[i]);
		uiommu_hostile_yield();
	}
	me->done = true;
}

static void everything(void *arg)
{
	static const char *const names[WORKERS] = { "cpu0", "cpu1", "cpu2" };
	struct worker me[WORKERS];
	struct world *w = arg;

	world_boot(w);
	w->ready = true;
	for (unsigned i = 0; i < WORKERS; i++) {
		me[i] = (struct worker){ w, i, false };
		uiommu_hostile_spawn(w->h, names[i], work, &me[i], false);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		while (!me[i].done)
			uiommu_hostile_wait();
	settle(w);
	w->ready = false;
	for (unsigned i = 0; i < FLYERS; i++)
		while (w->flying[i])
			uiommu_hostile_wait();
	while (w->extra.flying || w->sva.dev[0].flying || w->sva.dev[1].flying ||
	       w->nested.dev[0].flying || w->nested.dev[1].flying)
		uiommu_hostile_wait();
	nested_shut(w);
	sva_shut(w);
	extra_shut(w);
	world_shut(w);
}

static void collect(struct world *w, const char *why)
{
	snprintf(w->res->why, sizeof(w->res->why), "%s", why ? why : "");
	w->res->failed_at = w->begun;
	w->sim_locked = false;
	uiommu_sim_smmuv3_liberties(w->sim, w->res->taken);
	w->res->taken[UIOMMU_SIM_LATE_ATC] = w->res->late_answers;
	uiommu_hostile_stats(w->h, &w->res->mem);
}

void run(const struct run_config *cfg, struct run_result *res)
{
	struct world *w = calloc(1, sizeof(*w));
	char text[100];

	memset(res, 0, sizeof(*res));
	w->cfg = cfg;
	w->res = res;
	w->ops = make_ops(cfg->seed, cfg->steps);
	world_create(w);
	uiommu_hostile_spawn(w->h, "main", everything, w, false);
	collect(w, guarded_run(w->h, text, sizeof(text)));
	world_destroy(w);
	free(w->ops);
	free(w);
}
