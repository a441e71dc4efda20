/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/probe.c - what it is, and how it is brought up and down
 *
 * The order leaves no moment at which a device's DMA passes untranslated, a queue
 * is used before its base is set, or an error is enabled that nobody looks at:
 *
 *   GBPA=ABORT, CR0=0, interrupts off        from here on every DMA aborts
 *   stream table (all invalid), attributes
 *   command queue on, everything cached is forgotten
 *   event queue on, old errors acknowledged
 *   interrupt functions in place, interrupts on
 *   SMMUEN=1                                 every StreamID without a device aborts
 */
#include "smmu.h"
#include "text.h"

#define MIN_MMIO_BYTES	0x20000u

/* ---- what it is ---- */

/* What we cannot do without: the values of a field that are good, a bit for each. */
static const struct need {
	uint8_t idr, lo;
	uint32_t max, good;
	const char *why;
} needs[] = {
#define NEED(n, field, good, why) \
	{ n, IDR##n##_##field##_LO, FMAX(IDR##n##_##field), good, why }
#define ONE(v) (1u << (v))
	NEED(0, TTF, ONE(IDR0_TTF_AARCH64) | ONE(IDR0_TTF_BOTH), "it has no AArch64 page tables"),
	NEED(0, TTENDIAN, ONE(IDR0_TTENDIAN_MIXED) | ONE(IDR0_TTENDIAN_LITTLE),
	     "its page tables are big-endian"),
	NEED(0, STALL_MODEL, ONE(IDR0_STALL_MODEL_STALL_AND_TERMINATE) |
	     ONE(IDR0_STALL_MODEL_TERMINATE), "it stalls every faulting access"),
	NEED(0, ST_LEVEL, ONE(IDR0_ST_LEVEL_LINEAR) | ONE(IDR0_ST_LEVEL_TWO_LEVEL),
	     "its stream table has an unknown format"),
	NEED(1, TABLES_PRESET, ONE(0), "its stream table is in a fixed place"),
	NEED(1, QUEUES_PRESET, ONE(0), "its queues are in a fixed place"),
	NEED(1, CMDQS, 0xffffe, "its command queue has one entry"),
	NEED(1, EVENTQS, 0xfffff, "its event queue has an unknown size"),
	NEED(5, OAS, 0x7f, "its output address size is unknown"),
#undef NEED
#undef ONE
};

void uiommu_smmuv3_log(const struct smmu *s, enum uiommu_log_level level, const char *a,
		       const char *b)
{
	char line[128];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, s->base.name);
	text_str(&t, a);
	text_str(&t, b);
	host_log(s->host, level, line);
}

static int check_needs(const struct smmu *s, const uint32_t *idr)
{
	for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		const struct need *n = &needs[i];
		uint32_t v = idr[n->idr] >> n->lo & n->max;

		if (v < 32 && n->good >> v & 1)
			continue;
		uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, ": cannot be used: ", n->why);
		return -UIOMMU_EOPNOTSUPP;
	}
	return 0;
}

