/* SPDX-License-Identifier: MIT */
/* smmu.c - a simulated SMMUv3 in the machine's memory map, with our driver on it */
#include "internal.h"

#include "sim/mmio.h"

/* ---- the simulator's world ---- */

static void *env_alloc(void *ctx, size_t bytes)
{
	const struct uiommu_host *h = ((struct mach_smmu *)ctx)->m->host;

	return h->alloc(h->ctx, bytes);
}

static void env_free(void *ctx, void *p, size_t bytes)
{
	const struct uiommu_host *h = ((struct mach_smmu *)ctx)->m->host;

	h->free(h->ctx, p, bytes);
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	return uiommu_posix_pa_read(((struct mach_smmu *)ctx)->m->posix, pa, buf, bytes);
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	return uiommu_posix_pa_write(((struct mach_smmu *)ctx)->m->posix, pa, buf, bytes);
}

static void env_irq(void *ctx, enum uiommu_sim_irq line)
{
	struct mach_smmu *s = ctx;

	if (line == UIOMMU_SIM_IRQ_CMDQV && s->d->cmdqv.has_irq)
		uiommu_posix_raise_irq(s->m->posix, s->d->cmdqv.irq);
	if (!s->d->has_irqs)
		return;
	if (line == UIOMMU_SIM_IRQ_EVTQ)
		uiommu_posix_raise_irq(s->m->posix, s->d->irq_evtq);
	else if (line == UIOMMU_SIM_IRQ_GERROR)
		uiommu_posix_raise_irq(s->m->posix, s->d->irq_gerror);
	else if (line == UIOMMU_SIM_IRQ_PRIQ && s->d->has_priq_irq)
		uiommu_posix_raise_irq(s->m->posix, s->d->irq_priq);
	else if (line == UIOMMU_SIM_IRQ_SYNC && s->d->has_sync_irq)
		uiommu_posix_raise_irq(s->m->posix, s->d->irq_sync);
}

static void env_lock(void *ctx)
{
	pthread_mutex_lock(&((struct mach_smmu *)ctx)->lock);
}

static void env_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct mach_smmu *)ctx)->lock);
}

/* With the simulator's lock held. */
static int env_atc_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	struct mach_fn *f = uiommu_mach_fn_find(ctx, inv->stream_id);

	return f ? uiommu_sim_atc_inv(&f->atc, inv) : 0;
}

static void env_page_response(void *ctx, const struct uiommu_sim_page_response *r)
{
	struct mach_fn *f = uiommu_mach_fn_find(ctx, r->stream_id);

	if (f)
		uiommu_sim_page_response(f->sim, r->prgi, r->resp);
}

static const struct uiommu_sim_env env_template = {
	.alloc = env_alloc,
	.free = env_free,
	.read = env_read,
	.write = env_write,
	.irq = env_irq,
	.lock = env_lock,
	.unlock = env_unlock,
	.atc_inv = env_atc_inv,
	.page_response = env_page_response,
};

/* ---- its registers ---- */

SIM_MMIO_OPS(mmio_ops, uiommu_sim_smmuv3_mmio_read, uiommu_sim_smmuv3_mmio_write)
SIM_MMIO_OPS(cmdqv_ops, uiommu_sim_smmuv3_cmdqv_read, uiommu_sim_smmuv3_cmdqv_write)

/* ---- life ---- */

static int probe(struct mach_smmu *s)
{
	const struct uiommu_smmuv3_config cfg = {
		.name = s->d->name,
		.mmio_pa = s->d->pa,
		.mmio_bytes = s->d->bytes,
		.coherent = s->d->sim.coherent,
		.has_irqs = s->d->has_irqs,
		.irq_evtq = s->d->irq_evtq,
		.irq_gerror = s->d->irq_gerror,
		.has_irq_priq = s->d->has_priq_irq,
		.irq_priq = s->d->irq_priq,
		.cmdqv = { .ops = &cmdqv_ops, .ctx = s->sim, .bytes = s->d->cmdqv.bytes },
		.has_cmdqv = s->d->cmdqv.there,
		.has_irq_cmdqv = s->d->cmdqv.has_irq,
		.irq_cmdqv = s->d->cmdqv.irq,
		.reset = uiommu_mach_smmu_reset,
		.reset_ctx = s,
	};
	int ret = uiommu_smmuv3_probe(s->m->u, &cfg, &s->iommu);

	return ret ? uiommu_mach_error(s->m, ret,
				       "%s: the SMMUv3 driver does not take it (error %d)",
				       s->d->name, -ret)
		   : 0;
}

static int add_window(struct mach_smmu *s, uiommu_pa_t pa, uint64_t bytes,
		      const struct uiommu_mmio_ops *ops, bool *added)
{
	int ret = uiommu_posix_add_mmio(s->m->posix, pa, bytes, ops, s->sim);

	if (ret)
		return uiommu_mach_error(s->m, ret,
					 "%s: property reg: 0x%llx is where something else is",
					 s->d->name, (unsigned long long)pa);
	*added = true;
	return 0;
}

int uiommu_mach_smmu_start(struct uiommu_machine *m, struct mach_smmu *s, const struct desc_smmu *d)
{
	int ret;

	s->m = m;
	s->d = d;
	s->env = env_template;
	s->env.ctx = s;
	pthread_mutex_init(&s->lock, NULL);
	ret = uiommu_sim_smmuv3_create(&d->sim, &s->env, &s->sim);
	if (ret)
		return uiommu_mach_error(
			m, ret, "%s: no simulator with these properties (error %d)", d->name, -ret);
	ret = uiommu_mach_temper_start(s);
	if (ret)
		return uiommu_mach_error(m, ret, "%s: no memory, or no thread, for a hostile one",
					 d->name);
	ret = add_window(s, d->pa, d->bytes, &mmio_ops, &s->mmio);
	if (!ret && d->cmdqv.there)
		ret = add_window(s, d->cmdqv.pa, d->cmdqv.bytes, &cmdqv_ops, &s->cmdqv_mmio);
	return ret ? ret : probe(s);
}

void uiommu_mach_smmu_stop(struct mach_smmu *s)
{
	if (!s->m)
		return;
	if (s->iommu)
		uiommu_smmuv3_remove(s->iommu);
	uiommu_mach_temper_stop(s);
	if (s->mmio)
		uiommu_posix_remove_mmio(s->m->posix, s->d->pa);
	if (s->cmdqv_mmio)
		uiommu_posix_remove_mmio(s->m->posix, s->d->cmdqv.pa);
	if (s->sim)
		uiommu_sim_smmuv3_destroy(s->sim);
	pthread_mutex_destroy(&s->lock);
}

/* ---- for people ---- */

bool uiommu_machine_smmu(const struct uiommu_machine *m, unsigned i,
			 struct uiommu_machine_smmu *out)
{
	const struct mach_smmu *s = &m->smmus[i];

	if (i >= m->desc->num_smmus)
		return false;
	*out = (struct uiommu_machine_smmu){ s->d->name, s->d->pa, s->iommu };
	return true;
}
