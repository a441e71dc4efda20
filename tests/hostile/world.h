/* SPDX-License-Identifier: MIT */
/*
 * tests/hostile/world.h - the driver, the simulator and their surroundings under the
 * hostile temper; what must hold; what is done to them
 *
 * world.c   a host, the simulator's environment, hardware that acts by itself
 * oracle.c  what was attached and mapped when; may this DMA reach that page?
 * ops.c     the calls that logical threads make
 * extra.c   domains with IOVAs of their own, PASIDs of the instance's
 * ats.c     devices with TLBs of their own
 * sva.c     address spaces whose pages come when a device asks for them
 * faults.c  devices that ask and wait; who answers
 * nested.c  VMs whose guests have tables of their own
 * plain.c   ordinary accesses as places where others may run
 * run.c     one seed, from its operations to what failed
 * main.c    many seeds; shrinking; what is printed
 */
#ifndef TESTS_HOSTILE_WORLD_H
#define TESTS_HOSTILE_WORLD_H

#include <stdarg.h>
#include <stdio.h>

#include <uiommu/dma.h>
#include <uiommu/driver.h>
#include <uiommu/nested.h>
#include <uiommu/sim/atc.h>
#include <uiommu/sim/hostile.h>
#include <uiommu/sim/temper.h>
#include <uiommu/smmuv3.h>
#include <uiommu/sva.h>

#define PAGE		4096u
#define BLOCK		((uint64_t)2 << 20)
#define RUN		((uint64_t)35 * PAGE)	/* of pages: more than one range command */
#define RW		(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)
#define MEMORY		((size_t)32 << 20)
#define PA_BASE		0x80000000ull
#define NEVER		UINT64_MAX

enum { DEVS = 3, SLOTS = 5, DOMS = 4, REGIONS = 3, SPOTS = 4, WORKERS = 3, DMAS = 2,
	PAGES = 24, KEPT = 12, FLYERS = WORKERS + DMAS + 2, LATE = 6, ENDPOINTS = 16,
	ADDRESSES = REGIONS * SPOTS + PAGES + 2 + 1 };
/* values of an attachment: a domain's number, or */
enum { IDENTITY = DOMS, BLOCKED };

struct world;

/* ---- a variable with a past ---- */

/*
 * What may be in effect: from when the call that brings it began, to when the call that
 * takes it away returned. In between both are.
 */
struct var {
	struct {
		uint64_t v, from, to;
	} e[KEPT];
	unsigned n;			/* ever; the last one is current */
};

struct domain {
	struct uiommu_domain *dom;
	unsigned users;			/* calls that name it, attachments */
	bool busy;			/* it is being freed and made again */
	struct {
		bool busy, block, run;
		struct var spot[SPOTS];	/* physical page, 0: none */
		uint64_t own;		/* a page that is mapped nowhere else */
	} region[REGIONS];
};

/* A device's side of ATS: for each of its StreamIDs a TLB. */
struct endpoint {
	struct world *w;
	const uint32_t *streams;
	unsigned num;
	struct uiommu_sim_atc atc[2];
	bool global, always_on;		/* what its capability says; what its driver asks */
	bool on;			/* its Enable bit */
	bool keeps;			/* translations, while that is off */
	unsigned changes;		/* of @on */
	bool silent;			/* it answers no CMD_ATC_INV, until it is reset */
	bool trouble;			/* it may be in quarantine */
	uint64_t well_since;
	unsigned flying, aborts, events;	/* of DMAs through the TLB */
};

/* A CMD_ATC_INV that waits for its answer. */
struct late {
	struct endpoint *e;
	unsigned stream;
	struct uiommu_sim_inval inv;
};

struct device {
	struct uiommu_dev *dev;
	struct endpoint e;
	unsigned users;
	bool busy;			/* alone with it */
	bool reset, claimed;
	bool by_blocked;		/* on its way it may be blocked for a moment */
	struct var open;		/* 0: nothing gets through */
	struct {
		bool busy, attached, unsure;
		struct var att;
	} slot[SLOTS];
};

struct dma;

/* Who judges where an access goes, and whether it may be aborted. */
struct judge {
	void (*access)(struct world *w, const struct dma *d, uint64_t pa);
	void (*abort)(struct world *w, const struct dma *d);
};

/* One access of a device. */
struct dma {
	unsigned dev, slot, where;	/* world_address(@where) */
	const struct judge *judge;	/* NULL: oracle.c and extra.c */
	uint64_t iova, began;
	uint16_t stag;
	bool write, active, moved;
	int err;
	const struct endpoint *e;
	unsigned changes;		/* of ATS, when it began */
	bool by_atc, kept;		/* ... and then while ATS is off */
	bool guest;			/* nested.c: @iova is a guest's */
};

