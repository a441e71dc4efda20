/* SPDX-License-Identifier: MIT */
/*
 * image.h - the physical memory of a machine, and what is known beside it
 *
 * raw files (QEMU's pmemsave), ELF cores (`uiommu dump', QEMU's dump-guest-memory, a
 * kernel's vmcore), or a live `uiommu run'. They may be put together: what was added
 * first counts where two have the same address.
 *
 * core.c   reading and writing ELF cores
 * live.c   finding a run and asking it
 */
#ifndef UIOMMU_TOOL_IMAGE_H
#define UIOMMU_TOOL_IMAGE_H

#include <stdio.h>

#include "info.h"
#include "server/inspect.h"

struct image_piece {
	uint64_t base, bytes;
	const uint8_t *p;
};

struct image_map {
	void *p;
	size_t bytes;
};

struct image {
	struct image_piece *pieces;
	struct image_map *maps;		/* what the pieces lie in */
	unsigned num_pieces, num_maps;
	int live;			/* a run's socket, or -1 */
	bool has_info;
	struct info info;
	void *dtb;
	size_t dtb_bytes;		/* 0: none */
};

void image_init(struct image *img);
void image_fini(struct image *img);

/* All: 0, or -1 after one sentence on stderr. */
int image_add_raw(struct image *img, uint64_t base, const char *path);
int image_add_core(struct image *img, const char *path);
/* @pid: of a `uiommu run' or its program; 0: the only one there is */
int image_add_live(struct image *img, int pid);

/* an aligned 64-bit little-endian word; @ctx is a struct image. False: nothing there */
bool image_read(void *ctx, uint64_t pa, uint64_t *v);

/* does the file begin as an ELF file does */
bool image_is_core(const char *path);

/* ---- between the files ---- */

void image_add_piece(struct image *img, uint64_t base, uint64_t bytes, const uint8_t *p);
/* maps a file whole; NULL after a sentence, or without one if it is empty */
const uint8_t *image_map_file(struct image *img, const char *path, size_t *bytes);

/* core.c: what is in the memory of an ELF file; false: one sentence in @err */
bool core_parse(struct image *img, const uint8_t *p, size_t bytes, char *err, size_t err_bytes);

/* A core is written piece by piece, its head at the end. */
struct core_writer {
	FILE *f;
	struct image_piece *pieces;	/* p: not used; bytes in the file follow each other */
	uint64_t *at;			/* where in the file each begins */
	unsigned n;
};

/* the seekable @f; what fails is seen in ferror(@f) at the end */
void core_begin(struct core_writer *w, FILE *f);
/* Continues the piece before it where their addresses do. */
void core_write(struct core_writer *w, uint64_t base, const void *p, size_t bytes);
void core_end(struct core_writer *w, const char *info, size_t info_bytes, const void *dtb,
	      size_t dtb_bytes);

/* live.c */
int live_connect(int pid);		/* a socket, or -1 after a sentence */
/* The three files of a snapshot as text and memory, to be freed; -1 after a sentence. */
struct live_file {
	char *p;
	size_t bytes;
};
int live_files(int live, enum uiommu_inspect_op op, struct live_file *out, unsigned n);
/* at most UIOMMU_INSPECT_READ_MAX bytes; false: they cannot be read */
bool live_read(int live, uint64_t pa, void *buf, uint32_t bytes);

#endif
