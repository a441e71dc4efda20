/* SPDX-License-Identifier: MIT */
/* Opening, binding, attaching, and what a device tells of itself. */
#include "vrig.h"

static int setup(void **state)
{
	*state = venv_create();
	return 0;
}

static int setup_bound(void **state)
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

/* ---- before the bind ---- */

static void nothing_works_unbound(void **state)
{
	E;
	uint8_t buf[64] = { 64 };
	unsigned region;
	uint64_t off;

	for (uint32_t nr = 0x3b64; nr <= 0x3b79; nr++)
		if (nr != UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD)
			assert_int_equal(vioctl(r, e->f, nr, buf, sizeof(buf)), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_read(e->f, &r->as, CONFIG, 4, RIG_VA), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_write(e->f, &r->as, CONFIG + 4, 2, RIG_VA), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_mmap(e->f, 0, PAGE, &region, &off), -UIOMMU_EINVAL);
	assert_true(uiommu_vfio_load(e->f, 0, 0, 4) == UINT64_MAX);
	uiommu_vfio_store(e->f, 0, 4, 1, 4);
}

static int bind_with(struct rig *r, struct uiommu_vfio_file *f, uint32_t argsz, uint32_t flags,
		     int fd, uint64_t token)
{
	struct {
		struct uiommu_abi_vfio_device_bind_iommufd b;
		uint8_t tail[8];
	} cmd = { { argsz, flags, fd, 0, token }, { 0 } };

	return vioctl(r, f, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, &cmd, sizeof(cmd));
}

static void bind_arguments(void **state)
{
	E;
	uint8_t junk[32] = { 32 };

	junk[8] = IOMMUFD;
	junk[31] = 1;
	assert_int_equal(bind_with(r, e->f, 15, 0, IOMMUFD, 0), -UIOMMU_EINVAL);
	assert_int_equal(bind_with(r, e->f, 16, 2, IOMMUFD, 0), -UIOMMU_EINVAL);
	assert_int_equal(bind_with(r, e->f, 24, 0, -1, 0), -UIOMMU_EINVAL);
	assert_int_equal(bind_with(r, e->f, 24, 0, -2, 0), -UIOMMU_EINVAL);
	assert_int_equal(bind_with(r, e->f, 24, 0, 9, 0), -UIOMMU_EBADF);
	assert_int_equal(bind_with(r, e->f, 24, 0, 1 << 20, 0), -UIOMMU_EBADF);
	assert_int_equal(bind_with(r, e->f, 24, 0, EVENTFD, 0), -77);	/* EBADFD */
	assert_int_equal(bind_with(r, e->f, 24, 1, IOMMUFD, 0), -UIOMMU_EFAULT);
	assert_int_equal(bind_with(r, e->f, 24, 1, IOMMUFD, RIG_VA), -UIOMMU_EINVAL);
	assert_int_equal(vioctl(r, e->f, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, junk, sizeof(junk)),
			 -UIOMMU_E2BIG);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, 0),
			 -UIOMMU_EFAULT);
	assert_int_equal(bind_with(r, e->f, 32, 0, IOMMUFD, 0), 0);
}

static void one_open_has_the_device(void **state)
{
	E;
	struct uiommu_vfio_file *second;
	uint32_t id;

	assert_int_equal(uiommu_vfio_open(r->fns[0].vfio, &second), 0);
	assert_int_equal(vbind(r, e->f, IOMMUFD, &id), 0);
	assert_int_not_equal(id, 0);
	assert_int_equal(vbind(r, e->f, IOMMUFD, &id), -UIOMMU_EINVAL);
	assert_int_equal(vbind(r, second, IOMMUFD, &id), -UIOMMU_EINVAL);
	uiommu_vfio_close(e->f);
	e->f = second;
	assert_int_equal(vbind(r, second, IOMMUFD, &id), 0);
}

