/* SPDX-License-Identifier: MIT */
/* The second socket: answers about the machine, for another program of the user. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/inspect.h"
#include "server/internal.h"

#define MAX_INSPECTORS	16

struct inspector {
	struct watch in;
	struct inspector *next;
};

static void inspector_close(struct uiommu_server *s, struct inspector *c)
{
	struct inspector **link = &s->inspectors;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	s->ninspectors--;
	close(c->in.fd);
	free(c);
}

/* ---- answers ---- */

struct answer {
	int fd[UIOMMU_INSPECT_FILES];
	unsigned fds;
	struct uiommu_inspect_rep rep;
	char data[UIOMMU_INSPECT_READ_MAX];	/* what follows it */
};

static bool reachable(uint64_t pa, uint64_t bytes)
{
	return bytes <= UIOMMU_INSPECT_READ_MAX && pa >= UIOMMU_POSIX_TABLE_PA &&
	       pa < UIOMMU_POSIX_PA_END && bytes <= UIOMMU_POSIX_PA_END - pa;
}

/* Registers are left out: reading one may do something. */
static int do_read(struct uiommu_server *s, const struct uiommu_inspect_req *q, struct answer *a)
{
	if (!reachable(q->pa, q->bytes))
		return -UIOMMU_EINVAL;
	if (uiommu_posix_pa_read(s->posix, q->pa, a->data, q->bytes))
		return -UIOMMU_EFAULT;
	a->rep.bytes = q->bytes;
	return 0;
}

static int do_info(struct uiommu_server *s, FILE *f)
{
	fprintf(f, "uiommu %d\nrun %d %d\n", UIOMMU_INSPECT_VERSION, (int)getpid(), (int)s->child);
	if (s->backend.describe)
		s->backend.describe(s->backend.tell_ctx, f);
	return 0;
}

static int do_dtb(struct uiommu_server *s, FILE *f)
{
	const void *dtb = NULL;
	size_t bytes = 0;

	if (!s->backend.dtb)
		return -UIOMMU_ENOENT;
	dtb = s->backend.dtb(s->backend.tell_ctx, &bytes);
	fwrite(dtb, 1, bytes, f);
	return 0;
}

static int put_piece(void *ctx, uiommu_pa_t pa, uint64_t bytes)
{
	const struct uiommu_inspect_piece piece = { pa, bytes };

	return fwrite(&piece, sizeof(piece), 1, ctx) == 1 ? 0 : -UIOMMU_ENOMEM;
}

static int do_frames(struct uiommu_server *s, FILE *f)
{
	return uiommu_posix_for_each_memory(s->posix, UIOMMU_POSIX_FRAMES, put_piece, f);
}

struct copy {
	FILE *f;
	uintptr_t offset;		/* pointer = physical address + this */
};

