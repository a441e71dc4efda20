/* SPDX-License-Identifier: MIT */
/*
 * cmdqv.c - a VM with command queues in its hands, under the driver that gave them to it:
 * whatever it stores into its page of registers and its queues, at whatever moment of what
 * the driver does for it, another VM and the host keep what they have
 *
 * The input is a list of moves: the enemy's, and in between what its VMM does for it, and
 * what the host and the other VM do for themselves. After each the others' caches are
 * looked at: what they have cached is wrong in memory, so whatever was invalidated shows.
 * Their DMA arrives, their unmaps reach hardware, their queues and the driver's run on. A
 * queue of the enemy's that stops is told once, to the enemy; one that was freed does
 * nothing whatever is stored in its place. (queues.c has less around the queues, and an
 * SMMU with a temper.)
 */
#include "tests/driver/guest.h"

#include "input.h"

#define MOVES	   300
#define OURS	   2u /* the enemy's devices */
#define VINTFS_LG2 2u
#define VCMDQS_LG2 3u
#define PER	   (1u << (VCMDQS_LG2 - VINTFS_LG2))
#define PAIRS_LG2  2u
#define PAIRS	   (1u << PAIRS_LG2)
#define PROBE	   (VA + PAGE)	   /* wrong in memory */
#define SLOTS	   4u		   /* the host's pages */
#define SLOT(i)	   (0x10000ull + (i)*PAGE)
#define VSID_OF(i) (0x40u + (i))   /* both VMs call their devices so */
#define RING_LG2   3u		   /* of the other VM's queue */

#define AT_VINTF(v, reg) (CMDQV_AT_VINTF + (v)*CMDQV_STRIDE_VINTF + (reg))
#define AT_QUEUE(q, reg) (CMDQV_AT_VCMDQ_PAGE0 + (q)*CMDQV_STRIDE_VCMDQ + (reg))
#define AT_BASE(q)	 (CMDQV_AT_VCMDQ_PAGE1 + (q)*CMDQV_STRIDE_VCMDQ + VCMDQ_BASE)
#define AT_OWN		 (CMDQV_AT_VINTF_PAGE0 + VCMDQ_PROD)

struct queue {
	struct uiommu_hw_queue *q; /* NULL: it is not there */
	uint64_t *ring;		   /* a page */
	unsigned lg2, prod;
};

/* A translation that is cached and, in memory, not there. */
struct probe {
	struct uiommu_dev *dev;
	uiommu_pasid_t pasid;
	struct uiommu_pt *pt;
	uint64_t out, v;
};

struct world {
	struct bench b;
	struct guest enemy, other;
	/* the enemy's */
	struct uiommu_dev *dev[OURS];
	struct uiommu_vdevice *vd[OURS];
	bool owned[OURS];	       /* or about to be, or not yet not */
	struct uiommu_domain *dom[OURS]; /* nested */
	struct uiommu_mmio page;
	unsigned vintf;		       /* as registers know it */
	struct queue q[PER];
	unsigned open[PER];	       /* invalidations that were not answered yet */
	bool silent, slow;	       /* what its devices do with the next */
	/* the other VM's */
	struct uiommu_dev *others[3];  /* that lives, probed, held */
	struct queue others_q;
	struct uiommu_mmio others_page;
	uint64_t *balloon;
	unsigned others_invs;
	/* the host's */
	struct uiommu_dev *hosts[3];
	struct uiommu_domain *host;
	uint64_t *slot[SLOTS];
	bool mapped[SLOTS], pasid;
	struct probe probe[4];
	unsigned own, main;	       /* publishes of the driver's */
	unsigned failed;
	/* now */
	enum { NOBODY, HOST, OTHER } speaks;
	bool storing;		       /* the enemy is, into its page */
	struct input *racing;	       /* it stores between the driver's accesses */
	unsigned irqs;		       /* seen */
	unsigned nregs;
	uint64_t regs[64][2];	       /* where, and what is always there */
};

static struct world *world_of(struct bench *b)
{
	return uiommu_container_of(b, struct world, b);
}

static struct smmu *smmu(struct world *w)
{
	return to_smmu(w->b.iommu);
}

static uint64_t reg(struct world *w, uint64_t off)
{
	return uiommu_sim_smmuv3_cmdqv_read(w->b.sim, off, 4);
}

static unsigned vintf_of(const struct guest *g)
{
	return ((const struct smmu_vintf *)g->v->drv)->index;
}

static uint64_t commands(struct world *w)
{
	struct uiommu_sim_smmuv3_stats st;

	uiommu_sim_smmuv3_stats(w->b.sim, &st);
	return st.commands;
}

/* ---- the page of registers ---- */

static uint32_t get(struct world *w, uint64_t off)
{
	return w->page.ops->read32(w->page.ctx, off);
}

static void put(struct world *w, uint64_t off, uint64_t v, bool wide)
{
	w->storing = true;
	if (wide)
		w->page.ops->write64(w->page.ctx, off, v);
	else
		w->page.ops->write32(w->page.ctx, off, (uint32_t)v);
	w->storing = false;
}

