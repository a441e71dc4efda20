/* SPDX-License-Identifier: MIT */
/**
 * uiommu/uaccess.h - how the servers reach a program: the only way they do
 *
 * src/iommufd and src/vfio never touch a program's pointer. They copy in and
 * out, pin pages, and look up or hand out files through these functions, with a
 * handle on the address space (struct uiommu_as). Whether that is their own
 * process, another one, or a guest's is the host's matter.
 */
#ifndef UIOMMU_UACCESS_H
#define UIOMMU_UACCESS_H

#include <uiommu/err.h>
#include <uiommu/types.h>

struct uiommu_as;			/* an address space with its file table; the host's */
struct uiommu_file;			/* an open file of a program, held by us */
struct uiommu_given;			/* one that we gave it, with an object of ours behind */

/* A run of pages that are contiguous physically. */
struct uiommu_pin_seg {
	uiommu_pa_t pa;
	uint64_t bytes;
};

/**
 * struct uiommu_pin - pinned pages
 * @segs:  in order; their lengths add up to what was asked for
 * @nsegs: how many
 *
 * They stay good until unpin(), whatever becomes of the virtual address or of the
 * process.
 */
struct uiommu_pin {
	const struct uiommu_pin_seg *segs;
	size_t nsegs;
};

/**
 * struct uiommu_uaccess - the functions that reach a program
 * @ctx: handed back to each of them
 *
 * An address space handle comes with a call (an ioctl names its caller's) and is
 * good for that call; as_get() keeps it. It names memory: after an exec or the
 * end of the process it is still a handle, of memory that is gone: -UIOMMU_EFAULT.
 *
 * Unless it says otherwise a function is called on the thread that handles a
 * program's calls, may sleep, and may take a program's time (it may ask the
 * program's process); so with no lock held that a device or an interrupt needs.
 */
struct uiommu_uaccess {
	void *ctx;

	/*
	 * copy_in(), copy_out() - move bytes from and to the program
	 * @as:       whose memory
	 * @src, @dst: an address of the program, or a buffer of ours
	 * @bytes:    0 is allowed and succeeds
	 *
	 * Context: as above.
	 * Return:  0, or -UIOMMU_EFAULT: then an unspecified part was copied.
	 */
	int (*copy_in)(void *ctx, struct uiommu_as *as, void *dst, uint64_t src, size_t bytes);
	int (*copy_out)(void *ctx, struct uiommu_as *as, uint64_t dst, const void *src,
			size_t bytes);

	/*
	 * pin() - gives pages of the program physical addresses
	 * @as:   whose memory. Best the caller's own: a host may have to ask the process,
	 *        and can only while that waits in a call of its own
	 * @va:   bytes, a multiple of 4096
	 * @len:  bytes, a multiple of 4096, not 0
	 * @prot: UIOMMU_PROT_READ, _WRITE: what a device may do. The program must have
	 *        the same rights: WRITE needs writable memory, READ alone readable
	 * @like: a multiple of 4096: the address that devices will have for @va. Where it can,
	 *        the host gives physical addresses in one piece whose low bits are those of
	 *        @like, as many as the largest power of two in @len has: for large pages,
	 *        and for what hardware reads by physical address and wants aligned
	 * @out:  the pin
	 *
	 * Context:   as above; not with a lock held that copy_in() could need.
	 * Ownership: the caller unpins.
	 * Return:    0, or, with nothing pinned,
	 *   -UIOMMU_EFAULT  not mapped all the way, or not with these rights
	 *   -UIOMMU_ENOMEM  no memory, or over the program's limit on locked memory
	 */
	int (*pin)(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
		   uint64_t like, struct uiommu_pin **out);

	/*
	 * unpin() - takes it back
	 * @pin: from pin()
	 *
	 * Cannot fail. On return no DMA to it is under way; its frames abort.
	 *
	 * Context: as above; sleeps; not with a lock held that a DMA takes.
	 */
	void (*unpin)(void *ctx, struct uiommu_pin *pin);

	/*
	 * as_get(), as_put() - keep a handle beyond the call it came with
	 * @as: the handle
	 *
	 * Context: as above.
	 */
	void (*as_get)(void *ctx, struct uiommu_as *as);
	void (*as_put)(void *ctx, struct uiommu_as *as);

	/*
	 * file_get() - a file by its number in the program
	 * @as:  whose file table
	 * @fd:  any number
	 * @out: the file: what it is now, whatever the program does with @fd
	 *
	 * Context:   as above.
	 * Ownership: given back with file_put().
	 * Return:    0, -UIOMMU_EBADF, or -UIOMMU_ENOMEM.
	 */
	int (*file_get)(void *ctx, struct uiommu_as *as, int fd, struct uiommu_file **out);

	/*
	 * file_put() - gives it back
	 * @f: from file_get(); not being signalled by another thread
	 *
	 * Context: as above.
	 */
	void (*file_put)(void *ctx, struct uiommu_file *f);

	/*
	 * file_object() - the object of ours behind a file
	 * @f:    from file_get()
	 * @kind: the address that tells one kind from another (uiommu_iommufd_kind)
	 *
	 * Context: as above.
	 * Return:  the object if @f is one of ours of that kind, else NULL; good until
	 *          file_put(), longer only with a reference of its own.
	 */
	void *(*file_object)(void *ctx, struct uiommu_file *f, const void *kind);

	/*
	 * file_is_eventfd() - can it be signalled
	 * @f: from file_get()
	 *
	 * Context: as above.
	 */
	bool (*file_is_eventfd)(void *ctx, struct uiommu_file *f);

	/*
	 * file_signal() - adds 1 to an eventfd
	 * @f: one for which file_is_eventfd() is true
	 *
	 * One that is full stays full.
	 *
	 * Context: any thread, any lock held; never blocks.
	 */
	void (*file_signal)(void *ctx, struct uiommu_file *f);

	/*
	 * file_give() - an object of ours becomes a new open file of the program
	 * @as:   whose; it waits in a call of its own
	 * @kind: what tells the host which functions the file has
	 * @obj:  handed to them. When the last copy of the file is closed, the one for that
	 *        is called; if the give fails, it is not
	 * @out:  for file_ready(), until then
	 * @fd:   out: its number in the program; close-on-exec
	 *
	 * NULL: the host cannot.
	 *
	 * Context: as above.
	 * Return:  0, or with no file given
	 *   -UIOMMU_EFAULT  the process does not take it
	 *   -UIOMMU_ENOMEM  no memory, or it or we have too many files
	 */
	int (*file_give)(void *ctx, struct uiommu_as *as, const void *kind, void *obj,
			 struct uiommu_given **out, int *fd);

	/*
	 * file_ready() - there is something to be read
	 * @g: from file_give()
	 *
	 * poll() of the program says so until somebody reads; a read that leaves something
	 * says it again.
	 *
	 * Context: any thread, any lock held; never blocks.
	 */
	void (*file_ready)(void *ctx, struct uiommu_given *g);
};

#endif
