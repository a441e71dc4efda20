/* SPDX-License-Identifier: MIT */
/* A backend with one kind of file, "iommu", that pins, copies and does DMA. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake.h"
#include "fake_backend.h"

struct fake_file {
	struct fake *f;
	struct uiommu_pin **pins;
	unsigned npins;
	struct uiommu_as *kept;
};

static const struct uiommu_uaccess *ua(struct fake_file *o)
{
	return &o->f->s->uaccess;
}

static void *ctx(struct fake_file *o)
{
	return o->f->s;
}

static int do_pin(struct fake_file *o, struct uiommu_as *as, uint64_t arg)
{
	struct fake_pin a;
	struct uiommu_pin *pin;
	unsigned i = 0;
	int ret = ua(o)->copy_in(ctx(o), as, &a, arg, sizeof(a));

	if (ret)
		return ret;
	ret = ua(o)->pin(ctx(o), as, a.va, a.len, a.prot, a.like, &pin);
	if (ret)
		return ret;
	a.pa = pin->segs[0].pa;
	ret = ua(o)->copy_out(ctx(o), as, arg, &a, sizeof(a));
	if (ret) {
		ua(o)->unpin(ctx(o), pin);
		return ret;
	}
	while (i < o->npins && o->pins[i])
		i++;
	if (i == o->npins) {
		o->pins = realloc(o->pins, ++o->npins * sizeof(*o->pins));
		if (!o->pins)
			abort();
	}
	o->pins[i] = pin;
	return i;
}

static int do_unpin(struct fake_file *o, uint64_t i)
{
	if (i >= o->npins || !o->pins[i])
		return -UIOMMU_ENOENT;
	ua(o)->unpin(ctx(o), o->pins[i]);
	o->pins[i] = NULL;
	return 0;
}

static int do_dma(struct fake_file *o, struct uiommu_as *as, uint64_t arg)
{
	struct uiommu_posix *p = o->f->s->posix;
	struct fake_dma a;
	char buf[4096];
	uiommu_pa_t pa;
	int ret = ua(o)->copy_in(ctx(o), as, &a, arg, sizeof(a));

	if (ret)
		return ret;
	if (a.pin >= o->npins || !o->pins[a.pin])
		return -UIOMMU_ENOENT;
	if (a.len > sizeof(buf))
		return -UIOMMU_EINVAL;
	pa = o->pins[a.pin]->segs[0].pa + a.off;
	if (!a.write) {
		ret = uiommu_posix_pa_read(p, pa, buf, a.len);
		return ret ? ret : ua(o)->copy_out(ctx(o), as, a.buf, buf, a.len);
	}
	ret = ua(o)->copy_in(ctx(o), as, buf, a.buf, a.len);
	return ret ? ret : uiommu_posix_pa_write(p, pa, buf, a.len);
}

static int do_file(struct fake_file *o, struct uiommu_as *as, int fd)
{
	struct uiommu_file *f;
	int ret = ua(o)->file_get(ctx(o), as, fd, &f);

	if (ret)
		return ret;
	if (ua(o)->file_is_eventfd(ctx(o), f)) {
		ua(o)->file_signal(ctx(o), f);
		ret = 1;
	} else if (ua(o)->file_object(ctx(o), f, fake_kind)) {
		ret = ua(o)->file_object(ctx(o), f, "other") ? -UIOMMU_EINVAL : 2;
	}
	ua(o)->file_put(ctx(o), f);
	return ret;
}

static int do_copy(struct fake_file *o, struct uiommu_as *as, uint64_t arg)
{
	uint64_t v;
	int ret = ua(o)->copy_in(ctx(o), as, &v, arg, sizeof(v));

	v = ~v;
	return ret ? ret : ua(o)->copy_out(ctx(o), as, arg, &v, sizeof(v));
}

static int do_keep(struct fake_file *o, struct uiommu_as *as)
{
	if (o->kept)
		return -UIOMMU_EBUSY;
	ua(o)->as_get(ctx(o), as);
	o->kept = as;
	return 0;
}

static int64_t fake_ioctl(void *obj, struct uiommu_as *as, uint32_t cmd, uint64_t arg)
{
	struct fake_file *o = obj;

	switch (cmd) {
	case FAKE_PIN:
		return do_pin(o, as, arg);
	case FAKE_UNPIN:
		return do_unpin(o, arg);
	case FAKE_DMA:
		return do_dma(o, as, arg);
	case FAKE_FILE:
		return do_file(o, as, arg);
	case FAKE_RELEASED:
		return o->f->released;
	case FAKE_OBJECTS:
		return o->f->opened - o->f->released;
	case FAKE_COPY:
		return do_copy(o, as, arg);
	case FAKE_PASS:
		return ++o->f->passes;
	case FAKE_KEEP_AS:
		return do_keep(o, as);
	case FAKE_KEPT_COPY:
		return o->kept ? do_copy(o, o->kept, arg) : -UIOMMU_ENOENT;
	default:
		return -UIOMMU_ENOTTY;
	}
}

static void fake_release(void *obj)
{
	struct fake_file *o = obj;

	for (unsigned i = 0; i < o->npins; i++)
		do_unpin(o, i);
	if (o->kept)
		ua(o)->as_put(ctx(o), o->kept);
	free(o->pins);
	o->f->released++;
	free(o);
}

static uint64_t fake_load(void *obj, unsigned region, uint64_t off, unsigned size)
{
	return ((struct fake_file *)obj)->f->reg;
}

static void fake_store(void *obj, unsigned region, uint64_t off, uint64_t v, unsigned size)
{
	((struct fake_file *)obj)->f->reg = v;
}

const char fake_kind[] = "fake";
static const char mapping_kind[] = "mapping";

static const struct file_ops mapping_ops = {
	.kind = mapping_kind,
	.letter = 'i',
	.load = fake_load,
	.store = fake_store,
	.release = fake_release,
};

/* At FAKE_OWN a mapping is a file of its own, which counts as one. */
static int fake_mmap(void *obj, uint64_t off, uint64_t len, unsigned prot, struct mapped *out)
{
	struct fake_file *own;

	out->off = off;
	if (len != 0x2000)
		return -UIOMMU_ENXIO;
	if (off != FAKE_OWN)
		return 0;
	if (prot & PROT_EXEC)
		return -UIOMMU_EPERM;
	own = calloc(1, sizeof(*own));
	if (!own)
		return -UIOMMU_ENOMEM;
	own->f = ((struct fake_file *)obj)->f;
	own->f->opened++;
	out->file = (struct opened){ &mapping_ops, own, 0 };
	return 0;
}

