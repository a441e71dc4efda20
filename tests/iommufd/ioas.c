/* SPDX-License-Identifier: MIT */
/* An I/O address space without and with a page table: what may be mapped where. */
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

#define CTX struct rig *r = *state; struct uiommu_iommufd *ctx = rig_iommufd(r)

static int try_map(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t va,
		   uint64_t len, uint64_t iova, uint32_t flags)
{
	return rig_try_map(r, ctx, ioas, va, len, &iova, flags);
}

/* ---- arguments ---- */

static void map_arguments(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);

	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, 0, RW | 8), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, 0x10000, FIXED), -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, UINT64_MAX, FIXED | RW),
			 -UIOMMU_EOVERFLOW);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, UINT64_MAX, 0, FIXED | RW),
			 -UIOMMU_EOVERFLOW);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, 0, 0x10000, FIXED | RW), -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, UINT64_MAX - PAGE + 1, 2 * PAGE, 0, FIXED | RW),
			 -UIOMMU_EOVERFLOW);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, 2 * PAGE, UINT64_MAX - PAGE + 1, FIXED | RW),
			 -UIOMMU_EOVERFLOW);
	assert_int_equal(try_map(r, ctx, ioas, 0, UINT64_MAX - 1, 0, FIXED | RW), -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, 99, RIG_VA, PAGE, 0, RW), -UIOMMU_ENOENT);
	uiommu_iommufd_put(ctx);
}

static void mappings_may_not_overlap(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);

	rig_map(r, ctx, ioas, RIG_VA, 4 * PAGE, 0x20000);
	for (uint64_t at = 0x20000 - PAGE; at < 0x20000 + 4 * PAGE; at += PAGE)
		assert_int_equal(try_map(r, ctx, ioas, RIG_VA, 2 * PAGE, at, FIXED | RW),
				 -UIOMMU_EEXIST);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x20000 - PAGE);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x20000 + 4 * PAGE);
	uiommu_iommufd_put(ctx);
}

static void without_a_page_table_any_byte_goes(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);
	uint64_t n;

	rig_map(r, ctx, ioas, RIG_VA + 3, 5, 0x20001);
	rig_map(r, ctx, ioas, RIG_VA + 7, 1, 0x20006);
	rig_map(r, ctx, ioas, 0xdead0000, PAGE, 0x30000);	/* not even there */
	assert_int_equal(r->num_pins, 0);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x20000, 6, &n), 0);
	assert_int_equal(n, 5);
	uiommu_iommufd_put(ctx);
}

static void unmap_takes_whole_mappings_only(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);
	uint64_t n;

	for (unsigned i = 0; i < 4; i++)
		rig_map(r, ctx, ioas, RIG_VA, 8 * PAGE, 0x100000 + 16 * i * PAGE);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x100000 - 4 * PAGE, 8 * PAGE, NULL),
			 -UIOMMU_ENOENT);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x100000 + 4 * PAGE, 32 * PAGE, NULL),
			 -UIOMMU_ENOENT);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x100000, 18 * PAGE, NULL), -UIOMMU_ENOENT);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x100000 + PAGE, PAGE, NULL), -UIOMMU_ENOENT);
	/* a refused call took nothing: all four are still there */
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x100000 - PAGE, 57 * PAGE, &n), 0);
	assert_int_equal(n, 32 * PAGE);
	uiommu_iommufd_put(ctx);
}

static void unmap_arguments(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);
	uint64_t n;

	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, PAGE, NULL), -UIOMMU_ENOENT);
	assert_int_equal(rig_unmap(r, ctx, ioas, PAGE, UINT64_MAX, NULL), -UIOMMU_EOVERFLOW);
	assert_int_equal(rig_unmap(r, ctx, ioas, UINT64_MAX, 1, NULL), -UIOMMU_EOVERFLOW);
	assert_int_equal(rig_unmap(r, ctx, ioas, UINT64_MAX - 1, 4, NULL), -UIOMMU_EOVERFLOW);
	assert_int_equal(rig_unmap(r, ctx, ioas, PAGE, 0, NULL), -UIOMMU_EINVAL);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, 0, NULL), -UIOMMU_EINVAL);
	rig_map(r, ctx, ioas, RIG_VA, 3 * PAGE, 0x20000);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x80000);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 4 * PAGE);
	uiommu_iommufd_put(ctx);
}

