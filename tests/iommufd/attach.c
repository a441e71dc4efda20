/* SPDX-License-Identifier: MIT */
/* Page tables and who uses them: RIDs, PASIDs, groups, doorbells. */
#include "rig.h"

#define IOVA	0x40000ull
#define PASID_FLAG UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID

/* A context with every function bound. */
struct env {
	struct rig *r;
	struct uiommu_iommufd *ctx;
	struct uiommu_iommufd_dev *dev[RIG_DEVS];
	uint32_t id[RIG_DEVS];
};

static int setup_with(void **state, const struct rig_options *o)
{
	struct env *e = calloc(1, sizeof(*e));

	e->r = rig_create_with(o);
	e->ctx = rig_iommufd(e->r);
	for (unsigned i = 0; i < RIG_DEVS; i++)
		assert_int_equal(uiommu_iommufd_bind(e->ctx, e->r->fns[i].dev, &e->dev[i],
						     &e->id[i]), 0);
	for (unsigned i = 0; i < RIG_PAGES - 1; i++)
		*(uint64_t *)rig_ptr(e->r, RIG_VA + i * PAGE) = 0x1000 + i;
	*state = e;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, &(struct rig_options){ 0 });
}

static int setup_group(void **state)
{
	return setup_with(state, &(struct rig_options){ .group = true });
}

static int setup_shared(void **state)
{
	return setup_with(state, &(struct rig_options){ .shared = true });
}

#define HOLE	0x10000000ull

static const struct uiommu_dev_resv ranges[] = {
	{ HOLE, HOLE + 0xffff, UIOMMU_RESV_RESERVED, 0 },
	{ HOLE + 0x100000, HOLE + 0x100fff, UIOMMU_RESV_DIRECT_RELAXABLE, UIOMMU_PROT_READ },
	{ RIG_MSI_BASE, RIG_MSI_BASE + RIG_MSI_BYTES - 1, UIOMMU_RESV_MSI, 0 },
	{ HOLE + 0x200000, HOLE + 0x20ffff, UIOMMU_RESV_MSI, 0 },
};

static int setup_ranges(void **state)
{
	return setup_with(state, &(struct rig_options){ .resv = ranges, .num_resv = 4 });
}

static int teardown(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < RIG_DEVS; i++)
		if (e->dev[i])
			uiommu_iommufd_unbind(e->dev[i]);
	uiommu_iommufd_put(e->ctx);
	rig_destroy(e->r);
	free(e);
	return 0;
}

/* An address space with one page, number @n of the program, at IOVA. */
static uint32_t space(struct env *e, unsigned n)
{
	uint32_t ioas = rig_ioas(e->r, e->ctx);

	rig_map(e->r, e->ctx, ioas, RIG_VA + n * PAGE, PAGE, IOVA);
	return ioas;
}

static uint32_t table(struct env *e, unsigned dev, uint32_t ioas, uint32_t flags)
{
	uint32_t hwpt;

	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[dev], ioas, flags, &hwpt), 0);
	return hwpt;
}

static int attach(struct env *e, unsigned dev, uint32_t pasid, uint32_t pt)
{
	return uiommu_iommufd_attach(e->dev[dev], pasid, &pt);
}

static uint64_t sees(struct env *e, unsigned dev, int32_t pasid)
{
	return rig_read64(e->r, dev, pasid, IOVA);
}

static void attaching_a_space_makes_its_page_table(void **state)
{
	struct env *e = *state;
	uint32_t ioas = space(e, 0), pt = ioas, pt1 = ioas;

	assert_int_equal(uiommu_iommufd_attach(e->dev[0], 0, &pt), 0);
	assert_int_not_equal(pt, ioas);
	assert_int_equal(sees(e, 0, -1), 0x1000);
	assert_int_equal(uiommu_iommufd_attach(e->dev[1], 0, &pt1), 0);
	assert_int_equal(pt1, pt);		/* the same one serves both */
	assert_int_equal(sees(e, 1, -1), 0x1000);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, pt), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ioas), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, e->id[0]), -UIOMMU_EBUSY);
	uiommu_iommufd_detach(e->dev[0], 0);
	uiommu_iommufd_detach(e->dev[0], 0);	/* nothing there: nothing happens */
	assert_int_equal(sees(e, 0, -1), 0);
	assert_int_equal(sees(e, 1, -1), 0x1000);
	uiommu_iommufd_detach(e->dev[1], 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, pt), -UIOMMU_ENOENT);	/* went with it */
	assert_int_equal(e->r->num_pins, 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ioas), 0);
}

