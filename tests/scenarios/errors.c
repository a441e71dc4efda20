/* SPDX-License-Identifier: MIT */
/* errors.c - by hand: what it says it is, off, commands that it refuses, a full queue */
#include "raw.h"
#include "scenarios.h"
#include "text.h"

#define STRTAB		(RAW_MEMORY + 0x100000)
#define STRTAB_LG2	9u
#define TARGET		(RAW_MEMORY + 0x200000)
#define UNTOUCHED	0xa5a5a5a5u

void scenario_advertised(void)
{
	static const struct { const char *name; unsigned reg; } regs[] = {
		{ "IDR0", SMMU_IDR0 }, { "IDR1", SMMU_IDR1 }, { "IDR2", SMMU_IDR2 },
		{ "IDR3", SMMU_IDR3 }, { "IDR4", SMMU_IDR4 }, { "IDR5", SMMU_IDR5 },
		{ "IIDR", SMMU_IIDR }, { "AIDR", SMMU_AIDR },
	};

	tell("== what it says it is");
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		tell("%s 0x%x", regs[i].name, (uint64_t)raw_read(regs[i].reg));
}

static void write_and_look(const char *what, uint64_t iova)
{
	uint64_t w[EVT_WORDS];

	*world_word32(TARGET) = UNTOUCHED;
	world.write(iova, 0x7001);
	tell("%s: %s", what, *world_word32(TARGET) == 0x7001 ? "arrives" : "does not arrive");
	while (raw_event(w))
		tell("  event 0x%x 0x%x 0x%x 0x%x", w[0] & 0xffffffff, w[1], w[2], w[3]);
}

static void gbpa(uint32_t v)
{
	raw_write(SMMU_GBPA, v | (uint32_t)FMASK(GBPA_Update));
	for (unsigned i = 0; i < 100000; i++)
		if (!(raw_read(SMMU_GBPA) & FMASK(GBPA_Update)))
			return;
	tell("GBPA.Update stays");
}

static void make_ste(unsigned config)
{
	volatile uint64_t *ste = world_word(STRTAB) + world.sid * STE_WORDS;

	for (unsigned i = 0; i < STE_WORDS; i++)
		ste[i] = 0;
	ste[1] = FPREP(STE_SHCFG, SHCFG_INCOMING);
	ste[0] = FPREP(STE_V, config != 8) | FPREP(STE_Config, config & 7);
}

static void enable(unsigned config)
{
	for (uint64_t pa = STRTAB; pa < STRTAB + (64u << STRTAB_LG2); pa += 8)
		*world_word(pa) = 0;
	make_ste(config);
	raw_enable(STRTAB, STRTAB_LG2, (uint32_t)FMASK(CR2_RECINVSID));
}

void scenario_off(void)
{
	uint32_t was = raw_read(SMMU_GBPA);

	tell("== off, and without stages");
	if (!raw_begin(7))
		tell("CR0 is not acknowledged");
	write_and_look("SMMUEN 0", TARGET);
	gbpa(was | (uint32_t)FMASK(GBPA_ABORT));
	write_and_look("and GBPA.ABORT", TARGET);
	gbpa(was & ~(uint32_t)(FMASK(GBPA_ABORT) | FMASK(GBPA_Update)));
	enable(STE_Config_BYPASS);
	write_and_look("an STE that bypasses", TARGET);
	make_ste(STE_Config_ABORT);
	write_and_look("that aborts, and nobody says so", TARGET);
	raw_command(FPREP(CMD_Opcode, CMD_CFGI_STE) | FPREP(CMD_CFGI_STE_StreamID, world.sid), 1);
	raw_sync();
	write_and_look("after CFGI_STE", TARGET);
	enable(8);
	write_and_look("an STE that is not valid", TARGET);
	raw_cr0(RAW_QUEUES_ON);
}

/* ---- commands ---- */

static void tell_gerror(void)
{
	uint32_t active = raw_read(SMMU_GERROR) ^ raw_read(SMMU_GERRORN);

	tell("  GERROR %x, CONS.ERR %x", (uint64_t)active,
	     FGET(CMDQ_CONS_ERR, raw_read(SMMU_CMDQ_CONS)));
}

