/* SPDX-License-Identifier: MIT */
/*
 * entry.c - structures in memory, field by field: STE, CD, the descriptors above
 * them, commands, page requests. The fields are those of regs.def; here stands
 * only which of them mean something when, and what looks wrong.
 */
#include <inttypes.h>
#include <string.h>

#include "decode.h"
#include "src/smmuv3/fields.h"

/* ---- regs.def as tables ---- */

struct efield {
	const char *entry, *name;
	uint8_t word, hi, lo;
};

static const struct efield efields[] = {
#define EFIELD(entry, word, name, hi, lo) { #entry, #name, word, hi, lo },
#include "src/smmuv3/regs.def"
};

static const struct code {
	const char *kind, *name;
	uint64_t value;
} codes[] = {
#define CODE(kind, name, value) { #kind, #name, value },
#include "src/smmuv3/regs.def"
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *code_name(const char *kind, uint64_t value)
{
	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].value == value && !strcmp(codes[i].kind, kind))
			return codes[i].name;
	return NULL;
}

/* Fields that share an encoding with others of its kind. */
static const struct {
	const char *field, *kind;
} shared_codes[] = {
	{ "S1CIR", "CACHE" }, { "S1COR", "CACHE" }, { "S2IR0", "CACHE" }, { "S2OR0", "CACHE" },
	{ "IR0", "CACHE" }, { "OR0", "CACHE" }, { "IR1", "CACHE" }, { "OR1", "CACHE" },
	{ "S1CSH", "SH" }, { "S2SH0", "SH" }, { "SH0", "SH" }, { "SH1", "SH" }, { "MSH", "SH" },
	{ "SHCFG", "SHCFG" }, { "TG", "CMD_TLBI_TG" }, { "MSIAttr", "MEMATTR" },
};

static uint64_t mask_of(const struct efield *e)
{
	return UIOMMU_FMAX_(e->hi, e->lo) << e->lo;
}

static uint64_t value_of(const struct efield *e, const uint64_t *w)
{
	return w[e->word] >> e->lo & UIOMMU_FMAX_(e->hi, e->lo);
}