#define OF(l, reg) ((l)*CMDQV_STRIDE_VCMDQ + (reg))

static bool is_there(struct world *w, uint64_t off)
{
	return off / CMDQV_STRIDE_VCMDQ < PER && w->q[off / CMDQV_STRIDE_VCMDQ].q;
}

static bool stopped(struct world *w, uint64_t at)
{
	return (get(w, at + VCMDQ_GERROR) ^ get(w, at + VCMDQ_GERRORN)) & 1;
}

/* A queue that is not there does nothing, nor one that has stopped until its error is
 * acknowledged; CONS is hardware's while it is on. */
static void store(struct world *w, uint64_t off, uint64_t v, bool wide)
{
	uint64_t at = off & ~(uint64_t)(CMDQV_STRIDE_VCMDQ - 1), ran = commands(w);
	bool there = is_there(w, off), on = there && get(w, at + VCMDQ_STATUS) & 1;
	bool still = there && stopped(w, at);
	uint32_t cons = get(w, at + VCMDQ_CONS), gerror = get(w, at + VCMDQ_GERROR);

	put(w, off, v, wide);
	if (!there || (still && stopped(w, at) && get(w, at + VCMDQ_GERROR) == gerror))
		assert_int_equal(commands(w), ran);
	if (!there)
		assert_int_equal(get(w, off), 0);
	else if (on && !wide && off == at + VCMDQ_CONS)
		assert_int_equal(get(w, off), cons);
}

/* ---- the world around the SMMU ---- */

static bool in_a_ring(struct world *w, uint64_t pa)
{
	for (unsigned l = 0; l < PER; l++)
		if (w->q[l].ring && pa - thost_pa(&w->b.t, w->q[l].ring) < PAGE)
			return true;
	return false;
}

/* By the enemy's stores commands are fetched, from where the host has said, and nothing
 * is written. */
static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t n)
{
	struct world *w = world_of(ctx);

	assert_true(!w->storing || in_a_ring(w, pa));
	return bench_sim_read(ctx, pa, buf, n);
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t n)
{
	assert_false(world_of(ctx)->storing);
	return bench_sim_write(ctx, pa, buf, n);
}

static int of_the_enemy(struct world *w, const struct uiommu_sim_inval *inv, unsigned l)
{
	bool mine = false;

	for (unsigned i = 0; i < OURS; i++)
		mine |= w->owned[i] && inv->stream_id == w->dev[i]->streams[0].id;
	assert_true(mine);
	if (w->silent)
		return -1;
	w->open[l] += w->slow;
	return w->slow;
}

/* Each queue reaches its owner's devices, and those of others when they speak. */
static int atc_inv(struct bench *b, const struct uiommu_sim_inval *inv)
{
	struct world *w = world_of(b);
	unsigned vintf = inv->queue ? (inv->queue - 1) / PER : 0;

	if (!vintf) {
		assert_int_equal(w->speaks, HOST);
		assert_int_equal(inv->stream_id, w->hosts[0]->streams[0].id);
		return 0;
	}
	if (vintf == vintf_of(&w->other)) {
		assert_int_equal(w->speaks, OTHER);
		assert_int_equal(inv->stream_id, w->others[0]->streams[0].id);
		w->others_invs++;
		return 0;
	}
	assert_int_equal(vintf, vintf_of(&w->enemy));
	return of_the_enemy(w, inv, (inv->queue - 1) % PER);
}

static void answer(struct world *w, unsigned l, bool ok)
{
	if (!w->open[l])
		return;
	w->open[l]--;
	uiommu_sim_smmuv3_atc_inv_done(w->b.sim, 1 + w->vintf * PER + l, ok);
}

static void answer_all(struct world *w)
{
	for (unsigned l = 0; l < PER; l++)
		while (w->open[l])
			answer(w, l, true);
}

static void on_relax(struct thost *t)
{
	answer_all(world_of(uiommu_container_of(t, struct bench, t)));
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	world_of(ctx)->failed++;
}

static bool on_write(struct bench *b, uint64_t off, uint64_t v)
{
	world_of(b)->main += off == SMMU_CMDQ_PROD;
	return true;
}

static void any_store(struct world *w, struct input *in);

/* The enemy may store at any moment of what is done for it. */
static bool on_block_write(struct bench *b, uint64_t off, uint64_t v)
{
	struct world *w = world_of(b);
	struct input *in = w->racing;

	w->own += off == AT_OWN;
	if (in && take(in, 1) & 1) {
		w->racing = NULL;
		any_store(w, in);
		w->racing = in;
	}
	return true;
}

/* ---- who is told ---- */

/* Those of its queues that stand still, bit by bit. */
static uint64_t standing(struct world *w)
{
	uint64_t map = 0;

	for (unsigned l = 0; l < PER; l++) {
		unsigned q = w->vintf * PER + l;

		if (w->q[l].q)
			map |= (uint64_t)(reg(w, AT_QUEUE(q, VCMDQ_GERROR)) !=
					  reg(w, AT_QUEUE(q, VCMDQ_GERRORN))) << l;
	}
	return map;
}

