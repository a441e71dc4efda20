/* SPDX-License-Identifier: MIT */
/**
 * uiommu/iommufd.h - the /dev/iommu object model, as a library
 *
 * One context per open("/dev/iommu"). A front end (a preloaded library's
 * server, a supervisor) turns system calls into these calls. Nothing here
 * belongs to "this process": programs are reached through uiommu/uaccess.h.
 *
 * A context holds objects with numbers: I/O address spaces (IOAS), page tables
 * of them (HWPT, each a core domain), bound devices. It is referenced by the
 * program's open file, by each device bound to it and by what is mapped of the file, so
 * any may go first, as with a kernel.
 *
 * Locking: one mutex per context, taken inside each call; any thread, any number
 * of contexts. It is held while a program's memory is copied and pinned, so
 * uaccess may not call back here for the same context. Order: a VFIO device's
 * lock, a context's, the core's. The host's lock functions may be NULL in a
 * single-threaded host.
 */
#ifndef UIOMMU_IOMMUFD_H
#define UIOMMU_IOMMUFD_H

#include <uiommu/iommu.h>
#include <uiommu/uaccess.h>

struct uiommu_iommufd;		/* a context */
struct uiommu_iommufd_dev;	/* the DEVICE object that a VFIO bind makes */
struct uiommu_iommufd_fault;	/* a fault queue */
struct uiommu_iommufd_veventq;	/* an event queue of a VM */
struct uiommu_iommufd_region;	/* registers that a program may map */

/* The kind to pass to uaccess->file_object() for a context. Compared by address. */
extern const char uiommu_iommufd_kind[];
/* ... and to uaccess->file_give() for a fault queue. */
extern const char uiommu_iommufd_fault_kind[];
extern const char uiommu_iommufd_veventq_kind[];

/**
 * struct uiommu_iommufd_config - what a context works with
 * @u:         the instance whose devices it may be given
 * @host:      memory and locks for its own objects; must outlive the context
 * @uaccess:   how its programs are reached; must outlive the context
 * @msi_base:  bytes, multiple of 4096. The MSI window: the IOVA range that
 *             IOAS_IOVA_RANGES leaves out once a device's RID is attached, as it
 *             does with the device's reserved ranges, where
 *             the device's doorbell pages are mapped. Linux: 0x8000000
 * @msi_bytes: bytes, multiple of 4096; Linux: 0x100000. 0: no window, and no
 *             interrupts. No more than the first 256 pages are used
 */
struct uiommu_iommufd_config {
	struct uiommu *u;
	const struct uiommu_host *host;
	const struct uiommu_uaccess *uaccess;
	uiommu_iova_t msi_base;
	uint64_t msi_bytes;
};

/**
 * uiommu_iommufd_create() - a new, empty context: open("/dev/iommu")
 * @cfg: copied; see there
 * @out: the context with one reference, the caller's; only set on success
 *
 * Context:   any thread; may sleep.
 * Ownership: give the reference back with uiommu_iommufd_put(), before @cfg->u is
 *            destroyed.
 * Return:    0, or
 *   -UIOMMU_EINVAL  the MSI window is not whole pages, or wraps   nothing made
 *   -UIOMMU_ENOMEM  no memory, or no lock                         nothing made
 */
int uiommu_iommufd_create(const struct uiommu_iommufd_config *cfg, struct uiommu_iommufd **out);

/**
 * uiommu_iommufd_get() - take a reference
 * @ctx: a context that the caller knows to be alive
 *
 * Context: any thread; takes the context's lock. Cannot fail.
 */
void uiommu_iommufd_get(struct uiommu_iommufd *ctx);

/**
 * uiommu_iommufd_put() - give a reference back
 * @ctx: not used by the caller any more
 *
 * The last put destroys every object, in an order that works: page tables are
 * emptied and freed, pins released, address spaces of programs let go.
 *
 * Context:  a thread that may sleep and on which uaccess->unpin() and as_put() may
 *           be called; takes the context's lock. Allocates nothing, cannot fail.
 * Hardware: the last one invalidates what the page tables held; no device is
 *           attached to them any more, since each would hold a reference.
 */
void uiommu_iommufd_put(struct uiommu_iommufd *ctx);

