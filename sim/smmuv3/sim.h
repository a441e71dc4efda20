/* SPDX-License-Identifier: MIT */
/*
 * sim.h - what the files of the software SMMUv3 share
 *
 * registers.c     the register file, handshakes, global errors, interrupts
 * cmdq.c          command queues, and what commands do
 * cmdqv.c         command queues for user hands, beside the SMMU's own
 * stream_table.c  StreamID -> STE
 * cd.c            (STE, SubstreamID) -> CD
 * cfgcache.c      the caches of both
 * walk.c          stage 1: CD -> translation table -> output address
 * stage2.c        stage 2: STE -> translation table -> output address
 * tlb.c           the cache of both
 * walkcache.c     the cache of the tables on their way
 * hit.c           a hit, without a lock
 * inflight.c      DMAs that are moving data, and CMD_SYNC waiting for them
 * faults.c        what becomes of a fault: record, abort, stall; CMD_RESUME
 * events.c        the event queue and its records
 * outq.c          a queue that the SMMU writes (EVENTQ, PRIQ)
 * ats.c           translation requests, CMD_ATC_INV, page requests
 * dma.c           a transaction from its arrival to memory
 * temper.c        what it may do and need not
 *
 * Everything here runs with env->lock held unless it says otherwise. Legend of
 * the fields: (i) set at create, (l) env->lock, (a) atomic: written with env->lock
 * held, read without.
 */
#ifndef SIM_SMMUV3_SIM_H
#define SIM_SMMUV3_SIM_H

#include <stdatomic.h>

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
	SIM_STALLED,		/* held until CMD_RESUME; sim_txn.stag names it */
	SIM_BUSY,		/* would stall, but there is no room */
	SIM_NO_ACCESS,		/* a translation request: not with these permissions */
};

struct sim_ste;
struct sim_cd;

/* As it arrived; inst and priv after the STE's overrides. */
struct sim_txn {
	uint32_t sid, ssid;	/* ssid 0 when !ssv */
	bool ssv, write, inst, priv;
	bool ats;			/* a translation request: nothing stalls */
	bool split;			/* and stops behind stage 1 */
	bool asks_exec;			/* what the request asked for */
	uint16_t unsupported;		/* why it is F_UUT */
	bool translated;		/* the address is stage 1's output, or all's */
	bool prefetch;			/* nobody asked: nothing is told */
	uint64_t addr;
	const struct sim_ste *ste;	/* as soon as they are known */
	const struct sim_cd *cd;
	uint16_t stag;
};

/* what a translation was for: the values of CLASS in an event */
enum sim_class { SIM_CLASS_CD, SIM_CLASS_TT, SIM_CLASS_IN };

/* One of the four faults that CD.{A,R,S} and STE.{S2R,S2S} govern. */
struct sim_fault {
	unsigned code;
	bool s2;
	enum sim_class class;
	uint64_t ipa;		/* at stage 2 */
	bool update;		/* a table was to be written, not read */
};

/* ---- configuration, decoded when it is cached ---- */

enum sim_ste_kind { STE_ILLEGAL, STE_ABORT, STE_USABLE };

/* whose translations they are; part of every tag */
enum sim_regime { SIM_NH, SIM_STAGE2, SIM_EL2, SIM_NUM_REGIMES };

struct sim_ste {
	enum sim_ste_kind kind;
	bool s1, s2;		/* stages in use; neither: bypass */
	bool s1stalld, mev, ppar;
	unsigned cont;		/* covers 2^cont StreamIDs */
	uint64_t content;	/* a hash of all defined fields but CONT */
	uint64_t vms;		/* VMSPtr, where the structure is in use */
	bool vms_read;
	enum sim_regime regime;	/* of stage 1 */
	uint16_t vmid;
	unsigned eats;
	unsigned s1fmt, s1cdmax, s1dss;
	unsigned privcfg, instcfg;
	uint64_t ctxptr;
	uint64_t cd_stamp;	/* CDs cached through it carry the same */
	struct {
		unsigned granule_lg2, ias_lg2, oas_lg2;
		int level;
		bool ds, big_endian, affd, ptw, ha, hd, stall, record;
		uint64_t base;
	} t2;
};

/* one of the two halves of the address space */
struct sim_tt {
	bool disabled, tbi, had, e0pd, ds;
	unsigned granule_lg2, ias_lg2;
	uint64_t base;
};