/* What is there in one of several kinds. */
static int check_caps(const struct smmu *s)
{
	const char *why = NULL;

	if (!s->caps.stage1 && !s->caps.stage2)
		why = "it does not translate";
	else if (!s->caps.granules)
		why = "it has pages of no size";
	else if (!s->caps.coherent && !s->host->cache_clean)
		why = "its walks do not see CPU caches, and the host has no cache_clean()";
	if (!why)
		return 0;
	uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, ": cannot be used: ", why);
	return -UIOMMU_EOPNOTSUPP;
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void read_caps(struct smmu_caps *c, const uint32_t *idr, bool coherent)
{
	static const uint8_t oas[] = { 32, 36, 40, 42, 44, 48, 52 };
	unsigned ssid = FGET(IDR1_SSIDSIZE, idr[1]);

	c->coherent = coherent && FGET(IDR0_COHACC, idr[0]);
	c->two_level_st = FGET(IDR0_ST_LEVEL, idr[0]) == IDR0_ST_LEVEL_TWO_LEVEL;
	c->two_level_cd = FGET(IDR0_CD2L, idr[0]);
	c->ril = FGET(IDR3_RIL, idr[3]);
	c->hyp = FGET(IDR0_Hyp, idr[0]);
	c->msi = FGET(IDR0_MSI, idr[0]);
	c->sync_msg = c->msi && c->coherent;
	c->ats = FGET(IDR0_ATS, idr[0]);
	c->stalls = FGET(IDR0_STALL_MODEL, idr[0]) == IDR0_STALL_MODEL_STALL_AND_TERMINATE;
	c->sid_bits = min(FGET(IDR1_SIDSIZE, idr[1]), 32);
	c->stage1 = SMMU_STAGE1 && FGET(IDR0_S1P, idr[0]);
	c->stage2 = FGET(IDR0_S2P, idr[0]);
	c->granules = (unsigned)(FGET(IDR5_GRAN4K, idr[5]) << 12 |
				 FGET(IDR5_GRAN16K, idr[5]) << 14 |
				 FGET(IDR5_GRAN64K, idr[5]) << 16);
	c->vax52 = FGET(IDR5_VAX, idr[5]) == IDR5_VAX_52;
	/* it updates entries behind the back of a CPU that has them in its cache else */
	c->dirty = c->coherent && FGET(IDR0_HTTU, idr[0]) >= IDR0_HTTU_ACCESS_DIRTY;
	c->pasid_bits = c->stage1 ? min(ssid, c->two_level_cd ? 20 : 10) : 0;
	c->asid_bits = FGET(IDR0_ASID16, idr[0]) ? 16 : 8;
	c->vmid_bits = FGET(IDR0_VMID16, idr[0]) ? 16 : 8;
	c->cmdq_lg2 = FGET(IDR1_CMDQS, idr[1]);
	c->evtq_lg2 = FGET(IDR1_EVENTQS, idr[1]);
	c->pri = FGET(IDR0_PRI, idr[0]);
	c->priq_lg2 = FGET(IDR1_PRIQS, idr[1]);
	c->oas_lg2 = oas[FGET(IDR5_OAS, idr[5])];
}

/* Fills in caps and hw_info, or says why not. */
int uiommu_smmuv3_identify(struct smmu *s, const struct uiommu_smmuv3_config *cfg)
{
	static const uint16_t regs[] = { SMMU_IDR0, SMMU_IDR1, SMMU_IDR2, SMMU_IDR3, SMMU_IDR4,
					 SMMU_IDR5, SMMU_IIDR, SMMU_AIDR };
	int err;

	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		s->hw_info[2 + i] = smmu_read(s, regs[i]);
	err = check_needs(s, &s->hw_info[2]);
	if (err)
		return err;
	read_caps(&s->caps, &s->hw_info[2], cfg->coherent);
	return check_caps(s);
}

/* ---- registers that are acknowledged ---- */

uint64_t uiommu_smmuv3_waited(struct smmu_patience *p, const struct uiommu_host *h)
{
	uint64_t now = h->now_ns(h->ctx), step = now - p->seen;

	p->seen = now;
	p->waited += step < SMMU_LOOK_NS ? step : SMMU_LOOK_NS;
	return p->waited;
}

static int wait_reg(struct smmu *s, unsigned reg, uint32_t mask, uint32_t want)
{
	const struct uiommu_host *h = s->host;
	struct smmu_patience p = { 0 };

	for (;;) {
		bool late = uiommu_smmuv3_waited(&p, h) > SMMU_TIMEOUT_NS;

		if ((smmu_read(s, reg) & mask) == want)
			return 0;
		if (late)
			break;
		host_relax(h);
	}
	uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, ": a control register is not acknowledged", "");
	return -UIOMMU_ETIMEDOUT;
}

static int set_acked(struct smmu *s, unsigned reg, unsigned ack, uint32_t v)
{
	smmu_write(s, reg, v);
	return wait_reg(s, ack, ~0u, v);
}

