/* SPDX-License-Identifier: MIT */
/*
 * Any order of attach, replace, detach, claim, map, unmap, devices coming and
 * going, allocations failing: what devices reach is what an array says. Four of the
 * domains are stage 1, two stage 2; one of the devices has a TLB of its own.
 *
 *   driver_random [seed]	one seed; without: ten fixed ones
 */
#include "bench.h"

#include <uiommu/sim/atc.h>

#include "../rng.h"

#define DEVS	3u
#define DOMS	6u
#define STAGE2	4	/* from here on */
#define ATS	1u	/* the device */
#define PASIDS	5u		/* 0: the RID */
#define PAGES	4u
#define STEPS	3000u
#define AT(i)	(0x100000ull + (i) * PAGE)

enum { NOTHING = -1, IDENTITY = DOMS, BLOCKED, NDOMS };

static const uiommu_pasid_t pasid_of[PASIDS] = { 0, 1, 7, 1023, 1024 };

struct model {
	struct bench b;
	uint64_t rng;
	uint32_t seed;
	unsigned step;
	struct uiommu_dev *dev[DEVS];
	struct uiommu_domain *dom[NDOMS];
	uint64_t *page[DOMS][PAGES];
	bool mapped[DOMS][PAGES];
	int has[DEVS][PASIDS];			/* what was attached by a call */
	bool claimed[DEVS];
	struct uiommu_sim_atc atc;		/* forgets only what it is told to */
	bool ats;
};

static void set_ats(void *ctx, bool on)
{
	((struct model *)ctx)->ats = on;
}

static int atc_inv(struct bench *b, const struct uiommu_sim_inval *inv)
{
	struct model *m = uiommu_container_of(b, struct model, b);

	return inv->stream_id == m->atc.stream_id ? uiommu_sim_atc_inv(&m->atc, inv) : 0;
}

static int peek(struct model *m, unsigned d, uiommu_pasid_t pasid, uiommu_iova_t at, uint64_t *v)
{
	const struct uiommu_sim_access a = { .substream_id = pasid, .ssv = pasid != 0, .iova = at };

	if (d != ATS || !m->ats)
		return bench_peek(&m->b, m->dev[d], pasid, at, v);
	return uiommu_sim_atc_dma(&m->atc, &a, v, sizeof(*v), NULL);
}

static unsigned rnd(struct model *m, unsigned n)
{
	return (unsigned)(rng_next(&m->rng) >> 20) % n;
}

#define CHECK(m, c) do { \
	if (!(c)) \
		fail_msg("seed %u, step %u: %s\nrerun: driver_random %u", \
			 (m)->seed, (m)->step, #c, (m)->seed); \
} while (0)

/* the default domain: IDENTITY for odd devices */
static int base_of(const struct model *m, unsigned d)
{
	return m->claimed[d] || d % 2 == 0 ? BLOCKED : IDENTITY;
}

/* One access, compared with what the array says. */
static void look(struct model *m, unsigned d, unsigned p)
{
	int has = m->has[d][p];
	unsigned dom = rnd(m, DOMS), i = rnd(m, PAGES);
	uint64_t v, want = 0, at = AT(i);

	if (has == NOTHING && !p)
		has = base_of(m, d);
	if (has == IDENTITY) {
		at = thost_pa(&m->b.t, m->page[dom][i]);
		want = *m->page[dom][i];
	} else if (has >= 0 && has < (int)DOMS && m->mapped[has][i]) {
		want = *m->page[has][i];
	}
	if (peek(m, d, pasid_of[p], at, &v))
		v = 0;
	CHECK(m, v == want);
}

static bool is_stage2(int dom)
{
	return dom >= STAGE2 && dom < (int)DOMS;
}

/* An STE has one stage 2, which then is the RID's as a whole. */
static int check_stage2(const struct model *m, unsigned d, unsigned p, int dom)
{
	bool pasids = false;

	for (unsigned i = 1; i < PASIDS; i++)
		pasids |= m->has[d][i] != NOTHING;
	if (p && dom != BLOCKED && (is_stage2(dom) || is_stage2(m->has[d][0])))
		return -UIOMMU_EINVAL;
	return is_stage2(dom) && pasids ? -UIOMMU_EBUSY : 0;
}

static void do_attach(struct model *m, unsigned d, unsigned p)
{
	int dom = (int)rnd(m, NDOMS), had = m->has[d][p], want = 0;
	bool replace = rnd(m, 2);
	int err;

	if (p && dom == IDENTITY)
		want = -UIOMMU_EOPNOTSUPP;
	else if (check_stage2(m, d, p, dom))
		want = check_stage2(m, d, p, dom);
	else if (replace && had == NOTHING)
		want = -UIOMMU_EINVAL;
	else if (!replace && had != NOTHING && had != BLOCKED)
		want = -UIOMMU_EBUSY;
	if (rnd(m, 4) == 0)
		m->b.t.fail_at = m->b.t.calls + 1 + rnd(m, 4);
	err = (replace ? uiommu_replace_device_pasid : uiommu_attach_device_pasid)
		(m->dom[dom], m->dev[d], pasid_of[p]);
	if (m->b.t.fail_at && err == -UIOMMU_ENOMEM)
		want = err;
	m->b.t.fail_at = 0;
	CHECK(m, err == want);
	if (!err)
		m->has[d][p] = p && dom == BLOCKED ? NOTHING : dom;
}

