/* SPDX-License-Identifier: MIT */
/*
 * garbage.c - random registers, tables, commands and accesses
 *
 * Nothing that a program, a guest or a device writes may crash, hang or corrupt
 * the simulator (DESIGN 3.14): it makes events, errors and aborts. Run under
 * ASan and UBSan. Memory is small and pointers are often into it, so that walks
 * get far and tables overlap each other and the queues.
 *
 * usage: sim-garbage [seed [rounds]]; without a seed some fixed ones are used.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uiommu/sim/smmuv3.h>

#include "../heap.h"
#include "../rng.h"

#define RAM_BYTES 65536u

static uint8_t ram[RAM_BYTES];
static uint64_t rng, ram_base;
static unsigned accesses, translated;

static uint64_t rnd(void)
{
	return rng_next(&rng) * 0x2545f4914f6cdd1du;
}

static bool one_in(unsigned n)
{
	return (rnd() >> 40) % n == 0;
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	(void)ctx;
	if (pa < ram_base || pa - ram_base > RAM_BYTES || bytes > RAM_BYTES - (pa - ram_base))
		return -UIOMMU_EFAULT;
	memcpy(buf, ram + (pa - ram_base), bytes);
	return 0;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	(void)ctx;
	if (pa < ram_base || pa - ram_base > RAM_BYTES || bytes > RAM_BYTES - (pa - ram_base))
		return -UIOMMU_EFAULT;
	memcpy(ram + (pa - ram_base), buf, bytes);
	return 0;
}

static uint64_t pointer(void)
{
	return ram_base + (rnd() >> 20) % RAM_BYTES;
}

/* A word that is likely to mean something: an STE, a CD, a descriptor. */
static uint64_t word(void)
{
	if (!one_in(4))		/* a table or a page, which mostly may be used */
		return (pointer() & ~(uint64_t)0xfff) | (one_in(4) ? rnd() & 0xffc : 0xc40) | 3;
	switch ((rnd() >> 30) % 7) {
	case 0:
		return rnd();
	case 1:
		return 0;
	case 2:		/* a block of wherever memory is, or not */
		return (rnd() & 0x0060fffffffff000u) | 0x441;
	case 3:
		return one_in(2) ? 0xc41 : 0;
	case 4:		/* STE, stage 1 */
		return (pointer() & ~(uint64_t)63) | 1 | 5 << 1 | (rnd() & 0x30) |
		       (rnd() >> 61) << 59;
	case 5:		/* CD */
		return (rnd() & 0xffff0000000000ffu) | 1u << 31 | (uint64_t)5 << 32 |
		       (uint64_t)0x31 << 41 | (rnd() & (uint64_t)1 << 30) |
		       (16 + (rnd() >> 40) % 24);
	case 6:		/* a command */
		return ((rnd() >> 40) % 0x48) | (rnd() & 0xffff000000000c00u);
	default:	/* an upper level descriptor */
		return pointer() | (rnd() & 31);
	}
}

static void scribble(unsigned words)
{
	while (words--) {
		uint64_t w = word();

		memcpy(ram + (rnd() >> 20) % (RAM_BYTES / 8) * 8, &w, 8);
	}
}

static void put(uint64_t pa, uint64_t w)
{
	if (!one_in(10))	/* now and then it is spoilt */
		memcpy(ram + ((pa - ram_base) & (RAM_BYTES - 8)), &w, 8);
}

/* Some streams that look right as far as their tables, which are what they are. */
static void plant(uint64_t strtab)
{
	for (unsigned i = 0; i < 16; i++) {
		uint64_t cd = pointer() & ~(uint64_t)63;

		put(strtab + i * 64, one_in(4) ? 1 | 4 << 1 : 1 | 5 << 1 | cd);
		put(strtab + i * 64 + 8, 0);
		put(cd, (uint64_t)(i / 2) << 48 | (uint64_t)0x31 << 41 | (uint64_t)6 << 32 |
			1u << 31 | 1u << 30 | (25 + rnd() % 15));
		put(cd + 8, pointer() & ~(uint64_t)0xfff);
	}
}

static void forget(struct uiommu_sim_smmuv3 *s, uint64_t cmdq)
{
	put(cmdq, 0x04);	/* CFGI_ALL */
	put(cmdq + 8, 31);
	put(cmdq + 16, 0x30);	/* TLBI_NSNH_ALL */
	put(cmdq + 24, 0);
	uiommu_sim_smmuv3_mmio_write(s, 0x9c, 0, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x98, 2, 4);
}

