/* SPDX-License-Identifier: MIT */
/*
 * quirks.h - where QEMU's SMMUv3 (9.1 to 11.1) departs from the architecture, as far as a
 * configuration can show it. docs/QEMU.md is this list in words.
 */
#ifndef QUIRKS_H
#define QUIRKS_H

#include "differ.h"

#define QUIRKS_MAX 64

/*
 * Is the difference between @ours and @theirs one that is known? Ours runs again on what
 * QEMU takes @c for, and must come to what QEMU came to. @why: set bit n for quirk n.
 */
bool quirk_explains(const struct differ_case *c, const struct differ_result *ours,
		    const struct differ_result *theirs, uint64_t *why);
/* Its name; NULL behind the last. */
const char *quirk_name(unsigned n);

#endif
