/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/smmu.h - what the files of the driver share. Legend of the fields:
 * (i) set at probe, never changes, (u) instance lock, (c) the queue's own lock, (e)
 * evtq.lock or priq.lock, (v) cmdqv->lock, (a) atomic, (h) hardware also reads or writes
 * it.
 */
#ifndef UIOMMU_SMMUV3_SMMU_H
#define UIOMMU_SMMUV3_SMMU_H

#include <uiommu/driver.h>
#include <uiommu/smmuv3.h>

#include "../core/hostcall.h"
#include "fields.h"

/* A build for stage 2 alone has no CDs: absent.c. */
#ifdef UIOMMU_CONFIG_STAGE2_ONLY
#define SMMU_STAGE1 false
#define SMMU_CMDQV false
#else
#define SMMU_STAGE1 true
#define SMMU_CMDQV true
#endif

/* ---- how long hardware may take ---- */

#define SMMU_TIMEOUT_NS	1000000000ull	/* to do what takes it no time */
#define SMMU_LOOK_NS	10000000ull

/*
 * Hardware is late when it has been so at many looks. What passes between two of them
 * counts for SMMU_LOOK_NS at most: whoever was away for longer was perhaps not the only
 * one. A hypervisor, or a simulator's thread, that plays the hardware may have been kept
 * from it by the same busy machine.
 */
struct smmu_patience {
	uint64_t seen, waited;
};

/* probe.c; nanoseconds, at each look. Zeroed it begins anew. */
uint64_t uiommu_smmuv3_waited(struct smmu_patience *p, const struct uiommu_host *h);

/* What the ID registers say, as far as it is used. */
struct smmu_caps {
	bool coherent, two_level_st, two_level_cd, ril, hyp, stalls, msi, pri;
	bool stage1, stage2, vax52, dirty, ats;
	bool sync_msg;				/* a CMD_SYNC can say in memory that it is done */
	unsigned granules;			/* bit n: one of 2^n bytes */
	unsigned sid_bits, pasid_bits, asid_bits, vmid_bits;
	unsigned cmdq_lg2, evtq_lg2, priq_lg2;	/* largest */
	unsigned oas_lg2;
};

/* Who wants to know whether it was his CMD_SYNC that a device left unanswered. */
struct smmu_wait {
	struct smmu_wait *next;			/* (c) */
	uint64_t pos;				/* (c) of the CMD_SYNC */
	bool lost;				/* (c) */
};

/* The SMMU's own queue, or an LVCMDQ that works for us. */
struct smmu_cmdq {
	struct uiommu_lock lock;
	struct smmu *smmu;			/* (i) */
	const struct uiommu_mmio *regs;		/* (i) an LVCMDQ's, NULL: the SMMU's own */
	uint32_t at;				/* (i) where they are there */
	uint64_t *ring;				/* (i)(h) */
	unsigned lg2;				/* (i) */
	uint64_t prod, cons;			/* (c) commands ever given, ever taken */
	unsigned refused;			/* (a) commands ever refused */
	unsigned unanswered;			/* (a) CMD_SYNCs that devices made fail */
	struct smmu_wait *waits;		/* (c) */
	uint64_t atc_end;			/* (c) behind the last CMD_SYNC for devices */
	bool atc_open;				/* (c) a CMD_ATC_INV has none yet */
	bool dead;				/* (c)(a) it stopped: nothing is given any more */
	/* of the SMMU's own alone: */
	bool untold;				/* (c) and nobody was told yet */
	bool off_seen;				/* (a) SMMUEN is off, or will never be seen to be */
	unsigned life;				/* (c)(a) how often it was revived */
};

struct smmu_outq {
	struct uiommu_lock lock;
	uint64_t *ring;				/* (i)(h) NULL: there is none */
	unsigned lg2;				/* (i) */
	uint32_t cons;				/* (e) as the register has it */
	bool off;				/* (e) its registers mean nothing now */
	struct uiommu_gate gate;		/* (a) inside: who has taken records and not
						   reported them yet */
};

struct smmu_strtab {
	struct uiommu_lock lock;		/* STEs against a quarantine: see ats.c */
	unsigned closings;			/* lock: quarantines so far */
	uint64_t *top;				/* (i)(h) */
	uint64_t **leaf;			/* (u) two levels: by L1 index */
	unsigned sid_bits;			/* (i) */
	bool two_level;				/* (i) */
};

