/* SPDX-License-Identifier: MIT */
/* Numbers of objects, and the rules that every ioctl's structure follows. */
#include "rig.h"

static int setup(void **state)
{
	*state = rig_create(false, false);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

/* number, whole size, smallest size, a member that must be zero (0: none) */
static const struct {
	uint32_t nr, size, min, zero_at;
} cmds[] = {
	{ UIOMMU_ABI_IOMMU_DESTROY, 8, 8, 0 },
	{ UIOMMU_ABI_IOMMU_IOAS_ALLOC, 12, 12, 4 },
	{ UIOMMU_ABI_IOMMU_IOAS_ALLOW_IOVAS, 24, 24, 12 },
	{ UIOMMU_ABI_IOMMU_IOAS_COPY, 40, 40, 0 },
	{ UIOMMU_ABI_IOMMU_IOAS_IOVA_RANGES, 32, 32, 12 },
	{ UIOMMU_ABI_IOMMU_IOAS_MAP, 40, 40, 12 },
	{ UIOMMU_ABI_IOMMU_IOAS_UNMAP, 24, 24, 0 },
	{ UIOMMU_ABI_IOMMU_OPTION, 24, 24, 10 },
	{ UIOMMU_ABI_IOMMU_VFIO_IOAS, 12, 12, 10 },
	{ UIOMMU_ABI_IOMMU_HWPT_ALLOC, 48, 24, 20 },
	{ UIOMMU_ABI_IOMMU_GET_HW_INFO, 40, 32, 29 },
	{ UIOMMU_ABI_IOMMU_HWPT_SET_DIRTY_TRACKING, 16, 16, 0 },
	{ UIOMMU_ABI_IOMMU_HWPT_GET_DIRTY_BITMAP, 48, 48, 12 },
	{ UIOMMU_ABI_IOMMU_HWPT_INVALIDATE, 32, 32, 28 },
	{ UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC, 16, 16, 4 },
	{ UIOMMU_ABI_IOMMU_VIOMMU_ALLOC, 40, 24, 4 },
	{ UIOMMU_ABI_IOMMU_VDEVICE_ALLOC, 24, 24, 0 },
	{ UIOMMU_ABI_IOMMU_VEVENTQ_ALLOC, 32, 28, 4 },
	{ UIOMMU_ABI_IOMMU_HW_QUEUE_ALLOC, 40, 40, 4 },
};
#define NUM_CMDS (sizeof(cmds) / sizeof(cmds[0]))

static int call(struct rig *r, struct uiommu_iommufd *ctx, uint32_t nr, uint32_t size,
		uint32_t junk_at)
{
	uint8_t buf[256] = { 0 };

	memcpy(buf, &size, 4);
	if (junk_at)
		buf[junk_at] = 0xff;
	return rig_ioctl(r, ctx, nr, buf, sizeof(buf));
}

static void lengths_follow_the_rule(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);

	for (unsigned i = 0; i < NUM_CMDS; i++) {
		int plain = call(r, ctx, cmds[i].nr, cmds[i].size, 0);

		assert_int_equal(call(r, ctx, cmds[i].nr, cmds[i].min - 1, 0), -UIOMMU_EINVAL);
		assert_int_equal(call(r, ctx, cmds[i].nr, 0, 0), -UIOMMU_EINVAL);
		assert_int_equal(call(r, ctx, cmds[i].nr, cmds[i].size + 1, cmds[i].size),
				 -UIOMMU_E2BIG);
		assert_int_equal(call(r, ctx, cmds[i].nr, 200, 199), -UIOMMU_E2BIG);
		assert_int_equal(call(r, ctx, cmds[i].nr, 200, 0), plain);
		assert_int_equal(call(r, ctx, cmds[i].nr, cmds[i].min, 0), plain);
		/* a size that runs out of the program's memory */
		assert_int_equal(call(r, ctx, cmds[i].nr, 0xffffffff, 0), -UIOMMU_EFAULT);
	}
	uiommu_iommufd_put(ctx);
}

