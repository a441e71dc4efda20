/* SPDX-License-Identifier: MIT */
/* From the event record to the device and to words; bring-up without a window. */
#include "bench.h"

#include "../rng.h"

#define IOVA	0x10000u

static void in_words(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "0000:01:00.3", 0x103, 4), stranger;
	struct uiommu_domain *dom = bench_domain(dev);
	struct uiommu_stream nobody = { .id = 0x777 };
	uint64_t *page = bench_page(b, 1);

	assert_int_equal(uiommu_map(dom, IOVA, thost_pa(&b->t, page), PAGE, UIOMMU_PROT_READ, NULL),
			 0);
	/* BLOCKED is silent: that is what an aborting STE is */
	bench_sees(b, dev, 0, IOVA, 0);
	assert_string_equal(bench_fault_text(b), "");
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 5), 0);

	bench_sees(b, dev, 0, 0xdead000, 0);
	assert_string_equal(bench_fault_text(b), "F_TRANSLATION: 0000:01:00.3 (RID 01:00.3) no PASID, "
			    "read at IOVA 0xdead000; said no: stage 1 page table: not mapped");
	assert_ptr_equal(b->fault.dev, dev);
	assert_ptr_equal(b->fault.iommu, b->iommu);
	assert_int_equal(b->fault.code, EVT_F_TRANSLATION);
	assert_int_equal(b->fault.iova, 0xdead000);
	assert_int_not_equal(bench_poke(b, dev, 5, IOVA, 0), 0);
	assert_string_equal(bench_fault_text(b), "F_PERMISSION: 0000:01:00.3 (RID 01:00.3) PASID 0x5, "
			    "write at IOVA 0x10000; said no: stage 1 page table: not permitted");
	bench_sees(b, dev, 6, IOVA, 0);
	assert_non_null(strstr(bench_fault_text(b), "C_BAD_CD: 0000:01:00.3 (RID 01:00.3) PASID 0x6"));
	assert_int_equal(b->fault.pasid, 6);
	bench_sees(b, dev, 16, IOVA, 0);
	assert_non_null(strstr(bench_fault_text(b), "C_BAD_SUBSTREAMID: 0000:01:00.3 (RID 01:00.3) "
			       "PASID 0x10"));

	stranger.streams = &nobody;
	bench_sees(b, &stranger, 0, IOVA, 0);
	assert_non_null(strstr(bench_fault_text(b), "no device has StreamID 0x777"));
	assert_null(b->fault.dev);
	bench_page_free(b, page);
}

static void the_buffer_may_be_short(void **state)
{
	struct uiommu_fault f = { .name = "F_X", .table = "t", .stream_id = 1 };
	char buf[64];

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(uiommu_fault_text(&f, buf, 0), -UIOMMU_EINVAL);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(uiommu_fault_text(&f, buf, 4), -UIOMMU_EMSGSIZE);
	assert_string_equal(buf, "F_X");
	assert_int_equal(buf[4], 'x');
	assert_int_equal(uiommu_fault_text(&f, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "F_X: no device has StreamID 0x1 no PASID; said no: t");
}

/* Whatever hardware may write, known or not. */
static void any_record_decodes(void **state)
{
	uint64_t x = 88172645463325252ull;
	char text[200];

	for (unsigned i = 0; i < 100000; i++) {
		struct uiommu_fault f;
		uint64_t evt[4];

		for (unsigned w = 0; w < 4; w++)
			evt[w] = rng_next(&x);
		if (i < 256)
			evt[0] = i;
		uiommu_smmuv3_decode_event(evt, &f);
		assert_non_null(f.name);
		assert_non_null(f.table);
		uiommu_fault_text(&f, text, sizeof(text));
		assert_true(strlen(text) < sizeof(text));
	}
}

static void overflow_is_said_once(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 0);
	struct uiommu_domain *dom = bench_domain(dev);
	unsigned said = 0;

	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < 300; i++)
			bench_sees(b, dev, 0, IOVA + i * PAGE, 0);
		b->nfaults = 0;
		uiommu_smmuv3_poll(b->iommu);
		assert_int_equal(b->nfaults, 128);
		uiommu_smmuv3_poll(b->iommu);
		assert_int_equal(b->nfaults, 128);
		said = 0;
		for (unsigned i = 0; i < b->t.nlog && i < THOST_LOGS; i++)
			said += !!strstr(b->t.log[i], "overflow");
		assert_int_equal(said, round);
	}
	/* and it works as before */
	bench_sees(b, dev, 0, IOVA, 0);
	assert_non_null(strstr(bench_fault_text(b), "F_TRANSLATION"));
}

