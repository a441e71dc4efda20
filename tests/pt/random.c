/* SPDX-License-Identifier: MIT */
/*
 * Random maps and unmaps against a flat array that knows nothing of tables, read
 * back with a walker of the test's own. SEED=n in the environment replays one.
 *
 * On the noncoherent configurations the reader sees only what was cleaned.
 */
#include "arena.h"

#include "../rng.h"

#define PAGES		(1u << 18)		/* 1 GiB of 4 KiB at most are played in */
#define STEPS		600

const struct instance *current;
static uint64_t seed, rng;

static uint64_t rnd(uint64_t n)
{
	return (rng_next(&rng) * 0x2545f4914f6cdd1dull >> 8) % n;
}

struct oracle {
	uint64_t base;		/* iova of page 0 */
	uint64_t pages;
	uint64_t *pa;		/* of each page; 1: not mapped */
};

/* Pages, and log2 of what one table resolves. */
static unsigned page_lg2, index_bits;

static uint64_t iova_of(const struct oracle *o, uint64_t page)
{
	return o->base + (page << page_lg2);
}

/* Does hardware see page @i as the oracle has it? */
static void check_page(const struct fixture *x, const struct oracle *o, uint64_t i)
{
	struct hw_leaf r = hw(x, iova_of(o, i) + 0x123);
	uint64_t pa;
	int ret = x->pt.ops->iova_to_phys((struct uiommu_pt *)&x->pt, iova_of(o, i) + 0x123, &pa);

	assert_int_equal(r.mapped, o->pa[i] != 1);
	assert_int_equal(ret, r.mapped ? 0 : -UIOMMU_ENOENT);
	if (r.mapped) {
		assert_int_equal(r.pa, o->pa[i] + 0x123);
		assert_int_equal(pa, r.pa);
	}
}

static void check(const struct fixture *x, const struct oracle *o, uint64_t first, uint64_t n)
{
	uint64_t edge[] = { first, first - 1, first + n, first + n - 1, first + n / 2 };

	for (size_t i = 0; i < sizeof(edge) / sizeof(*edge); i++)
		if (edge[i] < o->pages)
			check_page(x, o, edge[i]);
	for (int i = 0; i < 16; i++) {
		check_page(x, o, rnd(o->pages));
		if (n && first + n <= o->pages)
			check_page(x, o, first + rnd(n));
	}
}

/* Lengths of every order, boundaries more often than chance would have them. */
static void pick(const struct oracle *o, uint64_t *first, uint64_t *n)
{
	uint64_t align = 1ull << (rnd(3) * index_bits);

	*first = rnd(o->pages);
	if (rnd(2))
		*first = *first / align * align;
	*n = 1 + rnd(1ull << rnd(19));
	if (rnd(2))
		*n = (*n + align - 1) / align * align;
	if (*first + *n > o->pages)
		*n = o->pages - *first;
}

static void random_map(struct fixture *x, struct oracle *o)
{
	uint64_t first, n, room = 0, mapped, pa;
	int ret;

	pick(o, &first, &n);
	pa = rnd(1ull << (x->in->oas - page_lg2)) * P;
	if (rnd(2))
		pa = (pa & ~(4 * B - 1)) | (iova_of(o, first) & (4 * B - 1));	/* blocks fit */
	if (pa + n * P > 1ull << x->in->oas)
		pa = pa < n * P ? P : pa - n * P;
	while (room < n && o->pa[first + room] == 1)
		room++;
	ret = map(x, iova_of(o, first), pa, n * P, &mapped);
	assert_int_equal(ret, room == n ? 0 : -UIOMMU_EEXIST);
	assert_int_equal(mapped, room * P);
	for (uint64_t i = 0; i < room; i++)
		o->pa[first + i] = pa + i * P;
	check(x, o, first, n);
}

/* Would the edge before page @i go through a leaf? */
static bool cuts(const struct fixture *x, const struct oracle *o, uint64_t i)
{
	struct hw_leaf r;

	if (i >= o->pages)
		return false;
	r = hw(x, iova_of(o, i));
	return r.mapped && iova_of(o, i) & ((1ull << r.lg2) - 1);
}

