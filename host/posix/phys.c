/* SPDX-License-Identifier: MIT */
/*
 * Which physical address is what. Table memory is recognised by its address; all
 * else is a range in a radix tree of three levels, 1 GiB, 2 MiB and 4 KiB, whose
 * entries name the range or a lower level. Accesses walk it without a lock, as
 * readers; one that calls out first counts itself into the range, so that a slow
 * call keeps nobody waiting but who removes that very range.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/posix/internal.h"

#define PA_BITS		48
#define TOP_LG2		30
#define NODE_LG2	9
#define TOP_ENTRIES	(1ull << (PA_BITS - TOP_LG2))
#define GIB		(1ull << 30)

/* An entry is NULL, a range, or (bit 0 set) the node below. */
struct pnode {
	struct uiommu_retire retire;
	unsigned used;				/* (m) entries that are not NULL */
	struct pnode *_Atomic e[1 << NODE_LG2];	/* (a) */
};

static struct pnode *tag(struct pnode *n)
{
	return (struct pnode *)((uintptr_t)n | 1);
}

static struct pnode *node_of(struct pnode *e)
{
	return (uintptr_t)e & 1 ? (struct pnode *)((uintptr_t)e & ~(uintptr_t)1) : NULL;
}

static unsigned slot(uiommu_pa_t pa, unsigned lg2)
{
	return pa >> lg2 & ((1 << NODE_LG2) - 1);
}

static struct pnode *load(struct pnode *_Atomic *e)
{
	return atomic_load_explicit(e, memory_order_acquire);
}

static void store(struct pnode *_Atomic *e, struct pnode *v)
{
	atomic_store_explicit(e, v, memory_order_release);
}

