/* SPDX-License-Identifier: MIT */
/**
 * host/posix/mm.h - the address space of this process, for devices (uiommu/sva.h)
 *
 * A device that is bound to it is given plain pointers. The table that the IOMMU walks
 * is ours; its leaves name (process, address), pin nothing, and are resolved by the
 * kernel at each access (process_vm_readv, process_vm_writev). So a device sees what the
 * process would see at that moment, whatever munmap(), mprotect(), mremap(), madvise(),
 * free() and fork() did before, and nothing has to be told of them. What the process may
 * not do, or what is not there, aborts the device's access.
 *
 * An address that no device used before is asked for: by a stall or a page request,
 * so the device must be one that can wait (uiommu_device_can_fault()).
 */
#ifndef UIOMMU_HOST_POSIX_MM_H
#define UIOMMU_HOST_POSIX_MM_H

#include <uiommu/sva.h>

#include "host/posix/posix.h"

struct uiommu_posix_mm;

/**
 * uiommu_posix_mm_create() - this process as something to bind devices to
 * @p:   the host of the instance; outlives it
 * @u:   the instance
 * @out: only set on success
 *
 * It stays the process that calls this, also in children that fork() makes.
 *
 * Context:   any thread; may sleep.
 * Ownership: the caller's, until uiommu_posix_mm_destroy(), which comes before
 *            uiommu_destroy().
 * Return:    0, -UIOMMU_ENOMEM, or -UIOMMU_ENOSYS: the kernel does not let a process
 *            reach its own memory so (seccomp)
 */
int uiommu_posix_mm_create(struct uiommu_posix *p, struct uiommu *u, struct uiommu_posix_mm **out);

/**
 * uiommu_posix_mm_handle() - what uiommu_sva_bind_device() takes
 * @m: the process
 *
 * Context: any.
 * Return:  never NULL.
 */
struct uiommu_mm *uiommu_posix_mm_handle(struct uiommu_posix_mm *m);

/**
 * uiommu_posix_mm_destroy() - give it back
 * @m: bound to nothing; gone afterwards
 *
 * Context: any thread; sleeps.
 * Return:  0, or -UIOMMU_EBUSY: a device is bound (nothing changed)
 */
int uiommu_posix_mm_destroy(struct uiommu_posix_mm *m);

#endif
