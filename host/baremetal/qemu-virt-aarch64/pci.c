/* SPDX-License-Identifier: MIT */
/* pci.c - bus 0 through ECAM, and QEMU's edu device on it */
#include "board.h"

#define ECAM	0x4010000000ull

#define PCI_COMMAND	0x04
#define PCI_BAR0	0x10
#define PCI_CAPS	0x34
#define PCI_CAP_MSI	0x05

static volatile uint32_t *cfg(unsigned bdf, unsigned off)
{
	return (volatile uint32_t *)(uintptr_t)(ECAM + ((uint64_t)bdf << 12) + off);
}

static unsigned find_cap(unsigned bdf, unsigned id)
{
	unsigned at = *cfg(bdf, PCI_CAPS) & 0xfc;

	while (at && (*cfg(bdf, at) & 0xff) != id)
		at = *cfg(bdf, at) >> 8 & 0xfc;
	return at;
}

static bool set_up(struct edu *edu, unsigned bdf)
{
	edu->bdf = bdf;
	edu->bar = (volatile uint32_t *)(uintptr_t)PCI_MMIO;
	edu->msi = find_cap(bdf, PCI_CAP_MSI);
	*cfg(bdf, PCI_BAR0) = (uint32_t)PCI_MMIO;
	*cfg(bdf, PCI_COMMAND) = 6;			/* memory, bus master */
	/* its identification register: 0xRRrr00ed */
	return edu->msi && (edu->bar[0] & 0xffff) == 0x00ed;
}

bool edu_find(struct edu *edu)
{
	for (unsigned bdf = 0; bdf < 256; bdf++)
		if (*cfg(bdf, 0) == 0x11e81234)
			return set_up(edu, bdf);
	return false;
}

/* MSI with a 64-bit address: control, address, address high, data. */
void edu_dma_write(const struct edu *edu, uint64_t iova, uint16_t data)
{
	uint32_t control = *cfg(edu->bdf, edu->msi);

	*cfg(edu->bdf, edu->msi + 4) = (uint32_t)iova;
	*cfg(edu->bdf, edu->msi + 8) = (uint32_t)(iova >> 32);
	*cfg(edu->bdf, edu->msi + 12) = data;
	*cfg(edu->bdf, edu->msi) = control | 1u << 16;	/* enable */
	__asm__ volatile("dsb sy" : : : "memory");
	edu->bar[0x60 / 4] = 1;				/* raise */
	edu->bar[0x64 / 4] = 1;				/* acknowledge */
	*cfg(edu->bdf, edu->msi) = control & ~(1u << 16);
	__asm__ volatile("dsb sy" : : : "memory");
}
