/* SPDX-License-Identifier: MIT */
/*
 * preload/emulate.c - does on the device what an instruction asked of memory
 *
 * The instruction is decoded (Zydis) and looked up in a table of kinds; the kind
 * says what is loaded, computed and stored. Each access to a BAR becomes requests
 * of naturally aligned pieces. The connection's lock is held over a whole
 * instruction, so a locked one is atomic among this process's threads. Memory
 * that is not a BAR (the other side of a string move) is touched through a system
 * call that fails where a load would fault.
 *
 * An instruction that has no row is run for real on a copy of the operand:
 * stub.c.
 */
#include "preload/emulate.h"

#include <asm/prctl.h>
#include <sys/mman.h>

#define STRING_BURST	1024	/* elements of a rep in one go; then signals have their turn */

static ZydisDecoder the_decoder;	/* written once, before anything traps */

void pl_emulate_init(void)
{
	ZydisDecoderInit(&the_decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	pl_isolate_decoder();
	pl_vec_init();
	pl_stub_init();
}

/* ---- registers ---- */

static const uint8_t slot_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static bool is_high_byte(ZydisRegister r)
{
	return r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
}

long long *pl_gpr(ucontext_t *uc, ZydisRegister r)
{
	ZydisRegister full;

	if (is_high_byte(r))
		return &uc->uc_mcontext.gregs[slot_of[r - ZYDIS_REGISTER_AH]];
	full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
	if (ZydisRegisterGetClass(full) != ZYDIS_REGCLASS_GPR64)
		return NULL;
	return &uc->uc_mcontext.gregs[slot_of[ZydisRegisterGetId(full)]];
}

static uint64_t cut(uint64_t v, unsigned size)
{
	return size >= 8 ? v : v & ((1ULL << (8 * size)) - 1);
}

static bool reg_get(struct pl_cpu *c, ZydisRegister r, unsigned size, uint64_t *v)
{
	long long *g = pl_gpr(c->uc, r);

	if (!g)
		return false;
	*v = cut((uint64_t)*g >> (is_high_byte(r) ? 8 : 0), size);
	return true;
}

/* 32-bit results clear the upper half, smaller ones leave the rest */
static bool reg_set(struct pl_cpu *c, ZydisRegister r, unsigned size, uint64_t v)
{
	unsigned shift = is_high_byte(r) ? 8 : 0;
	long long *g = pl_gpr(c->uc, r);
	uint64_t keep;

	if (!g)
		return false;
	keep = size >= 4 ? 0 : ~(cut(~0ULL, size) << shift);
	*g = (long long)(((uint64_t)*g & keep) | (cut(v, size) << shift));
	return true;
}

static uint64_t segment_base(ZydisRegister seg)
{
	uint64_t base = 0;

	if (seg == ZYDIS_REGISTER_FS)
		pl_sys(SYS_arch_prctl, ARCH_GET_FS, &base);
	else if (seg == ZYDIS_REGISTER_GS)
		pl_sys(SYS_arch_prctl, ARCH_GET_GS, &base);
	return base;
}

static uintptr_t address_of(struct pl_cpu *c, const ZydisDecodedOperand *op)
{
	const ZydisDecodedOperandMem *m = &op->mem;
	uint64_t base = 0, index = 0, a;

	if (m->base == ZYDIS_REGISTER_RIP)
		base = (uint64_t)c->uc->uc_mcontext.gregs[REG_RIP] + c->d.length;
	else if (m->base != ZYDIS_REGISTER_NONE)
		reg_get(c, m->base, 8, &base);
	if (m->index != ZYDIS_REGISTER_NONE)
		reg_get(c, m->index, 8, &index);
	a = base + index * m->scale + (uint64_t)(m->disp.has_displacement ? m->disp.value : 0);
	return (c->d.address_width == 32 ? (uint32_t)a : a) + segment_base(m->segment);
}

/* ---- memory ---- */

static uint64_t load_piece(const struct pl_map *m, uint64_t off, unsigned size, uint64_t *wide)
{
	struct uiommu_req req = {
		.op = UIOMMU_REQ_LOAD, .obj = m->obj.id, .a = { m->region, off, size },
	};
	struct uiommu_rep rep;

	/* a device that is gone reads as ones, as on a bus */
	if (pl_call_locked(&req, m->obj.server, &rep, NULL) < 0)
		memset(rep.r, 0xff, sizeof(rep.r));
	memcpy(wide, rep.r, size > 8 ? size : 8);
	return wide[0];
}

static void store_piece(const struct pl_map *m, uint64_t off, unsigned size, const void *data)
{
	struct uiommu_req req = {
		.op = UIOMMU_REQ_STORE, .obj = m->obj.id, .a = { m->region, off, size },
	};
	struct uiommu_rep rep;

	memcpy(size > 8 ? (void *)req.path : (void *)&req.a[3], data, size);
	pl_call_locked(&req, m->obj.server, &rep, NULL);
}

/* the largest aligned piece that one request carries */
static unsigned piece_size(uint64_t off, size_t left, bool write)
{
	unsigned size = write ? 64 : 32;

	while (size > left || (off & (size - 1)))
		size >>= 1;
	return size;
}

static void bar_access(const struct pl_map *m, uintptr_t addr, uint8_t *buf, size_t n, bool write)
{
	uint64_t off = m->off + (addr - m->start), wide[4];
	unsigned size;

	for (; n; n -= size, off += size, buf += size) {
		size = piece_size(off, n, write);
		if (write) {
			store_piece(m, off, size, buf);
		} else {
			load_piece(m, off, size, wide);
			memcpy(buf, wide, size);
		}
	}
}

static bool own_memory(struct pl_cpu *c, uintptr_t addr, void *buf, size_t n, bool write)
{
	struct iovec here = { buf, n }, there = { (void *)addr, n };
	long r = pl_sys(write ? SYS_process_vm_writev : SYS_process_vm_readv,
			pl_sys(SYS_getpid), &here, 1, &there, 1, 0);

	if (r == (long)n)
		return true;
	c->fault = r > 0 ? addr + (uintptr_t)r : addr;
	return false;
}

/* one page at a time, because a BAR may begin or end at any */
bool pl_access(struct pl_cpu *c, uintptr_t addr, void *data, size_t bytes, bool write)
{
	uint8_t *buf = data;
	size_t n;

	for (; bytes; bytes -= n, addr += n, buf += n) {
		n = PL_PAGE - (addr & (PL_PAGE - 1));
		if (n > bytes)
			n = bytes;
		if (!(addr >= c->map.start && addr < c->map.end) && !pl_map_find(addr, &c->map)) {
			memset(&c->map, 0, sizeof(c->map));
			if (!own_memory(c, addr, buf, n, write))
				return false;
			continue;
		}
		if (write ? !(c->map.prot & PROT_WRITE) :
			    !(c->map.prot & (PROT_READ | PROT_WRITE | PROT_EXEC))) {
			c->fault = addr;
			return false;
		}
		bar_access(&c->map, addr, buf, n, write);
	}
	return true;
}

/* ---- operands as numbers ---- */

/* UNKNOWN means that nothing has been done yet, so it may only come before the
 * first access; @i's size must be one of 1, 2, 4, 8. */
static enum pl_emu get(struct pl_cpu *c, unsigned i, uint64_t *v)
{
	const ZydisDecodedOperand *op = &c->op[i];
	unsigned size = op->size / 8;

	*v = 0;
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return pl_access(c, c->ea, v, size, false) ? PL_EMU_DONE : PL_EMU_FAULT;
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		*v = op->imm.value.u;
	else if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || !reg_get(c, op->reg.value, size, v))
		return PL_EMU_UNKNOWN;
	return PL_EMU_DONE;
}

