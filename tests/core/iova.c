/* SPDX-License-Identifier: MIT */
/* The allocator of IOVAs alone: near every limit, and against an array of all pages. */
#include "thost.h"

#include "src/core/iova.h"

#define UNIT	((uint64_t)1 << IOVA_LG2)

struct rig {
	struct thost t;
	struct iova_space s;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	thost_init(&r->t, false);
	r->s.host = &r->t.host;
	r->s.page_lg2 = 12;
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	thost_fini(&r->t);
	free(r);
	return 0;
}

static void start(struct rig *r, uint64_t first, uint64_t end)
{
	r->s = (struct iova_space){ .host = &r->t.host, .page_lg2 = 12, .resv = r->s.resv,
				    .num_resv = r->s.num_resv, .first = first, .end = end };
	assert_int_equal(uiommu_iova_init(&r->s), 0);
}

static uint64_t take(struct rig *r, uint64_t n)
{
	uint64_t page = 0;

	assert_int_equal(uiommu_iova_alloc(&r->s, n, &page), 0);
	return page;
}

static int try(struct rig *r, uint64_t n)
{
	uint64_t page;

	return uiommu_iova_alloc(&r->s, n, &page);
}

/* Every page between two limits, one by one, and no other; and again. */
static void single_pages_up_to_any_limit(void **state)
{
	static const uint64_t limits[][2] = {
		{ 0, 2 }, { 0, 3 }, { 0, 24 }, { 5, 100 }, { 63, 65 }, { 0, 4097 },
		{ UNIT - 3, UNIT + 3 }, { 2 * UNIT - 1, 2 * UNIT + 1 }, { UNIT / 2, UNIT },
	};
	struct rig *r = *state;

	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		uint64_t first = limits[i][0] ? limits[i][0] : 1, n = limits[i][1] - first;
		uint8_t *seen = calloc(n, 1);

		start(r, limits[i][0], limits[i][1]);
		for (unsigned round = 0; round < 2; round++) {
			for (uint64_t k = 0; k < n; k++) {
				uint64_t p = take(r, 1);

				assert_true(p >= first && p < limits[i][1]);
				assert_int_equal(seen[p - first]++, round);
			}
			assert_int_equal(try(r, 1), -UIOMMU_ENOSPC);
			for (uint64_t k = 0; k < n; k++)
				uiommu_iova_free(&r->s, 1, first + k);
		}
		uiommu_iova_fini(&r->s);
		free(seen);
	}
	r->s = (struct iova_space){ .host = &r->t.host, .page_lg2 = 12, .end = 1 };
	assert_int_equal(uiommu_iova_init(&r->s), -UIOMMU_EINVAL);
}

/* 32 bits of address: 4 GiB, whose first page is not there. */
static void a_device_of_32_bits(void **state)
{
	struct rig *r = *state;
	uint64_t a, n;

	start(r, 0, 1 << 20);
	assert_int_equal(try(r, 3 * UNIT), -UIOMMU_ENOSPC);	/* would be aligned to 4 GiB */
	a = take(r, 2 * UNIT);
	assert_int_equal(a, 2 * UNIT);
	assert_int_equal(take(r, UNIT), UNIT);
	assert_int_equal(try(r, UNIT), -UIOMMU_ENOSPC);
	/* what is left is half of the first GiB, a quarter, ... and each tail */
	assert_int_equal(take(r, UNIT / 2), UNIT / 2);
	assert_int_equal(take(r, UNIT / 4 - 7), UNIT / 4);
	for (n = 0; !try(r, 1); n++)
		;
	assert_int_equal(n, UNIT / 4 - 1 + 7);
	uiommu_iova_free(&r->s, 2 * UNIT, a);
	/* a GiB and a page takes two units; the rest of a tail is not lost */
	assert_int_equal(take(r, UNIT + 1), 2 * UNIT);
	uiommu_iova_free(&r->s, UNIT + 1, 2 * UNIT);
	assert_int_equal(take(r, UNIT / 2 + 1), 2 * UNIT);
	assert_int_equal(take(r, UNIT / 4), 2 * UNIT + 3 * UNIT / 4);
	assert_int_equal(take(r, UNIT), 3 * UNIT);
	uiommu_iova_free(&r->s, UNIT / 2 + 1, 2 * UNIT);
	uiommu_iova_free(&r->s, UNIT / 4, 2 * UNIT + 3 * UNIT / 4);
	assert_int_equal(take(r, UNIT), 2 * UNIT);
	uiommu_iova_fini(&r->s);
}

/* All 48 bits, in units and in the largest block there is. */
static void as_far_as_48_bits(void **state)
{
	struct rig *r = *state;
	uint64_t n = 0, page, most = UNIT * UNIT;
	unsigned long bytes;

	start(r, 0, most);
	bytes = r->t.live_bytes;
	while (!uiommu_iova_alloc(&r->s, UNIT, &page)) {
		assert_int_equal(page % UNIT, 0);
		n++;
	}
	assert_int_equal(n, UNIT - 1);		/* all but the unit with page 0 */
	assert_int_equal(r->t.live_bytes, bytes);
	for (uint64_t i = 1; i < UNIT; i++)
		uiommu_iova_free(&r->s, UNIT, i * UNIT);
	assert_int_equal(take(r, most / 2), most / 2);
	assert_int_equal(try(r, most / 2), -UIOMMU_ENOSPC);
	assert_int_equal(try(r, most), -UIOMMU_ENOSPC);
	assert_int_equal(try(r, UINT64_MAX / 4096), -UIOMMU_ENOSPC);
	/* five GiB and a page: aligned to eight, six are taken */
	assert_int_equal(take(r, 5 * UNIT + 1), 8 * UNIT);
	assert_int_equal(take(r, 2 * UNIT), 2 * UNIT);
	assert_int_equal(take(r, 2 * UNIT), 14 * UNIT);
	uiommu_iova_fini(&r->s);
	/* beyond it nothing is used, nor is anything shifted out */
	start(r, 0, (uint64_t)1 << 52);
	assert_int_equal(take(r, most / 2), most / 2);
	uiommu_iova_fini(&r->s);
}

