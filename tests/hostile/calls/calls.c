/* SPDX-License-Identifier: MIT */
/* calls.c - each call of the library, at what all have or at the thread's own */
#include "calls.h"

#include <uiommu/dma.h>
#include <uiommu/iopf.h>
#include <uiommu/nested.h>
#include <uiommu/sva.h>

#include "src/smmuv3/fields.h"

#define RING	4096u
#define GROUP	100
#define ASKED	3u			/* a PASID */
#define FAR	(1ull << 40)		/* no memory is there, and no DMA goes there */

static const uint32_t pair_stream[2] = { 0x1001, 0x1002 };
static const uint32_t own_stream[WORKERS] = { 0x1101, 0x1102, 0x1103 };

/* a guest's STE */
static const uint64_t bypass_ste[2] = { FCONST(STE_V, 1) | FCONST(STE_Config, STE_Config_BYPASS),
					0 };
static const struct uiommu_user_data bypass = { 2, bypass_ste, sizeof(bypass_ste) };

static struct mine *mine(struct calls *c)
{
	return &c->mine[uiommu_hostile_self()[3] - '0'];
}

static struct uiommu_dev *some_dev(const struct calls *c, const struct op *op)
{
	return c->dev[op->a % SHARED];
}

static struct uiommu_dev *of_pair(const struct calls *c, const struct op *op)
{
	return c->dev[DEVS + op->a % 2];
}

static struct uiommu_domain *some_domain(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);
	unsigned n = op->c % (DOMS + 4);

	if (n < DOMS)
		return c->w.dom[n].dom;
	if (n == DOMS && m->dom)
		return m->dom;
	if (n == DOMS + 1 && m->nested)
		return m->nested;
	return n == DOMS + 2 ? uiommu_domain_identity(c->w.u) : uiommu_domain_blocked(c->w.u);
}

static uiommu_pasid_t some_pasid(const struct op *op)
{
	return op->b % 4;
}

/* ---- attachments ---- */

static void do_attach(struct calls *c, const struct op *op)
{
	(op->d & 1 ? uiommu_attach_device_pasid : uiommu_replace_device_pasid)(
		some_domain(c, op), some_dev(c, op), some_pasid(op));
}

static void do_detach(struct calls *c, const struct op *op)
{
	uiommu_detach_device_pasid(some_dev(c, op), some_pasid(op));
}

static void do_group(struct calls *c, const struct op *op)
{
	if (op->d % 3 == 0)
		uiommu_detach_group_pasid(of_pair(c, op), some_pasid(op));
	else
		(op->d & 1 ? uiommu_attach_group_pasid : uiommu_replace_group_pasid)(
			some_domain(c, op), of_pair(c, op), some_pasid(op));
}

static void do_default(struct calls *c, const struct op *op)
{
	struct uiommu_domain *const doms[] = {
		uiommu_domain_identity(c->w.u), uiommu_domain_blocked(c->w.u), c->w.dom[0].dom,
	};

	uiommu_device_set_default(some_dev(c, op), doms[op->c % 3]);
}

static void do_claim(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);
	unsigned i = op->a % SHARED;

	if (m->claims[i] && op->d & 1) {
		m->claims[i]--;
		uiommu_device_release(c->dev[i], m);
	} else if (!uiommu_device_claim(c->dev[i], m)) {
		m->claims[i]++;
	}
}

static void do_reset(struct calls *c, const struct op *op)
{
	(op->d & 1 ? uiommu_device_reset_prepare : uiommu_device_reset_done)(some_dev(c, op));
}

static int look(void *ctx, const struct uiommu_attach_status *st)
{
	struct calls *c = ctx;

	c->w.res->lookups += st->dev && st->dom;
	return 0;
}

static int look_at(void *ctx, struct uiommu_domain *dom)
{
	return uiommu_domain_for_each_attach(dom, look, ctx);
}