static void interrupts_drain_the_queue(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 0);
	struct uiommu_domain *dom = bench_domain(dev);

	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	bench_sees(b, dev, 0, IOVA, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 1);
	b->t.irq[1](b->t.irq_arg[1]);
	assert_int_equal(b->nfaults, 1);
	b->t.irq[2](b->t.irq_arg[2]);
	uiommu_device_remove(dev);
	/* an event of a device that is gone */
	b->text[0] = 0;
	b->t.irq[1](b->t.irq_arg[1]);
	assert_int_equal(b->nfaults, 1);
}

/* ---- bring-up ---- */

static unsigned passed;

/* DMA of an unbound StreamID between any two register writes. */
static bool try_dma(struct bench *b, uint64_t off, uint64_t v)
{
	const struct uiommu_sim_access a = { .stream_id = 3, .iova = THOST_PA };
	struct uiommu_sim_xlat x;

	if (!uiommu_sim_smmuv3_translate(b->sim, &a, &x))
		passed++;
	return true;
}

static void bring_up_leaves_no_window(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init_sim(&b, &cfg, false);
	b.hook_write = try_dma;
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	passed = 0;
	assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), 0);
	assert_int_equal(passed, 1);	/* before the very first write: GBPA */
	uiommu_smmuv3_remove(b.iommu);
	assert_int_equal(passed, 1);
	/* a second time, on an SMMU that was left as it was */
	assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), 0);
	assert_int_equal(passed, 1);
	bench_fini(&b);
}

/* A picture on the screen, which the device reads all the time. */
static unsigned lost_reads;

static bool try_screen(struct bench *b, uint64_t off, uint64_t v)
{
	const struct uiommu_sim_access a = { .stream_id = 0x207, .iova = THOST_PA };
	struct uiommu_sim_xlat x;

	if (uiommu_sim_smmuv3_translate(b->sim, &a, &x))
		lost_reads++;
	return try_dma(b, off, v);
}

static void as_firmware_starts(void *arg)
{
	uiommu_sim_smmuv3_reset(((struct bench *)arg)->sim);
}

static void as_firmware_leaves_it_on(void *arg)
{
	as_firmware_starts(arg);
	uiommu_sim_smmuv3_mmio_write(((struct bench *)arg)->sim, SMMU_CR0, FMASK(CR0_SMMUEN), 4);
}

/* A probe that fails leaves the SMMU off: the next one finds it as the first did. */
static int probe_found(struct bench *b, const struct uiommu_smmuv3_config *smmu,
		       void (*found)(void *arg))
{
	int ret;

	found(b);
	passed = 0;
	host_afresh(found, b);
	ret = uiommu_smmuv3_probe(b->u, smmu, &b->iommu);
	host_afresh(NULL, NULL);
	return ret;
}

static void what_firmware_started_goes_on(void **state)
{
	static const uint32_t ids[] = { 0x207, 0x12 };
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_dev_config dc = {
		.name = "screen", .stream_ids = ids, .num_stream_ids = 1, .group = -1,
		.default_type = UIOMMU_DOMAIN_IDENTITY,
	};
	static const uint32_t beyond = 1u << 20;
	struct uiommu_dev *dev;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init_sim(&b, &cfg, false);
	b.hook_write = try_screen;
	smmu.firmware_ids = ids;
	smmu.num_firmware_ids = 2;
	lost_reads = passed = 0;
	host_counter(&lost_reads, sizeof(lost_reads));
	host_counter(&passed, sizeof(passed));
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(probe_found(&b, &smmu, as_firmware_starts), 0);
	assert_int_equal(lost_reads, 0);
	assert_int_equal(uiommu_sim_smmuv3_mmio_read(b.sim, SMMU_GBPA, 4) & FMASK(GBPA_ABORT),
			 FMASK(GBPA_ABORT));
	passed = 0;
	dc.iommu = b.iommu;
	assert_int_equal(uiommu_device_add(b.u, &dc, &dev), 0);
	try_screen(&b, 0, 0);
	assert_int_equal(lost_reads, 0);
	assert_int_equal(passed, 0);	/* nobody else's does */
	uiommu_device_remove(dev);
	try_screen(&b, 0, 0);
	assert_true(lost_reads);
	uiommu_smmuv3_remove(b.iommu);
	/* found running, it is stopped first: whatever it was told before is not known */
	assert_int_equal(probe_found(&b, &smmu, as_firmware_leaves_it_on), 0);
	assert_int_equal(passed, 0);
	uiommu_smmuv3_remove(b.iommu);
	smmu.firmware_ids = &beyond;
	smmu.num_firmware_ids = 1;
	assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), -UIOMMU_ERANGE);
	bench_fini(&b);
}

