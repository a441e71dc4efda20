/* SPDX-License-Identifier: MIT */
/*
 * sim.h - what the files of the software SMMUv3 share
 *
 * registers.c     the register file, handshakes, global errors, interrupts
 * cmdq.c          the command queue
 * stream_table.c  StreamID -> STE
 * cd.c            (STE, SubstreamID) -> CD
 * cfgcache.c      the caches of both
 * walk.c          CD -> translation table -> output address
 * tlb.c           the cache of that
 * events.c        the event queue
 * dma.c           a transaction from its arrival to memory
 *
 * Everything here runs with env->lock held unless it says otherwise. Legend of
 * the fields: (i) set at create, (l) env->lock.
 */
#ifndef SIM_SMMUV3_SIM_H
#define SIM_SMMUV3_SIM_H

#include <uiommu/sim/smmuv3.h>

#include "src/smmuv3/fields.h"

/* ---- registers ---- */

enum sim_reg {
#define REG(name, offset, width, access) R_##name,
#include "src/smmuv3/regs.def"
	NUM_REGS
};

/* ---- a transaction ---- */

/* How one ends; all but SIM_OK have been reported where that is due. */
enum sim_end {
	SIM_OK,
	SIM_ABORT,		/* an abort is returned to the device */
	SIM_RAZ_WI,		/* "succeeds": reads as zero, writes are ignored (CD.A 0) */
};

/* As it arrived; inst and priv after the STE's overrides. */
struct sim_txn {
	uint32_t sid, ssid;	/* ssid 0 when !ssv */
	bool ssv, write, inst, priv;
	uint64_t addr;
};

/* ---- configuration, decoded when it is cached ---- */

enum sim_ste_kind { STE_ILLEGAL, STE_ABORT, STE_BYPASS, STE_STAGE1 };

struct sim_ste {
	enum sim_ste_kind kind;
	unsigned s1fmt, s1cdmax, s1dss;
	unsigned privcfg, instcfg;
	uint64_t ctxptr;
	uint64_t cd_stamp;	/* CDs cached through it carry the same */
};

/* one of the two halves of the address space */
struct sim_tt {
	bool disabled, tbi, had;
	unsigned granule_lg2, ias_lg2;
	uint64_t base;
};

struct sim_cd {
	bool legal;
	bool abort, record;	/* CD.A, CD.R */
	bool affd, wxn, pan;
	uint16_t asid;
	unsigned oas_lg2;	/* effective IPS */
	struct sim_tt tt[2];
};

/* ---- configuration caches ---- */

struct cfg_way {
	uint64_t key, parent;
	bool valid;
	union {
		struct sim_ste ste;
		struct sim_cd cd;
		uint64_t l1;
	};
};

struct cfg_cache {
	unsigned sets_lg2;		/* (i) */
	struct cfg_way *ways;		/* (l) */
	uint8_t *victim;		/* (l) per set: the next to be replaced */
};

enum { CFG_L1STD, CFG_STE, CFG_L1CD, CFG_CD, NUM_CFG };

static inline uint64_t sim_cfg_key(uint32_t sid, uint32_t index)
{
	return (uint64_t)sid << 32 | index;
}

struct cfg_way *uiommu_sim_cfg_find(struct cfg_cache *c, uint64_t key, uint64_t parent);
struct cfg_way *uiommu_sim_cfg_fill(struct cfg_cache *c, uint64_t key, uint64_t parent);
void uiommu_sim_cfg_drop(struct cfg_cache *c, uint64_t key);
/* drops entries with first <= key <= last */
void uiommu_sim_cfg_drop_range(struct cfg_cache *c, uint64_t first, uint64_t last);
unsigned uiommu_sim_cfg_num_ways(const struct cfg_cache *c);

/* ---- TLB ---- */

/* what an access needs and an entry grants */
#define SIM_PERM_R	1u
#define SIM_PERM_W	2u
#define SIM_PERM_X	4u
#define SIM_PERM_PRIV(p) ((p) << 3)	/* the same for privileged accesses */

struct sim_tlb_entry {
	uint64_t va, pa;	/* aligned to the size */
	uint64_t stamp;		/* 0: empty. When it was filled, in invalidations */
	uint16_t asid, vmid;
	uint8_t size_lg2, granule_lg2, level, perm;
	bool global;
};

#define SIM_TLB_WAYS 4
#define SIM_TLB_ASID_SLOTS 65536

