/* SPDX-License-Identifier: MIT */
/*
 * Two VMs on hardware that takes every liberty: their guests change tables and CDs and
 * say so, their memory comes and goes below them, devices wander between them, the host
 * and resets, all by a seed. After each call every device reads what it should: of its
 * own VM, by today's tables of both stages, and never an old page. Both guests use the
 * same ASIDs and the same numbers for devices. In every other world the driver and both
 * guests have queues of a TEGRA241_CMDQV, and the guests say what they like in theirs.
 */
#include "unkind.h"

#include <uiommu/nested.h>

#define VMS	2u
#define DEVS	3u
#define SLOTS	6u		/* pages of a guest's process, and of a guest's memory */
#define SPACES	2u		/* a guest's processes: no PASID, and PASID 1 */
#define STEPS	160u
#define SEEDS	24u
#define VA	0x7f0000400000ull
#define TABLES	0x10000000ull	/* IPA of a guest's tables */
#define DATA	0x20000000ull	/* IPA of its pages */
#define TABLE_PAGES	16u
#define VSID(n)		(0x40u + (n))	/* both guests call device n so */
#define RING_LG2	3u		/* of a guest's queue */

enum mode { OUT, NESTED, PARENT };	/* what the RID has */

struct vm {
	struct world *w;
	struct uiommu_host host;		/* its memory for tables, as it knows it */
	unsigned char *tables;
	size_t used;
	struct uiommu_domain *parent;
	struct uiommu_viommu *v;
	uint64_t *page[SLOTS];			/* what its memory is; NULL: nothing */
	uint64_t *cds;
	struct uiommu_pt pt[SPACES];
	bool valid[SPACES];			/* the CD */
	int slot[SPACES][SLOTS];		/* which page of its memory is there; -1 */
	struct uiommu_hw_queue *q;		/* its queue, NULL: it has none */
	struct uiommu_mmio regs;
	uint64_t *ring;				/* a page of its own */
	unsigned prod, stops;
};

struct device {
	struct uiommu_dev *dev;
	struct uiommu_vdevice *vd;
	struct uiommu_domain *dom;		/* the nested one, while a VM has it */
	struct vm *vm;
	enum mode mode;
};

struct world {
	struct unkind k;
	struct vm vm[VMS];
	struct device d[DEVS];
	uint64_t value;
	unsigned told, reads, invs, refused;
	bool queued;				/* with queues for VMs */
	struct vm *speaking;			/* by its queue, right now */
};

static unsigned pick(struct world *w, unsigned n)
{
	return unkind_pick(&w->k, n);
}

static struct world *world_of(struct unkind *k)
{
	return uiommu_container_of(k, struct world, k);
}

/* ---- hardware acts wherever it may ---- */

static struct uiommu_sim_access access_of(unsigned d, unsigned space, uint64_t iova)
{
	return (struct uiommu_sim_access){ .stream_id = 1 + d, .substream_id = space,
					   .ssv = space != 0, .iova = iova };
}

static void curiosity(struct unkind *k)
{
	struct world *w = world_of(k);
	uint64_t base = pick(w, 3) ? VA : DATA;
	const struct uiommu_sim_access a =
		access_of(pick(w, DEVS), pick(w, SPACES), base + pick(w, SLOTS) * PAGE);

	uiommu_sim_smmuv3_prefetch(w->k.b.sim, &a);
}

/* ---- guests ---- */

static void *guest_alloc(void *ctx, size_t bytes)
{
	struct vm *vm = ctx;
	void *p = vm->tables + vm->used;

	assert_int_equal(bytes, PAGE);
	vm->used += bytes;
	assert_true(vm->used <= TABLE_PAGES * PAGE);
	return memset(p, 0, bytes);
}

static void guest_free(void *ctx, void *p, size_t bytes)
{
}

