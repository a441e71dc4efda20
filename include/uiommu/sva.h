/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sva.h - devices that share the address space of a process
 *
 * An mm stands for one address space of CPUs: the host owns its table, keeps it as the
 * process wants it, and says when entries change or when it ends. Bound to a device
 * it has one PASID, the same on every device for as long as any is bound, and a list
 * of domains, one for each kind of IOMMU it meets (S4); usually one.
 *
 * The host's part of the contract:
 *
 *   the table   in a format that the IOMMU walks, or an empty one and a handler that
 *               puts in what is asked for ("fault me in")
 *   invalidate  uiommu_mm_invalidate() after an entry was taken away or changed to
 *               something else, and before the page is used again
 *   die         uiommu_mm_die() before the table goes; binds may stay behind
 *   pin         where CPUs broadcast TLB maintenance by ASID: the number that they use,
 *               held as long as a device is bound. Translations are tagged with it where
 *               no other address space has it already; nothing relies on broadcasts
 *
 * An address space without a process (map and unmap on a PASID) needs none of this:
 * uiommu_pasid_alloc() draws from the same numbers, and any PAGING domain can be
 * attached to it.
 */
#ifndef UIOMMU_SVA_H
#define UIOMMU_SVA_H

#include <uiommu/iommu.h>
#include <uiommu/iopf.h>

struct uiommu_mm;
struct uiommu_sva;

/**
 * struct uiommu_mm_config - what a host says of an address space
 * @name:       "mm 4711", for people; copied, cut at 31 bytes
 * @table:      describes it: ops, top, widths, offset. Copied; the top stays where it is
 *              until uiommu_mm_die(). Only hardware reads it, nothing here changes it
 * @mair:       what its entries' attribute indexes mean (Arm: MAIR_EL1); 0: as the tables
 *              that src/pt makes
 * @iopf:       puts pages in; NULL: everything is resident, what is not there aborts
 * @ctx:        handed to the functions
 * @pin_asid:   see above: 0 and the number (not 0), or a negative UIOMMU_E*, which the
 *              bind returns. With the instance lock held. NULL: the IOMMU picks one
 * @unpin_asid: likewise; NULL with @pin_asid
 */
struct uiommu_mm_config {
	const char *name;
	const struct uiommu_pt *table;
	uint64_t mair;
	const struct uiommu_iopf_handler *iopf;
	void *ctx;
	int (*pin_asid)(void *ctx, uint32_t *asid);
	void (*unpin_asid)(void *ctx);
};

/**
 * uiommu_mm_create() - an address space that devices may share
 * @u:   the instance
 * @cfg: copied
 * @out: only set on success
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Hardware:  none.
 * Ownership: the caller's, until uiommu_mm_destroy() or uiommu_destroy().
 * Return:    0, or
 *   -UIOMMU_EINVAL  no table
 *   -UIOMMU_ENOMEM  the host gave no memory
 */
int uiommu_mm_create(struct uiommu *u, const struct uiommu_mm_config *cfg, struct uiommu_mm **out);

/**
 * uiommu_mm_die() - the process ends: its table is about to go
 * @mm: the address space; a second call does nothing
 *
 * What is bound stays bound, and reaches nothing: its PASID is not given to anybody
 * else before it is unbound.
 *
 * Context:   takes the instance lock; allocates nothing, cannot fail.
 * Hardware:  when it returns, nothing walks the table, nothing of it is cached, and
 *            every page request is answered.
 */
void uiommu_mm_die(struct uiommu_mm *mm);

/**
 * uiommu_mm_destroy() - give it back
 * @mm: not bound to anything; gone afterwards
 *
 * Context:   takes the instance lock.
 * Return:    0, or
 *   -UIOMMU_EBUSY  a device is bound
 */
int uiommu_mm_destroy(struct uiommu_mm *mm);

/**
 * uiommu_mm_invalidate() - entries of the table have changed
 * @mm: the address space
 * @g:  what changed: uiommu_pt_ops.unmap() fills it in, or the host by hand. Its tables
 *      are the caller's to free afterwards
 *
 * Context:   any thread that may spin for an IOMMU; takes no lock of its own; bind and
 *            unbind at the same time are fine. Allocates nothing.
 * Hardware:  when it returns, no DMA of any device bound to it uses what was there: one
 *            invalidation and one sync for each IOMMU.
 */
