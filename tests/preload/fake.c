/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/fake.c - a server that is nothing but the protocol: it runs a
 * program with the library preloaded and answers it from a few pages of memory
 *
 *	fake <library> program [argument...]
 *
 * Its exit status is the program's.
 */
#define _GNU_SOURCE
#include "server/proto.h"
#include "tests/preload/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CLIENTS	64
#define MAX_OBJECTS	256

struct client {
	int sock, pid;
};

static struct client clients[MAX_CLIENTS];
static unsigned num_clients;
static struct {
	int fd;
	uint32_t id;
	char kind;
} objects[MAX_OBJECTS];
static unsigned num_objects;
static uint32_t next_object = 1;

static uint8_t *bar;
static int bar_memfd;
static struct fake_log log_;
static uint64_t hidden_at, hidden_len;
static int ring = -1;
static bool gone;	/* as if it had ended: every file is closed */
static char root[] = "/tmp/uiommu-fake-XXXXXX";
static char sock_path[64];

static void die(const char *what)
{
	perror(what);
	exit(125);
}

/* ---- the shadow tree ---- */

static void make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	if (mkdir(path, 0755))
		die(path);
}

static void make_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s%s", root, name);
	fd = open(path, O_CREAT | O_WRONLY | O_EXCL, mode);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void make_link(const char *to, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	if (symlink(to, path))
		die(path);
}

#define DEVICE "/sys/devices/pci0000:01/0000:01:00.0"

static void make_tree(void)
{
	static const char *const dirs[] = {
		"/dev", "/dev/vfio", "/dev/vfio/devices", "/sys", "/sys/bus", "/sys/bus/pci",
		"/sys/bus/pci/devices", "/sys/bus/pci/drivers", "/sys/bus/pci/drivers/vfio-pci",
		"/sys/class", "/sys/class/vfio-dev", "/sys/kernel", "/sys/kernel/iommu_groups",
		"/sys/kernel/iommu_groups/1", "/sys/kernel/iommu_groups/1/devices",
		"/sys/devices", "/sys/devices/pci0000:01", DEVICE, DEVICE "/vfio-dev",
		DEVICE "/vfio-dev/vfio0",
	};

	if (!mkdtemp(root))
		die(root);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(dirs[i]);
	make_file("/dev/iommu", "10:120\n", 0600);
	make_file("/dev/vfio/devices/vfio0", "508:0\n", 0600);
	make_file(DEVICE "/vendor", "0x1234\n", 0444);
	make_file(DEVICE "/device", "0x11e8\n", 0444);
	make_file(DEVICE "/vfio-dev/vfio0/dev", "508:0\n", 0444);
	make_link("../../../devices/pci0000:01/0000:01:00.0", "/sys/bus/pci/devices/0000:01:00.0");
	make_link("../../../bus/pci/drivers/vfio-pci", DEVICE "/driver");
	make_link("../../../kernel/iommu_groups/1", DEVICE "/iommu_group");
	make_link("../../devices/pci0000:01/0000:01:00.0/vfio-dev/vfio0", "/sys/class/vfio-dev/vfio0");
}

static void remove_tree(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command))
		fprintf(stderr, "fake: %s stays\n", root);
}

/* ---- talking ---- */

static void reply(struct client *c, const struct uiommu_rep *rep, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)rep, sizeof(*rep) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	sendmsg(c->sock, &msg, MSG_NOSIGNAL);
}

static struct uiommu_up_answer upcall(struct client *c, uint32_t op, uint64_t r0, uint64_t r1,
				      uint64_t r2, uint64_t r3, uint64_t r4)
{
	struct uiommu_rep rep = { .op = op, .r = { r0, r1, r2, r3, r4 } };
	struct uiommu_up_answer ans = { .ret = -EPIPE };

	reply(c, &rep, -1);
	recv(c->sock, &ans, sizeof(ans), 0);
	return ans;
}

