/* SPDX-License-Identifier: MIT */
/*
 * iopt.c - what is mapped where in an I/O address space, and every page table
 * of it kept equal to that
 */
#include "internal.h"

#define PAGE		UIOMMU_IOMMUFD_PAGE
#define HUGE_PAGE	(2ull << 20)	/* Linux aligns chosen IOVAs to this at most */

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t lowest_bit(uint64_t v)
{
	return v & -v;
}

static struct uiommu_area *to_area(struct uiommu_range *r)
{
	return uiommu_container_of(r, struct uiommu_area, r);
}

static struct uiommu_range *first_area(const struct uiommu_iopt *iopt)
{
	return uiommu_ranges_first(&iopt->areas, 0);
}

static uint64_t area_bytes(const struct uiommu_area *a)
{
	return a->r.last - a->r.start + 1;
}

/* Something at @start is not taken any more. */
static void freed(struct uiommu_iopt *iopt, uint64_t start)
{
	iopt->packed_below = min64(iopt->packed_below, start);
}

/* ---- reservations ---- */

static struct uiommu_resv *resv_first(const struct uiommu_iopt *iopt, uint64_t from)
{
	struct uiommu_resv *v = iopt->resv;

	while (v && v->last < from)
		v = v->next;
	return v;
}

static bool resv_overlap(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last)
{
	const struct uiommu_resv *v = resv_first(iopt, start);

	return v && v->start <= last;
}

int uiommu_iopt_reserve(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
			uint64_t last)
{
	struct uiommu_resv **link = &iopt->resv, *v;

	if (uiommu_ranges_overlap(&iopt->areas, start, last) ||
	    uiommu_ranges_overlap(&iopt->allowed, start, last))
		return -UIOMMU_EADDRINUSE;
	while (*link && (*link)->start < start)
		link = &(*link)->next;
	for (v = *link; v && v->start == start; v = v->next) {
		if (v->last == last) {
			v->users++;
			return 0;
		}
	}
	v = uiommu_iommufd_alloc(ctx, sizeof(*v));
	if (!v)
		return -UIOMMU_ENOMEM;
	v->start = start;
	v->last = last;
	v->users = 1;
	v->next = *link;
	*link = v;
	return 0;
}

void uiommu_iopt_unreserve(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
			   uint64_t last)
{
	struct uiommu_resv **link = &iopt->resv, *v;

	while ((*link)->start != start || (*link)->last != last)
		link = &(*link)->next;
	v = *link;
	if (--v->users)
		return;
	freed(iopt, start);
	*link = v->next;
	uiommu_iommufd_free(ctx, v, sizeof(*v));
}

/* The lowest hole in [*pos, limit]; areas count as taken if @with_areas. */
static bool find_hole(const struct uiommu_iopt *iopt, bool with_areas, uint64_t *pos,
		      uint64_t limit, uint64_t *last)
{
	const struct uiommu_range *a;
	const struct uiommu_resv *v;
	uint64_t busy;

	for (;; *pos = busy + 1) {
		a = with_areas ? uiommu_ranges_first(&iopt->areas, *pos) : NULL;
		v = resv_first(iopt, *pos);
		if (a && a->start <= *pos)
			busy = a->last;
		else if (v && v->start <= *pos)
			busy = v->last;
		else
			break;
		if (busy >= limit)
			return false;
	}
	*last = limit;
	if (a)
		*last = min64(*last, a->start - 1);
	if (v)
		*last = min64(*last, v->start - 1);
	return true;
}

bool uiommu_iopt_next_hole(const struct uiommu_iopt *iopt, uint64_t *start, uint64_t *last)
{
	return find_hole(iopt, false, start, UINT64_MAX, last);
}

/* ---- where a mapping goes ---- */

static int check_iova(const struct uiommu_iopt *iopt, uint64_t iova, uint64_t len)
{
	if (iova & (iopt->alignment - 1))
		return -UIOMMU_EINVAL;
	if (iova > UINT64_MAX - (len - 1))
		return -UIOMMU_EOVERFLOW;
	if (resv_overlap(iopt, iova, iova + len - 1))
		return -UIOMMU_EINVAL;
	if (uiommu_ranges_overlap(&iopt->areas, iova, iova + len - 1))
		return -UIOMMU_EEXIST;
	return 0;
}

static uint64_t roundup_pow2(uint64_t v)
{
	uint64_t p = 1;

	while (p < v)
		p <<= 1;
	return p;
}

/* What an automatic choice wants: as aligned as the memory is, so that large
 * pages are possible, and with the same offset into a page. */
