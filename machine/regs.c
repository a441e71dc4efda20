/* SPDX-License-Identifier: MIT */
/* regs.c - all registers of an SMMU, and of the queues beside it, for people */
#include <stdio.h>

#include "internal.h"
#include "src/smmuv3/fields.h"

struct told {
	const struct mach_smmu *s;
	void (*fn)(void *ctx, const char *name, uint64_t value);
	void *ctx;
};

static const struct reg {
	const char *name;
	uint32_t offset, bits;
} regs[] = {
#define REG(name, offset, width, access) { #name, offset, width },
#include "src/smmuv3/regs.def"
};

/* ---- command queues for user hands ---- */

/* What there is one of, of which each interface has one, each queue. */
enum block { CMDQV, VINTF, VCMDQ_PAGE0, VCMDQ_PAGE1, BLOCKS };

static const struct {
	uint32_t at, stride;
} blocks[BLOCKS] = {
	[CMDQV] = { 0, 0 },
	[VINTF] = { CMDQV_AT_VINTF, CMDQV_STRIDE_VINTF },
	[VCMDQ_PAGE0] = { CMDQV_AT_VCMDQ_PAGE0, CMDQV_STRIDE_VCMDQ },
	[VCMDQ_PAGE1] = { CMDQV_AT_VCMDQ_PAGE1, CMDQV_STRIDE_VCMDQ },
};

static const struct block_reg {
	enum block block;
	const char *name;
	uint32_t offset, bits, count;
} block_regs[] = {
#define BREG(block, name, offset, width, count, access) { block, #name, offset, width, count },
#include "src/smmuv3/regs.def"
};

/* Of those side by side: as many as there are queues, or StreamIDs of a VM. */
static unsigned count_of(const struct block_reg *r, const struct uiommu_sim_smmuv3_config *c)
{
	if (r->block == CMDQV && r->offset == CMDQV_CMDQ_ALLOC)
		return 1u << c->cmdqv.vcmdqs_lg2;
	if (r->block == VINTF && (r->offset == VINTF_SID_MATCH || r->offset == VINTF_SID_REPLACE))
		return 1u << c->cmdqv.sids_lg2;
	return r->count;
}

/* NAME of the block, NAME[V] of interface or queue V, NAME[K] and NAME[V][K] of many. */
static void tell_one(const struct told *t, const struct block_reg *r, unsigned v, unsigned k)
{
	uint64_t at = blocks[r->block].at + (uint64_t)v * blocks[r->block].stride + r->offset;
	char name[64];
	int n = snprintf(name, sizeof(name), "%s", r->name);

	if (r->block != CMDQV)
		n += snprintf(name + n, sizeof(name) - (size_t)n, "[%u]", v);
	if (r->count > 1)
		snprintf(name + n, sizeof(name) - (size_t)n, "[%u]", k);
	t->fn(t->ctx, name,
	      uiommu_sim_smmuv3_cmdqv_read(t->s->sim, at + k * (r->bits / 8), r->bits / 8));
}

static void tell_block(const struct told *t, enum block b, unsigned v)
{
	for (size_t i = 0; i < sizeof(block_regs) / sizeof(block_regs[0]); i++) {
		const struct block_reg *r = &block_regs[i];
		unsigned n = count_of(r, &t->s->d->sim);

		for (unsigned k = 0; r->block == b && k < n; k++)
			tell_one(t, r, v, k);
	}
}

static void tell_cmdqv(const struct told *t)
{
	tell_block(t, CMDQV, 0);
	for (unsigned v = 0; v < 1u << t->s->d->sim.cmdqv.vintfs_lg2; v++)
		tell_block(t, VINTF, v);
	for (unsigned q = 0; q < 1u << t->s->d->sim.cmdqv.vcmdqs_lg2; q++) {
		tell_block(t, VCMDQ_PAGE0, q);
		tell_block(t, VCMDQ_PAGE1, q);
	}
}

void uiommu_machine_smmu_regs(const struct uiommu_machine *m, unsigned i,
			      void (*fn)(void *ctx, const char *name, uint64_t value), void *ctx)
{
	const struct told t = { &m->smmus[i], fn, ctx };

	for (size_t k = 0; k < sizeof(regs) / sizeof(regs[0]); k++)
		fn(ctx, regs[k].name,
		   uiommu_sim_smmuv3_mmio_read(t.s->sim, regs[k].offset, regs[k].bits / 8));
	if (t.s->d->cmdqv.there)
		tell_cmdqv(&t);
}
