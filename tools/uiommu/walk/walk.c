/* SPDX-License-Identifier: MIT */
/* walk.c - a DMA from its arrival to its end */
#include <inttypes.h>
#include <string.h>

#include "../decode/decode.h"
#include "src/smmuv3/fields.h"
#include "walk.h"

/* ---- registers ---- */

void walk_regs_init(struct walk_regs *r)
{
	*r = (struct walk_regs){
		.idr0 = FCONST(IDR0_S1P, 1) | FCONST(IDR0_S2P, 1) |
			FCONST(IDR0_TTF, IDR0_TTF_AARCH64) | FCONST(IDR0_HTTU, 2) |
			FCONST(IDR0_ASID16, 1) | FCONST(IDR0_VMID16, 1) | FCONST(IDR0_CD2L, 1) |
			FCONST(IDR0_ST_LEVEL, 1) | FCONST(IDR0_Hyp, 1) | FCONST(IDR0_ATS, 1),
		.idr1 = FCONST(IDR1_SIDSIZE, 32) | FCONST(IDR1_SSIDSIZE, 20) |
			FCONST(IDR1_ATTR_PERMS_OVR, 1),
		.idr3 = FCONST(IDR3_HAD, 1) | FCONST(IDR3_XNX, 1) | FCONST(IDR3_FWB, 1) |
			FCONST(IDR3_STT, 1) | FCONST(IDR3_E0PD, 1) | FCONST(IDR3_EPAN, 1) |
			FCONST(IDR3_S1PI, 1),
		.idr5 = FCONST(IDR5_OAS, IDR5_OAS_52) | FCONST(IDR5_GRAN4K, 1) |
			FCONST(IDR5_GRAN16K, 1) | FCONST(IDR5_GRAN64K, 1) | FCONST(IDR5_DS, 1) |
			FCONST(IDR5_VAX, 1),
		.cr0 = FCONST(CR0_SMMUEN, 1),
		.cr2 = FCONST(CR2_RECINVSID, 1),
	};
}

bool walk_regs_set(struct walk_regs *r, const char *name, uint64_t value)
{
	const struct {
		const char *name;
		uint64_t *at;
	} regs[] = {
		{ "IDR0", &r->idr0 }, { "IDR1", &r->idr1 }, { "IDR3", &r->idr3 },
		{ "IDR5", &r->idr5 }, { "CR0", &r->cr0 }, { "CR2", &r->cr2 },
		{ "GBPA", &r->gbpa }, { "STRTAB_BASE", &r->strtab_base },
		{ "STRTAB_BASE_CFG", &r->strtab_base_cfg },
	};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (!strcmp(name, regs[i].name)) {
			*regs[i].at = value;
			return true;
		}
	return false;
}

unsigned walk_size_bits(unsigned code)
{
	static const uint8_t bits[8] = { 32, 36, 40, 42, 44, 48, 52, 52 };

	return bits[code & 7];
}

uint64_t walk_bits(unsigned hi, unsigned lo)
{
	return hi < lo ? 0 : (~(uint64_t)0 >> (63 - hi)) & (~(uint64_t)0 << lo);
}

/* ---- steps ---- */

const char *walk_str(struct walk *w, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return report_str(w->r, "%s", buf);
}

struct report_item *walk_step(struct walk *w, const char *kind, const char *name, uint64_t at,
			      const uint64_t *words, unsigned n)
{
	struct report_item *it = report_add(w->r, kind, 0, NULL);

	it->name = w->depth ? report_str(w->r, "  %s", name) : name;
	it->what = "";
	report_raw(it, words, n);
	report_value(it, "at", at, NULL);
	return it;
}

/* ---- ends ---- */

static void header(struct walk *w, unsigned code, const char *blame)
{
	uint64_t *e = w->res->event;

	w->res->end = WALK_FAULT;
	w->res->recorded = true;
	w->res->blame = blame;
	e[0] = FPREP(EVT_Number, code) | FPREP(EVT_StreamID, w->a.sid);
	if (w->a.has_pasid)
		e[0] |= FPREP(EVT_SubstreamID, w->a.pasid) |
			FPREP(EVT_SSV, code != EVT_C_BAD_SUBSTREAMID);
}

static void access_bits(struct walk *w)
{
	w->res->event[1] |= FPREP(EVT_F_TRANSLATION_PnU, w->a.priv) |
			    FPREP(EVT_F_TRANSLATION_InD, w->a.exec) |
			    FPREP(EVT_F_TRANSLATION_RnW, !w->a.write);
	w->res->event[2] = w->a.iova;
}

bool walk_config_fault(struct walk *w, unsigned code, const char *blame)
{
	header(w, code, blame);
	if (code == EVT_C_BAD_STREAMID)
		w->res->recorded = FGET(CR2_RECINVSID, w->regs->cr2);
	return false;
}

