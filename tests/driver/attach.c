/* SPDX-License-Identifier: MIT */
/* The driver on the simulator: what a device reaches after each call. */
#include "bench.h"

#define IOVA	0x10000u

static void one_dma_all_the_way_down(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 8);
	struct uiommu_domain *dom = bench_domain(dev);
	uint64_t *page = bench_page(b, 0x1122334455667788);

	bench_map(b, dom, IOVA, page);
	bench_sees(b, dev, 0, IOVA, 0);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	bench_sees(b, dev, 0, IOVA, 0x1122334455667788);
	assert_int_equal(bench_poke(b, dev, 0, IOVA, 42), 0);
	assert_int_equal(*page, 42);
	bench_sees(b, dev, 0, IOVA + PAGE, 0);
	assert_non_null(strstr(bench_fault_text(b), "F_TRANSLATION"));
	uiommu_detach_device_pasid(dev, 0);
	bench_sees(b, dev, 0, IOVA, 0);
	assert_int_equal(uiommu_domain_free(dom), 0);
	bench_page_free(b, page);
}


/* What is in memory for a device: checks read it, they do not trust the driver. */
static uint64_t *ste_of(struct bench *b, struct uiommu_dev *dev)
{
	return uiommu_smmuv3_strtab_entry(to_smmu(b->iommu), dev->streams[0].id);
}

static unsigned config_of(struct bench *b, struct uiommu_dev *dev)
{
	return FGET(STE_Config, ste_of(b, dev)[0]);
}

static unsigned s1dss_of(struct bench *b, struct uiommu_dev *dev)
{
	return FGET(STE_S1DSS, ste_of(b, dev)[1]);
}

/*
 * S1's first picture: RID1 with two PASIDs and RID2 over three address spaces that
 * all map one IOVA to memory of their own.
 */
static void the_first_picture(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *rid1 = bench_add(b, "0000:01:00.0", 0x100, 8);
	struct uiommu_dev *rid2 = bench_add(b, "0000:02:00.0", 0x200, 0);
	struct uiommu_domain *d[3];
	uint64_t *page[3];

	for (unsigned i = 0; i < 3; i++) {
		d[i] = bench_domain(rid1);
		page[i] = bench_page(b, 0x1000 + i);
		bench_map(b, d[i], IOVA, page[i]);
		bench_map(b, d[i], 0x100000 * (i + 1), page[i]);
	}
	assert_int_equal(uiommu_attach_device(d[0], rid1), 0);
	assert_int_equal(uiommu_attach_device_pasid(d[1], rid1, 5), 0);
	assert_int_equal(uiommu_attach_device_pasid(d[2], rid1, 200), 0);
	assert_int_equal(uiommu_attach_device(d[2], rid2), 0);
	bench_sees(b, rid1, 0, IOVA, 0x1000);
	bench_sees(b, rid1, 5, IOVA, 0x1001);
	bench_sees(b, rid1, 200, IOVA, 0x1002);
	bench_sees(b, rid2, 0, IOVA, 0x1002);
	assert_int_equal(bench_poke(b, rid1, 200, IOVA, 77), 0);
	bench_sees(b, rid2, 0, IOVA, 77);
	/* what only another domain maps; a PASID that nobody attached; after unmap */
	bench_sees(b, rid1, 5, 0x100000, 0);
	bench_sees(b, rid1, 6, IOVA, 0);
	assert_int_equal(uiommu_unmap(d[1], IOVA, PAGE, NULL), 0);
	bench_sees(b, rid1, 5, IOVA, 0);
	bench_sees(b, rid1, 0, IOVA, 0x1000);
	for (unsigned i = 0; i < 3; i++)
		bench_page_free(b, page[i]);
}

