/* SPDX-License-Identifier: MIT */
/*
 * src/core/index.c - PASID -> attachment, for one device
 *
 * A radix tree of three levels of 128 pointers (7 bits each; a PASID has 20).
 * Nodes come when a PASID is first attached and go with the device, so taking
 * an attachment out frees nothing and readers need no care for nodes.
 */
#include "core.h"

#define NODE_LG2	7
#define NODE_SLOTS	(1u << NODE_LG2)
#define LEVELS		3

struct uiommu_pasid_node {
	void *slot[NODE_SLOTS];
};

static unsigned slot_of(uiommu_pasid_t pasid, unsigned level)
{
	return pasid >> (level * NODE_LG2) & (NODE_SLOTS - 1);
}

static void *load(void *const *slot)
{
	return port_load_acquire(slot);
}

static void store(void **slot, void *v)
{
	port_store_release(slot, v);
}

/* The leaf slot, or NULL and in *@level where the way ends. */
static void **find(const struct uiommu_dev *dev, uiommu_pasid_t pasid, unsigned *level)
{
	struct uiommu_pasid_node *n = load(&dev->pasids);

	for (*level = LEVELS - 1; n && *level; --*level)
		n = load(&n->slot[slot_of(pasid, *level)]);
	return n ? &n->slot[slot_of(pasid, 0)] : NULL;
}

int uiommu_index_reserve(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	void **at = &dev->pasids;

	for (unsigned level = LEVELS; level--;) {
		struct uiommu_pasid_node *n = load(at);

		if (!n) {
			n = host_alloc(dev->host, sizeof(*n));
			if (!n)
				return -UIOMMU_ENOMEM;
			store(at, n);
		}
		at = &n->slot[slot_of(pasid, level)];
	}
	return 0;
}

void uiommu_index_set(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *att)
{
	unsigned level;

	store(find(dev, pasid, &level), att);
}

struct uiommu_attach *uiommu_index_get(const struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	unsigned level;
	void **slot = find(dev, pasid, &level);

	return slot ? load(slot) : NULL;
}

struct uiommu_attach *uiommu_index_next(const struct uiommu_dev *dev, uiommu_pasid_t *pasid)
{
	uiommu_pasid_t p = *pasid;

	while (p <= UIOMMU_PASID_MAX) {
		unsigned level;
		void **slot = find(dev, p, &level);
		struct uiommu_attach *att = slot ? load(slot) : NULL;

		if (att) {
			*pasid = p;
			return att;
		}
		/* a missing node at @level spans that many PASIDs */
		level = slot ? 0 : level + 1;
		p = ((p >> (level * NODE_LG2)) + 1) << (level * NODE_LG2);
	}
	return NULL;
}

void uiommu_index_free(struct uiommu_dev *dev)
{
	struct uiommu_pasid_node *top = load(&dev->pasids);

	for (unsigned i = 0; top && i < NODE_SLOTS; i++) {
		struct uiommu_pasid_node *mid = load(&top->slot[i]);

		for (unsigned j = 0; mid && j < NODE_SLOTS; j++)
			host_free(dev->host, load(&mid->slot[j]), sizeof(*mid));
		host_free(dev->host, mid, sizeof(*mid));
	}
	host_free(dev->host, top, sizeof(*top));
	dev->pasids = NULL;
}
