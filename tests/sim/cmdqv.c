/* SPDX-License-Identifier: MIT */
/*
 * cmdqv.c - command queues for user hands: TEGRA241_CMDQV
 *
 * Four interfaces, eight queues, two StreamIDs each. Interface 1 is a VM with VMID 5 and
 * interface 2 one with VMID 9; interface 0 is the host's.
 */
#include "bed.h"

#include <uiommu/sim/temper.h>

#include "../rng.h"

#define ABORTED (-UIOMMU_EFAULT)
#define LG2	4

enum {
	CONFIG = 0x00,
	PARAM = 0x04,
	STATUS = 0x08,
	VINTF_ERR_MAP = 0x14,
	VINTF_INT_MASK = 0x1c,
	CMDQ_ERR_MAP = 0x24,
	CMDQ_ALLOC = 0x200,
	/* of an interface */
	VI_CONFIG = 0x00,
	VI_STATUS = 0x04,
	SID_MATCH = 0x40,
	SID_REPLACE = 0x80,
	LVCMDQ_ERR_MAP = 0xc0,
	/* of a queue, in its page 0 and its page 1 */
	Q_CONS = 0x00,
	Q_PROD = 0x04,
	Q_CONFIG = 0x08,
	Q_STATUS = 0x0c,
	Q_GERROR = 0x10,
	Q_GERRORN = 0x14,
	Q_BASE = 0x00,
	Q_CONS_BASE = 0x08,
};

#define ALLOC(q)    (CMDQ_ALLOC + 4 * (q))
#define VINTF(i)    (0x1000 + 0x100 * (i))
#define DIRECT0(q)  (0x10000 + 0x80 * (q))
#define DIRECT1(q)  (0x20000 + 0x80 * (q))
#define PAGE0(i, l) (0x30000 + 0x20000 * (i) + 0x80 * (l))
#define PAGE1(i, l) (0x40000 + 0x20000 * (i) + 0x80 * (l))

#define HYP_OWN BIT(17)
#define OP_SYNC 0x46

static uint32_t get(struct bed *b, unsigned at)
{
	return (uint32_t)uiommu_sim_smmuv3_cmdqv_read(b->sim, at, 4);
}

static void put(struct bed *b, unsigned at, uint32_t v)
{
	uiommu_sim_smmuv3_cmdqv_write(b->sim, at, v, 4);
}

static uint64_t get64(struct bed *b, uint64_t at)
{
	return uiommu_sim_smmuv3_cmdqv_read(b->sim, at, 8);
}

static void put64(struct bed *b, unsigned at, uint64_t v)
{
	uiommu_sim_smmuv3_cmdqv_write(b->sim, at, v, 8);
}

static unsigned inv_calls;
static int inv_answer;
static uint32_t silent; /* a device that never answers, if it is not 0 */
static struct uiommu_sim_inval last_inv;

static int on_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	(void)ctx;
	last_inv = *inv;
	inv_calls++;
	return silent && inv->stream_id == silent ? -1 : inv_answer;
}

static struct uiommu_sim_smmuv3_config cmdqv_cfg(void)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	c.ats = true;
	c.cmdqv.vintfs_lg2 = 2;
	c.cmdqv.vcmdqs_lg2 = 3;
	c.cmdqv.sids_lg2 = 1;
	return c;
}

static int setup(void **state)
{
	struct uiommu_sim_smmuv3_config c = cmdqv_cfg();

	inv_calls = 0;
	inv_answer = 0;
	*state = bed_new_env(&c, on_inv, NULL);
	return 0;
}

#define QCASE(f) cmocka_unit_test_setup_teardown(f, setup, bed_teardown)

/* ---- queues in use ---- */

/* Interface @i on, for @vmid; one that may do all has HYP_OWN in it too. */
static void vintf_on(struct bed *b, unsigned i, uint32_t vmid, uint32_t hyp_own)
{
	put(b, VINTF(i) + VI_CONFIG, vmid << 1 | hyp_own);
	put(b, VINTF(i) + VI_CONFIG, vmid << 1 | hyp_own | 1);
	assert_int_equal(get(b, VINTF(i) + VI_STATUS) & 1, 1);
}

struct queue {
	struct bed *b;
	unsigned page0, page1, number;
	uint64_t mem;
	uint32_t prod;
};

/* The @l'th queue of interface @i, and on. */
static struct queue queue_on(struct bed *b, unsigned i, unsigned l)
{
	struct queue q = { b, PAGE0(i, l), PAGE1(i, l), 2 * i + l, bed_alloc(b, 16u << LG2), 0 };

	put(b, ALLOC(q.number), i << 15 | l << 1);
	put(b, ALLOC(q.number), i << 15 | l << 1 | 1);
	put64(b, q.page1 + Q_BASE, q.mem | LG2);
	put(b, q.page0 + Q_CONFIG, 1);
	assert_int_equal(get(b, q.page0 + Q_STATUS), 1);
	return q;
}

static void say(struct queue *q, uint64_t w0, uint64_t w1)
{
	uint64_t at = q->mem + (q->prod & (BIT(LG2) - 1)) * 16;

	set_mem(q->b, at, w0);
	set_mem(q->b, at + 8, w1);
	q->prod = (q->prod + 1) & ((2u << LG2) - 1);
	put(q->b, q->page0 + Q_PROD, q->prod);
}

static bool consumed(const struct queue *q)
{
	return (get(q->b, q->page0 + Q_CONS) & 0xfffff) == q->prod;
}

static void say_ok(struct queue *q, uint64_t w0, uint64_t w1)
{
	say(q, w0, w1);
	assert_true(consumed(q));
	assert_int_equal(get(q->b, q->page0 + Q_GERROR) ^ get(q->b, q->page0 + Q_GERRORN), 0);
}

/* A stream of VM @vmid with ASID 1; its page is cached, and mapped no more. */
static struct s1 stale_stream(struct bed *b, uint32_t sid, uint16_t vmid)
{
	struct s1 s = stream_s1(b, sid, 1);
	uint64_t v;

	put_ste_s2(b, sid, vmid, 0);
	assert_int_equal(dma_read(b, sid, VA, &v), 0);
	map4k(b, s.root, VA, bed_alloc(b, 4096), PTE_RW);
	set_mem(b, s.page, BIT(40) | sid);
	return s;
}

/* its translation is still the one that was cached */
static bool stale(struct bed *b, uint32_t sid)
{
	uint64_t v;

	assert_int_equal(dma_read(b, sid, VA, &v), 0);
	return v == (BIT(40) | sid);
}

/* the error that it stopped with; 0: it did not */
static unsigned stopped(const struct queue *q)
{
	uint32_t active = get(q->b, q->page0 + Q_GERROR) ^ get(q->b, q->page0 + Q_GERRORN);

	assert_int_equal(active & ~1u, 0);
	return active ? get(q->b, q->page0 + Q_CONS) >> 24 & 0x7f : 0;
}

