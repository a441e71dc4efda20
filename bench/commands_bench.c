/* SPDX-License-Identifier: MIT */
/*
 * commands_bench.c - how many commands each operation costs, beside Linux's
 *
 * A command is time of the queue that all devices share, a CMD_SYNC is a wait. The
 * driver runs on the simulator, which counts what it consumes. Linux's numbers are
 * those of the arm-smmu-v3 driver of 7.2.12, measured by running its own functions;
 * "total (syncs)". A row in which we are worse in either fails.
 *
 * Where Linux's number was measured with two address spaces over one and the same
 * table, so that a context descriptor differs in its ASID only, the row names what
 * Linux's rule gives for two tables: word 0 and word 1 change, which goes through
 * V=0 in three syncs.
 */
#include "../tests/driver/bench.h"

#include <uiommu/dma.h>

#define MIB	((uint64_t)1 << 20)
#define GIB	((uint64_t)1 << 30)
#define BASE	(4 * GIB)

struct rig {
	struct bench b;
	struct uiommu_dev *dev;
	struct uiommu_domain *dom, *other, *identity, *blocked;
};

static void start(struct rig *r, bool ril)
{
	struct uiommu_sim_smmuv3_config cfg;

	memset(r, 0, sizeof(*r));
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.range_inv = ril;
	bench_init(&r->b, &cfg, &bench_smmu, false);
	r->dev = bench_add(&r->b, "d", 1, 20);
	r->dom = bench_domain(r->dev);
	r->other = bench_domain(r->dev);
	r->identity = uiommu_domain_identity(r->b.u);
	r->blocked = uiommu_domain_blocked(r->b.u);
}

struct cost {
	unsigned commands, syncs;
};

static struct cost now(struct rig *r)
{
	struct uiommu_sim_smmuv3_stats st;

	uiommu_sim_smmuv3_stats(r->b.sim, &st);
	return (struct cost){ (unsigned)st.commands, (unsigned)st.syncs };
}

static void ok(int err)
{
	if (err) {
		fprintf(stderr, "commands: a call failed: %d\n", err);
		exit(1);
	}
}

static unsigned worse;

static void print(const char *what, struct cost c, struct cost theirs)
{
	bool bad = c.commands > theirs.commands || c.syncs > theirs.syncs;

	printf("  %-58s %5u (%u) %5u (%u)%s\n", what, c.commands, c.syncs, theirs.commands,
	       theirs.syncs, bad ? "  WORSE" : "");
	worse += bad;
}

/* ---- unmap ---- */

static void map(struct rig *r, uint64_t iova, uint64_t pa, uint64_t page, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ok(uiommu_map(r->dom, iova + i * page, pa + i * page, page, RW, NULL));
}

#define K4 ((uint64_t)PAGE)

static const struct unmap {
	const char *name;
	uint64_t iova, len;
	uint64_t page;		/* of the mapping */
	uint64_t pa_skew;	/* so that no larger page fits */
	struct cost plain, ril;
} unmaps[] = {
	{ "unmap 4K", BASE, K4, K4, 0, { 2, 1 }, { 2, 1 } },
	{ "unmap 16x4K", BASE, 16 * K4, K4, 0, { 17, 1 }, { 2, 1 } },
	{ "unmap 256x4K", BASE, 256 * K4, K4, 0, { 257, 1 }, { 2, 1 } },
	{ "unmap 511x4K", BASE, 511 * K4, K4, 0, { 512, 1 }, { 3, 1 } },
	{ "unmap 512x4K, misaligned", BASE + MIB, 512 * K4, K4, 0, { 2, 1 }, { 2, 1 } },
	{ "unmap aligned 2M mapped as 512x4K (table removed)", BASE, 2 * MIB, K4, K4,
	  { 4, 2 }, { 4, 2 } },
	{ "unmap 3x2M aligned, mapped as 4K", BASE, 6 * MIB, K4, K4, { 10, 4 }, { 8, 4 } },
	{ "unmap 2M block", BASE, 2 * MIB, 2 * MIB, 0, { 2, 1 }, { 2, 1 } },
	{ "unmap 1G block", BASE, GIB, GIB, 0, { 2, 1 }, { 2, 1 } },
	{ "unmap 1G as 512x2M blocks, over two tables", BASE + GIB / 2, GIB, 2 * MIB, 0,
	  { 513, 1 }, { 2, 1 } },
	{ "unmap aligned 1G mapped small (table removed)", BASE, GIB, 2 * MIB, 2 * MIB,
	  { 4, 2 }, { 4, 2 } },
};

static void unmap_row(const struct unmap *u, bool ril)
{
	struct cost before, after;
	struct rig r;

	start(&r, ril);
	ok(uiommu_attach_device(r.dom, r.dev));
	map(&r, u->iova, u->iova + u->pa_skew, u->page, (unsigned)(u->len / u->page));
	/* the tables around it stay, as they would in use */
	map(&r, BASE - K4, K4, K4, 1);
	map(&r, u->iova + u->len, K4, K4, 1);
	before = now(&r);
	ok(uiommu_unmap(r.dom, u->iova, u->len, NULL));
	after = now(&r);
	print(u->name, (struct cost){ after.commands - before.commands,
				      after.syncs - before.syncs }, ril ? u->ril : u->plain);
	bench_fini(&r.b);
}

