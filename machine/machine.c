/* SPDX-License-Identifier: MIT */
/* machine.c - makes a machine from its description, and takes it down again */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "default_dtb.h"
#include "internal.h"

/* Firmware gives BARs addresses from here on. */
#define BAR_WINDOW	0xc0000000u

int uiommu_mach_error(struct uiommu_machine *m, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->err, m->err_bytes, fmt, ap);
	va_end(ap);
	return ret;
}

/* ---- making ---- */

static int read_description(struct uiommu_machine *m, const struct uiommu_machine_config *cfg)
{
	const void *dtb = cfg->dtb ? cfg->dtb : default_dtb;
	size_t bytes = cfg->dtb ? cfg->dtb_bytes : sizeof(default_dtb);

	m->desc = calloc(1, sizeof(*m->desc));
	m->dtb = malloc(bytes ? bytes : 1);
	if (!m->desc || !m->dtb)
		return uiommu_mach_error(m, -UIOMMU_ENOMEM, "no memory");
	memcpy(m->dtb, dtb, bytes);
	m->dtb_bytes = bytes;
	return uiommu_desc_from_dtb(dtb, bytes, m->desc, m->err, m->err_bytes);
}

static int allocate(struct uiommu_machine *m)
{
	/* one more of each, so that none of something is not a NULL */
	m->smmus = calloc(m->desc->num_smmus + 1, sizeof(*m->smmus));
	m->its = calloc(m->desc->num_its + 1, sizeof(*m->its));
	m->fns = calloc(m->desc->num_functions + 1, sizeof(*m->fns));
	if (!m->smmus || !m->its || !m->fns)
		return uiommu_mach_error(m, -UIOMMU_ENOMEM, "no memory");
	return 0;
}

static int start_all(struct uiommu_machine *m)
{
	int ret = 0;

	for (unsigned i = 0; !ret && i < m->desc->num_its; i++)
		ret = uiommu_mach_its_start(m, &m->its[i], &m->desc->its[i]);
	for (unsigned i = 0; !ret && i < m->desc->num_smmus; i++)
		ret = uiommu_mach_smmu_start(m, &m->smmus[i], &m->desc->smmus[i]);
	for (unsigned i = 0; !ret && i < m->desc->num_functions; i++)
		ret = uiommu_mach_fn_start(m, &m->fns[i], &m->desc->functions[i]);
	return ret;
}

static int start(struct uiommu_machine *m, const struct uiommu_machine_config *cfg)
{
	int ret = read_description(m, cfg);

	if (!ret)
		ret = allocate(m);
	if (ret)
		return ret;
	ret = uiommu_create(m->host, uiommu_mach_observer(m, cfg->observer), &m->u);
	if (ret)
		return uiommu_mach_error(m, ret, "the instance could not be made (error %d)", -ret);
	ret = start_all(m);
	return ret ? ret : uiommu_mach_recovery_start(m);
}

int uiommu_machine_create(const struct uiommu_machine_config *cfg, struct uiommu_machine **out,
			  char *err, size_t err_bytes)
{
	struct uiommu_machine *m = calloc(1, sizeof(*m));
	char spare[256];
	int ret;

	if (!m)
		return -UIOMMU_ENOMEM;
	m->err = err && err_bytes ? err : spare;
	m->err_bytes = err && err_bytes ? err_bytes : sizeof(spare);
	m->err[0] = '\0';
	m->posix = cfg->posix;
	m->host = uiommu_posix_host(cfg->posix);
	m->uaccess = cfg->uaccess;
	m->threads = cfg->threads;
	m->next_bar = BAR_WINDOW;
	pthread_mutex_init(&m->failed_lock, NULL);
	pthread_cond_init(&m->failed_wake, NULL);
	ret = start(m, cfg);
	m->err = NULL;
	if (ret)
		uiommu_machine_destroy(m);
	else
		*out = m;
	return ret;
}

/* Also takes down one that is half made: what was never started is all zero. */
void uiommu_machine_destroy(struct uiommu_machine *m)
{
	if (!m)
		return;
	uiommu_mach_recovery_stop(m);
	for (unsigned i = m->fns ? m->desc->num_functions : 0; i-- > 0;)
		uiommu_mach_fn_stop(&m->fns[i]);
	for (unsigned i = m->smmus ? m->desc->num_smmus : 0; i-- > 0;)
		uiommu_mach_smmu_stop(&m->smmus[i]);
	for (unsigned i = m->its ? m->desc->num_its : 0; i-- > 0;)
		uiommu_mach_its_stop(&m->its[i]);
	if (m->u)
		uiommu_destroy(m->u);
	pthread_cond_destroy(&m->failed_wake);
	pthread_mutex_destroy(&m->failed_lock);
	free(m->fns);
	free(m->its);
	free(m->smmus);
	free(m->desc);
	free(m->dtb);
	free(m);
}

/* ---- using ---- */

void uiommu_machine_step(struct uiommu_machine *m)
{
	if (m->threads)
		return;
	for (unsigned i = 0; i < m->desc->num_functions; i++)
		uiommu_mach_fn_run(&m->fns[i]);
	uiommu_mach_recover(m);
}

struct uiommu *uiommu_machine_instance(struct uiommu_machine *m)
{
	return m->u;
}

int uiommu_machine_iommufd_create(struct uiommu_machine *m, struct uiommu_iommufd **out)
{
	const struct uiommu_iommufd_config cfg = {
		.u = m->u,
		.host = m->host,
		.uaccess = m->uaccess,
		.msi_base = UIOMMU_MACHINE_MSI_BASE,
		.msi_bytes = UIOMMU_MACHINE_MSI_BYTES,
	};

	return uiommu_iommufd_create(&cfg, out);
}

unsigned uiommu_machine_num_vfio(const struct uiommu_machine *m)
{
	return m->desc->num_functions;
}

const struct uiommu_machine_vfio *uiommu_machine_vfio(const struct uiommu_machine *m, unsigned i)
{
	return i < m->desc->num_functions ? &m->fns[i].pub : NULL;
}

const void *uiommu_machine_dtb(const struct uiommu_machine *m, size_t *bytes)
{
	*bytes = m->dtb_bytes;
	return m->dtb;
}
