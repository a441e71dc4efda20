/* SPDX-License-Identifier: MIT */
/*
 * temper.c - a hostile SMMU: it acts on a thread of its own, at moments that a seed and
 * the scheduler choose together. What it may do is in uiommu/sim/temper.h.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include <uiommu/sim/temper.h>

#include "internal.h"

#define EVICT		16	/* one step in so many forgets something */
#define REST_US		200	/* nothing to do, or no wish to: at most so long */
#define LOOK_NS		1000000	/* what passes at most between two looks at the clock */

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

/*
 * A thread plays the hardware, and does not run while a busy machine lets none of this
 * process run: what passed meanwhile is no sign of hardware that does not answer. Who
 * waits for it looks at the clock each time.
 */
static uint64_t patient_now(void *ctx)
{
	static _Atomic uint64_t seen, passed;
	struct timespec t;
	uint64_t now, last, step;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	last = atomic_exchange(&seen, now);
	step = last && now > last ? now - last : 0;
	if (step > LOOK_NS)
		step = LOOK_NS;
	return atomic_fetch_add(&passed, step) + step;
}

const struct uiommu_host *uiommu_mach_patient_host(struct uiommu_machine *m)
{
	bool hostile = false;

	for (unsigned i = 0; i < m->desc->num_smmus; i++)
		hostile |= m->desc->smmus[i].hostile_seed != 0;
	if (!hostile)
		return m->host;
	m->patient = *m->host;
	m->patient.now_ns = patient_now;
	return &m->patient;
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
