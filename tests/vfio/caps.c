/* SPDX-License-Identifier: MIT */
/*
 * Functions that no model here has: MSI-X, capabilities in any order, chains that
 * loop or lead out of configuration space.
 */
#include "vrig.h"

#define VECTORS		8u
#define MSIX_CAP	0x60
#define MSIX_TABLE	0x2000u

/* A function that is nothing but bytes, all of them writable. */
struct fake {
	struct rig *r;
	struct uiommu_vfio_device *vfio;
	struct uiommu_vfio_file *f;
	uint8_t cfg[4096], bar[0x4000];
	void (*fn[VECTORS])(void *arg);
	void *arg[VECTORS];
	uint64_t programmed[VECTORS];
};

static uint32_t cfg_read(void *ctx, unsigned off, unsigned size)
{
	struct fake *k = ctx;
	uint32_t v = 0;

	assert_true((size == 1 || size == 2 || size == 4) && off % size == 0 &&
		    off + size <= sizeof(k->cfg));
	memcpy(&v, k->cfg + off, size);
	return v;
}

static void cfg_write(void *ctx, unsigned off, uint32_t val, unsigned size)
{
	struct fake *k = ctx;

	assert_true((size == 1 || size == 2 || size == 4) && off % size == 0 &&
		    off + size <= sizeof(k->cfg));
	memcpy(k->cfg + off, &val, size);
}

static uint64_t bar_read(void *ctx, unsigned bar, uint64_t off, unsigned size)
{
	uint64_t v = 0;

	assert_true(off + size <= sizeof(((struct fake *)ctx)->bar));
	memcpy(&v, ((struct fake *)ctx)->bar + off, size);
	return v;
}

static void bar_write(void *ctx, unsigned bar, uint64_t off, uint64_t val, unsigned size)
{
	assert_true(off + size <= sizeof(((struct fake *)ctx)->bar));
	memcpy(((struct fake *)ctx)->bar + off, &val, size);
}

static int msi_alloc(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg), void *arg,
		     uiommu_pa_t *pa, uint32_t *data)
{
	struct fake *k = ctx;

	assert_int_equal(index, 2);
	assert_null(k->fn[vector]);
	k->fn[vector] = fn;
	k->arg[vector] = arg;
	*pa = RIG_DOORBELL + vector * PAGE;
	*data = vector;
	return 0;
}

static void msi_program(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
			uint32_t data)
{
	((struct fake *)ctx)->programmed[vector] = iova;
}

static void msi_free(void *ctx, unsigned index, unsigned vector)
{
	assert_non_null(((struct fake *)ctx)->fn[vector]);
	((struct fake *)ctx)->fn[vector] = NULL;
}

static void put16(struct fake *k, unsigned off, uint16_t v)
{
	memcpy(k->cfg + off, &v, 2);
}

static void put32(struct fake *k, unsigned off, uint32_t v)
{
	memcpy(k->cfg + off, &v, 4);
}

static struct fake *fake_create(void)
{
	struct fake *k = calloc(1, sizeof(*k));

	k->r = rig_create(false, false);
	rig_install(k->r, IOMMUFD, uiommu_iommufd_kind, rig_iommufd(k->r));
	rig_install_eventfd(k->r, EVENTFD);
	put32(k, 0, 0x56781234);
	put16(k, 6, 0x10);
	put32(k, 0x10, 0xe0000004);	/* 64-bit */
	return k;
}

static void fake_bind(struct fake *k, uint64_t cfg_bytes)
{
	const struct uiommu_vfio_backend be = {
		.ctx = k, .dev = k->r->fns[0].dev,
		.region_bytes = { [0] = sizeof(k->bar), [7] = cfg_bytes },
		.irq_count = { [2] = VECTORS }, .mmap_ok = { true },
		.cfg_read = cfg_read, .cfg_write = cfg_write,
		.bar_read = bar_read, .bar_write = bar_write,
		.msi_alloc = msi_alloc, .msi_program = msi_program, .msi_free = msi_free,
	};
	uint32_t id;

	assert_int_equal(uiommu_vfio_device_create(&k->r->host, &k->r->ua, &be, &k->vfio), 0);
	assert_int_equal(uiommu_vfio_open(k->vfio, &k->f), 0);
	assert_int_equal(vbind(k->r, k->f, IOMMUFD, &id), 0);
}

