/* SPDX-License-Identifier: MIT */
/*
 * src/core/hostcall.h - the host contract with its optional parts filled in,
 * and lists that are read without a lock
 */
#ifndef UIOMMU_CORE_HOSTCALL_H
#define UIOMMU_CORE_HOSTCALL_H

#include <uiommu/driver.h>

#include "../port/port.h"

/*
 * Checked locking. A lock is named by a token that exists for clang's analysis
 * only (-Wthread-safety): whoever takes any instance's lock holds the token.
 */
#if defined(__clang__)
#define UIOMMU_TSA(x)	__attribute__((x))
struct UIOMMU_TSA(capability("mutex")) uiommu_lock_token { char none; };
extern struct uiommu_lock_token uiommu_instance_lock, uiommu_cmdq_lock;
#else
#define UIOMMU_TSA(x)
#endif
#define UIOMMU_MUST_HOLD(t)	UIOMMU_TSA(requires_capability(t))
#define UIOMMU_TAKES(t)		UIOMMU_TSA(acquire_capability(t)) \
				UIOMMU_TSA(no_thread_safety_analysis)
#define UIOMMU_GIVES(t)		UIOMMU_TSA(release_capability(t)) \
				UIOMMU_TSA(no_thread_safety_analysis)

static inline void *host_alloc(const struct uiommu_host *h, size_t bytes)
{
	return h->alloc(h->ctx, bytes);
}

static inline void host_free(const struct uiommu_host *h, void *p, size_t bytes)
{
	if (p)
		h->free(h->ctx, p, bytes);
}

static inline int host_lock_init(const struct uiommu_host *h, struct uiommu_lock *l,
				 enum uiommu_lock_kind kind)
{
	return h->lock_init ? h->lock_init(h->ctx, l, kind) : 0;
}

static inline void host_lock_fini(const struct uiommu_host *h, struct uiommu_lock *l)
{
	if (h->lock_fini)
		h->lock_fini(h->ctx, l);
}

static inline void host_lock(const struct uiommu_host *h, struct uiommu_lock *l)
{
	if (h->lock)
		h->lock(h->ctx, l);
}

static inline void host_unlock(const struct uiommu_host *h, struct uiommu_lock *l)
{
	if (h->unlock)
		h->unlock(h->ctx, l);
}

static inline unsigned host_read_enter(const struct uiommu_host *h)
{
	return h->read_enter ? h->read_enter(h->ctx) : 0;
}

static inline void host_read_leave(const struct uiommu_host *h, unsigned token)
{
	if (h->read_leave)
		h->read_leave(h->ctx, token);
}

static inline void host_retire(const struct uiommu_host *h, struct uiommu_retire *r,
			       void (*fn)(struct uiommu_retire *r))
{
	r->fn = fn;
	if (h->retire)
		h->retire(h->ctx, r);
	else
		fn(r);
}

static inline void host_relax(const struct uiommu_host *h)
{
	if (h->relax)
		h->relax(h->ctx);
}

static inline void host_log(const struct uiommu_host *h, enum uiommu_log_level level,
			    const char *line)
{
	if (h->log)
		h->log(h->ctx, level, line);
}

/* ---- gates: "whoever was inside has left" ---- */

/*
 * Inside is counted in one of two numbers. To wait for all that are inside, those
 * that come are counted in the other one from now on: so the wait ends however many
 * keep coming. One thread waits at a time.
 */
struct uiommu_gate {
	unsigned phase;			/* (a) */
	unsigned inside[2];		/* (a) */
};

static inline unsigned gate_enter(struct uiommu_gate *g)
{
	for (;;) {
		unsigned p = __atomic_load_n(&g->phase, __ATOMIC_SEQ_CST);

		__atomic_fetch_add(&g->inside[p], 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&g->phase, __ATOMIC_SEQ_CST) == p)
			return p;
		/* a wait began in between and may not have seen us */
		__atomic_fetch_sub(&g->inside[p], 1, __ATOMIC_SEQ_CST);
	}
}

static inline void gate_leave(struct uiommu_gate *g, unsigned p)
{
	__atomic_fetch_sub(&g->inside[p], 1, __ATOMIC_SEQ_CST);
}

static inline void gate_wait(const struct uiommu_host *h, struct uiommu_gate *g)
{
	unsigned p = __atomic_load_n(&g->phase, __ATOMIC_SEQ_CST);

	__atomic_store_n(&g->phase, p ^ 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&g->inside[p], __ATOMIC_SEQ_CST))
		host_relax(h);
}

/* ---- lists ---- */

static inline void list_init(struct uiommu_list *l)
{
	l->first = NULL;
	l->tail = &l->first;
}

static inline bool list_empty(const struct uiommu_list *l)
{
	return !port_load_acquire(&l->first);
}

/* What the node points to was written before: readers see it whole. */
static inline void list_add(struct uiommu_list *l, struct uiommu_node *n)
{
	n->pprev = l->tail;
	n->next = NULL;
	port_store_release(l->tail, n);
	l->tail = &n->next;
}

static inline void list_del(struct uiommu_list *l, struct uiommu_node *n)
{
	struct uiommu_node *next = port_load_acquire(&n->next);

	port_store_release(n->pprev, next);
	if (next)
		next->pprev = n->pprev;
	else
		l->tail = n->pprev;
	n->pprev = NULL;
}

static inline struct uiommu_node *list_first(const struct uiommu_list *l)
{
	return port_load_acquire(&l->first);
}

static inline struct uiommu_node *list_next(const struct uiommu_node *n)
{
	return port_load_acquire(&n->next);
}

#define list_for_each(n, l) for (n = list_first(l); n; n = list_next(n))

#endif
