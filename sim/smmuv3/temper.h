/* SPDX-License-Identifier: MIT */
/* temper.h - what the rest of the simulator asks its temper, where it has one */
#ifndef SIM_SMMUV3_TEMPER_H
#define SIM_SMMUV3_TEMPER_H

#include "sim.h"

#include <uiommu/sim/temper.h>

#define TEMPER_COMMANDS	6u
#define TEMPER_EVENTS	6u

/* All of it under env->lock. */
struct sim_temper {
	struct uiommu_sim_temper t;
	bool turn;				/* one command may be taken */
	uint64_t command[TEMPER_COMMANDS][CMD_WORDS];	/* taken, not carried out */
	struct sim_cmdq *queue[TEMPER_COMMANDS];	/* from this one */
	unsigned num_commands;
	uint64_t event[TEMPER_EVENTS][EVT_WORDS];	/* not recorded yet */
	unsigned num_events;
	struct {
		bool late;
		uint64_t v;
	} reg[3];				/* written, not in effect: late_regs */
	bool applying;
	uint64_t taken[UIOMMU_SIM_LIBERTIES];
};

/* May a command be taken? Once for each turn. */
bool uiommu_sim_temper_turn(struct uiommu_sim_smmuv3 *s);
/* Takes note of a command that is to be carried out before the next CMD_SYNC. */
void uiommu_sim_temper_defer(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, const uint64_t *w);
/* All that was noted, and all events: what CMD_SYNC waits for. */
void uiommu_sim_temper_settle(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_temper_event(struct uiommu_sim_smmuv3 *s, const uint64_t *w);
/* true: the write takes effect later */
bool uiommu_sim_temper_write(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v);
uint64_t uiommu_sim_temper_shows(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v);
/* Words in any order. */
int uiommu_sim_temper_read(struct uiommu_sim_smmuv3 *s, uint64_t pa, uint64_t *w, unsigned n);
/* What was under way is gone; true: caches stay. */
bool uiommu_sim_temper_reset(struct uiommu_sim_smmuv3 *s);

#endif
