/* SPDX-License-Identifier: MIT */
/**
 * uiommu/vfio.h - VFIO device files (/dev/vfio/devices/vfioN), as a library
 *
 * A device is anything with PCI configuration space and BARs behind a structure
 * of functions. Its file can be opened often; one open at a time has it bound to
 * an iommufd context, and only that one can do anything with it.
 *
 * Locking: one mutex per device, taken inside each call; any thread. Backend and
 * uaccess functions are called with it held, except bar_read and bar_write for
 * uiommu_vfio_load() and uiommu_vfio_store(); they may not call back here for the
 * same device. The function given to msi_alloc takes no lock.
 */
#ifndef UIOMMU_VFIO_H
#define UIOMMU_VFIO_H

#include <uiommu/iommufd.h>

/* as VFIO_PCI_*_REGION_INDEX / _IRQ_INDEX of the uAPI */
#define UIOMMU_VFIO_NUM_REGIONS	9
#define UIOMMU_VFIO_NUM_IRQS	5

/**
 * struct uiommu_vfio_backend - the function behind a device file
 * @ctx:          handed back to every function
 * @dev:          its device in the core; must outlive the VFIO device
 * @region_bytes: sizes; 0: no such region. BARs are powers of two, configuration
 *                space (7) is 256 or 4096, a ROM (6) or VGA (8) is not offered
 * @irq_count:    vectors of MSI (1) and MSI-X (2), up to 2048; INTx (0) is not
 *                offered, error and request (3, 4) are added by us
 * @mmap_ok:      may a program map this BAR; which of its pages trap is the front
 *                end's choice
 * @cfg_read:     configuration space as hardware has it; @size 1, 2 or 4, @off
 *                aligned to it
 * @cfg_write:    likewise
 * @bar_read:     @off within BAR @bar; @size 1, 2, 4 or 8. @off is aligned to it
 *                except where a program's trapped access was not. Any thread,
 *                several at once
 * @bar_write:    likewise
 * @reset:        function-level reset: ends what the function does, returns when
 *                none of its DMA is under way. It is called between
 *                uiommu_device_reset_prepare() and _done(), so none of it reaches
 *                anything. Where BARs are, PASID control and the command register
 *                are put back afterwards by us. NULL: it has none, and
 *                VFIO_DEVICE_RESET is refused
 * @msi_alloc:    reserves the doorbell for (irq index, vector): from now on a write
 *                of *@data to *@pa by this function, as its RID, calls @fn(@arg), on
 *                any thread. 0 or a negative error
 * @msi_program:  puts (@iova, @data) into the function's MSI or MSI-X registers and
 *                switches it on; again after a reset
 * @msi_free:     takes both back: when it returns no call of @fn is under way and
 *                none will come
 */
struct uiommu_vfio_backend {
	void *ctx;
	struct uiommu_dev *dev;
	uint64_t region_bytes[UIOMMU_VFIO_NUM_REGIONS];
	unsigned irq_count[UIOMMU_VFIO_NUM_IRQS];
	bool mmap_ok[6];
	uint32_t (*cfg_read)(void *ctx, unsigned off, unsigned size);
	void (*cfg_write)(void *ctx, unsigned off, uint32_t val, unsigned size);
	uint64_t (*bar_read)(void *ctx, unsigned bar, uint64_t off, unsigned size);
	void (*bar_write)(void *ctx, unsigned bar, uint64_t off, uint64_t val, unsigned size);
	void (*reset)(void *ctx);
	int (*msi_alloc)(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg),
			 void *arg, uiommu_pa_t *pa, uint32_t *data);
	void (*msi_program)(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
			    uint32_t data);
	void (*msi_free)(void *ctx, unsigned index, unsigned vector);
};

/* a device file, and one open of it */
struct uiommu_vfio_device;
struct uiommu_vfio_file;

