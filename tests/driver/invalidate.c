/* SPDX-License-Identifier: MIT */
/*
 * What was taken away cannot be reached, though the simulator keeps every
 * translation until it is told; and how many commands that takes.
 */
#include "bench.h"

#define MIB	((uint64_t)1 << 20)
#define GIB	((uint64_t)1 << 30)

struct rig {
	struct bench b;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom;
	bool muzzle;			/* TLBIs are turned into syncs */
	uint64_t seen[4096][2];		/* the commands that went by */
	unsigned n;
	uint64_t prod;
};

static bool on_write(struct bench *b, uint64_t off, uint64_t v)
{
	struct rig *r = b->test;
	struct smmu *s = to_smmu(b->iommu);

	if (off != SMMU_CMDQ_PROD)
		return true;
	for (; r->prod < s->cmdq.prod; r->prod++) {
		uint64_t *c = &s->cmdq.ring[(r->prod & ((1u << s->cmdq.lg2) - 1)) * 2];

		if (r->n < 4096)
			memcpy(r->seen[r->n++], c, 16);
		if (r->muzzle && FGET(CMD_Opcode, c[0]) >= CMD_TLBI_NH_ALL &&
		    FGET(CMD_Opcode, c[0]) <= CMD_TLBI_NSNH_ALL)
			c[0] = CMD_SYNC, c[1] = 0;
	}
	return true;
}

static void start(struct rig *r, bool ril)
{
	struct uiommu_sim_smmuv3_config cfg;

	memset(r, 0, sizeof(*r));
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.range_inv = ril;
	bench_init(&r->b, &cfg, &bench_smmu, false);
	r->dev = bench_add(&r->b, "d", 1, 8);
	r->dom = bench_domain(r->dev);
	r->b.test = r;
	assert_int_equal(uiommu_attach_device(r->dom, r->dev), 0);
	r->prod = to_smmu(r->b.iommu)->cmdq.prod;
	r->b.hook_write = on_write;
}

static void stop(struct rig *r)
{
	r->b.hook_write = NULL;
	bench_fini(&r->b);
}

static uint64_t val(uint64_t i)
{
	return 0xabc000 + i;
}

/*
 * Maps pages of random places, lets the device touch all, unmaps some, and looks
 * that exactly these are gone. @ril both ways; also with each TLBI muzzled, when
 * stale translations must show: otherwise the test would prove nothing.
 */
static unsigned stale_after_unmap(bool ril, bool muzzle, unsigned seed)
{
	static const uint64_t span[] = { 1, 2, 3, 16, 31, 32, 33, 64, 511, 512, 513, 700 };
	struct rig r;
	uint64_t *page[8], got;
	unsigned stale = 0;

	start(&r, ril);
	for (unsigned i = 0; i < 8; i++)
		page[i] = bench_page(&r.b, val(i));
	for (unsigned round = 0; round < 12; round++) {
		uint64_t n = span[(round + seed) % 12], at = (1 + seed % 5) * PAGE * 37 + GIB;

		for (uint64_t i = 0; i < n; i++)
			bench_map(&r.b, r.dom, at + i * PAGE, page[i % 8]);
		bench_map(&r.b, r.dom, at - PAGE, page[0]);
		bench_map(&r.b, r.dom, at + n * PAGE, page[1]);
		for (uint64_t i = 0; i < n; i++)
			bench_sees(&r.b, r.dev, 0, at + i * PAGE, val(i % 8));
		r.muzzle = muzzle;
		assert_int_equal(uiommu_unmap(r.dom, at, n * PAGE, NULL), 0);
		r.muzzle = false;
		for (uint64_t i = 0; i < n; i++)
			stale += !bench_peek(&r.b, r.dev, 0, at + i * PAGE, &got);
		bench_sees(&r.b, r.dev, 0, at - PAGE, val(0));
		bench_sees(&r.b, r.dev, 0, at + n * PAGE, val(1));
		uiommu_unmap(r.dom, at - PAGE, PAGE, NULL);
		uiommu_unmap(r.dom, at + n * PAGE, PAGE, NULL);
		if (muzzle)	/* start afresh */
			uiommu_smmuv3_forget_all(to_smmu(r.b.iommu));
	}
	for (unsigned i = 0; i < 8; i++)
		bench_page_free(&r.b, page[i]);
	stop(&r);
	return stale;
}

static void invariant_09_nothing_is_reached_after_unmap(void **state)
{
	for (unsigned seed = 0; seed < 5; seed++)
		for (unsigned ril = 0; ril < 2; ril++)
			if (stale_after_unmap(ril, false, seed))
				fail_msg("seed %u, ril %u", seed, ril);
}

