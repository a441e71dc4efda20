/* SPDX-License-Identifier: MIT */
/* draw.c - a topology as a tree, a graph, and JSON */
#include <inttypes.h>
#include <string.h>

#include "draw.h"

static const char *const severities[] = {
	[TOPO_NOTE] = "note", [TOPO_WARNING] = "warning", [TOPO_ERROR] = "error",
};

/* ---- words ---- */

void draw_map_text(const struct topo *t, const struct topo_map *m, char *buf, size_t bytes)
{
	const struct topo_root *r = &t->roots[m->root];
	uint64_t last = m->id + m->count - 1, last_sid = m->sid + (m->single ? 0 : m->count - 1);
	char a[96], b[96];

	topo_name_id(t, m->root, m->id, a, sizeof(a));
	topo_name_id(t, m->root, (uint32_t)last, b, sizeof(b));
	if (!m->count)
		snprintf(buf, bytes, "behind it");
	else if (!r->pci && m->count == 1)
		snprintf(buf, bytes, "StreamID 0x%x", m->sid);
	else if (!r->pci)
		snprintf(buf, bytes, "IDs 0x%x to 0x%" PRIx64 ": StreamID 0x%x to 0x%" PRIx64,
			m->id,
			 last, m->sid, last_sid);
	else if (m->single)
		snprintf(buf, bytes, "all RIDs: StreamID 0x%x", m->sid);
	else
		snprintf(buf, bytes, "%s to %s: StreamID 0x%x to 0x%" PRIx64, a, b, m->sid,
			 last_sid);
}

/* How a StreamID is made from an ID, for those who want to check it. */
void draw_arithmetic(const struct topo *t, const struct topo_map *m, char *buf, size_t bytes)
{
	const struct topo_root *r = &t->roots[m->root];

	if (!m->count)
		*buf = '\0';
	else if (m->single)
		snprintf(buf, bytes, "StreamID = 0x%x, whatever the ID", m->sid);
	else if (r->mask < 0xffff)
		snprintf(buf, bytes, "StreamID = (ID & 0x%04x) - 0x%04x + 0x%x", r->mask, m->id,
			 m->sid);
	else
		snprintf(buf, bytes, "StreamID = %s - 0x%04x + 0x%x", r->pci ? "RID" : "ID", m->id,
			 m->sid);
}

void draw_dev_arithmetic(const struct topo *t, const struct topo_dev *d, char *buf, size_t bytes)
{
	const struct topo_root *r = &t->roots[d->root];
	const char *id = r->pci ? "RID" : "ID";
	uint32_t sid;
	const struct topo_map *m = topo_lookup(t, d->root, d->id, &sid);

	if (!m)
		snprintf(buf, bytes, "no entry maps %s 0x%04x", id, d->id);
	else if (!m->count)
		*buf = '\0';
	else if (m->single)
		snprintf(buf, bytes, "StreamID 0x%x, whatever the ID", sid);
	else if (r->mask < 0xffff)
		snprintf(buf, bytes, "StreamID 0x%x = (%s 0x%04x & 0x%04x) - 0x%04x + 0x%x", sid,
			 id, d->id, r->mask, m->id, m->sid);
	else
		snprintf(buf, bytes, "StreamID 0x%x = %s 0x%04x - 0x%04x + 0x%x", sid, id, d->id,
			 m->id, m->sid);
}

static void dev_text(const struct topo *t, const struct topo_dev *d, char *buf, size_t bytes)
{
	char id[96], group[24] = "";
	uint32_t sid;
	const struct topo_map *m = topo_lookup(t, d->root, d->id, &sid);

	topo_name_id(t, d->root, d->id, id, sizeof(id));
	if (d->group >= 0)
		snprintf(group, sizeof(group), ", group %d", d->group);
	if (!strcmp(id, d->name))
		*id = '\0';
	if (m && m->count)
		snprintf(buf, bytes, "%s%s%s: StreamID 0x%x%s", id, *id ? " " : "", d->name, sid,
			 group);
	else if (d->group >= 0)
		snprintf(buf, bytes, "%s%s", d->name, group);
	else
		snprintf(buf, bytes, "%s%s%s: no StreamID", id, *id ? " " : "", d->name);
}

static void pasid_text(const struct topo_attach *a, char *buf, size_t bytes)
{
	if (a->pasid < 0)
		snprintf(buf, bytes, "RID");
	else
		snprintf(buf, bytes, "PASID 0x%x", (unsigned)a->pasid);
}

/* what is behind the name: ", ASID 3; 2 faults" */
static void attach_tail(const struct topo_attach *a, char *buf, size_t bytes)
{
	char tag[24] = "", faults[40] = "";

	if (a->tag)
		snprintf(tag, sizeof(tag), ", ASID %u", a->tag);
	if (a->faults)
		snprintf(faults, sizeof(faults), "; %" PRIu64 " fault%s", a->faults,
			 a->faults == 1 ? "" : "s");
	snprintf(buf, bytes, "%s%s", tag, faults);
}

