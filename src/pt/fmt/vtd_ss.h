/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/vtd_ss.h - VT-d second-stage page tables (Intel Virtualization
 * Technology for Directed I/O, "second-stage paging entries")
 *
 * An entry is present if it allows reading or writing; the two are apart. Execution
 * is not controlled unless hardware is told so, and we do not tell: EXEC is taken and
 * does nothing. A and D mean something with second-stage access/dirty enabled
 * only.
 */
#ifndef UIOMMU_PT_VTD_SS_H
#define UIOMMU_PT_VTD_SS_H

#include "../desc.h"

#define VTD_SS_R	((uint64_t)1 << 0)
#define VTD_SS_W	((uint64_t)1 << 1)
#define VTD_SS_PS	((uint64_t)1 << 7)	/* above level 0: a page, not a table */
#define VTD_SS_A	((uint64_t)1 << 8)
#define VTD_SS_D	((uint64_t)1 << 9)
#define VTD_SS_ADDR	(((uint64_t)1 << 52) - ((uint64_t)1 << 12))
#define VTD_SS_SW	((uint64_t)1 << 52)	/* ignored by hardware */
#define VTD_SS_ATTR	(VTD_SS_R | VTD_SS_W | VTD_SS_A | VTD_SS_D)

UIOMMU_ALWAYS_INLINE uint64_t vtd_ss_present(uint64_t e)
{
	return e | e >> 1;
}

UIOMMU_ALWAYS_INLINE bool vtd_ss_leaf(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & VTD_SS_PS;
}

/* R, W or both, and not PS */
UIOMMU_ALWAYS_INLINE bool vtd_ss_is_table(uint64_t e)
{
	return (e & (VTD_SS_R | VTD_SS_W | VTD_SS_PS)) - 1 < (VTD_SS_R | VTD_SS_W);
}

UIOMMU_ALWAYS_INLINE uint64_t vtd_ss_oa(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return e & VTD_SS_ADDR;
}

/* Without dirty tracking A and D stay 0: hardware then neither reads nor writes them. */
UIOMMU_ALWAYS_INLINE struct pt_attr vtd_ss_attr(unsigned prot, bool dirty)
{
	uint64_t b = 0;

	if (prot & UIOMMU_PROT_READ)
		b |= VTD_SS_R;
	if (prot & UIOMMU_PROT_WRITE)
		b |= VTD_SS_W | (dirty ? VTD_SS_D : 0);
	if (dirty)
		b |= VTD_SS_A;
	return (struct pt_attr){ b };
}

UIOMMU_ALWAYS_INLINE uint64_t vtd_ss_mk_leaf(uint64_t pa, unsigned lvl, unsigned run,
					     struct pt_attr a)
{
	(void)run;
	return pa | a.bits | (lvl ? VTD_SS_PS : 0);
}

UIOMMU_ALWAYS_INLINE struct pt_attr vtd_ss_get_attr(uint64_t e, unsigned lvl)
{
	(void)lvl;
	return (struct pt_attr){ e & VTD_SS_ATTR };
}

UIOMMU_ALWAYS_INLINE uint64_t vtd_ss_mk_table(uint64_t pa, unsigned lvl)
{
	(void)lvl;
	return pa | VTD_SS_R | VTD_SS_W;
}

UIOMMU_ALWAYS_INLINE bool vtd_ss_is_dirty(uint64_t e)
{
	return e & VTD_SS_D;
}

UIOMMU_ALWAYS_INLINE uint64_t vtd_ss_mk_clean(uint64_t e)
{
	return e & ~VTD_SS_D;
}

#define VTD_SS_PGSIZES ((uint64_t)1 << 12 | (uint64_t)1 << 21 | (uint64_t)1 << 30)

/* Three, four or five levels: an input size between is held by the next. */
#define VTD_SS								\
	.granule_lg2 = 12, .index_bits = 9, .max_level = 4, .min_top = 2, \
	.feat = PT_LINEAR, .ias_min = 30, .ias_max = 57,		\
	.oas_min = 32, .oas_max = 52, .pgsizes = VTD_SS_PGSIZES,	\
	.prot = UIOMMU_PROT_ALL & ~UIOMMU_PROT_PRIV,			\
	.table_clean = VTD_SS_SW,					\
	.present = vtd_ss_present, .leaf = vtd_ss_leaf, .oa = vtd_ss_oa, \
	.table = vtd_ss_is_table,					\
	.attr = vtd_ss_attr, .mk_leaf = vtd_ss_mk_leaf,			\
	.get_attr = vtd_ss_get_attr, .mk_table = vtd_ss_mk_table,	\
	.is_dirty = vtd_ss_is_dirty, .mk_clean = vtd_ss_mk_clean

#endif
