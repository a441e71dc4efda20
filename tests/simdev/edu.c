/* SPDX-License-Identifier: MIT */
/* The edu device: QEMU's registers as QEMU's behave, and the queues on top. */
#include "fakebus.h"

#define Q(n) (0x1000u * (n))
#define BUF(n) (0x40000u + 0x1000u * (n))

static int setup_with(void **state, const struct uiommu_sim_edu_config *c)
{
	struct bus *b = calloc(1, sizeof(*b));

	bus_init(b);
	*state = b;
	if (uiommu_sim_edu_create(&b->bus, c, &b->dev))
		return -1;
	set_cfg(b, PCI_COMMAND, MEMORY | MASTER, 2);
	set_cfg(b, 0x44, (uint32_t)MEM_IOVA + MEM_BYTES - 4, 4);	/* MSI: end of memory */
	set_cfg(b, 0x48, MEM_IOVA >> 32, 4);
	set_cfg(b, 0x4c, 0x55, 2);
	set_cfg(b, 0x42, 1, 2);
	if (c->pasid_bits)
		set_cfg(b, 0x106, 1, 2);
	return 0;
}

static int setup(void **state)
{
	const struct uiommu_sim_edu_config c = { .pasid_bits = 8 };

	return setup_with(state, &c);
}

static int setup_plain(void **state)
{
	const struct uiommu_sim_edu_config c = { .plain = true };

	return setup_with(state, &c);
}

static uint32_t messages(struct bus *b)
{
	uint32_t v;

	memcpy(&v, b->mem + MEM_BYTES - 4, 4);
	memset(b->mem + MEM_BYTES - 4, 0, 4);
	return v;
}

static void start(struct bus *b, unsigned q, uint64_t src, uint64_t dst, uint64_t n, uint32_t cmd)
{
	wr64(b, Q(q) + 0x80, src);
	wr64(b, Q(q) + 0x88, dst);
	wr64(b, Q(q) + 0x90, n);
	wr(b, Q(q) + 0x98, cmd);
}

static void identification_and_liveness(void **state)
{
	struct bus *b = *state;

	assert_int_equal(rd(b, 0), 0x010000ed);
	wr(b, 0, 5);
	assert_int_equal(rd(b, 0), 0x010000ed);
	wr(b, 4, 0xa5a50000);
	assert_int_equal(rd(b, 4), 0x5a5affff);
	assert_int_equal(rd(b, 0x0c), 0xffffffff);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 4, 2), 0xffff);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 0, 8), ~0ull);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 0x82, 4), 0xffffffff);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 0x84, 4), 0xffffffff);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 0x100000, 4), 0xffffffff);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 1, 0, 4), 0xffffffff);
	set_cfg(b, PCI_COMMAND, MASTER, 2);
	assert_int_equal(rd(b, 0), 0xffffffff);		/* memory decode is off */
	wr(b, 4, 0);
	set_cfg(b, PCI_COMMAND, MASTER | MEMORY, 2);
	assert_int_equal(rd(b, 4), 0x5a5affff);
}

static void factorial(void **state)
{
	static const struct { uint32_t n, f; } t[] = {
		{ 0, 1 }, { 1, 1 }, { 5, 120 }, { 12, 479001600 }, { 13, 1932053504 },
		{ 33, 0x80000000 }, { 34, 0 }, { 0xffffffff, 0 },
	};
	struct bus *b = *state;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		wr(b, 0x08, t[i].n);
		assert_int_equal(rd(b, 0x20), 1);
		wr(b, 0x08, 3);				/* busy: ignored */
		run(b);
		assert_int_equal(rd(b, 0x20), 0);
		assert_int_equal(rd(b, 0x08), t[i].f);
		assert_int_equal(rd(b, 0x24), 0);
	}
	wr(b, 0x20, 0xffffffff);
	assert_int_equal(rd(b, 0x20), 0x80);
	wr(b, 0x08, 4);
	run(b);
	assert_int_equal(rd(b, 0x08), 24);
	assert_int_equal(rd(b, 0x24), 1);
	assert_int_equal(messages(b), 0x55);
}