void draw_attach_text(const struct topo *t, const struct topo_attach *a, const char *arrow,
		      char *buf, size_t bytes)
{
	char pasid[24], tail[64];

	pasid_text(a, pasid, sizeof(pasid));
	attach_tail(a, tail, sizeof(tail));
	snprintf(buf, bytes, "%s %s %s%s", pasid, arrow, a->domain >= 0 ?
		 t->domains[a->domain].name : "nothing", tail);
}

/* ---- the tree ---- */

struct pen {
	const struct topo *t;
	FILE *out;
	const char *tee, *corner, *bar, *arrow;
	bool colour;
};

static bool uses(const struct topo *t, unsigned root, int smmu)
{
	bool any = false;

	for (unsigned i = 0; i < t->num_maps; i++)
		if (t->maps[i].root == root) {
			any = true;
			if ((int)t->maps[i].smmu == smmu)
				return true;
		}
	return smmu < 0 && !any;
}

/* One without a StreamID stands where its root stands first. */
static bool under(const struct topo *t, const struct topo_dev *d, unsigned root, int smmu)
{
	uint32_t sid;
	const struct topo_map *m = topo_lookup(t, d->root, d->id, &sid);

	for (unsigned i = 0; !m && i < t->num_maps; i++)
		if (t->maps[i].root == d->root)
			m = &t->maps[i];
	return d->root == root && (m ? (int)m->smmu : -1) == smmu;
}

static void tree_attaches(const struct pen *p, unsigned dev, const char *bar, bool last)
{
	const struct topo *t = p->t;
	unsigned left = 0;
	char text[320];

	for (unsigned i = 0; i < t->num_attaches; i++)
		left += t->attaches[i].dev == dev;
	for (unsigned i = 0; i < t->num_attaches; i++) {
		bool red = p->colour && t->attaches[i].faults;

		if (t->attaches[i].dev != dev)
			continue;
		draw_attach_text(t, &t->attaches[i], p->arrow, text, sizeof(text));
		fprintf(p->out, "%s%s%s%s%s%s\n", bar, last ? "    " : p->bar,
			--left ? p->tee : p->corner, red ? "\033[31m" : "", text,
			red ? "\033[0m" : "");
	}
}

static void tree_root(const struct pen *p, unsigned root, int smmu, bool last)
{
	const struct topo *t = p->t;
	const char *bar = last ? "    " : p->bar;
	unsigned left = 0, n = 0;
	char text[320];

	fprintf(p->out, "%s%s\n", last ? p->corner : p->tee, t->roots[root].name);
	for (unsigned i = 0; i < t->num_maps; i++)
		left += t->maps[i].root == root && (int)t->maps[i].smmu == smmu &&
			t->maps[i].count;
	for (unsigned i = 0; i < t->num_devs; i++)
		left += under(t, &t->devs[i], root, smmu);
	for (unsigned i = 0; i < t->num_maps; i++) {
		if (t->maps[i].root != root || (int)t->maps[i].smmu != smmu || !t->maps[i].count)
			continue;
		draw_map_text(t, &t->maps[i], text, sizeof(text));
		fprintf(p->out, "%s%s%s\n", bar, ++n == left ? p->corner : p->tee, text);
	}
	for (unsigned i = 0; i < t->num_devs; i++) {
		if (!under(t, &t->devs[i], root, smmu))
			continue;
		dev_text(t, &t->devs[i], text, sizeof(text));
		fprintf(p->out, "%s%s%s\n", bar, ++n == left ? p->corner : p->tee, text);
		tree_attaches(p, i, bar, n == left);
	}
}

static unsigned tree_smmu(const struct pen *p, int smmu)
{
	unsigned left = 0, n = 0;

	for (unsigned i = 0; i < p->t->num_roots; i++)
		left += uses(p->t, i, smmu);
	for (unsigned i = 0; i < p->t->num_roots; i++)
		if (uses(p->t, i, smmu))
			tree_root(p, i, smmu, ++n == left);
	return left;
}

static void tree_findings(const struct topo *t, FILE *out, bool colour)
{
	static const char *const colours[] = { "", "\033[33m", "\033[31m" };

	for (unsigned i = 0; i < t->num_findings; i++) {
		const struct topo_finding *f = &t->findings[i];

		fprintf(out, "%s%s%s: %s.\n", colour ? colours[f->severity] : "",
			severities[f->severity], colour ? "\033[0m" : "", f->text);
	}
}

