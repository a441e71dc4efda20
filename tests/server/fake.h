/* SPDX-License-Identifier: MIT */
/* What the fake "iommu" of these tests can be asked, shared by both sides. */
#ifndef TESTS_SERVER_FAKE_H
#define TESTS_SERVER_FAKE_H

#include <stdint.h>

enum fake_cmd {
	FAKE_PIN = 1,		/* struct fake_pin; returns its number */
	FAKE_UNPIN,		/* arg: number */
	FAKE_DMA,		/* struct fake_dma */
	FAKE_FILE,		/* arg: fd; 1 eventfd (and 1 is added to it), 2 an object of ours,
				   0 other */
	FAKE_RELEASED,		/* how many objects were released so far */
	FAKE_OBJECTS,		/* how many are open */
	FAKE_COPY,		/* arg: address of 8 bytes: each bit is inverted */
	FAKE_KEEP_AS,		/* keep a handle on the caller's memory */
	FAKE_PASS,		/* said at its end by a process whose status nobody sees */
	FAKE_KEPT_COPY,		/* arg: as FAKE_COPY, in the memory that was kept */
};

/* mmap() of two pages; at this offset they have a file of their own */
#define FAKE_OWN 0x100000

struct fake_pin {
	uint64_t va, len, prot, like;
	uint64_t pa;		/* out */
};

struct fake_dma {
	uint64_t pin, off, len, write;
	uint64_t buf;
};

#endif
