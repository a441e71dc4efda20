/* SPDX-License-Identifier: MIT */
/* TEGRA241_CMDQV: a queue of the driver's own, and queues that VMs have in their hands. */
#include "guest.h"

#include <uiommu/sva.h>

#define IOVA		0x10000u
#define VINTFS_LG2	2u
#define VCMDQS_LG2	3u
#define SIDS_LG2	1u
#define PER		(1u << (VCMDQS_LG2 - VINTFS_LG2))
#define NVINTFS		(1u << VINTFS_LG2)
#define RING_LG2	4u		/* of a VM's queue */
#define RING_BYTES	(16ull << RING_LG2)

/* Registers, as a devicetree says where they are. */
#define AT_VINTF(v, reg)	(CMDQV_AT_VINTF + (v) * CMDQV_STRIDE_VINTF + (reg))
#define AT_QUEUE(q, reg)	(CMDQV_AT_VCMDQ_PAGE0 + (q) * CMDQV_STRIDE_VCMDQ + (reg))
#define AT_PAGE0(v, l, reg)	(CMDQV_AT_VINTF_PAGE0 + (v) * CMDQV_STRIDE_VINTF_PAGES + \
				 (l) * CMDQV_STRIDE_VCMDQ + (reg))
#define OWN(reg)		AT_PAGE0(0, 0, reg)

struct rig {
	struct bench b;
	struct uiommu_sim_smmuv3_config sim;
	unsigned main, own;			/* publishes */
	uint64_t (*on_read)(struct rig *r, uint64_t off, uint64_t v);
	bool (*on_write)(struct rig *r, uint64_t off, uint64_t v);
	unsigned failed, silent;		/* StreamID that leaves invalidations unanswered */
	unsigned slow;				/* likewise, until so many looks later */
	unsigned invs;				/* CMD_ATC_INVs that reached a device */
	struct uiommu_sim_inval inv;		/* the last one */
	struct uiommu_dev *d[3];
	struct guest g[2];
	uint64_t *page[4];
	unsigned pages;
};

static struct rig *rig_of(struct bench *b)
{
	return uiommu_container_of(b, struct rig, b);
}

/* ---- between the driver and the block ---- */

static uint64_t block_read(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = rig_of(b);

	return r->on_read ? r->on_read(r, off, v) : v;
}

static bool block_write(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = rig_of(b);

	r->own += off == OWN(VCMDQ_PROD);
	return !r->on_write || r->on_write(r, off, v);
}

static uint32_t reg(struct rig *r, uint64_t off)
{
	return (uint32_t)uiommu_sim_smmuv3_cmdqv_read(r->b.sim, off, 4);
}

static bool count_main(struct bench *b, uint64_t off, uint64_t v)
{
	rig_of(b)->main += off == SMMU_CMDQ_PROD;
	return true;
}

/* ---- up and down ---- */

static int atc_inv(struct bench *b, const struct uiommu_sim_inval *inv)
{
	struct rig *r = rig_of(b);

	r->invs++;
	r->inv = *inv;
	return r->silent == inv->stream_id ? -1 : r->slow != 0;
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	rig_of(ctx)->failed++;
}

static int reset(void *ctx)
{
	struct rig *r = ctx;
	const struct uiommu_sim_env env = bench_env(&r->b);

	uiommu_sim_smmuv3_destroy(r->b.sim);
	assert_int_equal(uiommu_sim_smmuv3_create(&r->sim, &env, &r->b.sim), 0);
	return 0;
}

static struct uiommu_smmuv3_config config(struct rig *r)
{
	struct uiommu_smmuv3_config cfg = bench_smmu;

	cfg.has_cmdqv = cfg.has_irq_cmdqv = true;
	cfg.irq_cmdqv = 3;
	cfg.cmdqv = bench_block(&r->b, NVINTFS);
	cfg.reset = reset;
	cfg.reset_ctx = r;
	return cfg;
}

static void begin(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	uiommu_sim_smmuv3_config_init(&r->sim);
	r->sim.ats = r->sim.stage2 = r->sim.reset_abort = r->sim.msi = true;
	r->sim.cmdqv.vintfs_lg2 = VINTFS_LG2;
	r->sim.cmdqv.vcmdqs_lg2 = VCMDQS_LG2;
	r->sim.cmdqv.sids_lg2 = SIDS_LG2;
	bench_init_sim(&r->b, &r->sim, false);
	r->b.atc_inv = atc_inv;
	r->b.hook_write = count_main;
	r->b.hook_block_read = block_read;
	r->b.hook_block_write = block_write;
}

static int probe(struct rig *r)
{
	const struct uiommu_observer obs = { .ctx = &r->b, .fault = bench_fault,
					     .iommu_failed = on_failed };
	const struct uiommu_smmuv3_config cfg = config(r);

	assert_int_equal(uiommu_create(&r->b.t.host, &obs, &r->b.u), 0);
	return uiommu_smmuv3_probe(r->b.u, &cfg, &r->b.iommu);
}

static void start(struct rig *r)
{
	begin(r);
	assert_int_equal(probe(r), 0);
}

static struct smmu *smmu(struct rig *r)
{
	return to_smmu(r->b.iommu);
}

static void stop(struct rig *r)
{
	while (r->pages)
		bench_page_free(&r->b, r->page[--r->pages]);
	bench_fini(&r->b);
}

static void map(struct rig *r, struct uiommu_domain *dom, uiommu_iova_t iova, uint64_t v)
{
	uint64_t *page = r->page[r->pages++] = bench_page(&r->b, v);

	bench_map(&r->b, dom, iova, page);
}

/* A domain on one device, with a page that it has looked at. */
static struct uiommu_domain *with_page(struct rig *r)
{
	struct uiommu_dev *dev = r->d[0] = bench_add(&r->b, "a", 1, 8);
	struct uiommu_domain *dom = bench_domain(dev);

	map(r, dom, IOVA, 5);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 3), 0);
	bench_sees(&r->b, dev, 0, IOVA, 5);
	bench_sees(&r->b, dev, 3, IOVA, 5);
	return dom;
}

static void unmap_is_seen(struct rig *r, struct uiommu_domain *dom)
{
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	bench_sees(&r->b, r->d[0], 0, IOVA, 0);
	bench_sees(&r->b, r->d[0], 3, IOVA, 0);
}

/* ---- the driver's own queue ---- */

static void all_that_invalidates_goes_to_the_own_queue(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;

	start(&r);
	assert_int_equal(reg(&r, OWN(VCMDQ_STATUS)), 1);
	r.main = r.own = 0;
	dom = with_page(&r);
	assert_true(r.own > 0);
	unmap_is_seen(&r, dom);
	uiommu_detach_device_pasid(r.d[0], 3);
	assert_int_equal(r.main, 0);
	stop(&r);
}

/* HYP_OWN is not to be had, as in a guest: what the queue does not take goes to the
 * SMMU's own, and no error comes of it. */
static void in_a_guest_some_of_it_does(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;

	begin(&r);
	r.b.no_hyp_own = true;
	assert_int_equal(probe(&r), 0);
	assert_int_equal(FGET(VINTF_CONFIG_HYP_OWN, reg(&r, AT_VINTF(0, VINTF_CONFIG))), 0);
	r.main = r.own = 0;
	dom = with_page(&r);
	assert_true(r.main > 0);			/* CFGI_STE, CFGI_CD */
	r.main = r.own = 0;
	unmap_is_seen(&r, dom);
	assert_int_equal(r.main, 0);
	assert_int_equal(r.own, 1);
	uiommu_detach_device_pasid(r.d[0], 3);
	assert_int_equal(uiommu_domain_free(dom), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r.d[0], 0);		/* and TLBI_NH_ASID */
	assert_true(r.own > 1);
	assert_int_equal(reg(&r, OWN(VCMDQ_GERROR)), 0);
	stop(&r);
}

