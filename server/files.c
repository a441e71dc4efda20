/* SPDX-License-Identifier: MIT */
/*
 * Objects given out as real files: the program has one end of a socketpair, we
 * have the other. The kernel counts the copies for us, across dup, fork, exec,
 * SCM_RIGHTS and death; the last close is a hang-up here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/internal.h"

static struct object **bucket(struct uiommu_server *s, uint32_t number)
{
	return &s->objects[number % OBJECT_BUCKETS];
}

struct object *object_find(struct uiommu_server *s, uint32_t number)
{
	struct object *o = *bucket(s, number);

	while (o && o->number != number)
		o = o->next;
	return o;
}

static void object_remove(struct uiommu_server *s, struct object *o)
{
	struct object **link = bucket(s, o->number);

	while (*link != o)
		link = &(*link)->next;
	*link = o->next;
	s->nobjects--;
	close(o->hup.fd);
}

static void object_release(struct uiommu_server *s, struct object *o)
{
	object_remove(s, o);
	o->o.ops->release(o->o.obj);
	free(o);
}

void object_take_back(struct uiommu_server *s, struct object *o)
{
	object_remove(s, o);
	free(o);
}

void object_ready(struct object *o)
{
	if (!atomic_exchange(&o->marked, true))
		send(o->hup.fd, UIOMMU_READY_MARK, UIOMMU_READY_BYTES,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void object_hup(struct uiommu_server *s, struct watch *w, uint32_t events)
{
	object_release(s, (struct object *)w);
}

static int bind_name(int fd, const struct object *o)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, UIOMMU_NAME_PREFIX "%d/%u/%c%u",
			 (int)getpid(), o->number, o->o.ops->letter, o->o.index);

	return bind(fd, (void *)&sa, offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

/* Our end says nothing ever: a read() of the other end returns 0 at once. One that
 * marks says when there is something. */
static int prepare(struct uiommu_server *s, struct object *o)
{
	if (bind_name(o->hup.fd, o) || (!o->o.ops->marks && shutdown(o->hup.fd, SHUT_WR)))
		return -errno;
	return watch_add(s->objects_epfd, &o->hup, 0);
}

int object_give(struct uiommu_server *s, const struct opened *opened, struct object **out, int *fd)
{
	struct object *o = calloc(1, sizeof(*o));
	int pair[2], ret;

	if (!o)
		return -UIOMMU_ENOMEM;
	if (socketpair(AF_UNIX, (opened->ops->marks ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC,
		       0, pair)) {
		ret = -errno;
		free(o);
		return ret;
	}
	*o = (struct object){ .hup = { pair[0], object_hup }, .number = ++s->last_number,
			      .o = *opened };
	ret = prepare(s, o);
	if (ret) {
		close(pair[0]);
		close(pair[1]);
		free(o);
		return ret;
	}
	o->next = *bucket(s, o->number);
	*bucket(s, o->number) = o;
	s->nobjects++;
	*out = o;
	*fd = pair[1];
	return 0;
}

int uaccess_file_give(void *ctx, struct uiommu_as *as, const void *kind, void *obj,
		      struct uiommu_given **out, int *fd)
{
	struct uiommu_server *s = ctx;
	struct opened opened = { .ops = s->backend.given ? s->backend.given(kind) : NULL,
				 .obj = obj };
	struct uiommu_rep up = { .op = UIOMMU_UP_FILE };
	struct object *o;
	uint64_t number = 0;
	int theirs, ret;

	if (!opened.ops)
		return -UIOMMU_EFAULT;
	ret = object_give(s, &opened, &o, &theirs);
	if (ret)
		return ret == -EMFILE || ret == -ENFILE ? -UIOMMU_ENOMEM : ret;
	ret = upcall_with(as, &up, theirs, &number);
	close(theirs);
	if (ret) {
		object_take_back(s, o);
		return ret == -EMFILE ? -UIOMMU_ENOMEM : -UIOMMU_EFAULT;
	}
	*out = (struct uiommu_given *)o;
	*fd = (int)number;
	return 0;
}

void uaccess_file_ready(void *ctx, struct uiommu_given *g)
{
	object_ready((struct object *)g);
}

struct object *object_of_fd(struct uiommu_server *s, int fd)
{
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa);
	char name[sizeof(sa.sun_path) + 1] = "";
	unsigned number;
	int pid;

	if (getpeername(fd, (void *)&sa, &len) || sa.sun_family != AF_UNIX ||
	    len <= offsetof(struct sockaddr_un, sun_path) + 1 || sa.sun_path[0])
		return NULL;
	memcpy(name, sa.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
	if (sscanf(name, UIOMMU_NAME_PREFIX "%d/%u/", &pid, &number) != 2 || pid != getpid())
		return NULL;
	return object_find(s, number);
}

void objects_reap(struct uiommu_server *s)
{
	struct epoll_event ev;

	while (epoll_wait(s->objects_epfd, &ev, 1, 0) == 1)
		object_hup(s, ev.data.ptr, ev.events);
}

void objects_release_all(struct uiommu_server *s)
{
	for (unsigned i = 0; i < OBJECT_BUCKETS; i++)
		while (s->objects[i])
			object_release(s, s->objects[i]);
}
