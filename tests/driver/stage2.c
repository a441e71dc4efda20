/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 for a RID, tables of every granule and size that an SMMU may have, VMIDs,
 * and hardware that marks what it writes.
 */
#include "bench.h"

#include <uiommu/dma.h>

#define MIB	((uint64_t)1 << 20)
#define GIB	((uint64_t)1 << 30)
#define PARENT	UIOMMU_DOMAIN_ALLOC_NEST_PARENT
#define DIRTY	UIOMMU_DOMAIN_ALLOC_DIRTY

static struct uiommu_sim_smmuv3_config both(void)
{
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = cfg.vmid16 = true;
	return cfg;
}

static struct uiommu_domain *domain(struct uiommu_dev *dev, unsigned flags)
{
	struct uiommu_domain *dom = NULL;

	assert_int_equal(uiommu_domain_alloc_paging(dev, flags, &dom), 0);
	return dom;
}

static struct uiommu_link *link_of(struct uiommu_domain *dom)
{
	return uiommu_container_of(dom->links.first, struct uiommu_link, node);
}

static const uint64_t *ste(struct bench *b, uint32_t sid)
{
	return uiommu_smmuv3_strtab_entry(to_smmu(b->iommu), sid);
}

/* ---- which tables ---- */

static const struct shape {
	bool no_stage1;
	bool g4, g16, g64, vax52;
	unsigned oas_lg2, granule_lg2;
	unsigned s1_bits, s2_bits;	/* input; 0: there is no such stage */
} shapes[] = {
	{ false, true, true, true, true, 48, 12, 48, 48 },
	{ false, true, false, false, false, 32, 12, 48, 32 },
	{ false, true, false, false, false, 36, 12, 48, 36 },
	{ false, true, false, false, false, 40, 12, 48, 40 },
	{ false, true, false, false, false, 42, 12, 48, 42 },
	{ false, true, false, false, false, 44, 12, 48, 44 },
	{ false, true, false, false, false, 52, 12, 48, 48 },
	{ true, true, false, false, false, 48, 12, 0, 48 },
	{ false, false, true, true, false, 40, 14, 48, 40 },
	{ false, false, true, false, false, 48, 14, 48, 48 },
	{ false, false, true, false, false, 32, 14, 48, 32 },
	{ false, false, false, true, false, 32, 16, 48, 32 },
	{ false, false, false, true, false, 42, 16, 48, 42 },
	{ false, false, false, true, false, 44, 16, 48, 44 },
	{ false, false, false, true, false, 52, 16, 48, 52 },
	{ true, false, false, true, true, 52, 16, 0, 52 },
	{ false, false, false, true, true, 52, 16, 52, 52 },
};

/* First, last and a middle page of what can be mapped, to memory at the upper end of
 * what can be reached. */
static void reaches(struct bench *b, struct uiommu_dev *dev, struct uiommu_domain *dom,
		    unsigned bits, unsigned granule_lg2)
{
	uint64_t page = (uint64_t)1 << granule_lg2;
	const uint64_t at[] = { 0, ((uint64_t)1 << bits) - page, (uint64_t)1 << (bits - 1) };
	uint64_t *mem = thost_table_alloc(&b->t, page);
	struct uiommu_domain_info info;

	uiommu_domain_info(dom, &info);
	assert_int_equal(info.aperture_last, ((uint64_t)1 << bits) - 1);
	assert_int_equal(info.pgsizes & -info.pgsizes, page);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	for (unsigned i = 0; i < 3; i++) {
		*mem = 77 + i;
		assert_int_equal(uiommu_map(dom, at[i], thost_pa(&b->t, mem), page, RW, NULL), 0);
		bench_sees(b, dev, 0, at[i], 77 + i);
		assert_int_equal(uiommu_unmap(dom, at[i], page, NULL), 0);
		bench_sees(b, dev, 0, at[i], 0);
	}
	uiommu_detach_device_pasid(dev, 0);
	thost_table_free(&b->t, mem, page);
}

