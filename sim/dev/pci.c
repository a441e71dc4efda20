/* SPDX-License-Identifier: MIT */
/* pci.c - config space: header, BARs, capabilities, and what they allow */
#include <string.h>

#include "internal.h"

/* ---- access ---- */

uint32_t uiommu_sim_cfg_peek(const struct uiommu_sim_dev *d, unsigned off, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)d->cfg[off + i] << (8 * i);
	return v;
}

void uiommu_sim_cfg_poke(uint8_t *where, unsigned off, uint32_t val, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		where[off + i] = (uint8_t)(val >> (8 * i));
}

static bool cfg_ok(unsigned off, unsigned size)
{
	return (size == 1 || size == 2 || size == 4) && off < UIOMMU_SIM_CFG_BYTES &&
	       off % size == 0;
}

uint32_t uiommu_sim_cfg_read(struct uiommu_sim_dev *d, unsigned off, unsigned size)
{
	uint32_t v;

	if (!cfg_ok(off, size))
		return ~0u;
	sim_lock(d);
	v = uiommu_sim_cfg_peek(d, off, size);
	sim_unlock(d);
	return v;
}

/* The reset bit reads as 0 always, so it stands in no mask: is it written? */
static bool writes_flr(const struct uiommu_sim_dev *d, unsigned off, uint32_t val, unsigned size)
{
	unsigned at = d->pcie_cap + EXP_DEVCTL + 1;	/* the byte that holds it */

	if (!d->pcie_cap || off > at || off + size <= at)
		return false;
	return (val >> (8 * (at - off))) & (EXP_DEVCTL_FLR >> 8);
}

/* Reset reads as 0, and does something while Enable is 0. */
static void after_pri_write(struct uiommu_sim_dev *d)
{
	unsigned ctrl;

	if (!d->pri_cap)
		return;
	ctrl = uiommu_sim_cfg_peek(d, d->pri_cap + PRI_CTRL, 2);
	if (ctrl & PRI_CTRL_ENABLE)
		d->cfg[d->pri_cap + PRI_STATUS + 1] &= (uint8_t)~(PRI_STATUS_STOPPED >> 8);
	else
		d->cfg[d->pri_cap + PRI_STATUS + 1] |= PRI_STATUS_STOPPED >> 8;
	if (ctrl & PRI_CTRL_RESET && !(ctrl & PRI_CTRL_ENABLE))
		d->cfg[d->pri_cap + PRI_STATUS] &= (uint8_t)~PRI_STATUS_RF;
	d->cfg[d->pri_cap + PRI_CTRL] &= (uint8_t)~PRI_CTRL_RESET;
}

void uiommu_sim_cfg_write(struct uiommu_sim_dev *d, unsigned off, uint32_t val, unsigned size)
{
	bool flr;

	if (!cfg_ok(off, size))
		return;
	sim_lock(d);
	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = d->wmask[off + i], byte = (uint8_t)(val >> (8 * i));

		d->cfg[off + i] = (uint8_t)((d->cfg[off + i] & ~mask) | (byte & mask));
	}
	after_pri_write(d);
	flr = writes_flr(d, off, val, size);
	if (flr)
		d->flr = true;
	sim_unlock(d);
	if (flr)
		sim_kick(d);
}

