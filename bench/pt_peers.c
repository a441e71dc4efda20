/* SPDX-License-Identifier: MIT */
/*
 * Our page tables and Linux's in one process, on the same memory and through the same
 * kind of call. Medians of interleaved passes: pass by pass each implementation does
 * the same row, so that what the machine does to one it does to the other.
 *
 *	pt_peers			the whole table
 *	pt_peers NAME [small|big]	of ours with this in its name; some of the rows
 *	pt_peers instr PEER ROW N	do row ROW of PEER N times (for callgrind)
 *	pt_peers threads		two threads against one, per CPU second
 */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <uiommu/pt.h>

#include "bench/pt_peer.h"

#define K	(1ull << 10)
#define M	(1ull << 20)
#define G	(1ull << 30)
#define POOL	(420 * M)	/* two tables of 64 GiB, and some */

/* ---- memory: a free list of pages, zeroed as they are given ---- */

char *pool_base;
struct folio { unsigned long words[8]; } *pool_folios;
static char *pool_next;
static __thread void *pool_list;
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;

/* @touch: have it there; not under callgrind, which counts and does not time */
static void pool_init(bool touch)
{
	/* a kernel's own mapping of memory is in large pages */
	pool_base = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(pool_base, POOL, MADV_HUGEPAGE);
	if (touch)
		memset(pool_base, 1, POOL);
	pool_folios = calloc(POOL / 4096, sizeof(*pool_folios));
	if (pool_base == MAP_FAILED || !pool_folios)
		abort();
	if (touch)
		memset(pool_folios, 1, POOL / 4096 * sizeof(*pool_folios));
	pool_next = pool_base;
}

/* As the kernel's clear_page() does. What compilers make of a memset() of 4096 bytes
 * differs: gcc's begins 8 bytes into the page, and out of cache that costs half again. */
static void *zero_page(void *p)
{
	void *to = p;
	size_t n = 4096;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
	return p;
}

static void *pool_take(uint64_t bytes)
{
	void *p = pool_list;

	if (bytes > 4096)
		abort();
	if (p) {
		pool_list = *(void **)p;
	} else {
		pthread_mutex_lock(&pool_lock);
		p = pool_next;
		pool_next += 4096;
		pthread_mutex_unlock(&pool_lock);
		if (pool_next > pool_base + POOL)
			abort();
	}
	return p;
}

void *pool_alloc(uint64_t bytes)
{
	return zero_page(pool_take(bytes));
}

void pool_free(void *p)
{
	*(void **)p = pool_list;
	pool_list = p;
}

/* What iommu-pages.c would do: each page of a list, found through its descriptor. */
struct list { struct list *next, *prev; };

void iommu_put_pages_list(struct list *l);

void iommu_put_pages_list(struct list *l)
{
	while (l->next != l) {
		struct list *e = l->next;
		size_t i = ((char *)e - (char *)pool_folios) / sizeof(*pool_folios);

		l->next = e->next;
		e->next->prev = l;
		pool_free(pool_base + i * 4096);
	}
}

int iommu_pages_start_incoherent(void *p, void *dev);
int iommu_pages_start_incoherent_list(void *l, void *dev);

int iommu_pages_start_incoherent(void *p, void *dev)
{
	abort();
}

int iommu_pages_start_incoherent_list(void *l, void *dev)
{
	abort();
}

/* ---- ours, as a peer ---- */

static void *host_alloc(void *ctx, size_t bytes)
{
	return pool_alloc(bytes);
}

static void *host_alloc_raw(void *ctx, size_t bytes)
{
	return pool_take(bytes);
}

static void host_free(void *ctx, void *p, size_t bytes)
{
	pool_free(p);
}

static const struct uiommu_host host = {
	.table_alloc = host_alloc, .table_free = host_free, .table_alloc_raw = host_alloc_raw,
};

static void *our_make(const struct uiommu_pt_ops *ops)
{
	struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct uiommu_pt *pt = calloc(1, sizeof(*pt));

	if (ops->init(pt, &host, &cfg))
		abort();
	return pt;
}

