/* SPDX-License-Identifier: MIT */
/*
 * ops.c - what the threads do, all at the same contexts and functions
 *
 * Two calls about one mapping or one (function, PASID) do not overlap, and a number is
 * not named while what has it goes: what comes of them is known then. Everything else
 * overlaps as it likes. Front ends keep a file until the calls on it have returned; so
 * does this.
 */
#include "srv.h"

#include "src/smmuv3/smmu.h"

#include <string.h>

enum { DO_OPEN, DO_SHUT, DO_BIND, DO_CLOSE, DO_MAP, DO_UNMAP, DO_COPY, DO_PT, DO_VM, DO_QUEUE,
	DO_ATTACH, DO_DETACH, DO_RESET, DO_IRQS, DO_READ, DO_GUEST, DO_ASK, DO_REGS, DO_PAGE,
	DO_TOUCH, NUM };

const unsigned srv_num_ops = NUM;
const unsigned srv_weight[NUM] = {
	[DO_OPEN] = 25, [DO_SHUT] = 2, [DO_BIND] = 40, [DO_CLOSE] = 8, [DO_MAP] = 50,
	[DO_UNMAP] = 40, [DO_COPY] = 12, [DO_PT] = 45, [DO_VM] = 90, [DO_QUEUE] = 20,
	[DO_ATTACH] = 70, [DO_DETACH] = 15, [DO_RESET] = 5, [DO_IRQS] = 20, [DO_READ] = 45,
	[DO_GUEST] = 12, [DO_ASK] = 20, [DO_REGS] = 8, [DO_PAGE] = 30, [DO_TOUCH] = 40,
};

/* ---- what may answer a page request besides the program ---- */

static void begin_move(struct srv *s)
{
	s->moves++;
	s->moving++;
}

static void end_move(struct srv *s)
{
	s->moving--;
}

/* ---- contexts: kept while somebody calls, or has a function bound ---- */

static void forget_context(struct srv *s, unsigned n)
{
	for (unsigned i = 0; i < SPACES * CELLS; i++) {
		struct cell *c = &s->cell[n * SPACES + i / CELLS][i % CELLS];

		cell_begin(c, -1);
		cell_end(c, true);
	}
	s->ctx[n] = (struct context){ 0 };
}

static void leave(struct srv *s, unsigned n)
{
	struct context *c = &s->ctx[n];

	if (!--c->calls && !c->bound && c->closing)
		forget_context(s, n);
}

/* Its file, to be given back with put(); NULL: it is closed, or being so. */
static struct uiommu_file *get(struct srv *s, unsigned n)
{
	struct context *c = &s->ctx[n];

	if (!c->file || c->busy || c->closing)
		return NULL;
	c->calls++;
	c->file->refs++;
	return c->file;
}

static void put(struct srv *s, unsigned n, struct uiommu_file *f)
{
	file_release(s, f);
	uiommu_hostile_handover();
	leave(s, n);
}

static void op_open(struct srv *s, const struct op *op)
{
	unsigned n = op->a % CTXS;
	struct context *c = &s->ctx[n];
	const struct uiommu_iommufd_config cfg = {
		.u = s->u, .host = &s->host, .uaccess = &s->ua, .msi_base = MSI_BASE,
		.msi_bytes = MSI_BYTES,
	};
	struct uiommu_iommufd *ctx;

	if (c->file || c->busy || c->closing)
		return;
	c->busy = true;
	host_makes(s, RANK_CONTEXT);
	EXPECT(s, "open", uiommu_iommufd_create(&cfg, &ctx));
	host_makes(s, RANK_CORE);
	s->fd[n] = file_new(s, uiommu_iommufd_kind, ctx);
	for (unsigned i = 0; i < SPACES; i++)
		EXPECT(s, "IOAS_ALLOC", call_ioas_alloc(s, s->fd[n], &c->ioas[i]));
	EXPECT(s, "VFIO_IOAS", call_container(s, s->fd[n], c->ioas[0]));
	c->file = s->fd[n];
	c->busy = false;
}

static void close_fd(struct srv *s, struct uiommu_file **at)
{
	struct uiommu_file *f = *at;

	for (unsigned i = 0; i < FILES; i++)
		if (s->fd[i] == f)
			s->fd[i] = NULL;
	*at = NULL;
	if (f)
		file_release(s, f);
}

