/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: two threads map, touch and unmap ranges of their own in one
 * domain; one moves PASIDs about; one does DMA that must always work; one looks
 * at who is attached where and drains faults. What must hold: nothing is reached
 * after its unmap has returned, nothing else is disturbed. Also for TSan. And all of it
 * with a CMDQV, whose first queue is the driver's, while VMs come, err and go in others.
 */
#include "bench.h"

#include <uiommu/nested.h>

#define ROUNDS	1500u
#define STABLE	0x10000u

struct rig {
	struct bench b;
	struct uiommu_dev *dev, *mover;
	struct uiommu_domain *dom, *other, *parent;
	uint64_t *stable;
	int done;			/* working threads that are finished */
	unsigned wrong;
	unsigned told;			/* of queues of VMs that stopped */
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

/* ---- VMs ---- */

static bool on_stop(void *ctx, unsigned type, const void *record, size_t bytes)
{
	struct rig *r = ctx;

	if (type != 2 || *(const uint64_t *)record != 1)
		wrong(r);
	__atomic_fetch_add(&r->told, 1, __ATOMIC_RELAXED);
	return true;
}

/* A queue, its interface, and one command that it does not take. */
static void one_vm(struct rig *r, uint64_t *ring)
{
	const struct uiommu_viommu_config cfg = { .parent = r->parent, .dev = r->dev, .type = 2,
						  .event = on_stop, .ctx = r };
	const struct uiommu_hw_queue_config qcfg = { 1, 0, thost_pa(&r->b.t, ring), PAGE };
	struct uiommu_hw_queue *q;
	struct uiommu_viommu *v;
	struct uiommu_mmio page;
	size_t bytes;

	if (uiommu_viommu_alloc(&cfg, &v) || uiommu_hw_queue_alloc(v, &qcfg, &q) ||
	    uiommu_viommu_mmio(v, &page, &bytes)) {
		wrong(r);
		return;
	}
	page.ops->write32(page.ctx, VCMDQ_CONFIG, 1);
	page.ops->write32(page.ctx, VCMDQ_PROD, 1);
	page.ops->read32(page.ctx, VCMDQ_CONS);
	if (uiommu_hw_queue_free(q) || uiommu_viommu_free(v))
		wrong(r);
}

static void *vms(void *arg)
{
	struct rig *r = arg;
	uint64_t *ring = bench_page(&r->b, FPREP(CMD_Opcode, CMD_CFGI_STE));

	while (!over(r))
		one_vm(r, ring);
	bench_page_free(&r->b, ring);
	return NULL;
}

/* ---- who looks ---- */

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

static void setup(struct rig *r, bool cmdqv)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	if (cmdqv) {
		cfg.stage2 = true;
		cfg.cmdqv.vintfs_lg2 = cfg.cmdqv.vcmdqs_lg2 = 1;
		smmu.has_cmdqv = true;
		smmu.cmdqv = bench_block(&r->b, 2);
	}
	bench_init(&r->b, &cfg, &smmu, true);
	r->dev = bench_add(&r->b, "dev", 1, 0);
	r->mover = bench_add(&r->b, "mover", 2, 4);
	r->dom = bench_domain(r->dev);
	r->other = bench_domain(r->dev);
	r->stable = bench_page(&r->b, 0x57ab1e);
	bench_map(&r->b, r->dom, STABLE, r->stable);
	assert_int_equal(uiommu_attach_device(r->dom, r->dev), 0);
	if (cmdqv)
		assert_int_equal(uiommu_domain_alloc_paging(r->dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT,
							    &r->parent), 0);
}

static void at_once(bool cmdqv)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct job j[2];
	pthread_t t[6];
	unsigned n = 0;

	setup(r, cmdqv);
	for (unsigned i = 0; i < 2; i++)
		j[i] = (struct job){ r, 0x40000000ull * (i + 1), bench_page(&r->b, 100 + i) };

	pthread_create(&t[n++], NULL, map_unmap, &j[0]);
	pthread_create(&t[n++], NULL, map_unmap, &j[1]);
	pthread_create(&t[n++], NULL, move_pasids, r);
	pthread_create(&t[n++], NULL, steady_dma, r);
	pthread_create(&t[n++], NULL, look, r);
	if (cmdqv)
		pthread_create(&t[n++], NULL, vms, r);
	while (n)
		pthread_join(t[--n], NULL);
	assert_int_equal(r->wrong, 0);
	assert_false(thost_logged(&r->b.t, "shut off"));
	assert_false(thost_logged(&r->b.t, "given up"));

	bench_page_free(&r->b, r->stable);
	bench_page_free(&r->b, j[0].page);
	bench_page_free(&r->b, j[1].page);
	bench_fini(&r->b);
	free(r);
}

static void everything_at_once(void **state)
{
	at_once(false);
}

static void everything_at_once_on_a_cmdqv(void **state)
{
	at_once(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(everything_at_once_on_a_cmdqv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
