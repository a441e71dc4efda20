/* SPDX-License-Identifier: MIT */
/* raw.h - an SMMU by its registers, without a driver */
#ifndef RAW_H
#define RAW_H

#include "world.h"

#include "src/port/port.h"
#include "src/smmuv3/fields.h"

#define RAW_CMDQ	(RAM + (576u << 20))	/* behind DIFFER_TABLES */
#define RAW_EVTQ	(RAW_CMDQ + 0x1000)
#define RAW_MEMORY	(RAW_CMDQ + 0x100000)	/* free for whoever uses it */
#define RAW_QUEUES_ON	((uint32_t)(FMASK(CR0_CMDQEN) | FMASK(CR0_EVENTQEN)))
#define RAW_CMDQ_LG2	7u

static inline uint32_t raw_read(unsigned reg)
{
	return port_read32(&world.mmio, reg);
}

static inline void raw_write(unsigned reg, uint32_t v)
{
	port_write32(&world.mmio, reg, v);
}

/* Queues, nothing translated yet; old errors are acknowledged. False: CR0 is not. */
bool raw_begin(unsigned evtq_lg2);
bool raw_cr0(uint32_t v);
/* One command, and CONS past it; false: it was refused. */
bool raw_command(uint64_t w0, uint64_t w1);
void raw_sync(void);
/* Everything cached, but what is of EL2. */
void raw_forget_all(void);
/* A stream table; what was cached is forgotten, SMMUEN is set. */
void raw_enable(uint64_t strtab, uint32_t cfg, uint32_t cr2);
/* The next record of the event queue, and it is taken out; false: there is none. */
bool raw_event(uint64_t *w);

#endif
