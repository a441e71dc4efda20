/* SPDX-License-Identifier: MIT */
/* gic.c - GICv3: shared peripheral interrupts to the one CPU that there is */
#include "board.h"
#include "dt.h"

#define SPI		32		/* number of the first shared one */
#define MAX_HANDLERS	4

static volatile uint32_t *gicd(unsigned off)
{
	return (volatile uint32_t *)(uintptr_t)(board.gicd + off);
}

static volatile uint32_t *gicr(unsigned off)
{
	return (volatile uint32_t *)(uintptr_t)(board.gicr + off);
}

/* The binding: type (0: shared), number, flags. Others are not used here. */
unsigned gic_wire(const struct dt_node *node, unsigned index)
{
	return SPI + dt_cell(dt_prop(node, "interrupts"), index * 3 + 1);
}

static struct { unsigned irq; void (*fn)(void *arg); void *arg; } handlers[MAX_HANDLERS];

void gic_init(void)
{
	*gicr(0x14) &= ~2u;			/* GICR_WAKER.ProcessorSleep */
	while (*gicr(0x14) & 4u)			/* ChildrenAsleep */
		;
	*gicd(0) = 1u << 4;				/* GICD_CTLR.ARE, */
	*gicd(0) = 1u << 4 | 1u << 1;			/* then group 1 */
	__asm__ volatile("msr S3_0_C12_C12_5, %0\n\tisb\n\t"	/* ICC_SRE_EL1 */
			 "msr S3_0_C4_C6_0, %1\n\t"		/* ICC_PMR_EL1 */
			 "msr S3_0_C12_C12_7, %0\n\tisb"	/* ICC_IGRPEN1_EL1 */
			 : : "r"(1ull), "r"(0xffull));
}

bool irq_mask(void)
{
	uint64_t daif;

	__asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(daif) : : "memory");
	return daif & 1u << 7;
}

void irq_restore(bool masked)
{
	if (!masked)
		__asm__ volatile("msr daifclr, #2" : : : "memory");
}

static void gic_enable(unsigned irq)
{
	volatile uint8_t *priority = (volatile uint8_t *)(uintptr_t)(board.gicd + 0x400);

	*gicd(0x80 + irq / 32 * 4) |= 1u << irq % 32;		/* IGROUPR: 1 */
	priority[irq] = 0x80;
	*gicd(0xc00 + irq / 16 * 4) |= 2u << irq % 16 * 2;	/* ICFGR: edge */
	*(volatile uint64_t *)(uintptr_t)(board.gicd + 0x6000 + irq * 8) = 0;	/* IROUTER: us */
	*gicd(0x100 + irq / 32 * 4) = 1u << irq % 32;		/* ISENABLER */
}

int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	for (unsigned i = 0; i < MAX_HANDLERS; i++) {
		if (handlers[i].fn)
			continue;
		handlers[i].irq = irq;
		handlers[i].fn = fn;
		handlers[i].arg = arg;
		gic_enable(irq);
		return 0;
	}
	return -UIOMMU_ENOSPC;
}

/* One CPU: whoever calls this is not in a handler, so none is under way. */
void irq_release(void *ctx, unsigned irq)
{
	*gicd(0x180 + irq / 32 * 4) = 1u << irq % 32;		/* ICENABLER */
	while (*gicd(0) & 1u << 31)					/* RWP */
		;
	for (unsigned i = 0; i < MAX_HANDLERS; i++)
		if (handlers[i].fn && handlers[i].irq == irq)
			handlers[i].fn = NULL;
}

void board_irq(void)
{
	uint64_t irq;

	__asm__ volatile("mrs %0, S3_0_C12_C12_0\n\tdsb sy" : "=r"(irq));	/* ICC_IAR1_EL1 */
	for (unsigned i = 0; i < MAX_HANDLERS; i++)
		if (handlers[i].fn && handlers[i].irq == irq)
			handlers[i].fn(handlers[i].arg);
	if (irq < 1020)
		__asm__ volatile("msr S3_0_C12_C12_1, %0\n\tisb" : : "r"(irq));	/* ICC_EOIR1 */
}
