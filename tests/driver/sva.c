/* SPDX-License-Identifier: MIT */
/*
 * The real driver on the simulator: tables of processes on PASIDs, accesses that wait
 * for a page, page requests; and what is left of them when things are taken away.
 */
#include "bench.h"

#include <uiommu/sva.h>

#define VA	0x7f0000400000ull
#define HOLE	0x7f0000800000ull

/* ---- a process: a table of its own, and pages that come when asked for ---- */

struct proc {
	struct bench *b;
	struct uiommu_pt pt;
	struct uiommu_mm *mm;
	bool deny;			/* nothing is there */
	bool hold;			/* answers later */
	struct uiommu_iopf_group *held[64];
	unsigned num_held, faults, cancels;
	uint64_t value;			/* of the first word of a page that comes */
};

static int put_in(struct proc *p, uiommu_iova_t addr, uint64_t v)
{
	uint64_t *page = bench_page(p->b, v);

	return p->pt.ops->map(&p->pt, addr & ~(uint64_t)(PAGE - 1), thost_pa(&p->b->t, page),
			      PAGE, RW, NULL);
}

static void serve(struct proc *p, struct uiommu_iopf_group *g)
{
	enum uiommu_page_response code = p->deny ? UIOMMU_PAGE_INVALID : UIOMMU_PAGE_SUCCESS;
	const struct uiommu_page_request *r;
	uiommu_pa_t pa;

	for (r = g->requests; r && !p->deny; r = r->next)
		if (p->pt.ops->iova_to_phys(&p->pt, r->addr, &pa) && put_in(p, r->addr, p->value))
			code = UIOMMU_PAGE_FAILURE;
	uiommu_page_response(g, code);
}

static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	struct proc *p = ctx;

	p->faults++;
	if (p->hold)
		p->held[p->num_held++] = g;
	else
		serve(p, g);
}

static void on_cancel(void *ctx, struct uiommu_iopf_group *g)
{
	struct proc *p = ctx;

	p->cancels++;
	for (unsigned i = 0; i < p->num_held; i++)
		if (p->held[i] == g) {
			p->held[i] = NULL;
			uiommu_page_response(g, UIOMMU_PAGE_SUCCESS);
		}
}

static const struct uiommu_iopf_handler handler = { on_fault, on_cancel };

static void proc_init(struct proc *p, struct bench *b, const char *name, bool faults)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct uiommu_mm_config mm = { .name = name, .table = &p->pt, .ctx = p };

	memset(p, 0, sizeof(*p));
	p->b = b;
	p->value = 77;
	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&p->pt, &b->t.host, &cfg), 0);
	if (faults)
		mm.iopf = &handler;
	assert_int_equal(uiommu_mm_create(b->u, &mm, &p->mm), 0);
}

/* munmap() of a page: gone, told, and the memory given back. */
static void take_out(struct proc *p, uiommu_iova_t addr)
{
	struct uiommu_gather g;
	uiommu_pa_t pa;

	assert_int_equal(p->pt.ops->iova_to_phys(&p->pt, addr, &pa), 0);
	uiommu_gather_init(&g);
	assert_int_equal(p->pt.ops->unmap(&p->pt, addr, PAGE, &g, NULL), 0);
	uiommu_mm_invalidate(p->mm, &g);
	uiommu_gather_free(&g, &p->b->t.host);
	bench_page_free(p->b, thost_at(&p->b->t, pa, PAGE));
}

static void proc_end(struct proc *p)
{
	uiommu_pa_t pa;

	uiommu_mm_die(p->mm);
	for (uiommu_iova_t va = VA; va < VA + 0x1000000; va += PAGE)
		if (!p->pt.ops->iova_to_phys(&p->pt, va, &pa))
			bench_page_free(p->b, thost_at(&p->b->t, pa, PAGE));
	p->pt.ops->fini(&p->pt);
}

static void proc_fini(struct proc *p)
{
	proc_end(p);
	assert_int_equal(uiommu_mm_destroy(p->mm), 0);
}

/* ---- benches ---- */

static int setup(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg;
	struct bench *b = calloc(1, sizeof(*b));

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stall = 1;
	cfg.stall_max = 16;
	cfg.ats = cfg.pri = true;
	cfg.priq_max_lg2 = 3;
	smmu.has_irq_priq = true;
	smmu.irq_priq = 3;
	bench_init(b, &cfg, &smmu, false);
	*state = b;
	return 0;
}