/* What stopped since the last time, once, and who is told of nothing else than what
 * stands still. @all: its user has not seen to anything before the driver looked. */
static void told(struct world *w, bool all)
{
	unsigned n = w->b.irqs[UIOMMU_SIM_IRQ_CMDQV] - w->irqs, stops = w->enemy.stops;

	w->irqs += n;
	if (n)
		w->b.t.irq[3](w->b.t.irq_arg[3]);
	uiommu_smmuv3_poll(w->b.iommu);
	stops = w->enemy.stops - stops;
	assert_true(stops <= 1);
	assert_true(!all || !n || stops);
	if (stops)
		assert_int_equal(w->enemy.stopped[0], standing(w));
	stops = w->enemy.stops;
	uiommu_smmuv3_poll(w->b.iommu);
	assert_int_equal(w->enemy.stops, stops);
	assert_int_equal(w->other.stops, 0);
	w->b.t.nlog = 0;
}

/* ---- the enemy's moves ---- */

static uint64_t likely_register(uint64_t how)
{
	static const uint8_t regs[] = { VCMDQ_PROD, VCMDQ_CONFIG, VCMDQ_GERRORN, VCMDQ_CONS,
					VCMDQ_PROD, VCMDQ_STATUS, VCMDQ_GERROR, 0x18 };

	return OF(how & 1, regs[how >> 1 & 7]);
}

/* Of any width; at a place that is likely to mean something, here or in the pages behind
 * this one, which are not the enemy's, or anywhere. */
static void any_store(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1), off = likely_register(how), v, x;
	bool wide = (how & 0x30) == 0x30;

	if ((how & 0xc0) == 0x40) {
		x = take(in, 2);
		off = OF(x & 7, (x >> 3 & 7) * 4) + (x >> 6 & 3) * CMDQV_STRIDE_PAGE;
	} else if ((how & 0xc0) == 0xc0) {
		off = take(in, 8);
	}
	v = how & 0x80 ? take(in, wide ? 8 : 4) : take(in, 1) & 15;
	if (wide)
		off &= ~(uint64_t)4;
	if (off >= CMDQV_STRIDE_PAGE || off % (wide ? 8 : 4))
		put(w, off, v, wide);
	else
		store(w, off, v, wide);
}

static void write_register(struct world *w, struct input *in)
{
	if (w->enemy.v)
		any_store(w, in);
	told(w, true);
}

/* ASIDs have 8 bits here: with more the simulator might take one for another VM's, by its
 * hash, as hardware may. */
static void set_word(struct queue *q, uint64_t i, uint64_t v)
{
	q->ring[i] = i & 1 ? v : v & ~(0xffull << 56);
}

static void scribble(struct world *w, struct input *in)
{
	uint64_t where = take(in, 2), v = take(in, 8);

	if (w->q[where & 1].ring)
		set_word(&w->q[where & 1], (where >> 1) % (PAGE / 8), v);
}

/* Numbers that mean something to somebody. */
static uint64_t a_vmid(struct world *w, uint64_t how)
{
	const uint64_t vmids[] = { 0, w->enemy.v->link->tag, w->other.v->link->tag, 0x101 };

	return vmids[how & 3];
}

static uint64_t an_asid(struct world *w, uint64_t how)
{
	const uint64_t asids[] = {
		7, 8, 0x11, 0x22,
		uiommu_device_link(w->hosts[1], 0)->tag, uiommu_device_link(w->hosts[1], 3)->tag,
		uiommu_device_link(w->hosts[0], 0)->tag, 1,
	};

	return asids[how & 7];
}

static uint64_t a_sid(uint64_t how)
{
	static const uint64_t sids[] = { VSID_OF(0), VSID_OF(1), 0x100, 0x101,
					 0x200,	     0x201,	 0x300, 0x301 };

	return sids[how & 7];
}

static uint64_t command(struct world *w, struct input *in, uint64_t *w1)
{
	static const uint8_t ops[] = { CMD_TLBI_NH_ASID, CMD_TLBI_NH_VA, CMD_ATC_INV, CMD_SYNC,
				       CMD_TLBI_NH_VA,	 CMD_SYNC,	 CMD_ATC_INV, CMD_SYNC };
	uint64_t how = take(in, 2), op = ops[how & 7];

	if ((how & 0xe000) == 0xe000) { /* any */
		*w1 = take(in, 8);
		return take(in, 8) << (how & 0x1000 ? 8 : 0) | (how & 0x1000 ? how & 0xff : 0);
	}
	*w1 = op == CMD_SYNC ? 0 : op == CMD_ATC_INV ? 52 : (how & 8 ? PROBE : VA);
	if (op == CMD_SYNC)
		return op;
	if (op == CMD_ATC_INV)
		return op | FPREP(CMD_ATC_INV_StreamID, a_sid(how >> 4 & (how & 0x4000 ? 7 : 1)));
	return op | FPREP(CMD_TLBI_NH_VA_VMID, a_vmid(w, how >> 4)) |
	       FPREP(CMD_TLBI_NH_VA_ASID, an_asid(w, how >> 6));
}

