/* SPDX-License-Identifier: MIT */
#include "tinysmmu.h"

#include <string.h>

enum {
	kIdr0 = 0x00, kCr0 = 0x20, kCr0Ack = 0x24, kCr2 = 0x2c, kGerror = 0x60,
	kStrtabBase = 0x80, kStrtabCfg = 0x88, kCmdqBase = 0x90, kCmdqProd = 0x98,
	kCmdqCons = 0x9c, kEventqBase = 0xa0, kEventqProd = 0x100a8, kEventqCons = 0x100ac
};

enum { kStreamsLog2 = 6, kQueueLog2 = 5 };

static uint64_t *wordAt(TinySmmu *smmu, uint64_t physical)
{
	return (uint64_t *)smmu->platform.toVirtual(smmu->platform.opaque, physical);
}

static uint32_t readReg(TinySmmu *smmu, uint32_t reg)
{
	return smmu->platform.read32(smmu->platform.opaque, reg);
}

static void writeReg(TinySmmu *smmu, uint32_t reg, uint32_t value)
{
	smmu->platform.write32(smmu->platform.opaque, reg, value);
}

static uint64_t allocate(TinySmmu *smmu, uint64_t bytes)
{
	return smmu->platform.allocPages(smmu->platform.opaque, bytes);
}

static void command(TinySmmu *smmu, uint64_t low, uint64_t high)
{
	uint32_t slot = smmu->commandProducer & ((1u << kQueueLog2) - 1);
	uint64_t *entry = wordAt(smmu, smmu->commandQueue + slot * 16);

	entry[0] = low;
	entry[1] = high;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	smmu->commandProducer = (smmu->commandProducer + 1) & ((2u << kQueueLog2) - 1);
	writeReg(smmu, kCmdqProd, smmu->commandProducer);
}

static void sync(TinySmmu *smmu)
{
	unsigned patience = 1000;

	command(smmu, 0x46, 0);
	while (patience-- && (readReg(smmu, kCmdqCons) & 0xfffff) != smmu->commandProducer)
		;
}

static int enable(TinySmmu *smmu, uint32_t bits)
{
	unsigned patience = 1000;

	writeReg(smmu, kCr0, bits);
	while (patience-- && readReg(smmu, kCr0Ack) != bits)
		;
	return readReg(smmu, kCr0Ack) == bits ? 0 : -1;
}

int tinyInit(TinySmmu *smmu, const TinyPlatform *platform)
{
	memset(smmu, 0, sizeof(*smmu));
	smmu->platform = *platform;
	if (!(readReg(smmu, kIdr0) & 1))
		return -1;
	smmu->streamTable = allocate(smmu, 64u << kStreamsLog2);
	smmu->commandQueue = allocate(smmu, 16u << kQueueLog2);
	smmu->eventQueue = allocate(smmu, 32u << kQueueLog2);
	platform->write64(platform->opaque, kStrtabBase, smmu->streamTable);
	writeReg(smmu, kStrtabCfg, kStreamsLog2);
	platform->write64(platform->opaque, kCmdqBase, smmu->commandQueue | kQueueLog2);
	platform->write64(platform->opaque, kEventqBase, smmu->eventQueue | kQueueLog2);
	writeReg(smmu, kCr2, 1u << 1);
	if (enable(smmu, 0xc))
		return -1;
	command(smmu, 0x04, 31);  /* CFGI_ALL */
	command(smmu, 0x30, 0);   /* TLBI_NSNH_ALL */
	sync(smmu);
	return enable(smmu, 0xd);
}

void tinyCreateVm(TinySmmu *smmu, TinyVm *vm, uint16_t vmid)
{
	vm->root = allocate(smmu, 4096);
	vm->vmid = vmid;
}

/* 39 bits of IPA from level 1, 4 KiB pages */
void tinyAssign(TinySmmu *smmu, uint32_t streamId, const TinyVm *vm)
{
	uint64_t *ste = wordAt(smmu, smmu->streamTable + streamId * 64);
	uint64_t startLevel = smmu->mistake == TINY_WRONG_START_LEVEL ? 2 : 1;

	ste[3] = vm->root;
	ste[2] = vm->vmid | (uint64_t)25 << 32 | startLevel << 38 | (uint64_t)5 << 48 |
				(uint64_t)1 << 51 | (uint64_t)1 << 58;
	ste[1] = 0;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ste[0] = 6 << 1 | (smmu->mistake != TINY_FORGET_VALID);
	command(smmu, 0x03 | (uint64_t)streamId << 32, 1);
	sync(smmu);
}

static uint64_t *leafOf(TinySmmu *smmu, TinyVm *vm, uint64_t ipa)
{
	uint64_t *entry = wordAt(smmu, vm->root + (ipa >> 30 & 511) * 8);

	for (unsigned shift = 21; shift >= 12; shift -= 9) {
		if (!*entry)
			*entry = allocate(smmu, 4096) | 3;
		entry = wordAt(smmu, (*entry & 0xfffffffff000) + (ipa >> shift & 511) * 8);
	}
	return entry;
}

void tinyMap(TinySmmu *smmu, TinyVm *vm, uint64_t ipa, uint64_t pa, int writable)
{
	uint64_t accessFlag = smmu->mistake == TINY_FORGET_ACCESS_FLAG ? 0 : 1 << 10;

	*leafOf(smmu, vm, ipa) = pa | accessFlag | (writable ? 3 << 6 : 1 << 6) | 0xf << 2 | 3;
}

static void invalidate(TinySmmu *smmu, const TinyVm *vm, uint64_t ipa)
{
	if (smmu->mistake == TINY_FORGET_INVALIDATE)
		return;
	command(smmu, (smmu->mistake == TINY_WRONG_OPCODE ? 0x22 : 0x2a) | (uint64_t)vm->vmid << 32,
			ipa | 1);
	if (smmu->mistake != TINY_FORGET_SYNC)
		sync(smmu);
}

void tinyUnmap(TinySmmu *smmu, TinyVm *vm, uint64_t ipa)
{
	if (smmu->mistake == TINY_INVALIDATE_FIRST)
		invalidate(smmu, vm, ipa);
	*leafOf(smmu, vm, ipa) = 0;
	if (smmu->mistake != TINY_INVALIDATE_FIRST)
		invalidate(smmu, vm, ipa);
}

int tinyNextEvent(TinySmmu *smmu, TinyEvent *event)
{
	uint32_t mask = (2u << kQueueLog2) - 1;
	const uint64_t *record;

	if (!((readReg(smmu, kEventqProd) ^ smmu->eventConsumer) & mask))
		return 0;
	record = wordAt(smmu, smmu->eventQueue + (smmu->eventConsumer & (mask >> 1)) * 32);
	event->code = (uint32_t)(record[0] & 0xff);
	event->streamId = (uint32_t)(record[0] >> 32);
	event->stage2 = record[1] >> 39 & 1;
	event->write = !(record[1] >> 35 & 1);
	event->address = record[2];
	event->ipa = record[3];
	smmu->eventConsumer = (smmu->eventConsumer + 1) & mask;
	writeReg(smmu, kEventqCons, smmu->eventConsumer);
	return 1;
}

int tinyCommandError(TinySmmu *smmu)
{
	return readReg(smmu, kGerror) & 1 ? (int)(readReg(smmu, kCmdqCons) >> 24 & 0x7f) : 0;
}
