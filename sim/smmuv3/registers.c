/* SPDX-License-Identifier: MIT */
/*
 * registers.c - the register file, its handshakes, global errors, interrupts,
 * and the life of a simulator
 */
#include "temper.h"

/* ---- what regs.def says ---- */

static const struct {
	uint32_t offset;
	uint8_t width;
	bool ro;
} regs[NUM_REGS] = {
#define RO true
#define RW false
#define REG(name, offset, width, access) [R_##name] = { offset, width, access },
#include "src/smmuv3/regs.def"
#undef RO
#undef RW
};

static const struct {
	uint16_t reg;
	uint64_t mask;
} fields[] = {
#define FIELD(reg, name, hi, lo) { R_##reg, FMASK(reg##_##name) },
#include "src/smmuv3/regs.def"
};

static void index_registers(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		s->mask[fields[i].reg] |= fields[i].mask;
	for (unsigned r = 0; r < NUM_REGS; r++)
		s->reg_at[regs[r].offset >> 16][(regs[r].offset & 0xffff) / 4] = (uint16_t)(r + 1);
}

/* Fields and registers of features that are not there are RES0. */
static void hide_missing(struct uiommu_sim_smmuv3 *s)
{
	static const uint16_t priq[] = { R_PRIQ_BASE, R_PRIQ_PROD, R_PRIQ_CONS,
		R_PRIQ_IRQ_CFG0, R_PRIQ_IRQ_CFG1, R_PRIQ_IRQ_CFG2, R_AGBPA };
	static const uint16_t msi[] = { R_GERROR_IRQ_CFG0, R_GERROR_IRQ_CFG1, R_GERROR_IRQ_CFG2,
		R_EVENTQ_IRQ_CFG0, R_EVENTQ_IRQ_CFG1, R_EVENTQ_IRQ_CFG2,
		R_PRIQ_IRQ_CFG0, R_PRIQ_IRQ_CFG1 };

	for (unsigned i = 0; !s->cfg.pri && i < sizeof(priq) / sizeof(priq[0]); i++)
		s->mask[priq[i]] = 0;
	for (unsigned i = 0; !s->cfg.msi && i < sizeof(msi) / sizeof(msi[0]); i++)
		s->mask[msi[i]] = 0;
	s->mask[R_CR0] = FMASK(CR0_SMMUEN) | FMASK(CR0_EVENTQEN) | FMASK(CR0_CMDQEN) |
			 (s->cfg.pri ? FMASK(CR0_PRIQEN) : 0) |
			 (s->cfg.ats ? FMASK(CR0_ATSCHK) : 0) |
			 (s->cfg.vmw ? FMASK(CR0_VMW) : 0);
	s->mask[R_CR2] = FMASK(CR2_RECINVSID) | (s->cfg.hyp ? FMASK(CR2_E2H) : 0) |
			 (s->cfg.ats_record ? FMASK(CR2_REC_CFG_ATS) : 0);
	s->mask[R_IRQ_CTRL] &= ~(s->cfg.pri ? 0 : FMASK(IRQ_CTRL_PRIQ_IRQEN));
	s->mask[R_GERRORN] = FMASK(GERROR_CMDQ_ERR) | FMASK(GERROR_EVENTQ_ABT_ERR) |
			     FMASK(GERROR_SFM_ERR) |
			     (s->cfg.pri ? FMASK(GERROR_PRIQ_ABT_ERR) : 0) |
			     (s->cfg.pri && s->cfg.msi ? FMASK(GERROR_MSI_PRIQ_ABT_ERR) : 0) |
			     (s->cfg.msi ? FMASK(GERROR_MSI_CMDQ_ABT_ERR) |
					   FMASK(GERROR_MSI_EVENTQ_ABT_ERR) |
					   FMASK(GERROR_MSI_GERROR_ABT_ERR) : 0);
	if (!s->cfg.st_2level)
		s->mask[R_STRTAB_BASE_CFG] = FMASK(STRTAB_BASE_CFG_LOG2SIZE);
}

static unsigned oas_code(unsigned lg2)
{
	static const uint8_t size[] = { 32, 36, 40, 42, 44, 48, 52 };
	unsigned i = 0;

	while (i < sizeof(size) && size[i] != lg2)
		i++;
	return i;
}

