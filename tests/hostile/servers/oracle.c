/* SPDX-License-Identifier: MIT */
/*
 * oracle.c - what is mapped and attached; may this DMA reach that page?
 *
 * A value is possible from the moment at which the call that brings it begins, to that
 * at which the call that takes it away has returned.
 */
#include "srv.h"

#include <string.h>

const uiommu_pasid_t pair_pasid[PAIRS] = { 0, 1, 5 };

/* Neighbours in one table, the last entry of it, one in a table of its own. */
uint64_t cell_iova(unsigned cell)
{
	static const uint64_t at[CELLS] = { 0x200, 0x201, 0x3ff, 0x400, 0x40400 };

	return at[cell] * PAGE;
}

void cell_init(struct cell *c, int v)
{
	*c = (struct cell){ .now = v };
}

void cell_begin(struct cell *c, int next)
{
	c->next = next;
	c->changing = true;
	c->version++;
}

void cell_end(struct cell *c, bool done)
{
	if (done)
		c->now = c->next;
	c->changing = false;
	c->version++;
}

static bool may_be(const struct cell *c, int v)
{
	return c->now == v || (c->changing && c->next == v);
}

static unsigned cell_at(uint64_t iova)
{
	unsigned i = 0;

	while (i < CELLS && cell_iova(i) != (iova & ~(uint64_t)(PAGE - 1)))
		i++;
	return i;
}

/* ---- the moment at which data moves ---- */

static bool may_reach(const struct srv *s, const struct flight *f, int page)
{
	const struct cell *at = &s->fn[f->fn].at[f->pair];
	unsigned c = cell_at(f->iova);

	for (unsigned i = 0; i < ALL_SPACES && c < CELLS; i++)
		if (may_be(at, (int)i) && may_be(&s->cell[i][c], page))
			return true;
	return false;
}

void oracle_data(struct srv *s, const struct flight *f, uint64_t pa, const void *buf)
{
	uint64_t first = host_pa(s, s->memory);
	uint32_t data;
	int page;

	if ((pa & ~(uint64_t)(PAGE - 1)) == (DOORBELL & ~(uint64_t)(PAGE - 1))) {
		memcpy(&data, buf, sizeof(data));
		program_doorbell(s, f, data);
		return;
	}
	if (pa < first || pa >= first + UPAGES * PAGE)
		uiommu_hostile_fail("function %u reaches physical 0x%llx, which is no program's", f->fn,
				    (unsigned long long)pa);
	page = (int)((pa - first) / PAGE);
	srv_note(s, "DMA of function %u, PASID %u, IOVA 0x%llx: page %d", f->fn,
		 pair_pasid[f->pair], (unsigned long long)f->iova, page);
	if (!s->pinned[page])
		uiommu_hostile_fail("function %u reaches physical page %d, which is not pinned (any "
				    "more)", f->fn, page);
	if (!may_reach(s, f, page))
		uiommu_hostile_fail("function %u, PASID %u, reaches physical page %d through IOVA "
				    "0x%llx, which it must not (any more)", f->fn, pair_pasid[f->pair],
				    page, (unsigned long long)f->iova);
}

/* ---- one DMA ---- */

/* All that it depends on, as it is now. */
struct view {
	const struct cell *at, *page;
	unsigned at_version, page_version, resets;
	bool leads;
};

static struct view look(const struct srv *s, const struct flight *f)
{
	const struct function *fn = &s->fn[f->fn];
	unsigned c = cell_at(f->iova);
	struct view v = { .at = &fn->at[f->pair], .resets = fn->resets };

	if (v.at->changing || v.at->now >= NOWHERE || c == CELLS || fn->resetting)
		return v;
	v.page = &s->cell[v.at->now][c];
	v.at_version = v.at->version;
	v.page_version = v.page->version;
	v.leads = !v.page->changing && v.page->now >= 0;
	return v;
}

static bool still(const struct srv *s, const struct flight *f, const struct view *v)
{
	return v->at->version == v->at_version && v->page->version == v->page_version &&
	       s->fn[f->fn].resets == v->resets;
}

void dma_touch(struct srv *s, unsigned fn, unsigned pair, uint64_t iova, bool write)
{
	const struct uiommu_sim_access a = {
		.stream_id = 1 + fn, .substream_id = pair_pasid[pair], .ssv = pair != 0,
		.write = write, .iova = iova,
	};
	struct flight f = { fn, pair, iova, true };
	unsigned epoch = s->fn[fn].epoch & 1;
	struct view before = look(s, &f);
	uint64_t buf = 0;
	int err;

	*uiommu_hostile_local() = &f;
	s->fn[fn].flying[epoch]++;
	s->flights++;
	err = uiommu_sim_smmuv3_dma(s->sim, &a, &buf, iova < MSI_BASE + MSI_BYTES &&
				    iova >= MSI_BASE ? 4 : 8, NULL);
	s->flights--;
	s->fn[fn].flying[epoch]--;
	*uiommu_hostile_local() = NULL;
	s->res->dmas++;
	s->res->aborts += err != 0;
	s->res->taken[UIOMMU_SIM_STALL] += err == -UIOMMU_EAGAIN;
	if (err == -UIOMMU_EAGAIN)
		s->stalled++;
	else if (err && err != -UIOMMU_EBUSY && before.leads && still(s, &f, &before))
		uiommu_hostile_fail("a DMA of function %u, PASID %u, at IOVA 0x%llx is aborted, and "
				    "nothing was in its way", fn, pair_pasid[pair],
				    (unsigned long long)iova);
}

void dma_any(struct srv *s)
{
	unsigned fn = pick(FNS), pair = pick(PAIRS);

	if (!s->ready)
		return;
	if (!pick(8) && s->fn[fn].msi_iova)
		dma_touch(s, fn, 0, s->fn[fn].msi_iova, true);
	else
		dma_touch(s, fn, pair, cell_iova(pick(CELLS)) + 8 * pick(4), pick(2));
}

void prefetch_any(struct srv *s)
{
	const struct uiommu_sim_access a = {
		.stream_id = 1 + pick(FNS), .ssv = pick(2), .substream_id = pair_pasid[1 + pick(2)],
		.iova = cell_iova(pick(CELLS)),
	};

	if (!s->ready)
		return;
	uiommu_sim_smmuv3_prefetch(s->sim, &a);
	s->res->prefetches++;
}
