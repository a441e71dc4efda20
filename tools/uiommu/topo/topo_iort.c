/* SPDX-License-Identifier: MIT */
/*
 * topo_iort.c - the same from an ACPI IORT table, revisions 0 to 7
 *
 * A table is bytes from firmware: every offset and count is checked against the
 * table before it is used, and what does not fit is said and left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "topo.h"

enum { ITS_GROUP, NAMED, ROOT_COMPLEX, SMMU_V2, SMMU_V3, PMCG, RMR, IWB, NUM_TYPES };

static const char *const type_names[NUM_TYPES] = {
	"ITS group", "named component", "root complex", "SMMUv1/2", "SMMUv3", "PMCG", "RMR", "IWB",
};

#define HEADER		48	/* of the table: ACPI's 36, node count, node offset, reserved */
#define NODE		16	/* of a node */
#define MAPPING		20
#define REGION		20
#define MAX_NODES	65536

struct node {
	uint32_t at, length, num_maps, maps_at;
	unsigned type, revision;
	int index;			/* of what it became in the topology */
};

struct iort {
	const uint8_t *p;
	size_t bytes;
	struct topo *t;
	struct node *nodes;
	unsigned num_nodes;
};

static uint64_t get(const struct iort *i, size_t at, unsigned bytes)
{
	uint64_t v = 0;

	if (at + bytes > i->bytes)
		return 0;
	for (unsigned k = bytes; k-- > 0;)
		v = v << 8 | i->p[at + k];
	return v;
}

/* A field of a node: 0 where the node is too short to have it. */
static uint64_t field(const struct iort *i, const struct node *n, unsigned at, unsigned bytes)
{
	return at + bytes <= n->length ? get(i, n->at + at, bytes) : 0;
}

/* ---- nodes ---- */

static bool fits(const struct iort *i, const struct node *n, uint32_t at, uint64_t count,
		 unsigned each)
{
	return at >= NODE && at + count * each <= n->length && n->at + n->length <= i->bytes;
}

static void check_maps(struct iort *i, struct node *n, unsigned number)
{
	if (!n->num_maps)
		return;
	if (fits(i, n, n->maps_at, n->num_maps, MAPPING))
		return;
	topo_find(i->t, TOPO_ERROR, "bad-length", "IORT node %u (%s at 0x%x): %u ID mappings at "
		  "0x%x do not fit into its %u bytes; they are left out", number,
		  n->type < NUM_TYPES ? type_names[n->type] : "unknown", n->at, n->num_maps,
		  n->maps_at, n->length);
	n->num_maps = 0;
}

static void read_node(struct iort *i, uint32_t at, unsigned number)
{
	struct node *n;

	i->nodes = tool_grow(i->nodes, i->num_nodes, sizeof(*i->nodes));
	n = &i->nodes[i->num_nodes++];
	*n = (struct node){ .at = at, .type = (unsigned)get(i, at, 1),
			    .length = (uint32_t)get(i, at + 1, 2),
			    .revision = (unsigned)get(i, at + 3, 1),
			    .num_maps = (uint32_t)get(i, at + 8, 4),
			    .maps_at = (uint32_t)get(i, at + 12, 4), .index = -1 };
	if (n->type >= NUM_TYPES)
		topo_find(i->t, TOPO_WARNING, "unknown-node", "IORT node %u at 0x%x has type %u, "
			  "which is not known here", number, at, n->type);
	check_maps(i, n, number);
}

static void read_nodes(struct iort *i)
{
	uint32_t count = (uint32_t)get(i, 36, 4), at = (uint32_t)get(i, 40, 4), k;

	if (at < HEADER - 4 && count) {
		topo_find(i->t, TOPO_ERROR, "bad-offset", "The IORT's nodes begin at 0x%x, inside "
			  "its header", at);
		return;
	}
	for (k = 0; k < count && k < MAX_NODES; k++) {
		uint32_t length = (uint32_t)get(i, at + 1, 2);

		if ((uint64_t)at + NODE > i->bytes || length < NODE ||
		    (uint64_t)at + length > i->bytes) {
			topo_find(i->t, TOPO_ERROR, length || (uint64_t)at + NODE > i->bytes ?
				  "bad-length" : "zero-length",
				  "IORT node %u at 0x%x: %s; this and the %u nodes after it are "
				  "not read", k, at, (uint64_t)at + NODE > i->bytes ?
				  "it is beyond the end of the table" : length < NODE ?
				  "its length is too small for a node" :
				  "it is longer than the table", count - k - 1);
			return;
		}
		read_node(i, at, k);
		at += length;
	}
}