void draw_tree(const struct topo *t, FILE *out, bool utf8, bool colour)
{
	const struct pen p = { t, out, utf8 ? "├── " : "|-- ", utf8 ? "└── " : "`-- ",
			       utf8 ? "│   " : "|   ", utf8 ? "→" : "->", colour };
	bool outside = false;

	for (unsigned i = 0; i < t->num_smmus; i++) {
		fprintf(out, "%s%s%s%s\n", colour ? "\033[1m" : "", t->smmus[i].name,
			colour ? "\033[0m" : "", t->smmus[i].disabled ? " (disabled)" : "");
		if (!tree_smmu(&p, (int)i))
			fprintf(out, "    (nobody is behind it)\n");
	}
	for (unsigned i = 0; i < t->num_roots; i++)
		outside |= uses(t, i, -1);
	if (outside) {
		fprintf(out, "behind no SMMU\n");
		tree_smmu(&p, -1);
	}
	for (unsigned i = 0; i < t->num_regions; i++)
		fprintf(out, "reserved memory 0x%" PRIx64 " + 0x%" PRIx64 " (%s)\n",
			t->regions[i].base, t->regions[i].bytes, t->regions[i].name);
	if (!t->num_smmus && !t->num_roots)
		fprintf(out, "There is no SMMUv3, and nobody who could be behind one.\n");
	tree_findings(t, out, colour);
}

/* ---- the graph ---- */

/* a string of dot: in quotes, with those inside escaped */
static void quoted(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc((unsigned char)*s < ' ' ? ' ' : *s, out);
	}
	fputc('"', out);
}

static bool sid_known(const struct topo *t, unsigned dev)
{
	uint32_t sid;

	return topo_lookup(t, t->devs[dev].root, t->devs[dev].id, &sid);
}

static void dot_devs(const struct topo *t, FILE *out)
{
	char text[320];

	for (unsigned i = 0; i < t->num_devs; i++) {
		dev_text(t, &t->devs[i], text, sizeof(text));
		fprintf(out, "\tdev%u [label=", i);
		quoted(out, text);
		fprintf(out, ", style=\"rounded,filled\", fillcolor=\"%s\", id=\"dev%u\"];\n"
			"\tdev%u -> root%u [arrowhead=none];\n", sid_known(t, i) ? "#ffffff" :
			"#f0f0f0", i, i, t->devs[i].root);
	}
}

/* Domains stand beyond the devices: the edge goes the other way for dot. */
static void dot_domains(const struct topo *t, FILE *out)
{
	char pasid[24], tail[64], label[96];

	for (unsigned i = 0; i < t->num_domains; i++) {
		fprintf(out, "\tdomain%u [shape=box, style=\"rounded,filled\", "
			"fillcolor=\"#fdf3d0\", label=", i);
		quoted(out, t->domains[i].name);
		fprintf(out, ", id=\"domain%u\"];\n", i);
	}
	for (unsigned i = 0; i < t->num_attaches; i++) {
		const struct topo_attach *a = &t->attaches[i];

		if (a->domain < 0)
			continue;
		pasid_text(a, pasid, sizeof(pasid));
		attach_tail(a, tail, sizeof(tail));
		snprintf(label, sizeof(label), "%s%s", pasid, tail);
		fprintf(out, "\tdomain%d -> dev%u [dir=back, arrowsize=.7, label=", a->domain,
			a->dev);
		quoted(out, label);
		fprintf(out, ", id=\"attach%u\"%s];\n", i,
			a->faults ? ", color=\"#aa0000\", fontcolor=\"#aa0000\"" : "");
	}
}

static void dot_maps(const struct topo *t, FILE *out, bool tooltips)
{
	char text[320];

	for (unsigned i = 0; i < t->num_maps; i++) {
		draw_map_text(t, &t->maps[i], text, sizeof(text));
		fprintf(out, "\troot%u -> smmu%u [label=", t->maps[i].root, t->maps[i].smmu);
		quoted(out, text);
		draw_arithmetic(t, &t->maps[i], text, sizeof(text));
		fputs(tooltips ? ", tooltip=" : "", out);
		if (tooltips)
			quoted(out, text);
		fputs(tooltips ? ", labeltooltip=" : "", out);
		if (tooltips)
			quoted(out, text);
		fprintf(out, ", id=\"map%u\"];\n", i);
	}
}

