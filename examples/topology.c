/* SPDX-License-Identifier: MIT */
/*
 * topology.c - one device with three work queues, in three address spaces at once
 *
 *	RID1 --- domain1		WQ1, the device itself
 *	     |-- domain2, vm1		WQ2, with PASID x
 *	     |-- domain3, vm2		WQ3, with PASID y
 *	RID2 --- domain3		a second device, for vm2 as well
 *
 * An ordinary Linux program: it finds two edu devices in sysfs, opens /dev/iommu
 * and their VFIO device files, and uses ioctl, mmap and registers. The devices are
 * QEMU's edu (1234:11e8) with more queues, each with a PASID register; on a plain
 * edu it says so and stops. Every check is on bytes that came through the device.
 *
 * With uIOMMU:		uiommu run --show -- ./topology
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* PASIDs came to both interfaces with Linux 6.15. */
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

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MASTER	0x0004

/* edu: registers of queue q are at 0x1000 * q, its buffer at 0x40000 + 0x1000 * q */
#define EDU_VENDOR		0x1234
#define EDU_DEVICE		0x11e8
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_SRC			0x80
#define EDU_DST			0x88
#define EDU_COUNT		0x90
#define EDU_CMD			0x98
#define EDU_CMD_RUN		0x1
#define EDU_CMD_TO_MEMORY	0x2
#define EDU_CMD_IRQ		0x4
#define EDU_PASID		0xa0	/* from here on: not on QEMU's */
#define EDU_PASID_VALID		0x80000000u
#define EDU_RESULT		0xa8
#define EDU_RESULT_ABORTED	0x2
#define EDU_QUEUE(q)		(0x1000u * (q))
#define EDU_BUFFER(q)		(0x40000u + 0x1000u * (q))

#define PASID_X		0x11
#define PASID_Y		0x22
#define PASID_NOBODY	0x33

#define PAGE		4096u
#define IOVA		0x10000000ull	/* the same in all three address spaces */
#define PAGES		4u
#define IOVA_VM1	0x20000000ull	/* only vm1 maps this */
#define IOVA_GONE	0x30000000ull	/* mapped, then munmapped */
#define IOVA_CHECK	0x30010000ull	/* where what is left there is copied to */

/* ---- telling ---- */

static const char *tick = "ok  ", *cross = "FAIL";
static unsigned passed, failed;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "topology: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(err));
	va_end(ap);
	exit(1);
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void __attribute__((format(printf, 2, 3))) check(bool ok, const char *fmt, ...)
{
	va_list ap;

	ok ? passed++ : failed++;
	printf("  %s ", ok ? tick : cross);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void use_check_marks(void)
{
	setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		return;
	tick = "\xe2\x9c\x93";		/* U+2713 */
	cross = "\xe2\x9c\x97";		/* U+2717 */
}

/* ---- devices: sysfs ---- */

struct device {
	char bdf[32];
	int fd, event;
	uint32_t id;			/* iommufd's number for it */
	uint64_t config;		/* where config space is in the file */
	volatile uint8_t *bar;
	size_t bar_bytes;
};

static unsigned sysfs_number(const char *bdf, const char *file)
{
	char path[128];
	unsigned v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, file);
	f = fopen(path, "r");
	if (f && fscanf(f, "%x", &v) != 1)
		v = 0;
	if (f)
		fclose(f);
	return v;
}

static int is_edu(const struct dirent *e)
{
	return e->d_name[0] != '.' && sysfs_number(e->d_name, "vendor") == EDU_VENDOR &&
	       sysfs_number(e->d_name, "device") == EDU_DEVICE;
}

static void find_devices(struct device *d, int n)
{
	struct dirent **list;
	int found = scandir("/sys/bus/pci/devices", &list, is_edu, alphasort);

	if (found < n) {
		fprintf(stderr,
			"topology: needs %d edu devices (%04x:%04x) bound to vfio-pci, found %d. "
			"Try: uiommu run -- topology\n",
			n, EDU_VENDOR, EDU_DEVICE, found < 0 ? 0 : found);
		exit(1);
	}
	for (int i = 0; i < found; i++) {
		if (i < n)
			snprintf(d[i].bdf, sizeof(d[i].bdf), "%.30s", list[i]->d_name);
		free(list[i]);
	}
	free(list);
}

