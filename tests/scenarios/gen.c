/* SPDX-License-Identifier: MIT */
/*
 * gen.c - from a seed to structures in memory
 *
 * First something that translates, then mistakes. Addresses are such that what goes
 * wrong goes nowhere near the code that looks at it: all that a device is to reach
 * has the low 30 bits of DIFFER_DATA, so that blocks of up to 1 GiB lead there; and
 * bits that would lead below RAM, to the image, or to PCI windows are never flipped.
 */
#include "differ.h"

#include "src/smmuv3/fields.h"

#define LOW30		((1ull << 30) - 1)
/* of an address: 0x08000000 to 0x40000000, and the PCI window at 512 GiB */
#define UNSAFE		(0xfull << 27 | 1ull << 39)

#define D_VALID		1ull
#define D_TABLE		2ull			/* at level 3: a page */
#define D_AF		(1ull << 10)
#define D_S1_RW		(1ull << 6 | D_AF)	/* AP[1]: unprivileged too */
#define D_S2_RW		(3ull << 6 | 0xfull << 2 | D_AF)

/* ---- chance ---- */

static uint64_t rnd(struct differ_case *c)
{
	uint64_t z = c->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned pick(struct differ_case *c, unsigned n)
{
	return (unsigned)(rnd(c) >> 33) % n;
}

static bool chance(struct differ_case *c, unsigned percent)
{
	return pick(c, 100) < percent;
}

static unsigned between(struct differ_case *c, unsigned min, unsigned max)
{
	return min + pick(c, max - min + 1);
}

uint64_t differ_seed(uint64_t run, uint64_t i)
{
	struct differ_case c = { .rng = run ^ i * 0xd1342543de82ef95ull };

	return rnd(&c);
}

static bool has_s1(const struct differ_case *c)
{
	return c->config == STE_Config_S1 || c->config == STE_Config_S1_S2;
}

static bool has_s2(const struct differ_case *c)
{
	return c->config == STE_Config_S2 || c->config == STE_Config_S1_S2;
}

bool differ_two_level(uint64_t seed)
{
	return seed & 1;
}

/* ---- memory ---- */

static uint64_t ones(unsigned bits)
{
	return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static uint64_t take(struct differ_case *c, uint64_t bytes)
{
	uint64_t pa;

	if (bytes < 64)
		bytes = 64;
	pa = (c->next + bytes - 1) & ~(bytes - 1);
	c->next = pa + bytes;
	return pa;
}

static struct differ_word *find(struct differ_case *c, uint64_t pa)
{
	for (unsigned i = 0; i < c->num_words; i++)
		if (c->words[i].pa == pa)
			return &c->words[i];
	return NULL;
}

static void put(struct differ_case *c, uint64_t pa, uint64_t value, enum differ_kind kind,
		unsigned index, bool leaf)
{
	if (c->num_words < DIFFER_MAX_WORDS)
		c->words[c->num_words++] = (struct differ_word){
			.pa = pa, .value = value, .meant = value, .kind = (uint8_t)kind,
			.index = (uint8_t)index, .leaf = leaf };
}

/* In memory that the case does not use otherwise: the rest is looked through. */
static void place(struct differ_case *c, uint64_t pa)
{
	bool tables = pa >= DIFFER_TABLES && pa < c->next;

	if (tables || pa < DIFFER_DATA || pa >= RAM_END || c->num_places == DIFFER_MAX_PLACES)
		return;
	for (unsigned i = 0; i < c->num_places; i++)
		if (c->places[i] == pa)
			return;
	c->places[c->num_places++] = pa;
}

/* a page of data that @low leads to, as a leaf of @lg2 bytes or as a smaller one */
static void places(struct differ_case *c, uint64_t base, uint64_t low)
{
	static const uint8_t lg2[] = { 12, 14, 16, 21, 25, 29, 30 };

	for (unsigned i = 0; i < sizeof(lg2); i++)
		place(c, (base & ~ones(lg2[i])) | (low & ones(lg2[i])));
}

/* A table that is taken for a block leads into memory behind the tables. */
static void stray_places(struct differ_case *c, uint64_t low)
{
	for (uint64_t b = c->scan & ~ones(21); b < c->next; b += 1ull << 21)
		place(c, b | (low & ones(21)));
	place(c, DIFFER_TABLES | (low & ones(25)));
	place(c, DIFFER_TABLES | (low & ones(29)));
}

/* ---- tables ---- */

static unsigned shift_at(const struct differ_table *t, unsigned level)
{
	return t->granule_lg2 + (t->granule_lg2 - 3) * (3 - level);
}

static uint64_t entry_at(const struct differ_table *t, uint64_t table, unsigned level, uint64_t va)
{
	unsigned shift = shift_at(t, level);
	unsigned bits = level == t->level ? t->ias_lg2 - shift : t->granule_lg2 - 3;

	return table + ((va >> shift) & ones(bits)) * 8;
}

static uint64_t new_table(struct differ_case *c, const struct differ_table *t)
{
	return take(c, 1ull << t->granule_lg2);
}

static void new_root(struct differ_case *c, struct differ_table *t)
{
	t->root = take(c, 8ull << (t->ias_lg2 - shift_at(t, t->level)));
}

/* Levels at which a leaf may be larger than a page. */
static bool block_at(const struct differ_table *t, unsigned level)
{
	return level == 2 || (level == 1 && t->granule_lg2 == 12);
}

static unsigned leaf_level(struct differ_case *c, const struct differ_table *t)
{
	unsigned level = chance(c, 60) ? 3 : between(c, 1, 2);

	return level >= t->level && (level == 3 || block_at(t, level)) ? level : 3;
}

/* an address that stage 2 has, with the low bits of the physical one */
static uint64_t new_ipa(struct differ_case *c, uint64_t pa)
{
	uint64_t high = chance(c, 50) ? rnd(c) << 30 : 1ull << 30;

	if (!has_s2(c))
		return pa;
	return ((pa & LOW30) | (high & ~LOW30)) & ones(c->s2.ias_lg2);
}

/* Stage 2: @ipa leads to @pa. What leads somewhere already stays. */
static void map_s2(struct differ_case *c, uint64_t ipa, uint64_t pa)
{
	const struct differ_table *t = &c->s2;
	unsigned last = leaf_level(c, t);
	uint64_t table = t->root;

	for (unsigned level = t->level;; level++) {
		uint64_t at = entry_at(t, table, level, ipa);
		const struct differ_word *w = find(c, at);

		if (w && w->leaf)
			return;
		if (level == last && !w) {
			put(c, at, (pa & ~ones(shift_at(t, level))) | D_S2_RW | D_VALID |
			    (level == 3 ? D_TABLE : 0), DIFFER_S2, level, true);
			return;
		}
		if (level == 3)
			return;
		table = w ? w->value & ones(48) & ~ones(12) : new_table(c, t);
		if (!w)
			put(c, at, table | D_TABLE | D_VALID, DIFFER_S2, level, false);
		if (level == last)
			last++;
	}
}

/* An address for something in memory, which stage 2 must lead to. */
static uint64_t reachable(struct differ_case *c, uint64_t pa)
{
	uint64_t ipa = new_ipa(c, pa);

	if (has_s2(c))
		map_s2(c, ipa, pa);
	return ipa;
}

/* For a table: the page that its entry is in, and the first, since QEMU has only that
 * one translated and counts on from there. */
static uint64_t reachable_table(struct differ_case *c, uint64_t table, uint64_t entry)
{
	uint64_t ipa = reachable(c, entry) - (entry - table);

	if (has_s2(c))
		map_s2(c, ipa, table);
	return ipa;
}

/* A decoy beside an entry: an index that is off by one leads to another page. */
static void decoy(struct differ_case *c, uint64_t at, enum differ_kind kind, unsigned level)
{
	uint64_t pa = DIFFER_DATA + ((rnd(c) << 12) & ones(26));

	if (find(c, at ^ 8))
		return;
	put(c, at ^ 8, pa | D_VALID | D_TABLE | (kind == DIFFER_S1 ? D_S1_RW : D_S2_RW),
	    kind, level, true);
	place(c, pa | (c->iova & ones(12)));
}

/* Stage 1 from its root, whose address as hardware uses it is @root, to @out. */
static void map_s1(struct differ_case *c, uint64_t va, uint64_t out)
{
	const struct differ_table *t = &c->s1;
	unsigned last = leaf_level(c, t);
	uint64_t table = t->root;

	for (unsigned level = t->level;; level++) {
		uint64_t at = entry_at(t, table, level, va), next;

		if (level == last) {
			put(c, at, (out & ~ones(shift_at(t, level))) | D_S1_RW | D_VALID |
			    (level == 3 ? D_TABLE : 0) | (rnd(c) & 1ull << 11), DIFFER_S1, level,
			    true);
			if (level == 3 && chance(c, 30))
				decoy(c, at, DIFFER_S1, level);
			return;
		}
		table = new_table(c, t);
		next = reachable_table(c, table, entry_at(t, table, level + 1, va));
		put(c, at, next | D_TABLE | D_VALID, DIFFER_S1, level, false);
	}
}

/* ---- stage 1: CD ---- */

static const uint8_t granules[] = { 12, 14, 16 };

static unsigned tg(const struct differ_table *t, bool upper)
{
	static const uint8_t code[2][3] = {
		{ CD_TG0_4K, CD_TG0_16K, CD_TG0_64K }, { CD_TG1_4K, CD_TG1_16K, CD_TG1_64K },
	};

	return code[upper][(t->granule_lg2 - 12) / 2];
}

static void shape_s1(struct differ_case *c)
{
	struct differ_table *t = &c->s1;

	t->granule_lg2 = granules[pick(c, 3)];
	t->ias_lg2 = chance(c, 40) ? 48 : between(c, 25, 48);
	t->upper = chance(c, 30);
	t->level = 3 - (t->ias_lg2 - 1 - t->granule_lg2) / (t->granule_lg2 - 3);
	new_root(c, t);
}

static uint64_t cd_word0(struct differ_case *c)
{
	const struct differ_table *t = &c->s1;
	unsigned tsz = 64 - t->ias_lg2, other = between(c, 16, 39);
	uint64_t w = FPREP(CD_V, 1) | FPREP(CD_AA64, 1) | FPREP(CD_R, 1) | FPREP(CD_A, 1) |
		     FPREP(CD_IPS, chance(c, 70) ? 5 : pick(c, 6)) |
		     FPREP(CD_ASID, rnd(c)) | FPREP(CD_ASET, chance(c, 50)) |
		     FPREP(CD_T0SZ, t->upper ? other : tsz) |
		     FPREP(CD_T1SZ, t->upper ? tsz : other) |
		     FPREP(CD_TG0, t->upper ? pick(c, 3) : tg(t, false)) |
		     FPREP(CD_TG1, t->upper ? tg(t, true) : 1 + pick(c, 3));

	/* behind stage 2 QEMU translates both tables' addresses when it reads the CD */
	if (chance(c, has_s2(c) ? 95 : 60))
		w |= t->upper ? FMASK(CD_EPD0) : FMASK(CD_EPD1);
	return w | FPREP(CD_TBI0, chance(c, 20)) | FPREP(CD_TBI1, chance(c, 20)) |
	       FPREP(CD_AFFD, chance(c, 20)) | FPREP(CD_WXN, chance(c, 10)) |
	       FPREP(CD_SH0, SH_ISH) | FPREP(CD_SH1, SH_ISH);
}

static void make_cd(struct differ_case *c)
{
	uint64_t entry = entry_at(&c->s1, c->s1.root, c->s1.level, c->iova);
	uint64_t ttb = reachable_table(c, c->s1.root, entry), w[CD_WORDS] = { 0 };

	w[0] = cd_word0(c);
	w[1] = c->s1.upper ? rnd(c) & ones(31) & ~ones(12) : ttb;
	w[2] = c->s1.upper ? ttb : rnd(c) & ones(31) & ~ones(12);
	w[3] = 0xff;
	for (unsigned i = 0; i < CD_WORDS; i++)
		put(c, c->cd + i * 8, w[i], DIFFER_CD, i, false);
}

/* ---- stage 2: STE ---- */

static void shape_s2(struct differ_case *c)
{
	struct differ_table *t = &c->s2;
	unsigned below, most;

	t->granule_lg2 = granules[pick(c, 3)];
	t->level = between(c, t->granule_lg2 == 12 ? 0 : 1, t->granule_lg2 == 12 ? 2 : 3);
	if (t->granule_lg2 != 12 && t->level == 3)
		t->level = 2;
	below = shift_at(t, t->level);
	/* concatenated tables, of which QEMU finds only the first, are few */
	most = below + t->granule_lg2 - 3 + (chance(c, 10) ? 4 : 0);
	if (most > 44)
		most = 44;
	t->ias_lg2 = between(c, below + 1 < 25 ? 25 : below + 1, most);
	new_root(c, t);
}

static uint64_t ste_word2(struct differ_case *c)
{
	const struct differ_table *t = &c->s2;
	unsigned g = t->granule_lg2;

	return FPREP(STE_S2VMID, rnd(c)) | FPREP(STE_S2T0SZ, 64 - t->ias_lg2) |
	       FPREP(STE_S2SL0, (g == 12 ? 2 : 3) - t->level) |
	       FPREP(STE_S2TG, g == 12 ? STE_S2TG_4K : g == 14 ? STE_S2TG_16K : STE_S2TG_64K) |
	       FPREP(STE_S2PS, chance(c, 90) ? 5 : pick(c, 6)) | FPREP(STE_S2AA64, 1) |
	       FPREP(STE_S2AFFD, chance(c, 20)) | FPREP(STE_S2PTW, chance(c, 20)) |
	       FPREP(STE_S2R, 1) | FPREP(STE_S2SH0, SH_ISH);
}

static void make_ste(struct differ_case *c, uint64_t at)
{
	uint64_t w[STE_WORDS] = { 0 };

	w[0] = FPREP(STE_V, 1) | FPREP(STE_Config, c->config);
	w[1] = FPREP(STE_SHCFG, SHCFG_INCOMING) | FPREP(STE_EATS, chance(c, 10));
	/* also where they are not looked at, for whoever is taken there by a mistake */
	w[0] |= reachable(c, c->cd) & FMASK(STE_S1ContextPtr);
	w[3] = c->s2.root;
	if (has_s2(c))
		w[2] = ste_word2(c);
	for (unsigned i = 0; i < STE_WORDS; i++)
		put(c, at + i * 8, w[i], DIFFER_STE, i, false);
}

/* ---- stream table ---- */

static uint64_t strtab_linear(struct differ_case *c)
{
	unsigned lg2 = between(c, 9, 16);

	c->strtab = take(c, 64ull << lg2);
	c->strtab_cfg = (uint32_t)FPREP(STRTAB_BASE_CFG_LOG2SIZE, lg2);
	return c->strtab + c->sid * 64;
}

static uint64_t strtab_two_level(struct differ_case *c)
{
	static const uint8_t splits[] = { 6, 8, 10 };
	unsigned split = splits[pick(c, 3)], lg2 = between(c, 9, 16), span = split + 1;
	uint32_t low = c->sid & (uint32_t)ones(split);
	uint64_t l2;

	while (span > 1 && low >> (span - 2) == 0 && chance(c, 50))
		span--;
	l2 = take(c, 64ull << (span - 1));
	c->strtab = take(c, 8ull << (lg2 > split ? lg2 - split : 0));
	c->strtab_cfg = (uint32_t)(FPREP(STRTAB_BASE_CFG_LOG2SIZE, lg2) |
				   FPREP(STRTAB_BASE_CFG_SPLIT, split) |
				   FPREP(STRTAB_BASE_CFG_FMT, STRTAB_BASE_CFG_FMT_TWO_LEVEL));
	put(c, c->strtab + (c->sid >> split) * 8, l2 | FPREP(L1STD_Span, span), DIFFER_L1STD, 0,
	    false);
	return l2 + low * 64;
}

/* ---- the access ---- */

static void choose_iova(struct differ_case *c)
{
	uint64_t low = (DIFFER_DATA & LOW30) | (rnd(c) & ones(27) & ~3ull), high = rnd(c) << 30;
	unsigned ias = has_s1(c) ? c->s1.ias_lg2 : has_s2(c) ? c->s2.ias_lg2 : 48;

	if (c->config == STE_Config_BYPASS || chance(c, 20))
		high = 1ull << 30;
	c->iova = (low | (high & ~LOW30)) & ones(ias);
	if (has_s1(c) && c->s1.upper)
		c->iova |= ~ones(ias);
}

/* Where it is to arrive: the low bits that a block keeps are those of the address. */
static void lead(struct differ_case *c)
{
	unsigned kept = chance(c, 75) ? 27 : 16;
	uint64_t pa = DIFFER_DATA | (rnd(c) & ones(27) & ~ones(kept)) | (c->iova & ones(kept));
	uint64_t ipa = has_s1(c) ? new_ipa(c, pa) : c->iova;

	if (has_s1(c))
		map_s1(c, c->iova, ipa);
	if (has_s2(c))
		map_s2(c, ipa, pa);
	places(c, pa, c->iova);
	place(c, c->iova & ones(48));
	stray_places(c, c->iova);
	stray_places(c, pa);
}

/* ---- mistakes ---- */

static const struct field {
	uint8_t kind, word, hi, lo;
} fields[] = {
#define F(k, e, f) { k, e##_##f##_WORD, e##_##f##_HI, e##_##f##_LO }
#define S(f) F(DIFFER_STE, STE, f)
#define C(f) F(DIFFER_CD, CD, f)
	S(V), S(Config), S(Config), S(S1Fmt), S(S1CDMax), S(S1DSS), S(STRW), S(S2VMID),
	S(S2T0SZ), S(S2T0SZ), S(S2SL0), S(S2TG), S(S2PS), S(S2AA64), S(S2ENDI), S(S2AFFD),
	S(S2PTW), S(S2HA), S(S2HD), S(S2S), S(S2R), S(EATS), S(S1STALLD), S(MEV), S(SHCFG),
	S(S1MPAM), S(S2FWB), S(CONT), S(DRE), S(MemAttr), S(MTCFG), S(NSCFG),
	C(V), C(AA64), C(T0SZ), C(T0SZ), C(T1SZ), C(TG0), C(TG1), C(EPD0), C(EPD1), C(IPS),
	C(AFFD), C(WXN), C(UWXN), C(HA), C(HD), C(S), C(R), C(A), C(ENDI), C(ASID), C(TBI0),
	C(TBI1), C(PAN), C(HAD0), C(HAD1), C(NSCFG0), C(HWU059),
#undef C
#undef S
#undef F
};

static void wrong_field(struct differ_case *c)
{
	const struct field *f = &fields[pick(c, sizeof(fields) / sizeof(fields[0]))];
	uint64_t mask = ones(f->hi - f->lo + 1u) << f->lo;

	for (unsigned i = 0; i < c->num_words; i++) {
		struct differ_word *w = &c->words[i];

		if (w->kind == f->kind && w->index == f->word)
			w->value = (w->value & ~mask) | (rnd(c) << f->lo & mask);
	}
}

static bool is_entry(const struct differ_word *w)
{
	return w->kind == DIFFER_S1 || w->kind == DIFFER_S2;
}

/* One of a kind that is picked first: there are many more of some than of others. */
static struct differ_word *any_word(struct differ_case *c)
{
	unsigned kind = pick(c, DIFFER_KINDS), n = 0;
	struct differ_word *found = NULL;

	for (unsigned i = 0; i < c->num_words; i++)
		if (c->words[i].kind == kind && !pick(c, ++n))
			found = &c->words[i];
	return found;
}

static struct differ_word *any_entry(struct differ_case *c)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		struct differ_word *w = any_word(c);

		if (w && is_entry(w))
			return w;
	}
	return NULL;
}

