/* SPDX-License-Identifier: MIT */
/*
 * src/core/iopf.c - page requests: gathered into groups, given to the domain's
 * handler, answered exactly once
 *
 * All memory is the device's from the beginning (a slot for each request), since
 * requests come where nothing can be allocated. A group lives in the slot of its first
 * request. It is open from when its handler gets it until somebody takes it out of
 * pool->open under the lock: that one, and nobody else, answers to hardware. Its
 * memory stays until the handler has answered too, as it may hold the pointer.
 *
 * Who reports or answers is inside the pool's gate. Drain, after the domain was taken
 * from hardware and from the index:
 *
 *   the driver reports what hardware has recorded until now
 *   wait for the gate: whoever found the domain in the index has put his group
 *     among the open ones; who comes later does not find it
 *   what is open is answered INVALID
 *   wait for the gate: answers that were under way are given
 *
 * so that afterwards nothing of that domain is open, under way, or can come.
 */
#include "core.h"

#define REPEATS		8u		/* pages that are watched for each device */
#define REPEAT_MAX	64u		/* of one page in a window, each after a success */
#define WINDOW_NS	1000000000ull

struct slot {
	struct uiommu_page_request req;	/* (l) until the group is open, then (i) */
	struct slot *next;		/* (l) free, or the list that the group is in */
	/* of a group, in its first slot */
	struct uiommu_iopf_group pub;
	struct slot **pprev;		/* (l) NULL: in no list */
	struct slot *last;		/* (l) */
	struct uiommu_iopf_pool *pool;	/* (i) */
	struct uiommu_domain *dom;	/* (i) whose handler has it */
	uiommu_pasid_t at;			/* what @dom is attached to: the RID's where a
						   guest's table has the PASID */
	unsigned refs;			/* (l) the handler, who tells it, a cancel, what is owed */
	bool answered;			/* (l) */
	bool told;			/* (l) its handler's fault() has returned */
};

struct repeat {
	uiommu_iova_t page;
	uiommu_pasid_t pasid;
	unsigned count;
	bool answered;			/* SUCCESS, and not asked for since */
};

/* Field legend: (l) the pool's lock, else as in driver.h. */
struct uiommu_iopf_pool {
	const struct uiommu_host *host;	/* (i) */
	struct uiommu_iommu *iommu;	/* (i) gone with its last device */
	struct uiommu_lock lock;
	struct uiommu_gate gate;	/* (a) */
	struct slot *free;		/* (l) */
	struct slot *partial;		/* (l) groups whose last request has not come */
	struct slot *open;		/* (l) with a handler, not answered */
	struct slot *owed;		/* (l) answered, and hardware did not take it */
	unsigned used;			/* (l) slots */
	bool gone;			/* (l) the device is */
	unsigned rate;			/* (i) groups in a window; 0: no limit */
	uint64_t window;		/* (l) when it began */
	unsigned in_window;		/* (l) groups */
	bool said;			/* (l) in this window, that it asks too often */
	unsigned next_repeat;		/* (l) */
	struct repeat repeats[REPEATS];	/* (l) */
	struct uiommu_iopf_stats stats;	/* (l) */
	size_t bytes;			/* (i) of this allocation */
	struct slot slots[];
};

static void lock(struct uiommu_iopf_pool *p)
{
	host_lock(p->host, &p->lock);
}

static void unlock(struct uiommu_iopf_pool *p)
{
	host_unlock(p->host, &p->lock);
}

/* ---- slots and lists ---- */

static void link_in(struct slot **list, struct slot *g)
{
	g->next = *list;
	g->pprev = list;
	if (g->next)
		g->next->pprev = &g->next;
	*list = g;
}

static void link_out(struct slot *g)
{
	*g->pprev = g->next;
	if (g->next)
		g->next->pprev = g->pprev;
	g->pprev = NULL;
}

static struct slot *slot_of(const struct uiommu_page_request *r)
{
	return uiommu_container_of(r, struct slot, req);
}

static struct slot *group_of(struct uiommu_iopf_group *g)
{
	return uiommu_container_of(g, struct slot, pub);
}

static struct slot *take_slot(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r)
{
	struct slot *s = p->free;

	if (!s)
		return NULL;
	p->free = s->next;
	p->used++;
	s->req = *r;
	s->req.next = NULL;
	return s;
}

/* All slots of a group that is in no list. */
static void give_slots(struct uiommu_iopf_pool *p, struct slot *g)
{
	struct uiommu_page_request *r = &g->req;

	while (r) {
		struct slot *s = slot_of(r);

		r = r->next;
		s->next = p->free;
		p->free = s;
		p->used--;
	}
}

