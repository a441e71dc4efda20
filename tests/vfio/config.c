/* SPDX-License-Identifier: MIT */
/* Configuration space and BARs as a program sees them. */
#include "vrig.h"

static int setup(void **state)
{
	*state = venv_create_bound();
	return 0;
}

static int teardown(void **state)
{
	venv_destroy(*state);
	return 0;
}

#define E struct venv *e = *state; struct rig *r = e->r
#define GET(off, n) vget(r, e->f, CONFIG + (off), n)
#define PUT(off, v, n) vput(r, e->f, CONFIG + (off), v, n)

static uint32_t hw(struct rig *r, unsigned off, unsigned n)
{
	return uiommu_sim_cfg_read(r->fns[0].sim, off, n);
}

static void identity_is_read_only(void **state)
{
	E;

	assert_int_equal(GET(0, 4), UIOMMU_SIM_EDU_IDS);
	PUT(0, 0, 4);
	assert_int_equal(GET(0, 4), UIOMMU_SIM_EDU_IDS);
	assert_int_equal(GET(0, 2), 0x1234);
	assert_int_equal(GET(3, 1), 0x11);
	assert_int_equal(GET(0x3d, 1), 0);		/* no wired interrupt */
	PUT(0x3c, 0xab, 1);
	assert_int_equal(GET(0x3c, 1), 0xab);		/* the program's own note */
}

static void command_register(void **state)
{
	E;

	assert_int_equal(GET(PCI_COMMAND, 2), MEMORY);
	PUT(PCI_COMMAND, MASTER | MEMORY, 2);
	assert_int_equal(GET(PCI_COMMAND, 2), MASTER | MEMORY);
	assert_int_equal(hw(r, PCI_COMMAND, 2), MASTER | MEMORY);
	PUT(PCI_COMMAND, 0x400 | MEMORY, 2);		/* INTx disable is virtual */
	assert_int_equal(GET(PCI_COMMAND, 2), 0x400 | MEMORY);
	assert_int_equal(hw(r, PCI_COMMAND, 2) & ~0x400u, MEMORY);
	PUT(PCI_COMMAND + 1, 0, 1);
	assert_int_equal(GET(PCI_COMMAND, 2), MEMORY);
}

static void bars_are_sized_by_writing_ones(void **state)
{
	E;
	const uint32_t real = hw(r, 0x10, 4);

	for (unsigned bar = 0; bar < 6; bar++) {
		PUT(0x10 + 4 * bar, 0xffffffff, 4);
		assert_int_equal(GET(0x10 + 4 * bar, 4), bar ? 0 : 0xfff00000 | (real & 0xf));
	}
	PUT(0x10, 0x12345678, 4);
	assert_int_equal(GET(0x10, 4), 0x12300000 | (real & 0xf));
	PUT(0x12, 0xabcd, 2);
	assert_int_equal(GET(0x10, 4), 0xabc00000 | (real & 0xf));
	PUT(0x30, 0xffffffff, 4);
	assert_int_equal(GET(0x30, 4), 0);
	assert_int_equal(hw(r, 0x10, 4), real);		/* hardware's was not touched */
}

static unsigned find_cap(struct rig *r, struct uiommu_vfio_file *f, unsigned id)
{
	unsigned pos = vget(r, f, CONFIG + 0x34, 1), loops = 48;

	for (; pos && loops--; pos = vget(r, f, CONFIG + pos + 1, 1))
		if (vget(r, f, CONFIG + pos, 1) == id)
			return pos;
	return 0;
}

