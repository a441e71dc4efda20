/* SPDX-License-Identifier: MIT */
/* vsmmu.c - the register pages, and when the SMMU acts */
#include "vm.h"
#include "vsmmu.h"

/* ---- what it says it is ---- */

static uint32_t idr0(const struct host_smmu *h)
{
	const uint32_t same = FMASK(IDR0_ASID16) | FMASK(IDR0_CD2L) | FMASK(IDR0_TTENDIAN) |
			      FMASK(IDR0_TERM_MODEL) | FMASK(IDR0_ATS) | FMASK(IDR0_PRI);

	/* stage 2 is the VMM's; stalls are not forwarded by the host */
	return (h->idr[0] & same) | (uint32_t)(FMASK(IDR0_S1P) | FMASK(IDR0_COHACC) |
	       FMASK(IDR0_MSI) | FPREP(IDR0_TTF, IDR0_TTF_AARCH64) |
	       FPREP(IDR0_STALL_MODEL, IDR0_STALL_MODEL_TERMINATE) |
	       FPREP(IDR0_ST_LEVEL, IDR0_ST_LEVEL_TWO_LEVEL));
}

static uint32_t idr1(const struct host_smmu *h)
{
	return (h->idr[1] & (uint32_t)FMASK(IDR1_SSIDSIZE)) |
	       (uint32_t)(FPREP(IDR1_SIDSIZE, VSMMU_SID_BITS) | FPREP(IDR1_CMDQS, 8) |
			  FPREP(IDR1_EVENTQS, 7) | FPREP(IDR1_PRIQS, 7));
}

void vsmmu_init(struct vsmmu *v, struct vm *vm, const struct host_smmu *h)
{
	*v = (struct vsmmu){ .vm = vm, .batch_max = v->batch_max, .temper = v->temper };
	pthread_mutex_init(&v->lock, NULL);
	vsmmu_set(v, SMMU_IDR0, idr0(h));
	vsmmu_set(v, SMMU_IDR1, idr1(h));
	vsmmu_set(v, SMMU_IDR3, h->idr[3] & (uint32_t)(FMASK(IDR3_RIL) | FMASK(IDR3_BBML)));
	vsmmu_set(v, SMMU_IDR5, h->idr[5] & (uint32_t)(FMASK(IDR5_OAS) | FMASK(IDR5_GRAN4K) |
		  FMASK(IDR5_GRAN16K) | FMASK(IDR5_GRAN64K) | FMASK(IDR5_VAX)));
	vsmmu_set(v, SMMU_AIDR, h->aidr);
	/* firmware has started nothing: what is not set up aborts */
	vsmmu_set(v, SMMU_GBPA, FMASK(GBPA_ABORT) | FPREP(GBPA_SHCFG, SHCFG_INCOMING));
}

/* ---- what may be written ---- */

/*
 * Bits, and what must be off for a write to have an effect (IHI 0070, 6.3): a bit of CR0,
 * or one of IRQ_CTRL. Registers that are not here are read-only.
 */
