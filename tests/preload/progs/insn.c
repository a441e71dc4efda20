/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/insn.c - every form of instruction, twice: on plain memory,
 * where the processor does it, and on a trapped BAR. Memory, registers, flags and
 * vectors must come out the same.
 *
 * A case is assembly whose operand is addressed with %rdi (the place under test)
 * and, where it needs one, %rsi (plain memory); the other registers hold fixed
 * patterns. %r12 and %r13 are the harness's.
 */
#include "tests/preload/progs/prog.h"

#include <cpuid.h>

#define PLACE	0x140	/* where %rdi points in the page; 64-byte aligned */

/* offsets are used by the assembly below */
struct regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, r9;	/* 0 */
	uint64_t flags;					/* 64 */
	uint64_t k1;					/* 72 */
	uint64_t pad[6];
	uint8_t v[4][64];				/* 128 */
};

enum { BASE, AVX = 1, AVX512 = 2, MOVDIR = 4, MOVBE_ = 8 };

/* void run(struct regs *, void (*)(void), int level): loads, calls, saves */
void run(struct regs *r, void (*fn)(void), int level);
__asm__(".text\n.globl run\nrun:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"mov %rdi, %r12\n mov %rsi, %r13\n mov %edx, %r14d\n"
	"test $2, %r14d\n jz 1f\n"
	"vmovdqu64 128(%r12), %zmm0\n vmovdqu64 192(%r12), %zmm1\n"
	"vmovdqu64 256(%r12), %zmm2\n vmovdqu64 320(%r12), %zmm3\n"
	"kmovq 72(%r12), %k1\n jmp 3f\n"
	"1: test $1, %r14d\n jz 2f\n"
	"vmovdqu 128(%r12), %ymm0\n vmovdqu 192(%r12), %ymm1\n"
	"vmovdqu 256(%r12), %ymm2\n vmovdqu 320(%r12), %ymm3\n jmp 3f\n"
	"2: movdqu 128(%r12), %xmm0\n movdqu 192(%r12), %xmm1\n"
	"movdqu 256(%r12), %xmm2\n movdqu 320(%r12), %xmm3\n"
	"3:\n"
	"mov 0(%r12), %rax\n mov 8(%r12), %rbx\n mov 16(%r12), %rcx\n mov 24(%r12), %rdx\n"
	"mov 32(%r12), %rsi\n mov 40(%r12), %rdi\n mov 48(%r12), %r8\n mov 56(%r12), %r9\n"
	"push 64(%r12)\n popfq\n"
	"call *%r13\n"
	"pushfq\n pop 64(%r12)\n cld\n"
	"mov %rax, 0(%r12)\n mov %rbx, 8(%r12)\n mov %rcx, 16(%r12)\n mov %rdx, 24(%r12)\n"
	"mov %rsi, 32(%r12)\n mov %rdi, 40(%r12)\n mov %r8, 48(%r12)\n mov %r9, 56(%r12)\n"
	"test $2, %r14d\n jz 1f\n"
	"vmovdqu64 %zmm0, 128(%r12)\n vmovdqu64 %zmm1, 192(%r12)\n"
	"vmovdqu64 %zmm2, 256(%r12)\n vmovdqu64 %zmm3, 320(%r12)\n"
	"kmovq %k1, 72(%r12)\n vzeroupper\n jmp 3f\n"
	"1: test $1, %r14d\n jz 2f\n"
	"vmovdqu %ymm0, 128(%r12)\n vmovdqu %ymm1, 192(%r12)\n"
	"vmovdqu %ymm2, 256(%r12)\n vmovdqu %ymm3, 320(%r12)\n vzeroupper\n jmp 3f\n"
	"2: movdqu %xmm0, 128(%r12)\n movdqu %xmm1, 192(%r12)\n"
	"movdqu %xmm2, 256(%r12)\n movdqu %xmm3, 320(%r12)\n"
	"3:\n"
	"pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

struct insn {
	const char *text;
	void (*fn)(void);
	uint64_t rcx;		/* for rep and shifts */
	int needs;
	uint64_t flags;		/* besides the pattern: DF */
	uint64_t undefined;	/* flags that the architecture leaves open */
};

#define AF	0x10
#define OF	0x800
#define SZP	0xc4
#define DF	0x400

#define CAT2(a, b) a##b
#define CAT(a, b) CAT2(a, b)

/* The table below is read twice: once for the code, once for the rows. */
#define I(text)				C(text, 5, BASE, 0, 0)
#define IU(text, undef)			C(text, 5, BASE, 0, undef)
#define IR(text, rcx)			C(text, rcx, BASE, 0, 0)
#define IN(text, needs)			C(text, 5, needs, 0, 0)

#define ALU(op)								\
	I(op "b %al, (%rdi)") I(op "w %ax, 2(%rdi)") I(op "l %eax, 4(%rdi)") I(op "q %rax, 8(%rdi)") \
	I(op "b (%rdi), %al") I(op "w (%rdi), %ax") I(op "l (%rdi), %eax") I(op "q (%rdi), %rax") \
	I(op "b $0x5a, (%rdi)") I(op "w $-2, (%rdi)") I(op "l $-3, (%rdi)")	\
	I(op "q $-4, (%rdi)") I(op "l $0x12345678, (%rdi)") I(op "q $-0x12345678, (%rdi)") \
	I(op "b %ah, 1(%rdi)") I(op "b 1(%rdi), %dh")
#define LOGIC(op)							\
	IU(op "b %al, (%rdi)", AF) IU(op "l %eax, (%rdi)", AF) IU(op "q $-4, (%rdi)", AF) \
	IU(op "w (%rdi), %ax", AF)
#define SHIFTS(op)							\
	IU(op "b %cl, (%rdi)", AF | OF) IU(op "w $3, (%rdi)", AF | OF)	\
	IU(op "l %cl, (%rdi)", AF | OF) IU(op "q $17, (%rdi)", AF | OF)	\
	IU(op "l (%rdi)", AF) IU(op "q (%rdi)", AF)
#define ONE(op)	I(op "b (%rdi)") I(op "w (%rdi)") I(op "l (%rdi)") I(op "q (%rdi)")
#define CC(c)	I("set" c " (%rdi)") I("cmov" c " (%rdi), %eax") I("cmov" c " (%rdi), %rbx")
#define VEC(op)	I(op " (%rdi), %xmm0") I(op " %xmm1, (%rdi)")
#define VVEC(op) IN(op " (%rdi), %xmm0", AVX) IN(op " %xmm1, (%rdi)", AVX)	\
	IN(op " (%rdi), %ymm0", AVX) IN(op " %ymm1, (%rdi)", AVX)
#define ZVEC(op) IN(op " (%rdi), %zmm0", AVX512) IN(op " %zmm1, (%rdi)", AVX512)	\
	IN(op " (%rdi), %zmm0{%k1}", AVX512) IN(op " (%rdi), %zmm0{%k1}{z}", AVX512) \
	IN(op " %zmm1, (%rdi){%k1}", AVX512) IN(op " %ymm1, (%rdi){%k1}", AVX512) \
	IN(op " (%rdi), %xmm2{%k1}", AVX512)				\
	IN("vmovdqa64 %zmm1, %zmm17; " op " %zmm17, (%rdi)", AVX512)	\
	IN(op " (%rdi), %zmm18; vmovdqa64 %zmm18, %zmm0", AVX512)

#define ALL								\
	I("movb %al, (%rdi)") I("movw %ax, (%rdi)") I("movl %eax, (%rdi)") I("movq %rax, (%rdi)") \
	I("movb (%rdi), %al") I("movw (%rdi), %ax") I("movl (%rdi), %eax") I("movq (%rdi), %rax") \
	I("movb %ah, (%rdi)") I("movb %bh, 3(%rdi)") I("movb (%rdi), %ch") I("movb %sil, (%rdi)") \
	I("movb $0x7f, (%rdi)") I("movw $0x1234, (%rdi)") I("movl $0x12345678, (%rdi)") \
	I("movq $-5, (%rdi)") I("movl %eax, -64(%rdi)") I("movl 60(%rdi), %r8d") \
	I("movl %eax, (%rdi,%rcx,4)") I("movl (%rdi,%rcx,8), %r9d")	\
	I("movl %eax, 1(%rdi)") I("movq %rax, 3(%rdi)") I("movq 5(%rdi), %rdx")	\
	I("movq (%rdi), %rdi") I("movl (%rdi), %edi")			\
	I("movzbl (%rdi), %eax") I("movzbw (%rdi), %ax") I("movzwl (%rdi), %ebx") \
	I("movzwq (%rdi), %r9") I("movsbl (%rdi), %eax") I("movsbq 7(%rdi), %rax") \
	I("movswl (%rdi), %ebx") I("movswq 6(%rdi), %rbx") I("movslq 4(%rdi), %rdx") \
	I("movsbw 7(%rdi), %ax")					\
	I("movnti %eax, (%rdi)") I("movnti %rax, 8(%rdi)")		\
	IN("movdiri %eax, (%rdi)", MOVDIR) IN("movdiri %rax, 8(%rdi)", MOVDIR) \
	IN("movdir64b (%rsi), %rdi", MOVDIR)				\
	IN("xchg %rsi, %rdi; movdir64b (%rsi), %rdi; xchg %rsi, %rdi", MOVDIR) \
	IN("movbe %eax, (%rdi)", MOVBE_) IN("movbe (%rdi), %rax", MOVBE_) \
	IN("movbe %ax, (%rdi)", MOVBE_) IN("movbe (%rdi), %bx", MOVBE_)	\
	ALU("add") ALU("adc") ALU("sub") ALU("sbb") ALU("cmp")		\
	LOGIC("and") LOGIC("or") LOGIC("xor")				\
	IU("testb %al, (%rdi)", AF) IU("testl $0x100, (%rdi)", AF) IU("testq %rax, (%rdi)", AF)	\
	I("lock addl %eax, (%rdi)") I("lock incq (%rdi)") IU("lock orb $1, (%rdi)", AF)	\
	ONE("inc") ONE("dec") ONE("neg") ONE("not")			\
	SHIFTS("shl") SHIFTS("shr") SHIFTS("sar") SHIFTS("rol") SHIFTS("ror") SHIFTS("rcl") SHIFTS("rcr") \
	IU("shlb $9, (%rdi)", AF | OF | 1) C("shll %cl, (%rdi)", 0, BASE, 0, 0)	\
	IU("btl $3, (%rdi)", AF | OF | SZP) IU("btsl $35, (%rdi)", AF | OF | SZP)	\
	IU("btrq $63, (%rdi)", AF | OF | SZP) IU("btcw $4, (%rdi)", AF | OF | SZP)	\
	C("btsl %ecx, (%rdi)", 77, BASE, 0, AF | OF | SZP)		\
	C("btrq %rcx, (%rdi)", -70, BASE, 0, AF | OF | SZP)		\
	IU("imull (%rdi), %eax", AF | SZP) IU("imulq $7, (%rdi), %rbx", AF | SZP)	\
	IU("imulw $-300, (%rdi), %ax", AF | SZP)			\
	I("xchgb %al, (%rdi)") I("xchgl %eax, (%rdi)") I("xchgq %rax, (%rdi)")	\
	I("lock xaddl %eax, (%rdi)") I("lock xaddq %rdx, (%rdi)") I("xaddb %ah, (%rdi)") \
	I("lock cmpxchgl %ebx, (%rdi)") I("mov (%rsi), %rax; lock cmpxchgq %rbx, (%rdi)") \
	I("mov $0x40, %al; cmpxchgb %bl, (%rdi)")			\
	CC("o") CC("no") CC("b") CC("ae") CC("e") CC("ne") CC("be") CC("a") CC("s") CC("ns") CC("p") \
	CC("np") CC("l") CC("ge") CC("le") CC("g")			\
	I("clflush (%rdi)") I("prefetcht0 (%rdi)")			\
	I("stosb") I("stosw") I("stosl") I("stosq")			\
	IR("rep stosb", 13) IR("rep stosl", 5) IR("rep stosq", 3) IR("rep stosq", 0) \
	I("movsb") I("movsw") I("movsl") I("movsq")			\
	IR("rep movsb", 21) IR("rep movsq", 4) IR("rep movsb", 0)	\
	IR("xchg %rsi, %rdi; rep movsb; xchg %rsi, %rdi", 19)		\
	IR("xchg %rsi, %rdi; rep movsl; xchg %rsi, %rdi", 6)		\
	C("rep movsb", 9, BASE, DF, 0) C("rep stosw", 4, BASE, DF, 0)	\
	I("xchg %rsi, %rdi; lodsb; xchg %rsi, %rdi")			\
	I("xchg %rsi, %rdi; lodsl; xchg %rsi, %rdi")			\
	IR("xchg %rsi, %rdi; rep lodsq; xchg %rsi, %rdi", 3)		\
	I("scasb") I("scasq") IR("repne scasb", 30) IR("mov $0x40, %al; repe scasb", 30) \
	I("cmpsb") IR("repe cmpsb", 40) IR("repne cmpsl", 9)		\
	VEC("movups") VEC("movaps") VEC("movupd") VEC("movapd") VEC("movdqu") VEC("movdqa") \
	I("movntps %xmm1, (%rdi)") I("movntpd %xmm1, (%rdi)") I("movntdq %xmm1, (%rdi)") \
	I("movntdqa (%rdi), %xmm0") I("lddqu (%rdi), %xmm0") I("movups %xmm1, 7(%rdi)") \
	VEC("movd") VEC("movq") VEC("movss") VEC("movsd")		\
	VEC("movlps") VEC("movhps") VEC("movlpd") VEC("movhpd")		\
	VVEC("vmovups") VVEC("vmovaps") VVEC("vmovupd") VVEC("vmovdqu") VVEC("vmovdqa") \
	IN("vmovntdq %ymm1, (%rdi)", AVX) IN("vmovntps %xmm1, (%rdi)", AVX)	\
	IN("vmovd (%rdi), %xmm0", AVX) IN("vmovq %xmm1, (%rdi)", AVX)	\
	IN("vmovss (%rdi), %xmm0", AVX) IN("vmovsd %xmm1, (%rdi)", AVX)	\
	IN("vmovups %ymm1, 9(%rdi)", AVX)				\
	ZVEC("vmovdqu8") ZVEC("vmovdqu16") ZVEC("vmovdqu32") ZVEC("vmovdqu64") ZVEC("vmovups") \
	IN("vmovntdq %zmm1, (%rdi)", AVX512) IN("vmovdqa64 64(%rdi), %zmm3", AVX512)	\
	/* no rows of their own: run on a copy */			\
	I("paddd (%rdi), %xmm0") I("pshufb (%rdi), %xmm1") I("ucomisd (%rdi), %xmm0") \
	I("pcmpeqb (%rdi), %xmm0; pmovmskb %xmm0, %eax") I("cvtsi2sdl (%rdi), %xmm0") \
	IN("vpaddd (%rdi), %ymm1, %ymm0", AVX) IN("vptest (%rdi), %ymm0", AVX)	\
	IN("vpbroadcastd (%rdi), %xmm0", AVX) IN("vpcmpeqb (%rdi), %zmm0, %k1", AVX512)	\
	IN("vpaddq (%rdi), %zmm1, %zmm0", AVX512) IN("vextracti128 $1, %ymm1, (%rdi)", AVX) \
	IU("mull (%rdi)", AF | SZP) IU("imulq (%rdi)", AF | SZP)	\
	I("pushq (%rdi); pop %rbx") I("push %rbx; popq (%rdi)")		\
	IU("shldl $5, %eax, (%rdi)", AF | OF) IU("shrdq %cl, %rbx, (%rdi)", AF | OF)	\
	I("fildl (%rdi); fistpl 8(%rdi)") I("popcntq (%rdi), %rbx")	\
	I("mov (%rsi), %rax; mov 8(%rsi), %rdx; lock cmpxchg16b (%rdi)")	\
	I("lock cmpxchg8b (%rdi)") I("crc32l (%rdi), %ebx")		\
	I("add (%rdi), %rdi; sub %rdi, %rdi") I("pinsrw $1, (%rdi), %xmm0") I("pextrw $3, %xmm1, (%rdi)")

/* the code: functions in one section, each behind the address of its row */
#define C(text, ...) CODE(text)
#define CODE(text)							\
	"	.pushsection .data.rel.ro, \"aw\"\n	.quad 9f\n	.popsection\n"	\
	"9:	" text "\n	ret\n"
__asm__(".pushsection .data.rel.ro, \"aw\"\n.balign 8\n.globl fns\nfns:\n.popsection\n"
	".text\n"
	".macro dummy\n.endm\n"
	ALL);
#undef C
extern void (*const fns[])(void);

#define C(text, ...) { text, NULL, __VA_ARGS__ },
static struct insn insns[] = { ALL };

static int level;	/* what the processor has */

static void look_at_cpu(void)
{
	uint32_t a, b, c = 0, d;

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		level |= AVX;
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
		level |= AVX512;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 27 & 1) && (c >> 28 & 1))
		level |= MOVDIR;
	if (__get_cpuid(1, &a, &b, &c, &d) && (c >> 22 & 1))
		level |= MOVBE_;
}

