/* SPDX-License-Identifier: MIT */
/*
 * vstrtab.c - the guest's stream table, and what its devices have on the host for it
 *
 * A device has one nested page table of the host's at a time: stage 1 as its STE says,
 * or bypass, or nothing. The STE is read when the guest says that it has changed, as
 * hardware may keep it until then; and a new page table replaces the old one, so that
 * the host forgets what it had cached of CDs, also where the STE is the same.
 */
#include <errno.h>

#include "say.h"
#include "vm.h"
#include "vsmmu.h"

#define STE_BYTES	(STE_WORDS * 8ull)

/* What the host takes of an STE (IOMMU_HWPT_DATA_ARM_SMMUV3); the rest is its own. */
#define TAKEN0	(FMASK(STE_V) | FMASK(STE_Config) | FMASK(STE_S1Fmt) | FMASK(STE_S1ContextPtr) | \
		 FMASK(STE_S1CDMax))
#define TAKEN1	(FMASK(STE_S1DSS) | FMASK(STE_S1CIR) | FMASK(STE_S1COR) | FMASK(STE_S1CSH) | \
		 FMASK(STE_S1STALLD) | FMASK(STE_EATS))

static const uint64_t nothing[2] = { 0, 0 };
static const uint64_t bypass[2] = { FCONST(STE_V, 1) | FCONST(STE_Config, STE_Config_BYPASS), 0 };

/* ---- the table ---- */

/* Two levels: a descriptor of the first says where 2^(Span - 1) STEs are. */
static bool two_level(const struct vsmmu *v, uint64_t base, uint32_t sid, uint64_t *pa)
{
	uint32_t split = (uint32_t)FGET(STRTAB_BASE_CFG_SPLIT, vsmmu_get(v, SMMU_STRTAB_BASE_CFG));
	uint64_t l1, span;

	if (split != 6 && split != 8 && split != 10)
		split = 6;		/* reserved: as 6 (6.3.25) */
	if (!vm_read64(v->vm, base + (sid >> split) * 8ull, &l1, 1))
		return false;
	span = FGET(L1STD_Span, l1);
	sid &= (1u << split) - 1;
	if (!span || span > split + 1 || sid >> (span - 1))
		return false;
	*pa = (l1 & FMASK(L1STD_L2Ptr)) + sid * STE_BYTES;
	return true;
}

/* Where the STE of @sid is; false: the table has none. */
static bool ste_at(const struct vsmmu *v, uint32_t sid, uint64_t *pa)
{
	uint64_t base = vsmmu_get64(v, SMMU_STRTAB_BASE) & FMASK(STRTAB_BASE_ADDR);
	uint32_t cfg = vsmmu_get(v, SMMU_STRTAB_BASE_CFG);
	uint64_t lg2 = FGET(STRTAB_BASE_CFG_LOG2SIZE, cfg);

	if (lg2 < 32 && sid >> lg2)
		return false;
	if (FGET(STRTAB_BASE_CFG_FMT, cfg) == STRTAB_BASE_CFG_FMT_TWO_LEVEL)
		return two_level(v, base, sid, pa);
	*pa = base + sid * STE_BYTES;
	return true;
}

/* ---- what a device is to have ---- */

/* An STE with stage 2 is none of an SMMU that has stage 1 alone. */
static bool is_legal(const uint64_t ste[2])
{
	switch (FGET(STE_Config, ste[0])) {
	case STE_Config_S1:
	case STE_Config_BYPASS:
	case STE_Config_ABORT:
		return true;
	default:
		return !(FGET(STE_Config, ste[0]) & 4);	/* 0b0xx: abort */
	}
}

/* Two words for the host. An STE that cannot be read, or says nothing legal, aborts. */
static void wanted(const struct vsmmu *v, uint32_t sid, uint64_t out[2])
{
	uint64_t pa, ste[2];

	out[0] = nothing[0];
	out[1] = nothing[1];
	if (!(vsmmu_get(v, SMMU_CR0ACK) & FMASK(CR0_SMMUEN))) {
		if (!(vsmmu_get(v, SMMU_GBPA) & FMASK(GBPA_ABORT)))
			out[0] = bypass[0];
		return;
	}
	if (!ste_at(v, sid, &pa) || !vm_read64(v->vm, pa, ste, 2) || !FGET(STE_V, ste[0]) ||
	    !is_legal(ste))
		return;
	switch (FGET(STE_Config, ste[0])) {
	case STE_Config_S1:
		out[0] = ste[0] & TAKEN0;
		out[1] = ste[1] & TAKEN1;
		break;
	case STE_Config_BYPASS:
		out[0] = bypass[0];
		break;
	}
}

/* 0, or a negative errno: it has what it had. */
static int put(struct vm *vm, struct vdev *d, const uint64_t ste[2])
{
	uint32_t hwpt, faultq = d->board.pri ? vm->faultq : 0;
	int err = host_nested_alloc(vm->iommufd, d->id, vm->viommu, ste, faultq, &hwpt);

	if (err)
		return err;
	err = host_device_attach(d->fd, hwpt);
	if (err) {
		host_destroy(vm->iommufd, hwpt);
		return err;
	}
	if (d->hwpt)
		host_destroy(vm->iommufd, d->hwpt);
	d->hwpt = hwpt;
	return 0;
}

static void device_changed(struct vsmmu *v, struct vdev *d)
{
	uint64_t ste[2];

	wanted(v, d->board.stream_id, ste);
	if (put(v->vm, d, ste) && put(v->vm, d, nothing))
		die("%s cannot be blocked", d->board.name);
}

void vsmmu_stes_changed(struct vsmmu *v, uint32_t sid, uint32_t last)
{
	for (unsigned i = 0; i < VM_DEVICES; i++) {
		struct vdev *d = &v->vm->dev[i];

		if (d->fd >= 0 && d->board.stream_id >= sid && d->board.stream_id <= last)
			device_changed(v, d);
	}
}

void vsmmu_all_stes_changed(struct vsmmu *v)
{
	vsmmu_stes_changed(v, 0, UINT32_MAX);
}

static struct vdev *free_place(struct vm *vm)
{
	for (unsigned i = 0; i < VM_DEVICES; i++)
		if (vm->dev[i].fd < 0)
			return &vm->dev[i];
	errno = ENOSPC;
	die("%s: no more than %u devices", vm->name, VM_DEVICES);
}

struct vdev *vsmmu_device_come(struct vsmmu *v, const struct vdev *new)
{
	struct vdev *d;

	pthread_mutex_lock(&v->lock);
	d = free_place(v->vm);
	*d = *new;
	device_changed(v, d);
	pthread_mutex_unlock(&v->lock);
	return d;
}
