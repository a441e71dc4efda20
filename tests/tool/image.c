/* SPDX-License-Identifier: MIT */
/*
 * image.c - dumps: what is written is read back, and any byte of a file may be wrong
 *
 * image [-s SEED] [-n RUNS]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "../rng.h"
#include "tools/uiommu/decode/report.h"
#include "tools/uiommu/image/image.h"
#include "tools/uiommu/topo/draw.h"

static const char info[] =
	"uiommu 1\n"
	"run 10 11\n"
	"something new 1 2 3\n"
	"smmu 0 0x2b400000 iommu@2b400000\n"
	"reg 0 STRTAB_BASE 0xc000004000000000\n"
	"reg 1 CR0 0x1\n"				/* there is no such SMMU */
	"device 0 0 0 0x100 0x40 0000:01:00.0\n"
	"device 1 1 0 0x200 0xffffffff 0000:02:00.0\n"
	"device 1 1 0 0x300 0x0 twice\n"
	"domain 0 PAGING a name with blanks\n"
	"attach 0 -1 0 3\n"
	"attach 1 17 -1 0\n"
	"attach 9 0 0 0\n"				/* nor such a device */
	"faults 0 0x40 0 -1 5 0x10 0xffffffffffff0000 F_TRANSLATION: and so on\n"
	"faults 0 0x77 -1 3 1 0x2 0x0 C_BAD_STREAMID\n"
	"faults-lost 12\n";

static unsigned long seed = 1, runs = 3000;
static uint64_t state;

static uint64_t rnd(uint64_t below)
{
	return rng_next(&state) % below;
}

/* ---- a dump ---- */

static uint8_t page[8192];

/* to be freed */
static uint8_t *write_core(unsigned pieces, size_t *bytes)
{
	struct core_writer w;
	FILE *f = tmpfile();
	uint8_t *p;

	assert_non_null(f);
	core_begin(&w, f);
	core_write(&w, 0x4000000000, page, 64);
	core_write(&w, 0x4000000040, page + 64, 4032);		/* goes on */
	core_write(&w, 0x8000000000, page + 4096, 4096);
	for (unsigned i = 0; i < pieces; i++)
		core_write(&w, 0x9000000000 + 128ull * i, page + 8, 8);
	core_end(&w, info, sizeof(info) - 1, "a tree", 6);
	assert_false(ferror(f));
	fseeko(f, 0, SEEK_END);
	*bytes = (size_t)ftello(f);
	p = malloc(*bytes);
	rewind(f);
	assert_int_equal(fread(p, 1, *bytes, f), *bytes);
	fclose(f);
	return p;
}

static void fill(void)
{
	for (unsigned i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 7 + (i >> 8));
	memset(page + 4096 + 512, 0, 2048);			/* becomes a hole */
}