/* And a page of a process that goes, for a device that shares its addresses. */
static void in_a_guest_sva_does_too(void **state)
{
	const struct uiommu_pt_config pt_cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct rig r;
	struct uiommu_pt pt;
	const struct uiommu_mm_config mm_cfg = { .name = "process", .table = &pt };
	struct uiommu_gather g;
	struct uiommu_mm *mm;
	struct uiommu_sva *sva;
	struct uiommu_dev *dev;

	begin(&r);
	r.b.no_hyp_own = true;
	assert_int_equal(probe(&r), 0);
	dev = bench_add(&r.b, "a", 1, 8);
	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&pt, &r.b.t.host, &pt_cfg), 0);
	r.page[r.pages++] = bench_page(&r.b, 5);
	assert_int_equal(pt.ops->map(&pt, VA, thost_pa(&r.b.t, r.page[0]), PAGE, RW, NULL), 0);
	assert_int_equal(uiommu_mm_create(r.b.u, &mm_cfg, &mm), 0);
	assert_int_equal(uiommu_sva_bind_device(dev, mm, &sva), 0);
	bench_sees(&r.b, dev, uiommu_sva_pasid(sva), VA, 5);
	r.main = r.own = 0;
	uiommu_gather_init(&g);
	assert_int_equal(pt.ops->unmap(&pt, VA, PAGE, &g, NULL), 0);
	uiommu_mm_invalidate(mm, &g);
	uiommu_gather_free(&g, &r.b.t.host);
	assert_int_equal(r.main, 0);
	assert_int_equal(r.own, 1);
	bench_sees(&r.b, dev, uiommu_sva_pasid(sva), VA, 0);
	uiommu_sva_unbind_device(sva);
	assert_int_equal(uiommu_mm_destroy(mm), 0);
	pt.ops->fini(&pt);
	stop(&r);
}

/* A batch that changes queues in the middle: what comes later is later. */
static void a_batch_may_go_to_both(void **state)
{
	struct rig r;
	struct smmu_batch batch;
	struct uiommu_sim_smmuv3_stats before, after;

	begin(&r);
	r.b.no_hyp_own = true;
	assert_int_equal(probe(&r), 0);
	uiommu_sim_smmuv3_stats(r.b.sim, &before);
	r.main = r.own = 0;
	uiommu_smmuv3_batch_begin(smmu(&r), &batch);
	for (unsigned i = 0; i < SMMU_BATCH; i++)
		uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
	uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ALL), 0);
	for (unsigned i = 0; i < SMMU_BATCH; i++)
		uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
	uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
	assert_int_equal(uiommu_smmuv3_batch_sync(smmu(&r), &batch), 0);
	uiommu_sim_smmuv3_stats(r.b.sim, &after);
	assert_int_equal(r.own, 2);
	assert_int_equal(r.main, 1);
	assert_int_equal(smmu(&r)->cmdqv->own.cons, smmu(&r)->cmdqv->own.prod);
	/* each part that the own queue got ends with a CMD_SYNC */
	assert_int_equal(after.commands - before.commands, 2 * SMMU_BATCH + 2 + 2);
	stop(&r);
}

static bool deaf(struct rig *r, uint64_t off, uint64_t v)
{
	return off != OWN(VCMDQ_PROD);
}

static bool logged(struct rig *r, const char *text)
{
	return thost_logged(&r->b.t, text);
}

/* It does not move: given up, and the unmap that found out has reached everybody. */
static void a_queue_that_hangs_is_given_up(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;
	unsigned own;

	start(&r);
	dom = with_page(&r);
	r.on_write = deaf;
	r.b.t.tick = 50000000;
	r.main = 0;
	unmap_is_seen(&r, dom);
	assert_true(r.main > 0);
	assert_int_equal(r.failed, 0);
	assert_true(logged(&r, "its LVCMDQ does not move"));
	own = r.own;
	map(&r, dom, IOVA, 6);
	bench_sees(&r.b, r.d[0], 0, IOVA, 6);
	unmap_is_seen(&r, dom);
	assert_int_equal(r.own, own);
	/* a reset brings it back */
	r.on_write = NULL;
	r.b.t.tick = 0;
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	assert_int_equal(smmu(&r)->cmdqv->own.prod & ((2u << smmu(&r)->cmdqv->own.lg2) - 1),
			 reg(&r, OWN(VCMDQ_PROD)));
	map(&r, dom, IOVA, 7);
	bench_sees(&r.b, r.d[0], 0, IOVA, 7);
	r.main = 0;
	unmap_is_seen(&r, dom);
	assert_true(r.own > own);
	assert_int_equal(r.main, 0);
	stop(&r);
}

/* The SMMU fails, and no interrupt says so: whoever waits for the queue, or for devices
 * there, sees it in a fraction of the time that he would wait. */
static void a_failure_is_seen_by_whoever_waits(void **state)
{
	for (unsigned devices = 0; devices < 2; devices++) {
		struct rig r;
		struct smmu_batch batch;
		uint64_t since;

		start(&r);
		r.b.t.tick = 10000000;
		uiommu_sim_smmuv3_fail(r.b.sim);
		uiommu_smmuv3_batch_begin(smmu(&r), &batch);
		uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
		if (devices)
			uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(ATC_INV) | VSID(1), 0);
		since = r.b.t.now;
		assert_int_not_equal(uiommu_smmuv3_batch_sync(smmu(&r), &batch), 0);
		assert_true(r.b.t.now - since < 500000000);
		assert_int_equal(r.failed, 1);
		assert_true(logged(&r, "service failure"));
		assert_false(logged(&r, "does not move"));
		r.b.t.tick = 0;
		stop(&r);
	}
}

/* A busy machine: each look comes two seconds after the one before, and whoever plays the
 * hardware is run as seldom: it needs fifty. */
static unsigned looks;
static uint64_t held;

static bool hold_prod(struct rig *r, uint64_t off, uint64_t v)
{
	if (off != OWN(VCMDQ_PROD))
		return true;
	held = v;
	looks = 0;
	return false;
}

static uint64_t let_go(struct rig *r, uint64_t off, uint64_t v)
{
	if (off == OWN(VCMDQ_CONS) && ++looks == 50)
		uiommu_sim_smmuv3_cmdqv_write(r->b.sim, OWN(VCMDQ_PROD), held, 4);
	return v;
}

static uint64_t on_at_last(struct rig *r, uint64_t off, uint64_t v)
{
	return off == OWN(VCMDQ_STATUS) && ++looks < 50 ? 0 : v;
}

static void a_queue_that_was_away_is_not_given_up(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;

	start(&r);
	dom = with_page(&r);
	r.on_write = hold_prod;
	r.on_read = let_go;
	r.b.t.tick = 2000000000;
	r.main = 0;
	unmap_is_seen(&r, dom);
	assert_int_equal(r.main, 0);
	assert_false(logged(&r, "its LVCMDQ does not move"));
	/* it is on as late */
	r.on_write = NULL;
	r.on_read = on_at_last;
	looks = 0;
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	assert_true(looks >= 50);
	assert_false(logged(&r, "its CMDQV does not answer"));
	r.b.t.tick = 0;
	r.on_read = NULL;
	stop(&r);
}

/* In the middle of a long batch: the rest goes to the SMMU's own queue. */
static void a_long_batch_on_a_queue_that_hangs(void **state)
{
	struct rig r;
	struct smmu_batch batch;
	uint64_t refused;

	start(&r);
	r.on_write = deaf;
	r.b.t.tick = 50000000;
	refused = smmu(&r)->cmdq.refused;
	uiommu_smmuv3_batch_begin(smmu(&r), &batch);
	for (unsigned i = 0; i < 300; i++)		/* more than it has room for */
		uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
	r.main = 0;
	assert_int_equal(uiommu_smmuv3_batch_sync(smmu(&r), &batch), 0);
	assert_true(r.main > 0);
	assert_true(uiommu_smmuv3_batch_unanswered(&batch));
	assert_int_equal(smmu(&r)->cmdq.refused, refused);
	r.b.t.tick = 0;
	stop(&r);
}

/* It hangs over the first part, and the second one is not for it. */
static void a_part_on_a_queue_that_hangs(void **state)
{
	struct rig r;
	struct smmu_batch batch;

	begin(&r);
	r.b.no_hyp_own = true;
	assert_int_equal(probe(&r), 0);
	r.on_write = deaf;
	r.b.t.tick = 50000000;
	uiommu_smmuv3_batch_begin(smmu(&r), &batch);
	for (unsigned i = 0; i < SMMU_BATCH; i++)
		uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ASID), 0);
	uiommu_smmuv3_batch_add(smmu(&r), &batch, OP(TLBI_NH_ALL), 0);
	r.main = 0;
	assert_int_equal(uiommu_smmuv3_batch_sync(smmu(&r), &batch), 0);
	assert_int_equal(r.main, 2);			/* for the first part, and the second */
	assert_true(uiommu_smmuv3_batch_unanswered(&batch));
	assert_true(logged(&r, "its LVCMDQ does not move"));
	r.b.t.tick = 0;
	bench_fini(&r.b);
}

