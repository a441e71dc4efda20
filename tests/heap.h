/* SPDX-License-Identifier: MIT */
/* heap.h - memory for models, of which there is enough and which nobody counts */
#ifndef TESTS_HEAP_H
#define TESTS_HEAP_H

#include <stddef.h>
#include <stdlib.h>

static inline void *heap_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return calloc(1, bytes);
}

static inline void heap_free(void *ctx, void *p, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(p);
}

#endif