/* ---- automatic addresses ---- */

static void chosen_addresses_keep_the_alignment(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);
	uint64_t iova = 0;

	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, PAGE);			/* never 0 */
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, 16 * PAGE, &iova, RW), 0);
	assert_int_equal(iova, 16 * PAGE);		/* as aligned as it is long */
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA + 4 * PAGE, 16 * PAGE, &iova, RW), 0);
	assert_int_equal(iova % (4 * PAGE), 0);		/* as aligned as the memory */
	assert_int_equal(iova, 32 * PAGE);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA + 0x123, 10, &iova, RW), 0);
	assert_int_equal(iova % PAGE, 0x123);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, 3 * PAGE);		/* first fit: the odd one has page 2 */
	assert_int_equal(rig_try_map(r, ctx, ioas, 0, UINT64_MAX / 2, &iova, RW),
			 -UIOMMU_EOVERFLOW);
	uiommu_iommufd_put(ctx);
}

/* What was in the way and is not any more is used again, a reservation too. */
static void what_is_free_again_is_chosen_again(void **state)
{
	struct rig *r = *state;
	const struct uiommu_iommufd_config cfg = {
		.u = r->u, .host = &r->host, .uaccess = &r->ua,
		.msi_base = PAGE, .msi_bytes = 2 * PAGE,
	};
	struct uiommu_iommufd_dev *idev;
	struct uiommu_iommufd *ctx;
	uint32_t ioas, id, pt;
	uint64_t iova = 0;

	assert_int_equal(uiommu_iommufd_create(&cfg, &ctx), 0);
	pt = ioas = rig_ioas(r, ctx);
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	for (unsigned i = 3; i < 10; i++) {
		assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
		assert_int_equal(iova, i * PAGE);
	}
	assert_int_equal(rig_unmap(r, ctx, ioas, 5 * PAGE, PAGE, NULL), 0);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, 5 * PAGE);
	uiommu_iommufd_detach(idev, 0);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, PAGE);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(ctx);
}

static int allow(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, unsigned num,
		 const struct uiommu_abi_iommu_iova_range *ranges)
{
	struct uiommu_abi_iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .num_iovas = num,
		.allowed_iovas = RIG_VA,
	};

	memcpy(rig_ptr(r, RIG_VA), ranges, num * sizeof(*ranges));
	return rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_ALLOW_IOVAS, &cmd, sizeof(cmd));
}

static void allowed_ranges(void **state)
{
	CTX;
	const struct uiommu_abi_iommu_iova_range two[] = {
		{ 0x40000, 0x41fff }, { 0x20000, 0x20fff }
	};
	const struct uiommu_abi_iommu_iova_range twice[] = {
		{ 0x40000, 0x41fff }, { 0x41000, 0x42fff }
	};
	const struct uiommu_abi_iommu_iova_range back[] = { { 0x40000, 0x40000 } };
	uint32_t ioas = rig_ioas(r, ctx);
	uint64_t iova = 0;

	assert_int_equal(allow(r, ctx, 99, 2, two), -UIOMMU_ENOENT);
	assert_int_equal(allow(r, ctx, ioas, 2, twice), -UIOMMU_EINVAL);
	assert_int_equal(allow(r, ctx, ioas, 1, back), -UIOMMU_EINVAL);
	assert_int_equal(allow(r, ctx, ioas, 2, two), 0);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, 0x20000);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, 2 * PAGE, &iova, RW), 0);
	assert_int_equal(iova, 0x40000);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), -UIOMMU_ENOSPC);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x90000);	/* a fixed one may go anywhere */
	assert_int_equal(allow(r, ctx, ioas, 0, two), 0);
	assert_int_equal(rig_try_map(r, ctx, ioas, RIG_VA, PAGE, &iova, RW), 0);
	assert_int_equal(iova, PAGE);
	uiommu_iommufd_put(ctx);
}

/* ---- IOVA_RANGES ---- */

static int ranges(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint32_t *num,
		  uint64_t *alignment)
{
	struct uiommu_abi_iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .num_iovas = *num, .allowed_iovas = RIG_VA,
	};
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_IOVA_RANGES, &cmd, sizeof(cmd));

	*num = cmd.num_iovas;
	*alignment = cmd.out_iova_alignment;
	return ret;
}

