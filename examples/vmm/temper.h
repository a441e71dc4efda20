/* SPDX-License-Identifier: MIT */
/*
 * temper.h - a virtual SMMU that takes its time
 *
 * Of a kind one every register write has its effect before the CPU goes on. The
 * architecture promises less: commands are taken late, control registers acknowledged
 * late, events and interrupts come late. With a seed these moments are chosen: so a
 * driver that counts on the kind one is found out.
 */
#ifndef VMM_TEMPER_H
#define VMM_TEMPER_H

#include <stdbool.h>
#include <stdint.h>

struct temper {
	bool hostile;			/* never changes */
	uint64_t state;
};

static inline void temper_init(struct temper *t, uint64_t seed)
{
	t->hostile = seed;		/* 0: kind */
	t->state = seed;
}

/* A number below @n, which is not 0. */
static inline unsigned temper_choose(struct temper *t, unsigned n)
{
	t->state = t->state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(t->state >> 33) % n;
}

#endif
