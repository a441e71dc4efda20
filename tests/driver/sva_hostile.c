/* SPDX-License-Identifier: MIT */
/*
 * Processes on devices, on hardware that takes every liberty: pages come and go,
 * processes are bound, unbound and die, devices fault, wait and are reset, all by a
 * seed. After each call every device sees what it should of every process, at every
 * page: an old page never. Everything that was asked for is answered.
 */
#include "unkind.h"

#include <uiommu/sva.h>

#define VA	0x7f0000400000ull
#define MMS	3u
#define DEVS	2u
#define SLOTS	6u
#define STEPS	160u
#define SEEDS	24u

struct proc {
	struct world *w;
	struct uiommu_pt pt;
	struct uiommu_mm *mm;
	struct uiommu_sva *on[DEVS];
	uint64_t *page[SLOTS];		/* NULL: not there */
	struct uiommu_iopf_group *held[8];
	bool hold;			/* keeps what it is asked */
};

struct world {
	struct unkind k;
	struct uiommu_dev *dev[DEVS];
	struct proc p[MMS];
	uint64_t value;
	unsigned served, asked, stalled, resumed;
};

static unsigned pick(struct world *w, unsigned n)
{
	return unkind_pick(&w->k, n);
}

static struct world *world_of(struct unkind *k)
{
	return uiommu_container_of(k, struct world, k);
}

/* ---- hardware acts wherever it may ---- */

static void curiosity(struct unkind *k)
{
	struct world *w = world_of(k);
	const struct uiommu_sim_access a = {
		.stream_id = 1 + pick(w, DEVS), .substream_id = 1 + pick(w, MMS), .ssv = true,
		.iova = VA + pick(w, SLOTS) * PAGE,
	};

	uiommu_sim_smmuv3_prefetch(w->k.b.sim, &a);
}

/* ---- processes ---- */

static void put_in(struct proc *p, unsigned slot)
{
	p->page[slot] = bench_page(&p->w->k.b, ++p->w->value);
	assert_int_equal(p->pt.ops->map(&p->pt, VA + slot * PAGE,
					thost_pa(&p->w->k.b.t, p->page[slot]), PAGE, RW, NULL), 0);
}

/* The memory is somebody else's at once: bench_page() takes what was given back last. */
static void take_out(struct proc *p, unsigned slot)
{
	struct uiommu_gather g;

	uiommu_gather_init(&g);
	assert_int_equal(p->pt.ops->unmap(&p->pt, VA + slot * PAGE, PAGE, &g, NULL), 0);
	uiommu_mm_invalidate(p->mm, &g);
	uiommu_gather_free(&g, &p->w->k.b.t.host);
	bench_page_free(&p->w->k.b, p->page[slot]);
	p->page[slot] = NULL;
}

static void serve(struct proc *p, struct uiommu_iopf_group *g)
{
	enum uiommu_page_response code = UIOMMU_PAGE_SUCCESS;

	for (const struct uiommu_page_request *r = g->requests; r; r = r->next) {
		unsigned slot = (unsigned)((r->addr - VA) / PAGE);

		if (slot >= SLOTS || (!p->page[slot] && !pick(p->w, 3)))
			code = UIOMMU_PAGE_INVALID;
		else if (!p->page[slot])
			put_in(p, slot);
	}
	p->w->served++;
	uiommu_page_response(g, code);
}

static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct proc *p = ctx;

	for (unsigned i = 0; p->hold && i < 8; i++)
		if (!p->held[i]) {
			p->held[i] = g;
			return;
		}
	serve(p, g);
}

static void on_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct proc *p = ctx;

	for (unsigned i = 0; i < 8; i++)
		if (p->held[i] == g) {
			p->held[i] = NULL;
			uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		}
}

static const struct uiommu_iopf_handler handler = { on_fault, on_cancel };

static void begin(struct world *w, struct proc *p)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	const struct uiommu_mm_config mm = { .table = &p->pt, .iopf = &handler, .ctx = p };

	memset(p, 0, sizeof(*p));
	p->w = w;
	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&p->pt, &w->k.b.t.host, &cfg), 0);
	assert_int_equal(uiommu_mm_create(w->k.b.u, &mm, &p->mm), 0);
}

