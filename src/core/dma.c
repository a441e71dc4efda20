/* SPDX-License-Identifier: MIT */
/*
 * src/core/dma.c - domains with IOVAs of their own, strict and deferred
 *
 * Deferred: an unmap clears entries and puts the IOVA into a queue. A flush takes the
 * queue (unmaps go on into the other one), makes hardware forget all of the domain,
 * and only then gives tables and IOVAs back.
 */
#include <uiommu/dma.h>

#include "iova.h"

struct queue {
	struct {
		uint64_t page;
		unsigned order;
	} e[UIOMMU_DMA_QUEUE];
	unsigned n;
	struct uiommu_gather g;
	uint64_t since;				/* when the first came */
};

struct uiommu_dma {
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_domain *dom;		/* (i) */
	enum uiommu_dma_mode mode;		/* (i) */
	struct iova_space space;
	struct uiommu_lock lock;		/* the rest; not held while hardware works */
	struct queue queue[2];
	unsigned filling;			/* which one unmaps go to */
	bool flushing;				/* the other one is on its way out */
	struct uiommu_dev_resv resv[UIOMMU_RESV_MAX];	/* (i) */
};

static uint64_t page_bytes(const struct uiommu_dma *dma)
{
	return (uint64_t)1 << dma->space.page_lg2;
}

static uint64_t pages_of(const struct uiommu_dma *dma, uint64_t addr, uint64_t len)
{
	uint64_t mask = page_bytes(dma) - 1;

	return ((addr & mask) + len + mask) >> dma->space.page_lg2;
}

static unsigned order_of(uint64_t pages)
{
	unsigned order = 0;

	while ((uint64_t)1 << order < pages)
		order++;
	return order;
}

/* ---- map ---- */

int uiommu_dma_map(struct uiommu_dma *dma, uiommu_pa_t pa, uint64_t len, unsigned prot,
		   uiommu_iova_t *iova)
{
	uint64_t pages = pages_of(dma, pa, len), mask = page_bytes(dma) - 1, page, done = 0;
	unsigned order = order_of(pages);
	uiommu_iova_t at;
	int err;

	if (!len || len > (uint64_t)1 << 30 || order >= IOVA_ORDERS)
		return -UIOMMU_EINVAL;
	err = uiommu_iova_alloc(&dma->space, order, &page);
	if (err)
		return err;
	at = page << dma->space.page_lg2;
	err = uiommu_map(dma->dom, at, pa & ~mask, pages << dma->space.page_lg2, prot, &done);
	if (!err) {
		*iova = at | (pa & mask);
		return 0;
	}
	if (done)
		uiommu_unmap(dma->dom, at, done, NULL);
	uiommu_iova_free(&dma->space, order, page);
	return err;
}

/* ---- unmap ---- */

/* All of the domain: one command, whatever was in the queue. */
static void forget(struct uiommu_dma *dma, struct queue *q)
{
	q->g.start = 0;
	q->g.last = UINT64_MAX >> (64 - dma->dom->pt.ias_lg2);
	q->g.tables = true;
	uiommu_domain_invalidate(dma->dom, &q->g);
	uiommu_gather_free(&q->g, dma->host);
	for (unsigned i = 0; i < q->n; i++)
		uiommu_iova_free(&dma->space, q->e[i].order, q->e[i].page);
	uiommu_gather_init(&q->g);
	q->n = 0;
}

/* Takes what is there for this caller to flush; NULL: nothing is, or not now. */
static struct queue *begin_flush(struct uiommu_dma *dma, bool *busy)
{
	struct queue *q = NULL;

	host_lock(dma->host, &dma->lock);
	*busy = dma->flushing;
	if (!dma->flushing && dma->queue[dma->filling].n) {
		q = &dma->queue[dma->filling];
		dma->filling ^= 1;
		dma->flushing = true;
	}
	host_unlock(dma->host, &dma->lock);
	return q;
}

static void end_flush(struct uiommu_dma *dma)
{
	host_lock(dma->host, &dma->lock);
	dma->flushing = false;
	host_unlock(dma->host, &dma->lock);
}