static struct node *node_at(const struct iort *i, uint32_t at)
{
	for (unsigned k = 0; k < i->num_nodes; k++)
		if (i->nodes[k].at == at)
			return &i->nodes[k];
	return NULL;
}

/* ---- what they are ---- */

static void add_smmu(struct iort *i, struct node *n)
{
	struct topo_smmu *s = topo_add_smmu(i->t);

	s->base = field(i, n, 16, 8);
	s->key = n->at;
	s->name = topo_str("SMMUv3 at 0x%" PRIx64, s->base);
	n->index = (int)i->t->num_smmus - 1;
	if (n->length < 60)
		topo_find(i->t, TOPO_ERROR, "bad-length", "IORT node at 0x%x: an SMMUv3 of %u "
			  "bytes is too short", n->at, n->length);
}

static void add_root_complex(struct iort *i, struct node *n)
{
	struct topo_root *r = topo_add_root(i->t);

	r->pci = true;
	r->segment = (unsigned)field(i, n, 28, 4) & 0xffff;
	r->name = topo_str("PCI segment %04x", r->segment);
	r->mask = 0xffff;
	r->rid_last = 0xffff;
	n->index = (int)i->t->num_roots - 1;
}

static void add_named(struct iort *i, struct node *n)
{
	struct topo_root *r = topo_add_root(i->t);
	char name[128];
	unsigned k;

	for (k = 0; k < sizeof(name) - 1 && (name[k] = (char)field(i, n, 29 + k, 1)); k++)
		if (name[k] < ' ' || name[k] > '~')
			name[k] = '?';
	name[k] = '\0';
	r->name = topo_str("%s", k ? name : "(no name)");
	n->index = (int)i->t->num_roots - 1;
}

static void add_rmr(struct iort *i, struct node *n)
{
	uint32_t count = (uint32_t)field(i, n, 20, 4), at = (uint32_t)field(i, n, 24, 4);
	struct topo_root *r;

	if (!fits(i, n, at, count, REGION)) {
		topo_find(i->t, TOPO_ERROR, "bad-length", "IORT RMR node at 0x%x: %u regions at "
			  "0x%x do not fit into its %u bytes", n->at, count, at, n->length);
		return;
	}
	for (uint32_t k = 0; k < count; k++) {
		struct topo_region *g = topo_add_region(i->t);

		g->base = get(i, n->at + at + k * REGION, 8);
		g->bytes = get(i, n->at + at + k * REGION + 8, 8);
		g->name = topo_str("RMR node at 0x%x", n->at);
		if (!g->bytes || g->base + g->bytes < g->base)
			topo_find(i->t, TOPO_ERROR, "bad-range", "IORT RMR node at 0x%x: region %u "
				  "is empty or wraps around", n->at, k);
	}
	r = topo_add_root(i->t);
	r->region = true;
	r->name = topo_str("reserved memory (RMR node at 0x%x)", n->at);
	n->index = (int)i->t->num_roots - 1;
}

static void add_node(struct iort *i, struct node *n)
{
	if (n->type == SMMU_V3)
		add_smmu(i, n);
	else if (n->type == ROOT_COMPLEX)
		add_root_complex(i, n);
	else if (n->type == NAMED)
		add_named(i, n);
	else if (n->type == RMR)
		add_rmr(i, n);
	else if (n->type == SMMU_V2)
		topo_find(i->t, TOPO_NOTE, "other-iommu", "IORT node at 0x%x is an SMMUv1 or v2; "
			  "what is behind it is not shown", n->at);
}

/* ---- mappings ---- */