/* What it stopped at is put right, and the error acknowledged. */
static void mend(struct queue *q)
{
	uint32_t at = get(q->b, q->page0 + Q_CONS) & (BIT(LG2) - 1);

	set_mem(q->b, q->mem + at * 16, OP_SYNC);
	set_mem(q->b, q->mem + at * 16 + 8, 0);
	put(q->b, q->page0 + Q_GERRORN, get(q->b, q->page0 + Q_GERROR));
	assert_int_equal(stopped(q), 0);
	assert_true(consumed(q));
}

#define ATC_INV(sid) (0x40 | (uint64_t)(sid) << 32)

/* ---- registers ---- */

static void out_of_reset(void **state)
{
	struct bed *b = *state;

	assert_int_equal(get(b, CONFIG), 0x20083);
	assert_int_equal(get(b, PARAM), 0x1231);
	assert_int_equal(get(b, STATUS), 1);
	for (unsigned at = 0xc; at < 0x110000; at += 4)
		if (get(b, at))
			fail_msg("%x is %x", at, get(b, at));
	/* read-only ones, and such as are not there */
	for (unsigned at = 0; at < 0x110000; at += 4)
		if (at && (at < 0x1c || at >= 0x34) && (at < 0x200 || at >= 0x220) && at < 0x1000)
			put(b, at, ~0u);
	assert_int_equal(get(b, PARAM), 0x1231);
	assert_int_equal(get(b, STATUS), 1);
	assert_int_equal(get64(b, VINTF_ERR_MAP + 4), 0);
}

static void there_is_none(void **state)
{
	struct bed *b = bed_new(NULL);

	(void)state;
	put(b, CONFIG, 1);
	put64(b, DIRECT1(0), ~(uint64_t)0);
	for (unsigned at = 0; at < 0x110000; at += 8)
		assert_true(get64(b, at) == 0);
	bed_free(b);
}

static void sizes_that_cannot_be(void **state)
{
	static const unsigned bad[][3] = { { 7, 7, 4 }, { 3, 2, 1 }, { 6, 8, 1 }, { 1, 1, 5 } };
	struct uiommu_sim_smmuv3_config c = cmdqv_cfg();
	struct uiommu_sim_smmuv3 *sim;
	struct bed *b = *state;

	for (unsigned i = 0; i < 4; i++) {
		c.cmdqv.vintfs_lg2 = bad[i][0];
		c.cmdqv.vcmdqs_lg2 = bad[i][1];
		c.cmdqv.sids_lg2 = bad[i][2];
		assert_int_equal(uiommu_sim_smmuv3_create(&c, &b->env, &sim), -UIOMMU_EINVAL);
	}
}

static void largest(void **state)
{
	struct uiommu_sim_smmuv3_config c = cmdqv_cfg();
	struct bed *b;

	(void)state;
	c.cmdqv.vintfs_lg2 = 6;
	c.cmdqv.vcmdqs_lg2 = 7;
	c.cmdqv.sids_lg2 = 4;
	b = bed_new(&c);
	assert_int_equal(get(b, PARAM), 0x4671);
	put(b, VINTF(63) + VI_CONFIG, 3);
	assert_int_equal(get(b, VINTF(63) + VI_STATUS), 1);
	put(b, ALLOC(127), 63 << 15 | 1);
	assert_int_equal(get(b, ALLOC(127)), 63 << 15 | 1);
	put(b, VINTF(63) + SID_REPLACE + 60, 7);
	assert_int_equal(get(b, VINTF(63) + SID_REPLACE + 60), 7);
	put(b, 0x30000 + 63 * 0x20000 + Q_PROD, 5); /* the last interface's first queue */
	assert_int_equal(get(b, DIRECT0(127) + Q_PROD), 5);
	assert_int_equal(get(b, 0x830000), 0);
	bed_free(b);
}

