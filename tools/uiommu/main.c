/* SPDX-License-Identifier: MIT */
/* main.c - the command line: which command, and what there is */
#include <argp.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"
#include "version.h"

const char *argp_program_version = "uiommu " UIOMMU_VERSION;

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },
	{ "decode", cmd_decode },
	{ "walk", cmd_walk },
	{ "show", cmd_show },
	{ "dump", cmd_dump },
};

static const char doc[] =
	"A software IOMMU for programs that use /dev/iommu and VFIO devices, and explanations of "
	"what real SMMUs say.\v"
	"Commands:\n"
	"  run [OPTION...] -- PROGRAM [ARG...]   run PROGRAM on a software machine\n"
	"  decode [FILE...]                      explain logs, event records, STEs, CDs\n"
	"  walk --live|--dump FILE|--mem ...     explain one DMA, entry by entry\n"
	"  show FILE|--live                      draw who is behind which SMMU, and what bites\n"
	"  dump [PID]                            write down the memory of a live run\n"
	"\n"
	"`uiommu COMMAND --help' says more about one.";

static int parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		state->next--;		/* the command stays for whoever dispatches */
		*(int *)state->input = state->next;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		fprintf(stderr, "uiommu: which command? `uiommu --help' lists them.\n");
		exit(EXIT_USAGE);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	const struct argp argp = { .parser = parse, .args_doc = "COMMAND [ARG...]", .doc = doc };
	int at = 0;

	setlocale(LC_ALL, "");
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &at);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[at], commands[i].name))
			return commands[i].fn(argc - at, argv + at);
	fprintf(stderr, "uiommu: there is no command \"%s\"; `uiommu --help' lists them.\n",
		argv[at]);
	return EXIT_USAGE;
}
