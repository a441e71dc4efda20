/* SPDX-License-Identifier: MIT */
/*
 * cmdqv.c - command queues for user hands: TEGRA241_CMDQV
 *
 * What a VCMDQ does with a command is cmdq.c's matter. Here is whose queue it is, what
 * it may say, and its registers: the same ones by number, and by logical number in
 * the two pages of its virtual interface (VINTF).
 */
#include "sim.h"

/* ---- whose queue ---- */

static unsigned num_vintfs(const struct uiommu_sim_smmuv3 *s)
{
	return 1u << s->cfg.cmdqv.vintfs_lg2;
}

static unsigned num_vcmdqs(const struct uiommu_sim_smmuv3 *s)
{
	return 1u << s->cfg.cmdqv.vcmdqs_lg2;
}

static struct sim_vcmdq *of_queue(const struct sim_cmdq *q)
{
	return (struct sim_vcmdq *)q; /* its first member */
}

static bool allocated(const struct sim_vcmdq *v)
{
	return v->alloc & FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED);
}

static unsigned vintf_of(const struct sim_vcmdq *v)
{
	return (unsigned)FGET(CMDQV_CMDQ_ALLOC_VINTF, v->alloc);
}

static unsigned lvcmdq_of(const struct sim_vcmdq *v)
{
	return (unsigned)FGET(CMDQV_CMDQ_ALLOC_LVCMDQ, v->alloc);
}

/* The queue that interface @i knows as its @l'th. Drivers give each its share in a row. */
static struct sim_vcmdq *logical(const struct uiommu_sim_smmuv3 *s, unsigned i, unsigned l)
{
	unsigned n = num_vcmdqs(s), likely = i * (n / num_vintfs(s)) + l;

	for (unsigned k = 0; k < n; k++) {
		struct sim_vcmdq *v = &s->cmdqv->vcmdq[(likely + k) % n];

		if (allocated(v) && vintf_of(v) == i && lvcmdq_of(v) == l)
			return v;
	}
	return NULL;
}

static bool enabled(const struct uiommu_sim_smmuv3 *s, const struct sim_vcmdq *v)
{
	return s->cmdqv->en.on && v->en.on && allocated(v) && s->cmdqv->vintf[vintf_of(v)].en.on;
}

static uint32_t errors(const struct sim_vcmdq *v)
{
	return v->gerror ^ v->gerrorn;
}

/* One that is switched off says so when it is, also where nothing of it runs any more: what
 * may be written only while it is off may be written then. */
static bool says_on(const struct uiommu_sim_smmuv3 *s, const struct sim_vcmdq *v)
{
	return enabled(s, v) || (v->en.on && !v->en.wanted);
}

bool uiommu_sim_vcmdq_on(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q)
{
	const struct sim_vcmdq *v = of_queue(q);

	return enabled(s, v) && !(errors(v) & FMASK(VCMDQ_GERROR_CMDQ_ERR));
}

bool uiommu_sim_vcmdq_is_nobodys(const struct sim_cmdq *q)
{
	return q->number && !allocated(of_queue(q));
}

/* ---- what it may say ---- */

static bool replace_sid(const struct uiommu_sim_smmuv3 *s, const struct sim_vintf *i, uint64_t *w)
{
	uint64_t sid = FGET(CMD_ATC_INV_StreamID, w[0]);

	for (unsigned k = 0; k < 1u << s->cfg.cmdqv.sids_lg2; k++) {
		if (!FGET(VINTF_SID_MATCH_ENABLE, i->match[k]) ||
		    FGET(VINTF_SID_MATCH_VIRT_SID, i->match[k]) != sid)
			continue;
		w[0] = FSET(CMD_ATC_INV_StreamID, w[0],
			    FGET(VINTF_SID_REPLACE_PHYS_SID, i->replace[k]));
		return true;
	}
	return false;
}

