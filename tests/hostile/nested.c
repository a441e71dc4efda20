/* SPDX-License-Identifier: MIT */
/*
 * nested.c - VMs whose guests have tables of their own, on several threads
 *
 * Guests' CPUs change tables and CDs, with stores that wait like all others, and say so by
 * uiommu_cache_invalidate(); their memory comes and goes below them; devices are given and
 * taken, have their stage 1 switched on and off, and are reset meanwhile. VMs end, and
 * others get their VMIDs. Both guests use the same ASIDs and numbers of devices.
 *
 * A DMA may reach a page through the values that are possible of all that lead there: the
 * device's VM, the guest's CD, the guest's entry, the VM's memory.
 */
#include "world.h"

#include "src/smmuv3/smmu.h"

#define VA	0x7f0000400000ull
#define TABLES	0x10000000ull		/* IPA of a guest's tables */
#define DATA	0x20000000ull		/* IPA of its pages */
#define TABLE_BYTES	((size_t)16 * PAGE)
#define VSID(n)	(0x40u + (n))

/* What a device's RID has: nothing, or, of VM n, */
#define NESTED(n)	(1 + 2 * (uint64_t)(n))
#define PARENT(n)	(2 + 2 * (uint64_t)(n))

static const uint32_t streams[VDEVS] = { 7, 0x106 };

/* ---- a guest's memory and tables ---- */

static void *guest_alloc(void *ctx, size_t bytes)
{
	struct vm *vm = ctx;
	void *p = vm->tables + vm->used;

	vm->used += bytes;
	if (vm->used > TABLE_BYTES)
		uiommu_hostile_fail("a guest has no memory left for tables");
	return p;
}

static void guest_free(void *ctx, void *p, size_t bytes)
{
	(void)ctx, (void)p, (void)bytes;
}

static void say(struct vm *vm, uint64_t w0, uint64_t w1)
{
	const uint64_t cmd[2] = { w0, w1 };
	const struct uiommu_user_data inv = { 1, cmd, sizeof(cmd) };
	size_t handled;
	int err = uiommu_cache_invalidate(vm->v, &inv, 1, &handled);

	vm->w->res->guest_commands++;
	if (err && !vm->w->failing)
		uiommu_hostile_fail("a guest's command returns %d", err);
}

#define OP(c)	FPREP(CMD_Opcode, CMD_##c)

/* Each of the ways in which a guest can say that one page changed. */
static void say_page(struct vm *vm, unsigned space, uint64_t va)
{
	const uint64_t asid = FPREP(CMD_TLBI_NH_VA_ASID, 7 + space);

	switch (pick(vm->w->setup.ril ? 5 : 4)) {
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
		say(vm, OP(TLBI_NSNH_ALL), 0);
		break;
	default:
		say(vm, OP(TLBI_NH_VA) | asid | FPREP(CMD_TLBI_NH_VA_NUM, 1),
		    va | 1 | FPREP(CMD_TLBI_NH_VA_TG, CMD_TLBI_TG_4K) |
		    FPREP(CMD_TLBI_NH_VA_TTL, 3));
		break;
	}
}

/* And to its devices, when the SMMU has forgotten. */
static void say_devices(struct vm *vm, unsigned space, uint64_t w1)
{
	struct nested *ne = &vm->w->nested;

	for (unsigned n = 0; n < VDEVS; n++) {
		if (ne->dev[n].vm != vm || !ne->dev[n].e.global)
			continue;
		ne->told = &ne->dev[n].e;
		say(vm, OP(ATC_INV) | FPREP(CMD_ATC_INV_StreamID, VSID(n)) |
			    FPREP(CMD_ATC_INV_SSV, space != 0) |
			    FPREP(CMD_ATC_INV_SubstreamID, space), w1);
		ne->told = NULL;
	}
}