static void set_id_registers(struct uiommu_sim_smmuv3 *s)
{
	static const uint8_t stall_model[] = { IDR0_STALL_MODEL_TERMINATE,
		IDR0_STALL_MODEL_STALL_AND_TERMINATE, IDR0_STALL_MODEL_STALL };
	static const uint8_t endian[] = { IDR0_TTENDIAN_LITTLE, IDR0_TTENDIAN_MIXED,
		IDR0_TTENDIAN_BIG };
	const struct uiommu_sim_smmuv3_config *c = &s->cfg;

	s->reg[R_IDR0] = FPREP(IDR0_S1P, !c->no_stage1) | FPREP(IDR0_S2P, c->stage2) |
			 FPREP(IDR0_HTTU, c->httu) | FPREP(IDR0_Hyp, c->hyp) |
			 FPREP(IDR0_ATS, c->ats) | FPREP(IDR0_PRI, c->pri) |
			 FPREP(IDR0_NS1ATS, c->no_split_ats) | FPREP(IDR0_VMW, c->vmw) |
			 FPREP(IDR0_ATSRECERR, c->ats_record) |
			 FPREP(IDR0_TERM_MODEL, c->abort_only) |
			 FPREP(IDR0_VMID16, c->stage2 && c->vmid16) |
			 FPREP(IDR0_TTF, IDR0_TTF_AARCH64) |
			 FPREP(IDR0_COHACC, c->coherent) | FPREP(IDR0_ASID16, c->asid16) |
			 FPREP(IDR0_MSI, c->msi) | FPREP(IDR0_SEV, c->sev) |
			 FPREP(IDR0_CD2L, c->cd_2level && c->ssidsize) |
			 FPREP(IDR0_TTENDIAN, endian[c->endian]) |
			 FPREP(IDR0_STALL_MODEL, stall_model[c->stall]) |
			 FPREP(IDR0_ST_LEVEL, c->st_2level ? IDR0_ST_LEVEL_TWO_LEVEL :
							     IDR0_ST_LEVEL_LINEAR);
	s->reg[R_IDR1] = FPREP(IDR1_SIDSIZE, c->sidsize) | FPREP(IDR1_SSIDSIZE, c->ssidsize) |
			 FPREP(IDR1_EVENTQS, c->evtq_max_lg2) |
			 FPREP(IDR1_CMDQS, c->cmdq_max_lg2) |
			 FPREP(IDR1_PRIQS, c->pri ? c->priq_max_lg2 : 0) |
			 FPREP(IDR1_ATTR_PERMS_OVR, !c->no_overrides);
	s->reg[R_IDR3] = FPREP(IDR3_HAD, !c->no_had) | FPREP(IDR3_XNX, c->stage2 && c->xnx) |
			 FPREP(IDR3_RIL, c->range_inv) | FPREP(IDR3_PPS, c->pps) |
			 FPREP(IDR3_MPAM, c->mpam_partid_max != 0) | FPREP(IDR3_STT, c->stt) |
			 FPREP(IDR3_BBML, c->bbml) | FPREP(IDR3_E0PD, c->e0pd) |
			 FPREP(IDR3_EPAN, c->epan);
	s->reg[R_MPAMIDR] = FPREP(MPAMIDR_PARTID_MAX, c->mpam_partid_max);
	s->reg[R_IDR5] = FPREP(IDR5_OAS, oas_code(c->oas_lg2)) | FPREP(IDR5_GRAN4K, c->gran4k) |
			 FPREP(IDR5_GRAN16K, c->gran16k) | FPREP(IDR5_GRAN64K, c->gran64k) |
			 FPREP(IDR5_VAX, c->vax52 ? IDR5_VAX_52 : IDR5_VAX_48) |
			 FPREP(IDR5_DS, c->ds) |
			 FPREP(IDR5_STALL_MAX, c->stall ? c->stall_max : 0);
	s->reg[R_AIDR] = FPREP(AIDR_ArchMinorRev, 1);
	s->reg[R_GBPA] = FPREP(GBPA_SHCFG, SHCFG_INCOMING) | FPREP(GBPA_ABORT, c->reset_abort);
}

/* ---- entering and leaving ---- */

void uiommu_sim_enter(struct uiommu_sim_smmuv3 *s)
{
	if (s->env.lock)
		s->env.lock(s->env.ctx);
}

