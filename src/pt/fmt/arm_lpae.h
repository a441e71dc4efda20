/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/arm_lpae.h - Arm long descriptors, as the walker asks for them
 *
 * Stage 1 and stage 2 differ in the attributes of a leaf; the granules in geometry
 * and in where a 52-bit address keeps its top bits. With 64 KiB they are bits 15:12
 * of the entry, which are zero in a 48-bit one: one instance serves both. With 4 and
 * 16 KiB they are bits 9:8 (FEAT_LPA2, the DS bit of the context descriptor or STE),
 * where otherwise the shareability is: 52-bit instances of their own.
 */
#ifndef UIOMMU_PT_ARM_LPAE_H
#define UIOMMU_PT_ARM_LPAE_H

#include "../desc.h"
#include "arm_lpae_regs.h"

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_present(uint64_t e)
{
	return e;
}

UIOMMU_ALWAYS_INLINE bool arm_lpae_leaf(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return !(e & ARM_LPAE_NOT_BLOCK);
}

UIOMMU_ALWAYS_INLINE bool arm_lpae_is_table(uint64_t e)
{
	return (e & ARM_LPAE_TYPE_MASK) == ARM_LPAE_TYPE_TABLE;
}

/* ---- addresses: the encodings, and the leaf and table entries made with them ---- */

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_4k_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & ARM_LPAE_ADDR_MASK(12, 48);
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_16k_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & ARM_LPAE_ADDR_MASK(14, 48);
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_64k_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (e & ARM_LPAE_ADDR_MASK(16, 48)) | (e & ARM_LPAE_64K_HIGH) << 36;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_4k_52_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (e & ARM_LPAE_ADDR_MASK(12, 50)) | (e & ARM_LPAE_DS_HIGH) << 42;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_16k_52_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (e & ARM_LPAE_ADDR_MASK(14, 50)) | (e & ARM_LPAE_DS_HIGH) << 42;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_48_put(uint64_t pa)
{
	return pa;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_64k_put(uint64_t pa)
{
	return (pa & ARM_LPAE_ADDR_MASK(16, 48)) | (pa >> 36 & ARM_LPAE_64K_HIGH);
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_52_put(uint64_t pa)
{
	return (pa & ARM_LPAE_ADDR_MASK(12, 50)) | (pa >> 42 & ARM_LPAE_DS_HIGH);
}

#define ARM_LPAE_MK(put_)								\
UIOMMU_ALWAYS_INLINE uint64_t put_##_leaf(uint64_t pa, unsigned lvl, unsigned run,	\
					  struct pt_attr a)				\
{											\
	return put_(pa) | a.bits | (run ? ARM_LPAE_CONTIG : 0) |			\
	       (lvl ? ARM_LPAE_TYPE_BLOCK : ARM_LPAE_TYPE_PAGE);			\
}											\
UIOMMU_ALWAYS_INLINE uint64_t put_##_table(uint64_t pa, unsigned lvl)			\
{											\
	(void)lvl;									\
	return put_(pa) | ARM_LPAE_TYPE_TABLE;						\
}

ARM_LPAE_MK(arm_lpae_48_put)
ARM_LPAE_MK(arm_lpae_64k_put)
ARM_LPAE_MK(arm_lpae_52_put)

UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & ARM_LPAE_ATTR_MASK };
}

UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_ds_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & ARM_LPAE_ATTR_MASK & ~ARM_LPAE_SH_MASK };
}

/* ---- runs: how many neighbours the contiguous bit speaks of, log2 ---- */

UIOMMU_ALWAYS_INLINE unsigned arm_lpae_4k_run(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & ARM_LPAE_CONTIG ? 4 : 0;
}

UIOMMU_ALWAYS_INLINE unsigned arm_lpae_16k_run(uint64_t e, unsigned lvl)
{
	return e & ARM_LPAE_CONTIG ? (lvl ? 5 : 7) : 0;
}

UIOMMU_ALWAYS_INLINE unsigned arm_lpae_64k_run(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & ARM_LPAE_CONTIG ? 5 : 0;
}

/* ---- stage 1 ---- */

/*
 * AP[2:1] has no write-only: WRITE alone gives read and write, as every user of
 * this format does. AF is set because nobody answers access flag faults. An
 * unprivileged page without EXEC may not be executed by privileged accesses either,
 * hence both XN bits; a privileged one is never unprivileged code. With DBM a write
 * clears AP[2] instead of faulting on it.
 */
UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_s1_attr(unsigned prot, bool dirty)
{
	uint64_t b = ARM_LPAE_AF | ARM_LPAE_NG;

	b |= prot & UIOMMU_PROT_MMIO
		? ARM_LPAE_ATTRINDX(ARM_LPAE_ATTR_DEVICE) | ARM_LPAE_SH_OUTER
		: ARM_LPAE_ATTRINDX(ARM_LPAE_ATTR_NORMAL) | ARM_LPAE_SH_INNER;
	b |= prot & UIOMMU_PROT_WRITE ? (dirty ? ARM_LPAE_DBM : 0) : ARM_LPAE_AP_RDONLY;
	if (!(prot & UIOMMU_PROT_PRIV))
		b |= ARM_LPAE_AP_UNPRIV;
	if (!(prot & UIOMMU_PROT_EXEC))
		b |= ARM_LPAE_PXN | ARM_LPAE_UXN;
	else if (prot & UIOMMU_PROT_PRIV)
		b |= ARM_LPAE_UXN;
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_s1_ds_attr(unsigned prot, bool dirty)
{
	return (struct pt_attr){ arm_lpae_s1_attr(prot, dirty).bits & ~ARM_LPAE_SH_MASK };
}

UIOMMU_ALWAYS_INLINE bool arm_lpae_s1_is_dirty(uint64_t e)
{
	return (e & (ARM_LPAE_DBM | ARM_LPAE_AP_RDONLY)) == ARM_LPAE_DBM;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_s1_mk_clean(uint64_t e)
{
	return e & ARM_LPAE_DBM ? e | ARM_LPAE_AP_RDONLY : e;
}

/* ---- stage 2 ---- */

/* S2AP says read and write apart. With DBM a write sets S2AP[1]. */
UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_s2_attr(unsigned prot, bool dirty)
{
	uint64_t b = ARM_LPAE_AF;

	b |= prot & UIOMMU_PROT_MMIO ? ARM_LPAE_S2_MEM_DEVICE | ARM_LPAE_SH_OUTER
				     : ARM_LPAE_S2_MEM_NORMAL | ARM_LPAE_SH_INNER;
	if (prot & UIOMMU_PROT_READ)
		b |= ARM_LPAE_S2AP_READ;
	if (prot & UIOMMU_PROT_WRITE)
		b |= ARM_LPAE_S2AP_WRITE | (dirty ? ARM_LPAE_DBM : 0);
	if (!(prot & UIOMMU_PROT_EXEC))
		b |= ARM_LPAE_S2_XN;
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_s2_ds_attr(unsigned prot, bool dirty)
{
	return (struct pt_attr){ arm_lpae_s2_attr(prot, dirty).bits & ~ARM_LPAE_SH_MASK };
}

UIOMMU_ALWAYS_INLINE bool arm_lpae_s2_is_dirty(uint64_t e)
{
	return (e & (ARM_LPAE_DBM | ARM_LPAE_S2AP_WRITE)) ==
	       (ARM_LPAE_DBM | ARM_LPAE_S2AP_WRITE);
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_s2_mk_clean(uint64_t e)
{
	return e & ARM_LPAE_DBM ? e & ~ARM_LPAE_S2AP_WRITE : e;
}

/* ---- what an instance puts together: a granule, and a stage ---- */

#define PT_LG2(n) ((uint64_t)1 << (n))

#define ARM_LPAE_4K_PGSIZES	(PT_LG2(12) | PT_LG2(21) | PT_LG2(30))
#define ARM_LPAE_4K_52_PGSIZES	(ARM_LPAE_4K_PGSIZES | PT_LG2(39))
#define ARM_LPAE_16K_PGSIZES	(PT_LG2(14) | PT_LG2(25))
#define ARM_LPAE_16K_52_PGSIZES	(ARM_LPAE_16K_PGSIZES | PT_LG2(36))
#define ARM_LPAE_64K_PGSIZES	(PT_LG2(16) | PT_LG2(29))

/* T0SZ is at most 39. A stage 2 root below level 1 needs an IOMMU of its own kind
 * (small translation tables), so the lowest one is arch level 2. */
#define ARM_LPAE_4K							\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 3, .min_top = 1, \
	.feat = PT_SMALL_ROOT | PT_LINEAR,				\
	.ias_min = 25, .ias_max = 48, .oas_min = 32, .oas_max = 48,	\
	.pgsizes = ARM_LPAE_4K_PGSIZES,					\
	.contig = PT_LG2(16) | PT_LG2(25) | PT_LG2(34),			\
	.oa = arm_lpae_4k_oa, .run = arm_lpae_4k_run,			\
	.mk_leaf = arm_lpae_48_put_leaf, .mk_table = arm_lpae_48_put_table

#define ARM_LPAE_4K_52							\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 4, .min_top = 1, \
	.feat = PT_SMALL_ROOT,						\
	.ias_min = 25, .ias_max = 52, .oas_min = 32, .oas_max = 52,	\
	.pgsizes = ARM_LPAE_4K_PGSIZES, .wide = PT_LG2(39),		\
	.contig = PT_LG2(16) | PT_LG2(25) | PT_LG2(34),			\
	.oa = arm_lpae_4k_52_oa, .run = arm_lpae_4k_run,		\
	.mk_leaf = arm_lpae_52_put_leaf, .mk_table = arm_lpae_52_put_table

#define ARM_LPAE_16K							\
	.granule_lg2 = 14, .index_bits = 11, .max_level = 3, .min_top = 0, \
	.feat = PT_SMALL_ROOT | PT_LINEAR,				\
	.ias_min = 25, .ias_max = 48, .oas_min = 32, .oas_max = 48,	\
	.pgsizes = ARM_LPAE_16K_PGSIZES,				\
	.contig = PT_LG2(21) | PT_LG2(30),				\
	.oa = arm_lpae_16k_oa, .run = arm_lpae_16k_run,			\
	.mk_leaf = arm_lpae_48_put_leaf, .mk_table = arm_lpae_48_put_table

#define ARM_LPAE_16K_52							\
	.granule_lg2 = 14, .index_bits = 11, .max_level = 3, .min_top = 0, \
	.feat = PT_SMALL_ROOT,						\
	.ias_min = 25, .ias_max = 52, .oas_min = 32, .oas_max = 52,	\
	.pgsizes = ARM_LPAE_16K_PGSIZES, .wide = PT_LG2(36),		\
	.contig = PT_LG2(21) | PT_LG2(30),				\
	.oa = arm_lpae_16k_52_oa, .run = arm_lpae_16k_run,		\
	.mk_leaf = arm_lpae_52_put_leaf, .mk_table = arm_lpae_52_put_table

#define ARM_LPAE_64K							\
	.granule_lg2 = 16, .index_bits = 13, .max_level = 2, .min_top = 0, \
	.feat = PT_SMALL_ROOT,						\
	.ias_min = 25, .ias_max = 52, .oas_min = 32, .oas_max = 52,	\
	.pgsizes = ARM_LPAE_64K_PGSIZES, .wide = PT_LG2(42),		\
	.contig = PT_LG2(21) | PT_LG2(34),				\
	.oa = arm_lpae_64k_oa, .run = arm_lpae_64k_run,			\
	.mk_leaf = arm_lpae_64k_put_leaf, .mk_table = arm_lpae_64k_put_table

#define ARM_LPAE_COMMON							\
	.run_mask = ARM_LPAE_CONTIG, .table_clean = ARM_LPAE_SW_CLEAN,	\
	.present = arm_lpae_present, .leaf = arm_lpae_leaf,		\
	.table = arm_lpae_is_table

#define ARM_LPAE_S1_DIRTY						\
	.prot = UIOMMU_PROT_ALL, .is_dirty = arm_lpae_s1_is_dirty,	\
	.mk_clean = arm_lpae_s1_mk_clean
#define ARM_LPAE_S1 ARM_LPAE_COMMON, ARM_LPAE_S1_DIRTY,			\
	.attr = arm_lpae_s1_attr, .get_attr = arm_lpae_get_attr
#define ARM_LPAE_S1_DS ARM_LPAE_COMMON, ARM_LPAE_S1_DIRTY,		\
	.attr = arm_lpae_s1_ds_attr, .get_attr = arm_lpae_ds_get_attr

/* up to 16 tables side by side make one root; nothing is privileged */
#define ARM_LPAE_S2_DIRTY						\
	.root_bits = 4, .prot = UIOMMU_PROT_ALL & ~UIOMMU_PROT_PRIV,	\
	.is_dirty = arm_lpae_s2_is_dirty, .mk_clean = arm_lpae_s2_mk_clean
#define ARM_LPAE_S2 ARM_LPAE_COMMON, ARM_LPAE_S2_DIRTY,			\
	.attr = arm_lpae_s2_attr, .get_attr = arm_lpae_get_attr
#define ARM_LPAE_S2_DS ARM_LPAE_COMMON, ARM_LPAE_S2_DIRTY,		\
	.attr = arm_lpae_s2_ds_attr, .get_attr = arm_lpae_ds_get_attr

#endif