/* S1DSS follows the RID's domain, in every order of coming and going. */
static void invariant_05_s1dss_follows_the_rid(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 8);
	struct uiommu_domain *vm = bench_domain(dev), *own = bench_domain(dev);
	uint64_t *page = bench_page(b, 11), *mine = bench_page(b, 22);
	struct {
		struct uiommu_domain *dom;
		unsigned config, s1dss;
		uint64_t sees;		/* untagged, at page's own address */
	} rid[] = {
		{ uiommu_domain_blocked(b->u), STE_Config_ABORT, STE_S1DSS_TERMINATE, 0 },
		{ uiommu_domain_identity(b->u), STE_Config_BYPASS, STE_S1DSS_BYPASS, 11 },
		{ own, STE_Config_S1, STE_S1DSS_SSID0, 22 },
	};
	uiommu_iova_t at = thost_pa(&b->t, page);

	bench_map(b, vm, IOVA, page);
	bench_map(b, own, at, mine);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(uiommu_attach_device(rid[i].dom, dev), 0);
		assert_int_equal(config_of(b, dev), rid[i].config);
		bench_sees(b, dev, 0, at, rid[i].sees);
		assert_int_equal(uiommu_attach_device_pasid(vm, dev, 3), 0);
		assert_int_equal(config_of(b, dev), STE_Config_S1);
		assert_int_equal(s1dss_of(b, dev), rid[i].s1dss);
		bench_sees(b, dev, 0, at, rid[i].sees);
		bench_sees(b, dev, 3, IOVA, 11);
		/* the RID goes from each to each while the PASID works */
		for (unsigned j = 0; j < 3; j++) {
			uiommu_detach_device_pasid(dev, 0);
			bench_sees(b, dev, 0, at, 0);
			bench_sees(b, dev, 3, IOVA, 11);
			assert_int_equal(uiommu_attach_device(rid[i].dom, dev), 0);
			assert_int_equal(uiommu_replace_device_pasid(rid[j].dom, dev, 0), 0);
			assert_int_equal(s1dss_of(b, dev), rid[j].s1dss);
			bench_sees(b, dev, 0, at, rid[j].sees);
			bench_sees(b, dev, 3, IOVA, 11);
			assert_int_equal(uiommu_replace_device_pasid(rid[i].dom, dev, 0), 0);
		}
		uiommu_detach_device_pasid(dev, 3);
		bench_sees(b, dev, 3, IOVA, 0);
		assert_int_equal(config_of(b, dev), rid[i].config);
		bench_sees(b, dev, 0, at, rid[i].sees);
		uiommu_detach_device_pasid(dev, 0);
		assert_int_equal(config_of(b, dev), STE_Config_ABORT);
	}
	bench_page_free(b, page);
	bench_page_free(b, mine);
}

/* The CD table is the device's: domains come and go, it stays where it is. */
static void invariant_02_the_pasid_table_survives_its_domains(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 8);
	struct smmu_master *m = dev->drv;
	struct uiommu_domain *d[2] = { bench_domain(dev), bench_domain(dev) };
	uint64_t *table;

	assert_null(m->cdtab->top);		/* lazily */
	assert_int_equal(uiommu_attach_device(uiommu_domain_identity(b->u), dev), 0);
	assert_null(m->cdtab->top);
	assert_int_equal(uiommu_attach_device_pasid(d[0], dev, 1), 0);
	table = m->cdtab->top;
	assert_non_null(table);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(uiommu_replace_device_pasid(d[i % 2], dev, 0), 0);
		assert_int_equal(uiommu_replace_device_pasid(d[i % 2], dev, 1), 0);
		assert_ptr_equal(m->cdtab->top, table);
		assert_int_equal(ste_of(b, dev)[0] & FMASK(STE_S1ContextPtr),
				 thost_pa(&b->t, table));
	}
	uiommu_detach_device_pasid(dev, 0);
	uiommu_detach_device_pasid(dev, 1);
	assert_ptr_equal(m->cdtab->top, table);
	for (unsigned i = 0; i < CD_WORDS * 256; i++)
		assert_int_equal(table[i], 0);
	assert_int_equal(uiommu_domain_free(d[0]), 0);
	assert_int_equal(uiommu_domain_free(d[1]), 0);
}

/* Replace has no moment at which the device reaches neither. */
struct watch {
	struct uiommu_dev *dev;
	uiommu_pasid_t pasid;
	unsigned looks, blocked;
};