bool walk_fetch_fault(struct walk *w, unsigned code, uint64_t at)
{
	header(w, code, walk_str(w, "nothing answers at 0x%" PRIx64, at));
	w->res->event[3] = at & FMASK(EVT_F_STE_FETCH_FetchAddr) & walk_bits(w->oas_lg2 - 1, 0);
	return false;
}

bool walk_eabt(struct walk *w, bool s2, unsigned class, uint64_t at)
{
	header(w, EVT_F_WALK_EABT, walk_str(w, "nothing answers at 0x%" PRIx64, at));
	access_bits(w);
	w->res->event[1] |= FPREP(EVT_F_WALK_EABT_CLASS, class) | FPREP(EVT_F_WALK_EABT_S2, s2);
	w->res->event[3] = at & FMASK(EVT_F_WALK_EABT_FetchAddr);
	return false;
}

/* Stage 1 follows CD.A, R and S; stage 2 always aborts, and follows S2R and S2S. */
static void how_reported(struct walk *w, bool s2)
{
	bool stall = s2 ? FGET(STE_S2S, w->ste[2]) : FGET(CD_S, w->cd.w[0]);

	if (stall)
		w->res->event[1] |= FPREP(EVT_F_TRANSLATION_Stall, 1);
	else if (s2)
		w->res->recorded = FGET(STE_S2R, w->ste[2]);
	else
		w->res->recorded = FGET(CD_R, w->cd.w[0]);
	w->res->raz_wi = !s2 && !stall && !FGET(CD_A, w->cd.w[0]);
}

bool walk_fault(struct walk *w, unsigned code, bool s2, const struct purpose *p, uint64_t ipa,
		const char *blame)
{
	header(w, code, blame);
	access_bits(w);
	w->res->event[1] |= FPREP(EVT_F_TRANSLATION_CLASS, p->class) |
			    FPREP(EVT_F_TRANSLATION_S2, s2);
	if (s2)
		w->res->event[3] = ipa & FMASK(EVT_F_TRANSLATION_IPA);
	if (s2 && p->class == EVT_CLASS_TT && code == EVT_F_PERMISSION)
		w->res->event[1] |= FPREP(EVT_F_PERMISSION_TTRnW, !p->write);
	if (w->s1 || s2)
		how_reported(w, s2);
	return false;
}

bool walk_refuse(struct walk *w, const char *sentence)
{
	w->res->end = WALK_NOT_EXPLAINED;
	w->res->blame = sentence;
	return false;
}

static bool silent_abort(struct walk *w, const char *blame)
{
	w->res->end = WALK_ABORT;
	w->res->blame = blame;
	return false;
}

/* ---- the path ---- */

/* PRIVCFG and INSTCFG; there are no instruction writes. */
static void overrides(struct walk *w)
{
	bool has = FGET(IDR1_ATTR_PERMS_OVR, w->regs->idr1);
	unsigned priv = has ? (unsigned)FGET(STE_PRIVCFG, w->ste[1]) : 0;
	unsigned inst = has ? (unsigned)FGET(STE_INSTCFG, w->ste[1]) : 0;

	if (priv & 2)
		w->a.priv = priv & 1;
	if (inst & 2)
		w->a.exec = inst & 1;
	if (w->a.write)
		w->a.exec = false;
}

/* Without stage 1 the address is its output, and must be one. */
static bool no_stage1(struct walk *w, uint64_t *out, uint64_t *bytes)
{
	const struct purpose p = { .class = EVT_CLASS_IN };
	bool s1 = w->s1;

	*out = w->a.iova;
	*bytes = ((uint64_t)1 << w->oas_lg2) - w->a.iova;
	if (!(w->a.iova >> w->oas_lg2))
		return true;
	w->s1 = false;		/* no CD governs this fault */
	walk_fault(w, EVT_F_ADDR_SIZE, false, &p, 0,
		   walk_str(w, "the address has bits above %u (IDR5.OAS), and stage 1 is bypassed",
			    w->oas_lg2 - 1));
	w->s1 = s1;
	return false;
}

/* Does DMA like this one use a CD? 0: no, it bypasses stage 1; -1: ended. */
static int wants_cd(struct walk *w)
{
	unsigned max = (unsigned)FGET(STE_S1CDMax, w->ste[0]);
	unsigned dss = (unsigned)FGET(STE_S1DSS, w->ste[1]);

	if (!FGET(IDR1_SSIDSIZE, w->regs->idr1))
		max = 0;
	if (w->a.has_pasid) {
		if (!max || w->a.pasid >> max)
			return walk_config_fault(w, EVT_C_BAD_SUBSTREAMID, walk_str(w, max ?
				"STE.S1CDMax is %u: PASIDs go to 0x%x" : "STE.S1CDMax is %u: this "
				"stream has no PASIDs", max, (1u << max) - 1)) - 1;
		if (!w->a.pasid && dss == STE_S1DSS_SSID0)
			return walk_config_fault(w, EVT_F_STREAM_DISABLED, "STE.S1DSS is 0b10: CD "
						 "0 is for DMA without a PASID") - 1;
		return 1;
	}
	if (!max || dss == STE_S1DSS_SSID0)
		return 1;
	if (dss == STE_S1DSS_BYPASS)
		return 0;
	return walk_config_fault(w, EVT_F_STREAM_DISABLED, "STE.S1DSS does not let DMA without "
				 "a PASID pass") - 1;
}