static void every_granule_and_size(void **state)
{
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct uiommu_sim_smmuv3_config cfg = both();
		const struct uiommu_observer obs = { 0 };
		struct uiommu_dev *dev;
		struct bench b;

		cfg.no_stage1 = s->no_stage1;
		cfg.gran4k = s->g4;
		cfg.gran16k = s->g16;
		cfg.gran64k = s->g64;
		cfg.vax52 = s->vax52;
		cfg.oas_lg2 = s->oas_lg2;
		bench_init_sim(&b, &cfg, false);
		/* all memory at the end of the physical address space */
		if (s->granule_lg2 == 16 || s->oas_lg2 < 52)
			b.t.host.table_offset -= ((uint64_t)1 << s->oas_lg2) - 0x100000000ull;
		assert_int_equal(uiommu_create(&b.t.host, &obs, &b.u), 0);
		assert_int_equal(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu), 0);
		dev = bench_add(&b, "d", 1, 20);
		assert_int_equal(uiommu_device_pasid_bits(dev), s->s1_bits ? 20 : 0);
		if (s->s1_bits) {
			reaches(&b, dev, domain(dev, 0), s->s1_bits, s->granule_lg2);
			reaches(&b, dev, domain(dev, PARENT), s->s2_bits, s->granule_lg2);
		} else {
			reaches(&b, dev, domain(dev, 0), s->s2_bits, s->granule_lg2);
		}
		bench_fini(&b);
	}
}

static void flags_ask_for_a_stage(void **state)
{
	static const struct {
		bool stage1, stage2;
		unsigned httu, flags;
		int err;
		bool is_stage2;
	} rows[] = {
		{ true, true, 0, 0, 0, false },
		{ true, true, 0, UIOMMU_DOMAIN_ALLOC_PASID, 0, false },
		{ true, true, 0, PARENT, 0, true },
		{ true, true, 0, PARENT | UIOMMU_DOMAIN_ALLOC_PASID, -UIOMMU_EOPNOTSUPP, false },
		{ true, true, 0, DIRTY, -UIOMMU_EOPNOTSUPP, false },
		{ true, true, 1, DIRTY, -UIOMMU_EOPNOTSUPP, false },
		{ true, true, 2, DIRTY, 0, false },
		{ true, true, 2, DIRTY | PARENT, 0, true },
		{ true, false, 0, PARENT, -UIOMMU_EOPNOTSUPP, false },
		{ false, true, 0, PARENT, -UIOMMU_EOPNOTSUPP, false },
		{ false, true, 0, 0, 0, true },
		{ false, true, 0, UIOMMU_DOMAIN_ALLOC_PASID, -UIOMMU_EOPNOTSUPP, false },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uiommu_sim_smmuv3_config cfg = both();
		struct uiommu_domain *dom = NULL;
		struct bench b;

		cfg.no_stage1 = !rows[i].stage1;
		cfg.stage2 = rows[i].stage2;
		cfg.httu = rows[i].httu;
		bench_init(&b, &cfg, &bench_smmu, false);
		assert_int_equal(uiommu_domain_alloc_paging(bench_add(&b, "d", 1, 4),
							    rows[i].flags, &dom), rows[i].err);
		if (dom)
			assert_int_equal(uiommu_smmuv3_is_stage2(dom), rows[i].is_stage2);
		bench_fini(&b);
	}
}

/* ---- where ---- */

struct rig {
	struct bench b;
	struct uiommu_dev *dev;
	struct uiommu_domain *s1, *s2;
	uint64_t *page[2];
};