static void destroy(struct uiommu_iopf_pool *p)
{
	host_lock_fini(p->host, &p->lock);
	host_free(p->host, p, p->bytes);
}

/* A reference less; with the pool's lock, which it gives back. */
static void put_group(struct slot *g)
{
	struct uiommu_iopf_pool *p = g->pool;
	bool last;

	if (!--g->refs)
		give_slots(p, g);
	last = p->gone && !p->used;
	unlock(p);
	if (last)
		destroy(p);
}

int uiommu_iopf_create(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg)
{
	unsigned n = cfg->max_faults ? cfg->max_faults : UIOMMU_MAX_FAULTS;
	size_t bytes = sizeof(struct uiommu_iopf_pool) + n * sizeof(struct slot);
	struct uiommu_iopf_pool *p = host_alloc(dev->host, bytes);
	int err;

	if (!p)
		return -UIOMMU_ENOMEM;
	err = host_lock_init(dev->host, &p->lock, UIOMMU_LOCK_SPIN);
	if (err) {
		host_free(dev->host, p, bytes);
		return err;
	}
	p->host = dev->host;
	p->iommu = dev->iommu;
	p->rate = cfg->fault_rate;
	p->bytes = bytes;
	while (n--) {
		p->slots[n].next = p->free;
		p->free = &p->slots[n];
	}
	dev->iopf = p;
	return 0;
}

static void discard_partial(struct uiommu_iopf_pool *p)
{
	while (p->partial) {
		struct slot *g = p->partial;

		link_out(g);
		give_slots(p, g);
	}
}

void uiommu_iopf_destroy(struct uiommu_dev *dev)
{
	struct uiommu_iopf_pool *p = dev->iopf;
	bool last;

	if (!p)
		return;
	lock(p);
	p->gone = true;
	discard_partial(p);
	while (p->owed) {
		struct slot *g = p->owed;

		link_out(g);
		if (!--g->refs)
			give_slots(p, g);
	}
	last = !p->used;
	unlock(p);
	if (last)
		destroy(p);
}

/* ---- a device that keeps asking ---- */

static void new_window(struct uiommu_iopf_pool *p)
{
	uint64_t now = p->host->now_ns(p->host->ctx);

	if (p->in_window && now - p->window < WINDOW_NS)
		return;
	p->window = now;
	p->in_window = 0;
	p->said = false;
	for (unsigned i = 0; i < REPEATS; i++)
		p->repeats[i].count = 0;
}

static struct repeat *repeat_of(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r)
{
	for (unsigned i = 0; i < REPEATS; i++)
		if (p->repeats[i].page == r->addr >> 12 && p->repeats[i].pasid == r->pasid)
			return &p->repeats[i];
	return NULL;
}

/*
 * Asked for again although it was said to be there: that may be bad luck, but not for
 * ever. Several accesses that wait for one page at a time count once.
 */
static bool too_often(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r)
{
	struct repeat *rep;

	new_window(p);
	p->in_window++;
	if (p->rate && p->in_window > p->rate)
		return true;
	rep = repeat_of(p, r);
	if (!rep) {
		rep = &p->repeats[p->next_repeat++ % REPEATS];
		*rep = (struct repeat){ .page = r->addr >> 12, .pasid = r->pasid };
	}
	rep->count += rep->answered;
	rep->answered = false;
	return rep->count > REPEAT_MAX;
}

static void note_success(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r)
{
	struct repeat *rep = repeat_of(p, r);

	if (rep)
		rep->answered = true;
}

/* ---- answers ---- */

static int respond(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r,
		   enum uiommu_page_response code)
{
	return p->iommu->ops->page_response(p->iommu, r, code);
}

/* Of a group that is in no list, by the one who took it out; drops a reference. */
static void answer(struct slot *g, enum uiommu_page_response code)
{
	int err = respond(g->pool, &g->last->req, code);

	lock(g->pool);
	if (err && !g->pool->gone) {
		g->refs++;
		link_in(&g->pool->owed, g);
	}
	put_group(g);
}

void uiommu_page_response(struct uiommu_iopf_group *pub, enum uiommu_page_response code)
{
	struct slot *g = group_of(pub);
	struct uiommu_iopf_pool *p = g->pool;
	unsigned phase;

	lock(p);
	if (g->answered) {
		put_group(g);
		return;
	}
	/* before it is taken out: whoever drains waits for us, or answers himself */
	phase = gate_enter(&p->gate);
	g->answered = true;
	link_out(g);
	p->stats.outstanding--;
	if (code == UIOMMU_PAGE_SUCCESS)
		note_success(p, &g->req);
	g->refs++;
	unlock(p);
	answer(g, code);
	gate_leave(&p->gate, phase);
	lock(p);
	put_group(g);
}

