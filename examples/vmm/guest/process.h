/* SPDX-License-Identifier: MIT */
/*
 * process.h - programs of the guest's, and devices that work in their address spaces
 *
 * A process has a page table, which CPU and devices walk alike, and ranges of addresses
 * that it may use. Pages come when they are touched: by the CPU, or by a device that
 * asks for them (PRI). The library is told what changes (uiommu/sva.h).
 */
#ifndef VMM_GUEST_PROCESS_H
#define VMM_GUEST_PROCESS_H

#include "kernel.h"

#define PROCESS_RANGES	4u

struct range {
	uint64_t start, bytes;		/* bytes 0: none */
};

struct process {
	struct kernel *k;
	uint32_t lock;			/* pages and ranges */
	struct uiommu_pt pt;
	struct uiommu_mm *mm;
	struct range range[PROCESS_RANGES];
	unsigned served, refused;	/* requests of devices, by how they were answered */
	bool stopped;			/* none is answered */
};

struct process *process_create(struct kernel *k, const char *name);
/* nothing is bound any more */
void process_exit(struct process *p);
/* addresses that it may use from now on */
bool process_mmap(struct process *p, uint64_t va, uint64_t bytes);
/* all of a range: when it returns no device reaches it */
void process_munmap(struct process *p, uint64_t va);
/* The CPU's accesses; false: there is nothing it may use. */
bool process_write(struct process *p, uint64_t va, const void *buf, size_t bytes);
bool process_read(struct process *p, uint64_t va, void *buf, size_t bytes);
/* how many page requests of devices have been answered, and how many by "no" */
unsigned process_served(struct process *p, unsigned *refused);
/* From now on it answers no device: what asks for a page waits, until it is detached. */
void process_stop(struct process *p);

#endif
