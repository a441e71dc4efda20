/* SPDX-License-Identifier: MIT */
/* dump.c - uiommu dump: the memory and the registers of a live run, in a file */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decode/report.h"
#include "image/image.h"
#include "tool.h"

struct dump {
	const char *path;
	int pid;
	bool tables;
	uint64_t table_bytes, page_bytes, lost;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write to FILE; otherwise to uiommu-PID.dump", 0 },
	{ "tables", 't', NULL, 0, "Only what the SMMUs read to translate, not the pages of the "
	  "program that devices can reach", 0 },
	{ 0 },
};

static const char doc[] =
	"Writes what `uiommu walk' and `uiommu show' need of a live `uiommu run' into a file: an "
	"ELF core with physical addresses. PID is the number of `uiommu run' or of its program; it "
	"may be left out where there is only one. The program goes on.\v"
	"Exits with 0, 2 for a wrong command line, 125 when it could not work. uiommu-dump(1) says "
	"more.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct dump *d = state->input;
	uint64_t pid = 0;

	switch (key) {
	case 'o':
		d->path = arg;
		return 0;
	case 't':
		d->tables = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num || !tool_number(arg, INT_MAX, &pid) || !pid)
			argp_error(state, "one PID, not `%s'", arg);
		d->pid = (int)pid;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what there is ---- */

/* Pieces, each followed by its bytes. */
static void put_tables(struct dump *d, struct core_writer *w, const struct live_file *f)
{
	struct uiommu_inspect_piece piece;
	size_t at = 0;

	while (f->bytes - at >= sizeof(piece)) {
		memcpy(&piece, f->p + at, sizeof(piece));
		at += sizeof(piece);
		if (piece.bytes > f->bytes - at)
			return;
		core_write(w, piece.pa, f->p + at, piece.bytes);
		at += piece.bytes;
		d->table_bytes += piece.bytes;
	}
}

/* What has gone meanwhile is left out. */
static void put_page(struct dump *d, struct core_writer *w, int live, uint64_t pa)
{
	char buf[4096];

	if (!live_read(live, pa, buf, sizeof(buf))) {
		d->lost += sizeof(buf);
		return;
	}
	core_write(w, pa, buf, sizeof(buf));
	d->page_bytes += sizeof(buf);
}

static void put_pages(struct dump *d, struct core_writer *w, int live,
		      const struct uiommu_inspect_piece *piece)
{
	char *buf = tool_alloc(UIOMMU_INSPECT_READ_MAX);

	for (uint64_t at = 0, n; at < piece->bytes && !ferror(w->f); at += n) {
		n = piece->bytes - at < UIOMMU_INSPECT_READ_MAX ? piece->bytes - at
								: UIOMMU_INSPECT_READ_MAX;
		if (live_read(live, piece->pa + at, buf, (uint32_t)n)) {
			core_write(w, piece->pa + at, buf, n);
			d->page_bytes += n;
			continue;
		}
		for (uint64_t k = 0; k < n; k += 4096)
			put_page(d, w, live, piece->pa + at + k);
	}
	free(buf);
}

static int by_address(const void *a, const void *b)
{
	const struct uiommu_inspect_piece *x = a, *y = b;

	return x->pa < y->pa ? -1 : x->pa > y->pa;
}

static void put_frames(struct dump *d, struct core_writer *w, int live, struct live_file *f)
{
	struct uiommu_inspect_piece *piece = (void *)f->p;
	size_t n = f->bytes / sizeof(*piece);

	qsort(piece, n, sizeof(*piece), by_address);
	for (size_t i = 0; i < n; i++)
		put_pages(d, w, live, &piece[i]);
}

/* ---- the file ---- */

static int cannot(const char *path)
{
	fprintf(stderr, "uiommu: %s: %s.\n", path, strerror(errno));
	return EXIT_TROUBLE;
}

/* Under another name until it is whole. */
static int write_file(struct dump *d, const struct image *img, struct live_file file[3],
		      const char *path)
{
	struct core_writer w;
	char *unfinished = NULL;
	int fd, bad;
	FILE *f;

	if (asprintf(&unfinished, "%s.XXXXXX", path) < 0)
		return cannot(path);
	fd = mkstemp(unfinished);		/* 0600: it is a program's memory */
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		free(unfinished);
		return cannot(path);
	}
	core_begin(&w, f);
	put_tables(d, &w, &file[1]);
	if (!d->tables)
		put_frames(d, &w, img->live, &file[2]);
	core_end(&w, file[0].p, file[0].bytes, img->dtb, img->dtb_bytes);
	bad = ferror(f);
	bad |= fclose(f);
	bad = bad || rename(unfinished, path) ? cannot(path) : 0;
	if (bad)
		unlink(unfinished);
	free(unfinished);
	return bad;
}

static void say(const struct dump *d, const char *path)
{
	fprintf(stderr, "uiommu: %s: %llu KiB of tables", path,
		(unsigned long long)d->table_bytes >> 10);
	if (!d->tables)
		fprintf(stderr, ", %llu KiB of the program's pages",
			(unsigned long long)d->page_bytes >> 10);
	if (d->lost)
		fprintf(stderr, "; %llu KiB could not be read", (unsigned long long)d->lost >> 10);
	fputs(".\n", stderr);
}

static int dump(struct dump *d, struct image *img)
{
	struct live_file file[3];
	char own[40];
	int ret;

	if (image_add_live(img, d->pid) ||
	    live_files(img->live, UIOMMU_INSPECT_SNAPSHOT, file, 3))
		return EXIT_TROUBLE;
	snprintf(own, sizeof(own), "uiommu-%d.dump", img->info.server);
	ret = write_file(d, img, file, d->path ? d->path : own);
	if (!ret)
		say(d, d->path ? d->path : own);
	for (unsigned i = 0; i < 3; i++)
		free(file[i].p);
	return ret;
}

int cmd_dump(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .args_doc = "[PID]",
				   .doc = doc };
	struct dump d = { 0 };
	char name[] = "uiommu dump";
	struct image img;
	int ret;

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &d);
	image_init(&img);
	ret = dump(&d, &img);
	image_fini(&img);
	return ret;
}
