/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/pins.c - what the server asks of a program's address space:
 * a ring, a pinned page, pages that survive their munmap
 */
#include "tests/preload/progs/prog.h"

static void hide(int fd, bool over)
{
	uint8_t *p = mmap(NULL, 0x3000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fake_pin pin = { (uintptr_t)p + 0x1000, 0x1000, -1 };

	memset(p, 0x11, 0x3000);
	p[0x1000] = 0x66;
	CHECK(ioctl(fd, FAKE_HIDE, &pin) == 0 && pin.result == 0);
	if (over)
		mmap(p, 0x3000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else
		munmap(p, 0x3000);
	CHECK(ioctl(fd, FAKE_PEEK, 0) == 0x66);
	CHECK(ioctl(fd, FAKE_RELEASE, 0) == 0);
	CHECK(ioctl(fd, FAKE_PEEK, 0) == -1 && errno == EFAULT);
	if (over)
		munmap(p, 0x3000);
}

/* of two pinned pages one goes, then the other: it must still be known */
static void hide_in_parts(int fd)
{
	uint8_t *p = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fake_pin pin = { (uintptr_t)p, 0x2000, -1 };

	memset(p, 0x77, 0x2000);
	CHECK(ioctl(fd, FAKE_HIDE, &pin) == 0 && pin.result == 0);
	munmap(p + 0x1000, 0x1000);
	CHECK(ioctl(fd, FAKE_PEEK, 0) == 0x77 && p[0] == 0x77);
	munmap(p, 0x1000);
	CHECK(ioctl(fd, FAKE_PEEK, 0) == 0x77);
	CHECK(ioctl(fd, FAKE_RELEASE, 0) == 0);
}

int main(void)
{
	uint8_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fake_pin pin = { (uintptr_t)p, 4096, -1 };
	int fd = open("/dev/iommu", O_RDWR), r;

	r = ioctl(fd, FAKE_RING, 0);
	if (r < 0 && (errno == EPERM || errno == ENOSYS)) {
		printf("no io_uring here: the pin itself is not tried\n");
	} else {
		CHECK(r == 0);
		CHECK(ioctl(fd, FAKE_PIN, &pin) == 0 && pin.result == 0);
		pin.addr = 0x1000;
		CHECK(ioctl(fd, FAKE_PIN, &pin) == 0 && pin.result == -EFAULT);
		for (int i = 3; i < 1024; i++)
			if (i != fd)
				close(i);
		pin.addr = (uintptr_t)p;
		CHECK(ioctl(fd, FAKE_PIN, &pin) == 0 && pin.result == -EBADF);
	}
	hide(fd, false);
	hide(fd, true);
	hide_in_parts(fd);
	pin.addr = (uintptr_t)p;
	pin.result = PROT_READ;
	CHECK(ioctl(fd, FAKE_PROTECT, &pin) == 0 && pin.result == 0);
	CHECK(pread(open("/dev/zero", O_RDONLY), p, 1, 0) == -1 && errno == EFAULT);
	return failed != 0;
}