/* An interface of a CMDQV: number 0 is ours, the others are VMs'. */
struct smmu_vintf {
	struct smmu *smmu;			/* (i) */
	unsigned index;				/* (i) */
	bool stuck;				/* (u) not to be used before a reset */
	uint32_t slots;				/* (u) bit n: pair n of SIDs is taken */
	struct uiommu_viommu *viommu;		/* (r) whose, under the lock too; NULL: free */
	uint64_t told[2];			/* (v) bit n: queue n stood still when looked at, */
	uint64_t errors[2];			/* (v) and its CMDQ_ERR of then */
};

/* The uAPI's iommu_hw_info_tegra241_cmdqv. */
struct smmu_cmdqv_info {
	uint32_t flags;
	uint8_t version, log2vcmdqs, log2vsids, reserved;
};

/* Queues for user hands, and one of ours: cmdqv.c. */
struct smmu_cmdqv {
	struct uiommu_mmio mmio;		/* (i) */
	struct smmu_cmdqv_info info;		/* (i) */
	unsigned vintfs, per, sids;		/* (i) how many; queues, pairs for each */
	struct smmu_cmdq own;
	struct uiommu_lock lock;
	bool hyp_own;				/* (a) ours takes what the SMMU's own takes */
	bool up;				/* (a) written under the instance lock */
	bool has_irq;				/* (i) */
	unsigned irq;				/* (i) */
	bool irq_held;				/* (u) */
	struct smmu_vintf vintf[];
};

struct smmu {
	struct uiommu_iommu base;
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_mmio mmio;		/* (i) */
	struct smmu_caps caps;			/* (i) */
	uint32_t hw_info[10];			/* (i) the uAPI's iommu_hw_info_arm_smmuv3 */
	struct smmu_cmdq cmdq;
	struct smmu_outq evtq;
	struct smmu_outq priq;			/* no ring: it has no PRI */
	struct smmu_cmdqv *cmdqv;		/* (i) NULL: it has none */
	struct smmu_strtab strtab;
	uint64_t *asids, *vmids;		/* (u) bit n: n is taken */
	int (*vmid_alloc)(void *ctx, uint32_t *vmid);	/* (i) */
	void (*vmid_free)(void *ctx, uint32_t vmid);	/* (i) */
	void *vmid_ctx;				/* (i) */
	bool irqs;				/* (i) */
	bool has_irq_priq;			/* (i) */
	unsigned irq_evtq, irq_gerror, irq_priq;	/* (i) */
	unsigned irqs_held;			/* (u) requested: in the order evtq, gerror, priq */
	struct uiommu_smmuv3_msi msi_evtq, msi_gerror, msi_priq;	/* (i) */
	int (*reset)(void *ctx);		/* (i) */
	void *reset_ctx;			/* (i) */
	bool off;				/* (u) nothing reads entries: no syncs */
	bool keep_open;				/* (u) as it was found, until it is on */
	bool sync_batches;			/* (i) */
};

/* The PASID table belongs to the device, or to devices that share it; no domain
 * sees it. */
struct smmu_cdtab {
	struct smmu_master *masters;		/* (u) who uses it */
	uint64_t *top;				/* (u)(h) NULL until first needed */
	uint64_t **leaf;			/* (u) two levels: by L1 index */
	unsigned bits;				/* (i) log2 of its CDs */
	bool two_level;				/* (i) */
	unsigned num_pasids;			/* (u) valid CDs but CD 0 */
};

/* A device, as this driver sees it: dev->drv. */
struct smmu_master {
	struct smmu *smmu;			/* (i) */
	struct uiommu_dev *dev;			/* (i) */
	struct smmu_cdtab *cdtab;		/* (i) */
	struct smmu_master *next;		/* (u) cdtab->masters */
	const struct uiommu_link *rid;		/* (u) what the RID has */
	bool written;				/* (u) an STE may be other than it was found */
	bool blocked;				/* (u) aborts whatever is attached */
	bool live;				/* (u) an STE leads to the table */
	bool cds_cached;			/* (u) one did: CDs may be cached */
	bool ats_held;				/* (u) off, until the SMMU is back */
	bool ats_stale;				/* (u) it may have what it was not told of */
	bool ats_lost;				/* (u) ... and of PASIDs that are gone too */
	bool ats_user;				/* (u) PASIDs of a guest's may be in it */
	bool ats_was;				/* (u) within one change */
};

