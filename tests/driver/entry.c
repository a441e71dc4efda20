/* SPDX-License-Identifier: MIT */
/*
 * STE and CD as values, and how they get into memory. Hardware is played at each
 * sync: until it completes, each word that the step stored may have been read
 * before or after, in every combination.
 */
#include "bench.h"

/*
 * What hardware looks at, typed apart from src/smmuv3/entry.c: bit positions of IHI
 * 0070, chapter 5, as far as anything sets them.
 */
#define BITS(hi, lo)	(~0ull >> (63 - (hi) + (lo)) << (lo))

static void looked_at_ste(const uint64_t *e, uint64_t *u)
{
	unsigned config = e[0] >> 1 & 7;

	memset(u, 0, 64);
	u[0] = 1;
	if (!(e[0] & 1))
		return;
	u[0] |= BITS(3, 1);
	if (config == 4)
		u[1] |= BITS(45, 44);				/* SHCFG */
	if (config == 5 || config == 7) {
		u[0] |= BITS(63, 59) | BITS(51, 4);		/* S1CDMax, S1ContextPtr, S1Fmt */
		u[1] |= BITS(7, 0) | BITS(19, 19) | BITS(31, 27);
		u[2] |= BITS(15, 0);				/* S2VMID */
		if ((e[1] & 3) == 1)
			u[1] |= BITS(45, 44);
	}
	if (config == 6 || config == 7) {
		u[1] |= BITS(19, 19) | BITS(25, 25) | BITS(29, 28) | BITS(45, 44);
		u[2] |= BITS(15, 0) | BITS(52, 32) | BITS(58, 54);
		u[3] |= BITS(51, 4);
	}
}

static void looked_at_cd(const uint64_t *e, uint64_t *u)
{
	memset(u, 0, 64);
	u[0] = BITS(31, 31);
	if (!(e[0] & u[0]))
		return;
	memset(u, 0xff, 64);
	if (!(e[0] >> 14 & 1))
		return;
	u[0] &= ~BITS(13, 0);					/* T0SZ, TG0, IR0, OR0, SH0 */
	u[1] &= ~BITS(51, 4);					/* TTB0 */
}

/* Bits that may change at any time: MEV; EATS, unless it is split or stage 2 stalls. */
static void free_bits(bool ste, const uint64_t *from, const uint64_t *to, uint64_t *f)
{
	memset(f, 0, 64);
	if (!ste)
		return;
	f[1] = BITS(19, 19);
	if ((from[1] >> 28 & 3) < 2 && (to[1] >> 28 & 3) < 2 && !((from[2] | to[2]) >> 57 & 1))
		f[1] |= BITS(28, 28);
}

struct play {
	bool ste;
	uint64_t entry[8], start[8], target[8];
	uint64_t synced[8];		/* as it was when hardware last forgot it */
	unsigned syncs;
	bool invalid;			/* hardware could see V=0 in between */
	int fail_at;
};

static void looked_at(const struct play *p, const uint64_t *e, uint64_t *u)
{
	if (p->ste)
		looked_at_ste(e, u);
	else
		looked_at_cd(e, u);
}

static bool valid(const struct play *p, const uint64_t *e)
{
	return p->ste ? e[0] & 1 : e[0] >> 31 & 1;
}

/* is @view what hardware would do with @as? */
static bool same(const struct play *p, const uint64_t *view, const uint64_t *as)
{
	uint64_t used[8], open[8];

	looked_at(p, as, used);
	free_bits(p->ste, p->start, p->target, open);
	for (unsigned i = 0; i < 8; i++)
		if ((view[i] ^ as[i]) & used[i] & ~open[i])
			return false;
	return true;
}

static void look(struct play *p)
{
	unsigned changed[8], n = 0;

	for (unsigned i = 0; i < 8; i++)
		if (p->entry[i] != p->synced[i])
			changed[n++] = i;
	for (unsigned mix = 0; mix < 1u << n; mix++) {
		uint64_t view[8];

		memcpy(view, p->entry, sizeof(view));
		for (unsigned i = 0; i < n; i++)
			if (mix >> i & 1)
				view[changed[i]] = p->synced[changed[i]];
		if (same(p, view, p->start) || same(p, view, p->target))
			continue;
		assert_false(valid(p, view));
		p->invalid = true;
	}
}

static int play_sync(void *ctx)
{
	struct play *p = ctx;

	assert_memory_not_equal(p->entry, p->synced, sizeof(p->entry));
	look(p);
	memcpy(p->synced, p->entry, sizeof(p->synced));
	p->syncs++;
	return p->fail_at && (int)p->syncs == p->fail_at ? -UIOMMU_ETIMEDOUT : 0;
}

