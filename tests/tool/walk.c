/* SPDX-License-Identifier: MIT */
/*
 * walk.c - `uiommu walk' against the simulator: two that share nothing but the
 * register table must agree on where a DMA ends, to the last bit of the event;
 * and stage 2 against tables written by hand
 *
 * walk [SEED [ROUNDS]]
 */
#include "../sim/bed.h"
#include "../rng.h"
#include "tools/uiommu/walk/walk.h"

static uint64_t seed = 1, rounds = 200, state;

static uint64_t rnd(uint64_t below)
{
	return (rng_next(&state) >> 11) % below;
}

static bool read_ram(void *ctx, uint64_t pa, uint64_t *v)
{
	struct bed *b = ctx;

	return !b->env.read(b, pa, v, 8);
}

static struct walk_regs regs_of(struct bed *b)
{
	return (struct walk_regs){
		.idr0 = rd(b, IDR0), .idr1 = rd(b, IDR1), .idr3 = rd(b, IDR3), .idr5 = rd(b, IDR5),
		.cr0 = rd(b, CR0), .cr2 = rd(b, CR2), .gbpa = rd(b, GBPA),
		.strtab_base = rd64(b, STRTAB_BASE), .strtab_base_cfg = rd(b, STRTAB_BASE_CFG),
	};
}

static struct walk_result walk(struct bed *b, const struct walk_regs *regs,
			       const struct walk_access *a)
{
	const struct walk_memory mem = { b, read_ram };
	struct walk_result res;
	struct report r;

	report_init(&r);
	walk_dma(regs, &mem, a, &r, &res);
	assert_true(r.num_items > 0);
	res.blame = NULL;
	report_fini(&r);
	return res;
}

/* ---- against the simulator ---- */

static bool pop_event(struct bed *b, struct record *r)
{
	uint32_t mask = (2u << EVTQ_LG2) - 1;

	if (!((rd(b, EVENTQ_PROD) ^ rd(b, EVENTQ_CONS)) & mask))
		return false;
	*r = event(b);
	return true;
}

static void forget(struct bed *b)
{
	cmd(b, 0x04, 31);	/* CFGI_ALL */
	cmd(b, 0x30, 0);	/* TLBI_NSNH_ALL */
	if (rd(b, IDR0) & BIT(9))
		cmd(b, 0x20, 0);	/* TLBI_EL2_ALL */
	sync(b);
}

struct outcome {
	int err;
	struct uiommu_sim_xlat x;
	bool has_event;
	struct record event;
};

static struct outcome simulate(struct bed *b, const struct walk_access *a)
{
	const struct uiommu_sim_access sa = {
		.stream_id = a->sid, .substream_id = a->pasid, .ssv = a->has_pasid,
		.write = a->write, .exec = a->exec, .priv = a->priv, .iova = a->iova,
	};
	struct outcome o = { 0 };

	o.err = uiommu_sim_smmuv3_translate(b->sim, &sa, &o.x);
	o.has_event = pop_event(b, &o.event);
	return o;
}

static void tell(const struct walk_access *a, const struct outcome *o, const struct walk_result *w)
{
	print_error("sid %x pasid %x(%d) w%d x%d p%d iova %llx\n", a->sid, a->pasid, a->has_pasid,
		    a->write, a->exec, a->priv, (unsigned long long)a->iova);
	print_error("sim:  err %d pa %llx bytes %llx event %d: %llx %llx %llx %llx\n", o->err,
		    (unsigned long long)o->x.pa, (unsigned long long)o->x.bytes, o->has_event,
		    (unsigned long long)o->event.w[0], (unsigned long long)o->event.w[1],
		    (unsigned long long)o->event.w[2], (unsigned long long)o->event.w[3]);
	print_error("walk: end %d pa %llx bytes %llx event %d: %llx %llx %llx %llx\n", w->end,
		    (unsigned long long)w->pa, (unsigned long long)w->bytes, w->recorded,
		    (unsigned long long)w->event[0], (unsigned long long)w->event[1],
		    (unsigned long long)w->event[2], (unsigned long long)w->event[3]);
	fail_msg("they differ; again: walk %llu %llu", (unsigned long long)seed,
		 (unsigned long long)rounds);
}

/* The tag is the SMMU's to choose. */
static bool same_stall(const struct outcome *o, const struct walk_result *w)
{
	return o->err == -UIOMMU_EAGAIN && o->has_event && o->event.w[0] == w->event[0] &&
	       (o->event.w[1] & ~(uint64_t)0xffff) == w->event[1] &&
	       o->event.w[2] == w->event[2] && o->event.w[3] == w->event[3];
}