static void our_map(void *t, uint64_t iova, uint64_t pa, uint64_t len, uint64_t pgsize)
{
	struct uiommu_pt *pt = t;
	uint64_t mapped;

	if (pt->ops->map(pt, iova, pa, len, UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, &mapped))
		abort();
}

static void our_unmap(void *t, uint64_t iova, uint64_t len, uint64_t pgsize)
{
	struct uiommu_pt *pt = t;
	struct uiommu_gather g;
	uint64_t n;

	uiommu_gather_init(&g);
	if (pt->ops->unmap(pt, iova, len, &g, &n) || n != len)
		abort();
	uiommu_gather_free(&g, &host);
}

static uint64_t our_look(void *t, uint64_t iova)
{
	struct uiommu_pt *pt = t;
	uint64_t pa = 0;

	pt->ops->iova_to_phys(pt, iova, &pa);
	return pa;
}

static void our_drop(void *t)
{
	struct uiommu_pt *pt = t;

	pt->ops->fini(pt);
	free(pt);
}

#define OURS(n)										\
static void *make_##n(void) { return our_make(&uiommu_pt_##n##_ops); }			\
static const struct pt_peer our_##n = {							\
	#n, make_##n, our_map, our_unmap, our_look, our_drop };

OURS(arm_s1_4k)
OURS(x86_64)
OURS(vtd_ss)
OURS(amd_v1)
OURS(riscv_sv)

static const struct {
	const struct pt_peer *ours, *theirs;
} pairs[] = {
	{ &our_arm_s1_4k, &peer_arm },
	{ &our_x86_64, &peer_x86_64 },
	{ &our_vtd_ss, &peer_vtdss },
	{ &our_amd_v1, &peer_amdv1 },
	{ &our_riscv_sv, &peer_riscv64 },
};
#define PAIRS (sizeof(pairs) / sizeof(*pairs))

/* ---- rows ---- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * A row of maps and of the unmaps that undo them: @calls of @len, one behind another,
 * from @base on. @skew moves the output so that only @page fits. @target: of map and
 * of unmap against io-pgtable-arm.
 */
struct row {
	const char *name;
	uint64_t base, len, page, skew;
	unsigned calls, rounds;
	double map_target, unmap_target;
	bool drop;	/* unmap in entries of the level above: tables go as a whole */
};

static const struct row rows[] = {
	{ "1x4K", 64 * G + 4 * K, 4 * K, 4 * K, 8 * K, 256, 8, .5, .5, false },
	{ "16x4K", 64 * G + 4 * K, 64 * K, 4 * K, 8 * K, 31, 16, .45, .45, false },
	{ "256x4K", 64 * G + 512 * K, 1 * M, 4 * K, 4 * K, 32, 4, .35, .25, false },
	{ "512x4K over two tables", 64 * G + 1 * M, 2 * M, 4 * K, 4 * K, 32, 2, .35, .25, false },
	{ "512x4K one table, dropped", 64 * G, 2 * M, 4 * K, 4 * K, 32, 2, .35, 1.1, true },
	{ "1x2M", 64 * G, 2 * M, 2 * M, 0, 256, 8, .5, .5, false },
	{ "16x2M", 64 * G + 2 * M, 32 * M, 2 * M, 2 * M, 15, 16, .5, .5, false },
	{ "1x1G", 128 * G, 1 * G, 1 * G, 0, 128, 8, .5, .5, false },
	{ "1G as 4K, dropped", 64 * G, 1 * G, 4 * K, 4 * K, 1, 1, 0, 1.1, true },
};
#define ROWS (sizeof(rows) / sizeof(*rows))
#define PASSES 21

struct times {
	double map[PASSES], unmap[PASSES];
};

