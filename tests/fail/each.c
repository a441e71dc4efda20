/* SPDX-License-Identifier: MIT */
/* each.c - see each.h */
#include <execinfo.h>
#include <stdio.h>

#include "each.h"

#define INSTANCES	4
#define CALLS_MAX	20000
#define ENTRIES_MAX	20000
#define FRAMES		64
#define TIMES		2		/* that the same way to a call is taken */

static const struct {
	const char *name;
	int err;
} host_calls[HOST_CALLS] = {
	[HOST_ALLOC] = { "alloc", -UIOMMU_ENOMEM },
	[HOST_TABLE] = { "table_alloc", -UIOMMU_ENOMEM },
	[HOST_LOCK] = { "lock_init", -UIOMMU_ENOMEM },
	[HOST_IRQ] = { "irq_request", -UIOMMU_ENOMEM },
	[HOST_MMIO] = { "mmio_map", -UIOMMU_ENOMEM },
	[HOST_PIN] = { "pin", -UIOMMU_ENOMEM },
	[HOST_PIN_FAULT] = { "pin", -UIOMMU_EFAULT },
	[HOST_COPY_IN] = { "copy_in", -UIOMMU_EFAULT },
	[HOST_COPY_OUT] = { "copy_out", -UIOMMU_EFAULT },
	[HOST_FILE_GET] = { "file_get", -UIOMMU_ENOMEM },
	[HOST_FILE_GIVE] = { "file_give", -UIOMMU_ENOMEM },
	[HOST_FILE_GIVE_FAULT] = { "file_give", -UIOMMU_EFAULT },
	[HOST_AS] = { "as_get", 0 },
	[HOST_MSI] = { "msi_alloc", -UIOMMU_ENOMEM },
};

/*
 * Calls that do without what was refused. Those that want an IOVA look through what
 * caches hold when there is no memory for more of them, and may find one, or none.
 */
static const struct {
	const char *entry;
	enum host_call what;
	int err;
} does_without[] = {
	{ "uiommu_dma_map", HOST_ALLOC, 0 },
	{ "uiommu_dma_map", HOST_ALLOC, -UIOMMU_ENOSPC },
	{ "uiommu_dma_map_sg", HOST_ALLOC, 0 },
};

/* Tests that cannot be told that a call was made twice, and why. */
static const struct {
	const char *test, *why;
} left_out[] = {
	{ "a_bind_resets_the_function_and_takes_its_dma", "counts resets" },
	{ "invariant_01_one_domain_behind_two_iommus", "counts tags" },
	{ "invariant_04_attach_status_from_both_ends", "counts tags" },
	{ "observer_sees_both_ends_agree", "counts tags" },
	{ "invariant_09_unmap_reaches_every_attachment", "counts tags" },
	{ "cpu_asids_are_pinned_while_bound", "counts pins" },
	{ "what_firmware_started_goes_on", "a probe that fails switches off" },
	{ "invariant_12_closed_while_its_ste_is_written", "counts stores" },
	{ "a_reset_is_a_window_without_dma", "counts resets" },
	{ "the_right_one_is_blamed_while_others_work", "has threads" },
	{ "invariant_09_what_leaves_a_device_that_is_being_closed", "has threads" },
	{ "threads_do_not_meet", "has threads" },
	{ "a_detach_waits_for_the_handler", "has threads" },
	{ "invariant_11_exactly_once_in_any_order", "has threads" },
	{ "hardware_that_does_not_let_go_is_shut_off", "waits for seconds" },
	/* what others do once, in every size or hundreds of times */
	{ "any_bytes_make_a_device", "thousands of devices" },
	{ "stream_tables_of_every_size", "thousands of devices" },
	{ "tables_of_pasids_of_every_size", "thousands of PASIDs" },
	{ "every_granule_and_size", "hundreds of SMMUs" },
	{ "invariant_08_two_stage_2_tables_never_share_a_vmid", "thousands of domains" },
	{ "invariant_09_nothing_is_reached_after_unmap", "hundreds of SMMUs" },
	{ "ranges_are_well_formed", "thousands of mappings" },
	{ "invariant_09_runs_blocks_and_pages_of_both_stages", "thousands of mappings" },
	{ "without_the_tlbi_they_would_be_reached", "thousands of mappings" },
};

static struct {
	bool on, counting;
	const char *test;
	unsigned depth;			/* calls of the library within one another */
	const char *entry;		/* the outermost */
	bool cannot_fail;
	unsigned aside;			/* within what nobody waits for: a page request */
	unsigned long entries, calls;	/* so far in this run */
	unsigned long at;		/* the call that is refused; 0: none */
	unsigned long entry_of[CALLS_MAX];
	uint64_t way_to[CALLS_MAX];	/* a hash of who called whom */
	long (*held_after)[HOST_CALLS];	/* each entry, when nothing was refused */
	int64_t ret_of[ENTRIES_MAX];	/* likewise what it returned */
	bool fired, again;		/* and the entry is called once more */
	enum host_call what;
	const char *where;		/* the entry that met it */
	long held[HOST_CALLS];
	struct uiommu *u[INSTANCES];
	struct picture before, after;
} each;