static void usable_ranges(void **state)
{
	CTX;
	const struct uiommu_abi_iommu_iova_range *out = rig_ptr(r, RIG_VA);
	uint32_t ioas = rig_ioas(r, ctx), num = 0, id, pt = ioas;
	struct uiommu_iommufd_dev *idev;
	uint64_t alignment;

	assert_int_equal(ranges(r, ctx, ioas, &num, &alignment), -UIOMMU_EMSGSIZE);
	assert_int_equal(num, 1);
	assert_int_equal(ranges(r, ctx, ioas, &num, &alignment), 0);
	assert_int_equal(out[0].start, 0);
	assert_true(out[0].last == UINT64_MAX);
	assert_int_equal(alignment, 1);

	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	num = 1;
	assert_int_equal(ranges(r, ctx, ioas, &num, &alignment), -UIOMMU_EMSGSIZE);
	assert_int_equal(num, 2);
	assert_int_equal(ranges(r, ctx, ioas, &num, &alignment), 0);
	assert_int_equal(alignment, PAGE);
	assert_int_equal(out[0].start, 0);
	assert_int_equal(out[0].last, RIG_MSI_BASE - 1);
	assert_int_equal(out[1].start, RIG_MSI_BASE + RIG_MSI_BYTES);
	assert_int_equal(out[1].last, (1ull << 48) - 1);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, RIG_MSI_BASE, FIXED | RW),
			 -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, 1ull << 48, FIXED | RW),
			 -UIOMMU_EINVAL);
	uiommu_iommufd_unbind(idev);
	num = 4;
	assert_int_equal(ranges(r, ctx, ioas, &num, &alignment), 0);
	assert_int_equal(num, 1);
	assert_int_equal(alignment, 1);
	uiommu_iommufd_put(ctx);
}

/* ---- copies ---- */

static int copy(struct rig *r, struct uiommu_iommufd *ctx, uint32_t dst, uint32_t src,
		uint64_t len, uint64_t dst_iova, uint64_t src_iova, uint32_t flags)
{
	struct uiommu_abi_iommu_ioas_copy cmd = {
		.size = sizeof(cmd), .flags = flags, .dst_ioas_id = dst, .src_ioas_id = src,
		.length = len, .dst_iova = dst_iova, .src_iova = src_iova,
	};

	return rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_COPY, &cmd, sizeof(cmd));
}