static void change_page(struct vm *vm, unsigned space, unsigned slot, unsigned to)
{
	struct var *v = &vm->slot[space][slot];
	struct uiommu_pt *pt = &vm->pt[space];
	uint64_t va = VA + slot * PAGE;
	struct uiommu_gather g;

	if (var_now(v)) {
		world_note(vm->w, "VM %u, space %u: slot %u goes: begins", vm->number, space, slot);
		var_begin(vm->w, v, 0);
		uiommu_gather_init(&g);
		pt->ops->unmap(pt, va, PAGE, &g, NULL);
		say_page(vm, space, va);
		say_devices(vm, space, va);
		var_end(vm->w, v, true);
		world_note(vm->w, "... is over");
	}
	if (to == SLOTS_VM)
		return;
	world_note(vm->w, "VM %u, space %u: slot %u to page %u of its memory", vm->number, space,
		   slot, to);
	var_begin(vm->w, v, 1 + to);
	if (pt->ops->map(pt, va, DATA + to * PAGE, PAGE, RW, NULL))
		uiommu_hostile_fail("a guest cannot map");
	uiommu_hostile_device_write();
	var_end(vm->w, v, true);
}

/* Word 0 last, and first when it goes, as the architecture asks of a guest too. */
static void store_cd(struct vm *vm, unsigned space, bool valid)
{
	uint64_t cd[CD_WORDS] = { 0 };
	uint64_t *to = &vm->cds[space * CD_WORDS];

	if (valid)
		uiommu_smmuv3_cd(cd, &vm->pt[space], 7 + space, true);
	else
		port_store64(&to[0], 0);
	for (unsigned i = CD_WORDS; --i;)
		port_store64(&to[i], cd[i]);
	port_dma_wmb();
	port_store64(&to[0], cd[0]);
	port_dma_mb();
}

static bool forgives(struct world *w, const struct vdev *d, int err)
{
	return world_forgives(w, err) || w->failing || (d->e.trouble && err == -UIOMMU_EIO);
}

static int alloc_nested(struct vm *vm, struct vdev *d)
{
	const uint64_t ste[2] = {
		FCONST(STE_V, 1) | FPREP(STE_Config, STE_Config_S1) | FPREP(STE_S1CDMax, 1) | TABLES,
		FPREP(STE_S1DSS, STE_S1DSS_SSID0) | FPREP(STE_S1CIR, CACHE_WB) |
			FPREP(STE_S1COR, CACHE_WB) | FPREP(STE_S1CSH, SH_ISH) |
			FPREP(STE_EATS, d->e.global && vm->w->setup.ats ? STE_EATS_TRANS : 0),
	};
	const struct uiommu_user_data user = { 2, ste, sizeof(ste) };

	return uiommu_domain_alloc_nested(vm->parent, vm->v, d->dev, &user, &d->dom);
}

/*
 * CFGI_STE of a guest's, which stands for all CDs behind it (IHI 0070, 4.3.1): its VMM
 * attaches what stands in the guest's STE anew, be it what stood there before.
 */
static bool say_ste(struct vm *vm, struct vdev *d)
{
	struct world *w = vm->w;
	struct uiommu_domain *old = d->dom;
	int err;

	if (d->busy || d->reset || d->unsure || var_now(&d->has) != NESTED(vm->number))
		return false;
	d->busy = true;
	err = alloc_nested(vm, d);
	if (!err)
		err = uiommu_replace_device_pasid(d->dom, d->dev, UIOMMU_NO_PASID);
	world_note(w, "VM %u says CFGI_STE of device %c: %d", vm->number, 'h' + d->number, err);
	if (err && !forgives(w, d, err))
		uiommu_hostile_fail("a guest's STE cannot be attached again: %d", err);
	d->unsure |= err && err != -UIOMMU_ENOMEM;
	if (!err || d->dom != old)
		uiommu_domain_free(err ? d->dom : old);
	if (err)
		d->dom = old;
	uiommu_hostile_handover();
	d->busy = false;
	return !err;
}

