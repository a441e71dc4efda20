/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/maps.c - what a program may do with a mapped BAR: unmap
 * parts, protect, move, map over it, keep it after close
 */
#include "tests/preload/progs/prog.h"

#include <setjmp.h>
#include <sys/syscall.h>

static sigjmp_buf back;
static void *fault_at;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	fault_at = si->si_addr;
	siglongjmp(back, sig && uc);
}

static bool faults(volatile uint8_t *p, bool write)
{
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, old;
	bool yes = true;

	sigaction(SIGSEGV, &a, &old);
	if (!sigsetjmp(back, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
		yes = false;
	}
	sigaction(SIGSEGV, &old, NULL);
	return yes && fault_at == (void *)p;
}

static void parts(int fd)
{
	uint8_t *p = map_bar(fd);

	CHECK(munmap(p + 4096, 4096) == 0);
	p[0] = 11;
	p[8192] = 12;
	CHECK(faults(p + 4096, false));
	CHECK(p[0] == 11 && p[8192] == 12);
	CHECK(munmap(p, FAKE_BAR_BYTES) == 0);
	CHECK(faults(p, true));
}

static void protection(int fd)
{
	volatile uint8_t *p = map_bar(fd);

	p[4096] = 5;
	CHECK(mprotect((void *)(p + 4096), 4096, PROT_READ) == 0);
	CHECK(p[4096] == 5 && faults(p + 4096, true) && !faults(p, true));
	CHECK(mprotect((void *)p, FAKE_BAR_BYTES, PROT_NONE) == 0);
	CHECK(faults(p, false) && faults(p + 4096, false));
	CHECK(mprotect((void *)p, FAKE_BAR_BYTES, PROT_READ | PROT_WRITE) == 0);
	p[4096] = 6;
	CHECK(p[4096] == 6);
	munmap((void *)p, FAKE_BAR_BYTES);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(!faults(p, false) && faults(p, true));
	munmap((void *)p, 4096);
}

static void moves(int fd)
{
	uint8_t *p = map_bar(fd), *q, *r;

	p[0x1000] = 77;
	q = mremap(p, FAKE_BAR_BYTES, 0x2000, 0);
	CHECK(q == p && p[0x1000] == 77);
	CHECK(mremap(p, 0x2000, 0x3000, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
	r = mmap(NULL, 0x2000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, 0x2000, 0x2000, MREMAP_MAYMOVE | MREMAP_FIXED, r);
	CHECK(q == r && q[0x1000] == 77 && faults(p, false));
	/* memory over the BAR is memory */
	p = mmap(q, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(p == q);
	p[0] = 99;
	CHECK(p[0] == 99 && q[0x1000] == 77);
	/* and a BAR over memory is the BAR */
	p = mmap(q, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0x1000);
	CHECK(p == q && p[0] == 77);
	munmap(q, 0x2000);
}

static void lives_on(void)
{
	int fd = open_device(), other = open("/dev/iommu", O_RDWR);
	uint8_t *p = map_bar(fd);

	close(fd);
	CHECK(ioctl(other, FAKE_OBJECTS, 0) == 2);
	p[0x20] = 44;
	CHECK(p[0x20] == 44);
	munmap(p, 0x1000);
	CHECK(p[0x1000] == 77);
	munmap(p + 0x1000, FAKE_BAR_BYTES - 0x1000);
	CHECK(ioctl(other, FAKE_OBJECTS, 0) == 1);
	close(other);
}

static void shared(int fd)
{
	uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FAKE_SHARED);
	struct fake_log log;
	uint8_t v = 0;

	CHECK(p != MAP_FAILED);
	ioctl(fd, FAKE_LOG, &log);
	p[0x30] = 55;
	CHECK(pread(fd, &v, 1, 0x30) == 1 && v == 55);
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.loads + log.stores == 0);
	munmap(p, 4096);
}

static void refusals(int fd)
{
	int null = open("/dev/iommu", O_RDWR);

	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x80000) == MAP_FAILED);
	CHECK(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 5) == MAP_FAILED && errno == EINVAL);
	close(null);
}

