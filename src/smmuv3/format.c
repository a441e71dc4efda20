/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/format.c - page tables that an SMMU can walk, and which a domain gets
 *
 * One granule for all tables behind an SMMU: 4 KiB where it has that, as most
 * others map in these units, else the next that it has. Stage 1 where it is there,
 * since only that can be on a PASID; stage 2 for what lies below tables of a guest,
 * and where there is nothing else.
 */
#include "smmu.h"

static const struct smmu_format formats[] = {
#ifdef UIOMMU_CONFIG_STAGE2_ONLY		/* absent.c */
	{ &uiommu_pt_arm_s2_4k_ops, 12, CMD_TLBI_TG_4K, STE_S2TG_4K, true },
#else
	{ &uiommu_pt_arm_s1_4k_ops, 12, CMD_TLBI_TG_4K, CD_TG0_4K, false },
	{ &uiommu_pt_arm_s1_16k_ops, 14, CMD_TLBI_TG_16K, CD_TG0_16K, false },
	{ &uiommu_pt_arm_s1_64k_ops, 16, CMD_TLBI_TG_64K, CD_TG0_64K, false },
	{ &uiommu_pt_arm_s2_4k_ops, 12, CMD_TLBI_TG_4K, STE_S2TG_4K, true },
	{ &uiommu_pt_arm_s2_16k_ops, 14, CMD_TLBI_TG_16K, STE_S2TG_16K, true },
	{ &uiommu_pt_arm_s2_64k_ops, 16, CMD_TLBI_TG_64K, STE_S2TG_64K, true },
#endif
};

#define NUM_FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct smmu_format *uiommu_smmuv3_format(const struct uiommu_pt *pt)
{
	for (unsigned i = 0; i < NUM_FORMATS; i++)
		if (formats[i].ops == pt->ops)
			return &formats[i];
	return NULL;
}

bool uiommu_smmuv3_is_stage2(const struct uiommu_domain *dom)
{
	return dom->type == UIOMMU_DOMAIN_PAGING && uiommu_smmuv3_format(&dom->pt)->stage2;
}

bool uiommu_smmuv3_is_whole(const struct uiommu_domain *dom)
{
	return dom->type == UIOMMU_DOMAIN_NESTED || uiommu_smmuv3_is_stage2(dom);
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Output beyond 48 bits is for the 64 KiB granule (the others need IDR5.DS, which is
 * not used). Input of stage 1 follows IDR5.VAX, that of stage 2 the output size: an
 * IPA is no wider than a PA (IHI 0070, 3.4).
 */
static unsigned oas_of(const struct smmu_caps *c, const struct smmu_format *f)
{
	return f->granule_lg2 == 16 ? c->oas_lg2 : min(c->oas_lg2, 48);
}

static unsigned ias_of(const struct smmu_caps *c, const struct smmu_format *f)
{
	if (f->stage2)
		return oas_of(c, f);
	return f->granule_lg2 == 16 && c->vax52 ? 52 : 48;
}

static bool walks(const struct smmu_caps *c, const struct smmu_format *f)
{
	return c->granules >> f->granule_lg2 & 1 && (f->stage2 ? c->stage2 : c->stage1);
}

static const struct smmu_format *pick(const struct smmu_caps *c, bool stage2)
{
	for (unsigned i = 0; i < NUM_FORMATS; i++)
		if (formats[i].stage2 == stage2 && walks(c, &formats[i]))
			return &formats[i];
	return NULL;
}

int uiommu_smmuv3_domain_init(struct uiommu_domain *dom, struct uiommu_dev *dev, unsigned flags)
{
	const struct smmu_caps *c = &to_smmu(dev->iommu)->caps;
	bool parent = flags & UIOMMU_DOMAIN_ALLOC_NEST_PARENT;
	const struct smmu_format *f = pick(c, parent || !c->stage1);
	struct uiommu_pt_config cfg = { .flags = UIOMMU_PT_CONTIG };

	if (!f || (parent && !c->stage1) || (f->stage2 && flags & UIOMMU_DOMAIN_ALLOC_PASID))
		return -UIOMMU_EOPNOTSUPP;
	if (flags & UIOMMU_DOMAIN_ALLOC_DIRTY) {
		if (!c->dirty)
			return -UIOMMU_EOPNOTSUPP;
		cfg.flags |= UIOMMU_PT_DIRTY;
	}
	cfg.ias_lg2 = ias_of(c, f);
	cfg.oas_lg2 = oas_of(c, f);
	return f->ops->init(&dom->pt, dev->host, &cfg);
}

/* A table that another SMMU's device was asked about when it was made. */
static bool can_walk(const struct smmu_caps *c, const struct uiommu_pt *pt)
{
	const struct smmu_format *f = uiommu_smmuv3_format(pt);

	return f && walks(c, f) && pt->ias_lg2 <= ias_of(c, f) && pt->oas_lg2 <= oas_of(c, f) &&
	       (c->dirty || !(pt->flags & UIOMMU_PT_DIRTY));
}

/*
 * An STE has one stage 2, and with stage 2 alone no CD table, or the user's: stage 2 is
 * the RID's as a whole. What the RID has by default comes back without being asked
 * about.
 */
static bool rid_is_whole(const struct uiommu_dev *dev)
{
	const struct smmu_master *m = dev->drv;

	return uiommu_smmuv3_is_whole(m->rid->dom) ||
	       (dev->def && uiommu_smmuv3_is_whole(dev->def->link->dom));
}

/* The table that a domain brings; NULL: none. */
static const struct uiommu_pt *table_of(const struct uiommu_domain *dom)
{
	if (dom->parent)
		return &dom->parent->pt;
	if (dom->type == UIOMMU_DOMAIN_PAGING || dom->type == UIOMMU_DOMAIN_SVA)
		return &dom->pt;
	return NULL;
}

/* A VM's table is for a device that the VM knows, so that it can name it in commands. */
static bool is_strangers(const struct uiommu_domain *dom, const struct uiommu_dev *dev)
{
	return dom->viommu && uiommu_smmuv3_nested_config(dom) == STE_Config_S1_S2 &&
	       !(dev->vdev && dev->vdev->viommu == dom->viommu);
}

int uiommu_smmuv3_domain_check(const struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid)
{
	const struct uiommu_pt *pt = table_of(dom);
	const struct smmu_master *m = dev->drv;

	if (pasid != UIOMMU_NO_PASID && dom->type != UIOMMU_DOMAIN_BLOCKED && rid_is_whole(dev))
		return -UIOMMU_EINVAL;
	if (pt && !can_walk(&m->smmu->caps, pt))
		return -UIOMMU_EINVAL;
	if (is_strangers(dom, dev))
		return -UIOMMU_ENOENT;
	if (!uiommu_smmuv3_is_whole(dom))
		return 0;
	if (pasid != UIOMMU_NO_PASID)
		return -UIOMMU_EINVAL;
	return m->cdtab->num_pasids ? -UIOMMU_EBUSY : 0;
}
