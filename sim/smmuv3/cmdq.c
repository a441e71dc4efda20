/* SPDX-License-Identifier: MIT */
/*
 * cmdq.c - command queues: the SMMU's own, and VCMDQs (cmdqv.c)
 *
 * Commands are executed when PROD moves, in order, each to its end, but for
 * CMD_SYNC: it stays at the head of the queue while a DMA is moving data that may
 * have been translated by what was invalidated before it. The thread that ends
 * the last of them goes on with the queue, so nobody waits.
 */
#include "temper.h"

enum {
	HAS_SSEC = 1, HAS_RANGE = 2, INVALIDATES = 4,
	NEEDS_S1 = 8, NEEDS_S2 = 16, NEEDS_HYP = 32, NEEDS_STALL = 64,
	NEEDS_ATS = 128, NEEDS_PRI = 256, NEEDS_MPAM = 512,
	HAS_VMID = 1024,	/* one, or with CR0.VMW a group */
	ONLY_ENABLED = 2048,	/* IGNORED while SMMUEN is 0 */
};

struct command {
	unsigned flags;
	void (*fn)(struct uiommu_sim_smmuv3 *s, const uint64_t *w);	/* NULL: unknown */
};

/* ---- configuration ---- */

static void cfgi_ste(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint32_t sid = (uint32_t)FGET(CMD_CFGI_STE_StreamID, w[0]);

	/* CDs cached through the STE go with its stamp */
	uiommu_sim_cfg_drop(&s->cfg_cache[CFG_STE], sid);
	if (!FGET(CMD_CFGI_STE_Leaf, w[1]))
		uiommu_sim_cfg_drop(&s->cfg_cache[CFG_L1STD], sid >> uiommu_sim_strtab_split(s));
}

static void cfgi_ste_range(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned n = uiommu_sim_strtab_split(s);
	uint64_t span = (uint64_t)2 << FGET(CMD_CFGI_STE_RANGE_Range, w[1]);
	uint64_t first = FGET(CMD_CFGI_STE_RANGE_StreamID, w[0]) & ~(span - 1);

	uiommu_sim_cfg_drop_range(&s->cfg_cache[CFG_STE], first, first + span - 1);
	uiommu_sim_cfg_drop_range(&s->cfg_cache[CFG_L1STD], first >> n, (first + span - 1) >> n);
}

/* The upper level's index depends on the STE's S1Fmt: both that it can be go. */
static void cfgi_cd(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint32_t sid = (uint32_t)FGET(CMD_CFGI_CD_StreamID, w[0]);
	uint32_t ssid = (uint32_t)FGET(CMD_CFGI_CD_SubstreamID, w[0]);

	uiommu_sim_cfg_drop(&s->cfg_cache[CFG_CD], sim_cfg_key(sid, ssid));
	if (FGET(CMD_CFGI_CD_Leaf, w[1]))
		return;
	uiommu_sim_cfg_drop(&s->cfg_cache[CFG_L1CD], sim_cfg_key(sid, ssid >> 6));
	uiommu_sim_cfg_drop(&s->cfg_cache[CFG_L1CD], sim_cfg_key(sid, ssid >> 10));
}

static void cfgi_cd_all(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint32_t sid = (uint32_t)FGET(CMD_CFGI_CD_ALL_StreamID, w[0]);
	struct cfg_way *ste = uiommu_sim_cfg_find(&s->cfg_cache[CFG_STE], sid, 0);

	if (ste)
		ste->ste.cd_stamp = ++s->stamp;
}

/* ---- translations ---- */

/* VMIDs are matched only where there is stage 2 */
static uint16_t vmid(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint16_t v = (uint16_t)FGET(CMD_TLBI_NH_ALL_VMID, w[0]);

	return !s->cfg.stage2 ? 0 : s->cfg.vmid16 ? v : v & 0xff;
}

static uint16_t asid(const uint64_t *w)
{
	return (uint16_t)FGET(CMD_TLBI_NH_VA_ASID, w[0]);
}

static void tlbi_nh_all(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uiommu_sim_tlb_drop_vmid(s, SIM_NH, vmid(s, w));
}

static void tlbi_nh_asid(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uiommu_sim_tlb_drop_asid(s, (struct sim_tag){ SIM_NH, vmid(s, w), asid(w), false });
}

static void tlbi_el2_all(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	(void)w;
	uiommu_sim_tlb_drop_regime(s, SIM_EL2);
}

