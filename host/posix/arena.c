/* SPDX-License-Identifier: MIT */
/*
 * Table memory: one reservation of address space, so that the distance between
 * pointer and physical address is one constant. Pages come from buddies; blocks
 * smaller than a page from pages cut into equal cells. What describes a page is
 * beside the memory, not in it: freed memory holds nothing that we rely on.
 *
 * An address in here that is not allocated is not memory to hardware (an abort):
 * that is how a table that was freed too early shows.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "host/posix/internal.h"

#define RESERVE_MAX	(64ull << 30)
#define RESERVE_MIN	(256ull << 20)
#define BLOCK_BYTES	(1ull << ARENA_MAX_LG2)
#define BLOCK_PAGES	(BLOCK_BYTES / PAGE_BYTES)
/* From here on pages go back to the system when freed. */
#define GIVE_BACK_BYTES	(64ull << 10)

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)		((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n)	((void)(p), (void)(n))
#endif

static unsigned lg2(size_t bytes)
{
	return 63 - __builtin_clzll(bytes);
}

static void *reserve(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* A reservation aligned to the largest block. */
static char *reserve_aligned(uint64_t bytes)
{
	char *p = reserve(bytes + BLOCK_BYTES), *base;

	if (!p)
		return NULL;
	base = (char *)(((uintptr_t)p + BLOCK_BYTES - 1) & ~(uintptr_t)(BLOCK_BYTES - 1));
	if (base > p)
		munmap(p, base - p);
	munmap(base + bytes, p + BLOCK_BYTES - base);
	madvise(base, bytes, MADV_DONTDUMP);
	return base;
}

int uiommu_arena_init(struct arena *a)
{
	uint64_t bytes = RESERVE_MAX;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	bytes >>= 4;	/* the sanitizers' own bookkeeping is proportional to it */
#endif
	memset(a, 0, sizeof(*a));
	while (bytes >= RESERVE_MIN && !(a->base = reserve_aligned(bytes)))
		bytes >>= 1;
	if (!a->base)
		return -UIOMMU_ENOMEM;
	a->bytes = bytes;
	a->pages = reserve(bytes / PAGE_BYTES * sizeof(*a->pages));
	if (!a->pages) {
		munmap(a->base, bytes);
		return -UIOMMU_ENOMEM;
	}
	pthread_mutex_init(&a->lock, NULL);
	return 0;
}

void uiommu_arena_fini(struct arena *a)
{
	ASAN_UNPOISON_MEMORY_REGION(a->base, a->fresh * PAGE_BYTES);
	munmap(a->pages, a->bytes / PAGE_BYTES * sizeof(*a->pages));
	munmap(a->base, a->bytes);
	pthread_mutex_destroy(&a->lock);
}

/* ---- lists of pages: free blocks, slabs with room ---- */

static void list_add(struct arena *a, uint32_t *head, uint32_t i)
{
	struct arena_page *pg = &a->pages[i];

	pg->next = *head;
	pg->prev = 0;
	if (*head)
		a->pages[*head - 1].prev = i + 1;
	*head = i + 1;
	pg->listed = true;
}

static void list_del(struct arena *a, uint32_t *head, uint32_t i)
{
	struct arena_page *pg = &a->pages[i];

	if (pg->prev)
		a->pages[pg->prev - 1].next = pg->next;
	else
		*head = pg->next;
	if (pg->next)
		a->pages[pg->next - 1].prev = pg->prev;
	pg->listed = false;
}

static void set_kind(struct arena_page *pg, enum page_kind kind)
{
	atomic_store_explicit(&pg->kind, kind, memory_order_release);
}

/* ---- pages: buddies ---- */

static void free_block(struct arena *a, uint32_t i, unsigned order)
{
	a->pages[i].lg2 = order + PAGE_LG2;
	list_add(a, &a->free[order], i);
}

/* A block of the largest size that was never used. */
static bool grow(struct arena *a)
{
	uint32_t i = a->fresh;

	if ((a->fresh + BLOCK_PAGES) * PAGE_BYTES > a->bytes)
		return false;
	a->fresh += BLOCK_PAGES;
	ASAN_POISON_MEMORY_REGION(a->base + i * PAGE_BYTES, BLOCK_BYTES);
	free_block(a, i, ARENA_ORDERS - 1);
	return true;
}

/* Index of a block of 2^order pages, or -1. */
static int64_t take_pages(struct arena *a, unsigned order)
{
	unsigned o = order;
	uint32_t i;

	while (o < ARENA_ORDERS && !a->free[o])
		o++;
	if (o == ARENA_ORDERS) {
		if (!grow(a))
			return -1;
		o = ARENA_ORDERS - 1;
	}
	i = a->free[o] - 1;
	list_del(a, &a->free[o], i);
	while (o-- > order)
		free_block(a, i + (1u << o), o);
	a->pages[i].lg2 = order + PAGE_LG2;
	return i;
}

static void give_pages(struct arena *a, uint32_t i, unsigned order)
{
	for (; order < ARENA_ORDERS - 1; order++) {
		uint32_t buddy = i ^ (1u << order);
		struct arena_page *b = &a->pages[buddy];

		if (b->kind != PAGE_FREE || !b->listed || b->lg2 != order + PAGE_LG2)
			break;
		list_del(a, &a->free[order], buddy);
		i &= ~(1u << order);
	}
	free_block(a, i, order);
}

static void *alloc_pages(struct arena *a, size_t bytes)
{
	unsigned order = lg2(bytes) - PAGE_LG2;
	int64_t i = take_pages(a, order);

	if (i < 0)
		return NULL;
	set_kind(&a->pages[i], PAGE_BLOCK);
	for (uint32_t k = 1; k < 1u << order; k++)
		set_kind(&a->pages[i + k], PAGE_BLOCK_TAIL);
	return a->base + i * PAGE_BYTES;
}

static void free_pages(struct arena *a, uint32_t i, unsigned order)
{
	for (uint32_t k = 0; k < 1u << order; k++)
		set_kind(&a->pages[i + k], PAGE_FREE);
	give_pages(a, i, order);
}

/* ---- cells of less than a page ---- */

static uint64_t cell_mask(unsigned cell_lg2, unsigned off)
{
	unsigned n = 1u << (cell_lg2 - ARENA_MIN_LG2);

	return ((1ull << n) - 1) << (off >> ARENA_MIN_LG2);
}

static int64_t new_slab(struct arena *a, unsigned cell_lg2)
{
	int64_t i = take_pages(a, 0);

	if (i < 0)
		return -1;
	a->pages[i].lg2 = cell_lg2;
	a->pages[i].used = 0;
	set_kind(&a->pages[i], PAGE_SLAB);
	list_add(a, &a->slabs[cell_lg2 - ARENA_MIN_LG2], i);
	return i;
}

static void *alloc_cell(struct arena *a, size_t bytes)
{
	unsigned l = lg2(bytes), off = 0;
	uint32_t *head = &a->slabs[l - ARENA_MIN_LG2];
	int64_t i = *head ? (int64_t)*head - 1 : new_slab(a, l);
	struct arena_page *pg;

	if (i < 0)
		return NULL;
	pg = &a->pages[i];
	while (pg->used & cell_mask(l, off))
		off += bytes;
	pg->used |= cell_mask(l, off);
	if (pg->used == UINT64_MAX)
		list_del(a, head, i);
	return a->base + i * PAGE_BYTES + off;
}

static bool free_cell(struct arena *a, uint32_t i, unsigned off, size_t bytes)
{
	struct arena_page *pg = &a->pages[i];
	unsigned l = lg2(bytes);
	uint32_t *head = &a->slabs[l - ARENA_MIN_LG2];

	if (pg->kind != PAGE_SLAB || pg->lg2 != l || off & (bytes - 1) ||
	    (pg->used & cell_mask(l, off)) != cell_mask(l, off))
		return false;
	pg->used &= ~cell_mask(l, off);
	if (!pg->listed)
		list_add(a, head, i);
	if (!pg->used) {
		list_del(a, head, i);
		free_pages(a, i, 0);
	}
	return true;
}

/* ---- both ---- */

static bool size_ok(size_t bytes)
{
	return bytes >= 1u << ARENA_MIN_LG2 && bytes <= BLOCK_BYTES && !(bytes & (bytes - 1));
}

/* Word by word and atomic: hardware that still looks at it is a bug to be
 * found by what it reads, not a data race of ours. */
static void fill(void *p, uint64_t word, size_t bytes)
{
	uint64_t *w = p;

	for (size_t i = 0; i < bytes / 8; i++)
		__atomic_store_n(&w[i], word, __ATOMIC_RELAXED);
}

static void clear(void *p, size_t bytes)
{
	ASAN_UNPOISON_MEMORY_REGION(p, bytes);
	if (bytes < GIVE_BACK_BYTES)
		fill(p, 0, bytes);
	else
		madvise(p, bytes, MADV_DONTNEED);
}

static void spoil(void *p, size_t bytes)
{
	if (bytes < GIVE_BACK_BYTES)
		fill(p, 0xdeadf9eedeadf9eeull, bytes);
	else
		madvise(p, bytes, MADV_DONTNEED);
	ASAN_POISON_MEMORY_REGION(p, bytes);
}

void *uiommu_arena_alloc(struct arena *a, size_t bytes)
{
	void *p;

	if (!size_ok(bytes))
		return NULL;
	pthread_mutex_lock(&a->lock);
	p = bytes < PAGE_BYTES ? alloc_cell(a, bytes) : alloc_pages(a, bytes);
	if (p) {
		clear(p, bytes);
		a->live_blocks++;
		a->live_bytes += bytes;
	}
	pthread_mutex_unlock(&a->lock);
	return p;
}

static bool is_block(struct arena *a, uint32_t i, unsigned off, size_t bytes)
{
	return !off && a->pages[i].kind == PAGE_BLOCK && a->pages[i].lg2 == lg2(bytes);
}

bool uiommu_arena_free(struct arena *a, void *p, size_t bytes)
{
	uint64_t off = (char *)p - a->base;
	uint32_t i = off / PAGE_BYTES;
	bool ok = false;

	if (!size_ok(bytes) || off >= a->bytes)
		return false;
	pthread_mutex_lock(&a->lock);
	if (bytes < PAGE_BYTES)
		ok = free_cell(a, i, off % PAGE_BYTES, bytes);
	else if ((ok = is_block(a, i, off % PAGE_BYTES, bytes)))
		free_pages(a, i, lg2(bytes) - PAGE_LG2);
	if (ok) {
		spoil(p, bytes);
		a->live_blocks--;
		a->live_bytes -= bytes;
	}
	pthread_mutex_unlock(&a->lock);
	return ok;
}

static bool byte_live(const struct arena *a, uint64_t off)
{
	struct arena_page *pg = &a->pages[off / PAGE_BYTES];

	switch (atomic_load_explicit(&pg->kind, memory_order_acquire)) {
	case PAGE_FREE:
		return false;
	case PAGE_SLAB:
		return atomic_load_explicit(&pg->used, memory_order_acquire) >>
		       (off % PAGE_BYTES >> ARENA_MIN_LG2) & 1;
	default:
		return true;
	}
}

bool uiommu_arena_live(const struct arena *a, uint64_t off, uint64_t bytes)
{
	return byte_live(a, off) && byte_live(a, off + bytes - 1);
}
