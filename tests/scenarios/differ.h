/* SPDX-License-Identifier: MIT */
/*
 * differ.h - random configurations, the same on two SMMUs
 *
 * From a seed comes a stream table, an STE, a CD, tables of both stages, and one
 * address that a device accesses: mostly such as translates, then with none to three
 * mistakes in it. What an SMMU makes of it is where the access arrives, and which
 * events are recorded. No driver takes part.
 */
#ifndef DIFFER_H
#define DIFFER_H

#include "world.h"

#define DIFFER_TABLES		(RAM + (512u << 20))	/* where structures are */
#define DIFFER_TABLES_END	(DIFFER_TABLES + (64u << 20))
#define DIFFER_DATA		(RAM + (256u << 20))	/* where accesses are to arrive */
#define DIFFER_DATA_END		(DIFFER_DATA + (128u << 20))
#define DIFFER_MAX_WORDS	768u
#define DIFFER_MAX_PLACES	48u

enum differ_kind { DIFFER_L1STD, DIFFER_STE, DIFFER_CD, DIFFER_S1, DIFFER_S2, DIFFER_KINDS };

/* @meant: its value before mistakes. @index: of the word in an STE or CD; level of a
 * table entry. @leaf: meant as one */
struct differ_word {
	uint64_t pa, value, meant;
	uint8_t kind, index;
	bool leaf;
};

/* one stage's table */
struct differ_table {
	unsigned granule_lg2, ias_lg2, level;	/* of the root */
	uint64_t root;
	bool upper;
};

struct differ_case {
	uint64_t seed, rng;
	uint32_t sid;
	bool read;			/* the access is a read, not a write */
	uint64_t iova;
	uint32_t strtab_cfg, cr2;
	uint64_t strtab;
	unsigned config;		/* what STE.Config was before mistakes */
	struct differ_table s1, s2;
	uint64_t cd;
	unsigned mistakes;
	uint64_t scan, next;		/* tables are between; free from @next on */
	unsigned num_words, num_places;
	struct differ_word words[DIFFER_MAX_WORDS];
	uint64_t places[DIFFER_MAX_PLACES];	/* where the access could arrive */
};

/*
 * @reached: where the write arrived, 0: nowhere; 1: at more than one place. Of a read:
 * what the device has afterwards, 0: it was stopped. @events: how many were recorded, and the first
 */
struct differ_result {
	uint64_t reached;
	unsigned events;
	uint64_t event[4];
};

/* gen.c */
void differ_generate(struct differ_case *c, uint64_t seed, uint32_t sid, bool read);
/* A two-level stream table? QEMU, once told of one, takes every table for one, so these
 * come last. */
bool differ_two_level(uint64_t seed);
/* The seed of case @i of a run. */
uint64_t differ_seed(uint64_t run, uint64_t i);

/* differ.c */
/* Queues, nothing translated yet; once. False: the SMMU does not acknowledge. */
bool differ_begin(void);
void differ_run(const struct differ_case *c, struct differ_result *out);
/* A run of @count cases, one line each: "c INDEX REACHED EVENTS WORD..." */
void differ_all(uint64_t run, uint64_t first, uint64_t count, bool read);
/* The case of a seed, as number @i. */
void differ_one(uint64_t seed, uint64_t i, bool read);
/* "REACHED EVENTS WORD...", which is what is compared; @buf: DIFFER_LINE bytes. */
#define DIFFER_LINE 128
void differ_line(const struct differ_result *r, char *buf);

#endif
