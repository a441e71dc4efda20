/* SPDX-License-Identifier: MIT */
/*
 * temper.c - a hostile SMMU: it acts on a thread of its own, at moments that a seed and
 * the scheduler choose together. What it may do is in uiommu/sim/temper.h.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include <uiommu/sim/temper.h>

#include "internal.h"

#define EVICT		16	/* one step in so many forgets something */
#define REST_US		200	/* nothing to do, or no wish to: at most so long */

/* With the simulator's lock held. */
static unsigned choose(void *ctx, unsigned n)
{
	struct mach_smmu *s = ctx;

	s->dice = s->dice * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(s->dice >> 33) % n;
}

static unsigned toss(struct mach_smmu *s, unsigned n)
{
	unsigned v;

	pthread_mutex_lock(&s->lock);
	v = choose(s, n);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void *act(void *arg)
{
	struct mach_smmu *s = arg;

	while (!__atomic_load_n(&s->calm, __ATOMIC_ACQUIRE)) {
		bool more = uiommu_sim_smmuv3_step(s->sim);

		if (!more || !toss(s, 8))
			usleep(1 + toss(s, REST_US));
		else if (!toss(s, 4))
			sched_yield();
	}
	return NULL;
}

void uiommu_mach_temper_prefetch(struct mach_smmu *s, const struct uiommu_sim_access *a)
{
	struct uiommu_sim_access near = *a;

	if (!s->has_thread)
		return;
	near.iova += (uiommu_iova_t)toss(s, 5) * 0x1000 - 0x2000;
	uiommu_sim_smmuv3_prefetch(s->sim, &near);
}

int uiommu_mach_temper_start(struct mach_smmu *s)
{
	const struct uiommu_sim_temper t = { .ctx = s, .choose = choose, .evict = EVICT };
	int err;

	if (!s->d->hostile_seed)
		return 0;
	s->dice = s->d->hostile_seed;
	err = uiommu_sim_smmuv3_set_temper(s->sim, &t);
	if (err)
		return err;
	s->has_thread = !pthread_create(&s->thread, NULL, act, s);
	return s->has_thread ? 0 : -UIOMMU_ENOMEM;
}

void uiommu_mach_temper_stop(struct mach_smmu *s)
{
	if (!s->has_thread)
		return;
	__atomic_store_n(&s->calm, true, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	s->has_thread = false;
}