void uiommu_sim_leave(struct uiommu_sim_smmuv3 *s)
{
	unsigned pending = s->irq_pending, ended = s->stalls_ended;
	bool respond = s->num_responses;

	s->irq_pending = 0;
	if (s->env.unlock)
		s->env.unlock(s->env.ctx);
	for (unsigned line = 0; pending >> line && s->env.irq; line++)
		if (pending >> line & 1)
			s->env.irq(s->env.ctx, (enum uiommu_sim_irq)line);
	if (ended)
		uiommu_sim_stall_deliver(s);
	if (respond)
		uiommu_sim_pri_deliver(s);
}

int uiommu_sim_read_words(struct uiommu_sim_smmuv3 *s, uint64_t pa, uint64_t *w, unsigned n)
{
	if (s->temper)
		return uiommu_sim_temper_read(s, pa, w, n);
	for (unsigned i = 0; i < n; i++)
		if (s->env.read(s->env.ctx, pa + i * 8, &w[i], 8))
			return -UIOMMU_EFAULT;
	return 0;
}

unsigned uiommu_sim_q_lg2(const struct uiommu_sim_smmuv3 *s, enum sim_reg base)
{
	unsigned lg2 = (unsigned)FGET(EVENTQ_BASE_LOG2SIZE, s->reg[base]);
	unsigned max = base == R_PRIQ_BASE ? s->cfg.priq_max_lg2 : s->cfg.evtq_max_lg2;

	return lg2 < max ? lg2 : max;
}

/* ---- interrupts and global errors ---- */

/* The registers of one interrupt's message, and the error if it is aborted. */
struct msi_source {
	enum sim_reg addr, data;
	uint64_t error;
};

bool uiommu_sim_message(struct uiommu_sim_smmuv3 *s, uint64_t addr, uint32_t data)
{
	if (!s->cfg.msi || !addr)
		return true;
	return !s->env.write(s->env.ctx, addr & sim_bits(s->cfg.oas_lg2 - 1, 0), &data, 4);
}

static void send_msi(struct uiommu_sim_smmuv3 *s, const struct msi_source *m)
{
	if (!uiommu_sim_message(s, s->reg[m->addr] & FMASK(GERROR_IRQ_CFG0_ADDR),
				(uint32_t)s->reg[m->data]))
		uiommu_sim_gerror(s, m->error);
}

void uiommu_sim_irq(struct uiommu_sim_smmuv3 *s, enum uiommu_sim_irq line)
{
	static const struct msi_source evtq = { R_EVENTQ_IRQ_CFG0, R_EVENTQ_IRQ_CFG1,
						FMASK(GERROR_MSI_EVENTQ_ABT_ERR) };
	static const struct msi_source gerror = { R_GERROR_IRQ_CFG0, R_GERROR_IRQ_CFG1,
						  FMASK(GERROR_MSI_GERROR_ABT_ERR) };

	static const struct msi_source priq = { R_PRIQ_IRQ_CFG0, R_PRIQ_IRQ_CFG1,
						FMASK(GERROR_MSI_PRIQ_ABT_ERR) };

	if (line == UIOMMU_SIM_IRQ_PRIQ) {
		if (!sim_reg_bit(s, R_IRQ_CTRL, FMASK(IRQ_CTRL_PRIQ_IRQEN)))
			return;
		send_msi(s, &priq);
	} else if (line == UIOMMU_SIM_IRQ_EVTQ) {
		if (!sim_reg_bit(s, R_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN)))
			return;
		send_msi(s, &evtq);
	} else if (line == UIOMMU_SIM_IRQ_GERROR) {
		if (!sim_reg_bit(s, R_IRQ_CTRL, FMASK(IRQ_CTRL_GERROR_IRQEN)))
			return;
		send_msi(s, &gerror);
	}
	s->irq_pending |= 1u << line;
}

bool uiommu_sim_gerror_active(const struct uiommu_sim_smmuv3 *s, uint64_t mask)
{
	return (s->reg[R_GERROR] ^ s->reg[R_GERRORN]) & mask;
}

/* An error that is active already is not made active a second time. That the
 * message of this very interrupt was aborted is not told by another one. */
void uiommu_sim_gerror(struct uiommu_sim_smmuv3 *s, uint64_t mask)
{
	if (uiommu_sim_gerror_active(s, mask))
		return;
	s->reg[R_GERROR] ^= mask;
	if (mask != FMASK(GERROR_MSI_GERROR_ABT_ERR))
		uiommu_sim_irq(s, UIOMMU_SIM_IRQ_GERROR);
}

