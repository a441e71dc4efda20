/* SPDX-License-Identifier: MIT */
/* src/smmuv3/sva.c - CDs of tables that are shared with CPUs, or filled on demand */
#include "smmu.h"

/*
 * The table is gone. EPD0: it is not walked, every access faults; R and S clear: without
 * an event and without waiting, since that is what a process that ended leaves behind.
 * The ASID stays until it is detached.
 */
static void make_dead(uint64_t *cd)
{
	cd[0] &= ~(FMASK(CD_T0SZ) | FMASK(CD_TG0) | FMASK(CD_IR0) | FMASK(CD_OR0) |
		   FMASK(CD_SH0) | FMASK(CD_R) | FMASK(CD_S));
	cd[CD_EPD0_WORD] |= FPREP(CD_EPD0, 1);
	cd[CD_TTB0_WORD] &= ~FMASK(CD_TTB0);
}

void uiommu_smmuv3_cd_of(uint64_t cd[CD_WORDS], const struct smmu_master *m,
			 const struct uiommu_link *link)
{
	const struct uiommu_domain *dom = link->dom;

	uiommu_smmuv3_cd(cd, &dom->pt, link->tag, m->smmu->caps.coherent);
	if (dom->iopf && m->dev->can_stall)
		cd[CD_S_WORD] |= FPREP(CD_S, 1);
	if (dom->sva.mair)
		cd[CD_MAIR_WORD] = dom->sva.mair;
	if (link->tag == dom->sva.asid)		/* as CPUs use it for the same table */
		cd[CD_ASET_WORD] &= ~FMASK(CD_ASET);
	if (dom->dead)
		make_dead(cd);
}