/* What it stopped at is replaced, if it is to be, and it goes on. */
static void go_on(struct world *w, unsigned l, bool replace)
{
	struct queue *q = &w->q[l];

	if (replace)
		q->ring[(get(w, OF(l, VCMDQ_CONS)) & ((1u << q->lg2) - 1)) * 2] = OP(SYNC);
	store(w, OF(l, VCMDQ_GERRORN), get(w, OF(l, VCMDQ_GERROR)), false);
	told(w, true);
	store(w, OF(l, VCMDQ_CONFIG), 1, false);
	told(w, true);
}

static void mend(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);

	if (w->q[how & 1].q)
		go_on(w, how & 1, how & 2);
}

/* As a driver would: behind what is there, and seeing to what went wrong. */
static void say_some(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1), w0, w1;
	unsigned l = how & 1, n = 1 + (how >> 1 & 3);
	struct queue *q = &w->q[l];
	uint32_t prod;

	if (!q->q)
		return;
	if (how & 0x38 && stopped(w, OF(l, 0)))
		go_on(w, l, true);
	prod = get(w, OF(l, VCMDQ_PROD));
	for (unsigned k = 0; k < n; k++, prod++) {
		w0 = command(w, in, &w1);
		set_word(q, (prod & ((1u << q->lg2) - 1)) * 2, w0);
		set_word(q, (prod & ((1u << q->lg2) - 1)) * 2 + 1, w1);
	}
	store(w, OF(l, VCMDQ_PROD), prod & ((2u << q->lg2) - 1), false);
	told(w, true);
}

static void devices(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);

	w->silent = how & 1;
	w->slow = how & 2;
	if (how & 4)
		answer(w, how >> 3 & 1, how & 16);
	told(w, true);
}

/* Its own tables, which nobody has been told of, and its own DMA. */
static void dma(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1), v;

	bench_peek(&w->b, w->dev[how & 1], how >> 1 & 1, how & 4 ? PROBE : VA, &v);
	told(w, true);
}

/* ---- what its VMM does for it, while it stores ---- */

static void race(struct world *w, struct input *in, uint64_t how)
{
	w->racing = how & 0x80 && w->enemy.v ? in : NULL;
}

static void done(struct world *w)
{
	w->racing = NULL;
	told(w, false);
}

static void free_queue(struct world *w, unsigned l)
{
	struct queue *q = &w->q[l];
	int err = uiommu_hw_queue_free(q->q);

	assert_int_equal(err, l + 1 < PER && w->q[l + 1].q ? -UIOMMU_EBUSY : 0);
	if (err)
		return;
	bench_page_free(&w->b, q->ring);
	*q = (struct queue){ 0 };
}

static void alloc_queue(struct world *w, struct input *in, unsigned l)
{
	uint64_t how = take(in, 1);
	struct queue *q = &w->q[l];
	struct uiommu_hw_queue_config cfg = { 1, l, 0, 32ull << (how & 3) };
	struct uiommu_hw_queue *made = NULL;
	int err;

	if (how & 0x40)
		cfg.bytes += how & 0x30;
	q->lg2 = (unsigned)__builtin_ctzll(cfg.bytes / 16);
	q->ring = bench_page(&w->b, 0);
	cfg.base = thost_pa(&w->b.t, q->ring);
	err = uiommu_hw_queue_alloc(w->enemy.v, &cfg, &made);
	q->q = made;
	assert_true(!err == (!(cfg.bytes & (cfg.bytes - 1)) && (!l || w->q[l - 1].q)));
	if (!err)
		return;
	bench_page_free(&w->b, q->ring);
	q->ring = NULL;
}

static void queue_or_not(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);
	unsigned l = how & 1;

	if (!w->enemy.v)
		return;
	race(w, in, how);
	if (w->q[l].q)
		free_queue(w, l);
	else
		alloc_queue(w, in, l);
	done(w);
	if (how & 2 && w->q[l].q)
		store(w, OF(l, VCMDQ_CONFIG), 1, false);
	told(w, true);
}

static void own_or_not(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);
	unsigned i = how & 1;

	if (!w->enemy.v)
		return;
	race(w, in, how);
	if (w->vd[i]) {
		uiommu_vdevice_free(w->vd[i]);
		w->vd[i] = NULL;
	} else {
		w->owned[i] = true;
		uiommu_vdevice_alloc(w->enemy.v, w->dev[i],
				     how & 2 ? a_sid(how >> 2) : VSID_OF(i), &w->vd[i]);
	}
	w->owned[i] = w->vd[i];
	done(w);
}

