/* SPDX-License-Identifier: MIT */
/*
 * edu.c - a function with QEMU's edu registers and, on top, queues that can carry
 * a PASID. The register list stands in uiommu/sim/dev.h.
 */
#include <string.h>

#include "internal.h"

#define EDU_BAR_BYTES		0x100000u
#define EDU_CLASS_REV		0x00ff0010u
#define EDU_ID			0x010000edu
#define EDU_BUF_BYTES		4096u
#define EDU_BUF(q)		(0x40000u + 0x1000u * (q))

#define REG_ID			0x00
#define REG_LIVENESS		0x04
#define REG_FACTORIAL		0x08
#define REG_STATUS		0x20
#define REG_IRQ_STATUS		0x24
#define REG_IRQ_RAISE		0x60
#define REG_IRQ_ACK		0x64

#define STATUS_COMPUTING	0x01u
#define STATUS_IRQ		0x80u
#define IRQ_FACTORIAL		0x01u
#define IRQ_DMA(q)		(0x100u << (q))

/* a queue's registers, from 0x1000 * q */
#define REG_SRC			0x80
#define REG_DST			0x88
#define REG_COUNT		0x90
#define REG_CMD			0x98
#define REG_PASID		0xa0
#define REG_RESULT		0xa8

#define CMD_RUN			1u
#define CMD_TO_MEMORY		2u
#define CMD_IRQ			4u

#define PASID_VALID		0x80000000u
#define PASID_BITS		0x000fffffu

#define RESULT_DONE		1u
#define RESULT_ABORTED		2u
#define RESULT_REFUSED		4u
#define RESULT_WAITING		0x100u

struct edu_queue {
	uint64_t src, dst, count;
	uint32_t cmd, pasid, result;
	bool waiting;			/* for the answer to its page requests */
	bool denied;			/* which was no */
	uint8_t buf[EDU_BUF_BYTES];	/* step() alone touches it */
};

/* Everything below dev is guarded by the bus's lock. */
struct edu {
	struct uiommu_sim_dev dev;
	unsigned queues;		/* (i) */
	bool plain;			/* (i) */
	unsigned next;			/* queue that step() looks at first */
	bool irq_pending;		/* a message is to be sent */
	uint32_t liveness, factorial, status, irq_status;
	struct edu_queue q[UIOMMU_SIM_EDU_MAX_QUEUES];
};

static struct edu *to_edu(struct uiommu_sim_dev *d)
{
	return (struct edu *)d;		/* the first member */
}

/* ---- registers ---- */

/* The queue whose registers @off is among, or NULL. */
static struct edu_queue *queue_at(struct edu *e, uint64_t off)
{
	uint64_t q = off >> 12, reg = off & 0xfff;

	if (q >= e->queues || reg < REG_SRC || reg > REG_RESULT || reg % 8)
		return NULL;
	if (e->plain && reg >= REG_PASID)
		return NULL;
	return &e->q[q];
}

static uint64_t queue_read(const struct edu_queue *q, uint64_t reg)
{
	switch (reg) {
	case REG_SRC:
		return q->src;
	case REG_DST:
		return q->dst;
	case REG_COUNT:
		return q->count;
	case REG_CMD:
		return q->cmd;
	case REG_PASID:
		return q->pasid;
	default:
		return q->result;
	}
}

static uint32_t low_read(const struct edu *e, uint64_t off)
{
	switch (off) {
	case REG_ID:
		return EDU_ID;
	case REG_LIVENESS:
		return ~e->liveness;
	case REG_FACTORIAL:
		return e->factorial;
	case REG_STATUS:
		return e->status;
	case REG_IRQ_STATUS:
		return e->irq_status;
	default:
		return ~0u;
	}
}

static uint64_t edu_bar_read(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, unsigned size)
{
	struct edu *e = to_edu(d);
	struct edu_queue *q = queue_at(e, off);
	uint64_t v = ~0ull;

	sim_lock(d);
	if (q && size >= 4)
		v = queue_read(q, off & 0xfff);
	else if (off < REG_SRC && size == 4)
		v = low_read(e, off);
	sim_unlock(d);
	return v;
}

/* true: step() has something to do */
static bool queue_write(struct edu_queue *q, uint64_t reg, uint64_t val)
{
	if (q->cmd & CMD_RUN)		/* a DMA that runs is left alone, as on QEMU's */
		return false;
	switch (reg) {
	case REG_SRC:
		q->src = val;
		break;
	case REG_DST:
		q->dst = val;
		break;
	case REG_COUNT:
		q->count = val;
		break;
	case REG_PASID:
		q->pasid = (uint32_t)val & (PASID_VALID | PASID_BITS);
		break;
	case REG_CMD:
		if (!(val & CMD_RUN))
			break;
		q->cmd = (uint32_t)val & (CMD_RUN | CMD_TO_MEMORY | CMD_IRQ);
		q->result = 0;
		q->denied = false;
		return true;
	}
	return false;
}

