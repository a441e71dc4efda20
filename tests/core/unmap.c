/* SPDX-License-Identifier: MIT */
/* Map, unmap, and who is told what was taken away. */
#include "fake.h"

static void map_reports_what_is_mapped(void **state)
{
	struct world *w = *state;
	struct uiommu_domain *dom = world_domain(world_add(&w->a, "a", 1));
	uiommu_pa_t pa = 0;
	uint64_t done = 77;

	assert_int_equal(uiommu_map(dom, 0x5000, 0x123000, 3 * PAGE, RW, &done), 0);
	assert_int_equal(done, 3 * PAGE);
	assert_int_equal(uiommu_iova_to_phys(dom, 0x6010, &pa), 0);
	assert_int_equal(pa, 0x124010);
	/* the second page is there already: the first stays */
	assert_int_equal(uiommu_map(dom, 0x4000, 0, 2 * PAGE, RW, &done), -UIOMMU_EEXIST);
	assert_int_equal(uiommu_iova_to_phys(dom, 0x4000, &pa), done ? 0 : -UIOMMU_ENOENT);
	assert_int_equal(uiommu_map(dom, 1, 0, PAGE, RW, &done), -UIOMMU_EINVAL);
	assert_int_equal(done, 0);
	assert_int_equal(uiommu_unmap(dom, 0, 1ull << 30, &done), 0);
	assert_int_equal(uiommu_iova_to_phys(dom, 0x6010, &pa), -UIOMMU_ENOENT);
}

static void domains_without_a_table(void **state)
{
	struct world *w = *state;
	struct uiommu_domain *id = uiommu_domain_identity(w->u), *bl = uiommu_domain_blocked(w->u);
	struct uiommu_domain_info info;
	uint64_t n = 1;

	assert_int_equal(uiommu_map(id, 0, 0, PAGE, RW, &n), -UIOMMU_EINVAL);
	assert_int_equal(n, 0);
	assert_int_equal(uiommu_map(bl, 0, 0, PAGE, RW, NULL), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_unmap(id, 0, PAGE, &n), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_iova_to_phys(id, 0x1234, &n), 0);
	assert_int_equal(n, 0x1234);
	assert_int_equal(uiommu_iova_to_phys(bl, 0x1234, &n), -UIOMMU_ENOENT);
	uiommu_domain_info(id, &info);
	assert_int_equal(info.type, UIOMMU_DOMAIN_IDENTITY);
	assert_int_equal(info.pgsizes, 0);
	uiommu_domain_info(bl, &info);
	assert_int_equal(info.type, UIOMMU_DOMAIN_BLOCKED);
	assert_string_equal(uiommu_domain_name(bl), "blocked");
}

static void info_and_name(void **state)
{
	struct world *w = *state;
	struct uiommu_domain *dom = world_domain(world_add(&w->a, "a", 1));
	struct uiommu_domain_info info;

	uiommu_domain_info(dom, &info);
	assert_int_equal(info.type, UIOMMU_DOMAIN_PAGING);
	assert_int_equal(info.pgsizes, 1u << 12 | 1u << 21 | 1u << 30);
	assert_int_equal(info.aperture_start, 0);
	assert_int_equal(info.aperture_last, 0xffffffffffff);
	uiommu_domain_set_name(dom, "0123456789012345678901234567890123456789");
	assert_string_equal(uiommu_domain_name(dom), "0123456789012345678901234567890");
	uiommu_domain_set_name(dom, "vm1");
	assert_string_equal(uiommu_domain_name(dom), "vm1");
}