static bool watch_dma(struct bench *b, uint64_t off, uint64_t v)
{
	struct watch *w = b->test;
	uint64_t got;

	w->looks++;
	if (bench_peek(b, w->dev, w->pasid, IOVA, &got))
		w->blocked++;
	else
		assert_true(got == 1 || got == 2);
	return true;
}

static void replacing_a_pasid_passes_through_old_or_new_only(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 4);
	struct uiommu_domain *d[2] = { bench_domain(dev), bench_domain(dev) };
	uint64_t *page[2] = { bench_page(b, 1), bench_page(b, 2) };
	struct watch w = { dev, 3, 0, 0 };

	bench_map(b, d[0], IOVA, page[0]);
	bench_map(b, d[1], IOVA, page[1]);
	assert_int_equal(uiommu_attach_device_pasid(d[0], dev, 3), 0);
	b->test = &w;
	b->hook_write = watch_dma;
	assert_int_equal(uiommu_replace_device_pasid(d[1], dev, 3), 0);
	b->hook_write = NULL;
	assert_true(w.looks > 0);
	bench_sees(b, dev, 3, IOVA, 2);
	bench_page_free(b, page[0]);
	bench_page_free(b, page[1]);
}

/* BLOCKED to working and back: blocked without an event, or through, nothing else. */
static void a_rid_comes_and_goes_without_an_event(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 4);
	struct uiommu_domain *dom = bench_domain(dev);
	uint64_t *page = bench_page(b, 1);
	struct watch w = { dev, 0, 0, 0 };

	bench_map(b, dom, IOVA, page);
	for (unsigned i = 0; i < 3; i++) {
		b->test = &w;
		b->hook_write = watch_dma;
		assert_int_equal(uiommu_attach_device(dom, dev), 0);
		uiommu_detach_device_pasid(dev, 0);
		b->hook_write = NULL;
		assert_string_equal(bench_fault_text(b), "");
	}
	assert_true(w.blocked && w.blocked < w.looks);
	bench_page_free(b, page);
}

static void a_device_with_several_streams(void **state)
{
	struct bench *b = *state;
	const uint32_t sids[] = { 0x10, 0x111, 0x212 };
	const struct uiommu_dev_config cfg = {
		.name = "platform", .iommu = b->iommu, .stream_ids = sids, .num_stream_ids = 3,
		.pasid_bits = 4, .group = -1,
	};
	struct uiommu_dev *dev;
	struct uiommu_domain *dom, *empty;
	uint64_t *page = bench_page(b, 5), got = 0;
	size_t done;

	assert_int_equal(uiommu_device_add(b->u, &cfg, &dev), 0);
	dom = bench_domain(dev);
	empty = bench_domain(dev);
	bench_map(b, dom, IOVA, page);
	for (unsigned pasid = 0; pasid < 2; pasid++) {
		assert_int_equal(uiommu_attach_device_pasid(dom, dev, pasid), 0);
		for (unsigned i = 0; i < 3; i++) {
			const struct uiommu_sim_access a = {
				.stream_id = sids[i], .substream_id = pasid, .ssv = pasid,
				.iova = IOVA,
			};

			assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, &got, 8, &done), 0);
			assert_int_equal(got, 5);
		}
		/* all of them forget the CD, not only the first */
		assert_int_equal(uiommu_replace_device_pasid(empty, dev, pasid), 0);
		for (unsigned i = 0; i < 3; i++) {
			const struct uiommu_sim_access a = {
				.stream_id = sids[i], .substream_id = pasid, .ssv = pasid,
				.iova = IOVA,
			};

			assert_int_not_equal(uiommu_sim_smmuv3_dma(b->sim, &a, &got, 8, &done), 0);
		}
	}
	uiommu_device_remove(dev);
	bench_page_free(b, page);
}