static void accesses(void **state)
{
	struct bed *b = *state;
	static const struct {
		unsigned at, size;
	} bad[] = {
		{ PARAM, 1 }, { PARAM, 2 }, { PARAM, 3 }, { PARAM, 8 }, { PARAM, 16 },
		{ 5, 4 },     { 6, 4 },	    { 7, 4 },	  { PARAM, 0 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(uiommu_sim_smmuv3_cmdqv_read(b->sim, bad[i].at, bad[i].size), 0);
	uiommu_sim_smmuv3_cmdqv_write(b->sim, DIRECT0(0) + Q_PROD, 7, 2);
	uiommu_sim_smmuv3_cmdqv_write(b->sim, DIRECT0(0) + Q_PROD + 2, 7, 4);
	uiommu_sim_smmuv3_cmdqv_write(b->sim, DIRECT0(0) + Q_PROD, 7, 8);
	assert_int_equal(get(b, DIRECT0(0) + Q_PROD), 0);
	/* two registers at once, and halves of one */
	put64(b, DIRECT0(0) + Q_CONS, (uint64_t)9 << 32 | 4);
	assert_true(get64(b, DIRECT0(0) + Q_CONS) == ((uint64_t)9 << 32 | 4));
	put(b, DIRECT1(0) + Q_BASE, 0xffffffff);
	put(b, DIRECT1(0) + Q_BASE + 4, 0xffffffff);
	assert_true(get64(b, DIRECT1(0) + Q_BASE) == 0xffffffffffff);
	put64(b, DIRECT1(0) + Q_CONS_BASE, ~(uint64_t)0);
	assert_int_equal(get(b, DIRECT1(0) + Q_CONS_BASE + 4), 0xffff);
	assert_true(get64(b, (uint64_t)1 << 40 | 4) == 0);
	put(b, 0x110000, 1);
	uiommu_sim_smmuv3_cmdqv_write(b->sim, (uint64_t)1 << 32 | DIRECT0(0), 7, 4);
	assert_int_equal(get(b, DIRECT0(0) + Q_CONS), 4);
}

static void fields_that_exist(void **state)
{
	struct bed *b = *state;

	put(b, CONFIG, ~0u);
	assert_int_equal(get(b, CONFIG), 0x1fffff);
	put(b, VINTF_INT_MASK, ~0u);
	put(b, VINTF_INT_MASK + 4, ~0u);
	assert_int_equal(get(b, VINTF_INT_MASK), 0xf);
	assert_int_equal(get(b, VINTF_INT_MASK + 4), 0);
	put(b, VINTF(3) + VI_CONFIG, ~0u & ~1u);
	assert_int_equal(get(b, VINTF(3) + VI_CONFIG), 0x3fffe);
	put(b, VINTF(4) + VI_CONFIG, ~0u); /* there are four */
	assert_int_equal(get(b, VINTF(4) + VI_CONFIG), 0);
	for (unsigned k = 0; k < 16; k++) {
		put(b, VINTF(1) + SID_MATCH + 4 * k, ~0u);
		put(b, VINTF(1) + SID_REPLACE + 4 * k, ~0u);
		assert_int_equal(get(b, VINTF(1) + SID_MATCH + 4 * k), k < 2 ? 0x1fffff : 0);
		assert_int_equal(get(b, VINTF(1) + SID_REPLACE + 4 * k), k < 2 ? 0xfffff : 0);
	}
	put(b, DIRECT0(7) + Q_GERRORN, ~0u);
	assert_int_equal(get(b, DIRECT0(7) + Q_GERRORN), 7);
	put(b, DIRECT0(7) + Q_CONS, ~0u);
	assert_int_equal(get(b, DIRECT0(7) + Q_CONS), 0x7f0fffff);
	put(b, DIRECT0(7) + Q_PROD, ~0u);
	assert_int_equal(get(b, DIRECT0(7) + Q_PROD), 0xfffff);
	put(b, DIRECT0(8) + Q_PROD, ~0u); /* there are eight */
	assert_int_equal(get(b, DIRECT0(8) + Q_PROD), 0);
	put(b, ALLOC(8), 1);
	assert_int_equal(get(b, ALLOC(8)), 0);
}

/* ---- whose queue ---- */

static void a_queue_has_two_places(void **state)
{
	struct bed *b = *state;

	put(b, PAGE0(2, 0) + Q_PROD, 3); /* nobody's yet */
	put(b, DIRECT0(4) + Q_PROD, 5);
	assert_int_equal(get(b, PAGE0(2, 0) + Q_PROD), 0);
	put(b, ALLOC(4), 2 << 15 | 1);
	assert_int_equal(get(b, PAGE0(2, 0) + Q_PROD), 5);
	put(b, PAGE0(2, 0) + Q_PROD, 6);
	put64(b, PAGE1(2, 0) + Q_BASE, RAM | 3);
	assert_int_equal(get(b, DIRECT0(4) + Q_PROD), 6);
	assert_true(get64(b, DIRECT1(4) + Q_BASE) == (RAM | 3));
	/* any queue can be anybody's */
	put(b, ALLOC(0), 2 << 15 | 1 << 1 | 1);
	put(b, PAGE0(2, 1) + Q_PROD, 9);
	assert_int_equal(get(b, DIRECT0(0) + Q_PROD), 9);
	assert_int_equal(get(b, VINTF(2) + VI_STATUS), 2 << 16);
}

static void allocated(struct bed *b, unsigned q, bool is)
{
	assert_int_equal(get(b, ALLOC(q)) & 1, is);
}

static void allocation_has_an_order(void **state)
{
	struct bed *b = *state;

	put(b, ALLOC(3), 1 << 15 | 1 << 1 | 1); /* 1 before 0 */
	allocated(b, 3, false);
	put(b, ALLOC(2), 1 << 15 | 1);
	allocated(b, 2, true);
	put(b, ALLOC(4), 1 << 15 | 1); /* it has one */
	allocated(b, 4, false);
	put(b, ALLOC(3), 1 << 15 | 1 << 1 | 1);
	allocated(b, 3, true);
	put(b, ALLOC(4), 1 << 15 | 2 << 1 | 1); /* each has two */
	allocated(b, 4, false);
	put(b, ALLOC(4), 4 << 15 | 1); /* and there are four */
	allocated(b, 4, false);
	put(b, ALLOC(2), 1 << 15); /* 0 before 1 */
	allocated(b, 2, true);
	put(b, ALLOC(3), 2 << 15 | 1); /* it is what it is */
	assert_int_equal(get(b, ALLOC(3)), 1 << 15 | 1 << 1 | 1);
	put(b, ALLOC(3), 0);
	put(b, ALLOC(2), 1 << 15);
	allocated(b, 3, false);
	allocated(b, 2, false);
	assert_int_equal(get(b, ALLOC(2)), 1 << 15);
}

static void vmid_stays_while_it_is_on(void **state)
{
	struct bed *b = *state;

	vintf_on(b, 1, 5, 0);
	put(b, VINTF(1) + VI_CONFIG, 9 << 1 | HYP_OWN | 1);
	assert_int_equal(get(b, VINTF(1) + VI_CONFIG), 5 << 1 | 1);
	put(b, VINTF(1) + VI_CONFIG, 9 << 1 | HYP_OWN);
	assert_int_equal(get(b, VINTF(1) + VI_CONFIG), 5 << 1);
	put(b, VINTF(1) + VI_CONFIG, 9 << 1 | HYP_OWN);
	assert_int_equal(get(b, VINTF(1) + VI_CONFIG), 9 << 1 | HYP_OWN);
}

static void base_and_cons_stay_while_it_is_on(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	say_ok(&q, OP_SYNC, 0);
	set_mem(b, q.mem, 0); /* is not looked at again */
	put64(b, q.page1 + Q_BASE, RAM | 1);
	put64(b, q.page1 + Q_CONS_BASE, RAM);
	put(b, q.page0 + Q_CONS, 0);
	assert_true(get64(b, q.page1 + Q_BASE) == (q.mem | LG2));
	assert_true(get64(b, q.page1 + Q_CONS_BASE) == 0);
	assert_int_equal(get(b, q.page0 + Q_CONS), 1);
	put(b, q.page0 + Q_CONFIG, 0);
	put(b, q.page0 + Q_CONS, 0);
	put64(b, q.page1 + Q_BASE, RAM | 1);
	assert_int_equal(get(b, q.page0 + Q_CONS), 0);
	assert_true(get64(b, q.page1 + Q_BASE) == (RAM | 1));
}

/* ---- when it runs ---- */

static void is_on(struct queue *q, bool on)
{
	assert_int_equal(get(q->b, q->page0 + Q_STATUS), on);
	say(q, OP_SYNC, 0);
	assert_int_equal(consumed(q), on);
}

static void each_switch_stops_it(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	is_on(&q, true);
	put(b, q.page0 + Q_CONFIG, 0);
	is_on(&q, false);
	put(b, q.page0 + Q_CONFIG, 1);
	assert_true(consumed(&q)); /* it goes on where it was */
	put(b, VINTF(1) + VI_CONFIG, 5 << 1);
	assert_int_equal(get(b, VINTF(1) + VI_STATUS) & 1, 0);
	is_on(&q, false);
	put(b, VINTF(1) + VI_CONFIG, 5 << 1 | 1);
	assert_true(consumed(&q));
	is_on(&q, true);
	uiommu_sim_smmuv3_fail(b->sim);
	say(&q, OP_SYNC, 0);
	assert_false(consumed(&q));
}

static void taken_away_it_stops(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, ALLOC(2), 1 << 15);
	assert_int_equal(get(b, DIRECT0(2) + Q_STATUS), 0);
	set_mem(b, q.mem, OP_SYNC);
	put(b, PAGE0(1, 0) + Q_PROD, 1); /* nothing is there */
	assert_int_equal(get(b, DIRECT0(2) + Q_PROD), 0);
	put(b, DIRECT0(2) + Q_PROD, 1);
	assert_int_equal(get(b, DIRECT0(2) + Q_CONS), 0);
	put(b, ALLOC(2), 1 << 15 | 1);
	assert_int_equal(get(b, PAGE0(1, 0) + Q_CONS), 1);
}

static void off_as_a_whole_it_forgets(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, VINTF(1) + SID_MATCH, 3);
	put(b, CONFIG, 0x20082);
	assert_int_equal(get(b, STATUS), 0);
	put(b, CONFIG, 0x20083);
	assert_int_equal(get(b, STATUS), 1);
	assert_int_equal(get(b, ALLOC(2)), 0);
	assert_int_equal(get(b, VINTF(1) + VI_CONFIG), 0);
	assert_int_equal(get(b, VINTF(1) + VI_STATUS), 0);
	assert_int_equal(get(b, VINTF(1) + SID_MATCH), 0);
	assert_int_equal(get(b, DIRECT0(2) + Q_CONFIG), 0);
	assert_true(get64(b, DIRECT1(2) + Q_BASE) == (q.mem | LG2));
	uiommu_sim_smmuv3_reset(b->sim);
	assert_true(get64(b, DIRECT1(2) + Q_BASE) == 0);
	out_of_reset(state);
}

