/* SPDX-License-Identifier: MIT */
/*
 * preload/emulate.h - one trapped instruction
 */
#ifndef UIOMMU_PRELOAD_EMULATE_H
#define UIOMMU_PRELOAD_EMULATE_H

#include "preload/preload.h"
#include "preload/alu.h"

#include <Zydis/Zydis.h>

struct pl_cpu {
	ucontext_t *uc;
	ZydisDecodedInstruction d;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	bool num[ZYDIS_MAX_OPERAND_COUNT];	/* a number of 1, 2, 4 or 8 bytes */
	const ZydisDecodedOperand *mem;		/* the first operand in memory */
	uintptr_t ea;				/* where it is */
	uint64_t seg;				/* base of a string source's segment */
	bool again;				/* not finished: come back for the rest */
	uintptr_t fault;			/* where the program's own fault is */
	struct pl_map map;			/* last BAR found */
};

/* the whole register that @r is part of; NULL: not a general one */
long long *pl_gpr(ucontext_t *uc, ZydisRegister r);

/**
 * pl_access() - @bytes at @addr, on a device or in the program's memory
 * Context: connection's lock held, every signal blocked.
 * Return: true, or false with c->fault where a load or store would fault.
 */
bool pl_access(struct pl_cpu *c, uintptr_t addr, void *data, size_t bytes, bool write);

/* isolate.c */
void pl_isolate_decoder(void);

/* ---- stub.c: an instruction without a row ---- */

void pl_stub_init(void);

/**
 * pl_stub_begin() - let the processor run the instruction on a copy
 *
 * Changes the context so that the thread goes on in a copy of the instruction,
 * whose base register points to scratch memory, followed by one that faults;
 * then pl_stub_end() finishes. Refused (UNKNOWN) where that is not the same.
 *
 * Context: as pl_access().
 */
enum pl_emu pl_stub_begin(struct pl_cpu *c);

enum pl_stub {
	PL_STUB_NOT,		/* the fault has nothing to do with us */
	PL_STUB_DONE,		/* the thread may go on */
	PL_STUB_FAULT,		/* the copy itself faulted: the context is the
				   program's again, and so is the fault */
};
enum pl_stub pl_stub_end(ucontext_t *uc);

#endif
