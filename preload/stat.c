/* SPDX-License-Identifier: MIT */
/*
 * preload/stat.c - what is said about a name or a file: stat and its family,
 * access, readlink, realpath, the working directory
 *
 * Answers never show the shadow tree, and our files are character devices with
 * the numbers that their "dev" files in sysfs hold.
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static dev_t rdev_of(const struct pl_obj *o)
{
	if (o->kind == 'i')
		return makedev(UIOMMU_DEV_IOMMU_MAJOR, UIOMMU_DEV_IOMMU_MINOR);
	return makedev(UIOMMU_DEV_VFIO_MAJOR, o->index);
}

/* ---- stat ---- */

static void make_chr(const struct pl_obj *o, struct stat *st)
{
	/* that of a fault queue has no type, as files without an inode of their own */
	st->st_mode = (o->kind == 'f' ? 0 : S_IFCHR) | (st->st_mode & 07777);
	st->st_rdev = o->kind == 'f' ? 0 : rdev_of(o);
	st->st_size = 0;
	st->st_blocks = 0;
}

/* the tree's file that stands for @o: owner, times and inode are its */
static bool stat_node_file(const struct pl_obj *o, struct stat *st)
{
	char name[PATH_MAX];
	size_t n = pl_env.root_len;

	memcpy(name, pl_env.root, n);
	n += pl_node_name(o, name + n, sizeof(name) - n - 1);
	name[n] = 0;
	return pl_sys(SYS_newfstatat, AT_FDCWD, name, st, 0) == 0;
}

static int do_fstat(int fd, struct stat *st)
{
	struct pl_obj o;
	int r;

	pl_init();
	r = pl_real.fstat(fd, st);
	if (__builtin_expect(r == 0 && S_ISSOCK(st->st_mode), 0) && pl_obj_of(fd, &o)) {
		if (!stat_node_file(&o, st))
			st->st_mode = UIOMMU_DEV_MODE;
		make_chr(&o, st);
	}
	return r;
}

static int do_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	struct pl_path p;
	int r;

	pl_init();
	if (path && !*path && (flags & AT_EMPTY_PATH) && dirfd >= 0)
		return do_fstat(dirfd, st);
	switch (pl_resolve(dirfd, path, &p)) {
	case PL_NODE:
		r = pl_real.fstatat(AT_FDCWD, p.name, st, flags);
		if (r == 0)
			make_chr(&p.node, st);
		return r;
	case PL_INSTEAD:
		return pl_real.fstatat(AT_FDCWD, p.name, st, flags);
	case PL_ELSEWHERE:
		break;
	}
	r = pl_real.fstatat(dirfd, path, st, flags);
	if (r == 0 && S_ISSOCK(st->st_mode) && pl_proc_fd(path) >= 0)
		return do_fstat(pl_proc_fd(path), st);
	return r;
}

/* On 64 bits struct stat and struct stat64 are one. */
#define AS_STAT(st) ((struct stat *)(void *)(st))

#define STAT(name, type, flags)						\
PL_EXPORT int name(const char *path, struct type *st)			\
{									\
	return do_fstatat(AT_FDCWD, path, AS_STAT(st), flags);		\
}
STAT(stat, stat, 0)
STAT(stat64, stat64, 0)
STAT(lstat, stat, AT_SYMLINK_NOFOLLOW)
STAT(lstat64, stat64, AT_SYMLINK_NOFOLLOW)

#define FSTAT(name, type)						\
PL_EXPORT int name(int fd, struct type *st)				\
{									\
	return do_fstat(fd, AS_STAT(st));				\
}
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

#define FSTATAT(name, type)						\
PL_EXPORT int name(int dirfd, const char *path, struct type *st, int flags) \
{									\
	return do_fstatat(dirfd, path, AS_STAT(st), flags);		\
}
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

/* what programs built before glibc 2.33 call; @ver 0 and 1 are today's struct */
#define XSTAT(name, type, flags)					\
int name(int ver, const char *path, struct type *st);			\
PL_EXPORT int name(int ver, const char *path, struct type *st)		\
{									\
	return ver == 0 || ver == 1 ?					\
	       do_fstatat(AT_FDCWD, path, AS_STAT(st), flags) : (int)pl_ret(-EINVAL); \
}
XSTAT(__xstat, stat, 0)
XSTAT(__xstat64, stat64, 0)
XSTAT(__lxstat, stat, AT_SYMLINK_NOFOLLOW)
XSTAT(__lxstat64, stat64, AT_SYMLINK_NOFOLLOW)

#define FXSTAT(name, type)						\
int name(int ver, int fd, struct type *st);				\
PL_EXPORT int name(int ver, int fd, struct type *st)			\
{									\
	return ver == 0 || ver == 1 ? do_fstat(fd, AS_STAT(st)) : (int)pl_ret(-EINVAL); \
}
FXSTAT(__fxstat, stat)
FXSTAT(__fxstat64, stat64)