static struct uiommu_dev *add_faulting(struct bench *b, const char *name, uint32_t sid,
				       bool pri_pasid)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = b->iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 8, .group = -1, .can_stall = true,
		.pri = true, .pri_pasid = pri_pasid, .max_faults = 32,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(b->u, &cfg, &dev), 0);
	return dev;
}

static struct uiommu_sva *bound(struct uiommu_dev *dev, struct proc *p)
{
	struct uiommu_sva *s = NULL;

	assert_int_equal(uiommu_sva_bind_device(dev, p->mm, &s), 0);
	return s;
}

/* ---- S3's picture ---- */

/* A device's table of address spaces, as S3 draws it. */
struct drawing {
	char text[1024];
	size_t n;
};

static void draw(struct drawing *d, const char *a, const char *b)
{
	d->n += (size_t)snprintf(d->text + d->n, sizeof(d->text) - d->n, "%s%s", a, b);
}

static int draw_attach(void *ctx, const struct uiommu_attach_status *st)
{
	char pasid[24];

	snprintf(pasid, sizeof(pasid), " %u=", st->pasid);
	draw(ctx, pasid, uiommu_domain_name(st->dom));
	return 0;
}

static int draw_device(void *ctx, struct uiommu_dev *dev)
{
	draw(ctx, uiommu_device_name(dev), ":");
	uiommu_device_for_each_attach(dev, draw_attach, ctx);
	draw(ctx, "\n", "");
	return 0;
}

/*
 * Device 0 in domain A; 2, 3 and 4 in domain B, on one PASID table. mm X is on A as
 * PASID 1, mm Y on both as PASID 2, a private address space on B as PASID 3.
 */
static void invariant_10_the_picture_of_s3(void **state)
{
	static const char *const names[] = { "2", "3", "4" };
	static const char want[] =
		"0: 0=A 1=mm X 2=mm Y\n"
		"2: 0=B 2=mm Y 3=private\n3: 0=B 2=mm Y 3=private\n4: 0=B 2=mm Y 3=private\n";
	struct bench *b = *state;
	struct uiommu_dev *d0 = bench_add(b, "0", 0x100, 8), *d[3];
	struct uiommu_domain *dom_a = bench_domain(d0), *dom_b, *priv;
	struct drawing drawing = { .n = 0 };
	struct uiommu_sva *xa, *ya, *yb;
	uint64_t *page[3];
	uiommu_pasid_t pasid;
	struct proc x, y;

	for (uint32_t i = 0; i < 3; i++) {
		const uint32_t sid = 0x202 + i;
		const struct uiommu_dev_config cfg = {
			.name = names[i], .iommu = b->iommu, .rid = sid, .stream_ids = &sid,
			.num_stream_ids = 1, .pasid_bits = 12, .group = 1, .shared = true,
		};

		assert_int_equal(uiommu_device_add(b->u, &cfg, &d[i]), 0);
	}
	proc_init(&x, b, "mm X", false);
	proc_init(&y, b, "mm Y", false);
	dom_b = bench_domain(d[0]);
	priv = bench_domain(d[0]);
	uiommu_domain_set_name(dom_a, "A");
	uiommu_domain_set_name(dom_b, "B");
	uiommu_domain_set_name(priv, "private");
	put_in(&x, VA, 0x10);
	put_in(&y, VA, 0x20);
	for (unsigned i = 0; i < 3; i++)
		page[i] = bench_page(b, 1 + i);
	bench_map(b, dom_a, VA, page[0]);
	bench_map(b, dom_b, VA, page[1]);
	bench_map(b, priv, VA, page[2]);
	assert_int_equal(uiommu_attach_device(dom_a, d0), 0);
	assert_int_equal(uiommu_attach_device(dom_b, d[0]), 0);
	xa = bound(d0, &x);
	ya = bound(d0, &y);
	yb = bound(d[2], &y);
	assert_int_equal(uiommu_pasid_alloc(b->u, 8, &pasid), 0);
	assert_int_equal(uiommu_attach_device_pasid(priv, d[1], pasid), 0);
	uiommu_for_each_device(b->u, draw_device, &drawing);
	assert_string_equal(drawing.text, want);
	bench_sees(b, d0, 0, VA, 1);
	bench_sees(b, d0, 1, VA, 0x10);
	bench_sees(b, d0, 2, VA, 0x20);
	bench_sees(b, d0, 3, VA, 0);
	for (unsigned i = 0; i < 3; i++) {
		bench_sees(b, d[i], 0, VA, 2);
		bench_sees(b, d[i], 1, VA, 0);
		bench_sees(b, d[i], 2, VA, 0x20);
		bench_sees(b, d[i], 3, VA, 3);
	}
	/* one munmap() reaches all of them */
	take_out(&y, VA);
	bench_sees(b, d0, 2, VA, 0);
	for (unsigned i = 0; i < 3; i++)
		bench_sees(b, d[i], 2, VA, 0);
	bench_sees(b, d0, 1, VA, 0x10);
	put_in(&y, VA, 0x21);
	uiommu_sva_unbind_device(ya);
	bench_sees(b, d0, 2, VA, 0);
	bench_sees(b, d[1], 2, VA, 0x21);
	uiommu_sva_unbind_device(yb);
	for (unsigned i = 0; i < 3; i++)
		bench_sees(b, d[i], 2, VA, 0);
	uiommu_sva_unbind_device(xa);
	uiommu_detach_device_pasid(d[0], pasid);
	assert_int_equal(uiommu_pasid_free(b->u, pasid), 0);
	for (unsigned i = 0; i < 3; i++)
		bench_page_free(b, page[i]);
	proc_fini(&x);
	proc_fini(&y);
}

