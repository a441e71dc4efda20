/* SPDX-License-Identifier: MIT */
/* show.h - what `uiommu run --show` prints: attachments as trees, faults in words */
#ifndef UIOMMU_TOOL_SHOW_H
#define UIOMMU_TOOL_SHOW_H

#include <pthread.h>
#include <stdio.h>

#include "attachments.h"

enum show_mode {
	SHOW_OFF,
	SHOW_COMPLETE,	/* before something is detached, and at the end */
	SHOW_EVERY,	/* after every change */
};

/* (l) lock; the rest is set by show_init() and never changes */
struct show {
	pthread_mutex_t lock;
	enum show_mode mode;
	FILE *out;
	struct pen pen;
	struct uiommu *u;
	char *snapshot;			/* (l) the state as text, or NULL */
	bool printed;			/* (l) that text has been printed */
	unsigned long faults;		/* (l) */
	struct uiommu_observer observer;
};

void show_init(struct show *s, enum show_mode mode, FILE *out);
/* the instance, once there is one; changes before that are not shown */
void show_start(struct show *s, struct uiommu *u);
/* the program has ended: what is left, in one tree or one line */
void show_end(struct show *s);
void show_fini(struct show *s);

#endif