static void row_pass(const struct pt_peer *p, void *t, const struct row *r, double *map,
		     double *unmap)
{
	uint64_t t0, t1, t2, in = 0, out = 0;
	/* the kernel's core asks for the largest page that the address is aligned to */
	uint64_t asked = r->drop ? r->len : r->page;

	for (unsigned n = 0; n < r->rounds; n++) {
		t0 = now_ns(CLOCK_MONOTONIC);
		for (unsigned c = 0; c < r->calls; c++)
			p->map(t, r->base + c * r->len, 4 * G + c * r->len + r->skew, r->len,
			       r->page);
		t1 = now_ns(CLOCK_MONOTONIC);
		for (unsigned c = 0; c < r->calls; c++)
			p->unmap(t, r->base + c * r->len, r->len, asked);
		t2 = now_ns(CLOCK_MONOTONIC);
		in += t1 - t0;
		out += t2 - t1;
	}
	*map = (double)in / r->calls / r->rounds;
	*unmap = (double)out / r->calls / r->rounds;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static double log_sum;
static unsigned ratios, misses;
static double limit;		/* of this pair, 0: each row has its own */

static void line(const char *what, const char *name, double ours, double theirs, double target)
{
	double ratio = ours / theirs;

	if (limit)
		target = limit;
	printf("  %-9s %-26s %9.1f %9.1f   %5.2f", what, name, ours, theirs, ratio);
	if (target)
		printf("  <= %.2f %s", target, ratio <= target ? "" : "MISSED");
	putchar('\n');
	misses += target && ratio > target;
	log_sum += log(ratio);
	ratios++;
}

static void run_rows(const struct pt_peer *a, const struct pt_peer *b, void *ta, void *tb)
{
	static struct times x, y;

	for (size_t r = 0; r < ROWS; r++) {
		for (int i = 0; i < PASSES; i++) {
			row_pass(a, ta, &rows[r], &x.map[i], &x.unmap[i]);
			row_pass(b, tb, &rows[r], &y.map[i], &y.unmap[i]);
		}
		line("map", rows[r].name, median(x.map, PASSES), median(y.map, PASSES),
		     rows[r].map_target);
		line("unmap", rows[r].name, median(x.unmap, PASSES), median(y.unmap, PASSES),
		     rows[r].unmap_target);
	}
}

/* ---- looking up ---- */

static double look(const struct pt_peer *p, void *t, const uint32_t *order, unsigned n,
		   bool dependent)
{
	uint64_t sum = 0, t0 = now_ns(CLOCK_MONOTONIC);

	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = p->look(t, 64 * G + order[i] * (4 * K) + (dependent ? sum & 7 : 0));

		sum = dependent ? pa : sum + pa;
	}
	__asm__ volatile("" :: "r"(sum));
	return (double)(now_ns(CLOCK_MONOTONIC) - t0) / n;
}

#define ORDER (1u << 19)

/* @pages: out of how many the pages are drawn */
static uint32_t *make_order(uint32_t pages)
{
	uint32_t *o = malloc(ORDER * sizeof(*o));
	uint64_t x = 88172645463325252ull;
	unsigned char *seen = calloc(1, pages / 8 + 1);

	for (unsigned i = 0; i < ORDER;) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		o[i] = (x >> 20) % pages;
		if (pages > 4 * ORDER && seen[o[i] / 8] >> o[i] % 8 & 1)
			continue;
		seen[o[i] / 8] |= 1 << o[i] % 8;
		i++;
	}
	free(seen);
	return o;
}

static void run_looks(const struct pt_peer *a, const struct pt_peer *b, void *ta, void *tb)
{
	static double x[2][PASSES], y[2][PASSES];
	uint32_t *order = make_order(1024);

	a->map(ta, 64 * G, 4 * G + 4 * K, 4 * M, 4 * K);
	b->map(tb, 64 * G, 4 * G + 4 * K, 4 * M, 4 * K);
	for (int i = 0; i < PASSES; i++)
		for (int d = 0; d < 2; d++) {
			x[d][i] = look(a, ta, order, 1u << 15, d);
			y[d][i] = look(b, tb, order, 1u << 15, d);
		}
	line("look up", "4K hit, independent", median(x[0], PASSES), median(y[0], PASSES), .3);
	line("look up", "4K hit, dependent", median(x[1], PASSES), median(y[1], PASSES), .6);
	a->unmap(ta, 64 * G, 2 * M, 4 * K);
	a->unmap(ta, 64 * G + 2 * M, 2 * M, 4 * K);
	b->unmap(tb, 64 * G, 2 * M, 4 * K);
	b->unmap(tb, 64 * G + 2 * M, 2 * M, 4 * K);
	free(order);
}

/* ---- 64 GiB ---- */

