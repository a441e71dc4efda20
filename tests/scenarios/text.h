/* SPDX-License-Identifier: MIT */
/* text.h - a line of a transcript, without a C library */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>

#include "world.h"

/* A line: %s, %u, %x (of 64 bits: uint64_t is wanted) and %%. Cut at 240 characters. */
void tell(const char *fmt, ...);

#endif
