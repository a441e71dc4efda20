/* SPDX-License-Identifier: MIT */
/* internal.h - what the files of this room share */
#ifndef UIOMMU_SIM_DEV_INTERNAL_H
#define UIOMMU_SIM_DEV_INTERNAL_H

#include <uiommu/sim/dev.h>

/* PCI config space, type 0 header: byte offsets and bits */
#define PCI_IDS			0x00
#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	0x0002
#define PCI_COMMAND_MASTER	0x0004
#define PCI_COMMAND_WRITABLE	0x0546	/* memory, master, parity, SERR, INTx disable */
#define PCI_STATUS		0x06
#define PCI_STATUS_CAP_LIST	0x0010
#define PCI_CLASS_REV		0x08
#define PCI_CACHE_LINE		0x0c
#define PCI_BAR0		0x10
#define PCI_SUBSYSTEM_IDS	0x2c
#define PCI_CAP_POINTER		0x34
#define PCI_INTERRUPT_LINE	0x3c

#define PCI_BAR_64		0x4u
#define PCI_BAR_PREFETCH	0x8u

#define PCI_CAP_ID_MSI		0x05
#define MSI_CONTROL		0x02
#define MSI_CONTROL_ENABLE	0x0001
#define MSI_CONTROL_MMC_SHIFT	1
#define MSI_CONTROL_MME_SHIFT	4
#define MSI_CONTROL_MME		0x0070
#define MSI_CONTROL_64		0x0080
#define MSI_ADDR_LO		0x04
#define MSI_ADDR_HI		0x08
#define MSI_DATA		0x0c
#define MSI_BYTES		0x0e

#define PCI_CAP_ID_EXP		0x10
#define EXP_FLAGS		0x02
#define EXP_FLAGS_ENDPOINT_V2	0x0002
#define EXP_DEVCAP		0x04
#define EXP_DEVCAP_RBER		0x00008000u
#define EXP_DEVCAP_FLR		0x10000000u
#define EXP_DEVCTL		0x08
#define EXP_DEVCTL_WRITABLE	0x7dff
#define EXP_DEVCTL_FLR		0x8000
#define EXP_BYTES		0x3c

#define PCI_EXT_CAP_ID_PASID	0x001b
#define PASID_CAP		0x04
#define PASID_CAP_WIDTH_SHIFT	8
#define PASID_CTRL		0x06
#define PASID_CTRL_ENABLE	0x0001
#define PASID_BYTES		0x08

#define PCI_EXT_CAP_ID_ATS	0x000f
#define ATS_CAP			0x04
#define ATS_CAP_PAGE_ALIGNED	0x0020
#define ATS_CAP_GLOBAL		0x0040
#define ATS_CTRL		0x06
#define ATS_CTRL_WRITABLE	0x801f	/* Enable, Smallest Translation Unit */
#define ATS_BYTES		0x08

#define PCI_EXT_CAP_ID_PRI	0x0013
#define PRI_CTRL		0x04
#define PRI_CTRL_ENABLE		0x0001
#define PRI_CTRL_RESET		0x0002
#define PRI_STATUS		0x06
#define PRI_STATUS_RF		0x0001	/* Response Failure */
#define PRI_STATUS_STOPPED	0x0100
#define PRI_STATUS_PASID	0x8000	/* PRG Response PASID Required */
#define PRI_CAPACITY		0x08
#define PRI_ALLOCATION		0x0c
#define PRI_BYTES		0x10

uint32_t uiommu_sim_cfg_peek(const struct uiommu_sim_dev *d, unsigned off, unsigned size);
void uiommu_sim_cfg_poke(uint8_t *where, unsigned off, uint32_t val, unsigned size);

static inline void sim_lock(const struct uiommu_sim_dev *d)
{
	if (d->bus->lock)
		d->bus->lock(d->bus->ctx);
}

static inline void sim_unlock(const struct uiommu_sim_dev *d)
{
	if (d->bus->unlock)
		d->bus->unlock(d->bus->ctx);
}

static inline void sim_kick(const struct uiommu_sim_dev *d)
{
	if (d->bus->kick)
		d->bus->kick(d->bus->ctx);
}

#endif
