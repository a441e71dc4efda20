/* SPDX-License-Identifier: MIT */
/* DMA domains: which IOVAs are given out, and what is invalidated when. */
#include "fake.h"

#include <uiommu/dma.h>

struct rig {
	struct world *w;
	struct uiommu_dev *dev;
	struct uiommu_dma *dma;
};

static struct rig rig_of(void **state, enum uiommu_dma_mode mode, uiommu_iova_t last)
{
	struct rig r = { .w = *state };

	r.dev = world_add(&r.w->a, "a", 1);
	assert_int_equal(uiommu_dma_create(r.dev, mode, last, &r.dma), 0);
	assert_int_equal(uiommu_attach_device(uiommu_dma_domain(r.dma), r.dev), 0);
	r.w->a.invalidations = 0;
	return r;
}

static void done(struct rig *r)
{
	assert_int_equal(uiommu_dma_destroy(r->dma), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r->dev, 0);
	r->w->t.forbid = true;
	assert_int_equal(uiommu_dma_destroy(r->dma), 0);
	r->w->t.forbid = false;
}

static uiommu_iova_t map(struct rig *r, uiommu_pa_t pa, uint64_t len)
{
	uiommu_iova_t iova = 0;

	assert_int_equal(uiommu_dma_map(r->dma, pa, len, RW, &iova), 0);
	return iova;
}

static bool leads_to(struct rig *r, uiommu_iova_t iova, uiommu_pa_t want)
{
	uiommu_pa_t pa;

	return !uiommu_iova_to_phys(uiommu_dma_domain(r->dma), iova, &pa) && pa == want;
}

static void sizes_and_alignments(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, UINT64_MAX);
	static const struct { uiommu_pa_t pa; uint64_t len, align; } rows[] = {
		{ 0x1000, 1, PAGE }, { 0x1fff, 1, PAGE }, { 0x1fff, 2, 2 * PAGE },
		{ 0x10000, 3 * PAGE, 4 * PAGE }, { 0x200000, 1u << 21, 1u << 21 },
		{ 0x40000000, 1u << 30, 1u << 30 }, { 0x123456, 70000, 1u << 17 },
	};
	uiommu_iova_t got[7];

	for (unsigned i = 0; i < 7; i++) {
		got[i] = map(&r, rows[i].pa, rows[i].len);
		assert_int_not_equal(got[i] & ~0xfffull, 0);
		assert_int_equal((got[i] & ~0xfffull) % rows[i].align, 0);
		assert_true(leads_to(&r, got[i], rows[i].pa));
		assert_true(leads_to(&r, got[i] + rows[i].len - 1, rows[i].pa + rows[i].len - 1));
	}
	r.w->t.forbid = true;
	for (unsigned i = 0; i < 7; i++) {
		uiommu_dma_unmap(r.dma, got[i], rows[i].len);
		assert_false(leads_to(&r, got[i], rows[i].pa));
	}
	r.w->t.forbid = false;
	assert_int_equal(r.w->a.invalidations, 7);
	assert_int_equal(uiommu_dma_map(r.dma, 0, 0, RW, got), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_dma_map(r.dma, 0, 1ull << 60, RW, got), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_dma_map(r.dma, 0, 1ull << 59, RW, got), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_dma_map(r.dma, 0, PAGE, 0, got), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_dma_map(r.dma, ~0ull << 52, PAGE, RW, got), -UIOMMU_ERANGE);
	done(&r);
}

/* Beyond a GiB, and beyond 512 of them. */
static void large_mappings(void **state)
{
	const uint64_t gib = 1ull << 30;
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, UINT64_MAX);
	uiommu_iova_t a = map(&r, 4 * gib, 5 * gib + 1), b = map(&r, gib, 700 * gib);

	assert_int_equal(a % (8 * gib), 0);
	assert_int_equal(b % (1024 * gib), 0);
	assert_true(leads_to(&r, a + 5 * gib, 9 * gib));
	assert_false(leads_to(&r, a + 5 * gib + PAGE, 9 * gib + PAGE));
	assert_true(leads_to(&r, b + 700 * gib - 1, 701 * gib - 1));
	uiommu_dma_unmap(r.dma, a, 5 * gib + 1);
	assert_false(leads_to(&r, a + 5 * gib, 9 * gib));
	assert_true(leads_to(&r, b, gib));
	assert_int_equal(map(&r, 4 * gib, 5 * gib + 1), a);
	uiommu_dma_unmap(r.dma, a, 5 * gib + 1);
	uiommu_dma_unmap(r.dma, b, 700 * gib);
	done(&r);
}

