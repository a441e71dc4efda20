/* SPDX-License-Identifier: MIT */
/*
 * region.c - reading, writing and mapping regions through the device's file
 */
#include "internal.h"

#define CHUNK	256u		/* bytes copied between program and device at once */
#define PAGE	4096ull
#define CONFIG	UIOMMU_ABI_VFIO_PCI_CONFIG_REGION_INDEX

/* One read or write: a place in a region, or in configuration space. */
struct span {
	struct uiommu_vfio_device *dev;
	unsigned region;
	uint64_t off;		/* in the region */
	uint64_t bytes;
	uint64_t msix_start, msix_end;	/* not to be touched; equal: nothing */
};

/* The largest naturally aligned access that fits. */
static unsigned unit(uint64_t off, uint64_t left, unsigned max)
{
	unsigned n = max;

	while (n > left || off % n)
		n /= 2;
	return n;
}

static uint64_t load(const struct span *s, uint64_t off, unsigned n)
{
	if (s->region == CONFIG)
		return uiommu_vfio_config_read(s->dev, (unsigned)off, n);
	if (off < s->msix_end && off + n > s->msix_start)
		return UINT64_MAX;
	return s->dev->be.bar_read(s->dev->be.ctx, s->region, off, n);
}

static void store(const struct span *s, uint64_t off, uint64_t val, unsigned n)
{
	if (s->region == CONFIG)
		uiommu_vfio_config_write(s->dev, (unsigned)off, (uint32_t)val, n);
	else if (off >= s->msix_end || off + n <= s->msix_start)
		s->dev->be.bar_write(s->dev->be.ctx, s->region, off, val, n);
}

/* Registers are little-endian wherever the program runs. */
static void load_bytes(const struct span *s, uint64_t off, uint8_t *buf, uint64_t bytes)
{
	for (uint64_t i = 0, n; i < bytes; i += n) {
		uint64_t v;

		n = unit(off + i, bytes - i, s->region == CONFIG ? 4 : 8);
		v = load(s, off + i, (unsigned)n);
		for (unsigned b = 0; b < n; b++)
			buf[i + b] = (uint8_t)(v >> 8 * b);
	}
}

static void store_bytes(const struct span *s, uint64_t off, const uint8_t *buf, uint64_t bytes)
{
	for (uint64_t i = 0, n; i < bytes; i += n) {
		uint64_t v = 0;

		n = unit(off + i, bytes - i, s->region == CONFIG ? 4 : 8);
		for (unsigned b = 0; b < n; b++)
			v |= (uint64_t)buf[i + b] << 8 * b;
		store(s, off + i, v, (unsigned)n);
	}
}

/* ---- which accesses there are ---- */

static int config_span(struct span *s)
{
	const uint64_t have = s->dev->cfg->bytes;

	return s->off >= have || s->bytes > have - s->off ? -UIOMMU_EFAULT : 0;
}

static int bar_span(struct span *s)
{
	const uint64_t have = s->dev->be.region_bytes[s->region];

	if (s->off >= have)
		return -UIOMMU_EINVAL;
	if (!uiommu_vfio_memory_enabled(s->dev))
		return -UIOMMU_EIO;
	if (s->bytes > have - s->off)
		s->bytes = have - s->off;
	if (!uiommu_vfio_msix_table(s->dev, s->region, &s->msix_start, &s->msix_end))
		s->msix_start = s->msix_end = 0;
	return 0;
}

static int make_span(struct uiommu_vfio_file *f, uint64_t off, uint64_t bytes, struct span *s)
{
	const uint64_t region = off >> UIOMMU_VFIO_INDEX_SHIFT;

	s->dev = f->dev;
	s->off = off & ((1ull << UIOMMU_VFIO_INDEX_SHIFT) - 1);
	s->bytes = bytes;
	if (f->dev->bound != f || region >= UIOMMU_ABI_VFIO_PCI_NUM_REGIONS)
		return -UIOMMU_EINVAL;
	s->region = (unsigned)region;
	if (s->region == CONFIG)
		return config_span(s);
	if (s->region > UIOMMU_ABI_VFIO_PCI_BAR5_REGION_INDEX)
		return -UIOMMU_EINVAL;
	return bar_span(s);
}

/* ---- read and write ---- */

