/* SPDX-License-Identifier: MIT */
/* each.c - see each.h */
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>

#include "each.h"

#define INSTANCES	4
#define FRAMES		64
#define TIMES		2		/* that the same way to a call is taken */
#define SPREAD		8		/* of those that came often, over all of the test */
#define WORK		1500000ul	/* calls of all runs together, where there are many */
#define FEWEST		40ul		/* that are refused even so */
#define COUNTERS	64

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
	[HOST_MEMORY] = { "libc for memory", -UIOMMU_ENOMEM },
	[HOST_THREAD] = { "libc for a thread", -UIOMMU_ENOMEM },
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

/* Tests that are not run so, and why. */
static const struct {
	const char *test, *why;
} left_out[] = {
	{ "hardware_that_does_not_let_go_is_shut_off", "waits for seconds" },
	/* in each run, which a machine that is busy does not promise a hundred times */
	{ "unmap_under_fire", "wants threads to meet" },
	{ "failures_under_fire", "wants threads to meet" },
	{ "pages_come_and_go_under_dma", "wants threads to meet" },
};

/* Tests that take a tenth of a second and more, with so many calls refused. */
static const struct {
	const char *test;
	unsigned long most;
} sampled[] = {
	{ "invariant_09_runs_blocks_and_pages_of_both_stages", 6 },
	{ "without_the_tlbi_they_would_be_reached", 6 },
	{ "invariant_09_what_leaves_a_device_that_is_being_closed", 6 },
	{ "invariant_09_recovered_while_one_is_being_closed", 30 },
	{ "invariant_13_any_order_of_calls", 12 },
	{ "any_order_of_calls", 30 },
	{ "ranges_are_well_formed", 20 },
	{ "stream_tables_of_every_size", 20 },
	{ "any_seed", 20 },
	{ "everything_at_once", 6 },
	{ "everything_at_once_on_a_cmdqv", 6 },
	{ "attach_and_reset_under_fire", 20 },
	{ "messages_arrive", 20 },
	{ "faults_arrive", 20 },
	{ "a_hostile_smmu", 12 },
	{ "removal_waits_for_accesses", 4 },
};

struct call {
	unsigned long entry;		/* within which it was */
	uint64_t way;			/* a hash of who called whom */
	unsigned long times;		/* that way before */
};

/* What an entry came to when nothing was refused. */
struct outcome {
	int held[HOST_CALLS];
	int64_t ret;
};

static struct {
	bool on, counting;
	const struct CMUnitTest *skips;	/* its first run did not come to its end, */
	void *state;			/* and what it was to begin with */
	bool threads;			/* some thread but the test's has called the library */
	pthread_t thread;		/* the test's */
	pthread_mutex_t m;		/* what is counted, while threads may */
	unsigned long entries, calls;	/* so far in this run */
	unsigned long at;		/* the call that is refused; 0: none */
	struct call *call;		/* by number, from 1, when nothing was refused */
	struct outcome *outcome;	/* likewise */
	size_t call_room, outcome_room;
	int held_at_end[HOST_CALLS];
	bool fired;
	enum host_call what;
	const char *where;		/* the entry that met it */
	int held[HOST_CALLS];
	struct uiommu *u[INSTANCES];
	struct {
		void *p;
		size_t bytes, at;	/* where it is in @saved */
	} counter[COUNTERS];
	unsigned num_counters;
	unsigned char saved[1 << 13];
	size_t num_saved;
	void (*afresh)(void *arg);
	void *afresh_arg;
	struct picture before, after;
	/* of the program */
	unsigned long all_calls, all_refused, tests_in, tests_out;
} each = { .m = PTHREAD_MUTEX_INITIALIZER };

/* What each thread is at. */
static __thread struct {
	unsigned depth;			/* calls of the library within one another */
	const char *entry;		/* the outermost */
	bool fired, again;		/* something was refused in it; it is called once more */
	bool cannot_fail, tries;	/* it may not; something will be refused in it */
	unsigned aside;			/* within what nobody waits for: a page request */
} me;

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

/* Room for number @n, zero. */
static void *room_for(void *v, size_t *room, unsigned long n, size_t bytes)
{
	size_t more = *room;

	if (n < *room)
		return v;
	*room = 2 * n + 1024;
	v = realloc(v, *room * bytes);
	assert_non_null(v);
	memset((char *)v + more * bytes, 0, (*room - more) * bytes);
	return v;
}

static void count_call(uint64_t h)
{
	pthread_mutex_lock(&each.m);
	each.call = room_for(each.call, &each.call_room, ++each.calls, sizeof(*each.call));
	each.call[each.calls] = (struct call){ .entry = each.entries, .way = h };
	pthread_mutex_unlock(&each.m);
}

/* Is it the one? With threads the numbers are others each time, the ways are not. */
static bool is_the_one(uint64_t h)
{
	if (!each.threads)
		return ++each.calls == each.at;
	return h == each.call[each.at].way &&
	       !__atomic_exchange_n(&each.fired, true, __ATOMIC_RELAXED);
}

