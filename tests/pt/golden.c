/* SPDX-License-Identifier: MIT */
/*
 * Entries, bit by bit, against values typed apart: tests/golden/pt-arm-s1-4k.txt.
 * The file's name is the argument; each of its lines is a case.
 */
#include "arena.h"

#include "src/pt/fmt/arm_lpae_regs.h"

const struct instance *current;
static FILE *golden;

static unsigned prot_of(const char *s)
{
	unsigned p = 0;

	for (; *s; s++)
		p |= *s == 'r' ? UIOMMU_PROT_READ : *s == 'w' ? UIOMMU_PROT_WRITE :
		     *s == 'x' ? UIOMMU_PROT_EXEC : *s == 'p' ? UIOMMU_PROT_PRIV :
		     *s == 'm' ? UIOMMU_PROT_MMIO : 1u << 31;
	return p;
}

/* Each under a gigabyte of its own: no table of an earlier line is in the way. */
static void check_leaf(struct fixture *x, uint64_t iova, const char *prot, unsigned lg2,
		       uint64_t pa, uint64_t want)
{
	uint64_t len = 1ull << lg2;

	assert_int_equal(x->pt.ops->map(&x->pt, iova, pa, len, prot_of(prot), NULL), 0);
	if (hw(x, iova).entry != want)
		print_message("leaf %s %u at %#llx\n", prot, lg2, (unsigned long long)pa);
	assert_int_equal(hw(x, iova).lg2, lg2);
	assert_int_equal(hw(x, iova).entry, want);
	assert_int_equal(unmap(x, iova, len, NULL), 0);
	assert_int_equal(hw(x, iova).entry, 0);
}

/* Makes the next table lie where the line wants it. */
static void check_table(struct fixture *x, uint64_t next, uint64_t want)
{
	struct uiommu_pt_step s[8];
	unsigned n;

	x->arena.next = (next - ARENA_PA) / ARENA_UNIT;
	assert_int_equal(map(x, 0, 0x1000, 4 * K, NULL), 0);
	assert_int_equal(x->pt.ops->walk(&x->pt, 0, s, 8, &n), 0);
	assert_int_equal(s[0].next_pa, next);
	assert_int_equal(hw_read(&x->arena, top_pa(x)), want);
	assert_int_equal(s[0].entry, want);
	for (uint64_t a = 0; a < x->size; a += 512 * G)
		assert_int_equal(unmap(x, a, 512 * G, NULL), 0);
}

static void check_const(const char *name, uint64_t want)
{
	static const struct { const char *name; uint64_t value; } have[] = {
		{ "MAIR", ARM_LPAE_MAIR },
		{ "T0SZ_48", ARM_LPAE_TCR_T0SZ(48) }, { "T0SZ_39", ARM_LPAE_TCR_T0SZ(39) },
		{ "T0SZ_25", ARM_LPAE_TCR_T0SZ(25) },
		{ "TG0_4K", ARM_LPAE_TCR_TG0_4K }, { "RGN_WBWA", ARM_LPAE_TCR_RGN_WBWA },
		{ "SH_INNER", ARM_LPAE_TCR_SH_INNER },
	};

	if (!strncmp(name, "IPS_", 4)) {
		assert_int_equal(arm_lpae_ips(atoi(name + 4)), want);
		return;
	}
	for (size_t i = 0; i < sizeof(have) / sizeof(*have); i++) {
		if (strcmp(name, have[i].name))
			continue;
		assert_int_equal(have[i].value, want);
		return;
	}
	fail_msg("the golden file names an unknown constant: %s", name);
}

static void entries_are_as_the_architecture_says(void **state)
{
	struct fixture *x = *state;
	unsigned long long a, b;
	char line[256], name[32];
	unsigned lg2, cases = 0;

	for (; fgets(line, sizeof(line), golden); cases++) {
		if (sscanf(line, "leaf %31s %u %llx %llx", name, &lg2, &a, &b) == 4)
			check_leaf(x, (cases + 1) * G, name, lg2, a, b);
		else if (sscanf(line, "table %llx %llx", &a, &b) == 2)
			check_table(x, a, b);
		else if (sscanf(line, "const %31s %lli", name, (long long *)&a) == 2)
			check_const(name, a);
		else if (*line != '#' && *line != '\n')
			fail_msg("cannot read: %s", line);
		else
			cases--;
	}
	assert_true(cases >= 30);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { TEST(entries_are_as_the_architecture_says) };

	golden = argc > 1 ? fopen(argv[1], "r") : NULL;
	if (!golden) {
		fprintf(stderr, "usage: %s <tests/golden/pt-arm-s1-4k.txt>\n", argv[0]);
		return 2;
	}
	current = &instances[0];
	return cmocka_run_group_tests_name(current->name, tests, NULL, NULL);
}
