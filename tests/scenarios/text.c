/* SPDX-License-Identifier: MIT */
/* text.c - see text.h */
#include "text.h"

struct line {
	char text[240];
	unsigned n;
};

static void put(struct line *l, char c)
{
	if (l->n < sizeof(l->text) - 1)
		l->text[l->n++] = c;
}

static void put_string(struct line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

static void put_number(struct line *l, uint64_t v, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(l, digits[--n]);
}

void tell(const char *fmt, ...)
{
	struct line l = { .n = 0 };
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&l, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == 's')
			put_string(&l, va_arg(ap, const char *));
		else if (*fmt == 'u')
			put_number(&l, va_arg(ap, unsigned), 10);
		else if (*fmt == 'x')
			put_number(&l, va_arg(ap, uint64_t), 16);
		else
			put(&l, *fmt);
	}
	va_end(ap);
	l.text[l.n] = 0;
	world.say(l.text);
}