/* What an SMMU that is off does with DMA: nothing passes. */
static int set_gbpa_abort(struct smmu *s)
{
	int err = wait_reg(s, SMMU_GBPA, FMASK(GBPA_Update), 0);

	if (err)
		return err;
	smmu_write(s, SMMU_GBPA, (smmu_read(s, SMMU_GBPA) & ~FMASK(GBPA_Update)) |
				 FMASK(GBPA_ABORT) | FMASK(GBPA_Update));
	err = wait_reg(s, SMMU_GBPA, FMASK(GBPA_Update), 0);
	if (!err && !(smmu_read(s, SMMU_GBPA) & FMASK(GBPA_ABORT)))
		uiommu_smmuv3_log(s, UIOMMU_LOG_WARN,
				  ": GBPA cannot be set: ", "DMA passes while it is off");
	return err;
}

static int quiet(struct smmu *s)
{
	int err = s->keep_open ? 0 : set_gbpa_abort(s), off;

	if (!err)
		err = set_acked(s, SMMU_CR0, SMMU_CR0ACK, 0);
	if (!err)
		err = set_acked(s, SMMU_IRQ_CTRL, SMMU_IRQ_CTRLACK, 0);
	off = uiommu_smmuv3_cmdqv_stop(s);
	return err ? err : off;
}

/* ---- interrupts ---- */

static void on_evtq(void *arg)
{
	uiommu_smmuv3_evtq_drain(arg);
}

static void on_priq(void *arg)
{
	uiommu_smmuv3_priq_drain(arg);
}

static void on_gerror(void *arg)
{
	uiommu_smmuv3_cmdq_gerror(&((struct smmu *)arg)->cmdq);
}

/* Interrupts are off while this is written. Address 0: no message, the wire. */
static void set_msis(struct smmu *s)
{
	if (!s->caps.msi)
		return;
	port_write64(&s->mmio, SMMU_GERROR_IRQ_CFG0,
		     s->msi_gerror.pa & FMASK(GERROR_IRQ_CFG0_ADDR));
	smmu_write(s, SMMU_GERROR_IRQ_CFG1, s->msi_gerror.data);
	smmu_write(s, SMMU_GERROR_IRQ_CFG2, MEMATTR_DEVICE_nGnRE);
	port_write64(&s->mmio, SMMU_EVENTQ_IRQ_CFG0,
		     s->msi_evtq.pa & FMASK(EVENTQ_IRQ_CFG0_ADDR));
	smmu_write(s, SMMU_EVENTQ_IRQ_CFG1, s->msi_evtq.data);
	smmu_write(s, SMMU_EVENTQ_IRQ_CFG2, MEMATTR_DEVICE_nGnRE);
	if (!smmu_has_priq(s))
		return;
	port_write64(&s->mmio, SMMU_PRIQ_IRQ_CFG0, s->msi_priq.pa & FMASK(PRIQ_IRQ_CFG0_ADDR));
	smmu_write(s, SMMU_PRIQ_IRQ_CFG1, s->msi_priq.data);
	smmu_write(s, SMMU_PRIQ_IRQ_CFG2, MEMATTR_DEVICE_nGnRE);
}

static void stop_irqs(struct smmu *s)
{
	const struct uiommu_host *h = s->host;

	if (s->irqs_held)
		h->irq_release(h->ctx, s->irq_evtq);
	if (s->irqs_held > 1)
		h->irq_release(h->ctx, s->irq_gerror);
	if (s->irqs_held > 2)
		h->irq_release(h->ctx, s->irq_priq);
	s->irqs_held = 0;
	uiommu_smmuv3_cmdqv_stop_irq(s);
}