static void registers(struct uiommu_sim_smmuv3 *s)
{
	uint64_t strtab = pointer() & ~(uint64_t)0x3fff, cmdq = pointer() & ~(uint64_t)0xfff;
	uint64_t two_level = one_in(3) ? rnd() & 0x107c0 : 0;

	plant(strtab);
	forget(s, cmdq);
	uiommu_sim_smmuv3_mmio_write(s, 0x64, uiommu_sim_smmuv3_mmio_read(s, 0x60, 4), 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x80, strtab, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0x90, cmdq | rnd() >> 61, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0xa0, (pointer() & ~(uint64_t)31) | rnd() >> 61, 8);
	uiommu_sim_smmuv3_mmio_write(s, 0x88, two_level | (4 + (rnd() >> 62)), 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x2c, 2, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x50, 5, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x20, 13, 4);
}

static void poke(struct uiommu_sim_smmuv3 *s)
{
	uint64_t page = one_in(4) ? 0x10000 : 0, offset = page | ((rnd() >> 30) & 0xfc);
	unsigned size = one_in(3) ? 8 : 4;

	if (one_in(2))
		uiommu_sim_smmuv3_mmio_write(s, offset, word(), size);
	else
		uiommu_sim_smmuv3_mmio_read(s, offset, size);
}

static void queues(struct uiommu_sim_smmuv3 *s)
{
	uiommu_sim_smmuv3_mmio_write(s, 0x98, rnd() >> 44, 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x64, uiommu_sim_smmuv3_mmio_read(s, 0x60, 4), 4);
	uiommu_sim_smmuv3_mmio_write(s, 0x100ac,
				     uiommu_sim_smmuv3_mmio_read(s, 0x100a8, 4), 4);
}

static void access(struct uiommu_sim_smmuv3 *s)
{
	struct uiommu_sim_access a = {
		.stream_id = one_in(20) ? (uint32_t)rnd() : (uint32_t)(rnd() >> 60),
		.substream_id = one_in(20) ? (uint32_t)rnd() : (uint32_t)(rnd() >> 61),
		.ssv = one_in(5), .write = one_in(2), .exec = one_in(4), .priv = one_in(3),
		.iova = one_in(4) ? rnd() : rnd() >> 24 >> (rnd() >> 60),
	};
	uint8_t buf[64] = { 0 };
	size_t done;

	accesses++;
	translated += !uiommu_sim_smmuv3_dma(s, &a, buf, 1 + (rnd() >> 58), &done);
	if (done > sizeof(buf))
		abort();
}

static void round_of(uint64_t seed)
{
	const struct uiommu_sim_env env = { .alloc = heap_alloc, .free = heap_free,
					    .read = env_read, .write = env_write };
	static const uint8_t oas[] = { 32, 36, 40, 42, 44, 48, 52 };
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_sim_smmuv3 *s;

	rng = seed * 0x9e3779b97f4a7c15u | 1;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.sidsize = one_in(4) ? (unsigned)(rnd() >> 40) % 33 : 16;
	cfg.ssidsize = (unsigned)(rnd() >> 59) % 21;
	cfg.oas_lg2 = oas[(rnd() >> 40) % 7];
	cfg.vax52 = one_in(2);
	cfg.msi = one_in(2);
	cfg.tlb_entries_lg2 = 2 + (unsigned)(rnd() >> 61);
	ram_base = (rnd() >> 60) << 16;
	if (uiommu_sim_smmuv3_create(&cfg, &env, &s))
		abort();
	for (unsigned i = 0; i < 40; i++) {
		scribble(i ? 400 : 8192);
		uiommu_sim_smmuv3_mmio_write(s, 0x20, 0, 4);
		registers(s);
		for (unsigned j = 0; j < 30; j++) {
			access(s);
			if (one_in(8))
				poke(s);
			if (one_in(8))
				queues(s);
		}
	}
	uiommu_sim_smmuv3_destroy(s);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : argc > 1 ? 1 : 60;

	for (unsigned i = 0; i < rounds; i++) {
		/* the last line before a crash says how to run it alone */
		printf("%s %llu\n", argv[0], (unsigned long long)(seed + i));
		fflush(stdout);
		round_of(seed + i);
	}
	printf("%u accesses, %u of them went through\n", accesses, translated);
	/* if nothing gets through, nothing is tested */
	return argc == 1 && translated < accesses / 100;
}
