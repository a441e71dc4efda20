/* SPDX-License-Identifier: MIT */
/*
 * Threads on disjoint ranges, without a lock: neighbours in one leaf table, leaf
 * tables that come and go next to each other, and the race to install the first
 * tables of an empty root. Meant for ThreadSanitizer, right without it too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <uiommu/pt.h>

#define THREADS	4
#define ROUNDS	10
#define K	(1ull << 10)
#define M	(1ull << 20)

static unsigned live;

static void *table_alloc(void *ctx, size_t bytes)
{
	void *p = aligned_alloc(bytes, bytes);

	if (p)
		__atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; p && i < bytes / 8; i++)
		((uint64_t *)p)[i] = 0;		/* plain stores, as a host's are */
	return p;
}

static void table_free(void *ctx, void *p, size_t bytes)
{
	__atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
	free(p);
}

static const struct uiommu_host host = { .table_alloc = table_alloc, .table_free = table_free };

struct worker {
	struct uiommu_pt *pt;
	pthread_barrier_t *start;
	unsigned id;
	unsigned wrong;
};

static void check(struct worker *w, bool ok)
{
	w->wrong += !ok;
}

static void map_check(struct worker *w, uint64_t iova, uint64_t pa, uint64_t len)
{
	uint64_t n, got;

	check(w, !w->pt->ops->map(w->pt, iova, pa, len, UIOMMU_PROT_READ, &n) && n == len);
	check(w, !w->pt->ops->iova_to_phys(w->pt, iova + len - 1, &got) && got == pa + len - 1);
}

static void unmap_check(struct worker *w, uint64_t iova, uint64_t len)
{
	struct uiommu_gather g;
	uint64_t n, got;

	uiommu_gather_init(&g);
	check(w, !w->pt->ops->unmap(w->pt, iova, len, &g, &n) && n == len);
	uiommu_gather_free(&g, &host);
	check(w, w->pt->ops->iova_to_phys(w->pt, iova, &got) == -UIOMMU_ENOENT);
}

/* Pages of four threads interleaved in the same tables, and per thread a leaf table
 * of its own between those of the others, made and dropped each round. */
static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->start);
	for (unsigned r = 0; r < ROUNDS; r++) {
		uint64_t own = 64 * M + (r * THREADS + w->id) % 64 * 2 * M;

		for (uint64_t p = w->id; p < 1024; p += THREADS)
			map_check(w, p * 4 * K, (p + r) * 4 * K, 4 * K);
		map_check(w, own, own + 4 * K, 2 * M);
		unmap_check(w, own, 2 * M);
		for (uint64_t p = w->id; p < 1024; p += THREADS)
			unmap_check(w, p * 4 * K, 4 * K);
	}
	return NULL;
}

/* All threads at once into an empty root: one table of each level may win. */
static void *race(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->start);
	map_check(w, w->id * 4 * K, w->id * 4 * K, 4 * K);
	return NULL;
}

static void run(struct uiommu_pt *pt, void *(*fn)(void *))
{
	struct worker w[THREADS];
	pthread_barrier_t start;
	pthread_t t[THREADS];

	pthread_barrier_init(&start, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ pt, &start, i, 0 };
		assert_int_equal(pthread_create(&t[i], NULL, fn, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(w[i].wrong, 0);
	pthread_barrier_destroy(&start);
}

static const struct {
	const struct uiommu_pt_ops *ops;
	struct uiommu_pt_config cfg;
} tables[] = {
	{ &uiommu_pt_arm_s1_4k_ops, { .ias_lg2 = 48, .oas_lg2 = 48 } },
	{ &uiommu_pt_arm_s2_4k_ops, { .ias_lg2 = 40, .oas_lg2 = 48 } },
	{ &uiommu_pt_riscv_sv_ops, { .ias_lg2 = 57, .oas_lg2 = 56 } },
	{ &uiommu_pt_x86_64_ops, { .ias_lg2 = 48, .oas_lg2 = 52 } },
	{ &uiommu_pt_vtd_ss_ops, { .ias_lg2 = 39, .oas_lg2 = 52 } },
	{ &uiommu_pt_amd_v1_ops, { .ias_lg2 = 48, .oas_lg2 = 52 } },
};
#define TABLES (sizeof(tables) / sizeof(*tables))

#ifdef UIOMMU_PT_CHECKED
void uiommu_pt_misuse(const struct uiommu_pt *pt, const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}
#endif

static void disjoint_ranges_need_no_lock(void **state)
{
	for (size_t i = 0; i < TABLES; i++) {
		struct uiommu_pt pt;

		assert_int_equal(tables[i].ops->init(&pt, &host, &tables[i].cfg), 0);
		run(&pt, work);
		pt.ops->fini(&pt);
		assert_int_equal(live, 0);
	}
}

static void one_table_wins(void **state)
{
	for (size_t i = 0; i < TABLES; i++) {
		for (int r = 0; r < 60; r++) {
			struct uiommu_pt pt;

			assert_int_equal(tables[i].ops->init(&pt, &host, &tables[i].cfg), 0);
			run(&pt, race);
			assert_int_equal(live, pt.top_level + 1);
			pt.ops->fini(&pt);
			assert_int_equal(live, 0);
		}
	}
}

/* All threads at once where the root must grow by two levels first. */
static void *grow(void *arg)
{
	struct worker *w = arg;
	uint64_t iova = ((uint64_t)1 << 55) + w->id * 4 * K;

	pthread_barrier_wait(w->start);
	map_check(w, w->id * 4 * K, w->id * 4 * K, 4 * K);
	map_check(w, iova, w->id * 4 * K, 4 * K);
	map_check(w, ((uint64_t)1 << (45 + w->id)), w->id * 4 * K, 4 * K);
	return NULL;
}

static void a_root_grows_once(void **state)
{
	static const struct uiommu_pt_config cfg = { .ias_lg2 = 63, .oas_lg2 = 52 };

	for (int r = 0; r < 60; r++) {
		struct uiommu_pt pt;
		unsigned level;

		assert_int_equal(uiommu_pt_amd_v1_ops.init(&pt, &host, &cfg), 0);
		run(&pt, grow);
		uiommu_pt_root(&pt, &level);
		assert_int_equal(level, 4);
		pt.ops->fini(&pt);
		assert_int_equal(live, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disjoint_ranges_need_no_lock),
		cmocka_unit_test(one_table_wins),
		cmocka_unit_test(a_root_grows_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
