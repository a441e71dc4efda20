/* SPDX-License-Identifier: MIT */
/* An SMMU that fails: off at once, said once, and back with all that devices had. */
#include "bench.h"

#define IOVA	0x10000u

static struct bench *the;		/* for callbacks of the configuration */
static struct uiommu_sim_smmuv3_config sim_cfg;
static unsigned resets, failed;
static int reset_result;
static bool poll_in_reset;

static int reset(void *ctx)
{
	const struct uiommu_sim_env env = bench_env(the);

	assert_ptr_equal(ctx, &resets);
	resets++;
	if (reset_result)
		return reset_result;
	/* as a reset leaves it: registers as out of the box, caches empty */
	uiommu_sim_smmuv3_destroy(the->sim);
	assert_int_equal(uiommu_sim_smmuv3_create(&sim_cfg, &env, &the->sim), 0);
	the->hook_read = NULL;
	the->hook_write = NULL;
	if (poll_in_reset)
		uiommu_smmuv3_poll(the->iommu);
	return 0;
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	assert_ptr_equal(iommu, the->iommu);
	failed++;
}

/* Service failure: GERROR says so, and no command is taken any more. */
static uint64_t sfm(struct bench *b, uint64_t off, uint64_t v)
{
	return off == SMMU_GERROR ? v ^ FMASK(GERROR_SFM_ERR) : v;
}

static bool deaf(struct bench *b, uint64_t off, uint64_t v)
{
	return off != SMMU_CMDQ_PROD;
}

static void break_it(struct bench *b)
{
	b->hook_read = sfm;
	b->hook_write = deaf;
}

static int setup_with(void **state, bool can_reset)
{
	struct uiommu_smmuv3_config cfg = bench_smmu;
	struct bench *b = calloc(1, sizeof(*b));
	const struct uiommu_observer obs = { .ctx = b, .fault = bench_fault,
					     .iommu_failed = on_failed };

	if (can_reset)
		cfg.reset = reset;
	cfg.reset_ctx = &resets;
	uiommu_sim_smmuv3_config_init(&sim_cfg);
	sim_cfg.reset_abort = true;
	bench_init_sim(b, &sim_cfg, false);
	assert_int_equal(uiommu_create(&b->t.host, &obs, &b->u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b->u, &cfg, &b->iommu), 0);
	the = b;
	resets = failed = 0;
	reset_result = 0;
	poll_in_reset = false;
	*state = b;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, true);
}

static int setup_without(void **state)
{
	return setup_with(state, false);
}

struct rig {
	struct bench *b;
	struct uiommu_dev *dev, *idle;
	struct uiommu_domain *rid, *dom[3];
	uint64_t *page[4];
};

static struct rig rig_of(void **state)
{
	struct rig r = { .b = *state };

	r.dev = bench_add(r.b, "0000:01:00.0", 0x100, 12);
	r.idle = bench_add(r.b, "0000:02:00.0", 0x200, 0);
	r.rid = bench_domain(r.dev);
	for (unsigned i = 0; i < 4; i++)
		r.page[i] = bench_page(r.b, 0x1000 + i);
	bench_map(r.b, r.rid, IOVA, r.page[3]);
	assert_int_equal(uiommu_attach_device(r.rid, r.dev), 0);
	for (unsigned i = 0; i < 3; i++) {
		r.dom[i] = bench_domain(r.dev);
		bench_map(r.b, r.dom[i], IOVA, r.page[i]);
		assert_int_equal(uiommu_attach_device_pasid(r.dom[i], r.dev, 1000 * i + 1), 0);
	}
	return r;
}

static void all_work(struct rig *r)
{
	for (unsigned i = 0; i < 3; i++)
		bench_sees(r->b, r->dev, 1000 * i + 1, IOVA, 0x1000 + i);
	bench_sees(r->b, r->dev, 0, IOVA, 0x1003);
	bench_sees(r->b, r->dev, 2, IOVA, 0);
	bench_sees(r->b, r->idle, 0, IOVA, 0);
}

static void none_works(struct rig *r)
{
	for (unsigned i = 0; i < 3; i++)
		bench_sees(r->b, r->dev, 1000 * i + 1, IOVA, 0);
	bench_sees(r->b, r->dev, 0, IOVA, 0);
}

