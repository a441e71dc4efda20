/* SPDX-License-Identifier: MIT */
/* dt.c - properties of a devicetree, and the walk over its nodes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dt.h"

/* ---- sentences ---- */

int uiommu_dt_error(const struct dt *t, int node, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	int n = 0;

	if (node >= 0 && !fdt_get_path(t->fdt, node, path, sizeof(path)))
		n = snprintf(t->err, t->err_bytes, "%s: ", path);
	if (n < 0 || (size_t)n >= t->err_bytes)
		return -UIOMMU_EINVAL;
	va_start(ap, fmt);
	vsnprintf(t->err + n, t->err_bytes - (size_t)n, fmt, ap);
	va_end(ap);
	return -UIOMMU_EINVAL;
}

/* ---- properties ---- */

const char *uiommu_dt_name(const struct dt *t, int node)
{
	const char *name = fdt_get_name(t->fdt, node, NULL);

	return name ? name : "?";
}

bool uiommu_dt_enabled(const struct dt *t, int node)
{
	const char *s = fdt_stringlist_get(t->fdt, node, "status", 0, NULL);

	return !s || !strcmp(s, "okay") || !strcmp(s, "ok");
}

bool uiommu_dt_compatible(const struct dt *t, int node, const char *what)
{
	return !fdt_node_check_compatible(t->fdt, node, what);
}

int uiommu_dt_cells(const struct dt *t, int node, const char *prop, struct dt_cells *c)
{
	int len = 0;

	c->p = fdt_getprop(t->fdt, node, prop, &len);
	c->n = c->p ? len / 4 : 0;
	if (c->p && len % 4)
		return uiommu_dt_error(t, node,
				       "property %s is %d bytes long, not a number of 32-bit cells",
				       prop, len);
	return 0;
}

uint32_t uiommu_dt_cell(const struct dt_cells *c, int i)
{
	uint32_t v;

	memcpy(&v, c->p + i, sizeof(v));	/* a blob's cells need not be aligned */
	return fdt32_to_cpu(v);
}

