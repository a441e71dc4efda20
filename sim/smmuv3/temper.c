/* SPDX-License-Identifier: MIT */
/* temper.c - see uiommu/sim/temper.h */
#include "temper.h"

#include "tlb.h"

const struct uiommu_sim_liberty_rule uiommu_sim_liberties[UIOMMU_SIM_LIBERTIES] = {
	[UIOMMU_SIM_LATE_COMMAND] = {
		"late-command", "commands are taken one by one, as late as it likes",
		"PROD makes commands valid for consumption; nothing says when",
		"IHI 0070 3.21.2, 4.7.3", "simulator" },
	[UIOMMU_SIM_DISORDER] = {
		"disorder", "invalidations are carried out in any order before the next CMD_SYNC",
		"consumption of CMD_TLBI, CMD_ATC_INV and CMD_CFGI means nothing; CMD_SYNC "
		"waits for completion of all before it",
		"IHI 0070 4.8, 4.7.3", "simulator" },
	[UIOMMU_SIM_LATE_EVENT] = {
		"late-event", "events are recorded late, and in another order",
		"an event is visible by the CMD_SYNC that starts after its abort could be seen",
		"IHI 0070 4.7.3", "simulator" },
	[UIOMMU_SIM_LATE_ACK] = {
		"late-ack", "CR0, IRQ_CTRL, GBPA and the switches of CMDQV take effect late",
		"a field takes effect at an unpredictable point before its update is acknowledged",
		"IHI 0070 6.3.9", "simulator" },
	[UIOMMU_SIM_WORDS] = {
		"words", "the 64-bit words of an entry are read at different moments, in any order",
		"only 64 bits are single-copy atomic; words in any temporal sequence",
		"IHI 0070 3.21.3", "simulator" },
	[UIOMMU_SIM_PREFETCH] = {
		"prefetch", "any entry that can be reached is fetched and cached at any time",
		"any reachable structure may be prefetched at any time and cached, valid or "
		"not; translations when they are valid",
		"IHI 0070 3.21.3, 3.21.1", "simulator, when it is told an address" },
	[UIOMMU_SIM_EVICT] = {
		"evict", "what is cached is forgotten, and read again, at any time",
		"a cache need not keep anything; any entry may be read at any time, for any reason",
		"IHI 0070 3.21.3", "simulator" },
	[UIOMMU_SIM_RESET_KEEPS] = {
		"reset-keeps", "a reset leaves the caches as they are",
		"the state of caches and TLBs at reset is IMPLEMENTATION SPECIFIC",
		"IHI 0070 3.11", "simulator" },
	[UIOMMU_SIM_STALE] = {
		"stale", "translations, table descriptors, STEs, CDs and what leads to them are "
		"used until an invalidation names them",
		"what was cached can be used after it changed or became unreachable; software "
		"must invalidate",
		"IHI 0070 3.21.3", "simulator, in either temper" },
	[UIOMMU_SIM_HELD_DMA] = {
		"held-dma", "a DMA that was translated moves its data later",
		"an invalidation completes when transactions that used what it names are visible",
		"IHI 0070 3.21.1, 3.21.3", "the world: in env->read and env->write" },
	[UIOMMU_SIM_LATE_IRQ] = {
		"late-irq", "interrupts come late, and several are one",
		"an edge when the queue stops being empty; no bound is given",
		"IHI 0070 3.18", "the world: in env->irq" },
	[UIOMMU_SIM_LATE_ATC] = {
		"late-atc", "a device forgets, and answers CMD_ATC_INV, late, or not at all",
		"CMD_SYNC waits for the answers of devices, and fails where one does not come",
		"IHI 0070 3.9.1, 4.7.3", "the world: in env->atc_inv" },
	[UIOMMU_SIM_ATC_KEEPS] = {
		"atc-keeps", "a device uses what it was told until a CMD_ATC_INV names it",
		"TLB and configuration invalidations do not reach a device's TLB; a translated "
		"access is looked at by its STE at most",
		"IHI 0070 3.9.1, 4.5.1", "the world: sim/dev/atc.c, also while ATS is off" },
	[UIOMMU_SIM_STALL] = {
		"stall", "an access stalls at any moment, whatever changes, and its event waits",
		"a fault stalls where the CD says so; its event is recorded when there is room; "
		"it stays until it is answered, or its stream's stalls are ended",
		"IHI 0070 5.5, 4.7.1, 7.2.1", "the world: any access of a device that can stall" },
	[UIOMMU_SIM_PAGE_REQUEST] = {
		"page-request", "a device asks for pages at any moment, also by a PASID that it "
		"has lost, and never ends some groups",
		"a request is written to the queue whatever its PASID has; without room the SMMU "
		"answers it",
		"IHI 0070 8", "the world: uiommu_sim_smmuv3_page_request()" },
};

