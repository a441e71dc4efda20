/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "edu.h"
#include "examples/vmm/say.h"
#include "process.h"
#include "work.h"

#define PROCESSES	2u
#define VA		0x7fc0200000ull		/* of every process, in both VMs */
#define PAGES		4u			/* of a process, from there */
#define F_TRANSLATION	0x10u

/* What the programs of one guest have. */
struct work {
	struct process *p[PROCESSES];
	struct uiommu_sva *bind[PROCESSES][KERNEL_DEVICES];
};

/* ---- bytes ---- */

/* Every page has its own: who wrote it, and where it is. */
static void fill(uint8_t *page, const char *vm, const char *who)
{
	char text[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s, %s. ", vm, who);

	for (size_t i = 0; i < PAGE; i++)
		page[i] = (uint8_t)text[i % len];
}

static bool holds(const uint8_t *page, const char *vm, const char *who)
{
	uint8_t want[PAGE];

	fill(want, vm, who);
	return !memcmp(page, want, PAGE);
}

/* A page of the kernel's with these bytes. */
static uint8_t *page_of(struct kernel *k, const char *who)
{
	uint8_t *page = heap_alloc(k, PAGE);

	if (page && who)
		fill(page, k->board->name, who);
	return page;
}

/* ---- what does not go through ---- */

/* Event number @n is of this access. */
static void expect_event(struct kernel *k, unsigned n, const struct device *d,
			 uiommu_pasid_t pasid, uiommu_iova_t iova)
{
	struct uiommu_fault f = { 0 };
	bool came = kernel_fault(k, n, &f);

	check(came && f.code == F_TRANSLATION && f.dev == d->dev &&
	      f.stream_id == d->board->stream_id && f.pasid == pasid &&
	      !(f.flags & UIOMMU_FAULT_STAGE2) && f.iova == iova,
	      "an event says so: F_TRANSLATION, StreamID 0x%x, %s, 0x%llx", d->board->stream_id,
	      pasid ? "its PASID" : "no PASID", (unsigned long long)iova);
}

/* One that can ask for its pages does so, in vain; of another there is an event. */
static void expect_blocked(struct kernel *k, struct device *d, unsigned queue,
			   uiommu_pasid_t pasid, uiommu_iova_t iova, const char *what)
{
	unsigned n = kernel_faults(k);

	check(!edu_dma(k, d, queue, iova, 64, true), "%s: %s: blocked", d->board->name, what);
	if (!d->board->pri)
		expect_event(k, n, d, pasid, iova);
}

/* ---- the kernel ---- */

/* A page that it may read, and one that it may write too. */
static bool map_two(struct kernel *k, struct device *d, uint8_t *from, uint8_t *to,
		    uiommu_iova_t *src, uiommu_iova_t *dst)
{
	return from && to &&
	       !uiommu_dma_map(d->dma, kernel_pa(k, from), PAGE, UIOMMU_PROT_READ, src) &&
	       !uiommu_dma_map(d->dma, kernel_pa(k, to), PAGE,
			       UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, dst);
}

static void kernel_copies(struct kernel *k, struct device *d)
{
	const char *vm = k->board->name, *name = d->board->name;
	uint8_t *from = page_of(k, name), *to = page_of(k, NULL);
	uiommu_iova_t src = 0, dst = 0;

	check(map_two(k, d, from, to, &src, &dst) && edu_copy(k, d, 0, src, dst) &&
	      holds(to, vm, name) && holds(from, vm, name),
	      "%s: copies a page of the kernel's to another", name);
	uiommu_dma_unmap(d->dma, dst, PAGE);
	memset(to, 0, PAGE);
	expect_blocked(k, d, 0, 0, dst, "a write after the unmap");
	check(!to[0] && !memcmp(to, to + 1, PAGE - 1), "and the page is as it was");
	uiommu_dma_unmap(d->dma, src, PAGE);
	heap_free(k, from, PAGE);
	heap_free(k, to, PAGE);
}

void work_kernel(struct kernel *k, void *arg)
{
	say("%s: its kernel", k->board->name);
	for (unsigned i = 0; i < k->devices; i++)
		if (k->dev[i].dev)
			kernel_copies(k, &k->dev[i]);
}

void work_add_device(struct kernel *k, void *arg)
{
	const struct board_device *b = arg;

	check(kernel_add_device(k, b), "%s: %s, StreamID 0x%x%s", k->board->name, b->name,
	      b->stream_id, b->pri ? ": has ATS and PRI" : "");
}

/* ---- processes ---- */

static const char *const names[PROCESSES] = { "process 1", "process 2" };

/* What process @i has of device @n: queue i + 1, with its PASID. */
static bool bind(struct kernel *k, unsigned i, unsigned n)
{
	struct work *w = k->work;
	struct device *d = &k->dev[n];

	if (uiommu_sva_bind_device(d->dev, w->p[i]->mm, &w->bind[i][n]))
		return false;
	edu_set_pasid(d, i + 1, uiommu_sva_pasid(w->bind[i][n]));
	return true;
}

static bool process_fill(struct kernel *k, unsigned i)
{
	uint8_t page[PAGE];

	fill(page, k->board->name, names[i]);
	return process_write(k->work->p[i], VA, page, PAGE);
}

static bool start_process(struct kernel *k, unsigned i)
{
	struct work *w = k->work;

	w->p[i] = process_create(k, names[i]);
	return w->p[i] && process_mmap(w->p[i], VA, PAGES * PAGE) && process_fill(k, i);
}

static bool process_holds(struct kernel *k, unsigned i, uint64_t va)
{
	uint8_t page[PAGE];

	return process_read(k->work->p[i], va, page, PAGE) &&
	       holds(page, k->board->name, names[i]);
}

/* Only its first page is there: where it copies to, the device has to ask. */
static void copies_and_asks(struct kernel *k, unsigned i, struct device *d)
{
	struct process *p = k->work->p[i];
	unsigned before = process_served(p, NULL), refused = 0;

	check(edu_copy(k, d, i + 1, VA, VA + PAGE) && process_holds(k, i, VA + PAGE),
	      "%s: PASID %u copies the page of %s to the next one", d->board->name,
	      uiommu_mm_pasid(p->mm), names[i]);
	check(process_served(p, &refused) == before + 1 && !refused,
	      "which was not there before: %s was asked for it", names[i]);
}

/* This one cannot wait: the process has to have been there before. */
static void copies_what_is_there(struct kernel *k, unsigned i, struct device *d)
{
	struct process *p = k->work->p[i];
	const uint8_t byte = 0;

	check(process_write(p, VA + 2 * PAGE, &byte, 1) &&
	      edu_copy(k, d, i + 1, VA, VA + 2 * PAGE) && process_holds(k, i, VA + 2 * PAGE),
	      "%s: PASID %u copies it to the one after", d->board->name, uiommu_mm_pasid(p->mm));
	expect_blocked(k, d, i + 1, uiommu_mm_pasid(p->mm), VA + 3 * PAGE,
		       "a page that is not there");
}

static void process_works(struct kernel *k, unsigned i)
{
	bool ok = start_process(k, i);

	for (unsigned n = 0; n < k->devices && ok; n++)
		ok = bind(k, i, n);
	check(ok, "%s has 0x%llx, and PASID %u on each device", names[i],
	      (unsigned long long)VA, ok ? uiommu_mm_pasid(k->work->p[i]->mm) : 0);
	for (unsigned n = 0; n < k->devices && ok; n++) {
		if (k->dev[n].board->pri)
			copies_and_asks(k, i, &k->dev[n]);
		else
			copies_what_is_there(k, i, &k->dev[n]);
	}
}

void work_processes(struct kernel *k, void *arg)
{
	say("%s: its processes", k->board->name);
	k->work = heap_alloc(k, sizeof(*k->work));
	for (unsigned i = 0; i < PROCESSES; i++)
		process_works(k, i);
	check(process_holds(k, 0, VA) && process_holds(k, 1, VA) && process_holds(k, 0, VA + PAGE),
	      "each has its own bytes at the same address");
}

void work_munmap(struct kernel *k, void *arg)
{
	struct work *w = k->work;
	unsigned refused = 0;

	say("%s: a process gives its pages back", k->board->name);
	process_munmap(w->p[0], VA);
	for (unsigned n = 0; n < k->devices; n++)
		expect_blocked(k, &k->dev[n], 1, uiommu_mm_pasid(w->p[0]->mm), VA,
			       "a write of its");
	process_served(w->p[0], &refused);
	check(refused, "the device that asked was told no");
	check(edu_copy(k, &k->dev[0], 2, VA, VA + PAGE) && process_holds(k, 1, VA + PAGE),
	      "the other process still has its own");
	check(process_mmap(w->p[0], VA, PAGES * PAGE) && process_fill(k, 0) &&
	      edu_copy(k, &k->dev[0], 1, VA, VA + PAGE) && process_holds(k, 0, VA + PAGE),
	      "it gets new ones at the same address, and all is well");
}

void work_unmaps(struct kernel *k, void *arg)
{
	uint8_t *page = page_of(k, NULL);
	uiommu_iova_t iova;

	for (unsigned n = *(unsigned *)arg; n--;)
		for (unsigned i = 0; i < k->devices; i++)
			if (!uiommu_dma_map(k->dev[i].dma, kernel_pa(k, page), PAGE,
					    UIOMMU_PROT_READ, &iova))
				uiommu_dma_unmap(k->dev[i].dma, iova, PAGE);
	heap_free(k, page, PAGE);
}

void work_exit(struct kernel *k, void *arg)
{
	struct work *w = k->work;

	for (unsigned i = 0; w && i < PROCESSES; i++) {
		for (unsigned n = 0; n < k->devices; n++)
			if (w->bind[i][n])
				uiommu_sva_unbind_device(w->bind[i][n]);
		process_exit(w->p[i]);
	}
	if (w)
		heap_free(k, w, sizeof(*w));
	k->work = NULL;
}

/* ---- everything at once ---- */

struct lane {
	struct device *d;
	unsigned queue;
	uint8_t *from, *to;		/* the kernel's */
	uiommu_iova_t src, dst;
};

#define LANES	(KERNEL_DEVICES * EDU_QUEUES)

static bool lane_open(struct kernel *k, struct lane *l)
{
	if (l->queue) {
		l->src = VA;
		l->dst = VA + PAGE;
		return true;
	}
	l->from = page_of(k, l->d->board->name);
	l->to = page_of(k, NULL);
	return map_two(k, l->d, l->from, l->to, &l->src, &l->dst);
}

static void lane_close(struct kernel *k, struct lane *l)
{
	if (l->queue)
		return;
	uiommu_dma_unmap(l->d->dma, l->src, PAGE);
	uiommu_dma_unmap(l->d->dma, l->dst, PAGE);
	heap_free(k, l->from, PAGE);
	heap_free(k, l->to, PAGE);
}

static bool lane_is_right(struct kernel *k, struct lane *l)
{
	if (l->queue)
		return process_holds(k, l->queue - 1, VA + PAGE);
	return holds(l->to, k->board->name, l->d->board->name);
}

static void clear_target(struct kernel *k, struct lane *l)
{
	static const uint8_t zero[PAGE];

	if (l->queue)
		process_write(k->work->p[l->queue - 1], VA + PAGE, zero, PAGE);
	else
		memset(l->to, 0, PAGE);
}

/* All lanes at the same time: in, out, and a look. How many were wrong. */
static unsigned storm_round(struct kernel *k, struct lane *lane, unsigned n)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < n; i++)
		clear_target(k, &lane[i]);
	for (unsigned i = 0; i < n; i++)
		edu_start(lane[i].d, lane[i].queue, lane[i].src, PAGE, false);
	for (unsigned i = 0; i < n; i++)
		wrong += !edu_finish(k, lane[i].d, lane[i].queue);
	for (unsigned i = 0; i < n; i++)
		edu_start(lane[i].d, lane[i].queue, lane[i].dst, PAGE, true);
	for (unsigned i = 0; i < n; i++)
		wrong += !edu_finish(k, lane[i].d, lane[i].queue);
	for (unsigned i = 0; i < n; i++)
		wrong += !lane_is_right(k, &lane[i]);
	return wrong;
}

