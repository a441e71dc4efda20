/* SPDX-License-Identifier: MIT */
/*
 * src/pt/walker.h - map, unmap and look up, for every format
 *
 * Ordinary C over a constant struct pt_desc (desc.h). Loops with an explicit
 * level, no recursion: the stack is bounded and everything inlines.
 *
 * Concurrency. Threads work on disjoint ranges without a lock. They can meet only
 * in table entries: those are installed with a compare-and-exchange, and removed
 * only by an unmap that covers all that lies below, that is, when no other thread
 * has business there.
 */
#ifndef UIOMMU_PT_WALKER_H
#define UIOMMU_PT_WALKER_H

#include "desc.h"

/* ---- geometry ---- */

UIOMMU_ALWAYS_INLINE unsigned pt_shift(const struct pt_desc *f, unsigned lvl)
{
	return f->granule_lg2 + lvl * f->index_bits;
}

UIOMMU_ALWAYS_INLINE uint64_t pt_span(const struct pt_desc *f, unsigned lvl)
{
	return (uint64_t)1 << pt_shift(f, lvl);
}

/* Aligned to an entry of this level? */
UIOMMU_ALWAYS_INLINE bool pt_aligned(const struct pt_desc *f, uint64_t v, unsigned lvl)
{
	return !(v & (pt_span(f, lvl) - 1));
}

UIOMMU_ALWAYS_INLINE unsigned pt_index(const struct pt_desc *f, uint64_t iova, unsigned lvl)
{
	return (iova >> pt_shift(f, lvl)) & ((1u << f->index_bits) - 1);
}

UIOMMU_ALWAYS_INLINE size_t pt_table_bytes(const struct pt_desc *f)
{
	return (size_t)1 << f->granule_lg2;
}

/* ---- entries ---- */

UIOMMU_ALWAYS_INLINE bool pt_is_table(const struct pt_desc *f, uint64_t e, unsigned lvl)
{
	return f->present(e) && !f->leaf(e, lvl);
}

UIOMMU_ALWAYS_INLINE uint64_t *pt_next(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t e, unsigned lvl)
{
	return port_pa_to_virt(pt->host, f->oa(e, lvl));
}

/* ---- argument checks ---- */

/* 0 if [iova, iova + len) is whole pages within the input size. */
UIOMMU_ALWAYS_INLINE int pt_check_range(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t iova, uint64_t len)
{
	uint64_t last = iova + (len - 1);

	if (!len || !pt_aligned(f, iova | len, 0))
		return -UIOMMU_EINVAL;
	if (last < iova || last >> pt->ias_lg2)
		return -UIOMMU_ERANGE;
	return 0;
}

UIOMMU_ALWAYS_INLINE int pt_check_map(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t iova, uint64_t pa, uint64_t len, unsigned prot)
{
	int ret = pt_check_range(f, pt, iova, len);
	uint64_t last = pa + (len - 1);

	if (ret)
		return ret;
	if (!pt_aligned(f, pa, 0) || prot & ~f->prot ||
	    !(prot & (UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)))
		return -UIOMMU_EINVAL;
	if (last < pa || last >> pt->oas_lg2)
		return -UIOMMU_ERANGE;
	return 0;
}

/* ---- map ---- */

/* The largest leaf for what is left; tables that are in the way may force less. */
UIOMMU_ALWAYS_INLINE unsigned pt_leaf_level(const struct pt_desc *f, uint64_t iova, uint64_t pa,
					    uint64_t len)
{
	unsigned lvl = 0;

	for (unsigned l = 1; l <= f->max_level; l++)
		if (f->pgsizes & pt_span(f, l) && len >= pt_span(f, l) &&
		    pt_aligned(f, iova | pa, l))
			lvl = l;
	return lvl;
}

/*
 * Puts a new, empty table under @ent, or finds that another thread has. Its zeroes
 * reach hardware before the entry that leads to them. Where hardware does not see
 * our caches, the entry is marked once it is clean: a thread that meets it
 * unmarked cleans it too before it relies on it.
 */