static struct smmu_writer writer(struct play *p)
{
	static const struct uiommu_host host;

	return (struct smmu_writer){
		.host = &host, .sync = play_sync, .ctx = p,
		.used = p->ste ? uiommu_smmuv3_ste_used : uiommu_smmuv3_cd_used,
		.safe = p->ste ? uiommu_smmuv3_ste_safe : NULL,
	};
}

static struct play play(bool ste, const uint64_t *from, const uint64_t *to)
{
	struct play p = { .ste = ste };
	const struct smmu_writer w = writer(&p);

	memcpy(p.entry, from, 64);
	memcpy(p.start, from, 64);
	memcpy(p.synced, from, 64);
	memcpy(p.target, to, 64);
	assert_int_equal(uiommu_smmuv3_write_entry(&w, p.entry, to), 0);
	assert_memory_equal(p.entry, to, 64);
	return p;
}

/* ---- the bound: what Linux 7.2's way costs for the same pair ---- */

struct cost {
	unsigned syncs;
	bool hits;			/* V=0 shows */
};

/* Words [@first, @end) but @skip become @want; a step that changes something is a sync. */
static unsigned step(uint64_t *cur, const uint64_t *want, unsigned first, unsigned end,
		     unsigned skip)
{
	unsigned changed = 0;

	for (unsigned i = first; i < end; i++) {
		if (i == skip || cur[i] == want[i])
			continue;
		cur[i] = want[i];
		changed = 1;
	}
	return changed;
}

static struct cost bound(bool ste, const uint64_t *from, const uint64_t *to)
{
	const struct play p = { .ste = ste };
	uint64_t cur[8], mid[8], zero[8] = { 0 }, uf[8], ut[8], open[8];
	unsigned critical = 0, last = 8;

	memcpy(cur, from, 64);
	looked_at(&p, from, uf);
	looked_at(&p, to, ut);
	free_bits(ste, from, to, open);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t kept = uf[i] & ~(open[i] & uf[i] & ut[i]);

		mid[i] = (from[i] & kept) | (to[i] & ~kept);
		if ((mid[i] ^ to[i]) & ut[i]) {
			critical++;
			last = i;
		}
	}
	if (!critical)
		return (struct cost){ step(cur, to, 0, 8, 8), false };
	if (critical > 1)
		return (struct cost){ step(cur, zero, 0, 1, 8) + step(cur, to, 1, 8, 8) +
				      step(cur, to, 0, 1, 8), true };
	return (struct cost){ step(cur, mid, 0, 8, last) + step(cur, to, last, last + 1, 8) +
			      step(cur, to, 0, 8, 8), false };
}

static void no_worse(bool ste, const char *a, const uint64_t *from, const char *b,
		     const uint64_t *to)
{
	struct cost theirs = bound(ste, from, to);
	struct play p = play(ste, from, to);

	if (p.syncs > theirs.syncs)
		fail_msg("%s -> %s: %u syncs, Linux %u", a, b, p.syncs, theirs.syncs);
	if (p.invalid && !theirs.hits && valid(&p, from) && valid(&p, to))
		fail_msg("%s -> %s: is invalid on the way, Linux's is not", a, b);
}

/* ---- the kinds ---- */

static struct kind {
	char name[48];
	uint64_t e[8];
} stes[80];
static unsigned num_stes;

static struct uiommu_pt s2_table(unsigned flags)
{
	static const struct uiommu_host host;

	return (struct uiommu_pt){ .ops = &uiommu_pt_arm_s2_4k_ops, .host = &host,
				   .top = (void *)0x80440000, .ias_lg2 = 40, .oas_lg2 = 40,
				   .top_level = 2, .flags = flags };
}

static uint64_t *add(const struct smmu_ste_cfg *c, const char *a, const char *b)
{
	struct kind *k = &stes[num_stes++];

	assert_true(num_stes <= 80);
	snprintf(k->name, sizeof(k->name), "%s%s", a, b);
	uiommu_smmuv3_ste(k->e, c);
	return k->e;
}

static void add_with_and_without(struct smmu_ste_cfg c, const char *name)
{
	add(&c, name, "");
	c.ats = true;
	add(&c, name, ", ats");
	add(&c, name, ", ats, mev")[1] |= FPREP(STE_MEV, 1);
	c.no_stall = true;
	add(&c, name, ", ats, no stall");
}

static const char *const dss[] = { "s1 terminate", "s1 bypass", "s1 ssid0" };

