/* SPDX-License-Identifier: MIT */
/* report.c - see report.h */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "../tool.h"

/* ---- memory ---- */

static void *or_die(void *p)
{
	if (p)
		return p;
	fputs("uiommu: out of memory.\n", stderr);
	exit(EXIT_TROUBLE);
}

void *tool_alloc(size_t bytes)
{
	return or_die(calloc(1, bytes ? bytes : 1));
}

void *tool_realloc(void *p, size_t bytes)
{
	return or_die(realloc(p, bytes ? bytes : 1));
}

void *tool_grow(void *p, unsigned n, size_t bytes)
{
	if (n & (n - 1))
		return p;		/* not a power of two: there is room */
	return tool_realloc(p, (n ? 2 * (size_t)n : 1) * bytes);
}

static void *keep(struct report *r, void *p)
{
	r->blocks = tool_grow(r->blocks, r->num_blocks, sizeof(*r->blocks));
	return r->blocks[r->num_blocks++] = p;
}

static char *vstr(struct report *r, const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	return keep(r, or_die(s));
}

char *report_str(struct report *r, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vstr(r, fmt, ap);
	va_end(ap);
	return s;
}

void report_init(struct report *r)
{
	*r = (struct report){ 0 };
}

void report_fini(struct report *r)
{
	for (unsigned i = 0; i < r->num_items; i++) {
		free(r->items[i]->fields);
		free(r->items[i]->causes);
		free(r->items[i]->notes);
		free(r->items[i]->raw);
		free(r->items[i]);
	}
	for (unsigned i = 0; i < r->num_blocks; i++)
		free(r->blocks[i]);
	free(r->items);
	free(r->blocks);
}

/* ---- filling in ---- */

struct report_item *report_add(struct report *r, const char *kind, unsigned line,
			       const char *smmu)
{
	struct report_item *it = tool_alloc(sizeof(*it));

	r->items = tool_grow(r->items, r->num_items, sizeof(*r->items));
	r->items[r->num_items++] = it;
	it->report = r;
	it->kind = kind;
	it->line = line;
	it->smmu = smmu && *smmu ? report_str(r, "%s", smmu) : NULL;
	return it;
}

static struct report_field *add_field(struct report_item *it, const char *name)
{
	it->fields = tool_grow(it->fields, it->num_fields, sizeof(*it->fields));
	it->fields[it->num_fields] = (struct report_field){ .name = name };
	return &it->fields[it->num_fields++];
}

void report_value(struct report_item *it, const char *name, uint64_t value, const char *fmt, ...)
{
	struct report_field *f = add_field(it, name);
	va_list ap;

	f->has_value = true;
	f->value = value;
	if (!fmt)
		return;
	va_start(ap, fmt);
	f->text = vstr(it->report, fmt, ap);
	va_end(ap);
}

void report_text(struct report_item *it, const char *name, const char *fmt, ...)
{
	struct report_field *f = add_field(it, name);
	va_list ap;

	va_start(ap, fmt);
	f->text = vstr(it->report, fmt, ap);
	va_end(ap);
}

void report_cause(struct report_item *it, const char *check, const char *rule)
{
	it->causes = tool_grow(it->causes, it->num_causes, sizeof(*it->causes));
	it->causes[it->num_causes++] = (struct report_cause){ check, rule };
}

void report_note(struct report_item *it, const char *fmt, ...)
{
	va_list ap;

	it->notes = tool_grow(it->notes, it->num_notes, sizeof(*it->notes));
	va_start(ap, fmt);
	it->notes[it->num_notes++] = vstr(it->report, fmt, ap);
	va_end(ap);
}

void report_raw(struct report_item *it, const uint64_t *w, unsigned n)
{
	it->raw = tool_alloc(n * sizeof(*w));
	if (n)
		memcpy(it->raw, w, n * sizeof(*w));
	it->num_raw = n;
}

/* ---- text ---- */

#define WIDTH 96

/* @text in lines of WIDTH columns, each beginning with @indent blanks. */
static void wrap(FILE *out, unsigned indent, unsigned column, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > indent && column + n + 1 > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, n, out);
		column += (unsigned)n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_head(const struct report_item *it, FILE *out, bool colour)
{
	if (it->line)
		fprintf(out, "line %u: ", it->line);
	if (it->smmu)
		fprintf(out, "%s: ", it->smmu);
	fprintf(out, "%s%s%s: %s\n", colour ? "\033[1m" : "", it->name, colour ? "\033[0m" : "",
		it->what);
}

