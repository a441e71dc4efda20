/* SPDX-License-Identifier: MIT */
/*
 * topo.h - who sits behind which SMMU under which StreamID, as firmware tells it
 *
 * Read from any devicetree (not only those that `uiommu run` can build), an ACPI IORT
 * table, a running Linux, or a live run of ours. Reading never stops at the first
 * mistake: what is wrong becomes a finding, and the rest is read.
 *
 * Memory: all of it belongs to the topology.
 */
#ifndef UIOMMU_TOOL_TOPO_H
#define UIOMMU_TOOL_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../image/info.h"

struct topo_smmu {
	char *name;			/* "/soc/iommu@2b400000", "SMMUv3 0x2b400000" */
	uint64_t base;
	uint32_t key;			/* phandle, or offset of the IORT node */
	unsigned sidsize;		/* bits of a StreamID; 0: not known */
	bool disabled;
};

/* A PCI host, or one device that is no PCI function. */
struct topo_root {
	char *name;
	bool pci;
	bool ids;			/* not @pci: its IDs are its own, not counted here */
	bool region;			/* no device: says which streams use reserved memory */
	unsigned segment;		/* @pci */
	uint32_t mask;			/* what of an ID is looked up */
	uint32_t rid_first, rid_last;	/* of its buses, or its IDs; 0: one without IDs */
};

/* IDs [id, id + count) of a root become StreamIDs [sid, sid + count). */
struct topo_map {
	unsigned root, smmu;
	uint32_t id, sid;
	uint64_t count;
	bool single;			/* IORT: all of them become @sid */
};

/* A device known by name: a node below a PCI host, an entry of sysfs. */
struct topo_dev {
	unsigned root;
	uint32_t id;
	char *name;
	int group;			/* of sysfs or a live run, or -1 */
};

/* Of a live run: what a device, or one of its PASIDs, is attached to. */
struct topo_domain {
	char *name;			/* "vm1 (PAGING)" */
};

struct topo_attach {
	unsigned dev;
	int pasid;			/* -1: the RID */
	int domain;			/* -1: none, or unknown */
	unsigned tag;			/* ASID; 0: none */
	uint64_t faults;
	char *last;			/* fault, in words; NULL: none */
};

/* Memory that firmware's devices use and that must stay mapped one to one. */
struct topo_region {
	uint64_t base, bytes;
	char *name;
};

enum topo_severity { TOPO_NOTE, TOPO_WARNING, TOPO_ERROR };

struct topo_finding {
	enum topo_severity severity;
	const char *rule;		/* a word for JSON: "shared-streamid"... */
	char *text;
};

struct topo {
	struct topo_smmu *smmus;
	struct topo_root *roots;
	struct topo_map *maps;
	struct topo_dev *devs;
	struct topo_region *regions;
	struct topo_domain *domains;
	struct topo_attach *attaches;
	struct topo_finding *findings;
	unsigned num_smmus, num_roots, num_maps, num_devs, num_regions, num_findings;
	unsigned num_domains, num_attaches;
};

void topo_fini(struct topo *t);

/* Return: 0, or -1 with one sentence in @err where nothing could be read. */
int topo_from_dtb(const void *dtb, size_t bytes, struct topo *t, char *err, size_t err_bytes);
int topo_from_iort(const void *table, size_t bytes, struct topo *t, char *err, size_t err_bytes);
int topo_from_sysfs(const char *dir, struct topo *t, char *err, size_t err_bytes);

/* Puts groups, attaches and faults of a run beside what its devicetree says. */
void topo_add_run(struct topo *t, const struct info *in);

/* Looks for what bites; @sidsize: for SMMUs that do not say theirs, or 0. */
void topo_check(struct topo *t, unsigned sidsize);

/* The entry that an ID of a root goes through, or NULL; *@sid what comes out. */
const struct topo_map *topo_lookup(const struct topo *t, unsigned root, uint32_t id,
				   uint32_t *sid);

/* "0001:06:00.0 behind /iommu@0", or several; @buf is left alone when nobody has @sid.
 * @ctx is a struct topo. */
void topo_name_sid(void *ctx, uint32_t sid, char *buf, size_t bytes);
/* "0001:06:00.0", or the device's name */
void topo_name_id(const struct topo *t, unsigned root, uint32_t id, char *buf, size_t bytes);

/* for the readers */
struct topo_smmu *topo_add_smmu(struct topo *t);
struct topo_root *topo_add_root(struct topo *t);
struct topo_map *topo_add_map(struct topo *t);
struct topo_dev *topo_add_dev(struct topo *t);
struct topo_region *topo_add_region(struct topo *t);
struct topo_domain *topo_add_domain(struct topo *t);
struct topo_attach *topo_add_attach(struct topo *t);
void topo_find(struct topo *t, enum topo_severity severity, const char *rule, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
char *topo_str(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
