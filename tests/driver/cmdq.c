/* SPDX-License-Identifier: MIT */
/* The command queue: wraps, fills up, meets errors, stops. */
#include "bench.h"

#define IOVA	0x10000u

struct rig {
	struct bench b;
	unsigned publishes, biggest, total;
	uint32_t last_prod;
	unsigned late, every;		/* looks at CMDQ_CONS; at each so many it goes on */
	bool deaf;			/* CMDQ_PROD does not arrive */
	unsigned acks;			/* how often somebody looked whether it is off */
	uint64_t fail_pa;		/* command reads there abort */
	unsigned fail_reads;
};

static bool on_write(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = b->test;
	unsigned lg2 = to_smmu(b->iommu)->cmdq.lg2, n;

	if (off != SMMU_CMDQ_PROD)
		return true;
	n = (unsigned)(v - r->last_prod) & ((2u << lg2) - 1);
	r->last_prod = (uint32_t)v;
	r->publishes++;
	r->total += n;
	if (n > r->biggest)
		r->biggest = n;
	return !r->deaf;
}

static int on_read(void *ctx, uiommu_pa_t pa, void *buf, size_t n)
{
	struct rig *r = ctx;

	if (r->fail_reads && pa == r->fail_pa) {
		r->fail_reads--;
		return -UIOMMU_EFAULT;
	}
	return bench_mem(ctx, pa, buf, n, false);
}

static void start(struct rig *r, unsigned cmdq_lg2)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_smmuv3_config smmu = bench_smmu;
	const struct uiommu_observer obs = { .ctx = &r->b, .fault = bench_fault };
	struct uiommu_sim_env env = bench_env(&r->b);

	memset(r, 0, sizeof(*r));
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.range_inv = false;
	env.read = on_read;
	bench_init_sim(&r->b, &cfg, false);
	uiommu_sim_smmuv3_destroy(r->b.sim);
	assert_int_equal(uiommu_sim_smmuv3_create(&cfg, &env, &r->b.sim), 0);
	smmu.cmdq_lg2 = cmdq_lg2;
	assert_int_equal(uiommu_create(&r->b.t.host, &obs, &r->b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(r->b.u, &smmu, &r->b.iommu), 0);
	r->b.test = r;
	r->b.hook_write = on_write;
	r->last_prod = bench_read(&r->b, SMMU_CMDQ_PROD, 4);
}

static void stop(struct rig *r)
{
	bench_fini(&r->b);
}

static struct smmu *smmu(struct rig *r)
{
	return to_smmu(r->b.iommu);
}

static int send(struct rig *r, unsigned n, uint64_t w0)
{
	struct smmu_batch batch;

	uiommu_smmuv3_batch_begin(smmu(r), &batch);
	for (unsigned i = 0; i < n; i++)
		uiommu_smmuv3_batch_add(smmu(r), &batch, w0, 0);
	return uiommu_smmuv3_batch_sync(smmu(r), &batch);
}

static const uint64_t nop = CMD_TLBI_NSNH_ALL;

static uint64_t executed(struct rig *r)
{
	struct uiommu_sim_smmuv3_stats st;

	uiommu_sim_smmuv3_stats(r->b.sim, &st);
	return st.commands;
}

static void one_publish_and_one_sync_for_a_batch(void **state)
{
	struct rig r;
	uint64_t before;

	start(&r, 0);
	before = executed(&r);
	assert_int_equal(send(&r, SMMU_BATCH, nop), 0);
	assert_int_equal(r.publishes, 1);
	assert_int_equal(r.total, SMMU_BATCH + 1);
	assert_int_equal(executed(&r) - before, SMMU_BATCH + 1);
	/* a longer one: still one sync */
	r.total = r.publishes = 0;
	assert_int_equal(send(&r, 200, nop), 0);
	assert_int_equal(r.total, 201);
	assert_int_equal(r.publishes, 4);
	stop(&r);
}

/* For hardware that loses count of more. */
static void a_sync_for_each_full_batch(void **state)
{
	struct rig r;
	unsigned syncs = 0;

	start(&r, 9);
	smmu(&r)->sync_batches = true;
	r.total = 0;
	assert_int_equal(send(&r, 200, nop), 0);
	assert_int_equal(r.total, 200 + 3 + 1);
	for (unsigned i = 0, since = 0; i < r.total; i++) {
		uint64_t pos = smmu(&r)->cmdq.prod - r.total + i;
		bool sync = FGET(CMD_Opcode, smmu(&r)->cmdq.ring[(pos & 511) * 2]) == CMD_SYNC;

		since = sync ? 0 : since + 1;
		assert_true(since < 64);
		syncs += sync;
	}
	assert_int_equal(syncs, 4);
	stop(&r);
}

static unsigned cons_reads;

static uint64_t count_cons(struct bench *b, uint64_t off, uint64_t v)
{
	cons_reads += off == SMMU_CMDQ_CONS;
	return v;
}

