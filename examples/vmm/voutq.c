/* SPDX-License-Identifier: MIT */
/*
 * voutq.c - the queues that the SMMU writes: events and page requests
 *
 * What the host tells waits in an inbox, and goes into the guest's queue in steps.
 * A queue that is full loses what comes, and says so by OVFLG (IHI 0070, 7.4). Nobody
 * who asked for a page waits in vain then: a group whose last request is lost is
 * answered "success", so that the device asks again; where nobody listens, "no" (8.1).
 */
#include "say.h"
#include "vm.h"
#include "vsmmu.h"

struct outq {
	unsigned base, prod, cons, words;
	uint32_t enable, abort_error;
	enum vsmmu_irq irq;
};

static const struct outq eventq = {
	SMMU_EVENTQ_BASE, SMMU_EVENTQ_PROD, SMMU_EVENTQ_CONS, EVT_WORDS,
	FMASK(CR0_EVENTQEN), FMASK(GERROR_EVENTQ_ABT_ERR), VSMMU_IRQ_EVTQ,
};

static const struct outq priq = {
	SMMU_PRIQ_BASE, SMMU_PRIQ_PROD, SMMU_PRIQ_CONS, PRI_WORDS,
	FMASK(CR0_PRIQEN), FMASK(GERROR_PRIQ_ABT_ERR), VSMMU_IRQ_PRIQ,
};

/* The fields of both have the same places. */
#define OVFLG	((uint32_t)FMASK(EVENTQ_PROD_OVFLG))

static uint32_t lg2_of(const struct vsmmu *v, const struct outq *q)
{
	uint32_t idr1 = vsmmu_get(v, SMMU_IDR1);
	uint64_t max = q == &eventq ? FGET(IDR1_EVENTQS, idr1) : FGET(IDR1_PRIQS, idr1);
	uint64_t lg2 = FGET(EVENTQ_BASE_LOG2SIZE, vsmmu_get(v, q->base));

	return (uint32_t)(lg2 < max ? lg2 : max);
}

static bool is_on(const struct vsmmu *v, const struct outq *q)
{
	return vsmmu_get(v, SMMU_CR0ACK) & q->enable && !vsmmu_gerror_active(v, q->abort_error);
}

/* PROD and CONS differ in the wrap bit alone. Page requests are kept out until an
 * overflow is acknowledged, too. */
static bool is_full(const struct vsmmu *v, const struct outq *q)
{
	uint32_t lg2 = lg2_of(v, q), differ = vsmmu_get(v, q->prod) ^ vsmmu_get(v, q->cons);

	return (differ & ((2u << lg2) - 1)) == 1u << lg2 || (q == &priq && differ & OVFLG);
}

/* Said once, until the guest has acknowledged it. */
static void overflow(struct vsmmu *v, const struct outq *q)
{
	if ((vsmmu_get(v, q->prod) ^ vsmmu_get(v, q->cons)) & OVFLG)
		return;
	vsmmu_set(v, q->prod, vsmmu_get(v, q->prod) ^ OVFLG);
	vsmmu_interrupt(v, q->irq);
}

/* The interrupt is for a queue that is not empty any more. */
static void publish(struct vsmmu *v, const struct outq *q)
{
	uint32_t mask = (2u << lg2_of(v, q)) - 1, prod = vsmmu_get(v, q->prod);
	bool was_empty = !((prod ^ vsmmu_get(v, q->cons)) & mask);

	vsmmu_set(v, q->prod, (prod & ~mask) | ((prod + 1) & mask));
	if (was_empty)
		vsmmu_interrupt(v, q->irq);
}

enum put { PUT, FULL, OFF };

static enum put put(struct vsmmu *v, const struct outq *q, const uint64_t *words)
{
	uint64_t base = vsmmu_get64(v, q->base) & FMASK(EVENTQ_BASE_ADDR);
	uint32_t slot = vsmmu_get(v, q->prod) & ((1u << lg2_of(v, q)) - 1);

	if (!is_on(v, q))
		return OFF;
	if (is_full(v, q)) {
		overflow(v, q);
		return FULL;
	}
	if (!vm_write64(v->vm, base + slot * q->words * 8ull, words, q->words)) {
		vsmmu_gerror(v, q->abort_error);
		return OFF;
	}
	publish(v, q);
	return PUT;
}

/* ---- page request groups ---- */

/* NULL: as many as we remember are open. */
static struct vsmmu_group *new_group(struct vsmmu *v)
{
	for (unsigned i = 0; i < VSMMU_GROUPS; i++)
		if (!v->groups[i].open)
			return &v->groups[i];
	return NULL;
}