static void shut(struct srv *s, unsigned n)
{
	struct context *c = &s->ctx[n];

	if (!c->file || c->busy || c->closing)
		return;
	c->closing = true;
	c->calls++;
	while (c->calls > 1)
		uiommu_hostile_wait();
	uiommu_hostile_handover();
	srv_note(s, "context %u is closed", n);
	close_fd(s, &c->queue_file);
	close_fd(s, &c->veventq_file);
	close_fd(s, &c->file);
	uiommu_hostile_handover();
	leave(s, n);
}

static void op_shut(struct srv *s, const struct op *op)
{
	shut(s, op->a % CTXS);
}

/* ---- functions ---- */

static struct uiommu_vfio_file *hold(struct srv *s, unsigned n)
{
	struct function *f = &s->fn[n];

	if (!f->file || f->closing)
		return NULL;
	f->users++;
	return f->file;
}

/* What it has is possible until the file is closed. */
static void close_function(struct srv *s, unsigned n)
{
	struct function *f = &s->fn[n];
	struct context *c = &s->ctx[f->ctx];

	begin_move(s);
	for (unsigned p = 0; p < PAIRS; p++)
		cell_begin(&f->at[p], NOWHERE);
	uiommu_vfio_close(f->file);
	uiommu_hostile_handover();
	srv_note(s, "function %u is closed", n);
	for (unsigned p = 0; p < PAIRS; p++)
		cell_end(&f->at[p], true);
	end_move(s);
	if (c->vdevice.id && c->vdevice_fn == n)
		c->vdevice.id = 0;		/* it went with its device */
	f->file = NULL;
	f->closing = false;
	c->bound--;
	c->calls++;
	leave(s, f->ctx);
}

static void drop(struct srv *s, unsigned n)
{
	struct function *f = &s->fn[n];

	uiommu_hostile_handover();
	if (!--f->users && f->closing)
		close_function(s, n);
}

/* Bound while its file is being closed: then that has done its work, but not returned. */
static void adopt(struct srv *s, unsigned n, struct uiommu_vfio_file *vf, unsigned c, uint32_t id)
{
	struct function *f = &s->fn[n];

	while (f->file)
		uiommu_hostile_wait();
	uiommu_hostile_handover();
	f->ctx = c;
	f->id = id;
	f->file = vf;
}

static void op_bind(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS, c = op->b % CTXS;
	struct function *f = &s->fn[n];
	struct uiommu_vfio_file *vf;
	struct uiommu_file *file;
	uint32_t id;

	if (f->busy || (f->file && !f->closing))
		return;
	file = get(s, c);
	if (!file)
		return;
	f->busy = true;
	s->ctx[c].bound++;
	EXPECT(s, "open of a function", uiommu_vfio_open(f->vfio, &vf));
	if (!EXPECT(s, "BIND_IOMMUFD", call_bind(s, vf, (int)c, &id), f->closing ? UIOMMU_EINVAL : 0)) {
		adopt(s, n, vf, c, id);
	} else {
		uiommu_vfio_close(vf);
		s->ctx[c].bound--;
	}
	f->busy = false;
	put(s, c, file);
}

static void op_close(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS;

	if (!hold(s, n))
		return;
	s->fn[n].closing = true;
	drop(s, n);
}

/* ---- mappings ---- */

static struct cell *cell_of(struct srv *s, unsigned c, unsigned space, unsigned i)
{
	return &s->cell[c * SPACES + space][i];
}

static void op_map(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, space = op->b % SPACES, i = op->c % CELLS;
	struct cell *cell = cell_of(s, c, space, i);
	struct uiommu_file *f = get(s, c);
	unsigned page = op->d % UPAGES;

	if (!f)
		return;
	if (!cell->busy && cell->now < 0) {
		cell->busy = true;
		cell_begin(cell, (int)page);
		if (!space && op->d & 0x80)
			EXPECT(s, "MAP_DMA", call_map_dma(s, f, page, cell_iova(i)));
		else
			EXPECT(s, "IOAS_MAP", call_map(s, f, s->ctx[c].ioas[space], page,
						       cell_iova(i)));
		cell_end(cell, true);
		cell->busy = false;
	}
	put(s, c, f);
}