static void do_look(struct calls *c, const struct op *op)
{
	struct uiommu_iopf_stats st;

	if (op->b & 1)
		uiommu_for_each_domain(c->w.u, look_at, c);
	else
		uiommu_device_for_each_attach(some_dev(c, op), look, c);
	uiommu_device_iopf_stats(c->w.sva.dev[0].dev ? c->w.sva.dev[0].dev : some_dev(c, op), &st);
	uiommu_smmuv3_poll(c->w.iommu);
}

/* ---- devices, domains, PASIDs, IOMMUs ---- */

static void do_device(struct calls *c, const struct op *op)
{
	static const char *const names[WORKERS] = { "o0", "o1", "o2" };
	struct mine *m = mine(c);
	const struct uiommu_dev_config cfg = {
		.name = names[m->number], .iommu = c->w.iommu, .rid = 40 + m->number,
		.stream_ids = &own_stream[m->number], .num_stream_ids = 1, .pasid_bits = 3,
		.group = op->b & 1 ? GROUP : -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};

	if (!m->dev) {
		uiommu_device_add(c->w.u, &cfg, &m->dev);
		return;
	}
	uiommu_device_remove(m->dev);
	m->dev = NULL;
}

static void do_domain(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (!m->dom)
		uiommu_domain_alloc_paging(c->dev[0], UIOMMU_DOMAIN_ALLOC_PASID, &m->dom);
	else if (!uiommu_domain_free(m->dom))
		m->dom = NULL;
}

static void do_iopf(struct calls *c, const struct op *op)
{
	uiommu_domain_set_iopf(some_domain(c, op), op->d & 1 ? &fault_handler : NULL,
			       c->w.sva.space);
}

static void do_map(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);
	struct uiommu_domain *dom = c->w.dom[op->a % DOMS].dom;
	uint64_t iova = world_iova(0, 0) + m->number * PAGE;	/* ranges are disjoint */

	if (op->d & 1)
		uiommu_map(dom, iova, c->w.page[op->c % PAGES], PAGE, RW, NULL);
	else
		uiommu_unmap(dom, iova, PAGE, NULL);
}

static void do_pasid(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (!m->pasid)
		uiommu_pasid_alloc(c->w.u, 6, &m->pasid);
	else if (!uiommu_pasid_free(c->w.u, m->pasid))
		m->pasid = 0;
	(void)op;
}

static void do_iommu(struct calls *c, const struct op *op)
{
	static const struct uiommu_iommu_ops none;
	struct mine *m = mine(c);

	m->iommu.ops = &none;
	if (!m->iommu.u) {
		uiommu_iommu_register(c->w.u, &m->iommu);
		return;
	}
	uiommu_iommu_unregister(&m->iommu);
	m->iommu.u = NULL;
	(void)op;
}

static void do_recover(struct calls *c, const struct op *op)
{
	if (c->recovering)
		return;			/* it fails once at a time */
	c->recovering = true;
	if (op->d & 1) {
		uiommu_sim_smmuv3_fail(c->w.sim);
		for (unsigned n = pick(100); n; n--)
			uiommu_hostile_wait();
	}
	uiommu_iommu_recover(c->w.iommu);
	c->recovering = false;
}

/* Small ones, some that fill what small ones are taken from, and large ones. */
static void do_dma(struct calls *c, const struct op *op)
{
	static const unsigned pages[] = { 1, 2, 3, 60, 500, 0x20000, 0x40000, 0x60000 };
	struct mine *m = mine(c);
	unsigned i = op->a % MAPS;
	int err;

	if (m->map[i].bytes) {
		uiommu_dma_unmap(c->dma, m->map[i].iova, m->map[i].bytes);
		m->map[i].bytes = 0;
		return;
	}
	m->map[i].bytes = (uint64_t)pages[op->b % 8] * PAGE;
	err = uiommu_dma_map(c->dma, FAR, m->map[i].bytes, RW, &m->map[i].iova);
	if (err)
		m->map[i].bytes = 0;
	if (op->d % 16 == 0)
		uiommu_dma_flush(c->dma);
}

