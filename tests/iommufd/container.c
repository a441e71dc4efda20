/* SPDX-License-Identifier: MIT */
/* The calls of a VFIO container on an iommufd context. */
#include "rig.h"

#define IOVA	0x40000ull
#define V1	UIOMMU_ABI_VFIO_TYPE1_IOMMU
#define V2	UIOMMU_ABI_VFIO_TYPE1v2_IOMMU

struct env {
	struct rig *r;
	struct uiommu_iommufd *ctx;
	struct uiommu_iommufd_dev *dev;
	uint32_t id, ioas;
};

static int plain(struct env *e, uint32_t nr, uint64_t arg)
{
	return uiommu_iommufd_ioctl(e->ctx, &e->r->as, nr, arg);
}

static void name_ioas(struct env *e)
{
	struct uiommu_abi_iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = 1 };

	cmd.ioas_id = e->ioas = rig_ioas(e->r, e->ctx);
	assert_int_equal(rig_ioctl(e->r, e->ctx, UIOMMU_ABI_IOMMU_VFIO_IOAS, &cmd, sizeof(cmd)), 0);
}

static int setup_bare(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	e->r = rig_create(false, false);
	e->ctx = rig_iommufd(e->r);
	for (unsigned i = 0; i < RIG_PAGES - 1; i++)
		*(uint64_t *)rig_ptr(e->r, RIG_VA + i * PAGE) = 0x1000 + i;
	*state = e;
	return 0;
}

static int setup(void **state)
{
	struct env *e;

	setup_bare(state);
	e = *state;
	name_ioas(e);
	assert_int_equal(uiommu_iommufd_bind(e->ctx, e->r->fns[0].dev, &e->dev, &e->id), 0);
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	if (e->dev)
		uiommu_iommufd_unbind(e->dev);
	uiommu_iommufd_put(e->ctx);
	rig_destroy(e->r);
	free(e);
	return 0;
}

static int map(struct env *e, uint64_t va, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct uiommu_abi_vfio_iommu_type1_dma_map m = { sizeof(m), flags, va, iova, size };

	return rig_ioctl(e->r, e->ctx, UIOMMU_ABI_VFIO_IOMMU_MAP_DMA, &m, sizeof(m));
}

static int unmap(struct env *e, uint64_t iova, uint64_t *size, uint32_t flags)
{
	struct uiommu_abi_vfio_iommu_type1_dma_unmap u = { sizeof(u), flags, iova, *size };
	int ret = rig_ioctl(e->r, e->ctx, UIOMMU_ABI_VFIO_IOMMU_UNMAP_DMA, &u, sizeof(u));

	*size = u.size;
	return ret;
}

static void attach(struct env *e)
{
	uint32_t pt = e->ioas;

	assert_int_equal(uiommu_iommufd_attach(e->dev, 0, &pt), 0);
}

static uint64_t sees(struct env *e, unsigned page)
{
	return rig_read64(e->r, 0, -1, IOVA + page * PAGE);
}

static void without_an_ioas(void **state)
{
	struct env *e = *state;
	uint8_t info[24] = { 24 };
	uint64_t n = PAGE;

	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_GET_API_VERSION, 0), 0);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, V1), 1);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, V2), 1);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, UIOMMU_ABI_VFIO_UNMAP_ALL), 1);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, 8), 0);	/* no-iommu */
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, UINT64_MAX), 0);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, UIOMMU_ABI_VFIO_DMA_CC_IOMMU),
			 -UIOMMU_ENODEV);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V1), -UIOMMU_ENODEV);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V2), -UIOMMU_ENODEV);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, 8), -UIOMMU_EINVAL);
	assert_int_equal(map(e, RIG_VA, IOVA, PAGE, 3), -UIOMMU_ENODEV);
	assert_int_equal(unmap(e, IOVA, &n, 0), -UIOMMU_ENODEV);
	assert_int_equal(rig_ioctl(e->r, e->ctx, UIOMMU_ABI_VFIO_IOMMU_GET_INFO, info,
				   sizeof(info)), -UIOMMU_ENODEV);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_IOMMU_GET_INFO, 0), -UIOMMU_EFAULT);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_IOMMU_MAP_DMA, 0), -UIOMMU_EFAULT);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_IOMMU_UNMAP_DMA, 0), -UIOMMU_EFAULT);
}