static void start(struct rig *r, const struct uiommu_sim_smmuv3_config *cfg)
{
	memset(r, 0, sizeof(*r));
	bench_init(&r->b, cfg, &bench_smmu, false);
	r->dev = bench_add(&r->b, "d", 1, 8);
	r->s1 = domain(r->dev, UIOMMU_DOMAIN_ALLOC_PASID);
	r->s2 = domain(r->dev, PARENT);
	r->page[0] = bench_page(&r->b, 5);
	r->page[1] = bench_page(&r->b, 6);
	bench_map(&r->b, r->s1, MIB, r->page[0]);
	bench_map(&r->b, r->s2, MIB, r->page[1]);
}

static void stop(struct rig *r)
{
	bench_page_free(&r->b, r->page[0]);
	bench_page_free(&r->b, r->page[1]);
	bench_fini(&r->b);
}

/* An STE has one stage 2, the RID's: with it there are no PASIDs, and the other way. */
static void invariant_03_stage_2_belongs_to_the_rid(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct rig r;

	start(&r, &cfg);
	assert_int_equal(uiommu_attach_device_pasid(r.s2, r.dev, 1), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(r.s2, r.dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.s1, r.dev, 1), -UIOMMU_EINVAL);
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	assert_int_equal(uiommu_replace_device_pasid(r.s1, r.dev, 0), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 5);
	assert_int_equal(uiommu_attach_device_pasid(r.s1, r.dev, 1), 0);
	assert_int_equal(uiommu_replace_device_pasid(r.s2, r.dev, 0), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_replace_device_pasid(r.s2, r.dev, 1), -UIOMMU_EINVAL);
	uiommu_detach_device_pasid(r.dev, 0);
	assert_int_equal(uiommu_attach_device(r.s2, r.dev), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_device_set_default(r.dev, r.s2), -UIOMMU_EBUSY);
	bench_sees(&r.b, r.dev, 1, MIB, 5);
	uiommu_detach_device_pasid(r.dev, 1);
	assert_int_equal(uiommu_attach_device(r.s2, r.dev), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	stop(&r);
}

/* What the RID has by default comes back when it is detached, which cannot fail. */
static void invariant_03_stage_2_by_default(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct rig r;

	start(&r, &cfg);
	assert_int_equal(uiommu_device_set_default(r.dev, r.s2), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	assert_int_equal(uiommu_attach_device_pasid(r.s1, r.dev, 1), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(r.s1, r.dev), 0);
	assert_int_equal(uiommu_attach_device_pasid(r.s1, r.dev, 1), -UIOMMU_EINVAL);
	uiommu_detach_device_pasid(r.dev, 0);
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	stop(&r);
}

static void to(struct rig *r, struct uiommu_domain *dom, uint64_t v)
{
	assert_int_equal(uiommu_replace_device_pasid(dom, r->dev, 0), 0);
	bench_sees(&r->b, r->dev, 0, MIB, v);
}

static void replace_from_any_to_any(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_domain *id, *other;
	struct rig r;

	start(&r, &cfg);
	id = uiommu_domain_identity(r.b.u);
	other = domain(r.dev, PARENT);
	bench_map(&r.b, other, MIB, r.page[0]);
	assert_int_equal(uiommu_attach_device(id, r.dev), 0);
	to(&r, r.s2, 6);
	to(&r, r.s1, 5);
	to(&r, r.s2, 6);
	to(&r, other, 5);
	to(&r, id, 0);		/* no memory there */
	to(&r, r.s1, 5);
	to(&r, id, 0);
	to(&r, r.s2, 6);
	uiommu_detach_device_pasid(r.dev, 0);
	bench_sees(&r.b, r.dev, 0, MIB, 0);
	stop(&r);
}

/* ---- VMIDs ---- */

static void invariant_08_two_stage_2_tables_never_share_a_vmid(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_dev *dev[256];
	struct uiommu_domain *dom[256], *again;
	bool seen[256] = { false };
	struct bench b;

	cfg.vmid16 = false;
	bench_init(&b, &cfg, &bench_smmu, false);
	for (unsigned i = 0; i < 256; i++) {
		char name[8];

		snprintf(name, sizeof(name), "d%u", i);
		dev[i] = bench_add(&b, name, i, 0);
		dom[i] = domain(dev[i], PARENT);
		if (i == 255) {
			assert_int_equal(uiommu_attach_device(dom[i], dev[i]), -UIOMMU_ENOSPC);
			break;
		}
		assert_int_equal(uiommu_attach_device(dom[i], dev[i]), 0);
		assert_in_range(link_of(dom[i])->tag, 1, 255);
		assert_false(seen[link_of(dom[i])->tag]);
		seen[link_of(dom[i])->tag] = true;
		assert_int_equal(FGET(STE_S2VMID, ste(&b, i)[STE_S2VMID_WORD]),
				 link_of(dom[i])->tag);
	}
	/* a second device of one domain takes none, and ASIDs are counted apart */
	assert_int_equal(uiommu_attach_device(dom[0], dev[255]), 0);
	assert_int_equal(uiommu_replace_device_pasid(domain(dev[255], 0), dev[255], 0), 0);
	/* one that is given back is clean */
	uiommu_detach_device_pasid(dev[7], 0);
	again = domain(dev[7], PARENT);
	assert_int_equal(uiommu_attach_device(again, dev[7]), 0);
	bench_sees(&b, dev[7], 0, MIB, 0);
	bench_fini(&b);
}

static void invariant_08_a_reused_vmid_is_clean(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	uint32_t vmid;
	struct rig r;

	start(&r, &cfg);
	assert_int_equal(uiommu_attach_device(r.s2, r.dev), 0);
	vmid = link_of(r.s2)->tag;
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	uiommu_detach_device_pasid(r.dev, 0);
	r.s2 = domain(r.dev, PARENT);
	assert_int_equal(uiommu_attach_device(r.s2, r.dev), 0);
	assert_int_equal(link_of(r.s2)->tag, vmid);
	bench_sees(&r.b, r.dev, 0, MIB, 0);
	stop(&r);
}

static uint32_t next_vmid, freed_vmid;
static unsigned freed_vmids;
static int vmid_result;

static int vmid_alloc(void *ctx, uint32_t *vmid)
{
	assert_ptr_equal(ctx, &next_vmid);
	*vmid = next_vmid;
	return vmid_result;
}

static void vmid_free(void *ctx, uint32_t vmid)
{
	freed_vmid = vmid;
	freed_vmids++;
}

static void invariant_08_a_hypervisor_says_which_vmid(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_dev *dev, *dev2;
	struct uiommu_domain *dom;
	struct bench b;

	freed_vmids = 0;
	vmid_result = 0;
	cfg.vmid16 = false;
	smmu.vmid_alloc = vmid_alloc;
	smmu.vmid_ctx = &next_vmid;
	bench_init_sim(&b, &cfg, false);
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), -UIOMMU_EINVAL);
	smmu.vmid_free = vmid_free;
	assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), 0);
	dev = bench_add(&b, "d", 1, 0);
	dev2 = bench_add(&b, "e", 2, 0);
	dom = domain(dev, PARENT);
	next_vmid = 0xab;
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(FGET(STE_S2VMID, ste(&b, 1)[STE_S2VMID_WORD]), 0xab);
	/* numbers that cannot be: taken, none, too large for hardware; theirs, and an error */
	for (unsigned i = 0; i < 3; i++) {
		next_vmid = (uint32_t[]){ 0xab, 0, 0x100 }[i];
		assert_int_equal(uiommu_attach_device(domain(dev, PARENT), dev2), -UIOMMU_ENOSPC);
		assert_int_equal(freed_vmids, i + 1);
	}
	vmid_result = -UIOMMU_ENOSPC;
	assert_int_equal(uiommu_attach_device(domain(dev, PARENT), dev2), -UIOMMU_ENOSPC);
	assert_int_equal(freed_vmids, 3);
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(freed_vmids, 4);
	assert_int_equal(freed_vmid, 0xab);
	bench_fini(&b);
}

