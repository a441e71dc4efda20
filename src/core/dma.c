/* SPDX-License-Identifier: MIT */
/*
 * src/core/dma.c - domains with IOVAs of their own, strict and deferred
 *
 * Deferred: an unmap clears entries, and puts the IOVA and the tables that it took out
 * into one of a few queues, which has two halves. A flush takes the half that was being
 * filled (unmaps go on into the other one), makes hardware forget all of the domain, and
 * only then gives tables and IOVAs back.
 */
#include <uiommu/dma.h>

#include "iova.h"

struct entry {
	uint64_t page, pages;
	void *tables;				/* as in a gather's free_list */
};

struct half {
	struct entry e[UIOMMU_DMA_QUEUE];
	unsigned n;
};

struct queue {
	struct uiommu_lock lock;		/* the rest; not held while hardware works */
	struct half half[2];
	unsigned filling;			/* which one unmaps go to */
	bool flushing;				/* the other one is on its way out */
	uint64_t since;				/* when the first came */
};

struct uiommu_dma {
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_domain *dom;		/* (i) */
	struct queue *queue;			/* (i) UIOMMU_DMA_QUEUES; NULL: strict */
	unsigned num_locks;			/* (i) of the queues */
	void (*timer)(void *ctx);		/* (i) */
	void *timer_ctx;			/* (i) */
	uint32_t timed;				/* (a) 1: it was told, and no flush came yet */
	struct iova_space space;
	struct uiommu_dev_resv resv[UIOMMU_RESV_MAX];	/* (i) */
};

static uint64_t page_mask(const struct uiommu_dma *dma)
{
	return ((uint64_t)1 << dma->space.page_lg2) - 1;
}

static uint64_t pages_of(const struct uiommu_dma *dma, uint64_t addr, uint64_t len)
{
	return ((addr & page_mask(dma)) + len + page_mask(dma)) >> dma->space.page_lg2;
}

/* More bytes than any table has: no sum of pages overflows. */
static bool is_sane(uint64_t len)
{
	return len && !(len >> 60);
}

/* ---- map ---- */

/* All in one piece of IOVAs, one after another from *@page on; how far it came. */
static int map_all(struct uiommu_dma *dma, struct uiommu_dma_seg *seg, unsigned n, unsigned prot,
		   uint64_t page, uint64_t *done)
{
	const uint64_t mask = page_mask(dma);
	int err = 0;

	*done = 0;
	for (unsigned i = 0; i < n && !err; i++) {
		uint64_t bytes = pages_of(dma, seg[i].pa, seg[i].len) << dma->space.page_lg2;
		uiommu_iova_t at = (page << dma->space.page_lg2) + *done;
		uint64_t mapped = 0;

		err = uiommu_map(dma->dom, at, seg[i].pa & ~mask, bytes, prot, &mapped);
		if (!err)
			seg[i].iova = at | (seg[i].pa & mask);
		*done += mapped;
	}
	return err;
}

/* 0: one of them is not sane, or all together are too much. */
static uint64_t count_pages(const struct uiommu_dma *dma, const struct uiommu_dma_seg *seg,
			    unsigned n)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!is_sane(seg[i].len))
			return 0;
		pages += pages_of(dma, seg[i].pa, seg[i].len);
	}
	return is_sane(pages) ? pages : 0;
}

int uiommu_dma_map_sg(struct uiommu_dma *dma, struct uiommu_dma_seg *seg, unsigned n,
		      unsigned prot)
{
	uint64_t pages = count_pages(dma, seg, n), page, done;
	int err;

	if (!pages)
		return -UIOMMU_EINVAL;
	err = uiommu_iova_alloc(&dma->space, pages, &page);
	if (err)
		return err;
	err = map_all(dma, seg, n, prot, page, &done);
	if (!err)
		return 0;
	if (done)
		uiommu_unmap(dma->dom, page << dma->space.page_lg2, done, NULL);
	uiommu_iova_free(&dma->space, pages, page);
	return err;
}

int uiommu_dma_map(struct uiommu_dma *dma, uiommu_pa_t pa, uint64_t len, unsigned prot,
		   uiommu_iova_t *iova)
{
	struct uiommu_dma_seg seg = { .pa = pa, .len = len };
	int err = uiommu_dma_map_sg(dma, &seg, 1, prot);

	if (!err)
		*iova = seg.iova;
	return err;
}

/* ---- flush ---- */

