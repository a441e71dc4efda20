/* SPDX-License-Identifier: MIT */
/*
 * sva.c - address spaces whose pages come when a device asks for them
 *
 * Processes, bound to PASIDs, and PAGING domains with a handler, on the RID, of two devices
 * that can wait. Pages come and go, also in the middle of everything else; processes end,
 * and their tables with them, while they are bound and while requests are open.
 *
 * What must hold is kept as in oracle.c: which PASID a space has on a device, and what is at
 * each of its places, each as intervals. A number that is given out again before all of
 * its last owner is gone shows as an access that nobody's intervals allow.
 */
#include "world.h"

#define ANY	UINT64_MAX		/* a bind is drawing its PASID */

static const uint64_t places[PLACES] = { 0x7f0000400000, 0x7f0000401000, 0x7f00005ff000,
					 0x7f0000600000, 0x400000 };
static const uint32_t streams[FDEVS] = { 6, 0x104 };

uint64_t sva_place(unsigned i)
{
	return places[i];
}

/* ---- pages ---- */

static int map(struct space *s, unsigned i, uint64_t pa)
{
	if (s->sva)
		return s->pt.ops->map(&s->pt, places[i], pa, PAGE, RW, NULL);
	return uiommu_map(s->dom, places[i], pa, PAGE, RW, NULL);
}

static void unmap(struct space *s, unsigned i)
{
	struct uiommu_gather g;

	if (!s->sva) {
		uiommu_unmap(s->dom, places[i], PAGE, NULL);
		return;
	}
	uiommu_gather_init(&g);
	s->pt.ops->unmap(&s->pt, places[i], PAGE, &g, NULL);
	uiommu_mm_invalidate(s->mm, &g);
	uiommu_gather_free(&g, &s->w->sva.host);
}

/* Whoever calls has the place to itself. */
static void page_in(struct space *s, unsigned i, unsigned page)
{
	struct world *w = s->w;
	int err;

	world_note(w, "space %u: page %u comes to place %u", s->number, page, i);
	var_begin(w, &s->place[i].v, w->page[page]);
	err = map(s, i, w->page[page]);
	uiommu_hostile_device_write();
	if (err && !world_forgives(w, err))
		uiommu_hostile_fail("a page cannot be put in: %d", err);
	var_end(w, &s->place[i].v, !err);
}

static bool is_bound(const struct space *s)
{
	return var_now(&s->on[0].at) || var_now(&s->on[1].at);
}

static void prefetch(const struct space *s, unsigned i)
{
	for (unsigned k = 0; k < FDEVS; k++) {
		const struct uiommu_sim_access a = {
			.stream_id = streams[k], .substream_id = uiommu_mm_pasid(s->mm),
			.ssv = true, .iova = places[i],
		};

		uiommu_sim_smmuv3_prefetch(s->w->sim, &a);
	}
}

/* Of a process that nobody has: just when somebody binds it. What was stored may wait in
 * its buffer all that time, and hardware walks. */
static void meet_bind(const struct space *s)
{
	for (unsigned n = 0; n < 300 && !s->binding; n++)
		uiommu_hostile_wait();
	uiommu_hostile_linger(true);
}

static void outstay_bind(const struct space *s, unsigned i)
{
	for (unsigned n = 0; n < 2000 && s->binding; n++)
		uiommu_hostile_wait();
	prefetch(s, i);
	uiommu_hostile_linger(false);
}

static void page_out(struct space *s, unsigned i)
{
	bool meet = s->sva && !is_bound(s) && pick(2);

	if (meet)
		meet_bind(s);
	world_note(s->w, "space %u: the page at place %u goes: begins", s->number, i);
	var_begin(s->w, &s->place[i].v, 0);
	unmap(s, i);
	if (meet)
		outstay_bind(s, i);
	var_end(s->w, &s->place[i].v, true);
	world_note(s->w, "... returns");
}

