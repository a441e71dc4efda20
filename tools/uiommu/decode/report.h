/* SPDX-License-Identifier: MIT */
/*
 * report.h - what a command has to say: things found, each with a name, fields,
 * causes and notes; printed as text or as JSON
 *
 * A report owns all its strings. Running out of memory ends the process with a
 * sentence: there is nothing half said that would be of use.
 */
#ifndef UIOMMU_TOOL_REPORT_H
#define UIOMMU_TOOL_REPORT_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report_field {
	const char *name;
	bool has_value;
	uint64_t value;
	const char *text;		/* NULL: the value says it all */
};

struct report_cause {
	const char *check, *rule;
};

struct report_item {
	struct report *report;
	const char *kind;		/* "event", "ste"...: a word of the JSON schema */
	const char *name;		/* "F_TRANSLATION" */
	const char *what;		/* a few words */
	const char *means;		/* a sentence or two, or NULL */
	const char *smmu;		/* which one it is about, or NULL */
	unsigned line;			/* where it begins in the input, from 1 */
	bool cut;			/* not all of it was there */
	struct report_field *fields;
	struct report_cause *causes;
	const char **notes;
	uint64_t *raw;
	unsigned num_fields, num_causes, num_notes, num_raw;
};

struct report {
	struct report_item **items;
	unsigned num_items;
	void **blocks;			/* memory that goes with the report */
	unsigned num_blocks;
};

void report_init(struct report *r);
void report_fini(struct report *r);

/* a string that lives as long as the report */
char *report_str(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct report_item *report_add(struct report *r, const char *kind, unsigned line,
			       const char *smmu);
/* @fmt NULL: the value alone */
void report_value(struct report_item *it, const char *name, uint64_t value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void report_text(struct report_item *it, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void report_cause(struct report_item *it, const char *check, const char *rule);
void report_note(struct report_item *it, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void report_raw(struct report_item *it, const uint64_t *w, unsigned n);

void report_print(const struct report *r, FILE *out, bool colour);
/* the array "items" of the schema; a new reference */
json_t *report_json(const struct report *r);

void *tool_alloc(size_t bytes);		/* zeroed; never NULL */
void *tool_realloc(void *p, size_t bytes);
/* room for one more in an array of @n that grows by doubling */
void *tool_grow(void *p, unsigned n, size_t bytes);

#endif