/* Large blocks begin where RAM does: taken for a table they lead to the image, unless
 * they keep their address. */
static void flip(struct differ_word *w, unsigned bit)
{
	bool low = w->leaf && (w->meant & ones(48)) < DIFFER_DATA && bit >= 16 && bit < 30;

	if (!(1ull << bit & UNSAFE) && !low)
		w->value ^= 1ull << bit;
}

static void wrong_bit(struct differ_case *c)
{
	struct differ_word *w = any_word(c);
	unsigned bit = pick(c, 64);

	if (w)
		flip(w, bit);
}

/* bits that mean something in an entry: type, permissions, AF, DBM, XN, what tables say */
static void wrong_entry(struct differ_case *c)
{
	static const uint8_t bits[] = { 0, 1, 6, 7, 7, 10, 10, 11, 51, 53, 54, 59, 60, 61, 62, 62,
					2, 4, 12, 13, 14, 16, 20, 21, 44, 45, 47, 48, 50 };
	struct differ_word *w = any_entry(c);

	if (w)
		flip(w, bits[pick(c, sizeof(bits))]);
}

static void hole(struct differ_case *c)
{
	struct differ_word *w = any_entry(c);

	if (w)
		w->value = chance(c, 50) ? 0 : rnd(c) & ~D_VALID;
}

