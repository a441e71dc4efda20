/* SPDX-License-Identifier: MIT */
/*
 * cmdqv.c - command queues for user hands: TEGRA241_CMDQV
 *
 * Four interfaces, eight queues, two StreamIDs each. Interface 1 is a VM with VMID 5 and
 * interface 2 one with VMID 9; interface 0 is the host's.
 */
#include "bed.h"

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

static void put64(struct bed *b, unsigned at, uint64_t v)
{
	uiommu_sim_smmuv3_cmdqv_write(b->sim, at, v, 8);
}

static unsigned inv_calls;
static int inv_answer;
static struct uiommu_sim_inval last_inv;

static int on_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	(void)ctx;
	last_inv = *inv;
	inv_calls++;
	return inv_answer;
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
	stale_stream(b, 1, 5);
	say_ok(&q, OP_VMID(OP_NH_VA(1), 9), VA);
	assert_false(stale(b, 1));
	assert_true(stale(b, 2));
}

/* ---- registers ---- */

static void param_says_what_is_there(void **state)
{
	struct bed *b = *state;

	assert_int_equal(get(b, CONFIG), 0x20083);
	assert_int_equal(get(b, PARAM), 0x1231);
	assert_int_equal(get(b, STATUS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QCASE(vmid_is_the_interfaces),
		QCASE(param_says_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
