/* SPDX-License-Identifier: MIT */
/*
 * pt.c - operations on page tables, of any instance and configuration, against a list
 * of what is mapped that knows nothing of tables; and entries that are garbage
 *
 * The input chooses the configuration and then says what to do. After each operation
 * the places around it are read back by the architectures' readers of tests/pt/hw.h,
 * which also refuse what is reserved or malformed. Allocations fail where the input
 * says so. Last, entries are overwritten: whatever they say, walk and iova_to_phys
 * read nothing but the tables that entries lead to, and end.
 */
#define ARENA_BYTES (4u << 20)
#define ARENA_KEEP
#include "tests/pt/arena.h"

#include "input.h"

#define EXTENTS	256
#define OPS	64

const struct instance *current;

/* ---- the input ---- */

/* A few entries of some level, up from a base or down from it; or anything. */
static uint64_t take_addr(const struct fixture *x, struct input *in, uint64_t top)
{
	uint64_t how = take(in, 1), k = take(in, 1), base, a;
	unsigned shift = x->in->page_lg2 + (how & 3) * (x->in->page_lg2 - 3);

	if ((how >> 2 & 3) == 3)
		return take(in, 8);
	base = (how >> 2 & 3) == 0 ? 0 : (how >> 2 & 3) == 1 ? top / 2 : top;
	a = how & 16 ? base + (k << shift) : base - (k << shift);
	if (how & 32)
		a += (take(in, 1) & 127) * P;
	return how & 64 ? a | -x->size : a;
}

static uint64_t take_len(const struct fixture *x, struct input *in)
{
	uint64_t how = take(in, 1);
	unsigned shift = x->in->page_lg2 + (how & 3) * (x->in->page_lg2 - 3);

	if ((how & 0x3c) == 0x3c)
		return take(in, 8);
	return ((how >> 2) + 1) << shift;
}

/* ---- what is mapped ---- */

struct oracle {
	struct extent {
		uint64_t at, last, pa;
	} e[EXTENTS];
	unsigned n;
};

static const struct extent *find(const struct oracle *o, uint64_t iova)
{
	for (unsigned i = 0; i < o->n; i++)
		if (iova >= o->e[i].at && iova <= o->e[i].last)
			return &o->e[i];
	return NULL;
}

/* Bytes from @iova on where nothing is mapped, at most @len. */
static uint64_t room(const struct oracle *o, uint64_t iova, uint64_t len)
{
	if (find(o, iova))
		return 0;
	for (unsigned i = 0; i < o->n; i++)
		if (o->e[i].at > iova && o->e[i].at - iova < len)
			len = o->e[i].at - iova;
	return len;
}

static void add(struct oracle *o, uint64_t iova, uint64_t pa, uint64_t len)
{
	if (len)
		o->e[o->n++] = (struct extent){ iova, iova + (len - 1), pa };
}

static void take_out(struct oracle *o, uint64_t iova, uint64_t len)
{
	uint64_t last = iova + (len - 1);

	for (unsigned i = o->n; len && i-- > 0;) {
		struct extent e = o->e[i];

		if (e.last < iova || e.at > last)
			continue;
		o->e[i] = o->e[--o->n];
		if (e.at < iova)
			add(o, e.at, e.pa, iova - e.at);
		if (e.last > last)
			add(o, last + 1, e.pa + (last + 1 - e.at), e.last - last);
	}
}

/* ---- what is so ---- */

static bool reachable(const struct fixture *x, uint64_t iova)
{
	if (x->in->canonical && iova >> 63)
		return iova >= -x->size;
	return iova <= x->size - 1;
}

/* 0, or what a range is refused with. */
static int range_error(const struct fixture *x, uint64_t iova, uint64_t len)
{
	uint64_t last = iova + (len - 1);

	if (!len || iova % P || len % P)
		return -UIOMMU_EINVAL;
	if (last < iova || !reachable(x, iova) || !reachable(x, last) || (iova ^ last) >> 63)
		return -UIOMMU_ERANGE;
	return 0;
}