/* ---- reads and writes ---- */

/* Registers that may only be written while what they configure is off: a write
 * at any other time is ignored. */
static const struct {
	uint16_t reg, by;
	uint64_t guard;		/* bits of @by that must be clear */
	uint64_t what;		/* bits of @reg that they guard */
} guards[] = {
	{ R_STRTAB_BASE, R_CR0, FMASK(CR0_SMMUEN), ~(uint64_t)0 },
	{ R_STRTAB_BASE_CFG, R_CR0, FMASK(CR0_SMMUEN), ~(uint64_t)0 },
	{ R_CR2, R_CR0, FMASK(CR0_SMMUEN), ~(uint64_t)0 },
	{ R_CR1, R_CR0, FMASK(CR0_SMMUEN),
	  FMASK(CR1_TABLE_SH) | FMASK(CR1_TABLE_OC) | FMASK(CR1_TABLE_IC) },
	{ R_CR1, R_CR0, FMASK(CR0_CMDQEN) | FMASK(CR0_EVENTQEN) | FMASK(CR0_PRIQEN),
	  FMASK(CR1_QUEUE_SH) | FMASK(CR1_QUEUE_OC) | FMASK(CR1_QUEUE_IC) },
	{ R_CMDQ_BASE, R_CR0, FMASK(CR0_CMDQEN), ~(uint64_t)0 },
	{ R_CMDQ_CONS, R_CR0, FMASK(CR0_CMDQEN), ~(uint64_t)0 },
	{ R_EVENTQ_BASE, R_CR0, FMASK(CR0_EVENTQEN), ~(uint64_t)0 },
	{ R_EVENTQ_PROD, R_CR0, FMASK(CR0_EVENTQEN), ~(uint64_t)0 },
	{ R_EVENTQ_IRQ_CFG0, R_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN), ~(uint64_t)0 },
	{ R_EVENTQ_IRQ_CFG1, R_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN), ~(uint64_t)0 },
	{ R_EVENTQ_IRQ_CFG2, R_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN), ~(uint64_t)0 },
	{ R_PRIQ_BASE, R_CR0, FMASK(CR0_PRIQEN), ~(uint64_t)0 },
	{ R_PRIQ_PROD, R_CR0, FMASK(CR0_PRIQEN), ~(uint64_t)0 },
	{ R_PRIQ_IRQ_CFG0, R_IRQ_CTRL, FMASK(IRQ_CTRL_PRIQ_IRQEN), ~(uint64_t)0 },
	{ R_PRIQ_IRQ_CFG1, R_IRQ_CTRL, FMASK(IRQ_CTRL_PRIQ_IRQEN), ~(uint64_t)0 },
	{ R_PRIQ_IRQ_CFG2, R_IRQ_CTRL, FMASK(IRQ_CTRL_PRIQ_IRQEN), ~(uint64_t)0 },
	{ R_GERROR_IRQ_CFG0, R_IRQ_CTRL, FMASK(IRQ_CTRL_GERROR_IRQEN), ~(uint64_t)0 },
	{ R_GERROR_IRQ_CFG1, R_IRQ_CTRL, FMASK(IRQ_CTRL_GERROR_IRQEN), ~(uint64_t)0 },
	{ R_GERROR_IRQ_CFG2, R_IRQ_CTRL, FMASK(IRQ_CTRL_GERROR_IRQEN), ~(uint64_t)0 },
};

static uint64_t writable(const struct uiommu_sim_smmuv3 *s, enum sim_reg r)
{
	uint64_t m = regs[r].ro ? 0 : s->mask[r];

	for (unsigned i = 0; i < sizeof(guards) / sizeof(guards[0]); i++)
		if (guards[i].reg == r && s->reg[guards[i].by] & guards[i].guard)
			m &= ~guards[i].what;
	return m;
}

/* Attributes take effect when Update is written as 1, at once. */
static void write_gbpa(struct uiommu_sim_smmuv3 *s, uint64_t v)
{
	if (v & FMASK(GBPA_Update))
		s->reg[R_GBPA] = v & s->mask[R_GBPA] & ~FMASK(GBPA_Update);
}