static void the_msi_capability_is_vfios(void **state)
{
	E;
	unsigned msi = find_cap(r, e->f, 5);
	const int32_t fd = EVENTFD;
	uint32_t addr;

	assert_int_not_equal(msi, 0);
	PUT(msi + 4, 0xfee00000, 4);
	PUT(msi + 12, 0x4321, 2);
	assert_int_equal(GET(msi + 4, 4), 0xfee00000);	/* the program's view... */
	assert_int_equal(GET(msi + 12, 2), 0x4321);
	assert_int_equal(hw(r, msi + 4, 4), 0);		/* ...goes nowhere */
	PUT(msi + 2, 1, 2);
	assert_int_equal(GET(msi + 2, 2) & 1, 0);	/* SET_IRQS switches it on */
	assert_int_equal(hw(r, msi + 2, 2) & 1, 0);
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, 1, 0, 1, &fd, 4), 0);
	assert_int_equal(hw(r, msi + 2, 2) & 1, 1);
	addr = hw(r, msi + 4, 4);
	assert_true(addr >= RIG_MSI_BASE && addr < RIG_MSI_BASE + RIG_MSI_BYTES);
	PUT(msi + 2, 0x71, 2);
	assert_int_equal(GET(msi + 2, 1) & 0x71, 1);	/* enabled, one vector */
	PUT(msi + 4, 0x1000, 4);
	assert_int_equal(hw(r, msi + 4, 4), addr);
	PUT(msi + 2, 0, 2);
	assert_int_equal(hw(r, msi + 2, 2) & 1, 0);	/* the program may hold it back */
}

/* PASIDs are the IOMMU's to configure: a program asks GET_HW_INFO. */
static void the_pasid_capability_is_hidden(void **state)
{
	E;
	const unsigned at = r->fns[0].sim->pasid_cap;
	unsigned pos = 0x100, loops = 100;

	assert_int_not_equal(at, 0);
	assert_int_equal(hw(r, at + 6, 2) & 1, 1);
	for (; pos && loops--; pos = GET(pos, 4) >> 20)
		assert_int_not_equal(GET(pos, 2), 0x1b);
	PUT(at + 4, 0, 4);
	assert_int_equal(hw(r, at + 6, 2) & 1, 1);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
	assert_int_equal(hw(r, at + 6, 2) & 1, 1);	/* survives a reset */
}

static void a_reset_keeps_what_was_configured(void **state)
{
	E;
	const unsigned msi = find_cap(r, e->f, 5), exp = find_cap(r, e->f, 0x10);
	const uint32_t bar = 0xe0000000;
	const int32_t fd = EVENTFD;

	PUT(PCI_COMMAND, MASTER | MEMORY, 2);
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, 1, 0, 1, &fd, 4), 0);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned resets = r->fns[0].resets;

		if (i && exp)
			PUT(exp + 8, 0x8000, 2);	/* FLR by the program's own hand */
		else
			assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as,
							   UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
		assert_int_equal(r->fns[0].resets, resets + 1);
		assert_int_equal(hw(r, 0x10, 4), bar);
		assert_int_equal(hw(r, PCI_COMMAND, 2), MASTER | MEMORY);
		assert_int_equal(hw(r, msi + 2, 2) & 1, 1);
		assert_int_equal(GET(PCI_COMMAND, 2), MASTER | MEMORY);
	}
	if (exp)
		assert_int_equal(GET(exp + 8, 2) & 0x8000, 0);
}

static void any_size_any_offset(void **state)
{
	E;
	uint8_t all[4096], part[64];

	assert_int_equal(vread(r, e->f, CONFIG, all, sizeof(all)), sizeof(all));
	for (unsigned off = 0; off < 80; off++) {
		for (unsigned n = 1; n < 20; n++) {
			assert_int_equal(vread(r, e->f, CONFIG + off, part, n), n);
			assert_memory_equal(part, all + off, n);
		}
	}
	assert_int_equal(vread(r, e->f, CONFIG + 4095, part, 1), 1);
	assert_int_equal(vread(r, e->f, CONFIG + 4095, part, 2), -UIOMMU_EFAULT);
	assert_int_equal(vread(r, e->f, CONFIG + 4096, part, 1), -UIOMMU_EFAULT);
	assert_int_equal(vread(r, e->f, CONFIG + (1ull << 39), part, 1), -UIOMMU_EFAULT);
	assert_int_equal(vwrite(r, e->f, CONFIG + 4093, part, 4), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_vfio_read(e->f, &r->as, CONFIG, 4, RIG_HOLE), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_vfio_write(e->f, &r->as, CONFIG, 4, RIG_HOLE), -UIOMMU_EFAULT);
	assert_int_equal(vread(r, e->f, CONFIG + 5000, part, 0), 0);
}

