/* SPDX-License-Identifier: MIT */
/*
 * work.h - what the guests do, and look at afterwards: each is for vm_run()
 *
 * Of every device queue 0 is the kernel's, by its RID, and queues 1 and 2 are of the two
 * processes, by their PASIDs. All have the same addresses, in both VMs.
 */
#ifndef VMM_GUEST_WORK_H
#define VMM_GUEST_WORK_H

#include <stdatomic.h>

#include "kernel.h"

/* @arg: struct board_device: the kernel takes it. */
void work_add_device(struct kernel *k, void *arg);
/* likewise, of one that comes later: kernel and processes use it as the others */
void work_new_device(struct kernel *k, void *arg);
/* The kernel maps, copies by each device, unmaps: and then they do not get there. */
void work_kernel(struct kernel *k, void *arg);
/* Two processes, each on two devices: what they copy, what they ask for, what they may not. */
void work_processes(struct kernel *k, void *arg);
/* What a process gives back no device reaches. */
void work_munmap(struct kernel *k, void *arg);
/* @arg: unsigned, how often: the kernel maps and unmaps a page on each device. */
void work_unmaps(struct kernel *k, void *arg);
/* queue.c: a command queue of the guest's own has an error, and nobody else has */
void work_bad_command(struct kernel *k, void *arg);
/* The processes end. */
void work_exit(struct kernel *k, void *arg);

/* All queues of all devices, until @stop: every byte is looked at. */
struct storm {
	atomic_bool stop;
	atomic_uint rounds;
	bool kernel_maps;		/* in each round anew: invalidations too */
	unsigned wrong;			/* copies that were not what they should be */
	unsigned events;		/* that came meanwhile */
};
void work_storm(struct kernel *k, void *arg);

/* A device of a process asks for a page, and nobody answers any more. */
void work_leave_waiting(struct kernel *k, void *arg);

#endif
