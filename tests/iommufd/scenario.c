/* SPDX-License-Identifier: MIT */
/*
 * A long scenario, in which there is one of each thing that takes memory. It is here to be
 * run with UIOMMU_FAIL_EACH set (tests/fail/each.h).
 */
#include "rig.h"

#define PASID_FLAG UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID

static struct rig *r;
static struct uiommu_iommufd *ctx;

#define STEP(call) assert_int_equal(call, 0)

static int make_ctx(void)
{
	ctx = rig_iommufd(r);
	return ctx ? 0 : -UIOMMU_ENOMEM;
}

static int alloc_ioas(uint32_t *id)
{
	struct uiommu_abi_iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_ALLOC, &cmd, sizeof(cmd));

	*id = cmd.out_ioas_id;
	return ret;
}

static int map(uint32_t ioas, unsigned page, unsigned pages, uint64_t iova)
{
	return rig_try_map(r, ctx, ioas, RIG_VA + page * PAGE, pages * PAGE, &iova, FIXED | RW);
}

static int copy(uint32_t dst, uint32_t src, uint64_t to, uint64_t from, uint64_t len)
{
	struct uiommu_abi_iommu_ioas_copy cmd = {
		.size = sizeof(cmd), .flags = FIXED | RW, .dst_ioas_id = dst,
		.src_ioas_id = src, .length = len, .dst_iova = to, .src_iova = from,
	};

	return rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_COPY, &cmd, sizeof(cmd));
}

static int allow(uint32_t ioas)
{
	static const struct uiommu_abi_iommu_iova_range two[] = {
		{ 0x1000, 0xffff }, { 0x100000, 0x1fffff }
	};
	struct uiommu_abi_iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .num_iovas = 2,
		.allowed_iovas = RIG_VA + 60 * PAGE,
	};

	memcpy(rig_ptr(r, cmd.allowed_iovas), two, sizeof(two));
	return rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_ALLOW_IOVAS, &cmd, sizeof(cmd));
}

static int attach(struct uiommu_iommufd_dev *dev, uint32_t pasid, uint32_t pt)
{
	return uiommu_iommufd_attach(dev, pasid, &pt);
}

static int hwpt(uint32_t dev, uint32_t ioas, uint32_t *out)
{
	return rig_hwpt_alloc(r, ctx, dev, ioas, PASID_FLAG, out);
}

static void scenario(void)
{
	struct uiommu_iommufd_dev *d0, *d1, *d2;
	uint32_t a, b, c, id0, id1, id2, ha, hb, hb2, hc;
	uint64_t iova = 0;

	STEP(make_ctx());
	STEP(alloc_ioas(&a));
	STEP(alloc_ioas(&b));
	STEP(alloc_ioas(&c));
	STEP(allow(b));
	STEP(map(a, 0, 4, 0x40000));
	STEP(map(a, 4, 1, 0x44000));
	STEP(uiommu_iommufd_bind(ctx, r->fns[0].dev, &d0, &id0));
	STEP(uiommu_iommufd_bind(ctx, r->fns[1].dev, &d1, &id1));
	STEP(uiommu_iommufd_bind(ctx, r->fns[2].dev, &d2, &id2));
	STEP(hwpt(id0, a, &ha));
	STEP(hwpt(id0, b, &hb));
	STEP(uiommu_iommufd_msi_map(d0, RIG_DOORBELL, &iova));
	STEP(attach(d0, 0, ha));
	STEP(attach(d0, 3, hb));
	STEP(attach(d0, 200, ha));
	STEP(copy(b, a, 0x7000, 0x43000, 2 * PAGE));
	STEP(hwpt(id1, b, &hb2));		/* two page tables to keep equal */
	STEP(map(b, 8, 3, 0x20000));
	STEP(map(b, 12, 1, 0x80000000));	/* new tables, in each of them */
	STEP(map(c, 16, 8, 0x60000));		/* pinned in the middle first, then whole */
	STEP(copy(a, c, 0x80000, 0x63000, 2 * PAGE));
	STEP(hwpt(id0, c, &hc));
	STEP(attach(d0, 7, hc));
	assert_int_equal(rig_read64(r, 0, 7, 0x67000), 0x1017);
	assert_int_equal(rig_read64(r, 0, 3, 0x8000), 0x1004);
	assert_int_equal(rig_read64(r, 0, 3, 0x22000), 0x100a);
	STEP(attach(d0, 0, hb));		/* replaces: another space, the window too */
	assert_int_equal(rig_dma(r, 0, -1, iova, &(uint32_t){ 1 }, 4, true), 0);
	assert_int_equal(rig_read64(r, 0, -1, 0x20000), 0x1008);
	STEP(attach(d1, 0, a));			/* an automatic one */
	STEP(attach(d2, 0, a));			/* the other device of its group */
	STEP(attach(d1, 0, b));			/* both move */
	assert_int_equal(rig_read64(r, 1, -1, 0x20000), 0x1008);
	assert_int_equal(rig_read64(r, 2, -1, 0x20000), 0x1008);
	STEP(rig_unmap(r, ctx, a, 0, UINT64_MAX, NULL));
	assert_int_equal(rig_read64(r, 0, 3, 0x8000), 0x1004);
	assert_int_equal(rig_read64(r, 0, 200, 0x40000), 0);
	uiommu_iommufd_unbind(d1);
	assert_int_equal(rig_read64(r, 2, -1, 0x20000), 0x1008);
	uiommu_iommufd_put(ctx);
	uiommu_iommufd_unbind(d0);
	uiommu_iommufd_unbind(d2);
}

static void from_first_to_last(void **state)
{
	r = rig_create(false, true);
	for (unsigned i = 0; i < 50; i++)
		*(uint64_t *)rig_ptr(r, RIG_VA + i * PAGE) = 0x1000 + i;
	scenario();
	rig_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(from_first_to_last) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
