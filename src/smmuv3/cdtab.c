/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/cdtab.c - the PASID table of a device, or of several that are one
 *
 * Made when the device first gets an address space of stage 1, kept until it
 * goes. Linear while it fits 64 KiB (10 bits of PASID), else two levels whose
 * second is filled lazily. A device without PASIDs has a table of CD 0 alone.
 */
#include "smmu.h"

#define LEAF_LG2	10u		/* CDs of a 64 KiB leaf */
#define LEAF_BYTES	(((size_t)CD_WORDS * 8) << LEAF_LG2)

static size_t l1_entries(const struct smmu_cdtab *t)
{
	return (size_t)1 << (t->bits - LEAF_LG2);
}

static size_t top_bytes(const struct smmu_cdtab *t)
{
	size_t bytes = t->two_level ? l1_entries(t) * 8 : ((size_t)CD_WORDS * 8) << t->bits;

	return bytes < 64 ? 64 : bytes;
}

static int make(struct smmu_master *m)
{
	const struct uiommu_host *h = m->smmu->host;
	struct smmu_cdtab *t = m->cdtab;

	t->bits = m->dev->pasid_bits;
	/* a table of CD 0 alone has no S1DSS, which is how an identity keeps ATS */
	if (!t->bits && m->dev->ats_always_on && m->smmu->caps.pasid_bits)
		t->bits = 1;
	t->two_level = t->bits > LEAF_LG2;
	if (t->two_level) {
		t->leaf = host_alloc(h, l1_entries(t) * sizeof(*t->leaf));
		if (!t->leaf)
			return -UIOMMU_ENOMEM;
	}
	t->top = h->table_alloc(h->ctx, top_bytes(t));
	if (t->top) {
		port_clean(h, t->top, top_bytes(t));
		return 0;
	}
	if (t->two_level)
		host_free(h, t->leaf, l1_entries(t) * sizeof(*t->leaf));
	t->leaf = NULL;
	return -UIOMMU_ENOMEM;
}

static int add_leaf(struct smmu_master *m, uiommu_pasid_t pasid)
{
	const struct uiommu_host *h = m->smmu->host;
	struct smmu_cdtab *t = m->cdtab;
	uint64_t *leaf = h->table_alloc(h->ctx, LEAF_BYTES);

	if (!leaf)
		return -UIOMMU_ENOMEM;
	port_clean(h, leaf, LEAF_BYTES);
	t->leaf[pasid >> LEAF_LG2] = leaf;
	return 0;
}

bool uiommu_smmuv3_cdtab_unlinked(const struct smmu_master *m, uiommu_pasid_t pasid)
{
	const struct smmu_cdtab *t = m->cdtab;

	return t->two_level && !FGET(L1CD_V, port_load64(&t->top[pasid >> LEAF_LG2]));
}

/* With its first CD in it: one sync for both. */
int uiommu_smmuv3_cdtab_link(struct smmu_master *m, uiommu_pasid_t pasid)
{
	const struct uiommu_host *h = m->smmu->host;
	uint64_t *l1 = &m->cdtab->top[pasid >> LEAF_LG2];
	uiommu_pa_t leaf = port_virt_to_pa(h, m->cdtab->leaf[pasid >> LEAF_LG2]);

	port_dma_wmb();
	port_store64(l1, FPREP(L1CD_V, 1) | (leaf & FMASK(L1CD_L2Ptr)));
	port_clean(h, l1, sizeof(*l1));
	return uiommu_smmuv3_cfgi_cd(m, pasid, false);
}

int uiommu_smmuv3_cdtab_reserve(struct smmu_master *m, uiommu_pasid_t pasid)
{
	struct smmu_cdtab *t = m->cdtab;
	int err = t->top ? 0 : make(m);

	if (err || !t->two_level || t->leaf[pasid >> LEAF_LG2])
		return err;
	return add_leaf(m, pasid);
}

uint64_t *uiommu_smmuv3_cdtab_entry(const struct smmu_master *m, uiommu_pasid_t pasid)
{
	const struct smmu_cdtab *t = m->cdtab;
	uint64_t *leaf;

	if (!t->top)
		return NULL;
	if (!t->two_level)
		return &t->top[(size_t)pasid * CD_WORDS];
	leaf = t->leaf[pasid >> LEAF_LG2];
	return leaf ? &leaf[(pasid & ((1u << LEAF_LG2) - 1)) * CD_WORDS] : NULL;
}

int uiommu_smmuv3_cdtab_join(struct smmu_master *m, struct smmu_master *sharer)
{
	struct smmu_cdtab *t = sharer ? sharer->cdtab : host_alloc(m->smmu->host, sizeof(*t));

	if (!t)
		return -UIOMMU_ENOMEM;
	m->cdtab = t;
	m->next = t->masters;
	t->masters = m;
	return 0;
}

size_t uiommu_smmuv3_cdtab_size(const struct smmu_master *m)
{
	return m->cdtab->top ? (size_t)1 << m->cdtab->bits : 0;
}

static void free_table(struct smmu_master *m)
{
	const struct uiommu_host *h = m->smmu->host;
	struct smmu_cdtab *t = m->cdtab;

	if (t->two_level) {
		for (size_t i = 0; i < l1_entries(t); i++)
			if (t->leaf[i])
				h->table_free(h->ctx, t->leaf[i], LEAF_BYTES);
		host_free(h, t->leaf, l1_entries(t) * sizeof(*t->leaf));
	}
	h->table_free(h->ctx, t->top, top_bytes(t));
}

void uiommu_smmuv3_cdtab_leave(struct smmu_master *m)
{
	struct smmu_cdtab *t = m->cdtab;
	struct smmu_master **pm = &t->masters;

	/* also the L1 descriptors: the next device with this StreamID has others */
	if (t->top)
		uiommu_smmuv3_cfgi_cd_all(m);
	while (*pm != m)
		pm = &(*pm)->next;
	*pm = m->next;
	if (t->masters)
		return;
	if (t->top)
		free_table(m);
	host_free(m->smmu->host, t, sizeof(*t));
}