/* Small ones of different units come and go: a unit that is free again is one. */
static void units_come_together_again(void **state)
{
	enum { N = 3 << (IOVA_LG2 - 10) };
	struct rig *r = *state;
	static uint64_t got[N];

	start(r, 0, 5 * UNIT);
	for (unsigned i = 0; i < N; i++)
		got[i] = take(r, 1024);
	assert_int_equal(try(r, 3 * UNIT), -UIOMMU_ENOSPC);
	for (unsigned i = 0; i < N; i++)
		uiommu_iova_free(&r->s, 1024, got[(i * 7) % N]);
	assert_int_equal(take(r, UNIT), UNIT);
	assert_int_equal(take(r, 2 * UNIT), 2 * UNIT);
	assert_int_equal(take(r, UNIT), 4 * UNIT);
	uiommu_iova_fini(&r->s);
}

static void the_nth_allocation_fails(void **state)
{
	struct rig *r = *state;
	int err = -1;

	for (unsigned n = 1; err; n++) {
		r->s = (struct iova_space){ .host = &r->t.host, .page_lg2 = 12, .end = 100 };
		r->t.fail_at = r->t.calls + n;
		err = uiommu_iova_init(&r->s);
		r->t.fail_at = 0;
		assert_true(!err || err == -UIOMMU_ENOMEM);
	}
	/* none for the unit: neither it nor anything else is lost */
	r->t.fail_at = r->t.calls + 1;
	assert_int_equal(try(r, 40), -UIOMMU_ENOMEM);
	r->t.fail_at = 0;
	assert_int_equal(take(r, 32), 32);
	assert_int_equal(take(r, 1), 1);
	uiommu_iova_fini(&r->s);
}

/* ---- against an array ---- */

struct taken {
	uint64_t page, n;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static uint64_t some_size(uint64_t *seed)
{
	uint64_t lg2 = next_random(seed) % (IOVA_LG2 + 2);

	return 1 + next_random(seed) % ((uint64_t)1 << lg2);
}

static bool may_be_given(const struct rig *r, uint64_t page)
{
	if (page < r->s.first || page >= r->s.end)
		return false;
	for (unsigned i = 0; i < r->s.num_resv; i++)
		if (page >= r->s.resv[i].start >> 12 && page <= r->s.resv[i].last >> 12)
			return false;
	return true;
}

static void mark(uint8_t *used, const struct taken *t, uint8_t from, uint8_t to)
{
	for (uint64_t p = t->page; p < t->page + t->n; p++) {
		assert_int_equal(used[p], from);
		used[p] = to;
	}
}

static void one_of_many(struct rig *r, struct taken *t, uint8_t *used, uint64_t *seed)
{
	uint64_t align = 1;

	if (t->n) {
		mark(used, t, 1, 0);
		uiommu_iova_free(&r->s, t->n, t->page);
		t->n = 0;
		return;
	}
	t->n = some_size(seed);
	while (align < t->n && align < UNIT)
		align *= 2;
	if (uiommu_iova_alloc(&r->s, t->n, &t->page)) {
		t->n = 0;
		return;
	}
	assert_int_equal(t->page % align, 0);
	mark(used, t, 0, 1);
}

static void as_an_array(void **state)
{
	enum { N = 300, ROUNDS = 20000 };
	const char *env = getenv("UIOMMU_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 0) : 4711;
	const struct uiommu_dev_resv resv[] = {
		{ 0x8000000, 0x80fffff, UIOMMU_RESV_MSI, 0 },
		{ 0x40001800, 0x40002000, UIOMMU_RESV_RESERVED, 0 },
		{ 0x7fff0000, 0xdfffffff, UIOMMU_RESV_RESERVED, 0 },
	};
	const uint64_t end = 5 * UNIT + 12345;
	static struct taken taken[N];
	uint8_t *used = malloc(end);
	struct rig *r = *state;

	print_message("# as_an_array: UIOMMU_SEED=%llu\n", (unsigned long long)seed);
	r->s.resv = resv;
	r->s.num_resv = 3;
	start(r, 16, end);
	for (uint64_t p = 0; p < end; p++)
		used[p] = may_be_given(r, p) ? 0 : 2;
	memset(taken, 0, sizeof(taken));
	for (unsigned i = 0; i < ROUNDS; i++)
		one_of_many(r, &taken[next_random(&seed) % N], used, &seed);
	for (unsigned i = 0; i < N; i++)
		if (taken[i].n)
			one_of_many(r, &taken[i], used, &seed);
	/* all that may be given out is there, page by page */
	while (!uiommu_iova_alloc(&r->s, 1, &taken[0].page)) {
		taken[0].n = 1;
		mark(used, &taken[0], 0, 1);
	}
	assert_null(memchr(used, 0, end));
	uiommu_iova_fini(&r->s);
	free(used);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(single_pages_up_to_any_limit),
		T(a_device_of_32_bits),
		T(as_far_as_48_bits),
		T(units_come_together_again),
		T(the_nth_allocation_fails),
		T(as_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
