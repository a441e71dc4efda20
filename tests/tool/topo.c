/* SPDX-License-Identifier: MIT */
/*
 * topo.c - IORT tables: read as meant, and broken in every way that firmware finds
 *
 * topo [-s SEED] [-d DTB] [FILE]: FILE gets the good table, for the scripts beside
 * this; DTB is a devicetree to break.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "../rng.h"
#include "tools/uiommu/topo/draw.h"

#define SMMU_AT	48
#define SMMU_BYTES 68
#define RC_AT	(SMMU_AT + SMMU_BYTES)
#define RC_BYTES (36 + 2 * 20)
#define NAMED_AT (RC_AT + RC_BYTES)
#define NAMED_BYTES (44 + 20)
#define RMR_AT	(NAMED_AT + NAMED_BYTES)
#define RMR_BYTES (28 + 20 + 20)
#define TABLE_BYTES (RMR_AT + RMR_BYTES)

static uint8_t table[TABLE_BYTES];

static void put(unsigned at, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		table[at + i] = (uint8_t)(v >> 8 * i);
}

static void node(unsigned at, unsigned type, unsigned length, unsigned maps, unsigned maps_at)
{
	put(at, 1, type);
	put(at + 1, 2, length);
	put(at + 8, 4, maps);
	put(at + 12, 4, maps_at);
}

static void mapping(unsigned at, uint32_t in, uint32_t count, uint32_t out, uint32_t to,
		    uint32_t flags)
{
	put(at, 4, in);
	put(at + 4, 4, count - 1);
	put(at + 8, 4, out);
	put(at + 12, 4, to);
	put(at + 16, 4, flags);
}

static void checksum(void)
{
	uint8_t sum = 0;

	table[9] = 0;
	for (unsigned i = 0; i < TABLE_BYTES; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

static void good_table(void)
{
	memset(table, 0, sizeof(table));
	memcpy(table, "IORT", 4);
	put(4, 4, TABLE_BYTES);
	put(8, 1, 5);
	put(36, 4, 4);			/* nodes */
	put(40, 4, SMMU_AT);
	node(SMMU_AT, 4, SMMU_BYTES, 0, 0);
	put(SMMU_AT + 16, 8, 0x2b400000);
	node(RC_AT, 2, RC_BYTES, 2, 36);
	put(RC_AT + 28, 4, 1);		/* segment */
	mapping(RC_AT + 36, 0, 0x100, 0x20000, SMMU_AT, 0);
	mapping(RC_AT + 56, 0x600, 0x100, 0x20600, SMMU_AT, 0);
	node(NAMED_AT, 1, NAMED_BYTES, 1, 44);
	memcpy(table + NAMED_AT + 29, "\\_SB_.GPU0", 11);
	mapping(NAMED_AT + 44, 0, 1, 0x7, SMMU_AT, 1);
	node(RMR_AT, 6, RMR_BYTES, 1, 48);
	put(RMR_AT + 20, 4, 1);
	put(RMR_AT + 24, 4, 28);
	put(RMR_AT + 28, 8, 0x88000000);
	put(RMR_AT + 36, 8, 0x10000);
	mapping(RMR_AT + 48, 0, 1, 0x7, SMMU_AT, 1);
	checksum();
}

static int read_table(struct topo *t, const uint8_t *p, size_t bytes)
{
	char err[512] = "";

	memset(t, 0, sizeof(*t));
	return topo_from_iort(p, bytes, t, err, sizeof(err));
}

static bool found(const struct topo *t, const char *rule)
{
	for (unsigned i = 0; i < t->num_findings; i++)
		if (!strcmp(t->findings[i].rule, rule))
			return true;
	return false;
}

static void reads_a_table(void **unused)
{
	char buf[256] = "";
	struct topo t;

	(void)unused;
	good_table();
	assert_int_equal(read_table(&t, table, sizeof(table)), 0);
	assert_int_equal(t.num_findings, 0);
	assert_int_equal(t.num_smmus, 1);
	assert_true(t.smmus[0].base == 0x2b400000);
	topo_name_sid(&t, 0x20610, buf, sizeof(buf));
	assert_non_null(strstr(buf, "0001:06:02.0 behind"));
	topo_name_sid(&t, 0x7, buf, sizeof(buf));
	assert_non_null(strstr(buf, "\\_SB_.GPU0 behind"));
	assert_int_equal(t.num_regions, 1);
	assert_true(t.regions[0].base == 0x88000000 && t.regions[0].bytes == 0x10000);
	topo_check(&t, 17);
	assert_true(found(&t, "unmapped"));
	assert_true(found(&t, "sidsize"));
	topo_fini(&t);
}

/* @change one field of the good table: what is said? */
static void breaks(unsigned at, unsigned bytes, uint64_t v, const char *rule)
{
	struct topo t;

	good_table();
	put(at, bytes, v);
	if (strcmp(rule, "checksum"))
		checksum();
	assert_int_equal(read_table(&t, table, sizeof(table)), 0);
	topo_check(&t, 0);
	if (!found(&t, rule))
		fail_msg("bytes at %u = %llx: no finding %s", at, (unsigned long long)v, rule);
	topo_fini(&t);
}

