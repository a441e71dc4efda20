/* SPDX-License-Identifier: MIT */
/* Physical addresses: which is what, and how each is reached. */
#include "rig.h"

#define MIB2	(2ull << 20)
#define GIB	(1ull << 30)

static _Alignas(8192) char pages[8192];

/* ---- table memory and memory of our own ---- */

static void every_width_and_offset(void **state)
{
	struct rig *r = *state;
	unsigned char *p = r->h->table_alloc(r->h->ctx, 4096), buf[64], got[64];
	uiommu_pa_t pa = pa_of(r, p);

	for (unsigned i = 0; i < 64; i++)
		buf[i] = i + 1;
	for (unsigned off = 0; off < 16; off++)
		for (unsigned n = 0; n < 40; n++) {
			memset(p, 0, 64);
			assert_int_equal(uiommu_posix_pa_write(r->p, pa + off, buf, n), 0);
			assert_memory_equal(p + off, buf, n);
			assert_int_equal(p[off + n], 0);
			assert_int_equal(uiommu_posix_pa_read(r->p, pa + off, got, n), 0);
			assert_memory_equal(got, buf, n);
		}
	r->h->table_free(r->h->ctx, p, 4096);
}

static void beyond_the_end_aborts(void **state)
{
	struct rig *r = *state;
	void *p = r->h->table_alloc(r->h->ctx, 4096);
	uiommu_pa_t pa = pa_of(r, p), top = UIOMMU_POSIX_TABLE_PA + (64ull << 30);
	char buf[16] = { 0 };

	assert_int_equal(uiommu_posix_pa_read(r->p, pa + 4096 - 8, buf, 8), 0);
	assert_int_equal(uiommu_posix_pa_read(r->p, pa + 4096 - 8, buf, 16), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, pa - 8, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, top - 8, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, top, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, 0, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, UINT64_MAX - 7, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_write(r->p, 1ull << 48, buf, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_read(r->p, 0, buf, 0), 0);
	r->h->table_free(r->h->ctx, p, 4096);
}

static void pinned_memory_of_ours(void **state)
{
	struct rig *r = *state;
	uiommu_pa_t pa;
	char got[8];

	assert_int_equal(uiommu_posix_pin_self(r->p, pages, 8192, &pa), 0);
	strcpy(pages + 4094, "hello");
	assert_int_equal(uiommu_posix_pa_read(r->p, pa + 4094, got, 6), 0);
	assert_string_equal(got, "hello");
	assert_int_equal(uiommu_posix_pa_read(r->p, pa + 8190, got, 4), -UIOMMU_EFAULT);
	uiommu_posix_remove_frames(r->p, pa);
	assert_int_equal(uiommu_posix_pa_read(r->p, pa, got, 6), -UIOMMU_EFAULT);
	uiommu_posix_remove_frames(r->p, pa);	/* nothing there: nothing happens */
}

/* ---- frames reached by calls ---- */

struct frames {
	char *mem;
	int fail;
	uint64_t off;
	size_t bytes;
};

static int fr_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	struct frames *f = ctx;

	f->off = off;
	f->bytes = bytes;
	if (!f->fail && f->mem)
		memcpy(buf, f->mem + off, bytes);
	return f->fail;
}

static int fr_write(void *ctx, uint64_t off, const void *buf, size_t bytes)
{
	struct frames *f = ctx;

	f->off = off;
	f->bytes = bytes;
	if (!f->fail && f->mem)
		memcpy(f->mem + off, buf, bytes);
	return f->fail;
}

static const struct uiommu_posix_frames_ops fr_ops = { fr_read, fr_write };