/* Deferred unmaps: whatever the queue has, one command. */
static void flush_row(bool ril)
{
	struct cost before, after;
	struct uiommu_dma *dma;
	uiommu_iova_t iova[64];
	struct rig r;

	start(&r, ril);
	ok(uiommu_dma_create(r.dev, UIOMMU_DMA_DEFERRED, UINT64_MAX, &dma));
	ok(uiommu_attach_device(uiommu_dma_domain(dma), r.dev));
	for (unsigned i = 0; i < 64; i++)
		ok(uiommu_dma_map(dma, i * K4, 8 * K4, RW, &iova[i]));
	before = now(&r);
	for (unsigned i = 0; i < 64; i++)
		uiommu_dma_unmap(dma, iova[i], 8 * K4);
	uiommu_dma_flush(dma);
	after = now(&r);
	print("flush of 64 deferred unmaps", (struct cost){ after.commands - before.commands,
		after.syncs - before.syncs }, (struct cost){ 2, 1 });
	uiommu_detach_device_pasid(r.dev, 0);
	ok(uiommu_dma_destroy(dma));
	bench_fini(&r.b);
}

/* ---- attach ---- */

static void rid_identity(struct rig *r)
{
	ok(uiommu_attach_device(r->identity, r->dev));
}

static void rid_s1(struct rig *r)
{
	ok(uiommu_attach_device(r->dom, r->dev));
}

static void identity_again(struct rig *r)
{
	rid_s1(r);
	ok(uiommu_replace_device_pasid(r->identity, r->dev, 0));
}

static void s1_and_pasid_1(struct rig *r)
{
	rid_s1(r);
	ok(uiommu_attach_device_pasid(r->other, r->dev, 1));
}

static void s1_and_pasids_1_2(struct rig *r)
{
	s1_and_pasid_1(r);
	ok(uiommu_attach_device_pasid(r->other, r->dev, 2));
}

static void to_s1(struct rig *r)
{
	ok(uiommu_replace_device_pasid(r->dom, r->dev, 0));
}

static void to_other(struct rig *r)
{
	ok(uiommu_replace_device_pasid(r->other, r->dev, 0));
}

static void to_identity(struct rig *r)
{
	ok(uiommu_replace_device_pasid(r->identity, r->dev, 0));
}

static void to_blocked(struct rig *r)
{
	uiommu_detach_device_pasid(r->dev, 0);
}

static void pasid_2(struct rig *r)
{
	ok(uiommu_attach_device_pasid(r->other, r->dev, 2));
}

static void far_pasid(struct rig *r)
{
	ok(uiommu_attach_device_pasid(r->other, r->dev, 1 << 19));
}

static void pasid_1_other(struct rig *r)
{
	ok(uiommu_replace_device_pasid(r->dom, r->dev, 1));
}

static void no_pasid_1(struct rig *r)
{
	uiommu_detach_device_pasid(r->dev, 1);
}

static const struct row {
	const char *name;
	void (*before)(struct rig *r), (*op)(struct rig *r);
	struct cost theirs;
} rows[] = {
	{ "RID: bypass -> S1, first CD", rid_identity, to_s1, { 13, 6 } },
	{ "RID: bypass -> S1, again", identity_again, to_s1, { 13, 6 } },
	{ "RID: S1 -> other S1 (one table: 5 (2))", rid_s1, to_other, { 9, 4 } },
	{ "RID: S1 -> identity", rid_s1, to_identity, { 13, 6 } },
	{ "RID: S1 -> blocked", rid_s1, to_blocked, { 11, 5 } },
	{ "PASID attach, CD table present, STE leads to it", s1_and_pasid_1, pasid_2, { 4, 2 } },
	{ "PASID attach needing a new L2 CD table", s1_and_pasid_1, far_pasid, { 6, 3 } },
	{ "first PASID, RID in identity", rid_identity, pasid_2, { 11, 5 } },
	{ "PASID replace (one table: 2 (1)), old ASID still used", s1_and_pasids_1_2,
	  pasid_1_other, { 6, 3 } },
	{ "PASID detach, ASID still used elsewhere", s1_and_pasids_1_2, no_pasid_1, { 4, 2 } },
	{ "PASID detach, last user of the ASID", s1_and_pasid_1, no_pasid_1, { 6, 3 } },
};

static void row(const struct row *w)
{
	struct cost before, after;
	struct rig r;

	start(&r, true);
	w->before(&r);
	before = now(&r);
	w->op(&r);
	after = now(&r);
	print(w->name, (struct cost){ after.commands - before.commands,
				      after.syncs - before.syncs }, w->theirs);
	bench_fini(&r.b);
}

int main(void)
{
	for (unsigned ril = 0; ril < 2; ril++) {
		printf("%-60s %9s %9s\n", ril ? "range invalidation" : "no range invalidation",
		       "here", "Linux");
		for (unsigned i = 0; i < sizeof(unmaps) / sizeof(unmaps[0]); i++)
			unmap_row(&unmaps[i], ril);
		flush_row(ril);
	}
	printf("%-60s %9s %9s\n", "attach, replace, detach; one StreamID", "here", "Linux");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row(&rows[i]);
	printf("not run: rows with ATS, and with stage 2 (the driver has neither yet)\n");
	return worse != 0;
}
