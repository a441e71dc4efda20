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
 *
 * Order. What a new table holds is visible before the compare-and-exchange that shows
 * it, what map has stored before whatever its caller stores next; what is taken out,
 * when whoever invalidates has passed his barrier.
 *
 * With UIOMMU_PT_CHECKED every leaf is installed and removed by compare-and-exchange
 * too, and what another thread did to it in the meantime is reported.
 */
#ifndef UIOMMU_PT_WALKER_H
#define UIOMMU_PT_WALKER_H

#include "desc.h"

/* A loop over levels, each with its constant; not where size is what counts. Clang has
 * a word of its own for it. */
#if defined(__OPTIMIZE_SIZE__)
#define PT_UNROLL
#elif defined(__clang__)
#define PT_UNROLL _Pragma("unroll")
#else
#define PT_UNROLL _Pragma("GCC unroll 8")
#endif

#if defined(__OPTIMIZE_SIZE__) || defined(UIOMMU_PT_CHECKED)
#define PT_QUICK 0
#else
#define PT_QUICK 1		/* short paths for what is usual, beside the long ones */
#endif
#define PT_NOINLINE __attribute__((noinline))

/* ---- geometry ---- */

UIOMMU_ALWAYS_INLINE unsigned pt_shift(const struct pt_desc *f, unsigned lvl)
{
	return f->granule_lg2 + lvl * f->index_bits;
}

UIOMMU_ALWAYS_INLINE uint64_t pt_span(const struct pt_desc *f, unsigned lvl)
{
	return (uint64_t)1 << pt_shift(f, lvl);
}

UIOMMU_ALWAYS_INLINE bool pt_aligned_lg2(uint64_t v, unsigned lg2)
{
	return !(v & (((uint64_t)1 << lg2) - 1));
}

/* Aligned to an entry of this level? */
UIOMMU_ALWAYS_INLINE bool pt_aligned(const struct pt_desc *f, uint64_t v, unsigned lvl)
{
	return pt_aligned_lg2(v, pt_shift(f, lvl));
}

UIOMMU_ALWAYS_INLINE unsigned pt_entries(const struct pt_desc *f)
{
	return 1u << f->index_bits;
}

/* Of any table but a root, which may be wider. */
UIOMMU_ALWAYS_INLINE unsigned pt_index(const struct pt_desc *f, uint64_t iova, unsigned lvl)
{
	return (iova >> pt_shift(f, lvl)) & (pt_entries(f) - 1);
}

UIOMMU_ALWAYS_INLINE size_t pt_table_bytes(const struct pt_desc *f)
{
	return (size_t)1 << f->granule_lg2;
}

/* The level of a leaf of 2^lg2 bytes. */
UIOMMU_ALWAYS_INLINE unsigned pt_level(const struct pt_desc *f, unsigned lg2)
{
	return (lg2 - f->granule_lg2) / f->index_bits;
}

/* ---- entries ---- */

UIOMMU_ALWAYS_INLINE bool pt_present(const struct pt_desc *f, uint64_t e)
{
	return f->present(e) & 1;
}

/* Of a present entry. At level 0 there are only pages. */
UIOMMU_ALWAYS_INLINE bool pt_leaf(const struct pt_desc *f, uint64_t e, unsigned lvl)
{
	return lvl == 0 || f->leaf(e, lvl);
}

UIOMMU_ALWAYS_INLINE bool pt_is_table(const struct pt_desc *f, uint64_t e, unsigned lvl)
{
	return lvl && f->table(e);
}

/* The table that entry @e of level @lvl leads to, and the entry for @iova in it. What
 * does not depend on @e is added first: a look-up is a chain of loads, and each step of
 * it that can be done before the load is over is time saved. */
UIOMMU_ALWAYS_INLINE uint64_t *pt_next(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t e, unsigned lvl)
{
	return (uint64_t *)(uintptr_t)((f->next ? f->next(e) : f->oa(e, lvl)) + pt->offset);
}

UIOMMU_ALWAYS_INLINE uint64_t *pt_down(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t e, unsigned lvl, uint64_t iova)
{
	uint64_t at = pt->offset + 8 * (uint64_t)pt_index(f, iova, lvl - 1);

#ifndef __OPTIMIZE_SIZE__
	__asm__("" : "+r"(at));		/* compilers would rather add it last */
#endif
	return (uint64_t *)(uintptr_t)((f->next ? f->next(e) : f->oa(e, lvl)) + at);
}

/* log2 of the bytes that a leaf, with its whole run, speaks for */
UIOMMU_ALWAYS_INLINE unsigned pt_leaf_lg2(const struct pt_desc *f, uint64_t e, unsigned lvl)
{
	return pt_shift(f, lvl) + (f->run ? f->run(e, lvl) : 0);
}

UIOMMU_ALWAYS_INLINE uint64_t pt_leaf_pa(const struct pt_desc *f, uint64_t e, unsigned lvl,
					 uint64_t iova)
{
	unsigned lg2 = pt_shift(f, lvl);

	if (f->feat & PT_RUN_SAME && __builtin_expect(f->run(e, lvl), 0))
		lg2 = pt_leaf_lg2(f, e, lvl);
	return f->oa(e, lvl) | (iova & (((uint64_t)1 << lg2) - 1));
}

/* May this table have runs at all? */
UIOMMU_ALWAYS_INLINE bool pt_has_runs(const struct pt_desc *f, const struct uiommu_pt *pt)
{
	if (f->feat & PT_RUN_SAME && !f->contig)
		return true;
	return f->run && pt->flags & UIOMMU_PT_CONTIG;
}

/* Puts @e where nothing was seen. */
UIOMMU_ALWAYS_INLINE void pt_put(const struct uiommu_pt *pt, uint64_t *p, uint64_t e)
{
#ifdef UIOMMU_PT_CHECKED
	if (port_cmpxchg64(p, 0, e))
		uiommu_pt_misuse(pt, "mapped by two threads at once");
#else
	(void)pt;
	port_store64(p, e);
#endif
}

/* Takes the leaf @e away. Hardware may still mark it as accessed or dirty. */
UIOMMU_ALWAYS_INLINE void pt_take(const struct pt_desc *f, const struct uiommu_pt *pt,
				  uint64_t *p, uint64_t e, unsigned lvl)
{
#ifdef UIOMMU_PT_CHECKED
	uint64_t old;

	while ((old = port_cmpxchg64(p, e, 0)) != e) {
		if (!pt_present(f, old) || f->oa(old, lvl) != f->oa(e, lvl)) {
			uiommu_pt_misuse(pt, "unmapped while another thread changes it");
			return;
		}
		e = old;
	}
#else
	(void)f, (void)pt, (void)e, (void)lvl;
	port_store64(p, 0);
#endif
}

/* ---- the root ---- */

struct pt_root {
	uint64_t *t;
	unsigned lvl;
};

/* A root that grows is read, pointer and level, at one moment. */
UIOMMU_ALWAYS_INLINE struct pt_root pt_root(const struct pt_desc *f, const struct uiommu_pt *pt)
{
	uint64_t r;

	if (!(f->feat & PT_GROW))
		return (struct pt_root){ pt->top, pt->top_level };
	r = port_load64(&pt->root);
	return (struct pt_root){ (uint64_t *)(uintptr_t)(r & ~(uint64_t)UIOMMU_PT_ROOT_LEVEL),
				 r & UIOMMU_PT_ROOT_LEVEL };
}

/* Does a root that grows reach @iova already? */
UIOMMU_ALWAYS_INLINE bool pt_reached(const struct pt_desc *f, struct pt_root r, uint64_t iova)
{
	return !(f->feat & PT_GROW) || r.lvl == f->max_level || !(iova >> pt_shift(f, r.lvl + 1));
}

UIOMMU_ALWAYS_INLINE uint64_t *pt_top_entry(const struct pt_desc *f, const struct uiommu_pt *pt,
					    struct pt_root r, uint64_t iova)
{
	return &r.t[(iova >> pt_shift(f, r.lvl)) & pt->top_mask];
}

/* ---- argument checks ---- */

/* Is [iova, last] within the input size? Canonical addresses are moved to begin at 0,
 * and a range may not go around from one half to the other. */
UIOMMU_ALWAYS_INLINE bool pt_in_range(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t iova, uint64_t last)
{
	uint64_t half = (pt->iova_last >> 1) + 1;

	if (!(f->feat & PT_SIGN_EXT))
		return iova <= last && last <= pt->iova_last;
	return iova <= last && iova + half <= pt->iova_last && last + half <= pt->iova_last &&
	       !((iova ^ last) >> 63);
}