/* As a driver does: a harmless command in the place of the one that is refused, then the
 * error is acknowledged. */
static void mend(void)
{
	uint32_t mask = (2u << RAW_CMDQ_LG2) - 1, cons = raw_read(SMMU_CMDQ_CONS) & mask;
	volatile uint64_t *slot = world_word(RAW_CMDQ) + (cons & (mask >> 1)) * CMD_WORDS;

	slot[0] = FPREP(CMD_Opcode, CMD_SYNC);
	slot[1] = 0;
	raw_write(SMMU_GERRORN, raw_read(SMMU_GERROR));
	for (unsigned i = 0; i < 1000 && (raw_read(SMMU_CMDQ_CONS) & mask) !=
	     raw_read(SMMU_CMDQ_PROD); i++)
		;
	tell("  mended: it is %s", (raw_read(SMMU_CMDQ_CONS) & mask) == raw_read(SMMU_CMDQ_PROD) ?
	     "through" : "stuck");
}

static void try_command(const char *what, uint64_t w0, uint64_t w1)
{
	bool taken = raw_command(w0, w1);

	tell("%s: %s", what, taken ? "taken" : "refused");
	if (taken)
		return;
	tell_gerror();
	mend();
}

void scenario_command_errors(void)
{
	static const struct { const char *name; uint64_t w0, w1; } cmds[] = {
		{ "CMD_SYNC", CMD_SYNC, 0 },
		{ "opcode 0x50", 0x50, 0 },
		{ "opcode 0x00", 0x00, 0 },
		{ "opcode 0xff", 0xff, 0 },
		{ "CMD_PREFETCH_CONFIG", CMD_PREFETCH_CONFIG, 0 },
		{ "CMD_TLBI_NH_ALL", CMD_TLBI_NH_ALL, 0 },
		{ "CMD_TLBI_S12_VMALL", CMD_TLBI_S12_VMALL, 0 },
		{ "CMD_TLBI_EL2_ALL", CMD_TLBI_EL2_ALL, 0 },
		{ "CMD_TLBI_EL3_ALL", CMD_TLBI_EL3_ALL, 0 },
		{ "CMD_CFGI_STE of the secure state", CMD_CFGI_STE | 1u << 10, 0 },
		{ "CMD_ATC_INV", CMD_ATC_INV, 0 },
		{ "CMD_PRI_RESP", CMD_PRI_RESP, 0 },
		{ "CMD_RESUME", CMD_RESUME, 0 },
		{ "CMD_STALL_TERM", CMD_STALL_TERM, 0 },
		{ "CMD_SYNC with CS 3", CMD_SYNC | 3u << 12, 0 },
		{ "CMD_SYNC with an interrupt", CMD_SYNC | 1u << 12, 0 },
	};

	tell("== commands");
	raw_begin(7);
	for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		try_command(cmds[i].name, cmds[i].w0, cmds[i].w1);
	enable(STE_Config_BYPASS);
	write_and_look("a write after all of them", TARGET);
	raw_cr0(RAW_QUEUES_ON);
}

/* ---- a full event queue ---- */

void scenario_queue_full(void)
{
	uint64_t w[EVT_WORDS];
	unsigned n = 0;

	tell("== an event queue of four, six events");
	raw_begin(2);
	enable(8);
	for (unsigned i = 0; i < 6; i++)
		world.write(0x1000 * (i + 1), 1);
	tell("PROD.OVFLG %x", FGET(EVENTQ_PROD_OVFLG, raw_read(SMMU_EVENTQ_PROD)));
	tell_gerror();
	raw_write(SMMU_GERRORN, raw_read(SMMU_GERROR));
	while (raw_event(w))
		n++;
	tell("%u are there", n);
	world.write(0x1000, 1);
	n = 0;
	while (raw_event(w))
		n++;
	tell("then %u more", n);
	raw_cr0(RAW_QUEUES_ON);
}