/* 20 bits of PASID: two levels of CDs, leaves only where used. */
static void two_levels_of_cds(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 20);
	struct uiommu_domain *dom = bench_domain(dev);
	static const uiommu_pasid_t pasids[] = { 0, 1, 1023, 1024, 0xfffff };
	uint64_t *page = bench_page(b, 5);
	long tables;

	assert_int_equal(uiommu_device_pasid_bits(dev), 20);
	bench_map(b, dom, IOVA, page);
	tables = b->t.live_tables;
	for (unsigned i = 0; i < 5; i++) {
		bench_sees(b, dev, pasids[i], IOVA, 0);
		assert_int_equal(uiommu_attach_device_pasid(dom, dev, pasids[i]), 0);
		bench_sees(b, dev, pasids[i], IOVA, 5);
	}
	assert_int_equal(b->t.live_tables, tables + 1 + 3);
	bench_sees(b, dev, 2, IOVA, 0);
	bench_sees(b, dev, 5000, IOVA, 0);
	for (unsigned i = 0; i < 5; i++) {
		uiommu_detach_device_pasid(dev, pasids[i]);
		bench_sees(b, dev, pasids[i], IOVA, 0);
	}
	bench_page_free(b, page);
}

static void no_pasids(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 0);
	struct uiommu_domain *dom = bench_domain(dev);

	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 1), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	/* as an SMMU with SSIDSIZE 0 demands */
	assert_int_equal(FGET(STE_S1CDMax, ste_of(b, dev)[0]), 0);
}

static void asids_run_out_and_come_back(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench *b = *state;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom[256];
	static const unsigned n = 256;

	bench_fini(b);
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.asid16 = false;
	bench_init(b, &cfg, &bench_smmu, false);
	dev = bench_add(b, "d", 1, 10);
	for (unsigned i = 0; i < n; i++)
		dom[i] = bench_domain(dev);
	for (unsigned i = 1; i < n; i++)
		assert_int_equal(uiommu_attach_device_pasid(dom[i], dev, i), 0);
	assert_int_equal(uiommu_attach_device(dom[0], dev), -UIOMMU_ENOSPC);
	assert_int_equal(config_of(b, dev), STE_Config_S1);
	assert_int_equal(s1dss_of(b, dev), STE_S1DSS_TERMINATE);
	uiommu_detach_device_pasid(dev, 77);
	assert_int_equal(uiommu_attach_device(dom[0], dev), 0);
}

static void hw_info_is_the_id_registers(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 0);
	struct uiommu_hw_info info;
	uint32_t v[10];

	assert_int_equal(uiommu_device_hw_info(dev, 3, &info), -UIOMMU_EOPNOTSUPP);
	assert_null(info.data);
	assert_int_equal(uiommu_device_hw_info(dev, 2, &info), 0);
	assert_int_equal(info.type, 2);
	assert_int_equal(uiommu_device_hw_info(dev, 0, &info), 0);
	assert_int_equal(info.type, 2);
	assert_int_equal(info.bytes, 40);
	memcpy(v, info.data, 40);
	assert_int_equal(v[0], 0);
	assert_int_equal(v[1], 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(v[2 + i], bench_read(b, 4 * i, 4));
	assert_int_equal(v[8], bench_read(b, SMMU_IIDR, 4));
	assert_int_equal(v[9], bench_read(b, SMMU_AIDR, 4));
}

/* Every allocation of attach fails once; the device sees what it saw before. */
static void invariant_13_attach_without_memory(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 20);
	struct uiommu_domain *d[2] = { bench_domain(dev), bench_domain(dev) };
	uint64_t *page[2] = { bench_page(b, 1), bench_page(b, 2) };

	bench_map(b, d[0], IOVA, page[0]);
	bench_map(b, d[1], IOVA, page[1]);
	for (uiommu_pasid_t p = 0; p < 9000; p += 4500) {
		unsigned n = 0;
		int err;

		do {
			b->t.fail_at = b->t.calls + ++n;
			err = uiommu_attach_device_pasid(d[0], dev, p);
			b->t.fail_at = 0;
			bench_sees(b, dev, p, IOVA, err ? 0 : 1);
		} while (err == -UIOMMU_ENOMEM && n < 20);
		assert_int_equal(err, 0);
		assert_true(n > 2);
		n = 0;
		do {
			b->t.fail_at = b->t.calls + ++n;
			err = uiommu_replace_device_pasid(d[1], dev, p);
			b->t.fail_at = 0;
			bench_sees(b, dev, p, IOVA, err ? 1 : 2);
			uiommu_unmap(d[1], 0x99000, PAGE, NULL);
		} while (err == -UIOMMU_ENOMEM && n < 20);
		assert_int_equal(err, 0);
		b->t.forbid = true;
		uiommu_detach_device_pasid(dev, p);
		b->t.forbid = false;
		bench_sees(b, dev, p, IOVA, 0);
	}
	bench_page_free(b, page[0]);
	bench_page_free(b, page[1]);
}

