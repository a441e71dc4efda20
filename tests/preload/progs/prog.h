/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/prog.h - what the test programs share: a check that counts
 */
#ifndef TESTS_PRELOAD_PROG_H
#define TESTS_PRELOAD_PROG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/preload/fake.h"

static int failed __attribute__((unused));

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: %s: not so (errno %s)\n", \
				__FILE__, __LINE__, #cond, strerrorname_np(errno)); \
			failed++;					\
		}							\
	} while (0)

#ifdef __SANITIZE_THREAD__
#define TSAN 1
#elif defined(__has_feature)
#define TSAN __has_feature(thread_sanitizer)
#else
#define TSAN 0
#endif

#define BDF	"0000:01:00.0"
#define NODE	"/dev/vfio/devices/vfio0"

static inline int open_device(void)
{
	int fd = open(NODE, O_RDWR);

	if (fd < 0) {
		perror(NODE);
		exit(1);
	}
	return fd;
}

static inline void *map_bar(int fd)
{
	void *p = mmap(NULL, FAKE_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

#endif
