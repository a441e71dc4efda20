/* SPDX-License-Identifier: MIT */
/*
 * The shadow directory: what the program sees of /dev and /sys where our devices
 * are (server/proto.h says which paths). Laid out as sysfs is, with relative
 * links; the real system's entries appear beside ours.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/inspect.h"
#include "server/internal.h"
#include "server/tree.h"

/* ---- the directory itself ---- */

#define STALE_SECONDS	60

/* Whoever made it holds a lock on its "lock" for as long as it lives. */
static bool abandoned(int dir)
{
	int fd = openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool yes;

	if (fd < 0)	/* made a moment ago, or its maker died in that moment */
		return !fstat(dir, &st) && st.st_mtime + STALE_SECONDS < time(NULL);
	yes = !flock(fd, LOCK_EX | LOCK_NB);
	close(fd);
	return yes;
}

static void sweep_one(int base, const char *name)
{
	int dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0)
		return;
	if (fstat(dir, &st) || st.st_uid != geteuid() || !abandoned(dir)) {
		close(dir);
		return;
	}
	tree_empty(dir);
	unlinkat(base, name, AT_REMOVEDIR);
}

/* What a server that was killed left behind. */
static void sweep(const char *base, const char *prefix)
{
	DIR *d = opendir(base);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			sweep_one(dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

static char *root_in(const char *where)
{
	char *base = where && *where == '/' ? realpath(where, NULL) : NULL, *root = NULL;
	char prefix[32];

	if (!base)
		return NULL;
	snprintf(prefix, sizeof(prefix), "uiommu-%u-", (unsigned)geteuid());
	sweep(base, prefix);
	if (asprintf(&root, "%s/%sXXXXXX", base, prefix) < 0)
		root = NULL;
	free(base);
	if (root && !mkdtemp(root)) {
		free(root);
		root = NULL;
	}
	return root;
}

/* In memory, unless the user has another place for such things: on a disk that
 * is busy the same tree takes a hundred times as long. */
static char *temporary_root(void)
{
	const char *places[] = { getenv("TMPDIR"), "/dev/shm", "/tmp" };
	char *root = NULL;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]) && !root; i++)
		root = root_in(places[i]);
	return root;
}

/*
 * Another server that is sweeping takes a "lock" that nobody holds for a dead
 * one's: ours has that name only when we hold it. A directory that was given is
 * not swept, but another server may be in it.
 */
static int lock_take(struct uiommu_server *s)
{
	const char *name = s->root_temporary ? "lock.new" : "lock";

	s->lock_fd = openat(s->root_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return -errno;
	if (s->root_temporary && renameat(s->root_fd, name, s->root_fd, "lock"))
		return -errno;
	return 0;
}

int root_make(struct uiommu_server *s, const char *dir)
{
	s->root_temporary = !dir;
	s->root = dir ? realpath(dir, NULL) : temporary_root();
	if (!s->root)
		return -errno;
	s->root_fd = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0)
		return -errno;
	return lock_take(s);
}

void root_remove(struct uiommu_server *s)
{
	if (s->root_temporary && s->root_fd >= 0) {
		tree_empty(s->root_fd);
		rmdir(s->root);
	} else if (s->root_fd >= 0) {
		unlinkat(s->root_fd, "socket", 0);
		unlinkat(s->root_fd, UIOMMU_INSPECT_SOCKET, 0);
		close(s->root_fd);
	}
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->root);
	s->root = NULL;
	s->root_fd = s->lock_fd = -1;
}

/* ---- one device ---- */

static void pci_parent(const struct shadow_device *d, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "pci%.7s", d->name);	/* "pci0000:01" */
}

static void put_resource(struct tree *t, const struct shadow_device *d)
{
	char text[1024] = "";
	size_t n = 0;

	for (unsigned i = 0; i < 13; i++) {
		uint64_t start = 0, end = 0, flags = 0;

		if (i < 6 && d->bar[i].bytes) {
			start = d->bar[i].start;
			end = start + d->bar[i].bytes - 1;
			flags = d->bar[i].flags;
		}
		n += snprintf(text + n, sizeof(text) - n, "0x%016llx 0x%016llx 0x%016llx\n",
			      (unsigned long long)start, (unsigned long long)end,
			      (unsigned long long)flags);
	}
	tree_bytes(t, "resource", 0444, text, n);
}