static void op_unmap(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, space = op->b % SPACES, i = op->c % CELLS;
	struct cell *cell = cell_of(s, c, space, i);
	struct uiommu_file *f = get(s, c);

	if (!f)
		return;
	if (!cell->busy && cell->now >= 0) {
		cell->busy = true;
		cell_begin(cell, -1);
		if (!space && op->d & 1)
			EXPECT(s, "UNMAP_DMA", call_unmap_dma(s, f, cell_iova(i)));
		else
			EXPECT(s, "IOAS_UNMAP", call_unmap(s, f, s->ctx[c].ioas[space],
							   cell_iova(i)));
		cell_end(cell, true);
		cell->busy = false;
		dma_touch(s, op->d / 2 % FNS, op->d / 8 % PAIRS, cell_iova(i), op->d & 0x80);
	}
	put(s, c, f);
}

static void op_copy(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, a = op->b % SPACES, b = op->b / 8 % SPACES;
	struct cell *from = cell_of(s, c, a, op->c % CELLS), *to = cell_of(s, c, b, op->d % CELLS);
	struct uiommu_file *f = get(s, c);

	if (!f)
		return;
	if (from != to && !from->busy && !to->busy && from->now >= 0 && to->now < 0) {
		from->busy = to->busy = true;
		cell_begin(to, from->now);
		EXPECT(s, "IOAS_COPY", call_copy(s, f, s->ctx[c].ioas[b], cell_iova(op->d % CELLS),
						 s->ctx[c].ioas[a], cell_iova(op->c % CELLS)));
		cell_end(to, true);
		from->busy = to->busy = false;
	}
	put(s, c, f);
}

/* ---- objects ---- */

/* Comes, or goes unless somebody names it; @errs are those of its coming. */
static bool begins(struct object *o)
{
	if (o->busy || o->users)
		return false;
	o->busy = true;
	return true;
}

static void destroy(struct srv *s, struct uiommu_file *f, const char *what, struct object *o)
{
	if (!EXPECT(s, what, call_destroy(s, f, o->id), UIOMMU_EBUSY, UIOMMU_ENOENT))
		o->id = 0;
}

/* It is there, and stays while it is named. */
static bool name(struct object *o)
{
	if (!o->id || o->busy)
		return false;
	o->users++;
	return true;
}

static void unname(struct object *o)
{
	o->users--;
}

static void make_paging(struct srv *s, struct uiommu_file *f, unsigned c, unsigned pt, uint32_t dev)
{
	static const uint32_t flags[PTS] = {
		[PT_PLAIN] = UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID,
		[PT_OTHER] = UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID,
		[PT_FAULTS] = UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID |
			      UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID,
		[PT_PARENT] = UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT,
	};
	struct context *x = &s->ctx[c];
	const struct uiommu_abi_iommu_hwpt_alloc a = {
		.flags = flags[pt], .dev_id = dev, .fault_id = x->queue.id,
		.pt_id = x->ioas[pt == PT_OTHER || pt == PT_FAULTS],
	};
	uint32_t id;

	if (pt == PT_FAULTS && !name(&x->queue))
		return;
	if (!EXPECT(s, "HWPT_ALLOC", call_hwpt(s, f, a, &id)))
		x->pt[pt].id = id;
	if (pt == PT_FAULTS)
		unname(&x->queue);
}

/* What the guest says: its addresses are those of the parent, or it has a table of CDs
 * that are not valid, which are events of its own. */
static void make_nested(struct srv *s, struct uiommu_file *f, unsigned c, uint32_t dev, bool faults)
{
	struct context *x = &s->ctx[c];
	uint64_t ste[2] = { FCONST(STE_V, 1) | FPREP(STE_Config, STE_Config_BYPASS), 0 };
	const struct uiommu_abi_iommu_hwpt_alloc a = {
		.dev_id = dev, .pt_id = x->viommu.id, .data_type = 2, .data_len = sizeof(ste),
		.data_uptr = (uintptr_t)ste,
	};
	uint32_t id;

	if (faults) {
		ste[0] = FCONST(STE_V, 1) | FPREP(STE_Config, STE_Config_S1) | cell_iova(0);
		ste[1] = FPREP(STE_S1DSS, STE_S1DSS_SSID0);
	}
	if (!name(&x->viommu))
		return;
	x->guest_faults = faults;
	if (!EXPECT(s, "HWPT_ALLOC of a guest's", call_hwpt(s, f, a, &id)))
		x->pt[PT_NESTED].id = id;
	unname(&x->viommu);
}

