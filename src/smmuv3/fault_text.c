/* SPDX-License-Identifier: MIT */
/* src/smmuv3/fault_text.c - a fault in words */
#include "smmu.h"
#include "text.h"

/* bus:device.function */
static void put_rid(struct text *t, uint32_t rid)
{
	text_num(t, rid >> 8 & 0xff, 16, 2);
	text_char(t, ':');
	text_num(t, rid >> 3 & 0x1f, 16, 2);
	text_char(t, '.');
	text_num(t, rid & 7, 16, 1);
}

static void put_who(struct text *t, const struct uiommu_fault *f)
{
	if (f->dev) {
		text_str(t, f->dev->name);
		text_str(t, " (RID ");
		put_rid(t, f->dev->rid);
		text_char(t, ')');
	} else {
		text_str(t, "no device has StreamID ");
		text_hex(t, f->stream_id);
	}
	text_str(t, f->flags & UIOMMU_FAULT_HAS_PASID ? " PASID " : " no PASID");
	if (f->flags & UIOMMU_FAULT_HAS_PASID)
		text_hex(t, f->pasid);
}

static void put_what(struct text *t, const struct uiommu_fault *f)
{
	if (f->flags & UIOMMU_FAULT_HAS_RW) {
		text_str(t, f->flags & UIOMMU_FAULT_PRIV ? ", privileged " : ", ");
		text_str(t, f->flags & UIOMMU_FAULT_WRITE ? "write"
			 : f->flags & UIOMMU_FAULT_EXEC ? "instruction read" : "read");
	}
	if (f->flags & UIOMMU_FAULT_HAS_IOVA) {
		text_str(t, f->flags & UIOMMU_FAULT_HAS_RW ? " at IOVA " : ", IOVA ");
		text_hex(t, f->iova);
	}
	if (f->flags & UIOMMU_FAULT_HAS_IPA) {
		text_str(t, ", IPA ");
		text_hex(t, f->ipa);
	}
	if (f->flags & UIOMMU_FAULT_STALLED)
		text_str(t, ", stalled");
}

/* "page table: not mapped" needs to say which of the two stages. */
static void put_table(struct text *t, const struct uiommu_fault *f)
{
	bool walk = f->table[0] == 'p' && f->flags & UIOMMU_FAULT_HAS_RW;

	text_str(t, "; said no: ");
	if (walk)
		text_str(t, f->flags & UIOMMU_FAULT_STAGE2 ? "stage 2 " : "stage 1 ");
	text_str(t, f->table);
}

int uiommu_fault_text(const struct uiommu_fault *f, char *buf, size_t bytes)
{
	struct text t;

	if (!bytes)
		return -UIOMMU_EINVAL;
	t = text_begin(buf, bytes);
	text_str(&t, f->name);
	text_str(&t, ": ");
	put_who(&t, f);
	put_what(&t, f);
	put_table(&t, f);
	return t.wanted < bytes ? 0 : -UIOMMU_EMSGSIZE;
}
