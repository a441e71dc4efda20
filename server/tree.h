/* SPDX-License-Identifier: MIT */
/* Making and removing a directory tree, relative to an open directory. */
#ifndef UIOMMU_SERVER_TREE_H
#define UIOMMU_SERVER_TREE_H

#include <stdarg.h>
#include <stddef.h>

/* The first failure is remembered, what follows does nothing. */
struct tree {
	int fd;
	int err;		/* 0, or errno */
	char at[256];		/* what the paths below are relative to, or "" */
};

void tree_at(struct tree *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tree_dir(struct tree *t, const char *path);	/* and those on the way */
void tree_bytes(struct tree *t, const char *path, unsigned mode, const void *p, size_t n);
void tree_file(struct tree *t, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void tree_link(struct tree *t, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Links to every entry of the real directory that has no namesake in @path. */
void tree_merge(struct tree *t, const char *path, const char *real);
/* Removes what is in the directory, never following a link; closes @dirfd. */
void tree_empty(int dirfd);

#endif