/* A device asks for it. false: there is none, and will not be. */
bool sva_bring(struct space *s, uint64_t iova)
{
	unsigned i = 0;

	while (i < PLACES && places[i] != (iova & ~(uint64_t)(PAGE - 1)))
		i++;
	if (i == PLACES || s->dying)
		return false;
	if (s->place[i].busy || var_now(&s->place[i].v))
		return true;
	if (!pick(4))
		return false;
	s->place[i].busy = true;
	uiommu_hostile_acquire(&s->place[i]);
	page_in(s, i, pick(PAGES));
	uiommu_hostile_mb();
	uiommu_hostile_release(&s->place[i]);
	s->place[i].busy = false;
	return true;
}

void sva_page(struct world *w, const struct op *op)
{
	struct space *s = &w->sva.space[op->a % SVA_SPACES];
	unsigned i = op->b % PLACES, k = op->c % FDEVS;

	if (!w->setup.faults || s->busy || s->place[i].busy)
		return;
	s->users++;
	s->place[i].busy = true;
	uiommu_hostile_acquire(&s->place[i]);
	w->sva.hot = i;
	if (!var_now(&s->place[i].v))
		page_in(s, i, op->d % PAGES);
	else
		page_out(s, i);
	uiommu_hostile_handover();
	uiommu_hostile_release(&s->place[i]);
	s->place[i].busy = false;
	s->users--;
	if (!var_now(&s->on[k].at))
		k = FDEVS - 1 - k;
	if (var_now(&s->on[k].at) && var_now(&s->on[k].at) != ANY)
		sva_dma(w, k, (uint32_t)var_now(&s->on[k].at) - 1, i, op->d & 1);
}

/* ---- bind and unbind, attach and detach ---- */

/* What it was asked for by whom it left has been taken back, and is answered. */
static void left(const struct space *s, unsigned k, uint64_t at, uint64_t since)
{
	faults_left(s, k, (uint32_t)at - 1, since);
	for (unsigned i = 0; i < HELD; i++)
		if (s->held[i] && faults_of(&s->w->sva.dev[k], s->held[i]) &&
		    s->held[i]->requests->pasid + 1 == at)
			uiommu_hostile_fail("space %u is left by device %c, whose request it still has",
					    s->number, 'f' + k);
}

static bool excused(const struct world *w, unsigned k, int err)
{
	if (w->sva.dev[k].e.trouble && err == -UIOMMU_EIO)
		return true;
	return w->failing && (err == -UIOMMU_EIO || err == -UIOMMU_ETIMEDOUT);
}

static void note_pasid(struct world *w, struct space *s, unsigned k, uint32_t pasid)
{
	struct var *at = &s->on[k].at;

	at->e[(at->n - 1) % KEPT].v = 1 + pasid;
	w->sva.recent[pick(RECENT)] = pasid;
}

static void bind(struct world *w, struct space *s, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	struct uiommu_sva *sva = NULL;
	int want = f->reset && !s->on[k].refs ? -UIOMMU_EBUSY : 0, err;

	world_note(w, "bind of space %u to device %c: begins", s->number, 'f' + k);
	if (!s->on[k].refs)
		var_begin(w, &s->on[k].at, ANY);
	s->binding = !s->on[0].refs && !s->on[1].refs;
	err = uiommu_sva_bind_device(f->dev, s->mm, &sva);
	s->binding = false;
	world_note(w, "... returns %d, PASID %u", err, err ? 0 : uiommu_sva_pasid(sva));
	if (err != want && !excused(w, k, err) && !world_forgives(w, err))
		uiommu_hostile_fail("a bind returns %d instead of %d", err, want);
	w->res->binds += !err;
	if (!err && s->on[k].refs && sva != s->on[k].sva)
		uiommu_hostile_fail("a second bind is not the first");
	if (!err && !s->on[k].refs)
		note_pasid(w, s, k, uiommu_sva_pasid(sva));
	if (!s->on[k].refs)
		var_end(w, &s->on[k].at, !err);
	if (err)
		return;
	s->on[k].sva = sva;
	s->on[k].refs++;
}