/* uiommu_dev.drv_state; changed under strtab.lock */
#define SMMU_DEV_ATS		(1u << 0)	/* it may have translations */
#define SMMU_DEV_QUARANTINE	(1u << 1)	/* its STEs abort */
#define SMMU_DEV_GONE		(1u << 2)	/* its STEs may be somebody else's */
#define SMMU_DEV_LIFE		(1u << 3)	/* from here on up: how often it was reset */

static inline struct smmu *to_smmu(const struct uiommu_iommu *iommu)
{
	return uiommu_container_of(iommu, struct smmu, base);
}

static inline uint32_t smmu_read(const struct smmu *s, unsigned reg)
{
	return port_read32(&s->mmio, reg);
}

static inline void smmu_write(const struct smmu *s, unsigned reg, uint32_t v)
{
	port_write32(&s->mmio, reg, v);
}

static inline bool smmu_has_priq(const struct smmu *s)
{
	return SMMU_STAGE1 && s->priq.ring;
}

/* ---- format.c: page tables ---- */

struct smmu_format {
	const struct uiommu_pt_ops *ops;
	uint8_t granule_lg2;
	uint8_t cmd_tg;				/* CMD_TLBI_TG_* */
	uint8_t tg;				/* CD.TG0 or STE.S2TG */
	bool stage2;
};

/* NULL: none that an SMMU walks */
const struct smmu_format *uiommu_smmuv3_format(const struct uiommu_pt *pt);
bool uiommu_smmuv3_is_stage2(const struct uiommu_domain *dom);
/* The RID's as a whole, so that there are no PASIDs beside it: stage 2 in any way. */
bool uiommu_smmuv3_is_whole(const struct uiommu_domain *dom);
int uiommu_smmuv3_domain_init(struct uiommu_domain *dom, struct uiommu_dev *dev, unsigned flags);
int uiommu_smmuv3_domain_check(const struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid);

/* ---- nested.c ---- */

/* What of an STE is a user's to say: words 0 (for stage 1) and 1. */
#define UIOMMU_SMMUV3_USER0_S1	(FMASK(STE_S1Fmt) | FMASK(STE_S1ContextPtr) | \
				 FMASK(STE_S1CDMax))
#define UIOMMU_SMMUV3_USER1	(FMASK(STE_S1DSS) | FMASK(STE_S1CIR) | FMASK(STE_S1COR) | \
				 FMASK(STE_S1CSH) | FMASK(STE_S1STALLD) | FMASK(STE_EATS))

int uiommu_smmuv3_nested_init(struct uiommu_domain *dom, struct uiommu_dev *dev,
			      const struct uiommu_user_data *user);
/* The Config of the real STE. */
unsigned uiommu_smmuv3_nested_config(const struct uiommu_domain *dom);
bool uiommu_smmuv3_has_viommu(const struct uiommu_iommu *iommu, unsigned type);
int uiommu_smmuv3_viommu_invalidate(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
				    size_t n, size_t *handled);
size_t uiommu_smmuv3_viommu_event(const struct uiommu_vdevice *vd, const struct uiommu_fault *f,
				  unsigned *type, uint64_t record[UIOMMU_RECORD_WORDS]);

/* ---- tags.c ---- */

int uiommu_smmuv3_tags_init(struct smmu *s);
void uiommu_smmuv3_tags_fini(struct smmu *s);
int uiommu_smmuv3_link_init(struct uiommu_link *link);
void uiommu_smmuv3_link_fini(struct uiommu_link *link);

/* ---- entry.c: STE and CD as values ---- */

struct smmu_ste_cfg {
	unsigned config;			/* STE_Config_* */
	bool coherent, ats;
	/* with stage 1 */
	uiommu_pa_t cdtab;
	unsigned cd_bits, s1fmt, s1dss;
	bool no_stall;
	const uint64_t *user;		/* instead of these: a user's, words 0 and 1 */
	/* with stage 2 */
	const struct uiommu_pt *s2;
	uint32_t vmid;
};

void uiommu_smmuv3_ste(uint64_t ste[STE_WORDS], const struct smmu_ste_cfg *cfg);
void uiommu_smmuv3_cd(uint64_t cd[CD_WORDS], const struct uiommu_pt *pt, uint32_t asid,
		      bool coherent);
/* the bits of an entry that hardware looks at */
void uiommu_smmuv3_ste_used(const uint64_t *ste, uint64_t *used);
void uiommu_smmuv3_cd_used(const uint64_t *cd, uint64_t *used);
/* bits of a live STE that may change at any time between these two */
void uiommu_smmuv3_ste_safe(const uint64_t *from, const uint64_t *to, uint64_t *safe);

