/* SPDX-License-Identifier: MIT */
/*
 * recover.c - an SMMU that failed is brought back
 *
 * The core tells of a failure wherever it was noticed, and wants to be called from a
 * thread: there is one for that, or, on a machine without threads, whoever steps it.
 */
#include "internal.h"

/* ---- what the instance tells ---- */

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	const struct uiommu_observer *o = &((struct uiommu_machine *)ctx)->user;

	if (o->fault)
		o->fault(o->ctx, f);
}

static void on_change(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		      struct uiommu_domain *old, struct uiommu_domain *now)
{
	const struct uiommu_observer *o = &((struct uiommu_machine *)ctx)->user;

	if (o->attach_changed)
		o->attach_changed(o->ctx, dev, pasid, old, now);
}

static void on_device_failed(void *ctx, struct uiommu_dev *dev)
{
	const struct uiommu_observer *o = &((struct uiommu_machine *)ctx)->user;

	if (o->device_failed)
		o->device_failed(o->ctx, dev);
}

/* One that is still being probed is not found: its probe fails. */
static struct mach_smmu *smmu_of(struct uiommu_machine *m, const struct uiommu_iommu *iommu)
{
	for (unsigned i = 0; i < m->desc->num_smmus; i++)
		if (m->smmus[i].iommu == iommu)
			return &m->smmus[i];
	return NULL;
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	struct uiommu_machine *m = ctx;
	struct mach_smmu *s = smmu_of(m, iommu);

	if (m->user.iommu_failed)
		m->user.iommu_failed(m->user.ctx, iommu);
	if (!s)
		return;
	pthread_mutex_lock(&m->failed_lock);
	s->failed = true;
	pthread_cond_signal(&m->failed_wake);
	pthread_mutex_unlock(&m->failed_lock);
}

const struct uiommu_observer *uiommu_mach_observer(struct uiommu_machine *m,
						   const struct uiommu_observer *user)
{
	if (user)
		m->user = *user;
	m->observer = (struct uiommu_observer){ m, on_fault, on_change, on_failed,
						   on_device_failed };
	return &m->observer;
}

/* ---- bringing one back ---- */

static struct uiommu_iommu *next_failed_locked(struct uiommu_machine *m)
{
	for (unsigned i = 0; i < m->desc->num_smmus; i++) {
		if (!m->smmus[i].failed)
			continue;
		m->smmus[i].failed = false;
		return m->smmus[i].iommu;
	}
	return NULL;
}

static struct uiommu_iommu *next_failed(struct uiommu_machine *m)
{
	struct uiommu_iommu *i;

	pthread_mutex_lock(&m->failed_lock);
	i = next_failed_locked(m);
	pthread_mutex_unlock(&m->failed_lock);
	return i;
}

/* Whether it worked is said by the driver; where it did not, its devices are BLOCKED. */
void uiommu_mach_recover(struct uiommu_machine *m)
{
	struct uiommu_iommu *i;

	while ((i = next_failed(m)))
		uiommu_iommu_recover(i);
}

static void *recoverer(void *arg)
{
	struct uiommu_machine *m = arg;
	struct uiommu_iommu *i;

	pthread_mutex_lock(&m->failed_lock);
	while (!m->no_more_recovery) {
		i = next_failed_locked(m);
		if (!i) {
			pthread_cond_wait(&m->failed_wake, &m->failed_lock);
			continue;
		}
		pthread_mutex_unlock(&m->failed_lock);
		uiommu_iommu_recover(i);
		pthread_mutex_lock(&m->failed_lock);
	}
	pthread_mutex_unlock(&m->failed_lock);
	return NULL;
}

int uiommu_mach_recovery_start(struct uiommu_machine *m)
{
	if (!m->threads)
		return 0;
	if (pthread_create(&m->recoverer, NULL, recoverer, m))
		return uiommu_mach_error(m, -UIOMMU_ENOMEM, "no thread for recovery");
	m->has_recoverer = true;
	return 0;
}

void uiommu_mach_recovery_stop(struct uiommu_machine *m)
{
	pthread_mutex_lock(&m->failed_lock);
	m->no_more_recovery = true;
	pthread_cond_signal(&m->failed_wake);
	pthread_mutex_unlock(&m->failed_lock);
	if (m->has_recoverer)
		pthread_join(m->recoverer, NULL);
}

/* ---- the reset line ---- */

static void hold_functions(struct mach_smmu *s, int (*fn)(pthread_mutex_t *))
{
	struct uiommu_machine *m = s->m;

	for (unsigned i = 0; i < m->desc->num_functions; i++)
		if (m->fns[i].smmu == s)
			fn(&m->fns[i].step_lock);
}

/* While it is being reset none of its devices has a DMA under way: nobody steps. */
int uiommu_mach_smmu_reset(void *ctx)
{
	struct mach_smmu *s = ctx;

	hold_functions(s, pthread_mutex_lock);
	uiommu_sim_smmuv3_reset(s->sim);
	hold_functions(s, pthread_mutex_unlock);
	return 0;
}
