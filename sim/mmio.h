/* SPDX-License-Identifier: MIT */
/*
 * mmio.h - the registers of a model for a driver
 *
 * A model reads and writes registers of any size, a driver calls a function for each
 * (struct uiommu_mmio_ops). Whoever puts the two together writes
 *
 *	SIM_MMIO_OPS(ops, uiommu_sim_smmuv3_mmio_read, uiommu_sim_smmuv3_mmio_write)
 *
 * or names functions of its own with these arguments, which see each access; the first
 * is the window's ctx.
 */
#ifndef SIM_MMIO_H
#define SIM_MMIO_H

#include <uiommu/host.h>

#define SIM_MMIO_OPS(name_, read_, write_)						\
static inline uint32_t name_##_read32(void *ctx, uint64_t offset)			\
{											\
	return (uint32_t)read_(ctx, offset, 4);						\
}											\
static inline void name_##_write32(void *ctx, uint64_t offset, uint32_t value)		\
{											\
	write_(ctx, offset, value, 4);							\
}											\
static inline uint64_t name_##_read64(void *ctx, uint64_t offset)			\
{											\
	return read_(ctx, offset, 8);							\
}											\
static inline void name_##_write64(void *ctx, uint64_t offset, uint64_t value)		\
{											\
	write_(ctx, offset, value, 8);							\
}											\
static const struct uiommu_mmio_ops name_ = {						\
	.read32 = name_##_read32,							\
	.write32 = name_##_write32,							\
	.read64 = name_##_read64,							\
	.write64 = name_##_write64,							\
};

#endif