static void a_made_page_table_stays(void **state)
{
	struct env *e = *state;
	uint32_t ioas = space(e, 1), hwpt = table(e, 0, ioas, 0), pt = ioas;

	assert_int_equal(e->r->num_pins, 1);
	assert_int_equal(attach(e, 0, 0, hwpt), 0);
	assert_int_equal(uiommu_iommufd_attach(e->dev[1], 0, &pt), 0);
	assert_int_not_equal(pt, hwpt);		/* automatic choice never takes a made one */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hwpt), -UIOMMU_EBUSY);
	uiommu_iommufd_detach(e->dev[0], 0);
	uiommu_iommufd_detach(e->dev[1], 0);
	assert_int_equal(e->r->num_pins, 1);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ioas), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hwpt), 0);
	assert_int_equal(e->r->num_pins, 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ioas), 0);
}

/* The first picture of seed S1: three address spaces, two functions, two PASIDs. */
static void one_space_for_each_queue(void **state)
{
	struct env *e = *state;
	uint32_t s1 = space(e, 1), s2 = space(e, 2), s3 = space(e, 3);
	uint32_t d1 = table(e, 0, s1, PASID_FLAG), vm1 = table(e, 0, s2, PASID_FLAG);
	uint32_t vm2 = table(e, 0, s3, PASID_FLAG);

	assert_int_equal(attach(e, 0, 0, d1), 0);
	assert_int_equal(attach(e, 0, 5, vm1), 0);
	assert_int_equal(attach(e, 0, 6, vm2), 0);
	assert_int_equal(attach(e, 1, 0, vm2), 0);
	assert_int_equal(sees(e, 0, -1), 0x1001);
	assert_int_equal(sees(e, 0, 5), 0x1002);
	assert_int_equal(sees(e, 0, 6), 0x1003);
	assert_int_equal(sees(e, 1, -1), 0x1003);
	assert_int_equal(sees(e, 0, 7), 0);
	/* one unmap reaches both places where the space is attached */
	assert_int_equal(rig_unmap(e->r, e->ctx, s3, IOVA, PAGE, NULL), 0);
	assert_int_equal(sees(e, 0, 6), 0);
	assert_int_equal(sees(e, 1, -1), 0);
	assert_int_equal(sees(e, 0, 5), 0x1002);
	rig_map(e->r, e->ctx, s3, RIG_VA + 9 * PAGE, PAGE, IOVA);
	assert_int_equal(sees(e, 0, 6), 0x1009);
	assert_int_equal(sees(e, 1, -1), 0x1009);
	uiommu_iommufd_detach(e->dev[0], 5);
	assert_int_equal(sees(e, 0, 5), 0);
}

static void rules_for_pasids(void **state)
{
	struct env *e = *state;
	uint32_t ioas = space(e, 0), plain = table(e, 0, ioas, 0);
	uint32_t p = table(e, 0, ioas, PASID_FLAG), q = table(e, 0, ioas, PASID_FLAG);

	assert_int_equal(attach(e, 0, 1, plain), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 1, ioas), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 1, 0xffffffff), -UIOMMU_ENOENT);
	assert_int_equal(attach(e, 0, 1, e->id[1]), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 256, p), -UIOMMU_EINVAL);	/* 8 bits of PASID */
	assert_int_equal(attach(e, 0, 0xffffffff, p), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 2, 1, p), -UIOMMU_EINVAL);	/* none at all */
	/* a RID with a plain table keeps PASIDs out */
	assert_int_equal(attach(e, 0, 0, plain), 0);
	assert_int_equal(attach(e, 0, 1, p), -UIOMMU_EINVAL);
	uiommu_iommufd_detach(e->dev[0], 0);
	/* and a PASID keeps a plain table off the RID, also by replacing */
	assert_int_equal(attach(e, 0, 1, p), 0);
	assert_int_equal(attach(e, 0, 0, plain), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 0, ioas), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 0, p), 0);
	assert_int_equal(attach(e, 0, 0, plain), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 0, q), 0);
	assert_int_equal(attach(e, 0, 1, plain), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 0, 1, q), 0);
	assert_int_equal(sees(e, 0, 1), 0x1000);
	uiommu_iommufd_detach(e->dev[0], 1);
	assert_int_equal(attach(e, 0, 0, plain), 0);
	/* p is free again: no reference was left behind by anything refused */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, p), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, q), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, plain), -UIOMMU_EBUSY);
}

