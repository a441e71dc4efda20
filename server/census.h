/* SPDX-License-Identifier: MIT */
/* How many faults whose DMA had: an observer in front of the embedder's own. */
#ifndef UIOMMU_SERVER_CENSUS_H
#define UIOMMU_SERVER_CENSUS_H

#include <stdio.h>

#include "machine/machine.h"

struct census;

/* @inner: what it tells what it is told; NULL, or good for as long as the census */
struct census *census_new(const struct uiommu_observer *inner);
void census_free(struct census *c);
const struct uiommu_observer *census_observer(struct census *c);
/* the lines "faults" of server/inspect.h */
void census_print(struct census *c, const struct uiommu_machine *m, FILE *out);

/* all lines but the first two: describe.c */
void describe_machine(const struct uiommu_machine *m, struct census *c, FILE *out);

#endif