/* A device with 32 bits of address never gets more than that. */
static void the_devices_mask(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, 0xffffffff);
	uiommu_iova_t iova[40];
	unsigned n = 0;

	while (!uiommu_dma_map(r.dma, 0, 256u << 20, RW, &iova[n])) {
		assert_int_equal(iova[n] >> 32, 0);
		n++;
	}
	assert_int_equal(n, 15);		/* of 16: the first has page 0 */
	while (n--)
		uiommu_dma_unmap(r.dma, iova[n], 256u << 20);
	done(&r);
}

/* ---- scatter lists ---- */

static void a_scatter_list(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, UINT64_MAX);
	struct uiommu_dma_seg seg[] = {
		{ 0x10800, 0x800, 0 }, { 0x40000, 3 * PAGE, 0 }, { 0x90123, 1, 0 },
		{ 0x5ffff, 2, 0 },
	}, bad[] = { { 0x1000, PAGE, 0 }, { 0x5000, 0, 0 } };
	unsigned err = 1;

	assert_int_equal(uiommu_dma_map_sg(r.dma, seg, 4, RW), 0);
	assert_int_equal(seg[0].iova % (8 * PAGE), 0x800);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(leads_to(&r, seg[i].iova, seg[i].pa));
		assert_true(leads_to(&r, seg[i].iova + seg[i].len - 1, seg[i].pa + seg[i].len - 1));
	}
	/* the first ends where the second begins: one to the device */
	assert_int_equal(seg[1].iova, seg[0].iova + 0x800);
	assert_int_equal(seg[3].iova, seg[2].iova - 0x123 + PAGE + 0xfff);
	r.w->t.forbid = true;
	uiommu_dma_unmap_sg(r.dma, seg, 4);
	r.w->t.forbid = false;
	assert_int_equal(r.w->a.invalidations, 1);
	for (unsigned i = 0; i < 4; i++)
		assert_false(leads_to(&r, seg[i].iova + seg[i].len - 1, seg[i].pa + seg[i].len - 1));
	assert_int_equal(uiommu_dma_map_sg(r.dma, bad, 2, RW), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_dma_map_sg(r.dma, seg, 0, RW), -UIOMMU_EINVAL);
	/* the last one cannot be mapped: nor are those before it, and no IOVA is lost */
	bad[1] = (struct uiommu_dma_seg){ ~0ull << 52, PAGE, 0 };
	assert_int_equal(uiommu_dma_map_sg(r.dma, bad, 2, RW), -UIOMMU_ERANGE);
	assert_false(leads_to(&r, bad[0].iova, bad[0].pa));
	for (unsigned n = 1; err; n++) {
		r.w->t.fail_at = r.w->t.calls + n;
		err = (unsigned)uiommu_dma_map_sg(r.dma, seg, 4, RW);
		r.w->t.fail_at = 0;
		assert_true(n < 10);
	}
	uiommu_dma_unmap_sg(r.dma, seg, 4);
	done(&r);
}