static void frames_are_called(void **state)
{
	struct rig *r = *state;
	struct frames f = { pages, 0, 0, 0 };
	uiommu_pa_t pa;
	char buf[8] = "12345";

	assert_int_equal(uiommu_posix_add_frames(r->p, 8192, 0, 4096, &fr_ops, &f, &pa), 0);
	/* one call, though it crosses pages */
	assert_int_equal(uiommu_posix_pa_write(r->p, pa + 4094, buf, 6), 0);
	assert_int_equal(f.off, 4094);
	assert_int_equal(f.bytes, 6);
	assert_string_equal(pages + 4094, "12345");
	f.fail = -5;
	assert_int_equal(uiommu_posix_pa_read(r->p, pa, buf, 1), -UIOMMU_EFAULT);
	uiommu_posix_remove_frames(r->p, pa);
}

static void frames_are_congruent(void **state)
{
	struct rig *r = *state;
	static const struct {
		uint64_t bytes, want, congruent;
	} t[] = {
		{ 4096, 0x7fff12345000, 4096 }, { MIB2, 0x7fff12345000, MIB2 },
		{ 3 * MIB2, 0x7fff12200000, MIB2 }, { 5 * GIB, 0x7fffc0000000, GIB },
		{ 2 * GIB + 4096, 0x7fff12345000, GIB }, { 4096, 0x1ff000, MIB2 },
	};
	struct frames f = { 0 };
	uiommu_pa_t pa[6];
	char c;

	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(uiommu_posix_add_frames(r->p, t[i].bytes, t[i].want,
							 t[i].congruent, &fr_ops, &f, &pa[i]), 0);
		assert_int_equal((pa[i] - t[i].want) % t[i].congruent, 0);
		assert_true(pa[i] >= UIOMMU_POSIX_FRAMES_PA && pa[i] < UIOMMU_POSIX_PA_END);
	}
	for (unsigned i = 0; i < 6; i++) {
		uint64_t at[] = { 0, t[i].bytes / 2, t[i].bytes - 1 };

		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(uiommu_posix_pa_read(r->p, pa[i] + at[k], &c, 1), 0);
			assert_int_equal(f.off, at[k]);
		}
	}
	for (unsigned i = 0; i < 6; i++)
		uiommu_posix_remove_frames(r->p, pa[i]);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(uiommu_posix_pa_read(r->p, pa[i], &c, 1), -UIOMMU_EFAULT);
}

static void bad_frames_are_refused(void **state)
{
	struct rig *r = *state;
	uiommu_pa_t pa = 1;

#define BAD(bytes, want, congruent)							\
	assert_int_equal(uiommu_posix_add_frames(r->p, bytes, want, congruent, &fr_ops,	\
						 NULL, &pa), -UIOMMU_EINVAL)
	BAD(0, 0, 4096);
	BAD(100, 0, 4096);
	BAD(4096, 5, 4096);
	BAD(4096, 0, 0);
	BAD(4096, 0, 64);
	BAD(4096, 0, 3 * 4096);
	BAD(4096, 0, 2 * GIB);
	BAD(1ull << 63, 0, 4096);
	assert_int_equal(uiommu_posix_add_frames(r->p, UIOMMU_POSIX_PA_END - 4096, 0, 4096,
						 &fr_ops, NULL, &pa), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_posix_pin_self(r->p, pages + 1, 4096, &pa), -UIOMMU_EINVAL);
	assert_int_equal(pa, 1);
}

/* An address comes again only after all others: a stale one keeps aborting. */
static void addresses_go_round(void **state)
{
	struct rig *r = *state;
	uint64_t third = (UIOMMU_POSIX_PA_END - UIOMMU_POSIX_FRAMES_PA) / 3 / GIB * GIB;
	struct frames f = { 0 };
	uiommu_pa_t a, b, keep;

	assert_int_equal(uiommu_posix_add_frames(r->p, 4096, 0, 4096, &fr_ops, &f, &a), 0);
	uiommu_posix_remove_frames(r->p, a);
	assert_int_equal(uiommu_posix_add_frames(r->p, 4096, 0, 4096, &fr_ops, &f, &b), 0);
	assert_int_not_equal(a, b);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(uiommu_posix_add_frames(r->p, third, 0, GIB, &fr_ops, &f,
							 &keep), 0);
		assert_true(keep > b || keep + third <= b);
		uiommu_posix_remove_frames(r->p, keep);
	}
	uiommu_posix_remove_frames(r->p, b);
}