static void cr0_changed(struct uiommu_sim_smmuv3 *s)
{
	s->reg[R_CR0ACK] = s->reg[R_CR0];
	if (!sim_reg_bit(s, R_CR0, FMASK(CR0_CMDQEN)))
		uiommu_sim_sync_forget(s, &s->cmdq); /* it may not be there any more */
	uiommu_sim_ctx_drop(s);
	if (!sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)))
		uiommu_sim_stall_end_all(s, 0, UINT32_MAX);
}

void uiommu_sim_write_reg(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v)
{
	uint64_t m = writable(s, r);

	if (s->temper && uiommu_sim_temper_write(s, r, v))
		return;
	if (r == R_GBPA) {
		write_gbpa(s, v);
		return;
	}
	s->reg[r] = (s->reg[r] & ~m) | (v & m);
	if (r == R_CR0)
		cr0_changed(s);
	else if (r == R_CR2)
		uiommu_sim_ctx_drop(s);
	else if (r == R_IRQ_CTRL)
		s->reg[R_IRQ_CTRLACK] = s->reg[R_IRQ_CTRL];
	if (r == R_CR0 || r == R_EVENTQ_CONS || r == R_GERRORN)
		uiommu_sim_stall_record(s);
	if (r == R_CR0 || r == R_CMDQ_PROD || r == R_GERRORN)
		uiommu_sim_cmdq_run(s, &s->cmdq, SIM_ALL);
}

/* @half: the upper 32 bits of a 64-bit register */
static bool decode(const struct uiommu_sim_smmuv3 *s, uint64_t offset, enum sim_reg *r, bool *half)
{
	uint64_t page = offset >> 16, word = (offset & 0xffff) / 4;
	unsigned at;

	*half = false;
	if (page > 1 || word >= sizeof(s->reg_at[0]) / sizeof(s->reg_at[0][0]))
		return false;
	at = s->reg_at[page][word];
	if (!at && word && s->reg_at[page][word - 1] &&
	    regs[s->reg_at[page][word - 1] - 1].width == 64) {
		at = s->reg_at[page][word - 1];
		*half = true;
	}
	*r = (enum sim_reg)(at - 1);
	return at;
}

static uint32_t read_half(struct uiommu_sim_smmuv3 *s, uint64_t offset)
{
	enum sim_reg r;
	bool upper;
	uint64_t v;

	if (!decode(s, offset, &r, &upper))
		return 0;		/* RES0 */
	v = s->temper ? uiommu_sim_temper_shows(s, r, s->reg[r]) : s->reg[r];
	return (uint32_t)(v >> (upper ? 32 : 0));
}

static void write_half(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint32_t v)
{
	enum sim_reg r;
	bool upper;

	if (!decode(s, offset, &r, &upper))
		return;
	if (regs[r].width == 32)
		uiommu_sim_write_reg(s, r, v);
	else if (upper)
		uiommu_sim_write_reg(s, r, (uint64_t)v << 32 | (uint32_t)s->reg[r]);
	else
		uiommu_sim_write_reg(s, r, (s->reg[r] & ~(uint64_t)UINT32_MAX) | v);
}

static bool is_reg64(const struct uiommu_sim_smmuv3 *s, uint64_t offset, enum sim_reg *r)
{
	bool upper;

	return decode(s, offset, r, &upper) && !upper && regs[*r].width == 64;
}

uint64_t uiommu_sim_smmuv3_mmio_read(struct uiommu_sim_smmuv3 *s, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	if ((size != 4 && size != 8) || offset % size)
		return 0;
	uiommu_sim_enter(s);
	v = read_half(s, offset);
	if (size == 8)
		v |= (uint64_t)read_half(s, offset + 4) << 32;
	uiommu_sim_leave(s);
	return v;
}

void uiommu_sim_smmuv3_mmio_write(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint64_t value,
				  unsigned size)
{
	enum sim_reg r;

	if ((size != 4 && size != 8) || offset % size)
		return;
	uiommu_sim_enter(s);
	if (size == 8 && is_reg64(s, offset, &r)) {
		uiommu_sim_write_reg(s, r, value);
	} else {
		write_half(s, offset, (uint32_t)value);
		if (size == 8)
			write_half(s, offset + 4, (uint32_t)(value >> 32));
	}
	uiommu_sim_leave(s);
}

