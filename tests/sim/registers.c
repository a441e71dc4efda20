/* SPDX-License-Identifier: MIT */
/* registers.c - the register file, its handshakes, and bypass before SMMUEN */
#include "bed.h"

static void id_registers_say_what_there_is(void **state)
{
	struct bed *b = *state;

	/* S1P, AArch64, coherent, ASID16, CD2L, little-endian, no stall, two-level; no S2P */
	assert_int_equal(rd(b, IDR0), 2 | 2 << 2 | BIT(4) | BIT(12) | BIT(19) | 2 << 21 |
				      1 << 24 | 1 << 27);
	/* SIDSIZE 16, SSIDSIZE 20, queues 19, permissions can be overridden */
	assert_int_equal(rd(b, IDR1), 16 | 20 << 6 | 19 << 16 | 19 << 21 | BIT(26));
	assert_int_equal(rd(b, IDR3), BIT(2) | BIT(10));
	assert_int_equal(rd(b, IDR5), 5 | 7 << 4);
	assert_int_equal(rd(b, AIDR), 1);
}

static void id_registers_follow_the_configuration(void **state)
{
	struct uiommu_sim_smmuv3_config cfg = { .sidsize = 8, .cmdq_max_lg2 = 4,
		.evtq_max_lg2 = 3, .oas_lg2 = 40, .gran4k = true, .sev = true, .msi = true,
		.tlb_entries_lg2 = 4 };
	struct bed *b = bed_raw(&cfg);

	(void)state;
	assert_int_equal(rd(b, IDR0), 2 | 2 << 2 | BIT(13) | BIT(14) | 2 << 21 | 1 << 24);
	assert_int_equal(rd(b, IDR1), 8 | 3 << 16 | 4 << 21 | BIT(26));
	assert_int_equal(rd(b, IDR3), BIT(2));
	assert_int_equal(rd(b, IDR5), 2 | 1 << 4);
	bed_free(b);
}

static void create_refuses_impossible_configurations(void **state)
{
	struct uiommu_sim_smmuv3_config good, bad;
	struct bed *b = *state;
	struct uiommu_sim_smmuv3 *s = NULL;

	uiommu_sim_smmuv3_config_init(&good);
#define REFUSED(change)                                                       \
	do {                                                                  \
		bad = good;                                                   \
		bad.change;                                                   \
		assert_int_equal(uiommu_sim_smmuv3_create(&bad, &b->env, &s), \
				 -UIOMMU_EINVAL);                             \
		assert_null(s);                                               \
	} while (0)
	REFUSED(sidsize = 33);
	REFUSED(ssidsize = 21);
	REFUSED(cmdq_max_lg2 = 20);
	REFUSED(evtq_max_lg2 = 20);
	REFUSED(oas_lg2 = 39);
	REFUSED(oas_lg2 = 56);
	REFUSED(tlb_entries_lg2 = 1);
	REFUSED(tlb_entries_lg2 = 25);
}

struct failing {
	unsigned left, live;
};

static void *failing_alloc(void *ctx, size_t bytes)
{
	struct failing *f = ctx;

	if (!f->left)
		return NULL;
	f->left--;
	f->live++;
	return calloc(1, bytes);
}

static void failing_free(void *ctx, void *p, size_t bytes)
{
	(void)bytes;
	((struct failing *)ctx)->live--;
	free(p);
}

static void create_without_memory_leaves_nothing(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct failing f = { 0, 0 };
	struct uiommu_sim_env env = ((struct bed *)*state)->env;
	struct uiommu_sim_smmuv3 *s;
	unsigned n = 0;

	uiommu_sim_smmuv3_config_init(&cfg);
	env.ctx = &f;
	env.alloc = failing_alloc;
	env.free = failing_free;
	for (f.left = n; uiommu_sim_smmuv3_create(&cfg, &env, &s); f.left = ++n) {
		assert_int_equal(f.live, 0);
		assert_true(n < 100);
	}
	uiommu_sim_smmuv3_destroy(s);
	assert_int_equal(f.live, 0);
}

static void read_only_registers_ignore_writes(void **state)
{
	static const unsigned ro[] = { IDR0, IDR1, IDR5, AIDR, CR0ACK, IRQ_CTRLACK, GERROR };
	struct bed *b = *state;

	for (unsigned i = 0; i < sizeof(ro) / sizeof(ro[0]); i++) {
		uint32_t v = rd(b, ro[i]);

		wr(b, ro[i], ~v);
		assert_int_equal(rd(b, ro[i]), v);
	}
}