static void check_at(struct fixture *x, const struct oracle *o, uint64_t iova)
{
	const struct extent *e = find(o, iova);
	struct hw_leaf r;
	uint64_t pa = 1;
	int ret = x->pt.ops->iova_to_phys(&x->pt, iova, &pa);

	if (!reachable(x, iova)) {
		assert_int_equal(ret, -UIOMMU_ERANGE);
		return;
	}
	r = hw(x, iova);
	assert_int_equal(ret, e ? 0 : -UIOMMU_ENOENT);
	assert_int_equal(r.mapped, !!e);
	if (!e)
		return;
	assert_int_equal(pa, e->pa + (iova - e->at));
	assert_int_equal(r.pa, pa);
}

static void check_around(struct fixture *x, const struct oracle *o, uint64_t iova, uint64_t len)
{
	const uint64_t at[] = { iova, iova - 1, iova + len - 1, iova + len, iova + len / 2,
				iova + len / 3, iova + P, iova + B };

	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		check_at(x, o, at[i]);
}

static void check_all(struct fixture *x, const struct oracle *o)
{
	for (unsigned i = 0; i < o->n; i++)
		check_around(x, o, o->e[i].at, o->e[i].last - o->e[i].at + 1);
}

/* Would the edge before @iova go through a leaf? */
static bool cuts(const struct fixture *x, uint64_t iova)
{
	struct hw_leaf r;

	if (!reachable(x, iova))
		return false;
	r = hw(x, iova);
	return r.mapped && iova & ((1ull << r.lg2) - 1);
}

/* ---- operations ---- */

static void invalidate(struct fixture *x)
{
	uiommu_gather_free(&x->gather, &x->arena.host);
}

static void fail_some(struct fixture *x, struct input *in)
{
	uint64_t k = take(in, 1);

	x->arena.fail_at = k & 1 ? x->arena.calls + 1 + (k >> 1 & 7) : 0;
}

static void op_map(struct fixture *x, struct oracle *o, struct input *in)
{
	uint64_t iova = take_addr(x, in, x->size), len = take_len(x, in), how = take(in, 1);
	uint64_t oas = 1ull << x->in->oas, mapped = 1, free_bytes;
	uint64_t pa = how & 1 ? iova & (oas - 1) : take_addr(x, in, oas);
	unsigned prot = how >> 1 & 15 ? how >> 1 & UIOMMU_PROT_ALL : (unsigned)RW;
	int bad = range_error(x, iova, len), ret;

	fail_some(x, in);
	ret = x->pt.ops->map(&x->pt, iova, pa, len, prot, &mapped);
	x->arena.fail_at = 0;
	if (!bad && (pa % P || pa + (len - 1) < pa || pa + (len - 1) >= oas || !(prot & RW)))
		bad = -UIOMMU_EINVAL;		/* or -ERANGE, or both */
	if (bad) {
		assert_true(ret == -UIOMMU_EINVAL || ret == -UIOMMU_ERANGE);
		assert_int_equal(mapped, 0);
		return;
	}
	if (ret == -UIOMMU_EINVAL) {		/* the format has no PRIV */
		assert_true(prot & UIOMMU_PROT_PRIV);
		assert_int_equal(mapped, 0);
		return;
	}
	free_bytes = room(o, iova, len);
	assert_true(mapped <= free_bytes);
	if (ret != -UIOMMU_ENOMEM) {
		assert_int_equal(mapped, free_bytes);
		assert_int_equal(ret, mapped == len ? 0 : -UIOMMU_EEXIST);
	}
	add(o, iova, pa, mapped);
	check_around(x, o, iova, len);
	check_around(x, o, iova, mapped ? mapped : P);
}

