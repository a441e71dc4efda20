/* SPDX-License-Identifier: MIT */
/* image.c - memory from several places */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../decode/report.h"
#include "image.h"

void image_init(struct image *img)
{
	memset(img, 0, sizeof(*img));
	img->live = -1;
}

void image_fini(struct image *img)
{
	for (unsigned i = 0; i < img->num_maps; i++)
		munmap(img->maps[i].p, img->maps[i].bytes);
	if (img->live >= 0)
		close(img->live);
	info_fini(&img->info);
	free(img->pieces);
	free(img->maps);
	free(img->dtb);
	image_init(img);
}

void image_add_piece(struct image *img, uint64_t base, uint64_t bytes, const uint8_t *p)
{
	img->pieces = tool_grow(img->pieces, img->num_pieces, sizeof(*img->pieces));
	img->pieces[img->num_pieces++] = (struct image_piece){ base, bytes, p };
}

static void *map(int fd, size_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return MAP_FAILED;
	*bytes = (size_t)st.st_size;
	return *bytes ? mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
}

const uint8_t *image_map_file(struct image *img, const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : map(fd, bytes);

	if (p == MAP_FAILED)
		fprintf(stderr, "uiommu: %s: %s.\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED || !p) {
		*bytes = p ? 1 : 0;
		return NULL;
	}
	img->maps = tool_grow(img->maps, img->num_maps, sizeof(*img->maps));
	img->maps[img->num_maps++] = (struct image_map){ p, *bytes };
	return p;
}

int image_add_raw(struct image *img, uint64_t base, const char *path)
{
	size_t bytes;
	const uint8_t *p = image_map_file(img, path, &bytes);

	if (!p && bytes)
		return -1;
	if (p)
		image_add_piece(img, base, bytes, p);
	return 0;
}

int image_add_core(struct image *img, const char *path)
{
	size_t bytes;
	const uint8_t *p = image_map_file(img, path, &bytes);
	char err[200];

	if (!p && bytes)
		return -1;
	if (core_parse(img, p, bytes, err, sizeof(err)))
		return 0;
	fprintf(stderr, "uiommu: %s: %s.\n", path, err);
	return -1;
}

bool image_is_core(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "rb");
	bool is = f && fread(magic, 1, 4, f) == 4 && !memcmp(magic, "\177ELF", 4);

	if (f)
		fclose(f);
	return is;
}

int image_add_live(struct image *img, int pid)
{
	struct live_file info, dtb;

	img->live = live_connect(pid);
	if (img->live < 0 || live_files(img->live, UIOMMU_INSPECT_INFO, &info, 1))
		return -1;
	img->has_info = info_parse(info.p, info.bytes, &img->info);
	free(info.p);
	if (!img->has_info) {
		fputs("uiommu: the run is of another version of uiommu.\n", stderr);
		return -1;
	}
	if (live_files(img->live, UIOMMU_INSPECT_DTB, &dtb, 1))
		return -1;
	img->dtb = dtb.p;
	img->dtb_bytes = dtb.bytes;
	return 0;
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned k = 8; k-- > 0;)
		v = v << 8 | p[k];
	return v;
}

bool image_read(void *ctx, uint64_t pa, uint64_t *v)
{
	const struct image *img = ctx;
	uint8_t buf[8];

	for (unsigned i = 0; i < img->num_pieces; i++) {
		const struct image_piece *m = &img->pieces[i];

		if (pa < m->base || pa - m->base >= m->bytes || m->bytes - (pa - m->base) < 8)
			continue;
		*v = word(m->p + (pa - m->base));
		return true;
	}
	if (img->live < 0 || !live_read(img->live, pa, buf, sizeof(buf)))
		return false;
	*v = word(buf);
	return true;
}