static void unbind(struct world *w, struct space *s, unsigned k)
{
	bool last = s->on[k].refs == 1;
	uint64_t was = var_now(&s->on[k].at), since = ++w->clock;

	world_note(w, "unbind of space %u from device %c: begins", s->number, 'f' + k);
	if (last)
		var_begin(w, &s->on[k].at, 0);
	s->on[k].refs--;
	uiommu_sva_unbind_device(s->on[k].sva);
	if (last) {
		var_end(w, &s->on[k].at, true);
		left(s, k, was, since);
	}
	world_note(w, "... returns");
}

static int rid_has(void *ctx, const struct uiommu_attach_status *st)
{
	struct uiommu_domain **dom = ctx;

	if (st->pasid == UIOMMU_NO_PASID)
		*dom = st->dom;
	return 0;
}

/* The RID's old space, if what is attached is still its domain; else nobody has it. */
static void after_failure(struct world *w, struct fdevice *f, unsigned k)
{
	struct uiommu_domain *has = NULL;

	uiommu_device_for_each_attach(f->dev, rid_has, &has);
	if (!f->rid || f->rid->dom == has)
		return;
	var_begin(w, &f->rid->on[k].at, 0);
	var_end(w, &f->rid->on[k].at, true);
	f->rid->users--;
	f->rid = NULL;
}

static void attach(struct world *w, struct space *s, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	struct space *old = f->rid;
	int want = f->reset ? -UIOMMU_EBUSY : 0, err;
	uint64_t since = ++w->clock;

	world_note(w, "%s of space %u, device %c: begins", old ? "replace" : "attach", s->number,
		   'f' + k);
	var_begin(w, &s->on[k].at, want ? 0 : 1);
	if (old)
		var_begin(w, &old->on[k].at, want ? 1 : 0);
	err = (old ? uiommu_replace_device_pasid : uiommu_attach_device_pasid)(s->dom, f->dev,
									      UIOMMU_NO_PASID);
	world_note(w, "... returns %d", err);
	if (err != want && !excused(w, k, err) && !world_forgives(w, err))
		uiommu_hostile_fail("attach or replace of a space returns %d instead of %d", err,
				    want);
	var_end(w, &s->on[k].at, !err);
	if (old)
		var_end(w, &old->on[k].at, !err);
	if (old && !err)
		left(old, k, 1, since);
	if (err) {
		after_failure(w, f, k);
		return;
	}
	s->users++;
	if (old)
		old->users--;
	f->rid = s;
}

static void detach(struct world *w, struct space *s, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	uint64_t since = ++w->clock;

	world_note(w, "detach of space %u, device %c: begins", s->number, 'f' + k);
	var_begin(w, &s->on[k].at, 0);
	uiommu_detach_device_pasid(f->dev, UIOMMU_NO_PASID);
	var_end(w, &s->on[k].at, true);
	left(s, k, 1, since);
	world_note(w, "... returns");
	s->users--;
	f->rid = NULL;
}

static void change(struct world *w, struct space *s, unsigned k, bool more)
{
	if (s->sva && (!s->on[k].refs || (more && s->on[k].refs < 3)))
		bind(w, s, k);
	else if (s->sva)
		unbind(w, s, k);
	else if (w->sva.dev[k].rid == s)
		detach(w, s, k);
	else
		attach(w, s, k);
}

