/* SPDX-License-Identifier: MIT */
/*
 * preload/path.c - which paths are ours
 *
 * A name is first made logical: absolute, without "." and "..", as the program
 * sees the system (a working directory inside the shadow tree loses the tree's
 * root). Then proto.h's list of directories says whether the tree answers it.
 * Symbolic links are followed by the kernel, inside the tree; a ".." after a
 * name of ours is taken physically, as the kernel would.
 */
#include "preload/preload.h"

#include <fcntl.h>

#define DEVICES "/sys/devices/"

struct logical {
	char s[PATH_MAX];
	size_t len;
};

static bool under(const char *name, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(name, dir, n) && (!name[n] || name[n] == '/');
}

static bool in_list(const char *name)
{
	static const char *const dirs[] = { UIOMMU_SHADOW_DIRS, UIOMMU_SHADOW_FILES };

	for (size_t i = 0; i < PL_ARRAY(dirs); i++)
		if (under(name, dirs[i]))
			return true;
	return false;
}

/* <root><name> into @out */
static bool shadow_name(const char *name, size_t len, char *out)
{
	if (pl_env.root_len + len >= PATH_MAX)
		return false;
	memcpy(out, pl_env.root, pl_env.root_len);
	memcpy(out + pl_env.root_len, name, len);
	out[pl_env.root_len + len] = 0;
	return true;
}

