/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/entry.c - STE and CD as values
 *
 * Pure functions: what a domain, a device and a PASID come to in hardware's
 * format. Who puts the value into memory is writer.c, and it asks here which bits
 * hardware looks at. A bit that is set here and not reported as used would be
 * changed under hardware's eyes: tests/driver checks that there is none.
 */
#include "smmu.h"

#include "../pt/fmt/arm_lpae_regs.h"

static void zero(uint64_t *e)
{
	for (unsigned i = 0; i < SMMU_ENTRY_WORDS; i++)
		e[i] = 0;
}

#define PUT(e, f, v)	((e)[f##_WORD] |= FPREP(f, v))
#define ALL(e, f)	((e)[f##_WORD] |= FMASK(f))
#define GET(e, f)	FGET(f, (e)[f##_WORD])

static void ste_s1(uint64_t *ste, const struct smmu_ste_cfg *c)
{
	unsigned cache = c->coherent ? CACHE_WB : CACHE_NC;

	PUT(ste, STE_S1Fmt, c->s1fmt);
	ste[STE_S1ContextPtr_WORD] |= c->cdtab & FMASK(STE_S1ContextPtr);
	PUT(ste, STE_S1CDMax, c->cd_bits);
	PUT(ste, STE_S1DSS, c->s1dss);
	PUT(ste, STE_S1CIR, cache);
	PUT(ste, STE_S1COR, cache);
	PUT(ste, STE_S1CSH, c->coherent ? SH_ISH : SH_OSH);
	PUT(ste, STE_S1STALLD, c->no_stall);
	PUT(ste, STE_STRW, STE_STRW_NSEL1);
	if (c->s1dss == STE_S1DSS_BYPASS)
		PUT(ste, STE_SHCFG, SHCFG_INCOMING);
}

/*
 * Of a user's STE what it may say, and nothing that it may not: nested_init() let no
 * other bit in. MEV: a guest that faults without end fills no queue of ours.
 */
static void ste_user(uint64_t *ste, const struct smmu_ste_cfg *c)
{
	ste[0] |= c->user[0] & UIOMMU_SMMUV3_USER0_S1;
	ste[1] |= c->user[1] & UIOMMU_SMMUV3_USER1 & ~FMASK(STE_EATS);
	if (c->no_stall)
		PUT(ste, STE_S1STALLD, 1);
	PUT(ste, STE_MEV, 1);
}

/* SL0 counts the levels of a root upwards: with 4 KiB from level 2, else from 3. */
static unsigned sl0(const struct uiommu_pt *pt, const struct smmu_format *f)
{
	return f->granule_lg2 == 12 ? pt->top_level - 1 : pt->top_level;
}

/* S2R: faults are recorded. S2S stays 0: no stalls. S2PTW: a guest's table in device
 * memory is a fault. */
static void ste_s2(uint64_t *ste, const struct smmu_ste_cfg *c)
{
	const struct smmu_format *f = uiommu_smmuv3_format(c->s2);
	unsigned rgn = c->coherent ? ARM_LPAE_TCR_RGN_WBWA : ARM_LPAE_TCR_RGN_NC;
	bool dirty = c->s2->flags & UIOMMU_PT_DIRTY;

	PUT(ste, STE_SHCFG, SHCFG_INCOMING);
	PUT(ste, STE_S2VMID, c->vmid);
	PUT(ste, STE_S2T0SZ, ARM_LPAE_TCR_T0SZ(c->s2->ias_lg2));
	PUT(ste, STE_S2SL0, sl0(c->s2, f));
	PUT(ste, STE_S2IR0, rgn);
	PUT(ste, STE_S2OR0, rgn);
	PUT(ste, STE_S2SH0, c->coherent ? ARM_LPAE_TCR_SH_INNER : ARM_LPAE_TCR_SH_OUTER);
	PUT(ste, STE_S2TG, f->tg);
	PUT(ste, STE_S2PS, arm_lpae_ips(c->s2->oas_lg2));
	PUT(ste, STE_S2AA64, 1);
	PUT(ste, STE_S2PTW, 1);
	PUT(ste, STE_S2R, 1);
	PUT(ste, STE_S2HA, dirty);
	PUT(ste, STE_S2HD, dirty);
	ste[STE_S2TTB_WORD] |= port_virt_to_pa(c->s2->host, c->s2->top) & FMASK(STE_S2TTB);
}

/* Bits 0 and 1 of Config: stage 1, stage 2. */
static bool has_s1(unsigned config)
{
	return SMMU_STAGE1 && (config == STE_Config_S1 || config == STE_Config_S1_S2);
}

static bool has_s2(unsigned config)
{
	return config == STE_Config_S2 || config == STE_Config_S1_S2;
}

void uiommu_smmuv3_ste(uint64_t ste[STE_WORDS], const struct smmu_ste_cfg *c)
{
	zero(ste);
	PUT(ste, STE_V, 1);
	PUT(ste, STE_Config, c->config);
	if (c->config == STE_Config_BYPASS)
		PUT(ste, STE_SHCFG, SHCFG_INCOMING);
	if (has_s1(c->config) && c->user)
		ste_user(ste, c);
	else if (has_s1(c->config))
		ste_s1(ste, c);
	if (has_s2(c->config))
		ste_s2(ste, c);
	if (c->ats && (has_s1(c->config) || has_s2(c->config)))
		PUT(ste, STE_EATS, STE_EATS_TRANS);
}