unsigned uiommu_sim_vcmdq_filter(const struct uiommu_sim_smmuv3 *s, const struct sim_cmdq *q,
				 uint64_t *w)
{
	const struct sim_vintf *i = &s->cmdqv->vintf[vintf_of(of_queue(q))];

	if (FGET(VINTF_CONFIG_HYP_OWN, i->config))
		return 0;
	switch (FGET(CMD_Opcode, w[0])) {
	case CMD_TLBI_NH_ASID:
	case CMD_TLBI_NH_VA:
		w[0] = FSET(CMD_TLBI_NH_VA_VMID, w[0], FGET(VINTF_CONFIG_VMID, i->config));
		return 0;
	case CMD_ATC_INV:
		return replace_sid(s, i, w) ? 0 : VCMDQ_CONS_ERR_ILL_ACCESS;
	case CMD_SYNC:
		return 0;
	default:
		return CERROR_ILL;
	}
}

/* ---- errors, and CONS in memory ---- */

static void tell(struct uiommu_sim_smmuv3 *s, unsigned i)
{
	if (!(s->cmdqv->int_mask >> i & 1))
		uiommu_sim_irq(s, UIOMMU_SIM_IRQ_CMDQV);
}

/* One that is active already is not made active a second time. */
void uiommu_sim_vcmdq_error(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q, uint32_t mask)
{
	struct sim_vcmdq *v = of_queue(q);

	if (errors(v) & mask)
		return;
	v->gerror ^= mask;
	tell(s, vintf_of(v));
}

void uiommu_sim_vcmdq_ran(struct uiommu_sim_smmuv3 *s, struct sim_cmdq *q)
{
	struct sim_vcmdq *v = of_queue(q);
	uint64_t pa = v->cons_base & sim_bits(s->cfg.oas_lg2 - 1, 2);
	uint32_t cons = (uint32_t)v->cons;

	if (cons == v->told || !pa || !enabled(s, v) ||
	    !(s->cmdqv->config & FMASK(CMDQV_CONFIG_CONS_DRAM_EN)))
		return;
	v->told = cons;
	if (s->env.write(s->env.ctx, pa, &cons, 4))
		uiommu_sim_vcmdq_error(s, q, FMASK(VCMDQ_GERROR_CONS_DRAM_WR_ABT_ERR));
}

static uint64_t lvcmdq_err_map(const struct uiommu_sim_smmuv3 *s, unsigned i, unsigned word)
{
	uint64_t map = 0;

	for (unsigned q = 0; q < num_vcmdqs(s); q++) {
		const struct sim_vcmdq *v = &s->cmdqv->vcmdq[q];

		if (allocated(v) && vintf_of(v) == i && errors(v) && lvcmdq_of(v) / 64 == word)
			map |= (uint64_t)1 << lvcmdq_of(v) % 64;
	}
	return map;
}

static bool vintf_error(const struct uiommu_sim_smmuv3 *s, unsigned i)
{
	return lvcmdq_err_map(s, i, 0) || lvcmdq_err_map(s, i, 1);
}

static uint64_t vintf_err_map(const struct uiommu_sim_smmuv3 *s)
{
	uint64_t map = 0;

	for (unsigned i = 0; i < num_vintfs(s); i++)
		map |= (uint64_t)vintf_error(s, i) << i;
	return map;
}

static uint32_t cmdq_err_map(const struct uiommu_sim_smmuv3 *s, unsigned word)
{
	uint32_t map = 0;

	for (unsigned q = word * 32; q < word * 32 + 32 && q < num_vcmdqs(s); q++)
		map |= (uint32_t)(errors(&s->cmdqv->vcmdq[q]) != 0) << q % 32;
	return map;
}

/*
 * An invalidation that no CMD_SYNC of its queue has asked for, and that was not
 * answered, would be told to whoever has the queue next. It goes with a CMD_SYNC of the
 * SMMU's own queue while the other one is off; that one waits for what may still be
 * answered if the queue was taken away. (Not if it is off only: its user could stop others.)
 */
