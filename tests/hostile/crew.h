/* SPDX-License-Identifier: MIT */
/*
 * crew.h - a seed's operations, and the threads that carry them out
 *
 * The operations come from the seed alone, not from who ran when: leaving some out
 * leaves the others what they are.
 */
#ifndef TESTS_HOSTILE_CREW_H
#define TESTS_HOSTILE_CREW_H

#include "world.h"

/* @weight of each of @num kinds of operations: as many of each; @salt: of this world. */
void crew_plan(struct crew *c, unsigned salt, const unsigned *weight, unsigned num);
void crew_forget(struct crew *c);

/* On a thread of @h. All of them are done when it returns. */
void crew_work(struct crew *c, struct uiommu_hostile *h);

/* As guarded_run(), and says so in the result. */
void crew_run(struct crew *c, struct uiommu_hostile *h);

/* Adds what @sim has taken to what the world has counted of its own. */
void crew_liberties(const struct crew *c, struct uiommu_sim_smmuv3 *sim);

#endif
