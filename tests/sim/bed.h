/* SPDX-License-Identifier: MIT */
/*
 * bed.h - a simulator with memory around it, and tables written by hand
 *
 * Nothing of the driver and nothing of regs.def is used here: offsets and bits
 * are typed again, so that the simulator is not tested against its own table.
 * Bit n of an STE or CD is bit n % 64 of word n / 64, as the manual counts.
 */
#ifndef TESTS_SIM_BED_H
#define TESTS_SIM_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <uiommu/sim/smmuv3.h>

#define BIT(n) ((uint64_t)1 << (n))

/* physical memory: one piece of RAM, the rest aborts */
#define RAM		0x80000000u
#define RAM_BYTES	(8u << 20)
#define NOWHERE		0x40000000u	/* an address that aborts */

/* registers */
enum {
	IDR0 = 0x00, IDR1 = 0x04, IDR3 = 0x0c, IDR5 = 0x14, AIDR = 0x1c,
	CR0 = 0x20, CR0ACK = 0x24, CR1 = 0x28, CR2 = 0x2c, GBPA = 0x44,
	IRQ_CTRL = 0x50, IRQ_CTRLACK = 0x54, GERROR = 0x60, GERRORN = 0x64,
	GERROR_IRQ_CFG0 = 0x68, GERROR_IRQ_CFG1 = 0x70,
	STRTAB_BASE = 0x80, STRTAB_BASE_CFG = 0x88,
	CMDQ_BASE = 0x90, CMDQ_PROD = 0x98, CMDQ_CONS = 0x9c,
	EVENTQ_BASE = 0xa0, EVENTQ_IRQ_CFG0 = 0xb0, EVENTQ_IRQ_CFG1 = 0xb8,
	EVENTQ_PROD = 0x100a8, EVENTQ_CONS = 0x100ac,
};

/* event numbers */
enum {
	C_BAD_STREAMID = 0x02, F_STE_FETCH = 0x03, C_BAD_STE = 0x04, F_STREAM_DISABLED = 0x06,
	C_BAD_SUBSTREAMID = 0x08, F_CD_FETCH = 0x09, C_BAD_CD = 0x0a, F_WALK_EABT = 0x0b,
	F_TRANSLATION = 0x10, F_ADDR_SIZE = 0x11, F_ACCESS = 0x12, F_PERMISSION = 0x13,
};

/* bits of a stage 1 leaf */
#define PTE_USER	BIT(6)
#define PTE_RO		BIT(7)
#define PTE_AF		BIT(10)
#define PTE_NG		BIT(11)
#define PTE_PXN		BIT(53)
#define PTE_UXN		BIT(54)
#define PTE_RW		(PTE_USER | PTE_AF | PTE_NG)

#define CMDQ_LG2	4
#define EVTQ_LG2	3
#define STRTAB_LG2	6

struct bed {
	struct uiommu_sim_smmuv3 *sim;
	struct uiommu_sim_env env;
	uint8_t *ram;
	uint64_t next;			/* first free physical address */
	uint64_t strtab, cmdq, evtq;
	unsigned irqs[6];		/* how often each line fired */
	uint64_t poison;		/* the 8 bytes here abort, too */
	void (*on_data)(struct bed *b);	/* called when a DMA moves bytes */
	bool in_hook;
	void (*on_cas)(struct bed *b, uint64_t pa);	/* before a table is updated */
	unsigned cas;			/* how many updates were tried */
	unsigned lost_writes;		/* writes that were aborted */
	struct resumed {		/* what env->resume was last told */
		unsigned calls;
		uint32_t sid;
		uint16_t stag;
		enum uiommu_sim_resume how;
	} resumed;
};

/* made with @cfg (NULL: the default), queues on, tables empty, SMMUEN set */
struct bed *bed_new(const struct uiommu_sim_smmuv3_config *cfg);
/* the same, with a device that has an ATC */
struct bed *bed_new_env(const struct uiommu_sim_smmuv3_config *cfg,
			int (*atc_inv)(void *ctx, const struct uiommu_sim_inval *inv),
			void (*response)(void *ctx, const struct uiommu_sim_page_response *r));
struct bed *bed_new_fence(void (*fence)(void *ctx));
/* the same, with nothing but memory: registers as out of reset */
struct bed *bed_raw(const struct uiommu_sim_smmuv3_config *cfg);
void bed_free(struct bed *b);

uint32_t rd(struct bed *b, unsigned reg);
uint64_t rd64(struct bed *b, unsigned reg);
void wr(struct bed *b, unsigned reg, uint32_t v);
void wr64(struct bed *b, unsigned reg, uint64_t v);

