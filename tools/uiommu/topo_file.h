/* SPDX-License-Identifier: MIT */
/* topo_file.h - a topology from a file that the user names; -1 after a sentence */
#ifndef UIOMMU_TOOL_TOPO_FILE_H
#define UIOMMU_TOOL_TOPO_FILE_H

#include "topo/topo.h"

int topo_file_machine(const char *path, struct topo *t);
int topo_file_iort(const char *path, struct topo *t);

#endif