/* where no memory answers: at 4 GiB and up */
static void nowhere(struct differ_case *c)
{
	struct differ_word *w = any_word(c);
	bool pointer = w && (is_entry(w) || w->kind == DIFFER_L1STD || w->index == 3 ||
			     (w->kind == DIFFER_STE ? w->index == 0 : w->index == 1));

	if (pointer)
		w->value |= 1ull << 32;
}

static void wrong_iova(struct differ_case *c)
{
	unsigned bit = between(c, 30, 63);

	if (bit != 39)
		c->iova ^= chance(c, 70) ? 1ull << bit : 0xffull << 56;
}

static void wrong_strtab(struct differ_case *c)
{
	if (chance(c, 50))
		c->strtab_cfg = (uint32_t)FSET(STRTAB_BASE_CFG_LOG2SIZE, c->strtab_cfg, pick(c, 17));
	else if (chance(c, 50))
		c->cr2 &= ~(uint32_t)FMASK(CR2_RECINVSID);
	else
		c->strtab |= 1ull << 32;
}

static void mistake(struct differ_case *c)
{
	static void (*const all[])(struct differ_case *c) = {
		wrong_field, wrong_field, wrong_field, wrong_bit, wrong_bit, wrong_entry,
		wrong_entry, wrong_entry, hole, nowhere, wrong_iova, wrong_strtab,
	};
	unsigned i = pick(c, sizeof(all) / sizeof(all[0]));

	/* few of the stream table: nothing else is looked at then */
	if (all[i] == wrong_strtab && chance(c, 70))
		i = 0;
	all[i](c);
}

