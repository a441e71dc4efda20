/* SPDX-License-Identifier: MIT */
/*
 * cmdqv.c - the driver's own queue of a TEGRA241_CMDQV, beside the SMMU's
 *
 * As a guest has it where the seed says so: HYP_OWN is not to be had, and the pairs of
 * StreamIDs are its VMM's, which gives each device the number that it has anyway.
 */
#include "world.h"

#include "sim/mmio.h"
#include "src/smmuv3/fields.h"

#define VINTF0(reg)	(CMDQV_AT_VINTF + (reg))

void cmdqv_pairs(struct world *w)
{
	unsigned n = 0;

	for (unsigned k = 0; w->setup.guest && k < w->num_endpoints; k++)
		for (unsigned i = 0; i < w->endpoint[k]->num; i++, n++) {
			uint32_t sid = w->endpoint[k]->streams[i];

			uiommu_sim_smmuv3_cmdqv_write(w->sim, VINTF0(VINTF_SID_REPLACE) + 4 * n, sid, 4);
			uiommu_sim_smmuv3_cmdqv_write(w->sim, VINTF0(VINTF_SID_MATCH) + 4 * n,
						      sid << 1 | 1, 4);
		}
}

static bool is_vmms(uint64_t off)
{
	return off >= VINTF0(VINTF_SID_MATCH) && off < VINTF0(VINTF_LVCMDQ_ERR_MAP_64);
}

static void write_register(struct world *w, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_hostile_device_write();
	world_note(w, "CMDQV register 0x%llx = 0x%llx", (unsigned long long)off,
		   (unsigned long long)v);
	if (w->setup.guest && is_vmms(off))
		return;
	if (w->setup.guest && off == VINTF0(VINTF_CONFIG))
		v &= ~FMASK(VINTF_CONFIG_HYP_OWN);
	uiommu_sim_smmuv3_cmdqv_write(w->sim, off, v, size);
	if (off == VINTF0(VINTF_CONFIG))
		cmdqv_pairs(w);
	uiommu_hostile_yield();
}

static uint64_t read_register(struct world *w, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_cmdqv_read(w->sim, off, size);

	if (size == 4)
		uiommu_hostile_yield();
	return v;
}

SIM_MMIO_OPS(registers, read_register, write_register)

void cmdqv_configure(struct world *w, struct uiommu_smmuv3_config *cfg)
{
	cfg->has_cmdqv = w->setup.cmdqv;
	cfg->has_irq_cmdqv = true;
	cfg->irq_cmdqv = 3;
	cfg->cmdqv = (struct uiommu_mmio){
		.ops = &registers, .ctx = w,
		.bytes = CMDQV_AT_VINTF_PAGE0 + 2 * CMDQV_STRIDE_VINTF_PAGES,
	};
}