void sva_bind(struct world *w, const struct op *op)
{
	struct space *s = &w->sva.space[op->a % SVA_SPACES];
	unsigned k = op->b % FDEVS;
	struct fdevice *f = &w->sva.dev[k];
	bool *busy = s->sva ? &s->on[k].busy : &f->rid_busy;
	uint64_t was = var_now(&s->on[k].at);

	if (!w->setup.faults || s->busy || f->busy || *busy)
		return;
	*busy = true;
	s->users++;
	f->users++;
	if (was)
		sva_ask(w, k, (uint32_t)was - 1, op->d);
	change(w, s, k, op->c % 4 == 0);
	if (was)
		sva_dma(w, k, (uint32_t)was - 1, op->d % PLACES, op->c & 1);
	uiommu_hostile_handover();
	f->users--;
	s->users--;
	*busy = false;
}

/* ---- the end of a process ---- */

static void wait_for_handlers(const struct space *s)
{
	while (s->mapping)
		uiommu_hostile_wait();
	uiommu_hostile_acquire(&s->mapping);
}

static void forget_pages(struct space *s)
{
	wait_for_handlers(s);
	for (unsigned i = 0; i < PLACES; i++) {
		var_begin(s->w, &s->place[i].v, 0);
		var_end(s->w, &s->place[i].v, true);
	}
}

static void none_is_held(const struct space *s)
{
	for (unsigned i = 0; i < HELD; i++)
		if (s->held[i])
			uiommu_hostile_fail("a page request is left behind with its handler");
}

static void unbind_all(struct world *w, struct space *s)
{
	for (unsigned k = 0; k < FDEVS; k++)
		while (s->on[k].refs)
			unbind(w, s, k);
	while (s->num_stale)
		uiommu_sva_unbind_device(s->stale[--s->num_stale]);
}

/* Nobody works on the table any more. */
static void end_process(struct world *w, struct space *s)
{
	uint64_t since = ++w->clock;

	world_note(w, "the process of space %u ends", s->number);
	uiommu_mm_die(s->mm);
	var_end(w, &s->alive, true);
	for (unsigned k = 0; k < FDEVS; k++)
		if (s->on[k].refs)
			faults_left(s, k, uiommu_sva_pasid(s->on[k].sva), since);
	world_note(w, "... its pages and tables go");
	forget_pages(s);
	none_is_held(s);
	s->pt.ops->fini(&s->pt);
	unbind_all(w, s);
	if (uiommu_mm_destroy(s->mm))
		uiommu_hostile_fail("an address space that is bound nowhere cannot go");
}

static void end_domain(struct world *w, struct space *s)
{
	int err;

	wait_for_handlers(s);
	err = uiommu_domain_free(s->dom);
	world_note(w, "the domain of space %u goes", s->number);
	var_end(w, &s->alive, true);
	forget_pages(s);
	none_is_held(s);
	if (err)
		uiommu_hostile_fail("a domain that is attached nowhere cannot go: %d", err);
}

static void end(struct world *w, struct space *s)
{
	s->dying = true;
	var_begin(w, &s->alive, 0);
	(s->sva ? end_process : end_domain)(w, s);
}

static int make_process(struct world *w, struct space *s)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 44 };
	const struct uiommu_mm_config mm = { .name = "mm", .table = &s->pt, .ctx = s,
					     .iopf = &fault_handler };
	int err = uiommu_pt_arm_s1_4k_ops.init(&s->pt, &w->sva.host, &cfg);

	if (err)
		return err;
	err = uiommu_mm_create(w->u, &mm, &s->mm);
	if (err)
		s->pt.ops->fini(&s->pt);
	return err;
}

static int make_domain(struct world *w, struct space *s)
{
	int err = uiommu_domain_alloc_paging(w->sva.dev[0].dev, UIOMMU_DOMAIN_ALLOC_PASID,
					     &s->dom);

	return err ? err : uiommu_domain_set_iopf(s->dom, &fault_handler, s);
}

static void begin(struct world *w, struct space *s)
{
	int err;

	s->dying = false;
	do {
		err = s->sva ? make_process(w, s) : make_domain(w, s);
	} while (world_forgives(w, err));
	if (err)
		uiommu_hostile_fail("a space cannot be made: %d", err);
	var_begin(w, &s->alive, 1);
	var_end(w, &s->alive, true);
}

