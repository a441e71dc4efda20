/* SPDX-License-Identifier: MIT */
/* function.c - a PCI function: its place on the bus, its thread, its VFIO device */
#include <uiommu/iopf.h>

#include "internal.h"

#define PCI_VENDOR_ID		0x00
#define PCI_DEVICE_ID		0x02
#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	0x0002u
#define PCI_CLASS_REV		0x08
#define PCI_BAR0		0x10
#define PASID_CTRL		0x06
#define PASID_CTRL_ENABLE	0x0001u
#define ATS_CAP			0x04
#define ATS_CAP_GLOBAL		0x0040u
#define ATS_CTRL		0x06
#define ATS_CTRL_ENABLE		0x8000u
#define PRI_CTRL		0x04
#define PRI_CTRL_ENABLE		0x0001u
#define PRI_CAPACITY		0x08
#define PRI_ALLOCATION		0x0c

#define VFIO_CONFIG_REGION	7
#define VFIO_MSI_IRQ		1

/* ---- the bus ---- */

static void *bus_alloc(void *ctx, size_t bytes)
{
	const struct uiommu_host *h = ((struct mach_fn *)ctx)->m->host;

	return h->alloc(h->ctx, bytes);
}

static void bus_free(void *ctx, void *p, size_t bytes)
{
	const struct uiommu_host *h = ((struct mach_fn *)ctx)->m->host;

	h->free(h->ctx, p, bytes);
}

static bool ats_is_on(struct mach_fn *f)
{
	return f->sim->ats_cap &&
	       uiommu_sim_cfg_read(f->sim, f->sim->ats_cap + ATS_CTRL, 2) & ATS_CTRL_ENABLE;
}

/* Nothing translates by what was kept before. */
static void set_ats(void *ctx, bool on)
{
	struct mach_fn *f = ctx;

	if (on)
		uiommu_sim_atc_flush(&f->atc);
	uiommu_sim_cfg_write(f->sim, f->sim->ats_cap + ATS_CTRL, on ? ATS_CTRL_ENABLE : 0, 2);
}

static void atc_lock(void *ctx)
{
	pthread_mutex_lock(&((struct mach_fn *)ctx)->atc_lock);
}

static void atc_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct mach_fn *)ctx)->atc_lock);
}

static void bus_page_request(void *ctx, const struct uiommu_sim_page_ask *ask)
{
	struct mach_fn *f = ctx;
	const struct uiommu_sim_page_request r = {
		.stream_id = f->d->sid,
		.substream_id = ask->pasid < 0 ? 0 : (uint32_t)ask->pasid,
		.ssv = ask->pasid >= 0,
		.read = !ask->write,
		.write = ask->write,
		.last = ask->last,
		.prgi = ask->prgi,
		.iova = ask->iova,
	};

	uiommu_sim_smmuv3_page_request(f->smmu->sim, &r);
}

static int bus_dma(void *ctx, int32_t pasid, uiommu_iova_t iova, void *buf, size_t bytes,
		   bool write)
{
	struct mach_fn *f = ctx;
	const struct uiommu_sim_access a = {
		.stream_id = f->d->sid,
		.substream_id = pasid < 0 ? 0 : (uint32_t)pasid,
		.ssv = pasid >= 0,
		.write = write,
		.iova = iova,
	};
	size_t done = 0;
	int ret;

	uiommu_mach_temper_prefetch(f->smmu, &a);
	uiommu_mach_initiator_set(f);
	if (ats_is_on(f))
		ret = uiommu_sim_atc_dma(&f->atc, &a, buf, bytes, &done);
	else
		ret = uiommu_sim_smmuv3_dma(f->smmu->sim, &a, buf, bytes, &done);
	uiommu_mach_initiator_set(NULL);
	if (ret == -UIOMMU_EACCES)
		return -UIOMMU_ENOENT;
	/* as the interrupt will, but now: so a fault is told before its DMA is done */
	if (ret)
		uiommu_smmuv3_poll(f->smmu->iommu);
	return ret;
}

static void bus_kick(void *ctx)
{
	struct mach_fn *f = ctx;

	pthread_mutex_lock(&f->wake_lock);
	f->kicked = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->wake_lock);
}

static void bus_lock(void *ctx)
{
	pthread_mutex_lock(&((struct mach_fn *)ctx)->model_lock);
}

static void bus_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct mach_fn *)ctx)->model_lock);
}

static const struct uiommu_sim_bus bus_template = {
	.alloc = bus_alloc,
	.free = bus_free,
	.dma = bus_dma,
	.page_request = bus_page_request,
	.kick = bus_kick,
	.lock = bus_lock,
	.unlock = bus_unlock,
};

struct mach_fn *uiommu_mach_fn_find(struct mach_smmu *s, uint32_t sid)
{
	for (unsigned i = 0; i < s->m->desc->num_functions; i++) {
		struct mach_fn *f = &s->m->fns[i];

		if (f->smmu == s && f->sim && f->d->sid == sid)
			return f;
	}
	return NULL;
}