static void it_wraps(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	for (unsigned i = 0; i < 5u << LG2; i++)
		say_ok(&q, i % 2 ? OP_SYNC : OP_NH_ASID(i), 0);
}

static void no_longer_than_cmdqs(void **state)
{
	struct uiommu_sim_smmuv3_config c = cmdqv_cfg();
	struct bed *b;
	struct queue q;

	(void)state;
	c.cmdq_max_lg2 = LG2;
	b = bed_new(&c);
	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_BASE, q.mem | 12);
	put(b, q.page0 + Q_CONFIG, 1);
	for (unsigned i = 0; i < 3u << LG2; i++)
		say_ok(&q, OP_SYNC, 0);
	bed_free(b);
}

/* PROD may be anything: what is there is taken, twice round at most. */
static void prod_is_garbage(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_smmuv3_stats st;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	for (unsigned i = 0; i < 1u << LG2; i++)
		set_mem(b, q.mem + i * 16, OP_SYNC);
	put(b, q.page0 + Q_PROD, 0xfffff);
	uiommu_sim_smmuv3_stats(b->sim, &st);
	assert_int_equal(st.commands, (2 << LG2) - 1);
	assert_int_equal(get(b, q.page0 + Q_CONS), (2 << LG2) - 1);
}

/* A long one is taken piece by piece, and to its end. */
static void a_long_queue(void **state)
{
	struct bed *b = *state;
	uint64_t at = bed_alloc(b, 16u << 12);
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	for (unsigned i = 0; i < 1u << 12; i++)
		set_mem(b, at + i * 16, OP_SYNC);
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_BASE, at | 12);
	put(b, q.page0 + Q_CONFIG, 1);
	put(b, q.page0 + Q_PROD, 1 << 12);
	assert_int_equal(get(b, q.page0 + Q_CONS), 1 << 12);
}

/* ---- whose a command is ---- */

static void vmid_is_the_interfaces(void **state)
{
	struct bed *b = *state;
	struct queue q;

	stale_stream(b, 1, 5);
	stale_stream(b, 2, 9);
	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	say_ok(&q, OP_VMID(OP_NH_ASID(1), 9), 0);
	say_ok(&q, OP_SYNC, 0);
	assert_false(stale(b, 1));
	assert_true(stale(b, 2));
}

static void a_vas_vmid_is_the_interfaces(void **state)
{
	struct bed *b = *state;
	struct queue q;

	stale_stream(b, 1, 5);
	stale_stream(b, 2, 9);
	vintf_on(b, 2, 9, 0);
	q = queue_on(b, 2, 0);
	say_ok(&q, OP_VMID(OP_NH_VA(1), 5), VA);
	assert_true(stale(b, 1));
	assert_false(stale(b, 2));
}

static void the_hosts_own_says_what_it_means(void **state)
{
	struct bed *b = *state;
	struct queue q;

	stale_stream(b, 1, 5);
	stale_stream(b, 2, 9);
	vintf_on(b, 0, 5, HYP_OWN);
	q = queue_on(b, 0, 0);
	say_ok(&q, OP_VMID(OP_NH_ASID(1), 9), 0);
	assert_true(stale(b, 1));
	assert_false(stale(b, 2));
	say_ok(&q, OP_CFGI_STE(1), 1);
	say_ok(&q, OP_VMID(0x28, 5), 0); /* TLBI_S12_VMALL */
	assert_false(stale(b, 1));
	say_ok(&q, ATC_INV(77), 0); /* nothing is looked up */
	assert_int_equal(last_inv.stream_id, 77);
	assert_int_equal(last_inv.queue, 1);
	say(&q, 0x07, 0);
	assert_int_equal(stopped(&q), 1);
}

/* TLBI_NH_ASID, TLBI_NH_VA, ATC_INV and SYNC; all others it does not even look at. */
static void what_a_vm_may_say(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, VINTF(1) + SID_MATCH, 0 << 1 | 1);
	for (unsigned op = 0; op < 256; op++) {
		bool may = op == 0x11 || op == 0x12 || op == 0x40 || op == 0x46;

		say(&q, op, 0);
		assert_int_equal(stopped(&q), may ? 0 : 1);
		assert_int_equal(consumed(&q), may);
		if (!may)
			mend(&q);
	}
}

/* what is illegal in the SMMU's own queue is so here */
static void what_nobody_may_say(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, VINTF(1) + SID_MATCH, 1);
	say(&q, ATC_INV(0) | BIT(10), 0); /* SSec */
	assert_int_equal(stopped(&q), 1);
	mend(&q);
	say(&q, ATC_INV(0), 53); /* Size */
	assert_int_equal(stopped(&q), 1);
	mend(&q);
	say(&q, OP_NH_VA(1), 1 << 10); /* TG, and nothing with it */
	assert_int_equal(stopped(&q), 1);
	assert_int_equal(inv_calls, 0);
}

static void sync_has_cs_0(void **state)
{
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 0, 0, HYP_OWN);
	vintf_on(b, 1, 5, 0);
	q[0] = queue_on(b, 0, 0);
	q[1] = queue_on(b, 1, 0);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned cs = 1; cs < 4; cs++) {
			say(&q[i], OP_SYNC | cs << 12, RAM);
			assert_int_equal(stopped(&q[i]), 1);
			mend(&q[i]);
		}
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_EVENT_SEV], 0);
}

static void sid_is_looked_up(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, VINTF(1) + SID_REPLACE, 0x1234);
	put(b, VINTF(1) + SID_MATCH, 0x21 << 1 | 1);
	put(b, VINTF(1) + SID_REPLACE + 4, 0xfffff);
	put(b, VINTF(1) + SID_MATCH + 4, 0xfffff << 1 | 1);
	say_ok(&q, ATC_INV(0x21) | BIT(11) | (uint64_t)7 << 12, 0x5000);
	assert_int_equal(inv_calls, 1);
	assert_int_equal(last_inv.stream_id, 0x1234);
	assert_int_equal(last_inv.substream_id, 7);
	assert_true(last_inv.ssv);
	assert_true(last_inv.first == 0x5000 && last_inv.last == 0x5fff);
	assert_int_equal(last_inv.queue, 3);
	say_ok(&q, ATC_INV(0xfffff), 0);
	assert_int_equal(last_inv.stream_id, 0xfffff);
}

