/* SPDX-License-Identifier: MIT */
/* dts.h - the built-in machine's source, with one thing in it changed, compiled */
#ifndef UIOMMU_TESTS_MACHINE_DTS_H
#define UIOMMU_TESTS_MACHINE_DTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DTB_MAX 65536

static char dts_source[DTB_MAX];

static inline int dts_load(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return -1;
	n = fread(dts_source, 1, sizeof(dts_source) - 1, f);
	fclose(f);
	return n ? 0 : -1;
}

static inline void dts_write(FILE *f, const char *find, const char *put)
{
	const char *at = find ? strstr(dts_source, find) : NULL;

	if (!find) {
		fputs(dts_source, f);
		fputs(put ? put : "", f);
		return;
	}
	if (!at)
		fail_msg("the built-in machine has no \"%s\"", find);
	fwrite(dts_source, 1, (size_t)(at - dts_source), f);
	fputs(put, f);
	fputs(at + strlen(find), f);
}

/* The first @find becomes @put; with NULL for it, @put (or nothing) comes at the end,
 * where a second "/ { ... };" adds to the first. Return: the blob's size, or 0. */
static inline size_t dts_compile(const char *find, const char *put, uint8_t *dtb)
{
	char source[] = "/tmp/uiommu-dts-XXXXXX", command[128];
	int fd = mkstemp(source);
	size_t n = 0;
	FILE *f;

	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	dts_write(f, find, put);
	fclose(f);
	snprintf(command, sizeof(command), "dtc -q -f -I dts -O dtb -o - %s", source);
	f = popen(command, "r");
	if (f) {
		n = fread(dtb, 1, DTB_MAX, f);
		pclose(f);
	}
	remove(source);
	return n;
}

#endif