static enum pl_emu put(struct pl_cpu *c, unsigned i, uint64_t v)
{
	const ZydisDecodedOperand *op = &c->op[i];
	unsigned size = op->size / 8;

	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return pl_access(c, c->ea, &v, size, true) ? PL_EMU_DONE : PL_EMU_FAULT;
	return reg_set(c, op->reg.value, size, v) ? PL_EMU_DONE : PL_EMU_UNKNOWN;
}

static unsigned size_of(const struct pl_cpu *c, unsigned i)
{
	return c->op[i].size / 8;
}

static uint64_t *flags_of(struct pl_cpu *c)
{
	return (uint64_t *)&c->uc->uc_mcontext.gregs[REG_EFL];
}

#define TRY(call)					\
	do {						\
		enum pl_emu try_ = (call);		\
							\
		if (try_ != PL_EMU_DONE)		\
			return try_;			\
	} while (0)

/* ---- the kinds ---- */

static enum pl_emu do_mov(struct pl_cpu *c, unsigned arg)
{
	uint64_t v;

	if (!c->num[0] || !c->num[1])
		return PL_EMU_UNKNOWN;
	TRY(get(c, 1, &v));
	return put(c, 0, v);
}

static enum pl_emu do_movsx(struct pl_cpu *c, unsigned arg)
{
	unsigned shift = 64 - c->op[1].size;
	uint64_t v;

