/* SPDX-License-Identifier: MIT */
/*
 * STE and CD as values, and how they get into memory. Hardware is played at each
 * sync: until it completes, each word that the step stored may have been read
 * before or after, in every combination.
 */
#include "bench.h"

struct play {
	void (*used)(const uint64_t *, uint64_t *);
	void (*safe)(const uint64_t *, const uint64_t *, uint64_t *);
	uint64_t entry[8], start[8], target[8];
	uint64_t synced[8];		/* as it was when hardware last forgot it */
	unsigned syncs;
	bool invalid;			/* hardware could see V=0 in between */
	int fail_at;
};

static bool valid(const struct play *p, const uint64_t *e)
{
	return p->used == uiommu_smmuv3_ste_used ? FGET(STE_V, e[0]) : FGET(CD_V, e[0]);
}

/* is @view what hardware would do with @as? */
static bool same(const struct play *p, const uint64_t *view, const uint64_t *as)
{
	uint64_t used[8], safe[8] = { 0 };

	p->used(as, used);
	if (p->safe)
		p->safe(p->start, p->target, safe);
	for (unsigned i = 0; i < 8; i++)
		if ((view[i] ^ as[i]) & used[i] & ~safe[i])
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

static struct play play(bool ste, const uint64_t *from, const uint64_t *to)
{
	static const struct uiommu_host host;
	struct play p = {
		.used = ste ? uiommu_smmuv3_ste_used : uiommu_smmuv3_cd_used,
		.safe = ste ? uiommu_smmuv3_ste_safe : NULL,
	};
	const struct smmu_writer w = {
		.host = &host, .used = p.used, .safe = p.safe, .sync = play_sync, .ctx = &p,
	};

	memcpy(p.entry, from, 64);
	memcpy(p.start, from, 64);
	memcpy(p.synced, from, 64);
	memcpy(p.target, to, 64);
	assert_int_equal(uiommu_smmuv3_write_entry(&w, p.entry, to), 0);
	assert_memory_equal(p.entry, to, 64);
	return p;
}

/* ---- the kinds ---- */

enum ste { INVALID, ABORT, BYPASS, S1_0, S1_BYPASS, S1_TERM, S1_OTHER, S1_NOSTALL, S1_ATS,
	   S1_MEV, S2, S2_VMID0, S2_STALL, NESTED, NSTES };

static const char *const ste_names[] = { "invalid", "abort", "bypass", "s1 ssid0", "s1 bypass",
	"s1 terminate", "s1 other table", "s1 no stall", "s1 ats", "s1 mev", "s2", "s2 vmid 0", "s2 stall",
	"nested" };

static void ste_of(enum ste k, uint64_t *e)
{
	struct smmu_ste_cfg c = {
		.config = STE_Config_S1, .cdtab = 0x80001000, .cd_bits = 8, .coherent = true,
		.s1dss = STE_S1DSS_SSID0,
	};

	memset(e, 0, 64);
	if (k == INVALID)
		return;
	if (k == ABORT)
		c.config = STE_Config_ABORT;
	if (k == BYPASS)
		c.config = STE_Config_BYPASS;
	if (k == S1_BYPASS || k == S1_OTHER)
		c.s1dss = STE_S1DSS_BYPASS;
	if (k == S1_TERM)
		c.s1dss = STE_S1DSS_TERMINATE;
	if (k == S1_OTHER)
		c.cdtab = 0x90002000;
	c.no_stall = k == S1_NOSTALL;
	uiommu_smmuv3_ste(e, &c);
	if (k == S1_ATS)
		e[1] |= FPREP(STE_EATS, STE_EATS_TRANS);
	if (k == S1_MEV)
		e[1] |= FPREP(STE_MEV, 1);
	if (k < S2)
		return;
	if (k != NESTED)
		memset(e, 0, 64);
	e[0] = (e[0] & ~FMASK(STE_Config)) | FPREP(STE_V, 1) |
	       FPREP(STE_Config, k == NESTED ? STE_Config_S1_S2 : STE_Config_S2);
	e[1] |= FPREP(STE_SHCFG, SHCFG_INCOMING) | FPREP(STE_EATS, STE_EATS_TRANS);
	e[2] = FPREP(STE_S2VMID, k == S2_VMID0 ? 0 : 9) | FPREP(STE_S2T0SZ, 16) | FPREP(STE_S2AA64, 1) |
	       FPREP(STE_S2R, 1) | FPREP(STE_S2S, k == S2_STALL);
	e[3] = 0x80440000;
}

/* Most syncs and whether V=0 may show, where it is known what the best is. */
static const struct {
	enum ste from, to;
	unsigned syncs;
	bool hitless;
} best[] = {
	{ BYPASS, ABORT, 2, true },		{ ABORT, BYPASS, 2, true },
	{ S1_0, ABORT, 2, true },		{ ABORT, S1_0, 2, true },
	{ S1_0, BYPASS, 3, true },		{ BYPASS, S1_0, 3, true },
	{ S1_0, S1_BYPASS, 1, true },		{ S1_BYPASS, S1_0, 1, true },
	{ S1_0, S1_TERM, 1, true },		{ S1_TERM, S1_0, 1, true },
	{ S1_BYPASS, BYPASS, 2, true },		{ BYPASS, S1_BYPASS, 2, true },
	{ S2, ABORT, 2, true },			{ ABORT, S2, 2, true },
	{ S1_0, S2, 3, false },			{ S2, S1_0, 3, false },
	{ S1_0, S2_VMID0, 3, true },		{ S2_VMID0, S1_0, 3, true },
	{ S1_NOSTALL, S2_VMID0, 3, true },	{ S2_VMID0, S1_NOSTALL, 3, true },
	{ S1_0, S1_OTHER, 3, false },		{ S1_OTHER, S1_0, 3, false },
	{ S1_0, S1_ATS, 1, true },		{ S1_ATS, S1_0, 1, true },
	{ S1_0, S1_MEV, 1, true },		{ S1_MEV, S1_0, 1, true },
	{ INVALID, ABORT, 1, false },		{ ABORT, INVALID, 1, false },
	{ INVALID, S1_0, 2, false },		{ S1_0, INVALID, 2, false },
	{ S1_0, S1_0, 0, true },
};

static void invariant_12_ste_every_pair(void **state)
{
	for (unsigned i = 0; i < NSTES; i++)
		for (unsigned j = 0; j < NSTES; j++) {
			uint64_t from[8], to[8];
			struct play p;

			ste_of(i, from);
			ste_of(j, to);
			p = play(true, from, to);
			assert_true(p.syncs <= 3);
			if (p.invalid && i && j && p.syncs < 3)
				fail_msg("%s -> %s", ste_names[i], ste_names[j]);
		}
}

static void ste_pairs_take_no_more_syncs_than_known(void **state)
{
	for (unsigned i = 0; i < sizeof(best) / sizeof(best[0]); i++) {
		uint64_t from[8], to[8];
		struct play p;

		ste_of(best[i].from, from);
		ste_of(best[i].to, to);
		p = play(true, from, to);
		if (p.syncs > best[i].syncs || (best[i].hitless && p.invalid))
			fail_msg("%s -> %s: %u syncs, %s", ste_names[best[i].from],
				 ste_names[best[i].to], p.syncs, p.invalid ? "hits" : "hitless");
	}
}

/* ---- CDs ---- */

enum cd { NONE, A1, A2, B3, QUIET, NCDS };

static void cd_of(enum cd k, uint64_t *e)
{
	static char t[2][4096] __attribute__((aligned(4096)));
	static const struct uiommu_host host;
	struct uiommu_pt pt = { .ops = &uiommu_pt_arm_s1_4k_ops, .host = &host, .top = t[k == B3], .ias_lg2 = 48, .oas_lg2 = 48 };

	memset(e, 0, 64);
	if (k == NONE)
		return;
	uiommu_smmuv3_cd(e, &pt, (uint32_t)k, true);
	if (k == QUIET) {	/* a table that is on its way out: TTB0 off */
		e[0] &= ~(FMASK(CD_T0SZ) | FMASK(CD_TG0) | FMASK(CD_IR0) | FMASK(CD_OR0) |
			  FMASK(CD_SH0) | FMASK(CD_ASID));
		e[0] |= FPREP(CD_EPD0, 1) | FPREP(CD_ASID, A1);
		e[1] = 0;
	}
}

static void invariant_12_cd_every_pair(void **state)
{
	static const struct {
		enum cd from, to;
		unsigned syncs;
		bool hitless;
	} rows[] = {
		{ NONE, A1, 2, false }, { A1, NONE, 2, false },
		{ A1, A2, 1, true }, { A1, QUIET, 2, true }, { QUIET, A1, 2, true },
		{ A1, B3, 3, false },
	};

	for (unsigned i = 0; i < NCDS; i++)
		for (unsigned j = 0; j < NCDS; j++) {
			uint64_t from[8], to[8];
			struct play p;

			cd_of(i, from);
			cd_of(j, to);
			p = play(false, from, to);
			for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
				if (rows[r].from != i || rows[r].to != j)
					continue;
				assert_true(p.syncs <= rows[r].syncs);
				assert_false(rows[r].hitless && p.invalid);
			}
		}
}