void uiommu_sim_smmuv3_stats(struct uiommu_sim_smmuv3 *s, struct uiommu_sim_smmuv3_stats *out)
{
	uiommu_sim_enter(s);
	*out = s->stats;
	for (unsigned i = 0; i < SIM_SLOTS; i++) {
		out->translations += s->slots[i].hits;
		out->tlb_hits += s->slots[i].hits;
	}
	uiommu_sim_leave(s);
}

/* ---- life ---- */

#define CFG_SETS_LG2 8

void uiommu_sim_smmuv3_config_init(struct uiommu_sim_smmuv3_config *cfg)
{
	*cfg = (struct uiommu_sim_smmuv3_config){
		.sidsize = 16, .ssidsize = 20,
		.cmdq_max_lg2 = 19, .evtq_max_lg2 = 19,
		.oas_lg2 = 48,
		.gran4k = true, .gran16k = true, .gran64k = true,
		.st_2level = true, .cd_2level = true,
		.asid16 = true, .coherent = true, .range_inv = true,
		.tlb_entries_lg2 = 12,
	};
}

static bool config_ok(const struct uiommu_sim_smmuv3_config *c)
{
	return c->sidsize <= 32 && c->ssidsize <= 20 && c->cmdq_max_lg2 <= 19 &&
	       c->evtq_max_lg2 <= 19 && c->oas_lg2 <= 52 && oas_code(c->oas_lg2) < 7 &&
	       (c->gran4k || c->gran16k || c->gran64k) &&
	       c->tlb_entries_lg2 >= 2 && c->tlb_entries_lg2 <= 24 &&
	       (c->stage2 || !c->no_stage1);
}

static bool options_ok(const struct uiommu_sim_smmuv3_config *c, const struct uiommu_sim_env *env)
{
	if (c->httu > 2 || (c->httu && !env->cas64))
		return false;
	if (c->pri && (!c->ats || c->priq_max_lg2 > 19))
		return false;
	if (((c->no_split_ats || c->ats_record) && !c->ats) || (c->pps && !c->pri))
		return false;
	if ((c->vmw && !c->stage2) || c->bbml > 2 || c->endian > 2 || c->mpam_partid_max > 65535 ||
	    (c->mpam_partid_max && (c->no_stage1 || !c->stage2)) ||
	    (c->ds && !c->gran4k && !c->gran16k))
		return false;
	if (c->cmdqv.vcmdqs_lg2 &&
	    (c->cmdqv.vcmdqs_lg2 > 7 || c->cmdqv.vintfs_lg2 > 6 ||
	     c->cmdqv.vintfs_lg2 > c->cmdqv.vcmdqs_lg2 || c->cmdqv.sids_lg2 > 4))
		return false;
	return !c->stall ||
	       (c->stall <= 2 && env->resume && c->stall_max && c->stall_max <= 65535);
}

/* what create() allocates beside the structure itself */
static void for_each_array(struct uiommu_sim_smmuv3 *s,
			   void (*fn)(struct uiommu_sim_smmuv3 *s, void **p, size_t bytes))
{
	struct sim_tlb *tlb = &s->tlb;

	for (unsigned i = 0; i < NUM_CFG; i++) {
		struct cfg_cache *c = &s->cfg_cache[i];

		fn(s, (void **)&c->ways, uiommu_sim_cfg_num_ways(c) * sizeof(*c->ways));
		fn(s, (void **)&c->victim, (size_t)1 << c->sets_lg2);
	}
	fn(s, (void **)&tlb->ways, sizeof(*tlb->ways) * SIM_TLB_WAYS << tlb->sets_lg2);
	fn(s, (void **)&tlb->walks, sizeof(*tlb->walks) * 4 << SIM_WALK_SETS_LG2);
	fn(s, (void **)&tlb->ctx, sizeof(*tlb->ctx) << SIM_CTX_LG2);
	fn(s, (void **)&tlb->victim, (size_t)1 << tlb->sets_lg2);
	fn(s, (void **)&tlb->vmid_since, sizeof(uint64_t) * SIM_NUM_REGIMES << 16);
	fn(s, (void **)&tlb->asid_since, sizeof(uint64_t) * SIM_TLB_ASID_SLOTS);
	if (s->cfg.stall_max)
		fn(s, (void **)&s->stalls, s->cfg.stall_max * sizeof(*s->stalls));
	if (s->cfg.cmdqv.vcmdqs_lg2)
		fn(s, (void **)&s->cmdqv, sizeof(*s->cmdqv));
}

