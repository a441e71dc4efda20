/* SPDX-License-Identifier: MIT */
/*
 * dt.h - a flattened devicetree, read where it lies
 *
 * Nothing is copied and nothing is kept but positions. Sizes in the blob are
 * believed as far as they stay inside it: a blob that is cut short has no nodes
 * behind the cut.
 */
#ifndef DT_H
#define DT_H

#include <stdbool.h>
#include <stdint.h>

/* A property: bytes, big-endian cells. data NULL: it is not there. */
struct dt_prop {
	const uint8_t *data;
	uint32_t bytes;
};

/* A node; @at is where its properties begin. The cell counts are its parent's, by
 * which its reg is read. */
struct dt_node {
	uint32_t at;
	uint32_t addr_cells, size_cells;
};

/* Is there a devicetree at @blob? It is then the one that the rest looks at. */
bool dt_open(const void *blob);
/* The first node in order with @compatible among its strings. */
bool dt_compatible(const char *compatible, struct dt_node *out);
/* The first one whose device_type is @type. */
bool dt_typed(const char *type, struct dt_node *out);
/* The node /@name. */
bool dt_path(const char *name, struct dt_node *out);
struct dt_prop dt_prop(const struct dt_node *node, const char *name);
/* Cell @index of it; 0 where it is shorter. */
uint32_t dt_cell(struct dt_prop p, unsigned index);
/* @cells of them from @index as one number. */
uint64_t dt_number(struct dt_prop p, unsigned index, unsigned cells);
/* Entry @index of the node's reg. */
bool dt_reg(const struct dt_node *node, unsigned index, uint64_t *addr, uint64_t *bytes);
/* Which of the strings is @s; -1: none. */
int dt_string_index(struct dt_prop p, const char *s);

#endif