static const struct writable {
	uint32_t off, bits, cr0, irq;
} writables[] = {
#define BITS(f)		((uint32_t)FMASK(f))
#define HIGH(f)		((uint32_t)(FMASK(f) >> 32))
#define BOTH(r, f, more, cr0, irq) \
	{ SMMU_##r, BITS(r##_##f) | (uint32_t)(more), cr0, irq }, \
	{ SMMU_##r + 4, HIGH(r##_##f) | (uint32_t)((uint64_t)(more) >> 32), cr0, irq }
#define IRQ_CFG(q, irq) \
	BOTH(q##_IRQ_CFG0, ADDR, 0, 0, irq), { SMMU_##q##_IRQ_CFG1, ~0u, 0, irq }, \
	{ SMMU_##q##_IRQ_CFG2, BITS(q##_IRQ_CFG2_MemAttr) | BITS(q##_IRQ_CFG2_SH), 0, irq }
	{ SMMU_CR0, BITS(CR0_SMMUEN) | BITS(CR0_PRIQEN) | BITS(CR0_EVENTQEN) | BITS(CR0_CMDQEN) |
		    BITS(CR0_ATSCHK), 0, 0 },
	{ SMMU_CR1, 0xfff, BITS(CR0_SMMUEN), 0 },
	{ SMMU_CR2, BITS(CR2_RECINVSID) | BITS(CR2_PTM), BITS(CR0_SMMUEN), 0 },
	{ SMMU_GBPA, 0x801f3f1f, 0, 0 },
	{ SMMU_IRQ_CTRL, BITS(IRQ_CTRL_GERROR_IRQEN) | BITS(IRQ_CTRL_PRIQ_IRQEN) |
			 BITS(IRQ_CTRL_EVENTQ_IRQEN), 0, 0 },
	{ SMMU_GERRORN, 0x1fd, 0, 0 },
	IRQ_CFG(GERROR, BITS(IRQ_CTRL_GERROR_IRQEN)),
	BOTH(STRTAB_BASE, ADDR, FMASK(STRTAB_BASE_RA), BITS(CR0_SMMUEN), 0),
	{ SMMU_STRTAB_BASE_CFG, BITS(STRTAB_BASE_CFG_LOG2SIZE) | BITS(STRTAB_BASE_CFG_SPLIT) |
				BITS(STRTAB_BASE_CFG_FMT), BITS(CR0_SMMUEN), 0 },
	BOTH(CMDQ_BASE, ADDR, FMASK(CMDQ_BASE_RA) | FMASK(CMDQ_BASE_LOG2SIZE),
	     BITS(CR0_CMDQEN), 0),
	{ SMMU_CMDQ_PROD, BITS(CMDQ_PROD_WR), 0, 0 },
	{ SMMU_CMDQ_CONS, BITS(CMDQ_CONS_RD), BITS(CR0_CMDQEN), 0 },
	BOTH(EVENTQ_BASE, ADDR, FMASK(EVENTQ_BASE_WA) | FMASK(EVENTQ_BASE_LOG2SIZE),
	     BITS(CR0_EVENTQEN), 0),
	IRQ_CFG(EVENTQ, BITS(IRQ_CTRL_EVENTQ_IRQEN)),
	{ SMMU_EVENTQ_PROD, BITS(EVENTQ_PROD_WR) | BITS(EVENTQ_PROD_OVFLG), BITS(CR0_EVENTQEN), 0 },
	{ SMMU_EVENTQ_CONS, BITS(EVENTQ_CONS_RD) | BITS(EVENTQ_CONS_OVACKFLG), 0, 0 },
	BOTH(PRIQ_BASE, ADDR, FMASK(PRIQ_BASE_WA) | FMASK(PRIQ_BASE_LOG2SIZE), BITS(CR0_PRIQEN), 0),
	IRQ_CFG(PRIQ, BITS(IRQ_CTRL_PRIQ_IRQEN)),
	{ SMMU_PRIQ_PROD, BITS(PRIQ_PROD_WR) | BITS(PRIQ_PROD_OVFLG), BITS(CR0_PRIQEN), 0 },
	{ SMMU_PRIQ_CONS, BITS(PRIQ_CONS_RD) | BITS(PRIQ_CONS_OVACKFLG), 0, 0 },
};

static const struct writable *find(uint64_t off)
{
	for (unsigned i = 0; i < sizeof(writables) / sizeof(writables[0]); i++)
		if (writables[i].off == off)
			return &writables[i];
	return NULL;
}

/* What of CR0 is in effect, or about to be: a bit counts as set until both say 0. */
static uint32_t in_effect(const struct vsmmu *v, unsigned off, unsigned ack)
{
	return vsmmu_get(v, off) | vsmmu_get(v, ack);
}

static void write_reg(struct vsmmu *v, uint64_t off, uint32_t value)
{
	const struct writable *w = find(off);
	uint32_t keep;

	if (!w || w->cr0 & in_effect(v, SMMU_CR0, SMMU_CR0ACK) ||
	    w->irq & in_effect(v, SMMU_IRQ_CTRL, SMMU_IRQ_CTRLACK))
		return;
	if (off == SMMU_GBPA && (vsmmu_get(v, off) & FMASK(GBPA_Update) ||
				 !(value & FMASK(GBPA_Update))))
		return;
	keep = vsmmu_get(v, (unsigned)off) & ~w->bits;
	vsmmu_set(v, (unsigned)off, keep | (value & w->bits));
	v->exits.queue += off == SMMU_CMDQ_PROD;
}

/* ---- what it acknowledges ---- */

static bool ack_irq_ctrl(struct vsmmu *v)
{
	if (vsmmu_get(v, SMMU_IRQ_CTRL) == vsmmu_get(v, SMMU_IRQ_CTRLACK))
		return false;
	vsmmu_set(v, SMMU_IRQ_CTRLACK, vsmmu_get(v, SMMU_IRQ_CTRL));
	return true;
}

static bool ack_gbpa(struct vsmmu *v)
{
	uint32_t gbpa = vsmmu_get(v, SMMU_GBPA);

	if (!(gbpa & FMASK(GBPA_Update)))
		return false;
	vsmmu_set(v, SMMU_GBPA, gbpa & ~(uint32_t)FMASK(GBPA_Update));
	vsmmu_all_stes_changed(v);
	return true;
}

/* With SMMUEN the devices change hands: GBPA's, or their STEs'. */
static bool ack_cr0(struct vsmmu *v)
{
	uint32_t now = vsmmu_get(v, SMMU_CR0), was = vsmmu_get(v, SMMU_CR0ACK);

	if (now == was)
		return false;
	vsmmu_set(v, SMMU_CR0ACK, now);
	if ((now ^ was) & FMASK(CR0_SMMUEN))
		vsmmu_all_stes_changed(v);
	return true;
}

bool vsmmu_ack_step(struct vsmmu *v)
{
	return ack_gbpa(v) || ack_irq_ctrl(v) || ack_cr0(v);
}

/* ---- errors and interrupts ---- */

bool vsmmu_gerror_active(const struct vsmmu *v, uint32_t bit)
{
	return (vsmmu_get(v, SMMU_GERROR) ^ vsmmu_get(v, SMMU_GERRORN)) & bit;
}

void vsmmu_gerror(struct vsmmu *v, uint32_t bit)
{
	if (vsmmu_gerror_active(v, bit))
		return;
	vsmmu_set(v, SMMU_GERROR, vsmmu_get(v, SMMU_GERROR) ^ bit);
	vsmmu_interrupt(v, VSMMU_IRQ_GERROR);
}

/* A message is a write; only the doorbell is no memory. */
bool vsmmu_message(struct vsmmu *v, uint64_t address, uint32_t data)
{
	if (address == BOARD_DOORBELL) {
		vm_raise_irq(v->vm, data);
		return true;
	}
	return vm_write32(v->vm, address, data);
}

/* What enables one, where its message goes, its wire, and what GERROR says of a message
 * that did not get there. */
static const struct irq {
	uint32_t enable, failed;
	unsigned cfg, line;
} irqs[VSMMU_IRQS] = {
	[VSMMU_IRQ_GERROR] = { FMASK(IRQ_CTRL_GERROR_IRQEN), FMASK(GERROR_MSI_GERROR_ABT_ERR),
			       SMMU_GERROR_IRQ_CFG0, BOARD_IRQ_GERROR },
	[VSMMU_IRQ_EVTQ] = { FMASK(IRQ_CTRL_EVENTQ_IRQEN), FMASK(GERROR_MSI_EVENTQ_ABT_ERR),
			     SMMU_EVENTQ_IRQ_CFG0, BOARD_IRQ_EVTQ },
	[VSMMU_IRQ_PRIQ] = { FMASK(IRQ_CTRL_PRIQ_IRQEN), FMASK(GERROR_MSI_PRIQ_ABT_ERR),
			     SMMU_PRIQ_IRQ_CFG0, BOARD_IRQ_PRIQ },
};

void vsmmu_interrupt(struct vsmmu *v, enum vsmmu_irq irq)
{
	if (vsmmu_get(v, SMMU_IRQ_CTRLACK) & irqs[irq].enable)
		v->irqs |= 1u << irq;
}

static void deliver(struct vsmmu *v, const struct irq *q)
{
	uint64_t address = vsmmu_get64(v, q->cfg) & FMASK(GERROR_IRQ_CFG0_ADDR);

	if (!address)
		vm_raise_irq(v->vm, q->line);
	else if (!vsmmu_message(v, address, vsmmu_get(v, q->cfg + 8)))
		vsmmu_gerror(v, q->failed);
}

/* Reasons that came meanwhile are one interrupt. */
bool vsmmu_irq_step(struct vsmmu *v)
{
	for (unsigned i = 0; i < VSMMU_IRQS; i++) {
		if (!(v->irqs >> i & 1))
			continue;
		v->irqs &= ~(1u << i);
		deliver(v, &irqs[i]);
		return true;
	}
	return false;
}

/* ---- when it acts ---- */

static bool queues_step(struct vsmmu *v)
{
	return vcmdqv_step(&v->vm->cmdqv);
}

#define STEPS	5u

/* One of the things that it may do now: the first from @first on, all round. */
static bool step(struct vsmmu *v, unsigned first)
{
	static bool (*const steps[STEPS])(struct vsmmu *v) = {
		vsmmu_ack_step, vsmmu_cmdq_step, vsmmu_outq_step, vsmmu_irq_step, queues_step,
	};

	for (unsigned i = 0; i < STEPS; i++)
		if (steps[(first + i) % STEPS](v))
			return true;
	return false;
}

void vsmmu_act(struct vsmmu *v)
{
	if (!v->temper.hostile)
		while (step(v, 0))
			;
	else
		while (temper_choose(&v->temper, 3) && step(v, temper_choose(&v->temper, STEPS)))
			;
}

void vsmmu_idle(struct vsmmu *v)
{
	pthread_mutex_lock(&v->lock);
	if (vm_is_on(v->vm))
		vsmmu_act(v);
	pthread_mutex_unlock(&v->lock);
}

bool vsmmu_has_news(const struct vsmmu *v)
{
	return v->events.n || v->events.lost || v->requests.n || v->irqs || v->vm->cmdqv.due;
}

/* ---- the guest's accesses ---- */

/* Page 1 has the producer and consumer registers of the queues that the SMMU writes. */
static bool is_there(uint64_t off)
{
	return off < VSMMU_REG_WORDS * 4 || off == SMMU_EVENTQ_PROD || off == SMMU_EVENTQ_CONS ||
	       off == SMMU_PRIQ_PROD || off == SMMU_PRIQ_CONS;
}

void vsmmu_enter(struct vsmmu *v)
{
	pthread_mutex_lock(&v->lock);
	if (vm_is_on(v->vm))
		return;
	pthread_mutex_unlock(&v->lock);
	pthread_exit(NULL);
}

static uint32_t read32(void *ctx, uint64_t off)
{
	struct vsmmu *v = ctx;
	uint32_t value;

	vsmmu_enter(v);
	v->exits.reads++;
	vsmmu_act(v);
	value = is_there(off) ? vsmmu_get(v, (unsigned)off) : 0;
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void write_at(struct vsmmu *v, uint64_t off, uint64_t value, unsigned words)
{
	vsmmu_enter(v);
	v->exits.writes++;
	write_reg(v, off, (uint32_t)value);
	if (words == 2)
		write_reg(v, off + 4, (uint32_t)(value >> 32));
	vsmmu_act(v);
	pthread_mutex_unlock(&v->lock);
}

static void write32(void *ctx, uint64_t off, uint32_t value)
{
	write_at(ctx, off, value, 1);
}

static uint64_t read64(void *ctx, uint64_t off)
{
	return read32(ctx, off) | (uint64_t)read32(ctx, off + 4) << 32;
}

static void write64(void *ctx, uint64_t off, uint64_t value)
{
	write_at(ctx, off, value, 2);
}

const struct uiommu_mmio_ops vsmmu_mmio_ops = {
	.read32 = read32,
	.write32 = write32,
	.read64 = read64,
	.write64 = write64,
};