static void tlbi_el2_asid(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uiommu_sim_tlb_drop_asid(s, (struct sim_tag){ SIM_EL2, 0, asid(w), false });
}

static void tlbi_s12_vmall(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uiommu_sim_tlb_drop_vmid(s, SIM_NH, vmid(s, w));
	uiommu_sim_tlb_drop_vmid(s, SIM_STAGE2, vmid(s, w));
}

static void tlbi_nsnh_all(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	(void)w;
	uiommu_sim_tlb_drop_regime(s, SIM_NH);
	uiommu_sim_tlb_drop_regime(s, SIM_STAGE2);
}

static unsigned tg(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	return s->cfg.range_inv ? (unsigned)FGET(CMD_TLBI_NH_VA_TG, w[1]) : CMD_TLBI_TG_NONE;
}

/* 16 KiB granules have no level 1 leaf without DS: reserved, as 0 */
static unsigned level(const struct uiommu_sim_smmuv3 *s, unsigned granule, const uint64_t *w)
{
	unsigned ttl = (unsigned)FGET(CMD_TLBI_NH_VA_TTL, w[1]);

	return granule == CMD_TLBI_TG_16K && ttl == 1 && !s->cfg.ds ? 0 : ttl;
}

/* one bit more of it where addresses may be that much larger */
static unsigned scale(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	return w[0] >> CMD_TLBI_NH_VA_SCALE_LO & (s->cfg.ds ? 63 : 31);
}

/* Which addresses, of which granule and level. TTL and TG narrow what must go;
 * nothing more goes here. The range does not wrap. */
static void extent(const struct uiommu_sim_smmuv3 *s, const uint64_t *w, struct sim_tlb_match *m)
{
	static const uint8_t granule_lg2[4] = { 0, 12, 14, 16 };
	unsigned g = tg(s, w), lg2 = granule_lg2[g];
	uint64_t pages = FGET(CMD_TLBI_NH_VA_NUM, w[0]) + 1;
	unsigned shift;

	m->first = w[1] & FMASK(CMD_TLBI_NH_VA_Address);
	m->last = m->first;	/* any entry that covers it */
	if (g == CMD_TLBI_TG_NONE)
		return;
	m->granule_lg2 = lg2;
	m->level = (int)level(s, g, w);
	shift = scale(s, w) + lg2;
	m->last = ~(uint64_t)0;
	if (shift < 64 - 6 && m->first + (pages << shift) > m->first)
		m->last = m->first + (pages << shift) - 1;
}

static void tlbi_va(struct uiommu_sim_smmuv3 *s, const uint64_t *w, struct sim_tlb_match *m)
{
	extent(s, w, m);
	uiommu_sim_tlb_drop_va(s, m);
	if (!FGET(CMD_TLBI_NH_VA_Leaf, w[1]))
		uiommu_sim_walk_drop_va(s, m);
}

static void tlbi_nh_va(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	tlbi_va(s, w, &(struct sim_tlb_match){ .regime = SIM_NH, .vmid = vmid(s, w),
					       .asid = asid(w) });
}

static void tlbi_nh_vaa(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	tlbi_va(s, w, &(struct sim_tlb_match){ .regime = SIM_NH, .vmid = vmid(s, w),
					       .any_asid = true });
}

static void tlbi_el2_va(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	/* without E2H there are no ASIDs, and the parameter is ignored */
	tlbi_va(s, w, &(struct sim_tlb_match){
		.regime = SIM_EL2,
		.asid = sim_reg_bit(s, R_CR2, FMASK(CR2_E2H)) ? asid(w) : 0 });
}

static void tlbi_el2_vaa(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	tlbi_va(s, w, &(struct sim_tlb_match){ .regime = SIM_EL2, .any_asid = true });
}

/* Entries of both stages stay: they go by what names their stage 1. */
static void tlbi_s2_ipa(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	const uint64_t cmd[2] = { w[0], w[1] & ~sim_bits(63, 52) };

	tlbi_va(s, cmd, &(struct sim_tlb_match){ .regime = SIM_STAGE2, .vmid = vmid(s, w) });
}

/* ---- stalled transactions ---- */

static void resume(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	enum uiommu_sim_resume how = UIOMMU_SIM_RESUME_RETRY;

	if (!FGET(CMD_RESUME_Ac, w[0]))
		how = FGET(CMD_RESUME_Ab, w[0]) || s->cfg.abort_only ? UIOMMU_SIM_RESUME_ABORT :
								       UIOMMU_SIM_RESUME_RAZ_WI;
	uiommu_sim_stall_end(s, (uint32_t)FGET(CMD_RESUME_StreamID, w[0]),
			     (unsigned)FGET(CMD_RESUME_STAG, w[1]), how);
}

