/* SPDX-License-Identifier: MIT */
/* The server with a machine in it; apart, so that tests link without one. */
#include "machine/machine.h"
#include "server/internal.h"

static int make_machine(struct uiommu_server *s, char *err, size_t err_bytes)
{
	struct uiommu_machine_config mc = {
		.dtb = s->cfg.dtb,
		.dtb_bytes = s->cfg.dtb_bytes,
		.posix = s->posix,
		.uaccess = &s->uaccess,
		.observer = s->cfg.observer,
		.threads = true,
	};
	int ret = uiommu_machine_create(&mc, &s->machine, err, err_bytes);

	if (ret)
		return ret;
	s->machine_destroy = uiommu_machine_destroy;
	return rooms_backend(s->machine, &s->backend);
}

int uiommu_server_create(const struct uiommu_server_config *cfg, struct uiommu_server **out,
			 char *err, size_t err_bytes)
{
	struct uiommu_server *s;
	int ret = server_init(cfg, &s, err, err_bytes);

	if (ret)
		return ret;
	ret = make_machine(s, err, err_bytes);
	if (!ret)
		ret = server_open(s, err, err_bytes);
	if (ret)
		uiommu_server_destroy(s);
	else
		*out = s;
	return ret;
}
