/* SPDX-License-Identifier: MIT */
/*
 * faults.c - devices that wait for a page: how they ask, and who answers
 *
 * A device's access is held back by the SMMU (stalls), or it asks for the page by itself
 * (PRI) and tries again; some ask and go away. Handlers answer at once, or later on a thread
 * of their own, whatever happens to the domain meanwhile. What is asked is answered exactly
 * once: a device counts. What was asked of a domain that has been left is answered when the
 * call that leaves it returns, and no handler of it is at work for the device: where an
 * answer would come later, the device may have begun to use the group's index anew.
 */
#include "world.h"

#include "src/smmuv3/fields.h"

/* ---- handlers ---- */

/* A handler takes its time. */
static void linger(unsigned seldom, unsigned most)
{
	for (unsigned n = pick(seldom) ? 0 : pick(most); n; n--)
		uiommu_hostile_wait();
}

static void serve(struct space *s, struct uiommu_iopf_group *g)
{
	enum uiommu_page_response code = UIOMMU_PAGE_SUCCESS;

	s->mapping++;
	for (const struct uiommu_page_request *r = g->requests; r; r = r->next)
		if (!sva_bring(s, r->addr))
			code = UIOMMU_PAGE_INVALID;
	uiommu_hostile_yield();
	linger(24, 300);
	s->w->res->served++;
	if (!pick(20))
		code = UIOMMU_PAGE_FAILURE;
	s->w->sva.granted += code == UIOMMU_PAGE_SUCCESS &&
			     g->requests->flags & UIOMMU_PAGE_REQUEST_STALL;
	uiommu_page_response(g, code);
	uiommu_hostile_release(&s->mapping);
	s->mapping--;
}

static bool hold(struct space *s, struct uiommu_iopf_group *g)
{
	for (unsigned i = 0; i < HELD; i++)
		if (!s->held[i]) {
			uiommu_hostile_release(&s->held[i]);
			s->held[i] = g;
			return true;
		}
	return false;
}

/* One that is gone has its place in memory to another: by the StreamID. */
bool faults_of(const struct fdevice *f, const struct uiommu_iopf_group *g)
{
	return g->requests->stream_id == f->e.streams[0];
}

static void check_born(const struct space *s, unsigned k, const struct uiommu_iopf_group *g)
{
	const struct uiommu_page_request *r = g->requests;
	struct fdevice *f = &s->w->sva.dev[k];

	if (!(r->flags & UIOMMU_PAGE_REQUEST_STALL)) {
		f->prg[r->grpid].given = 1 + s->number;
		sva_asked(s, k, r->pasid, f->prg[r->grpid].born);
	} else {
		f->stall[r->grpid].given = 1 + s->number;
		sva_asked(s, k, r->pasid, f->entering ? NEVER - 1 : f->stall[r->grpid].born);
	}
}

static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct space *s = ctx;
	unsigned k = faults_of(&s->w->sva.dev[1], g);

	s->on[k].inside++;
	world_note(s->w, "space %u is asked for 0x%llx, PASID %u", s->number,
		   (unsigned long long)g->requests->addr, (unsigned)g->requests->pasid);
	s->w->res->delivered++;
	check_born(s, k, g);
	linger(8, 80);
	if (!pick(3) || !hold(s, g))
		serve(s, g);
	s->on[k].inside--;
}

static void on_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct space *s = ctx;

	s->w->sva.cancels++;
	for (unsigned i = 0; i < HELD; i++)
		if (s->held[i] == g) {
			s->held[i] = NULL;
			s->w->res->cancelled++;
			uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		}
}

const struct uiommu_iopf_handler fault_handler = { on_fault, on_cancel };

/* Answers what handlers have kept. */
void pager_acts(void *arg)
{
	struct world *w = arg;

	for (;; uiommu_hostile_wait()) {
		struct space *s = &w->sva.space[pick(SVA_SPACES)];
		unsigned i = pick(HELD);
		struct uiommu_iopf_group *g = s->held[i];

		if (!g)
			continue;
		s->held[i] = NULL;
		uiommu_hostile_acquire(&s->held[i]);
		serve(s, g);
	}
}

/* ---- answers, as devices get them ---- */

static struct fdevice *find(struct world *w, uint32_t stream)
{
	for (unsigned k = 0; k < FDEVS; k++)
		if (w->sva.dev[k].e.streams[0] == stream)
			return &w->sva.dev[k];
	uiommu_hostile_fail("StreamID 0x%x is answered, and has not asked", stream);
}

