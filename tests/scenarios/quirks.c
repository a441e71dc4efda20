/* SPDX-License-Identifier: MIT */
/*
 * quirks.c - see quirks.h
 *
 * Three kinds. A reading: QEMU takes a field for something else, so a copy of the case
 * is changed to say that, and ours must then come to the same. A wording: the same thing
 * is recorded differently. An order: of two things that are wrong QEMU tells the other
 * one. The first two are applied to what they are about and to nothing else; the third
 * names the two.
 */
#include <string.h>

#include "quirks.h"

#include "src/smmuv3/fields.h"

static struct differ_case copy;

static uint64_t *word(enum differ_kind kind, unsigned index)
{
	for (unsigned i = 0; i < copy.num_words; i++)
		if (copy.words[i].kind == kind && copy.words[i].index == index)
			return &copy.words[i].value;
	return NULL;
}

#define GET(e, w, f)	FGET(f, w[f##_WORD])

/* what STE.Config is now */
static bool stage(unsigned bit)
{
	uint64_t *w = word(DIFFER_STE, 0);

	return *w & FMASK(STE_V) && FGET(STE_Config, *w) >= STE_Config_BYPASS &&
	       FGET(STE_Config, *w) & bit;
}

#define S1 1u
#define S2 2u

/* ---- readings: true if the copy was changed ---- */

static bool clear(enum differ_kind kind, unsigned index, uint64_t mask)
{
	uint64_t *w = word(kind, index);

	if (!w || !(*w & mask))
		return false;
	*w &= ~mask;
	return true;
}

static bool s2ha(void)
{
	return stage(S2) && clear(DIFFER_STE, 2, FMASK(STE_S2HA) | FMASK(STE_S2HD));
}

static bool s2ptw(void)
{
	return stage(S2) && clear(DIFFER_STE, 2, FMASK(STE_S2PTW));
}

static bool strw(void)
{
	return stage(S1) && clear(DIFFER_STE, 1, FMASK(STE_STRW));
}

static bool recinvsid(void)
{
	if (copy.cr2 & FMASK(CR2_RECINVSID))
		return false;
	copy.cr2 |= FMASK(CR2_RECINVSID);
	return true;
}

static bool illegal(void)
{
	return clear(DIFFER_STE, 0, FMASK(STE_V));
}

static bool s1cdmax(void)
{
	return stage(S1 | S2) && FGET(STE_S1CDMax, *word(DIFFER_STE, 0)) && illegal();
}

static bool s1stalld(void)
{
	return stage(S2) && FGET(STE_S1STALLD, *word(DIFFER_STE, 1)) && illegal();
}

static bool s1contextptr(void)
{
	return stage(S1) && clear(DIFFER_STE, 0, 0xfull << 48);
}

static bool tbi1(void)
{
	uint64_t *w = word(DIFFER_CD, 0);

	if (!w || FGET(CD_TBI0, *w) == FGET(CD_TBI1, *w))
		return false;
	*w ^= FMASK(CD_TBI1);
	return true;
}

static unsigned effective_ps(void)
{
	static const uint8_t lg2[8] = { 32, 36, 40, 42, 44, 44, 44, 44 };

	return lg2[FGET(STE_S2PS, *word(DIFFER_STE, 2))];
}

static bool s2t0sz(void)
{
	return stage(S2) && 64 - FGET(STE_S2T0SZ, *word(DIFFER_STE, 2)) > effective_ps() &&
	       illegal();
}

static bool unprivileged(void)
{
	bool changed = false;

	for (unsigned i = 0; i < copy.num_words; i++) {
		struct differ_word *w = &copy.words[i];
		uint64_t was = w->value;

		if (w->kind != DIFFER_S1)
			continue;
		w->value = (was | 1ull << 6) & ~(1ull << 61);
		changed |= w->value != was;
	}
	return changed;
}

struct root {
	unsigned granule_lg2, ias_lg2, level;
	uint64_t root, bytes;
};

/* The root of stage 2 as the STE now says. */
static bool s2_root(struct root *t)
{
	static const uint8_t lg2[4] = { 12, 16, 14, 12 };
	uint64_t w = *word(DIFFER_STE, 2), sl0 = FGET(STE_S2SL0, w);
	unsigned shift;

	t->granule_lg2 = lg2[FGET(STE_S2TG, w)];
	t->ias_lg2 = 64 - (unsigned)FGET(STE_S2T0SZ, w);
	t->level = (t->granule_lg2 == 12 ? 2 : 3) - (unsigned)sl0;
	shift = t->granule_lg2 + (t->granule_lg2 - 3) * (3 - t->level);
	if (!stage(S2) || t->level > 3 || t->ias_lg2 <= shift || t->ias_lg2 > shift + 20)
		return false;
	t->bytes = 8ull << (t->ias_lg2 - shift);
	t->root = *word(DIFFER_STE, 3) & FMASK(STE_S2TTB) & ~(t->bytes - 1);
	return true;
}