static void do_space(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (!m->dma)
		uiommu_dma_create(c->dev[0], op->d & 1 ? UIOMMU_DMA_DEFERRED : UIOMMU_DMA_STRICT,
				  0xffff, &m->dma);
	else if (!uiommu_dma_destroy(m->dma))
		m->dma = NULL;
}

/* ---- processes ---- */

static void make_process(struct calls *c, struct process *p)
{
	const struct uiommu_pt_config pt = { .ias_lg2 = 48, .oas_lg2 = 44 };
	const struct uiommu_mm_config cfg = { .name = "mm", .table = &p->pt,
					      .ctx = c->w.sva.space, .iopf = &fault_handler };

	if (uiommu_pt_arm_s1_4k_ops.init(&p->pt, &c->w.sva.host, &pt))
		return;
	if (!uiommu_mm_create(c->w.u, &cfg, &p->mm))
		return;
	p->pt.ops->fini(&p->pt);
	p->mm = NULL;
}

static void end_process(struct process *p)
{
	if (!p->mm || uiommu_mm_destroy(p->mm))
		return;
	p->pt.ops->fini(&p->pt);
	p->mm = NULL;
}

static void do_process(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (!m->process.mm)
		make_process(c, &m->process);
	else if (op->d & 1)
		uiommu_mm_die(m->process.mm);
	else
		end_process(&m->process);
}

/* Its own, or one that all have; that may die while others bind it. */
static void do_sva(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);
	struct uiommu_mm *mm = op->c % 8 ? c->process[op->c % PROCESSES].mm : m->process.mm;

	if (m->sva) {
		uiommu_sva_unbind_device(m->sva);
		m->sva = NULL;
	} else if (mm) {
		(op->d & 1 ? uiommu_sva_bind_device : uiommu_sva_bind_rid)(some_dev(c, op), mm,
									   &m->sva);
	}
	if (op->d >= 250 && mm)
		uiommu_mm_die(mm);
}

/* ---- page requests, as a driver reports them ---- */

static bool hold(struct calls *c, struct uiommu_iopf_group *g)
{
	for (unsigned i = 0; i < HELD; i++)
		if (!c->held[i]) {
			uiommu_hostile_release(&c->held[i]);
			c->held[i] = g;
			return true;
		}
	return false;
}

static void on_asked(void *ctx, struct uiommu_iopf_group *g)
{
	if (!pick(3) || !hold(ctx, g))
		uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
}

static void on_taken_back(void *ctx, struct uiommu_iopf_group *g)
{
	struct calls *c = ctx;

	for (unsigned i = 0; i < HELD; i++)
		if (c->held[i] == g) {
			c->held[i] = NULL;
			uiommu_page_response(g, UIOMMU_PAGE_INVALID);
		}
}

static const struct uiommu_iopf_handler asked = { on_asked, on_taken_back };

static void do_ask(struct calls *c, const struct op *op)
{
	struct uiommu_page_request r = {
		.addr = op->a * PAGE, .pasid = ASKED, .grpid = op->b % PRGS,
		.flags = UIOMMU_FAULT_HAS_PASID | (op->d % 4 ? UIOMMU_PAGE_REQUEST_LAST : 0),
	};

	if (!c->asks)
		return;
	r.stream_id = c->asks->e.streams[0];
	uiommu_page_request_report(c->w.iommu, &r);
	if (op->d == 7)
		uiommu_page_requests_lost(c->w.iommu);
}

static void do_answer(struct calls *c, const struct op *op)
{
	struct uiommu_iopf_group **at = &c->held[op->a % HELD], *g = *at;

	if (!g)
		return;
	*at = NULL;
	uiommu_hostile_acquire(at);
	uiommu_page_response(g, op->d & 1 ? UIOMMU_PAGE_SUCCESS : UIOMMU_PAGE_FAILURE);
}

