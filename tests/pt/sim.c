/* SPDX-License-Identifier: MIT */
/*
 * The software SMMUv3 walks every Arm table that is made here: stage 1 and 2, each
 * granule, 48 and 52 bits, concatenated roots, contiguous runs. It shares no code with
 * src/pt. What is mapped goes where it should, with the permissions that were asked
 * for; what is not, faults; and what the simulator marks as dirty, read_dirty finds.
 *
 * STEs, CDs and registers are typed here, from the architecture's bit numbers.
 */
#include "../heap.h"
#include "arena.h"

#include <uiommu/sim/smmuv3.h>

const struct instance *current;

#define BIT(n)	((uint64_t)1 << (n))
#define SID	3u

/* what lies in the arena beside the tables */
struct unit {
	struct fixture *x;
	struct uiommu_sim_smmuv3 *s;
	uint64_t *mem;			/* 4 KiB: stream table, then command queue, CD */
};
#define STRTAB	0u			/* bytes into it */
#define CMDQ	0x800u
#define CD	0xc00u

static uint8_t *at(struct unit *u, uint64_t pa, size_t bytes)
{
	if (pa < ARENA_PA || pa - ARENA_PA > ARENA_BYTES - bytes)
		return NULL;
	return u->x->arena.hw + (pa - ARENA_PA);
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	const uint8_t *p = at(ctx, pa, bytes);

	if (p)
		memcpy(buf, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	uint8_t *p = at(ctx, pa, bytes);

	if (p)
		memcpy(p, buf, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

/* Nothing that updates tables bypasses the CPU's caches: not for noncoherent ones. */
static int env_cas64(void *ctx, uiommu_pa_t pa, uint64_t *old, uint64_t new_value)
{
	uint64_t *p = (uint64_t *)at(ctx, pa, 8), was;

	if (!p)
		return -UIOMMU_EFAULT;
	was = *p;
	if (was == *old)
		*p = new_value;
	*old = was;
	return 0;
}

/* ---- the SMMU ---- */

static uint64_t unit_pa(const struct unit *u)
{
	return arena_off(&u->x->arena, u->mem) + ARENA_PA;
}

static void put(struct unit *u, unsigned off, uint64_t v)
{
	u->mem[off / 8] = v;
	if (u->x->in->noncoherent)
		arena_clean(&u->x->arena, &u->mem[off / 8], 8);
}

static bool stage2(const struct fixture *x)
{
	return x->in->arg & HW_S2;
}

static unsigned granule(const struct fixture *x)
{
	return x->in->arg & 0xff;
}

/* The encoding of the smallest output size that has @bits. */
static uint64_t size_code(unsigned bits)
{
	return bits > 48 ? 6 : bits > 44 ? 5 : bits > 42 ? 4 : bits > 40 ? 3 : bits > 36 ? 2 :
	       bits > 32 ? 1 : 0;
}

static uint64_t tg(const struct fixture *x)
{
	return granule(x) == 12 ? 0 : granule(x) == 16 ? 1 : 2;
}

static void put_stage1(struct unit *u)
{
	const struct fixture *x = u->x;
	uint64_t httu = x->in->flags & DIRTY ? BIT(42) | BIT(43) : 0;

	put(u, STRTAB + SID * 64, 1 | 5 << 1 | (unit_pa(u) + CD));
	put(u, CD, (64 - x->in->ias) | tg(x) << 6 | BIT(30) | BIT(31) |
	    size_code(x->in->oas) << 32 | BIT(41) | httu | BIT(45) | BIT(46) | 7ull << 48);
	put(u, CD + 8, top_pa(x));
	put(u, CD + 16, x->in->arg & HW_DS ? BIT(58) : 0);
}

/* SL0 counts upwards from the architecture's level 2, or 3 but for 4 KiB granules; level
 * -1 is 0 and a third bit of its own. */
static void put_stage2(struct unit *u)
{
	const struct fixture *x = u->x;
	bool ds = x->in->arg & HW_DS, minus1 = levels(x) == 5;
	uint64_t sl0 = minus1 ? 0 : levels(x) - (granule(x) == 12 ? 2 : 1);
	uint64_t httu = x->in->flags & DIRTY ? BIT(55) | BIT(56) : 0;

	put(u, STRTAB + SID * 64, 1 | 6 << 1);
	put(u, STRTAB + SID * 64 + 16, 9 | (uint64_t)(64 - x->in->ias) << 32 | sl0 << 38 |
	    tg(x) << 46 | size_code(x->in->oas) << 48 | BIT(51) | httu | BIT(58));
	put(u, STRTAB + SID * 64 + 24, top_pa(x) | (minus1 ? BIT(2) : 0) | (ds ? BIT(3) : 0));
}

static void unit_init(struct unit *u, struct fixture *x)
{
	static const unsigned char bits[] = { 32, 36, 40, 42, 44, 48, 52 };
	struct uiommu_sim_env env = { .ctx = u, .alloc = heap_alloc, .free = heap_free,
		.read = env_read, .write = env_write, .cas64 = env_cas64 };
	struct uiommu_sim_smmuv3_config c;

	*u = (struct unit){ .x = x, .mem = arena_alloc(&x->arena, 4096) };
	uiommu_sim_smmuv3_config_init(&c);
	c.sidsize = 4;
	c.stage2 = true;
	c.httu = x->in->flags & DIRTY ? 2 : 0;
	c.oas_lg2 = bits[size_code(x->in->oas)];
	c.vax52 = x->in->ias > 48;
	c.ds = x->in->arg & HW_DS;
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &env, &u->s), 0);
	if (stage2(x))
		put_stage2(u);
	else
		put_stage1(u);
	uiommu_sim_smmuv3_mmio_write(u->s, 0x80, unit_pa(u) + STRTAB, 8);
	uiommu_sim_smmuv3_mmio_write(u->s, 0x88, 4, 4);
	uiommu_sim_smmuv3_mmio_write(u->s, 0x90, (unit_pa(u) + CMDQ) | 4, 8);
	uiommu_sim_smmuv3_mmio_write(u->s, 0x20, 9, 4);		/* SMMUEN, CMDQEN */
}

static void unit_fini(struct unit *u)
{
	uiommu_sim_smmuv3_destroy(u->s);
	arena_free(&u->x->arena, u->mem, 4096);
}

/* TLBI_NSNH_ALL, SYNC */
static void invalidate(struct unit *u)
{
	uint64_t prod = uiommu_sim_smmuv3_mmio_read(u->s, 0x98, 4);

	put(u, CMDQ + (prod & 15) * 16, 0x30);
	put(u, CMDQ + ((prod + 1) & 15) * 16, 0x46);
	prod = (prod + 2) & 31;
	uiommu_sim_smmuv3_mmio_write(u->s, 0x98, prod, 4);
	assert_int_equal(uiommu_sim_smmuv3_mmio_read(u->s, 0x9c, 4), prod);
	uiommu_gather_free(&u->x->gather, &u->x->arena.host);
}

/* ---- accesses ---- */

enum { R = 1, W = 2, X = 4, PRIV = 8 };

static bool goes(struct unit *u, uint64_t iova, unsigned how, uint64_t *pa)
{
	const struct uiommu_sim_access a = { .stream_id = SID, .write = how & W, .exec = how & X,
					     .priv = how & PRIV, .iova = iova };
	struct uiommu_sim_xlat r;
	int ret = uiommu_sim_smmuv3_translate(u->s, &a, &r);

	assert_true(!ret || ret == -UIOMMU_EFAULT);
	*pa = r.pa;
	return !ret;
}

static void leads(struct unit *u, uint64_t iova, uint64_t pa)
{
	uint64_t got;

	assert_true(goes(u, iova, R, &got));
	assert_int_equal(got, pa);
}

static void faults(struct unit *u, uint64_t iova)
{
	uint64_t pa;

	assert_false(goes(u, iova, R, &pa));
}

/* Both ends, a place in the middle; and not one byte more. */
static void leads_all(struct unit *u, uint64_t iova, uint64_t pa, uint64_t len)
{
	const struct fixture *x = u->x;

	leads(u, iova, pa);
	leads(u, iova + len / 2 + 0x123, pa + len / 2 + 0x123);
	leads(u, iova + len - 1, pa + len - 1);
	leads(u, iova + P, pa + P);
	faults(u, iova - 1);
	faults(u, iova + len);
}

/* A page of every size there is, runs too, first and last of the output addresses. */
static void every_size(struct unit *u)
{
	struct fixture *x = u->x;
	uint64_t oas = 1ull << x->in->oas, sizes = x->pt.pgsizes;

	for (uint64_t s; (s = sizes & -sizes); sizes &= ~s) {
		uint64_t len = s == P ? 3 * s : s;
		const uint64_t to[] = { oas - len, s, 0 };

		for (int i = 0; i < 3 && 2 * s < x->size && 2 * s <= oas; i++) {
			uint64_t pa = to[i];

			assert_int_equal(map(x, s, pa, len, NULL), 0);
			if (s > P)
				assert_int_equal(1ull << hw(x, s).lg2, s);
			leads(u, s + len - 1, pa + len - 1);
			leads(u, s, pa);
			leads(u, s + len / 2, pa + len / 2);
			faults(u, s - 1);
			faults(u, s + len);
			assert_int_equal(x->pt.ops->unmap(&x->pt, s, len, &x->gather, NULL), 0);
			invalidate(u);
			faults(u, s);
			x->pt.ops->trim(&x->pt, &x->gather);
			invalidate(u);
		}
	}
}

/* Everywhere in the input: each entry of the root, concatenated tables and all. */
static void every_root_entry(struct unit *u)
{
	struct fixture *x = u->x;
	unsigned shift = x->in->page_lg2 + (levels(x) - 1) * (x->in->page_lg2 - 3);
	uint64_t n = x->size >> shift, step = n / 16 ? n / 16 : 1;

	for (uint64_t i = 0; i < n; i += step)
		assert_int_equal(map(x, (i << shift) + P, (i + 3) * P, P, NULL), 0);
	assert_int_equal(map(x, x->size - P, 99 * P, P, NULL), 0);
	for (uint64_t i = 0; i < n; i += step) {
		leads(u, (i << shift) + P, (i + 3) * P);
		faults(u, i << shift);
	}
	leads(u, x->size - 1, 100 * P - 1);
	if (x->in->ias < 64)
		faults(u, x->size);
	for (uint64_t i = 0; i < n; i += step)
		unmap(x, (i << shift) + P, P, NULL);
	unmap(x, x->size - P, P, NULL);
	invalidate(u);
}

/* Pages, blocks and what contiguous runs there are, in one call; and cut again. */
static void a_mixture(struct unit *u)
{
	struct fixture *x = u->x;
	uint64_t at = 3 * B - 5 * P, len = 2 * B + 9 * P, pa = PA + B - 5 * P, mid;

	if (x->size < 8 * B)
		return;
	assert_int_equal(map(x, at, pa, len, NULL), 0);
	leads_all(u, at, pa, len);
	for (uint64_t o = 0; o < len; o += B / 4 + P)
		leads(u, at + o, pa + o);
	mid = at + len / 2;
	mid -= mid % P;
	assert_int_equal(x->pt.ops->cut(&x->pt, mid, &x->gather), 0);
	assert_int_equal(x->pt.ops->cut(&x->pt, mid + P, &x->gather), 0);
	invalidate(u);
	leads_all(u, at, pa, len);
	leads(u, mid, pa + (mid - at));
	assert_int_equal(x->pt.ops->unmap(&x->pt, mid, P, &x->gather, NULL), 0);
	invalidate(u);
	faults(u, mid);
	leads_all(u, at, pa, mid - at);
	leads_all(u, mid + P, pa + (mid + P - at), at + len - mid - P);
	unmap(x, at, mid - at, NULL);
	unmap(x, mid + P, at + len - mid - P, NULL);
	invalidate(u);
}

/* What @prot lets an access do. Stage 1 has no write-only; memory that unprivileged
 * accesses may write is not executed by privileged ones. */
static bool allowed(const struct fixture *x, unsigned prot, unsigned how)
{
	bool r = prot & UIOMMU_PROT_READ, w = prot & UIOMMU_PROT_WRITE;
	bool e = prot & UIOMMU_PROT_EXEC, p = prot & UIOMMU_PROT_PRIV;

	if (stage2(x))
		return how & W ? w : how & X ? e : r;
	if (p && !(how & PRIV))
		return false;
	if (how & X)
		return e && !(how & PRIV && !p && w);
	return !(how & W) || w;
}

static void every_permission(struct unit *u)
{
	struct fixture *x = u->x;

	for (unsigned prot = 1; prot <= UIOMMU_PROT_ALL; prot++) {
		uint64_t pa, size = prot & 1 ? P : B;

		if (!(prot & RW) || (prot & UIOMMU_PROT_PRIV && stage2(x)) || x->size < 3 * B)
			continue;
		assert_int_equal(x->pt.ops->map(&x->pt, B, PA, size, prot, NULL), 0);
		for (unsigned how = R; how < 2 * PRIV; how++) {
			if (!(how & 7) || (how & 7 & ((how & 7) - 1)))
				continue;	/* one kind of access at a time */
			assert_int_equal(goes(u, B + 5, how, &pa), allowed(x, prot, how));
		}
		assert_int_equal(x->pt.ops->unmap(&x->pt, B, B, &x->gather, NULL), 0);
		invalidate(u);
	}
}

/* It marks what is written through it, once. */
static void it_marks_what_it_writes(struct unit *u)
{
	struct fixture *x = u->x;
	uint64_t bits[2] = { 0 }, pa;
	struct uiommu_pt_dirty d = { .iova = 0, .len = 64 * P, .bitmap = bits,
				     .page_lg2 = x->in->page_lg2 };

	if (!(x->in->flags & DIRTY))
		return;
	assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
	assert_int_equal(map(x, 3 * P, SKEW, 40 * P, NULL), 0);
	assert_true(goes(u, 5 * P, R, &pa) && goes(u, 7 * P + 9, W, &pa));
	assert_int_equal(x->pt.ops->read_dirty(&x->pt, &d, &x->gather), 0);
	assert_int_equal(bits[0], 1 << 7);
	assert_int_equal(x->gather.start, 7 * P);
	assert_int_equal(x->gather.last, 8 * P - 1);
	invalidate(u);
	assert_true(goes(u, 8 * P, W, &pa) && goes(u, 7 * P, R, &pa));
	bits[0] = 0;
	assert_int_equal(x->pt.ops->read_dirty(&x->pt, &d, &x->gather), 0);
	assert_int_equal(bits[0], 1 << 8);
	unmap(x, 3 * P, 40 * P, NULL);
	invalidate(u);
}

static void run(void **state, void (*f)(struct unit *u))
{
	struct unit u;

	unit_init(&u, *state);
	f(&u);
	unit_fini(&u);
}

#define WALKS(f) static void sim_##f(void **state) { run(state, f); }
WALKS(every_size)
WALKS(every_root_entry)
WALKS(a_mixture)
WALKS(every_permission)
WALKS(it_marks_what_it_writes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sim_every_size),
		TEST(sim_every_root_entry),
		TEST(sim_a_mixture),
		TEST(sim_every_permission),
		TEST(sim_it_marks_what_it_writes),
	};

	RUN_IF(tests, current->hw == hw_arm && !(current->noncoherent && current->flags & DIRTY));
}
