/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sim/atc.h - a device's own TLB, behind a software SMMUv3 with ATS
 *
 * A device model that has ATS enabled sends its DMA through one of these instead
 * of uiommu_sim_smmuv3_dma(). It asks for translations, keeps them, uses them, and
 * forgets them for one reason only: CMD_ATC_INV. A driver that unmaps and forgets
 * to send one keeps a device that reaches the old page, as with hardware.
 *
 * Locking. lock/unlock guard the cache; uiommu_sim_atc_inv() runs with the
 * simulator's lock held, so the cache's lock is always the inner one: nothing here
 * calls the simulator with it held.
 */
#ifndef UIOMMU_SIM_ATC_H
#define UIOMMU_SIM_ATC_H

#include <uiommu/sim/smmuv3.h>

#define UIOMMU_SIM_ATC_ENTRIES 64

/* One translation; @bytes is 0 where there is none. */
struct uiommu_sim_atc_entry {
	uiommu_iova_t iova;
	uiommu_pa_t pa;
	uint64_t bytes;
	uint32_t substream_id;
	bool ssv, priv, read, write, exec, global;
};

/**
 * struct uiommu_sim_atc - the cache of one device
 * @sim:       where it asks; set by uiommu_sim_atc_init(), as the next four
 * @stream_id: who it is
 * @ctx:       for the callbacks
 * @lock:      a mutex of this cache; NULL in a single thread
 * @unlock:    releases it
 * @entries:   the translations
 * @victim:    which is replaced next
 * @changes:   invalidations so far: an answer asked for before one is not kept
 * @using:     DMAs that use a translation now
 * @open:      invalidations that wait for them
 * @open_of:   likewise, by command queue
 * @mute:      it asks for nothing
 *
 * Everything from @entries on is guarded by @lock and not for others.
 */
struct uiommu_sim_atc {
	struct uiommu_sim_smmuv3 *sim;
	uint32_t stream_id;
	void *ctx;
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	struct uiommu_sim_atc_entry entries[UIOMMU_SIM_ATC_ENTRIES];
	unsigned victim, changes, using, open, open_of[UIOMMU_SIM_QUEUES];
	bool mute;
};

/**
 * uiommu_sim_atc_init() - an empty cache
 * @atc:       out; overwritten whole
 * @sim:       the SMMU in front of the device; must have ATS
 * @stream_id: of the device
 *
 * Set ctx, lock and unlock afterwards if several threads use it.
 *
 * Context:   any. There is nothing to undo it.
 * Ownership: @atc stays the caller's.
 */
void uiommu_sim_atc_init(struct uiommu_sim_atc *atc, struct uiommu_sim_smmuv3 *sim,
			 uint32_t stream_id);

/**
 * uiommu_sim_atc_dma() - a DMA of the device, with translations of its own
 * @atc:   the cache
 * @a:     the first access; stream_id and translated are not looked at
 * @buf:   @bytes in the device
 * @bytes: how many
 * @done:  out, may be NULL: bytes moved, valid on every return
 *
 * Context:  any thread, no lock held.
 * Hardware: translation requests where it has no translation, and translated
 *           transactions.
 * Return:   0, or, with what was done before it staying done,
 *   -UIOMMU_EACCES  no permission, or nothing is mapped: what a page request is for
 *   -UIOMMU_EFAULT  the request was refused (UR, CA), or not made as ATS is off, or the
 *                   transaction aborted
 */
int uiommu_sim_atc_dma(struct uiommu_sim_atc *atc, const struct uiommu_sim_access *a, void *buf,
		       size_t bytes, size_t *done);

/**
 * uiommu_sim_atc_inv() - CMD_ATC_INV has arrived
 * @atc: the cache
 * @inv: as env->atc_inv() got it, for this device
 *
 * A device that is slow returns 1 from env->atc_inv(), calls this later, and, where it
 * returns 0, uiommu_sim_smmuv3_atc_inv_done() itself.
 *
 * Context: from within env->atc_inv(), or as above without a lock. Takes the cache's lock.
 * Return:  what env->atc_inv() returns: 0, or 1 while a DMA still uses what went; the
 *          end of that DMA calls uiommu_sim_smmuv3_atc_inv_done().
 */
int uiommu_sim_atc_inv(struct uiommu_sim_atc *atc, const struct uiommu_sim_inval *inv);

/**
 * uiommu_sim_atc_flush() - the device forgets everything by itself, as in a reset
 * @atc: the cache
 *
 * Nobody is answered. A DMA that uses a translation goes on; what is asked now is asked
 * again.
 *
 * Context: any thread. Takes the cache's lock.
 */
void uiommu_sim_atc_flush(struct uiommu_sim_atc *atc);

/**
 * uiommu_sim_atc_enable() - the Enable bit of its ATS capability
 * @atc: the cache; on at first
 * @on:  it may ask. Off: when this returns no answer to an earlier request is kept. What
 *       the cache has stays, and is used: empty it, if the device is to be a good one
 *
 * Context: any thread. Takes the cache's lock.
 */
void uiommu_sim_atc_enable(struct uiommu_sim_atc *atc, bool on);

#endif
