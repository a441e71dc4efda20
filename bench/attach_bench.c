/* SPDX-License-Identifier: MIT */
/*
 * attach_bench.c - time and memory of attach, unmap and DMA map, on the simulator
 *
 * The simulator's share (it executes every command before the store that publishes it
 * returns) is in all times: they say how things grow, not what silicon would take. Times
 * are CPU time, of all threads together: others may use the machine meanwhile.
 */
#define THOST_BYTES	((size_t)1 << 30)	/* 60,000 page tables */
#include "../tests/driver/bench.h"

#include <uiommu/dma.h>

#include "bench.h"

#define DOMAINS	60000u		/* an ASID has 16 bits */
#define OPS	30000u		/* of each kind, at least */

static void ok(int err)
{
	if (err) {
		fprintf(stderr, "attach: a call failed: %d\n", err);
		exit(1);
	}
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double per(uint64_t since, uint64_t n)
{
	return (double)(now() - since) / (double)n;
}

static void start(struct bench *b, bool threads)
{
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.ats = true;
	bench_init(b, &cfg, &bench_smmu, threads);
}

/* ---- PASIDs on one device ---- */

static struct uiommu_domain *domain[DOMAINS];

struct memory {
	double ours, tables;
};

static struct memory memory(const struct bench *b)
{
	return (struct memory){ (double)(b->t.live_bytes - b->t.table_bytes),
				(double)b->t.table_bytes };
}

static uint64_t attach_all(struct uiommu_dev *dev, unsigned n, unsigned domains)
{
	uint64_t t = now();

	for (unsigned p = 1; p <= n; p++)
		ok(uiommu_attach_device_pasid(domain[p % domains], dev, p));
	return now() - t;
}

static uint64_t replace_all(struct uiommu_dev *dev, unsigned n, unsigned domains)
{
	uint64_t t = now();

	for (unsigned p = 1; p <= n; p++)
		ok(uiommu_replace_device_pasid(domain[(p + 1) % domains], dev, p));
	return now() - t;
}

static uint64_t detach_all(struct uiommu_dev *dev, unsigned n)
{
	uint64_t t = now();

	for (unsigned p = 1; p <= n; p++)
		uiommu_detach_device_pasid(dev, p);
	return now() - t;
}

static void pasids(unsigned n)
{
	unsigned domains = n < DOMAINS ? n + 1 : DOMAINS, rounds = (OPS + n - 1) / n;
	uint64_t attach = 0, replace = 0, detach = 0;
	const double ops = (double)rounds * n;
	struct memory before, full;
	struct uiommu_dev *dev;
	struct bench b;

	start(&b, false);
	dev = bench_add(&b, "d", 1, 20);
	for (unsigned i = 0; i < domains; i++)
		domain[i] = bench_domain(dev);
	before = memory(&b);
	for (unsigned i = 0; i < rounds; i++) {
		attach += attach_all(dev, n, domains);
		full = memory(&b);
		replace += replace_all(dev, n, domains);
		detach += detach_all(dev, n);
	}
	printf("  %8u %8.0f %8.0f %8.0f %12.0f %12.0f\n", n, attach / ops, replace / ops,
	       detach / ops, (full.ours - before.ours) / n, (full.tables - before.tables) / n);
	bench_fini(&b);
}

/* ---- unmap with many attachments ---- */

/* With a TLB of its own, that keeps nothing here: each forgets when it is told. */
static struct uiommu_dev *add_with_ats(struct bench *b, uint32_t sid)
{
	const char name[] = { 'a' + sid / 8 % 26, '0' + sid % 8, 0 };
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = b->iommu, .stream_ids = &sid, .num_stream_ids = 1,
		.pasid_bits = 10, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED, .ats = true,
	};
	struct uiommu_dev *dev = NULL;

	ok(uiommu_device_add(b->u, &cfg, &dev));
	return dev;
}