/* A device that is not in the table above, and one that is none. */
enum { EXTRA = DEVS, STRANGER, EXTRA_MAPS = 9, EXTRA_IOVAS = 1024 };

struct extra {
	struct uiommu_dev *dev;
	struct endpoint e;
	struct uiommu_dma *dma;
	bool deferred, plugging, resetting;
	unsigned attaching;
	struct {
		uint64_t iova;
		bool busy, mapped;
	} map[EXTRA_MAPS];
	uint64_t iova[EXTRA_IOVAS];
	struct var var[EXTRA_IOVAS];
	unsigned gone[EXTRA_IOVAS];	/* .n, when dma_unmap() has returned */
	unsigned num, mapping, flying, aborts, events;
	uint64_t pasids;		/* given out */
	unsigned plugs;			/* devices that came and went */
};

enum { FDEVS = 2, SVA_SPACES = 4,
	PLACES = 5, HELD = 6, PRGS = 6, STAGS = 4, RECENT = 4, STALE = 16 };

/* A process, or a PAGING domain with a handler. */
struct space {
	struct world *w;
	unsigned number;
	bool sva;
	struct uiommu_mm *mm;
	struct uiommu_pt pt;
	struct uiommu_domain *dom;
	unsigned users;			/* calls that name it, RIDs that have it */
	bool busy;			/* it ends and begins anew */
	bool dying;			/* handlers bring nothing any more */
	struct var alive;		/* 0: nothing is reached by it */
	unsigned mapping;		/* handlers at work */
	bool binding;			/* its first bind is under way */
	struct {
		bool busy;
		struct var v;		/* physical page, 0: none */
	} place[PLACES];
	struct {
		bool busy;
		struct uiommu_sva *sva;
		unsigned refs;
		unsigned inside;	/* its handler, for this device */
		struct var at;		/* 1 + PASID, 0: not there */
	} on[FDEVS];
	struct uiommu_sva *stale[STALE];	/* binds to devices that were removed */
	unsigned num_stale;
	struct uiommu_iopf_group *held[HELD];	/* by its handler */
};

/* A device that can wait. */
struct fdevice {
	struct uiommu_dev *dev;
	struct endpoint e;
	bool stalls, pri;
	unsigned users;
	bool busy, reset, rid_busy;
	struct space *rid;
	struct var open;
	bool entering;
	/* @told: commands with its answer that hardware can take; @given: 1 + the space that
	 * was asked; @left: it is nobody's any more, and must not be answered */
	struct {
		bool used, asked, success, left;
		unsigned told, given;
		uint32_t pasid;
		uint64_t born;
	} prg[PRGS];
	struct {
		unsigned begun, over, told, given;
		bool again, left;
		uint32_t pasid;
		uint64_t born;
	} stall[STAGS];
	unsigned flying, stopped, events;
};

struct sva {
	struct uiommu_host host;	/* of processes' tables */
	struct space space[SVA_SPACES];
	struct fdevice dev[FDEVS];
	uint32_t recent[RECENT];	/* PASIDs */
	unsigned hot;			/* place */
	unsigned granted, retries, cancels;	/* of stalled accesses */
};

enum { VMS = 2, VDEVS = 2, VSPACES = 2, SLOTS_VM = 4 };

struct vm {
	struct world *w;
	unsigned number;
	struct uiommu_host host;	/* its memory for tables, as it knows it */
	unsigned char *tables;
	size_t used;
	struct uiommu_domain *parent;
	struct uiommu_viommu *v;
	bool mapped;
	uint64_t *cds;
	struct uiommu_pt pt[VSPACES];
	struct var cd[VSPACES];		/* 1: valid */
	struct var slot[VSPACES][SLOTS_VM];	/* 1 + which page of its memory */
	struct var page[SLOTS_VM];	/* physical */
	bool space_busy[VSPACES], page_busy[SLOTS_VM];
	bool busy, moving;		/* it ends and begins; a device comes or goes */
	unsigned users, changing;	/* threads of its guest */
};

struct vdev {
	struct uiommu_dev *dev;
	struct endpoint e;
	unsigned number;
	struct uiommu_vdevice *vd;
	struct uiommu_domain *dom;	/* nested; while a VM has it */
	struct vm *vm;
	bool busy, reset, unsure;
	struct var open, has;
	unsigned flying, aborts, events;
};

struct nested {
	struct vm vm[VMS];
	struct vdev dev[VDEVS];
	unsigned hot;			/* slot */
	const struct endpoint *told;	/* a guest is just sending it a CMD_ATC_INV */
};

/* What all threads are at, in some runs; op_run(). */
enum { FOCUS_DEVICE = 1, FOCUS_FAULTS, FOCUS_GUESTS, FOCUS_DMA, FOCUS_NEW,
	NUM_FOCUS = FOCUS_NEW };