static void copy_arguments(void **state)
{
	CTX;
	uint32_t a = rig_ioas(r, ctx), b = rig_ioas(r, ctx);
	uint64_t iova = 0x40000;

	rig_map(r, ctx, a, RIG_VA, 2 * PAGE, 0x10000);
	assert_int_equal(rig_try_map(r, ctx, a, RIG_VA, PAGE, &iova,
				     FIXED | UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE), 0);
	assert_int_equal(copy(r, ctx, b, a, PAGE, 0, 0x10000, RW | 8), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(copy(r, ctx, b, a, PAGE, 0, 0x10000, FIXED), -UIOMMU_EINVAL);
	assert_int_equal(copy(r, ctx, b, a, UINT64_MAX, 0, 0x10000, RW), -UIOMMU_EOVERFLOW);
	assert_int_equal(copy(r, ctx, b, a, 0, 0, 0x10000, RW), -UIOMMU_EINVAL);
	assert_int_equal(copy(r, ctx, b, 99, PAGE, 0, 0x10000, RW), -UIOMMU_ENOENT);
	assert_int_equal(copy(r, ctx, 99, a, PAGE, 0, 0x10000, RW), -UIOMMU_ENOENT);
	assert_int_equal(copy(r, ctx, b, a, 3 * PAGE, 0, 0x10000, RW), -UIOMMU_ENOENT);
	assert_int_equal(copy(r, ctx, b, a, PAGE, 0, 0x9000, RW), -UIOMMU_ENOENT);
	assert_int_equal(copy(r, ctx, b, a, PAGE, 0, 0x40000, RW), -UIOMMU_EPERM);
	assert_int_equal(copy(r, ctx, a, a, PAGE, 0x11000, 0x10000, FIXED | RW), -UIOMMU_EEXIST);
	assert_int_equal(copy(r, ctx, a, a, PAGE, 0x12000, 0x10000, FIXED | RW), 0);
	uiommu_iommufd_put(ctx);
}

static void a_copy_shares_the_pages(void **state)
{
	CTX;
	uint32_t a = rig_ioas(r, ctx), b = rig_ioas(r, ctx), id, pt = b;
	struct uiommu_iommufd_dev *idev;

	for (unsigned i = 0; i < 4; i++)
		*(uint64_t *)rig_ptr(r, RIG_VA + i * PAGE) = 0x100 + i;
	rig_map(r, ctx, a, RIG_VA, 2 * PAGE, 0x10000);
	rig_map(r, ctx, a, RIG_VA + 2 * PAGE, 2 * PAGE, 0x12000);
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	assert_int_equal(copy(r, ctx, b, a, 2 * PAGE, 0x50000, 0x11000, FIXED | RW), 0);
	assert_int_equal(r->num_pins, 2);		/* the parts that were needed */
	assert_int_equal(rig_unmap(r, ctx, a, 0, UINT64_MAX, NULL), 0);
	r->as.dead = true;
	assert_int_equal(rig_read64(r, 0, -1, 0x50000), 0x101);
	assert_int_equal(rig_read64(r, 0, -1, 0x51000), 0x102);
	assert_int_equal(rig_read64(r, 0, -1, 0x52000), 0);
	r->as.dead = false;
	assert_int_equal(rig_unmap(r, ctx, b, 0x50000, PAGE, NULL), 0);
	assert_int_equal(rig_read64(r, 0, -1, 0x50000), 0);
	assert_int_equal(rig_read64(r, 0, -1, 0x51000), 0x102);
	assert_int_equal(r->num_pins, 1);
	uiommu_iommufd_unbind(idev);
	assert_int_equal(r->num_pins, 0);
	uiommu_iommufd_put(ctx);
}

static void pinned_like(const struct rig_pin *p, uint64_t va, uint64_t like)
{
	assert_int_equal(p->va, va);
	assert_int_equal(p->like, like);
}

/* A pin made for one part serves the whole when that comes. */
static void pins_are_completed_and_shared(void **state)
{
	CTX;
	uint32_t a = rig_ioas(r, ctx), b = rig_ioas(r, ctx), id0, id1, pt = b;
	struct uiommu_iommufd_dev *d0, *d1;

	rig_map(r, ctx, a, RIG_VA, 8 * PAGE, 0x10000);
	*(uint64_t *)rig_ptr(r, RIG_VA + 7 * PAGE) = 7;
	*(uint64_t *)rig_ptr(r, RIG_VA + 3 * PAGE) = 3;
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &d0, &id0), 0);
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[1].dev, &d1, &id1), 0);
	assert_int_equal(uiommu_iommufd_attach(d0, 0, &pt), 0);
	assert_int_equal(copy(r, ctx, b, a, 2 * PAGE, 0x50000, 0x13000, FIXED | RW), 0);
	assert_int_equal(r->num_pins, 1);
	pt = a;
	assert_int_equal(uiommu_iommufd_attach(d1, 0, &pt), 0);
	assert_int_equal(r->num_pins, 3);		/* before, shared, behind */
	/* each told where devices find it first */
	pinned_like(r->pins->next->next, RIG_VA + 3 * PAGE, 0x50000);
	pinned_like(r->pins->next, RIG_VA, 0x10000);
	pinned_like(r->pins, RIG_VA + 5 * PAGE, 0x15000);
	assert_int_equal(rig_read64(r, 1, -1, 0x17000), 7);
	assert_int_equal(rig_read64(r, 1, -1, 0x13000), 3);
	uiommu_iommufd_unbind(d0);
	assert_int_equal(r->num_pins, 3);
	assert_int_equal(rig_read64(r, 1, -1, 0x13000), 3);
	uiommu_iommufd_unbind(d1);
	assert_int_equal(r->num_pins, 0);
	uiommu_iommufd_put(ctx);
}

/* ---- pins ---- */

