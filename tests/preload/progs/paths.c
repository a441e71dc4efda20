/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/paths.c - every way of naming our files, and that no answer
 * shows where they really are
 */
#include "tests/preload/progs/prog.h"

#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#define SYSDEV	"/sys/devices/pci0000:01/" BDF
#define LINK	"/sys/bus/pci/devices/" BDF

static bool is_iommu(int fd)
{
	bool ok = fd >= 0 && ioctl(fd, FAKE_ECHO, 7) == 7;

	if (fd >= 0)
		close(fd);
	return ok;
}

int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);

static void opens(void)
{
	struct open_how how = { .flags = O_RDWR };
	int dir = open("/dev", O_RDONLY | O_DIRECTORY), root = open("/", O_PATH), fd;
	char link[64];

	CHECK(is_iommu(open("/dev/iommu", O_RDWR)));
	CHECK(is_iommu(open64("/dev/iommu", O_RDWR)));
	CHECK(is_iommu(open("//dev/./iommu", O_RDWR)));
	CHECK(is_iommu(open("/tmp/../dev/iommu", O_RDWR)));
	CHECK(is_iommu(open("/dev/vfio/../iommu", O_RDWR)));
	CHECK(is_iommu(openat(AT_FDCWD, "/dev/iommu", O_RDWR)));
	CHECK(is_iommu(openat64(-1, "/dev/iommu", O_RDWR)));
	CHECK(is_iommu(openat(dir, "iommu", O_RDWR)));
	CHECK(is_iommu(openat(root, "dev/iommu", O_RDWR)));
	CHECK(is_iommu(__open_2("/dev/iommu", O_RDWR)));
	CHECK(is_iommu(__open64_2("/dev/iommu", O_RDWR)));
	CHECK(is_iommu(__openat_2(dir, "iommu", O_RDWR)));
	CHECK(is_iommu(__openat64_2(dir, "iommu", O_RDWR)));
	CHECK(is_iommu((int)syscall(SYS_open, "/dev/iommu", O_RDWR)));
	CHECK(is_iommu((int)syscall(SYS_openat, dir, "iommu", O_RDWR)));
	CHECK(is_iommu((int)syscall(SYS_openat2, dir, "iommu", &how, sizeof(how))));
	CHECK(is_iommu(open(NODE, O_RDWR)));
	CHECK(chdir("/dev") == 0 && is_iommu(open("iommu", O_RDWR)));
	CHECK(chdir("/dev/vfio") == 0 && is_iommu(open("devices/vfio0", O_RDWR)));
	CHECK(is_iommu(open("../iommu", O_RDWR)));
	CHECK(chdir("/") == 0 && is_iommu(open("dev/iommu", O_RDWR)));
	snprintf(link, sizeof(link), "/tmp/uiommu-test-link-%d", getpid());
	CHECK(symlink("/dev/iommu", link) == 0);
	CHECK(is_iommu(open(link, O_RDWR)));
	unlink(link);
	fd = open("/dev/iommu", O_RDWR);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(is_iommu(open(link, O_RDWR)));
	close(fd);
	close(dir);
	close(root);
}

static char *volatile nowhere;