static bool same(const struct outcome *o, const struct walk_result *w)
{
	if (w->end == WALK_FAULT && w->event[1] & EV_STALL(0))
		return same_stall(o, w);
	if (w->end == WALK_OK)
		return !o->err && !o->x.raz_wi && !o->has_event && o->x.pa == w->pa &&
		       o->x.bytes == w->bytes;
	if (w->end == WALK_ABORT)
		return o->err && !o->has_event;
	if (w->raz_wi != o->x.raz_wi || (!o->err) != w->raz_wi || w->recorded != o->has_event)
		return false;
	return !o->has_event || !memcmp(o->event.w, w->event, sizeof(w->event));
}

/* what the random scenes met: a test that never meets it proves nothing */
static struct {
	unsigned s2, tables, updates, stalls, nested, el2, wide;
} met;

static void meet(struct bed *b, const struct walk_access *a, const struct walk_result *w)
{
	uint64_t ste = b->strtab + 64 * a->sid, e1 = w->event[1];
	bool fault = w->end == WALK_FAULT && (w->event[0] & 0xff) >= F_TRANSLATION;

	met.s2 += fault && e1 & EV_S2;
	met.tables += fault && e1 & EV_S2 && e1 & EV_CLASS_TT;
	met.updates += fault && (w->event[0] & 0xff) == F_PERMISSION && e1 & EV_CLASS_TT &&
		       !(e1 & EV_TTRNW);
	met.stalls += fault && e1 & EV_STALL(0);
	if (w->end != WALK_OK || a->sid >= 256)
		return;
	met.nested += (mem(b, ste) >> 1 & 7) == 7;
	met.el2 += (mem(b, ste) >> 1 & 7) == 5 && mem(b, ste + 8) >> 30 == 2;
	met.wide += a->iova >> 48 && a->iova >> 52 == 0;
}

/* Returns whether it was compared. */
static bool compare(struct bed *b, const struct walk_access *a, unsigned count[4])
{
	struct walk_regs regs = regs_of(b);
	struct walk_result w;
	struct outcome o;

	forget(b);	/* first: a table may lie in the command queue */
	w = walk(b, &regs, a);
	o = simulate(b, a);
	count[w.end]++;
	meet(b, a, &w);
	if (o.err == -UIOMMU_EAGAIN)
		cmd(b, OP_RESUME(a->sid, 0, 1), o.event.w[1] & 0xffff);
	if (w.end == WALK_NOT_EXPLAINED)
		return false;
	if (!same(&o, &w))
		tell(a, &o, &w);
	return true;
}

/* ---- random tables ---- */

#define VAS 6

struct scene {
	struct bed *b;
	uint32_t sid, ssids;
	const struct uiommu_sim_smmuv3_config *cfg;	/* NULL: the default */
	uint64_t vas[2 * VAS], cds[2];
	unsigned num_vas, num_cds;
};

static void two_level_strtab(struct bed *b, uint32_t sid)
{
	uint64_t l1 = bed_alloc(b, 8 << 4), l2 = bed_alloc(b, 64 << 6);
	unsigned span = rnd(8) ? 7 : 1 + (unsigned)rnd(7);

	set_mem(b, l1 + 8 * (sid >> 6), l2 | span);
	b->strtab = l2 - 64 * (sid & ~63u);
	wr(b, CR0, 4 | 8);
	wr64(b, STRTAB_BASE, l1);
	wr(b, STRTAB_BASE_CFG, 10 | 6 << 6 | 1 << 16);
	wr(b, CR0, 4 | 8 | 1);
}

static uint64_t random_attr(const struct scene *s)
{
	uint64_t attr = PTE_AF | PTE_NG;

	attr |= rnd(4) ? PTE_USER : 0;
	attr |= rnd(3) ? 0 : PTE_RO;
	attr |= rnd(3) ? 0 : PTE_PXN;
	attr |= rnd(3) ? 0 : PTE_UXN;
	attr |= s->cfg && rnd(2) ? BIT(51) : 0;		/* DBM */
	return rnd(s->cfg ? 3 : 12) ? attr : attr & ~PTE_AF;
}

