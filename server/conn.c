/* SPDX-License-Identifier: MIT */
/*
 * Connections: one per process of the program. Requests are handled one at a
 * time; during one, the process that asked waits, and can be asked back. What
 * comes in is not trusted: anything that is not a request ends the connection,
 * and nothing here waits for a process longer than UIOMMU_UPCALL_MS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/internal.h"

static void conn_close(struct uiommu_server *s, struct conn *c)
{
	struct conn **link = &s->conns;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	if (c->as->conn == c)
		c->as->conn = NULL;
	as_unref(c->as);
	close(c->in.fd);
	free(c);
}

void conns_close_all(struct uiommu_server *s)
{
	while (s->conns)
		conn_close(s, s->conns);
}

/* ---- sending and asking back ---- */

/* One message with at most one file. A process that does not read what it asked
 * for is broken. */
static int send_rep(struct conn *c, const struct uiommu_rep *rep, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { (void *)rep, sizeof(*rep) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = &ctl;
		m.msg_controllen = sizeof(ctl);
		ctl.h.cmsg_level = SOL_SOCKET;
		ctl.h.cmsg_type = SCM_RIGHTS;
		ctl.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&ctl.h), &fd, sizeof(int));
	}
	if (sendmsg(c->in.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*rep))
		return 0;
	c->broken = true;
	return -UIOMMU_EFAULT;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int recv_answer(struct conn *c, struct uiommu_up_answer *ans)
{
	struct pollfd p = { .fd = c->in.fd, .events = POLLIN };
	int64_t end = now_ms() + UIOMMU_UPCALL_MS, left;
	int n = 0;

	while (n <= 0 && (left = end - now_ms()) > 0)
		if ((n = poll(&p, 1, left)) < 0 && errno != EINTR)
			break;
	/* one byte more than there should be: room to see that it is too long */
	if (n == 1) {
		char buf[sizeof(*ans) + 1];

		if (recv(c->in.fd, buf, sizeof(buf), MSG_DONTWAIT) == sizeof(*ans)) {
			memcpy(ans, buf, sizeof(*ans));
			return 0;
		}
	}
	c->broken = true;
	return -UIOMMU_EFAULT;
}

int upcall(struct uiommu_as *as, struct uiommu_rep *up, uint64_t *r0)
{
	return upcall_with(as, up, -1, r0);
}

int upcall_with(struct uiommu_as *as, struct uiommu_rep *up, int fd, uint64_t *r0)
{
	struct conn *c = as->s->current;
	struct uiommu_up_answer ans;

	if (!c || c->as != as || c->broken)
		return -UIOMMU_EFAULT;
	if (send_rep(c, up, fd) || recv_answer(c, &ans))
		return -UIOMMU_EFAULT;
	if (r0)
		*r0 = ans.r[0];
	return ans.ret < -4095 || ans.ret > 0 ? -UIOMMU_EFAULT : ans.ret;
}

/* ---- requests ---- */

/* A request under way. */
struct call {
	struct uiommu_server *s;
	struct conn *c;
	const struct uiommu_req *req;
	struct object *o;		/* NULL where the request names none */
	struct uiommu_rep *rep;
	int fd;				/* to send along and close; -1 */
};

static int64_t do_hello(struct call *k)
{
	k->rep->r[0] = UIOMMU_PROTO_VERSION;
	k->rep->r[1] = getpid();
	if (k->req->a[0] != UIOMMU_PROTO_VERSION)
		return -UIOMMU_EINVAL;
	k->c->hello = true;
	return 0;
}

static int64_t do_open(struct call *k)
{
	struct opened opened = { 0 };
	struct object *o;
	int ret;

	if (!memchr(k->req->path, 0, sizeof(k->req->path)))
		return -UIOMMU_ENOENT;
	ret = k->s->backend.open(k->s->backend.ctx, k->req->path, &opened);
	if (ret)
		return ret;
	ret = object_give(k->s, &opened, &o, &k->fd);
	if (ret) {
		opened.ops->release(opened.obj);
		return ret;
	}
	k->rep->r[0] = o->number;
	k->rep->r[1] = opened.index;
	return 0;
}

static int64_t do_ioctl(struct call *k)
{
	const struct opened *o = &k->o->o;

	return o->ops->ioctl ? o->ops->ioctl(o->obj, k->c->as, k->req->a[0], k->req->a[1])
			     : -UIOMMU_ENOTTY;
}

