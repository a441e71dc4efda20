/* SPDX-License-Identifier: MIT */
/*
 * What stays of 64 GiB that were mapped in pages of 4 KiB: while they are mapped the
 * tables they need; after unmaps of 2 MiB each what is above the leaf tables, which is
 * one page for each GiB, one for the 512 GiB and the root; after trim the root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <uiommu/pt.h>

#define M	(1ull << 20)
#define G	(1ull << 30)
#define PAGES	40000u

struct pool {
	char *base, *next;
	void *free;
	unsigned live;
};

static void *table_alloc(void *ctx, size_t bytes)
{
	struct pool *p = ctx;
	void *t = p->free;

	assert_true(bytes <= 4096);
	if (t) {
		p->free = *(void **)t;
	} else {
		t = p->next;
		p->next += 4096;
		assert_true(p->next <= p->base + PAGES * 4096ull);
	}
	p->live++;
	return memset(t, 0, bytes);
}

static void table_free(void *ctx, void *t, size_t bytes)
{
	struct pool *p = ctx;

	assert_true(bytes <= 4096);
	*(void **)t = p->free;
	p->free = t;
	p->live--;
}

#ifdef UIOMMU_PT_CHECKED
void uiommu_pt_misuse(const struct uiommu_pt *pt, const char *what)
{
	(void)pt;
	fail_msg("%s", what);
}
#endif

static const struct {
	const struct uiommu_pt_ops *ops;
	unsigned ias, above;	/* pages above the leaf tables */
} tables[] = {
	{ &uiommu_pt_arm_s1_4k_ops, 48, 66 },
	{ &uiommu_pt_arm_s2_4k_ops, 48, 66 },
	{ &uiommu_pt_arm_s2_4k_ops, 39, 65 },	/* a root a level lower */
	{ &uiommu_pt_riscv_sv_ops, 48, 66 },
	{ &uiommu_pt_x86_64_ops, 48, 66 },
	{ &uiommu_pt_vtd_ss_ops, 48, 66 },
	{ &uiommu_pt_amd_v1_ops, 48, 65 },	/* a root that has not grown */
};

static void in_2m_calls(struct uiommu_pt *pt, struct pool *p, const struct uiommu_host *host,
			unsigned above)
{
	struct uiommu_gather g;
	uint64_t n;

	uiommu_gather_init(&g);
	for (uint64_t o = 0; o < 64 * G; o += 2 * M)
		assert_int_equal(pt->ops->map(pt, 64 * G + o, 256 * G + o + 4096, 2 * M,
					      UIOMMU_PROT_READ, NULL), 0);
	assert_int_equal(p->live, 32768 + above);
	for (uint64_t o = 0; o < 64 * G; o += 2 * M) {
		assert_int_equal(pt->ops->unmap(pt, 64 * G + o, 2 * M, &g, &n), 0);
		assert_int_equal(n, 2 * M);
		uiommu_gather_free(&g, host);
	}
	assert_int_equal(p->live, above);
}

static void only_what_is_above_the_leaf_tables(void **state)
{
	struct pool p = { 0 };
	const struct uiommu_host host = { .ctx = &p, .table_alloc = table_alloc,
					  .table_free = table_free };

	(void)state;
	p.base = mmap(NULL, PAGES * 4096ull, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(p.base != MAP_FAILED);
	p.next = p.base;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		struct uiommu_pt_config cfg = { .ias_lg2 = tables[i].ias, .oas_lg2 = 48 };
		struct uiommu_pt pt;
		struct uiommu_gather g;

		print_message("%s %u\n", tables[i].ops->name, tables[i].ias);
		assert_int_equal(tables[i].ops->init(&pt, &host, &cfg), 0);
		in_2m_calls(&pt, &p, &host, tables[i].above);
		uiommu_gather_init(&g);
		pt.ops->trim(&pt, &g);
		uiommu_gather_free(&g, &host);
		assert_int_equal(p.live, 1);
		pt.ops->fini(&pt);
		assert_int_equal(p.live, 0);
	}
	munmap(p.base, PAGES * 4096ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_above_the_leaf_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
