/* SPDX-License-Identifier: MIT */
/* dt_smmu.c - arm,smmu-v3, nvidia,tegra264-cmdqv and arm,gic-v3-its nodes */
#include <stdio.h>
#include <string.h>

#include "dt.h"

#define SMMU_BYTES	0x20000u	/* both register pages */
#define CMDQV_BYTES	  0x30000u	  /* and for each virtual interface: */
#define CMDQV_VINTF_BYTES 0x20000u
#define ITS_BYTES	0x20000u	/* control and translation frame */
#define GIC_SPI_BASE	32u		/* SPI n is interrupt number 32 + n */
#define IRQ_CELLS	3

/* A window may be said longer than the registers in it are. */
static int trim_window(const struct dt *t, int node, uint64_t pa, uint64_t *bytes, uint64_t need)
{
	if (*bytes < need || pa % 0x10000)
		return uiommu_dt_error(t, node,
				       "property reg must be 0x%llx bytes, aligned to 64 KiB",
				       (unsigned long long)need);
	*bytes = need;
	return 0;
}

/* ---- interrupts ---- */

struct irq_slot {
	const char *name;
	unsigned *irq;
	bool *has;
};

static int irq_parent(const struct dt *t, int node)
{
	struct dt_cells c;

	for (int n = node; n >= 0; n = fdt_parent_offset(t->fdt, n)) {
		if (uiommu_dt_cells(t, n, "interrupt-parent", &c))
			return -1;
		if (c.p && c.n == 1)
			return fdt_node_offset_by_phandle(t->fdt, uiommu_dt_cell(&c, 0));
	}
	return -1;
}

/* GIC: type, number, flags; type 0 is an SPI. */
static int irq_number(const struct dt *t, int node, const struct dt_cells *c, int i, unsigned *irq)
{
	if (uiommu_dt_cell(c, IRQ_CELLS * i) != 0)
		return uiommu_dt_error(
			t, node, "property interrupts: entry %d is not an SPI (first cell 0)", i);
	if (uiommu_dt_cell(c, IRQ_CELLS * i + 1) > 987)
		return uiommu_dt_error(
			t, node,
			"property interrupts: entry %d names SPI %u, of which there are 988", i,
			uiommu_dt_cell(c, IRQ_CELLS * i + 1));
	*irq = GIC_SPI_BASE + uiommu_dt_cell(c, IRQ_CELLS * i + 1);
	return 0;
}

static int irq_checks(const struct dt *t, int node, const struct dt_cells *c)
{
	int parent = irq_parent(t, node);
	uint32_t cells = 0;

	if (parent < 0)
		return uiommu_dt_error(
			t, node, "property interrupts: no interrupt-parent leads to a controller");
	if (uiommu_dt_u32(t, parent, "#interrupt-cells", 1, 8, &cells))
		return -UIOMMU_EINVAL;
	if (cells != IRQ_CELLS)
		return uiommu_dt_error(t, parent, "property #interrupt-cells is %u, not %d", cells,
				       IRQ_CELLS);
	if (c->n % IRQ_CELLS)
		return uiommu_dt_error(t, node,
				       "property interrupts has %d cells, not a multiple of %d",
				       c->n, IRQ_CELLS);
	return 0;
}

