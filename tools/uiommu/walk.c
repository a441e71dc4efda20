/* SPDX-License-Identifier: MIT */
/* walk.c - uiommu walk: one DMA through raw physical memory */
#include <argp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "tool.h"
#include "topo_file.h"
#include "walk/walk.h"

#define EXIT_NOT_EXPLAINED 3

struct setting {
	const char *name;
	uint64_t value;
};

struct walk_args {
	struct walk_access a;
	bool has_sid, has_iova, has_table, json;
	const char *device, *smmu;
	struct setting *set;		/* --reg */
	unsigned num_set;
	struct image img;
};

enum { OPT_IOVA = 256, OPT_PASID, OPT_WRITE, OPT_EXEC, OPT_PRIV, OPT_LIVE, OPT_SMMU };

static const struct argp_option options[] = {
	{ "live", OPT_LIVE, "PID", OPTION_ARG_OPTIONAL, "A program under `uiommu run': PID is its "
	  "number or that of `uiommu run'; may be left out where there is only one", 0 },
	{ "dump", 'd', "FILE", 0, "What `uiommu dump' wrote, or another ELF core with physical "
	  "addresses (QEMU's dump-guest-memory, a vmcore)", 0 },
	{ "mem", 'M', "BASE:FILE", 0, "FILE is physical memory from BASE on; may be given several "
	  "times, as QEMU's pmemsave and crash dumps come", 0 },
	{ "reg", 'r', "NAME=VALUE", 0, "A register of the SMMU: STRTAB_BASE and STRTAB_BASE_CFG "
	  "are needed where neither a run nor a dump tells them; IDR0, IDR1, IDR3, IDR5, CR0, CR2 "
	  "and GBPA count too where given", 0 },
	{ "smmu", OPT_SMMU, "N", 0, "Which SMMU of a run or dump: its number from 0, or its name",
	  0 },
	{ "device", 'D', "BDF", 0, "Instead of --sid: a device of a run or dump", 0 },
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
	uint64_t v;

	if (!tool_number(arg, max, &v))
		argp_error(state, "`%s' is not a number that can stand here", arg);
	return v;
}

static void add_memory(struct walk_args *w, char *arg, struct argp_state *state)
{
	char *path = strchr(arg, ':');

	if (!path)
		argp_error(state, "--mem takes BASE:FILE, not `%s'", arg);
	*path++ = '\0';
	if (image_add_raw(&w->img, number(arg, UINT64_MAX, state), path))
		exit(EXIT_TROUBLE);
}

static void set_register(struct walk_args *w, char *arg, struct argp_state *state)
{
	char *value = strchr(arg, '=');
	const char *name = !strncmp(arg, "SMMU_", 5) ? arg + 5 : arg;
	struct walk_regs any;

	if (!value)
		argp_error(state, "--reg takes NAME=VALUE, not `%s'", arg);
	*value++ = '\0';
	if (!walk_regs_set(&any, name, 0))
		argp_error(state, "register `%s' does not matter for a walk", name);
	w->set = tool_grow(w->set, w->num_set, sizeof(*w->set));
	w->set[w->num_set++] = (struct setting){ name, number(value, UINT64_MAX, state) };
	w->has_table |= !strcmp(name, "STRTAB_BASE");
}