bool uiommu_sim_cmdqv_sync_must_wait(const struct uiommu_sim_smmuv3 *s)
{
	for (unsigned q = 0; s->cmdqv && q < num_vcmdqs(s); q++)
		if (s->cmdqv->vcmdq[q].q.atc_left)
			return true;
	return false;
}

void uiommu_sim_cmdqv_synced(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned q = 0; s->cmdqv && q < num_vcmdqs(s); q++)
		if (!enabled(s, &s->cmdqv->vcmdq[q]))
			s->cmdqv->vcmdq[q].q.atc_timeout = false;
}

/* ---- on and off ---- */

/* What the registers say when all is off. Answers that are under way still come. */
static void switch_off(struct uiommu_sim_smmuv3 *s)
{
	struct sim_cmdqv *c = s->cmdqv;

	for (unsigned i = 0; i < num_vintfs(s); i++)
		c->vintf[i] = (struct sim_vintf){ .config = 0 };
	for (unsigned q = 0; q < num_vcmdqs(s); q++) {
		c->vcmdq[q].alloc = 0;
		c->vcmdq[q].en = (struct sim_switch){ false, false };
	}
}

/* What is off waits for nothing; what is on may go on. */
static void switched(struct uiommu_sim_smmuv3 *s)
{
	for (unsigned q = 0; q < num_vcmdqs(s); q++) {
		struct sim_vcmdq *v = &s->cmdqv->vcmdq[q];

		if (enabled(s, v))
			uiommu_sim_cmdq_run(s, &v->q, SIM_BATCH);
		else
			uiommu_sim_sync_forget(s, &v->q);
	}
}

/* All switches in a row; NULL behind the last. */
static struct sim_switch *a_switch(const struct uiommu_sim_smmuv3 *s, unsigned n)
{
	struct sim_cmdqv *c = s->cmdqv;

	if (!n)
		return &c->en;
	if (n <= num_vintfs(s))
		return &c->vintf[n - 1].en;
	n -= 1 + num_vintfs(s);
	return n < num_vcmdqs(s) ? &c->vcmdq[n].en : NULL;
}

/* The @nth of those that are late; NULL, and *@n is how many there are. */
static struct sim_switch *late_switch(struct uiommu_sim_smmuv3 *s, unsigned which, unsigned *n)
{
	struct sim_switch *w;

	*n = 0;
	for (unsigned i = 0; s->cmdqv && (w = a_switch(s, i)); i++)
		if (w->on != w->wanted && (*n)++ == which)
			return w;
	return NULL;
}

unsigned uiommu_sim_cmdqv_late(struct uiommu_sim_smmuv3 *s)
{
	unsigned n;

	late_switch(s, SIM_ALL, &n);
	return n;
}

void uiommu_sim_cmdqv_apply(struct uiommu_sim_smmuv3 *s, unsigned which)
{
	unsigned n;
	struct sim_switch *w = late_switch(s, which, &n);

	w->on = w->wanted;
	if (w == &s->cmdqv->en && !w->on)
		switch_off(s);
	switched(s);
}

static bool off(const struct sim_switch *w)
{
	return !w->on && !w->wanted;
}

/* ---- registers ---- */

struct place {
	enum { NOWHERE, GLOBAL, VINTF, PAGE0, PAGE1 } block;
	struct sim_vintf *vintf; /* VINTF */
	struct sim_vcmdq *vcmdq; /* PAGE0, PAGE1 */
	unsigned number;	 /* of the interface */
	unsigned reg;		 /* in the block */
};

