/* SPDX-License-Identifier: MIT */
/*
 * TinySmmu: a stage 2 only SMMUv3 driver of a small hypervisor. It stands for
 * YOUR driver: it shares nothing with the library, not even its style.
 */
#ifndef TINY_SMMU_H
#define TINY_SMMU_H

#include <stdint.h>

typedef struct TinyPlatform {
	void *opaque;
	uint32_t (*read32)(void *opaque, uint32_t reg);
	void (*write32)(void *opaque, uint32_t reg, uint32_t value);
	void (*write64)(void *opaque, uint32_t reg, uint64_t value);
	uint64_t (*allocPages)(void *opaque, uint64_t bytes);  /* zeroed, aligned */
	void *(*toVirtual)(void *opaque, uint64_t physical);
} TinyPlatform;

/* mistakes that one can make, to see what the bench says about them */
typedef enum TinyMistake {
	TINY_CORRECT,
	TINY_FORGET_VALID,        /* STE.V stays 0 */
	TINY_WRONG_START_LEVEL,   /* S2SL0 does not fit S2T0SZ */
	TINY_FORGET_ACCESS_FLAG,  /* leaves without AF, and S2AFFD clear */
	TINY_FORGET_INVALIDATE,   /* no TLBI after an unmap */
	TINY_WRONG_OPCODE,        /* a stage 1 EL2 command instead of TLBI_S2_IPA */
	/* kind hardware never tells of these */
	TINY_FORGET_SYNC,         /* no CMD_SYNC after it */
	TINY_INVALIDATE_FIRST     /* the TLBI before the entry is cleared */
} TinyMistake;

typedef struct TinySmmu {
	TinyPlatform platform;
	TinyMistake mistake;
	uint64_t streamTable, commandQueue, eventQueue;
	uint32_t commandProducer, eventConsumer;
} TinySmmu;

typedef struct TinyVm {
	uint64_t root;
	uint16_t vmid;
} TinyVm;

typedef struct TinyEvent {
	uint32_t code, streamId;
	uint64_t address, ipa;
	int stage2, write;
} TinyEvent;

int tinyInit(TinySmmu *smmu, const TinyPlatform *platform);  /* 0, or -1: no stage 2 */
void tinyCreateVm(TinySmmu *smmu, TinyVm *vm, uint16_t vmid);
void tinyAssign(TinySmmu *smmu, uint32_t streamId, const TinyVm *vm);
void tinyMap(TinySmmu *smmu, TinyVm *vm, uint64_t ipa, uint64_t pa, int writable);
void tinyUnmap(TinySmmu *smmu, TinyVm *vm, uint64_t ipa);
int tinyNextEvent(TinySmmu *smmu, TinyEvent *event);  /* 0: none */
int tinyCommandError(TinySmmu *smmu);                 /* the error code, or 0 */

#endif