/* The number of one that has gone leads to the next one, and to nothing of the old. */
static void a_pasid_is_used_again(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 8);

	for (unsigned i = 0; i < 20; i++) {
		struct uiommu_sva *s;
		struct proc p;

		proc_init(&p, b, "p", false);
		put_in(&p, VA + (i & 1) * PAGE, 100 + i);
		s = bound(dev, &p);
		assert_int_equal(uiommu_sva_pasid(s), 1);
		bench_sees(b, dev, 1, VA + (i & 1) * PAGE, 100 + i);
		bench_sees(b, dev, 1, VA + !(i & 1) * PAGE, 0);
		uiommu_sva_unbind_device(s);
		bench_sees(b, dev, 1, VA + (i & 1) * PAGE, 0);
		proc_fini(&p);
	}
}

/* A process that ends: no event, no access, while others go on; then the same again
 * with the binding taken away. */
static void a_process_that_ended(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false);
	struct uiommu_sva *sx, *sy;
	struct proc x, y;

	proc_init(&x, b, "x", true);
	proc_init(&y, b, "y", true);
	put_in(&x, VA, 5);
	put_in(&y, VA, 6);
	sx = bound(dev, &x);
	sy = bound(dev, &y);
	bench_sees(b, dev, 1, VA, 5);
	proc_end(&x);
	bench_sees(b, dev, 1, VA, 0);
	bench_sees(b, dev, 1, HOLE, 0);
	assert_string_equal(bench_fault_text(b), "");
	assert_int_equal(x.faults, 0);
	bench_sees(b, dev, 2, VA, 6);
	uiommu_sva_unbind_device(sx);
	bench_sees(b, dev, 1, VA, 0);
	assert_non_null(strstr(bench_fault_text(b), "C_BAD_CD"));
	assert_int_equal(uiommu_mm_destroy(x.mm), 0);
	uiommu_sva_unbind_device(sy);
	proc_fini(&y);
}

/* Behind an SMMU without substreams: CD 0, and only where it is asked for by name. */
static void on_the_rid_of_an_smmu_without_pasids(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_sva *s = NULL;
	struct uiommu_dev *dev;
	struct bench b;
	struct proc p;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.ssidsize = 0;
	bench_init(&b, &cfg, &bench_smmu, false);
	dev = bench_add(&b, "d", 1, 8);
	proc_init(&p, &b, "p", false);
	put_in(&p, VA, 9);
	assert_int_equal(uiommu_sva_bind_device(dev, p.mm, &s), -UIOMMU_EOPNOTSUPP);
	bench_sees(&b, dev, 0, VA, 0);
	assert_int_equal(uiommu_sva_bind_rid(dev, p.mm, &s), 0);
	bench_sees(&b, dev, 0, VA, 9);
	take_out(&p, VA);
	bench_sees(&b, dev, 0, VA, 0);
	put_in(&p, VA, 10);
	bench_sees(&b, dev, 0, VA, 10);
	uiommu_sva_unbind_device(s);
	bench_sees(&b, dev, 0, VA, 0);
	assert_int_equal(uiommu_sva_bind_rid(dev, p.mm, &s), 0);
	proc_end(&p);
	bench_sees(&b, dev, 0, VA, 0);
	uiommu_sva_unbind_device(s);
	assert_int_equal(uiommu_mm_destroy(p.mm), 0);
	bench_fini(&b);
}

