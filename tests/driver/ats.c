/* SPDX-License-Identifier: MIT */
/*
 * Devices with a TLB of their own, which forgets for one reason only, CMD_ATC_INV; the
 * order in which ATS goes on and off; devices that do not answer.
 */
#include "guest.h"

#include <semaphore.h>

#include <uiommu/sim/atc.h>

#define MIB	((uint64_t)1 << 20)
#define GIB	((uint64_t)1 << 30)
#define ANY	UIOMMU_NO_PASID
#define NUM	4u			/* devices */

struct device {
	struct rig *r;
	unsigned i;
	struct uiommu_dev *dev;
	struct uiommu_sim_atc atc;
	pthread_mutex_t lock;
	bool on;			/* its own enable bit */
	bool silent;			/* it does not answer */
	unsigned switched;
};

struct rig {
	struct bench b;
	struct device d[NUM];
	struct uiommu_domain *dom, *other;
	uint64_t *page[2];
	bool threads;
	bool muzzle;			/* CMD_ATC_INVs are turned into CMD_SYNCs */
	uint64_t seen[512][2];		/* the commands that went by */
	unsigned n;
	uint64_t prod;
	unsigned failed;		/* times a device was said to have */
	struct uiommu_dev *who;
};

static const uint64_t *ste_of(struct rig *r, unsigned i)
{
	return uiommu_smmuv3_strtab_entry(to_smmu(r->b.iommu), i + 1);
}

static unsigned eats(struct rig *r, unsigned i)
{
	const uint64_t *e = ste_of(r, i);
	unsigned config = FGET(STE_Config, e[0]);

	return config > STE_Config_BYPASS ? (unsigned)FGET(STE_EATS, e[1]) : 0;
}

/* On only after the STE says so, off only before it says no, where hardware looks. No lock is
 * taken to see that: each is a moment at which a test may do something. */
static void set_ats(void *ctx, bool on)
{
	struct device *d = ctx;

	if (!d->r->threads && (on || !uiommu_smmuv3_quarantined(d->dev)) &&
	    !to_smmu(d->r->b.iommu)->cmdq.dead)
		assert_int_equal(eats(d->r, d->i), STE_EATS_TRANS);
	__atomic_store_n(&d->on, on, __ATOMIC_RELAXED);
	__atomic_fetch_add(&d->switched, 1, __ATOMIC_RELAXED);
}

static void on_device_failed(void *ctx, struct uiommu_dev *dev)
{
	struct rig *r = uiommu_container_of((struct bench *)ctx, struct rig, b);

	r->who = dev;
	r->failed++;
}

static bool on_write(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = b->test;
	struct smmu *s = to_smmu(b->iommu);

	for (; off == SMMU_CMDQ_PROD && r->prod < s->cmdq.prod; r->prod++) {
		uint64_t *c = &s->cmdq.ring[(r->prod & ((1u << s->cmdq.lg2) - 1)) * 2];

		if (r->n < 512)
			memcpy(r->seen[r->n++], c, 16);
		if (r->muzzle && FGET(CMD_Opcode, c[0]) == CMD_ATC_INV)
			c[0] = CMD_SYNC, c[1] = 0;
	}
	return true;
}

static int atc_inv(struct bench *b, const struct uiommu_sim_inval *inv)
{
	struct rig *r = uiommu_container_of(b, struct rig, b);
	struct device *d = &r->d[inv->stream_id - 1];

	if (__atomic_load_n(&d->silent, __ATOMIC_RELAXED))
		return -1;
	return uiommu_sim_atc_inv(&d->atc, inv);
}

static void lock_atc(void *ctx)
{
	pthread_mutex_lock(ctx);
}

static void unlock_atc(void *ctx)
{
	pthread_mutex_unlock(ctx);
}

static void add(struct rig *r, unsigned i, bool always, bool global)
{
	const char *const names[] = { "a", "b", "c", "d" };
	const uint32_t sid = i + 1;
	struct device *d = &r->d[i];
	const struct uiommu_dev_config cfg = {
		.name = names[i], .iommu = r->b.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 8, .group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED, .ats = true, .ats_always_on = always,
		.ats_global = global, .set_ats = set_ats, .ats_ctx = d,
	};

	d->r = r;
	d->i = i;
	d->on = false;
	pthread_mutex_init(&d->lock, NULL);
	uiommu_sim_atc_init(&d->atc, r->b.sim, sid);
	d->atc.ctx = &d->lock;
	d->atc.lock = lock_atc;
	d->atc.unlock = unlock_atc;
	d->dev = NULL;
	assert_int_equal(uiommu_device_add(r->b.u, &cfg, &d->dev), 0);
}

static struct rig *the;

static int reset(void *ctx)
{
	uiommu_sim_smmuv3_reset(the->b.sim);
	return 0;
}

static void start(struct rig *r, const struct uiommu_sim_smmuv3_config *cfg, bool threads)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	const struct uiommu_observer obs = { .ctx = &r->b, .fault = bench_fault,
					     .device_failed = on_device_failed };

	memset(r, 0, sizeof(*r));
	the = r;
	smmu.reset = reset;
	r->threads = threads;
	bench_init_sim(&r->b, cfg, threads);
	assert_int_equal(uiommu_create(&r->b.t.host, &obs, &r->b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(r->b.u, &smmu, &r->b.iommu), 0);
	r->b.atc_inv = atc_inv;
	for (unsigned i = 0; i < NUM; i++)
		add(r, i, i == 2, i == 3);
	r->dom = bench_domain(r->d[0].dev);
	r->other = bench_domain(r->d[0].dev);
	for (unsigned i = 0; i < 2; i++)
		r->page[i] = bench_page(&r->b, 5 + i);
	bench_map(&r->b, r->dom, MIB, r->page[0]);
	bench_map(&r->b, r->other, MIB, r->page[1]);
	r->b.test = r;
	r->prod = to_smmu(r->b.iommu)->cmdq.prod;
	if (!threads)
		r->b.hook_write = on_write;
}

static struct uiommu_sim_smmuv3_config with_ats(void)
{
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.ats = cfg.stage2 = true;
	return cfg;
}

static void setup(struct rig *r)
{
	const struct uiommu_sim_smmuv3_config cfg = with_ats();

	start(r, &cfg, false);
}

static void stop(struct rig *r)
{
	bench_page_free(&r->b, r->page[0]);
	bench_page_free(&r->b, r->page[1]);
	bench_fini(&r->b);
}