/* A context's file and a function that is bound to it. */
static struct uiommu_file *get_both(struct srv *s, unsigned c, unsigned n)
{
	struct uiommu_file *f;

	if (!hold(s, n))
		return NULL;
	f = s->fn[n].ctx == c ? get(s, c) : NULL;
	if (!f)
		drop(s, n);
	return f;
}

static void op_pt(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, n = op->b % FNS, pt = op->c % PTS;
	struct uiommu_file *f = get_both(s, c, n);
	struct object *o = &s->ctx[c].pt[pt];

	if (!f)
		return;
	if (begins(o)) {
		if (o->id && op->d % 4 == 0)
			destroy(s, f, "DESTROY of a page table", o);
		else if (!o->id && pt == PT_NESTED)
			make_nested(s, f, c, s->fn[n].id, op->d & 0x30);
		else if (!o->id)
			make_paging(s, f, c, pt, s->fn[n].id);
		o->busy = false;
	}
	put(s, c, f);
	drop(s, n);
}

/* With a page of registers, or without. */
static void change_viommu(struct srv *s, struct uiommu_file *f, struct context *x, uint32_t dev,
			  bool go)
{
	struct object *o = &x->viommu;
	bool page = s->cmdqv && pick(2);
	uint32_t id;

	if (o->id && go) {
		destroy(s, f, "DESTROY of a vIOMMU", o);
	} else if (!o->id && name(&x->pt[PT_PARENT])) {
		memset(&x->page, 0, sizeof(x->page));
		if (!EXPECT(s, "VIOMMU_ALLOC", call_viommu(s, f, dev, x->pt[PT_PARENT].id, &id,
							   page ? &x->page : NULL),
			    s->coherent ? 0 : UIOMMU_EOPNOTSUPP, page ? UIOMMU_ENOSPC : 0))
			o->id = id;
		unname(&x->pt[PT_PARENT]);
	}
}

static void change_vdevice(struct srv *s, struct uiommu_file *f, struct context *x, unsigned n,
			   bool go)
{
	struct object *o = &x->vdevice;
	uint32_t id;

	if (o->id && go) {
		destroy(s, f, "DESTROY of a vDEVICE", o);
	} else if (!o->id && name(&x->viommu)) {
		x->vdevice_fn = n;
		if (!EXPECT(s, "VDEVICE_ALLOC", call_vdevice(s, f, x->viommu.id, s->fn[n].id, &id),
			    UIOMMU_EEXIST))
			o->id = id;
		unname(&x->viommu);
	}
}

static void change_veventq(struct srv *s, struct uiommu_file *f, struct context *x, bool go)
{
	struct object *o = &x->veventq;
	uint32_t id;
	int fd;

	if (o->id && go) {
		destroy(s, f, "DESTROY of a vEVENTQ", o);
	} else if (!o->id && name(&x->viommu)) {
		memset(x->seen, 0, sizeof(x->seen));
		if (!EXPECT(s, "VEVENTQ_ALLOC", call_veventq(s, f, x->viommu.id, &id, &fd))) {
			x->veventq_file = s->fd[fd];
			o->id = id;
		}
		unname(&x->viommu);
	}
}

/* The first that is missing, or any that is there goes. */
static unsigned which(const struct context *x, const struct op *op)
{
	if (op->d % 4 == 0)
		return op->c % 3;
	return !x->viommu.id ? 0 : !x->vdevice.id ? 1 : 2;
}