static void do_asked(struct calls *c, const struct op *op)
{
	if (!c->asks)
		return;
	if (op->d & 1)
		uiommu_attach_device_pasid(c->asked, c->asks->dev, ASKED);
	else
		uiommu_detach_device_pasid(c->asks->dev, ASKED);
}

/* ---- VMs ---- */

static void make_slice(struct calls *c, struct mine *m, const struct op *op)
{
	struct uiommu_viommu_config cfg = { .type = 1 + (op->d & 1), .dev = c->dev[DEVS] };

	if (!m->parent)
		uiommu_domain_alloc_paging(cfg.dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &m->parent);
	cfg.parent = m->parent;
	if (m->parent && uiommu_viommu_alloc(&cfg, &m->v) && !uiommu_domain_free(m->parent))
		m->parent = NULL;
}

static void make_nested(struct calls *c, struct mine *m, const struct op *op)
{
	uiommu_domain_alloc_nested(m->parent, m->v, of_pair(c, op), &bypass, &m->nested);
}

static void make_queue(struct calls *c, struct uiommu_viommu *v, struct uiommu_hw_queue **q,
		       unsigned index)
{
	const struct uiommu_hw_queue_config cfg = {
		.type = 1, .index = index, .bytes = RING,
		.base = (uint64_t)(uintptr_t)c->ring - c->w.host.table_offset,
	};

	uiommu_hw_queue_alloc(v, &cfg, q);
}

static void end_slice(struct mine *m)
{
	if (uiommu_viommu_free(m->v))
		return;
	m->v = NULL;
	if (!uiommu_domain_free(m->parent))
		m->parent = NULL;
}

static void do_slice(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (!m->v)
		make_slice(c, m, op);
	else
		end_slice(m);
}

static void do_vdevice(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);
	struct uiommu_viommu *v = op->d % 4 && c->v ? c->v : m->v;

	if (v && !m->vd) {
		uiommu_vdevice_alloc(v, of_pair(c, op), op->b % 4, &m->vd);
	} else if (m->vd) {
		uiommu_vdevice_free(m->vd);
		m->vd = NULL;
	}
}

static void do_nested(struct calls *c, const struct op *op)
{
	struct mine *m = mine(c);

	if (m->v && !m->nested)
		make_nested(c, m, op);
	else if (m->nested && !uiommu_domain_free(m->nested))
		m->nested = NULL;
}

static void do_queue(struct calls *c, const struct op *op)
{
	struct uiommu_hw_queue **q = &mine(c)->q[op->d % 4 != 0];
	struct uiommu_viommu *v = op->d % 4 ? c->v : mine(c)->v;

	if (v && !*q)
		make_queue(c, v, q, op->a % 2);
	else if (*q && !uiommu_hw_queue_free(*q))
		*q = NULL;
}

/* What the VM writes into its page: queues that begin, find nonsense, and stop. */
static void do_guest(struct calls *c, const struct op *op)
{
	static const uint64_t regs[] = { VCMDQ_PROD, VCMDQ_CONFIG, VCMDQ_GERRORN };
	struct uiommu_mmio m;
	size_t bytes;

	if (c->v && !uiommu_viommu_mmio(c->v, &m, &bytes))
		m.ops->write32(m.ctx, op->a % 2 * CMDQV_STRIDE_VCMDQ + regs[op->b % 3], op->c % 4);
}

/* Stopped queues are told of, as other events are; nobody listens. */
static bool on_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	(void)type, (void)record;
	*(uint64_t *)ctx += bytes;
	return true;
}

