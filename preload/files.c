/* SPDX-License-Identifier: MIT */
/*
 * preload/files.c - opening our device files, and what is done on them: ioctl,
 * pread, pwrite
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- open ---- */

/* Nobody reads what is written to it; a program that does must not wait for it. */
static void never_blocks(int fd)
{
	struct timeval t = { 0, 1000 };
	int small = 1;

	pl_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	pl_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

bool pl_fault_files;

/* A read() that finds nothing must not wait for a mark. */
void pl_keep_fault_file(int fd)
{
	struct timeval t = { 0, 1 };

	never_blocks(fd);
	pl_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	pl_sys(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
	pl_fault_files = true;
}

static int open_node(const struct pl_path *p, int flags)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_OPEN, .a = { (unsigned)flags } };
	struct uiommu_rep rep;
	char name[64];
	size_t n;
	int64_t r;
	int fd;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return (int)pl_ret(-EEXIST);
	if (flags & O_DIRECTORY)
		return (int)pl_ret(-ENOTDIR);
	n = pl_node_name(&p->node, name, sizeof(name) - 1);
	name[n] = 0;
	memcpy(req.path, name + 5, n - 4);	/* below "/dev/" */
	r = pl_call(&req, 0, &rep, &fd);
	if (r < 0)
		return (int)pl_ret(r);
	if (fd < 0)
		return (int)pl_ret(-EMFILE);	/* it was sent, we had no room */
	never_blocks(fd);
	if (!(flags & O_CLOEXEC))
		pl_sys(SYS_fcntl, fd, F_SETFD, 0);
	if (flags & O_NONBLOCK)
		pl_sys(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A link of the program's own that leads to a file of ours: the kernel found
 * nothing there. */
static bool follow_link(int dirfd, const char *path, struct pl_path *p)
{
	char target[PATH_MAX];
	long n;

	if (!path || !pl_env.root_len)
		return false;
	n = pl_sys(SYS_readlinkat, dirfd, path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	return pl_resolve(AT_FDCWD, target, p) == PL_NODE;
}

/* /proc/self/fd/<n>: a new open of the same device, as the kernel does it */
static bool reopen(const char *path, struct pl_path *p)
{
	int fd = path ? pl_proc_fd(path) : -1;

	return fd >= 0 && pl_obj_of(fd, &p->node) && p->node.kind != 'f';
}

int pl_open(int dirfd, const char *path, int flags, mode_t mode)
{
	struct pl_path p;
	int fd;

	switch (pl_resolve(dirfd, path, &p)) {
	case PL_NODE:
		return flags & O_PATH ? pl_real.openat(AT_FDCWD, p.name, flags) :
					open_node(&p, flags);
	case PL_INSTEAD:
		return pl_real.openat(AT_FDCWD, p.name, flags, mode);
	case PL_ELSEWHERE:
		break;
	}
	fd = pl_real.openat(dirfd, path, flags, mode);
	if (fd < 0 && ((errno == ENOENT && follow_link(dirfd, path, &p)) ||
		       (errno == ENXIO && reopen(path, &p))))
		return open_node(&p, flags);
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)						\
PL_EXPORT int name(const char *path, int flags, ...)		\
{								\
	mode_t mode;						\
	va_list ap;						\
								\
	pl_init();						\
	va_start(ap, flags);					\
	mode = mode_of(flags, ap);				\
	va_end(ap);						\
	return pl_open(AT_FDCWD, path, flags, mode);		\
}
OPEN(open)
OPEN(open64)

#define OPENAT(name)						\
PL_EXPORT int name(int dirfd, const char *path, int flags, ...)	\
{								\
	mode_t mode;						\
	va_list ap;						\
								\
	pl_init();						\
	va_start(ap, flags);					\
	mode = mode_of(flags, ap);				\
	va_end(ap);						\
	return pl_open(dirfd, path, flags, mode);		\
}
OPENAT(openat)
OPENAT(openat64)

/* what programs built with _FORTIFY_SOURCE call */
#define OPEN_2(name)						\
int name(const char *path, int flags);				\
PL_EXPORT int name(const char *path, int flags)			\
{								\
	pl_init();						\
	return pl_open(AT_FDCWD, path, flags, 0);		\
}
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)						\
int name(int dirfd, const char *path, int flags);		\
PL_EXPORT int name(int dirfd, const char *path, int flags)	\
{								\
	pl_init();						\
	return pl_open(dirfd, path, flags, 0);			\
}
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name)						\
PL_EXPORT int name(const char *path, mode_t mode)		\
{								\
	pl_init();						\
	return pl_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); \
}
CREAT(creat)
CREAT(creat64)

/* ---- stdio ---- */

