/* SPDX-License-Identifier: MIT */
/* dt_pci.c - pci-host-ecam-generic nodes, the functions below them, and which
 * StreamID and DeviceID a RID becomes */
#include <stdio.h>
#include <string.h>

#include "dt.h"

#define PCI_REG_CELLS	5
#define MAP_CELLS	4

/* One entry of iommu-map or msi-map: RIDs [rid, rid + n) become [id, id + n). */
struct map_entry {
	uint32_t rid, phandle, id, n;
	unsigned index;			/* of the SMMU or ITS */
};

struct rid_map {
	const char *prop;
	uint32_t mask;
	unsigned n;
	struct map_entry e[DESC_MAX_MAP];
};

struct host {
	int node;
	uint32_t segment, bus_first, bus_last;
	struct rid_map iommu, msi;
};

/* ---- maps ---- */

static int smmu_by_phandle(const struct dt *t, uint32_t phandle)
{
	for (unsigned i = 0; i < t->d->num_smmus; i++)
		if (t->d->smmus[i].phandle == phandle)
			return (int)i;
	return -1;
}

static int its_by_phandle(const struct dt *t, uint32_t phandle)
{
	for (unsigned i = 0; i < t->d->num_its; i++)
		if (t->d->its[i].phandle == phandle)
			return (int)i;
	return -1;
}

static int map_target(const struct dt *t, int node, const char *prop, bool iommu,
		      struct map_entry *e)
{
	int i = iommu ? smmu_by_phandle(t, e->phandle) : its_by_phandle(t, e->phandle);

	if (i < 0)
		return uiommu_dt_error(
			t, node, "property %s: phandle 0x%x is not that of an enabled %s node",
			prop, e->phandle, iommu ? "arm,smmu-v3" : "arm,gic-v3-its");
	e->index = (unsigned)i;
	return 0;
}

static int map_add(const struct dt *t, int node, bool iommu, const struct dt_cells *c, int at,
		   struct rid_map *m)
{
	struct map_entry *e = &m->e[m->n];

	*e = (struct map_entry){ uiommu_dt_cell(c, at), uiommu_dt_cell(c, at + 1),
				 uiommu_dt_cell(c, at + 2), uiommu_dt_cell(c, at + 3), 0 };
	if (!e->n || e->rid > 0xffff || e->n > 0x10000 - e->rid)
		return uiommu_dt_error(t, node,
				       "property %s: entry %u covers 0x%x RIDs from 0x%x, which "
				       "is none or beyond 0xffff",
				       m->prop, m->n, e->n, e->rid);
	for (unsigned i = 0; i < m->n; i++)
		if (e->rid < m->e[i].rid + m->e[i].n && m->e[i].rid < e->rid + e->n)
			return uiommu_dt_error(t, node, "property %s: entries %u and %u overlap",
					       m->prop, i, m->n);
	m->n++;
	return map_target(t, node, m->prop, iommu, e);
}

static int read_map(const struct dt *t, int node, bool iommu, const char *mask_prop,
		    struct rid_map *m)
{
	struct dt_cells c;

	m->mask = 0xffff;
	if (uiommu_dt_u32(t, node, mask_prop, 0, 0xffff, &m->mask) ||
	    uiommu_dt_cells(t, node, m->prop, &c))
		return -UIOMMU_EINVAL;
	if (c.n % MAP_CELLS || c.n / MAP_CELLS > DESC_MAX_MAP)
		return uiommu_dt_error(t, node,
				       "property %s has %d cells, not a multiple of %d up to %d",
				       m->prop, c.n, MAP_CELLS, MAP_CELLS * DESC_MAX_MAP);
	for (int i = 0; i < c.n; i += MAP_CELLS)
		if (map_add(t, node, iommu, &c, i, m))
			return -UIOMMU_EINVAL;
	return 0;
}