/* What answers a device is not a matter of forgetting: the SMMU's own queue has it. */
static void answers_go_to_the_smmus_own(void **state)
{
	static const unsigned ops[] = { CMD_RESUME, CMD_STALL_TERM, CMD_PRI_RESP };
	struct rig r;

	start(&r);
	r.main = r.own = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct smmu_batch batch;

		uiommu_smmuv3_batch_begin(smmu(&r), &batch);
		uiommu_smmuv3_batch_add(smmu(&r), &batch, ops[i], 0);
		assert_int_equal(uiommu_smmuv3_batch_send(smmu(&r), &batch), 0);
		assert_int_equal(r.main, i + 1);
	}
	assert_int_equal(r.own, 0);
	bench_fini(&r.b);
}

/* An SMMU that is off is not waited for by way of the other queue. */
static uint64_t count_looks(struct rig *r, uint64_t off, uint64_t v)
{
	looks += off == OWN(VCMDQ_CONS);
	assert_true(looks < 100);
	return v;
}

static void nobody_waits_when_all_is_off(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;

	start(&r);
	dom = with_page(&r);
	uiommu_smmuv3_shut_off(smmu(&r), ": by this test");
	r.on_write = deaf;
	r.on_read = count_looks;
	looks = 0;
	r.b.t.tick = 1;
	unmap_is_seen(&r, dom);
	assert_false(logged(&r, "does not move"));
	r.b.t.tick = 0;
	stop(&r);
}

/* Neither queue moves: as ever, nothing passes when the unmap returns. */
static bool main_deaf(struct bench *b, uint64_t off, uint64_t v)
{
	return off != SMMU_CMDQ_PROD;
}

static void both_hang_and_all_is_shut_off(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;

	start(&r);
	dom = with_page(&r);
	r.on_write = deaf;
	r.b.hook_write = main_deaf;
	r.b.t.tick = 50000000;
	unmap_is_seen(&r, dom);
	assert_int_equal(r.failed, 1);
	r.on_write = NULL;
	r.b.hook_write = count_main;
	r.b.t.tick = 0;
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	bench_sees(&r.b, r.d[0], 0, IOVA, 0);
	stop(&r);
}

/* It does not take what it should: it is given up, and all of it is done by the other. */
static void a_queue_that_refuses_is_given_up(void **state)
{
	struct rig r;
	struct smmu_batch batch;
	struct uiommu_domain *dom;
	unsigned own;

	start(&r);
	dom = with_page(&r);
	uiommu_smmuv3_batch_begin(smmu(&r), &batch);
	uiommu_smmuv3_batch_add(smmu(&r), &batch, 0xff, 0);
	r.main = 0;
	assert_int_equal(uiommu_smmuv3_batch_sync(smmu(&r), &batch), 0);
	assert_true(uiommu_smmuv3_batch_unanswered(&batch));
	assert_true(logged(&r, "command refused: CERROR 1, opcode 0xff"));
	assert_true(logged(&r, "its LVCMDQ refuses what it should take"));
	assert_int_equal(r.main, 1);
	assert_int_equal(reg(&r, OWN(VCMDQ_GERROR)), reg(&r, OWN(VCMDQ_GERRORN)));
	own = r.own;
	unmap_is_seen(&r, dom);
	assert_int_equal(r.own, own);
	stop(&r);
}

static struct uiommu_dev *add_ats(struct rig *r, const char *name, uint32_t sid)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = r->b.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
		.ats = true,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(r->b.u, &cfg, &dev), 0);
	return dev;
}

/* A device that does not answer is found out there too, and is alone in quarantine. */
static void a_silent_device(void **state)
{
	struct rig r;
	struct uiommu_dev *a, *b;
	struct uiommu_domain *dom;

	start(&r);
	a = add_ats(&r, "a", 1);
	b = add_ats(&r, "b", 2);
	dom = bench_domain(a);
	for (unsigned i = 0; i < 2; i++)
		map(&r, dom, IOVA + i * PAGE, 5 + i);
	assert_int_equal(uiommu_attach_device(dom, a), 0);
	assert_int_equal(uiommu_attach_device(dom, b), 0);
	r.silent = 2;
	r.main = 0;
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	assert_int_equal(r.main, 0);
	assert_true(logged(&r, "b does not answer CMD_ATC_INV"));
	bench_sees(&r.b, a, 0, IOVA + PAGE, 6);
	bench_sees(&r.b, b, 0, IOVA + PAGE, 0);
	stop(&r);
}

/* The queue hangs over a CMD_ATC_INV: nobody is accused, everybody is asked again. */
static void invalidations_of_devices_are_not_lost_with_it(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;
	struct uiommu_dev *a;

	start(&r);
	a = add_ats(&r, "a", 1);
	dom = bench_domain(a);
	for (unsigned i = 0; i < 2; i++)
		map(&r, dom, IOVA + i * PAGE, 5 + i);
	assert_int_equal(uiommu_attach_device(dom, a), 0);
	r.on_write = deaf;
	r.b.t.tick = 50000000;
	r.invs = 0;
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	r.b.t.tick = 0;
	assert_true(r.invs > 0);
	assert_int_equal(r.inv.stream_id, 1);
	assert_int_equal(r.inv.queue, 0);
	bench_sees(&r.b, a, 0, IOVA + PAGE, 6);		/* not in quarantine */
	stop(&r);
}

/* A guest's device that its VMM has given no StreamID in the queue: it is asked by the
 * SMMU's own, and not accused. */
static void a_device_that_the_queue_does_not_know(void **state)
{
	struct rig r;
	struct uiommu_domain *dom;
	struct uiommu_dev *a;

	begin(&r);
	r.b.no_hyp_own = true;
	assert_int_equal(probe(&r), 0);
	a = add_ats(&r, "a", 1);
	dom = bench_domain(a);
	for (unsigned i = 0; i < 2; i++)
		map(&r, dom, IOVA + i * PAGE, 5 + i);
	assert_int_equal(uiommu_attach_device(dom, a), 0);
	r.invs = 0;
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	assert_true(logged(&r, "command refused: CERROR 4, opcode 0x40"));
	assert_true(r.invs > 0);
	assert_int_equal(r.inv.queue, 0);
	bench_sees(&r.b, a, 0, IOVA, 0);
	bench_sees(&r.b, a, 0, IOVA + PAGE, 6);
	stop(&r);
}

/* ---- a block that is none ---- */

static uint32_t the_param;

static uint64_t say_param(struct rig *r, uint64_t off, uint64_t v)
{
	return off == CMDQV_PARAM ? the_param : v;
}

static uint64_t say_nothing(struct rig *r, uint64_t off, uint64_t v)
{
	return 0;
}

static uint64_t always_on(struct rig *r, uint64_t off, uint64_t v)
{
	return off == CMDQV_STATUS ? 1 : v;
}

static uint64_t vintf0_never(struct rig *r, uint64_t off, uint64_t v)
{
	return off == AT_VINTF(0, VINTF_STATUS) ? 0 : v;
}

static uint64_t own_never(struct rig *r, uint64_t off, uint64_t v)
{
	return off == OWN(VCMDQ_STATUS) ? 0 : v;
}

static void done_without(uint64_t (*on_read)(struct rig *r, uint64_t off, uint64_t v),
			 const char *text)
{
	struct rig r;
	struct uiommu_domain *dom;
	struct uiommu_hw_info info;

	begin(&r);
	r.on_read = on_read;
	r.b.t.tick = 50000000;
	assert_int_equal(probe(&r), 0);
	r.b.t.tick = 0;
	assert_true(logged(&r, text));
	dom = with_page(&r);
	r.main = r.own = 0;
	unmap_is_seen(&r, dom);
	assert_true(r.main > 0);
	assert_int_equal(r.own, 0);
	assert_false(uiommu_device_has_viommu(r.d[0], 2));
	assert_true(uiommu_device_has_viommu(r.d[0], 1));
	if (!smmu(&r)->cmdqv)
		assert_int_equal(uiommu_device_hw_info(r.d[0], 3, &info), -UIOMMU_EOPNOTSUPP);
	uiommu_smmuv3_poll(r.b.iommu);
	stop(&r);
}