/* Addresses are shown in place, not shifted down. */
static bool is_address(const struct efield *e)
{
	static const char *const names[] = { "S1ContextPtr", "S2TTB", "TTB0", "TTB1", "L2Ptr",
					     "VMSPtr", "Address", "MSIAddress" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (!strcmp(e->name, names[i]))
			return true;
	return false;
}

/* ---- values in words ---- */

static const uint8_t size_bits[8] = { 32, 36, 40, 42, 44, 48, 52, 56 };

static const char *words_of(struct report *r, const struct efield *e, uint64_t v)
{
	char kind[64];
	const char *name;

	if (!strcmp(e->name, "T0SZ") || !strcmp(e->name, "T1SZ") || !strcmp(e->name, "S2T0SZ"))
		return report_str(r, "%d-bit input addresses", 64 - (int)v);
	if (!strcmp(e->name, "IPS") || !strcmp(e->name, "S2PS"))
		return report_str(r, "%u-bit output addresses", size_bits[v & 7]);
	if (!strcmp(e->name, "S1CDMax"))
		return v ? report_str(r, "%" PRIu64 " CDs", (uint64_t)1 << v) :
		       "one CD, no PASIDs";
	if (!strcmp(e->name, "Span"))
		return v ? report_str(r, "%" PRIu64 " STEs", (uint64_t)1 << (v - 1)) :
		       "no level 2 table";
	snprintf(kind, sizeof(kind), "%s_%s", e->entry, e->name);
	name = code_name(kind, v);
	for (size_t i = 0; !name && i < COUNT(shared_codes); i++)
		if (!strcmp(e->name, shared_codes[i].field))
			name = code_name(shared_codes[i].kind, v);
	return name;
}

/* ---- which fields mean something ---- */

enum { ALWAYS = 0, STAGE1 = 1, STAGE2 = 2, BOTH = 3, PASSES = 4, LOWER = 8, UPPER = 16 };

static const struct {
	const char *entry, *field;
	unsigned when;
} needs[] = {
	{ "STE", "S1Fmt", STAGE1 }, { "STE", "S1ContextPtr", STAGE1 }, { "STE", "S1CDMax", STAGE1 },
	{ "STE", "S1DSS", STAGE1 }, { "STE", "S1CIR", STAGE1 }, { "STE", "S1COR", STAGE1 },
	{ "STE", "S1CSH", STAGE1 }, { "STE", "S1PIE", STAGE1 }, { "STE", "S1MPAM", STAGE1 },
	{ "STE", "S1STALLD", STAGE1 }, { "STE", "STRW", STAGE1 },
	{ "STE", "S2HWU59", STAGE2 }, { "STE", "S2HWU60", STAGE2 }, { "STE", "S2HWU61", STAGE2 },
	{ "STE", "S2HWU62", STAGE2 }, { "STE", "S2FWB", STAGE2 }, { "STE", "S2VMID", STAGE2 },
	{ "STE", "S2T0SZ", STAGE2 }, { "STE", "S2SL0", STAGE2 }, { "STE", "S2IR0", STAGE2 },
	{ "STE", "S2OR0", STAGE2 }, { "STE", "S2SH0", STAGE2 }, { "STE", "S2TG", STAGE2 },
	{ "STE", "S2PS", STAGE2 }, { "STE", "S2AA64", STAGE2 }, { "STE", "S2ENDI", STAGE2 },
	{ "STE", "S2AFFD", STAGE2 }, { "STE", "S2PTW", STAGE2 }, { "STE", "S2HD", STAGE2 },
	{ "STE", "S2HA", STAGE2 }, { "STE", "S2S", STAGE2 }, { "STE", "S2R", STAGE2 },
	{ "STE", "S2SL0_2", STAGE2 }, { "STE", "S2DS", STAGE2 }, { "STE", "S2TTB", STAGE2 },
	{ "STE", "MemAttr", PASSES }, { "STE", "MTCFG", PASSES }, { "STE", "ALLOCCFG", PASSES },
	{ "STE", "SHCFG", PASSES },
	{ "CD", "T0SZ", LOWER }, { "CD", "TG0", LOWER }, { "CD", "IR0", LOWER },
	{ "CD", "OR0", LOWER }, { "CD", "SH0", LOWER }, { "CD", "TBI0", LOWER },
	{ "CD", "HAD0", LOWER }, { "CD", "E0PD0", LOWER }, { "CD", "TTB0", LOWER },
	{ "CD", "T1SZ", UPPER }, { "CD", "TG1", UPPER }, { "CD", "IR1", UPPER },
	{ "CD", "OR1", UPPER }, { "CD", "SH1", UPPER }, { "CD", "TBI1", UPPER },
	{ "CD", "HAD1", UPPER }, { "CD", "E0PD1", UPPER }, { "CD", "TTB1", UPPER },
};

static unsigned need_of(const struct efield *e)
{
	for (size_t i = 0; i < COUNT(needs); i++)
		if (!strcmp(e->entry, needs[i].entry) && !strcmp(e->name, needs[i].field))
			return needs[i].when;
	return ALWAYS;
}

/* Not fields that nothing uses here, nor those that are 0 and say nothing by that. */
static bool worth_showing(const struct efield *e, const uint64_t *w, unsigned when)
{
	unsigned need = need_of(e);
	bool command = !strncmp(e->entry, "CMD_", 4);

	if (need && !(need & when))
		return false;
	if (command && !strcmp(e->name, "SubstreamID") && strcmp(e->entry, "CMD_CFGI_CD"))
		return FGET(CMD_ATC_INV_SSV, w[0]);
	if (command && !strncmp(e->name, "MSI", 3))
		return FGET(CMD_SYNC_CS, w[0]) == CMD_SYNC_CS_SIG_IRQ;
	if (value_of(e, w))
		return strcmp(e->name, "Opcode");
	return e->hi > e->lo && (need || (!strcmp(e->entry, "CD") && !strcmp(e->name, "IPS")) ||
				 (strcmp(e->entry, "STE") && strcmp(e->entry, "CD") &&
				  e->hi - e->lo > 6));
}

static void put_fields(struct report_item *it, const char *entry, const uint64_t *w, unsigned when)
{
	for (size_t i = 0; i < COUNT(efields); i++) {
		const struct efield *e = &efields[i];
		const char *words;
		uint64_t v;

		if (strcmp(e->entry, entry) || !worth_showing(e, w, when))
			continue;
		v = value_of(e, w);
		words = words_of(it->report, e, v);
		if (is_address(e))
			report_value(it, e->name, w[e->word] & mask_of(e), NULL);
		else if (words)
			report_value(it, e->name, v, "%s", words);
		else
			report_value(it, e->name, v, NULL);
	}
}

/* Bits that no field of @entry names. */
static uint64_t reserved_bits(const char *entry, const uint64_t *w, unsigned word)
{
	uint64_t known = 0;

	for (size_t i = 0; i < COUNT(efields); i++)
		if (!strcmp(efields[i].entry, entry) && efields[i].word == word)
			known |= mask_of(&efields[i]);
	return w[word] & ~known;
}

static unsigned count_reserved(const char *entry, const uint64_t *w, unsigned words)
{
	unsigned n = 0;

	for (unsigned i = 0; i < words; i++)
		n += (unsigned)__builtin_popcountll(reserved_bits(entry, w, i));
	return n;
}

static void note_reserved(struct report_item *it, const char *entry, const uint64_t *w,
			  unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		uint64_t bits = reserved_bits(entry, w, i);

		if (bits)
			report_note(it, "Word %u has bits set that are reserved: 0x%" PRIx64 ".", i,
				    bits);
	}
}