static const struct file_ops ops = {
	.kind = fake_kind,
	.letter = 'i',
	.ioctl = fake_ioctl,
	.mmap = fake_mmap,
	.load = fake_load,
	.store = fake_store,
	.release = fake_release,
};

static int fake_open(void *ctx, const char *path, struct opened *out)
{
	struct fake *f = ctx;
	struct fake_file *o;

	if (strcmp(path, "iommu"))
		return -UIOMMU_ENOENT;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -UIOMMU_ENOMEM;
	o->f = f;
	f->opened++;
	*out = (struct opened){ &ops, o, 0 };
	return 0;
}

static void fake_device(void *ctx, unsigned i, struct shadow_device *out)
{
	out->name = i ? "0000:02:00.0" : "0000:01:00.0";
	out->group = i;
	out->vendor = 0x1234;
	out->device = 0x11e8;
	out->class_code = 0xff00;
	out->revision = 0x10;
	out->bar[0].start = 0x10000000;
	out->bar[0].bytes = 0x100000;
	out->bar[0].flags = 0x40200;
	memcpy(out->config, "\x34\x12\xe8\x11", 4);
	out->resv[0] = (struct uiommu_dev_resv){ 0x40000000, 0x4fffffff, UIOMMU_RESV_RESERVED, 0 };
	out->resv[1] = (struct uiommu_dev_resv){ 0x8000000, 0x80fffff, UIOMMU_RESV_MSI, 0 };
	out->num_resv = 2;
}

int fake_server(struct fake *f, const struct uiommu_server_config *cfg)
{
	struct backend be = {
		.ctx = f, .open = fake_open, .ndevices = 2, .device = fake_device,
	};
	char err[256] = "";
	int ret = server_create_with(cfg, &be, &f->s, err, sizeof(err));

	if (ret)
		fprintf(stderr, "%s\n", err);
	return ret;
}