/**
 * uiommu_iommufd_ioctl() - one ioctl of a program on its /dev/iommu file
 * @ctx: the context behind the file
 * @as:  who calls; kept (uaccess->as_get()) for as long as a mapping names its memory
 * @cmd: as given to ioctl(), the whole 32 bits
 * @arg: as given: an address in @as
 *
 * Implemented: DESTROY, IOAS_ALLOC, IOAS_ALLOW_IOVAS, IOAS_COPY, IOAS_IOVA_RANGES,
 * IOAS_MAP, IOAS_UNMAP, OPTION (RLIMIT_MODE can only be read), VFIO_IOAS,
 * HWPT_ALLOC (PASID, NEST_PARENT, FAULT_ID_VALID, and the data of an SMMUv3 guest on a
 * vIOMMU), FAULT_QUEUE_ALLOC,
 * GET_HW_INFO (also by IOMMU_HW_INFO_FLAG_INPUT_TYPE), VIOMMU_ALLOC (SMMUv3, and
 * TEGRA241_CMDQV where the SMMU has it), VDEVICE_ALLOC, VEVENTQ_ALLOC (of both), HWPT_INVALIDATE
 * of a vIOMMU, HW_QUEUE_ALLOC (TEGRA241_CMDQV).
 * Understood, and answered as on hardware without: dirty bits (the flag,
 * HWPT_SET_DIRTY_TRACKING, HWPT_GET_DIRTY_BITMAP).
 * And, as on Linux, the calls of a
 * VFIO container for the IOAS that VFIO_IOAS named: GET_API_VERSION,
 * CHECK_EXTENSION, SET_IOMMU (type 1 and 1v2), IOMMU_GET_INFO, MAP_DMA, UNMAP_DMA.
 *
 * Memory is pinned while the address space has a page table: IOAS_MAP pins at once
 * if there is one, otherwise the first HWPT_ALLOC or attach does, and a bad
 * address (-EFAULT) or a limit (-ENOMEM) shows then. All page tables, and what
 * IOAS_COPY made of it, share the pin.
 *
 * The data of VIOMMU_ALLOC for TEGRA241_CMDQV is 16 bytes, and all of it is out: offset and
 * length for an mmap() of the file (uiommu_iommufd_mmap()), which gives the registers of the
 * VM's queues. HW_QUEUE_ALLOC takes a queue by its address in the parent's address space:
 * queues are made from number 0 up, and destroyed from the top. Its memory stays mapped there
 * meanwhile, and is pinned. It has to be physically in one piece: it is if one IOAS_MAP mapped
 * it, none of it was pinned before for a part alone (IOAS_COPY), and the host keeps what
 * uaccess->pin() says.
 *
 * Context:   a thread that may sleep and serves a request of @as; takes the
 *            context's lock, calls uaccess under it.
 * Hardware:  when IOAS_UNMAP has returned, no DMA reaches the memory any more.
 * Return:    0 (CHECK_EXTENSION: 0 or 1) or a negative error, with Linux's number
 *            and meaning. A call that fails has changed nothing, also where it
 *            fails because its answer could not be written; only a queue whose file
 *            the program has already stays, with that file. Of every structure:
 *   -UIOMMU_EFAULT      it cannot be read or written; HW_QUEUE_ALLOC: the memory is not in
 *                       one piece
 *   -UIOMMU_EINVAL      it is shorter than the ioctl needs
 *   -UIOMMU_E2BIG       it is longer than known and the tail is not zero
 *   -UIOMMU_EOPNOTSUPP  an unknown flag, or a reserved member is not zero
 *   -UIOMMU_ENOTTY      there is no such ioctl (IOAS_MAP_FILE, IOAS_CHANGE_PROCESS,
 *                       FAULT_QUEUE_ALLOC where uaccess cannot give files, and unknown
 *                       ones)
 *   -UIOMMU_ENOENT      no object of that number and kind; nothing mapped there, or
 *                       a mapping would have to be split
 *   -UIOMMU_EBUSY       DESTROY of what something else uses, or a program has mapped;
 *                       IOAS_UNMAP of a mapping in which a queue is
 *   -UIOMMU_EEXIST      IOAS_MAP over a mapping; VDEVICE_ALLOC of a device that has
 *                       one, or with a number that another one has; VEVENTQ_ALLOC and
 *                       HW_QUEUE_ALLOC of one that is there
 *   -UIOMMU_ERANGE      VDEVICE_ALLOC: no StreamID has so many bits; HW_QUEUE_ALLOC: no
 *                       whole pages that large
 *   -UIOMMU_EIO         a guest's STE or command says what it may not; entry_num of
 *                       HWPT_INVALIDATE says how many were handled before it;
 *                       HW_QUEUE_ALLOC: the queue before it is not there
 *   -UIOMMU_EADDRINUSE  the allowed IOVAs or a mapping collide with a reservation
 *   -UIOMMU_ENOSPC      no IOVA range is left that fits; the IOMMU has no more interfaces
 *                       with queues, or a VM's has no room for another device
 *   -UIOMMU_EOVERFLOW   a range ends beyond 64 bits
 *   -UIOMMU_EMSGSIZE    IOAS_IOVA_RANGES: the array is short, num_iovas says how long
 *   -UIOMMU_EPERM       a writable copy of a read-only mapping; SET of RLIMIT_MODE
 *   -UIOMMU_ENODEV      VFIO_IOAS, and the container's calls: none is set
 *   -UIOMMU_ENOMEM      the host has no memory, or the program may not pin so much
 */
