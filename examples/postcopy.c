/* SPDX-License-Identifier: MIT */
/*
 * postcopy.c - memory that moves while a device is using it
 *
 * A VM has been moved here, and its device runs on at once: of its memory nothing
 * is mapped. Each page is fetched when the device asks for it: the device's page
 * request is read from a fault queue, the page copied and mapped, the request
 * answered, and the DMA that has waited goes on. An ordinary Linux program: iommufd,
 * VFIO, poll, read, write.
 *
 * The device is QEMU's edu (1234:11e8) with more queues, ATS and PRI. On Linux the
 * IOMMU has to take page requests (VT-d does).
 *
 * With uIOMMU:		uiommu run --machine postcopy.dts -- ./postcopy
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<linux/version.h>)
#include <linux/version.h>
#endif
#if __has_include(<linux/iommufd.h>) && defined(LINUX_VERSION_CODE) && \
	LINUX_VERSION_CODE >= ((6 << 16) + (15 << 8))
#include <linux/iommufd.h>
#include <linux/vfio.h>
#else
#include "compat/linux/iommufd.h"
#include "compat/linux/vfio.h"
#endif

#define PCI_COMMAND	0x04
#define PCI_MASTER	0x0004

#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_CMD		0x98
#define EDU_RUN		0x1
#define EDU_TO_MEMORY	0x2
#define EDU_PASID	0xa0
#define EDU_RESULT	0xa8
#define EDU_DONE	0x1
#define EDU_ABORTED	0x2
#define EDU_WAITING	0x100
#define EDU_QUEUE(q)	(0x1000u * (q))
#define EDU_BUFFER(q)	(0x40000u + 0x1000u * (q))
#define QUEUES		3u

#define PAGE		4096u
#define PAGES		48u
#define MEMORY		0x40000000ull		/* where the VM's memory is for the device */
#define RESULTS		0x80000000ull		/* a page for each queue, mapped from the start */
#define PASID		7u			/* the last queue's */

static uint8_t *there, *here, *results;	/* the VM's memory at its old place, and here */
static uint32_t ioas;
static int iommufd, device, queue_fd, stop_fd;
static volatile uint8_t *bar;
static unsigned failed, fetched, refused, most_at_once;
static bool has_page[PAGES];

static void die(const char *what)
{
	fprintf(stderr, "postcopy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok  " : "FAIL", what);
	failed += !ok;
	fflush(stdout);
}

/* ---- the fault queue ---- */

static void map(void *va, size_t bytes, uint64_t iova)
{
	struct iommu_ioas_map m = {
		.size = sizeof(m),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = bytes,
		.iova = iova,
	};

	if (ioctl(iommufd, IOMMU_IOAS_MAP, &m))
		die("IOMMU_IOAS_MAP");
}

/* Several queues may ask for one page before it is there: the second finds it. */
static bool fetch(uint64_t addr)
{
	uint64_t n = (addr - MEMORY) / PAGE;

	if (addr < MEMORY || n >= PAGES)
		return false;
	if (has_page[n])
		return true;
	memcpy(here + n * PAGE, there + n * PAGE, PAGE);
	map(here + n * PAGE, PAGE, MEMORY + n * PAGE);
	has_page[n] = true;
	fetched++;
	return true;
}

/* All that is there now; a group is answered with its last page. */
static void serve(void)
{
	struct iommu_hwpt_pgfault f[16];
	ssize_t n = read(queue_fd, f, sizeof(f));
	unsigned groups = 0;
	bool ok = true;

	if (n < 0)
		die("read of the fault queue");
	for (size_t i = 0; i < (size_t)n / sizeof(f[0]); i++) {
		struct iommu_hwpt_page_response r = { .cookie = f[i].cookie };

		ok &= fetch(f[i].addr);
		if (!(f[i].flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE))
			continue;
		r.code = ok ? IOMMUFD_PAGE_RESP_SUCCESS : IOMMUFD_PAGE_RESP_INVALID;
		if (write(queue_fd, &r, sizeof(r)) != sizeof(r))
			die("write to the fault queue");
		refused += !ok;
		ok = true;
		groups++;
	}
	if (groups > most_at_once)
		most_at_once = groups;
}