static void done(struct rig *r)
{
	for (unsigned i = 0; i < 4; i++)
		bench_page_free(r->b, r->page[i]);
}

static void service_failure_is_said_once(void **state)
{
	struct rig r = rig_of(state);

	all_work(&r);
	break_it(r.b);
	r.b->t.irq[2](r.b->t.irq_arg[2]);
	uiommu_smmuv3_poll(r.b->iommu);
	assert_int_equal(failed, 1);
	assert_true(thost_logged(&r.b->t, "service failure"));
	none_works(&r);
	done(&r);
}

static void every_device_is_restored(void **state)
{
	struct rig r = rig_of(state);

	break_it(r.b);
	uiommu_smmuv3_poll(r.b->iommu);
	none_works(&r);
	assert_int_equal(uiommu_iommu_recover(r.b->iommu), 0);
	assert_int_equal(resets, 1);
	all_work(&r);
	/* it works as before, its interrupts too */
	assert_int_equal(uiommu_unmap(r.dom[1], IOVA, PAGE, NULL), 0);
	bench_sees(r.b, r.dev, 1001, IOVA, 0);
	r.b->nfaults = 0;
	r.b->t.irq[1](r.b->t.irq_arg[1]);
	assert_true(r.b->nfaults > 0);
	assert_int_equal(uiommu_attach_device(r.dom[1], r.idle), 0);
	uiommu_detach_device_pasid(r.dev, 2001);
	bench_sees(r.b, r.dev, 2001, IOVA, 0);
	/* and a second time, in the middle of a good life */
	assert_int_equal(uiommu_iommu_recover(r.b->iommu), 0);
	assert_int_equal(failed, 1);
	bench_sees(r.b, r.dev, 1, IOVA, 0x1000);
	bench_sees(r.b, r.dev, 2001, IOVA, 0);
	done(&r);
}

static int count(void *ctx, const struct uiommu_attach_status *st)
{
	++*(unsigned *)ctx;
	return 0;
}