#define BIG_PASSES 7
#define CHUNK 1024	/* calls of one, then as many of the other */
enum { COLD_RANDOM, RANDOM_MAP, RANDOM_UNMAP, COLD, UNMAP, REMAP, BIG };

/* A step in the life of two tables: random pages, or all in 2 MiB calls. */
struct step {
	int row;		/* BIG: not timed */
	bool map, random;
};

static const struct step small_steps[] = {
	{ COLD_RANDOM, true, true }, { BIG, false, true },
	{ RANDOM_MAP, true, true }, { RANDOM_UNMAP, false, true },
}, large_steps[] = {
	{ COLD, true, false }, { UNMAP, false, false }, { REMAP, true, false },
};

static void big_call(const struct pt_peer *p, void *t, const uint32_t *order, const struct step *s,
		     unsigned i)
{
	uint64_t len = s->random ? 4 * K : 2 * M, o = i * len;

	if (s->random)
		o = order[s->map ? i : ORDER - 1 - i] * (4 * K);
	if (s->map)
		p->map(t, 64 * G + o, 256 * G + o + 4 * K, len, 4 * K);
	else
		p->unmap(t, 64 * G + o, len, 4 * K);
}

/* The time of this thread: what else the CPU does meanwhile does not count. */
static double chunk(const struct pt_peer *p, void *t, const uint32_t *order, const struct step *s,
		    unsigned from)
{
	uint64_t t0 = now_ns(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = from; i < from + CHUNK; i++)
		big_call(p, t, order, s, i);
	return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - t0);
}

/* Chunk by chunk in turns, so that what neighbours do to the memory is done to both. */
static void lives(const struct pt_peer *const p[2], const uint32_t *order, const struct step *steps,
		  unsigned n, double out[2][BIG + 1])
{
	void *t[2] = { p[0]->make(), p[1]->make() };

	for (unsigned i = 0; i < n; i++) {
		unsigned calls = steps[i].random ? ORDER : 64 * G / (2 * M);
		double sum[2] = { 0, 0 };

		for (unsigned c = 0; c < calls; c += CHUNK)
			for (int k = 0; k < 2; k++)
				sum[k] += chunk(p[k], t[k], order, &steps[i], c);
		for (int k = 0; k < 2; k++)
			out[k][steps[i].row] = sum[k] / calls;
	}
	p[0]->drop(t[0]);
	p[1]->drop(t[1]);
}

static void run_big(const struct pt_peer *a, const struct pt_peer *b)
{
	static const struct { const char *what, *name; double target; } names[BIG] = {
		{ "map", "random 4K, cold tables", 1.0 }, { "map", "random 4K of 64G", .65 },
		{ "unmap", "random 4K of 64G", .65 }, { "map", "64G cold, per 2M", .85 },
		{ "unmap", "64G, per 2M", .4 }, { "map", "64G again, per 2M", .6 },
	};
	const struct pt_peer *const p[2] = { a, b };
	uint32_t *order = make_order(64 * G / (4 * K));
	double out[BIG_PASSES][2][BIG + 1];

	for (int i = 0; i < BIG_PASSES; i++) {
		lives(p, order, small_steps, 4, out[i]);
		lives(p, order, large_steps, 3, out[i]);
	}
	for (int r = 0; r < BIG; r++) {
		double v[2][BIG_PASSES];

		for (int i = 0; i < BIG_PASSES; i++)
			for (int k = 0; k < 2; k++)
				v[k][i] = out[i][k][r];
		line(names[r].what, names[r].name, median(v[0], BIG_PASSES),
		     median(v[1], BIG_PASSES), names[r].target);
	}
	free(order);
}

static char only;	/* 's': small rows, 'b': those of 64 GiB; else all */

static void run_pair(const struct pt_peer *a, const struct pt_peer *b)
{
	void *ta = a->make(), *tb = b->make();

	printf("%s beside Linux's %s, " COMPILER ": ns a call, medians\n", a->name, b->name);
	printf("  %-36s %9s %9s   %5s\n", "", "ours", "Linux's", "ratio");
	limit = b == &peer_arm ? 0 : 1.05;
	log_sum = 0;
	ratios = 0;
	if (only != 'b') {
		run_rows(a, b, ta, tb);
		run_looks(a, b, ta, tb);
	}
	a->drop(ta);
	b->drop(tb);
	if (only != 's')
		run_big(a, b);
	printf("  geometric mean of the ratios %40.2f%s\n\n", exp(log_sum / ratios),
	       limit ? "  <= 0.60" : "");
}

