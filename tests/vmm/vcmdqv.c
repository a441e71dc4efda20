/* SPDX-License-Identifier: MIT */
/*
 * The virtual CMDQV of examples/vmm: what it gives to the host and when, and which accesses
 * are none of its business.
 */
#include "rig.h"

#define CONFIG		CMDQV_CONFIG
#define VINTF(reg)	(CMDQV_AT_VINTF + VINTF_##reg)
#define ALLOC(q)	(CMDQV_CMDQ_ALLOC + 4 * (q))
#define BY_NUMBER0(q)	(CMDQV_AT_VCMDQ_PAGE0 + CMDQV_STRIDE_VCMDQ * (q))
#define BY_NUMBER1(q)	(CMDQV_AT_VCMDQ_PAGE1 + CMDQV_STRIDE_VCMDQ * (q))
#define PAGE0(q)	(CMDQV_AT_VINTF_PAGE0 + CMDQV_STRIDE_VCMDQ * (q))
#define PAGE1(q)	(PAGE0(q) + CMDQV_STRIDE_PAGE)
#define RING(q)		(BOARD_RAM + 0x10000ull * ((q) + 1))
#define LG2		8u

static _Alignas(8) uint8_t page[0x10000];

static uint32_t rd(uint64_t off)
{
	return vcmdqv_mmio_ops.read32(&vm.cmdqv, off);
}

static void wr(uint64_t off, uint32_t v)
{
	vcmdqv_mmio_ops.write32(&vm.cmdqv, off, v);
}

static void wr64(uint64_t off, uint64_t v)
{
	vcmdqv_mmio_ops.write64(&vm.cmdqv, off, v);
}

static uint32_t *in_page(unsigned q, unsigned reg)
{
	return (uint32_t *)(void *)(page + CMDQV_STRIDE_VCMDQ * q + reg);
}

static int setup(void **state)
{
	const struct host_cmdqv h = { .version = 1, .queues_lg2 = 5, .sids_lg2 = 4 };

	rig_reset();
	memset(page, 0, sizeof(page));
	vsmmu_init(&vm.smmu, &vm, &(struct host_smmu){ .pasid_bits = 0 });
	vcmdqv_init(&vm.cmdqv, &vm, &h, page, sizeof(page));
	return 0;
}

static void turn_on(void)
{
	wr(CONFIG, FMASK(CMDQV_CONFIG_CMDQV_EN));
	wr(VINTF(CONFIG), FMASK(VINTF_CONFIG_EN));
}

static void give(unsigned q)
{
	wr(ALLOC(q), FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED) | FPREP(CMDQV_CMDQ_ALLOC_LVCMDQ, q));
	wr64(PAGE1(q) + VCMDQ_BASE, RING(q) | LG2);
}

static bool has(unsigned q)
{
	return host.queue[q].bytes == 16ull << LG2 && host.queue[q].base == RING(q);
}

static void says_what_it_is(void **state)
{
	uint32_t param = rd(CMDQV_PARAM);

	assert_int_equal(FGET(CMDQV_PARAM_NUM_VINTF_LOG2, param), 0);
	assert_int_equal(FGET(CMDQV_PARAM_NUM_VCMDQ_LOG2, param), VCMDQV_QUEUES_LG2);
	assert_int_equal(FGET(CMDQV_PARAM_NUM_SID_PER_VM_LOG2, param), 4);
	assert_int_equal(FGET(CMDQV_PARAM_VER, param), 1);
	wr(CMDQV_PARAM, 0);
	assert_int_equal(rd(CMDQV_PARAM), param);
	assert_int_equal(rd(CMDQV_STATUS), 0);
	assert_int_equal(rd(VINTF(STATUS)), 0);
	wr(CONFIG, FMASK(CMDQV_CONFIG_CMDQV_EN));
	assert_int_equal(rd(CMDQV_STATUS), FMASK(CMDQV_STATUS_CMDQV_ENABLED));
	wr(VINTF(CONFIG), FMASK(VINTF_CONFIG_EN) | FMASK(VINTF_CONFIG_HYP_OWN));
	assert_int_equal(rd(VINTF(CONFIG)), FMASK(VINTF_CONFIG_EN));	/* a guest's, not a host's */
	assert_int_equal(rd(VINTF(STATUS)), FMASK(VINTF_STATUS_ENABLED));
	wr(VINTF(SID_MATCH), 3);			/* whose devices are whose the host knows */
	assert_int_equal(rd(VINTF(SID_MATCH)), 0);
	assert_int_equal(rd(VCMDQV_BYTES - 4), 0);
}