UIOMMU_ALWAYS_INLINE int pt_install(const struct pt_desc *f, const struct uiommu_pt *pt,
				    uint64_t *ent, uint64_t *e)
{
	const struct uiommu_host *h = pt->host;
	uint64_t *t = h->table_alloc(h->ctx, pt_table_bytes(f));
	uint64_t pa, fresh, old;

	if (!t)
		return -UIOMMU_ENOMEM;
	pa = port_virt_to_pa(h, t);
	if (pa >> pt->oas_lg2) {
		h->table_free(h->ctx, t, pt_table_bytes(f));
		return -UIOMMU_ERANGE;
	}
	fresh = f->mk_table(pa);
	port_clean(h, t, pt_table_bytes(f));
	port_dma_wmb();
	old = port_cmpxchg64(ent, 0, fresh);
	if (old) {
		h->table_free(h->ctx, t, pt_table_bytes(f));
		*e = old;
		return 0;
	}
	*e = fresh;
	return 0;
}

/* Before anything is put below a table entry: hardware must be able to see it. */
UIOMMU_ALWAYS_INLINE void pt_table_sync(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t *ent, uint64_t e)
{
	if (!pt->host->cache_clean || e & f->table_clean)
		return;
	port_clean(pt->host, ent, sizeof(*ent));
	/* Cannot undo another thread's work: only this bit ever changes here. */
	port_cmpxchg64(ent, e, e | f->table_clean);
}

/*
 * Leaves for [iova, iova + len) from @ent on, as many as fit this table; stops
 * at whatever is there already. Returns the bytes that are mapped now.
 */
UIOMMU_ALWAYS_INLINE uint64_t pt_fill(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t *ent, unsigned lvl, unsigned room, uint64_t pa,
				      uint64_t len, struct pt_attr attr)
{
	uint64_t e = f->mk_leaf(pa, lvl, attr), span = pt_span(f, lvl);
	uint64_t n = len >> pt_shift(f, lvl), i;

	if (n > room)
		n = room;
	for (i = 0; i < n && !port_load64(&ent[i]); i++)
		port_store64(&ent[i], e + i * span);
	if (i)
		port_clean(pt->host, ent, i * sizeof(*ent));
	return i * span;
}

/* Descends to the table that holds the leaf for @iova; makes what is missing. */
UIOMMU_ALWAYS_INLINE int pt_map_descend(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t iova, unsigned want, uint64_t **ent,
					unsigned *level)
{
	unsigned lvl = pt->top_level;
	uint64_t *t = pt->top;

	for (;; lvl--) {
		uint64_t *p = &t[pt_index(f, iova, lvl)];
		uint64_t e = port_load64(p);
		int ret;

		if (!f->present(e)) {
			if (lvl <= want) {
				*ent = p;
				*level = lvl;
				return 0;
			}
			ret = pt_install(f, pt, p, &e);
			if (ret)
				return ret;
		}
		if (f->leaf(e, lvl))
			return -UIOMMU_EEXIST;
		pt_table_sync(f, pt, p, e);
		t = pt_next(f, pt, e, lvl);
	}
}

UIOMMU_ALWAYS_INLINE int pt_map(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t iova,
				uint64_t pa, uint64_t len, unsigned prot, uint64_t *mapped)
{
	int ret = pt_check_map(f, pt, iova, pa, len, prot);
	struct pt_attr attr = f->attr(prot);
	uint64_t done = 0;

	while (!ret && done < len) {
		unsigned lvl, idx;
		uint64_t *ent;

		lvl = pt_leaf_level(f, iova + done, pa + done, len - done);
		ret = pt_map_descend(f, pt, iova + done, lvl, &ent, &lvl);
		if (ret)
			break;
		idx = pt_index(f, iova + done, lvl);
		done += pt_fill(f, pt, ent, lvl, (1u << f->index_bits) - idx, pa + done,
				len - done, attr);
	}
	/* a store that tells the device to go is seen after the entries */
	port_dma_wmb();
	if (mapped)
		*mapped = done;
	return ret;
}

/* ---- unmap ---- */

UIOMMU_ALWAYS_INLINE void pt_gather_range(struct uiommu_gather *g, uint64_t iova, uint64_t len,
					  uint64_t pgsize)
{
	if (iova < g->start)
		g->start = iova;
	if (iova + (len - 1) > g->last)
		g->last = iova + (len - 1);
	g->pgsizes |= pgsize;
}