static int64_t do_read(struct call *k)
{
	const struct opened *o = &k->o->o;
	const uint64_t *a = k->req->a;

	if (a[3])
		atomic_store(&k->o->marked, false);
	return o->ops->read ? o->ops->read(o->obj, k->c->as, a[0], a[1], a[2]) : -UIOMMU_EINVAL;
}

static int64_t do_write(struct call *k)
{
	const struct opened *o = &k->o->o;
	const uint64_t *a = k->req->a;

	return o->ops->write ? o->ops->write(o->obj, k->c->as, a[0], a[1], a[2]) : -UIOMMU_EINVAL;
}

/* The file that stands for a mapping goes with the answer. */
static int64_t give_mapping(struct call *k, const struct opened *file)
{
	struct object *o;
	int ret = object_give(k->s, file, &o, &k->fd);

	if (!ret)
		return 0;
	file->ops->release(file->obj);
	return -UIOMMU_ENOMEM;
}

static int64_t do_mmap(struct call *k)
{
	const struct opened *o = &k->o->o;
	const uint64_t *a = k->req->a;
	struct mapped m = { .fd = -1 };
	int ret;

	if (!o->ops->mmap)
		return -UIOMMU_ENODEV;
	if (!(a[3] & MAP_SHARED)) /* as well in MAP_SHARED_VALIDATE */
		return -UIOMMU_EINVAL;
	ret = o->ops->mmap(o->obj, a[0], (a[1] + 4095) & ~4095ull, (unsigned)a[2], &m);
	if (ret)
		return ret;
	k->fd = m.fd;
	k->rep->r[0] = m.region;
	k->rep->r[1] = m.off;
	k->rep->r[2] = m.fd >= 0 ? UIOMMU_MAP_MEMORY : UIOMMU_MAP_TRAPPED;
	if (!m.file.ops)
		return 0;
	k->rep->r[2] = UIOMMU_MAP_TRAPPED_FILE;
	return give_mapping(k, &m.file);
}

/* One access, or several of 8 bytes for the wide ones. */
static bool width_ok(const struct uiommu_req *req, unsigned max)
{
	uint64_t size = req->a[2];

	return size && size <= max && !(size & (size - 1)) &&
	       !(req->a[1] & ((size < 8 ? size : 8) - 1)) && req->a[0] <= UINT32_MAX;
}

static int64_t do_load(struct call *k)
{
	const struct opened *o = &k->o->o;
	const uint64_t *a = k->req->a;

	if (!o->ops->load || !width_ok(k->req, 32))
		return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < a[2]; i += 8)
		k->rep->r[i / 8] = o->ops->load(o->obj, a[0], a[1] + i, a[2] < 8 ? a[2] : 8);
	return 0;
}

static int64_t do_store(struct call *k)
{
	const struct opened *o = &k->o->o;
	const uint64_t *a = k->req->a;

	if (!o->ops->store || !width_ok(k->req, 64))
		return -UIOMMU_EINVAL;
	if (a[2] <= 8)
		o->ops->store(o->obj, a[0], a[1], a[3], a[2]);
	for (unsigned i = 0; a[2] > 8 && i < a[2]; i += 8) {
		uint64_t v;

		memcpy(&v, k->req->path + i, 8);
		o->ops->store(o->obj, a[0], a[1] + i, v, 8);
	}
	return 0;
}

static int64_t do_moved(struct call *k)
{
	const uint64_t *a = k->req->a;

	if ((a[0] | a[1] | a[2]) & 4095 || a[0] + a[1] < a[0] || a[2] + a[1] < a[2])
		return -UIOMMU_EINVAL;
	return hidden_moved(k->c->as, a[0], a[1], a[2]);
}

static const struct request {
	int64_t (*fn)(struct call *k);
	bool object;		/* names one */
	bool trap;		/* comes from a signal handler: never asks back */
} requests[] = {
	[UIOMMU_REQ_HELLO] = { do_hello, false, true },
	[UIOMMU_REQ_OPEN] = { do_open, false, false },
	[UIOMMU_REQ_IOCTL] = { do_ioctl, true, false },
	[UIOMMU_REQ_READ] = { do_read, true, false },
	[UIOMMU_REQ_WRITE] = { do_write, true, false },
	[UIOMMU_REQ_MMAP] = { do_mmap, true, false },
	[UIOMMU_REQ_LOAD] = { do_load, true, true },
	[UIOMMU_REQ_STORE] = { do_store, true, true },
	[UIOMMU_REQ_MOVED] = { do_moved, false, false },
};

