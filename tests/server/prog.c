/* SPDX-License-Identifier: MIT */
/*
 * The program that the server's tests start. Each scenario is one name on the
 * command line; it exits 0 when everything was as it should be, and says on
 * stderr what was not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"
#include "host/posix/posix.h"
#include "server/inspect.h"

#define CHECK(x) do {									\
	long long v_ = (long long)(x);							\
	if (!v_) {									\
		fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno);	\
		exit(1);								\
	}										\
} while (0)

#define PAGE	4096ul
#define RW	(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)

static struct client cl;

static int open_iommu(void)
{
	int fd = client_open(&cl, "iommu");

	CHECK(fd >= 0);
	return fd;
}

static long pin(int fd, void *p, uint64_t len, unsigned prot)
{
	struct fake_pin a = { .va = (uintptr_t)p, .len = len, .prot = prot };

	return client_ioctl(&cl, fd, FAKE_PIN, &a);
}

static long dma(int fd, long pin, uint64_t off, void *buf, uint64_t len, bool write)
{
	struct fake_dma a = { pin, off, len, write, (uintptr_t)buf };

	return client_ioctl(&cl, fd, FAKE_DMA, &a);
}

static void *pages(unsigned n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static long released(int fd)
{
	return client_ioctl(&cl, fd, FAKE_RELEASED, NULL);
}

static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK(!syscall(SYS_capget, &h, d));
	d[0].effective &= ~(1u << CAP_IPC_LOCK);
	d[0].permitted &= ~(1u << CAP_IPC_LOCK);
	CHECK(!syscall(SYS_capset, &h, d));
}

/* Skips the case: the last line on stdout is its reason. */
static void cannot_try(const char *why, ...) __attribute__((format(printf, 1, 2), noreturn));
static void cannot_try(const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	vprintf(why, ap);
	va_end(ap);
	printf("\n");
	exit(77);
}

static bool may_lock_anything(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK(!syscall(SYS_capget, &h, d));
	return d[0].effective & 1u << CAP_IPC_LOCK;
}

static uint64_t memlock_limit(void)
{
	struct rlimit r;

	CHECK(!getrlimit(RLIMIT_MEMLOCK, &r));
	return r.rlim_cur;
}

/* For a pin that is within RLIMIT_MEMLOCK. The kernel counts all that a user has
 * pinned together, other tests' too, and what is released some time later: wait
 * until there is room. Says so and skips the case if that is never. */
static long pin_in_time(int fd, void *p, uint64_t len)
{
	for (int i = 0; i < 3000; i++) {
		long id = pin(fd, p, len, RW);

		if (id != -ENOMEM || may_lock_anything())
			return id;
		usleep(10000);
	}
	cannot_try("other processes of this user have pinned what RLIMIT_MEMLOCK allows");
}

/* In a child of its own; returns when it has ended well. */
static void in_child(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int st;

	CHECK(pid >= 0);
	if (!pid) {
		close(cl.sock);
		memset(&cl, 0, sizeof(cl));
		CHECK(!client_connect(&cl));
		fn(arg);
		exit(0);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	CHECK(WIFEXITED(st) && !WEXITSTATUS(st));
}

/* ---- files ---- */

static void t_basic(void)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t v = 0x1234;
	int fd = open_iommu(), fd2;
	char c;

	CHECK(client_object(fd));
	CHECK(!client_ioctl(&cl, fd, FAKE_COPY, &v) && v == ~0x1234ull);
	CHECK(client_ioctl(&cl, fd, FAKE_COPY, (void *)8) == -EFAULT);
	CHECK(client_ioctl(&cl, fd, 999, NULL) == -ENOTTY);
	CHECK(client_open(&cl, "nothing") == -ENOENT);
	CHECK(read(fd, &c, 1) == 0);
	p.fd = fd;
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLIN);
	fd2 = open_iommu();
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == 2);
	close(fd2);
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == 1);
	CHECK(released(fd) == 1);
}

static void t_closed(void)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_IOCTL, .a = { FAKE_RELEASED } };
	struct uiommu_rep rep;
	int fd = open_iommu();

	req.obj = client_object(fd);
	close(fd);
	CHECK(client_call(&cl, &req, &rep, NULL) == -EBADF);
}

static void t_dup(void)
{
	int watch = open_iommu(), fd = open_iommu(), fd2 = dup(fd), fd3 = fcntl(fd2, F_DUPFD, 100);

	CHECK(client_object(fd3) == client_object(fd));
	close(fd);
	close(fd2);
	CHECK(released(watch) == 0);
	CHECK(released(fd3) == 0);
	close(fd3);
	CHECK(released(watch) == 1);
}

static void use_and_leave(void *arg)
{
	int fd = *(int *)arg;
	uint64_t v = 1;

	CHECK(!client_ioctl(&cl, fd, FAKE_COPY, &v) && v == ~1ull);
}

static void t_fork(void)
{
	int watch = open_iommu(), fd = open_iommu();

	in_child(use_and_leave, &fd);
	CHECK(released(watch) == 0);	/* the child's copy is gone, ours is not */
	use_and_leave(&fd);
	close(fd);
	CHECK(released(watch) == 1);
}

/* The parent goes first; the child, by now the server's, goes on. */
static void t_orphan(void)
{
	int fd = open_iommu(), go[2];
	char c;

	CHECK(!pipe(go));
	if (fork())
		_exit(0);
	close(go[1]);
	CHECK(read(go[0], &c, 1) == 0);
	close(cl.sock);
	memset(&cl, 0, sizeof(cl));
	CHECK(!client_connect(&cl));
	while (getppid() != cl.server) {	/* the parent may be on its way out */
		CHECK(getppid() != 1);
		usleep(100);
	}
	use_and_leave(&fd);
	CHECK(client_ioctl(&cl, fd, FAKE_PASS, NULL) == 1);
}

static void t_scm(void)
{
	int watch = open_iommu(), fd = open_iommu(), s[2];
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} ctl = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl,
			    .msg_controllen = sizeof(ctl) };

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	memcpy(CMSG_DATA(&ctl.h), &fd, sizeof(int));
	CHECK(sendmsg(s[0], &m, 0) == 1);
	close(fd);
	CHECK(released(watch) == 0);	/* on its way */
	CHECK(recvmsg(s[1], &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(&ctl.h), sizeof(int));
	use_and_leave(&fd);
	close(fd);
	CHECK(released(watch) == 1);
}