/* As the device does it: with ATS on through its own TLB, else not. */
static int peek(struct rig *r, unsigned i, uiommu_pasid_t pasid, uint64_t iova, uint64_t *v)
{
	struct device *d = &r->d[i];
	const struct uiommu_sim_access a = {
		.stream_id = i + 1, .substream_id = pasid, .ssv = pasid != 0, .iova = iova,
	};

	*v = 0;
	if (__atomic_load_n(&d->on, __ATOMIC_RELAXED))
		return uiommu_sim_atc_dma(&d->atc, &a, v, sizeof(*v), NULL);
	return uiommu_sim_smmuv3_dma(r->b.sim, &a, v, sizeof(*v), NULL);
}

static void sees(struct rig *r, unsigned i, uiommu_pasid_t pasid, uint64_t iova, uint64_t want)
{
	uint64_t v;
	int err = peek(r, i, pasid, iova, &v);

	if (want ? err || v != want : !err)
		fail_msg("device %u PASID %u: %d, %llu instead of %llu", i, pasid, err,
			 (unsigned long long)v, (unsigned long long)want);
}

/* What it kept, whether or not it may ask: a device whose enable bit is stuck. */
static void kept(struct rig *r, unsigned i, uiommu_pasid_t pasid, uint64_t iova, uint64_t want)
{
	struct device *d = &r->d[i];
	const struct uiommu_sim_access a = {
		.stream_id = i + 1, .substream_id = pasid, .ssv = pasid != 0, .iova = iova,
	};
	uint64_t v = 0;

	assert_int_equal(!uiommu_sim_atc_dma(&d->atc, &a, &v, sizeof(v), NULL), want != 0);
	assert_true(!want || v == want);
}

/* ---- invalidation ---- */

static unsigned reached_after_unmap(bool muzzle, bool stage2)
{
	unsigned reached = 0;
	uint64_t v;
	struct rig r;

	setup(&r);
	if (stage2) {
		assert_int_equal(uiommu_domain_alloc_paging(r.d[0].dev,
				 UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &r.dom), 0);
		bench_map(&r.b, r.dom, MIB, r.page[0]);
	}
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[1].dev), 0);
	for (unsigned p = 1; p < 4 && !stage2; p++) {
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[0].dev, p), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[3].dev, p), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		for (unsigned p = 0; p < 4; p++)
			if (stage2 ? i < 2 && !p : i == 0 || (i == 1 && !p) || (i == 3 && p))
				sees(&r, i, p, MIB, 5);
	assert_true(r.d[0].on && r.d[1].on);
	r.muzzle = muzzle;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	r.muzzle = false;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned p = 0; p < 4; p++)
			reached += !peek(&r, i, p, MIB, &v);
	stop(&r);
	return reached;
}

static void invariant_09_unmap_reaches_what_devices_keep(void **state)
{
	assert_int_equal(reached_after_unmap(false, false), 0);
	assert_int_equal(reached_after_unmap(false, true), 0);
	/* and without, they would have */
	assert_int_equal(reached_after_unmap(true, false), 8);
	assert_int_equal(reached_after_unmap(true, true), 2);
}

static unsigned op(const struct rig *r, unsigned n)
{
	return FGET(CMD_Opcode, r->seen[n][0]);
}

/* The SMMU's own TLB has forgotten before the device is told, else it asks again. */
static void invariant_09_tlb_before_device_tlb(void **state)
{
	struct rig r;

	setup(&r);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[1].dev, 7), 0);
	r.n = 0;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	assert_int_equal(r.n, 5);
	assert_int_equal(op(&r, 0), CMD_TLBI_NH_VA);
	assert_int_equal(op(&r, 1), CMD_SYNC);
	for (unsigned i = 2; i < 4; i++) {
		unsigned sid = FGET(CMD_ATC_INV_StreamID, r.seen[i][0]);

		assert_int_equal(op(&r, i), CMD_ATC_INV);
		assert_int_equal(FGET(CMD_ATC_INV_SSV, r.seen[i][0]), sid == 2);
		assert_int_equal(FGET(CMD_ATC_INV_SubstreamID, r.seen[i][0]), sid == 2 ? 7 : 0);
		assert_int_equal(FGET(CMD_ATC_INV_Global, r.seen[i][0]), 0);
		assert_int_equal(r.seen[i][1], MIB);
	}
	assert_int_equal(op(&r, 4), CMD_SYNC);
	stop(&r);
}

/* One command for any range: a power of two of pages, aligned, that has it in it, and no
 * smaller one would do. */
static void spans_cover_and_are_no_larger_than_they_must(void **state)
{
	struct uiommu_link *l;
	struct rig r;

	setup(&r);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	l = uiommu_container_of(r.dom->links.first, struct uiommu_link, node);
	for (uint64_t n = 1; n < 3000; n = n * 3 / 2 + 1)
		for (uint64_t at = 0; at < 40; at += 3) {
			uint64_t first = GIB + at * PAGE, last = first + n * PAGE - 1, size;
			struct uiommu_gather g;

			uiommu_gather_init(&g);
			g.start = first;
			g.last = last;
			g.pgsizes = PAGE;
			r.n = 0;
			uiommu_smmuv3_invalidate(l, &g);
			assert_int_equal(op(&r, r.n - 2), CMD_ATC_INV);
			size = (uint64_t)PAGE << FGET(CMD_ATC_INV_Size, r.seen[r.n - 2][1]);
			assert_int_equal((r.seen[r.n - 2][1] & ~0xfffull) % size, 0);
			assert_int_equal((r.seen[r.n - 2][1] & ~0xfffull) / size, first / size);
			assert_int_equal(last / size, first / size);
			if (size > PAGE)
				assert_int_not_equal(first / (size / 2), last / (size / 2));
		}
	stop(&r);
}

/* 64 PASIDs of one domain: one command, where the device takes Global; else one each. */
static void many_pasids_of_one_device(void **state)
{
	for (unsigned i = 0; i < 4; i += 3) {
		struct rig r;

		setup(&r);
		for (unsigned p = 1; p <= 64; p++)
			assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[i].dev, p), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.other, r.d[i].dev, 65), 0);
		for (unsigned p = 50; p <= 64; p++)
			sees(&r, i, p, MIB, 5);
		sees(&r, i, 65, MIB, 6);
		r.n = 0;
		assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
		assert_int_equal(r.n, i == 3 ? 4 : 67);
		for (unsigned p = 1; p <= 64; p++)
			sees(&r, i, p, MIB, 0);
		sees(&r, i, 65, MIB, 6);
		/* a single one is told by its number: others keep what they have */
		bench_map(&r.b, r.other, 2 * MIB, r.page[0]);
		r.n = 0;
		assert_int_equal(uiommu_unmap(r.other, 2 * MIB, PAGE, NULL), 0);
		assert_int_equal(FGET(CMD_ATC_INV_Global, r.seen[2][0]), 0);
		stop(&r);
	}
}

/* ---- on and off ---- */

