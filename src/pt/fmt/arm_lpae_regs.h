/* SPDX-License-Identifier: MIT */
/*
 * src/pt/fmt/arm_lpae_regs.h - the numbers of the Arm long descriptor format
 * (Arm ARM, "VMSAv8-64 translation table format descriptors") that the table
 * code and the driver which programs MAIR and TCR must agree on.
 */
#ifndef UIOMMU_PT_ARM_LPAE_REGS_H
#define UIOMMU_PT_ARM_LPAE_REGS_H

#include <stdint.h>

/* descriptor types, bits 1:0 */
#define ARM_LPAE_VALID		((uint64_t)1 << 0)
#define ARM_LPAE_TYPE_MASK	((uint64_t)3)
#define ARM_LPAE_TYPE_BLOCK	((uint64_t)1)	/* above the last level */
#define ARM_LPAE_TYPE_TABLE	((uint64_t)3)	/* above the last level */
#define ARM_LPAE_TYPE_PAGE	((uint64_t)3)	/* at the last level */
#define ARM_LPAE_NOT_BLOCK	((uint64_t)2)	/* above the last level: a table */

/* lower and upper attributes of a stage 1 leaf */
#define ARM_LPAE_ATTRINDX(n)	((uint64_t)(n) << 2)
#define ARM_LPAE_AP_UNPRIV	((uint64_t)1 << 6)	/* AP[1]: unprivileged too */
#define ARM_LPAE_AP_RDONLY	((uint64_t)1 << 7)	/* AP[2] */
#define ARM_LPAE_SH_OUTER	((uint64_t)2 << 8)
#define ARM_LPAE_SH_INNER	((uint64_t)3 << 8)
#define ARM_LPAE_AF		((uint64_t)1 << 10)
#define ARM_LPAE_NG		((uint64_t)1 << 11)	/* tagged with the ASID */
#define ARM_LPAE_SH_MASK	((uint64_t)3 << 8)
#define ARM_LPAE_DBM		((uint64_t)1 << 51)	/* hardware marks writes */
#define ARM_LPAE_CONTIG		((uint64_t)1 << 52)
#define ARM_LPAE_PXN		((uint64_t)1 << 53)
#define ARM_LPAE_UXN		((uint64_t)1 << 54)
/* bits 58:55 are left to software in leaves, and ignored in table entries */
#define ARM_LPAE_SW_CLEAN	((uint64_t)1 << 55)

/* of a stage 2 leaf, where it differs */
#define ARM_LPAE_S2_MEM_DEVICE	((uint64_t)0x1 << 2)	/* MemAttr: Device-nGnRE */
#define ARM_LPAE_S2_MEM_NORMAL	((uint64_t)0xf << 2)	/* write-back, inner and outer */
#define ARM_LPAE_S2AP_READ	((uint64_t)1 << 6)
#define ARM_LPAE_S2AP_WRITE	((uint64_t)1 << 7)
#define ARM_LPAE_S2_XN		((uint64_t)1 << 54)

/* everything of a leaf that is neither type, contiguous bit, address nor software's */
#define ARM_LPAE_ATTR_MASK	((uint64_t)0x68 << 48 | 0xffc)

/* output and next-table address: bits [lo, hi), and where the bits above are */
#define ARM_LPAE_ADDR_MASK(lo, hi) \
	(((uint64_t)1 << (hi)) - ((uint64_t)1 << (lo)))
#define ARM_LPAE_64K_HIGH	((uint64_t)0xf << 12)	/* OA[51:48], 64 KiB granule */
#define ARM_LPAE_DS_HIGH	((uint64_t)3 << 8)	/* OA[51:50], 4 and 16 KiB with DS */

/*
 * The AttrIndx convention of every stage 1 table made here. Whoever points
 * hardware at one must load exactly this into MAIR (SMMUv3: CD.MAIR0, 32 bits;
 * the other indices are not used):
 *   Attr0  Normal, write-back, read- and write-allocate, inner and outer
 *   Attr1  Device-nGnRE: doorbells and other registers (UIOMMU_PROT_MMIO)
 */
#define ARM_LPAE_ATTR_NORMAL	0
#define ARM_LPAE_ATTR_DEVICE	1
#define ARM_LPAE_MAIR		((uint64_t)0xff << (8 * ARM_LPAE_ATTR_NORMAL) | \
				 (uint64_t)0x04 << (8 * ARM_LPAE_ATTR_DEVICE))

/*
 * TCR field values (CD word 0 on SMMUv3). T0SZ is 64 - ias_lg2. The walk's own
 * cacheability follows the IOMMU: write-back where it sees CPU caches, else
 * non-cacheable (host->cache_clean then brings the entries to memory).
 */
#define ARM_LPAE_TCR_T0SZ(ias_lg2)	(64u - (ias_lg2))
#define ARM_LPAE_TCR_TG0_4K		0u
#define ARM_LPAE_TCR_TG0_64K		1u
#define ARM_LPAE_TCR_TG0_16K		2u
#define ARM_LPAE_TCR_RGN_NC		0u	/* IRGN0, ORGN0 */
#define ARM_LPAE_TCR_RGN_WBWA		1u
#define ARM_LPAE_TCR_SH_OUTER		2u	/* SH0 */
#define ARM_LPAE_TCR_SH_INNER		3u

/* IPS / OAS encoding of an output size; the largest that does not exceed it */
static inline unsigned arm_lpae_ips(unsigned oas_lg2)
{
	return oas_lg2 >= 52 ? 6 : oas_lg2 >= 48 ? 5 : oas_lg2 >= 44 ? 4 :
	       oas_lg2 >= 42 ? 3 : oas_lg2 >= 40 ? 2 : oas_lg2 >= 36 ? 1 : 0;
}

#endif