static void t_exec(const char *self)
{
	int fd = fcntl(open_iommu(), F_DUPFD, 50);
	char num[16];

	snprintf(num, sizeof(num), "%d", fd);
	execl(self, self, "exec2", num, NULL);
	CHECK(!"execl");
}

static void t_exec2(const char *num)
{
	int fd = atoi(num);

	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == 1);
	use_and_leave(&fd);
}

static void t_files(void)
{
	int fd = open_iommu(), ev = eventfd(0, EFD_NONBLOCK), other = open("/dev/null", O_RDONLY);
	uint64_t n;

	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)(long)ev) == 1);
	CHECK(read(ev, &n, 8) == 8 && n == 1);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)(long)fd) == 2);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)(long)other) == 0);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)(long)cl.sock) == 0);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)-1l) == -EBADF);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)777l) == -EBADF);
	/* one that is full must not hold up whoever signals it */
	n = UINT64_MAX - 1;
	ev = eventfd(0, 0);
	CHECK(write(ev, &n, 8) == 8);
	CHECK(client_ioctl(&cl, fd, FAKE_FILE, (void *)(long)ev) == 1);
}

/* Memory that was named before an exec is not the memory after it. */
static uint64_t kept_word = 5;

static void t_keep(const char *self)
{
	int fd = fcntl(open_iommu(), F_DUPFD, 50);
	char num[16];

	CHECK(!client_ioctl(&cl, fd, FAKE_KEEP_AS, NULL));
	CHECK(!client_ioctl(&cl, fd, FAKE_KEPT_COPY, &kept_word) && kept_word == ~5ull);
	snprintf(num, sizeof(num), "%d", fd);
	execl(self, self, "keep2", num, NULL);
	CHECK(!"execl");
}

static void t_keep2(const char *num)
{
	long ret = client_ioctl(&cl, atoi(num), FAKE_KEPT_COPY, &kept_word);

	CHECK(ret == -EFAULT || !ret);	/* gone; or who reads /proc keeps it for a moment */
	CHECK(kept_word == 5);
}

/* ---- pins ---- */

static void t_pin(void)
{
	char *p = pages(5), buf[64] = "from the device", got[64];
	int fd = open_iommu();
	long id;

	CHECK(!mprotect(p + 4 * PAGE, PAGE, PROT_NONE));
	strcpy(p + PAGE - 5, "across pages");
	id = pin(fd, p, 4 * PAGE, RW);
	CHECK(id >= 0);
	CHECK(!dma(fd, id, PAGE - 5, got, 13, false) && !strcmp(got, "across pages"));
	CHECK(!dma(fd, id, 3 * PAGE - 7, buf, sizeof(buf), true));
	CHECK(!strcmp(p + 3 * PAGE - 7, buf));
	strcpy(p + 100, "stored later");
	CHECK(!dma(fd, id, 100, got, 13, false) && !strcmp(got, "stored later"));
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
	CHECK(dma(fd, id, 100, got, 13, false) == -ENOENT);
	CHECK(pin(fd, (void *)PAGE, PAGE, RW) == -EFAULT);
	CHECK(pin(fd, p, 5ul << 40, RW) == -EFAULT);
	CHECK(!mprotect(p, PAGE, PROT_READ));
	CHECK(pin(fd, p, PAGE, RW) == -EFAULT);
	CHECK(!mprotect(p, PAGE, PROT_NONE));
	CHECK(pin(fd, p, PAGE, UIOMMU_PROT_READ) == -EFAULT);
	CHECK(pin(fd, p + 3 * PAGE, 2 * PAGE, RW) == -EFAULT);
}

/* munmap(), and something else where it was: the device has the old page. */
static void t_munmap(void)
{
	char *p = pages(2), *q, got[32] = "";
	int fd = open_iommu();
	long id;

	strcpy(p, "old page");
	id = pin(fd, p, 2 * PAGE, RW);
	CHECK(id >= 0);
	CHECK(!client_munmap(&cl, p, 2 * PAGE));
	q = mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0);
	CHECK(q == p);
	strcpy(p, "new page");
	CHECK(!dma(fd, id, 0, got, 9, false) && !strcmp(got, "old page"));
	CHECK(!dma(fd, id, 0, "device!!", 9, true));
	CHECK(!strcmp(p, "new page"));
	CHECK(!dma(fd, id, 0, got, 9, false) && !strcmp(got, "device!!"));
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == 1);
	CHECK(!cl.nhidden || !cl.rings);
}

/* Only a part of what is pinned goes away. */
static void t_munmap_part(void)
{
	char *p = pages(5), got[8];
	int fd = open_iommu();
	long id;

	for (int i = 0; i < 5; i++)
		p[i * PAGE] = 'a' + i;
	id = pin(fd, p, 5 * PAGE, RW);
	CHECK(id >= 0);
	CHECK(!client_munmap(&cl, p + PAGE, PAGE));
	CHECK(!client_munmap(&cl, p + 3 * PAGE, 2 * PAGE));
	for (int i = 0; i < 5; i++)
		CHECK(!dma(fd, id, i * PAGE, got, 1, false) && got[0] == 'a' + i);
	p[0] = 'A';
	CHECK(!dma(fd, id, 0, got, 1, false) && got[0] == 'A');
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
}

/* More goes away than what is pinned. */
static void t_munmap_around(void)
{
	char *p = pages(5), got[8];
	int fd = open_iommu();
	long id, id2;

	p[2 * PAGE + 5] = 'x';
	id = pin(fd, p + 2 * PAGE, PAGE, RW);
	id2 = pin(fd, p + PAGE, 3 * PAGE, RW);
	CHECK(id >= 0 && id2 >= 0);
	CHECK(!client_munmap(&cl, p, 5 * PAGE));
	CHECK(!dma(fd, id, 5, got, 1, false) && got[0] == 'x');
	CHECK(!dma(fd, id2, PAGE + 5, got, 1, false) && got[0] == 'x');
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
	CHECK(!dma(fd, id2, PAGE + 5, got, 1, false) && got[0] == 'x');
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id2));
}

/* The same address in the next program is other memory. */
#define FIXED	((char *)0x20000000)

