/* SPDX-License-Identifier: MIT */
/*
 * fault.c - fault queues: page requests of devices, read and answered by a program
 *
 * A group is in the list of those to be read, or has a cookie, or somebody has taken
 * it out to answer it: its handler.data says which. Both are under the queue's own
 * lock, which is short and taken where page requests come. Reading also holds the
 * context's lock, so that devices keep their numbers.
 */
#include <uiommu/iopf.h>

#include "internal.h"

const char uiommu_iommufd_fault_kind[] = "iommufd-fault";

#define COOKIES		2u		/* room at first */
#define GROUP_MAX	512u		/* requests; PCI has no more in one group */
#define TO_BE_READ	0u		/* handler.data; else its cookie, or */
#define TAKEN		UINT64_MAX

/* (q) the queue's lock, (c) the context's */
struct uiommu_iommufd_fault {
	struct uiommu_iobj obj;
	struct uiommu_iommufd *ctx;		/* (i) referenced while @given */
	struct uiommu_lock lock;
	struct uiommu_iopf_group *first, *last;	/* (q) to be read */
	struct uiommu_iopf_group **cookies;	/* (q) cookies[n - 1]; grown with (c) too */
	uint32_t num_cookies;			/* (q) */
	struct uiommu_given *given;		/* (q) NULL: the file is closed */
	struct uiommu_abi_iommu_hwpt_pgfault buf[GROUP_MAX];	/* (c) */
};

static void lock(struct uiommu_iommufd_fault *f)
{
	const struct uiommu_host *h = f->ctx->cfg.host;

	if (h->lock)
		h->lock(h->ctx, &f->lock);
}

static void unlock(struct uiommu_iommufd_fault *f)
{
	const struct uiommu_host *h = f->ctx->cfg.host;

	if (h->unlock)
		h->unlock(h->ctx, &f->lock);
}

/* ---- the list, under the queue's lock ---- */

static void add_last(struct uiommu_iommufd_fault *f, struct uiommu_iopf_group *g)
{
	g->handler.data = TO_BE_READ;
	g->handler.next = NULL;
	g->handler.prev = f->last;
	if (f->last)
		f->last->handler.next = g;
	else
		f->first = g;
	f->last = g;
}

static void add_first(struct uiommu_iommufd_fault *f, struct uiommu_iopf_group *g)
{
	g->handler.data = TO_BE_READ;
	g->handler.prev = NULL;
	g->handler.next = f->first;
	if (f->first)
		f->first->handler.prev = g;
	else
		f->last = g;
	f->first = g;
}

static void remove(struct uiommu_iommufd_fault *f, struct uiommu_iopf_group *g)
{
	if (g->handler.prev)
		g->handler.prev->handler.next = g->handler.next;
	else
		f->first = g->handler.next;
	if (g->handler.next)
		g->handler.next->handler.prev = g->handler.prev;
	else
		f->last = g->handler.prev;
}

/* Out of wherever it is; false: somebody else has it. */
static bool take(struct uiommu_iommufd_fault *f, struct uiommu_iopf_group *g)
{
	if (g->handler.data == TAKEN)
		return false;
	if (g->handler.data == TO_BE_READ)
		remove(f, g);
	else
		f->cookies[g->handler.data - 1] = NULL;
	g->handler.data = TAKEN;
	return true;
}

/* Any that is there, taken. */
static struct uiommu_iopf_group *take_any(struct uiommu_iommufd_fault *f)
{
	struct uiommu_iopf_group *g = f->first;

	for (uint32_t i = 0; !g && i < f->num_cookies; i++)
		g = f->cookies[i];
	if (g)
		take(f, g);
	return g;
}

/* ---- the domain's side ---- */

static void ready(struct uiommu_iommufd_fault *f)
{
	const struct uiommu_uaccess *ua = f->ctx->cfg.uaccess;

	if (f->first && f->given)
		ua->file_ready(ua->ctx, f->given);
}