/* Where it can, hardware says in memory that a CMD_SYNC is done: no register is read. */
static void a_sync_by_message(void **state)
{
	for (unsigned lg2 = 1; lg2 <= 8; lg2++) {
		struct uiommu_smmuv3_config smmu = bench_smmu;
		struct uiommu_sim_smmuv3_config cfg;
		unsigned total;
		struct bench b;

		uiommu_sim_smmuv3_config_init(&cfg);
		cfg.msi = true;
		bench_init_sim(&b, &cfg, false);
		smmu.cmdq_lg2 = lg2;
		assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
		assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), 0);
		b.hook_read = count_cons;
		total = 0;
		for (unsigned n = 0; n < 100; n++) {
			struct smmu_batch batch;

			cons_reads = 0;
			uiommu_smmuv3_batch_begin(to_smmu(b.iommu), &batch);
			uiommu_smmuv3_batch_add(to_smmu(b.iommu), &batch, nop, 0);
			assert_int_equal(uiommu_smmuv3_batch_sync(to_smmu(b.iommu), &batch), 0);
			/* once for each time that the queue seems full, not for the wait */
			assert_true(cons_reads <= 1);
			total += cons_reads;
		}
		assert_true(total <= 200 / (1u << lg2) + 1);
		bench_fini(&b);
	}
}

static void a_refused_command_with_messages(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct smmu_batch batch;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.msi = true;
	bench_init(&b, &cfg, &bench_smmu, false);
	uiommu_smmuv3_batch_begin(to_smmu(b.iommu), &batch);
	uiommu_smmuv3_batch_add(to_smmu(b.iommu), &batch, 0xff, 0);
	assert_int_equal(uiommu_smmuv3_batch_sync(to_smmu(b.iommu), &batch), -UIOMMU_EIO);
	uiommu_smmuv3_batch_begin(to_smmu(b.iommu), &batch);
	assert_int_equal(uiommu_smmuv3_batch_sync(to_smmu(b.iommu), &batch), 0);
	bench_fini(&b);
}

static void every_queue_size_wraps(void **state)
{
	for (unsigned lg2 = 1; lg2 <= 8; lg2++) {
		struct rig r;
		uint64_t before;
		unsigned sent = 0;

		start(&r, lg2);
		before = executed(&r);
		for (unsigned n = 0; n < 300; n++) {
			assert_int_equal(send(&r, n % 17, nop), 0);
			sent += n % 17 + 1;
		}
		assert_int_equal(r.total, sent);
		assert_int_equal(executed(&r) - before, sent);
		assert_true(r.biggest <= 1u << lg2);
		stop(&r);
	}
}

/* Hardware takes commands only when somebody looks at CONS. */
static uint64_t slow_cons(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = b->test;

	if (off == SMMU_CMDQ_CONS && r->deaf && ++r->late % r->every == 0)
		uiommu_sim_smmuv3_mmio_write(b->sim, SMMU_CMDQ_PROD, r->last_prod, 4);
	return v;
}

static void a_full_queue_is_waited_for(void **state)
{
	struct rig r;
	uint64_t before;

	start(&r, 3);
	before = executed(&r);
	r.deaf = true;
	r.every = 3;
	r.b.hook_read = slow_cons;
	assert_int_equal(send(&r, 100, nop), 0);
	assert_int_equal(executed(&r) - before, 101);
	assert_true(r.biggest <= 8);
	r.deaf = false;
	stop(&r);
}

/* Each look comes two seconds after the one before, and hardware needs so many. */
static void patience_lasts(unsigned looks)
{
	struct rig r;

	start(&r, 3);
	r.deaf = true;
	r.every = looks;
	r.b.hook_read = slow_cons;
	r.b.t.tick = 2000000000;
	assert_int_equal(send(&r, 3, nop), 0);
	assert_false(thost_logged(&r.b.t, "shut off"));
	r.deaf = false;
	stop(&r);
}

/* Between one look and the next the CPU was away, hardware was not. */
static void a_waiter_that_was_away_looks_again(void **state)
{
	patience_lasts(2);
}

/* Both were. */
static void hardware_was_away_as_well(void **state)
{
	patience_lasts(50);
}

static void a_refused_command_is_replaced_and_reported(void **state)
{
	struct rig r;
	uint64_t before;

	start(&r, 4);
	before = executed(&r);
	assert_int_equal(send(&r, 3, 0x50), -UIOMMU_EIO);
	assert_true(thost_logged(&r.b.t, "command refused: CERROR 1, opcode 0x50"));
	assert_int_equal(bench_read(&r.b, SMMU_GERROR, 4), bench_read(&r.b, SMMU_GERRORN, 4));
	assert_int_equal(smmu(&r)->cmdq.refused, 3);
	/* the sync was done all the same, and life goes on */
	assert_true(executed(&r) > before);
	assert_int_equal(send(&r, 3, nop), 0);
	stop(&r);
}

static void a_command_that_cannot_be_read_is_tried_again(void **state)
{
	struct rig r;
	const struct smmu_cmdq *q;

	start(&r, 4);
	q = &smmu(&r)->cmdq;
	r.fail_pa = thost_pa(&r.b.t, &q->ring[(q->prod & 15) * CMD_WORDS]);
	r.fail_reads = 2;
	assert_int_equal(send(&r, 3, nop), 0);
	assert_int_equal(r.fail_reads, 0);
	stop(&r);
}