static void unmaps(unsigned n, unsigned devices, bool ats)
{
	struct uiommu_dev *dev[64];
	struct uiommu_domain *dom;
	uint64_t t, spent = 0;
	struct bench b;

	start(&b, false);
	for (unsigned i = 0; i < devices; i++)
		dev[i] = ats ? add_with_ats(&b, i)
			     : bench_add(&b, (char[]){ 'a' + i / 8, '0' + i % 8, 0 }, i, 10);
	dom = bench_domain(dev[0]);
	for (unsigned i = 0; i < n; i++)
		ok(uiommu_attach_device_pasid(dom, dev[i % devices], 1 + i));
	for (unsigned i = 0; i < OPS / 64; i++) {
		for (unsigned k = 0; k < 64; k++)	/* no two are one to the table */
			ok(uiommu_map(dom, 0x10000 + k * PAGE, k * 2 * PAGE, PAGE, RW, NULL));
		t = now();
		for (unsigned k = 0; k < 64; k++)
			ok(uiommu_unmap(dom, 0x10000 + k * PAGE, PAGE, NULL));
		spent += now() - t;
	}
	printf("  %2u attachments on %2u devices%s: %6.0f ns\n", n, devices,
	       ats ? ", ATS" : "     ", (double)spent / (OPS / 64 * 64));
	bench_fini(&b);
}

/* ---- threads ---- */

#define MAPS	100000u

struct worker {
	struct uiommu_domain *dom;	/* map and unmap in it, or, with NULL: */
	struct uiommu_dma *dma;
	uiommu_iova_t at;
	pthread_t t;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < MAPS; i++) {
		if (w->dom) {
			ok(uiommu_map(w->dom, w->at, 0x1000 * (i & 255), PAGE, RW, NULL));
			ok(uiommu_unmap(w->dom, w->at, PAGE, NULL));
			continue;
		}
		ok(uiommu_dma_map(w->dma, 0x1000 * (i & 255), PAGE, RW, &w->at));
		uiommu_dma_unmap(w->dma, w->at, PAGE);
	}
	return NULL;
}

static void run(const char *what, struct worker *w, unsigned threads, bool two)
{
	uint64_t t = now(), wall = bench_now_ns();
	double ns;

	for (unsigned i = 0; i < threads; i++)
		pthread_create(&w[i].t, NULL, work, &w[i]);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(w[i].t, NULL);
	ns = per(t, (uint64_t)MAPS * threads);
	printf("  %-14s %u thread%s %6.0f ns; %8.0f a CPU-second; %4.1f CPUs busy\n", what,
	       threads, threads < 2 ? "             " : two ? "s, two domains" : "s, one domain ",
	       ns, 1e9 / ns, ns * MAPS * threads / (double)(bench_now_ns() - wall));
}

static const struct {
	unsigned threads;
	bool two;
} ways[] = { { 1, false }, { 2, false }, { 2, true } };

/* @mode 2: without an allocator, ranges disjoint. */
static void threads(const char *what, unsigned mode, unsigned way)
{
	struct worker w[2] = { 0 };
	struct uiommu_dma *dma[2];
	struct uiommu_dev *dev[2];
	struct bench b;

	start(&b, ways[way].threads > 1);
	for (unsigned i = 0; i < 2; i++) {
		dev[i] = bench_add(&b, i ? "1" : "0", i, 0);
		ok(uiommu_dma_create(dev[i], (enum uiommu_dma_mode)(mode & 1), UINT64_MAX,
				     &dma[i]));
		ok(uiommu_attach_device(uiommu_dma_domain(dma[i]), dev[i]));
		w[i].dma = dma[ways[way].two ? i : 0];
		w[i].dom = mode == 2 ? uiommu_dma_domain(w[i].dma) : NULL;
		w[i].at = (uiommu_iova_t)(i + 1) << 30;
	}
	run(what, w, ways[way].threads, ways[way].two);
	for (unsigned i = 0; i < 2; i++) {
		uiommu_detach_device_pasid(dev[i], UIOMMU_NO_PASID);
		ok(uiommu_dma_destroy(dma[i]));
	}
	bench_fini(&b);
}

int main(void)
{
	static const char *const what[] = { "dma, strict", "dma, deferred", "map and unmap" };

	printf("PASIDs on a device, over at most %u domains: ns for each, and bytes\n", DOMAINS);
	printf("  %8s %8s %8s %8s %12s %12s\n", "PASIDs", "attach", "replace", "detach",
	       "ours", "CD tables");
	pasids(1);
	pasids(1000);
	pasids((1u << 20) - 1);
	printf("unmap of 4 KiB\n");
	for (unsigned ats = 0; ats < 2; ats++) {
		unmaps(1, 1, ats);
		unmaps(8, 8, ats);
		unmaps(64, 64, ats);
		unmaps(64, 1, ats);
	}
	printf("a map and an unmap of 4 KiB\n");
	for (unsigned mode = 0; mode < 3; mode++)
		for (unsigned way = 0; way < 3; way++)
			threads(what[mode], mode, way);
	return 0;
}