/*
 * The order of the registers: a queue's base and indices before it is on; nothing is
 * forgotten before commands are taken; interrupts last but SMMUEN, so that no handler
 * looks at a queue that is not there; errors of before acknowledged before ours can be.
 */
static struct {
	uint64_t off, v;
} wrote[128];
static unsigned num_wrote;

static bool note(struct bench *b, uint64_t off, uint64_t v)
{
	if (num_wrote < 128) {
		wrote[num_wrote].off = off;
		wrote[num_wrote++].v = v;
	}
	return true;
}

static unsigned when(uint64_t off, uint64_t mask)
{
	for (unsigned i = 0; i < num_wrote; i++)
		if (wrote[i].off == off && (wrote[i].v & mask) == mask)
			return i;
	fail_msg("0x%llx is not written", (unsigned long long)off);
	return 0;
}

static void bring_up_in_order(void **state)
{
	static const unsigned tables[] = { SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_CFG, SMMU_CMDQ_BASE,
					   SMMU_CMDQ_PROD, SMMU_CMDQ_CONS, SMMU_CR1, SMMU_CR2,
					   SMMU_GERRORN };
	static const unsigned events[] = { SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS,
					   SMMU_PRIQ_BASE, SMMU_PRIQ_PROD, SMMU_PRIQ_CONS };
	unsigned cmdq, forgot, evtq, irqs, on;
	struct uiommu_sim_smmuv3_config cfg;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.ats = cfg.pri = true;
	cfg.priq_max_lg2 = 8;
	bench_init_sim(&b, &cfg, false);
	uiommu_sim_smmuv3_fail(b.sim);		/* an error of before */
	uiommu_sim_smmuv3_reset(b.sim);
	b.hook_write = note;
	num_wrote = 0;
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), 0);
	cmdq = when(SMMU_CR0, FMASK(CR0_CMDQEN));
	evtq = when(SMMU_CR0, FMASK(CR0_EVENTQEN) | FMASK(CR0_PRIQEN));
	irqs = when(SMMU_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN) | FMASK(IRQ_CTRL_GERROR_IRQEN));
	on = when(SMMU_CR0, FMASK(CR0_SMMUEN));
	assert_int_equal(when(SMMU_GBPA, FMASK(GBPA_ABORT)), 0);
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		assert_true(when(tables[i], 0) < cmdq);
	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_true(when(events[i], 0) < evtq);
	for (forgot = cmdq; wrote[forgot].off != SMMU_CMDQ_PROD; forgot++)
		;
	assert_true(cmdq < forgot && forgot < evtq && evtq < irqs && irqs < on);
	assert_int_equal(on, num_wrote - 1);
	assert_true(wrote[cmdq].v & FMASK(CR0_ATSCHK));
	bench_fini(&b);
}