/* ---- work ---- */

static bool stopping(struct mach_fn *f)
{
	bool stop;

	pthread_mutex_lock(&f->wake_lock);
	stop = f->stop;
	pthread_mutex_unlock(&f->wake_lock);
	return stop;
}

void uiommu_mach_fn_run(struct mach_fn *f)
{
	bool more = true;

	while (more && !stopping(f)) {
		pthread_mutex_lock(&f->step_lock);
		more = uiommu_sim_step(f->sim);
		pthread_mutex_unlock(&f->step_lock);
		if (!f->smmu->d->has_irqs)
			uiommu_smmuv3_poll(f->smmu->iommu);
	}
}

static void *worker(void *arg)
{
	struct mach_fn *f = arg;

	pthread_mutex_lock(&f->wake_lock);
	while (!f->stop) {
		if (!f->kicked) {
			pthread_cond_wait(&f->wake, &f->wake_lock);
			continue;
		}
		f->kicked = false;
		pthread_mutex_unlock(&f->wake_lock);
		uiommu_mach_fn_run(f);
		pthread_mutex_lock(&f->wake_lock);
	}
	pthread_mutex_unlock(&f->wake_lock);
	return NULL;
}

/* ---- VFIO's side ---- */

static uint32_t be_cfg_read(void *ctx, unsigned off, unsigned size)
{
	return uiommu_sim_cfg_read(((struct mach_fn *)ctx)->sim, off, size);
}

static void be_cfg_write(void *ctx, unsigned off, uint32_t val, unsigned size)
{
	uiommu_sim_cfg_write(((struct mach_fn *)ctx)->sim, off, val, size);
}

static uint64_t be_bar_read(void *ctx, unsigned bar, uint64_t off, unsigned size)
{
	return uiommu_sim_bar_read(((struct mach_fn *)ctx)->sim, bar, off, size);
}

static void be_bar_write(void *ctx, unsigned bar, uint64_t off, uint64_t val, unsigned size)
{
	uiommu_sim_bar_write(((struct mach_fn *)ctx)->sim, bar, off, val, size);
}

/* Waits for the DMA that is under way; no other comes. Config space is as after an
 * FLR, the VFIO device puts back what has to stay. */
static void be_reset(void *ctx)
{
	struct mach_fn *f = ctx;

	pthread_mutex_lock(&f->step_lock);
	uiommu_sim_reset(f->sim);
	pthread_mutex_unlock(&f->step_lock);
}

static int make_vfio(struct mach_fn *f)
{
	struct uiommu_vfio_backend be = {
		.ctx = f,
		.dev = f->dev,
		.region_bytes[VFIO_CONFIG_REGION] = UIOMMU_SIM_CFG_BYTES,
		.irq_count[VFIO_MSI_IRQ] = f->its && f->sim->msi_cap ? 1 : 0,
		.cfg_read = be_cfg_read,
		.cfg_write = be_cfg_write,
		.bar_read = be_bar_read,
		.bar_write = be_bar_write,
		.reset = be_reset,
		.msi_alloc = uiommu_mach_msi_alloc,
		.msi_program = uiommu_mach_msi_program,
		.msi_free = uiommu_mach_msi_free,
	};

	for (unsigned i = 0; i < 6; i++) {
		be.region_bytes[i] = f->sim->bars[i].bytes;
		be.mmap_ok[i] = f->sim->bars[i].bytes >= 4096;
	}
	return uiommu_vfio_device_create(f->m->host, f->m->uaccess, &be, &f->pub.vfio);
}

/* ---- life ---- */

/* What firmware and a kernel do before a driver comes: BARs get addresses, memory
 * decode goes on, and PASIDs are allowed where the IOMMU takes them. */
static void firmware(struct mach_fn *f)
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t bytes = f->sim->bars[i].bytes, at = f->m->next_bar + bytes - 1;

		if (!bytes)
			continue;
		at -= at % bytes;
		uiommu_sim_cfg_write(f->sim, PCI_BAR0 + 4 * i, (uint32_t)at, 4);
		f->m->next_bar = at + bytes;
	}
	uiommu_sim_cfg_write(f->sim, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	if (f->sim->pasid_cap && uiommu_device_pasid_bits(f->dev))
		uiommu_sim_cfg_write(f->sim, f->sim->pasid_cap + PASID_CTRL, PASID_CTRL_ENABLE, 2);
	if (f->sim->pri_cap && uiommu_device_can_fault(f->dev)) {
		uint32_t n = uiommu_sim_cfg_read(f->sim, f->sim->pri_cap + PRI_CAPACITY, 4);

		uiommu_sim_cfg_write(f->sim, f->sim->pri_cap + PRI_ALLOCATION, n, 4);
		uiommu_sim_cfg_write(f->sim, f->sim->pri_cap + PRI_CTRL, PRI_CTRL_ENABLE, 2);
	}
}