static bool bar_ok(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, unsigned size)
{
	if (bar >= 6 || !size || size > 8 || (size & (size - 1)) || off % size)
		return false;
	if (off >= d->bars[bar].bytes || d->bars[bar].bytes - off < size)
		return false;
	return uiommu_sim_cfg_read(d, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

uint64_t uiommu_sim_bar_read(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, unsigned size)
{
	uint64_t ones = size < 8 ? (1ull << (8 * size)) - 1 : ~0ull;

	return bar_ok(d, bar, off, size) ? d->ops->bar_read(d, bar, off, size) & ones : ones;
}

void uiommu_sim_bar_write(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, uint64_t val,
			  unsigned size)
{
	if (bar_ok(d, bar, off, size))
		d->ops->bar_write(d, bar, off, val, size);
}

/* ---- life ---- */

void uiommu_sim_reset(struct uiommu_sim_dev *d)
{
	sim_lock(d);
	for (unsigned i = 0; i < UIOMMU_SIM_CFG_BYTES; i++)
		d->cfg[i] &= (uint8_t)~d->wmask[i];
	d->flr = false;
	if (d->pri_cap)
		d->cfg[d->pri_cap + PRI_STATUS] = 0;
	after_pri_write(d);
	sim_unlock(d);
	d->ops->reset(d);
}

bool uiommu_sim_step(struct uiommu_sim_dev *d)
{
	bool flr;

	sim_lock(d);
	flr = d->flr;
	sim_unlock(d);
	if (flr)
		uiommu_sim_reset(d);
	return d->ops->step(d);
}

void uiommu_sim_destroy(struct uiommu_sim_dev *d)
{
	if (d)
		d->ops->destroy(d);
}

/* ---- building ---- */

void uiommu_sim_pci_init(struct uiommu_sim_dev *d, const struct uiommu_sim_bus *bus,
			 const struct uiommu_sim_dev_ops *ops, uint32_t ids, uint32_t class_rev)
{
	d->bus = bus;
	d->ops = ops;
	uiommu_sim_cfg_poke(d->cfg, PCI_IDS, ids, 4);
	uiommu_sim_cfg_poke(d->cfg, PCI_CLASS_REV, class_rev, 4);
	uiommu_sim_cfg_poke(d->cfg, PCI_SUBSYSTEM_IDS, ids, 4);
	uiommu_sim_cfg_poke(d->wmask, PCI_COMMAND, PCI_COMMAND_WRITABLE, 2);
	d->wmask[PCI_CACHE_LINE] = 0xff;
	d->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

int uiommu_sim_pci_bar(struct uiommu_sim_dev *d, unsigned n, const struct uiommu_sim_bar *bar)
{
	unsigned off = PCI_BAR0 + 4 * n;
	uint64_t mask = ~(bar->bytes - 1);

	if (n + bar->is64 >= 6 || bar->bytes < 16 || (bar->bytes & (bar->bytes - 1)) ||
	    (!bar->is64 && bar->bytes > (1u << 31)))
		return -UIOMMU_EINVAL;
	d->bars[n] = *bar;
	uiommu_sim_cfg_poke(d->cfg, off,
		    (bar->is64 ? PCI_BAR_64 : 0) | (bar->prefetch ? PCI_BAR_PREFETCH : 0), 4);
	uiommu_sim_cfg_poke(d->wmask, off, (uint32_t)mask, 4);
	if (bar->is64)
		uiommu_sim_cfg_poke(d->wmask, off + 4, (uint32_t)(mask >> 32), 4);
	return 0;
}

int uiommu_sim_pci_cap(struct uiommu_sim_dev *d, uint8_t id, unsigned off, unsigned bytes)
{
	if (off < 0x40 || off % 4 || bytes < 2 || off + bytes > 0x100)
		return -UIOMMU_EINVAL;
	d->cfg[off] = id;
	d->cfg[d->last_cap ? d->last_cap + 1u : PCI_CAP_POINTER] = (uint8_t)off;
	d->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	d->last_cap = (uint16_t)off;
	return 0;
}

int uiommu_sim_pci_ext_cap(struct uiommu_sim_dev *d, uint16_t id, unsigned version, unsigned off,
			   unsigned bytes)
{
	if (off < 0x100 || off % 4 || bytes < 4 || off + bytes > UIOMMU_SIM_CFG_BYTES ||
	    (!d->last_ext_cap && off != 0x100))
		return -UIOMMU_EINVAL;
	uiommu_sim_cfg_poke(d->cfg, off, id | (version & 0xf) << 16, 4);
	if (d->last_ext_cap)	/* next pointer: bits 31:20 of the header before */
		uiommu_sim_cfg_poke(d->cfg, d->last_ext_cap + 2u,
			    (d->cfg[d->last_ext_cap + 2] & 0xf) | off << 4, 2);
	d->last_ext_cap = (uint16_t)off;
	return 0;
}

int uiommu_sim_pci_msi(struct uiommu_sim_dev *d, unsigned off, unsigned vectors_lg2)
{
	if (vectors_lg2 > 5 || uiommu_sim_pci_cap(d, PCI_CAP_ID_MSI, off, MSI_BYTES))
		return -UIOMMU_EINVAL;
	d->msi_cap = (uint16_t)off;
	uiommu_sim_cfg_poke(d->cfg, off + MSI_CONTROL,
		    MSI_CONTROL_64 | vectors_lg2 << MSI_CONTROL_MMC_SHIFT, 2);
	uiommu_sim_cfg_poke(d->wmask, off + MSI_CONTROL, MSI_CONTROL_ENABLE | MSI_CONTROL_MME, 2);
	uiommu_sim_cfg_poke(d->wmask, off + MSI_ADDR_LO, ~3u, 4);
	uiommu_sim_cfg_poke(d->wmask, off + MSI_ADDR_HI, ~0u, 4);
	uiommu_sim_cfg_poke(d->wmask, off + MSI_DATA, 0xffff, 2);
	return 0;
}

int uiommu_sim_pci_pcie(struct uiommu_sim_dev *d, unsigned off)
{
	if (uiommu_sim_pci_cap(d, PCI_CAP_ID_EXP, off, EXP_BYTES))
		return -UIOMMU_EINVAL;
	d->pcie_cap = (uint16_t)off;
	uiommu_sim_cfg_poke(d->cfg, off + EXP_FLAGS, EXP_FLAGS_ENDPOINT_V2, 2);
	uiommu_sim_cfg_poke(d->cfg, off + EXP_DEVCAP, EXP_DEVCAP_RBER | EXP_DEVCAP_FLR, 4);
	uiommu_sim_cfg_poke(d->wmask, off + EXP_DEVCTL, EXP_DEVCTL_WRITABLE, 2);
	return 0;
}

int uiommu_sim_pci_pasid(struct uiommu_sim_dev *d, unsigned off, unsigned bits)
{
	if (!bits || bits > 20 ||
	    uiommu_sim_pci_ext_cap(d, PCI_EXT_CAP_ID_PASID, 1, off, PASID_BYTES))
		return -UIOMMU_EINVAL;
	d->pasid_cap = (uint16_t)off;
	uiommu_sim_cfg_poke(d->cfg, off + PASID_CAP, bits << PASID_CAP_WIDTH_SHIFT, 2);
	uiommu_sim_cfg_poke(d->wmask, off + PASID_CTRL, PASID_CTRL_ENABLE, 2);
	return 0;
}

int uiommu_sim_pci_ats(struct uiommu_sim_dev *d, unsigned off)
{
	if (uiommu_sim_pci_ext_cap(d, PCI_EXT_CAP_ID_ATS, 1, off, ATS_BYTES))
		return -UIOMMU_EINVAL;
	d->ats_cap = (uint16_t)off;
	uiommu_sim_cfg_poke(d->cfg, off + ATS_CAP, ATS_CAP_PAGE_ALIGNED | ATS_CAP_GLOBAL, 2);
	uiommu_sim_cfg_poke(d->wmask, off + ATS_CTRL, ATS_CTRL_WRITABLE, 2);
	return 0;
}

int uiommu_sim_pci_pri(struct uiommu_sim_dev *d, unsigned off, unsigned capacity)
{
	if (uiommu_sim_pci_ext_cap(d, PCI_EXT_CAP_ID_PRI, 1, off, PRI_BYTES))
		return -UIOMMU_EINVAL;
	d->pri_cap = (uint16_t)off;
	uiommu_sim_cfg_poke(d->cfg, off + PRI_STATUS,
			    PRI_STATUS_STOPPED | (d->pasid_cap ? PRI_STATUS_PASID : 0), 2);
	uiommu_sim_cfg_poke(d->cfg, off + PRI_CAPACITY, capacity, 4);
	uiommu_sim_cfg_poke(d->wmask, off + PRI_CTRL, PRI_CTRL_ENABLE | PRI_CTRL_RESET, 2);
	uiommu_sim_cfg_poke(d->wmask, off + PRI_ALLOCATION, ~0u, 4);
	return 0;
}

/* ---- what goes out ---- */

bool uiommu_sim_pci_page_requests(struct uiommu_sim_dev *d, unsigned n)
{
	bool ok = false;

	if (!d->pri_cap || !d->bus->page_request)
		return false;
	sim_lock(d);
	ok = uiommu_sim_cfg_peek(d, d->pri_cap + PRI_CTRL, 2) & PRI_CTRL_ENABLE &&
	     !(uiommu_sim_cfg_peek(d, d->pri_cap + PRI_STATUS, 2) & PRI_STATUS_RF) &&
	     uiommu_sim_cfg_peek(d, d->pri_cap + PRI_ALLOCATION, 4) >= n;
	sim_unlock(d);
	return ok;
}

void uiommu_sim_page_response(struct uiommu_sim_dev *d, unsigned prgi, unsigned resp)
{
	if (!d->pri_cap || !d->ops->page_response)
		return;
	if (!resp) {
		sim_lock(d);
		d->cfg[d->pri_cap + PRI_STATUS] |= PRI_STATUS_RF;
		sim_unlock(d);
	}
	d->ops->page_response(d, prgi, resp == 2);
}

static bool may_send(struct uiommu_sim_dev *d, int32_t pasid)
{
	unsigned width;

	if (!(uiommu_sim_cfg_peek(d, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return false;
	if (pasid < 0)
		return true;
	if (!d->pasid_cap ||
	    !(uiommu_sim_cfg_peek(d, d->pasid_cap + PASID_CTRL, 2) & PASID_CTRL_ENABLE))
		return false;
	width = uiommu_sim_cfg_peek(d, d->pasid_cap + PASID_CAP, 2) >> PASID_CAP_WIDTH_SHIFT & 0x1f;
	return (uint32_t)pasid < 1u << width;
}

int uiommu_sim_pci_dma(struct uiommu_sim_dev *d, int32_t pasid, uiommu_iova_t iova, void *buf,
		       size_t bytes, bool write)
{
	bool ok;

	sim_lock(d);
	ok = may_send(d, pasid);
	sim_unlock(d);
	return ok ? d->bus->dma(d->bus->ctx, pasid, iova, buf, bytes, write) : -UIOMMU_EACCES;
}

int uiommu_sim_msi(struct uiommu_sim_dev *d, unsigned vector)
{
	unsigned ctrl, cap = d->msi_cap, mask;
	uint64_t addr;
	uint32_t data;
	uint8_t message[4];

	if (!cap)
		return -UIOMMU_EACCES;
	sim_lock(d);
	ctrl = uiommu_sim_cfg_peek(d, cap + MSI_CONTROL, 2);
	addr = uiommu_sim_cfg_peek(d, cap + MSI_ADDR_LO, 4) |
	       (uint64_t)uiommu_sim_cfg_peek(d, cap + MSI_ADDR_HI, 4) << 32;
	data = uiommu_sim_cfg_peek(d, cap + MSI_DATA, 2);
	sim_unlock(d);
	if (!(ctrl & MSI_CONTROL_ENABLE))
		return -UIOMMU_EACCES;
	mask = (1u << ((ctrl & MSI_CONTROL_MME) >> MSI_CONTROL_MME_SHIFT)) - 1;
	uiommu_sim_cfg_poke(message, 0, (data & ~mask) | (vector & mask), 4);
	return uiommu_sim_pci_dma(d, -1, addr, message, sizeof(message), true);
}
