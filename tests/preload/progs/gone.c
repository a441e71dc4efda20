/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/gone.c - the server ends under a program: -ENODEV and one
 * sentence, no hang; a device that is gone reads as ones. The same when its tree
 * is gone too, and in a program that starts then.
 */
#include "tests/preload/progs/prog.h"

/* Somebody tidied up after the server. Moved away, not removed: to walk the tree
 * is to be led into the real /sys. */
static void tree_goes(char *self)
{
	const char *root = getenv("UIOMMU_ROOT");
	char away[256], *argv[] = { self, (char *)"child", NULL };
	int status;
	pid_t pid;

	snprintf(away, sizeof(away), "%s.gone", root);
	CHECK(rename(root, away) == 0);
	CHECK(open("/dev/iommu", O_RDWR) == -1 && errno == ENODEV);
	CHECK(open(NODE, O_RDWR) == -1 && errno == ENODEV);
	CHECK(open("/dev/vfio/devices/none", O_RDWR) == -1 && errno == ENOENT);
	pid = fork();
	if (!pid) {
		execv(self, argv);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(rename(away, root) == 0);
}

static int child(void)
{
	CHECK(open("/dev/iommu", O_RDWR) == -1 && errno == ENODEV);
	return failed != 0;
}

int main(int argc, char **argv)
{
	volatile uint8_t *bar;
	int fd, null;
	char c;

	if (argc > 1)
		return child();
	alarm(60);
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
	tree_goes(argv[0]);
	return failed != 0;
}
