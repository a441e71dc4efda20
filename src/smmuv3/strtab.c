/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/strtab.c - the stream table: linear, or two levels filled lazily
 *
 * An entry that nobody set is all zero, so invalid: an unknown StreamID aborts
 * with an event, wherever in the table or outside of it the number lies.
 */
#include "smmu.h"

#define SPLIT		8u		/* StreamID bits in the second level */
#define LINEAR_MAX	20u		/* 64 MiB, the most that table_alloc() gives */
#define TWO_LEVEL_MAX	(SPLIT + 17u)	/* a level 1 of 1 MiB */
#define LEAF_BYTES	(((size_t)STE_WORDS * 8) << SPLIT)

static size_t l1_entries(const struct smmu_strtab *t)
{
	return (size_t)1 << (t->sid_bits - SPLIT);
}

static size_t top_bytes(const struct smmu_strtab *t)
{
	size_t bytes = t->two_level ? l1_entries(t) * 8 : ((size_t)STE_WORDS * 8) << t->sid_bits;

	return bytes < 64 ? 64 : bytes;
}

int uiommu_smmuv3_strtab_init(struct smmu *s)
{
	struct smmu_strtab *t = &s->strtab;
	int err = host_lock_init(s->host, &t->lock, UIOMMU_LOCK_SPIN);
	unsigned max;

	if (err)
		return err;
	t->two_level = s->caps.two_level_st && s->caps.sid_bits > SPLIT;
	max = t->two_level ? TWO_LEVEL_MAX : LINEAR_MAX;
	t->sid_bits = s->caps.sid_bits < max ? s->caps.sid_bits : max;
	if (t->two_level) {
		t->leaf = host_alloc(s->host, l1_entries(t) * sizeof(*t->leaf));
		if (!t->leaf)
			goto no_leaf;
	}
	t->top = s->host->table_alloc(s->host->ctx, top_bytes(t));
	if (t->top) {
		port_clean(s->host, t->top, top_bytes(t));
		return 0;
	}
	if (t->two_level)
		host_free(s->host, t->leaf, l1_entries(t) * sizeof(*t->leaf));
no_leaf:
	host_lock_fini(s->host, &t->lock);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_strtab_fini(struct smmu *s)
{
	struct smmu_strtab *t = &s->strtab;

	if (t->two_level) {
		for (size_t i = 0; i < l1_entries(t); i++)
			if (t->leaf[i])
				s->host->table_free(s->host->ctx, t->leaf[i], LEAF_BYTES);
		host_free(s->host, t->leaf, l1_entries(t) * sizeof(*t->leaf));
	}
	s->host->table_free(s->host->ctx, t->top, top_bytes(t));
	host_lock_fini(s->host, &t->lock);
}

/* Span is n for 2^(n-1) entries. */
static int add_leaf(struct smmu *s, uint32_t sid)
{
	struct smmu_strtab *t = &s->strtab;
	uint64_t *leaf = s->host->table_alloc(s->host->ctx, LEAF_BYTES);
	uint64_t *l1 = &t->top[sid >> SPLIT];

	if (!leaf)
		return -UIOMMU_ENOMEM;
	port_clean(s->host, leaf, LEAF_BYTES);
	t->leaf[sid >> SPLIT] = leaf;
	port_dma_wmb();
	port_store64(l1, FPREP(L1STD_Span, SPLIT + 1) |
			 (port_virt_to_pa(s->host, leaf) & FMASK(L1STD_L2Ptr)));
	port_clean(s->host, l1, sizeof(*l1));
	return s->off ? 0 : uiommu_smmuv3_cfgi_ste(s, sid, false);
}

int uiommu_smmuv3_strtab_reserve(struct smmu *s, uint32_t sid)
{
	struct smmu_strtab *t = &s->strtab;

	if ((uint64_t)sid >> t->sid_bits)
		return -UIOMMU_ERANGE;
	if (!t->two_level || t->leaf[sid >> SPLIT])
		return 0;
	return add_leaf(s, sid);
}

uint64_t *uiommu_smmuv3_strtab_entry(const struct smmu *s, uint32_t sid)
{
	const struct smmu_strtab *t = &s->strtab;

	if (!t->two_level)
		return &t->top[(size_t)sid * STE_WORDS];
	return &t->leaf[sid >> SPLIT][(sid & ((1u << SPLIT) - 1)) * STE_WORDS];
}

/* Before anything reads the table. */
int uiommu_smmuv3_strtab_open(struct smmu *s, const uint32_t *sids, unsigned n)
{
	static const struct smmu_ste_cfg bypass = { .config = STE_Config_BYPASS };
	uint64_t ste[STE_WORDS];

	uiommu_smmuv3_ste(ste, &bypass);
	for (unsigned i = 0; i < n; i++) {
		int err = uiommu_smmuv3_strtab_reserve(s, sids[i]);
		uint64_t *e;

		if (err)
			return err;
		e = uiommu_smmuv3_strtab_entry(s, sids[i]);
		for (unsigned w = 0; w < STE_WORDS; w++)
			port_store64(&e[w], ste[w]);
		port_clean(s->host, e, sizeof(ste));
	}
	return 0;
}

uint64_t uiommu_smmuv3_strtab_base(const struct smmu *s)
{
	uiommu_pa_t pa = port_virt_to_pa(s->host, s->strtab.top);

	return (pa & FMASK(STRTAB_BASE_ADDR)) | (s->caps.coherent ? FPREP(STRTAB_BASE_RA, 1) : 0);
}

uint32_t uiommu_smmuv3_strtab_cfg(const struct smmu *s)
{
	const struct smmu_strtab *t = &s->strtab;
	uint64_t v = FPREP(STRTAB_BASE_CFG_LOG2SIZE, t->sid_bits);

	if (t->two_level)
		v |= FPREP(STRTAB_BASE_CFG_FMT, STRTAB_BASE_CFG_FMT_TWO_LEVEL) |
		     FPREP(STRTAB_BASE_CFG_SPLIT, SPLIT);
	return (uint32_t)v;
}
