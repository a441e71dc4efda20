/* SPDX-License-Identifier: MIT */
/*
 * vmm_bench.c - what a guest pays: an unmap by a command queue that is trapped, command by
 * command or in batches, and by a queue of hardware's own; a DMA of its process beside one
 * of the host's
 *
 * Three VMs of examples/vmm in one process under `uiommu run', which takes turns: ratios
 * are of one run. It runs itself: vmm_bench UIOMMU MACHINE.
 */
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/bench.h"
#include "examples/vmm/guest/edu.h"
#include "examples/vmm/guest/process.h"
#include "examples/vmm/say.h"
#include "examples/vmm/vm.h"

#define PASSES		15u
#define CALLS		200u
#define MANY		32u
#define VA		0x7fc0200000ull

/* ---- unmaps ---- */

struct unmap {
	unsigned pages;
	uint64_t ns;			/* out: of CALLS of them */
};

static void run_unmaps(struct kernel *k, void *arg)
{
	struct unmap *u = arg;
	uint8_t *mem = heap_alloc(k, u->pages * PAGE);
	struct device *d = &k->dev[0];

	u->ns = 0;
	for (unsigned n = 0; n < CALLS; n++) {
		uiommu_iova_t iova;
		uint64_t start;

		if (uiommu_dma_map(d->dma, kernel_pa(k, mem), u->pages * PAGE, UIOMMU_PROT_READ,
				   &iova))
			abort();
		start = bench_now_ns();
		uiommu_dma_unmap(d->dma, iova, u->pages * PAGE);
		u->ns += bench_now_ns() - start;
	}
	heap_free(k, mem, u->pages * PAGE);
}

/* ---- the VMs ---- */

static const struct {
	const char *name;
	unsigned batch, device;
	bool user_queue;
} kinds[] = {
	{ "trapped, a call for each command", 1, 1, false },
	{ "trapped, a call for a batch", VSMMU_BATCH, 3, false },
	{ "in the guest's hands", VSMMU_BATCH, 4, true },
};
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static struct vm vm[KINDS];

static void add_device(struct kernel *k, void *arg)
{
	if (!kernel_add_device(k, arg))
		abort();
}

static void boot(unsigned i)
{
	const struct vm_config cfg = { .name = kinds[i].name, .user_queue = kinds[i].user_queue };
	const struct board_device *d;

	vm_create(&vm[i], &cfg);
	vm[i].smmu.batch_max = kinds[i].batch;
	d = vm_add_device(&vm[i], kinds[i].device, 0x08, 0x10, "0000:00:01.0");
	vm_boot(&vm[i]);
	vm_run(&vm[i], add_device, (void *)(uintptr_t)d);
	if (vm[i].board.has_cmdqv != kinds[i].user_queue)
		abort();
}

static void unmap_rows(unsigned pages)
{
	double ns[KINDS][PASSES], first = 0;
	uint64_t exits[KINDS];

	for (unsigned p = 0; p < PASSES; p++)
		for (unsigned i = 0; i < KINDS; i++) {
			struct unmap u = { .pages = pages };

			exits[i] = vm_exits(&vm[i]);
			vm_run(&vm[i], run_unmaps, &u);
			exits[i] = vm_exits(&vm[i]) - exits[i];
			ns[i][p] = (double)u.ns / CALLS;
		}
	printf("an unmap of %u page%s in a guest, by a queue that is\n", pages,
	       pages > 1 ? "s" : "");
	for (unsigned i = 0; i < KINDS; i++) {
		double m = bench_median(ns[i], PASSES);

		if (!i)
			first = m;
		printf("  %-36s %9.0f ns  %5.2f of the first  %4.1f exits\n", kinds[i].name, m,
		       m / first, (double)exits[i] / CALLS);
	}
}