static void map_fixed(void)
{
	CHECK(mmap(FIXED, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == FIXED);
}

static void t_pin_exec(const char *self)
{
	int fd = fcntl(open_iommu(), F_DUPFD, 50);
	char num[16];

	map_fixed();
	CHECK(pin(fd, FIXED, PAGE, RW) == 0);
	snprintf(num, sizeof(num), "%d", fd);
	execl(self, self, "pin_exec2", num, NULL);
	CHECK(!"execl");
}

static void t_pin_exec2(const char *num)
{
	char got[8];
	long ret;

	map_fixed();
	strcpy(FIXED, "new");
	ret = dma(atoi(num), 0, 0, got, 4, false);
	CHECK(ret == -EFAULT || (!ret && !got[0]));	/* gone, or the old page */
	ret = dma(atoi(num), 0, 0, "device", 7, true);
	CHECK(ret == -EFAULT || !ret);
	CHECK(!strcmp(FIXED, "new"));
}

static void t_dontneed(void)
{
	char *p = pages(1), got[32] = "";
	int fd = open_iommu();
	long id;

	strcpy(p, "kept");
	id = pin(fd, p, PAGE, RW);
	CHECK(id >= 0);
	CHECK(!madvise(p, PAGE, MADV_DONTNEED));
	CHECK(!p[0]);
	CHECK(!dma(fd, id, 0, got, 5, false) && !strcmp(got, "kept"));
}

static void t_mprotect(void)
{
	char *p = pages(1), got[32] = "";
	int fd = open_iommu();
	long id;

	strcpy(p, "hidden");
	id = pin(fd, p, PAGE, RW);
	CHECK(id >= 0 && !mprotect(p, PAGE, PROT_NONE));
	CHECK(!dma(fd, id, 0, got, 7, false) && !strcmp(got, "hidden"));
}

static void t_pin_fork(void)
{
	char *p = pages(1), got[32] = "";
	int fd = open_iommu(), st;
	long id;
	pid_t pid;

	strcpy(p, "before");
	id = pin(fd, p, PAGE, RW);
	CHECK(id >= 0);
	pid = fork();
	if (!pid) {
		CHECK(!strcmp(p, "before"));
		strcpy(p, "child");
		_exit(0);
	}
	CHECK(waitpid(pid, &st, 0) == pid && !st);
	strcpy(p, "parent");
	CHECK(!dma(fd, id, 0, got, 7, false) && !strcmp(got, "parent"));
	CHECK(!dma(fd, id, 0, "device", 7, true) && !strcmp(p, "device"));
}

static void pin_and_leave(void *arg)
{
	char *p = pages(1);

	strcpy(p, "left behind");
	CHECK(pin(*(int *)arg, p, PAGE, RW) >= 0);
}

/* Whoever pinned is gone; the object lives on in another process. */
static void t_pin_exit(void)
{
	int fd = open_iommu();
	char got[32] = "";

	in_child(pin_and_leave, &fd);
	CHECK(!dma(fd, 0, 0, got, 12, false) && !strcmp(got, "left behind"));
	CHECK(!dma(fd, 0, 0, "device", 7, true));
	CHECK(!dma(fd, 0, 0, got, 7, false) && !strcmp(got, "device"));
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, NULL));
}

/* Where the fallback cannot hold them, an access fails; it does not go astray. */
static void t_pin_exit_hidden(void)
{
	int fd = open_iommu();
	char got[32] = "";

	in_child(pin_and_leave, &fd);
	CHECK(dma(fd, 0, 0, got, 12, false) == -EFAULT);
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, NULL));
}

static void t_readonly(void)
{
	char *p = pages(3), got[32] = "";
	int fd = open_iommu();
	long id;

	strcpy(p + PAGE, "look only");
	CHECK(!mprotect(p + PAGE, PAGE, PROT_READ));
	id = pin(fd, p, 3 * PAGE, UIOMMU_PROT_READ);
	CHECK(id >= 0);
	CHECK(!dma(fd, id, PAGE, got, 10, false) && !strcmp(got, "look only"));
	/* and it is read-only again: the kernel says so */
	CHECK(read(open("/dev/zero", O_RDONLY), p + PAGE, 1) == -1 && errno == EFAULT);
	CHECK(read(open("/dev/zero", O_RDONLY), p, 1) == 1);
}

/* A file that was opened for reading cannot be made writable: followed instead. */
static void t_readonly_file(const char *self)
{
	int fd = open_iommu(), f = open(self, O_RDONLY);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, f, 0), got[4];
	long id;

	CHECK(p != MAP_FAILED);
	id = pin(fd, p, PAGE, UIOMMU_PROT_READ);
	CHECK(id >= 0);
	CHECK(!dma(fd, id, 0, got, 4, false) && !memcmp(got, "\177ELF", 4));
}

static void t_large(void)
{
	uint64_t len = (1ul << 30) + (4ul << 20), at = (1ul << 30) - 8;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), got[16];
	int fd = open_iommu();

	CHECK(p != MAP_FAILED);
	CHECK(pin(fd, p, 2ul << 20, RW) == 0);
	strcpy(p + (1 << 20), "in the middle");
	CHECK(!dma(fd, 0, 1 << 20, got, 14, false) && !strcmp(got, "in the middle"));
	if (getenv("UIOMMU_TEST_LARGE")) {	/* a GiB of real memory */
		long id = pin(fd, p, len, RW);

		CHECK(id >= 0);
		strcpy(p + at, "across slots");
		CHECK(!dma(fd, id, at, got, 13, false) && !strcmp(got, "across slots"));
	}
}

/* The address that devices use and the physical one share low bits: as many as there
 * are pages for. */
static void t_like(void)
{
	static const struct {
		uint64_t len, like, same;
	} t[] = {
		{ PAGE, 0x40003000, 12 }, { 2 * PAGE, 0x40003000, 13 }, { 3 * PAGE, 0x5000, 13 },
		{ 16 * PAGE, 0x7fff0000, 16 }, { 17 * PAGE, 0x7fffd000, 16 },
		{ 512 * PAGE, 0x40155000, 21 }, { 1023 * PAGE, -PAGE, 21 },
	};
	int fd = open_iommu();
	char *p = pages(1023);

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fake_pin a = { .va = (uintptr_t)p, .len = t[i].len, .prot = RW,
				      .like = t[i].like };

		CHECK(client_ioctl(&cl, fd, FAKE_PIN, &a) >= 0);
		CHECK(!((a.pa ^ a.like) & ((1ul << t[i].same) - 1)));
	}
}