static void do_bind(struct calls *c, const struct op *op)
{
	struct uiommu_domain *parent = mine(c)->parent;
	struct uiommu_dev *dev = of_pair(c, op);

	if (!parent)
		return;
	if (op->d % 3 == 0) {
		uiommu_unbind_pgtable_pasid(parent, dev, UIOMMU_NO_PASID);
		return;
	}
	if (uiommu_attach_device_pasid(parent, dev, UIOMMU_NO_PASID))
		uiommu_replace_device_pasid(parent, dev, UIOMMU_NO_PASID);
	uiommu_bind_pgtable_pasid(parent, dev, &bypass, UIOMMU_NO_PASID);
}

/* ---- all of them ---- */

#define CALLS(X) \
	X(attach, 20) X(detach, 10) X(group, 10) X(default, 6) X(claim, 8) X(reset, 4) \
	X(look, 6) X(device, 6) X(domain, 8) X(map, 6) X(iopf, 12) X(pasid, 6) X(iommu, 4) X(recover, 2) \
	X(dma, 30) X(space, 4) X(process, 6) X(sva, 20) X(slice, 8) X(vdevice, 16) X(nested, 8) X(queue, 24) X(ask, 20) X(answer, 14) X(asked, 12) X(guest, 40) X(bind, 8)
#define WEIGHT(name, weight) weight,
#define FUNCTION(name, weight) do_##name,

const unsigned calls_weight[] = { CALLS(WEIGHT) };
const unsigned calls_num = sizeof(calls_weight) / sizeof(calls_weight[0]);

void calls_op(void *world, const struct op *op)
{
	static void (*const fns[])(struct calls *c, const struct op *op) = { CALLS(FUNCTION) };

	fns[op->what](world, op);
}

/* ---- up and down ---- */

static void add_pair(struct calls *c, unsigned i)
{
	const struct uiommu_dev_config cfg = {
		.name = i ? "n" : "m", .iommu = c->w.iommu, .rid = 30 + i,
		.stream_ids = &pair_stream[i], .num_stream_ids = 1, .pasid_bits = 2,
		.group = GROUP, .default_type = UIOMMU_DOMAIN_BLOCKED, .can_stall = true,
	};

	int err = uiommu_device_add(c->w.u, &cfg, &c->dev[DEVS + i]);

	if (err)
		uiommu_hostile_fail("a device of a group cannot be added: %d", err);
}

/* A slice with queues that all may make. */
static void add_slice(struct calls *c)
{
	struct uiommu_viommu_config cfg = { .type = 2, .dev = c->dev[DEVS],
					    .event = on_event, .ctx = &c->w.res->events };

	c->ring = uiommu_hostile_alloc(RING);
	if (!uiommu_device_has_viommu(cfg.dev, cfg.type))
		return;
	if (uiommu_domain_alloc_paging(cfg.dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &c->parent))
		uiommu_hostile_fail("a parent cannot be made");
	cfg.parent = c->parent;
	if (uiommu_viommu_alloc(&cfg, &c->v))
		uiommu_hostile_fail("a slice with queues cannot be made");
}

static void add_asker(struct calls *c)
{
	for (unsigned k = 0; k < FDEVS; k++)
		if (c->w.setup.faults && c->w.sva.dev[k].pri)
			c->asks = &c->w.sva.dev[k];
	if (c->asks && (uiommu_domain_alloc_paging(c->asks->dev, UIOMMU_DOMAIN_ALLOC_PASID,
						   &c->asked) ||
			uiommu_domain_set_iopf(c->asked, &asked, c)))
		uiommu_hostile_fail("a domain that is asked for pages cannot be made");
}

void calls_boot(struct calls *c)
{
	for (unsigned i = 0; i < WORKERS; i++)
		c->mine[i].number = i;
	for (unsigned d = 0; d < DEVS; d++)
		c->dev[d] = c->w.dev[d].dev;
	for (unsigned i = 0; i < 2; i++)
		add_pair(c, i);
	for (unsigned i = 0; i < PROCESSES; i++)
		make_process(c, &c->process[i]);
	add_slice(c);
	add_asker(c);
	if (uiommu_dma_create(c->dev[0], pick(2) ? UIOMMU_DMA_DEFERRED : UIOMMU_DMA_STRICT,
			      pick(2) ? 0xffffffff : UINT64_MAX, &c->dma))
		uiommu_hostile_fail("a domain for DMA cannot be made");
}