/* msi-parent: every RID to one controller, DeviceID = RID. */
static int read_msi_parent(const struct dt *t, int node, struct rid_map *m)
{
	struct dt_cells c;

	if (uiommu_dt_cells(t, node, "msi-parent", &c))
		return -UIOMMU_EINVAL;
	if (!c.p || m->n)
		return 0;
	if (c.n < 1 || c.n > 2)
		return uiommu_dt_error(t, node, "property msi-parent has %d cells, not one phandle",
				       c.n);
	m->e[m->n++] = (struct map_entry){ 0, uiommu_dt_cell(&c, 0), 0, 0x10000, 0 };
	return map_target(t, node, "msi-parent", false, &m->e[0]);
}

static const struct map_entry *map_find(const struct rid_map *m, uint32_t rid, uint32_t *id)
{
	rid &= m->mask;
	for (unsigned i = 0; i < m->n; i++)
		if (rid >= m->e[i].rid && rid - m->e[i].rid < m->e[i].n) {
			*id = m->e[i].id + (rid - m->e[i].rid);
			return &m->e[i];
		}
	return NULL;
}

/* ---- functions ---- */

static int function_routes(const struct dt *t, const struct host *h, struct desc_function *f)
{
	const struct map_entry *e = map_find(&h->iommu, f->rid, &f->sid);

	if (!e)
		return uiommu_dt_error(t, h->node,
				       "property iommu-map has no entry for RID 0x%04x (%s)",
				       f->rid, uiommu_dt_name(t, f->node));
	f->smmu = e->index;
	if (f->sid >> t->d->smmus[e->index].sim.sidsize)
		return uiommu_dt_error(t, h->node,
				       "property iommu-map gives RID 0x%04x StreamID 0x%x, "
				       "but %s has only %u bits (uiommu,sidsize)",
				       f->rid, f->sid, t->d->smmus[e->index].name,
				       t->d->smmus[e->index].sim.sidsize);
	e = map_find(&h->msi, f->rid, &f->device_id);
	f->its = e ? (int)e->index : -1;
	return 0;
}

