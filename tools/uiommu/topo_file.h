/* SPDX-License-Identifier: MIT */
/* topo_file.h - a topology from a file that the user names; -1 after a sentence */
#ifndef UIOMMU_TOOL_TOPO_FILE_H
#define UIOMMU_TOOL_TOPO_FILE_H

#include "image/image.h"
#include "topo/topo.h"

int topo_file_machine(const char *path, struct topo *t);
int topo_file_iort(const char *path, struct topo *t);
/* a run, or a dump of one: its devicetree, and what was attached to whom */
int topo_of_image(const struct image *img, struct topo *t);
/* -1 without a sentence, for those who can do without */
int topo_quiet_dtb(const void *dtb, size_t bytes, struct topo *t);

#endif
