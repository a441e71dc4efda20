/* SPDX-License-Identifier: MIT */
/* src/smmuv3/text.h - lines of text without a C library */
#ifndef UIOMMU_SMMUV3_TEXT_H
#define UIOMMU_SMMUV3_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *at, *end;			/* room for a terminating 0 is kept at end */
	size_t wanted;			/* as long as it would have become */
};

static inline void text_char(struct text *t, char c)
{
	t->wanted++;
	if (t->at < t->end)
		*t->at++ = c;
	*t->at = 0;
}

/* @bytes: 1 or more */
static inline struct text text_begin(char *buf, size_t bytes)
{
	*buf = 0;
	return (struct text){ .at = buf, .end = buf + bytes - 1 };
}

static inline void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

/* at least @digits of them */
static inline void text_num(struct text *t, uint64_t v, unsigned base, unsigned digits)
{
	char buf[20];
	unsigned n = 0;

	do
		buf[n++] = "0123456789abcdef"[v % base];
	while ((v /= base) || n < digits);
	while (n)
		text_char(t, buf[--n]);
}

static inline void text_hex(struct text *t, uint64_t v)
{
	text_str(t, "0x");
	text_num(t, v, 16, 1);
}

#endif