	TRY(get(c, 1, &v));
	return put(c, 0, (uint64_t)((int64_t)(v << shift) >> shift));
}

static enum pl_emu do_movbe(struct pl_cpu *c, unsigned arg)
{
	uint64_t v;

	TRY(get(c, 1, &v));
	return put(c, 0, __builtin_bswap64(v) >> (64 - c->op[0].size));
}

/* first operand = first op second; compares do not write it */
static enum pl_emu do_alu(struct pl_cpu *c, unsigned op)
{
	uint64_t a, b, f = *flags_of(c);

	TRY(get(c, 1, &b));
	TRY(get(c, 0, &a));
	a = pl_alu((enum pl_alu_op)op, size_of(c, 0), a, b, &f);
	if (op != PL_CMP && op != PL_TEST && op != PL_BT)
		TRY(put(c, 0, a));
	*flags_of(c) = f;
	return PL_EMU_DONE;
}

static enum pl_emu do_unary(struct pl_cpu *c, unsigned op)
{
	uint64_t a, f = *flags_of(c);

	TRY(get(c, 0, &a));
	TRY(put(c, 0, pl_alu((enum pl_alu_op)op, size_of(c, 0), a, 0, &f)));
	*flags_of(c) = f;
	return PL_EMU_DONE;
}

/* A register's bit number reaches beyond the operand. */
static enum pl_emu do_bit(struct pl_cpu *c, unsigned op)
{
	int64_t bit, bits = c->op[0].size;
	uint64_t v;

	if (c->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
	    c->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
		TRY(get(c, 1, &v));
		bit = (int64_t)(v << (64 - bits)) >> (64 - bits);
		c->ea += (uintptr_t)((bit & -bits) / 8);
	}
	return do_alu(c, op);
}

/* imul r, m and imul r, m, imm */
static enum pl_emu do_imul(struct pl_cpu *c, unsigned arg)
{
	bool three = c->d.operand_count_visible == 3;
	uint64_t a, b, f = *flags_of(c);

	if (c->d.operand_count_visible < 2)
		return PL_EMU_UNKNOWN;
	TRY(get(c, 1, &a));
	TRY(get(c, three ? 2 : 0, &b));
	TRY(put(c, 0, pl_alu(PL_IMUL, size_of(c, 0), a, b, &f)));
	*flags_of(c) = f;
	return PL_EMU_DONE;
}

static enum pl_emu do_xchg(struct pl_cpu *c, unsigned arg)
{
	unsigned mem = c->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? 0 : 1;
	uint64_t a, b;

	TRY(get(c, mem, &a));
	TRY(get(c, !mem, &b));
	TRY(put(c, mem, b));
	return put(c, !mem, a);
}

static enum pl_emu do_xadd(struct pl_cpu *c, unsigned arg)
{
	uint64_t a, b, f = *flags_of(c);

	TRY(get(c, 0, &a));
	TRY(get(c, 1, &b));
	TRY(put(c, 0, pl_alu(PL_ADD, size_of(c, 0), a, b, &f)));
	*flags_of(c) = f;
	return put(c, 1, a);
}

/* The destination is written in either case, as the processor does. */
static enum pl_emu do_cmpxchg(struct pl_cpu *c, unsigned arg)
{
	uint64_t dest, src, acc, f = *flags_of(c);
	unsigned size = size_of(c, 0);