static int flags_of(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

	return flags | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *fopen_node(const struct pl_path *p, const char *mode)
{
	int fd = open_node(p, flags_of(mode));
	FILE *f = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !f)
		pl_sys(SYS_close, fd);
	return f;
}

static FILE *open_stream(const char *path, const char *mode)
{
	struct pl_path p;

	pl_init();
	switch (pl_resolve(AT_FDCWD, path, &p)) {
	case PL_NODE:
		return fopen_node(&p, mode);
	case PL_INSTEAD:
		return pl_real.fopen(p.name, mode);
	case PL_ELSEWHERE:
		break;
	}
	return pl_real.fopen(path, mode);
}

PL_EXPORT FILE *fopen(const char *path, const char *mode)
{
	return open_stream(path, mode);
}

PL_EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return open_stream(path, mode);
}

/* freopen() of a device file: the stream on a file of the tree, then our file
 * under its descriptor */
static FILE *reopen_stream(const char *path, const char *mode, FILE *f)
{
	enum pl_where where;
	struct pl_path p;
	int fd;

	pl_init();
	where = pl_resolve(AT_FDCWD, path, &p);
	if (where == PL_ELSEWHERE)
		return pl_real.freopen(path, mode, f);
	f = pl_real.freopen(p.name, mode, f);
	if (!f || where == PL_INSTEAD)
		return f;
	fd = open_node(&p, flags_of(mode));
	if (fd < 0 || dup3(fd, fileno(f), flags_of(mode) & O_CLOEXEC) < 0) {
		fclose(f);
		f = NULL;
	}
	if (fd >= 0)
		pl_sys(SYS_close, fd);
	return f;
}

PL_EXPORT FILE *freopen(const char *path, const char *mode, FILE *f)
{
	return reopen_stream(path, mode, f);
}

PL_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *f)
{
	return reopen_stream(path, mode, f);
}

/* ---- ioctl ---- */

int64_t pl_ioctl(const struct pl_obj *o, unsigned long cmd, uint64_t arg)
{
	struct uiommu_req req = {
		.op = UIOMMU_REQ_IOCTL, .obj = o->id, .a = { (uint32_t)cmd, arg },
	};
	struct uiommu_rep rep;
	int64_t r;
	int fd;

	r = pl_call(&req, o->server, &rep, &fd);
	if (fd < 0)
		return r;
	/* an ioctl that gives out a file: its number is the answer */
	if (r < 0)
		pl_sys(SYS_close, fd);
	return r < 0 ? r : fd;
}

/* VFIO and iommufd both have ';' for their type. Others are not even looked at. */
PL_EXPORT int ioctl(int fd, unsigned long cmd, ...)
{
	struct pl_obj o;
	va_list ap;
	void *arg;

	pl_init();
	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (__builtin_expect(_IOC_TYPE(cmd) == ';', 0) && pl_obj_of(fd, &o))
		return (int)pl_ret(pl_ioctl(&o, cmd, (uintptr_t)arg));
	return pl_real.ioctl(fd, cmd, arg);
}

/* ---- pread, pwrite: a socket says ESPIPE ---- */

static ssize_t ask(const struct pl_obj *o, uint32_t op, const void *buf, size_t n, off_t off,
		   bool marked)
{
	struct uiommu_req req = {
		.op = op, .obj = o->id, .a = { (uint64_t)off, n, (uintptr_t)buf, marked },
	};
	struct uiommu_rep rep;

	return pl_call(&req, o->server, &rep, NULL);
}

static ssize_t transfer(const struct pl_obj *o, uint32_t op, const void *buf, size_t n, off_t off)
{
	if (off < 0)
		return -EINVAL;
	if (o->kind == 'i')
		return -EINVAL;		/* /dev/iommu can be neither read nor written */
	return ask(o, op, buf, n, off, false);
}

static bool refused(ssize_t r, int fd, struct pl_obj *o)
{
	return __builtin_expect(r < 0 && errno == ESPIPE, 0) && pl_obj_of(fd, o);
}

static ssize_t do_pread(int fd, void *buf, size_t n, off_t off)
{
	struct pl_obj o;
	ssize_t r;

	pl_init();
	r = pl_real.pread64(fd, buf, n, off);
	return refused(r, fd, &o) ? pl_ret(transfer(&o, UIOMMU_REQ_READ, buf, n, off)) : r;
}

static ssize_t do_pwrite(int fd, const void *buf, size_t n, off_t off)
{
	struct pl_obj o;
	ssize_t r;

	pl_init();
	r = pl_real.pwrite64(fd, buf, n, off);
	return refused(r, fd, &o) ? pl_ret(transfer(&o, UIOMMU_REQ_WRITE, buf, n, off)) : r;
}

