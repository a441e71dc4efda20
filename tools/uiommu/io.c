/* SPDX-License-Identifier: MIT */
/* io.c - reading and printing, for commands that answer questions */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define MAX_BYTES (64u << 20)

static int complain(const char *what, int err)
{
	fprintf(stderr, "uiommu: %s: %s.\n", what, strerror(err));
	return EXIT_TROUBLE;
}

char *tool_read_all(int fd, size_t most, size_t *bytes)
{
	size_t room = 65536, n = 0;
	char *buf = malloc(room), *p;
	ssize_t got = 1;

	while (buf && got) {
		got = read(fd, buf + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (n += (size_t)got) > most) {
			errno = got < 0 ? errno : EFBIG;
			free(buf);
			return NULL;
		}
		if (n < room)
			continue;
		p = realloc(buf, room *= 2);
		if (!p)
			free(buf);
		buf = p;
	}
	*bytes = n;
	return buf;
}

char *tool_slurp(const char *path, size_t *bytes)
{
	bool input = !path || !strcmp(path, "-");
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? tool_read_all(fd, MAX_BYTES, bytes) : NULL;

	if (!text)
		complain(input ? "standard input" : path, errno);
	if (fd >= 0 && !input)
		close(fd);
	return text;
}

bool tool_number(const char *arg, uint64_t max, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(arg, &end, 0);
	return !errno && end != arg && !*end && *v <= max && *arg != '-';
}

bool tool_colour(FILE *out)
{
	return isatty(fileno(out)) && !getenv("NO_COLOR");
}

int tool_flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		return complain("standard output", errno);
	return 0;
}

int tool_print_json(json_t *j)
{
	int bad = !j || json_dumpf(j, stdout, JSON_INDENT(2));

	json_decref(j);
	putchar('\n');
	return bad ? complain("standard output", errno ? errno : ENOMEM) : tool_flush();
}