	TRY(get(c, 0, &dest));
	TRY(get(c, 1, &src));
	reg_get(c, ZYDIS_REGISTER_RAX, size, &acc);
	pl_alu(PL_CMP, size, acc, dest, &f);
	TRY(put(c, 0, acc == dest ? src : dest));
	if (acc != dest)
		reg_set(c, ZYDIS_REGISTER_RAX, size, dest);
	*flags_of(c) = f;
	return PL_EMU_DONE;
}

static enum pl_emu do_setcc(struct pl_cpu *c, unsigned cc)
{
	return put(c, 0, pl_condition(cc, *flags_of(c)));
}

/* loads in either case; a 32-bit register's upper half is cleared in either */
static enum pl_emu do_cmov(struct pl_cpu *c, unsigned cc)
{
	uint64_t v, old;

	TRY(get(c, 1, &v));
	TRY(get(c, 0, &old));
	return put(c, 0, pl_condition(cc, *flags_of(c)) ? v : old);
}

static enum pl_emu do_nothing(struct pl_cpu *c, unsigned arg)
{
	return PL_EMU_DONE;
}

/* 64 bytes from memory to the address in a register */
static enum pl_emu do_movdir64b(struct pl_cpu *c, unsigned arg)
{
	uint8_t line[64];
	uint64_t to;

	if (!reg_get(c, c->op[0].reg.value, c->d.address_width / 8, &to))
		return PL_EMU_UNKNOWN;
	if (!pl_access(c, c->ea, line, sizeof(line), false) ||
	    !pl_access(c, to, line, sizeof(line), true))
		return PL_EMU_FAULT;
	return PL_EMU_DONE;
}

/* ---- strings ---- */

enum { STR_MOVS, STR_STOS, STR_LODS, STR_CMPS, STR_SCAS };

static bool compares(unsigned what)
{
	return what == STR_CMPS || what == STR_SCAS;
}

/* one element; *flags after a comparison */
static bool string_step(struct pl_cpu *c, unsigned what, unsigned size, uint64_t src, uint64_t dst,
			uint64_t *f)
{
	uint64_t a = 0, b = 0;

	if (what == STR_STOS || what == STR_SCAS)
		reg_get(c, ZYDIS_REGISTER_RAX, size, &a);
	else if (!pl_access(c, src, &a, size, false))
		return false;
	if (what == STR_LODS)
		return reg_set(c, ZYDIS_REGISTER_RAX, size, a);
	if (!compares(what))
		return pl_access(c, dst, &a, size, true);
	if (!pl_access(c, dst, &b, size, false))
		return false;
	pl_alu(PL_CMP, size, a, b, f);
	return true;
}

/* does a repeated comparison end after an element with these flags */
static bool ends(const struct pl_cpu *c, unsigned what, uint64_t f)
{
	bool zf = f & 0x40;

	if (!compares(what))
		return false;
	if (c->d.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		return zf;
	return c->d.attributes & (ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REP) ? !zf : false;
}

/* The registers are right after each element, so a fault or the end of a burst
 * leaves the instruction to be gone on with. */
static enum pl_emu do_string(struct pl_cpu *c, unsigned what)
{
	unsigned size = c->mem->size / 8;
	bool rep = c->d.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				      ZYDIS_ATTRIB_HAS_REPNE);
	long long *g = c->uc->uc_mcontext.gregs;
	long long step = g[REG_EFL] & 0x400 ? -(long long)size : (long long)size;
	uint64_t f = *flags_of(c);

	if (c->d.address_width != 64)
		return PL_EMU_UNKNOWN;
	for (unsigned n = 0; !rep || g[REG_RCX]; n++) {
		if (n == STRING_BURST) {
			c->again = true;
			break;
		}
		if (!string_step(c, what, size, (uint64_t)g[REG_RSI] + c->seg,
				 (uint64_t)g[REG_RDI], &f))
			return PL_EMU_FAULT;
		g[REG_RSI] += what == STR_STOS || what == STR_SCAS ? 0 : step;
		g[REG_RDI] += what == STR_LODS ? 0 : step;
		*flags_of(c) = f;
		g[REG_RCX] -= rep;
		if (!rep || ends(c, what, f))
			break;
	}
	return PL_EMU_DONE;
}

/* ---- vectors ---- */