void uiommu_mm_invalidate(struct uiommu_mm *mm, const struct uiommu_gather *g);

/**
 * uiommu_mm_pasid() - the PASID that it has now
 * @mm: the address space
 *
 * Context:   any; takes no lock.
 * Return:    the number; UIOMMU_NO_PASID: it is bound nowhere.
 */
uiommu_pasid_t uiommu_mm_pasid(const struct uiommu_mm *mm);

/**
 * uiommu_mm_for_each_domain() - its domains, one for each kind of IOMMU it has met
 * @mm:  the address space
 * @fn:  called for each in the order of making; non-zero ends the walk
 * @ctx: handed to @fn
 *
 * Context:   any; takes no lock: within host->read_enter().
 * Return:    0, or what @fn returned last.
 */
int uiommu_mm_for_each_domain(struct uiommu_mm *mm, int (*fn)(void *ctx, struct uiommu_domain *dom),
			      void *ctx);

/**
 * uiommu_sva_bind_device() - a device gets the address space
 * @dev: the device; where it is shared, its group
 * @mm:  the address space
 * @out: the binding; of a second bind the same one, with a reference more
 *
 * The first bind of @mm draws its PASID; DMA with uiommu_sva_pasid() reaches what the
 * process reaches.
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  as uiommu_attach_device_pasid(), which it is.
 * Ownership: the caller's, until as many uiommu_sva_unbind_device(). Holds @mm.
 * Return:    0, or (everything is as before then)
 *   -UIOMMU_EOPNOTSUPP  the device or its IOMMU has no PASIDs
 *   -UIOMMU_EOVERFLOW   the PASID that @mm has is beyond what the device or the IOMMU
 *                       can send
 *   -UIOMMU_EBUSY       something else is attached to that PASID, or the device is
 *                       being reset
 *   -UIOMMU_EINVAL      the IOMMU cannot walk the table; @mm is of another instance
 *   -UIOMMU_ENODEV      @mm is dead
 *   -UIOMMU_ENOSPC      no PASID that the device can send is left, or no ASID
 *   -UIOMMU_ENOMEM      the host gave no memory
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer
 *   others              as cfg->pin_asid() returned
 */
int uiommu_sva_bind_device(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out);

/**
 * uiommu_sva_bind_rid() - all DMA of a device goes to the address space
 * @dev: one behind an IOMMU that has no PASIDs at all
 * @mm:  the address space
 * @out: as uiommu_sva_bind_device()
 *
 * Untagged DMA then reaches all that the process reaches: only for a device that
 * is trusted with that, so it has to be asked for by this name.
 *
 * Context:   as uiommu_sva_bind_device().
 * Hardware:  likewise, on the RID.
 * Ownership: likewise.
 * Return:    likewise, except
 *   -UIOMMU_EOPNOTSUPP  the IOMMU has PASIDs: use one
 */
int uiommu_sva_bind_rid(struct uiommu_dev *dev, struct uiommu_mm *mm, struct uiommu_sva **out);

/**
 * uiommu_sva_unbind_device() - give one bind back
 * @sva: the binding; gone afterwards, if it was the last
 *
 * With the last one of the device it is detached; with the last one of the mm, when
 * all that is drained and invalidated, the PASID may have a new owner. The caller has
 * told the device before to send no more with it. A device that was removed in the
 * meantime is fine, a PASID that somebody has detached by hand too.
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  as uiommu_detach_device_pasid(); page requests of that PASID are answered.
 */
void uiommu_sva_unbind_device(struct uiommu_sva *sva);

/**
 * uiommu_sva_pasid() - what the device has to send
 * @sva: the binding
 *
 * Context:   any; takes no lock.
 * Return:    the PASID; UIOMMU_NO_PASID from uiommu_sva_bind_rid().
 */
uiommu_pasid_t uiommu_sva_pasid(const struct uiommu_sva *sva);

#endif