static void op_vm(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, n = op->b % FNS, i;
	struct uiommu_file *f = get_both(s, c, n);
	struct context *x = &s->ctx[c];
	struct object *o;

	if (!f)
		return;
	i = which(x, op);
	o = (struct object *[]){ &x->viommu, &x->vdevice, &x->veventq }[i];
	if (op->d % 16 == 1)
		close_fd(s, &x->veventq_file);
	if (begins(o)) {
		if (i == 0)
			change_viommu(s, f, x, s->fn[n].id, op->d % 4 == 0);
		else if (i == 1)
			change_vdevice(s, f, x, n, op->d % 4 == 0);
		else
			change_veventq(s, f, x, op->d % 4 == 0);
		o->busy = false;
	}
	put(s, c, f);
	drop(s, n);
}

static void op_queue(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS;
	struct uiommu_file *f = get(s, c);
	struct context *x = &s->ctx[c];
	uint32_t id;
	int fd;

	if (!f)
		return;
	if (op->b % 8 == 1)
		close_fd(s, &x->queue_file);
	if (begins(&x->queue)) {
		if (x->queue.id && !x->queue_file) {
			destroy(s, f, "DESTROY of a fault queue", &x->queue);
		} else if (!x->queue.id) {
			EXPECT(s, "FAULT_QUEUE_ALLOC", call_queue(s, f, &id, &fd));
			memset(x->told, 0, sizeof(x->told));
			x->queue_file = s->fd[fd];
			x->queue.id = id;
		}
		x->queue.busy = false;
	}
	put(s, c, f);
}

/* ---- attach, detach, reset ---- */

static int space_of(const struct context *x, unsigned c, unsigned pt)
{
	if (pt == PT_NESTED && x->guest_faults)
		return IN_GUEST;
	return (int)(c * SPACES + (pt == PT_OTHER || pt == PT_FAULTS));
}

static void attach(struct srv *s, unsigned n, unsigned p, uint32_t pt, int space)
{
	struct cell *at = &s->fn[n].at[p];

	srv_note(s, "function %u, PASID %u, to page table %u, space %d: begins", n, pair_pasid[p],
		 pt, space);
	begin_move(s);
	cell_begin(at, space);
	cell_end(at, !EXPECT(s, "ATTACH_IOMMUFD_PT", call_attach(s, s->fn[n].file, pair_pasid[p], pt),
			     UIOMMU_EINVAL, UIOMMU_ENOENT, UIOMMU_EBUSY));
	end_move(s);
}

static void op_attach(struct srv *s, const struct op *op)
{
	static const uint8_t to[] = { PT_PLAIN, PT_OTHER, PT_FAULTS, PT_FAULTS, PT_PARENT,
				      PT_NESTED, PT_NESTED, PT_NESTED, PTS, PTS + 1 };
	unsigned n = op->a % FNS, p = op->b % 4 ? 0 : 1 + op->b / 4 % 2;
	unsigned pt = to[op->c % sizeof(to)];
	struct function *f = &s->fn[n];
	struct context *x;

	if (!hold(s, n))
		return;
	x = &s->ctx[f->ctx];
	if (!f->at[p].busy) {
		f->at[p].busy = true;
		if (pt >= PTS) {
			attach(s, n, p, x->ioas[pt - PTS], (int)(f->ctx * SPACES + pt - PTS));
		} else if (name(&x->pt[pt])) {
			attach(s, n, p, x->pt[pt].id, space_of(x, f->ctx, pt));
			unname(&x->pt[pt]);
		}
		f->at[p].busy = false;
		for (unsigned i = f->at[p].now == IN_GUEST ? 6 : 1; i; i--)
			dma_touch(s, n, p, cell_iova(op->d % CELLS), op->d & 0x80);
	}
	drop(s, n);
}

static void op_detach(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS, p = op->b % PAIRS;
	struct function *f = &s->fn[n];

	if (!hold(s, n))
		return;
	if (!f->at[p].busy) {
		f->at[p].busy = true;
		begin_move(s);
		cell_begin(&f->at[p], NOWHERE);
		EXPECT(s, "DETACH_IOMMUFD_PT", call_detach(s, f->file, pair_pasid[p]));
		cell_end(&f->at[p], true);
		end_move(s);
		f->at[p].busy = false;
		dma_touch(s, n, p, cell_iova(op->d % CELLS), op->d & 0x80);
	}
	drop(s, n);
}