/* ---- what was taken away ---- */

static bool muzzled;		/* TLBIs are turned into syncs */

static bool muzzle(struct bench *b, uint64_t off, uint64_t v)
{
	struct smmu *s = to_smmu(b->iommu);

	for (uint64_t p = s->cmdq.cons; muzzled && off == SMMU_CMDQ_PROD && p < s->cmdq.prod; p++) {
		uint64_t *c = &s->cmdq.ring[(p & ((1u << s->cmdq.lg2) - 1)) * 2];

		if (FGET(CMD_Opcode, c[0]) >= CMD_TLBI_NH_ALL &&
		    FGET(CMD_Opcode, c[0]) <= CMD_TLBI_NSNH_ALL)
			c[0] = CMD_SYNC, c[1] = 0;
	}
	return true;
}

/* @n pages at @iova, where no table is yet, mapped in calls of @step, all touched, then
 * unmapped: how many are reached still? */
static unsigned stale(struct bench *b, struct uiommu_dev *dev, struct uiommu_domain *dom,
		      unsigned granule_lg2, uint64_t iova, uint64_t n, uint64_t step)
{
	uint64_t page = (uint64_t)1 << granule_lg2, got;
	unsigned char *mem = thost_table_alloc(&b->t, 4 * MIB);
	unsigned left = 0;

	for (uint64_t i = 0; i < n; i++)
		*(uint64_t *)(mem + i * page) = i + 1;
	for (uint64_t i = 0; i < n; i += step)
		assert_int_equal(uiommu_map(dom, iova + i * page, thost_pa(&b->t, mem + i * page),
					    (n - i < step ? n - i : step) * page, RW, NULL), 0);
	assert_int_equal(uiommu_map(dom, iova - page, thost_pa(&b->t, mem), page, RW, NULL), 0);
	for (uint64_t i = 0; i < n; i++)
		bench_sees(b, dev, 0, iova + i * page, i + 1);
	bench_sees(b, dev, 0, iova - page, 1);
	assert_int_equal(uiommu_unmap(dom, iova, n * page, &got), 0);
	assert_int_equal(got, n * page);
	for (uint64_t i = 0; i < n; i++)
		left += !bench_peek(b, dev, 0, iova + i * page, &got);
	bench_sees(b, dev, 0, iova - page, 1);
	assert_int_equal(uiommu_unmap(dom, iova - page, page, NULL), 0);
	thost_table_free(&b->t, mem, 4 * MIB);
	return left;
}