/* QEMU ends itself (an assertion) on output sizes of 52 bits and reserved ones,, on the
 * reserved granule of stage 2, and on AArch32 tables there. */
static void spare_qemu(struct differ_case *c)
{
	for (unsigned i = 0; i < c->num_words; i++) {
		struct differ_word *w = &c->words[i];

		if (w->kind == DIFFER_CD && w->index == 0 && FGET(CD_IPS, w->value) > IDR5_OAS_48)
			w->value ^= 2ull << CD_IPS_LO;
		if (w->kind == DIFFER_STE && w->index == 2 && FGET(STE_S2PS, w->value) > IDR5_OAS_48)
			w->value ^= 2ull << STE_S2PS_LO;
		if (w->kind == DIFFER_STE && w->index == 2 && FGET(STE_S2TG, w->value) == 3)
			w->value ^= 1ull << STE_S2TG_LO;
		if (w->kind == DIFFER_STE && w->index == 2)
			w->value |= FMASK(STE_S2AA64);
	}
}

/* ---- all of it ---- */

static unsigned choose_config(struct differ_case *c)
{
	unsigned p = pick(c, 100);

	return p < 3 ? STE_Config_ABORT : p < 7 ? STE_Config_BYPASS :
	       p < 37 ? STE_Config_S1 : p < 62 ? STE_Config_S2 : STE_Config_S1_S2;
}

void differ_generate(struct differ_case *c, uint64_t seed, uint32_t sid, bool read)
{
	uint64_t ste;

	c->seed = c->rng = seed;
	c->sid = sid;
	c->read = read;
	c->next = c->scan = DIFFER_TABLES + ((uint64_t)pick(c, 64) << 16);
	c->num_words = c->num_places = 0;
	c->cr2 = FMASK(CR2_RECINVSID) | FMASK(CR2_PTM);
	c->config = choose_config(c);
	ste = differ_two_level(seed) ? strtab_two_level(c) : strtab_linear(c);
	c->scan = c->next;
	shape_s2(c);
	shape_s1(c);
	choose_iova(c);
	c->cd = take(c, 64);
	make_ste(c, ste);
	if (has_s1(c))
		make_cd(c);
	lead(c);
	c->mistakes = chance(c, 25) ? 0 : between(c, 1, 3);
	for (unsigned i = 0; i < c->mistakes; i++)
		mistake(c);
	spare_qemu(c);
	for (unsigned i = 0; i < c->num_words; i++)
		if (c->words[i].leaf && c->words[i].value != c->words[i].meant)
			places(c, c->words[i].value & ones(48), c->iova);
}
