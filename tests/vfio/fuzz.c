/* SPDX-License-Identifier: MIT */
/*
 * Random calls on two opens of one device: structures wrong in every way, any
 * file number, reads and writes of configuration space and BARs anywhere. Nothing
 * may crash, nothing may be left when the files are closed.
 *
 * UIOMMU_SEED=n repeats a run, UIOMMU_ROUNDS=n makes it longer.
 */
#include "vrig.h"

static unsigned long succeeded;

static uint32_t word(uint64_t *seed)
{
	static const uint32_t v[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 20, 24, 32, 33, 36, 0x21, 0x24, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
	};
	uint64_t z = rig_random(seed);

	return z % 6 ? v[(z >> 8) % (sizeof(v) / sizeof(v[0]))] : (uint32_t)(z >> 16);
}

static void ioctl_step(struct rig *r, struct uiommu_vfio_file *f, uint64_t *seed)
{
	uint32_t buf[16], nr = 0x3b64 + rig_random(seed) % 24;

	for (unsigned i = 0; i < 16; i++)
		buf[i] = word(seed);
	if (rig_random(seed) % 8)
		buf[0] = 32;
	if (rig_random(seed) % 2)
		buf[1] = 0;
	if (rig_random(seed) % 2)
		buf[2] = rig_random(seed) % 9;
	if (rig_random(seed) % 4 == 0)
		nr = UIOMMU_ABI_VFIO_DEVICE_SET_IRQS;
	if (nr == UIOMMU_ABI_VFIO_DEVICE_SET_IRQS && rig_random(seed) % 2) {
		buf[1] = TRIGGER | 1u << rig_random(seed) % 3;
		buf[2] = rig_random(seed) % 5;
		buf[3] = 0;
		buf[4] = rig_random(seed) % 2;
		buf[5] = rig_random(seed) % 8 - 1;
	}
	if (rig_random(seed) % 12 == 0)
		nr = UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD;
	if (nr == UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD && rig_random(seed) % 4)
		memcpy(buf, (uint32_t[]){ 24, 0, IOMMUFD, 0, 0, 0 }, 24);
	succeeded += vioctl(r, f, nr, buf, sizeof(buf)) == 0;
}

static void access_step(struct rig *r, struct uiommu_vfio_file *f, uint64_t *seed)
{
	uint64_t z = rig_random(seed), region = z % 3 ? (z % 3 == 1 ? 7 : 0) : (z >> 8) % 12;
	uint64_t off = region << 40 | (z >> 16) % (z & 1 << 15 ? 0x100000 : 0x120);
	uint64_t n = (z >> 48) % 70;

	if (z >> 63)
		uiommu_vfio_read(f, &r->as, off, n, RIG_VA);
	else
		uiommu_vfio_write(f, &r->as, off, n, RIG_VA);
	*(uint64_t *)rig_ptr(r, RIG_VA) = rig_random(seed);
}

/* One draw a statement: a seed is to mean the same with every compiler. */
static void store_step(struct rig *r, struct uiommu_vfio_file *f, uint64_t *seed)
{
	unsigned region = rig_random(seed) % 8, size = 1u << rig_random(seed) % 4;
	uint64_t off = word(seed), v = word(seed);

	uiommu_vfio_store(f, region, off, v, size);
	for (unsigned i = 0; i < 20 && uiommu_sim_step(r->fns[0].sim); i++)
		;
}

static void step(struct rig *r, struct uiommu_vfio_file **files, uint64_t *seed)
{
	struct uiommu_vfio_file **f = &files[rig_random(seed) % 2];
	uint32_t pt = word(seed) % 8;

	switch (rig_random(seed) % 80) {
	case 0:
		uiommu_vfio_close(*f);
		assert_int_equal(uiommu_vfio_open(r->fns[0].vfio, f), 0);
		break;
	case 1:
		rig_close_fd(r, IOMMUFD);
		rig_install(r, IOMMUFD, uiommu_iommufd_kind, rig_iommufd(r));
		break;
	case 2 ... 6:
		rig_ioas(r, r->as.fds[IOMMUFD]->object);
		vattach(r, *f, rig_random(seed) % 3, &pt);
		break;
	case 7 ... 24:
		access_step(r, *f, seed);
		break;
	case 25 ... 28:
		store_step(r, *f, seed);
		break;
	default:
		ioctl_step(r, *f, seed);
	}
}

static void invariant_14_any_call_on_a_device_file(void **state)
{
	const char *s = getenv("UIOMMU_ROUNDS");
	uint64_t seed = rig_seed("invariant_14_any_call_on_a_device_file", 0xf10);
	struct venv *e = venv_create();
	struct uiommu_vfio_file *files[2] = { e->f };

	assert_int_equal(uiommu_vfio_open(e->r->fns[0].vfio, &files[1]), 0);
	for (unsigned long left = s ? strtoul(s, NULL, 0) : 20000; left; left--)
		step(e->r, files, &seed);
	print_message("# %lu calls succeeded\n", succeeded);
	assert_true(s || succeeded > 500);
	uiommu_vfio_close(files[1]);
	e->f = files[0];
	venv_destroy(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(invariant_14_any_call_on_a_device_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
