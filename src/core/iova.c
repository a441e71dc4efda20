/* SPDX-License-Identifier: MIT */
#include "iova.h"

static unsigned lg2_up(uint64_t n)
{
	unsigned lg2 = 0;

	while ((uint64_t)1 << lg2 < n)
		lg2++;
	return lg2;
}

/* ---- one piece ---- */

static unsigned words(unsigned lg2, unsigned order)
{
	return ((1u << (lg2 - order)) + 63) / 64;
}

static unsigned all_words(unsigned lg2)
{
	unsigned n = 0;

	for (unsigned o = 0; o <= lg2; o++)
		n += words(lg2, o);
	return n;
}

static void init_piece(struct iova_piece *p, unsigned lg2, void *bits)
{
	p->lg2 = lg2;
	p->bits = bits;
	for (unsigned o = 1; o <= lg2; o++)
		p->at[o] = p->at[o - 1] + words(lg2, o - 1);
}

static uint64_t *bits_of(struct iova_piece *p, unsigned order)
{
	return &p->bits[p->at[order]];
}

static bool is_free(struct iova_piece *p, unsigned order, unsigned block)
{
	return bits_of(p, order)[block / 64] >> block % 64 & 1;
}

static void set(struct iova_piece *p, unsigned order, unsigned block)
{
	bits_of(p, order)[block / 64] |= (uint64_t)1 << block % 64;
	p->count[order]++;
	p->some |= 1u << order;
	if (block / 64 < p->hint[order])
		p->hint[order] = block / 64;
}

static void clear(struct iova_piece *p, unsigned order, unsigned block)
{
	bits_of(p, order)[block / 64] &= ~((uint64_t)1 << block % 64);
	if (!--p->count[order])
		p->some &= ~(1u << order);
}

static unsigned first(struct iova_piece *p, unsigned order)
{
	uint64_t *w = bits_of(p, order);
	unsigned i = p->hint[order];

	while (!w[i])
		i++;
	p->hint[order] = i;
	return i * 64 + port_ctz64(w[i]);
}

/* A block and its free neighbour are one of the next order. */
static void put(struct iova_piece *p, unsigned order, unsigned block)
{
	while (order < p->lg2 && is_free(p, order, block ^ 1)) {
		clear(p, order, block ^ 1);
		block /= 2;
		order++;
	}
	set(p, order, block);
}

static void put_range(struct iova_piece *p, unsigned at, unsigned end)
{
	while (at < end) {
		unsigned o = at ? port_ctz64(at) : p->lg2;

		while (1u << o > end - at)
			o--;
		put(p, o, at >> o);
		at += 1u << o;
	}
}

/* @n blocks of order 0 at the beginning of an aligned one; the rest of it stays free. */
static bool take(struct iova_piece *p, unsigned n, unsigned *at)
{
	unsigned order = lg2_up(n), o, b;

	if (!(p->some >> order))
		return false;
	o = order + port_ctz64(p->some >> order);
	b = first(p, o);
	clear(p, o, b);
	for (; o > order; o--) {
		b *= 2;
		set(p, o - 1, b + 1);	/* the upper half stays free */
	}
	*at = b << order;
	put_range(p, *at + n, *at + (1u << order));
	return true;
}

/* ---- what may be given out at all ---- */

/* IOVA 0 is never given out: too many take it for nothing. */
static bool touches_reserved(const struct iova_space *s, uint64_t page, uint64_t n)
{
	uiommu_iova_t start = page << s->page_lg2, last = ((page + n) << s->page_lg2) - 1;

	if (page < s->first || page + n > s->end)
		return true;
	for (unsigned i = 0; i < s->num_resv; i++)
		if (s->resv[i].start <= last && s->resv[i].last >= start)
			return true;
	return false;
}

/* A piece whose block 0 of order 0 is 2^@lg2 pages at @base. */
static void fill(const struct iova_space *s, struct iova_piece *p, uint64_t base, unsigned lg2,
		 unsigned blocks)
{
	for (unsigned at = 0, o; at < blocks; at += 1u << o) {
		o = at ? port_ctz64(at) : p->lg2;
		while (o && touches_reserved(s, base + ((uint64_t)at << lg2),
					     (uint64_t)1 << (o + lg2)))
			o--;
		if (!touches_reserved(s, base + ((uint64_t)at << lg2), (uint64_t)1 << (o + lg2)))
			set(p, o, at >> o);
	}
}

/* Only where a range begins or ends a unit may be free in part: its number, or none. */
static bool edge(const struct iova_space *s, unsigned i, uint64_t *number)
{
	uint64_t page = s->first;

	if (i == 1)
		page = s->end - 1;
	else if (i)
		page = (i % 2 ? s->resv[i / 2 - 1].last : s->resv[i / 2 - 1].start) >> s->page_lg2;
	*number = page >> s->unit_lg2;
	return page < s->end &&
	       touches_reserved(s, *number << s->unit_lg2, (uint64_t)1 << s->unit_lg2);
}

