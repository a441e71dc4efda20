/* SPDX-License-Identifier: MIT */
/* dt.h - looking things up in a devicetree, with sentences for what is wrong */
#ifndef UIOMMU_MACHINE_DT_H
#define UIOMMU_MACHINE_DT_H

#include <libfdt.h>
#include <stdarg.h>

#include "desc.h"

struct dt {
	const void *fdt;
	struct desc *d;
	char *err;
	size_t err_bytes;
};

/* A property of 32-bit cells. */
struct dt_cells {
	const fdt32_t *p;
	int n;
};

/* Writes "<path>: <sentence>" and returns -UIOMMU_EINVAL. */
int uiommu_dt_error(const struct dt *t, int node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

const char *uiommu_dt_name(const struct dt *t, int node);
bool uiommu_dt_enabled(const struct dt *t, int node);
bool uiommu_dt_compatible(const struct dt *t, int node, const char *what);

/* @c->p NULL: no such property, which is not an error here. */
int uiommu_dt_cells(const struct dt *t, int node, const char *prop, struct dt_cells *c);
uint32_t uiommu_dt_cell(const struct dt_cells *c, int i);
/* Leaves *@val alone when there is no such property; an error when it is more
 * than one cell, or not in [@min, @max]. */
int uiommu_dt_u32(const struct dt *t, int node, const char *prop, uint32_t min, uint32_t max,
	   uint32_t *val);
int uiommu_dt_flag(const struct dt *t, int node, const char *prop, bool *val);
/* @n cells as one number, 64 bits of it */
uint64_t uiommu_dt_join(const struct dt_cells *c, int at, int n);
/* The first entry of reg, which must be there. */
int uiommu_dt_reg(const struct dt *t, int node, uint64_t *base, uint64_t *bytes);

/* the parts of uiommu_desc_from_dtb(), one per file */
int uiommu_dt_smmu(const struct dt *t, int node);
int uiommu_dt_its(const struct dt *t, int node);
int uiommu_dt_host(const struct dt *t, int node, uint32_t segment);
int uiommu_dt_resv(const struct dt *t, struct desc_function *f);

#endif