static void a_block_that_is_none_is_left_alone(void **state)
{
	static const uint32_t params[] = {
		~0u,					/* nothing answers there */
		FCONST(CMDQV_PARAM_NUM_VINTF_LOG2, 2),	/* more interfaces than queues */
		FCONST(CMDQV_PARAM_NUM_VCMDQ_LOG2, 8),	/* more than there are registers */
		FCONST(CMDQV_PARAM_NUM_VCMDQ_LOG2, 7) | FCONST(CMDQV_PARAM_NUM_VINTF_LOG2, 7),
		FCONST(CMDQV_PARAM_NUM_SID_PER_VM_LOG2, 5),
		FCONST(CMDQV_PARAM_NUM_VCMDQ_LOG2, 6) | FCONST(CMDQV_PARAM_NUM_VINTF_LOG2, 6),
	};

	for (unsigned i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		the_param = params[i];
		done_without(say_param, "its CMDQV makes no sense");
	}
	done_without(say_nothing, "its CMDQV does not answer");
	done_without(always_on, "does not acknowledge that it is off");
	done_without(vintf0_never, "its CMDQV does not answer");
	done_without(own_never, "its CMDQV does not answer");
}

static void poll(struct rig *r, bool by_interrupt)
{
	if (by_interrupt)
		r->b.t.irq[3](r->b.t.irq_arg[3]);
	else
		uiommu_smmuv3_poll(r->b.iommu);
}

/* What somebody has left: an interface with a pair, and a queue that tells CONS to memory.
 * The block need not forget it when it is switched off. */
static const struct {
	uint64_t off, v;
} left_behind[] = {
	{ AT_VINTF(1, VINTF_SID_REPLACE), 1 },
	{ AT_VINTF(1, VINTF_SID_MATCH), 9 << 1 | 1 },
	{ AT_VINTF(1, VINTF_CONFIG), 7 << 1 },
	{ AT_VINTF(1, VINTF_CONFIG), 7 << 1 | 1 },
	{ CMDQV_CMDQ_ALLOC + 4 * PER, 1 << CMDQV_CMDQ_ALLOC_VINTF_LO | 1 },
	{ CMDQV_AT_VCMDQ_PAGE1 + PER * CMDQV_STRIDE_VCMDQ + VCMDQ_BASE, 0x4000 },
	{ CMDQV_AT_VCMDQ_PAGE1 + PER * CMDQV_STRIDE_VCMDQ + VCMDQ_CONS_INDX_BASE, 0x5000 },
	{ AT_QUEUE(PER, VCMDQ_CONFIG), 1 },
};

static bool on_with_all_that(struct rig *r, uint64_t off, uint64_t v)
{
	if (off != CMDQV_CONFIG || !(v & 1))
		return true;
	uiommu_sim_smmuv3_cmdqv_write(r->b.sim, off, v, 4);
	for (unsigned i = 0; i < sizeof(left_behind) / sizeof(left_behind[0]); i++)
		uiommu_sim_smmuv3_cmdqv_write(r->b.sim, left_behind[i].off, left_behind[i].v, 4);
	assert_int_equal(reg(r, AT_QUEUE(PER, VCMDQ_STATUS)), 1);
	return false;
}

static void nothing_is_left_of_whoever_had_it_before(void **state)
{
	struct rig r;

	begin(&r);
	r.on_write = on_with_all_that;
	assert_int_equal(probe(&r), 0);
	assert_int_equal(reg(&r, CMDQV_STATUS), 1);
	for (unsigned i = 0; i < sizeof(left_behind) / sizeof(left_behind[0]); i++) {
		uint32_t v = reg(&r, left_behind[i].off);

		if (left_behind[i].off == CMDQV_CMDQ_ALLOC + 4 * PER)
			v &= FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED);
		assert_int_equal(v, 0);
	}
	r.on_write = NULL;
	stop(&r);
}

/* Nobody waits for what it refuses: whoever is told of the error puts it right. */
static void an_error_that_nobody_waits_for(void **state)
{
	for (unsigned by_interrupt = 0; by_interrupt < 2; by_interrupt++) {
		struct rig r;
		struct smmu_cmdq *own;

		start(&r);
		own = &smmu(&r)->cmdqv->own;
		own->ring[(own->prod & ((1u << own->lg2) - 1)) * CMD_WORDS] = 0xff;
		uiommu_sim_smmuv3_cmdqv_write(r.b.sim, OWN(VCMDQ_PROD), reg(&r, OWN(VCMDQ_PROD)) + 1, 4);
		assert_int_not_equal(reg(&r, OWN(VCMDQ_GERROR)), reg(&r, OWN(VCMDQ_GERRORN)));
		poll(&r, by_interrupt);
		assert_int_equal(reg(&r, OWN(VCMDQ_GERROR)), reg(&r, OWN(VCMDQ_GERRORN)));
		assert_int_equal(reg(&r, OWN(VCMDQ_CONS)) & FMASK(VCMDQ_CONS_RD),
				 reg(&r, OWN(VCMDQ_PROD)));
		assert_true(own->dead);
		stop(&r);
	}
}

static void hw_info_of_type_3(void **state)
{
	struct rig r;
	struct uiommu_hw_info info;
	struct smmu_cmdqv_info got;
	struct uiommu_dev *dev;

	start(&r);
	dev = bench_add(&r.b, "a", 1, 0);
	assert_int_equal(uiommu_device_hw_info(dev, 3, &info), 0);
	assert_int_equal(info.type, 3);
	assert_int_equal(info.bytes, 8);
	memcpy(&got, info.data, sizeof(got));
	assert_int_equal(got.flags, 0);
	assert_int_equal(got.version, 1);
	assert_int_equal(got.log2vcmdqs, VCMDQS_LG2 - VINTFS_LG2);
	assert_int_equal(got.log2vsids, SIDS_LG2);
	assert_int_equal(got.reserved, 0);
	assert_int_equal(uiommu_device_hw_info(dev, 0, &info), 0);
	assert_int_equal(info.type, 2);
	assert_int_equal(uiommu_device_hw_info(dev, 4, &info), -UIOMMU_EOPNOTSUPP);
	stop(&r);
}

/* ---- VMs ---- */

/* A VM's hands on its queue @index: memory of its own, and its page. */
struct hands {
	struct guest *g;
	struct uiommu_hw_queue *q;
	struct uiommu_mmio page;
	unsigned index;
	uint64_t *ring;
	unsigned prod;
};

static uint32_t hand_get(const struct hands *h, unsigned reg)
{
	return h->page.ops->read32(h->page.ctx, h->index * CMDQV_STRIDE_VCMDQ + reg);
}

static void hand_set(const struct hands *h, unsigned reg, uint32_t v)
{
	h->page.ops->write32(h->page.ctx, h->index * CMDQV_STRIDE_VCMDQ + reg, v);
}

static int try_hands(struct guest *g, unsigned index, struct hands *h)
{
	struct uiommu_hw_queue_config cfg = { 1, index, 0, RING_BYTES };
	size_t bytes;

	*h = (struct hands){ .g = g, .index = index };
	h->ring = guest_alloc(g, RING_BYTES);
	cfg.base = thost_pa(&g->b->t, h->ring);
	assert_int_equal(uiommu_viommu_mmio(g->v, &h->page, &bytes), 0);
	assert_int_equal(bytes, 65536);
	return uiommu_hw_queue_alloc(g->v, &cfg, &h->q);
}

static struct hands hands(struct guest *g, unsigned index)
{
	struct hands h;

	assert_int_equal(try_hands(g, index, &h), 0);
	hand_set(&h, VCMDQ_CONFIG, 1);
	assert_int_equal(hand_get(&h, VCMDQ_STATUS), 1);
	return h;
}

/* One command and a CMD_SYNC; true: they were taken. */
static bool hand_say(struct hands *h, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2][2] = { { w0, w1 }, { OP(SYNC), 0 } };

	for (unsigned i = 0; i < 2; i++, h->prod++)
		memcpy(&h->ring[h->prod % (1u << RING_LG2) * 2], cmd[i], 16);
	h->prod &= (2u << RING_LG2) - 1;
	hand_set(h, VCMDQ_PROD, h->prod);
	return (hand_get(h, VCMDQ_CONS) & FMASK(VCMDQ_CONS_RD)) == h->prod;
}

/* Two VMs of a device each, which both call 0x40 and give the same ASID. */
#define VSID_OF	0x40u

static void start_vms(struct rig *r)
{
	start(r);
	for (unsigned i = 0; i < 3; i++) {
		const char *const names[] = { "d1", "d2", "d3" };

		r->d[i] = bench_add(&r->b, names[i], 1 + i, 8);
	}
	for (unsigned i = 0; i < 2; i++) {
		guest_init_as(&r->g[i], &r->b, r->d[i], i + 1, 2);
		own(&r->g[i], r->d[i], VSID_OF);
		assert_int_equal(uiommu_attach_device(nested(&r->g[i], r->d[i]), r->d[i]), 0);
		bench_sees(&r->b, r->d[i], 0, VA, (i + 1) * 100);
		bench_sees(&r->b, r->d[i], 1, VA, (i + 1) * 100 + 1);
	}
}