static void fill(struct regs *r, const struct insn *in, uint8_t *place, uint8_t *other,
		 uint64_t flags)
{
	memset(r, 0, sizeof(*r));
	r->rax = 0x8877665544332211;
	r->rbx = 0x0123456789abcdef;
	r->rcx = in->rcx;
	r->rdx = 0xfedcba9876543210;
	r->rdi = (uintptr_t)place;
	r->rsi = (uintptr_t)other;
	r->r8 = 0xa5a5a5a5a5a5a5a5;
	r->r9 = 0x1111222233334444;
	r->flags = flags | in->flags | 0x202;
	r->k1 = 0x5aa5f00f1357aceb;
	for (unsigned i = 0; i < sizeof(r->v); i++)
		((uint8_t *)r->v)[i] = (uint8_t)(i * 37 + 11);
}

static void pattern(uint8_t *page)
{
	for (unsigned i = 0; i < 4096; i++)
		page[i] = (uint8_t)(i * 73 + (i >> 8) + 64);
}

static uint8_t plain[4096] __attribute__((aligned(4096)));
static uint8_t second[4096] __attribute__((aligned(4096)));
static uint8_t device[4096];

/* addresses of the page under test become offsets in it */
static void relative(struct regs *r, const uint8_t *page)
{
	uint64_t *g = (uint64_t *)r;

	for (unsigned i = 0; i < 8; i++)
		if (g[i] - (uintptr_t)page < 4096)
			g[i] -= (uintptr_t)page;
}