static void add_mapping(struct iort *i, const struct node *n, size_t at)
{
	uint32_t in = (uint32_t)get(i, at, 4), out = (uint32_t)get(i, at + 8, 4);
	uint64_t count = get(i, at + 4, 4) + 1;	/* the table has it less one */
	uint32_t ref = (uint32_t)get(i, at + 12, 4);
	bool single = get(i, at + 16, 4) & 1;
	const struct node *to = node_at(i, ref);
	struct topo_map *m;

	if (!to) {
		topo_find(i->t, TOPO_ERROR, "bad-reference", "IORT node at 0x%x: an ID mapping "
			  "leads to 0x%x, where no node begins", n->at, ref);
		return;
	}
	if (n->index < 0 || n->type == SMMU_V3 || to->type != SMMU_V3)
		return;			/* to an ITS: not a matter of StreamIDs */
	if (single) {			/* input base and count mean nothing */
		in = 0;
		count = n->type == ROOT_COMPLEX ? 0x10000 : 1;
	}
	if (!single && (uint64_t)out + count > (uint64_t)1 << 32)
		topo_find(i->t, TOPO_ERROR, "bad-range", "IORT node at 0x%x: an ID mapping gives "
			  "StreamIDs beyond 32 bits from 0x%x", n->at, out);
	m = topo_add_map(i->t);
	*m = (struct topo_map){ .root = (unsigned)n->index, .smmu = (unsigned)to->index, .id = in,
				.sid = out, .count = count, .single = single };
	if (!i->t->roots[n->index].pci && in + count - 1 > i->t->roots[n->index].rid_last &&
	    count < 0x10000)
		i->t->roots[n->index].rid_last = (uint32_t)(in + count - 1);
	i->t->roots[n->index].ids |= !i->t->roots[n->index].pci && !single;
}

static void add_mappings(struct iort *i, const struct node *n)
{
	for (uint32_t k = 0; k < n->num_maps; k++)
		add_mapping(i, n, n->at + n->maps_at + (size_t)k * MAPPING);
}

/* From each node along its mappings: more steps than nodes means a circle. */
static void find_loops(struct iort *i)
{
	for (unsigned k = 0; k < i->num_nodes; k++) {
		const struct node *n = &i->nodes[k], *at = n;

		for (unsigned steps = 0; at && at->num_maps; steps++) {
			at = node_at(i, (uint32_t)get(i, at->at + at->maps_at + 12, 4));
			if (at != n && steps <= i->num_nodes && steps < 64)
				continue;
			if (at == n)
				topo_find(i->t, TOPO_ERROR, "loop", "IORT node at 0x%x: its ID "
					  "mappings lead back to itself", n->at);
			break;
		}
	}
}

static bool checksum_good(const struct iort *i)
{
	uint8_t sum = 0;

	for (size_t k = 0; k < i->bytes; k++)
		sum = (uint8_t)(sum + i->p[k]);
	return !sum;
}

int topo_from_iort(const void *table, size_t bytes, struct topo *t, char *err, size_t err_bytes)
{
	struct iort i = { .p = table, .bytes = bytes, .t = t };
	size_t length = (size_t)get(&i, 4, 4);

	if (bytes < HEADER || memcmp(table, "IORT", 4)) {
		snprintf(err, err_bytes, "This is no ACPI IORT table: %s.", bytes < HEADER ?
			 "it is too short" : "it does not begin with IORT");
		return -1;
	}
	if (length != bytes)
		topo_find(t, TOPO_ERROR, "truncated", "The IORT says it has %zu bytes, and there "
			  "are %zu", length, bytes);
	else if (!checksum_good(&i))
		topo_find(t, TOPO_WARNING, "checksum", "The IORT's checksum is wrong");
	if (length >= HEADER && length < bytes)
		i.bytes = length;
	if (get(&i, 8, 1) > 7)
		topo_find(t, TOPO_NOTE, "revision", "The IORT has revision %u; 7 is the newest "
			  "known here", (unsigned)get(&i, 8, 1));
	read_nodes(&i);
	for (unsigned k = 0; k < i.num_nodes; k++)
		add_node(&i, &i.nodes[k]);
	for (unsigned k = 0; k < i.num_nodes; k++)
		add_mappings(&i, &i.nodes[k]);
	find_loops(&i);
	free(i.nodes);
	return 0;
}
