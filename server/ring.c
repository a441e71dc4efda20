/* SPDX-License-Identifier: MIT */
/*
 * Pins that the kernel holds: buffers registered with an io_uring that the
 * program's process made and we hold a copy of. The pages stay, whatever becomes
 * of their virtual address, of the process, and of its copy of the ring. They
 * are reached by reading and writing a pipe with the buffer as the other side,
 * submitted here; we are the only one who submits or maps the ring.
 *
 * The pipe does not block, so every operation is over when it was submitted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/internal.h"

#define RING_ENTRIES	4
#define CHUNK		65536u		/* what an empty pipe takes */

/* ---- taking a ring over ---- */

static bool is_ring(int fd)
{
	char path[40], to[40] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, to, sizeof(to) - 1) > 0 && !strcmp(to, "anon_inode:[io_uring]");
}

static void *map(int fd, size_t bytes, uint64_t at)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * The offsets of the rings are told to who makes one, and we did not. They are
 * the same for every ring of this size on a running kernel: ask with one of ours.
 */
static int ring_params(struct io_uring_params *p)
{
	int fd;

	memset(p, 0, sizeof(*p));
	fd = syscall(SYS_io_uring_setup, RING_ENTRIES, p);
	if (fd < 0)
		return -errno;
	close(fd);
	return p->features & IORING_FEAT_SINGLE_MMAP ? 0 : -UIOMMU_ENOSYS;
}

static int ring_map(struct ring *r)
{
	struct io_uring_params p;
	char *m;

	if (ring_params(&p))
		return -UIOMMU_ENOSYS;
	r->sq_bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (r->sq_bytes < p.sq_off.array + p.sq_entries * 4)
		r->sq_bytes = p.sq_off.array + p.sq_entries * 4;
	r->sqe_bytes = p.sq_entries * sizeof(struct io_uring_sqe);
	r->sq_mem = m = map(r->fd, r->sq_bytes, IORING_OFF_SQ_RING);
	r->sqe_mem = map(r->fd, r->sqe_bytes, IORING_OFF_SQES);
	if (!r->sq_mem || !r->sqe_mem)
		return -UIOMMU_ENOSYS;
	r->sqes = r->sqe_mem;
	r->cqes = (void *)(m + p.cq_off.cqes);
	r->sq_tail = (void *)(m + p.sq_off.tail);
	r->sq_array = (void *)(m + p.sq_off.array);
	r->cq_head = (void *)(m + p.cq_off.head);
	r->cq_tail = (void *)(m + p.cq_off.tail);
	r->sq_mask = p.sq_entries - 1;
	r->cq_mask = p.cq_entries - 1;
	if (*(unsigned *)(void *)(m + p.sq_off.ring_entries) != p.sq_entries ||
	    *(unsigned *)(void *)(m + p.cq_off.ring_entries) != p.cq_entries)
		return -UIOMMU_ENOSYS;
	return 0;
}

