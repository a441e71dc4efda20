/* SPDX-License-Identifier: MIT */
/*
 * inflight.c - DMAs that use a translation, and CMD_SYNC waiting for them
 *
 * Whoever uses a translation has marked a slot before it looked: the slot's number
 * is odd. A CMD_SYNC notes the odd numbers, and is over when each has changed. Each
 * command queue waits for itself: it covers what was invalidated through it.
 *
 * The mark must be seen before the look-up is made, and CMD_SYNC's wish to be woken
 * before the mark is found gone. Both sides use read-modify-writes of the slot, of
 * which one comes first; or, where the embedder can make all threads pass a barrier
 * (env->fence), a port uses plain stores and CMD_SYNC pays.
 */
#include "sim.h"

static struct sim_slot *try_slot(struct sim_slot *slot)
{
	uint64_t v = atomic_load_explicit(&slot->mark, memory_order_relaxed);

	return !(v & 1) && atomic_compare_exchange_strong(&slot->mark, &v, v + 1) ? slot : NULL;
}

/* Threads find places of their own by where their stacks are. */
struct sim_slot *uiommu_sim_mark(struct uiommu_sim_smmuv3 *s)
{
	unsigned i = (unsigned)((uintptr_t)&s >> 14) * 2654435761u >> 20;
	struct sim_slot *slot;

	do {
		slot = try_slot(&s->slots[i++ % SIM_POOL]);
	} while (!slot);
	return slot;
}

void uiommu_sim_finish_locked(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot)
{
	if (sim_unmark(s, slot))
		uiommu_sim_queues_run(s);
}

void uiommu_sim_sync_again(struct uiommu_sim_smmuv3 *s)
{
	uiommu_sim_enter(s);
	uiommu_sim_queues_run(s);
	uiommu_sim_leave(s);
}

void uiommu_sim_finish(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot)
{
	if (sim_unmark(s, slot))
		uiommu_sim_sync_again(s);
}

static uint64_t mark_of(struct sim_slot *slot)
{
	return atomic_fetch_add(&slot->mark, 0);
}

static void note_marks(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	q->waits = true;
	s->num_waits++;
	s->sync_waits = true;
	if (s->env.fence)
		s->env.fence(s->env.ctx);
	for (unsigned i = 0; i < SIM_SLOTS; i++) {
		uint64_t v = i < SIM_POOL || s->slots[i].taken ? mark_of(&s->slots[i]) : 0;

		q->waiting[i] = v & 1 ? v : 0;
	}
}

/* Nobody needs to wake this one any more. */
void uiommu_sim_sync_forget(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	if (!q->waits)
		return;
	q->waits = false;
	s->sync_waits = --s->num_waits;
}

/* DMAs that begin after CMD_SYNC was met cannot use what was invalidated before. */
bool uiommu_sim_sync_must_wait(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	if (!q->invalidated)
		return false;
	if (!q->waits)
		note_marks(s, q);
	for (unsigned i = 0; i < SIM_SLOTS; i++) {
		if (q->waiting[i] && mark_of(&s->slots[i]) == q->waiting[i])
			return true;
		q->waiting[i] = 0;
	}
	uiommu_sim_sync_forget(s, q);
	q->invalidated = false;
	uiommu_sim_stall_invalidated(s);
	return false;
}

/* ---- ports ---- */

struct uiommu_sim_smmuv3_port *uiommu_sim_smmuv3_port_open(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = SIM_POOL; i < SIM_SLOTS; i++) {
		bool free = false;

		if (atomic_compare_exchange_strong(&s->slots[i].taken, &free, true))
			return (struct uiommu_sim_smmuv3_port *)&s->slots[i];
	}
	return NULL;
}

void uiommu_sim_smmuv3_port_close(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port)
{
	(void)s;
	atomic_store(&((struct sim_slot *)port)->taken, false);
}
