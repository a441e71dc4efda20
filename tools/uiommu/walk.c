/* SPDX-License-Identifier: MIT */
/* walk.c - uiommu walk: one DMA through raw physical memory */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"
#include "walk/walk.h"

#define EXIT_NOT_EXPLAINED 3

struct piece {
	uint64_t base, bytes;
	const uint8_t *p;
};

struct walk_args {
	struct walk_regs regs;
	struct walk_access a;
	bool has_sid, has_iova, has_table, json;
	struct piece *mem;
	unsigned num_mem;
};

enum { OPT_IOVA = 256, OPT_PASID, OPT_WRITE, OPT_EXEC, OPT_PRIV };

static const struct argp_option options[] = {
	{ "mem", 'M', "BASE:FILE", 0, "FILE is physical memory from BASE on; may be given several "
	  "times, as QEMU's pmemsave and crash dumps come", 0 },
	{ "reg", 'r', "NAME=VALUE", 0, "A register of the SMMU: STRTAB_BASE and STRTAB_BASE_CFG "
	  "are needed; IDR0, IDR1, IDR3, IDR5, CR0, CR2 and GBPA count too where given", 0 },
	{ "sid", 's', "N", 0, "StreamID", 0 },
	{ "pasid", OPT_PASID, "N", 0, "PASID; without it the DMA has none", 0 },
	{ "iova", OPT_IOVA, "ADDRESS", 0, "The address that the device uses", 0 },
	{ "write", OPT_WRITE, NULL, 0, "It writes (otherwise it reads)", 0 },
	{ "exec", OPT_EXEC, NULL, 0, "It fetches instructions", 0 },
	{ "priv", OPT_PRIV, NULL, 0, "It is privileged", 0 },
	{ "json", 'j', NULL, 0, "JSON, schema uiommu-walk/1", 0 },
	{ 0 },
};

static const char doc[] =
	"Explains one DMA: every entry that an SMMUv3 would read for it, where, and what it says; "
	"and the end, an address or the event that the hardware would write, and which bit is to "
	"blame.\v"
	"Exits with 0 when the DMA is translated, 1 when it faults or is aborted, 3 when a feature "
	"is in use that is not explained, 2 for a wrong command line, 125 when it could not work. "
	"uiommu-walk(1) says more.";

static uint64_t number(const char *arg, uint64_t max, struct argp_state *state)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || v > max || *arg == '-')
		argp_error(state, "`%s' is not a number that can stand here", arg);
	return v;
}

static void add_memory(struct walk_args *w, char *arg, struct argp_state *state)
{
	char *path = strchr(arg, ':');
	struct stat st;
	struct piece *m;
	int fd;

	if (!path)
		argp_error(state, "--mem takes BASE:FILE, not `%s'", arg);
	*path++ = '\0';
	w->mem = tool_grow(w->mem, w->num_mem, sizeof(*w->mem));
	m = &w->mem[w->num_mem];
	*m = (struct piece){ .base = number(arg, UINT64_MAX, state) };
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "uiommu: %s: %s.\n", path, strerror(errno));
		exit(EXIT_TROUBLE);
	}
	m->bytes = (uint64_t)st.st_size;
	if (m->bytes) {
		m->p = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
		if (m->p == MAP_FAILED) {
			fprintf(stderr, "uiommu: %s: %s.\n", path, strerror(errno));
			exit(EXIT_TROUBLE);
		}
		w->num_mem++;
	}
	close(fd);
}

static void set_register(struct walk_args *w, char *arg, struct argp_state *state)
{
	char *value = strchr(arg, '=');
	const char *name = !strncmp(arg, "SMMU_", 5) ? arg + 5 : arg;

	if (!value)
		argp_error(state, "--reg takes NAME=VALUE, not `%s'", arg);
	*value++ = '\0';
	if (!walk_regs_set(&w->regs, name, number(value, UINT64_MAX, state)))
		argp_error(state, "register `%s' does not matter for a walk", name);
	w->has_table |= !strcmp(name, "STRTAB_BASE");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct walk_args *w = state->input;

	switch (key) {
	case 'M':
		add_memory(w, arg, state);
		return 0;
	case 'r':
		set_register(w, arg, state);
		return 0;
	case 's':
		w->a.sid = (uint32_t)number(arg, UINT32_MAX, state);
		w->has_sid = true;
		return 0;
	case OPT_PASID:
		w->a.pasid = (uint32_t)number(arg, 0xfffff, state);
		w->a.has_pasid = true;
		return 0;
	case OPT_IOVA:
		w->a.iova = number(arg, UINT64_MAX, state);
		w->has_iova = true;
		return 0;
	case OPT_WRITE:
		w->a.write = true;
		return 0;
	case OPT_EXEC:
		w->a.exec = true;
		return 0;
	case OPT_PRIV:
		w->a.priv = true;
		return 0;
	case 'j':
		w->json = true;
		return 0;
	case ARGP_KEY_END:
		if (!w->has_sid || !w->has_iova || !w->has_table || !w->num_mem)
			argp_error(state, "--mem, --reg STRTAB_BASE=..., --sid and --iova are "
				   "needed");
		if (w->a.write && w->a.exec)
			argp_error(state, "there are no instruction writes");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool read_memory(void *ctx, uint64_t pa, uint64_t *v)
{
	const struct walk_args *w = ctx;

	for (unsigned i = 0; i < w->num_mem; i++) {
		const struct piece *m = &w->mem[i];

		if (pa < m->base || pa - m->base >= m->bytes || m->bytes - (pa - m->base) < 8)
			continue;
		*v = 0;
		for (unsigned k = 8; k-- > 0;)
			*v = *v << 8 | m->p[pa - m->base + k];
		return true;
	}
	return false;
}

static const char *const end_words[] = {
	[WALK_OK] = "translated", [WALK_FAULT] = "fault", [WALK_ABORT] = "abort",
	[WALK_NOT_EXPLAINED] = "not explained",
};

static json_t *result_json(const struct walk_result *res)
{
	json_t *o = json_pack("{s:s}", "end", end_words[res->end]);
	char buf[20];

	if (res->end == WALK_OK) {
		snprintf(buf, sizeof(buf), "0x%llx", (unsigned long long)res->pa);
		json_object_set_new(o, "pa", json_string(buf));
	}
	if (res->blame)
		json_object_set_new(o, "blame", json_string(res->blame));
	if (res->end == WALK_FAULT)
		json_object_set_new(o, "recorded", json_boolean(res->recorded));
	return o;
}

int cmd_walk(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct walk_args w = { 0 };
	const struct walk_memory mem = { &w, read_memory };
	char name[] = "uiommu walk";
	struct walk_result res;
	struct report r;
	int ret = 0;

	argv[0] = name;
	walk_regs_init(&w.regs);
	argp_parse(&argp, argc, argv, 0, NULL, &w);
	report_init(&r);
	walk_dma(&w.regs, &mem, &w.a, &r, &res);
	if (w.json) {
		ret = tool_print_json(json_pack("{s:s, s:o, s:o}", "schema", "uiommu-walk/1",
						"result", result_json(&res), "steps",
						report_json(&r)));
	} else {
		report_print(&r, stdout, tool_colour(stdout));
		ret = tool_flush();
	}
	report_fini(&r);
	for (unsigned i = 0; i < w.num_mem; i++)
		munmap((void *)w.mem[i].p, w.mem[i].bytes);
	free(w.mem);
	return ret ? ret : res.end == WALK_OK ? 0 : res.end == WALK_NOT_EXPLAINED ?
	       EXIT_NOT_EXPLAINED : EXIT_NOTHING;
}