static void a_sid_that_is_not_its_own(void **state)
{
	static const uint32_t others[] = { 0, 0x1234, 0x20, 0x100021, 0x80000021, 0x42 };
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	vintf_on(b, 2, 9, 0);
	q = queue_on(b, 1, 0);
	put(b, VINTF(1) + SID_REPLACE, 0x1234);
	put(b, VINTF(1) + SID_MATCH, 0x21 << 1 | 1);
	put(b, VINTF(1) + SID_MATCH + 4, 0x42 << 1); /* not enabled */
	put(b, VINTF(2) + SID_MATCH, 0x20 << 1 | 1); /* somebody else's */
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		say(&q, ATC_INV(others[i]), 0);
		assert_int_equal(stopped(&q), 4);
		mend(&q);
	}
	assert_int_equal(inv_calls, 0);
}

/* ---- errors ---- */

static void an_error_is_told(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 2, 9, 0);
	queue_on(b, 2, 0);
	q = queue_on(b, 2, 1);
	say(&q, 0, 0);
	assert_int_equal(stopped(&q), 1);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 1);
	assert_int_equal(get(b, VINTF_ERR_MAP), BIT(2));
	assert_int_equal(get(b, VINTF_ERR_MAP + 4), 0);
	assert_int_equal(get(b, CMDQ_ERR_MAP), BIT(5));
	assert_true(get64(b, VINTF(2) + LVCMDQ_ERR_MAP) == BIT(1));
	assert_true(get64(b, VINTF(2) + LVCMDQ_ERR_MAP + 8) == 0);
	assert_int_equal(get(b, VINTF(2) + VI_STATUS), 2 << 16 | 1 << 1 | 1);
	assert_int_equal(get(b, q.page0 + Q_STATUS), 1); /* it is on, and stands */
	say(&q, OP_SYNC, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 1);
	mend(&q);
	assert_int_equal(get(b, VINTF_ERR_MAP), 0);
	assert_int_equal(get(b, CMDQ_ERR_MAP), 0);
	assert_true(get64(b, VINTF(2) + LVCMDQ_ERR_MAP) == 0);
	assert_int_equal(get(b, VINTF(2) + VI_STATUS), 2 << 16 | 1);
	say(&q, 0, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 2);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 0);
}

static void an_error_is_masked(void **state)
{
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 1, 5, 0);
	vintf_on(b, 2, 9, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 2, 0);
	put(b, VINTF_INT_MASK, BIT(1));
	say(&q[0], 0, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 0);
	assert_int_equal(get(b, VINTF_ERR_MAP), BIT(1));
	say(&q[1], 0, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 1);
	put(b, VINTF_INT_MASK, 0); /* it is told now */
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 2);
	put(b, VINTF_INT_MASK, BIT(3));
	put(b, VINTF_INT_MASK, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 2);
}

static void a_queue_stops_alone(void **state)
{
	struct bed *b = *state;
	struct queue q[4];

	vintf_on(b, 0, 0, HYP_OWN);
	vintf_on(b, 1, 5, 0);
	vintf_on(b, 2, 9, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 1, 1);
	q[2] = queue_on(b, 2, 0);
	q[3] = queue_on(b, 0, 0);
	say(&q[0], 0, 0);
	set_mem(b, q[0].mem, OP_SYNC);
	say(&q[0], OP_SYNC, 0);
	assert_false(consumed(&q[0])); /* until GERRORN says so */
	for (unsigned i = 1; i < 4; i++)
		say_ok(&q[i], OP_SYNC, 0);
	sync(b);
	say(&q[3], 0, 0); /* the host's own */
	say_ok(&q[1], OP_SYNC, 0);
	sync(b);
	cmd(b, 0, 0); /* and the SMMU's */
	assert_int_equal(rd(b, GERROR), 1);
	say_ok(&q[1], OP_SYNC, 0);
	say_ok(&q[2], OP_SYNC, 0);
	assert_int_equal(get(b, CMDQ_ERR_MAP), BIT(0) | BIT(2));
}

static void what_it_has_said_before_is_done(void **state)
{
	struct bed *b = *state;
	struct queue q;

	stale_stream(b, 1, 5);
	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	set_mem(b, q.mem, 0x11 | (uint64_t)2 << 48);
	set_mem(b, q.mem + 16, 0x04); /* CFGI_STE_RANGE */
	set_mem(b, q.mem + 32, OP_NH_ASID(1));
	put(b, q.page0 + Q_PROD, 3);
	assert_int_equal(get(b, q.page0 + Q_CONS), 1 << 24 | 1);
	assert_true(stale(b, 1));
}

static void a_base_that_is_not_there(void **state)
{
	static const uint64_t bad[] = { NOWHERE, 0, 0xffffffffffe0 };
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	for (unsigned i = 0; i < 3; i++) {
		put(b, q.page0 + Q_CONFIG, 0);
		put64(b, q.page1 + Q_BASE, bad[i] | LG2);
		put(b, q.page0 + Q_CONFIG, 1);
		say(&q, OP_SYNC, 0);
		assert_int_equal(stopped(&q), 2);
		put(b, q.page0 + Q_CONFIG, 0);
		put64(b, q.page1 + Q_BASE, q.mem | LG2);
		put(b, q.page0 + Q_CONFIG, 1);
		mend(&q);
	}
	sync(b);
}

static void cons_in_memory(void **state)
{
	struct bed *b = *state;
	uint64_t at = bed_alloc(b, 64);
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_CONS_BASE, at);
	put(b, q.page0 + Q_CONFIG, 1);
	say_ok(&q, OP_SYNC, 0);
	assert_true(mem(b, at) == 0); /* it is not asked for */
	put(b, CONFIG, 0x120083);
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_CONS_BASE, 0);
	put(b, q.page0 + Q_CONFIG, 1);
	say_ok(&q, OP_SYNC, 0); /* nor with nowhere to go */
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_CONS_BASE, at);
	assert_int_equal(get(b, q.page0 + Q_CONS), 2);
	assert_true(mem(b, at) == 0); /* nor while it is off */
	put(b, q.page0 + Q_CONFIG, 1);
	set_mem(b, at, ~(uint64_t)0);
	say_ok(&q, OP_SYNC, 0);
	assert_true(mem(b, at) == 0xffffffff00000003);
	say(&q, 0, 0);
	assert_true(mem(b, at) == 0xffffffff01000003);
	mend(&q);
	put(b, q.page0 + Q_CONFIG, 0);
	put64(b, q.page1 + Q_CONS_BASE, NOWHERE);
	put(b, q.page0 + Q_CONFIG, 1);
	say(&q, OP_SYNC, 0);
	say(&q, OP_SYNC, 0); /* it goes on */
	assert_true(consumed(&q));
	assert_int_equal(get(b, q.page0 + Q_GERROR) ^ get(b, q.page0 + Q_GERRORN), 2);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_CMDQV], 2);
	assert_int_equal(get(b, VINTF_ERR_MAP), BIT(1));
}