static void nest_or_not(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);
	unsigned i = how & 1;
	uint64_t ste[2];

	if (!w->enemy.v)
		return;
	race(w, in, how);
	if (w->dom[i]) {
		uiommu_detach_device_pasid(w->dev[i], 0);
		assert_int_equal(uiommu_domain_free(w->dom[i]), 0);
		w->dom[i] = NULL;
		done(w);
		return;
	}
	guest_ste(&w->enemy, ste);
	assert_int_equal(try_nested(&w->enemy, w->dev[i], ste, &w->dom[i]), 0);
	if (uiommu_attach_device(w->dom[i], w->dev[i])) {
		assert_int_equal(uiommu_domain_free(w->dom[i]), 0);
		w->dom[i] = NULL;
	}
	done(w);
}

static void make_viommu(struct world *w)
{
	const struct uiommu_viommu_config cfg = { .parent = w->enemy.parent, .dev = w->dev[0],
						  .type = 2, .event = on_event,
						  .ctx = &w->enemy };
	size_t bytes;

	if (!w->enemy.v)
		assert_int_equal(uiommu_viommu_alloc(&cfg, &w->enemy.v), 0);
	assert_int_equal(uiommu_viommu_mmio(w->enemy.v, &w->page, &bytes), 0);
	assert_int_equal(bytes, CMDQV_STRIDE_PAGE);
	w->vintf = vintf_of(&w->enemy);
}

static void slice_or_not(struct world *w, struct input *in)
{
	if (!w->enemy.v)
		make_viommu(w);
	else if (!uiommu_viommu_free(w->enemy.v))
		w->enemy.v = NULL;
	told(w, false);
}

/* ---- the host's, and the other VM's ---- */

static void host_map_or_not(struct world *w, unsigned i)
{
	unsigned own = w->own, main = w->main;

	if (!w->mapped[i]) {
		bench_map(&w->b, w->host, SLOT(i), w->slot[i]);
	} else {
		assert_int_equal(uiommu_unmap(w->host, SLOT(i), PAGE, NULL), 0);
		assert_true(w->own > own);
		assert_int_equal(w->main, main);
		bench_sees(&w->b, w->hosts[0], 0, SLOT(i), 0);
		if (w->pasid)
			bench_sees(&w->b, w->hosts[0], 3, SLOT(i), 0);
	}
	w->mapped[i] = !w->mapped[i];
}

static void host_pasid_or_not(struct world *w)
{
	if (w->pasid)
		uiommu_detach_device_pasid(w->hosts[0], 3);
	else
		assert_int_equal(uiommu_attach_device_pasid(w->host, w->hosts[0], 3), 0);
	w->pasid = !w->pasid;
}

static void host(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);

	w->speaks = HOST;
	if (how & 0x10)
		host_pasid_or_not(w);
	else
		host_map_or_not(w, how & 3);
	w->speaks = NOBODY;
	told(w, true);
}

/* One command and a CMD_SYNC: they are taken. */
static void others_say(struct world *w, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2][2] = { { w0, w1 }, { OP(SYNC), 0 } };
	struct queue *q = &w->others_q;

	for (unsigned i = 0; i < 2; i++, q->prod++)
		memcpy(&q->ring[q->prod % (1u << RING_LG2) * 2], cmd[i], 16);
	q->prod &= (2u << RING_LG2) - 1;
	w->others_page.ops->write32(w->others_page.ctx, VCMDQ_PROD, q->prod);
	assert_int_equal(w->others_page.ops->read32(w->others_page.ctx, VCMDQ_CONS), q->prod);
}

static void arm(struct world *w, const struct probe *p)
{
	struct uiommu_gather g;

	assert_int_equal(p->pt->ops->map(p->pt, PROBE, p->out, PAGE, RW, NULL), 0);
	bench_sees(&w->b, p->dev, p->pasid, PROBE, p->v);
	uiommu_gather_init(&g);
	assert_int_equal(p->pt->ops->unmap(p->pt, PROBE, PAGE, &g, NULL), 0);
	assert_false(g.tables);
}

/* A page of its guest's goes, by its queue, and comes back. */
static void others_unmap(struct world *w, bool by_asid)
{
	struct uiommu_pt *pt = &w->other.pt[0];
	struct uiommu_gather g;
	uiommu_pa_t ipa;

	assert_int_equal(pt->ops->iova_to_phys(pt, VA, &ipa), 0);
	uiommu_gather_init(&g);
	assert_int_equal(pt->ops->unmap(pt, VA, PAGE, &g, NULL), 0);
	others_say(w, by_asid ? OP(TLBI_NH_ASID) | FPREP(CMD_TLBI_NH_ASID_ASID, 7)
			      : OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7), by_asid ? 0 : VA);
	bench_sees(&w->b, w->others[0], 0, VA, 0);
	assert_int_equal(pt->ops->map(pt, VA, ipa, PAGE, RW, NULL), 0);
}

/* Its memory below it: all that is cached of it goes, rightly. */
static void others_balloon(struct world *w)
{
	const uint64_t at = IPA(2) + VM_BYTES;

	assert_int_equal(uiommu_unmap(w->other.parent, at, PAGE, NULL), 0);
	bench_map(&w->b, w->other.parent, at, w->balloon);
	arm(w, &w->probe[2]);
	arm(w, &w->probe[3]);
}

