/* SPDX-License-Identifier: MIT */
/*
 * tests/core/vtd.h - an IOMMU whose PASID entry holds both stages, as VT-d's in
 * scalable mode, with its driver
 *
 * Entries, a TLB tagged (domain ID, PASID) and a TLB in each device. Both keep what
 * they have until they are told. A walk reads x86-64 tables of the user's through
 * second-stage tables of ours, entry by entry; it shares no code with src/pt.
 */
#ifndef TESTS_CORE_VTD_H
#define TESTS_CORE_VTD_H

#include "fake.h"

#define VTD_DEVS	4
#define VTD_PASIDS	32
#define VTD_TLB		256
#define VTD_DATA	1u		/* IOMMU_HWPT_DATA_VTD_S1 */
#define VTD_INV		0u
#define VTD_SLICE	99u		/* a type of vIOMMU: a tag and nothing else */
#define VTD_QUEUED	97u		/* and one with queues in the VM's memory */
#define VTD_QUEUES	3u
#define VTD_QUEUE	5u		/* their type */

/* dom->user[0]: where the user's table is; [1]: unused */
struct vtd_user {
	uint64_t table;
};

/* An invalidation of the user's: all that (device, PASID) has of stage 1. */
struct vtd_inv {
	uint64_t virt_id, pasid;
};

struct vtd_entry {
	bool valid, nested, pass;
	uint32_t did;
	uint64_t s1;			/* the user's table, its own address */
	uint64_t s2;			/* root of the second stage */
	unsigned s2_level;
};

struct vtd_line {
	bool valid;
	const struct uiommu_dev *dev;	/* in a device: whose */
	uint32_t did, pasid;
	uint64_t page, pa;
};

struct vtd {
	struct uiommu_iommu iommu;
	struct thost *t;
	struct uiommu_dev *devs[VTD_DEVS];
	struct vtd_entry entry[VTD_DEVS][VTD_PASIDS];
	struct vtd_line tlb[VTD_TLB], dtlb[VTD_TLB];
	unsigned num, dnum;
	uint32_t next_did, live_dids;
	bool dead;				/* does not do what it is told */
	unsigned told;				/* devices told to forget, in all */
	struct vtd_slice {
		struct uiommu_viommu *v;	/* NULL: nobody has it */
		const void *match[2];		/* the devices it knows */
		unsigned queues;
		uint64_t base[VTD_QUEUES];
	} slice[2];
	unsigned slice_fails;			/* of the next calls */
};

static inline struct vtd *to_vtd(const struct uiommu_iommu *i)
{
	return uiommu_container_of(i, struct vtd, iommu);
}

static inline unsigned vtd_slot(const struct uiommu_dev *dev)
{
	const struct vtd *v = to_vtd(dev->iommu);

	for (unsigned i = 0; i < VTD_DEVS; i++)
		if (v->devs[i] == dev)
			return i;
	fail_msg("a device that was not added");
	return 0;
}

/* ---- hardware ---- */

static inline bool vtd_walk2(struct vtd *v, const struct vtd_entry *e, uint64_t gpa, bool write,
			     uint64_t *pa)
{
	uint64_t table = e->s2;

	for (unsigned lvl = e->s2_level;; lvl--) {
		unsigned shift = 12 + 9 * lvl;
		uint64_t *t = thost_at(v->t, table, 4096);
		uint64_t pte = t[gpa >> shift & 511], mask = ((uint64_t)1 << shift) - 1;

		if (!(pte & (write ? 2 : 1)))
			return false;
		if (!lvl || pte >> 7 & 1) {
			*pa = (pte & 0xffffffffff000 & ~mask) | (gpa & mask);
			return true;
		}
		table = pte & 0xffffffffff000;
	}
}

static inline bool vtd_walk1(struct vtd *v, const struct vtd_entry *e, uint64_t va, bool write,
			     uint64_t *pa)
{
	uint64_t table = e->s1;

	for (unsigned lvl = 3;; lvl--) {
		uint64_t pte, at;

		if (!vtd_walk2(v, e, table + (va >> (12 + 9 * lvl) & 511) * 8, false, &at))
			return false;
		pte = *(uint64_t *)thost_at(v->t, at, 8);
		if (!(pte & 1) || (write && !(pte & 2)))
			return false;
		table = pte & 0xffffffffff000;
		if (!lvl)
			return vtd_walk2(v, e, table | (va & 4095), write, pa);
	}
}

