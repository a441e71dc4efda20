/* SPDX-License-Identifier: MIT */
/*
 * nvme.c - an NVMe drive, as little of it as reading and writing blocks needs
 *
 * One admin queue and one I/O queue pair, polled, one command at a time. Page 0 of
 * its memory is the admin submission queue, then admin completion, I/O submission,
 * I/O completion.
 */
#include "board.h"

#define REG_CC		(0x14 / 4)
#define REG_CSTS	(0x1c / 4)
#define REG_AQA		(0x24 / 4)
#define REG_ASQ		(0x28 / 4)
#define REG_ACQ		(0x30 / 4)
#define DOORBELL	(0x1000 / 4)	/* CAP.DSTRD is 0 on this drive */

#define ENTRIES		16u
#define PAGE		4096u
#define TIMEOUT_NS	1000000000ull

#define OP_CREATE_SQ	0x01
#define OP_CREATE_CQ	0x05
#define OP_WRITE	0x01
#define OP_READ		0x02

static void barrier(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}

static bool wait_csts(struct nvme *n, uint32_t want)
{
	uint64_t since = board_now_ns();

	while ((n->bar[REG_CSTS] & 1) != want)
		if (n->bar[REG_CSTS] & 2 || board_now_ns() - since > TIMEOUT_NS)
			return false;		/* CFS: it could not fetch, or gave up */
	return true;
}

/* A command with one or two pages of data; false: an error, or no answer. */
static bool command(struct nvme *n, struct nvme_queue *q, uint32_t op, uint64_t prp,
		    const uint32_t cdw[4])
{
	volatile uint32_t *e = q->sq + q->tail * 16;
	volatile uint32_t *c = q->cq + q->head * 4;
	uint64_t since = board_now_ns();

	for (unsigned i = 0; i < 16; i++)
		e[i] = 0;
	e[0] = op;
	e[1] = q->id ? 1 : 0;			/* namespace */
	e[6] = (uint32_t)prp;
	e[7] = (uint32_t)(prp >> 32);
	e[8] = (uint32_t)(prp + PAGE);
	e[9] = (uint32_t)((prp + PAGE) >> 32);
	for (unsigned i = 0; i < 4; i++)
		e[10 + i] = cdw[i];
	q->tail = (q->tail + 1) % ENTRIES;
	barrier();
	n->bar[DOORBELL + q->id * 2] = q->tail;
	while ((c[3] >> 16 & 1) != q->phase)
		if (n->bar[REG_CSTS] & 2 || board_now_ns() - since > TIMEOUT_NS)
			return false;
	barrier();
	q->head = (q->head + 1) % ENTRIES;
	if (!q->head)
		q->phase ^= 1;
	n->bar[DOORBELL + q->id * 2 + 1] = q->head;
	return !(c[3] >> 17);
}

static void queue(struct nvme_queue *q, unsigned id, volatile unsigned char *sq)
{
	*q = (struct nvme_queue){ .sq = (volatile uint32_t *)sq,
				  .cq = (volatile uint32_t *)(sq + PAGE),
				  .phase = 1, .id = id };
}

bool nvme_find(struct nvme *n)
{
	int rid = pci_find(0x1b36, 0x0010);

	if (rid < 0)
		return false;
	n->rid = (unsigned)rid;
	n->sid = pci_stream_id(n->rid);
	n->bar = pci_bar0(n->rid);
	return true;
}

bool nvme_init(struct nvme *n, volatile void *mem, uint64_t iova)
{
	volatile unsigned char *p = mem;
	const uint32_t size = (ENTRIES - 1) << 16 | 1;
	const uint32_t cq[4] = { size, 1 }, sq[4] = { size, 1u << 16 | 1 };

	nvme_stop(n);
	queue(&n->admin, 0, p);
	queue(&n->io, 1, p + 2 * PAGE);
	n->bar[REG_AQA] = (ENTRIES - 1) << 16 | (ENTRIES - 1);
	n->bar[REG_ASQ] = (uint32_t)iova;
	n->bar[REG_ASQ + 1] = (uint32_t)(iova >> 32);
	n->bar[REG_ACQ] = (uint32_t)(iova + PAGE);
	n->bar[REG_ACQ + 1] = (uint32_t)((iova + PAGE) >> 32);
	n->bar[REG_CC] = 4u << 20 | 6u << 16 | 1;	/* entries of 16 and 64 bytes; enable */
	return wait_csts(n, 1) &&
	       command(n, &n->admin, OP_CREATE_CQ, iova + 3 * PAGE, cq) &&
	       command(n, &n->admin, OP_CREATE_SQ, iova + 2 * PAGE, sq);
}

bool nvme_rw(struct nvme *n, bool write, uint64_t lba, unsigned blocks, uint64_t iova)
{
	const uint32_t cdw[4] = { (uint32_t)lba, (uint32_t)(lba >> 32), blocks - 1 };

	return command(n, &n->io, write ? OP_WRITE : OP_READ, iova, cdw);
}

void nvme_stop(struct nvme *n)
{
	n->bar[REG_CC] = 0;
	wait_csts(n, 0);
}
