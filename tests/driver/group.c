/* SPDX-License-Identifier: MIT */
/* Devices that are one to the IOMMU: one PASID table, also one StreamID. */
#include "bench.h"

#define IOVA	0x10000u

static struct uiommu_dev *add(struct bench *b, const char *name, uint32_t sid, unsigned bits)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = b->iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = bits, .group = 1, .shared = true,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(b->u, &cfg, &dev), 0);
	return dev;
}

static uint64_t *table_of(struct uiommu_dev *dev)
{
	return ((struct smmu_master *)dev->drv)->cdtab->top;
}

/*
 * S3's picture: device 0 in domain A; 2, 3 and 4 in domain B on one PASID table. X is
 * PASID 1 of device 0, Y is PASID 2 of all, a private address space PASID 3 of B's.
 */
static void invariant_02_the_picture_of_shared_tables(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *d0 = bench_add(b, "0", 0x100, 8), *d[3];
	static const char *const names[] = { "2", "3", "4" };
	enum { A, B, X, Y, PRIVATE, N };
	struct uiommu_domain *dom[N];
	uint64_t *page[N];

	for (unsigned i = 0; i < 3; i++)
		d[i] = add(b, names[i], 0x202 + i, 12);
	for (unsigned i = 0; i < N; i++) {
		dom[i] = bench_domain(d0);
		page[i] = bench_page(b, 0x1000 + i);
		bench_map(b, dom[i], IOVA, page[i]);
	}
	assert_int_equal(uiommu_attach_device(dom[A], d0), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom[X], d0, 1), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom[Y], d0, 2), 0);
	assert_int_equal(uiommu_attach_device(dom[B], d[0]), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom[Y], d[1], 2), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom[PRIVATE], d[2], 3), 0);
	assert_ptr_equal(table_of(d[0]), table_of(d[2]));
	assert_ptr_not_equal(table_of(d[0]), table_of(d0));
	bench_sees(b, d0, 0, IOVA, 0x1000 + A);
	bench_sees(b, d0, 1, IOVA, 0x1000 + X);
	bench_sees(b, d0, 2, IOVA, 0x1000 + Y);
	bench_sees(b, d0, 3, IOVA, 0);
	for (unsigned i = 0; i < 3; i++) {
		bench_sees(b, d[i], 0, IOVA, 0x1000 + B);
		bench_sees(b, d[i], 1, IOVA, 0);
		bench_sees(b, d[i], 2, IOVA, 0x1000 + Y);
		bench_sees(b, d[i], 3, IOVA, 0x1000 + PRIVATE);
	}
	/* each has cached it by now: all must forget */
	assert_int_equal(uiommu_replace_device_pasid(dom[X], d[0], 3), 0);
	for (unsigned i = 0; i < 3; i++)
		bench_sees(b, d[i], 3, IOVA, 0x1000 + X);
	uiommu_detach_device_pasid(d[2], 3);
	assert_int_equal(uiommu_unmap(dom[Y], IOVA, PAGE, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		bench_sees(b, d[i], 3, IOVA, 0);
		bench_sees(b, d[i], 2, IOVA, 0);
		bench_sees(b, d[i], 0, IOVA, 0x1000 + B);
	}
	/* one leaves, and another comes when nothing is attached */
	uiommu_device_remove(d[1]);
	bench_sees(b, d[0], 0, IOVA, 0x1000 + B);
	uiommu_detach_device_pasid(d[0], 0);
	bench_sees(b, d[2], 0, IOVA, 0);
	uiommu_detach_device_pasid(d[0], 2);
	d[1] = add(b, "new", 0x203, 12);
	assert_int_equal(uiommu_attach_device_pasid(dom[X], d[0], 3), 0);
	bench_sees(b, d[1], 3, IOVA, 0x1000 + X);
	for (unsigned i = 0; i < N; i++)
		bench_page_free(b, page[i]);
}

