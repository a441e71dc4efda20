/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sim/smmuv3.h - a software SMMUv3, usable alone
 *
 * Put it under your own driver: it has registers, reads tables and queues from
 * memory through your callbacks, raises interrupts through a callback, and
 * translates the DMA of your device models. No globals, no threads of its own,
 * several side by side.
 *
 * What is there: the non-secure programming interface; linear and two-level
 * stream tables; STEs that abort, bypass or translate at stage 1, stage 2 or both;
 * linear and two-level CD tables, S1DSS; VMSAv8-64 tables with 4, 16 and 64 KiB
 * granules, both halves of the address space, up to 52 bits, concatenated roots
 * at stage 2; EL2 stream worlds; hardware update of access flag and dirty state;
 * stalled transactions; ATS, translated transactions and page requests; service
 * failure mode and reset; the command queue, the event queue, GERROR, wired and
 * message interrupts; command queues for user hands (TEGRA241_CMDQV). What a
 * configuration does not ask for is not there, and the ID registers say so.
 *
 * It is fast, not hostile: it keeps what it cached (STE, CD and the descriptors
 * above them in any state, translations, translation tables on the way to them)
 * until a command names it or its place is needed; it does not prefetch, reorder or
 * delay; it keeps nothing of a translation that failed but the tables on its way.
 *
 * Locking. A DMA whose translation is cached takes no lock. For everything else
 * env->lock is one short mutex around the state of the simulator. The
 * functions below take and release it; none may be called with it held. Under it
 * the simulator calls env->read for commands, configuration and table walks, and
 * env->write for event records and messages (MSI); so these two must not call
 * back into the simulator, and must not take a lock under which somebody else
 * calls the simulator. It calls neither irq nor the data movement of
 * uiommu_sim_smmuv3_dma() with the lock held.
 *
 * A CMD_SYNC does not wait inside a call: while a DMA that began before it is
 * still moving data, and something was invalidated since the last CMD_SYNC, it
 * stays in the queue (CMDQ_CONS does not pass it), and the thread whose DMA ends
 * last goes on with the queue. So whoever issues one polls CMDQ_CONS, or waits
 * for its interrupt, on a thread that does not itself hold up such a DMA: not
 * from within env->read or env->write.
 */
#ifndef UIOMMU_SIM_SMMUV3_H
#define UIOMMU_SIM_SMMUV3_H

#include <uiommu/err.h>
#include <uiommu/types.h>

struct uiommu_sim_smmuv3;