/*
 * One table below TTB0; TTB1 is off. R: faults are recorded. A: they abort. S
 * stays 0: no stalls. ASET: the ASID is the SMMU's own, not one that it shares
 * with CPUs.
 */
void uiommu_smmuv3_cd(uint64_t cd[CD_WORDS], const struct uiommu_pt *pt, uint32_t asid,
		      bool coherent)
{
	unsigned rgn = coherent ? ARM_LPAE_TCR_RGN_WBWA : ARM_LPAE_TCR_RGN_NC;
	bool dirty = pt->flags & UIOMMU_PT_DIRTY;

	zero(cd);
	PUT(cd, CD_T0SZ, ARM_LPAE_TCR_T0SZ(pt->ias_lg2));
	PUT(cd, CD_TG0, uiommu_smmuv3_format(pt)->tg);
	PUT(cd, CD_IR0, rgn);
	PUT(cd, CD_OR0, rgn);
	PUT(cd, CD_SH0, coherent ? ARM_LPAE_TCR_SH_INNER : ARM_LPAE_TCR_SH_OUTER);
	PUT(cd, CD_EPD1, 1);
	PUT(cd, CD_IPS, arm_lpae_ips(pt->oas_lg2));
	PUT(cd, CD_AA64, 1);
	PUT(cd, CD_HA, dirty);
	PUT(cd, CD_HD, dirty);
	PUT(cd, CD_R, 1);
	PUT(cd, CD_A, 1);
	PUT(cd, CD_ASET, 1);
	PUT(cd, CD_ASID, asid);
	PUT(cd, CD_V, 1);
	cd[CD_TTB0_WORD] |= port_virt_to_pa(pt->host, pt->top) & FMASK(CD_TTB0);
	PUT(cd, CD_MAIR, ARM_LPAE_MAIR);
}

/* What the architecture calls the attributes of traffic that is not translated. */
static void used_override(uint64_t *used)
{
	ALL(used, STE_MemAttr);
	ALL(used, STE_MTCFG);
	ALL(used, STE_ALLOCCFG);
	ALL(used, STE_SHCFG);
	ALL(used, STE_NSCFG);
	ALL(used, STE_PRIVCFG);
	ALL(used, STE_INSTCFG);
}

static void used_s1(const uint64_t *ste, uint64_t *used)
{
	ALL(used, STE_S1Fmt);
	ALL(used, STE_S1ContextPtr);
	ALL(used, STE_S1CDMax);
	ALL(used, STE_S1DSS);
	ALL(used, STE_S1CIR);
	ALL(used, STE_S1COR);
	ALL(used, STE_S1CSH);
	ALL(used, STE_S1MPAM);
	ALL(used, STE_S1PIE);
	ALL(used, STE_S1STALLD);
	ALL(used, STE_STRW);
	ALL(used, STE_EATS);
	ALL(used, STE_MEV);
	ALL(used, STE_S2VMID);		/* tags stage 1 too (IHI 0070, 5.2) */
	if (GET(ste, STE_S1DSS) == STE_S1DSS_BYPASS)
		used_override(used);
}

static void used_s2(uint64_t *used)
{
	ALL(used, STE_S2FWB);
	ALL(used, STE_EATS);
	ALL(used, STE_MEV);
	used_override(used);
	used[2] = ~(uint64_t)0;
	used[3] = ~(uint64_t)0;
}

void uiommu_smmuv3_ste_used(const uint64_t *ste, uint64_t *used)
{
	zero(used);
	ALL(used, STE_V);
	if (!GET(ste, STE_V))
		return;
	ALL(used, STE_Config);
	if (GET(ste, STE_Config) == STE_Config_BYPASS)
		used_override(used);
	if (has_s1(GET(ste, STE_Config)))
		used_s1(ste, used);
	if (has_s2(GET(ste, STE_Config)))
		used_s2(used);
}

void uiommu_smmuv3_cd_used(const uint64_t *cd, uint64_t *used)
{
	zero(used);
	ALL(used, CD_V);
	if (!GET(cd, CD_V))
		return;
	for (unsigned i = 0; i < CD_WORDS; i++)
		used[i] = ~(uint64_t)0;
	if (!GET(cd, CD_EPD0))
		return;
	/* the walk below TTB0 is off: nobody looks at how it would be done */
	used[0] &= ~(FMASK(CD_T0SZ) | FMASK(CD_TG0) | FMASK(CD_IR0) | FMASK(CD_OR0) |
		     FMASK(CD_SH0));
	used[CD_TTB0_WORD] &= ~FMASK(CD_TTB0);
}

/*
 * MEV only merges event records. EATS: between "abort" and "translate", as nothing
 * but ATS requests looks at it; split-stage ATS and stalling stage 2 make it part
 * of the whole, then it is changed like any other field.
 */
void uiommu_smmuv3_ste_safe(const uint64_t *from, const uint64_t *to, uint64_t *safe)
{
	zero(safe);
	ALL(safe, STE_MEV);
	if (GET(from, STE_EATS) == STE_EATS_S1CHK || GET(to, STE_EATS) == STE_EATS_S1CHK ||
	    GET(from, STE_S2S) || GET(to, STE_S2S))
		return;
	PUT(safe, STE_EATS, STE_EATS_TRANS);
}