/* Firmware wants it to reach something at all times. */
static bool is_direct(const struct desc_function *d)
{
	for (unsigned i = 0; i < d->num_resv; i++)
		if (d->resv[i].type == UIOMMU_RESV_DIRECT)
			return true;
	return false;
}

static bool ats_is_global(const struct mach_fn *f)
{
	return f->sim->ats_cap &&
	       uiommu_sim_cfg_read(f->sim, f->sim->ats_cap + ATS_CAP, 2) & ATS_CAP_GLOBAL;
}

static int add_device(struct mach_fn *f)
{
	const struct uiommu_dev_config cfg = {
		.name = f->d->name,
		.iommu = f->smmu->iommu,
		.rid = f->d->rid,
		.stream_ids = &f->d->sid,
		.num_stream_ids = 1,
		.pasid_bits = f->d->edu.pasid_bits,
		.group = f->d->group,
		.shared = f->d->shared,
		.default_type = is_direct(f->d) ? UIOMMU_DOMAIN_IDENTITY : UIOMMU_DOMAIN_BLOCKED,
		.resv = f->d->resv,
		.num_resv = f->d->num_resv,
		.ats = f->d->edu.ats,
		.ats_global = ats_is_global(f),
		.set_ats = set_ats,
		.ats_ctx = f,
		.pri = f->d->edu.pri,
		.pri_pasid = true,
	};

	return uiommu_device_add(f->m->u, &cfg, &f->dev);
}

static void publish(struct mach_fn *f)
{
	f->pub.dev = f->dev;
	f->pub.name = f->d->name;
	f->pub.vendor = (uint16_t)uiommu_sim_cfg_read(f->sim, PCI_VENDOR_ID, 2);
	f->pub.device = (uint16_t)uiommu_sim_cfg_read(f->sim, PCI_DEVICE_ID, 2);
	f->pub.class_code = uiommu_sim_cfg_read(f->sim, PCI_CLASS_REV, 4) >> 8;
	f->pub.group = uiommu_device_group(f->dev);
	f->pub.smmu = f->d->smmu;
	f->pub.sid = f->d->sid;
	f->pub.sim = f->sim;
}

static void init_locks(struct mach_fn *f)
{
	pthread_mutex_init(&f->model_lock, NULL);
	pthread_mutex_init(&f->atc_lock, NULL);
	pthread_mutex_init(&f->step_lock, NULL);
	pthread_mutex_init(&f->msi_lock, NULL);
	pthread_mutex_init(&f->wake_lock, NULL);
	pthread_cond_init(&f->wake, NULL);
}

int uiommu_mach_fn_start(struct uiommu_machine *m, struct mach_fn *f, const struct desc_function *d)
{
	int ret;

	f->m = m;
	f->d = d;
	f->smmu = &m->smmus[d->smmu];
	f->its = d->its >= 0 ? &m->its[d->its] : NULL;
	f->bus = bus_template;
	f->bus.ctx = f;
	init_locks(f);
	uiommu_sim_atc_init(&f->atc, f->smmu->sim, d->sid);
	f->atc.ctx = f;
	f->atc.lock = atc_lock;
	f->atc.unlock = atc_unlock;
	ret = uiommu_sim_edu_create(&f->bus, &d->edu, &f->sim);
	if (!ret)
		ret = add_device(f);
	if (ret)
		return uiommu_mach_error(m, ret, "%s: the device could not be made (error %d)",
					 d->name, -ret);
	firmware(f);
	ret = make_vfio(f);
	if (ret)
		return uiommu_mach_error(m, ret, "%s: no VFIO device for it (error %d)", d->name,
					 -ret);
	publish(f);
	if (m->threads && pthread_create(&f->thread, NULL, worker, f))
		return uiommu_mach_error(m, -UIOMMU_ENOMEM, "%s: no thread for it", d->name);
	f->has_thread = m->threads;
	return 0;
}

static void stop_thread(struct mach_fn *f)
{
	pthread_mutex_lock(&f->wake_lock);
	f->stop = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->wake_lock);
	if (f->has_thread)
		pthread_join(f->thread, NULL);
}

void uiommu_mach_fn_stop(struct mach_fn *f)
{
	if (!f->m)
		return;
	stop_thread(f);
	if (f->pub.vfio)
		uiommu_vfio_device_destroy(f->pub.vfio);
	if (f->dev)
		uiommu_device_remove(f->dev);
	uiommu_sim_destroy(f->sim);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->wake_lock);
	pthread_mutex_destroy(&f->msi_lock);
	pthread_mutex_destroy(&f->step_lock);
	pthread_mutex_destroy(&f->atc_lock);
	pthread_mutex_destroy(&f->model_lock);
}
