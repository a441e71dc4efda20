/* SPDX-License-Identifier: MIT */
/*
 * msi.c - the MSI controller: a doorbell in the memory map
 *
 * A device's message is a DMA write like any other. The doorbell learns from the
 * bus who wrote (the DeviceID that an ITS gets beside the data) and from the data
 * which event it is.
 */
#include "internal.h"

#define ITS_TRANSLATION_FRAME	0x10000u
#define ITS_FRAME_BYTES		0x10000u
#define GITS_TRANSLATER		0x40u		/* in the translation frame */

#define PCI_MSI_IRQ_INDEX	1u		/* of VFIO's irq indices */

/* the MSI capability, from its offset */
#define MSI_CONTROL		0x02
#define MSI_CONTROL_ENABLE	0x0001u
#define MSI_CONTROL_MME(lg2)	((lg2) << 4)
#define MSI_ADDR_LO		0x04
#define MSI_ADDR_HI		0x08
#define MSI_DATA		0x0c

/* A bus carries its initiator beside address and data. Ours is a call, and the
 * simulator between has no field for it: so it rides on the thread that makes it. */
static _Thread_local struct mach_fn *initiator;

void uiommu_mach_initiator_set(struct mach_fn *f)
{
	initiator = f;
}

/* ---- the doorbell ---- */

static uint32_t its_read32(void *ctx, uint64_t offset)
{
	return 0;	/* write-only; the rest of the frame is reserved */
}

static uint64_t its_read64(void *ctx, uint64_t offset)
{
	return 0;
}

static void its_write32(void *ctx, uint64_t offset, uint32_t event)
{
	struct mach_fn *f = initiator;

	if (offset != GITS_TRANSLATER || !f || f->its != ctx || event >= MACH_MAX_VECTORS)
		return;
	pthread_mutex_lock(&f->msi_lock);
	if (f->msi[event].fn)
		f->msi[event].fn(f->msi[event].arg);
	pthread_mutex_unlock(&f->msi_lock);
}

static void its_write64(void *ctx, uint64_t offset, uint64_t value)
{
	/* GITS_TRANSLATER takes 16- and 32-bit writes only */
}

static const struct uiommu_mmio_ops its_ops = {
	.read32 = its_read32,
	.write32 = its_write32,
	.read64 = its_read64,
	.write64 = its_write64,
};

int uiommu_mach_its_start(struct uiommu_machine *m, struct mach_its *its, const struct desc_its *d)
{
	int ret;

	its->m = m;
	its->d = d;
	ret = uiommu_posix_add_mmio(m->posix, d->pa + ITS_TRANSLATION_FRAME, ITS_FRAME_BYTES,
				    &its_ops, its);
	if (ret)
		return uiommu_mach_error(m, ret,
					 "%s: property reg: 0x%llx is where something else is",
					 d->name, (unsigned long long)d->pa);
	its->mmio = true;
	return 0;
}

void uiommu_mach_its_stop(struct mach_its *its)
{
	if (its->mmio)
		uiommu_posix_remove_mmio(its->m->posix, its->d->pa + ITS_TRANSLATION_FRAME);
}

/* ---- a function's vectors ---- */

int uiommu_mach_msi_alloc(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg),
			  void *arg, uiommu_pa_t *pa, uint32_t *data)
{
	struct mach_fn *f = ctx;
	int ret = 0;

	if (index != PCI_MSI_IRQ_INDEX || !f->its || vector >= MACH_MAX_VECTORS)
		return -UIOMMU_EINVAL;
	pthread_mutex_lock(&f->msi_lock);
	if (f->msi[vector].fn)
		ret = -UIOMMU_EBUSY;
	else
		f->msi[vector] = (struct mach_msi){ fn, arg };
	pthread_mutex_unlock(&f->msi_lock);
	if (ret)
		return ret;
	*pa = f->its->d->pa + ITS_TRANSLATION_FRAME + GITS_TRANSLATER;
	*data = vector;
	return 0;
}

/* Multiple Message Enable, log2, for vectors up to the last one in use. */
static unsigned vectors_lg2(struct mach_fn *f, bool *any)
{
	unsigned lg2 = 0;

	*any = false;
	pthread_mutex_lock(&f->msi_lock);
	for (unsigned v = 0; v < MACH_MAX_VECTORS; v++) {
		*any |= f->msi[v].fn != NULL;
		while (f->msi[v].fn && v >> lg2)
			lg2++;
	}
	pthread_mutex_unlock(&f->msi_lock);
	return lg2;
}

static void set_control(struct mach_fn *f)
{
	bool any;
	unsigned lg2 = vectors_lg2(f, &any);

	uiommu_sim_cfg_write(f->sim, f->sim->msi_cap + MSI_CONTROL,
			     any ? MSI_CONTROL_ENABLE | MSI_CONTROL_MME(lg2) : 0, 2);
}

/* All vectors of plain MSI share address and upper data bits: @data less @vector. */
void uiommu_mach_msi_program(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
			     uint32_t data)
{
	struct mach_fn *f = ctx;
	unsigned cap = f->sim->msi_cap;

	if (index != PCI_MSI_IRQ_INDEX || !cap)
		return;
	uiommu_sim_cfg_write(f->sim, cap + MSI_ADDR_LO, (uint32_t)iova, 4);
	uiommu_sim_cfg_write(f->sim, cap + MSI_ADDR_HI, (uint32_t)(iova >> 32), 4);
	uiommu_sim_cfg_write(f->sim, cap + MSI_DATA, data - vector, 2);
	set_control(f);
}

void uiommu_mach_msi_free(void *ctx, unsigned index, unsigned vector)
{
	struct mach_fn *f = ctx;

	if (index != PCI_MSI_IRQ_INDEX || vector >= MACH_MAX_VECTORS)
		return;
	pthread_mutex_lock(&f->msi_lock);	/* a handler that runs ends first */
	f->msi[vector] = (struct mach_msi){ NULL, NULL };
	pthread_mutex_unlock(&f->msi_lock);
	set_control(f);
}
