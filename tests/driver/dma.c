/* SPDX-License-Identifier: MIT */
/* DMA domains on the simulator, from several threads, whose device really writes. */
#include "bench.h"

#include <uiommu/dma.h>

#define THREADS	4
#define ROUNDS	400

struct rig {
	struct bench b;
	struct uiommu_dev *dev;
	struct uiommu_dma *dma;
	unsigned errors;
};

static void start(struct rig *r, enum uiommu_dma_mode mode)
{
	struct uiommu_sim_smmuv3_config cfg;

	memset(r, 0, sizeof(*r));
	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init(&r->b, &cfg, &bench_smmu, true);
	r->dev = bench_add(&r->b, "d", 1, 8);
	assert_int_equal(uiommu_dma_create(r->dev, mode, UINT64_MAX, &r->dma), 0);
	assert_int_equal(uiommu_device_set_default(r->dev, uiommu_dma_domain(r->dma)), 0);
}

static void stop(struct rig *r)
{
	assert_int_equal(uiommu_device_set_default(r->dev, uiommu_domain_blocked(r->b.u)), 0);
	assert_int_equal(uiommu_dma_destroy(r->dma), 0);
	assert_int_equal(r->errors, 0);
	bench_fini(&r->b);
}

static void strict_is_out_of_reach_at_once(void **state)
{
	uint64_t *page, at;
	struct rig r;

	start(&r, UIOMMU_DMA_STRICT);
	page = bench_page(&r.b, 1);
	assert_int_equal(uiommu_dma_map(r.dma, thost_pa(&r.b.t, page), PAGE, RW, &at), 0);
	bench_sees(&r.b, r.dev, 0, at, 1);
	uiommu_dma_unmap(r.dma, at, PAGE);
	bench_sees(&r.b, r.dev, 0, at, 0);
	bench_page_free(&r.b, page);
	stop(&r);
}

static void deferred_is_out_of_reach_after_a_flush(void **state)
{
	uint64_t *page, at;
	struct rig r;

	start(&r, UIOMMU_DMA_DEFERRED);
	page = bench_page(&r.b, 1);
	assert_int_equal(uiommu_dma_map(r.dma, thost_pa(&r.b.t, page), PAGE, RW, &at), 0);
	bench_sees(&r.b, r.dev, 0, at, 1);
	uiommu_dma_unmap(r.dma, at, PAGE);
	bench_sees(&r.b, r.dev, 0, at, 1);		/* that is the bargain */
	uiommu_dma_flush(r.dma);
	bench_sees(&r.b, r.dev, 0, at, 0);
	bench_page_free(&r.b, page);
	stop(&r);
}

/* Maps a page of its own, lets the device write there, and looks who was hit. */
static void *work(void *arg)
{
	struct rig *r = arg;
	uint64_t *page = bench_page(&r->b, 0);

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		uiommu_iova_t at;

		if (uiommu_dma_map(r->dma, thost_pa(&r->b.t, page), PAGE, RW, &at)) {
			__atomic_fetch_add(&r->errors, 1, __ATOMIC_RELAXED);
			break;
		}
		if (bench_poke(&r->b, r->dev, 0, at, i) ||
		    __atomic_load_n(page, __ATOMIC_ACQUIRE) != i)
			__atomic_fetch_add(&r->errors, 1, __ATOMIC_RELAXED);
		uiommu_dma_unmap(r->dma, at, PAGE);
		if (i % 100 == 0)
			uiommu_dma_flush(r->dma);
	}
	uiommu_dma_flush(r->dma);
	bench_page_free(&r->b, page);
	return NULL;
}

static void threads_do_not_meet(void **state)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		pthread_t t[THREADS];
		struct rig r;

		start(&r, (enum uiommu_dma_mode)mode);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_create(&t[i], NULL, work, &r);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
		stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strict_is_out_of_reach_at_once),
		cmocka_unit_test(deferred_is_out_of_reach_after_a_flush),
		cmocka_unit_test(threads_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
