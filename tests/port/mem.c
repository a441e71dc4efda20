/* SPDX-License-Identifier: MIT */
/* The four functions of src/port/mem.c, under other names beside the libc's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

void *t_memcpy(void *dst, const void *src, size_t n);
void *t_memmove(void *dst, const void *src, size_t n);
void *t_memset(void *dst, int c, size_t n);
int t_memcmp(const void *a, const void *b, size_t n);

#define N 48

static void fill(unsigned char *p)
{
	for (unsigned i = 0; i < N; i++)
		p[i] = (unsigned char)(i * 37 + 11);
}

static void each_offset_and_length_as_the_libc(void **state)
{
	unsigned char a[N], b[N], src[N];

	fill(src);
	for (size_t to = 0; to < 16; to++) {
		for (size_t from = 0; from < 16; from++) {
			for (size_t n = 0; n <= N - 16; n++) {
				fill(a);
				fill(b);
				assert_ptr_equal(t_memmove(a + to, a + from, n), a + to);
				memmove(b + to, b + from, n);
				assert_memory_equal(a, b, N);
				assert_ptr_equal(t_memcpy(a + to, src + from, n), a + to);
				memcpy(b + to, src + from, n);
				assert_memory_equal(a, b, N);
				assert_ptr_equal(t_memset(a + to, 0x1fe, n), a + to);
				memset(b + to, 0x1fe, n);
				assert_memory_equal(a, b, N);
			}
		}
	}
}

static void comparison_is_of_unsigned_bytes(void **state)
{
	assert_int_equal(t_memcmp("abc", "abc", 3), 0);
	assert_int_equal(t_memcmp("abc", "abd", 2), 0);
	assert_true(t_memcmp("abc", "abd", 3) < 0);
	assert_true(t_memcmp("\xff", "\x01", 1) > 0);
	assert_int_equal(t_memcmp("a", "b", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_offset_and_length_as_the_libc),
		cmocka_unit_test(comparison_is_of_unsigned_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
