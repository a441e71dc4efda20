/* SPDX-License-Identifier: MIT */
/* draw.h - a topology as text, graph, page, JSON */
#ifndef UIOMMU_TOOL_DRAW_H
#define UIOMMU_TOOL_DRAW_H

#include <jansson.h>
#include <stdio.h>

#include "topo.h"

void draw_tree(const struct topo *t, FILE *out, bool utf8, bool colour);
/* @tooltips: where nothing else says what draw_hover() does */
void draw_dot(const struct topo *t, FILE *out, bool tooltips);
/* Through graphviz' dot. Return: 0, or -1 after a sentence on stderr. */
int draw_svg(const struct topo *t, FILE *out);
int draw_html(const struct topo *t, FILE *out);
json_t *draw_json(const struct topo *t);

/* "RIDs 00:00.0 to 1f:1f.7 -> StreamID 0x0 to 0x1fff": one entry and its arithmetic */
void draw_map_text(const struct topo *t, const struct topo_map *m, char *buf, size_t bytes);

/* "StreamID = RID - 0x0100 + 0x40" */
void draw_arithmetic(const struct topo *t, const struct topo_map *m, char *buf, size_t bytes);

/* "StreamID 0x40 = RID 0x0100 - 0x0100 + 0x40" */
void draw_dev_arithmetic(const struct topo *t, const struct topo_dev *d, char *buf, size_t bytes);

/* "PASID 0x1 -> vm1 (PAGING), ASID 3; 2 faults" */
void draw_attach_text(const struct topo *t, const struct topo_attach *a, const char *arrow,
		      char *buf, size_t bytes);

#endif