/* ---- what CMD_SYNC waits for ---- */

static void atc_timeout_is_its_own(void **state)
{
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 1, 5, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 1, 1);
	put(b, VINTF(1) + SID_MATCH, 1);
	inv_answer = -1;
	say_ok(&q[0], ATC_INV(0), 0);
	say_ok(&q[1], OP_SYNC, 0);
	sync(b);
	say(&q[0], OP_SYNC, 0);
	assert_int_equal(stopped(&q[0]), 3);
	mend(&q[0]); /* once */
	say_ok(&q[0], OP_SYNC, 0);
	cmd(b, ATC_INV(3), 0);
	say_ok(&q[0], OP_SYNC, 0);
	cmd(b, OP_SYNC, 0);
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 3);
}

/* Nobody has asked for it: the next owner would be told. */
static void atc_timeout_of_a_queue_that_is_off(void **state)
{
	struct bed *b = *state;
	struct queue q;

	for (unsigned flush = 0; flush < 2; flush++) {
		uiommu_sim_smmuv3_cmdqv_write(b->sim, CONFIG, 0, 4);
		put(b, CONFIG, 0x20083);
		vintf_on(b, 1, 5, 0);
		q = queue_on(b, 1, 0);
		put(b, q.page0 + Q_CONFIG, 0);
		put64(b, q.page0 + Q_CONS, 0);
		put(b, q.page0 + Q_CONFIG, 1);
		put(b, VINTF(1) + SID_MATCH, 1);
		inv_answer = -1;
		say_ok(&q, ATC_INV(0), 0);
		sync(b); /* it is on: this takes nothing away */
		put(b, q.page0 + Q_CONFIG, 0);
		if (flush)
			sync(b);
		put(b, q.page0 + Q_CONFIG, 1);
		say(&q, OP_SYNC, 0);
		assert_int_equal(stopped(&q), flush ? 0 : 3);
		put(b, q.page0 + Q_GERRORN, get(b, q.page0 + Q_GERROR));
	}
}

/* Taken away before a device has answered: whoever has the SMMU's own queue waits for that,
 * and the next one who has this queue is not told. While it is only off nobody waits. */
static void atc_answers_of_a_queue_that_is_taken_away(void **state)
{
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 1, 5, 0);
	vintf_on(b, 2, 9, 0);
	q[1] = queue_on(b, 2, 0);
	put(b, VINTF(1) + SID_MATCH, 1);
	for (unsigned ok = 0; ok < 2; ok++) {
		q[0] = queue_on(b, 1, 0);
		inv_answer = 1;
		say_ok(&q[0], ATC_INV(0), 0);
		put(b, q[0].page0 + Q_CONFIG, 0);
		sync(b);
		put(b, ALLOC(2), 1 << 15);
		cmd(b, OP_SYNC, 0);
		assert_int_not_equal(rd(b, CMDQ_CONS) & 0xfffff, rd(b, CMDQ_PROD));
		say_ok(&q[1], OP_SYNC, 0);
		uiommu_sim_smmuv3_atc_inv_done(b->sim, last_inv.queue, ok);
		assert_int_equal(rd(b, CMDQ_CONS) & 0xfffff, rd(b, CMDQ_PROD));
		put(b, DIRECT0(2) + Q_CONS, 0);
		put(b, DIRECT0(2) + Q_PROD, 0);
		q[0] = queue_on(b, 1, 0);
		say_ok(&q[0], OP_SYNC, 0);
		put(b, q[0].page0 + Q_CONFIG, 0);
		put(b, q[0].page0 + Q_CONS, 0);
		put(b, q[0].page0 + Q_PROD, 0);
	}
}

static void atc_answers_are_waited_for(void **state)
{
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 1, 5, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 1, 1);
	put(b, VINTF(1) + SID_MATCH, 1);
	inv_answer = 1;
	say_ok(&q[0], ATC_INV(0), 0);
	say(&q[0], OP_SYNC, 0);
	assert_false(consumed(&q[0]));
	say_ok(&q[1], OP_SYNC, 0); /* nothing of its own */
	sync(b);
	say_ok(&q[1], ATC_INV(0), 0);
	say(&q[1], OP_SYNC, 0);
	uiommu_sim_smmuv3_atc_inv_done(b->sim, last_inv.queue, false);
	assert_int_equal(last_inv.queue, 4);
	assert_int_equal(stopped(&q[1]), 3);
	assert_false(consumed(&q[0]));
	uiommu_sim_smmuv3_atc_inv_done(b->sim, 3, true);
	assert_true(consumed(&q[0]));
	assert_int_equal(stopped(&q[0]), 0);
}

static struct queue *inside[2];

static void invalidate_inside(struct bed *b)
{
	say(inside[0], OP_NH_VA(1), VA);
	say(inside[0], OP_SYNC, 0);
	assert_false(consumed(inside[0]));
	say_ok(inside[1], OP_SYNC, 0); /* has invalidated nothing */
	sync(b);
}

static void sync_waits_for_a_dma(void **state)
{
	struct uiommu_sim_smmuv3_stats st;
	struct bed *b = *state;
	struct queue q[2];

	vintf_on(b, 1, 5, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 1, 1);
	stream_s1(b, 1, 1);
	put_ste_s2(b, 1, 5, 0);
	inside[0] = &q[0];
	inside[1] = &q[1];
	b->on_data = invalidate_inside;
	assert_int_equal(dma_write(b, 1, VA, 1), 0);
	uiommu_sim_smmuv3_stats(b->sim, &st);
	assert_int_equal(st.syncs, 3); /* by itself */
	assert_true(consumed(&q[0]));
}

/* One CMD_SYNC that is over says nothing of what another queue has invalidated. */
static void two_inside(struct bed *b)
{
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, OP_SYNC, 0);
	say(inside[0], OP_NH_VA(1), VA);
	say(inside[0], OP_SYNC, 0);
	assert_false(consumed(inside[0]));
	assert_int_not_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	put(b, inside[0]->page0 + Q_CONFIG, 0); /* nor does one that is off */
	put(b, inside[0]->page0 + Q_CONFIG, 1);
	assert_false(consumed(inside[0]));
	assert_int_not_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
}

static void each_sync_waits_for_itself(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	stream_s1(b, 1, 1);
	put_ste_s2(b, 1, 5, 0);
	inside[0] = &q;
	b->on_data = two_inside;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(dma_write(b, 1, VA, 1), 0);
		assert_true(consumed(&q));
		assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	}
}

static void one_is_taken_away(struct bed *b)
{
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, OP_SYNC, 0);
	say(inside[0], OP_NH_VA(1), VA);
	say(inside[0], OP_SYNC, 0);
	put(b, inside[0]->page0 + Q_CONFIG, 0);
}