struct want {
	uint64_t len, align, page_off;
};

static bool fits(const struct want *w, uint64_t start, uint64_t last, uint64_t *iova)
{
	uint64_t at;

	if (start > UINT64_MAX - (w->align - 1))
		return false;
	at = ((start + w->align - 1) & ~(w->align - 1)) | w->page_off;
	if (at >= last || last - at < w->len - 1)
		return false;
	*iova = at;
	return true;
}

static bool choose_in(const struct uiommu_iopt *iopt, const struct want *w, uint64_t start,
		      uint64_t last, uint64_t *iova)
{
	uint64_t hole_last;

	if (start < iopt->packed_below)
		start = iopt->packed_below;
	while (start <= last && find_hole(iopt, true, &start, last, &hole_last)) {
		if (fits(w, start, hole_last, iova))
			return true;
		if (hole_last == last)
			break;
		start = hole_last + 1;
	}
	return false;
}

/* A program that maps a lot this way fills the space from below without holes:
 * without this each mapping would look at all before it. */
static void find_packed(struct uiommu_iopt *iopt, uint64_t lowest, uint64_t highest)
{
	uint64_t start = iopt->packed_below > lowest ? iopt->packed_below : lowest, last;

	if (find_hole(iopt, true, &start, highest, &last))
		iopt->packed_below = start;
}

/* First fit from the second page up, in the allowed ranges if there are any.
 * 0 is never chosen: programs take it for "none". */
static int choose_iova(struct uiommu_iopt *iopt, const struct want *w, uint64_t *iova)
{
	const uint64_t lowest = PAGE, highest = UINT64_MAX - PAGE;
	const struct uiommu_range *r = uiommu_ranges_first(&iopt->allowed, lowest);

	find_packed(iopt, lowest, highest);
	if (!iopt->allowed.root)
		return choose_in(iopt, w, lowest, highest, iova) ? 0 : -UIOMMU_ENOSPC;
	for (; r && r->start <= highest; r = uiommu_ranges_next(&iopt->allowed, r)) {
		uint64_t start = r->start < lowest ? lowest : r->start;

		if (choose_in(iopt, w, start, min64(r->last, highest), iova))
			return 0;
	}
	return -UIOMMU_ENOSPC;
}

int uiommu_iopt_place(struct uiommu_iopt *iopt, uint64_t *iova, uint64_t len, uint64_t va_hint,
		      bool fixed)
{
	struct want w = { .len = len, .page_off = va_hint % PAGE };

	if (!len || (len & (iopt->alignment - 1)))
		return -UIOMMU_EINVAL;
	if (fixed)
		return check_iova(iopt, *iova, len);
	if (len >= UINT64_MAX / 2)
		return -UIOMMU_EOVERFLOW;
	w.align = min64(roundup_pow2(len), HUGE_PAGE);
	if (va_hint)
		w.align = min64(w.align, lowest_bit(va_hint));
	if (w.align < iopt->alignment)
		return -UIOMMU_EINVAL;
	return choose_iova(iopt, &w, iova);
}

/* ---- areas in page tables ---- */

static int hold_area(struct uiommu_iommufd *ctx, const struct uiommu_area *a)
{
	return uiommu_pages_hold(ctx, a->pages, a->off, area_bytes(a), a->r.start);
}

static void unfill(struct uiommu_hwpt *hwpt, const struct uiommu_area *a, uint64_t bytes)
{
	uint64_t unmapped;

	if (bytes)
		uiommu_unmap(hwpt->dom, a->r.start, bytes, &unmapped);
}

static int fill(struct uiommu_hwpt *hwpt, const struct uiommu_area *a)
{
	struct uiommu_pages_cursor c = { .pages = a->pages };
	const uint64_t limit = hwpt->ioas->iopt.small_pages ? PAGE : UINT64_MAX;
	uint64_t done = 0, run, mapped;
	uiommu_pa_t pa;
	int ret;

	while (done < area_bytes(a)) {
		pa = uiommu_pages_at(&c, a->off + done, &run);
		run = min64(min64(run, limit), area_bytes(a) - done);
		ret = uiommu_map(hwpt->dom, a->r.start + done, pa, run, a->prot, &mapped);
		if (ret) {
			unfill(hwpt, a, done + mapped);
			return ret;
		}
		done += run;
	}
	return 0;
}

