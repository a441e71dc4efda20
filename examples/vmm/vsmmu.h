/* SPDX-License-Identifier: MIT */
/*
 * vsmmu.h - a virtual SMMUv3 (IHI 0070): registers and queues are software, stages 1
 * and 2 are the host's hardware
 *
 * What the guest writes goes three ways:
 *
 *	its stream table	read when it says CFGI_STE, or enables: a page table of
 *				the host's for each device, nested on the VM's memory
 *	its command queue	TLBI, CFGI_CD and ATC_INV as they stand, in batches, to
 *				IOMMU_HWPT_INVALIDATE; PRI_RESP to the fault queue
 *	everything else		it stays here
 *
 * and its event and page request queues are filled from the host's. CDs and page
 * tables of stage 1 are read by the host's hardware, not by us.
 *
 *	vsmmu.c		the register pages, interrupts, and when it acts
 *	vstrtab.c	the stream table
 *	vcmdq.c		the command queue
 *	voutq.c		events and page requests
 *	vcmdqv.c	queues that the guest has in its own hands
 *
 * Like hardware it does nothing while a register is written: it takes notice, and acts
 * in steps. A kind one makes all steps that there are before the CPU goes on; with a
 * temper (temper.h) they are made late, and one by one.
 */
#ifndef VMM_VSMMU_H
#define VMM_VSMMU_H

#include <pthread.h>

#include "src/smmuv3/fields.h"

#include "board.h"
#include "host.h"
#include "temper.h"

struct vm;
struct vdev;

#define VSMMU_REG_WORDS		128u	/* 0x000 to 0x1ff; of page 1 only what is named below */
#define VSMMU_SID_BITS		16u
#define VSMMU_INBOX		64u
#define VSMMU_GROUPS		64u

/* A page request group that the guest has been told of and has not answered. */
struct vsmmu_group {
	uint32_t sid, prgi, cookie;
	bool open;
};

/* What is on its way into one of the guest's queues: the longer record is 4 words. */
struct vsmmu_inbox {
	struct {
		uint64_t words[4];
		uint32_t cookie;	/* of a page request */
	} rec[VSMMU_INBOX];
	unsigned first, n;
	bool lost;			/* behind these: some never came */
};

/* How often the guest left its CPU for us, and why. */
struct vsmmu_exits {
	uint64_t reads, writes;		/* of registers */
	uint64_t queue;			/* writes of CMDQ_PROD among them */
	uint64_t commands, batches;	/* taken; calls of the kernel for them */
};

struct vsmmu {
	struct vm *vm;
	pthread_mutex_t lock;			/* all that follows */
	uint32_t reg[VSMMU_REG_WORDS];		/* by offset / 4 */
	struct vsmmu_inbox events, requests;
	struct vsmmu_group groups[VSMMU_GROUPS];
	unsigned irqs;				/* a bit for each that is due */
	unsigned batch_max;			/* commands for one call, 1 to VSMMU_BATCH */
	struct temper temper;
	struct vsmmu_exits exits;
};

#define VSMMU_BATCH	64u

/* After reset, with what the host's SMMU can. */
void vsmmu_init(struct vsmmu *v, struct vm *vm, const struct host_smmu *host);

/* The guest's accesses: exits, on any of its CPUs. */
extern const struct uiommu_mmio_ops vsmmu_mmio_ops;
/* An exit begins: takes the lock. A CPU of a VM that was killed does not come back. */
void vsmmu_enter(struct vsmmu *v);
/* A moment passes. */
void vsmmu_idle(struct vsmmu *v);
/* The same with the lock held: all there is to do, or with a temper perhaps a little of it. */
void vsmmu_act(struct vsmmu *v);
/* With the lock held: the guest has still to be told of something. */
bool vsmmu_has_news(const struct vsmmu *v);

/* From the host, on the VM's I/O thread: how many records may come, and one of them. */
unsigned vsmmu_room(struct vsmmu *v);
void vsmmu_event(struct vsmmu *v, const struct host_event *e);
void vsmmu_page_request(struct vsmmu *v, const struct host_page_request *r);
/* A device becomes the guest's, and has what its STE says. Returns where it is kept. */
struct vdev *vsmmu_device_come(struct vsmmu *v, const struct vdev *d);

/* ---- among its files, with the lock held ---- */

static inline uint32_t vsmmu_get(const struct vsmmu *v, unsigned off)
{
	return v->reg[off % 0x10000 / 4];
}

static inline void vsmmu_set(struct vsmmu *v, unsigned off, uint32_t value)
{
	v->reg[off % 0x10000 / 4] = value;
}

static inline uint64_t vsmmu_get64(const struct vsmmu *v, unsigned off)
{
	return vsmmu_get(v, off) | (uint64_t)vsmmu_get(v, off + 4) << 32;
}

/* an error of GERROR becomes active, if it is not */
void vsmmu_gerror(struct vsmmu *v, uint32_t bit);
bool vsmmu_gerror_active(const struct vsmmu *v, uint32_t bit);
/* There is a reason for one, if it is enabled; it comes in a step of its own. */
enum vsmmu_irq { VSMMU_IRQ_GERROR, VSMMU_IRQ_EVTQ, VSMMU_IRQ_PRIQ, VSMMU_IRQS };
void vsmmu_interrupt(struct vsmmu *v, enum vsmmu_irq irq);
/* @line, or a message */
bool vsmmu_message(struct vsmmu *v, uint64_t address, uint32_t data);

/* Each makes one step, if there is one to make. */
bool vsmmu_ack_step(struct vsmmu *v);
bool vsmmu_cmdq_step(struct vsmmu *v);
bool vsmmu_outq_step(struct vsmmu *v);
bool vsmmu_irq_step(struct vsmmu *v);

/* The STEs of @sid up to @last are read. */
void vsmmu_stes_changed(struct vsmmu *v, uint32_t sid, uint32_t last);
void vsmmu_all_stes_changed(struct vsmmu *v);

/* CMD_PRI_RESP: the group is not open any more. */
void vsmmu_page_response(struct vsmmu *v, uint32_t sid, uint32_t prgi, bool success);

#endif
