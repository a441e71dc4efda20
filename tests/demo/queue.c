/* SPDX-License-Identifier: MIT */
/*
 * queue.c - a VMM in miniature whose guest has command queues of its own: the page of
 * registers is mapped from /dev/iommu, the queue is in the guest's memory, and nobody is
 * called to invalidate anything.
 */
#include <poll.h>
#include <sys/wait.h>

#include "vmm.h"

#define QUEUE		(RAM + 16 * PAGE)	/* 64 KiB, where only the guest has it aligned */
#define QUEUE_BYTES	(16 * PAGE)
#define ENTRIES		(QUEUE_BYTES / 16)
#define CONS		0x0
#define  RD		0xfffffu
#define  ERR		0x7f000000u
#define   CERROR_ILL	1u
#define PROD		0x4
#define CONFIG		0x8
#define STATUS		0xc
#define GERROR		0x10
#define GERRORN		0x14
#define CMD_CFGI_STE	0x03
#define CMD_TLBI_NH_VA	0x12
#define CMD_SYNC	0x46

static struct guest g;
static struct iommu_viommu_tegra241_cmdqv win;
static volatile uint8_t *regs;
static uint32_t prod;

static uint32_t load(unsigned off)
{
	return *(volatile uint32_t *)(regs + off);
}

static void store(unsigned off, uint32_t v)
{
	*(volatile uint32_t *)(regs + off) = v;
}

static void put(uint64_t w0, uint64_t w1)
{
	uint64_t *cmd = at(QUEUE) + prod % ENTRIES * 2;

	cmd[0] = w0;
	cmd[1] = w1;
	prod = (prod + 1) % (2 * ENTRIES);
}

/* As a driver waits: hardware need not be done when a store has returned. */
static void wait_until(unsigned off, uint32_t mask, uint32_t value)
{
	for (unsigned i = 0; (load(off) & mask) != value; i++) {
		need(i < 5000);
		usleep(i < 100 ? 0 : 1000);
	}
}

/* ASID 5; the VMID is one that the guest has no business with. */
static void invalidate(uint64_t va)
{
	put(CMD_TLBI_NH_VA | 0x77ull << 32 | 5ull << 48, va | 1);
	put(CMD_SYNC, 0);
	store(PROD, prod);
	wait_until(CONS, RD, prod);
}

static void change(uint64_t page)
{
	*entry(g.root, VA) = page | LEAF;
	invalidate(VA);
}

static uint32_t hw_queue(uint32_t v, uint32_t index, uint64_t iova, uint64_t bytes)
{
	struct iommu_hw_queue_alloc c = { .size = sizeof(c), .viommu_id = v, .index = index,
					  .type = IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV,
					  .nesting_parent_iova = iova, .length = bytes };

	need(!ioctl(e.iommufd, IOMMU_HW_QUEUE_ALLOC, &c));
	return c.out_hw_queue_id;
}

static int destroy(uint32_t id)
{
	struct iommu_destroy c = { .size = sizeof(c), .id = id };

	return ioctl(e.iommufd, IOMMU_DESTROY, &c) ? errno : 0;
}

static unsigned queues_per_vm(void)
{
	struct iommu_hw_info_tegra241_cmdqv info;
	struct iommu_hw_info c = { .size = sizeof(c), .flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
				   .dev_id = e.id, .data_len = sizeof(info),
				   .data_uptr = (uintptr_t)&info,
				   .in_data_type = IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV };

	need(!ioctl(e.iommufd, IOMMU_GET_HW_INFO, &c));
	return 1u << info.log2vcmdqs;
}

/* ---- mmap() ---- */

static int map_errno(uint64_t off, uint64_t len, int prot, int flags)
{
	return mmap(NULL, len, prot, flags, e.iommufd, (off_t)off) == MAP_FAILED ? errno : 0;
}

static volatile uint8_t *map(const struct iommu_viommu_tegra241_cmdqv *w)
{
	void *p = mmap(NULL, w->out_vintf_mmap_length, PROT_READ | PROT_WRITE, MAP_SHARED,
		       e.iommufd, (off_t)w->out_vintf_mmap_offset);

	need(p != MAP_FAILED);
	return p;
}

static void refusals(void)
{
	const uint64_t off = win.out_vintf_mmap_offset, len = win.out_vintf_mmap_length;

	need(map_errno(0, len, PROT_READ, MAP_SHARED) == ENXIO);
	need(map_errno(off + PAGE, len, PROT_READ, MAP_SHARED) == ENXIO);
	need(map_errno(off, len - PAGE, PROT_READ, MAP_SHARED) == ENXIO);
	need(map_errno(off, len + PAGE, PROT_READ, MAP_SHARED) == ENXIO);
	need(map_errno(off, len, PROT_READ, MAP_PRIVATE) == EINVAL);
	need(map_errno(off, len, PROT_READ | PROT_EXEC, MAP_SHARED) == EPERM);
	printf("what was not handed out is not mapped\n");
}