/* /sys/bus/pci/devices/<bdf>/vfio-dev/vfioN names the device file */
static int open_device(const struct device *d)
{
	char path[128];
	struct dirent *e;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", d->bdf);
	dir = opendir(path);
	if (!dir)
		die("%s", path);
	while (fd < 0 && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%.64s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			die("%s", path);
	}
	closedir(dir);
	return fd;
}

/* ---- devices: VFIO ---- */

static void bind_device(struct device *d, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	if (ioctl(d->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		die("VFIO_DEVICE_BIND_IOMMUFD %s", d->bdf);
	d->id = bind.out_devid;
}

static struct vfio_region_info region(const struct device *d, uint32_t index)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };

	if (ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &r))
		die("VFIO_DEVICE_GET_REGION_INFO %u of %s", index, d->bdf);
	return r;
}

static void map_registers(struct device *d)
{
	struct vfio_region_info bar = region(d, VFIO_PCI_BAR0_REGION_INDEX);
	void *p =
		mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, (off_t)bar.offset);

	if (p == MAP_FAILED)
		die("mmap of BAR0 of %s", d->bdf);
	d->bar = p;
	d->bar_bytes = bar.size;
	d->config = region(d, VFIO_PCI_CONFIG_REGION_INDEX).offset;
}

/* VFIO hands a device over with bus mastering off: no DMA before a driver asks. */
static void enable_dma(struct device *d)
{
	off_t at = (off_t)(d->config + PCI_COMMAND);
	uint16_t command;

	if (pread(d->fd, &command, 2, at) != 2)
		die("config space of %s", d->bdf);
	command |= PCI_COMMAND_MASTER;
	if (pwrite(d->fd, &command, 2, at) != 2)
		die("config space of %s", d->bdf);
}

static void enable_msi(struct device *d)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} u = { .set = {
		.argsz = sizeof(u.room),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
		.count = 1,
	} };

	d->event = eventfd(0, EFD_CLOEXEC);
	if (d->event < 0)
		die("eventfd");
	memcpy(u.room + sizeof(u.set), &d->event, sizeof(int));
	if (ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &u.set))
		die("VFIO_DEVICE_SET_IRQS %s", d->bdf);
}

static int attach(const struct device *d, uint32_t pasid, uint32_t pt_id)
{
	struct vfio_device_attach_iommufd_pt a = {
		.argsz = sizeof(a),
		.flags = pasid ? VFIO_DEVICE_ATTACH_PASID : 0,
		.pt_id = pt_id,
		.pasid = pasid,
	};

	return ioctl(d->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

static int detach(const struct device *d, uint32_t pasid)
{
	struct vfio_device_detach_iommufd_pt a = {
		.argsz = sizeof(a),
		.flags = pasid ? VFIO_DEVICE_DETACH_PASID : 0,
		.pasid = pasid,
	};

	return ioctl(d->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &a);
}

/* ---- address spaces ---- */

struct space {
	const char *name;
	uint32_t ioas, hwpt;
	uint8_t *mem;			/* PAGES pages, at IOVA for devices */
};

static uint32_t ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &a))
		die("IOMMU_IOAS_ALLOC");
	return a.out_ioas_id;
}

/* A page table that may be attached to a PASID, or to a RID that has PASIDs. */
static uint32_t hwpt_alloc(int iommufd, uint32_t dev_id, uint32_t ioas)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a),
		.flags = IOMMU_HWPT_ALLOC_PASID,
		.dev_id = dev_id,
		.pt_id = ioas,
		.data_type = IOMMU_HWPT_DATA_NONE,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &a))
		die("IOMMU_HWPT_ALLOC");
	return a.out_hwpt_id;
}

static void map(int iommufd, uint32_t ioas, void *va, size_t bytes, uint64_t iova)
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
		die("IOMMU_IOAS_MAP of %zu bytes at 0x%llx", bytes, (unsigned long long)iova);
}

static int unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t bytes)
{
	struct iommu_ioas_unmap u = {
		.size = sizeof(u), .ioas_id = ioas, .iova = iova, .length = bytes
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &u);
}

static void destroy(int iommufd, uint32_t id)
{
	struct iommu_destroy d = { .size = sizeof(d), .id = id };

	if (ioctl(iommufd, IOMMU_DESTROY, &d))
		die("IOMMU_DESTROY %u", id);
}