/* One address space; returns word 0 of its CD. */
static uint64_t random_space(struct scene *s, bool upper, uint64_t *root)
{
	static const uint8_t granules[3] = { 12, 14, 16 }, tg[2][3] = { { 0, 2, 1 }, { 2, 1, 3 } };
	static const uint8_t tszs[4] = { 16, 20, 25, 32 };
	unsigned k = (unsigned)rnd(3), g = granules[k], tsz = tszs[rnd(4)], ias;

	if (s->cfg && s->cfg->vax52 && (s->cfg->ds || g == 16) && rnd(2))
		tsz = 12;
	ias = 64 - tsz;
	*root = bed_alloc(s->b, BIT(g));
	for (unsigned i = 0; i < 3; i++) {
		uint64_t va = (rnd(BIT(40)) << 12) & (BIT(ias) - 1) & ~(BIT(g) - 1);
		unsigned leaf = rnd(4) ? g : g == 12 ? 21 : g == 14 ? 25 : 29;

		if (upper)
			va |= ~(uint64_t)0 << ias;
		if (s->num_vas < 2 * VAS)
			s->vas[s->num_vas++] = va;
		if (i < 2 || leaf == g)
			map(s->b, *root, g, ias, va, i < 2 ? g : leaf,
			    (RAM & ~(BIT(leaf) - 1)) | random_attr(s));
	}
	return upper ? (uint64_t)tsz << 16 | (uint64_t)tg[1][k] << 22
		     : (uint64_t)tsz | (uint64_t)tg[0][k] << 6;
}

static void random_cd(struct scene *s, uint64_t at)
{
	uint64_t w0 = BIT(31) | BIT(41) | (uint64_t)5 << 32 | rnd(256) << 48, root0, root1 = 0;

	w0 |= random_space(s, false, &root0);
	if (rnd(3))
		w0 |= BIT(30);
	else
		w0 |= random_space(s, true, &root1);
	w0 |= rnd(6) ? BIT(45) : 0;			/* R */
	w0 |= rnd(6) ? BIT(46) : 0;			/* A */
	w0 |= rnd(6) ? 0 : BIT(40);			/* PAN */
	w0 |= rnd(6) ? 0 : BIT(36);			/* WXN */
	w0 |= rnd(6) ? 0 : BIT(38);			/* TBI0 */
	s->cds[s->num_cds++] = at;
	set_mem(s->b, at, w0);
	set_mem(s->b, at + 8, root0 | (rnd(6) ? 0 : 2));	/* HAD0 */
	set_mem(s->b, at + 16, root1);
}

static void random_scene(struct scene *s)
{
	static const uint8_t maxes[4] = { 0, 1, 3, 8 };
	unsigned max = maxes[rnd(4)], fmt = max ? (unsigned)rnd(3) : 0;
	uint64_t table, dss = rnd(8) ? 2 : rnd(4);

	s->b = bed_new(s->cfg);
	s->sid = (uint32_t)rnd(64);
	if (rnd(2)) {
		s->sid += 64 * (uint32_t)rnd(3);
		two_level_strtab(s->b, s->sid);
	}
	s->ssids = 1u << max;
	if (!fmt) {
		table = bed_alloc(s->b, (uint64_t)64 << max);
		random_cd(s, table);
		if (max)
			random_cd(s, table + 64);
	} else {
		uint64_t l2 = bed_alloc(s->b, fmt == 1 ? 4096 : 65536);

		table = bed_alloc(s->b, 64);
		set_mem(s->b, table, l2 | 1);
		random_cd(s, l2);
		random_cd(s, l2 + 64);
	}
	put_ste(s->b, s->sid, ste_s1(table, fmt, max), dss | rnd(4) << 48 | rnd(4) << 50);
	if (!rnd(12))
		put_ste(s->b, s->sid, 1 | 4 << 1, 0);
}

static struct walk_access random_access(const struct scene *s)
{
	struct walk_access a = {
		.sid = rnd(16) ? s->sid : (uint32_t)rnd(2048),
		.has_pasid = s->ssids > 1 ? rnd(2) : !rnd(16),
		.pasid = (uint32_t)(rnd(8) ? rnd(2) : rnd(2 * s->ssids)),
		.write = rnd(2), .priv = rnd(2), .iova = s->vas[rnd(s->num_vas)] + rnd(4096),
	};

	a.exec = !a.write && !rnd(3);
	if (!rnd(8))
		a.iova ^= BIT(rnd(64));
	if (!a.has_pasid)
		a.pasid = 0;
	return a;
}

/* Any bit of any word in use may be wrong. */
static uint64_t word_in_use(struct bed *b)
{
	for (unsigned tries = 0; tries < 100000; tries++) {
		uint64_t pa = RAM + 8 * rnd((b->next - RAM) / 8);

		if (mem(b, pa) && (pa < b->cmdq || pa >= b->cmdq + 16 + (16u << CMDQ_LG2)) &&
		    (pa < b->evtq || pa >= b->evtq + (32u << EVTQ_LG2)))
			return pa;
	}
	return 0;
}