static void t_memlock(void)
{
	enum { LIMIT = 1024 };	/* pages; half of it is for the user's other processes */
	struct rlimit r = { LIMIT * PAGE, LIMIT * PAGE }, none = { 0, LIMIT * PAGE };
	int fd = open_iommu();
	char *p = pages(LIMIT + 1);
	long id;

	drop_ipc_lock();
	if (setrlimit(RLIMIT_MEMLOCK, &none))
		cannot_try("RLIMIT_MEMLOCK is below %lu KiB already", LIMIT * PAGE >> 10);
	CHECK(pin(fd, p, PAGE, RW) == -ENOMEM);
	CHECK(!setrlimit(RLIMIT_MEMLOCK, &r));
	CHECK(pin(fd, p, (LIMIT + 1) * PAGE, RW) == -ENOMEM);
	id = pin_in_time(fd, p, LIMIT / 2 * PAGE);
	CHECK(id >= 0);
	CHECK(pin(fd, p + LIMIT / 2 * PAGE, (LIMIT / 2 + 1) * PAGE, RW) == -ENOMEM);
	/* what is unpinned no longer counts; the server gives it back, not we */
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
	CHECK(pin_in_time(fd, p + LIMIT / 2 * PAGE, (LIMIT / 2 + 1) * PAGE) >= 0);
}

/* Every pin of a page counts: 20000 are more than what a user may lock. */
static void t_many(void)
{
	const int all = 20000;	/* more than one ring holds */
	bool enough = may_lock_anything() || memlock_limit() / 2 >= all * PAGE;
	int fd = open_iommu(), n = enough ? all : (int)(memlock_limit() / 4 / PAGE);
	unsigned rings = enough ? 2 : 1;
	uint64_t *p = pages(1), v;

	p[0] = 0xabcdef;
	for (int i = 0; i < n; i++)
		CHECK(pin_in_time(fd, p, PAGE) == i);
	CHECK(cl.rings == rings);
	for (int i = 0; i < n; i += 999)
		CHECK(!dma(fd, i, 0, &v, 8, false) && v == p[0]);
	for (int i = 0; i < n; i++)
		CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)(long)i));
	for (int i = 0; i < 100 && i < n; i++)
		CHECK(pin_in_time(fd, p, PAGE) == i);
	CHECK(cl.rings == rings);
	if (!enough)
		cannot_try("RLIMIT_MEMLOCK is %lu KiB: %d pins are well, but not so many that they "
			   "need a second ring", (unsigned long)memlock_limit() >> 10, n);
}

/* The program closed what it did not know: the next pin has a new ring. */
static void t_closefrom(void)
{
	int fd = open_iommu(), sock = cl.sock;
	char *p = pages(2), got[8];
	long a = pin(fd, p, PAGE, RW), b;

	CHECK(a >= 0);
	for (int i = 3; i < 100; i++)
		if (i != fd && i != sock)
			close(i);
	b = pin(fd, p + PAGE, PAGE, RW);
	CHECK(b >= 0 && cl.rings == 2);
	strcpy(p, "one");
	strcpy(p + PAGE, "two");
	CHECK(!dma(fd, a, 0, got, 4, false) && !strcmp(got, "one"));
	CHECK(!dma(fd, b, 0, got, 4, false) && !strcmp(got, "two"));
}

/* Every descriptor closed, connection too: it comes again, and is known. */
static void t_reconnect(void)
{
	int fd = open_iommu();
	char *p = pages(1), got[8];
	long id;

	strcpy(p, "same");
	id = pin(fd, p, PAGE, RW);
	CHECK(id >= 0);
	close(cl.sock);
	CHECK(!client_connect(&cl));
	CHECK(!client_munmap(&cl, p, PAGE));
	CHECK(!dma(fd, id, 0, got, 5, false) && !strcmp(got, "same"));
	CHECK(!client_ioctl(&cl, fd, FAKE_UNPIN, (void *)id));
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == 1);
}

/* ---- misbehaviour ---- */

static void t_hangup(void)
{
	int fd = open_iommu();
	char *p = pages(1);

	cl.hang_up = true;
	CHECK(pin(fd, p, PAGE, RW) == -EPIPE);
	cl.hang_up = false;
	CHECK(!client_connect(&cl));
	CHECK(pin(fd, p, PAGE, RW) >= 0);
}

static void t_killed(void)
{
	open_iommu();
	kill(getpid(), SIGKILL);
}

static uint64_t rnd_state;

static uint32_t rnd(void)
{
	rnd_state = rnd_state * 6364136223846793005ull + 1442695040888963407ull;
	return rnd_state >> 33;
}

/* What requests may point to: it is written to, and nothing behind it is. */
static char *scratch;

static void make_scratch(void)
{
	scratch = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(scratch != MAP_FAILED && !mprotect(scratch, 4 * PAGE, PROT_READ | PROT_WRITE));
}

static uint64_t rnd_value(void)
{
	static const uint64_t some[] = { 0, 1, 8, 4095, 4096, 1ull << 47, UINT64_MAX, UINT32_MAX };

	switch (rnd() % 4) {
	case 0:
		return some[rnd() % 8];
	case 1:
		return (uintptr_t)scratch;
	case 2:
		return rnd() % 16;
	default:
		return (uint64_t)rnd() << 32 | rnd();
	}
}

static void fuzz_request(int fd, struct uiommu_req *req)
{
	static const char *const paths[] = {
		"iommu", "nothing", "", "../iommu", "vfio/devices/vfio0",
	};

	memset(req, 0, sizeof(*req));
	req->op = rnd() % 12;
	req->obj = rnd() % 3 ? client_object(fd) : rnd() % 8;
	for (int i = 0; i < 4; i++)
		req->a[i] = rnd_value();
	if (rnd() % 4)
		snprintf(req->path, sizeof(req->path), "%s", paths[rnd() % 5]);
	else
		memset(req->path, 'x', sizeof(req->path));
	if (rnd() % 2)
		req->a[0] = rnd() % 10;
}