/* What each still has goes, those that stand on others first. */
static void leave(struct calls *c, struct mine *m)
{
	if (m->sva)
		uiommu_sva_unbind_device(m->sva);
	end_process(&m->process);
	if (m->process.mm)
		uiommu_hostile_fail("a process that is bound nowhere cannot go");
	if (m->nested && uiommu_domain_free(m->nested))
		uiommu_hostile_fail("a nested domain that is nowhere attached cannot go");
	if (m->q[0] && uiommu_hw_queue_free(m->q[0]))
		uiommu_hostile_fail("a queue cannot go");
	if (m->v && uiommu_viommu_free(m->v))
		uiommu_hostile_fail("a slice without anything cannot go");
	if (m->parent && uiommu_domain_free(m->parent))
		uiommu_hostile_fail("a parent without children cannot go");
	if (m->dom && uiommu_domain_free(m->dom))
		uiommu_hostile_fail("a domain that is nowhere attached cannot go");
	for (unsigned i = 0; i < MAPS; i++)
		if (m->map[i].bytes)
			uiommu_dma_unmap(c->dma, m->map[i].iova, m->map[i].bytes);
	if (m->dma && uiommu_dma_destroy(m->dma))
		uiommu_hostile_fail("a domain for DMA cannot go");
	if (m->pasid && uiommu_pasid_free(c->w.u, m->pasid))
		uiommu_hostile_fail("a PASID cannot be given back");
	if (m->iommu.u)
		uiommu_iommu_unregister(&m->iommu);
}

/* The queue of the lower number goes last. */
static void end_shared(struct calls *c)
{
	if (c->asks)
		uiommu_detach_device_pasid(c->asks->dev, ASKED);
	if (c->asked && uiommu_domain_free(c->asked))
		uiommu_hostile_fail("a domain that was asked cannot go");
	for (unsigned i = 0; i < PROCESSES; i++)
		end_process(&c->process[i]);
	for (unsigned n = 0; n < 2 * WORKERS; n++) {
		struct uiommu_hw_queue **q = &c->mine[n % WORKERS].q[1];

		if (*q && !uiommu_hw_queue_free(*q))
			*q = NULL;
	}
	if (c->v && (uiommu_viommu_free(c->v) || uiommu_domain_free(c->parent)))
		uiommu_hostile_fail("a slice without anything cannot go");
	uiommu_hostile_free(c->ring, RING);
	if (uiommu_dma_destroy(c->dma))
		uiommu_hostile_fail("a domain for DMA cannot go");
}

void calls_shut(struct calls *c)
{
	for (unsigned d = 0; d < SHARED; d++) {
		for (unsigned i = 0; i < WORKERS; i++)
			while (c->mine[i].claims[d]) {
				c->mine[i].claims[d]--;
				uiommu_device_release(c->dev[d], &c->mine[i]);
			}
		uiommu_device_reset_done(c->dev[d]);
		for (unsigned p = 0; p < 4; p++)
			uiommu_detach_device_pasid(c->dev[d], p);
		uiommu_device_set_default(c->dev[d], uiommu_domain_blocked(c->w.u));
	}
	for (unsigned i = 0; i < WORKERS; i++)
		if (c->mine[i].dev)		/* others' domains may be there, by its group */
			uiommu_device_remove(c->mine[i].dev);
	for (unsigned i = 0; i < WORKERS; i++)
		if (c->mine[i].vd)
			uiommu_vdevice_free(c->mine[i].vd);
	for (unsigned i = 0; i < WORKERS; i++)
		leave(c, &c->mine[i]);
	end_shared(c);
	for (unsigned i = 0; i < 2; i++)
		uiommu_device_remove(c->dev[DEVS + i]);
}
