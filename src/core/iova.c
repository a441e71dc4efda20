/* SPDX-License-Identifier: MIT */
#include "iova.h"

#define PIECE_LG2	(IOVA_ORDERS - 1)

/* ---- one piece ---- */

static unsigned words(unsigned order)
{
	return ((1u << (PIECE_LG2 - order)) + 63) / 64;
}

static uint64_t *bits_of(struct iova_piece *p, unsigned order)
{
	unsigned at = 0;

	for (unsigned o = 0; o < order; o++)
		at += words(o);
	return &p->bits[at];
}

static bool is_free(struct iova_piece *p, unsigned order, unsigned block)
{
	return bits_of(p, order)[block / 64] >> block % 64 & 1;
}

static void set(struct iova_piece *p, unsigned order, unsigned block)
{
	bits_of(p, order)[block / 64] |= (uint64_t)1 << block % 64;
	p->count[order]++;
	if (block / 64 < p->hint[order])
		p->hint[order] = block / 64;
}

static void clear(struct iova_piece *p, unsigned order, unsigned block)
{
	bits_of(p, order)[block / 64] &= ~((uint64_t)1 << block % 64);
	p->count[order]--;
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
	while (order < PIECE_LG2 && is_free(p, order, block ^ 1)) {
		clear(p, order, block ^ 1);
		block /= 2;
		order++;
	}
	set(p, order, block);
}

static bool take(struct iova_piece *p, unsigned order, unsigned *block)
{
	unsigned o = order, b;

	while (o < IOVA_ORDERS && !p->count[o])
		o++;
	if (o == IOVA_ORDERS)
		return false;
	b = first(p, o);
	clear(p, o, b);
	for (; o > order; o--) {
		b *= 2;
		set(p, o - 1, b + 1);	/* the upper half stays free */
	}
	*block = b;
	return true;
}

/* ---- all pieces ---- */

/* IOVA 0 is never given out: too many take it for nothing. */
static bool touches_reserved(const struct iova_space *s, uint64_t page, uint64_t n)
{
	uiommu_iova_t start = page << s->page_lg2, last = ((page + n) << s->page_lg2) - 1;

	if (!page || page + n > s->pages)
		return true;
	for (unsigned i = 0; i < s->num_resv; i++)
		if (s->resv[i].start <= last && s->resv[i].last >= start)
			return true;
	return false;
}

/* The largest aligned free block at @at; IOVA_ORDERS: there is none. */
static unsigned order_at(const struct iova_space *s, uint64_t base, unsigned at)
{
	unsigned o = at ? port_ctz64(at) : PIECE_LG2;

	while (touches_reserved(s, base + at, (uint64_t)1 << o))
		if (!o--)
			return IOVA_ORDERS;
	return o;
}

static struct iova_piece *make_piece(const struct iova_space *s, unsigned i)
{
	struct iova_piece *p = host_alloc(s->host, sizeof(*p));
	uint64_t base = (uint64_t)i << PIECE_LG2;
	unsigned at = 0;

	while (p && at < 1u << PIECE_LG2) {
		unsigned o = order_at(s, base, at);

		if (o < IOVA_ORDERS)
			set(p, o, at >> o);
		at += o < IOVA_ORDERS ? 1u << o : 1;
	}
	return p;
}

static bool take_any(struct iova_space *s, unsigned order, uint64_t *page)
{
	unsigned block = 0, i = 0;
	bool got = false;

	host_lock(s->host, &s->lock);
	for (; i < IOVA_PIECES && s->piece[i] && !got; i++)
		got = take(s->piece[i], order, &block);
	host_unlock(s->host, &s->lock);
	if (got)
		*page = ((uint64_t)(i - 1) << PIECE_LG2) + ((uint64_t)block << order);
	return got;
}

static void put_back(struct iova_space *s, unsigned order, uint64_t page)
{
	host_lock(s->host, &s->lock);
	put(s->piece[page >> PIECE_LG2], order,
	    (unsigned)(page & ((1u << PIECE_LG2) - 1)) >> order);
	host_unlock(s->host, &s->lock);
}

/* The next piece, made without the lock; somebody else may have been quicker. */
static int grow(struct iova_space *s)
{
	struct iova_piece *p;
	unsigned i = 0;

	host_lock(s->host, &s->lock);
	while (i < IOVA_PIECES && s->piece[i])
		i++;
	host_unlock(s->host, &s->lock);
	if (i == IOVA_PIECES || (uint64_t)i << PIECE_LG2 >= s->pages)
		return -UIOMMU_ENOSPC;
	p = make_piece(s, i);
	if (!p)
		return -UIOMMU_ENOMEM;
	host_lock(s->host, &s->lock);
	if (!s->piece[i]) {
		s->piece[i] = p;
		p = NULL;
	}
	host_unlock(s->host, &s->lock);
	host_free(s->host, p, sizeof(*p));
	return 0;
}

/* ---- caches ---- */

static struct iova_cache *my_cache(struct iova_space *s)
{
	char here;

	return &s->cache[((uintptr_t)&here >> 14) * 0x9e3779b1u >> 16 & (IOVA_CACHES - 1)];
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
			put_back(s, order, c->page[order][--c->n[order]]);
	c->page[order][c->n[order]++] = (uint32_t)page;
	host_unlock(s->host, &c->lock);
}

static void empty_caches(struct iova_space *s)
{
	for (unsigned i = 0; i < IOVA_CACHES; i++) {
		struct iova_cache *c = &s->cache[i];

		host_lock(s->host, &c->lock);
		for (unsigned o = 0; o < IOVA_CACHED; o++)
			while (c->n[o])
				put_back(s, o, c->page[o][--c->n[o]]);
		host_unlock(s->host, &c->lock);
	}
}

int uiommu_iova_alloc(struct iova_space *s, unsigned order, uint64_t *page)
{
	int err;

	if (order < IOVA_CACHED && from_cache(s, order, page))
		return 0;
	for (;;) {
		if (take_any(s, order, page))
			return 0;
		err = grow(s);
		if (err)
			break;
	}
	empty_caches(s);
	return take_any(s, order, page) ? 0 : err;
}

void uiommu_iova_free(struct iova_space *s, unsigned order, uint64_t page)
{
	if (order < IOVA_CACHED)
		to_cache(s, order, page);
	else
		put_back(s, order, page);
}

/* ---- up and down ---- */

static struct uiommu_lock *lock_at(struct iova_space *s, unsigned i)
{
	return i ? &s->cache[i - 1].lock : &s->lock;
}

int uiommu_iova_init(struct iova_space *s)
{
	for (; s->num_locks <= IOVA_CACHES; s->num_locks++) {
		int err = host_lock_init(s->host, lock_at(s, s->num_locks), UIOMMU_LOCK_SPIN);

		if (err) {
			uiommu_iova_fini(s);
			return err;
		}
	}
	return 0;
}

void uiommu_iova_fini(struct iova_space *s)
{
	for (unsigned i = 0; i < IOVA_PIECES && s->piece[i]; i++)
		host_free(s->host, s->piece[i], sizeof(*s->piece[i]));
	while (s->num_locks)
		host_lock_fini(s->host, lock_at(s, --s->num_locks));
}
