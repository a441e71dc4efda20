/* SPDX-License-Identifier: MIT */
/**
 * uiommu/dma.h - address spaces for devices that the embedder drives itself
 *
 * A domain with an allocator of IOVAs: map gives an IOVA for physical memory, unmap
 * takes it back. Attach uiommu_dma_domain() to RIDs or PASIDs as any other domain, or
 * make it a device's default (uiommu_device_set_default()).
 *
 * Strict: when unmap has returned, the device does not reach the memory any more.
 * Deferred: it may, until the next flush; in return one invalidation serves up to
 * UIOMMU_DMA_QUEUE unmaps. That is for devices that are trusted not to write where
 * they were told no more. In both no IOVA is given out again before its invalidation.
 */
#ifndef UIOMMU_DMA_H
#define UIOMMU_DMA_H

#include <uiommu/iommu.h>

struct uiommu_dma;

enum uiommu_dma_mode {
	UIOMMU_DMA_STRICT,
	UIOMMU_DMA_DEFERRED,
};

#define UIOMMU_DMA_QUEUE	256u		/* unmaps that wait, at most */
#define UIOMMU_DMA_WAIT_NS	10000000u	/* the next unmap after that flushes */

/**
 * uiommu_dma_create() - make one
 * @dev:  a device that it is for: decides about the format, and its reserved ranges
 *        are never given out
 * @mode: see above
 * @last: the last IOVA that the device can send, 0xffffffff for 32 bits; at most what
 *        the format has, and 512 GiB - 1 with 4 KiB pages, is used
 * @out:  only set on success
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Ownership: the caller's, until uiommu_dma_destroy().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EINVAL  @last is below the first page
 *   others          as uiommu_domain_alloc_paging()
 */
int uiommu_dma_create(struct uiommu_dev *dev, enum uiommu_dma_mode mode, uiommu_iova_t last,
		      struct uiommu_dma **out);

/**
 * uiommu_dma_destroy() - end one
 * @dma: gone afterwards, with its domain; what is still mapped is forgotten
 *
 * Context:   takes the instance lock; no other call on @dma is under way. Allocates
 *            nothing.
 * Hardware:  deferred: a last flush.
 * Return:    0, or
 *   -UIOMMU_EBUSY  its domain is attached, or a default   @dma stays
 */
int uiommu_dma_destroy(struct uiommu_dma *dma);

/**
 * uiommu_dma_domain() - the domain to attach
 * @dma: the one
 *
 * Nobody else maps into it or unmaps from it.
 *
 * Context:   any; takes no lock.
 * Return:    never NULL; good as long as @dma.
 */
struct uiommu_domain *uiommu_dma_domain(struct uiommu_dma *dma);

/**
 * uiommu_dma_map() - let devices reach physical memory
 * @dma:  the one
 * @pa:   bytes, any alignment
 * @len:  bytes, 1 to 1 GiB
 * @prot: UIOMMU_PROT_*; the whole pages around are reached
 * @iova: out; as far into its page as @pa; only set on success
 *
 * IOVAs are aligned to the size, rounded up to a power of two: large pages are used
 * where @pa allows. Small ones come from a cache of the calling thread.
 *
 * Context:   any thread that may sleep, or where host->table_alloc() and host->alloc()
 *            may be called; several at once.
 * Hardware:  no command.
 * Ownership: the memory is the devices' too, until uiommu_dma_unmap().
 * Return:    0, or (nothing is mapped then)
 *   -UIOMMU_EINVAL  @len is out of range, or the permission
 *   -UIOMMU_ERANGE  beyond what the table can put out
 *   -UIOMMU_ENOSPC  no IOVAs are left
 *   -UIOMMU_ENOMEM  the host gave no memory
 */
int uiommu_dma_map(struct uiommu_dma *dma, uiommu_pa_t pa, uint64_t len, unsigned prot,
		   uiommu_iova_t *iova);

/**
 * uiommu_dma_unmap() - take it back
 * @dma:  the one
 * @iova: from uiommu_dma_map()
 * @len:  as it was given there
 *
 * Context:   any thread that may spin for an IOMMU; several at once. Allocates nothing
 *            and does not fail.
 * Hardware:  strict: one invalidation and one sync for each IOMMU; deferred: none, or
 *            those of a flush when UIOMMU_DMA_QUEUE wait or the oldest has waited
 *            UIOMMU_DMA_WAIT_NS.
 * Ownership: strict: the memory is the caller's alone. Deferred: after the next flush.
 */
void uiommu_dma_unmap(struct uiommu_dma *dma, uiommu_iova_t iova, uint64_t len);

/**
 * uiommu_dma_flush() - what was unmapped before is out of reach when it returns
 * @dma: the one; strict: nothing happens
 *
 * Call it from a timer: a device that falls silent would leave its last unmaps
 * waiting.
 *
 * Context:   as uiommu_dma_unmap().
 * Hardware:  one invalidation of all of the domain, one sync, for each IOMMU.
 */
void uiommu_dma_flush(struct uiommu_dma *dma);

#endif