/* Of 40 accesses to each scene all but the first @intact find a bit wrong in the tables. */
static void agrees_on(void (*scene)(struct scene *s), unsigned intact)
{
	unsigned count[4] = { 0 }, compared = 0;

	state = seed * 0x9e3779b97f4a7c15u | 1;
	for (unsigned k = 0; k < rounds; k++) {
		struct scene s = { 0 };

		scene(&s);
		for (unsigned i = 0; i < 40; i++) {
			struct walk_access a = random_access(&s);
			uint64_t pa = i >= intact ? word_in_use(s.b) : 0;
			uint64_t old = pa ? mem(s.b, pa) : 0;

			if (pa)
				set_mem(s.b, pa, old ^ BIT(rnd(64)));
			compared += compare(s.b, &a, count);
			if (pa)
				set_mem(s.b, pa, old);
		}
		bed_free(s.b);
	}
	print_message("%u compared: %u translated, %u faults, %u aborts; %u not explained\n",
		      compared, count[0], count[1], count[2], count[3]);
	assert_true(count[WALK_OK] > compared / 20 && count[WALK_FAULT] > compared / 10);
}

static void agrees_with_the_simulator(void **unused)
{
	(void)unused;
	agrees_on(random_scene, 8);
}

/* ---- the same with everything that the simulator has ---- */

static struct uiommu_sim_smmuv3_config random_cfg(void)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	c.httu = (unsigned)rnd(3);
	c.stall = (unsigned)rnd(2);
	c.xnx = rnd(2);
	c.stt = rnd(2);
	c.e0pd = rnd(2);
	c.epan = rnd(2);
	c.ats = rnd(2);
	c.vmid16 = rnd(2);
	c.abort_only = !rnd(8);
	c.endian = rnd(4) ? 1 : 2 * (unsigned)rnd(2);
	c.no_had = !rnd(4);
	c.no_overrides = !rnd(4);
	c.oas_lg2 = rnd(2) ? 52 : rnd(2) ? 48 : 44;
	c.ds = c.oas_lg2 == 52 && rnd(2);
	c.vax52 = c.oas_lg2 == 52 && (c.ds || rnd(2));
	return c;
}

/* Bits that make more of a CD, where the SMMU has them. */
static void more_of_cd(struct scene *s, const struct uiommu_sim_smmuv3_config *c, uint64_t at)
{
	uint64_t w0 = mem(s->b, at), w1 = mem(s->b, at + 8), w2 = mem(s->b, at + 16);

	if (c->httu && rnd(2))
		w0 |= BIT(43);					/* HA */
	if (c->httu == 2 && rnd(2))
		w0 |= BIT(42);					/* HD */
	if (c->stall && !rnd(3))
		w0 |= BIT(44);					/* S */
	if (c->abort_only)
		w0 |= BIT(46);					/* A */
	set_mem(s->b, at, w0);
	set_mem(s->b, at + 8, w1 | (rnd(5) ? 0 : BIT(2)) | (rnd(3) ? 0 : BIT(59)));
	set_mem(s->b, at + 16, w2 | (rnd(5) ? 0 : BIT(2)) | (rnd(2) ? 0 : BIT(58)));
}

static uint64_t s2_attr(void)
{
	uint64_t attr = S2_RW;

	attr &= rnd(30) ? ~(uint64_t)0 : ~S2_R;
	attr &= rnd(6) ? ~(uint64_t)0 : ~S2_W;
	attr &= rnd(30) ? ~(uint64_t)0 : ~PTE_AF;
	attr &= rnd(30) ? ~(uint64_t)0 : ~((uint64_t)0xf << 2);	/* device memory */
	attr |= rnd(10) ? 0 : rnd(4) << 53;			/* XN */
	return attr | (rnd(8) ? 0 : BIT(51));			/* DBM */
}

/*
 * A stage 2 that maps all memory in use so far to itself; words 2 and 3 of the STE.
 * Where a root begins: as high as its size allows, or lower with tables side by side.
 */