static void arguments(void **state)
{
	struct env *e = *state;
	uint64_t n = PAGE;

	assert_int_equal(map(e, RIG_VA, IOVA, PAGE, 4), -UIOMMU_EINVAL);
	assert_int_equal(map(e, RIG_VA, IOVA, 0, 3), -UIOMMU_EINVAL);
	assert_int_equal(map(e, RIG_VA, UINT64_MAX - 5, PAGE, 3), -UIOMMU_EOVERFLOW);
	assert_int_equal(unmap(e, IOVA, &n, 1), -UIOMMU_EINVAL);
	assert_int_equal(unmap(e, IOVA, &n, 2), -UIOMMU_EINVAL);
	assert_int_equal(unmap(e, IOVA, &n, 0), 0);	/* nothing there is fine */
	assert_int_equal(n, 0);
	assert_int_equal(unmap(e, IOVA, &n, 0), -UIOMMU_EINVAL);
	n = PAGE;
	assert_int_equal(unmap(e, UINT64_MAX - 5, &n, 0), -UIOMMU_EOVERFLOW);
	assert_int_equal(n, 0);
	assert_int_equal(map(e, RIG_VA, IOVA, PAGE, 3), 0);
	assert_int_equal(map(e, RIG_VA, IOVA, PAGE, 3), -UIOMMU_EEXIST);
	assert_int_equal(unmap(e, 0, &n, 2), 0);
	assert_int_equal(n, PAGE);
}

static void version_2_does_not_split(void **state)
{
	struct env *e = *state;
	uint64_t n = 2 * PAGE;

	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V2), 0);
	assert_int_equal(map(e, RIG_VA, IOVA, 8 * PAGE, 3), 0);
	attach(e);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_CHECK_EXTENSION, UIOMMU_ABI_VFIO_DMA_CC_IOMMU), 0);
	assert_int_equal(sees(e, 7), 0x1007);
	assert_int_equal(unmap(e, IOVA + PAGE, &n, 0), -UIOMMU_ENOENT);
	assert_int_equal(n, 0);
	assert_int_equal(sees(e, 1), 0x1001);
	n = 100 * PAGE;
	assert_int_equal(unmap(e, IOVA, &n, 0), 0);
	assert_int_equal(n, 8 * PAGE);
	assert_int_equal(sees(e, 1), 0);
	/* what is mapped with large pages cannot become version 1 */
	assert_int_equal(map(e, RIG_VA, IOVA, PAGE, 3), 0);
	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V1), -UIOMMU_EINVAL);
}

static void version_1_unmaps_in_the_middle(void **state)
{
	struct env *e = *state;
	uint64_t n = 2 * PAGE;
	uint32_t hwpt;

	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V1), 0);
	assert_int_equal(map(e, RIG_VA, IOVA, 8 * PAGE, 3), 0);
	attach(e);
	assert_int_equal(e->r->num_pins, 1);
	assert_int_equal(unmap(e, IOVA + 3 * PAGE, &n, 0), 0);
	assert_int_equal(n, 2 * PAGE);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(sees(e, i), i == 3 || i == 4 ? 0 : 0x1000 + i);
	n = 3 * PAGE;					/* from inside one, over its end */
	assert_int_equal(unmap(e, IOVA + 2 * PAGE, &n, 0), 0);
	assert_int_equal(n, PAGE);
	assert_int_equal(sees(e, 1), 0x1001);
	assert_int_equal(sees(e, 2), 0);
	n = PAGE / 2;
	assert_int_equal(unmap(e, IOVA, &n, 0), -UIOMMU_EINVAL);
	assert_int_equal(e->r->num_pins, 1);		/* what is left still holds it */
	assert_int_equal(map(e, RIG_VA + 20 * PAGE, IOVA + 3 * PAGE, PAGE, 1), 0);
	assert_int_equal(sees(e, 3), 0x1014);
	/* a new page table is filled from the parts */
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id, e->ioas, 0, &hwpt), 0);
	assert_int_equal(uiommu_iommufd_attach(e->dev, 0, &hwpt), 0);
	assert_int_equal(sees(e, 1), 0x1001);
	assert_int_equal(sees(e, 3), 0x1014);
	assert_int_equal(sees(e, 7), 0x1007);
	n = 0;
	assert_int_equal(unmap(e, 0, &n, 2), 0);
	assert_int_equal(n, 6 * PAGE);
	assert_int_equal(e->r->num_pins, 0);
}

