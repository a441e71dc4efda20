/* SPDX-License-Identifier: MIT */
/*
 * fuzz_decode.c - any bytes give an answer
 *
 * With -DLIBFUZZER it is a libFuzzer target. Without, it runs the corpus and
 * mixes of it, the same at each run: fuzz_decode [-s SEED] [-n RUNS] FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../rng.h"
#include "tools/uiommu/decode/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct decode_options o = { .as = bytes ? data[0] % 8 : 0 };
	char *text = NULL;
	size_t n = 0;
	struct report r;
	FILE *out = open_memstream(&text, &n);
	json_t *j;

	report_init(&r);
	decode_text((const char *)data, bytes, &o, &r);
	o.as = AS_GUESS;
	decode_text((const char *)data, bytes, &o, &r);
	report_print(&r, out, true);
	j = report_json(&r);
	json_dumpf(j, out, 0);
	json_decref(j);
	fclose(out);
	free(text);
	report_fini(&r);
	return 0;
}

#ifndef LIBFUZZER
#define MAX_SEEDS 64

static struct {
	uint8_t *p;
	size_t n;
} seeds[MAX_SEEDS];
static unsigned num_seeds;
static uint64_t state;

static uint64_t rnd(uint64_t below)
{
	return rng_next(&state) % below;
}

static void load(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(65536);

	if (!f || !p || num_seeds == MAX_SEEDS) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	seeds[num_seeds].n = fread(p, 1, 65536, f);
	seeds[num_seeds++].p = p;
	fclose(f);
}

/* pieces of seeds, with a few bytes changed, in a block of exactly that size */
static void mixed(void)
{
	static const char odd[] = "0x 0x0 :|>\n\n\r\0\377 event 0x10 received:\nF";
	uint8_t buf[4096], *exact;
	size_t n = 0;

	for (unsigned pieces = 1 + (unsigned)rnd(4); pieces--;) {
		unsigned s = (unsigned)rnd(num_seeds);
		size_t from = seeds[s].n ? rnd(seeds[s].n) : 0;
		size_t len = seeds[s].n > from ? rnd(seeds[s].n - from + 1) : 0;

		if (len > sizeof(buf) - n)
			len = sizeof(buf) - n;
		memcpy(buf + n, seeds[s].p + from, len);
		n += len;
	}
	for (unsigned k = (unsigned)rnd(8); n && k--;)
		buf[rnd(n)] = rnd(2) ? (uint8_t)odd[rnd(sizeof(odd))] : (uint8_t)rnd(256);
	exact = malloc(n ? n : 1);
	memcpy(exact, buf, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int main(int argc, char **argv)
{
	unsigned long seed = 1, runs = 3000;
	int c;

	while ((c = getopt(argc, argv, "s:n:")) != -1)
		*(c == 's' ? &seed : &runs) = strtoul(optarg, NULL, 0);
	for (int i = optind; i < argc; i++) {
		load(argv[i]);
		LLVMFuzzerTestOneInput(seeds[num_seeds - 1].p, seeds[num_seeds - 1].n);
	}
	printf("%u seeds, %lu mixes; again: %s -s %lu -n %lu FILE...\n", num_seeds, runs, argv[0],
	       seed, runs);
	fflush(stdout);
	state = seed * 0x9e3779b97f4a7c15u | 1;
	for (unsigned long i = 0; num_seeds && i < runs; i++)
		mixed();
	for (unsigned i = 0; i < num_seeds; i++)
		free(seeds[i].p);
	return 0;
}
#endif
