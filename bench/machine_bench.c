/* SPDX-License-Identifier: MIT */
/*
 * A whole machine in one process: one 4 KiB DMA through the SMMU against memcpy,
 * one attach, one IOAS_MAP of 4 KiB with a device attached. Time is the median of
 * interleaved passes; compare what stands in one run. Pinning is the test's (plain
 * memory of this process): run_bench has the whole way from a program.
 */
#include "bench.h"
#include "machine/internal.h"
#include "tests/machine/rig.h"

#define IOVA	0x50000000ull
#define PASSES	15
#define CALLS	2000

static struct rig rig;
static struct rig *const r = &rig;
static uint32_t ioas, other_ioas;
static uint8_t *mem;
static uint8_t buf[PAGE], copy[PAGE];

/* ---- what is measured ---- */

static void do_memcpy(void *arg)
{
	memcpy(copy, buf, PAGE);
	__asm__ volatile("" : : "r"(copy) : "memory");	/* it is looked at */
}

/* One transaction as a device model makes it, registers apart. */
static void do_dma(void *arg)
{
	const struct uiommu_sim_access a = { .stream_id = r->m->fns[0].d->sid, .iova = IOVA,
					     .write = true };
	size_t done;

	if (uiommu_sim_smmuv3_dma(r->m->smmus[0].sim, &a, buf, PAGE, &done) || done != PAGE)
		abort();
}

static void do_translate(void *arg)
{
	const struct uiommu_sim_access a = { .stream_id = r->m->fns[0].d->sid, .iova = IOVA,
					     .write = true };
	struct uiommu_sim_xlat x;

	if (uiommu_sim_smmuv3_translate(r->m->smmus[0].sim, &a, &x))
		abort();
}

/* From the first register to the last: five stores, a DMA, a load. */
static void do_edu(void *arg)
{
	if (rig_dma(r, 0, 0, IOVA, PAGE, true) != DMA_OK)
		abort();
}

static void do_replace(void *arg)
{
	static bool odd;

	odd = !odd;
	if (rig_attach(r, 0, 0, odd ? other_ioas : ioas))
		abort();
}

static void do_attach_detach(void *arg)
{
	if (rig_attach(r, 1, 0, ioas) || rig_detach(r, 1, 0))
		abort();
}

static void do_map(void *arg)
{
	if (rig_map(r, ioas, mem + PAGE, PAGE, IOVA + 16 * PAGE))
		abort();
}

static void do_unmap(void *arg)
{
	if (rig_unmap(r, ioas, IOVA + 16 * PAGE, PAGE))
		abort();
}

/* What is mapped stays: for the count, which is taken in a copy of this process. */
static void do_map_next(void *arg)
{
	static uint64_t iova = IOVA + 32 * PAGE;

	if (rig_map(r, ioas, mem + PAGE, PAGE, iova))
		abort();
	iova += PAGE;
}

static void do_map_unmap(void *arg)
{
	do_map(arg);
	do_unmap(arg);
}

static struct row {
	const char *name;
	void (*fn)(void *arg);
	double ns[PASSES];
} rows[] = {
	{ .name = "memcpy of 4 KiB", .fn = do_memcpy },
	{ .name = "translation, TLB hit", .fn = do_translate },
	{ .name = "DMA of 4 KiB through the SMMU", .fn = do_dma },
	{ .name = "the same by edu's registers, with its MSI", .fn = do_edu },
	{ .name = "attach and detach of a RID", .fn = do_attach_detach },
	{ .name = "replace of a RID's page table", .fn = do_replace },
	{ .name = "IOAS_MAP and UNMAP of 4 KiB, attached", .fn = do_map_unmap },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static double pass(void (*fn)(void *arg))
{
	uint64_t start = bench_now_ns();

	for (unsigned i = 0; i < CALLS; i++)
		fn(NULL);
	return (double)(bench_now_ns() - start) / CALLS;
}

static void measure(void)
{
	double base;

	for (unsigned p = 0; p < PASSES; p++)
		for (unsigned i = 0; i < ROWS; i++)
			rows[i].ns[p] = pass(rows[i].fn);
	base = bench_median(rows[0].ns, PASSES);
	for (unsigned i = 0; i < ROWS; i++) {
		double ns = bench_median(rows[i].ns, PASSES);

		printf("%-44s %9.0f ns %9.1f x memcpy\n", rows[i].name, ns, ns / base);
	}
}

/* Linux's: measured on its 7.2 under QEMU's instruction count, with the system call
 * and with pinning, without the SMMU. Ours: with the software SMMU, which executes
 * the commands, without a system call. */
static void count_instructions(void)
{
	bench_print_instructions("DMA of 4 KiB through the SMMU", bench_instructions(do_dma, NULL),
				 "");
	bench_print_instructions("attach and detach of a RID",
				 bench_instructions(do_attach_detach, NULL), "");
	bench_print_instructions("IOAS_MAP of 4 KiB, attached",
				 bench_instructions(do_map_next, NULL), "(Linux: 6,300)");
	bench_print_instructions("IOAS_MAP and UNMAP of 4 KiB, attached",
				 bench_instructions(do_map_unmap, NULL),
				 "(Linux: 6,300 and 4,500)");
}

int main(void)
{
	rig_start(r, NULL, 0, false);
	for (unsigned i = 0; i < 2; i++)
		rig_bind(r, i);
	ioas = rig_ioas(r);
	other_ioas = rig_ioas(r);
	mem = rig_pages(2);
	if (rig_map(r, ioas, mem, PAGE, IOVA) || rig_map(r, other_ioas, mem, PAGE, IOVA) ||
	    rig_attach(r, 0, 0, ioas))
		return 1;
	rig_msi(r, 0);
	measure();
	count_instructions();
	rig_stop(r);
	munmap(mem, 2 * PAGE);
	return 0;
}
