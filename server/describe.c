/* SPDX-License-Identifier: MIT */
/* The machine in lines of text: server/inspect.h says what they are. */
#include <string.h>

#include "server/census.h"
#include "server/internal.h"

struct telling {
	FILE *out;
	unsigned smmu, device;		/* whose line it is */
	const struct uiommu_domain *attached[1024];	/* numbered as they come */
	unsigned domains;
};

static void put_reg(void *ctx, const char *name, uint64_t value)
{
	const struct telling *t = ctx;

	fprintf(t->out, "reg %u %s 0x%llx\n", t->smmu, name, (unsigned long long)value);
}

static void put_smmus(const struct uiommu_machine *m, struct telling *t)
{
	struct uiommu_machine_smmu s;

	for (t->smmu = 0; uiommu_machine_smmu(m, t->smmu, &s); t->smmu++) {
		fprintf(t->out, "smmu %u 0x%llx %s\n", t->smmu, (unsigned long long)s.pa, s.name);
		uiommu_machine_smmu_regs(m, t->smmu, put_reg, t);
	}
}

static const char *const types[] = {
	[UIOMMU_DOMAIN_BLOCKED] = "BLOCKED",
	[UIOMMU_DOMAIN_IDENTITY] = "IDENTITY",
	[UIOMMU_DOMAIN_PAGING] = "PAGING",
	[UIOMMU_DOMAIN_SVA] = "SVA",
	[UIOMMU_DOMAIN_NESTED] = "NESTED",
};

/* Its number, which is told first; -1: there are too many. */
static int domain_number(struct telling *t, const struct uiommu_domain *dom)
{
	struct uiommu_domain_info info;
	unsigned i = 0;

	while (i < t->domains && t->attached[i] != dom)
		i++;
	if (i < t->domains)
		return (int)i;
	if (i == sizeof(t->attached) / sizeof(t->attached[0]))
		return -1;
	t->attached[t->domains++] = dom;
	uiommu_domain_info(dom, &info);
	fprintf(t->out, "domain %u %s %s\n", i, types[info.type], uiommu_domain_name(dom));
	return (int)i;
}

static int put_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct telling *t = ctx;
	int dom = domain_number(t, st->dom);

	fprintf(t->out, "attach %u %d %d %u\n", t->device,
		st->pasid == UIOMMU_NO_PASID ? -1 : (int)st->pasid, dom, st->tag);
	return 0;
}

static void put_devices(const struct uiommu_machine *m, struct telling *t)
{
	for (t->device = 0; t->device < uiommu_machine_num_vfio(m); t->device++) {
		const struct uiommu_machine_vfio *v = uiommu_machine_vfio(m, t->device);

		fprintf(t->out, "device %u %u %u 0x%x 0x%x %s\n", t->device, v->group, v->smmu,
			uiommu_device_rid(v->dev), v->sid, v->name);
		uiommu_device_for_each_attach(v->dev, put_attach, t);
	}
}

void describe_machine(const struct uiommu_machine *m, struct census *c, FILE *out)
{
	struct telling t = { .out = out };

	put_smmus(m, &t);
	put_devices(m, &t);
	census_print(c, m, out);
}