/* How far may an unmap come? To the first hole that is not in a covered table. */
static uint64_t expect(const struct fixture *x, const struct oracle *o, uint64_t first, uint64_t n)
{
	uint64_t done = 0;

	while (done < n) {
		uint64_t iova = iova_of(o, first + done), step = 0;
		struct uiommu_pt_step s[8];
		unsigned ns;

		assert_int_equal(x->pt.ops->walk((struct uiommu_pt *)&x->pt, iova, s, 8, &ns), 0);
		if (!ns)
			return done;	/* beyond a root that grows */
		for (unsigned i = 0; i < ns && !step; i++) {
			uint64_t span = 1ull << (index_bits * s[i].level);

			if (s[i].kind == UIOMMU_PT_STEP_INVALID)
				return done;
			if (s[i].kind == UIOMMU_PT_STEP_LEAF)
				span = 1ull << (s[i].page_lg2 - page_lg2);
			if (!(iova / P % span) && n - done >= span)
				step = span;
		}
		done += step;
	}
	return done;
}

static void random_unmap(struct fixture *x, struct oracle *o)
{
	uint64_t first, n, want, done;
	bool cut;
	int ret;

	pick(o, &first, &n);
	if (!rnd(3)) {
		/* cut first: then the range is as good as any */
		assert_int_equal(x->pt.ops->cut(&x->pt, iova_of(o, first), &x->gather), 0);
		if (first + n < o->pages)
			assert_int_equal(x->pt.ops->cut(&x->pt, iova_of(o, first + n),
							&x->gather), 0);
		assert_false(cuts(x, o, first) || cuts(x, o, first + n));
		uiommu_gather_free(&x->gather, &x->arena.host);
		check(x, o, first, n);
	} else if (rnd(2)) {
		/* what is mapped in one piece from here on */
		for (n = 0; first + n < o->pages && o->pa[first + n] != 1 && n < 300000; n++)
			;
		n += !n;
	}
	cut = cuts(x, o, first) || cuts(x, o, first + n);
	want = cut ? 0 : expect(x, o, first, n);
	ret = x->pt.ops->unmap(&x->pt, iova_of(o, first), n * P, &x->gather, &done);
	assert_int_equal(ret, cut ? -UIOMMU_EINVAL : 0);
	assert_int_equal(done, want * P);
	if (done) {
		assert_int_equal(x->gather.start, iova_of(o, first));
		assert_int_equal(x->gather.last, iova_of(o, first) + done - 1);
	} else {
		assert_true(uiommu_gather_empty(&x->gather));
	}
	uiommu_gather_free(&x->gather, &x->arena.host);
	for (uint64_t i = 0; i < want; i++)
		o->pa[first + i] = 1;
	check(x, o, first, n);
}

static void random_against_a_flat_array(void **state)
{
	struct fixture *x = *state;
	struct oracle o = { .pages = x->size / 2 / P };

	page_lg2 = x->in->page_lg2;
	index_bits = page_lg2 - 3;
	rng = seed * 0x9e3779b97f4a7c15ull | 1;
	if (o.pages > PAGES)
		o.pages = PAGES;
	/* at the bottom, at the top, or in the middle, off the block */
	o.base = (x->size / P - o.pages) / 2 * rnd(3) * P;
	if (o.base + o.pages * P + B / 2 < x->size)
		o.base += B / 2;
	if (x->in->canonical && rnd(2))
		o.base |= -x->size;
	o.pa = malloc(o.pages * sizeof(*o.pa));
	for (uint64_t i = 0; i < o.pages; i++)
		o.pa[i] = 1;
	for (int i = 0; i < STEPS; i++) {
		if (rnd(5) < 2)
			random_map(x, &o);
		else
			random_unmap(x, &o);
		if (rnd(16))
			continue;
		x->pt.ops->trim(&x->pt, &x->gather);
		uiommu_gather_free(&x->gather, &x->arena.host);
	}
	for (uint64_t i = 0; i < o.pages; i += 1 + rnd(64))
		check_page(x, &o, i);
	free(o.pa);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(random_against_a_flat_array) };
	int failed = 0;

	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : 1;
	for (size_t i = 0; i < INSTANCES; i++) {
		current = &instances[i];
		if (getenv("PT_ONLY") && !strstr(current->name, getenv("PT_ONLY")))
			continue;
		failed += cmocka_run_group_tests_name(current->name, tests, NULL, NULL);
	}
	if (failed)
		fprintf(stderr, "seed %llu; again: SEED=%llu meson test -C <build> pt/random\n",
			(unsigned long long)seed, (unsigned long long)seed);
	return failed ? 1 : 0;
}