/* ---- threads ---- */

struct thread_arg {
	const struct pt_peer *p;
	void *t;
	uint64_t base, len, cpu;
};

static void *thread(void *arg)
{
	struct thread_arg *a = arg;
	uint64_t t0 = now_ns(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < (a->len > 4 * K ? 20000 : 500000); i++) {
		a->p->map(a->t, a->base, 4 * G, a->len, 4 * K);
		a->p->unmap(a->t, a->base, a->len, 4 * K);
	}
	a->cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - t0;
	return NULL;
}

/* What the machine allows two threads: arithmetic, and no memory at all. */
static void *nothing_make(void)
{
	return NULL;
}

static void nothing_map(void *t, uint64_t iova, uint64_t pa, uint64_t len, uint64_t pgsize)
{
	for (unsigned i = 0; i < 8; i++) {
		iova ^= iova << 13;
		iova ^= iova >> 7;
		__asm__ volatile("" : "+r"(iova));
	}
}

static void nothing_unmap(void *t, uint64_t iova, uint64_t len, uint64_t pgsize)
{
}

static void nothing_drop(void *t)
{
}

static const struct pt_peer nothing = {
	"(arithmetic alone)", nothing_make, nothing_map, nothing_unmap, NULL, nothing_drop };

static void run_threads(const struct pt_peer *p, uint64_t len, bool ours)
{
	struct thread_arg a[2], one;
	pthread_t t[2];
	void *table = p->make();
	double times[15];

	for (int n = 0; n < 15; n++) {
		for (int i = 0; i < 2; i++)
			a[i] = (struct thread_arg){ p, table, (64 + i) * G + M, len, 0 };
		one = a[0];
		thread(&one);
		for (int i = 0; i < 2; i++)
			pthread_create(&t[i], NULL, thread, &a[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(t[i], NULL);
		times[n] = 4.0 * one.cpu / (a[0].cpu + a[1].cpu);
	}
	printf("  %-20s two threads, %3dx4K: %.2f times one, per CPU second%s\n", p->name,
	       (int)(len / (4 * K)), median(times, 15),
	       !ours ? "" : median(times, 15) < 1.9 ? "  >= 1.90 MISSED" : "  >= 1.90");
	misses += ours && median(times, 15) < 1.9;
	p->drop(table);
}

/* ---- for callgrind ---- */

static int instr(const char *peer, unsigned row, unsigned n)
{
	const struct pt_peer *p = NULL;
	const struct row *r = &rows[row];
	double in, out;
	void *t;

	for (size_t i = 0; i < 2 * PAIRS; i++) {
		const struct pt_peer *q = i % 2 ? pairs[i / 2].theirs : pairs[i / 2].ours;

		if (!strcmp(q->name, peer))
			p = q;
	}
	if (!p || row >= ROWS)
		return 2;
	t = p->make();
	for (unsigned i = 0; i < n; i++)
		row_pass(p, t, r, &in, &out);
	return 0;
}

int main(int argc, char **argv)
{
	pool_init(argc != 5);
	only = argc == 3 ? *argv[2] : 0;
	if (argc == 5 && !strcmp(argv[1], "instr"))
		return instr(argv[2], atoi(argv[3]), atoi(argv[4]));
	for (size_t i = 0; i < PAIRS; i++)
		if (argc < 2 || strstr(pairs[i].ours->name, argv[1]))
			run_pair(pairs[i].ours, pairs[i].theirs);
	if (argc < 2 || !strcmp(argv[1], "threads")) {
		run_threads(&nothing, 4 * K, false);
		for (size_t i = 0; i < PAIRS; i++) {
			run_threads(pairs[i].ours, 4 * K, true);
			run_threads(pairs[i].theirs, 4 * K, false);
		}
	}
	printf("%u ratios above what they should be\n", misses);
	return 0;
}