uint64_t bed_alloc(struct bed *b, uint64_t bytes);	/* zeroed, aligned to its size */
uint64_t mem(struct bed *b, uint64_t pa);
void set_mem(struct bed *b, uint64_t pa, uint64_t v);

/* configuration; none of these invalidates */
void put_ste(struct bed *b, uint32_t sid, uint64_t w0, uint64_t w1);
uint64_t ste_s1(uint64_t ctxptr, unsigned fmt, unsigned cdmax);	/* word 0 */
void put_cd(struct bed *b, uint64_t pa, uint64_t w0, uint64_t ttb0);
uint64_t cd_4k(uint16_t asid);	/* word 0: T0SZ 16, 4 KiB, IPS 48, EPD1, A, R, V */
/* a leaf of @leaf_lg2 bytes; makes the tables above it */
void map(struct bed *b, uint64_t root, unsigned granule_lg2, unsigned ias, uint64_t va,
	 unsigned leaf_lg2, uint64_t desc);
void map4k(struct bed *b, uint64_t root, uint64_t va, uint64_t pa, uint64_t attr);

/* stage 2; the root is where level @level begins, concatenated or not */
#define S2_R		BIT(6)
#define S2_W		BIT(7)
#define S2_RW		(S2_R | S2_W | BIT(10) | (uint64_t)0xf << 2)	/* AF, Normal memory */
void map_s2(struct bed *b, uint64_t root, unsigned granule_lg2, unsigned level, uint64_t ipa,
	    unsigned leaf_lg2, uint64_t desc);
/* words 2 and 3 of an STE: 4 KiB, @ias bits from level 1, S2PS 48, AA64, S2R */
uint64_t s2_word2(unsigned ias, uint16_t vmid);
void put_ste_s2(struct bed *b, uint32_t sid, uint64_t w2, uint64_t w3);
/* all that can be advertised */
struct uiommu_sim_smmuv3_config full_cfg(void);

/* a stream with one CD, a table and one page: what most tests start from */
struct s1 {
	uint64_t cd, root, page;	/* physical */
};
#define VA ((uint64_t)0x12345000)
struct s1 stream_s1(struct bed *b, uint32_t sid, uint16_t asid);

/* commands */
void cmd(struct bed *b, uint64_t w0, uint64_t w1);	/* queue and execute one */
void sync(struct bed *b);				/* CMD_SYNC, must be consumed */
#define OP_CFGI_STE(sid)	(0x03 | (uint64_t)(sid) << 32)
#define OP_CFGI_CD(sid, ssid)	(0x05 | (uint64_t)(ssid) << 12 | (uint64_t)(sid) << 32)
#define OP_CFGI_CD_ALL(sid)	(0x06 | (uint64_t)(sid) << 32)
#define OP_NH_ASID(asid)	(0x11 | (uint64_t)(asid) << 48)
#define OP_RESUME(sid, ac, ab)	(0x44 | (ac) << 12 | (ab) << 13 | (uint64_t)(sid) << 32)
#define OP_VMID(op, vmid)	((op) | (uint64_t)(vmid) << 32)
#define OP_NH_VA(asid)		(0x12 | (uint64_t)(asid) << 48)

/* accesses of 8 bytes; 0, or -UIOMMU_EFAULT */
int dma_read(struct bed *b, uint32_t sid, uint64_t va, uint64_t *v);
int dma_write(struct bed *b, uint32_t sid, uint64_t va, uint64_t v);
int dma_read_ssid(struct bed *b, uint32_t sid, uint32_t ssid, uint64_t va, uint64_t *v);
int dma_as(struct bed *b, const struct uiommu_sim_access *a);	/* data not wanted */

/* the next record; fails the test if there is none */
struct record {
	uint64_t w[4];
};
struct record event(struct bed *b);
void no_event(struct bed *b);
/* the next record is exactly this */
void expect_event(struct bed *b, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3);
#define EV(code, sid)		((uint64_t)(code) | (uint64_t)(sid) << 32)
#define EV_SSID(ssid)		(BIT(11) | (uint64_t)(ssid) << 12)
#define EV_READ			BIT(35)		/* RnW */
#define EV_CLASS_IN		BIT(41)
#define EV_CLASS_TT		BIT(40)
#define EV_S2			BIT(39)
#define EV_TTRNW		BIT(44)
#define EV_STALL(stag)		(BIT(31) | (uint64_t)(stag))

/* a case that gets the default bed as *state */
#define CASE(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
int bed_setup(void **state);
int bed_teardown(void **state);

#endif
