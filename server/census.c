/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>

#include "server/census.h"
#include <uiommu/smmuv3.h>

/* A device can make up as many PASIDs as it likes. */
#define MAX_ROWS	1024

struct row {
	uint64_t count;
	struct uiommu_fault last;	/* f->dev: compared, never followed */
};

struct census {
	struct uiommu_observer outer;
	const struct uiommu_observer *inner;	/* (i) */
	pthread_mutex_t lock;
	struct row row[MAX_ROWS];		/* under the lock, like the others */
	unsigned rows;
	uint64_t lost;
};

static bool same_stream(const struct uiommu_fault *a, const struct uiommu_fault *b)
{
	unsigned has = UIOMMU_FAULT_HAS_PASID;

	return a->iommu == b->iommu && a->stream_id == b->stream_id &&
	       (a->flags & has) == (b->flags & has) && (!(a->flags & has) || a->pasid == b->pasid);
}

static void count(struct census *c, const struct uiommu_fault *f)
{
	unsigned i = 0;

	while (i < c->rows && !same_stream(&c->row[i].last, f))
		i++;
	if (i == MAX_ROWS) {
		c->lost++;
		return;
	}
	if (i == c->rows)
		c->row[c->rows++].count = 0;
	c->row[i].count++;
	c->row[i].last = *f;
}

static void fault(void *ctx, const struct uiommu_fault *f)
{
	struct census *c = ctx;

	pthread_mutex_lock(&c->lock);
	count(c, f);
	pthread_mutex_unlock(&c->lock);
	if (c->inner && c->inner->fault)
		c->inner->fault(c->inner->ctx, f);
}

static void attach_changed(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			   struct uiommu_domain *old, struct uiommu_domain *now)
{
	struct census *c = ctx;

	if (c->inner && c->inner->attach_changed)
		c->inner->attach_changed(c->inner->ctx, dev, pasid, old, now);
}

static void iommu_failed(void *ctx, struct uiommu_iommu *iommu)
{
	struct census *c = ctx;

	if (c->inner && c->inner->iommu_failed)
		c->inner->iommu_failed(c->inner->ctx, iommu);
}

static void device_failed(void *ctx, struct uiommu_dev *dev)
{
	struct census *c = ctx;

	if (c->inner && c->inner->device_failed)
		c->inner->device_failed(c->inner->ctx, dev);
}

struct census *census_new(const struct uiommu_observer *inner)
{
	struct census *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->inner = inner;
	/* by position: who adds a member is told to pass it on */
	c->outer = (struct uiommu_observer){ c, fault, attach_changed, iommu_failed,
					     device_failed };
	return c;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

const struct uiommu_observer *census_observer(struct census *c)
{
	return &c->outer;
}

/* ---- said ---- */

static int smmu_number(const struct uiommu_machine *m, const struct uiommu_iommu *iommu)
{
	struct uiommu_machine_smmu s;

	for (int i = 0; uiommu_machine_smmu(m, (unsigned)i, &s); i++)
		if (s.iommu == iommu)
			return i;
	return -1;
}

static int device_number(const struct uiommu_machine *m, const struct uiommu_dev *dev)
{
	for (unsigned i = 0; i < uiommu_machine_num_vfio(m); i++)
		if (uiommu_machine_vfio(m, i)->dev == dev)
			return (int)i;
	return -1;
}

void census_print(struct census *c, const struct uiommu_machine *m, FILE *out)
{
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < c->rows; i++) {
		const struct uiommu_fault *f = &c->row[i].last;
		char text[256];

		uiommu_fault_text(f, text, sizeof(text));
		fprintf(out, "faults %d 0x%x %d %d %llu 0x%x 0x%llx %s\n",
			smmu_number(m, f->iommu), f->stream_id, device_number(m, f->dev),
			f->flags & UIOMMU_FAULT_HAS_PASID ? (int)f->pasid : -1,
			(unsigned long long)c->row[i].count, f->code, (unsigned long long)f->iova,
			text);
	}
	if (c->lost)
		fprintf(out, "faults-lost %llu\n", (unsigned long long)c->lost);
	pthread_mutex_unlock(&c->lock);
}