static unsigned choose(const struct uiommu_sim_smmuv3 *s, unsigned n)
{
	return n > 1 ? s->temper->t.choose(s->temper->t.ctx, n) : 0;
}

/* ---- registers that take effect late ---- */

static const struct {
	enum sim_reg reg;
	uint64_t busy;		/* shown as set until then */
} late_regs[3] = {
	{ R_CR0, 0 }, { R_IRQ_CTRL, 0 }, { R_GBPA, FCONST(GBPA_Update, 1) },
};

static int late_index(enum sim_reg r)
{
	for (int i = 0; i < 3; i++)
		if (late_regs[i].reg == r)
			return i;
	return -1;
}

bool uiommu_sim_temper_write(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v)
{
	int i = late_index(r);

	if (i < 0 || s->temper->applying || (late_regs[i].busy && !(v & late_regs[i].busy)))
		return false;
	s->temper->reg[i].late = true;
	s->temper->reg[i].v = v;
	return true;
}

uint64_t uiommu_sim_temper_shows(struct uiommu_sim_smmuv3 *s, enum sim_reg r, uint64_t v)
{
	int i = late_index(r);

	if (i < 0 || !s->temper->reg[i].late)
		return v;
	return late_regs[i].busy ? v | late_regs[i].busy : s->temper->reg[i].v & s->mask[r];
}

static void apply(struct uiommu_sim_smmuv3 *s)
{
	struct sim_temper *m = s->temper;

	m->applying = true;
	for (int i = 0; i < 3; i++) {
		if (!m->reg[i].late)
			continue;
		m->reg[i].late = false;
		m->taken[UIOMMU_SIM_LATE_ACK]++;
		uiommu_sim_write_reg(s, late_regs[i].reg, m->reg[i].v);
	}
	m->applying = false;
}

static bool any_late(const struct sim_temper *m)
{
	return m->reg[0].late || m->reg[1].late || m->reg[2].late;
}

/* ---- commands ---- */

bool uiommu_sim_temper_turn(struct uiommu_sim_smmuv3 *s)
{
	bool turn = s->temper->turn;

	s->temper->turn = false;
	return turn;
}

static void carry_out(struct uiommu_sim_smmuv3 *s, unsigned i)
{
	struct sim_temper *m = s->temper;
	uint64_t w[CMD_WORDS] = { m->command[i][0], m->command[i][1] };
	struct sim_cmdq *q = m->queue[i];

	m->taken[UIOMMU_SIM_DISORDER] += i != 0;
	m->num_commands--;
	for (; i < m->num_commands; i++) {
		m->command[i][0] = m->command[i + 1][0];
		m->command[i][1] = m->command[i + 1][1];
		m->queue[i] = m->queue[i + 1];
	}
	uiommu_sim_perform(s, q, w);
}

void uiommu_sim_temper_defer(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, const uint64_t *w)
{
	struct sim_temper *m = s->temper;

	if (m->num_commands == TEMPER_COMMANDS)
		carry_out(s, choose(s, m->num_commands));
	m->queue[m->num_commands] = q;
	m->command[m->num_commands][0] = w[0];
	m->command[m->num_commands++][1] = w[1];
}