static void put_ids(struct tree *t, const struct shadow_device *d)
{
	char modalias[96];

	snprintf(modalias, sizeof(modalias), "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
		 d->vendor, d->device, d->sub_vendor, d->sub_device, d->class_code >> 16 & 0xff,
		 d->class_code >> 8 & 0xff, d->class_code & 0xff);
	tree_file(t, "vendor", "0x%04x\n", d->vendor);
	tree_file(t, "device", "0x%04x\n", d->device);
	tree_file(t, "subsystem_vendor", "0x%04x\n", d->sub_vendor);
	tree_file(t, "subsystem_device", "0x%04x\n", d->sub_device);
	tree_file(t, "class", "0x%06x\n", d->class_code);
	tree_file(t, "revision", "0x%02x\n", d->revision);
	tree_file(t, "modalias", "%s\n", modalias);
	tree_file(t, "uevent", "DRIVER=vfio-pci\nPCI_CLASS=%X\nPCI_ID=%04X:%04X\n"
		  "PCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=%s\n", d->class_code,
		  d->vendor, d->device, d->sub_vendor, d->sub_device, d->name, modalias);
}

static void put_state(struct tree *t)
{
	static const struct {
		const char *name, *text;
	} fixed[] = {
		{ "driver_override", "vfio-pci\n" }, { "enable", "0\n" }, { "irq", "0\n" },
		{ "numa_node", "-1\n" }, { "power_state", "D0\n" }, { "reset_method", "flr\n" },
		{ "reset", "" }, { "msi_bus", "1\n" },
	};

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		tree_file(t, fixed[i].name, "%s", fixed[i].text);
}

static void put_device(struct tree *t, const struct shadow_device *d, unsigned i)
{
	char parent[16];

	pci_parent(d, parent, sizeof(parent));
	tree_at(t, "sys/devices/%s/%s", parent, d->name);
	put_ids(t, d);
	put_state(t);
	put_resource(t, d);
	tree_bytes(t, "config", 0644, d->config, sizeof(d->config));
	tree_link(t, "driver", "../../../bus/pci/drivers/vfio-pci");
	tree_link(t, "subsystem", "../../../bus/pci");
	tree_link(t, "iommu_group", "../../../kernel/iommu_groups/%u", d->group);
	tree_link(t, "iommu", "../../virtual/iommu/smmu3.%u", d->iommu);
	tree_at(t, "sys/devices/%s/%s/vfio-dev/vfio%u", parent, d->name, i);
	tree_file(t, "dev", "%u:%u\n", UIOMMU_DEV_VFIO_MAJOR, i);
	tree_file(t, "uevent", "MAJOR=%u\nMINOR=%u\nDEVNAME=vfio/devices/vfio%u\n",
		  UIOMMU_DEV_VFIO_MAJOR, i, i);
	tree_link(t, "device", "../../../%s", d->name);
	tree_link(t, "subsystem", "../../../../../class/vfio-dev");
}

static const char *resv_name(enum uiommu_resv_type type)
{
	switch (type) {
	case UIOMMU_RESV_DIRECT:
		return "direct";
	case UIOMMU_RESV_DIRECT_RELAXABLE:
		return "direct-relaxable";
	case UIOMMU_RESV_MSI:
		return "msi";
	default:
		return "reserved";
	}
}

