/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/tags.c - what caches are tagged with: ASIDs of stage 1, VMIDs of stage 2
 *
 * Both are counted for each SMMU, and belong to a link: one domain behind one SMMU.
 * Number 0 is nobody's: a mistake that leaves a zero behind hits no domain, and VMID
 * 0 is what stage 1 alone is tagged with beside its ASID (IHI 0070, 3.17).
 */
#include "smmu.h"

static size_t bytes(unsigned lg2)
{
	return ((size_t)1 << lg2) / 8;
}

int uiommu_smmuv3_tags_init(struct smmu *s)
{
	s->asids = host_alloc(s->host, bytes(s->caps.asid_bits));
	s->vmids = host_alloc(s->host, bytes(s->caps.vmid_bits));
	if (s->asids && s->vmids)
		return 0;
	uiommu_smmuv3_tags_fini(s);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_tags_fini(struct smmu *s)
{
	host_free(s->host, s->asids, bytes(s->caps.asid_bits));
	host_free(s->host, s->vmids, bytes(s->caps.vmid_bits));
}

static bool taken(const uint64_t *ids, uint32_t id)
{
	return id == 0 || ids[id / 64] >> id % 64 & 1;
}

static int take_lowest(uint64_t *ids, unsigned lg2, uint32_t *out)
{
	for (uint32_t w = 0; w < (uint32_t)1 << lg2; w += 64) {
		uint64_t free = ~(ids[w / 64] | (w == 0));

		if (!free)
			continue;
		ids[w / 64] |= free & -free;
		*out = w + port_ctz64(free);
		return 0;
	}
	return -UIOMMU_ENOSPC;
}

/* From the embedder, who shares the numbers with CPUs: one that cannot be is refused. */
static int take_theirs(struct smmu *s, uint32_t *out)
{
	uint32_t id = 0;
	int err = s->vmid_alloc(s->vmid_ctx, &id);

	if (err)
		return err;
	if (id >> s->caps.vmid_bits || taken(s->vmids, id)) {
		s->vmid_free(s->vmid_ctx, id);
		return -UIOMMU_ENOSPC;
	}
	s->vmids[id / 64] |= (uint64_t)1 << id % 64;
	*out = id;
	return 0;
}

/*
 * The number that CPUs use for the same table, if nobody has it here. Else another one
 * will do: broadcasts are not listened to (CR2.PTM), every invalidation is a command.
 */
static int take_asid(struct smmu *s, uint32_t pinned, uint32_t *out)
{
	if (!pinned || pinned >> s->caps.asid_bits || taken(s->asids, pinned))
		return take_lowest(s->asids, s->caps.asid_bits, out);
	s->asids[pinned / 64] |= (uint64_t)1 << pinned % 64;
	*out = pinned;
	return 0;
}

int uiommu_smmuv3_link_init(struct uiommu_link *link)
{
	struct smmu *s = to_smmu(link->iommu);

	if (link->parent) {
		link->tag = link->parent->tag;
		return 0;
	}
	if (!uiommu_smmuv3_is_stage2(link->dom))
		return take_asid(s, link->dom->sva.asid, &link->tag);
	if (s->vmid_alloc)
		return take_theirs(s, &link->tag);
	return take_lowest(s->vmids, s->caps.vmid_bits, &link->tag);
}

void uiommu_smmuv3_link_fini(struct uiommu_link *link)
{
	struct smmu *s = to_smmu(link->iommu);
	bool stage2 = uiommu_smmuv3_is_stage2(link->dom);
	uint64_t *ids = stage2 ? s->vmids : s->asids;

	uiommu_smmuv3_forget_tag(link);
	if (link->parent)
		return;
	ids[link->tag / 64] &= ~((uint64_t)1 << link->tag % 64);
	if (stage2 && s->vmid_free)
		s->vmid_free(s->vmid_ctx, link->tag);
}