static int start_irqs(struct smmu *s)
{
	uint32_t on = FMASK(IRQ_CTRL_EVENTQ_IRQEN) | FMASK(IRQ_CTRL_GERROR_IRQEN);
	const struct uiommu_host *h = s->host;
	int err;

	if (!s->irqs)
		return 0;
	set_msis(s);
	err = h->irq_request(h->ctx, s->irq_evtq, on_evtq, s);
	if (err)
		return err;
	s->irqs_held = 1;
	err = h->irq_request(h->ctx, s->irq_gerror, on_gerror, s);
	if (err)
		return err;
	s->irqs_held = 2;
	if (smmu_has_priq(s) && s->has_irq_priq) {
		err = h->irq_request(h->ctx, s->irq_priq, on_priq, s);
		if (err)
			return err;
		s->irqs_held = 3;
		on |= FMASK(IRQ_CTRL_PRIQ_IRQEN);
	}
	err = uiommu_smmuv3_cmdqv_start_irq(s);
	return err ? err : set_acked(s, SMMU_IRQ_CTRL, SMMU_IRQ_CTRLACK, on);
}

/* ---- up and down ---- */

static void set_attributes(struct smmu *s)
{
	unsigned cache = s->caps.coherent ? CACHE_WB : CACHE_NC;
	unsigned sh = s->caps.coherent ? SH_ISH : SH_OSH;

	smmu_write(s, SMMU_CR1, FPREP(CR1_TABLE_SH, sh) | FPREP(CR1_TABLE_OC, cache) |
				FPREP(CR1_TABLE_IC, cache) | FPREP(CR1_QUEUE_SH, sh) |
				FPREP(CR1_QUEUE_OC, cache) | FPREP(CR1_QUEUE_IC, cache));
	/* nobody broadcasts for us; a StreamID beyond the table is worth an event */
	smmu_write(s, SMMU_CR2, FMASK(CR2_PTM) | FMASK(CR2_RECINVSID));
}

static void set_tables(struct smmu *s)
{
	port_write64(&s->mmio, SMMU_STRTAB_BASE, uiommu_smmuv3_strtab_base(s));
	smmu_write(s, SMMU_STRTAB_BASE_CFG, uiommu_smmuv3_strtab_cfg(s));
	uiommu_smmuv3_cmdq_setup(s);
	uiommu_smmuv3_outq_setup(s, &s->evtq);
	if (smmu_has_priq(s))
		uiommu_smmuv3_outq_setup(s, &s->priq);
}

static int enable(struct smmu *s)
{
	/* what devices have translated themselves is let through by the STE only */
	uint32_t cr0 = FMASK(CR0_CMDQEN) | (s->caps.ats ? FMASK(CR0_ATSCHK) : 0);
	int err = set_acked(s, SMMU_CR0, SMMU_CR0ACK, cr0);

	if (err)
		return err;
	uiommu_smmuv3_cmdq_revive(&s->cmdq);
	err = uiommu_smmuv3_forget_all(s);
	if (!err)
		err = uiommu_smmuv3_cmdqv_start(s);
	if (err)
		return err;
	cr0 |= FMASK(CR0_EVENTQEN);
	if (smmu_has_priq(s))
		cr0 |= FMASK(CR0_PRIQEN);
	err = set_acked(s, SMMU_CR0, SMMU_CR0ACK, cr0);
	if (!err)
		err = start_irqs(s);
	if (err)
		return err;
	err = set_acked(s, SMMU_CR0, SMMU_CR0ACK, cr0 | FMASK(CR0_SMMUEN));
	return err || !s->keep_open ? err : set_gbpa_abort(s);
}

/* Interrupts off in hardware, then nobody calls us any more. */
static void stop(struct smmu *s)
{
	quiet(s);
	stop_irqs(s);
}

static int start(struct smmu *s)
{
	int err = quiet(s);

	if (err)
		return err;
	set_attributes(s);
	set_tables(s);
	/* errors from before are not ours: acknowledged, so that ours show */
	smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR));
	err = enable(s);
	s->keep_open = false;
	if (err)
		stop(s);
	return err;
}

/*
 * Interrupts are given back first, and the queues closed for who polls them: both look
 * at registers that are about to change. Entries are put right while nobody reads them,
 * since the last change may have got stuck halfway; start() makes hardware forget all.
 */
