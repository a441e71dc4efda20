/* SPDX-License-Identifier: MIT */
/*
 * run.c - any call of the library beside any other
 *
 * The other worlds keep from each other what would leave two right answers; here three
 * threads call what they like, at the same devices and domains, and what it answers is
 * not looked at. What must hold: nothing happens at one place that no lock orders,
 * nothing is touched that was given back, nothing hangs, nothing is left behind.
 */
#include "tests/hostile/crew.h"

#include <uiommu/nested.h>
#include <uiommu/sva.h>

#include <stdlib.h>
#include <string.h>

#include "calls.h"

const char run_again[] = "./dev hostile --calls";

static void everything(void *arg)
{
	struct calls *c = arg;
	struct world *w = &c->w;

	world_boot(w);
	calls_boot(c);
	crew_work(&w->crew, w->h);
	calls_shut(c);
	while (uiommu_sim_smmuv3_step(w->sim))
		uiommu_hostile_yield();
	nested_shut(w);
	sva_shut(w);
	extra_shut(w);
	world_shut(w);
}

void run(const struct run_config *cfg, struct run_result *res)
{
	struct calls *c = calloc(1, sizeof(*c));
	struct world *w = &c->w;

	memset(res, 0, sizeof(*res));
	w->cfg = cfg;
	w->res = res;
	w->crew = (struct crew){ .cfg = cfg, .res = res, .world = c, .carry_out = calls_op };
	crew_plan(&w->crew, 55, calls_weight, calls_num);
	world_create(w);
	w->failing = w->setup.fails = true;	/* any call may fail, any event may come */
	uiommu_hostile_spawn(w->h, "main", everything, c, false);
	crew_run(&w->crew, w->h);
	w->sim_locked = false;
	crew_liberties(&w->crew, w->sim);
	world_destroy(w);
	crew_forget(&w->crew);
	free(c);
}
