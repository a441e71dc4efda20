/* SPDX-License-Identifier: MIT */
/* queues.c - command queue, event queue, global errors, interrupts */
#include "bed.h"

#define GERROR_CMDQ	BIT(0)
#define GERROR_EVTQ_ABT	BIT(2)

static uint32_t cons_index(struct bed *b)
{
	return rd(b, CMDQ_CONS) & 0xfffff;
}

static uint32_t active_errors(struct bed *b)
{
	return rd(b, GERROR) ^ rd(b, GERRORN);
}

static void fault_once(struct bed *b)
{
	uint64_t v;

	assert_int_equal(dma_read(b, 1, 0, &v), -UIOMMU_EFAULT);
}

/* ---- commands ---- */

static void cmdq_wraps(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < 5 << CMDQ_LG2; i++) {
		cmd(b, 0x46, 0);
		assert_int_equal(cons_index(b), (i + 1) % (2u << CMDQ_LG2));
	}
	assert_int_equal(active_errors(b), 0);
}

static void cmdq_takes_a_batch(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_smmuv3_stats st;

	for (unsigned i = 0; i < 1u << CMDQ_LG2; i++)
		set_mem(b, b->cmdq + i * 16, i % 2 ? 0x46 : 0x30);
	wr(b, CMDQ_PROD, 1u << CMDQ_LG2);	/* all of it: full */
	assert_int_equal(cons_index(b), 1u << CMDQ_LG2);
	uiommu_sim_smmuv3_stats(b->sim, &st);
	assert_int_equal(st.commands, 1 << CMDQ_LG2);
	assert_int_equal(st.syncs, 1 << (CMDQ_LG2 - 1));
}

static void cmdq_waits_for_cmdqen(void **state)
{
	struct bed *b = *state;

	wr(b, CR0, 4 | 1);
	set_mem(b, b->cmdq, 0x46);
	wr(b, CMDQ_PROD, 1);
	assert_int_equal(cons_index(b), 0);
	wr(b, CR0, 4 | 8 | 1);
	assert_int_equal(cons_index(b), 1);
}

static void cmdq_is_capped_at_its_maximum(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.cmdq_max_lg2 = CMDQ_LG2;
	b = bed_new(&cfg);
	wr(b, CR0, 0);
	wr64(b, CMDQ_BASE, b->cmdq | 12);
	wr(b, CR0, 8);
	for (unsigned i = 0; i < 3 << CMDQ_LG2; i++)
		cmd(b, 0x46, 0);
	assert_int_equal(cons_index(b), rd(b, CMDQ_PROD));
	assert_int_equal(rd(b, CMDQ_BASE) & 31, 12);
	bed_free(b);
}

static void is_illegal(struct bed *b, uint64_t w0, uint64_t w1)
{
	uint32_t at = cons_index(b);

	cmd(b, w0, w1);
	assert_int_equal(active_errors(b), GERROR_CMDQ);
	assert_int_equal(cons_index(b), at);
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);
	/* mend it and acknowledge: the queue goes on by itself */
	set_mem(b, b->cmdq + (at & (BIT(CMDQ_LG2) - 1)) * 16, 0x46);
	set_mem(b, b->cmdq + (at & (BIT(CMDQ_LG2) - 1)) * 16 + 8, 0);
	wr(b, GERRORN, rd(b, GERROR));
	assert_int_equal(active_errors(b), 0);
	assert_int_equal(cons_index(b), (at + 1) & ((2u << CMDQ_LG2) - 1));
}

static void cerror_ill(void **state)
{
	static const unsigned unknown[] = { 0x00, 0x07, 0x08, 0x14, 0x18, 0x1a, 0x20, 0x21, 0x22,
		0x23, 0x28, 0x2a, 0x2b, 0x40, 0x41, 0x42, 0x44, 0x45, 0x47, 0x50, 0x58, 0x60,
		0x70, 0x73, 0x80, 0xff };

	for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		is_illegal(*state, unknown[i], 0);
}

static void cerror_ill_for_the_other_security_state(void **state)
{
	for (unsigned op = 1; op <= 6; op++)
		is_illegal(*state, op | BIT(10), 0);
}

static void cerror_ill_for_reserved_ranges(void **state)
{
	is_illegal(*state, 0x12, 1 << 10);		/* TG, but no range and no level */
	is_illegal(*state, 0x13, 3 << 10);
	is_illegal(*state, 0x12, 2 << 10 | 1 << 8);	/* 16K has no level 1 */
}

static void cerror_ill_for_reserved_completion(void **state)
{
	is_illegal(*state, 0x46 | 3 << 12, 0);
}

static void prefetch_is_accepted(void **state)
{
	struct bed *b = *state;

	cmd(b, 0x01 | (uint64_t)9 << 32, 0);
	cmd(b, 0x02 | (uint64_t)9 << 32, 0x1000);
	sync(b);
	assert_int_equal(active_errors(b), 0);
	no_event(b);		/* a bad configuration is no event then */
}

