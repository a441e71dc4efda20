/* SPDX-License-Identifier: MIT */
/*
 * The fallback where a process has no io_uring: its memory is read and written
 * where it is now, and before it unmaps pages that are pinned, it moves them
 * elsewhere and says where (server/proto.h, HIDE and MOVED). That keeps what an
 * munmap() by the program would take; not what free() in the C library takes,
 * nor what madvise() throws away, nor anything beyond the end of the process.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "server/internal.h"

/* ---- access ---- */

static struct piece *piece_at(struct pin *p, uint64_t off)
{
	unsigned i = 0;

	while (off >= p->pieces[i].off + p->pieces[i].len)
		i++;
	return &p->pieces[i];
}

static int access_locked(struct pin *p, uint64_t off, char *buf, size_t bytes, bool write)
{
	if (!as_alive(p->as))
		return -UIOMMU_EFAULT;
	while (bytes) {
		struct piece *c = piece_at(p, off);
		uint64_t left = c->off + c->len - off;
		size_t n = bytes < left ? bytes : left;
		int ret = as_copy(p->as, buf, c->va + (off - c->off), n, write);

		if (ret)
			return ret;
		off += n;
		buf += n;
		bytes -= n;
	}
	return 0;
}

static int hidden_access(struct pin *p, uint64_t off, char *buf, size_t bytes, bool write)
{
	int ret;

	pthread_mutex_lock(&p->s->hide_lock);
	ret = access_locked(p, off, buf, bytes, write);
	pthread_mutex_unlock(&p->s->hide_lock);
	return ret;
}

static int hidden_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	return hidden_access(ctx, off, buf, bytes, false);
}

static int hidden_write(void *ctx, uint64_t off, const void *buf, size_t bytes)
{
	return hidden_access(ctx, off, (char *)buf, bytes, true);
}

const struct uiommu_posix_frames_ops hidden_ops = { hidden_read, hidden_write };

/* ---- pinning ---- */

int hide(struct pin *p, struct uiommu_as *as, unsigned prot)
{
	struct uiommu_rep up = { .op = UIOMMU_UP_HIDE, .r = { 0, 0, p->va, p->len } };
	int ret;

	if (!as_alive(as))
		return -UIOMMU_EFAULT;
	ret = maps_check(as->pid, p->va, p->len, prot);
	if (ret)
		return ret;
	p->pieces = malloc(sizeof(*p->pieces));
	if (!p->pieces)
		return -UIOMMU_ENOMEM;
	p->pieces[0] = (struct piece){ 0, p->len, p->va };
	p->npieces = 1;
	p->as = as;
	as_ref(as);
	/* one that is not in its request is followed without knowing */
	upcall(as, &up, NULL);
	if (say_first(p->s, SAID_HIDDEN))
		say(p->s, "process %d has no io_uring to pin memory with: what it maps for a "
		    "device is followed while it lives and kept across munmap(), but not across "
		    "free(), madvise(MADV_DONTNEED) or its end", (int)as->pid);
	pthread_mutex_lock(&p->s->hide_lock);
	p->next = as->hidden;
	as->hidden = p;
	pthread_mutex_unlock(&p->s->hide_lock);
	return 0;
}

static bool overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return a < b + blen && b < a + alen;
}

/* Is [va, va + len) pinned by any of @as's pins? */
static bool still_pinned(struct uiommu_as *as, uint64_t va, uint64_t len)
{
	for (struct pin *p = as->hidden; p; p = p->next)
		for (unsigned i = 0; i < p->npieces; i++)
			if (overlap(va, len, p->pieces[i].va, p->pieces[i].len))
				return true;
	return false;
}

/* ---- pages that went elsewhere ---- */

/* Cuts piece @i at @off within it: the rest becomes piece @i + 1. There is room. */
static void split(struct pin *p, unsigned i, uint64_t off)
{
	struct piece *c = &p->pieces[i];

	memmove(c + 2, c + 1, (p->npieces - i - 1) * sizeof(*c));
	c[1] = (struct piece){ c->off + off, c->len - off, c->va + off };
	c->len = off;
	p->npieces++;
}

static bool move_piece(struct pin *p, unsigned *i, uint64_t old, uint64_t len, uint64_t now)
{
	struct piece *c = &p->pieces[*i];

	if (!overlap(c->va, c->len, old, len))
		return false;
	if (c->va < old) {
		split(p, *i, old - c->va);
		c = &p->pieces[++*i];
	}
	if (c->va + c->len > old + len)
		split(p, *i, old + len - c->va);
	c->va = now + (c->va - old);
	return true;
}

static bool move_pin(struct pin *p, uint64_t old, uint64_t len, uint64_t now)
{
	/* each piece may become three */
	struct piece *v = realloc(p->pieces, 3 * p->npieces * sizeof(*v));
	bool any = false;

	if (!v)
		return false;
	p->pieces = v;
	for (unsigned i = 0; i < p->npieces; i++)
		any |= move_piece(p, &i, old, len, now);
	return any;
}

bool hidden_moved(struct uiommu_as *as, uint64_t old, uint64_t len, uint64_t now)
{
	bool any = false;

	if (!len)
		return false;
	pthread_mutex_lock(&as->s->hide_lock);
	for (struct pin *p = as->hidden; p; p = p->next)
		any |= move_pin(p, old, len, now);
	pthread_mutex_unlock(&as->s->hide_lock);
	return any;
}

/* ---- unpinning ---- */

static void unhide_later(struct uiommu_as *as, uint64_t va, uint64_t len, bool moved)
{
	struct range64 *r = malloc(sizeof(*r));

	if (!r)
		return;
	*r = (struct range64){ as->unhide, va, len, moved };
	as->unhide = r;
}

void unhide(struct pin *p)
{
	struct uiommu_as *as = p->as;
	struct pin **link = &as->hidden;

	pthread_mutex_lock(&p->s->hide_lock);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	for (unsigned i = 0; i < p->npieces; i++) {
		struct piece *c = &p->pieces[i];

		if (!still_pinned(as, c->va, c->len))
			unhide_later(as, c->va, c->len, c->va != p->va + c->off);
	}
	pthread_mutex_unlock(&p->s->hide_lock);
	free(p->pieces);
	as_unref(as);
}

/* Said when the process is listening, which it may not be when a pin goes. */
void unhide_flush(struct uiommu_as *as)
{
	struct range64 *r;

	while ((r = as->unhide)) {
		struct uiommu_rep up = {
			.op = UIOMMU_UP_UNHIDE, .r = { 0, 0, r->va, r->len, r->moved },
		};

		as->unhide = r->next;
		/* pinned again in the meantime? */
		if (!still_pinned(as, r->va, r->len))
			upcall(as, &up, NULL);
		free(r);
	}
}

void unhide_forget(struct uiommu_as *as)
{
	struct range64 *r;

	while ((r = as->unhide)) {
		as->unhide = r->next;
		free(r);
	}
}