static unsigned stale_everywhere(bool ril, bool quiet)
{
	static const uint8_t granules[] = { 12, 14, 16 };
	unsigned left = 0;
	uint64_t at = 64 * MIB;

	muzzled = quiet;
	for (unsigned i = 0; i < 6; i++) {
		struct uiommu_sim_smmuv3_config cfg = both();
		unsigned g = granules[i % 3];
		struct uiommu_domain *dom;
		struct uiommu_dev *dev;
		struct bench b;

		cfg.gran4k = g == 12;
		cfg.gran16k = g == 14;
		cfg.gran64k = g == 16;
		cfg.range_inv = ril;
		bench_init(&b, &cfg, &bench_smmu, false);
		b.hook_write = muzzle;
		dev = bench_add(&b, "d", 1, 0);
		dom = domain(dev, i < 3 ? 0 : PARENT);
		assert_int_equal(uiommu_attach_device(dom, dev), 0);
		/* in one call: with runs that hardware may take for one page */
		for (uint64_t n = 1; n << g <= 4 * MIB; n = n * 5 / 3 + 1) {
			left += stale(&b, dev, dom, g, at, n, n);
			left += stale(&b, dev, dom, g, at += GIB, n, 1);
			at += GIB;
		}
		left += stale(&b, dev, dom, g, at, 4 * MIB >> g, 4 * MIB >> g);
		b.hook_write = NULL;
		bench_fini(&b);
	}
	return left;
}

