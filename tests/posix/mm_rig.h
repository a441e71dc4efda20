/* SPDX-License-Identifier: MIT */
/*
 * mm_rig.h - a simulated SMMU that stalls, our driver on it, and devices that are
 * bound to this very process. A device is whoever calls dev_dma(): it waits for its
 * pages as hardware does. A stall tag is given out again as soon as it is resumed, so
 * who waits is known by StreamID: each thread that does DMA has one of its own.
 */
#ifndef TESTS_POSIX_MM_RIG_H
#define TESTS_POSIX_MM_RIG_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uiommu/sim/smmuv3.h>
#include <uiommu/smmuv3.h>

#include "host/posix/mm.h"
#include "sim/mmio.h"
#include "tests/heap.h"

#define RIG_STALLS	64
#define RIG_SIDS	8u
#define RIG_MMIO	0x9050000ull

struct mm_rig {
	struct uiommu_posix *p;
	struct uiommu_sim_smmuv3 *sim;
	struct uiommu *u;
	struct uiommu_iommu *iommu;
	struct uiommu_dev *dev;
	struct uiommu_posix_mm *mm;
	struct uiommu_sva *sva;
	pthread_mutex_t sim_lock, lock;
	pthread_cond_t resumed;
	uint8_t how[RIG_SIDS];			/* lock: 1 + how, 0: it waits */
	unsigned refused;			/* lock: accesses that waited in vain */
	unsigned events;			/* told by the observer */
};

static _Thread_local uint32_t rig_sid;		/* this thread's */

static inline int rig_read(void *ctx, uiommu_pa_t pa, void *buf, size_t n)
{
	return uiommu_posix_pa_read(((struct mm_rig *)ctx)->p, pa, buf, n);
}

static inline int rig_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t n)
{
	return uiommu_posix_pa_write(((struct mm_rig *)ctx)->p, pa, buf, n);
}

static inline void rig_irq(void *ctx, enum uiommu_sim_irq line)
{
	uiommu_posix_raise_irq(((struct mm_rig *)ctx)->p, 1 + line);
}

static inline void rig_sim_lock(void *ctx)
{
	pthread_mutex_lock(&((struct mm_rig *)ctx)->sim_lock);
}

static inline void rig_sim_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct mm_rig *)ctx)->sim_lock);
}

static inline void rig_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
	struct mm_rig *r = ctx;

	pthread_mutex_lock(&r->lock);
	r->how[sid] = (uint8_t)(1 + how);
	r->refused += how != UIOMMU_SIM_RESUME_RETRY;
	pthread_cond_broadcast(&r->resumed);
	pthread_mutex_unlock(&r->lock);
}

SIM_MMIO_OPS(rig_mmio, uiommu_sim_smmuv3_mmio_read, uiommu_sim_smmuv3_mmio_write)

static inline void rig_event(void *ctx, const struct uiommu_fault *f)
{
	__atomic_fetch_add(&((struct mm_rig *)ctx)->events, 1, __ATOMIC_RELAXED);
}

static inline int rig_smmu(struct mm_rig *r)
{
	const struct uiommu_sim_env env = {
		.ctx = r, .alloc = heap_alloc, .free = heap_free, .read = rig_read,
		.write = rig_write, .irq = rig_irq, .lock = rig_sim_lock,
		.unlock = rig_sim_unlock, .resume = rig_resume,
	};
	const struct uiommu_smmuv3_config drv = {
		.name = "smmu", .mmio_pa = RIG_MMIO, .mmio_bytes = 0x20000, .coherent = true,
		.has_irqs = true, .irq_evtq = 1 + UIOMMU_SIM_IRQ_EVTQ,
		.irq_gerror = 1 + UIOMMU_SIM_IRQ_GERROR,
	};
	const struct uiommu_observer obs = { .ctx = r, .fault = rig_event };
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stall = 1;
	cfg.stall_max = RIG_STALLS;
	if (uiommu_sim_smmuv3_create(&cfg, &env, &r->sim) ||
	    uiommu_posix_add_mmio(r->p, RIG_MMIO, 0x20000, &rig_mmio, r->sim) ||
	    uiommu_create(uiommu_posix_host(r->p), &obs, &r->u))
		return -1;
	return uiommu_smmuv3_probe(r->u, &drv, &r->iommu);
}

/* One device, bound to this process. */
static inline int mm_rig_init(struct mm_rig *r)
{
	static const uint32_t sids[RIG_SIDS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct uiommu_dev_config dev = {
		.name = "dev", .stream_ids = sids, .num_stream_ids = RIG_SIDS,
		.pasid_bits = 16, .group = -1, .can_stall = true,
	};

	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->sim_lock, NULL);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->resumed, NULL);
	if (uiommu_posix_create(&r->p) || rig_smmu(r))
		return -1;
	dev.iommu = r->iommu;
	if (uiommu_device_add(r->u, &dev, &r->dev) ||
	    uiommu_posix_mm_create(r->p, r->u, &r->mm))
		return -1;
	return uiommu_sva_bind_device(r->dev, uiommu_posix_mm_handle(r->mm), &r->sva);
}

static inline int mm_rig_fini(struct mm_rig *r)
{
	int err;

	if (r->sva)
		uiommu_sva_unbind_device(r->sva);
	err = uiommu_posix_mm_destroy(r->mm);
	uiommu_destroy(r->u);
	uiommu_posix_remove_mmio(r->p, RIG_MMIO);
	uiommu_sim_smmuv3_destroy(r->sim);
	uiommu_posix_destroy(r->p);
	return err;
}

static inline enum uiommu_sim_resume rig_wait(struct mm_rig *r)
{
	enum uiommu_sim_resume how;

	pthread_mutex_lock(&r->lock);
	while (!r->how[rig_sid])
		pthread_cond_wait(&r->resumed, &r->lock);
	how = (enum uiommu_sim_resume)(r->how[rig_sid] - 1);
	r->how[rig_sid] = 0;
	pthread_mutex_unlock(&r->lock);
	return how;
}

/* What a device does with a pointer: 0, or -EFAULT after @done bytes. */
static inline int dev_dma(struct mm_rig *r, uiommu_pasid_t pasid, void *ptr, void *buf, size_t n,
			  bool write)
{
	struct uiommu_sim_access a = {
		.stream_id = rig_sid, .substream_id = pasid, .ssv = true, .write = write,
	};
	size_t at = 0, moved;

	while (at < n) {
		int err;

		a.iova = (uintptr_t)ptr + at;
		err = uiommu_sim_smmuv3_dma(r->sim, &a, (char *)buf + at, n - at, &moved);
		at += moved;
		if (err == -UIOMMU_EBUSY)
			continue;
		if (err == -UIOMMU_EAGAIN && rig_wait(r) == UIOMMU_SIM_RESUME_RETRY)
			continue;
		if (err)
			return -UIOMMU_EFAULT;
	}
	return 0;
}

#endif
