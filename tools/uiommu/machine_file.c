/* SPDX-License-Identifier: MIT */
/* machine_file.c - a devicetree from a file, through dtc where it is source */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

#define MAX_BYTES (16u << 20)

static bool is_blob(const void *p, size_t bytes)
{
	static const unsigned char magic[4] = { 0xd0, 0x0d, 0xfe, 0xed };

	return bytes >= sizeof(magic) && !memcmp(p, magic, sizeof(magic));
}

/* Starts dtc with its output in a pipe; its complaints go to our stderr. */
static int start_dtc(const char *path, int *out, pid_t *pid)
{
	const char *argv[] = { "dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "-", "--", path, NULL };
	posix_spawn_file_actions_t fa;
	extern char **environ;
	int pipefd[2], ret;

	if (pipe2(pipefd, O_CLOEXEC))
		return errno;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, pipefd[1], STDOUT_FILENO);
	ret = posix_spawnp(pid, "dtc", &fa, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(pipefd[1]);
	if (ret)
		close(pipefd[0]);
	else
		*out = pipefd[0];
	return ret;
}

static int compile(const char *path, void **dtb, size_t *bytes, char *err, size_t err_bytes)
{
	int fd = -1, status = 0, ret;
	pid_t pid;

	ret = start_dtc(path, &fd, &pid);
	if (ret == ENOENT) {
		snprintf(err, err_bytes, "%s is devicetree source, and there is no dtc to compile "
			 "it: install device-tree-compiler.", path);
		return -1;
	}
	if (ret) {
		snprintf(err, err_bytes, "dtc could not be started: %s.", strerror(ret));
		return -1;
	}
	*dtb = tool_read_all(fd, MAX_BYTES, bytes);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (*dtb && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	free(*dtb);
	*dtb = NULL;
	snprintf(err, err_bytes, "%s is not devicetree source that dtc understands.", path);
	return -1;
}

int machine_file(const char *path, void **dtb, size_t *bytes, char *err, size_t err_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*dtb = fd >= 0 ? tool_read_all(fd, MAX_BYTES, bytes) : NULL;
	if (!*dtb)
		snprintf(err, err_bytes, "machine file %s: %s.", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!*dtb || is_blob(*dtb, *bytes))
		return *dtb ? 0 : -1;
	free(*dtb);
	return compile(path, dtb, bytes, err, err_bytes);
}