#define RANGES 200

/* Random ranges against a list of them. */
static void random_ranges(void **state)
{
	struct rig *r = *state;
	uint64_t s = seed();
	struct {
		struct frames f;
		uiommu_pa_t pa;
		uint64_t bytes;
	} *v = calloc(RANGES, sizeof(*v));

	for (int i = 0; i < 20000; i++) {
		unsigned k = rnd(&s) % RANGES;
		uint64_t off;
		char c;

		if (!v[k].bytes) {
			static const uint64_t unit[] = { 4096, MIB2, GIB };
			unsigned u = rnd(&s) % 3;

			v[k].bytes = unit[u] * (1 + rnd(&s) % 3) + rnd(&s) % 4 * 4096;
			assert_int_equal(uiommu_posix_add_frames(r->p, v[k].bytes,
					 (uint64_t)rnd(&s) << 12, unit[u], &fr_ops, &v[k].f,
					 &v[k].pa), 0);
			continue;
		}
		off = ((uint64_t)rnd(&s) << 20 | rnd(&s)) % v[k].bytes;
		v[k].f.off = ~0ull;
		assert_int_equal(uiommu_posix_pa_read(r->p, v[k].pa + off, &c, 1), 0);
		if (v[k].f.off != off)
			print_error("rerun: UIOMMU_TEST_SEED=%llu\n", (unsigned long long)seed());
		assert_int_equal(v[k].f.off, off);
		if (rnd(&s) % 2)
			continue;
		uiommu_posix_remove_frames(r->p, v[k].pa);
		assert_int_equal(uiommu_posix_pa_read(r->p, v[k].pa + off, &c, 1), -UIOMMU_EFAULT);
		v[k].bytes = 0;
	}
	for (unsigned k = 0; k < RANGES; k++)
		if (v[k].bytes)
			uiommu_posix_remove_frames(r->p, v[k].pa);
	free(v);
}

/* ---- register windows ---- */

struct regs {
	uint64_t off, v;
	unsigned n;
};

static uint32_t rd32(void *ctx, uint64_t off)
{
	((struct regs *)ctx)->off = off;
	return 0x32323232;
}

static void wr32(void *ctx, uint64_t off, uint32_t v)
{
	*(struct regs *)ctx = (struct regs){ off, v, ((struct regs *)ctx)->n + 1 };
}

static uint64_t rd64(void *ctx, uint64_t off)
{
	((struct regs *)ctx)->off = off;
	return 0x6464646464646464;
}

static const struct uiommu_mmio_ops reg_ops = { rd32, wr32, rd64, NULL };

static void doorbell(void **state)
{
	struct rig *r = *state;
	struct regs g = { 0 };
	uint64_t v = 0x1122334455667788;

	assert_int_equal(uiommu_posix_add_mmio(r->p, 0x8000000, 0x2000, &reg_ops, &g), 0);
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8001040, &v, 4), 0);
	assert_int_equal(g.off, 0x1040);
	assert_int_equal(g.v, 0x55667788);
	assert_int_equal(uiommu_posix_pa_read(r->p, 0x8000008, &v, 8), 0);
	assert_int_equal(v, 0x6464646464646464);
	/* no such access, not aligned, not of that size: an abort and no call */
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8000008, &v, 8), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8000002, &v, 4), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8000000, &v, 1), -UIOMMU_EFAULT);
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8000000, &v, 3), -UIOMMU_EFAULT);
	assert_int_equal(g.n, 1);
	uiommu_posix_remove_mmio(r->p, 0x8000000);
	assert_int_equal(uiommu_posix_pa_write(r->p, 0x8001040, &v, 4), -UIOMMU_EFAULT);
}

