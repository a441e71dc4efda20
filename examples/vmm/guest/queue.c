/* SPDX-License-Identifier: MIT */
/*
 * queue.c - a second command queue of the guest's own (TEGRA241_CMDQV), by hand
 *
 * The driver uses the first. This one is given a command that no guest may give: it stops,
 * alone, and the guest is told by an interrupt.
 */
#include "examples/vmm/say.h"
#include "src/smmuv3/fields.h"
#include "work.h"

#define LVCMDQ		1u
#define LG2		4u
#define PAGE0		(CMDQV_AT_VINTF_PAGE0 + LVCMDQ * CMDQV_STRIDE_VCMDQ)
#define PAGE1		(PAGE0 + CMDQV_STRIDE_PAGE)

struct queue {
	const struct uiommu_mmio *regs;
	struct kernel *k;
	uint64_t *ring;
	uint32_t prod;
};

static uint32_t get(const struct queue *q, uint64_t off)
{
	return q->regs->ops->read32(q->regs->ctx, off);
}

static void set(const struct queue *q, uint64_t off, uint32_t v)
{
	q->regs->ops->write32(q->regs->ctx, off, v);
}

/* Until the bits of @mask in a register are @want; false: not for five seconds. */
static bool becomes(const struct queue *q, uint64_t off, uint32_t mask, uint32_t want)
{
	uint64_t since = q->k->host.now_ns(q->k);

	while ((get(q, off) & mask) != want) {
		if (q->k->host.now_ns(q->k) - since > 5000000000ull)
			return false;
		kernel_pause(q->k);
	}
	return true;
}

static bool queue_open(struct queue *q)
{
	q->ring = heap_alloc(q->k, 16u << LG2);
	set(q, CMDQV_CMDQ_ALLOC + 4 * LVCMDQ,
	    (uint32_t)(FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED) | FPREP(CMDQV_CMDQ_ALLOC_LVCMDQ, LVCMDQ)));
	q->regs->ops->write64(q->regs->ctx, PAGE1 + VCMDQ_BASE, kernel_pa(q->k, q->ring) | LG2);
	set(q, PAGE0 + VCMDQ_CONFIG, (uint32_t)FMASK(VCMDQ_CONFIG_EN));
	return becomes(q, PAGE0 + VCMDQ_STATUS, (uint32_t)FMASK(VCMDQ_STATUS_ENABLED), 1);
}

static void queue_close(struct queue *q)
{
	set(q, PAGE0 + VCMDQ_CONFIG, 0);
	becomes(q, PAGE0 + VCMDQ_STATUS, (uint32_t)FMASK(VCMDQ_STATUS_ENABLED), 0);
	set(q, CMDQV_CMDQ_ALLOC + 4 * LVCMDQ, 0);
	heap_free(q->k, q->ring, 16u << LG2);
}

static void put(struct queue *q, uint64_t opcode)
{
	__atomic_store_n(&q->ring[2 * q->prod], FPREP(CMD_Opcode, opcode), __ATOMIC_RELEASE);
	set(q, PAGE0 + VCMDQ_PROD, ++q->prod);
}

static bool took_all(const struct queue *q)
{
	return becomes(q, PAGE0 + VCMDQ_CONS, (uint32_t)FMASK(VCMDQ_CONS_RD), q->prod);
}

/* It stands at the command, and says why. */
static bool stopped(const struct queue *q)
{
	uint32_t error = (uint32_t)FMASK(VCMDQ_GERROR_CMDQ_ERR), cons;
	bool active = becomes(q, PAGE0 + VCMDQ_GERROR, error,
			      ~get(q, PAGE0 + VCMDQ_GERRORN) & error);

	cons = get(q, PAGE0 + VCMDQ_CONS);
	return active && FGET(VCMDQ_CONS_ERR, cons) == CERROR_ILL &&
	       FGET(VCMDQ_CONS_RD, cons) == q->prod - 1;
}

/* What was wrong is replaced before the error is acknowledged. */
static void repair(struct queue *q)
{
	__atomic_store_n(&q->ring[2 * (q->prod - 1)], FPREP(CMD_Opcode, CMD_SYNC),
			 __ATOMIC_RELEASE);
	set(q, PAGE0 + VCMDQ_GERRORN, get(q, PAGE0 + VCMDQ_GERROR));
}

void work_bad_command(struct kernel *k, void *arg)
{
	struct queue q = { .regs = &k->board->cmdqv, .k = k };
	unsigned told = kernel_interrupts(k, BOARD_IRQ_CMDQV);

	check(queue_open(&q), "%s: a second queue is on", k->board->name);
	put(&q, CMD_SYNC);
	check(took_all(&q), "it takes a CMD_SYNC");
	put(&q, CMD_CFGI_STE);
	check(stopped(&q), "a CFGI_STE, which is not for guests, stops it");
	while (kernel_interrupts(k, BOARD_IRQ_CMDQV) == told)
		kernel_pause(k);
	check(get(&q, CMDQV_AT_VINTF + VINTF_LVCMDQ_ERR_MAP_64) == 1u << LVCMDQ,
	      "an interrupt comes: it is that one alone");
	work_kernel(k, NULL);
	repair(&q);
	check(took_all(&q), "it is put right, and goes on");
	queue_close(&q);
}