static void on_and_off_in_the_order_of_the_manual(void **state)
{
	struct uiommu_domain *id;
	struct rig r;

	setup(&r);
	id = uiommu_domain_identity(r.b.u);
	assert_false(r.d[0].on);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_true(r.d[0].on);
	sees(&r, 0, ANY, MIB, 5);
	assert_int_equal(uiommu_replace_device_pasid(r.other, r.d[0].dev, ANY), 0);
	assert_int_equal(r.d[0].switched, 1);
	sees(&r, 0, ANY, MIB, 6);
	assert_int_equal(uiommu_replace_device_pasid(id, r.d[0].dev, ANY), 0);
	assert_false(r.d[0].on);
	assert_int_equal(eats(&r, 0), 0);
	kept(&r, 0, ANY, MIB, 0);
	/* a PASID switches it on, the last one off */
	assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[0].dev, 3), 0);
	assert_true(r.d[0].on);
	sees(&r, 0, 3, MIB, 5);
	assert_int_equal(uiommu_attach_device_pasid(r.other, r.d[0].dev, 4), 0);
	sees(&r, 0, 4, MIB, 6);
	uiommu_detach_device_pasid(r.d[0].dev, 3);
	assert_true(r.d[0].on);
	sees(&r, 0, 3, MIB, 0);
	sees(&r, 0, 4, MIB, 6);
	assert_int_equal(uiommu_replace_device_pasid(r.dom, r.d[0].dev, 4), 0);
	sees(&r, 0, 4, MIB, 5);
	uiommu_detach_device_pasid(r.d[0].dev, 4);
	assert_false(r.d[0].on);
	kept(&r, 0, 4, MIB, 0);
	/* not there in hardware, or not in the device */
	assert_int_equal(r.failed, 0);
	stop(&r);
}

/* A device that reaches memory by ATS only keeps it under an identity. */
static void ats_always_on(void **state)
{
	struct uiommu_domain *id;
	uint64_t pa;
	struct rig r;

	setup(&r);
	id = uiommu_domain_identity(r.b.u);
	pa = thost_pa(&r.b.t, r.page[0]);
	assert_int_equal(uiommu_attach_device(id, r.d[2].dev), 0);
	assert_true(r.d[2].on);
	assert_int_equal(FGET(STE_Config, ste_of(&r, 2)[0]), STE_Config_S1);
	assert_int_equal(FGET(STE_S1DSS, ste_of(&r, 2)[1]), STE_S1DSS_BYPASS);
	sees(&r, 2, ANY, pa, 5);
	assert_int_equal(uiommu_replace_device_pasid(r.other, r.d[2].dev, ANY), 0);
	sees(&r, 2, ANY, pa, 0);
	sees(&r, 2, ANY, MIB, 6);
	assert_int_equal(uiommu_replace_device_pasid(id, r.d[2].dev, ANY), 0);
	sees(&r, 2, ANY, pa, 5);
	sees(&r, 2, ANY, MIB, 0);
	assert_int_equal(r.d[2].switched, 1);
	uiommu_detach_device_pasid(r.d[2].dev, ANY);
	assert_false(r.d[2].on);
	kept(&r, 2, ANY, pa, 0);
	/* the others do not */
	assert_int_equal(uiommu_attach_device(id, r.d[0].dev), 0);
	assert_false(r.d[0].on);
	stop(&r);
}

static void hardware_without_ats(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = with_ats();
	struct uiommu_hw_info info;
	struct rig r;

	cfg.ats = false;
	start(&r, &cfg, false);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_false(r.d[0].on);
	assert_int_equal(eats(&r, 0), 0);
	r.n = 0;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	assert_int_equal(r.n, 2);
	uiommu_device_hw_info(r.d[0].dev, 0, &info);
	assert_int_equal(info.capabilities, 1u << 3);
	stop(&r);
}

/* While it is reset, and after: what unmaps did meanwhile is not kept. */
static void a_reset_window(void **state)
{
	struct rig r;

	setup(&r);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[0].dev, 2), 0);
	sees(&r, 0, ANY, MIB, 5);
	sees(&r, 0, 2, MIB, 5);
	assert_int_equal(uiommu_device_reset_prepare(r.d[0].dev), 0);
	assert_false(r.d[0].on);
	kept(&r, 0, ANY, MIB, 0);
	kept(&r, 0, 2, MIB, 0);
	assert_int_equal(uiommu_device_reset_done(r.d[0].dev), 0);
	assert_true(r.d[0].on);
	sees(&r, 0, ANY, MIB, 5);
	sees(&r, 0, 2, MIB, 5);
	stop(&r);
}

/* ---- an SMMU that failed ---- */

static void attach_all(struct rig *r, unsigned i)
{
	assert_int_equal(uiommu_attach_device(r->dom, r->d[i].dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r->dom, r->d[i].dev, 2), 0);
	assert_int_equal(uiommu_attach_device_pasid(r->dom, r->d[i].dev, 3), 0);
}

/* Two devices, one of which takes Global invalidations, have things on RID, 2 and 3. */
static void setup_to_fail(struct rig *r)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	const struct uiommu_sim_smmuv3_config cfg = with_ats();
	const struct uiommu_observer obs = { 0 };

	memset(r, 0, sizeof(*r));
	the = r;
	smmu.reset = reset;
	bench_init_sim(&r->b, &cfg, false);
	assert_int_equal(uiommu_create(&r->b.t.host, &obs, &r->b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(r->b.u, &smmu, &r->b.iommu), 0);
	r->b.atc_inv = atc_inv;
	add(r, 0, false, false);
	add(r, 1, false, true);
	r->dom = bench_domain(r->d[0].dev);
	for (unsigned i = 0; i < 2; i++) {
		r->page[i] = bench_page(&r->b, 5 + i);
		bench_map(&r->b, r->dom, (i + 1) * MIB, r->page[i]);
		attach_all(r, i);
	}
	for (unsigned i = 0; i < 2; i++) {
		sees(r, i, ANY, MIB, 5);
		sees(r, i, 2, MIB, 5);
		sees(r, i, 3, 2 * MIB, 6);
	}
}

/* What goes last takes ATS with it, and is not told either. */
static void invariant_09_what_went_with_ats_while_it_was_off(void **state)
{
	struct rig r;

	setup_to_fail(&r);
	uiommu_sim_smmuv3_fail(r.b.sim);
	uiommu_smmuv3_poll(r.b.iommu);
	for (unsigned i = 0; i < 2; i++) {
		uiommu_detach_device_pasid(r.d[i].dev, 3);
		uiommu_detach_device_pasid(r.d[i].dev, 2);
		uiommu_detach_device_pasid(r.d[i].dev, ANY);
		assert_int_equal(uiommu_attach_device(r.dom, r.d[i].dev), -UIOMMU_EIO);
		assert_false(r.d[i].on);
	}
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	for (unsigned i = 0; i < 2; i++) {
		kept(&r, i, 3, 2 * MIB, 0);
		assert_int_equal(uiommu_attach_device(r.dom, r.d[i].dev), 0);
		assert_true(r.d[i].on);
		sees(&r, i, ANY, MIB, 0);
		sees(&r, i, 2, MIB, 0);
		sees(&r, i, 3, 2 * MIB, 0);
		sees(&r, i, ANY, 2 * MIB, 6);
	}
	stop(&r);
}

