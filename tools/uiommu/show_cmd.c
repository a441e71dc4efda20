/* SPDX-License-Identifier: MIT */
/* show_cmd.c - uiommu show: what hangs where */
#include <argp.h>
#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "topo_file.h"
#include "topo/draw.h"

enum { OPT_DOT = 256, OPT_SVG, OPT_HTML, OPT_SIDSIZE, OPT_SYSFS, OPT_LIVE };

struct show_args {
	const char *machine, *iort, *sysfs;
	bool live;
	int pid;			/* @live; 0: the only one */
	enum { AS_TREE, AS_DOT, AS_SVG, AS_HTML, AS_JSON } how;
	unsigned sidsize;
};

static const struct argp_option options[] = {
	{ "machine", 'm', "FILE", 0, "Devicetree, source or blob; a FILE without an option "
	  "is taken as one, or as an IORT table or a dump of `uiommu dump' by what it begins "
	  "with", 0 },
	{ "iort", 'i', "FILE", 0, "ACPI IORT table (/sys/firmware/acpi/tables/IORT)", 0 },
	{ "sysfs", OPT_SYSFS, "DIR", OPTION_ARG_OPTIONAL,
	  "A running Linux: /sys/kernel/iommu_groups, or DIR", 0 },
	{ "live", OPT_LIVE, "PID", OPTION_ARG_OPTIONAL, "A live `uiommu run', with attaches and "
	  "faults: PID is its number or its program's; may be left out where there is only "
	  "one", 0 },
	{ "sidsize", OPT_SIDSIZE, "BITS", 0, "StreamIDs of the SMMUs have so many bits "
	  "(IDR1.SIDSIZE; a devicetree or IORT does not say)", 0 },
	{ "dot", OPT_DOT, NULL, 0, "Graphviz source", 0 },
	{ "svg", OPT_SVG, NULL, 0, "A picture, through graphviz", 0 },
	{ "html", OPT_HTML, NULL, 0, "One self-contained page with the picture and all tables", 0 },
	{ "json", 'j', NULL, 0, "JSON, schema uiommu-show/1", 0 },
	{ 0 },
};

static const char doc[] =
	"Draws which devices sit behind which SMMU under which StreamID, and says what bites: RIDs "
	"that share a StreamID or have none, StreamIDs that are too large, overlaps, mistakes "
	"in the tables.\v"
	"Exits with 0 when nothing is wrong, 1 when there are errors among the findings, 2 for a "
	"wrong command line, 125 when it could not work. uiommu-show(1) says more.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_args *s = state->input;
	uint64_t pid = 0;

	switch (key) {
	case 'm':
		s->machine = arg;
		return 0;
	case 'i':
		s->iort = arg;
		return 0;
	case OPT_SYSFS:
		s->sysfs = arg ? arg : "/sys/kernel/iommu_groups";
		return 0;
	case OPT_LIVE:
		s->live = true;
		if (arg && (!tool_number(arg, INT_MAX, &pid) || !pid))
			argp_error(state, "--live takes the number of a process, not `%s'", arg);
		s->pid = (int)pid;
		return 0;
	case OPT_SIDSIZE:
		s->sidsize = (unsigned)atoi(arg);
		if (s->sidsize < 1 || s->sidsize > 32)
			argp_error(state, "--sidsize takes 1 to 32, not `%s'", arg);
		return 0;
	case OPT_DOT:
	case OPT_SVG:
	case OPT_HTML:
		s->how = AS_DOT + (key - OPT_DOT);
		return 0;
	case 'j':
		s->how = AS_JSON;
		return 0;
	case ARGP_KEY_ARG:
		if (s->machine)
			argp_error(state, "one FILE, not two");
		s->machine = arg;
		return 0;
	case ARGP_KEY_END:
		if (!!s->machine + !!s->iort + !!s->sysfs + s->live != 1)
			argp_error(state, "one of FILE, --machine, --iort, --sysfs and --live is "
				   "needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_iort(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "rb");
	bool is = f && fread(magic, 1, 4, f) == 4 && !memcmp(magic, "IORT", 4);

	if (f)
		fclose(f);
	return is;
}

static int load_run(const struct show_args *s, struct topo *t)
{
	struct image img;
	int ret;

	image_init(&img);
	ret = s->live ? image_add_live(&img, s->pid) : image_add_core(&img, s->machine);
	if (!ret)
		ret = topo_of_image(&img, t);
	image_fini(&img);
	return ret;
}

static int load(const struct show_args *s, struct topo *t)
{
	char err[512];

	if (s->sysfs) {
		if (!topo_from_sysfs(s->sysfs, t, err, sizeof(err)))
			return 0;
		fprintf(stderr, "uiommu: %s\n", err);
		return -1;
	}
	if (s->live || (s->machine && image_is_core(s->machine)))
		return load_run(s, t);
	if (s->iort || is_iort(s->machine))
		return topo_file_iort(s->iort ? s->iort : s->machine, t);
	return topo_file_machine(s->machine, t);
}

static int draw(const struct show_args *s, const struct topo *t)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");

	switch (s->how) {
	case AS_DOT:
		draw_dot(t, stdout, true);
		return tool_flush();
	case AS_SVG:
		return draw_svg(t, stdout) ? EXIT_TROUBLE : tool_flush();
	case AS_HTML:
		return draw_html(t, stdout) ? EXIT_TROUBLE : tool_flush();
	case AS_JSON:
		return tool_print_json(draw_json(t));
	default:
		draw_tree(t, stdout, utf8, tool_colour(stdout));
		return tool_flush();
	}
}

int cmd_show(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .args_doc = "[FILE]",
				   .doc = doc };
	struct show_args s = { 0 };
	char name[] = "uiommu show";
	struct topo t = { 0 };
	bool errors = false;
	int ret;

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &s);
	ret = load(&s, &t) ? EXIT_TROUBLE : 0;
	if (!ret) {
		if (!s.sysfs)
			topo_check(&t, s.sidsize);
		ret = draw(&s, &t);
	}
	for (unsigned i = 0; i < t.num_findings; i++)
		errors |= t.findings[i].severity == TOPO_ERROR;
	topo_fini(&t);
	return ret ? ret : errors ? EXIT_NOTHING : 0;
}
