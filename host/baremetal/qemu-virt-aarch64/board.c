/* SPDX-License-Identifier: MIT */
/* board.c - QEMU's virt machine by its devicetree: console, exit, MMU, clock */
#include <stdarg.h>

#include "board.h"
#include "dt.h"

struct board board;

static volatile uint32_t *reg(uint64_t pa)
{
	return (volatile uint32_t *)(uintptr_t)pa;
}

/* ---- console ---- */

static void put(char c)
{
	while (*reg(board.uart + 0x18) & 1 << 5)	/* UARTFR.TXFF */
		;
	*reg(board.uart) = (unsigned char)c;
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
 * Identity, in blocks of 1 GiB: devices below RAM, RAM, and the PCI configuration
 * space. On, because atomics are only architected for normal memory, and because
 * a host that says its SMMU is coherent should have caches to be coherent with.
 */
static uint64_t l1[512] __attribute__((aligned(4096)));

#define BLOCK_DEVICE	(1ull << 54 | 1u << 10 | 1u << 2 | 1u)		/* XN, AF, Attr1 */
#define BLOCK_RAM	(1u << 10 | 3u << 8 | 0u << 2 | 1u)		/* AF, inner, Attr0 */

static void map_range(uint64_t pa, uint64_t bytes, uint64_t attr)
{
	for (uint64_t g = pa >> 30; g <= (pa + bytes - 1) >> 30 && g < 512; g++)
		l1[g] = g << 30 | attr;
}

static void mmu_on(void)
{
	uint64_t tcr = 25 | 1u << 8 | 1u << 10 | 3u << 12 | 1u << 23 | 2ull << 32;
	uint64_t sctlr;

	l1[0] = 0 | BLOCK_DEVICE;
	map_range(board.ecam, board.ecam_bytes, BLOCK_DEVICE);
	map_range(board.ram, board.ram_bytes, BLOCK_RAM);
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

/* ---- the devicetree ---- */

static void missing(const char *what)
{
	say("FAIL the devicetree has no %s\n", what);
	board_exit(2);
}

static void need(const char *compatible, struct dt_node *out)
{
	if (!dt_compatible(compatible, out))
		missing(compatible);
}

static void read_console(void)
{
	struct dt_node n;
	uint64_t bytes;

	/* without a console there is nobody to tell */
	if (!dt_compatible("arm,pl011", &n) || !dt_reg(&n, 0, &board.uart, &bytes))
		board_exit(2);
	*reg(board.uart + 0x30) = 1u << 0 | 1u << 8;	/* UARTCR: on, transmit */
}

static void read_memory(void)
{
	struct dt_node n;

	if (!dt_typed("memory", &n) || !dt_reg(&n, 0, &board.ram, &board.ram_bytes))
		missing("memory");
}

static void read_gic(void)
{
	struct dt_node n;
	uint64_t bytes;

	need("arm,gic-v3", &n);
	if (!dt_reg(&n, 0, &board.gicd, &bytes) || !dt_reg(&n, 1, &board.gicr, &bytes))
		missing("distributor and redistributor");
}

static unsigned wire(const struct dt_node *n, const char *name)
{
	int i = dt_string_index(dt_prop(n, "interrupt-names"), name);

	if (i < 0)
		i = dt_string_index(dt_prop(n, "interrupt-names"), "combined");
	if (i < 0)
		missing(name);
	return gic_wire(n, (unsigned)i);
}

static uint32_t read_smmu(void)
{
	struct dt_node n;

	need("arm,smmu-v3", &n);
	board.smmu = (struct uiommu_smmuv3_config){
		.name = "smmuv3",
		.coherent = dt_prop(&n, "dma-coherent").data,
		.has_irqs = true,
		.irq_evtq = wire(&n, "eventq"),
		.irq_gerror = wire(&n, "gerror"),
	};
	if (!dt_reg(&n, 0, &board.smmu.mmio_pa, &board.smmu.mmio_bytes))
		missing("registers of the SMMU");
	return dt_cell(dt_prop(&n, "phandle"), 0);
}

#define PCI_SPACE(cell)	((cell) >> 24 & 3)
#define PCI_SPACE_MEM32	2

/* Rows of 3 cells in PCI's terms, 2 in ours, 2 of size. */
static void read_window(const struct dt_node *n)
{
	struct dt_prop p = dt_prop(n, "ranges");

	for (unsigned i = 0; i * 4 < p.bytes; i += 7) {
		if (PCI_SPACE(dt_cell(p, i)) != PCI_SPACE_MEM32)
			continue;
		board.pci_mmio = dt_number(p, i + 3, 2);
		board.pci_mmio_end = board.pci_mmio + dt_number(p, i + 5, 2);
		return;
	}
	missing("window for BARs");
}

static void read_pci(uint32_t smmu)
{
	struct dt_node n;
	struct dt_prop map;

	need("pci-host-ecam-generic", &n);
	dt_reg(&n, 0, &board.ecam, &board.ecam_bytes);
	read_window(&n);
	map = dt_prop(&n, "iommu-map");
	if (!map.data || dt_cell(map, 1) != smmu)
		missing("iommu-map to the SMMU");
	board.map_rid = dt_cell(map, 0);
	board.map_sid = dt_cell(map, 2);
	board.map_len = dt_cell(map, 3);
}

static void read_devicetree(const void *blob)
{
	struct dt_node n;

	if (!dt_open(blob))
		board_exit(2);
	read_console();
	read_memory();
	read_gic();
	read_pci(read_smmu());
	board.args = "";
	if (dt_path("chosen", &n) && dt_prop(&n, "bootargs").data)
		board.args = (const char *)dt_prop(&n, "bootargs").data;
}

/* ---- arguments ---- */

bool arg_word(const char *word)
{
	const char *a = board.args;

	while (*word && *word == *a) {
		word++;
		a++;
	}
	return !*word && (!*a || *a == ' ');
}

static const char *begins(const char *s, const char *with)
{
	while (*with && *s == *with) {
		s++;
		with++;
	}
	return *with ? NULL : s;
}

static uint64_t number(const char *s)
{
	unsigned base = s[0] == '0' && s[1] == 'x' ? 16 : 10;
	uint64_t v = 0;

	for (s += base == 16 ? 2 : 0;; s++) {
		unsigned d = *s >= 'a' ? (unsigned)*s - 'a' + 10 : (unsigned)*s - '0';

		if (d >= base)
			return v;
		v = v * base + d;
	}
}

uint64_t arg_number(const char *name, uint64_t otherwise)
{
	for (const char *a = board.args; *a; a++) {
		const char *v = a == board.args || a[-1] == ' ' ? begins(a, name) : NULL;

		if (v && *v == '=')
			return number(v + 1);
	}
	return otherwise;
}

extern const char ram_start[];		/* link.ld */

void board_init(void)
{
	read_devicetree(ram_start);
	mmu_on();
	gic_init();
	irq_restore(false);
	pci_init();
}
