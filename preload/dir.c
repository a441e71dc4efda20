/* SPDX-License-Identifier: MIT */
/*
 * preload/dir.c - reading directories of the shadow tree
 *
 * A directory of the tree is a real one, so readdir() needs help only where the
 * tree has a plain file for a device.
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <stdlib.h>

PL_EXPORT DIR *opendir(const char *path)
{
	struct pl_path p;

	pl_init();
	return pl_real.opendir(pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE ? path : p.name);
}

/* is this open directory <root>/dev or below it */
static bool in_our_dev(int fd)
{
	char link[PL_FD_LINK], name[PATH_MAX];
	long n;

	pl_fd_link(fd, link);
	n = pl_sys(SYS_readlink, link, name, sizeof(name) - 1);
	if (n <= 0)
		return false;
	name[n] = 0;
	return pl_unshadow(name) && !strncmp(name, "/dev", 4);
}

/* the first letters keep this off every other directory's path */
static void fix_type(DIR *d, struct dirent *e)
{
	if (e->d_type == DT_REG &&
	    (!strncmp(e->d_name, "vfio", 4) || !strcmp(e->d_name, "iommu")) && in_our_dev(dirfd(d)))
		e->d_type = DT_CHR;
}

static struct dirent *do_readdir(DIR *d)
{
	struct dirent *e;
	int saved = errno;

	pl_init();
	e = pl_real.readdir(d);
	if (e) {
		fix_type(d, e);
		errno = saved;
	}
	return e;
}

PL_EXPORT struct dirent *readdir(DIR *d)
{
	return do_readdir(d);
}

PL_EXPORT struct dirent64 *readdir64(DIR *d)
{
	return (struct dirent64 *)(void *)do_readdir(d);
}

/* ---- scandir: libc opens the directory without asking us ---- */

typedef int (*filter_fn)(const struct dirent *);
typedef int (*compare_fn)(const struct dirent **, const struct dirent **);
typedef int (*filter64_fn)(const struct dirent64 *);
typedef int (*compare64_fn)(const struct dirent64 **, const struct dirent64 **);

static int do_scandir(int dirfd, const char *path, struct dirent ***list, filter_fn f, compare_fn c)
{
	struct pl_path p;

	pl_init();
	if (pl_resolve(dirfd, path, &p) != PL_ELSEWHERE)
		return pl_real.scandir(p.name, list, f, c);
	return dirfd == AT_FDCWD ? pl_real.scandir(path, list, f, c)
				 : pl_real.scandirat(dirfd, path, list, f, c);
}

PL_EXPORT int scandir(const char *path, struct dirent ***list, filter_fn f, compare_fn c)
{
	return do_scandir(AT_FDCWD, path, list, f, c);
}

PL_EXPORT int scandirat(int dirfd, const char *path, struct dirent ***list, filter_fn f,
			compare_fn c)
{
	return do_scandir(dirfd, path, list, f, c);
}

PL_EXPORT int scandir64(const char *path, struct dirent64 ***list, filter64_fn f, compare64_fn c)
{
	return do_scandir(AT_FDCWD, path, (struct dirent ***)(void *)list,
			  (filter_fn)(void (*)(void))f, (compare_fn)(void (*)(void))c);
}

PL_EXPORT int scandirat64(int dirfd, const char *path, struct dirent64 ***list, filter64_fn f,
			  compare64_fn c)
{
	return do_scandir(dirfd, path, (struct dirent ***)(void *)list,
			  (filter_fn)(void (*)(void))f, (compare_fn)(void (*)(void))c);
}

/* ---- glob: the pattern gets the root, the results lose it ---- */

/* the directories of a pattern that stand before its first special character */
static bool pattern_is_ours(const char *pattern, char *out)
{
	char dir[PATH_MAX];
	struct pl_path p;
	size_t n = strcspn(pattern, "*?[{\\"), end = n;

	if (pattern[0] != '/' || strlen(pattern) + pl_env.root_len >= PATH_MAX)
		return false;
	while (pattern[n] && end && pattern[end - 1] != '/')
		end--;
	memcpy(dir, pattern, end);
	dir[end] = 0;
	if (pl_resolve(AT_FDCWD, dir, &p) == PL_ELSEWHERE)
		return false;
	memcpy(out, pl_env.root, pl_env.root_len);
	strcpy(out + pl_env.root_len, pattern);
	return true;
}

