/* SPDX-License-Identifier: MIT */
/*
 * preload/conn.c - which object a file is, and the talk with the server
 *
 * One connection per process, made at the first request. What it says about
 * itself stands in memory that fork() wipes, so a child makes its own. A vfork
 * child has its parent's memory but a process of its own; it gets a connection
 * for each request. A program that closes every descriptor closes ours too: the
 * socket's inode number tells, and another connection is made.
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* where a forked child finds the descriptor that it inherited */
static int inherited_fd;
static uint64_t inherited_ino;

pl_sigset pl_block_all(void)
{
	pl_sigset all = ~0ULL, old = 0;

	pl_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	return old;
}

void pl_unblock(pl_sigset old)
{
	pl_sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
}

/* 0 free, 1 taken, 2 taken and somebody waits */
void pl_lock(_Atomic int *lock)
{
	int free = 0;

	if (__builtin_expect(__atomic_compare_exchange_n((int *)lock, &free, 1, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
			     1))
		return;
	while (__atomic_exchange_n((int *)lock, 2, __ATOMIC_ACQUIRE))
		pl_sys(SYS_futex, lock, FUTEX_WAIT_PRIVATE, 2, 0);
}

void pl_unlock(_Atomic int *lock)
{
	if (__atomic_exchange_n((int *)lock, 0, __ATOMIC_RELEASE) == 2)
		pl_sys(SYS_futex, lock, FUTEX_WAKE_PRIVATE, 1);
}

void pl_conn_lock(void)
{
	pl_lock(&pl_process->conn_lock);
}

void pl_conn_unlock(void)
{
	pl_unlock(&pl_process->conn_lock);
}

/* ---- names ---- */

static bool number(const char **p, const char *end, uint64_t *out)
{
	uint64_t n = 0;
	const char *s = *p;

	while (s < end && *s >= '0' && *s <= '9')
		n = n * 10 + (uint64_t)(*s++ - '0');
	if (s == *p)
		return false;
	*p = s;
	*out = n;
	return true;
}

/* "uiommu/<pid>/<object>/<kind><index>" */
static bool parse_name(const char *p, const char *end, struct pl_obj *o)
{
	size_t prefix = sizeof(UIOMMU_NAME_PREFIX) - 1;
	uint64_t id, index;

	if ((size_t)(end - p) <= prefix || memcmp(p, UIOMMU_NAME_PREFIX, prefix))
		return false;
	p += prefix;
	if (!number(&p, end, &o->server) || p >= end || *p++ != '/' || !number(&p, end, &id) ||
	    end - p < 3 || *p++ != '/')
		return false;
	o->kind = *p++;
	if (!number(&p, end, &index))
		return false;
	o->id = (uint32_t)id;
	o->index = (unsigned)index;
	return o->kind == 'i' || o->kind == 'v' || o->kind == 'f';
}

bool pl_obj_of(int fd, struct pl_obj *o)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	const char *name = a.sun_path;

	if (pl_sys(SYS_getpeername, fd, &a, &len) < 0 || a.sun_family != AF_UNIX)
		return false;
	if (len <= offsetof(struct sockaddr_un, sun_path) + 1 || len > sizeof(a) || name[0])
		return false;
	return parse_name(name + 1, (const char *)&a + len, o);
}

/* ---- making a connection ---- */

static uint64_t ino_of(int fd)
{
	struct stat st;

	return pl_sys(SYS_fstat, fd, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

int pl_move_high(int fd)
{
	struct rlimit lim = { 256, 256 };
	long high;

	pl_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &lim);
	high = lim.rlim_cur > 1024 ? 1024 : (long)lim.rlim_cur;
	high = pl_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, high - high / 4);
	if (high < 0)
		return fd;
	pl_sys(SYS_close, fd);
	return (int)high;
}

static int64_t transact(int sock, const struct uiommu_req *req, struct uiommu_rep *rep, int *fd);

/* No request takes so long. Signals are blocked meanwhile, so a server that does
 * not answer must not hold a program for ever. */
#define ANSWER_SECONDS 120