static void find_config(const struct uiommu_sim_smmuv3 *s, unsigned at, struct place *p)
{
	p->block = GLOBAL;
	p->reg = at;
	if (at < CMDQV_AT_VINTF)
		return;
	p->number = (at - CMDQV_AT_VINTF) / CMDQV_STRIDE_VINTF;
	p->block = p->number < num_vintfs(s) ? VINTF : NOWHERE;
	p->vintf = &s->cmdqv->vintf[p->number % num_vintfs(s)];
	p->reg = at % CMDQV_STRIDE_VINTF;
}

static struct place find(const struct uiommu_sim_smmuv3 *s, uint64_t offset)
{
	uint64_t page = offset / CMDQV_STRIDE_PAGE, i = (page - 3) / 2;
	unsigned at = offset % CMDQV_STRIDE_PAGE, n = at / CMDQV_STRIDE_VCMDQ;
	struct place p = { .block = NOWHERE };

	if (!page) {
		find_config(s, at, &p);
		return p;
	}
	p.reg = at % CMDQV_STRIDE_VCMDQ;
	if (page < 3)
		p.vcmdq = n < num_vcmdqs(s) ? &s->cmdqv->vcmdq[n] : NULL;
	else if (i < num_vintfs(s))
		p.vcmdq = logical(s, (unsigned)i, n);
	if (p.vcmdq)
		p.block = page & 1 ? PAGE0 : PAGE1;
	return p;
}

/* Number of the register in an array of @n at @first, of 32 bits each; else -1 */
static int in_array(unsigned reg, unsigned first, unsigned n)
{
	return reg >= first && reg < first + 4 * n ? (int)(reg - first) / 4 : -1;
}

static uint32_t half(uint64_t v, unsigned n)
{
	return (uint32_t)(v >> n % 2 * 32);
}

static void set_half(uint64_t *r, unsigned n, uint32_t v, uint64_t mask)
{
	*r = n % 2 ? (uint64_t)v << 32 | (uint32_t)*r : (*r & ~(uint64_t)UINT32_MAX) | v;
	*r &= mask;
}

/* ---- the page of configuration ---- */

static uint32_t param(const struct uiommu_sim_smmuv3 *s)
{
	return (uint32_t)(FPREP(CMDQV_PARAM_VER, 1) |
			  FPREP(CMDQV_PARAM_NUM_VCMDQ_LOG2, s->cfg.cmdqv.vcmdqs_lg2) |
			  FPREP(CMDQV_PARAM_NUM_VINTF_LOG2, s->cfg.cmdqv.vintfs_lg2) |
			  FPREP(CMDQV_PARAM_NUM_SID_PER_VM_LOG2, s->cfg.cmdqv.sids_lg2));
}

static uint32_t read_global(const struct uiommu_sim_smmuv3 *s, unsigned reg)
{
	const struct sim_cmdqv *c = s->cmdqv;
	int n;

	if (reg == CMDQV_CONFIG)
		return c->config;
	if (reg == CMDQV_PARAM)
		return param(s);
	if (reg == CMDQV_STATUS)
		return (uint32_t)FPREP(CMDQV_STATUS_CMDQV_ENABLED, c->en.on);
	n = in_array(reg, CMDQV_VINTF_ERR_MAP, 2);
	if (n >= 0)
		return half(vintf_err_map(s), (unsigned)n);
	n = in_array(reg, CMDQV_VINTF_INT_MASK, 2);
	if (n >= 0)
		return half(c->int_mask, (unsigned)n);
	n = in_array(reg, CMDQV_CMDQ_ERR_MAP, 4);
	if (n >= 0)
		return cmdq_err_map(s, (unsigned)n);
	n = in_array(reg, CMDQV_CMDQ_ALLOC, num_vcmdqs(s));
	return n >= 0 ? c->vcmdq[n].alloc : 0;
}

/* Errors that were not told because they were masked are told now. */
static void write_int_mask(struct uiommu_sim_smmuv3 *s, unsigned n, uint32_t v)
{
	uint64_t before = s->cmdqv->int_mask;

	set_half(&s->cmdqv->int_mask, n, v, sim_bits(num_vintfs(s) - 1, 0));
	if (before & ~s->cmdqv->int_mask & vintf_err_map(s))
		uiommu_sim_irq(s, UIOMMU_SIM_IRQ_CMDQV);
}