static void other(struct world *w, struct input *in)
{
	uint64_t how = take(in, 1);
	unsigned invs = w->others_invs, told_before = w->other.told;

	w->speaks = OTHER;
	switch (how & 3) {
	case 0:
		others_balloon(w);
		break;
	case 1:
		others_say(w, OP(ATC_INV) | VSID(VSID_OF(0)), 52);
		assert_int_equal(w->others_invs, invs + 1);
		break;
	default:
		others_unmap(w, how & 4);
	}
	w->speaks = NOBODY;
	told(w, true);
	/* the DMA that was to fail did, and its VM knows, by its own number */
	if (how & 2) {
		assert_int_equal(w->other.told, told_before + 1);
		assert_int_equal(FGET(EVT_StreamID, w->other.record[0]), VSID_OF(0));
	}
}

static void (*const moves[])(struct world *w, struct input *in) = {
	say_some, write_register, queue_or_not, mend,	  own_or_not, say_some,	    host,
	other,	  scribble,	  dma,		nest_or_not, devices,	slice_or_not, say_some,
	write_register, say_some,
};

/* ---- what must stay as it was ---- */

static void keep(struct world *w, uint64_t off)
{
	w->regs[w->nregs][0] = off;
	w->regs[w->nregs++][1] = reg(w, off);
}

static void keep_queue(struct world *w, unsigned q)
{
	keep(w, CMDQV_CMDQ_ALLOC + 4 * q);
	keep(w, AT_QUEUE(q, VCMDQ_STATUS));
	keep(w, AT_QUEUE(q, VCMDQ_GERROR));
	keep(w, AT_QUEUE(q, VCMDQ_GERRORN));
	keep(w, AT_BASE(q));
	keep(w, AT_BASE(q) + 4);
}

static void keep_interface(struct world *w, unsigned v)
{
	keep(w, AT_VINTF(v, VINTF_CONFIG));
	keep(w, AT_VINTF(v, VINTF_STATUS));
	for (unsigned i = 0; i < PAIRS; i++) {
		keep(w, AT_VINTF(v, VINTF_SID_MATCH) + 4 * i);
		keep(w, AT_VINTF(v, VINTF_SID_REPLACE) + 4 * i);
	}
	keep_queue(w, v * PER);
	keep(w, CMDQV_CMDQ_ALLOC + 4 * (v * PER + 1));
}

/* The enemy's devices are those that it was given, by its numbers. */
static void the_enemys_pairs(struct world *w, unsigned v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAIRS; i++)
		n += (reg(w, AT_VINTF(v, VINTF_SID_MATCH) + 4 * i) & 1) != 0;
	for (unsigned i = 0; i < OURS; i++) {
		const struct uiommu_vdevice *vd = w->vd[i];

		if (!vd)
			continue;
		n--;
		assert_int_equal(reg(w, AT_VINTF(v, VINTF_SID_MATCH) + 4 * vd->slot),
				 vd->virt_id << 1 | 1);
		assert_int_equal(reg(w, AT_VINTF(v, VINTF_SID_REPLACE) + 4 * vd->slot),
				 w->dev[i]->streams[0].id);
	}
	assert_int_equal(n, 0);
}

/* Its tag and its queues are what the driver gave it. */
static void the_enemys_registers(struct world *w)
{
	unsigned v = w->vintf;

	assert_int_equal(reg(w, AT_VINTF(v, VINTF_CONFIG)),
			 w->enemy.v ? FPREP(VINTF_CONFIG_VMID, w->enemy.v->link->tag) | 1 : 0);
	the_enemys_pairs(w, v);
	for (unsigned l = 0; l < PER; l++) {
		const struct queue *q = &w->q[l];
		uint64_t base = q->q ? thost_pa(&w->b.t, q->ring) | q->lg2 : 0;

		assert_int_equal(uiommu_sim_smmuv3_cmdqv_read(w->b.sim, AT_BASE(v * PER + l), 8),
				 base);
		assert_int_equal(reg(w, CMDQV_CMDQ_ALLOC + 4 * (v * PER + l)) & 1, q->q != NULL);
	}
}

static void registers(struct world *w)
{
	for (unsigned i = 0; i < w->nregs; i++)
		assert_int_equal(reg(w, w->regs[i][0]), w->regs[i][1]);
	the_enemys_registers(w);
	assert_int_equal(w->b.irqs[UIOMMU_SIM_IRQ_GERROR], 0);
}

static void look(struct world *w, bool closely)
{
	for (unsigned i = 0; i < 4; i++)
		bench_sees(&w->b, w->probe[i].dev, w->probe[i].pasid, PROBE, w->probe[i].v);
	bench_sees(&w->b, w->hosts[2], 0, VA, 4242);
	bench_sees(&w->b, w->others[2], 1, VA, 201);
	bench_sees(&w->b, w->others[0], 0, VA, 200);
	for (unsigned i = 0; i < SLOTS; i++)
		if (w->mapped[i])
			bench_sees(&w->b, w->hosts[0], w->pasid ? 3 : 0, SLOT(i), 10 + i);
	if (closely)
		registers(w);
	assert_false(smmu(w)->cmdqv->own.dead || smmu(w)->cmdq.dead);
	assert_int_equal(smmu(w)->cmdqv->own.refused + smmu(w)->cmdq.refused, 0);
	assert_int_equal(w->failed, 0);
	assert_int_equal(w->b.late_reads, 0);
	assert_int_equal(w->b.nfaults, 0);
}