static bool raise_irq(struct edu *e, uint32_t bits)
{
	e->irq_status |= bits;
	e->irq_pending |= e->irq_status != 0;
	return e->irq_pending;
}

/* true: step() has something to do */
static bool low_write(struct edu *e, uint64_t off, uint32_t val)
{
	switch (off) {
	case REG_LIVENESS:
		e->liveness = val;
		return false;
	case REG_FACTORIAL:
		if (e->status & STATUS_COMPUTING)
			return false;
		e->factorial = val;
		e->status |= STATUS_COMPUTING;
		return true;
	case REG_STATUS:
		e->status = (e->status & ~STATUS_IRQ) | (val & STATUS_IRQ);
		return false;
	case REG_IRQ_RAISE:
		return raise_irq(e, val);
	case REG_IRQ_ACK:
		e->irq_status &= ~val;
		return false;
	default:
		return false;
	}
}

static void edu_bar_write(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, uint64_t val,
			  unsigned size)
{
	struct edu *e = to_edu(d);
	struct edu_queue *q = queue_at(e, off);
	bool work = false;

	sim_lock(d);
	if (q && size >= 4)
		work = queue_write(q, off & 0xfff, val);
	else if (off < REG_SRC && size == 4)
		work = low_write(e, off, (uint32_t)val);
	sim_unlock(d);
	if (work)
		sim_kick(d);
}

/* ---- work ---- */

static bool in_buffer(uint64_t at, uint64_t count, unsigned n)
{
	return at >= EDU_BUF(n) && count <= EDU_BUF_BYTES &&
	       at - EDU_BUF(n) <= EDU_BUF_BYTES - count;
}

/* The answer may come before the last request is out: waiting is set first. */
static bool ask_for_pages(struct edu *e, unsigned n, int32_t pasid, uint64_t iova, bool write)
{
	struct edu_queue *q = &e->q[n];
	const struct uiommu_sim_bus *bus = e->dev.bus;
	uint64_t page = iova & ~0xfffull, end = (iova + q->count - 1) | 0xfff;
	struct uiommu_sim_page_ask ask = { .pasid = pasid, .write = write, .prgi = (uint16_t)n };

	if (!uiommu_sim_pci_page_requests(&e->dev, (unsigned)((end - page + 1) >> 12)))
		return false;
	sim_lock(&e->dev);
	q->waiting = true;
	q->result = RESULT_WAITING;
	sim_unlock(&e->dev);
	for (; !ask.last; page += 0x1000) {
		ask.iova = page;
		ask.last = (page | 0xfff) == end;
		bus->page_request(bus->ctx, &ask);
	}
	return true;
}

/* One DMA; no lock is held. Its registers cannot change while CMD_RUN is set. */
static uint32_t queue_dma(struct edu *e, unsigned n)
{
	struct edu_queue *q = &e->q[n];
	bool write = q->cmd & CMD_TO_MEMORY;
	uint64_t inside = write ? q->src : q->dst, iova = write ? q->dst : q->src;
	int32_t pasid = q->pasid & PASID_VALID ? (int32_t)(q->pasid & PASID_BITS) : -1;
	int ret;

	if (!in_buffer(inside, q->count, n))
		return RESULT_DONE | RESULT_ABORTED | RESULT_REFUSED;
	if (q->denied)
		return RESULT_DONE | RESULT_ABORTED;
	if (!q->count)
		return RESULT_DONE;
	ret = uiommu_sim_pci_dma(&e->dev, pasid, iova, q->buf + (inside - EDU_BUF(n)), q->count,
				 write);
	if (ret == -UIOMMU_ENOENT && ask_for_pages(e, n, pasid, iova, write))
		return RESULT_WAITING;
	if (ret == -UIOMMU_EACCES)
		return RESULT_DONE | RESULT_ABORTED | RESULT_REFUSED;
	return RESULT_DONE | (ret ? RESULT_ABORTED : 0);
}

static void step_queue(struct edu *e, unsigned n)
{
	uint32_t result = queue_dma(e, n);
	struct edu_queue *q = &e->q[n];

	if (result == RESULT_WAITING)
		return;
	sim_lock(&e->dev);
	q->result = result;
	if (q->cmd & CMD_IRQ)
		raise_irq(e, IRQ_DMA(n));
	q->cmd &= ~CMD_RUN;
	sim_unlock(&e->dev);
}

static void step_factorial(struct edu *e)
{
	uint32_t f = 1;

	/* 34! and all larger ones are 0 modulo 2^32: no need to count to 2^32 */
	for (uint32_t n = e->factorial; n > 1 && f; n--)
		f *= n;
	sim_lock(&e->dev);
	e->factorial = f;
	e->status &= ~STATUS_COMPUTING;
	if (e->status & STATUS_IRQ)
		raise_irq(e, IRQ_FACTORIAL);
	sim_unlock(&e->dev);
}