static void set_timeouts(int sock)
{
	struct timeval t = { ANSWER_SECONDS, 0 };

	pl_sys(SYS_setsockopt, sock, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	pl_sys(SYS_setsockopt, sock, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	long sock, r;

	if (!n || n >= sizeof(a.sun_path))
		return -ENODEV;
	memcpy(a.sun_path, path, n);
	sock = pl_sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return (int)sock;
	set_timeouts((int)sock);
	r = pl_sys(SYS_connect, sock, &a, offsetof(struct sockaddr_un, sun_path) + n + 1);
	if (r < 0) {
		pl_sys(SYS_close, sock);
		return (int)r;
	}
	return pl_move_high((int)sock);
}

/* HELLO; the server reads and writes this process's memory, which Yama allows
 * only to ancestors unless we say so */
static int hello(int pid, uint64_t *server)
{
	struct uiommu_req req = {
		.op = UIOMMU_REQ_HELLO,
		.a = { UIOMMU_PROTO_VERSION, (unsigned)pid },
	};
	struct uiommu_rep rep;
	int sock = connect_to(pl_env.socket);
	int64_t r;

	if (sock < 0)
		return sock;
	r = transact(sock, &req, &rep, NULL);
	if (r < 0 || rep.r[0] != UIOMMU_PROTO_VERSION) {
		pl_sys(SYS_close, sock);
		return -ENODEV;
	}
	*server = rep.r[1];
	pl_sys(SYS_prctl, PR_SET_PTRACER, rep.r[1]);
	return sock;
}

static void close_if(int fd, uint64_t ino)
{
	if (ino && ino_of(fd) == ino)
		pl_sys(SYS_close, fd);
}

/* a connection that is known to be ours, or negative errno. *mine: close it
 * after use. */
static int connection(struct pl_process *p, bool *mine, uint64_t *server)
{
	int pid = (int)pl_sys(SYS_getpid), sock;

	*mine = p->pid && p->pid != pid; /* a vfork child */
	if (*mine)
		return hello(pid, server);
	if (p->conn_ino && ino_of(p->conn) == p->conn_ino) {
		*server = p->server;
		return p->conn;
	}
	if (!p->pid)
		close_if(inherited_fd, inherited_ino);
	p->pid = pid;
	sock = hello(pid, &p->server);
	*server = p->server;
	if (sock >= 0) {
		inherited_fd = p->conn = sock;
		inherited_ino = p->conn_ino = ino_of(sock);
	}
	return sock;
}

/* ---- talking ---- */

static int take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static long send_all(int sock, const void *buf, size_t bytes)
{
	long n;

	do {
		n = pl_sys(SYS_sendto, sock, buf, bytes, MSG_NOSIGNAL, 0, 0);
	} while (n == -EINTR);
	return n;
}

static long receive(int sock, struct uiommu_rep *rep, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { rep, sizeof(*rep) };
	struct msghdr msg;
	long n;

	do {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		n = pl_sys(SYS_recvmsg, sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n == -EINTR);
	*fd = n > 0 ? take_fd(&msg) : -1;
	return n;
}

/* the request, its upcalls, its answer; rep->op says whether it came to that */
static int64_t transact(int sock, const struct uiommu_req *req, struct uiommu_rep *rep, int *fd)
{
	struct uiommu_up_answer ans;
	int got = -1;

	if (send_all(sock, req, sizeof(*req)) != sizeof(*req))
		return -EPIPE;
	for (;;) {
		if (receive(sock, rep, &got) != sizeof(*rep))
			return -ENODEV;
		if (rep->op == UIOMMU_REP_DONE)
			break;
		pl_upcall(rep, got, &ans);
		if (send_all(sock, &ans, sizeof(ans)) != sizeof(ans))
			return -ENODEV;
	}
	if (fd)
		*fd = got;
	else if (got >= 0)
		pl_sys(SYS_close, got);
	return rep->ret;
}

static int64_t no_server(void)
{
	static _Atomic int said;

	if (!__atomic_exchange_n((int *)&said, 1, __ATOMIC_RELAXED))
		pl_say("the software IOMMU cannot be reached (its server has ended, or this "
		       "process may not connect to it): no such device from here on");
	return -ENODEV;
}

int64_t pl_call_locked(const struct uiommu_req *req, uint64_t server, struct uiommu_rep *rep,
		       int *fd)
{
	struct pl_process *p = pl_process;
	uint64_t now;
	int64_t r;
	bool mine;
	int sock;

	if (fd)
		*fd = -1;
	sock = connection(p, &mine, &now);
	if (sock < 0)
		return no_server();
	rep->op = 0;
	r = -ENODEV; /* a file that another server made */
	if (!server || server == now) {
		r = transact(sock, req, rep, fd);
		if (rep->op != UIOMMU_REP_DONE) {
			r = no_server();
			mine = true;
			p->conn_ino = p->conn == sock ? 0 : p->conn_ino;
		}
	}
	if (mine)
		pl_sys(SYS_close, sock);
	return r;
}

int64_t pl_call(const struct uiommu_req *req, uint64_t server, struct uiommu_rep *rep, int *fd)
{
	pl_sigset old = pl_block_all();
	int64_t r;

	pl_conn_lock();
	r = pl_call_locked(req, server, rep, fd);
	pl_conn_unlock();
	pl_unblock(old);
	return r;
}
