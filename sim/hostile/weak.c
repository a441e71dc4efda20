/* SPDX-License-Identifier: MIT */
/*
 * weak.c - a memory as weakly ordered as Arm's (DDI 0487, B2.3)
 *
 * One memory, seen alike by all (Arm is other-multi-copy-atomic), and a buffer of
 * stores for each thread, which leave in any order that their barriers allow. Loads
 * are made when they are met, with two exceptions that are about hardware: one may see
 * what was there before hardware wrote (it was made early: no load barrier after the
 * register that told of the write), and one may be late (no barrier before the register
 * write that lets hardware write there again); that is found when hardware does.
 *
 * Dependencies order loads on Arm; here all loads of what CPUs wrote are in order.
 */
#include "internal.h"

#include <string.h>

static uint64_t bit_of(const uint64_t *p)
{
	return (uint64_t)1 << (((uintptr_t)p >> 3) * 0x9e3779b97f4a7c15u >> 58);
}

/* ---- stores that leave ---- */

static void mark_dirty(struct uiommu_hostile *w, const uint64_t *p)
{
	size_t unit;

	if (w->cfg.coherent || !hostile_in_memory(w, p))
		return;
	unit = hostile_unit(w, p);
	if (w->dirty[unit])
		return;
	w->dirty[unit] = 1;
	uiommu_hostile_new_line(w, p);
}

static bool may_leave(const struct thread *t, unsigned i)
{
	const struct store *s = &t->stores[i];

	for (unsigned j = 0; j < i; j++)
		if (t->stores[j].p == s->p || t->stores[j].seq < s->wait)
			return false;
	return true;
}

static void leave(struct uiommu_hostile *w, struct thread *t, unsigned i)
{
	struct store s = t->stores[i];

	w->stats.reordered += i != 0;
	if (i)
		w->fuel = 1;		/* others look before the rest follows */
	t->num--;
	for (unsigned j = i; j < t->num; j++)
		t->stores[j] = t->stores[j + 1];
	if (!t->num)
		t->filter = 0;
	__atomic_store_n(s.p, s.v, __ATOMIC_RELAXED);
	mark_dirty(w, s.p);
}

/* In some phases the newest first: what was to be seen before it is seen last. */
static void one_leaves(struct uiommu_hostile *w, struct thread *t)
{
	unsigned i = w->newest ? t->num - 1 : hostile_below(w, t->num);

	while (!may_leave(t, i))
		i--;
	leave(w, t, i);
}

void uiommu_hostile_drain_all(struct uiommu_hostile *w, struct thread *t)
{
	while (t->num)
		one_leaves(w, t);
}

/* Others may run in between. */
static void drain(struct uiommu_hostile *w, struct thread *t)
{
	while (t->num) {
		one_leaves(w, t);
		uiommu_hostile_yield();
	}
}

void uiommu_hostile_linger(bool on)
{
	if (world && world->cur)
		world->cur->lingers = on;
}

void uiommu_hostile_new_line(struct uiommu_hostile *w, const void *p)
{
	w->lines[w->num_lines++ % LINES] = (uint32_t)hostile_unit(w, p);
}

static void write_back(struct uiommu_hostile *w, size_t unit)
{
	memcpy(w->hw + (unit << UNIT_LG2), w->mem + (unit << UNIT_LG2), 1u << UNIT_LG2);
	w->dirty[unit] = 0;
}

static void evict(struct uiommu_hostile *w)
{
	unsigned n = w->num_lines < LINES ? w->num_lines : LINES;
	size_t unit;

	if (!n || hostile_below(w, 8))
		return;
	unit = w->lines[hostile_below(w, n)];
	if (!w->dirty[unit])
		return;
	write_back(w, unit);
	w->stats.evicted++;
}

/* What happens by itself, at a switch. */
void uiommu_hostile_background(struct uiommu_hostile *w)
{
	struct thread *t = &w->threads[hostile_below(w, w->num)];

	if (t->num && !w->lazy && !hostile_below(w, t->lingers ? 500 : 4))
		one_leaves(w, t);
	if (!w->cfg.coherent)
		evict(w);
}

/* Zeroes are stores too: until a barrier hardware may see what was there before. */
void uiommu_hostile_fresh(struct uiommu_hostile *w, void *p, size_t bytes)
{
	struct thread *t = w->cur;

	if (!t || t->num_fresh == FRESH)
		return;
	t->fresh[t->num_fresh].p = p;
	t->fresh[t->num_fresh++].bytes = bytes;
}