static void check(const struct walk_args *w, struct argp_state *state)
{
	if (!w->img.num_pieces && w->img.live < 0)
		argp_error(state, "--live, --dump or --mem is needed");
	if (!w->has_iova || w->has_sid == !!w->device)
		argp_error(state, "--iova and one of --sid and --device are needed");
	if (w->a.write && w->a.exec)
		argp_error(state, "there are no instruction writes");
	if (!w->img.has_info && !w->has_table)
		argp_error(state, "--reg STRTAB_BASE=... is needed: the memory alone does not say "
			   "where the stream table is");
	if (!w->img.has_info && (w->device || w->smmu))
		argp_error(state, "--device and --smmu are for runs and dumps of `uiommu dump'");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct walk_args *w = state->input;

	switch (key) {
	case OPT_LIVE:
		if (image_add_live(&w->img, arg ? (int)number(arg, INT_MAX, state) : 0))
			exit(EXIT_TROUBLE);
		return 0;
	case 'd':
		if (image_add_core(&w->img, arg))
			exit(EXIT_TROUBLE);
		return 0;
	case 'M':
		add_memory(w, arg, state);
		return 0;
	case 'D':
		w->device = arg;
		return 0;
	case OPT_SMMU:
		w->smmu = arg;
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
		check(w, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- which SMMU, and what its registers say ---- */

static int no_such(const char *what, const char *name)
{
	fprintf(stderr, "uiommu: there is no %s %s.\n", what, name);
	return -1;
}

static int find_smmu(const struct walk_args *w)
{
	const struct info *in = &w->img.info;
	uint64_t i;

	for (unsigned k = 0; w->smmu && k < in->num_smmus; k++)
		if (!strcmp(in->smmus[k].name, w->smmu))
			return (int)k;
	if (w->smmu)
		return tool_number(w->smmu, UINT_MAX, &i) && i < in->num_smmus ?
		       (int)i : no_such("SMMU", w->smmu);
	if (in->num_smmus == 1)
		return 0;
	fputs("uiommu: there are several SMMUs: --smmu or --device says which.\n", stderr);
	return -1;
}

static int use_device(struct walk_args *w)
{
	const struct info_dev *d = info_device(&w->img.info, w->device);

	if (!d)
		return no_such("device", w->device);
	w->a.sid = d->sid;
	return (int)d->smmu;
}

/* Those of the run or dump, then those that were given. */
static int registers(struct walk_args *w, struct walk_regs *regs)
{
	const struct info *in = &w->img.info;
	int smmu = !w->img.has_info ? -1 : w->device ? use_device(w) : find_smmu(w);

	if (w->img.has_info && smmu < 0)
		return -1;
	walk_regs_init(regs);
	for (unsigned i = 0; i < in->num_regs; i++)
		if ((int)in->regs[i].smmu == smmu)
			walk_regs_set(regs, in->regs[i].name, in->regs[i].value);
	for (unsigned i = 0; i < w->num_set; i++)
		walk_regs_set(regs, w->set[i].name, w->set[i].value);
	return 0;
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

static int say(const struct walk_args *w, const struct walk_result *res, const struct report *r)
{
	if (w->json)
		return tool_print_json(json_pack("{s:s, s:o, s:o}", "schema", "uiommu-walk/1",
						 "result", result_json(res), "steps",
						 report_json(r)));
	report_print(r, stdout, tool_colour(stdout));
	return tool_flush();
}

static int explain(struct walk_args *w)
{
	const struct walk_memory mem = { &w->img, image_read };
	struct walk_regs regs;
	struct walk_result res;
	struct topo topo = { 0 };
	struct report r;
	int ret;

	if (registers(w, &regs))
		return EXIT_TROUBLE;
	report_init(&r);
	if (w->img.dtb_bytes && !topo_quiet_dtb(w->img.dtb, w->img.dtb_bytes, &topo))
		w->a.name_ctx = &topo;
	w->a.name_sid = w->a.name_ctx ? topo_name_sid : NULL;
	walk_dma(&regs, &mem, &w->a, &r, &res);
	ret = say(w, &res, &r);
	report_fini(&r);
	topo_fini(&topo);
	return ret ? ret : res.end == WALK_OK ? 0 : res.end == WALK_NOT_EXPLAINED ?
	       EXIT_NOT_EXPLAINED : EXIT_NOTHING;
}

int cmd_walk(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct walk_args w = { 0 };
	char name[] = "uiommu walk";
	int ret;

	argv[0] = name;
	image_init(&w.img);
	argp_parse(&argp, argc, argv, 0, NULL, &w);
	ret = explain(&w);
	image_fini(&w.img);
	free(w.set);
	return ret;
}