/* ---- stalls ---- */

/* One access. 0, -EFAULT, or -EAGAIN: it waits as @stag. */
static int start(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid, bool write,
		 uiommu_iova_t va, uint64_t *v, uint16_t *stag)
{
	const struct uiommu_sim_access a = {
		.stream_id = dev->streams[0].id, .substream_id = pasid, .ssv = pasid != 0,
		.write = write, .iova = va,
	};

	memset(b->resumed, 0, sizeof(b->resumed));
	return uiommu_sim_smmuv3_dma_stag(b->sim, &a, v, sizeof(*v), NULL, stag);
}

/* What a device does: waits as often as it takes. */
static int access_and_wait(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   uiommu_iova_t va, uint64_t *v)
{
	uint16_t stag;
	int err;

	while ((err = start(b, dev, pasid, false, va, v, &stag)) == -UIOMMU_EAGAIN) {
		uiommu_smmuv3_poll(b->iommu);
		if (b->resumed[stag] != 1 + UIOMMU_SIM_RESUME_RETRY)
			return b->resumed[stag] ? -UIOMMU_EFAULT : -UIOMMU_EAGAIN;
	}
	return err;
}

static void an_access_waits_for_its_page(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false);
	struct uiommu_sva *s;
	struct proc p;
	uint64_t v;

	proc_init(&p, b, "p", true);
	s = bound(dev, &p);
	assert_int_equal(access_and_wait(b, dev, 1, HOLE, &v), 0);
	assert_int_equal(v, 77);
	assert_int_equal(p.faults, 1);
	assert_int_equal(b->nfaults, 0);		/* nothing to tell anybody */
	p.deny = true;
	assert_int_equal(access_and_wait(b, dev, 1, HOLE + PAGE, &v), -UIOMMU_EFAULT);
	assert_int_equal(access_and_wait(b, dev, 1, HOLE, &v), 0);
	take_out(&p, HOLE);
	assert_int_equal(access_and_wait(b, dev, 1, HOLE, &v), -UIOMMU_EFAULT);
	p.deny = false;
	p.value = 78;
	assert_int_equal(access_and_wait(b, dev, 1, HOLE, &v), 0);
	assert_int_equal(v, 78);
	uiommu_sva_unbind_device(s);
	proc_fini(&p);
}

/* A device that cannot wait, and a domain that nobody serves: as always. */
static void no_stall_where_nobody_waits(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false), *plain = bench_add(b, "e", 2, 8);
	struct uiommu_domain *dom = bench_domain(dev), *served = bench_domain(dev);
	struct proc p;
	uint64_t v;
	uint16_t stag;

	proc_init(&p, b, "p", true);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	assert_int_equal(uiommu_domain_set_iopf(served, &handler, &p), 0);
	assert_int_equal(uiommu_attach_device(served, plain), 0);
	assert_int_equal(start(b, dev, 0, false, HOLE, &v, &stag), -UIOMMU_EFAULT);
	assert_int_equal(start(b, plain, 0, false, HOLE, &v, &stag), -UIOMMU_EFAULT);
	assert_non_null(strstr(bench_fault_text(b), "F_TRANSLATION"));
	assert_int_equal(p.faults, 0);
	/* from one to the other and back while it is live */
	assert_int_equal(uiommu_replace_device_pasid(served, dev, 0), 0);
	p.hold = true;
	assert_int_equal(start(b, dev, 0, false, HOLE, &v, &stag), -UIOMMU_EAGAIN);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(uiommu_replace_device_pasid(dom, dev, 0), 0);
	assert_int_equal(b->resumed[stag], 1 + UIOMMU_SIM_RESUME_ABORT);
	assert_int_equal(p.faults, 1);
	assert_int_equal(p.cancels, 1);
	assert_int_equal(start(b, dev, 0, false, HOLE, &v, &stag), -UIOMMU_EFAULT);
	uiommu_detach_device_pasid(dev, 0);
	uiommu_detach_device_pasid(plain, 0);
	proc_fini(&p);
}