/* 64 KiB in all: every page but the first, each once, then none, then again. */
static void a_small_space(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, 0xffff);
	uiommu_iova_t iova;
	unsigned seen = 1;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 1; i < 16; i++)
			seen ^= 1u << (map(&r, 0, PAGE) / PAGE);
		assert_int_equal(uiommu_dma_map(r.dma, 0, PAGE, RW, &iova), -UIOMMU_ENOSPC);
		assert_int_equal(seen, 0xffff);
		for (unsigned i = 1; i < 16; i++, seen = 1)
			uiommu_dma_unmap(r.dma, i * PAGE, PAGE);
		/* what lies in the caches is found when it is needed */
		iova = map(&r, 0, 8 * PAGE);
		assert_int_equal(iova, 8 * PAGE);
		uiommu_dma_unmap(r.dma, iova, 8 * PAGE);
	}
	done(&r);
	assert_int_equal(uiommu_dma_create(r.dev, UIOMMU_DMA_STRICT, 0xfff, &r.dma),
			 -UIOMMU_EINVAL);
}

static void reserved_ranges_are_left_out(void **state)
{
	struct world *w = *state;
	const struct uiommu_dev_resv resv[] = {
		{ 0x2000, 0x2000, UIOMMU_RESV_MSI, 0 },
		{ 0x5800, 0x7fff, UIOMMU_RESV_RESERVED, 0 },
		{ 0xf000, UINT64_MAX, UIOMMU_RESV_RESERVED, 0 },
	};
	const uint32_t sid = 1;
	const struct uiommu_dev_config cfg = {
		.name = "r", .iommu = &w->a.iommu, .stream_ids = &sid, .num_stream_ids = 1,
		.group = -1, .resv = resv, .num_resv = 3,
	};
	struct rig r = { .w = w };
	unsigned seen = 0;
	uiommu_iova_t iova;

	assert_int_equal(uiommu_device_add(w->u, &cfg, &r.dev), 0);
	assert_int_equal(uiommu_dma_create(r.dev, UIOMMU_DMA_STRICT, 0xffffffff, &r.dma), 0);
	while (!uiommu_dma_map(r.dma, 0, 1, RW, &iova))
		seen |= 1u << iova / PAGE;
	assert_int_equal(seen, 0x7f1a);
	assert_int_equal(uiommu_dma_destroy(r.dma), 0);
}

/* While hardware forgets, the IOVAs are still taken, and unmaps go on. */
static struct rig *flushed;
static uint8_t pending[0x10000];
static uiommu_iova_t meanwhile[4];
static unsigned num_meanwhile;

static void mapped_while_it_flushes(struct fake *f, const struct uiommu_link *link)
{
	uiommu_iova_t iova = map(flushed, 0, PAGE);

	assert_int_equal(pending[iova / PAGE], 0);
	meanwhile[num_meanwhile++] = iova;
}

/* No IOVA comes back before its invalidation, and one serves 256 unmaps. */
static void invariant_09_deferred_gives_nothing_out_again_before_a_flush(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_DEFERRED, 0xfffffff);
	uiommu_iova_t iova;

	flushed = &r;
	num_meanwhile = 0;
	r.w->a.on_invalidate = mapped_while_it_flushes;
	r.w->t.tick = 1;
	for (unsigned i = 0; i < 3 * UIOMMU_DMA_QUEUE; i++) {
		if (i % UIOMMU_DMA_QUEUE == 0)
			memset(pending, 0, sizeof(pending));
		assert_int_equal(r.w->a.invalidations, i / UIOMMU_DMA_QUEUE);
		iova = map(&r, 0x1000, PAGE);
		assert_int_equal(pending[iova / PAGE], 0);
		pending[iova / PAGE] = 1;
		r.w->t.forbid = true;
		uiommu_dma_unmap(r.dma, iova, PAGE);
		r.w->t.forbid = false;
		assert_false(leads_to(&r, iova, 0x1000));
	}
	assert_int_equal(num_meanwhile, 3);
	r.w->a.on_invalidate = NULL;
	while (num_meanwhile)
		uiommu_dma_unmap(r.dma, meanwhile[--num_meanwhile], PAGE);
	uiommu_dma_flush(r.dma);
	r.w->a.invalidations = 3;
	uiommu_dma_flush(r.dma);
	assert_int_equal(r.w->a.invalidations, 3);	/* nothing waits */
	uiommu_dma_unmap(r.dma, map(&r, 0, PAGE), PAGE);
	uiommu_dma_flush(r.dma);
	assert_int_equal(r.w->a.invalidations, 4);
	assert_int_equal(r.w->a.last.start, 0);
	assert_int_equal(r.w->a.last.last, 0xffffffffffff);
	/* the oldest has waited long enough: the next unmap takes it along */
	uiommu_dma_unmap(r.dma, map(&r, 0, PAGE), PAGE);
	r.w->t.now += 2 * UIOMMU_DMA_WAIT_NS;
	uiommu_dma_unmap(r.dma, map(&r, 0, PAGE), PAGE);
	assert_int_equal(r.w->a.invalidations, 5);
	/* a last one waits when all ends */
	iova = map(&r, 0, 1u << 21);
	uiommu_dma_unmap(r.dma, iova, 1u << 21);
	done(&r);
}