struct sim_cd {
	bool legal;
	bool abort, record, stall;	/* CD.A, CD.R, CD.S */
	bool affd, wxn, pan, epan, ha, hd;
	bool one_priv;			/* regime EL2 without E2H */
	bool big_endian;
	bool aset;			/* whose ASIDs: the CPUs', or ours alone */
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

/* the reader's half of the protocol of sim_tlb_way; acquire loads keep the order */
static inline bool sim_read_words4(_Atomic uint64_t *w, uint64_t *out)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = atomic_load_explicit(&w[i], memory_order_acquire);
	return out[0] && out[0] == atomic_load_explicit(&w[0], memory_order_relaxed);
}

static inline void sim_write_words4(_Atomic uint64_t *w, const uint64_t *in)
{
	atomic_store_explicit(&w[0], 0, memory_order_relaxed);
	for (unsigned i = 1; i < 4; i++)
		atomic_store_explicit(&w[i], in[i], memory_order_release);
	atomic_store_explicit(&w[0], in[0], memory_order_release);
}

/* what an access needs and an entry grants */
#define SIM_PERM_R	1u
#define SIM_PERM_W	2u
#define SIM_PERM_X	4u
#define SIM_PERM_PRIV(p) ((p) << 3)	/* the same for privileged accesses */

struct sim_tlb_entry {
	uint64_t va, pa;	/* aligned to the size */
	uint64_t stamp;		/* 0: empty. When it was filled, in invalidations */
	uint16_t asid, vmid;
	enum sim_regime regime;
	uint8_t size_lg2;
	uint8_t span_lg2;	/* of stage 1's leaf: a smaller one of stage 2 cuts it */
	uint8_t granule_lg2, level;
	uint8_t perm1, perm2;	/* what each stage grants; all where it is not used */
	bool global, aset;
	bool clean;		/* a write must go to the tables again: HTTU */
	bool device;		/* stage 2 says Device memory */
};

#define SIM_PERM_ALL	0x3fu

#define SIM_TLB_WAYS 4
#define SIM_TLB_ASID_SLOTS 65536

/*
 * A place of the TLB: the stamp, then the packed entry. A writer sets the stamp to
 * 0, writes the rest and sets the new stamp, which no other filling ever has; a
 * reader that sees the same stamp before and after has seen one entry.
 */
struct sim_tlb_way {
	_Atomic uint64_t w[4];
};

/* A configuration that was found to translate, for hit.c; the same protocol. */
struct sim_ctx {
	_Atomic uint64_t w[4];		/* stamp, key, what it says, unused */
};

#define SIM_CTX_LG2 10

/* A table descriptor: where the next table is, and what is taken away on the way. */
struct sim_walk_way {
	uint64_t stamp, key;
	uint32_t ids, limits;
	uint64_t table;
};

#define SIM_WALK_SETS_LG2 9		/* four ways each */

struct sim_tlb {
	unsigned sets_lg2;		/* (i) */
	struct sim_tlb_way *ways;	/* (a) */
	uint8_t *victim;		/* (l) */
	uint64_t now;			/* (l) counts fillings and invalidations */
	/* (a) entries older than these are gone: */
	_Atomic uint64_t regime_since[SIM_NUM_REGIMES];
	_Atomic uint64_t *vmid_since;	/* (a) by regime and VMID */
	_Atomic uint64_t *asid_since;	/* (a) not global ones, by a hash of the tag */
	_Atomic uint64_t sizes;		/* (a) bit n: entries of 2^n bytes may be there */
	_Atomic bool any_global;	/* (a) likewise */
	bool any_cut;			/* (l) size_lg2 < span_lg2 */
	struct sim_walk_way *walks;	/* (l) */
	unsigned walk_victim;		/* (l) */
	bool any_walk;			/* (l) one was ever kept */
	struct sim_ctx *ctx;		/* (a) */
	_Atomic uint64_t cfg_since;	/* (a) ctx older than this are gone */
};

/* ---- DMAs under way ---- */

#define SIM_POOL 16			/* for callers without a port */
#define SIM_SLOTS (SIM_POOL + UIOMMU_SIM_PORTS)

/* @mark is odd while its owner uses a translation. A line of its own. */
struct sim_slot {
	_Atomic uint64_t mark, hits;
	_Atomic bool taken;		/* by a port */
	char pad[104];
};

