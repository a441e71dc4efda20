/* SPDX-License-Identifier: MIT */
/*
 * Pins: pages of a program that devices reach, as frames of host/posix. Held by
 * the kernel through an io_uring (ring.c) where there is one, else by following
 * the process (hide.c).
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "server/internal.h"

#define PAGE	4096ull
#define GIB	(1ull << 30)

/* ---- memory that the program may only read ---- */

/*
 * The kernel registers buffers as for writing, and refuses memory that is not
 * writable, though a device that only reads may have it. So it is made writable
 * for that moment; what was private is the program's own copy from then on.
 */
struct unprotected {
	struct uiommu_as *as;
	unsigned n, room;
	struct {
		uint64_t va, len;
		int prot;
	} *v;
};

static int protect(struct uiommu_as *as, uint64_t va, uint64_t len, int prot)
{
	struct uiommu_rep up = { .op = UIOMMU_UP_PROTECT, .r = { 0, 0, va, len, prot } };

	return upcall(as, &up, NULL);
}

static int collect(void *ctx, uint64_t va, uint64_t len, int prot)
{
	struct unprotected *u = ctx;
	void *v;

	if (!(prot & PROT_READ))
		return -UIOMMU_EFAULT;
	if (prot & PROT_WRITE)
		return 0;
	if (u->n == u->room) {
		u->room = u->room ? 2 * u->room : 8;
		v = realloc(u->v, u->room * sizeof(*u->v));
		if (!v)
			return -UIOMMU_ENOMEM;
		u->v = v;
	}
	u->v[u->n].va = va;
	u->v[u->n].len = len;
	u->v[u->n++].prot = prot;
	return 0;
}

/* 0, or -ENOSYS: it cannot be made writable; *@done were. */
static int unprotect(struct unprotected *u, unsigned *done)
{
	for (*done = 0; *done < u->n; ++*done)
		if (protect(u->as, u->v[*done].va, u->v[*done].len,
			    u->v[*done].prot | PROT_WRITE))
			return -UIOMMU_ENOSYS;
	return 0;
}

static int pin_readonly(struct uiommu_as *as, uint64_t va, uint64_t len, struct ring **ring,
			unsigned *slot)
{
	struct unprotected u = { .as = as };
	unsigned done = 0;
	int ret = maps_walk(as->pid, va, len, collect, &u);

	if (!ret && !u.n)
		ret = -UIOMMU_EFAULT;	/* it is writable: that was not the reason */
	if (!ret)
		ret = unprotect(&u, &done);
	if (!ret)
		ret = ring_pin(as, va, len, UIOMMU_PROT_READ, ring, slot);
	while (done--)
		protect(as, u.v[done].va, u.v[done].len, u.v[done].prot);
	free(u.v);
	return ret;
}

/* ---- pins held by the kernel ---- */

static int pin_slot(struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
		    struct ring **ring, unsigned *slot)
{
	int ret = ring_pin(as, va, len, prot, ring, slot);

	if (ret == -UIOMMU_EFAULT && !(prot & UIOMMU_PROT_WRITE))
		ret = pin_readonly(as, va, len, ring, slot);
	return ret;
}

static void drop_slots(struct pin *p)
{
	while (p->nslots) {
		p->nslots--;
		ring_unpin(p->slots[p->nslots].ring, p->slots[p->nslots].slot);
	}
	free(p->slots);
	p->slots = NULL;
}

static int pin_slots(struct pin *p, struct uiommu_as *as, unsigned prot)
{
	uint64_t n = (p->len + RING_SLOT_BYTES - 1) / RING_SLOT_BYTES;
	int ret = 0;

	p->slots = calloc(n, sizeof(*p->slots));
	if (!p->slots)
		return -UIOMMU_ENOMEM;
	for (uint64_t off = 0; off < p->len && !ret; off += RING_SLOT_BYTES) {
		uint64_t len = p->len - off < RING_SLOT_BYTES ? p->len - off : RING_SLOT_BYTES;

		ret = pin_slot(as, p->va + off, len, prot, &p->slots[p->nslots].ring,
			       &p->slots[p->nslots].slot);
		if (!ret)
			p->nslots++;
	}
	if (ret)
		drop_slots(p);
	return ret;
}