struct sim_tlb {
	unsigned sets_lg2;		/* (i) */
	struct sim_tlb_entry *ways;	/* (l) */
	uint8_t *victim;		/* (l) */
	uint64_t now;			/* (l) counts invalidations, starts at 1 */
	uint64_t all_since;		/* (l) entries older than these are gone: */
	uint64_t *vmid_since;		/* (l) by VMID */
	uint64_t *asid_since;		/* (l) not global ones, by (VMID, ASID) */
	uint64_t sizes;			/* (l) bit n: entries of 2^n bytes may be there */
	bool any_global;		/* (l) */
};

/* Which entries a CMD_TLBI_*_VA* names. */
struct sim_tlb_match {
	uint16_t vmid, asid;
	bool any_asid;
	uint64_t first, last;	/* inclusive */
	unsigned granule_lg2;	/* 0: any */
	unsigned level;		/* 0: any */
};

struct sim_tlb_entry *uiommu_sim_tlb_find(struct uiommu_sim_smmuv3 *s, uint16_t vmid,
					  uint16_t asid, uint64_t va);
void uiommu_sim_tlb_fill(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_entry *e);
void uiommu_sim_tlb_drop_all(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_tlb_drop_vmid(struct uiommu_sim_smmuv3 *s, uint16_t vmid);
void uiommu_sim_tlb_drop_asid(struct uiommu_sim_smmuv3 *s, uint16_t vmid, uint16_t asid);
void uiommu_sim_tlb_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m);

/* ---- the whole ---- */

struct uiommu_sim_smmuv3 {
	struct uiommu_sim_env env;		/* (i) */
	struct uiommu_sim_smmuv3_config cfg;	/* (i) */
	uint64_t mask[NUM_REGS];		/* (i) bits that exist */
	uint16_t reg_at[2][64];			/* (i) page, offset / 4: enum sim_reg + 1 */

	uint64_t reg[NUM_REGS];			/* (l) */
	unsigned irq_pending;			/* (l) bit per enum uiommu_sim_irq */
	uint64_t stamp;				/* (l) last cd_stamp given out */
	struct cfg_cache cfg_cache[NUM_CFG];
	struct sim_tlb tlb;

	/*
	 * DMAs that are moving data, by the half-period in which they began. A
	 * CMD_SYNC that must wait for them starts a new half-period and is
	 * consumed when the old one is empty, by whoever empties it. (l)
	 */
	unsigned in_flight[2], period;
	bool sync_waits, invalidated;

	struct uiommu_sim_smmuv3_stats stats;	/* (l) */
};

/* take and release env->lock; the latter then raises pending interrupts */
void uiommu_sim_enter(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_leave(struct uiommu_sim_smmuv3 *s);

static inline bool sim_reg_bit(const struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t mask)
{
	return s->reg[r] & mask;
}

/* memory as the SMMU sees it: aligned 64-bit words, low address first */
int uiommu_sim_read_words(struct uiommu_sim_smmuv3 *s, uint64_t pa, uint64_t *w, unsigned n);

/* queues: index registers hold an index and, above it, a wrap bit */
static inline uint32_t sim_q_mask(unsigned lg2)
{
	return (2u << lg2) - 1;
}

static inline uint32_t sim_q_slot(uint32_t index, unsigned lg2)
{
	return index & ((1u << lg2) - 1);
}

unsigned uiommu_sim_q_lg2(const struct uiommu_sim_smmuv3 *s, enum sim_reg base);

/* registers.c: interrupts and global errors */
void uiommu_sim_irq(struct uiommu_sim_smmuv3 *s, enum uiommu_sim_irq line);
void uiommu_sim_gerror(struct uiommu_sim_smmuv3 *s, uint64_t mask);
bool uiommu_sim_gerror_active(const struct uiommu_sim_smmuv3 *s, uint64_t mask);

/* cmdq.c */
void uiommu_sim_cmdq_run(struct uiommu_sim_smmuv3 *s);

/* events.c: one record each */
void uiommu_sim_event_config(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code);
void uiommu_sim_event_fetch(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code,
			    uint64_t addr);
void uiommu_sim_event_walk_eabt(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				uint64_t addr);
/* F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION at stage 1 */
void uiommu_sim_event_stage1(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code);

/* stream_table.c, cd.c: NULL when the transaction ends here (abort, reported) */
struct sim_ste *uiommu_sim_ste(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t);
struct sim_cd *uiommu_sim_cd(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			     const struct sim_ste *ste);
unsigned uiommu_sim_strtab_split(const struct uiommu_sim_smmuv3 *s);

/* walk.c */
enum sim_end uiommu_sim_stage1(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			       const struct sim_cd *cd, struct sim_tlb_entry *out);

#endif