/* Another thread's flush is waited for: what it took was unmapped before this call. */
void uiommu_dma_flush(struct uiommu_dma *dma)
{
	struct queue *q;
	bool busy;

	do {
		q = begin_flush(dma, &busy);
		if (busy)
			host_relax(dma->host);
	} while (busy);
	if (!q)
		return;
	forget(dma, q);
	end_flush(dma);
}

/* Entries cleared and the IOVA queued in one go: a flush sees both or neither. */
static bool defer(struct uiommu_dma *dma, uint64_t page, uint64_t pages, bool *due)
{
	uint64_t now = dma->host->now_ns(dma->host->ctx), done;
	struct queue *q;
	bool room;

	host_lock(dma->host, &dma->lock);
	q = &dma->queue[dma->filling];
	room = q->n < UIOMMU_DMA_QUEUE;
	if (room) {
		if (!q->n)
			q->since = now;
		dma->dom->pt.ops->unmap(&dma->dom->pt, page << dma->space.page_lg2,
					pages << dma->space.page_lg2, &q->g, &done);
		q->e[q->n].page = page;
		q->e[q->n++].order = order_of(pages);
	}
	*due = q->n == UIOMMU_DMA_QUEUE || now - q->since > UIOMMU_DMA_WAIT_NS;
	host_unlock(dma->host, &dma->lock);
	return room;
}

void uiommu_dma_unmap(struct uiommu_dma *dma, uiommu_iova_t iova, uint64_t len)
{
	uint64_t page = iova >> dma->space.page_lg2, pages = pages_of(dma, iova, len);
	bool due;

	if (dma->mode == UIOMMU_DMA_STRICT) {
		uiommu_unmap(dma->dom, page << dma->space.page_lg2,
			     pages << dma->space.page_lg2, NULL);
		uiommu_iova_free(&dma->space, order_of(pages), page);
		return;
	}
	while (!defer(dma, page, pages, &due))
		uiommu_dma_flush(dma);
	if (due)
		uiommu_dma_flush(dma);
}

/* ---- up and down ---- */

struct uiommu_domain *uiommu_dma_domain(struct uiommu_dma *dma)
{
	return dma->dom;
}

static void set_space(struct uiommu_dma *dma, const struct uiommu_dev *dev, uiommu_iova_t last)
{
	struct uiommu_domain_info info;
	uint64_t most;

	uiommu_domain_info(dma->dom, &info);
	dma->space.host = dev->host;
	dma->space.page_lg2 = port_ctz64(info.pgsizes);
	if (last > info.aperture_last)
		last = info.aperture_last;
	most = (uint64_t)IOVA_PIECES << (IOVA_ORDERS - 1);
	dma->space.pages = (last >> dma->space.page_lg2) + ((last + 1) % page_bytes(dma) == 0);
	if (dma->space.pages > most)
		dma->space.pages = most;
	for (unsigned i = 0; i < dev->num_resv; i++)
		dma->resv[i] = dev->resv[i];
	dma->space.resv = dma->resv;
	dma->space.num_resv = dev->num_resv;
}

static int make_locks(struct uiommu_dma *dma)
{
	int err = host_lock_init(dma->host, &dma->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	err = uiommu_iova_init(&dma->space);
	if (err)
		host_lock_fini(dma->host, &dma->lock);
	return err;
}

static int fill_in(struct uiommu_dma *dma, struct uiommu_dev *dev, uiommu_iova_t last)
{
	int err = uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_PASID, &dma->dom);

	if (err)
		return err;
	uiommu_domain_set_name(dma->dom, "dma");
	set_space(dma, dev, last);
	err = dma->space.pages < 2 ? -UIOMMU_EINVAL : make_locks(dma);
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
	dma->mode = mode;
	uiommu_gather_init(&dma->queue[0].g);
	uiommu_gather_init(&dma->queue[1].g);
	err = fill_in(dma, dev, last);
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
	host_lock_fini(dma->host, &dma->lock);
	host_free(dma->host, dma, sizeof(*dma));
	return 0;
}