static int64_t do_read(const struct span *s, struct uiommu_as *as, uint64_t user)
{
	uint8_t buf[CHUNK];

	for (uint64_t done = 0, n; done < s->bytes; done += n) {
		n = s->bytes - done < CHUNK ? s->bytes - done : CHUNK;
		load_bytes(s, s->off + done, buf, n);
		if (uiommu_vfio_copy_out(s->dev, as, user + done, buf, n))
			return -UIOMMU_EFAULT;
	}
	return (int64_t)s->bytes;
}

static int64_t do_write(const struct span *s, struct uiommu_as *as, uint64_t user)
{
	uint8_t buf[CHUNK];

	for (uint64_t done = 0, n; done < s->bytes; done += n) {
		n = s->bytes - done < CHUNK ? s->bytes - done : CHUNK;
		if (uiommu_vfio_copy_in(s->dev, as, buf, user + done, n))
			return -UIOMMU_EFAULT;
		store_bytes(s, s->off + done, buf, n);
	}
	return (int64_t)s->bytes;
}

static int64_t transfer(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t off,
			uint64_t bytes, uint64_t user,
			int64_t (*move)(const struct span *s, struct uiommu_as *as, uint64_t user))
{
	struct span s;
	int64_t ret;

	uiommu_vfio_lock(f->dev);
	if (f->dev->bound == f && !bytes)
		ret = 0;
	else
		ret = make_span(f, off, bytes, &s);
	if (!ret && bytes)
		ret = move(&s, as, user);
	uiommu_vfio_unlock(f->dev);
	return ret;
}

int64_t uiommu_vfio_read(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t off,
			 uint64_t bytes, uint64_t user)
{
	return transfer(f, as, off, bytes, user, do_read);
}

int64_t uiommu_vfio_write(struct uiommu_vfio_file *f, struct uiommu_as *as, uint64_t off,
			  uint64_t bytes, uint64_t user)
{
	return transfer(f, as, off, bytes, user, do_write);
}

/* ---- mappings ---- */

int uiommu_vfio_mmap(struct uiommu_vfio_file *f, uint64_t off, uint64_t len, unsigned *region,
		     uint64_t *region_off)
{
	const uint64_t index = off >> UIOMMU_VFIO_INDEX_SHIFT;
	const uint64_t at = off & ((1ull << UIOMMU_VFIO_INDEX_SHIFT) - 1);
	uint64_t have;
	bool bound;

	uiommu_vfio_lock(f->dev);
	bound = f->dev->bound == f;
	uiommu_vfio_unlock(f->dev);
	if (!bound || !len || at % PAGE || index > UIOMMU_ABI_VFIO_PCI_BAR5_REGION_INDEX)
		return -UIOMMU_EINVAL;
	have = (f->dev->be.region_bytes[index] + PAGE - 1) & ~(PAGE - 1);
	if (!f->dev->be.mmap_ok[index] || at >= have || len > have - at)
		return -UIOMMU_EINVAL;
	*region = (unsigned)index;
	*region_off = at;
	return 0;
}

/* A mapping may outlive the enable bit and the bind: then nothing answers. */
static bool answers(struct uiommu_vfio_file *f, unsigned region, uint64_t off, unsigned size)
{
	const struct uiommu_vfio_device *d = f->dev;
	uint64_t have;
	bool on;

	if (region > UIOMMU_ABI_VFIO_PCI_BAR5_REGION_INDEX || !size || size > 8)
		return false;
	have = d->be.region_bytes[region];
	if (off >= have || size > have - off)
		return false;
	uiommu_vfio_lock(f->dev);
	on = d->bound == f && uiommu_vfio_memory_enabled(d);
	uiommu_vfio_unlock(f->dev);
	return on;
}

uint64_t uiommu_vfio_load(struct uiommu_vfio_file *f, unsigned region, uint64_t off, unsigned size)
{
	if (!answers(f, region, off, size))
		return UINT64_MAX;
	return f->dev->be.bar_read(f->dev->be.ctx, region, off, size);
}

void uiommu_vfio_store(struct uiommu_vfio_file *f, unsigned region, uint64_t off, uint64_t val,
		       unsigned size)
{
	if (answers(f, region, off, size))
		f->dev->be.bar_write(f->dev->be.ctx, region, off, val, size);
}
