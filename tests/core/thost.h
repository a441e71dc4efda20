/* SPDX-License-Identifier: MIT */
/*
 * tests/core/thost.h - a host for tests: memory with physical addresses, every
 * allocation counted and, when asked, refused; locks that notice recursion;
 * reclamation that really waits for readers. With threads or without.
 */
#ifndef TESTS_CORE_THOST_H
#define TESTS_CORE_THOST_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include <uiommu/host.h>
#include "tests/fail/hook.h"

#define THOST_PA	0x80000000ull
#ifndef THOST_BYTES
#define THOST_BYTES	((size_t)224 << 20)
#endif
#define THOST_LOGS	64

struct thost_free {
	struct thost_free *next;
};

struct thost {
	struct uiommu_host host;
	unsigned char *mem;			/* what a physical address leads to */
	unsigned char *freed;			/* for each 64 bytes: was given back */
	void (*on_table)(struct thost *t, void *p, size_t bytes);	/* is given out */
	size_t next;
	struct thost_free *free[28];		/* by log2 of the size */
	pthread_mutex_t m;
	long live, live_tables;			/* allocations that are held */
	unsigned long live_bytes, table_bytes;	/* in all; of tables */
	unsigned long calls;			/* allocations asked for */
	unsigned long fail_at;			/* this one (from 1) gets NULL; 0: none */
	bool forbid;				/* none may be asked for now */
	int locks;				/* held by the only thread */
	int readers;
	unsigned long retired;
	struct uiommu_retire *pending;
	uint64_t now, tick;			/* tick != 0: a clock that jumps by it */
	const struct uiommu_mmio_ops *mmio_ops;
	void *mmio_ctx;
	void (*on_relax)(struct thost *t);
	void (*irq[4])(void *arg);
	void *irq_arg[4];
	unsigned nlog;
	char log[THOST_LOGS][200];
	void *test;
};

static inline bool thost_refuses(struct thost *t, enum host_call what)
{
	assert_false(t->forbid);
	if (!t->fail_at && host_refuses(what))
		return true;
	if (++t->calls == t->fail_at)
		return true;
	host_held(what, 1);
	return false;
}

static inline unsigned thost_lg2(size_t bytes)
{
	unsigned n = 6;

	while ((size_t)1 << n < bytes)
		n++;
	return n;
}

static inline void *thost_take(struct thost *t, size_t bytes)
{
	unsigned lg2 = thost_lg2(bytes);
	struct thost_free *f = t->free[lg2];

	bytes = (size_t)1 << lg2;
	if (f) {
		t->free[lg2] = f->next;
		return f;
	}
	t->next += -((uintptr_t)t->mem + t->next) & (bytes - 1);
	assert_true(t->next + bytes <= THOST_BYTES);
	t->next += bytes;
	return t->mem + t->next - bytes;
}

static inline void thost_mark(struct thost *t, const void *p, size_t bytes, int freed)
{
	size_t first = (size_t)((const unsigned char *)p - t->mem) / 64;

	for (size_t i = first; i < first + bytes / 64; i++)
		__atomic_store_n(&t->freed[i], freed, __ATOMIC_RELAXED);
}

/* does hardware read what is not ours any more? */
static inline bool thost_is_freed(struct thost *t, const void *p)
{
	size_t unit = (size_t)((const unsigned char *)p - t->mem) / 64;

	return __atomic_load_n(&t->freed[unit], __ATOMIC_RELAXED);
}

static inline void *thost_table_alloc(void *ctx, size_t bytes)
{
	struct thost *t = ctx;
	void *p = NULL;

	assert_true(bytes >= 64 && bytes <= (size_t)64 << 20 && !(bytes & (bytes - 1)));
	pthread_mutex_lock(&t->m);
	if (!thost_refuses(t, HOST_TABLE)) {
		p = thost_take(t, bytes);
		memset(p, 0, bytes);
		thost_mark(t, p, bytes, 0);
		if (t->on_table)
			t->on_table(t, p, bytes);
		t->live_tables++;
		t->live_bytes += bytes;
		t->table_bytes += bytes;
	}
	pthread_mutex_unlock(&t->m);
	return p;
}