static void the_bind_that_cannot_answer_is_undone(void **state)
{
	E;
	const uint64_t ro = RIG_VA + RIG_PAGES * PAGE;
	const struct uiommu_abi_vfio_device_bind_iommufd cmd = { sizeof(cmd), 0, IOMMUFD, 0, 0 };
	uint32_t id;

	memcpy(rig_ptr(r, ro), &cmd, sizeof(cmd));
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_BIND_IOMMUFD, ro),
			 -UIOMMU_EFAULT);
	assert_int_equal(vbind(r, e->f, IOMMUFD, &id), 0);
	assert_int_equal(id, 1);
}

/* Either file may be closed first; the next program finds the device free. */
static void files_close_in_any_order(void **state)
{
	E;
	uint32_t id, ioas;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(vbind(r, e->f, IOMMUFD, &id), 0);
		ioas = rig_ioas(r, r->as.fds[IOMMUFD]->object);
		assert_int_equal(vattach(r, e->f, 0, &ioas), 0);
		if (i % 2) {
			uiommu_vfio_close(e->f);
			rig_close_fd(r, IOMMUFD);
		} else {
			rig_close_fd(r, IOMMUFD);
			assert_int_equal(vdetach(r, e->f, 0), 0);
			uiommu_vfio_close(e->f);
		}
		assert_int_equal(uiommu_vfio_open(r->fns[0].vfio, &e->f), 0);
		rig_install(r, IOMMUFD, uiommu_iommufd_kind, rig_iommufd(r));
	}
}

static void a_bind_resets_the_function_and_takes_its_dma(void **state)
{
	E;
	unsigned before = r->fns[0].resets;
	uint32_t id;

	uiommu_sim_cfg_write(r->fns[0].sim, PCI_COMMAND, MASTER | MEMORY, 2);
	assert_int_equal(vbind(r, e->f, IOMMUFD, &id), 0);
	assert_int_equal(r->fns[0].resets, before + 1);
	assert_int_equal(vget(r, e->f, CONFIG + PCI_COMMAND, 2), MEMORY);
	vput(r, e->f, CONFIG + PCI_COMMAND, MASTER | MEMORY, 2);
	uiommu_vfio_close(e->f);
	e->f = NULL;
	assert_int_equal(r->fns[0].resets, before + 2);
	assert_int_equal(uiommu_sim_cfg_read(r->fns[0].sim, PCI_COMMAND, 2), 0);
}

/* The n-th allocation fails, for every n: no bind, and the next one works. */
static void a_bind_without_memory(void **state)
{
	E;
	unsigned n, resets = r->fns[0].resets;
	uint32_t id;
	int ret = -1;

	for (n = 1; ret; n++) {
		r->fail_at = r->allocs + n;
		ret = vbind(r, e->f, IOMMUFD, &id);
		r->fail_at = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		assert_int_equal(r->fns[0].resets, resets);
		assert_int_equal(uiommu_vfio_read(e->f, &r->as, CONFIG, 4, RIG_VA), -UIOMMU_EINVAL);
		assert_int_equal(r->as.fds[IOMMUFD]->refs, 1);
	}
	assert_true(n > 2);
	assert_int_equal(id, 1);
}

static void a_device_without_memory(void **state)
{
	E;
	const struct uiommu_vfio_backend be = { .region_bytes = { [7] = 256 } };
	struct uiommu_vfio_device *d;
	struct uiommu_vfio_file *f;
	int ret = -1;

	for (unsigned n = 1; ret; n++) {
		r->fail_at = r->allocs + n;
		ret = uiommu_vfio_device_create(&r->host, &r->ua, &be, &d);
		assert_true(!ret || ret == -UIOMMU_ENOMEM);
	}
	r->fail_at = r->allocs + 1;
	assert_int_equal(uiommu_vfio_open(d, &f), -UIOMMU_ENOMEM);
	r->fail_at = 0;
	uiommu_vfio_device_destroy(d);
}

/* ---- attach ---- */