static inline struct vtd_line *vtd_hit(struct vtd_line *l, unsigned n, const struct vtd_line *want)
{
	for (; n; n--, l++)
		if (l->valid && l->dev == want->dev && l->did == want->did &&
		    l->pasid == want->pasid && l->page == want->page)
			return l;
	return NULL;
}

/* One access: the device's TLB, the IOMMU's, then the tables. */
static inline bool vtd_dma(struct uiommu_dev *dev, uiommu_pasid_t pasid, uint64_t va, bool write,
			   uint64_t *pa)
{
	struct vtd *v = to_vtd(dev->iommu);
	const struct vtd_entry *e = &v->entry[vtd_slot(dev)][pasid];
	struct vtd_line line = { true, dev, 0, pasid, va >> 12, 0 }, *l;

	l = vtd_hit(v->dtlb, v->dnum, &line);
	if (!l) {
		struct vtd_line mine = { true, NULL, e->did, e->nested ? pasid : 0, va >> 12, 0 };

		if (!e->valid)
			return false;
		l = vtd_hit(v->tlb, v->num, &mine);
		if (!l) {
			if (e->pass)
				mine.pa = va;
			else if (!(e->nested ? vtd_walk1 : vtd_walk2)(v, e, va, write, &mine.pa))
				return false;
			assert_true(v->num < VTD_TLB && v->dnum < VTD_TLB);
			l = &v->tlb[v->num++];
			*l = mine;
		}
		line.pa = l->pa;
		v->dtlb[v->dnum++] = line;
	}
	*pa = (l->pa & ~(uint64_t)4095) | (va & 4095);
	return true;
}

static inline void vtd_forget_did(struct vtd *v, uint32_t did)
{
	for (unsigned i = 0; i < v->num; i++)
		v->tlb[i].valid &= v->tlb[i].did != did;
}

static inline void vtd_forget_dev(struct vtd *v, const struct uiommu_dev *dev,
				  uiommu_pasid_t pasid)
{
	v->told++;
	for (unsigned i = 0; i < v->dnum; i++)
		v->dtlb[i].valid &= v->dtlb[i].dev != dev || v->dtlb[i].pasid != pasid;
}

/* ---- its driver ---- */

static inline int vtd_device_add(struct uiommu_dev *dev)
{
	struct vtd *v = to_vtd(dev->iommu);

	for (unsigned i = 0; i < VTD_DEVS; i++) {
		if (v->devs[i])
			continue;
		v->devs[i] = dev;
		memset(v->entry[i], 0, sizeof(v->entry[i]));
		return 0;
	}
	return -UIOMMU_ERANGE;
}

static inline void vtd_device_remove(struct uiommu_dev *dev)
{
	struct vtd *v = to_vtd(dev->iommu);
	unsigned slot = vtd_slot(dev);

	for (unsigned p = 0; p < VTD_PASIDS; p++)
		assert_false(v->entry[slot][p].valid && p);
	memset(v->entry[slot], 0, sizeof(v->entry[slot]));
	v->devs[slot] = NULL;
}

static inline int vtd_domain_init(struct uiommu_domain *dom, struct uiommu_dev *dev, unsigned flags)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };

	return uiommu_pt_vtd_ss_ops.init(&dom->pt, dev->host, &cfg);
}

static inline int vtd_domain_check(const struct uiommu_domain *dom, struct uiommu_dev *dev,
				   uiommu_pasid_t pasid)
{
	return 0;
}

static inline int vtd_link_init(struct uiommu_link *link)
{
	struct vtd *v = to_vtd(link->iommu);

	if (link->parent) {
		link->tag = link->parent->tag;
		return 0;
	}
	link->tag = ++v->next_did;
	v->live_dids++;
	return 0;
}

static inline void vtd_link_fini(struct uiommu_link *link)
{
	struct vtd *v = to_vtd(link->iommu);

	assert_true(fake_listed(link));
	vtd_forget_did(v, link->tag);
	if (!link->parent)
		v->live_dids--;
}

static inline int vtd_prepare(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			      const struct uiommu_link *now)
{
	return pasid < VTD_PASIDS ? 0 : -UIOMMU_ENOMEM;
}

static inline struct vtd_entry vtd_entry_of(const struct uiommu_link *link)
{
	const struct uiommu_domain *dom = link->dom;
	const struct uiommu_domain *s2 = dom->parent ? dom->parent : dom;
	struct vtd_entry e = { .valid = true, .did = link->tag };

	e.pass = dom->type == UIOMMU_DOMAIN_IDENTITY;
	if (e.pass)
		return e;
	e.s2 = uiommu_pt_root(&s2->pt, &e.s2_level);
	e.nested = dom->parent;
	e.s1 = dom->user[0];
	return e;
}