static void attaching_again_replaces(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2), ha = table(e, 0, a, PASID_FLAG);
	uint32_t hb = table(e, 0, b, PASID_FLAG), pt = a;

	assert_int_equal(attach(e, 0, 0, ha), 0);
	assert_int_equal(attach(e, 0, 0, ha), 0);
	assert_int_equal(sees(e, 0, -1), 0x1001);
	assert_int_equal(attach(e, 0, 0, hb), 0);
	assert_int_equal(sees(e, 0, -1), 0x1002);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ha), 0);
	assert_int_equal(uiommu_iommufd_attach(e->dev[0], 0, &pt), 0);
	assert_int_equal(sees(e, 0, -1), 0x1001);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hb), 0);
	/* an automatic one that is replaced goes, with its reservation */
	assert_int_equal(attach(e, 0, 0, b), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, pt), -UIOMMU_ENOENT);
	rig_map(e->r, e->ctx, a, RIG_VA, PAGE, RIG_MSI_BASE);
	/* a refused one leaves everything */
	assert_int_equal(attach(e, 0, 0, a), -UIOMMU_EADDRINUSE);
	assert_int_equal(sees(e, 0, -1), 0x1002);
}

static void a_device_has_one_owner(void **state)
{
	struct env *e = *state;
	struct uiommu_iommufd *other = rig_iommufd(e->r);
	struct uiommu_iommufd_dev *idev;
	uint32_t id = 77;

	assert_int_equal(uiommu_iommufd_bind(other, e->r->fns[0].dev, &idev, &id),
			 -UIOMMU_EPERM);
	assert_int_equal(id, 77);
	assert_int_equal(rig_ioas(e->r, other), 1);	/* the number was not used up */
	uiommu_iommufd_unbind(e->dev[0]);
	e->dev[0] = NULL;
	assert_int_equal(uiommu_iommufd_bind(other, e->r->fns[0].dev, &idev, &id), 0);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(other);
}

/* ---- groups ---- */

static void a_group_moves_as_one(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2);
	uint32_t ha = table(e, 1, a, 0), hb = table(e, 1, b, 0);

	assert_int_equal(attach(e, 1, 0, ha), 0);
	assert_int_equal(attach(e, 2, 0, hb), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 2, 0, ha), 0);
	assert_int_equal(attach(e, 1, 0, hb), 0);
	assert_int_equal(sees(e, 1, -1), 0x1002);
	assert_int_equal(sees(e, 2, -1), 0x1002);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ha), 0);
	uiommu_iommufd_detach(e->dev[1], 0);
	assert_int_equal(sees(e, 1, -1), 0);
	assert_int_equal(sees(e, 2, -1), 0x1002);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hb), -UIOMMU_EBUSY);
	/* device 0 is a group of its own */
	assert_int_equal(attach(e, 0, 0, a), 0);
}

static void a_group_belongs_to_one_context(void **state)
{
	struct env *e = *state;
	struct uiommu_iommufd *other = rig_iommufd(e->r);
	struct uiommu_iommufd_dev *idev;
	uint32_t id;

	uiommu_iommufd_unbind(e->dev[1]);
	e->dev[1] = NULL;
	assert_int_equal(uiommu_iommufd_bind(other, e->r->fns[1].dev, &idev, &id),
			 -UIOMMU_EPERM);
	uiommu_iommufd_put(other);
}

static void a_groups_pasids_count_for_each(void **state)
{
	struct env *e = *state;
	uint32_t ioas = space(e, 0), plain = table(e, 1, ioas, 0);
	uint32_t p = table(e, 1, ioas, PASID_FLAG);

	assert_int_equal(attach(e, 1, 3, p), 0);
	assert_int_equal(attach(e, 2, 0, plain), -UIOMMU_EINVAL);
	assert_int_equal(attach(e, 2, 0, p), 0);
}