/* Queues come to an interface in ascending order of their logical numbers and go in
 * descending order; what is allocated stays what it is. */
static void write_alloc(struct uiommu_sim_smmuv3 *s, struct sim_vcmdq *v, uint32_t value)
{
	struct sim_vcmdq new = { .alloc = value & (FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED) |
						   FMASK(CMDQV_CMDQ_ALLOC_LVCMDQ) |
						   FMASK(CMDQV_CMDQ_ALLOC_VINTF)) };
	unsigned i = vintf_of(&new), l = lvcmdq_of(&new);

	if (allocated(v) && (allocated(&new) || logical(s, vintf_of(v), lvcmdq_of(v) + 1)))
		return;
	if (allocated(&new) && (i >= num_vintfs(s) || l >= num_vcmdqs(s) / num_vintfs(s) ||
				logical(s, i, l) || (l && !logical(s, i, l - 1))))
		new.alloc &= ~(uint32_t)FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED);
	if (allocated(v) && v->q.atc_pending)
		v->q.atc_left = true;
	v->alloc = new.alloc;
}

static void write_global(struct uiommu_sim_smmuv3 *s, unsigned reg, uint32_t v)
{
	struct sim_cmdqv *c = s->cmdqv;
	int n = in_array(reg, CMDQV_VINTF_INT_MASK, 2);

	if (reg == CMDQV_CONFIG) {
		c->config = v & sim_bits(CMDQV_CONFIG_CONS_DRAM_EN_HI, 0);
		c->en.wanted = v & FMASK(CMDQV_CONFIG_CMDQV_EN);
		c->switched = true;
	}
	if (n >= 0)
		write_int_mask(s, (unsigned)n, v);
	n = in_array(reg, CMDQV_CMDQ_ALLOC, num_vcmdqs(s));
	if (n >= 0)
		write_alloc(s, &c->vcmdq[n], v);
}

static unsigned num_lvcmdqs(const struct uiommu_sim_smmuv3 *s, unsigned i)
{
	unsigned n = 0;

	while (logical(s, i, n))
		n++;
	return n;
}

static uint32_t vintf_status(const struct uiommu_sim_smmuv3 *s, const struct place *p)
{
	return (uint32_t)(FPREP(VINTF_STATUS_ENABLED, s->cmdqv->en.on && p->vintf->en.on) |
			  FPREP(VINTF_STATUS_VI_NUM_LVCMDQ, num_lvcmdqs(s, p->number)) |
			  FPREP(VINTF_STATUS_STATUS, vintf_error(s, p->number)
							     ? VINTF_STATUS_STATUS_VCMDQ_ERROR
							     : VINTF_STATUS_STATUS_NO_ERROR));
}

static uint32_t read_vintf(const struct uiommu_sim_smmuv3 *s, const struct place *p)
{
	unsigned sids = 1u << s->cfg.cmdqv.sids_lg2;
	int n;

	if (p->reg == VINTF_CONFIG)
		return p->vintf->config;
	if (p->reg == VINTF_STATUS)
		return vintf_status(s, p);
	n = in_array(p->reg, VINTF_SID_MATCH, sids);
	if (n >= 0)
		return p->vintf->match[n];
	n = in_array(p->reg, VINTF_SID_REPLACE, sids);
	if (n >= 0)
		return p->vintf->replace[n];
	n = in_array(p->reg, VINTF_LVCMDQ_ERR_MAP_64, 4);
	return n >= 0 ? half(lvcmdq_err_map(s, p->number, (unsigned)n / 2), (unsigned)n) : 0;
}