static void random_stage2(struct scene *s, const struct uiommu_sim_smmuv3_config *c, uint64_t *w2,
			  uint64_t *w3)
{
	static const uint8_t granules[3] = { 12, 14, 16 }, tg[3] = { 0, 2, 1 };
	static const uint8_t sizes[6] = { 32, 36, 39, 40, 44, 52 };
	unsigned k = (unsigned)rnd(3), g = granules[k], stride = g - 3, ias = sizes[rnd(6)];
	bool ds = c->ds && g != 16 && rnd(2);
	uint64_t end = s->b->next, root;
	int level;

	if (ias > c->oas_lg2 || (ias > 48 && g != 16 && !ds))
		ias = 40;
	level = 3 - (int)((ias - 1 - g) / stride);
	if (level < 3 && ias - (g + stride * (unsigned)(3 - level)) <= 4 && rnd(2))
		level++;		/* up to sixteen tables */
	root = bed_alloc(s->b, (uint64_t)8 << (ias - (g + stride * (unsigned)(3 - level))));
	for (uint64_t pa = RAM; pa < end; pa += BIT(g))
		map_s2(s->b, root, g, (unsigned)level, pa, g, pa | s2_attr());
	*w2 = (uint64_t)(64 - ias) << 32 | (uint64_t)tg[k] << 46 | (uint64_t)6 << 48 | BIT(51) | 7;
	*w2 |= (uint64_t)((g == 12 ? 2 - level : 3 - level) & 3) << 38;
	*w2 |= (rnd(5) ? BIT(58) : 0) | (rnd(5) ? 0 : BIT(53)) | (rnd(4) ? 0 : BIT(54));
	*w2 |= (c->httu ? rnd(2) << 56 : 0) | (c->httu == 2 ? rnd(2) << 55 : 0);
	*w2 |= c->stall && !rnd(4) ? BIT(57) : 0;
	*w3 = root | (ds ? BIT(3) : 0) | (level < 0 ? BIT(2) : 0);
}

static void stage2_behind(struct scene *s, const struct uiommu_sim_smmuv3_config *c)
{
	uint64_t at = s->b->strtab + 64 * s->sid, w2, w3;

	if (rnd(4))
		set_mem(s->b, at, mem(s->b, at) | 6 << 1);	/* Config: both, or stage 2 */
	if (!rnd(4))
		set_mem(s->b, at, mem(s->b, at) & ~(uint64_t)2);
	if (!(mem(s->b, at) & 4))
		return;
	random_stage2(s, c, &w2, &w3);
	put_ste_s2(s->b, s->sid, w2, w3);
}

static void full_scene(struct scene *s)
{
	struct uiommu_sim_smmuv3_config c = random_cfg();
	bool el2 = !rnd(3);
	uint64_t at;

	s->cfg = &c;
	random_scene(s);
	s->cfg = NULL;
	at = s->b->strtab + 64 * s->sid;
	for (unsigned i = 0; i < s->num_cds; i++)
		more_of_cd(s, &c, s->cds[i]);
	if (el2)
		set_mem(s->b, at + 8, mem(s->b, at + 8) | (uint64_t)2 << 30);	/* STRW */
	if (rnd(2)) {
		wr(s->b, CR0, 4 | 8);
		wr(s->b, CR2, 3);						/* E2H */
		wr(s->b, CR0, 4 | 8 | 1);
	}
	if (rnd(5) > el2 * 3u)
		stage2_behind(s, &c);
	if (mem(s->b, at) & 8 && (mem(s->b, at) >> 1 & 3) == 2 && s->num_vas)
		for (unsigned i = 0; i < s->num_vas; i += 2)	/* stage 2 alone: IPAs */
			s->vas[i] = RAM + rnd(s->b->next - RAM);
}

static void agrees_with_all_of_the_simulator(void **unused)
{
	(void)unused;
	memset(&met, 0, sizeof(met));
	agrees_on(full_scene, 16);
	print_message("faults of stage 2: %u, %u of them of tables, %u of updates; %u stalls; "
		      "through: %u nested, %u EL2, %u beyond 48 bits\n", met.s2, met.tables,
		      met.updates, met.stalls, met.nested, met.el2, met.wide);
	if (seed == 1 && rounds >= 200)
		assert_true(met.s2 && met.tables && met.updates && met.stalls && met.nested &&
			    met.el2 && met.wide);
}

/* ---- stage 2 ---- */

/* of a stage 2 leaf; the others are in bed.h */
#define S2_NORMAL (0xf << 2)

/* word 2 of an STE: T0SZ 25 (39 bits), SL0 1 (level 1), PS 48, AA64, R */
#define S2_CFG	((uint64_t)25 << 32 | (uint64_t)1 << 38 | (uint64_t)5 << 48 | BIT(51) | BIT(58))

static struct walk_regs regs2(struct bed *b)
{
	struct walk_regs r = regs_of(b);

