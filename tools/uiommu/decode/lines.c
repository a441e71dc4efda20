/* SPDX-License-Identifier: MIT */
/*
 * lines.c - one line of somebody's log or dump
 *
 * Nothing is expected of what stands before the part that matters: time stamps,
 * levels, host names, quote marks. The SMMU's name is the word before it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "decode.h"

/* ---- names ---- */

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-_./@:", c));
}

/* Words that stand there and are no names. */
static bool no_name(const char *s, size_t n)
{
	static const char *const words[] = { "kernel", "XEN", "STE", "CD", "event", "command",
					     "words", "raw" };
	bool letter = false;

	for (size_t i = 0; i < n; i++)
		letter |= isalpha((unsigned char)s[i]) && !isxdigit((unsigned char)s[i]);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (n == strlen(words[i]) && !strncasecmp(s, words[i], n))
			return true;
	return !letter || (n > 2 && s[0] == '0' && s[1] == 'x');
}

/* The last word of what stands before @end. */
static void take_name(struct line *l, const char *from, const char *end)
{
	const char *start;
	size_t n;

	while (end > from && (end[-1] == ' ' || end[-1] == ':'))
		end--;
	for (start = end; start > from && name_char(start[-1]);)
		start--;
	n = (size_t)(end - start);
	if (n && n < sizeof(l->smmu) && !no_name(start, n))
		memcpy(l->smmu, start, n);
}

/* ---- words ---- */

struct token {
	const char *s;
	unsigned n;			/* of its digits */
	bool hex, prefixed, led;	/* 0x; first, or after "name:" */
	bool colon;			/* ends with one */
	bool gap;			/* two blanks or more before it */
};

#define MAX_TOKENS 96

static void classify(struct token *t, const char *s, size_t n)
{
	while (n && strchr(",;", s[n - 1]))
		n--;
	t->colon = n && s[n - 1] == ':';
	n -= t->colon;
	t->s = s;
	t->prefixed = n >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	if (t->prefixed) {
		t->s += 2;
		n -= 2;
	}
	t->hex = n > 0 || t->prefixed;
	for (size_t i = 0; i < n; i++)
		t->hex &= !!isxdigit((unsigned char)t->s[i]);
	t->n = n < 255 ? (unsigned)n : 255;
}

static unsigned tokens(const char *text, struct token *t)
{
	unsigned n = 0;
	bool led = true;

	while (n < MAX_TOKENS) {
		size_t blanks = strspn(text, " "), len;

		text += blanks;
		len = strcspn(text, " ");
		if (!len)
			break;
		classify(&t[n], text, len);
		t[n].led = led;
		t[n].gap = blanks > 1;
		led = text[len - 1] == ':' || text[len - 1] == '=' || text[len - 1] == '>';
		text += len;
		n++;
	}
	return n;
}

/* The first of the words: after a prefix that ends in ':', or the first with 0x. */
static unsigned first_word(const struct token *t, unsigned n)
{
	for (unsigned i = n; i-- > 0;)
		if (t[i].hex && t[i].led && !t[i].colon)
			return i;
	for (unsigned i = 0; i < n; i++)
		if (t[i].hex && t[i].prefixed && !t[i].colon)
			return i;
	return n;
}

static uint64_t digits(const struct token *t)
{
	uint64_t v = 0;
	char d[2] = "";

	for (unsigned i = 0; i < t->n && i < 16; i++) {
		d[0] = t->s[i];
		v = v << 4 | strtoul(d, NULL, 16);
	}
	return v;
}

static void add_word(struct line *l, uint64_t v, unsigned n)
{
	if (l->n == MAX_LINE_WORDS)
		return;
	l->w[l->n] = v;
	l->digits[l->n++] = (uint8_t)n;
}

/* 0x words; a blank inside one ("0x00020600 00000010") is closed again. */
static unsigned prefixed_words(struct line *l, const struct token *t, unsigned n)
{
	unsigned i = 0;

	while (i < n && t[i].hex && t[i].prefixed && !t[i].colon) {
		uint64_t v = digits(&t[i]);
		unsigned have = t[i].n;

		l->too_long |= have > 16;
		for (i++; i < n && t[i].hex && !t[i].prefixed && have + t[i].n <= 16; i++) {
			v = t[i].n < 16 ? v << 4 * t[i].n | digits(&t[i]) : digits(&t[i]);
			have += t[i].n;
		}
		add_word(l, v, have);
	}
	return i;
}

/* What hexdump, xxd, od and the kernel's dumps print: pieces of 1, 2, 4 or 8 bytes. */
static void dump_words(struct line *l, const struct token *t, unsigned n, bool big)
{
	unsigned width = t[0].n, count, per = width ? 16 / width : 0;

	if (width != 2 && width != 4 && width != 8 && width != 16)
		return;
	for (count = 1; count < n; count++)
		if (!t[count].hex || t[count].prefixed || t[count].n != width ||
		    (t[count].gap && width == 4 && big))
			break;
	for (unsigned i = 0; i + per <= count; i += per) {
		uint64_t v = 0;

		for (unsigned k = 0; k < per; k++) {
			uint64_t piece = digits(&t[i + k]);

			if (big && width == 4)	/* xxd prints bytes, in pairs */
				piece = (piece >> 8 | piece << 8) & 0xffff;
			v |= piece << 4 * width * k;
		}
		add_word(l, v, 16);
	}
}

