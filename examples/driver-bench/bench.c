/* SPDX-License-Identifier: MIT */
/*
 * bench.c - a driver that is not ours, in a host test on the software SMMUv3
 *
 * tinysmmu.c stands for your driver. What it needs to run here is this page: memory,
 * registers, and a device that does DMA. It is brought up once as it should be, and
 * then with one mistake at a time, and what the hardware says about each is printed;
 * the test is that each is noticed.
 *
 * Then once more on hardware that takes every liberty (uiommu/sim/temper.h), under one
 * seed after the other: with each access of the driver, hardware may act before. The
 * driver as it should be has to stand that, and there are mistakes that only this
 * hardware tells of: one of waiting, one of order.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uiommu/sim/temper.h>

#include "tinysmmu.h"

#define RAM		0x40000000u
#define RAM_BYTES	(1u << 20)
#define SID		5
#define IPA		0x80001000u
#define SEEDS		100

struct bench {
	uint8_t *ram;
	uint64_t used;
	struct uiommu_sim_smmuv3 *sim;
	uint64_t random;		/* 0: the hardware is kind */
};

/* ---- what hardware does by itself ---- */

static unsigned choose(void *ctx, unsigned n)
{
	struct bench *b = ctx;

	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (unsigned)(b->random * 0x2545f4914f6cdd1du >> 32) % n;
}

/* Called wherever the driver touches a register or a table. */
static void act(struct bench *b)
{
	const struct uiommu_sim_access any = { .stream_id = SID, .iova = IPA };

	if (!b->random || !b->sim)
		return;
	for (unsigned n = choose(b, 3); n; n--)
		uiommu_sim_smmuv3_step(b->sim);
	if (!choose(b, 4))
		uiommu_sim_smmuv3_prefetch(b->sim, &any);
}

/* ---- for the simulator ---- */

static void *ram_at(struct bench *b, uint64_t pa, size_t bytes)
{
	if (pa < RAM || pa - RAM > RAM_BYTES || bytes > RAM_BYTES - (pa - RAM))
		return NULL;
	return b->ram + (pa - RAM);
}