static int do_glob(const char *pattern, int flags, int (*err)(const char *, int), glob_t *g)
{
	char name[PATH_MAX];
	int r;

	pl_init();
	if (!pattern || !pl_env.root_len || (flags & GLOB_ALTDIRFUNC) ||
	    !pattern_is_ours(pattern, name))
		return pl_real.glob(pattern, flags, err, g);
	r = pl_real.glob(name, flags, err, g);
	if (r)
		return r;
	for (size_t i = 0; i < g->gl_pathc; i++)
		pl_unshadow(g->gl_pathv[i + (flags & GLOB_DOOFFS ? g->gl_offs : 0)]);
	return 0;
}

PL_EXPORT int glob(const char *pattern, int flags, int (*err)(const char *, int), glob_t *g)
{
	return do_glob(pattern, flags, err, g);
}

PL_EXPORT int glob64(const char *pattern, int flags, int (*err)(const char *, int), glob64_t *g)
{
	return do_glob(pattern, flags, err, (glob_t *)(void *)g);
}

/* ---- file tree walks: the callback has no argument of its own ---- */

typedef int (*nftw_fn)(const char *, const struct stat *, int, struct FTW *);
typedef int (*ftw_fn)(const char *, const struct stat *, int);

static __thread nftw_fn nftw_callback __attribute__((tls_model("initial-exec")));
static __thread ftw_fn ftw_callback __attribute__((tls_model("initial-exec")));

/* how much of the front of @path is the tree's root */
static size_t root_part(const char *path)
{
	return strncmp(path, pl_env.root, pl_env.root_len) ? 0 : pl_env.root_len;
}

static int nftw_step(const char *path, const struct stat *st, int type, struct FTW *f)
{
	size_t n = root_part(path);
	struct FTW here = { f->base - (int)n, f->level };

	return nftw_callback(path + n, st, type, &here);
}

static int ftw_step(const char *path, const struct stat *st, int type)
{
	return ftw_callback(path + root_part(path), st, type);
}

static int do_nftw(const char *path, nftw_fn fn, int fds, int flags)
{
	nftw_fn outer = nftw_callback;
	struct pl_path p;
	int r;

	pl_init();
	if (pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE)
		return pl_real.nftw(path, fn, fds, flags);
	nftw_callback = fn;
	r = pl_real.nftw(p.name, nftw_step, fds, flags);
	nftw_callback = outer;
	return r;
}

static int do_ftw(const char *path, ftw_fn fn, int fds)
{
	ftw_fn outer = ftw_callback;
	struct pl_path p;
	int r;

	pl_init();
	if (pl_resolve(AT_FDCWD, path, &p) == PL_ELSEWHERE)
		return pl_real.ftw(path, fn, fds);
	ftw_callback = fn;
	r = pl_real.ftw(p.name, ftw_step, fds);
	ftw_callback = outer;
	return r;
}

PL_EXPORT int nftw(const char *path, nftw_fn fn, int fds, int flags)
{
	return do_nftw(path, fn, fds, flags);
}

PL_EXPORT int nftw64(const char *path,
		     int (*fn)(const char *, const struct stat64 *, int, struct FTW *), int fds,
		     int flags)
{
	return do_nftw(path, (nftw_fn)(void (*)(void))fn, fds, flags);
}

PL_EXPORT int ftw(const char *path, ftw_fn fn, int fds)
{
	return do_ftw(path, fn, fds);
}

PL_EXPORT int ftw64(const char *path, int (*fn)(const char *, const struct stat64 *, int), int fds)
{
	return do_ftw(path, (ftw_fn)(void (*)(void))fn, fds);
}
