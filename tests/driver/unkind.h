/* SPDX-License-Identifier: MIT */
/*
 * tests/driver/unkind.h - a bench whose hardware takes every liberty, by a seed: it acts
 * by itself around each access to a register and wherever the driver waits.
 */
#ifndef TESTS_DRIVER_UNKIND_H
#define TESTS_DRIVER_UNKIND_H

#include "bench.h"

#include <uiommu/sim/temper.h>

#include "../rng.h"

struct unkind {
	struct bench b;
	uint64_t rng, seed;
	bool quiet;				/* for now it does nothing by itself */
	void (*curiosity)(struct unkind *k);	/* it looks at something nobody asked for */
};

#define fail_seed(k, ...) do {								\
	print_error("UIOMMU_SEED=0x%llx: ", (unsigned long long)(k)->seed);		\
	fail_msg(__VA_ARGS__);								\
} while (0)

static inline unsigned unkind_pick(struct unkind *k, unsigned n)
{
	return (unsigned)(rng_next(&k->rng) >> 33) % n;
}

static inline unsigned unkind_choose(void *ctx, unsigned n)
{
	return unkind_pick(ctx, n);
}

static inline void unkind_steps(struct unkind *k)
{
	if (k->quiet)
		return;
	for (unsigned n = unkind_pick(k, 3); n; n--)
		unkind_pick(k, 4) ? (void)uiommu_sim_smmuv3_step(k->b.sim) : k->curiosity(k);
}

static inline struct unkind *unkind_of(struct bench *b)
{
	return uiommu_container_of(b, struct unkind, b);
}

static inline void unkind_relax(struct thost *t)
{
	struct unkind *k = unkind_of(uiommu_container_of(t, struct bench, t));

	uiommu_sim_smmuv3_step(k->b.sim);
	unkind_steps(k);
}

static inline bool unkind_write(struct bench *b, uint64_t off, uint64_t v)
{
	unkind_steps(unkind_of(b));
	return true;
}

static inline uint64_t unkind_read(struct bench *b, uint64_t off, uint64_t v)
{
	unkind_steps(unkind_of(b));
	return v;
}

/* All that was on its way has happened, and the driver has heard of it. */
static inline void unkind_settle(struct unkind *k)
{
	for (unsigned i = 0; i < 64; i++)
		uiommu_sim_smmuv3_step(k->b.sim);
	uiommu_smmuv3_poll(k->b.iommu);
}

/* All of @k is zero but .curiosity. bench_fini(&k->b) ends it. */
static inline void unkind_init_as(struct unkind *k, uint64_t seed,
				  const struct uiommu_sim_smmuv3_config *cfg,
				  const struct uiommu_sim_env *env,
				  const struct uiommu_smmuv3_config *smmu)
{
	const struct uiommu_sim_temper temper = { k, unkind_choose, 8 };

	k->seed = seed;
	k->rng = seed * 0x9e3779b97f4a7c15ull + 1;
	thost_init(&k->b.t, false);
	k->b.t.on_relax = unkind_relax;
	pthread_mutex_init(&k->b.sim_lock, NULL);
	assert_int_equal(uiommu_sim_smmuv3_create(cfg, env, &k->b.sim), 0);
	assert_int_equal(uiommu_sim_smmuv3_set_temper(k->b.sim, &temper), 0);
	k->b.t.mmio_ops = &bench_mmio;
	k->b.t.mmio_ctx = &k->b;
	assert_int_equal(uiommu_create(&k->b.t.host, NULL, &k->b.u), 0);
	k->quiet = true;
	assert_int_equal(uiommu_smmuv3_probe(k->b.u, smmu, &k->b.iommu), 0);
	k->quiet = false;
	k->b.hook_write = unkind_write;
	k->b.hook_read = unkind_read;
	k->b.hook_block_write = unkind_write;
	k->b.hook_block_read = unkind_read;
}

static inline void unkind_init(struct unkind *k, uint64_t seed,
			       const struct uiommu_sim_smmuv3_config *cfg,
			       const struct uiommu_sim_env *env)
{
	unkind_init_as(k, seed, cfg, env, &bench_smmu);
}

/* @run with @n seeds from @first on; UIOMMU_SEED: with that one; UIOMMU_SEEDS: so many. */
static inline void unkind_seeds(void (*run)(uint64_t seed), uint64_t first, uint64_t n)
{
	const char *seed = getenv("UIOMMU_SEED"), *seeds = getenv("UIOMMU_SEEDS");

	if (seed) {
		first = strtoull(seed, NULL, 0);
		n = 1;
	}
	if (seeds)
		n = strtoull(seeds, NULL, 0);
	for (uint64_t i = 0; i < n; i++)
		run(first + i);
}

#endif