bool each_refuses(enum host_call what)
{
	uint64_t h;

	if (!each.on || !me.depth || me.aside)
		return false;
	if (me.cannot_fail)
		fail_msg("%s, which cannot fail, calls %s of its host", me.entry,
			 host_calls[what].name);
	h = each.counting || each.threads ? way() : 0;
	if (each.counting)
		count_call(h);
	if (each.counting || !is_the_one(h))
		return false;
	me.fired = each.fired = true;
	each.what = what;
	each.where = me.entry;
	return true;
}

void each_held(enum host_call what, int by)
{
	if (each.on)
		__atomic_fetch_add(&each.held[what], by, __ATOMIC_RELAXED);
}

/* ---- what tests count ---- */

void each_counter(void *p, size_t bytes)
{
	if (!each.on)
		return;
	assert_true(each.num_counters < COUNTERS && bytes <= sizeof(each.saved) - each.num_saved);
	each.counter[each.num_counters].p = p;
	each.counter[each.num_counters].bytes = bytes;
	each.counter[each.num_counters++].at = each.num_saved;
	each.num_saved += bytes;
}

void each_afresh(void (*fn)(void *arg), void *arg)
{
	each.afresh = fn;
	each.afresh_arg = arg;
}

bool each_tries(void)
{
	return me.tries;
}

void each_no_counters(void)
{
	if (!each.on)
		return;
	each.num_counters = 0;
	each.num_saved = 0;
	each.afresh = NULL;
}

static void save_counters(void)
{
	for (unsigned i = 0; i < each.num_counters; i++)
		memcpy(each.saved + each.counter[i].at, each.counter[i].p, each.counter[i].bytes);
}

static void restore_counters(void)
{
	for (unsigned i = 0; i < each.num_counters; i++)
		memcpy(each.counter[i].p, each.saved + each.counter[i].at, each.counter[i].bytes);
	if (each.afresh)
		each.afresh(each.afresh_arg);
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
			picture_say(p, "%s %d\n", host_calls[i].name, each.held[i]);
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
	return me.fired;
}

void each_aside(int by)
{
	me.aside += (unsigned)by;
}

void entry_begin(struct entry *e)
{
	e->fired = false;
	if (!each.on || me.depth++)
		return;
	me.entry = e->name;
	me.fired = false;
	if (!each.threads && !pthread_equal(pthread_self(), each.thread))
		each.threads = true;
	if (each.threads)
		return;
	each.entries += !me.again;
	if (!each.at || each.fired || each.entries != each.call[each.at].entry)
		return;
	take(&each.before, e);
	save_counters();
	me.tries = true;
}

/* Called again it holds what it would have held at once. */
static void check_held(const char *entry)
{
	const int *want = each.outcome[each.entries].held;

	for (unsigned i = 0; i < HOST_CALLS; i++)
		if (each.held[i] != want[i])
			fail_msg("%s failed, was called again, and %d of %s are held, not %d", entry,
				 each.held[i], host_calls[i].name, want[i]);
}

static void note_held(void)
{
	each.outcome = room_for(each.outcome, &each.outcome_room, each.entries,
				sizeof(*each.outcome));
	memcpy(each.outcome[each.entries].held, each.held, sizeof(each.held));
}

bool entry_end(struct entry *e)
{
	if (!each.on || --me.depth)
		return e->fired;
	if (each.counting && !each.threads)
		note_held();
	if (me.again && !each.threads)
		check_held(e->name);
	me.again = me.tries = false;
	e->fired = me.fired;
	return e->fired;
}

enum host_call entry_refused(void)
{
	return each.what;
}

static bool is_in_does_without(const struct entry *e, int64_t ret)
{
	for (unsigned i = 0; i < sizeof(does_without) / sizeof(does_without[0]); i++)
		if (!strcmp(does_without[i].entry, e->name) && does_without[i].what == each.what &&
		    does_without[i].err == ret)
			return true;
	return false;
}

/* It did without; or it failed, as it would have anyway. */
static bool may_do_without(const struct entry *e, int64_t ret)
{
	if (is_in_does_without(e, ret) && (!ret || each.threads))
		return true;
	return ret < 0 && !each.threads && ret == each.outcome[each.entries].ret;
}

bool entry_again(struct entry *e, int64_t ret)
{
	if (each.counting && !me.depth && !each.threads && each.entries < each.outcome_room)
		each.outcome[each.entries].ret = ret;
	if (!e->fired)
		return false;
	if (ret != host_calls[each.what].err && may_do_without(e, ret))
		return false;
	if (ret != host_calls[each.what].err)
		fail_msg("%s returns %lld when its host refuses %s", e->name, (long long)ret,
			 host_calls[each.what].name);
	me.again = true;
	if (each.threads)
		return true;
	take(&each.after, e);
	if (!e->ends_blocked)
		compare(e->name);
	restore_counters();
	return true;
}

void entry_begin_void(struct entry *e)
{
	entry_begin(e);
	if (each.on && me.depth == 1)
		me.cannot_fail = true;
}