/* ---- writer.c ---- */

#define SMMU_ENTRY_WORDS 8

struct smmu_writer {
	const struct uiommu_host *host;
	void (*used)(const uint64_t *entry, uint64_t *used);
	void (*safe)(const uint64_t *from, const uint64_t *to, uint64_t *safe);	/* or NULL */
	/* around the stores of a step; false: the entry is not as it was. Or NULL */
	bool (*enter)(void *ctx);
	void (*leave)(void *ctx);
	/* hardware forgets what it has of the entry, and has done so on return */
	int (*sync)(void *ctx);
	void *ctx;
};

/*
 * @entry, which hardware may read at any time, becomes @target. The valid bit is in
 * word 0, and a word 0 of zero is invalid. 0, or the error of a sync, or -EAGAIN from
 * enter(): then the entry is somewhere on the way, never a mixture, and can be written
 * again.
 */
int uiommu_smmuv3_write_entry(const struct smmu_writer *w, uint64_t *entry,
			      const uint64_t *target);

/* ---- cmdq.c ---- */

#define SMMU_BATCH 63			/* with its CMD_SYNC: 64 entries, one doorbell */

struct smmu_batch {
	unsigned n;
	struct smmu_cmdq *q;		/* which it goes to; it may come to be another one */
	unsigned refused, unanswered;	/* the queue's counts when it began there */
	int err;			/* of a queue that it has left */
	bool lost;			/* and a device's answer to something there */
	bool undone;			/* it has left something there that was not done */
	bool begun;			/* something was published */
	uint64_t end;			/* behind what was published last */
	struct smmu_wait *wait;		/* or NULL. Else it is published in one piece */
	uint64_t cmd[SMMU_BATCH + 1][CMD_WORDS];
};

int uiommu_smmuv3_cmdq_init(struct smmu *s, struct smmu_cmdq *q, unsigned lg2);
void uiommu_smmuv3_cmdq_fini(struct smmu *s, struct smmu_cmdq *q);
void uiommu_smmuv3_batch_begin(struct smmu *s, struct smmu_batch *b);
/* One more command; a full batch is published on the way. */
void uiommu_smmuv3_batch_add(struct smmu *s, struct smmu_batch *b, uint64_t w0, uint64_t w1);
/* Publishes what is left and waits for nothing: 0, or -EIO: the queue is dead. */
int uiommu_smmuv3_batch_send(struct smmu *s, struct smmu_batch *b);
/* Publishes what is left with a CMD_SYNC and waits for it: 0; -EIO when a command was
 * refused meanwhile or the queue is dead; -ETIMEDOUT when that was found now. */
int uiommu_smmuv3_batch_sync(struct smmu *s, struct smmu_batch *b);
/* May a device have left a CMD_ATC_INV of the batch, or one of that time, unanswered? */
bool uiommu_smmuv3_batch_unanswered(const struct smmu_batch *b);
bool uiommu_smmuv3_cmdq_is_dead(struct smmu *s);
/* The queue's registers, for an SMMU that is off; it is dead until revived. */
void uiommu_smmuv3_cmdq_setup(struct smmu *s);
/* Off and dead, for a reason that the caller knows. */
void uiommu_smmuv3_cmdq_stop(struct smmu *s);
void uiommu_smmuv3_cmdq_revive(struct smmu_cmdq *q);
/* An LVCMDQ's registers but for its base, while it is off. */
void uiommu_smmuv3_cmdq_setup_own(struct smmu_cmdq *q);
/* Looks at its GERROR: errors are repaired or said, and acknowledged. */
void uiommu_smmuv3_cmdq_gerror(struct smmu_cmdq *q);
/* Nothing may translate any more: hardware does not do what it is told. */
void uiommu_smmuv3_shut_off(struct smmu *s, const char *why);
/* Likewise, if it has not been recovered since uiommu_smmuv3_life() returned @life: that
 * makes up for what failed before. */
void uiommu_smmuv3_shut_off_in(struct smmu *s, unsigned life, const char *why);
unsigned uiommu_smmuv3_life(const struct smmu *s);

/* Nothing is given to it any more; whoever waits turns to the SMMU's own. */
void uiommu_smmuv3_cmdq_retire(struct smmu_cmdq *q);
/* No device's answer is awaited any more that was when this was called. */
void uiommu_smmuv3_cmdq_wait_devices(struct smmu *s);