static void raising_and_acknowledging(void **state)
{
	struct bus *b = *state;

	wr(b, 0x60, 0x30);
	wr(b, 0x60, 0x01);
	run(b);
	assert_int_equal(rd(b, 0x24), 0x31);
	assert_int_equal(messages(b), 0x55);
	assert_int_equal(b->last.pasid, NO_PASID);
	wr(b, 0x64, 0x11);
	assert_int_equal(rd(b, 0x24), 0x20);
	run(b);
	assert_int_equal(messages(b), 0);
	wr(b, 0x64, 0x20);
	wr(b, 0x60, 0);			/* nothing pending: no message */
	run(b);
	assert_int_equal(messages(b), 0);
	assert_int_equal(rd(b, 0x60), 0xffffffff);
}

static void dma_there_and_back(void **state)
{
	struct bus *b = *state;

	for (unsigned i = 0; i < 4096; i++)
		b->mem[i] = (uint8_t)(i * 7 + (i >> 8));
	start(b, 0, MEM_IOVA, BUF(0), 4096, 1);
	assert_int_equal(rd(b, 0x98), 1);
	assert_true(b->kicks > 0);
	wr64(b, 0x80, 0);		/* runs: ignored */
	wr(b, 0x98, 7);
	run(b);
	assert_int_equal(rd(b, 0x98), 0);
	assert_int_equal(uiommu_sim_bar_read(b->dev, 0, 0x80, 8), MEM_IOVA);
	assert_int_equal(rd(b, 0x24), 0);
	assert_false(b->last.write);
	start(b, 0, BUF(0) + 16, MEM_IOVA + 4096, 4080, 1 | 2 | 4);
	run(b);
	assert_memory_equal(b->mem + 4096, b->mem + 16, 4080);
	assert_int_equal(rd(b, 0x98), 6);	/* RUN alone goes away */
	assert_int_equal(rd(b, 0x24), 0x100);
	assert_int_equal(messages(b), 0x55);
}