static void stall_term(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	uint32_t sid = (uint32_t)FGET(CMD_STALL_TERM_StreamID, w[0]);

	uiommu_sim_stall_end_all(s, sid, sid);
}

/* PARTID_MAP is held with the STE only, which has its own commands. */
static void cfgi_vms_pidm(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	(void)s;
	(void)w;
}

/* A hint; this implementation does not follow it. */
static void prefetch(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	(void)s;
	(void)w;
}

/* ---- the table of commands; what is not in it is unknown ---- */

static const struct command commands[] = {
	[CMD_PREFETCH_CONFIG]	= { HAS_SSEC, prefetch },
	[CMD_PREFETCH_ADDR]	= { HAS_SSEC, prefetch },
	[CMD_CFGI_STE]		= { HAS_SSEC | INVALIDATES, cfgi_ste },
	[CMD_CFGI_STE_RANGE]	= { HAS_SSEC | INVALIDATES, cfgi_ste_range },
	[CMD_CFGI_CD]		= { HAS_SSEC | NEEDS_S1 | INVALIDATES, cfgi_cd },
	[CMD_CFGI_CD_ALL]	= { HAS_SSEC | NEEDS_S1 | INVALIDATES, cfgi_cd_all },
	[CMD_CFGI_VMS_PIDM]	= { HAS_SSEC | NEEDS_MPAM | INVALIDATES, cfgi_vms_pidm },
	[CMD_TLBI_NH_ALL]	= { HAS_VMID | NEEDS_S1 | INVALIDATES, tlbi_nh_all },
	[CMD_TLBI_NH_ASID]	= { HAS_VMID | NEEDS_S1 | INVALIDATES, tlbi_nh_asid },
	[CMD_TLBI_NH_VA]	= { HAS_VMID | NEEDS_S1 | HAS_RANGE | INVALIDATES, tlbi_nh_va },
	[CMD_TLBI_NH_VAA]	= { HAS_VMID | NEEDS_S1 | HAS_RANGE | INVALIDATES, tlbi_nh_vaa },
	[CMD_TLBI_EL2_ALL]	= { NEEDS_HYP | INVALIDATES, tlbi_el2_all },
	[CMD_TLBI_EL2_ASID]	= { NEEDS_HYP | INVALIDATES, tlbi_el2_asid },
	[CMD_TLBI_EL2_VA]	= { NEEDS_HYP | HAS_RANGE | INVALIDATES, tlbi_el2_va },
	[CMD_TLBI_EL2_VAA]	= { NEEDS_HYP | HAS_RANGE | INVALIDATES, tlbi_el2_vaa },
	[CMD_TLBI_S12_VMALL]	= { HAS_VMID | NEEDS_S2 | INVALIDATES, tlbi_s12_vmall },
	[CMD_TLBI_S2_IPA]	= { HAS_VMID | NEEDS_S2 | HAS_RANGE | INVALIDATES, tlbi_s2_ipa },
	[CMD_TLBI_NSNH_ALL]	= { INVALIDATES, tlbi_nsnh_all },
	[CMD_ATC_INV]		= { HAS_SSEC | NEEDS_ATS | ONLY_ENABLED | INVALIDATES,
				    uiommu_sim_cmd_atc_inv },
	[CMD_PRI_RESP]		= { HAS_SSEC | NEEDS_PRI | ONLY_ENABLED, uiommu_sim_cmd_pri_resp },
	[CMD_RESUME]		= { HAS_SSEC | NEEDS_STALL, resume },
	[CMD_STALL_TERM]	= { HAS_SSEC | NEEDS_STALL, stall_term },
};

/* granule information without a level or a range is a reserved encoding */
static bool range_reserved(const struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	unsigned g = tg(s, w);

	return g != CMD_TLBI_TG_NONE && !level(s, g, w) && !FGET(CMD_TLBI_NH_VA_NUM, w[0]) &&
	       !scale(s, w);
}

