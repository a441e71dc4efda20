/* SPDX-License-Identifier: MIT */
/* topo_dt.c - SMMUs, iommu-map and iommus of a devicetree */
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "topo.h"

struct dt {
	const void *fdt;
	struct topo *t;
	unsigned hosts;			/* PCI hosts so far, for segment numbers */
	unsigned others;		/* entries that lead to another kind of IOMMU */
	char *other;			/* the first of them */
};

struct cells {
	const uint8_t *p;
	int n;
};

/* ---- properties ---- */

static char *path_of(const struct dt *d, int node)
{
	char buf[512];

	if (fdt_get_path(d->fdt, node, buf, sizeof(buf)))
		return topo_str("%s", fdt_get_name(d->fdt, node, NULL));
	return topo_str("%s", buf);
}

static struct cells cells(const struct dt *d, int node, const char *prop)
{
	struct cells c = { 0 };
	int len = 0;

	c.p = fdt_getprop(d->fdt, node, prop, &len);
	c.n = c.p ? len / 4 : 0;
	return c;
}

static uint32_t cell(struct cells c, int i)
{
	fdt32_t v;

	memcpy(&v, c.p + 4 * (size_t)i, sizeof(v));
	return fdt32_to_cpu(v);
}

static uint32_t cell_or(const struct dt *d, int node, const char *prop, uint32_t other)
{
	struct cells c = cells(d, node, prop);

	return c.n ? cell(c, 0) : other;
}

static bool enabled(const struct dt *d, int node)
{
	const char *s = fdt_stringlist_get(d->fdt, node, "status", 0, NULL);

	return !s || !strcmp(s, "okay") || !strcmp(s, "ok");
}

/* A disabled parent disables what is below it. */
static bool all_enabled(const struct dt *d, int node)
{
	for (; node > 0; node = fdt_parent_offset(d->fdt, node))
		if (!enabled(d, node))
			return false;
	return true;
}

/* ---- SMMUs ---- */

static uint64_t reg_base(const struct dt *d, int node)
{
	int parent = fdt_parent_offset(d->fdt, node);
	int na = parent < 0 ? 2 : fdt_address_cells(d->fdt, parent);
	struct cells c = cells(d, node, "reg");

	if (na < 1 || na > 2 || c.n < na)
		return 0;
	return na == 2 ? (uint64_t)cell(c, 0) << 32 | cell(c, 1) : cell(c, 0);
}

static void smmu(struct dt *d, int node)
{
	struct topo_smmu *s = topo_add_smmu(d->t);
	uint32_t icells = cell_or(d, node, "#iommu-cells", ~0u);

	s->name = path_of(d, node);
	s->key = fdt_get_phandle(d->fdt, node);
	s->base = reg_base(d, node);
	s->sidsize = cell_or(d, node, "uiommu,sidsize", 0);
	s->disabled = !all_enabled(d, node);
	if (s->sidsize > 32)
		s->sidsize = 32;
	if (icells != 1)
		topo_find(d->t, TOPO_ERROR, "iommu-cells", "%s: #iommu-cells is %s, not 1", s->name,
			  icells == ~0u ? "missing" : "something else");
}

/* The SMMU with that phandle; others are named in a finding. */
static int target(struct dt *d, const char *who, const char *prop, uint32_t phandle)
{
	int node;
	char *path;

	for (unsigned i = 0; i < d->t->num_smmus; i++)
		if (d->t->smmus[i].key == phandle && phandle)
			return (int)i;
	node = fdt_node_offset_by_phandle(d->fdt, phandle);
	if (node < 0) {
		topo_find(d->t, TOPO_ERROR, "bad-reference", "%s: %s names phandle 0x%x, which no "
			  "node has", who, prop, phandle);
		return -1;
	}
	if (!d->others++) {
		path = path_of(d, node);
		d->other = topo_str("%s: %s leads to %s", who, prop, path);
		free(path);
	}
	return -1;
}

/* ---- iommu-map ---- */

static void map_entry(struct dt *d, unsigned root, struct cells c, int at)
{
	struct topo_root *r = &d->t->roots[root];
	uint32_t id = cell(c, at), phandle = cell(c, at + 1), sid = cell(c, at + 2);
	uint64_t count = cell(c, at + 3);
	struct topo_map *m;
	int smmu;

	if (!count || (r->pci && id + count > 0x10000)) {
		topo_find(d->t, TOPO_ERROR, "bad-range", "%s: an entry of iommu-map covers 0x%"
			  PRIx64 " RIDs from 0x%x: %s", r->name, count, id, count ?
			  "beyond 0xffff" : "none");
		if (!count)
			return;
	}
	if (id & ~r->mask)
		topo_find(d->t, TOPO_ERROR, "mask", "%s: iommu-map begins at RID 0x%04x, of which "
			  "iommu-map-mask 0x%04x leaves 0x%04x: the entry never matches as meant",
			  r->name, id, r->mask, id & r->mask);
	if (sid + count > (uint64_t)1 << 32)
		topo_find(d->t, TOPO_ERROR, "bad-range", "%s: iommu-map gives StreamIDs beyond 32 "
			  "bits from 0x%x", r->name, sid);
	smmu = target(d, r->name, "iommu-map", phandle);
	if (smmu < 0)
		return;
	m = topo_add_map(d->t);
	*m = (struct topo_map){ .root = root, .smmu = (unsigned)smmu, .id = id, .sid = sid,
				.count = count };
	if (!r->pci && id + count - 1 > r->rid_last)
		r->rid_last = (uint32_t)(id + count - 1);
}

