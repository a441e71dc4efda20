/* SPDX-License-Identifier: MIT */
/* pci.c - the buses behind an ECAM: numbers, BARs, bus mastering */
#include "board.h"

#define PCI_COMMAND	0x04
#define PCI_HEADER	0x0c		/* its type is byte 2 of this word */
#define PCI_BAR0	0x10
#define PCI_BUSES	0x18		/* of a bridge */
#define PCI_MEMORY	0x20
#define PCI_PREFETCH	0x24
#define PCI_CAPS	0x34
#define BRIDGE_ALIGN	(1ull << 20)

static uint64_t next_bar;		/* BARs are placed downwards from the window's end */
static unsigned last_bus;

volatile uint32_t *pci_cfg(unsigned rid, unsigned off)
{
	return (volatile uint32_t *)(uintptr_t)(board.ecam + ((uint64_t)rid << 12) + off);
}

static bool present(unsigned rid)
{
	return (uint64_t)(rid + 1) << 12 <= board.ecam_bytes &&
	       (*pci_cfg(rid, 0) & 0xffff) != 0xffff;
}

unsigned pci_cap(unsigned rid, unsigned id)
{
	unsigned at = *pci_cfg(rid, PCI_CAPS) & 0xfc;

	while (at && (*pci_cfg(rid, at) & 0xff) != id)
		at = *pci_cfg(rid, at) >> 8 & 0xfc;
	return at;
}

/* Returns how many BARs it takes: a 64-bit one takes two. */
static unsigned place_bar(unsigned rid, unsigned off)
{
	volatile uint32_t *bar = pci_cfg(rid, off);
	bool wide = (*bar & 6) == 4;
	uint32_t mask;

	*bar = ~0u;
	mask = *bar & ~0xfu;
	if (!mask || *bar & 1) {
		*bar = 0;
		return 1;
	}
	next_bar = (next_bar - (~mask + 1ull)) & mask;
	*bar = (uint32_t)next_bar;
	if (wide)
		*pci_cfg(rid, off + 4) = 0;
	return wide ? 2 : 1;
}

static void scan(unsigned bus);

/* What is behind it gets a range of its own, in whole megabytes. */
static void set_up_bridge(unsigned rid)
{
	unsigned bus = ++last_bus;
	uint64_t end = next_bar & ~(BRIDGE_ALIGN - 1);

	next_bar = end;
	*pci_cfg(rid, PCI_BUSES) = 0xffu << 16 | bus << 8 | rid >> 8;
	scan(bus);
	*pci_cfg(rid, PCI_BUSES) = last_bus << 16 | bus << 8 | rid >> 8;
	next_bar &= ~(BRIDGE_ALIGN - 1);
	*pci_cfg(rid, PCI_MEMORY) = (uint32_t)((end - 1) & 0xfff00000) |
				    (uint32_t)(next_bar >> 16 & 0xfff0);
	*pci_cfg(rid, PCI_PREFETCH) = 0x0000fff0;	/* base above limit: none */
}

static void set_up(unsigned rid)
{
	bool bridge = (*pci_cfg(rid, PCI_HEADER) >> 16 & 0x7f) == 1;
	unsigned bars = bridge ? 2 : 6;

	for (unsigned i = 0; i < bars;)
		i += place_bar(rid, PCI_BAR0 + i * 4);
	if (bridge)
		set_up_bridge(rid);
	*pci_cfg(rid, PCI_COMMAND) = 6;			/* memory, bus master */
}

static void scan(unsigned bus)
{
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		unsigned rid = bus << 8 | devfn;

		if (!present(rid))
			continue;
		set_up(rid);
		/* one function only: the others may be ghosts of it */
		if (!(devfn & 7) && !(*pci_cfg(rid, PCI_HEADER) >> 16 & 0x80))
			devfn |= 7;
	}
}

void pci_init(void)
{
	next_bar = board.pci_mmio_end;
	scan(0);
}

int pci_find(unsigned vendor, unsigned device)
{
	for (unsigned rid = 0; rid < (last_bus + 1) << 8; rid++)
		if (*pci_cfg(rid, 0) == (device << 16 | vendor))
			return (int)rid;
	return -1;
}

volatile uint32_t *pci_bar0(unsigned rid)
{
	return (volatile uint32_t *)(uintptr_t)(*pci_cfg(rid, PCI_BAR0) & ~0xfu);
}

uint32_t pci_stream_id(unsigned rid)
{
	return rid - board.map_rid < board.map_len ? rid - board.map_rid + board.map_sid : 0;
}
