/* SPDX-License-Identifier: MIT */
/* edu.c - QEMU's teaching device: its MSI, and its DMA engine */
#include "board.h"

#define PCI_CAP_MSI	0x05
#define BUFFER		0x40000u	/* of the engine, in the device */

static void barrier(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

bool edu_find(struct edu *edu)
{
	int rid = pci_find(0x1234, 0x11e8);

	if (rid < 0)
		return false;
	edu->rid = (unsigned)rid;
	edu->sid = pci_stream_id(edu->rid);
	edu->bar = pci_bar0(edu->rid);
	edu->msi = pci_cap(edu->rid, PCI_CAP_MSI);
	/* its identification register: 0xRRrr00ed */
	return edu->msi && (edu->bar[0] & 0xffff) == 0x00ed;
}

/* MSI with a 64-bit address: control, address, address high, data. */
void edu_dma_write(const struct edu *edu, uint64_t iova, uint16_t data)
{
	uint32_t control = *pci_cfg(edu->rid, edu->msi);

	*pci_cfg(edu->rid, edu->msi + 4) = (uint32_t)iova;
	*pci_cfg(edu->rid, edu->msi + 8) = (uint32_t)(iova >> 32);
	*pci_cfg(edu->rid, edu->msi + 12) = data;
	*pci_cfg(edu->rid, edu->msi) = control | 1u << 16;	/* enable */
	barrier();
	edu->bar[0x60 / 4] = 1;				/* raise */
	edu->bar[0x64 / 4] = 1;				/* acknowledge */
	*pci_cfg(edu->rid, edu->msi) = control & ~(1u << 16);
	barrier();
}

static void run(const struct edu *edu, uint64_t from, uint64_t to, unsigned bytes, unsigned cmd)
{
	volatile uint64_t *dma = (volatile uint64_t *)&edu->bar[0x80 / 4];

	barrier();
	dma[0] = from;
	dma[1] = to;
	dma[2] = bytes;
	dma[3] = cmd | 1;
	while (dma[3] & 1)
		;
	barrier();
}

void edu_dma_load(const struct edu *edu, uint64_t iova, unsigned bytes)
{
	run(edu, iova, BUFFER, bytes, 0);
}

void edu_dma_store(const struct edu *edu, uint64_t iova, unsigned bytes)
{
	run(edu, BUFFER, iova, bytes, 2);
}
