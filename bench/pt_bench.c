/* SPDX-License-Identifier: MIT */
/*
 * Page tables alone: nanoseconds per call of map, unmap and iova_to_phys, for each
 * instance. Medians of interleaved passes; a map and the unmap that undoes it are
 * timed apart. Compare numbers of one run only.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uiommu/pt.h>

#define PASSES	15
#define K	(1ull << 10)
#define M	(1ull << 20)
#define G	(1ull << 30)

/* ---- a host whose allocator costs little, so that the table code shows ---- */

static void *pool;
static uint64_t allocs;

static void *table_alloc(void *ctx, size_t bytes)
{
	void *p = pool;

	allocs++;
	if (p)
		memcpy(&pool, p, sizeof(pool));
	else
		p = aligned_alloc(4096, 4096);
	return p ? memset(p, 0, 4096) : NULL;
}

static void table_free(void *ctx, void *p, size_t bytes)
{
	memcpy(p, &pool, sizeof(pool));
	pool = p;
}

static const struct uiommu_host host = { .table_alloc = table_alloc, .table_free = table_free };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what is measured ---- */

struct shape {
	const char *name;
	uint64_t len;		/* of one call */
	uint64_t stride;	/* between calls */
	unsigned calls;
	uint64_t skew;		/* added to the output address: forces small pages */
};

static const struct shape shapes[] = {
	{ "1x4K", 4 * K, 4 * K, 512, 4 * K },
	{ "16x4K", 64 * K, 64 * K, 32, 4 * K },
	{ "256x4K", 1 * M, 1 * M, 64, 4 * K },
	{ "512x4K, straddling two tables", 2 * M, 2 * M, 64, 4 * K },
	{ "512x4K, one whole table", 2 * M, 2 * M, 64, 4 * K },
	{ "1x2M", 2 * M, 2 * M, 256, 0 },
	{ "16x2M", 32 * M, 32 * M, 16, 0 },
	{ "1x1G", 1 * G, 1 * G, 64, 0 },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

struct row {
	double map[PASSES], unmap[PASSES], look[PASSES];
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, PASSES, sizeof(*v), by_value);
	return v[PASSES / 2];
}

static void must(int ret)
{
	if (ret) {
		fprintf(stderr, "a call failed: %d\n", ret);
		exit(1);
	}
}

static void pass(struct uiommu_pt *pt, const struct shape *s, struct row *r, int i)
{
	uint64_t base = 64 * G + (strstr(s->name, "straddling") ? 1 * M : 0), sum = 0, pa;
	uint64_t t0, t1, t2, t3;
	struct uiommu_gather g;

	t0 = now_ns();
	for (unsigned c = 0; c < s->calls; c++)
		must(pt->ops->map(pt, base + c * s->stride, c * s->stride + s->skew, s->len,
				  UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL));
	t1 = now_ns();
	for (unsigned c = 0; c < s->calls; c++) {
		must(pt->ops->iova_to_phys(pt, base + c * s->stride, &pa));
		sum += pa;
	}
	t2 = now_ns();
	for (unsigned c = 0; c < s->calls; c++) {
		uiommu_gather_init(&g);
		must(pt->ops->unmap(pt, base + c * s->stride, s->len, &g, NULL));
		uiommu_gather_free(&g, &host);
	}
	t3 = now_ns();
	__asm__ volatile("" :: "r"(sum));
	r->map[i] = (double)(t1 - t0) / s->calls;
	r->look[i] = (double)(t2 - t1) / s->calls;
	r->unmap[i] = (double)(t3 - t2) / s->calls;
}

static void lookup_dependent(struct uiommu_pt *pt)
{
	uint64_t iova = 0, t, pa = 0;
	unsigned n = 1000000;

	must(pt->ops->map(pt, 0, 4 * K, 16 * M, UIOMMU_PROT_READ, NULL));
	t = now_ns();
	for (unsigned i = 0; i < n; i++) {
		must(pt->ops->iova_to_phys(pt, iova, &pa));
		iova = (pa * 5 + i * 4 * K) & (16 * M - 1);
	}
	printf("%-36s %10s %10s %10.1f\n", "iova_to_phys, each from the last", "", "",
	       (double)(now_ns() - t) / n);
}

static void run(const struct uiommu_pt_ops *ops)
{
	static const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	static struct row rows[SHAPES];
	struct uiommu_pt pt;

	must(ops->init(&pt, &host, &cfg));
	for (int i = 0; i < PASSES; i++)
		for (size_t s = 0; s < SHAPES; s++)
			pass(&pt, &shapes[s], &rows[s], i);
	printf("%-36s %10s %10s %10s\n", ops->name, "map ns", "unmap ns", "lookup ns");
	for (size_t s = 0; s < SHAPES; s++)
		printf("%-36s %10.1f %10.1f %10.1f\n", shapes[s].name, median(rows[s].map),
		       median(rows[s].unmap), median(rows[s].look));
	lookup_dependent(&pt);
	ops->fini(&pt);
}

int main(void)
{
	run(&uiommu_pt_arm_s1_4k_ops);
	return 0;
}