/* ---- cmdqv.c ---- */

#define SMMU_VIOMMU_CMDQV	2u	/* IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV */

/* What of @cfg makes no sense is left out, with a line in the log. 0, -ENOMEM. */
int uiommu_smmuv3_cmdqv_init(struct smmu *s, const struct uiommu_smmuv3_config *cfg, unsigned lg2);
void uiommu_smmuv3_cmdqv_fini(struct smmu *s);
/* With all that VMs have of it; an error: it cannot be switched off. */
int uiommu_smmuv3_cmdqv_start(struct smmu *s);
int uiommu_smmuv3_cmdqv_stop(struct smmu *s);
int uiommu_smmuv3_cmdqv_start_irq(struct smmu *s);
void uiommu_smmuv3_cmdqv_stop_irq(struct smmu *s);
/* Queues that have stopped are repaired, if ours, or their VMs told. */
void uiommu_smmuv3_cmdqv_errors(struct smmu *s);
/* Is there one, and does it work? */
bool uiommu_smmuv3_cmdqv_usable(const struct smmu *s);
/* false: it has no description of that type */
bool uiommu_smmuv3_cmdqv_info(const struct smmu *s, unsigned type, struct uiommu_hw_info *out);
/* The queue that takes what is in the batch. */
struct smmu_cmdq *uiommu_smmuv3_cmdqv_choose(struct smmu *s, const struct smmu_batch *b);
int uiommu_smmuv3_viommu_init(struct uiommu_viommu *v);
void uiommu_smmuv3_viommu_fini(struct uiommu_viommu *v);
int uiommu_smmuv3_vdevice_init(struct uiommu_vdevice *vd);
void uiommu_smmuv3_vdevice_fini(struct uiommu_vdevice *vd);
int uiommu_smmuv3_viommu_mmio(const struct uiommu_viommu *v, struct uiommu_mmio *out,
			      size_t *bytes);
unsigned uiommu_smmuv3_num_hw_queues(const struct uiommu_viommu *v, unsigned type);
int uiommu_smmuv3_hw_queue_init(struct uiommu_hw_queue *q);
void uiommu_smmuv3_hw_queue_fini(struct uiommu_hw_queue *q);

/* ---- outq.c: queues that hardware fills ---- */

/* 0; -ENOMEM or the error of the lock: there is no queue then. */
int uiommu_smmuv3_outq_init(struct smmu *s, struct smmu_outq *q, unsigned lg2);
void uiommu_smmuv3_outq_fini(struct smmu *s, struct smmu_outq *q);
/* For an SMMU that is off. */
void uiommu_smmuv3_outq_setup(struct smmu *s, struct smmu_outq *q);
/* Nobody looks at it until it is set up again. */
void uiommu_smmuv3_outq_stop(struct smmu *s, struct smmu_outq *q);
/* One record, false: there is none. @lost: some were, which is told once. */
bool uiommu_smmuv3_outq_pop(struct smmu *s, struct smmu_outq *q, uint64_t *record, bool *lost);

/* ---- evtq.c ---- */

void uiommu_smmuv3_evtq_drain(struct smmu *s);
void uiommu_smmuv3_decode_event(const uint64_t *evt, struct uiommu_fault *f);

/* ---- priq.c ---- */

void uiommu_smmuv3_priq_drain(struct smmu *s);

/* ---- page_request.c ---- */

/* The access of this event is held back: false: it was answered, nobody wanted it. */
bool uiommu_smmuv3_stalled(struct smmu *s, const struct uiommu_fault *f);
int uiommu_smmuv3_page_response(struct uiommu_iommu *iommu, const struct uiommu_page_request *r,
				enum uiommu_page_response code);
void uiommu_smmuv3_drain_faults(struct uiommu_iommu *iommu);

/* ---- sva.c ---- */

/* The CD of what @link's domain is, for this device. */
void uiommu_smmuv3_cd_of(uint64_t cd[CD_WORDS], const struct smmu_master *m,
			 const struct uiommu_link *link);

/* ---- strtab.c ---- */

