/* SPDX-License-Identifier: MIT */
/* src/smmuv3/invalidate.c - what hardware is told to forget */
#include "smmu.h"

/* ---- configuration ---- */

int uiommu_smmuv3_cfgi_ste(struct smmu *s, uint32_t sid, bool leaf)
{
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b,
				FPREP(CMD_Opcode, CMD_CFGI_STE) | FPREP(CMD_CFGI_STE_StreamID, sid),
				FPREP(CMD_CFGI_STE_Leaf, leaf));
	return uiommu_smmuv3_batch_sync(s, &b);
}

static void add_cd(struct smmu_master *m, struct smmu_batch *b, uiommu_pasid_t pasid, bool leaf)
{
	for (unsigned i = 0; i < m->dev->num_streams; i++)
		uiommu_smmuv3_batch_add(m->smmu, b,
					FPREP(CMD_Opcode, CMD_CFGI_CD) |
					FPREP(CMD_CFGI_CD_SubstreamID, pasid) |
					FPREP(CMD_CFGI_CD_StreamID, m->dev->streams[i].id),
					FPREP(CMD_CFGI_CD_Leaf, leaf));
}

/*
 * A CD is cached per StreamID, also where several share one table. No StreamID finds
 * a CD while no STE leads to the table: what it has of before goes when one does
 * again (domain.c: go_live()).
 */
int uiommu_smmuv3_cfgi_cd(struct smmu_master *m, uiommu_pasid_t pasid, bool leaf)
{
	struct smmu_batch b;
	bool live = false;

	uiommu_smmuv3_batch_begin(m->smmu, &b);
	for (struct smmu_master *user = m->cdtab->masters; user; user = user->next) {
		if (user->live)
			add_cd(user, &b, pasid, leaf);
		live |= user->live;
	}
	return live && !m->smmu->off ? uiommu_smmuv3_batch_sync(m->smmu, &b) : 0;
}

int uiommu_smmuv3_cfgi_cd_all(struct smmu_master *m)
{
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(m->smmu, &b);
	for (unsigned i = 0; i < m->dev->num_streams; i++)
		uiommu_smmuv3_batch_add(m->smmu, &b,
					FPREP(CMD_Opcode, CMD_CFGI_CD_ALL) |
					FPREP(CMD_CFGI_CD_ALL_StreamID, m->dev->streams[i].id), 0);
	return uiommu_smmuv3_batch_sync(m->smmu, &b);
}

void uiommu_smmuv3_add_all(struct smmu *s, struct smmu_batch *b)
{
	uiommu_smmuv3_batch_add(s, b, FPREP(CMD_Opcode, CMD_CFGI_STE_RANGE),
				FPREP(CMD_CFGI_STE_RANGE_Range, CMD_CFGI_STE_RANGE_Range_ALL));
	if (s->caps.hyp)
		uiommu_smmuv3_batch_add(s, b, FPREP(CMD_Opcode, CMD_TLBI_EL2_ALL), 0);
	uiommu_smmuv3_batch_add(s, b, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
}

/* Everything, at bring-up: what was cached for whoever had it before. */
int uiommu_smmuv3_forget_all(struct smmu *s)
{
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_add_all(s, &b);
	return uiommu_smmuv3_batch_sync(s, &b);
}

/* ---- translations ---- */

/* How commands name what is cached of a link: its tag, and an address of it. */
struct scope {
	uint64_t all, va;		/* word 0 */
	const struct smmu_format *f;
};

/*
 * Of a nested one all that the guest's stage 1 gave, under every ASID of the guest's.
 * No address of it is known here: the guest says itself what it changed.
 */
static struct scope nested_scope(const struct uiommu_link *link)
{
	return (struct scope){
		.all = FPREP(CMD_Opcode, CMD_TLBI_NH_ALL) | FPREP(CMD_TLBI_NH_ALL_VMID, link->tag),
	};
}

static struct scope scope_of(const struct uiommu_link *link)
{
	const struct smmu_format *f = uiommu_smmuv3_format(&link->dom->pt);
	uint64_t tag = f->stage2 ? FPREP(CMD_TLBI_S2_IPA_VMID, link->tag)
				 : FPREP(CMD_TLBI_NH_VA_ASID, link->tag);
	unsigned all = f->stage2 ? CMD_TLBI_S12_VMALL : CMD_TLBI_NH_ASID;
	unsigned va = f->stage2 ? CMD_TLBI_S2_IPA : CMD_TLBI_NH_VA;

	return (struct scope){ FPREP(CMD_Opcode, all) | tag, FPREP(CMD_Opcode, va) | tag, f };
}

/*
 * A command that invalidates was refused, or the queue is dead. Without it pages
 * that their owner believes unreachable would stay reachable: all or nothing.
 */
static void must_forget(struct smmu *s, int err)
{
	unsigned life = uiommu_smmuv3_life(s);
	struct smmu_batch b;

	if (!err)
		return;
	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	if (uiommu_smmuv3_batch_sync(s, &b))
		uiommu_smmuv3_shut_off_in(s, life,
					  ": an invalidation failed: shut off, every DMA aborts");
}

void uiommu_smmuv3_forget_tag(const struct uiommu_link *link)
{
	struct smmu *s = to_smmu(link->iommu);
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b, (link->parent ? nested_scope : scope_of)(link).all, 0);
	must_forget(s, uiommu_smmuv3_batch_sync(s, &b));
}