static void invariant_09_what_could_not_be_told_while_it_was_off(void **state)
{
	struct rig r;

	setup_to_fail(&r);
	uiommu_sim_smmuv3_fail(r.b.sim);
	uiommu_smmuv3_poll(r.b.iommu);
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		uiommu_detach_device_pasid(r.d[i].dev, 3);
		kept(&r, i, ANY, MIB, 0);
	}
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(r.d[i].on);
		sees(&r, i, ANY, MIB, 0);
		sees(&r, i, 2, MIB, 0);
		sees(&r, i, 3, 2 * MIB, 0);
		sees(&r, i, ANY, 2 * MIB, 6);
		sees(&r, i, 2, 2 * MIB, 6);
	}
	stop(&r);
}

/* ---- devices that do not answer ---- */

static void in_quarantine(struct rig *r, unsigned i)
{
	assert_int_equal(r->failed, 1);
	assert_ptr_equal(r->who, r->d[i].dev);
	assert_false(r->d[i].on);
	assert_int_equal(FGET(STE_Config, ste_of(r, i)[0]), STE_Config_ABORT);
	kept(r, i, ANY, MIB, 0);
	kept(r, i, ANY, 2 * MIB, 0);
	kept(r, i, 3, MIB, 0);
	assert_true(thost_logged(&r->b.t, "does not answer CMD_ATC_INV"));
}

static void invariant_09_a_silent_device_is_closed_before_unmap_returns(void **state)
{
	struct rig r;

	setup(&r);
	bench_map(&r.b, r.dom, 2 * MIB, r.page[1]);
	for (unsigned i = 0; i < NUM; i++) {
		assert_int_equal(uiommu_attach_device(r.dom, r.d[i].dev), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[i].dev, 3), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[i].dev, 4), 0);
		sees(&r, i, ANY, MIB, 5);
		sees(&r, i, ANY, 2 * MIB, 6);
		sees(&r, i, 3, MIB, 5);
		sees(&r, i, 4, MIB, 5);
	}
	r.d[1].silent = true;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	in_quarantine(&r, 1);
	for (unsigned i = 0; i < NUM; i++) {
		if (i == 1)
			continue;
		assert_true(r.d[i].on);
		sees(&r, i, ANY, MIB, 0);
		sees(&r, i, 3, MIB, 0);
		sees(&r, i, ANY, 2 * MIB, 6);
	}
	/* it is not asked again */
	r.n = 0;
	assert_int_equal(uiommu_unmap(r.dom, 2 * MIB, PAGE, NULL), 0);
	for (unsigned c = 0; c < r.n; c++)
		assert_true(op(&r, c) != CMD_ATC_INV ||
			    FGET(CMD_ATC_INV_StreamID, r.seen[c][0]) != 2);
	/* it can be given nothing, and be taken everything */
	assert_int_equal(uiommu_attach_device_pasid(r.other, r.d[1].dev, 5), -UIOMMU_EIO);
	uiommu_detach_device_pasid(r.d[1].dev, 3);
	assert_int_equal(r.failed, 1);
	/* until it has been reset */
	r.d[1].silent = false;
	bench_map(&r.b, r.dom, MIB, r.page[1]);
	assert_int_equal(uiommu_device_reset_prepare(r.d[1].dev), 0);
	kept(&r, 1, ANY, MIB, 0);
	assert_int_equal(uiommu_device_reset_done(r.d[1].dev), 0);
	assert_true(r.d[1].on);
	sees(&r, 1, ANY, MIB, 6);
	sees(&r, 1, 4, MIB, 6);
	assert_int_equal(uiommu_attach_device_pasid(r.other, r.d[1].dev, 5), 0);
	sees(&r, 1, 5, MIB, 6);
	stop(&r);
}

/* Nothing but what was cleaned is seen: the one store that closes an STE too. */
static void a_silent_device_without_coherent_walks(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg = with_ats();
	struct rig r;

	cfg.coherent = false;
	smmu.coherent = false;
	memset(&r, 0, sizeof(r));
	bench_init_sim(&r.b, &cfg, false);
	bench_make_noncoherent(&r.b);
	r.b.atc_inv = atc_inv;
	assert_int_equal(uiommu_create(&r.b.t.host, NULL, &r.b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(r.b.u, &smmu, &r.b.iommu), 0);
	add(&r, 0, false, false);
	r.dom = bench_domain(r.d[0].dev);
	for (unsigned i = 0; i < 2; i++) {
		r.page[i] = bench_page(&r.b, 5 + i);
		bench_clean(&r.b.t, r.page[i], PAGE);
		bench_map(&r.b, r.dom, (i + 1) * MIB, r.page[i]);
	}
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	sees(&r, 0, ANY, MIB, 5);
	sees(&r, 0, ANY, 2 * MIB, 6);
	r.d[0].silent = true;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	kept(&r, 0, ANY, 2 * MIB, 0);
	stop(&r);
}

/* Neither an unmap nor a detach asks for memory, whether devices answer or not. */
static void invariant_13_nothing_is_allocated_on_the_way_out(void **state)
{
	struct rig r;

	setup(&r);
	for (unsigned i = 0; i < NUM; i++) {
		assert_int_equal(uiommu_attach_device(r.dom, r.d[i].dev), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[i].dev, 3), 0);
		sees(&r, i, 3, MIB, 5);
	}
	r.d[1].silent = r.d[2].silent = true;
	r.b.t.forbid = true;
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	assert_int_equal(r.failed, 2);
	for (unsigned i = 0; i < NUM; i++) {
		uiommu_detach_device_pasid(r.d[i].dev, 3);
		uiommu_detach_device_pasid(r.d[i].dev, ANY);
	}
	r.b.t.forbid = false;
	stop(&r);
}

static struct uiommu_domain *has(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	return uiommu_device_link(dev, pasid)->dom;
}

static void invariant_13_silent_in_replace_ends_blocked(void **state)
{
	struct rig r;

	setup(&r);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	sees(&r, 0, ANY, MIB, 5);
	r.d[0].silent = true;
	assert_int_equal(uiommu_replace_device_pasid(r.other, r.d[0].dev, ANY), -UIOMMU_EIO);
	in_quarantine(&r, 0);
	assert_ptr_equal(has(r.d[0].dev, ANY), uiommu_domain_blocked(r.b.u));
	stop(&r);
}