static void stop_vms(struct rig *r)
{
	guest_fini(&r->g[0]);
	guest_fini(&r->g[1]);
	bench_fini(&r->b);
}

static unsigned tag_of(const struct guest *g)
{
	return g->v->link->tag;
}

#define TLBI_VMID(n)	FPREP(CMD_TLBI_NH_ASID_VMID, n)
#define TLBI_ASID(n)	FPREP(CMD_TLBI_NH_ASID_ASID, n)

static void invariant_08_a_vms_queue_reaches_that_vm_alone(void **state)
{
	struct rig r;
	struct hands h[2];

	start_vms(&r);
	for (unsigned i = 0; i < 2; i++) {
		h[i] = hands(&r.g[i], 0);
		assert_int_equal(reg(&r, AT_VINTF(1 + i, VINTF_CONFIG)),
				 FPREP(VINTF_CONFIG_VMID, tag_of(&r.g[i])) | 1);
		guest_unmap(&r.g[i], 0, VA);		/* and nobody has been told */
		guest_unmap(&r.g[i], 1, VA);
	}
	/* it names the other's VMID: it means its own */
	assert_true(hand_say(&h[0], OP(TLBI_NH_ASID) | TLBI_ASID(7) | TLBI_VMID(tag_of(&r.g[1])), 0));
	bench_sees(&r.b, r.d[0], 0, VA, 0);
	bench_sees(&r.b, r.d[0], 1, VA, 101);
	bench_sees(&r.b, r.d[1], 0, VA, 200);
	assert_true(hand_say(&h[0], OP(TLBI_NH_VA) | TLBI_ASID(8) | TLBI_VMID(tag_of(&r.g[1])), VA));
	bench_sees(&r.b, r.d[0], 1, VA, 0);
	bench_sees(&r.b, r.d[1], 1, VA, 201);
	assert_true(hand_say(&h[1], OP(TLBI_NH_ASID) | TLBI_ASID(7) | TLBI_VMID(tag_of(&r.g[0])), 0));
	bench_sees(&r.b, r.d[1], 0, VA, 0);
	for (unsigned i = 0; i < 2; i++) {
		r.invs = 0;
		assert_true(hand_say(&h[i], OP(ATC_INV) | VSID(VSID_OF), 0));
		assert_int_equal(r.invs, 1);
		assert_int_equal(r.inv.stream_id, 1 + i);
		assert_int_equal(r.inv.queue, 1 + (1 + i) * PER);
	}
	/* and no word of it came by the driver */
	assert_int_equal(r.g[0].stops + r.g[1].stops, 0);
	stop_vms(&r);
}

static void a_queue_that_errs_stops_alone_and_its_vm_is_told(void **state)
{
	for (unsigned by_interrupt = 0; by_interrupt < 2; by_interrupt++) {
		struct rig r;
		struct hands h[3];
		struct guest *g = &r.g[0];

		start_vms(&r);
		h[0] = hands(g, 0);
		h[1] = hands(g, 1);
		h[2] = hands(&r.g[1], 0);
		r.b.irqs[UIOMMU_SIM_IRQ_CMDQV] = 0;
		poll(&r, by_interrupt);
		assert_int_equal(g->stops, 0);
		assert_false(hand_say(&h[1], OP(CFGI_STE) | VSID(VSID_OF), 0));
		assert_int_equal(r.b.irqs[UIOMMU_SIM_IRQ_CMDQV], 1);
		for (unsigned again = 0; again < 2; again++)
			poll(&r, by_interrupt);
		assert_int_equal(g->stops, 1);
		assert_int_equal(g->stopped[0], 2);
		assert_int_equal(g->stopped[1], 0);
		assert_int_equal(r.g[1].stops, 0);
		assert_int_equal(FGET(VCMDQ_CONS_ERR, hand_get(&h[1], VCMDQ_CONS)), CERROR_ILL);
		/* the others go on, its own other one too */
		assert_true(hand_say(&h[0], OP(TLBI_NH_ASID), 0));
		assert_true(hand_say(&h[2], OP(TLBI_NH_ASID), 0));
		/* it is repaired, goes on, and errs again */
		h[1].ring[0] = OP(SYNC);
		hand_set(&h[1], VCMDQ_GERRORN, hand_get(&h[1], VCMDQ_GERROR));
		assert_true(hand_say(&h[1], OP(TLBI_NH_ASID), 0));
		poll(&r, by_interrupt);
		assert_int_equal(g->stops, 1);
		assert_false(hand_say(&h[1], OP(ATC_INV) | VSID(VSID_OF + 1), 0));
		assert_false(hand_say(&h[2], OP(TLBI_NSNH_ALL), 0));
		poll(&r, by_interrupt);
		poll(&r, by_interrupt);
		assert_int_equal(g->stops, 2);
		assert_int_equal(g->stopped[0], 2);
		assert_int_equal(r.g[1].stops, 1);
		assert_int_equal(r.g[1].stopped[0], 1);
		/* whoever says that he has an error stands still, too */
		hand_set(&h[0], VCMDQ_GERRORN, ~hand_get(&h[0], VCMDQ_GERROR));
		poll(&r, by_interrupt);
		poll(&r, by_interrupt);
		assert_int_equal(g->stops, 3);
		assert_int_equal(g->stopped[0], 3);
		stop_vms(&r);
	}
}

/* It sees to its error itself before anybody has looked, or after: the next one is told,
 * whichever way round GERROR has it by now. */
static void an_error_that_its_vm_saw_first_hides_no_other(void **state)
{
	for (unsigned ways = 0; ways < 16; ways++) {
		struct rig r;
		struct hands h;
		unsigned stops = 0;

		start_vms(&r);
		h = hands(&r.g[0], 0);
		for (unsigned i = 0; i < 4; i++) {
			bool looked = ways >> i & 1;

			assert_false(hand_say(&h, OP(CFGI_STE), 0));
			if (looked)
				poll(&r, false);
			stops += looked;
			assert_int_equal(r.g[0].stops, stops);
			h.ring[(h.prod - 2) % (1u << RING_LG2) * 2] = OP(SYNC);
			hand_set(&h, VCMDQ_GERRORN, hand_get(&h, VCMDQ_GERROR));
			if (i & 1)
				poll(&r, false);
		}
		assert_false(hand_say(&h, OP(CFGI_STE), 0));
		poll(&r, true);
		poll(&r, true);
		assert_int_equal(r.g[0].stops, stops + 1);
		stop_vms(&r);
	}
}

/* An error that nobody took away, told or not, is not the next one's who has the queue. */
static void a_new_queue_has_no_old_error(void **state)
{
	for (unsigned told = 0; told < 2; told++) {
		struct rig r;
		struct hands h;

		start_vms(&r);
		h = hands(&r.g[0], 0);
		assert_false(hand_say(&h, OP(CFGI_STE), 0));
		if (told)
			poll(&r, false);
		assert_int_equal(uiommu_hw_queue_free(h.q), 0);
		h = hands(&r.g[0], 0);
		poll(&r, false);
		assert_int_equal(r.g[0].stops, told);
		assert_int_equal(hand_get(&h, VCMDQ_CONS), 0);
		assert_true(hand_say(&h, OP(TLBI_NH_ASID), 0));
		assert_false(hand_say(&h, OP(CFGI_STE), 0));
		poll(&r, false);
		assert_int_equal(r.g[0].stops, told + 1);
		stop_vms(&r);
	}
}

/* Its user has the page already, and makes a mistake the moment that the queue is in it. */
static bool wrong_at_once(struct rig *r, uint64_t off, uint64_t v)
{
	if (off != CMDQV_CMDQ_ALLOC + 4 * PER || !(v & 1))
		return true;
	uiommu_sim_smmuv3_cmdqv_write(r->b.sim, off, v, 4);
	uiommu_sim_smmuv3_cmdqv_write(r->b.sim, AT_PAGE0(1, 0, VCMDQ_CONFIG), 1, 4);
	uiommu_sim_smmuv3_cmdqv_write(r->b.sim, AT_PAGE0(1, 0, VCMDQ_PROD), 1, 4);
	return false;
}

