/* SPDX-License-Identifier: MIT */
/* run.c - one seed: its world up, its operations carried out, what failed */
#include "crew.h"

#include <stdlib.h>
#include <string.h>

const char run_again[] = "./dev hostile";

static const unsigned weight[NUM_OPS] = {
	[OP_ATTACH] = 60, [OP_DETACH] = 25, [OP_MAP] = 70, [OP_UNMAP] = 60, [OP_TOUCH] = 20,
	[OP_RESET] = 6, [OP_REPLUG] = 2, [OP_DOMAIN] = 8, [OP_STATUS] = 6, [OP_POLL] = 6,
	[OP_CLAIM] = 3, [OP_FAIL] = 3,
	[OP_DMA] = 30, [OP_PASID] = 4, [OP_PLUG] = 6,
	[OP_BIND] = 24, [OP_PAGE] = 30, [OP_END] = 3, [OP_FDEV] = 4,
	[OP_GUEST] = 24, [OP_BALLOON] = 12, [OP_VDEV] = 16, [OP_VM] = 3,
};

static void everything(void *arg)
{
	struct world *w = arg;

	world_boot(w);
	w->ready = true;
	crew_work(&w->crew, w->h);
	settle(w);
	w->ready = false;
	for (unsigned i = 0; i < FLYERS; i++)
		while (w->flying[i])
			uiommu_hostile_wait();
	while (w->extra.flying || w->sva.dev[0].flying || w->sva.dev[1].flying ||
	       w->nested.dev[0].flying || w->nested.dev[1].flying)
		uiommu_hostile_wait();
	uiommu_hostile_handover();
	nested_shut(w);
	sva_shut(w);
	extra_shut(w);
	world_shut(w);
}

void run(const struct run_config *cfg, struct run_result *res)
{
	struct world *w = calloc(1, sizeof(*w));

	memset(res, 0, sizeof(*res));
	w->cfg = cfg;
	w->res = res;
	w->crew = (struct crew){ .cfg = cfg, .res = res, .world = w, .carry_out = op_run };
	crew_plan(&w->crew, 77, weight, NUM_OPS);
	world_create(w);
	uiommu_hostile_spawn(w->h, "main", everything, w, false);
	crew_run(&w->crew, w->h);
	w->sim_locked = false;
	crew_liberties(&w->crew, w->sim);
	world_destroy(w);
	crew_forget(&w->crew);
	free(w);
}