static void fake_unbind(struct fake *k)
{
	uiommu_vfio_close(k->f);
	uiommu_vfio_device_destroy(k->vfio);
}

static int setup(void **state)
{
	*state = fake_create();
	return 0;
}

static int teardown(void **state)
{
	struct fake *k = *state;

	rig_destroy(k->r);
	free(k);
	return 0;
}

#define GET(off, n) vget(k->r, k->f, CONFIG + (off), n)

/* ---- backends that are refused ---- */

static int try_create(struct fake *k, uint64_t cfg, uint64_t bar, unsigned irqs)
{
	const struct uiommu_vfio_backend be = {
		.region_bytes = { [3] = bar, [7] = cfg }, .irq_count = { [1] = irqs },
	};
	struct uiommu_vfio_device *d;
	int ret = uiommu_vfio_device_create(&k->r->host, &k->r->ua, &be, &d);

	if (!ret)
		uiommu_vfio_device_destroy(d);
	return ret;
}

static void sizes_of_a_backend(void **state)
{
	struct fake *k = *state;

	assert_int_equal(try_create(k, 256, 0, 0), 0);
	assert_int_equal(try_create(k, 4096, 1ull << 39, 2048), 0);
	assert_int_equal(try_create(k, 0, 0, 0), -UIOMMU_EINVAL);
	assert_int_equal(try_create(k, 64, 0, 0), -UIOMMU_EINVAL);
	assert_int_equal(try_create(k, 8192, 0, 0), -UIOMMU_EINVAL);
	assert_int_equal(try_create(k, 256, 0x3000, 0), -UIOMMU_EINVAL);
	assert_int_equal(try_create(k, 256, 1ull << 40, 0), -UIOMMU_EINVAL);
	assert_int_equal(try_create(k, 256, 0, 2049), -UIOMMU_EINVAL);
}

/* ---- MSI-X ---- */

static void fake_msix(struct fake *k)
{
	k->cfg[0x34] = MSIX_CAP;
	k->cfg[MSIX_CAP] = 0x11;
	put16(k, MSIX_CAP + 2, VECTORS - 1);
	put32(k, MSIX_CAP + 4, MSIX_TABLE);
	fake_bind(k, 4096);
}

static void msix_grows(void **state)
{
	struct fake *k = *state;
	const int32_t fds[2] = { EVENTFD, EVENTFD };
	struct uiommu_abi_vfio_irq_info i = { .argsz = 16, .index = 2 };

	fake_msix(k);
	assert_int_equal(vioctl(k->r, k->f, UIOMMU_ABI_VFIO_DEVICE_GET_IRQ_INFO, &i, sizeof(i)), 0);
	assert_int_equal(i.count, VECTORS);
	assert_int_equal(i.flags, 1);			/* may be resized */
	assert_int_equal(virqs(k->r, k->f, FDS | TRIGGER, 2, 0, 1, fds, 4), 0);
	assert_int_equal(virqs(k->r, k->f, FDS | TRIGGER, 2, 6, 2, fds, 8), 0);
	for (unsigned n = 0; n < VECTORS; n++)
		assert_int_equal(!!k->fn[n], n == 0 || n >= 6);
	/* each doorbell has a page of its own in the window */
	assert_true(k->programmed[6] != k->programmed[7]);
	assert_int_equal(k->programmed[7] & (PAGE - 1), RIG_DOORBELL & (PAGE - 1));
	k->fn[7](k->arg[7]);
	assert_int_equal(k->r->as.fds[EVENTFD]->count, 1);
	assert_int_equal(virqs(k->r, k->f, FDS | TRIGGER, 1, 0, 1, fds, 4), -UIOMMU_EINVAL);
	assert_int_equal(virqs(k->r, k->f, NONE | TRIGGER, 2, 0, 0, NULL, 0), 0);
	assert_null(k->fn[0]);
	/* switched on with the first eventfds, wherever they are */
	assert_int_equal(virqs(k->r, k->f, FDS | TRIGGER, 2, 3, 1, fds, 4), 0);
	fake_unbind(k);
	assert_null(k->fn[3]);
}