	r.idr0 |= 1;		/* S2P */
	return r;
}

static void put_s2(struct bed *b, uint32_t sid, uint64_t config, uint64_t root)
{
	uint64_t at = b->strtab + 64 * sid;

	set_mem(b, at, (mem(b, at) & ~(uint64_t)0xe) | config << 1 | 1);
	set_mem(b, at + 16, S2_CFG | 7);
	set_mem(b, at + 24, root);
}

static uint64_t identity(struct bed *b)
{
	uint64_t root = bed_alloc(b, 4096);

	for (uint64_t gib = 0; gib < 4; gib++)
		set_mem(b, root + 8 * gib, gib << 30 | S2_RW | 1);
	return root;
}

/* With a stage 2 that changes nothing, nested translation ends as stage 1 does. */
static void identity_stage2_changes_nothing(void **unused)
{
	unsigned ok = 0, fault = 0;

	(void)unused;
	state = seed * 0x9e3779b97f4a7c15u | 1;
	for (unsigned k = 0; k < rounds; k++) {
		struct scene s = { 0 };
		struct walk_regs regs;
		uint64_t root;

		random_scene(&s);
		regs = regs2(s.b);
		root = identity(s.b);
		for (unsigned i = 0; i < 20; i++) {
			struct walk_access a = random_access(&s);
			uint64_t ste = s.b->strtab + 64 * s.sid, old = mem(s.b, ste);
			struct walk_result w1 = walk(s.b, &regs, &a), w2;

			if ((old >> 1 & 7) != 5)
				break;
			put_s2(s.b, s.sid, 7, root);
			w2 = walk(s.b, &regs, &a);
			set_mem(s.b, ste, old);
			if (w1.end == WALK_OK && w1.pa >> 32)
				continue;	/* bypass, beyond what stage 2 maps */
			assert_int_equal(w1.end, w2.end);
			ok += w1.end == WALK_OK;
			fault += w1.end == WALK_FAULT;
			if (w1.end == WALK_OK)
				assert_true(w1.pa == w2.pa);
			assert_memory_equal(w1.event, w2.event, sizeof(w1.event));
		}
		bed_free(s.b);
	}
	assert_true(ok > rounds && fault > rounds / 2);
}

struct nested {
	struct bed *b;
	struct s1 s1;
	uint64_t root;			/* of stage 2: 4 KiB pages, IPA = PA */
	struct walk_regs regs;
	struct walk_access a;
};

#define SID 3

/* A stream whose CD, stage 1 tables and page are each mapped by a page of stage 2. */
static struct nested nested(void)
{
	struct nested n = { .b = bed_new(NULL) };

	n.s1 = stream_s1(n.b, SID, 1);
	n.root = bed_alloc(n.b, 4096);
	for (uint64_t pa = RAM; pa < n.b->next; pa += 4096)
		map(n.b, n.root, 12, 39, pa, 12, pa | S2_RW);
	put_s2(n.b, SID, 7, n.root);
	n.regs = regs2(n.b);
	n.a = (struct walk_access){ .sid = SID, .iova = VA + 0x123 };
	return n;
}

/* the stage 2 leaf for @ipa */
static uint64_t leaf_at(struct nested *n, uint64_t ipa)
{
	uint64_t l2 = mem(n->b, n->root + 8 * (ipa >> 30)) & ~(uint64_t)0xfff;
	uint64_t l3 = mem(n->b, l2 + 8 * (ipa >> 21 & 511)) & ~(uint64_t)0xfff;

	return l3 + 8 * (ipa >> 12 & 511);
}

static void expect(struct nested *n, unsigned code, uint64_t w1, uint64_t w3)
{
	struct walk_result w = walk(n->b, &n->regs, &n->a);

	assert_int_equal(w.end, WALK_FAULT);
	assert_true(w.event[0] == EV(code, SID));
	assert_true(w.event[1] == w1);
	assert_true(w.event[2] == n->a.iova);
	assert_true(w.event[3] == w3);
}

#define EV_S2 BIT(39)

static void nested_translates(void **unused)
{
	struct nested n = nested();
	struct walk_result w = walk(n.b, &n.regs, &n.a);

	(void)unused;
	assert_int_equal(w.end, WALK_OK);
	assert_true(w.pa == n.s1.page + 0x123 && w.bytes == 0x1000 - 0x123);
	bed_free(n.b);
}

