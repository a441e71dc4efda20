/* SPDX-License-Identifier: MIT */
/*
 * run_bench UIOMMU - what `UIOMMU run -- /bin/true` adds to /bin/true, and what a
 * program under it pays for an ioctl, a register access, a map. Medians of
 * interleaved passes.
 */
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "tests/demo/edu.h"

#define RUNS	41
#define PASSES	9
#define CALLS	500

/* ---- starting ---- */

static double run_once(char *const argv[])
{
	extern char **environ;
	uint64_t start = bench_now_ns();
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "run_bench: %s failed\n", argv[0]);
		exit(1);
	}
	return (double)(bench_now_ns() - start);
}

static void starting(char *uiommu)
{
	char *const plain[] = { "/bin/true", NULL };
	char *const with[] = { uiommu, "run", "--quiet", "--", "/bin/true", NULL };
	double a[RUNS], b[RUNS], am, bm;

	for (unsigned i = 0; i < RUNS; i++) {
		a[i] = run_once(plain);
		b[i] = run_once(with);
	}
	am = bench_median(a, RUNS);
	bm = bench_median(b, RUNS);
	printf("%-44s %9.2f ms\n", "/bin/true", am / 1e6);
	printf("%-44s %9.2f ms   adds %.2f ms (aim: under 20)\n", "uiommu run -- /bin/true",
	       bm / 1e6, (bm - am) / 1e6);
}

/* ---- running: this part is run by `uiommu run -- run_bench inside` ---- */

static struct edu e;
static uint8_t *page;

static void do_syscall(void)
{
	getppid();
}

static void do_ioctl(void)
{
	ioctl(e.iommufd, _IO(';', 0xff));	/* no such: the way there and back */
}

static void do_register(void)
{
	(void)*(volatile uint32_t *)e.bar;
}

static void do_dma(void)
{
	edu_dma(&e, IOVA, PAGE, true);
}

static void do_map_unmap(void)
{
	if (edu_map(&e, page, PAGE, IOVA + 16 * PAGE) || edu_unmap(&e, IOVA + 16 * PAGE, PAGE))
		abort();
}

static struct row {
	const char *name;
	void (*fn)(void);
	double ns[PASSES];
} rows[] = {
	{ .name = "getppid()", .fn = do_syscall },
	{ .name = "an ioctl of /dev/iommu that does nothing", .fn = do_ioctl },
	{ .name = "a load from a BAR", .fn = do_register },
	{ .name = "DMA of 4 KiB by edu's registers, polled", .fn = do_dma },
	{ .name = "IOAS_MAP and UNMAP of 4 KiB, attached", .fn = do_map_unmap },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int inside(void)
{
	edu_open(&e, 0);
	page = edu_pages(1);
	page[0] = 1;
	for (unsigned p = 0; p < PASSES; p++)
		for (unsigned i = 0; i < ROWS; i++) {
			uint64_t start = bench_now_ns();

			for (unsigned n = 0; n < CALLS; n++)
				rows[i].fn();
			rows[i].ns[p] = (double)(bench_now_ns() - start) / CALLS;
		}
	for (unsigned i = 0; i < ROWS; i++)
		printf("%-44s %9.0f ns\n", rows[i].name, bench_median(rows[i].ns, PASSES));
	return 0;
}

int main(int argc, char **argv)
{
	char *const again[] = { argv[1], "run", "--quiet", "--", argv[0], "inside", NULL };

	if (argc == 2 && !strcmp(argv[1], "inside"))
		return inside();
	if (argc != 2) {
		fprintf(stderr, "usage: run_bench UIOMMU\n");
		return 2;
	}
	starting(argv[1]);
	fflush(stdout);
	run_once(again);
	return 0;
}