/* Whose it is does not change while it is on. */
static void write_vintf_config(struct sim_vintf *i, uint32_t v)
{
	uint32_t what = FMASK(VINTF_CONFIG_VMID) | FMASK(VINTF_CONFIG_HYP_OWN);
	uint32_t en = v & FMASK(VINTF_CONFIG_EN);

	i->config = en | (off(&i->en) ? v & what : i->config & what);
	i->en.wanted = en;
}

static void write_vintf(struct uiommu_sim_smmuv3 *s, const struct place *p, uint32_t v)
{
	unsigned sids = 1u << s->cfg.cmdqv.sids_lg2;
	int n = in_array(p->reg, VINTF_SID_MATCH, sids);

	if (p->reg == VINTF_CONFIG)
		write_vintf_config(p->vintf, v);
	s->cmdqv->switched |= p->reg == VINTF_CONFIG;
	if (n >= 0)
		p->vintf->match[n] =
			v & (FMASK(VINTF_SID_MATCH_ENABLE) | FMASK(VINTF_SID_MATCH_VIRT_SID));
	n = in_array(p->reg, VINTF_SID_REPLACE, sids);
	if (n >= 0)
		p->vintf->replace[n] = v & FMASK(VINTF_SID_REPLACE_PHYS_SID);
}

/* ---- the two pages of a queue ---- */

static uint32_t read_page0(struct uiommu_sim_smmuv3 *s, struct sim_vcmdq *v, unsigned reg)
{
	switch (reg) {
	case VCMDQ_CONS:
		uiommu_sim_cmdq_run(s, &v->q, SIM_BATCH);
		return (uint32_t)v->cons;
	case VCMDQ_PROD:
		return (uint32_t)v->prod;
	case VCMDQ_CONFIG:
		return (uint32_t)FPREP(VCMDQ_CONFIG_EN, v->en.wanted);
	case VCMDQ_STATUS:
		return (uint32_t)FPREP(VCMDQ_STATUS_ENABLED, says_on(s, v));
	case VCMDQ_GERROR:
		return v->gerror;
	case VCMDQ_GERRORN:
		return v->gerrorn;
	default:
		return 0;
	}
}

static void write_page0(struct sim_cmdqv *c, struct sim_vcmdq *v, unsigned reg, uint32_t value)
{
	switch (reg) {
	case VCMDQ_CONS:
		if (off(&v->en))
			v->cons = value & (FMASK(VCMDQ_CONS_RD) | FMASK(VCMDQ_CONS_ERR));
		break;
	case VCMDQ_PROD:
		v->prod = value & FMASK(VCMDQ_PROD_WR);
		break;
	case VCMDQ_CONFIG:
		v->en.wanted = value & FMASK(VCMDQ_CONFIG_EN);
		c->switched = true;
		break;
	case VCMDQ_GERRORN:
		v->gerrorn = value & (FMASK(VCMDQ_GERROR_CMDQ_ERR) |
				      FMASK(VCMDQ_GERROR_CONS_DRAM_WR_ABT_ERR) |
				      FMASK(VCMDQ_GERROR_CMDQ_INIT_ERR));
		break;
	}
}

static uint32_t read_page1(const struct sim_vcmdq *v, unsigned reg)
{
	int n = in_array(reg, VCMDQ_BASE, 2);

	if (n >= 0)
		return half(v->base, (unsigned)n);
	n = in_array(reg, VCMDQ_CONS_INDX_BASE, 2);
	return n >= 0 ? half(v->cons_base, (unsigned)n) : 0;
}

static void write_page1(struct sim_vcmdq *v, unsigned reg, uint32_t value)
{
	int n = in_array(reg, VCMDQ_BASE, 2);

	if (!off(&v->en))
		return;
	if (n >= 0)
		set_half(&v->base, (unsigned)n, value,
			 FMASK(VCMDQ_BASE_ADDR) | FMASK(VCMDQ_BASE_LOG2SIZE));
	n = in_array(reg, VCMDQ_CONS_INDX_BASE, 2);
	if (n >= 0)
		set_half(&v->cons_base, (unsigned)n, value, FMASK(VCMDQ_CONS_INDX_BASE_ADDR));
}