static void set_word(uint64_t pa, uint64_t value)
{
	struct differ_word *w = NULL;

	for (unsigned i = 0; i < copy.num_words; i++)
		if (copy.words[i].pa == pa)
			w = &copy.words[i];
	if (!w && copy.num_words < DIFFER_MAX_WORDS) {
		w = &copy.words[copy.num_words++];
		*w = (struct differ_word){ .pa = pa, .kind = DIFFER_S2 };
	}
	if (w)
		w->value = value;
}

/* Of a root of several tables QEMU adds a table's offset to the base, and then aligns
 * the sum to all of it: what is there stands for what should be looked at. */
static bool concatenated(void)
{
	static struct differ_case was;
	struct root t;
	uint64_t table, raw = *word(DIFFER_STE, 3) & FMASK(STE_S2TTB);

	if (!s2_root(&t) || t.bytes <= 1ull << t.granule_lg2)
		return false;
	was = copy;
	table = 1ull << t.granule_lg2;
	for (unsigned i = 0; i < was.num_words; i++)
		if (was.words[i].pa - t.root < t.bytes && was.words[i].kind == DIFFER_S2)
			set_word(was.words[i].pa, 0);
	for (unsigned i = 0; i < was.num_words; i++)
		for (uint64_t n = 0; n < t.bytes / table; n++) {
			uint64_t at = was.words[i].pa - ((raw + n * table) & ~(t.bytes - 1));

			if (at < table)
				set_word(t.root + n * table + at, was.words[i].value);
		}
	return true;
}

static unsigned split(void)
{
	return (unsigned)FGET(STRTAB_BASE_CFG_SPLIT, copy.strtab_cfg);
}

/* The table is aligned to half of its size: as one of half the size is. */
static bool strtab_alignment(void)
{
	unsigned lg2 = (unsigned)FGET(STRTAB_BASE_CFG_LOG2SIZE, copy.strtab_cfg), bit = lg2 + 5;

	if (FGET(STRTAB_BASE_CFG_FMT, copy.strtab_cfg) == STRTAB_BASE_CFG_FMT_TWO_LEVEL)
		bit = lg2 > split() ? lg2 - split() + 2 : 0;
	if (bit < 6 || !(copy.strtab >> bit & 1) || copy.sid >> (lg2 - 1))
		return false;
	copy.strtab_cfg = (uint32_t)FSET(STRTAB_BASE_CFG_LOG2SIZE, copy.strtab_cfg, lg2 - 1);
	return true;
}

/* A reserved span, or one that is too small by half. */
static bool span(void)
{
	uint64_t *w = word(DIFFER_L1STD, 0), span = w ? FGET(L1STD_Span, *w) : 0, now = span;
	uint32_t low = copy.sid & ((1u << split()) - 1);

	if (span > split() + 1)
		now = split() + 1;
	else if (span && low >> (span - 1) && !(low >> span))
		now = span + 1;
	if (!w || now == span)
		return false;
	*w = FSET(L1STD_Span, *w, now);
	return true;
}

static struct differ_word *leaf_of(uint64_t pa)
{
	uint64_t page = ~((1ull << copy.s2.granule_lg2) - 1);

	for (unsigned i = 0; i < copy.num_words; i++) {
		struct differ_word *w = &copy.words[i];

		if (w->kind == DIFFER_S2 && w->leaf && w->index == 3 &&
		    (w->meant & 0xfffffffff000) == (pa & page))
			return w;
	}
	return NULL;
}

static uint64_t root_bytes(void)
{
	const struct differ_table *t = &copy.s1;
	uint64_t entries = 1ull << (t->ias_lg2 - t->granule_lg2 -
				    (t->granule_lg2 - 3) * (3 - t->level));

	return entries * 8 < 4096 ? 4096 : entries * 8;
}

/* Stage 2 is asked for the beginning of a stage 1 table, and the root aligned after
 * that; what is behind its page is taken to follow. */