/* Pins the area and maps it everywhere; nothing to do without a page table. */
static int install(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, struct uiommu_area *a)
{
	struct uiommu_hwpt *h, *undo;
	int ret;

	if (!iopt->hwpts)
		return 0;
	ret = hold_area(ctx, a);
	if (ret)
		return ret;
	for (h = iopt->hwpts; h; h = h->next) {
		ret = fill(h, a);
		if (ret)
			break;
	}
	if (!ret)
		return 0;
	for (undo = iopt->hwpts; undo != h; undo = undo->next)
		unfill(undo, a, area_bytes(a));
	uiommu_pages_drop(ctx, a->pages, a->off, area_bytes(a));
	return ret;
}

static void uninstall(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
		      struct uiommu_area *a)
{
	if (!iopt->hwpts)
		return;
	for (struct uiommu_hwpt *h = iopt->hwpts; h; h = h->next)
		unfill(h, a, area_bytes(a));
	uiommu_pages_drop(ctx, a->pages, a->off, area_bytes(a));
}

static int check_area(const struct uiommu_iopt *iopt, const struct uiommu_area *a)
{
	if ((a->prot & UIOMMU_PROT_WRITE) && !a->pages->writable)
		return -UIOMMU_EPERM;
	if ((a->off % PAGE) & (iopt->alignment - 1))
		return -UIOMMU_EINVAL;
	return 0;
}

int uiommu_iopt_add_areas(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			  struct uiommu_area *list)
{
	struct uiommu_area *a, *undo;
	int ret = 0;

	for (a = list; a; a = a->next) {
		ret = check_area(iopt, a);
		if (ret)
			return ret;
	}
	for (a = list; a; a = a->next) {
		ret = install(ctx, iopt, a);
		if (ret)
			break;
		uiommu_ranges_insert(&iopt->areas, &a->r);
	}
	if (!ret)
		return 0;
	for (undo = list; undo != a; undo = undo->next) {
		uninstall(ctx, iopt, undo);
		uiommu_ranges_remove(&iopt->areas, &undo->r);
	}
	return ret;
}

void uiommu_iopt_free_areas(struct uiommu_iommufd *ctx, struct uiommu_area *list)
{
	struct uiommu_area *next;

	for (; list; list = next) {
		next = list->next;
		uiommu_pages_put(ctx, list->pages);
		uiommu_iommufd_free(ctx, list, sizeof(*list));
	}
}

static void remove_area(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			struct uiommu_area *a)
{
	uninstall(ctx, iopt, a);
	uiommu_ranges_remove(&iopt->areas, &a->r);
	freed(iopt, a->r.start);
	a->next = NULL;
	uiommu_iopt_free_areas(ctx, a);
}

uint64_t uiommu_iopt_mapped(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last)
{
	const struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, start, last);
	uint64_t bytes = 0;

	for (; r && r->start <= last; r = uiommu_ranges_next(&iopt->areas, r))
		bytes += min64(r->last, last) - (r->start > start ? r->start : start) + 1;
	return bytes;
}

static int check_locks(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, start, last);

	for (; r && r->start <= last; r = uiommu_ranges_next(&iopt->areas, r))
		if (to_area(r)->locks)
			return -UIOMMU_EBUSY;
	return 0;
}

int uiommu_iopt_check_unmap(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, start, last);

	for (; r && r->start <= last; r = uiommu_ranges_next(&iopt->areas, r)) {
		if (to_area(r)->locks)
			return -UIOMMU_EBUSY;
		if (r->start < start || r->last > last)
			return -UIOMMU_ENOENT;
	}
	return 0;
}

void uiommu_iopt_unmap(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
		       uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, start, last), *next;

	for (; r && r->start <= last; r = next) {
		next = uiommu_ranges_next(&iopt->areas, r);
		remove_area(ctx, iopt, to_area(r));
	}
}

/* ---- locks ---- */

/* Walks the area's part of [start, last]. *@pa: where the first byte is, or ought to be if
 * something came before it. Out: where the one behind it ought to be. */
static bool in_one_piece(const struct uiommu_area *a, uint64_t start, uint64_t last,
			 uiommu_pa_t *pa, bool first)
{
	struct uiommu_pages_cursor c = { .pages = a->pages };
	uint64_t at = start > a->r.start ? start : a->r.start, run, left;
	uiommu_pa_t here;

	for (left = min64(last, a->r.last) - at + 1; left; left -= run, at += run) {
		here = uiommu_pages_at(&c, a->off + (at - a->r.start), &run);
		run = min64(run, left);
		if (!first && here != *pa)
			return false;
		first = false;
		*pa = here + run;
	}
	return true;
}