/* ---- STE ---- */

static const struct {
	const char *what, *means;
	unsigned when;
} configs[8] = {
	{ "DMA is aborted, silently", "Config 0b000 aborts without an event.", ALWAYS },
	{ "DMA is aborted", "Config 0b0xx aborts.", ALWAYS },
	{ "DMA is aborted", "Config 0b0xx aborts.", ALWAYS },
	{ "DMA is aborted", "Config 0b0xx aborts.", ALWAYS },
	{ "DMA passes untranslated", "Config bypass: the address on the bus is the physical "
	  "address.", PASSES },
	{ "DMA is translated at stage 1", "S1ContextPtr leads to the context descriptors, one per "
	  "PASID.", STAGE1 },
	{ "DMA is translated at stage 2", "S2TTB is the table; the input address is the IPA.",
	  STAGE2 | PASSES },
	{ "DMA is translated at stage 1 and stage 2", "Nested: S1ContextPtr and all of stage 1 are "
	  "IPAs, read through stage 2.", BOTH },
};

static void ste_checks(struct report_item *it, const uint64_t *w, unsigned when)
{
	uint64_t max = FGET(STE_S1CDMax, w[0]);

	if (when & STAGE1 && max > 20)
		report_note(it, "S1CDMax is above 20, the largest IDR1.SSIDSIZE: ILLEGAL.");
	if (when & STAGE1 && max && FGET(STE_S1Fmt, w[0]) == 3)
		report_note(it, "S1Fmt 3 is reserved.");
	if (when & STAGE1 && max && FGET(STE_S1DSS, w[1]) == 3)
		report_note(it, "S1DSS 3 is reserved.");
	if (when & STAGE1 && max && FGET(STE_S1DSS, w[1]) == STE_S1DSS_TERMINATE)
		report_note(it, "S1DSS is 0b00: DMA without a PASID gives F_STREAM_DISABLED.");
	if (when & STAGE2 && !FGET(STE_S2AA64, w[2]))
		report_note(it, "S2AA64 is 0: AArch32 tables, which few SMMUs have (IDR0.TTF).");
	if (when & STAGE2 && !FGET(STE_S2R, w[2]))
		report_note(it, "S2R is 0: faults at stage 2 are not recorded as events.");
	if (when & STAGE2 && FGET(STE_S2PS, w[2]) > 6)
		report_note(it, "S2PS %u is reserved.", (unsigned)FGET(STE_S2PS, w[2]));
}

static void explain_ste(struct report *r, const struct found *f, const uint64_t *w)
{
	struct report_item *it = report_add(r, "ste", f->line, f->smmu);
	unsigned config = (unsigned)FGET(STE_Config, w[0]);

	it->name = "STE";
	report_raw(it, w, STE_WORDS);
	if (!FGET(STE_V, w[0])) {
		it->what = "not valid (V = 0)";
		it->means = "DMA with this StreamID gives C_BAD_STE; no other field means "
			"anything.";
		return;
	}
	it->what = configs[config].what;
	it->means = configs[config].means;
	put_fields(it, "STE", w, configs[config].when);
	ste_checks(it, w, configs[config].when);
	note_reserved(it, "STE", w, STE_WORDS);
}