static bool is_vector(const ZydisDecodedOperand *op)
{
	ZydisRegisterClass k;

	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	k = ZydisRegisterGetClass(op->reg.value);
	return k == ZYDIS_REGCLASS_XMM || k == ZYDIS_REGCLASS_YMM || k == ZYDIS_REGCLASS_ZMM;
}

static const ZydisDecodedOperand *vector_of(const struct pl_cpu *c)
{
	for (unsigned i = 0; i < c->d.operand_count_visible; i++)
		if (is_vector(&c->op[i]))
			return &c->op[i];
	return NULL;
}

/* registers beyond the written part are cleared by VEX and EVEX forms */
static bool clears_rest(const struct pl_cpu *c)
{
	return c->d.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

static uint64_t mask_of(const struct pl_cpu *c, bool *masked)
{
	*masked = c->d.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX &&
		  c->d.avx.mask.reg > ZYDIS_REGISTER_K0 && c->d.avx.mask.reg <= ZYDIS_REGISTER_K7;
	if (!*masked)
		return ~0ULL;
	return pl_vec_mask(c->uc, (unsigned)ZydisRegisterGetId(c->d.avx.mask.reg));
}

/* element by element where a mask leaves some out */
static bool masked_access(struct pl_cpu *c, uint8_t *buf, unsigned bytes, unsigned elem,
			  uint64_t mask, bool write)
{
	for (unsigned i = 0; i * elem < bytes; i++)
		if (mask >> i & 1 && !pl_access(c, c->ea + i * elem, buf + i * elem, elem, write))
			return false;
	return true;
}

static void clear_unmasked(uint8_t *buf, unsigned bytes, unsigned elem, uint64_t mask)
{
	for (unsigned i = 0; i * elem < bytes; i++)
		if (!(mask >> i & 1))
			memset(buf + i * elem, 0, elem);
}

/* whole registers; @elem is the size a mask's bits stand for */
static enum pl_emu do_vmov(struct pl_cpu *c, unsigned elem)
{
	const ZydisDecodedOperand *v = vector_of(c);
	bool store = c->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY, masked, ok;
	unsigned bytes = c->mem->size / 8, reg;
	uint64_t mask = mask_of(c, &masked);
	uint8_t buf[64];

	if (!v || bytes > sizeof(buf) || bytes < 16)
		return PL_EMU_UNKNOWN;
	reg = (unsigned)ZydisRegisterGetId(v->reg.value);
	if (!pl_vec_get(c->uc, reg, buf))
		return PL_EMU_UNKNOWN;
	if (!store && masked && c->d.avx.mask.mode == ZYDIS_MASK_MODE_ZEROING)
		clear_unmasked(buf, bytes, elem, mask);
	ok = masked ? masked_access(c, buf, bytes, elem, mask, store) :
		      pl_access(c, c->ea, buf, bytes, store);
	if (!ok)
		return PL_EMU_FAULT;
	if (!store)
		pl_vec_set(c->uc, reg, buf, bytes, clears_rest(c));
	return PL_EMU_DONE;
}

/* the low 4 or 8 bytes: movd, movq, movss, movsd. A load clears the rest. */
static enum pl_emu do_vlow(struct pl_cpu *c, unsigned arg)
{
	const ZydisDecodedOperand *v = vector_of(c);
	bool store = c->op[0].type == ZYDIS_OPERAND_TYPE_MEMORY, masked;
	unsigned bytes = c->mem->size / 8, reg;
	uint8_t buf[64] = { 0 };

	mask_of(c, &masked);
	if (!v || masked || bytes > 8)
		return PL_EMU_UNKNOWN;
	reg = (unsigned)ZydisRegisterGetId(v->reg.value);
	if (store && !pl_vec_get(c->uc, reg, buf))
		return PL_EMU_UNKNOWN;
	if (!pl_access(c, c->ea, buf, bytes, store))
		return PL_EMU_FAULT;
	if (!store)
		pl_vec_set(c->uc, reg, buf, 16, clears_rest(c));
	return PL_EMU_DONE;
}

/* movsd names a string move and a vector move */
static enum pl_emu do_movsd(struct pl_cpu *c, unsigned arg)
{
	return c->d.meta.category == ZYDIS_CATEGORY_STRINGOP ? do_string(c, STR_MOVS) :
							       do_vlow(c, arg);
}

static enum pl_emu do_cmpsd(struct pl_cpu *c, unsigned arg)
{
	return c->d.meta.category == ZYDIS_CATEGORY_STRINGOP ? do_string(c, STR_CMPS) :
							       PL_EMU_UNKNOWN;
}

/* ---- the table ---- */

enum kind {
	NONE, MOV, MOVSX, MOVBE, ALU, UNARY, BIT, IMUL, XCHG, XADD, CMPXCHG, SETCC, CMOV, NOTHING,
	MOVDIR64B, STRING, VMOV, VLOW, MOVSD, CMPSD,
};

static enum pl_emu (*const doers[])(struct pl_cpu *, unsigned) = {
	[MOV] = do_mov, [MOVSX] = do_movsx, [MOVBE] = do_movbe, [ALU] = do_alu,
	[UNARY] = do_unary, [BIT] = do_bit, [IMUL] = do_imul, [XCHG] = do_xchg,
	[XADD] = do_xadd, [CMPXCHG] = do_cmpxchg, [SETCC] = do_setcc, [CMOV] = do_cmov,
	[NOTHING] = do_nothing, [MOVDIR64B] = do_movdir64b, [STRING] = do_string,
	[VMOV] = do_vmov, [VLOW] = do_vlow, [MOVSD] = do_movsd, [CMPSD] = do_cmpsd,
};

static const struct {
	uint8_t kind, arg;
} table[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define ROW(mnemonic, kind, arg) [ZYDIS_MNEMONIC_##mnemonic] = { kind, arg },
#include "preload/insn.def"
#undef ROW
};

/* ---- entry ---- */

static bool decode_at(struct pl_cpu *c, const void *at, size_t n)
{
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&the_decoder, at, n, &c->d, c->op));
}