/* The process ends: its table and pages go while it is still bound. */
static void end(struct proc *p)
{
	uiommu_mm_die(p->mm);
	for (unsigned i = 0; i < 8; i++)
		assert_null(p->held[i]);
	for (unsigned i = 0; i < SLOTS; i++)
		if (p->page[i])
			bench_page_free(&p->w->k.b, p->page[i]);
	p->pt.ops->fini(&p->pt);
	for (unsigned d = 0; d < DEVS; d++)
		if (p->on[d])
			uiommu_sva_unbind_device(p->on[d]);
	assert_int_equal(uiommu_mm_destroy(p->mm), 0);
}

/* ---- devices ---- */

static void on_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
	bench_sim_resume(ctx, sid, stag, how);
	world_of(unkind_of(ctx))->resumed++;
}

static int try(struct world *w, unsigned d, uiommu_pasid_t pasid, unsigned slot, uint64_t *v,
	       uint16_t *stag)
{
	const struct uiommu_sim_access a = {
		.stream_id = 1 + d, .substream_id = pasid, .ssv = true, .iova = VA + slot * PAGE,
	};

	int err;

	*v = 0;
	err = uiommu_sim_smmuv3_dma_stag(w->k.b.sim, &a, v, sizeof(*v), NULL, stag);
	w->stalled += err == -UIOMMU_EAGAIN;
	return err;
}

/* One that waits for as long as it takes. 0, or -EFAULT. */
static int dma(struct world *w, unsigned d, uiommu_pasid_t pasid, unsigned slot, uint64_t *v)
{
	uint16_t stag = 0;
	int err;

	for (unsigned n = 0; n < 100; n++) {
		err = try(w, d, pasid, slot, v, &stag);
		if (err == -UIOMMU_EBUSY) {
			unkind_settle(&w->k);
			continue;
		}
		if (err != -UIOMMU_EAGAIN)
			return err;
		w->k.b.resumed[stag] = 0;
		for (unsigned i = 0; i < 100 && !w->k.b.resumed[stag]; i++)
			unkind_settle(&w->k);
		if (w->k.b.resumed[stag] != 1 + UIOMMU_SIM_RESUME_RETRY)
			return -UIOMMU_EFAULT;
	}
	return -UIOMMU_EAGAIN;
}

/* Starts, and goes away: whatever becomes of it is seen when everything is counted. */
static void start_one(struct world *w)
{
	struct proc *p = &w->p[pick(w, MMS)];
	unsigned d = pick(w, DEVS);
	uint16_t stag;
	uint64_t v;

	if (!p->on[d])
		return;
	if (pick(w, 2)) {
		const struct uiommu_sim_page_request r = {
			.stream_id = 1 + d, .substream_id = uiommu_sva_pasid(p->on[d]),
			.ssv = true, .read = true, .last = true, .prgi = (uint16_t)pick(w, 4),
			.iova = VA + pick(w, SLOTS) * PAGE,
		};

		w->asked++;
		uiommu_sim_smmuv3_page_request(w->k.b.sim, &r);
	} else {
		try(w, d, uiommu_sva_pasid(p->on[d]), pick(w, SLOTS), &v, &stag);
	}
}

/* ---- what must be ---- */

static void look(struct world *w, struct proc *p, unsigned d, unsigned slot)
{
	uint64_t *there = p->page[slot], v;
	int err = dma(w, d, uiommu_sva_pasid(p->on[d]), slot, &v);

	if (err == -UIOMMU_EAGAIN)
		fail_seed(&w->k, "a device waits for ever");
	if (there && (err || v != *there))
		fail_seed(&w->k, "slot %u: %d, 0x%llx instead of 0x%llx", slot, err,
			  (unsigned long long)v, (unsigned long long)*there);
	if (!there && !err && (!p->page[slot] || v != *p->page[slot]))
		fail_seed(&w->k, "slot %u: 0x%llx where nothing is", slot, (unsigned long long)v);
}