static bool translate(struct walk *w)
{
	const struct purpose p = { EVT_CLASS_IN, w->a.write, w->a.exec };
	uint64_t ipa, bytes, bytes2;
	int cd = w->s1 ? wants_cd(w) : 0;

	if (cd < 0)
		return false;
	if (!w->s1 && w->a.has_pasid)
		return walk_config_fault(w, EVT_C_BAD_SUBSTREAMID, "STE.Config has no stage 1: "
					 "DMA with a PASID is refused");
	if (cd ? !walk_find_cd(w) || !walk_stage1(w, &ipa, &bytes) : !no_stage1(w, &ipa, &bytes))
		return false;
	w->res->pa = ipa;
	w->res->bytes = bytes;
	if (!w->s2)
		return true;
	if (!walk_stage2(w, ipa, &p, &w->res->pa, &bytes2))
		return false;
	w->res->bytes = bytes < bytes2 ? bytes : bytes2;
	return true;
}

static bool whole(struct walk *w)
{
	unsigned config;

	if (!FGET(CR0_SMMUEN, w->regs->cr0)) {
		if (FGET(GBPA_ABORT, w->regs->gbpa))
			return silent_abort(w, "CR0.SMMUEN is 0 and GBPA.ABORT is 1");
		w->s1 = false;
		if (w->a.iova >> w->oas_lg2)
			return silent_abort(w, "CR0.SMMUEN is 0 and the address is too large");
		w->res->pa = w->a.iova;
		w->res->bytes = ((uint64_t)1 << w->oas_lg2) - w->a.iova;
		return true;
	}
	if (!walk_find_ste(w))
		return false;
	config = (unsigned)FGET(STE_Config, w->ste[0]);
	w->el2 = config == STE_Config_S1 && FGET(IDR0_Hyp, w->regs->idr0) &&
		 FGET(STE_STRW, w->ste[1]) == STE_STRW_EL2;
	if (config < STE_Config_BYPASS)
		return silent_abort(w, "STE.Config is 0b0xx: DMA is aborted, and no event written");
	overrides(w);
	w->s1 = config & 1;
	w->s2 = config & 2;
	return translate(w);
}

/* ---- the end as an item ---- */

static void show_ok(struct walk *w, struct report_item *it)
{
	it->name = "output";
	it->what = report_str(w->r, "the DMA goes to 0x%" PRIx64, w->res->pa);
	report_value(it, "PA", w->res->pa, NULL);
	report_value(it, "bytes", w->res->bytes, "from there to the end of the page");
	walk_attributes(w, it);
}

static void show_fault(struct walk *w)
{
	const struct decode_options o = { .as = AS_GUESS, .name_sid = w->a.name_sid,
					  .name_ctx = w->a.name_ctx };
	struct found f = { .kind = FOUND_EVENT, .w = w->res->event, .n = EVT_WORDS };
	struct report_item *it;

	explain_event(w->r, &o, &f);
	it = w->r->items[w->r->num_items - 1];
	report_note(it, "To blame: %s.", w->res->blame);
	if (!w->res->recorded)
		report_note(it, "No record of it is written: CD.R, STE.S2R or CR2.RECINVSID is 0.");
	if (w->res->raz_wi)
		report_note(it, "CD.A is 0: the device is not told; reads give zero, writes are "
			    "lost.");
	if (w->res->event[1] & FMASK(EVT_F_TRANSLATION_Stall))
		report_note(it, "It stalls (CD.S or STE.S2S). The tag is the SMMU's to choose.");
}

static void show_end(struct walk *w)
{
	struct report_item *it;

	if (w->res->end == WALK_FAULT) {
		show_fault(w);
		return;
	}
	it = report_add(w->r, "end", 0, NULL);
	if (w->res->end == WALK_OK) {
		show_ok(w, it);
		return;
	}
	it->name = w->res->end == WALK_ABORT ? "abort" : "not explained";
	it->what = w->res->blame;
}

void walk_dma(const struct walk_regs *regs, const struct walk_memory *mem,
	      const struct walk_access *a, struct report *r, struct walk_result *res)
{
	struct walk w = { .regs = regs, .mem = mem, .a = *a, .r = r, .res = res };

	*res = (struct walk_result){ .end = WALK_OK };
	w.oas_lg2 = walk_size_bits((unsigned)FGET(IDR5_OAS, regs->idr5));
	if (!a->has_pasid)
		w.a.pasid = 0;
	whole(&w);
	show_end(&w);
}