/* ---- CD ---- */

static void half_checks(struct report_item *it, const char *half, uint64_t tsz, uint64_t ttb,
			unsigned out_bits)
{
	if (tsz < 12 || tsz > 48)
		report_note(it, "T%sSZ %u is outside of what any SMMU takes (12 to 48): ILLEGAL.",
			    half, (unsigned)tsz);
	else if (tsz < 16)
		report_note(it, "T%sSZ %u needs 52-bit inputs (64 KiB granule and IDR5.VAX, or "
			    "CD.DS).", half, (unsigned)tsz);
	else if (tsz > 39)
		report_note(it, "T%sSZ %u needs small tables (IDR3.STT).", half, (unsigned)tsz);
	if (out_bits < 64 && ttb >> out_bits)
		report_note(it, "TTB%s lies beyond the %u-bit output size (IPS): ILLEGAL.", half,
			    out_bits);
}

static void cd_checks(struct report_item *it, const uint64_t *w, unsigned when)
{
	unsigned out = size_bits[FGET(CD_IPS, w[0])];

	if (!FGET(CD_AA64, w[0]))
		report_note(it, "AA64 is 0: AArch32 tables, which few SMMUs have (IDR0.TTF).");
	if (when & LOWER)
		half_checks(it, "0", FGET(CD_T0SZ, w[0]), w[1] & FMASK(CD_TTB0), out);
	if (when & UPPER)
		half_checks(it, "1", FGET(CD_T1SZ, w[0]), w[2] & FMASK(CD_TTB1), out);
	if (!when)
		report_note(it, "EPD0 and EPD1 are both set: every DMA gives F_TRANSLATION.");
	if (when & LOWER && FGET(CD_TG0, w[0]) == 3)
		report_note(it, "TG0 3 is reserved.");
	if (when & UPPER && FGET(CD_TG1, w[0]) == 0)
		report_note(it, "TG1 0 is reserved (the two halves are encoded differently).");
	if (!FGET(CD_R, w[0]))
		report_note(it, "R is 0: faults are not recorded as events.");
	if (!FGET(CD_A, w[0]))
		report_note(it, "A is 0: a fault is not reported to the device; reads give zero "
			    "and writes are lost.");
}

static void explain_cd(struct report *r, const struct found *f, const uint64_t *w)
{
	struct report_item *it = report_add(r, "cd", f->line, f->smmu);
	unsigned when = (FGET(CD_EPD0, w[0]) ? 0 : LOWER) | (FGET(CD_EPD1, w[0]) ? 0 : UPPER);

	it->name = "CD";
	report_raw(it, w, CD_WORDS);
	if (!FGET(CD_V, w[0])) {
		it->what = "not valid (V = 0)";
		it->means = "DMA with its PASID gives C_BAD_CD; no other field means anything.";
		return;
	}
	it->what = report_str(r, "an address space, ASID %u", (unsigned)FGET(CD_ASID, w[0]));
	it->means = when == LOWER ? "One half: addresses from 0 up, through TTB0." :
		    when == UPPER ? "One half: addresses at the top, through TTB1." :
		    "Bit 55 of the address chooses between TTB0 and TTB1.";
	put_fields(it, "CD", w, when);
	cd_checks(it, w, when);
	note_reserved(it, "CD", w, CD_WORDS);
}

/* ---- commands ---- */

