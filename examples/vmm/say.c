/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned passed, failed;		/* lock */

static void line(const char *before, const char *fmt, va_list ap)
{
	fputs(before, stdout);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	line("", fmt, ap);
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	ok ? passed++ : failed++;
	line(ok ? "  ok   " : "  FAIL ", fmt, ap);
	pthread_mutex_unlock(&lock);
	va_end(ap);
	return ok;
}

void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "vmm: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(err));
	va_end(ap);
	_Exit(1);
}

unsigned checks_done(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = passed + failed;
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned checks_failed(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = failed;
	pthread_mutex_unlock(&lock);
	return n;
}
