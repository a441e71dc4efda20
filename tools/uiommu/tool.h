/* SPDX-License-Identifier: MIT */
/* tool.h - what the commands of this tool share */
#ifndef UIOMMU_TOOL_H
#define UIOMMU_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXIT_NOTHING	1	/* nothing was found, or the answer is no */
#define EXIT_USAGE	2	/* the command line makes no sense */
#define EXIT_TROUBLE	125	/* we failed, not the program */

int cmd_run(int argc, char **argv);
int cmd_decode(int argc, char **argv);
int cmd_walk(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_dump(int argc, char **argv);

/*
 * Reads a machine file: a devicetree blob, or source, which goes through dtc.
 * Return: 0 with *@dtb to be freed, or -1 with one sentence in @err.
 */
int machine_file(const char *path, void **dtb, size_t *bytes, char *err, size_t err_bytes);

/* Everything there is to read from @fd, at most @most bytes (EFBIG), to be freed; NULL with
 * errno set. */
char *tool_read_all(int fd, size_t most, size_t *bytes);

/* All of a file, to be freed; NULL or "-" is standard input. NULL after a sentence. */
char *tool_slurp(const char *path, size_t *bytes);

/* a whole number as C writes them, up to @max; false: it is none */
bool tool_number(const char *arg, uint64_t max, uint64_t *v);

/* colours are for people at a terminal who did not set NO_COLOR */
bool tool_colour(FILE *out);
/* @j on standard output; takes the reference. Return: 0, or EXIT_TROUBLE after a sentence */
int tool_print_json(json_t *j);
int tool_flush(void);

#endif
