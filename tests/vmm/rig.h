/* SPDX-License-Identifier: MIT */
/*
 * rig.h - what the virtual SMMU of examples/vmm stands on, for its tests: a host that takes
 * notes, and a VM that is memory
 */
#ifndef TESTS_VMM_RIG_H
#define TESTS_VMM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "examples/vmm/say.h"
#include "examples/vmm/vm.h"

/* What the host was asked for. */
struct notes {
	uint64_t ste[8][2];		/* of the last nested page table, by device */
	unsigned nested, live;		/* page tables made; and not given back */
	int refuse;			/* errno of the next nested page table; then 0 */
	uint64_t cmd[256][2];
	unsigned cmds, calls;
	uint64_t refused;		/* an opcode that the host does not take */
	uint32_t cookie[64];
	bool success[64];
	unsigned responses;
	struct {
		uint64_t base, bytes;	/* bytes 0: the host does not have it */
	} queue[8];
	unsigned queues_made;
	int refuse_queue;		/* errno of every one, while it is not 0 */
};

extern struct notes host;
extern struct vm vm;
extern uint8_t ram[VM_RAM_BYTES];

/* A VM without devices, a host that has been asked nothing. */
void rig_reset(void);
/* guest memory */
uint64_t *at(uint64_t pa);

#endif