static bool first_page(void)
{
	uint64_t table = 1ull << copy.s1.granule_lg2, page = ~((1ull << copy.s2.granule_lg2) - 1);
	bool changed = false;

	for (unsigned i = 0; stage(S1) && stage(S2) && i < copy.num_words; i++) {
		uint64_t pa = copy.words[i].pa, base = pa & ~(table - 1), value;
		struct differ_word *w, *first;
		bool in_root;

		if (copy.words[i].kind != DIFFER_S1)
			continue;
		in_root = copy.words[i].index == copy.s1.level;
		if (in_root)
			base = copy.s1.root;
		w = leaf_of(pa);
		first = leaf_of(base);
		if (!w || !first)
			continue;
		value = (first->value & ~(root_bytes() - 1)) | (first->value & 0xfff);
		value = (in_root ? value : first->value) + (pa & page) - (base & page);
		changed |= w->value != value;
		w->value = value;
	}
	return changed;
}

static bool cdttb(void)
{
	bool a = stage(S1) && clear(DIFFER_CD, 1, 1ull << 51);

	return (stage(S1) && clear(DIFFER_CD, 2, 1ull << 51)) || a;
}

static bool s2ttb(void)
{
	return stage(S2) && clear(DIFFER_STE, 3, 0xfull << 48);
}

/* ---- wordings: the record is brought into the architecture's form ---- */

static bool is_fault(const struct differ_result *r)
{
	unsigned code = (unsigned)FGET(EVT_Number, r->event[0]);

	return code >= EVT_F_TRANSLATION && code <= EVT_F_PERMISSION;
}

static bool ipa_bits(struct differ_result *r)
{
	uint64_t low = r->event[3] & 0xfff;

	if (!is_fault(r) || !low)
		return false;
	r->event[3] &= ~0xfffull;
	return true;
}

static bool rnw_of_walk(struct differ_result *r)
{
	uint64_t class = FGET(EVT_F_TRANSLATION_CLASS, r->event[1]);
	bool eabt = FGET(EVT_Number, r->event[0]) == EVT_F_WALK_EABT;

	if (!(is_fault(r) || eabt) || class == EVT_CLASS_IN || !(r->event[1] & FMASK(EVT_F_TRANSLATION_S2)))
		return false;
	r->event[1] &= ~FMASK(EVT_F_TRANSLATION_RnW);
	if (!copy.read)
		return true;
	r->event[1] |= FMASK(EVT_F_TRANSLATION_RnW);
	return true;
}

/* in a fault on the address of a table below the root */
static bool s2_of_table(struct differ_result *r)
{
	uint64_t class = FGET(EVT_F_TRANSLATION_CLASS, r->event[1]);

	if (!is_fault(r) || class != EVT_CLASS_TT || r->event[1] & FMASK(EVT_F_TRANSLATION_S2))
		return false;
	r->event[1] |= FMASK(EVT_F_TRANSLATION_S2);
	return true;
}

static bool cd_fetch_address(struct differ_result *r)
{
	if (FGET(EVT_Number, r->event[0]) != EVT_F_CD_FETCH || !r->event[2])
		return false;
	r->event[3] = r->event[2];
	r->event[2] = 0;
	return true;
}

/* ---- orders ---- */

static unsigned code_of(const struct differ_result *r)
{
	return r->events ? (unsigned)FGET(EVT_Number, r->event[0]) : 0;
}

static bool late_address_size(const struct differ_result *ours, const struct differ_result *theirs)
{
	return code_of(ours) == EVT_F_ADDR_SIZE &&
	       (code_of(theirs) == EVT_F_ACCESS || code_of(theirs) == EVT_F_PERMISSION);
}

static bool table_address_size(const struct differ_result *ours, const struct differ_result *theirs)
{
	uint64_t *cd = word(DIFFER_CD, 0);
	bool silent = (stage(S2) && !(*word(DIFFER_STE, 2) & FMASK(STE_S2R))) ||
		      (stage(S1) && cd && !(*cd & FMASK(CD_R)));

	return code_of(theirs) == EVT_F_WALK_EABT &&
	       (code_of(ours) == EVT_F_ADDR_SIZE || (silent && !ours->events && !ours->reached));
}

