/* SPDX-License-Identifier: MIT */
/* rng.h - random numbers that a seed gives again (xorshift64); a state of 0 stays 0 */
#ifndef TESTS_RNG_H
#define TESTS_RNG_H

#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