static uint8_t *pages(size_t n)
{
	uint8_t *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	if (p == MAP_FAILED)
		die("mmap of %zu pages", n);
	return p;
}

static unsigned pasid_bits(int iommufd, uint32_t dev_id)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = dev_id };

	if (ioctl(iommufd, IOMMU_GET_HW_INFO, &info))
		die("IOMMU_GET_HW_INFO");
	return info.out_max_pasid_log2;
}

/* ---- the driver: registers and DMA ---- */

struct queue {
	struct device *d;
	unsigned n;
	const char *name;
};

static uint32_t reg_read(const struct device *d, uint32_t reg)
{
	return *(volatile uint32_t *)(d->bar + reg);
}

static void reg_write(const struct device *d, uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(d->bar + reg) = v;
}

static void reg_write64(const struct device *d, uint32_t reg, uint64_t v)
{
	*(volatile uint64_t *)(d->bar + reg) = v;
}

static bool has_queue(const struct device *d, unsigned n)
{
	return reg_read(d, EDU_QUEUE(n) + EDU_RESULT) != ~0u;
}

static void set_pasid(const struct queue *q, uint32_t pasid)
{
	reg_write(q->d, EDU_QUEUE(q->n) + EDU_PASID, pasid ? EDU_PASID_VALID | pasid : 0);
}

static void wait_msi(const struct device *d)
{
	struct pollfd p = { .fd = d->event, .events = POLLIN };
	uint64_t count;

	if (poll(&p, 1, 10000) != 1) {
		errno = ETIMEDOUT;
		die("no interrupt from %s", d->bdf);
	}
	if (read(d->event, &count, sizeof(count)) != sizeof(count))
		die("eventfd");
	reg_write(d, EDU_IRQ_ACK, reg_read(d, EDU_IRQ_STATUS));
}

/* One DMA between memory and the queue's buffer: true when it was not aborted. */
static bool dma(const struct queue *q, uint64_t iova, uint32_t bytes, bool to_memory)
{
	uint32_t base = EDU_QUEUE(q->n), buffer = EDU_BUFFER(q->n);

	reg_write64(q->d, base + EDU_SRC, to_memory ? buffer : iova);
	reg_write64(q->d, base + EDU_DST, to_memory ? iova : buffer);
	reg_write64(q->d, base + EDU_COUNT, bytes);
	reg_write(q->d, base + EDU_CMD,
		  EDU_CMD_RUN | EDU_CMD_IRQ | (to_memory ? EDU_CMD_TO_MEMORY : 0));
	wait_msi(q->d);
	return !(reg_read(q->d, base + EDU_RESULT) & EDU_RESULT_ABORTED);
}

static bool copy(const struct queue *q, uint64_t from, uint64_t to)
{
	return dma(q, from, PAGE, false) && dma(q, to, PAGE, true);
}

/* ---- contents ---- */

static void fill(uint8_t *page, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < PAGE; i++)
		page[i] = (uint8_t)text[i % len];
}

static bool zero(const uint8_t *page)
{
	for (size_t i = 0; i < PAGE; i++)
		if (page[i])
			return false;
	return true;
}

static bool holds(const uint8_t *page, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < PAGE; i++)
		if (page[i] != (uint8_t)text[i % len])
			return false;
	return true;
}

/* ---- the picture ---- */

struct picture {
	int iommufd;
	struct device rid[2];
	struct space space[3];		/* domain1, domain2, domain3 */
	struct queue wq[3];		/* of RID1, in these spaces */
	struct queue wq_rid2;		/* in domain3 */
};

static const uint32_t pasids[3] = { 0, PASID_X, PASID_Y };

static void open_all(struct picture *p)
{
	say("Two devices, one /dev/iommu");
	find_devices(p->rid, 2);
	p->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (p->iommufd < 0)
		die("/dev/iommu");
	for (int i = 0; i < 2; i++) {
		p->rid[i].fd = open_device(&p->rid[i]);
		bind_device(&p->rid[i], p->iommufd);
		map_registers(&p->rid[i]);
	}
	if (!has_queue(&p->rid[0], 2) || pasid_bits(p->iommufd, p->rid[0].id) < 6) {
		fprintf(stderr,
			"topology: %s is a plain edu: it has no queues that carry a PASID.\n",
			p->rid[0].bdf);
		exit(77);
	}
	check(true, "RID1 is %s, with three work queues and PASIDs of %u bits", p->rid[0].bdf,
	      pasid_bits(p->iommufd, p->rid[0].id));
	check(true, "RID2 is %s", p->rid[1].bdf);
}

