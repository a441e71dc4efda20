/* SPDX-License-Identifier: MIT */
/*
 * preload/vec.c - vector registers where the kernel has put them in a signal
 * frame: the processor's XSAVE layout, whose offsets CPUID tells
 */
#include "preload/preload.h"

#include <cpuid.h>

enum { COMP_SSE = 1, COMP_YMM = 2, COMP_MASK = 5, COMP_ZMM_HI = 6, COMP_ZMM_16 = 7, COMPS };

#define FP_XSTATE_MAGIC1 0x46505853U
#define SW_RESERVED	 464 /* what the kernel says about the frame */
#define XSAVE_HEADER	 512
#define LEGACY_XMM	 160

static struct {
	uint32_t off, bytes;
} comp[COMPS];

void pl_vec_init(void)
{
	uint32_t a, b, c, d;

	for (unsigned i = COMP_YMM; i < COMPS; i++) {
		if (!__get_cpuid_count(0xd, i, &a, &b, &c, &d))
			return;
		comp[i].off = b;
		comp[i].bytes = a;
	}
}

static uint8_t *frame(const ucontext_t *uc)
{
	return (uint8_t *)uc->uc_mcontext.fpregs;
}

/* the part of the frame that holds component @c, NULL if it is not there */
static uint8_t *part(const ucontext_t *uc, unsigned c)
{
	uint8_t *f = frame(uc);
	uint32_t magic, bytes;

	if (!f)
		return NULL;
	memcpy(&magic, f + SW_RESERVED, 4);
	memcpy(&bytes, f + SW_RESERVED + 16, 4);
	if (magic != FP_XSTATE_MAGIC1 || !comp[c].bytes || comp[c].off + comp[c].bytes > bytes)
		return NULL;
	return f + comp[c].off;
}

static bool has_header(const ucontext_t *uc)
{
	uint32_t magic;

	memcpy(&magic, frame(uc) + SW_RESERVED, 4);
	return magic == FP_XSTATE_MAGIC1;
}

/* a component that is not marked present holds zeros, whatever stands there */
static bool present(const ucontext_t *uc, unsigned c)
{
	uint64_t bv;

	if (!has_header(uc))
		return c <= COMP_SSE;
	memcpy(&bv, frame(uc) + XSAVE_HEADER, 8);
	return bv >> c & 1;
}

static void make_present(ucontext_t *uc, unsigned c)
{
	uint64_t bv;

	if (present(uc, c))
		return;
	if (c == COMP_SSE)
		memset(frame(uc) + LEGACY_XMM, 0, 256);
	else
		memset(part(uc, c), 0, comp[c].bytes);
	memcpy(&bv, frame(uc) + XSAVE_HEADER, 8);
	bv |= 1ULL << c;
	memcpy(frame(uc) + XSAVE_HEADER, &bv, 8);
}

/* Where bytes [from, from+n) of a register are: one row for each piece. */
struct piece {
	unsigned comp, from, bytes, stride;
};
static const struct piece low16[] = {
	{ COMP_SSE, 0, 16, 16 },
	{ COMP_YMM, 16, 16, 16 },
	{ COMP_ZMM_HI, 32, 32, 32 },
};
static const struct piece high16[] = { { COMP_ZMM_16, 0, 64, 64 } };

static uint8_t *piece_at(const ucontext_t *uc, const struct piece *p, unsigned reg)
{
	uint8_t *base = p->comp == COMP_SSE ? frame(uc) + LEGACY_XMM : part(uc, p->comp);

	return base ? base + (reg & 15) * p->stride : NULL;
}

bool pl_vec_get(const ucontext_t *uc, unsigned reg, uint8_t out[64])
{
	const struct piece *p = reg < 16 ? low16 : high16;
	unsigned n = reg < 16 ? PL_ARRAY(low16) : 1;
	uint8_t *at;

	memset(out, 0, 64);
	if (!frame(uc))
		return false;
	for (unsigned i = 0; i < n; i++) {
		at = piece_at(uc, &p[i], reg);
		if (at && present(uc, p[i].comp))
			memcpy(out + p[i].from, at, p[i].bytes);
	}
	return true;
}

bool pl_vec_set(ucontext_t *uc, unsigned reg, const uint8_t *in, unsigned bytes, bool zero)
{
	const struct piece *p = reg < 16 ? low16 : high16;
	unsigned n = reg < 16 ? PL_ARRAY(low16) : 1;
	uint8_t all[64];

	if (!pl_vec_get(uc, reg, all))
		return false;
	memcpy(all, in, bytes);
	if (zero)
		memset(all + bytes, 0, sizeof(all) - bytes);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = piece_at(uc, &p[i], reg);
		bool wanted = p[i].from < bytes;

		if (!at && wanted)
			return false;
		if (!at || (!wanted && (!zero || !present(uc, p[i].comp))))
			continue;
		make_present(uc, p[i].comp);
		memcpy(at, all + p[i].from, p[i].bytes);
	}
	return true;
}

uint64_t pl_vec_mask(const ucontext_t *uc, unsigned k)
{
	uint8_t *at = part(uc, COMP_MASK);
	uint64_t m = 0;

	if (at && present(uc, COMP_MASK))
		memcpy(&m, at + 8 * k, 8);
	return m;
}