/**
 * struct uiommu_sim_smmuv3_config - what the ID registers advertise
 * @sidsize:         bits of a StreamID, 0 to 32 (IDR1.SIDSIZE)
 * @ssidsize:        bits of a SubstreamID, 0 to 20; 0: no substreams (IDR1.SSIDSIZE)
 * @cmdq_max_lg2:    largest command queue, log2 of entries, up to 19 (IDR1.CMDQS)
 * @evtq_max_lg2:    largest event queue, likewise (IDR1.EVENTQS)
 * @oas_lg2:         output address bits: 32, 36, 40, 42, 44, 48 or 52 (IDR5.OAS)
 * @gran4k:          granules of translation tables; at least one (IDR5.GRAN*)
 * @gran16k:         likewise
 * @gran64k:         likewise
 * @vax52:           52-bit input addresses with the 64 KiB granule (IDR5.VAX)
 * @st_2level:       two-level stream tables (IDR0.ST_LEVEL)
 * @cd_2level:       two-level CD tables (IDR0.CD2L)
 * @asid16:          16-bit ASIDs, else 8 (IDR0.ASID16)
 * @vmid16:          16-bit VMIDs, else 8 (IDR0.VMID16)
 * @coherent:        accesses are coherent with the CPUs' caches (IDR0.COHACC); it
 *                   changes nothing but the register
 * @range_inv:       TLB invalidation by range and level (IDR3.RIL)
 * @sev:             CMD_SYNC can send an event (IDR0.SEV), to env->irq
 * @msi:             interrupts as messages (IDR0.MSI), beside the wired ones
 * @reset_abort:     GBPA.ABORT out of reset: nothing passes before SMMUEN
 * @tlb_entries_lg2: capacity of the TLB, log2 of entries, 2 to 24
 * @no_stage1:       stage 1 is not there (IDR0.S1P is 0); @stage2 must be
 * @stage2:          stage 2 is there (IDR0.S2P); with stage 1, both at once too
 * @hyp:             EL2 stream worlds, with and without E2H (IDR0.Hyp)
 * @xnx:             execute-never by privilege at stage 2 (IDR3.XNX)
 * @httu:            hardware updates tables: 0 not, 1 access flag, 2 dirty state
 *                   too (IDR0.HTTU); needs env->cas64
 * @stall:           what a fault can do (IDR0.STALL_MODEL): 0 terminate, 1 stall or
 *                   terminate, 2 stall; other than 0 needs env->resume
 * @stall_max:       transactions that can be stalled at a time, 1 to 65535
 *                   (IDR5.STALL_MAX); not looked at when @stall is 0
 * @ats:             ATS translation requests, translated transactions (IDR0.ATS)
 * @pri:             page requests (IDR0.PRI); needs @ats
 * @priq_max_lg2:    largest PRI queue, log2 of entries, up to 19 (IDR1.PRIQS)
 * @merge_events:    follow STE.MEV: an event that is, to the last bit, the one before
 *                   it, while that one is still in the queue, is not recorded again
 * @ds:              52-bit addresses with 4 and 16 KiB granules too (IDR5.DS)
 * @stt:             small translation tables, T0SZ up to 48 (IDR3.STT)
 * @e0pd:            CD.E0PD0 and E0PD1 (IDR3.E0PD)
 * @epan:            CD.EPAN (IDR3.EPAN)
 * @bbml:            what a change of block size without an invalidation may do
 *                   (IDR3.BBML), 0 to 2
 * @endian:          of translation tables (IDR0.TTENDIAN): 0 little, 1 either, 2 big
 * @no_had:          CD.HAD0 and HAD1 are not there (IDR3.HAD is 0)
 * @no_overrides:    nor are PRIVCFG and INSTCFG of an STE (IDR1.ATTR_PERMS_OVR is 0)
 * @abort_only:      a terminated transaction is aborted, never "succeeds"
 *                   (IDR0.TERM_MODEL)
 * @vmw:             CR0.VMW lets commands name groups of VMIDs (IDR0.VMW)
 * @no_split_ats:    STE.EATS 0b10 is not there (IDR0.NS1ATS)
 * @ats_record:      CR2.REC_CFG_ATS is there (IDR0.ATSRECERR)
 * @pps:             answers to page requests that find the queue full have the PASID
 *                   of the request, whatever STE.PPAR says (IDR3.PPS)
 * @mpam_partid_max: largest PARTID, up to 65535; not 0: MPAM is there (IDR3.MPAM). It
 *                   reads the virtual machine structure; nothing looks at the labels
 * @conflicts:       a translation or an STE that overlaps with another one that is
 *                   cached and differs from it is told as F_TLB_CONFLICT (@bbml 0 only)
 *                   or F_CFG_CONFLICT. Without it one of the two is used, which the
 *                   architecture allows as well. Hits then take the lock
 * @cmdqv:           command queues beside the SMMU's own, each of which can be put into
 *                   the hands of a VM; see uiommu_sim_smmuv3_cmdqv_write().
 *                   @cmdqv.vcmdqs_lg2: how many, log2, up to 7; 0: none, and the rest is
 *                   not looked at. @cmdqv.vintfs_lg2: virtual interfaces among which
 *                   they are divided, log2, up to 6 and up to that. @cmdqv.sids_lg2:
 *                   StreamIDs that each interface translates, log2, up to 4
 *
 * Zero-initialise and set what you need, or start from
 * uiommu_sim_smmuv3_config_init().
 */