static void reserved_bits_read_zero(void **state)
{
	struct bed *b = bed_raw(NULL);

	(void)state;
	wr(b, CR1, 0xffffffff);
	assert_int_equal(rd(b, CR1), 0xfff);
	wr64(b, CMDQ_BASE, ~(uint64_t)0);
	assert_true(rd64(b, CMDQ_BASE) == 0x400fffffffffffffu);
	wr64(b, STRTAB_BASE, ~(uint64_t)0);
	assert_true(rd64(b, STRTAB_BASE) == 0x400fffffffffffc0u);
	wr(b, STRTAB_BASE_CFG, 0xffffffff);
	assert_int_equal(rd(b, STRTAB_BASE_CFG), 0x307ff);
	wr(b, CMDQ_PROD, 0xffffffff);
	assert_int_equal(rd(b, CMDQ_PROD), 0xfffff);
	bed_free(b);
}

static void registers_of_missing_features_are_res0(void **state)
{
	struct bed *b = bed_raw(NULL);

	(void)state;
	wr(b, CR0, 0xfffffff2);			/* PRIQEN, ATSCHK, VMW */
	assert_int_equal(rd(b, CR0), 0);
	wr(b, CR2, 0xffffffff);
	assert_int_equal(rd(b, CR2), 2);	/* RECINVSID alone */
	wr64(b, GERROR_IRQ_CFG0, ~(uint64_t)0);	/* no MSI */
	assert_true(rd64(b, GERROR_IRQ_CFG0) == 0);
	wr64(b, 0xc0, ~(uint64_t)0);		/* PRIQ_BASE */
	assert_true(rd64(b, 0xc0) == 0);
	wr(b, 0xa8, 0xffffffff);		/* page 0 has no EVENTQ_PROD */
	assert_int_equal(rd(b, 0xa8), 0);
	wr(b, 0x500, 0xffffffff);
	assert_int_equal(rd(b, 0x500), 0);
	assert_int_equal(rd(b, 0x7fffff00), 0);
	bed_free(b);
}

static void wide_registers_in_halves(void **state)
{
	struct bed *b = bed_raw(NULL);

	(void)state;
	wr(b, STRTAB_BASE, 0x89abcdc0);
	wr(b, STRTAB_BASE + 4, 0x40012345);
	assert_true(rd64(b, STRTAB_BASE) == 0x4001234589abcdc0u);
	assert_int_equal(rd(b, STRTAB_BASE + 4), 0x40012345);
	/* two 32-bit registers with one access */
	wr64(b, EVENTQ_PROD & ~7u, (uint64_t)3 << 32 | 5);
	assert_int_equal(rd(b, EVENTQ_PROD), 5);
	assert_int_equal(rd(b, EVENTQ_CONS), 3);
	bed_free(b);
}

static void odd_accesses_do_nothing(void **state)
{
	struct bed *b = *state;
	uint32_t cr0 = rd(b, CR0);

	uiommu_sim_smmuv3_mmio_write(b->sim, CR0, 0, 2);
	uiommu_sim_smmuv3_mmio_write(b->sim, CR0 + 2, 0, 4);
	uiommu_sim_smmuv3_mmio_write(b->sim, CR0 + 4, 0, 8);
	assert_int_equal(rd(b, CR0), cr0);
	assert_true(uiommu_sim_smmuv3_mmio_read(b->sim, CR0, 1) == 0);
}

static void cr0_and_irq_ctrl_are_acknowledged(void **state)
{
	struct bed *b = bed_raw(NULL);

	(void)state;
	wr(b, CR0, 8);
	assert_int_equal(rd(b, CR0ACK), 8);
	wr(b, CR0, 0);
	assert_int_equal(rd(b, CR0ACK), 0);
	wr(b, IRQ_CTRL, 7);
	assert_int_equal(rd(b, IRQ_CTRL), 5);	/* no PRI */
	assert_int_equal(rd(b, IRQ_CTRLACK), 5);
	bed_free(b);
}