/* Is it what a pointer to a stage 1 table says? @unaligned: with its low bits, too. */
static bool is_table_base(uint64_t ipa, bool unaligned)
{
	for (unsigned i = 0; i < copy.num_words; i++) {
		const struct differ_word *w = &copy.words[i];
		bool pointer = (w->kind == DIFFER_S1 && w->index < 3 && (w->value & 3) == 3) ||
			       (w->kind == DIFFER_CD && (w->index == 1 || w->index == 2));

		uint64_t low = w->kind == DIFFER_S1 && unaligned ? (1ull << copy.s1.granule_lg2) - 1 : 0xfff;

		if (pointer && ((w->value ^ ipa) & 0xfffffffff000 & ~low) == 0)
			return true;
	}
	return false;
}

static bool s2_on_table(const struct differ_result *r)
{
	return is_fault(r) && r->event[1] & FMASK(EVT_F_TRANSLATION_S2) &&
	       FGET(EVT_F_TRANSLATION_CLASS, r->event[1]) == EVT_CLASS_TT;
}

static bool table_base(const struct differ_result *ours, const struct differ_result *theirs)
{
	if (!stage(S1) || !stage(S2))
		return false;
	if (code_of(theirs) == EVT_F_WALK_EABT)
		return FGET(EVT_F_WALK_EABT_CLASS, theirs->event[1]) == EVT_CLASS_TT;
	return (s2_on_table(theirs) && is_table_base(theirs->event[3], true)) ||
	       (s2_on_table(ours) && !is_table_base(ours->event[3], false));
}

static bool bypass_address_size(const struct differ_result *ours, const struct differ_result *theirs)
{
	return code_of(ours) == EVT_F_ADDR_SIZE && !theirs->events && !theirs->reached &&
	       !stage(S1);
}

static bool no_block_at(unsigned granule_lg2, int level)
{
	return level < 1 || (level == 1 && granule_lg2 != 12);
}

/* by how many levels the walk begins elsewhere than it was meant to */
static int shifted(const struct differ_word *w)
{
	const struct differ_table *t = &copy.s1;
	struct root now;
	uint64_t *cd = word(DIFFER_CD, 0);
	unsigned tsz;

	if (w->kind == DIFFER_S2)
		return s2_root(&now) ? (int)now.level - (int)copy.s2.level : 0;
	if (!cd)
		return 0;
	tsz = (unsigned)(t->upper ? FGET(CD_T1SZ, *cd) : FGET(CD_T0SZ, *cd));
	return 3 - (int)((63 - tsz - t->granule_lg2) / (t->granule_lg2 - 3)) - (int)t->level;
}

/* After a mistake in sizes a root may begin where the other stage's was: then the levels
 * say nothing. */
static bool large_block(const struct differ_result *ours, const struct differ_result *theirs)
{
	bool moved = false, block = false;

	for (unsigned i = 0; i < copy.num_words; i++) {
		const struct differ_word *w = &copy.words[i];
		unsigned g = w->kind == DIFFER_S1 ? copy.s1.granule_lg2 : copy.s2.granule_lg2;

		if ((w->kind != DIFFER_S1 && w->kind != DIFFER_S2) || (w->value & 3) != 1)
			continue;
		block |= no_block_at(g, w->index + shifted(w));
		moved |= w->index == copy.s2.level || w->index == copy.s1.level;
	}
	return code_of(ours) == EVT_F_TRANSLATION &&
	       (block || (moved && code_of(theirs) == EVT_F_PERMISSION));
}

static bool context_pointer(const struct differ_result *ours, const struct differ_result *theirs)
{
	uint64_t ptr = *word(DIFFER_STE, 0) & FMASK(STE_S1ContextPtr);

	return code_of(ours) == EVT_C_BAD_STE && ptr >> 44 && stage(S1) &&
	       (code_of(theirs) == EVT_F_CD_FETCH || is_fault(theirs) || !theirs->events);
}

/* SL0 so high that the root would have no bits of its own */
static bool short_root(const struct differ_result *ours, const struct differ_result *theirs)
{
	static const uint8_t lg2[4] = { 12, 16, 14, 12 };
	uint64_t w = *word(DIFFER_STE, 2);
	unsigned g = lg2[FGET(STE_S2TG, w)], level = (g == 12 ? 2 : 3) - FGET(STE_S2SL0, w);

	return stage(S2) && code_of(ours) == EVT_C_BAD_STE && level < 3 &&
	       64 - FGET(STE_S2T0SZ, w) <= g + (g - 3) * (3 - level);
}