static void an_error_before_the_queue_is_made_is_told(void **state)
{
	struct rig r;
	struct hands h;

	start_vms(&r);
	r.on_write = wrong_at_once;
	assert_int_equal(try_hands(&r.g[0], 0, &h), 0);
	assert_int_equal(FGET(VCMDQ_CONS_ERR, hand_get(&h, VCMDQ_CONS)), CERROR_ILL);
	poll(&r, false);
	assert_int_equal(r.g[0].stops, 1);
	assert_int_equal(r.g[0].stopped[0], 1);
	stop_vms(&r);
}

/* More bits in the map than it has queues. */
static uint64_t bits_of_nobody(struct rig *r, uint64_t off, uint64_t v)
{
	return off == AT_VINTF(1, VINTF_LVCMDQ_ERR_MAP_64) ? v | ~0ull << PER : v;
}

static void a_vm_is_told_of_queues_that_it_has(void **state)
{
	struct rig r;
	struct hands h;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	r.on_read = bits_of_nobody;
	assert_false(hand_say(&h, OP(CFGI_STE), 0));
	poll(&r, false);
	assert_int_equal(r.g[0].stops, 1);
	assert_int_equal(r.g[0].stopped[0], 1);
	assert_int_equal(r.g[0].stopped[1], 0);
	stop_vms(&r);
}

static void what_a_queue_may_not_be(void **state)
{
	struct rig r;
	struct guest *g = &r.g[0];
	struct uiommu_hw_queue *q[2], *none = NULL;
	uint64_t base;

	start_vms(&r);
	base = thost_pa(&r.b.t, g->mem);
#define TRY(type, index, base, bytes)							\
	uiommu_hw_queue_alloc(g->v, &(struct uiommu_hw_queue_config){ type, index, base,	\
								      bytes }, &none)
	assert_int_equal(uiommu_viommu_num_hw_queues(g->v, 1), PER);
	assert_int_equal(TRY(0, 0, base, 64), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(2, 0, base, 64), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(TRY(1, PER, base, 64), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 1, base, 64), -UIOMMU_EIO);
	assert_int_equal(TRY(1, 0, base, 0), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, base, 16), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, base, 48), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, base, 32ull << r.sim.cmdq_max_lg2), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, 0, 1ull << 63), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, base + 32, 64), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1, 0, 1ull << 48, 64), -UIOMMU_EINVAL);
	assert_int_equal(reg(&r, CMDQV_CMDQ_ALLOC + 4 * PER) & 1, 0);
	assert_int_equal(TRY(1, 0, 0, 16ull << r.sim.cmdq_max_lg2), 0);
	q[0] = none;
	assert_int_equal(TRY(1, 0, base, 64), -UIOMMU_EEXIST);
	assert_int_equal(TRY(1, 1, base, 32), 0);
	q[1] = none;
	assert_int_equal(uiommu_hw_queue_free(q[0]), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_viommu_free(g->v), -UIOMMU_EBUSY);
	r.b.t.forbid = true;
	assert_int_equal(uiommu_hw_queue_free(q[1]), 0);
	assert_int_equal(uiommu_hw_queue_free(q[0]), 0);
	r.b.t.forbid = false;
#undef TRY
	stop_vms(&r);
}

static int slice(struct rig *r, unsigned i, struct uiommu_viommu **v)
{
	const struct uiommu_viommu_config cfg = { .parent = r->g[i].parent, .dev = r->d[2],
						  .type = 2 };

	return uiommu_viommu_alloc(&cfg, v);
}

static void interfaces_and_pairs_are_not_without_end(void **state)
{
	struct rig r;
	struct uiommu_viommu *v, *none = NULL;
	struct uiommu_vdevice *vd[SIDS_LG2 + 2], *no = NULL;
	struct uiommu_hw_queue_config cfg = { 1, 0, 0, 64 };
	struct uiommu_hw_queue *q;
	struct uiommu_dev *more;

	start_vms(&r);
	more = bench_add(&r.b, "d4", 4, 0);
	assert_int_equal(slice(&r, 0, &v), 0);
	assert_int_equal(slice(&r, 0, &none), -UIOMMU_ENOSPC);
	/* a queue alone holds it */
	cfg.base = thost_pa(&r.b.t, r.g[0].mem);
	assert_int_equal(uiommu_hw_queue_alloc(v, &cfg, &q), 0);
	assert_int_equal(uiommu_viommu_free(v), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_hw_queue_free(q), 0);
	assert_int_equal(uiommu_viommu_free(v), 0);
	assert_int_equal(reg(&r, AT_VINTF(3, VINTF_CONFIG)), 0);
	assert_int_equal(slice(&r, 0, &v), 0);

	assert_int_equal(uiommu_vdevice_alloc(v, r.d[2], 1u << 20, &no), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vdevice_alloc(v, r.d[2], 1ull << 32, &no), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vdevice_alloc(v, r.d[2], (1u << 20) - 1, &vd[0]), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, more, 5, &vd[1]), 0);
	assert_int_equal(reg(&r, AT_VINTF(3, VINTF_SID_MATCH) + 4), 5 << 1 | 1);
	assert_int_equal(reg(&r, AT_VINTF(3, VINTF_SID_REPLACE) + 4), 4);
	more = bench_add(&r.b, "d5", 5, 0);
	assert_int_equal(uiommu_vdevice_alloc(v, more, 6, &no), -UIOMMU_ENOSPC);
	assert_null(uiommu_device_vdevice(more));
	uiommu_vdevice_free(vd[0]);
	assert_int_equal(uiommu_vdevice_alloc(v, more, 6, &vd[0]), 0);
	assert_int_equal(reg(&r, AT_VINTF(3, VINTF_SID_MATCH)), 6 << 1 | 1);
	assert_null(no);
	stop_vms(&r);
}

static void a_device_that_leaves_a_vm_is_not_in_its_reach(void **state)
{
	struct rig r;
	struct hands h;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	assert_true(hand_say(&h, OP(ATC_INV) | VSID(VSID_OF), 0));
	uiommu_vdevice_free(uiommu_device_vdevice(r.d[0]));
	r.invs = 0;
	assert_false(hand_say(&h, OP(ATC_INV) | VSID(VSID_OF), 0));
	assert_int_equal(r.invs, 0);
	assert_int_equal(reg(&r, AT_VINTF(1, VINTF_SID_MATCH)), 0);
	assert_int_equal(reg(&r, AT_VINTF(1, VINTF_SID_REPLACE)), 0);
	stop_vms(&r);
}

/* ---- the end of a queue ---- */

static uint64_t executed(struct rig *r)
{
	struct uiommu_sim_smmuv3_stats st;

	uiommu_sim_smmuv3_stats(r->b.sim, &st);
	return st.commands;
}

/* Each time the driver switches it off the VM switches it on again. */
static struct hands *stubborn;
static unsigned again;

static bool switch_on_again(struct rig *r, uint64_t off, uint64_t v)
{
	if (off != AT_QUEUE(PER, VCMDQ_CONFIG) || v)
		return true;
	uiommu_sim_smmuv3_cmdqv_write(r->b.sim, off, v, 4);
	if (again)
		uiommu_sim_smmuv3_cmdqv_write(r->b.sim, AT_PAGE0(1, 0, VCMDQ_CONFIG), 1, 4);
	again -= again != 0;
	return false;
}

static void in_a_vms_hands_to_the_end(unsigned times)
{
	struct rig r;
	struct hands h;
	uint64_t ran;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	stubborn = &h;
	again = times;
	r.on_write = switch_on_again;
	r.b.t.tick = 50000000;
	r.b.t.forbid = true;
	assert_int_equal(uiommu_hw_queue_free(h.q), 0);
	r.b.t.forbid = false;
	r.b.t.tick = 0;
	assert_int_equal(r.failed, 0);
	assert_int_equal(reg(&r, CMDQV_CMDQ_ALLOC + 4 * PER) & 1, 0);
	assert_int_equal(reg(&r, AT_QUEUE(PER, VCMDQ_CONFIG)), 0);
	assert_int_equal(uiommu_sim_smmuv3_cmdqv_read(r.b.sim, CMDQV_AT_VCMDQ_PAGE1 +
						      PER * CMDQV_STRIDE_VCMDQ + VCMDQ_BASE, 8), 0);
	/* what is written into the page now reaches nothing */
	ran = executed(&r);
	hand_set(&h, VCMDQ_CONFIG, 1);
	assert_false(hand_say(&h, OP(TLBI_NH_ASID), 0));
	assert_int_equal(hand_get(&h, VCMDQ_STATUS), 0);
	assert_int_equal(hand_get(&h, VCMDQ_CONFIG), 0);
	assert_int_equal(executed(&r), ran);
	assert_int_equal(reg(&r, AT_QUEUE(PER, VCMDQ_PROD)), 0);
	assert_int_equal(reg(&r, AT_QUEUE(PER, VCMDQ_CONFIG)), 0);
	stop_vms(&r);
}