int uiommu_phys_init(struct phys *ph)
{
	void *top = mmap(NULL, TOP_ENTRIES * sizeof(*ph->top), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (top == MAP_FAILED)
		return -UIOMMU_ENOMEM;
	ph->top = top;
	ph->cursor = UIOMMU_POSIX_FRAMES_PA;
	pthread_mutex_init(&ph->lock, NULL);
	return 0;
}

/* ---- the tree ---- */

/* The range at @pa, or NULL. Under the lock, or as a reader. */
static struct range *find(struct phys *ph, uiommu_pa_t pa)
{
	struct pnode *e, *n;
	unsigned lg2 = TOP_LG2;

	if (pa >> PA_BITS)
		return NULL;
	e = load(&ph->top[pa >> TOP_LG2]);
	while ((n = node_of(e))) {
		lg2 -= NODE_LG2;
		e = load(&n->e[slot(pa, lg2)]);
	}
	return (struct range *)e;
}

static void node_free(struct uiommu_retire *self)
{
	free(self);
}

/* The entry for @pa whose size is 2^@lg2, making the nodes on the way. */
static struct pnode *_Atomic *make_entry(struct phys *ph, uiommu_pa_t pa, unsigned lg2)
{
	struct pnode *_Atomic *e = &ph->top[pa >> TOP_LG2];
	unsigned *used = NULL;

	for (unsigned l = TOP_LG2; l > lg2; ) {
		struct pnode *n = node_of(load(e));

		if (!n) {
			n = calloc(1, sizeof(*n));
			if (!n)
				return NULL;
			n->retire.fn = node_free;
			store(e, tag(n));
			if (used)
				++*used;
		}
		l -= NODE_LG2;
		used = &n->used;
		e = &n->e[slot(pa, l)];
	}
	if (used && !load(e))
		++*used;
	return e;
}

/* Takes the entry for @pa out, and every node that this leaves empty. */
static void drop_entry(struct uiommu_posix *p, uiommu_pa_t pa, unsigned lg2)
{
	struct pnode *_Atomic *path[3] = { &p->phys.top[pa >> TOP_LG2] };
	struct pnode *n[3] = { NULL };
	unsigned depth = 0;

	for (unsigned l = TOP_LG2; l > lg2; depth++) {
		l -= NODE_LG2;
		n[depth + 1] = node_of(load(path[depth]));
		path[depth + 1] = &n[depth + 1]->e[slot(pa, l)];
	}
	store(path[depth], NULL);
	for (; depth && !--n[depth]->used; depth--) {
		store(path[depth - 1], NULL);
		uiommu_reclaim_retire(&p->reclaim, &n[depth]->retire);
	}
}

/* The largest entry that starts at @pa and does not go beyond @end. */
static unsigned entry_lg2(uiommu_pa_t pa, uiommu_pa_t end)
{
	for (unsigned lg2 = TOP_LG2; lg2 > PAGE_LG2; lg2 -= NODE_LG2)
		if (!(pa & ((1ull << lg2) - 1)) && end - pa >= 1ull << lg2)
			return lg2;
	return PAGE_LG2;
}

static void drop_entries(struct uiommu_posix *p, struct range *r, uiommu_pa_t upto)
{
	for (uiommu_pa_t pa = r->pa; pa < upto; ) {
		unsigned lg2 = entry_lg2(pa, r->pa + r->bytes);

		drop_entry(p, pa, lg2);
		pa += 1ull << lg2;
	}
}

static int make_entries(struct uiommu_posix *p, struct range *r)
{
	for (uiommu_pa_t pa = r->pa; pa < r->pa + r->bytes; ) {
		unsigned lg2 = entry_lg2(pa, r->pa + r->bytes);
		struct pnode *_Atomic *e = make_entry(&p->phys, pa, lg2);

		if (!e) {
			p->phys.stray = true;
			drop_entries(p, r, pa);
			return -UIOMMU_ENOMEM;
		}
		store(e, (struct pnode *)r);
		pa += 1ull << lg2;
	}
	return 0;
}

/* First range that touches [pa, pa + bytes), or NULL. Ranges that are larger
 * than what is skipped here are met at their entries. */
static struct range *occupant(struct phys *ph, uiommu_pa_t pa, uint64_t bytes)
{
	uiommu_pa_t end = pa + bytes;

	while (pa < end) {
		struct pnode *e = load(&ph->top[pa >> TOP_LG2]), *n;
		unsigned lg2 = TOP_LG2;

		while ((n = node_of(e))) {
			lg2 -= NODE_LG2;
			e = load(&n->e[slot(pa, lg2)]);
		}
		if (e)
			return (struct range *)e;
		pa = ((pa >> lg2) + 1) << lg2;
	}
	return NULL;
}

/* ---- ranges ---- */

static int publish(struct uiommu_posix *p, struct range *r)
{
	int ret = make_entries(p, r);

	if (ret)
		return ret;
	r->next = p->phys.ranges;
	if (r->next)
		r->next->prev = r;
	p->phys.ranges = r;
	return 0;
}

static void unpublish(struct uiommu_posix *p, struct range *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		p->phys.ranges = r->next;
	if (r->next)
		r->next->prev = r->prev;
	drop_entries(p, r, r->pa + r->bytes);
}

/* No new access can find it; waits for those that did. */
static void finish(struct uiommu_posix *p, struct range *r)
{
	uiommu_reclaim_wait(&p->reclaim);
	for (unsigned n = 0; atomic_load(&r->busy); n++)
		if (n < 100)
			sched_yield();
		else
			usleep(20);
	free(r);
}

static void remove_range(struct uiommu_posix *p, uiommu_pa_t pa)
{
	struct range *r;

	pthread_mutex_lock(&p->phys.lock);
	r = find(&p->phys, pa);
	if (r && r->pa == pa)
		unpublish(p, r);
	else
		r = NULL;
	pthread_mutex_unlock(&p->phys.lock);
	if (r)
		finish(p, r);
}

static bool overlaps_table(const struct uiommu_posix *p, uiommu_pa_t pa, uint64_t bytes)
{
	return pa < UIOMMU_POSIX_TABLE_PA + p->arena.bytes && pa + bytes > UIOMMU_POSIX_TABLE_PA;
}

static struct range *new_range(uint64_t bytes, void *ctx)
{
	struct range *r = calloc(1, sizeof(*r));

	if (r) {
		r->bytes = bytes;
		r->ctx = ctx;
	}
	return r;
}

int uiommu_posix_add_mmio(struct uiommu_posix *p, uiommu_pa_t pa, uint64_t bytes,
			  const struct uiommu_mmio_ops *ops, void *ctx)
{
	struct range *r;
	int ret;

	if ((pa | bytes) & (PAGE_BYTES - 1) || !bytes || bytes > 1ull << PA_BITS ||
	    pa > (1ull << PA_BITS) - bytes)
		return -UIOMMU_EINVAL;
	if (overlaps_table(p, pa, bytes))
		return -UIOMMU_EBUSY;
	r = new_range(bytes, ctx);
	if (!r)
		return -UIOMMU_ENOMEM;
	r->pa = pa;
	r->mmio = ops;
	pthread_mutex_lock(&p->phys.lock);
	ret = occupant(&p->phys, pa, bytes) ? -UIOMMU_EBUSY : publish(p, r);
	pthread_mutex_unlock(&p->phys.lock);
	if (ret)
		free(r);
	return ret;
}

void uiommu_posix_remove_mmio(struct uiommu_posix *p, uiommu_pa_t pa)
{
	remove_range(p, pa);
}

static uiommu_pa_t align_like(uiommu_pa_t pa, uint64_t want, uint64_t congruent)
{
	return pa + ((want - pa) & (congruent - 1));
}

/* Upwards from @from: the first place up to @end where nothing is. */
static uiommu_pa_t search(struct phys *ph, uiommu_pa_t from, uiommu_pa_t end, uint64_t bytes,
			  uint64_t want, uint64_t congruent)
{
	uiommu_pa_t pa = align_like(from, want, congruent);

	while (pa < end && end - pa >= bytes) {
		struct range *r = occupant(ph, pa, bytes);

		if (!r)
			return pa;
		pa = align_like(r->pa + r->bytes, want, congruent);
	}
	return 0;
}

/* Addresses go round, so that a stale one keeps aborting for as long as possible. */
static int place(struct uiommu_posix *p, struct range *r, uint64_t want, uint64_t congruent)
{
	struct phys *ph = &p->phys;
	int ret;

	r->pa = search(ph, ph->cursor, UIOMMU_POSIX_PA_END, r->bytes, want, congruent);
	if (!r->pa)
		r->pa = search(ph, UIOMMU_POSIX_FRAMES_PA, UIOMMU_POSIX_PA_END, r->bytes, want,
			       congruent);
	if (!r->pa)
		return -UIOMMU_ENOSPC;
	ret = publish(p, r);
	if (!ret)
		ph->cursor = r->pa + r->bytes;
	return ret;
}

static int add_range(struct uiommu_posix *p, struct range *r, uint64_t want, uint64_t congruent,
		     uiommu_pa_t *pa)
{
	int ret;

	if (!r)
		return -UIOMMU_ENOMEM;
	pthread_mutex_lock(&p->phys.lock);
	ret = place(p, r, want, congruent);
	if (!ret)
		*pa = r->pa;
	pthread_mutex_unlock(&p->phys.lock);
	if (ret)
		free(r);
	return ret;
}

static bool frames_ok(uint64_t bytes, uint64_t want, uint64_t congruent)
{
	return bytes && bytes < UIOMMU_POSIX_PA_END &&
	       !((bytes | want | congruent) & (PAGE_BYTES - 1)) &&
	       congruent && congruent <= GIB && !(congruent & (congruent - 1));
}

int uiommu_posix_add_frames(struct uiommu_posix *p, uint64_t bytes, uint64_t want,
			    uint64_t congruent, const struct uiommu_posix_frames_ops *ops,
			    void *ctx, uiommu_pa_t *pa)
{
	struct range *r;

	if (!frames_ok(bytes, want, congruent))
		return -UIOMMU_EINVAL;
	r = new_range(bytes, ctx);
	if (r)
		r->frames = ops;
	return add_range(p, r, want, congruent, pa);
}

void uiommu_posix_remove_frames(struct uiommu_posix *p, uiommu_pa_t pa)
{
	remove_range(p, pa);
}

int uiommu_posix_pin_self(struct uiommu_posix *p, void *va, uint64_t len, uiommu_pa_t *pa)
{
	uint64_t congruent = len >= GIB ? GIB : len >= 2ull << 20 ? 2ull << 20 : PAGE_BYTES;
	struct range *r;

	if (!frames_ok(len, (uintptr_t)va, congruent))
		return -UIOMMU_EINVAL;
	r = new_range(len, NULL);
	if (r)
		r->direct = va;
	return add_range(p, r, (uintptr_t)va, congruent, pa);
}

int uiommu_posix_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	struct uiommu_posix *p = ctx;
	struct range *r;
	int ret = -UIOMMU_ENODEV;

	pthread_mutex_lock(&p->phys.lock);
	r = find(&p->phys, pa);
	if (r && r->mmio && r->pa == pa && bytes <= r->bytes) {
		*out = (struct uiommu_mmio){ .ops = r->mmio, .ctx = r->ctx, .bytes = bytes };
		ret = 0;
	}
	pthread_mutex_unlock(&p->phys.lock);
	return ret;
}

