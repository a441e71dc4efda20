/* SPDX-License-Identifier: MIT */
/* stall.c - stalled transactions, and tables that hardware updates */
#include "bed.h"

#define SID	5
#define ABORTED	(-UIOMMU_EFAULT)
#define STALLED	(-UIOMMU_EAGAIN)
#define CD_S	BIT(44)
#define CD_HA	BIT(43)
#define CD_HD	BIT(42)
#define DBM	BIT(51)
#define HOLE	(VA + 0x5000)

static int setup(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	*state = bed_new(&c);
	return 0;
}

#define SCASE(f) cmocka_unit_test_setup_teardown(f, setup, bed_teardown)

static struct s1 stream(struct bed *b, uint64_t cd_bits)
{
	struct s1 s = stream_s1(b, SID, 1);

	put_cd(b, s.cd, cd_4k(1) | cd_bits, s.root);
	return s;
}

static uint16_t stall_at(struct bed *b, uint64_t va)
{
	struct uiommu_sim_access a = { .stream_id = SID, .iova = va };
	uint16_t stag = 0xffff;
	uint64_t v;
	size_t done = 99;

	assert_int_equal(uiommu_sim_smmuv3_dma_stag(b->sim, &a, &v, 8, &done, &stag), STALLED);
	assert_int_equal(done, 0);
	return stag;
}

static void expect_stall(struct bed *b, uint64_t va, uint16_t stag)
{
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN | EV_READ | EV_STALL(stag), va, 0);
}

static void resumed(struct bed *b, uint16_t stag, enum uiommu_sim_resume how)
{
	assert_int_equal(b->resumed.calls, 1);
	assert_int_equal(b->resumed.sid, SID);
	assert_int_equal(b->resumed.stag, stag);
	assert_int_equal(b->resumed.how, how);
	b->resumed.calls = 0;
}

static void cd_s_stalls(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_S);
	uint16_t stag = stall_at(b, HOLE);
	uint64_t v;

	expect_stall(b, HOLE, stag);
	map4k(b, s.root, HOLE, s.page, PTE_RW);
	cmd(b, OP_RESUME(SID, 1, 0), stag);
	resumed(b, stag, UIOMMU_SIM_RESUME_RETRY);
	assert_int_equal(dma_read(b, SID, HOLE, &v), 0);
}

static void resume_terminates(void **state)
{
	struct bed *b = *state;
	uint16_t stag;

	stream(b, CD_S);
	stag = stall_at(b, HOLE);
	cmd(b, OP_RESUME(SID, 0, 1), stag);
	resumed(b, stag, UIOMMU_SIM_RESUME_ABORT);
	stag = stall_at(b, HOLE);
	cmd(b, OP_RESUME(SID, 0, 0), stag);
	resumed(b, stag, UIOMMU_SIM_RESUME_RAZ_WI);
}

static void resume_of_nothing(void **state)
{
	struct bed *b = *state;
	uint16_t stag;

	stream(b, CD_S);
	stag = stall_at(b, HOLE);
	cmd(b, OP_RESUME(SID + 1, 1, 0), stag);		/* another stream's */
	cmd(b, OP_RESUME(SID, 1, 0), stag + 1u);	/* another tag */
	cmd(b, OP_RESUME(SID, 1, 0), 0xffff);
	sync(b);
	assert_int_equal(b->resumed.calls, 0);
	cmd(b, OP_RESUME(SID, 1, 0), stag);
	cmd(b, OP_RESUME(SID, 1, 0), stag);		/* a second time */
	assert_int_equal(b->resumed.calls, 1);
}

static void stall_term(void **state)
{
	struct bed *b = *state;

	stream(b, CD_S);
	stall_at(b, HOLE);
	stall_at(b, HOLE + 4096);
	cmd(b, 0x45 | (uint64_t)(SID + 1) << 32, 0);
	assert_int_equal(b->resumed.calls, 0);
	cmd(b, 0x45 | (uint64_t)SID << 32, 0);
	assert_int_equal(b->resumed.calls, 2);
	assert_int_equal(b->resumed.how, UIOMMU_SIM_RESUME_ABORT);
}

static void stall_max(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream(b, CD_S);
	for (unsigned i = 0; i < 3; i++)
		stall_at(b, HOLE);
	assert_int_equal(dma_read(b, SID, HOLE, &v), -UIOMMU_EBUSY);
	cmd(b, OP_RESUME(SID, 0, 1), 1);
	assert_int_equal(stall_at(b, HOLE), 1);
}