int uiommu_iopt_lock(struct uiommu_iopt *iopt, uint64_t start, uint64_t last, uiommu_pa_t *base)
{
	uiommu_pa_t pa = 0;
	uint64_t at = start;

	for (;;) {
		struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, at, at);
		int ret = !r ? -UIOMMU_ENOENT : 0;

		if (!ret && !in_one_piece(to_area(r), start, last, &pa, at == start))
			ret = -UIOMMU_EFAULT;
		if (ret) {
			if (at != start)
				uiommu_iopt_unlock(iopt, start, at - 1);
			return ret;
		}
		to_area(r)->locks++;
		if (r->last >= last)
			break;
		at = r->last + 1;
	}
	*base = pa - (last - start + 1);
	return 0;
}

void uiommu_iopt_unlock(struct uiommu_iopt *iopt, uint64_t start, uint64_t last)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, start, last);

	for (; r && r->start <= last; r = uiommu_ranges_next(&iopt->areas, r))
		to_area(r)->locks--;
}

/* ---- page tables come and go ---- */

static uint64_t granule(const struct uiommu_hwpt *hwpt)
{
	return lowest_bit(hwpt->info.pgsizes);
}

static int check_alignment(const struct uiommu_iopt *iopt, uint64_t alignment)
{
	struct uiommu_range *r;

	for (r = first_area(iopt); r; r = uiommu_ranges_next(&iopt->areas, r)) {
		const struct uiommu_area *a = to_area(r);

		if ((r->start | area_bytes(a) | a->off % PAGE) & (alignment - 1))
			return -UIOMMU_EADDRINUSE;
	}
	return 0;
}

static int update_alignment(struct uiommu_iopt *iopt)
{
	uint64_t alignment = iopt->small_pages ? PAGE : 1;
	int ret = 0;

	for (struct uiommu_hwpt *h = iopt->hwpts; h; h = h->next)
		if (granule(h) > alignment)
			alignment = granule(h);
	if (alignment > iopt->alignment)
		ret = check_alignment(iopt, alignment);
	if (!ret)
		iopt->alignment = alignment;
	return ret;
}

static int reserve_outside(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			   const struct uiommu_domain_info *info)
{
	int ret = 0;

	if (info->aperture_start)
		ret = uiommu_iopt_reserve(ctx, iopt, 0, info->aperture_start - 1);
	if (ret || info->aperture_last == UINT64_MAX)
		return ret;
	ret = uiommu_iopt_reserve(ctx, iopt, info->aperture_last + 1, UINT64_MAX);
	if (ret && info->aperture_start)
		uiommu_iopt_unreserve(ctx, iopt, 0, info->aperture_start - 1);
	return ret;
}

static void unreserve_outside(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			      const struct uiommu_domain_info *info)
{
	if (info->aperture_start)
		uiommu_iopt_unreserve(ctx, iopt, 0, info->aperture_start - 1);
	if (info->aperture_last != UINT64_MAX)
		uiommu_iopt_unreserve(ctx, iopt, info->aperture_last + 1, UINT64_MAX);
}

/* Takes the areas below @end (NULL: all) out of a page table again. */
static void empty_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
		       struct uiommu_hwpt *hwpt, bool drop, const struct uiommu_range *end)
{
	for (struct uiommu_range *r = first_area(iopt); r != end;
	     r = uiommu_ranges_next(&iopt->areas, r)) {
		struct uiommu_area *a = to_area(r);

		unfill(hwpt, a, area_bytes(a));
		if (drop)
			uiommu_pages_drop(ctx, a->pages, a->off, area_bytes(a));
	}
}

/* The first page table of an address space also pins everything in it. */
static int fill_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
		     struct uiommu_hwpt *hwpt)
{
	const bool hold = !iopt->hwpts;
	struct uiommu_range *r;
	int ret = 0;

	for (r = first_area(iopt); r; r = uiommu_ranges_next(&iopt->areas, r)) {
		struct uiommu_area *a = to_area(r);

		if (hold)
			ret = hold_area(ctx, a);
		if (ret)
			break;
		ret = fill(hwpt, a);
		if (!ret)
			continue;
		if (hold)
			uiommu_pages_drop(ctx, a->pages, a->off, area_bytes(a));
		break;
	}
	if (ret)
		empty_hwpt(ctx, iopt, hwpt, hold, r);
	return ret;
}