static void say_cd(struct vm *vm, struct vdev *d, unsigned space)
{
	const uint64_t sid = FPREP(CMD_CFGI_CD_StreamID, VSID(d->number));

	switch (pick(3)) {
	case 0:
		if (say_ste(vm, d))
			break;
		/* fall through */
	case 1:
		say(vm, OP(CFGI_CD) | sid | FPREP(CMD_CFGI_CD_SubstreamID, space), 1);
		break;
	default:
		say(vm, OP(CFGI_CD_ALL) | sid, 0);
	}
}

static void change_cd(struct vm *vm, unsigned space)
{
	bool valid = !var_now(&vm->cd[space]);

	world_note(vm->w, "VM %u: CD %u %s: begins", vm->number, space, valid ? "comes" : "goes");
	var_begin(vm->w, &vm->cd[space], valid);
	store_cd(vm, space, valid);
	for (unsigned n = 0; n < VDEVS; n++)
		if (vm->w->nested.dev[n].vm == vm)
			say_cd(vm, &vm->w->nested.dev[n], space);
	say(vm, OP(TLBI_NH_ASID) | FPREP(CMD_TLBI_NH_ASID_ASID, 7 + space), 0);
	say_devices(vm, space, FPREP(CMD_ATC_INV_Size, CMD_ATC_INV_Size_ALL));
	var_end(vm->w, &vm->cd[space], true);
	world_note(vm->w, "... is over");
}

void nested_guest(struct world *w, const struct op *op)
{
	struct vm *vm = &w->nested.vm[op->a % VMS];
	unsigned space = op->b % VSPACES, slot = op->c % SLOTS_VM;

	if (!w->setup.nested || w->failing || vm->moving || vm->space_busy[space])
		return;
	vm->changing++;
	vm->space_busy[space] = true;
	w->nested.hot = slot;
	if (op->d % 16 && var_now(&vm->cd[space]))
		change_page(vm, space, slot, op->d / 8 % (SLOTS_VM + 1));
	else
		change_cd(vm, space);
	nested_dma(w, pick(VDEVS), space, slot, op->d & 1);
	uiommu_hostile_handover();
	vm->space_busy[space] = false;
	vm->changing--;
}

/* ---- its memory ---- */

void nested_balloon(struct world *w, const struct op *op)
{
	struct vm *vm = &w->nested.vm[op->a % VMS];
	unsigned n = op->b % SLOTS_VM, page = op->c % PAGES;
	struct var *v = &vm->page[n];
	int err;

	if (!w->setup.nested || w->failing || vm->busy || vm->page_busy[n] ||
	    (var_now(v) && op->d & 2))
		return;
	vm->users++;
	vm->page_busy[n] = true;
	world_note(w, "VM %u: page %u of its memory %s: begins", vm->number, n,
		   var_now(v) ? "goes" : "comes");
	var_begin(w, v, var_now(v) ? 0 : w->page[page]);
	err = var_now(v) ? uiommu_map(vm->parent, DATA + n * PAGE, w->page[page], PAGE, RW, NULL) :
			   uiommu_unmap(vm->parent, DATA + n * PAGE, PAGE, NULL);
	uiommu_hostile_device_write();
	if (err && !world_forgives(w, err))
		uiommu_hostile_fail("a VM's memory cannot be changed: %d", err);
	var_end(w, v, !err);
	world_note(w, "... returns");
	nested_dma(w, pick(VDEVS), pick(VSPACES), op->d % SLOTS_VM, op->d & 1);
	uiommu_hostile_handover();
	vm->page_busy[n] = false;
	vm->users--;
}

/* ---- its devices ---- */

/* Taken back as far as it came. */
static void ungive(struct vdev *d)
{
	if (d->dom && uiommu_domain_free(d->dom))
		uiommu_hostile_fail("a nested domain that is attached nowhere cannot go");
	if (d->vd)
		uiommu_vdevice_free(d->vd);
	d->dom = NULL;
	d->vd = NULL;
}