static void reserved_members_must_be_zero(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);

	for (unsigned i = 0; i < NUM_CMDS; i++)
		if (cmds[i].zero_at)
			assert_int_equal(call(r, ctx, cmds[i].nr, cmds[i].size, cmds[i].zero_at),
					 -UIOMMU_EOPNOTSUPP);
	uiommu_iommufd_put(ctx);
}

static void bad_pointers_and_numbers(void **state)
{
	static const uint32_t absent[] = {
		0x3b80 - 1, 0x3b8f, 0x3b92, 0x3b95, 0x3ba0, 0x3bff, 0x3c80, 0xc0083b80,
		0x3b63, 0x3b67, 0x3b6b, 0x3b73, 0x3b75, 0, 0xffffffff
	};
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);

	for (unsigned i = 0; i < NUM_CMDS; i++) {
		assert_int_equal(uiommu_iommufd_ioctl(ctx, &r->as, cmds[i].nr, 0), -UIOMMU_EFAULT);
		assert_int_equal(uiommu_iommufd_ioctl(ctx, &r->as, cmds[i].nr, UINT64_MAX - 1),
				 -UIOMMU_EFAULT);
		assert_int_equal(uiommu_iommufd_ioctl(ctx, &r->as, cmds[i].nr, RIG_HOLE - 4),
				 -UIOMMU_EINVAL);
	}
	for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(call(r, ctx, absent[i], 64, 0), -UIOMMU_ENOTTY);
	uiommu_iommufd_put(ctx);
}

static void id_zero_and_unknown_ids_do_not_exist(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	uint64_t iova = 0;
	uint32_t out;

	assert_int_equal(rig_destroy_obj(r, ctx, 0), -UIOMMU_ENOENT);
	assert_int_equal(rig_destroy_obj(r, ctx, 1), -UIOMMU_ENOENT);
	assert_int_equal(rig_destroy_obj(r, ctx, 0xffffffff), -UIOMMU_ENOENT);
	assert_int_equal(rig_try_map(r, ctx, 0, RIG_VA, PAGE, &iova, RW), -UIOMMU_ENOENT);
	assert_int_equal(rig_unmap(r, ctx, 0, 0, UINT64_MAX, NULL), -UIOMMU_ENOENT);
	assert_int_equal(rig_hwpt_alloc(r, ctx, 0, 0, 0, &out), -UIOMMU_ENOENT);
	uiommu_iommufd_put(ctx);
}

static void ids_start_at_one_and_the_lowest_is_reused(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);

	for (uint32_t id = 1; id <= 40; id++)
		assert_int_equal(rig_ioas(r, ctx), id);
	assert_int_equal(rig_destroy_obj(r, ctx, 17), 0);
	assert_int_equal(rig_destroy_obj(r, ctx, 5), 0);
	assert_int_equal(rig_destroy_obj(r, ctx, 5), -UIOMMU_ENOENT);
	assert_int_equal(rig_ioas(r, ctx), 5);
	assert_int_equal(rig_ioas(r, ctx), 17);
	assert_int_equal(rig_ioas(r, ctx), 41);
	uiommu_iommufd_put(ctx);
}

static void an_answer_without_a_place_makes_nothing(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	const struct uiommu_abi_iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	const uint64_t ro = RIG_VA + RIG_PAGES * PAGE;

	memcpy(rig_ptr(r, ro), &cmd, sizeof(cmd));
	assert_int_equal(uiommu_iommufd_ioctl(ctx, &r->as, UIOMMU_ABI_IOMMU_IOAS_ALLOC, ro),
			 -UIOMMU_EFAULT);
	assert_int_equal(rig_ioas(r, ctx), 1);
	uiommu_iommufd_put(ctx);
}

static int option(struct rig *r, struct uiommu_iommufd *ctx, uint32_t id, uint16_t op,
		  uint32_t obj, uint64_t *val)
{
	struct uiommu_abi_iommu_option cmd = {
		.size = sizeof(cmd), .option_id = id, .op = op, .object_id = obj, .val64 = *val,
	};
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_OPTION, &cmd, sizeof(cmd));

	*val = cmd.val64;
	return ret;
}

