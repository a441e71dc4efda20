/* SPDX-License-Identifier: MIT */
/*
 * attachments.h - what is attached to what in an instance, drawn as trees from both
 * ends: each device with its PASIDs, each domain with what has it
 *
 * For whoever has the instance in his own process: `uiommu run --show', and programs
 * that link the library (examples/vmm).
 */
#ifndef UIOMMU_TOOL_ATTACHMENTS_H
#define UIOMMU_TOOL_ATTACHMENTS_H

#include <stdio.h>
#include <uiommu/iommu.h>

/* With which strokes. */
struct pen {
	bool utf8, colour;
};

/* as the locale, and the terminal behind @out if it is one, take them */
void pen_init(struct pen *pen, FILE *out);
/* "──" */
const char *pen_rule(const struct pen *pen);

void attachments_heading(const struct pen *pen, FILE *out, const char *text);
/* Takes no lock: within host->read_enter(), or where nothing changes. */
void attachments_draw(const struct pen *pen, FILE *out, struct uiommu *u);
/* it has a table: not identity, not blocked, not NULL */
bool attachments_translates(const struct uiommu_domain *dom);

#endif
