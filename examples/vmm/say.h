/* SPDX-License-Identifier: MIT */
/* say.h - what is told, and checked; several threads may */
#ifndef VMM_SAY_H
#define VMM_SAY_H

#include <stdbool.h>

/* a line as it is */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "  ok   what", or "  FAIL what", which is counted; returns @ok */
bool check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "  what", and errno in words; the end */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* how many checks there were so far, and how many of them failed */
unsigned checks_done(void);
unsigned checks_failed(void);

#endif