/* ---- */

/* A child that waits until go_on(). */
static pid_t child(int go[2])
{
	pid_t pid;
	char c;

	need(!pipe(go));
	pid = fork();
	need(pid >= 0);
	if (!pid) {
		close(go[1]);
		need(read(go[0], &c, 1) == 0);
	}
	return pid;
}

static void go_on(const int go[2], pid_t pid)
{
	int st;

	close(go[0]);
	close(go[1]);
	need(waitpid(pid, &st, 0) == pid && !st);
}

/* A slice whose registers anybody has mapped stays. */
static void mapped(uint32_t parent)
{
	struct iommu_viommu_tegra241_cmdqv w;
	uint32_t v = viommu(parent, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV, &w, sizeof(w));
	volatile uint8_t *p = map(&w);
	pid_t pid;
	int go[2];

	need(destroy(v) == EBUSY);
	need(!munmap((void *)(p + PAGE), w.out_vintf_mmap_length - PAGE));
	need(destroy(v) == EBUSY);
	pid = child(go);
	if (!pid)
		_exit(0);
	need(!munmap((void *)p, PAGE));
	need(destroy(v) == EBUSY);
	go_on(go, pid);
	need(destroy(v) == 0);
	printf("what is mapped cannot be destroyed\n");
}

/* A VMM's listener gives it to devices as it does memory, and has to be told. */
static void no_memory(void)
{
	need(edu_map(&e, (void *)(uintptr_t)regs, win.out_vintf_mmap_length, RAM + 2 * PAGES * PAGE));
	need(errno == EFAULT);
	need(load(CONFIG) == 1);
	printf("registers are no memory for a device\n");
}

/* The child has its own copy of the mapping, and outlives ours. */
static void in_a_child(void)
{
	int go[2];
	pid_t pid = child(go);

	if (!pid) {
		change(g.one);
		_exit(0);
	}
	need(!munmap((void *)regs, win.out_vintf_mmap_length));
	go_on(go, pid);
	prod = (prod + 2) % (2 * ENTRIES);
	regs = map(&win);
	need(load(CONS) == prod);
	need(*(volatile uint64_t *)regs == (prod | (uint64_t)prod << 32));
	need(reads(VA) == 1111);
	printf("a child invalidates through what it inherited\n");
}

static void a_mistake(int events)
{
	struct pollfd p = { .fd = events, .events = POLLIN };
	struct {
		struct iommufd_vevent_header head;
		struct iommu_vevent_tegra241_cmdqv body;
	} ev;
	uint64_t *cmd = at(QUEUE) + prod % ENTRIES * 2;

	put(CMD_CFGI_STE, 0);
	put(CMD_SYNC, 0);
	store(PROD, prod);
	wait_until(CONS, ERR, CERROR_ILL << 24);
	need(poll(&p, 1, 5000) == 1);
	need(read(events, &ev, sizeof(ev)) == sizeof(ev));
	need(!ev.head.flags && ev.body.lvcmdq_err_map[0] == 1 && !ev.body.lvcmdq_err_map[1]);
	cmd[0] = CMD_SYNC;
	store(GERRORN, load(GERROR));
	wait_until(CONS, RD, prod);
	change(g.two);
	need(reads(VA) == 2222);
	printf("a command that it may not give stops it, and it is told\n");
}

/* With every file closed the mapping still is what it was. */
static void last(uint32_t q, uint32_t v)
{
	need(edu_unmap(&e, RAM, PAGES * PAGE) && errno == EBUSY);
	need(destroy(v) == EBUSY);
	close(e.fd);
	close(e.iommufd);
	invalidate(VA);
	need(!munmap((void *)regs, PAGE));		/* some of it; the rest stays */
	need(!munmap((void *)(regs + PAGE), win.out_vintf_mmap_length - PAGE));
	e.iommufd = open("/dev/iommu", O_RDWR);
	need(e.iommufd >= 0 && destroy(q) == ENOENT);
	printf("a mapping outlives the file\n");
}

int main(void)
{
	uint32_t parent, v, q;
	int events;

	open_all();
	boot(&g);
	need(map_errno(0, PAGE, PROT_READ, MAP_SHARED) == ENXIO);
	need(queues_per_vm() >= 2);
	parent = hwpt(e.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL);
	v = viommu(parent, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV, &win, sizeof(win));
	vdevice(v);
	events = veventq(v, IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV);
	attach(hwpt(v, 0, g.ste));
	refusals();
	mapped(parent);
	q = hw_queue(v, 0, QUEUE, QUEUE_BYTES);
	regs = map(&win);
	store(CONFIG, 1);
	wait_until(STATUS, 1, 1);
	need(reads(VA) == 1111);
	change(g.two);
	need(reads(VA) == 2222);
	printf("what the guest invalidates by its own queue is gone\n");
	no_memory();
	in_a_child();
	a_mistake(events);
	last(q, v);
	return 0;
}
