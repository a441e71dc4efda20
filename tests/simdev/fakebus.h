/* SPDX-License-Identifier: MIT */
/* fakebus.h - a bus that writes down what a function sends, and some memory */
#ifndef UIOMMU_TESTS_SIMDEV_FAKEBUS_H
#define UIOMMU_TESTS_SIMDEV_FAKEBUS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uiommu/sim/dev.h>

#define MEM_IOVA	0x12345678000ull
#define MEM_BYTES	8192
#define NO_PASID	(-1)

#define PCI_COMMAND	0x04
#define MEMORY		0x2u
#define MASTER		0x4u

struct dma {
	int32_t pasid;
	uint64_t iova;
	size_t bytes;
	bool write;
	uint8_t head[8];	/* the first bytes of a write */
};

struct bus {
	struct uiommu_sim_bus bus;
	struct uiommu_sim_dev *dev;
	uint8_t mem[MEM_BYTES];	/* at MEM_IOVA, for any PASID that is not aborted */
	int32_t abort_pasid;	/* -2: none */
	unsigned dmas, kicks, live, fail_alloc;
	int locked;
	bool no_translation;	/* every DMA finds none */
	struct uiommu_sim_page_ask asked[8];
	unsigned num_asked;
	int at_once;		/* answered before the request returns; -1: later */
	struct dma last;
};

static inline void *bus_alloc(void *ctx, size_t bytes)
{
	struct bus *b = ctx;

	if (b->fail_alloc)
		return NULL;
	b->live++;
	return calloc(1, bytes);
}

static inline void bus_free(void *ctx, void *p, size_t bytes)
{
	((struct bus *)ctx)->live--;
	free(p);
}

static inline int bus_dma(void *ctx, int32_t pasid, uiommu_iova_t iova, void *buf, size_t bytes,
			  bool write)
{
	struct bus *b = ctx;

	assert_int_equal(b->locked, 0);
	b->dmas++;
	if (b->no_translation)
		return -UIOMMU_ENOENT;
	b->last = (struct dma){ .pasid = pasid, .iova = iova, .bytes = bytes, .write = write };
	if (write)
		memcpy(b->last.head, buf, bytes < 8 ? bytes : 8);
	if (pasid == b->abort_pasid || iova < MEM_IOVA || bytes > MEM_BYTES ||
	    iova - MEM_IOVA > MEM_BYTES - bytes)
		return -UIOMMU_EFAULT;
	if (write)
		memcpy(b->mem + (iova - MEM_IOVA), buf, bytes);
	else
		memcpy(buf, b->mem + (iova - MEM_IOVA), bytes);
	return 0;
}

static inline void bus_page_request(void *ctx, const struct uiommu_sim_page_ask *ask)
{
	struct bus *b = ctx;

	assert_int_equal(b->locked, 0);
	b->asked[b->num_asked++ % 8] = *ask;
	if (ask->last && b->at_once >= 0)
		uiommu_sim_page_response(b->dev, ask->prgi, (unsigned)b->at_once);
}

static inline void bus_kick(void *ctx)
{
	struct bus *b = ctx;

	assert_int_equal(b->locked, 0);
	b->kicks++;
}

static inline void bus_lock(void *ctx)
{
	assert_int_equal(((struct bus *)ctx)->locked++, 0);
}

static inline void bus_unlock(void *ctx)
{
	assert_int_equal(--((struct bus *)ctx)->locked, 0);
}

static inline void bus_init(struct bus *b)
{
	memset(b, 0, sizeof(*b));
	b->abort_pasid = -2;
	b->at_once = -1;
	b->bus = (struct uiommu_sim_bus){
		.ctx = b, .alloc = bus_alloc, .free = bus_free, .dma = bus_dma,
		.page_request = bus_page_request, .kick = bus_kick, .lock = bus_lock,
		.unlock = bus_unlock,
	};
}

static inline uint32_t cfg(struct bus *b, unsigned off, unsigned size)
{
	return uiommu_sim_cfg_read(b->dev, off, size);
}

static inline void set_cfg(struct bus *b, unsigned off, uint32_t v, unsigned size)
{
	uiommu_sim_cfg_write(b->dev, off, v, size);
}

static inline uint64_t rd(struct bus *b, uint64_t reg)
{
	return uiommu_sim_bar_read(b->dev, 0, reg, 4);
}

static inline void wr(struct bus *b, uint64_t reg, uint32_t v)
{
	uiommu_sim_bar_write(b->dev, 0, reg, v, 4);
}

static inline void wr64(struct bus *b, uint64_t reg, uint64_t v)
{
	uiommu_sim_bar_write(b->dev, 0, reg, v, 8);
}

static inline void run(struct bus *b)
{
	while (uiommu_sim_step(b->dev))
		;
}

static inline int teardown(void **state)
{
	struct bus *b = *state;

	uiommu_sim_destroy(b->dev);
	assert_int_equal(b->live, 0);
	free(b);
	return 0;
}

#endif