/* env->page_response */
void faults_answered(void *ctx, const struct uiommu_sim_page_response *r)
{
	struct world *w = ctx;
	struct fdevice *f = find(w, r->stream_id);

	w->res->answers++;
	if (r->prgi >= PRGS || (!f->prg[r->prgi].asked && !w->failing))
		uiommu_hostile_fail("a page request is answered that is not open: StreamID 0x%x, "
				    "PRG index %u", r->stream_id, r->prgi);
	f->prg[r->prgi].asked = f->prg[r->prgi].left = false;
	f->prg[r->prgi].told = f->prg[r->prgi].given = 0;
	f->prg[r->prgi].success = r->resp == 2;
}

/* env->resume: the one that stalled with this tag may not know yet that it did */
void faults_resumed(void *ctx, uint32_t stream, uint16_t stag, enum uiommu_sim_resume how)
{
	struct world *w = ctx;
	struct fdevice *f = find(w, stream);

	w->res->resumes++;
	w->sva.retries += how == UIOMMU_SIM_RESUME_RETRY;
	f->stall[stag].again = how == UIOMMU_SIM_RESUME_RETRY;
	f->stall[stag].left = false;
	f->stall[stag].told = f->stall[stag].given = 0;
	if (++f->stall[stag].over > f->stall[stag].begun + f->entering)
		uiommu_hostile_fail("an access that does not wait is answered: tag %u", stag);
}

static void told_stall(struct fdevice *f, unsigned stag)
{
	if (stag >= STAGS)
		return;
	f->stall[stag].told++;
	if (f->stall[stag].left)
		uiommu_hostile_fail("a stall is answered after its domain was left: tag %u of 0x%x",
				    stag, f->e.streams[0]);
}

static void told_group(struct fdevice *f, unsigned prgi)
{
	if (prgi >= PRGS)
		return;
	f->prg[prgi].told++;
	if (f->prg[prgi].left)
		uiommu_hostile_fail("a group is answered after its domain was left: %u of 0x%x",
				    prgi, f->e.streams[0]);
}

static void published(struct world *w, const uint64_t *cmd)
{
	uint64_t op = FGET(CMD_Opcode, cmd[0]), sid = FGET(CMD_RESUME_StreamID, cmd[0]);

	for (unsigned k = 0; k < FDEVS; k++) {
		struct fdevice *f = &w->sva.dev[k];

		if (f->e.streams[0] != sid)
			continue;
		if (op == CMD_RESUME)
			told_stall(f, (unsigned)FGET(CMD_RESUME_STAG, cmd[1]));
		else if (op == CMD_PRI_RESP)
			told_group(f, (unsigned)FGET(CMD_PRI_RESP_PRGIndex, cmd[1]));
	}
}

/* CMDQ_PROD is about to be written: hardware can take what stands before it. */
void faults_published(struct world *w, uint32_t prod)
{
	uint64_t base = uiommu_sim_smmuv3_mmio_read(w->sim, SMMU_CMDQ_BASE, 8), cmd[CMD_WORDS];
	uint32_t at = (uint32_t)uiommu_sim_smmuv3_mmio_read(w->sim, SMMU_CMDQ_PROD, 4);
	unsigned lg2 = (unsigned)FGET(CMDQ_BASE_LOG2SIZE, base);
	uint64_t ring = (base & FMASK(CMDQ_BASE_ADDR)) + w->host.table_offset;

	if (!w->setup.faults || !w->ready || w->failing)
		return;
	for (; (at ^ prod) & ((2u << lg2) - 1); at++) {
		uint64_t p = ring + (at & ((1u << lg2) - 1)) * sizeof(cmd);

		uiommu_hostile_hw_read((void *)(uintptr_t)p, cmd, sizeof(cmd));
		published(w, cmd);
	}
}

/* Somebody has to look into the queues. */
static void wait_a_bit(struct world *w)
{
	if (!pick(w->setup.irqs ? 100 : 20)) {
		uiommu_hostile_handover();
		uiommu_smmuv3_poll(w->iommu);
		uiommu_hostile_handover();
	}
	uiommu_hostile_wait();
}

/* ---- PRI ---- */

static void request(struct world *w, struct fdevice *f, uint32_t pasid, unsigned place,
		    unsigned prgi, bool last)
{
	const struct uiommu_sim_page_request r = {
		.stream_id = f->e.streams[0], .substream_id = pasid, .ssv = pasid != 0,
		.read = true, .write = pick(2), .last = last, .prgi = (uint16_t)prgi,
		.iova = sva_place(place),
	};

	w->res->taken[UIOMMU_SIM_PAGE_REQUEST]++;
	if (last)
		f->prg[prgi].asked = true;
	f->prg[prgi].pasid = pasid;
	f->prg[prgi].born = NEVER - 1;		/* it is on its way */
	world_note(w, "page request of device %c, PASID %u, place %u, PRG index %u%s",
		   'f' + (unsigned)(f - w->sva.dev), pasid, place, prgi, last ? ", the last" : "");
	uiommu_sim_smmuv3_page_request(w->sim, &r);
	f->prg[prgi].born = w->clock;
}