/* ---- page requests ---- */

static void request(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid, uint16_t prgi,
		    uiommu_iova_t va, bool last)
{
	const struct uiommu_sim_page_request r = {
		.stream_id = dev->streams[0].id, .substream_id = pasid, .ssv = pasid != 0,
		.read = true, .write = true, .last = last, .prgi = prgi, .iova = va,
	};

	uiommu_sim_smmuv3_page_request(b->sim, &r);
}

static void page_requests_are_served(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false);
	struct uiommu_dev *with = add_faulting(b, "e", 2, true);
	struct uiommu_sva *s[2];
	struct proc p;

	proc_init(&p, b, "p", true);
	s[0] = bound(dev, &p);
	s[1] = bound(with, &p);
	for (unsigned i = 0; i < 3; i++)
		request(b, dev, 1, 0x1ff, HOLE + i * PAGE, i == 2);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_PRIQ], 1);
	b->t.irq[3](b->t.irq_arg[3]);
	assert_int_equal(p.faults, 1);
	assert_int_equal(b->num_responses, 1);
	assert_int_equal(b->response.prgi, 0x1ff);
	assert_int_equal(b->response.resp, CMD_PRI_RESP_Resp_SUCCESS);
	assert_false(b->response.ssv);
	for (unsigned i = 0; i < 3; i++)
		bench_sees(b, dev, 1, HOLE + i * PAGE, 77);
	p.deny = true;
	request(b, with, 1, 5, HOLE + 9 * PAGE, true);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(b->num_responses, 2);
	assert_int_equal(b->response.stream_id, 2);
	assert_int_equal(b->response.resp, CMD_PRI_RESP_Resp_INVALID);
	assert_true(b->response.ssv);
	assert_int_equal(b->response.substream_id, 1);
	/* for a PASID that nothing is attached to, and from nobody */
	request(b, dev, 9, 6, HOLE, true);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(b->num_responses, 3);
	assert_int_equal(b->response.resp, CMD_PRI_RESP_Resp_INVALID);
	assert_int_equal(p.faults, 2);
	uiommu_sva_unbind_device(s[0]);
	uiommu_sva_unbind_device(s[1]);
	proc_fini(&p);
}

/* A Stop Marker says that there is no more: no answer. */
static void a_stop_marker_has_no_answer(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false);
	const struct uiommu_sim_page_request r = {
		.stream_id = 1, .substream_id = 1, .ssv = true, .last = true,
	};
	struct uiommu_sva *s;
	struct proc p;

	proc_init(&p, b, "p", true);
	s = bound(dev, &p);
	uiommu_sim_smmuv3_page_request(b->sim, &r);
	uiommu_smmuv3_poll(b->iommu);
	assert_int_equal(p.faults, 0);
	assert_int_equal(b->num_responses, 0);
	uiommu_sva_unbind_device(s);
	proc_fini(&p);
}

/*
 * The queue has 8 places. What does not fit is answered by the SMMU, the device asks
 * again; what had begun and lost its end is not mixed up with what comes later.
 */
static void a_queue_that_overflows(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = add_faulting(b, "d", 1, false);
	struct uiommu_sva *s;
	struct proc p;

	proc_init(&p, b, "p", true);
	s = bound(dev, &p);
	for (unsigned round = 1; round <= 2; round++) {
		b->num_responses = 0;
		p.faults = 0;
		for (uint16_t i = 0; i < 7; i++)
			request(b, dev, 1, i, HOLE + i * PAGE, true);
		request(b, dev, 1, 9, HOLE + 0x100000, false);
		request(b, dev, 1, 9, HOLE + 0x101000, true);	/* lost, and answered */
		assert_int_equal(b->num_responses, 1);
		assert_int_equal(b->response.resp, CMD_PRI_RESP_Resp_SUCCESS);
		uiommu_smmuv3_poll(b->iommu);
		assert_int_equal(p.faults, 7);
		assert_int_equal(b->num_responses, 8);
		assert_true(thost_logged(&b->t, "page request queue overflow"));
		/* the same index again, alone: one page */
		p.hold = true;
		request(b, dev, 1, 9, HOLE + 0x200000, true);
		uiommu_smmuv3_poll(b->iommu);
		assert_int_equal(p.held[p.num_held - 1]->num, 1);
		p.hold = false;
		serve(&p, p.held[--p.num_held]);
		assert_int_equal(b->num_responses, 9);
	}
	uiommu_sva_unbind_device(s);
	proc_fini(&p);
}

