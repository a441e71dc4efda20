/* SPDX-License-Identifier: MIT */
/*
 * prog.c - a program with bad manners: forks, inherits, duplicates, dies. Which
 * one is its argument; it says "done" and exits 0 when all went as on Linux.
 */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "edu.h"

static const char *self;

static void child_ends_well(pid_t pid)
{
	int status;

	need(pid > 0);
	need(waitpid(pid, &status, 0) == pid);
	need(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* Both sides use what was opened before the fork: there is one state. */
static int fork_child_first(void)
{
	struct edu e;
	uint32_t theirs, ours;
	int pipefd[2];
	uint8_t *page = edu_pages(1);
	pid_t pid;

	edu_open(&e, 0);
	need(edu_works(&e, "before the fork"));
	need(!pipe(pipefd));
	pid = fork();
	if (!pid) {
		/* the child maps a page of its own; the parent's stay the parent's */
		need(!edu_map(&e, page, PAGE, IOVA + 16 * PAGE));
		need(edu_copies(&e, page, IOVA + 16 * PAGE, page + 64, IOVA + 16 * PAGE + 64,
				"in the child"));
		theirs = edu_ioas(e.iommufd);
		need(write(pipefd[1], &theirs, sizeof(theirs)) == sizeof(theirs));
		_exit(0);
	}
	child_ends_well(pid);
	need(read(pipefd[0], &theirs, sizeof(theirs)) == sizeof(theirs));
	ours = edu_ioas(e.iommufd);
	need(ours != theirs && theirs != e.ioas);
	need(edu_map(&e, page, PAGE, IOVA + 16 * PAGE) && errno == EEXIST);
	need(edu_works(&e, "after the child"));
	need(!edu_unmap(&e, IOVA + 16 * PAGE, PAGE));
	return 0;
}

/* The parent goes; the child still has everything, and then gives it back. */
static int fork_parent_first(void)
{
	struct edu e;
	uint8_t *page;

	edu_open(&e, 0);
	if (fork())
		_exit(0);
	while (getppid() != 1 && kill(getppid(), 0) == 0 && getppid() != getsid(0)) {
		static int turns;

		if (turns++ > 200)
			break;
		usleep(1000);
	}
	page = edu_pages(1);
	need(!edu_map(&e, page, PAGE, IOVA + 16 * PAGE));
	need(edu_copies(&e, page, IOVA + 16 * PAGE, page + 64, IOVA + 16 * PAGE + 64, "orphan"));
	/* memory that the parent had pinned stays until it is unmapped */
	need(edu_dma(&e, IOVA, 64, false));
	need(!edu_unmap(&e, IOVA, 2 * PAGE));
	need(!edu_dma(&e, IOVA, 64, false));
	return 0;
}

static int use_inherited(char **argv)
{
	struct edu e = { .iommufd = atoi(argv[0]), .fd = atoi(argv[1]),
			 .ioas = (uint32_t)atoi(argv[2]) };
	struct vfio_device_info info = { .argsz = sizeof(info) };

	need(!ioctl(e.fd, VFIO_DEVICE_GET_INFO, &info));
	need(info.flags & VFIO_DEVICE_FLAGS_PCI);
	need(edu_ioas(e.iommufd) > e.ioas);
	e.mem = edu_pages(2);
	need(!edu_map(&e, e.mem, 2 * PAGE, IOVA + 32 * PAGE));
	e.bar = mmap(NULL, BAR, PROT_READ | PROT_WRITE, MAP_SHARED, e.fd, 0);
	need((void *)e.bar != MAP_FAILED);
	need(edu_copies(&e, e.mem, IOVA + 32 * PAGE, e.mem + PAGE, IOVA + 33 * PAGE, "inherited"));
	return 0;
}

/* exec without CLOEXEC: numbers on the command line, as a VMM's helper gets them */
static int exec_inherits(void)
{
	char iommufd[16], fd[16], ioas[16];
	struct edu e;

	edu_open(&e, 0);
	snprintf(iommufd, sizeof(iommufd), "%d", e.iommufd);
	snprintf(fd, sizeof(fd), "%d", e.fd);
	snprintf(ioas, sizeof(ioas), "%u", e.ioas);
	execl(self, self, "inherited", iommufd, fd, ioas, (char *)NULL);
	need(!"exec");
	return 1;
}

/* A child with nothing in its environment: ours all the same, or -ENODEV. */
static int spawn_scrubbed(void)
{
	char *const argv[] = { (char *)self, "opens", NULL }, *const envp[] = { NULL };
	struct edu e;
	pid_t pid;

	edu_open(&e, 0);
	need(!posix_spawn(&pid, self, NULL, NULL, argv, envp));
	child_ends_well(pid);
	need(edu_works(&e, "after the spawn"));
	return 0;
}

static int opens(void)
{
	int fd = open("/dev/iommu", O_RDWR);

	need(fd >= 0 || errno == ENOENT || errno == ENODEV);
	if (fd >= 0)
		need(edu_ioas(fd) == 1);	/* a context of its own */
	return 0;
}

/* Every order in which five things can be closed; then all is free again. */
static void close_one(struct edu *e, struct edu *f, int what)
{
	switch (what) {
	case 0:
		need(!close(e->iommufd));
		break;
	case 1:
		need(!close(e->fd));
		break;
	case 2:
		need(!munmap((void *)e->bar, BAR));
		break;
	case 3:
		need(!close(f->fd));
		break;
	case 4:
		need(!munmap(e->mem, 2 * PAGE));
		break;
	}
}

static bool next_permutation(int *a, int n)
{
	int i = n - 2, j = n - 1, t;

	while (i >= 0 && a[i] > a[i + 1])
		i--;
	if (i < 0)
		return false;
	while (a[j] < a[i])
		j--;
	t = a[i], a[i] = a[j], a[j] = t;
	for (i++, j = n - 1; i < j; i++, j--)
		t = a[i], a[i] = a[j], a[j] = t;
	return true;
}

static int close_orders(void)
{
	int order[5] = { 0, 1, 2, 3, 4 };

	do {
		struct edu e, f;

		edu_open(&e, 0);
		f.fd = edu_open_file(1);
		need(f.fd >= 0);
		need(!edu_bind(f.fd, e.iommufd, &f.id));
		f.ioas = e.ioas;
		need(!edu_attach(&f));
		for (int i = 0; i < 5; i++)
			close_one(&e, &f, order[i]);
	} while (next_permutation(order, 5));
	return 0;
}

/* A duplicate is the file; another open of a device is not. */
static int dups(void)
{
	struct edu e;
	uint32_t id;
	int fd2, iommufd2, other;

	edu_open(&e, 0);
	iommufd2 = dup(e.iommufd);
	fd2 = fcntl(e.fd, F_DUPFD_CLOEXEC, 100);
	need(iommufd2 >= 0 && fd2 >= 100);
	need(!close(e.iommufd) && !close(e.fd));
	e.iommufd = iommufd2;
	e.fd = fd2;
	need(edu_works(&e, "through duplicates"));
	need(edu_bind(e.fd, e.iommufd, &id) && errno == EINVAL);	/* bound already */
	other = edu_open_file(0);
	need(other >= 0);
	need(edu_bind(other, e.iommufd, &id) && (errno == EINVAL || errno == EBUSY));
	need(!close(other));
	need(edu_works(&e, "and still does"));
	need(!close(e.fd) && !close(e.iommufd));
	munmap((void *)e.bar, BAR);
	edu_open(&e, 0);
	need(edu_works(&e, "again"));
	return 0;
}

/* Dies in the middle of everything, leaving a DMA behind. */
static int killed(void)
{
	struct edu e;

	edu_open(&e, 0);
	*(volatile uint64_t *)(e.bar + 0x80) = IOVA;
	*(volatile uint64_t *)(e.bar + 0x88) = 0x40000;
	*(volatile uint64_t *)(e.bar + 0x90) = PAGE;
	*(volatile uint32_t *)(e.bar + 0x98) = 1;
	raise(SIGKILL);
	return 1;
}

/* A child dies so; what it shared and what it had alone are both fine after. */
static int child_killed(void)
{
	struct edu e, f;
	int status;
	pid_t pid;

	edu_open(&e, 0);
	pid = fork();
	if (!pid) {
		edu_open(&f, 1);
		need(edu_works(&f, "second device"));
		raise(SIGKILL);
	}
	need(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	need(edu_works(&e, "the parent's"));
	edu_open(&f, 1);
	need(edu_works(&f, "free again"));
	return 0;
}

/* The server is killed: errors, not a hang. */
static int server_killed(void)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };
	int fd = open("/dev/iommu", O_RDWR);

	need(fd >= 0);
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < 2000; i++) {
		if (ioctl(fd, IOMMU_IOAS_ALLOC, &a)) {
			need(errno == ENODEV);
			need(open("/dev/iommu", O_RDWR) < 0 && errno == ENODEV);
			return 0;
		}
		usleep(5000);
	}
	return 1;
}