static void look_around(struct world *w)
{
	for (unsigned i = 0; i < MMS; i++) {
		struct proc *p = &w->p[i];

		p->hold = false;
		for (unsigned k = 0; k < 8; k++)
			if (p->held[k]) {
				struct uiommu_iopf_group *g = p->held[k];

				p->held[k] = NULL;
				serve(p, g);
			}
		for (unsigned d = 0; d < DEVS; d++)
			if (p->on[d])
				look(w, p, d, pick(w, SLOTS));
		p->hold = pick(w, 2);
	}
}

/* ---- one step ---- */

static void bind_or_unbind(struct world *w, struct proc *p)
{
	unsigned d = pick(w, DEVS);
	uiommu_pasid_t pasid;
	uint64_t v;

	if (!p->on[d]) {
		assert_int_equal(uiommu_sva_bind_device(w->dev[d], p->mm, &p->on[d]), 0);
		return;
	}
	pasid = uiommu_sva_pasid(p->on[d]);
	uiommu_sva_unbind_device(p->on[d]);
	p->on[d] = NULL;
	if (!dma(w, d, pasid, pick(w, SLOTS), &v))
		fail_seed(&w->k, "PASID %u reaches 0x%llx after its unbind", pasid,
			  (unsigned long long)v);
}

static void step(struct world *w)
{
	struct proc *p = &w->p[pick(w, MMS)];
	unsigned slot = pick(w, SLOTS);

	switch (pick(w, 8)) {
	case 0:
		bind_or_unbind(w, p);
		break;
	case 1:
		end(p);
		begin(w, p);
		break;
	case 2:
		assert_int_equal(uiommu_device_reset_prepare(w->dev[slot % DEVS]), 0);
		assert_int_equal(uiommu_device_reset_done(w->dev[slot % DEVS]), 0);
		break;
	case 3:
	case 4:
		start_one(w);
		break;
	default:
		p->page[slot] ? take_out(p, slot) : put_in(p, slot);
		break;
	}
}

static void make(struct world *w, uint64_t seed)
{
	const struct uiommu_sim_env env = {
		.ctx = &w->k.b, .alloc = heap_alloc, .free = heap_free,
		.read = bench_sim_read, .write = bench_sim_write, .irq = bench_sim_irq,
		.lock = bench_sim_lock, .unlock = bench_sim_unlock, .resume = on_resume,
		.page_response = bench_sim_page_response,
	};
	struct uiommu_sim_smmuv3_config cfg;

	memset(w, 0, sizeof(*w));
	w->k.curiosity = curiosity;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stall = 1;
	cfg.stall_max = 8;
	cfg.ats = cfg.pri = true;
	cfg.priq_max_lg2 = 2;
	unkind_init(&w->k, seed, &cfg, &env);
}

static void run(uint64_t seed)
{
	struct world *w = malloc(sizeof(*w));
	struct uiommu_iopf_stats st;

	make(w, seed);
	for (uint32_t d = 0; d < DEVS; d++) {
		const uint32_t sid = 1 + d;
		const struct uiommu_dev_config cfg = {
			.name = d ? "1" : "0", .iommu = w->k.b.iommu, .stream_ids = &sid,
			.num_stream_ids = 1, .pasid_bits = 6, .group = -1, .can_stall = true,
			.pri = true,
		};

		assert_int_equal(uiommu_device_add(w->k.b.u, &cfg, &w->dev[d]), 0);
	}
	for (unsigned i = 0; i < MMS; i++)
		begin(w, &w->p[i]);
	for (unsigned i = 0; i < STEPS; i++) {
		step(w);
		look_around(w);
	}
	for (unsigned i = 0; i < MMS; i++)
		end(&w->p[i]);
	unkind_settle(&w->k);
	unkind_settle(&w->k);
	for (unsigned d = 0; d < DEVS; d++) {
		uiommu_device_iopf_stats(w->dev[d], &st);
		assert_int_equal(st.outstanding, 0);
	}
	assert_int_equal(w->k.b.num_responses, w->asked);
	assert_int_equal(w->resumed, w->stalled);
	assert_true(w->served > 0);
	bench_fini(&w->k.b);
	free(w);
}

static void any_seed(void **state)
{
	unkind_seeds(run, 0x5a, SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_seed) };

	return cmocka_run_group_tests_name("sva_hostile", tests, NULL, NULL);
}
