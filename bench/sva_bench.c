/* SPDX-License-Identifier: MIT */
/*
 * sva_bench.c - devices on this process's memory: what a fault costs, DMA against
 * memcpy(), binding; medians of interleaved passes, all on the simulator
 */
#include <pthread.h>
#include <sys/mman.h>

#include "bench.h"
#include "tests/posix/mm_rig.h"

#define PASSES		7u
#define PAGE		4096ul
#define FAULTS		2000u		/* in a pass of one device */
#define DEVICES		4u
#define COPY		(1ul << 20)
#define MMS		10000u

static struct mm_rig rig;

static char *fresh(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "sva_bench: %s: %d\n", what, err);
	exit(1);
}

/* ---- faults ---- */

struct job {
	uint32_t sid;
	char *at;
	bool polled;
};

/* Without a thread in between: who waits looks at the queue himself. */
static void touch_polled(char *p)
{
	struct uiommu_sim_access a = {
		.stream_id = rig_sid, .substream_id = uiommu_sva_pasid(rig.sva), .ssv = true,
		.iova = (uintptr_t)p,
	};
	uint64_t v;

	while (uiommu_sim_smmuv3_dma(rig.sim, &a, &v, sizeof(v), NULL) == -UIOMMU_EAGAIN) {
		uiommu_smmuv3_poll(rig.iommu);
		rig_wait(&rig);
	}
}

/* A page that no device has asked for yet, each time. */
static void *touch_all(void *arg)
{
	struct job *j = arg;
	uint64_t v;

	rig_sid = j->sid;
	for (unsigned i = 0; i < FAULTS; i++)
		if (j->polled)
			touch_polled(j->at + i * PAGE);
		else
			must(dev_dma(&rig, uiommu_sva_pasid(rig.sva), j->at + i * PAGE, &v,
				     sizeof(v), false), "a fault");
	return NULL;
}

static double faults(unsigned devices, bool polled)
{
	struct job job[DEVICES];
	pthread_t th[DEVICES];
	uint64_t since;

	for (unsigned i = 0; i < devices; i++)
		job[i] = (struct job){ i, fresh(FAULTS * PAGE), polled };
	since = bench_now_ns();
	for (unsigned i = 0; i < devices; i++)
		must(pthread_create(&th[i], NULL, touch_all, &job[i]), "pthread_create");
	for (unsigned i = 0; i < devices; i++)
		pthread_join(th[i], NULL);
	since = bench_now_ns() - since;
	/* the addresses stay taken, so that the next pass has others */
	return 1e9 * FAULTS * devices / (double)since;
}

/* ---- copies ---- */

static double copy_by_device(char *there, char *buf, size_t n, bool write)
{
	uint64_t since = bench_now_ns();

	for (size_t at = 0; at < COPY; at += n)
		must(dev_dma(&rig, uiommu_sva_pasid(rig.sva), there + at, buf + at, n, write),
		     "DMA");
	return COPY * 1e3 / (double)(bench_now_ns() - since);
}

static double copy_by_cpu(char *there, char *buf, size_t n)
{
	uint64_t since = bench_now_ns();

	for (size_t at = 0; at < COPY; at += n) {
		memcpy(there + at, buf + at, n);
		__asm__ volatile("" ::: "memory");
	}
	return COPY * 1e3 / (double)(bench_now_ns() - since);
}

static void copies(void)
{
	static const size_t sizes[] = { 64, 4096, COPY };
	char *there = fresh(COPY), *buf = fresh(COPY);

	for (unsigned s = 0; s < 3; s++) {
		double rd[PASSES], wr[PASSES], cpu[PASSES], r, w, c;

		for (unsigned i = 0; i < PASSES; i++) {
			rd[i] = copy_by_device(there, buf, sizes[s], false);
			wr[i] = copy_by_device(there, buf, sizes[s], true);
			cpu[i] = copy_by_cpu(there, buf, sizes[s]);
		}
		r = bench_median(rd, PASSES);
		w = bench_median(wr, PASSES);
		c = bench_median(cpu, PASSES);
		printf("DMA of %7zu B: read %8.0f MB/s, write %8.0f MB/s; memcpy %8.0f MB/s"
		       " (%.3f)\n", sizes[s], r, w, c, w / c);
	}
}