static void print_fields(const struct report_item *it, FILE *out)
{
	unsigned width = 8;

	for (unsigned i = 0; i < it->num_fields; i++)
		if (strlen(it->fields[i].name) > width)
			width = (unsigned)strlen(it->fields[i].name);
	for (unsigned i = 0; i < it->num_fields; i++) {
		const struct report_field *f = &it->fields[i];

		fprintf(out, "    %-*s  ", (int)width, f->name);
		if (f->has_value)
			fprintf(out, "0x%" PRIx64 "%s", f->value, f->text ? ": " : "");
		fprintf(out, "%s\n", f->text ? f->text : "");
	}
}

static void print_causes(const struct report_item *it, FILE *out)
{
	if (it->num_causes)
		fputs("  Check, the likeliest first:\n", out);
	for (unsigned i = 0; i < it->num_causes; i++) {
		fprintf(out, "    %u. ", i + 1);
		wrap(out, 7, 7, it->causes[i].check);
		fputs("       Rule: ", out);
		wrap(out, 13, 13, it->causes[i].rule);
	}
}

void report_print(const struct report *r, FILE *out, bool colour)
{
	for (unsigned i = 0; i < r->num_items; i++) {
		const struct report_item *it = r->items[i];

		if (i)
			fputc('\n', out);
		print_head(it, out, colour);
		print_fields(it, out);
		if (it->means) {
			fputs("  ", out);
			wrap(out, 2, 2, it->means);
		}
		for (unsigned n = 0; n < it->num_notes; n++) {
			fputs("  Note: ", out);
			wrap(out, 8, 8, it->notes[n]);
		}
		print_causes(it, out);
	}
}

/* ---- JSON ---- */

static json_t *hex(uint64_t v)
{
	char buf[20];

	snprintf(buf, sizeof(buf), "0x%" PRIx64, v);
	return json_string(buf);
}

/* Input is any bytes; JSON is UTF-8, so what is not goes in as '?'. */
static json_t *string(const char *s)
{
	json_t *j = json_string(s);
	char *ascii;

	if (j)
		return j;
	ascii = or_die(strdup(s));
	for (char *p = ascii; *p; p++)
		if (*p & 0x80)
			*p = '?';
	j = json_string(ascii);
	free(ascii);
	return j;
}

static json_t *fields_json(const struct report_item *it)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < it->num_fields; i++) {
		const struct report_field *f = &it->fields[i];
		json_t *v = json_object();

		if (f->has_value)
			json_object_set_new(v, "value", hex(f->value));
		if (f->text)
			json_object_set_new(v, "text", string(f->text));
		json_object_set_new(o, f->name, v);
	}
	return o;
}

static json_t *causes_json(const struct report_item *it)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < it->num_causes; i++)
		json_array_append_new(a, json_pack("{s:s, s:s}", "check", it->causes[i].check,
						   "rule", it->causes[i].rule));
	return a;
}

static json_t *item_json(const struct report_item *it)
{
	json_t *o = json_object(), *notes = json_array(), *raw = json_array();

	json_object_set_new(o, "kind", json_string(it->kind));
	json_object_set_new(o, "name", string(it->name));
	json_object_set_new(o, "what", string(it->what));
	if (it->line)
		json_object_set_new(o, "line", json_integer(it->line));
	if (it->smmu)
		json_object_set_new(o, "smmu", string(it->smmu));
	if (it->means)
		json_object_set_new(o, "means", string(it->means));
	json_object_set_new(o, "cut", json_boolean(it->cut));
	json_object_set_new(o, "fields", fields_json(it));
	json_object_set_new(o, "causes", causes_json(it));
	for (unsigned i = 0; i < it->num_notes; i++)
		json_array_append_new(notes, string(it->notes[i]));
	json_object_set_new(o, "notes", notes);
	for (unsigned i = 0; i < it->num_raw; i++)
		json_array_append_new(raw, hex(it->raw[i]));
	json_object_set_new(o, "raw", raw);
	return o;
}

json_t *report_json(const struct report *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->num_items; i++)
		json_array_append_new(a, item_json(r->items[i]));
	return a;
}