static int smmu_irqs(const struct dt *t, int node, struct desc_smmu *s)
{
	bool evtq = false, gerror = false;
	struct irq_slot slots[] = {
		{ "eventq", &s->irq_evtq, &evtq },
		{ "gerror", &s->irq_gerror, &gerror },
		{ "priq", &s->irq_priq, &s->has_priq_irq },
		{ "cmdq-sync", &s->irq_sync, &s->has_sync_irq },
	};
	struct dt_cells c;

	if (uiommu_dt_cells(t, node, "interrupts", &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return 0;		/* polled */
	if (irq_checks(t, node, &c))
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		int at = fdt_stringlist_search(t->fdt, node, "interrupt-names", slots[i].name);

		if (at < 0)
			continue;
		if (IRQ_CELLS * at >= c.n)
			return uiommu_dt_error(t, node,
					       "property interrupts has no entry for \"%s\"",
					       slots[i].name);
		if (irq_number(t, node, &c, at, slots[i].irq))
			return -UIOMMU_EINVAL;
		*slots[i].has = true;
	}
	if (!evtq || !gerror)
		return uiommu_dt_error(t, node, "property interrupt-names does not name \"%s\"",
				evtq ? "gerror" : "eventq");
	s->has_irqs = true;
	return 0;
}

/* an interrupt that @s has, for its events or for its queues */
static bool has_irq(const struct desc_smmu *s, unsigned irq)
{
	return (s->has_irqs && (irq == s->irq_evtq || irq == s->irq_gerror)) ||
	       (s->has_priq_irq && irq == s->irq_priq) || (s->cmdqv.has_irq && irq == s->cmdqv.irq);
}

static int irqs_clash(const struct dt *t, int node, const struct desc_smmu *s)
{
	for (unsigned i = 0; i + 1 < t->d->num_smmus; i++) {
		const struct desc_smmu *o = &t->d->smmus[i];

		if (s->has_irqs && (has_irq(o, s->irq_evtq) || has_irq(o, s->irq_gerror)))
			return uiommu_dt_error(t, node,
					       "property interrupts shares an interrupt with %s",
					       o->name);
	}
	if (s->has_irqs && s->irq_evtq == s->irq_gerror)
		return uiommu_dt_error(t, node,
				       "property interrupts: eventq and gerror are the same one");
	return 0;
}

/* ---- queues for VMs ---- */

static int cmdqv_irq(const struct dt *t, int node, struct desc_smmu *s)
{
	struct dt_cells c;
	unsigned irq;

	if (uiommu_dt_cells(t, node, "interrupts", &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return 0; /* polled */
	if (irq_checks(t, node, &c))
		return -UIOMMU_EINVAL;
	if (c.n != IRQ_CELLS)
		return uiommu_dt_error(t, node, "property interrupts has %d cells instead of %d",
				       c.n, IRQ_CELLS);
	if (irq_number(t, node, &c, 0, &irq))
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < t->d->num_smmus; i++)
		if (has_irq(&t->d->smmus[i], irq))
			return uiommu_dt_error(t, node,
					       "property interrupts shares an interrupt with %s",
					       t->d->smmus[i].name);
	s->cmdqv.irq = irq;
	s->cmdqv.has_irq = true;
	return 0;
}

static int cmdqv_sizes(const struct dt *t, int node, struct uiommu_sim_smmuv3_config *c)
{
	c->cmdqv.vintfs_lg2 = 6;
	c->cmdqv.vcmdqs_lg2 = 7;
	c->cmdqv.sids_lg2 = 4;
	if (uiommu_dt_u32(t, node, "uiommu,vintfs-lg2", 0, 6, &c->cmdqv.vintfs_lg2) ||
	    uiommu_dt_u32(t, node, "uiommu,vcmdqs-lg2", 1, 7, &c->cmdqv.vcmdqs_lg2) ||
	    uiommu_dt_u32(t, node, "uiommu,sids-lg2", 0, 4, &c->cmdqv.sids_lg2))
		return -UIOMMU_EINVAL;
	if (c->cmdqv.vintfs_lg2 > c->cmdqv.vcmdqs_lg2)
		return uiommu_dt_error(t, node,
				       "property uiommu,vcmdqs-lg2: 2^%u queues are too few for "
				       "2^%u interfaces (uiommu,vintfs-lg2)",
				       c->cmdqv.vcmdqs_lg2, c->cmdqv.vintfs_lg2);
	return 0;
}

static int cmdqv_taken(const struct dt *t, int node, int by)
{
	for (unsigned i = 0; i + 1 < t->d->num_smmus; i++)
		if (t->d->smmus[i].cmdqv.there && t->d->smmus[i].cmdqv.node == node)
			return uiommu_dt_error(t, by, "property nvidia,cmdqv: %s is that of %s",
					       uiommu_dt_name(t, node), t->d->smmus[i].name);
	return 0;
}

/* One that is disabled is not there, as Linux has it. */
static int smmu_cmdqv(const struct dt *t, int node, struct desc_smmu *s)
{
	uint32_t phandle = 0;
	int at;

	if (uiommu_dt_u32(t, node, "nvidia,cmdqv", 0, UINT32_MAX, &phandle))
		return -UIOMMU_EINVAL;
	if (!phandle)
		return 0;
	at = fdt_node_offset_by_phandle(t->fdt, phandle);
	if (at < 0 || !uiommu_dt_compatible(t, at, "nvidia,tegra264-cmdqv"))
		return uiommu_dt_error(t, node,
				       "property nvidia,cmdqv: phandle 0x%x is not that "
				       "of an nvidia,tegra264-cmdqv node",
				       phandle);
	if (!uiommu_dt_enabled(t, at))
		return 0;
	s->cmdqv.node = at;
	if (cmdqv_taken(t, at, node) || cmdqv_sizes(t, at, &s->sim) ||
	    uiommu_dt_reg(t, at, &s->cmdqv.pa, &s->cmdqv.bytes) || cmdqv_irq(t, at, s))
		return -UIOMMU_EINVAL;
	s->cmdqv.there = true;
	return trim_window(t, at, s->cmdqv.pa, &s->cmdqv.bytes,
			   CMDQV_BYTES + ((uint64_t)CMDQV_VINTF_BYTES << s->sim.cmdqv.vintfs_lg2));
}

/* ---- what the ID registers say ---- */

struct id_prop {
	const char *name;
	uint32_t min, max;
	unsigned *field;
};

static int smmu_ids(const struct dt *t, int node, struct uiommu_sim_smmuv3_config *c)
{
	const struct id_prop props[] = {
		{ "uiommu,sidsize", 1, 20, &c->sidsize },
		{ "uiommu,ssidsize", 0, 20, &c->ssidsize },
		{ "uiommu,cmdq-max-lg2", 1, 19, &c->cmdq_max_lg2 },
		{ "uiommu,evtq-max-lg2", 1, 19, &c->evtq_max_lg2 },
		{ "uiommu,priq-max-lg2", 1, 19, &c->priq_max_lg2 },
		{ "uiommu,tlb-entries-lg2", 2, 20, &c->tlb_entries_lg2 },
	};
	uint32_t oas = 48, asid_bits = c->asid16 ? 16 : 8;
	bool no_ril;

	for (unsigned i = 0; i < sizeof(props) / sizeof(props[0]); i++)
		if (uiommu_dt_u32(t, node, props[i].name, props[i].min, props[i].max,
				  props[i].field))
			return -UIOMMU_EINVAL;
	if (uiommu_dt_u32(t, node, "uiommu,asid-bits", 8, 16, &asid_bits) ||
	    uiommu_dt_u32(t, node, "uiommu,oas", 32, 48, &oas) ||
	    uiommu_dt_flag(t, node, "uiommu,no-range-invalidation", &no_ril) ||
	    uiommu_dt_flag(t, node, "uiommu,ats", &c->ats) ||
	    uiommu_dt_flag(t, node, "uiommu,pri", &c->pri) ||
	    uiommu_dt_flag(t, node, "dma-coherent", &c->coherent))
		return -UIOMMU_EINVAL;
	if (c->pri && !c->ats)
		return uiommu_dt_error(t, node, "property uiommu,pri: there is no PRI without ATS "
				       "(uiommu,ats)");
	if (asid_bits != 8 && asid_bits != 16)
		return uiommu_dt_error(t, node, "property uiommu,asid-bits is %u, not 8 or 16",
				       asid_bits);
	if (oas != 32 && oas != 36 && oas != 40 && oas != 42 && oas != 44 && oas != 48)
		return uiommu_dt_error(
			t, node, "property uiommu,oas is %u, not 32, 36, 40, 42, 44 or 48", oas);
	c->asid16 = c->vmid16 = asid_bits == 16;
	c->oas_lg2 = oas;
	if (no_ril)
		c->range_inv = false;
	return 0;
}

int uiommu_dt_smmu(const struct dt *t, int node)
{
	struct desc_smmu *s = &t->d->smmus[t->d->num_smmus];
	uint32_t cells = 0;

	if (t->d->num_smmus == DESC_MAX_SMMUS)
		return uiommu_dt_error(t, node, "more than %d SMMUs", DESC_MAX_SMMUS);
	t->d->num_smmus++;
	s->node = node;
	s->phandle = fdt_get_phandle(t->fdt, node);
	snprintf(s->name, sizeof(s->name), "%s", uiommu_dt_name(t, node));
	if (uiommu_dt_reg(t, node, &s->pa, &s->bytes))
		return -UIOMMU_EINVAL;
	if (trim_window(t, node, s->pa, &s->bytes, SMMU_BYTES))
		return -UIOMMU_EINVAL;
	if (uiommu_dt_u32(t, node, "#iommu-cells", 0, 8, &cells))
		return -UIOMMU_EINVAL;
	if (cells != 1)
		return uiommu_dt_error(t, node, "property #iommu-cells must be 1");
	uiommu_sim_smmuv3_config_init(&s->sim);
	s->sim.stage2 = true;	/* VMs, and guests' tables on ours */
	s->sim.priq_max_lg2 = 8;
	s->sim.reset_abort = true;	/* one that is recovered lets nothing by on the way */
	if (uiommu_dt_u32(t, node, "uiommu,hostile-seed", 1, UINT32_MAX, &s->hostile_seed) ||
	    smmu_ids(t, node, &s->sim) || smmu_irqs(t, node, s) || irqs_clash(t, node, s))
		return -UIOMMU_EINVAL;
	return smmu_cmdqv(t, node, s);
}

/* ---- ITS ---- */

int uiommu_dt_its(const struct dt *t, int node)
{
	struct desc_its *s = &t->d->its[t->d->num_its];

	if (t->d->num_its == DESC_MAX_ITS)
		return uiommu_dt_error(t, node, "more than %d MSI controllers", DESC_MAX_ITS);
	t->d->num_its++;
	s->node = node;
	s->phandle = fdt_get_phandle(t->fdt, node);
	snprintf(s->name, sizeof(s->name), "%s", uiommu_dt_name(t, node));
	if (uiommu_dt_reg(t, node, &s->pa, &s->bytes))
		return -UIOMMU_EINVAL;
	return trim_window(t, node, s->pa, &s->bytes, ITS_BYTES);
}
