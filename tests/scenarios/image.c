/* SPDX-License-Identifier: MIT */
/*
 * image.c - makes the disk of disk.c, and looks at it afterwards
 *
 *   image make FILE SEED    random bytes, and room for the copies; prints the checksum
 *   image check FILE        the copies are the original, turned over
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

static uint8_t part[DISK_PART], copy[DISK_PART];

static int make(FILE *f, uint64_t seed)
{
	uint64_t sum = DISK_SUM_START;

	for (unsigned i = 0; i < DISK_PART; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		part[i] = (uint8_t)(seed >> 56);
		sum = DISK_SUM(sum, part[i]);
	}
	if (fwrite(part, DISK_PART, 1, f) != 1)
		return 1;
	for (unsigned i = 0; i < DISK_WAYS; i++)
		if (fwrite(copy, DISK_PART, 1, f) != 1)
			return 1;
	printf("%" PRIx64 "\n", sum);
	return 0;
}

static int check(FILE *f)
{
	if (fread(part, DISK_PART, 1, f) != 1)
		return 1;
	for (unsigned way = 0; way < DISK_WAYS; way++) {
		if (fread(copy, DISK_PART, 1, f) != 1)
			return 1;
		for (unsigned i = 0; i < DISK_PART; i++) {
			if ((copy[i] ^ part[i]) == 0xff)
				continue;
			printf("copy %u differs at byte 0x%x\n", way, i);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool making = argc == 4 && !strcmp(argv[1], "make");
	FILE *f = making || argc == 3 ? fopen(argv[2], making ? "wb" : "rb") : NULL;
	int rc;

	if (!f) {
		fprintf(stderr, "usage: image make FILE SEED, image check FILE\n");
		return 2;
	}
	rc = making ? make(f, strtoull(argv[3], NULL, 0)) : check(f);
	return fclose(f) ? 1 : rc;
}