static void a_freed_queue_is_off_whatever_its_user_does(void **state)
{
	in_a_vms_hands_to_the_end(0);
	in_a_vms_hands_to_the_end(3);
	in_a_vms_hands_to_the_end(10000);
}

/* A device owes the first user an answer: the next one is not told that it never came. */
static void a_silence_is_not_the_next_users(void **state)
{
	struct rig r;
	struct hands h;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	r.silent = 1;
	h.ring[0] = OP(ATC_INV) | VSID(VSID_OF);
	hand_set(&h, VCMDQ_PROD, 1);			/* and no CMD_SYNC */
	assert_int_equal(hand_get(&h, VCMDQ_CONS), 1);
	assert_int_equal(uiommu_hw_queue_free(h.q), 0);
	h = hands(&r.g[0], 0);
	assert_true(hand_say(&h, OP(TLBI_NH_ASID), 0));
	assert_int_equal(r.failed, 0);
	stop_vms(&r);
}

/* It is given up only after a while. */
static void not_answered(struct thost *t)
{
	struct rig *r = uiommu_container_of(t, struct rig, b.t);

	if (r->slow && !--r->slow)
		uiommu_sim_smmuv3_atc_inv_done(r->b.sim, r->inv.queue, false);
}

static void nor_is_one_that_lasts(void **state)
{
	struct rig r;
	struct hands h;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	r.slow = 130;				/* a hundred of them cost no time */
	h.ring[0] = OP(ATC_INV) | VSID(VSID_OF);
	hand_set(&h, VCMDQ_PROD, 1);
	assert_int_equal(hand_get(&h, VCMDQ_CONS), 1);
	r.b.t.on_relax = not_answered;
	r.b.t.tick = 500000000;
	assert_int_equal(uiommu_hw_queue_free(h.q), 0);
	r.b.t.tick = 0;
	assert_int_equal(r.slow, 0);
	assert_int_equal(r.failed, 0);
	h = hands(&r.g[0], 0);
	assert_true(hand_say(&h, OP(TLBI_NH_ASID), 0));
	stop_vms(&r);
}

/* Hardware that does not do what it is told. */
static uint64_t the_status;

static uint64_t never_on(struct rig *r, uint64_t off, uint64_t v)
{
	return off == the_status ? 0 : v;
}

static uint64_t never_off(struct rig *r, uint64_t off, uint64_t v)
{
	return off == the_status ? 1 : v;
}

/* Tear-down cannot fail: the SMMU goes off instead, and comes back. */
static void hardware_that_does_not_let_go_is_shut_off(void **state)
{
	struct rig r;
	struct hands h;
	struct uiommu_viommu *v;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	r.on_read = never_off;
	the_status = AT_QUEUE(PER, VCMDQ_STATUS);
	r.b.t.tick = 50000000;
	assert_int_equal(uiommu_hw_queue_free(h.q), 0);
	assert_int_equal(r.failed, 1);
	assert_true(logged(&r, "a VM's queue does not acknowledge"));
	bench_sees(&r.b, r.d[1], 0, VA, 0);
	r.b.t.tick = 0;
	/* that queue still does not go off: no VM gets one any more, the SMMU comes back */
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	assert_false(uiommu_device_has_viommu(r.d[2], 2));
	bench_sees(&r.b, r.d[1], 0, VA, 200);
	stop_vms(&r);

	start_vms(&r);
	assert_int_equal(uiommu_viommu_free(r.g[0].v), -UIOMMU_EBUSY);
	assert_int_equal(slice(&r, 0, &v), 0);
	r.on_read = never_off;
	the_status = AT_VINTF(3, VINTF_STATUS);
	r.b.t.tick = 50000000;
	assert_int_equal(uiommu_viommu_free(v), 0);
	assert_int_equal(r.failed, 1);
	assert_true(logged(&r, "an interface of its CMDQV does not acknowledge"));
	r.on_read = NULL;
	r.b.t.tick = 0;
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	bench_sees(&r.b, r.d[1], 0, VA, 200);
	stop_vms(&r);
}

/* ---- a failed call ---- */

static void all_registers(struct rig *r, uint32_t *out)
{
	unsigned n = 0;

	for (unsigned q = 0; q < 1u << VCMDQS_LG2; q++) {
		out[n++] = reg(r, CMDQV_CMDQ_ALLOC + 4 * q) & 1;
		out[n++] = reg(r, AT_QUEUE(q, VCMDQ_CONFIG));
		out[n++] = reg(r, CMDQV_AT_VCMDQ_PAGE1 + q * CMDQV_STRIDE_VCMDQ + VCMDQ_BASE);
	}
	for (unsigned v = 0; v < NVINTFS; v++) {
		out[n++] = reg(r, AT_VINTF(v, VINTF_CONFIG));
		for (unsigned i = 0; i < 1u << SIDS_LG2; i++) {
			out[n++] = reg(r, AT_VINTF(v, VINTF_SID_MATCH) + 4 * i);
			out[n++] = reg(r, AT_VINTF(v, VINTF_SID_REPLACE) + 4 * i);
		}
	}
}

#define NREGS	(3u * (1u << VCMDQS_LG2) + NVINTFS * (1 + 2 * (1u << SIDS_LG2)))

/* A VM with a device and a queue; undone where it does not come to that. */
static int a_vm(struct rig *r, uint64_t base)
{
	const struct uiommu_hw_queue_config cfg = { 1, 0, base, 4096 };
	struct uiommu_viommu *v;
	struct uiommu_vdevice *vd;
	struct uiommu_hw_queue *q;
	int err = slice(r, 0, &v);

	if (err)
		return err;
	err = uiommu_vdevice_alloc(v, r->d[2], 7, &vd);
	if (!err) {
		err = uiommu_hw_queue_alloc(v, &cfg, &q);
		if (err)
			uiommu_vdevice_free(vd);
	}
	if (err)
		assert_int_equal(uiommu_viommu_free(v), 0);
	return err;
}

static void invariant_13_a_vm_that_cannot_be_made(void **state)
{
	struct rig r;
	uint32_t before[NREGS], after[NREGS];
	unsigned fails = 0;
	int err;

	start_vms(&r);
	all_registers(&r, before);
	do {
		long live = r.b.t.live;

		r.b.t.fail_at = r.b.t.calls + ++fails;
		err = a_vm(&r, thost_pa(&r.b.t, r.g[0].mem));
		r.b.t.fail_at = 0;
		all_registers(&r, after);
		if (!err)
			break;
		assert_int_equal(err, -UIOMMU_ENOMEM);
		assert_int_equal(r.b.t.live, live);
		assert_memory_equal(before, after, sizeof(before));
	} while (err);
	assert_true(fails >= 4);
	assert_memory_not_equal(before, after, sizeof(before));
	stop_vms(&r);
}

/* Hardware that does not take an interface or a queue: nothing is made. */
static uint64_t another_vmid(struct rig *r, uint64_t off, uint64_t v)
{
	return off == AT_VINTF(3, VINTF_CONFIG) ? v ^ FPREP(VINTF_CONFIG_VMID, 1) : v;
}

static uint64_t ours_by_hyp_own(struct rig *r, uint64_t off, uint64_t v)
{
	return off == AT_VINTF(3, VINTF_CONFIG) ? v | FMASK(VINTF_CONFIG_HYP_OWN) : v;
}

static void a_vm_that_hardware_does_not_take(void **state)
{
	static const struct {
		uint64_t (*on_read)(struct rig *r, uint64_t off, uint64_t v);
		uint64_t status;
	} wrongs[] = {
		{ never_on, AT_VINTF(3, VINTF_STATUS) },
		{ another_vmid, 0 },
		{ ours_by_hyp_own, 0 },
		{ never_off, AT_QUEUE(3 * PER, VCMDQ_STATUS) },
	};

	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct rig r;
		uint32_t before[NREGS], after[NREGS];

		start_vms(&r);
		all_registers(&r, before);
		the_status = wrongs[i].status;
		r.on_read = wrongs[i].on_read;
		r.b.t.tick = 50000000;
		assert_int_equal(a_vm(&r, thost_pa(&r.b.t, r.g[0].mem)), -UIOMMU_ETIMEDOUT);
		r.b.t.tick = 0;
		r.on_read = NULL;
		all_registers(&r, after);
		assert_memory_equal(before, after, sizeof(before));
		assert_int_equal(r.failed, 0);
		/* an interface that did not work is not tried again before a reset */
		if (wrongs[i].on_read != never_off)
			assert_int_equal(a_vm(&r, thost_pa(&r.b.t, r.g[0].mem)), -UIOMMU_ENOSPC);
		assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
		assert_int_equal(a_vm(&r, thost_pa(&r.b.t, r.g[0].mem)), 0);
		stop_vms(&r);
	}
}