/* One domain behind two SMMUs: each has a number of its own for it. */
static void invariant_01_one_domain_behind_two_smmus(void **state)
{
	struct bench *b = *state, *b2 = calloc(1, sizeof(*b2));
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_dev *dev = bench_add(b, "d1", 1, 4), *dev2;
	struct uiommu_domain *pad = bench_domain(dev), *dom = bench_domain(dev);
	uint64_t *page = bench_page(b, 9);
	const struct uiommu_sim_env env = {
		.ctx = b, .alloc = heap_alloc, .free = heap_free,
		.read = bench_sim_read, .write = bench_sim_write,
	};
	const uint32_t sid = 1;
	struct uiommu_dev_config dc = {
		.name = "d2", .stream_ids = &sid, .num_stream_ids = 1, .pasid_bits = 4, .group = -1,
	};

	uiommu_sim_smmuv3_config_init(&cfg);
	assert_int_equal(uiommu_sim_smmuv3_create(&cfg, &env, &b2->sim), 0);
	b->t.mmio_ctx = b2;
	smmu.has_irqs = false;
	assert_int_equal(uiommu_smmuv3_probe(b->u, &smmu, &b2->iommu), 0);
	dc.iommu = b2->iommu;
	assert_int_equal(uiommu_device_add(b->u, &dc, &dev2), 0);

	bench_map(b, dom, IOVA, page);
	assert_int_equal(uiommu_attach_device(pad, dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 2), 0);	/* ASID 2 here */
	assert_int_equal(uiommu_attach_device(dom, dev2), 0);		/* ASID 1 there */
	bench_sees(b, dev, 2, IOVA, 9);
	bench_sees(b2, dev2, 0, IOVA, 9);
	assert_int_equal(uiommu_unmap(dom, IOVA, PAGE, NULL), 0);
	bench_sees(b, dev, 2, IOVA, 0);
	bench_sees(b2, dev2, 0, IOVA, 0);
	uiommu_smmuv3_remove(b2->iommu);	/* with its device still there */
	uiommu_sim_smmuv3_destroy(b2->sim);
	free(b2);
	bench_page_free(b, page);
}

/*
 * Walks that do not see CPU caches. What is not cleaned looks like an STE that
 * bypasses or, from the first attachment on, like a CD that works.
 */
static void hardware_that_does_not_see_caches(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench *b = *state;
	struct uiommu_stream unknown[2] = { { .id = 0x76 }, { .id = 0x78 } };

	bench_fini(b);
	for (unsigned two = 0; two < 2; two++) {
		struct uiommu_dev *dev, stranger;
		struct uiommu_domain *dom[2];
		uint64_t *page;

		uiommu_sim_smmuv3_config_init(&cfg);
		cfg.coherent = false;
		cfg.st_2level = two;
		cfg.sidsize = two ? 16 : 8;
		bench_init_sim(b, &cfg, false);
		bench_make_noncoherent(b);
		b->noise[0] = FPREP(STE_V, 1) | FPREP(STE_Config, STE_Config_BYPASS);
		assert_int_equal(uiommu_create(&b->t.host, NULL, &b->u), 0);
		assert_int_equal(uiommu_smmuv3_probe(b->u, &bench_smmu, &b->iommu), 0);
		dev = bench_add(b, "d", 0x77, two ? 20 : 8);
		page = bench_page(b, 1);
		bench_clean(&b->t, page, PAGE);
		for (unsigned i = 0; i < 2; i++) {
			stranger.streams = &unknown[i];
			bench_sees(b, &stranger, 0, thost_pa(&b->t, page), 0);
			dom[i] = bench_domain(dev);
			bench_map(b, dom[i], IOVA, page);
		}
		uiommu_smmuv3_cd(b->noise, &dom[0]->pt, 1, false);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(uiommu_attach_device_pasid(dom[i], dev, i * 200), 0);
			bench_sees(b, dev, i * 200, IOVA, 1);
			bench_sees(b, dev, i * 200 + 1, IOVA, 0);
		}
		assert_int_equal(uiommu_replace_device_pasid(dom[0], dev, 200), 0);
		assert_int_equal(uiommu_unmap(dom[0], IOVA, PAGE, NULL), 0);
		bench_sees(b, dev, 0, IOVA, 0);
		bench_sees(b, dev, 200, IOVA, 0);
		bench_page_free(b, page);
		if (!two)
			bench_fini(b);
	}
}

