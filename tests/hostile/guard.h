/* SPDX-License-Identifier: MIT */
/* guard.h - a run of a hostile world in which a crash is a failure too */
#ifndef TESTS_HOSTILE_GUARD_H
#define TESTS_HOSTILE_GUARD_H

#include <uiommu/sim/hostile.h>

/* NULL, or what failed: good until the world is destroyed, or @text. */
const char *guarded_run(struct uiommu_hostile *h, char *text, size_t bytes);

#endif