void sva_end(struct world *w, const struct op *op)
{
	struct space *s = &w->sva.space[op->a % SVA_SPACES];

	if (!w->setup.faults || s->busy || s->users || w->sva.dev[0].busy)
		return;
	w->sva.dev[0].users++;
	s->busy = true;
	if (s->sva && op->b & 1 && s->on[op->c % FDEVS].refs)
		sva_ask(w, op->c % FDEVS, uiommu_sva_pasid(s->on[op->c % FDEVS].sva), op->d);
	end(w, s);
	begin(w, s);
	uiommu_hostile_handover();
	s->busy = false;
	w->sva.dev[0].users--;
}

/* ---- the devices ---- */

static int add(struct world *w, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	struct uiommu_dev_config cfg = {
		.name = k ? "g" : "f", .iommu = w->iommu, .rid = 6 + k, .stream_ids = &streams[k],
		.num_stream_ids = 1, .pasid_bits = 6, .group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED, .can_stall = f->stalls, .pri = f->pri,
		.pri_pasid = k, .max_faults = 2,
	};
	int err;

	ats_configure(&f->e, &cfg);
	cfg.ats = f->pri;
	do {
		ats_reset(&f->e);
		err = uiommu_device_add(w->u, &cfg, &f->dev);
	} while (world_forgives(w, err) || (err && excused(w, k, err)));
	return err;
}

static uint64_t born(const struct fdevice *f, const struct uiommu_page_request *r)
{
	bool stall = r->flags & UIOMMU_PAGE_REQUEST_STALL;

	return stall ? f->stall[r->grpid].born : f->prg[r->grpid].born;
}

/* Whatever it asked for before @t has been answered. */
static void none_of(struct world *w, unsigned k, uint64_t t)
{
	for (unsigned i = 0; i < SVA_SPACES * HELD; i++) {
		const struct uiommu_iopf_group *g = w->sva.space[i / HELD].held[i % HELD];

		if (g && faults_of(&w->sva.dev[k], g) && born(&w->sva.dev[k], g->requests) < t)
			uiommu_hostile_fail("device %c is reset, and space %u has a request of it",
					    'f' + k, i / HELD);
	}
}

static void reset(struct world *w, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	uint64_t since = ++w->clock;
	int err;

	world_note(w, "reset_%s of device %c: begins", f->reset ? "done" : "prepare", 'f' + k);
	var_begin(w, &f->open, f->reset);
	err = (f->reset ? uiommu_device_reset_done : uiommu_device_reset_prepare)(f->dev);
	world_note(w, "... returns %d", err);
	if (err && !excused(w, k, err))
		uiommu_hostile_fail("a reset of device %c returns %d", 'f' + k, err);
	if (f->reset) {
		var_end(w, &f->open, true);
		ats_well(w, &f->e);
		f->reset = false;
		after_failure(w, f, k);
	} else {
		var_end(w, &f->open, !err);
		f->reset = !err;
		if (!err) {
			ats_reset(&f->e);
			none_of(w, k, since);
			faults_gone(w, k, since);
		}
	}
}

/* What was bound stays so for who bound it, and reaches nothing. */
static void leave_all(struct world *w, unsigned k, bool begins)
{
	for (unsigned i = 0; i < SVA_SPACES; i++) {
		struct space *s = &w->sva.space[i];

		if (begins) {
			var_begin(w, &s->on[k].at, 0);
			continue;
		}
		var_end(w, &s->on[k].at, true);
		while (s->on[k].refs) {
			s->on[k].refs--;
			s->stale[s->num_stale++] = s->on[k].sva;
		}
	}
}