static void invariant_09_silent_in_detach_and_removal(void **state)
{
	struct rig r;

	setup(&r);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(uiommu_attach_device(r.dom, r.d[i].dev), 0);
		assert_int_equal(uiommu_attach_device_pasid(r.dom, r.d[i].dev, 3), 0);
		sees(&r, i, ANY, MIB, 5);
		sees(&r, i, 3, MIB, 5);
	}
	r.d[0].silent = r.d[1].silent = true;
	uiommu_detach_device_pasid(r.d[0].dev, 3);
	in_quarantine(&r, 0);
	uiommu_device_remove(r.d[1].dev);
	assert_int_equal(r.failed, 2);
	kept(&r, 1, ANY, MIB, 0);
	kept(&r, 1, 3, MIB, 0);
	/* who gets the number next starts afresh */
	r.d[1].silent = false;
	add(&r, 1, false, false);
	assert_int_equal(uiommu_attach_device(r.other, r.d[1].dev), 0);
	sees(&r, 1, ANY, MIB, 6);
	uiommu_device_remove(r.d[0].dev);
	assert_int_equal(r.failed, 2);
	stop(&r);
}

/* ---- a guest's device ---- */

static struct uiommu_domain *guest_domain(struct guest *g, struct uiommu_dev *dev, unsigned eats)
{
	struct uiommu_domain *dom = NULL;
	uint64_t ste[2];

	guest_ste(g, ste);
	ste[1] |= FPREP(STE_EATS, eats);
	assert_int_equal(try_nested(g, dev, ste, &dom), 0);
	return dom;
}

static void start_guest(struct rig *r, struct guest *g)
{
	setup(r);
	guest_init(g, &r->b, r->d[3].dev, 1);
	own(g, r->d[3].dev, 0x33);
	assert_int_equal(uiommu_attach_device(guest_domain(g, r->d[3].dev, STE_EATS_TRANS),
					      r->d[3].dev), 0);
	assert_true(r->d[3].on);
	sees(r, 3, ANY, VA, 100);
	sees(r, 3, 1, VA, 101);
}

static void stop_guest(struct rig *r, struct guest *g)
{
	guest_fini(g);
	stop(r);
}

/* Its addresses are the guest's: whatever goes from below it, all of it goes. */
static void invariant_09_unmap_reaches_a_guests_device(void **state)
{
	struct guest g;
	struct rig r;

	start_guest(&r, &g);
	assert_int_equal(uiommu_unmap(g.parent, IPA(1), VM_BYTES, NULL), 0);
	sees(&r, 3, ANY, VA, 0);
	sees(&r, 3, 1, VA, 0);
	stop_guest(&r, &g);

	start_guest(&r, &g);
	uiommu_detach_device_pasid(r.d[3].dev, ANY);
	assert_false(r.d[3].on);
	kept(&r, 3, ANY, VA, 0);
	/* nor does what comes next find anything of it */
	assert_int_equal(uiommu_attach_device(r.dom, r.d[3].dev), 0);
	kept(&r, 3, 1, VA, 0);
	kept(&r, 3, ANY, VA, 0);
	stop_guest(&r, &g);
}

static void a_guest_tells_its_device(void **state)
{
	struct guest g;
	struct rig r;

	start_guest(&r, &g);
	guest_unmap(&g, 1, VA);
	assert_int_equal(say(&g, OP(TLBI_NH_ALL), 0), 0);
	sees(&r, 3, 1, VA, 101);
	assert_int_equal(say(&g, OP(ATC_INV) | VSID(0x33) | FPREP(CMD_ATC_INV_SSV, 1) |
				 FPREP(CMD_ATC_INV_SubstreamID, 1), VA), 0);
	sees(&r, 3, 1, VA, 0);
	sees(&r, 3, ANY, VA, 100);
	/* one that does not answer does not hold up the guest */
	r.d[3].silent = true;
	assert_int_equal(say(&g, OP(ATC_INV) | VSID(0x33), VA), 0);
	assert_int_equal(r.failed, 1);
	kept(&r, 3, ANY, VA, 0);
	stop_guest(&r, &g);
}

static void a_guest_without_ats(void **state)
{
	struct guest g;
	struct rig r;

	setup(&r);
	guest_init(&g, &r.b, r.d[3].dev, 1);
	own(&g, r.d[3].dev, 0x33);
	own(&g, r.d[0].dev, 0x34);
	assert_int_equal(uiommu_attach_device(guest_domain(&g, r.d[3].dev, 0), r.d[3].dev), 0);
	assert_false(r.d[3].on);
	sees(&r, 3, ANY, VA, 100);
	/* this one could not forget PASIDs that are not known here */
	assert_int_equal(uiommu_attach_device(guest_domain(&g, r.d[0].dev, STE_EATS_TRANS),
					      r.d[0].dev), 0);
	assert_false(r.d[0].on);
	assert_int_equal(eats(&r, 0), 0);
	stop_guest(&r, &g);
}

/* ---- at the same time ---- */

/*
 * One thread at a time: while the main one waits for a command, which has not arrived
 * yet, another does something from beginning to end.
 */
static struct {
	struct rig *r;
	unsigned skip;			/* publishes that arrive at once */
	unsigned held;			/* the one that does not: PROD */
	bool waiting, closed;		/* device 0 is, from now on */
	void (*meanwhile)(struct rig *r);
} stage;

static bool hold_back(struct bench *b, uint64_t off, uint64_t v)
{
	if (stage.closed)
		assert_int_equal(FGET(STE_Config, ste_of(stage.r, 0)[0]), STE_Config_ABORT);
	if (host_tries() || off != SMMU_CMDQ_PROD || stage.waiting || !stage.meanwhile ||
	    stage.skip--)
		return true;
	stage.held = (unsigned)v;
	stage.waiting = true;
	return false;
}

static void ring(struct rig *r)
{
	const struct smmu *s = to_smmu(r->b.iommu);

	uiommu_sim_smmuv3_mmio_write(r->b.sim, SMMU_CMDQ_PROD,
				     s->cmdq.prod & ((2u << s->cmdq.lg2) - 1), 4);
}

static void others_run(struct thost *t)
{
	void (*fn)(struct rig *r) = stage.meanwhile;
	struct rig *r = stage.r;

	if (!stage.waiting)
		return;
	stage.meanwhile = NULL;
	stage.waiting = false;
	fn(r);
	ring(r);	/* in case they did nothing */
}