int uiommu_iommufd_ioctl(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t cmd,
			 uint64_t arg);

/* ---- registers in a program's hands: mmap() of the context's file ---- */

/**
 * uiommu_iommufd_mmap() - a program maps what an ioctl gave it an offset for
 * @ctx: the context behind the file
 * @off: as given to mmap()
 * @len: bytes, whole pages; all of what that ioctl said
 * @out: out: the registers; only set on success
 *
 * The front end refuses what is not MAP_SHARED (-EINVAL) and PROT_EXEC (-EPERM) itself, as
 * the kernel does. It maps nothing that could be touched, and makes each access a call of
 * uiommu_iommufd_load() or uiommu_iommufd_store().
 *
 * Context:   any thread; takes the context's lock.
 * Ownership: until uiommu_iommufd_munmap(), once for each call: the context stays, whatever
 *            file is closed, and DESTROY of the object with the registers is -EBUSY.
 * Return:    0, or
 *   -UIOMMU_ENXIO  no ioctl gave out @off, or not that length	nothing is held
 */
int uiommu_iommufd_mmap(struct uiommu_iommufd *ctx, uint64_t off, uint64_t len,
			struct uiommu_iommufd_region **out);

/**
 * uiommu_iommufd_munmap() - the last part of a mapping is gone, in every process
 * @reg: not used any more by this mapping
 *
 * Context: as uiommu_iommufd_put(), which it ends with. Cannot fail.
 */
void uiommu_iommufd_munmap(struct uiommu_iommufd_region *reg);

/**
 * uiommu_iommufd_load() - a program's load from mapped registers
 * @reg:  the registers
 * @off:  bytes from their start
 * @size: bytes
 *
 * Context:  any thread, several at once; takes no lock, calls no uaccess function.
 * Hardware: one read of a register.
 * Return:   the value; 0 where there is no register of 4 or 8 aligned bytes.
 */
uint64_t uiommu_iommufd_load(struct uiommu_iommufd_region *reg, uint64_t off, unsigned size);

/**
 * uiommu_iommufd_store() - a program's store to mapped registers
 * @reg:  the registers
 * @off:  bytes from their start
 * @val:  the value
 * @size: bytes
 *
 * Context:  as uiommu_iommufd_load().
 * Hardware: one write of a register, nothing where a load says 0 for want of one.
 */
void uiommu_iommufd_store(struct uiommu_iommufd_region *reg, uint64_t off, uint64_t val,
			  unsigned size);

/* ---- the files of fault queues: what uaccess->file_give() was given ---- */

/**
 * uiommu_iommufd_fault_read() - read() of a fault queue
 * @f:     the queue
 * @as:    who reads
 * @off:   position; 0
 * @bytes: a multiple of 40 (struct iommu_hwpt_pgfault)
 * @user:  where to, in @as
 *
 * Whole groups, as many as fit, each with a cookie to answer it by. Never blocks.
 *
 * Context:  as uiommu_iommufd_ioctl().
 * Hardware: none.
 * Return:   how many bytes; 0: there is nothing to be read; or
 *   -UIOMMU_ESPIPE  @off, or @bytes is no multiple
 *   -UIOMMU_EINVAL  the first group does not fit       it stays to be read
 *   -UIOMMU_EFAULT  it cannot be written               it stays to be read
 *   -UIOMMU_ENOMEM  no memory for a cookie             it stays to be read
 */
int64_t uiommu_iommufd_fault_read(struct uiommu_iommufd_fault *f, struct uiommu_as *as,
				  uint64_t off, uint64_t bytes, uint64_t user);