static void make_spaces(struct picture *p)
{
	static const char *const names[3] = { "domain1", "domain2 (vm1)", "domain3 (vm2)" };

	say("Three I/O address spaces, each with memory of its own at IOVA 0x%llx", IOVA);
	for (int i = 0; i < 3; i++) {
		struct space *s = &p->space[i];

		s->name = names[i];
		s->ioas = ioas_alloc(p->iommufd);
		s->mem = pages(PAGES);
		map(p->iommufd, s->ioas, s->mem, PAGES * PAGE, IOVA);
		s->hwpt = hwpt_alloc(p->iommufd, p->rid[0].id, s->ioas);
		check(true, "%-14s IOAS %u, page table %u", s->name, s->ioas, s->hwpt);
	}
}

static void attach_all(struct picture *p)
{
	say("Attach: one call for a RID and for a PASID of it");
	check(!attach(&p->rid[0], 0, p->space[0].hwpt), "RID1             -> %s", p->space[0].name);
	check(!attach(&p->rid[0], PASID_X, p->space[1].hwpt), "RID1, PASID 0x%x -> %s", PASID_X,
	      p->space[1].name);
	check(!attach(&p->rid[0], PASID_Y, p->space[2].hwpt), "RID1, PASID 0x%x -> %s", PASID_Y,
	      p->space[2].name);
	check(!attach(&p->rid[1], 0, p->space[2].hwpt), "RID2             -> %s", p->space[2].name);
	for (unsigned i = 0; i < 2; i++) {
		enable_dma(&p->rid[i]);
		enable_msi(&p->rid[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[3] = { "WQ1", "WQ2", "WQ3" };

		p->wq[i] = (struct queue){ &p->rid[0], i, names[i] };
		set_pasid(&p->wq[i], pasids[i]);
	}
	p->wq_rid2 = (struct queue){ &p->rid[1], 0, "RID2" };
}

static void copy_in_each(struct picture *p)
{
	static const char *const text[3] = { "kernel ", "vm1's ", "vm2's " };

	say("Each work queue copies the page at IOVA 0x%llx to 0x%llx", IOVA, IOVA + PAGE);
	for (int i = 0; i < 3; i++)
		fill(p->space[i].mem, text[i]);
	for (int i = 0; i < 3; i++) {
		bool others = true;

		check(copy(&p->wq[i], IOVA, IOVA + PAGE) && holds(p->space[i].mem + PAGE, text[i]),
		      "%s copied the bytes of %s", p->wq[i].name, p->space[i].name);
		for (int j = 0; j < 3; j++) {
			const uint8_t *there = p->space[j].mem + PAGE;

			others &= j <= i ? holds(there, text[j]) : zero(there);
		}
		check(others && holds(p->space[i].mem, text[i]), "and touched nobody else's");
	}
}

static void same_memory(struct picture *p)
{
	uint8_t *mem = p->space[2].mem;

	say("RID2 and RID1 with PASID 0x%x are in the same address space", PASID_Y);
	fill(mem, "from RID1 ");
	check(copy(&p->wq[2], IOVA, IOVA + 2 * PAGE), "WQ3 of RID1 wrote to IOVA 0x%llx",
	      IOVA + 2 * PAGE);
	check(copy(&p->wq_rid2, IOVA + 2 * PAGE, IOVA + 3 * PAGE) &&
	      holds(mem + 3 * PAGE, "from RID1 "), "RID2 read it there and copied it on");
}

/* @mem must stay as it is. */
static void blocked(const struct queue *q, uint64_t iova, const uint8_t *mem, const char *what)
{
	uint8_t before[PAGE];
	bool through;

	memcpy(before, mem, PAGE);
	through = dma(q, iova, 64, true);
	check(!through, "%s: %s was blocked", q->name, what);
	check(!memcmp(before, mem, PAGE), "and the memory is untouched");
}

static void blocked_dmas(struct picture *p)
{
	uint8_t *only_vm1 = pages(1), *gone = pages(1);

	say("What is not mapped is not reached");
	fill(only_vm1, "only vm1 ");
	map(p->iommufd, p->space[1].ioas, only_vm1, PAGE, IOVA_VM1);
	blocked(&p->wq[0], IOVA_VM1, only_vm1, "a write to an IOVA that only vm1 maps");
	check(copy(&p->wq[1], IOVA_VM1, IOVA + PAGE) && holds(p->space[1].mem + PAGE, "only vm1 "),
	      "WQ2: vm1 itself reaches it");

	fill(gone, "unmapped ");
	map(p->iommufd, p->space[2].ioas, gone, PAGE, IOVA_VM1);
	check(dma(&p->wq[2], IOVA_VM1, 64, false), "WQ3: reads a page of vm2");
	check(!unmap(p->iommufd, p->space[2].ioas, IOVA_VM1, PAGE), "vm2 unmaps it");
	fill(gone, "mine again ");
	blocked(&p->wq[2], IOVA_VM1, gone, "a write after the unmap");

	set_pasid(&p->wq[1], PASID_NOBODY);
	blocked(&p->wq[1], IOVA, p->space[1].mem, "a write with PASID 0x33 (not attached)");
	set_pasid(&p->wq[1], PASID_X);
	check(copy(&p->wq[1], IOVA, IOVA + PAGE), "and everything goes on: WQ2 copies again");
	unmap(p->iommufd, p->space[1].ioas, IOVA_VM1, PAGE);
	munmap(only_vm1, PAGE);
	munmap(gone, PAGE);
}

static void munmap_while_mapped(struct picture *p)
{
	uint8_t *mem = pages(1), *out = pages(1), *other;
	const struct queue *q = &p->wq[0];

	say("Memory that is unmapped from the program while a device has it");
	fill(mem, "old pages ");
	map(p->iommufd, p->space[0].ioas, mem, PAGE, IOVA_GONE);
	map(p->iommufd, p->space[0].ioas, out, PAGE, IOVA_CHECK);
	munmap(mem, PAGE);
	other = mmap(mem, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0);
	if (other != mem)
		die("mmap");
	fill(other, "new pages ");
	check(copy(q, IOVA_GONE, IOVA_CHECK) && holds(out, "old pages "),
	      "the device still reads the old pages");
	fill(p->space[0].mem, "by device ");
	check(copy(q, IOVA, IOVA_GONE) && holds(other, "new pages "),
	      "it writes to them, and not to what is at the address now");
	check(copy(q, IOVA_GONE, IOVA_CHECK) && holds(out, "by device "),
	      "and reads back what it wrote");
	check(!unmap(p->iommufd, p->space[0].ioas, IOVA_GONE, PAGE), "IOAS_UNMAP lets go of them");
	check(!copy(q, IOVA_GONE, IOVA_CHECK) && holds(other, "new pages "),
	      "and then they are out of reach");
	unmap(p->iommufd, p->space[0].ioas, IOVA_CHECK, PAGE);
	munmap(other, PAGE);
	munmap(out, PAGE);
}

static void close_all(struct picture *p)
{
	say("Take it apart");
	check(!detach(&p->rid[1], 0) && !detach(&p->rid[0], PASID_Y) &&
	      !detach(&p->rid[0], PASID_X) && !detach(&p->rid[0], 0), "detached in any order");
	for (int i = 0; i < 3; i++) {
		destroy(p->iommufd, p->space[i].hwpt);
		destroy(p->iommufd, p->space[i].ioas);
		munmap(p->space[i].mem, PAGES * PAGE);
	}
	for (int i = 0; i < 2; i++) {
		munmap((void *)p->rid[i].bar, p->rid[i].bar_bytes);
		close(p->rid[i].fd);
		close(p->rid[i].event);
	}
	close(p->iommufd);
}

int main(void)
{
	static struct picture p;

	use_check_marks();
	open_all(&p);
	make_spaces(&p);
	attach_all(&p);
	copy_in_each(&p);
	same_memory(&p);
	blocked_dmas(&p);
	munmap_while_mapped(&p);
	close_all(&p);
	say("%u checks, %u failed", passed + failed, failed);
	return failed ? 1 : 0;
}