/* ---- S3: devices on one PASID table ---- */

static void devices_of_one_table_have_all_in_common(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2);
	uint32_t ha = table(e, 1, a, PASID_FLAG), hb = table(e, 1, b, PASID_FLAG);

	for (uint32_t pasid = 0; pasid < 4; pasid += 3) {
		const int as = pasid ? (int)pasid : -1;

		assert_int_equal(attach(e, 1, pasid, ha), 0);
		assert_int_equal(sees(e, 2, as), 0x1001);
		assert_int_equal(attach(e, 2, pasid, hb), -UIOMMU_EINVAL);
		assert_int_equal(attach(e, 2, pasid, ha), 0);
		assert_int_equal(attach(e, 1, pasid, hb), 0);	/* both */
		assert_int_equal(sees(e, 1, as), 0x1002);
		assert_int_equal(sees(e, 2, as), 0x1002);
		/* the first to leave takes nothing away, the last does */
		uiommu_iommufd_detach(e->dev[1], pasid);
		assert_int_equal(sees(e, 1, as), 0x1002);
		uiommu_iommufd_detach(e->dev[2], pasid);
		assert_int_equal(sees(e, 1, as), 0);
		assert_int_equal(sees(e, 2, as), 0);
	}
	assert_int_equal(attach(e, 1, 3, ha), 0);
	assert_int_equal(attach(e, 2, 3, ha), 0);
	uiommu_iommufd_unbind(e->dev[1]);
	e->dev[1] = NULL;
	assert_int_equal(sees(e, 2, 3), 0x1001);
	uiommu_iommufd_detach(e->dev[2], 3);
	assert_int_equal(sees(e, 2, 3), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ha), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hb), 0);
}

/* ---- reserved ranges ---- */

static unsigned usable(struct env *e, uint32_t ioas, struct uiommu_abi_iommu_iova_range *out)
{
	struct uiommu_abi_iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .num_iovas = 8, .allowed_iovas = RIG_VA,
	};

	assert_int_equal(rig_ioctl(e->r, e->ctx, UIOMMU_ABI_IOMMU_IOAS_IOVA_RANGES, &cmd,
				   sizeof(cmd)), 0);
	memcpy(out, rig_ptr(e->r, RIG_VA), cmd.num_iovas * sizeof(*out));
	return cmd.num_iovas;
}

static void reserved_ranges_follow_the_rid(void **state)
{
	struct env *e = *state;
	uint32_t ioas = rig_ioas(e->r, e->ctx), hwpt = table(e, 0, ioas, PASID_FLAG);
	struct uiommu_abi_iommu_iova_range r[8];
	uint64_t at = HOLE;

	/* a PASID's address space is not looked at, as on Linux */
	assert_int_equal(attach(e, 0, 1, hwpt), 0);
	assert_int_equal(usable(e, ioas, r), 1);
	assert_int_equal(attach(e, 0, 0, hwpt), 0);
	assert_int_equal(usable(e, ioas, r), 4);
	assert_int_equal(r[0].last, RIG_MSI_BASE - 1);
	assert_int_equal(r[1].start, RIG_MSI_BASE + RIG_MSI_BYTES);
	assert_int_equal(r[1].last, HOLE - 1);
	assert_int_equal(r[2].start, HOLE + 0x10000);	/* over the relaxable one */
	assert_int_equal(r[2].last, HOLE + 0x1fffff);
	assert_int_equal(r[3].start, HOLE + 0x210000);
	assert_int_equal(r[3].last, (1ull << 48) - 1);
	assert_int_equal(rig_try_map(e->r, e->ctx, ioas, RIG_VA, PAGE, &at, FIXED | RW),
			 -UIOMMU_EINVAL);
	/* two devices keep it free, or one twice while it moves: the last to leave ends that */
	assert_int_equal(attach(e, 1, 0, hwpt), 0);
	assert_int_equal(attach(e, 0, 0, table(e, 0, ioas, PASID_FLAG)), 0);
	uiommu_iommufd_detach(e->dev[0], 0);
	assert_int_equal(usable(e, ioas, r), 4);
	uiommu_iommufd_detach(e->dev[1], 0);
	assert_int_equal(usable(e, ioas, r), 1);
	assert_int_equal(rig_try_map(e->r, e->ctx, ioas, RIG_VA, PAGE, &at, FIXED | RW), 0);
}

