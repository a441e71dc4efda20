/* SPDX-License-Identifier: MIT */
/* src/pt/gather.c - what unmap took away, until hardware has been told; the root */
#include <uiommu/pt.h>

#include "../port/port.h"

/* Member by member: without vector registers compilers clear a structure with an
 * instruction that takes longer than an unmap. */
static void start_afresh(struct uiommu_gather *g)
{
	g->start = UINT64_MAX;
	g->last = 0;
	g->pgsizes = 0;
	g->tables = false;
	g->free_list = NULL;
}

void uiommu_gather_init(struct uiommu_gather *g)
{
	start_afresh(g);
	g->table_bytes = 0;
	g->ops = NULL;
}

bool uiommu_gather_empty(const struct uiommu_gather *g)
{
	return g->start > g->last && !g->free_list;
}

void uiommu_gather_free(struct uiommu_gather *g, const struct uiommu_host *host)
{
	if (g->free_list)
		g->ops->free_tables(host, g->free_list);
	start_afresh(g);
}

uiommu_pa_t uiommu_pt_root(const struct uiommu_pt *pt, unsigned *level)
{
	uint64_t r = port_load64(&pt->root);

	if (level)
		*level = r & UIOMMU_PT_ROOT_LEVEL;
	return (r & ~(uint64_t)UIOMMU_PT_ROOT_LEVEL) - pt->offset;
}