#define FXSTATAT(name, type)						\
int name(int ver, int dirfd, const char *path, struct type *st, int flags); \
PL_EXPORT int name(int ver, int dirfd, const char *path, struct type *st, int flags) \
{									\
	return ver == 0 || ver == 1 ?					\
	       do_fstatat(dirfd, path, AS_STAT(st), flags) : (int)pl_ret(-EINVAL); \
}
FXSTATAT(__fxstatat, stat)
FXSTATAT(__fxstatat64, stat64)

/* ---- statx ---- */

static void statx_chr(const struct pl_obj *o, struct statx *sx)
{
	dev_t dev = o->kind == 'f' ? 0 : rdev_of(o);

	sx->stx_mode = (uint16_t)((o->kind == 'f' ? 0 : S_IFCHR) | (sx->stx_mode & 07777));
	sx->stx_rdev_major = major(dev);
	sx->stx_rdev_minor = minor(dev);
	sx->stx_size = 0;
	sx->stx_blocks = 0;
}

static int statx_fd(int fd, int flags, unsigned mask, struct statx *sx)
{
	int r = pl_real.statx(fd, "", flags | AT_EMPTY_PATH, mask, sx);
	struct stat st;
	struct pl_obj o;

	if (r || !S_ISSOCK(sx->stx_mode) || !pl_obj_of(fd, &o))
		return r;
	if (stat_node_file(&o, &st)) {
		sx->stx_mode = (uint16_t)st.st_mode;
		sx->stx_ino = st.st_ino;
		sx->stx_uid = st.st_uid;
		sx->stx_gid = st.st_gid;
		sx->stx_dev_major = major(st.st_dev);
		sx->stx_dev_minor = minor(st.st_dev);
	}
	statx_chr(&o, sx);
	return 0;
}

PL_EXPORT int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *sx)
{
	struct pl_path p;
	int r;

	pl_init();
	if (path && !*path && (flags & AT_EMPTY_PATH) && dirfd >= 0)
		return statx_fd(dirfd, flags, mask, sx);
	switch (pl_resolve(dirfd, path, &p)) {
	case PL_NODE:
		r = pl_real.statx(AT_FDCWD, p.name, flags, mask | STATX_TYPE, sx);
		if (r == 0)
			statx_chr(&p.node, sx);
		return r;
	case PL_INSTEAD:
		return pl_real.statx(AT_FDCWD, p.name, flags, mask, sx);
	case PL_ELSEWHERE:
		break;
	}
	r = pl_real.statx(dirfd, path, flags, mask, sx);
	if (r == 0 && S_ISSOCK(sx->stx_mode) && pl_proc_fd(path) >= 0)
		return statx_fd(pl_proc_fd(path), flags, mask, sx);
	return r;
}

/* sysfs is a file system of its own, and some ask */
static int do_statfs(const char *path, struct statfs *fs)
{
	struct pl_path p;
	int r;

	pl_init();
	if (pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE)
		return pl_real.statfs(path, fs);
	r = pl_real.statfs(p.name, fs);
	if (r == 0 && !strncmp(p.name + pl_env.root_len, "/sys/", 5))
		fs->f_type = SYSFS_MAGIC;
	return r;
}

PL_EXPORT int statfs(const char *path, struct statfs *fs)
{
	return do_statfs(path, fs);
}

PL_EXPORT int statfs64(const char *path, struct statfs64 *fs)
{
	return do_statfs(path, (struct statfs *)(void *)fs);
}

/* ls asks for access lists */
#define XATTR(call, nr)							\
PL_EXPORT ssize_t call(const char *path, const char *key, void *value, size_t n) \
{									\
	struct pl_path p;						\
									\
	pl_init();							\
	return pl_ret(pl_sys(nr, pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name, \
			     key, value, n));				\
}
XATTR(getxattr, SYS_getxattr)
XATTR(lgetxattr, SYS_lgetxattr)

#define LISTXATTR(call, nr)						\
PL_EXPORT ssize_t call(const char *path, char *list, size_t n)		\
{									\
	struct pl_path p;						\
									\
	pl_init();							\
	return pl_ret(pl_sys(nr, pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name, \
			     list, n));					\
}
LISTXATTR(listxattr, SYS_listxattr)
LISTXATTR(llistxattr, SYS_llistxattr)

/* ---- access ---- */

PL_EXPORT int faccessat(int dirfd, const char *path, int mode, int flags)
{
	struct pl_path p;

	pl_init();
	if (pl_resolve(dirfd, path, &p) == PL_ELSEWHERE)
		return pl_real.faccessat(dirfd, path, mode, flags);
	return pl_real.faccessat(AT_FDCWD, p.name, mode, flags);
}

PL_EXPORT int access(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, 0);
}