static int free_prg(const struct fdevice *f)
{
	for (int i = 0; i < PRGS; i++)
		if (!f->prg[i].asked && !f->prg[i].used)
			return i;
	return -1;
}

/* A group of one to three; some never say that they are complete. */
static int ask(struct world *w, struct fdevice *f, uint32_t pasid, unsigned place)
{
	int prgi = free_prg(f);

	if (prgi < 0)
		return -1;
	f->prg[prgi].used = true;
	for (unsigned n = pick(3); n; n--)
		request(w, f, pasid, pick(PLACES), (unsigned)prgi, false);
	if (pick(20))
		request(w, f, pasid, place, (unsigned)prgi, true);
	f->prg[prgi].used = false;
	return prgi;
}

static bool ask_and_wait(struct world *w, struct fdevice *f, uint32_t pasid, unsigned place)
{
	int prgi = ask(w, f, pasid, place);

	if (prgi < 0)
		return false;
	f->prg[prgi].used = true;
	for (unsigned n = 0; f->prg[prgi].asked && (!w->failing || n < 20000); n++)
		wait_a_bit(w);
	f->prg[prgi].used = false;
	return f->prg[prgi].success;
}

/* ---- DMA ---- */

/*
 * One at a time, of a device that stalls, is on its way in: so a tag's accesses begin to
 * wait in the order in which they know it, and the answers come in that order too.
 */
static int try(struct world *w, struct fdevice *f, const struct uiommu_sim_access *a, struct dma *d,
	       unsigned *ticket)
{
	int err;

	while (f->entering)
		uiommu_hostile_wait();
	f->entering = f->stalls;
	err = ats_dma(w, &f->e, 0, a, d);
	if (err == -UIOMMU_EAGAIN) {
		*ticket = ++f->stall[d->stag].begun;
		f->stall[d->stag].pasid = d->slot;
		f->stall[d->stag].born = w->clock;
	}
	f->entering = false;
	f->stopped += err == -UIOMMU_EAGAIN || err == -UIOMMU_EFAULT;
	w->res->taken[UIOMMU_SIM_STALL] += err == -UIOMMU_EAGAIN;
	return err;
}

/* 0: it can try again */
static int wait_for_page(struct world *w, struct fdevice *f, struct dma *d, int err,
			 unsigned ticket)
{
	switch (err) {
	case -UIOMMU_EAGAIN:
		while (f->stall[d->stag].over < ticket)
			wait_a_bit(w);
		/* the tag has been used again: which answer that is is not known */
		if (f->stall[d->stag].begun > ticket)
			return 0;
		return f->stall[d->stag].again ? 0 : -UIOMMU_EFAULT;
	case -UIOMMU_EBUSY:
		wait_a_bit(w);
		return 0;
	case -UIOMMU_EACCES:
		return f->pri && ask_and_wait(w, f, d->slot, d->where) ? 0 : -UIOMMU_EFAULT;
	default:
		return err;
	}
}

static struct uiommu_sim_access access_of(const struct fdevice *f, const struct dma *d)
{
	return (struct uiommu_sim_access){
		.stream_id = f->e.streams[0], .substream_id = d->slot, .ssv = d->slot,
		.write = d->write, .iova = d->iova,
	};
}

void sva_dma(struct world *w, unsigned k, uint32_t pasid, unsigned place, bool write)
{
	struct fdevice *f = &w->sva.dev[k];
	struct dma d = { .dev = k, .slot = pasid, .where = place, .iova = sva_place(place),
			 .write = write, .active = true, .began = w->clock,
			 .judge = &sva_judge };
	const struct uiommu_sim_access a = access_of(f, &d);
	int err = -UIOMMU_EAGAIN, more = 0;
	unsigned ticket = 0, n;

	f->flying++;
	world_note(w, "DMA of device %c, PASID %u, to place %u arrives", 'f' + k, pasid, place);
	for (n = 0; n < 12 && err && !more; n++) {
		err = try(w, f, &a, &d, &ticket);
		if (err)
			more = wait_for_page(w, f, &d, err, ticket);
	}
	*uiommu_hostile_local() = NULL;
	w->res->dmas++;
	w->res->aborts += more != 0;
	w->res->waited += !err && n > 1;
	if (more)
		sva_judge.abort(w, &d);
	f->flying--;
}

/* Asks, and goes away. */
void sva_ask(struct world *w, unsigned k, uint32_t pasid, unsigned what)
{
	struct fdevice *f = &w->sva.dev[k];
	unsigned place = what % PLACES, ticket;
	struct dma d = { .dev = k, .slot = pasid, .where = place, .iova = sva_place(place),
			 .active = true, .began = w->clock, .judge = &sva_judge };
	const struct uiommu_sim_access a = access_of(f, &d);

	f->flying++;
	if (f->pri)
		ask(w, f, pasid, place);
	else
		try(w, f, &a, &d, &ticket);
	*uiommu_hostile_local() = NULL;
	f->flying--;
}