enum { OP_ATTACH, OP_DETACH, OP_MAP, OP_UNMAP, OP_TOUCH, OP_RESET, OP_REPLUG, OP_DOMAIN,
	OP_STATUS, OP_POLL, OP_CLAIM, OP_FAIL, OP_DMA, OP_PASID,
	OP_PLUG, OP_BIND, OP_PAGE, OP_END, OP_FDEV,
	OP_GUEST, OP_BALLOON, OP_VDEV, OP_VM, NUM_OPS };

struct op {
	uint8_t what;
	uint8_t a, b, c, d;
};

struct tally {
	unsigned aborts, events;
};

struct run_config {
	uint64_t seed;
	unsigned steps;
	const uint8_t *keep;		/* NULL: all; else a byte for each operation */
	FILE *log;			/* NULL: silent */
	uint64_t fail_at;		/* this host call (from 1) is refused; 0: none */
};

struct run_result {
	char why[512];			/* empty: nothing failed */
	unsigned failed_at;		/* the last operation that had begun */
	uint64_t calls;			/* of the host, that may be refused */
	uint64_t steps, dmas, aborts, events, prefetches, lookups;
	uint64_t atc_invs, silent, atc_dmas;
	uint64_t binds, answers, resumes, delivered, served, cancelled, waited;
	uint64_t guest_commands, guest_events, nested_dmas;
	uint64_t taken[UIOMMU_SIM_LIBERTIES];
	struct uiommu_hostile_stats mem;
};

/* What a seed does: crew.h. */
struct crew {
	const struct run_config *cfg;
	struct run_result *res;
	void *world;
	void (*carry_out)(void *world, const struct op *op);
	struct op *ops;
};

struct setup {
	bool coherent, irqs, st_2level, ril, asid8, fails, linear_cd, stage2, sparse, small;
	bool ats, silent, cmdqv;
	bool guest;			/* cmdqv: as a VMM gives it */
	bool stall, pri, faults, nested;
	unsigned cmdq_lg2, evtq_lg2, quarantine, evict;
	unsigned priq_lg2, stall_max;
	unsigned silent_one;		/* an endpoint; others answer always */
	unsigned focus;			/* ops.c; 0: none */
};

struct world {
	const struct run_config *cfg;
	struct run_result *res;
	struct setup setup;
	struct uiommu_hostile *h;
	struct uiommu_host host;
	struct uiommu_sim_smmuv3 *sim;
	void *sim_holder;		/* whose turn it is in the simulator */
	bool sim_locked;
	struct uiommu *u;
	struct uiommu_iommu *iommu;
	struct { void (*fn)(void *arg); void *arg; bool pending, running; } irq[5];
	long live;			/* allocations */

	uint64_t clock;			/* of the oracle */
	uint64_t written;		/* by devices: each time something else */
	struct var on;			/* 0: the SMMU is being recovered */
	struct domain dom[DOMS];
	struct device dev[DEVS];
	uint64_t page[PAGES], block[2];	/* physical addresses */
	struct dma *flying[FLYERS];
	struct endpoint *endpoint[ENDPOINTS];
	unsigned num_endpoints;
	struct late late[LATE];
	unsigned num_late;
	struct tally tally[DEVS][SLOTS][ADDRESSES][2];
	unsigned short_events[DEVS][SLOTS];	/* that name no address */
	/* what somebody is about to change; @aimed: most DMAs write there meanwhile */
	struct { unsigned dev, slot, where; bool aimed; } hot;
	struct extra extra;
	struct sva sva;
	struct nested nested;
	bool refused, forgiven;		/* a host call was; and somebody said so */
	const char *refused_to;		/* which thread */
	unsigned attaching;		/* 1 + the domain of an attach that is under way */
	unsigned changing;		/* 1 + the device of one, or of a detach */
	bool failing, ready;
	uint64_t failed_at;
	unsigned busy_workers;

	struct crew crew;
};

static inline unsigned pick(unsigned n)
{
	return uiommu_hostile_random(n);
}

/* world.c */
void world_create(struct world *w);
void world_destroy(struct world *w);
void world_boot(struct world *w);		/* by a logical thread */
void world_shut(struct world *w);
int world_add(struct world *w, unsigned d);
int world_domain(struct world *w, unsigned i);
void world_note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern const uiommu_pasid_t world_pasid[DEVS][SLOTS];
extern const uint32_t world_stream[DEVS][2];
/* The domain that is of stage 2, where there is one. */
static inline unsigned world_whole(const struct world *w)
{
	return w->setup.stage2 ? DOMS - 1 : ~0u;
}
uint64_t world_iova(unsigned region, unsigned spot);
/* What devices put on the bus: IOVAs that can be mapped, memory, and nothing's. */
uint64_t world_address(const struct world *w, unsigned where);