static void invariant_13_reserved_ranges_of_a_refused_attach(void **state)
{
	struct env *e = *state;
	uint32_t ioas = space(e, 1), other = space(e, 2), pt;
	struct uiommu_abi_iommu_iova_range r[8];

	assert_int_equal(attach(e, 0, 0, other), 0);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = ranges[i].start;
		const bool free = ranges[i].type == UIOMMU_RESV_DIRECT_RELAXABLE;

		pt = ioas;
		rig_map(e->r, e->ctx, ioas, RIG_VA, PAGE, at);
		assert_int_equal(uiommu_iommufd_attach(e->dev[1], 0, &pt),
				 free ? 0 : -UIOMMU_EADDRINUSE);
		if (free)
			uiommu_iommufd_detach(e->dev[1], 0);
		/* replaced, likewise */
		assert_int_equal(attach(e, 0, 0, ioas), free ? 0 : -UIOMMU_EADDRINUSE);
		assert_int_equal(sees(e, 0, -1), free ? 0x1001 : 0x1002);
		if (free)
			assert_int_equal(attach(e, 0, 0, other), 0);
		assert_int_equal(rig_unmap(e->r, e->ctx, ioas, at, PAGE, NULL), 0);
		assert_int_equal(usable(e, ioas, r), 1);
	}
	/* the n-th allocation fails: nothing stays reserved */
	for (unsigned n = 1, ret = 1; ret; n++) {
		e->r->fail_at = e->r->allocs + n;
		pt = ioas;
		ret = (unsigned)uiommu_iommufd_attach(e->dev[1], 0, &pt);
		e->r->fail_at = 0;
		if (ret)
			assert_int_equal(usable(e, ioas, r), 1);
		assert_true(n < 40);
	}
	assert_int_equal(usable(e, ioas, r), 4);
}

static void a_device_that_must_not_be_blocked_is_not_given(void **state)
{
	const struct uiommu_dev_resv direct = { HOLE, HOLE + PAGE - 1, UIOMMU_RESV_DIRECT,
						UIOMMU_PROT_READ };
	struct rig *r = rig_create_with(&(struct rig_options){
		.resv = &direct, .num_resv = 1, .identity = true });
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	struct uiommu_iommufd_dev *idev;
	uint32_t id;

	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[0].dev, &idev, &id), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_iommufd_bind(ctx, r->fns[2].dev, &idev, &id), 0);
	uiommu_iommufd_unbind(idev);
	uiommu_iommufd_put(ctx);
	rig_destroy(r);
}

/* ---- the reset window ---- */

static void invariant_13_an_attach_during_a_reset(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2);
	uint32_t ha = table(e, 0, a, PASID_FLAG), hb = table(e, 0, b, PASID_FLAG);

	assert_int_equal(attach(e, 0, 0, ha), 0);
	assert_int_equal(uiommu_device_reset_prepare(e->r->fns[0].dev), 0);
	assert_int_equal(sees(e, 0, -1), 0);
	assert_int_equal(attach(e, 0, 0, hb), -UIOMMU_EBUSY);
	assert_int_equal(attach(e, 0, 0, b), -UIOMMU_EBUSY);
	assert_int_equal(attach(e, 0, 1, hb), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hb), 0);		/* nothing holds it */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, b), 0);
	assert_int_equal(uiommu_device_reset_done(e->r->fns[0].dev), 0);
	assert_int_equal(sees(e, 0, -1), 0x1001);
	/* of devices with one table none may attach while one is being reset */
	assert_int_equal(uiommu_device_reset_prepare(e->r->fns[1].dev), 0);
	assert_int_equal(attach(e, 2, 1, table(e, 1, a, PASID_FLAG)), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_device_reset_done(e->r->fns[1].dev), 0);
}

/* ---- hardware that fails ---- */

