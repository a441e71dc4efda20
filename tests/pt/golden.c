/* SPDX-License-Identifier: MIT */
/*
 * Entries, bit by bit, against values typed apart: tests/golden/pt-*.txt. The files'
 * names are the arguments; each of their lines is a case.
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

static uint64_t entry_at(struct fixture *x, uint64_t iova, unsigned *lg2)
{
	struct uiommu_pt_step s[8];
	unsigned n;

	assert_int_equal(x->pt.ops->walk(&x->pt, iova, s, 8, &n), 0);
	*lg2 = s[n - 1].page_lg2;
	return hw_read(&x->arena, s[n - 1].entry_pa);
}

/* Alone in its table: no table of an earlier line is in the way. */
static void check_leaf(struct fixture *x, const char *prot, unsigned lg2, uint64_t pa,
		       uint64_t want)
{
	uint64_t len = 1ull << lg2, iova = lg2 < 48 ? len : 0, got;
	unsigned page;

	assert_int_equal(x->pt.ops->map(&x->pt, iova, pa, len, prot_of(prot), NULL), 0);
	got = entry_at(x, iova, &page);
	if (got != want)
		print_message("%s leaf %s %u at %#llx\n", x->pt.ops->name, prot, lg2,
			      (unsigned long long)pa);
	assert_int_equal(page, lg2);
	assert_int_equal(got, want);
	assert_int_equal(unmap(x, iova, len, NULL), 0);
	assert_int_equal(entry_at(x, iova, &page), 0);
	x->pt.ops->trim(&x->pt, &x->gather);
	uiommu_gather_free(&x->gather, &x->arena.host);
}

/* Makes the next table lie where the line wants it. */
static void check_table(struct fixture *x, uint64_t next, uint64_t want)
{
	uint64_t page = x->pt.ops->pgsizes & -x->pt.ops->pgsizes;
	struct uiommu_pt_step s[8];
	unsigned n;

	x->arena.next = (next - ARENA_PA) / ARENA_UNIT;
	assert_int_equal(map(x, 0, page, page, NULL), 0);
	assert_int_equal(x->pt.ops->walk(&x->pt, 0, s, 8, &n), 0);
	assert_int_equal(s[0].next_pa, next);
	assert_int_equal(hw_read(&x->arena, top_pa(x)), want);
	assert_int_equal(s[0].entry, want);
	assert_int_equal(unmap(x, 0, page, NULL), 0);
	x->pt.ops->trim(&x->pt, &x->gather);
	uiommu_gather_free(&x->gather, &x->arena.host);
}

static const struct uiommu_pt_ops *ops_of(const char *name)
{
	for (size_t i = 0; i < INSTANCES; i++)
		if (!strcmp(instances[i].ops->name, name))
			return instances[i].ops;
	fail_msg("the golden file names an unknown instance: %s", name);
	return NULL;
}

/* Another table, of another instance. */
static void check_instance(struct fixture *x, const char *name, unsigned ias, unsigned oas,
			   const char *flags)
{
	struct uiommu_pt_config cfg = { .ias_lg2 = ias, .oas_lg2 = oas };

	x->pt.ops->fini(&x->pt);
	x->arena.next = 0;
	cfg.flags = (strchr(flags, 'c') ? CONTIG : 0) | (strchr(flags, 'd') ? DIRTY : 0);
	assert_int_equal(ops_of(name)->init(&x->pt, &x->arena.host, &cfg), 0);
	if (strchr(flags, 't'))
		assert_int_equal(x->pt.ops->set_dirty_tracking(&x->pt, true), 0);
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

static bool check_line(struct fixture *x, const char *line)
{
	unsigned long long a, b;
	unsigned lg2, oas;
	char name[32], flags[8];

	if (sscanf(line, "leaf %31s %u %llx %llx", name, &lg2, &a, &b) == 4)
		check_leaf(x, name, lg2, a, b);
	else if (sscanf(line, "table %llx %llx", &a, &b) == 2)
		check_table(x, a, b);
	else if (sscanf(line, "instance %31s %u %u %7s", name, &lg2, &oas, flags) == 4)
		check_instance(x, name, lg2, oas, flags);
	else if (sscanf(line, "const %31s %lli", name, (long long *)&a) == 2)
		check_const(name, a);
	else
		return false;
	return true;
}

static void entries_are_as_the_architecture_says(void **state)
{
	unsigned cases = 0;
	char line[256];

	while (fgets(line, sizeof(line), golden)) {
		if (check_line(*state, line))
			cases++;
		else if (*line != '#' && *line != '\n')
			fail_msg("cannot read: %s", line);
	}
	assert_true(cases >= 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { TEST(entries_are_as_the_architecture_says) };
	int failed = 0;

	current = &instances[0];
	for (int i = 1; i < argc; i++) {
		golden = fopen(argv[i], "r");
		if (!golden) {
			perror(argv[i]);
			return 2;
		}
		failed += cmocka_run_group_tests_name(argv[i], tests, NULL, NULL);
		fclose(golden);
	}
	if (argc < 2)
		fprintf(stderr, "usage: %s tests/golden/pt-*.txt\n", argv[0]);
	return failed || argc < 2;
}