/* Word by word: drivers and hardware go on writing. */
static int put_table(void *ctx, uiommu_pa_t pa, uint64_t bytes)
{
	const struct copy *c = ctx;
	const uint64_t *from = (const uint64_t *)(uintptr_t)(pa + c->offset);
	uint64_t buf[512];
	int ret = put_piece(c->f, pa, bytes);

	for (uint64_t n; !ret && bytes; bytes -= 8 * n, from += n) {
		n = bytes < sizeof(buf) ? bytes / 8 : sizeof(buf) / 8;
		for (unsigned i = 0; i < n; i++)
			buf[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		if (fwrite(buf, 8, n, c->f) != n)
			ret = -UIOMMU_ENOMEM;
	}
	return ret;
}

static int do_tables(struct uiommu_server *s, FILE *f)
{
	struct copy c = { f, uiommu_posix_host(s->posix)->table_offset };

	return uiommu_posix_for_each_memory(s->posix, UIOMMU_POSIX_TABLES, put_table, &c);
}

typedef int (*put_fn)(struct uiommu_server *s, FILE *f);

static const put_fn files[][UIOMMU_INSPECT_FILES] = {
	[UIOMMU_INSPECT_INFO] = { do_info },
	[UIOMMU_INSPECT_DTB] = { do_dtb },
	[UIOMMU_INSPECT_SNAPSHOT] = { do_info, do_tables, do_frames },
};

/* A file without a name: however long, it is there at once. */
static int make_file(struct uiommu_server *s, put_fn put, int *fd)
{
	FILE *f;
	int ret;

	*fd = memfd_create("uiommu-inspect", MFD_CLOEXEC);
	f = *fd < 0 ? NULL : fdopen(dup(*fd), "w");
	if (!f)
		return -errno;
	ret = put(s, f);
	if (fclose(f) && !ret)
		ret = -UIOMMU_ENOMEM;
	return ret;
}

static int make_files(struct uiommu_server *s, const put_fn *put, struct answer *a)
{
	int ret = 0;

	while (!ret && a->fds < UIOMMU_INSPECT_FILES && put[a->fds]) {
		ret = make_file(s, put[a->fds], &a->fd[a->fds]);
		a->fds += a->fd[a->fds] >= 0;
	}
	return ret;
}

static int answer(struct uiommu_server *s, const struct uiommu_inspect_req *q, struct answer *a)
{
	if (q->version != UIOMMU_INSPECT_VERSION)
		return -UIOMMU_EINVAL;
	if (q->op == UIOMMU_INSPECT_READ)
		return do_read(s, q, a);
	if (!q->op || q->op >= sizeof(files) / sizeof(files[0]))
		return -UIOMMU_EINVAL;
	return make_files(s, files[q->op], a);
}

static bool send_answer(int to, struct answer *a)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(a->fd))];
	} ctl = { 0 };
	struct iovec iov = { &a->rep, sizeof(a->rep) + a->rep.bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (a->fds && !a->rep.ret) {
		m.msg_control = &ctl;
		m.msg_controllen = CMSG_SPACE(a->fds * sizeof(int));
		ctl.h.cmsg_level = SOL_SOCKET;
		ctl.h.cmsg_type = SCM_RIGHTS;
		ctl.h.cmsg_len = CMSG_LEN(a->fds * sizeof(int));
		memcpy(CMSG_DATA(&ctl.h), a->fd, a->fds * sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)iov.iov_len;
}

static bool handle(struct uiommu_server *s, struct inspector *c, const struct uiommu_inspect_req *q)
{
	struct answer *a = calloc(1, sizeof(*a));
	bool sent;

	if (!a)
		return false;
	a->rep.ret = answer(s, q, a);
	sent = send_answer(c->in.fd, a);
	while (a->fds)
		close(a->fd[--a->fds]);
	free(a);
	return sent;
}

static void inspector_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	struct inspector *c = (struct inspector *)w;
	struct {
		struct uiommu_inspect_req q;
		char more;	/* room to see that it is too long */
	} in;
	ssize_t n = recv(w->fd, &in, sizeof(in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(in.q) || !handle(s, c, &in.q))
		inspector_close(s, c);
}

/* ---- who connects ---- */

static bool welcome(struct uiommu_server *s, int fd)
{
	struct ucred cr;
	socklen_t len = sizeof(cr);

	return s->ninspectors < MAX_INSPECTORS &&
	       !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) &&
	       (cr.uid == geteuid() || !cr.uid);
}

static void inspect_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	struct inspector *c;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			conn_refuse(s, w->fd);
		return;
	}
	c = welcome(s, fd) ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->in = (struct watch){ fd, inspector_event };
	c->next = s->inspectors;
	s->inspectors = c;
	s->ninspectors++;
	if (watch_add(s->epfd, &c->in, EPOLLIN))
		inspector_close(s, c);
}

int inspect_init(struct uiommu_server *s)
{
	s->inspect.fn = inspect_event;
	return listen_at(s, UIOMMU_INSPECT_SOCKET, &s->inspect);
}

void inspect_fini(struct uiommu_server *s)
{
	while (s->inspectors)
		inspector_close(s, s->inspectors);
	if (s->inspect.fd >= 0)
		close(s->inspect.fd);
	s->inspect.fd = -1;
}
