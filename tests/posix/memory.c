/* SPDX-License-Identifier: MIT */
/* Table memory, allocation, locks, what destroy says. */
#include "rig.h"

static void *get(struct rig *r, size_t n)
{
	return r->h->table_alloc(r->h->ctx, n);
}

static void put(struct rig *r, void *p, size_t n)
{
	r->h->table_free(r->h->ctx, p, n);
}

static void every_size_is_zeroed_and_aligned(void **state)
{
	struct rig *r = *state;

	for (size_t n = 64; n <= 64u << 20; n *= 2) {
		uint64_t *p = get(r, n), *q;

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % n, 0);
		assert_int_equal(pa_of(r, p) % n, 0);
		p[0] = p[n / 8 - 1] = ~0ull;
		put(r, p, n);
		q = get(r, n);
		for (size_t i = 0; i < n / 8; i += n > 1 << 20 ? 512 : 1)
			assert_int_equal(q[i], 0);
		assert_int_equal(q[n / 8 - 1], 0);
		put(r, q, n);
	}
}

static void odd_sizes_are_refused(void **state)
{
	struct rig *r = *state;

	assert_null(get(r, 0));
	assert_null(get(r, 32));
	assert_null(get(r, 100));
	assert_null(get(r, 4096 + 64));
	assert_null(get(r, 128u << 20));
}

static void addresses_stand_where_promised(void **state)
{
	struct rig *r = *state;
	void *p = get(r, 4096);

	assert_true(pa_of(r, p) >= UIOMMU_POSIX_TABLE_PA);
	assert_true(pa_of(r, p) < UIOMMU_POSIX_FRAMES_PA);
	put(r, p, 4096);
}

/* What was freed is used again before anything new is touched. */
static void freed_memory_is_used_again(void **state)
{
	struct rig *r = *state;
	void *first = get(r, 4096);
	uintptr_t far = 0;

	put(r, first, 4096);
	for (int i = 0; i < 100000; i++) {
		void *p = get(r, 4096);

		if ((uintptr_t)p - (uintptr_t)first + (64u << 20) > far)
			far = (uintptr_t)p - (uintptr_t)first + (64u << 20);
		put(r, p, 4096);
	}
	assert_true(far <= 128u << 20);
}

#define SLOTS 300

/* Against a list of what is out: nothing overlaps, nothing changes by itself. */
static void random_sizes(void **state)
{
	struct rig *r = *state;
	uint64_t s = seed();
	struct {
		uint64_t *p;
		size_t n;
		uint64_t mark;
	} v[SLOTS] = { 0 };

	for (int i = 0; i < 20000; i++) {
		unsigned k = rnd(&s) % SLOTS;

		if (v[k].p) {
			if (v[k].p[0] != v[k].mark || v[k].p[v[k].n / 8 - 1] != v[k].mark)
				print_error("rerun: UIOMMU_TEST_SEED=%llu\n",
					    (unsigned long long)seed());
			assert_int_equal(v[k].p[0], v[k].mark);
			assert_int_equal(v[k].p[v[k].n / 8 - 1], v[k].mark);
			put(r, v[k].p, v[k].n);
			v[k].p = NULL;
			continue;
		}
		v[k].n = 64ull << rnd(&s) % 12;
		v[k].p = get(r, v[k].n);
		assert_non_null(v[k].p);
		assert_int_equal(v[k].p[0] | v[k].p[v[k].n / 8 - 1], 0);
		v[k].mark = i + 1;
		v[k].p[0] = v[k].p[v[k].n / 8 - 1] = v[k].mark;
	}
	for (unsigned k = 0; k < SLOTS; k++)
		if (v[k].p)
			put(r, v[k].p, v[k].n);
}

struct bad {
	void *p;
	size_t n;
};

static void free_bad(struct rig *r, void *arg)
{
	struct bad *b = arg;

	put(r, b->p, b->n);
}

static void freeing_wrongly_is_caught(void **state)
{
	struct rig *r = *state;
	char *cell = get(r, 256), *block = get(r, 8192), *gone = get(r, 4096), *gone2 = get(r, 64);

	put(r, gone, 4096);
	put(r, gone2, 64);
	dies(free_bad, r, &(struct bad){ gone, 4096 });
	dies(free_bad, r, &(struct bad){ gone2, 64 });
	dies(free_bad, r, &(struct bad){ cell, 128 });
	dies(free_bad, r, &(struct bad){ cell + 64, 256 });
	dies(free_bad, r, &(struct bad){ block, 4096 });
	dies(free_bad, r, &(struct bad){ block + 4096, 4096 });
	dies(free_bad, r, &(struct bad){ &cell, 64 });
	put(r, cell, 256);
	put(r, block, 8192);
}

/* What somebody finds through a pointer that he should have dropped is neither
 * his data nor a plausible entry. (AddressSanitizer says it at once.) */
static void freed_memory_is_spoilt(void **state)
{
#ifndef __SANITIZE_ADDRESS__
	struct rig *r = *state;
	uint64_t *keep = get(r, 64), *p = get(r, 64), *q = get(r, 4096);

	*p = *q = 0x123456789abcdef;
	put(r, p, 64);
	put(r, q, 4096);
	assert_int_equal(*p & 0xffff, 0xf9ee);
	assert_int_equal(*q & 0xffff, 0xf9ee);
	put(r, keep, 64);
#endif
}

