/* SPDX-License-Identifier: MIT */
/* show.c - the attach status from both ends as trees, and faults in words */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uiommu/nested.h>
#include <uiommu/smmuv3.h>

#include "show.h"

/* ---- drawing ---- */

struct strokes {
	const char *tee, *corner, *bar, *arrow, *rule;
};

static const struct strokes utf8 = { "├── ", "└── ", "│   ", "→", "──" };
static const struct strokes ascii = { "|-- ", "`-- ", "|   ", "->", "--" };

static const struct strokes *strokes(const struct show *s)
{
	return s->utf8 ? &utf8 : &ascii;
}

/* What is drawn: collected first, since the last child looks different. */
struct line {
	char name[64];			/* of the node */
	char text[128];			/* right of it */
};

struct list {
	struct line *line;
	unsigned n, room;
	const struct show *show;
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
	const struct strokes *k = strokes(l->show);

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

static bool translates(const struct uiommu_domain *dom)
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
	const char *arrow = strokes(l->show)->arrow;
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
	const struct show *show;
	FILE *out;
	unsigned shown;
};

static int tree_device(void *ctx, struct uiommu_dev *dev)
{
	struct tree *t = ctx;
	struct list l = { .show = t->show };

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
	struct list l = { .show = t->show };
	char name[64];

	if (!translates(dom))
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

static void heading(const struct show *s, FILE *out, const char *text)
{
	const char *rule = strokes(s)->rule;

	fprintf(out, "%suiommu %s %s%s\n", s->colour ? "\033[1m" : "", rule, text,
		s->colour ? "\033[0m" : "");
}

void show_tree(const struct show *s, struct uiommu *u, FILE *out)
{
	struct tree t = { .show = s, .out = out };

	heading(s, out, s->utf8 ? "devices → domains" : "devices -> domains");
	uiommu_for_each_device(u, tree_device, &t);
	heading(s, out, s->utf8 ? "domains → attachments" : "domains -> attachments");
	uiommu_for_each_domain(u, tree_domain, &t);
	if (!t.shown)
		fprintf(out, "  (nothing is attached)\n");
}

static int stop_at_first(void *ctx, const struct uiommu_attach_status *st)
{
	return 1;
}

static int any_of_domain(void *ctx, struct uiommu_domain *dom)
{
	return translates(dom) && uiommu_domain_for_each_attach(dom, stop_at_first, NULL);
}

static bool something_attached(struct uiommu *u)
{
	return uiommu_for_each_domain(u, any_of_domain, NULL);
}

/* Called with the lock held. */
static void take_snapshot(struct show *s)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return;
	show_tree(s, s->u, f);
	fclose(f);
	if (s->snapshot && text && !strcmp(s->snapshot, text)) {
		free(text);	/* no news: what has been printed stays printed */
		return;
	}
	free(s->snapshot);
	s->snapshot = text;
	s->printed = false;
}

static void print_snapshot(struct show *s)
{
	if (!s->snapshot || s->printed)
		return;
	fputs(s->snapshot, s->out);
	fflush(s->out);
	s->printed = true;
}

/* ---- what the instance tells ---- */

/*
 * The picture is complete when something is taken out of it again: so it is drawn
 * at each change, but printed when the next change makes it smaller.
 */
static void attach_changed(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_domain *old, struct uiommu_domain *now)
{
	struct show *s = ctx;
	bool shrinks = translates(old) && !translates(now);

	pthread_mutex_lock(&s->lock);
	if (s->u) {
		if (shrinks)
			print_snapshot(s);
		take_snapshot(s);
		if (s->mode == SHOW_EVERY)
			print_snapshot(s);
		else if (shrinks)
			s->printed = true;	/* nobody asked for what is left over */
	}
	pthread_mutex_unlock(&s->lock);
}

static void fault(void *ctx, const struct uiommu_fault *f)
{
	struct show *s = ctx;
	char text[256];

	uiommu_fault_text(f, text, sizeof(text));
	pthread_mutex_lock(&s->lock);
	s->faults++;
	fprintf(s->out, "%suiommu %s fault: %s%s\n", s->colour ? "\033[31m" : "",
		strokes(s)->rule, text, s->colour ? "\033[0m" : "");
	fflush(s->out);
	pthread_mutex_unlock(&s->lock);
}

/* ---- life ---- */

void show_init(struct show *s, enum show_mode mode, FILE *out)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->mode = mode;
	s->out = out;
	s->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	s->colour = isatty(fileno(out)) && !getenv("NO_COLOR");
	s->observer = (struct uiommu_observer){ .ctx = s, .fault = fault,
						.attach_changed = attach_changed };
}

void show_start(struct show *s, struct uiommu *u)
{
	pthread_mutex_lock(&s->lock);
	s->u = u;
	pthread_mutex_unlock(&s->lock);
}

void show_end(struct show *s)
{
	char line[80];

	pthread_mutex_lock(&s->lock);
	if (s->mode != SHOW_OFF && s->u) {
		print_snapshot(s);
		if (something_attached(s->u))
			show_tree(s, s->u, s->out);
		snprintf(line, sizeof(line), "at the end: %s, %lu fault%s",
			 something_attached(s->u) ? "this is left" : "nothing is attached",
			 s->faults, s->faults == 1 ? "" : "s");
		heading(s, s->out, line);
		fflush(s->out);
	}
	s->u = NULL;
	pthread_mutex_unlock(&s->lock);
}

void show_fini(struct show *s)
{
	free(s->snapshot);
	pthread_mutex_destroy(&s->lock);
}
