/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sim/temper.h - a software SMMUv3 that takes every liberty it has
 *
 * A driver that works on kind hardware may rest on what the architecture never
 * promised. With a temper the simulator does what is allowed at the moment that you
 * (or a random number) choose: commands are taken late and, up to the next CMD_SYNC,
 * carried out in any order; events come late and in another order; control registers are
 * acknowledged late; entries are read word by word in any order, fetched before they
 * are needed, and forgotten or kept as it likes. uiommu_sim_liberties says which rule
 * allows what.
 *
 * Nothing happens by itself then: call uiommu_sim_smmuv3_step() where hardware may
 * act, at least wherever the driver waits, and better before each store and register
 * access of the driver as well (uiommu/sim/hostile.h has threads for that).
 */
#ifndef UIOMMU_SIM_TEMPER_H
#define UIOMMU_SIM_TEMPER_H

#include <uiommu/sim/smmuv3.h>

/* What hardware may do; the rules are in uiommu_sim_liberties, in this order. */
enum uiommu_sim_liberty {
	UIOMMU_SIM_LATE_COMMAND,
	UIOMMU_SIM_DISORDER,
	UIOMMU_SIM_LATE_EVENT,
	UIOMMU_SIM_LATE_ACK,
	UIOMMU_SIM_WORDS,
	UIOMMU_SIM_PREFETCH,
	UIOMMU_SIM_EVICT,
	UIOMMU_SIM_RESET_KEEPS,
	UIOMMU_SIM_STALE,
	UIOMMU_SIM_HELD_DMA,
	UIOMMU_SIM_LATE_IRQ,
	UIOMMU_SIM_LATE_ATC,
	UIOMMU_SIM_ATC_KEEPS,
	UIOMMU_SIM_STALL,
	UIOMMU_SIM_PAGE_REQUEST,
	UIOMMU_SIM_LIBERTIES
};

/**
 * struct uiommu_sim_liberty_rule - what allows one
 * @name: short
 * @what: what hardware does
 * @rule: what lets it
 * @read: where that was read; sections are those of Arm IHI 0070
 * @whose: who takes it: the simulator, or the world around it
 */
struct uiommu_sim_liberty_rule {
	const char *name, *what, *rule, *read, *whose;
};

extern const struct uiommu_sim_liberty_rule uiommu_sim_liberties[UIOMMU_SIM_LIBERTIES];

/**
 * struct uiommu_sim_temper - who chooses
 * @ctx:    handed back
 * @choose: a number below @n, which is at least 1. Called with env->lock held
 * @evict:  one step in so many forgets something that it need not forget; 0: none
 */
struct uiommu_sim_temper {
	void *ctx;
	unsigned (*choose)(void *ctx, unsigned n);
	unsigned evict;
};

/**
 * uiommu_sim_smmuv3_set_temper() - from now on it is hostile
 * @s: a simulator that nothing has been done with
 * @t: copied
 *
 * Context:   may call env->alloc.
 * Ownership: what it takes goes with @s.
 * Return:    0, or
 *   -UIOMMU_ENOMEM  env->alloc() failed   it stays kind
 *   -UIOMMU_EBUSY   it has one            nothing changes
 */
int uiommu_sim_smmuv3_set_temper(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_temper *t);

/**
 * uiommu_sim_smmuv3_step() - hardware does one thing that it may do now
 * @s: with a temper
 *
 * Takes a command, carries out one that it has taken, records an event, acknowledges a
 * register, or forgets something.
 *
 * Context: any thread, env->lock not held. Takes it.
 * Return:  false when there is nothing to do but waiting for others.
 */
bool uiommu_sim_smmuv3_step(struct uiommu_sim_smmuv3 *s);

/**
 * uiommu_sim_smmuv3_prefetch() - hardware fetches what an access would need
 * @s: with or without a temper
 * @a: an access that need never come; only stream, substream, privilege and address are
 *     looked at
 *
 * Caches are filled as far as the way leads. Nothing is recorded, stalled or made dirty.
 *
 * Context: any thread, env->lock not held. Takes it.
 */
void uiommu_sim_smmuv3_prefetch(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a);

/**
 * uiommu_sim_smmuv3_liberties() - how often it took which
 * @s:     the simulator
 * @taken: out; those of the simulator, by enum uiommu_sim_liberty
 *
 * Context: any thread, env->lock not held.
 */
void uiommu_sim_smmuv3_liberties(struct uiommu_sim_smmuv3 *s,
				 uint64_t taken[UIOMMU_SIM_LIBERTIES]);

#endif