/* CR0ACK says some time after the write that SMMUEN is off, and until then it is not. */
static uint64_t acks_late(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = b->test;

	if (off != SMMU_CR0ACK || v & FMASK(CR0_SMMUEN))
		return v;
	return r->acks++ < 5 ? v | FMASK(CR0_SMMUEN) : v;
}

static void off_is_off_when_unmap_returns(void **state)
{
	struct rig r;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;

	start(&r, 4);
	dev = bench_add(&r.b, "d", 1, 4);
	dom = bench_domain(dev);
	assert_int_equal(uiommu_map(dom, IOVA, 0x80000000, PAGE, RW, NULL), 0);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	r.deaf = true;
	r.b.t.tick = 10000000;
	r.acks = 0;
	r.b.hook_read = acks_late;
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	assert_int_equal(r.acks, 6);
	/* it has been seen: nobody waits for it again */
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(r.acks, 6);
	r.b.hook_read = NULL;
	r.deaf = false;
	stop(&r);
}

/* It never helps: after a second the SMMU is shut off, and nothing passes. */
static void a_queue_that_stops_shuts_the_smmu_off(void **state)
{
	struct rig r;
	struct uiommu_dev *dev, *other;
	struct uiommu_domain *dom;
	uint64_t *page, t0;

	start(&r, 4);
	page = bench_page(&r.b, 7);
	dev = bench_add(&r.b, "d", 1, 4);
	other = bench_add(&r.b, "e", 2, 0);
	dom = bench_domain(dev);
	bench_map(&r.b, dom, IOVA, page);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(uiommu_attach_device(uiommu_domain_identity(r.b.u), other), 0);
	bench_sees(&r.b, dev, 0, IOVA, 7);
	r.deaf = true;
	r.b.t.tick = 10000000;		/* 10 ms each time somebody looks */
	t0 = r.b.t.now;
	/* unmap cannot fail: when it returns the page is out of reach */
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	assert_true(r.b.t.now - t0 >= 1000000000 && r.b.t.now - t0 < 1200000000);
	assert_true(thost_logged(&r.b.t, "shut off"));
	bench_sees(&r.b, dev, 0, IOVA, 0);
	bench_sees(&r.b, other, 0, thost_pa(&r.b.t, page), 0);
	/* at once from now on */
	t0 = r.b.t.now;
	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 1), -UIOMMU_EIO);
	uiommu_detach_device_pasid(dev, 0);
	assert_true(r.b.t.now - t0 < 100000000);
	assert_int_equal(uiommu_domain_free(dom), 0);
	bench_page_free(&r.b, page);
	r.deaf = false;
	stop(&r);
}

/* An illegal invalidation is made up for by a bigger one. */
static bool spoil_tlbi(struct bench *b, uint64_t off, uint64_t v)
{
	struct smmu *s = to_smmu(b->iommu);
	unsigned n = 1u << s->cmdq.lg2;

	if (off != SMMU_CMDQ_PROD)
		return true;
	for (unsigned i = 0; i < n; i++)
		if (FGET(CMD_Opcode, s->cmdq.ring[i * 2]) == CMD_TLBI_NH_VA)
			s->cmdq.ring[i * 2] = 0x50;
	return true;
}

static void a_refused_invalidation_is_made_up_for(void **state)
{
	struct rig r;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;
	uint64_t *page;

	start(&r, 4);
	page = bench_page(&r.b, 7);
	dev = bench_add(&r.b, "d", 1, 4);
	dom = bench_domain(dev);
	bench_map(&r.b, dom, IOVA, page);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	bench_sees(&r.b, dev, 0, IOVA, 7);
	r.b.hook_write = spoil_tlbi;
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	r.b.hook_write = NULL;
	assert_true(thost_logged(&r.b.t, "opcode 0x50"));
	assert_false(thost_logged(&r.b.t, "shut off"));
	bench_sees(&r.b, dev, 0, IOVA, 0);
	bench_page_free(&r.b, page);
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_publish_and_one_sync_for_a_batch),
		cmocka_unit_test(a_sync_for_each_full_batch),
		cmocka_unit_test(a_sync_by_message),
		cmocka_unit_test(a_refused_command_with_messages),
		cmocka_unit_test(every_queue_size_wraps),
		cmocka_unit_test(a_full_queue_is_waited_for),
		cmocka_unit_test(a_waiter_that_was_away_looks_again),
		cmocka_unit_test(hardware_was_away_as_well),
		cmocka_unit_test(a_refused_command_is_replaced_and_reported),
		cmocka_unit_test(a_command_that_cannot_be_read_is_tried_again),
		cmocka_unit_test(off_is_off_when_unmap_returns),
		cmocka_unit_test(a_queue_that_stops_shuts_the_smmu_off),
		cmocka_unit_test(a_refused_invalidation_is_made_up_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