static void give(struct world *w, struct vdev *d, struct vm *vm)
{
	int want = d->reset ? -UIOMMU_EBUSY : 0, err;

	world_note(w, "device %c is given to VM %u: begins", 'h' + d->number, vm->number);
	var_begin(w, &d->has, want ? 0 : NESTED(vm->number));
	err = uiommu_vdevice_alloc(vm->v, d->dev, VSID(d->number), &d->vd);
	if (!err)
		err = alloc_nested(vm, d);
	if (!err)
		err = uiommu_attach_device(d->dom, d->dev);
	world_note(w, "... returns %d", err);
	if (err != want && !forgives(w, d, err))
		uiommu_hostile_fail("a device cannot be given to a VM: %d", err);
	var_end(w, &d->has, !err);
	if (err) {
		ungive(d);
		return;
	}
	d->vm = vm;
	vm->users++;
}

static void take(struct world *w, struct vdev *d)
{
	world_note(w, "device %c is taken from VM %u: begins", 'h' + d->number, d->vm->number);
	var_begin(w, &d->has, 0);
	uiommu_detach_device_pasid(d->dev, UIOMMU_NO_PASID);
	var_end(w, &d->has, true);
	world_note(w, "... returns");
	ungive(d);
	d->vm->users--;
	d->vm = NULL;
}

/* The guest switches its SMMU off and on: as if stage 1 were not there. */
static void toggle(struct world *w, struct vdev *d)
{
	bool nested = var_now(&d->has) == NESTED(d->vm->number);
	int want = d->reset ? -UIOMMU_EBUSY : 0, err;

	world_note(w, "device %c of VM %u: stage 1 goes %s: begins", 'h' + d->number,
		   d->vm->number, nested ? "off" : "on");
	var_begin(w, &d->has, want ? var_now(&d->has) :
		  nested ? PARENT(d->vm->number) : NESTED(d->vm->number));
	err = uiommu_replace_device_pasid(nested ? d->vm->parent : d->dom, d->dev,
					  UIOMMU_NO_PASID);
	world_note(w, "... returns %d", err);
	if (err != want && !forgives(w, d, err))
		uiommu_hostile_fail("stage 1 cannot be switched: %d", err);
	var_end(w, &d->has, !err);
	/* as before, or BLOCKED: which of them does not matter for what may be reached */
	d->unsure |= err && err != want;
}

static void reset(struct world *w, struct vdev *d)
{
	int err;

	world_note(w, "reset_%s of device %c: begins", d->reset ? "done" : "prepare",
		   'h' + d->number);
	var_begin(w, &d->open, d->reset);
	err = (d->reset ? uiommu_device_reset_done : uiommu_device_reset_prepare)(d->dev);
	world_note(w, "... returns %d", err);
	if (err && !forgives(w, d, err))
		uiommu_hostile_fail("a reset of a VM's device returns %d", err);
	d->unsure |= err != 0;
	var_end(w, &d->open, d->reset || !err);
	if (d->reset)
		ats_well(w, &d->e);
	else if (!err)
		ats_reset(&d->e);
	d->reset = !d->reset && !err;
}

/* Given and taken while no thread of the VM's guest speaks of it. */
static void move(struct world *w, struct vdev *d, struct vm *vm)
{
	if (d->vm)
		vm = d->vm;
	if (vm->changing || vm->moving || vm->busy)
		return;
	vm->moving = true;
	if (d->vm)
		take(w, d);
	else
		give(w, d, vm);
	d->unsure = false;
	vm->moving = false;
}

void nested_device(struct world *w, const struct op *op)
{
	struct vdev *d = &w->nested.dev[op->a % VDEVS];

	if (!w->setup.nested || w->failing || d->busy)
		return;
	d->busy = true;
	if (op->b % 4 == 0)
		reset(w, d);
	else if (d->vm && op->b % 4 == 1 && !d->unsure)
		toggle(w, d);
	else if (!d->vm || op->b & 8)
		move(w, d, &w->nested.vm[op->c % VMS]);
	nested_dma(w, d->number, pick(VSPACES), op->d % SLOTS_VM, op->d & 1);
	uiommu_hostile_handover();
	d->busy = false;
}