static int64_t dispatch(struct call *k)
{
	uint32_t op = k->req->op;
	const struct request *r;

	if (!op || op >= sizeof(requests) / sizeof(requests[0]))
		return -UIOMMU_EINVAL;
	r = &requests[op];
	if (!k->c->hello && op != UIOMMU_REQ_HELLO)
		return -UIOMMU_EINVAL;
	if (r->object && !(k->o = object_find(k->s, k->req->obj)))
		return -UIOMMU_EBADF;
	if (r->trap)
		return r->fn(k);
	k->s->current = k->c;
	unhide_flush(k->c->as);
	k->rep->ret = r->fn(k);
	unhide_flush(k->c->as);
	k->s->current = NULL;
	return k->rep->ret;
}

static void handle(struct uiommu_server *s, struct conn *c, const struct uiommu_req *req)
{
	struct uiommu_rep rep = { .op = UIOMMU_REP_DONE };
	struct call k = { .s = s, .c = c, .req = req, .rep = &rep, .fd = -1 };

	rep.ret = dispatch(&k);
	if (!c->broken)
		send_rep(c, &rep, rep.ret < 0 ? -1 : k.fd);
	if (k.fd >= 0)
		close(k.fd);
}

static void conn_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	struct conn *c = (struct conn *)w;
	struct {
		struct uiommu_req req;
		char more;	/* room to see that it is too long */
	} in;
	ssize_t n = recv(w->fd, &in, sizeof(in), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(in.req)) {
		conn_close(s, c);
		return;
	}
	objects_reap(s);
	handle(s, c, &in.req);
	if (c->broken)
		conn_close(s, c);
}

/* ---- who connects ---- */

static bool peer_ok(int fd, pid_t *pid)
{
	struct ucred cr;
	socklen_t len = sizeof(cr);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) || cr.pid <= 0)
		return false;
	*pid = cr.pid;
	return cr.uid == geteuid() || !geteuid();
}

static struct conn *conn_new(struct uiommu_server *s, int fd)
{
	struct conn *c;
	pid_t pid;

	if (!peer_ok(fd, &pid))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->in = (struct watch){ fd, conn_event };
	c->as = as_for(s, pid, fd);
	if (!c->as)
		goto no_as;
	if (watch_add(s->epfd, &c->in, EPOLLIN))
		goto no_watch;
	c->as->conn = c;
	return c;

no_watch:
	as_unref(c->as);
no_as:
	free(c);
	return NULL;
}

/* Out of file descriptors: take the connection with one kept for this, and
 * drop it, or it would be waiting there for ever. */
void conn_refuse(struct uiommu_server *s, int listener)
{
	int fd;

	say_no_fds(s);
	close(s->spare_fd);
	fd = accept(listener, NULL, NULL);
	if (fd >= 0)
		close(fd);
	s->spare_fd = fcntl(s->listener.fd, F_DUPFD_CLOEXEC, 0);
}

static void listener_event(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			conn_refuse(s, w->fd);
		return;
	}
	c = conn_new(s, fd);
	if (!c) {
		close(fd);
		return;
	}
	c->next = s->conns;
	s->conns = c;
}

int listen_at(struct uiommu_server *s, const char *name, struct watch *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", s->root, name);

	if (n >= (int)sizeof(sa.sun_path))
		return -UIOMMU_EINVAL;
	w->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0 || bind(w->fd, (void *)&sa, sizeof(sa)) || listen(w->fd, 128))
		return -errno;
	return watch_add(s->epfd, w, EPOLLIN);
}

int listener_init(struct uiommu_server *s)
{
	int ret;

	s->listener.fn = listener_event;
	ret = listen_at(s, "socket", &s->listener);
	if (!ret)
		s->spare_fd = fcntl(s->listener.fd, F_DUPFD_CLOEXEC, 0);
	return ret;
}

void listener_fini(struct uiommu_server *s)
{
	if (s->listener.fd >= 0)
		close(s->listener.fd);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	s->listener.fd = s->spare_fd = -1;
}