/* How far may it come? Table by table and leaf by leaf, to the first hole. */
static uint64_t expected(struct fixture *x, const struct oracle *o, uint64_t iova, uint64_t len)
{
	unsigned index = x->in->page_lg2 - 3, ns;
	uint64_t done = 0;

	while (done < len) {
		uint64_t at = iova + done, step = 0;
		struct uiommu_pt_step s[8];

		assert_int_equal(x->pt.ops->walk(&x->pt, at, s, 8, &ns), 0);
		for (unsigned i = 0; i < ns && !step; i++) {
			uint64_t span = 1ull << (x->in->page_lg2 + index * s[i].level);

			if (s[i].kind == UIOMMU_PT_STEP_LEAF)
				span = 1ull << s[i].page_lg2;
			if (s[i].kind != UIOMMU_PT_STEP_INVALID && !(at & (span - 1)) &&
			    len - done >= span)
				step = span;
		}
		if (!step)
			return done;
		/* pages of one table, as far as they go */
		if (s[ns - 1].level == 0 && find(o, at) && step == P) {
			uint64_t e = find(o, at)->last - at + 1, table = -at & (B - 1);

			step = e < table || !table ? e : table;
			step = step > len - done || step > B ? P : step;
		}
		done += step;
	}
	return done;
}

static void op_unmap(struct fixture *x, struct oracle *o, struct input *in)
{
	uint64_t iova = take_addr(x, in, x->size), len = take_len(x, in), done = 1, want;
	int bad = range_error(x, iova, len), ret;

	if (!bad && (cuts(x, iova) || cuts(x, iova + len)))
		bad = -UIOMMU_EINVAL;
	want = bad ? 0 : expected(x, o, iova, len);
	ret = x->pt.ops->unmap(&x->pt, iova, len, &x->gather, &done);
	assert_int_equal(ret, bad);
	assert_int_equal(done, want);
	if (done) {
		assert_int_equal(x->gather.start, iova);
		assert_int_equal(x->gather.last, iova + (done - 1));
	} else {
		assert_true(uiommu_gather_empty(&x->gather));
	}
	take_out(o, iova, done);
	check_around(x, o, iova, len);
	invalidate(x);
}

static void op_cut(struct fixture *x, struct oracle *o, struct input *in)
{
	uint64_t iova = take_addr(x, in, x->size);
	int bad = range_error(x, iova, P), ret;

	fail_some(x, in);
	ret = x->pt.ops->cut(&x->pt, iova, &x->gather);
	x->arena.fail_at = 0;
	if (bad)
		assert_int_equal(ret, bad);
	else if (ret)
		assert_int_equal(ret, -UIOMMU_ENOMEM);
	else
		assert_false(cuts(x, iova));
	invalidate(x);
	check_all(x, o);
}

static void op_trim(struct fixture *x, struct oracle *o)
{
	x->pt.ops->trim(&x->pt, &x->gather);
	invalidate(x);
	if (!o->n)
		assert_int_equal(x->arena.live, 1);
	x->pt.ops->trim(&x->pt, &x->gather);
	assert_true(uiommu_gather_empty(&x->gather));
	check_all(x, o);
}

/* ---- dirty ---- */

#define BITS 4096

struct view {
	struct uiommu_pt_dirty d;
	uint64_t bits[BITS / 64];
};

static int look(struct fixture *x, struct view *v, unsigned flags)
{
	memset(v->bits, 0, sizeof(v->bits));
	v->d.bitmap = v->bits;
	v->d.flags = flags;
	return x->pt.ops->read_dirty(&x->pt, &v->d, &x->gather);
}

static bool bit(const struct view *v, uint64_t iova)
{
	uint64_t n = (iova - v->d.iova) >> v->d.page_lg2;

	return v->bits[n / 64] >> n % 64 & 1;
}