static bool parse(struct image *img, const uint8_t *p, size_t bytes, char *err, size_t err_bytes)
{
	image_init(img);
	return core_parse(img, p, bytes, err, err_bytes);
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static void read_back(void **unused)
{
	struct image img;
	size_t bytes;
	uint8_t *p;
	char err[200];
	uint64_t v;

	(void)unused;
	fill();
	p = write_core(0, &bytes);
	assert_true(parse(&img, p, bytes, err, sizeof(err)));
	assert_int_equal(img.num_pieces, 2);
	for (unsigned at = 0; at < 4096; at += 8) {
		assert_true(image_read(&img, 0x4000000000 + at, &v) && v == word(page + at));
		assert_true(image_read(&img, 0x8000000000 + at, &v) && v == word(page + 4096 + at));
	}
	assert_false(image_read(&img, 0x4000001000, &v));
	assert_false(image_read(&img, 0x3ffffffff8, &v));
	assert_false(image_read(&img, 0x8000000ffc, &v));	/* ends within */
	assert_true(img.dtb_bytes == 6 && !memcmp(img.dtb, "a tree", 6));
	image_fini(&img);
	free(p);
}

/* What did not fit, names nobody, or came out of order is left out. */
static void info_is_read(void **unused)
{
	struct info in;

	(void)unused;
	assert_true(info_parse(info, sizeof(info) - 1, &in));
	assert_true(in.server == 10 && in.program == 11 && in.faults_lost == 12);
	assert_true(in.num_smmus == 1 && in.smmus[0].base == 0x2b400000);
	assert_true(in.num_regs == 1 && in.regs[0].value == 0xc000004000000000);
	assert_int_equal(in.num_devs, 2);
	assert_true(in.devs[1].sid == 0xffffffff && in.devs[1].rid == 0x200);
	assert_ptr_equal(info_device(&in, "02:00.0"), &in.devs[1]);
	assert_ptr_equal(info_device(&in, "0000:01:00.0"), &in.devs[0]);
	assert_null(info_device(&in, "03:00.0"));
	assert_string_equal(in.domains[0].name, "a name with blanks");
	assert_true(in.num_attaches == 2 && in.attaches[0].pasid == -1);
	assert_true(in.num_faults == 2 && in.faults[0].address == 0xffffffffffff0000);
	info_fini(&in);
	assert_false(info_parse("uiommu 2\nrun 1 2\n", 17, &in));
	info_fini(&in);
	assert_false(info_parse("", 0, &in));
	info_fini(&in);
}

/* More pieces than an ELF header can count. */
static void many_pieces(void **unused)
{
	struct image img;
	size_t bytes;
	uint8_t *p = write_core(70000, &bytes);
	char err[200];
	uint64_t v;

	(void)unused;
	assert_int_equal(((Elf64_Ehdr *)p)->e_phnum, PN_XNUM);
	assert_true(parse(&img, p, bytes, err, sizeof(err)));
	assert_int_equal(img.num_pieces, 70002);
	assert_true(image_read(&img, 0x9000000000 + 128ull * 69999, &v) && v == word(page + 8));
	image_fini(&img);
	free(p);
}

static void wrong(const uint8_t *p, size_t bytes, const char *wanted)
{
	struct image img;
	char err[200] = "";

	assert_false(parse(&img, p, bytes, err, sizeof(err)));
	if (!strstr(err, wanted))
		fail_msg("it said: %s", err);
	image_fini(&img);
}

static void other_files(void **unused)
{
	size_t bytes;
	uint8_t *p = write_core(0, &bytes);
	Elf64_Ehdr *e = (void *)p;

	(void)unused;
	wrong((const uint8_t *)"KDUMP   \0\0\0\0", 12, "makedumpfile");
	wrong((const uint8_t *)"hello", 5, "no ELF file");
	wrong(p, bytes - 100, "cut short");
	wrong(p, 100, "cut short");
	e->e_type = ET_EXEC;
	wrong(p, bytes, "no core");
	e->e_ident[EI_CLASS] = ELFCLASS32;
	wrong(p, bytes, "64-bit");
	free(p);
}

/* ---- any bytes ---- */

static void draw_all(const struct topo *t)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	json_t *j = draw_json(t);

	draw_tree(t, f, false, true);
	draw_dot(t, f, true);
	json_dumpf(j, f, 0);
	json_decref(j);
	fclose(f);
	free(text);
}

static void use(const uint8_t *p, size_t bytes)
{
	struct topo t = { 0 };
	struct image img;
	char err[200];
	uint64_t v;

	if (parse(&img, p, bytes, err, sizeof(err))) {
		for (unsigned i = 0; i < img.num_pieces; i++) {
			image_read(&img, img.pieces[i].base, &v);
			image_read(&img, img.pieces[i].base + img.pieces[i].bytes - 8, &v);
		}
		topo_add_run(&t, &img.info);
		draw_all(&t);
		topo_fini(&t);
	}
	image_fini(&img);
}

/* in a block of exactly that size, so that a sanitizer sees what is read beyond it */
static void broken(const uint8_t *good, size_t bytes)
{
	size_t n = rnd(4) ? bytes : rnd(bytes + 1), from = rnd(2) ? 0 : n > 4096 ? n - 2000 : 0;
	uint8_t *p = malloc(n ? n : 1);

	memcpy(p, good, n);
	for (unsigned k = 1 + (unsigned)rnd(6); n && k--;)
		p[from && rnd(4) ? from + rnd(n - from) : rnd(n < 64 ? n : 64)] = (uint8_t)rnd(256);
	use(p, n);
	free(p);
}

static void any_bytes(void **unused)
{
	size_t bytes;
	uint8_t *p = write_core(3, &bytes);
	int loud = dup(2), null = open("/dev/null", O_WRONLY);

	(void)unused;
	print_message("again: image -s %lu -n %lu\n", seed, runs);
	dup2(null, 2);		/* many have a sentence */
	state = seed * 0x9e3779b97f4a7c15u | 1;
	for (unsigned long i = 0; i < runs; i++)
		broken(p, bytes);
	dup2(loud, 2);
	close(loud);
	close(null);
	free(p);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_back),
		cmocka_unit_test(info_is_read),
		cmocka_unit_test(many_pieces),
		cmocka_unit_test(other_files),
		cmocka_unit_test(any_bytes),
	};
	int c;

	while ((c = getopt(argc, argv, "s:n:")) != -1)
		*(c == 's' ? &seed : &runs) = strtoul(optarg, NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
