/* SPDX-License-Identifier: MIT */
/*
 * guest.c - a VM that wants out: whatever it writes into its memory, says as STEs and
 * commands, and in whatever order its parent, slice and devices come and go while DMA
 * runs, another VM and the host keep what they have, and at the end nothing is left
 *
 * The input is a list of moves. After each the other VM's translations and the host's
 * are looked at.
 */
#include "tests/driver/guest.h"

#include "input.h"

#define MOVES	256
#define OURS	2u			/* the enemy's devices */

struct world {
	struct bench b;
	struct guest enemy, other;
	struct uiommu_dev *dev[OURS], *others, *hosts;
	struct uiommu_vdevice *vd[OURS];
	struct uiommu_domain *dom[OURS];	/* nested ones of the enemy's */
	struct uiommu_domain *host;
	uint64_t *page;
};

/* ---- the moves ---- */

/* Into what is likely to matter: CDs, then whatever the guest has allocated. */
static void scribble(struct world *w, struct input *in)
{
	struct guest *g = &w->enemy;
	uint64_t how = take(in, 1), at = take(in, 2), v = take(in, 8);
	uint64_t *word = how & 1 ? &g->cds[at % (CD_WORDS << CDS_LG2)]
				 : (uint64_t *)(void *)(g->mem + at * 8 % g->used);

	*word = how & 2 ? *word ^ (1ull << v % 64) : v;
}

static void command(struct world *w, struct input *in)
{
	uint64_t cmd[2 * 4];
	size_t n = 1 + take(in, 1) % 4, handled;
	const struct uiommu_user_data inv = { (unsigned)(take(in, 1) != 0), cmd, n * 16 };

	for (size_t i = 0; i < 2 * n; i++)
		cmd[i] = take(in, 8);
	if (!w->enemy.v)
		return;
	uiommu_cache_invalidate(w->enemy.v, &inv, n, &handled);
	assert_true(handled <= n);
}

/* A nested domain of garbage, or a good one; where one is, it is replaced. */
static void nest(struct world *w, struct input *in)
{
	unsigned i = take(in, 1) % OURS, bit = (unsigned)take(in, 1);
	struct uiommu_domain *dom = NULL, *was = w->dom[i];
	uint64_t ste[2];

	guest_ste(&w->enemy, ste);
	if (bit < 128)
		ste[bit / 64] ^= 1ull << bit % 64;
	if (!w->enemy.v || try_nested(&w->enemy, w->dev[i], ste, &dom))
		return;
	if (was ? uiommu_replace_device_pasid(dom, w->dev[i], 0)
		: uiommu_attach_device(dom, w->dev[i])) {
		assert_int_equal(uiommu_domain_free(dom), 0);
		return;
	}
	if (was)
		assert_int_equal(uiommu_domain_free(was), 0);
	w->dom[i] = dom;
}

static void unnest(struct world *w, struct input *in)
{
	unsigned i = take(in, 1) % OURS;

	uiommu_detach_device_pasid(w->dev[i], 0);
	if (w->dom[i])
		assert_int_equal(uiommu_domain_free(w->dom[i]), 0);
	w->dom[i] = NULL;
}

/* In S1's words, on the RID or, in vain, on a PASID. */
static void bind(struct world *w, struct input *in)
{
	unsigned i = take(in, 1) % OURS, pasid = take(in, 1) % 3;
	uint64_t ste[2];
	const struct uiommu_user_data user = { 2, ste, sizeof(ste) };

	guest_ste(&w->enemy, ste);
	if (!w->enemy.parent || w->dom[i])
		return;
	uiommu_attach_device(w->enemy.parent, w->dev[i]);
	uiommu_bind_pgtable_pasid(w->enemy.parent, w->dev[i], &user, pasid);
	if (take(in, 1) & 1)
		uiommu_unbind_pgtable_pasid(w->enemy.parent, w->dev[i], pasid);
}

static void dma(struct world *w, struct input *in)
{
	struct uiommu_dev *dev = w->dev[take(in, 1) % OURS];
	uint64_t how = take(in, 1), v = 0, at = how & 8 ? take(in, 8) : how & 16 ? IPA(1) : VA;

	if (how & 128)
		bench_poke(&w->b, dev, how & 7, at, take(in, 8));
	else
		bench_peek(&w->b, dev, how & 7, at, &v);
}

/* Its memory in pages, as a balloon takes and gives them. */
static void balloon(struct world *w, struct input *in)
{
	uint64_t off = take(in, 1) % (VM_BYTES / PAGE) * PAGE;

	if (!w->enemy.parent)
		return;
	if (take(in, 1) & 1)
		uiommu_unmap(w->enemy.parent, IPA(1) + off, PAGE, NULL);
	else
		uiommu_map(w->enemy.parent, IPA(1) + off,
			   thost_pa(&w->b.t, w->enemy.mem + off), PAGE, RW, NULL);
}