struct uiommu_sim_smmuv3_config {
	unsigned sidsize, ssidsize;
	unsigned cmdq_max_lg2, evtq_max_lg2;
	unsigned oas_lg2;
	bool gran4k, gran16k, gran64k, vax52;
	bool st_2level, cd_2level;
	bool asid16, vmid16, coherent, range_inv, sev, msi;
	bool reset_abort;
	unsigned tlb_entries_lg2;
	bool no_stage1, stage2, hyp, xnx;
	unsigned httu, stall, stall_max;
	bool ats, pri;
	unsigned priq_max_lg2;
	bool merge_events;
	bool ds, stt, e0pd, epan;
	unsigned bbml, endian;
	bool no_had, no_overrides;
	bool abort_only, vmw, no_split_ats, ats_record, pps;
	unsigned mpam_partid_max;
	bool conflicts;
	struct {
		unsigned vintfs_lg2, vcmdqs_lg2, sids_lg2;
	} cmdqv;
};

/**
 * uiommu_sim_smmuv3_config_init() - a useful configuration
 * @cfg: out; overwritten whole
 *
 * 16-bit StreamIDs, 20-bit SubstreamIDs, 48-bit output, all granules, two-level
 * tables, 16-bit ASIDs, coherent, range invalidation, wired interrupts only, a
 * TLB of 4096 entries.
 *
 * Context: any.
 */
void uiommu_sim_smmuv3_config_init(struct uiommu_sim_smmuv3_config *cfg);

/* Interrupt lines, each an edge; and what a CMD_SYNC with SIG_SEV sends to CPUs in
 * WFE, only with uiommu_sim_smmuv3_config.sev. */
enum uiommu_sim_irq {
	UIOMMU_SIM_IRQ_EVTQ,
	UIOMMU_SIM_IRQ_PRIQ,
	UIOMMU_SIM_IRQ_SYNC,
	UIOMMU_SIM_IRQ_GERROR,
	UIOMMU_SIM_EVENT_SEV,
	UIOMMU_SIM_IRQ_CMDQV,
};

/* Command queues at most: the SMMU's own is number 0, VCMDQ n is 1 + n. */
#define UIOMMU_SIM_QUEUES (1 + 128)

/* What becomes of a stalled transaction. */
enum uiommu_sim_resume {
	UIOMMU_SIM_RESUME_RETRY,	/* the device does it again, from where it was */
	UIOMMU_SIM_RESUME_ABORT,	/* it is aborted */
	UIOMMU_SIM_RESUME_RAZ_WI,	/* it "succeeds": reads give zero, writes nothing */
};

/**
 * struct uiommu_sim_inval - a CMD_ATC_INV as it reaches a device
 * @stream_id:    the device
 * @ssv:          it names a PASID
 * @global:       with @ssv: every PASID's entries
 * @substream_id: the PASID
 * @first:        untranslated addresses that must go: the first
 * @last:         and the last
 * @queue:        number of the command queue that it came through
 */
struct uiommu_sim_inval {
	uint32_t stream_id, substream_id;
	bool ssv, global;
	uiommu_iova_t first, last;
	unsigned queue;
};

/**
 * struct uiommu_sim_page_response - a CMD_PRI_RESP, or the SMMU's own, to a device
 * @stream_id:    the device
 * @ssv:          the request had a PASID
 * @substream_id: which
 * @prgi:         group index
 * @resp:         0 failure, 1 invalid request, 2 success, as in CMD_PRI_RESP.Resp
 */
struct uiommu_sim_page_response {
	uint32_t stream_id, substream_id;
	bool ssv;
	uint16_t prgi;
	unsigned resp;
};