/* Valid and invalid requests, broken messages, connections cut anywhere. */
static void t_fuzz(const char *seed)
{
	int fd = open_iommu();

	cl.inert = true;
	make_scratch();
	rnd_state = strtoull(seed, NULL, 0);
	for (int i = 0; i < 3000; i++) {
		struct uiommu_req req;
		struct uiommu_rep rep;
		int got = -1;

		fuzz_request(fd, &req);
		cl.hang_up = rnd() % 50 == 0;
		cl.no_ring = rnd() % 8 == 0;
		if (rnd() % 40 == 0) {
			static char junk[400];

			memcpy(junk, &req, sizeof(req));
			send(cl.sock, junk, rnd() % sizeof(junk), MSG_NOSIGNAL);
			close(cl.sock);
			cl.sock = -1;
		} else if (rnd() % 40 == 0) {
			send(cl.sock, &req, sizeof(req), MSG_NOSIGNAL);
			close(cl.sock);
			cl.sock = -1;
		} else if (client_call(&cl, &req, &rep, &got) == -EPIPE) {
			close(cl.sock);
			cl.sock = -1;
		}
		if (got >= 0)
			close(got);
		cl.nhidden = 0;
		if (cl.sock < 0) {
			cl.hang_up = false;
			CHECK(!client_connect(&cl));
		}
	}
	cl.hang_up = false;
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) >= 1);
}

static void t_malformed(void)
{
	struct uiommu_req req[2] = { { .op = UIOMMU_REQ_HELLO, .a = { UIOMMU_PROTO_VERSION } } };
	static const size_t sizes[] = { 1, sizeof(*req) - 1, sizeof(*req) + 1, sizeof(req),
					sizeof(struct uiommu_up_answer) };
	char c;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CHECK(send(cl.sock, req, sizes[i], 0) == (ssize_t)sizes[i]);
		CHECK(recv(cl.sock, &c, 1, 0) == 0);
		close(cl.sock);
		CHECK(!client_connect(&cl));
	}
}

/* Before HELLO nothing is answered but with an error; a wrong version too. */
static void t_no_hello(void)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_OPEN, .path = "iommu" };
	struct uiommu_req hello = { .op = UIOMMU_REQ_HELLO, .a = { UIOMMU_PROTO_VERSION + 1 } };
	struct uiommu_rep rep;
	struct client raw = { .sock = client_socket() };

	CHECK(raw.sock >= 0);
	CHECK(client_call(&raw, &req, &rep, NULL) == -EINVAL);
	CHECK(client_call(&raw, &hello, &rep, NULL) == -EINVAL);
	CHECK(rep.r[0] == UIOMMU_PROTO_VERSION);
	CHECK(client_call(&raw, &req, &rep, NULL) == -EINVAL);
}

/* The server runs out before we do. */
static void t_descriptors(void)
{
	enum { N = 30 };
	struct client more[N] = { 0 };
	int fd = open_iommu(), fds[N], n = 0, bad = 0;

	while (n < N && (fds[n] = client_open(&cl, "iommu")) >= 0)
		n++;
	CHECK(n > 5 && n < N && fds[n] == -EMFILE);
	for (int i = 0; i < 5; i++)
		bad += client_connect(&more[i]) != 0;	/* turned away, not left waiting */
	CHECK(bad);
	CHECK(client_ioctl(&cl, fd, FAKE_OBJECTS, NULL) == n + 1);
	while (n--)
		close(fds[n]);
	for (int i = 0; i < 5; i++) {
		close(more[i].sock);
		CHECK(!client_connect(&more[i]));
	}
	CHECK(client_ioctl(&more[4], fd, FAKE_OBJECTS, NULL) == 1);
}

static void t_traps(void)
{
	int fd = open_iommu();
	struct uiommu_req req = { .op = UIOMMU_REQ_STORE, .obj = client_object(fd),
				  .a = { 0, 0x10, 8, 0x1122334455667788 } };
	static const uint64_t bad[][3] = {
		{ 0, 0, 0 }, { 0, 0, 3 }, { 0, 2, 4 }, { 0, 4, 8 }, { 0, 0, 128 },
		{ 1ull << 32, 0, 4 },
	};
	struct uiommu_rep rep;
	uint64_t v = 99;

	CHECK(!client_call(&cl, &req, &rep, NULL));
	req.op = UIOMMU_REQ_LOAD;
	CHECK(!client_call(&cl, &req, &rep, NULL) && rep.r[0] == 0x1122334455667788);
	req.a[2] = 32;
	CHECK(!client_call(&cl, &req, &rep, NULL) && rep.r[3] == 0x1122334455667788);
	req.op = UIOMMU_REQ_STORE;
	req.a[2] = 64;
	memcpy(req.path + 56, &v, 8);
	CHECK(!client_call(&cl, &req, &rep, NULL));
	req.op = UIOMMU_REQ_LOAD;
	req.a[2] = 8;
	CHECK(!client_call(&cl, &req, &rep, NULL) && rep.r[0] == 99);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(req.a, bad[i], sizeof(bad[i]));
		CHECK(client_call(&cl, &req, &rep, NULL) == -EINVAL);
	}
	req = (struct uiommu_req){ .op = UIOMMU_REQ_MMAP,
				   .obj = client_object(fd),
				   .a = { 0x2000, PAGE + 1, PROT_READ, MAP_SHARED } };
	CHECK(!client_call(&cl, &req, &rep, NULL) && rep.r[1] == 0x2000);
	CHECK(rep.r[2] == UIOMMU_MAP_TRAPPED);
	req.a[1] = PAGE;
	CHECK(client_call(&cl, &req, &rep, NULL) == -ENXIO);
	req.a[3] = MAP_PRIVATE;
	CHECK(client_call(&cl, &req, &rep, NULL) == -EINVAL);
	req.op = UIOMMU_REQ_READ;	/* this kind of file has none */
	CHECK(client_call(&cl, &req, &rep, NULL) == -EINVAL);
}

static int map_own(int fd, uint64_t prot, int *own)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_MMAP,
				  .obj = client_object(fd),
				  .a = { FAKE_OWN, 2 * PAGE, prot, MAP_SHARED } };
	struct uiommu_rep rep;
	int ret = client_call(&cl, &req, &rep, own);

	CHECK(ret || (rep.r[2] == UIOMMU_MAP_TRAPPED_FILE && *own >= 0));
	return ret;
}

