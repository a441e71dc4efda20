/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: two threads map, touch and unmap ranges of their own in one
 * domain; one moves PASIDs about; one does DMA that must always work; one looks
 * at who is attached where and drains faults. What must hold: nothing is reached
 * after its unmap has returned, nothing else is disturbed. Also for TSan.
 */
#include "bench.h"

#define ROUNDS	1500u
#define STABLE	0x10000u

struct rig {
	struct bench b;
	struct uiommu_dev *dev, *mover;
	struct uiommu_domain *dom, *other;
	uint64_t *stable;
	int done;			/* working threads that are finished */
	unsigned wrong;
};

static void wrong(struct rig *r)
{
	__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
}

static bool over(struct rig *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) == 3;
}

static void finish(struct rig *r)
{
	__atomic_fetch_add(&r->done, 1, __ATOMIC_RELEASE);
}

struct job {
	struct rig *r;
	uiommu_iova_t at;
	uint64_t *page;
};

/* After unmap returns, neither the RID nor a PASID of the domain gets there. */
static void *map_unmap(void *arg)
{
	struct job *j = arg;
	struct rig *r = j->r;
	uiommu_pa_t pa = thost_pa(&r->b.t, j->page);

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t v, n;

		if (uiommu_map(r->dom, j->at, pa, PAGE, RW, &n))
			wrong(r);
		if (bench_peek(&r->b, r->dev, 0, j->at, &v) || v != *j->page)
			wrong(r);
		bench_peek(&r->b, r->mover, 1 + i % 4, j->at, &v);
		if (uiommu_unmap(r->dom, j->at, PAGE, &n) || n != PAGE)
			wrong(r);
		if (!bench_peek(&r->b, r->dev, 0, j->at, &v))
			wrong(r);
		for (unsigned p = 1; p <= 4; p++)
			if (!bench_peek(&r->b, r->mover, p, j->at, &v))
				wrong(r);
	}
	finish(r);
	return NULL;
}

static void *move_pasids(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uiommu_pasid_t p = 1 + i % 4;

		if (uiommu_attach_device_pasid(i & 8 ? r->dom : r->other, r->mover, p))
			wrong(r);
		if (uiommu_replace_device_pasid(i & 8 ? r->other : r->dom, r->mover, p))
			wrong(r);
		if (i % 3 == 0 && uiommu_attach_device(r->dom, r->mover))
			wrong(r);
		uiommu_detach_device_pasid(r->mover, 0);
		uiommu_detach_device_pasid(r->mover, p);
	}
	finish(r);
	return NULL;
}

static void *steady_dma(void *arg)
{
	struct rig *r = arg;

	while (!over(r)) {
		uint64_t v;

		if (bench_peek(&r->b, r->dev, 0, STABLE, &v) || v != 0x57ab1e)
			wrong(r);
	}
	return NULL;
}

static int count(void *ctx, const struct uiommu_attach_status *st)
{
	struct rig *r = ctx;

	if (!st->dom || !st->dev || !uiommu_device_name(st->dev)[0])
		wrong(r);
	return 0;
}

static int each_device(void *ctx, struct uiommu_dev *dev)
{
	return uiommu_device_for_each_attach(dev, count, ctx);
}

static int each_domain(void *ctx, struct uiommu_domain *dom)
{
	return uiommu_domain_for_each_attach(dom, count, ctx);
}

static void *look(void *arg)
{
	struct rig *r = arg;

	while (!over(r)) {
		uiommu_for_each_device(r->b.u, each_device, r);
		uiommu_for_each_domain(r->b.u, each_domain, r);
		uiommu_smmuv3_poll(r->b.iommu);
	}
	return NULL;
}

static void everything_at_once(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct uiommu_sim_smmuv3_config cfg;
	struct job j[2];
	pthread_t t[5];

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init(&r->b, &cfg, &bench_smmu, true);
	r->dev = bench_add(&r->b, "dev", 1, 0);
	r->mover = bench_add(&r->b, "mover", 2, 4);
	r->dom = bench_domain(r->dev);
	r->other = bench_domain(r->dev);
	r->stable = bench_page(&r->b, 0x57ab1e);
	bench_map(&r->b, r->dom, STABLE, r->stable);
	assert_int_equal(uiommu_attach_device(r->dom, r->dev), 0);
	for (unsigned i = 0; i < 2; i++)
		j[i] = (struct job){ r, 0x40000000ull * (i + 1), bench_page(&r->b, 100 + i) };

	pthread_create(&t[0], NULL, map_unmap, &j[0]);
	pthread_create(&t[1], NULL, map_unmap, &j[1]);
	pthread_create(&t[2], NULL, move_pasids, r);
	pthread_create(&t[3], NULL, steady_dma, r);
	pthread_create(&t[4], NULL, look, r);
	for (unsigned i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(r->wrong, 0);
	assert_false(thost_logged(&r->b.t, "shut off"));

	bench_page_free(&r->b, r->stable);
	bench_page_free(&r->b, j[0].page);
	bench_page_free(&r->b, j[1].page);
	bench_fini(&r->b);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