/* ---- binding ---- */

static double ns_per(uint64_t since, unsigned n)
{
	return (double)(bench_now_ns() - since) / n;
}

static void binding(void)
{
	struct uiommu_mm *mm = uiommu_posix_mm_handle(rig.mm);
	struct uiommu_sva *s;
	double again[PASSES], first[PASSES];

	for (unsigned i = 0; i < PASSES; i++) {
		uint64_t since = bench_now_ns();

		for (unsigned n = 0; n < 1000; n++) {
			must(uiommu_sva_bind_device(rig.dev, mm, &s), "bind");
			uiommu_sva_unbind_device(s);
		}
		again[i] = ns_per(since, 1000);
		uiommu_sva_unbind_device(rig.sva);
		since = bench_now_ns();
		for (unsigned n = 0; n < 1000; n++) {
			must(uiommu_sva_bind_device(rig.dev, mm, &s), "bind");
			uiommu_sva_unbind_device(s);
		}
		first[i] = ns_per(since, 1000);
		must(uiommu_sva_bind_device(rig.dev, mm, &rig.sva), "bind");
	}
	printf("bind and unbind: %.0f ns where it is bound, %.0f ns where it is not\n",
	       bench_median(again, PASSES), bench_median(first, PASSES));
}

/* Each with a table; they share one, as only hardware would look at it. */
static void many(void)
{
	const struct uiommu_pt_config pt_cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	static struct uiommu_mm *mm[MMS];
	static struct uiommu_sva *s[MMS];
	struct uiommu_mm_config cfg = { .name = "mm" };
	struct uiommu_pt pt;
	uint64_t since;
	double bind, unbind, half;

	must(uiommu_pt_arm_s1_4k_ops.init(&pt, uiommu_posix_host(rig.p), &pt_cfg), "a table");
	cfg.table = &pt;
	for (unsigned i = 0; i < MMS; i++)
		must(uiommu_mm_create(rig.u, &cfg, &mm[i]), "an mm");
	since = bench_now_ns();
	for (unsigned i = 0; i < MMS / 2; i++)
		must(uiommu_sva_bind_device(rig.dev, mm[i], &s[i]), "bind");
	half = ns_per(since, MMS / 2);
	since = bench_now_ns();
	for (unsigned i = MMS / 2; i < MMS; i++)
		must(uiommu_sva_bind_device(rig.dev, mm[i], &s[i]), "bind");
	bind = ns_per(since, MMS / 2);
	since = bench_now_ns();
	for (unsigned i = 0; i < MMS; i++)
		uiommu_sva_unbind_device(s[i]);
	unbind = ns_per(since, MMS);
	printf("%u mms on one device: bind %.0f ns (the first half: %.0f), unbind %.0f ns\n", MMS,
	       bind, half, unbind);
	for (unsigned i = 0; i < MMS; i++)
		must(uiommu_mm_destroy(mm[i]), "destroy");
	pt.ops->fini(&pt);
}

int main(void)
{
	double polled[PASSES], one[PASSES], more[PASSES];

	must(mm_rig_init(&rig), "the machine");
	for (unsigned i = 0; i < PASSES; i++) {
		polled[i] = faults(1, true);
		one[i] = faults(1, false);
		more[i] = faults(DEVICES, false);
	}
	printf("faults served: %.0f /s by who waits; by interrupt %.0f /s one at a time, "
	       "%.0f /s with %u devices\n", bench_median(polled, PASSES),
	       bench_median(one, PASSES), bench_median(more, PASSES), DEVICES);
	copies();
	binding();
	many();
	return mm_rig_fini(&rig);
}