/* A table that takes the permission away is told of before what is below it. */
static bool table_permission(const struct differ_result *ours, const struct differ_result *theirs)
{
	for (unsigned i = 0; i < copy.num_words; i++) {
		const struct differ_word *w = &copy.words[i];

		if (w->kind == DIFFER_S1 && w->index < 3 && (w->value & 3) == 3 &&
		    w->value >> 62 & 1)
			return ours->events && code_of(theirs) == EVT_F_PERMISSION;
	}
	return false;
}

static bool no_record(enum differ_kind kind, unsigned index, uint64_t mask)
{
	uint64_t *w = word(kind, index);

	return w && !(*w & mask);
}

static bool recorded_by_cdr(const struct differ_result *ours, const struct differ_result *theirs)
{
	return stage(S1) && no_record(DIFFER_CD, 0, FMASK(CD_R)) && s2_on_table(ours) &&
	       !theirs->events && !theirs->reached;
}

static bool concatenated_eabt(const struct differ_result *ours, const struct differ_result *theirs)
{
	struct root t;

	return s2_root(&t) && t.bytes > 1ull << t.granule_lg2 &&
	       code_of(ours) == EVT_F_WALK_EABT && code_of(theirs) == EVT_F_WALK_EABT;
}

static unsigned ips(void)
{
	static const uint8_t lg2[8] = { 32, 36, 40, 42, 44, 44, 44, 44 };
	uint64_t *cd = word(DIFFER_CD, 0);

	return cd ? lg2[FGET(CD_IPS, *cd)] : 64;
}

/* What stage 2 makes of TTB loses the bits above CD.IPS; and a table's IPA may be
 * beyond it. */
static bool cut_at_ips(const struct differ_result *ours, const struct differ_result *theirs)
{
	bool beyond = code_of(ours) == EVT_F_WALK_EABT && ours->event[3] >> ips();

	for (unsigned i = 0; i < copy.num_words && !beyond; i++) {
		const struct differ_word *w = &copy.words[i];

		beyond = w->kind == DIFFER_S1 && w->index < 3 && (w->value & 3) == 3 &&
			 (w->value & 0xffffffffffff) >> ips() && code_of(ours) == EVT_F_ADDR_SIZE;
	}
	return stage(S1) && stage(S2) && beyond;
}

static bool recorded_by_s2r(const struct differ_result *ours, const struct differ_result *theirs)
{
	uint64_t *cd = word(DIFFER_CD, 0);
	bool both = cd && !(*cd & (FMASK(CD_EPD0) | FMASK(CD_EPD1)));

	return stage(S1) && stage(S2) && !(*word(DIFFER_STE, 2) & FMASK(STE_S2R)) &&
	       (both || is_fault(ours)) && !theirs->events && !theirs->reached;
}

static bool l2ptr(const struct differ_result *ours, const struct differ_result *theirs)
{
	uint64_t *w = word(DIFFER_L1STD, 0), span = w ? FGET(L1STD_Span, *w) : 0;
	uint64_t mask = span ? (64ull << (span - 1)) - 1 : 0;

	return w && (*w >> 52 || *w & (FMASK(L1STD_L2Ptr) | 1u << 5) & mask) &&
	       (code_of(theirs) == EVT_F_STE_FETCH || code_of(theirs) == EVT_C_BAD_STE);
}

/* A fetch from an address that is beyond what the SMMU can put out. */
static bool fetch_beyond(const struct differ_result *ours, const struct differ_result *theirs)
{
	unsigned code = code_of(ours);

	return (code == EVT_F_STE_FETCH || code == EVT_F_CD_FETCH || code == EVT_F_WALK_EABT) &&
	       ours->event[0] == theirs->event[0] && ours->event[1] == theirs->event[1] &&
	       ours->event[2] == theirs->event[2] &&
	       !((ours->event[3] ^ theirs->event[3]) & 0xfffffffffff);
}

static bool beyond_span(const struct differ_result *ours, const struct differ_result *theirs)
{
	return word(DIFFER_L1STD, 0) && code_of(ours) == EVT_C_BAD_STREAMID &&
	       code_of(theirs) == EVT_C_BAD_STE;
}

/* ---- all of them ---- */

