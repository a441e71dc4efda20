/* SPDX-License-Identifier: MIT */
/* disk.h - what disk.c and the maker of its image agree about */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

#define DISK_PART	(256u << 10)	/* bytes: the original, then a copy for each way */
#define DISK_WAYS	3u

/* FNV-1a, a byte at a time */
#define DISK_SUM_START	0xcbf29ce484222325ull
#define DISK_SUM(sum, byte) (((sum) ^ (uint8_t)(byte)) * 0x100000001b3ull)

/* The image's exit code. */
int disk(void);

#endif
