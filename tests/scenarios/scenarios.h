/* SPDX-License-Identifier: MIT */
/*
 * scenarios.h - the shared scenarios: what is done to an SMMUv3, and what comes of it,
 * told line by line. On QEMU and on ours the lines are to be the same; differences.txt
 * has those that are not, and why.
 */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "world.h"

/* by the driver: driver.c */
void scenario_driver(bool irqs);
/* by hand: caches.c, errors.c */
void scenario_advertised(void);
void scenario_off(void);
void scenario_caches(void);
void scenario_nested_caches(void);
void scenario_command_errors(void);
void scenario_queue_full(void);

/* All of them, in order: all.c. */
void scenarios_all(void);

#endif