static void *server(void *arg)
{
	struct pollfd p[2] = { { queue_fd, POLLIN, 0 }, { stop_fd, POLLIN, 0 } };

	(void)arg;
	while (poll(p, 2, -1) >= 0 && !p[1].revents)
		if (p[0].revents & POLLIN)
			serve();
	return NULL;
}

/* ---- the device ---- */

static void set(uint32_t reg, uint64_t v)
{
	*(volatile uint64_t *)(bar + reg) = v;
}

static uint32_t result(unsigned q)
{
	return *(volatile uint32_t *)(bar + EDU_QUEUE(q) + EDU_RESULT);
}

static void start(unsigned q, uint64_t src, uint64_t dst, uint64_t bytes, uint32_t cmd)
{
	set(EDU_QUEUE(q) + EDU_SRC, src);
	set(EDU_QUEUE(q) + EDU_DST, dst);
	set(EDU_QUEUE(q) + EDU_COUNT, bytes);
	set(EDU_QUEUE(q) + EDU_CMD, cmd | EDU_RUN);
}

/* true: it went through */
static bool finish(unsigned q)
{
	while (!(result(q) & EDU_DONE))
		usleep(100);
	return !(result(q) & EDU_ABORTED);
}

/* Queue q: page @page of the VM into the device, from there to its result page. */
static bool carry(unsigned q, unsigned page)
{
	start(q, EDU_BUFFER(q), RESULTS + q * PAGE, PAGE, EDU_TO_MEMORY);
	return finish(q) && !memcmp(results + q * PAGE, there + page * PAGE, PAGE);
}

/* The device goes through the VM's memory with all its queues. */
static bool use_memory(void)
{
	bool ok = true;

	for (unsigned i = 0; i < PAGES; i += QUEUES) {
		for (unsigned q = 0; q < QUEUES; q++)
			start(q, MEMORY + (i + q) * PAGE, EDU_BUFFER(q), PAGE, 0);
		for (unsigned q = 0; q < QUEUES; q++)
			ok &= finish(q) && carry(q, i + q);
	}
	return ok;
}

/* ---- setting up ---- */

static uint32_t bind_device(void)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = iommufd };

	if (ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &b))
		die("VFIO_DEVICE_BIND_IOMMUFD");
	return b.out_devid;
}

static uint64_t region(uint32_t index, uint64_t *bytes)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &r))
		die("VFIO_DEVICE_GET_REGION_INFO");
	*bytes = r.size;
	return r.offset;
}

static void map_registers(void)
{
	uint64_t bytes, at = region(VFIO_PCI_BAR0_REGION_INDEX, &bytes);
	uint16_t command = 0;

	bar = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)at);
	if (bar == MAP_FAILED)
		die("mmap of BAR0");
	at = region(VFIO_PCI_CONFIG_REGION_INDEX, &bytes) + PCI_COMMAND;
	if (pread(device, &command, 2, (off_t)at) != 2)
		die("config space");
	command |= PCI_MASTER;
	if (pwrite(device, &command, 2, (off_t)at) != 2)
		die("config space");
}

static uint32_t alloc_queue(int *fd)
{
	struct iommu_fault_alloc a = { .size = sizeof(a) };

	if (ioctl(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &a))
		die("IOMMU_FAULT_QUEUE_ALLOC");
	*fd = (int)a.out_fault_fd;
	return a.out_fault_id;
}

static uint32_t alloc_hwpt(uint32_t dev_id, uint32_t queue)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a),
		.flags = IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID,
		.dev_id = dev_id,
		.pt_id = ioas,
		.fault_id = queue,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &a))
		die("IOMMU_HWPT_ALLOC");
	return a.out_hwpt_id;
}

