/* SPDX-License-Identifier: MIT */
/*
 * tests/driver/guest.h - a VM whose stage 1 lies on our stage 2. The guest is a second
 * user of the library: its tables and CDs are made by the same functions, in memory
 * that it knows by IPA.
 */
#ifndef TESTS_DRIVER_GUEST_H
#define TESTS_DRIVER_GUEST_H

#include "bench.h"

#include <uiommu/nested.h>

#define VM_BYTES	((size_t)1 << 20)
#define IPA(vm)		(0x10000000ull * (vm))
#define VA		0x7000000ull
#define SECRET(vm)	(IPA(vm) + VM_BYTES - PAGE)	/* what the guest's own page holds */
#define PARENT		UIOMMU_DOMAIN_ALLOC_NEST_PARENT
#define CDS_LG2		2u
#define CFG(c)		(FCONST(STE_V, 1) | FPREP(STE_Config, c))

/* ---- a guest ---- */

struct guest {
	struct bench *b;
	unsigned n;
	unsigned char *mem;
	size_t used;
	struct uiommu_host host;		/* how its half of the library sees memory */
	struct uiommu_domain *parent;
	struct uiommu_viommu *v;
	uint64_t *cds;
	struct uiommu_pt pt[1u << CDS_LG2];	/* by its PASID */
	unsigned told;
	uint64_t record[4];
	unsigned stops;				/* told of queues of its own, which: */
	uint64_t stopped[2];
};

static inline void *guest_alloc(void *ctx, size_t bytes)
{
	struct guest *g = ctx;
	size_t at = (g->used + bytes - 1) & ~(bytes - 1);

	assert_true(at + bytes < VM_BYTES - PAGE);
	g->used = at + bytes;
	return memset(g->mem + at, 0, bytes);
}

static inline void guest_free(void *ctx, void *p, size_t bytes)
{
}

static inline uint64_t guest_ipa(const struct guest *g, const void *p)
{
	return (uint64_t)(uintptr_t)p - g->host.table_offset;
}

static inline bool on_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	struct guest *g = ctx;

	if (type == 2) {
		assert_int_equal(bytes, sizeof(g->stopped));
		memcpy(g->stopped, record, bytes);
		g->stops++;
		return true;
	}
	assert_int_equal(type, 1);
	assert_int_equal(bytes, sizeof(g->record));
	memcpy(g->record, record, bytes);
	g->told++;
	return true;
}

/* A page of the guest's with @v in it, at VA of its address space @pasid. */
static inline void guest_map(struct guest *g, unsigned pasid, uint64_t va, uint64_t v)
{
	uint64_t *page = guest_alloc(g, PAGE);

	*page = v;
	assert_int_equal(g->pt[pasid].ops->map(&g->pt[pasid], va, guest_ipa(g, page), PAGE, RW, NULL),
			 0);
}

/* Without a word to anybody: that is the guest's affair. */
static inline void guest_unmap(struct guest *g, unsigned pasid, uint64_t va)
{
	struct uiommu_gather gather;

	uiommu_gather_init(&gather);
	assert_int_equal(g->pt[pasid].ops->unmap(&g->pt[pasid], va, PAGE, &gather, NULL), 0);
}

static inline void guest_space(struct guest *g, unsigned pasid, uint32_t asid)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 39, .oas_lg2 = 40 };

	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&g->pt[pasid], &g->host, &cfg), 0);
	uiommu_smmuv3_cd(&g->cds[pasid * CD_WORDS], &g->pt[pasid], asid, true);
	guest_map(g, pasid, VA, g->n * 100 + pasid);
}

static inline void guest_init_as(struct guest *g, struct bench *b, struct uiommu_dev *dev,
				 unsigned n, unsigned type)
{
	struct uiommu_viommu_config cfg = { .dev = dev, .type = type, .event = on_event, .ctx = g };

	memset(g, 0, sizeof(*g));
	g->b = b;
	g->n = n;
	g->mem = thost_table_alloc(&b->t, VM_BYTES);
	g->host = (struct uiommu_host){ .ctx = g, .table_alloc = guest_alloc,
					.table_free = guest_free,
					.table_offset = (uint64_t)(uintptr_t)g->mem - IPA(n) };
	assert_int_equal(uiommu_domain_alloc_paging(dev, PARENT, &g->parent), 0);
	assert_int_equal(uiommu_map(g->parent, IPA(n), thost_pa(&b->t, g->mem), VM_BYTES, RW, NULL),
			 0);
	*(uint64_t *)(void *)(g->mem + VM_BYTES - PAGE) = n;
	cfg.parent = g->parent;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &g->v), 0);
	g->cds = guest_alloc(g, PAGE);
	guest_space(g, 0, 7);
	guest_space(g, 1, 8);
}

static inline void guest_init(struct guest *g, struct bench *b, struct uiommu_dev *dev, unsigned n)
{
	guest_init_as(g, b, dev, n, 1);
}

static inline void guest_fini(struct guest *g)
{
	thost_table_free(&g->b->t, g->mem, VM_BYTES);
}

/* Its STE for a device: its CD table, untagged traffic by CD 0. */
static inline void guest_ste(const struct guest *g, uint64_t ste[2])
{
	ste[0] = CFG(STE_Config_S1) | FPREP(STE_S1CDMax, CDS_LG2) | guest_ipa(g, g->cds);
	ste[1] = FPREP(STE_S1DSS, STE_S1DSS_SSID0) | FPREP(STE_S1CIR, CACHE_WB) |
		 FPREP(STE_S1COR, CACHE_WB) | FPREP(STE_S1CSH, SH_ISH);
}

static inline int try_nested(struct guest *g, struct uiommu_dev *dev, const uint64_t ste[2],
		      struct uiommu_domain **out)
{
	const struct uiommu_user_data user = { 2, ste, 2 * sizeof(*ste) };

	return uiommu_domain_alloc_nested(g->parent, g->v, dev, &user, out);
}

static inline struct uiommu_domain *nested(struct guest *g, struct uiommu_dev *dev)
{
	struct uiommu_domain *dom = NULL;
	uint64_t ste[2];

	guest_ste(g, ste);
	assert_int_equal(try_nested(g, dev, ste, &dom), 0);
	return dom;
}

static inline void own(struct guest *g, struct uiommu_dev *dev, uint64_t vsid)
{
	struct uiommu_vdevice *vd;

	assert_int_equal(uiommu_vdevice_alloc(g->v, dev, vsid, &vd), 0);
}

/* One command of the guest's. */
static inline int say(struct guest *g, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2] = { w0, w1 };
	const struct uiommu_user_data inv = { 1, cmd, sizeof(cmd) };
	size_t handled = 9;
	int err = uiommu_cache_invalidate(g->v, &inv, 1, &handled);

	assert_int_equal(handled, !err);
	return err;
}

#define OP(c)		FPREP(CMD_Opcode, CMD_##c)
#define VSID(s)		FPREP(CMD_CFGI_CD_StreamID, s)

#endif