/* Hardware that still reads a table that was freed gets an abort. */
static void freed_memory_aborts(void **state)
{
	struct rig *r = *state;
	static const size_t sizes[] = { 64, 1024, 4096, 65536 };

	for (unsigned i = 0; i < 4; i++) {
		void *keep = get(r, sizes[i]), *p = get(r, sizes[i]);
		uiommu_pa_t pa = pa_of(r, p);
		uint64_t v;

		assert_int_equal(uiommu_posix_pa_read(r->p, pa, &v, 8), 0);
		put(r, p, sizes[i]);
		assert_int_equal(uiommu_posix_pa_read(r->p, pa, &v, 8), -UIOMMU_EFAULT);
		assert_int_equal(uiommu_posix_pa_write(r->p, pa, &v, 8), -UIOMMU_EFAULT);
		assert_int_equal(uiommu_posix_pa_read(r->p, pa_of(r, keep), &v, 8), 0);
		put(r, keep, sizes[i]);
	}
}

static void alloc_is_zeroed(void **state)
{
	struct rig *r = *state;
	char *p = r->h->alloc(r->h->ctx, 1000);

	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], 0);
	r->h->free(r->h->ctx, p, 1000);
}

static void time_goes_on(void **state)
{
	struct rig *r = *state;
	uint64_t a = r->h->now_ns(r->h->ctx), b;

	r->h->relax(r->h->ctx);
	b = r->h->now_ns(r->h->ctx);
	assert_true(b >= a);
}

static void log_levels(void **state)
{
	struct rig *r = *state;

	r->h->log(r->h->ctx, UIOMMU_LOG_INFO, "not this");
	assert_int_equal(r->lines, 0);
	r->h->log(r->h->ctx, UIOMMU_LOG_WARN, "this");
	assert_string_equal(r->line, "this");
	r->lines = 0;
}

static void lock_twice(struct rig *r, void *arg)
{
	r->h->lock(r->h->ctx, arg);
	r->h->lock(r->h->ctx, arg);
}

static void unlock_unheld(struct rig *r, void *arg)
{
	r->h->unlock(r->h->ctx, arg);
}

static void locks(void **state)
{
	struct rig *r = *state;
	struct uiommu_lock l;

	for (int kind = UIOMMU_LOCK_MUTEX; kind <= UIOMMU_LOCK_SPIN; kind++) {
		assert_int_equal(r->h->lock_init(r->h->ctx, &l, kind), 0);
		r->h->lock(r->h->ctx, &l);
		r->h->unlock(r->h->ctx, &l);
#ifndef NDEBUG
		dies(lock_twice, r, &l);
		dies(unlock_unheld, r, &l);
#endif
		r->h->lock_fini(r->h->ctx, &l);
	}
}

static void destroy_says_what_is_left(void **state)
{
	struct rig r = { 0 };
	static const struct uiommu_mmio_ops ops;
	uiommu_pa_t pa;
	static char page[4096] __attribute__((aligned(4096)));

	assert_int_equal(uiommu_posix_create(&r.p), 0);
	r.h = uiommu_posix_host(r.p);
	assert_ptr_equal(uiommu_posix_from_host(r.h), r.p);
	uiommu_posix_set_log(r.p, UIOMMU_LOG_WARN, rig_log, &r);
	get(&r, 4096);
	assert_int_equal(uiommu_posix_add_mmio(r.p, 0x1000, 0x1000, &ops, NULL), 0);
	assert_int_equal(uiommu_posix_pin_self(r.p, page, 4096, &pa), 0);
	uiommu_posix_destroy(r.p);
	assert_int_equal(r.lines, 2);
	assert_string_equal(r.line, "1 tables (4096 bytes) were not freed");
}

static void several_hosts(void **state)
{
	struct rig *r = *state;
	struct uiommu_posix *q;
	void *a = get(r, 4096), *b;
	uint64_t v = 7, w = 0;

	assert_int_equal(uiommu_posix_create(&q), 0);
	b = uiommu_posix_host(q)->table_alloc(uiommu_posix_host(q)->ctx, 4096);
	assert_ptr_not_equal(a, b);
	assert_int_equal(uiommu_posix_pa_write(r->p, pa_of(r, a), &v, 8), 0);
	assert_int_equal(uiommu_posix_pa_read(q, pa_of(r, a), &w, 8), 0);	/* its own page */
	assert_int_equal(w, 0);
	uiommu_posix_host(q)->table_free(uiommu_posix_host(q)->ctx, b, 4096);
	uiommu_posix_destroy(q);
	put(r, a, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(every_size_is_zeroed_and_aligned),
		RIG_TEST(odd_sizes_are_refused),
		RIG_TEST(addresses_stand_where_promised),
		RIG_TEST(freed_memory_is_used_again),
		RIG_TEST(random_sizes),
		RIG_TEST(freeing_wrongly_is_caught),
		RIG_TEST(freed_memory_is_spoilt),
		RIG_TEST(freed_memory_aborts),
		RIG_TEST(alloc_is_zeroed),
		RIG_TEST(time_goes_on),
		RIG_TEST(log_levels),
		RIG_TEST(locks),
		cmocka_unit_test(destroy_says_what_is_left),
		RIG_TEST(several_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