/* an event of a stall is never lost: it comes when the queue has room */
static void stall_event_waits_for_room(void **state)
{
	struct bed *b = *state;
	uint64_t v;
	uint16_t stag;

	stream(b, CD_S);
	put_ste(b, 6, 0, 0);
	for (unsigned i = 0; i < BIT(EVTQ_LG2); i++)
		assert_int_equal(dma_read(b, 6, VA, &v), ABORTED);
	stag = stall_at(b, HOLE);
	assert_false(rd(b, EVENTQ_PROD) & BIT(31));	/* and is no overflow */
	for (unsigned i = 0; i < BIT(EVTQ_LG2); i++)
		assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
	expect_stall(b, HOLE, stag);
}

/* what it met was invalidated while there was no room: it is retried, not recorded */
static void stall_without_record_is_retried_after_sync(void **state)
{
	struct bed *b = *state;
	uint64_t v;
	uint16_t stag;

	for (unsigned synced = 0; synced < 2; synced++) {
		stream(b, CD_S);
		put_ste(b, 6, 0, 0);
		cmd(b, OP_CFGI_STE(SID), 0);
		for (unsigned i = 0; i < BIT(EVTQ_LG2); i++)
			assert_int_equal(dma_read(b, 6, VA, &v), ABORTED);
		stag = stall_at(b, HOLE);
		put_ste(b, SID, 1, 0);			/* abort, from now on */
		cmd(b, OP_CFGI_STE(SID), 0);
		if (synced)
			cmd(b, 0x46, 0);
		for (unsigned i = 0; i < BIT(EVTQ_LG2); i++)
			assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
		if (synced) {
			no_event(b);
			resumed(b, stag, UIOMMU_SIM_RESUME_RETRY);
		} else {
			expect_stall(b, HOLE, stag);
			cmd(b, OP_RESUME(SID, 0, 1), stag);
			resumed(b, stag, UIOMMU_SIM_RESUME_ABORT);
		}
	}
}

static void smmuen_off_ends_stalls(void **state)
{
	struct bed *b = *state;
	uint16_t stag;

	stream(b, CD_S);
	stag = stall_at(b, HOLE);
	wr(b, CR0, 12);
	resumed(b, stag, UIOMMU_SIM_RESUME_ABORT);
}

static void s1stalld_with_cd_s(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_S);
	uint64_t v;

	put_ste(b, SID, ste_s1(s.cd, 0, 0), BIT(27));
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_CD, SID), 0, 0, 0);
}

static void stall_only_needs_cd_s(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	uint64_t v;

	c.stall = 2;
	b = bed_new(&c);
	assert_int_equal(rd(b, IDR0) >> 24 & 3, 2);
	stream(b, 0);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_CD, SID), 0, 0, 0);
	bed_free(b);
	(void)state;
}

static void s2s_stalls(void **state)
{
	struct bed *b = *state;
	uint64_t root = bed_alloc(b, 4096);
	uint16_t stag;

	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, 1) | BIT(57), root);
	stag = stall_at(b, HOLE);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN | EV_READ | EV_S2 | EV_STALL(stag),
		     HOLE, HOLE);
}

static void stall_needs_resume(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = *state;
	struct uiommu_sim_env env = b->env;
	struct uiommu_sim_smmuv3 *s;

	env.resume = NULL;
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &env, &s), -UIOMMU_EINVAL);
	env = b->env;
	env.cas64 = NULL;
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &env, &s), -UIOMMU_EINVAL);
}

/* ---- like events are one record, where both agree to it ---- */

static unsigned two_holes(bool wanted, bool mev)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	struct s1 s;
	uint64_t v;
	unsigned n;

	c.merge_events = wanted;
	b = bed_new(&c);
	s = stream(b, 0);
	put_ste(b, SID, ste_s1(s.cd, 0, 0), mev ? BIT(19) : 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dma_read(b, SID, HOLE + 8 * (i / 2), &v), ABORTED);
	n = rd(b, EVENTQ_PROD);
	event(b);
	for (unsigned i = 1; i < n; i++)
		event(b);
	assert_int_equal(dma_read(b, SID, HOLE + 8, &v), ABORTED);
	event(b);		/* the one before has been taken: this is a new one */
	bed_free(b);
	return n;
}

static void mev_merges(void **state)
{
	assert_int_equal(two_holes(true, true), 2);
	(void)state;
}

static void mev_off_does_not(void **state)
{
	assert_int_equal(two_holes(true, false), 3);
	assert_int_equal(two_holes(false, true), 3);
	(void)state;
}

/* ---- hardware update ---- */

static uint64_t leaf_at(struct bed *b, const struct s1 *s)
{
	uint64_t at = s->root;

	for (unsigned shift = 39; shift > 12; shift -= 9)
		at = mem(b, at + (VA >> shift & 511) * 8) & 0xfffffffff000;
	return at + (VA >> 12 & 511) * 8;
}

static void ha_sets_af(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA);
	uint64_t v, at = leaf_at(b, &s);

	map4k(b, s.root, VA, s.page, PTE_RW & ~PTE_AF);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	assert_true(mem(b, at) & PTE_AF);
	assert_int_equal(b->cas, 1);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	assert_int_equal(b->cas, 1);
	no_event(b);
}