static int try_recover(struct smmu *s)
{
	int err;

	uiommu_smmuv3_cmdq_stop(s);
	stop_irqs(s);
	uiommu_smmuv3_outq_stop(s, &s->evtq);
	if (smmu_has_priq(s))
		uiommu_smmuv3_outq_stop(s, &s->priq);
	err = s->reset(s->reset_ctx);
	if (!err)
		err = quiet(s);
	if (err)
		return err;
	s->off = true;
	uiommu_iommu_for_each_device(&s->base, uiommu_smmuv3_restore);
	s->off = false;
	err = start(s);
	if (!err)
		err = uiommu_iommu_for_each_device(&s->base, uiommu_smmuv3_restore_ats);
	return err;
}

int uiommu_smmuv3_recover(struct uiommu_iommu *iommu)
{
	struct smmu *s = to_smmu(iommu);
	int err = s->reset ? try_recover(s) : -UIOMMU_EOPNOTSUPP;

	if (err) {
		uiommu_smmuv3_cmdq_stop(s);
		uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, ": not recovered: it stays off, ",
				  "every device behind it is blocked");
	} else {
		uiommu_smmuv3_log(s, UIOMMU_LOG_WARN,
				  ": recovered: ", "every device has what it had");
	}
	return err;
}

static unsigned queue_lg2(unsigned wanted, unsigned page, unsigned max)
{
	return min(wanted ? wanted : page, max);
}

static int make_memory(struct smmu *s, const struct uiommu_smmuv3_config *cfg)
{
	int err = uiommu_smmuv3_tags_init(s);

	if (err)
		return err;
	err = uiommu_smmuv3_strtab_init(s);
	if (err)
		goto no_strtab;
	err = uiommu_smmuv3_cmdq_init(s, &s->cmdq,
				      queue_lg2(cfg->cmdq_lg2, 8, s->caps.cmdq_lg2));
	if (err)
		goto no_cmdq;
	err = uiommu_smmuv3_outq_init(s, &s->evtq, queue_lg2(cfg->evtq_lg2, 7, s->caps.evtq_lg2));
	if (err)
		goto no_evtq;
	if (SMMU_STAGE1 && s->caps.pri)
		err = uiommu_smmuv3_outq_init(s, &s->priq,
					      queue_lg2(cfg->priq_lg2, 8, s->caps.priq_lg2));
	if (!err)
		err = uiommu_smmuv3_cmdqv_init(s, cfg, s->cmdq.lg2);
	if (!err)
		return 0;
	if (smmu_has_priq(s))
		uiommu_smmuv3_outq_fini(s, &s->priq);
	uiommu_smmuv3_outq_fini(s, &s->evtq);
no_evtq:
	uiommu_smmuv3_cmdq_fini(s, &s->cmdq);
no_cmdq:
	uiommu_smmuv3_strtab_fini(s);
no_strtab:
	uiommu_smmuv3_tags_fini(s);
	return err;
}

static void free_memory(struct smmu *s)
{
	uiommu_smmuv3_cmdqv_fini(s);
	if (smmu_has_priq(s))
		uiommu_smmuv3_outq_fini(s, &s->priq);
	uiommu_smmuv3_outq_fini(s, &s->evtq);
	uiommu_smmuv3_cmdq_fini(s, &s->cmdq);
	uiommu_smmuv3_strtab_fini(s);
	uiommu_smmuv3_tags_fini(s);
}

static void copy_name(struct smmu *s, const char *name)
{
	for (size_t i = 0; i < sizeof(s->base.name) - 1 && name[i]; i++)
		s->base.name[i] = name[i];
}

static struct smmu *make(struct uiommu *u, const struct uiommu_smmuv3_config *cfg)
{
	const struct uiommu_host *h = uiommu_host_of(u);
	struct smmu *s = host_alloc(h, sizeof(*s));