/* A device is given to the VM under some number, or taken from it. */
static void own_or_not(struct world *w, struct input *in)
{
	unsigned i = take(in, 1) % OURS;
	uint64_t vsid = take(in, 1);

	if (w->vd[i]) {
		uiommu_vdevice_free(w->vd[i]);
		w->vd[i] = NULL;
	} else if (w->enemy.v) {
		uiommu_vdevice_alloc(w->enemy.v, w->dev[i], vsid, &w->vd[i]);
	}
}

/* Parent and slice, as soon as nobody holds them; anew where they are gone. */
static void end_or_begin(struct world *w, struct input *in)
{
	struct uiommu_viommu_config cfg = { .dev = w->dev[0], .type = 1, .event = on_event,
					    .ctx = &w->enemy };

	if (take(in, 1) & 1) {
		if (w->enemy.v && !uiommu_viommu_free(w->enemy.v))
			w->enemy.v = NULL;
		if (w->enemy.parent && !uiommu_domain_free(w->enemy.parent))
			w->enemy.parent = NULL;
		return;
	}
	if (!w->enemy.parent) {
		assert_int_equal(uiommu_domain_alloc_paging(w->dev[0], PARENT, &w->enemy.parent), 0);
		assert_int_equal(uiommu_map(w->enemy.parent, IPA(1),
					    thost_pa(&w->b.t, w->enemy.mem), VM_BYTES, RW, NULL), 0);
	}
	cfg.parent = w->enemy.parent;
	if (!w->enemy.v)
		assert_int_equal(uiommu_viommu_alloc(&cfg, &w->enemy.v), 0);
}

static void (*const moves[])(struct world *w, struct input *in) = {
	scribble, command, nest, unnest, bind, dma, balloon, own_or_not, end_or_begin, dma, command,
};

/* ---- what must stay as it was ---- */

static void look(struct world *w)
{
	bench_sees(&w->b, w->others, 0, VA, 200);
	bench_sees(&w->b, w->others, 1, VA, 201);
	bench_sees(&w->b, w->hosts, 0, VA, 4242);
	assert_int_equal(*w->page, 4242);
	assert_int_equal(*(uint64_t *)(void *)(w->other.mem + VM_BYTES - PAGE), 2);
	uiommu_smmuv3_poll(w->b.iommu);
	assert_int_equal(w->other.told, 0);
}

/* The other VM and the host are there for all inputs. */
static struct world *begin(void)
{
	static struct world w;
	struct uiommu_sim_smmuv3_config cfg;
	struct uiommu_vdevice *vd;

	if (w.b.u)
		return &w;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	bench_init(&w.b, &cfg, &bench_smmu, false);
	w.dev[0] = bench_add(&w.b, "e0", 0x100, 8);
	w.dev[1] = bench_add(&w.b, "e1", 0x101, 8);
	w.others = bench_add(&w.b, "o", 0x200, 8);
	w.hosts = bench_add(&w.b, "h", 0x300, 8);
	guest_init(&w.other, &w.b, w.others, 2);
	assert_int_equal(uiommu_vdevice_alloc(w.other.v, w.others, 0x11, &vd), 0);
	assert_int_equal(uiommu_attach_device(nested(&w.other, w.others), w.others), 0);
	w.host = bench_domain(w.hosts);
	w.page = bench_page(&w.b, 4242);
	bench_map(&w.b, w.host, VA, w.page);
	assert_int_equal(uiommu_attach_device(w.host, w.hosts), 0);
	return &w;
}

static void end(struct world *w)
{
	for (unsigned i = 0; i < OURS; i++) {
		uiommu_detach_device_pasid(w->dev[i], 0);
		if (w->dom[i])
			assert_int_equal(uiommu_domain_free(w->dom[i]), 0);
		if (w->vd[i])
			uiommu_vdevice_free(w->vd[i]);
		w->dom[i] = NULL;
		w->vd[i] = NULL;
	}
	if (w->enemy.v)
		assert_int_equal(uiommu_viommu_free(w->enemy.v), 0);
	if (w->enemy.parent)
		assert_int_equal(uiommu_domain_free(w->enemy.parent), 0);
	guest_fini(&w->enemy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = begin();
	long live = w->b.t.live, tables = w->b.t.live_tables;
	struct input in = { data, size };

	guest_init(&w->enemy, &w->b, w->dev[0], 1);
	look(w);
	for (unsigned i = 0; i < MOVES && in.left; i++) {
		moves[take(&in, 1) % (sizeof(moves) / sizeof(moves[0]))](w, &in);
		look(w);
	}
	end(w);
	look(w);
	assert_int_equal(w->b.t.live, live);
	assert_int_equal(w->b.t.live_tables, tables);
	w->b.t.nlog = 0;
	return 0;
}
