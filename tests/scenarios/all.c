/* SPDX-License-Identifier: MIT */
/* all.c - the scenarios in their order */
#include "scenarios.h"

void scenarios_all(void)
{
	scenario_advertised();
	scenario_off();
	scenario_caches();
	scenario_nested_caches();
	scenario_command_errors();
	scenario_queue_full();
	/* the driver takes it over as it is found */
	scenario_driver(false);
	scenario_driver(true);
}