/* Which entries a CMD_TLBI_*_VA* names. */
struct sim_tlb_match {
	enum sim_regime regime;
	uint16_t vmid, asid;
	bool any_asid;
	uint64_t first, last;	/* inclusive */
	unsigned granule_lg2;	/* 0: any */
	int level;		/* 0: any */
};

struct sim_tag {
	enum sim_regime regime;
	uint16_t vmid, asid;
	bool aset;		/* of global entries, which have no ASID */
};

bool uiommu_sim_tlb_find(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			 struct sim_tlb_entry *out);
/* more than one is there, and this SMMU minds */
bool uiommu_sim_tlb_conflict(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va);
void uiommu_sim_tlb_fill(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_entry *e);
void uiommu_sim_tlb_drop_regime(struct uiommu_sim_smmuv3 *s, enum sim_regime r);
void uiommu_sim_tlb_drop_vmid(struct uiommu_sim_smmuv3 *s, enum sim_regime r, uint16_t vmid);
void uiommu_sim_tlb_drop_asid(struct uiommu_sim_smmuv3 *s, struct sim_tag tag);
void uiommu_sim_tlb_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m);

/* ---- walk cache ---- */

/* What the descriptor of @level says; @granule_lg2 is set by who asks. */
struct sim_walk {
	unsigned granule_lg2;
	int level;		/* -1 to 2 */
	uint32_t limits;	/* a matter of the stage */
	uint64_t table;
};

/* the deepest one for @va; tables from @first_level on */
bool uiommu_sim_walk_find(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			  int first_level, struct sim_walk *out);
void uiommu_sim_walk_fill(struct uiommu_sim_smmuv3 *s, struct sim_tag tag, uint64_t va,
			  const struct sim_walk *walk);
void uiommu_sim_walk_drop_va(struct uiommu_sim_smmuv3 *s, const struct sim_tlb_match *m);

/* ---- queues that the SMMU writes ---- */

enum sim_outq { SIM_EVENTQ, SIM_PRIQ };

/* ---- stalled transactions ---- */

struct sim_stall {
	enum { STALL_FREE, STALL_HELD, STALL_ENDED } state;
	bool recorded;		/* its event is in the queue */
	bool stale;		/* it is not, and what it met has been invalidated */
	uint32_t sid;
	enum uiommu_sim_resume how;
	uint64_t event[EVT_WORDS];
};

/* CMD_PRI_RESPs of one stretch of the command queue */
#define SIM_MAX_RESPONSES 64

/* ---- command queues ---- */

struct sim_cmdq {
	unsigned number;	      /* (i) 0: the SMMU's own; else 1 + the VCMDQ's */
	uint64_t *base, *prod, *cons; /* (i) its registers */
	bool waits;		      /* (l) its CMD_SYNC, for marks */
	uint64_t waiting[SIM_SLOTS];  /* (l) these */
	bool invalidated;	      /* (l) since its last CMD_SYNC */
	unsigned atc_pending;	      /* (l) invalidations under way */
	bool atc_timeout;	      /* (l) since its last CMD_SYNC */
	bool atc_left;		      /* (l) some of @atc_pending are of whoever had it before */
};

/* How far a queue may run in one go: others want the lock, and it is not theirs. */
#define SIM_ALL	  (~0u)
#define SIM_BATCH 64u

/* a bit that was written, and what is in effect */
struct sim_switch {
	bool wanted, on;
};

struct sim_vcmdq {
	struct sim_cmdq q;
	struct sim_switch en;
	uint64_t base, prod, cons, cons_base;
	uint32_t alloc, gerror, gerrorn;
	uint32_t told; /* CONS as it was last written to memory */
};

#define SIM_MAX_SIDS 16

struct sim_vintf {
	struct sim_switch en;
	uint32_t config, match[SIM_MAX_SIDS], replace[SIM_MAX_SIDS];
};

/* TEGRA241_CMDQV; all of it (l) */
struct sim_cmdqv {
	struct sim_switch en;
	bool switched; /* one was, perhaps */
	uint32_t config;
	uint64_t int_mask;
	struct sim_vintf vintf[64];
	struct sim_vcmdq vcmdq[128];
};

/* ---- the whole ---- */

struct uiommu_sim_smmuv3 {
	struct uiommu_sim_env env;		/* (i) */
	struct uiommu_sim_smmuv3_config cfg;	/* (i) */
	uint64_t mask[NUM_REGS];		/* (i) bits that exist */
	uint16_t reg_at[2][80];			/* (i) page, offset / 4: enum sim_reg + 1 */