/*
 * Chains a table that hardware may still be reading, from a walk that began before
 * its entry was cleared or from a walk cache. The link takes the place of entry 0.
 * It is a pointer aligned to at least 64 bytes: its low bits are 0, which every
 * format here reads as "not present", so whoever still reads it finds less, never
 * something else. All other entries stay as they were.
 */
UIOMMU_ALWAYS_INLINE void pt_gather_table(const struct pt_desc *f, const struct uiommu_pt *pt,
					  struct uiommu_gather *g, uint64_t *t)
{
	port_store64(t, (uint64_t)(uintptr_t)g->free_list);
	port_clean(pt->host, t, sizeof(*t));
	g->free_list = t;
	g->table_bytes = pt_table_bytes(f);
	g->tables = true;
}

/* Chains @t, a table of level @top, and all tables below: children first. */
UIOMMU_ALWAYS_INLINE void pt_collect(const struct pt_desc *f, const struct uiommu_pt *pt,
				     struct uiommu_gather *g, uint64_t *t, unsigned top)
{
	struct { uint64_t *t; unsigned i; } at[PT_MAX_LEVELS];
	unsigned lvl = top;

	at[lvl].t = t;
	at[lvl].i = 0;
	for (;;) {
		uint64_t e = 0;

		while (lvl && at[lvl].i < 1u << f->index_bits) {
			e = port_load64(&at[lvl].t[at[lvl].i++]);
			if (pt_is_table(f, e, lvl))
				break;
			e = 0;
		}
		if (e) {
			t = pt_next(f, pt, e, lvl--);
			at[lvl].t = t;
			at[lvl].i = 0;
			continue;
		}
		pt_gather_table(f, pt, g, at[lvl].t);
		if (lvl++ == top)
			return;
	}
}

/* Does a leaf lie across @addr? Looks only; a hole is no leaf, nor is there one
 * across the end of the address space (it is aligned to any entry). */
UIOMMU_ALWAYS_INLINE bool pt_cuts(const struct pt_desc *f, const struct uiommu_pt *pt,
				  uint64_t addr)
{
	const uint64_t *t = pt->top;

	for (unsigned lvl = pt->top_level; !pt_aligned(f, addr, lvl); lvl--) {
		uint64_t e = port_load64(&t[pt_index(f, addr, lvl)]);

		if (!f->present(e))
			return false;
		if (f->leaf(e, lvl))
			return true;
		t = pt_next(f, pt, e, lvl);
	}
	return false;
}

/*
 * Does the end of [iova, iova + len) cut a leaf? A range within one level 0 table
 * needs no look: a block around its end is around its start too, and the first
 * step sees that.
 */
UIOMMU_ALWAYS_INLINE bool pt_end_cuts(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t iova, uint64_t len)
{
	uint64_t end = iova + len;

	return (iova ^ (end - 1)) >> pt_shift(f, 1) && pt_cuts(f, pt, end);
}

/* Clears leaves from @ent on; stops at a hole or a table. Bytes cleared. */
UIOMMU_ALWAYS_INLINE uint64_t pt_clear(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t *ent, unsigned lvl, unsigned room, uint64_t len)
{
	uint64_t n = len >> pt_shift(f, lvl), i;

	if (n > room)
		n = room;
	for (i = 0; i < n; i++) {
		uint64_t e = port_load64(&ent[i]);

		if (!f->present(e) || !f->leaf(e, lvl))
			break;
		port_store64(&ent[i], 0);
	}
	if (i)
		port_clean(pt->host, ent, i * sizeof(*ent));
	return i << pt_shift(f, lvl);
}

/*
 * Takes away one table or one run of leaves at @iova. @done: the bytes, 0 at a
 * hole. -EINVAL if a leaf is larger than what was asked for.
 */
UIOMMU_ALWAYS_INLINE int pt_unmap_step(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t iova, uint64_t len, struct uiommu_gather *g,
				       uint64_t *done)
{
	unsigned lvl = pt->top_level;
	uint64_t *t = pt->top;

	for (*done = 0;; lvl--) {
		uint64_t span = pt_span(f, lvl), e;
		unsigned idx = pt_index(f, iova, lvl);
		bool whole = pt_aligned(f, iova, lvl) && len >= span;

		e = port_load64(&t[idx]);
		if (!f->present(e))
			return 0;
		if (f->leaf(e, lvl)) {
			if (!whole)
				return -UIOMMU_EINVAL;
			*done = pt_clear(f, pt, &t[idx], lvl, (1u << f->index_bits) - idx, len);
			pt_gather_range(g, iova, *done, span);
			return 0;
		}
		if (whole) {
			port_store64(&t[idx], 0);
			port_clean(pt->host, &t[idx], sizeof(t[idx]));
			pt_collect(f, pt, g, pt_next(f, pt, e, lvl), lvl - 1);
			pt_gather_range(g, iova, span, f->pgsizes & (span - 1));
			*done = span;
			return 0;
		}
		t = pt_next(f, pt, e, lvl);
	}
}