/* ---- requests ---- */

static struct slot *find_partial(struct uiommu_iopf_pool *p, const struct uiommu_page_request *r)
{
	struct slot *g = p->partial;

	while (g && (g->req.pasid != r->pasid || g->req.grpid != r->grpid ||
		     (g->req.flags ^ r->flags) &
			     (UIOMMU_FAULT_HAS_PASID | UIOMMU_PAGE_REQUEST_STALL)))
		g = g->next;
	return g;
}

/* @r into its group, which is returned, in pool->partial. NULL: no room for it. */
static struct slot *gather(struct uiommu_iopf_pool *p, struct uiommu_dev *dev,
			   const struct uiommu_page_request *r)
{
	struct slot *s = take_slot(p, r), *g;

	/* groups that are never finished make room for one that is */
	if (!s && p->partial) {
		discard_partial(p);
		s = take_slot(p, r);
	}
	g = s ? find_partial(p, r) : NULL;
	if (g) {
		g->last->req.next = &s->req;
		g->last = s;
		g->pub.num++;
	} else if (s) {
		g = s;
		g->pool = p;
		g->pub = (struct uiommu_iopf_group){ .dev = dev, .requests = &g->req, .num = 1 };
		g->last = s;
		g->dom = NULL;
		g->refs = 1;
		g->answered = g->told = false;
		link_in(&p->partial, g);
	}
	return g;
}

static void say_too_often(struct uiommu_iopf_pool *p)
{
	if (!p->said)
		host_log(p->host, UIOMMU_LOG_WARN,
			 "uiommu: a device asks for pages too often: some are refused");
	p->said = true;
}

/* Whose handler gets it; counts why nobody does. */
static struct uiommu_domain *judge(struct uiommu_iopf_pool *p, struct uiommu_dev *dev,
				   struct slot *g, const struct uiommu_page_request *r)
{
	const struct uiommu_attach *att = uiommu_attach_serving(dev, r->pasid);
	struct uiommu_domain *dom = att ? att->link->dom : NULL;

	p->stats.groups++;
	if (!g || !dom || !dom->iopf || __atomic_load_n(&dom->dead, __ATOMIC_RELAXED)) {
		p->stats.refused++;
		return NULL;
	}
	if (too_often(p, &g->req)) {
		p->stats.throttled++;
		say_too_often(p);
		return NULL;
	}
	p->stats.delivered++;
	g->at = att->pasid;
	return dom;
}

/* The last request of a group. */
static bool complete(struct uiommu_iopf_pool *p, struct uiommu_dev *dev, struct slot *g,
		     const struct uiommu_page_request *r)
{
	struct uiommu_domain *dom = judge(p, dev, g, r);

	if (g)
		link_out(g);
	if (dom) {
		g->dom = dom;
		g->refs++;
		link_in(&p->open, g);
		p->stats.outstanding++;
		unlock(p);
		dom->iopf->fault(dom->iopf_ctx, &g->pub);
		lock(p);
		g->told = true;
		put_group(g);
		return true;
	}
	unlock(p);
	if (g)
		answer(g, UIOMMU_PAGE_INVALID);
	else
		respond(p, r, UIOMMU_PAGE_INVALID);
	return false;
}

static bool report(struct uiommu_iopf_pool *p, struct uiommu_dev *dev,
		   const struct uiommu_page_request *r)
{
	unsigned phase = gate_enter(&p->gate);
	bool told = true;
	struct slot *g;

	lock(p);
	g = gather(p, dev, r);
	if (r->flags & UIOMMU_PAGE_REQUEST_LAST)
		told = complete(p, dev, g, r);
	else
		unlock(p);
	gate_leave(&p->gate, phase);
	return told;
}

bool uiommu_page_request_report(struct uiommu_iommu *iommu, const struct uiommu_page_request *r)
{
	unsigned token = host_read_enter(iommu->host);
	struct uiommu_dev *dev = uiommu_stream_device(iommu, r->stream_id);
	bool told = false;

	if (dev && dev->iopf)
		told = report(dev->iopf, dev, r);
	else if (r->flags & UIOMMU_PAGE_REQUEST_LAST)
		iommu->ops->page_response(iommu, r, UIOMMU_PAGE_INVALID);
	host_read_leave(iommu->host, token);
	return told;
}