PL_EXPORT ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	return do_pread(fd, buf, n, off);
}

PL_EXPORT ssize_t pread64(int fd, void *buf, size_t n, off_t off)
{
	return do_pread(fd, buf, n, off);
}

PL_EXPORT ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	return do_pwrite(fd, buf, n, off);
}

PL_EXPORT ssize_t pwrite64(int fd, const void *buf, size_t n, off_t off)
{
	return do_pwrite(fd, buf, n, off);
}

extern void __chk_fail(void) __attribute__((noreturn));

#define PREAD_CHK(name)							\
ssize_t name(int fd, void *buf, size_t n, off_t off, size_t room);	\
PL_EXPORT ssize_t name(int fd, void *buf, size_t n, off_t off, size_t room) \
{									\
	if (n > room)							\
		__chk_fail();						\
	return do_pread(fd, buf, n, off);				\
}
PREAD_CHK(__pread_chk)
PREAD_CHK(__pread64_chk)

/* piece by piece, ending at the first short one */
static ssize_t transfer_v(const struct pl_obj *o, uint32_t op, const struct iovec *iov, int n,
			  off_t off)
{
	ssize_t done = 0, r;

	for (int i = 0; i < n; i++) {
		r = transfer(o, op, iov[i].iov_base, iov[i].iov_len, off + done);
		if (r < 0)
			return done ? done : r;
		done += r;
		if ((size_t)r < iov[i].iov_len)
			break;
	}
	return done;
}

static ssize_t do_preadv(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	struct pl_obj o;
	ssize_t r;

	pl_init();
	r = pl_real.preadv64v2(fd, iov, n, off, flags);
	return refused(r, fd, &o) ? pl_ret(transfer_v(&o, UIOMMU_REQ_READ, iov, n, off)) : r;
}

static ssize_t do_pwritev(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	struct pl_obj o;
	ssize_t r;

	pl_init();
	r = pl_real.pwritev64v2(fd, iov, n, off, flags);
	return refused(r, fd, &o) ? pl_ret(transfer_v(&o, UIOMMU_REQ_WRITE, iov, n, off)) : r;
}

#define VECTORED(name, call)						\
PL_EXPORT ssize_t name(int fd, const struct iovec *iov, int n, off_t off) \
{									\
	/* -1 means the file's position to the v2 calls only */		\
	return off < 0 ? pl_ret(-EINVAL) : call(fd, iov, n, off, 0);	\
}
VECTORED(preadv, do_preadv)
VECTORED(preadv64, do_preadv)
VECTORED(pwritev, do_pwritev)
VECTORED(pwritev64, do_pwritev)

#define VECTORED2(name, call)						\
PL_EXPORT ssize_t name(int fd, const struct iovec *iov, int n, off_t off, int flags) \
{									\
	return call(fd, iov, n, off, flags);				\
}
VECTORED2(preadv2, do_preadv)
VECTORED2(preadv64v2, do_preadv)
VECTORED2(pwritev2, do_pwritev)
VECTORED2(pwritev64v2, do_pwritev)

/* ---- read, write ---- */

static bool is_mark(const void *buf, size_t n, ssize_t r)
{
	ssize_t whole = n < UIOMMU_READY_BYTES ? (ssize_t)n : UIOMMU_READY_BYTES;

	return r == whole && !memcmp(buf, UIOMMU_READY_MARK, (size_t)r);
}

/* read() of our files is at its end at once, so that it does not block; Linux
 * has no read for /dev/iommu, and for a device one at a position we do not keep. That
 * of a fault queue gets a mark or nothing. */
static ssize_t read_ours(int fd, void *buf, size_t n, ssize_t r)
{
	struct pl_obj o;

	if (!pl_obj_of(fd, &o))
		return r;
	if (o.kind == 'f') {
		pl_fault_files = true;
		return pl_ret(ask(&o, UIOMMU_REQ_READ, buf, n, 0, r > 0));
	}
	if (r < 0)
		return r;
	errno = EINVAL;
	return -1;
}

PL_EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	ssize_t r;

	pl_init();
	r = pl_real.read(fd, buf, n);
	if (__builtin_expect(r > 0 ? r <= UIOMMU_READY_BYTES && is_mark(buf, n, r) :
			     r == 0 ? n > 0 : errno == EAGAIN, 0))
		return read_ours(fd, buf, n, r);
	return r;
}

PL_EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	struct pl_obj o;

	pl_init();
	if (__builtin_expect(pl_fault_files, 0) && pl_obj_of(fd, &o) && o.kind == 'f')
		return pl_ret(ask(&o, UIOMMU_REQ_WRITE, buf, n, 0, false));
	return pl_real.write(fd, buf, n);
}