static void set_stage(struct rig *r, unsigned skip, void (*meanwhile)(struct rig *r))
{
	stage.r = r;
	stage.skip = skip;
	stage.waiting = stage.closed = false;
	stage.meanwhile = meanwhile;
}

static void setup_stage(struct rig *r)
{
	setup(r);
	stage.meanwhile = NULL;
	r->b.hook_write = hold_back;
	r->b.t.on_relax = others_run;
}

static void unmap_other(struct rig *r)
{
	assert_int_equal(uiommu_unmap(r->other, MIB, PAGE, NULL), 0);
}

static void falls_silent(struct rig *r)
{
	r->d[0].silent = true;
	assert_int_equal(uiommu_unmap(r->dom, MIB, PAGE, NULL), 0);
	assert_true(uiommu_smmuv3_quarantined(r->d[0].dev));
	stage.closed = true;
}

/* Another thread's unmap finds the device silent while this one writes its STE: that
 * must not open it again, at whichever of the stores. */
static void invariant_12_closed_while_its_ste_is_written(void **state)
{
	for (unsigned at = 0; at < 6; at++) {
		struct uiommu_domain *id;
		struct rig r;
		int err;

		setup_stage(&r);
		id = uiommu_domain_identity(r.b.u);
		assert_int_equal(uiommu_attach_device(id, r.d[0].dev), 0);
		set_stage(&r, at, falls_silent);
		err = uiommu_replace_device_pasid(r.dom, r.d[0].dev, ANY);
		if (stage.meanwhile) {	/* there were not so many stores */
			assert_int_equal(err, 0);
			assert_int_equal(at, 4);
			stage.meanwhile = NULL;
			stop(&r);
			return;
		}
		assert_int_equal(err, -UIOMMU_EIO);
		assert_int_equal(FGET(STE_Config, ste_of(&r, 0)[0]), STE_Config_ABORT);
		assert_false(r.d[0].on);
		kept(&r, 0, ANY, MIB, 0);
		stage.closed = false;
		stop(&r);
	}
	fail();
}

/* ---- closed by one thread, in the hands of another ---- */

static bool has_pasid;

/* Device 0, which has MIB and 2 * MIB on its RID, perhaps on PASID 3 too, falls silent. */
static void setup_silent(struct rig *r)
{
	setup_stage(r);
	bench_map(&r->b, r->dom, 2 * MIB, r->page[1]);
	assert_int_equal(uiommu_attach_device(r->dom, r->d[0].dev), 0);
	if (has_pasid)
		assert_int_equal(uiommu_attach_device_pasid(r->dom, r->d[0].dev, 3), 0);
	for (unsigned n = 1; n <= 2; n++) {
		sees(r, 0, ANY, n * MIB, 4 + n);
		sees(r, 0, 3, n * MIB, has_pasid ? 4 + n : 0);
	}
	r->d[0].silent = true;
}

static void at_a_lock(struct bench *b)
{
	void (*fn)(struct rig *r) = stage.meanwhile;

	stage.meanwhile = NULL;
	fn(stage.r);
}

/* In the @at'th moment of an unmap: what was published has not arrived, or the next is not
 * published. false: there are not so many. */
static bool in_an_unmap(bool published, unsigned at, void (*fn)(struct rig *r),
			void (*after)(struct rig *r))
{
	struct rig r;
	bool reached;

	setup_silent(&r);
	set_stage(&r, at, fn);
	if (!published) {
		r.b.hook_write = NULL;
		bench_meanwhile(&r.b, at, at_a_lock);
	}
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	reached = !stage.meanwhile;
	stage.meanwhile = NULL;
	r.b.meanwhile = NULL;
	kept(&r, 0, ANY, MIB, 0);
	if (reached)
		after(&r);
	stop(&r);
	return reached;
}

static void in_each_moment_of_an_unmap(void (*fn)(struct rig *r), void (*after)(struct rig *r))
{
	for (unsigned published = 0; published < 2; published++) {
		unsigned n = 0;

		while (in_an_unmap(published, n, fn, after))
			n++;
		assert_true(n >= 4);
	}
}

/* Two threads that take turns: this one is stopped at one of its locks, the other runs up
 * to one of its own, this one to its end, then the other. */
static struct {
	struct rig *r;
	sem_t this, other;
	pthread_t thread;
	unsigned skip;
	bool began, stopped, ended;
} turns;

static void let_this_run(struct bench *b)
{
	turns.stopped = true;
	sem_post(&turns.this);
	sem_wait(&turns.other);
}

static void *unmap_in_turns(void *arg)
{
	uiommu_unmap(((struct rig *)arg)->dom, MIB, PAGE, NULL);
	turns.ended = true;
	sem_post(&turns.this);
	return NULL;
}

static void check_if_ended(void)
{
	if (turns.ended)
		kept(turns.r, 0, ANY, MIB, 0);
}

static void let_other_run(struct bench *b)
{
	turns.began = true;
	bench_meanwhile(b, turns.skip, let_this_run);
	pthread_create(&turns.thread, NULL, unmap_in_turns, turns.r);
	sem_wait(&turns.this);
	b->meanwhile = NULL;
	check_if_ended();
}

static void begin_turns(struct rig *r, unsigned at, unsigned skip)
{
	sem_init(&turns.this, 0, 0);
	sem_init(&turns.other, 0, 0);
	turns.r = r;
	turns.skip = skip;
	turns.began = turns.stopped = turns.ended = false;
	r->b.held = 1;
	bench_meanwhile(&r->b, at, let_other_run);
}

static void end_turns(struct rig *r)
{
	r->b.meanwhile = NULL;
	if (turns.stopped)
		sem_post(&turns.other);
	if (turns.began)
		pthread_join(turns.thread, NULL);
	check_if_ended();
}

static void detach_rid(struct rig *r)
{
	uiommu_detach_device_pasid(r->d[0].dev, ANY);
	kept(r, 0, ANY, 2 * MIB, 0);
}

static void detach_pasid(struct rig *r)
{
	uiommu_detach_device_pasid(r->d[0].dev, 3);
	kept(r, 0, 3, 2 * MIB, 0);
}

static void replace_rid(struct rig *r)
{
	assert_int_equal(uiommu_replace_device_pasid(r->other, r->d[0].dev, ANY), -UIOMMU_EIO);
	kept(r, 0, ANY, 2 * MIB, 0);
}

static void unmap_too(struct rig *r)
{
	assert_int_equal(uiommu_unmap(r->dom, 2 * MIB, PAGE, NULL), 0);
	kept(r, 0, ANY, 2 * MIB, 0);
}

static void remove_it(struct rig *r)
{
	uiommu_device_remove(r->d[0].dev);
	kept(r, 0, ANY, 2 * MIB, 0);
	kept(r, 0, 3, 2 * MIB, 0);
}