static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct uiommu_iommufd_fault *f = ctx;
	bool wanted;

	lock(f);
	wanted = f->given && g->num <= GROUP_MAX;
	if (wanted) {
		add_last(f, g);
		ready(f);
	}
	unlock(f);
	if (!wanted)
		uiommu_page_response(g, UIOMMU_PAGE_INVALID);
}

static void on_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct uiommu_iommufd_fault *f = ctx;
	bool mine;

	lock(f);
	mine = take(f, g);
	unlock(f);
	if (mine)
		uiommu_page_response(g, UIOMMU_PAGE_INVALID);
}

static const struct uiommu_iopf_handler handler = { on_fault, on_cancel };

/* ---- reading ---- */

static bool has_cookie(struct uiommu_iommufd_fault *f)
{
	uint32_t i = 0;

	lock(f);
	while (i < f->num_cookies && f->cookies[i])
		i++;
	unlock(f);
	return i < f->num_cookies;
}

/* Room for one more cookie. The list of them only grows, under the context's lock. */
static int reserve_cookie(struct uiommu_iommufd_fault *f)
{
	struct uiommu_iopf_group **now, **old = f->cookies;
	uint32_t n = f->num_cookies;

	if (has_cookie(f))
		return 0;
	now = uiommu_iommufd_alloc(f->ctx, (n ? 2 * n : COOKIES) * sizeof(*now));
	if (!now)
		return -UIOMMU_ENOMEM;
	lock(f);
	if (n)
		memcpy(now, old, n * sizeof(*now));
	f->cookies = now;
	f->num_cookies = n ? 2 * n : COOKIES;
	unlock(f);
	if (old)
		uiommu_iommufd_free(f->ctx, old, n * sizeof(*old));
	return 0;
}

static uint32_t dev_id(const struct uiommu_iommufd *ctx, const struct uiommu_dev *dev)
{
	const struct uiommu_iommufd_dev *d = ctx->devs;

	while (d && d->dev != dev)
		d = d->next;
	return d ? d->obj.id : 0;
}

static uint32_t perm_of(unsigned flags)
{
	return (flags & UIOMMU_FAULT_READ ? UIOMMU_ABI_IOMMU_PGFAULT_PERM_READ : 0) |
	       (flags & UIOMMU_FAULT_WRITE ? UIOMMU_ABI_IOMMU_PGFAULT_PERM_WRITE : 0) |
	       (flags & UIOMMU_FAULT_EXEC ? UIOMMU_ABI_IOMMU_PGFAULT_PERM_EXEC : 0) |
	       (flags & UIOMMU_FAULT_PRIV ? UIOMMU_ABI_IOMMU_PGFAULT_PERM_PRIV : 0);
}

static uint32_t flags_of(unsigned flags)
{
	return (flags & UIOMMU_FAULT_HAS_PASID ? UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_PASID_VALID : 0) |
	       (flags & UIOMMU_PAGE_REQUEST_LAST ? UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_LAST_PAGE : 0);
}

static void compose(struct uiommu_iommufd_fault *f, const struct uiommu_iopf_group *g)
{
	const struct uiommu_page_request *r = g->requests;

	for (unsigned i = 0; r; r = r->next)
		f->buf[i++] = (struct uiommu_abi_iommu_hwpt_pgfault){
			.flags = flags_of(r->flags),
			.dev_id = dev_id(f->ctx, g->dev),
			.pasid = r->pasid,
			.grpid = r->grpid,
			.perm = perm_of(r->flags),
			.addr = r->addr,
			.cookie = (uint32_t)g->handler.data,
		};
}

/* The next group into f->buf, with a cookie. NULL: none, or it needs more than @room. */
static struct uiommu_iopf_group *next(struct uiommu_iommufd_fault *f, uint64_t room, int *err)
{
	struct uiommu_iopf_group *g;
	uint32_t c = 0;

	lock(f);
	g = f->first;
	if (g && g->num * sizeof(f->buf[0]) > room) {
		*err = -UIOMMU_EINVAL;
		g = NULL;
	}
	if (g) {
		while (f->cookies[c])
			c++;
		remove(f, g);
		f->cookies[c] = g;
		g->handler.data = c + 1;
		compose(f, g);
	}
	unlock(f);
	return g;
}