	if (!s)
		return NULL;
	s->host = h;
	s->base.ops = &uiommu_smmuv3_ops;
	s->irqs = cfg->has_irqs && h->irq_request;
	s->irq_evtq = cfg->irq_evtq;
	s->irq_gerror = cfg->irq_gerror;
	s->msi_evtq = cfg->msi_evtq;
	s->msi_gerror = cfg->msi_gerror;
	s->has_irq_priq = cfg->has_irq_priq;
	s->irq_priq = cfg->irq_priq;
	s->msi_priq = cfg->msi_priq;
	s->reset = cfg->reset;
	s->reset_ctx = cfg->reset_ctx;
	s->sync_batches = cfg->sync_batches;
	s->vmid_alloc = cfg->vmid_alloc;
	s->vmid_free = cfg->vmid_free;
	s->vmid_ctx = cfg->vmid_ctx;
	copy_name(s, cfg->name);
	return s;
}

/* What firmware has started goes on: nothing reads the table yet. */
static int open_firmware(struct smmu *s, const struct uiommu_smmuv3_config *cfg)
{
	int err;

	s->off = true;
	err = uiommu_smmuv3_strtab_open(s, cfg->firmware_ids, cfg->num_firmware_ids);
	s->off = false;
	s->keep_open = cfg->num_firmware_ids &&
		       !(smmu_read(s, SMMU_CR0ACK) & FMASK(CR0_SMMUEN)) &&
		       !(smmu_read(s, SMMU_GBPA) & FMASK(GBPA_ABORT));
	return err;
}

/* With its registers mapped: everything else. */
static int bring_up(struct uiommu *u, struct smmu *s, const struct uiommu_smmuv3_config *cfg)
{
	int err = uiommu_smmuv3_identify(s, cfg);

	if (!err)
		err = make_memory(s, cfg);
	if (err)
		return err;
	s->base.pasid_bits = s->caps.pasid_bits;
	s->base.caps = (s->caps.stalls ? UIOMMU_IOMMU_STALL : 0) |
		       (s->caps.pri ? UIOMMU_IOMMU_PRI : 0);
	err = open_firmware(s, cfg);
	if (!err)
		err = uiommu_iommu_register(u, &s->base);
	if (err) {
		free_memory(s);
		return err;
	}
	err = start(s);
	if (err) {
		uiommu_iommu_unregister(&s->base);
		free_memory(s);
	}
	return err;
}

int uiommu_smmuv3_probe(struct uiommu *u, const struct uiommu_smmuv3_config *cfg,
			struct uiommu_iommu **out)
{
	const struct uiommu_host *h = uiommu_host_of(u);
	struct smmu *s;
	int err;

	if (!cfg->name || cfg->mmio_bytes < MIN_MMIO_BYTES || !cfg->vmid_alloc != !cfg->vmid_free)
		return -UIOMMU_EINVAL;
	s = make(u, cfg);
	if (!s)
		return -UIOMMU_ENOMEM;
	err = h->mmio_map(h->ctx, cfg->mmio_pa, cfg->mmio_bytes, &s->mmio);
	if (err)
		goto no_mmio;
	err = bring_up(u, s, cfg);
	if (!err) {
		*out = &s->base;
		return 0;
	}
	h->mmio_unmap(h->ctx, &s->mmio);
no_mmio:
	host_free(h, s, sizeof(*s));
	return err;
}

void uiommu_smmuv3_remove(struct uiommu_iommu *iommu)
{
	struct smmu *s = to_smmu(iommu);
	const struct uiommu_host *h = s->host;

	uiommu_iommu_unregister(iommu);
	stop(s);
	free_memory(s);
	h->mmio_unmap(h->ctx, &s->mmio);
	host_free(h, s, sizeof(*s));
}

void uiommu_smmuv3_poll(struct uiommu_iommu *iommu)
{
	struct smmu *s = to_smmu(iommu);

	uiommu_smmuv3_cmdq_gerror(&s->cmdq);
	uiommu_smmuv3_evtq_drain(s);
	uiommu_smmuv3_priq_drain(s);
	uiommu_smmuv3_cmdqv_errors(s);
}
