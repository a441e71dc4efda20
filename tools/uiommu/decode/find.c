/* SPDX-License-Identifier: MIT */
/* find.c - lines put together into records, each SMMU's apart */
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "src/smmuv3/fields.h"

#define MAX_BLOCK_WORDS	4096

struct finder {
	struct found *f;
	unsigned n;
	long block;		/* the block that lines are added to, or -1 */
	char wrapped[SMMU_NAME_BYTES];	/* the line before was this name alone */
};

static struct found *add(struct finder *x, int kind, const struct line *l)
{
	struct found *f;

	x->f = tool_grow(x->f, x->n, sizeof(*x->f));
	f = &x->f[x->n++];
	*f = (struct found){ .kind = kind, .line = l->number, .last_line = l->number,
			     .hint = l->hint };
	memcpy(f->smmu, l->smmu, sizeof(f->smmu));
	return f;
}

static char *copy(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(tool_alloc(n), s, n);
}

static unsigned wants(const struct found *f)
{
	if (f->kind == FOUND_EVENT)
		return EVT_WORDS - f->n;
	if (f->kind == FOUND_NOTICE && notice_takes_command(f->notice))
		return CMD_WORDS - f->n;
	return 0;
}

static void push(struct found *f, uint64_t w, unsigned digits)
{
	f->w = tool_grow(f->w, f->n, sizeof(*f->w));
	if (f->n < sizeof(f->d))
		f->d[f->n] = (uint8_t)digits;
	f->w[f->n++] = w;
}

/* Words of @l into the record @f; returns how many it took. */
static unsigned feed(struct found *f, const struct line *l)
{
	unsigned taken = 0;

	f->too_long |= l->too_long;
	f->last_line = l->number;
	for (; taken < l->n && wants(f); taken++)
		push(f, l->w[taken], l->digits[taken]);
	return taken;
}

/*
 * Drivers print all 16 digits. So a word that begins with a 0 and has fewer has
 * lost some; it and what follows are of no use.
 */
static void drop_cut_words(struct found *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->d[i] > 1 && f->d[i] < 16 && !(f->w[i] >> (4 * f->d[i] - 4))) {
			f->short_digits = f->d[i];
			f->n = i;
		}
}

/* A mail program wrapped a word: this line is its end. */
static bool append_tail(struct found *f, const struct line *l)
{
	unsigned i = f->n - 1;

	if (!f->n || f->n > sizeof(f->d) || !l->tail_digits || l->number - f->last_line > 2 ||
	    f->d[i] + l->tail_digits != 16)
		return false;
	f->w[i] = f->w[i] << 4 * l->tail_digits | l->tail;
	f->d[i] = 16;
	f->last_line = l->number;
	return true;
}

/* Whose words these are: the youngest record of that SMMU, or simply the youngest. */
static struct found *owner(struct finder *x, const struct line *l)
{
	for (unsigned i = x->n; i-- > 0 && x->n - i < 256;) {
		struct found *f = &x->f[i];

		if (f->kind == FOUND_BLOCK || !wants(f))
			continue;
		if (!strcmp(f->smmu, l->smmu))
			return f;
		/* without a name: directly below, but for a wrapped line between */
		if ((!*l->smmu || !*f->smmu) && l->number - f->last_line <= 2)
			return f;
	}
	return NULL;
}

/* A dump may print 32 bits at a time with 0x. */
static void join_halves(struct line *l)
{
	bool halves = l->n >= 2 && l->n % 2 == 0;

	for (unsigned i = 0; i < l->n; i++)
		halves &= l->digits[i] == 8;
	for (unsigned i = 0; halves && i < l->n / 2; i++)
		l->w[i] = l->w[2 * i] | l->w[2 * i + 1] << 32;
	l->n = halves ? l->n / 2 : l->n;
}

static void words(struct finder *x, struct line *l)
{
	struct found *f = owner(x, l);
	unsigned at;

	for (unsigned i = x->n; l->tail_digits && i-- > 0 && x->n - i < 4;)
		if (append_tail(&x->f[i], l))
			return;
	at = f ? feed(f, l) : 0;
	if (at == l->n)
		return;
	if (!f)
		join_halves(l);
	if (x->block < 0) {
		add(x, FOUND_BLOCK, l);
		x->block = (long)x->n - 1;
	}
	f = &x->f[x->block];
	if (f->hint == AS_GUESS)
		f->hint = l->hint;
	f->too_long |= l->too_long;
	for (; at < l->n && f->n < MAX_BLOCK_WORDS; at++)
		push(f, l->w[at], 16);
}

/* The driver's own decoding: "F_TRANSLATION client: 0000:01:00.0 sid: 0x100 ssid: ..." */
static void client(struct finder *x, const struct line *l)
{
	struct found *f = NULL;
	const char *c = strstr(l->rest, " client: ");
	char name[32] = "";
	size_t n = strcspn(l->rest, " ");
	int code;

	if (n < sizeof(name))
		memcpy(name, l->rest, n);
	code = event_code(name);
	for (unsigned i = x->n; i-- > 0 && !f && x->n - i < 256;)
		if (x->f[i].kind == FOUND_EVENT && !x->f[i].said &&
		    !strcmp(x->f[i].smmu, l->smmu) && (int)x->f[i].code == code)
			f = &x->f[i];
	if (!f) {
		f = add(x, FOUND_EVENT, l);
		f->has_code = code >= 0;
		f->code = code >= 0 ? (unsigned)code : 0;
	}
	f->said = copy(l->rest);
	if (!c || !strncmp(c + 9, "(unassigned", 11))
		return;
	c += 9;
	n = strcspn(c, " ");
	f->client = copy(c);
	f->client[n] = '\0';
}

