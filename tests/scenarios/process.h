/* SPDX-License-Identifier: MIT */
/*
 * process.h - the world in a process: the software SMMUv3, with what QEMU's advertises,
 * and memory where QEMU's machine has RAM
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <uiommu/sim/smmuv3.h>

#include "world.h"

/* Makes the world; @say: where its lines go. Exits where memory cannot be had there. */
void process_begin(uint32_t sid, void (*say)(const char *line));
/* Forget everything that the SMMU is: as out of reset. */
void process_reset(void);
void process_end(void);
/* Where the last DMA write arrived; 0: nowhere. */
uint64_t process_arrived(void);

#endif
