/* SPDX-License-Identifier: MIT */
/* decode.c - uiommu decode: text in, explanations out */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decode/decode.h"
#include "tool.h"
#include "topo_file.h"

struct decode {
	struct decode_options o;
	const char *machine, *iort;
	bool json;
	char **files;			/* NULL-terminated, or NULL: stdin */
};

static const struct {
	const char *name;
	enum decode_as as;
} kinds[] = {
	{ "event", AS_EVENT }, { "ste", AS_STE }, { "cd", AS_CD }, { "command", AS_COMMAND },
	{ "l1std", AS_L1STD }, { "l1cd", AS_L1CD }, { "pri", AS_PRI },
};

static const struct argp_option options[] = {
	{ "as", 'a', "KIND", 0, "Words without a heading are: event, ste, cd, command, l1std, "
	  "l1cd or pri", 0 },
	{ "machine", 'm', "FILE", 0, "Devicetree (source or blob) that says which device is behind "
	  "a StreamID", 0 },
	{ "iort", 'i', "FILE", 0, "ACPI IORT table that says so", 0 },
	{ "json", 'j', NULL, 0, "JSON, schema uiommu-decode/1", 0 },
	{ 0 },
};

static const char doc[] =
	"Explains SMMUv3 event records, stream table entries, context descriptors, commands and "
	"error lines: kernel logs, mails, hex words, hex dumps. Reads standard input where no FILE "
	"is given.\v"
	"Exits with 0 when something was found and explained, 1 when there was nothing, 2 for a "
	"wrong command line, 125 when it could not work. uiommu-decode(1) says more.";

static enum decode_as kind_arg(const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(arg, kinds[i].name))
			return kinds[i].as;
	argp_error(state, "--as takes event, ste, cd, command, l1std, l1cd or pri, not `%s'", arg);
	return AS_GUESS;
}

static int parse(int key, char *arg, struct argp_state *state)
{
	struct decode *d = state->input;

	switch (key) {
	case 'a':
		d->o.as = kind_arg(arg, state);
		return 0;
	case 'm':
		d->machine = arg;
		return 0;
	case 'i':
		d->iort = arg;
		return 0;
	case 'j':
		d->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		d->files = state->argv + state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int explain_files(const struct decode *d, struct report *r, unsigned *read)
{
	char *standard_input[] = { NULL, NULL };
	char **files = d->files ? d->files : standard_input;

	do {
		size_t bytes;
		char *text = tool_slurp(*files, &bytes);

		if (!text)
			return -1;
		*read += decode_text(text, bytes, &d->o, r);
		free(text);
	} while (*files && *++files);
	return 0;
}

static int say(const struct decode *d, const struct report *r)
{
	if (d->json)
		return tool_print_json(json_pack("{s:s, s:o}", "schema", "uiommu-decode/1", "items",
						 report_json(r)));
	report_print(r, stdout, tool_colour(stdout));
	if (!r->num_items)
		puts("Nothing was found that looks like an SMMUv3 event, an error line, an STE, a "
		     "CD or a command.");
	return tool_flush();
}

int cmd_decode(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .args_doc = "[FILE...]",
				   .doc = doc };
	struct decode d = { 0 };
	char name[] = "uiommu decode";
	struct topo topo = { 0 };
	struct report r;
	unsigned read = 0;
	int ret;

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &d);
	if ((d.machine && topo_file_machine(d.machine, &topo)) ||
	    (d.iort && topo_file_iort(d.iort, &topo))) {
		topo_fini(&topo);
		return EXIT_TROUBLE;
	}
	if (d.machine || d.iort) {
		d.o.name_sid = topo_name_sid;
		d.o.name_ctx = &topo;
	}
	report_init(&r);
	ret = explain_files(&d, &r, &read) ? EXIT_TROUBLE : say(&d, &r);
	report_fini(&r);
	topo_fini(&topo);
	return ret ? ret : read ? 0 : EXIT_NOTHING;
}
