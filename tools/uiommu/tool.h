/* SPDX-License-Identifier: MIT */
/* tool.h - what the commands of this tool share */
#ifndef UIOMMU_TOOL_H
#define UIOMMU_TOOL_H

#include <stddef.h>

#define EXIT_USAGE	2	/* the command line makes no sense */
#define EXIT_TROUBLE	125	/* we failed, not the program */

int cmd_run(int argc, char **argv);

/*
 * Reads a machine file: a devicetree blob, or source, which goes through dtc.
 * Return: 0 with *@dtb to be freed, or -1 with one sentence in @err.
 */
int machine_file(const char *path, void **dtb, size_t *bytes, char *err, size_t err_bytes);

#endif
