/* SPDX-License-Identifier: MIT */
/* raw.c - see raw.h */
#include "raw.h"

static unsigned evtq_lg2;

bool raw_cr0(uint32_t v)
{
	raw_write(SMMU_CR0, v);
	for (unsigned i = 0; i < 100000; i++)
		if (raw_read(SMMU_CR0ACK) == v)
			return true;
	return false;
}

static bool refused(void)
{
	return (raw_read(SMMU_GERROR) ^ raw_read(SMMU_GERRORN)) & FMASK(GERROR_CMDQ_ERR);
}

bool raw_command(uint64_t w0, uint64_t w1)
{
	uint32_t prod = raw_read(SMMU_CMDQ_PROD), mask = (2u << RAW_CMDQ_LG2) - 1;
	volatile uint64_t *slot = world_word(RAW_CMDQ) + (prod & (mask >> 1)) * CMD_WORDS;

	slot[0] = w0;
	slot[1] = w1;
	prod = (prod + 1) & mask;
	raw_write(SMMU_CMDQ_PROD, prod);
	while ((raw_read(SMMU_CMDQ_CONS) & mask) != prod)
		if (refused())
			return false;
	return true;
}

void raw_sync(void)
{
	raw_command(FPREP(CMD_Opcode, CMD_SYNC), 0);
}

void raw_forget_all(void)
{
	raw_command(FPREP(CMD_Opcode, CMD_CFGI_STE_RANGE), CMD_CFGI_STE_RANGE_Range_ALL);
	raw_command(FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	raw_sync();
}

bool raw_begin(unsigned lg2)
{
	if (!raw_cr0(0))
		return false;
	for (uint64_t pa = RAW_CMDQ; pa < RAW_EVTQ + 0x1000; pa += 8)
		*world_word(pa) = 0;
	evtq_lg2 = lg2;
	port_write64(&world.mmio, SMMU_CMDQ_BASE, RAW_CMDQ | RAW_CMDQ_LG2);
	port_write64(&world.mmio, SMMU_EVENTQ_BASE, RAW_EVTQ | lg2);
	raw_write(SMMU_CMDQ_PROD, 0);
	raw_write(SMMU_CMDQ_CONS, 0);
	raw_write(SMMU_EVENTQ_PROD, 0);
	raw_write(SMMU_EVENTQ_CONS, 0);
	raw_write(SMMU_GERRORN, raw_read(SMMU_GERROR));
	return raw_cr0(RAW_QUEUES_ON);
}

void raw_enable(uint64_t strtab, uint32_t cfg, uint32_t cr2)
{
	raw_cr0(RAW_QUEUES_ON);
	port_write64(&world.mmio, SMMU_STRTAB_BASE, strtab);
	raw_write(SMMU_STRTAB_BASE_CFG, cfg);
	raw_write(SMMU_CR2, cr2);
	raw_forget_all();
	raw_cr0(RAW_QUEUES_ON | (uint32_t)FMASK(CR0_SMMUEN));
}

bool raw_event(uint64_t *w)
{
	uint32_t mask = (2u << evtq_lg2) - 1, prod = raw_read(SMMU_EVENTQ_PROD);
	uint32_t cons = raw_read(SMMU_EVENTQ_CONS) & mask;
	volatile uint64_t *e = world_word(RAW_EVTQ) + (cons & (mask >> 1)) * EVT_WORDS;

	if (cons == (prod & mask))
		return false;
	for (unsigned i = 0; i < EVT_WORDS; i++)
		w[i] = e[i];
	raw_write(SMMU_EVENTQ_CONS,
		  ((cons + 1) & mask) | (prod & (uint32_t)FMASK(EVENTQ_PROD_OVFLG)));
	return true;
}
