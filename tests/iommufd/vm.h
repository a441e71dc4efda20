/* SPDX-License-Identifier: MIT */
/*
 * vm.h - a VM through /dev/iommu, for tests of it: its address space, a guest with tables
 * in it, and the calls. One test each: setup and teardown.
 */
#ifndef TESTS_IOMMUFD_VM_H
#define TESTS_IOMMUFD_VM_H

#include "rig.h"

#include <uiommu/pt.h>
#include "src/smmuv3/smmu.h"

#define RAM		0x40000000ull	/* where the VM has the program's memory */
#define RAM_PAGES	1024u
#define VA		0x7000000ull
#define VSID		0x77u
#define PASID_FLAG	UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID
#define PARENT_FLAG	UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT
#define CFG(c)		(FCONST(STE_V, 1) | FPREP(STE_Config, c))

/* ---- a context with a VM's address space, and the guest in it ---- */

struct env {
	struct rig *r;
	struct uiommu_iommufd *ctx;
	struct uiommu_iommufd_dev *dev[RIG_DEVS];
	uint32_t id[RIG_DEVS];
	uint32_t ioas, parent;
	struct uiommu_host guest;		/* memory as the guest sees it */
	size_t used;
	struct uiommu_pt pt;
	uint64_t *cds;
};

static inline void *guest_alloc(void *ctx, size_t bytes)
{
	struct env *e = ctx;
	size_t at = (e->used + bytes - 1) & ~(bytes - 1);

	e->used = at + bytes;
	assert_true(e->used <= RAM_PAGES * PAGE);
	return memset(rig_ptr(e->r, RIG_VA + at), 0, bytes);
}

static inline void guest_free(void *ctx, void *p, size_t bytes)
{
}

static inline uint64_t ipa(const struct env *e, const void *p)
{
	return (uint64_t)(uintptr_t)p - e->guest.table_offset;
}

static inline void guest_map(struct env *e, uint64_t va, uint64_t v)
{
	uint64_t *page = guest_alloc(e, PAGE);

	*page = v;
	assert_int_equal(e->pt.ops->map(&e->pt, va, ipa(e, page), PAGE, UIOMMU_PROT_READ, NULL), 0);
}

static inline void guest_change(struct env *e, uint64_t v)
{
	struct uiommu_gather g;

	uiommu_gather_init(&g);
	assert_int_equal(e->pt.ops->unmap(&e->pt, VA, PAGE, &g, NULL), 0);
	guest_map(e, VA, v);
}

static inline void guest_boot(struct env *e)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 39, .oas_lg2 = 40 };

	e->guest = (struct uiommu_host){ .ctx = e, .table_alloc = guest_alloc,
		.table_free = guest_free,
		.table_offset = (uint64_t)(uintptr_t)rig_ptr(e->r, RIG_VA) - RAM };
	assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&e->pt, &e->guest, &cfg), 0);
	e->cds = guest_alloc(e, PAGE);
	uiommu_smmuv3_cd(e->cds, &e->pt, 7, true);
	guest_map(e, VA, 42);
}

static inline int vm_setup(void **state, const struct rig_options *o)
{
	struct env *e = calloc(1, sizeof(*e));

	e->r = rig_create_with(o);
	e->ctx = rig_iommufd(e->r);
	for (unsigned i = 0; i < RIG_DEVS; i++)
		assert_int_equal(uiommu_iommufd_bind(e->ctx, e->r->fns[i].dev, &e->dev[i],
						     &e->id[i]), 0);
	e->ioas = rig_ioas(e->r, e->ctx);
	rig_map(e->r, e->ctx, e->ioas, RIG_VA, RAM_PAGES * PAGE, RAM);
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, PARENT_FLAG, &e->parent),
			 0);
	guest_boot(e);
	*state = e;
	return 0;
}

static inline int teardown(void **state)
{
	struct env *e = *state;

	for (unsigned i = 0; i < RIG_DEVS; i++)
		if (e->dev[i])
			uiommu_iommufd_unbind(e->dev[i]);
	uiommu_iommufd_put(e->ctx);
	rig_destroy(e->r);
	free(e);
	return 0;
}

/* ---- the calls ---- */

#define CALL(e, nr, c) rig_ioctl((e)->r, (e)->ctx, UIOMMU_ABI_##nr, &(c), sizeof(c))

static inline int viommu(struct env *e, struct uiommu_abi_iommu_viommu_alloc c, uint32_t *out)
{
	int ret;

	c.size = sizeof(c);
	ret = CALL(e, IOMMU_VIOMMU_ALLOC, c);
	*out = c.out_viommu_id;
	return ret;
}