void uiommu_hostile_not_fresh(struct uiommu_hostile *w, const void *p)
{
	for (unsigned i = 0; i < w->num; i++)
		for (unsigned k = 0; k < w->threads[i].num_fresh; k++)
			if (w->threads[i].fresh[k].p == p)
				w->threads[i].fresh[k].bytes = 0;
}

static bool is_fresh(const struct uiommu_hostile *w, const unsigned char *p)
{
	for (unsigned i = 0; i < w->num; i++)
		for (unsigned k = 0; k < w->threads[i].num_fresh; k++)
			if ((size_t)(p - w->threads[i].fresh[k].p) < w->threads[i].fresh[k].bytes)
				return true;
	return false;
}

/* ---- a thread's accesses ---- */

static void check_live(struct uiommu_hostile *w, const void *p, const char *who)
{
	if (hostile_in_memory(w, p) && w->freed[hostile_unit(w, p)])
		uiommu_hostile_fail("%s: %s touches memory that was given back, at +0x%zx",
				    uiommu_hostile_self(), who,
				    (size_t)((const unsigned char *)p - w->mem));
}

static void store(uint64_t *p, uint64_t v, bool release)
{
	struct uiommu_hostile *w = world;
	struct thread *t = w ? w->cur : NULL;

	if (!t) {
		__atomic_store_n(p, v, __ATOMIC_RELEASE);
		if (w)
			mark_dirty(w, p);
		return;
	}
	uiommu_hostile_yield();
	check_live(w, p, "a store");
	if (t->num == DEPTH)
		one_leaves(w, t);
	w->stats.stores++;
	t->stores[t->num++] = (struct store){ p, v, t->seq, release ? t->seq : t->floor };
	t->seq++;
	t->filter |= bit_of(p);
	if (!--w->drain) {
		w->drain = w->eager;
		one_leaves(w, t);
	}
}

void uiommu_hostile_store64(uint64_t *p, uint64_t v)
{
	uiommu_hostile_entry(p, __builtin_return_address(0));
	store(p, v, false);
}

void uiommu_hostile_store_release(uint64_t *p, uint64_t v)
{
	uiommu_hostile_entry(p, __builtin_return_address(0));
	uiommu_hostile_release(p);
	store(p, v, true);
}

static const struct store *own(const struct thread *t, const uint64_t *p)
{
	for (unsigned i = t->num; i--;)
		if (t->stores[i].p == p)
			return &t->stores[i];
	return NULL;
}

/* What was there before hardware wrote, where the thread need not know of it. */
static bool stale(struct uiommu_hostile *w, const struct thread *t, const uint64_t *p,
		  uint64_t *v)
{
	uint64_t n = w->writes < HISTORY ? w->writes : HISTORY;

	for (uint64_t i = w->writes - n; i < w->writes; i++) {
		if (w->history[i % HISTORY].p != p || w->history[i % HISTORY].time <= t->seen)
			continue;
		if (hostile_below(w, 2))
			return false;
		*v = w->history[i % HISTORY].old;
		w->stats.stale++;
		return true;
	}
	return false;
}