/* Whatever comes last. */
static void a_queue_goes_to_the_host_when_all_is_said(void **state)
{
	for (unsigned last = 0; last < 4; last++) {
		setup(state);
		if (last != 0)
			wr(CONFIG, FMASK(CMDQV_CONFIG_CMDQV_EN));
		if (last != 1)
			wr(VINTF(CONFIG), FMASK(VINTF_CONFIG_EN));
		if (last != 2)
			wr(ALLOC(0), FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED));
		if (last != 3)
			wr64(BY_NUMBER1(0) + VCMDQ_BASE, RING(0) | LG2);
		assert_false(has(0));
		switch (last) {
		case 0:
			wr(CONFIG, FMASK(CMDQV_CONFIG_CMDQV_EN));
			break;
		case 1:
			wr(VINTF(CONFIG), FMASK(VINTF_CONFIG_EN));
			break;
		case 2:
			wr(ALLOC(0), FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED));
			break;
		default:
			wr64(PAGE1(0) + VCMDQ_BASE, RING(0) | LG2);
		}
		assert_true(has(0));
		assert_int_equal(rd(PAGE1(0) + VCMDQ_BASE), (uint32_t)(RING(0) | LG2));
		assert_int_equal(host.queues_made, 1);
	}
}

static void from_number_0_up_and_back_from_the_top(void **state)
{
	turn_on();
	give(1);
	assert_false(has(1));
	give(0);
	assert_true(has(0) && has(1));
	wr(ALLOC(0), 0);
	assert_false(has(0) || has(1));
	wr(ALLOC(0), FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED));
	assert_true(has(0) && has(1));
	wr(ALLOC(1), 0);
	assert_true(has(0) && !has(1));
	wr(VINTF(CONFIG), 0);
	assert_false(has(0));
	wr(VINTF(CONFIG), FMASK(VINTF_CONFIG_EN));
	assert_true(has(0));
	/* elsewhere: it is another one */
	wr64(PAGE1(0) + VCMDQ_BASE, RING(2) | LG2);
	assert_int_equal(host.queue[0].base, RING(2));
	assert_int_equal(host.queues_made, 6);
	wr(CONFIG, 0);
	assert_int_equal(host.queue[0].bytes, 0);
}

static void one_that_the_host_does_not_take(void **state)
{
	turn_on();
	host.refuse_queue = EINVAL;
	give(0);
	give(1);
	assert_int_equal(host.queues_made, 0);
	host.refuse_queue = 0;
	wr64(PAGE1(0) + VCMDQ_BASE, RING(0) | LG2);
	assert_true(has(0) && has(1));
	/* beyond what there is */
	wr(ALLOC(VCMDQV_QUEUES), FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED));
	wr64(PAGE1(VCMDQV_QUEUES) + VCMDQ_BASE, RING(2) | LG2);
	assert_int_equal(rd(ALLOC(VCMDQV_QUEUES)), 0);
	assert_int_equal(host.queues_made, 2);
}

static void page_0_is_no_exit(void **state)
{
	uint64_t exits;

	turn_on();
	give(0);
	exits = vm.cmdqv.exits;
	wr(PAGE0(0) + VCMDQ_PROD, 17);
	wr64(PAGE0(1) + VCMDQ_CONS, 0x500000003ull);
	assert_int_equal(*in_page(0, VCMDQ_PROD), 17);
	assert_int_equal(*in_page(1, VCMDQ_CONS), 3);
	assert_int_equal(*in_page(1, VCMDQ_PROD), 5);
	*in_page(0, VCMDQ_CONS) = 9;
	assert_int_equal(rd(PAGE0(0) + VCMDQ_CONS), 9);
	assert_int_equal(vm.cmdqv.exits, exits);
	/* by number it is the same, and one */
	wr(BY_NUMBER0(0) + VCMDQ_PROD, 18);
	assert_int_equal(*in_page(0, VCMDQ_PROD), 18);
	assert_int_equal(rd(BY_NUMBER0(0) + VCMDQ_CONS), 9);
	assert_int_equal(vm.cmdqv.exits, exits + 2);
}