/* Nodes that a failed add left empty. */
static void free_stray(struct phys *ph)
{
	for (uint64_t i = 0; i < TOP_ENTRIES; i++) {
		struct pnode *n = node_of(ph->top[i]);

		for (unsigned k = 0; n && k < 1 << NODE_LG2; k++)
			free(node_of(n->e[k]));
		free(n);
	}
}

void uiommu_phys_fini(struct uiommu_posix *p)
{
	struct phys *ph = &p->phys;
	unsigned windows = 0, frames = 0;

	while (ph->ranges) {
		struct range *r = ph->ranges;

		r->mmio ? windows++ : frames++;
		unpublish(p, r);
		finish(p, r);
	}
	if (windows || frames)
		uiommu_posix_log(p, UIOMMU_LOG_WARN, "%u register windows and %u ranges of frames "
			  "were not removed", windows, frames);
	if (ph->stray)
		free_stray(ph);
	munmap(ph->top, TOP_ENTRIES * sizeof(*ph->top));
	pthread_mutex_destroy(&ph->lock);
}

/* ---- accesses ---- */

/* Copies towards @buf, or from it, in single accesses as wide as both the
 * address and what is left allow. */
#define COPY_ATOMIC(type, mem, buf, write) do {						\
	type v;										\
	if (write) {									\
		memcpy(&v, buf, sizeof(v));						\
		__atomic_store_n((type *)(mem), v, __ATOMIC_RELEASE);			\
	} else {									\
		v = __atomic_load_n((const type *)(mem), __ATOMIC_ACQUIRE);		\
		memcpy(buf, &v, sizeof(v));						\
	}										\
} while (0)

