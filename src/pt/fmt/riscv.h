/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/riscv.h - RISC-V page tables (Privileged Architecture, "Sv39, Sv48,
 * Sv57" and "two-stage address translation"), as its IOMMU walks them
 *
 * An entry with none of R, W, X is a table. W without R is reserved: WRITE allows
 * reading too. A and D are set beforehand, so that hardware without A/D updating
 * does not fault; with dirty tracking D is hardware's. NAPOT: the low bits of the
 * page number code the size, 1000 for 64 KiB, and all 16 entries are the same.
 */
#ifndef UIOMMU_PT_RISCV_H
#define UIOMMU_PT_RISCV_H

#include "../desc.h"

#define RISCV_V		((uint64_t)1 << 0)
#define RISCV_R		((uint64_t)1 << 1)
#define RISCV_W		((uint64_t)1 << 2)
#define RISCV_X		((uint64_t)1 << 3)
#define RISCV_U		((uint64_t)1 << 4)
#define RISCV_A		((uint64_t)1 << 6)
#define RISCV_D		((uint64_t)1 << 7)
#define RISCV_SW	((uint64_t)1 << 8)	/* RSW, left to software in all entries */
#define RISCV_PPN_LSB	10
#define RISCV_PPN_MASK	((((uint64_t)1 << 44) - 1) << RISCV_PPN_LSB)
#define RISCV_N		((uint64_t)1 << 63)
#define RISCV_NAPOT	((uint64_t)8 << RISCV_PPN_LSB)		/* 64 KiB */
#define RISCV_NAPOT_PPN	((uint64_t)15 << RISCV_PPN_LSB)
#define RISCV_ATTR_MASK	((uint64_t)0xff)

UIOMMU_ALWAYS_INLINE uint64_t riscv_present(uint64_t e)
{
	return e;
}

UIOMMU_ALWAYS_INLINE bool riscv_leaf(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & (RISCV_R | RISCV_X);
}

UIOMMU_ALWAYS_INLINE bool riscv_is_table(uint64_t e)
{
	return (e & (RISCV_V | RISCV_R | RISCV_X)) == RISCV_V;
}

UIOMMU_ALWAYS_INLINE uint64_t riscv_oa(uint64_t e, unsigned lvl)
{
	uint64_t ppn = e & RISCV_PPN_MASK;

	if (!lvl && e & RISCV_N)
		ppn &= ~RISCV_NAPOT_PPN;
	return ppn << (12 - RISCV_PPN_LSB);
}

UIOMMU_ALWAYS_INLINE unsigned riscv_run(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & RISCV_N ? 4 : 0;
}

UIOMMU_ALWAYS_INLINE struct pt_attr riscv_attr(unsigned prot, bool dirty)
{
	uint64_t b = RISCV_V | RISCV_R | RISCV_A;

	(void)dirty;
	if (prot & UIOMMU_PROT_WRITE)
		b |= RISCV_W | RISCV_D;
	if (prot & UIOMMU_PROT_EXEC)
		b |= RISCV_X;
	if (!(prot & UIOMMU_PROT_PRIV))
		b |= RISCV_U;
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE uint64_t riscv_mk_leaf(uint64_t pa, unsigned lvl, unsigned run,
					    struct pt_attr a)
{
	(void)lvl;
	return pa >> (12 - RISCV_PPN_LSB) | a.bits | (run ? RISCV_N | RISCV_NAPOT : 0);
}

UIOMMU_ALWAYS_INLINE struct pt_attr riscv_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & RISCV_ATTR_MASK };
}

UIOMMU_ALWAYS_INLINE uint64_t riscv_mk_table(uint64_t pa, unsigned lvl)
{
	(void)lvl;
	return pa >> (12 - RISCV_PPN_LSB) | RISCV_V;
}

UIOMMU_ALWAYS_INLINE bool riscv_is_dirty(uint64_t e)
{
	return e & RISCV_D;
}

UIOMMU_ALWAYS_INLINE uint64_t riscv_mk_clean(uint64_t e)
{
	return e & ~RISCV_D;
}

/* 4 KiB and every level above: 2 MiB, 1 GiB, 512 GiB, 256 TiB */
#define RISCV_PGSIZES_39 ((uint64_t)1 << 12 | (uint64_t)1 << 21 | (uint64_t)1 << 30)
#define RISCV_PGSIZES (RISCV_PGSIZES_39 | (uint64_t)1 << 39 | (uint64_t)1 << 48)

#define RISCV_ENTRIES							\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 4, .min_top = 2, \
	.oas_min = 32, .oas_max = 56, .pgsizes = RISCV_PGSIZES,		\
	.contig = (uint64_t)1 << 16, .run_mask = RISCV_N,		\
	.table_clean = RISCV_SW,					\
	.present = riscv_present, .leaf = riscv_leaf, .oa = riscv_oa,	\
	.table = riscv_is_table,					\
	.run = riscv_run, .attr = riscv_attr, .mk_leaf = riscv_mk_leaf,	\
	.get_attr = riscv_get_attr, .mk_table = riscv_mk_table,		\
	.is_dirty = riscv_is_dirty, .mk_clean = riscv_mk_clean

#define RISCV_SV RISCV_ENTRIES, .prot = UIOMMU_PROT_ALL,		\
	.feat = PT_SIGN_EXT | PT_LINEAR | PT_RUN_SAME,			\
	.ias_min = 39, .ias_max = 57,					\
	.ias_only = (uint64_t)1 << 39 | (uint64_t)1 << 48 | (uint64_t)1 << 57

/* The second stage has two bits more at the root, and every access is a user's. */
#define RISCV_SV_X4 RISCV_ENTRIES, .prot = UIOMMU_PROT_ALL & ~UIOMMU_PROT_PRIV, \
	.feat = PT_LINEAR | PT_RUN_SAME, .root_bits = 2,		\
	.ias_min = 41, .ias_max = 59,					\
	.ias_only = (uint64_t)1 << 41 | (uint64_t)1 << 50 | (uint64_t)1 << 59

#endif
