/* SPDX-License-Identifier: MIT */
/* transcript.c - the shared scenarios on the software SMMUv3, to standard output */
#include <stdio.h>

#include "process.h"
#include "scenarios.h"

static void print(const char *line)
{
	puts(line);
}

int main(void)
{
	process_begin(0x105, print);
	scenarios_all();
	process_end();
	puts("end");
	return 0;
}
