/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/tree.h"

void tree_at(struct tree *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->at, sizeof(t->at), fmt, ap);
	va_end(ap);
	if (t->at[0])
		tree_dir(t, "");
}

/* @path below where we are. */
static const char *full(struct tree *t, const char *path, char *buf, size_t bytes)
{
	int n = snprintf(buf, bytes, "%s%s%s", t->at, t->at[0] && path[0] ? "/" : "", path);

	if (n >= (int)bytes)
		t->err = ENAMETOOLONG;
	return buf;
}

static void fail(struct tree *t, int err)
{
	if (!t->err)
		t->err = err;
}

void tree_dir(struct tree *t, const char *path)
{
	char buf[512], *p = buf;

	full(t, path, buf, sizeof(buf));
	if (t->err || !mkdirat(t->fd, buf, 0755) || errno == EEXIST)
		return;
	if (errno != ENOENT) {
		fail(t, errno);
		return;
	}
	while ((p = strchr(p, '/'))) {
		*p = 0;
		if (mkdirat(t->fd, buf, 0755) && errno != EEXIST)
			fail(t, errno);
		*p++ = '/';
	}
	if (mkdirat(t->fd, buf, 0755))
		fail(t, errno);
}

void tree_bytes(struct tree *t, const char *path, unsigned mode, const void *p, size_t n)
{
	char buf[512];
	int fd;

	full(t, path, buf, sizeof(buf));
	if (t->err)
		return;
	fd = openat(t->fd, buf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		fail(t, errno);
		return;
	}
	if (n && write(fd, p, n) != (ssize_t)n)
		fail(t, errno);
	close(fd);
}

void tree_file(struct tree *t, const char *path, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tree_bytes(t, path, 0644, text, n);
}

void tree_link(struct tree *t, const char *path, const char *fmt, ...)
{
	char buf[512], to[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to, sizeof(to), fmt, ap);
	va_end(ap);
	full(t, path, buf, sizeof(buf));
	if (!t->err && symlinkat(to, t->fd, buf) && errno != EEXIST)
		fail(t, errno);
}

void tree_merge(struct tree *t, const char *path, const char *real)
{
	DIR *d = opendir(real);
	struct dirent *e;

	tree_dir(t, path);
	while (d && (e = readdir(d))) {
		char name[300];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s%s%s", path, path[0] ? "/" : "", e->d_name);
		tree_link(t, name, "%s/%s", real, e->d_name);
	}
	if (d)
		closedir(d);
}

static bool empty_some(DIR *d)
{
	bool any = false;
	struct dirent *e;

	while ((e = readdir(d))) {
		int fd;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (!unlinkat(dirfd(d), e->d_name, 0)) {
			any = true;
			continue;
		}
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		tree_empty(fd);
		any |= !unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	return any;
}

/* Takes the descriptor. A directory that changes under us is read again. */
void tree_empty(int dir)
{
	DIR *d = fdopendir(dir);

	if (!d) {
		close(dir);
		return;
	}
	while (empty_some(d))
		rewinddir(d);
	closedir(d);
}