/**
 * struct uiommu_sim_env - the world around it
 * @ctx:    handed back to every callback
 * @alloc:  @bytes of zeroed memory aligned for any object, or NULL; only called by
 *          uiommu_sim_smmuv3_create()
 * @free:   takes it back, with the same @bytes; cannot fail
 * @read:   physical memory to @buf; 0, or negative: an external abort (@buf may be
 *          changed). An aligned access of up to 8 bytes must be single-copy
 *          atomic, and accesses of one thread must take effect in their order.
 *          With env->lock held except for the data of a DMA; any thread
 * @write:  @buf to physical memory; likewise. A write of 4 bytes may be a message
 *          interrupt: the address may be a doorbell
 * @irq:    line @line fires once; no lock of the simulator held, on the thread
 *          whose call caused it, before that call returns. May call the functions
 *          below. NULL: nobody listens
 * @lock:   takes the mutex; NULL in a single thread
 * @unlock: releases it
 * @cas64:  compare-exchange of an aligned 64-bit word of physical memory, atomic
 *          towards all of memory's users: *@old becomes what was there, and if it
 *          was *@old, @new_value is there now. 0, or negative: an external abort. With
 *          env->lock held. NULL: hardware update of tables cannot be configured
 * @resume: the transaction that uiommu_sim_smmuv3_dma() or _translate() ended with
 *          -UIOMMU_EAGAIN and this @stag is stalled no more, and @how; the @stag may
 *          be used again. Like @irq: no lock of the simulator held, on the thread
 *          whose call caused it; may call the functions below
 * @atc_inv: a device must forget translations. 0: it has; 1: it will, and then call
 *          uiommu_sim_smmuv3_atc_inv_done(); negative: it does not answer (the next
 *          CMD_SYNC of that queue is CERROR_ATC_INV_SYNC). With env->lock held: do not call the
 *          simulator. NULL: no device has an ATC
 * @fence:  when it returns, each thread of the process has passed a full memory
 *          barrier since it was called (Linux: membarrier(), private expedited).
 *          With env->lock held. NULL: ports use atomic exchanges instead
 * @page_response: a page request group is answered. Called as @irq is. NULL: nobody
 *          listens
 *
 * The simulator keeps a copy; @ctx must stay valid until destroy.
 */
struct uiommu_sim_env {
	void *ctx;
	void *(*alloc)(void *ctx, size_t bytes);
	void (*free)(void *ctx, void *p, size_t bytes);
	int (*read)(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes);
	int (*write)(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes);
	void (*irq)(void *ctx, enum uiommu_sim_irq line);
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	int (*cas64)(void *ctx, uiommu_pa_t pa, uint64_t *old, uint64_t new_value);
	void (*resume)(void *ctx, uint32_t stream_id, uint16_t stag, enum uiommu_sim_resume how);
	int (*atc_inv)(void *ctx, const struct uiommu_sim_inval *inv);
	void (*page_response)(void *ctx, const struct uiommu_sim_page_response *r);
	void (*fence)(void *ctx);
};

/**
 * uiommu_sim_smmuv3_create() - make one, as it is out of reset
 * @cfg: copied
 * @env: copied; alloc, free, read and write must be there
 * @out: the simulator; only set on success
 *
 * Context:   may call env->alloc and env->free.
 * Hardware:  registers as after reset: everything off, transactions pass (or abort,
 *            @cfg->reset_abort), caches empty. Registers whose reset value is
 *            UNKNOWN read 0.
 * Ownership: the caller's, until uiommu_sim_smmuv3_destroy().
 * Return:    0, or
 *   -UIOMMU_EINVAL  a member of @cfg is outside its range,
 *                   or needs a callback that is not there   nothing made
 *   -UIOMMU_ENOMEM  env->alloc() failed                     nothing made
 */
int uiommu_sim_smmuv3_create(const struct uiommu_sim_smmuv3_config *cfg,
			     const struct uiommu_sim_env *env, struct uiommu_sim_smmuv3 **out);

/**
 * uiommu_sim_smmuv3_destroy() - end it
 * @s: from uiommu_sim_smmuv3_create(); gone afterwards
 *
 * Context: no call on @s is under way and none follows. Cannot fail.
 */
void uiommu_sim_smmuv3_destroy(struct uiommu_sim_smmuv3 *s);