static void op_reset(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS;
	struct uiommu_vfio_file *f = hold(s, n);

	if (!f)
		return;
	begin_move(s);
	s->fn[n].resetting++;
	s->fn[n].resets++;
	EXPECT(s, "RESET", vcall(s, f, UIOMMU_ABI_VFIO_DEVICE_RESET, NULL));
	s->fn[n].resets++;
	s->fn[n].resetting--;
	end_move(s);
	drop(s, n);
}

/* As programs do: the eventfd is closed again, the vector alone has it then. */
static int new_eventfd(struct srv *s)
{
	int fd = CTXS;

	while (fd < FILES && s->fd[fd])
		fd++;
	if (fd == FILES)
		uiommu_hostile_fail("the program has too many files");
	s->fd[fd] = file_new(s, NULL, NULL);
	s->fd[fd]->eventfd = true;
	return fd;
}

static void op_irqs(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS, first = op->b % VECTORS;
	struct uiommu_vfio_file *f = hold(s, n);
	struct uiommu_file *file = NULL;
	int fd = op->c % 4 == 2 ? -1 : -2;

	if (!f)
		return;
	if (op->c % 4 < 2) {
		fd = new_eventfd(s);
		file = s->fd[fd];
	}
	EXPECT(s, "SET_IRQS", call_irqs(s, f, first, 1 + op->d % (VECTORS - first), fd),
	       UIOMMU_EINVAL);
	close_fd(s, &file);
	if (s->fn[n].msi_iova)
		dma_touch(s, n, 0, s->fn[n].msi_iova, true);
	drop(s, n);
}

/* ---- what is read ---- */

/* A request that was read is not read again while it waits for its answer. If something
 * moved, it may have been answered, and its cookie be that of another one. */
static void check_told(struct srv *s, struct context *x, bool quiet,
		       const struct uiommu_abi_iommu_hwpt_pgfault *got)
{
	struct told *t = &x->told[got->cookie % TOLD];

	if (quiet && t->open && t->moves == s->moves && t->cookie == got->cookie)
		uiommu_hostile_fail("page request %u is told twice", got->cookie);
	*t = (struct told){ quiet, got->cookie, s->moves };
}

static void answer(struct srv *s, struct context *x, struct uiommu_file *q,
		   const struct uiommu_abi_iommu_hwpt_pgfault *got)
{
	struct uiommu_abi_iommu_hwpt_page_response r = { got->cookie, pick(2) };
	int64_t ret;

	x->told[got->cookie % TOLD].open = false;
	ret = uiommu_iommufd_fault_write(q->object, &s->as, 0, sizeof(r), (uintptr_t)&r);
	if (ret != sizeof(r) && ret != -UIOMMU_EINVAL)
		uiommu_hostile_fail("write of an answer returns %lld", (long long)ret);
}

static void read_faults(struct srv *s, struct context *x)
{
	struct uiommu_abi_iommu_hwpt_pgfault got[2];
	struct uiommu_file *q = x->queue_file;
	unsigned moves = s->moves;
	bool quiet = !s->moving;
	int64_t ret;

	if (!q)
		return;
	q->refs++;
	uiommu_iommufd_fault_ready(q->object);
	ret = uiommu_iommufd_fault_read(q->object, &s->as, 0, sizeof(got), pick(8) ? (uintptr_t)got : 0);
	srv_note(s, "read of a fault queue: %lld", (long long)ret);
	ret = ret == -UIOMMU_EFAULT ? 0 : ret;	/* to nowhere: it is told again */
	if (ret < 0 || ret % (int64_t)sizeof(got[0]))
		uiommu_hostile_fail("read of a fault queue returns %lld", (long long)ret);
	for (unsigned i = 0; i < (uint64_t)ret / sizeof(got[0]); i++)
		check_told(s, x, quiet && moves == s->moves && q == x->queue_file, &got[i]);
	for (unsigned i = 0; i < (uint64_t)ret / sizeof(got[0]); i++)
		answer(s, x, q, &got[i]);
	uiommu_hostile_handover();
	file_release(s, q);
}