static void tables_of_pasids_of_every_size(void **state)
{
	for (unsigned bits = 0; bits <= 20; bits++)
		for (unsigned two = 0; two < 2; two++) {
			unsigned used = two || bits < 10 ? bits : 10;
			struct uiommu_sim_smmuv3_config cfg;
			struct uiommu_domain *dom;
			struct uiommu_dev *dev;
			uiommu_pasid_t last = (1u << used) - 1;
			uint64_t *page;
			struct bench b;

			uiommu_sim_smmuv3_config_init(&cfg);
			cfg.ssidsize = bits;
			cfg.cd_2level = two;
			bench_init(&b, &cfg, &bench_smmu, false);
			dev = bench_add(&b, "d", 1, 20);
			assert_int_equal(uiommu_device_pasid_bits(dev), used);
			dom = bench_domain(dev);
			page = bench_page(&b, 3);
			bench_map(&b, dom, IOVA, page);
			if (last) {
				assert_int_equal(uiommu_attach_device_pasid(dom, dev, last), 0);
				bench_sees(&b, dev, last, IOVA, 3);
				bench_sees(&b, dev, 0, IOVA, 0);
			}
			assert_int_equal(uiommu_attach_device_pasid(dom, dev, last + 1),
					 -UIOMMU_EINVAL);
			assert_int_equal(uiommu_attach_device(dom, dev), 0);
			bench_sees(&b, dev, 0, IOVA, 3);
			bench_page_free(&b, page);
			bench_fini(&b);
		}
}

/* Found running, as firmware or a crashed kernel leaves it. */
static void a_running_smmu_is_taken_over(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init_sim(&b, &cfg, false);
	uiommu_sim_smmuv3_mmio_write(b.sim, SMMU_CR0, FMASK(CR0_SMMUEN) | FMASK(CR0_EVENTQEN), 4);
	b.hook_write = try_dma;
	passed = 0;
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), 0);
	assert_int_equal(passed, 0);
	bench_fini(&b);
}

static uint64_t (*idr)(uint64_t off, uint64_t v);

static uint64_t change_idr(struct bench *b, uint64_t off, uint64_t v)
{
	return off <= SMMU_AIDR ? idr(off, v) : v;
}

#define IDR(name, reg, change) \
	static uint64_t name(uint64_t off, uint64_t v) \
	{ \
		return off == SMMU_##reg ? change : v; \
	}
IDR(no_stage, IDR0, FSET(IDR0_S1P, FSET(IDR0_S2P, v, 0), 0))
IDR(aarch32, IDR0, FSET(IDR0_TTF, v, IDR0_TTF_AARCH32))
IDR(big_endian, IDR0, FSET(IDR0_TTENDIAN, v, IDR0_TTENDIAN_BIG))
IDR(stalls, IDR0, FSET(IDR0_STALL_MODEL, v, IDR0_STALL_MODEL_STALL))
IDR(st_level, IDR0, FSET(IDR0_ST_LEVEL, v, 2))
IDR(preset_tables, IDR1, FSET(IDR1_TABLES_PRESET, v, 1))
IDR(preset_queues, IDR1, FSET(IDR1_QUEUES_PRESET, v, 1))
IDR(tiny_cmdq, IDR1, FSET(IDR1_CMDQS, v, 0))
IDR(no_pages, IDR5, FSET(IDR5_GRAN4K, FSET(IDR5_GRAN16K, FSET(IDR5_GRAN64K, v, 0), 0), 0))
IDR(oas_7, IDR5, FSET(IDR5_OAS, v, 7))
IDR(not_coherent, IDR0, FSET(IDR0_COHACC, v, 0))

static void what_it_cannot_do_is_said(void **state)
{
	static const struct {
		uint64_t (*idr)(uint64_t off, uint64_t v);
		const char *says;
	} rows[] = {
		{ no_stage, "does not translate" }, { aarch32, "AArch64" }, { big_endian, "big-endian" },
		{ stalls, "stalls" }, { st_level, "stream table" },
		{ preset_tables, "fixed place" }, { preset_queues, "fixed place" },
		{ tiny_cmdq, "command queue" }, { no_pages, "pages of no size" }, { oas_7, "output address" },
		{ not_coherent, "cache_clean" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uiommu_sim_smmuv3_config cfg;
		struct bench b;

		uiommu_sim_smmuv3_config_init(&cfg);
		bench_init_sim(&b, &cfg, false);
		assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
		idr = rows[i].idr;
		b.hook_read = change_idr;
		assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu),
				 -UIOMMU_EOPNOTSUPP);
		assert_true(thost_logged(&b.t, rows[i].says));
		assert_true(thost_logged(&b.t, "smmu@9050000"));
		assert_int_equal(b.t.live_tables, 0);
		bench_fini(&b);
	}
}