/* commands of what the ID registers say is not there */
static bool missing(const struct uiommu_sim_smmuv3 *s, unsigned flags)
{
	return (flags & NEEDS_S1 && s->cfg.no_stage1) || (flags & NEEDS_S2 && !s->cfg.stage2) ||
	       (flags & NEEDS_HYP && !s->cfg.hyp) || (flags & NEEDS_STALL && !s->cfg.stall) ||
	       (flags & NEEDS_ATS && !s->cfg.ats) || (flags & NEEDS_PRI && !s->cfg.pri) ||
	       (flags & NEEDS_MPAM && !s->cfg.mpam_partid_max);
}

static bool illegal(const struct uiommu_sim_smmuv3 *s, const struct command *c, const uint64_t *w)
{
	if (c->flags & HAS_SSEC && FGET(CMD_CFGI_STE_SSec, w[0]))
		return true;		/* a secure stream, from the non-secure queue */
	if (c->flags & NEEDS_ATS && !uiommu_sim_cmd_atc_legal(s, w))
		return true;
	if (c->flags & NEEDS_PRI && FGET(CMD_PRI_RESP_Resp, w[1]) > CMD_PRI_RESP_Resp_SUCCESS)
		return true;
	return c->flags & HAS_RANGE && range_reserved(s, w);
}

/* ---- CMD_SYNC ---- */

static void complete(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	s->stats.syncs++;
	if (FGET(CMD_SYNC_CS, w[0]) == CMD_SYNC_CS_SIG_SEV && s->cfg.sev)
		uiommu_sim_irq(s, UIOMMU_SIM_EVENT_SEV);
	if (FGET(CMD_SYNC_CS, w[0]) != CMD_SYNC_CS_SIG_IRQ)
		return;
	if (!uiommu_sim_message(s, w[1] & FMASK(CMD_SYNC_MSIAddress),
				(uint32_t)FGET(CMD_SYNC_MSIData, w[0])))
		uiommu_sim_gerror(s, FMASK(GERROR_MSI_CMDQ_ABT_ERR));
	uiommu_sim_irq(s, UIOMMU_SIM_IRQ_SYNC);
}

/* ---- the queue ---- */

enum outcome { CONSUMED, WAITS, ILLEGAL, ATC_TIMEOUT, ILL_ACCESS };

/* A VCMDQ has no other way to say that it is done than CONS. */
static bool sync_legal(const struct sim_cmdq *q, const uint64_t *w)
{
	return FGET(CMD_SYNC_CS, w[0]) <= (q->number ? CMD_SYNC_CS_SIG_NONE : CMD_SYNC_CS_SIG_SEV);
}

static enum outcome sync(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, const uint64_t *w)
{
	if (!sync_legal(q, w))
		return ILLEGAL;
	if (s->temper)
		uiommu_sim_temper_settle(s);
	if (uiommu_sim_sync_must_wait(s, q) || q->atc_pending ||
	    (!q->number && uiommu_sim_cmdqv_sync_must_wait(s)))
		return WAITS;
	if (q->atc_timeout) {
		q->atc_timeout = false;
		return ATC_TIMEOUT;
	}
	complete(s, w);
	if (!q->number)
		uiommu_sim_cmdqv_synced(s);
	return CONSUMED;
}

/* CR0.VMW n: the low n bits of a VMID are not looked at */
static void run(struct uiommu_sim_smmuv3 *s, const struct command *c, const uint64_t *w)
{
	unsigned vmw = (unsigned)FGET(CR0_VMW, s->reg[R_CR0]), n = vmw > 4 ? 0 : vmw;
	uint64_t member[CMD_WORDS] = { w[0], w[1] };

	if (c->flags & ONLY_ENABLED && !sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)))
		return;
	if (!(c->flags & HAS_VMID) || !n) {
		c->fn(s, w);
		return;
	}
	for (unsigned i = 0; i < 1u << n; i++) {
		member[0] = FSET(CMD_TLBI_NH_ALL_VMID, w[0],
				 (FGET(CMD_TLBI_NH_ALL_VMID, w[0]) >> n << n) + i);
		c->fn(s, member);
	}
}

/* A command that is known, and there, and legal. */
void uiommu_sim_perform(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, const uint64_t *w)
{
	unsigned op = (unsigned)FGET(CMD_Opcode, w[0]);

	s->issuer = q;
	run(s, &commands[op], w);
	if (commands[op].flags & INVALIDATES)
		q->invalidated = true;
	if (op <= CMD_CFGI_CD_ALL)
		uiommu_sim_ctx_drop(s);
}

static enum outcome execute(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, uint64_t *w)
{
	unsigned op = (unsigned)FGET(CMD_Opcode, w[0]);
	unsigned refused = q->number ? uiommu_sim_vcmdq_filter(s, q, w) : 0;
	const struct command *c;