/* Two functions behind a bridge come with one StreamID. */
static void one_stream_of_two_devices(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *d[2] = { add(b, "a", 0x300, 0), add(b, "b", 0x300, 0) };
	struct uiommu_domain *dom = bench_domain(d[0]);
	uint64_t *page = bench_page(b, 5);

	bench_map(b, dom, IOVA, page);
	assert_int_equal(uiommu_attach_device(dom, d[1]), 0);
	bench_sees(b, d[0], 0, IOVA, 5);
	uiommu_device_remove(d[1]);
	bench_sees(b, d[0], 0, IOVA, 5);
	uiommu_device_remove(d[0]);
	assert_int_equal(uiommu_domain_free(dom), 0);
	bench_page_free(b, page);
}

/* A default address space: there from the moment it is chosen, and after a detach. */
static void a_default_address_space(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0", 0x100, 8);
	struct uiommu_domain *dma = bench_domain(dev), *vm = bench_domain(dev);
	uint64_t *page = bench_page(b, 1), *other = bench_page(b, 2);

	bench_map(b, dma, IOVA, page);
	bench_map(b, vm, IOVA, other);
	assert_int_equal(uiommu_device_set_default(dev, dma), 0);
	bench_sees(b, dev, 0, IOVA, 1);
	assert_int_equal(uiommu_attach_device(vm, dev), 0);
	bench_sees(b, dev, 0, IOVA, 2);
	uiommu_detach_device_pasid(dev, 0);
	bench_sees(b, dev, 0, IOVA, 1);
	assert_int_equal(uiommu_unmap(dma, IOVA, PAGE, NULL), 0);
	bench_sees(b, dev, 0, IOVA, 0);
	bench_page_free(b, page);
	bench_page_free(b, other);
}

/* One entry stops RID and PASIDs; afterwards they have what they would have had. */
static void a_reset_window(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0", 0x100, 8);
	struct uiommu_domain *rid = bench_domain(dev), *dom[3];
	struct uiommu_sim_smmuv3_stats before, after;
	uint64_t *page[4];

	for (unsigned i = 0; i < 4; i++)
		page[i] = bench_page(b, 0x1000 + i);
	bench_map(b, rid, IOVA, page[3]);
	assert_int_equal(uiommu_attach_device(rid, dev), 0);
	for (unsigned i = 0; i < 3; i++) {
		dom[i] = bench_domain(dev);
		bench_map(b, dom[i], IOVA, page[i]);
		assert_int_equal(uiommu_attach_device_pasid(dom[i], dev, 10 + i), 0);
		bench_sees(b, dev, 10 + i, IOVA, 0x1000 + i);
	}
	bench_sees(b, dev, 0, IOVA, 0x1003);
	uiommu_sim_smmuv3_stats(b->sim, &before);
	assert_int_equal(uiommu_device_reset_prepare(dev), 0);
	uiommu_sim_smmuv3_stats(b->sim, &after);
	assert_true(after.syncs - before.syncs <= 2);	/* whatever is attached */
	for (unsigned i = 0; i < 3; i++)
		bench_sees(b, dev, 10 + i, IOVA, 0);
	bench_sees(b, dev, 0, IOVA, 0);
	uiommu_detach_device_pasid(dev, 11);
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_unmap(dom[2], IOVA, PAGE, NULL), 0);
	bench_sees(b, dev, 10, IOVA, 0);
	assert_int_equal(uiommu_device_reset_done(dev), 0);
	bench_sees(b, dev, 10, IOVA, 0x1000);
	bench_sees(b, dev, 11, IOVA, 0);
	bench_sees(b, dev, 12, IOVA, 0);
	bench_sees(b, dev, 0, IOVA, 0);
	for (unsigned i = 0; i < 4; i++)
		bench_page_free(b, page[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(invariant_02_the_picture_of_shared_tables),
		T(one_stream_of_two_devices),
		T(a_default_address_space),
		T(a_reset_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