/* ---- up and down ---- */

static bool on_fault_of_others(struct world *w, const struct uiommu_fault *f)
{
	for (unsigned i = 0; i < OURS; i++)
		if (f->dev == w->dev[i])
			return true;
	return w->speaks == HOST || f->dev == w->hosts[0];
}

/* Of the enemy's devices, when they are no VM's; and what the host has unmapped. */
static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	struct world *w = world_of(ctx);

	w->b.nfaults += !on_fault_of_others(w, f);
}

static struct uiommu_dev *add(struct world *w, const char *name, uint32_t sid, bool ats)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = w->b.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 8, .group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED, .ats = ats,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(w->b.u, &cfg, &dev), 0);
	return dev;
}

static void start(struct world *w)
{
	const struct uiommu_observer obs = { .ctx = &w->b, .fault = on_fault,
					     .iommu_failed = on_failed };
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config sim;
	struct uiommu_sim_env env = bench_env(&w->b);

	uiommu_sim_smmuv3_config_init(&sim);
	sim.ats = sim.stage2 = true;
	sim.asid16 = false;
	sim.cmdqv.vintfs_lg2 = VINTFS_LG2;
	sim.cmdqv.vcmdqs_lg2 = VCMDQS_LG2;
	sim.cmdqv.sids_lg2 = PAIRS_LG2;
	bench_init_sim(&w->b, &sim, false);
	uiommu_sim_smmuv3_destroy(w->b.sim);
	env.read = env_read;
	env.write = env_write;
	assert_int_equal(uiommu_sim_smmuv3_create(&sim, &env, &w->b.sim), 0);
	w->b.t.tick = 1000;
	w->b.t.on_relax = on_relax;
	w->b.atc_inv = atc_inv;
	w->b.hook_write = on_write;
	w->b.hook_block_write = on_block_write;
	smmu.has_cmdqv = smmu.has_irq_cmdqv = true;
	smmu.irq_cmdqv = 3;
	smmu.cmdqv = bench_block(&w->b, 1u << VINTFS_LG2);
	assert_int_equal(uiommu_create(&w->b.t.host, &obs, &w->b.u), 0);
	assert_int_equal(uiommu_smmuv3_probe(w->b.u, &smmu, &w->b.iommu), 0);
}

static struct uiommu_domain *domain_with(struct world *w, struct uiommu_dev *dev, uint64_t v)
{
	struct uiommu_domain *dom = bench_domain(dev);

	bench_map(&w->b, dom, VA, bench_page(&w->b, v));
	return dom;
}

static void add_probe(struct world *w, unsigned i, struct uiommu_dev *dev, uiommu_pasid_t pasid,
		      struct uiommu_pt *pt, uint64_t out, uint64_t v)
{
	w->probe[i] = (struct probe){ dev, pasid, pt, out, v };
}

/* Its STE and CD are cached, and not there in memory. */
static void hold(struct world *w, struct uiommu_dev *dev, uint64_t *cd, uiommu_pasid_t pasid,
		 uint64_t v)
{
	bench_sees(&w->b, dev, pasid, VA, v);
	uiommu_smmuv3_strtab_entry(smmu(w), dev->streams[0].id)[0] = 0;
	cd[0] = 0;
}

static void add_host(struct world *w)
{
	for (unsigned i = 0; i < 3; i++)
		w->hosts[i] = add(w, (char[]){ 'h', (char)('0' + i), 0 }, 0x300 + i, !i);
	/* with tables that stay: what inputs need besides is counted */
	w->host = domain_with(w, w->hosts[0], 1);
	bench_map(&w->b, w->host, SLOT(SLOTS), bench_page(&w->b, 1));
	assert_int_equal(uiommu_attach_device(w->host, w->hosts[0]), 0);
	host_pasid_or_not(w);
	host_pasid_or_not(w);
	for (unsigned i = 0; i < SLOTS; i++)
		w->slot[i] = bench_page(&w->b, 10 + i);
	for (unsigned i = 0; i < 2; i++) {
		struct uiommu_domain *dom = domain_with(w, w->hosts[1], 1);
		uint64_t *page = bench_page(&w->b, 1000 + i);

		assert_int_equal(uiommu_attach_device_pasid(dom, w->hosts[1], 3 * i), 0);
		add_probe(w, i, w->hosts[1], 3 * i, &dom->pt, thost_pa(&w->b.t, page), 1000 + i);
	}
	assert_int_equal(uiommu_attach_device(domain_with(w, w->hosts[2], 4242), w->hosts[2]), 0);
	hold(w, w->hosts[2], uiommu_smmuv3_cdtab_entry(w->hosts[2]->drv, 0), 0, 4242);
}

