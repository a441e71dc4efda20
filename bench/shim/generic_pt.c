/* SPDX-License-Identifier: MIT */
/*
 * One format of Linux's generic_pt as a peer: included from below build/, called at
 * map_range and unmap_range, with 48-bit input.
 */
#include "bench/shim/kernel.h"

#include PEER_SOURCE

#include "bench/pt_peer.h"

#if defined(PEER_x86_64)
#define FMT x86_64
#define NAME "generic_pt_x86_64"
#define MORE .top_level = 3
#define FEAT BIT(PT_FEAT_SIGN_EXTEND) | BIT(PT_FEAT_FLUSH_RANGE)
#define PEER peer_x86_64
#elif defined(PEER_vtdss)
#define FMT vtdss
#define NAME "generic_pt_vtdss"
#define MORE .top_level = 3
#define FEAT BIT(PT_FEAT_FLUSH_RANGE)
#define PEER peer_vtdss
#elif defined(PEER_amdv1)
#define FMT amdv1
#define NAME "generic_pt_amdv1"
#define MORE .starting_level = 3
/* those that this format is built with anyhow */
#define FEAT BIT(PT_FEAT_DYNAMIC_TOP) | BIT(PT_FEAT_FLUSH_RANGE) | \
	BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) | BIT(PT_FEAT_AMDV1_FORCE_COHERENCE)
#define PEER peer_amdv1
#else
#define FMT riscv_64
#define NAME "generic_pt_riscv_64"
#define FEAT BIT(PT_FEAT_SIGN_EXTEND) | BIT(PT_FEAT_FLUSH_RANGE) | BIT(PT_FEAT_DETAILED_GATHER)
#define PEER peer_riscv64
#endif
#ifndef MORE
#define MORE
#endif
#define CAT3_(a, b, c) a##b##c
#define CAT3(a, b, c) CAT3_(a, b, c)

static void change_top(struct pt_iommu *t, phys_addr_t pa, unsigned int level)
{
}

static spinlock_t top_lock;

static spinlock_t *get_top_lock(struct pt_iommu *t)
{
	return &top_lock;
}

static const struct pt_iommu_driver_ops driver_ops = {
	.change_top = change_top, .get_top_lock = get_top_lock,
};

static void peer_sync(struct iommu_domain *d, struct iommu_iotlb_gather *g)
{
	iommu_put_pages_list(&g->freelist);
	iommu_iotlb_gather_init(g);
}

static const struct iommu_domain_ops domain_ops = { .iotlb_sync = peer_sync };

static void *peer_make(void)
{
	struct CAT3(pt_iommu_, FMT, _cfg) cfg = {
		.common = { .features = FEAT, .hw_max_vasz_lg2 = 48, .hw_max_oasz_lg2 = 52 },
		MORE
	};
	struct CAT3(pt_iommu_, FMT,) *t = calloc(1, sizeof(*t));

	t->iommu.driver_ops = &driver_ops;
	t->iommu.domain.ops = &domain_ops;
	t->iommu.nid = NUMA_NO_NODE;
	if (CAT3(pt_iommu_, FMT, _init)(t, &cfg, GFP_KERNEL))
		abort();
	t->iommu.domain.ops = &domain_ops;
	return t;
}

static void peer_map(void *p, uint64_t iova, uint64_t pa, uint64_t len, uint64_t pgsize)
{
	struct pt_iommu *t = p;
	size_t mapped = 0;

	if (t->ops->map_range(t, iova, pa, len, IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL,
			      &mapped) || mapped != len)
		abort();
}

static void peer_unmap(void *p, uint64_t iova, uint64_t len, uint64_t pgsize)
{
	struct pt_iommu *t = p;
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	if (t->ops->unmap_range(t, iova, len, &gather) != len)
		abort();
	iommu_put_pages_list(&gather.freelist);
}

static uint64_t peer_look(void *p, uint64_t iova)
{
	struct pt_iommu *t = p;

	return CAT3(pt_iommu_, FMT, _iova_to_phys)(&t->domain, iova);
}

static void peer_drop(void *p)
{
	pt_iommu_deinit(p);
	free(p);
}

const struct pt_peer PEER = { NAME, peer_make, peer_map, peer_unmap, peer_look, peer_drop };