static void alloc_array(struct uiommu_sim_smmuv3 *s, void **p, size_t bytes)
{
	*p = s->env.alloc(s->env.ctx, bytes);
}

static void free_array(struct uiommu_sim_smmuv3 *s, void **p, size_t bytes)
{
	if (*p)
		s->env.free(s->env.ctx, *p, bytes);
}

static bool complete(const struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; i < NUM_CFG; i++)
		if (!s->cfg_cache[i].ways || !s->cfg_cache[i].victim)
			return false;
	if ((s->cfg.stall_max && !s->stalls) || (s->cfg.cmdqv.vcmdqs_lg2 && !s->cmdqv))
		return false;
	return s->tlb.ctx && s->tlb.walks && s->tlb.ways && s->tlb.victim && s->tlb.vmid_since &&
	       s->tlb.asid_since;
}

int uiommu_sim_smmuv3_create(const struct uiommu_sim_smmuv3_config *cfg,
			     const struct uiommu_sim_env *env, struct uiommu_sim_smmuv3 **out)
{
	struct uiommu_sim_smmuv3 *s;

	if (!config_ok(cfg) || !options_ok(cfg, env))
		return -UIOMMU_EINVAL;
	s = env->alloc(env->ctx, sizeof(*s));
	if (!s)
		return -UIOMMU_ENOMEM;
	s->env = *env;
	s->cfg = *cfg;
	if (!s->cfg.stall)
		s->cfg.stall_max = 0;
	s->tlb.sets_lg2 = cfg->tlb_entries_lg2 - 2;
	s->tlb.now = 1;
	for (unsigned i = 0; i < NUM_CFG; i++)
		s->cfg_cache[i].sets_lg2 = CFG_SETS_LG2;
	for_each_array(s, alloc_array);
	if (!complete(s)) {
		uiommu_sim_smmuv3_destroy(s);
		return -UIOMMU_ENOMEM;
	}
	index_registers(s);
	hide_missing(s);
	set_id_registers(s);
	s->cmdq.base = &s->reg[R_CMDQ_BASE];
	s->cmdq.prod = &s->reg[R_CMDQ_PROD];
	s->cmdq.cons = &s->reg[R_CMDQ_CONS];
	uiommu_sim_cmdqv_reset(s);
	*out = s;
	return 0;
}

/* ---- failure and reset ---- */

void uiommu_sim_smmuv3_fail(struct uiommu_sim_smmuv3 *s)
{
	uiommu_sim_enter(s);
	s->failed = true;
	uiommu_sim_ctx_drop(s);
	uiommu_sim_gerror(s, FMASK(GERROR_SFM_ERR));
	uiommu_sim_leave(s);
}

static void empty_caches(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned i = 0; i < NUM_CFG; i++)
		uiommu_sim_cfg_drop_range(&s->cfg_cache[i], 0, ~(uint64_t)0);
	for (unsigned r = 0; r < SIM_NUM_REGIMES; r++)
		uiommu_sim_tlb_drop_regime(s, (enum sim_regime)r);
}

void uiommu_sim_smmuv3_reset(struct uiommu_sim_smmuv3 *s)
{
	uiommu_sim_enter(s);
	for (unsigned r = 0; r < NUM_REGS; r++)
		s->reg[r] = 0;
	set_id_registers(s);
	if (!s->temper || !uiommu_sim_temper_reset(s))
		empty_caches(s);
	uiommu_sim_stall_end_all(s, 0, UINT32_MAX);
	s->failed = s->cmdq.invalidated = s->cmdq.atc_timeout = false;
	s->cmdq.waits = false;
	uiommu_sim_cmdqv_reset(s);
	s->num_waits = 0;
	s->sync_waits = false;
	s->irq_pending = 0;
	uiommu_sim_ctx_drop(s);
	uiommu_sim_leave(s);
}

void uiommu_sim_smmuv3_destroy(struct uiommu_sim_smmuv3 *s)
{
	struct uiommu_sim_env env = s->env;

	for_each_array(s, free_array);
	if (s->temper)
		env.free(env.ctx, s->temper, sizeof(*s->temper));
	env.free(env.ctx, s, sizeof(*s));
}