static void without_the_tlbi_it_would_be(void **state)
{
	assert_true(stale_after_unmap(false, true, 0) > 100);
	assert_true(stale_after_unmap(true, true, 0) > 100);
}

/* RID, PASIDs, another device: one unmap reaches all, with one TLBI. */
static void invariant_09_every_attachment_of_the_domain(void **state)
{
	struct rig r;
	struct uiommu_dev *dev2;
	uint64_t *page;

	start(&r, true);
	page = bench_page(&r.b, 5);
	dev2 = bench_add(&r.b, "e", 2, 4);
	bench_map(&r.b, r.dom, MIB, page);
	assert_int_equal(uiommu_attach_device_pasid(r.dom, r.dev, 3), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.dom, r.dev, 4), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.dom, dev2, 1), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 5);
	bench_sees(&r.b, r.dev, 3, MIB, 5);
	bench_sees(&r.b, r.dev, 4, MIB, 5);
	bench_sees(&r.b, dev2, 1, MIB, 5);
	r.n = 0;
	uiommu_unmap(r.dom, MIB, PAGE, NULL);
	assert_int_equal(r.n, 2);
	bench_sees(&r.b, r.dev, 0, MIB, 0);
	bench_sees(&r.b, r.dev, 3, MIB, 0);
	bench_sees(&r.b, r.dev, 4, MIB, 0);
	bench_sees(&r.b, dev2, 1, MIB, 0);
	bench_page_free(&r.b, page);
	stop(&r);
}

/* Detached: at once unreachable, and the ASID is clean for who gets it next. */
static void a_reused_asid_is_clean(void **state)
{
	struct rig r;
	struct uiommu_domain *next;
	uint64_t *page;

	start(&r, true);
	page = bench_page(&r.b, 5);
	bench_map(&r.b, r.dom, MIB, page);
	bench_sees(&r.b, r.dev, 0, MIB, 5);
	uiommu_detach_device_pasid(r.dev, 0);
	bench_sees(&r.b, r.dev, 0, MIB, 0);
	next = bench_domain(r.dev);
	assert_int_equal(uiommu_attach_device(next, r.dev), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 0);	/* ASID 1 again */
	bench_page_free(&r.b, page);
	stop(&r);
}

/* ---- how many commands: at most what Linux 7.2 issues (syncs in syncs) ---- */

static const struct row {
	const char *name;
	uint64_t map_page, iova, len;
	unsigned noril, noril_syncs, ril, ril_syncs;
} rows[] = {
	{ "4K", PAGE, GIB, PAGE, 2, 1, 2, 1 },
	{ "16x4K", PAGE, GIB, 16 * PAGE, 17, 1, 2, 1 },
	{ "256x4K", PAGE, GIB, 256 * PAGE, 257, 1, 2, 1 },
	{ "511x4K", PAGE, GIB, 511 * PAGE, 512, 1, 3, 1 },
	{ "512x4K misaligned", PAGE, GIB + PAGE, 512 * PAGE, 2, 1, 2, 1 },
	{ "2M as 512x4K", PAGE, GIB, 2 * MIB, 4, 2, 4, 2 },
	{ "3x2M as 4K", PAGE, GIB, 6 * MIB, 10, 4, 8, 4 },
	{ "2M block", 2 * MIB, GIB, 2 * MIB, 2, 1, 2, 1 },
	{ "1G block", GIB, GIB, GIB, 2, 1, 2, 1 },
	{ "1G as 512x2M", 2 * MIB, GIB + 2 * MIB, 511 * 2 * MIB, 513, 1, 3, 1 },
};

static void no_more_commands_than_known(void **state)
{
	for (unsigned ril = 0; ril < 2; ril++)
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			const struct row *w = &rows[i];
			unsigned syncs = 0;
			struct rig r;

			start(&r, ril);
			for (uint64_t at = w->iova; at < w->iova + w->len; at += w->map_page) {
				/* a gap in the physical addresses keeps pages small */
				uint64_t pa = at + (w->map_page == PAGE ? at - w->iova : 0);

				assert_int_equal(uiommu_map(r.dom, at, pa, w->map_page, RW, NULL), 0);
			}
			r.n = 0;
			assert_int_equal(uiommu_unmap(r.dom, w->iova, w->len, NULL), 0);
			for (unsigned c = 0; c < r.n; c++)
				syncs += FGET(CMD_Opcode, r.seen[c][0]) == CMD_SYNC;
			print_message("%-18s %s: %u (%u)\n", w->name, ril ? "RIL  " : "noRIL", r.n,
				      syncs);
			assert_true(r.n <= (ril ? w->ril : w->noril));
			assert_true(syncs <= (ril ? w->ril_syncs : w->noril_syncs));
			stop(&r);
		}
}

