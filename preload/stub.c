/* SPDX-License-Identifier: MIT */
/*
 * preload/stub.c - an instruction that emulate.c has no row for is run by the
 * processor itself, on a copy of its operand
 *
 * The thread goes on in a copy of the instruction whose base register has been
 * moved so that its operand is scratch memory that holds what the device said.
 * A HLT follows, which faults; then the operand goes back to the device if it was
 * written. All other registers and flags are the thread's own, so any instruction
 * works, with every vector width.
 *
 * Refused where that is not the same: an operand without a base register, or a
 * base that the instruction also uses otherwise; control transfers; stores under a
 * mask that the table does not know.
 */
#include "preload/emulate.h"

#include <sys/mman.h>

#define SLOTS		64
#define HLT		0xf4
#define MAX_OPERAND	64

/* an instruction of at most 15 bytes, and a HLT behind it */
struct code {
	uint8_t bytes[16];
};

struct slot {
	uint8_t scratch[2 * MAX_OPERAND] __attribute__((aligned(MAX_OPERAND)));
	_Atomic int owner;		/* pid; a forked child inherits none */
	uint8_t *operand;		/* in scratch, aligned as on the device */
	uintptr_t rip, ea;
	uint64_t delta;			/* what the base register was moved by */
	pl_sigset mask;
	uint16_t base;			/* ZydisRegister */
	uint8_t bytes, length;
	bool writes, base_written;
};

static struct slot slots[SLOTS];
static struct code *code;	/* executable and writable; NULL: it may not be */

void pl_stub_init(void)
{
	long p = pl_sys(SYS_mmap, 0, PL_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p > 0 || p < -4095)
		code = (struct code *)p;
}

static struct slot *take_slot(void)
{
	int pid = (int)pl_sys(SYS_getpid);

	for (unsigned i = 0; i < SLOTS; i++) {
		int owner = slots[i].owner;

		if (owner != pid && __atomic_compare_exchange_n((int *)&slots[i].owner, &owner, pid,
								false, __ATOMIC_ACQUIRE,
								__ATOMIC_RELAXED))
			return &slots[i];
	}
	return NULL;
}

static void free_slot(struct slot *s)
{
	__atomic_store_n((int *)&s->owner, 0, __ATOMIC_RELEASE);
}

static bool transfers_control(const struct pl_cpu *c)
{
	switch (c->d.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
		return true;
	default:
		return false;
	}
}

/* Is @base, which is to be moved, used for anything but this one address? */
static bool base_used_otherwise(const struct pl_cpu *c, ZydisRegister base, bool *written)
{
	*written = false;
	for (unsigned i = 0; i < c->d.operand_count; i++) {
		const ZydisDecodedOperand *op = &c->op[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			if (op != c->mem && op->mem.base != ZYDIS_REGISTER_RSP)
				return true;
			continue;
		}
		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     op->reg.value) != base)
			continue;
		if (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ || op->size < 32)
			return true;
		*written = true;
	}
	return false;
}

static bool suits(const struct pl_cpu *c, bool *base_written)
{
	const ZydisDecodedOperandMem *m = &c->mem->mem;

	if (!code || transfers_control(c) || c->d.address_width != 64)
		return false;
	if (m->type != ZYDIS_MEMOP_TYPE_MEM ||
	    c->mem->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
		return false;
	if (ZydisRegisterGetClass(m->base) != ZYDIS_REGCLASS_GPR64 ||
	    m->base == ZYDIS_REGISTER_RSP || m->index == m->base)
		return false;
	/* what is written only perhaps must have been read, to be written back */
	if ((c->mem->actions & ZYDIS_OPERAND_ACTION_CONDWRITE) &&
	    !(c->mem->actions & ZYDIS_OPERAND_ACTION_READ))
		return false;
	if (!c->mem->size || c->mem->size / 8 > MAX_OPERAND || c->d.length > 15)
		return false;
	return !base_used_otherwise(c, m->base, base_written);
}

static void redirect(struct pl_cpu *c, struct slot *s)
{
	long long *g = c->uc->uc_mcontext.gregs;
	uint8_t *to = (uint8_t *)&code[s - slots];

	memcpy(to, (const void *)s->rip, s->length);
	to[s->length] = HLT;
	s->delta = (uint64_t)s->operand - s->ea;
	*pl_gpr(c->uc, c->mem->mem.base) += (long long)s->delta;
	g[REG_RIP] = (long long)(uintptr_t)to;
	memcpy(&s->mask, &c->uc->uc_sigmask, sizeof(s->mask));
	memset(&c->uc->uc_sigmask, 0xff, sizeof(s->mask));
	sigdelset(&c->uc->uc_sigmask, SIGSEGV);
}

enum pl_emu pl_stub_begin(struct pl_cpu *c)
{
	bool reads = c->mem->actions & ZYDIS_OPERAND_ACTION_MASK_READ, base_written;
	struct slot *s;

	if (!suits(c, &base_written))
		return PL_EMU_UNKNOWN;
	s = take_slot();
	if (!s)
		return PL_EMU_UNKNOWN;
	s->rip = (uintptr_t)c->uc->uc_mcontext.gregs[REG_RIP];
	s->ea = c->ea;
	s->bytes = (uint8_t)(c->mem->size / 8);
	s->length = c->d.length;
	s->writes = c->mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	s->base = (uint16_t)c->mem->mem.base;
	s->base_written = base_written;
	s->operand = s->scratch + (c->ea & (MAX_OPERAND - 1));
	if (reads && !pl_access(c, c->ea, s->operand, s->bytes, false)) {
		free_slot(s);
		return PL_EMU_FAULT;
	}
	redirect(c, s);
	return PL_EMU_DONE;
}

/* the thread's own context again, with the instruction done or not */
static void give_back(ucontext_t *uc, struct slot *s, bool done)
{
	if (!(done && s->base_written))
		*pl_gpr(uc, (ZydisRegister)s->base) -= (long long)s->delta;
	uc->uc_mcontext.gregs[REG_RIP] = (long long)(s->rip + (done ? s->length : 0));
	memcpy(&uc->uc_sigmask, &s->mask, sizeof(s->mask));
}

enum pl_stub pl_stub_end(ucontext_t *uc)
{
	uintptr_t rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], at = rip - (uintptr_t)code;
	struct pl_cpu c;
	struct slot *s;
	bool done, ok = true;

	if (!code || at >= SLOTS * sizeof(*code))
		return PL_STUB_NOT;
	s = &slots[at / sizeof(*code)];
	done = at % sizeof(*code) == s->length;
	give_back(uc, s, done);
	if (done && s->writes) {
		memset(&c.map, 0, sizeof(c.map));
		pl_conn_lock();
		ok = pl_access(&c, s->ea, s->operand, s->bytes, true);
		pl_conn_unlock();
	}
	free_slot(s);
	return done && ok ? PL_STUB_DONE : PL_STUB_FAULT;
}