void faults_random(struct world *w)
{
	uint32_t pasid = pick(4) ? w->sva.recent[pick(RECENT)] : 0;
	unsigned place = pick(2) ? w->sva.hot : pick(PLACES), k = pick(FDEVS);

	if (pick(6))
		sva_dma(w, k, pasid, place, pick(2));
	else
		sva_ask(w, k, pasid, place);
}

void faults_prefetch(struct world *w)
{
	uint32_t pasid = pick(4) ? w->sva.recent[pick(RECENT)] : 0;
	const struct uiommu_sim_access a = {
		.stream_id = w->sva.dev[pick(FDEVS)].e.streams[0], .substream_id = pasid,
		.ssv = pasid, .iova = sva_place(pick(2) ? w->sva.hot : pick(PLACES)),
	};

	uiommu_sim_smmuv3_prefetch(w->sim, &a);
}

bool faults_event(struct world *w, const struct uiommu_fault *f)
{
	for (unsigned k = 0; k < FDEVS && w->setup.faults; k++) {
		struct fdevice *d = &w->sva.dev[k];

		if (d->e.streams[0] == f->stream_id)
			return ++d->events <= d->stopped + d->e.aborts + d->flying;
	}
	return false;
}

/* ---- what a device has left ---- */

static bool open_group(const struct fdevice *f, unsigned i, uint64_t since)
{
	return f->prg[i].asked && !f->prg[i].told && f->prg[i].born < since;
}

static bool open_stall(const struct fdevice *f, unsigned i, uint64_t since)
{
	return f->stall[i].begun > f->stall[i].over && !f->stall[i].told &&
	       f->stall[i].born < since;
}

/*
 * A call that began at @since has returned, and took @s from @pasid of the device. What was
 * asked for before is answered, or it is whose turn came then that has it. An access whose
 * event found no room is looked at again: nobody answers that one.
 */
void faults_left(const struct space *s, unsigned k, uint32_t pasid, uint64_t since)
{
	struct fdevice *f = &s->w->sva.dev[k];

	if (s->w->failing)
		return;
	if (s->on[k].inside)
		uiommu_hostile_fail("space %u is left by device %c, and its handler is at work",
				    s->number, 'f' + k);
	for (unsigned i = 0; i < PRGS; i++)
		f->prg[i].left |= open_group(f, i, since) && f->prg[i].pasid == pasid &&
				  (!f->prg[i].given || f->prg[i].given == 1 + s->number);
	for (unsigned i = 0; i < STAGS; i++)
		f->stall[i].left |= open_stall(f, i, since) && f->stall[i].pasid == pasid &&
				    (!f->stall[i].given || f->stall[i].given == 1 + s->number);
}

/* Likewise all of the device's. */
void faults_gone(struct world *w, unsigned k, uint64_t since)
{
	struct fdevice *f = &w->sva.dev[k];

	for (unsigned i = 0; i < PRGS && !w->failing; i++)
		f->prg[i].left |= open_group(f, i, since);
	for (unsigned i = 0; i < STAGS && !w->failing; i++)
		f->stall[i].left |= open_stall(f, i, since);
}

/* "Success" is what the SMMU says by itself when it cannot tell software. */
static void is_heard(struct world *w, struct fdevice *f)
{
	request(w, f, 0, 0, 0, true);
	while (f->prg[0].asked)
		wait_a_bit(w);
	if (f->prg[0].success)
		uiommu_hostile_fail("a page request does not come into an empty queue");
}

/* Nothing is left open: each that was asked has been answered, as its handler said. */
void faults_settle(struct world *w)
{
	for (unsigned k = 0; k < FDEVS; k++) {
		struct fdevice *f = &w->sva.dev[k];
		struct uiommu_iopf_stats st;

		for (unsigned n = 0; n < 400; n++) {
			uiommu_smmuv3_poll(w->iommu);
			uiommu_hostile_wait();
		}
		uiommu_device_iopf_stats(f->dev, &st);
		if (st.outstanding)
			uiommu_hostile_fail("page requests of device %c are left open", 'f' + k);
		for (unsigned i = 0; i < PRGS && !w->failing; i++)
			if (f->prg[i].asked)
				uiommu_hostile_fail("a page request of device %c was never answered",
						    'f' + k);
		if (f->pri && !w->failing)
			is_heard(w, f);
	}
	if (!w->failing && w->sva.retries + w->sva.cancels < w->sva.granted)
		uiommu_hostile_fail("of %u accesses that were to try again, %u were told so",
				    w->sva.granted, w->sva.retries);
}