/* ---- events ---- */

static void record(struct uiommu_sim_smmuv3 *s, unsigned i)
{
	struct sim_temper *m = s->temper;
	uint64_t w[EVT_WORDS];

	m->taken[UIOMMU_SIM_LATE_EVENT]++;
	for (unsigned k = 0; k < EVT_WORDS; k++)
		w[k] = m->event[i][k];
	m->num_events--;
	for (; i < m->num_events; i++)
		for (unsigned k = 0; k < EVT_WORDS; k++)
			m->event[i][k] = m->event[i + 1][k];
	uiommu_sim_event_put(s, w);
}

void uiommu_sim_temper_event(struct uiommu_sim_smmuv3 *s, const uint64_t *w)
{
	struct sim_temper *m = s->temper;

	if (m->num_events == TEMPER_EVENTS)
		record(s, choose(s, m->num_events));
	for (unsigned k = 0; k < EVT_WORDS; k++)
		m->event[m->num_events][k] = w[k];
	m->num_events++;
}

void uiommu_sim_temper_settle(struct uiommu_sim_smmuv3 *s)
{
	while (s->temper->num_commands)
		carry_out(s, choose(s, s->temper->num_commands));
	while (s->temper->num_events)
		record(s, choose(s, s->temper->num_events));
}

/* ---- reading ---- */

int uiommu_sim_temper_read(struct uiommu_sim_smmuv3 *s, uint64_t pa, uint64_t *w, unsigned n)
{
	unsigned first = choose(s, n), step = n == 1 || choose(s, 2) ? 1 : n - 1;

	s->temper->taken[UIOMMU_SIM_WORDS] += n > 2 && (first || step != 1);
	for (unsigned i = 0, at = first; i < n; i++, at = (at + step) % n)
		if (s->env.read(s->env.ctx, pa + at * 8, &w[at], 8))
			return -UIOMMU_EFAULT;
	return 0;
}

void uiommu_sim_smmuv3_prefetch(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_access *a)
{
	struct sim_txn t = uiommu_sim_arrive(a, a->iova);
	struct sim_tlb_entry e;

	t.prefetch = true;
	t.write = t.inst = t.translated = false;
	uiommu_sim_enter(s);
	if (sim_reg_bit(s, R_CR0, FMASK(CR0_SMMUEN)) && !s->failed) {
		uiommu_sim_transaction(s, &t, &e);
		if (s->temper)
			s->temper->taken[UIOMMU_SIM_PREFETCH]++;
	}
	uiommu_sim_leave(s);
}

/* ---- forgetting ---- */

static bool forget_config(struct uiommu_sim_smmuv3 *s)
{
	struct cfg_cache *c = &s->cfg_cache[choose(s, NUM_CFG)];
	unsigned n = uiommu_sim_cfg_num_ways(c), at = choose(s, n);

	for (unsigned i = 0; i < n; i++, at = (at + 1) % n) {
		if (!c->ways[at].valid)
			continue;
		c->ways[at].valid = false;
		uiommu_sim_ctx_drop(s);
		return true;
	}
	return false;
}

static bool forget_translation(struct uiommu_sim_smmuv3 *s)
{
	unsigned n = (unsigned)SIM_TLB_WAYS << s->tlb.sets_lg2, at = choose(s, n);

	for (unsigned i = 0; i < n; i++, at = (at + 1) % n) {
		if (!s->tlb.ways[at].w[0])
			continue;
		s->tlb.ways[at].w[0] = 0;
		return true;
	}
	return false;
}

static void forget(struct uiommu_sim_smmuv3 *s)
{
	if (choose(s, 2) ? forget_config(s) : forget_translation(s))
		s->temper->taken[UIOMMU_SIM_EVICT]++;
}

/* ---- a step ---- */