	_Atomic bool enabled;			/* (a) CR0.SMMUEN, and no failure */
	uint64_t reg[NUM_REGS];			/* (l) */
	unsigned irq_pending;			/* (l) bit per enum uiommu_sim_irq */
	uint64_t stamp;				/* (l) last cd_stamp given out */
	struct cfg_cache cfg_cache[NUM_CFG];
	struct sim_tlb tlb;

	struct sim_slot slots[SIM_SLOTS];	/* whoever marks them */
	_Atomic bool sync_waits;		/* (a) a CMD_SYNC of some queue, for marks */
	unsigned num_waits;			/* (l) of so many queues */

	struct sim_cmdq cmdq;	 /* (l) the SMMU's own */
	struct sim_cmdqv *cmdqv; /* (i) NULL: not there */
	struct sim_cmdq *issuer; /* (l) whose command is carried out */

	bool failed;				/* (l) service failure mode */
	/* (l) answers to page requests that nobody has been told yet */
	struct uiommu_sim_page_response responses[SIM_MAX_RESPONSES];
	unsigned num_responses;

	struct sim_stall *stalls;		/* (l) by STAG, cfg.stall_max of them */
	unsigned stalls_ended, stalls_unrecorded;
	uint64_t last_event[EVT_WORDS];		/* (l) the last one in the queue */
	unsigned last_code;			/* (l) of an event, recorded or not */

	struct uiommu_sim_smmuv3_stats stats;	/* (l) */
	struct sim_temper *temper;		/* (i) NULL: it is kind */
};