static void check_event(struct context *x, const unsigned char *got)
{
	struct uiommu_abi_iommufd_vevent_header h;

	memcpy(&h, got, sizeof(h));
	if (h.flags || h.sequence >= SEEN)
		return;
	if (x->seen[h.sequence])
		uiommu_hostile_fail("event %u of a VM is told twice", h.sequence);
	x->seen[h.sequence] = true;
}

static void read_events(struct srv *s, struct context *x)
{
	unsigned char got[40];
	struct uiommu_file *q = x->veventq_file;
	int64_t ret;

	if (!q)
		return;
	q->refs++;
	uiommu_iommufd_veventq_ready(q->object);
	ret = uiommu_iommufd_veventq_read(q->object, &s->as, 0, sizeof(got), (uintptr_t)got);
	srv_note(s, "read of a VM's events: %lld", (long long)ret);
	if (ret < 0)
		uiommu_hostile_fail("read of a VM's events returns %lld", (long long)ret);
	if (ret && q == x->veventq_file)
		check_event(x, got);
	uiommu_hostile_handover();
	file_release(s, q);
}

static void op_read(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS;
	struct uiommu_file *f = get(s, c);

	if (!f)
		return;
	for (unsigned i = 0; i < 3; i++) {
		if (op->b % 3 == 0)
			read_faults(s, &s->ctx[c]);
		else
			read_events(s, &s->ctx[c]);
	}
	put(s, c, f);
}

/* ---- what a guest says ---- */

static void op_guest(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS;
	struct uiommu_file *f = get(s, c);
	struct context *x = &s->ctx[c];
	uint64_t cmds[6] = { FPREP(CMD_Opcode, CMD_TLBI_NH_ALL), 0,
			     FPREP(CMD_Opcode, CMD_TLBI_NH_ALL), 0,
			     FPREP(CMD_Opcode, CMD_CFGI_CD_ALL) |
				     FPREP(CMD_CFGI_CD_StreamID, VSID), 0 };

	if (!f)
		return;
	if (name(&x->viommu)) {
		EXPECT(s, "HWPT_INVALIDATE", call_invalidate(s, f, x->viommu.id, cmds, 1 + op->b % 3),
		       UIOMMU_EIO);
		unname(&x->viommu);
	}
	put(s, c, f);
}

/* ---- questions, and what is refused ---- */

static void ask_context(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS;
	struct uiommu_file *f = get(s, c);
	struct uiommu_abi_iommu_iova_range room[8];
	struct uiommu_abi_iommu_ioas_iova_ranges r = {
		.size = sizeof(r), .num_iovas = 8, .allowed_iovas = (uintptr_t)room,
	};

	if (!f)
		return;
	r.ioas_id = s->ctx[c].ioas[op->b % SPACES];
	EXPECT(s, "IOAS_IOVA_RANGES", call(s, f, UIOMMU_ABI_IOMMU_IOAS_IOVA_RANGES, &r));
	put(s, c, f);
}

static void ask_device(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS, n = op->b % FNS;
	struct uiommu_file *f = get_both(s, c, n);
	unsigned char data[64];
	struct uiommu_abi_iommu_hw_info i = {
		.size = sizeof(i), .data_len = sizeof(data), .data_uptr = (uintptr_t)data,
	};
	struct uiommu_vfio_file *second;
	uint32_t id;

	if (!f)
		return;
	i.dev_id = s->fn[n].id;
	EXPECT(s, "GET_HW_INFO", call(s, f, UIOMMU_ABI_IOMMU_GET_HW_INFO, &i));
	if (EXPECT(s, "DESTROY of a device", call_destroy(s, f, s->fn[n].id), UIOMMU_EBUSY) !=
	    -UIOMMU_EBUSY)
		uiommu_hostile_fail("a bound device can be destroyed");
	EXPECT(s, "a second open", uiommu_vfio_open(s->fn[n].vfio, &second));
	for (unsigned i = 0; i < 3; i++)
		if (EXPECT(s, "a second BIND_IOMMUFD", call_bind(s, second, (int)c, &id),
			   UIOMMU_EINVAL) != -UIOMMU_EINVAL)
			uiommu_hostile_fail("a bound function is bound again");
	uiommu_vfio_close(second);
	put(s, c, f);
	drop(s, n);
}

