/* SPDX-License-Identifier: MIT */
/* The server with a machine in it; apart, so that tests link without one. */
#include "machine/machine.h"
#include "server/census.h"
#include "server/internal.h"

static void describe(void *ctx, FILE *out)
{
	struct uiommu_server *s = ctx;

	describe_machine(s->machine, s->census, out);
}

static const void *dtb(void *ctx, size_t *bytes)
{
	struct uiommu_server *s = ctx;

	return uiommu_machine_dtb(s->machine, bytes);
}

static void take_down(struct uiommu_server *s)
{
	uiommu_machine_destroy(s->machine);
	census_free(s->census);
}

static int make_machine(struct uiommu_server *s, char *err, size_t err_bytes)
{
	struct uiommu_machine_config mc = {
		.dtb = s->cfg.dtb,
		.dtb_bytes = s->cfg.dtb_bytes,
		.posix = s->posix,
		.uaccess = &s->uaccess,
		.threads = true,
	};
	int ret;

	s->census = census_new(s->cfg.observer);
	if (!s->census)
		return -UIOMMU_ENOMEM;
	s->machine_destroy = take_down;
	mc.observer = census_observer(s->census);
	ret = uiommu_machine_create(&mc, &s->machine, err, err_bytes);
	if (ret)
		return ret;
	rooms_backend(s->machine, &s->backend);
	s->backend.describe = describe;
	s->backend.dtb = dtb;
	s->backend.tell_ctx = s;
	return 0;
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