int uiommu_iopt_add_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			 struct uiommu_hwpt *hwpt)
{
	struct uiommu_hwpt **link = &iopt->hwpts;
	int ret;

	if (granule(hwpt) > PAGE)
		return -UIOMMU_EINVAL;
	if (granule(hwpt) > iopt->alignment) {
		ret = check_alignment(iopt, granule(hwpt));
		if (ret)
			return ret;
	}
	ret = reserve_outside(ctx, iopt, &hwpt->info);
	if (ret)
		return ret;
	ret = fill_hwpt(ctx, iopt, hwpt);
	if (ret) {
		unreserve_outside(ctx, iopt, &hwpt->info);
		return ret;
	}
	while (*link)
		link = &(*link)->next;
	*link = hwpt;
	hwpt->next = NULL;
	return update_alignment(iopt);	/* checked above: cannot fail */
}

void uiommu_iopt_remove_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			     struct uiommu_hwpt *hwpt)
{
	struct uiommu_hwpt **link = &iopt->hwpts;

	while (*link != hwpt)
		link = &(*link)->next;
	*link = hwpt->next;
	empty_hwpt(ctx, iopt, hwpt, !iopt->hwpts, NULL);
	unreserve_outside(ctx, iopt, &hwpt->info);
	update_alignment(iopt);		/* it only gets smaller */
}

int uiommu_iopt_set_small_pages(struct uiommu_iopt *iopt, bool small)
{
	int ret;

	if (small == iopt->small_pages)
		return 0;
	if (small && iopt->hwpts && iopt->areas.root)
		return -UIOMMU_EINVAL;
	iopt->small_pages = small;
	ret = update_alignment(iopt);
	if (ret)
		iopt->small_pages = !small;
	return ret;
}

/* ---- cuts ---- */

/* What @iova would be the last address of a part of; NULL: nothing is to be cut there. */
static struct uiommu_area *area_to_cut(const struct uiommu_iopt *iopt, uint64_t iova)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&iopt->areas, iova, iova);

	return r && iova != r->last ? to_area(r) : NULL;
}

/* Looks whether @iova can be cut at, and gets what that takes; none is fine. */
static int prepare(struct uiommu_iommufd *ctx, const struct uiommu_iopt *iopt, uint64_t iova,
		   struct uiommu_area **right)
{
	const struct uiommu_area *a = area_to_cut(iopt, iova);

	*right = NULL;
	if (!a)
		return 0;
	if (a->locks ||
	    ((iova + 1) | (a->off + (iova + 1 - a->r.start))) & (iopt->alignment - 1))
		return -UIOMMU_EINVAL;
	*right = uiommu_iommufd_alloc(ctx, sizeof(**right));
	return *right ? 0 : -UIOMMU_ENOMEM;
}

void uiommu_iopt_forget_cut(struct uiommu_iommufd *ctx, const struct uiommu_cut *cut)
{
	if (cut->inner)
		uiommu_iommufd_free(ctx, cut->inner, sizeof(*cut->inner));
	if (cut->outer)
		uiommu_iommufd_free(ctx, cut->outer, sizeof(*cut->outer));
}

int uiommu_iopt_prepare_cut(struct uiommu_iommufd *ctx, const struct uiommu_iopt *iopt,
			    struct uiommu_cut *cut)
{
	int ret = prepare(ctx, iopt, cut->last, &cut->outer);

	cut->inner = NULL;
	if (!ret && cut->start)
		ret = prepare(ctx, iopt, cut->start - 1, &cut->inner);
	if (!ret)
		ret = check_locks(iopt, cut->start, cut->last);
	if (ret)
		uiommu_iopt_forget_cut(ctx, cut);
	return ret;
}

/* Both parts hold the pieces that they touch before the whole lets go of them:
 * all are pinned already, so nothing is allocated and nothing can fail. */
static void move_holds(struct uiommu_iommufd *ctx, struct uiommu_area *left,
		       struct uiommu_area *right)
{
	hold_area(ctx, left);
	hold_area(ctx, right);
	uiommu_pages_drop(ctx, left->pages, left->off, area_bytes(left) + area_bytes(right));
}

static void cut_at(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t iova,
		   struct uiommu_area *right)
{
	struct uiommu_area *left = area_to_cut(iopt, iova);

	*right = *left;
	right->pages->refs++;
	right->r.start = iova + 1;
	right->off += right->r.start - left->r.start;
	uiommu_ranges_remove(&iopt->areas, &left->r);
	left->r.last = iova;
	uiommu_ranges_insert(&iopt->areas, &left->r);
	uiommu_ranges_insert(&iopt->areas, &right->r);
	if (iopt->hwpts)
		move_holds(ctx, left, right);
}

void uiommu_iopt_cut(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
		     const struct uiommu_cut *cut)
{
	if (cut->outer)
		cut_at(ctx, iopt, cut->last, cut->outer);
	if (cut->inner)
		cut_at(ctx, iopt, cut->start - 1, cut->inner);
}