static void nested_fault_of_the_access(void **unused)
{
	struct nested n = nested();
	uint64_t at = leaf_at(&n, n.s1.page), good = mem(n.b, at);

	(void)unused;
	set_mem(n.b, at, 0);
	expect(&n, F_TRANSLATION, EV_READ | EV_S2 | EV_CLASS_IN, n.s1.page);
	set_mem(n.b, at, good & ~PTE_AF);
	expect(&n, F_ACCESS, EV_READ | EV_S2 | EV_CLASS_IN, n.s1.page);
	set_mem(n.b, at, good & ~S2_R);
	expect(&n, F_PERMISSION, EV_READ | EV_S2 | EV_CLASS_IN, n.s1.page);
	n.a.write = true;
	set_mem(n.b, at, good & ~S2_W);
	expect(&n, F_PERMISSION, EV_S2 | EV_CLASS_IN, n.s1.page);
	bed_free(n.b);
}

static void nested_fault_of_a_table(void **unused)
{
	struct nested n = nested();
	uint64_t at = leaf_at(&n, n.s1.root), good = mem(n.b, at), ipa = n.s1.root;

	(void)unused;
	set_mem(n.b, at, 0);
	expect(&n, F_TRANSLATION, EV_READ | EV_S2 | EV_CLASS_TT, ipa);
	set_mem(n.b, at, good & ~S2_R);		/* TTRnW: it was read */
	expect(&n, F_PERMISSION, EV_READ | EV_S2 | EV_CLASS_TT | BIT(44), ipa);
	n.a.write = true;			/* still a read of the table */
	expect(&n, F_PERMISSION, EV_S2 | EV_CLASS_TT | BIT(44), ipa);
	n.a.write = false;
	set_mem(n.b, at, good & ~(uint64_t)S2_NORMAL);	/* device memory, S2PTW */
	assert_int_equal(walk(n.b, &n.regs, &n.a).end, WALK_OK);
	set_mem(n.b, n.b->strtab + 64 * SID + 16, S2_CFG | 7 | BIT(54));
	expect(&n, F_PERMISSION, EV_READ | EV_S2 | EV_CLASS_TT | BIT(44), ipa);
	bed_free(n.b);
}

static void nested_fault_of_the_cd(void **unused)
{
	struct nested n = nested();

	(void)unused;
	set_mem(n.b, leaf_at(&n, n.s1.cd), 0);
	expect(&n, F_TRANSLATION, EV_READ | EV_S2, n.s1.cd & ~(uint64_t)0xfff);
	bed_free(n.b);
}

static void stage2_alone(void **unused)
{
	struct nested n = nested();
	struct walk_result w;

	(void)unused;
	put_s2(n.b, SID, 6, n.root);
	n.a.iova = n.s1.page + 8;
	w = walk(n.b, &n.regs, &n.a);
	assert_true(w.end == WALK_OK && w.pa == n.s1.page + 8);
	n.a.iova = BIT(39);			/* beyond S2T0SZ */
	expect(&n, F_TRANSLATION, EV_READ | EV_S2 | EV_CLASS_IN, BIT(39));
	n.a.iova = BIT(48);			/* beyond IDR5.OAS: stage 1's affair */
	expect(&n, F_ADDR_SIZE, EV_READ | EV_CLASS_IN, 0);
	n.a.iova = n.s1.page;
	n.a.has_pasid = true;
	n.a.pasid = 1;
	assert_true(walk(n.b, &n.regs, &n.a).event[0] == (EV(C_BAD_SUBSTREAMID, SID) | 1 << 12));
	n.regs.idr0 &= ~(uint64_t)1;
	n.a.has_pasid = false;
	assert_true(walk(n.b, &n.regs, &n.a).event[0] == EV(C_BAD_STE, SID));
	bed_free(n.b);
}

static void swap(struct bed *b, uint64_t from, uint64_t to)
{
	for (; from < to; from += 8)
		set_mem(b, from, __builtin_bswap64(mem(b, from)));
}