	if (refused)
		return refused == CERROR_ILL ? ILLEGAL : ILL_ACCESS;
	if (op == CMD_SYNC)
		return sync(s, q, w);
	if (op >= sizeof(commands) / sizeof(commands[0]))
		return ILLEGAL;
	c = &commands[op];
	if (!c->fn || missing(s, c->flags) || illegal(s, c, w))
		return ILLEGAL;
	if (s->temper && c->flags & INVALIDATES)
		uiommu_sim_temper_defer(s, q, w);
	else
		uiommu_sim_perform(s, q, w);
	return CONSUMED;
}

static void stop(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, unsigned code)
{
	*q->cons = FSET(CMDQ_CONS_ERR, *q->cons, code);
	if (q->number)
		uiommu_sim_vcmdq_error(s, q, FMASK(VCMDQ_GERROR_CMDQ_ERR));
	else
		uiommu_sim_gerror(s, FMASK(GERROR_CMDQ_ERR));
}

unsigned uiommu_sim_cmdq_lg2(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q)
{
	unsigned lg2 = (unsigned)FGET(CMDQ_BASE_LOG2SIZE, *q->base);

	return lg2 < s->cfg.cmdq_max_lg2 ? lg2 : s->cfg.cmdq_max_lg2;
}

/* false: the queue stops here, for now */
static bool step(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	static const uint8_t error[] = { [ILLEGAL] = CERROR_ILL,
					 [ATC_TIMEOUT] = CERROR_ATC_INV_SYNC,
					 [ILL_ACCESS] = VCMDQ_CONS_ERR_ILL_ACCESS };
	unsigned lg2 = uiommu_sim_cmdq_lg2(s, q);
	uint32_t cons = (uint32_t)FGET(CMDQ_CONS_RD, *q->cons);
	uint64_t w[CMD_WORDS], pa = *q->base & FMASK(CMDQ_BASE_ADDR);
	enum outcome o;

	pa &= ~(((uint64_t)CMD_WORDS * 8 << lg2) - 1);	/* aligned to its size */
	pa += (uint64_t)sim_q_slot(cons, lg2) * CMD_WORDS * 8;
	if (uiommu_sim_read_words(s, pa, w, CMD_WORDS)) {
		stop(s, q, CERROR_ABT);
		return false;
	}
	o = execute(s, q, w);
	if (o != CONSUMED && o != WAITS)
		stop(s, q, error[o]);
	if (o != CONSUMED)
		return false;
	s->stats.commands++;
	*q->cons = FSET(CMDQ_CONS_RD, *q->cons, (cons + 1) & sim_q_mask(lg2));
	return true;
}

static bool own_on(const struct uiommu_sim_smmuv3 *s)
{
	return sim_reg_bit(s, R_CR0, FMASK(CR0_CMDQEN)) &&
	       !uiommu_sim_gerror_active(s, FMASK(GERROR_CMDQ_ERR));
}

bool uiommu_sim_cmdq_ready(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q)
{
	return !s->failed && (*q->cons ^ *q->prod) & sim_q_mask(uiommu_sim_cmdq_lg2(s, q)) &&
	       (q->number ? uiommu_sim_vcmdq_on(s, q) : own_on(s));
}

bool uiommu_sim_cmdq_run(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, unsigned limit)
{
	bool more = true;

	while (more && limit--)
		more = uiommu_sim_cmdq_ready(s, q) && s->num_responses < SIM_MAX_RESPONSES &&
		       (!s->temper || uiommu_sim_temper_turn(s)) && step(s, q);
	if (q->number)
		uiommu_sim_vcmdq_ran(s, q);
	return more;
}

struct sim_cmdq *uiommu_sim_cmdq(struct uiommu_sim_smmuv3 *s, unsigned number)
{
	if (!number)
		return &s->cmdq;
	return s->cmdqv && number <= 1u << s->cfg.cmdqv.vcmdqs_lg2 ? &s->cmdqv->vcmdq[number - 1].q
								   : NULL;
}

void uiommu_sim_queues_run(struct uiommu_sim_smmuv3 *s)
{
	struct sim_cmdq *q;

	for (unsigned i = 0; (q = uiommu_sim_cmdq(s, i)); i++)
		uiommu_sim_cmdq_run(s, q, i ? SIM_BATCH : SIM_ALL);
}