/* It could not be told: it is to be read again, unless it was answered meanwhile. */
static void put_back(struct uiommu_iommufd_fault *f, struct uiommu_iopf_group *g, uint32_t cookie)
{
	lock(f);
	if (f->cookies[cookie - 1] == g && take(f, g))
		add_first(f, g);
	unlock(f);
}

static int read_one(struct uiommu_iommufd_fault *f, struct uiommu_as *as, uint64_t user,
		    uint64_t room, uint64_t *bytes)
{
	const struct uiommu_uaccess *ua = f->ctx->cfg.uaccess;
	int err = reserve_cookie(f);
	struct uiommu_iopf_group *g = err ? NULL : next(f, room, &err);
	uint64_t n = 0;

	*bytes = 0;
	if (!g)
		return err;
	/* the group may be answered and gone from here on: f->buf is ours */
	do
		n++;
	while (!(f->buf[n - 1].flags & UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_LAST_PAGE));
	err = ua->copy_out(ua->ctx, as, user, f->buf, n * sizeof(f->buf[0]));
	if (err)
		put_back(f, g, f->buf[0].cookie);
	else
		*bytes = n * sizeof(f->buf[0]);
	return err;
}

int64_t uiommu_iommufd_fault_read(struct uiommu_iommufd_fault *f, struct uiommu_as *as,
				  uint64_t off, uint64_t bytes, uint64_t user)
{
	uint64_t done = 0, n;
	int err;

	if (off || bytes % sizeof(f->buf[0]))
		return -UIOMMU_ESPIPE;
	uiommu_iommufd_lock(f->ctx);
	do {
		err = read_one(f, as, user + done, bytes - done, &n);
		done += n;
	} while (!err && n);
	lock(f);
	ready(f);
	unlock(f);
	uiommu_iommufd_unlock(f->ctx);
	return done ? (int64_t)done : err;
}

/* ---- answering ---- */

static struct uiommu_iopf_group *by_cookie(struct uiommu_iommufd_fault *f, uint32_t cookie)
{
	struct uiommu_iopf_group *g = NULL;

	lock(f);
	if (cookie && cookie <= f->num_cookies)
		g = f->cookies[cookie - 1];
	if (g)
		take(f, g);
	unlock(f);
	return g;
}

static int answer(struct uiommu_iommufd_fault *f,
		  const struct uiommu_abi_iommu_hwpt_page_response *r)
{
	struct uiommu_iopf_group *g;

	if (r->code != UIOMMU_ABI_IOMMUFD_PAGE_RESP_SUCCESS &&
	    r->code != UIOMMU_ABI_IOMMUFD_PAGE_RESP_INVALID)
		return -UIOMMU_EINVAL;
	g = by_cookie(f, r->cookie);
	if (!g)
		return -UIOMMU_EINVAL;
	uiommu_page_response(g, r->code == UIOMMU_ABI_IOMMUFD_PAGE_RESP_SUCCESS ?
					UIOMMU_PAGE_SUCCESS : UIOMMU_PAGE_INVALID);
	return 0;
}

int64_t uiommu_iommufd_fault_write(struct uiommu_iommufd_fault *f, struct uiommu_as *as,
				   uint64_t off, uint64_t bytes, uint64_t user)
{
	const struct uiommu_uaccess *ua = f->ctx->cfg.uaccess;
	struct uiommu_abi_iommu_hwpt_page_response r;
	uint64_t done = 0;
	int err = 0;

	if (off || bytes % sizeof(r))
		return -UIOMMU_ESPIPE;
	while (done < bytes) {
		err = ua->copy_in(ua->ctx, as, &r, user + done, sizeof(r));
		if (!err)
			err = answer(f, &r);
		if (err)
			break;
		done += sizeof(r);
	}
	return done ? (int64_t)done : err;
}