static void the_others_are_still_woken(void **state)
{
	struct bed *b = *state;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	stream_s1(b, 1, 1);
	inside[0] = &q;
	b->on_data = one_is_taken_away;
	assert_int_equal(dma_write(b, 1, VA, 1), 0);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	assert_false(consumed(&q));
}

/* What waited when the queue went off is not what waits when it comes back. */
static void off_and_on_it_waits_anew(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = 1, .iova = VA };
	struct uiommu_sim_smmuv3_port *port[2];
	struct uiommu_sim_xlat x;
	struct queue q;

	vintf_on(b, 1, 5, 0);
	q = queue_on(b, 1, 0);
	stream_s1(b, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		port[i] = uiommu_sim_smmuv3_port_open(b->sim);
		assert_int_equal(uiommu_sim_smmuv3_begin(b->sim, port[i], &a, &x), 0);
		say(&q, OP_NH_ASID(1), 0);
		say(&q, OP_SYNC, 0);
		assert_false(consumed(&q));
		put(b, q.page0 + Q_CONFIG, 0);
		q.prod = get(b, q.page0 + Q_CONS);
		put(b, q.page0 + Q_PROD, q.prod);
		put(b, q.page0 + Q_CONFIG, 1);
	}
	say(&q, OP_SYNC, 0);
	uiommu_sim_smmuv3_end(b->sim, port[0]);
	assert_false(consumed(&q));
	uiommu_sim_smmuv3_end(b->sim, port[1]);
	assert_true(consumed(&q));
	for (unsigned i = 0; i < 2; i++)
		uiommu_sim_smmuv3_port_close(b->sim, port[i]);
}

/* ---- with a temper ---- */

static unsigned choose(void *ctx, unsigned n)
{
	return (unsigned)(rng_next(ctx) >> 33) % n;
}

static void settle(struct bed *b)
{
	while (uiommu_sim_smmuv3_step(b->sim))
		;
}

/* As bed_new(), on hardware that takes its time, as the seed says. */
static struct bed *late_bed(uint64_t seed)
{
	static uint64_t state;
	struct uiommu_sim_smmuv3_config c = cmdqv_cfg();
	struct bed *b = bed_raw(&c);

	uiommu_sim_smmuv3_destroy(b->sim);
	b->env.atc_inv = on_inv;
	inv_answer = 0;
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &b->env, &b->sim), 0);

	state = seed * 0x9e3779b97f4a7c15u;
	assert_int_equal(
		uiommu_sim_smmuv3_set_temper(
			b->sim, &(struct uiommu_sim_temper){ .ctx = &state, .choose = choose }),
		0);
	b->strtab = bed_alloc(b, 64u << STRTAB_LG2);
	wr64(b, STRTAB_BASE, b->strtab);
	wr(b, STRTAB_BASE_CFG, STRTAB_LG2);
	wr(b, CR0, 1);
	settle(b);
	return b;
}

static struct queue late_queue(struct bed *b, unsigned i, uint32_t vmid)
{
	struct queue q = { b, PAGE0(i, 0), PAGE1(i, 0), 2 * i, bed_alloc(b, 16u << LG2), 0 };

	put(b, VINTF(i) + VI_CONFIG, vmid << 1);
	put(b, VINTF(i) + VI_CONFIG, vmid << 1 | 1);
	put(b, ALLOC(q.number), i << 15 | 1);
	put64(b, q.page1 + Q_BASE, q.mem | LG2);
	put(b, q.page0 + Q_CONFIG, 1);
	assert_int_equal(get(b, q.page0 + Q_STATUS), 0);
	for (unsigned n = 0; !get(b, q.page0 + Q_STATUS); n++) {
		assert_true(n < 100);
		uiommu_sim_smmuv3_step(b->sim);
	}
	return q;
}

/* Commands are taken late and carried out later, each queue by itself; not so behind a
 * CMD_SYNC that is consumed. */
static void late_and_in_any_order(void **state)
{
	unsigned seen_deferred = 0, seen_other_first = 0;

	(void)state;
	for (uint64_t n = 1; n <= 100; n++) {
		struct bed *b = late_bed(n);
		struct queue q[2] = { late_queue(b, 1, 5), late_queue(b, 2, 9) };
		bool done[2] = { false, false };

		stale_stream(b, 1, 5);
		stale_stream(b, 2, 9);
		for (unsigned i = 0; i < 2; i++) {
			say(&q[i], OP_NH_ASID(1), 0);
			say(&q[i], OP_NH_ASID(2), 0);
			say(&q[i], OP_SYNC, 0);
			assert_int_equal(get(b, q[i].page0 + Q_CONS), 0);
		}
		while (!done[0] || !done[1]) {
			uiommu_sim_smmuv3_step(b->sim);
			for (unsigned i = 0; i < 2; i++) {
				seen_deferred += get(b, q[i].page0 + Q_CONS) && stale(b, 1 + i);
				seen_other_first += i && !done[0] && consumed(&q[i]);
				done[i] = consumed(&q[i]);
				assert_false(done[i] && stale(b, 1 + i));
			}
		}
		bed_free(b);
	}
	assert_true(seen_deferred && seen_other_first);
}

/* Carried out late it is still the command of its own queue. */
static void late_it_is_its_own(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 100; n++) {
		struct bed *b = late_bed(n);
		struct queue q[2] = { late_queue(b, 1, 5), late_queue(b, 2, 9) };

		silent = 7 + n % 2;
		for (unsigned i = 0; i < 2; i++) {
			put(b, VINTF(1 + i) + SID_REPLACE, 7 + i);
			put(b, VINTF(1 + i) + SID_MATCH, 0x20 << 1 | 1);
			say(&q[i], ATC_INV(0x20), 0);
			say(&q[i], ATC_INV(0x20), 0);
			say(&q[i], OP_SYNC, 0);
		}
		settle(b);
		assert_int_equal(stopped(&q[n % 2]), 3);
		assert_true(consumed(&q[!(n % 2)]));
		bed_free(b);
	}
	silent = 0;
}

/* Consumed, then its queue is taken away, then it is carried out: it is waited for. */
static void late_it_is_waited_for(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (uint64_t n = 1; n <= 100; n++) {
		struct bed *b = late_bed(n);
		struct queue q = late_queue(b, 1, 5);
		uint32_t prod;

		b->cmdq = bed_alloc(b, 16u << CMDQ_LG2);
		wr64(b, CMDQ_BASE, b->cmdq | CMDQ_LG2);
		wr(b, CR0, 9);
		settle(b);
		inv_answer = 1;
		inv_calls = 0;
		put(b, VINTF(1) + SID_MATCH, 1);
		say(&q, ATC_INV(0), 0);
		while (!consumed(&q))
			uiommu_sim_smmuv3_step(b->sim);
		put(b, ALLOC(q.number), 1 << 15);
		seen += !inv_calls;
		cmd(b, OP_SYNC, 0);
		prod = rd(b, CMDQ_PROD);
		for (unsigned i = 0; i < 100; i++)
			uiommu_sim_smmuv3_step(b->sim);
		assert_int_equal(inv_calls, 1);
		assert_int_not_equal(rd(b, CMDQ_CONS) & 0xfffff, prod);
		uiommu_sim_smmuv3_atc_inv_done(b->sim, last_inv.queue, true);
		for (unsigned i = 0; i < 100; i++)
			uiommu_sim_smmuv3_step(b->sim);
		assert_int_equal(rd(b, CMDQ_CONS) & 0xfffff, prod);
		bed_free(b);
	}
	inv_answer = 0;
	assert_true(seen);
}

