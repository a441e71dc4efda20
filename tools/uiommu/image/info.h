/* SPDX-License-Identifier: MIT */
/* info.h - the text of server/inspect.h, read; whoever wrote it is not trusted */
#ifndef UIOMMU_TOOL_INFO_H
#define UIOMMU_TOOL_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct info_smmu {
	uint64_t base;
	char *name;
};

struct info_reg {
	unsigned smmu;
	char *name;
	uint64_t value;
};

struct info_dev {
	unsigned group, smmu;
	uint32_t rid, sid;
	char *name;
};

struct info_domain {
	char type[16];
	char *name;
};

struct info_attach {
	unsigned dev, tag;
	int pasid;			/* -1: the RID */
	int domain;			/* -1: it was not told which */
};

struct info_faults {
	int smmu, dev, pasid;		/* -1: unknown, none, none */
	uint32_t sid;
	unsigned code;
	uint64_t count, address;
	char *text;			/* the last of them */
};

struct info {
	int server, program;		/* process numbers; 0: not told */
	uint64_t faults_lost;
	struct info_smmu *smmus;
	struct info_reg *regs;
	struct info_dev *devs;
	struct info_domain *domains;
	struct info_attach *attaches;
	struct info_faults *faults;
	unsigned num_smmus, num_regs, num_devs, num_domains, num_attaches, num_faults;
};

/* Lines that make no sense are left out. Return: false: this is no such text, or of
 * another version. */
bool info_parse(const char *text, size_t bytes, struct info *out);
void info_fini(struct info *in);

/* the device of that name ("0000:01:00.0", or without the segment), or NULL */
const struct info_dev *info_device(const struct info *in, const char *name);

#endif
