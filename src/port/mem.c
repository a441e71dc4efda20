/* SPDX-License-Identifier: MIT */
/*
 * src/port/mem.c - the four functions that compilers call even in freestanding
 * code (structure copies, zeroing). Weak, and alone in an object of their own: a
 * build that has a libc leaves this file out, a kernel's own win over these.
 *
 * Small rather than fast: nothing hot in this library copies memory. Compile with
 * -fno-tree-loop-distribute-patterns (gcc) or -fno-builtin (clang), or the loops
 * below become calls to themselves; the attribute asks for it once more.
 */
#include <stddef.h>

#if defined(__clang__)
#define WEAK __attribute__((weak, no_builtin))
#else
#define WEAK __attribute__((weak, optimize("no-tree-loop-distribute-patterns")))
#endif

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

WEAK void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	const unsigned char *s = src;
	unsigned char *d = dst;

	while (n--)
		*d++ = *s++;
	return dst;
}

WEAK void *memmove(void *dst, const void *src, size_t n)
{
	const unsigned char *s = src;
	unsigned char *d = dst;

	if (d <= s) {
		while (n--)
			*d++ = *s++;
		return dst;
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

WEAK void *memset(void *dst, int c, size_t n)
{
	unsigned char *d = dst;

	while (n--)
		*d++ = (unsigned char)c;
	return dst;
}

WEAK int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