static void the_msix_table_is_not_for_read_and_write(void **state)
{
	struct fake *k = *state;
	struct {
		struct uiommu_abi_vfio_region_info i;
		struct uiommu_abi_vfio_info_cap_header cap;
	} info = { { .argsz = 32 }, { 0 } };
	uint8_t buf[64];

	fake_msix(k);
	memset(k->bar, 0x11, sizeof(k->bar));
	assert_int_equal(vread(k->r, k->f, MSIX_TABLE - 16, buf, 32), 32);
	assert_int_equal(buf[15], 0x11);
	assert_int_equal(buf[16], 0xff);
	memset(buf, 0x22, sizeof(buf));
	assert_int_equal(vwrite(k->r, k->f, MSIX_TABLE + 16 * VECTORS - 8, buf, 16), 16);
	assert_int_equal(k->bar[MSIX_TABLE + 16 * VECTORS - 1], 0x11);
	assert_int_equal(k->bar[MSIX_TABLE + 16 * VECTORS], 0x22);
	/* mapped it can be, and the region says so */
	uiommu_vfio_store(k->f, 0, MSIX_TABLE, 0x33, 1);
	assert_int_equal(k->bar[MSIX_TABLE], 0x33);
	assert_int_equal(vioctl(k->r, k->f, UIOMMU_ABI_VFIO_DEVICE_GET_REGION_INFO, &info,
				sizeof(info)), 0);
	assert_int_equal(info.i.flags, 0xf);
	assert_int_equal(info.i.argsz, 40);
	assert_int_equal(info.i.cap_offset, 0);
	assert_int_equal(info.cap.id, 0);
	assert_int_equal(vioctl(k->r, k->f, UIOMMU_ABI_VFIO_DEVICE_GET_REGION_INFO, &info,
				sizeof(info)), 0);
	assert_int_equal(info.i.cap_offset, 32);
	assert_int_equal(info.cap.id, 3);
	assert_int_equal(info.cap.version, 1);
	fake_unbind(k);
}

