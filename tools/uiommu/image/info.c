/* SPDX-License-Identifier: MIT */
/* info.c - lines about a live run */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "info.h"
#include "server/inspect.h"

/* what is left of a line from @at on */
static char *rest(const char *line, int at)
{
	size_t n = strlen(line + at);
	char *s = tool_alloc(n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = (unsigned char)line[at + i] < ' ' ? '?' : line[at + i];
	return s;
}

#define ADD(array, n) \
	((array) = tool_grow(array, n, sizeof(*(array))), \
	 (void *)memset(&(array)[(n)++], 0, sizeof(*(array))))

static void add_smmu(struct info *in, const char *line)
{
	uint64_t base;
	unsigned i;
	int at = 0;

	if (sscanf(line, "%u %" SCNx64 " %n", &i, &base, &at) == 2 && at && i == in->num_smmus) {
		struct info_smmu *s = ADD(in->smmus, in->num_smmus);

		*s = (struct info_smmu){ base, rest(line, at) };
	}
}

static void add_reg(struct info *in, const char *line)
{
	uint64_t value;
	char name[32];
	unsigned i;

	if (sscanf(line, "%u %31s %" SCNx64, &i, name, &value) == 3 && i < in->num_smmus) {
		struct info_reg *r = ADD(in->regs, in->num_regs);

		*r = (struct info_reg){ i, rest(name, 0), value };
	}
}

static void add_device(struct info *in, const char *line)
{
	struct info_dev d = { 0 };
	unsigned i;
	int at = 0;

	if (sscanf(line, "%u %u %u %" SCNx32 " %" SCNx32 " %n", &i, &d.group, &d.smmu,
		   &d.rid, &d.sid, &at) == 5 && at && i == in->num_devs &&
	    d.smmu < in->num_smmus) {
		struct info_dev *p = ADD(in->devs, in->num_devs);

		d.name = rest(line, at);
		*p = d;
	}
}

static void add_domain(struct info *in, const char *line)
{
	struct info_domain d = { "", NULL };
	unsigned i;
	int at = 0;

	if (sscanf(line, "%u %15s%n", &i, d.type, &at) == 2 && at && i == in->num_domains) {
		struct info_domain *p = ADD(in->domains, in->num_domains);

		d.name = rest(line, at + (line[at] == ' '));
		*p = d;
	}
}

static void add_attach(struct info *in, const char *line)
{
	struct info_attach a;

	if (sscanf(line, "%u %d %d %u", &a.dev, &a.pasid, &a.domain, &a.tag) == 4 &&
	    a.dev < in->num_devs && a.domain < (int)in->num_domains)
		*(struct info_attach *)ADD(in->attaches, in->num_attaches) = a;
}

static void add_faults(struct info *in, const char *line)
{
	struct info_faults f = { 0 };
	int at = 0;

	if (sscanf(line, "%d %" SCNx32 " %d %d %" SCNu64 " %x %" SCNx64 " %n", &f.smmu,
		   &f.sid, &f.dev, &f.pasid, &f.count, &f.code,
		   &f.address, &at) == 7 && at && f.smmu < (int)in->num_smmus &&
	    f.dev < (int)in->num_devs) {
		struct info_faults *p = ADD(in->faults, in->num_faults);

		f.text = rest(line, at);
		*p = f;
	}
}

static void set_run(struct info *in, const char *line)
{
	sscanf(line, "%d %d", &in->server, &in->program);
}

static void set_lost(struct info *in, const char *line)
{
	sscanf(line, "%" SCNu64, &in->faults_lost);
}

static const struct {
	const char *word;
	void (*fn)(struct info *in, const char *line);
} lines[] = {
	{ "run ", set_run }, { "smmu ", add_smmu }, { "reg ", add_reg },
	{ "device ", add_device }, { "domain ", add_domain }, { "attach ", add_attach },
	{ "faults ", add_faults }, { "faults-lost ", set_lost },
};

static void read_line(struct info *in, const char *line)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strncmp(line, lines[i].word, strlen(lines[i].word)))
			lines[i].fn(in, line + strlen(lines[i].word));
}

bool info_parse(const char *text, size_t bytes, struct info *out)
{
	char *copy = tool_alloc(bytes + 1), *at = copy, *line;
	unsigned version = 0;
	bool good;

	memset(out, 0, sizeof(*out));
	memcpy(copy, text, bytes);
	line = strsep(&at, "\n");
	good = sscanf(line, "uiommu %u", &version) == 1 && version == UIOMMU_INSPECT_VERSION;
	while (good && (line = strsep(&at, "\n")))
		read_line(out, line);
	free(copy);
	return good;
}

void info_fini(struct info *in)
{
	for (unsigned i = 0; i < in->num_smmus; i++)
		free(in->smmus[i].name);
	for (unsigned i = 0; i < in->num_regs; i++)
		free(in->regs[i].name);
	for (unsigned i = 0; i < in->num_devs; i++)
		free(in->devs[i].name);
	for (unsigned i = 0; i < in->num_domains; i++)
		free(in->domains[i].name);
	for (unsigned i = 0; i < in->num_faults; i++)
		free(in->faults[i].text);
	free(in->smmus);
	free(in->regs);
	free(in->devs);
	free(in->domains);
	free(in->attaches);
	free(in->faults);
	memset(in, 0, sizeof(*in));
}

const struct info_dev *info_device(const struct info *in, const char *name)
{
	for (unsigned i = 0; i < in->num_devs; i++) {
		const char *full = in->devs[i].name, *colon = strchr(full, ':');

		if (!strcmp(full, name) || (colon && !strcmp(colon + 1, name)))
			return &in->devs[i];
	}
	return NULL;
}
