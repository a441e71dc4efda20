/* SPDX-License-Identifier: MIT */
/* live.c - a `uiommu run' of this user: found, and asked */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../decode/report.h"
#include "../tool.h"
#include "image.h"
#include "server/proto.h"

/* A server that is busy for longer is stopped, or in a debugger. */
#define PATIENCE_S	5

#define MOST_BYTES	((size_t)1 << 32)

/* ---- one server ---- */

static int connect_to(const char *dir)
{
	const struct timeval patience = { PATIENCE_S, 0 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct ucred cr = { 0 };
	socklen_t len = sizeof(cr);
	int fd, n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" UIOMMU_INSPECT_SOCKET, dir);

	if (n >= (int)sizeof(sa.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* somebody else's socket is not to be believed */
	if (connect(fd, (void *)&sa, sizeof(sa)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) ||
	    (geteuid() && cr.uid != geteuid())) {
		close(fd);
		return -1;
	}
	return fd;
}

static void close_all(const int *fd, unsigned n)
{
	while (n--)
		if (fd[n] >= 0)
			close(fd[n]);
}

/* @n: files in, and how many came out */
static ssize_t receive(int live, void *buf, size_t bytes, int *fd, unsigned *n)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(UIOMMU_INSPECT_FILES * sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { buf, bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	struct cmsghdr *h;
	ssize_t got;

	do
		got = recvmsg(live, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	*n = 0;
	h = got < 0 ? NULL : CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		*n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fd, CMSG_DATA(h), *n * sizeof(int));
	}
	return got;
}

struct reply {
	struct uiommu_inspect_rep rep;
	char data[UIOMMU_INSPECT_READ_MAX];
};

/* 0, or a negative errno; the files are the caller's */
static int ask(int live, enum uiommu_inspect_op op, uint64_t pa, uint32_t bytes, struct reply *r,
	       int *fd, unsigned *n)
{
	const struct uiommu_inspect_req q = {
		.version = UIOMMU_INSPECT_VERSION, .op = op, .pa = pa, .bytes = bytes,
	};
	ssize_t got;

	*n = 0;
	if (send(live, &q, sizeof(q), MSG_NOSIGNAL) != sizeof(q))
		return -errno;
	errno = ECONNRESET;
	got = receive(live, r, sizeof(*r), fd, n);
	if (got < (ssize_t)sizeof(r->rep))
		return -errno;
	if ((size_t)got != sizeof(r->rep) + r->rep.bytes)
		return -EPROTO;
	return r->rep.ret;
}

static int complain(int err)
{
	if (err == -EAGAIN)
		fprintf(stderr, "uiommu: the run has not answered for %d seconds: its server is "
			"stopped, or waits for its program.\n", PATIENCE_S);
	else if (err == -ECONNRESET || err == -EPIPE)
		fputs("uiommu: the run has ended, or does not want to be asked.\n", stderr);
	else
		fprintf(stderr, "uiommu: the run cannot say that: %s.\n", strerror(-err));
	return -1;
}

int live_files(int live, enum uiommu_inspect_op op, struct live_file *out, unsigned n)
{
	struct reply *r = tool_alloc(sizeof(*r));
	int fd[UIOMMU_INSPECT_FILES], ret;
	unsigned got, i = 0;

	ret = ask(live, op, 0, 0, r, fd, &got);
	if (!ret && got != n)
		ret = -EPROTO;
	for (; !ret && i < n; i++) {
		lseek(fd[i], 0, SEEK_SET);
		out[i].p = tool_read_all(fd[i], MOST_BYTES, &out[i].bytes);
		if (!out[i].p)
			ret = -errno;
	}
	while (ret && i-- > 0)
		free(out[i].p);
	close_all(fd, got);
	free(r);
	return ret ? complain(ret) : 0;
}

bool live_read(int live, uint64_t pa, void *buf, uint32_t bytes)
{
	struct reply *r = tool_alloc(sizeof(*r));
	int fd[UIOMMU_INSPECT_FILES];
	unsigned got;
	int ret = ask(live, UIOMMU_INSPECT_READ, pa, bytes, r, fd, &got);
	bool good = !ret && r->rep.bytes == bytes;

	close_all(fd, got);
	if (good)
		memcpy(buf, r->data, bytes);
	else if (ret != -EFAULT && ret != -EINVAL)
		complain(ret);
	free(r);
	return good;
}

/* ---- which ---- */

struct found {
	int *fd;
	struct info *info;
	unsigned n, silent;
};

/* Those that do not answer are counted: a sentence would be about somebody else. */
static void try_dir(struct found *f, const char *dir)
{
	struct reply *r = tool_alloc(sizeof(*r));
	int fd[UIOMMU_INSPECT_FILES], live = connect_to(dir);
	unsigned got = 0;
	size_t bytes;
	char *text = NULL;
	int ret = live < 0 ? -ENOENT : ask(live, UIOMMU_INSPECT_INFO, 0, 0, r, fd, &got);

	f->silent += ret == -EAGAIN;
	if (!ret && got) {
		lseek(fd[0], 0, SEEK_SET);
		text = tool_read_all(fd[0], MOST_BYTES, &bytes);
	}
	close_all(fd, got);
	free(r);
	f->fd = tool_grow(f->fd, f->n, sizeof(*f->fd));
	f->info = tool_grow(f->info, f->n, sizeof(*f->info));
	if (text && info_parse(text, bytes, &f->info[f->n]))
		f->fd[f->n++] = live;
	else if (live >= 0)
		close(live);
	free(text);
}

static void search(struct found *f, const char *base)
{
	char own[32], path[4200];
	DIR *d = base && *base ? opendir(base) : NULL;
	struct dirent *e;

	snprintf(own, sizeof(own), geteuid() ? "uiommu-%u-" : "uiommu-", (unsigned)geteuid());
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, own, strlen(own)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
		try_dir(f, path);
	}
	if (d)
		closedir(d);
}

/* Where a run that was started like this makes its directory (server/shadow.c); one
 * that is named may be elsewhere. Inside a run: that one alone. */
static void find_runs(struct found *f, int pid)
{
	const char *tmp = getenv("TMPDIR"), *root = getenv(UIOMMU_ENV_ROOT);

	if (root && !pid) {
		try_dir(f, root);
		return;
	}
	search(f, tmp);
	if (tmp && *tmp && !pid)
		return;
	search(f, "/dev/shm");
	if (!tmp || strcmp(tmp, "/tmp"))
		search(f, "/tmp");
}

static void list_runs(const struct found *f)
{
	for (unsigned i = 0; i < f->n; i++)
		fprintf(stderr, "uiommu:   %d (its program is %d)\n", f->info[i].server,
			f->info[i].program);
}

static int choose(const struct found *f, int pid)
{
	for (unsigned i = 0; i < f->n; i++)
		if (pid ? f->info[i].server == pid || f->info[i].program == pid : f->n == 1)
			return (int)i;
	if (f->silent)
		fprintf(stderr, "uiommu: %u run%s of yours did not answer within %d seconds: "
			"stopped, or in a debugger?\n", f->silent, f->silent == 1 ? "" : "s",
			PATIENCE_S);
	if (!f->n)
		fputs("uiommu: there is no `uiommu run' of yours that answers.\n", stderr);
	else if (pid)
		fprintf(stderr, "uiommu: %d is no `uiommu run' of yours, nor its program; there "
			"are:\n", pid);
	else
		fputs("uiommu: there are several runs; say which:\n", stderr);
	list_runs(f);
	return -1;
}

int live_connect(int pid)
{
	struct found f = { 0 };
	int i, fd = -1;

	find_runs(&f, pid);
	i = choose(&f, pid);
	for (unsigned k = 0; k < f.n; k++) {
		if ((int)k == i)
			fd = f.fd[k];
		else
			close(f.fd[k]);
		info_fini(&f.info[k]);
	}
	free(f.fd);
	free(f.info);
	return fd;
}