/* Functions that the tree names: reg is <phys.hi ...>, with the RID in bits 23:8. */
static void pci_children(struct dt *d, int node, unsigned root, unsigned depth)
{
	int child;

	fdt_for_each_subnode(child, d->fdt, node) {
		struct cells c = cells(d, child, "reg");
		const char *name = fdt_get_name(d->fdt, child, NULL);
		struct topo_dev *dev;

		if (c.n < 5 || !enabled(d, child))
			continue;
		dev = topo_add_dev(d->t);
		*dev = (struct topo_dev){ .root = root, .id = cell(c, 0) >> 8 & 0xffff,
					  .name = topo_str("%s", name ? name : "?"), .group = -1 };
		if (depth < 16)
			pci_children(d, child, root, depth + 1);
	}
}

static void pci_host(struct dt *d, int node, struct topo_root *r)
{
	struct cells bus = cells(d, node, "bus-range");
	uint32_t first = bus.n == 2 ? cell(bus, 0) & 0xff : 0;
	uint32_t last = bus.n == 2 ? cell(bus, 1) & 0xff : 0xff;

	r->segment = cell_or(d, node, "linux,pci-domain", d->hosts);
	r->rid_first = first << 8;
	r->rid_last = last << 8 | 0xff;
	d->hosts++;
	if (last < first) {
		topo_find(d->t, TOPO_ERROR, "bad-range", "%s: bus-range ends before it begins",
			  r->name);
		r->rid_last = r->rid_first | 0xff;
	}
}

/* A PCI host, or something else whose IDs (channels, contexts) have StreamIDs. */
static void mapped(struct dt *d, int node, bool pci)
{
	struct cells map = cells(d, node, "iommu-map");
	struct topo_root *r = topo_add_root(d->t);
	unsigned root = d->t->num_roots - 1;

	r->name = path_of(d, node);
	r->pci = pci;
	r->ids = !pci;
	r->mask = cell_or(d, node, "iommu-map-mask", r->mask) & (pci ? 0xffff : 0xffffffff);
	if (pci)
		pci_host(d, node, r);
	if (map.n % 4)
		topo_find(d->t, TOPO_ERROR, "bad-length", "%s: iommu-map has %d cells, not a "
			  "multiple of 4; what is left over is not read", r->name, map.n);
	for (int i = 0; i + 4 <= map.n; i += 4)
		map_entry(d, root, map, i);
	if (pci)
		pci_children(d, node, root, 0);
}

/* ---- devices that are no PCI functions ---- */

static unsigned device_root(struct dt *d, int node, int *have)
{
	struct topo_root *r;

	if (*have < 0) {
		r = topo_add_root(d->t);
		r->name = path_of(d, node);
		*have = (int)d->t->num_roots - 1;
	}
	return (unsigned)*have;
}

/* iommus = <&smmu sid>...: how many cells follow a phandle is the target's matter. */
static void device(struct dt *d, int node, struct cells c)
{
	char *path = path_of(d, node);
	int root = -1, at = 0;
	uint32_t n = 0;

	while (at < c.n) {
		uint32_t phandle = cell(c, at);
		int to = fdt_node_offset_by_phandle(d->fdt, phandle), smmu;
		uint32_t more = to < 0 ? 1 : cell_or(d, to, "#iommu-cells", 0);

		if (more > 16 || at + 1 + (int)more > c.n) {
			topo_find(d->t, TOPO_ERROR, "bad-length", "%s: iommus ends within an entry",
				  path);
			break;
		}
		smmu = target(d, path, "iommus", phandle);
		if (smmu >= 0 && more == 1) {
			unsigned r = device_root(d, node, &root);
			struct topo_map *m = topo_add_map(d->t);

			*m = (struct topo_map){ .root = r, .smmu = (unsigned)smmu, .id = n++,
						.sid = cell(c, at + 1), .count = 1 };
		}
		at += 1 + (int)more;
	}
	if (root >= 0)
		d->t->roots[root].rid_last = n - 1;
	free(path);
}

/* ---- the whole ---- */

static void one_node(struct dt *d, int node)
{
	const char *type = fdt_stringlist_get(d->fdt, node, "device_type", 0, NULL);
	struct cells iommus = cells(d, node, "iommus");
	struct cells reg = cells(d, node, "reg");
	bool pci = type && !strcmp(type, "pci");
	bool host = fdt_getprop(d->fdt, node, "iommu-map", NULL) || (pci && reg.n < 5);

	if ((!host && !iommus.n) || !all_enabled(d, node))
		return;
	if (host)
		mapped(d, node, pci);
	if (iommus.n)
		device(d, node, iommus);
}

int topo_from_dtb(const void *dtb, size_t bytes, struct topo *t, char *err, size_t err_bytes)
{
	struct dt d = { .fdt = dtb, .t = t };
	int ret = fdt_check_full(dtb, bytes), node;

	if (ret) {
		snprintf(err, err_bytes, "The devicetree blob is damaged or cut short (%zu bytes, "
			 "%s).", bytes, fdt_strerror(ret));
		return -1;
	}
	for (node = -1; (node = fdt_node_offset_by_compatible(dtb, node, "arm,smmu-v3")) >= 0;)
		smmu(&d, node);
	for (node = fdt_next_node(dtb, -1, NULL); node >= 0; node = fdt_next_node(dtb, node, NULL))
		one_node(&d, node);
	if (d.others)
		topo_find(t, TOPO_NOTE, "other-iommu", "%u entr%s to an IOMMU that is no "
			  "arm,smmu-v3, and %s not shown: %s", d.others, d.others == 1 ? "y leads" :
			  "ies lead", d.others == 1 ? "is" : "are", d.other);
	free(d.other);
	return 0;
}
