/* SPDX-License-Identifier: MIT */
/*
 * pci.h - the parts of PCI configuration space that VFIO looks at
 */
#ifndef UIOMMU_SRC_VFIO_PCI_H
#define UIOMMU_SRC_VFIO_PCI_H

#define PCI_VENDOR_ID		0x00
#define PCI_DEVICE_ID		0x02
#define PCI_COMMAND		0x04
#define PCI_COMMAND_IO			0x0001u
#define PCI_COMMAND_MEMORY		0x0002u
#define PCI_COMMAND_MASTER		0x0004u
#define PCI_COMMAND_INTX_DISABLE	0x0400u
#define PCI_STATUS		0x06
#define PCI_STATUS_CAP_LIST		0x0010u
#define PCI_CACHE_LINE_SIZE	0x0c
#define PCI_LATENCY_TIMER	0x0d
#define PCI_BIST		0x0f
#define PCI_BAR0		0x10
#define PCI_BAR_END		0x28
#define PCI_BAR_IO			0x1u
#define PCI_BAR_64			0x4u
#define PCI_BAR_IO_FLAGS		0x3u
#define PCI_BAR_MEM_FLAGS		0xfu
#define PCI_ROM			0x30
#define PCI_ROM_ENABLE			0x1u
#define PCI_CAP_PTR		0x34
#define PCI_INTERRUPT_LINE	0x3c
#define PCI_INTERRUPT_PIN	0x3d
#define PCI_HEADER_BYTES	0x40
#define PCI_CFG_BYTES		0x100
#define PCI_CFG_MAX		0x1000

#define PCI_CAP_PM		0x01
#define PCI_PM_PMC		2
#define PCI_PM_PMC_PME			0xf800u
#define PCI_PM_CTRL		4
#define PCI_PM_CTRL_PME			0x8100u
#define PCI_CAP_VPD		0x03
#define PCI_CAP_MSI		0x05
#define PCI_MSI_FLAGS		2
#define PCI_MSI_FLAGS_ENABLE		0x0001u
#define PCI_MSI_FLAGS_QSIZE		0x0070u
#define PCI_MSI_FLAGS_64		0x0080u
#define PCI_MSI_FLAGS_MASKBIT		0x0100u
#define PCI_MSI_ADDRESS		4
#define PCI_CAP_VENDOR		0x09
#define PCI_CAP_EXP		0x10
#define PCI_EXP_DEVCAP		4
#define PCI_EXP_DEVCAP_FLR		0x10000000u
#define PCI_EXP_DEVCTL		8
#define PCI_EXP_DEVCTL_FLR		0x8000u
#define PCI_EXP_DEVCTL_READRQ		0x7000u
#define PCI_EXP_DEVCTL_PHANTOM		0x0200u
#define PCI_EXP_DEVCTL_PAYLOAD		0x00e0u
#define PCI_EXP_DEVCTL2		0x28
#define PCI_EXP_DEVCTL2_ARI		0x0020u
#define PCI_CAP_MSIX		0x11
#define PCI_MSIX_FLAGS		2
#define PCI_MSIX_FLAGS_QSIZE		0x07ffu
#define PCI_MSIX_TABLE		4
#define PCI_MSIX_TABLE_BIR		0x7u
#define PCI_CAP_AF		0x13

#define PCI_ECAP_ERR		0x01
#define PCI_ECAP_DSN		0x03
#define PCI_ECAP_PWR		0x04
#define PCI_ECAP_VENDOR		0x0b
#define PCI_ECAP_ARI		0x0e
#define PCI_ECAP_ATS		0x0f
#define PCI_ECAP_PRI		0x13
#define PCI_ECAP_LTR		0x18
#define PCI_ECAP_PASID		0x1b
#define PCI_PASID_CTRL		6
#define PCI_PRI_CTRL		0x04
#define PCI_PRI_ALLOCATION	0x0c
#define PCI_ECAP_DVSEC		0x23
#define PCI_ECAP_NEXT_MASK	0xfff00000u

#endif