static void invariant_13_a_probe_that_fails(void **state)
{
	unsigned fails = 0;
	int err;

	do {
		struct rig r;
		long live;

		begin(&r);
		r.b.t.fail_at = 0;
		{
			const struct uiommu_smmuv3_config cfg = config(&r);

			assert_int_equal(uiommu_create(&r.b.t.host, NULL, &r.b.u), 0);
			live = r.b.t.live;
			r.b.t.fail_at = r.b.t.calls + ++fails;
			err = uiommu_smmuv3_probe(r.b.u, &cfg, &r.b.iommu);
			r.b.t.fail_at = 0;
		}
		if (err) {
			assert_int_equal(err, -UIOMMU_ENOMEM);
			assert_int_equal(r.b.t.live, live);
			assert_int_equal(reg(&r, OWN(VCMDQ_STATUS)), 0);
		}
		bench_fini(&r.b);
	} while (err);
	assert_true(fails >= 12);
}

/* ---- after a reset ---- */

static void a_vm_has_all_of_it_again_after_a_reset(void **state)
{
	struct rig r;
	struct hands h[3];

	start_vms(&r);
	h[0] = hands(&r.g[0], 0);
	h[1] = hands(&r.g[0], 1);
	h[2] = hands(&r.g[1], 0);
	assert_true(hand_say(&h[0], OP(TLBI_NH_ASID), 0));
	uiommu_sim_smmuv3_fail(r.b.sim);
	poll(&r, false);
	assert_int_equal(r.failed, 1);
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	assert_int_equal(r.g[0].stops, 1);
	assert_int_equal(r.g[0].stopped[0], 3);
	assert_int_equal(r.g[1].stops, 1);
	assert_int_equal(r.g[1].stopped[0], 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(hand_get(&h[i], VCMDQ_STATUS), 0);
		assert_int_equal(hand_get(&h[i], VCMDQ_PROD) | hand_get(&h[i], VCMDQ_CONS), 0);
		h[i].prod = 0;
		hand_set(&h[i], VCMDQ_CONFIG, 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		bench_sees(&r.b, r.d[i], 0, VA, (i + 1) * 100);
		guest_unmap(&r.g[i], 0, VA);
	}
	assert_true(hand_say(&h[1], OP(TLBI_NH_ASID) | TLBI_ASID(7), 0));
	bench_sees(&r.b, r.d[0], 0, VA, 0);
	bench_sees(&r.b, r.d[1], 0, VA, 200);
	assert_true(hand_say(&h[0], OP(ATC_INV) | VSID(VSID_OF), 0));
	assert_int_equal(r.inv.stream_id, 1);
	assert_true(hand_say(&h[2], OP(ATC_INV) | VSID(VSID_OF), 0));
	assert_int_equal(r.inv.stream_id, 2);
	assert_false(hand_say(&h[0], OP(CFGI_STE), 0));
	poll(&r, false);
	assert_int_equal(r.g[0].stops, 2);
	stop_vms(&r);
}

/* The SMMU comes back, its CMDQV does not: no VM has a queue that works, all can go. */
static void a_block_that_does_not_come_back(void **state)
{
	struct rig r;
	struct hands h, more;
	struct uiommu_viommu *v = NULL;
	unsigned own;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	uiommu_sim_smmuv3_fail(r.b.sim);
	poll(&r, false);
	r.on_read = vintf0_never;
	r.b.t.tick = 50000000;
	assert_int_equal(uiommu_iommu_recover(r.b.iommu), 0);
	r.b.t.tick = 0;
	assert_int_equal(r.g[0].stops, 1);
	assert_int_equal(reg(&r, CMDQV_STATUS), 0);
	hand_set(&h, VCMDQ_CONFIG, 1);
	assert_false(hand_say(&h, OP(TLBI_NH_ASID), 0));
	bench_sees(&r.b, r.d[0], 0, VA, 100);
	assert_int_equal(slice(&r, 0, &v), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(try_hands(&r.g[0], 1, &more), -UIOMMU_ETIMEDOUT);
	r.b.t.tick = 50000000;
	own = r.own;
	uiommu_detach_device_pasid(r.d[1], 0);
	assert_int_equal(r.own, own);			/* its own is not tried either */
	r.on_read = never_off;
	the_status = AT_QUEUE(PER, VCMDQ_STATUS);
	r.b.t.forbid = true;
	assert_int_equal(uiommu_hw_queue_free(h.q), 0);
	uiommu_vdevice_free(uiommu_device_vdevice(r.d[0]));
	r.b.t.forbid = false;
	r.b.t.tick = 0;
	assert_int_equal(r.failed, 1);
	stop_vms(&r);
}

/* ---- its page, as calls ---- */

static void the_page_ends_where_it_ends(void **state)
{
	static const uint64_t wrong[] = { 65536, 65532 + 4, 0x20000, ~0ull - 3, 2, 6, 1ull << 63 };
	struct rig r;
	struct hands h;

	start_vms(&r);
	h = hands(&r.g[0], 0);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		h.page.ops->write32(h.page.ctx, wrong[i], ~0u);
		h.page.ops->write64(h.page.ctx, wrong[i], ~0ull);
		assert_int_equal(h.page.ops->read32(h.page.ctx, wrong[i]), 0);
		assert_true(h.page.ops->read64(h.page.ctx, wrong[i]) == 0);
	}
	assert_int_equal(h.page.ops->read64(h.page.ctx, VCMDQ_CONFIG), 1ull << 32 | 1);
	assert_int_equal(h.page.ops->read64(h.page.ctx, VCMDQ_PROD), 0);	/* not aligned */
	h.page.ops->write64(h.page.ctx, VCMDQ_PROD, 0);
	assert_int_equal(hand_get(&h, VCMDQ_STATUS), 1);
	h.page.ops->write64(h.page.ctx, VCMDQ_CONFIG, 0);
	assert_int_equal(hand_get(&h, VCMDQ_STATUS), 0);
	assert_int_equal(reg(&r, AT_QUEUE(2 * PER, VCMDQ_STATUS)), 0);
	stop_vms(&r);
}

#define T(f)	cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_that_invalidates_goes_to_the_own_queue), T(in_a_guest_some_of_it_does),
		T(in_a_guest_sva_does_too),
		T(a_batch_may_go_to_both), T(a_queue_that_hangs_is_given_up),
		T(a_failure_is_seen_by_whoever_waits),
		T(a_queue_that_was_away_is_not_given_up),
		T(a_long_batch_on_a_queue_that_hangs), T(both_hang_and_all_is_shut_off),
		T(a_part_on_a_queue_that_hangs), T(answers_go_to_the_smmus_own),
		T(nobody_waits_when_all_is_off),
		T(a_queue_that_refuses_is_given_up), T(a_silent_device),
		T(invalidations_of_devices_are_not_lost_with_it),
		T(a_device_that_the_queue_does_not_know),
		T(a_block_that_is_none_is_left_alone), T(hw_info_of_type_3),
		T(nothing_is_left_of_whoever_had_it_before), T(an_error_that_nobody_waits_for),
		T(invariant_08_a_vms_queue_reaches_that_vm_alone),
		T(a_queue_that_errs_stops_alone_and_its_vm_is_told),
		T(an_error_that_its_vm_saw_first_hides_no_other),
		T(a_new_queue_has_no_old_error),
		T(an_error_before_the_queue_is_made_is_told), T(a_vm_is_told_of_queues_that_it_has),
		T(what_a_queue_may_not_be),
		T(interfaces_and_pairs_are_not_without_end),
		T(a_device_that_leaves_a_vm_is_not_in_its_reach),
		T(a_freed_queue_is_off_whatever_its_user_does),
		T(a_silence_is_not_the_next_users), T(nor_is_one_that_lasts),
		T(hardware_that_does_not_let_go_is_shut_off),
		T(invariant_13_a_vm_that_cannot_be_made), T(a_vm_that_hardware_does_not_take),
		T(invariant_13_a_probe_that_fails), T(a_vm_has_all_of_it_again_after_a_reset),
		T(a_block_that_does_not_come_back), T(the_page_ends_where_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