static bool on_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	struct vm *vm = ctx;
	uint64_t sid;

	if (type == 2) {
		if (vm != vm->w->speaking || *(const uint64_t *)record != 1)
			fail_seed(&vm->w->k, "the wrong VM is told of a queue");
		vm->stops++;
		return true;
	}
	sid = FGET(EVT_StreamID, *(const uint64_t *)record);

	if (sid < VSID(0) || sid >= VSID(DEVS))
		fail_seed(&vm->w->k, "a VM is told of StreamID 0x%llx", (unsigned long long)sid);
	vm->w->told++;
	return true;
}

static void set_cd(struct vm *vm, unsigned space, bool valid)
{
	uint64_t cd[CD_WORDS] = { 0 };

	vm->valid[space] = valid;
	if (valid)
		uiommu_smmuv3_cd(cd, &vm->pt[space], 7 + space, true);
	/* word 0 last, and first when it goes, as the architecture asks of a guest too */
	if (!valid)
		port_store64(&vm->cds[space * CD_WORDS], 0);
	for (unsigned i = CD_WORDS; i--;)
		port_store64(&vm->cds[space * CD_WORDS + i], cd[i]);
}

/* ---- queues in their hands ---- */

static uint32_t hand_get(struct vm *vm, unsigned reg)
{
	return vm->regs.ops->read32(vm->regs.ctx, reg);
}

static void hand_set(struct vm *vm, unsigned reg, uint32_t v)
{
	vm->regs.ops->write32(vm->regs.ctx, reg, v);
}

/* Until that register says so; hardware has all the time that it wants, but not for ever. */
static void hand_wait(struct vm *vm, unsigned reg, uint32_t mask, uint32_t want)
{
	struct thost *t = &vm->w->k.b.t;

	for (unsigned i = 0; (hand_get(vm, reg) & mask) != want; i++) {
		if (i == 100000)
			fail_seed(&vm->w->k, "register 0x%x of a VM's queue stays 0x%x", reg,
				  hand_get(vm, reg));
		t->on_relax(t);
	}
}

static void open_queue(struct vm *vm)
{
	struct bench *b = &vm->w->k.b;
	struct uiommu_hw_queue_config cfg = { 1, 0, 0, 16u << RING_LG2 };
	size_t bytes;

	vm->ring = bench_page(b, 0);
	cfg.base = thost_pa(&b->t, vm->ring);
	assert_int_equal(uiommu_viommu_mmio(vm->v, &vm->regs, &bytes), 0);
	assert_int_equal(uiommu_hw_queue_alloc(vm->v, &cfg, &vm->q), 0);
	vm->prod = 0;
	hand_set(vm, VCMDQ_CONFIG, 1);
	hand_wait(vm, VCMDQ_STATUS, 1, 1);
}

/* With commands in it that nobody waited for, and its user still writing. */
static void close_queue(struct vm *vm)
{
	struct bench *b = &vm->w->k.b;

	vm->prod = (vm->prod + 1 + pick(vm->w, 3)) & ((2u << RING_LG2) - 1);
	vm->w->speaking = vm;
	hand_set(vm, VCMDQ_PROD, vm->prod);
	assert_int_equal(uiommu_hw_queue_free(vm->q), 0);
	vm->w->speaking = NULL;
	vm->q = NULL;
	bench_page_free(b, vm->ring);
	hand_set(vm, VCMDQ_CONFIG, 1);
	hand_set(vm, VCMDQ_PROD, vm->prod + 1);
	if (hand_get(vm, VCMDQ_PROD) | hand_get(vm, VCMDQ_CONFIG))
		fail_seed(&vm->w->k, "a VM has a queue in its page that was freed");
	for (unsigned i = 0; i < 8; i++)
		b->t.on_relax(&b->t);
}

/* A guest may put any VMID there. */
static void hand_put(struct vm *vm, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2][2] = { { w0, w1 }, { FPREP(CMD_Opcode, CMD_SYNC), 0 } };

	for (unsigned i = 0; i < 2; i++, vm->prod++)
		for (unsigned k = 0; k < 2; k++)
			port_store64(&vm->ring[vm->prod % (1u << RING_LG2) * 2 + k], cmd[i][k]);
	vm->prod &= (2u << RING_LG2) - 1;
	vm->w->speaking = vm;
	hand_set(vm, VCMDQ_PROD, vm->prod);
}

