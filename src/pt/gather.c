/* SPDX-License-Identifier: MIT */
/* src/pt/gather.c - what unmap took away, until hardware has been told; the root */
#include <uiommu/pt.h>

#include "../port/port.h"

void uiommu_gather_init(struct uiommu_gather *g)
{
	*g = (struct uiommu_gather){ .start = UINT64_MAX };
}

bool uiommu_gather_empty(const struct uiommu_gather *g)
{
	return g->start > g->last && !g->free_list;
}

void uiommu_gather_free(struct uiommu_gather *g, const struct uiommu_host *host)
{
	uint64_t *t = g->free_list;

	while (t) {
		uint64_t *next = (uint64_t *)(uintptr_t)port_load64(t);

		host->table_free(host->ctx, t, g->table_bytes);
		t = next;
	}
	uiommu_gather_init(g);
}

uiommu_pa_t uiommu_pt_root(const struct uiommu_pt *pt, unsigned *level)
{
	uint64_t r = port_load64(&pt->root);

	if (level)
		*level = r & UIOMMU_PT_ROOT_LEVEL;
	return (r & ~(uint64_t)UIOMMU_PT_ROOT_LEVEL) - pt->offset;
}