/* ---- VMs ---- */

static bool on_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	struct vm *vm = ctx;
	uint64_t sid = FGET(EVT_StreamID, *(const uint64_t *)record);

	(void)type, (void)bytes;
	if (sid < VSID(0) || sid >= VSID(VDEVS))
		uiommu_hostile_fail("a VM is told of StreamID 0x%llx", (unsigned long long)sid);
	vm->w->res->guest_events++;
	return true;
}

static void make_tables(struct vm *vm)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 44 };

	vm->used = 0;
	vm->tables = uiommu_hostile_alloc(TABLE_BYTES);
	vm->host = (struct uiommu_host){
		.ctx = vm, .table_alloc = guest_alloc, .table_free = guest_free,
		.table_offset = (uint64_t)(uintptr_t)vm->tables - TABLES,
	};
	vm->cds = guest_alloc(vm, PAGE);
	for (unsigned s = 0; s < VSPACES; s++) {
		if (uiommu_pt_arm_s1_4k_ops.init(&vm->pt[s], &vm->host, &cfg))
			uiommu_hostile_fail("a guest cannot make a table");
		var_begin(vm->w, &vm->cd[s], 1);
		store_cd(vm, s, true);
		var_end(vm->w, &vm->cd[s], true);
	}
}

static int start_once(struct world *w, struct vm *vm)
{
	struct uiommu_viommu_config cfg = { .type = 1, .event = on_event, .ctx = vm,
					    .dev = w->nested.dev[0].dev };
	uint64_t at = (uint64_t)(uintptr_t)vm->tables - w->host.table_offset;
	int err = vm->parent ? 0 :
		  uiommu_domain_alloc_paging(w->nested.dev[0].dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT,
					     &vm->parent);

	cfg.parent = vm->parent;
	if (!err && !vm->mapped)
		err = uiommu_map(vm->parent, TABLES, at, TABLE_BYTES, RW, NULL);
	vm->mapped = vm->parent && (vm->mapped || !err);
	return err ? err : uiommu_viommu_alloc(&cfg, &vm->v);
}

static void start(struct world *w, struct vm *vm)
{
	int err;

	make_tables(vm);
	do {
		err = start_once(w, vm);
		if (world_forgives(w, err) && vm->parent && !vm->mapped)
			uiommu_unmap(vm->parent, TABLES, TABLE_BYTES, NULL);
	} while (err == -UIOMMU_ENOMEM && w->forgiven && !vm->v);
	if (err)
		uiommu_hostile_fail("a VM cannot be made: %d", err);
}

static void stop(struct world *w, struct vm *vm)
{
	world_note(w, "VM %u ends", vm->number);
	if (uiommu_viommu_free(vm->v) || uiommu_domain_free(vm->parent))
		uiommu_hostile_fail("a VM without devices cannot go");
	for (unsigned n = 0; n < SLOTS_VM; n++) {
		var_begin(w, &vm->page[n], 0);
		var_end(w, &vm->page[n], true);
		for (unsigned s = 0; s < VSPACES; s++) {
			var_begin(w, &vm->slot[s][n], 0);
			var_end(w, &vm->slot[s][n], true);
		}
	}
	uiommu_hostile_free(vm->tables, TABLE_BYTES);
	vm->parent = NULL;
	vm->v = NULL;
	vm->mapped = false;
}

void nested_vm(struct world *w, const struct op *op)
{
	struct vm *vm = &w->nested.vm[op->a % VMS];

	if (!w->setup.nested || w->failing || vm->busy || vm->users || vm->changing || vm->moving)
		return;
	vm->busy = vm->moving = true;
	stop(w, vm);
	start(w, vm);
	uiommu_hostile_handover();
	vm->busy = vm->moving = false;
}

