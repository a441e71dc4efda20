/* SPDX-License-Identifier: MIT */
/*
 * races.c - what orders two threads, and what does not: sim/hostile/race.c
 *
 * Under each of some seeds, whoever comes first: what is found does not depend on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <uiommu/host.h>
#include <uiommu/sim/hostile.h>

#define SEEDS 20

struct shared {
	uint64_t lock, word, other, turn;
	struct uiommu_retire retire;
};

typedef void part(struct shared *s);

static struct shared *shared;

static void run_part(void *fn)
{
	(*(part *const *)fn)(shared);
}

/* What is said of the two, under all seeds; NULL: nothing. */
static void expect(part *first, part *second, const char *says)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		const struct uiommu_hostile_config cfg = {
			.seed = seed, .bytes = 2 << 20, .coherent = true, .limit = 100000,
		};
		struct uiommu_hostile *h;
		const char *why;

		assert_int_equal(uiommu_hostile_create(&cfg, &h), 0);
		shared = uiommu_hostile_alloc(sizeof(*shared));
		uiommu_hostile_spawn(h, "first", run_part, &first, false);
		uiommu_hostile_spawn(h, "second", run_part, &second, false);
		why = uiommu_hostile_run(h);
		if (!says && why)
			fail_msg("seed %u: %s", (unsigned)seed, why);
		if (says && (!why || !strstr(why, says)))
			fail_msg("seed %u: %s", (unsigned)seed, why ? why : "nothing is said");
		uiommu_hostile_destroy(h);
	}
}

/* ---- what they do ---- */

static void read_word(struct shared *s)
{
	uiommu_hostile_plain(&s->word, 8, false, __builtin_return_address(0));
}

static void write_word(struct shared *s)
{
	uiommu_hostile_plain(&s->word, 8, true, __builtin_return_address(0));
	uiommu_hostile_yield();
}

static void write_low_half(struct shared *s)
{
	uiommu_hostile_plain(&s->word, 4, true, __builtin_return_address(0));
}

static void write_high_half(struct shared *s)
{
	uiommu_hostile_plain((char *)&s->word + 4, 4, true, __builtin_return_address(0));
}

static void write_across(struct shared *s)
{
	uiommu_hostile_plain((char *)&s->word + 4, 8, true, __builtin_return_address(0));
}

static void write_next(struct shared *s)
{
	uiommu_hostile_plain(&s->other, 4, true, __builtin_return_address(0));
}

static void write_atomically(struct shared *s)
{
	uiommu_hostile_atomic(&s->word, 8, true, __builtin_return_address(0));
}

static void store_word(struct shared *s)
{
	uiommu_hostile_store64(&s->word, 1);
}

static void compare_word(struct shared *s)
{
	uiommu_hostile_cmpxchg64(&s->word, 0, 1);
}

static void locked(struct shared *s)
{
	uiommu_hostile_lock(&s->lock);
	write_word(s);
	store_word(s);
	uiommu_hostile_unlock(&s->lock);
}

static void behind_barriers(struct shared *s)
{
	uiommu_hostile_mb();
	write_word(s);
	uiommu_hostile_mb();
}

static void publish(struct shared *s)
{
	write_word(s);
	uiommu_hostile_store_release(&s->turn, 1);
}

static void wait_and_write(struct shared *s)
{
	while (!uiommu_hostile_load_acquire(&s->turn))
		uiommu_hostile_wait();
	write_word(s);
}

static void wait_carelessly(struct shared *s)
{
	while (!uiommu_hostile_load64(&s->turn))
		uiommu_hostile_wait();
	write_word(s);
}

static void on_retired(struct uiommu_retire *r)
{
	write_word(shared);
	(void)r;
}

static void retire(struct shared *s)
{
	uiommu_hostile_retire(&s->retire);
}

static void read_within(struct shared *s)
{
	uiommu_hostile_read_enter();
	if (!s->retire.fn)
		read_word(s);
	uiommu_hostile_read_leave();
}

static void hand_over(struct shared *s)
{
	write_word(s);
	uiommu_hostile_handover();
	s->turn = 1;
}

static void take_over(struct shared *s)
{
	while (!s->turn)
		uiommu_hostile_wait();
	uiommu_hostile_handover();
	write_word(s);
}

static void one_after_another(struct shared *s)
{
	void *p = uiommu_hostile_alloc(64);

	uiommu_hostile_plain(p, 8, true, __builtin_return_address(0));
	uiommu_hostile_free(p, 64);
	(void)s;
}

/* ---- cases ---- */

static void two_writers_are_found(void **state)
{
	(void)state;
	expect(write_word, write_word, "writes +0x8, which");
	expect(write_word, read_word, "and nothing orders the two");
	expect(read_word, read_word, NULL);
}

static void bytes_count(void **state)
{
	(void)state;
	expect(write_low_half, write_high_half, NULL);
	expect(write_word, write_high_half, "nothing orders");
	expect(write_across, write_next, "+0x10, which");
	expect(write_across, write_low_half, NULL);
}

static void a_lock_orders_and_barriers_do_not(void **state)
{
	(void)state;
	expect(locked, locked, NULL);
	expect(locked, write_word, "nothing orders");
	expect(behind_barriers, behind_barriers, "nothing orders");
}

static void atomics_may_meet(void **state)
{
	(void)state;
	expect(write_atomically, write_atomically, NULL);
	expect(write_atomically, write_word, "nothing orders");
	expect(write_atomically, store_word, NULL);
	expect(compare_word, compare_word, NULL);
}

static void one_thread_at_a_time_stores_to_an_entry(void **state)
{
	(void)state;
	expect(store_word, store_word, "nothing orders");
	expect(store_word, write_word, "nothing orders");
}

static void a_release_is_seen_by_an_acquire(void **state)
{
	(void)state;
	expect(publish, wait_and_write, NULL);
	expect(publish, wait_carelessly, "nothing orders");
}

static void calls_are_ordered_where_they_do_not_overlap(void **state)
{
	(void)state;
	expect(hand_over, take_over, NULL);
}

static void arm(struct shared *s)
{
	s->retire.fn = on_retired;
	retire(s);
}

static void who_waited_for_readers_comes_after_them(void **state)
{
	(void)state;
	expect(arm, read_within, NULL);
}

static void memory_that_is_given_out_again_is_new(void **state)
{
	(void)state;
	expect(one_after_another, one_after_another, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_writers_are_found),
		cmocka_unit_test(bytes_count),
		cmocka_unit_test(a_lock_orders_and_barriers_do_not),
		cmocka_unit_test(atomics_may_meet),
		cmocka_unit_test(one_thread_at_a_time_stores_to_an_entry),
		cmocka_unit_test(a_release_is_seen_by_an_acquire),
		cmocka_unit_test(calls_are_ordered_where_they_do_not_overlap),
		cmocka_unit_test(who_waited_for_readers_comes_after_them),
		cmocka_unit_test(memory_that_is_given_out_again_is_new),
	};

	return cmocka_run_group_tests_name("sim/races", tests, NULL, NULL);
}
