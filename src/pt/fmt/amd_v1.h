/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/amd_v1.h - AMD I/O page tables (AMD I/O Virtualization Technology
 * specification, "I/O page tables for host translations")
 *
 * A table entry names the level of the table it points to (1 is the lowest); a leaf
 * of a level's own size says 0 there. 7 says that the size is coded in the address:
 * the lowest address bit that is 0 is half the size, and every entry that the page
 * covers in its table holds the same value. So a page has any power of two, up to
 * half of what the next level's entry covers. 512 GiB and more are left out: some
 * IOMMUs mishandle them.
 *
 * Levels are added above the root as addresses need them, up to six.
 */
#ifndef UIOMMU_PT_AMD_V1_H
#define UIOMMU_PT_AMD_V1_H

#include "../desc.h"

#define AMD_V1_PR	((uint64_t)1 << 0)
#define AMD_V1_SW	((uint64_t)1 << 1)	/* ignored by hardware */
#define AMD_V1_D	((uint64_t)1 << 6)
#define AMD_V1_NEXT(n)	((uint64_t)(n) << 9)
#define AMD_V1_NEXT_MASK AMD_V1_NEXT(7)
#define AMD_V1_ADDR	(((uint64_t)1 << 52) - ((uint64_t)1 << 12))
#define AMD_V1_FC	((uint64_t)1 << 60)	/* accesses are coherent */
#define AMD_V1_IR	((uint64_t)1 << 61)
#define AMD_V1_IW	((uint64_t)1 << 62)
#define AMD_V1_ATTR	(AMD_V1_PR | AMD_V1_D | AMD_V1_FC | AMD_V1_IR | AMD_V1_IW)

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_present(uint64_t e)
{
	return e;
}

UIOMMU_ALWAYS_INLINE bool amd_v1_coded(uint64_t e)
{
	return (e & AMD_V1_NEXT_MASK) == AMD_V1_NEXT(7);
}

UIOMMU_ALWAYS_INLINE bool amd_v1_leaf(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return !(e & AMD_V1_NEXT_MASK) || amd_v1_coded(e);
}

UIOMMU_ALWAYS_INLINE bool amd_v1_is_table(uint64_t e)
{
	return e & AMD_V1_PR && !amd_v1_leaf(e, 1);
}

/* Of a leaf with a coded size: bits below its page's, all ones up to half of it. */
UIOMMU_ALWAYS_INLINE uint64_t amd_v1_below(uint64_t e)
{
	uint64_t a = (e & AMD_V1_ADDR) | 0xfff;

	return a ^ (a + 1);
}

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_oa(uint64_t e, unsigned lvl)
{
	uint64_t a = e & AMD_V1_ADDR;

	(void)lvl;
	return amd_v1_coded(e) ? a & ~amd_v1_below(e) : a;
}

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_next(uint64_t e)
{
	return e & AMD_V1_ADDR;
}

UIOMMU_ALWAYS_INLINE unsigned amd_v1_run(uint64_t e, unsigned lvl)
{
	return amd_v1_coded(e) ? port_ctz64(amd_v1_below(e) + 1) - 12 - 9 * lvl : 0;
}

UIOMMU_ALWAYS_INLINE struct pt_attr amd_v1_attr(unsigned prot, bool dirty)
{
	uint64_t b = AMD_V1_PR;

	if (!(prot & UIOMMU_PROT_MMIO))
		b |= AMD_V1_FC;
	if (prot & UIOMMU_PROT_READ)
		b |= AMD_V1_IR;
	if (prot & UIOMMU_PROT_WRITE)
		b |= AMD_V1_IW | (dirty ? AMD_V1_D : 0);
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_mk_leaf(uint64_t pa, unsigned lvl, unsigned run,
					     struct pt_attr a)
{
	uint64_t half = (uint64_t)1 << (12 + 9 * lvl + run) >> 1;

	if (!run)
		return pa | a.bits;
	return pa | a.bits | AMD_V1_NEXT(7) | ((half - 1) & AMD_V1_ADDR);
}

UIOMMU_ALWAYS_INLINE struct pt_attr amd_v1_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & AMD_V1_ATTR };
}

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_mk_table(uint64_t pa, unsigned lvl)
{
	return pa | AMD_V1_PR | AMD_V1_NEXT(lvl) | AMD_V1_IR | AMD_V1_IW;
}

UIOMMU_ALWAYS_INLINE bool amd_v1_is_dirty(uint64_t e)
{
	return e & AMD_V1_D;
}

UIOMMU_ALWAYS_INLINE uint64_t amd_v1_mk_clean(uint64_t e)
{
	return e & ~AMD_V1_D;
}

/* 4 KiB to 256 GiB, every power of two */
#define AMD_V1_PGSIZES (((uint64_t)1 << 39) - ((uint64_t)1 << 12))

#define AMD_V1								\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 5, .min_top = 2, \
	.feat = PT_GROW | PT_LINEAR | PT_RUN_SAME,			\
	.ias_min = 30, .ias_max = 64, .oas_min = 32, .oas_max = 52,	\
	.pgsizes = AMD_V1_PGSIZES,					\
	.prot = UIOMMU_PROT_ALL & ~UIOMMU_PROT_PRIV,			\
	.run_mask = AMD_V1_NEXT_MASK, .table_clean = AMD_V1_SW,		\
	.present = amd_v1_present, .leaf = amd_v1_leaf, .oa = amd_v1_oa, \
	.table = amd_v1_is_table, .next = amd_v1_next,			\
	.run = amd_v1_run, .attr = amd_v1_attr,				\
	.mk_leaf = amd_v1_mk_leaf, .get_attr = amd_v1_get_attr,		\
	.mk_table = amd_v1_mk_table, .is_dirty = amd_v1_is_dirty,	\
	.mk_clean = amd_v1_mk_clean

#endif