static void windows_for_drivers(void **state)
{
	struct rig *r = *state;
	struct uiommu_mmio m;
	struct regs g = { 0 };

	assert_int_equal(uiommu_posix_add_mmio(r->p, 0x9050000, 0x20000, &reg_ops, &g), 0);
	assert_int_equal(r->h->mmio_map(r->h->ctx, 0x9050000, 0x20000, &m), 0);
	assert_ptr_equal(m.ops, &reg_ops);
	assert_ptr_equal(m.ctx, &g);
	assert_null(m.base);
	assert_int_equal(m.bytes, 0x20000);
	r->h->mmio_unmap(r->h->ctx, &m);
	assert_int_equal(r->h->mmio_map(r->h->ctx, 0x9050000, 0x21000, &m), -UIOMMU_ENODEV);
	assert_int_equal(r->h->mmio_map(r->h->ctx, 0x1000, 0x1000, &m), -UIOMMU_ENODEV);
	uiommu_posix_remove_mmio(r->p, 0x9050000);
}

static void windows_do_not_overlap(void **state)
{
	struct rig *r = *state;
	static const struct {
		uint64_t pa, bytes;
		int want;
	} t[] = {
		{ 0x10000, 0x4000, 0 }, { 0x13000, 0x1000, -UIOMMU_EBUSY },
		{ 0xf000, 0x2000, -UIOMMU_EBUSY }, { 0, 1ull << 40, -UIOMMU_EBUSY },
		{ 0xf000, 0x1000, 0 }, { 0x14000, 0x1000, 0 }, { 0x15001, 0x1000, -UIOMMU_EINVAL },
		{ 0x15000, 0, -UIOMMU_EINVAL }, { 0x15000, 0x800, -UIOMMU_EINVAL },
		{ 1ull << 48, 0x1000, -UIOMMU_EINVAL }, { (1ull << 48) - 0x1000, 0x1000, 0 },
		{ (1ull << 48) - 0x1000, 0x2000, -UIOMMU_EINVAL },
		{ UINT64_MAX - 0xfff, 0x1000, -UIOMMU_EINVAL },
		{ UIOMMU_POSIX_TABLE_PA, 0x1000, -UIOMMU_EBUSY },
		{ UIOMMU_POSIX_TABLE_PA - 0x1000, 0x2000, -UIOMMU_EBUSY },
		{ UIOMMU_POSIX_TABLE_PA - 0x1000, 0x1000, 0 }, { 1ull << 40, 3 * GIB, 0 },
		{ (1ull << 40) + 2 * GIB, 0x1000, -UIOMMU_EBUSY },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(uiommu_posix_add_mmio(r->p, t[i].pa, t[i].bytes, &reg_ops, NULL),
				 t[i].want);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (!t[i].want)
			uiommu_posix_remove_mmio(r->p, t[i].pa);
}

/* Frames are put where no window is. */
static void frames_go_around_windows(void **state)
{
	struct rig *r = *state;
	struct frames f = { 0 };
	uiommu_pa_t pa;

	assert_int_equal(uiommu_posix_add_mmio(r->p, UIOMMU_POSIX_FRAMES_PA + 0x3000, 0x1000,
					       &reg_ops, NULL), 0);
	assert_int_equal(uiommu_posix_add_frames(r->p, 0x4000, 0, 4096, &fr_ops, &f, &pa), 0);
	assert_int_equal(pa, UIOMMU_POSIX_FRAMES_PA + 0x4000);
	uiommu_posix_remove_frames(r->p, pa);
	uiommu_posix_remove_mmio(r->p, UIOMMU_POSIX_FRAMES_PA + 0x3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(every_width_and_offset),
		RIG_TEST(beyond_the_end_aborts),
		RIG_TEST(pinned_memory_of_ours),
		RIG_TEST(frames_are_called),
		RIG_TEST(frames_are_congruent),
		RIG_TEST(bad_frames_are_refused),
		RIG_TEST(addresses_go_round),
		RIG_TEST(random_ranges),
		RIG_TEST(doorbell),
		RIG_TEST(windows_for_drivers),
		RIG_TEST(windows_do_not_overlap),
		RIG_TEST(frames_go_around_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
