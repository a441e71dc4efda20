/* SPDX-License-Identifier: MIT */
/* Interrupt lines: edges, delivered by one thread that is made for the first
 * request, or by whoever polls. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

#include "host/posix/internal.h"

int uiommu_irqs_init(struct irqs *q)
{
	if (pthread_mutex_init(&q->lock, NULL))
		return -UIOMMU_ENOMEM;
	pthread_cond_init(&q->wake, NULL);
	pthread_cond_init(&q->idle, NULL);
	return 0;
}

static struct irq_line *line_of(struct irqs *q, unsigned irq)
{
	struct irq_line *l = q->lines;

	while (l && l->irq != irq)
		l = l->next;
	return l;
}

/* Runs what is raised; drops the lock around each handler. */
static bool run_one_locked(struct irqs *q)
{
	struct irq_line *l = q->lines;

	while (l && !l->raised)
		l = l->next;
	if (!l)
		return false;
	l->raised = false;
	l->running = true;
	pthread_mutex_unlock(&q->lock);
	l->fn(l->arg);
	pthread_mutex_lock(&q->lock);
	l->running = false;
	pthread_cond_broadcast(&q->idle);
	return true;
}

static void *irq_thread(void *arg)
{
	struct irqs *q = arg;

	pthread_setname_np(pthread_self(), "uiommu-irq");
	pthread_mutex_lock(&q->lock);
	while (!q->stop)
		if (!run_one_locked(q))
			pthread_cond_wait(&q->wake, &q->lock);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* Signals are for the threads of whoever embeds us. */
static int start_thread(struct irqs *q)
{
	sigset_t all, old;
	int err;

	if (q->started || q->polled)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&q->thread, NULL, irq_thread, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	q->started = !err;
	return err ? -UIOMMU_ENOMEM : 0;
}

static int request_locked(struct irqs *q, struct irq_line *l)
{
	int ret;

	if (line_of(q, l->irq))
		return -UIOMMU_EBUSY;
	ret = start_thread(q);
	if (ret)
		return ret;
	l->next = q->lines;
	q->lines = l;
	return 0;
}

int uiommu_irqs_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	struct irqs *q = &((struct uiommu_posix *)ctx)->irqs;
	struct irq_line *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return -UIOMMU_ENOMEM;
	l->irq = irq;
	l->fn = fn;
	l->arg = arg;
	pthread_mutex_lock(&q->lock);
	ret = request_locked(q, l);
	pthread_mutex_unlock(&q->lock);
	if (ret)
		free(l);
	return ret;
}

void uiommu_irqs_release(void *ctx, unsigned irq)
{
	struct irqs *q = &((struct uiommu_posix *)ctx)->irqs;
	struct irq_line **link = &q->lines, *l;

	pthread_mutex_lock(&q->lock);
	l = line_of(q, irq);
	if (l) {
		l->raised = false;
		l->released = true;
		while (l->running)
			pthread_cond_wait(&q->idle, &q->lock);
		while (*link != l)
			link = &(*link)->next;
		*link = l->next;
	}
	pthread_mutex_unlock(&q->lock);
	free(l);
}

void uiommu_posix_raise_irq(struct uiommu_posix *p, unsigned irq)
{
	struct irqs *q = &p->irqs;
	struct irq_line *l;

	pthread_mutex_lock(&q->lock);
	l = line_of(q, irq);
	if (l && !l->released) {
		l->raised = true;
		pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
}

void uiommu_posix_set_polled(struct uiommu_posix *p)
{
	p->irqs.polled = true;
}

void uiommu_posix_poll_irqs(struct uiommu_posix *p)
{
	struct irqs *q = &p->irqs;

	if (!q->polled)
		return;
	pthread_mutex_lock(&q->lock);
	while (run_one_locked(q))
		;
	pthread_mutex_unlock(&q->lock);
}

void uiommu_irqs_fini(struct uiommu_posix *p)
{
	struct irqs *q = &p->irqs;
	unsigned left = 0;

	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	if (q->started)
		pthread_join(q->thread, NULL);
	for (struct irq_line *l; (l = q->lines); left++) {
		q->lines = l->next;
		free(l);
	}
	if (left)
		uiommu_posix_log(p, UIOMMU_LOG_WARN, "%u interrupts were not released", left);
	pthread_cond_destroy(&q->idle);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
}
