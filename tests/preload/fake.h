/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/fake.h - what the fake server answers to programs that test the
 * preloaded library
 *
 * Device vfio0 has region 0: FAKE_BAR_BYTES of plain memory whose every access is
 * logged, trapped when mapped at offset 0 of the file, and shared memory when
 * mapped at FAKE_SHARED. At FAKE_OWN, all of it or -ENXIO, a mapping is trapped and
 * is a file of its own (FAKE_OBJECTS). pread/pwrite reach the same bytes as the trapped one.
 */
#ifndef TESTS_PRELOAD_FAKE_H
#define TESTS_PRELOAD_FAKE_H

#include <stdint.h>
#include <sys/ioctl.h>

#define FAKE_BAR_BYTES		0x4000
#define FAKE_SHARED		0x100000
#define FAKE_OWN		0x200000

struct fake_log {
	uint32_t loads, stores;		/* since the last FAKE_LOG */
	uint32_t last_load, last_store;	/* their sizes */
};

struct fake_pin {
	uint64_t addr, len;
	int32_t result;			/* what the upcall said */
};

#define FAKE_ECHO	_IO(';', 0xe0)	/* returns the argument */
#define FAKE_LOG	_IO(';', 0xe1)	/* struct fake_log; starts it anew */
#define FAKE_OBJECTS	_IO(';', 0xe2)	/* returns how many files are open */
#define FAKE_DIE	_IO(';', 0xe3)	/* the server ends without an answer */
#define FAKE_RING	_IO(';', 0xe4)	/* makes the client make a ring; returns ret */
#define FAKE_PIN	_IO(';', 0xe5)	/* struct fake_pin: pin in slot 0 */
#define FAKE_HIDE	_IO(';', 0xe6)	/* struct fake_pin: hide */
#define FAKE_PEEK	_IO(';', 0xe7)	/* first byte of what was hidden, wherever it is now */
#define FAKE_CLIENTS	_IO(';', 0xe8)	/* returns how many connections there are */
#define FAKE_RELEASE	_IO(';', 0xe9)	/* unhide what was hidden */
#define FAKE_SLOW	_IO(';', 0xea)	/* answers after 100 ms */
#define FAKE_PROTECT	_IO(';', 0xeb)	/* struct fake_pin: mprotect it to result */

#endif
