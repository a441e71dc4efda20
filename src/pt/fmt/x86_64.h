/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/x86_64.h - x86-64 page tables (Intel SDM volume 3, "4-level and 5-level
 * paging"), which are also VT-d's first stage and AMD's v2
 *
 * Device accesses are a user's unless they say otherwise, so leaves and tables carry
 * U/S. There is no write-only: WRITE allows reading too. A and D are set beforehand;
 * with dirty tracking D is hardware's. Device memory needs no mark of its own: the
 * memory type comes from the platform.
 */
#ifndef UIOMMU_PT_X86_64_H
#define UIOMMU_PT_X86_64_H

#include "../desc.h"

#define X86_64_P	((uint64_t)1 << 0)
#define X86_64_RW	((uint64_t)1 << 1)
#define X86_64_US	((uint64_t)1 << 2)
#define X86_64_A	((uint64_t)1 << 5)
#define X86_64_D	((uint64_t)1 << 6)
#define X86_64_PS	((uint64_t)1 << 7)	/* above level 0: a page, not a table */
#define X86_64_SW	((uint64_t)1 << 9)	/* left to software in all entries */
#define X86_64_ADDR	(((uint64_t)1 << 52) - ((uint64_t)1 << 12))
#define X86_64_XD	((uint64_t)1 << 63)
#define X86_64_ATTR	(X86_64_P | X86_64_RW | X86_64_US | X86_64_A | X86_64_D | X86_64_XD)

UIOMMU_ALWAYS_INLINE uint64_t x86_64_present(uint64_t e)
{
	return e;
}

UIOMMU_ALWAYS_INLINE bool x86_64_leaf(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & X86_64_PS;
}

UIOMMU_ALWAYS_INLINE bool x86_64_is_table(uint64_t e)
{
	return (e & (X86_64_P | X86_64_PS)) == X86_64_P;
}

UIOMMU_ALWAYS_INLINE uint64_t x86_64_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & X86_64_ADDR;
}

UIOMMU_ALWAYS_INLINE struct pt_attr x86_64_attr(unsigned prot, bool dirty)
{
	uint64_t b = X86_64_P | X86_64_A;

	(void)dirty;
	if (prot & UIOMMU_PROT_WRITE)
		b |= X86_64_RW | X86_64_D;
	if (!(prot & UIOMMU_PROT_PRIV))
		b |= X86_64_US;
	if (!(prot & UIOMMU_PROT_EXEC))
		b |= X86_64_XD;
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE uint64_t x86_64_mk_leaf(uint64_t pa, unsigned lvl, unsigned run,
					     struct pt_attr a)
{
	(void)run;
	return pa | a.bits | (lvl ? X86_64_PS : 0);
}

UIOMMU_ALWAYS_INLINE struct pt_attr x86_64_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & X86_64_ATTR };
}

UIOMMU_ALWAYS_INLINE uint64_t x86_64_mk_table(uint64_t pa, unsigned lvl)
{
	(void)lvl;
	return pa | X86_64_P | X86_64_RW | X86_64_US | X86_64_A;
}

UIOMMU_ALWAYS_INLINE bool x86_64_is_dirty(uint64_t e)
{
	return e & X86_64_D;
}

UIOMMU_ALWAYS_INLINE uint64_t x86_64_mk_clean(uint64_t e)
{
	return e & ~X86_64_D;
}

#define X86_64_PGSIZES ((uint64_t)1 << 12 | (uint64_t)1 << 21 | (uint64_t)1 << 30)

#define X86_64_4_5_LEVEL						\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 4, .min_top = 3, \
	.feat = PT_SIGN_EXT | PT_LINEAR, .ias_min = 48, .ias_max = 57,	\
	.ias_only = (uint64_t)1 << 48 | (uint64_t)1 << 57,		\
	.oas_min = 32, .oas_max = 52, .pgsizes = X86_64_PGSIZES,	\
	.prot = UIOMMU_PROT_ALL, .table_clean = X86_64_SW,		\
	.present = x86_64_present, .leaf = x86_64_leaf, .oa = x86_64_oa, \
	.table = x86_64_is_table,					\
	.attr = x86_64_attr, .mk_leaf = x86_64_mk_leaf,			\
	.get_attr = x86_64_get_attr, .mk_table = x86_64_mk_table,	\
	.is_dirty = x86_64_is_dirty, .mk_clean = x86_64_mk_clean

#endif