/**
 * uiommu_sim_smmuv3_mmio_read() - read registers
 * @s:      the simulator
 * @offset: bytes from the base of page 0; a multiple of @size. Two pages of 64 KiB
 * @size:   4 or 8; half of a 64-bit register and two adjacent 32-bit registers are
 *          fine
 *
 * Context: any thread, env->lock not held. Takes it.
 * Return:  the value, low register in the low bits; 0 where no register is, and
 *          for any other @size or alignment.
 */
uint64_t uiommu_sim_smmuv3_mmio_read(struct uiommu_sim_smmuv3 *s, uint64_t offset, unsigned size);

/**
 * uiommu_sim_smmuv3_mmio_write() - write registers
 * @s:      the simulator
 * @offset: as for uiommu_sim_smmuv3_mmio_read()
 * @value:  bits above @size are not looked at
 * @size:   4 or 8
 *
 * CR0, IRQ_CTRL and GBPA take effect at once and are acknowledged by the time it
 * returns. A write to CMDQ_PROD (or one to CR0 or GERRORN that lets the queue go
 * on) executes the commands before it returns, as far as a CMD_SYNC that has to
 * wait. Read-only registers and such that may not be written now (STRTAB_BASE
 * while SMMUEN, for instance) keep their value.
 *
 * Context:  any thread, env->lock not held. Takes it; calls env->read and
 *           env->write under it, env->irq after it.
 * Hardware: as the architecture says for the register.
 */
void uiommu_sim_smmuv3_mmio_write(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint64_t value,
				  unsigned size);

/**
 * uiommu_sim_smmuv3_cmdqv_read() - read registers of the queues for user hands
 * @s:      the simulator
 * @offset: bytes from the base of their region, 0x30000 + 0x20000 for each virtual
 *          interface (VINTF) long; a multiple of @size
 * @size:   4 or 8
 *
 * A VCMDQ that has commands left goes on by some: whoever polls its CONS need do
 * nothing else.
 *
 * Context: any thread, env->lock not held. Takes it, as for a write.
 * Return:  the value; 0 where no register is, for any other @size or alignment, and
 *          without uiommu_sim_smmuv3_config.cmdqv.
 */
uint64_t uiommu_sim_smmuv3_cmdqv_read(struct uiommu_sim_smmuv3 *s, uint64_t offset, unsigned size);

/**
 * uiommu_sim_smmuv3_cmdqv_write() - write them
 * @s:      the simulator
 * @offset: as for uiommu_sim_smmuv3_cmdqv_read()
 * @value:  bits above @size are not looked at
 * @size:   4 or 8
 *
 * A queue is on while CMDQV, its VINTF and itself are (each STATUS says so, at once) and
 * it is allocated to the VINTF. Its commands are executed before the write that
 * made them valid returns, as far as a CMD_SYNC that has to wait. It stops alone on an
 * error: CONS.ERR and GERROR are its own, the maps of errors have its bit until GERRORN
 * is written, and UIOMMU_SIM_IRQ_CMDQV is raised unless its VINTF is masked.
 *
 * Queues of a VINTF with HYP_OWN 0 take CMD_TLBI_NH_ASID, CMD_TLBI_NH_VA, CMD_ATC_INV and
 * CMD_SYNC, and nothing else. Whatever VMID a command has becomes that of the VINTF; the
 * StreamID of a CMD_ATC_INV is looked up in SID_MATCH and becomes the one in SID_REPLACE,
 * or, if it is not there, is CERROR_ILL_ACCESS. So the 64 KiB of a VINTF's page 0
 * (0x30000 + 0x20000 * VINTF), with whatever memory BASE names, may be given to anybody.
 * With HYP_OWN 1 commands are executed as they are. In either CMD_SYNC has CS 0.
 *
 * How it behaves is public only as far as drivers need it; docs/CAVEATS.md says what
 * here is a guess.
 *
 * Context:  any thread, env->lock not held. Takes it, and again for every few commands;
 *           calls what uiommu_sim_smmuv3_mmio_write() does.
 * Hardware: as said.
 */