static int64_t access_own(uint32_t obj, uint32_t op, uint64_t v)
{
	struct uiommu_req req = { .op = op, .obj = obj, .a = { 0, 0, 8, v } };
	struct uiommu_rep rep;
	int64_t ret = client_call(&cl, &req, &rep, NULL);

	return ret ? ret : (int64_t)rep.r[0];
}

static void store_and_close(void *fd)
{
	CHECK(access_own(client_object(*(int *)fd), UIOMMU_REQ_STORE, 7) == 0);
	close(*(int *)fd);
	CHECK(access_own(client_object(*(int *)fd), UIOMMU_REQ_STORE, 7) == -EBADF);
}

/* A mapping is there for as long as anybody has its file, whatever file it is of. */
static void t_mappings(void)
{
	int watch = open_iommu(), fd = open_iommu(), own, more;
	uint32_t obj;

	CHECK(map_own(fd, PROT_READ | PROT_EXEC, &own) == -EPERM);
	CHECK(!map_own(fd, PROT_READ, &own));
	CHECK(!map_own(fd, PROT_READ, &more));
	obj = client_object(own);
	CHECK(obj && obj != client_object(fd) && obj != client_object(more));
	CHECK(client_ioctl(&cl, own, FAKE_OBJECTS, NULL) == -ENOTTY);
	close(fd);
	CHECK(released(watch) == 1);
	close(more);
	CHECK(released(watch) == 2);
	in_child(store_and_close, &own);
	CHECK(access_own(obj, UIOMMU_REQ_LOAD, 0) == 7);
	CHECK(released(watch) == 2);
	close(own);
	CHECK(access_own(obj, UIOMMU_REQ_LOAD, 0) == -EBADF);
	CHECK(released(watch) == 3);
}

/* ---- with a real machine behind: what its servers make of anything ---- */

static uint32_t rnd_field(void)
{
	static const uint32_t some[] = { 0, 1, 2, 3, 4, 8, 0x1000, 0x2000, 0x8000000, 0xffffffff };

	return rnd() % 4 ? some[rnd() % 10] : rnd();
}

/* Plausible enough to get past the first check now and then. */
static void fill_struct(int other)
{
	uint32_t *w = (uint32_t *)scratch;

	for (int i = 0; i < 32; i++)
		w[i] = rnd_field();
	w[0] = rnd() % 8 ? 8 + 4 * (rnd() % 14) : rnd();
	for (int i = 2; i < 16; i += 2)
		if (rnd() % 4 == 0)
			memcpy(&w[i], &(uint64_t){ (uintptr_t)scratch + rnd() % 4 * PAGE }, 8);
	if (rnd() % 4 == 0)
		w[2] = other;
}

static void rooms_request(int fd, int other, struct uiommu_req *req)
{
	static const uint32_t ops[] = {
		UIOMMU_REQ_IOCTL, UIOMMU_REQ_IOCTL, UIOMMU_REQ_IOCTL, UIOMMU_REQ_IOCTL,
		UIOMMU_REQ_READ, UIOMMU_REQ_WRITE, UIOMMU_REQ_MMAP, UIOMMU_REQ_LOAD,
		UIOMMU_REQ_STORE,
	};

	memset(req, 0, sizeof(*req));
	req->op = ops[rnd() % 9];
	req->obj = client_object(fd);
	if (req->op == UIOMMU_REQ_IOCTL) {
		req->a[0] = 0x3b00 | (rnd() % 2 ? 100 + rnd() % 22 : 0x80 + rnd() % 0x16);
		req->a[1] = rnd() % 16 ? (uintptr_t)scratch : rnd_value();
		fill_struct(other);
		return;
	}
	req->a[0] = (uint64_t)(rnd() % 10) << 40 | (rnd() % 4 ? rnd() % 512 : rnd_field());
	req->a[1] = rnd() % 4 ? 1u << rnd() % 4 : rnd_value();
	req->a[2] = (uintptr_t)scratch;
	if (req->op == UIOMMU_REQ_MMAP)
		req->a[3] = rnd() % 8 ? MAP_SHARED : rnd_value();
	if (req->op == UIOMMU_REQ_LOAD || req->op == UIOMMU_REQ_STORE) {
		req->a[0] = rnd() % 10;
		req->a[1] = rnd_field() & ~7u;
		req->a[2] = 1u << rnd() % 7;
		req->a[3] = rnd_value();
	}
}

static bool bind_device(int iommu, int vfio)
{
	uint32_t bind[4] = { sizeof(bind), 0, iommu };

	return !client_ioctl(&cl, vfio, 0x3b76, bind);	/* VFIO_DEVICE_BIND_IOMMUFD */
}

static int64_t map_room(int fd, uint64_t off, uint64_t prot, uint64_t flags)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_MMAP, .obj = client_object(fd),
				  .a = { off, PAGE, prot, flags } };
	struct uiommu_rep rep;

	return client_call(&cl, &req, &rep, NULL);
}

/* What a kernel refuses before it looks what is there. */
static void t_map_rooms(void)
{
	int iommu = client_open(&cl, "iommu"), vfio = client_open(&cl, "vfio/devices/vfio0");

	CHECK(iommu >= 0 && vfio >= 0);
	CHECK(bind_device(iommu, vfio));
	CHECK(map_room(iommu, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE) == -EINVAL);
	CHECK(map_room(iommu, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED) == -EPERM);
	CHECK(map_room(iommu, PAGE, PROT_READ, MAP_SHARED) == -ENXIO);
	CHECK(map_room(vfio, 0, PROT_READ, MAP_PRIVATE) == -EINVAL);
	CHECK(map_room(vfio, 0, PROT_READ | PROT_EXEC, MAP_SHARED) == 0);
}

static void t_fuzz_rooms(const char *seed)
{
	int iommu = client_open(&cl, "iommu"), vfio = client_open(&cl, "vfio/devices/vfio0");
	int done = 0, bound = 0;

	CHECK(iommu >= 0 && vfio >= 0);
	cl.inert = true;
	make_scratch();
	rnd_state = strtoull(seed, NULL, 0);
	fprintf(stderr, "rerun with: fuzz_rooms %s\n", seed);
	for (int i = 0; i < 20000; i++) {
		struct uiommu_req req;
		struct uiommu_rep rep;
		bool v = rnd() % 2;
		int64_t ret;
		int got;

		if (rnd() % 500 == 0) {		/* fds closed in any order */
			close(v ? vfio : iommu);
			if (v)
				vfio = client_open(&cl, "vfio/devices/vfio0");
			else
				iommu = client_open(&cl, "iommu");
			CHECK(iommu >= 0 && vfio >= 0);
			bound += bind_device(iommu, vfio);
		}
		rooms_request(v ? vfio : iommu, v ? iommu : vfio, &req);
		ret = client_call(&cl, &req, &rep, &got);
		CHECK(ret != -EPIPE && ret >= -4095);
		done += ret >= 0;
		if (got >= 0)
			close(got);
	}
	fprintf(stderr, "%d of 20000 calls succeeded\n", done);
	CHECK(done > 1000 && bound);
}