static int copy_in(struct client *c, uint64_t at, void *buf, size_t n)
{
	struct iovec here = { buf, n }, there = { (void *)at, n };

	return process_vm_readv(c->pid, &here, 1, &there, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static int copy_out(struct client *c, uint64_t at, const void *buf, size_t n)
{
	struct iovec here = { (void *)buf, n }, there = { (void *)at, n };

	return process_vm_writev(c->pid, &here, 1, &there, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

/* ---- requests ---- */

static int new_object(char kind)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int lis = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), theirs, ours, n;

	n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "%s%d/%u/%c0", UIOMMU_NAME_PREFIX,
		     getpid(), next_object, kind);
	if (bind(lis, (void *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) ||
	    listen(lis, 1))
		die("bind");
	theirs = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(theirs, (void *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)))
		die("connect");
	ours = accept4(lis, NULL, NULL, SOCK_CLOEXEC);
	close(lis);
	shutdown(ours, SHUT_WR);
	objects[num_objects].fd = ours;
	objects[num_objects].kind = kind;
	objects[num_objects++].id = next_object++;
	return theirs;
}

static int64_t fake_ioctl(struct client *c, uint64_t cmd, uint64_t arg)
{
	struct uiommu_up_answer ans;
	struct fake_pin pin;

	switch ((uint32_t)cmd) {
	case FAKE_ECHO:
		return (int64_t)arg;
	case FAKE_LOG:
		if (copy_out(c, arg, &log_, sizeof(log_)))
			return -EFAULT;
		memset(&log_, 0, sizeof(log_));
		return 0;
	case FAKE_OBJECTS:
		return num_objects;
	case FAKE_CLIENTS:
		return num_clients;
	case FAKE_DIE:
		gone = true;
		return 0;
	case FAKE_SLOW:
		usleep(100000);
		return 0;
	case FAKE_RING:
		ans = upcall(c, UIOMMU_UP_RING, 8, 16, 0, 0, 0);
		ring = (int)ans.r[0];
		return ans.ret;
	case FAKE_PEEK:
		return copy_in(c, hidden_at, &pin, 1) ? -EFAULT : *(uint8_t *)&pin;
	case FAKE_RELEASE:
		return upcall(c, UIOMMU_UP_UNHIDE, 0, 0, hidden_at, hidden_len, 1).ret;
	}
	if (copy_in(c, arg, &pin, sizeof(pin)))
		return -EFAULT;
	switch ((uint32_t)cmd) {
	case FAKE_PIN:
		pin.result = (int)upcall(c, UIOMMU_UP_PIN, (unsigned)ring, 0, pin.addr, pin.len, 3).ret;
		break;
	case FAKE_HIDE:
		hidden_at = pin.addr;
		hidden_len = pin.len;
		pin.result = (int)upcall(c, UIOMMU_UP_HIDE, 0, 0, pin.addr, pin.len, 0).ret;
		break;
	case FAKE_PROTECT:
		pin.result = (int)upcall(c, UIOMMU_UP_PROTECT, 0, 0, pin.addr, pin.len,
					 (unsigned)pin.result).ret;
		break;
	default:
		return -ENOTTY;
	}
	return copy_out(c, arg, &pin, sizeof(pin));
}

static int64_t transfer(struct client *c, const struct uiommu_req *q)
{
	uint64_t n = q->a[1];

	if (q->a[0] >= FAKE_BAR_BYTES)
		return -EINVAL;
	if (n > FAKE_BAR_BYTES - q->a[0])
		n = FAKE_BAR_BYTES - q->a[0];
	if (q->op == UIOMMU_REQ_READ ? copy_out(c, q->a[2], bar + q->a[0], n) :
				       copy_in(c, q->a[2], bar + q->a[0], n))
		return -EFAULT;
	return (int64_t)n;
}

static int64_t map_own(const struct uiommu_req *q, struct uiommu_rep *rep, int *fd)
{
	if (q->a[0] != FAKE_OWN || q->a[1] != FAKE_BAR_BYTES)
		return -ENXIO;
	rep->r[2] = UIOMMU_MAP_TRAPPED_FILE;
	*fd = new_object('i');
	return 0;
}

static int64_t map(const struct uiommu_req *q, struct uiommu_rep *rep, int *fd)
{
	bool shared = q->a[0] >= FAKE_SHARED;
	uint64_t off = q->a[0] - (shared ? FAKE_SHARED : 0);

	if (q->a[0] >= FAKE_OWN)
		return map_own(q, rep, fd);
	if (off + q->a[1] > FAKE_BAR_BYTES || !(q->a[3] & MAP_SHARED))
		return -EINVAL;
	rep->r[0] = 0;
	rep->r[1] = off;
	rep->r[2] = shared ? UIOMMU_MAP_MEMORY : UIOMMU_MAP_TRAPPED;
	if (shared)
		*fd = bar_memfd;
	return 0;
}

/* A piece that is not aligned, or has another size, is a mistake of the library. */
static void access_bar(const struct uiommu_req *q, struct uiommu_rep *rep)
{
	uint64_t off = q->a[1], size = q->a[2];

	if (!size || (size & (size - 1)) || size > 64 || (off & (size - 1)) ||
	    off + size > FAKE_BAR_BYTES) {
		fprintf(stderr, "fake: access of %lu at %#lx\n", (unsigned long)size,
			(unsigned long)off);
		rep->ret = -EINVAL;
	} else if (q->op == UIOMMU_REQ_LOAD) {
		memcpy(rep->r, bar + off, size);
		log_.loads++;
		log_.last_load = (uint32_t)size;
	} else {
		memcpy(bar + off, size > 8 ? (const void *)q->path : &q->a[3], size);
		log_.stores++;
		log_.last_store = (uint32_t)size;
	}
}

static void check_hangups(void)
{
	for (unsigned i = 0; i < num_objects;) {
		struct pollfd p = { objects[i].fd, 0, 0 };

		if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP)) {
			close(objects[i].fd);
			objects[i] = objects[--num_objects];
		} else {
			i++;
		}
	}
}