static int function_reg(const struct dt *t, const struct host *h, struct desc_function *f)
{
	struct dt_cells c;
	uint32_t hi;

	if (uiommu_dt_cells(t, f->node, "reg", &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return uiommu_dt_error(t, f->node, "property reg is missing");
	if (c.n < PCI_REG_CELLS || c.n % PCI_REG_CELLS)
		return uiommu_dt_error(t, f->node,
				       "property reg has %d cells, not a multiple of %d", c.n,
				       PCI_REG_CELLS);
	hi = uiommu_dt_cell(&c, 0);
	if (hi & 0xff0000ff)
		return uiommu_dt_error(t, f->node,
				       "property reg: 0x%08x is not the address of a config space",
				       hi);
	f->rid = hi >> 8;
	if (f->rid >> 8 < h->bus_first || f->rid >> 8 > h->bus_last)
		return uiommu_dt_error(t, f->node,
				       "property reg names bus 0x%02x, outside bus-range of %s",
				       f->rid >> 8, uiommu_dt_name(t, h->node));
	f->segment = h->segment;
	snprintf(f->name, sizeof(f->name), "%04x:%02x:%02x.%u", f->segment & 0xffff,
		 f->rid >> 8 & 0xff, f->rid >> 3 & 0x1f, f->rid & 7);
	return 0;
}

static int ats_props(const struct dt *t, struct desc_function *f)
{
	if (uiommu_dt_flag(t, f->node, "uiommu,ats", &f->edu.ats) ||
	    uiommu_dt_flag(t, f->node, "uiommu,pri", &f->edu.pri))
		return -UIOMMU_EINVAL;
	if (f->edu.pri && !f->edu.ats)
		return uiommu_dt_error(t, f->node,
				       "property uiommu,pri: there is no PRI without ATS");
	if (f->edu.plain && f->edu.ats)
		return uiommu_dt_error(t, f->node, "property uiommu,ats: a plain edu has none");
	return 0;
}

static int function_props(const struct dt *t, struct desc_function *f)
{
	uint32_t group = UINT32_MAX, queues = 3;

	f->edu.pasid_bits = 20;
	if (uiommu_dt_flag(t, f->node, "uiommu,plain-edu", &f->edu.plain))
		return -UIOMMU_EINVAL;
	if (f->edu.plain)
		f->edu.pasid_bits = 0;
	if (uiommu_dt_u32(t, f->node, "uiommu,pasid-bits", 0, 20, &f->edu.pasid_bits) ||
	    uiommu_dt_u32(t, f->node, "uiommu,queues", 1, UIOMMU_SIM_EDU_MAX_QUEUES, &queues) ||
	    uiommu_dt_u32(t, f->node, "uiommu,group", 0, 0x7fffffff, &group))
		return -UIOMMU_EINVAL;
	if (ats_props(t, f))
		return -UIOMMU_EINVAL;
	if (f->edu.plain && f->edu.pasid_bits)
		return uiommu_dt_error(t, f->node,
				       "property uiommu,pasid-bits: a plain edu sends none");
	f->edu.queues = queues;
	f->group = group == UINT32_MAX ? -1 : (int)group;
	return 0;
}

static int function(const struct dt *t, const struct host *h, int node)
{
	struct desc_function *f = &t->d->functions[t->d->num_functions];
	const char *compatible = fdt_stringlist_get(t->fdt, node, "compatible", 0, NULL);

	if (!compatible)
		return uiommu_dt_error(t, node, "property compatible is missing or no string");
	if (!uiommu_dt_compatible(t, node, "pci1234,11e8"))
		return uiommu_dt_error(t, node,
				       "property compatible: \"%s\" is no device known here; "
				       "there is pci1234,11e8 (edu)",
				       compatible);
	if (t->d->num_functions == DESC_MAX_FUNCTIONS)
		return uiommu_dt_error(t, node, "more than %d functions", DESC_MAX_FUNCTIONS);
	f->node = node;
	if (function_reg(t, h, f) || function_props(t, f) || function_routes(t, h, f) ||
	    uiommu_dt_resv(t, f))
		return -UIOMMU_EINVAL;
	t->d->num_functions++;
	return 0;
}

/* A bridge is there to give its secondary bus a number; we model none. */
static bool is_bridge(const struct dt *t, int node)
{
	const char *type = fdt_stringlist_get(t->fdt, node, "device_type", 0, NULL);

	return type && !strcmp(type, "pci");
}

#define MAX_DEPTH 16

/* Every enabled node below the host that is not a bridge is a function. */
static int walk_functions(const struct dt *t, const struct host *h)
{
	int depth = 0, node = h->node, skip = MAX_DEPTH;

	while ((node = fdt_next_node(t->fdt, node, &depth)) >= 0 && depth > 0) {
		if (depth > skip)
			continue;	/* below something that is not looked into */
		skip = MAX_DEPTH;
		if (!uiommu_dt_enabled(t, node)) {
			skip = depth;
		} else if (!is_bridge(t, node)) {
			skip = depth;
			if (function(t, h, node))
				return -UIOMMU_EINVAL;
		}
	}
	return 0;
}

/* ---- hosts ---- */

static int bus_range(const struct dt *t, struct host *h)
{
	struct dt_cells c;

	h->bus_last = 0xff;
	if (uiommu_dt_cells(t, h->node, "bus-range", &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return 0;
	if (c.n != 2 || uiommu_dt_cell(&c, 0) > uiommu_dt_cell(&c, 1) ||
	    uiommu_dt_cell(&c, 1) > 0xff)
		return uiommu_dt_error(
			t, h->node,
			"property bus-range must be two bus numbers, the first not larger");
	h->bus_first = uiommu_dt_cell(&c, 0);
	h->bus_last = uiommu_dt_cell(&c, 1);
	return 0;
}

int uiommu_dt_host(const struct dt *t, int node, uint32_t segment)
{
	struct host h = {
		.node = node,
		.segment = segment,
		.iommu.prop = "iommu-map",
		.msi.prop = "msi-map",
	};

	if (bus_range(t, &h) || read_map(t, node, true, "iommu-map-mask", &h.iommu) ||
	    read_map(t, node, false, "msi-map-mask", &h.msi) || read_msi_parent(t, node, &h.msi))
		return -UIOMMU_EINVAL;
	return walk_functions(t, &h);
}