/* ---- taken away while it waits ---- */

struct taken {
	struct bench *b;
	struct uiommu_dev *dev;
	struct uiommu_sva *s;
	struct proc p;
};

static void take_unbind(struct taken *t)
{
	uiommu_sva_unbind_device(t->s);
	t->s = NULL;
}

static void take_reset(struct taken *t)
{
	assert_int_equal(uiommu_device_reset_prepare(t->dev), 0);
	assert_int_equal(uiommu_device_reset_done(t->dev), 0);
}

static void take_remove(struct taken *t)
{
	uiommu_device_remove(t->dev);
	t->dev = NULL;
}

static void take_death(struct taken *t)
{
	uiommu_mm_die(t->p.mm);
}

/*
 * Stalls and page requests, some with the handler, some still in hardware's queues,
 * some that did not even fit there (stalls are never lost): each ends, and once.
 */
static void invariant_11_whatever_is_taken_away(void **state)
{
	static void (*const takers[])(struct taken *t) = {
		take_unbind, take_reset, take_remove, take_death,
	};

	for (unsigned i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		struct taken t;
		uint16_t stag[8];
		uint64_t v;
		void *st;

		setup(&st);
		t.b = st;
		t.dev = add_faulting(t.b, "d", 1, false);
		proc_init(&t.p, t.b, "p", true);
		t.s = bound(t.dev, &t.p);
		t.p.hold = true;
		for (unsigned n = 0; n < 8; n++) {
			assert_int_equal(start(t.b, t.dev, 1, n & 1, HOLE + n * PAGE, &v,
					       &stag[n]), -UIOMMU_EAGAIN);
			request(t.b, t.dev, 1, (uint16_t)n, HOLE + n * PAGE, n != 7);
			if (n == 4)
				uiommu_smmuv3_poll(t.b->iommu);
		}
		assert_int_equal(t.p.num_held, 5 + 5);
		takers[i](&t);
		for (unsigned n = 0; n < 8; n++)
			assert_int_equal(t.b->resumed[stag[n]], 1 + UIOMMU_SIM_RESUME_ABORT);
		assert_int_equal(t.b->num_responses, 7);
		for (unsigned n = 0; n < t.p.num_held; n++)
			assert_null(t.p.held[n]);
		uiommu_smmuv3_poll(t.b->iommu);
		assert_int_equal(t.b->num_responses, 7);
		if (t.dev)
			bench_sees(t.b, t.dev, 1, VA, 0);
		if (t.s)
			uiommu_sva_unbind_device(t.s);
		proc_fini(&t.p);
		bench_teardown(&st);
	}
}

/* The SMMU fails and is brought back: it has forgotten what it held back. */
static int bench_reset(void *ctx)
{
	uiommu_sim_smmuv3_reset(((struct bench *)ctx)->sim);
	return 0;
}

static void recovery_answers_what_waits(void **state)
{
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_dev *dev;
	struct uiommu_sva *s;
	struct bench b;
	struct proc p;
	uint16_t stag;
	uint64_t v;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stall = 1;
	cfg.stall_max = 16;
	cfg.ats = cfg.pri = true;
	cfg.priq_max_lg2 = 3;
	bench_init_sim(&b, &cfg, false);
	smmu.reset = bench_reset;
	smmu.reset_ctx = &b;
	assert_int_equal(uiommu_create(&b.t.host, NULL, &b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b.u, &smmu, &b.iommu), 0);
	dev = add_faulting(&b, "d", 1, false);
	proc_init(&p, &b, "p", true);
	s = bound(dev, &p);
	p.hold = true;
	assert_int_equal(start(&b, dev, 1, false, HOLE, &v, &stag), -UIOMMU_EAGAIN);
	request(&b, dev, 1, 3, HOLE, true);
	uiommu_smmuv3_poll(b.iommu);
	assert_int_equal(p.num_held, 2);
	uiommu_sim_smmuv3_fail(b.sim);
	uiommu_smmuv3_poll(b.iommu);
	assert_int_equal(uiommu_iommu_recover(b.iommu), 0);
	assert_int_equal(b.resumed[stag], 1 + UIOMMU_SIM_RESUME_ABORT);
	assert_int_equal(b.num_responses, 1);
	assert_int_equal(b.response.prgi, 3);
	assert_null(p.held[0]);
	assert_null(p.held[1]);
	p.hold = false;
	assert_int_equal(access_and_wait(&b, dev, 1, HOLE, &v), 0);
	assert_int_equal(v, 77);
	uiommu_sva_unbind_device(s);
	proc_fini(&p);
	bench_fini(&b);
}