static void hand_done(struct vm *vm)
{
	hand_wait(vm, VCMDQ_CONS, (uint32_t)FMASK(VCMDQ_CONS_RD), vm->prod);
	vm->w->speaking = NULL;
}

static void hand_say(struct vm *vm, uint64_t w0, uint64_t w1)
{
	hand_put(vm, w0, w1);
	hand_done(vm);
}

/* It stops there, its VM is told, once; then the guest sees to it and it goes on. */
static void hand_is_refused(struct vm *vm, uint64_t w0, uint64_t w1)
{
	unsigned stops = vm->stops, at = vm->prod % (1u << RING_LG2);
	uint32_t gerror = hand_get(vm, VCMDQ_GERROR);

	hand_put(vm, w0, w1);
	hand_wait(vm, VCMDQ_GERROR, 1, ~gerror & 1);
	uiommu_smmuv3_poll(vm->w->k.b.iommu);
	uiommu_smmuv3_poll(vm->w->k.b.iommu);
	if (vm->stops != stops + 1)
		fail_seed(&vm->w->k, "told %u times of a queue that stopped", vm->stops - stops);
	port_store64(&vm->ring[at * 2], FPREP(CMD_Opcode, CMD_SYNC));
	port_store64(&vm->ring[at * 2 + 1], 0);
	hand_set(vm, VCMDQ_GERRORN, ~gerror & 1);
	hand_done(vm);
	vm->w->refused++;
}

/* Which device an invalidation of a VM's queue reaches. */
static int on_atc_inv(struct bench *b, const struct uiommu_sim_inval *inv)
{
	struct world *w = world_of(unkind_of(b));
	unsigned n = inv->stream_id - 1;

	w->invs++;
	if (n >= DEVS || !w->speaking || w->d[n].vm != w->speaking)
		fail_seed(&w->k, "a VM's queue reaches StreamID %u", inv->stream_id);
	return 0;
}

#define ATC(n) (FPREP(CMD_Opcode, CMD_ATC_INV) | FPREP(CMD_ATC_INV_StreamID, n))

static void speak(struct vm *vm)
{
	struct world *w = vm->w;
	unsigned n = pick(w, DEVS);

	switch (pick(w, 4)) {
	case 0:
		close_queue(vm);
		open_queue(vm);
		break;
	case 1:
		hand_is_refused(vm, FPREP(CMD_Opcode, CMD_CFGI_STE) |
				    FPREP(CMD_CFGI_STE_StreamID, 1 + n), 1);
		break;
	default:
		if (w->d[n].vm == vm)
			hand_say(vm, ATC(VSID(n)), 0);
		else
			hand_is_refused(vm, ATC(VSID(n)), 0);
	}
}

static void start_vm(struct world *w, struct vm *vm)
{
	const struct uiommu_pt_config pt = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct uiommu_viommu_config cfg = { .dev = w->d[0].dev, .type = 1 + w->queued,
					    .event = on_event, .ctx = vm };

	vm->w = w;
	vm->tables = thost_table_alloc(&w->k.b.t, TABLE_PAGES * PAGE);
	vm->host = (struct uiommu_host){ .ctx = vm, .table_alloc = guest_alloc,
					 .table_free = guest_free,
					 .table_offset = (uint64_t)(uintptr_t)vm->tables - TABLES };
	assert_int_equal(uiommu_domain_alloc_paging(w->d[0].dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT,
						    &vm->parent), 0);
	assert_int_equal(uiommu_map(vm->parent, TABLES, thost_pa(&w->k.b.t, vm->tables),
				    TABLE_PAGES * PAGE, RW, NULL), 0);
	cfg.parent = vm->parent;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &vm->v), 0);
	vm->cds = guest_alloc(vm, PAGE);
	for (unsigned s = 0; s < SPACES; s++) {
		assert_int_equal(uiommu_pt_arm_s1_4k_ops.init(&vm->pt[s], &vm->host, &pt), 0);
		set_cd(vm, s, true);
		memset(vm->slot[s], -1, sizeof(vm->slot[s]));
	}
	if (w->queued)
		open_queue(vm);
}

