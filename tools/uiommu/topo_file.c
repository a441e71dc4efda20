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

int topo_quiet_dtb(const void *dtb, size_t bytes, struct topo *t)
{
	char err[512];

	return topo_from_dtb(dtb, bytes, t, err, sizeof(err));
}

int topo_of_image(const struct image *img, struct topo *t)
{
	char err[512];

	if (!img->has_info || !img->dtb_bytes) {
		fputs("uiommu: this is memory alone: it does not say what hangs where.\n", stderr);
		return -1;
	}
	if (topo_from_dtb(img->dtb, img->dtb_bytes, t, err, sizeof(err))) {
		fprintf(stderr, "uiommu: %s\n", err);
		return -1;
	}
	topo_add_run(t, &img->info);
	return 0;
}