/* It stays off and nothing is attached, by both ends; a second try may bring it back. */
static void invariant_13_a_host_that_refuses_ends_blocked(void **state)
{
	struct rig r = rig_of(state);
	unsigned n = 0, attached;
	int err;

	do {
		r.b->t.fail_at = r.b->t.calls + ++n;
		err = uiommu_iommu_recover(r.b->iommu);
		r.b->t.fail_at = 0;
		if (!err)
			continue;
		assert_int_equal(err, -UIOMMU_ENOMEM);
		none_works(&r);
		attached = 0;
		uiommu_device_for_each_attach(r.dev, count, &attached);
		for (unsigned i = 0; i < 3; i++)
			uiommu_domain_for_each_attach(r.dom[i], count, &attached);
		uiommu_domain_for_each_attach(r.rid, count, &attached);
		assert_int_equal(attached, 1);		/* to what is BLOCKED */
		assert_true(uiommu_device_has(r.dev, 0, uiommu_domain_blocked(r.b->u)));
		assert_int_equal(uiommu_iommu_recover(r.b->iommu), 0);
		none_works(&r);
		assert_int_equal(uiommu_attach_device(r.rid, r.dev), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(uiommu_attach_device_pasid(r.dom[i], r.dev, 1000 * i + 1), 0);
		all_work(&r);
	} while (err);
	assert_true(n > 2);
	done(&r);
}

/* What changed while it was off is what is there afterwards, never more. */
static void changes_during_the_failure(void **state)
{
	struct rig r = rig_of(state);

	break_it(r.b);
	uiommu_smmuv3_poll(r.b->iommu);
	uiommu_detach_device_pasid(r.dev, 1);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_int_equal(uiommu_replace_device_pasid(r.dom[0], r.dev, 1001), -UIOMMU_EIO);
	assert_int_not_equal(uiommu_attach_device(r.dom[2], r.idle), 0);
	assert_int_equal(uiommu_unmap(r.dom[2], IOVA, PAGE, NULL), 0);
	assert_int_equal(uiommu_domain_free(r.rid), 0);
	assert_int_equal(uiommu_iommu_recover(r.b->iommu), 0);
	bench_sees(r.b, r.dev, 0, IOVA, 0);
	bench_sees(r.b, r.dev, 1, IOVA, 0);
	bench_sees(r.b, r.dev, 1001, IOVA, 0);	/* it could not be put back: BLOCKED */
	bench_sees(r.b, r.dev, 2001, IOVA, 0);
	bench_sees(r.b, r.idle, 0, IOVA, 0);
	assert_int_equal(uiommu_attach_device_pasid(r.dom[0], r.dev, 1001), 0);
	bench_sees(r.b, r.dev, 1001, IOVA, 0x1000);
	done(&r);
}

/* Stuck at the n-th command of a change: nothing half-done is in the tables. */
static unsigned good;

static bool deaf_later(struct bench *b, uint64_t off, uint64_t v)
{
	return off != SMMU_CMDQ_PROD || good-- > 0;
}

static void entries_that_got_stuck_halfway(void **state)
{
	for (unsigned n = 0; n < 9; n++) {
		struct rig r;
		void *st;

		setup(&st);
		r = rig_of(&st);
		assert_int_equal(uiommu_attach_device(r.dom[1], r.idle), 0);
		r.b->t.tick = 50000000;
		good = n;
		r.b->hook_write = deaf_later;
		/* of two words: the first is stored, the second not any more */
		uiommu_replace_device_pasid(uiommu_domain_identity(r.b->u), r.idle, 0);
		uiommu_detach_device_pasid(r.idle, 0);
		uiommu_replace_device_pasid(uiommu_domain_identity(r.b->u), r.dev, 0);
		uiommu_replace_device_pasid(r.dom[2], r.dev, 1);
		uiommu_detach_device_pasid(r.dev, 0);
		uiommu_detach_device_pasid(r.dev, 1);
		assert_int_equal(uiommu_iommu_recover(r.b->iommu), 0);
		bench_sees(r.b, r.idle, 0, IOVA, 0);
		bench_sees(r.b, r.dev, 0, IOVA, 0);
		bench_sees(r.b, r.dev, 0, thost_pa(&r.b->t, r.page[0]), 0);
		bench_sees(r.b, r.dev, 1, IOVA, 0);
		bench_sees(r.b, r.dev, 1001, IOVA, 0x1001);
		done(&r);
		bench_teardown(&st);
	}
}

static int count_not_blocked(void *ctx, const struct uiommu_attach_status *st)
{
	*(unsigned *)ctx += st->dom != uiommu_domain_blocked(the->u);
	return 0;
}

static void ends_blocked(struct rig *r)
{
	unsigned n = 0;

	none_works(r);
	uiommu_device_for_each_attach(r->dev, count_not_blocked, &n);
	uiommu_device_for_each_attach(r->idle, count_not_blocked, &n);
	assert_int_equal(n, 0);
	assert_int_equal(uiommu_domain_free(r->rid), 0);
	assert_true(thost_logged(&r->b->t, "not recovered"));
	done(r);
}

/* Its index is 0 then, and the driver's is not: old records would be told again. */
static void a_reset_queue_is_not_read(void **state)
{
	struct bench *b = *state;
	const struct uiommu_sim_access a = { .stream_id = 0x77 };
	uint64_t v;

	assert_int_not_equal(uiommu_sim_smmuv3_dma(b->sim, &a, &v, 8, NULL), 0);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(b->nfaults, 1);
	break_it(b);
	poll_in_reset = true;
	assert_int_equal(uiommu_iommu_recover(b->iommu), 0);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(b->nfaults, 1);
}

static void invariant_13_without_a_reset_all_end_blocked(void **state)
{
	struct rig r = rig_of(state);

	break_it(r.b);
	uiommu_smmuv3_poll(r.b->iommu);
	assert_int_equal(uiommu_iommu_recover(r.b->iommu), -UIOMMU_EOPNOTSUPP);
	ends_blocked(&r);
}

static void invariant_13_a_reset_that_fails_leaves_all_blocked(void **state)
{
	struct rig r = rig_of(state);

	reset_result = -UIOMMU_EIO;
	assert_int_equal(uiommu_iommu_recover(r.b->iommu), -UIOMMU_EIO);
	assert_int_equal(failed, 0);		/* the caller knows */
	ends_blocked(&r);
}

/* ---- while an unmap is under way ---- */

static unsigned later;

static void fails(struct bench *b)
{
	bench_fail(b, later);
}

/* false: the unmap was over before that. */
static bool unmap_meanwhile(unsigned skip, void (*fn)(struct bench *b))
{
	struct rig r;
	void *st;
	bool all;

	setup(&st);
	r = rig_of(&st);
	all_work(&r);
	bench_meanwhile(r.b, skip, fn);
	assert_int_equal(uiommu_unmap(r.dom[1], IOVA, PAGE, NULL), 0);
	bench_sees(r.b, r.dev, 1001, IOVA, 0);
	all = !r.b->meanwhile;
	r.b->meanwhile = NULL;
	if (all) {
		assert_int_equal(resets, 1);
		bench_sees(r.b, r.dev, 1, IOVA, 0x1000);
		bench_sees(r.b, r.dev, 0, IOVA, 0x1003);
		assert_false(uiommu_smmuv3_cmdq_is_dead(to_smmu(r.b->iommu)));
	}
	done(&r);
	bench_teardown(&st);
	return all;
}

/* It fails at any moment of an unmap and is recovered at any later one: that covers what
 * was given up before, so whoever gave it up does not shut off what works again. */
static void invariant_09_recovered_at_any_moment_of_an_unmap(void **state)
{
	unsigned at = 0, n = 0;

	do {
		for (later = 0; unmap_meanwhile(at, fails); later++)
			n++;
		at++;
	} while (later);
	assert_true(n >= 6);
}

/* ---- its own interrupts as messages ---- */

static void interrupts_as_messages(void **state)
{
	struct uiommu_smmuv3_config cfg = bench_smmu;
	struct uiommu_dev *dev;
	struct bench b;
	uint64_t *doorbell;

	uiommu_sim_smmuv3_config_init(&sim_cfg);
	sim_cfg.msi = true;
	bench_init_sim(&b, &sim_cfg, false);
	doorbell = bench_page(&b, 0);
	cfg.msi_evtq = (struct uiommu_smmuv3_msi){ thost_pa(&b.t, doorbell), 0x1234 };
	cfg.msi_gerror = (struct uiommu_smmuv3_msi){ thost_pa(&b.t, doorbell) + 8, 0x5678 };
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &cfg, &b.iommu), 0);
	dev = bench_add(&b, "0", 1, 0);
	bench_sees(&b, dev, 0, IOVA, 0);
	assert_int_equal(*doorbell, 0);		/* BLOCKED is an STE that aborts: silent */
	uiommu_device_remove(dev);
	assert_int_not_equal(uiommu_sim_smmuv3_translate(b.sim,
			&(struct uiommu_sim_access){ .stream_id = 1 },
			&(struct uiommu_sim_xlat){ 0 }), 0);
	assert_int_equal((uint32_t)*doorbell, 0x1234);
	/* a command that hardware refuses: GERROR */
	to_smmu(b.iommu)->cmdq.prod++;
	to_smmu(b.iommu)->cmdq.ring[(to_smmu(b.iommu)->cmdq.prod - 1) * CMD_WORDS] = 0xff;
	uiommu_sim_smmuv3_mmio_write(b.sim, SMMU_CMDQ_PROD, to_smmu(b.iommu)->cmdq.prod, 4);
	assert_int_equal((uint32_t)doorbell[1], 0x5678);
	uiommu_smmuv3_poll(b.iommu);
	bench_page_free(&b, doorbell);
	bench_fini(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(service_failure_is_said_once),
		T(every_device_is_restored),
		T(invariant_13_a_host_that_refuses_ends_blocked),
		T(changes_during_the_failure),
		cmocka_unit_test(entries_that_got_stuck_halfway),
		cmocka_unit_test_setup_teardown(invariant_13_without_a_reset_all_end_blocked,
						setup_without, bench_teardown),
		T(a_reset_queue_is_not_read),
		T(invariant_13_a_reset_that_fails_leaves_all_blocked),
		cmocka_unit_test(invariant_09_recovered_at_any_moment_of_an_unmap),
		cmocka_unit_test(interrupts_as_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