static void attach_arguments(void **state)
{
	E;
	struct uiommu_abi_vfio_device_attach_iommufd_pt a = { .argsz = 11 };
	struct uiommu_abi_vfio_device_detach_iommufd_pt d = { .argsz = 7 };
	const uint32_t AT = UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT;
	const uint32_t DE = UIOMMU_ABI_VFIO_DEVICE_DETACH_IOMMUFD_PT;
	uint32_t ioas = rig_ioas(r, e->ctx);

	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_EINVAL);
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 16, 2, ioas, 0 };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_EINVAL);
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 12, 1, ioas, 5 };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_EINVAL);
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 16, 1, ioas, 0 };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_EINVAL);
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 16, 0, 0xffffffff, 0 };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_ENOENT);
	assert_true(a.pt_id == 0xffffffff);
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 12, 0, e->dev_id, 0 };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, AT, RIG_HOLE), -UIOMMU_EFAULT);
	/* without the flag the PASID is not looked at */
	a = (struct uiommu_abi_vfio_device_attach_iommufd_pt){ 16, 0, ioas, 0xdead };
	assert_int_equal(vioctl(r, e->f, AT, &a, sizeof(a)), 0);
	assert_int_not_equal(a.pt_id, ioas);

	assert_int_equal(vioctl(r, e->f, DE, &d, sizeof(d)), -UIOMMU_EINVAL);
	d = (struct uiommu_abi_vfio_device_detach_iommufd_pt){ 12, 2, 0 };
	assert_int_equal(vioctl(r, e->f, DE, &d, sizeof(d)), -UIOMMU_EINVAL);
	d = (struct uiommu_abi_vfio_device_detach_iommufd_pt){ 8, 1, 0 };
	assert_int_equal(vioctl(r, e->f, DE, &d, sizeof(d)), -UIOMMU_EINVAL);
	d = (struct uiommu_abi_vfio_device_detach_iommufd_pt){ 12, 1, 0 };
	assert_int_equal(vioctl(r, e->f, DE, &d, sizeof(d)), 0);
	assert_int_equal(rig_destroy_obj(r, e->ctx, a.pt_id), -UIOMMU_EBUSY);	/* still there */
	d = (struct uiommu_abi_vfio_device_detach_iommufd_pt){ 8, 0, 0 };
	assert_int_equal(vioctl(r, e->f, DE, &d, sizeof(d)), 0);
	assert_int_equal(rig_destroy_obj(r, e->ctx, a.pt_id), -UIOMMU_ENOENT);
}

static void an_answer_without_a_place_attaches_nothing(void **state)
{
	E;
	const uint64_t ro = RIG_VA + RIG_PAGES * PAGE;
	struct uiommu_abi_vfio_device_attach_iommufd_pt a = { 16, 0, rig_ioas(r, e->ctx), 0 };
	uint32_t pt;

	memcpy(rig_ptr(r, ro), &a, sizeof(a));
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT,
					   ro), -UIOMMU_EFAULT);
	assert_int_equal(rig_destroy_obj(r, e->ctx, a.pt_id), 0);
	/* nor does it replace anything */
	a.pt_id = rig_ioas(r, e->ctx);
	pt = rig_ioas(r, e->ctx);
	memcpy(rig_ptr(r, ro), &a, sizeof(a));
	assert_int_equal(vattach(r, e->f, 0, &pt), 0);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT,
					   ro), -UIOMMU_EFAULT);
	assert_int_equal(rig_destroy_obj(r, e->ctx, pt), -UIOMMU_EBUSY);
}

static void pasids_through_the_file(void **state)
{
	E;
	uint32_t ioas = rig_ioas(r, e->ctx), hwpt = 0, pt;

	*(uint64_t *)rig_ptr(r, RIG_VA + PAGE) = 0xabc;
	rig_map(r, e->ctx, ioas, RIG_VA + PAGE, PAGE, 0x10000);
	assert_int_equal(rig_hwpt_alloc(r, e->ctx, e->dev_id, ioas,
					UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID, &hwpt), 0);
	pt = hwpt;
	assert_int_equal(vattach(r, e->f, 9, &pt), 0);
	assert_int_equal(pt, hwpt);
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0xabc);
	assert_int_equal(rig_read64(r, 0, -1, 0x10000), 0);
	assert_int_equal(vattach(r, e->f, 9, &pt), 0);		/* replaced by the same */
	assert_int_equal(vdetach(r, e->f, 8), 0);		/* nothing there */
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0xabc);
	assert_int_equal(vdetach(r, e->f, 9), 0);
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0);
	pt = hwpt;
	assert_int_equal(vattach(r, e->f, 1 << 20, &pt), -UIOMMU_EINVAL);
}