void draw_dot(const struct topo *t, FILE *out, bool tooltips)
{
	fputs("digraph uiommu {\n\trankdir=RL;\n\tnode [shape=box, fontname=\"sans-serif\"];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=10];\n", out);
	for (unsigned i = 0; i < t->num_smmus; i++) {
		fprintf(out, "\tsmmu%u [style=filled, fillcolor=\"%s\", label=", i,
			t->smmus[i].disabled ? "#dddddd" : "#cfe3f5");
		quoted(out, t->smmus[i].name);
		fprintf(out, ", id=\"smmu%u\"];\n", i);
	}
	for (unsigned i = 0; i < t->num_roots; i++) {
		fprintf(out, "\troot%u [style=filled, fillcolor=\"%s\", label=", i,
			uses(t, i, -1) ? "#f5d5cf" : "#dff0d8");
		quoted(out, t->roots[i].name);
		fprintf(out, ", id=\"root%u\"];\n", i);
	}
	dot_maps(t, out, tooltips);
	dot_devs(t, out);
	dot_domains(t, out);
	fputs("}\n", out);
}

/* ---- JSON ---- */

static json_t *hex(uint64_t v)
{
	char buf[20];

	snprintf(buf, sizeof(buf), "0x%" PRIx64, v);
	return json_string(buf);
}

static json_t *text_json(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("(not UTF-8)");
}

static json_t *smmus_json(const struct topo *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->num_smmus; i++) {
		json_t *o = json_pack("{s:o, s:o, s:b}", "name", text_json(t->smmus[i].name),
			"base",
				      hex(t->smmus[i].base), "disabled", t->smmus[i].disabled);

		if (t->smmus[i].sidsize)
			json_object_set_new(o, "sidsize", json_integer(t->smmus[i].sidsize));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *roots_json(const struct topo *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->num_roots; i++) {
		const struct topo_root *r = &t->roots[i];
		json_t *o = json_pack("{s:o, s:b}", "name", text_json(r->name), "pci", r->pci);

		if (r->pci) {
			json_object_set_new(o, "segment", json_integer(r->segment));
			json_object_set_new(o, "mask", hex(r->mask));
			json_object_set_new(o, "rid_first", hex(r->rid_first));
			json_object_set_new(o, "rid_last", hex(r->rid_last));
		}
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *maps_json(const struct topo *t)
{
	json_t *a = json_array();
	char text[320];

	for (unsigned i = 0; i < t->num_maps; i++) {
		const struct topo_map *m = &t->maps[i];

		draw_map_text(t, m, text, sizeof(text));
		json_array_append_new(a, json_pack("{s:i, s:i, s:o, s:o, s:o, s:b, s:o}", "root",
			(int)m->root, "smmu", (int)m->smmu, "id", hex(m->id), "count",
			hex(m->count), "sid", hex(m->sid), "single", m->single, "text",
			text_json(text)));
	}
	return a;
}

static bool with_sid(const struct topo *t, const struct topo_dev *d, uint32_t *sid)
{
	const struct topo_map *m = topo_lookup(t, d->root, d->id, sid);

	return m && m->count;
}

static json_t *devs_json(const struct topo *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->num_devs; i++) {
		const struct topo_dev *d = &t->devs[i];
		uint32_t sid;
		json_t *o = json_pack("{s:o, s:i, s:o}", "name", text_json(d->name), "root",
				      (int)d->root, "id", hex(d->id));

		if (d->group >= 0)
			json_object_set_new(o, "group", json_integer(d->group));
		if (with_sid(t, d, &sid))
			json_object_set_new(o, "sid", hex(sid));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *attaches_json(const struct topo *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->num_attaches; i++) {
		const struct topo_attach *at = &t->attaches[i];
		json_t *o = json_pack("{s:i, s:I}", "device", (int)at->dev, "faults",
				      (json_int_t)at->faults);

		if (at->pasid >= 0)
			json_object_set_new(o, "pasid", json_integer(at->pasid));
		if (at->domain >= 0)
			json_object_set_new(o, "domain", json_integer(at->domain));
		if (at->tag)
			json_object_set_new(o, "asid", json_integer(at->tag));
		if (at->last)
			json_object_set_new(o, "last_fault", text_json(at->last));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *domains_json(const struct topo *t)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < t->num_domains; i++)
		json_array_append_new(a, text_json(t->domains[i].name));
	return a;
}

json_t *draw_json(const struct topo *t)
{
	json_t *findings = json_array(), *regions = json_array();

	for (unsigned i = 0; i < t->num_findings; i++)
		json_array_append_new(findings, json_pack("{s:s, s:s, s:o}", "severity",
			severities[t->findings[i].severity], "rule", t->findings[i].rule, "text",
			text_json(t->findings[i].text)));
	for (unsigned i = 0; i < t->num_regions; i++)
		json_array_append_new(regions, json_pack("{s:o, s:o, s:s}", "base",
			hex(t->regions[i].base), "bytes", hex(t->regions[i].bytes), "name",
			t->regions[i].name));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
			 "uiommu-show/1", "smmus", smmus_json(t), "roots", roots_json(t), "maps",
			 maps_json(t), "devices", devs_json(t), "reserved", regions, "findings",
			 findings, "domains", domains_json(t), "attaches", attaches_json(t));
}
