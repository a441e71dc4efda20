/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "process.h"

#define VA_BITS		39u
#define PA_BITS		40u

/* ---- pages ---- */

static struct range *range_of(struct process *p, uint64_t va)
{
	for (unsigned i = 0; i < PROCESS_RANGES; i++)
		if (va - p->range[i].start < p->range[i].bytes)
			return &p->range[i];
	return NULL;
}

/* With the lock held: what @va leads to; NULL: no page is there. */
static uint8_t *page_at(struct process *p, uint64_t va)
{
	uiommu_pa_t pa;

	return p->pt.ops->iova_to_phys(&p->pt, va, &pa) ? NULL : kernel_va(p->k, pa);
}

/* With the lock held: a page that is not there comes, if the process may use it. */
static uint8_t *touch(struct process *p, uint64_t va)
{
	uint8_t *page = page_at(p, va);

	if (page || !range_of(p, va))
		return page;
	page = heap_alloc(p->k, PAGE);
	if (!page)
		return NULL;
	if (p->pt.ops->map(&p->pt, va & ~(uint64_t)(PAGE - 1), kernel_pa(p->k, page), PAGE,
			   UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL)) {
		heap_free(p->k, page, PAGE);
		return NULL;
	}
	return page + va % PAGE;
}

/* A part of [va, va + bytes) that lies in one page, for the CPU. */
static bool access(struct process *p, uint64_t va, void *buf, size_t bytes, bool write)
{
	uint8_t *at;

	lock_take(p->k, &p->lock);
	at = touch(p, va);
	if (at && write)
		memcpy(at, buf, bytes);
	else if (at)
		memcpy(buf, at, bytes);
	lock_give(&p->lock);
	return at;
}

static bool access_all(struct process *p, uint64_t va, uint8_t *buf, size_t bytes, bool write)
{
	bool ok = true;

	while (bytes && ok) {
		size_t n = PAGE - va % PAGE;

		if (n > bytes)
			n = bytes;
		ok = access(p, va, buf, n, write);
		va += n;
		buf += n;
		bytes -= n;
	}
	return ok;
}

bool process_write(struct process *p, uint64_t va, const void *buf, size_t bytes)
{
	return access_all(p, va, (uint8_t *)(uintptr_t)buf, bytes, true);
}

bool process_read(struct process *p, uint64_t va, void *buf, size_t bytes)
{
	return access_all(p, va, buf, bytes, false);
}

/* ---- devices ask for pages ---- */

/* In an interrupt. The page is there before the answer says so. */
static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct process *p = ctx;
	bool ok = true;

	lock_take(p->k, &p->lock);
	g->handler.data = p->stopped;
	if (p->stopped) {
		lock_give(&p->lock);
		return;
	}
	for (const struct uiommu_page_request *r = g->requests; r; r = r->next)
		ok = ok && touch(p, r->addr);
	ok ? p->served++ : p->refused++;
	lock_give(&p->lock);
	uiommu_page_response(g, ok ? UIOMMU_PAGE_SUCCESS : UIOMMU_PAGE_INVALID);
}

/* The core has answered; what was left waiting is given back. */
static void on_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	if (g->handler.data)
		uiommu_page_response(g, UIOMMU_PAGE_INVALID);
}

static const struct uiommu_iopf_handler handler = { on_fault, on_cancel };

unsigned process_served(struct process *p, unsigned *refused)
{
	unsigned n;

	lock_take(p->k, &p->lock);
	n = p->served + p->refused;
	if (refused)
		*refused = p->refused;
	lock_give(&p->lock);
	return n;
}

void process_stop(struct process *p)
{
	lock_take(p->k, &p->lock);
	p->stopped = true;
	lock_give(&p->lock);
}

/* ---- ranges ---- */

bool process_mmap(struct process *p, uint64_t va, uint64_t bytes)
{
	bool ok = false;

	lock_take(p->k, &p->lock);
	for (unsigned i = 0; i < PROCESS_RANGES && !ok; i++) {
		ok = !p->range[i].bytes;
		if (ok)
			p->range[i] = (struct range){ va, bytes };
	}
	lock_give(&p->lock);
	return ok;
}

/* One page: out of the table, out of every TLB, and only then somebody else's. */
static void drop(struct process *p, uint64_t va)
{
	struct uiommu_gather g;
	uiommu_pa_t pa;

	if (p->pt.ops->iova_to_phys(&p->pt, va, &pa))
		return;
	uiommu_gather_init(&g);
	p->pt.ops->unmap(&p->pt, va, PAGE, &g, NULL);
	uiommu_mm_invalidate(p->mm, &g);
	uiommu_gather_free(&g, &p->k->host);
	heap_free(p->k, kernel_va(p->k, pa), PAGE);
}

void process_munmap(struct process *p, uint64_t va)
{
	struct range *r, gone = { 0, 0 };

	lock_take(p->k, &p->lock);
	r = range_of(p, va);
	if (r) {
		gone = *r;
		r->bytes = 0;
	}
	for (uint64_t off = 0; off < gone.bytes; off += PAGE)
		drop(p, gone.start + off);
	lock_give(&p->lock);
}

/* ---- life ---- */

struct process *process_create(struct kernel *k, const char *name)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = VA_BITS, .oas_lg2 = PA_BITS };
	struct process *p = heap_alloc(k, sizeof(*p));
	const struct uiommu_mm_config mm = {
		.name = name, .table = &p->pt, .iopf = &handler, .ctx = p,
	};

	if (!p)
		return NULL;
	p->k = k;
	if (uiommu_pt_arm_s1_4k_ops.init(&p->pt, &k->host, &cfg)) {
		heap_free(k, p, sizeof(*p));
		return NULL;
	}
	if (uiommu_mm_create(k->u, &mm, &p->mm)) {
		p->pt.ops->fini(&p->pt);
		heap_free(k, p, sizeof(*p));
		return NULL;
	}
	return p;
}

void process_exit(struct process *p)
{
	for (unsigned i = 0; i < PROCESS_RANGES; i++)
		if (p->range[i].bytes)
			process_munmap(p, p->range[i].start);
	uiommu_mm_die(p->mm);
	uiommu_mm_destroy(p->mm);
	p->pt.ops->fini(&p->pt);
	heap_free(p->k, p, sizeof(*p));
}