static void bad_memory_shows_when_a_page_table_comes(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx), id, pt = ioas;
	struct uiommu_iommufd_dev *idev;

	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x10000);
	rig_map(r, ctx, ioas, RIG_HOLE, PAGE, 0x20000);
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EFAULT);
	assert_int_equal(pt, ioas);
	assert_int_equal(r->num_pins, 0);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0x20000, PAGE, NULL), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	assert_int_equal(r->num_pins, 1);
	assert_int_equal(try_map(r, ctx, ioas, RIG_HOLE, PAGE, 0x20000, FIXED | RW),
			 -UIOMMU_EFAULT);
	assert_int_equal(try_map(r, ctx, ioas, RIG_HOLE - PAGE, PAGE, 0x20000, FIXED | RW),
			 -UIOMMU_EFAULT);		/* not writable */
	assert_int_equal(try_map(r, ctx, ioas, RIG_HOLE - PAGE, PAGE, 0x20000,
				 FIXED | UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE), 0);
	assert_int_equal(rig_dma(r, 0, -1, 0x20000, &(uint64_t){ 1 }, 8, true), -UIOMMU_EFAULT);
	assert_int_equal(rig_dma(r, 0, -1, 0x20000, &(uint64_t){ 1 }, 8, false), 0);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(ctx);
}

static void alignment_is_checked_once_there_is_a_page_table(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx), id, pt = ioas;
	struct uiommu_iommufd_dev *idev;

	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	rig_map(r, ctx, ioas, RIG_VA, PAGE / 2, 0x10000);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EADDRINUSE);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, NULL), 0);
	rig_map(r, ctx, ioas, RIG_VA + 8, PAGE, 0x10000);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EADDRINUSE);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, NULL), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE / 2, 0x10000, FIXED | RW),
			 -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA, PAGE, 0x10800, FIXED | RW),
			 -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA + 16, PAGE, 0x10000, FIXED | RW),
			 -UIOMMU_EINVAL);
	assert_int_equal(try_map(r, ctx, ioas, RIG_VA + 16, PAGE, 0, RW), -UIOMMU_EINVAL);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(ctx);
}

static void reservations_refuse_what_is_there(void **state)
{
	CTX;
	const struct uiommu_abi_iommu_iova_range win[] = { { RIG_MSI_BASE, RIG_MSI_BASE + 5 } };
	uint32_t ioas = rig_ioas(r, ctx), id, pt = ioas;
	struct uiommu_iommufd_dev *idev;

	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), 0);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, RIG_MSI_BASE + PAGE);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EADDRINUSE);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, NULL), 0);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 1ull << 48);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EADDRINUSE);
	assert_int_equal(rig_unmap(r, ctx, ioas, 0, UINT64_MAX, NULL), 0);
	assert_int_equal(allow(r, ctx, ioas, 1, win), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), -UIOMMU_EADDRINUSE);
	assert_int_equal(allow(r, ctx, ioas, 0, win), 0);
	assert_int_equal(uiommu_iommufd_attach(idev, 0, &pt), 0);
	assert_int_equal(allow(r, ctx, ioas, 1, win), -UIOMMU_EADDRINUSE);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(ctx);
}

static void a_mapping_that_cannot_be_told_is_undone(void **state)
{
	CTX;
	uint32_t ioas = rig_ioas(r, ctx);
	const uint64_t ro = RIG_VA + RIG_PAGES * PAGE;
	const struct uiommu_abi_iommu_ioas_map cmd = {
		.size = sizeof(cmd), .flags = FIXED | RW, .ioas_id = ioas, .user_va = RIG_VA,
		.length = PAGE, .iova = 0x10000,
	};

	memcpy(rig_ptr(r, ro), &cmd, sizeof(cmd));
	assert_int_equal(uiommu_iommufd_ioctl(ctx, &r->as, UIOMMU_ABI_IOMMU_IOAS_MAP, ro),
			 -UIOMMU_EFAULT);
	rig_map(r, ctx, ioas, RIG_VA, PAGE, 0x10000);
	uiommu_iommufd_put(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(map_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(mappings_may_not_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_page_table_any_byte_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(unmap_takes_whole_mappings_only, setup, teardown),
		cmocka_unit_test_setup_teardown(unmap_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(chosen_addresses_keep_the_alignment, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_free_again_is_chosen_again, setup, teardown),
		cmocka_unit_test_setup_teardown(allowed_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(usable_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(a_copy_shares_the_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(pins_are_completed_and_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_memory_shows_when_a_page_table_comes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(alignment_is_checked_once_there_is_a_page_table,
						setup, teardown),
		cmocka_unit_test_setup_teardown(reservations_refuse_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mapping_that_cannot_be_told_is_undone, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