static inline int vtd_commit(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			     const struct uiommu_link *old, const struct uiommu_link *now)
{
	struct vtd *v = to_vtd(dev->iommu);
	struct vtd_entry *e = &v->entry[vtd_slot(dev)][pasid];

	if (now->dom->type == UIOMMU_DOMAIN_BLOCKED)
		memset(e, 0, sizeof(*e));
	else if (v->dead)
		return -UIOMMU_ETIMEDOUT;
	else
		*e = vtd_entry_of(now);
	/* PASID cache, then the (domain ID, PASID), then the device */
	for (unsigned i = 0; i < v->num; i++)
		v->tlb[i].valid &= v->tlb[i].did != old->tag || v->tlb[i].pasid != pasid;
	vtd_forget_dev(v, dev, pasid);
	return 0;
}

static inline void vtd_tell(struct vtd *v, const struct uiommu_link *link)
{
	for (struct uiommu_node *n = link->attaches.first; n; n = n->next) {
		struct uiommu_attach *att = uiommu_container_of(n, struct uiommu_attach, node);

		vtd_forget_dev(v, att->dev, att->pasid);
	}
}

static inline void vtd_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	struct vtd *v = to_vtd(link->iommu);

	vtd_forget_did(v, link->tag);
	vtd_tell(v, link);
	for (struct uiommu_node *n = link->children.first; n; n = n->next)
		vtd_tell(v, uiommu_container_of(n, struct uiommu_link, sibling));
}

static inline int vtd_nested_init(struct uiommu_domain *dom, struct uiommu_dev *dev,
				  const struct uiommu_user_data *user)
{
	struct vtd_user u;

	if (user->type != VTD_DATA)
		return -UIOMMU_EOPNOTSUPP;
	if (user->bytes != sizeof(u))
		return -UIOMMU_EINVAL;
	memcpy(&u, user->data, sizeof(u));
	if (u.table & 4095)
		return -UIOMMU_EIO;
	dom->user[0] = u.table;
	return 0;
}

static inline bool vtd_has_viommu(const struct uiommu_iommu *iommu, unsigned type)
{
	return type == VTD_SLICE || type == VTD_QUEUED;
}

/* An unmap still reaches it. */
static inline bool vtd_listed(const struct uiommu_link *link)
{
	for (const struct uiommu_node *n = link->dom->links.first; n; n = n->next)
		if (n == &link->node)
			return true;
	return false;
}

static inline bool vtd_slice_fails(struct vtd *v)
{
	return v->slice_fails && v->slice_fails--;
}

static inline int vtd_viommu_init(struct uiommu_viommu *vi)
{
	struct vtd *v = to_vtd(vi->iommu);
	struct vtd_slice *s = v->slice;

	if (vi->cfg.type != VTD_QUEUED)
		return 0;
	if (vtd_slice_fails(v))
		return -UIOMMU_ETIMEDOUT;
	s += s->v != NULL;
	if (s->v)
		return -UIOMMU_ENOSPC;
	assert_int_not_equal(vi->link->tag, 0);
	s->v = vi;
	vi->drv = s;
	return 0;
}

/* Nothing of the VM's is left in it, and its tag is still its own. */
static inline void vtd_viommu_fini(struct uiommu_viommu *vi)
{
	struct vtd_slice *s = vi->drv;

	assert_int_equal(s->queues, 0);
	assert_true(!s->match[0] && !s->match[1]);
	assert_true(vtd_listed(vi->link));
	s->v = NULL;
}

static inline int vtd_vdevice_init(struct uiommu_vdevice *vd)
{
	struct vtd_slice *s = vd->viommu->drv;

	if (vd->virt_id > 0xff)
		return -UIOMMU_EINVAL;
	vd->slot = s->match[0] != NULL;
	if (s->match[vd->slot])
		return -UIOMMU_ENOSPC;
	s->match[vd->slot] = vd->dev;
	return 0;
}

static inline void vtd_vdevice_fini(struct uiommu_vdevice *vd)
{
	struct vtd_slice *s = vd->viommu->drv;

	assert_ptr_equal(s->match[vd->slot], vd->dev);
	s->match[vd->slot] = NULL;
}

static inline int vtd_viommu_mmio(const struct uiommu_viommu *vi, struct uiommu_mmio *out,
				  size_t *bytes)
{
	*out = (struct uiommu_mmio){ .base = vi->drv, .bytes = 4096 };
	*bytes = 4096;
	return 0;
}