static void commands_after_an_error_have_no_effect(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, 1, 1);
	uint64_t v;

	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	set_mem(b, s.cd, 0);
	cmd(b, 0, 0);
	cmd(b, OP_CFGI_CD(1, 0), 1);
	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	/* taken back and started again */
	wr(b, CMDQ_PROD, cons_index(b));
	wr(b, GERRORN, rd(b, GERROR));
	assert_int_equal(dma_read(b, 1, VA, &v), 0);
	assert_int_equal(active_errors(b), 0);
}

static void cerror_abt(void **state)
{
	struct bed *b = *state;

	b->poison = b->cmdq + 16;
	cmd(b, 0x46, 0);
	cmd(b, 0x46, 0);
	assert_int_equal(cons_index(b), 1);
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 2);
	assert_int_equal(active_errors(b), GERROR_CMDQ);
	b->poison = 0;
	wr(b, GERRORN, rd(b, GERROR));
	assert_int_equal(cons_index(b), 2);
}

static void error_is_told_once(void **state)
{
	struct bed *b = *state;

	cmd(b, 0, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 1);
	wr(b, CMDQ_PROD, rd(b, CMDQ_PROD));
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 1);
	assert_int_equal(rd(b, GERROR), GERROR_CMDQ);
	/* acknowledged but not mended: it is active again */
	wr(b, GERRORN, rd(b, GERROR));
	assert_int_equal(rd(b, GERROR), 0);
	assert_int_equal(active_errors(b), GERROR_CMDQ);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 2);
}

static void sync_raises_its_interrupt_only_on_request(void **state)
{
	struct bed *b = *state;

	cmd(b, 0x46, 0);
	cmd(b, 0x46 | 2 << 12, 0);	/* SEV */
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 0);
	cmd(b, 0x46 | 1 << 12, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 1);
}

/* SIG_SEV sends an event where IDR0.SEV says that there is one */
static void sync_sev(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	for (unsigned i = 0; i < 2; i++) {
		struct bed *b;

		cfg.sev = i;
		b = bed_new(&cfg);
		cmd(b, 0x46 | 2 << 12, 0);
		assert_int_equal(b->irqs[UIOMMU_SIM_EVENT_SEV], i);
		assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 0);
		bed_free(b);
	}
}

static struct bed *bed_msi(void)
{
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.msi = true;
	return bed_new(&cfg);
}

static void sync_msi(void **state)
{
	struct bed *b = bed_msi();
	uint64_t at = bed_alloc(b, 8);

	(void)state;
	cmd(b, 0x46 | 1 << 12 | (uint64_t)0xcafef00d << 32, at + 4);
	assert_true(mem(b, at) == (uint64_t)0xcafef00d << 32);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_SYNC], 1);
	cmd(b, 0x46 | (uint64_t)1 << 32, at);		/* SIG_NONE: no message */
	cmd(b, 0x46 | 1 << 12 | (uint64_t)1 << 32, 0);	/* no address: none either */
	assert_true(mem(b, at) == (uint64_t)0xcafef00d << 32);
	cmd(b, 0x46 | 1 << 12 | (uint64_t)5 << 32, at | BIT(50));	/* cut to the output size */
	assert_true(mem(b, at) == ((uint64_t)0xcafef00d << 32 | 5));
	assert_int_equal(active_errors(b), 0);
	cmd(b, 0x46 | 1 << 12, NOWHERE);
	assert_int_equal(active_errors(b), BIT(4));	/* MSI_CMDQ_ABT_ERR */
	sync(b);					/* and the queue goes on */
	bed_free(b);
}

/* ---- events ---- */

static void evtq_overflow(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_smmuv3_stats st;

	for (unsigned i = 0; i < 1u << EVTQ_LG2; i++) {
		assert_int_equal(rd(b, EVENTQ_PROD), i);
		fault_once(b);
	}
	assert_int_equal(rd(b, EVENTQ_PROD), 1u << EVTQ_LG2);
	fault_once(b);
	fault_once(b);
	assert_int_equal(rd(b, EVENTQ_PROD), BIT(31) | 1u << EVTQ_LG2);
	uiommu_sim_smmuv3_stats(b->sim, &st);
	assert_int_equal(st.events, 1u << EVTQ_LG2);
	assert_int_equal(st.events_lost, 2);
	/* room is made, the flag not yet acknowledged: events are recorded again */
	event(b);
	fault_once(b);
	assert_int_equal(rd(b, EVENTQ_PROD), BIT(31) | ((1u << EVTQ_LG2) + 1));
	fault_once(b);		/* a second overflow cannot be told */
	assert_true(rd(b, EVENTQ_PROD) & BIT(31));
	/* acknowledged: the next one toggles it back */
	wr(b, EVENTQ_CONS, (rd(b, EVENTQ_CONS) & 0xfffff) | (uint32_t)BIT(31));
	fault_once(b);
	assert_false(rd(b, EVENTQ_PROD) & BIT(31));
}