static void replug(struct world *w, unsigned k)
{
	struct fdevice *f = &w->sva.dev[k];
	uint64_t since = ++w->clock;
	int err;

	world_note(w, "remove device %c: begins", 'f' + k);
	leave_all(w, k, true);
	var_begin(w, &f->open, 0);
	uiommu_device_remove(f->dev);
	ats_gone(&f->e);
	var_end(w, &f->open, true);
	faults_gone(w, k, since);
	leave_all(w, k, false);
	world_note(w, "... returns");
	if (f->rid)
		f->rid->users--;
	f->rid = NULL;
	f->reset = false;
	var_begin(w, &f->open, 1);
	err = add(w, k);
	if (err)
		uiommu_hostile_fail("device %c cannot be added again: %d", 'f' + k, err);
	var_end(w, &f->open, true);
	ats_well(w, &f->e);
}

/* Of a space that is being ended binds change too. */
static bool someone_ends(const struct world *w)
{
	for (unsigned i = 0; i < SVA_SPACES; i++)
		if (w->sva.space[i].busy || w->sva.space[i].num_stale > STALE - 6)
			return true;
	return false;
}

void sva_device(struct world *w, const struct op *op)
{
	unsigned k = op->a % FDEVS;
	struct fdevice *f = &w->sva.dev[k];

	if (!w->setup.faults || f->busy || f->users)
		return;
	f->busy = true;
	if (w->sva.recent[0])
		sva_ask(w, k, w->sva.recent[op->c % RECENT], op->d);
	if (op->b % 4)
		reset(w, k);
	else if (!w->failing && !someone_ends(w))
		replug(w, k);
	uiommu_hostile_handover();
	f->busy = false;
}

/* ---- life ---- */

void sva_boot(struct world *w)
{
	struct sva *v = &w->sva;

	if (!w->setup.faults)
		return;
	for (unsigned k = 0; k < FDEVS; k++) {
		struct fdevice *f = &v->dev[k];

		f->stalls = w->setup.stall && (!w->setup.pri || k == 0);
		f->pri = w->setup.pri && !f->stalls;
		ats_endpoint(w, &f->e, &streams[k], 1);
		f->e.global = k;
		var_init(&f->open, 1);
		if (add(w, k))
			uiommu_hostile_fail("device %c cannot be added", 'f' + k);
	}
	for (unsigned i = 0; i < SVA_SPACES; i++) {
		struct space *s = &v->space[i];

		s->w = w;
		s->number = i;
		var_init(&s->alive, 0);
		s->sva = i < SVA_SPACES / 2;
		for (unsigned p = 0; p < PLACES; p++)
			var_init(&s->place[p].v, 0);
		for (unsigned k = 0; k < FDEVS; k++)
			var_init(&s->on[k].at, 0);
		begin(w, s);
	}
}

void sva_shut(struct world *w)
{
	for (unsigned i = 0; i < SVA_SPACES && w->setup.faults; i++) {
		struct space *s = &w->sva.space[i];

		for (unsigned k = 0; k < FDEVS; k++)
			if (w->sva.dev[k].rid == s)
				detach(w, s, k);
		end(w, s);
	}
	if (w->setup.faults)
		faults_settle(w);
}

/* ---- what must be ---- */

static bool may_be(const struct var *at, uint32_t pasid, uint64_t t0, uint64_t t1)
{
	uint64_t v[KEPT];
	bool whole;

	for (unsigned n = var_possible(at, t0, t1, v, &whole); n;)
		if (v[--n] == 1 + (uint64_t)pasid || (v[n] == ANY && pasid))
			return true;
	return false;
}

/* Nothing but values that pass, all the time. */
static bool always(const struct var *var, uint64_t t0, uint64_t t1, uint64_t value)
{
	uint64_t v[KEPT];
	bool whole;
	unsigned n = var_possible(var, t0, t1, v, &whole);

	for (unsigned i = 0; i < n; i++)
		if (value ? v[i] != value : !v[i])
			return false;
	return n && whole;
}

/* Nothing but 0 now. */
static bool never(const struct var *var, uint64_t now)
{
	uint64_t v[KEPT];
	bool whole, any = false;

	for (unsigned n = var_possible(var, now, now, v, &whole); n;)
		any |= v[--n] != 0;
	return !any;
}

