/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/gone.c - the server ends under a program: -ENODEV and one
 * sentence, no hang; a device that is gone reads as ones
 */
#include "tests/preload/progs/prog.h"

int main(void)
{
	volatile uint8_t *bar;
	int fd, null;
	char c;

	alarm(10);
	fd = open_device();
	bar = map_bar(fd);
	CHECK(ioctl(fd, FAKE_DIE, 0) == -1 && errno == ENODEV);
	CHECK(ioctl(fd, FAKE_ECHO, 1) == -1 && errno == ENODEV);
	CHECK(open("/dev/iommu", O_RDWR) == -1 && errno == ENODEV);
	CHECK(pread(fd, &c, 1, 0) == -1 && errno == ENODEV);
	bar[0] = 1;
	CHECK(bar[0] == 0xff);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
	munmap((void *)bar, FAKE_BAR_BYTES);
	null = open("/dev/null", O_RDWR);
	CHECK(null >= 0 && write(null, "x", 1) == 1);
	return failed != 0;
}
