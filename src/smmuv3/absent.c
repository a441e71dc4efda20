/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/absent.c - what stands in for files that are left out
 *
 * A hypervisor that wants stage 2 and nothing else leaves out what is listed in SMALL,
 * says -DUIOMMU_CONFIG_STAGE2_ONLY, and compiles this file instead. What it then asks
 * for in vain is refused as on hardware that has no such thing. Not in SOURCES: with
 * those files it is one too many.
 */
#include "smmu.h"

#include "../core/core.h"

/* ---- page requests and stalls ---- */

int uiommu_iopf_create(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg)
{
	return 0;
}

void uiommu_iopf_destroy(struct uiommu_dev *dev)
{
}

void uiommu_iopf_drain(struct uiommu_dev *dev, uiommu_pasid_t pasid,
		       const struct uiommu_domain *dom)
{
}

void uiommu_smmuv3_drain_faults(struct uiommu_iommu *iommu)
{
}

int uiommu_smmuv3_page_response(struct uiommu_iommu *iommu, const struct uiommu_page_request *r,
				enum uiommu_page_response code)
{
	return -UIOMMU_EOPNOTSUPP;
}

void uiommu_smmuv3_priq_drain(struct smmu *s)
{
}

bool uiommu_smmuv3_stalled(struct smmu *s, const struct uiommu_fault *f)
{
	return false;
}

/* ---- nesting, SVA, PASIDs that the instance gives out ---- */

void uiommu_nested_forget(struct uiommu_domain *dom)
{
}

void uiommu_nested_left(struct uiommu_domain *dom)
{
}

void uiommu_vdevice_end(struct uiommu_vdevice *vd)
{
}

void uiommu_viommu_end_all(struct uiommu *u, const struct uiommu_iommu *iommu)
{
}

bool uiommu_viommu_tell(const struct uiommu_fault *f)
{
	return false;
}

unsigned uiommu_smmuv3_nested_config(const struct uiommu_domain *dom)
{
	return STE_Config_ABORT;
}

int uiommu_smmuv3_nested_init(struct uiommu_domain *dom, struct uiommu_dev *dev,
			      const struct uiommu_user_data *user)
{
	return -UIOMMU_EOPNOTSUPP;
}

bool uiommu_smmuv3_has_viommu(const struct uiommu_iommu *iommu, unsigned type)
{
	return false;
}

size_t uiommu_smmuv3_viommu_event(const struct uiommu_vdevice *vd, const struct uiommu_fault *f,
				  unsigned *type, uint64_t record[UIOMMU_RECORD_WORDS])
{
	return 0;
}

int uiommu_smmuv3_viommu_invalidate(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
				    size_t n, size_t *handled)
{
	return -UIOMMU_EOPNOTSUPP;
}

void uiommu_sva_device_gone(struct uiommu_dev *dev)
{
}

void uiommu_sva_free_all(struct uiommu *u)
{
}

void uiommu_pasid_free_all(struct uiommu *u)
{
}

/* ---- ATS ---- */

void uiommu_smmuv3_atc_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
}

bool uiommu_smmuv3_ats_usable(const struct smmu_master *m)
{
	return false;
}

void uiommu_smmuv3_ats_before(struct smmu_master *m, uiommu_pasid_t pasid, bool want)
{
}

void uiommu_smmuv3_ats_after(struct smmu_master *m, uiommu_pasid_t pasid, bool want, bool fresh)
{
}

void uiommu_smmuv3_ats_hold(struct smmu_master *m)
{
}

void uiommu_smmuv3_set_state(struct uiommu_dev *dev, unsigned on, unsigned off)
{
}

void uiommu_smmuv3_new_life(struct uiommu_dev *dev)
{
	(void)dev;
}

bool uiommu_smmuv3_quarantined(const struct uiommu_dev *dev)
{
	return false;
}

/* ---- CD tables: a device has one without entries, and shares it with nobody ---- */

int uiommu_smmuv3_cdtab_join(struct smmu_master *m, struct smmu_master *sharer)
{
	m->cdtab = host_alloc(m->smmu->host, sizeof(*m->cdtab));
	if (!m->cdtab)
		return -UIOMMU_ENOMEM;
	m->cdtab->masters = m;
	return sharer ? -UIOMMU_ENOMEM : 0;
}

void uiommu_smmuv3_cdtab_leave(struct smmu_master *m)
{
	host_free(m->smmu->host, m->cdtab, sizeof(*m->cdtab));
}

int uiommu_smmuv3_cdtab_reserve(struct smmu_master *m, uiommu_pasid_t pasid)
{
	return pasid == UIOMMU_NO_PASID ? 0 : -UIOMMU_EINVAL;
}

uint64_t *uiommu_smmuv3_cdtab_entry(const struct smmu_master *m, uiommu_pasid_t pasid)
{
	return NULL;
}

bool uiommu_smmuv3_cdtab_unlinked(const struct smmu_master *m, uiommu_pasid_t pasid)
{
	return true;
}

int uiommu_smmuv3_cdtab_link(struct smmu_master *m, uiommu_pasid_t pasid)
{
	return 0;
}

size_t uiommu_smmuv3_cdtab_size(const struct smmu_master *m)
{
	return 0;
}

void uiommu_smmuv3_cd_of(uint64_t cd[CD_WORDS], const struct smmu_master *m,
			 const struct uiommu_link *link)
{
}

/* ---- queues for VMs ---- */

int uiommu_smmuv3_cmdqv_init(struct smmu *s, const struct uiommu_smmuv3_config *cfg, unsigned lg2)
{
	return 0;
}

void uiommu_smmuv3_cmdqv_fini(struct smmu *s)
{
}

int uiommu_smmuv3_cmdqv_start(struct smmu *s)
{
	return 0;
}

int uiommu_smmuv3_cmdqv_stop(struct smmu *s)
{
	return 0;
}

int uiommu_smmuv3_cmdqv_start_irq(struct smmu *s)
{
	return 0;
}

void uiommu_smmuv3_cmdqv_stop_irq(struct smmu *s)
{
}

void uiommu_smmuv3_cmdqv_errors(struct smmu *s)
{
}

bool uiommu_smmuv3_cmdqv_info(const struct smmu *s, unsigned type, struct uiommu_hw_info *out)
{
	return false;
}