static void no_ha_faults(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, 0);
	uint64_t v;

	map4k(b, s.root, VA, s.page, PTE_RW & ~PTE_AF);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_ACCESS, SID), EV_CLASS_IN | EV_READ, VA, 0);
	assert_int_equal(b->cas, 0);
}

static void hd_makes_dirty(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA | CD_HD);
	uint64_t v, at = leaf_at(b, &s);

	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO | DBM);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	assert_true(mem(b, at) & PTE_RO);		/* a read leaves it clean */
	assert_int_equal(dma_write(b, SID, VA, 1), 0);	/* on a hit of the clean entry */
	assert_false(mem(b, at) & PTE_RO);
	assert_int_equal(b->cas, 1);
	assert_int_equal(dma_write(b, SID, VA, 1), 0);
	assert_int_equal(b->cas, 1);
	no_event(b);
}

static void ha_alone_leaves_clean(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA);

	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO | DBM);
	assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA, 0);
}

static void hd_without_dbm(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA | CD_HD);

	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO);
	assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA, 0);
}

/* a write that is refused for another reason does not make the page dirty */
static void hd_only_if_permitted(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA | CD_HD);

	map4k(b, s.root, VA, s.page, (PTE_RW & ~PTE_USER) | PTE_RO | DBM);
	assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
	assert_true(mem(b, leaf_at(b, &s)) & PTE_RO);
}

/* software takes the page away between the read and the update */
static uint64_t steal_at;
static void steal(struct bed *b, uint64_t pa)
{
	if (pa == steal_at)
		set_mem(b, pa, 0);
}

static void lost_race_is_looked_at_again(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA);
	uint64_t v;

	map4k(b, s.root, VA, s.page, PTE_RW & ~PTE_AF);
	steal_at = leaf_at(b, &s);
	b->on_cas = steal;
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN | EV_READ, VA, 0);
	assert_true(mem(b, steal_at) == 0);
}

/* somebody who always changes it: an abort, and no hang */
static void flip(struct bed *b, uint64_t pa)
{
	set_mem(b, pa, mem(b, pa) ^ BIT(55));
}

static void race_lost_for_ever(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, CD_HA);
	uint64_t v;

	map4k(b, s.root, VA, s.page, PTE_RW & ~PTE_AF);
	b->on_cas = flip;
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	assert_int_equal(event(b).w[0] & 0xff, F_WALK_EABT);
}

static void httu_missing_is_bad_cd(void **state)
{
	static const uint64_t bits[] = { CD_HA, CD_HD, CD_HD };

	for (unsigned i = 0; i < 3; i++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		uint64_t v;

		c.httu = i == 2;
		b = bed_new(&c);
		stream(b, bits[i]);
		assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
		expect_event(b, EV(C_BAD_CD, SID), 0, 0, 0);
		bed_free(b);
	}
	(void)state;
}

static void s2_ha_hd(void **state)
{
	struct bed *b = *state;
	uint64_t root = bed_alloc(b, 4096), page = bed_alloc(b, 4096), at, v;

	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, 1) | BIT(55) | BIT(56), root);
	map_s2(b, root, 12, 1, VA, 12, page | S2_R | DBM | (uint64_t)0xf << 2);
	at = mem(b, root + (VA >> 30) * 8) & 0xfffffffff000;
	at = mem(b, at + (VA >> 21 & 511) * 8) & 0xfffffffff000;
	at += (VA >> 12 & 511) * 8;
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	assert_true((mem(b, at) & (BIT(10) | S2_W)) == BIT(10));
	assert_int_equal(dma_write(b, SID, VA, 1), 0);
	assert_true(mem(b, at) & S2_W);
	no_event(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCASE(cd_s_stalls), SCASE(resume_terminates), SCASE(resume_of_nothing),
		SCASE(stall_term), SCASE(stall_max), SCASE(stall_event_waits_for_room),
		SCASE(stall_without_record_is_retried_after_sync),
		SCASE(smmuen_off_ends_stalls), SCASE(s1stalld_with_cd_s),
		cmocka_unit_test(stall_only_needs_cd_s), SCASE(s2s_stalls),
		SCASE(stall_needs_resume), cmocka_unit_test(mev_merges),
		cmocka_unit_test(mev_off_does_not), SCASE(ha_sets_af), SCASE(no_ha_faults),
		SCASE(hd_makes_dirty), SCASE(ha_alone_leaves_clean), SCASE(hd_without_dbm),
		SCASE(hd_only_if_permitted), SCASE(lost_race_is_looked_at_again),
		SCASE(race_lost_for_ever), cmocka_unit_test(httu_missing_is_bad_cd),
		SCASE(s2_ha_hd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
