/* SPDX-License-Identifier: MIT */
/* src/pt/fmt/arm_lpae.h - Arm long descriptors, as the walker asks for them */
#ifndef UIOMMU_PT_ARM_LPAE_H
#define UIOMMU_PT_ARM_LPAE_H

#include "../desc.h"
#include "arm_lpae_regs.h"

UIOMMU_ALWAYS_INLINE bool arm_lpae_present(uint64_t e)
{
	return e & ARM_LPAE_VALID;
}

/* At level 0 the architecture knows only pages; above it bit 1 tells. */
UIOMMU_ALWAYS_INLINE bool arm_lpae_leaf(uint64_t e, unsigned lvl)
{
	return lvl == 0 || (e & ARM_LPAE_TYPE_MASK) == ARM_LPAE_TYPE_BLOCK;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_4k_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & ARM_LPAE_4K_ADDR_MASK;
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_mk_leaf(uint64_t pa, unsigned lvl, struct pt_attr a)
{
	return pa | a.bits | (lvl ? ARM_LPAE_TYPE_BLOCK : ARM_LPAE_TYPE_PAGE);
}

UIOMMU_ALWAYS_INLINE uint64_t arm_lpae_mk_table(uint64_t pa)
{
	return pa | ARM_LPAE_TYPE_TABLE;
}

/*
 * Stage 1. AP[2:1] has no write-only: WRITE alone gives read and write, as every
 * user of this format does. AF is set because nobody answers access flag faults.
 * An unprivileged page without EXEC may not be executed by privileged accesses
 * either, hence both XN bits; a privileged one is never unprivileged code.
 */
UIOMMU_ALWAYS_INLINE struct pt_attr arm_lpae_s1_attr(unsigned prot)
{
	uint64_t b = ARM_LPAE_AF | ARM_LPAE_NG;

	b |= prot & UIOMMU_PROT_MMIO
		? ARM_LPAE_ATTRINDX(ARM_LPAE_ATTR_DEVICE) | ARM_LPAE_SH_OUTER
		: ARM_LPAE_ATTRINDX(ARM_LPAE_ATTR_NORMAL) | ARM_LPAE_SH_INNER;
	if (!(prot & UIOMMU_PROT_WRITE))
		b |= ARM_LPAE_AP_RDONLY;
	if (!(prot & UIOMMU_PROT_PRIV))
		b |= ARM_LPAE_AP_UNPRIV;
	if (!(prot & UIOMMU_PROT_EXEC))
		b |= ARM_LPAE_PXN | ARM_LPAE_UXN;
	else if (prot & UIOMMU_PROT_PRIV)
		b |= ARM_LPAE_UXN;
	return (struct pt_attr){ b };
}

#define ARM_LPAE_4K_PGSIZES (1ull << 12 | 1ull << 21 | 1ull << 30)

/* 4 KiB granule, 48-bit addresses in and out; T0SZ is at most 39 */
#define ARM_LPAE_4K							\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 3,		\
	.ias_min = 25, .ias_max = 48, .oas_min = 32, .oas_max = 48,	\
	.pgsizes = ARM_LPAE_4K_PGSIZES,					\
	.oa = arm_lpae_4k_oa

#define ARM_LPAE_S1							\
	.prot = UIOMMU_PROT_ALL, .table_clean = ARM_LPAE_SW_CLEAN,	\
	.present = arm_lpae_present, .leaf = arm_lpae_leaf,		\
	.attr = arm_lpae_s1_attr,					\
	.mk_leaf = arm_lpae_mk_leaf, .mk_table = arm_lpae_mk_table

#endif
