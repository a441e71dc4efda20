/* SPDX-License-Identifier: MIT */
/*
 * machine.c - what stands before the calls of a machine and of its servers, in a program
 * that is its own machine's program: it has one thread or many, and no address space but
 * its own
 */
#include <uiommu/iommufd.h>

#include "each.h"
#include "machine/machine.h"

EACH(uiommu_machine_create,
	(const struct uiommu_machine_config *cfg, struct uiommu_machine **out, char *err,
	 size_t err_bytes),
	(cfg, out, err, err_bytes))
EACH(uiommu_machine_iommufd_create, (struct uiommu_machine *m, struct uiommu_iommufd **out),
	(m, out))
EACH(uiommu_vfio_open, (struct uiommu_vfio_device *d, struct uiommu_vfio_file **out), (d, out))
EACH_VOID(uiommu_iommufd_put, (struct uiommu_iommufd *ctx), (ctx))
EACH_VOID(uiommu_vfio_close, (struct uiommu_vfio_file *f), (f))

/* The first word of all arguments is how long they are. */
#define SAVED	256u

static size_t length_of(uint64_t arg)
{
	uint32_t n;

	if (!arg)
		return 0;
	memcpy(&n, (void *)(uintptr_t)arg, sizeof(n));
	return n < SAVED ? n : SAVED;
}

/* Of an argument that is none, nothing. */
static void keep(void *to, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(to, from, bytes);
}

#define EACH_IOCTL(fn, type)							\
	int __real_##fn(type *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg);	\
	int __wrap_##fn(type *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg);	\
	int __wrap_##fn(type *f, struct uiommu_as *as, uint32_t cmd, uint64_t arg)	\
	{									\
		const size_t bytes = length_of(arg);				\
		struct entry e = { .name = #fn };				\
		unsigned char room[SAVED];					\
		bool again;							\
		int ret;							\
										\
		keep(room, (void *)(uintptr_t)arg, bytes);			\
		do {								\
			entry_begin(&e);					\
			ret = __real_##fn(f, as, cmd, arg);			\
			entry_end(&e);						\
			again = entry_again(&e, ret);				\
			if (again)						\
				keep((void *)(uintptr_t)arg, room, bytes);	\
		} while (again);						\
		return ret;							\
	}

EACH_IOCTL(uiommu_iommufd_ioctl, struct uiommu_iommufd)
EACH_IOCTL(uiommu_vfio_ioctl, struct uiommu_vfio_file)