static const struct quirk {
	const char *name;
	bool (*reads)(void);
	bool (*words)(struct differ_result *r);
	bool (*order)(const struct differ_result *ours, const struct differ_result *theirs);
} quirks[] = {
	{ "STE.S2HA and S2HD are not looked at", .reads = s2ha },
	{ "STE.S2PTW is not looked at", .reads = s2ptw },
	{ "STE.STRW is not looked at", .reads = strw },
	{ "CR2.RECINVSID is not looked at", .reads = recinvsid },
	{ "STE.S1CDMax is not ignored without substreams", .reads = s1cdmax },
	{ "STE.S1STALLD is looked at without stage 1", .reads = s1stalld },
	{ "STE.S1ContextPtr ends at bit 47", .reads = s1contextptr },
	{ "L1STD.Span counts 2^Span entries, and may be a reserved one", .reads = span },
	{ "STRTAB_BASE is aligned to half the size of the table", .reads = strtab_alignment },
	{ "STE.S2TTB ends at bit 47", .reads = s2ttb },
	{ "CD.TTB0 and TTB1 end at bit 50", .reads = cdttb },
	{ "stage 2 translates of a stage 1 table the beginning, also for an entry beyond its page",
	  .reads = first_page },
	{ "CD.TBI1 is not looked at: TBI0 is of both halves", .reads = tbi1 },
	{ "STE.S2T0SZ is bounded by S2PS", .reads = s2t0sz },
	{ "every access is privileged", .reads = unprivileged },
	{ "of concatenated stage 2 tables only the first is found", .reads = concatenated },
	{ "the IPA of a record keeps its low bits", .words = ipa_bits },
	{ "RnW of a fault on a stage 1 table or CD is the walk's", .words = rnw_of_walk },
	{ "the fault of stage 2 on the address of a table below the root has no S2",
	  .words = s2_of_table },
	{ "F_CD_FETCH has its address in word 2", .words = cd_fetch_address },
	{ "output size is checked after access flag and permissions", .order = late_address_size },
	{ "the address of a table is not checked against the output size",
	  .order = table_address_size },
	{ "stage 2 translates both TTBs with the CD, and of tables the beginning",
	  .order = table_base },
	{ "permissions of a table come before what is below it", .order = table_permission },
	{ "what is found out before the walk, under nesting, is recorded by S2R", .order = recorded_by_s2r },
	{ "a fault of stage 2 on a stage 1 table is recorded by CD.R", .order = recorded_by_cdr },
	{ "of concatenated tables another is read that does not answer", .order = concatenated_eabt },
	{ "under nesting tables are not checked against CD.IPS, TTB is cut at it", .order = cut_at_ips },
	{ "L1STD.L2Ptr is not aligned, and ends at bit 63", .order = l2ptr },
	{ "FetchAddr keeps bits above the output size", .order = fetch_beyond },
	{ "beyond Span is C_BAD_STE", .order = beyond_span },
	{ "STE.S2SL0 may be too high for S2T0SZ", .order = short_root },
	{ "a block is taken at a level that has none", .order = large_block },
	{ "STE.S1ContextPtr is not checked against the output size", .order = context_pointer },
	{ "an address beyond the output size, in bypass, is no F_ADDR_SIZE",
	  .order = bypass_address_size },
};

#define NUM_QUIRKS (sizeof(quirks) / sizeof(quirks[0]))

const char *quirk_name(unsigned n)
{
	return n < NUM_QUIRKS ? quirks[n].name : NULL;
}

static bool equal(const struct differ_result *a, const struct differ_result *b)
{
	return a->reached == b->reached && a->events == b->events &&
	       (!a->events || !memcmp(a->event, b->event, sizeof(a->event)));
}

/* Wordings, then orders. */
static bool said_differently(const struct differ_result *ours, struct differ_result theirs,
			     uint64_t *why)
{
	if (equal(ours, &theirs))
		return true;
	for (unsigned i = 0; i < NUM_QUIRKS; i++)
		if (quirks[i].words && quirks[i].words(&theirs))
			*why |= 1ull << i;
	if (equal(ours, &theirs))
		return true;
	for (unsigned i = 0; i < NUM_QUIRKS; i++) {
		if (!quirks[i].order || !quirks[i].order(ours, &theirs))
			continue;
		*why |= 1ull << i;
		return true;
	}
	return false;
}

bool quirk_explains(const struct differ_case *c, const struct differ_result *ours,
		    const struct differ_result *theirs, uint64_t *why)
{
	struct differ_result again;
	bool changed = false;

	copy = *c;
	*why = 0;
	if (said_differently(ours, *theirs, why))
		return true;
	*why = 0;
	for (unsigned i = 0; i < NUM_QUIRKS; i++) {
		if (!quirks[i].reads || !quirks[i].reads())
			continue;
		*why |= 1ull << i;
		changed = true;
	}
	if (!changed)
		return false;
	differ_run(&copy, &again);
	return said_differently(&again, *theirs, why);
}
