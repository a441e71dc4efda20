/* SPDX-License-Identifier: MIT */
/*
 * walk.h - one DMA explained: every entry the SMMU would read, and the end
 *
 * table.c   StreamID -> STE -> CD
 * stage1.c, stage2.c   an address through the tables
 * attrs.c   what the leaves say of the memory
 * walk.c    the whole, and the event that the hardware would write
 *
 * Nothing is shared with the simulator or the driver but regs.def. Caches are not
 * modelled: this is what an SMMU does that reads everything afresh.
 */
#ifndef UIOMMU_TOOL_WALK_H
#define UIOMMU_TOOL_WALK_H

#include "../decode/report.h"

/* Registers that matter, by the architecture's names. */
struct walk_regs {
	uint64_t idr0, idr1, idr3, idr5, cr0, cr2, gbpa, strtab_base, strtab_base_cfg;
};

/* an SMMU that has everything, is on and records everything; no stream table */
void walk_regs_init(struct walk_regs *r);
/* @name of regs.def, as "STRTAB_BASE"; false: not one that matters here */
bool walk_regs_set(struct walk_regs *r, const char *name, uint64_t value);

struct walk_memory {
	void *ctx;
	/* an aligned 64-bit little-endian word; false: nothing answers there */
	bool (*read)(void *ctx, uint64_t pa, uint64_t *v);
};

struct walk_access {
	uint32_t sid, pasid;
	bool has_pasid, write, exec, priv;
	uint64_t iova;
	/* as in struct decode_options; may be NULL */
	void (*name_sid)(void *ctx, uint32_t sid, char *buf, size_t bytes);
	void *name_ctx;
};

enum walk_end {
	WALK_OK,
	WALK_FAULT,		/* an event, where the configuration has it recorded */
	WALK_ABORT,		/* aborted, and no event is written */
	WALK_NOT_EXPLAINED,	/* a feature that this program does not know enough of */
};

struct walk_result {
	enum walk_end end;
	uint64_t pa, bytes;	/* WALK_OK: @bytes from @pa to the end of the page */
	uint64_t event[4];	/* WALK_FAULT */
	bool recorded;		/* WALK_FAULT: the record is written */
	bool raz_wi;		/* WALK_FAULT: the device is not told: reads give zero */
	const char *blame;	/* which bit; lives as long as the report */
};

/* Every step is an item of @r, the end is the last one. */
void walk_dma(const struct walk_regs *regs, const struct walk_memory *mem,
	      const struct walk_access *a, struct report *r, struct walk_result *res);

/* ---- between the files ---- */

struct walk;

/* one half of stage 1, or stage 2 */
struct geometry {
	unsigned granule_lg2, ias_lg2, oas_lg2;
	int level;			/* of the root; -1 with 4 KiB and more than 48 bits */
	bool ds;			/* descriptors with bits 51:50 in 9:8 */
	bool big_endian;
	bool wide;			/* 64 KiB and IDR5.OAS 52: bits 51:48 in 15:12 */
	uint64_t base;
};

enum { WALK_R = 1, WALK_W = 2, WALK_X = 4 };

/* what the last descriptor of a stage says, with the tables above it */
struct walk_leaf {
	bool used;
	unsigned mair;			/* stage 1: the byte; stage 2: MemAttr */
	unsigned share;
	unsigned unpriv, priv;		/* WALK_R, W, X */
};

struct walk_cd {
	uint64_t w[8];
	unsigned oas_lg2;
	bool one_priv;			/* EL2 without E2H: one half, no unprivileged */
	bool ha, hd;			/* hardware sets AF; makes DBM pages writable */
};

struct walk {
	const struct walk_regs *regs;
	const struct walk_memory *mem;
	struct walk_access a;		/* inst and priv after the STE's overrides */
	struct report *r;
	struct walk_result *res;
	uint64_t ste[8];
	bool s1, s2;			/* what the STE has */
	bool el2;			/* the stream world is EL2 */
	unsigned oas_lg2;		/* of the SMMU */
	struct geometry g2;		/* @s2 */
	struct walk_cd cd;
	struct walk_leaf leaf1, leaf2;	/* of the address itself */
	unsigned depth;			/* of what is shown: 1 inside a nested walk */
};

/* reading for somebody's sake, in a record's terms: EVT_CLASS_* */
struct purpose {
	unsigned class;
	/* the access to be permitted; @class IN: the DMA's own; TT: @write is an update of a
	 * descriptor, which reads too */
	bool write, exec;
};

struct report_item *walk_step(struct walk *w, const char *kind, const char *name, uint64_t at,
			      const uint64_t *words, unsigned n);
const char *walk_str(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* They end the walk; all return false. */
bool walk_config_fault(struct walk *w, unsigned code, const char *blame);
bool walk_fetch_fault(struct walk *w, unsigned code, uint64_t at);
bool walk_eabt(struct walk *w, bool s2, unsigned class, uint64_t at);
bool walk_fault(struct walk *w, unsigned code, bool s2, const struct purpose *p, uint64_t ipa,
		const char *blame);
bool walk_refuse(struct walk *w, const char *sentence);

unsigned walk_size_bits(unsigned code);		/* IPS, S2PS, OAS */
uint64_t walk_bits(unsigned hi, unsigned lo);
/* the address in a table or leaf descriptor for an output aligned to 2^lg2 */
uint64_t walk_address(const struct geometry *g, uint64_t desc, unsigned lg2);
bool walk_block_allowed(const struct geometry *g, int level);
/* the granule that a TG field means, if IDR5 has it; else 0 */
unsigned walk_granule(const struct walk *w, unsigned lg2);
/* what ENDI and S2ENDI may be */
bool walk_endian_legal(const struct walk *w, bool big);
/* a descriptor as it stands in memory, or the other way round */
uint64_t walk_order(bool big, uint64_t desc);
/* T0SZ and its like: the most that there can be */
unsigned walk_tsz_max(const struct walk *w, unsigned granule_lg2);

/* false: the walk has ended */
bool walk_find_ste(struct walk *w);
bool walk_find_cd(struct walk *w);
bool walk_stage1(struct walk *w, uint64_t *out, uint64_t *bytes);
bool walk_stage2(struct walk *w, uint64_t ipa, const struct purpose *p, uint64_t *pa,
		 uint64_t *bytes);
/* memory type and permissions at the end, into the last item */
void walk_attributes(struct walk *w, struct report_item *it);
/* S2TTB and its geometry; false: C_BAD_STE */
bool walk_stage2_config(struct walk *w);

#endif