/* Both stages, and as the simulator reads them. */
static void big_endian_tables(void **unused)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct walk_access a = { .sid = SID, .iova = VA + 8 };
	unsigned count[4] = { 0 };
	struct bed *b;
	struct s1 s1;
	uint64_t root;

	(void)unused;
	c.endian = 1;
	b = bed_new(&c);
	s1 = stream_s1(b, SID, 1);
	root = bed_alloc(b, 4096);
	for (uint64_t pa = RAM; pa < root; pa += 4096)
		map(b, root, 12, 39, pa, 12, pa | S2_RW);
	put_s2(b, SID, 7, root);
	assert_true(compare(b, &a, count) && count[WALK_OK] == 1);
	swap(b, root, b->next);
	set_mem(b, b->strtab + 64 * SID + 16, S2_CFG | 7 | BIT(52));	/* S2ENDI */
	assert_true(compare(b, &a, count) && count[WALK_OK] == 2);
	swap(b, s1.root, s1.root + 4096);
	for (unsigned i = 0; i < 3; i++)
		swap(b, s1.page + 4096 * (1 + i), s1.page + 4096 * (2 + i));
	set_mem(b, s1.cd, mem(b, s1.cd) | BIT(15));			/* ENDI */
	assert_true(compare(b, &a, count) && count[WALK_OK] == 3);
	set_mem(b, s1.cd, mem(b, s1.cd) & ~BIT(15));
	assert_true(compare(b, &a, count) && count[WALK_FAULT] == 1);
	bed_free(b);
}

static void memory_is(struct nested *n, const char *wanted)
{
	const struct walk_memory mem = { n->b, read_ram };
	const struct report_item *it;
	struct walk_result res;
	struct report r;
	const char *text = "nothing";

	report_init(&r);
	walk_dma(&n->regs, &mem, &n->a, &r, &res);
	it = r.items[r.num_items - 1];
	for (unsigned i = 0; i < it->num_fields; i++)
		if (!strcmp(it->fields[i].name, "memory"))
			text = it->fields[i].text;
	assert_string_equal(text, wanted);
	report_fini(&r);
}

/* The stronger type, the weaker cacheability; with FWB stage 2 alone, or stage 1. */
static void attributes_of_both_stages(void **unused)
{
	static const struct {
		uint64_t mair, s2, fwb;
		const char *wanted;
	} cases[] = {
		{ 0xff, 0xf, 0, "Normal, write-back, non-shareable" },
		{ 0xff, 0x5, 0, "Normal, non-cacheable, outer shareable" },
		{ 0xbb, 0xf, 0, "Normal, write-through, non-shareable" },
		{ 0xff, 0xb, 0, "Normal, outer write-through, inner write-back, non-shareable" },
		{ 0xff, 0x1, 0, "Device-nGnRE" },
		{ 0x04, 0xf, 0, "Device-nGnRE" },
		{ 0x0c, 0x2, 0, "Device-nGRE" },
		{ 0x00, 0x3, 0, "Device-nGnRnE" },
		{ 0x44, 0x6, 1, "Normal, write-back, non-shareable" },
		{ 0x44, 0x7, 1, "Normal, non-cacheable, outer shareable" },
		{ 0xff, 0x5, 1, "Normal, non-cacheable, outer shareable" },
		{ 0xff, 0x1, 1, "Device-nGnRE" },
	};
	struct nested n = nested();
	uint64_t at = leaf_at(&n, n.s1.page), ste1 = n.b->strtab + 64 * SID + 8;

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_mem(n.b, n.s1.cd + 24, cases[i].mair);
		set_mem(n.b, at, (mem(n.b, at) & ~(uint64_t)(0xf << 2)) | cases[i].s2 << 2);
		set_mem(n.b, ste1, cases[i].fwb << 25);
		n.regs.idr3 = cases[i].fwb << 8;
		memory_is(&n, cases[i].wanted);
	}
	bed_free(n.b);
}

/* 40 bits from level 1 is two tables side by side */
static void stage2_concatenated(void **unused)
{
	struct nested n = nested();
	uint64_t root = bed_alloc(n.b, 8192);
	struct walk_result w;

	(void)unused;
	set_mem(n.b, root + 4096 + 8 * 2, RAM | S2_RW | 1);
	put_s2(n.b, SID, 6, root);
	set_mem(n.b, n.b->strtab + 64 * SID + 16, S2_CFG - ((uint64_t)1 << 32));
	n.a.iova = BIT(39) + RAM + 0x10;
	w = walk(n.b, &n.regs, &n.a);
	assert_true(w.end == WALK_OK && w.pa == RAM + 0x10);
	bed_free(n.b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_simulator),
		cmocka_unit_test(agrees_with_all_of_the_simulator),
		cmocka_unit_test(identity_stage2_changes_nothing),
		cmocka_unit_test(nested_translates),
		cmocka_unit_test(nested_fault_of_the_access),
		cmocka_unit_test(nested_fault_of_a_table),
		cmocka_unit_test(nested_fault_of_the_cd),
		cmocka_unit_test(stage2_alone),
		cmocka_unit_test(stage2_concatenated),
		cmocka_unit_test(attributes_of_both_stages),
		cmocka_unit_test(big_endian_tables),
	};

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		rounds = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
