/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/basic.c - a program's usual way: find the device, open it,
 * ioctl, config space, map a BAR, store and load
 */
#include "tests/preload/progs/prog.h"

#include <dirent.h>

static void find(void)
{
	DIR *d = opendir("/sys/bus/pci/devices/" BDF "/vfio-dev/");
	struct dirent *e;
	bool found = false;

	CHECK(d);
	if (!d)
		return;
	while ((e = readdir(d)))
		found |= !strcmp(e->d_name, "vfio0");
	CHECK(found);
	CHECK(closedir(d) == 0);
}

int main(void)
{
	volatile uint32_t *bar;
	struct fake_log log;
	uint32_t v = 0;
	int fd, iommu;

	find();
	fd = open_device();
	iommu = open("/dev/iommu", O_RDWR);
	CHECK(iommu >= 0);
	CHECK(ioctl(fd, FAKE_ECHO, 42) == 42);
	CHECK(ioctl(iommu, FAKE_OBJECTS, 0) == 2);
	CHECK(ioctl(fd, FAKE_ECHO, (long)-EINVAL) == -1 && errno == EINVAL);
	CHECK(pwrite(fd, "\1\2\3\4", 4, 0x10) == 4);
	CHECK(pread(fd, &v, 4, 0x10) == 4 && v == 0x04030201);
	bar = map_bar(fd);
	CHECK(bar[4] == 0x04030201);
	CHECK(ioctl(fd, FAKE_LOG, &log) == 0);
	bar[5] = 0xdeadbeef;
	CHECK(pread(fd, &v, 4, 0x14) == 4 && v == 0xdeadbeef);
	CHECK(ioctl(fd, FAKE_LOG, &log) == 0);
	CHECK(log.stores == 1 && log.last_store == 4 && log.loads == 0);
	CHECK(munmap((void *)bar, FAKE_BAR_BYTES) == 0);
	CHECK(close(fd) == 0);
	CHECK(ioctl(iommu, FAKE_OBJECTS, 0) == 1);
	return failed != 0;
}
