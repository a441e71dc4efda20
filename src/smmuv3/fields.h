/* SPDX-License-Identifier: MIT */
/*
 * fields.h - regs.def as C: enums and the six macros that use them
 *
 * Purely mechanical. What each line of regs.def gives:
 *
 *   REG(CR0, ...)                 SMMU_CR0 = its offset
 *   FIELD(CR0, SMMUEN, ...)       CR0_SMMUEN_HI, CR0_SMMUEN_LO
 *   ENTRY(STE, 8)                 STE_WORDS = 8
 *   EFIELD(STE, 0, V, ...)        STE_V_HI, STE_V_LO, STE_V_WORD
 *   CODE(CMD, SYNC, 0x46)         CMD_SYNC = 0x46
 *   BREG(VCMDQ_PAGE0, VCMDQ_PROD, ...)   VCMDQ_PROD = its offset in the block
 *   BFIELD(VCMDQ_PROD, WR, ...)   VCMDQ_PROD_WR_HI, VCMDQ_PROD_WR_LO
 *
 * All macros take a field's name without _HI/_LO; values are uint64_t.
 *
 *   FMASK(f)        the field's bits, in place
 *   FMAX(f)         the largest value that fits
 *   FGET(f, x)      the field's value in the word x
 *   FPREP(f, v)     the value v put into place. A constant that does not fit
 *                   is a build error (when optimizing); a variable that does
 *                   not fit loses its high bits
 *   FCONST(f, v)    the same for constants, usable in static initializers, and
 *                   a build error at any optimization level
 *   FSET(f, x, v)   the word x with the field replaced
 */
#ifndef UIOMMU_SMMUV3_FIELDS_H
#define UIOMMU_SMMUV3_FIELDS_H

#include <stdint.h>

enum uiommu_smmuv3_reg {
#define REG(name, offset, width, access) SMMU_##name = offset,
#include "regs.def"
};

enum {
#define FIELD(reg, name, hi, lo) reg##_##name##_HI = hi, reg##_##name##_LO = lo,
#include "regs.def"
};

enum {
#define BREG(block, name, offset, width, count, access) name = offset,
#include "regs.def"
};

enum {
#define BFIELD(reg, name, hi, lo) reg##_##name##_HI = hi, reg##_##name##_LO = lo,
#include "regs.def"
};

enum {
#define ENTRY(name, words) name##_WORDS = words,
#define EFIELD(entry, word, name, hi, lo)                                     \
	entry##_##name##_WORD = word, entry##_##name##_HI = hi,               \
	entry##_##name##_LO = lo,
#include "regs.def"
};

enum {
#define CODE(kind, name, value) kind##_##name = value,
#include "regs.def"
};

#define UIOMMU_FMAX_(hi, lo)	(~(uint64_t)0 >> (63 - (hi) + (lo)))

#define FMAX(f)		UIOMMU_FMAX_(f##_HI, f##_LO)
#define FMASK(f)	(FMAX(f) << f##_LO)
#define FGET(f, x)	(((uint64_t)(x) >> f##_LO) & FMAX(f))
#define FPREP(f, v)	uiommu_fprep_(FMAX(f), f##_LO, (v))
#define FSET(f, x, v)	(((x) & ~FMASK(f)) | FPREP(f, v))
#define FCONST(f, v)                                                          \
	((uint64_t)(v) * sizeof(char[(uint64_t)(v) <= FMAX(f) ? 1 : -1]) << f##_LO)

#if defined(__OPTIMIZE__) && defined(__has_attribute)
#if __has_attribute(error)
#define UIOMMU_FPREP_CHECKED_
void uiommu_fprep_value_does_not_fit_(void)
	__attribute__((error("FPREP: the value does not fit its field")));
#endif
#endif

static inline __attribute__((always_inline, unused)) uint64_t
uiommu_fprep_(uint64_t max, unsigned lo, uint64_t v)
{
#ifdef UIOMMU_FPREP_CHECKED_
	if (__builtin_constant_p(v > max) && v > max)
		uiommu_fprep_value_does_not_fit_();
#endif
	return (v & max) << lo;
}

#endif