static void make_s1(struct smmu_ste_cfg c)
{
	c.config = STE_Config_S1;
	for (c.s1dss = 0; c.s1dss < 3; c.s1dss++)
		add_with_and_without(c, dss[c.s1dss]);
	c.cdtab = 0x90002000;
	for (c.s1dss = 0; c.s1dss < 3; c.s1dss++)
		add(&c, dss[c.s1dss], ", other table");
}

static void make_s2(struct smmu_ste_cfg c)
{
	const struct uiommu_pt dirty = s2_table(UIOMMU_PT_DIRTY);

	c.config = STE_Config_S2;
	add_with_and_without(c, "s2");
	c.vmid = 0;
	add(&c, "s2", ", vmid 0");
	add(&c, "s2", ", stalls")[2] |= FPREP(STE_S2S, 1);
	c.s2 = &dirty;
	add(&c, "s2", ", dirty");
}

/* A guest's S1 on our S2; where the guest bypasses or aborts, so says Config. */
static void make_nested(struct smmu_ste_cfg c)
{
	uint64_t user[2] = { FPREP(STE_S1ContextPtr, 0x1000 >> 6) | FPREP(STE_S1CDMax, 4), 0 };

	c.user = user;
	c.config = STE_Config_S1_S2;
	for (unsigned i = 0; i < 3; i++) {
		char name[24];

		user[1] = i | FPREP(STE_S1CIR, CACHE_WB);
		snprintf(name, sizeof(name), "nested %s", dss[i] + 3);
		add_with_and_without(c, name);
	}
	c.config = STE_Config_S2;
	add(&c, "nested", ", guest bypasses");
	c.config = STE_Config_ABORT;
	add(&c, "nested", ", guest aborts");
	c.config = STE_Config_S1_S2;
	user[0] += 0x4000;
	add(&c, "nested", ", other table");
	c.vmid = 12;
	add(&c, "nested", ", other vmid");
}

static void make_stes(void)
{
	const struct uiommu_pt s2 = s2_table(0);
	struct smmu_ste_cfg c = { .cdtab = 0x80001000, .cd_bits = 8, .coherent = true, .vmid = 9,
				  .s2 = &s2 };

	num_stes = 0;
	snprintf(stes[num_stes++].name, 48, "invalid");
	c.config = STE_Config_ABORT;
	add(&c, "abort", "");
	c.config = STE_Config_BYPASS;
	add(&c, "bypass", "");
	make_s1(c);
	make_s2(c);
	make_nested(c);
}

static const uint64_t *ste_of(const char *name)
{
	for (unsigned i = 0; i < num_stes; i++)
		if (!strcmp(stes[i].name, name))
			return stes[i].e;
	fail_msg("%s", name);
	return NULL;
}

static void invariant_12_ste_every_pair(void **state)
{
	for (unsigned i = 0; i < num_stes; i++)
		for (unsigned j = 0; j < num_stes; j++)
			no_worse(true, stes[i].name, stes[i].e, stes[j].name, stes[j].e);
}

/* What is known of some: the most syncs, and whether V=0 may show. */
static const struct {
	const char *from, *to;
	unsigned syncs;
	bool hitless;
} best[] = {
	{ "bypass", "abort", 2, true },		{ "abort", "bypass", 2, true },
	{ "s1 ssid0", "abort", 2, true },	{ "abort", "s1 ssid0", 2, true },
	{ "s1 ssid0", "bypass", 3, true },	{ "bypass", "s1 ssid0", 3, true },
	{ "s1 ssid0", "s1 bypass", 1, true },	{ "s1 bypass", "s1 ssid0", 1, true },
	{ "s1 ssid0", "s1 terminate", 1, true },
	{ "s1 bypass", "bypass", 2, true },	{ "bypass", "s1 bypass", 2, true },
	{ "s2", "abort", 2, true },		{ "abort", "s2", 2, true },
	{ "s2", "bypass", 2, true },		{ "bypass", "s2", 2, true },
	{ "s1 ssid0", "s2", 3, false },		{ "s2", "s1 ssid0", 3, false },
	{ "s1 ssid0", "s2, vmid 0", 3, true },	{ "s2, vmid 0", "s1 ssid0", 3, true },
	{ "s1 ssid0", "s1 ssid0, other table", 3, false },
	{ "s1 ssid0", "s1 bypass, other table", 3, false },
	{ "s1 ssid0", "s1 ssid0, ats", 1, true },
	{ "s1 ssid0, ats", "s1 ssid0, ats, mev", 1, true },
	{ "s2", "nested ssid0", 3, true },	{ "nested ssid0", "s2", 3, true },
	{ "nested bypass", "nested, guest bypasses", 3, true },
	{ "nested, guest bypasses", "nested bypass", 2, true },
	{ "invalid", "abort", 1, true },	{ "abort", "invalid", 1, true },
	{ "invalid", "s1 ssid0", 2, true },	{ "s1 ssid0", "invalid", 2, true },
	{ "s1 ssid0", "s1 ssid0", 0, true },
};