static unsigned num_edges(const struct iova_space *s)
{
	return 2 + 2 * s->num_resv;
}

/* ---- units ---- */

static size_t unit_bytes(const struct iova_space *s)
{
	return sizeof(struct iova_unit) + all_words(s->unit_lg2) * sizeof(uint64_t);
}

static size_t whole_bytes(unsigned lg2)
{
	return sizeof(struct iova_piece) + all_words(lg2) * sizeof(uint64_t);
}

static struct iova_unit *find(const struct iova_space *s, uint64_t number)
{
	struct iova_unit *u = s->bucket[number % IOVA_BUCKETS];

	while (u && u->number != number)
		u = u->in_bucket;
	return u;
}

static void add(struct iova_space *s, struct iova_unit *u)
{
	struct iova_unit **b = &s->bucket[u->number % IOVA_BUCKETS];

	u->in_bucket = *b;
	*b = u;
	u->next = s->here ? s->here->next : u;
	if (s->here)
		s->here->next = u;
	s->here = u;
}

static bool next_edge(struct iova_space *s, unsigned *i, uint64_t *number)
{
	bool got = false;

	host_lock(s->host, &s->lock);
	for (; s->edges < num_edges(s) && !got; s->edges += !got)
		got = edge(s, s->edges, number) && !find(s, *number);
	*i = s->edges;
	host_unlock(s->host, &s->lock);
	return got;
}

/* One that is free in part, made without the lock; somebody else may have been quicker.
 * It may turn out not to be free at all. */
static struct iova_unit *use_edge(struct iova_space *s, struct iova_unit *u, unsigned i)
{
	const unsigned blocks = 1u << s->unit_lg2;

	fill(s, &u->piece, u->number << s->unit_lg2, 0, blocks);
	host_lock(s->host, &s->lock);
	if (s->edges == i) {
		s->edges++;
		if (u->piece.some) {
			add(s, u);
			u = NULL;
		}
	}
	host_unlock(s->host, &s->lock);
	return u;
}

/* One that is free as a whole, with the piece that it may have of before. */
static int use_whole(struct iova_space *s, struct iova_unit **fresh)
{
	struct iova_unit *u;
	unsigned n;
	int err = -UIOMMU_ENOSPC;

	host_lock(s->host, &s->lock);
	if (take(s->whole, 1, &n)) {
		u = find(s, n);
		if (!u) {
			u = *fresh;
			u->number = n;
			add(s, u);
			*fresh = NULL;
		}
		put(&u->piece, s->unit_lg2, 0);
		s->here = u;
		err = 0;
	}
	host_unlock(s->host, &s->lock);
	return err;
}

/* One more unit to take small blocks from. */
static int grow(struct iova_space *s)
{
	struct iova_unit *u = host_alloc(s->host, unit_bytes(s));
	unsigned i;
	int err = 0;

	if (!u)
		return -UIOMMU_ENOMEM;
	init_piece(&u->piece, s->unit_lg2, u + 1);
	if (next_edge(s, &i, &u->number))
		u = use_edge(s, u, i);
	else
		err = use_whole(s, &u);
	host_free(s->host, u, unit_bytes(s));
	return err;
}

static bool take_small(struct iova_space *s, unsigned n, uint64_t *page)
{
	struct iova_unit *u;
	unsigned at = 0;
	bool got = false;

	host_lock(s->host, &s->lock);
	u = s->here;
	while (u && !got) {
		got = take(&u->piece, n, &at);
		if (!got)
			u = u->next != s->here ? u->next : NULL;
	}
	if (got) {
		*page = (u->number << s->unit_lg2) + at;
		s->here = u;
	}
	host_unlock(s->host, &s->lock);
	return got;
}

static bool take_large(struct iova_space *s, uint64_t n, uint64_t *page)
{
	uint64_t units = ((n - 1) >> s->unit_lg2) + 1;
	unsigned at;
	bool got;

	if (units > (uint64_t)1 << s->whole->lg2)
		return false;
	host_lock(s->host, &s->lock);
	got = take(s->whole, (unsigned)units, &at);
	host_unlock(s->host, &s->lock);
	if (got)
		*page = (uint64_t)at << s->unit_lg2;
	return got;
}

static bool is_small(const struct iova_space *s, uint64_t n)
{
	return !(n >> s->unit_lg2);
}

static void put_back(struct iova_space *s, uint64_t n, uint64_t page)
{
	const unsigned at = (unsigned)page & ((1u << s->unit_lg2) - 1);
	const unsigned number = (unsigned)(page >> s->unit_lg2);
	struct iova_unit *u;

	host_lock(s->host, &s->lock);
	if (is_small(s, n)) {
		u = find(s, number);
		put_range(&u->piece, at, at + (unsigned)n);
		if (u->piece.count[s->unit_lg2]) {
			clear(&u->piece, s->unit_lg2, 0);
			put(s->whole, 0, number);
		}
	} else {
		put_range(s->whole, number, number + (unsigned)((n - 1) >> s->unit_lg2) + 1);
	}
	host_unlock(s->host, &s->lock);
}