static void a_queue_that_stops_is_told(void **state)
{
	const uint64_t map[2] = { 2, 0 }, none[2] = { 0, 0 };

	turn_on();
	give(0);
	give(1);
	*in_page(1, VCMDQ_GERROR) = FMASK(VCMDQ_GERROR_CMDQ_ERR);
	vcmdqv_error(&vm.cmdqv, none);
	assert_int_equal(vm.irqs, 0);
	vcmdqv_error(&vm.cmdqv, map);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_CMDQV);
	assert_int_equal(rd(CMDQV_VINTF_ERR_MAP), 1);
	assert_int_equal(rd(CMDQV_CMDQ_ERR_MAP), 2);
	assert_int_equal(rd(VINTF(LVCMDQ_ERR_MAP_64)), 2);
	assert_int_equal(FGET(VINTF_STATUS_STATUS, rd(VINTF(STATUS))), VINTF_STATUS_STATUS_VCMDQ_ERROR);
	wr(PAGE0(1) + VCMDQ_GERRORN, FMASK(VCMDQ_GERROR_CMDQ_ERR));
	assert_int_equal(rd(CMDQV_VINTF_ERR_MAP), 0);
	vm.irqs = 0;
	wr(CMDQV_VINTF_INT_MASK, 1);
	vcmdqv_error(&vm.cmdqv, map);
	assert_int_equal(vm.irqs, 0);
	/* acknowledged meanwhile: there is nothing to tell */
	wr(CMDQV_VINTF_INT_MASK, 0);
	assert_int_equal(vm.irqs, 0);
	wr(CMDQV_VINTF_INT_MASK, 1);
	*in_page(1, VCMDQ_GERROR) = 0;
	vcmdqv_error(&vm.cmdqv, map);
	assert_int_equal(vm.irqs, 0);
	wr(CMDQV_VINTF_INT_MASK, 0);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_CMDQV);
	vm.irqs = 0;
	wr(CMDQV_VINTF_INT_MASK, 0);
	assert_int_equal(vm.irqs, 0);
}

/* ---- with a temper ---- */

#define SEEDS	50u

/* What is on or off STATUS says later, and until then it is as it was. */
static void switches_are_late(void **state)
{
	unsigned looks = 0;

	for (uint64_t n = 1; n <= SEEDS; n++) {
		setup(state);
		temper_init(&vm.smmu.temper, n * 0x9e3779b97f4a7c15ull);
		give(0);
		turn_on();
		for (; !(rd(VINTF(STATUS)) & FMASK(VINTF_STATUS_ENABLED)); looks++)
			assert_false(has(0));
		assert_true(has(0));
		/* what says where it is does so at once */
		wr64(PAGE1(0) + VCMDQ_BASE, RING(2) | LG2);
		assert_int_equal(host.queue[0].base, RING(2));
		wr(n & 1 ? CONFIG : VINTF(CONFIG), 0);
		for (; rd(VINTF(STATUS)) & FMASK(VINTF_STATUS_ENABLED); looks++)
			assert_int_not_equal(host.queue[0].bytes, 0);
		assert_int_equal(host.queue[0].bytes, 0);
	}
	assert_true(looks > 10);
}

/* A guest may change its mind meanwhile. */
static void off_and_on_again(void **state)
{
	unsigned stayed = 0;

	for (uint64_t n = 1; n <= SEEDS; n++) {
		setup(state);
		turn_on();
		give(0);
		temper_init(&vm.smmu.temper, n * 0x9e3779b97f4a7c15ull);
		wr(CONFIG, 0);
		wr(CONFIG, FMASK(CMDQV_CONFIG_CMDQV_EN));
		while (!rd(CMDQV_STATUS))
			;
		assert_true(has(0));
		assert_true(host.queues_made == 1 || host.queues_made == 2);
		stayed += host.queues_made == 1;
	}
	assert_true(stayed && stayed < SEEDS);
}

static void interrupts_are_late(void **state)
{
	const uint64_t map[2] = { 1, 0 };
	unsigned late = 0;

	for (uint64_t n = 1; n <= SEEDS; n++) {
		setup(state);
		turn_on();
		give(0);
		temper_init(&vm.smmu.temper, n * 0x9e3779b97f4a7c15ull);
		vcmdqv_error(&vm.cmdqv, map);
		late += !vm.irqs;
		assert_true(vm.irqs || vsmmu_has_news(&vm.smmu));
		while (!vm.irqs)
			vsmmu_idle(&vm.smmu);
		assert_int_equal(vm.irqs, 1u << BOARD_IRQ_CMDQV);
		assert_false(vsmmu_has_news(&vm.smmu));
		/* it was one */
		vm.irqs = 0;
		for (unsigned i = 0; i < 20; i++)
			vsmmu_idle(&vm.smmu);
		assert_int_equal(vm.irqs, 0);
	}
	assert_true(late && late < SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_what_it_is, setup),
		cmocka_unit_test_setup(a_queue_goes_to_the_host_when_all_is_said, setup),
		cmocka_unit_test_setup(from_number_0_up_and_back_from_the_top, setup),
		cmocka_unit_test_setup(one_that_the_host_does_not_take, setup),
		cmocka_unit_test_setup(page_0_is_no_exit, setup),
		cmocka_unit_test_setup(a_queue_that_stops_is_told, setup),
		cmocka_unit_test_setup(switches_are_late, setup),
		cmocka_unit_test_setup(off_and_on_again, setup),
		cmocka_unit_test_setup(interrupts_are_late, setup),
	};

	return cmocka_run_group_tests_name("vcmdqv", tests, NULL, NULL);
}