static void judge_access(struct world *w, const struct dma *d, uint64_t pa)
{
	const struct fdevice *f = &w->sva.dev[d->dev];
	uint64_t v[KEPT], now = w->clock;
	unsigned n;
	bool whole;

	if (w->failing && d->began <= w->failed_at)
		return;
	if (never(&f->open, now))
		uiommu_hostile_fail("device %c reaches memory while it is shut off", 'f' + d->dev);
	for (unsigned i = 0; i < SVA_SPACES; i++) {
		const struct space *s = &w->sva.space[i];

		if (!may_be(&s->on[d->dev].at, d->slot, now, now) || never(&s->alive, now))
			continue;
		for (n = var_possible(&s->place[d->where].v, now, now, v, &whole); n;)
			if (v[--n] && v[n] == (pa & ~(uint64_t)(PAGE - 1)))
				return;
	}
	uiommu_hostile_fail("device %c, PASID %u, at place %u reaches physical 0x%llx, which it must "
			    "not (any more)", 'f' + d->dev, d->slot, d->where,
			    (unsigned long long)pa);
}

/* Aborted, and did one space have the PASID all the time, and a page there? */
static void judge_abort(struct world *w, const struct dma *d)
{
	const struct fdevice *f = &w->sva.dev[d->dev];
	uint64_t t0 = d->began, t1 = w->clock;

	if (w->failing || ats_excuses(d) || !always(&f->open, t0, t1, 1))
		return;
	for (unsigned i = 0; i < SVA_SPACES; i++) {
		const struct space *s = &w->sva.space[i];

		if (always(&s->on[d->dev].at, t0, t1, 1 + (uint64_t)d->slot) &&
		    always(&s->alive, t0, t1, 1) && always(&s->place[d->where].v, t0, t1, 0))
			uiommu_hostile_fail("a DMA of device %c, PASID %u, at place %u is aborted, "
					    "and nothing was in its way", 'f' + d->dev, d->slot,
					    d->where);
	}
}

/* When did it get that PASID, at the earliest after @t? */
static uint64_t begin_of(const struct var *at, uint32_t pasid, uint64_t t)
{
	uint64_t from = NEVER;

	for (unsigned i = 0; i < KEPT && i < at->n; i++)
		if (at->e[i].to > t && at->e[i].from < from &&
		    (at->e[i].v == 1 + (uint64_t)pasid || at->e[i].v == ANY))
			from = at->e[i].from;
	return from;
}

/* Until when had somebody the PASID who had it at @t? */
static uint64_t end_of(const struct var *at, uint32_t pasid, uint64_t t)
{
	for (unsigned i = 0; i < KEPT && i < at->n; i++)
		if (at->e[i].v == 1 + (uint64_t)pasid && at->e[i].from < t && at->e[i].to > t)
			return at->e[i].to;
	return NEVER;
}

/* A request that was made at @t, while another had the PASID, is gone with that one. */
void sva_asked(const struct space *s, unsigned k, uint32_t pasid, uint64_t t)
{
	uint64_t from = begin_of(&s->on[k].at, pasid, t), now = s->w->clock;

	if (!may_be(&s->on[k].at, pasid, now, now) || never(&s->alive, now))
		uiommu_hostile_fail("space %u is asked for a page that it has been detached from",
				    s->number);
	for (unsigned i = 0; i < SVA_SPACES; i++) {
		const struct space *o = &s->w->sva.space[i];

		if (o != s && always(&o->on[k].at, t, t, 1 + (uint64_t)pasid) &&
		    end_of(&o->on[k].at, pasid, t) < from)
			uiommu_hostile_fail("space %u is asked for a page of space %u, which was "
					    "detached before: asked at %llu", s->number, i,
					    (unsigned long long)t);
	}
}

const struct judge sva_judge = { judge_access, judge_abort };
