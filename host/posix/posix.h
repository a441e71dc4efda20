/* SPDX-License-Identifier: MIT */
/**
 * host/posix/posix.h - the host contract on Linux in user space: memory with
 * physical addresses, locks, reclamation, time, and registers that are calls
 *
 * A physical address is a frame that this host hands out: table memory (plain
 * memory of ours), pinned pages of a program (reached through their pin), and
 * register windows (calls). An address that nobody registered aborts.
 *
 *	table memory	0x40_0000_0000 .. 0x50_0000_0000; what is not allocated aborts
 *	frames		0x80_0000_0000 .. 0x1000_0000_0000 (44 bits), handed out
 *			upwards; an address is not used again before all others were
 *	registers	anywhere else below 2^48, where uiommu_posix_add_mmio() says
 */
#ifndef UIOMMU_HOST_POSIX_H
#define UIOMMU_HOST_POSIX_H

#include <uiommu/host.h>

#define UIOMMU_POSIX_TABLE_PA	0x4000000000ull
#define UIOMMU_POSIX_FRAMES_PA	0x8000000000ull
#define UIOMMU_POSIX_PA_END	0x100000000000ull

struct uiommu_posix;

/**
 * uiommu_posix_create() - a host with nothing in it
 * @out: the host; untouched on failure
 *
 * Reserves address space for tables (64 GiB, less where a limit forbids it) and
 * takes memory only for what is used. Makes no thread before the first
 * irq_request().
 *
 * Context:   any thread; may sleep.
 * Ownership: the caller destroys it.
 * Return:    0, or -UIOMMU_ENOMEM (nothing was made).
 */
int uiommu_posix_create(struct uiommu_posix **out);

/**
 * uiommu_posix_destroy() - give everything back
 * @p: the host, or NULL
 *
 * Runs what retire() still holds, stops the interrupt thread. What was
 * allocated, registered or requested and not given back is said on the log, one
 * line a kind, and then freed.
 *
 * Context: one thread, with nobody using @p any more; not from its callbacks.
 */
void uiommu_posix_destroy(struct uiommu_posix *p);

/**
 * uiommu_posix_host() - the host contract of @p
 * @p: the host
 *
 * Context: any.
 * Return:  valid and unchanged until @p is destroyed.
 */
const struct uiommu_host *uiommu_posix_host(struct uiommu_posix *p);

/**
 * uiommu_posix_from_host() - the other way round
 * @host: from uiommu_posix_host(), not any other
 *
 * Context: any.
 * Return:  the host that it belongs to.
 */
struct uiommu_posix *uiommu_posix_from_host(const struct uiommu_host *host);

/**
 * uiommu_posix_set_log() - where lines go, and which
 * @p:     the host
 * @max:   the least important level that is still written; WARN at first
 * @fn:    gets the line without a newline; NULL: stderr, as "uiommu: line"
 * @ctx:   handed to @fn
 *
 * Context: before others use @p.
 */
void uiommu_posix_set_log(struct uiommu_posix *p, enum uiommu_log_level max,
			  void (*fn)(void *ctx, enum uiommu_log_level level, const char *line),
			  void *ctx);

/**
 * uiommu_posix_add_mmio() - a register window
 * @p:     the host
 * @pa:    where; a multiple of 4096
 * @bytes: a multiple of 4096, not 0
 * @ops:   the registers; a NULL function aborts. Must outlive the window
 * @ctx:   handed to @ops
 *
 * host->mmio_map() of @pa hands it to a driver; a DMA to it (a doorbell) of 4 or
 * 8 aligned bytes calls the same functions.
 *
 * Context: any thread; may sleep. @ops are called on any thread that accesses it.
 * Return:  0, or
 *   -UIOMMU_EINVAL  alignment, zero, or beyond 48 bits	nothing was added
 *   -UIOMMU_EBUSY   overlaps table memory, frames or another window, likewise
 *   -UIOMMU_ENOMEM  likewise
 */
int uiommu_posix_add_mmio(struct uiommu_posix *p, uiommu_pa_t pa, uint64_t bytes,
			  const struct uiommu_mmio_ops *ops, void *ctx);

/**
 * uiommu_posix_remove_mmio() - take a register window away
 * @p:  the host
 * @pa: as given to add; nothing happens if there is no window
 *
 * Returns when no DMA to it is under way. A driver's uiommu_mmio must have been
 * unmapped.
 *
 * Context: any thread; sleeps; not from the window's own functions, nor with a
 *          lock held that they take.
 */
void uiommu_posix_remove_mmio(struct uiommu_posix *p, uiommu_pa_t pa);

/**
 * struct uiommu_posix_frames_ops - how frames are reached
 * @read:  copy @bytes at @off (from the first frame) to @buf; 0, or negative: abort
 * @write: the other way
 *
 * Context: any thread, several at a time; may sleep, but a DMA waits for it.
 */
struct uiommu_posix_frames_ops {
	int (*read)(void *ctx, uint64_t off, void *buf, size_t bytes);
	int (*write)(void *ctx, uint64_t off, const void *buf, size_t bytes);
};