int uiommu_smmuv3_strtab_init(struct smmu *s);
void uiommu_smmuv3_strtab_fini(struct smmu *s);
int uiommu_smmuv3_strtab_reserve(struct smmu *s, uint32_t sid);
uint64_t *uiommu_smmuv3_strtab_entry(const struct smmu *s, uint32_t sid);
int uiommu_smmuv3_strtab_open(struct smmu *s, const uint32_t *sids, unsigned n);
uint64_t uiommu_smmuv3_strtab_base(const struct smmu *s);
uint32_t uiommu_smmuv3_strtab_cfg(const struct smmu *s);

/* ---- cdtab.c ---- */

int uiommu_smmuv3_cdtab_reserve(struct smmu_master *m, uiommu_pasid_t pasid);
/* The part of the table with @pasid cannot be reached yet; link() lets it be. */
bool uiommu_smmuv3_cdtab_unlinked(const struct smmu_master *m, uiommu_pasid_t pasid);
int uiommu_smmuv3_cdtab_link(struct smmu_master *m, uiommu_pasid_t pasid);
/* NULL: there is no table, or no part of it, for @pasid */
uint64_t *uiommu_smmuv3_cdtab_entry(const struct smmu_master *m, uiommu_pasid_t pasid);
/* Makes @m a user of the table of @sharer, NULL: of one of its own. 0, -ENOMEM. */
int uiommu_smmuv3_cdtab_join(struct smmu_master *m, struct smmu_master *sharer);
/* Its last user gone, the table goes. */
void uiommu_smmuv3_cdtab_leave(struct smmu_master *m);
/* How many CDs there can be. */
size_t uiommu_smmuv3_cdtab_size(const struct smmu_master *m);

/* ---- invalidate.c ---- */

int uiommu_smmuv3_cfgi_ste(struct smmu *s, uint32_t sid, bool leaf);
int uiommu_smmuv3_cfgi_cd(struct smmu_master *m, uiommu_pasid_t pasid, bool leaf);
int uiommu_smmuv3_cfgi_cd_all(struct smmu_master *m);
int uiommu_smmuv3_forget_all(struct smmu *s);
/* What makes hardware forget all. */
void uiommu_smmuv3_add_all(struct smmu *s, struct smmu_batch *b);
void uiommu_smmuv3_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g);
/* All that is cached under link->tag. */
void uiommu_smmuv3_forget_tag(const struct uiommu_link *link);

/* ---- ats.c ---- */

bool uiommu_smmuv3_quarantined(const struct uiommu_dev *dev);
void uiommu_smmuv3_set_state(struct uiommu_dev *dev, unsigned on, unsigned off);
/* It was reset: out of quarantine, also for whoever just finds that it was silent before. */
void uiommu_smmuv3_new_life(struct uiommu_dev *dev);
/* Devices behind the link forget what is in @g's range, or are in quarantine. */
void uiommu_smmuv3_atc_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g);
/* It is in quarantine, and hardware has heard of that: else false. */
bool uiommu_smmuv3_ats_closed(struct smmu *s, struct uiommu_dev *dev);
/* A guest's CMD_ATC_INVs among @n commands, of which one was not answered. */
void uiommu_smmuv3_atc_ask_each(struct smmu *s, const uint64_t *cmd, size_t n);
bool uiommu_smmuv3_ats_on(const struct uiommu_dev *dev);
bool uiommu_smmuv3_ats_usable(const struct smmu_master *m);
/* Around a change of what (device, @pasid) has, which @want: ATS is on then. @fresh: it
 * had nothing. */
void uiommu_smmuv3_ats_before(struct smmu_master *m, uiommu_pasid_t pasid, bool want);
void uiommu_smmuv3_ats_after(struct smmu_master *m, uiommu_pasid_t pasid, bool want, bool fresh);
void uiommu_smmuv3_ats_hold(struct smmu_master *m);

/* ---- domain.c ---- */

extern const struct uiommu_iommu_ops uiommu_smmuv3_ops;
bool uiommu_smmuv3_cd_valid(const uint64_t *cd);
/* Entries of a device as the records say, while the SMMU is off, and ATS after that. */
int uiommu_smmuv3_restore(struct uiommu_dev *dev);
int uiommu_smmuv3_restore_ats(struct uiommu_dev *dev);

/* ---- probe.c ---- */

/* A line for people: its name, @a and @b. */
void uiommu_smmuv3_log(const struct smmu *s, enum uiommu_log_level level, const char *a,
		       const char *b);
int uiommu_smmuv3_recover(struct uiommu_iommu *iommu);
int uiommu_smmuv3_identify(struct smmu *s, const struct uiommu_smmuv3_config *cfg);

#endif
