/* SPDX-License-Identifier: MIT */
/*
 * nested_bench.c - what a guest's stage 1 on our stage 2 costs, beside stage 1 alone
 *
 * The same tables, once as the host's own stage 1 and once as a guest's: translations
 * that hit, translations after everything was forgotten, a guest's unmap by the call
 * behind HWPT_INVALIDATE, attaches. The simulator executes commands before the store
 * that publishes them returns: its share is in all times. Medians of interleaved passes
 * of CPU time; compare what stands in one run.
 */
#include "../tests/driver/guest.h"

#include "bench.h"

#define PAGES	64u
#define PASSES	15u
#define CALLS	2000u

static struct bench b;
static struct guest g;
static struct uiommu_dev *host_dev, *guest_dev;
static struct uiommu_domain *host, *nested_dom;
static unsigned long loads;

static void ok(int err)
{
	if (err) {
		fprintf(stderr, "nested: a call failed: %d\n", err);
		exit(1);
	}
}

static int count_read(void *ctx, uiommu_pa_t pa, void *buf, size_t n)
{
	loads += n / 8;
	return bench_sim_read(ctx, pa, buf, n);
}

/* ---- what is measured ---- */

static void translate(const struct uiommu_dev *dev, unsigned i)
{
	const struct uiommu_sim_access a = { .stream_id = dev->streams[0].id,
					     .iova = VA + i % PAGES * PAGE };
	struct uiommu_sim_xlat x;

	ok(uiommu_sim_smmuv3_translate(b.sim, &a, &x));
}

static void hit_s1(unsigned i)
{
	translate(host_dev, i);
}

static void hit_nested(unsigned i)
{
	translate(guest_dev, i);
}

