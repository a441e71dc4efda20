/* SPDX-License-Identifier: MIT */
/* dt.c - see dt.h. Reads single bytes: it works before the MMU is on. */
#include <stddef.h>

#include "dt.h"

#define MAGIC		0xd00dfeedu
#define BEGIN_NODE	1u
#define END_NODE	2u
#define PROP		3u
#define NOP		4u
#define MAX_DEPTH	16

static const uint8_t *blob;
static uint32_t blob_bytes, structs, strings;

static uint32_t be32(uint32_t at)
{
	const uint8_t *p = blob + at;

	if (at > blob_bytes || blob_bytes - at < 4)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static const char *string_at(uint32_t at)
{
	return at < blob_bytes ? (const char *)blob + at : "";
}

static uint32_t string_bytes(uint32_t at)
{
	uint32_t n = 0;

	while (at + n < blob_bytes && blob[at + n])
		n++;
	return n + 1;
}

bool dt_open(const void *p)
{
	blob = p;
	blob_bytes = 8;
	if (be32(0) != MAGIC)
		return false;
	blob_bytes = be32(4);
	structs = be32(8);
	strings = be32(12);
	return true;
}

/* The token behind the one at @at. */
static uint32_t after(uint32_t at)
{
	switch (be32(at)) {
	case BEGIN_NODE:
		return (at + 4 + string_bytes(at + 4) + 3) & ~3u;
	case PROP:
		return (at + 12 + be32(at + 4) + 3) & ~3u;
	default:
		return at + 4;
	}
}

struct dt_prop dt_prop(const struct dt_node *node, const char *name)
{
	uint32_t at = node->at;

	for (; be32(at) == PROP || be32(at) == NOP; at = after(at)) {
		struct dt_prop p = { blob + at + 12, be32(at + 4) };

		if (be32(at) == PROP && same(string_at(strings + be32(at + 8)), name) &&
		    at + 12 + p.bytes <= blob_bytes)
			return p;
	}
	return (struct dt_prop){ NULL, 0 };
}

uint32_t dt_cell(struct dt_prop p, unsigned index)
{
	if (!p.data || (index + 1) * 4 > p.bytes)
		return 0;
	return be32((uint32_t)(p.data - blob) + index * 4);
}

uint64_t dt_number(struct dt_prop p, unsigned index, unsigned cells)
{
	uint64_t v = 0;

	while (cells--)
		v = v << 32 | dt_cell(p, index++);
	return v;
}

int dt_string_index(struct dt_prop p, const char *s)
{
	uint32_t first = p.data ? (uint32_t)(p.data - blob) : 0, at = first;
	int n = 0;

	for (; p.data && at - first < p.bytes; at += string_bytes(at), n++)
		if (same(string_at(at), s))
			return n;
	return -1;
}

static uint32_t cells_of(const struct dt_node *n, const char *name, uint32_t otherwise)
{
	struct dt_prop p = dt_prop(n, name);

	return p.data ? dt_cell(p, 0) : otherwise;
}

/* Every node in order, until @fn says that this is the one. */
static bool search(bool (*fn)(const struct dt_node *n, const char *name, unsigned depth,
			      const char *what), const char *what, struct dt_node *out)
{
	uint32_t cells[MAX_DEPTH][2] = { { 2, 1 } };
	unsigned depth = 0;

	for (uint32_t at = structs; at < blob_bytes; at = after(at)) {
		struct dt_node n = { .at = after(at) };

		if (be32(at) == END_NODE && depth)
			depth--;
		if (be32(at) != BEGIN_NODE)
			continue;
		if (depth + 1 >= MAX_DEPTH)
			return false;
		n.addr_cells = cells[depth][0];
		n.size_cells = cells[depth][1];
		depth++;
		cells[depth][0] = cells_of(&n, "#address-cells", 2);
		cells[depth][1] = cells_of(&n, "#size-cells", 1);
		if (fn(&n, string_at(at + 4), depth, what)) {
			*out = n;
			return true;
		}
	}
	return false;
}

static bool is_compatible(const struct dt_node *n, const char *name, unsigned depth,
			  const char *what)
{
	return dt_string_index(dt_prop(n, "compatible"), what) >= 0;
}

bool dt_compatible(const char *compatible, struct dt_node *out)
{
	return search(is_compatible, compatible, out);
}

static bool is_typed(const struct dt_node *n, const char *name, unsigned depth, const char *what)
{
	return dt_string_index(dt_prop(n, "device_type"), what) == 0;
}

bool dt_typed(const char *type, struct dt_node *out)
{
	return search(is_typed, type, out);
}

static bool is_named(const struct dt_node *n, const char *name, unsigned depth, const char *what)
{
	return depth == 2 && same(name, what);
}

bool dt_path(const char *name, struct dt_node *out)
{
	return search(is_named, name, out);
}

bool dt_reg(const struct dt_node *node, unsigned index, uint64_t *addr, uint64_t *bytes)
{
	struct dt_prop p = dt_prop(node, "reg");
	unsigned cells = node->addr_cells + node->size_cells, at = index * cells;

	if (!p.data || (at + cells) * 4 > p.bytes)
		return false;
	*addr = dt_number(p, at, node->addr_cells);
	*bytes = dt_number(p, at + node->addr_cells, node->size_cells);
	return true;
}