/**
 * uiommu_iommufd_fault_write() - write() of a fault queue: answers
 * @f:     the queue
 * @as:    who writes
 * @off:   position; 0
 * @bytes: a multiple of 8 (struct iommu_hwpt_page_response)
 * @user:  where from, in @as
 *
 * Context:  as uiommu_iommufd_ioctl().
 * Hardware: the access is tried again, or fails.
 * Return:   how many bytes, up to the first bad one; or, if that was the first,
 *   -UIOMMU_ESPIPE  @off, or @bytes is no multiple
 *   -UIOMMU_EINVAL  no such cookie (any more), or an unknown code
 *   -UIOMMU_EFAULT  it cannot be read
 */
int64_t uiommu_iommufd_fault_write(struct uiommu_iommufd_fault *f, struct uiommu_as *as,
				   uint64_t off, uint64_t bytes, uint64_t user);

/**
 * uiommu_iommufd_fault_ready() - would a read() find something?
 * @f: the queue
 *
 * What poll() says as EPOLLIN; EPOLLOUT it says always.
 *
 * Context: any thread.
 * Return:  true if so
 */
bool uiommu_iommufd_fault_ready(struct uiommu_iommufd_fault *f);

/**
 * uiommu_iommufd_fault_close() - the last copy of a queue's file is closed
 * @f: not used any more by its file
 *
 * What waits for an answer is answered INVALID, and so is what still comes.
 *
 * Context:  as uiommu_iommufd_put(), which it ends with. Cannot fail.
 * Hardware: the accesses fail.
 */
void uiommu_iommufd_fault_close(struct uiommu_iommufd_fault *f);

/* ---- the files of a VM's event queues ---- */

/**
 * uiommu_iommufd_veventq_read() - read() of an event queue
 * @q:     the queue
 * @as:    who reads
 * @off:   position; 0
 * @bytes: any
 * @user:  where to, in @as
 *
 * Whole events, each a struct iommufd_vevent_header and, unless it says
 * IOMMU_VEVENTQ_FLAG_LOST_EVENTS, the event of the queue's type (SMMUv3: 32 bytes, with
 * the VM's StreamID; TEGRA241_CMDQV: 16 bytes, a bit for each queue that stopped).
 * Sequence numbers count every event, also those that found the queue full: a gap says
 * how many. Never blocks; there is no write().
 *
 * Context:  as uiommu_iommufd_ioctl().
 * Hardware: none.
 * Return:   how many bytes; 0: there is nothing, or the first does not fit; or
 *   -UIOMMU_ESPIPE  @off
 *   -UIOMMU_EFAULT  it cannot be written; it stays to be read
 */
int64_t uiommu_iommufd_veventq_read(struct uiommu_iommufd_veventq *q, struct uiommu_as *as,
				    uint64_t off, uint64_t bytes, uint64_t user);

/**
 * uiommu_iommufd_veventq_ready() - would a read() find something?
 * @q: the queue
 *
 * What poll() says as EPOLLIN; EPOLLOUT it says always.
 *
 * Context: any thread.
 * Return:  true if so
 */
bool uiommu_iommufd_veventq_ready(struct uiommu_iommufd_veventq *q);

/**
 * uiommu_iommufd_veventq_close() - the last copy of a queue's file is closed
 * @q: not used any more by its file; the object stays until it is destroyed
 *
 * Context:  as uiommu_iommufd_put(), which it ends with. Cannot fail.
 */
void uiommu_iommufd_veventq_close(struct uiommu_iommufd_veventq *q);

/* ---- for VFIO ---- */

/**
 * uiommu_iommufd_bind() - make a device an object of a context
 * @ctx:    referenced until uiommu_iommufd_unbind()
 * @dev:    claimed; must stay until then
 * @out:    out; only set on success
 * @out_id: the object's number; only set on success
 *
 * Context:   any thread; may sleep; takes the context's lock.
 * Hardware:  @dev, and every device of its group, goes from its default domain to
 *            BLOCKED.
 * Ownership: the caller's, until uiommu_iommufd_unbind(). DESTROY of the number
 *            answers -EBUSY meanwhile.
 * Return:    0, or
 *   -UIOMMU_EINVAL  a device of the group has a DIRECT range, which cannot be blocked
 *                                                          nothing changed
 *   -UIOMMU_EPERM   the group belongs to another owner     nothing changed
 *   -UIOMMU_EBUSY   something is attached to it            nothing changed
 *   -UIOMMU_ENOMEM  no memory                              nothing changed
 *   -UIOMMU_EIO     the IOMMU does not answer              the device is BLOCKED
 */