/* ---- information ---- */

static void device_info(void **state)
{
	E;
	struct uiommu_abi_vfio_device_info i = { .argsz = 15 };
	const uint32_t NR = UIOMMU_ABI_VFIO_DEVICE_GET_INFO;

	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, NR, 0), -UIOMMU_EFAULT);
	i = (struct uiommu_abi_vfio_device_info){ .argsz = 16, .cap_offset = 0x55 };
	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), 0);
	assert_int_equal(i.flags, UIOMMU_ABI_VFIO_DEVICE_FLAGS_PCI |
			 UIOMMU_ABI_VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(i.num_regions, 9);
	assert_int_equal(i.num_irqs, 5);
	assert_int_equal(i.cap_offset, 0x55);
	i.argsz = 24;
	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), 0);
	assert_int_equal(i.cap_offset, 0);
}

static void region_info(void **state)
{
	E;
	struct uiommu_abi_vfio_region_info i = { .argsz = 31 };
	const uint32_t NR = UIOMMU_ABI_VFIO_DEVICE_GET_REGION_INFO;

	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), -UIOMMU_EINVAL);
	for (uint32_t n = 8; n < 12; n++) {
		i = (struct uiommu_abi_vfio_region_info){ .argsz = 32, .index = n };
		assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), -UIOMMU_EINVAL);
	}
	for (uint32_t n = 0; n < 8; n++) {
		i = (struct uiommu_abi_vfio_region_info){ .argsz = 32, .index = n, .flags = 99 };
		assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), 0);
		assert_true(i.offset == (uint64_t)n << 40);
		assert_int_equal(i.size, n == 0 ? 0x100000 : n == 7 ? 4096 : 0);
		assert_int_equal(i.flags, n == 0 ? 7 : n == 7 ? 3 : 0);
		assert_int_equal(i.cap_offset, 0);
	}
}

static void irq_info(void **state)
{
	E;
	static const uint32_t flags[5] = { 1 | 2 | 4, 1 | 8, 1, 1 | 8, 1 | 8 };
	struct uiommu_abi_vfio_irq_info i = { .argsz = 15 };
	const uint32_t NR = UIOMMU_ABI_VFIO_DEVICE_GET_IRQ_INFO;

	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), -UIOMMU_EINVAL);
	i = (struct uiommu_abi_vfio_irq_info){ .argsz = 16, .index = 5 };
	assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), -UIOMMU_EINVAL);
	for (uint32_t n = 0; n < 5; n++) {
		i = (struct uiommu_abi_vfio_irq_info){ .argsz = 16, .index = n };
		assert_int_equal(vioctl(r, e->f, NR, &i, sizeof(i)), 0);
		assert_int_equal(i.flags, flags[n]);
		assert_int_equal(i.count, n == 1 ? RIG_VECTORS : n >= 3);
	}
}

static void features_and_resets(void **state)
{
	E;
	struct uiommu_abi_vfio_device_feature f = { 7, 0 };
	struct uiommu_abi_vfio_pci_hot_reset_info h = { 11, 0, 0 };
	const uint32_t NR = UIOMMU_ABI_VFIO_DEVICE_FEATURE;
	unsigned before = r->fns[0].resets;

	assert_int_equal(vioctl(r, e->f, NR, &f, sizeof(f)), -UIOMMU_EINVAL);
	f = (struct uiommu_abi_vfio_device_feature){ 8, 1u << 20 };
	assert_int_equal(vioctl(r, e->f, NR, &f, sizeof(f)), -UIOMMU_EINVAL);
	f = (struct uiommu_abi_vfio_device_feature){ 8, 3u << 16 };
	assert_int_equal(vioctl(r, e->f, NR, &f, sizeof(f)), -UIOMMU_EINVAL);
	for (uint32_t n = 0; n < 16; n++) {
		f = (struct uiommu_abi_vfio_device_feature){ 8, 7u << 16 | n };
		assert_int_equal(vioctl(r, e->f, NR, &f, sizeof(f)), -UIOMMU_ENOTTY);
	}
	assert_int_equal(vioctl(r, e->f, UIOMMU_ABI_VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &h,
				sizeof(h)), -UIOMMU_EINVAL);
	h.argsz = 12;
	assert_int_equal(vioctl(r, e->f, UIOMMU_ABI_VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &h,
				sizeof(h)), -UIOMMU_ENODEV);
	assert_int_equal(vioctl(r, e->f, 0x3b74, &h, sizeof(h)), -UIOMMU_ENOTTY);
	assert_int_equal(vioctl(r, e->f, 0x3b80, &h, sizeof(h)), -UIOMMU_ENOTTY);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
	assert_int_equal(r->fns[0].resets, before + 1);
}