/* a system call given a BAR's pointer says EFAULT, and nothing is lost */
static void kernel_access(int fd)
{
	uint8_t *p = map_bar(fd);
	int pipes[2];
	char c = 0;

	CHECK(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
	CHECK(read(pipes[0], p, 1) == -1 && errno == EFAULT);
	CHECK(read(pipes[0], &c, 1) == 1 && c == 'x');
	CHECK(write(pipes[1], p, 1) == -1 && errno == EFAULT);
	munmap(p, FAKE_BAR_BYTES);
	CHECK(syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x80000) == -1);
	p = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[0x40] = 3;
	CHECK(p[0x40] == 3);
	CHECK(syscall(SYS_munmap, p, 4096) == 0);
	CHECK(faults(p, false));
}

/* A mapping that the server counts: as long as a part of it is there in any process. */
static int objects(int fd)
{
	return ioctl(fd, FAKE_OBJECTS, 0);
}

static void in_child(void (*fn)(uint8_t *p, int fd), uint8_t *p, int fd)
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		fn(p, fd);
		_exit(failed != 0);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

static void child_unmaps(uint8_t *p, int fd)
{
	*(uint32_t *)(p + 8) = 21;
	CHECK(munmap(p, FAKE_BAR_BYTES) == 0 && objects(fd) == 2);
}

static void child_dies(uint8_t *p, int fd)
{
	CHECK(*(uint64_t *)(p + 8) == 21 && objects(fd) == 2);
}

static void child_execs(uint8_t *p, int fd)
{
	CHECK(*(uint64_t *)(p + 8) == 21 && fd >= 0);
	execl("/bin/true", "true", NULL);
	_exit(1);
}

static void *map_own(int fd)
{
	uint8_t *p = mmap(NULL, FAKE_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FAKE_OWN);

	CHECK(p != MAP_FAILED);
	return p;
}

static void counted(void)
{
	int fd = open_device(), other = open("/dev/iommu", O_RDWR);
	uint8_t *p = map_own(fd), *q, *r;

	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, FAKE_OWN) == MAP_FAILED &&
	      errno == ENXIO);
	CHECK(objects(other) == 3);
	close(fd);
	CHECK(objects(other) == 2);
	*(uint64_t *)(p + 8) = 20;
	CHECK(*(uint32_t *)(p + 8) == 20 && *(uint32_t *)(p + 12) == 0);
	in_child(child_unmaps, p, other);
	in_child(child_dies, p, other);
	in_child(child_execs, p, other);
	CHECK(objects(other) == 2);
	/* moved, protected and cut it is the same mapping */
	r = mmap(NULL, FAKE_BAR_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, FAKE_BAR_BYTES, FAKE_BAR_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, r);
	CHECK(q == r && *(uint64_t *)(q + 8) == 21);
	CHECK(mprotect(q, 4096, PROT_READ) == 0 && faults(q + 8, true));
	CHECK(munmap(q + 4096, 4096) == 0 && munmap(q, 4096) == 0 && objects(other) == 2);
	q[8192] = 3;
	CHECK(q[8192] == 3);
	/* memory over what is left of it ends it */
	CHECK(mmap(q + 8192, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      q + 8192);
	CHECK(objects(other) == 1);
	munmap(q + 8192, 8192);
	close(other);
}

/* The child has it for longer than the parent. */
static void inherited(void)
{
	int fd = open_device(), go[2], st;
	uint8_t *p = map_own(fd);
	pid_t pid;
	char c;

	CHECK(pipe(go) == 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		CHECK(read(go[0], &c, 1) == 0);
		p[5] = 9;
		CHECK(p[5] == 9);
		/* what holds it is among these: nothing is there, and nothing happens */
		close_range(3, ~0U, 0);
		CHECK(*(uint32_t *)(p + 8) == ~0U);
		*(uint32_t *)(p + 8) = 22;
		CHECK(munmap(p, FAKE_BAR_BYTES) == 0);
		_exit(failed != 0);
	}
	munmap(p, FAKE_BAR_BYTES);
	CHECK(objects(fd) == 2);
	close(go[0]);
	close(go[1]);
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	CHECK(objects(fd) == 1);
	close(fd);
}

int main(void)
{
	int fd = open_device();

	parts(fd);
	protection(fd);
	moves(fd);
	shared(fd);
	refusals(fd);
	kernel_access(fd);
	close(fd);
	lives_on();
	counted();
	inherited();
	return failed != 0;
}
