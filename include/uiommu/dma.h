/* SPDX-License-Identifier: MIT */
/**
 * uiommu/dma.h - address spaces for devices that the embedder drives itself
 *
 * A domain with an allocator of IOVAs: map gives an IOVA for physical memory, unmap
 * takes it back. Attach uiommu_dma_domain() to RIDs or PASIDs as any other domain, or
 * make it a device's default (uiommu_device_set_default()).
 *
 * Strict: when unmap has returned, the device does not reach the memory any more.
 * Deferred: it may, until the next flush; in return one invalidation serves
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

#ifndef UIOMMU_DMA_QUEUE			/* a build of the library may choose */
#define UIOMMU_DMA_QUEUE	256u		/* unmaps that wait, at most, in each... */
#endif
#define UIOMMU_DMA_QUEUES	4u		/* ...of so many; a thread has one of them */
#define UIOMMU_DMA_WAIT_NS	10000000u	/* how long one waits: uiommu_dma_set_timer() */

/**
 * uiommu_dma_create() - make one
 * @dev:  a device that it is for: decides about the format, and its reserved ranges
 *        are never given out
 * @mode: see above
 * @last: the last IOVA that the device can send, 0xffffffff for 32 bits; UINT64_MAX:
 *        as far as the format goes, but no more than 2^36 pages. Whoever attaches the
 *        domain to several devices gives the least of theirs here, and takes for @dev
 *        one that has the reserved ranges of all
 * @out:  only set on success
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Ownership: the caller's, until uiommu_dma_destroy().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EINVAL  @last is below the second page; the first is never given out
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
 * @len:  bytes, not 0
 * @prot: UIOMMU_PROT_*; the whole pages around are reached
 * @iova: out; as far into its page as @pa; only set on success
 *
 * IOVAs are aligned to the size, rounded up to a power of two: large pages are used
 * where @pa allows. Sizes up to 32 pages are rounded up as well, those from 2^18 pages on
 * to a multiple of that; what is between takes no more than it needs. Small ones come
 * from a cache of the calling thread.
 *
 * Context:   any thread that may sleep, or where host->table_alloc() and host->alloc()
 *            may be called; several at once.
 * Hardware:  no command.
 * Ownership: the memory is the devices' too, until uiommu_dma_unmap().
 * Return:    0, or (nothing is mapped then)
 *   -UIOMMU_EINVAL  @len is 0 or 2^60 and more, or the permission is wrong
 *   -UIOMMU_ERANGE  beyond what the table can put out
 *   -UIOMMU_ENOSPC  no IOVAs are left, or so many never were
 *   -UIOMMU_ENOMEM  the host gave no memory
 */
int uiommu_dma_map(struct uiommu_dma *dma, uiommu_pa_t pa, uint64_t len, unsigned prot,
		   uiommu_iova_t *iova);

/**
 * struct uiommu_dma_seg - a piece of a scatter list
 * @pa:   bytes, any alignment
 * @len:  bytes, not 0
 * @iova: out; as far into its page as @pa
 */
struct uiommu_dma_seg {
	uiommu_pa_t pa;
	uint64_t len;
	uiommu_iova_t iova;
};

/**
 * uiommu_dma_map_sg() - let devices reach a scatter list
 * @dma:  the one
 * @seg:  the list; iova of each is set on success, and may be on failure
 * @n:    how many, not 0
 * @prot: as for uiommu_dma_map()
 *
 * One block of IOVAs for all of them, page after page in the order of the list: a
 * segment that ends with its page and one that begins with it are one to the device.
 *
 * Context:   as uiommu_dma_map().
 * Hardware:  likewise.
 * Ownership: likewise, until uiommu_dma_unmap_sg() for the same list.
 * Return:    likewise, and -UIOMMU_EINVAL for @n 0   (nothing is mapped then)
 */
int uiommu_dma_map_sg(struct uiommu_dma *dma, struct uiommu_dma_seg *seg, unsigned n,
		      unsigned prot);

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
 * uiommu_dma_unmap_sg() - take a scatter list back
 * @dma: the one
 * @seg: as uiommu_dma_map_sg() left it, all of it
 * @n:   likewise
 *
 * Context:   as uiommu_dma_unmap().
 * Hardware:  likewise: one invalidation for all of it.
 * Ownership: likewise.
 */
void uiommu_dma_unmap_sg(struct uiommu_dma *dma, const struct uiommu_dma_seg *seg, unsigned n);

/**
 * uiommu_dma_set_timer() - who flushes when nobody unmaps any more
 * @dma: the one, before anybody maps with it; strict: @fn is never called
 * @fn:  an unmap has to wait, and no timer is running: uiommu_dma_flush() shall be called
 *       UIOMMU_DMA_WAIT_NS from now. Not called again before that flush. It may be called
 *       in whatever context unmap is, several threads being in there, and calls nothing
 *       of this library
 * @ctx: handed to @fn
 *
 * Unmaps flush by themselves when the oldest has waited UIOMMU_DMA_WAIT_NS, but a device
 * that falls silent leaves its last ones waiting, up to UIOMMU_DMA_QUEUE times
 * UIOMMU_DMA_QUEUES: their memory stays in reach and their IOVAs taken. Without a timer
 * the embedder calls uiommu_dma_flush() at times of its own.
 *
 * Context:   nobody else uses @dma.
 */
void uiommu_dma_set_timer(struct uiommu_dma *dma, void (*fn)(void *ctx), void *ctx);

/**
 * uiommu_dma_flush() - what was unmapped before is out of reach when it returns
 * @dma: the one; strict: nothing happens
 *
 * For a timer (uiommu_dma_set_timer()), and for whoever must have the memory back now.
 *
 * Context:   as uiommu_dma_unmap().
 * Hardware:  one invalidation of all of the domain, one sync, for each IOMMU; none where
 *            nothing waits.
 */
void uiommu_dma_flush(struct uiommu_dma *dma);

#endif
