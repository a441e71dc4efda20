/* SPDX-License-Identifier: MIT */
/**
 * uiommu/err.h - the errors of every function in this library, said once
 *
 * Functions that act return 0 or a negative number from this list; predicates
 * return bool; counts come through out-parameters. The numbers are Linux's
 * errno on every architecture that the library is built for, so that a server
 * can pass them through to a program unchanged.
 *
 *   EPERM       the caller may not do this (ownership of a group)
 *   ENOENT      no such object, or nothing is mapped there
 *   EIO         hardware did not do what it was told, or a user's table entry
 *               holds a bit that a user may not set
 *   ENXIO       no such offset in a file that can be mapped
 *   E2BIG       a structure is longer than we know and its tail is not zero
 *   EBADF       not an open file
 *   EAGAIN      not now; try again
 *   ENOMEM      the host gave no memory
 *   EACCES      the file does not allow it
 *   EFAULT      an address of the program cannot be read, written or pinned
 *   EBUSY       something still uses it, or the place is taken
 *   EEXIST      already mapped, already there
 *   ENODEV      no such device, or the device is gone
 *   EINVAL      an argument is out of its documented range
 *   ENOTTY      not an ioctl of this object
 *   ENOSPC      a number space (ASID, VMID, PASID, IOVA) is used up
 *   ESPIPE      the length of a read or write is not a multiple of a record
 *   ERANGE      beyond what the table can translate
 *   ENOSYS      the host does not have this function
 *   EMSGSIZE    the array is too short; its needed length was written back
 *   EOPNOTSUPP  the hardware cannot do it, or an unknown flag was set
 *   EADDRINUSE  the range collides with a reserved one
 *   EBADFD      an open file, but not of the right kind
 *   ETIMEDOUT   hardware did not answer in time
 *   EOVERFLOW   the value is too large for the field that would hold it
 */
#ifndef UIOMMU_ERR_H
#define UIOMMU_ERR_H

#define UIOMMU_EPERM		1
#define UIOMMU_ENOENT		2
#define UIOMMU_EIO		5
#define UIOMMU_ENXIO		6
#define UIOMMU_E2BIG		7
#define UIOMMU_EBADF		9
#define UIOMMU_EAGAIN		11
#define UIOMMU_ENOMEM		12
#define UIOMMU_EACCES		13
#define UIOMMU_EFAULT		14
#define UIOMMU_EBUSY		16
#define UIOMMU_EEXIST		17
#define UIOMMU_ENODEV		19
#define UIOMMU_EINVAL		22
#define UIOMMU_ENOTTY		25
#define UIOMMU_ENOSPC		28
#define UIOMMU_ESPIPE		29
#define UIOMMU_ERANGE		34
#define UIOMMU_ENOSYS		38
#define UIOMMU_EBADFD		77
#define UIOMMU_EMSGSIZE		90
#define UIOMMU_EOPNOTSUPP	95
#define UIOMMU_EADDRINUSE	98
#define UIOMMU_ETIMEDOUT	110
#define UIOMMU_EOVERFLOW	75

#endif