/* Only what lies partly outside the range is dirty after it was cleared. */
static void check_cleared(struct fixture *x, const struct view *v)
{
	for (uint64_t n = 0; n <= (v->d.len - 1) >> v->d.page_lg2; n++) {
		uint64_t at = v->d.iova + (n << v->d.page_lg2), start, end;
		struct hw_leaf r;

		if (v->d.page_lg2 != x->in->page_lg2)
			return;
		if (!bit(v, at))
			continue;
		r = hw(x, at);
		assert_true(r.mapped);
		start = at & ~((1ull << r.lg2) - 1);
		end = start + (1ull << r.lg2) - 1;
		assert_true(start < v->d.iova || end > v->d.iova + (v->d.len - 1));
	}
}

/* May hardware mark the leaf at @iova? */
static bool can_mark(struct fixture *x, const struct oracle *o, uint64_t iova)
{
	uint64_t e;

	if (!reachable(x, iova) || !find(o, iova))
		return false;
	e = hw(x, iova).entry;
	if (x->in->hw == hw_arm)
		return e >> 51 & 1;
	if (x->in->hw == hw_riscv)
		return e & 4;
	return x->in->hw == hw_amd_v1 ? e >> 62 & 1 : e & 2;
}

static void op_dirty(struct fixture *x, struct oracle *o, struct input *in)
{
	uint64_t at = take_addr(x, in, x->size) & -P;
	struct view v = { .d = { .iova = take_addr(x, in, x->size), .len = take_len(x, in),
				 .page_lg2 = x->in->page_lg2 } };
	int bad = range_error(x, v.d.iova, v.d.len);

	while (!bad && v.d.page_lg2 < 63 && (v.d.len - 1) >> v.d.page_lg2 >= BITS)
		v.d.page_lg2++;
	if (!(x->in->flags & DIRTY)) {
		assert_int_equal(look(x, &v, 0), -UIOMMU_EOPNOTSUPP);
		return;
	}
	if (bad) {
		assert_int_equal(look(x, &v, 0), bad);
		return;
	}
	if (can_mark(x, o, at))
		hw_write(x, at);
	else
		at = v.d.iova + v.d.len;
	assert_int_equal(look(x, &v, UIOMMU_PT_DIRTY_KEEP), 0);
	assert_true(at - v.d.iova >= v.d.len || bit(&v, at));
	assert_true(uiommu_gather_empty(&x->gather));
	assert_int_equal(look(x, &v, 0), 0);
	assert_true(at - v.d.iova >= v.d.len || bit(&v, at));
	invalidate(x);
	assert_int_equal(look(x, &v, UIOMMU_PT_DIRTY_KEEP), 0);
	check_cleared(x, &v);
	check_around(x, o, v.d.iova, v.d.len);
}

/* ---- garbage ---- */

struct saved {
	uint64_t *p, was;
};

/* Is there a table, all of it, at @pa? */
static bool table_at(const struct fixture *x, uint64_t pa)
{
	uint64_t off = pa - ARENA_PA;

	return !(pa % P) && off <= ARENA_BYTES - P &&
	       !memchr(&x->arena.used[off / ARENA_UNIT], 0, P / ARENA_UNIT);
}

static void check_steps(const struct fixture *x, const struct uiommu_pt_step *s, unsigned n,
			unsigned max)
{
	uint64_t table = top_pa(x), bytes = x->pt.top_bytes, word;

	assert_in_range(n, 1, levels(x));
	for (unsigned i = 0; i < n && i < max; i++) {
		assert_int_equal(s[i].level, levels(x) - 1 - i);
		assert_in_range(s[i].entry_pa, table, table + bytes - 8);
		memcpy(&word, x->arena.cpu + (s[i].entry_pa - ARENA_PA), 8);
		assert_int_equal(word, s[i].entry);
		assert_true(s[i].kind == UIOMMU_PT_STEP_TABLE || i == n - 1);
		table = s[i].next_pa;
		bytes = P;
	}
}

/* Step by step, as long as entries lead to tables: memory that is none is the fault
 * of who wrote the entry, and nothing can be said of it. */