/* ---- a number that CPUs have picked ---- */

static int pin_asid(void *ctx, uint32_t *asid)
{
	*asid = *(uint32_t *)ctx;
	return 0;
}

static void unpin_asid(void *ctx)
{
}

static struct uiommu_mm *pinned_mm(struct bench *b, struct proc *p, uint32_t *asid)
{
	const struct uiommu_mm_config cfg = {
		.name = "pinned", .table = &p->pt, .ctx = asid, .pin_asid = pin_asid,
		.unpin_asid = unpin_asid,
	};
	struct uiommu_mm *mm = NULL;

	assert_int_equal(uiommu_mm_create(b->u, &cfg, &mm), 0);
	return mm;
}

static int tag_of(void *ctx, const struct uiommu_attach_status *st)
{
	*(uint32_t *)ctx = st->tag;
	return 0;
}

/*
 * Taken where it is free. Where a domain has it already both go on, each with a tag of
 * its own: what one unmaps is gone, what the other has stays.
 */
static void a_pinned_asid_that_is_taken(void **state)
{
	struct bench *b = *state;
	struct uiommu_dev *dev = bench_add(b, "d", 1, 8);
	struct uiommu_domain *dom = bench_domain(dev);
	uint32_t asid = 0x123, tag = 0, theirs = 0;
	uint64_t *page = bench_page(b, 1);
	struct uiommu_sva *s[2];
	struct uiommu_mm *mm;
	struct proc p, q;

	proc_init(&p, b, "p", false);
	proc_init(&q, b, "q", false);
	mm = pinned_mm(b, &p, &asid);
	put_in(&p, VA, 5);
	put_in(&q, VA, 6);
	bench_map(b, dom, VA, page);
	assert_int_equal(uiommu_sva_bind_device(dev, mm, &s[0]), 0);
	uiommu_device_for_each_attach(dev, tag_of, &tag);
	assert_int_equal(tag, 0x123);
	bench_sees(b, dev, uiommu_sva_pasid(s[0]), VA, 5);
	uiommu_sva_unbind_device(s[0]);
	/* now a domain is there first */
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	uiommu_device_for_each_attach(dev, tag_of, &theirs);
	asid = theirs;
	assert_int_equal(uiommu_sva_bind_device(dev, mm, &s[0]), 0);
	s[1] = bound(dev, &q);
	uiommu_domain_for_each_attach(((struct smmu_master *)dev->drv)->rid->dom, tag_of, &tag);
	assert_int_equal(tag, theirs);
	for (unsigned i = 0; i < 2; i++) {
		bench_sees(b, dev, 0, VA, 1);
		bench_sees(b, dev, uiommu_sva_pasid(s[0]), VA, 5);
		bench_sees(b, dev, uiommu_sva_pasid(s[1]), VA, 6);
	}
	assert_int_equal(uiommu_unmap(dom, VA, PAGE, NULL), 0);
	bench_sees(b, dev, 0, VA, 0);
	bench_sees(b, dev, uiommu_sva_pasid(s[0]), VA, 5);
	uiommu_sva_unbind_device(s[0]);
	uiommu_sva_unbind_device(s[1]);
	assert_int_equal(uiommu_mm_destroy(mm), 0);
	proc_fini(&p);
	proc_fini(&q);
	bench_page_free(b, page);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(invariant_10_the_picture_of_s3),
		T(a_pasid_is_used_again),
		T(a_pinned_asid_that_is_taken),
		cmocka_unit_test(on_the_rid_of_an_smmu_without_pasids),
		T(a_process_that_ended),
		T(an_access_waits_for_its_page),
		T(no_stall_where_nobody_waits),
		T(page_requests_are_served),
		T(a_stop_marker_has_no_answer),
		T(a_queue_that_overflows),
		cmocka_unit_test(invariant_11_whatever_is_taken_away),
		cmocka_unit_test(recovery_answers_what_waits),
	};

	return cmocka_run_group_tests_name("sva", tests, NULL, NULL);
}
