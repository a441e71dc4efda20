/* SPDX-License-Identifier: MIT */
/*
 * Rule 12: while one (device, PASID) is attached, replaced or detached, every other one
 * does DMA, whenever the driver talks to hardware, and never notices.
 */
#include "bench.h"

#define IOVA	0x10000u
#define PLACES	5u
#define DOMS	3u

enum { NOTHING, IDENTITY, PAGING };	/* + n */

struct place {
	struct uiommu_dev *dev;
	uiommu_pasid_t pasid;
	unsigned has;
};

struct scene {
	struct bench b;
	struct place place[PLACES];
	struct place *changing;
	struct uiommu_domain *dom[DOMS];
	uint64_t *page[DOMS];
	unsigned looks;
};

static void look_at(struct scene *s, const struct place *p)
{
	uint64_t v, at = IOVA, want = 0;

	if (p->has >= PAGING)
		want = 100 + p->has - PAGING;
	if (p->has == IDENTITY) {
		at = thost_pa(&s->b.t, s->page[0]);
		want = 100;
	}
	if (bench_peek(&s->b, p->dev, p->pasid, at, &v))
		v = 0;
	if (v != want)
		fail_msg("%s PASID %u reads %llu, not %llu, while PASID %u of %s changes",
			 uiommu_device_name(p->dev), p->pasid, (unsigned long long)v,
			 (unsigned long long)want, s->changing->pasid,
			 uiommu_device_name(s->changing->dev));
	s->looks++;
}

static bool look(struct bench *b, uint64_t off, uint64_t v)
{
	struct scene *s = uiommu_container_of(b, struct scene, b);

	for (unsigned i = 0; i < PLACES; i++)
		if (&s->place[i] != s->changing)
			look_at(s, &s->place[i]);
	return true;
}

static struct uiommu_domain *domain(struct scene *s, unsigned what)
{
	return what == IDENTITY ? uiommu_domain_identity(s->b.u) : s->dom[what - PAGING];
}

static void change(struct scene *s, struct place *p, unsigned what)
{
	s->changing = p;
	s->b.hook_write = look;
	if (what == NOTHING)
		uiommu_detach_device_pasid(p->dev, p->pasid);
	else if (p->has == NOTHING)
		assert_int_equal(uiommu_attach_device_pasid(domain(s, what), p->dev, p->pasid), 0);
	else
		assert_int_equal(uiommu_replace_device_pasid(domain(s, what), p->dev, p->pasid), 0);
	s->b.hook_write = NULL;
	p->has = what;
	look_at(s, p);
}

static void start(struct scene *s, bool two_levels)
{
	static const uiommu_pasid_t pasids[PLACES] = { 0, 3, 1023, 2000, 0 };
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_dev *dev[2];

	memset(s, 0, sizeof(*s));
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.cd_2level = two_levels;
	bench_init(&s->b, &cfg, &bench_smmu, false);
	dev[0] = bench_add(&s->b, "0", 0x100, 20);
	dev[1] = bench_add(&s->b, "1", 0x101, 20);
	for (unsigned i = 0; i < DOMS; i++) {
		s->dom[i] = bench_domain(dev[0]);
		s->page[i] = bench_page(&s->b, 100 + i);
		bench_map(&s->b, s->dom[i], IOVA, s->page[i]);
	}
	for (unsigned i = 0; i < PLACES; i++)
		s->place[i] = (struct place){ dev[i == PLACES - 1], pasids[i], NOTHING };
	if (!two_levels)
		s->place[3].pasid = 700;	/* 10 bits of PASID */
}

static void stop(struct scene *s)
{
	assert_true(s->looks > 100);
	for (unsigned i = 0; i < DOMS; i++)
		bench_page_free(&s->b, s->page[i]);
	bench_fini(&s->b);
}

/* Each place through all that it can have, whatever the others have meanwhile. */
static void invariant_12_one_entry_disturbs_no_other(void **state)
{
	static const unsigned way[] = { PAGING, PAGING + 1, NOTHING, PAGING + 2, IDENTITY,
					PAGING, NOTHING };
	static struct scene s;

	for (unsigned others = 0; others < 8; others++) {
		start(&s, others & 1);
		for (unsigned i = 0; i < PLACES; i++)
			if (others >> i % 3 & 1)
				change(&s, &s.place[i], PAGING + i % DOMS);
		for (unsigned i = 0; i < PLACES; i++)
			for (unsigned k = 0; k < sizeof(way) / sizeof(way[0]); k++)
				if (way[k] != IDENTITY || !s.place[i].pasid)
					change(&s, &s.place[i], way[k]);
		stop(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_12_one_entry_disturbs_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