static size_t copy_step(char *mem, char *buf, size_t bytes, bool write)
{
	uintptr_t a = (uintptr_t)mem;

	if (bytes >= 8 && !(a & 7)) {
		COPY_ATOMIC(uint64_t, mem, buf, write);
		return 8;
	}
	if (bytes >= 4 && !(a & 3)) {
		COPY_ATOMIC(uint32_t, mem, buf, write);
		return 4;
	}
	if (bytes >= 2 && !(a & 1)) {
		COPY_ATOMIC(uint16_t, mem, buf, write);
		return 2;
	}
	COPY_ATOMIC(uint8_t, mem, buf, write);
	return 1;
}

static void copy_memory(char *mem, char *buf, size_t bytes, bool write)
{
	while (bytes) {
		size_t n = copy_step(mem, buf, bytes, write);

		mem += n;
		buf += n;
		bytes -= n;
	}
}

static int access_table(struct uiommu_posix *p, uint64_t off, char *buf, size_t bytes, bool write)
{
	if (!uiommu_arena_live(&p->arena, off, bytes))
		return -UIOMMU_EFAULT;
	copy_memory(p->arena.base + off, buf, bytes, write);
	return 0;
}

static int mmio_read(struct range *r, uint64_t off, char *buf, size_t bytes)
{
	if (bytes == 4 && r->mmio->read32) {
		uint32_t v = r->mmio->read32(r->ctx, off);

		memcpy(buf, &v, 4);
		return 0;
	}
	if (bytes == 8 && r->mmio->read64) {
		uint64_t v = r->mmio->read64(r->ctx, off);

		memcpy(buf, &v, 8);
		return 0;
	}
	return -UIOMMU_EFAULT;
}