enum edu_work { WORK_NONE, WORK_IRQ, WORK_FACTORIAL, WORK_DMA };

/* What is next: messages first, queues in turn. Called with the lock held. */
static enum edu_work next_work(const struct edu *e, unsigned *queue)
{
	if (e->irq_pending)
		return WORK_IRQ;
	for (unsigned i = 0; i < e->queues; i++) {
		*queue = (e->next + i) % e->queues;
		if (e->q[*queue].cmd & CMD_RUN && !e->q[*queue].waiting)
			return WORK_DMA;
	}
	return e->status & STATUS_COMPUTING ? WORK_FACTORIAL : WORK_NONE;
}

static bool edu_step(struct uiommu_sim_dev *d)
{
	struct edu *e = to_edu(d);
	unsigned queue = 0;
	enum edu_work work;
	bool more;

	sim_lock(d);
	work = next_work(e, &queue);
	if (work == WORK_IRQ)
		e->irq_pending = false;
	if (work == WORK_DMA)
		e->next = (queue + 1) % e->queues;
	sim_unlock(d);
	if (work == WORK_IRQ)
		uiommu_sim_msi(d, 0);
	else if (work == WORK_DMA)
		step_queue(e, queue);
	else if (work == WORK_FACTORIAL)
		step_factorial(e);
	sim_lock(d);
	more = d->flr || next_work(e, &queue) != WORK_NONE;
	sim_unlock(d);
	return more;
}

/* An answer that nobody waits for (any more) does nothing. */
static void edu_page_response(struct uiommu_sim_dev *d, unsigned prgi, bool ok)
{
	struct edu *e = to_edu(d);
	bool work = false;

	if (prgi >= e->queues)
		return;
	sim_lock(d);
	if (e->q[prgi].waiting) {
		e->q[prgi].waiting = false;
		e->q[prgi].denied = !ok;
		work = true;
	}
	sim_unlock(d);
	if (work)
		sim_kick(d);
}

/* ---- life ---- */

static void edu_reset(struct uiommu_sim_dev *d)
{
	struct edu *e = to_edu(d);

	sim_lock(d);
	e->next = 0;
	e->irq_pending = false;
	e->liveness = 0;
	e->factorial = 0;
	e->status = 0;
	e->irq_status = 0;
	memset(e->q, 0, sizeof(e->q));
	sim_unlock(d);
}

static void edu_destroy(struct uiommu_sim_dev *d)
{
	d->bus->free(d->bus->ctx, d, sizeof(struct edu));
}

static void add_ext_caps(struct edu *e, const struct uiommu_sim_edu_config *cfg)
{
	if (cfg->pasid_bits)
		uiommu_sim_pci_pasid(&e->dev, 0x100, cfg->pasid_bits);
	if (cfg->ats)
		uiommu_sim_pci_ats(&e->dev, cfg->pasid_bits ? 0x110 : 0x100);
	if (cfg->pri)
		uiommu_sim_pci_pri(&e->dev, 0x120, 2 * e->queues);
}

static const struct uiommu_sim_dev_ops edu_ops = {
	.name = "edu",
	.destroy = edu_destroy,
	.reset = edu_reset,
	.bar_read = edu_bar_read,
	.bar_write = edu_bar_write,
	.step = edu_step,
	.page_response = edu_page_response,
};

int uiommu_sim_edu_create(const struct uiommu_sim_bus *bus, const struct uiommu_sim_edu_config *cfg,
			  struct uiommu_sim_dev **out)
{
	static const struct uiommu_sim_bar bar0 = { .bytes = EDU_BAR_BYTES };
	struct edu *e;

	if (cfg->pasid_bits > 20 || cfg->queues > UIOMMU_SIM_EDU_MAX_QUEUES ||
	    (cfg->pri && !cfg->ats))
		return -UIOMMU_EINVAL;
	e = bus->alloc(bus->ctx, sizeof(*e));
	if (!e)
		return -UIOMMU_ENOMEM;
	e->plain = cfg->plain;
	e->queues = cfg->plain ? 1 : cfg->queues ? cfg->queues : 3;
	uiommu_sim_pci_init(&e->dev, bus, &edu_ops, UIOMMU_SIM_EDU_IDS, EDU_CLASS_REV);
	uiommu_sim_pci_bar(&e->dev, 0, &bar0);
	uiommu_sim_pci_msi(&e->dev, 0x40, 0);
	uiommu_sim_pci_pcie(&e->dev, 0x60);
	add_ext_caps(e, cfg);
	*out = &e->dev;
	return 0;
}