static void buffer_bounds(void **state)
{
	struct bus *b = *state;
	static const struct { uint64_t at, n; } bad[] = {
		{ 0x3ffff, 1 }, { 0x40000, 4097 }, { 0x40fff, 2 }, { 0x41000, 1 },
		{ 0x40001, 4096 }, { 0x40000, ~0ull }, { ~0ull, 2 }, { 0x41000, 0 + 1 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start(b, 0, bad[i].at, MEM_IOVA, bad[i].n, 1 | 2);
		run(b);
		assert_int_equal(rd(b, 0xa8), 7);
		start(b, 0, MEM_IOVA, bad[i].at, bad[i].n, 1);
		run(b);
		assert_int_equal(rd(b, 0xa8), 7);
	}
	assert_int_equal(b->dmas, 0);
	start(b, 0, BUF(0), MEM_IOVA, 0, 1 | 2);
	run(b);
	assert_int_equal(rd(b, 0xa8), 1);
	assert_int_equal(b->dmas, 0);
}

static void result_says_aborted(void **state)
{
	struct bus *b = *state;

	start(b, 0, BUF(0), 0xdead000, 64, 1 | 2 | 4);
	assert_int_equal(rd(b, 0xa8), 0);
	run(b);
	assert_int_equal(rd(b, 0xa8), 3);
	assert_int_equal(rd(b, 0x24), 0x100);		/* done all the same */
	wr(b, 0xa8, 0);
	assert_int_equal(rd(b, 0xa8), 3);		/* read-only */
	start(b, 0, BUF(0), MEM_IOVA, 64, 1 | 2);
	assert_int_equal(rd(b, 0xa8), 0);		/* until it is done again */
	run(b);
	assert_int_equal(rd(b, 0xa8), 1);
	set_cfg(b, PCI_COMMAND, MEMORY, 2);
	start(b, 0, BUF(0), MEM_IOVA, 64, 1 | 2);
	run(b);
	assert_int_equal(rd(b, 0xa8), 7);
}

static void queues_are_apart(void **state)
{
	struct bus *b = *state;

	for (unsigned q = 0; q < 3; q++) {
		memset(b->mem, 'a' + (int)q, 64);
		start(b, q, MEM_IOVA, BUF(q), 64, 1);
		run(b);
	}
	for (unsigned q = 0; q < 3; q++) {
		start(b, q, BUF(q), MEM_IOVA + 64 * q, 64, 1 | 2 | 4);
		/* another queue's buffer is out of bounds */
		if (q)
			start(b, q - 1, BUF(q), MEM_IOVA, 64, 1 | 2);
		run(b);
		assert_int_equal(rd(b, Q(q) + 0xa8), 1);
		if (q)
			assert_int_equal(rd(b, Q(q - 1) + 0xa8), 7);
		assert_int_equal(rd(b, 0x24), 0x100u << q);
		wr(b, 0x64, 0xffffffff);
	}
	for (unsigned i = 0; i < 3 * 64; i++)
		assert_int_equal(b->mem[i], 'a' + i / 64);
	assert_int_equal(rd(b, Q(3) + 0xa8), 0xffffffff);	/* there is no fourth */
	assert_int_equal(rd(b, Q(3) + 0x80), 0xffffffff);
}

static void pasid_of_a_queue(void **state)
{
	struct bus *b = *state;

	wr(b, Q(1) + 0xa0, 0x800000ff);
	wr(b, Q(2) + 0xa0, 0x7ff00007);			/* not valid: untagged */
	assert_int_equal(rd(b, Q(1) + 0xa0), 0x800000ff);
	assert_int_equal(rd(b, Q(2) + 0xa0), 7);
	start(b, 1, BUF(1), MEM_IOVA, 8, 1 | 2);
	run(b);
	assert_int_equal(b->last.pasid, 0xff);
	start(b, 2, BUF(2), MEM_IOVA, 8, 1 | 2);
	run(b);
	assert_int_equal(b->last.pasid, NO_PASID);
	wr(b, Q(2) + 0xa0, 0x80000000);			/* PASID 0 is one, on the bus */
	start(b, 2, BUF(2), MEM_IOVA, 8, 1 | 2);
	run(b);
	assert_int_equal(b->last.pasid, 0);
	wr(b, Q(1) + 0xa0, 0x80000100);			/* wider than 8 bits */
	start(b, 1, BUF(1), MEM_IOVA, 8, 1 | 2);
	run(b);
	assert_int_equal(rd(b, Q(1) + 0xa8), 7);
	set_cfg(b, 0x106, 0, 2);
	start(b, 2, BUF(2), MEM_IOVA, 8, 1 | 2);
	run(b);
	assert_int_equal(rd(b, Q(2) + 0xa8), 7);
	assert_int_equal(b->dmas, 3);
}

static void queues_take_turns(void **state)
{
	struct bus *b = *state;
	unsigned order[4];

	for (unsigned q = 0; q < 3; q++)
		start(b, q, BUF(q), MEM_IOVA + 16 * q, 8, 1 | 2);
	for (unsigned i = 0; i < 4; i++) {
		uiommu_sim_step(b->dev);
		order[i] = (unsigned)(b->last.iova - MEM_IOVA) / 16;
		if (!i)		/* queue 0 again: behind the others */
			start(b, 0, BUF(0), MEM_IOVA, 8, 1 | 2);
	}
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 2);
	assert_int_equal(order[3], 0);
	assert_false(uiommu_sim_step(b->dev));
}