static inline void thost_table_free(void *ctx, void *p, size_t bytes)
{
	struct thost *t = ctx;
	unsigned lg2 = thost_lg2(bytes);

	assert_non_null(p);
	pthread_mutex_lock(&t->m);
	memset(p, 0xa5, bytes);		/* whoever still reads it reads nonsense */
	thost_mark(t, p, bytes, 1);
	((struct thost_free *)p)->next = t->free[lg2];
	t->free[lg2] = p;
	t->live_tables--;
	host_held(HOST_TABLE, -1);
	t->live_bytes -= bytes;
	t->table_bytes -= bytes;
	pthread_mutex_unlock(&t->m);
}

static inline void *thost_alloc(void *ctx, size_t bytes)
{
	struct thost *t = ctx;
	bool no;

	pthread_mutex_lock(&t->m);
	no = thost_refuses(t, HOST_ALLOC);
	if (!no) {
		t->live++;
		t->live_bytes += bytes;
	}
	pthread_mutex_unlock(&t->m);
	return no ? NULL : calloc(1, bytes);
}

static inline void thost_free(void *ctx, void *p, size_t bytes)
{
	struct thost *t = ctx;

	assert_non_null(p);
	memset(p, 0x5a, bytes);		/* also checks that @bytes is not too much, under ASan */
	free(p);
	pthread_mutex_lock(&t->m);
	t->live--;
	host_held(HOST_ALLOC, -1);
	t->live_bytes -= bytes;
	pthread_mutex_unlock(&t->m);
}

static inline int thost_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes,
				 struct uiommu_mmio *out)
{
	struct thost *t = ctx;

	if (thost_refuses(t, HOST_MMIO))
		return -UIOMMU_ENOMEM;
	t->live++;
	*out = (struct uiommu_mmio){ .ops = t->mmio_ops, .ctx = t->mmio_ctx, .bytes = bytes };
	return 0;
}

static inline void thost_mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	host_held(HOST_MMIO, -1);
	((struct thost *)ctx)->live--;
}

static inline uint64_t thost_now(void *ctx)
{
	struct thost *t = ctx;
	struct timespec ts;

	if (t->tick)
		return __atomic_add_fetch(&t->now, t->tick, __ATOMIC_RELAXED);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void thost_relax(void *ctx)
{
	struct thost *t = ctx;

	if (t->on_relax)
		t->on_relax(t);
	else
		sched_yield();
}

static inline void thost_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	struct thost *t = ctx;

	pthread_mutex_lock(&t->m);
	snprintf(t->log[t->nlog++ % THOST_LOGS], sizeof(t->log[0]), "%s", line);
	pthread_mutex_unlock(&t->m);
}

/* was there a line with @part in it? */
static inline bool thost_logged(const struct thost *t, const char *part)
{
	for (unsigned i = 0; i < THOST_LOGS; i++)
		if (strstr(t->log[i], part))
			return true;
	return false;
}

/* ---- one thread: locks are checked, readers are counted ---- */

static inline void thost_count_lock(void *ctx, struct uiommu_lock *l)
{
	assert_int_equal(l->opaque[0], 0);	/* no recursion */
	l->opaque[0] = 1;
	((struct thost *)ctx)->locks++;
}

static inline void thost_count_unlock(void *ctx, struct uiommu_lock *l)
{
	assert_int_equal(l->opaque[0], 1);
	l->opaque[0] = 0;
	((struct thost *)ctx)->locks--;
}

/* ---- threads ---- */

static inline int thost_lock_init(void *ctx, struct uiommu_lock *l, enum uiommu_lock_kind kind)
{
	struct thost *t = ctx;

	_Static_assert(sizeof(pthread_mutex_t) <= sizeof(l->opaque), "a lock fits");
	if (thost_refuses(t, HOST_LOCK))
		return -UIOMMU_ENOMEM;
	t->live++;
	pthread_mutex_init((pthread_mutex_t *)l->opaque, NULL);
	return 0;
}

static inline int thost_count_init(void *ctx, struct uiommu_lock *l, enum uiommu_lock_kind kind)
{
	struct thost *t = ctx;

	if (thost_refuses(t, HOST_LOCK))
		return -UIOMMU_ENOMEM;
	t->live++;
	l->opaque[0] = 0;
	return 0;
}

static inline void thost_lock_fini(void *ctx, struct uiommu_lock *l)
{
	host_held(HOST_LOCK, -1);
	((struct thost *)ctx)->live--;
}

static inline void thost_lock(void *ctx, struct uiommu_lock *l)
{
	pthread_mutex_lock((pthread_mutex_t *)l->opaque);
}

static inline void thost_unlock(void *ctx, struct uiommu_lock *l)
{
	pthread_mutex_unlock((pthread_mutex_t *)l->opaque);
}