/* 0 if [iova, iova + len) is whole pages within the input size. */
UIOMMU_ALWAYS_INLINE int pt_check_range(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t iova, uint64_t len)
{
	if (!len || !pt_aligned(f, iova | len, 0))
		return -UIOMMU_EINVAL;
	return pt_in_range(f, pt, iova, iova + (len - 1)) ? 0 : -UIOMMU_ERANGE;
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

/* ---- going down ---- */

/* Before anything is put below a table entry: hardware must be able to see it. */
UIOMMU_ALWAYS_INLINE void pt_table_sync(const struct uiommu_pt *pt, uint64_t *ent, uint64_t e)
{
	if (!(~e & pt->table_clean))
		return;
	port_clean(pt->host, ent, sizeof(*ent));
	/* Cannot undo another thread's work: only this bit ever changes here. */
	port_cmpxchg64(ent, e, e | pt->table_clean);
}

/*
 * The entry for @iova: at level @want, or above it where a leaf or nothing is in the
 * way. Nothing may have become another thread's table when the caller looks at the
 * entry: a table above @want means that. @sync: something will be put below.
 */
UIOMMU_ALWAYS_INLINE uint64_t *pt_find(const struct pt_desc *f, const struct uiommu_pt *pt,
				       struct pt_root r, uint64_t iova, unsigned want, bool sync,
				       unsigned *lvl)
{
	uint64_t *p = pt_top_entry(f, pt, r, iova);

	PT_UNROLL
	for (unsigned l = f->max_level; l > 0; l--) {
		uint64_t e;

		if (l > r.lvl)
			continue;
		*lvl = l;
		if (l <= want)
			return p;
		e = port_load64(p);
		if (!pt_is_table(f, e, l))
			return p;
		if (sync)
			pt_table_sync(pt, p, e);
		p = pt_down(f, pt, e, l, iova);
	}
	*lvl = 0;
	return p;
}

/* ---- map ---- */

/* log2 of the largest of @sizes for what is left. */
UIOMMU_ALWAYS_INLINE unsigned pt_pick(const struct pt_desc *f, uint64_t sizes, uint64_t addr,
				      uint64_t len)
{
	sizes &= addr ^ (addr - 1);	/* up to the alignment of both addresses */
	if (sizes >> f->granule_lg2 == 1 || len < pt_table_bytes(f) * 2)
		return f->granule_lg2;
	sizes &= ((uint64_t)2 << port_msb64(len)) - 1;
	return port_msb64(sizes);
}

/* A new table, empty; or with anything in it, where the caller fills it whole. */
UIOMMU_ALWAYS_INLINE int pt_new_table(const struct pt_desc *f, const struct uiommu_pt *pt,
				      bool raw, uint64_t **t, uint64_t *pa)
{
	const struct uiommu_host *h = pt->host;

	if (raw && h->table_alloc_raw)
		*t = h->table_alloc_raw(h->ctx, pt_table_bytes(f));
	else
		*t = h->table_alloc(h->ctx, pt_table_bytes(f));
	if (!*t)
		return -UIOMMU_ENOMEM;
	*pa = (uint64_t)(uintptr_t)*t - pt->offset;
	if (*pa >> pt->oas_lg2) {
		h->table_free(h->ctx, *t, pt_table_bytes(f));
		return -UIOMMU_ERANGE;
	}
	return 0;
}

/*
 * Puts a table under @ent, or finds that another thread has. Where hardware does not
 * see our caches, the entry is marked once it is clean: a thread that meets it
 * unmarked cleans it too before it relies on it.
 */
UIOMMU_ALWAYS_INLINE int pt_install(const struct pt_desc *f, const struct uiommu_pt *pt,
				    uint64_t *ent, unsigned lvl, uint64_t *e)
{
	const struct uiommu_host *h = pt->host;
	uint64_t *t, pa, old;
	int ret = pt_new_table(f, pt, false, &t, &pa);

	if (ret)
		return ret;
	*e = f->mk_table(pa, lvl);
	port_clean(h, t, pt_table_bytes(f));
	old = port_cmpxchg64(ent, 0, *e);
	if (old) {
		h->table_free(h->ctx, t, pt_table_bytes(f));
		*e = old;
	}
	return 0;
}

/* Makes the tables from the empty entry *@p of level @lvl down to level @want. */
UIOMMU_ALWAYS_INLINE int pt_make(const struct pt_desc *f, const struct uiommu_pt *pt,
				 uint64_t iova, unsigned lvl, unsigned want, uint64_t **p)
{
	for (; lvl > want; lvl--) {
		uint64_t e = port_load64(*p);
		int ret;

		if (!pt_present(f, e)) {
			ret = pt_install(f, pt, *p, lvl, &e);
			if (ret)
				return ret;
		}
		if (pt_leaf(f, e, lvl))
			return -UIOMMU_EEXIST;
		pt_table_sync(pt, *p, e);
		*p = pt_down(f, pt, e, lvl, iova);
	}
	return 0;
}

/*
 * Adds levels until the root reaches @last. The old root stays a part of the new one,
 * so hardware that has not been told of the new one yet misses nothing it had.
 */
UIOMMU_ALWAYS_INLINE int pt_grow(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t last)
{
	const struct uiommu_host *h = pt->host;

	for (;;) {
		struct pt_root r = pt_root(f, pt);
		uint64_t *t, pa, old = (uint64_t)(uintptr_t)r.t | r.lvl;
		int ret;

		if (pt_reached(f, r, last))
			return 0;
		ret = pt_new_table(f, pt, false, &t, &pa);
		if (ret)
			return ret;
		/* the root's own entry is clean before anything can need it */
		port_store64(t, f->mk_table((uint64_t)(uintptr_t)r.t - pt->offset, r.lvl + 1) |
				pt->table_clean);
		port_clean(h, t, pt_table_bytes(f));
		if (port_cmpxchg64(&pt->root, old, (uint64_t)(uintptr_t)t | (r.lvl + 1)) != old)
			h->table_free(h->ctx, t, pt_table_bytes(f));
	}
}

/* Writes @n leaves, each one entry, as long as there is nothing; how many. Eight at a
 * time: the loop is then bound by the stores and not by the checks. */
UIOMMU_ALWAYS_INLINE unsigned pt_fill_single(const struct pt_desc *f, const struct uiommu_pt *pt,
					     uint64_t *p, unsigned lvl, unsigned n, uint64_t pa,
					     struct pt_attr a)
{
	uint64_t e = f->mk_leaf(pa, lvl, 0, a), span = pt_span(f, lvl);
	uint64_t step = f->mk_leaf(span, lvl, 0, a) - f->mk_leaf(0, lvl, 0, a);
	unsigned i = 0;

#ifndef UIOMMU_PT_CHECKED
	for (; f->feat & PT_LINEAR && i + 8 <= n; i += 8, e += 8 * step) {
		uint64_t any = 0;

		PT_UNROLL
		for (unsigned k = 0; k < 8; k++)
			any |= port_load64(&p[i + k]);
		if (any)
			break;
		PT_UNROLL
		for (unsigned k = 0; k < 8; k++)
			port_store64(&p[i + k], e + k * step);
	}
#endif
	for (; i < n && !port_load64(&p[i]); i++, e += step)
		pt_put(pt, &p[i], f->feat & PT_LINEAR ? e : f->mk_leaf(pa + i * span, lvl, 0, a));
	return i;
}

/* The same in runs of 2^run entries: all of a run, or none. */
UIOMMU_ALWAYS_INLINE unsigned pt_fill_runs(const struct pt_desc *f, const struct uiommu_pt *pt,
					   uint64_t *p, unsigned lvl, unsigned run, unsigned n,
					   uint64_t pa, struct pt_attr a)
{
	unsigned i, k, each = 1u << run;

	for (i = 0; i + each <= n; i += each) {
		uint64_t any = 0, e = f->mk_leaf(pa + i * pt_span(f, lvl), lvl, run, a);

		for (k = 0; k < each; k++)
			any |= port_load64(&p[i + k]);
		if (any)
			break;
		for (k = 0; k < each; k++) {
			if (!(f->feat & PT_RUN_SAME))
				e = f->mk_leaf(pa + (i + k) * pt_span(f, lvl), lvl, run, a);
			pt_put(pt, &p[i + k], e);
		}
	}
	return i;
}

/* The same, one entry each, in a table that nobody else sees yet, and that is empty. */
UIOMMU_ALWAYS_INLINE void pt_fill_fresh(const struct pt_desc *f, uint64_t *p, unsigned lvl,
					unsigned n, uint64_t pa, struct pt_attr a)
{
	uint64_t e = f->mk_leaf(pa, lvl, 0, a), span = pt_span(f, lvl);
	uint64_t step = f->mk_leaf(span, lvl, 0, a) - f->mk_leaf(0, lvl, 0, a);

	for (unsigned i = 0; i < n; i++, e += step)
		port_store64(&p[i], f->feat & PT_LINEAR ? e : f->mk_leaf(pa + i * span, lvl, 0, a));
}

/* How many entries of level @lvl get leaves of 2^lg2 bytes? To the end of the table,
 * or to where larger runs become possible. */
UIOMMU_ALWAYS_INLINE unsigned pt_count(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t iova, uint64_t pa, uint64_t len, unsigned lvl,
				       unsigned lg2)
{
	unsigned room = pt_entries(f) - pt_index(f, iova, lvl);
	uint64_t n = len >> pt_shift(f, lvl), above, to;

	if (n > room)
		n = room;
	if (!pt_has_runs(f, pt))
		return n;
	above = pt->pgsizes & (pt_span(f, lvl + 1) - 1) & ~(((uint64_t)2 << lg2) - 1);
	above &= ~above + 1;
	to = above ? -iova & (above - 1) : 0;
	if (to && !((iova ^ pa) & (above - 1)) && to >> pt_shift(f, lvl) < n)
		n = to >> pt_shift(f, lvl);
	return n;
}

/*
 * Leaves of 2^lg2 bytes for [iova, iova + len) from @p on, as many as fit this table;
 * stops at whatever is there already. Returns the bytes that are mapped now.
 */
UIOMMU_ALWAYS_INLINE uint64_t pt_fill(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t *p, uint64_t iova, uint64_t pa, uint64_t len,
				      unsigned lvl, unsigned lg2, struct pt_attr a)
{
	unsigned n = pt_count(f, pt, iova, pa, len, lvl, lg2), run = lg2 - pt_shift(f, lvl);

	if (f->run && run)
		n = pt_fill_runs(f, pt, p, lvl, run, n, pa, a);
	else if (PT_QUICK && lvl == 0)
		n = pt_fill_single(f, pt, p, 0, n, pa, a);
	else
		n = pt_fill_single(f, pt, p, lvl, n, pa, a);
	if (n)
		port_clean(pt->host, p, n * sizeof(*p));
	return (uint64_t)n << pt_shift(f, lvl);
}

/*
 * A new table under the empty entry @ent of level @lvl + 1, filled before it is put
 * there: the exchange that installs a table waits for the stores that zeroed it, and
 * this way what fills it does not wait behind it. *@done 0: another thread was faster.
 */
UIOMMU_ALWAYS_INLINE int pt_map_fresh(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t *ent, uint64_t iova, uint64_t pa, uint64_t len,
				      unsigned lvl, struct pt_attr a, uint64_t *done)
{
	unsigned n = pt_count(f, pt, iova, pa, len, lvl, pt_shift(f, lvl));
	const struct uiommu_host *h = pt->host;
	uint64_t *t, table, e;
	int ret = pt_new_table(f, pt, n == pt_entries(f), &t, &table);

	if (ret)
		return ret;
	pt_fill_fresh(f, t + pt_index(f, iova, lvl), lvl, n, pa, a);
	e = f->mk_table(table, lvl + 1);
	port_clean(h, t, pt_table_bytes(f));
	if (port_cmpxchg64(ent, 0, e)) {
		h->table_free(h->ctx, t, pt_table_bytes(f));
		*done = 0;
		return 0;
	}
	pt_table_sync(pt, ent, e);
	*done = (uint64_t)n << pt_shift(f, lvl);
	return 0;
}

/*
 * Maps what fits into one table at @iova. *@sizes: the sizes that may be used here;
 * becomes less where a table, or something mapped, is in the way of the largest.
 */
UIOMMU_ALWAYS_INLINE int pt_map_step(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t iova,
				     uint64_t pa, uint64_t len, struct pt_attr a, uint64_t *sizes,
				     uint64_t *done)
{
	unsigned lg2 = pt_pick(f, *sizes, iova | pa, len), want = pt_level(f, lg2), lvl;
	uint64_t *p = pt_find(f, pt, pt_root(f, pt), iova, want, true, &lvl);
	uint64_t e = port_load64(p);
	int ret;

	if (!pt_present(f, e)) {
		bool fresh = PT_QUICK && lvl > want && want == 0 && lg2 == pt_shift(f, 0);

		ret = pt_make(f, pt, iova, lvl, want + fresh, &p);
		if (!ret && fresh)
			ret = pt_map_fresh(f, pt, p, iova, pa, len, 0, a, done);
		if (ret)
			return ret;
		if (!fresh)
			*done = pt_fill(f, pt, p, iova, pa, len, want, lg2, a);
		if (*done) {
			*sizes = pt->pgsizes;
			return 0;
		}
	} else if (pt_leaf(f, e, lvl)) {
		return -UIOMMU_EEXIST;
	}
	*done = 0;
	if (lvl > want)
		return 0;	/* another thread has just made that table: go down it */
	*sizes &= ((uint64_t)1 << lg2) - 1;
	return *sizes ? 0 : -UIOMMU_EEXIST;
}

#ifdef UIOMMU_PT_CHECKED
/* Did another thread's unmap take a table from under what was just mapped? */
UIOMMU_ALWAYS_INLINE void pt_check_mapped(const struct pt_desc *f, const struct uiommu_pt *pt,
					  uint64_t iova, uint64_t pa)
{
	unsigned lvl;
	uint64_t *p = pt_find(f, pt, pt_root(f, pt), iova, 0, false, &lvl);
	uint64_t e = port_load64(p);

	if (!pt_present(f, e) || !pt_leaf(f, e, lvl) || pt_leaf_pa(f, e, lvl, iova) != pa)
		uiommu_pt_misuse(pt, "mapped while another thread unmaps the same range");
}
#endif

UIOMMU_ALWAYS_INLINE struct pt_attr pt_attr(const struct pt_desc *f, const struct uiommu_pt *pt,
					    unsigned prot)
{
	struct pt_attr a = f->attr(prot, pt->flags & UIOMMU_PT_DIRTY);

	if (__atomic_load_n(&pt->tracking, __ATOMIC_RELAXED))
		a.bits = f->mk_clean(a.bits);
	return a;
}

UIOMMU_ALWAYS_INLINE int pt_map(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t iova,
				uint64_t pa, uint64_t len, unsigned prot, uint64_t *mapped)
{
	int ret = pt_check_map(f, pt, iova, pa, len, prot);
	uint64_t done = 0, n = 0, sizes = pt->pgsizes;
	struct pt_attr a = pt_attr(f, pt, prot);

	if (!ret && f->feat & PT_GROW)
		ret = pt_grow(f, pt, iova + (len - 1));
	while (!ret && done < len) {
		ret = pt_map_step(f, pt, iova + done, pa + done, len - done, a, &sizes, &n);
		if (ret)
			break;
#ifdef UIOMMU_PT_CHECKED
		if (n)
			pt_check_mapped(f, pt, iova + done, pa + done);
#endif
		done += n;
	}
	/* a store that tells the device to go is seen after the entries */
	port_dma_wmb();
	if (mapped)
		*mapped = done;
	return ret;
}

/*
 * The usual maps, each as short as it can be: one page in a table that is there, one
 * block, several of either in one table. They take over nothing that needs cleaning,
 * tracking or a look at runs; and where they meet anything else than an empty entry,
 * or an error, they leave it to pt_map(). They are functions apart, for one that saves
 * no registers is short indeed.
 */
#define PT_RW (UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)

/* False: there is no such permission. */
UIOMMU_ALWAYS_INLINE bool pt_usual_attr(const struct pt_desc *f, unsigned prot, struct pt_attr *a)
{
	if (prot == PT_RW)
		*a = f->attr(PT_RW, false);
	else if (prot == UIOMMU_PROT_READ)
		*a = f->attr(UIOMMU_PROT_READ, false);
	else if (prot & ~f->prot || !(prot & PT_RW))
		return false;
	else
		*a = f->attr(prot, false);
	return true;
}

/* Is the one leaf that ends at @last within the input size? It cannot wrap, being
 * aligned, nor lie in both halves of a canonical space. */
UIOMMU_ALWAYS_INLINE bool pt_leaf_in_range(const struct pt_desc *f, const struct uiommu_pt *pt,
					   uint64_t last)
{
	if (f->feat & PT_SIGN_EXT)
		last += (pt->iova_last >> 1) + 1;
	return last <= pt->iova_last && pt_reached(f, pt_root(f, pt), last);
}

UIOMMU_ALWAYS_INLINE bool pt_map_one(const struct pt_desc *f, const struct uiommu_pt *pt,
				     uint64_t iova, uint64_t pa, unsigned prot)
{
	struct pt_attr a;
	uint64_t *p;
	unsigned lvl;

	if (pt->quick == UIOMMU_PT_QUICK_NONE || !pt_aligned(f, iova | pa, 0) ||
	    !pt_leaf_in_range(f, pt, iova | (pt_table_bytes(f) - 1)) || pa >> pt->oas_lg2 ||
	    !pt_usual_attr(f, prot, &a))
		return false;
	p = pt_find(f, pt, pt_root(f, pt), iova, 0, false, &lvl);
	if (lvl || port_load64(p))
		return false;
	port_store64(p, f->mk_leaf(pa, 0, 0, a));
	port_dma_wmb();
	return true;
}

/* The level of a block of @len bytes; 0: there is none. */
UIOMMU_ALWAYS_INLINE unsigned pt_block_level(const struct pt_desc *f, uint64_t len)
{
	PT_UNROLL
	for (unsigned l = 1; l <= f->max_level; l++)
		if ((f->pgsizes | f->wide) & pt_span(f, l) && len == pt_span(f, l))
			return l;
	return 0;
}

UIOMMU_ALWAYS_INLINE bool pt_map_block(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t iova, uint64_t pa, uint64_t len, unsigned prot)
{
	unsigned l = pt_block_level(f, len), lvl;
	struct pt_attr a;
	uint64_t *p;

	if (pt->quick != UIOMMU_PT_QUICK_ALL || !l || (iova | pa) & (len - 1) ||
	    !(pt->pgsizes & len) || !pt_leaf_in_range(f, pt, iova | (len - 1)) ||
	    pa >> pt->oas_lg2 || !pt_usual_attr(f, prot, &a))
		return false;
	p = pt_find(f, pt, pt_root(f, pt), iova, l, false, &lvl);
	if (lvl != l || port_load64(p))
		return false;
	port_store64(p, f->mk_leaf(pa, l, 0, a));
	port_dma_wmb();
	return true;
}

/* Pages, or blocks, in one table; the level is not worth a copy of the code for each.
 * Returns the bytes mapped: pt_map() goes on from there. */
UIOMMU_ALWAYS_INLINE uint64_t pt_map_several(const struct pt_desc *f, const struct uiommu_pt *pt,
					     uint64_t iova, uint64_t pa, uint64_t len,
					     unsigned prot, unsigned l)
{
	uint64_t last = iova + (len - 1), pa_last = pa + (len - 1), *p;
	struct pt_attr a;
	unsigned lvl;

	if (pt->quick != UIOMMU_PT_QUICK_ALL || !len || !pt_aligned(f, iova | pa | len, l) ||
	    (iova ^ last) >> pt_shift(f, l + 1) || !(pt->pgsizes & pt_span(f, l)) ||
	    !pt_in_range(f, pt, iova, last) || !pt_reached(f, pt_root(f, pt), last) ||
	    pa_last < pa || pa_last >> pt->oas_lg2 || !pt_usual_attr(f, prot, &a))
		return 0;
	p = pt_find(f, pt, pt_root(f, pt), iova, l, false, &lvl);
	if (lvl != l)
		return 0;
	len = (uint64_t)pt_fill_single(f, pt, p, l, len >> pt_shift(f, l), pa, a)
		<< pt_shift(f, l);
	port_dma_wmb();
	return len;
}

/* The largest blocks that fit. */
UIOMMU_ALWAYS_INLINE unsigned pt_several_level(const struct pt_desc *f, uint64_t addr, uint64_t len)
{
	unsigned l = 1;

	while (l + 1 < f->max_level && len >= pt_span(f, l + 1) && pt_aligned(f, addr, l + 1))
		l++;
	return l;
}

/* ---- unmap ---- */

UIOMMU_ALWAYS_INLINE void pt_gather_range(struct uiommu_gather *g, uint64_t iova, uint64_t len,
					  uint64_t pgsizes)
{
	if (iova < g->start)
		g->start = iova;
	if (iova + (len - 1) > g->last)
		g->last = iova + (len - 1);
	g->pgsizes |= pgsizes;
}

/*
 * Chains a table of level @lvl that hardware may still be reading, from a walk that
 * began before its entry was cleared or from a walk cache. The link takes the place of
 * entry 0. It is a pointer aligned to at least 64 bytes, with the level in bits 5:3:
 * its low bits are 0, which every format here reads as "not present", so whoever still
 * reads it finds less, never something else. All other entries stay as they were, and
 * lead to the tables below, which are found again when the list is freed; but the one
 * below entry 0, which is chained too.
 */
UIOMMU_ALWAYS_INLINE void pt_gather_table(const struct pt_desc *f, const struct uiommu_pt *pt,
					  struct uiommu_gather *g, uint64_t *t, unsigned lvl)
{
	for (;; lvl--) {
		uint64_t first = port_load64(t);

		port_store64(t, (uint64_t)(uintptr_t)g->free_list);
		port_clean(pt->host, t, sizeof(*t));
		g->free_list = (char *)t + 8 * lvl;
		if (!lvl || !pt_is_table(f, first, lvl))
			break;
		t = pt_next(f, pt, first, lvl);
	}
	g->tables = true;
	g->table_bytes = pt_table_bytes(f);
	g->ops = pt->ops;
}

/* Frees @t, a table of level @top, and all below entries 1 and up. */
UIOMMU_ALWAYS_INLINE void pt_free_tree(const struct pt_desc *f, const struct uiommu_host *h,
				       uint64_t *t, unsigned top)
{
	struct { uint64_t *t; unsigned i; } at[PT_MAX_LEVELS];
	unsigned lvl = top;

	at[lvl].t = t;
	at[lvl].i = 1;
	for (;;) {
		uint64_t e = 0;

		while (lvl && at[lvl].i < pt_entries(f)) {
			e = port_load64(&at[lvl].t[at[lvl].i++]);
			if (!pt_is_table(f, e, lvl)) {
				e = 0;
				continue;
			}
			t = (uint64_t *)(uintptr_t)(f->oa(e, lvl) + h->table_offset);
			if (lvl > 1)
				break;
			h->table_free(h->ctx, t, pt_table_bytes(f));
			e = 0;
		}
		if (e) {
			at[--lvl].t = t;
			at[lvl].i = 0;
			continue;
		}
		h->table_free(h->ctx, at[lvl].t, pt_table_bytes(f));
		if (lvl++ == top)
			return;
	}
}

UIOMMU_ALWAYS_INLINE void pt_free_tables(const struct pt_desc *f, const struct uiommu_host *h,
					 void *list)
{
	while (list) {
		unsigned lvl = (uintptr_t)list >> 3 & 7;
		uint64_t *t = (uint64_t *)((char *)list - 8 * lvl);

		list = (void *)(uintptr_t)port_load64(t);
		pt_free_tree(f, h, t, lvl);
	}
}

/* The highest level of which [iova, iova + len) covers an entry. */
UIOMMU_ALWAYS_INLINE unsigned pt_covers(const struct pt_desc *f, uint64_t iova, uint64_t len)
{
	unsigned lvl = 0;

	while (lvl < f->max_level && len >= pt_span(f, lvl + 1) && pt_aligned(f, iova, lvl + 1))
		lvl++;
	return lvl;
}

/*
 * Does a leaf lie across @addr, the end of the caller's range? Looks only; a hole is no
 * leaf, nor is there one across the end of the address space. What begins at @addr is
 * another's, who may be freeing it: the entry there is looked at, for it may be in the
 * middle of a run, and its table covers our side too; but what it leads to is not.
 */
UIOMMU_ALWAYS_INLINE bool pt_cuts(const struct pt_desc *f, const struct uiommu_pt *pt,
				  uint64_t addr)
{
	struct pt_root r = pt_root(f, pt);
	unsigned lvl, want;
	uint64_t e;

	if (!(f->feat & PT_SIGN_EXT) && addr - 1 >= pt->iova_last)
		return false;
	if (!pt_reached(f, r, addr))
		return false;
	want = pt_covers(f, addr, UINT64_MAX);
	e = port_load64(pt_find(f, pt, r, addr, want, false, &lvl));
	return pt_present(f, e) && pt_leaf(f, e, lvl) &&
	       !pt_aligned_lg2(addr, pt_leaf_lg2(f, e, lvl));
}

/*
 * Does the end of [iova, iova + len) cut a leaf? The first step sees to the leaf at
 * the start; so a range that no other leaf can be in needs no look.
 */
UIOMMU_ALWAYS_INLINE bool pt_end_cuts(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t iova, uint64_t len)
{
	uint64_t end = iova + len;

	if ((iova ^ (end - 1)) >> pt_shift(f, 1))
		return pt_cuts(f, pt, end);
	return pt_has_runs(f, pt) && len > pt_table_bytes(f) && pt_cuts(f, pt, end);
}

/* Clears pages from @p on, at most @n, eight at a time, as long as all of them are there
 * and none is part of a run; how many. */
UIOMMU_ALWAYS_INLINE unsigned pt_clear_eights(const struct pt_desc *f, uint64_t *p, unsigned n)
{
	unsigned i = 0;

#ifndef UIOMMU_PT_CHECKED
	for (; i + 8 <= n; i += 8) {
		uint64_t all = 1, any = 0;

		PT_UNROLL
		for (unsigned k = 0; k < 8; k++) {
			uint64_t e = port_load64(&p[i + k]);

			all &= f->present(e);
			any |= e;
		}
		if (!all || any & f->run_mask)
			break;
		PT_UNROLL
		for (unsigned k = 0; k < 8; k++)
			port_store64(&p[i + k], 0);
	}
#endif
	(void)f, (void)p, (void)n;
	return i;
}

/* Clears leaves of one entry each from @p on, at most @n; stops at a hole or a table. */
UIOMMU_ALWAYS_INLINE unsigned pt_clear_level(const struct pt_desc *f, const struct uiommu_pt *pt,
					     uint64_t *p, unsigned lvl, unsigned n, uint64_t *sizes)
{
	unsigned i = lvl == 0 ? pt_clear_eights(f, p, n) : 0;

	for (; i < n; i++) {
		uint64_t e = port_load64(&p[i]);

		if (!pt_present(f, e) || !pt_leaf(f, e, lvl))
			break;
		pt_take(f, pt, &p[i], e, lvl);
	}
	*sizes = pt_span(f, lvl);
	return i;
}

/* The same where entries may be parts of runs; tells which sizes went. */
UIOMMU_ALWAYS_INLINE unsigned pt_clear_runs(const struct pt_desc *f, const struct uiommu_pt *pt,
					    uint64_t *p, unsigned lvl, unsigned n, uint64_t *sizes)
{
	unsigned i = PT_QUICK && lvl == 0 ? pt_clear_eights(f, p, n) : 0, end;

	*sizes = i ? pt_span(f, 0) : 0;
	while (i < n) {
		uint64_t e = port_load64(&p[i]);

		if (!pt_present(f, e) || !pt_leaf(f, e, lvl))
			break;
		pt_take(f, pt, &p[i++], e, lvl);
		if (!(e & f->run_mask)) {
			*sizes |= pt_span(f, lvl);
			continue;
		}
		*sizes |= (uint64_t)1 << pt_leaf_lg2(f, e, lvl);
		end = i - 1 + (1u << (f->run ? f->run(e, lvl) : 0));
		for (; i < end && i < n; i++)
			pt_take(f, pt, &p[i], port_load64(&p[i]), lvl);
	}
	return i;
}

UIOMMU_ALWAYS_INLINE unsigned pt_clear(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t *p, unsigned lvl, unsigned n, uint64_t *sizes)
{
	unsigned done;

	if (pt_has_runs(f, pt))
		done = pt_clear_runs(f, pt, p, lvl, n, sizes);
	else if (PT_QUICK && lvl == 0)
		done = pt_clear_level(f, pt, p, 0, n, sizes);
	else
		done = pt_clear_level(f, pt, p, lvl, n, sizes);
	if (done)
		port_clean(pt->host, p, done * sizeof(*p));
	return done;
}

/* Takes the table entry @p, its table and all below it out. */
UIOMMU_ALWAYS_INLINE void pt_drop(const struct pt_desc *f, const struct uiommu_pt *pt, uint64_t *p,
				  uint64_t e, unsigned lvl, uint64_t iova, struct uiommu_gather *g)
{
	port_store64(p, 0);
	port_clean(pt->host, p, sizeof(*p));
	pt_gather_table(f, pt, g, pt_next(f, pt, e, lvl), lvl - 1);
	pt_gather_range(g, iova, pt_span(f, lvl), pt->pgsizes & (pt_span(f, lvl) - 1));
}

/*
 * Takes away one table or one run of leaves at @iova. @done: the bytes, 0 at a
 * hole. -EINVAL if a leaf is larger than what was asked for.
 */
UIOMMU_ALWAYS_INLINE int pt_unmap_step(const struct pt_desc *f, const struct uiommu_pt *pt,
				       struct pt_root r, uint64_t iova, uint64_t len,
				       struct uiommu_gather *g, uint64_t *done)
{
	unsigned want = pt_covers(f, iova, len), lvl, lg2, n, room;
	uint64_t *p = pt_find(f, pt, r, iova, want, false, &lvl);
	uint64_t e = port_load64(p), sizes;

	*done = 0;
	if (!pt_present(f, e))
		return 0;
	if (!pt_leaf(f, e, lvl)) {
		if (lvl > want)
			return 0;	/* was a hole: another thread's table, since then */
		pt_drop(f, pt, p, e, lvl, iova, g);
		*done = pt_span(f, lvl);
		return 0;
	}
	lg2 = pt_leaf_lg2(f, e, lvl);
	if (len < (uint64_t)1 << lg2 || !pt_aligned_lg2(iova, lg2))
		return -UIOMMU_EINVAL;
	room = pt_entries(f) - pt_index(f, iova, lvl);
	n = len >> pt_shift(f, lvl) < room ? len >> pt_shift(f, lvl) : room;
	n = pt_clear(f, pt, p, lvl, n, &sizes);
	*done = (uint64_t)n << pt_shift(f, lvl);
	pt_gather_range(g, iova, *done, sizes);
	return 0;
}

UIOMMU_ALWAYS_INLINE int pt_unmap(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t iova,
				  uint64_t len, struct uiommu_gather *g, uint64_t *unmapped)
{
	int ret = pt_check_range(f, pt, iova, len);
	struct pt_root r = pt_root(f, pt);
	uint64_t done = 0, n = 1;

	/* Only the first and the last leaf can be cut: both are looked at before
	 * anything changes, so a refusal changes nothing. */
	if (!ret && pt_end_cuts(f, pt, iova, len))
		ret = -UIOMMU_EINVAL;
	while (!ret && done < len && n && pt_reached(f, r, iova + done)) {
		ret = pt_unmap_step(f, pt, r, iova + done, len - done, g, &n);
		done += n;
	}
	if (unmapped)
		*unmapped = done;
	return ret;
}

/*
 * The usual unmaps, as short as the usual maps. False: nothing was done, and pt_unmap()
 * does it all. Here nothing can be cut: without runs a leaf at level 0 is a page, and
 * a block is asked for as a whole.
 */
UIOMMU_ALWAYS_INLINE bool pt_unmap_one(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t iova, struct uiommu_gather *g)
{
	uint64_t *p, e;
	unsigned lvl;

	if (pt->quick == UIOMMU_PT_QUICK_NONE || !pt_aligned(f, iova, 0) ||
	    !pt_leaf_in_range(f, pt, iova | (pt_table_bytes(f) - 1)))
		return false;
	p = pt_find(f, pt, pt_root(f, pt), iova, 0, false, &lvl);
	e = port_load64(p);
	if (lvl || !pt_present(f, e) || e & f->run_mask)
		return false;
	port_store64(p, 0);
	pt_gather_range(g, iova, pt_table_bytes(f), pt_table_bytes(f));
	return true;
}

UIOMMU_ALWAYS_INLINE bool pt_unmap_block(const struct pt_desc *f, const struct uiommu_pt *pt,
					 uint64_t iova, uint64_t len, struct uiommu_gather *g)
{
	unsigned l = pt_block_level(f, len), lvl;
	uint64_t *p, e;

	if (pt->quick == UIOMMU_PT_QUICK_NONE || !l || iova & (len - 1) ||
	    !pt_leaf_in_range(f, pt, iova | (len - 1)))
		return false;
	p = pt_find(f, pt, pt_root(f, pt), iova, l, false, &lvl);
	e = port_load64(p);
	if (lvl != l || !pt_present(f, e) || !f->leaf(e, l) || e & f->run_mask)
		return false;
	port_store64(p, 0);
	pt_gather_range(g, iova, len, len);
	return true;
}

UIOMMU_ALWAYS_INLINE bool pt_unmap_pages(const struct pt_desc *f, const struct uiommu_pt *pt,
					 uint64_t iova, uint64_t len, struct uiommu_gather *g,
					 uint64_t *unmapped)
{
	uint64_t last = iova + (len - 1), sizes, *p;
	unsigned lvl, n;

	if (pt->quick != UIOMMU_PT_QUICK_ALL || !len || !pt_aligned(f, iova | len, 0) ||
	    (iova ^ last) >> pt_shift(f, 1) || !pt_in_range(f, pt, iova, last) ||
	    !pt_reached(f, pt_root(f, pt), last))
		return false;
	p = pt_find(f, pt, pt_root(f, pt), iova, 0, false, &lvl);
	if (lvl || !pt_present(f, port_load64(p)))
		return false;
	n = pt_clear_level(f, pt, p, 0, len >> pt_shift(f, 0), &sizes);
	len = (uint64_t)n << pt_shift(f, 0);
	pt_gather_range(g, iova, len, sizes);
	if (unmapped)
		*unmapped = len;
	return true;
}

/* ---- look up ---- */

UIOMMU_ALWAYS_INLINE int pt_iova_to_phys(const struct pt_desc *f, const struct uiommu_pt *pt,
					 uint64_t iova, uint64_t *pa)
{
	struct pt_root r = pt_root(f, pt);
	uint64_t e;

	if (!pt_in_range(f, pt, iova, iova))
		return -UIOMMU_ERANGE;
	if (!pt_reached(f, r, iova))
		return -UIOMMU_ENOENT;
	e = port_load64(pt_top_entry(f, pt, r, iova));
	PT_UNROLL
	for (unsigned l = f->max_level; l > 0; l--) {
		if (l > r.lvl)
			continue;
		if (!pt_present(f, e))
			return -UIOMMU_ENOENT;
		if (pt_leaf(f, e, l)) {
			*pa = pt_leaf_pa(f, e, l, iova);
			return 0;
		}
		e = port_load64(pt_down(f, pt, e, l, iova));
	}
	if (!pt_present(f, e))
		return -UIOMMU_ENOENT;
	*pa = pt_leaf_pa(f, e, 0, iova);
	return 0;
}

UIOMMU_ALWAYS_INLINE void pt_step(const struct pt_desc *f, const struct uiommu_pt *pt,
				  const uint64_t *p, uint64_t iova, unsigned lvl,
				  struct uiommu_pt_step *s)
{
	uint64_t e = port_load64(p);

	*s = (struct uiommu_pt_step){
		.level = lvl, .entry_pa = (uint64_t)(uintptr_t)p - pt->offset, .entry = e,
		.kind = UIOMMU_PT_STEP_INVALID,
	};
	if (!pt_present(f, e))
		return;
	s->next_pa = f->oa(e, lvl);
	s->kind = UIOMMU_PT_STEP_TABLE;
	if (pt_leaf(f, e, lvl)) {
		s->kind = UIOMMU_PT_STEP_LEAF;
		s->next_pa = pt_leaf_pa(f, e, lvl, iova);
		s->page_lg2 = pt_leaf_lg2(f, e, lvl);
	}
}

UIOMMU_ALWAYS_INLINE int pt_walk(const struct pt_desc *f, const struct uiommu_pt *pt,
				 uint64_t iova, struct uiommu_pt_step *steps, unsigned max,
				 unsigned *nsteps)
{
	struct pt_root r = pt_root(f, pt);
	uint64_t *p = pt_top_entry(f, pt, r, iova);
	unsigned n = 0;

	*nsteps = 0;
	if (!pt_in_range(f, pt, iova, iova))
		return -UIOMMU_ERANGE;
	if (!pt_reached(f, r, iova))
		return 0;
	for (unsigned lvl = r.lvl;; lvl--) {
		if (n == max) {
			*nsteps = r.lvl + 1;
			return -UIOMMU_EMSGSIZE;
		}
		pt_step(f, pt, p, iova, lvl, &steps[n++]);
		*nsteps = n;
		if (steps[n - 1].kind != UIOMMU_PT_STEP_TABLE)
			return 0;
		p = pt_next(f, pt, steps[n - 1].entry, lvl) + pt_index(f, iova, lvl - 1);
	}
}

/* ---- cut: smaller leaves in place of a larger one ---- */

/* One entry of a run becomes a leaf of its own; keeps what hardware has marked. */
UIOMMU_ALWAYS_INLINE void pt_cut_entry(const struct pt_desc *f, const struct uiommu_pt *pt,
				       uint64_t *p, uint64_t pa, unsigned lvl)
{
	uint64_t e = port_load64(p), old;

	while ((old = port_cmpxchg64(p, e, f->mk_leaf(pa, lvl, 0, f->get_attr(e, lvl)))) != e)
		e = old;
	port_clean(pt->host, p, sizeof(*p));
}

/* A run that lies across @addr falls apart into its entries. */
UIOMMU_ALWAYS_INLINE void pt_cut_run(const struct pt_desc *f, const struct uiommu_pt *pt,
				     uint64_t *p, unsigned lvl, unsigned lg2, uint64_t addr,
				     struct uiommu_gather *g)
{
	unsigned n = 1u << (lg2 - pt_shift(f, lvl));
	uint64_t size = (uint64_t)1 << lg2, iova = addr & ~(size - 1), pa;

	p -= (addr - iova) >> pt_shift(f, lvl);
	pa = pt_leaf_pa(f, port_load64(p), lvl, iova);
	for (unsigned i = 0; i < n; i++)
		pt_cut_entry(f, pt, &p[i], pa + i * pt_span(f, lvl), lvl);
	pt_gather_range(g, iova, size, size);
}

/* A leaf of one entry becomes a table of the next smaller ones. */
UIOMMU_ALWAYS_INLINE int pt_cut_block(const struct pt_desc *f, const struct uiommu_pt *pt,
				      uint64_t *p, unsigned lvl, uint64_t addr,
				      struct uiommu_gather *g)
{
	uint64_t size = pt_span(f, lvl), iova = addr & ~(size - 1), *t, pa, e, old;
	int ret = pt_new_table(f, pt, false, &t, &pa);

	if (ret)
		return ret;
	for (e = port_load64(p);; e = old) {
		struct pt_attr a = f->get_attr(e, lvl);

		for (unsigned i = 0; i < pt_entries(f); i++)
			port_store64(&t[i], f->mk_leaf(f->oa(e, lvl) + i * pt_span(f, lvl - 1),
						       lvl - 1, 0, a));
		port_clean(pt->host, t, pt_table_bytes(f));
		old = port_cmpxchg64(p, e, f->mk_table(pa, lvl));
		if (old == e)
			break;
	}
	pt_table_sync(pt, p, f->mk_table(pa, lvl));
	pt_gather_range(g, iova, size, size);
	return 0;
}

UIOMMU_ALWAYS_INLINE int pt_cut(const struct pt_desc *f, struct uiommu_pt *pt, uint64_t addr,
				struct uiommu_gather *g)
{
	struct pt_root r = pt_root(f, pt);
	int ret = pt_check_range(f, pt, addr, pt_table_bytes(f));
	/* what begins at @addr may be another's: as in pt_cuts() */
	unsigned want = pt_covers(f, addr, UINT64_MAX);

	while (!ret && pt_reached(f, r, addr)) {
		unsigned lvl, lg2;
		uint64_t *p = pt_find(f, pt, r, addr, want, false, &lvl), e = port_load64(p);

		if (!pt_present(f, e) || !pt_leaf(f, e, lvl))
			break;
		lg2 = pt_leaf_lg2(f, e, lvl);
		if (pt_aligned_lg2(addr, lg2))
			break;
		if (f->run && lg2 > pt_shift(f, lvl))
			pt_cut_run(f, pt, p, lvl, lg2, addr, g);
		else
			ret = pt_cut_block(f, pt, p, lvl, addr, g);
	}
	return ret;
}

/* ---- dirty tracking ---- */

UIOMMU_ALWAYS_INLINE int pt_set_dirty_tracking(struct uiommu_pt *pt, bool on)
{
	if (!(pt->flags & UIOMMU_PT_DIRTY))
		return -UIOMMU_EOPNOTSUPP;
	__atomic_store_n(&pt->tracking, on, __ATOMIC_RELAXED);
	return 0;
}

/* Was any entry of the leaf written through? And if told so, marks it as not. */
UIOMMU_ALWAYS_INLINE bool pt_test_dirty(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t *p, unsigned n, bool clear)
{
	bool dirty = false;

	for (unsigned i = 0; i < n; i++) {
		uint64_t e = port_load64(&p[i]), old;

		if (!f->is_dirty(e))
			continue;
		dirty = true;
		if (!clear)
			break;
		while ((old = port_cmpxchg64(&p[i], e, f->mk_clean(e))) != e)
			e = old;
		port_clean(pt->host, &p[i], sizeof(*p));
	}
	return dirty;
}

UIOMMU_ALWAYS_INLINE void pt_set_bits(uint64_t *bitmap, uint64_t first, uint64_t last)
{
	for (; first <= last; first = (first | 63) + 1) {
		uint64_t bits = UINT64_MAX << (first % 64);

		if (first / 64 == last / 64)
			bits &= UINT64_MAX >> (63 - last % 64);
		bitmap[first / 64] |= bits;
	}
}

/* The leaf @e at @iova, of which [from, last] was asked for. */
UIOMMU_ALWAYS_INLINE void pt_dirty_leaf(const struct pt_desc *f, const struct uiommu_pt *pt,
					uint64_t *p, uint64_t e, unsigned lvl, uint64_t at,
					const struct uiommu_pt_dirty *d, struct uiommu_gather *g)
{
	unsigned lg2 = pt_leaf_lg2(f, e, lvl);
	uint64_t size = (uint64_t)1 << lg2, start = at & ~(size - 1), end = start + (size - 1);
	uint64_t last = d->iova + (d->len - 1), to = end < last ? end : last;
	bool clear = !(d->flags & UIOMMU_PT_DIRTY_KEEP) && start >= d->iova && end <= last;

	p -= (at - start) >> pt_shift(f, lvl);
	if (!pt_test_dirty(f, pt, p, 1u << (lg2 - pt_shift(f, lvl)), clear))
		return;
	pt_set_bits(d->bitmap, (at - d->iova) >> d->page_lg2, (to - d->iova) >> d->page_lg2);
	if (clear)
		pt_gather_range(g, start, size, size);
}

UIOMMU_ALWAYS_INLINE int pt_read_dirty(const struct pt_desc *f, struct uiommu_pt *pt,
				       const struct uiommu_pt_dirty *d, struct uiommu_gather *g)
{
	int ret = pt_check_range(f, pt, d->iova, d->len);
	struct pt_root r = pt_root(f, pt);
	uint64_t at = d->iova, last = d->iova + (d->len - 1);

	if (!(pt->flags & UIOMMU_PT_DIRTY))
		return -UIOMMU_EOPNOTSUPP;
	if (ret)
		return ret;
	if (d->page_lg2 < f->granule_lg2 || d->page_lg2 > 63 || d->flags & ~UIOMMU_PT_DIRTY_KEEP)
		return -UIOMMU_EINVAL;
	while (pt_reached(f, r, at)) {
		unsigned lvl, lg2;
		uint64_t *p = pt_find(f, pt, r, at, 0, false, &lvl), e = port_load64(p);

		lg2 = pt_shift(f, lvl);
		if (pt_present(f, e) && pt_leaf(f, e, lvl)) {
			pt_dirty_leaf(f, pt, p, e, lvl, at, d, g);
			lg2 = pt_leaf_lg2(f, e, lvl);
		}
		at |= ((uint64_t)1 << lg2) - 1;
		if (at >= last)
			break;
		at++;
	}
	return 0;
}

/* ---- trim: only what is in use stays ---- */

struct pt_trim {
	uint64_t *t;
	unsigned i, n;
	bool used;
};

UIOMMU_ALWAYS_INLINE void pt_trim(const struct pt_desc *f, struct uiommu_pt *pt,
				  struct uiommu_gather *g)
{
	struct pt_trim at[PT_MAX_LEVELS];
	struct pt_root r = pt_root(f, pt);
	unsigned lvl = r.lvl;

	at[lvl] = (struct pt_trim){ .t = r.t, .n = pt->top_mask + 1 };
	for (;;) {
		struct pt_trim *a = &at[lvl];
		uint64_t e = 0, *p;

		while (a->i < a->n && !pt_is_table(f, e, lvl)) {
			e = port_load64(&a->t[a->i++]);
			a->used |= pt_present(f, e) && pt_leaf(f, e, lvl);
		}
		if (pt_is_table(f, e, lvl)) {
			at[lvl - 1] = (struct pt_trim){ .t = pt_next(f, pt, e, lvl),
							.n = pt_entries(f) };
			lvl--;
			continue;
		}
		if (lvl++ == r.lvl)
			break;
		if (a->used) {
			at[lvl].used = true;
			continue;
		}
		p = &at[lvl].t[at[lvl].i - 1];
		port_store64(p, 0);
		port_clean(pt->host, p, sizeof(*p));
		pt_gather_table(f, pt, g, a->t, lvl - 1);
	}
}

/* ---- life ---- */

/* The lowest root that resolves the input size. */
UIOMMU_ALWAYS_INLINE unsigned pt_top_level(const struct pt_desc *f, unsigned ias)
{
	unsigned lvl = f->min_top;

	while (lvl < f->max_level && !(f->feat & PT_GROW) &&
	       ias > pt_shift(f, lvl) + f->index_bits + f->root_bits)
		lvl++;
	return lvl;
}

/* Entries of the root: only as many as the input size can reach, where the format
 * knows such a thing; 64 bytes is the smallest table that hardware and hosts know. */
UIOMMU_ALWAYS_INLINE void pt_top_size(const struct pt_desc *f, struct uiommu_pt *pt)
{
	unsigned bits = f->index_bits + f->root_bits, shift = pt_shift(f, pt->top_level);

	if (f->feat & PT_SMALL_ROOT)
		bits = pt->ias_lg2 > shift ? pt->ias_lg2 - shift : 0;
	pt->top_mask = (1u << bits) - 1;
	pt->top_bytes = (uint64_t)8 << (bits < 3 ? 3 : bits);
}

UIOMMU_ALWAYS_INLINE bool pt_config_ok(const struct pt_desc *f, const struct uiommu_pt_config *cfg)
{
	unsigned known = UIOMMU_PT_DIRTY | (f->contig ? UIOMMU_PT_CONTIG : 0);

	return cfg->ias_lg2 >= f->ias_min && cfg->ias_lg2 <= f->ias_max &&
	       cfg->oas_lg2 >= f->oas_min && cfg->oas_lg2 <= f->oas_max &&
	       (!f->ias_only || f->ias_only >> cfg->ias_lg2 & 1) && !(cfg->flags & ~known) &&
	       (!cfg->max_page_lg2 ||
		(cfg->max_page_lg2 < 64 && cfg->max_page_lg2 >= f->granule_lg2));
}

/* The page sizes of a table: of its format, of its levels, and as its user says. */
UIOMMU_ALWAYS_INLINE uint64_t pt_sizes(const struct pt_desc *f, const struct uiommu_pt *pt,
				       unsigned max_page_lg2)
{
	unsigned top = pt_shift(f, pt->top_level) + f->index_bits;
	uint64_t sizes = f->pgsizes;

	if (pt->flags & UIOMMU_PT_CONTIG)
		sizes |= f->contig;
	if (pt->oas_lg2 == f->oas_max)
		sizes |= f->wide;
	if (top < 64)
		sizes &= ((uint64_t)1 << top) - 1;
	if (max_page_lg2)
		sizes &= ((uint64_t)2 << max_page_lg2) - 1;
	return sizes;
}

/* What the short paths may take over. They are left out where size is what counts. */
UIOMMU_ALWAYS_INLINE unsigned pt_quickness(const struct pt_desc *f, const struct uiommu_pt *pt)
{
	if (!PT_QUICK || pt->host->cache_clean || pt->flags & UIOMMU_PT_DIRTY)
		return UIOMMU_PT_QUICK_NONE;
	if (pt_has_runs(f, pt))
		return UIOMMU_PT_QUICK_PAGE;
	return UIOMMU_PT_QUICK_ALL;
}

UIOMMU_ALWAYS_INLINE int pt_init(const struct pt_desc *f, const struct uiommu_pt_ops *ops,
				 struct uiommu_pt *pt, const struct uiommu_host *h,
				 const struct uiommu_pt_config *cfg)
{
	if (!pt_config_ok(f, cfg))
		return -UIOMMU_EINVAL;
	*pt = (struct uiommu_pt){
		.ops = ops, .host = h, .ias_lg2 = cfg->ias_lg2, .oas_lg2 = cfg->oas_lg2,
		.flags = cfg->flags, .top_level = pt_top_level(f, cfg->ias_lg2),
		.iova_last = UINT64_MAX >> (64 - cfg->ias_lg2), .offset = h->table_offset,
		.table_clean = h->cache_clean ? f->table_clean : 0,
	};
	pt->pgsizes = pt_sizes(f, pt, cfg->max_page_lg2);
	pt->quick = pt_quickness(f, pt);
	pt_top_size(f, pt);
	pt->top = h->table_alloc(h->ctx, pt->top_bytes);
	if (!pt->top)
		return -UIOMMU_ENOMEM;
	if (((uint64_t)(uintptr_t)pt->top - pt->offset) >> pt->oas_lg2) {
		h->table_free(h->ctx, pt->top, pt->top_bytes);
		pt->top = NULL;
		return -UIOMMU_ERANGE;
	}
	pt->root = (uint64_t)(uintptr_t)pt->top | pt->top_level;
	port_clean(h, pt->top, pt->top_bytes);
	port_dma_wmb();
	return 0;
}

UIOMMU_ALWAYS_INLINE void pt_fini(const struct pt_desc *f, struct uiommu_pt *pt)
{
	const struct uiommu_host *h = pt->host;
	struct uiommu_gather g;
	struct pt_root r;

	if (!pt->top)
		return;
	r = pt_root(f, pt);
	uiommu_gather_init(&g);
	for (unsigned i = 0; r.lvl && i <= pt->top_mask; i++) {
		uint64_t e = port_load64(&r.t[i]);

		if (pt_is_table(f, e, r.lvl))
			pt_gather_table(f, pt, &g, pt_next(f, pt, e, r.lvl), r.lvl - 1);
	}
	pt_free_tables(f, h, g.free_list);
	h->table_free(h->ctx, r.t, pt->top_bytes);
	pt->top = NULL;
	pt->root = 0;
}

/* ---- an instance: the functions of one format, and their table ---- */

/* cut, trim and dirty tracking, which src/core does not use; src/smmuv3/absent.c */
#ifdef UIOMMU_CONFIG_STAGE2_ONLY
#define PT_EXTRAS 0
#else
#define PT_EXTRAS 1
#endif

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
static PT_NOINLINE int name_##_map_any(struct uiommu_pt *pt, uiommu_iova_t iova,	\
				       uiommu_pa_t pa, uint64_t len, unsigned prot,	\
				       uint64_t *mapped)				\
{											\
	return pt_map(f_, pt, iova, pa, len, prot, mapped);				\
}											\
static PT_NOINLINE int name_##_map_rest(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					uiommu_pa_t pa, uint64_t len, unsigned prot,	\
					uint64_t *mapped, uint64_t done)		\
{											\
	int ret = pt_map(f_, pt, iova + done, pa + done, len - done, prot, mapped);	\
											\
	if (mapped)									\
		*mapped += done;							\
	return ret;									\
}											\
static PT_NOINLINE int name_##_map_pages(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					 uiommu_pa_t pa, uint64_t len, unsigned prot,	\
					 uint64_t *mapped)				\
{											\
	uint64_t done = pt_map_several(f_, pt, iova, pa, len, prot, 0);			\
											\
	if (!done || done != len)							\
		return name_##_map_rest(pt, iova, pa, len, prot, mapped, done);		\
	if (mapped)									\
		*mapped = done;								\
	return 0;									\
}											\
static PT_NOINLINE int name_##_map_blocks(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					  uiommu_pa_t pa, uint64_t len, unsigned prot,	\
					  uint64_t *mapped)				\
{											\
	unsigned l = pt_several_level(f_, iova | pa, len);				\
	uint64_t done = pt_map_several(f_, pt, iova, pa, len, prot, l);			\
											\
	if (!done || done != len)							\
		return name_##_map_rest(pt, iova, pa, len, prot, mapped, done);		\
	if (mapped)									\
		*mapped = done;								\
	return 0;									\
}											\
static PT_NOINLINE int name_##_map_block(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					 uiommu_pa_t pa, uint64_t len, unsigned prot,	\
					 uint64_t *mapped)				\
{											\
	if (!pt_map_block(f_, pt, iova, pa, len, prot))					\
		return name_##_map_blocks(pt, iova, pa, len, prot, mapped);		\
	if (mapped)									\
		*mapped = len;								\
	return 0;									\
}											\
static int name_##_map(struct uiommu_pt *pt, uiommu_iova_t iova, uiommu_pa_t pa,	\
		       uint64_t len, unsigned prot, uint64_t *mapped)			\
{											\
	if (PT_QUICK && len != pt_table_bytes(f_))					\
		return len < pt_span(f_, 1)						\
			? name_##_map_pages(pt, iova, pa, len, prot, mapped)		\
			: name_##_map_block(pt, iova, pa, len, prot, mapped);		\
	if (!PT_QUICK || !pt_map_one(f_, pt, iova, pa, prot))				\
		return name_##_map_any(pt, iova, pa, len, prot, mapped);		\
	if (mapped)									\
		*mapped = len;								\
	return 0;									\
}											\
static PT_NOINLINE int name_##_unmap_any(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					 uint64_t len, struct uiommu_gather *g,		\
					 uint64_t *unmapped)				\
{											\
	return pt_unmap(f_, pt, iova, len, g, unmapped);				\
}											\
static PT_NOINLINE int name_##_unmap_pages(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					   uint64_t len, struct uiommu_gather *g,	\
					   uint64_t *unmapped)				\
{											\
	if (pt_unmap_pages(f_, pt, iova, len, g, unmapped))				\
		return 0;								\
	return name_##_unmap_any(pt, iova, len, g, unmapped);				\
}											\
static PT_NOINLINE int name_##_unmap_block(struct uiommu_pt *pt, uiommu_iova_t iova,	\
					   uint64_t len, struct uiommu_gather *g,	\
					   uint64_t *unmapped)				\
{											\
	if (!pt_unmap_block(f_, pt, iova, len, g))					\
		return name_##_unmap_any(pt, iova, len, g, unmapped);			\
	if (unmapped)									\
		*unmapped = len;							\
	return 0;									\
}											\
static int name_##_unmap(struct uiommu_pt *pt, uiommu_iova_t iova, uint64_t len,	\
			 struct uiommu_gather *g, uint64_t *unmapped)			\
{											\
	if (PT_QUICK && len != pt_table_bytes(f_))					\
		return len < pt_span(f_, 1)						\
			? name_##_unmap_pages(pt, iova, len, g, unmapped)		\
			: name_##_unmap_block(pt, iova, len, g, unmapped);		\
	if (!PT_QUICK || !pt_unmap_one(f_, pt, iova, g))				\
		return name_##_unmap_any(pt, iova, len, g, unmapped);			\
	if (unmapped)									\
		*unmapped = len;							\
	return 0;									\
}											\
static void name_##_free_tables(const struct uiommu_host *host, void *list)		\
{											\
	pt_free_tables(f_, host, list);							\
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
static int name_##_cut(struct uiommu_pt *pt, uiommu_iova_t iova,			\
		       struct uiommu_gather *g)						\
{											\
	return PT_EXTRAS ? pt_cut(f_, pt, iova, g) : -UIOMMU_EOPNOTSUPP;			\
}											\
static int name_##_set_dirty_tracking(struct uiommu_pt *pt, bool on)			\
{											\
	return pt_set_dirty_tracking(pt, on);						\
}											\
static int name_##_read_dirty(struct uiommu_pt *pt, const struct uiommu_pt_dirty *d,	\
			      struct uiommu_gather *g)					\
{											\
	return PT_EXTRAS ? pt_read_dirty(f_, pt, d, g) : -UIOMMU_EOPNOTSUPP;			\
}											\
static void name_##_trim(struct uiommu_pt *pt, struct uiommu_gather *g)			\
{											\
	if (PT_EXTRAS)									\
		pt_trim(f_, pt, g);							\
}											\
const struct uiommu_pt_ops uiommu_pt_##name_##_ops = {					\
	.name = #name_, .pgsizes = (pgsizes_),						\
	.init = name_##_init, .fini = name_##_fini, .map = name_##_map,			\
	.unmap = name_##_unmap, .iova_to_phys = name_##_iova_to_phys,			\
	.walk = name_##_walk, .cut = name_##_cut, .trim = name_##_trim,			\
	.set_dirty_tracking = name_##_set_dirty_tracking,				\
	.read_dirty = name_##_read_dirty, .free_tables = name_##_free_tables,		\
};

#endif
