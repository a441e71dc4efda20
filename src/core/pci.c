/* SPDX-License-Identifier: MIT */
/* src/core/pci.c - groups of a PCI hierarchy: what cannot be told or kept apart */
#include "core.h"

static unsigned root_of(const unsigned *group, unsigned i)
{
	while (group[i] != i)
		i = group[i];
	return i;
}

static void unite(unsigned *group, unsigned a, unsigned b)
{
	a = root_of(group, a);
	b = root_of(group, b);
	if (a < b)
		group[b] = a;
	else
		group[a] = b;
}

/* A switch whose ports do not all send upwards what arrives: one that does not can
 * reach what is below the others. */
static bool leaks(const struct uiommu_pci_fn *fns, unsigned n, int upstream)
{
	for (unsigned i = 0; i < n; i++)
		if (fns[i].parent == upstream && fns[i].kind == UIOMMU_PCI_DOWNSTREAM &&
		    !fns[i].acs)
			return true;
	return false;
}

/* Does what comes from below leave upwards before it goes anywhere else? */
static bool isolates(const struct uiommu_pci_fn *fns, unsigned n, int port)
{
	switch (fns[port].kind) {
	case UIOMMU_PCI_ROOT_PORT:
	case UIOMMU_PCI_DOWNSTREAM:
		return fns[port].acs;
	case UIOMMU_PCI_UPSTREAM:
		return (fns[port].acs || !fns[port].multi) && !leaks(fns, n, port);
	default:
		return false;
	}
}

static void unite_with_ports(const struct uiommu_pci_fn *fns, unsigned n, unsigned i,
			     unsigned *group)
{
	for (int p = fns[i].parent; p >= 0; p = fns[p].parent)
		if (!isolates(fns, n, p))
			unite(group, i, (unsigned)p);
}

static bool talk(const struct uiommu_pci_fn *a, const struct uiommu_pci_fn *b)
{
	return a->rid >> 3 == b->rid >> 3 && a->multi && b->multi && !a->acs && !b->acs;
}

static uint16_t id_of(const struct uiommu_pci_fn *f, unsigned i)
{
	return i ? f->aliases[i - 1] : f->rid;
}

static bool same_id(const struct uiommu_pci_fn *a, const struct uiommu_pci_fn *b)
{
	for (unsigned i = 0; i <= a->num_aliases; i++)
		for (unsigned j = 0; j <= b->num_aliases; j++)
			if (id_of(a, i) == id_of(b, j))
				return true;
	return false;
}

static bool is_sane(const struct uiommu_pci_fn *fns, unsigned i)
{
	int p = fns[i].parent;

	return p == -1 || (p >= 0 && (unsigned)p < i && fns[p].kind != UIOMMU_PCI_ENDPOINT);
}

int uiommu_pci_groups(const struct uiommu_pci_fn *fns, unsigned n, unsigned *group)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_sane(fns, i))
			return -UIOMMU_EINVAL;
	for (unsigned i = 0; i < n; i++) {
		group[i] = i;
		for (unsigned j = 0; j < i; j++)
			if (talk(&fns[i], &fns[j]) || same_id(&fns[i], &fns[j]))
				unite(group, i, j);
	}
	for (unsigned i = 0; i < n; i++)
		unite_with_ports(fns, n, i, group);
	for (unsigned i = 0; i < n; i++)
		group[i] = root_of(group, i);
	return 0;
}