static void wrong_configurations(void **state)
{
	struct bench *b = *state;
	struct uiommu_smmuv3_config cfg = bench_smmu;
	struct uiommu_iommu *iommu;

	cfg.name = NULL;
	assert_int_equal(uiommu_smmuv3_probe(b->u, &cfg, &iommu), -UIOMMU_EINVAL);
	cfg = bench_smmu;
	cfg.mmio_bytes = 0x10000;
	assert_int_equal(uiommu_smmuv3_probe(b->u, &cfg, &iommu), -UIOMMU_EINVAL);
}

static void probe_without_memory(void **state)
{
	unsigned n = 0;
	int err;

	do {
		struct uiommu_sim_smmuv3_config cfg;
		struct bench b;

		uiommu_sim_smmuv3_config_init(&cfg);
		bench_init_sim(&b, &cfg, false);
		assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
		b.t.fail_at = b.t.calls + ++n;
		err = uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu);
		b.t.fail_at = 0;
		assert_true(!err || err == -UIOMMU_ENOMEM);
		bench_fini(&b);
	} while (err);
	assert_true(n > 8);
}

/* Registers that never acknowledge. */
static bool deaf_cr0(struct bench *b, uint64_t off, uint64_t v)
{
	return off != SMMU_CR0;
}

static void a_deaf_smmu_is_given_up(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench b;

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init_sim(&b, &cfg, false);
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	b.t.tick = 50000000;
	b.hook_write = deaf_cr0;
	assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), -UIOMMU_ETIMEDOUT);
	assert_true(thost_logged(&b.t, "not acknowledged"));
	bench_fini(&b);
}

/* SIDSIZE 0 to 32, with and without two levels; the table's ends. */
static void stream_tables_of_every_size(void **state)
{
	for (unsigned bits = 0; bits <= 32; bits++)
		for (unsigned two = 0; two < 2; two++) {
			unsigned max = two && bits > 8 ? 25 : 20, used = bits < max ? bits : max;
			uint32_t last = (uint32_t)(((uint64_t)1 << used) - 1);
			struct uiommu_sim_smmuv3_config cfg;
			struct uiommu_dev_config dc = {
				.name = "beyond", .num_stream_ids = 1, .group = -1,
			};
			uint32_t beyond = last + 1;
			struct uiommu_domain *dom;
			struct uiommu_dev *dev;
			uint64_t *page;
			struct bench b;

			if (!two && bits > 12 && bits != 32)
				continue;	/* MiBs of table, nothing new */
			uiommu_sim_smmuv3_config_init(&cfg);
			cfg.sidsize = bits;
			cfg.st_2level = two;
			bench_init(&b, &cfg, &bench_smmu, false);
			dev = bench_add(&b, "last", last, 0);
			dom = bench_domain(dev);
			page = bench_page(&b, 3);
			bench_map(&b, dom, IOVA, page);
			assert_int_equal(uiommu_attach_device(dom, dev), 0);
			bench_sees(&b, dev, 0, IOVA, 3);
			dc.iommu = b.iommu;
			dc.stream_ids = &beyond;
			assert_int_equal(uiommu_device_add(b.u, &dc, &dev), -UIOMMU_ERANGE);
			bench_page_free(&b, page);
			bench_fini(&b);
		}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(in_words),
		cmocka_unit_test(the_buffer_may_be_short),
		cmocka_unit_test(any_record_decodes),
		T(overflow_is_said_once),
		T(interrupts_drain_the_queue),
		cmocka_unit_test(bring_up_leaves_no_window),
		cmocka_unit_test(bring_up_in_order),
		cmocka_unit_test(what_firmware_started_goes_on),
		cmocka_unit_test(tables_of_pasids_of_every_size),
		cmocka_unit_test(a_running_smmu_is_taken_over),
		cmocka_unit_test(what_it_cannot_do_is_said),
		T(wrong_configurations),
		cmocka_unit_test(probe_without_memory),
		cmocka_unit_test(a_deaf_smmu_is_given_up),
		cmocka_unit_test(stream_tables_of_every_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