static void options(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	uint64_t val = 7, one = 1, zero = 0, two = 2;
	uint32_t ioas = rig_ioas(r, ctx);

	assert_int_equal(option(r, ctx, 0, 1, 0, &val), 0);
	assert_int_equal(val, 0);
	assert_int_equal(option(r, ctx, 0, 0, 0, &one), -UIOMMU_EPERM);
	assert_int_equal(option(r, ctx, 0, 1, 1, &val), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(option(r, ctx, 0, 2, 0, &val), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(option(r, ctx, 2, 1, 0, &val), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(option(r, ctx, 1, 1, 0, &val), -UIOMMU_ENOENT);
	assert_int_equal(option(r, ctx, 1, 1, ioas, &val), 0);
	assert_int_equal(val, 1);
	assert_int_equal(option(r, ctx, 1, 0, ioas, &two), -UIOMMU_EINVAL);
	assert_int_equal(option(r, ctx, 1, 2, ioas, &one), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(option(r, ctx, 1, 0, ioas, &zero), 0);
	assert_int_equal(option(r, ctx, 1, 1, ioas, &val), 0);
	assert_int_equal(val, 0);
	uiommu_iommufd_put(ctx);
}

static int vfio_ioas(struct rig *r, struct uiommu_iommufd *ctx, uint16_t op, uint32_t *id)
{
	struct uiommu_abi_iommu_vfio_ioas cmd = { .size = sizeof(cmd), .ioas_id = *id, .op = op };
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_VFIO_IOAS, &cmd, sizeof(cmd));

	*id = cmd.ioas_id;
	return ret;
}

static void the_containers_ioas(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	uint32_t ioas = rig_ioas(r, ctx), none = 99, got = 0;

	assert_int_equal(vfio_ioas(r, ctx, 0, &got), -UIOMMU_ENODEV);
	assert_int_equal(vfio_ioas(r, ctx, 1, &none), -UIOMMU_ENOENT);
	assert_int_equal(vfio_ioas(r, ctx, 1, &ioas), 0);
	assert_int_equal(vfio_ioas(r, ctx, 0, &got), 0);
	assert_int_equal(got, ioas);
	assert_int_equal(vfio_ioas(r, ctx, 2, &got), 0);
	assert_int_equal(vfio_ioas(r, ctx, 0, &got), -UIOMMU_ENODEV);
	assert_int_equal(vfio_ioas(r, ctx, 3, &got), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(vfio_ioas(r, ctx, 1, &ioas), 0);
	assert_int_equal(rig_destroy_obj(r, ctx, ioas), 0);
	assert_int_equal(vfio_ioas(r, ctx, 0, &got), -UIOMMU_ENODEV);
	uiommu_iommufd_put(ctx);
}

static void a_context_is_held_by_its_devices(void **state)
{
	struct rig *r = *state;
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	struct uiommu_iommufd_dev *idev;
	uint32_t id, ioas = rig_ioas(r, ctx);

	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x10000);
	*(uint64_t *)rig_ptr(r, RIG_VA) = 0x1234;
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &ioas), 0);
	uiommu_iommufd_put(ctx);
	assert_int_equal(rig_read64(r, 0, -1, 0x10000), 0x1234);
	uiommu_iommufd_unbind(idev);
	assert_int_equal(rig_read64(r, 0, -1, 0x10000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lengths_follow_the_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(reserved_members_must_be_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_pointers_and_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(id_zero_and_unknown_ids_do_not_exist, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_start_at_one_and_the_lowest_is_reused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_answer_without_a_place_makes_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(options, setup, teardown),
		cmocka_unit_test_setup_teardown(the_containers_ioas, setup, teardown),
		cmocka_unit_test_setup_teardown(a_context_is_held_by_its_devices, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
