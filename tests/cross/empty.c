/* SPDX-License-Identifier: MIT */
/* empty.c - a kernel that has nothing yet: the empty port, and all of the library */
#include <uiommu/smmuv3.h>

struct template_host;

void template_host_init(struct uiommu_host *host, struct template_host *state);
void start(void);

/* Not run: it is linked. With the empty port each of these fails. */
void start(void)
{
	static const struct uiommu_smmuv3_config cfg = { .name = "smmu", .mmio_bytes = 0x20000 };
	struct uiommu_host host;
	struct uiommu_iommu *smmu;
	struct uiommu *u;

	template_host_init(&host, NULL);
	if (!uiommu_create(&host, NULL, &u))
		uiommu_smmuv3_probe(u, &cfg, &smmu);
	for (;;)
		;
}