static int exits_with_42(void)
{
	exit(42);
}

/* A page table with PASIDs of device @e, over @ioas. */
static uint32_t pasid_table(const struct edu *e, uint32_t ioas)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a), .flags = IOMMU_HWPT_ALLOC_PASID, .dev_id = e->id, .pt_id = ioas,
	};

	need(!ioctl(e->iommufd, IOMMU_HWPT_ALLOC, &a));
	return a.out_hwpt_id;
}

static int attach_pasid(const struct edu *e, uint32_t pasid, uint32_t table)
{
	struct vfio_device_attach_iommufd_pt a = {
		.argsz = sizeof(a), .flags = pasid ? VFIO_DEVICE_ATTACH_PASID : 0, .pasid = pasid,
		.pt_id = table,
	};

	return ioctl(e->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

/* Everything in use, and one fault; then it waits to be looked at from outside. */
static int waits(void)
{
	struct edu e, other;

	edu_open(&e, 0);
	need(!attach_pasid(&e, 0, pasid_table(&e, e.ioas)));
	need(!attach_pasid(&e, 0x11, pasid_table(&e, edu_ioas(e.iommufd))));
	edu_open(&other, 1);
	need(edu_works(&other, "seen from outside"));
	need(!edu_dma(&other, 0x30000000, 64, false));
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (getchar() != EOF)
		;
	need(edu_works(&e, "after all the looking"));
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(void);
} modes[] = {
	{ "fork-child-first", fork_child_first },
	{ "fork-parent-first", fork_parent_first },
	{ "exec-inherits", exec_inherits },
	{ "spawn-scrubbed", spawn_scrubbed },
	{ "opens", opens },
	{ "close-orders", close_orders },
	{ "dups", dups },
	{ "killed", killed },
	{ "child-killed", child_killed },
	{ "server-killed", server_killed },
	{ "waits", waits },
	{ "exits-with-42", exits_with_42 },
};

int main(int argc, char **argv)
{
	int ret = -1;

	self = argv[0];
	alarm(60);	/* a hang is a failure */
	if (argc == 5 && !strcmp(argv[1], "inherited"))
		ret = use_inherited(argv + 2);
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			ret = modes[i].fn();
	if (!ret && strcmp(argv[1], "opens"))
		puts("done");
	return ret < 0 ? 2 : ret;
}
