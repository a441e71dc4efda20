/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

int client_socket(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = getenv(UIOMMU_ENV_SOCKET);
	int sock;

	if (!path)
		return -ENOENT;
	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return connect(sock, (void *)&sa, sizeof(sa)) ? -errno : sock;
}

int client_connect(struct client *c)
{
	struct uiommu_req hello = { .op = UIOMMU_REQ_HELLO, .a = { UIOMMU_PROTO_VERSION } };
	struct uiommu_rep rep;

	c->sock = client_socket();
	if (c->sock < 0)
		return c->sock;
	if (client_call(c, &hello, &rep, NULL))
		return -EPROTO;
	c->server = rep.r[1];
	return 0;
}

static int up_ring(struct client *c, const uint64_t *r, uint64_t *out)
{
	struct io_uring_params p = { 0 };
	struct io_uring_rsrc_register reg = { .nr = r[1], .flags = IORING_RSRC_REGISTER_SPARSE };
	int fd;

	if (c->no_ring)
		return -EPERM;
	fd = syscall(SYS_io_uring_setup, r[0], &p);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS2, &reg, sizeof(reg)) < 0)
		return -errno;
	c->rings++;
	*out = fd;
	return 0;
}

static int up_pin(const uint64_t *r)
{
	struct iovec iov = { (void *)r[2], r[3] };
	struct io_uring_rsrc_update2 up = { .offset = r[1], .data = (uintptr_t)&iov, .nr = 1 };
	int n = syscall(SYS_io_uring_register, (int)r[0], IORING_REGISTER_BUFFERS_UPDATE, &up,
			sizeof(up));

	return n < 0 ? -errno : 0;
}

static int up_unhide(struct client *c, const uint64_t *r)
{
	c->unhidden++;
	if (c->inert)
		return 0;
	for (unsigned i = 0; i < c->nhidden; i++)
		if (c->hidden[i].va == r[2] && c->hidden[i].len == r[3])
			c->hidden[i] = c->hidden[--c->nhidden];
	return r[4] && munmap((void *)r[2], r[3]) ? -errno : 0;
}

static void answer(struct client *c, const struct uiommu_rep *up)
{
	struct uiommu_up_answer a = { 0 };

	switch (up->op) {
	case UIOMMU_UP_RING:
		a.ret = up_ring(c, up->r, &a.r[0]);
		break;
	case UIOMMU_UP_PIN:
		a.ret = up_pin(up->r);
		break;
	case UIOMMU_UP_PROTECT:
		c->protects++;
		a.ret = !c->inert && mprotect((void *)up->r[2], up->r[3], up->r[4]) ? -errno : 0;
		break;
	case UIOMMU_UP_HIDE:
		if (c->inert)
			break;
		c->hidden[c->nhidden].va = up->r[2];
		c->hidden[c->nhidden++].len = up->r[3];
		break;
	case UIOMMU_UP_UNHIDE:
		a.ret = up_unhide(c, up->r);
		break;
	default:
		a.ret = -EINVAL;
	}
	send(c->sock, &a, sizeof(a), MSG_NOSIGNAL);
}

static ssize_t receive(struct client *c, struct uiommu_rep *rep, int *fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { rep, sizeof(*rep) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(c->sock, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*fd = -1;
	if (h && h->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(h), sizeof(int));
	return n;
}

int64_t client_call(struct client *c, const struct uiommu_req *req, struct uiommu_rep *rep, int *fd)
{
	int got = -1;

	if (send(c->sock, req, sizeof(*req), MSG_NOSIGNAL) != sizeof(*req))
		return -EPIPE;
	for (;;) {
		if (receive(c, rep, &got) != sizeof(*rep))
			return -EPIPE;
		if (rep->op == UIOMMU_REP_DONE)
			break;
		if (c->hang_up) {
			close(c->sock);
			return -EPIPE;
		}
		answer(c, rep);
	}
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	return rep->ret;
}

int client_open(struct client *c, const char *path)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_OPEN };
	struct uiommu_rep rep;
	int64_t ret;
	int fd;

	snprintf(req.path, sizeof(req.path), "%s", path);
	ret = client_call(c, &req, &rep, &fd);
	return ret < 0 ? ret : fd;
}

uint32_t client_object(int fd)
{
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa);
	unsigned number;
	int pid;

	if (getpeername(fd, (void *)&sa, &len) || sa.sun_path[0])
		return 0;
	if (sscanf(sa.sun_path + 1, UIOMMU_NAME_PREFIX "%d/%u/", &pid, &number) != 2)
		return 0;
	return number;
}

int64_t client_ioctl(struct client *c, int fd, uint32_t cmd, void *arg)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_IOCTL, .obj = client_object(fd),
				  .a = { cmd, (uintptr_t)arg } };
	struct uiommu_rep rep;

	return client_call(c, &req, &rep, NULL);
}

static bool is_hidden(struct client *c, uint64_t va, uint64_t len)
{
	for (unsigned i = 0; i < c->nhidden; i++)
		if (va < c->hidden[i].va + c->hidden[i].len && c->hidden[i].va < va + len)
			return true;
	return false;
}

int client_munmap(struct client *c, void *p, size_t len)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_MOVED, .a = { (uintptr_t)p, len } };
	struct uiommu_rep rep;
	void *q;

	if (!is_hidden(c, (uintptr_t)p, len))
		return munmap(p, len);
	q = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, q) != q)
		return -1;
	req.a[2] = (uintptr_t)q;
	if (!client_call(c, &req, &rep, NULL))
		munmap(q, len);
	return 0;
}