static void invariant_09_runs_blocks_and_pages_of_both_stages(void **state)
{
	assert_int_equal(stale_everywhere(false, false), 0);
	assert_int_equal(stale_everywhere(true, false), 0);
}

static void without_the_tlbi_they_would_be_reached(void **state)
{
	assert_true(stale_everywhere(false, true) > 1000);
	assert_true(stale_everywhere(true, true) > 1000);
}

/* ---- hardware that marks what it writes ---- */

static unsigned dirty_pages(struct bench *b, struct uiommu_domain *dom)
{
	const struct uiommu_pt_dirty d = { .iova = MIB, .len = 8 * PAGE, .page_lg2 = 12,
					   .bitmap = (uint64_t[]){ 0 } };
	struct uiommu_gather g;

	uiommu_gather_init(&g);
	assert_int_equal(dom->pt.ops->read_dirty(&dom->pt, &d, &g), 0);
	if (!uiommu_gather_empty(&g))
		uiommu_smmuv3_invalidate(link_of(dom), &g);
	return (unsigned)d.bitmap[0];
}

static void written_pages_are_marked(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();

	cfg.httu = 2;
	for (unsigned stage2 = 0; stage2 < 2; stage2++) {
		struct uiommu_domain *dom;
		struct uiommu_dev *dev;
		uint64_t *page[8];
		struct bench b;

		bench_init(&b, &cfg, &bench_smmu, false);
		dev = bench_add(&b, "d", 1, 0);
		dom = domain(dev, stage2 ? DIRTY | PARENT : DIRTY);
		assert_int_equal(uiommu_attach_device(dom, dev), 0);
		assert_int_equal(dom->pt.ops->set_dirty_tracking(&dom->pt, true), 0);
		for (unsigned i = 0; i < 8; i++) {
			page[i] = bench_page(&b, i + 1);
			bench_map(&b, dom, MIB + i * PAGE, page[i]);
		}
		bench_sees(&b, dev, 0, MIB + PAGE, 2);
		assert_int_equal(dirty_pages(&b, dom), 0);
		assert_int_equal(bench_poke(&b, dev, 0, MIB + 3 * PAGE, 9), 0);
		assert_int_equal(bench_poke(&b, dev, 0, MIB + 5 * PAGE, 9), 0);
		assert_int_equal(dirty_pages(&b, dom), 1 << 3 | 1 << 5);
		assert_int_equal(dirty_pages(&b, dom), 0);
		/* what it remembers of the entry was taken from it: marked again */
		assert_int_equal(bench_poke(&b, dev, 0, MIB + 5 * PAGE, 10), 0);
		assert_int_equal(dirty_pages(&b, dom), 1 << 5);
		for (unsigned i = 0; i < 8; i++)
			bench_page_free(&b, page[i]);
		bench_fini(&b);
	}
}

/* ---- one domain behind several ---- */

static int second_smmu_checks(struct uiommu_domain *dom, void (*change)(struct smmu *s))
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_dev *dev;
	struct bench b;
	int err;

	bench_init(&b, &cfg, &bench_smmu, false);
	dev = bench_add(&b, "d", 1, 0);
	change(to_smmu(b.iommu));
	err = uiommu_smmuv3_domain_check(dom, dev, 0);
	bench_fini(&b);
	return err;
}

static void as_it_is(struct smmu *s) {}
static void no_4k(struct smmu *s) { s->caps.granules &= ~(1u << 12); }
static void no_s2(struct smmu *s) { s->caps.stage2 = false; }
static void small(struct smmu *s) { s->caps.oas_lg2 = 44; }

