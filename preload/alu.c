/* SPDX-License-Identifier: MIT */
/*
 * preload/alu.c - arithmetic with its flags, done by the processor itself on a
 * copy of the operands
 *
 * Built without a red zone: the flags go over the stack.
 */
#include "preload/alu.h"

/* @insn on a (in and out) and b, with the flags before and after in f */
#define RUN(insn, type, constraint)						\
	do {									\
		type x = (type)a, y = (type)b;					\
										\
		__asm__ volatile("pushq %[f]\n\tpopfq\n\t" insn "\n\t"		\
				 "pushfq\n\tpopq %[f]"				\
				 : [x] "+q"(x), [f] "+r"(f)			\
				 : [y] constraint(y) : "cc");			\
		a = x;								\
	} while (0)

#define BINARY(name, insn)							\
static uint64_t name(unsigned size, uint64_t a, uint64_t b, uint64_t *flags)	\
{										\
	uint64_t f = *flags;							\
										\
	switch (size) {								\
	case 1: RUN(insn "b %[y], %[x]", uint8_t, "q"); break;			\
	case 2: RUN(insn "w %[y], %[x]", uint16_t, "q"); break;			\
	case 4: RUN(insn "l %[y], %[x]", uint32_t, "q"); break;			\
	default: RUN(insn "q %[y], %[x]", uint64_t, "q"); break;		\
	}									\
	*flags = f;								\
	return a;								\
}

#define UNARY(name, insn)							\
static uint64_t name(unsigned size, uint64_t a, uint64_t b, uint64_t *flags)	\
{										\
	uint64_t f = *flags;							\
										\
	switch (size) {								\
	case 1: RUN(insn "b %[x]", uint8_t, "q"); break;			\
	case 2: RUN(insn "w %[x]", uint16_t, "q"); break;			\
	case 4: RUN(insn "l %[x]", uint32_t, "q"); break;			\
	default: RUN(insn "q %[x]", uint64_t, "q"); break;			\
	}									\
	*flags = f;								\
	return a;								\
}

/* the count is in %cl, of whatever size the operand */
#define SHIFT(name, insn)							\
static uint64_t name(unsigned size, uint64_t a, uint64_t b, uint64_t *flags)	\
{										\
	uint64_t f = *flags;							\
										\
	switch (size) {								\
	case 1: RUN(insn "b %%cl, %[x]", uint8_t, "c"); break;			\
	case 2: RUN(insn "w %%cl, %[x]", uint16_t, "c"); break;			\
	case 4: RUN(insn "l %%cl, %[x]", uint32_t, "c"); break;			\
	default: RUN(insn "q %%cl, %[x]", uint64_t, "c"); break;		\
	}									\
	*flags = f;								\
	return a;								\
}

/* bit tests have no byte form */
#define BITOP(name, insn)							\
static uint64_t name(unsigned size, uint64_t a, uint64_t b, uint64_t *flags)	\
{										\
	uint64_t f = *flags;							\
										\
	switch (size) {								\
	case 2: RUN(insn "w %[y], %[x]", uint16_t, "r"); break;			\
	case 4: RUN(insn "l %[y], %[x]", uint32_t, "r"); break;			\
	default: RUN(insn "q %[y], %[x]", uint64_t, "r"); break;		\
	}									\
	*flags = f;								\
	return a;								\
}

BINARY(alu_add, "add")
BINARY(alu_or, "or")
BINARY(alu_adc, "adc")
BINARY(alu_sbb, "sbb")
BINARY(alu_and, "and")
BINARY(alu_sub, "sub")
BINARY(alu_xor, "xor")
BINARY(alu_cmp, "cmp")
BINARY(alu_test, "test")
UNARY(alu_inc, "inc")
UNARY(alu_dec, "dec")
UNARY(alu_neg, "neg")
UNARY(alu_not, "not")
SHIFT(alu_rol, "rol")
SHIFT(alu_ror, "ror")
SHIFT(alu_rcl, "rcl")
SHIFT(alu_rcr, "rcr")
SHIFT(alu_shl, "shl")
SHIFT(alu_shr, "shr")
SHIFT(alu_sar, "sar")
BITOP(alu_bt, "bt")
BITOP(alu_bts, "bts")
BITOP(alu_btr, "btr")
BITOP(alu_btc, "btc")
BITOP(alu_imul, "imul")

static uint64_t (*const ops[])(unsigned, uint64_t, uint64_t, uint64_t *) = {
	[PL_ADD] = alu_add, [PL_OR] = alu_or, [PL_ADC] = alu_adc, [PL_SBB] = alu_sbb,
	[PL_AND] = alu_and, [PL_SUB] = alu_sub, [PL_XOR] = alu_xor, [PL_CMP] = alu_cmp,
	[PL_TEST] = alu_test,
	[PL_INC] = alu_inc, [PL_DEC] = alu_dec, [PL_NEG] = alu_neg, [PL_NOT] = alu_not,
	[PL_ROL] = alu_rol, [PL_ROR] = alu_ror, [PL_RCL] = alu_rcl, [PL_RCR] = alu_rcr,
	[PL_SHL] = alu_shl, [PL_SHR] = alu_shr, [PL_SAR] = alu_sar,
	[PL_BT] = alu_bt, [PL_BTS] = alu_bts, [PL_BTR] = alu_btr, [PL_BTC] = alu_btc,
	[PL_IMUL] = alu_imul,
};

#define ARITHMETIC	0x8d5UL		/* CF PF AF ZF SF OF */

uint64_t pl_alu(enum pl_alu_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags)
{
	uint64_t f = (*flags & ARITHMETIC) | 0x202;
	uint64_t r = ops[op](size, a, b, &f);

	*flags = (*flags & ~ARITHMETIC) | (f & ARITHMETIC);
	return r;
}

bool pl_condition(unsigned cc, uint64_t flags)
{
	bool cf = flags & 1, pf = flags & 4, zf = flags & 0x40, sf = flags & 0x80;
	bool of = flags & 0x800;
	const bool true_if[] = { of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of };

	return true_if[cc >> 1] != (cc & 1);
}