static void ste_pairs_take_no_more_syncs_than_known(void **state)
{
	for (unsigned i = 0; i < sizeof(best) / sizeof(best[0]); i++) {
		struct play p = play(true, ste_of(best[i].from), ste_of(best[i].to));

		if (p.syncs > best[i].syncs || (best[i].hitless && p.invalid))
			fail_msg("%s -> %s: %u syncs, %s", best[i].from, best[i].to, p.syncs,
				 p.invalid ? "hits" : "hitless");
	}
}

/* ---- CDs ---- */

static struct kind cds[16];
static unsigned num_cds;

/* @word, @off, @on: what is changed of a plain one */
static void add_cd(const char *name, bool other_table, uint32_t asid, unsigned word, uint64_t off,
		   uint64_t on)
{
	static char t[2][4096] __attribute__((aligned(4096)));
	static const struct uiommu_host host;
	const struct uiommu_pt pt = { .ops = &uiommu_pt_arm_s1_4k_ops, .host = &host,
				      .top = t[other_table], .ias_lg2 = 48, .oas_lg2 = 48 };
	struct kind *k = &cds[num_cds++];

	snprintf(k->name, sizeof(k->name), "%s", name);
	uiommu_smmuv3_cd(k->e, &pt, asid, true);
	k->e[word] = (k->e[word] & ~off) | on;
}

static void make_cds(void)
{
	const uint64_t walk = FMASK(CD_T0SZ) | FMASK(CD_TG0) | FMASK(CD_IR0) | FMASK(CD_OR0) |
			      FMASK(CD_SH0);

	num_cds = 0;
	snprintf(cds[num_cds++].name, 48, "none");
	add_cd("paging", false, 1, 0, 0, 0);
	add_cd("other asid", false, 2, 0, 0, 0);
	add_cd("other table", true, 1, 0, 0, 0);
	add_cd("other domain", true, 3, 0, 0, 0);
	add_cd("dirty", false, 1, 0, 0, FMASK(CD_HA) | FMASK(CD_HD));
	add_cd("stalls", false, 1, 0, 0, FMASK(CD_S));
	add_cd("sva", true, 4, 3, ~0ull, 0x44ff);
	add_cd("sva, the CPU's asid", true, 4, 0, FMASK(CD_ASET), 0);
	/* a table that is on its way out: nobody walks it, and nobody is told */
	add_cd("quiet", false, 1, 0, walk | FMASK(CD_R) | FMASK(CD_S), FMASK(CD_EPD0));
	cds[num_cds - 1].e[CD_TTB0_WORD] &= ~FMASK(CD_TTB0);
}

static const uint64_t *cd_of(const char *name)
{
	for (unsigned i = 0; i < num_cds; i++)
		if (!strcmp(cds[i].name, name))
			return cds[i].e;
	fail_msg("%s", name);
	return NULL;
}

static void invariant_12_cd_every_pair(void **state)
{
	for (unsigned i = 0; i < num_cds; i++)
		for (unsigned j = 0; j < num_cds; j++)
			no_worse(false, cds[i].name, cds[i].e, cds[j].name, cds[j].e);
}

static void cd_pairs_take_no_more_syncs_than_known(void **state)
{
	static const struct {
		const char *from, *to;
		unsigned syncs;
		bool hitless;
	} rows[] = {
		{ "none", "paging", 2, true },		{ "paging", "none", 2, true },
		{ "paging", "other asid", 1, true },	{ "paging", "quiet", 2, true },
		{ "quiet", "paging", 2, true },		{ "paging", "other domain", 3, false },
		{ "none", "sva", 2, true },		{ "sva", "none", 2, true },
		{ "paging", "other table", 1, true },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct play p = play(false, cd_of(rows[i].from), cd_of(rows[i].to));

		if (p.syncs > rows[i].syncs || (rows[i].hitless && p.invalid))
			fail_msg("%s -> %s: %u syncs, %s", rows[i].from, rows[i].to, p.syncs,
				 p.invalid ? "hits" : "hitless");
	}
}

/* ---- values ---- */