static bool queue_takes(uint64_t w0)
{
	unsigned op = FGET(CMD_Opcode, w0);

	return op == CMD_TLBI_NH_VA || op == CMD_TLBI_NH_ASID;
}

static void say(struct vm *vm, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2] = { w0, w1 };
	const struct uiommu_user_data inv = { 1, cmd, sizeof(cmd) };
	size_t handled;

	if (vm->q && queue_takes(w0) && pick(vm->w, 3)) {
		hand_say(vm, w0 | FPREP(CMD_TLBI_NH_VA_VMID, pick(vm->w, 4)), w1);
		return;
	}
	assert_int_equal(uiommu_cache_invalidate(vm->v, &inv, 1, &handled), 0);
}

#define OP(c)	FPREP(CMD_Opcode, CMD_##c)

/* Each of the ways in which a guest can say that one page changed. */
static void say_page(struct vm *vm, unsigned space, uint64_t va)
{
	const uint64_t asid = FPREP(CMD_TLBI_NH_VA_ASID, 7 + space);

	switch (pick(vm->w, 5)) {
	case 0:
		say(vm, OP(TLBI_NH_VA) | asid, va | 1);
		break;
	case 1:
		say(vm, OP(TLBI_NH_VAA), va | 1);
		break;
	case 2:
		say(vm, OP(TLBI_NH_ASID) | asid, 0);
		break;
	case 3:
		say(vm, OP(TLBI_NH_VA) | asid | FPREP(CMD_TLBI_NH_VA_NUM, 1),
		    va | 1 | FPREP(CMD_TLBI_NH_VA_TG, CMD_TLBI_TG_4K) |
		    FPREP(CMD_TLBI_NH_VA_TTL, 3));
		break;
	default:
		say(vm, OP(TLBI_NSNH_ALL), 0);
		break;
	}
}

static void change_page(struct vm *vm)
{
	unsigned space = pick(vm->w, SPACES), slot = pick(vm->w, SLOTS);
	uint64_t va = VA + slot * PAGE;
	struct uiommu_pt *pt = &vm->pt[space];
	struct uiommu_gather g;

	if (vm->slot[space][slot] >= 0) {
		uiommu_gather_init(&g);
		assert_int_equal(pt->ops->unmap(pt, va, PAGE, &g, NULL), 0);
		vm->slot[space][slot] = -1;
		say_page(vm, space, va);
	}
	if (pick(vm->w, 3)) {
		vm->slot[space][slot] = (int)pick(vm->w, SLOTS);
		assert_int_equal(pt->ops->map(pt, va, DATA + vm->slot[space][slot] * PAGE, PAGE,
					      UIOMMU_PROT_READ, NULL), 0);
	}
}

static void change_cd(struct vm *vm)
{
	unsigned space = pick(vm->w, SPACES);

	set_cd(vm, space, !vm->valid[space]);
	for (unsigned d = 0; d < DEVS; d++) {
		const uint64_t sid = FPREP(CMD_CFGI_CD_StreamID, VSID(d));

		if (vm->w->d[d].vm != vm)
			continue;
		if (pick(vm->w, 2))
			say(vm, OP(CFGI_CD) | sid | FPREP(CMD_CFGI_CD_SubstreamID, space), 1);
		else
			say(vm, OP(CFGI_CD_ALL) | sid, 0);
	}
	say(vm, OP(TLBI_NH_ASID) | FPREP(CMD_TLBI_NH_ASID_ASID, 7 + space), 0);
}