struct range {
	uint64_t iova, pages;		/* granules */
	unsigned stride_lg2;		/* the smallest entry that was removed */
	unsigned ttl;			/* its level, where all are of one; 0: not known */
	bool leaf;
};

/*
 * The level of the entries that make up a page, from the leaves. A run of contiguous
 * entries is of the level of its entries, and hardware may have cached each by
 * itself: it is told of each.
 */
static unsigned level_of(const struct smmu_format *f, unsigned page_lg2)
{
	return (page_lg2 - f->granule_lg2) / (f->granule_lg2 - 3u);
}

/* TTL counts levels from the root: 3 for pages, 2 for the blocks above them. */
static void look_at_sizes(struct range *r, const struct smmu_format *f, uint64_t pgsizes)
{
	unsigned small = level_of(f, port_ctz64(pgsizes)), large = level_of(f, port_msb64(pgsizes));

	r->stride_lg2 = f->granule_lg2 + small * (f->granule_lg2 - 3u);
	r->ttl = small == large ? 3 - small : 0;
}

static struct range range_of(const struct smmu_format *f, const struct uiommu_gather *g)
{
	struct range r = { .leaf = !g->tables, .stride_lg2 = f->granule_lg2 };

	/* what a removed table held is not known: every page may be cached */
	if (r.leaf && g->pgsizes)
		look_at_sizes(&r, f, g->pgsizes);
	r.iova = g->start & ~(((uint64_t)1 << r.stride_lg2) - 1);
	r.pages = ((g->last - r.iova) >> f->granule_lg2) + 1;
	return r;
}

/* The fields of stage 1's command and of stage 2's stand in the same places. */
static void add_va(struct smmu *s, struct smmu_batch *b, const struct scope *sc,
		   const struct range *r, uint64_t iova, uint64_t fields0, uint64_t fields1)
{
	uiommu_smmuv3_batch_add(s, b, sc->va | fields0,
				FPREP(CMD_TLBI_NH_VA_Leaf, r->leaf) | fields1 |
				(iova & FMASK(CMD_TLBI_NH_VA_Address)));
}

/*
 * A range command covers (NUM + 1) << SCALE pages: five bits of the count for
 * each, from the lowest set one up. NUM = SCALE = 0 without a level hint is
 * reserved, so such a page is done together with its neighbour.
 */
static void add_ranges(struct smmu *s, struct smmu_batch *b, const struct scope *sc,
		       struct range r)
{
	uint64_t hints = FPREP(CMD_TLBI_NH_VA_TG, sc->f->cmd_tg) |
			 FPREP(CMD_TLBI_NH_VA_TTL, r.ttl);

	while (r.pages) {
		unsigned scale, num;

		if (!r.ttl && (r.pages & 31) == 1)
			r.pages++;
		scale = port_ctz64(r.pages);
		num = r.pages >> scale & 31;
		add_va(s, b, sc, &r, r.iova,
		       FPREP(CMD_TLBI_NH_VA_SCALE, scale) | FPREP(CMD_TLBI_NH_VA_NUM, num - 1),
		       hints);
		r.iova += (uint64_t)num << scale << sc->f->granule_lg2;
		r.pages -= (uint64_t)num << scale;
	}
}

/*
 * From so many commands on one that takes all of the tag costs less: as many as one
 * table has entries, which is also what a removed table would need.
 */
static void add_singles(struct smmu *s, struct smmu_batch *b, const struct scope *sc,
			const struct range *r)
{
	unsigned shift = r->stride_lg2 - sc->f->granule_lg2;
	uint64_t n = (r->pages + ((uint64_t)1 << shift) - 1) >> shift;

	if (n >> (sc->f->granule_lg2 - 3)) {
		uiommu_smmuv3_batch_add(s, b, sc->all, 0);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		add_va(s, b, sc, r, r->iova + (i << r->stride_lg2), 0, 0);
}

static void forget_range(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	struct smmu *s = to_smmu(link->iommu);
	struct scope sc = scope_of(link);
	struct range r = range_of(sc.f, g);
	struct smmu_batch b;

	/*
	 * What is cached of both stages at once is not found by an IPA. It could go
	 * after the IPA's own, with a sync between them: one command does both.
	 */
	if (!list_empty(&link->children)) {
		uiommu_smmuv3_forget_tag(link);
		return;
	}
	uiommu_smmuv3_batch_begin(s, &b);
	/* SCALE has five bits: from 2^31 pages (8 TiB of 4 KiB) on, all of the tag */
	if (r.pages >> 31)
		uiommu_smmuv3_batch_add(s, &b, sc.all, 0);
	else if (s->caps.ril && r.pages > 1)
		add_ranges(s, &b, &sc, r);
	else
		add_singles(s, &b, &sc, &r);
	must_forget(s, uiommu_smmuv3_batch_sync(s, &b));
}

/* Tables without a range: whatever there was. */
void uiommu_smmuv3_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	if (g->start <= g->last)
		forget_range(link, g);
	else if (g->tables)
		uiommu_smmuv3_forget_tag(link);
	else
		return;
	if (to_smmu(link->iommu)->caps.ats)
		uiommu_smmuv3_atc_invalidate(link, g);
}