void uiommu_sim_smmuv3_cmdqv_write(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint64_t value,
				   unsigned size);

/**
 * struct uiommu_sim_access - one access of a client device
 * @stream_id:    its StreamID
 * @substream_id: its PASID; only looked at when @ssv
 * @ssv:          it is tagged with a PASID
 * @write:        it writes
 * @exec:         it fetches instructions; not looked at when @write
 * @priv:         it is privileged
 * @translated:   @iova is what a translation request was answered with; @ssv, @exec
 *                and @priv are then not looked at (IDR3.PASIDTT is 0)
 * @unsupported:  not 0: of a kind that the SMMU does not know. It is aborted with
 *                F_UUT, which has this as its Reason
 * @iova:         the address it puts on the bus, 64 bits
 */
struct uiommu_sim_access {
	uint32_t stream_id;
	uint32_t substream_id;
	bool ssv;
	bool write, exec, priv;
	bool translated;
	uint16_t unsupported;
	uiommu_iova_t iova;
};

/**
 * struct uiommu_sim_xlat - where an access goes
 * @pa:     physical address
 * @bytes:  good from @pa up to the end of this page
 * @raz_wi: it goes nowhere, and the device is not told: reads give zero, writes
 *          are ignored (CD.A is 0). @pa and @bytes are 0
 * @stag:   names it when it stalls (-UIOMMU_EAGAIN)
 */
struct uiommu_sim_xlat {
	uiommu_pa_t pa;
	uint64_t bytes;
	bool raz_wi;
	uint16_t stag;
};

/**
 * uiommu_sim_smmuv3_translate() - where would this access go
 * @s:   the simulator
 * @a:   the access
 * @out: written on every return
 *
 * The access itself is the caller's, and no CMD_SYNC waits for it: use
 * uiommu_sim_smmuv3_dma() for a device's traffic.
 *
 * Context:  any thread, env->lock not held. Takes it; calls env->read under it,
 *           env->irq after it.
 * Hardware: fills caches; records an event where the architecture records one.
 * Return:   0, or
 *   -UIOMMU_EFAULT  the transaction is aborted
 *   -UIOMMU_EAGAIN  it is stalled: env->resume() says what becomes of @out->stag
 *   -UIOMMU_EBUSY   it would stall, but @stall_max are; it has not happened yet:
 *                   hold it back and try again
 */
int uiommu_sim_smmuv3_translate(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
				struct uiommu_sim_xlat *out);

/**
 * uiommu_sim_smmuv3_dma() - a whole DMA
 * @s:     the simulator
 * @a:     its first access; the others follow at increasing addresses
 * @buf:   @bytes in the device: source of a write, destination of a read
 * @bytes: how many; 0 does nothing
 * @done:  out, may be NULL: bytes moved, valid on every return
 *
 * Translates page by page and moves the bytes of each page through one
 * env->write or env->read. Each page is a transaction of its own, and the first
 * that is aborted ends the DMA: by the SMMU (recorded as an event) or by memory
 * that does not answer (no event: it is not the SMMU's affair).
 *
 * Context:  any thread, several at once, env->lock not held. Takes it for each
 *           translation; env->read and env->write of the data run without it, and
 *           a CMD_SYNC after an invalidation is not completed before they return.
 * Hardware: as uiommu_sim_smmuv3_translate(); may complete a CMD_SYNC.
 * Return:   0, or
 *   -UIOMMU_EFAULT  aborted; *@done bytes had been moved before
 *   -UIOMMU_EAGAIN  stalled; likewise. uiommu_sim_smmuv3_dma_stag() tells the tag
 *                   that env->resume() will name
 *   -UIOMMU_EBUSY   as for uiommu_sim_smmuv3_translate(); likewise
 */
int uiommu_sim_smmuv3_dma(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			  void *buf, size_t bytes, size_t *done);

