/* SPDX-License-Identifier: MIT */
/*
 * dt_resv.c - memory-region and iommu-addresses: which IOVAs of a function are not for
 * mapping, as the binding of reserved memory says it
 */
#include "dt.h"

#define PAGE	4096u

/* One entry of iommu-addresses: whose it is, and the range. Its cells are those of the
 * bus that this device is on; the first of three is a PCI address' flags. */
struct entry {
	int node;
	uint64_t start, bytes;
};

static int read_entry(const struct dt *t, int region, const struct dt_cells *c, int *at,
		      struct entry *e)
{
	uint32_t phandle = uiommu_dt_cell(c, *at);
	int bus, na, ns;

	e->node = fdt_node_offset_by_phandle(t->fdt, phandle);
	if (e->node < 0)
		return uiommu_dt_error(t, region, "property iommu-addresses: there is no phandle "
				       "0x%x", phandle);
	bus = fdt_parent_offset(t->fdt, e->node);
	na = bus < 0 ? -1 : fdt_address_cells(t->fdt, bus);
	ns = bus < 0 ? -1 : fdt_size_cells(t->fdt, bus);
	if (na < 1 || ns < 1 || ns > 2 || *at + 1 + na + ns > c->n)
		return uiommu_dt_error(t, region, "property iommu-addresses has %d cells, which "
				       "is not what the bus of %s needs", c->n,
				       uiommu_dt_name(t, e->node));
	e->start = uiommu_dt_join(c, *at + 1 + (na > 2), na > 2 ? na - 1 : na);
	e->bytes = uiommu_dt_join(c, *at + 1 + na, ns);
	*at += 1 + na + ns;
	return 0;
}

/* Mapped 1:1 where it is memory at that address; else merely not there for anybody. */
static int type_of(const struct dt *t, int region, const struct entry *e,
		   enum uiommu_resv_type *type)
{
	uint64_t base, bytes;

	*type = UIOMMU_RESV_RESERVED;
	if (!fdt_getprop(t->fdt, region, "reg", NULL))
		return 0;
	if (uiommu_dt_reg(t, region, &base, &bytes))
		return -UIOMMU_EINVAL;
	if (base == e->start && bytes == e->bytes)
		*type = UIOMMU_RESV_DIRECT;
	return 0;
}

static int add_range(const struct dt *t, int region, const struct entry *e,
		     struct desc_function *f)
{
	struct uiommu_dev_resv *r = &f->resv[f->num_resv];

	if (f->num_resv == UIOMMU_RESV_MAX)
		return uiommu_dt_error(t, f->node, "property memory-region: more than %u ranges",
				       UIOMMU_RESV_MAX);
	if (!e->bytes || e->start + e->bytes - 1 < e->start)
		return uiommu_dt_error(t, region, "property iommu-addresses: 0x%llx bytes from "
				       "0x%llx are none, or beyond 64 bits",
				       (unsigned long long)e->bytes, (unsigned long long)e->start);
	r->start = e->start;
	r->last = e->start + e->bytes - 1;
	if (type_of(t, region, e, &r->type))
		return -UIOMMU_EINVAL;
	if (r->type == UIOMMU_RESV_DIRECT) {
		r->prot = UIOMMU_PROT_READ | UIOMMU_PROT_WRITE;
		if (r->start % PAGE || e->bytes % PAGE)
			return uiommu_dt_error(t, region, "property reg is not whole pages");
	}
	f->num_resv++;
	return 0;
}

static int read_region(const struct dt *t, int region, struct desc_function *f)
{
	struct dt_cells c;
	struct entry e = { 0 };

	if (uiommu_dt_cells(t, region, "iommu-addresses", &c))
		return -UIOMMU_EINVAL;
	for (int at = 0; at < c.n;)
		if (read_entry(t, region, &c, &at, &e) ||
		    (e.node == f->node && add_range(t, region, &e, f)))
			return -UIOMMU_EINVAL;
	return 0;
}

int uiommu_dt_resv(const struct dt *t, struct desc_function *f)
{
	struct dt_cells c;

	if (uiommu_dt_cells(t, f->node, "memory-region", &c))
		return -UIOMMU_EINVAL;
	for (int i = 0; i < c.n; i++) {
		uint32_t phandle = uiommu_dt_cell(&c, i);
		int region = fdt_node_offset_by_phandle(t->fdt, phandle);

		if (region < 0)
			return uiommu_dt_error(t, f->node, "property memory-region: there is no "
					       "phandle 0x%x", phandle);
		if (uiommu_dt_enabled(t, region) && read_region(t, region, f))
			return -UIOMMU_EINVAL;
	}
	return 0;
}