static int differ(const struct insn *in, struct regs *want, struct regs *got)
{
	const uint64_t arith = 0x8d5 & ~in->undefined;
	uint64_t *w = (uint64_t *)want, *g = (uint64_t *)got;
	int bad = 0;

	want->flags &= arith;
	got->flags &= arith;
	for (unsigned i = 0; i < sizeof(*want) / 8; i++) {
		if (w[i] == g[i])
			continue;
		fprintf(stderr, "  word %u of the registers: %#lx, should be %#lx\n", i, g[i], w[i]);
		bad = 1;
	}
	return bad;
}

static int differ_page(const char *what, const uint8_t *want, const uint8_t *got)
{
	for (unsigned i = 0; i < 4096; i++) {
		if (want[i] == got[i])
			continue;
		fprintf(stderr, "  byte %#x of %s: %#x, should be %#x\n", i, what, got[i], want[i]);
		return 1;
	}
	return 0;
}

/* two pages in which a comparison finds some bytes equal and then one that is not */
static void fresh(uint8_t *page)
{
	pattern(page);
	pattern(second);
	second[PLACE + 24] ^= 1;
}

static int one(int fd, uint8_t *bar, const struct insn *in, uint64_t flags)
{
	static uint8_t want_second[4096];
	struct regs want, got;
	struct fake_log log;
	int bad;

	fresh(plain);
	fill(&want, in, plain + PLACE, second + PLACE, flags);
	run(&want, in->fn, level);
	relative(&want, plain);
	memcpy(want_second, second, sizeof(second));

	fresh(device);
	pwrite(fd, device, sizeof(device), 0);
	ioctl(fd, FAKE_LOG, &log);
	fill(&got, in, bar + PLACE, second + PLACE, flags);
	run(&got, in->fn, level);
	relative(&got, bar);
	ioctl(fd, FAKE_LOG, &log);
	pread(fd, device, sizeof(device), 0);

	bad = differ(in, &want, &got) | differ_page("the device", plain, device) |
	      differ_page("plain memory", want_second, second);
	if (log.loads + log.stores == 0 && in->rcx && !strstr(in->text, "clflush") &&
	    !strstr(in->text, "prefetch")) {
		fprintf(stderr, "  the device was not accessed\n");
		bad = 1;
	}
	if (bad)
		fprintf(stderr, "not the same: %s (flags %#lx)\n", in->text, flags);
	return bad;
}