/* What stands between the guest and its queue here: on silicon this is a load. */
static void page_row(void)
{
	double ns[PASSES];

	for (unsigned p = 0; p < PASSES; p++) {
		uint64_t start = bench_now_ns();

		for (unsigned n = 0; n < CALLS; n++)
			(void)*(volatile uint32_t *)vm[KINDS - 1].cmdqv.page;
		ns[p] = (double)(bench_now_ns() - start) / CALLS;
	}
	printf("  %-36s %9.0f ns\n", "one load of such a queue's registers",
	       bench_median(ns, PASSES));
}

/* ---- DMA ---- */

/* A device, and an address in what its queue 0 reaches. */
struct lane {
	struct device d;
	struct kernel *k;
	uiommu_iova_t iova;
	uint64_t ns;
};

static void dma_once(struct lane *l)
{
	edu_start(&l->d, 0, l->iova, PAGE, true);
	while (!edu_is_done(&l->d, 0))
		sched_yield();
}

static void run_dma(struct kernel *k, void *arg)
{
	struct lane *l = arg;
	uint64_t start = bench_now_ns();

	for (unsigned n = 0; n < CALLS; n++)
		dma_once(l);
	l->ns = bench_now_ns() - start;
}

/* Its process gives queue 0 an address space of its own. */
static void start_process(struct kernel *k, void *arg)
{
	struct lane *l = arg;
	struct process *p = process_create(k, "a process");
	struct uiommu_sva *bind;
	const uint8_t byte = 0;

	if (!p || !process_mmap(p, VA, PAGE) || !process_write(p, VA, &byte, 1) ||
	    uiommu_sva_bind_device(k->dev[0].dev, p->mm, &bind))
		abort();
	edu_set_pasid(&k->dev[0], 0, uiommu_sva_pasid(bind));
	*l = (struct lane){ .d = k->dev[0], .k = k, .iova = VA };
}

/* The same device model, in an address space of the host's. */
static void host_lane(struct lane *l, struct board_device *b)
{
	int iommufd = host_iommufd_open(), fd = host_device_open(5);
	uint32_t ioas = host_ioas_alloc(iommufd);
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t bytes;

	host_device_bind(fd, iommufd);
	host_ioas_map(iommufd, ioas, mem, PAGE, BOARD_RAM);
	if (host_device_attach(fd, ioas))
		abort();
	b->bar = host_bar_map(fd, &bytes);
	host_config_write(fd, 4, host_config_read(fd, 4, 2) | 6, 2);
	*l = (struct lane){ .d = { .board = b }, .iova = BOARD_RAM };
}

static void dma_rows(void)
{
	struct board_device b = { 0 };
	double host[PASSES], guest[PASSES], h, g;
	struct lane hl, gl;

	host_lane(&hl, &b);
	vm_run(&vm[1], start_process, &gl);
	for (unsigned p = 0; p < PASSES; p++) {
		run_dma(NULL, &hl);
		host[p] = (double)hl.ns / CALLS;
		vm_run(&vm[1], run_dma, &gl);
		guest[p] = (double)gl.ns / CALLS;
	}
	h = bench_median(host, PASSES);
	g = bench_median(guest, PASSES);
	printf("a DMA of 4 KiB by edu's registers, polled\n");
	printf("  %-36s %9.0f ns\n", "the host's, stage 1", h);
	printf("  %-36s %9.0f ns  %5.2f of the host's\n", "of a guest's process, both stages", g,
	       g / h);
}

/* ---- running ---- */

static int inside(void)
{
	for (unsigned i = 0; i < KINDS; i++)
		boot(i);
	unmap_rows(1);
	unmap_rows(MANY);
	page_row();
	dma_rows();
	return 0;
}

int main(int argc, char **argv)
{
	extern char **environ;
	char *const again[] = { argv[1], "run", "--quiet", "--machine", argv[2], "--", argv[0],
				"inside", NULL };
	int status;
	pid_t pid;

	if (argc == 2 && !strcmp(argv[1], "inside"))
		return inside();
	if (argc != 3) {
		fprintf(stderr, "usage: vmm_bench UIOMMU MACHINE\n");
		return 2;
	}
	if (posix_spawnp(&pid, again[0], NULL, NULL, again, environ) ||
	    waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "vmm_bench: not run\n");
		return 1;
	}
	return 0;
}