/* ---- caches ---- */

static struct iova_cache *my_cache(struct iova_space *s)
{
	return &s->cache[iova_thread(IOVA_CACHES)];
}

static bool from_cache(struct iova_space *s, unsigned order, uint64_t *page)
{
	struct iova_cache *c = my_cache(s);
	bool got;

	host_lock(s->host, &c->lock);
	got = c->n[order] != 0;
	if (got)
		*page = c->page[order][--c->n[order]];
	host_unlock(s->host, &c->lock);
	return got;
}

/* A full cache gives half of it back, so that the next few find room. */
static void to_cache(struct iova_space *s, unsigned order, uint64_t page)
{
	struct iova_cache *c = my_cache(s);

	host_lock(s->host, &c->lock);
	if (c->n[order] == IOVA_DEPTH)
		while (c->n[order] > IOVA_DEPTH / 2)
			put_back(s, 1u << order, c->page[order][--c->n[order]]);
	c->page[order][c->n[order]++] = page;
	host_unlock(s->host, &c->lock);
}

static void empty_caches(struct iova_space *s)
{
	for (unsigned i = 0; i < IOVA_CACHES; i++) {
		struct iova_cache *c = &s->cache[i];

		host_lock(s->host, &c->lock);
		for (unsigned o = 0; o < IOVA_CACHED; o++)
			while (c->n[o])
				put_back(s, 1u << o, c->page[o][--c->n[o]]);
		host_unlock(s->host, &c->lock);
	}
}

/* ---- all of it ---- */

/* What is cached is whole blocks. Their order; IOVA_CACHED: too large for that. */
static unsigned cached_order(uint64_t n)
{
	return n > 1u << (IOVA_CACHED - 1) ? IOVA_CACHED : lg2_up(n);
}

static int take_any(struct iova_space *s, uint64_t n, uint64_t *page)
{
	int err;

	if (!is_small(s, n))
		return take_large(s, n, page) ? 0 : -UIOMMU_ENOSPC;
	do {
		if (take_small(s, (unsigned)n, page))
			return 0;
		err = grow(s);
	} while (!err);
	return err;
}

int uiommu_iova_alloc(struct iova_space *s, uint64_t n, uint64_t *page)
{
	unsigned order = cached_order(n);
	int err;

	if (order < IOVA_CACHED) {
		n = (uint64_t)1 << order;
		if (from_cache(s, order, page))
			return 0;
	}
	err = take_any(s, n, page);
	if (!err)
		return 0;
	empty_caches(s);
	return take_any(s, n, page) ? err : 0;
}

void uiommu_iova_free(struct iova_space *s, uint64_t n, uint64_t page)
{
	unsigned order = cached_order(n);

	if (order < IOVA_CACHED)
		to_cache(s, order, page);
	else
		put_back(s, n, page);
}

/* ---- up and down ---- */

static struct uiommu_lock *lock_at(struct iova_space *s, unsigned i)
{
	return i ? &s->cache[i - 1].lock : &s->lock;
}

static int make_locks(struct iova_space *s)
{
	int err = 0;

	for (; s->num_locks <= IOVA_CACHES && !err; s->num_locks += !err)
		err = host_lock_init(s->host, lock_at(s, s->num_locks), UIOMMU_LOCK_SPIN);
	return err;
}

static int make_whole(struct iova_space *s)
{
	uint64_t units = ((s->end - 1) >> s->unit_lg2) + 1;
	unsigned lg2 = lg2_up(units);

	s->whole = host_alloc(s->host, whole_bytes(lg2));
	if (!s->whole)
		return -UIOMMU_ENOMEM;
	init_piece(s->whole, lg2, s->whole + 1);
	fill(s, s->whole, 0, s->unit_lg2, (unsigned)units);
	return 0;
}

int uiommu_iova_init(struct iova_space *s)
{
	const uint64_t most = (uint64_t)1 << (2 * IOVA_LG2);
	unsigned lg2;
	int err;

	if (!s->first)
		s->first = 1;
	if (s->end > most)
		s->end = most;
	if (s->end <= s->first)
		return -UIOMMU_EINVAL;
	lg2 = lg2_up(s->end);
	s->unit_lg2 = lg2 < IOVA_LG2 ? lg2 : IOVA_LG2;
	err = make_locks(s);
	if (!err)
		err = make_whole(s);
	if (err)
		uiommu_iova_fini(s);
	return err;
}

void uiommu_iova_fini(struct iova_space *s)
{
	for (unsigned i = 0; i < IOVA_BUCKETS; i++) {
		struct iova_unit *u;

		while ((u = s->bucket[i])) {
			s->bucket[i] = u->in_bucket;
			host_free(s->host, u, unit_bytes(s));
		}
	}
	if (s->whole)
		host_free(s->host, s->whole, whole_bytes(s->whole->lg2));
	while (s->num_locks)
		host_lock_fini(s->host, lock_at(s, --s->num_locks));
}
