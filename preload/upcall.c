/* SPDX-License-Identifier: MIT */
/*
 * preload/upcall.c - what only the program's own address space can do: make a
 * ring and pin its pages in it (a registered buffer keeps its pages whatever
 * becomes of the mapping), or, where io_uring may not be used, move pinned pages
 * to another place before the program unmaps them
 */
#include "preload/preload.h"

#include <linux/io_uring.h>
#include <sys/mman.h>

static uint64_t ino_of(int fd)
{
	struct stat st;

	return pl_sys(SYS_fstat, fd, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

static int64_t up_ring(const struct uiommu_rep *rep, uint64_t *out)
{
	struct io_uring_rsrc_register sparse = {
		.nr = (uint32_t)rep->r[1],
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};
	struct io_uring_params params = { 0 };
	long fd = pl_sys(SYS_io_uring_setup, rep->r[0], &params), r = 0;

	if (fd < 0)
		return fd;
	if (sparse.nr)
		r = pl_sys(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS2, &sparse,
			   sizeof(sparse));
	if (r < 0) {
		pl_sys(SYS_close, fd);
		return r;
	}
	pl_process->ring = pl_move_high((int)fd);
	pl_process->ring_ino = ino_of(pl_process->ring);
	*out = (uint64_t)pl_process->ring;
	return 0;
}

static int64_t up_pin(const struct uiommu_rep *rep)
{
	struct iovec iov = { (void *)rep->r[2], rep->r[3] };
	struct io_uring_rsrc_update2 up = {
		.offset = (uint32_t)rep->r[1],
		.data = (uintptr_t)&iov,
		.nr = 1,
	};
	long r;

	/* the program may have closed it and have something else there now */
	if ((int)rep->r[0] != pl_process->ring || !pl_process->ring_ino ||
	    ino_of(pl_process->ring) != pl_process->ring_ino)
		return -EBADF;
	r = pl_sys(SYS_io_uring_register, rep->r[0], IORING_REGISTER_BUFFERS_UPDATE, &up,
		   sizeof(up));
	if (r == 1)
		return 0;
	return r == -EOPNOTSUPP ? -EBADF : r < 0 ? r : -EFAULT;
}

static int64_t up_hide(const struct uiommu_rep *rep)
{
	struct pl_process *p = pl_process;
	unsigned n = p->num_hide;

	if (n == PL_ARRAY(p->hide))
		return -ENOSPC;
	p->hide[n].start = rep->r[2] & -PL_PAGE;
	p->hide[n].end = (rep->r[2] + rep->r[3] + PL_PAGE - 1) & -PL_PAGE;
	p->num_hide = n + 1;
	return 0;
}

static int64_t up_unhide(const struct uiommu_rep *rep)
{
	struct pl_process *p = pl_process;
	uintptr_t start = rep->r[2] & -PL_PAGE;
	uintptr_t end = (rep->r[2] + rep->r[3] + PL_PAGE - 1) & -PL_PAGE;

	if (rep->r[4] == 1)
		return pl_sys(SYS_munmap, start, end - start);
	for (unsigned i = 0; i < p->num_hide; i++) {
		if (p->hide[i].start != start || p->hide[i].end != end)
			continue;
		p->hide[i] = p->hide[p->num_hide - 1];
		p->num_hide--;
		return 0;
	}
	return 0; /* moved away in the meantime */
}

static int64_t up_file(int fd, uint64_t *out)
{
	if (fd < 0)
		return -EMFILE;		/* it was sent, we had no room */
	pl_keep_fault_file(fd);
	*out = (uint64_t)fd;
	return 0;
}

void pl_upcall(const struct uiommu_rep *rep, int fd, struct uiommu_up_answer *ans)
{
	memset(ans, 0, sizeof(*ans));
	if (fd >= 0 && rep->op != UIOMMU_UP_FILE)
		pl_sys(SYS_close, fd);
	switch (rep->op) {
	case UIOMMU_UP_RING:
		ans->ret = up_ring(rep, &ans->r[0]);
		break;
	case UIOMMU_UP_PIN:
		ans->ret = up_pin(rep);
		break;
	case UIOMMU_UP_HIDE:
		ans->ret = up_hide(rep);
		break;
	case UIOMMU_UP_UNHIDE:
		ans->ret = up_unhide(rep);
		break;
	case UIOMMU_UP_PROTECT:
		ans->ret = pl_sys(SYS_mprotect, rep->r[2], rep->r[3], rep->r[4]);
		break;
	case UIOMMU_UP_FILE:
		ans->ret = up_file(fd, &ans->r[0]);
		break;
	default:
		ans->ret = -ENOSYS;
	}
}

/* Takes the first range that meets [start, end) off the list. */
static bool take_hidden(uintptr_t start, uintptr_t end, struct pl_hide *h)
{
	struct pl_process *p = pl_process;
	bool found = false;

	pl_conn_lock();
	for (unsigned i = 0; i < p->num_hide && !found; i++) {
		if (p->hide[i].start >= end || p->hide[i].end <= start)
			continue;
		*h = p->hide[i];
		p->hide[i] = p->hide[p->num_hide - 1];
		p->num_hide--;
		found = true;
	}
	pl_conn_unlock();
	return found;
}

/* Puts back what of @h lies outside of what goes. */
static void keep_rest(const struct pl_hide *h, uintptr_t start, uintptr_t end)
{
	struct uiommu_rep rep = { .op = UIOMMU_UP_HIDE };

	pl_conn_lock();
	if (h->start < start) {
		rep.r[2] = h->start;
		rep.r[3] = start - h->start;
		up_hide(&rep);
	}
	if (h->end > end) {
		rep.r[2] = end;
		rep.r[3] = h->end - end;
		up_hide(&rep);
	}
	pl_conn_unlock();
}

static void move_away(uintptr_t start, size_t len)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_MOVED, .a = { start, len } };
	struct uiommu_rep rep;
	long to = pl_sys(SYS_mmap, 0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);

	if (to < 0 && to > -4096)
		return;
	if (pl_sys(SYS_mremap, start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) < 0) {
		pl_sys(SYS_munmap, to, len);
		return;
	}
	req.a[2] = (uint64_t)to;
	if (pl_call(&req, 0, &rep, NULL) != 1)
		pl_sys(SYS_munmap, to, len);
}

void pl_hide_before_unmap(uintptr_t start, size_t len)
{
	uintptr_t end = start + ((len + PL_PAGE - 1) & -PL_PAGE);
	pl_sigset old;
	struct pl_hide h;

	if (__builtin_expect(!pl_process->num_hide, 1) || (start & (PL_PAGE - 1)) || end < start)
		return;
	old = pl_block_all();
	while (take_hidden(start, end, &h)) {
		keep_rest(&h, start, end);
		h.start = h.start > start ? h.start : start;
		h.end = h.end < end ? h.end : end;
		move_away(h.start, h.end - h.start);
	}
	pl_unblock(old);
}