/**
 * uiommu_vfio_device_create() - a device for programs
 * @host:    memory and locks; must outlive the device
 * @uaccess: how programs are reached; must outlive the device
 * @be:      copied; what it points to must outlive the device
 * @out:     the device; only set on success
 *
 * Context:   any thread; may sleep. Does not touch the function.
 * Ownership: the caller's, until uiommu_vfio_device_destroy().
 * Return:    0, or
 *   -UIOMMU_EINVAL  a size or a count in @be is not as said   nothing made
 *   -UIOMMU_ENOMEM  no memory, or no lock                     nothing made
 */
int uiommu_vfio_device_create(const struct uiommu_host *host, const struct uiommu_uaccess *uaccess,
			      const struct uiommu_vfio_backend *be,
			      struct uiommu_vfio_device **out);

/**
 * uiommu_vfio_device_destroy() - end it
 * @d: every open of it has been closed; gone afterwards
 *
 * Context: any thread; no other call on @d is under way. Cannot fail.
 */
void uiommu_vfio_device_destroy(struct uiommu_vfio_device *d);

/**
 * uiommu_vfio_open() - open() of the device file
 * @d:   the device
 * @out: the open file; only set on success
 *
 * Context:   any thread; may sleep. Does not touch the function.
 * Ownership: the caller's, until uiommu_vfio_close(). Copies of the program's
 *            file (dup, fork) are this one file.
 * Return:    0, or -UIOMMU_ENOMEM.
 */
int uiommu_vfio_open(struct uiommu_vfio_device *d, struct uiommu_vfio_file **out);

/**
 * uiommu_vfio_close() - the last reference to the file is gone
 * @f: gone afterwards; no other call on it is under way
 *
 * If it has the device: takes its interrupts away, switches the function's memory
 * decoding and bus mastering off, resets it, detaches RID and PASIDs, and lets the
 * context go.
 *
 * Context:  a thread that may sleep and on which uaccess may be called; takes the
 *           device's lock, then the context's. Cannot fail.
 * Hardware: as uiommu_iommufd_unbind().
 */
void uiommu_vfio_close(struct uiommu_vfio_file *f);

/**
 * uiommu_vfio_ioctl() - one ioctl on the device file
 * @f:   the file
 * @as:  who calls
 * @cmd: as given to ioctl()
 * @arg: as given: an address in @as
 *
 * Implemented: BIND_IOMMUFD, ATTACH_IOMMUFD_PT, DETACH_IOMMUFD_PT (with and without
 * PASID), GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, SET_IRQS, RESET. FEATURE is
 * understood and has none; a hot reset is refused (-ENODEV).
 *
 * Context:  a thread that may sleep and serves a request of @as; takes the device's
 *           lock, then the context's.
 * Hardware: BIND resets the function and leaves its memory decoding on, bus
 *           mastering off, its DMA BLOCKED. See uiommu_iommufd_attach() for the rest.
 * Return:   0 or a negative error, with Linux's number and meaning; a call that
 *           fails has changed nothing but what SET_IRQS says, and what an ATTACH did
 *           whose answer could not be written any more: it ends BLOCKED:
 *   -UIOMMU_EINVAL  not bound (everything but BIND); bound already, here or by
 *                   another open; argsz too small; an unknown flag, index, range;
 *                   ATTACH with PASID 0. SET_IRQS on a file that is not an eventfd
 *   -UIOMMU_EFAULT  an address cannot be read or written
 *   -UIOMMU_E2BIG   BIND: longer than known and the tail is not zero
 *   -UIOMMU_EBADF   BIND, SET_IRQS: no such file
 *   -77 (EBADFD)    BIND: a file, but not an iommufd
 *   -UIOMMU_ENOTTY  no such ioctl, feature, or SET_IRQS action (masking of messages)
 *   -UIOMMU_ENODEV  a hot reset
 *   -UIOMMU_EBUSY   ATTACH while the embedder resets the function, or one that it shares
 *                   a PASID table with (uiommu_device_reset_prepare())
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  RESET: the IOMMU does not answer. The function was
 *                   reset, and its RID and PASIDs are BLOCKED
 *   -UIOMMU_ENOMEM, and what uiommu_iommufd_bind(), uiommu_iommufd_attach() and
 *                   uiommu_iommufd_msi_map() answer
 *           When SET_IRQS fails with eventfds, none of the vectors it named has one.
 */