int uiommu_dt_u32(const struct dt *t, int node, const char *prop, uint32_t min, uint32_t max,
	   uint32_t *val)
{
	struct dt_cells c;
	uint32_t v;

	if (uiommu_dt_cells(t, node, prop, &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return 0;
	if (c.n != 1)
		return uiommu_dt_error(t, node, "property %s has %d cells instead of 1", prop, c.n);
	v = uiommu_dt_cell(&c, 0);
	if (v < min || v > max)
		return uiommu_dt_error(t, node, "property %s is %u, not in %u..%u", prop, v, min,
				       max);
	*val = v;
	return 0;
}

int uiommu_dt_flag(const struct dt *t, int node, const char *prop, bool *val)
{
	int len = 0;

	*val = fdt_getprop(t->fdt, node, prop, &len) != NULL;
	if (*val && len)
		return uiommu_dt_error(t, node, "property %s is a flag and takes no value", prop);
	return 0;
}

uint64_t uiommu_dt_join(const struct dt_cells *c, int at, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 32 | uiommu_dt_cell(c, at + i);
	return v;
}

int uiommu_dt_reg(const struct dt *t, int node, uint64_t *base, uint64_t *bytes)
{
	int parent = fdt_parent_offset(t->fdt, node);
	int na = fdt_address_cells(t->fdt, parent), ns = fdt_size_cells(t->fdt, parent);
	struct dt_cells c;

	if (na < 1 || na > 2 || ns < 1 || ns > 2)
		return uiommu_dt_error(t, parent, "#address-cells and #size-cells must be 1 or 2");
	if (uiommu_dt_cells(t, node, "reg", &c))
		return -UIOMMU_EINVAL;
	if (!c.p)
		return uiommu_dt_error(t, node, "property reg is missing");
	if (c.n < na + ns || c.n % (na + ns))
		return uiommu_dt_error(t, node, "property reg has %d cells, not a multiple of %d",
				       c.n, na + ns);
	*base = uiommu_dt_join(&c, 0, na);
	*bytes = uiommu_dt_join(&c, na, ns);
	if (*base + *bytes < *base)
		return uiommu_dt_error(t, node, "property reg wraps around the end of memory");
	return 0;
}

/* ---- the whole tree ---- */

typedef int (*node_fn)(const struct dt *t, int node);

static int for_each_compatible(const struct dt *t, const char *what, node_fn fn)
{
	int node = -1, ret = 0;

	while (!ret && (node = fdt_node_offset_by_compatible(t->fdt, node, what)) >= 0)
		if (uiommu_dt_enabled(t, node))
			ret = fn(t, node);
	return ret;
}

/* Segment numbers: linux,pci-domain where it is given, else in order. */
static int hosts(const struct dt *t)
{
	uint32_t segment, used[DESC_MAX_HOSTS], n = 0;
	int node = -1, ret;

	while ((node = fdt_node_offset_by_compatible(t->fdt, node, "pci-host-ecam-generic")) >= 0) {
		if (!uiommu_dt_enabled(t, node))
			continue;
		if (n == DESC_MAX_HOSTS)
			return uiommu_dt_error(t, node, "more than %d PCI hosts", DESC_MAX_HOSTS);
		segment = n;
		if (uiommu_dt_u32(t, node, "linux,pci-domain", 0, 0xffff, &segment))
			return -UIOMMU_EINVAL;
		for (uint32_t i = 0; i < n; i++)
			if (used[i] == segment)
				return uiommu_dt_error(
					t, node,
					"PCI domain %u (linux,pci-domain) is taken by another host",
					segment);
		used[n++] = segment;
		ret = uiommu_dt_host(t, node, segment);
		if (ret)
			return ret;
	}
	return 0;
}

struct window {
	int node;
	uint64_t base, bytes;
};

static int windows_overlap(const struct dt *t)
{
	struct window w[2 * DESC_MAX_SMMUS + DESC_MAX_ITS];
	unsigned n = 0;

	for (unsigned i = 0; i < t->d->num_smmus; i++) {
		const struct desc_smmu *s = &t->d->smmus[i];

		w[n++] = (struct window){ s->node, s->pa, s->bytes };
		if (s->cmdqv.there)
			w[n++] = (struct window){ s->cmdqv.node, s->cmdqv.pa, s->cmdqv.bytes };
	}
	for (unsigned i = 0; i < t->d->num_its; i++)
		w[n++] = (struct window){ t->d->its[i].node, t->d->its[i].pa, t->d->its[i].bytes };
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (w[i].base < w[j].base + w[j].bytes &&
			    w[j].base < w[i].base + w[i].bytes)
				return uiommu_dt_error(t, w[i].node,
						       "property reg overlaps that of %s",
						       uiommu_dt_name(t, w[j].node));
	return 0;
}

static int by_rid(const void *a, const void *b)
{
	const struct desc_function *x = a, *y = b;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->rid < y->rid ? -1 : x->rid > y->rid;
}

/* Two functions that want to be one: as a RID or a DeviceID. */
static int clash(const struct dt *t, const struct desc_function *f, const struct desc_function *o)
{
	const struct desc *d = t->d;

	if (f->segment == o->segment && f->rid == o->rid)
		return uiommu_dt_error(t, f->node, "property reg gives it %s, which %s has already",
				       f->name, uiommu_dt_name(t, o->node));
	if (f->its >= 0 && f->its == o->its && f->device_id == o->device_id)
		return uiommu_dt_error(t, f->node, "msi-map gives it DeviceID 0x%x of %s, "
				       "which %s has already", f->device_id, d->its[f->its].name,
				       o->name);
	return 0;
}

static int functions_clash(const struct dt *t)
{
	const struct desc_function *f = t->d->functions;

	for (unsigned i = 0; i < t->d->num_functions; i++)
		for (unsigned j = 0; j < i; j++)
			if (clash(t, &f[i], &f[j]))
				return -UIOMMU_EINVAL;
	return 0;
}

/* ---- functions that are one to the SMMU ---- */

static bool is_one(const struct desc_function *f, const struct desc_function *o)
{
	return f->smmu == o->smmu && f->sid == o->sid;
}

static int share(const struct dt *t, struct desc_function *f, struct desc_function *o)
{
	const char *smmu = t->d->smmus[f->smmu].name;

	if (f->edu.pasid_bits != o->edu.pasid_bits || f->edu.ats || o->edu.ats)
		return uiommu_dt_error(t, f->node, "iommu-map gives it StreamID 0x%x of %s, which "
				       "%s has: they have one PASID table, so they must have as "
				       "many PASIDs, and no ATS", f->sid, smmu, o->name);
	if (f->group >= 0 && o->group >= 0 && f->group != o->group)
		return uiommu_dt_error(t, f->node, "property uiommu,group: %s has StreamID 0x%x of "
				       "%s too, and another group", o->name, f->sid, smmu);
	f->shared = o->shared = true;
	if (o->group < 0)
		o->group = f->group;
	f->group = o->group;
	return 0;
}

/* What nobody has numbered gets a number that the core does not pick itself. */
static void number_groups(struct desc_function *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j <= i && f[i].shared && f[i].group < 0; j++)
			if (is_one(&f[i], &f[j]))
				f[i].group = (int)(n + j);
}

static int share_streams(const struct dt *t)
{
	struct desc_function *f = t->d->functions;
	unsigned n = t->d->num_functions;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			if (is_one(&f[i], &f[j]) && share(t, &f[i], &f[j]))
				return -UIOMMU_EINVAL;
	number_groups(f, n);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (f[i].group >= 0 && f[i].group == f[j].group && f[i].shared &&
			    !f[j].shared)
				return uiommu_dt_error(t, f[j].node, "property uiommu,group: those "
						       "of group %d have one StreamID, this one "
						       "has not", f[j].group);
	return 0;
}

int uiommu_desc_from_dtb(const void *dtb, size_t dtb_bytes, struct desc *d, char *err,
			 size_t err_bytes)
{
	struct dt t = { .fdt = dtb, .d = d, .err = err, .err_bytes = err_bytes };
	int ret;

	memset(d, 0, sizeof(*d));
	ret = fdt_check_full(dtb, dtb_bytes);
	if (ret)
		return uiommu_dt_error(
			&t, -1, "the devicetree blob is damaged or cut short (%zu bytes, %s)",
			dtb_bytes, fdt_strerror(ret));
	ret = for_each_compatible(&t, "arm,smmu-v3", uiommu_dt_smmu);
	if (!ret)
		ret = for_each_compatible(&t, "arm,gic-v3-its", uiommu_dt_its);
	if (!ret)
		ret = windows_overlap(&t);
	if (!ret)
		ret = hosts(&t);
	if (!ret)
		ret = functions_clash(&t);
	if (!ret)
		ret = share_streams(&t);
	if (!ret)
		qsort(d->functions, d->num_functions, sizeof(d->functions[0]), by_rid);
	return ret;
}
