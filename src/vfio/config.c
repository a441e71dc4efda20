/* SPDX-License-Identifier: MIT */
/*
 * config.c - configuration space as a program may see and change it
 *
 * What concerns the program's own view (BAR addresses, the MSI capability, the
 * interrupt line) is kept here; what concerns the function goes to it; what
 * concerns the host (payload size, PASIDs, the capability chain) is read-only
 * or hidden. The split is vfio-pci's. PASIDs are not configured by the program:
 * their capability is hidden, GET_HW_INFO tells how many there are.
 */
#include "internal.h"

#define ALL	0xffffffffu

static uint32_t hw_read(struct uiommu_vfio_device *d, unsigned off, unsigned size)
{
	return d->be.cfg_read(d->be.ctx, off, size);
}

static void hw_write(struct uiommu_vfio_device *d, unsigned off, uint32_t val, unsigned size)
{
	d->be.cfg_write(d->be.ctx, off, val, size);
}

static uint32_t get(const uint8_t *p, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

static void put(uint8_t *p, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t mask_of(unsigned size)
{
	return ALL >> (32 - 8 * size);
}

/* ---- who owns which bit ---- */

struct field {
	uint8_t off, size;
	uint32_t virt, write;
};

static const struct field header_fields[] = {
	{ PCI_VENDOR_ID, 2, ALL, 0 },
	{ PCI_DEVICE_ID, 2, ALL, 0 },
	{ PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE, ALL },
	{ PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0 },
	{ PCI_CACHE_LINE_SIZE, 1, 0, ALL },
	{ PCI_LATENCY_TIMER, 1, 0, ALL },
	{ PCI_BIST, 1, 0, ALL },
	{ PCI_BAR0, 4, ALL, ALL },
	{ PCI_BAR0 + 4, 4, ALL, ALL },
	{ PCI_BAR0 + 8, 4, ALL, ALL },
	{ PCI_BAR0 + 12, 4, ALL, ALL },
	{ PCI_BAR0 + 16, 4, ALL, ALL },
	{ PCI_BAR0 + 20, 4, ALL, ALL },
	{ PCI_ROM, 4, ALL, ALL },
	{ PCI_CAP_PTR, 1, ALL, 0 },
	{ PCI_INTERRUPT_LINE, 1, ALL, ALL },
	{ PCI_INTERRUPT_PIN, 1, ALL, 0 },
	{ 0 }
};

static const struct field pm_fields[] = {
	{ PCI_PM_PMC, 2, PCI_PM_PMC_PME, 0 },
	{ PCI_PM_CTRL, 4, PCI_PM_CTRL_PME, ~PCI_PM_CTRL_PME },
	{ 0 }
};

static const struct field exp_fields[] = {
	{ PCI_EXP_DEVCTL, 2,
	  PCI_EXP_DEVCTL_FLR | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ,
	  ~PCI_EXP_DEVCTL_PHANTOM },
	{ PCI_EXP_DEVCTL2, 2, 0, ~PCI_EXP_DEVCTL2_ARI },
	{ 0 }
};

static const struct field msi32_fields[] = {
	{ PCI_MSI_FLAGS, 1, ALL, ALL },
	{ PCI_MSI_ADDRESS, 4, ALL, ALL },
	{ PCI_MSI_ADDRESS + 4, 2, ALL, ALL },	/* data */
	{ PCI_MSI_ADDRESS + 8, 4, 0, ALL },	/* mask bits, if any */
	{ 0 }
};

static const struct field msi64_fields[] = {
	{ PCI_MSI_FLAGS, 1, ALL, ALL },
	{ PCI_MSI_ADDRESS, 4, ALL, ALL },
	{ PCI_MSI_ADDRESS + 4, 4, ALL, ALL },
	{ PCI_MSI_ADDRESS + 8, 2, ALL, ALL },	/* data */
	{ PCI_MSI_ADDRESS + 12, 4, 0, ALL },	/* mask bits, if any */
	{ 0 }
};

static const struct field no_fields[] = { { 0 } };

#define EXP_V1_BYTES	20	/* an endpoint's part of the capability */
#define EXP_V2_BYTES	44

/* Length 0: hidden from the program. VARIABLE: see cap_length(). */
#define VARIABLE 0xff
static const struct cap {
	uint8_t length;
	const struct field *fields;
} caps[] = {
	[PCI_CAP_PM]	 = { 8, pm_fields },
	[PCI_CAP_VPD]	 = { 8, no_fields },
	[PCI_CAP_MSI]	 = { VARIABLE, NULL },
	[PCI_CAP_VENDOR] = { VARIABLE, NULL },
	[PCI_CAP_EXP]	 = { VARIABLE, exp_fields },
	[PCI_CAP_MSIX]	 = { 12, no_fields },
	[PCI_CAP_AF]	 = { 6, no_fields },
};

static const uint8_t ecap_lengths[] = {
	[PCI_ECAP_ERR]	  = 44,
	[PCI_ECAP_DSN]	  = 12,
	[PCI_ECAP_PWR]	  = 16,
	[PCI_ECAP_VENDOR] = VARIABLE,
	[PCI_ECAP_ARI]	  = 8,
	[PCI_ECAP_ATS]	  = 8,
	[PCI_ECAP_PRI]	  = 16,
	[PCI_ECAP_LTR]	  = 8,
	[PCI_ECAP_DVSEC]  = VARIABLE,
};

static void set_bits(struct uiommu_vfio_config *c, unsigned off, unsigned size, uint32_t virt,
		     uint32_t write)
{
	if (off + size > c->bytes)
		return;
	put(c->virt + off, virt, size);
	put(c->write + off, write, size);
}

/* A capability is read-only but for its fields; its header is ours, so that the
 * chain can skip what is hidden. */
static void set_fields(struct uiommu_vfio_config *c, unsigned base, unsigned len,
		       const struct field *f)
{
	for (; f && f->size; f++)
		if (f->off + f->size <= len)
			set_bits(c, base + f->off, f->size, f->virt, f->write);
}

static void set_read_only(struct uiommu_vfio_config *c, unsigned off, unsigned len)
{
	memset(c->virt + off, 0, len);
	memset(c->write + off, 0, len);
}

static void fill(struct uiommu_vfio_device *d, unsigned off, unsigned len)
{
	for (unsigned end = off + len; off < end; off++)
		d->cfg->val[off] = (uint8_t)hw_read(d, off, 1);
}

/* ---- capabilities ---- */

static unsigned msi_length(struct uiommu_vfio_device *d, unsigned pos)
{
	uint32_t flags = hw_read(d, pos + PCI_MSI_FLAGS, 2);

	return 10 + (flags & PCI_MSI_FLAGS_64 ? 4 : 0) + (flags & PCI_MSI_FLAGS_MASKBIT ? 10 : 0);
}

static unsigned cap_length(struct uiommu_vfio_device *d, unsigned id, unsigned pos)
{
	if (id >= sizeof(caps) / sizeof(caps[0]))
		return 0;
	if (caps[id].length != VARIABLE)
		return caps[id].length;
	switch (id) {
	case PCI_CAP_MSI:
		return msi_length(d, pos);
	case PCI_CAP_VENDOR:
		return hw_read(d, pos + 2, 1);
	case PCI_CAP_EXP:
		return (hw_read(d, pos + 2, 2) & 0xf) > 1 ? EXP_V2_BYTES : EXP_V1_BYTES;
	}
	return 0;
}

static void show_cap(struct uiommu_vfio_device *d, unsigned id, unsigned pos, unsigned len)
{
	struct uiommu_vfio_config *c = d->cfg;
	uint32_t flags;

	set_read_only(c, pos, len);
	set_bits(c, pos, 2, ALL, 0);
	fill(d, pos, len);
	set_fields(c, pos, len, caps[id].fields);
	switch (id) {
	case PCI_CAP_PM:
		c->val[pos + PCI_PM_PMC + 1] &= 0x07;
		put(c->val + pos + PCI_PM_CTRL, 0, 2);
		break;
	case PCI_CAP_MSI:
		flags = get(c->val + pos + PCI_MSI_FLAGS, 2);
		set_fields(c, pos, len, flags & PCI_MSI_FLAGS_64 ? msi64_fields : msi32_fields);
		c->msi = pos;
		break;
	case PCI_CAP_EXP:
		c->exp = pos;
		break;
	case PCI_CAP_MSIX:
		c->msix = pos;
		break;
	case PCI_CAP_VENDOR:
		memset(c->write + pos + 2, 0xff, len - 2);
		break;
	}
}

/* Which dwords belong to something. A chain that comes back to one, or to the
 * inside of another capability, is broken hardware and ends there. */
struct taken {
	uint32_t dwords[PCI_CFG_MAX / 4 / 32];
};

static bool take_dwords(struct taken *t, unsigned pos, unsigned len)
{
	const unsigned first = pos / 4, end = (pos + (len ? len : 1) + 3) / 4;

	for (unsigned n = first; n < end; n++)
		if (t->dwords[n / 32] >> n % 32 & 1)
			return false;
	for (unsigned n = first; n < end; n++)
		t->dwords[n / 32] |= 1u << n % 32;
	return true;
}

static void init_caps(struct uiommu_vfio_device *d)
{
	struct uiommu_vfio_config *c = d->cfg;
	unsigned pos = hw_read(d, PCI_CAP_PTR, 1) & ~3u;
	uint8_t *link = &c->val[PCI_CAP_PTR];
	struct taken t = { 0 };
	bool any = false;

	if (!(hw_read(d, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return;
	while (pos >= PCI_HEADER_BYTES) {
		unsigned id = hw_read(d, pos, 1), len = cap_length(d, id, pos);

		if (len < 2 || pos + len > PCI_CFG_BYTES)
			len = 0;
		if (!take_dwords(&t, pos, len))
			break;
		if (len) {
			*link = (uint8_t)pos;
			link = &c->val[pos + 1];
			show_cap(d, id, pos, len);
			any = true;
		}
		pos = hw_read(d, pos + 1, 1) & ~3u;
	}
	*link = 0;
	if (!any)
		c->val[PCI_STATUS] &= (uint8_t)~PCI_STATUS_CAP_LIST;
}

static unsigned ecap_length(struct uiommu_vfio_device *d, unsigned id, unsigned pos)
{
	if (id >= sizeof(ecap_lengths) || !ecap_lengths[id])
		return 0;
	if (ecap_lengths[id] != VARIABLE)
		return ecap_lengths[id];
	return pos + 8 <= d->cfg->bytes ? hw_read(d, pos + 4, 4) >> 20 : 0;
}

static void show_ecap(struct uiommu_vfio_device *d, unsigned id, unsigned pos, unsigned len)
{
	struct uiommu_vfio_config *c = d->cfg;

	set_read_only(c, pos, len);
	fill(d, pos, len);
	set_bits(c, pos, 4, ALL, 0);
	if (id == PCI_ECAP_PRI)
		c->pri = pos;
	if (id == PCI_ECAP_VENDOR || id == PCI_ECAP_DVSEC)
		memset(c->write + pos + 4, 0xff, len - 4);
}

/* The first one cannot be skipped, so if it is hidden its header loses the id. */
static void hide_ecap(struct uiommu_vfio_device *d, uint32_t header, unsigned pos)
{
	struct uiommu_vfio_config *c = d->cfg;

	if ((header & 0xffff) == PCI_ECAP_PASID && pos + 8 <= c->bytes) {
		c->pasid = pos;
		set_bits(c, pos, 4, ALL, 0);
		set_bits(c, pos + 4, 4, ALL, 0);
		put(c->val + pos, 0, 4);
		put(c->val + pos + 4, 0, 4);
	}
	if (pos == PCI_CFG_BYTES) {
		set_bits(c, pos, 4, ALL, 0);
		put(c->val + pos, 0, 4);
	}
}

static void set_next(struct uiommu_vfio_config *c, unsigned pos, unsigned next)
{
	put(c->val + pos, (get(c->val + pos, 4) & ~PCI_ECAP_NEXT_MASK) | (uint32_t)next << 20, 4);
}

static void init_ecaps(struct uiommu_vfio_device *d)
{
	struct uiommu_vfio_config *c = d->cfg;
	unsigned pos = PCI_CFG_BYTES, last = PCI_CFG_BYTES;
	struct taken t = { 0 };
	bool any = false;

	if (c->bytes <= PCI_CFG_BYTES)
		return;
	while (pos >= PCI_CFG_BYTES) {
		uint32_t header = hw_read(d, pos, 4);
		unsigned id = header & 0xffff, len = ecap_length(d, id, pos);

		if (len < 4 || pos + len > c->bytes)
			len = 0;
		if (!take_dwords(&t, pos, len ? len : 4))
			break;
		if (len) {
			show_ecap(d, id, pos, len);
			if (pos != last)
				set_next(c, last, pos);
			last = pos;
			any = true;
		} else {
			hide_ecap(d, header, pos);
		}
		pos = header >> 20 & ~3u;
	}
	set_next(c, last, 0);
	if (!any)
		put(c->val + PCI_CFG_BYTES, 0, 4);
}

void uiommu_vfio_config_init(struct uiommu_vfio_device *d)
{
	struct uiommu_vfio_config *c = d->cfg;
	const unsigned bytes = c->bytes;

	memset(c, 0, sizeof(*c));
	c->bytes = bytes;
	/* between capabilities functions hide registers of their own */
	memset(c->write + PCI_HEADER_BYTES, 0xff, bytes - PCI_HEADER_BYTES);
	fill(d, 0, PCI_HEADER_BYTES);
	set_fields(c, 0, PCI_HEADER_BYTES, header_fields);
	for (unsigned i = 0; i < 6; i++)
		c->rbar[i] = get(c->val + PCI_BAR0 + 4 * i, 4);
	c->rrom = get(c->val + PCI_ROM, 4);
	c->val[PCI_INTERRUPT_PIN] = 0;	/* there are no wired interrupts */
	init_caps(d);
	init_ecaps(d);
}

/* ---- BARs ---- */

/* Sizing: what was written keeps only the bits that an address has, and shows
 * the type bits of the real BAR. */
static void fix_bars(struct uiommu_vfio_device *d)
{
	struct uiommu_vfio_config *c = d->cfg;

	for (unsigned i = 0; i < 6; i++) {
		const uint64_t len = d->be.region_bytes[i], mask = ~(len - 1);
		const uint32_t type = c->rbar[i] & (c->rbar[i] & PCI_BAR_IO ? PCI_BAR_IO_FLAGS
									    : PCI_BAR_MEM_FLAGS);
		uint8_t *bar = c->val + PCI_BAR0 + 4 * i;

		put(bar, len ? (get(bar, 4) & (uint32_t)mask) | type : 0, 4);
		if (!len || (type & PCI_BAR_IO) || !(type & PCI_BAR_64) || i == 5)
			continue;
		i++;
		put(bar + 4, get(bar + 4, 4) & (uint32_t)(mask >> 32), 4);
	}
}

static void fix_rom(struct uiommu_vfio_device *d)
{
	const uint64_t len = d->be.region_bytes[UIOMMU_ABI_VFIO_PCI_ROM_REGION_INDEX];
	uint8_t *rom = d->cfg->val + PCI_ROM;

	put(rom, len ? get(rom, 4) & ((uint32_t)~(len - 1) | PCI_ROM_ENABLE) : 0, 4);
}

/* ---- access ---- */

static bool touches(unsigned off, unsigned size, unsigned start, unsigned end)
{
	return off < end && off + size > start;
}

uint32_t uiommu_vfio_config_read(struct uiommu_vfio_device *d, unsigned off, unsigned size)
{
	struct uiommu_vfio_config *c = d->cfg;
	uint32_t virt = get(c->virt + off, size), val;

	if (touches(off, size, PCI_BAR0, PCI_BAR_END))
		fix_bars(d);
	if (touches(off, size, PCI_ROM, PCI_ROM + 4))
		fix_rom(d);
	val = get(c->val + off, size) & virt;
	if (virt != mask_of(size))
		val |= hw_read(d, off, size) & ~virt;
	return val;
}

/* The program's part of the command register goes to hardware; a copy says
 * whether BARs answer. */
static void wrote_command(struct uiommu_vfio_device *d)
{
	put(d->cfg->val + PCI_COMMAND, (hw_read(d, PCI_COMMAND, 2) & ~PCI_COMMAND_INTX_DISABLE) |
	    (get(d->cfg->val + PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE), 2);
}

static unsigned log2_floor(unsigned v)
{
	unsigned n = 0;

	while (v >>= 1)
		n++;
	return n;
}

/* MSI is switched on by SET_IRQS; the program's enable bit only lets it pass. */
static void wrote_msi(struct uiommu_vfio_device *d)
{
	const unsigned pos = d->cfg->msi + PCI_MSI_FLAGS;
	uint32_t flags = get(d->cfg->val + pos, 2), hw = hw_read(d, pos, 2), qmax = 0;
	const bool on = d->irq_index == UIOMMU_ABI_VFIO_PCI_MSI_IRQ_INDEX;

	if (on)
		qmax = log2_floor(d->num_enabled * 2 - 1);
	else
		flags &= ~PCI_MSI_FLAGS_ENABLE;
	if ((flags & PCI_MSI_FLAGS_QSIZE) >> 4 > qmax)
		flags = (flags & ~PCI_MSI_FLAGS_QSIZE) | qmax << 4;
	put(d->cfg->val + pos, flags, 2);
	hw_write(d, pos, (hw & ~PCI_MSI_FLAGS_ENABLE) | (flags & PCI_MSI_FLAGS_ENABLE), 2);
}

/* The bit always reads 0; a function without FLR ignores it. */
static void wrote_devctl(struct uiommu_vfio_device *d)
{
	const unsigned pos = d->cfg->exp + PCI_EXP_DEVCTL;
	const uint32_t ctl = get(d->cfg->val + pos, 2);

	if (!(ctl & PCI_EXP_DEVCTL_FLR))
		return;
	put(d->cfg->val + pos, ctl & ~PCI_EXP_DEVCTL_FLR, 2);
	if (hw_read(d, d->cfg->exp + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR)
		uiommu_vfio_function_reset(d);
}

static void effects(struct uiommu_vfio_device *d, unsigned off, unsigned size)
{
	const struct uiommu_vfio_config *c = d->cfg;

	if (touches(off, size, PCI_COMMAND, PCI_COMMAND + 2))
		wrote_command(d);
	if (c->msi && touches(off, size, c->msi + PCI_MSI_FLAGS, c->msi + PCI_MSI_FLAGS + 2))
		wrote_msi(d);
	if (c->exp && touches(off, size, c->exp + PCI_EXP_DEVCTL, c->exp + PCI_EXP_DEVCTL + 2))
		wrote_devctl(d);
}

void uiommu_vfio_config_write(struct uiommu_vfio_device *d, unsigned off, uint32_t val,
			      unsigned size)
{
	struct uiommu_vfio_config *c = d->cfg;
	const uint32_t write = get(c->write + off, size), virt = get(c->virt + off, size);
	const uint32_t ours = write & virt, theirs = write & ~virt;

	if (ours)
		put(c->val + off, (get(c->val + off, size) & ~ours) | (val & ours), size);
	if (theirs)
		hw_write(d, off, (hw_read(d, off, size) & ~theirs) | (val & theirs), size);
	if (write)
		effects(d, off, size);
}

bool uiommu_vfio_memory_enabled(const struct uiommu_vfio_device *d)
{
	return get(d->cfg->val + PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

bool uiommu_vfio_msix_table(const struct uiommu_vfio_device *d, unsigned bar, uint64_t *start,
			    uint64_t *end)
{
	const struct uiommu_vfio_config *c = d->cfg;
	uint32_t table, flags;

	if (!c->msix)
		return false;
	table = get(c->val + c->msix + PCI_MSIX_TABLE, 4);
	flags = get(c->val + c->msix + PCI_MSIX_FLAGS, 2);
	if ((table & PCI_MSIX_TABLE_BIR) != bar)
		return false;
	*start = table & ~PCI_MSIX_TABLE_BIR;
	*end = *start + 16 * ((flags & PCI_MSIX_FLAGS_QSIZE) + 1);
	return true;
}

/* ---- the function as a whole ---- */

void uiommu_vfio_function_on(struct uiommu_vfio_device *d)
{
	uint32_t cmd = hw_read(d, PCI_COMMAND, 2);

	cmd &= ~(PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	for (unsigned i = 0; i < 6; i++) {
		if (!d->be.region_bytes[i])
			continue;
		cmd |= d->cfg->rbar[i] & PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	hw_write(d, PCI_COMMAND, cmd, 2);
}

void uiommu_vfio_function_off(struct uiommu_vfio_device *d)
{
	hw_write(d, PCI_COMMAND, 0, 2);
}

/* What the host configured before any program came must survive: where the BARs
 * are, that PASIDs and page requests are on; what the program configured too, as after an FLR by
 * the kernel: its command register, its interrupts. */
static void reset_and_restore(struct uiommu_vfio_device *d)
{
	struct uiommu_vfio_config *c = d->cfg;
	const uint32_t cmd = hw_read(d, PCI_COMMAND, 2);
	const uint32_t pasid = c->pasid ? hw_read(d, c->pasid + PCI_PASID_CTRL, 2) : 0;
	const uint32_t allowed = c->pri ? hw_read(d, c->pri + PCI_PRI_ALLOCATION, 4) : 0;
	const uint32_t pri = c->pri ? hw_read(d, c->pri + PCI_PRI_CTRL, 2) : 0;

	d->be.reset(d->be.ctx);
	for (unsigned i = 0; i < 6; i++)
		hw_write(d, PCI_BAR0 + 4 * i, c->rbar[i], 4);
	hw_write(d, PCI_ROM, c->rrom, 4);
	if (c->pasid)
		hw_write(d, c->pasid + PCI_PASID_CTRL, pasid, 2);
	if (c->pri) {
		hw_write(d, c->pri + PCI_PRI_ALLOCATION, allowed, 4);
		hw_write(d, c->pri + PCI_PRI_CTRL, pri, 2);
	}
	hw_write(d, PCI_COMMAND, cmd, 2);
	uiommu_vfio_irq_reprogram(d);
}

/* An IOMMU that cannot block it, or whose window is somebody else's already, is no
 * reason to leave the function as it is; nor is one that does not answer: it is off. */
int uiommu_vfio_function_reset(struct uiommu_vfio_device *d)
{
	int ret;

	if (!d->be.reset)
		return 0;
	ret = uiommu_device_reset_prepare(d->be.dev);
	reset_and_restore(d);
	if (!ret)
		return uiommu_device_reset_done(d->be.dev);
	return ret == -UIOMMU_EOPNOTSUPP || ret == -UIOMMU_EBUSY ? 0 : ret;
}