static void attach(uint32_t hwpt, uint32_t pasid)
{
	struct vfio_device_attach_iommufd_pt a = {
		.argsz = sizeof(a),
		.flags = pasid ? VFIO_DEVICE_ATTACH_PASID : 0,
		.pt_id = hwpt,
		.pasid = pasid,
	};

	if (ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a))
		die("VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

static void detach(void)
{
	struct vfio_device_detach_iommufd_pt d = { .argsz = sizeof(d) };

	if (ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &d))
		die("VFIO_DEVICE_DETACH_IOMMUFD_PT");
}

static void *memory(unsigned pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static uint32_t set_up(void)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };
	uint32_t dev_id, hwpt;

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	device = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (iommufd < 0 || device < 0 || stop_fd < 0)
		die("/dev/iommu, /dev/vfio/devices/vfio0");
	there = memory(PAGES);
	here = memory(PAGES);
	results = memory(QUEUES);
	for (unsigned i = 0; i < PAGES * PAGE; i++)
		there[i] = (uint8_t)(i / PAGE + i * 7);
	dev_id = bind_device();
	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &a))
		die("IOMMU_IOAS_ALLOC");
	ioas = a.out_ioas_id;
	map(results, QUEUES * PAGE, RESULTS);
	hwpt = alloc_hwpt(dev_id, alloc_queue(&queue_fd));
	attach(hwpt, 0);
	attach(hwpt, PASID);
	map_registers();
	set(EDU_QUEUE(QUEUES - 1) + EDU_PASID, 0x80000000u | PASID);
	return hwpt;
}

/* Nobody answers, and the page table is taken away. */
static void take_away(uint32_t hwpt)
{
	struct pollfd p = { queue_fd, POLLIN | POLLOUT, 0 };
	struct iommu_hwpt_pgfault f = { 0 };
	struct iommu_hwpt_page_response r = { 0 };

	check(poll(&p, 1, 0) == 1 && p.revents == POLLOUT, "the queue is empty: only writable");
	check(read(queue_fd, &f, sizeof(f)) == 0, "a read of it does not wait");
	start(0, MEMORY + PAGES * PAGE, EDU_BUFFER(0), 8, 0);
	p.events = POLLIN;
	check(poll(&p, 1, 10000) == 1 && p.revents & POLLIN, "a request is there");
	check(result(0) == EDU_WAITING, "the device waits for it");
	check(read(queue_fd, &f, sizeof(f)) == sizeof(f) && f.addr == MEMORY + PAGES * PAGE,
	      "it is for the page that was meant");
	detach();
	check(!finish(0), "detached: the DMA is aborted");
	r.cookie = f.cookie;
	check(write(queue_fd, &r, sizeof(r)) < 0 && errno == EINVAL,
	      "its cookie is worth nothing any more");
	attach(hwpt, 0);
	start(0, MEMORY, EDU_BUFFER(0), 8, 0);
	check(finish(0), "attached again: it works");
	start(0, MEMORY + PAGES * PAGE, EDU_BUFFER(0), 8, 0);
	while (result(0) != EDU_WAITING)
		usleep(100);
	close(queue_fd);
	check(!finish(0), "the queue is closed: the DMA is aborted");
}

int main(void)
{
	uint32_t hwpt = set_up();
	uint64_t one = 1;
	pthread_t th;

	if (pthread_create(&th, NULL, server, NULL))
		die("pthread_create");
	check(use_memory(), "the device has used all of the memory");
	check(fetched == PAGES, "every page was fetched once");
	check(use_memory(), "and again");
	check(fetched == PAGES, "without a fault");
	start(1, MEMORY - PAGE, EDU_BUFFER(1), 8, 0);
	check(!finish(1), "what is no memory: aborted");
	check(refused == 1, "by our answer");
	printf("     %u pages fetched, up to %u requests at a time\n", fetched, most_at_once);
	if (write(stop_fd, &one, sizeof(one)) != sizeof(one) || pthread_join(th, NULL))
		die("stopping");
	take_away(hwpt);
	printf("%s\n", failed ? "failed" : "all well");
	return failed != 0;
}
