/* SPDX-License-Identifier: MIT */
/*
 * pages.c - memory of a program, pinned while a page table needs it
 *
 * As in Linux, naming memory (IOAS_MAP) and pinning it are two things: without
 * a page table nothing is pinned, and a bad address shows only when the first
 * one comes. All page tables of an address space, and the areas that IOAS_COPY
 * made from one another, share one pin.
 */
#include "internal.h"

#define PAGE_MASK	(UIOMMU_IOMMUFD_PAGE - 1)

int uiommu_pages_create(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint64_t va,
			uint64_t len, bool writable, struct uiommu_pages **out)
{
	const struct uiommu_uaccess *ua = ctx->cfg.uaccess;
	struct uiommu_pages *p;

	if (va > UINT64_MAX - len)
		return -UIOMMU_EOVERFLOW;
	if (!len || len > UINT64_MAX - UIOMMU_IOMMUFD_PAGE)
		return -UIOMMU_EINVAL;
	p = uiommu_iommufd_alloc(ctx, sizeof(*p));
	if (!p)
		return -UIOMMU_ENOMEM;
	p->refs = 1;
	p->as = as;
	p->va = va & ~PAGE_MASK;
	p->writable = writable;
	ua->as_get(ua->ctx, as);
	*out = p;
	return 0;
}

void uiommu_pages_put(struct uiommu_iommufd *ctx, struct uiommu_pages *p)
{
	const struct uiommu_uaccess *ua = ctx->cfg.uaccess;

	if (--p->refs)
		return;
	ua->as_put(ua->ctx, p->as);
	uiommu_iommufd_free(ctx, p, sizeof(*p));
}

static int pin_piece(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t start,
		     uint64_t last, uint64_t iova)
{
	const struct uiommu_uaccess *ua = ctx->cfg.uaccess;
	unsigned prot = UIOMMU_PROT_READ | (p->writable ? UIOMMU_PROT_WRITE : 0);
	struct uiommu_piece *piece = uiommu_iommufd_alloc(ctx, sizeof(*piece));
	int ret;

	if (!piece)
		return -UIOMMU_ENOMEM;
	ret = ua->pin(ua->ctx, p->as, p->va + start, last - start + 1, prot, iova,
		      &piece->pin);
	if (ret) {
		uiommu_iommufd_free(ctx, piece, sizeof(*piece));
		return ret;
	}
	piece->r.start = start;
	piece->r.last = last;
	piece->users = 1;
	uiommu_ranges_insert(&p->pieces, &piece->r);
	return 0;
}

static void put_piece(struct uiommu_iommufd *ctx, struct uiommu_pages *p,
		      struct uiommu_piece *piece)
{
	const struct uiommu_uaccess *ua = ctx->cfg.uaccess;

	if (--piece->users)
		return;
	uiommu_ranges_remove(&p->pieces, &piece->r);
	ua->unpin(ua->ctx, piece->pin);
	uiommu_iommufd_free(ctx, piece, sizeof(*piece));
}

static void drop_pages(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t start,
		       uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&p->pieces, start, last), *next;

	for (; r && r->start <= last; r = next) {
		next = uiommu_ranges_next(&p->pieces, r);
		put_piece(ctx, p, uiommu_container_of(r, struct uiommu_piece, r));
	}
}

int uiommu_pages_hold(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t off,
		      uint64_t len, uint64_t iova)
{
	uint64_t start = off & ~PAGE_MASK, last = (off + len - 1) | PAGE_MASK, pos, end;
	int ret;

	for (pos = start; pos <= last; pos = end + 1) {
		struct uiommu_range *r = uiommu_ranges_overlap(&p->pieces, pos, last);

		if (r && r->start <= pos) {
			uiommu_container_of(r, struct uiommu_piece, r)->users++;
			end = r->last;
		} else {
			end = r ? r->start - 1 : last;
			ret = pin_piece(ctx, p, pos, end, iova - off + pos);
			if (ret)
				goto undo;
		}
		if (end == UINT64_MAX)
			break;
	}
	return 0;
undo:
	if (pos != start)
		drop_pages(ctx, p, start, pos - 1);
	return ret;
}

void uiommu_pages_drop(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t off,
		       uint64_t len)
{
	drop_pages(ctx, p, off & ~PAGE_MASK, (off + len - 1) | PAGE_MASK);
}

uiommu_pa_t uiommu_pages_at(struct uiommu_pages_cursor *c, uint64_t pos, uint64_t *run)
{
	const struct uiommu_pin_seg *segs;

	if (!c->piece || pos > c->piece->r.last) {
		struct uiommu_range *r = uiommu_ranges_first(&c->pages->pieces, pos);

		c->piece = uiommu_container_of(r, struct uiommu_piece, r);
		c->seg = 0;
		c->seg_off = r->start;
	}
	segs = c->piece->pin->segs;
	while (pos - c->seg_off >= segs[c->seg].bytes)
		c->seg_off += segs[c->seg++].bytes;
	*run = segs[c->seg].bytes - (pos - c->seg_off);
	return segs[c->seg].pa + (pos - c->seg_off);
}