/* Nothing is set that is not reported as used, or the writer would not see it. */
static void invariant_12_no_bit_is_set_behind_the_writers_back(void **state)
{
	uint64_t e[8], used[8];

	for (unsigned k = 0; k <= S1_NOSTALL; k++) {
		ste_of(k, e);
		uiommu_smmuv3_ste_used(e, used);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(e[i] & ~used[i], 0);
	}
	for (unsigned k = 0; k < NCDS; k++) {
		cd_of(k, e);
		uiommu_smmuv3_cd_used(e, used);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(e[i] & ~used[i], 0);
	}
}

static void values_of_ste_and_cd(void **state)
{
	static const struct uiommu_host host = { .table_offset = 0 };
	struct uiommu_pt pt = { .ops = &uiommu_pt_arm_s1_4k_ops, .host = &host,
				.top = (void *)0x123456789000, .ias_lg2 = 48,
				.oas_lg2 = 44 };
	uint64_t e[8];

	ste_of(ABORT, e);
	assert_int_equal(e[0], 1);
	ste_of(BYPASS, e);
	assert_int_equal(e[0], 1 | 4 << 1);
	assert_int_equal(e[1], 1ull << 44);
	ste_of(S1_0, e);
	assert_int_equal(e[0], 1 | 5 << 1 | 0x80001000 | 8ull << 59);
	assert_int_equal(e[1], 2 | 1 << 2 | 1 << 4 | 3 << 6);
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
	static const struct uiommu_host host;
	uint64_t to[8];

	for (int n = 1; n <= 3; n++) {
		struct play p = { .used = uiommu_smmuv3_ste_used, .fail_at = n };
		const struct smmu_writer w = {
			.host = &host, .used = p.used, .sync = play_sync, .ctx = &p,
		};

		ste_of(S1_0, p.start);
		ste_of(S1_OTHER, to);
		memcpy(p.entry, p.start, 64);
		memcpy(p.synced, p.start, 64);
		memcpy(p.target, to, 64);
		assert_int_equal(uiommu_smmuv3_write_entry(&w, p.entry, to), -UIOMMU_ETIMEDOUT);
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
		cmocka_unit_test(invariant_12_no_bit_is_set_behind_the_writers_back),
		cmocka_unit_test(values_of_ste_and_cd),
		cmocka_unit_test(a_sync_that_fails_ends_the_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