static bool known(uint32_t id)
{
	for (unsigned i = 0; i < num_objects; i++)
		if (objects[i].id == id)
			return true;
	return false;
}

static void handle(struct client *c, const struct uiommu_req *q)
{
	struct uiommu_rep rep = { .op = UIOMMU_REP_DONE };
	int fd = -1;

	check_hangups();
	if (q->obj && !known(q->obj)) {
		rep.ret = -EBADF;
		reply(c, &rep, -1);
		return;
	}
	switch (q->op) {
	case UIOMMU_REQ_HELLO:
		c->pid = (int)q->a[1];
		rep.r[0] = UIOMMU_PROTO_VERSION;
		rep.r[1] = (uint64_t)getpid();
		break;
	case UIOMMU_REQ_OPEN:
		fd = new_object(strcmp(q->path, "iommu") ? 'v' : 'i');
		break;
	case UIOMMU_REQ_IOCTL:
		rep.ret = fake_ioctl(c, q->a[0], q->a[1]);
		break;
	case UIOMMU_REQ_READ:
	case UIOMMU_REQ_WRITE:
		rep.ret = transfer(c, q);
		break;
	case UIOMMU_REQ_MMAP:
		rep.ret = map(q, &rep, &fd);
		break;
	case UIOMMU_REQ_LOAD:
	case UIOMMU_REQ_STORE:
		access_bar(q, &rep);
		break;
	case UIOMMU_REQ_MOVED:
		rep.ret = q->a[0] == hidden_at;
		if (rep.ret) {
			hidden_at = q->a[2];
			hidden_len = q->a[1];
		}
		break;
	default:
		rep.ret = -EINVAL;
	}
	if (gone)
		return;
	reply(c, &rep, fd);
	if (fd >= 0 && fd != bar_memfd)
		close(fd);
}

static void serve(int lis)
{
	struct pollfd p[MAX_CLIENTS + 1];
	struct uiommu_req q;

	for (unsigned i = 0; i < num_clients; i++)
		p[i] = (struct pollfd){ clients[i].sock, POLLIN, 0 };
	p[num_clients] = (struct pollfd){ lis, POLLIN, 0 };
	if (poll(p, num_clients + 1, 20) <= 0)
		return;
	for (unsigned i = num_clients; i--;) {
		if (!p[i].revents)
			continue;
		if (recv(clients[i].sock, &q, sizeof(q), 0) == sizeof(q)) {
			handle(&clients[i], &q);
			continue;
		}
		close(clients[i].sock);
		clients[i] = clients[--num_clients];
		return;
	}
	if (p[num_clients].revents && num_clients < MAX_CLIENTS) {
		clients[num_clients].sock = accept4(lis, NULL, NULL, SOCK_CLOEXEC);
		num_clients++;
	}
}

static pid_t start(const char *lib, char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setenv("LD_PRELOAD", lib, 1);
	setenv(UIOMMU_ENV_ROOT, root, 1);
	setenv(UIOMMU_ENV_SOCKET, sock_path, 1);
	if (!getenv("FAKE_LOUD"))
		setenv(UIOMMU_ENV_QUIET, "1", 1);
	execvp(argv[0], argv);
	die(argv[0]);
	return -1;
}

static void clean_up(void)
{
	unlink(sock_path);
	remove_tree();
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int lis, status;
	pid_t pid;

	if (argc < 3)
		return 125;
	make_tree();
	snprintf(sock_path, sizeof(sock_path), "%s.sock", root);
	strcpy(a.sun_path, sock_path);
	lis = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(lis, (void *)&a, sizeof(a)) || listen(lis, 16))
		die("socket");
	bar_memfd = memfd_create("bar", MFD_CLOEXEC);
	if (ftruncate(bar_memfd, FAKE_BAR_BYTES))
		die("memfd");
	bar = mmap(NULL, FAKE_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, bar_memfd, 0);
	pid = start(argv[1], argv + 2);
	atexit(clean_up);
	while (!gone && waitpid(pid, &status, WNOHANG) == 0)
		serve(lis);
	if (gone) {
		close_range(3, ~0U, 0);
		waitpid(pid, &status, 0);
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "fake: the program died of signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