static const struct {
	uint8_t op;
	const char *what;
} command_words[] = {
	{ CMD_PREFETCH_CONFIG, "load the configuration of a stream into the caches" },
	{ CMD_PREFETCH_ADDR, "load translations into the caches" },
	{ CMD_CFGI_STE, "forget the cached STE of a stream" },
	{ CMD_CFGI_STE_RANGE, "forget cached STEs of 2^(Range + 1) streams; Range 31: all" },
	{ CMD_CFGI_CD, "forget the cached CD of one PASID" },
	{ CMD_CFGI_CD_ALL, "forget all cached CDs of a stream" },
	{ CMD_CFGI_VMS_PIDM, "forget the cached VM structure" },
	{ CMD_TLBI_NH_ALL, "invalidate everything of one VMID at stage 1" },
	{ CMD_TLBI_NH_ASID, "invalidate one ASID" },
	{ CMD_TLBI_NH_VA, "invalidate an address (or range) of one ASID" },
	{ CMD_TLBI_NH_VAA, "invalidate an address (or range) of all ASIDs" },
	{ CMD_TLBI_EL3_ALL, "of the secure queue; illegal in this one" },
	{ CMD_TLBI_EL3_VA, "of the secure queue; illegal in this one" },
	{ CMD_TLBI_EL2_ALL, "invalidate everything of EL2" },
	{ CMD_TLBI_EL2_ASID, "invalidate one ASID of EL2" },
	{ CMD_TLBI_EL2_VA, "invalidate an address (or range) of EL2" },
	{ CMD_TLBI_EL2_VAA, "invalidate an address (or range) of all ASIDs of EL2" },
	{ CMD_TLBI_S12_VMALL, "invalidate both stages of one VMID" },
	{ CMD_TLBI_S2_IPA, "invalidate an IPA (or range) at stage 2" },
	{ CMD_TLBI_NSNH_ALL, "invalidate everything but EL2" },
	{ CMD_ATC_INV, "invalidate the device's own translation cache" },
	{ CMD_PRI_RESP, "answer a page request group" },
	{ CMD_RESUME, "let a stalled transaction go on, or end it" },
	{ CMD_STALL_TERM, "end all stalled transactions of a stream" },
	{ CMD_SYNC, "wait until all commands before are complete" },
};

static const char *command_what(unsigned op)
{
	for (size_t i = 0; i < COUNT(command_words); i++)
		if (command_words[i].op == op)
			return command_words[i].what;
	return NULL;
}

static bool has_entry(const char *entry)
{
	for (size_t i = 0; i < COUNT(efields); i++)
		if (!strcmp(efields[i].entry, entry))
			return true;
	return false;
}

void explain_command(struct report *r, const struct found *f, const uint64_t *w)
{
	struct report_item *it = report_add(r, "command", f->line, f->smmu);
	unsigned op = (unsigned)FGET(CMD_Opcode, w[0]);
	const char *name = code_name("CMD", op);

	report_raw(it, w, CMD_WORDS);
	if (!name) {
		it->name = report_str(r, "command 0x%02x", op);
		it->what = "not a command known here";
		it->means = "The SMMU stops at a command it does not know, with CERROR_ILL.";
		return;
	}
	it->name = report_str(r, "CMD_%s", name);
	it->what = command_what(op) ? command_what(op) : "";
	if (!has_entry(it->name))
		return;
	put_fields(it, it->name, w, ~0u);
	note_reserved(it, it->name, w, CMD_WORDS);
}

/* ---- the small ones ---- */

static void explain_l1(struct report *r, const struct found *f, const uint64_t *w, bool cd)
{
	struct report_item *it = report_add(r, cd ? "l1cd" : "l1std", f->line, f->smmu);

	it->name = cd ? "L1CD" : "L1STD";
	it->what = cd ? "level 1 descriptor of a CD table" : "level 1 stream table descriptor";
	if (cd && !FGET(L1CD_V, *w))
		it->means = "V is 0: a PASID in its range gives C_BAD_SUBSTREAMID.";
	if (!cd && !FGET(L1STD_Span, *w))
		it->means = "Span is 0: a StreamID in its range gives C_BAD_STREAMID.";
	report_raw(it, w, 1);
	put_fields(it, it->name, w, ~0u);
	note_reserved(it, it->name, w, 1);
}

static void explain_pri(struct report *r, const struct found *f, const uint64_t *w)
{
	struct report_item *it = report_add(r, "page-request", f->line, f->smmu);

	it->name = "page request";
	it->what = "a device asks for a page (PRI)";
	report_raw(it, w, PRI_WORDS);
	put_fields(it, "PRI", w, ~0u);
	note_reserved(it, "PRI", w, PRI_WORDS);
}

/* ---- words without a heading ---- */

