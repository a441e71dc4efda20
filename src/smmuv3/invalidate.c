/* SPDX-License-Identifier: MIT */
/* src/smmuv3/invalidate.c - what hardware is told to forget */
#include "smmu.h"

#define PAGE_LG2	12u

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

/* Everything, at bring-up: what was cached for whoever had it before. */
int uiommu_smmuv3_forget_all(struct smmu *s)
{
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_CFGI_STE_RANGE),
				FPREP(CMD_CFGI_STE_RANGE_Range, CMD_CFGI_STE_RANGE_Range_ALL));
	if (s->caps.hyp)
		uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_TLBI_EL2_ALL), 0);
	uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	return uiommu_smmuv3_batch_sync(s, &b);
}

/* ---- translations ---- */

static uint64_t asid_command(unsigned opcode, uint32_t asid)
{
	return FPREP(CMD_Opcode, opcode) | FPREP(CMD_TLBI_NH_VA_ASID, asid);
}

/*
 * A command that invalidates was refused, or the queue is dead. Without it pages
 * that their owner believes unreachable would stay reachable: all or nothing.
 */
static void must_forget(struct smmu *s, int err)
{
	struct smmu_batch b;

	if (!err)
		return;
	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	if (uiommu_smmuv3_batch_sync(s, &b))
		uiommu_smmuv3_shut_off(s, ": an invalidation failed: shut off, every DMA aborts");
}

void uiommu_smmuv3_forget_asid(struct smmu *s, uint32_t asid)
{
	struct smmu_batch b;

	uiommu_smmuv3_batch_begin(s, &b);
	uiommu_smmuv3_batch_add(s, &b, asid_command(CMD_TLBI_NH_ASID, asid), 0);
	must_forget(s, uiommu_smmuv3_batch_sync(s, &b));
}

struct range {
	uint64_t iova, pages;		/* smallest pages */
	unsigned stride_lg2;		/* the smallest entry that was removed */
	unsigned ttl;			/* its level, where all are of one; 0: not known */
	bool leaf;
};

/* TTL counts levels from 1 (1 GiB with 4 KiB pages) to 3 (4 KiB). */
static unsigned ttl_of(uint64_t pgsizes)
{
	unsigned lg2 = port_ctz64(pgsizes);

	return pgsizes & (pgsizes - 1) ? 0 : 3 - (lg2 - PAGE_LG2) / 9;
}

static struct range range_of(const struct uiommu_gather *g)
{
	struct range r = { .leaf = !g->tables, .stride_lg2 = PAGE_LG2 };

	/* what a removed table held is not known: every page may be cached */
	if (r.leaf && g->pgsizes) {
		r.stride_lg2 = port_ctz64(g->pgsizes);
		r.ttl = ttl_of(g->pgsizes);
	}
	r.iova = g->start & ~(((uint64_t)1 << r.stride_lg2) - 1);
	r.pages = ((g->last - r.iova) >> PAGE_LG2) + 1;
	return r;
}

static void add_va(struct smmu *s, struct smmu_batch *b, uint32_t asid, const struct range *r,
		   uint64_t iova, uint64_t fields0, uint64_t fields1)
{
	uiommu_smmuv3_batch_add(s, b, asid_command(CMD_TLBI_NH_VA, asid) | fields0,
				FPREP(CMD_TLBI_NH_VA_Leaf, r->leaf) | fields1 |
				(iova & FMASK(CMD_TLBI_NH_VA_Address)));
}

/*
 * A range command covers (NUM + 1) << SCALE pages: five bits of the count for
 * each, from the lowest set one up. NUM = SCALE = 0 without a level hint is
 * reserved, so such a page is done together with its neighbour.
 */
static void add_ranges(struct smmu *s, struct smmu_batch *b, uint32_t asid, struct range r)
{
	while (r.pages) {
		unsigned scale, num;

		if (!r.ttl && (r.pages & 31) == 1)
			r.pages++;
		scale = port_ctz64(r.pages);
		num = r.pages >> scale & 31;
		add_va(s, b, asid, &r, r.iova,
		       FPREP(CMD_TLBI_NH_VA_SCALE, scale) | FPREP(CMD_TLBI_NH_VA_NUM, num - 1),
		       FPREP(CMD_TLBI_NH_VA_TG, CMD_TLBI_TG_4K) | FPREP(CMD_TLBI_NH_VA_TTL, r.ttl));
		r.iova += (uint64_t)num << scale << PAGE_LG2;
		r.pages -= (uint64_t)num << scale;
	}
}

/*
 * Above this many commands one that takes the whole ASID costs less: as many as
 * one table has entries, which is also what a removed table would need.
 */
#define MAX_SINGLE	(1u << (PAGE_LG2 - 3))

static void add_singles(struct smmu *s, struct smmu_batch *b, uint32_t asid,
			const struct range *r)
{
	uint64_t stride = (uint64_t)1 << (r->stride_lg2 - PAGE_LG2);
	uint64_t n = (r->pages + stride - 1) >> (r->stride_lg2 - PAGE_LG2);

	if (n >= MAX_SINGLE) {
		uiommu_smmuv3_batch_add(s, b, asid_command(CMD_TLBI_NH_ASID, asid), 0);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		add_va(s, b, asid, r, r->iova + (i << r->stride_lg2), 0, 0);
}

void uiommu_smmuv3_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	struct smmu *s = to_smmu(link->iommu);
	struct smmu_batch b;
	struct range r;

	if (g->start > g->last) {
		if (g->tables)
			uiommu_smmuv3_forget_asid(s, link->tag);
		return;
	}
	r = range_of(g);
	uiommu_smmuv3_batch_begin(s, &b);
	/* SCALE has five bits: from 2^31 pages (8 TiB) on, all of the ASID */
	if (r.pages >> 31)
		uiommu_smmuv3_batch_add(s, &b, asid_command(CMD_TLBI_NH_ASID, link->tag), 0);
	else if (s->caps.ril && r.pages > 1)
		add_ranges(s, &b, link->tag, r);
	else
		add_singles(s, &b, link->tag, &r);
	must_forget(s, uiommu_smmuv3_batch_sync(s, &b));
}