void entry_end_void(struct entry *e)
{
	if (each.on && me.depth == 1)
		me.cannot_fail = false;
	entry_end(e);
}

/* ---- the loop ---- */

static void begin(unsigned long at)
{
	each.counting = !at;
	each.at = at;
	each.calls = each.entries = 0;
	each.fired = false;
	each.thread = pthread_self();
	memset(&me, 0, sizeof(me));
	memset(each.held, 0, sizeof(each.held));
	memset(each.u, 0, sizeof(each.u));
	each_no_counters();
}

static void end(void)
{
	if (each.counting)
		memcpy(each.held_at_end, each.held, sizeof(each.held));
	for (unsigned i = 0; i < HOST_CALLS; i++)
		if (each.held[i] != each.held_at_end[i])
			fail_msg("at the end %d of %s are held, not %d", each.held[i],
				 host_calls[i].name, each.held_at_end[i]);
	if (!each.threads)
		assert_int_equal(each.fired, each.at != 0);
}

static void run(const struct CMUnitTest *t, unsigned long at)
{
	void *state = t->initial_state;

	begin(at);
	if (t->setup_func)
		assert_int_equal(t->setup_func(&state), 0);
	each.skips = at ? NULL : t;
	each.state = state;
	t->test_func(&state);
	each.skips = NULL;
	if (t->teardown_func)
		assert_int_equal(t->teardown_func(&state), 0);
	end();
}

/* ---- which of them ---- */

/* How often each way was taken before: a table of the last call of each. */
static void count_ways(unsigned long calls)
{
	size_t size = 2 * calls + 1;
	unsigned long *last = calloc(size, sizeof(*last));

	assert_non_null(last);
	for (unsigned long n = 1; n <= calls; n++) {
		size_t i = each.call[n].way % size;

		while (last[i] && each.call[last[i]].way != each.call[n].way)
			i = (i + 1) % size;
		each.call[n].times = last[i] ? each.call[last[i]].times + 1 : 0;
		last[i] = n;
	}
	free(last);
}

static unsigned long count_new(unsigned long calls, unsigned long times)
{
	unsigned long many = 0;

	for (unsigned long n = 1; n <= calls; n++)
		many += each.call[n].times < times;
	return many;
}

/* Number @i of @of things: is it among @some that are spread evenly? */
static bool is_among(unsigned long i, unsigned long some, unsigned long of)
{
	return some >= of || (i + 1) * some / of != i * some / of;
}

/* Those that came a new way, or some of them, and a few of all others. */
struct choice {
	unsigned long times, fresh, others, most, i, k;
};

static unsigned long most_of(const char *test, unsigned long calls)
{
	for (unsigned i = 0; i < sizeof(sampled) / sizeof(sampled[0]); i++)
		if (!strcmp(sampled[i].test, test))
			return sampled[i].most;
	return calls && WORK / calls > FEWEST ? WORK / calls : FEWEST;
}

static struct choice choose(const char *test, unsigned long calls)
{
	struct choice c = { .times = each.threads ? 1 : TIMES };

	count_ways(calls);
	c.fresh = count_new(calls, c.times);
	c.others = calls - c.fresh;
	c.most = most_of(test, calls);
	return c;
}

static bool is_chosen(struct choice *c, unsigned long n)
{
	if (each.call[n].times < c->times)
		return is_among(c->i++, c->most, c->fresh);
	return !each.threads && c->fresh < c->most && is_among(c->k++, SPREAD, c->others);
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

static void report(const struct choice *c, unsigned long runs, unsigned long calls,
		   unsigned long missed)
{
	print_message("# %lu of %lu host calls refused%s%s\n", runs - missed, calls,
		      each.threads ? ", in whichever thread came that way first" : "",
		      c->fresh > c->most ? ", a sample" : "");
	if (missed)
		print_message("# %lu ways were not taken again\n", missed);
	each.all_calls += calls;
	each.all_refused += runs - missed;
	each.tests_in++;
}

static void loop(void **state)
{
	const struct CMUnitTest *t = *state;
	unsigned long calls = 0, runs = 0, missed = 0;
	struct choice c = { 0 };

	if (is_left_out(t->name)) {
		each.tests_out++;
		return;
	}
	each.on = true;
	each.threads = false;
	for (unsigned long n = 0; n <= calls; n++) {
		if (n && !is_chosen(&c, n))
			continue;
		run(t, n);	/* from one place, for way() */
		runs += n != 0;
		missed += n && !each.fired;
		if (n)
			continue;
		calls = each.calls;
		c = choose(t->name, calls);
	}
	report(&c, runs, calls, missed);
	each.at = 0;
}

static int said(void **state)
{
	each.on = false;
	if (each.skips && each.skips->teardown_func)
		each.skips->teardown_func(&each.state);
	each.skips = NULL;
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
	print_message("# %lu tests, %lu left out: %lu of %lu host calls refused\n", each.tests_in,
		      each.tests_out, each.all_refused, each.all_calls);
	free(loops);
	free(each.call);
	free(each.outcome);
	return ret;
}