static void refusals(void)
{
	CHECK(open("/dev/vfio/devices/vfio9", O_RDWR) == -1 && errno == ENOENT);
	CHECK(open("/dev/iommu/", O_RDWR) == -1 && errno == ENOTDIR);
	CHECK(open("/dev/iommu/x", O_RDWR) == -1 && errno == ENOTDIR);
	CHECK(open("/dev/iommu", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
	CHECK(open("/dev/iommu", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	CHECK(open("/nonexistent/file", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(open(nowhere, O_RDONLY) == -1 && errno == EFAULT);
	CHECK(access("/sys/bus/pci/devices/0000:99:00.0", F_OK) == -1 && errno == ENOENT);
}

static void flags(void)
{
	int fd = open("/dev/iommu", O_RDWR), fd2 = open("/dev/iommu", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char buf[4];

	CHECK(fcntl(fd, F_GETFD) == 0);
	CHECK(fcntl(fd2, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd2, F_GETFL) & O_NONBLOCK);
	CHECK(read(fd, buf, 4) == -1 && errno == EINVAL);
	CHECK(lseek(fd, 0, SEEK_SET) == -1 && errno == ESPIPE);
	CHECK(pread(fd, buf, 4, 0) == -1 && errno == EINVAL);
	CHECK(ioctl(fd, _IO('x', 1), 0) == -1 && errno == ENOTTY);
	alarm(60);
	for (int i = 0; i < 5000; i++)
		if (write(fd, buf, 4) < 0)
			break;
	alarm(0);
	close(fd);
	close(fd2);
}

static void transfers(void)
{
	int fd = open_device(), pipes[2];
	char buf[8] = "";
	struct iovec iov[2] = { { buf, 2 }, { buf + 2, 3 } };

	CHECK(pwrite64(fd, "abcdefg", 7, 0x20) == 7);
	CHECK(pread64(fd, buf, 7, 0x20) == 7 && !memcmp(buf, "abcdefg", 7));
	CHECK(preadv(fd, iov, 2, 0x21) == 5 && !memcmp(buf, "bcdef", 5));
	CHECK(preadv2(fd, iov, 2, 0x22, 0) == 5 && !memcmp(buf, "cdefg", 5));
	CHECK(pwritev(fd, iov, 2, 0x30) == 5 && pread(fd, buf, 5, 0x30) == 5);
	CHECK(syscall(SYS_pread64, fd, buf, 3, 0x20) == 3 && !memcmp(buf, "abc", 3));
	CHECK(pread(fd, nowhere, 4, 0) == -1 && errno == EFAULT);
	CHECK(pread(fd, buf, 4, -1) == -1 && errno == EINVAL);
	CHECK(pipe(pipes) == 0 && pread(pipes[0], buf, 1, 0) == -1 && errno == ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

int __xstat(int, const char *, struct stat *);
int __lxstat64(int, const char *, struct stat64 *);
int __fxstat(int, int, struct stat *);
int __fxstatat(int, int, const char *, struct stat *, int);

static bool is_node(const struct stat *st, unsigned maj, unsigned min)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == maj && minor(st->st_rdev) == min &&
	       (st->st_mode & 0777) == 0600;
}

static void stats(void)
{
	int fd = open("/dev/iommu", O_RDWR), dev = open_device(), dir = open("/dev/vfio", O_PATH);
	struct stat st, st2;
	struct statx sx;
	struct statfs fs;

	CHECK(stat("/dev/iommu", &st) == 0 && is_node(&st, 10, 120));
	CHECK(lstat(NODE, &st) == 0 && is_node(&st, 508, 0));
	CHECK(fstat(fd, &st) == 0 && is_node(&st, 10, 120));
	CHECK(fstat(dev, &st2) == 0 && is_node(&st2, 508, 0));
	CHECK(stat(NODE, &st) == 0 && st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	CHECK(fstatat(dir, "devices/vfio0", &st, 0) == 0 && is_node(&st, 508, 0));
	CHECK(fstatat(dev, "", &st, AT_EMPTY_PATH) == 0 && is_node(&st, 508, 0));
	CHECK(statx(AT_FDCWD, NODE, 0, STATX_BASIC_STATS, &sx) == 0 && S_ISCHR(sx.stx_mode) &&
	      sx.stx_rdev_major == 508);
	CHECK(statx(dev, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) == 0 && S_ISCHR(sx.stx_mode));
	CHECK(__xstat(1, "/dev/iommu", &st) == 0 && is_node(&st, 10, 120));
	CHECK(__lxstat64(1, NODE, (struct stat64 *)&st) == 0 && is_node(&st, 508, 0));
	CHECK(__fxstat(1, fd, &st) == 0 && is_node(&st, 10, 120));
	CHECK(__fxstatat(1, dir, "devices/vfio0", &st, 0) == 0 && is_node(&st, 508, 0));
	CHECK(syscall(SYS_newfstatat, AT_FDCWD, NODE, &st, 0) == 0 && is_node(&st, 508, 0));
	CHECK(syscall(SYS_stat, "/dev/iommu", &st) == 0 && is_node(&st, 10, 120));
	CHECK(syscall(SYS_fstat, fd, &st) == 0 && is_node(&st, 10, 120));
	CHECK(stat(LINK "/vendor", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(lstat(LINK, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(stat(LINK, &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(lstat(LINK "/", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	CHECK(access(NODE, R_OK | W_OK) == 0);
	CHECK(faccessat(dir, "devices/vfio0", F_OK, 0) == 0);
	CHECK(euidaccess("/dev/iommu", R_OK) == 0);
	CHECK(syscall(SYS_access, "/dev/iommu", F_OK) == 0);
	CHECK(statfs(LINK, &fs) == 0 && fs.f_type == 0x62656572);
	close(fd);
	close(dev);
	close(dir);
}

static void links(void)
{
	char buf[PATH_MAX], link[64], *p;
	int fd = open_device(), dir;
	ssize_t n;

	n = readlink(LINK "/iommu_group", buf, sizeof(buf));
	CHECK(n == 30 && !memcmp(buf, "../../../kernel/iommu_groups/1", 30));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, sizeof(buf));
	CHECK(n == sizeof(NODE) - 1 && !memcmp(buf, NODE, (size_t)n));
	CHECK(stat(link, &(struct stat){ 0 }) == 0);
	n = syscall(SYS_readlink, link, buf, 5);
	CHECK(n == 5 && !memcmp(buf, "/dev/", 5));
	CHECK(realpath(LINK, buf) && !strcmp(buf, SYSDEV));
	CHECK(realpath(LINK "/iommu_group", buf) && !strcmp(buf, "/sys/kernel/iommu_groups/1"));
	CHECK(realpath(LINK "/../../pci0000:01", buf) && !strcmp(buf, "/sys/devices/pci0000:01"));
	CHECK(realpath("/dev/iommu", buf) && !strcmp(buf, "/dev/iommu"));
	p = canonicalize_file_name(LINK "/driver");
	CHECK(p && !strcmp(p, "/sys/bus/pci/drivers/vfio-pci"));
	free(p);
	p = realpath("/usr/./bin/..", NULL);
	CHECK(p && !strcmp(p, "/usr"));
	free(p);
	CHECK(chdir(LINK) == 0 && getcwd(buf, sizeof(buf)) && !strcmp(buf, SYSDEV));
	CHECK(getcwd(buf, sizeof(SYSDEV)) && !strcmp(buf, SYSDEV));
	CHECK(syscall(SYS_getcwd, buf, sizeof(buf)) == sizeof(SYSDEV) && !strcmp(buf, SYSDEV));
	CHECK(access("vendor", R_OK) == 0);
	CHECK(access("../../pci0000:01", F_OK) == 0);
	CHECK(access("../../../../etc/passwd", R_OK) == 0);
	CHECK(readlink("driver", buf, sizeof(buf)) > 0);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(chdir("/") == 0 && faccessat(dir, "vendor", R_OK, 0) == 0);
	CHECK(fchdir(dir) == 0 && access("device", R_OK) == 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = readlink(link, buf, sizeof(buf));
	CHECK(n == sizeof(SYSDEV) - 1 && !memcmp(buf, SYSDEV, (size_t)n));
	close(dir);
	close(fd);
	CHECK(chdir("/") == 0);
}

static char seen[256];

static int note(const char *path, const struct stat *st, int type, struct FTW *f)
{
	if (!strcmp(path + f->base, "vendor"))
		snprintf(seen, sizeof(seen), "%s", path);
	return st == NULL || type == -1;
}

static int not_dot(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void directories(void)
{
	struct dirent **list, *e;
	bool chr = false;
	glob_t g;
	DIR *d;
	int n;

	n = scandir("/sys/class/vfio-dev", &list, not_dot, alphasort);
	CHECK(n == 1 && !strcmp(list[0]->d_name, "vfio0"));
	while (n > 0)
		free(list[--n]);
	free(list);
	d = opendir("/dev/vfio/devices");
	while (d && (e = readdir(d)))
		chr |= !strcmp(e->d_name, "vfio0") && e->d_type == DT_CHR;
	CHECK(d && chr && closedir(d) == 0);
	CHECK(glob("/dev/vfio/devices/vfio*", 0, NULL, &g) == 0 && g.gl_pathc == 1 &&
	      !strcmp(g.gl_pathv[0], NODE));
	globfree(&g);
	CHECK(glob("/sys/bus/pci/devices/*/vfio-dev/vfio*", 0, NULL, &g) == 0 && g.gl_pathc == 1 &&
	      !strcmp(g.gl_pathv[0], LINK "/vfio-dev/vfio0"));
	globfree(&g);
	CHECK(glob("/etc/pass*d", 0, NULL, &g) == 0 && !strcmp(g.gl_pathv[0], "/etc/passwd"));
	globfree(&g);
	CHECK(nftw(SYSDEV, note, 8, FTW_PHYS) == 0 && !strcmp(seen, SYSDEV "/vendor"));
	d = opendir("/sys/bus/pci/drivers/vfio-pci");
	CHECK(d && closedir(d) == 0);
	d = opendir("/etc");
	CHECK(d && closedir(d) == 0);
}

/*
 * Somebody who walks the tree by its real name (rm -rf /tmp/x) stays in it, even
 * where the real system has a directory of that name.
 */
static void walked_by_its_real_name(void)
{
	static const char *const steps[] = { "sys", "bus", "pci", "devices" };
	int fd = open(getenv("UIOMMU_ROOT"), O_RDONLY | O_DIRECTORY);
	struct stat root, st;

	CHECK(fd >= 0 && !fstat(fd, &root));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int next = openat(fd, steps[i], O_RDONLY | O_DIRECTORY);

		CHECK(next >= 0 && !fstat(next, &st) && st.st_dev == root.st_dev);
		close(fd);
		fd = next;
	}
	close(fd);
}

static void streams(void)
{
	char line[32] = "";
	FILE *f = fopen(LINK "/vendor", "r");

	CHECK(f && fgets(line, sizeof(line), f) && !strcmp(line, "0x1234\n"));
	f = f ? freopen(LINK "/device", "r", f) : NULL;
	CHECK(f && fgets(line, sizeof(line), f) && !strcmp(line, "0x11e8\n"));
	if (f)
		fclose(f);
	f = fopen64("/sys/class/vfio-dev/vfio0/dev", "re");
	CHECK(f && fgets(line, sizeof(line), f) && !strcmp(line, "508:0\n"));
	if (f)
		fclose(f);
	f = fopen("/dev/iommu", "r+");
	CHECK(f && ioctl(fileno(f), FAKE_ECHO, 3) == 3);
	f = f ? freopen(NODE, "r+", f) : NULL;
	CHECK(f && ioctl(fileno(f), FAKE_ECHO, 4) == 4);
	if (f)
		fclose(f);
	f = fopen("/etc/passwd", "r");
	CHECK(f);
	if (f)
		fclose(f);
}

int main(void)
{
	if (access(NODE, F_OK)) {
		fprintf(stderr, "not run by the fake server\n");
		return 1;
	}
	opens();
	refusals();
	flags();
	transfers();
	stats();
	links();
	directories();
	walked_by_its_real_name();
	streams();
	return failed != 0;
}