/* Is @err what the refused host call makes of a call? Once; all is as before then. */
bool world_forgives(struct world *w, int err);

/* oracle.c */
void var_init(struct var *v, uint64_t value);
uint64_t var_now(const struct var *v);
void var_begin(struct world *w, struct var *v, uint64_t value);
void var_end(struct world *w, struct var *v, bool done);
/* The values that were possible in [t0, t1]; false in *@whole: its past is too short. */
unsigned var_possible(const struct var *v, uint64_t t0, uint64_t t1, uint64_t out[KEPT],
		      bool *whole);
void oracle_access(struct world *w, const struct dma *d, uint64_t pa);
void oracle_end(struct world *w, struct dma *d, int err);
void oracle_event(struct world *w, const struct uiommu_fault *f);
bool oracle_must(struct world *w, const struct dma *d, uint64_t *pa);

/* ops.c */
void op_run(void *world, const struct op *op);
void dma_once(struct world *w, unsigned dev, unsigned slot, unsigned where, bool write);
void dma_random(struct world *w);
void prefetch_random(struct world *w);
void settle(struct world *w);

/* extra.c */
void extra_boot(struct world *w);
void extra_shut(struct world *w);
void extra_dma(struct world *w);
void extra_access(struct world *w, const struct dma *d, uint64_t pa);
void extra_end(struct world *w, const struct dma *d);
bool extra_event(struct world *w, const struct uiommu_fault *f);
void op_dma(struct world *w, const struct op *op);
void op_pasid(struct world *w, const struct op *op);
void op_plug(struct world *w, const struct op *op);
uint32_t extra_stranger(const struct world *w);

/* cmdqv.c */
void cmdqv_configure(struct world *w, struct uiommu_smmuv3_config *cfg);
void cmdqv_pairs(struct world *w);		/* as the endpoints are now */

/* ats.c */
void ats_endpoint(struct world *w, struct endpoint *e, const uint32_t *streams, unsigned n);
void ats_configure(struct endpoint *e, struct uiommu_dev_config *cfg);
int ats_inv(void *ctx, const struct uiommu_sim_inval *inv);
void ats_acts(void *arg);
void ats_failed(struct world *w, const struct uiommu_dev *dev);
void ats_reset(struct endpoint *e);
void ats_gone(const struct endpoint *e);
void ats_well(struct world *w, struct endpoint *e);
int ats_dma(struct world *w, struct endpoint *e, unsigned stream,
	    const struct uiommu_sim_access *a, struct dma *d);
bool ats_excuses(const struct dma *d);
bool ats_event(struct world *w, const struct uiommu_fault *f);

/* sva.c */
extern const struct judge sva_judge;
void sva_boot(struct world *w);
void sva_shut(struct world *w);
uint64_t sva_place(unsigned i);
bool sva_bring(struct space *s, uint64_t iova);
void sva_asked(const struct space *s, unsigned k, uint32_t pasid, uint64_t t);
void sva_bind(struct world *w, const struct op *op);
void sva_page(struct world *w, const struct op *op);
void sva_end(struct world *w, const struct op *op);
void sva_device(struct world *w, const struct op *op);

/* faults.c */
extern const struct uiommu_iopf_handler fault_handler;
void pager_acts(void *arg);
void faults_answered(void *ctx, const struct uiommu_sim_page_response *r);
void faults_resumed(void *ctx, uint32_t stream, uint16_t stag, enum uiommu_sim_resume how);
bool faults_of(const struct fdevice *f, const struct uiommu_iopf_group *g);
void faults_published(struct world *w, uint32_t prod);
void faults_left(const struct space *s, unsigned k, uint32_t pasid, uint64_t since);
void faults_gone(struct world *w, unsigned k, uint64_t since);
void sva_dma(struct world *w, unsigned k, uint32_t pasid, unsigned place, bool write);
void sva_ask(struct world *w, unsigned k, uint32_t pasid, unsigned what);
void faults_random(struct world *w);
void faults_prefetch(struct world *w);
bool faults_event(struct world *w, const struct uiommu_fault *f);
void faults_settle(struct world *w);

/* nested.c */
void nested_boot(struct world *w);
void nested_shut(struct world *w);
void nested_guest(struct world *w, const struct op *op);
void nested_balloon(struct world *w, const struct op *op);
void nested_device(struct world *w, const struct op *op);
void nested_vm(struct world *w, const struct op *op);
void nested_dma(struct world *w, unsigned n, unsigned space, unsigned slot, bool write);
void nested_random(struct world *w);
void nested_prefetch(struct world *w);
bool nested_event(struct world *w, const struct uiommu_fault *f);

/* run.c, of this world or another one */
extern const char run_again[];		/* the command that runs a seed */
void run(const struct run_config *cfg, struct run_result *res);

#endif
