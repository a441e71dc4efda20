/* SPDX-License-Identifier: MIT */
/*
 * decode.h - SMMUv3 records in text, found and explained
 *
 * lines.c   one line: whose it is, and what it brings
 * find.c    lines put together into records
 * event.c   event records;  entry.c  STEs, CDs, commands, descriptors;
 * notice.c  what drivers say in words (GERROR, CMDQ errors, overflows)
 */
#ifndef UIOMMU_TOOL_DECODE_H
#define UIOMMU_TOOL_DECODE_H

#include <stddef.h>

#include "report.h"

/* how words without a heading are to be read */
enum decode_as { AS_GUESS, AS_EVENT, AS_STE, AS_CD, AS_COMMAND, AS_L1STD, AS_L1CD, AS_PRI };

struct decode_options {
	enum decode_as as;
	/* the device behind a StreamID, in words; leaves @buf empty where it has none */
	void (*name_sid)(void *ctx, uint32_t sid, char *buf, size_t bytes);
	void *name_ctx;
};

/*
 * Finds what there is in @bytes bytes of @text (any bytes) and explains it into @r.
 * Return: how many things of those could be read.
 */
unsigned decode_text(const char *text, size_t bytes, const struct decode_options *o,
		     struct report *r);

/* ---- between the files ---- */

#define SMMU_NAME_BYTES	64
#define MAX_LINE_WORDS	16

enum line_kind {
	LINE_OTHER,
	LINE_BLANK,
	LINE_EVENT,		/* "event 0x10 received:", words may follow */
	LINE_CLIENT,		/* "event: F_TRANSLATION client: ..." */
	LINE_ACCESS,		/* "unpriv data write s1 "..." stag: 0x0", below that */
	LINE_NAME,		/* only a name, as a wrapped line leaves it */
	LINE_WORDS,
	LINE_NOTICE,
};

struct notice;

struct line {
	enum line_kind kind;
	unsigned number;
	char smmu[SMMU_NAME_BYTES];	/* empty: does not say */
	unsigned code;			/* LINE_EVENT */
	const struct notice *notice;
	const char *text;		/* whole, cleaned */
	const char *rest;		/* behind what was recognised */
	enum decode_as hint;		/* "STE:", "CD:"... on the line, else AS_GUESS */
	uint64_t w[MAX_LINE_WORDS];
	uint8_t digits[MAX_LINE_WORDS];	/* as written */
	unsigned n;
	bool too_long;			/* a word of more than 16 digits */
	uint64_t tail;			/* the only thing on the line: hex without 0x, */
	unsigned tail_digits;		/* perhaps the end of a word that was wrapped */
};

/* @text is NUL-terminated and may be changed */
void line_read(struct line *l, char *text);

struct found {
	enum { FOUND_EVENT, FOUND_BLOCK, FOUND_NOTICE } kind;
	unsigned line;
	char smmu[SMMU_NAME_BYTES];
	unsigned code;
	bool has_code, too_long;
	uint64_t *w;
	unsigned n;
	uint8_t d[4];			/* digits that the first words were written with */
	unsigned last_line;		/* with words of this */
	unsigned short_digits;		/* of a last word that was cut and is not in @w */
	char *client;			/* from the driver's own line */
	char *said;			/* that line, */
	char *said_more;		/* and the one after it */
	bool from_text;			/* @w was made of these */
	enum decode_as hint;
	const struct notice *notice;
	char *text;
};

bool event_known(unsigned code);
int event_code(const char *name);	/* -1: none of that name */
void explain_event(struct report *r, const struct decode_options *o, const struct found *f);
/* words that no heading says what they are; returns how many things it read */
unsigned explain_block(struct report *r, const struct decode_options *o, const struct found *f);
void explain_command(struct report *r, const struct found *f, const uint64_t *w);

/* the notice whose phrase is in @text, and where it ends */
const struct notice *notice_find(const char *text, const char **at, const char **end);
/* the words after it belong to it (a command that was skipped) */
bool notice_takes_command(const struct notice *n);
void explain_notice(struct report *r, const struct found *f);

#endif