static void op_ask(struct srv *s, const struct op *op)
{
	if (op->d & 1)
		ask_context(s, op);
	else
		ask_device(s, op);
}

/* A file that is bound to nothing, and is closed whatever others do with the function. */
static void look_unbound(struct srv *s, unsigned n)
{
	struct uiommu_vfio_file *f;
	unsigned region;
	uint64_t off;

	EXPECT(s, "open of a function", uiommu_vfio_open(s->fn[n].vfio, &f));
	if (!uiommu_vfio_mmap(f, 0, PAGE, &region, &off))
		uiommu_hostile_fail("a function is mapped through a file that is not bound");
	uiommu_vfio_store(f, 0, 4, 1, 4);
	if (uiommu_vfio_load(f, 0, 4, 4) != UINT64_MAX)
		uiommu_hostile_fail("a function answers a file that is not bound");
	uiommu_vfio_close(f);
	uiommu_hostile_handover();
}

/* A VM's page of registers: mapped, used, and given back while its vIOMMU may go. */
static void op_page(struct srv *s, const struct op *op)
{
	unsigned c = op->a % CTXS;
	struct uiommu_file *f = get(s, c);
	const struct context *x = &s->ctx[c];
	struct uiommu_iommufd_region *page;

	if (!f)
		return;
	if (x->page.out_vintf_mmap_length &&
	    !EXPECT(s, "mmap", uiommu_iommufd_mmap(f->object, x->page.out_vintf_mmap_offset,
						   x->page.out_vintf_mmap_length, &page),
		    UIOMMU_ENXIO)) {
		uiommu_iommufd_store(page, VCMDQ_PROD, op->b, 4);
		uiommu_iommufd_load(page, VCMDQ_PROD, 4);
		uiommu_iommufd_munmap(page);
	}
	put(s, c, f);
}

static void op_regs(struct srv *s, const struct op *op)
{
	unsigned n = op->a % FNS, region;
	struct uiommu_vfio_file *f = hold(s, n);
	uint8_t buf[64] = { 0 };
	uint64_t off;

	look_unbound(s, n);
	if (!f)
		return;
	uiommu_vfio_read(f, &s->as, 7ull << 40, sizeof(buf), (uintptr_t)buf);
	uiommu_vfio_read(f, &s->as, 0, 8, (uintptr_t)buf);
	if (!uiommu_vfio_mmap(f, 0, PAGE, &region, &off)) {
		uiommu_vfio_store(f, region, 4, op->c, 4);
		uiommu_vfio_load(f, region, 4, 4);
	}
	uiommu_hostile_handover();
	drop(s, n);
}

static void op_touch(struct srv *s, const struct op *op)
{
	dma_touch(s, op->a % FNS, op->b % PAIRS, cell_iova(op->c % CELLS), op->d & 1);
}

void srv_op(void *world, const struct op *op)
{
	static void (*const fns[NUM])(struct srv *s, const struct op *op) = {
		[DO_OPEN] = op_open, [DO_SHUT] = op_shut, [DO_BIND] = op_bind,
		[DO_CLOSE] = op_close, [DO_MAP] = op_map, [DO_UNMAP] = op_unmap,
		[DO_COPY] = op_copy, [DO_PT] = op_pt, [DO_VM] = op_vm, [DO_QUEUE] = op_queue,
		[DO_ATTACH] = op_attach, [DO_DETACH] = op_detach, [DO_RESET] = op_reset,
		[DO_IRQS] = op_irqs, [DO_READ] = op_read, [DO_GUEST] = op_guest,
		[DO_ASK] = op_ask, [DO_REGS] = op_regs, [DO_PAGE] = op_page,
		[DO_TOUCH] = op_touch,
	};

	fns[op->what](world, op);
}

/* The program ends: all is closed, in one order or the other. */
void srv_settle(struct srv *s)
{
	bool contexts_first = pick(2);

	for (unsigned c = 0; c < CTXS && contexts_first; c++)
		shut(s, c);
	for (unsigned n = 0; n < FNS; n++)
		op_close(s, &(struct op){ .a = (uint8_t)n });
	for (unsigned c = 0; c < CTXS; c++)
		shut(s, c);
}