/* Nobody can recover it here: all is BLOCKED, and that it was attached is forgotten. */
static void invariant_13_what_failing_hardware_took_away(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2), pt = b;
	uint32_t ha = table(e, 0, a, PASID_FLAG), hb = table(e, 0, b, PASID_FLAG);

	assert_int_equal(attach(e, 0, 0, ha), 0);
	assert_int_equal(attach(e, 0, 3, hb), 0);
	assert_int_equal(uiommu_iommufd_attach(e->dev[1], 0, &pt), 0);
	uiommu_sim_smmuv3_fail(e->r->smmu);
	assert_int_equal(uiommu_iommu_recover(e->r->iommu), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(sees(e, 0, -1), 0);
	/* the same, another, none: never 0, as nothing can be attached */
	assert_true(attach(e, 0, 0, ha) < 0);
	assert_true(attach(e, 0, 3, ha) < 0);
	assert_true(attach(e, 1, 0, b) < 0);
	/* and nothing is held by what is not there */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ha), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hb), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, pt), -UIOMMU_ENOENT);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, a), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, b), 0);
}

/* ---- doorbells ---- */

static unsigned rung;

static void ring(void *arg)
{
	rung++;
}

static int msi(struct env *e, unsigned dev, uint64_t iova)
{
	uint32_t data = 0;
	unsigned before = rung;

	e->r->fns[dev].msi_fn[0] = ring;
	return rig_dma(e->r, dev, -1, iova, &data, sizeof(data), true) ? -1 : (int)(rung - before);
}

static void doorbells_follow_the_rid(void **state)
{
	struct env *e = *state;
	uint32_t a = space(e, 1), b = space(e, 2), ha = table(e, 0, a, PASID_FLAG);
	uint32_t hb = table(e, 0, b, PASID_FLAG);
	uint64_t iova = 0, again;

	assert_int_equal(uiommu_iommufd_msi_map(e->dev[0], RIG_DOORBELL, &iova), 0);
	assert_int_equal(iova, RIG_MSI_BASE + (RIG_DOORBELL & (PAGE - 1)));
	assert_int_equal(msi(e, 0, iova), -1);		/* BLOCKED: no way out */
	assert_int_equal(attach(e, 0, 0, ha), 0);
	assert_int_equal(msi(e, 0, iova), 1);
	assert_int_equal(attach(e, 0, 0, hb), 0);	/* replaced: goes on */
	assert_int_equal(msi(e, 0, iova), 1);
	uiommu_iommufd_detach(e->dev[0], 0);
	assert_int_equal(msi(e, 0, iova), -1);
	/* not through a PASID's table, nor another device's that did not ask */
	assert_int_equal(attach(e, 0, 4, ha), 0);
	assert_int_equal(rig_dma(e->r, 0, 4, iova, &(uint32_t){ 1 }, 4, true), -UIOMMU_EFAULT);
	assert_int_equal(attach(e, 1, 0, b), 0);
	assert_int_equal(msi(e, 1, iova), -1);
	assert_int_equal(uiommu_iommufd_msi_map(e->dev[1], RIG_DOORBELL, &again), 0);
	assert_int_equal(again, iova);
	assert_int_equal(msi(e, 1, iova), 1);
	/* when the last RID has left, the window is the program's again */
	rig_map(e->r, e->ctx, a, RIG_VA + 5 * PAGE, PAGE, RIG_MSI_BASE);
	assert_int_equal(rig_read64(e->r, 0, 4, RIG_MSI_BASE), 0x1005);
}

static void the_window_is_finite(void **state)
{
	struct env *e = *state;
	uint64_t iova;

	for (unsigned i = 0; i < RIG_MSI_BYTES / PAGE; i++)
		assert_int_equal(uiommu_iommufd_msi_map(e->dev[0], i * PAGE, &iova), 0);
	assert_int_equal(uiommu_iommufd_msi_map(e->dev[0], 1000 * PAGE, &iova), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_iommufd_msi_map(e->dev[0], 7 * PAGE + 8, &iova), 0);
	assert_int_equal(iova, RIG_MSI_BASE + 7 * PAGE + 8);
	assert_int_equal(attach(e, 0, 0, rig_ioas(e->r, e->ctx)), 0);
}

/* ---- HWPT_ALLOC and its neighbours ---- */

static int hwpt_alloc(struct env *e, struct uiommu_abi_iommu_hwpt_alloc cmd)
{
	cmd.size = sizeof(cmd);
	return rig_ioctl(e->r, e->ctx, UIOMMU_ABI_IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd));
}