static void tables_that_another_smmu_cannot_walk(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_domain *dirty;
	struct rig r;

	cfg.httu = 2;
	start(&r, &cfg);
	dirty = domain(r.dev, DIRTY);
	assert_int_equal(second_smmu_checks(r.s2, as_it_is), 0);
	assert_int_equal(second_smmu_checks(r.s1, as_it_is), 0);
	assert_int_equal(second_smmu_checks(r.s1, no_s2), 0);
	assert_int_equal(second_smmu_checks(r.s2, no_s2), -UIOMMU_EINVAL);
	assert_int_equal(second_smmu_checks(r.s1, no_4k), -UIOMMU_EINVAL);
	assert_int_equal(second_smmu_checks(r.s2, small), -UIOMMU_EINVAL);
	assert_int_equal(second_smmu_checks(r.s1, small), -UIOMMU_EINVAL);
	assert_int_equal(second_smmu_checks(dirty, as_it_is), -UIOMMU_EINVAL);
	stop(&r);
}

/* One stage 2 table behind two SMMUs: a VMID of each, and one unmap reaches both. */
static void invariant_01_a_stage_2_table_behind_two_smmus(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct bench *b2 = calloc(1, sizeof(*b2));
	struct uiommu_dev_config dc = { .name = "e", .num_stream_ids = 1, .group = -1 };
	struct uiommu_domain *pad;
	struct uiommu_dev *dev2;
	const uint32_t sid = 1;
	struct uiommu_sim_env env;
	struct rig r;

	start(&r, &cfg);
	env = bench_env(&r.b);
	env.lock = env.unlock = NULL;
	assert_int_equal(uiommu_sim_smmuv3_create(&cfg, &env, &b2->sim), 0);
	r.b.t.mmio_ctx = b2;
	smmu.has_irqs = false;
	assert_int_equal(uiommu_smmuv3_probe(r.b.u, &smmu, &b2->iommu), 0);
	dc.iommu = b2->iommu;
	dc.stream_ids = &sid;
	assert_int_equal(uiommu_device_add(r.b.u, &dc, &dev2), 0);
	pad = domain(r.dev, PARENT);
	assert_int_equal(uiommu_attach_device(pad, r.dev), 0);		/* VMID 1 here */
	assert_int_equal(uiommu_replace_device_pasid(r.s2, r.dev, 0), 0);
	assert_int_equal(uiommu_attach_device(r.s2, dev2), 0);		/* VMID 1 there */
	assert_int_equal(FGET(STE_S2VMID, ste(&r.b, 1)[STE_S2VMID_WORD]), 2);
	assert_int_equal(FGET(STE_S2VMID, ste(b2, 1)[STE_S2VMID_WORD]), 1);
	bench_sees(&r.b, r.dev, 0, MIB, 6);
	bench_sees(b2, dev2, 0, MIB, 6);
	assert_int_equal(uiommu_unmap(r.s2, MIB, PAGE, NULL), 0);
	bench_sees(&r.b, r.dev, 0, MIB, 0);
	bench_sees(b2, dev2, 0, MIB, 0);
	uiommu_smmuv3_remove(b2->iommu);
	uiommu_sim_smmuv3_destroy(b2->sim);
	free(b2);
	stop(&r);
}

/* Hardware that sees nothing but what was cleaned. */
static void walks_that_do_not_see_caches(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_domain *dom;
	struct uiommu_dev *dev;
	uint64_t *page;
	struct bench b;

	cfg.coherent = false;
	cfg.httu = 2;
	smmu.coherent = false;
	bench_init_sim(&b, &cfg, false);
	bench_make_noncoherent(&b);
	b.noise[0] = FPREP(STE_V, 1) | FPREP(STE_Config, STE_Config_BYPASS);
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), 0);
	dev = bench_add(&b, "d", 0x77, 0);
	page = bench_page(&b, 4);
	bench_clean(&b.t, page, PAGE);
	dom = domain(dev, PARENT);
	bench_map(&b, dom, MIB, page);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(FGET(STE_S2IR0, ste(&b, 0x77)[2]), CACHE_NC);
	bench_sees(&b, dev, 0, MIB, 4);
	bench_sees(&b, dev, 0, MIB + PAGE, 0);
	assert_int_equal(uiommu_unmap(dom, MIB, PAGE, NULL), 0);
	bench_sees(&b, dev, 0, MIB, 0);
	/* marks in memory that a CPU's cache hides are of no use */
	assert_int_equal(uiommu_domain_alloc_paging(dev, DIRTY, &dom), -UIOMMU_EOPNOTSUPP);
	bench_page_free(&b, page);
	bench_fini(&b);
}