static void invariant_09_unmap_reaches_every_attachment(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a = world_add(&w->a, "a", 1), *b = world_add(&w->b, "b", 1);
	struct uiommu_domain *dom = world_domain(a), *other = world_domain(a);
	uint64_t done;

	w->b.next_tag = 7;
	uiommu_map(dom, 0x200000, 0x200000, 0x200000, RW, NULL);
	uiommu_map(dom, 0x1000, 0, PAGE, RW, NULL);
	/* attached nowhere: nobody to tell */
	uiommu_map(dom, 0, 0, PAGE, RW, NULL);
	assert_int_equal(uiommu_unmap(dom, 0, PAGE, &done), 0);
	assert_int_equal(w->a.invalidations + w->b.invalidations, 0);

	uiommu_attach_device(dom, a);
	uiommu_attach_device_pasid(dom, a, 4);
	uiommu_attach_device_pasid(other, a, 5);
	uiommu_attach_device_pasid(dom, b, 6);
	assert_int_equal(uiommu_unmap(dom, 0x1000, PAGE, &done), 0);
	assert_int_equal(done, PAGE);
	assert_int_equal(w->a.invalidations, 1);
	assert_int_equal(w->a.tag_mask, 1u << 1);	/* this domain's, not the other's */
	assert_int_equal(w->b.invalidations, 1);
	assert_int_equal(w->b.tag_mask, 1u << 8);
	assert_int_equal(w->a.last.start, 0x1000);
	assert_int_equal(w->a.last.last, 0x1fff);
	assert_int_equal(w->a.last.pgsizes, 1u << 12);
	assert_int_equal(uiommu_unmap(dom, 0x200000, 0x200000, &done), 0);
	assert_int_equal(w->a.last.pgsizes, 1u << 21);
	assert_int_equal(w->a.last.start, 0x200000);
	assert_int_equal(w->a.last.last, 0x3fffff);
	/* nothing there: nobody is told */
	w->a.invalidations = 0;
	uiommu_unmap(dom, 0x200000, 0x200000, &done);
	assert_int_equal(done, 0);
	assert_int_equal(w->a.invalidations, 0);
	/* no longer there: not told any more */
	uiommu_detach_device_pasid(a, 0);
	uiommu_detach_device_pasid(a, 4);
	uiommu_map(dom, 0x1000, 0, PAGE, RW, NULL);
	w->b.invalidations = 0;
	uiommu_unmap(dom, 0x1000, PAGE, &done);
	assert_int_equal(w->a.invalidations, 0);
	assert_int_equal(w->b.invalidations, 1);
}

/* Tables go back to the host only after hardware was told. */
static long tables_at_invalidate;

static void count_tables(struct fake *f, const struct uiommu_link *link)
{
	tables_at_invalidate = f->t->live_tables;
	assert_true(f->last.tables);
}

static void tables_are_freed_after_the_invalidation(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *a = world_add(&w->a, "a", 1);
	struct uiommu_domain *dom = world_domain(a);
	uint64_t done;
	long before;

	uiommu_attach_device(dom, a);
	for (unsigned i = 0; i < 512; i++)
		uiommu_map(dom, 0x40000000 + i * PAGE, 0x1000ull * (1 + 3 * i), PAGE, RW, NULL);
	before = w->t.live_tables;
	w->a.on_invalidate = count_tables;
	w->t.forbid = true;		/* unmap allocates nothing */
	assert_int_equal(uiommu_unmap(dom, 0x40000000, 0x200000, &done), 0);
	w->t.forbid = false;
	assert_int_equal(done, 0x200000);
	assert_int_equal(tables_at_invalidate, before);
	assert_true(w->t.live_tables < before);
}

/* A reader stands on the list while entries are taken out and freed. */
static struct uiommu_dev *walked[3];

static void detach_under_the_reader(struct fake *f, const struct uiommu_link *link)
{
	/* a concurrent detach of both, the reader's own link among them */
	f->on_invalidate = NULL;
	uiommu_detach_device_pasid(walked[0], 0);
	uiommu_detach_device_pasid(walked[1], 0);
	assert_true(f->t->retired > 0);
	assert_non_null(f->t->pending);		/* not freed: this thread still reads */
}

static void detach_while_unmap_reads_the_list(void **state)
{
	struct world *w = *state;
	struct uiommu_domain *dom;
	uint64_t done;

	walked[0] = world_add(&w->a, "a", 1);
	walked[1] = world_add(&w->b, "b", 1);
	dom = world_domain(walked[0]);
	uiommu_attach_device(dom, walked[0]);
	uiommu_attach_device(dom, walked[1]);
	uiommu_map(dom, 0, 0, PAGE, RW, NULL);
	w->t.retired = 0;
	w->a.on_invalidate = detach_under_the_reader;
	assert_int_equal(uiommu_unmap(dom, 0, PAGE, &done), 0);
	assert_null(w->t.pending);
	assert_int_equal(w->t.readers, 0);
	assert_int_equal(uiommu_domain_free(dom), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(map_reports_what_is_mapped),
		T(domains_without_a_table),
		T(info_and_name),
		T(invariant_09_unmap_reaches_every_attachment),
		T(tables_are_freed_after_the_invalidation),
		T(detach_while_unmap_reads_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