static unsigned queues_ready(struct uiommu_sim_smmuv3 *s)
{
	struct sim_cmdq *q;
	unsigned n = 0;

	for (unsigned i = 0; (q = uiommu_sim_cmdq(s, i)); i++)
		n += uiommu_sim_cmdq_ready(s, q);
	return n;
}

/* the @n'th of them */
static struct sim_cmdq *queue_ready(struct uiommu_sim_smmuv3 *s, unsigned n)
{
	struct sim_cmdq *q;

	for (unsigned i = 0; (q = uiommu_sim_cmdq(s, i)); i++)
		if (uiommu_sim_cmdq_ready(s, q) && !n--)
			break;
	return q;
}

/* A CMD_SYNC may have to wait for others; an error is a thing done. */
static bool take(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	uint64_t before = s->stats.commands;

	s->temper->turn = true;
	uiommu_sim_cmdq_run(s, q, 1);
	s->temper->turn = false;
	s->temper->taken[UIOMMU_SIM_LATE_COMMAND] += s->stats.commands != before;
	return s->stats.commands != before || !uiommu_sim_cmdq_ready(s, q);
}

/* From any queue that has one; the others if that one can only wait. */
static bool take_any(struct uiommu_sim_smmuv3 *s, unsigned queues)
{
	unsigned first = choose(s, queues);

	for (unsigned i = 0; i < queues; i++) {
		struct sim_cmdq *q = queue_ready(s, (first + i) % queues);

		if (take(s, q))
			return true;
	}
	return false;
}

static bool step(struct uiommu_sim_smmuv3 *s)
{
	struct sim_temper *m = s->temper;
	unsigned can[5], n = 0, queues = queues_ready(s), late = uiommu_sim_cmdqv_late(s);

	if (m->t.evict && !choose(s, m->t.evict))
		forget(s);
	if (any_late(m))
		can[n++] = 0;
	if (queues)
		can[n++] = 1;
	if (m->num_commands)
		can[n++] = 2;
	if (m->num_events)
		can[n++] = 3;
	if (late)
		can[n++] = 4;
	switch (n ? can[choose(s, n)] : 5) {
	case 0:
		apply(s);
		break;
	case 1:
		return take_any(s, queues) || n > 1;
	case 2:
		carry_out(s, choose(s, m->num_commands));
		break;
	case 3:
		record(s, choose(s, m->num_events));
		break;
	case 4:
		m->taken[UIOMMU_SIM_LATE_ACK]++;
		uiommu_sim_cmdqv_apply(s, choose(s, late));
		break;
	}
	return n;
}

bool uiommu_sim_smmuv3_step(struct uiommu_sim_smmuv3 *s)
{
	bool done;

	uiommu_sim_enter(s);
	done = step(s);
	uiommu_sim_leave(s);
	return done;
}

/* ---- life ---- */

int uiommu_sim_smmuv3_set_temper(struct uiommu_sim_smmuv3 *s, const struct uiommu_sim_temper *t)
{
	if (s->temper)
		return -UIOMMU_EBUSY;
	s->temper = s->env.alloc(s->env.ctx, sizeof(*s->temper));
	if (!s->temper)
		return -UIOMMU_ENOMEM;
	s->temper->t = *t;
	return 0;
}

bool uiommu_sim_temper_reset(struct uiommu_sim_smmuv3 *s)
{
	bool keep = choose(s, 2);

	s->temper->taken[UIOMMU_SIM_RESET_KEEPS] += keep;
	s->temper->num_commands = s->temper->num_events = 0;
	for (int i = 0; i < 3; i++)
		s->temper->reg[i].late = false;
	return keep;
}

void uiommu_sim_smmuv3_liberties(struct uiommu_sim_smmuv3 *s,
				 uint64_t taken[UIOMMU_SIM_LIBERTIES])
{
	uiommu_sim_enter(s);
	for (unsigned i = 0; i < UIOMMU_SIM_LIBERTIES; i++)
		taken[i] = s->temper ? s->temper->taken[i] : 0;
	uiommu_sim_leave(s);
}
