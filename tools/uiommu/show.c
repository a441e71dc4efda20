/* SPDX-License-Identifier: MIT */
/* show.c - the attach status from both ends as trees, and faults in words */
#include <stdlib.h>
#include <string.h>

#include <uiommu/smmuv3.h>

#include "show.h"

static int stop_at_first(void *ctx, const struct uiommu_attach_status *st)
{
	return 1;
}

static int any_of_domain(void *ctx, struct uiommu_domain *dom)
{
	return attachments_translates(dom) &&
	       uiommu_domain_for_each_attach(dom, stop_at_first, NULL);
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
	attachments_draw(&s->pen, f, s->u);
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
	bool shrinks = attachments_translates(old) && !attachments_translates(now);

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
	fprintf(s->out, "%suiommu %s fault: %s%s\n", s->pen.colour ? "\033[31m" : "",
		pen_rule(&s->pen), text, s->pen.colour ? "\033[0m" : "");
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
	pen_init(&s->pen, out);
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
			attachments_draw(&s->pen, s->out, s->u);
		snprintf(line, sizeof(line), "at the end: %s, %lu fault%s",
			 something_attached(s->u) ? "this is left" : "nothing is attached",
			 s->faults, s->faults == 1 ? "" : "s");
		attachments_heading(&s->pen, s->out, line);
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
