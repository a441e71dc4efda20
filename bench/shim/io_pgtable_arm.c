/* SPDX-License-Identifier: MIT */
/*
 * Linux's io-pgtable-arm.c as a peer: included from below build/, with the gather
 * callback that its SMMUv3 driver installs.
 */
#include "bench/shim/kernel.h"
#include "io-pgtable-arm.c"

#include "bench/pt_peer.h"

void *iommu_alloc_pages_node_sz(int nid, gfp_t gfp, size_t size)
{
	return pool_alloc(size);
}

void iommu_free_pages(void *p)
{
	pool_free(p);
}

static struct iommu_domain domain;

static void flush_all(void *cookie)
{
}

static void flush_walk(unsigned long iova, size_t size, size_t granule, void *cookie)
{
}

static void add_page(struct iommu_iotlb_gather *gather, unsigned long iova, size_t granule,
		     void *cookie)
{
	iommu_iotlb_gather_add_page(cookie, gather, iova, granule);
}

static const struct iommu_flush_ops flush_ops = {
	.tlb_flush_all = flush_all, .tlb_flush_walk = flush_walk, .tlb_add_page = add_page,
};

static void *arm_make(void)
{
	struct io_pgtable_cfg cfg = {
		.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G, .ias = 48, .oas = 48,
		.coherent_walk = true, .tlb = &flush_ops,
	};
	struct io_pgtable *iop = io_pgtable_arm_64_lpae_s1_init_fns.alloc(&cfg, &domain);

	iop->cfg = cfg;
	iop->cookie = &domain;
	return &iop->ops;
}

static void arm_map(void *t, uint64_t iova, uint64_t pa, uint64_t len, uint64_t pgsize)
{
	struct io_pgtable_ops *ops = t;

	while (len) {
		size_t mapped = 0;

		if (ops->map_pages(ops, iova, pa, pgsize, len / pgsize, IOMMU_READ | IOMMU_WRITE |
				   IOMMU_CACHE, GFP_KERNEL, &mapped))
			abort();
		iova += mapped;
		pa += mapped;
		len -= mapped;
	}
}

static void arm_unmap(void *t, uint64_t iova, uint64_t len, uint64_t pgsize)
{
	struct io_pgtable_ops *ops = t;
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	while (len) {
		size_t n = ops->unmap_pages(ops, iova, pgsize, len / pgsize, &gather);

		if (!n)
			abort();
		iova += n;
		len -= n;
	}
	__asm__ volatile("" :: "r"(&gather) : "memory");
}

static uint64_t arm_look(void *t, uint64_t iova)
{
	struct io_pgtable_ops *ops = t;

	return ops->iova_to_phys(ops, iova);
}

static void arm_drop(void *t)
{
	io_pgtable_arm_64_lpae_s1_init_fns.free(container_of(t, struct io_pgtable, ops));
}

const struct pt_peer peer_arm = {
	"io-pgtable-arm", arm_make, arm_map, arm_unmap, arm_look, arm_drop,
};