static void configuration_is_guarded_while_enabled(void **state)
{
	struct bed *b = *state;
	uint64_t strtab = rd64(b, STRTAB_BASE), cmdq = rd64(b, CMDQ_BASE);
	uint64_t evtq = rd64(b, EVENTQ_BASE);

	wr64(b, STRTAB_BASE, 0);
	wr(b, STRTAB_BASE_CFG, 0);
	wr(b, CR1, 0xfff);
	wr(b, CR2, 0);
	wr64(b, CMDQ_BASE, 0);
	wr(b, CMDQ_CONS, 7);
	wr64(b, EVENTQ_BASE, 0);
	wr(b, EVENTQ_PROD, 7);
	assert_true(rd64(b, STRTAB_BASE) == strtab && rd64(b, CMDQ_BASE) == cmdq &&
		    rd64(b, EVENTQ_BASE) == evtq);
	assert_int_equal(rd(b, STRTAB_BASE_CFG), STRTAB_LG2);
	assert_int_equal(rd(b, CR1), 0);
	assert_int_equal(rd(b, CR2), 2);
	assert_int_equal(rd(b, CMDQ_CONS), 0);
	assert_int_equal(rd(b, EVENTQ_PROD), 0);
	wr(b, CR0, 0);
	wr(b, CR1, 0xfff);
	wr64(b, STRTAB_BASE, 0);
	assert_true(rd64(b, STRTAB_BASE) == 0);
	assert_int_equal(rd(b, CR1), 0xfff);
}

static void gbpa_changes_only_with_update(void **state)
{
	struct bed *b = bed_raw(NULL);

	(void)state;
	assert_int_equal(rd(b, GBPA), 1 << 12);		/* shareability: use incoming */
	wr(b, GBPA, BIT(20));
	assert_int_equal(rd(b, GBPA), 1 << 12);
	wr(b, GBPA, (uint32_t)BIT(31) | BIT(20));
	assert_int_equal(rd(b, GBPA), BIT(20));		/* Update is clear again */
	bed_free(b);
}

static void transactions_pass_before_smmuen(void **state)
{
	struct bed *b = bed_raw(NULL);
	uint64_t v;

	(void)state;
	set_mem(b, RAM + 0x100, 0x1122334455667788);
	assert_int_equal(dma_read(b, 1234567, RAM + 0x100, &v), 0);
	assert_true(v == 0x1122334455667788);
	/* beyond the output size there is nothing */
	assert_int_equal(dma_read(b, 0, BIT(48), &v), -UIOMMU_EFAULT);
	bed_free(b);
}

static void gbpa_abort_stops_everything_silently(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	wr(b, CR0, 4 | 8);
	wr(b, GBPA, (uint32_t)BIT(31) | BIT(20));
	assert_int_equal(dma_read(b, 0, RAM, &v), -UIOMMU_EFAULT);
	no_event(b);
}

static void gbpa_abort_out_of_reset(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bed *b;
	uint64_t v;

	(void)state;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.reset_abort = true;
	b = bed_raw(&cfg);
	assert_int_equal(dma_read(b, 0, RAM, &v), -UIOMMU_EFAULT);
	bed_free(b);
}

static void several_side_by_side(void **state)
{
	struct bed *a = *state, *b = bed_new(NULL);
	struct s1 sa = stream_s1(a, 1, 1);
	uint64_t v;

	set_mem(a, sa.page, 42);
	assert_int_equal(dma_read(a, 1, VA, &v), 0);
	assert_true(v == 42);
	assert_int_equal(dma_read(b, 1, VA, &v), -UIOMMU_EFAULT);
	expect_event(b, EV(C_BAD_STE, 1), 0, 0, 0);
	no_event(a);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(id_registers_say_what_there_is),
		cmocka_unit_test(id_registers_follow_the_configuration),
		CASE(create_refuses_impossible_configurations),
		CASE(create_without_memory_leaves_nothing),
		CASE(read_only_registers_ignore_writes),
		cmocka_unit_test(reserved_bits_read_zero),
		cmocka_unit_test(registers_of_missing_features_are_res0),
		cmocka_unit_test(wide_registers_in_halves),
		CASE(odd_accesses_do_nothing),
		cmocka_unit_test(cr0_and_irq_ctrl_are_acknowledged),
		CASE(configuration_is_guarded_while_enabled),
		cmocka_unit_test(gbpa_changes_only_with_update),
		cmocka_unit_test(transactions_pass_before_smmuen),
		CASE(gbpa_abort_stops_everything_silently),
		cmocka_unit_test(gbpa_abort_out_of_reset),
		CASE(several_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
