/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/procs.c - fork, vfork, exec, posix_spawn, a scrubbed
 * environment, SCM_RIGHTS, closing everything: one shared state
 */
#include "tests/preload/progs/prog.h"

#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static const char *self;
extern char **environ;

static bool child_ok(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* the child uses the inherited file and mapping, and opens one of its own */
static void forks(int fd, volatile uint8_t *bar)
{
	pid_t pid = fork();
	int own;

	if (!pid) {
		CHECK(ioctl(fd, FAKE_ECHO, 5) == 5);
		bar[1] = 31;
		own = open("/dev/iommu", O_RDWR);
		CHECK(ioctl(own, FAKE_OBJECTS, 0) == 2);
		pid = fork();
		if (!pid) {
			CHECK(ioctl(own, FAKE_CLIENTS, 0) == 3);
			_exit(failed != 0);
		}
		CHECK(child_ok(pid));
		_exit(failed != 0);
	}
	CHECK(child_ok(pid));
	CHECK(bar[1] == 31);
	CHECK(ioctl(fd, FAKE_OBJECTS, 0) == 1);
	CHECK(ioctl(fd, FAKE_CLIENTS, 0) == 1);
}

static void vforks(int fd, volatile uint8_t *bar)
{
	pid_t pid = vfork();

	if (!pid) {
		bar[2] = 32;
		_exit(ioctl(fd, FAKE_ECHO, 6) != 6);
	}
	CHECK(child_ok(pid));
	CHECK(bar[2] == 32 && ioctl(fd, FAKE_ECHO, 7) == 7);
}

/* the inherited file outlives its opener */
static void parent_first(void)
{
	int pipes[2], fd;
	pid_t pid;
	char c = 1;

	CHECK(pipe(pipes) == 0);
	pid = fork();
	if (!pid) {
		fd = open_device();
		if (!fork()) {
			while (getppid() != 1 && kill(getppid(), 0) == 0 && usleep(1000) == 0 && c++ < 100)
				;
			c = ioctl(fd, FAKE_ECHO, 8) != 8;
			close(fd);
			_exit(write(pipes[1], &c, 1) != 1);
		}
		_exit(0);
	}
	CHECK(child_ok(pid));
	CHECK(read(pipes[0], &c, 1) == 1 && c == 0);
	close(pipes[0]);
	close(pipes[1]);
}

#define SPAWN(call)							\
	do {								\
		pid_t pid = fork();					\
									\
		if (!pid) {						\
			call;						\
			perror(#call);					\
			_exit(1);					\
		}							\
		if (!child_ok(pid)) {					\
			fprintf(stderr, "not so: %s\n", #call);		\
			failed++;					\
		}							\
	} while (0)

static void execs(int fd)
{
	char *argv[] = { (char *)self, (char *)"child", NULL }, *none[] = { NULL };
	char *other[] = { (char *)"LD_PRELOAD=libm.so.6", (char *)"A=b", NULL };
	char name[] = "procs-fd", number[16], *argv2[] = { (char *)self, (char *)"child", number, NULL };
	pid_t pid;
	int me = open(self, O_RDONLY);

	(void)name;
	SPAWN(execve(self, argv, none));
	SPAWN(execve(self, argv, NULL));
	SPAWN(execve(self, argv, other));
	SPAWN(execle(self, self, "child", NULL, none));
	SPAWN(fexecve(me, argv, none));
	SPAWN(syscall(SYS_execve, self, argv, none));
	SPAWN(execveat(me, "", argv, none, AT_EMPTY_PATH));
	SPAWN(execvpe(self, argv, none));
	SPAWN((clearenv(), execv(self, argv)));
	SPAWN((clearenv(), execvp(self, argv)));
	SPAWN((clearenv(), execl(self, self, "child", NULL)));
	SPAWN((clearenv(), execlp(self, self, "child", NULL)));
	SPAWN((unsetenv("LD_PRELOAD"), execv(self, argv)));
	SPAWN((unsetenv(getenv("UIOMMU_ROOT") ? "UIOMMU_ROOT" : "X"), execv(self, argv)));
	CHECK(posix_spawn(&pid, self, NULL, NULL, argv, none) == 0 && child_ok(pid));
	CHECK(posix_spawnp(&pid, self, NULL, NULL, argv, none) == 0 && child_ok(pid));
	/* an open file goes through exec */
	snprintf(number, sizeof(number), "%d", fd);
	CHECK(posix_spawn(&pid, self, NULL, NULL, argv2, none) == 0 && child_ok(pid));
	close(me);
}

static void shells(void)
{
	char command[512];
	FILE *f;

	snprintf(command, sizeof(command), "env -i %s child", self);
	CHECK(system(command) == 0);
	clearenv();
	snprintf(command, sizeof(command), "%s child", self);
	CHECK(system(command) == 0);
	clearenv();
	f = popen(command, "r");
	CHECK(f && pclose(f) == 0);
}

/* a file sent to another process is the same file there */
static void passing(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int pair[2], got;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (!pid) {
		close(fd);
		if (recvmsg(pair[1], &msg, 0) != 1)
			_exit(1);
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
		_exit(ioctl(got, FAKE_ECHO, 9) != 9);
	}
	CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	CHECK(sendmsg(pair[0], &msg, 0) == 1);
	CHECK(child_ok(pid));
	close(pair[0]);
	close(pair[1]);
}

/* dup in every way; then everything is closed, our connection too */
static void closing(void)
{
	int fd = open_device(), a = dup(fd), b = dup2(fd, 50), c = fcntl(fd, F_DUPFD_CLOEXEC, 60), s;

	close(fd);
	CHECK(ioctl(a, FAKE_ECHO, 1) == 1 && ioctl(b, FAKE_ECHO, 2) == 2 &&
	      ioctl(c, FAKE_ECHO, 3) == 3);
	syscall(SYS_close_range, 3, ~0U, 0);
	s = socket(AF_UNIX, SOCK_STREAM, 0);	/* something else has the numbers now */
	for (int i = 0; i < 1100; i++)
		dup(s);
	closefrom(s + 1);
	fd = open_device();
	CHECK(ioctl(fd, FAKE_ECHO, 4) == 4);
	CHECK(ioctl(fd, FAKE_OBJECTS, 0) == 1);
	close(fd);
	close(s);
}

static int child(const char *fd_text)
{
	int fd = open("/dev/iommu", O_RDWR);

	CHECK(fd >= 0 && ioctl(fd, FAKE_ECHO, 1) == 1);
	CHECK(access("/sys/bus/pci/devices/" BDF, F_OK) == 0);
	if (fd_text)
		CHECK(ioctl(atoi(fd_text), FAKE_ECHO, 2) == 2);
	return failed != 0;
}

int main(int argc, char **argv)
{
	volatile uint8_t *bar;
	int fd;

	if (argc > 1)
		return child(argc > 2 ? argv[2] : NULL);
	self = realpath(argv[0], NULL);
	fd = open_device();
	bar = map_bar(fd);
	bar[0] = 1;
	forks(fd, bar);
	vforks(fd, bar);
	parent_first();
	execs(fd);
	passing(fd);
	munmap((void *)bar, FAKE_BAR_BYTES);
	close(fd);
	closing();
	shells();
	return failed != 0;
}
