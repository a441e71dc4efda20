/* SPDX-License-Identifier: MIT */
/* board.c - console, exit, MMU, clock and interrupts of QEMU's virt machine */
#include <stdarg.h>

#include "board.h"

#define UART	0x09000000ull		/* PL011 */
#define GICD	0x08000000ull		/* GICv3 distributor */
#define GICR	0x080a0000ull		/* redistributor of CPU 0 */

static volatile uint32_t *reg(uint64_t pa)
{
	return (volatile uint32_t *)(uintptr_t)pa;
}

/* ---- console ---- */

static void put(char c)
{
	while (*reg(UART + 0x18) & 1 << 5)	/* UARTFR.TXFF */
		;
	*reg(UART) = (unsigned char)c;
}

static void put_number(uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(digits[--n]);
}

static void put_string(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			put('\r');
		put(*s);
	}
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			char one[2] = { *fmt, 0 };

			put_string(one);
			continue;
		}
		fmt++;
		if (*fmt == 's') {
			put_string(va_arg(ap, const char *));
		} else if (*fmt == 'u') {
			put_number(va_arg(ap, unsigned), 10);
		} else if (*fmt == 'x') {
			put_number(va_arg(ap, unsigned), 16);
		} else if (*fmt == 'l') {
			fmt += 2;
			put_number(va_arg(ap, unsigned long long), 16);
		} else {
			put(*fmt);
		}
	}
	va_end(ap);
}

/* ---- exit ---- */

void board_exit(int code)
{
	/* semihosting SYS_EXIT, ADP_Stopped_ApplicationExit */
	uint64_t block[2] = { 0x20026, (unsigned)code };
	register uint64_t op __asm__("x0") = 0x18;
	register uint64_t *arg __asm__("x1") = block;

	__asm__ volatile("hlt #0xf000" : : "r"(op), "r"(arg) : "memory");
	for (;;)
		;
}

void board_exception(uint64_t esr, uint64_t elr, uint64_t far)
{
	say("FAIL exception: ESR %llx ELR %llx FAR %llx\n", (unsigned long long)esr,
	    (unsigned long long)elr, (unsigned long long)far);
	board_exit(2);
}

/* ---- MMU ---- */

/*
 * Identity, in blocks of 1 GiB: devices, RAM, and the PCI configuration space at
 * 256 GiB. On, because atomics are only architected for normal memory, and because
 * a host that says its SMMU is coherent should have caches to be coherent with.
 */
static uint64_t l1[512] __attribute__((aligned(4096)));

#define BLOCK_DEVICE	(1ull << 54 | 1u << 10 | 1u << 2 | 1u)		/* XN, AF, Attr1 */
#define BLOCK_RAM	(1u << 10 | 3u << 8 | 0u << 2 | 1u)		/* AF, inner, Attr0 */

static void mmu_on(void)
{
	uint64_t tcr = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 23 | 2ull << 32;
	uint64_t sctlr;

	l1[0] = 0 | BLOCK_DEVICE;
	l1[1] = 1ull << 30 | BLOCK_RAM;
	l1[256] = 256ull << 30 | BLOCK_DEVICE;
	__asm__ volatile("dsb sy\n\tmsr mair_el1, %0\n\tmsr tcr_el1, %1\n\tmsr ttbr0_el1, %2\n\t"
			 "isb\n\ttlbi vmalle1\n\tic iallu\n\tdsb sy\n\tisb"
			 : : "r"(0x04ffull), "r"(tcr), "r"(l1) : "memory");
	__asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
	sctlr |= 1u << 0 | 1u << 2 | 1u << 12;		/* M, C, I */
	__asm__ volatile("msr sctlr_el1, %0\n\tisb" : : "r"(sctlr) : "memory");
}

/* ---- time ---- */

uint64_t board_now_ns(void)
{
	uint64_t count, hz;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tmrs %1, cntfrq_el0" : "=r"(count), "=r"(hz));
	return count / hz * 1000000000ull + count % hz * 1000000000ull / hz;
}

/* ---- interrupts: GICv3, shared ones only ---- */

#define MAX_HANDLERS 4

static struct { unsigned irq; void (*fn)(void *arg); void *arg; } handlers[MAX_HANDLERS];

static void gic_init(void)
{
	*reg(GICR + 0x14) &= ~2u;			/* GICR_WAKER.ProcessorSleep */
	while (*reg(GICR + 0x14) & 4u)			/* ChildrenAsleep */
		;
	*reg(GICD) = 1u << 4;				/* GICD_CTLR.ARE, */
	*reg(GICD) = 1u << 4 | 1u << 1;			/* then group 1 */
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
	volatile uint8_t *priority = (volatile uint8_t *)(uintptr_t)(GICD + 0x400);

	*reg(GICD + 0x80 + irq / 32 * 4) |= 1u << irq % 32;		/* IGROUPR: 1 */
	priority[irq] = 0x80;
	*reg(GICD + 0xc00 + irq / 16 * 4) |= 2u << irq % 16 * 2;	/* ICFGR: edge */
	*(volatile uint64_t *)(uintptr_t)(GICD + 0x6000 + irq * 8) = 0;	/* IROUTER: us */
	*reg(GICD + 0x100 + irq / 32 * 4) = 1u << irq % 32;		/* ISENABLER */
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
	*reg(GICD + 0x180 + irq / 32 * 4) = 1u << irq % 32;		/* ICENABLER */
	while (*reg(GICD) & 1u << 31)					/* RWP */
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

void board_init(void)
{
	*reg(UART + 0x30) = 1u << 0 | 1u << 8;		/* UARTCR: on, transmit */
	mmu_on();
	gic_init();
	irq_restore(false);
}
