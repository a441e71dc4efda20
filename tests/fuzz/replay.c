/* SPDX-License-Identifier: MIT */
/*
 * replay.c - every input of a kept corpus through a fuzz target, without a fuzzer
 *
 * usage: fuzz-TARGET CORPUS.hex [DIRECTORY]; an input a line, in hex. With a
 * directory they are written there, a file each, and nothing is run.
 */
#include <stdio.h>
#include <stdlib.h>

#include "input.h"

static size_t decode(const char *line, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	for (; sscanf(line, "%2x", &byte) == 1; line += 2)
		out[n++] = (uint8_t)byte;
	return n;
}

static int unpack(const char *dir, int number, const uint8_t *data, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/kept-%d", dir, number);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, size, f) != size)
		return 1;
	return fclose(f);
}

int main(int argc, char **argv)
{
	static char line[1 << 17];
	static uint8_t data[sizeof(line) / 2 + 1];
	FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
	int n = 0, rc = 0;

	if (!f)
		return 1;
	for (; fgets(line, sizeof(line), f); n++) {
		uint8_t *copy;
		size_t size = decode(line, data);

		if (argc > 2) {
			rc |= unpack(argv[2], n, data, size);
			continue;
		}
		printf("%s:%d\n", argv[1], n + 1);	/* the last line before a crash */
		fflush(stdout);
		copy = malloc(size ? size : 1);		/* its end is guarded */
		memcpy(copy, data, size);
		LLVMFuzzerTestOneInput(copy, size);
		free(copy);
	}
	fclose(f);
	return rc || !n;
}