static int mmio_write(struct range *r, uint64_t off, const char *buf, size_t bytes)
{
	if (bytes == 4 && r->mmio->write32) {
		uint32_t v;

		memcpy(&v, buf, 4);
		r->mmio->write32(r->ctx, off, v);
		return 0;
	}
	if (bytes == 8 && r->mmio->write64) {
		uint64_t v;

		memcpy(&v, buf, 8);
		r->mmio->write64(r->ctx, off, v);
		return 0;
	}
	return -UIOMMU_EFAULT;
}

static int access_range(struct range *r, uint64_t off, char *buf, size_t bytes, bool write)
{
	if (r->direct) {
		copy_memory(r->direct + off, buf, bytes, write);
		return 0;
	}
	if (r->mmio) {
		if (off & (bytes - 1))
			return -UIOMMU_EFAULT;
		return write ? mmio_write(r, off, buf, bytes) : mmio_read(r, off, buf, bytes);
	}
	return write ? r->frames->write(r->ctx, off, buf, bytes)
		     : r->frames->read(r->ctx, off, buf, bytes);
}

/* The range at @pa, counted in; access_end() counts out. */
static struct range *access_begin(struct uiommu_posix *p, uiommu_pa_t pa)
{
	unsigned token = uiommu_reclaim_enter(&p->reclaim);
	struct range *r = find(&p->phys, pa);

	if (r)
		atomic_fetch_add(&r->busy, 1);
	uiommu_reclaim_leave(&p->reclaim, token);
	return r;
}

static void access_end(struct range *r)
{
	atomic_fetch_sub(&r->busy, 1);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Up to the end of the page or of the range; how much in *@done. */
static int access_some(struct uiommu_posix *p, uiommu_pa_t pa, char *buf, size_t bytes, bool write,
		       size_t *done)
{
	uint64_t off = pa - UIOMMU_POSIX_TABLE_PA;
	struct range *r;
	int ret;

	if (off < p->arena.bytes) {
		*done = least(bytes, PAGE_BYTES - pa % PAGE_BYTES);
		return access_table(p, off, buf, *done, write);
	}
	r = access_begin(p, pa);
	if (!r)
		return -UIOMMU_EFAULT;
	*done = least(bytes, r->pa + r->bytes - pa);
	ret = access_range(r, pa - r->pa, buf, *done, write);
	access_end(r);
	return ret ? -UIOMMU_EFAULT : 0;
}

static int access_all(struct uiommu_posix *p, uiommu_pa_t pa, char *buf, size_t bytes, bool write)
{
	while (bytes) {
		size_t done;
		int ret = access_some(p, pa, buf, bytes, write, &done);

		if (ret)
			return ret;
		pa += done;
		buf += done;
		bytes -= done;
	}
	return 0;
}

int uiommu_posix_pa_read(struct uiommu_posix *p, uiommu_pa_t pa, void *buf, size_t bytes)
{
	return access_all(p, pa, buf, bytes, false);
}

int uiommu_posix_pa_write(struct uiommu_posix *p, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	return access_all(p, pa, (char *)buf, bytes, true);
}