static void do_detach(struct model *m, unsigned d, unsigned p)
{
	m->b.t.forbid = true;
	uiommu_detach_device_pasid(m->dev[d], pasid_of[p]);
	m->b.t.forbid = false;
	m->has[d][p] = NOTHING;
}

static void do_claim(struct model *m, unsigned d)
{
	bool busy = false;
	int err;

	for (unsigned p = 0; p < PASIDS; p++)
		busy |= m->has[d][p] != NOTHING;
	if (m->claimed[d]) {
		uiommu_device_release(m->dev[d], m);
		m->claimed[d] = false;
		for (unsigned p = 0; p < PASIDS; p++)
			m->has[d][p] = NOTHING;
		return;
	}
	err = uiommu_device_claim(m->dev[d], m);
	CHECK(m, err == (busy ? -UIOMMU_EBUSY : 0));
	m->claimed[d] = !err;
}

static void do_map(struct model *m)
{
	unsigned dom = rnd(m, DOMS), i = rnd(m, PAGES);
	uint64_t n;

	if (m->mapped[dom][i]) {
		CHECK(m, !uiommu_unmap(m->dom[dom], AT(i), PAGE, &n) && n == PAGE);
	} else {
		CHECK(m, !uiommu_map(m->dom[dom], AT(i), thost_pa(&m->b.t, m->page[dom][i]), PAGE,
				     RW, &n));
	}
	m->mapped[dom][i] = !m->mapped[dom][i];
}

static void add(struct model *m, unsigned d)
{
	const uint32_t sids[2] = { 0x100 + d, 0x2000 + d };
	const struct uiommu_dev_config cfg = {
		.name = (const char *[]){ "a", "b", "c" }[d], .iommu = m->b.iommu,
		.stream_ids = sids, .num_stream_ids = 2, .pasid_bits = d == 2 ? 11 : 20,
		.group = -1,
		.ats = d == ATS, .ats_global = m->seed & 1, .set_ats = set_ats, .ats_ctx = m,
		.default_type = d % 2 ? UIOMMU_DOMAIN_IDENTITY : UIOMMU_DOMAIN_BLOCKED,
	};

	CHECK(m, !uiommu_device_add(m->b.u, &cfg, &m->dev[d]));
	for (unsigned p = 0; p < PASIDS; p++)
		m->has[d][p] = NOTHING;
	m->claimed[d] = false;
}

static void step(struct model *m)
{
	unsigned d = rnd(m, DEVS), p = rnd(m, PASIDS), what = rnd(m, 32);

	if (what < 12)
		do_attach(m, d, p);
	else if (what < 18)
		do_detach(m, d, p);
	else if (what < 28)
		do_map(m);
	else if (what < 31)
		do_claim(m, d);
	else if (uiommu_device_remove(m->dev[d]), 1)
		add(m, d);
	for (unsigned i = 0; i < 4; i++)
		look(m, rnd(m, DEVS), rnd(m, PASIDS));
	look(m, d, p);
}

static void run(uint32_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.range_inv = seed & 1;
	cfg.asid16 = seed & 2;
	cfg.st_2level = seed & 4;
	cfg.vmid16 = seed & 8;
	cfg.stage2 = cfg.ats = true;
	bench_init(&m->b, &cfg, &bench_smmu, false);
	m->b.atc_inv = atc_inv;
	uiommu_sim_atc_init(&m->atc, m->b.sim, 0x100 + ATS);
	m->seed = seed;
	m->rng = 0x9e3779b97f4a7c15ull * (seed + 1);
	for (unsigned d = 0; d < DEVS; d++)
		add(m, d);
	for (unsigned i = 0; i < DOMS; i++) {
		CHECK(m, !uiommu_domain_alloc_paging(m->dev[0], i < STAGE2 ? 0 :
						     UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &m->dom[i]));
		for (unsigned j = 0; j < PAGES; j++)
			m->page[i][j] = bench_page(&m->b, 1000 + 10 * i + j);
	}
	m->dom[IDENTITY] = uiommu_domain_identity(m->b.u);
	m->dom[BLOCKED] = uiommu_domain_blocked(m->b.u);
	for (m->step = 0; m->step < STEPS; m->step++)
		step(m);
	for (unsigned i = 0; i < DOMS * PAGES; i++)
		bench_page_free(&m->b, m->page[i / PAGES][i % PAGES]);
	uiommu_smmuv3_poll(m->b.iommu);
	bench_fini(&m->b);
	free(m);
}

static uint32_t first, count = 10;

static void any_order_of_calls(void **state)
{
	for (uint32_t s = first; s < first + count; s++)
		run(s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_calls),
	};

	if (argc > 1) {
		first = (uint32_t)strtoul(argv[1], NULL, 0);
		count = 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