int uiommu_iommufd_bind(struct uiommu_iommufd *ctx, struct uiommu_dev *dev,
			struct uiommu_iommufd_dev **out, uint32_t *out_id);

/**
 * uiommu_iommufd_unbind() - detach everything, give the device back
 * @idev: gone afterwards; no other call on it is under way
 *
 * Context:  as uiommu_iommufd_put(), which it ends with. Cannot fail.
 * Hardware: when it returns no DMA of the device reaches a page table of the
 *           context; the device has its default domain.
 */
void uiommu_iommufd_unbind(struct uiommu_iommufd_dev *idev);

/**
 * uiommu_iommufd_attach() - attach to, or replace on, a RID or a PASID
 * @idev:  the device
 * @pasid: UIOMMU_NO_PASID for the RID, else 1 up to what the device has
 * @pt_id: in: number of a HWPT, or of an IOAS: then one of the page tables that
 *         were made this way for it is used, or a new one, which goes again with
 *         the last detach. Out: the HWPT's number; unchanged on failure
 *
 * Page tables of PASIDs must have been made with IOMMU_HWPT_ALLOC_PASID, and the
 * RID's too as long as a PASID is attached. Devices of one group share what is at
 * a PASID: a second device can only attach to the same, and a replace moves all.
 *
 * While the RID is attached its address space keeps the MSI window and the device's
 * reserved ranges free, all but DIRECT_RELAXABLE ones; as on Linux a PASID's does not.
 *
 * Context:  a thread that may sleep and on which uaccess->pin() may be called for
 *           the address spaces mapped in the IOAS; takes the context's lock.
 * Hardware: a replace goes from the old page table to the new one without a moment
 *           without either. A RID's page table has the device's doorbells
 *           (uiommu_iommufd_msi_map()) before the device uses it.
 * Return:   0, or, with everything as it was,
 *   -UIOMMU_ENOENT      no object *@pt_id; or a guest's table, of a guest that does not have
 *                       the device
 *   -UIOMMU_EINVAL      it is a device; the PASID rule or the group's; no such PASID
 *   -UIOMMU_EADDRINUSE  something is mapped or allowed in the MSI window, in a reserved
 *                       range of the device or beyond the page table's reach, or is
 *                       less aligned than it needs
 *   -UIOMMU_EBUSY       the device is being reset; or the page table is all of a device's
 *                       (stage 2), which has PASIDs
 *   -UIOMMU_EFAULT      memory mapped in the IOAS cannot be pinned
 *   -UIOMMU_ENOMEM      no memory, or the program may not pin so much
 *   -UIOMMU_ENOSPC      no ASID is left
 *   -UIOMMU_EIO         the IOMMU does not answer; the device ends BLOCKED
 *
 * An IOMMU that failed and could not be recovered, or does not answer after a reset, has
 * left the device BLOCKED without asking here: an attach then finds nothing there. A page
 * table that was made for an IOAS by the attach before may be gone.
 */
int uiommu_iommufd_attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid, uint32_t *pt_id);

/**
 * uiommu_iommufd_detach() - a RID or a PASID goes back to BLOCKED
 * @idev:  the device
 * @pasid: as for uiommu_iommufd_attach(); nothing attached there: does nothing
 *
 * Context:  as uiommu_iommufd_put(); takes the context's lock. Allocates nothing,
 *           cannot fail.
 * Hardware: when it returns, no DMA with that PASID reaches the page table.
 */
void uiommu_iommufd_detach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid);

/**
 * uiommu_iommufd_msi_map() - where a device must write to ring a doorbell
 * @idev:        the device
 * @doorbell_pa: physical address of the doorbell register
 * @iova:        out: what to program into the device; only set on success
 *
 * The doorbell's page gets a place in the context's MSI window, is mapped in the
 * page table that the RID has now, if any, and in every one it gets later, before
 * the device uses it. It is unmapped from a page table with the last RID that
 * leaves it. While the RID is BLOCKED, messages are too.
 *
 * Context:  any thread; may sleep; takes the context's lock.
 * Hardware: adds one mapping at most; no invalidation.
 * Return:   0, or
 *   -UIOMMU_ENOSPC  the window is full                  nothing changed
 *   -UIOMMU_ENOMEM  no memory for the table             nothing is mapped
 */
int uiommu_iommufd_msi_map(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
			   uiommu_iova_t *iova);

#endif