/**
 * uiommu_sim_smmuv3_dma_stag() - the same, for a device that can be stalled
 * @s:     as uiommu_sim_smmuv3_dma()
 * @a:     likewise
 * @buf:   likewise
 * @bytes: likewise
 * @done:  likewise
 * @stag:  out, may be NULL: the tag; only set with -UIOMMU_EAGAIN
 *
 * env->resume() can be called, by another thread, before this returns.
 *
 * Context:  as uiommu_sim_smmuv3_dma().
 * Hardware: likewise.
 * Return:   likewise.
 */
int uiommu_sim_smmuv3_dma_stag(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			       void *buf, size_t bytes, size_t *done, uint16_t *stag);

/* How a translation request is answered. */
enum uiommu_sim_ats_status {
	UIOMMU_SIM_ATS_SUCCESS,
	UIOMMU_SIM_ATS_UR,	/* Unsupported Request: ATS is not to be used */
	UIOMMU_SIM_ATS_CA,	/* Completer Abort: an error */
};

/* ---- ports: translations in use by devices that reach memory themselves ---- */

struct uiommu_sim_smmuv3_port;

#define UIOMMU_SIM_PORTS 48	/* at a time, of one simulator */

/**
 * uiommu_sim_smmuv3_port_open() - a place to mark translations in use
 * @s: the simulator
 *
 * Context:   any thread, no lock.
 * Ownership: the caller's until uiommu_sim_smmuv3_port_close(), before destroy.
 * Return:    the port, or NULL: UIOMMU_SIM_PORTS are open.
 */
struct uiommu_sim_smmuv3_port *uiommu_sim_smmuv3_port_open(struct uiommu_sim_smmuv3 *s);

/**
 * uiommu_sim_smmuv3_port_close() - give it back
 * @s:    the simulator
 * @port: not between begin and end
 *
 * Context: any thread.
 */
void uiommu_sim_smmuv3_port_close(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port);

/**
 * uiommu_sim_smmuv3_begin() - translate, and hold the translation
 * @s:    the simulator
 * @port: used by one thread at a time
 * @a:    the access
 * @out:  where it goes; written always
 *
 * What uiommu_sim_smmuv3_dma() does before it moves data, for a device that moves
 * them itself. After 0, and only then, uiommu_sim_smmuv3_end() must follow; a
 * CMD_SYNC after an invalidation waits for it.
 *
 * Context:  any thread, env->lock not held; takes it unless it is a hit.
 * Hardware: as uiommu_sim_smmuv3_translate().
 * Return:   likewise.
 */
int uiommu_sim_smmuv3_begin(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port,
			    const struct uiommu_sim_access *a, struct uiommu_sim_xlat *out);

/**
 * uiommu_sim_smmuv3_end() - the access is done
 * @s:    the simulator
 * @port: as given to uiommu_sim_smmuv3_begin()
 *
 * Context:  the thread of uiommu_sim_smmuv3_begin(), env->lock not held; takes it if
 *           a CMD_SYNC waits.
 * Hardware: may complete a CMD_SYNC, and go on with the queue.
 */
void uiommu_sim_smmuv3_end(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_port *port);

/* ---- ATS and PRI ---- */

/**
 * struct uiommu_sim_ats_reply - the completion of a translation request
 * @status: how it was answered; what follows is 0 unless it was a success
 * @addr:   the translation, to be used with uiommu_sim_access.translated
 * @bytes:  size of the page that @addr is in
 * @read:   granted; without @read and @write the address is not mapped for it, and
 *          @addr is 0
 * @write:  granted; also when only a read was asked for and the page is writable now
 * @exec:   granted, if it was asked for
 * @global: always false: the architecture has no way to say that every context
 *          that an endpoint uses has the same translation
 */
struct uiommu_sim_ats_reply {
	enum uiommu_sim_ats_status status;
	uiommu_pa_t addr;
	uint64_t bytes;
	bool read, write, exec, global;
};