static struct vsmmu_group *find_group(struct vsmmu *v, uint32_t sid, uint32_t prgi)
{
	for (unsigned i = 0; i < VSMMU_GROUPS; i++) {
		struct vsmmu_group *g = &v->groups[i];

		if (g->open && g->sid == sid && g->prgi == prgi)
			return g;
	}
	return NULL;
}

/* With its last request the group is the guest's to answer. */
static void put_page_request(struct vsmmu *v, const uint64_t *words, uint32_t cookie)
{
	uint32_t sid = (uint32_t)FGET(PRI_StreamID, words[0]);
	uint32_t prgi = (uint32_t)FGET(PRI_PRGIndex, words[1]);
	struct vsmmu_group *g = find_group(v, sid, prgi);
	enum put done;

	if (!g)
		g = new_group(v);
	done = g ? put(v, &priq, words) : FULL;
	if (!FGET(PRI_Last, words[0]))
		return;
	if (done == PUT)
		*g = (struct vsmmu_group){ sid, prgi, cookie, true };
	else
		host_page_response(v->vm->faults, cookie, done == FULL);
}

/* The guest may answer what is not open any more: its device was reset meanwhile. */
void vsmmu_page_response(struct vsmmu *v, uint32_t sid, uint32_t prgi, bool success)
{
	struct vsmmu_group *g = find_group(v, sid, prgi);

	if (!g)
		return;
	g->open = false;
	host_page_response(v->vm->faults, g->cookie, success);
}

/* ---- the inboxes ---- */

static uint64_t *inbox_add(struct vsmmu_inbox *in, uint32_t cookie)
{
	unsigned at = (in->first + in->n++) % VSMMU_INBOX;

	in->rec[at].cookie = cookie;
	return in->rec[at].words;
}

static unsigned inbox_take(struct vsmmu_inbox *in)
{
	unsigned at = in->first;

	in->first = (at + 1) % VSMMU_INBOX;
	in->n--;
	return at;
}

unsigned vsmmu_room(struct vsmmu *v)
{
	unsigned n;

	pthread_mutex_lock(&v->lock);
	n = v->events.n > v->requests.n ? v->events.n : v->requests.n;
	pthread_mutex_unlock(&v->lock);
	return VSMMU_INBOX - n;
}

void vsmmu_event(struct vsmmu *v, const struct host_event *e)
{
	pthread_mutex_lock(&v->lock);
	if (e->lost) {
		v->events.lost = true;
	} else {
		uint64_t *words = inbox_add(&v->events, 0);

		for (unsigned i = 0; i < EVT_WORDS; i++)
			words[i] = e->words[i];
	}
	pthread_mutex_unlock(&v->lock);
}

static void add_page_request(struct vsmmu *v, const struct host_page_request *r, uint32_t sid)
{
	uint64_t *words = inbox_add(&v->requests, r->cookie);

	words[0] = FPREP(PRI_StreamID, sid) | FPREP(PRI_SubstreamID, r->pasid) |
		   FPREP(PRI_SSV, r->has_pasid) | FPREP(PRI_Last, r->last) |
		   FPREP(PRI_R, r->read) | FPREP(PRI_W, r->write) |
		   FPREP(PRI_X, r->exec) | FPREP(PRI_P, r->priv);
	words[1] = (r->addr & FMASK(PRI_Address)) | FPREP(PRI_PRGIndex, r->grpid);
}

/* Of a device that is not the guest's any more nobody would answer. */
void vsmmu_page_request(struct vsmmu *v, const struct host_page_request *r)
{
	const struct vdev *d;

	pthread_mutex_lock(&v->lock);
	d = vm_device_by_id(v->vm, r->dev);
	if (d)
		add_page_request(v, r, d->board.stream_id);
	else if (r->last)
		host_page_response(v->vm->faults, r->cookie, false);
	pthread_mutex_unlock(&v->lock);
}

/* One record into one of the queues. */
bool vsmmu_outq_step(struct vsmmu *v)
{
	unsigned at;

	if (v->events.n) {
		put(v, &eventq, v->events.rec[inbox_take(&v->events)].words);
	} else if (v->events.lost) {
		v->events.lost = false;
		overflow(v, &eventq);
	} else if (v->requests.n) {
		at = inbox_take(&v->requests);
		put_page_request(v, v->requests.rec[at].words, v->requests.rec[at].cookie);
	} else {
		return false;
	}
	return true;
}
