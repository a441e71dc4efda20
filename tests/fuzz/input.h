/* SPDX-License-Identifier: MIT */
/* tests/fuzz/input.h - the bytes of a fuzzer, from the first on; behind the last are zeros */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

/* A number of @bytes, at most 8. */
static inline uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	if (bytes > in->left)
		bytes = (unsigned)in->left;
	if (!bytes)
		return 0;
	memcpy(&v, in->p, bytes);
	in->p += bytes;
	in->left -= bytes;
	return v;
}

#endif