/* The page is somebody else's at once: bench_page() takes what was given back last. */
static void balloon(struct vm *vm)
{
	unsigned slot = pick(vm->w, SLOTS);
	struct bench *b = &vm->w->k.b;

	if (vm->page[slot]) {
		assert_int_equal(uiommu_unmap(vm->parent, DATA + slot * PAGE, PAGE, NULL), 0);
		bench_page_free(b, vm->page[slot]);
		vm->page[slot] = NULL;
	} else {
		vm->page[slot] = bench_page(b, ++vm->w->value);
		bench_map(b, vm->parent, DATA + slot * PAGE, vm->page[slot]);
	}
}

/* ---- devices ---- */

static struct uiommu_domain *nested(struct vm *vm, struct uiommu_dev *dev)
{
	const uint64_t ste[2] = {
		FCONST(STE_V, 1) | FPREP(STE_Config, STE_Config_S1) | FPREP(STE_S1CDMax, 1) | TABLES,
		FPREP(STE_S1DSS, STE_S1DSS_SSID0) | FPREP(STE_S1CIR, CACHE_WB) |
			FPREP(STE_S1COR, CACHE_WB) | FPREP(STE_S1CSH, SH_ISH),
	};
	const struct uiommu_user_data user = { 2, ste, sizeof(ste) };
	struct uiommu_domain *dom;

	assert_int_equal(uiommu_domain_alloc_nested(vm->parent, vm->v, dev, &user, &dom), 0);
	return dom;
}

static void give(struct world *w, unsigned n, struct vm *vm)
{
	struct device *d = &w->d[n];

	assert_int_equal(uiommu_vdevice_alloc(vm->v, d->dev, VSID(n), &d->vd), 0);
	d->dom = nested(vm, d->dev);
	assert_int_equal(uiommu_attach_device(d->dom, d->dev), 0);
	d->vm = vm;
	d->mode = NESTED;
}

static void take(struct world *w, unsigned n)
{
	struct device *d = &w->d[n];
	struct vm *vm = d->vm;

	if (!vm)
		return;
	uiommu_detach_device_pasid(d->dev, UIOMMU_NO_PASID);
	uiommu_vdevice_free(d->vd);
	assert_int_equal(uiommu_domain_free(d->dom), 0);
	d->vm = NULL;
	d->mode = OUT;
	if (vm->q)
		hand_is_refused(vm, ATC(VSID(n)), 0);
}

/* The guest switches its SMMU off and on: as if stage 1 were not there. */
static void toggle(struct device *d)
{
	struct uiommu_domain *to = d->mode == NESTED ? d->vm->parent : d->dom;

	assert_int_equal(uiommu_replace_device_pasid(to, d->dev, UIOMMU_NO_PASID), 0);
	d->mode = d->mode == NESTED ? PARENT : NESTED;
}

/* ---- what must be ---- */

static const uint64_t *expected(const struct device *d, unsigned space, unsigned slot)
{
	const struct vm *vm = d->vm;
	int at;

	if (d->mode == OUT || (d->mode == PARENT && space))
		return NULL;
	if (d->mode == PARENT)
		return vm->page[slot];
	at = vm->valid[space] ? vm->slot[space][slot] : -1;
	return at < 0 ? NULL : vm->page[at];
}

static void look(struct world *w, unsigned n, unsigned space, unsigned slot)
{
	const struct device *d = &w->d[n];
	const uint64_t *there = expected(d, space, slot);
	const struct uiommu_sim_access a =
		access_of(n, space, (d->mode == PARENT ? DATA : VA) + slot * PAGE);
	uint64_t v = 0;
	int err;

	do {
		err = uiommu_sim_smmuv3_dma(w->k.b.sim, &a, &v, sizeof(v), NULL);
		if (err == -UIOMMU_EBUSY)
			unkind_settle(&w->k);
	} while (err == -UIOMMU_EBUSY);
	if (there && (err || v != *there))
		fail_seed(&w->k, "device %u, PASID %u, slot %u: %d, 0x%llx instead of 0x%llx", n, space,
			  slot, err, (unsigned long long)v, (unsigned long long)*there);
	if (!there && !err)
		fail_seed(&w->k, "device %u, PASID %u, slot %u: 0x%llx where nothing is", n, space, slot,
			  (unsigned long long)v);
	w->reads += !err;
}