/* Requests without taking the answers, until we are thrown out. */
static void t_flood(void)
{
	struct uiommu_req req = { .op = UIOMMU_REQ_OPEN, .path = "iommu" };
	int i;

	for (i = 0; i < 100000; i++)
		if (send(cl.sock, &req, sizeof(req), MSG_NOSIGNAL) < 0)
			break;
	CHECK(i < 100000);
	close(cl.sock);
	CHECK(!client_connect(&cl));
	CHECK(client_ioctl(&cl, open_iommu(), FAKE_OBJECTS, NULL) == 1);
}

/* Whatever ring the client claims to have made, the server stays up. */
static void t_bad_ring(const char *what)
{
	int fd = open_iommu();
	struct fake_pin a = { .va = (uintptr_t)pages(1), .len = PAGE, .prot = RW };
	struct uiommu_req req = { .op = UIOMMU_REQ_IOCTL, .obj = client_object(fd),
				  .a = { FAKE_PIN, (uintptr_t)&a } };
	struct uiommu_up_answer ans = { .r[0] = strtoull(what, NULL, 0) };
	struct uiommu_rep rep;

	CHECK(send(cl.sock, &req, sizeof(req), 0) == sizeof(req));
	while (recv(cl.sock, &rep, sizeof(rep), 0) == sizeof(rep) && rep.op != UIOMMU_REP_DONE)
		CHECK(send(cl.sock, &ans, sizeof(ans), 0) == sizeof(ans));
	CHECK(rep.op == UIOMMU_REP_DONE);
}

/* ---- starting ---- */

static void t_env(void)
{
	struct rlimit r;
	sigset_t set;

	CHECK(getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "dummy"));
	CHECK(getenv(UIOMMU_ENV_ROOT) && !access(getenv(UIOMMU_ENV_ROOT), X_OK));
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &set) && !sigismember(&set, SIGTERM) &&
	      !sigismember(&set, SIGCHLD));
	CHECK(!getrlimit(RLIMIT_NOFILE, &r));
	CHECK(getenv("TEST_NOFILE") && r.rlim_cur == strtoul(getenv("TEST_NOFILE"), NULL, 0));
	CHECK(getenv("TEST_FDS") && strlen(getenv("TEST_FDS")) == 61);
	for (int fd = 3; fd < 64; fd++)
		CHECK(fd == cl.sock ||
		      (fcntl(fd, F_GETFD) >= 0) == (getenv("TEST_FDS")[fd - 3] == 'y'));
}

/* A grandchild that outlives the program by a moment. */
static void t_daemon(void)
{
	int fd = open_iommu();

	if (fork())
		_exit(7);
	setsid();
	close(cl.sock);
	memset(&cl, 0, sizeof(cl));
	usleep(100000);
	CHECK(!client_connect(&cl));
	use_and_leave(&fd);
	CHECK(client_ioctl(&cl, fd, FAKE_PASS, NULL) == 1);
}

static void t_exit3(void)
{
	exit(3);
}

static void t_abort(void)
{
	signal(SIGABRT, SIG_DFL);
	prctl(PR_SET_DUMPABLE, 0);
	kill(getpid(), SIGTERM);
}

static void t_wait_term(void)
{
	open_iommu();
	if (dprintf(1, "%d\n", (int)getpid()) < 0)
		exit(1);
	for (;;)
		pause();
}

/* ---- the second socket ---- */

static int inspect_connect(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" UIOMMU_INSPECT_SOCKET,
		 getenv(UIOMMU_ENV_ROOT));
	return connect(fd, (void *)&sa, sizeof(sa)) ? -errno : fd;
}

struct inspected {
	struct uiommu_inspect_rep rep;
	char data[UIOMMU_INSPECT_READ_MAX];
};