static unsigned find_lanes(struct kernel *k, struct lane *lane)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->devices; i++)
		for (unsigned q = 0; q < EDU_QUEUES; q++)
			if (k->dev[i].dev && (!q || k->work->bind[q - 1][i]) &&
			    !edu_is_waiting(&k->dev[i], q))
				lane[n++] = (struct lane){ .d = &k->dev[i], .queue = q };
	return n;
}

void work_storm(struct kernel *k, void *arg)
{
	struct storm *s = arg;
	struct lane lane[LANES];
	unsigned n = find_lanes(k, lane), before = kernel_faults(k);

	for (unsigned i = 0; i < n; i++)
		s->wrong += !lane_open(k, &lane[i]);
	while (!atomic_load(&s->stop)) {
		s->wrong += storm_round(k, lane, n);
		for (unsigned i = 0; i < n && s->kernel_maps; i++) {
			lane_close(k, &lane[i]);
			s->wrong += !lane_open(k, &lane[i]);
		}
		atomic_fetch_add(&s->rounds, 1);
	}
	for (unsigned i = 0; i < n; i++)
		lane_close(k, &lane[i]);
	s->events = kernel_faults(k) - before;
}

void work_leave_waiting(struct kernel *k, void *arg)
{
	struct device *d = &k->dev[0];

	process_stop(k->work->p[1]);
	edu_start(d, 2, VA + 3 * PAGE, 64, true);
	while (!edu_is_waiting(d, 2))
		kernel_pause(k);
	check(true, "%s: %s waits for a page that will never come", k->board->name,
	      d->board->name);
}

/* ---- a device comes ---- */

void work_new_device(struct kernel *k, void *arg)
{
	unsigned n = k->devices;

	work_add_device(k, arg);
	if (k->devices == n)
		return;
	kernel_copies(k, &k->dev[n]);
	check(process_fill(k, 0) && bind(k, 0, n) &&
	      edu_copy(k, &k->dev[n], 1, VA, VA + PAGE) && process_holds(k, 0, VA + PAGE),
	      "%s: copies the page of %s", k->dev[n].board->name, names[0]);
}