static int slots_access(struct pin *p, uint64_t off, char *buf, size_t bytes, bool write)
{
	while (bytes) {
		uint64_t left = RING_SLOT_BYTES - off % RING_SLOT_BYTES;
		size_t n = bytes < left ? bytes : left;
		unsigned i = off / RING_SLOT_BYTES;
		int ret = ring_copy(p->slots[i].ring, p->slots[i].slot, p->va + off, buf, n, write);

		if (ret)
			return ret;
		off += n;
		buf += n;
		bytes -= n;
	}
	return 0;
}

static int slots_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	return slots_access(ctx, off, buf, bytes, false);
}

static int slots_write(void *ctx, uint64_t off, const void *buf, size_t bytes)
{
	return slots_access(ctx, off, (char *)buf, bytes, true);
}

static const struct uiommu_posix_frames_ops slots_ops = { slots_read, slots_write };

/* ---- both ---- */

/* So that an IOVA and its frame share what a large page needs, and so that a queue
 * which is aligned in a VM's memory is aligned for hardware. */
static uint64_t congruent(uint64_t len)
{
	uint64_t n = PAGE;

	while (n < GIB && 2 * n <= len)
		n *= 2;
	return n;
}

static int register_frames(struct pin *p, uint64_t like, const struct uiommu_posix_frames_ops *ops)
{
	int ret = uiommu_posix_add_frames(p->s->posix, p->len, like, congruent(p->len), ops, p,
					  &p->seg.pa);

	p->seg.bytes = p->len;
	p->pub.segs = &p->seg;
	p->pub.nsegs = 1;
	return ret == -UIOMMU_ENOSPC ? -UIOMMU_ENOMEM : ret;
}

/* A process that is not in a request of its own cannot be asked to pin: it is
 * followed. One that broke off in the middle is not. */
static int pin_pages(struct pin *p, struct uiommu_as *as, unsigned prot,
		     const struct uiommu_posix_frames_ops **ops)
{
	struct conn *c = as->s->current;
	int ret = -UIOMMU_ENOSYS;

	*ops = &slots_ops;
	if (c && c->as != as)
		c = NULL;
	if (c && !as->no_rings)
		ret = pin_slots(p, as, prot);
	if (c && c->broken && ret)
		return -UIOMMU_EFAULT;
	if (ret != -UIOMMU_ENOSYS)
		return ret;
	*ops = &hidden_ops;
	return hide(p, as, prot);
}

static void drop_pages(struct pin *p)
{
	if (p->as)
		unhide(p);
	else
		drop_slots(p);
}

static bool pin_args_ok(uint64_t va, uint64_t len, uint64_t like)
{
	return len && !((va | len | like) & (PAGE - 1)) && va + len > va && va + len <= 1ull << 56;
}

int uaccess_pin(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
		uint64_t like, struct uiommu_pin **out)
{
	const struct uiommu_posix_frames_ops *ops;
	struct pin *p;
	int ret;

	if (!pin_args_ok(va, len, like))
		return -UIOMMU_EFAULT;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -UIOMMU_ENOMEM;
	p->s = ctx;
	p->va = va;
	p->len = len;
	ret = pin_pages(p, as, prot, &ops);
	if (ret)
		goto no_pages;
	ret = register_frames(p, like, ops);
	if (ret)
		goto no_frames;
	*out = &p->pub;
	return 0;

no_frames:
	drop_pages(p);
no_pages:
	free(p);
	return ret;
}

void uaccess_unpin(void *ctx, struct uiommu_pin *pin)
{
	struct pin *p = (struct pin *)pin;

	uiommu_posix_remove_frames(p->s->posix, p->seg.pa);
	drop_pages(p);
	free(p);
}