/* ---- what hosts ask ---- */

static uint64_t way(void)
{
	void *frames[FRAMES];
	int n = backtrace(frames, FRAMES);
	uint64_t h = 0xcbf29ce484222325u;

	for (int i = 1; i < n; i++)
		h = (h ^ (uintptr_t)frames[i]) * 0x100000001b3u;
	return h;
}

bool each_refuses(enum host_call what)
{
	if (!each.on || !each.depth || each.aside)
		return false;
	if (each.cannot_fail)
		fail_msg("%s, which cannot fail, calls %s of its host", each.entry,
			 host_calls[what].name);
	if (each.counting && each.calls + 1 < CALLS_MAX) {
		each.entry_of[each.calls + 1] = each.entries;
		each.way_to[each.calls + 1] = way();
	}
	if (++each.calls != each.at)
		return false;
	each.fired = true;
	each.what = what;
	each.where = each.entry;
	return true;
}

void each_held(enum host_call what, int by)
{
	if (each.on)
		each.held[what] += by;
}

/* ---- pictures ---- */

void picture_say(struct picture *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p->s + p->n, sizeof(p->s) - p->n, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(p->s) - p->n);
	p->n += (size_t)n;
}

static int say_attach(void *ctx, const struct uiommu_attach_status *st)
{
	picture_say(ctx, " %s+%u:%p/%u", uiommu_device_name(st->dev), st->pasid, (void *)st->dom,
		    st->tag);
	return 0;
}

static int say_device(void *ctx, struct uiommu_dev *dev)
{
	picture_say(ctx, "device %s:", uiommu_device_name(dev));
	uiommu_device_for_each_attach(dev, say_attach, ctx);
	picture_say(ctx, "\n");
	return 0;
}

static int say_domain(void *ctx, struct uiommu_domain *dom)
{
	picture_say(ctx, "domain %p:", (void *)dom);
	uiommu_domain_for_each_attach(dom, say_attach, ctx);
	picture_say(ctx, "\n");
	return 0;
}

/* A table or an object that is needed the next time too may stay: then the next time has
 * no more of them than if nothing had failed. */
static bool may_be_kept(enum host_call what)
{
	return what == HOST_ALLOC || what == HOST_TABLE;
}

static void say_held(struct picture *p, bool all)
{
	for (unsigned i = 0; i < HOST_CALLS; i++)
		if (all || !may_be_kept(i))
			picture_say(p, "%s %ld\n", host_calls[i].name, each.held[i]);
}

static void take(struct picture *p, const struct entry *e)
{
	p->n = 0;
	p->s[0] = 0;
	say_held(p, false);
	for (unsigned i = 0; i < INSTANCES; i++) {
		if (!each.u[i])
			continue;
		uiommu_for_each_device(each.u[i], say_device, p);
		uiommu_for_each_domain(each.u[i], say_domain, p);
	}
	if (e->extra)
		e->extra(p, e->arg);
}

void each_add_instance(struct uiommu *u)
{
	unsigned i = 0;

	while (i < INSTANCES && each.u[i])
		i++;
	if (i < INSTANCES)
		each.u[i] = u;
}

void each_remove_instance(struct uiommu *u)
{
	for (unsigned i = 0; i < INSTANCES; i++)
		if (each.u[i] == u)
			each.u[i] = NULL;
}

/* The first line that is another one than before. */
static void compare(const char *entry)
{
	const char *a = each.before.s, *b = each.after.s;

	while (*a || *b) {
		int na = (int)strcspn(a, "\n"), nb = (int)strcspn(b, "\n");

		if (na != nb || strncmp(a, b, (size_t)na))
			fail_msg("%s failed and changed something: \"%.*s\" is now \"%.*s\"", entry,
				 na, a, nb, b);
		a += na + (a[na] == '\n');
		b += nb + (b[nb] == '\n');
	}
}

/* ---- around each call ---- */

bool entry_fired(const struct entry *e)
{
	return e->looked && each.fired;
}

void each_aside(int by)
{
	if (each.on) /* else there may be threads */
		each.aside += (unsigned)by;
}

void entry_begin(struct entry *e)
{
	e->fired = e->looked = false;
	if (!each.on || each.depth++)
		return;
	each.entry = e->name;
	each.entries += !each.again;
	if (!each.at || each.fired || each.entries != each.entry_of[each.at])
		return;
	take(&each.before, e);
	e->looked = true;
}

/* Called again it holds what it would have held at once. */
static void check_held(const char *entry)
{
	for (unsigned i = 0; i < HOST_CALLS; i++)
		if (each.held[i] != each.held_after[each.entries][i])
			fail_msg("%s failed, was called again, and %ld of %s are held, not %ld", entry,
				 each.held[i], host_calls[i].name,
				 each.held_after[each.entries][i]);
}

