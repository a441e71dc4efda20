/* SPDX-License-Identifier: MIT */
/* What a process has mapped, and with which rights. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "server/internal.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int walk_file(FILE *f, uint64_t va, uint64_t end,
		     int (*fn)(void *ctx, uint64_t va, uint64_t len, int prot), void *ctx)
{
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	while (va < end && !ret && getline(&line, &room, f) > 0) {
		uint64_t from, to;
		char p[5];
		int prot;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, p) != 3 || to <= va)
			continue;
		if (from > va)
			break;
		prot = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) |
		       (p[2] == 'x' ? PROT_EXEC : 0);
		from = larger(from, va);
		to = smaller(to, end);
		ret = fn(ctx, from, to - from, prot);
		va = to;
	}
	free(line);
	return ret ? ret : va < end ? -UIOMMU_EFAULT : 0;
}

int maps_walk(pid_t pid, uint64_t va, uint64_t len,
	      int (*fn)(void *ctx, uint64_t va, uint64_t len, int prot), void *ctx)
{
	char path[32];
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -UIOMMU_EFAULT;
	ret = walk_file(f, va, va + len, fn, ctx);
	fclose(f);
	return ret;
}

static int has(void *ctx, uint64_t va, uint64_t len, int prot)
{
	int want = *(int *)ctx;

	return (prot & want) == want ? 0 : -UIOMMU_EFAULT;
}

int maps_check(pid_t pid, uint64_t va, uint64_t len, unsigned prot)
{
	int want = prot & UIOMMU_PROT_WRITE ? PROT_WRITE : PROT_READ;

	return maps_walk(pid, va, len, has, &want);
}