static void reset_forgets(void **state)
{
	struct bus *b = *state;

	memset(b->mem, 'x', 64);
	start(b, 0, MEM_IOVA, BUF(0), 64, 1);
	run(b);
	wr(b, 0xa0, 0x80000003);
	wr(b, 0x60, 1);
	wr(b, 0x08, 5);
	start(b, 0, BUF(0), MEM_IOVA + 64, 64, 1 | 2 | 4);
	uiommu_sim_reset(b->dev);
	assert_false(uiommu_sim_step(b->dev));
	assert_int_equal(b->dmas, 1);
	set_cfg(b, PCI_COMMAND, MEMORY | MASTER, 2);
	assert_int_equal(rd(b, 0x24), 0);
	assert_int_equal(rd(b, 0x20), 0);
	assert_int_equal(rd(b, 0xa0), 0);
	assert_int_equal(rd(b, 0xa8), 0);
	start(b, 0, BUF(0), MEM_IOVA + 64, 64, 1 | 2);
	run(b);
	for (unsigned i = 64; i < 128; i++)
		assert_int_equal(b->mem[i], 0);		/* nothing leaks through the buffer */
}

static void plain_is_qemus(void **state)
{
	struct bus *b = *state;

	assert_int_equal(cfg(b, 0x100, 4), 0);		/* no extended capabilities */
	assert_int_equal(rd(b, 0xa0), 0xffffffff);
	assert_int_equal(rd(b, 0xa8), 0xffffffff);
	assert_int_equal(rd(b, 0x1080), 0xffffffff);
	wr(b, 0xa0, 0x80000001);
	start(b, 0, BUF(0), MEM_IOVA, 16, 1 | 2);
	run(b);
	assert_int_equal(b->last.pasid, NO_PASID);
	assert_int_equal(rd(b, 0x98), 2);
}

static void bad_configurations(void **state)
{
	struct bus *b = *state;
	struct uiommu_sim_dev *d = NULL;
	struct uiommu_sim_edu_config c = { .pasid_bits = 21 };

	assert_int_equal(uiommu_sim_edu_create(&b->bus, &c, &d), -UIOMMU_EINVAL);
	c = (struct uiommu_sim_edu_config){ .queues = 9 };
	assert_int_equal(uiommu_sim_edu_create(&b->bus, &c, &d), -UIOMMU_EINVAL);
	c.queues = 8;
	b->fail_alloc = 1;
	assert_int_equal(uiommu_sim_edu_create(&b->bus, &c, &d), -UIOMMU_ENOMEM);
	b->fail_alloc = 0;
	assert_null(d);
	assert_int_equal(uiommu_sim_edu_create(&b->bus, &c, &d), 0);
	uiommu_sim_cfg_write(d, PCI_COMMAND, MEMORY, 2);
	assert_int_equal(uiommu_sim_bar_read(d, 0, Q(7) + 0xa8, 4), 0);
	assert_int_equal(uiommu_sim_bar_read(d, 0, Q(8) + 0xa8, 4), 0xffffffff);
	uiommu_sim_destroy(d);
	uiommu_sim_destroy(NULL);
}

#define ATS	0x110
#define PRI	0x120
#define RESULT	0xa8
#define WAITING	0x100u

static int setup_faulting(void **state)
{
	const struct uiommu_sim_edu_config c = { .pasid_bits = 8, .ats = true, .pri = true };
	int ret = setup_with(state, &c);

	set_cfg(*state, PRI + 12, 6, 4);
	set_cfg(*state, PRI + 4, 1, 2);
	return ret;
}