/* false: one of the two was over before. */
static bool in_turns(void (*fn)(struct rig *r), unsigned at, unsigned skip)
{
	struct rig r;

	setup_silent(&r);
	r.b.hook_write = NULL;
	begin_turns(&r, at, skip);
	fn(&r);
	end_turns(&r);
	assert_true(r.failed <= 1);
	assert_false(turns.began && r.d[0].on);
	stop(&r);
	return turns.stopped;
}

/* An unmap has made its STE abort, and hardware has not heard of it yet: whoever takes
 * something from the device waits until it has. */
static void invariant_09_what_leaves_a_device_that_is_being_closed(void **state)
{
	static const struct {
		void (*fn)(struct rig *r);
		bool pasid;
	} ways[] = {
		{ detach_rid, false }, { replace_rid, false }, { remove_it, false },
		{ detach_rid, true }, { detach_pasid, true }, { remove_it, true },
		{ unmap_too, false }, { unmap_too, true },
	};
	unsigned at, skip, n = 0;

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		has_pasid = ways[i].pasid;
		for (at = 0; in_turns(ways[i].fn, at, 0); at++)
			for (skip = 1; in_turns(ways[i].fn, at, skip); skip++)
				n++;
		assert_true(at >= 4);
	}
	assert_true(n >= 200);
}

static unsigned failed_before;

static void reset_it(struct rig *r)
{
	failed_before = r->failed;
	r->d[0].silent = false;
	assert_int_equal(uiommu_device_reset_prepare(r->d[0].dev), 0);
	assert_int_equal(uiommu_device_reset_done(r->d[0].dev), 0);
}

static void as_new(struct rig *r)
{
	assert_int_equal(r->failed, failed_before);
	assert_false(uiommu_smmuv3_quarantined(r->d[0].dev));
	assert_true(r->d[0].on);
	sees(r, 0, ANY, 2 * MIB, 6);
	sees(r, 0, 3, 2 * MIB, has_pasid ? 6 : 0);
	assert_int_equal(uiommu_unmap(r->dom, 2 * MIB, PAGE, NULL), 0);
	kept(r, 0, ANY, 2 * MIB, 0);
}

/* Its reset ends the quarantine that an unmap has begun: nothing more is done to it, or said. */
static void reset_while_it_is_being_closed(void **state)
{
	for (unsigned n = 0; n < 2; n++) {
		has_pasid = n;
		in_each_moment_of_an_unmap(reset_it, as_new);
	}
}

static void unplug(struct rig *r)
{
	remove_it(r);
	failed_before = r->failed;
}

static void nothing_more_of_it(struct rig *r)
{
	assert_int_equal(r->failed, failed_before);
}

/* Who is told that it failed may have forgotten it: it was removed before. */
static void removed_while_it_is_being_closed(void **state)
{
	for (unsigned n = 0; n < 2; n++) {
		has_pasid = n;
		in_each_moment_of_an_unmap(unplug, nothing_more_of_it);
	}
}

static struct guest closed_guest;

static void guest_tells(struct rig *r)
{
	assert_int_equal(say(&closed_guest, OP(ATC_INV) | VSID(0x33), VA), 0);
	kept(r, 3, ANY, VA, 0);
}

/* In the @at'th moment of an unmap below it. */
static bool below_a_guest(unsigned at)
{
	struct rig r;
	bool reached;

	start_guest(&r, &closed_guest);
	guest_unmap(&closed_guest, 0, VA);
	assert_int_equal(say(&closed_guest, OP(TLBI_NH_ALL), 0), 0);
	r.d[3].silent = true;
	set_stage(&r, at, guest_tells);
	bench_meanwhile(&r.b, at, at_a_lock);
	assert_int_equal(uiommu_unmap(closed_guest.parent, IPA(1) + VM_BYTES / 2, VM_BYTES / 2, NULL),
			 0);
	reached = !stage.meanwhile;
	stage.meanwhile = NULL;
	r.b.meanwhile = NULL;
	assert_int_equal(r.failed, 1);
	stop_guest(&r, &closed_guest);
	return reached;
}

/* A device that an unmap is just closing answers no guest: who tells it waits until it is. */
static void invariant_09_a_guest_tells_a_device_that_is_being_closed(void **state)
{
	unsigned n = 0;

	while (below_a_guest(n))
		n++;
	assert_true(n >= 4);
}

static unsigned later;

static void fails(struct bench *b)
{
	bench_fail(b, later);
}

/* false: the unmap was over before. */
static bool recovered_in_an_unmap(unsigned at)
{
	struct rig r;
	bool all;

	has_pasid = true;
	setup_silent(&r);
	assert_int_equal(uiommu_attach_device(r.other, r.d[1].dev), 0);
	sees(&r, 1, ANY, MIB, 6);
	r.b.hook_write = NULL;
	bench_meanwhile(&r.b, at, fails);
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	kept(&r, 0, ANY, MIB, 0);
	kept(&r, 0, 3, MIB, 0);
	all = !r.b.meanwhile;
	r.b.meanwhile = NULL;
	if (!all)
		bench_recover(&r.b);
	sees(&r, 1, ANY, MIB, 6);
	stop(&r);
	return all;
}

/* The SMMU fails while a silent device is found out, and is recovered: that it could not
 * be closed before does not shut off what works again. */
static void invariant_09_recovered_while_one_is_being_closed(void **state)
{
	unsigned at = 0, n = 0;

	do {
		for (later = 0; recovered_in_an_unmap(at); later++)
			n++;
		at++;
	} while (later);
	assert_true(n >= 40);
}

/* It is asked, does not answer, and is reset before anybody has looked. */
static void reset_unanswered(struct rig *r)
{
	ring(r);
	r->d[0].silent = false;
	assert_int_equal(uiommu_device_reset_prepare(r->d[0].dev), 0);
	assert_int_equal(uiommu_device_reset_done(r->d[0].dev), 0);
}

static void a_reset_makes_up_for_silence(void **state)
{
	struct rig r;

	setup_stage(&r);
	bench_map(&r.b, r.dom, 2 * MIB, r.page[1]);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	sees(&r, 0, ANY, MIB, 5);
	r.d[0].silent = true;
	set_stage(&r, 2, reset_unanswered);
	assert_int_equal(uiommu_unmap(r.dom, MIB, PAGE, NULL), 0);
	assert_null(stage.meanwhile);
	assert_int_equal(r.failed, 0);
	assert_false(uiommu_smmuv3_quarantined(r.d[0].dev));
	sees(&r, 0, ANY, MIB, 0);
	sees(&r, 0, ANY, 2 * MIB, 6);
	stop(&r);
}