static int add(struct world *w, struct vdev *d)
{
	struct uiommu_dev_config cfg = {
		.name = d->number ? "i" : "h", .iommu = w->iommu, .rid = 8 + d->number,
		.stream_ids = &streams[d->number], .num_stream_ids = 1, .pasid_bits = 2,
		.group = -1, .default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	int err;

	ats_configure(&d->e, &cfg);
	do {
		err = uiommu_device_add(w->u, &cfg, &d->dev);
	} while (world_forgives(w, err));
	return err;
}

void nested_boot(struct world *w)
{
	struct nested *ne = &w->nested;

	for (unsigned n = 0; n < VDEVS && w->setup.nested; n++) {
		struct vdev *d = &ne->dev[n];

		d->number = n;
		ats_endpoint(w, &d->e, &streams[n], 1);
		d->e.global = n == 0;
		if (d->e.global && !pick(3))
			w->setup.silent_one = w->num_endpoints - 1;
		var_init(&d->open, 1);
		var_init(&d->has, 0);
		if (add(w, d))
			uiommu_hostile_fail("a device for VMs cannot be added");
	}
	for (unsigned i = 0; i < VMS && w->setup.nested; i++) {
		struct vm *vm = &ne->vm[i];

		vm->w = w;
		vm->number = i;
		for (unsigned n = 0; n < SLOTS_VM * (VSPACES + 1); n++)
			var_init(n < SLOTS_VM ? &vm->page[n] :
				 &vm->slot[n / SLOTS_VM - 1][n % SLOTS_VM], 0);
		for (unsigned s = 0; s < VSPACES; s++)
			var_init(&vm->cd[s], 0);
		start(w, vm);
	}
}

void nested_shut(struct world *w)
{
	for (unsigned n = 0; n < VDEVS && w->setup.nested; n++)
		if (w->nested.dev[n].vm)
			take(w, &w->nested.dev[n]);
	for (unsigned i = 0; i < VMS && w->setup.nested; i++)
		stop(w, &w->nested.vm[i]);
}

/* ---- DMA, and what must be ---- */

struct values {
	uint64_t v[KEPT];
	unsigned n;
	bool whole;
};

static struct values of(const struct var *var, uint64_t t0, uint64_t t1)
{
	struct values x;

	x.n = var_possible(var, t0, t1, x.v, &x.whole);
	return x;
}

static bool one(const struct values *x)
{
	for (unsigned i = 1; i < x->n; i++)
		if (x->v[i] != x->v[0])
			return false;
	return x->n && x->whole && x->v[0];
}

static bool has(const struct values *x, uint64_t v)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->v[i] == v)
			return true;
	return false;
}

static bool leads_to(const struct vm *vm, unsigned ipa, uint64_t page, uint64_t now)
{
	struct values pages = of(&vm->page[ipa], now, now);

	return has(&pages, page);
}

static bool by_guest(const struct vm *vm, const struct dma *d, uint64_t page, uint64_t now)
{
	struct values cd = of(&vm->cd[d->slot], now, now);
	struct values to = of(&vm->slot[d->slot][d->where], now, now);

	for (unsigned i = 0; i < to.n && has(&cd, 1); i++)
		if (to.v[i] && leads_to(vm, (unsigned)to.v[i] - 1, page, now))
			return true;
	return false;
}

static void judge_access(struct world *w, const struct dma *d, uint64_t pa)
{
	const struct vdev *dev = &w->nested.dev[d->dev];
	uint64_t now = w->clock, page = pa & ~(uint64_t)(PAGE - 1);
	struct values open = of(&dev->open, now, now), of_vm = of(&dev->has, now, now);

	if (w->failing)
		return;
	for (unsigned i = 0; i < VMS && has(&open, 1); i++) {
		if (has(&of_vm, NESTED(i)) && d->guest && by_guest(&w->nested.vm[i], d, page, now))
			return;
		if (has(&of_vm, PARENT(i)) && !d->guest && !d->slot &&
		    leads_to(&w->nested.vm[i], d->where, page, now))
			return;
	}
	uiommu_hostile_fail("device %c, PASID %u, at %s slot %u reaches physical 0x%llx, which it "
			    "must not (any more)", 'h' + d->dev, d->slot, d->guest ? "its guest's" :
			    "its VM's", d->where, (unsigned long long)pa);
}

