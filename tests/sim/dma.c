/* SPDX-License-Identifier: MIT */
/* dma.c - whole DMAs, and CMD_SYNC while one is under way */
#include "bed.h"

#define SID 1

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* contiguous for the device, scattered in memory */
static void dma_crosses_pages(void **state)
{
	static uint8_t out[5 * 4096], in[5 * 4096];
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA + 0x123, .write = true };
	uint64_t pages[6];
	size_t done;

	for (unsigned i = 0; i < 6; i++)
		pages[5 - i] = bed_alloc(b, 4096);
	for (unsigned i = 0; i < 6; i++)
		map4k(b, s.root, VA + i * 4096, pages[i], PTE_RW);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = pattern(i);
	assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, out, sizeof(out), &done), 0);
	assert_int_equal(done, sizeof(out));
	assert_int_equal(b->ram[pages[0] - RAM + 0x122], 0);
	for (size_t i = 0; i < sizeof(out); i++) {
		size_t at = 0x123 + i;

		assert_int_equal(b->ram[pages[at / 4096] - RAM + at % 4096], pattern(i));
	}
	a.write = false;
	assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, in, sizeof(in), NULL), 0);
	assert_memory_equal(in, out, sizeof(in));
}

static void dma_stops_at_the_first_abort(void **state)
{
	static uint8_t buf[3 * 4096];
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA + 0x800, .write = true };
	size_t done = 1;

	map4k(b, s.root, VA + 0x2000, bed_alloc(b, 4096), PTE_RW);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, buf, sizeof(buf), &done),
			 -UIOMMU_EFAULT);
	assert_int_equal(done, 0x800);
	assert_true(mem(b, s.page + 0xff8) == 0x0101010101010101u);
	expect_event(b, EV(F_TRANSLATION, SID), EV_CLASS_IN, VA + 0x1000, 0);
}

static void dma_of_nothing(void **state)
{
	struct uiommu_sim_access a = { .stream_id = 12345678 };
	size_t done = 7;

	assert_int_equal(uiommu_sim_smmuv3_dma(((struct bed *)*state)->sim, &a, NULL, 0, &done),
			 0);
	assert_int_equal(done, 0);
	no_event(*state);
}

static void dma_to_nowhere_is_no_event(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);

	map4k(b, s.root, VA, NOWHERE, PTE_RW);
	assert_int_equal(dma_write(b, SID, VA, 1), -UIOMMU_EFAULT);
	no_event(b);
	/* and the marker of the DMA is gone: nothing to wait for */
	cmd(b, OP_NH_ASID(1), 0);
	sync(b);
}

static void raz_wi_reads_zero_over_page_ends(void **state)
{
	uint8_t buf[100];
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA + 4096 - 50 };

	set_mem(b, s.cd, mem(b, s.cd) & ~BIT(46) & ~BIT(45));
	memset(b->ram + (s.page - RAM), 5, 4096);
	memset(buf, 9, sizeof(buf));
	assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, buf, sizeof(buf), NULL), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(buf[i], i < 50 ? 5 : 0);
}

/* ---- CMD_SYNC while data move ---- */

static uint32_t cons(struct bed *b)
{
	return rd(b, CMDQ_CONS) & 0xfffff;
}

static void sync_without_invalidation(struct bed *b)
{
	cmd(b, 0x46, 0);
	assert_int_equal(cons(b), rd(b, CMDQ_PROD));
}

static void sync_does_not_wait_for_nothing(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	b->on_data = sync_without_invalidation;
	assert_int_equal(dma_write(b, SID, VA, 1), 0);
}

static void invalidate_and_sync(struct bed *b)
{
	uint32_t at = cons(b);

	cmd(b, OP_NH_VA(1), VA);
	cmd(b, 0x46 | 1 << 12, 0);
	cmd(b, 0x46, 0);
	/* the invalidation is done, the first CMD_SYNC is not */
	assert_int_equal(cons(b), at + 1);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 0);
}

static void sync_waits_for_a_dma_under_way(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	b->on_data = invalidate_and_sync;
	assert_int_equal(dma_write(b, SID, VA, 1), 0);
	/* it completed by itself, with its interrupt */
	assert_int_equal(cons(b), rd(b, CMDQ_PROD));
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 1);
}

static void later_dma_is_not_waited_for(struct bed *b)
{
	uint32_t at = cons(b);

	cmd(b, 0x30, 0);
	cmd(b, 0x46, 0);
	assert_int_equal(cons(b), at + 1);
	/* a DMA that begins and ends now changes nothing */
	assert_int_equal(dma_write(b, SID, VA + 8, 2), 0);
	assert_int_equal(cons(b), at + 1);
}

static void sync_waits_for_earlier_ones_only(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	b->on_data = later_dma_is_not_waited_for;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(dma_write(b, SID, VA, 1), 0);
		assert_int_equal(cons(b), rd(b, CMDQ_PROD));
	}
}

static void queue_off_and_on(struct bed *b)
{
	uint32_t at;

	cmd(b, 0x30, 0);
	cmd(b, 0x46, 0);
	at = cons(b);
	wr(b, CR0, 4 | 1);
	wr(b, CMDQ_PROD, at);			/* the CMD_SYNC is taken out ... */
	wr(b, CR0, 4 | 8 | 1);
	assert_int_equal(cons(b), at);
	cmd(b, 0x46, 0);			/* ... and a new one waits as well */
	assert_int_equal(cons(b), at);
}

static void sync_taken_out_of_the_queue(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	b->on_data = queue_off_and_on;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(dma_write(b, SID, VA, 1), 0);
		assert_int_equal(cons(b), rd(b, CMDQ_PROD));
	}
}

static void statistics_count(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_smmuv3_stats st;
	uint64_t v;

	stream_s1(b, SID, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dma_read(b, SID, VA, &v), 0);
	uiommu_sim_smmuv3_stats(b->sim, &st);
	assert_int_equal(st.translations, 10);
	assert_int_equal(st.tlb_hits, 9);
	assert_int_equal(st.tlb_misses, 1);
	assert_int_equal(st.ste_fetches, 1);
	assert_int_equal(st.cd_fetches, 1);
	assert_int_equal(st.pte_fetches, 4);
	assert_int_equal(st.events + st.events_lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dma_crosses_pages),
		CASE(dma_stops_at_the_first_abort),
		CASE(dma_of_nothing),
		CASE(dma_to_nowhere_is_no_event),
		CASE(raz_wi_reads_zero_over_page_ends),
		CASE(sync_does_not_wait_for_nothing),
		CASE(sync_waits_for_a_dma_under_way),
		CASE(sync_waits_for_earlier_ones_only),
		CASE(sync_taken_out_of_the_queue),
		CASE(statistics_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