/**
 * uiommu_sim_smmuv3_ats() - a translation request of a device
 * @s:   the simulator
 * @a:   what it wants to do; @a->write: not "no write"
 * @out: the completion; written always
 *
 * Put the answer into an ATC before env->atc_inv() can be missed: an invalidation
 * that arrives while a request is under way must make its answer unused.
 *
 * Context:  any thread, env->lock not held. Takes it; calls env->read and
 *           env->cas64 under it, env->irq after it.
 * Hardware: fills caches, may update tables; a fault of translation is no event.
 */
void uiommu_sim_smmuv3_ats(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a,
			   struct uiommu_sim_ats_reply *out);

/**
 * uiommu_sim_smmuv3_atc_inv_done() - an invalidation that env->atc_inv() left open
 * @s:     the simulator
 * @queue: as in struct uiommu_sim_inval
 * @ok:    the device has forgotten and no DMA of it uses the translation any more;
 *         false: it did not answer in time
 *
 * Context:  any thread, env->lock not held. Once for each 1 that env->atc_inv()
 *           returned.
 * Hardware: may complete a CMD_SYNC.
 */
void uiommu_sim_smmuv3_atc_inv_done(struct uiommu_sim_smmuv3 *s, unsigned queue, bool ok);

/**
 * struct uiommu_sim_page_request - a PRI page request message
 * @stream_id:    the device
 * @substream_id: its PASID; only with @ssv
 * @ssv:          it has one
 * @read:         access it wants
 * @write:        likewise
 * @exec:         likewise; only with @ssv
 * @priv:         privileged; only with @ssv
 * @last:         the last one of its group: it is answered
 * @prgi:         group index, 9 bits
 * @iova:         the page; its low 12 bits are not looked at
 */
struct uiommu_sim_page_request {
	uint32_t stream_id, substream_id;
	bool ssv, read, write, exec, priv, last;
	uint16_t prgi;
	uiommu_iova_t iova;
};

/**
 * uiommu_sim_smmuv3_page_request() - a page request of a device
 * @s: the simulator
 * @r: the message
 *
 * Goes to the PRI queue. One that cannot, because the queue is full or off, is
 * dropped, and if it is the last of its group the SMMU answers it.
 *
 * Context:  any thread, env->lock not held. Takes it; calls env->irq and
 *           env->page_response after it.
 * Hardware: writes PRIQ, may set its overflow flag.
 */
void uiommu_sim_smmuv3_page_request(struct uiommu_sim_smmuv3 *s,
				    const struct uiommu_sim_page_request *r);

/**
 * uiommu_sim_smmuv3_fail() - enter service failure mode
 * @s: the simulator
 *
 * Context:  any thread, env->lock not held. Takes it.
 * Hardware: GERROR.SFM_ERR becomes active; every transaction is aborted, and no
 *           command is consumed, until uiommu_sim_smmuv3_reset().
 */
void uiommu_sim_smmuv3_fail(struct uiommu_sim_smmuv3 *s);

/**
 * uiommu_sim_smmuv3_reset() - reset it
 * @s: the simulator
 *
 * Context:  any thread, env->lock not held. No DMA is under way.
 * Hardware: as out of uiommu_sim_smmuv3_create(), caches empty; stalled
 *           transactions are aborted. Counters go on.
 */
void uiommu_sim_smmuv3_reset(struct uiommu_sim_smmuv3 *s);

/* Counters since create. Commands and syncs are those consumed; events_lost are
 * records that did not reach the queue (off, full, or memory aborted). */
struct uiommu_sim_smmuv3_stats {
	uint64_t translations, tlb_hits, tlb_misses, ste_fetches, cd_fetches, pte_fetches;
	uint64_t commands, syncs, events, events_lost;
};

/**
 * uiommu_sim_smmuv3_stats() - read the counters
 * @s:   the simulator
 * @out: a consistent copy
 *
 * Context: any thread, env->lock not held. Takes it.
 */
void uiommu_sim_smmuv3_stats(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_stats *out);

#endif