static inline unsigned vtd_num_hw_queues(const struct uiommu_viommu *vi, unsigned type)
{
	return type == VTD_QUEUE ? VTD_QUEUES : 0;
}

static inline int vtd_hw_queue_init(struct uiommu_hw_queue *q)
{
	struct vtd_slice *s = q->viommu->drv;

	if (vtd_slice_fails(to_vtd(q->viommu->iommu)))
		return -UIOMMU_ETIMEDOUT;
	if (q->cfg.bytes != 4096)
		return -UIOMMU_EINVAL;
	assert_int_equal(q->cfg.index, s->queues);
	s->base[s->queues++] = q->cfg.base;
	return 0;
}

static inline void vtd_hw_queue_fini(struct uiommu_hw_queue *q)
{
	struct vtd_slice *s = q->viommu->drv;

	assert_int_equal(q->cfg.index, s->queues - 1);
	s->base[--s->queues] = 0;
}

static inline int vtd_viommu_invalidate(struct uiommu_viommu *vi, const struct uiommu_user_data *inv,
					size_t n, size_t *handled)
{
	struct vtd *v = to_vtd(vi->iommu);
	const struct vtd_inv *e = inv->data;

	*handled = 0;
	if (inv->type != VTD_INV || inv->bytes != n * sizeof(*e))
		return -UIOMMU_EINVAL;
	for (; *handled < n; e++, ++*handled) {
		struct uiommu_dev *dev = uiommu_viommu_find(vi, e->virt_id);

		if (!dev)
			return -UIOMMU_EIO;
		for (unsigned i = 0; i < v->num; i++)
			v->tlb[i].valid &= v->tlb[i].did != vi->link->tag ||
					   v->tlb[i].pasid != e->pasid;
		vtd_forget_dev(v, dev, (uiommu_pasid_t)e->pasid);
	}
	return 0;
}

static inline size_t vtd_viommu_event(const struct uiommu_vdevice *vd, const struct uiommu_fault *f,
				      unsigned *type, uint64_t record[UIOMMU_RECORD_WORDS])
{
	if (f->flags & UIOMMU_FAULT_STAGE2)
		return 0;
	*type = 98;
	record[0] = vd->virt_id;
	record[1] = f->iova;
	return 16;
}

static inline int vtd_hw_info(const struct uiommu_dev *dev, unsigned type,
			      struct uiommu_hw_info *out)
{
	if (type > 1)
		return -UIOMMU_EOPNOTSUPP;
	out->type = 1;
	return 0;
}

static inline void vtd_remove(struct uiommu_iommu *iommu)
{
	assert_int_equal(to_vtd(iommu)->live_dids, 0);
	uiommu_iommu_unregister(iommu);
}

static const struct uiommu_iommu_ops vtd_ops = {
	.name = "vtd-shape",
	.device_add = vtd_device_add,
	.device_remove = vtd_device_remove,
	.domain_init = vtd_domain_init,
	.domain_check = vtd_domain_check,
	.link_init = vtd_link_init,
	.link_fini = vtd_link_fini,
	.attach_prepare = vtd_prepare,
	.attach_commit = vtd_commit,
	.invalidate = vtd_invalidate,
	.nested_init = vtd_nested_init,
	.has_viommu = vtd_has_viommu,
	.viommu_init = vtd_viommu_init,
	.viommu_fini = vtd_viommu_fini,
	.vdevice_init = vtd_vdevice_init,
	.vdevice_fini = vtd_vdevice_fini,
	.viommu_mmio = vtd_viommu_mmio,
	.num_hw_queues = vtd_num_hw_queues,
	.hw_queue_init = vtd_hw_queue_init,
	.hw_queue_fini = vtd_hw_queue_fini,
	.viommu_invalidate = vtd_viommu_invalidate,
	.viommu_event = vtd_viommu_event,
	.hw_info = vtd_hw_info,
	.remove = vtd_remove,
};

static inline void vtd_init(struct vtd *v, struct thost *t, struct uiommu *u)
{
	memset(v, 0, sizeof(*v));
	v->t = t;
	v->iommu.ops = &vtd_ops;
	v->iommu.pasid_bits = 5;
	v->iommu.caps = UIOMMU_IOMMU_PASID_IDENTITY | UIOMMU_IOMMU_PASID_NESTED;
	snprintf(v->iommu.name, sizeof(v->iommu.name), "vtd-shape");
	assert_int_equal(uiommu_iommu_register(u, &v->iommu), 0);
}

#endif