static void broken_tables_get_a_sentence(void **unused)
{
	(void)unused;
	breaks(20, 1, 0x55, "checksum");
	breaks(4, 4, 4096, "truncated");
	breaks(8, 1, 9, "revision");
	breaks(RC_AT + 1, 2, 0, "zero-length");
	breaks(RC_AT + 1, 2, 8, "bad-length");
	breaks(RC_AT + 1, 2, 0xffff, "bad-length");
	breaks(36, 4, 100, "bad-length");
	breaks(40, 4, 4, "bad-offset");
	breaks(RC_AT + 8, 4, 3, "bad-length");
	breaks(RC_AT + 8, 4, 0xffffffff, "bad-length");
	breaks(RC_AT + 12, 4, 0xfffffff0, "bad-length");
	breaks(RC_AT + 36 + 12, 4, 52, "bad-reference");
	breaks(RC_AT + 36 + 12, 4, RC_AT, "loop");
	breaks(RC_AT + 56, 4, 0x80, "overlap");
	breaks(RC_AT + 56 + 8, 4, 0x20080, "shared-streamid");
	breaks(RC_AT + 56 + 8, 4, 0xfffffff0, "bad-range");
	breaks(NAMED_AT, 1, 200, "unknown-node");
	breaks(NAMED_AT, 1, 3, "other-iommu");
	breaks(RMR_AT + 20, 4, 50, "bad-length");
	breaks(RMR_AT + 36, 8, 0, "bad-range");
}

static void not_a_table(void **unused)
{
	char err[512] = "";
	struct topo t = { 0 };

	(void)unused;
	good_table();
	assert_int_equal(topo_from_iort(table, 20, &t, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "too short"));
	table[0] = 'X';
	assert_int_equal(topo_from_iort(table, sizeof(table), &t, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "does not begin with IORT"));
	topo_fini(&t);
}

/* ---- any bytes ---- */

static uint64_t seed = 1, state;

static uint64_t rnd(uint64_t below)
{
	return (rng_next(&state) >> 11) % below;
}

static void use(struct topo *t)
{
	char *text = NULL, name[256];
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	for (unsigned i = 0; i < t->num_roots; i++)	/* keep the check short */
		if (t->roots[i].rid_last > 0x10000)
			t->roots[i].rid_last = 0x10000;
	topo_check(t, (unsigned)rnd(20));
	topo_name_sid(t, 7, name, sizeof(name));
	topo_name_sid(t, 0x20600, name, 20);
	draw_tree(t, out, rnd(2), rnd(2));
	draw_dot(t, out, true);
	json_decref(draw_json(t));
	fclose(out);
	free(text);
	topo_fini(t);
}

static void any_bytes(void **unused)
{
	(void)unused;
	state = seed * 0x9e3779b97f4a7c15u | 1;
	print_message("seed %llu; again: topo -s %llu\n", (unsigned long long)seed,
		      (unsigned long long)seed);
	for (unsigned k = 0; k < 400; k++) {
		size_t bytes = rnd(4) ? TABLE_BYTES : rnd(TABLE_BYTES + 1);
		uint8_t *p = malloc(bytes ? bytes : 1);	/* exactly, for the sanitizer */
		struct topo t;

		good_table();
		for (unsigned n = (unsigned)rnd(5) + 1; n--;)
			table[36 + rnd(TABLE_BYTES - 36)] = (uint8_t)(rnd(3) ? rnd(256) : 255);
		assert_non_null(p);
		memcpy(p, table, bytes);
		if (!read_table(&t, p, bytes))
			use(&t);
		free(p);
	}
}

static const char *dtb_path;

static void any_bytes_in_a_devicetree(void **unused)
{
	FILE *f = dtb_path ? fopen(dtb_path, "rb") : NULL;
	uint8_t good[16384], *p;
	size_t bytes = f ? fread(good, 1, sizeof(good), f) : 0, n;

	(void)unused;
	if (f)
		fclose(f);
	if (!bytes)
		skip();
	state = seed * 0x9e3779b97f4a7c15u | 1;
	for (unsigned k = 0; k < 300; k++) {
		struct topo t = { 0 };
		char err[512];

		n = rnd(8) ? bytes : rnd(bytes + 1);
		p = malloc(n ? n : 1);
		assert_non_null(p);
		memcpy(p, good, n);
		for (unsigned c = (unsigned)rnd(4); n && c--;)
			p[rnd(n)] = (uint8_t)(rnd(3) ? rnd(256) : 255);
		if (topo_from_dtb(p, n, &t, err, sizeof(err)))
			topo_fini(&t);
		else
			use(&t);
		free(p);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_table),
		cmocka_unit_test(broken_tables_get_a_sentence),
		cmocka_unit_test(not_a_table),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(any_bytes_in_a_devicetree),
	};
	int c;

	while ((c = getopt(argc, argv, "s:d:")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'd')
			dtb_path = optarg;
		else
			return 2;
	}
	if (optind < argc) {
		FILE *f = fopen(argv[optind], "wb");
		bool bad;

		good_table();
		bad = !f || fwrite(table, 1, sizeof(table), f) != sizeof(table);
		return f && fclose(f) ? 1 : bad;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
