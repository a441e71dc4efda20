/* SPDX-License-Identifier: MIT */
/*
 * src/core/pasid.c - PASIDs that the instance gives out
 *
 * A bit for each of 2^20, in pieces that come when first needed. 0 is nobody's: it
 * is the RID's own traffic.
 */
#include "core.h"

#define PIECE_LG2	15u
#define PIECE_BYTES	((size_t)1 << (PIECE_LG2 - 3))

static uint64_t *word_of(struct uiommu *u, uiommu_pasid_t pasid)
{
	uint64_t *piece = u->pasids[pasid >> PIECE_LG2];

	return piece ? &piece[(pasid & ((1u << PIECE_LG2) - 1)) / 64] : NULL;
}

static int make_piece(struct uiommu *u, uiommu_pasid_t pasid)
{
	uint64_t **piece = &u->pasids[pasid >> PIECE_LG2];

	if (!*piece)
		*piece = host_alloc(u->host, PIECE_BYTES);
	if (!*piece)
		return -UIOMMU_ENOMEM;
	if (pasid < 64)
		(*piece)[0] |= 1;
	return 0;
}

/* The lowest free one from the hint on, marked; 64 at a time. */
int uiommu_pasid_take(struct uiommu *u, unsigned bits, uiommu_pasid_t *out)
{
	for (uiommu_pasid_t p = u->pasid_hint & ~63u; !(p >> bits); p += 64) {
		int err = make_piece(u, p);
		uint64_t *w, free;

		if (err)
			return err;
		w = word_of(u, p);
		free = ~*w;
		if (!free)
			continue;
		p += port_ctz64(free);
		if (p >> bits)
			break;
		*w |= free & -free;
		u->pasid_hint = p;
		*out = p;
		return 0;
	}
	return -UIOMMU_ENOSPC;
}

int uiommu_pasid_alloc(struct uiommu *u, unsigned bits, uiommu_pasid_t *out)
{
	int err;

	if (!bits || bits > 20)
		return -UIOMMU_EINVAL;
	core_lock(u);
	err = uiommu_pasid_take(u, bits, out);
	core_unlock(u);
	return err;
}

static bool attached(const struct uiommu *u, uiommu_pasid_t pasid)
{
	struct uiommu_node *n;

	list_for_each(n, &u->devices)
		if (uiommu_index_get(uiommu_container_of(n, struct uiommu_dev, node), pasid))
			return true;
	return false;
}

/* Taken before; what else a device may have there under the same number is its own. */
void uiommu_pasid_give(struct uiommu *u, uiommu_pasid_t pasid)
{
	*word_of(u, pasid) &= ~((uint64_t)1 << pasid % 64);
	if (pasid < u->pasid_hint)
		u->pasid_hint = pasid;
}

static int give(struct uiommu *u, uiommu_pasid_t pasid) UIOMMU_MUST_HOLD(uiommu_instance_lock);
static int give(struct uiommu *u, uiommu_pasid_t pasid)
{
	uint64_t *w = pasid && pasid <= UIOMMU_PASID_MAX ? word_of(u, pasid) : NULL;
	uint64_t bit = (uint64_t)1 << pasid % 64;

	if (!w || !(*w & bit))
		return -UIOMMU_EINVAL;
	if (attached(u, pasid))
		return -UIOMMU_EBUSY;
	uiommu_pasid_give(u, pasid);
	return 0;
}

int uiommu_pasid_free(struct uiommu *u, uiommu_pasid_t pasid)
{
	int err;

	core_lock(u);
	err = give(u, pasid);
	core_unlock(u);
	return err;
}

void uiommu_pasid_free_all(struct uiommu *u)
{
	for (unsigned i = 0; i < sizeof(u->pasids) / sizeof(u->pasids[0]); i++)
		host_free(u->host, u->pasids[i], PIECE_BYTES);
}