/* A number behind @key in what the driver said. */
static uint64_t said(const char *text, const char *key)
{
	const char *p = text ? strstr(text, key) : NULL;

	return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

static uint64_t said_access(const char *t)
{
	uint64_t w = FPREP(EVT_F_TRANSLATION_STAG, said(t, " stag: "));

	w |= FPREP(EVT_F_TRANSLATION_PnU, !strncmp(t, "priv", 4));
	w |= FPREP(EVT_F_TRANSLATION_InD, !!strstr(t, "priv inst "));
	w |= FPREP(EVT_F_TRANSLATION_RnW, !!strstr(t, " read s"));
	w |= FPREP(EVT_F_TRANSLATION_S2, !!strstr(t, " s2 "));
	w |= FPREP(EVT_F_TRANSLATION_Stall, !!strstr(t, " stall "));
	w |= FPREP(EVT_F_TRANSLATION_CLASS, strstr(t, "CD fetch") ? EVT_CLASS_CD :
		   strstr(t, "Stage 1 tr") ? EVT_CLASS_TT : EVT_CLASS_IN);
	w |= FPREP(EVT_F_PERMISSION_TTRnW, !!strstr(t, " ttd_read"));
	return w;
}

/* Somebody kept only the driver's own lines: the record from what they say. */
static void from_text(struct found *f)
{
	uint64_t ssid = said(f->said, " ssid: "), fetch = said(f->said, " fetch_addr: ");
	uint64_t ipa = said(f->said, " ipa: ");

	if (f->n || !f->said || !f->has_code)
		return;
	f->from_text = true;
	push(f, FPREP(EVT_Number, f->code) | FPREP(EVT_StreamID, said(f->said, " sid: ")) |
	     FPREP(EVT_SSV, ssid != 0) | FPREP(EVT_SubstreamID, ssid), 16);
	if (!f->said_more && !fetch)
		return;
	push(f, f->said_more ? said_access(f->said_more) : 0, 16);
	push(f, said(f->said, " iova: "), 16);
	push(f, fetch ? fetch : ipa, 16);
}

/* The line of the access belongs to the client line just before. */
static void access_line(struct finder *x, const struct line *l)
{
	for (unsigned i = x->n; i-- > 0 && x->n - i < 16;) {
		struct found *f = &x->f[i];

		if (f->said && !f->said_more && !strcmp(f->smmu, l->smmu)) {
			f->said_more = copy(l->rest);
			return;
		}
	}
}

static void one_line(struct finder *x, struct line *l)
{
	struct found *f;

	if (l->kind == LINE_WORDS && !*l->smmu)
		memcpy(l->smmu, x->wrapped, sizeof(l->smmu));
	memcpy(x->wrapped, l->kind == LINE_NAME ? l->smmu : "\0", l->kind == LINE_NAME ?
	       sizeof(x->wrapped) : 1);

	if (l->kind != LINE_WORDS)
		x->block = -1;
	switch (l->kind) {
	case LINE_EVENT:
		f = add(x, FOUND_EVENT, l);
		f->has_code = true;
		f->code = l->code;
		feed(f, l);
		break;
	case LINE_CLIENT:
		client(x, l);
		break;
	case LINE_ACCESS:
		access_line(x, l);
		break;
	case LINE_NOTICE:
		f = add(x, FOUND_NOTICE, l);
		f->notice = l->notice;
		f->text = copy(l->rest);
		break;
	case LINE_WORDS:
		words(x, l);
		break;
	default:
		break;
	}
}

/* Nobody's log has longer lines than this; what is beyond is a line of its own. */
#define MAX_LINE 4000

static void all_lines(struct finder *x, const char *text, size_t bytes)
{
	char buf[MAX_LINE + 1];
	enum decode_as hint = AS_GUESS;

	for (unsigned number = 1; bytes; number++) {
		const char *nl = memchr(text, '\n', bytes);
		size_t n = nl ? (size_t)(nl - text) : bytes, use = n < MAX_LINE ? n : MAX_LINE;
		struct line l = { .number = number };

		memcpy(buf, text, use);
		for (size_t i = 0; i < use; i++)
			if (!buf[i])
				buf[i] = ' ';
		buf[use] = '\0';
		line_read(&l, buf);
		if (l.kind == LINE_WORDS && l.hint == AS_GUESS)
			l.hint = hint;		/* "STE of 0x100:", and the words below */
		else if (l.kind == LINE_OTHER || l.kind == LINE_NAME)
			hint = l.hint;
		else if (l.kind == LINE_BLANK && x->block >= 0)
			hint = AS_GUESS;
		one_line(x, &l);
		n += nl ? 1 : 0;
		text += n;
		bytes -= n;
	}
}

static unsigned explain(struct report *r, const struct decode_options *o, const struct found *f)
{
	if (f->kind == FOUND_BLOCK)
		return explain_block(r, o, f);
	if (f->kind == FOUND_EVENT)
		explain_event(r, o, f);
	else
		explain_notice(r, f);
	return 1;
}

unsigned decode_text(const char *text, size_t bytes, const struct decode_options *o,
		     struct report *r)
{
	struct finder x = { .block = -1 };
	unsigned read = 0;

	all_lines(&x, text, bytes);
	for (unsigned i = 0; i < x.n; i++) {
		if (x.f[i].kind == FOUND_EVENT) {
			drop_cut_words(&x.f[i]);
			from_text(&x.f[i]);
		}
		read += explain(r, o, &x.f[i]);
		free(x.f[i].w);
		free(x.f[i].client);
		free(x.f[i].said);
		free(x.f[i].said_more);
		free(x.f[i].text);
	}
	free(x.f);
	return read;
}