void uiommu_page_requests_lost(struct uiommu_iommu *iommu)
{
	unsigned token = host_read_enter(iommu->host);
	struct uiommu_node *n;

	list_for_each(n, &iommu->u->devices) {
		struct uiommu_dev *dev = uiommu_container_of(n, struct uiommu_dev, node);

		if (dev->iommu != iommu || !dev->iopf)
			continue;
		lock(dev->iopf);
		discard_partial(dev->iopf);
		unlock(dev->iopf);
	}
	host_read_leave(iommu->host, token);
}

/* ---- draining ---- */

/*
 * One that is open and of @dom (NULL: any) on @pasid, taken out; or NULL. Not one that came
 * when the wait for the gate had begun, and of which its handler is just being told: it
 * is not his yet, so he could not give it up.
 */
static struct slot *take_open(struct uiommu_iopf_pool *p, uiommu_pasid_t pasid,
			      const struct uiommu_domain *dom)
{
	struct slot *g;

	lock(p);
	for (g = p->open; g; g = g->next)
		if (g->told && (!dom || (g->dom == dom && g->at == pasid)))
			break;
	if (g) {
		link_out(g);
		g->answered = true;
		g->refs += 2;		/* for answer(), and for cancel */
		p->stats.outstanding--;
		p->stats.cancelled++;
	}
	unlock(p);
	return g;
}

static void take_back(struct slot *g)
{
	const struct uiommu_iopf_handler *h = g->dom->iopf;

	if (h->cancel)
		h->cancel(g->dom->iopf_ctx, &g->pub);
	lock(g->pool);
	put_group(g);
}

void uiommu_iopf_drain(struct uiommu_dev *dev, uiommu_pasid_t pasid,
		       const struct uiommu_domain *dom)
{
	struct uiommu_iopf_pool *p = dev->iopf;
	struct slot *g;

	if (!p || (dom && !dom->iopf))
		return;
	dev->iommu->ops->drain_faults(dev->iommu);
	gate_wait(p->host, &p->gate);
	while ((g = take_open(p, pasid, dom))) {
		answer(g, UIOMMU_PAGE_INVALID);
		take_back(g);
	}
	lock(p);
	discard_partial(p);
	unlock(p);
	gate_wait(p->host, &p->gate);
}

/* ---- hardware that was reset has forgotten what it held back ---- */

void uiommu_iopf_before_recover(struct uiommu_dev *dev)
{
	struct uiommu_iopf_pool *p = dev->iopf;
	struct slot *g;

	if (!p)
		return;
	gate_wait(p->host, &p->gate);	/* nothing is reported from here on */
	while ((g = take_open(p, 0, NULL))) {
		lock(p);
		link_in(&p->owed, g);	/* with the reference that answer() would drop */
		unlock(p);
		take_back(g);
	}
	gate_wait(p->host, &p->gate);
}

void uiommu_iopf_after_recover(struct uiommu_dev *dev)
{
	struct uiommu_iopf_pool *p = dev->iopf;
	struct slot *g;

	if (!p)
		return;
	lock(p);
	while ((g = p->owed)) {
		link_out(g);
		unlock(p);
		if (!(g->last->req.flags & UIOMMU_PAGE_REQUEST_STALL))
			respond(p, &g->last->req, UIOMMU_PAGE_INVALID);
		lock(p);
		put_group(g);
		lock(p);
	}
	unlock(p);
}

/* ---- for embedders ---- */

int uiommu_domain_set_iopf(struct uiommu_domain *dom, const struct uiommu_iopf_handler *handler,
			   void *ctx)
{
	int err = 0;

	if (dom->type != UIOMMU_DOMAIN_PAGING && dom->type != UIOMMU_DOMAIN_NESTED)
		return -UIOMMU_EINVAL;
	core_lock(dom->u);
	if (!list_empty(&dom->links)) {
		err = -UIOMMU_EBUSY;
	} else {
		dom->iopf = handler;
		dom->iopf_ctx = ctx;
	}
	core_unlock(dom->u);
	return err;
}

bool uiommu_device_can_fault(const struct uiommu_dev *dev)
{
	return dev->iopf;
}

void uiommu_device_iopf_stats(struct uiommu_dev *dev, struct uiommu_iopf_stats *out)
{
	*out = (struct uiommu_iopf_stats){ 0 };
	if (!dev->iopf)
		return;
	lock(dev->iopf);
	*out = dev->iopf->stats;
	unlock(dev->iopf);
}