static inline struct uiommu_retire *thost_no_readers(struct thost *t)
{
	struct uiommu_retire *r = NULL;

	if (!__atomic_load_n(&t->readers, __ATOMIC_SEQ_CST)) {
		r = t->pending;
		t->pending = NULL;
	}
	return r;
}

static inline void thost_run(struct uiommu_retire *r)
{
	while (r) {
		struct uiommu_retire *next = r->next;

		r->fn(r);
		r = next;
	}
}

static inline unsigned thost_read_enter(void *ctx)
{
	__atomic_fetch_add(&((struct thost *)ctx)->readers, 1, __ATOMIC_SEQ_CST);
	return 7;
}

static inline void thost_read_leave(void *ctx, unsigned token)
{
	struct thost *t = ctx;
	struct uiommu_retire *r = NULL;

	assert_int_equal(token, 7);
	if (__atomic_sub_fetch(&t->readers, 1, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&t->m);
	r = thost_no_readers(t);
	pthread_mutex_unlock(&t->m);
	thost_run(r);
}

static inline void thost_retire(void *ctx, struct uiommu_retire *r)
{
	struct thost *t = ctx;

	pthread_mutex_lock(&t->m);
	t->retired++;
	r->next = t->pending;
	t->pending = r;
	r = thost_no_readers(t);
	pthread_mutex_unlock(&t->m);
	thost_run(r);
}

static inline int thost_irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	struct thost *t = ctx;

	if (thost_refuses(t, HOST_IRQ))
		return -UIOMMU_ENOMEM;
	t->live++;
	assert_null(t->irq[irq]);
	t->irq[irq] = fn;
	t->irq_arg[irq] = arg;
	return 0;
}

static inline void thost_irq_release(void *ctx, unsigned irq)
{
	struct thost *t = ctx;

	t->live--;
	host_held(HOST_IRQ, -1);
	assert_non_null(t->irq[irq]);
	t->irq[irq] = NULL;
}

static inline void thost_init(struct thost *t, bool threads)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->m, NULL);
	/* with threads by looks at the clock: a machine with much to do is not late */
	t->tick = threads ? 100 : 0;
	t->mem = mmap(NULL, THOST_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(t->mem, MAP_FAILED);
	t->freed = calloc(THOST_BYTES / 64, 1);
	t->host = (struct uiommu_host){
		.ctx = t,
		.table_alloc = thost_table_alloc,
		.table_free = thost_table_free,
		.alloc = thost_alloc,
		.free = thost_free,
		.mmio_map = thost_mmio_map,
		.mmio_unmap = thost_mmio_unmap,
		.now_ns = thost_now,
		.relax = thost_relax,
		.log = thost_log,
		.lock_init = threads ? thost_lock_init : thost_count_init,
		.lock_fini = thost_lock_fini,
		.lock = threads ? thost_lock : thost_count_lock,
		.unlock = threads ? thost_unlock : thost_count_unlock,
		.read_enter = thost_read_enter,
		.read_leave = thost_read_leave,
		.retire = thost_retire,
		.irq_request = thost_irq_request,
		.irq_release = thost_irq_release,
	};
	/* physical addresses differ from pointers, so that mixing them up shows; both
	 * are aligned as far as any table asks for */
	t->next = (size_t)-(uintptr_t)t->mem & (((size_t)64 << 20) - 1);
	t->host.table_offset = (uint64_t)(uintptr_t)(t->mem + t->next) - THOST_PA;
}

static inline void thost_fini(struct thost *t)
{
	assert_null(t->pending);
	assert_int_equal(t->readers, 0);
	assert_int_equal(t->locks, 0);
	assert_int_equal(t->live, 0);
	assert_int_equal(t->live_tables, 0);
	assert_int_equal(t->live_bytes, 0);
	host_counts_nothing();
	munmap(t->mem, THOST_BYTES);
	free(t->freed);
}

static inline void *thost_at(struct thost *t, uiommu_pa_t pa, size_t bytes)
{
	unsigned char *p = (unsigned char *)(uintptr_t)(pa + t->host.table_offset);

	return p >= t->mem && p + bytes <= t->mem + THOST_BYTES ? p : NULL;
}

static inline uiommu_pa_t thost_pa(const struct thost *t, const void *p)
{
	return (uint64_t)(uintptr_t)p - t->host.table_offset;
}

#endif