/* exactly the accesses that the instruction names reach the device */
static void accesses(int fd, volatile uint8_t *bar)
{
	struct fake_log log;

	ioctl(fd, FAKE_LOG, &log);
	*(volatile uint16_t *)(bar + 8) = 1;
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.stores == 1 && log.last_store == 2 && log.loads == 0);
	__asm__ volatile("lock incl %0" : "+m"(*(volatile uint32_t *)(bar + 8)));
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.stores == 1 && log.loads == 1 && log.last_load == 4);
	__asm__ volatile("cmpl $1, %0" : : "m"(*(volatile uint32_t *)(bar + 8)) : "cc");
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.stores == 0 && log.loads == 1);
	__asm__ volatile("movups %%xmm0, %0" : "=m"(*(volatile uint64_t *)(bar + 64)));
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.stores == 1 && log.last_store == 16 && log.loads == 0);
	if (!(level & MOVDIR))
		return;
	__asm__ volatile("movdir64b (%0), %1" : : "r"(second), "r"(bar + 128) : "memory");
	ioctl(fd, FAKE_LOG, &log);
	CHECK(log.stores == 1 && log.last_store == 64 && log.loads == 0);
}

int main(int argc, char **argv)
{
	unsigned n = sizeof(insns) / sizeof(insns[0]), done = 0;
	int fd = open_device();
	uint8_t *bar = map_bar(fd);

	look_at_cpu();
	for (unsigned i = 0; i < n; i++) {
		insns[i].fn = fns[i];
		if ((insns[i].needs & level) != insns[i].needs ||
		    (argc > 1 && !strstr(insns[i].text, argv[1])))
			continue;
		failed += one(fd, bar, &insns[i], 0);
		failed += one(fd, bar, &insns[i], 0x8d5);
		done++;
	}
	accesses(fd, bar);
	printf("%u of %u forms, %d wrong\n", done, n, failed);
	return failed != 0;
}
