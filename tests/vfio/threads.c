/* SPDX-License-Identifier: MIT */
/*
 * A program with many threads: they map, copy and unmap in one context, attach and
 * replace, switch interrupts on and off while they come, bind and close, and use a
 * BAR all the while. ThreadSanitizer stays quiet, and what was unmapped is not
 * written any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "src/iommufd/abi.h"
#include "tests/machine/rig.h"

#define ROUNDS	300
#define IOVA	0x50000000ull

static struct rig rig;
static struct rig *const r = &rig;
static uint32_t ioas[2], hwpt[2];
static atomic_bool stop;
static atomic_uint wrong;

static void check(bool ok)
{
	if (!ok)
		atomic_fetch_add(&wrong, 1);
}

static int copy(uint64_t to, uint64_t from)
{
	struct uiommu_abi_iommu_ioas_copy c = {
		.size = sizeof(c), .flags = 7, .dst_ioas_id = ioas[1], .src_ioas_id = ioas[0],
		.length = PAGE, .dst_iova = to, .src_iova = from,
	};

	return iommufd_ioctl(r, UIOMMU_ABI_IOMMU_IOAS_COPY, &c);
}

static void *mapper(void *arg)
{
	const uint64_t iova = IOVA + (uintptr_t)arg * 0x100000;
	uint8_t *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < ROUNDS; i++) {
		check(!rig_map(r, ioas[0], mem, PAGE, iova));
		check(!copy(iova + PAGE, iova));
		check(!rig_unmap(r, ioas[0], iova, PAGE));
		check(!rig_unmap(r, ioas[1], iova + PAGE, PAGE));
		memset(mem, (int)i, PAGE);	/* no device may write now */
	}
	munmap(mem, PAGE);
	return NULL;
}

static void *attacher(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		check(!rig_attach(r, 0, 0, hwpt[i & 1]));
		check(!rig_attach(r, 0, 0x11, hwpt[i & 1]));
		if (i % 8 == 7)
			check(!rig_detach(r, 0, 0));
	}
	return NULL;
}

static int set_fd(unsigned n, int fd)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} u = { .set = { sizeof(u.room), VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 VFIO_PCI_MSI_IRQ_INDEX, 0, 1 } };

	memcpy(u.room + sizeof(u.set), &fd, sizeof(int));
	return vfio_ioctl(r, n, VFIO_DEVICE_SET_IRQS, &u.set);
}

static void *irq_switcher(void *arg)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	for (unsigned i = 0; i < ROUNDS; i++) {
		check(!set_fd(0, fd));
		usleep(20);
		check(!set_fd(0, -1));
	}
	close(fd);
	return NULL;
}

/* Device 1: bound and closed again by a thread of its own. */
static void *binder(void *arg)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = IOMMUFD_NUMBER };
	struct uiommu_vfio_file *f;

	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		check(!uiommu_vfio_open(uiommu_machine_vfio(r->m, 1)->vfio, &f));
		check(!uiommu_vfio_ioctl(f, NULL, VFIO_DEVICE_BIND_IOMMUFD, (uintptr_t)&b));
		check(uiommu_vfio_load(f, 0, 0, 4) == 0x010000ed);
		uiommu_vfio_close(f);
	}
	return NULL;
}

/* Keeps device 0 busy: its DMA and its interrupts, whether they arrive or not. */
static void *user(void *arg)
{
	while (!atomic_load(&stop)) {
		set_reg(r, 0, 0x60, 1, 4);
		set_reg(r, 0, 0x64, 1, 4);
		rig_dma(r, 0, 0, IOVA, 64, true);
	}
	return NULL;
}

static void everything_at_once(void **state)
{
	static void *(*const fns[])(void *) = {
		mapper, mapper, mapper, attacher, irq_switcher, binder
	};
	pthread_t t[6], u;

	rig_start(r, NULL, 0, true);
	rig_bind(r, 0);
	for (unsigned i = 0; i < 2; i++) {
		ioas[i] = rig_ioas(r);
		hwpt[i] = rig_hwpt(r, 0, ioas[i]);
	}
	pthread_create(&u, NULL, user, NULL);
	for (uintptr_t i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, fns[i], (void *)i);
	for (unsigned i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	atomic_store(&stop, true);
	pthread_join(u, NULL);
	assert_int_equal(wrong, 0);
	rig_stop(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(everything_at_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