static void hwpt_alloc_arguments(void **state)
{
	struct env *e = *state;
	const uint32_t dev = e->id[0], ioas = space(e, 0), hwpt = table(e, 0, ioas, 0);

#define TRY(...) hwpt_alloc(e, (struct uiommu_abi_iommu_hwpt_alloc){ __VA_ARGS__ })
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .__reserved = 1), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .data_len = 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .data_type = 2), -UIOMMU_EINVAL);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .data_type = 2, .data_len = 16),
			 -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(.dev_id = ioas, .pt_id = ioas), -UIOMMU_ENOENT);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = 0), -UIOMMU_EINVAL);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = 0xffff), -UIOMMU_EINVAL);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = dev), -UIOMMU_EINVAL);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = hwpt), -UIOMMU_EOPNOTSUPP);
	for (unsigned bit = 0; bit < 32; bit++)
		if (bit != 2 && bit != 3)
			assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .flags = 1u << bit),
					 -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .flags = 4), -UIOMMU_ENOENT);
	assert_int_equal(TRY(.dev_id = dev, .pt_id = ioas, .flags = 5), -UIOMMU_EOPNOTSUPP);
#undef TRY
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ioas), 0);	/* nothing left over */
}

static void what_needs_nesting_or_dirty_bits(void **state)
{
	struct env *e = *state;
	uint32_t hwpt = table(e, 0, space(e, 0), 0);
	struct uiommu_abi_iommu_hwpt_set_dirty_tracking dirty = { 16, 0, 99, 0 };
	struct uiommu_abi_iommu_hwpt_get_dirty_bitmap bits = { .size = 48, .hwpt_id = 99 };
	struct uiommu_abi_iommu_hwpt_invalidate inv = { .size = 32, .hwpt_id = 99, .entry_num = 0 };
	struct uiommu_abi_iommu_viommu_alloc vi = { .size = 40, .type = 1, .dev_id = 99 };

#define TRY(nr, c) rig_ioctl(e->r, e->ctx, UIOMMU_ABI_##nr, &(c), sizeof(c))
	assert_int_equal(TRY(IOMMU_HWPT_SET_DIRTY_TRACKING, dirty), -UIOMMU_ENOENT);
	dirty.hwpt_id = hwpt;
	assert_int_equal(TRY(IOMMU_HWPT_SET_DIRTY_TRACKING, dirty), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(IOMMU_HWPT_GET_DIRTY_BITMAP, bits), -UIOMMU_ENOENT);
	bits.hwpt_id = hwpt;
	assert_int_equal(TRY(IOMMU_HWPT_GET_DIRTY_BITMAP, bits), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(IOMMU_HWPT_INVALIDATE, inv), -UIOMMU_ENOENT);
	inv.hwpt_id = hwpt;
	inv.entry_num = 3;
	assert_int_equal(TRY(IOMMU_HWPT_INVALIDATE, inv), -UIOMMU_EINVAL);
	assert_int_equal(inv.entry_num, 0);		/* handled: none */
	assert_int_equal(TRY(IOMMU_VIOMMU_ALLOC, vi), -UIOMMU_ENOENT);
	vi.dev_id = e->id[0];
	assert_int_equal(TRY(IOMMU_VIOMMU_ALLOC, vi), -UIOMMU_EOPNOTSUPP);
#undef TRY
}

/* ---- GET_HW_INFO ---- */