static void asks_for_its_pages(void **state)
{
	struct bus *b = *state;

	assert_int_equal(cfg(b, ATS, 2), 0x0f);
	assert_int_equal(cfg(b, ATS + 4, 2), 0x60);	/* page-aligned requests, Global */
	assert_int_equal(cfg(b, PRI, 2), 0x13);
	assert_int_equal(cfg(b, PRI + 6, 2), 0x8000);	/* answers carry the PASID; running */
	assert_int_equal(cfg(b, PRI + 8, 4), 6);
	b->no_translation = true;
	wr(b, Q(1) + 0xa0, 0x80000005);
	start(b, 1, MEM_IOVA + 0xff8, BUF(1), 16, 1);
	run(b);
	assert_int_equal(b->num_asked, 2);
	assert_int_equal(b->asked[0].pasid, 5);
	assert_int_equal(b->asked[0].prgi, 1);
	assert_int_equal(b->asked[0].iova, MEM_IOVA);
	assert_false(b->asked[0].last);
	assert_int_equal(b->asked[1].iova, MEM_IOVA + 0x1000);
	assert_true(b->asked[1].last);
	assert_false(b->asked[1].write);
	assert_int_equal(rd(b, Q(1) + RESULT), WAITING);
	assert_int_equal(rd(b, Q(1) + 0x98) & 1, 1);
	/* another queue goes on, and an answer to nobody is nothing */
	wr(b, Q(0) + 0xa0, 0x80000005);
	uiommu_sim_page_response(b->dev, 0, 2);
	uiommu_sim_page_response(b->dev, 500, 2);
	b->no_translation = false;
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);
	run(b);
	assert_int_equal(rd(b, Q(0) + RESULT), 1);
	assert_int_equal(rd(b, Q(1) + RESULT), WAITING);
	uiommu_sim_page_response(b->dev, 1, 2);
	assert_int_equal(b->kicks > 0, 1);
	run(b);
	assert_int_equal(rd(b, Q(1) + RESULT), 1);
	assert_int_equal(b->num_asked, 2);
}

static void an_answer_before_the_question_is_out(void **state)
{
	struct bus *b = *state;

	b->no_translation = true;
	b->at_once = 1;
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);
	run(b);
	assert_int_equal(rd(b, Q(0) + RESULT), 3);
	b->at_once = 0;			/* failure: it asks no more */
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);
	run(b);
	assert_int_equal(rd(b, Q(0) + RESULT), 3);
	assert_int_equal(cfg(b, PRI + 6, 2) & 1, 1);
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);
	run(b);
	assert_int_equal(rd(b, Q(0) + RESULT), 3);
	assert_int_equal(b->num_asked, 2);
	set_cfg(b, PRI + 4, 0, 2);
	assert_int_equal(cfg(b, PRI + 6, 2) & 0x100, 0x100);
	set_cfg(b, PRI + 4, 2, 2);
	set_cfg(b, PRI + 4, 1, 2);
	assert_int_equal(cfg(b, PRI + 6, 2), 0x8000);
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);
	run(b);
	assert_int_equal(b->num_asked, 3);
}

static void reset_while_it_waits(void **state)
{
	struct bus *b = *state;

	b->no_translation = true;
	start(b, 2, MEM_IOVA, BUF(2), 8, 1);
	run(b);
	uiommu_sim_reset(b->dev);
	uiommu_sim_page_response(b->dev, 2, 2);
	run(b);
	assert_int_equal(b->dmas, 1);
	assert_int_equal(cfg(b, PRI + 4, 2), 0);
	set_cfg(b, PCI_COMMAND, MEMORY | MASTER, 2);
	start(b, 0, MEM_IOVA, BUF(0), 8, 1);	/* PRI is off now */
	run(b);
	assert_int_equal(rd(b, Q(0) + RESULT), 3);
	assert_int_equal(b->num_asked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(identification_and_liveness, setup, teardown),
		cmocka_unit_test_setup_teardown(factorial, setup, teardown),
		cmocka_unit_test_setup_teardown(raising_and_acknowledging, setup, teardown),
		cmocka_unit_test_setup_teardown(dma_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(buffer_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(result_says_aborted, setup, teardown),
		cmocka_unit_test_setup_teardown(queues_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(pasid_of_a_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(queues_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_forgets, setup, teardown),
		cmocka_unit_test_setup_teardown(plain_is_qemus, setup_plain, teardown),
		cmocka_unit_test_setup_teardown(bad_configurations, setup, teardown),
		cmocka_unit_test_setup_teardown(asks_for_its_pages, setup_faulting, teardown),
		cmocka_unit_test_setup_teardown(an_answer_before_the_question_is_out,
						setup_faulting, teardown),
		cmocka_unit_test_setup_teardown(reset_while_it_waits, setup_faulting, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