int uiommu_vfio_ioctl(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg);

/**
 * uiommu_vfio_read() - pread() on the device file
 * @f:     the file
 * @as:    who calls
 * @off:   region index << 40, plus bytes within the region
 * @bytes: how many; any
 * @user:  where to, in @as
 *
 * Done in the largest aligned accesses that fit, up to 8 bytes, up to 4 in
 * configuration space, lowest address first. Configuration space is as a program
 * may see it: BARs can be sized but do not move, the MSI capability is what the
 * program wrote, PASID's is hidden. Reading an MSI-X table gives ones.
 *
 * Context: a thread that may sleep and serves a request of @as; takes the device's
 *          lock.
 * Return:  bytes moved, fewer at the end of a BAR; or
 *   -UIOMMU_EINVAL  not bound; no such region; beyond the end of a BAR
 *   -UIOMMU_EFAULT  beyond the end of configuration space; or @user cannot be
 *                   written: registers may have been read
 *   -UIOMMU_EIO     memory decoding is off (PCI_COMMAND)
 */
int64_t uiommu_vfio_read(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t off,
			 uint64_t bytes, uint64_t user);

/**
 * uiommu_vfio_write() - pwrite() on the device file
 * @f:     the file
 * @as:    who calls
 * @off:   as for uiommu_vfio_read()
 * @bytes: how many; any
 * @user:  where from, in @as
 *
 * What a program may not change keeps its value. A write to an MSI-X table is lost.
 *
 * Context: as uiommu_vfio_read().
 * Return:  as uiommu_vfio_read(); on -UIOMMU_EFAULT for @user a part may have been
 *          written.
 */
int64_t uiommu_vfio_write(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t off,
			  uint64_t bytes, uint64_t user);

/**
 * uiommu_vfio_mmap() - may a part of the file be mapped, and what is it
 * @f:          the file
 * @off:        as given to mmap(); a multiple of 4096
 * @len:        bytes, a multiple of 4096
 * @region:     out: which BAR; only set on success
 * @region_off: out: bytes within it; only set on success
 *
 * The front end refuses MAP_PRIVATE with -EINVAL itself, and keeps the file open
 * while it is mapped.
 *
 * Context: any thread; takes the device's lock.
 * Return:  0, or
 *   -UIOMMU_EINVAL  not bound; not a BAR that may be mapped; not inside it
 */
int uiommu_vfio_mmap(struct uiommu_vfio_file *f, uint64_t off, uint64_t len, unsigned *region,
		     uint64_t *region_off);

/**
 * uiommu_vfio_load() - a program's load from a mapped BAR that traps
 * @f:      the file
 * @region: as from uiommu_vfio_mmap()
 * @off:    bytes within it
 * @size:   1, 2, 4 or 8
 *
 * Context: any thread, several at once; takes the device's lock for a moment, not
 *          during the access. Calls no uaccess function.
 * Return:  the value; all ones where nothing answers: outside the BAR, memory
 *          decoding off, not bound.
 */
uint64_t uiommu_vfio_load(struct uiommu_vfio_file *f, unsigned region, uint64_t off, unsigned size);

/**
 * uiommu_vfio_store() - a program's store to a mapped BAR that traps
 * @f:      the file
 * @region: as from uiommu_vfio_mmap()
 * @off:    bytes within it
 * @val:    the value
 * @size:   1, 2, 4 or 8
 *
 * Where uiommu_vfio_load() says all ones, it is lost.
 *
 * Context: as uiommu_vfio_load().
 */
void uiommu_vfio_store(struct uiommu_vfio_file *f, unsigned region, uint64_t off, uint64_t val,
		       unsigned size);

#endif