/* How little @w looks like an @as: reserved bits, and what does not go together. */
static unsigned strangeness(enum decode_as as, const uint64_t *w)
{
	char entry[40];
	const char *name;

	switch (as) {
	case AS_STE:
		return count_reserved("STE", w, STE_WORDS) +
		       (FGET(STE_V, w[0]) ? 0 : 6) +
		       (FGET(STE_Config, w[0]) >= 4 || !(w[0] >> 4) ? 0 : 4);
	case AS_CD:
		return count_reserved("CD", w, CD_WORDS) + (FGET(CD_V, w[0]) ? 0 : 6) +
		       (FGET(CD_AA64, w[0]) ? 0 : 3);
	case AS_EVENT:
		if (!event_known((unsigned)FGET(EVT_Number, w[0])))
			return 40;
		snprintf(entry, sizeof(entry), "EVT_%s",
			 code_name("EVT", FGET(EVT_Number, w[0])));
		return 1 + count_reserved(entry, w, EVT_WORDS);
	case AS_COMMAND:
		name = code_name("CMD", FGET(CMD_Opcode, w[0]));
		if (!name)
			return 20;
		snprintf(entry, sizeof(entry), "CMD_%s", name);
		return 1 + count_reserved(entry, w, CMD_WORDS);
	default:
		return 0;
	}
}

static unsigned words_per(enum decode_as as)
{
	static const uint8_t n[] = {
		[AS_EVENT] = EVT_WORDS, [AS_STE] = STE_WORDS, [AS_CD] = CD_WORDS,
		[AS_COMMAND] = CMD_WORDS, [AS_L1STD] = L1STD_WORDS, [AS_L1CD] = L1CD_WORDS,
		[AS_PRI] = PRI_WORDS,
	};

	return n[as];
}

static enum decode_as guess(const struct found *f)
{
	static const enum decode_as order[] = { AS_STE, AS_CD, AS_EVENT, AS_COMMAND };
	enum decode_as best = AS_GUESS;
	unsigned least = ~0u;

	for (size_t i = 0; i < COUNT(order); i++) {
		unsigned per = words_per(order[i]), sum = 0;

		if (f->n % per)
			continue;
		for (unsigned k = 0; k < f->n; k += per)
			sum += strangeness(order[i], f->w + k);
		if (sum < least) {
			least = sum;
			best = order[i];
		}
	}
	return least > 16 * f->n / 2 ? AS_GUESS : best;
}

static void explain_one(struct report *r, const struct decode_options *o, const struct found *f,
			enum decode_as as, const uint64_t *w)
{
	struct found part = *f;

	switch (as) {
	case AS_STE:
		explain_ste(r, f, w);
		break;
	case AS_CD:
		explain_cd(r, f, w);
		break;
	case AS_EVENT:
		part.w = (uint64_t *)w;
		part.n = EVT_WORDS;
		explain_event(r, o, &part);
		break;
	case AS_COMMAND:
		explain_command(r, f, w);
		break;
	case AS_PRI:
		explain_pri(r, f, w);
		break;
	default:
		explain_l1(r, f, w, as == AS_L1CD);
	}
}

static void not_read(struct report *r, const struct found *f, unsigned at)
{
	struct report_item *it = report_add(r, "unread", f->line, f->smmu);
	unsigned n = f->n - at;

	it->name = report_str(r, "%u hex word%s", n, n == 1 ? "" : "s");
	it->what = "not recognised";
	it->cut = at > 0;
	it->means = at ? "Left over behind what was read: cut short, or something else." :
		"An STE or CD has 8 words of 64 bits, an event record 4, a command 2. --as says "
		"what words are (ste, cd, event, command, l1std, l1cd, pri).";
	report_raw(it, f->w + at, n);
}

unsigned explain_block(struct report *r, const struct decode_options *o, const struct found *f)
{
	enum decode_as as = o->as;
	unsigned at = 0, per, read = 0;

	if (as == AS_GUESS)
		as = f->hint;
	if (as == AS_GUESS)
		as = guess(f);
	per = words_per(as);
	for (; per && at + per <= f->n; at += per) {
		explain_one(r, o, f, as, f->w + at);
		read++;
		if (o->as == AS_GUESS && f->hint == AS_GUESS)
			report_note(r->items[r->num_items - 1], "Nothing says what these words "
				    "are; they look like this. --as decides otherwise.");
	}
	if (at < f->n)
		not_read(r, f, at);
	return read;
}