/* ---- reads and writes ---- */

static uint32_t read_half(struct uiommu_sim_smmuv3 *s, uint64_t offset)
{
	struct place p = find(s, offset);

	switch (p.block) {
	case GLOBAL:
		return read_global(s, p.reg);
	case VINTF:
		return read_vintf(s, &p);
	case PAGE0:
		return read_page0(s, p.vcmdq, p.reg);
	case PAGE1:
		return read_page1(p.vcmdq, p.reg);
	default:
		return 0;
	}
}

static void write_half(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint32_t v)
{
	struct place p = find(s, offset);

	if (p.block == GLOBAL)
		write_global(s, p.reg, v);
	else if (p.block == VINTF)
		write_vintf(s, &p, v);
	else if (p.block == PAGE0)
		write_page0(s->cmdqv, p.vcmdq, p.reg, v);
	else if (p.block == PAGE1)
		write_page1(p.vcmdq, p.reg, v);
}

static bool valid(const struct uiommu_sim_smmuv3 *s, uint64_t offset, unsigned size)
{
	return s->cmdqv && (size == 4 || size == 8) && !(offset % size);
}

uint64_t uiommu_sim_smmuv3_cmdqv_read(struct uiommu_sim_smmuv3 *s, uint64_t offset, unsigned size)
{
	uint64_t v;

	if (!valid(s, offset, size))
		return 0;
	uiommu_sim_enter(s);
	v = read_half(s, offset);
	if (size == 8)
		v |= (uint64_t)read_half(s, offset + 4) << 32;
	uiommu_sim_leave(s);
	return v;
}

/* The lock is not held for longer than others like: the queue may be long, and what its
 * owner says costly. Not without end either: who wrote to it can read CONS. */
static void go_on(struct uiommu_sim_smmuv3 *s, uint64_t offset)
{
	unsigned rounds = (2u << s->cfg.cmdq_max_lg2) / SIM_BATCH + 1;
	struct place p;
	bool more;

	do {
		uiommu_sim_enter(s);
		p = find(s, offset);
		more = p.block == PAGE0 && uiommu_sim_cmdq_run(s, &p.vcmdq->q, SIM_BATCH);
		uiommu_sim_leave(s);
	} while (more && --rounds);
}

void uiommu_sim_smmuv3_cmdqv_write(struct uiommu_sim_smmuv3 *s, uint64_t offset, uint64_t value,
				   unsigned size)
{
	if (!valid(s, offset, size))
		return;
	uiommu_sim_enter(s);
	write_half(s, offset, (uint32_t)value);
	if (size == 8)
		write_half(s, offset + 4, (uint32_t)(value >> 32));
	while (!s->temper && s->cmdqv->switched && uiommu_sim_cmdqv_late(s))
		uiommu_sim_cmdqv_apply(s, 0);
	s->cmdqv->switched = false;
	uiommu_sim_leave(s);
	go_on(s, offset);
}

void uiommu_sim_cmdqv_reset(struct uiommu_sim_smmuv3 *s)
{
	struct sim_cmdqv *c = s->cmdqv;

	if (!c)
		return;
	switch_off(s);
	c->config = CMDQV_CONFIG_RESET;
	c->en = (struct sim_switch){ true, true };
	c->int_mask = 0;
	for (unsigned i = 0; i < num_vcmdqs(s); i++) {
		struct sim_vcmdq *v = &c->vcmdq[i];
		unsigned pending = v->q.atc_pending;

		*v = (struct sim_vcmdq){ .q = { .number = 1 + i,
						.base = &v->base,
						.prod = &v->prod,
						.cons = &v->cons,
						.atc_pending = pending } };
	}
}
