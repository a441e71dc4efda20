/* SPDX-License-Identifier: MIT */
/* port.c - translations held by a device, and hits beside everything that ends them */
#include "bed.h"

#define SID	3
#define ABORTED	(-UIOMMU_EFAULT)

static unsigned fences;

static void fence(void *ctx)
{
	(void)ctx;
	fences++;
}

static uint32_t consumed(struct bed *b)
{
	return rd(b, CMDQ_CONS) == rd(b, CMDQ_PROD);
}

static void hold(struct bed *b, struct uiommu_sim_smmuv3 *sim, bool hit)
{
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA };
	struct uiommu_sim_smmuv3_port *p = uiommu_sim_smmuv3_port_open(sim);
	struct uiommu_sim_xlat x;

	for (int i = 0; i <= hit; i++) {
		assert_int_equal(uiommu_sim_smmuv3_begin(sim, p, &a, &x), 0);
		if (i < hit)
			uiommu_sim_smmuv3_end(sim, p);
	}
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, 0x46, 0);
	assert_false(consumed(b));
	uiommu_sim_smmuv3_end(sim, p);
	assert_true(consumed(b));
	uiommu_sim_smmuv3_port_close(sim, p);
}

static void sync_waits_for_a_port(void **state)
{
	struct bed *b = *state;

	stream_s1(b, SID, 1);
	hold(b, b->sim, false);
	hold(b, b->sim, true);
}

static void sync_waits_with_fence(void **state)
{
	struct bed *b = bed_new_fence(fence);

	stream_s1(b, SID, 1);
	fences = 0;
	hold(b, b->sim, true);
	assert_true(fences > 0);
	bed_free(b);
	(void)state;
}

/* one that begins after the CMD_SYNC was met does not hold it up */
static void a_later_one_does_not_hold_it(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA };
	struct uiommu_sim_smmuv3_port *p = uiommu_sim_smmuv3_port_open(b->sim);
	struct uiommu_sim_smmuv3_port *q = uiommu_sim_smmuv3_port_open(b->sim);
	struct uiommu_sim_xlat x;

	stream_s1(b, SID, 1);
	assert_int_equal(uiommu_sim_smmuv3_begin(b->sim, p, &a, &x), 0);
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, 0x46, 0);
	assert_int_equal(uiommu_sim_smmuv3_begin(b->sim, q, &a, &x), 0);
	assert_false(consumed(b));
	uiommu_sim_smmuv3_end(b->sim, p);
	assert_true(consumed(b));
	uiommu_sim_smmuv3_end(b->sim, q);
}

/* after a failure there is no end, and nothing is held */
static void a_failed_begin_holds_nothing(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = SID, .iova = VA + 4096 };
	struct uiommu_sim_smmuv3_port *p = uiommu_sim_smmuv3_port_open(b->sim);
	struct uiommu_sim_xlat x;

	stream_s1(b, SID, 1);
	assert_int_equal(uiommu_sim_smmuv3_begin(b->sim, p, &a, &x), ABORTED);
	cmd(b, OP_NH_ASID(1), 0);
	sync(b);
}

static void ports_end(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_smmuv3_port *p = NULL;

	for (unsigned i = 0; i < UIOMMU_SIM_PORTS; i++)
		assert_non_null(p = uiommu_sim_smmuv3_port_open(b->sim));
	assert_null(uiommu_sim_smmuv3_port_open(b->sim));
	uiommu_sim_smmuv3_port_close(b->sim, p);
	assert_non_null(uiommu_sim_smmuv3_port_open(b->sim));
}

/* ---- a hit sees what the slow way would ---- */

static void hit_of_another_access(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, 1);
	uint64_t v;

	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(dma_read(b, SID, VA, &v), 0);
		assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
		expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA, 0);
	}
}

static void hit_ends_with_smmuen(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream_s1(b, SID, 1);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	wr(b, CR0, 12);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);	/* bypass: nothing there */
	no_event(b);
}

static void hit_ends_with_cfgi(void **state)
{
	static const uint64_t how[] = { OP_CFGI_STE(SID), 0x04, OP_CFGI_CD(SID, 0),
					OP_CFGI_CD_ALL(SID) };

	for (unsigned i = 0; i < 4; i++) {
		struct bed *b = bed_new(NULL);
		struct s1 s = stream_s1(b, SID, 1);
		uint64_t v;

		assert_int_equal(dma_read(b, SID, VA, &v), 0);
		set_mem(b, i < 2 ? b->strtab + SID * 64 : s.cd, 0);
		assert_int_equal(dma_read(b, SID, VA, &v), 0);	/* cached */
		cmd(b, how[i], i == 1 ? 31 : 0);
		assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
		expect_event(b, EV(i < 2 ? C_BAD_STE : C_BAD_CD, SID), 0, 0, 0);
		bed_free(b);
	}
	(void)state;
}

/* two streams that the table of configurations puts into one place */
static void many_streams(void **state)
{
	struct bed *b = *state;
	struct s1 s[60];
	uint64_t v;

	for (unsigned i = 0; i < 60; i++) {
		s[i] = stream_s1(b, i, (uint16_t)(i + 1));
		set_mem(b, s[i].page, i);
	}
	for (unsigned i = 0; i < 240; i++) {
		assert_int_equal(dma_read(b, i % 60, VA, &v), 0);
		assert_true(v == i % 60);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sync_waits_for_a_port), cmocka_unit_test(sync_waits_with_fence),
		CASE(a_later_one_does_not_hold_it), CASE(a_failed_begin_holds_nothing),
		CASE(ports_end), CASE(hit_of_another_access), CASE(hit_ends_with_smmuen),
		cmocka_unit_test(hit_ends_with_cfgi), CASE(many_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