/* is it the tree's, and how is it called there */
static bool ours(const struct logical *l, char *out)
{
	struct stat st;

	if (l->len < 5 || (l->s[1] != 'd' && l->s[1] != 's'))
		return false;
	if (in_list(l->s))
		return shadow_name(l->s, l->len, out);
	if (strncmp(l->s, DEVICES, sizeof(DEVICES) - 1) || !shadow_name(l->s, l->len, out) ||
	    pl_sys(SYS_newfstatat, AT_FDCWD, out, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	/* /sys/devices/virtual is there for real too; what is in the tree alone is ours */
	return !strncmp(l->s, UIOMMU_SHADOW_PCI, sizeof(UIOMMU_SHADOW_PCI) - 1) ||
	       pl_sys(SYS_newfstatat, AT_FDCWD, l->s, &st, AT_SYMLINK_NOFOLLOW);
}

size_t pl_unshadow(char *name)
{
	size_t n = pl_env.root_len;

	if (!n || strncmp(name, pl_env.root, n) || (name[n] && name[n] != '/'))
		return 0;
	if (!name[n])
		return 0; /* the root itself is nobody's but ours */
	memmove(name, name + n, strlen(name + n) + 1);
	return n;
}

static char *put_number(char *p, uint64_t n)
{
	char text[20], *q = text + sizeof(text);

	do {
		*--q = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(p, q, (size_t)(text + sizeof(text) - q));
	return p + (text + sizeof(text) - q);
}

void pl_fd_link(int fd, char *buf)
{
	memcpy(buf, "/proc/self/fd/", 14);
	*put_number(buf + 14, (unsigned)fd) = 0;
}

/* where an open directory is, logically */
static bool base_of_fd(int fd, struct logical *l)
{
	char link[PL_FD_LINK];
	long n;

	pl_fd_link(fd, link);
	n = pl_sys(SYS_readlink, link, l->s, sizeof(l->s) - 1);
	if (n <= 0)
		return false;
	l->s[n] = 0;
	return l->s[0] == '/';
}

/* *in_tree: the kernel would look the name up in the tree */
static bool base_of(int dirfd, struct logical *l, bool *in_tree)
{
	if (dirfd == AT_FDCWD) {
		if (pl_sys(SYS_getcwd, l->s, sizeof(l->s)) < 0 || l->s[0] != '/')
			return false;
	} else if (dirfd < 0 || !base_of_fd(dirfd, l)) {
		return false;
	}
	*in_tree = pl_unshadow(l->s) > 0;
	l->len = strlen(l->s);
	if (l->len == 1)
		l->len = 0;
	return true;
}

/* ".." after a name that the tree answers: where the kernel would be */
static void physical(struct logical *l)
{
	char name[PATH_MAX];
	struct logical real;
	long fd;

	if (!ours(l, name))
		return;
	fd = pl_sys(SYS_openat, AT_FDCWD, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	if (base_of_fd((int)fd, &real)) {
		pl_unshadow(real.s);
		l->len = strlen(real.s);
		memcpy(l->s, real.s, l->len + 1);
	}
	pl_sys(SYS_close, fd);
}

static void drop_last(struct logical *l)
{
	while (l->len && l->s[--l->len] != '/')
		;
	l->s[l->len] = 0;
}

static bool append(struct logical *l, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			physical(l);
			drop_last(l);
		} else if (n && !(n == 1 && path[0] == '.')) {
			if (l->len + n + 2 > sizeof(l->s))
				return false;
			l->s[l->len++] = '/';
			memcpy(l->s + l->len, path, n);
			l->len += n;
			l->s[l->len] = 0;
		}
		path += n;
		path += *path == '/';
	}
	return true;
}

/* Most names end here: absolute, and neither in /dev nor in /sys. */
static bool cannot_be_ours(const char *path)
{
	while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	if (!strncmp(path, "dev/", 4) || !strncmp(path, "sys/", 4))
		return false;
	return !strstr(path, "..") && !strstr(path, "/./");
}

static bool base_cannot_be_ours(const struct logical *l, const char *path)
{
	if (!l->len || under(l->s, "/dev") || under(l->s, "/sys"))
		return false;
	return !strstr(path, "..");
}

/*
 * "/dev/iommu", "/dev/vfio/devices/vfio<n>" that the tree really has. Once the
 * whole tree is gone, because its server was killed and a later one tidied up,
 * nobody can say which there were: all are, and opening one is -ENODEV.
 */
static bool is_node(const struct logical *l, const char *name, struct pl_obj *o)
{
	static const char vfio[] = "/dev/vfio/devices/vfio";
	struct stat st;

	memset(o, 0, sizeof(*o));
	if (!strcmp(l->s, "/dev/iommu")) {
		o->kind = 'i';
	} else if (!strncmp(l->s, vfio, sizeof(vfio) - 1) && l->s[sizeof(vfio) - 1]) {
		o->kind = 'v';
		for (const char *p = l->s + sizeof(vfio) - 1; *p; p++) {
			if (*p < '0' || *p > '9')
				return false;
			o->index = o->index * 10 + (unsigned)(*p - '0');
		}
	} else {
		return false;
	}
	if (pl_sys(SYS_newfstatat, AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode);
	return pl_sys(SYS_newfstatat, AT_FDCWD, pl_env.root, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

static enum pl_where place(const struct logical *l, bool slash, bool in_tree, struct pl_path *p)
{
	size_t n;

	if (!ours(l, p->name)) {
		if (!in_tree)
			return PL_ELSEWHERE;
		/* a ".." led out of the tree: the real place, by its full name */
		memcpy(p->name, l->len ? l->s : "/", (l->len ? l->len : 1) + 1);
		return PL_INSTEAD;
	}
	if (!slash)
		return is_node(l, p->name, &p->node) ? PL_NODE : PL_INSTEAD;
	n = strlen(p->name);
	if (n + 2 <= sizeof(p->name))
		memcpy(p->name + n, "/", 2);
	return PL_INSTEAD;
}

enum pl_where pl_resolve(int dirfd, const char *path, struct pl_path *p)
{
	struct logical l;
	bool in_tree = false;
	size_t n;

	if (!path || !*path || !pl_env.root_len)
		return PL_ELSEWHERE;
	l.len = 0;
	l.s[0] = 0;
	if (*path == '/') {
		if (cannot_be_ours(path))
			return PL_ELSEWHERE;
	} else if (!base_of(dirfd, &l, &in_tree) || (!in_tree && base_cannot_be_ours(&l, path)) ||
		   (in_tree && !ours(&l, p->name))) {
		/* The last: <root>/sys and the like, which nobody gets to by a name of the
		 * real system, but a program that walks all of /tmp does. It must stay in
		 * the tree: what it may want is to delete it. */
		return PL_ELSEWHERE;
	}
	if (!append(&l, path))
		return PL_ELSEWHERE;
	n = strlen(path);
	return place(&l, path[n - 1] == '/', in_tree, p);
}

size_t pl_node_name(const struct pl_obj *o, char *buf, size_t bytes)
{
	static const char iommu[] = "/dev/iommu", vfio[] = "/dev/vfio/devices/vfio";
	static const char fault[] = "anon_inode:[iommufd-pgfault]";
	char name[64], *end;
	size_t n;

	if (o->kind == 'i') {
		memcpy(name, iommu, sizeof(iommu));
		end = name + sizeof(iommu) - 1;
	} else if (o->kind == 'f') {
		memcpy(name, fault, sizeof(fault));
		end = name + sizeof(fault) - 1;
	} else {
		memcpy(name, vfio, sizeof(vfio));
		end = put_number(name + sizeof(vfio) - 1, o->index);
	}
	n = (size_t)(end - name);
	memcpy(buf, name, n < bytes ? n : bytes);
	return n < bytes ? n : bytes;
}

int pl_proc_fd(const char *path)
{
	static const char *const start[] = {
		"/proc/self/fd/",
		"/proc/thread-self/fd/",
		"/dev/fd/",
	};
	char own[40] = "/proc/", *end = put_number(own + 6, (uint64_t)pl_sys(SYS_getpid));
	const char *p = NULL;
	int n = 0;

	memcpy(end, "/fd/", 5);
	for (size_t i = 0; i < PL_ARRAY(start) && !p; i++)
		if (!strncmp(path, start[i], strlen(start[i])))
			p = path + strlen(start[i]);
	if (!p && !strncmp(path, own, strlen(own)))
		p = path + strlen(own);
	if (!p || !*p)
		return -1;
	for (; *p >= '0' && *p <= '9' && n < 100000000; p++)
		n = n * 10 + (*p - '0');
	return *p ? -1 : n;
}