/* Device 2 is silent too, and found out while device 1, which is not, is asked. */
static void unmap_third(struct rig *r)
{
	assert_int_equal(uiommu_unmap(r->dom, 2 * MIB, PAGE, NULL), 0);
}

static void unmap_and_again(struct rig *r)
{
	assert_int_equal(uiommu_unmap(r->dom, MIB, PAGE, NULL), 0);
	r->d[2].silent = true;
	set_stage(r, 0, unmap_third);
}

static void only_who_is_silent_is_blamed(void **state)
{
	struct rig r;

	setup_stage(&r);
	bench_map(&r.b, r.dom, 2 * MIB, r.page[1]);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[2].dev), 0);
	assert_int_equal(uiommu_attach_device(r.other, r.d[1].dev), 0);
	sees(&r, 0, ANY, MIB, 5);
	sees(&r, 1, ANY, MIB, 6);
	sees(&r, 2, ANY, 2 * MIB, 6);
	r.d[0].silent = true;
	set_stage(&r, 1, unmap_and_again);
	unmap_other(&r);
	assert_null(stage.meanwhile);
	assert_int_equal(r.failed, 2);
	assert_true(uiommu_smmuv3_quarantined(r.d[0].dev));
	assert_false(uiommu_smmuv3_quarantined(r.d[1].dev));
	assert_true(uiommu_smmuv3_quarantined(r.d[2].dev));
	sees(&r, 1, ANY, MIB, 0);
	stop(&r);
}

struct job {
	struct rig *r;
	unsigned i;
};

/* A device and a domain of its own that answers, beside one that does not. */
static void *answering(void *arg)
{
	struct job *j = arg;
	struct rig *r = j->r;
	uint64_t iova = (16 + j->i) * MIB, v;

	for (unsigned n = 0; n < 300; n++) {
		assert_int_equal(uiommu_map(r->other, iova, thost_pa(&r->b.t, r->page[1]), PAGE,
					    RW, NULL), 0);
		assert_int_equal(peek(r, j->i, ANY, iova, &v), 0);
		assert_int_equal(uiommu_unmap(r->other, iova, PAGE, NULL), 0);
		assert_int_not_equal(peek(r, j->i, ANY, iova, &v), 0);
	}
	return NULL;
}

/* Falls silent, is closed by whoever notices, is reset; again and again. */
static void *silent(void *arg)
{
	struct job *j = arg;
	struct rig *r = j->r;
	struct device *d = &r->d[j->i];

	for (unsigned n = 0; n < 60; n++) {
		uint64_t v, iova = (32 + j->i) * MIB;

		assert_int_equal(uiommu_map(r->dom, iova, thost_pa(&r->b.t, r->page[0]), PAGE,
					    RW, NULL), 0);
		peek(r, j->i, ANY, iova, &v);
		__atomic_store_n(&r->d[j->i].silent, true, __ATOMIC_RELAXED);
		assert_int_equal(uiommu_unmap(r->dom, iova, PAGE, NULL), 0);
		assert_true(uiommu_smmuv3_quarantined(d->dev));
		kept(r, j->i, ANY, iova, 0);
		__atomic_store_n(&r->d[j->i].silent, false, __ATOMIC_RELAXED);
		assert_int_equal(uiommu_device_reset_prepare(d->dev), 0);
		assert_int_equal(uiommu_device_reset_done(d->dev), 0);
	}
	return NULL;
}

/* Moves a PASID of the silent one about, which writes its STE and CDs all the time. */
static void *moving(void *arg)
{
	struct job *j = arg;
	struct rig *r = j->r;

	for (unsigned n = 0; n < 400; n++) {
		struct uiommu_dev *dev = r->d[j->i].dev;
		int err = uiommu_attach_device_pasid(r->other, dev, 1 + n % 3);

		assert_true(!err || err == -UIOMMU_EIO || err == -UIOMMU_EBUSY);
		uiommu_detach_device_pasid(dev, 1 + n % 3);
	}
	return NULL;
}

static void the_right_one_is_blamed_while_others_work(void **state)
{
	const struct uiommu_sim_smmuv3_config cfg = with_ats();
	pthread_t t[4];
	struct rig r;
	struct job j[4] = { { &r, 1 }, { &r, 2 }, { &r, 0 }, { &r, 0 } };
	void *(*const fn[4])(void *) = { answering, answering, silent, moving };

	start(&r, &cfg, true);
	assert_int_equal(uiommu_attach_device(r.dom, r.d[0].dev), 0);
	for (unsigned i = 1; i < 3; i++)
		assert_int_equal(uiommu_attach_device(r.other, r.d[i].dev), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, fn[i], &j[i]);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_false(uiommu_smmuv3_quarantined(r.d[1].dev));
	assert_false(uiommu_smmuv3_quarantined(r.d[2].dev));
	assert_ptr_equal(r.who, r.d[0].dev);
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_09_unmap_reaches_what_devices_keep),
		cmocka_unit_test(invariant_09_tlb_before_device_tlb),
		cmocka_unit_test(spans_cover_and_are_no_larger_than_they_must),
		cmocka_unit_test(many_pasids_of_one_device),
		cmocka_unit_test(on_and_off_in_the_order_of_the_manual),
		cmocka_unit_test(ats_always_on),
		cmocka_unit_test(hardware_without_ats),
		cmocka_unit_test(a_reset_window),
		cmocka_unit_test(invariant_09_what_could_not_be_told_while_it_was_off),
		cmocka_unit_test(invariant_09_what_went_with_ats_while_it_was_off),
		cmocka_unit_test(invariant_09_a_silent_device_is_closed_before_unmap_returns),
		cmocka_unit_test(invariant_13_nothing_is_allocated_on_the_way_out),
		cmocka_unit_test(a_silent_device_without_coherent_walks),
		cmocka_unit_test(invariant_13_silent_in_replace_ends_blocked),
		cmocka_unit_test(invariant_09_silent_in_detach_and_removal),
		cmocka_unit_test(invariant_09_unmap_reaches_a_guests_device),
		cmocka_unit_test(a_guest_tells_its_device),
		cmocka_unit_test(a_guest_without_ats),
		cmocka_unit_test(invariant_12_closed_while_its_ste_is_written),
		cmocka_unit_test(invariant_09_what_leaves_a_device_that_is_being_closed),
		cmocka_unit_test(reset_while_it_is_being_closed),
		cmocka_unit_test(removed_while_it_is_being_closed),
		cmocka_unit_test(invariant_09_a_guest_tells_a_device_that_is_being_closed),
		cmocka_unit_test(invariant_09_recovered_while_one_is_being_closed),
		cmocka_unit_test(a_reset_makes_up_for_silence),
		cmocka_unit_test(only_who_is_silent_is_blamed),
		cmocka_unit_test(the_right_one_is_blamed_while_others_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
