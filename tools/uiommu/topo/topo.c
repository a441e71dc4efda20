/* SPDX-License-Identifier: MIT */
/* topo.c - the model of topo.h, and looking things up in it */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "topo.h"

#define ADD(type, array, n)						\
	struct topo_##type *topo_add_##type(struct topo *t)		\
	{								\
		t->array = tool_grow(t->array, t->n, sizeof(*t->array));\
		memset(&t->array[t->n], 0, sizeof(*t->array));		\
		return &t->array[t->n++];				\
	}
ADD(smmu, smmus, num_smmus)
ADD(map, maps, num_maps)
ADD(dev, devs, num_devs)
ADD(region, regions, num_regions)
ADD(domain, domains, num_domains)
ADD(attach, attaches, num_attaches)

struct topo_root *topo_add_root(struct topo *t)
{
	struct topo_root *r;

	t->roots = tool_grow(t->roots, t->num_roots, sizeof(*t->roots));
	r = &t->roots[t->num_roots++];
	*r = (struct topo_root){ .mask = 0xffffffff };
	return r;
}

static char *vstr(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		s = tool_alloc(1);
	return s;
}

char *topo_str(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vstr(fmt, ap);
	va_end(ap);
	return s;
}

void topo_find(struct topo *t, enum topo_severity severity, const char *rule, const char *fmt, ...)
{
	struct topo_finding *f;
	va_list ap;

	t->findings = tool_grow(t->findings, t->num_findings, sizeof(*t->findings));
	f = &t->findings[t->num_findings++];
	f->severity = severity;
	f->rule = rule;
	va_start(ap, fmt);
	f->text = vstr(fmt, ap);
	va_end(ap);
}

void topo_fini(struct topo *t)
{
	for (unsigned i = 0; i < t->num_smmus; i++)
		free(t->smmus[i].name);
	for (unsigned i = 0; i < t->num_roots; i++)
		free(t->roots[i].name);
	for (unsigned i = 0; i < t->num_devs; i++)
		free(t->devs[i].name);
	for (unsigned i = 0; i < t->num_regions; i++)
		free(t->regions[i].name);
	for (unsigned i = 0; i < t->num_findings; i++)
		free(t->findings[i].text);
	for (unsigned i = 0; i < t->num_domains; i++)
		free(t->domains[i].name);
	for (unsigned i = 0; i < t->num_attaches; i++)
		free(t->attaches[i].last);
	free(t->domains);
	free(t->attaches);
	free(t->smmus);
	free(t->roots);
	free(t->maps);
	free(t->devs);
	free(t->regions);
	free(t->findings);
	memset(t, 0, sizeof(*t));
}

/* ---- looking up ---- */

const struct topo_map *topo_lookup(const struct topo *t, unsigned root, uint32_t id,
				   uint32_t *sid)
{
	uint32_t key = id & t->roots[root].mask;

	for (unsigned i = 0; i < t->num_maps; i++) {
		const struct topo_map *m = &t->maps[i];

		if (m->root != root || key < m->id || key - m->id >= m->count)
			continue;
		*sid = m->single ? m->sid : m->sid + (key - m->id);
		return m;
	}
	return NULL;
}

void topo_name_id(const struct topo *t, unsigned root, uint32_t id, char *buf, size_t bytes)
{
	const struct topo_root *r = &t->roots[root];

	if (!r->pci && r->ids)
		snprintf(buf, bytes, "%s ID 0x%x", r->name, id);
	else if (!r->pci)
		snprintf(buf, bytes, "%s", r->name);
	else
		snprintf(buf, bytes, "%04x:%02x:%02x.%x", r->segment, id >> 8 & 0xff,
			 id >> 3 & 0x1f, id & 7);
}

static const char *dev_name(const struct topo *t, unsigned root, uint32_t id)
{
	for (unsigned i = 0; i < t->num_devs; i++)
		if (t->devs[i].root == root && t->devs[i].id == id)
			return t->devs[i].name;
	return NULL;
}

/* One entry of the map gives @sid: to whom? A mask lets several RIDs through; the
 * devices known are named, else the one that no mask was needed for. */
static size_t name_one(const struct topo *t, const struct topo_map *m, uint32_t sid, char *buf,
		       size_t at, size_t bytes)
{
	uint32_t id = m->single ? m->id : m->id + (sid - m->sid);
	const char *known = dev_name(t, m->root, id);
	char name[96];

	topo_name_id(t, m->root, id, name, sizeof(name));
	at += (size_t)snprintf(buf + at, bytes - at, "%s%s%s%s%s behind %s", at ? "; or " : "",
			       name, known ? " (" : "", known ? known : "", known ? ")" : "",
			       t->smmus[m->smmu].name);
	if (at < bytes && t->roots[m->root].pci && t->roots[m->root].mask < 0xffff)
		at += (size_t)snprintf(buf + at, bytes - at, ", and every RID that is the same "
				       "under mask 0x%04x", t->roots[m->root].mask);
	return at;
}

void topo_name_sid(void *ctx, uint32_t sid, char *buf, size_t bytes)
{
	const struct topo *t = ctx;
	size_t at = 0;

	for (unsigned i = 0; i < t->num_maps; i++) {
		const struct topo_map *m = &t->maps[i];
		uint64_t count = m->single ? 1 : m->count;

		if (t->roots[m->root].region || sid < m->sid || sid - m->sid >= count)
			continue;
		at = name_one(t, m, sid, buf, at, bytes);
		if (at >= bytes)
			return;
	}
	if (!at)
		snprintf(buf, bytes, "nobody's: no device is mapped to it");
}