static void hardware_describes_itself(void **state)
{
	struct env *e = *state;
	uint8_t *buf = rig_ptr(e->r, RIG_VA);
	struct uiommu_abi_iommu_hw_info cmd = {
		.size = sizeof(cmd), .dev_id = e->id[0], .data_len = 100, .data_uptr = RIG_VA,
	};

#define TRY() rig_ioctl(e->r, e->ctx, UIOMMU_ABI_IOMMU_GET_HW_INFO, &cmd, sizeof(cmd))
	memset(buf, 0xff, 128);
	assert_int_equal(TRY(), 0);
	assert_int_equal(cmd.data_len, 40);
	assert_int_equal(cmd.out_data_type, UIOMMU_ABI_IOMMU_HW_INFO_TYPE_ARM_SMMUV3);
	assert_int_equal(cmd.out_max_pasid_log2, 8);
	assert_int_equal(cmd.out_capabilities & UIOMMU_ABI_IOMMU_HW_CAP_DIRTY_TRACKING, 0);
	assert_int_equal(buf[99], 0);			/* the tail became zero */
	assert_int_equal(buf[100], 0xff);
	cmd.data_len = 8;
	memset(buf, 0xff, 128);
	assert_int_equal(TRY(), 0);
	assert_int_equal(cmd.data_len, 40);
	assert_int_equal(buf[8], 0xff);
	cmd.data_len = 0;
	cmd.data_uptr = 0;
	assert_int_equal(TRY(), 0);
	cmd.data_len = 8;
	assert_int_equal(TRY(), -UIOMMU_EFAULT);
	cmd.data_uptr = RIG_VA;
	cmd.flags = 1;
	cmd.in_data_type = UIOMMU_ABI_IOMMU_HW_INFO_TYPE_INTEL_VTD;
	assert_int_equal(TRY(), -UIOMMU_EOPNOTSUPP);
	cmd.in_data_type = UIOMMU_ABI_IOMMU_HW_INFO_TYPE_ARM_SMMUV3;
	assert_int_equal(TRY(), 0);
	cmd.flags = 2;
	assert_int_equal(TRY(), -UIOMMU_EOPNOTSUPP);
	cmd.flags = 0;
	cmd.dev_id = e->id[2];
	assert_int_equal(TRY(), 0);
	assert_int_equal(cmd.out_max_pasid_log2, 0);
	cmd.dev_id = rig_ioas(e->r, e->ctx);
	assert_int_equal(TRY(), -UIOMMU_ENOENT);
#undef TRY
}

/* ---- large pages ---- */

static void small_pages_on_request(void **state)
{
	struct env *e = *state;
	uint32_t ioas = rig_ioas(e->r, e->ctx);
	struct uiommu_abi_iommu_option cmd = {
		.size = sizeof(cmd), .option_id = 1, .op = 0, .object_id = ioas, .val64 = 0,
	};

#define TRY() rig_ioctl(e->r, e->ctx, UIOMMU_ABI_IOMMU_OPTION, &cmd, sizeof(cmd))
	rig_map(e->r, e->ctx, ioas, RIG_VA, PAGE / 2, IOVA);
	assert_int_equal(TRY(), -UIOMMU_EADDRINUSE);	/* small ones are whole pages */
	assert_int_equal(rig_unmap(e->r, e->ctx, ioas, 0, UINT64_MAX, NULL), 0);
	assert_int_equal(TRY(), 0);
	rig_map(e->r, e->ctx, ioas, RIG_VA, 8 * PAGE, IOVA);
	assert_int_equal(attach(e, 0, 0, ioas), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, IOVA + 7 * PAGE), 0x1007);
	cmd.val64 = 1;
	assert_int_equal(TRY(), 0);
	cmd.val64 = 0;
	assert_int_equal(TRY(), -UIOMMU_EINVAL);	/* there is something mapped */
#undef TRY
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TG(f) cmocka_unit_test_setup_teardown(f, setup_group, teardown)
#define TS(f) cmocka_unit_test_setup_teardown(f, setup_shared, teardown)
#define TR(f) cmocka_unit_test_setup_teardown(f, setup_ranges, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(attaching_a_space_makes_its_page_table),
		T(a_made_page_table_stays),
		T(one_space_for_each_queue),
		T(rules_for_pasids),
		T(attaching_again_replaces),
		T(a_device_has_one_owner),
		TG(a_group_moves_as_one),
		TG(a_group_belongs_to_one_context),
		TG(a_groups_pasids_count_for_each),
		TS(devices_of_one_table_have_all_in_common),
		TR(reserved_ranges_follow_the_rid),
		TR(invariant_13_reserved_ranges_of_a_refused_attach),
		T(a_device_that_must_not_be_blocked_is_not_given),
		TS(invariant_13_an_attach_during_a_reset),
		T(invariant_13_what_failing_hardware_took_away),
		T(doorbells_follow_the_rid),
		T(the_window_is_finite),
		T(hwpt_alloc_arguments),
		T(what_needs_nesting_or_dirty_bits),
		T(hardware_describes_itself),
		T(small_pages_on_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