static void bars_by_read_and_write(void **state)
{
	E;
	uint32_t v = 0x12345678;
	uint8_t many[600];

	assert_int_equal(vget(r, e->f, 0, 4), 0x010000ed);
	assert_int_equal(vwrite(r, e->f, 4, &v, 4), 4);
	assert_int_equal(vget(r, e->f, 4, 4), ~v);
	assert_int_equal(vread(r, e->f, 0, many, sizeof(many)), sizeof(many));
	/* 8-byte accesses, which this device has none of below 0x80 */
	assert_int_equal(many[0], 0xff);
	assert_int_equal(vread(r, e->f, 0x100000 - 4, many, 100), 4);	/* up to the end */
	assert_int_equal(vread(r, e->f, 0x100000, many, 1), -UIOMMU_EINVAL);
	for (uint64_t region = 1; region < 300; region++)
		if (region != 7)
			assert_int_equal(vread(r, e->f, region << 40, many, 4), -UIOMMU_EINVAL);
	PUT(PCI_COMMAND, 0, 2);
	assert_int_equal(vread(r, e->f, 0, many, 4), -UIOMMU_EIO);
	assert_int_equal(vwrite(r, e->f, 4, many, 4), -UIOMMU_EIO);
}

static void bars_by_trapped_access(void **state)
{
	E;

	assert_int_equal(uiommu_vfio_load(e->f, 0, 0, 4), 0x010000ed);
	uiommu_vfio_store(e->f, 0, 4, 0xf0f0f0f0, 4);
	assert_int_equal(uiommu_vfio_load(e->f, 0, 4, 4), 0x0f0f0f0f);
	assert_true(uiommu_vfio_load(e->f, 0, 0x100000, 4) == UINT64_MAX);
	assert_true(uiommu_vfio_load(e->f, 0, 0xffffe, 4) == UINT64_MAX);
	assert_true(uiommu_vfio_load(e->f, 0, UINT64_MAX - 1, 4) == UINT64_MAX);
	assert_true(uiommu_vfio_load(e->f, 1, 0, 4) == UINT64_MAX);
	assert_true(uiommu_vfio_load(e->f, 77, 0, 4) == UINT64_MAX);
	PUT(PCI_COMMAND, 0, 2);
	assert_true(uiommu_vfio_load(e->f, 0, 0, 4) == UINT64_MAX);
	uiommu_vfio_store(e->f, 0, 4, 1, 4);
	PUT(PCI_COMMAND, MEMORY, 2);
	assert_int_equal(uiommu_vfio_load(e->f, 0, 4, 4), 0x0f0f0f0f);
}

static void what_may_be_mapped(void **state)
{
	struct venv *e = *state;
	unsigned region = 99;
	uint64_t at = 99;

	assert_int_equal(uiommu_vfio_mmap(e->f, 0, 0x100000, &region, &at), 0);
	assert_int_equal(region, 0);
	assert_int_equal(at, 0);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0xff000, PAGE, &region, &at), 0);
	assert_int_equal(at, 0xff000);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0, 0, &region, &at), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0x800, PAGE, &region, &at), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0xff000, 2 * PAGE, &region, &at), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0x100000, PAGE, &region, &at), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_mmap(e->f, PAGE, UINT64_MAX, &region, &at), -UIOMMU_EINVAL);
	for (uint64_t n = 1; n < 20; n++)
		assert_int_equal(uiommu_vfio_mmap(e->f, n << 40, PAGE, &region, &at),
				 -UIOMMU_EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(identity_is_read_only),
		T(command_register),
		T(bars_are_sized_by_writing_ones),
		T(the_msi_capability_is_vfios),
		T(the_pasid_capability_is_hidden),
		T(a_reset_keeps_what_was_configured),
		T(any_size_any_offset),
		T(bars_by_read_and_write),
		T(bars_by_trapped_access),
		T(what_may_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
