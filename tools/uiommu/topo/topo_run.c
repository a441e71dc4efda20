/* SPDX-License-Identifier: MIT */
/* topo_run.c - what a live run adds to its devicetree: groups, attaches, faults */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "topo.h"

static unsigned segment_of(const char *bdf)
{
	unsigned segment = 0;

	return sscanf(bdf, "%x:%*x:%*x.%*x", &segment) == 1 ? segment : 0;
}

/* The PCI host that it must be below; else one made for it. */
static unsigned root_of(struct topo *t, const struct info_dev *d)
{
	unsigned segment = segment_of(d->name);
	struct topo_root *r;

	for (unsigned i = 0; i < t->num_roots; i++)
		if (t->roots[i].pci && t->roots[i].segment == segment &&
		    d->rid >= t->roots[i].rid_first && d->rid <= t->roots[i].rid_last)
			return i;
	r = topo_add_root(t);
	*r = (struct topo_root){ .pci = true, .segment = segment, .mask = 0xffff,
				 .rid_last = 0xffff,
				 .name = topo_str("PCI segment %04x", segment) };
	return t->num_roots - 1;
}

static unsigned dev_of(struct topo *t, const struct info_dev *d)
{
	unsigned root = root_of(t, d);
	struct topo_dev *dev;

	for (unsigned i = 0; i < t->num_devs; i++)
		if (t->devs[i].root == root && t->devs[i].id == d->rid)
			return i;
	dev = topo_add_dev(t);
	*dev = (struct topo_dev){ .root = root, .id = d->rid, .name = topo_str("%s", d->name) };
	return t->num_devs - 1;
}

static struct topo_attach *attach_of(struct topo *t, unsigned dev, int pasid)
{
	struct topo_attach *a;

	for (unsigned i = 0; i < t->num_attaches; i++)
		if (t->attaches[i].dev == dev && t->attaches[i].pasid == pasid)
			return &t->attaches[i];
	a = topo_add_attach(t);
	*a = (struct topo_attach){ .dev = dev, .pasid = pasid, .domain = -1 };
	return a;
}

static const char *smmu_name(const struct info *in, int smmu)
{
	return smmu >= 0 ? in->smmus[smmu].name : "an SMMU";
}

static void add_faults(struct topo *t, const struct info *in, const unsigned *devs)
{
	for (unsigned i = 0; i < in->num_faults; i++) {
		const struct info_faults *f = &in->faults[i];
		struct topo_attach *a;

		topo_find(t, TOPO_NOTE, "faults", "StreamID 0x%x of %s: %" PRIu64 " fault%s, the "
			  "last: %s", f->sid, smmu_name(in, f->smmu), f->count,
			  f->count == 1 ? "" : "s", f->text);
		if (f->dev < 0)
			continue;
		a = attach_of(t, devs[f->dev], f->pasid);
		a->faults = f->count;
		free(a->last);
		a->last = topo_str("%s", f->text);
	}
	if (in->faults_lost)
		topo_find(t, TOPO_NOTE, "faults", "%" PRIu64 " more faults, of streams that are "
			  "not counted one by one", in->faults_lost);
}

void topo_add_run(struct topo *t, const struct info *in)
{
	unsigned *devs = tool_alloc((in->num_devs + 1) * sizeof(*devs));

	for (unsigned i = 0; i < in->num_domains; i++) {
		const struct info_domain *d = &in->domains[i];

		topo_add_domain(t)->name = *d->name && strcasecmp(d->name, d->type) ?
			topo_str("%s (%s)", d->name, d->type) : topo_str("%s", d->type);
	}
	for (unsigned i = 0; i < in->num_devs; i++) {
		devs[i] = dev_of(t, &in->devs[i]);
		t->devs[devs[i]].group = (int)in->devs[i].group;
	}
	for (unsigned i = 0; i < in->num_attaches; i++) {
		struct topo_attach *a = attach_of(t, devs[in->attaches[i].dev],
						  in->attaches[i].pasid);

		a->domain = in->attaches[i].domain;
		a->tag = in->attaches[i].tag;
	}
	add_faults(t, in, devs);
	free(devs);
}