static void evtq_wraps(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < 5 << EVTQ_LG2; i++) {
		fault_once(b);
		expect_event(b, EV(C_BAD_STE, 1), 0, 0, 0);
	}
}

static void evtq_off(void **state)
{
	struct bed *b = *state;

	wr(b, CR0, 8 | 1);
	fault_once(b);
	assert_int_equal(rd(b, EVENTQ_PROD), 0);
	wr(b, CR0, 4 | 8 | 1);
	no_event(b);
}

static void evtq_write_aborted(void **state)
{
	struct bed *b = *state;

	b->poison = b->evtq + 24;
	fault_once(b);
	assert_int_equal(active_errors(b), GERROR_EVTQ_ABT);
	assert_int_equal(rd(b, EVENTQ_PROD), 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 1);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 0);
	/* not writable until it is acknowledged */
	b->poison = 0;
	fault_once(b);
	assert_int_equal(rd(b, EVENTQ_PROD), 0);
	wr(b, GERRORN, rd(b, GERROR));
	fault_once(b);
	expect_event(b, EV(C_BAD_STE, 1), 0, 0, 0);
}

/* ---- interrupts ---- */

static void evtq_interrupt_when_it_stops_being_empty(void **state)
{
	struct bed *b = *state;

	fault_once(b);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 1);
	fault_once(b);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 1);
	event(b);
	fault_once(b);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 1);
	event(b);
	event(b);
	fault_once(b);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 2);
}

static void interrupts_are_gated_by_irq_ctrl(void **state)
{
	struct bed *b = *state;

	wr(b, IRQ_CTRL, 0);
	fault_once(b);
	cmd(b, 0, 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_EVTQ], 0);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 0);
	assert_int_equal(active_errors(b), GERROR_CMDQ);
}

static void interrupt_messages(void **state)
{
	struct bed *b = bed_msi();
	uint64_t at = bed_alloc(b, 16);

	(void)state;
	wr64(b, EVENTQ_IRQ_CFG0, NOWHERE);	/* guarded while enabled */
	assert_true(rd64(b, EVENTQ_IRQ_CFG0) == 0);
	wr(b, IRQ_CTRL, 0);
	wr64(b, EVENTQ_IRQ_CFG0, at);
	wr(b, EVENTQ_IRQ_CFG1, 0x11);
	wr64(b, GERROR_IRQ_CFG0, at + 8);
	wr(b, GERROR_IRQ_CFG1, 0x22);
	wr(b, IRQ_CTRL, 5);
	fault_once(b);
	cmd(b, 0, 0);
	assert_true(mem(b, at) == 0x11 && mem(b, at + 8) == 0x22);
	wr(b, IRQ_CTRL, 1);
	wr64(b, EVENTQ_IRQ_CFG0, NOWHERE);
	wr(b, IRQ_CTRL, 5);
	event(b);
	fault_once(b);
	assert_int_equal(active_errors(b), GERROR_CMDQ | BIT(5));	/* MSI_EVENTQ_ABT_ERR */
	bed_free(b);
}

/* that a GERROR message was aborted is told by the register only */
static void gerror_message_aborted(void **state)
{
	struct bed *b = bed_msi();

	(void)state;
	wr(b, IRQ_CTRL, 0);
	wr64(b, GERROR_IRQ_CFG0, NOWHERE);
	wr(b, IRQ_CTRL, 5);
	cmd(b, 0, 0);
	assert_int_equal(active_errors(b), GERROR_CMDQ | BIT(7));
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 1);
	assert_int_equal(b->lost_writes, 1);	/* not tried again for its own sake */
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(cmdq_wraps),
		CASE(cmdq_takes_a_batch),
		CASE(cmdq_waits_for_cmdqen),
		cmocka_unit_test(cmdq_is_capped_at_its_maximum),
		CASE(cerror_ill),
		CASE(cerror_ill_for_the_other_security_state),
		CASE(cerror_ill_for_reserved_ranges),
		CASE(cerror_ill_for_reserved_completion),
		CASE(prefetch_is_accepted),
		CASE(commands_after_an_error_have_no_effect),
		CASE(cerror_abt),
		CASE(error_is_told_once),
		CASE(sync_raises_its_interrupt_only_on_request),
		cmocka_unit_test(sync_msi),
		cmocka_unit_test(sync_sev),
		CASE(evtq_overflow),
		CASE(evtq_wraps),
		CASE(evtq_off),
		CASE(evtq_write_aborted),
		CASE(evtq_interrupt_when_it_stops_being_empty),
		CASE(interrupts_are_gated_by_irq_ctrl),
		cmocka_unit_test(interrupt_messages),
		cmocka_unit_test(gerror_message_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
