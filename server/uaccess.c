/* SPDX-License-Identifier: MIT */
/*
 * Address spaces of the program's processes, and the files in them.
 *
 * Copies go by process_vm_readv/writev, files by pidfd_getfd: both are what a
 * debugger may do to a descendant (orphans stay our descendants: subreaper).
 * A handle names memory, not a process: /proc/<pid>/mem, held open, keeps on
 * naming the old memory after an exec or a death, and says so when it is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server/internal.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

/* ---- handles ---- */

/* Reading a byte says 0 = end of file when there is no memory any more; an
 * address where nothing is mapped is an error instead. */
bool as_alive(const struct uiommu_as *as)
{
	char c;

	return as->memfd >= 0 && pread(as->memfd, &c, 1, 4096) != 0;
}

static int open_pidfd(pid_t pid, int conn_fd)
{
	socklen_t len = sizeof(int);
	int fd;

	if (!getsockopt(conn_fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &len)) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return fd;
	}
	return syscall(SYS_pidfd_open, pid, 0);
}

static int open_mem(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* A process that may not be reached is served all the same, as far as that goes;
 * one for which we have no descriptors left is not. */
static bool as_open(struct uiommu_as *as, int conn_fd)
{
	as->pidfd = open_pidfd(as->pid, conn_fd);
	as->memfd = as->pidfd < 0 ? -1 : open_mem(as->pid);
	if (as->memfd >= 0)
		return true;
	if (errno == EMFILE || errno == ENFILE) {
		if (as->pidfd >= 0)
			close(as->pidfd);
		say_no_fds(as->s);
		return false;
	}
	if (say_first(as->s, SAID_PTRACE))
		say(as->s, "the memory of process %d cannot be reached (%s): its calls will fail "
		    "with EFAULT", (int)as->pid, strerror(errno));
	return true;
}

static uint64_t auxv_entry(pid_t pid, uint64_t key)
{
	uint64_t pair[2], found = 0;
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	f = fopen(path, "re");
	while (f && !found && fread(pair, sizeof(pair), 1, f) == 1)
		found = pair[0] == key ? pair[1] : 0;
	if (f)
		fclose(f);
	return found;
}

static struct birth birth_of(pid_t pid)
{
	struct birth b = { 0 };
	struct iovec l = { b.random, sizeof(b.random) };
	struct iovec r = { (void *)(uintptr_t)auxv_entry(pid, AT_RANDOM), l.iov_len };

	if (process_vm_readv(pid, &l, 1, &r, 1, 0) != sizeof(b.random))
		memset(&b, 0, sizeof(b));
	return b;
}

static struct uiommu_as *as_new(struct uiommu_server *s, pid_t pid, int conn_fd)
{
	struct uiommu_as *as = calloc(1, sizeof(*as));

	if (!as)
		return NULL;
	as->refs = 1;
	as->s = s;
	as->pid = pid;
	as->no_rings = s->cfg.no_io_uring;
	if (!as_open(as, conn_fd)) {
		free(as);
		return NULL;
	}
	as->birth = birth_of(pid);
	as->next = s->ases;
	s->ases = as;
	return as;
}

/* Memory lives on for a moment after its exec or exit when somebody is reading
 * /proc/<pid>: that it is alive does not say that it is still the process's. */
static bool as_is_of(const struct uiommu_as *as, pid_t pid)
{
	struct birth b;

	if (as->pid != pid || !as_alive(as))
		return false;
	b = birth_of(pid);
	return !memcmp(&b, &as->birth, sizeof(b));
}

/* A process that comes again with pages hidden for it is the one it was. */
struct uiommu_as *as_for(struct uiommu_server *s, pid_t pid, int conn_fd)
{
	struct uiommu_as *as;

	for (as = s->ases; as; as = as->next)
		if (as->hidden && as_is_of(as, pid)) {
			as_ref(as);
			return as;
		}
	return as_new(s, pid, conn_fd);
}

void as_ref(struct uiommu_as *as)
{
	atomic_fetch_add(&as->refs, 1);
}

void as_unref(struct uiommu_as *as)
{
	struct uiommu_as **link = &as->s->ases;

	if (atomic_fetch_sub(&as->refs, 1) != 1)
		return;
	while (*link != as)
		link = &(*link)->next;
	*link = as->next;
	rings_orphan(as);
	unhide_forget(as);
	if (as->pidfd >= 0)
		close(as->pidfd);
	if (as->memfd >= 0)
		close(as->memfd);
	free(as);
}

static void uaccess_as_get(void *ctx, struct uiommu_as *as)
{
	as_ref(as);
}

static void uaccess_as_put(void *ctx, struct uiommu_as *as)
{
	as_unref(as);
}

/* ---- copies ---- */

static ssize_t copy_by_pid(const struct uiommu_as *as, void *local, uint64_t remote, size_t bytes,
			   bool write)
{
	struct iovec l = { local, bytes };
	struct iovec r = { (void *)(uintptr_t)remote, bytes };

	return write ? process_vm_writev(as->pid, &l, 1, &r, 1, 0)
		     : process_vm_readv(as->pid, &l, 1, &r, 1, 0);
}

/* By the memory's own file: as a debugger, and as a device that has pinned the
 * page, this also writes what the process itself may only read. */
static ssize_t copy_by_memory(const struct uiommu_as *as, void *local, uint64_t remote,
			      size_t bytes, bool write)
{
	return write ? pwrite(as->memfd, local, bytes, remote)
		     : pread(as->memfd, local, bytes, remote);
}

typedef ssize_t copy_fn(const struct uiommu_as *as, void *local, uint64_t remote, size_t bytes,
			bool write);

/* The kernel copies at most 2 GiB in one call. */
static int copy_all(copy_fn *fn, const struct uiommu_as *as, void *local, uint64_t remote,
		    size_t bytes, bool write)
{
	char *p = local;

	while (bytes) {
		ssize_t n = fn(as, p, remote, bytes < 1u << 30 ? bytes : 1u << 30, write);

		if (n <= 0)
			return -UIOMMU_EFAULT;
		p += n;
		remote += n;
		bytes -= n;
	}
	return 0;
}

int as_copy(struct uiommu_as *as, void *local, uint64_t remote, size_t bytes, bool write)
{
	return copy_all(copy_by_memory, as, local, remote, bytes, write);
}

/* A process that is in its own request is there; any other may have gone or have
 * exec'ed, and its number be another memory's. */
static int copy(struct uiommu_as *as, void *local, uint64_t remote, size_t bytes, bool write)
{
	copy_fn *fn = as->s->current && as->s->current->as == as ? copy_by_pid : copy_by_memory;

	return copy_all(fn, as, local, remote, bytes, write);
}

static int uaccess_copy_in(void *ctx, struct uiommu_as *as, void *dst, uint64_t src, size_t bytes)
{
	return copy(as, dst, src, bytes, false);
}

static int uaccess_copy_out(void *ctx, struct uiommu_as *as, uint64_t dst, const void *src,
			    size_t bytes)
{
	return copy(as, (void *)src, dst, bytes, true);
}

/* ---- files ---- */

struct uiommu_file {
	struct uiommu_server *s;
	int fd;
};

static int uaccess_file_get(void *ctx, struct uiommu_as *as, int fd, struct uiommu_file **out)
{
	struct uiommu_file *f;

	if (fd < 0 || as->pidfd < 0)
		return -UIOMMU_EBADF;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -UIOMMU_ENOMEM;
	f->s = ctx;
	f->fd = syscall(SYS_pidfd_getfd, as->pidfd, fd, 0);
	if (f->fd < 0) {
		free(f);
		return errno == EMFILE || errno == ENFILE ? -UIOMMU_ENOMEM : -UIOMMU_EBADF;
	}
	*out = f;
	return 0;
}

static void uaccess_file_put(void *ctx, struct uiommu_file *f)
{
	close(f->fd);
	free(f);
}

/* Our copy of the file keeps the object: it cannot go before file_put(). */
static void *uaccess_file_object(void *ctx, struct uiommu_file *f, const void *kind)
{
	struct object *o = object_of_fd(f->s, f->fd);

	return o && o->o.ops->kind == kind ? o->o.obj : NULL;
}

static bool uaccess_file_is_eventfd(void *ctx, struct uiommu_file *f)
{
	char path[40], to[40] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	return readlink(path, to, sizeof(to) - 1) > 0 && !strcmp(to, "anon_inode:[eventfd]");
}

/* A counter that is full stays full, as the kernel's eventfd_signal() leaves it;
 * waiting for a reader would hold up a device. */
static void uaccess_file_signal(void *ctx, struct uiommu_file *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };
	uint64_t one = 1;

	if (poll(&p, 1, 0) == 1 && p.revents & POLLOUT && write(f->fd, &one, sizeof(one)) < 0)
		return;
}

const struct uiommu_uaccess uaccess_template = {
	.copy_in = uaccess_copy_in,
	.copy_out = uaccess_copy_out,
	.pin = uaccess_pin,
	.unpin = uaccess_unpin,
	.as_get = uaccess_as_get,
	.as_put = uaccess_as_put,
	.file_get = uaccess_file_get,
	.file_put = uaccess_file_put,
	.file_object = uaccess_file_object,
	.file_is_eventfd = uaccess_file_is_eventfd,
	.file_signal = uaccess_file_signal,
	.file_give = uaccess_file_give,
	.file_ready = uaccess_file_ready,
};