/* Takes what is there for this caller to flush, once nobody else is flushing there:
 * what he took was unmapped before this call. */
static struct half *begin_flush(struct uiommu_dma *dma, struct queue *q)
{
	struct half *h = NULL;

	host_lock(dma->host, &q->lock);
	while (q->flushing) {
		host_unlock(dma->host, &q->lock);
		host_relax(dma->host);
		host_lock(dma->host, &q->lock);
	}
	if (q->half[q->filling].n) {
		h = &q->half[q->filling];
		q->filling ^= 1;
		q->flushing = true;
	}
	host_unlock(dma->host, &q->lock);
	return h;
}

static void end_flush(struct uiommu_dma *dma, struct queue *q)
{
	host_lock(dma->host, &q->lock);
	q->flushing = false;
	host_unlock(dma->host, &q->lock);
}

/* All of the domain: one command, whatever was in the queues. */
static void forget_all(struct uiommu_dma *dma)
{
	struct uiommu_gather g;

	uiommu_gather_init(&g);
	g.start = 0;
	g.last = UINT64_MAX >> (64 - dma->dom->pt.ias_lg2);
	g.tables = true;
	uiommu_domain_invalidate(dma->dom, &g);
}

static void give_back(struct uiommu_dma *dma, struct half *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (h->e[i].tables)
			dma->dom->pt.ops->free_tables(dma->host, h->e[i].tables);
		uiommu_iova_free(&dma->space, h->e[i].pages, h->e[i].page);
	}
	h->n = 0;
}

static void flush_one(struct uiommu_dma *dma, struct queue *q)
{
	struct half *h = begin_flush(dma, q);

	if (!h)
		return;
	forget_all(dma);
	give_back(dma, h);
	end_flush(dma, q);
}

/* In the order of the queues, so that two of these do not wait for each other. */
void uiommu_dma_flush(struct uiommu_dma *dma)
{
	struct half *h[UIOMMU_DMA_QUEUES];
	bool any = false;

	if (!dma->queue)
		return;
	__atomic_store_n(&dma->timed, 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < UIOMMU_DMA_QUEUES; i++) {
		h[i] = begin_flush(dma, &dma->queue[i]);
		any |= h[i] != NULL;
	}
	if (any)
		forget_all(dma);
	for (unsigned i = 0; i < UIOMMU_DMA_QUEUES; i++) {
		if (!h[i])
			continue;
		give_back(dma, h[i]);
		end_flush(dma, &dma->queue[i]);
	}
}

void uiommu_dma_set_timer(struct uiommu_dma *dma, void (*fn)(void *ctx), void *ctx)
{
	dma->timer = fn;
	dma->timer_ctx = ctx;
}

/* ---- unmap ---- */

enum room {
	FULL,		/* @e is not in it */
	LAST,		/* it is, and nothing more */
	DUE,		/* the first has waited long enough */
	WAITS,
};

static enum room push(struct uiommu_dma *dma, struct queue *q, const struct entry *e)
{
	uint64_t now = dma->host->now_ns(dma->host->ctx);
	enum room room = FULL;
	struct half *h;

	host_lock(dma->host, &q->lock);
	h = &q->half[q->filling];
	if (h->n < UIOMMU_DMA_QUEUE) {
		if (!h->n)
			q->since = now;
		h->e[h->n++] = *e;
		room = now - q->since > UIOMMU_DMA_WAIT_NS ? DUE : WAITS;
		if (h->n == UIOMMU_DMA_QUEUE)
			room = LAST;
	}
	host_unlock(dma->host, &q->lock);
	return room;
}

static void start_timer(struct uiommu_dma *dma)
{
	if (dma->timer && !__atomic_exchange_n(&dma->timed, 1, __ATOMIC_SEQ_CST))
		dma->timer(dma->timer_ctx);
}

static void defer(struct uiommu_dma *dma, const struct entry *e)
{
	struct queue *q = &dma->queue[iova_thread(UIOMMU_DMA_QUEUES)];
	enum room room;

	while ((room = push(dma, q, e)) == FULL)
		flush_one(dma, q);
	if (room == LAST)
		flush_one(dma, q);
	else if (room == DUE)
		uiommu_dma_flush(dma);
	else
		start_timer(dma);
}

