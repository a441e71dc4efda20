/* SPDX-License-Identifier: MIT */
/*
 * attach_bench.c - time and memory of attach, unmap and DMA map, on the simulator
 *
 * The simulator's share (it executes every command before the store that publishes it
 * returns) is in all times: they say how things grow, not what silicon would take.
 */
#include "../tests/driver/bench.h"

#include <uiommu/dma.h>

#include "bench.h"

#define DOMAINS	16000u

static void ok(int err)
{
	if (err) {
		fprintf(stderr, "attach: a call failed: %d\n", err);
		exit(1);
	}
}

static void start(struct bench *b, bool threads)
{
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init(b, &cfg, &bench_smmu, threads);
}

/* ---- PASIDs on one device ---- */

static struct uiommu_domain *domain[DOMAINS];

static double per(uint64_t since, unsigned n)
{
	return (double)(bench_now_ns() - since) / n;
}

static void pasids(unsigned n)
{
	unsigned domains = n < DOMAINS ? n + 1 : DOMAINS;
	double attach, replace, detach;
	struct uiommu_dev *dev;
	unsigned long bytes;
	uint64_t t;
	struct bench b;

	start(&b, false);
	dev = bench_add(&b, "d", 1, 20);
	for (unsigned i = 0; i < domains; i++)
		domain[i] = bench_domain(dev);
	bytes = b.t.live_bytes;
	t = bench_now_ns();
	for (unsigned p = 1; p <= n; p++)
		ok(uiommu_attach_device_pasid(domain[p % domains], dev, p));
	attach = per(t, n);
	bytes = b.t.live_bytes - bytes;
	t = bench_now_ns();
	for (unsigned p = 1; p <= n; p++)
		ok(uiommu_replace_device_pasid(domain[(p + 1) % domains], dev, p));
	replace = per(t, n);
	t = bench_now_ns();
	for (unsigned p = 1; p <= n; p++)
		uiommu_detach_device_pasid(dev, p);
	detach = per(t, n);
	printf("  %8u %10.0f %10.0f %10.0f %12.0f\n", n, attach, replace, detach,
	       (double)bytes / n - 64);
	bench_fini(&b);
}

/* ---- unmap with many attachments ---- */

static void unmaps(unsigned n, unsigned devices)
{
	enum { ROUNDS = 20000 };
	struct uiommu_dev *dev[64];
	struct uiommu_domain *dom;
	uint64_t t, spent = 0;
	struct bench b;

	start(&b, false);
	for (unsigned i = 0; i < devices; i++)
		dev[i] = bench_add(&b, (char[]){ 'a' + i / 8, '0' + i % 8, 0 }, i, 10);
	dom = bench_domain(dev[0]);
	for (unsigned i = 0; i < n; i++)
		ok(uiommu_attach_device_pasid(dom, dev[i % devices], 1 + i));
	for (unsigned i = 0; i < ROUNDS; i++) {
		ok(uiommu_map(dom, 0x10000, 0x10000, PAGE, RW, NULL));
		t = bench_now_ns();
		ok(uiommu_unmap(dom, 0x10000, PAGE, NULL));
		spent += bench_now_ns() - t;
	}
	printf("  %2u attachments on %2u devices: %6.0f ns\n", n, devices,
	       (double)spent / ROUNDS);
	bench_fini(&b);
}

/* ---- DMA map and unmap ---- */

struct worker {
	struct bench *b;
	struct uiommu_dma *dma;
	pthread_t t;
};

#define MAPS	100000u

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < MAPS; i++) {
		uiommu_iova_t at;

		ok(uiommu_dma_map(w->dma, 0x1000 * (i & 255), PAGE, RW, &at));
		uiommu_dma_unmap(w->dma, at, PAGE);
	}
	return NULL;
}

static void dma(enum uiommu_dma_mode mode, unsigned threads, bool two_domains)
{
	struct uiommu_dev *dev[2];
	struct uiommu_dma *d[2];
	struct worker w[2];
	struct bench b;
	uint64_t t;

	start(&b, threads > 1);
	for (unsigned i = 0; i < 2; i++) {
		dev[i] = bench_add(&b, i ? "1" : "0", i, 0);
		ok(uiommu_dma_create(dev[i], mode, UINT64_MAX, &d[i]));
		ok(uiommu_attach_device(uiommu_dma_domain(d[i]), dev[i]));
	}
	t = bench_now_ns();
	for (unsigned i = 0; i < threads; i++) {
		w[i] = (struct worker){ .b = &b, .dma = d[two_domains ? i : 0] };
		pthread_create(&w[i].t, NULL, work, &w[i]);
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(w[i].t, NULL);
	printf("  %-8s %u thread%s %s: %6.0f ns a map and unmap\n",
	       mode == UIOMMU_DMA_STRICT ? "strict" : "deferred", threads,
	       threads > 1 ? "s," : "", threads < 2 ? "" : two_domains ? "two domains"
	       : "one domain ", per(t, MAPS * threads));
	for (unsigned i = 0; i < 2; i++) {
		uiommu_detach_device_pasid(dev[i], UIOMMU_NO_PASID);
		ok(uiommu_dma_destroy(d[i]));
	}
	bench_fini(&b);
}

int main(void)
{
	printf("PASIDs on a device, ns each; bytes beyond the CD's 64\n");
	printf("  %8s %10s %10s %10s %12s\n", "PASIDs", "attach", "replace", "detach", "bytes");
	pasids(1);
	pasids(1000);
	pasids((1u << 20) - 1);
	printf("unmap of 4 KiB\n");
	unmaps(1, 1);
	unmaps(8, 8);
	unmaps(64, 64);
	unmaps(64, 1);
	printf("dma_map and dma_unmap of 4 KiB\n");
	for (unsigned mode = 0; mode < 2; mode++) {
		dma((enum uiommu_dma_mode)mode, 1, false);
		dma((enum uiommu_dma_mode)mode, 2, false);
		dma((enum uiommu_dma_mode)mode, 2, true);
	}
	return 0;
}
