/* SPDX-License-Identifier: MIT */
/* What can be opened on a machine: its /dev/iommu and its VFIO devices. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/machine.h"
#include "server/internal.h"
#include <uiommu/sim/dev.h>

/* ---- /dev/iommu ---- */

static int64_t iommu_ioctl(void *obj, struct uiommu_as *as, uint32_t cmd, uint64_t arg)
{
	return uiommu_iommufd_ioctl(obj, as, cmd, arg);
}

static void region_release(void *obj)
{
	uiommu_iommufd_munmap(obj);
}

static uint64_t region_load(void *obj, unsigned region, uint64_t off, unsigned size)
{
	return uiommu_iommufd_load(obj, off, size);
}

static void region_store(void *obj, unsigned region, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_iommufd_store(obj, off, v, size);
}

static const char region_kind[] = "iommufd-region";

/* A mapping of /dev/iommu's registers: a file that no program knows of. */
static const struct file_ops region_ops = {
	.kind = region_kind,
	.letter = 'i',
	.load = region_load,
	.store = region_store,
	.release = region_release,
};

static int iommu_mmap(void *obj, uint64_t off, uint64_t len, unsigned prot, struct mapped *out)
{
	struct uiommu_iommufd_region *reg;
	int ret;

	if (prot & PROT_EXEC)
		return -UIOMMU_EPERM;
	ret = uiommu_iommufd_mmap(obj, off, len, &reg);
	if (!ret)
		out->file = (struct opened){ &region_ops, reg, 0 };
	return ret;
}

static void iommu_release(void *obj)
{
	uiommu_iommufd_put(obj);
}

static const struct file_ops iommu_ops = {
	.kind = uiommu_iommufd_kind,
	.letter = 'i',
	.ioctl = iommu_ioctl,
	.mmap = iommu_mmap,
	.release = iommu_release,
};

/* ---- queues of faults and of a VM's events, which an ioctl of it gives out ---- */

static int64_t fault_read(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n, uint64_t user)
{
	return uiommu_iommufd_fault_read(obj, as, off, n, user);
}

static int64_t fault_write(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n,
			   uint64_t user)
{
	return uiommu_iommufd_fault_write(obj, as, off, n, user);
}

static void fault_release(void *obj)
{
	uiommu_iommufd_fault_close(obj);
}

static const struct file_ops fault_ops = {
	.kind = uiommu_iommufd_fault_kind,
	.letter = 'f',
	.marks = true,
	.read = fault_read,
	.write = fault_write,
	.release = fault_release,
};

static int64_t veventq_read(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n,
			    uint64_t user)
{
	return uiommu_iommufd_veventq_read(obj, as, off, n, user);
}

static void veventq_release(void *obj)
{
	uiommu_iommufd_veventq_close(obj);
}

static const struct file_ops veventq_ops = {
	.kind = uiommu_iommufd_veventq_kind,
	.letter = 'f',
	.marks = true,
	.read = veventq_read,
	.release = veventq_release,
};

static const struct file_ops *rooms_given(const void *kind)
{
	if (kind == uiommu_iommufd_veventq_kind)
		return &veventq_ops;
	return kind == uiommu_iommufd_fault_kind ? &fault_ops : NULL;
}

static int open_iommu(struct uiommu_machine *m, struct opened *out)
{
	struct uiommu_iommufd *ctx;
	int ret = uiommu_machine_iommufd_create(m, &ctx);

	if (!ret)
		*out = (struct opened){ &iommu_ops, ctx, 0 };
	return ret;
}

/* ---- /dev/vfio/devices/vfioN ---- */

static int64_t vfio_ioctl(void *obj, struct uiommu_as *as, uint32_t cmd, uint64_t arg)
{
	return uiommu_vfio_ioctl(obj, as, cmd, arg);
}

static int64_t vfio_read(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n, uint64_t user)
{
	return uiommu_vfio_read(obj, as, off, n, user);
}

static int64_t vfio_write(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n, uint64_t user)
{
	return uiommu_vfio_write(obj, as, off, n, user);
}

/* Every BAR today is registers: each access is a call. */
static int vfio_mmap(void *obj, uint64_t off, uint64_t len, unsigned prot, struct mapped *out)
{
	return uiommu_vfio_mmap(obj, off, len, &out->region, &out->off);
}

static uint64_t vfio_load(void *obj, unsigned region, uint64_t off, unsigned size)
{
	return uiommu_vfio_load(obj, region, off, size);
}

static void vfio_store(void *obj, unsigned region, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_vfio_store(obj, region, off, v, size);
}

static void vfio_release(void *obj)
{
	uiommu_vfio_close(obj);
}

static const char vfio_kind[] = "vfio";

static const struct file_ops vfio_ops = {
	.kind = vfio_kind,
	.letter = 'v',
	.ioctl = vfio_ioctl,
	.read = vfio_read,
	.write = vfio_write,
	.mmap = vfio_mmap,
	.load = vfio_load,
	.store = vfio_store,
	.release = vfio_release,
};