/* Everything forgotten by one command; then every page, so the command counts little. */
static void forget(void)
{
	struct smmu_batch batch;
	struct smmu *s = to_smmu(b.iommu);

	uiommu_smmuv3_batch_begin(s, &batch);
	uiommu_smmuv3_batch_add(s, &batch, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	ok(uiommu_smmuv3_batch_sync(s, &batch));
}

static void miss(const struct uiommu_dev *dev, unsigned i)
{
	if (i % PAGES == 0)
		forget();
	translate(dev, i);
}

static void miss_s1(unsigned i)
{
	miss(host_dev, i);
}

static void miss_nested(unsigned i)
{
	miss(guest_dev, i);
}

static void say_one(unsigned i)
{
	say(&g, FPREP(CMD_Opcode, CMD_TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7),
	    (VA + i % PAGES * PAGE) | 1);
}

/* A call's worth of them: time of one. */
static void say_batch(unsigned i)
{
	uint64_t cmd[2 * PAGES];
	const struct uiommu_user_data inv = { 1, cmd, sizeof(cmd) };
	size_t handled;

	if (i % PAGES)
		return;
	for (unsigned k = 0; k < PAGES; k++) {
		cmd[2 * k] = FPREP(CMD_Opcode, CMD_TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7);
		cmd[2 * k + 1] = (VA + k * PAGE) | 1;
	}
	ok(uiommu_cache_invalidate(g.v, &inv, PAGES, &handled));
}

static void host_unmap(unsigned i)
{
	ok(uiommu_map(host, 0x100000, 0x100000, PAGE, RW, NULL));
	ok(uiommu_unmap(host, 0x100000, PAGE, NULL));
}

static void attach_s1(unsigned i)
{
	uiommu_detach_device_pasid(host_dev, 0);
	ok(uiommu_attach_device(host, host_dev));
}

static void attach_nested(unsigned i)
{
	uiommu_detach_device_pasid(guest_dev, 0);
	ok(uiommu_attach_device(nested_dom, guest_dev));
}

static struct row {
	const char *name;
	void (*fn)(unsigned i);
	unsigned than;			/* the row it is compared with */
	double ns[PASSES];
} rows[] = {
	{ .name = "translation that hits, stage 1", .fn = hit_s1, .than = 0 },
	{ .name = "translation that hits, nested", .fn = hit_nested, .than = 0 },
	{ .name = "translation that misses, stage 1", .fn = miss_s1, .than = 2 },
	{ .name = "translation that misses, nested", .fn = miss_nested, .than = 2 },
	{ .name = "map and unmap of 4 KiB by the host", .fn = host_unmap, .than = 4 },
	{ .name = "invalidation of a guest's, one a call", .fn = say_one, .than = 4 },
	{ .name = "invalidation of a guest's, 64 a call", .fn = say_batch, .than = 4 },
	{ .name = "detach and attach of a RID, stage 1", .fn = attach_s1, .than = 7 },
	{ .name = "detach and attach of a RID, nested", .fn = attach_nested, .than = 7 },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static double pass(void (*fn)(unsigned i))
{
	struct timespec t0, t1;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
	for (unsigned i = 0; i < CALLS; i++)
		fn(i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
	return ((double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec)) / CALLS;
}

static void measure(void)
{
	for (unsigned p = 0; p < PASSES; p++)
		for (unsigned i = 0; i < ROWS; i++)
			rows[i].ns[p] = pass(rows[i].fn);
	for (unsigned i = 0; i < ROWS; i++) {
		double than = bench_median(rows[rows[i].than].ns, PASSES);
		double ns = bench_median(rows[i].ns, PASSES);

		printf("  %-40s %8.0f ns %6.2f x\n", rows[i].name, ns, ns / than);
	}
}

/* One miss of each kind, STE and CD in their caches. */
static void count_loads(const char *what, const struct uiommu_dev *dev)
{
	unsigned long first;

	translate(dev, 0);
	forget();
	loads = 0;
	translate(dev, 0);
	first = loads;
	translate(dev, 1);
	printf("  %-40s %8lu loads, the next page %lu more\n", what, first, loads - first);
}

/* The simulator is to be asked how often it looks into memory. */
static void start(void)
{
	const struct uiommu_observer obs = { .ctx = &b, .fault = bench_fault };
	struct uiommu_sim_env env = bench_env(&b);
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	thost_init(&b.t, false);
	pthread_mutex_init(&b.sim_lock, NULL);
	env.read = count_read;
	ok(uiommu_sim_smmuv3_create(&cfg, &env, &b.sim));
	b.t.mmio_ops = &bench_mmio;
	b.t.mmio_ctx = &b;
	ok(uiommu_create(&b.t.host, &obs, &b.u));
	ok(uiommu_smmuv3_probe(b.u, &bench_smmu, &b.iommu));
}

/* Both stages in 4 KiB pages and with four levels, as a guest of 48 bits has them. */
static void set_up(void)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct uiommu_vdevice *vd;
	uint64_t *page = bench_page(&b, 1);

	host_dev = bench_add(&b, "host", 1, 0);
	guest_dev = bench_add(&b, "guest", 2, 0);
	guest_init(&g, &b, guest_dev, 1);
	ok(g.pt[0].ops->init(&g.pt[0], &g.host, &cfg));
	uiommu_smmuv3_cd(g.cds, &g.pt[0], 7, true);
	host = bench_domain(host_dev);
	for (unsigned i = 0; i < PAGES; i++) {
		bench_map(&b, host, VA + i * PAGE, page);
		guest_map(&g, 0, VA + i * PAGE, i);
	}
	ok(uiommu_attach_device(host, host_dev));
	ok(uiommu_vdevice_alloc(g.v, guest_dev, 2, &vd));
	nested_dom = nested(&g, guest_dev);
	ok(uiommu_attach_device(nested_dom, guest_dev));
}

int main(void)
{
	start();
	set_up();
	printf("a guest's stage 1 on our stage 2; x: times the row of the host's own\n");
	measure();
	printf("loads of a miss, all translations forgotten (without walk caches: 4, 24)\n");
	count_loads("stage 1", host_dev);
	count_loads("nested", guest_dev);
	return 0;
}