/* the answer's ret; files that came along in @fd, how many in *@n */
static int inspect(int sock, const struct uiommu_inspect_req *q, struct inspected *a, int fd[3],
		   unsigned *n)
{
	char ctl[CMSG_SPACE(3 * sizeof(int))];
	struct iovec iov = { a, sizeof(*a) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };
	struct cmsghdr *h;

	CHECK(send(sock, q, sizeof(*q), MSG_NOSIGNAL) == sizeof(*q));
	CHECK(recvmsg(sock, &m, 0) == (ssize_t)sizeof(a->rep) + (ssize_t)a->rep.bytes);
	h = CMSG_FIRSTHDR(&m);
	*n = h ? (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	if (h)
		memcpy(fd, CMSG_DATA(h), *n * sizeof(int));
	return a->rep.ret;
}

static int inspect_read(int sock, uint64_t pa, uint32_t bytes, struct inspected *a)
{
	const struct uiommu_inspect_req q = { UIOMMU_INSPECT_VERSION, UIOMMU_INSPECT_READ, pa,
					      bytes, 0 };
	unsigned n;

	return inspect(sock, &q, a, NULL, &n);
}

static void inspect_snapshot(int sock, uint64_t pa)
{
	struct uiommu_inspect_req q = { UIOMMU_INSPECT_VERSION, UIOMMU_INSPECT_SNAPSHOT, 0, 0, 0 };
	struct uiommu_inspect_piece piece[4];
	static struct inspected a;
	char text[80] = "", wanted[80];
	int fd[3];
	unsigned n;

	CHECK(!inspect(sock, &q, &a, fd, &n) && n == 3);
	snprintf(wanted, sizeof(wanted), "uiommu 1\nrun %d %d\n", cl.server, (int)getpid());
	CHECK(pread(fd[0], text, sizeof(text) - 1, 0) > 0 && !strcmp(text, wanted));
	CHECK(!lseek(fd[1], 0, SEEK_END));		/* no driver, no tables */
	CHECK(pread(fd[2], piece, sizeof(piece), 0) == sizeof(piece[0]));
	CHECK(piece[0].pa == pa && piece[0].bytes == 2 * PAGE);
	q.op = UIOMMU_INSPECT_DTB;			/* the fake machine has none */
	CHECK(inspect(sock, &q, &a, fd, &n) == -ENOENT && !n);
	q.op = 77;
	CHECK(inspect(sock, &q, &a, fd, &n) == -EINVAL && !n);
	q.op = UIOMMU_INSPECT_INFO;
	q.version = 2;
	CHECK(inspect(sock, &q, &a, fd, &n) == -EINVAL && !n);
}

static void t_inspect(void)
{
	int fd = open_iommu(), sock = inspect_connect();
	static struct inspected a;
	char *p = pages(2);
	struct fake_pin pin = { .va = (uintptr_t)p, .len = 2 * PAGE, .prot = RW };

	CHECK(sock >= 0 && client_ioctl(&cl, fd, FAKE_PIN, &pin) >= 0);
	strcpy(p + PAGE, "seen from outside");
	inspect_snapshot(sock, pin.pa);
	CHECK(!inspect_read(sock, pin.pa + PAGE, 18, &a) && !strcmp(a.data, p + PAGE));
	CHECK(inspect_read(sock, pin.pa + PAGE, 2 * PAGE, &a) == -EFAULT && !a.rep.bytes);
	CHECK(inspect_read(sock, pin.pa, UIOMMU_INSPECT_READ_MAX + 1, &a) == -EINVAL);
	CHECK(inspect_read(sock, 0x1000, 8, &a) == -EINVAL);
	CHECK(inspect_read(sock, UINT64_MAX - 3, 8, &a) == -EINVAL);
	CHECK(inspect_read(sock, UIOMMU_POSIX_TABLE_PA, 8, &a) == -EFAULT);
}

static bool cut_off(int sock)
{
	char c[64];
	ssize_t n;

	while ((n = recv(sock, c, sizeof(c), 0)) > 0)
		;
	return !n || errno == ECONNRESET;
}

/* Who writes nonsense, does not read, or comes too often is cut off; we are not. */
static void t_inspect_rude(void)
{
	const struct uiommu_inspect_req q = { UIOMMU_INSPECT_VERSION, UIOMMU_INSPECT_READ, 0, 0, 0 };
	int fd = open_iommu(), sock = inspect_connect(), socks[17];
	unsigned long word = 1;

	alarm(50);		/* one that is not cut off waits for ever */
	CHECK(send(sock, &q, sizeof(q) - 1, 0) > 0 && cut_off(sock));
	sock = inspect_connect();
	while (send(sock, &q, sizeof(q), MSG_NOSIGNAL) == sizeof(q))
		;
	CHECK((errno == EPIPE || errno == ECONNRESET) && cut_off(sock));
	for (unsigned i = 0; i < 17; i++)
		socks[i] = inspect_connect();
	CHECK(cut_off(socks[16]));
	CHECK(!client_ioctl(&cl, fd, FAKE_COPY, &word) && word == ~1ul);
	while (close(socks[15]), (socks[15] = inspect_connect()) < 0)
		;
	CHECK(send(socks[15], &q, sizeof(q), 0) == sizeof(q));
}

/* The run ends while somebody looks. */
static void t_inspect_stays(void)
{
	int sock = inspect_connect();

	CHECK(sock >= 0);
	if (fork())
		return;
	close(cl.sock);
	alarm(50);
	_exit(!cut_off(sock));
}

/* Not even where the directory lets others in. */
static void t_inspect_others(void)
{
	char path[200];
	int sock;

	if (geteuid())
		cannot_try("only root can be somebody else");
	alarm(50);
	CHECK(!chmod(getenv(UIOMMU_ENV_ROOT), 0711));
	snprintf(path, sizeof(path), "%s/" UIOMMU_INSPECT_SOCKET, getenv(UIOMMU_ENV_ROOT));
	CHECK(!chmod(path, 0777) && !seteuid(65534));
	sock = inspect_connect();
	CHECK(sock >= 0 && cut_off(sock));
	CHECK(!seteuid(0));
	sock = inspect_connect();
	CHECK(sock >= 0 && inspect_read(sock, 0, 0, &(struct inspected){ 0 }) == -EINVAL);
}

static const struct {
	const char *name;
	void (*fn)(void);
	void (*fn_arg)(const char *arg);
	bool with_self;
} tests[] = {
#define T(n)	{ #n, t_##n, NULL, false }
#define TA(n)	{ #n, NULL, t_##n, false }
#define TS(n)	{ #n, NULL, t_##n, true }
	T(basic),
	T(closed),
	T(dup),
	T(fork),
	T(orphan),
	T(scm),
	TS(exec),
	TA(exec2),
	T(files),
	TS(keep),
	TA(keep2),
	T(pin),
	T(munmap),
	T(munmap_part),
	T(munmap_around),
	TS(pin_exec),
	TA(pin_exec2),
	T(dontneed),
	T(mprotect),
	T(pin_fork),
	T(pin_exit),
	T(pin_exit_hidden),
	T(readonly),
	TS(readonly_file),
	T(large), T(like),
	T(memlock),
	T(many),
	T(closefrom),
	T(reconnect),
	T(hangup),
	T(killed),
	TA(fuzz),
	TA(fuzz_rooms),
	T(map_rooms),
	T(flood),
	T(malformed),
	T(no_hello),
	T(traps),
	T(mappings),
	T(descriptors),
	TA(bad_ring),
	T(env),
	T(daemon),
	T(exit3),
	T(abort),
	T(wait_term),
	T(inspect),
	T(inspect_rude),
	T(inspect_stays),
	T(inspect_others),
};

int main(int argc, char **argv)
{
	if (getenv("TEST_NO_RING"))
		cl.no_ring = true;
	if (argc < 2 || client_connect(&cl)) {
		fprintf(stderr, "usage: prog scenario [arg], under a server\n");
		return 2;
	}
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(tests[i].name, argv[1]))
			continue;
		if (tests[i].fn)
			tests[i].fn();
		else
			tests[i].fn_arg(tests[i].with_self ? argv[0] : argc > 2 ? argv[2] : "1");
		return 0;
	}
	fprintf(stderr, "%s: no such scenario\n", argv[1]);
	return 2;
}