static int open_vfio(struct uiommu_machine *m, const char *number, struct opened *out)
{
	const struct uiommu_machine_vfio *v;
	struct uiommu_vfio_file *f;
	char *end;
	unsigned long i = strtoul(number, &end, 10);
	int ret;

	if (*number < '0' || *number > '9' || *end || i >= uiommu_machine_num_vfio(m))
		return -UIOMMU_ENOENT;
	v = uiommu_machine_vfio(m, i);
	ret = uiommu_vfio_open(v->vfio, &f);
	if (!ret)
		*out = (struct opened){ &vfio_ops, f, i };
	return ret;
}

static int rooms_open(void *ctx, const char *path, struct opened *out)
{
	static const char vfio[] = "vfio/devices/vfio";

	if (!strcmp(path, "iommu"))
		return open_iommu(ctx, out);
	if (!strncmp(path, vfio, sizeof(vfio) - 1))
		return open_vfio(ctx, path + sizeof(vfio) - 1, out);
	return -UIOMMU_ENOENT;
}

/* ---- sysfs ---- */

/* ioport.h's numbers, which are what the third column of "resource" holds */
#define IORESOURCE_MEM		0x200
#define IORESOURCE_PREFETCH	0x2000
#define IORESOURCE_SIZEALIGN	0x40000
#define IORESOURCE_MEM_64	0x100000

static void rooms_bars(const struct uiommu_machine_vfio *v, struct shadow_device *out)
{
	for (unsigned i = 0; i < 6; i++) {
		const struct uiommu_sim_bar *b = &v->sim->bars[i];
		uint64_t at;

		if (!b->bytes)
			continue;
		at = uiommu_sim_cfg_read(v->sim, 0x10 + 4 * i, 4) & ~0xfu;
		if (b->is64)
			at |= (uint64_t)uiommu_sim_cfg_read(v->sim, 0x14 + 4 * i, 4) << 32;
		out->bar[i].start = at;
		out->bar[i].bytes = b->bytes;
		out->bar[i].flags = IORESOURCE_MEM | IORESOURCE_SIZEALIGN |
				    (b->is64 ? IORESOURCE_MEM_64 : 0) |
				    (b->prefetch ? IORESOURCE_PREFETCH : 0);
	}
}

/* IOMMUs have no numbers: in the order in which devices name them. */
static unsigned iommu_number(struct uiommu_machine *m, unsigned of)
{
	unsigned n = 0;

	for (unsigned i = 0; i <= of; i++) {
		struct uiommu_iommu *mine = uiommu_device_iommu(uiommu_machine_vfio(m, i)->dev);
		unsigned k = 0;

		while (uiommu_device_iommu(uiommu_machine_vfio(m, k)->dev) != mine)
			k++;
		if (k < i && i == of)
			return iommu_number(m, k);
		n += k == i;
	}
	return n - 1;
}

static int add_resv(void *ctx, const struct uiommu_dev_resv *r)
{
	struct shadow_device *out = ctx;
	unsigned i = 0;

	while (i < out->num_resv && (out->resv[i].start != r->start ||
				     out->resv[i].last != r->last || out->resv[i].type != r->type))
		i++;
	if (i == out->num_resv && i < SHADOW_MAX_RESV)
		out->resv[out->num_resv++] = *r;
	return 0;
}

/* What a mapping has to keep clear of: the MSI window, and what each device of the
 * group says. */
static void rooms_resv(struct uiommu_machine *m, unsigned group, struct shadow_device *out)
{
	const struct uiommu_dev_resv msi = {
		.start = UIOMMU_MACHINE_MSI_BASE,
		.last = UIOMMU_MACHINE_MSI_BASE + UIOMMU_MACHINE_MSI_BYTES - 1,
		.type = UIOMMU_RESV_MSI,
	};

	add_resv(out, &msi);
	for (unsigned i = 0; i < uiommu_machine_num_vfio(m); i++) {
		const struct uiommu_machine_vfio *v = uiommu_machine_vfio(m, i);

		if (v->group == group)
			uiommu_device_for_each_resv(v->dev, add_resv, out);
	}
}

static void rooms_device(void *ctx, unsigned i, struct shadow_device *out)
{
	const struct uiommu_machine_vfio *v = uiommu_machine_vfio(ctx, i);

	out->name = v->name;
	out->group = v->group;
	out->iommu = iommu_number(ctx, i);
	out->vendor = v->vendor;
	out->device = v->device;
	out->class_code = v->class_code;
	for (unsigned off = 0; off < sizeof(out->config); off += 4) {
		uint32_t w = uiommu_sim_cfg_read(v->sim, off, 4);

		memcpy(out->config + off, &w, 4);
	}
	out->revision = out->config[8];
	memcpy(&out->sub_vendor, out->config + 0x2c, 2);
	memcpy(&out->sub_device, out->config + 0x2e, 2);
	rooms_bars(v, out);
	rooms_resv(ctx, v->group, out);
}

void rooms_backend(struct uiommu_machine *m, struct backend *out)
{
	*out = (struct backend){
		.ctx = m,
		.open = rooms_open,
		.ndevices = uiommu_machine_num_vfio(m),
		.device = rooms_device,
		.given = rooms_given,
	};
}