static void in_the_middle_of_a_flush(struct fake *f, const struct uiommu_link *link)
{
	uiommu_iova_t iova;

	f->on_invalidate = NULL;
	iova = map(flushed, 0, PAGE);
	assert_int_equal(iova, 2 * PAGE);		/* page 1 is on its way out */
	uiommu_dma_unmap(flushed->dma, iova, PAGE);
}

static void a_flush_and_an_unmap_at_once(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_DEFERRED, 0x2fff);
	uiommu_iova_t iova = map(&r, 0, PAGE);

	flushed = &r;
	assert_int_equal(iova, PAGE);
	uiommu_dma_unmap(r.dma, iova, PAGE);
	r.w->a.on_invalidate = in_the_middle_of_a_flush;
	uiommu_dma_flush(r.dma);
	assert_int_equal(map(&r, 0, PAGE), PAGE);
	assert_int_equal(uiommu_dma_map(r.dma, 0, PAGE, RW, &iova), -UIOMMU_ENOSPC);
	uiommu_dma_flush(r.dma);
	assert_int_equal(map(&r, 0, PAGE), 2 * PAGE);
	uiommu_dma_unmap(r.dma, PAGE, PAGE);
	uiommu_dma_unmap(r.dma, 2 * PAGE, PAGE);
	done(&r);
}

/* Tables that an unmap took out are hardware's until the flush, IOVAs too. */
static long tables_in_flight;

static void while_hardware_forgets(struct fake *f, const struct uiommu_link *link)
{
	assert_int_equal(f->t->live_tables, tables_in_flight);
	assert_true(f->last.tables);
}

static void invariant_09_tables_wait_for_the_flush(void **state)
{
	struct rig r = rig_of(state, UIOMMU_DMA_DEFERRED, UINT64_MAX);
	uiommu_iova_t at[3];

	for (unsigned i = 0; i < 3; i++)
		at[i] = map(&r, PAGE, 2u << 20);	/* small pages: a table each */
	tables_in_flight = r.w->t.live_tables;
	r.w->a.on_invalidate = while_hardware_forgets;
	for (unsigned i = 0; i < 3; i++)
		uiommu_dma_unmap(r.dma, at[i], 2u << 20);
	assert_int_equal(r.w->t.live_tables, tables_in_flight);
	assert_int_equal(r.w->a.invalidations, 0);
	uiommu_dma_flush(r.dma);
	assert_int_equal(r.w->a.invalidations, 1);
	assert_int_equal(r.w->t.live_tables, tables_in_flight - 3);
	r.w->a.on_invalidate = NULL;
	done(&r);
}

/* ---- the timer ---- */

static unsigned timers;

static void start_timer(void *ctx)
{
	assert_ptr_equal(ctx, &timers);
	timers++;
}