static void ring_free(struct ring *r)
{
	if (r->sq_mem)
		munmap(r->sq_mem, r->sq_bytes);
	if (r->sqe_mem)
		munmap(r->sqe_mem, r->sqe_bytes);
	for (int i = 0; i < 2; i++)
		if (r->pipe[i] >= 0)
			close(r->pipe[i]);
	if (r->fd >= 0)
		close(r->fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* The process makes it; we take a copy. */
static int ring_take(struct uiommu_as *as, struct ring *r)
{
	struct uiommu_rep up = { .op = UIOMMU_UP_RING, .r = { RING_ENTRIES, RING_SLOTS } };
	uint64_t fd = 0;
	int ret = upcall(as, &up, &fd);

	/* the ring itself counts as locked memory */
	if (ret == -UIOMMU_ENOMEM)
		return ret;
	if (ret || as->pidfd < 0 || fd > INT32_MAX)
		return -UIOMMU_ENOSYS;
	r->client_fd = fd;
	r->fd = syscall(SYS_pidfd_getfd, as->pidfd, r->client_fd, 0);
	if (r->fd < 0 || !is_ring(r->fd) || pipe2(r->pipe, O_CLOEXEC | O_NONBLOCK))
		return -UIOMMU_ENOSYS;
	return ring_map(r);
}

static int ring_new(struct uiommu_as *as, struct ring **out)
{
	struct ring *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -UIOMMU_ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	r->fd = r->pipe[0] = r->pipe[1] = -1;
	ret = ring_take(as, r);
	if (ret) {
		as->no_rings = ret == -UIOMMU_ENOSYS;
		ring_free(r);
		return ret;
	}
	r->next = as->rings;
	as->rings = r;
	*out = r;
	return 0;
}

void rings_orphan(struct uiommu_as *as)
{
	struct ring *r;

	while ((r = as->rings)) {
		as->rings = r->next;
		r->orphan = true;
		if (!r->used)
			ring_free(r);
	}
}

/* ---- slots ---- */

static int ring_with_room(struct uiommu_as *as, struct ring **out)
{
	struct ring *r = as->rings;

	while (r && (r->client_fd < 0 || r->used == RING_SLOTS))
		r = r->next;
	*out = r;
	return r ? 0 : ring_new(as, out);
}

static unsigned slot_take(struct ring *r)
{
	unsigned w = r->hint, slot;

	while (r->map[w] == UINT64_MAX)
		w = (w + 1) % (RING_SLOTS / 64);
	slot = w * 64 + __builtin_ctzll(~r->map[w]);
	r->map[w] |= 1ull << slot % 64;
	r->hint = w;
	r->used++;
	return slot;
}

static void slot_give(struct ring *r, unsigned slot)
{
	r->map[slot / 64] &= ~(1ull << slot % 64);
	r->used--;
	if (r->orphan && !r->used)
		ring_free(r);
}

static int pin_once(struct uiommu_as *as, uint64_t va, uint64_t bytes, unsigned prot,
		    struct ring **ring, unsigned *slot)
{
	struct uiommu_rep up = { .op = UIOMMU_UP_PIN };
	struct ring *r;
	int ret = ring_with_room(as, &r);

	if (ret)
		return ret;
	*ring = r;
	*slot = slot_take(r);
	memcpy(up.r, (uint64_t[5]){ r->client_fd, *slot, va, bytes, prot }, sizeof(up.r));
	ret = upcall(as, &up, NULL);
	if (ret)
		slot_give(r, *slot);
	if (ret == -UIOMMU_EBADF)
		r->client_fd = -1;
	return ret;
}

/* The program may have closed every file it did not know: then once more, with
 * a new ring. */
int ring_pin(struct uiommu_as *as, uint64_t va, uint64_t bytes, unsigned prot,
	     struct ring **ring, unsigned *slot)
{
	int ret = pin_once(as, va, bytes, prot, ring, slot);

	if (ret == -UIOMMU_EBADF)
		ret = pin_once(as, va, bytes, prot, ring, slot);
	switch (ret) {
	case 0:
	case -UIOMMU_ENOMEM:
	case -UIOMMU_EFAULT:
		return ret;
	default:
		return -UIOMMU_ENOSYS;
	}
}

/* Taking a buffer out needs nothing of the process that put it in. */
void ring_unpin(struct ring *r, unsigned slot)
{
	struct iovec none = { NULL, 0 };
	struct io_uring_rsrc_update2 up = {
		.offset = slot, .data = (uintptr_t)&none, .nr = 1,
	};

	syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS_UPDATE, &up, sizeof(up));
	slot_give(r, slot);
}

/* ---- access ---- */

static int submit_and_wait(struct ring *r)
{
	/* it is over when it was submitted; should a kernel do it otherwise, not longer
	 * than this */
	struct __kernel_timespec ts = { .tv_sec = 2 };
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&ts };
	unsigned head = *r->cq_head;
	int n;

	n = syscall(SYS_io_uring_enter, r->fd, 1, 1,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg));
	if (n < 0 || __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE) == head) {
		r->stuck = true;
		return -UIOMMU_EFAULT;
	}
	n = r->cqes[head & r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return n;
}

/* One read of the pipe into the buffer, or write of the buffer into the pipe. */
static int fixed_op(struct ring *r, unsigned slot, uint64_t va, unsigned bytes, bool write)
{
	unsigned tail = *r->sq_tail, i = tail & r->sq_mask;

	r->sqes[i] = (struct io_uring_sqe){
		.opcode = write ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED,
		.fd = r->pipe[!write],
		.off = -1,
		.addr = va,
		.len = bytes,
		.buf_index = slot,
	};
	r->sq_array[i] = i;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return submit_and_wait(r);
}

static void drain(struct ring *r)
{
	char waste[512];

	while (read(r->pipe[0], waste, sizeof(waste)) > 0)
		;
}

static int read_chunk(struct ring *r, unsigned slot, uint64_t va, char *buf, unsigned bytes)
{
	int n = fixed_op(r, slot, va, bytes, false);

	if (n > 0 && read(r->pipe[0], buf, n) == n)
		return n;
	drain(r);
	return -UIOMMU_EFAULT;
}

static int write_chunk(struct ring *r, unsigned slot, uint64_t va, char *buf, unsigned bytes)
{
	int n = write(r->pipe[1], buf, bytes);

	if (n > 0 && fixed_op(r, slot, va, n, true) == n)
		return n;
	drain(r);
	return -UIOMMU_EFAULT;
}

static int copy_locked(struct ring *r, unsigned slot, uint64_t va, char *buf, size_t bytes,
		       bool write)
{
	while (bytes) {
		unsigned want = bytes < CHUNK ? bytes : CHUNK;
		int n;

		if (r->stuck)
			return -UIOMMU_EFAULT;
		n = write ? write_chunk(r, slot, va, buf, want)
			  : read_chunk(r, slot, va, buf, want);
		if (n < 0)
			return n;
		va += n;
		buf += n;
		bytes -= n;
	}
	return 0;
}

int ring_copy(struct ring *r, unsigned slot, uint64_t va, void *buf, size_t bytes, bool write)
{
	int ret;

	pthread_mutex_lock(&r->lock);
	ret = copy_locked(r, slot, va, buf, bytes, write);
	pthread_mutex_unlock(&r->lock);
	return ret;
}