static int do_euidaccess(const char *path, int mode)
{
	struct pl_path p;

	pl_init();
	return pl_real.euidaccess(pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name,
				  mode);
}

PL_EXPORT int euidaccess(const char *path, int mode)
{
	return do_euidaccess(path, mode);
}

PL_EXPORT int eaccess(const char *path, int mode)
{
	return do_euidaccess(path, mode);
}

/* ---- links ---- */

/* Writes the name of our file that descriptor @fd is, as /proc/self/fd shows it. */
static ssize_t link_of_fd(int fd, char *buf, size_t room)
{
	struct pl_obj o;

	return pl_obj_of(fd, &o) ? (ssize_t)pl_node_name(&o, buf, room) : -1;
}

/* A link's text that leads into the tree, without the tree's root. It is read
 * again into a buffer that holds all of it, because @room may cut it. */
static ssize_t link_unshadowed(int dirfd, const char *path, char *buf, size_t room)
{
	char text[PATH_MAX];
	ssize_t n = pl_sys(SYS_readlinkat, dirfd, path, text, sizeof(text) - 1);

	if (n < 0)
		return n;
	text[n] = 0;
	n -= (ssize_t)pl_unshadow(text);
	if ((size_t)n > room)
		n = (ssize_t)room;
	memcpy(buf, text, (size_t)n);
	return n;
}

static ssize_t do_readlinkat(int dirfd, const char *path, char *buf, size_t room)
{
	size_t look = pl_env.root_len < room ? pl_env.root_len : room;
	struct pl_path p;
	ssize_t n, own;

	if (pl_resolve(dirfd, path, &p) != PL_ELSEWHERE) {
		dirfd = AT_FDCWD;
		path = p.name;
	}
	n = pl_real.readlinkat(dirfd, path, buf, room);
	if (n <= 0)
		return n;
	if (!memcmp(buf, "socket:", n < 7 ? (size_t)n : 7) && pl_proc_fd(path) >= 0) {
		own = link_of_fd(pl_proc_fd(path), buf, room);
		return own > 0 ? own : n;
	}
	if (look && (size_t)n >= look && !memcmp(buf, pl_env.root, look))
		return pl_ret(link_unshadowed(dirfd, path, buf, room));
	return n;
}

PL_EXPORT ssize_t readlinkat(int dirfd, const char *path, char *buf, size_t room)
{
	pl_init();
	return do_readlinkat(dirfd, path, buf, room);
}

PL_EXPORT ssize_t readlink(const char *path, char *buf, size_t room)
{
	pl_init();
	return do_readlinkat(AT_FDCWD, path, buf, room);
}

extern void __chk_fail(void) __attribute__((noreturn));
ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t n, size_t room);

PL_EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return readlink(path, buf, n);
}

PL_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return readlinkat(dirfd, path, buf, n);
}

static char *do_realpath(const char *path, char *out)
{
	struct pl_path p;
	char *r;

	pl_init();
	if (pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE)
		r = pl_real.realpath(path, out);
	else
		r = pl_real.realpath(p.name, out);
	if (r)
		pl_unshadow(r);
	return r;
}

PL_EXPORT char *realpath(const char *path, char *out)
{
	return do_realpath(path, out);
}

char *__realpath_chk(const char *path, char *out, size_t room);
PL_EXPORT char *__realpath_chk(const char *path, char *out, size_t room)
{
	if (room < PATH_MAX)
		__chk_fail();
	return do_realpath(path, out);
}

PL_EXPORT char *canonicalize_file_name(const char *path)
{
	return do_realpath(path, NULL);
}

/* ---- working directory ---- */

PL_EXPORT int chdir(const char *path)
{
	struct pl_path p;

	pl_init();
	return pl_real.chdir(pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name);
}

/* A buffer that is too small for the tree's name may hold the short one. */
static char *getcwd_in_tree(char *buf, size_t room)
{
	char name[PATH_MAX];

	if (!buf || pl_sys(SYS_getcwd, name, sizeof(name)) < 0 || !pl_unshadow(name) ||
	    strlen(name) >= room) {
		errno = ERANGE;
		return NULL;
	}
	return strcpy(buf, name);
}

PL_EXPORT char *getcwd(char *buf, size_t room)
{
	char *r;

	pl_init();
	r = pl_real.getcwd(buf, room);
	if (r)
		pl_unshadow(r);
	else if (errno == ERANGE)
		r = getcwd_in_tree(buf, room);
	return r;
}

char *__getcwd_chk(char *buf, size_t n, size_t room);
PL_EXPORT char *__getcwd_chk(char *buf, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return getcwd(buf, n);
}

PL_EXPORT char *get_current_dir_name(void)
{
	char *r;

	pl_init();
	r = pl_real.get_current_dir_name();
	if (r)
		pl_unshadow(r);
	return r;
}
