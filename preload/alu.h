/* SPDX-License-Identifier: MIT */
/*
 * preload/alu.h - arithmetic with its flags
 */
#ifndef UIOMMU_PRELOAD_ALU_H
#define UIOMMU_PRELOAD_ALU_H

#include <stdbool.h>
#include <stdint.h>

enum pl_alu_op {
	PL_ADD, PL_OR, PL_ADC, PL_SBB, PL_AND, PL_SUB, PL_XOR, PL_CMP, PL_TEST,
	PL_INC, PL_DEC, PL_NEG, PL_NOT,
	PL_ROL, PL_ROR, PL_RCL, PL_RCR, PL_SHL, PL_SHR, PL_SAR,
	PL_BT, PL_BTS, PL_BTR, PL_BTC, PL_IMUL,
};

/**
 * pl_alu() - one operation on operands of 1, 2, 4 or 8 bytes
 * @a: first operand, also the destination
 * @flags: RFLAGS before; the arithmetic ones after
 * Context: any.
 * Return: the new value of the first operand, zero-extended.
 */
uint64_t pl_alu(enum pl_alu_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags);

/* condition code @cc (0..15, the low bits of Jcc) */
bool pl_condition(unsigned cc, uint64_t flags);

#endif