static void look_around(struct world *w)
{
	for (unsigned n = 0; n < DEVS; n++)
		for (unsigned i = 0; i < 3; i++)
			look(w, n, pick(w, SPACES), pick(w, SLOTS));
	uiommu_smmuv3_poll(w->k.b.iommu);
}

/* ---- one step ---- */

static void step(struct world *w)
{
	struct vm *vm = &w->vm[pick(w, VMS)];
	unsigned n = pick(w, DEVS);
	struct device *d = &w->d[n];

	switch (pick(w, 10 + 2 * w->queued)) {
	case 0:
		take(w, n);
		give(w, n, vm);
		break;
	case 1:
		take(w, n);
		break;
	case 2:
		if (d->vm)
			toggle(d);
		break;
	case 3:
		change_cd(vm);
		break;
	case 4:
		assert_int_equal(uiommu_device_reset_prepare(d->dev), 0);
		assert_int_equal(uiommu_device_reset_done(d->dev), 0);
		break;
	case 5:
	case 6:
		balloon(vm);
		break;
	case 10:
	case 11:
		speak(vm);
		break;
	default:
		change_page(vm);
		break;
	}
}

static void make(struct world *w, uint64_t seed)
{
	const struct uiommu_sim_env env = bench_env(&w->k.b);
	struct uiommu_smmuv3_config smmu = bench_smmu;
	struct uiommu_sim_smmuv3_config cfg;

	memset(w, 0, sizeof(*w));
	w->k.curiosity = curiosity;
	w->k.b.atc_inv = on_atc_inv;
	w->queued = seed & 1;
	w->k.b.no_hyp_own = !(seed & 2);	/* else the driver's own takes all */
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	if (w->queued) {
		cfg.ats = true;
		cfg.cmdqv.vintfs_lg2 = cfg.cmdqv.vcmdqs_lg2 = cfg.cmdqv.sids_lg2 = 2;
		smmu.has_cmdqv = true;
		smmu.cmdqv = bench_block(&w->k.b, 4);
	}
	unkind_init_as(&w->k, seed, &cfg, &env, &smmu);
}

static void end_vm(struct vm *vm)
{
	if (vm->q)
		close_queue(vm);
	assert_int_equal(uiommu_viommu_free(vm->v), 0);
	assert_int_equal(uiommu_domain_free(vm->parent), 0);
	for (unsigned i = 0; i < SLOTS; i++)
		if (vm->page[i])
			bench_page_free(&vm->w->k.b, vm->page[i]);
	thost_table_free(&vm->w->k.b.t, vm->tables, TABLE_PAGES * PAGE);
}

static unsigned all_invs;		/* in all worlds */

static void run(uint64_t seed)
{
	struct world *w = malloc(sizeof(*w));

	make(w, seed);
	for (unsigned n = 0; n < DEVS; n++)
		w->d[n].dev = bench_add(&w->k.b, (char[]){ (char)('0' + n), 0 }, 1 + n, 6);
	for (unsigned i = 0; i < VMS; i++)
		start_vm(w, &w->vm[i]);
	for (unsigned i = 0; i < STEPS; i++) {
		step(w);
		look_around(w);
	}
	for (unsigned n = 0; n < DEVS; n++)
		take(w, n);
	for (unsigned i = 0; i < VMS; i++)
		end_vm(&w->vm[i]);
	unkind_settle(&w->k);
	assert_true(w->reads > 0);
	assert_true(w->told > 0);
	assert_true(!w->queued || w->refused > 0);
	all_invs += w->invs;
	bench_fini(&w->k.b);
	free(w);
}

static void any_seed(void **state)
{
	unkind_seeds(run, 0x9a, SEEDS);
	assert_true(all_invs > 0 || getenv("UIOMMU_SEED"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_seed) };

	return cmocka_run_group_tests_name("nested_hostile", tests, NULL, NULL);
}