#define DATA	(RIG_VA + (RAM_PAGES + 1) * PAGE)

/* A slice with queues; where its registers are in the file. */
static inline int viommu_cmdqv(struct env *e, uint32_t dev, uint32_t parent, uint32_t *out,
			       struct uiommu_abi_iommu_viommu_tegra241_cmdqv *data)
{
	int ret = viommu(e, (struct uiommu_abi_iommu_viommu_alloc){
		.type = 2, .dev_id = dev, .hwpt_id = parent, .data_len = sizeof(*data),
		.data_uptr = DATA }, out);

	memcpy(data, rig_ptr(e->r, DATA), sizeof(*data));
	return ret;
}

static inline int vdevice(struct env *e, uint32_t v, uint32_t dev, uint64_t virt_id, uint32_t *out)
{
	struct uiommu_abi_iommu_vdevice_alloc c = {
		.size = sizeof(c), .viommu_id = v, .dev_id = dev, .virt_id = virt_id };
	int ret = CALL(e, IOMMU_VDEVICE_ALLOC, c);

	*out = c.out_vdevice_id;
	return ret;
}

static inline int nested_with(struct env *e, struct uiommu_abi_iommu_hwpt_alloc c, const uint64_t ste[2],
		       uint32_t *out)
{
	int ret;

	memcpy(rig_ptr(e->r, RIG_VA + RAM_PAGES * PAGE), ste, 16);
	c.size = sizeof(c);
	ret = CALL(e, IOMMU_HWPT_ALLOC, c);
	*out = c.out_hwpt_id;
	return ret;
}

static inline struct uiommu_abi_iommu_hwpt_alloc nested_on(uint32_t pt, uint32_t dev)
{
	return (struct uiommu_abi_iommu_hwpt_alloc){ .dev_id = dev, .pt_id = pt, .data_type = 2,
		.data_len = 16, .data_uptr = RIG_VA + RAM_PAGES * PAGE };
}

static inline void guest_ste(const struct env *e, uint64_t ste[2])
{
	ste[0] = CFG(STE_Config_S1) | ipa(e, e->cds);
	ste[1] = FPREP(STE_S1CIR, CACHE_WB) | FPREP(STE_S1COR, CACHE_WB) |
		 FPREP(STE_S1CSH, SH_ISH);
}

/* @n commands of the guest's; how many were handled. */
static inline int invalidate(struct env *e, uint32_t id, const uint64_t *cmd, uint32_t n, uint32_t *done)
{
	struct uiommu_abi_iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = id, .data_type = 1, .entry_len = 16, .entry_num = n,
		.data_uptr = RIG_VA + RAM_PAGES * PAGE };
	int ret;

	memcpy(rig_ptr(e->r, c.data_uptr), cmd, n * 16);
	ret = CALL(e, IOMMU_HWPT_INVALIDATE, c);
	*done = c.entry_num;
	return ret;
}

static inline int attach(struct env *e, unsigned dev, uint32_t pasid, uint32_t pt)
{
	return uiommu_iommufd_attach(e->dev[dev], pasid, &pt);
}

struct vm {
	uint32_t v, vd, hwpt;
};

static inline struct vm make_vm(struct env *e)
{
	struct vm vm;
	uint64_t ste[2];

	guest_ste(e, ste);
	assert_int_equal(viommu(e, (struct uiommu_abi_iommu_viommu_alloc){
		.type = 1, .dev_id = e->id[0], .hwpt_id = e->parent }, &vm.v), 0);
	assert_int_equal(vdevice(e, vm.v, e->id[0], VSID, &vm.vd), 0);
	assert_int_equal(nested_with(e, nested_on(vm.v, e->id[0]), ste, &vm.hwpt), 0);
	return vm;
}


#define BUF	(RIG_VA + (RAM_PAGES + 2) * PAGE)
#define EVENT	(sizeof(struct uiommu_abi_iommufd_vevent_header) + 32)

static inline int veventq(struct env *e, uint32_t v, uint32_t depth, uint32_t type,
		   struct uiommu_abi_iommu_veventq_alloc *out)
{
	*out = (struct uiommu_abi_iommu_veventq_alloc){
		.size = sizeof(*out), .viommu_id = v, .type = type, .veventq_depth = depth };
	return CALL(e, IOMMU_VEVENTQ_ALLOC, *out);
}

static inline uint32_t header(struct env *e, uint64_t at, uint32_t *flags)
{
	struct uiommu_abi_iommufd_vevent_header h;

	memcpy(&h, rig_ptr(e->r, BUF + at), sizeof(h));
	*flags = h.flags;
	return h.sequence;
}

#endif
