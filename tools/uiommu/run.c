/* SPDX-License-Identifier: MIT */
/* run.c - uiommu run: a program, a machine for it, and what to show of it */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/machine.h"
#include "server/server.h"
#include "show.h"
#include "tool.h"

struct run {
	const char *machine;
	enum show_mode show;
	bool quiet, no_io_uring;
	char **program;			/* and its arguments, NULL-terminated */
};

static const struct argp_option options[] = {
	{ "machine", 'm', "FILE", 0,
	  "Devicetree of the machine, source (.dts) or blob (.dtb); docs/MACHINE.md", 0 },
	{ "show", 's', "every", OPTION_ARG_OPTIONAL,
	  "Show on stderr what is attached to what before it is taken apart (`every': after each "
	  "change), and every fault", 0 },
	{ "quiet", 'q', NULL, 0, "Say nothing but what is asked for", 0 },
	{ "no-io-uring", 'U', NULL, 0,
	  "Pin memory the second-best way, as where io_uring is switched off", 0 },
	{ 0 },
};

static const char doc[] =
	"Runs PROGRAM so that it finds a software IOMMU in /dev/iommu and VFIO devices behind it "
	"in /dev/vfio/devices. Exits as PROGRAM does; 127 when there is no such program, 125 when "
	"the machine could not be built.";

static int parse(int key, char *arg, struct argp_state *state)
{
	struct run *r = state->input;

	switch (key) {
	case 'm':
		r->machine = arg;
		return 0;
	case 's':
		if (arg && strcmp(arg, "every"))
			argp_error(state, "--show takes nothing or `every', not `%s'", arg);
		r->show = arg ? SHOW_EVERY : SHOW_COMPLETE;
		return 0;
	case 'q':
		r->quiet = true;
		return 0;
	case 'U':
		r->no_io_uring = true;
		return 0;
	case ARGP_KEY_ARG:
		r->program = state->argv + state->next - 1;
		state->next = state->argc;	/* the rest is the program's */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which program?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int trouble(const char *sentence)
{
	fprintf(stderr, "uiommu: %s\n", sentence);
	return EXIT_TROUBLE;
}

static int serve(const struct run *r, const void *dtb, size_t dtb_bytes)
{
	struct show show;
	struct uiommu_server_config cfg = {
		.dtb = dtb,
		.dtb_bytes = dtb_bytes,
		.observer = r->show != SHOW_OFF ? &show.observer : NULL,
		.quiet = r->quiet,
		.no_io_uring = r->no_io_uring,
	};
	struct uiommu_server *server;
	char err[512] = "";
	int status;

	show_init(&show, r->show, stderr);
	if (uiommu_server_create(&cfg, &server, err, sizeof(err))) {
		show_fini(&show);
		return trouble(err);
	}
	show_start(&show, uiommu_machine_instance(uiommu_server_machine(server)));
	status = uiommu_server_run(server, r->program, environ);
	show_end(&show);
	uiommu_server_destroy(server);
	show_fini(&show);
	return uiommu_server_exit_code(status);
}

int cmd_run(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse,
				   .args_doc = "PROGRAM [ARG...]", .doc = doc };
	struct run r = { 0 };
	char name[] = "uiommu run", err[512];
	size_t bytes = 0;
	void *dtb = NULL;
	int ret;

	argv[0] = name;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &r);
	if (r.machine && machine_file(r.machine, &dtb, &bytes, err, sizeof(err)))
		return trouble(err);
	ret = serve(&r, dtb, bytes);
	free(dtb);
	return ret;
}