/**
 * uiommu_posix_add_frames() - physical addresses for pages reached by a call
 * @p:         the host
 * @bytes:     a multiple of 4096, not 0
 * @want:      what the address should look like ...
 * @congruent: ... modulo this power of two, 4096 to 1 GiB, so that large pages are
 *             possible: *@pa % @congruent == @want % @congruent
 * @ops:       must outlive the frames
 * @ctx:       handed to @ops
 * @pa:        out, the first byte
 *
 * Context:   any thread; may sleep.
 * Ownership: the caller removes them.
 * Return:    0, or
 *   -UIOMMU_EINVAL  alignment, zero, or @congruent	nothing was added
 *   -UIOMMU_ENOSPC  no such range is free		likewise
 *   -UIOMMU_ENOMEM					likewise
 */
int uiommu_posix_add_frames(struct uiommu_posix *p, uint64_t bytes, uint64_t want,
			    uint64_t congruent, const struct uiommu_posix_frames_ops *ops,
			    void *ctx, uiommu_pa_t *pa);

/**
 * uiommu_posix_remove_frames() - take frames away
 * @p:  the host
 * @pa: from uiommu_posix_add_frames() or uiommu_posix_pin_self()
 *
 * Returns when no access to them is under way; they abort from then on.
 *
 * Context: any thread; sleeps; not from the frames' own functions, nor with a
 *          lock held that they take.
 */
void uiommu_posix_remove_frames(struct uiommu_posix *p, uiommu_pa_t pa);

/**
 * uiommu_posix_pin_self() - physical addresses for memory of this process
 * @p:   the host
 * @va:  a multiple of 4096
 * @len: bytes, a multiple of 4096, not 0
 * @pa:  out; congruent to @va modulo 2 MiB (1 GiB for a GiB and more)
 *
 * For tests and users of the C API: plain memory, accessed through @va itself. The
 * caller keeps it mapped and readable and writable until
 * uiommu_posix_remove_frames(*@pa).
 *
 * Context: any thread; may sleep.
 * Return:  as uiommu_posix_add_frames().
 */
int uiommu_posix_pin_self(struct uiommu_posix *p, void *va, uint64_t len, uiommu_pa_t *pa);

/**
 * uiommu_posix_pa_read() - what hardware does: read physical memory
 * @p:     the host
 * @pa:    any address
 * @buf:   at least @bytes
 * @bytes: 0 is allowed and always succeeds
 *
 * An aligned access of 1, 2, 4 or 8 bytes to table memory or a window is one
 * access (single-copy atomic, load-acquire); longer ones are made of aligned
 * 8-byte ones where possible.
 *
 * Context: any thread.
 * Return:  0, or -UIOMMU_EFAULT: an external abort; a part may have been read.
 */
int uiommu_posix_pa_read(struct uiommu_posix *p, uiommu_pa_t pa, void *buf, size_t bytes);

/**
 * uiommu_posix_pa_write() - what hardware does: write physical memory
 * @p:     the host
 * @pa:    any address
 * @buf:   at least @bytes
 * @bytes: 0 is allowed and always succeeds
 *
 * The counterpart of uiommu_posix_pa_read(); stores release.
 *
 * Context: any thread.
 * Return:  0, or -UIOMMU_EFAULT: an external abort; a part may have been written.
 */
int uiommu_posix_pa_write(struct uiommu_posix *p, uiommu_pa_t pa, const void *buf, size_t bytes);

enum uiommu_posix_memory {
	UIOMMU_POSIX_TABLES,		/* what is allocated of table memory */
	UIOMMU_POSIX_FRAMES,		/* pages of programs */
};

/**
 * uiommu_posix_for_each_memory() - which physical memory there is
 * @p:    the host
 * @what: which kind; register windows are neither
 * @fn:   called for each range: bytes, multiples of 64 (tables) or 4096 (frames).
 *        Tables come in order of their addresses, frames in any. Non-zero ends it
 * @ctx:  handed to @fn
 *
 * @fn is called with the lock of that kind of memory held: nothing of it is given back
 * meanwhile, so tables may be read through host->table_offset; and @fn must not call
 * anything of this host.
 *
 * Context: any thread; may sleep. What changes meanwhile may be seen or not.
 * Return:  0, or what @fn returned last.
 */
int uiommu_posix_for_each_memory(struct uiommu_posix *p, enum uiommu_posix_memory what,
				 int (*fn)(void *ctx, uiommu_pa_t pa, uint64_t bytes), void *ctx);

/**
 * uiommu_posix_raise_irq() - an edge on interrupt line @irq
 * @p:   the host
 * @irq: any number; one that nobody requested is dropped
 *
 * What irq_request() registered is called soon, at least once after this, on a
 * thread of the host's own; or in uiommu_posix_poll_irqs() on a host without
 * threads. Edges that come before it is called are one.
 *
 * Context: any thread, with any locks held; never blocks for long.
 */
void uiommu_posix_raise_irq(struct uiommu_posix *p, unsigned irq);

/**
 * uiommu_posix_set_polled() - interrupts without a thread
 * @p: the host
 *
 * For tests that want each step in its place: handlers run only in
 * uiommu_posix_poll_irqs().
 *
 * Context: before the first irq_request().
 */
void uiommu_posix_set_polled(struct uiommu_posix *p);

/**
 * uiommu_posix_poll_irqs() - run the handlers of lines that were raised
 * @p: a polled host (on any other this does nothing)
 *
 * Context: one thread at a time, with no locks held.
 */
void uiommu_posix_poll_irqs(struct uiommu_posix *p);

#endif