/* A line of hex without 0x counts as a dump only when nothing else is on it. */
static bool plausible_dump(const struct token *t, unsigned at, unsigned n)
{
	if (at && !t[at - 1].colon && strcspn(t[at - 1].s, "]>:=|)") >= t[at - 1].n)
		return false;
	for (unsigned i = at; i < n; i++)
		if (!t[i].hex)
			return i - at >= 2;
	return t[at].n >= 8 || n - at >= 4 || (n - at > 1 && t[at + 1].n >= 8);
}

static void read_words(struct line *l, const char *text)
{
	struct token t[MAX_TOKENS];
	unsigned n = tokens(text, t), at = first_word(t, n), first = at;

	if (at == n)
		return;
	if (at == n - 1 && !t[at].prefixed && t[at].n < 16) {
		l->tail = digits(&t[at]);
		l->tail_digits = t[at].n;
	}
	if (t[at].prefixed) {
		prefixed_words(l, t + at, n - at);
	} else if (plausible_dump(t, at, n)) {
		/* "0000000 000b 4000": the first is an offset, it has another width */
		bool offset = n - at > 1 && t[at].n != t[at + 1].n && t[at].n >= 6;
		/* so has it in hexdump -C: "00000000  0b 00 ..." */
		bool big = at && t[at - 1].colon && t[at - 1].hex;

		first = at + offset;
		if (first < n)
			dump_words(l, t + first, n - first, big);
	}
	if (l->n && t[first].s > text)
		take_name(l, text, t[at].s - (t[at].prefixed ? 2 : 0));
}

/* ---- the line ---- */

static const char *find_event(const char *text, unsigned *code, const char **rest)
{
	for (const char *p = text; (p = strcasestr(p, "event")); p += 5) {
		const char *q = p + 5 + strspn(p + 5, " ");
		char *end;

		if (q[0] != '0' || (q[1] != 'x' && q[1] != 'X'))
			continue;
		q += 2 + strspn(q + 2, " ");
		*code = (unsigned)strtoul(q, &end, 16);
		if (end == q || end - q > 8)
			continue;
		*rest = end + strspn(end, " ");
		if (!strncasecmp(*rest, "received", 8)) {
			*rest += 8;
			*rest += strspn(*rest, ": ");
			return p;
		}
		if (!**rest)
			return p;
	}
	return NULL;
}

/* Control bytes are blanks; "0 x1" was "0x1"; an ASCII column goes. */
static void clean(char *s)
{
	char *bar;

	for (char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	for (char *p = s; (p = strstr(p, "0 x")); p++)
		if (isxdigit((unsigned char)p[3]) && (p == s || p[-1] == ' ')) {
			p[0] = ' ';
			p[1] = '0';
		}
	bar = strchr(s, '|');
	if (bar && bar > s + 16)
		*bar = '\0';
	for (size_t n = strlen(s); n && s[n - 1] == ' ';)
		s[--n] = '\0';
}

static enum decode_as hint_of(const char *text)
{
	static const struct {
		const char *word;
		enum decode_as as;
	} hints[] = {
		{ "STE", AS_STE }, { "CD", AS_CD }, { "stream table entry", AS_STE },
		{ "context descriptor", AS_CD }, { "command", AS_COMMAND }, { "cmd", AS_COMMAND },
		{ "CMDQ", AS_COMMAND }, { "event", AS_EVENT }, { "evtq", AS_EVENT },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		const char *p = strstr(text, hints[i].word);
		size_t n = strlen(hints[i].word);

		if (p && (p == text || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[n]))
			return hints[i].as;
	}
	return AS_GUESS;
}

void line_read(struct line *l, char *text)
{
	const char *at, *end;

	clean(text);
	l->text = l->rest = text;
	l->kind = LINE_OTHER;
	l->hint = hint_of(text);
	if (!text[strspn(text, " >|")]) {
		l->kind = LINE_BLANK;
	} else if ((at = find_event(text, &l->code, &end))) {
		l->kind = LINE_EVENT;
		read_words(l, end);
		l->smmu[0] = '\0';
		take_name(l, text, at);
		l->rest = end;
	} else if ((at = strstr(text, "event: ")) && strstr(at, " client: ")) {
		l->kind = LINE_CLIENT;
		take_name(l, text, at);
		l->rest = at + strlen("event: ");
	} else if ((at = strstr(text, "priv ")) && strstr(at, " stag: ")) {
		l->kind = LINE_ACCESS;
		at -= at >= text + 2 && !strncmp(at - 2, "un", 2) ? 2 : 0;
		take_name(l, text, at);
		l->rest = at;
	} else if ((l->notice = notice_find(text, &at, &end))) {
		l->kind = LINE_NOTICE;
		take_name(l, text, at);
		l->rest = end;
	} else {
		read_words(l, text);
		if (l->n || l->tail_digits) {
			l->kind = LINE_WORDS;
		} else if (text[strlen(text) - 1] == ':') {
			take_name(l, text, text + strlen(text));
			l->kind = *l->smmu ? LINE_NAME : LINE_OTHER;
		}
	}
}