bool entry_end(struct entry *e)
{
	if (!each.on || --each.depth)
		return e->fired;
	if (each.counting && each.entries < ENTRIES_MAX)
		memcpy(each.held_after[each.entries], each.held, sizeof(each.held));
	if (each.again && each.entries < ENTRIES_MAX)
		check_held(e->name);
	each.again = false;
	e->fired = e->looked && each.fired;
	return e->fired;
}

enum host_call entry_refused(void)
{
	return each.what;
}

/* It did without; or it failed, as it would have anyway. */
static bool may_do_without(const struct entry *e, int64_t ret)
{
	for (unsigned i = 0; i < sizeof(does_without) / sizeof(does_without[0]); i++)
		if (!strcmp(does_without[i].entry, e->name) && does_without[i].what == each.what &&
		    does_without[i].err == ret)
			return !ret || ret == each.ret_of[each.entries];
	return ret < 0 && ret == each.ret_of[each.entries];
}

bool entry_again(struct entry *e, int64_t ret)
{
	if (each.counting && !each.depth && each.entries < ENTRIES_MAX)
		each.ret_of[each.entries] = ret;
	if (!e->fired)
		return false;
	if (ret != host_calls[each.what].err && may_do_without(e, ret))
		return false;
	if (ret != host_calls[each.what].err)
		fail_msg("%s returns %lld when its host refuses %s", e->name, (long long)ret,
			 host_calls[each.what].name);
	take(&each.after, e);
	if (!e->ends_blocked)
		compare(e->name);
	each.again = true;
	return true;
}

void entry_begin_void(struct entry *e)
{
	entry_begin(e);
	if (each.on && each.depth == 1)
		each.cannot_fail = true;
}

void entry_end_void(struct entry *e)
{
	if (each.on && each.depth == 1)
		each.cannot_fail = false;
	entry_end(e);
}

/* ---- the loop ---- */

static void run(const struct CMUnitTest *t, unsigned long at)
{
	void *state = t->initial_state;

	each.counting = !at;
	each.at = at;
	each.calls = each.entries = 0;
	each.fired = each.again = each.cannot_fail = false;
	each.depth = each.aside = 0;
	memset(each.held, 0, sizeof(each.held));
	memset(each.u, 0, sizeof(each.u));
	if (t->setup_func)
		assert_int_equal(t->setup_func(&state), 0);
	t->test_func(&state);
	if (t->teardown_func)
		assert_int_equal(t->teardown_func(&state), 0);
	assert_int_equal(each.fired, at != 0);
}

/* Loops of a test go the same way again and again. */
static bool is_new(unsigned long n)
{
	unsigned times = 0;

	for (unsigned long i = 1; i < n; i++)
		times += each.way_to[i] == each.way_to[n];
	return times < TIMES;
}

static bool is_left_out(const char *name)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(left_out[i].test, name)) {
			print_message("# left out: %s\n", left_out[i].why);
			return true;
		}
	return false;
}

static void loop(void **state)
{
	const struct CMUnitTest *t = *state;
	unsigned long calls, runs = 0;

	if (is_left_out(t->name))
		return;
	each.on = true;
	if (!each.held_after)
		each.held_after = calloc(ENTRIES_MAX, sizeof(*each.held_after));
	run(t, 0);
	calls = each.calls;
	assert_true(calls < CALLS_MAX);
	for (unsigned long n = 1; n <= calls; n++) {
		if (!is_new(n))
			continue;
		run(t, n);
		runs++;
	}
	print_message("# %lu of %lu host calls refused\n", runs, calls);
	each.at = 0;
}

static int said(void **state)
{
	each.on = false;
	if (each.at)
		print_error("# host call %lu was refused: %s in %s\n", each.at,
			    host_calls[each.what].name, each.where ? each.where : "no call");
	return 0;
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *const tests,
				   const size_t num, CMFixtureFunction setup,
				   CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *const tests,
				   const size_t num, CMFixtureFunction setup,
				   CMFixtureFunction teardown);

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *const tests,
				   const size_t num, CMFixtureFunction setup,
				   CMFixtureFunction teardown)
{
	struct CMUnitTest *loops;
	int ret;

	if (!getenv("UIOMMU_FAIL_EACH"))
		return __real__cmocka_run_group_tests(name, tests, num, setup, teardown);
	loops = calloc(num, sizeof(*loops));
	for (size_t i = 0; i < num; i++)
		loops[i] = (struct CMUnitTest){ tests[i].name, loop, NULL, said,
						(void *)(uintptr_t)&tests[i] };
	ret = __real__cmocka_run_group_tests(name, loops, num, setup, teardown);
	free(loops);
	free(each.held_after);
	return ret;
}