static struct bench *failing;

static int reset(void *ctx)
{
	uiommu_sim_smmuv3_reset(failing->sim);
	return 0;
}

static void stage_2_after_a_failure(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_domain *dom;
	struct uiommu_dev *dev;
	uint64_t *page;
	struct bench b;

	failing = &b;
	smmu.reset = reset;
	bench_init(&b, &cfg, &smmu, false);
	dev = bench_add(&b, "d", 1, 4);
	page = bench_page(&b, 8);
	dom = domain(dev, PARENT);
	bench_map(&b, dom, MIB, page);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	bench_sees(&b, dev, 0, MIB, 8);
	uiommu_sim_smmuv3_fail(b.sim);
	uiommu_smmuv3_poll(b.iommu);
	bench_sees(&b, dev, 0, MIB, 0);
	assert_int_equal(uiommu_unmap(dom, MIB, PAGE, NULL), 0);
	bench_map(&b, dom, 2 * MIB, page);
	assert_int_equal(uiommu_iommu_recover(b.iommu), 0);
	bench_sees(&b, dev, 0, MIB, 0);
	bench_sees(&b, dev, 0, 2 * MIB, 8);
	assert_int_equal(uiommu_attach_device_pasid(domain(dev, 0), dev, 1), -UIOMMU_EINVAL);
	bench_page_free(&b, page);
	bench_fini(&b);
}

/* DMA domains take the stage that is there. */
static void dma_without_stage_1(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = both();
	struct uiommu_dma *dma;
	uiommu_iova_t iova;
	struct uiommu_dev *dev;
	uint64_t *page;
	struct bench b;

	cfg.no_stage1 = true;
	bench_init(&b, &cfg, &bench_smmu, false);
	dev = bench_add(&b, "d", 1, 4);
	page = bench_page(&b, 8);
	assert_int_equal(uiommu_dma_create(dev, 0, UINT64_MAX, &dma), 0);
	assert_int_equal(uiommu_attach_device(uiommu_dma_domain(dma), dev), 0);
	assert_int_equal(uiommu_dma_map(dma, thost_pa(&b.t, page), PAGE, RW, &iova), 0);
	bench_sees(&b, dev, 0, iova, 8);
	uiommu_dma_unmap(dma, iova, PAGE);
	bench_sees(&b, dev, 0, iova, 0);
	uiommu_detach_device_pasid(dev, 0);
	assert_int_equal(uiommu_dma_destroy(dma), 0);
	bench_page_free(&b, page);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_granule_and_size),
		cmocka_unit_test(flags_ask_for_a_stage),
		cmocka_unit_test(invariant_03_stage_2_belongs_to_the_rid),
		cmocka_unit_test(invariant_03_stage_2_by_default),
		cmocka_unit_test(replace_from_any_to_any),
		cmocka_unit_test(invariant_08_two_stage_2_tables_never_share_a_vmid),
		cmocka_unit_test(invariant_08_a_reused_vmid_is_clean),
		cmocka_unit_test(invariant_08_a_hypervisor_says_which_vmid),
		cmocka_unit_test(invariant_09_runs_blocks_and_pages_of_both_stages),
		cmocka_unit_test(without_the_tlbi_they_would_be_reached),
		cmocka_unit_test(written_pages_are_marked),
		cmocka_unit_test(tables_that_another_smmu_cannot_walk),
		cmocka_unit_test(invariant_01_a_stage_2_table_behind_two_smmus),
		cmocka_unit_test(stage_2_after_a_failure),
		cmocka_unit_test(dma_without_stage_1),
		cmocka_unit_test(walks_that_do_not_see_caches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