static void without_a_reset_there_is_none(void **state)
{
	struct fake *k = *state;
	struct uiommu_abi_vfio_device_info i = { .argsz = sizeof(i) };

	fake_msix(k);
	assert_int_equal(vioctl(k->r, k->f, UIOMMU_ABI_VFIO_DEVICE_GET_INFO, &i, sizeof(i)), 0);
	assert_int_equal(i.flags, UIOMMU_ABI_VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(uiommu_vfio_ioctl(k->f, &k->r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0),
			 -UIOMMU_EINVAL);
	fake_unbind(k);
}

static void a_64_bit_bar_is_sized_in_both_halves(void **state)
{
	struct fake *k = *state;

	fake_msix(k);
	vput(k->r, k->f, CONFIG + 0x10, 0xffffffff, 4);
	vput(k->r, k->f, CONFIG + 0x14, 0xffffffff, 4);
	assert_int_equal(GET(0x10, 4), 0xffffc004);
	assert_int_equal(GET(0x14, 4), 0xffffffff);
	fake_unbind(k);
}

/* ---- chains ---- */

static void unknown_capabilities_are_skipped(void **state)
{
	struct fake *k = *state;

	/* 0x40 slot numbering (hidden) -> 0x50 PM -> 0x60 vendor, 12 -> 0x70 id 0x77 -> end */
	memcpy(k->cfg + 0x40, (uint8_t[]){ 0x04, 0x50 }, 2);
	memcpy(k->cfg + 0x50, (uint8_t[]){ 0x01, 0x60, 0xff, 0xff, 0xff, 0xff }, 6);
	memcpy(k->cfg + 0x60, (uint8_t[]){ 0x09, 0x70, 12 }, 3);
	memcpy(k->cfg + 0x70, (uint8_t[]){ 0x77, 0x00 }, 2);
	k->cfg[0x34] = 0x40;
	/* extended: 0x100 PASID (hidden anchor) -> 0x120 ATS -> 0x140 unknown -> 0x160 DSN */
	put32(k, 0x100, 0x12010000u | 0x1b);
	put32(k, 0x120, 0x14010000u | 0x0f);
	put32(k, 0x140, 0x16010000u | 0x7f);
	put32(k, 0x160, 0x00010000u | 0x03);
	fake_bind(k, 4096);
	assert_int_equal(GET(0x34, 1), 0x50);
	assert_int_equal(GET(0x50, 2), 0x6001);
	assert_int_equal(GET(0x52, 2) & 0xf800, 0);	/* no power events for programs */
	assert_int_equal(GET(0x60, 2), 0x0009);
	vput(k->r, k->f, CONFIG + 0x64, 0xabcd, 4);	/* a vendor's registers are raw */
	assert_int_equal(cfg_read(k, 0x64, 4), 0xabcd);
	vput(k->r, k->f, CONFIG + 0x60, 0, 2);		/* its header is not */
	assert_int_equal(GET(0x60, 2), 0x0009);
	assert_int_equal(GET(0x100, 4), 0x12000000);
	assert_int_equal(GET(0x120, 4), 0x1601000f);
	assert_int_equal(GET(0x160, 4), 0x00010003);
	vput(k->r, k->f, CONFIG + 0x124, 0xffffffff, 4);	/* ATS is the host's */
	assert_int_equal(cfg_read(k, 0x124, 4), 0);
	fake_unbind(k);
}

/* A header in the last dword has no room for its length. */
static void a_capability_at_the_very_end(void **state)
{
	struct fake *k = *state;

	put32(k, 0x100, 0xffc10000u | 0x03);
	put32(k, 0xffc, 0x00010000u | 0x23);
	fake_bind(k, 4096);
	assert_int_equal(GET(0x100, 4), 0x00010003);
	fake_unbind(k);
}

static void nothing_to_show_shows_nothing(void **state)
{
	struct fake *k = *state;

	k->cfg[0x34] = 0x40;
	k->cfg[0x40] = 0x77;
	put32(k, 0x100, 0x7f);
	fake_bind(k, 4096);
	assert_int_equal(GET(6, 2) & 0x10, 0);
	assert_int_equal(GET(0x34, 1), 0);
	assert_int_equal(GET(0x100, 4), 0);
	fake_unbind(k);
}

/* Walks the chains as a program would; they must end. */
static void walk(struct fake *k, unsigned cfg_bytes)
{
	unsigned pos = GET(0x34, 1), loops = 0;

	for (; pos; pos = GET(pos + 1, 1))
		assert_true(++loops < 64);
	if (cfg_bytes == 256)
		return;
	loops = 0;
	for (pos = 0x100; pos && pos + 4 <= 4096; pos = GET(pos, 4) >> 20)
		assert_true(++loops < 1024);
}

static void any_bytes_make_a_device(void **state)
{
	struct fake *k = *state;
	uint64_t seed = rig_seed("any_bytes_make_a_device", 0xca9);
	static const uint8_t ids[] = { 1, 3, 5, 9, 0x10, 0x11, 0x13, 0x77 };
	uint8_t out[4096];

	for (unsigned i = 0; i < 300; i++) {
		const unsigned bytes = i % 4 ? 4096 : 256;

		for (unsigned n = 0; n < sizeof(k->cfg); n++)
			k->cfg[n] = (uint8_t)rig_random(&seed);
		k->cfg[6] |= 0x10;
		for (unsigned n = 0x40; n < 0x100; n += 4)
			k->cfg[n] = ids[rig_random(&seed) % sizeof(ids)];
		for (unsigned n = 0x100; n < 0x1000; n += 4)
			put32(k, n, (uint32_t)rig_random(&seed) & 0xfff0003f);
		fake_bind(k, bytes);
		assert_int_equal(vread(k->r, k->f, CONFIG, out, bytes), bytes);
		for (unsigned n = 0; n < 200; n++)
			vwrite(k->r, k->f, CONFIG + rig_random(&seed) % bytes, out,
			       rig_random(&seed) % 8);
		vread(k->r, k->f, 0, out, 64);
		if (i % 8 == 7)
			walk(k, bytes);
		fake_unbind(k);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sizes_of_a_backend),
		T(msix_grows),
		T(the_msix_table_is_not_for_read_and_write),
		T(without_a_reset_there_is_none),
		T(a_64_bit_bar_is_sized_in_both_halves),
		T(unknown_capabilities_are_skipped),
		T(a_capability_at_the_very_end),
		T(nothing_to_show_shows_nothing),
		T(any_bytes_make_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