/* ---- the reset window ---- */

static unsigned windows;

/* Whatever the function still sends while it is reset goes nowhere. */
static void look_into_the_window(struct rig_fn *f)
{
	assert_int_equal(rig_read64(f->rig, 0, -1, 0x10000), 0);
	assert_int_equal(rig_read64(f->rig, 0, 9, 0x10000), 0);
	assert_int_equal(uiommu_attach_device_pasid(uiommu_domain_blocked(f->rig->u), f->dev, 0),
			 -UIOMMU_EBUSY);
	windows++;
}

static void a_reset_is_a_window_without_dma(void **state)
{
	E;
	uint32_t ioas = rig_ioas(r, e->ctx), hwpt = 0, pt, id;
	unsigned resets;

	*(uint64_t *)rig_ptr(r, RIG_VA + PAGE) = 0xabc;
	rig_map(r, e->ctx, ioas, RIG_VA + PAGE, PAGE, 0x10000);
	assert_int_equal(rig_hwpt_alloc(r, e->ctx, e->dev_id, ioas,
					UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID, &hwpt), 0);
	for (uint32_t pasid = 0; pasid < 10; pasid += 9) {
		pt = hwpt;
		assert_int_equal(vattach(r, e->f, pasid, &pt), 0);
	}
	r->fns[0].on_reset = look_into_the_window;
	windows = 0;
	host_counter(&windows, sizeof(windows));
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
	assert_int_equal(windows, 1);
	assert_int_equal(rig_read64(r, 0, -1, 0x10000), 0xabc);
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0xabc);
	/* inside a window that the embedder has opened: it is not closed */
	r->fns[0].on_reset = NULL;
	resets = r->fns[0].resets;
	assert_int_equal(uiommu_device_reset_prepare(r->fns[0].dev), 0);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
	assert_int_equal(r->fns[0].resets, resets + 1);
	pt = hwpt;
	assert_int_equal(vattach(r, e->f, 5, &pt), -UIOMMU_EBUSY);
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0);
	assert_int_equal(uiommu_device_reset_done(r->fns[0].dev), 0);
	assert_int_equal(rig_read64(r, 0, 9, 0x10000), 0xabc);
	/* bind and close reset as well */
	r->fns[0].on_reset = look_into_the_window;
	uiommu_vfio_close(e->f);
	assert_int_equal(windows, 2);
	assert_int_equal(uiommu_vfio_open(r->fns[0].vfio, &e->f), 0);
	assert_int_equal(vbind(r, e->f, IOMMUFD, &id), 0);
	assert_int_equal(windows, 3);
	r->fns[0].on_reset = NULL;
}

#define TU(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T(f) cmocka_unit_test_setup_teardown(f, setup_bound, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TU(nothing_works_unbound),
		TU(bind_arguments),
		TU(one_open_has_the_device),
		TU(the_bind_that_cannot_answer_is_undone),
		TU(files_close_in_any_order),
		TU(a_bind_resets_the_function_and_takes_its_dma),
		TU(a_bind_without_memory),
		TU(a_device_without_memory),
		T(attach_arguments),
		T(an_answer_without_a_place_attaches_nothing),
		T(pasids_through_the_file),
		T(device_info),
		T(region_info),
		T(irq_info),
		T(features_and_resets),
		T(a_reset_is_a_window_without_dma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