/* The processor has fetched all of it; but only what is needed is read, because
 * the next page may not be there. */
static bool decode(struct pl_cpu *c)
{
	uintptr_t rip = (uintptr_t)c->uc->uc_mcontext.gregs[REG_RIP];
	size_t here = PL_PAGE - (rip & (PL_PAGE - 1));
	uint8_t far[15];

	if (here >= sizeof(far))
		return decode_at(c, (void *)rip, sizeof(far));
	return decode_at(c, (void *)rip, here) ||
	       (own_memory(c, rip, far, sizeof(far), false) && decode_at(c, far, sizeof(far)));
}

/* Which operands are plain numbers, and which is the memory. */
static void look_at_operands(struct pl_cpu *c)
{
	for (unsigned i = 0; i < c->d.operand_count; i++) {
		const ZydisDecodedOperand *op = &c->op[i];

		c->num[i] = op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ||
			    (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			     pl_gpr(c->uc, op->reg.value));
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (op->mem.base == ZYDIS_REGISTER_RSI)
			c->seg = segment_base(op->mem.segment);
		if (c->mem)
			continue;
		c->mem = op;
		c->num[i] = op->size == 8 || op->size == 16 || op->size == 32 || op->size == 64;
		c->ea = address_of(c, op);
	}
}

static enum pl_emu run(struct pl_cpu *c)
{
	unsigned kind = table[c->d.mnemonic].kind;
	enum pl_emu r = PL_EMU_UNKNOWN;

	if (!c->mem)
		return PL_EMU_UNKNOWN;
	pl_conn_lock();
	if (kind)
		r = doers[kind](c, table[c->d.mnemonic].arg);
	if (r == PL_EMU_UNKNOWN)
		r = pl_stub_begin(c);
	else if (r == PL_EMU_DONE && !c->again)
		c->uc->uc_mcontext.gregs[REG_RIP] += c->d.length;
	pl_conn_unlock();
	return r;
}

enum pl_emu pl_emulate(ucontext_t *uc, uintptr_t *fault)
{
	struct pl_cpu c;
	enum pl_emu r;

	c.uc = uc;
	c.mem = NULL;
	c.again = false;
	c.seg = 0;
	c.fault = 0;
	memset(&c.map, 0, sizeof(c.map));
	if (!decode(&c))
		return PL_EMU_UNKNOWN;
	look_at_operands(&c);
	r = run(&c);
	*fault = c.fault;
	return r;
}