/* Was there one way, all the time? */
static bool clear_way(const struct world *w, const struct dma *d, uint64_t t0, uint64_t t1)
{
	const struct vdev *dev = &w->nested.dev[d->dev];
	struct values open = of(&dev->open, t0, t1), x = of(&dev->has, t0, t1);
	unsigned ipa = d->where;
	const struct vm *vm;

	if (!one(&open) || !one(&x) || dev->unsure)
		return false;
	vm = &w->nested.vm[(x.v[0] - 1) / 2];
	if (x.v[0] == NESTED(vm->number) ? !d->guest : d->guest || d->slot)
		return false;
	if (d->guest) {
		struct values cd = of(&vm->cd[d->slot], t0, t1);
		struct values to = of(&vm->slot[d->slot][d->where], t0, t1);

		if (!one(&cd) || !one(&to))
			return false;
		ipa = (unsigned)to.v[0] - 1;
	}
	x = of(&vm->page[ipa], t0, t1);
	return one(&x);
}

static void judge_abort(struct world *w, const struct dma *d)
{
	if (!w->failing && !ats_excuses(d) && clear_way(w, d, d->began, w->clock))
		uiommu_hostile_fail("a DMA of device %c, PASID %u, at slot %u is aborted, and nothing "
				    "was in its way", 'h' + d->dev, d->slot, d->where);
}

static const struct judge judge = { judge_access, judge_abort };

/* Of a guest's addresses mostly; some as if it had no stage 1. */
void nested_dma(struct world *w, unsigned n, unsigned space, unsigned slot, bool write)
{
	struct vdev *v = &w->nested.dev[n];
	struct dma d = { .dev = n, .slot = space, .where = slot, .guest = pick(4), .write = write,
			 .active = true, .began = w->clock, .judge = &judge };
	const struct uiommu_sim_access a = {
		.stream_id = streams[n], .substream_id = space, .ssv = space, .write = write,
		.iova = (d.guest ? VA : DATA) + slot * PAGE,
	};
	int err;

	v->flying++;
	world_note(w, "DMA of device %c, PASID %u, to %s slot %u arrives", 'h' + n, space,
		   d.guest ? "its guest's" : "its VM's", slot);
	err = ats_dma(w, &v->e, 0, &a, &d);
	*uiommu_hostile_local() = NULL;
	w->res->dmas++;
	w->res->aborts += err != 0;
	w->res->nested_dmas += !err;
	v->aborts += err != 0;
	if (err)
		judge_abort(w, &d);
	v->flying--;
}

void nested_random(struct world *w)
{
	nested_dma(w, pick(VDEVS), pick(VSPACES), pick(2) ? w->nested.hot : pick(SLOTS_VM),
		   pick(2));
}

void nested_prefetch(struct world *w)
{
	unsigned space = pick(VSPACES);
	const struct uiommu_sim_access a = {
		.stream_id = streams[pick(VDEVS)], .substream_id = space, .ssv = space,
		.iova = (pick(4) ? VA : DATA) + (pick(2) ? w->nested.hot : pick(SLOTS_VM)) * PAGE,
	};

	uiommu_sim_smmuv3_prefetch(w->sim, &a);
}

bool nested_event(struct world *w, const struct uiommu_fault *f)
{
	for (unsigned n = 0; n < VDEVS && w->setup.nested; n++) {
		struct vdev *d = &w->nested.dev[n];

		if (streams[n] == f->stream_id)
			return ++d->events <= d->aborts + d->flying;
	}
	return false;
}