/* Attach and detach: what is sent today, so that more of it shows. */
struct sent {
	unsigned cmds, syncs;
};

static struct sent sent(struct rig *r)
{
	struct sent s = { r->n, 0 };

	for (unsigned c = 0; c < r->n; c++)
		s.syncs += FGET(CMD_Opcode, r->seen[c][0]) == CMD_SYNC;
	r->n = 0;
	return s;
}

#define SENT(r, what, most_cmds, most_syncs) do { \
	struct sent s_; \
	(r)->n = 0; \
	what; \
	s_ = sent(r); \
	print_message("%u (%u)  %s\n", s_.cmds, s_.syncs, #what); \
	assert_true(s_.cmds <= (most_cmds) && s_.syncs <= (most_syncs)); \
} while (0)

static void attach_and_detach_send_no_more_than_they_did(void **state)
{
	struct uiommu_domain *d2, *id;
	struct rig r;

	start(&r, true);
	d2 = bench_domain(r.dev);
	id = uiommu_domain_identity(r.b.u);
	SENT(&r, uiommu_detach_device_pasid(r.dev, 0), 10, 5);
	SENT(&r, uiommu_attach_device(id, r.dev), 4, 2);
	SENT(&r, uiommu_replace_device_pasid(r.dom, r.dev, 0), 10, 5);
	SENT(&r, uiommu_replace_device_pasid(d2, r.dev, 0), 8, 4);
	SENT(&r, uiommu_attach_device_pasid(r.dom, r.dev, 1), 4, 2);
	SENT(&r, uiommu_replace_device_pasid(d2, r.dev, 1), 8, 4);
	SENT(&r, uiommu_detach_device_pasid(r.dev, 1), 4, 2);
	SENT(&r, uiommu_replace_device_pasid(id, r.dev, 0), 12, 6);
	SENT(&r, uiommu_attach_device_pasid(r.dom, r.dev, 1), 8, 4);
	SENT(&r, uiommu_detach_device_pasid(r.dev, 1), 10, 5);
	stop(&r);
}

/* A range command is never the reserved one, and the pieces cover the range. */
static void ranges_are_well_formed(void **state)
{
	for (uint64_t n = 1; n < 2100; n += n < 70 ? 1 : 13) {
		struct uiommu_gather g;
		struct rig r;
		uint64_t next = GIB;

		start(&r, true);
		for (unsigned tables = 0; tables < 2; tables++) {
			struct uiommu_link *l = uiommu_container_of(r.dom->links.first,
								    struct uiommu_link, node);

			uiommu_gather_init(&g);
			g.start = GIB;
			g.last = GIB + n * PAGE - 1;
			g.pgsizes = PAGE;
			g.tables = tables;
			r.n = 0;
			next = GIB;
			uiommu_smmuv3_invalidate(l, &g);
			for (unsigned c = 0; c + 1 < r.n; c++) {
				uint64_t w0 = r.seen[c][0], w1 = r.seen[c][1];
				uint64_t num = FGET(CMD_TLBI_NH_VA_NUM, w0),
					 scale = FGET(CMD_TLBI_NH_VA_SCALE, w0);

				assert_int_equal(FGET(CMD_Opcode, w0), CMD_TLBI_NH_VA);
				assert_int_equal(FGET(CMD_TLBI_NH_VA_ASID, w0), 1);
				assert_int_equal(FGET(CMD_TLBI_NH_VA_Leaf, w1), !tables);
				assert_int_equal(w1 & FMASK(CMD_TLBI_NH_VA_Address), next);
				if (FGET(CMD_TLBI_NH_VA_TG, w1))
					assert_true(num || scale || FGET(CMD_TLBI_NH_VA_TTL, w1));
				next += (num + 1) << scale << 12;
			}
			assert_true(next >= GIB + n * PAGE && next <= GIB + (n + 1) * PAGE);
			assert_true(r.n <= 5);
		}
		stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_09_nothing_is_reached_after_unmap),
		cmocka_unit_test(without_the_tlbi_it_would_be),
		cmocka_unit_test(invariant_09_every_attachment_of_the_domain),
		cmocka_unit_test(a_reused_asid_is_clean),
		cmocka_unit_test(no_more_commands_than_known),
		cmocka_unit_test(attach_and_detach_send_no_more_than_they_did),
		cmocka_unit_test(ranges_are_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