static int sim_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	const void *p = ram_at(ctx, pa, bytes);

	if (p)
		memcpy(buf, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static int sim_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	void *p = ram_at(ctx, pa, bytes);

	if (p)
		memcpy(p, buf, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static void *sim_alloc(void *ctx, size_t bytes)
{
	(void)ctx;
	return calloc(1, bytes);
}

static void sim_free(void *ctx, void *p, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(p);
}

/* ---- for the driver ---- */

static uint32_t drv_read32(void *opaque, uint32_t reg)
{
	act(opaque);
	return (uint32_t)uiommu_sim_smmuv3_mmio_read(((struct bench *)opaque)->sim, reg, 4);
}

static void drv_write32(void *opaque, uint32_t reg, uint32_t value)
{
	uiommu_sim_smmuv3_mmio_write(((struct bench *)opaque)->sim, reg, value, 4);
}

static void drv_write64(void *opaque, uint32_t reg, uint64_t value)
{
	uiommu_sim_smmuv3_mmio_write(((struct bench *)opaque)->sim, reg, value, 8);
}

static uint64_t drv_alloc(void *opaque, uint64_t bytes)
{
	struct bench *b = opaque;
	uint64_t pa = (b->used + bytes - 1) & ~(bytes - 1);

	b->used = pa + bytes;
	if (b->used > RAM + RAM_BYTES)
		abort();
	return pa;
}

static void *drv_virtual(void *opaque, uint64_t pa)
{
	act(opaque);
	return ram_at(opaque, pa, 8);
}

static void start(struct bench *b)
{
	const struct uiommu_sim_env env = { .ctx = b, .alloc = sim_alloc, .free = sim_free,
					    .read = sim_read, .write = sim_write };
	/* under some seeds nothing is forgotten that need not be */
	const struct uiommu_sim_temper temper = { b, choose, b->random & 2 ? 20 : 0 };
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = cfg.no_stage1 = true;	/* what this driver is for */
	b->ram = calloc(1, RAM_BYTES);
	b->used = RAM;
	if (!b->ram || uiommu_sim_smmuv3_create(&cfg, &env, &b->sim))
		abort();
	if (b->random && uiommu_sim_smmuv3_set_temper(b->sim, &temper))
		abort();
}

/* ---- the device ---- */

static bool dma_write(struct bench *b, uint64_t iova, uint64_t value)
{
	const struct uiommu_sim_access a = { .stream_id = SID, .iova = iova, .write = true };

	return !uiommu_sim_smmuv3_dma(b->sim, &a, &value, sizeof(value), NULL);
}

/* ---- one run of the driver ---- */

static const char *name_of(uint32_t code)
{
	switch (code) {
	case 0x04:
		return "C_BAD_STE: the stream table entry is not one";
	case 0x10:
		return "F_TRANSLATION: nothing is mapped there";
	case 0x12:
		return "F_ACCESS: the page's access flag is clear";
	case 0x13:
		return "F_PERMISSION: mapped, but not for this";
	default:
		return "another event";
	}
}

static unsigned tell(TinySmmu *smmu)
{
	unsigned n = 0;
	TinyEvent e;

	for (; tinyNextEvent(smmu, &e); n++)
		printf("    stream %u, %s of 0x%llx%s: 0x%02x %s\n", e.streamId,
		       e.write ? "write" : "read", (unsigned long long)e.address,
		       e.stage2 ? ", at stage 2" : "", e.code, name_of(e.code));
	if (tinyCommandError(smmu)) {
		printf("    command queue error %d: CERROR_ILL, there is no such command here\n",
		       tinyCommandError(smmu));
		n++;
	}
	return n;
}

/* what the bench sees: a DMA, then the page is taken away, then another */
static bool run(const char *what, TinyMistake mistake)
{
	struct bench b = { 0 };
	const TinyPlatform platform = { &b, drv_read32, drv_write32, drv_write64, drv_alloc,
					drv_virtual };
	TinySmmu smmu;
	TinyVm vm;
	bool first, second;
	unsigned told;

	printf("%s\n", what);
	start(&b);
	if (tinyInit(&smmu, &platform))
		abort();
	smmu.mistake = mistake;
	tinyCreateVm(&smmu, &vm, 7);
	tinyAssign(&smmu, SID, &vm);
	tinyMap(&smmu, &vm, IPA, drv_alloc(&b, 4096), 1);
	first = dma_write(&b, IPA + 8, 1);
	told = tell(&smmu);
	tinyUnmap(&smmu, &vm, IPA);
	second = dma_write(&b, IPA + 16, 2);
	told += tell(&smmu);
	printf("    mapped: %s; unmapped: %s\n", first ? "written" : "refused",
	       second ? "STILL WRITTEN, the old translation was never invalidated" : "refused");
	uiommu_sim_smmuv3_destroy(b.sim);
	free(b.ram);
	if (mistake == TINY_CORRECT)
		return first && !second && told == 1;
	return !first || second;
}

/* ---- many runs, on hardware that is not kind ---- */

/* Pages come and go: is each reached exactly while it is mapped? */
static const char *hostile_run(uint64_t seed, TinyMistake mistake)
{
	struct bench b = { .random = seed * 0x9e3779b97f4a7c15u | 1 };
	const TinyPlatform platform = { &b, drv_read32, drv_write32, drv_write64, drv_alloc,
					drv_virtual };
	const char *wrong = NULL;
	TinySmmu smmu;
	TinyVm vm;

	start(&b);
	if (tinyInit(&smmu, &platform))
		wrong = "it cannot be brought up";
	smmu.mistake = mistake;
	if (!wrong) {
		tinyCreateVm(&smmu, &vm, 7);
		tinyAssign(&smmu, SID, &vm);
	}
	for (unsigned i = 0; i < 10 && !wrong; i++) {
		tinyMap(&smmu, &vm, IPA, drv_alloc(&b, 4096), 1);
		if (!dma_write(&b, IPA + 8, 1))
			wrong = "a mapped page is refused";
		tinyUnmap(&smmu, &vm, IPA);
		if (!wrong && dma_write(&b, IPA + 16, 2))
			wrong = "an unmapped page is still written";
	}
	uiommu_sim_smmuv3_destroy(b.sim);
	free(b.ram);
	return wrong;
}

static bool hostile(const char *what, TinyMistake mistake)
{
	const char *wrong = NULL;
	unsigned seed = 0;

	while (seed < SEEDS && !wrong)
		wrong = hostile_run(seed++, mistake);
	if (wrong)
		printf("%s\n    seed %u: %s\n", what, seed - 1, wrong);
	else
		printf("%s\n    %u seeds, nothing wrong\n", what, seed);
	return !wrong == (mistake == TINY_CORRECT);
}

int main(void)
{
	static const char *const what[] = {
		[TINY_CORRECT] = "as it should be (the second DMA must fault)",
		[TINY_FORGET_VALID] = "STE.V forgotten",
		[TINY_WRONG_START_LEVEL] = "a start level that does not fit the size",
		[TINY_FORGET_ACCESS_FLAG] = "no access flag in the pages",
		[TINY_FORGET_INVALIDATE] = "no TLBI after an unmap",
		[TINY_WRONG_OPCODE] = "a TLBI of another regime",
		[TINY_FORGET_SYNC] = "no CMD_SYNC after the TLBI",
		[TINY_INVALIDATE_FIRST] = "the TLBI before the entry is cleared",
	};
	int rc = 0;

	for (unsigned i = 0; i < TINY_FORGET_SYNC; i++)
		if (!run(what[i], (TinyMistake)i)) {
			printf("    NOT AS EXPECTED\n");
			rc = 1;
		}
	printf("\non hardware that takes every liberty:\n");
	for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (!hostile(what[i], (TinyMistake)i)) {
			printf("    NOT AS EXPECTED\n");
			rc = 1;
		}
	return rc;
}
