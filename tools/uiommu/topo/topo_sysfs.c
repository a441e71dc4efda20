/* SPDX-License-Identifier: MIT */
/*
 * topo_sysfs.c - what a running Linux shows: IOMMU groups, and who is behind which
 * IOMMU. StreamIDs are not in sysfs.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo.h"

/* the IOMMU of a device: the last part of its link "iommu"; -1: none */
static int smmu_of(struct topo *t, const char *device)
{
	char link[PATH_MAX + 320], to[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "%s/iommu", device);
	n = readlink(link, to, sizeof(to) - 1);
	if (n <= 0)
		return -1;
	to[n] = '\0';
	name = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	for (unsigned i = 0; i < t->num_smmus; i++)
		if (!strcmp(t->smmus[i].name, name))
			return (int)i;
	topo_add_smmu(t)->name = topo_str("%s", name);
	return (int)t->num_smmus - 1;
}

static unsigned root_of(struct topo *t, int smmu, const char *device, uint32_t *id)
{
	unsigned seg, bus, dev, fn;
	bool pci = sscanf(device, "%x:%x:%x.%x", &seg, &bus, &dev, &fn) == 4;
	struct topo_root *r;

	*id = pci ? (bus & 0xff) << 8 | (dev & 0x1f) << 3 | (fn & 7) : 0;
	for (unsigned i = 0; pci && i < t->num_roots; i++)
		if (t->roots[i].pci && t->roots[i].segment == seg &&
		    (int)t->roots[i].mask == smmu)
			return i;
	r = topo_add_root(t);
	r->pci = pci;
	r->segment = pci ? seg : 0;
	r->mask = (uint32_t)smmu;	/* until all are read */
	r->name = pci ? topo_str("PCI segment %04x", seg) : topo_str("%s", device);
	return t->num_roots - 1;
}

static void group(struct topo *t, const char *dir, int number)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%d/devices", dir, number);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		char device[PATH_MAX + 300];
		struct topo_dev *dev;
		uint32_t id;
		unsigned root;

		if (e->d_name[0] == '.')
			continue;
		snprintf(device, sizeof(device), "%s/%s", path, e->d_name);
		root = root_of(t, smmu_of(t, device), e->d_name, &id);
		dev = topo_add_dev(t);
		*dev = (struct topo_dev){ .root = root, .id = id, .group = number,
					  .name = topo_str("%s", e->d_name) };
	}
	if (d)
		closedir(d);
}

static int by_group(const void *a, const void *b)
{
	const struct topo_dev *x = a, *y = b;

	return x->group != y->group ? (x->group < y->group ? -1 : 1) : strcmp(x->name, y->name);
}

int topo_from_sysfs(const char *dir, struct topo *t, char *err, size_t err_bytes)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d) {
		snprintf(err, err_bytes, "%s: %s.", dir, strerror(errno));
		return -1;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			group(t, dir, atoi(e->d_name));
	closedir(d);
	for (unsigned i = 0; i < t->num_roots; i++) {
		struct topo_root *r = &t->roots[i];

		if ((int)r->mask >= 0) {
			struct topo_map *m = topo_add_map(t);

			*m = (struct topo_map){ .root = i, .smmu = r->mask };
		}
		r->mask = 0xffff;
		r->rid_last = r->pci ? 0xffff : 0;
	}
	if (t->num_devs)
		qsort(t->devs, t->num_devs, sizeof(*t->devs), by_group);
	return 0;
}
