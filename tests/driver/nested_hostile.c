/* SPDX-License-Identifier: MIT */
/*
 * Two VMs on hardware that takes every liberty: their guests change tables and CDs and
 * say so, their memory comes and goes below them, devices wander between them, the host
 * and resets, all by a seed. After each call every device reads what it should: of its
 * own VM, by today's tables of both stages, and never an old page. Both guests use the
 * same ASIDs and the same numbers for devices.
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
	unsigned told, reads;
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
	uint64_t sid = FGET(EVT_StreamID, *(const uint64_t *)record);

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

static void start_vm(struct world *w, struct vm *vm)
{
	const struct uiommu_pt_config pt = { .ias_lg2 = 48, .oas_lg2 = 48 };
	struct uiommu_viommu_config cfg = { .dev = w->d[0].dev, .type = 1, .event = on_event,
					    .ctx = vm };

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
}

static void say(struct vm *vm, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2] = { w0, w1 };
	const struct uiommu_user_data inv = { 1, cmd, sizeof(cmd) };
	size_t handled;

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

static void take(struct device *d)
{
	if (!d->vm)
		return;
	uiommu_detach_device_pasid(d->dev, UIOMMU_NO_PASID);
	uiommu_vdevice_free(d->vd);
	assert_int_equal(uiommu_domain_free(d->dom), 0);
	d->vm = NULL;
	d->mode = OUT;
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

	switch (pick(w, 10)) {
	case 0:
		take(d);
		give(w, n, vm);
		break;
	case 1:
		take(d);
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
	default:
		change_page(vm);
		break;
	}
}

static void make(struct world *w, uint64_t seed)
{
	const struct uiommu_sim_env env = bench_env(&w->k.b);
	struct uiommu_sim_smmuv3_config cfg;

	memset(w, 0, sizeof(*w));
	w->k.curiosity = curiosity;
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	unkind_init(&w->k, seed, &cfg, &env);
}

static void end_vm(struct vm *vm)
{
	assert_int_equal(uiommu_viommu_free(vm->v), 0);
	assert_int_equal(uiommu_domain_free(vm->parent), 0);
	for (unsigned i = 0; i < SLOTS; i++)
		if (vm->page[i])
			bench_page_free(&vm->w->k.b, vm->page[i]);
	thost_table_free(&vm->w->k.b.t, vm->tables, TABLE_PAGES * PAGE);
}

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
		take(&w->d[n]);
	for (unsigned i = 0; i < VMS; i++)
		end_vm(&w->vm[i]);
	unkind_settle(&w->k);
	assert_true(w->reads > 0);
	assert_true(w->told > 0);
	bench_fini(&w->k.b);
	free(w);
}

static void any_seed(void **state)
{
	unkind_seeds(run, 0x9a, SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_seed) };

	return cmocka_run_group_tests_name("nested_hostile", tests, NULL, NULL);
}