static void add_others_queue(struct world *w)
{
	struct uiommu_hw_queue_config cfg = { 1, 0, 0, 16u << RING_LG2 };
	size_t bytes;

	w->others_q.ring = bench_page(&w->b, 0);
	cfg.base = thost_pa(&w->b.t, w->others_q.ring);
	assert_int_equal(uiommu_viommu_mmio(w->other.v, &w->others_page, &bytes), 0);
	assert_int_equal(uiommu_hw_queue_alloc(w->other.v, &cfg, &w->others_q.q), 0);
	w->others_page.ops->write32(w->others_page.ctx, VCMDQ_CONFIG, 1);
}

static void add_other(struct world *w)
{
	struct guest *g = &w->other;

	for (unsigned i = 0; i < 3; i++)
		w->others[i] = add(w, (char[]){ 'o', (char)('0' + i), 0 }, 0x200 + i, false);
	guest_init_as(g, &w->b, w->others[0], 2, 2);
	w->balloon = bench_page(&w->b, 0);
	bench_map(&w->b, g->parent, IPA(2) + VM_BYTES, w->balloon);
	guest_space(g, 2, 0x11);
	guest_space(g, 3, 0x22);
	for (unsigned i = 0; i < 3; i++) {
		own(g, w->others[i], VSID_OF(i));
		assert_int_equal(uiommu_attach_device(nested(g, w->others[i]), w->others[i]), 0);
	}
	for (unsigned i = 2; i < 4; i++) {
		uint64_t *page = guest_alloc(g, PAGE);

		*page = 2000 + i;
		add_probe(w, i, w->others[1], i, &g->pt[i], guest_ipa(g, page), 2000 + i);
	}
	hold(w, w->others[2], &g->cds[CD_WORDS], 1, 201);
	add_others_queue(w);
}

/* The other VM and the host are there for all inputs. */
static struct world *the_world(void)
{
	static struct world w;

	if (w.b.u)
		return &w;
	start(&w);
	w.speaks = HOST;
	add_host(&w);
	w.speaks = NOBODY;
	add_other(&w);
	for (unsigned i = 0; i < OURS; i++)
		w.dev[i] = add(&w, (char[]){ 'e', (char)('0' + i), 0 }, 0x100 + i, false);
	keep_interface(&w, 0);
	keep_interface(&w, vintf_of(&w.other));
	return &w;
}

/* With two devices and two queues that run, as a guest finds them. */
static void begin(struct world *w)
{
	for (unsigned i = 0; i < 4; i++)
		arm(w, &w->probe[i]);
	guest_init_as(&w->enemy, &w->b, w->dev[0], 1, 2);
	make_viommu(w);
	w->silent = w->slow = false;
	for (unsigned i = 0; i < OURS; i++) {
		struct input none = { NULL, 0 };

		w->owned[i] = true;
		assert_int_equal(uiommu_vdevice_alloc(w->enemy.v, w->dev[i], VSID_OF(i), &w->vd[i]),
				 0);
		w->dom[i] = nested(&w->enemy, w->dev[i]);
		assert_int_equal(uiommu_attach_device(w->dom[i], w->dev[i]), 0);
		alloc_queue(w, &none, i);
		store(w, OF(i, VCMDQ_CONFIG), 1, false);
	}
}

static void end(struct world *w)
{
	for (unsigned l = PER; l--;)
		if (w->q[l].q)
			free_queue(w, l);
	answer_all(w);
	for (unsigned i = 0; i < OURS; i++) {
		uiommu_detach_device_pasid(w->dev[i], 0);
		if (w->vd[i])
			uiommu_vdevice_free(w->vd[i]);
		if (w->dom[i])
			assert_int_equal(uiommu_domain_free(w->dom[i]), 0);
		w->vd[i] = NULL;
		w->dom[i] = NULL;
		w->owned[i] = false;
	}
	if (w->enemy.v)
		assert_int_equal(uiommu_viommu_free(w->enemy.v), 0);
	w->enemy.v = NULL;
	assert_int_equal(uiommu_domain_free(w->enemy.parent), 0);
	told(w, false);
	guest_fini(&w->enemy);
	w->speaks = HOST;
	for (unsigned i = 0; i < SLOTS; i++)
		if (w->mapped[i])
			host_map_or_not(w, i);
	if (w->pasid)
		host_pasid_or_not(w);
	w->speaks = NOBODY;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = the_world();
	long live = w->b.t.live, tables = w->b.t.live_tables;
	struct input in = { data, size };

	begin(w);
	look(w, true);
	for (unsigned i = 0; i < MOVES && in.left; i++) {
		moves[take(&in, 1) % (sizeof(moves) / sizeof(moves[0]))](w, &in);
		look(w, i % 4 == 3);
	}
	look(w, true);
	end(w);
	look(w, true);
	assert_int_equal(w->b.t.live, live);
	assert_int_equal(w->b.t.live_tables, tables);
	return 0;
}