static int by_start(const void *a, const void *b)
{
	const struct uiommu_dev_resv *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void put_reserved(struct tree *t, const struct shadow_device *d)
{
	struct uiommu_dev_resv r[SHADOW_MAX_RESV];
	char text[sizeof(r) / sizeof(r[0]) * 64];
	size_t n = 0;

	memcpy(r, d->resv, sizeof(r));
	qsort(r, d->num_resv, sizeof(r[0]), by_start);
	for (unsigned i = 0; i < d->num_resv; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "0x%016llx 0x%016llx %s\n",
				      (unsigned long long)r[i].start,
				      (unsigned long long)r[i].last, resv_name(r[i].type));
	tree_bytes(t, "reserved_regions", 0644, text, n);
}

/* The places that list it. */
static void put_links(struct tree *t, const struct shadow_device *d, unsigned i)
{
	char parent[16], path[128];

	pci_parent(d, parent, sizeof(parent));
	tree_at(t, "sys/bus/pci/devices");
	tree_link(t, d->name, "../../../devices/%s/%s", parent, d->name);
	tree_at(t, "sys/bus/pci/drivers/vfio-pci");
	tree_link(t, d->name, "../../../../devices/%s/%s", parent, d->name);
	tree_at(t, "sys/kernel/iommu_groups/%u/devices", d->group);
	tree_link(t, d->name, "../../../../devices/%s/%s", parent, d->name);
	tree_at(t, "sys/kernel/iommu_groups/%u", d->group);
	tree_file(t, "type", "blocked\n");
	put_reserved(t, d);
	tree_at(t, "sys/class/vfio-dev");
	snprintf(path, sizeof(path), "vfio%u", i);
	tree_link(t, path, "../../devices/%s/%s/vfio-dev/vfio%u", parent, d->name, i);
	tree_at(t, "sys/devices/virtual/iommu/smmu3.%u/devices", d->iommu);
	tree_link(t, d->name, "../../../../%s/%s", parent, d->name);
	tree_at(t, "sys/class/iommu");
	snprintf(path, sizeof(path), "smmu3.%u", d->iommu);
	tree_link(t, path, "../../devices/virtual/iommu/smmu3.%u", d->iommu);
	tree_at(t, "dev/vfio/devices");
	snprintf(path, sizeof(path), "vfio%u", i);
	snprintf(parent, sizeof(parent), "%u:%u\n", UIOMMU_DEV_VFIO_MAJOR, i);
	tree_bytes(t, path, UIOMMU_DEV_MODE, parent, strlen(parent));
}

/* ---- what is there without devices ---- */

static void put_fixed(struct tree *t)
{
	char dev[16];
	int n = snprintf(dev, sizeof(dev), "%u:%u\n", UIOMMU_DEV_IOMMU_MAJOR,
			 UIOMMU_DEV_IOMMU_MINOR);

	tree_at(t, "dev");
	tree_bytes(t, "iommu", UIOMMU_DEV_MODE, dev, n);
	tree_dir(t, "vfio/devices");
	tree_at(t, "sys/devices/virtual/misc/iommu");
	tree_file(t, "dev", "%s", dev);
	tree_file(t, "uevent", "MAJOR=%u\nMINOR=%u\nDEVNAME=iommu\n", UIOMMU_DEV_IOMMU_MAJOR,
		  UIOMMU_DEV_IOMMU_MINOR);
	tree_link(t, "subsystem", "../../../../class/misc");
	tree_at(t, "sys/class/misc");
	tree_link(t, "iommu", "../../devices/virtual/misc/iommu");
	tree_at(t, "sys/bus/pci/drivers/vfio-pci");
	for (unsigned i = 0; i < 4; i++)
		tree_bytes(t, ((const char *[]){ "bind", "unbind", "new_id", "remove_id" })[i],
			   0200, "", 0);
}

/* After ours: a name that is there already is not replaced. */
static void put_real(struct tree *t, const struct backend *be)
{
	static const char *const dirs[] = { UIOMMU_SHADOW_DIRS };
	char parent[16], path[64], real[64];

	tree_at(t, "%s", "");
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		tree_merge(t, dirs[i] + 1, dirs[i]);
	tree_merge(t, "dev/vfio/devices", "/dev/vfio/devices");
	tree_merge(t, "sys/bus/pci/drivers/vfio-pci", "/sys/bus/pci/drivers/vfio-pci");
	for (unsigned i = 0; i < be->ndevices; i++) {
		struct shadow_device d = { 0 };

		be->device(be->ctx, i, &d);
		pci_parent(&d, parent, sizeof(parent));
		snprintf(path, sizeof(path), "sys/devices/%s", parent);
		snprintf(real, sizeof(real), "/sys/devices/%s", parent);
		tree_merge(t, path, real);
	}
}

int shadow_build(struct uiommu_server *s)
{
	struct tree t = { .fd = s->root_fd };

	put_fixed(&t);
	for (unsigned i = 0; i < s->backend.ndevices; i++) {
		struct shadow_device d = { 0 };

		s->backend.device(s->backend.ctx, i, &d);
		put_device(&t, &d, i);
		put_links(&t, &d, i);
	}
	put_real(&t, &s->backend);
	return -t.err;
}