/* Memory that would take a 2 MiB entry: version 1 makes 512 small ones of it. */
static void version_1_has_no_large_pages(void **state)
{
	struct env *e = *state;
	uint64_t n = PAGE;

	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V1), 0);
	attach(e);
	assert_int_equal(map(e, RIG_VA, 0x400000, 1024 * PAGE, 3), 0);
	assert_int_equal(unmap(e, 0x400000 + 700 * PAGE, &n, 0), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, 0x400000 + 699 * PAGE), 0x1000 + 699);
	assert_int_equal(rig_read64(e->r, 0, -1, 0x400000 + 700 * PAGE), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, 0x400000 + 701 * PAGE), 0x1000 + 701);
}

static void cutting_without_memory(void **state)
{
	struct env *e = *state;
	uint64_t n;

	assert_int_equal(plain(e, UIOMMU_ABI_VFIO_SET_IOMMU, V1), 0);
	assert_int_equal(map(e, RIG_VA, IOVA, 8 * PAGE, 3), 0);
	attach(e);
	for (unsigned i = 1; i <= 2; i++) {	/* the first cut, the second */
		n = PAGE;
		e->r->fail_at = e->r->allocs + i;
		assert_int_equal(unmap(e, IOVA + 4 * PAGE, &n, 0), -UIOMMU_ENOMEM);
		e->r->fail_at = 0;
		for (unsigned page = 0; page < 8; page++)
			assert_int_equal(sees(e, page), 0x1000 + page);
	}
	n = PAGE;
	assert_int_equal(unmap(e, IOVA + 4 * PAGE, &n, 0), 0);
	assert_int_equal(sees(e, 4), 0);
}

/* ---- IOMMU_GET_INFO ---- */

struct info {
	struct uiommu_abi_vfio_iommu_type1_info i;
	struct uiommu_abi_vfio_iommu_type1_info_dma_avail avail;
	uint32_t pad;
	struct uiommu_abi_vfio_iommu_type1_info_cap_iova_range cap;
	struct uiommu_abi_vfio_iova_range r[4];
};

static void information(void **state)
{
	struct env *e = *state;
	struct info i;

#define TRY(size) (memset(&i, 0, sizeof(i)), i.i.argsz = (size), \
	rig_ioctl(e->r, e->ctx, UIOMMU_ABI_VFIO_IOMMU_GET_INFO, &i, sizeof(i)))
	attach(e);
	assert_int_equal(TRY(15), -UIOMMU_EINVAL);
	assert_int_equal(TRY(16), 0);
	assert_int_equal(i.i.argsz, 24 + 16 + 16 + 2 * 16);	/* the window is left out */
	assert_int_equal(i.i.flags, 3);
	assert_int_equal(i.i.iova_pgsizes, 1ull << 12 | 1ull << 21 | 1ull << 30);
	assert_int_equal(i.avail.id, 0);
	assert_int_equal(TRY(24), 0);
	assert_int_equal(i.i.cap_offset, 0);
	assert_int_equal(TRY(sizeof(i)), 0);
	assert_int_equal(i.i.argsz, 88);
	assert_int_equal(i.i.cap_offset, 24);
	assert_int_equal(i.avail.id, UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	assert_int_equal(i.avail.version, 1);
	assert_int_equal(i.avail.next, 40);
	assert_int_equal(i.cap.id, UIOMMU_ABI_VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	assert_int_equal(i.cap.next, 0);
	assert_int_equal(i.cap.nr_iovas, 2);
	assert_int_equal(i.r[0].start, 0);
	assert_int_equal(i.r[0].end, RIG_MSI_BASE - 1);
	assert_int_equal(i.r[1].end, (1ull << 48) - 1);
	assert_int_equal(TRY(87), 0);
	assert_int_equal(i.i.cap_offset, 0);
	assert_int_equal(i.i.argsz, 88);
	uiommu_iommufd_detach(e->dev, 0);
	assert_int_equal(TRY(sizeof(i)), 0);
	assert_true(i.i.iova_pgsizes == ~(PAGE - 1));
	assert_int_equal(i.cap.nr_iovas, 1);
	assert_true(i.r[0].end == UINT64_MAX);
#undef TRY
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_an_ioas, setup_bare, teardown),
		T(arguments),
		T(version_2_does_not_split),
		T(version_1_unmaps_in_the_middle),
		T(version_1_has_no_large_pages),
		T(cutting_without_memory),
		T(information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
