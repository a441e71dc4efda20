/* SPDX-License-Identifier: MIT */
/* attachments.c - see attachments.h */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uiommu/nested.h>

#include "attachments.h"

/* ---- lines ---- */

struct strokes {
	const char *tee, *corner, *bar, *arrow, *rule;
};

static const struct strokes utf8 = { "├── ", "└── ", "│   ", "→", "──" };
static const struct strokes ascii = { "|-- ", "`-- ", "|   ", "->", "--" };

static const struct strokes *strokes(const struct pen *pen)
{
	return pen->utf8 ? &utf8 : &ascii;
}

/* What is drawn: collected first, since the last child looks different. */
struct line {
	char name[64];			/* of the node */
	char text[128];			/* right of it */
};

struct list {
	struct line *line;
	unsigned n, room;
	const struct pen *pen;
};

static struct line *add_line(struct list *l)
{
	if (l->n == l->room) {
		unsigned room = l->room ? 2 * l->room : 16;
		struct line *p = realloc(l->line, room * sizeof(*p));

		if (!p)
			return NULL;
		l->line = p;
		l->room = room;
	}
	return memset(&l->line[l->n++], 0, sizeof(*l->line));
}

static void print_list(struct list *l, FILE *out)
{
	const struct strokes *k = strokes(l->pen);

	for (unsigned i = 0; i < l->n; i++)
		fprintf(out, "  %s%-14s %s\n", i + 1 < l->n ? k->tee : k->corner, l->line[i].name,
			l->line[i].text);
	free(l->line);
}

/* ---- names ---- */

static const char *const type_names[] = {
	[UIOMMU_DOMAIN_BLOCKED] = "BLOCKED",
	[UIOMMU_DOMAIN_IDENTITY] = "IDENTITY",
	[UIOMMU_DOMAIN_PAGING] = "PAGING",
	[UIOMMU_DOMAIN_SVA] = "SVA",
	[UIOMMU_DOMAIN_NESTED] = "NESTED",
};

bool attachments_translates(const struct uiommu_domain *dom)
{
	struct uiommu_domain_info info;

	if (!dom)
		return false;
	uiommu_domain_info(dom, &info);
	return info.type > UIOMMU_DOMAIN_IDENTITY;
}

static void name_domain(const struct uiommu_domain *dom, char *buf, size_t bytes)
{
	struct uiommu_domain_info info;
	const char *name = uiommu_domain_name(dom);

	uiommu_domain_info(dom, &info);
	snprintf(buf, bytes, "%s", name && *name ? name : type_names[info.type]);
}

static void name_pasid(uiommu_pasid_t pasid, char *buf, size_t bytes)
{
	if (pasid == UIOMMU_NO_PASID)
		snprintf(buf, bytes, "RID");
	else
		snprintf(buf, bytes, "PASID 0x%x", pasid);
}

/* What an SMMUv3 tags with: stage 2, and what lies on it, has a VMID. */
static const char *name_tag(const struct uiommu_domain *dom)
{
	const struct uiommu_domain *parent = uiommu_domain_parent(dom);
	struct uiommu_domain_info info;

	uiommu_domain_info(parent ? parent : dom, &info);
	return info.format && !strncmp(info.format, "arm_s2", 6) ? "VMID" : "ASID";
}

/* ---- device -> PASIDs -> domains ---- */

static int device_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct list *l = ctx;
	struct line *line = add_line(l);
	const char *arrow = strokes(l->pen)->arrow;
	char dom[64];

	if (!line)
		return -UIOMMU_ENOMEM;
	name_pasid(st->pasid, line->name, sizeof(line->name));
	name_domain(st->dom, dom, sizeof(dom));
	if (st->tag)
		snprintf(line->text, sizeof(line->text), "%s %s, %s %u", arrow, dom,
			 name_tag(st->dom), st->tag);
	else
		snprintf(line->text, sizeof(line->text), "%s %s", arrow, dom);
	return 0;
}

struct tree {
	const struct pen *pen;
	FILE *out;
	unsigned shown;
};

static int tree_device(void *ctx, struct uiommu_dev *dev)
{
	struct tree *t = ctx;
	struct list l = { .pen = t->pen };

	fprintf(t->out, "  %s  (group %u)\n", uiommu_device_name(dev), uiommu_device_group(dev));
	uiommu_device_for_each_attach(dev, device_attach, &l);
	print_list(&l, t->out);
	return 0;
}

/* ---- domain -> attachments ---- */

static int domain_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct list *l = ctx;
	struct line *line = add_line(l);
	char at[32], dom[64];

	if (!line)
		return -UIOMMU_ENOMEM;
	snprintf(line->name, sizeof(line->name), "%s", uiommu_device_name(st->dev));
	name_pasid(st->pasid, at, sizeof(at));
	if (!st->nested) {
		snprintf(line->text, sizeof(line->text), "%s", at);
		return 0;
	}
	name_domain(st->nested, dom, sizeof(dom));
	snprintf(line->text, sizeof(line->text), "%s, below %s", at, dom);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->text, y->text);
}

static int tree_domain(void *ctx, struct uiommu_domain *dom)
{
	struct tree *t = ctx;
	struct list l = { .pen = t->pen };
	char name[64];

	if (!attachments_translates(dom))
		return 0;
	uiommu_domain_for_each_attach(dom, domain_attach, &l);
	if (l.n) {
		qsort(l.line, l.n, sizeof(*l.line), by_text);
		name_domain(dom, name, sizeof(name));
		fprintf(t->out, "  %s\n", name);
		print_list(&l, t->out);
		t->shown++;
	}
	return 0;
}

/* ---- the whole picture ---- */

void pen_init(struct pen *pen, FILE *out)
{
	pen->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	pen->colour = isatty(fileno(out)) && !getenv("NO_COLOR");
}

const char *pen_rule(const struct pen *pen)
{
	return strokes(pen)->rule;
}

void attachments_heading(const struct pen *pen, FILE *out, const char *text)
{
	fprintf(out, "%suiommu %s %s%s\n", pen->colour ? "\033[1m" : "", pen_rule(pen), text,
		pen->colour ? "\033[0m" : "");
}

void attachments_draw(const struct pen *pen, FILE *out, struct uiommu *u)
{
	struct tree t = { .pen = pen, .out = out };

	attachments_heading(pen, out, pen->utf8 ? "devices → domains" : "devices -> domains");
	uiommu_for_each_device(u, tree_device, &t);
	attachments_heading(pen, out,
			    pen->utf8 ? "domains → attachments" : "domains -> attachments");
	uiommu_for_each_domain(u, tree_domain, &t);
	if (!t.shown)
		fprintf(out, "  (nothing is attached)\n");
}