/* What is switched off runs until STATUS says so, and not a command longer. */
static void off_late(void **state)
{
	unsigned ran = 0, stood = 0;

	(void)state;
	for (uint64_t n = 1; n <= 100; n++) {
		struct bed *b = late_bed(n);
		struct queue q = late_queue(b, 1, 5);

		put(b, n & 1 ? q.page0 + Q_CONFIG : VINTF(1) + VI_CONFIG, 0);
		say(&q, OP_SYNC, 0);
		while (get(b, q.page0 + Q_STATUS))
			uiommu_sim_smmuv3_step(b->sim);
		if (consumed(&q))
			ran++;
		else
			stood++;
		for (unsigned i = 0; i < 20; i++)
			say(&q, OP_SYNC, 0);
		q.prod = get(b, q.page0 + Q_CONS);
		settle(b);
		assert_true(consumed(&q));
		bed_free(b);
	}
	assert_true(ran && stood);
}

/* One that is nobody's any more, too: where it is can be written when STATUS says off. */
static void off_late_and_nobodys(void **state)
{
	unsigned waited = 0;

	(void)state;
	for (uint64_t n = 1; n <= 20; n++) {
		struct bed *b = late_bed(n);
		struct queue q = late_queue(b, 1, 5);

		put(b, ALLOC(q.number), 1 << 15);
		put(b, DIRECT0(q.number) + Q_CONFIG, 0);
		for (; get(b, DIRECT0(q.number) + Q_STATUS); waited++)
			uiommu_sim_smmuv3_step(b->sim);
		put64(b, DIRECT1(q.number) + Q_BASE, 0);
		assert_int_equal(get(b, DIRECT1(q.number) + Q_BASE), 0);
		bed_free(b);
	}
	assert_true(waited);
}

/* ---- one VM against the others ---- */

/* What it writes into its page 0 and its queue, VM 9 and the host do not notice. */
static void whatever_it_writes(void **state)
{
	struct bed *b = *state;
	struct queue q[4];
	uint64_t x = 88172645463325252u;

	vintf_on(b, 0, 0, HYP_OWN);
	vintf_on(b, 1, 5, 0);
	vintf_on(b, 2, 9, 0);
	q[0] = queue_on(b, 1, 0);
	q[1] = queue_on(b, 1, 1);
	q[2] = queue_on(b, 2, 0);
	q[3] = queue_on(b, 0, 0);
	put(b, VINTF(1) + SID_REPLACE, 1);
	put(b, VINTF(1) + SID_MATCH, 0x21 << 1 | 1);
	put(b, VINTF(2) + SID_REPLACE, 2);
	put(b, VINTF(2) + SID_MATCH, 0x22 << 1 | 1);
	stale_stream(b, 2, 9);
	stale_stream(b, 3, 0);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t r[2];

		for (unsigned k = 0; k < 2; k++)
			r[k] = rng_next(&x);
		for (unsigned k = 0; k < 8; k++)
			set_mem(b, q[k & 1].mem + (r[0] >> 7 * k & 0xf8), r[1] >> k * 4);
		/* ASID 1 under VMID 5 shares a place of the TLB with none of theirs */
		set_mem(b, q[0].mem + (r[1] & 0xf0),
			OP_VMID(i & 1 ? OP_NH_VA(1) : OP_NH_ASID(1), r[0] & 0xffff));
		put(b, 0x30000 + 0x20000 + (r[0] & 0xfffc), (uint32_t)r[1]);
		put(b, PAGE0(1, r[0] >> 20 & 1) + (r[0] >> 16 & 4 ? Q_PROD : Q_GERRORN),
		    (uint32_t)(r[1] >> 32) & (r[0] >> 40 & 1 ? ~0u : 7));
		if (inv_calls)
			assert_int_equal(last_inv.stream_id, 1);
	}
	assert_true(stale(b, 2));
	assert_true(stale(b, 3));
	say_ok(&q[2], OP_SYNC, 0);
	say_ok(&q[3], OP_SYNC, 0);
	sync(b);
	assert_int_equal(get(b, VINTF_ERR_MAP) & ~2u, 0);
	assert_int_equal(get(b, VINTF(1) + VI_CONFIG), 5 << 1 | 1);
	assert_true(get64(b, q[0].page1 + Q_BASE) == (q[0].mem | LG2));
	assert_int_equal(get(b, ALLOC(2)), 1 << 15 | 1);
	no_event(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QCASE(out_of_reset),
		cmocka_unit_test(there_is_none),
		QCASE(sizes_that_cannot_be),
		cmocka_unit_test(largest),
		QCASE(accesses),
		QCASE(fields_that_exist),
		QCASE(a_queue_has_two_places),
		QCASE(allocation_has_an_order),
		QCASE(vmid_stays_while_it_is_on),
		QCASE(base_and_cons_stay_while_it_is_on),
		QCASE(each_switch_stops_it),
		QCASE(taken_away_it_stops),
		QCASE(off_as_a_whole_it_forgets),
		QCASE(it_wraps),
		cmocka_unit_test(no_longer_than_cmdqs),
		QCASE(prod_is_garbage),
		QCASE(a_long_queue),
		QCASE(vmid_is_the_interfaces),
		QCASE(a_vas_vmid_is_the_interfaces),
		QCASE(the_hosts_own_says_what_it_means),
		QCASE(what_a_vm_may_say),
		QCASE(what_nobody_may_say),
		QCASE(sync_has_cs_0),
		QCASE(sid_is_looked_up),
		QCASE(a_sid_that_is_not_its_own),
		QCASE(an_error_is_told),
		QCASE(an_error_is_masked),
		QCASE(a_queue_stops_alone),
		QCASE(what_it_has_said_before_is_done),
		QCASE(a_base_that_is_not_there),
		QCASE(cons_in_memory),
		QCASE(atc_timeout_is_its_own),
		QCASE(atc_timeout_of_a_queue_that_is_off),
		QCASE(atc_answers_of_a_queue_that_is_taken_away),
		QCASE(atc_answers_are_waited_for),
		QCASE(sync_waits_for_a_dma),
		QCASE(each_sync_waits_for_itself),
		QCASE(the_others_are_still_woken),
		QCASE(off_and_on_it_waits_anew),
		cmocka_unit_test(late_and_in_any_order),
		cmocka_unit_test(late_it_is_its_own),
		cmocka_unit_test(late_it_is_waited_for),
		cmocka_unit_test(off_late),
		cmocka_unit_test(off_late_and_nobodys),
		QCASE(whatever_it_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