bool uiommu_iommufd_fault_ready(struct uiommu_iommufd_fault *f)
{
	bool some;

	lock(f);
	some = f->first;
	unlock(f);
	return some;
}

/* ---- life ---- */

void uiommu_iommufd_fault_close(struct uiommu_iommufd_fault *f)
{
	struct uiommu_iommufd *ctx = f->ctx;
	struct uiommu_iopf_group *g;

	do {
		lock(f);
		f->given = NULL;
		g = take_any(f);
		unlock(f);
		if (g)
			uiommu_page_response(g, UIOMMU_PAGE_INVALID);
	} while (g);
	uiommu_iommufd_lock(ctx);
	f->obj.users--;
	uiommu_iommufd_unlock(ctx);
	uiommu_iommufd_put(ctx);
}

void uiommu_fault_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	struct uiommu_iommufd_fault *f = uiommu_container_of(obj, struct uiommu_iommufd_fault, obj);
	const struct uiommu_host *h = ctx->cfg.host;

	uiommu_iobj_remove(ctx, obj);
	if (f->cookies)
		uiommu_iommufd_free(ctx, f->cookies, f->num_cookies * sizeof(*f->cookies));
	if (h->lock_fini)
		h->lock_fini(h->ctx, &f->lock);
	uiommu_iommufd_free(ctx, f, sizeof(*f));
}

static int create(struct uiommu_iommufd *ctx, struct uiommu_iommufd_fault **out)
{
	struct uiommu_iommufd_fault *f = uiommu_iommufd_alloc(ctx, sizeof(*f));
	const struct uiommu_host *h = ctx->cfg.host;
	int err = 0;

	if (!f)
		return -UIOMMU_ENOMEM;
	f->ctx = ctx;
	if (h->lock_init)
		err = h->lock_init(h->ctx, &f->lock, UIOMMU_LOCK_SPIN);
	if (err) {
		uiommu_iommufd_free(ctx, f, sizeof(*f));
		return err;
	}
	err = uiommu_iobj_add(ctx, &f->obj, UIOMMU_IOBJ_FAULT);
	if (err)
		uiommu_fault_free(ctx, &f->obj);
	else
		*out = f;
	return err;
}

/* The file comes last: a program that cannot be answered gets none. */
static int give(const struct uiommu_icall *c, struct uiommu_iommufd_fault *f)
{
	struct uiommu_abi_iommu_fault_alloc *cmd = c->cmd;
	const struct uiommu_uaccess *ua = c->ctx->cfg.uaccess;
	struct uiommu_given *given = NULL;
	int fd = -1, err;

	cmd->out_fault_id = f->obj.id;
	err = uiommu_icall_respond(c);
	if (!err)
		err = ua->file_give(ua->ctx, c->as, uiommu_iommufd_fault_kind, f, &given, &fd);
	if (err)
		return err;
	f->obj.users++;
	c->ctx->refs++;
	lock(f);
	f->given = given;
	unlock(f);
	cmd->out_fault_fd = (uint32_t)fd;
	return uiommu_icall_respond(c);
}

int uiommu_icall_fault_alloc(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_fault_alloc *cmd = c->cmd;
	struct uiommu_iommufd_fault *f;
	int err;

	if (!c->ctx->cfg.uaccess->file_give)
		return -UIOMMU_ENOTTY;
	if (cmd->flags)
		return -UIOMMU_EOPNOTSUPP;
	err = create(c->ctx, &f);
	if (err)
		return err;
	err = give(c, f);
	if (err && !f->obj.users)
		uiommu_fault_free(c->ctx, &f->obj);
	return err;
}

int uiommu_hwpt_set_fault(const struct uiommu_icall *c, struct uiommu_hwpt *hwpt, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_FAULT);
	int err = obj ? uiommu_domain_set_iopf(hwpt->dom, &handler,
					       uiommu_container_of(obj, struct uiommu_iommufd_fault,
								   obj))
		      : -UIOMMU_ENOENT;

	if (err)
		return err;
	hwpt->fault = obj;
	obj->users++;
	return 0;
}