UIOMMU_ALWAYS_INLINE int pt_unmap(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t iova,
				  uint64_t len, struct uiommu_gather *g, uint64_t *unmapped)
{
	int ret = pt_check_range(f, pt, iova, len);
	uint64_t done = 0, n = 1;

	/* Only the first and the last leaf can be cut: both are looked at before
	 * anything changes, so a refusal changes nothing. */
	if (!ret && pt_end_cuts(f, pt, iova, len))
		ret = -UIOMMU_EINVAL;
	while (!ret && done < len && n) {
		ret = pt_unmap_step(f, pt, iova + done, len - done, g, &n);
		done += n;
	}
	port_dma_wmb();
	if (unmapped)
		*unmapped = done;
	return ret;
}

/* ---- look up ---- */

UIOMMU_ALWAYS_INLINE int pt_iova_to_phys(const struct pt_desc *f, const struct uiommu_pt *pt,
					 uint64_t iova, uint64_t *pa)
{
	const uint64_t *t = pt->top;

	if (iova >> pt->ias_lg2)
		return -UIOMMU_ERANGE;
	for (unsigned lvl = pt->top_level;; lvl--) {
		uint64_t e = port_load64(&t[pt_index(f, iova, lvl)]);

		if (!f->present(e))
			return -UIOMMU_ENOENT;
		if (f->leaf(e, lvl)) {
			*pa = f->oa(e, lvl) | (iova & (pt_span(f, lvl) - 1));
			return 0;
		}
		t = pt_next(f, pt, e, lvl);
	}
}

UIOMMU_ALWAYS_INLINE void pt_step(const struct pt_desc *f, const struct uiommu_pt *pt,
				  const uint64_t *p, uint64_t iova, unsigned lvl,
				  struct uiommu_pt_step *s)
{
	uint64_t e = port_load64(p), off = iova & (pt_span(f, lvl) - 1);

	*s = (struct uiommu_pt_step){
		.level = lvl, .entry_pa = port_virt_to_pa(pt->host, p), .entry = e,
		.kind = UIOMMU_PT_STEP_INVALID,
	};
	if (!f->present(e))
		return;
	s->next_pa = f->oa(e, lvl);
	s->kind = UIOMMU_PT_STEP_TABLE;
	if (f->leaf(e, lvl)) {
		s->kind = UIOMMU_PT_STEP_LEAF;
		s->next_pa |= off;
		s->page_lg2 = pt_shift(f, lvl);
	}
}

UIOMMU_ALWAYS_INLINE int pt_walk(const struct pt_desc *f, const struct uiommu_pt *pt,
				 uint64_t iova, struct uiommu_pt_step *steps, unsigned max,
				 unsigned *nsteps)
{
	const uint64_t *t = pt->top;
	unsigned n = 0;

	*nsteps = 0;
	if (iova >> pt->ias_lg2)
		return -UIOMMU_ERANGE;
	for (unsigned lvl = pt->top_level;; lvl--) {
		if (n == max) {
			*nsteps = pt->top_level + 1;
			return -UIOMMU_EMSGSIZE;
		}
		pt_step(f, pt, &t[pt_index(f, iova, lvl)], iova, lvl, &steps[n++]);
		*nsteps = n;
		if (steps[n - 1].kind != UIOMMU_PT_STEP_TABLE)
			return 0;
		t = port_pa_to_virt(pt->host, steps[n - 1].next_pa);
	}
}

/* ---- life ---- */

/* Bytes of the root: only as many entries as the input size can reach; 64 is the
 * smallest table that hardware and hosts know. */
UIOMMU_ALWAYS_INLINE uint64_t pt_top_bytes(const struct pt_desc *f, const struct uiommu_pt *pt)
{
	uint64_t bytes = (uint64_t)8 << (pt->ias_lg2 - pt_shift(f, pt->top_level));

	return bytes < 64 ? 64 : bytes;
}