uint64_t uiommu_hostile_load64(const uint64_t *p)
{
	struct uiommu_hostile *w = world;
	struct thread *t = w ? w->cur : NULL;
	const struct store *s;
	uint64_t bit, v;

	if (!t)
		return __atomic_load_n(p, __ATOMIC_ACQUIRE);
	uiommu_hostile_yield();
	check_live(w, p, "a load");
	bit = bit_of(p);
	s = t->filter & bit ? own(t, p) : NULL;
	if (s)
		return s->v;
	t->loads[t->next_load % LOADS] = p;
	t->exposed[t->next_load++ % LOADS] = false;
	if (w->write_filter & bit && stale(w, t, p, &v))
		return v;
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void loads_done(struct uiommu_hostile *w, struct thread *t)
{
	for (unsigned i = 0; i < LOADS; i++)
		t->loads[i] = NULL;
	t->seen = w->writes;
}

void uiommu_hostile_rmb(void)
{
	if (!world || !world->cur)
		return;
	uiommu_hostile_yield();
	loads_done(world, world->cur);
}

void uiommu_hostile_wmb(void)
{
	if (!world || !world->cur)
		return;
	uiommu_hostile_yield();
	world->cur->floor = world->cur->seq;
	world->cur->num_fresh = 0;
}

void uiommu_hostile_mb(void)
{
	if (!world || !world->cur)
		return;
	drain(world, world->cur);
	world->cur->num_fresh = 0;
	uiommu_hostile_rmb();
}

uint64_t uiommu_hostile_load_acquire(const uint64_t *p)
{
	uint64_t v = uiommu_hostile_load64(p);

	uiommu_hostile_acquire(p);
	return v;
}

uint64_t uiommu_hostile_cmpxchg64(uint64_t *p, uint64_t old, uint64_t v)
{
	uiommu_hostile_mb();
	if (world && world->cur) {
		check_live(world, p, "an atomic access");
		mark_dirty(world, p);
	}
	__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

void uiommu_hostile_clean(const void *p, size_t bytes)
{
	struct uiommu_hostile *w = world;
	size_t unit, last;

	if (!w || w->cfg.coherent || !hostile_in_memory(w, p))
		return;
	if (w->cur) {
		drain(w, w->cur);
		w->cur->num_fresh = 0;
	}
	last = hostile_unit(w, (const char *)p + bytes - 1);
	for (unit = hostile_unit(w, p); unit <= last; unit++)
		write_back(w, unit);
	uiommu_hostile_yield();
}

/* ---- registers ---- */

/* What a barrier puts in front of a register write; the rest may follow after it. Others
 * may run in between. */
void uiommu_hostile_device_write(void)
{
	struct uiommu_hostile *w = world;
	struct thread *t = w ? w->cur : NULL;

	if (!t)
		return;
	while (t->num && t->stores[0].seq < t->floor) {
		one_leaves(w, t);
		uiommu_hostile_yield();
	}
	for (unsigned i = 0; i < LOADS; i++)
		t->exposed[i] = true;
	uiommu_hostile_yield();
}

/* ---- hardware ---- */

int uiommu_hostile_hw_read(const void *p, void *buf, size_t bytes)
{
	struct uiommu_hostile *w = world;
	const unsigned char *from = p;
	uint64_t v;

	uiommu_hostile_yield();
	if (!hostile_in_memory(w, p) || !hostile_in_memory(w, from + bytes - 1))
		return -UIOMMU_EFAULT;
	check_live(w, p, "hardware, which reads");
	if (!w->cfg.coherent)
		from = w->hw + (from - w->mem);
	if (bytes == 8 && !((uintptr_t)p % 8)) {
		v = __atomic_load_n((const uint64_t *)(const void *)from, __ATOMIC_RELAXED);
		if (!v && is_fresh(w, p) && hostile_below(w, 2))
			memset(&v, w->garbage, 8);
		memcpy(buf, &v, 8);
	} else {
		memcpy(buf, from, bytes);
	}
	return 0;
}

static void find_late_loads(struct uiommu_hostile *w, const uint64_t *p)
{
	for (unsigned i = 0; i < w->num; i++)
		for (unsigned j = 0; j < LOADS; j++)
			if (w->threads[i].loads[j] == p && w->threads[i].exposed[j])
				uiommu_hostile_fail("%s: a load may see what hardware writes after "
						    "the register write behind it: no barrier "
						    "between", w->threads[i].name);
}

int uiommu_hostile_hw_write(void *p, const void *buf, size_t bytes)
{
	struct uiommu_hostile *w = world;
	unsigned char *to = p;

	uiommu_hostile_yield();
	if (!hostile_in_memory(w, p) || !hostile_in_memory(w, to + bytes - 1))
		return -UIOMMU_EFAULT;
	check_live(w, p, "hardware, which writes");
	if (bytes == 8 && !((uintptr_t)p % 8)) {
		find_late_loads(w, p);
		w->history[w->writes % HISTORY].p = p;
		memcpy(&w->history[w->writes % HISTORY].old, p, 8);
		w->history[w->writes % HISTORY].time = w->writes + 1;
		w->writes++;
		w->write_filter |= bit_of(p);
	}
	memcpy(to, buf, bytes);
	if (!w->cfg.coherent)
		memcpy(w->hw + (to - w->mem), buf, bytes);
	return 0;
}