static void walk_garbage(struct fixture *x, uint64_t iova)
{
	struct uiommu_pt_step s[8];
	uint64_t pa = 1;
	unsigned n;
	int ret;

	for (unsigned max = 1; max <= 8; max++) {
		ret = x->pt.ops->walk(&x->pt, iova, s, max, &n);
		if (!ret)
			break;
		if (ret == -UIOMMU_ERANGE) {
			assert_int_equal(n, 0);
			assert_false(reachable(x, iova));
			return;
		}
		assert_int_equal(ret, -UIOMMU_EMSGSIZE);
		check_steps(x, s, n, max);
		if (!table_at(x, s[max - 1].next_pa))
			return;
	}
	assert_int_equal(ret, 0);
	ret = x->pt.ops->iova_to_phys(&x->pt, iova, &pa);
	if (!n) {			/* beyond a root that grows */
		assert_int_equal(ret, -UIOMMU_ENOENT);
		return;
	}
	check_steps(x, s, n, 8);
	assert_int_not_equal(s[n - 1].kind, UIOMMU_PT_STEP_TABLE);
	assert_int_equal(ret, s[n - 1].kind == UIOMMU_PT_STEP_LEAF ? 0 : -UIOMMU_ENOENT);
	assert_int_equal(pa, ret ? 1 : s[n - 1].next_pa);
}

/* A word: as it comes, or leading to a page of the arena. */
static uint64_t garbage(const struct fixture *x, struct input *in)
{
	uint64_t how = take(in, 1), raw = take(in, 8), pa = ARENA_PA + take(in, 2) % 1024 * 4096;

	if (!(how & 3))
		return raw;
	if (x->in->hw == hw_riscv)
		return (raw & (how & 4 ? ~0ull << 54 | 0x3ff : 0x3f1)) | pa >> 2;
	return (raw & (how & 4 ? ~0ull << 52 | 0xfff : 0xfff)) | pa;
}

static void op_garbage(struct fixture *x, struct input *in)
{
	struct saved s[16];
	unsigned n = 0;

	while (in->left && n < 16) {
		uint64_t off = take(in, 3) * 8 % ARENA_BYTES;

		if (!x->arena.used[off / ARENA_UNIT])
			off = top_pa(x) - ARENA_PA + off % x->pt.top_bytes;
		s[n].p = (uint64_t *)(x->arena.cpu + off);
		s[n].was = *s[n].p;
		*s[n++].p = garbage(x, in);
		for (unsigned i = 0; i < 4; i++)
			walk_garbage(x, take_addr(x, in, x->size));
	}
	while (n--)
		*s[n].p = s[n].was;
}

/* ---- all of it ---- */

static void op(struct fixture *x, struct oracle *o, struct input *in)
{
	switch (take(in, 1) & 7) {
	case 0: case 1: case 2:
		if (o->n < EXTENTS - 2)
			op_map(x, o, in);
		break;
	case 3: case 4:
		if (o->n < EXTENTS - 2)
			op_unmap(x, o, in);
		break;
	case 5:
		op_cut(x, o, in);
		break;
	case 6:
		op_dirty(x, o, in);
		break;
	default:
		op_trim(x, o);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct oracle o = { .n = 0 };
	struct fixture *x;
	uint64_t bits;
	void *state;

	setenv("CMOCKA_TEST_ABORT", "1", 1);	/* a failed assertion is a crash */
	current = &instances[take(&in, 1) % INSTANCES];
	bits = take(&in, 1);
	setup(&state);
	x = state;
	x->arena.limit = (2u << 20) >> x->in->page_lg2;
	if (x->arena.limit > 48)
		x->arena.limit = 48;
	if (x->in->flags & DIRTY)
		assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, bits & 1), 0);
	for (unsigned i = 0; i < OPS && in.left > (bits & 0xfe); i++)
		op(x, &o, &in);
	op_garbage(x, &in);
	check_all(x, &o);
	teardown(&state);
	return 0;
}