UIOMMU_ALWAYS_INLINE int pt_init(const struct pt_desc *f, const struct uiommu_pt_ops *ops,
				 struct uiommu_pt *pt, const struct uiommu_host *h,
				 const struct uiommu_pt_config *cfg)
{
	if (cfg->ias_lg2 < f->ias_min || cfg->ias_lg2 > f->ias_max ||
	    cfg->oas_lg2 < f->oas_min || cfg->oas_lg2 > f->oas_max || cfg->flags)
		return -UIOMMU_EINVAL;
	*pt = (struct uiommu_pt){
		.ops = ops, .host = h, .ias_lg2 = cfg->ias_lg2, .oas_lg2 = cfg->oas_lg2,
		.top_level = (cfg->ias_lg2 - f->granule_lg2 - 1) / f->index_bits,
	};
	pt->top_bytes = pt_top_bytes(f, pt);
	pt->top = h->table_alloc(h->ctx, pt->top_bytes);
	if (!pt->top)
		return -UIOMMU_ENOMEM;
	if (port_virt_to_pa(h, pt->top) >> pt->oas_lg2) {
		h->table_free(h->ctx, pt->top, pt->top_bytes);
		pt->top = NULL;
		return -UIOMMU_ERANGE;
	}
	port_clean(h, pt->top, pt->top_bytes);
	port_dma_wmb();
	return 0;
}

UIOMMU_ALWAYS_INLINE void pt_fini(const struct pt_desc *f, struct uiommu_pt *pt)
{
	const struct uiommu_host *h = pt->host;
	uint64_t *top = pt->top;
	struct uiommu_gather g;

	if (!top)
		return;
	uiommu_gather_init(&g);
	for (unsigned i = 0; pt->top_level && i < pt->top_bytes / sizeof(*top); i++) {
		uint64_t e = port_load64(&top[i]);

		if (pt_is_table(f, e, pt->top_level))
			pt_collect(f, pt, &g, pt_next(f, pt, e, pt->top_level),
				   pt->top_level - 1);
	}
	uiommu_gather_free(&g, h);
	h->table_free(h->ctx, top, pt->top_bytes);
	pt->top = NULL;
}

/* ---- an instance: the functions of one format, and their table ---- */

#define PT_INSTANCE(name_, f_, pgsizes_)						\
static int name_##_init(struct uiommu_pt *pt, const struct uiommu_host *h,		\
			const struct uiommu_pt_config *cfg)				\
{											\
	return pt_init(f_, &uiommu_pt_##name_##_ops, pt, h, cfg);			\
}											\
static void name_##_fini(struct uiommu_pt *pt)						\
{											\
	pt_fini(f_, pt);								\
}											\
static int name_##_map(struct uiommu_pt *pt, uiommu_iova_t iova, uiommu_pa_t pa,	\
		       uint64_t len, unsigned prot, uint64_t *mapped)			\
{											\
	return pt_map(f_, pt, iova, pa, len, prot, mapped);				\
}											\
static int name_##_unmap(struct uiommu_pt *pt, uiommu_iova_t iova, uint64_t len,	\
			 struct uiommu_gather *g, uint64_t *unmapped)			\
{											\
	return pt_unmap(f_, pt, iova, len, g, unmapped);				\
}											\
static int name_##_iova_to_phys(struct uiommu_pt *pt, uiommu_iova_t iova,		\
				uiommu_pa_t *pa)					\
{											\
	return pt_iova_to_phys(f_, pt, iova, pa);					\
}											\
static int name_##_walk(struct uiommu_pt *pt, uiommu_iova_t iova,			\
			struct uiommu_pt_step *steps, unsigned max, unsigned *nsteps)	\
{											\
	return pt_walk(f_, pt, iova, steps, max, nsteps);				\
}											\
const struct uiommu_pt_ops uiommu_pt_##name_##_ops = {					\
	.name = #name_, .pgsizes = (pgsizes_),					\
	.init = name_##_init, .fini = name_##_fini, .map = name_##_map,			\
	.unmap = name_##_unmap, .iova_to_phys = name_##_iova_to_phys,			\
	.walk = name_##_walk,								\
};

#endif