static void unmap(struct uiommu_dma *dma, uiommu_iova_t iova, uint64_t pages)
{
	const unsigned lg2 = dma->space.page_lg2;
	struct entry e = { iova >> lg2, pages, NULL };
	struct uiommu_gather g;

	if (!dma->queue) {
		uiommu_unmap(dma->dom, e.page << lg2, pages << lg2, NULL);
		uiommu_iova_free(&dma->space, pages, e.page);
		return;
	}
	uiommu_gather_init(&g);
	dma->dom->pt.ops->unmap(&dma->dom->pt, e.page << lg2, pages << lg2, &g, NULL);
	e.tables = g.free_list;
	defer(dma, &e);
}

void uiommu_dma_unmap(struct uiommu_dma *dma, uiommu_iova_t iova, uint64_t len)
{
	unmap(dma, iova, pages_of(dma, iova, len));
}

void uiommu_dma_unmap_sg(struct uiommu_dma *dma, const struct uiommu_dma_seg *seg, unsigned n)
{
	unmap(dma, seg[0].iova, count_pages(dma, seg, n));
}

/* ---- up and down ---- */

struct uiommu_domain *uiommu_dma_domain(struct uiommu_dma *dma)
{
	return dma->dom;
}

static void set_space(struct uiommu_dma *dma, const struct uiommu_dev *dev, uiommu_iova_t last)
{
	struct iova_space *s = &dma->space;
	struct uiommu_domain_info info;

	uiommu_domain_info(dma->dom, &info);
	s->host = dev->host;
	s->page_lg2 = port_ctz64(info.pgsizes);
	if (last > info.aperture_last)
		last = info.aperture_last;
	s->first = (info.aperture_start + page_mask(dma)) >> s->page_lg2;
	s->end = (last >> s->page_lg2) + ((last & page_mask(dma)) == page_mask(dma));
	for (unsigned i = 0; i < dev->num_resv; i++)
		dma->resv[i] = dev->resv[i];
	s->resv = dma->resv;
	s->num_resv = dev->num_resv;
}

static void free_queues(struct uiommu_dma *dma)
{
	while (dma->num_locks)
		host_lock_fini(dma->host, &dma->queue[--dma->num_locks].lock);
	host_free(dma->host, dma->queue, UIOMMU_DMA_QUEUES * sizeof(*dma->queue));
}

static int make_queues(struct uiommu_dma *dma)
{
	int err = 0;

	dma->queue = host_alloc(dma->host, UIOMMU_DMA_QUEUES * sizeof(*dma->queue));
	if (!dma->queue)
		return -UIOMMU_ENOMEM;
	for (; dma->num_locks < UIOMMU_DMA_QUEUES && !err; dma->num_locks += !err)
		err = host_lock_init(dma->host, &dma->queue[dma->num_locks].lock,
				     UIOMMU_LOCK_SPIN);
	if (err)
		free_queues(dma);
	return err;
}

static int make_space(struct uiommu_dma *dma, struct uiommu_dev *dev, enum uiommu_dma_mode mode,
		      uiommu_iova_t last)
{
	int err;

	set_space(dma, dev, last);
	err = uiommu_iova_init(&dma->space);
	if (err || mode == UIOMMU_DMA_STRICT)
		return err;
	err = make_queues(dma);
	if (err)
		uiommu_iova_fini(&dma->space);
	return err;
}

static int make(struct uiommu_dma *dma, struct uiommu_dev *dev, enum uiommu_dma_mode mode,
		uiommu_iova_t last)
{
	int err = uiommu_domain_alloc_paging(dev, 0, &dma->dom);

	if (err)
		return err;
	uiommu_domain_set_name(dma->dom, "dma");
	err = make_space(dma, dev, mode, last);
	if (err)
		uiommu_domain_free(dma->dom);
	return err;
}

int uiommu_dma_create(struct uiommu_dev *dev, enum uiommu_dma_mode mode, uiommu_iova_t last,
		      struct uiommu_dma **out)
{
	struct uiommu_dma *dma = host_alloc(dev->host, sizeof(*dma));
	int err;

	if (!dma)
		return -UIOMMU_ENOMEM;
	dma->host = dev->host;
	err = make(dma, dev, mode, last);
	if (err)
		host_free(dma->host, dma, sizeof(*dma));
	else
		*out = dma;
	return err;
}

int uiommu_dma_destroy(struct uiommu_dma *dma)
{
	int err;

	uiommu_dma_flush(dma);
	err = uiommu_domain_free(dma->dom);
	if (err)
		return err;
	uiommu_iova_fini(&dma->space);
	free_queues(dma);
	host_free(dma->host, dma, sizeof(*dma));
	return 0;
}
