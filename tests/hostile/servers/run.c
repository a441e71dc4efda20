/* SPDX-License-Identifier: MIT */
/* run.c - one seed: its world up, its operations carried out, what failed */
#include "srv.h"

#include "tests/hostile/crew.h"

#include <stdlib.h>
#include <string.h>

const char run_again[] = "./dev hostile --servers";

static void everything(void *arg)
{
	struct srv *s = arg;

	host_boot(s);
	program_boot(s);
	s->ready = true;
	crew_work(&s->crew, s->h);
	srv_settle(s);
	s->ready = false;
	while (s->flights)
		uiommu_hostile_wait();
	uiommu_hostile_handover();
	program_shut(s);
	host_shut(s);
}

void run(const struct run_config *cfg, struct run_result *res)
{
	struct srv *s = calloc(1, sizeof(*s));

	memset(res, 0, sizeof(*res));
	s->cfg = cfg;
	s->res = res;
	s->crew = (struct crew){ .cfg = cfg, .res = res, .world = s, .carry_out = srv_op };
	crew_plan(&s->crew, 99, srv_weight, srv_num_ops);
	host_create(s);
	uiommu_hostile_spawn(s->h, "main", everything, s, false);
	crew_run(&s->crew, s->h);
	s->sim_locked = false;
	crew_liberties(&s->crew, s->sim);
	host_destroy(s);
	program_destroy(s);
	crew_forget(&s->crew);
	free(s);
}