/* What was tried before it was known, and what another device left behind. */
static void a_stream_id_has_no_past(void **state)
{
	struct bench *b = *state;
	struct uiommu_stream unknown = { .id = 0x1234 };
	struct uiommu_dev stranger = { .streams = &unknown }, *dev;
	struct uiommu_domain *dom;
	uint64_t *page = bench_page(b, 6);

	for (unsigned i = 0; i < 3; i++) {
		bench_sees(b, &stranger, 0, IOVA, 0);
		bench_sees(b, &stranger, 1, IOVA, 0);
		dev = bench_add(b, "d", 0x1234, i == 1 ? 10 : 20);
		dom = bench_domain(dev);
		bench_map(b, dom, IOVA, page);
		bench_sees(b, dev, 5000, IOVA, 0);
		bench_sees(b, dev, 1, IOVA, 0);
		assert_int_equal(uiommu_attach_device_pasid(dom, dev, 1), 0);
		bench_sees(b, dev, 1, IOVA, 6);
		/* what the one before it had there is memory of somebody else by now */
		bench_sees(b, dev, 5000, IOVA, 0);
		bench_sees(b, dev, 900, IOVA, 0);
		if (i == 0) {
			assert_int_equal(uiommu_attach_device_pasid(dom, dev, 5000), 0);
			bench_sees(b, dev, 5000, IOVA, 6);
		}
		uiommu_device_remove(dev);
		assert_int_equal(uiommu_domain_free(dom), 0);
		bench_sees(b, &stranger, 1, IOVA, 0);
	}
	bench_page_free(b, page);
}

/* CDs change unsaid while no STE leads to them: what was cached before is not used. */
static void invariant_12_a_second_life_of_the_table(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.0", 0x100, 8);
	struct uiommu_domain *d[2] = { bench_domain(dev), bench_domain(dev) };
	uint64_t *page[2] = { bench_page(b, 1), bench_page(b, 2) };

	bench_map(b, d[0], IOVA, page[0]);
	bench_map(b, d[1], IOVA, page[1]);
	assert_int_equal(uiommu_attach_device(d[0], dev), 0);
	bench_sees(b, dev, 0, IOVA, 1);
	bench_sees(b, dev, 5, IOVA, 0);		/* hardware keeps that there is nothing */
	uiommu_detach_device_pasid(dev, 0);
	bench_sees(b, dev, 0, IOVA, 0);
	assert_int_equal(uiommu_attach_device(d[1], dev), 0);
	bench_sees(b, dev, 0, IOVA, 2);		/* not CD 0 of before */
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_attach_device_pasid(d[0], dev, 5), 0);
	bench_sees(b, dev, 5, IOVA, 1);
	bench_page_free(b, page[0]);
	bench_page_free(b, page[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(one_dma_all_the_way_down),
		T(the_first_picture),
		T(invariant_05_s1dss_follows_the_rid),
		T(invariant_02_the_pasid_table_survives_its_domains),
		T(replacing_a_pasid_passes_through_old_or_new_only),
		T(a_rid_comes_and_goes_without_an_event),
		T(a_device_with_several_streams),
		T(two_levels_of_cds),
		T(no_pasids),
		T(asids_run_out_and_come_back),
		T(hw_info_is_the_id_registers),
		T(invariant_13_attach_without_memory),
		T(invariant_01_one_domain_behind_two_smmus),
		T(hardware_that_does_not_see_caches),
		T(a_stream_id_has_no_past),
		T(invariant_12_a_second_life_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
