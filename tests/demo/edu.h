/* SPDX-License-Identifier: MIT */
/* edu.h - for programs that a test runs under `uiommu run`: opening, mapping, a DMA.
 * As examples/topology.c, only what Linux has. */
#ifndef UIOMMU_TESTS_DEMO_EDU_H
#define UIOMMU_TESTS_DEMO_EDU_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat/linux/iommufd.h"
#include "compat/linux/vfio.h"

#define PAGE	4096u
#define IOVA	0x40000000ull
#define BAR	0x100000u

#define need(what)							\
	do {								\
		if (!(what)) {						\
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__,	\
				__LINE__, #what, strerror(errno));	\
			_exit(1);					\
		}							\
	} while (0)

struct edu {
	int iommufd, fd;
	uint32_t id, ioas;
	volatile uint8_t *bar;
	uint8_t *mem;		/* two pages at IOVA */
};

static inline int edu_open_file(unsigned n)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", n);
	return open(path, O_RDWR);
}

static inline int edu_bind(int fd, int iommufd, uint32_t *id)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = iommufd };
	int ret = ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &b);

	*id = b.out_devid;
	return ret;
}

static inline uint32_t edu_ioas(int iommufd)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };

	need(!ioctl(iommufd, IOMMU_IOAS_ALLOC, &a));
	return a.out_ioas_id;
}

static inline int edu_map(const struct edu *e, void *va, uint64_t bytes, uint64_t iova)
{
	struct iommu_ioas_map m = {
		.size = sizeof(m), .ioas_id = e->ioas, .user_va = (uintptr_t)va,
		.length = bytes, .iova = iova,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};

	return ioctl(e->iommufd, IOMMU_IOAS_MAP, &m);
}

static inline int edu_unmap(const struct edu *e, uint64_t iova, uint64_t bytes)
{
	struct iommu_ioas_unmap u = { .size = sizeof(u), .ioas_id = e->ioas, .iova = iova,
				      .length = bytes };

	return ioctl(e->iommufd, IOMMU_IOAS_UNMAP, &u);
}

static inline int edu_attach(const struct edu *e)
{
	struct vfio_device_attach_iommufd_pt a = { .argsz = sizeof(a), .pt_id = e->ioas };

	return ioctl(e->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

static inline void edu_bus_master(const struct edu *e)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	uint16_t command = 0;

	need(!ioctl(e->fd, VFIO_DEVICE_GET_REGION_INFO, &r));
	need(pread(e->fd, &command, 2, (off_t)r.offset + 4) == 2);
	command |= 4;
	need(pwrite(e->fd, &command, 2, (off_t)r.offset + 4) == 2);
}

static inline uint8_t *edu_pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED);
	return p;
}

/* Device @n, bound to a new iommufd context, its RID in a new IOAS. */
static inline void edu_open(struct edu *e, unsigned n)
{
	e->iommufd = open("/dev/iommu", O_RDWR);
	need(e->iommufd >= 0);
	e->fd = edu_open_file(n);
	need(e->fd >= 0);
	need(!edu_bind(e->fd, e->iommufd, &e->id));
	e->ioas = edu_ioas(e->iommufd);
	e->mem = edu_pages(2);
	need(!edu_map(e, e->mem, 2 * PAGE, IOVA));
	need(!edu_attach(e));
	e->bar = mmap(NULL, BAR, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
	need((void *)e->bar != MAP_FAILED);
	edu_bus_master(e);
}

/* One DMA of queue 0, polled; true: not aborted. */
static inline bool edu_dma(const struct edu *e, uint64_t iova, uint32_t bytes, bool to_memory)
{
	*(volatile uint64_t *)(e->bar + 0x80) = to_memory ? 0x40000 : iova;
	*(volatile uint64_t *)(e->bar + 0x88) = to_memory ? iova : 0x40000;
	*(volatile uint64_t *)(e->bar + 0x90) = bytes;
	*(volatile uint32_t *)(e->bar + 0x98) = to_memory ? 3 : 1;
	while (*(volatile uint32_t *)(e->bar + 0x98) & 1)
		;
	return !(*(volatile uint32_t *)(e->bar + 0xa8) & 2);
}

/* @text from @from to @to through the device. */
static inline bool edu_copies(const struct edu *e, uint8_t *from, uint64_t from_iova,
			      const uint8_t *to, uint64_t to_iova, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(from, text, len);
	return edu_dma(e, from_iova, (uint32_t)len, false) &&
	       edu_dma(e, to_iova, (uint32_t)len, true) && !memcmp(to, text, len);
}

static inline bool edu_works(const struct edu *e, const char *text)
{
	return edu_copies(e, e->mem, IOVA, e->mem + PAGE, IOVA + PAGE, text);
}

#endif
