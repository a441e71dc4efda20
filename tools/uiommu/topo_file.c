/* SPDX-License-Identifier: MIT */
/* topo_file.c - a topology from a file that the user names */
#include <stdlib.h>

#include "topo_file.h"
#include "tool.h"

int topo_file_machine(const char *path, struct topo *t)
{
	char err[512];
	size_t bytes = 0;
	void *dtb = NULL;
	int ret = machine_file(path, &dtb, &bytes, err, sizeof(err));

	if (!ret)
		ret = topo_from_dtb(dtb, bytes, t, err, sizeof(err));
	free(dtb);
	if (ret)
		fprintf(stderr, "uiommu: %s\n", err);
	return ret;
}

int topo_file_iort(const char *path, struct topo *t)
{
	char err[512];
	size_t bytes = 0;
	char *table = tool_slurp(path, &bytes);
	int ret = -1;

	if (table && (ret = topo_from_iort(table, bytes, t, err, sizeof(err))))
		fprintf(stderr, "uiommu: %s: %s\n", path, err);
	free(table);
	return ret;
}