static void all_used(const struct kind *k, bool ste)
{
	uint64_t used[8], seen[8];
	const struct play p = { .ste = ste };

	looked_at(&p, k->e, seen);
	if (ste)
		uiommu_smmuv3_ste_used(k->e, used);
	else
		uiommu_smmuv3_cd_used(k->e, used);
	for (unsigned i = 0; i < 8; i++) {
		if (k->e[i] & ~used[i])
			fail_msg("%s: word %u has what the writer does not see", k->name, i);
		if (seen[i] & ~used[i])
			fail_msg("%s: word %u, hardware looks at more", k->name, i);
	}
}

/* Nothing is set that is not reported as used, or the writer would not see it; nor does
 * hardware look at what is not. */
static void invariant_12_no_bit_is_set_behind_the_writers_back(void **state)
{
	for (unsigned i = 0; i < num_stes; i++)
		all_used(&stes[i], true);
	for (unsigned i = 0; i < num_cds; i++)
		all_used(&cds[i], false);
}

static void values_of_ste_and_cd(void **state)
{
	static const struct uiommu_host host = { .table_offset = 0 };
	struct uiommu_pt pt = { .ops = &uiommu_pt_arm_s1_4k_ops, .host = &host,
				.top = (void *)0x123456789000, .ias_lg2 = 48,
				.oas_lg2 = 44 };
	const uint64_t *ste;
	uint64_t e[8];

	assert_int_equal(ste_of("abort")[0], 1);
	ste = ste_of("bypass");
	assert_int_equal(ste[0], 1 | 4 << 1);
	assert_int_equal(ste[1], 1ull << 44);
	ste = ste_of("s1 ssid0");
	assert_int_equal(ste[0], 1 | 5 << 1 | 0x80001000 | 8ull << 59);
	assert_int_equal(ste[1], 2 | 1 << 2 | 1 << 4 | 3 << 6);
	ste = ste_of("s2, ats");
	assert_int_equal(ste[0], 1 | 6 << 1);
	assert_int_equal(ste[1], 1 << 28 | 1ull << 44);
	/* VMID; T0SZ 24, SL0 1; WBWA, inner; 4 KiB; PS 40 bits; AA64, PTW, R */
	assert_int_equal(ste[2], 9 | 24ull << 32 | 1ull << 38 | 1ull << 40 | 1ull << 42 |
			 3ull << 44 | 2ull << 48 | 1ull << 51 | 1ull << 54 | 1ull << 58);
	assert_int_equal(ste[3], 0x80440000);
	uiommu_smmuv3_cd(e, &pt, 0xbeef, true);
	/* T0SZ 16, WBWA, inner; EPD1; V; IPS 44 bits; AA64, R, A, ASET; ASID */
	assert_int_equal(e[0], 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 30 | 1ull << 31 |
			 4ull << 32 | 1ull << 41 | 7ull << 45 | 0xbeefull << 48);
	assert_int_equal(e[1], 0x123456789000);
	assert_int_equal(e[3] & 0xffff, 0x04ff);
	uiommu_smmuv3_cd(e, &pt, 1, false);
	assert_int_equal(FGET(CD_IR0, e[0]), CACHE_NC);
	assert_int_equal(FGET(CD_SH0, e[0]), SH_OSH);
}

static void a_sync_that_fails_ends_the_write(void **state)
{
	for (int n = 1; n <= 3; n++) {
		struct play p = { .ste = true, .fail_at = n };
		const struct smmu_writer w = writer(&p);

		memcpy(p.start, ste_of("s1 ssid0"), 64);
		memcpy(p.entry, p.start, 64);
		memcpy(p.synced, p.start, 64);
		memcpy(p.target, ste_of("s1 bypass, other table"), 64);
		assert_int_equal(uiommu_smmuv3_write_entry(&w, p.entry, p.target),
				 -UIOMMU_ETIMEDOUT);
		assert_int_equal(p.syncs, n);
		/* and back again, from wherever it was */
		p.fail_at = 0;
		memcpy(p.target, p.start, 64);
		memcpy(p.start, p.entry, 64);
		assert_int_equal(uiommu_smmuv3_write_entry(&w, p.entry, p.target), 0);
		assert_memory_equal(p.entry, p.target, 64);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_12_ste_every_pair),
		cmocka_unit_test(ste_pairs_take_no_more_syncs_than_known),
		cmocka_unit_test(invariant_12_cd_every_pair),
		cmocka_unit_test(cd_pairs_take_no_more_syncs_than_known),
		cmocka_unit_test(invariant_12_no_bit_is_set_behind_the_writers_back),
		cmocka_unit_test(values_of_ste_and_cd),
		cmocka_unit_test(a_sync_that_fails_ends_the_write),
	};

	make_stes();
	make_cds();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