/* take and release env->lock; the latter then raises pending interrupts */
void uiommu_sim_enter(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_leave(struct uiommu_sim_smmuv3 *s);

static inline bool sim_reg_bit(const struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t mask)
{
	return s->reg[r] & mask;
}

/* A message: @addr 0 is none; what is above the output size is cut off. false: aborted. */
bool uiommu_sim_message(struct uiommu_sim_smmuv3 *s, uint64_t addr, uint32_t data);

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
void uiommu_sim_write_reg(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v);
void uiommu_sim_irq(struct uiommu_sim_smmuv3 *s, enum uiommu_sim_irq line);
void uiommu_sim_gerror(struct uiommu_sim_smmuv3 *s, uint64_t mask);
bool uiommu_sim_gerror_active(const struct uiommu_sim_smmuv3 *s, uint64_t mask);

/* cmdq.c */
void uiommu_sim_perform(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, const uint64_t *w);
unsigned uiommu_sim_cmdq_lg2(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q);
/* there is a command, and nothing that keeps it from being looked at */
bool uiommu_sim_cmdq_ready(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q);
/* @limit commands at most; true: that was why it stopped */
bool uiommu_sim_cmdq_run(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, unsigned limit);
/* all queues: something that they may have waited for is over */
void uiommu_sim_queues_run(struct uiommu_sim_smmuv3 *s);
/* by number, NULL behind the last */
struct sim_cmdq *uiommu_sim_cmdq(struct uiommu_sim_smmuv3 *s, unsigned number);

/* cmdqv.c */
bool uiommu_sim_vcmdq_on(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q);
bool uiommu_sim_vcmdq_is_nobodys(const struct sim_cmdq *q); /* false for the SMMU's own */
/* 0: @w, changed, may be carried out; else CONS.ERR */
unsigned uiommu_sim_vcmdq_filter(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q,
				 uint64_t *w);
void uiommu_sim_vcmdq_error(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, uint32_t mask);
void uiommu_sim_vcmdq_ran(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q);
/* A CMD_SYNC of the SMMU's own queue: does it wait for a VCMDQ's devices? It was consumed. */
bool uiommu_sim_cmdqv_sync_must_wait(const struct uiommu_sim_smmuv3 *s);
void uiommu_sim_cmdqv_synced(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_cmdqv_reset(struct uiommu_sim_smmuv3 *s);
/* switches that are not yet what was written; and one of them is now */
unsigned uiommu_sim_cmdqv_late(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_cmdqv_apply(struct uiommu_sim_smmuv3 *s, unsigned which);

/* outq.c */
enum sim_put { SIM_PUT, SIM_PUT_OFF, SIM_PUT_FULL, SIM_PUT_ABORTED };
bool uiommu_sim_outq_writable(const struct uiommu_sim_smmuv3 *s, enum sim_outq q);
enum sim_put uiommu_sim_outq_put(struct uiommu_sim_smmuv3 *s, enum sim_outq q, const uint64_t *w);

/* events.c: one record each */
void uiommu_sim_event_config(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code);
void uiommu_sim_event_fetch(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code,
			    uint64_t addr);
void uiommu_sim_event_walk_eabt(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				const struct sim_fault *f, uint64_t addr);
void uiommu_sim_event_fault(const struct sim_txn *t, const struct sim_fault *f, uint64_t *w);
void uiommu_sim_event_ats(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, unsigned code);
void uiommu_sim_event_unsupported(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
				  unsigned reason);
void uiommu_sim_event_tlb_conflict(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t, bool s2,
				   uint64_t ipa);
void uiommu_sim_event_record(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t,
			     const uint64_t *w);
void uiommu_sim_event_put(struct uiommu_sim_smmuv3 *s, const uint64_t *w);

/* faults.c */
void uiommu_sim_stall_end(struct uiommu_sim_smmuv3 *s, uint32_t sid, unsigned stag,
			  enum uiommu_sim_resume how);
void uiommu_sim_stall_end_all(struct uiommu_sim_smmuv3 *s, uint32_t first, uint32_t last);
void uiommu_sim_stall_record(struct uiommu_sim_smmuv3 *s);	/* what the queue had no room for */
void uiommu_sim_stall_invalidated(struct uiommu_sim_smmuv3 *s);	/* and a CMD_SYNC is over */
void uiommu_sim_stall_deliver(struct uiommu_sim_smmuv3 *s);	/* without env->lock */
enum sim_end uiommu_sim_fault(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			      const struct sim_fault *f);

/* stream_table.c: NULL when the transaction ends here (abort, reported) */
const struct sim_ste *uiommu_sim_ste(struct uiommu_sim_smmuv3 *s, const struct sim_txn *t);
/* cd.c: SIM_OK: t->cd is there */
enum sim_end uiommu_sim_cd(struct uiommu_sim_smmuv3 *s, struct sim_txn *t);
unsigned uiommu_sim_strtab_split(const struct uiommu_sim_smmuv3 *s);

/* 64-bit translation table descriptors of either stage */
#define D_VALID		((uint64_t)1 << 0)
#define D_TABLE		((uint64_t)1 << 1)	/* at level 3: a page */
#define D_AF		((uint64_t)1 << 10)
#define D_DBM		((uint64_t)1 << 51)

static inline uint64_t sim_bits(unsigned hi, unsigned lo)
{
	return (~(uint64_t)0 >> (63 - hi)) & (~(uint64_t)0 << lo);
}

/* a descriptor between memory and here */
static inline uint64_t sim_order(bool big_endian, uint64_t desc)
{
	return big_endian ? __builtin_bswap64(desc) : desc;
}

/* ENDI and S2ENDI */
static inline bool sim_endian_legal(const struct uiommu_sim_smmuv3 *s, bool big)
{
	return s->cfg.endian == 1 || big == (s->cfg.endian == 2);
}

/* what one entry of @level covers; levels are -1 to 3 */
static inline unsigned sim_level_shift(unsigned granule_lg2, int level)
{
	return granule_lg2 + (granule_lg2 - 3) * (unsigned)(3 - level);
}

/* The address in a descriptor, for an output aligned to 2^lg2. Bits 51:48 are
 * somewhere else: with 64 KiB in 15:12, where outputs have 52 bits at all; with DS
 * 51:50 are in 9:8. */
static inline uint64_t sim_desc_addr(const struct uiommu_sim_smmuv3 *s, unsigned granule_lg2,
				     bool ds, uint64_t desc, unsigned lg2)
{
	if (ds)
		return (desc & sim_bits(49, lg2)) | (desc & sim_bits(9, 8)) << 42;
	if (granule_lg2 == 16 && s->cfg.oas_lg2 == 52)
		return (desc & sim_bits(47, lg2)) | (desc & sim_bits(15, 12)) << 36;
	return desc & sim_bits(47, lg2);
}

static inline bool sim_block_allowed(const struct uiommu_sim_smmuv3 *s, unsigned granule_lg2,
				     bool ds, int level)
{
	if (level == 1)
		return granule_lg2 == 12 || ds || (granule_lg2 == 16 && s->cfg.oas_lg2 == 52);
	return level == 2 || (level == 0 && granule_lg2 == 12 && ds);
}

/* T0SZ and its like */
static inline bool sim_tsz_legal(const struct uiommu_sim_smmuv3 *s, unsigned granule_lg2,
				 unsigned least, unsigned tsz)
{
	unsigned most = !s->cfg.stt ? 39 : granule_lg2 == 16 ? 47 : 48;

	return tsz >= least && tsz <= most;
}

/* which permission it needs of an entry */
static inline unsigned sim_need(const struct sim_txn *t)
{
	unsigned need = t->write ? SIM_PERM_W : t->inst ? SIM_PERM_X : SIM_PERM_R;

	return t->priv ? SIM_PERM_PRIV(need) : need;
}

/* hit.c, without env->lock: false if it takes more than a look */
bool uiommu_sim_hit(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
		    uint64_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *out);
/* with it */
void uiommu_sim_ctx_fill(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			 const struct sim_txn *t);
void uiommu_sim_ctx_drop(struct uiommu_sim_smmuv3 *s);

/* inflight.c, without env->lock but for the last three */
struct sim_slot *uiommu_sim_mark(struct uiommu_sim_smmuv3 *s);
static inline uint64_t sim_next_mark(const struct sim_slot *slot)
{
	return atomic_load_explicit(&slot->mark, memory_order_relaxed) + 1;
}

static inline void sim_mark_port(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot)
{
	if (s->env.fence) {
		atomic_store_explicit(&slot->mark, sim_next_mark(slot), memory_order_relaxed);
		atomic_signal_fence(memory_order_seq_cst);
	} else {
		atomic_exchange(&slot->mark, sim_next_mark(slot));
	}
}

/* true: a CMD_SYNC waits, for this one perhaps */
static inline bool sim_unmark(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot)
{
	if (s->env.fence && slot >= &s->slots[SIM_POOL]) {
		atomic_store_explicit(&slot->mark, sim_next_mark(slot), memory_order_release);
		atomic_signal_fence(memory_order_seq_cst);
	} else {
		atomic_exchange(&slot->mark, sim_next_mark(slot));
	}
	return atomic_load_explicit(&s->sync_waits, memory_order_acquire);
}

void uiommu_sim_sync_again(struct uiommu_sim_smmuv3 *s);
void uiommu_sim_finish(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot);
void uiommu_sim_finish_locked(struct uiommu_sim_smmuv3 *s, struct sim_slot *slot);
bool uiommu_sim_sync_must_wait(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q);
void uiommu_sim_sync_forget(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q);

/* dma.c */
enum sim_end uiommu_sim_slow(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			     uint64_t iova, struct sim_slot *slot, struct uiommu_sim_xlat *x);
int uiommu_sim_result(enum sim_end end);
enum sim_end uiommu_sim_transaction(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
				    struct sim_tlb_entry *out);
struct sim_txn uiommu_sim_arrive(const struct uiommu_sim_access *a, uiommu_iova_t iova);

/* ats.c */
void uiommu_sim_cmd_atc_inv(struct uiommu_sim_smmuv3 *s, const uint64_t *w);
bool uiommu_sim_cmd_atc_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *w);
void uiommu_sim_cmd_pri_resp(struct uiommu_sim_smmuv3 *s, const uint64_t *w);
void uiommu_sim_pri_deliver(struct uiommu_sim_smmuv3 *s);	/* without env->lock */

/* walk.c: a transaction whose t->ste and t->cd are there, both stages */
enum sim_end uiommu_sim_stage1(struct uiommu_sim_smmuv3 *s, struct sim_txn *t,
			       struct sim_tlb_entry *out);

/* stage2.c: @ipa for @class with @need; SIM_OK: *out covers it */
enum sim_end uiommu_sim_stage2(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t ipa,
			       enum sim_class class, unsigned need, struct sim_tlb_entry *out);
/* An address of a CD or a stage 1 table to a physical one: itself without stage 2. */
enum sim_end uiommu_sim_fetch_addr(struct uiommu_sim_smmuv3 *s, struct sim_txn *t, uint64_t *addr,
				   enum sim_class class, unsigned need);
bool uiommu_sim_s2_legal(const struct uiommu_sim_smmuv3 *s, const uint64_t *ste);
void uiommu_sim_s2_decode(const struct uiommu_sim_smmuv3 *s, const uint64_t *w,
			  struct sim_ste *ste);

#endif