static void a_timer_runs_while_something_waits(void **state)
{
	struct rig r = { .w = *state };

	r.dev = world_add(&r.w->a, "a", 1);
	assert_int_equal(uiommu_dma_create(r.dev, UIOMMU_DMA_DEFERRED, UINT64_MAX, &r.dma), 0);
	uiommu_dma_set_timer(r.dma, start_timer, &timers);
	assert_int_equal(uiommu_attach_device(uiommu_dma_domain(r.dma), r.dev), 0);
	timers = 0;
	r.w->t.tick = 1;
	for (unsigned round = 1; round < 4; round++) {
		for (unsigned i = 0; i < 20; i++)
			uiommu_dma_unmap(r.dma, map(&r, 0, PAGE), PAGE);
		assert_int_equal(timers, round);	/* one is enough */
		uiommu_dma_flush(r.dma);
	}
	uiommu_dma_flush(r.dma);
	assert_int_equal(timers, 3);			/* nothing waits */
	/* a queue that was full has been flushed, but others may wait: it runs on */
	for (unsigned i = 0; i < UIOMMU_DMA_QUEUE + 1; i++)
		uiommu_dma_unmap(r.dma, map(&r, 0, PAGE), PAGE);
	assert_int_equal(timers, 4);
	done(&r);
}

/* Against an array that knows who has what. */
static void random_maps(void **state)
{
	enum { PAGES = 4096, N = 400 };
	struct rig r = rig_of(state, UIOMMU_DMA_STRICT, PAGES * (uint64_t)PAGE - 1);
	static struct { uiommu_iova_t iova; unsigned pages; } live[N];
	static uint8_t used[PAGES];
	uint64_t seed = 12345;

	memset(live, 0, sizeof(live));
	memset(used, 0, sizeof(used));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned at, n;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (seed >> 33) % N;
		n = 1 + (seed >> 50) % 40;
		if (live[at].pages) {
			uiommu_dma_unmap(r.dma, live[at].iova, live[at].pages * (uint64_t)PAGE);
			memset(&used[live[at].iova / PAGE], 0, live[at].pages);
			live[at].pages = 0;
		} else if (!uiommu_dma_map(r.dma, 0, n * (uint64_t)PAGE, RW, &live[at].iova)) {
			live[at].pages = n;
			for (unsigned p = 0; p < n; p++)
				assert_int_equal(used[live[at].iova / PAGE + p]++, 0);
		}
	}
	for (unsigned at = 0; at < N; at++)
		if (live[at].pages)
			uiommu_dma_unmap(r.dma, live[at].iova, live[at].pages * (uint64_t)PAGE);
	/* all merged again: the largest block there can be */
	assert_int_equal(map(&r, 0, PAGES / 2 * (uint64_t)PAGE), PAGES / 2 * PAGE);
	uiommu_dma_unmap(r.dma, PAGES / 2 * PAGE, PAGES / 2 * (uint64_t)PAGE);
	done(&r);
}

static void invariant_13_without_memory(void **state)
{
	struct world *w = *state;
	struct uiommu_dev *dev = world_add(&w->a, "a", 1);
	struct uiommu_dma *dma = NULL;
	uiommu_iova_t iova = 0;
	int err = -1;

	for (unsigned n = 1; err; n++) {
		w->t.fail_at = w->t.calls + n;
		err = uiommu_dma_create(dev, UIOMMU_DMA_DEFERRED, UINT64_MAX, &dma);
		assert_true(!err || err == -UIOMMU_ENOMEM);
		assert_true(n < 20);
	}
	w->t.fail_at = 0;
	err = -1;
	for (unsigned n = 1; err; n++) {
		w->t.fail_at = w->t.calls + n;
		err = uiommu_dma_map(dma, 0x1000, 5 * PAGE, RW, &iova);
		assert_true(!err || err == -UIOMMU_ENOMEM);
		assert_true(n < 20);
	}
	w->t.fail_at = 0;
	assert_int_equal(iova, 8 * PAGE);	/* the first there is: none was lost */
	assert_int_equal(uiommu_dma_destroy(dma), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(sizes_and_alignments),
		T(large_mappings),
		T(the_devices_mask),
		T(a_scatter_list),
		T(a_small_space),
		T(reserved_ranges_are_left_out),
		T(invariant_09_deferred_gives_nothing_out_again_before_a_flush),
		T(a_flush_and_an_unmap_at_once),
		T(invariant_09_tables_wait_for_the_flush),
		T(a_timer_runs_while_something_waits),
		T(random_maps),
		T(invariant_13_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
