/* SPDX-License-Identifier: MIT */
/*
 * world.c - a host on a hostile memory, the simulator's environment, and hardware that
 * acts when the seed lets it
 */
#include "world.h"

#include "sim/mmio.h"
#include "src/smmuv3/fields.h"
#include "tests/heap.h"

#include <stdlib.h>
#include <string.h>

const uiommu_pasid_t world_pasid[DEVS][SLOTS] = {
	{ 0, 1, 2, 3, 7 }, { 0, 1, 5, 1023, 1024 }, { 0, 1, 2, 3, 4 },
};

const uint32_t world_stream[DEVS][2] = { { 1, 0x101 }, { 2, 2 }, { 0x102, 3 } };

/* Neighbours in one table, the last entry of it, and tables of their own. */
uint64_t world_iova(unsigned region, unsigned spot)
{
	static const uint64_t base[REGIONS] = { 0x200000, 0x400000, 0x8040000000 };
	static const uint64_t at[SPOTS] = { 0, 1, 2, 511 };

	return base[region] + at[spot] * PAGE;
}

uint64_t world_address(const struct world *w, unsigned where)
{
	if (where < REGIONS * SPOTS)
		return world_iova(where / SPOTS, where % SPOTS);
	where -= REGIONS * SPOTS;
	if (where < PAGES)
		return w->page[where];
	return where < PAGES + 2 ? w->block[where - PAGES] : 0x7000000;
}

void world_note(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->cfg->log)
		return;
	fprintf(w->cfg->log, "  %-9s ", uiommu_hostile_self());
	va_start(ap, fmt);
	vfprintf(w->cfg->log, fmt, ap);
	va_end(ap);
	fputc('\n', w->cfg->log);
}

/* ---- the host ---- */

static bool refuses(struct world *w)
{
	if (++w->res->calls != w->cfg->fail_at)
		return false;
	world_note(w, "the host refuses a call");
	w->refused = true;
	w->refused_to = uiommu_hostile_self();
	return true;
}

bool world_forgives(struct world *w, int err)
{
	if (err != -UIOMMU_ENOMEM || !w->refused || w->forgiven)
		return false;
	w->forgiven = true;
	return true;
}

static void *alloc(void *ctx, size_t bytes)
{
	void *p;

	if (refuses(ctx))
		return NULL;
	p = uiommu_hostile_alloc(bytes);

	if (!p)
		uiommu_hostile_fail("the world has no memory left");
	((struct world *)ctx)->live++;
	return p;
}

static void *table_alloc(void *ctx, size_t bytes)
{
	return alloc(ctx, bytes < 64 ? 64 : bytes);
}

static void give_back(void *ctx, void *p, size_t bytes)
{
	((struct world *)ctx)->live--;
	uiommu_hostile_free(p, bytes);
}

/* For what is not the driver's: never refused. */
static void *own_alloc(void *ctx, size_t bytes)
{
	((struct world *)ctx)->live++;
	return uiommu_hostile_alloc(bytes < 64 ? 64 : bytes);
}

static void clean(void *ctx, const void *p, size_t bytes)
{
	(void)ctx;
	uiommu_hostile_clean(p, bytes);
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return uiommu_hostile_now();
}

static void relax(void *ctx)
{
	(void)ctx;
	uiommu_hostile_wait();
}

static void log_line(void *ctx, enum uiommu_log_level level, const char *line)
{
	struct world *w = ctx;

	world_note(w, "log: %s", line);
	if (level == UIOMMU_LOG_ERR && !w->setup.fails && !w->setup.silent)
		uiommu_hostile_fail("the driver says: %s", line);
}

static int lock_init(void *ctx, struct uiommu_lock *l, enum uiommu_lock_kind kind)
{
	(void)kind;
	if (refuses(ctx))
		return -UIOMMU_ENOMEM;
	((struct world *)ctx)->live++;
	memset(l, 0, sizeof(*l));
	return 0;
}

static void lock_fini(void *ctx, struct uiommu_lock *l)
{
	(void)l;
	((struct world *)ctx)->live--;
}

/* Somebody is away just then, for long: what a lock guarded is over, what follows is not. */
static void dawdle(void)
{
	for (unsigned n = pick(48) ? 0 : pick(120); n; n--)
		uiommu_hostile_wait();
}

static void lock(void *ctx, struct uiommu_lock *l)
{
	(void)ctx;
	uiommu_hostile_lock((uint64_t *)(void *)l->opaque);
}

static void unlock(void *ctx, struct uiommu_lock *l)
{
	(void)ctx;
	uiommu_hostile_unlock((uint64_t *)(void *)l->opaque);
	dawdle();
}

static unsigned read_enter(void *ctx)
{
	(void)ctx;
	uiommu_hostile_read_enter();
	return 1;
}

static void read_leave(void *ctx, unsigned token)
{
	(void)ctx;
	(void)token;
	uiommu_hostile_read_leave();
}

static void retire(void *ctx, struct uiommu_retire *r)
{
	(void)ctx;
	uiommu_hostile_retire(r);
}

static int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	struct world *w = ctx;

	if (refuses(w))
		return -UIOMMU_ENOMEM;
	w->live++;
	uiommu_hostile_release(&w->irq[irq]);
	w->irq[irq].arg = arg;
	w->irq[irq].fn = fn;
	return 0;
}

static void irq_release(void *ctx, unsigned irq)
{
	struct world *w = ctx;

	w->live--;
	w->irq[irq].fn = NULL;
	while (w->irq[irq].running)
		uiommu_hostile_wait();
	uiommu_hostile_acquire(&w->irq[irq]);
}

/* ---- registers ---- */

/* What hardware changes by itself has 32 bits. */
static uint64_t read_register(struct world *w, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_mmio_read(w->sim, off, size);

	if (size == 4)
		uiommu_hostile_yield();
	return v;
}

static void write_register(struct world *w, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_hostile_device_write();
	world_note(w, "register 0x%llx = 0x%llx", (unsigned long long)off, (unsigned long long)v);
	if (off == SMMU_CMDQ_PROD)
		faults_published(w, (uint32_t)v);
	uiommu_sim_smmuv3_mmio_write(w->sim, off, v, size);
	uiommu_hostile_yield();
}

SIM_MMIO_OPS(registers, read_register, write_register)

static int mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	(void)pa;
	if (refuses(ctx))
		return -UIOMMU_ENOMEM;
	((struct world *)ctx)->live++;
	*out = (struct uiommu_mmio){ .ops = &registers, .ctx = ctx, .bytes = bytes };
	return 0;
}

static void mmio_unmap(void *ctx, struct uiommu_mmio *m)
{
	(void)m;
	((struct world *)ctx)->live--;
}

static void make_host(struct world *w)
{
	w->host = (struct uiommu_host){
		.ctx = w, .table_alloc = table_alloc, .table_free = give_back, .alloc = alloc,
		.free = give_back, .mmio_map = mmio_map, .mmio_unmap = mmio_unmap,
		.now_ns = now, .relax = relax, .log = log_line,
		.lock_init = lock_init, .lock_fini = lock_fini, .lock = lock, .unlock = unlock,
		.read_enter = read_enter, .read_leave = read_leave, .retire = retire,
		.irq_request = w->setup.irqs ? irq_request : NULL,
		.irq_release = w->setup.irqs ? irq_release : NULL,
		.cache_clean = w->setup.coherent ? NULL : clean,
		.table_offset = (uint64_t)(uintptr_t)uiommu_hostile_memory(w->h) - PA_BASE,
	};
	w->sva.host = w->host;
	w->sva.host.table_alloc = w->sva.host.alloc = own_alloc;
}

/* ---- the simulator's world ---- */

static void *at(struct world *w, uint64_t pa)
{
	return (void *)(uintptr_t)(pa + w->host.table_offset);
}

/* The data of a DMA, not the simulator's own reading: held for a while first. */
static struct dma *data_of(struct world *w)
{
	struct dma *d = *uiommu_hostile_local();
	unsigned n;

	if (!d || !d->active || w->sim_holder == (void *)uiommu_hostile_local())
		return NULL;
	n = pick(4) ? 0 : pick(40);
	w->res->taken[UIOMMU_SIM_HELD_DMA] += n != 0;
	for (; n; n--)
		uiommu_hostile_wait();
	return d;
}

static int sim_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	struct world *w = ctx;
	struct dma *d = data_of(w);

	if (d) {
		memset(buf, 0, bytes);
		oracle_access(w, d, pa);
	} else if (uiommu_hostile_hw_read(at(w, pa), buf, bytes)) {
		uiommu_hostile_fail("hardware is led to physical 0x%llx, where there is nothing",
				    (unsigned long long)pa);
	}
	return 0;
}

/* The only pages whose data somebody looks at. */
static bool is_own(const struct world *w, uint64_t pa)
{
	for (unsigned i = 0; i < DOMS * REGIONS; i++)
		if (w->dom[i / REGIONS].region[i % REGIONS].own == pa)
			return true;
	return false;
}

static int sim_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	struct world *w = ctx;
	struct dma *d = data_of(w);

	if (d)
		oracle_access(w, d, pa);
	return d && !is_own(w, pa) ? 0 : uiommu_hostile_hw_write(at(w, pa), buf, bytes);
}

/* A piece of hardware, not a lock of CPUs: no store buffer is involved. */
static void sim_lock(void *ctx)
{
	struct world *w = ctx;

	while (w->sim_locked)
		uiommu_hostile_wait();
	w->sim_locked = true;
	w->sim_holder = (void *)uiommu_hostile_local();
}

static void sim_unlock(void *ctx)
{
	((struct world *)ctx)->sim_locked = false;
	((struct world *)ctx)->sim_holder = NULL;
}

static void sim_irq(void *ctx, enum uiommu_sim_irq line)
{
	struct world *w = ctx;
	static const int number[] = {
		[UIOMMU_SIM_IRQ_EVTQ] = 1, [UIOMMU_SIM_IRQ_GERROR] = 2,
		[UIOMMU_SIM_IRQ_SYNC] = 0, [UIOMMU_SIM_IRQ_PRIQ] = 4,
		[UIOMMU_SIM_IRQ_CMDQV] = 3,
	};

	w->irq[number[line]].pending = true;
	w->res->taken[UIOMMU_SIM_LATE_IRQ]++;
}

static unsigned choose(void *ctx, unsigned n)
{
	(void)ctx;
	return pick(n);
}

static void make_sim(struct world *w)
{
	const struct uiommu_sim_env env = {
		.ctx = w, .alloc = heap_alloc, .free = heap_free, .read = sim_read,
		.write = sim_write, .irq = sim_irq, .lock = sim_lock, .unlock = sim_unlock,
		.atc_inv = ats_inv, .page_response = faults_answered, .resume = faults_resumed,
	};
	const struct uiommu_sim_temper temper = { w, choose, w->setup.evict };
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.sidsize = 14;
	cfg.ssidsize = 11;
	cfg.stage2 = w->setup.stage2;
	cfg.ats = w->setup.ats;
	if (w->setup.cmdqv) {
		cfg.cmdqv.vintfs_lg2 = cfg.cmdqv.vcmdqs_lg2 = 1;
		cfg.cmdqv.sids_lg2 = 4;
	}
	cfg.pri = w->setup.pri;
	cfg.stall = w->setup.stall;
	cfg.stall_max = w->setup.stall_max;
	cfg.st_2level = w->setup.st_2level;
	cfg.cd_2level = !w->setup.linear_cd;
	cfg.range_inv = w->setup.ril;
	cfg.asid16 = !w->setup.asid8;
	cfg.msi = pick(2);
	cfg.coherent = w->setup.coherent;
	cfg.tlb_entries_lg2 = 8;
	cfg.reset_abort = w->setup.fails || pick(2);	/* nothing passes while it is reset */
	if (uiommu_sim_smmuv3_create(&cfg, &env, &w->sim) ||
	    uiommu_sim_smmuv3_set_temper(w->sim, &temper))
		abort();
}

/* ---- hardware that acts ---- */

static void smmu_acts(void *arg)
{
	struct world *w = arg;

	for (;;) {
		if (uiommu_sim_smmuv3_step(w->sim))
			uiommu_hostile_yield();
		else
			uiommu_hostile_wait();
	}
}

static void irqs_act(void *arg)
{
	struct world *w = arg;

	for (;; uiommu_hostile_wait()) {
		unsigned i = pick(5);

		if (!w->irq[i].pending || !w->irq[i].fn)
			continue;
		w->irq[i].pending = false;
		w->irq[i].running = true;
		uiommu_hostile_acquire(&w->irq[i]);
		w->irq[i].fn(w->irq[i].arg);
		uiommu_hostile_release(&w->irq[i]);
		w->irq[i].running = false;
	}
}

static void rest(void)
{
	for (unsigned n = pick(5); n; n--)
		uiommu_hostile_wait();
}

static void prefetcher_acts(void *arg)
{
	for (;; rest())
		prefetch_random(arg);
}

static void device_acts(void *arg)
{
	for (;; rest())
		dma_random(arg);
}

/* ---- up and down ---- */

static void choose_setup(struct world *w)
{
	static const unsigned evict[] = { 0, 4, 30, 200 }, held[] = { 0, 4, 32 };
	struct setup *s = &w->setup;

	s->coherent = pick(3);
	s->irqs = pick(4);
	s->st_2level = pick(2);
	s->ril = pick(2);
	s->asid8 = pick(2);
	s->linear_cd = !pick(4);
	s->cmdq_lg2 = 2 + pick(5);
	s->evtq_lg2 = 1 + pick(4);
	s->quarantine = held[pick(3)];
	s->evict = evict[pick(4)];
	s->fails = !pick(4) && !w->cfg->fail_at;
	s->stage2 = pick(2);
	s->sparse = !pick(3);
	s->small = pick(2);
	s->ats = pick(2);
	s->silent = s->ats && !s->fails && pick(2);
	s->cmdqv = pick(2);
	s->guest = s->cmdqv && pick(2);
	s->silent_one = pick(8);
	s->stall = pick(2);
	s->pri = s->ats && pick(2);
	s->faults = s->stall || s->pri;
	s->nested = s->stage2 && s->coherent && pick(4);
	s->stall_max = 1 + pick(STAGS);
	s->priq_lg2 = 1 + pick(3);
	s->focus = pick(4) ? 0 : 1 + pick(NUM_FOCUS);
}

void world_create(struct world *w)
{
	struct uiommu_hostile_config cfg = {
		.seed = w->cfg->seed, .bytes = MEMORY, .coherent = true,
		.limit = 400000 + 4000ull * w->cfg->steps,
	};

	/* the first numbers decide about the world itself */
	if (uiommu_hostile_create(&cfg, &w->h))
		abort();
	choose_setup(w);
	uiommu_hostile_destroy(w->h);
	cfg.coherent = w->setup.coherent;
	cfg.quarantine = w->setup.quarantine;
	if (uiommu_hostile_create(&cfg, &w->h))
		abort();
	make_host(w);
	make_sim(w);
	uiommu_hostile_spawn(w->h, "smmu", smmu_acts, w, true);
	uiommu_hostile_spawn(w->h, "irq", irqs_act, w, true);
	uiommu_hostile_spawn(w->h, "prefetch", prefetcher_acts, w, true);
	if (w->setup.ats)
		uiommu_hostile_spawn(w->h, "atcs", ats_acts, w, true);
	if (w->setup.faults)
		uiommu_hostile_spawn(w->h, "pager", pager_acts, w, true);
	for (unsigned i = 0; i < DMAS; i++)
		uiommu_hostile_spawn(w->h, ((const char *[DMAS]){ "dma0", "dma1" })[i],
				     device_acts, w, true);
}

void world_destroy(struct world *w)
{
	uiommu_sim_smmuv3_destroy(w->sim);
	uiommu_hostile_destroy(w->h);
}

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	oracle_event(ctx, f);
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	struct world *w = ctx;

	(void)iommu;
	world_note(w, "the driver says that the SMMU failed");
	if (!w->failing)
		uiommu_hostile_fail("the SMMU was shut off, and nothing is wrong with it");
}

static void on_device_failed(void *ctx, struct uiommu_dev *dev)
{
	ats_failed(ctx, dev);
}

static int on_reset(void *ctx)
{
	uiommu_sim_smmuv3_reset(((struct world *)ctx)->sim);
	return 0;
}

static int add_once(struct world *w, unsigned d)
{
	struct uiommu_dev_config cfg = {
		.name = ((const char *[DEVS]){ "a", "b", "c" })[d], .iommu = w->iommu,
		.rid = d, .stream_ids = world_stream[d], .num_stream_ids = d == 1 ? 1 : 2,
		.pasid_bits = ((const unsigned[DEVS]){ 3, 11, 4 })[d], .group = -1,
		.default_type = d == 2 ? UIOMMU_DOMAIN_IDENTITY : UIOMMU_DOMAIN_BLOCKED,
	};

	ats_configure(&w->dev[d].e, &cfg);
	return uiommu_device_add(w->u, &cfg, &w->dev[d].dev);
}

int world_add(struct world *w, unsigned d)
{
	int err = add_once(w, d);

	return world_forgives(w, err) ? add_once(w, d) : err;
}

static int domain_once(struct world *w, unsigned i)
{
	unsigned flags = i == world_whole(w) ? UIOMMU_DOMAIN_ALLOC_NEST_PARENT :
					       UIOMMU_DOMAIN_ALLOC_PASID;

	return uiommu_domain_alloc_paging(w->dev[0].dev, flags, &w->dom[i].dom);
}

int world_domain(struct world *w, unsigned i)
{
	int err = domain_once(w, i);

	return world_forgives(w, err) ? domain_once(w, i) : err;
}

static void boot_devices(struct world *w)
{
	for (unsigned d = 0; d < DEVS; d++) {
		ats_endpoint(w, &w->dev[d].e, world_stream[d], d == 1 ? 1 : 2);
		w->dev[d].e.global = d != 1;
		w->dev[d].e.always_on = d == 2 && pick(2);
		if (world_add(w, d))
			uiommu_hostile_fail("a device cannot be added");
		var_init(&w->dev[d].open, 1);
		for (unsigned s = 0; s < SLOTS; s++)
			var_init(&w->dev[d].slot[s].att, d == 2 && !s ? IDENTITY : BLOCKED);
	}
	for (unsigned i = 0; i < DOMS; i++)
		if (world_domain(w, i))
			uiommu_hostile_fail("a domain cannot be made");
	for (unsigned i = 0; i < DOMS * REGIONS * SPOTS; i++)
		var_init(&w->dom[i / (REGIONS * SPOTS)].region[i / SPOTS % REGIONS].spot[i % SPOTS],
			 0);
}

static uint64_t physical(struct world *w, size_t bytes)
{
	return (uint64_t)(uintptr_t)uiommu_hostile_alloc(bytes) - w->host.table_offset;
}

static int bring_up(struct world *w, const struct uiommu_observer *obs,
		    const struct uiommu_smmuv3_config *cfg)
{
	int err = uiommu_create(&w->host, obs, &w->u);

	if (world_forgives(w, err))
		err = uiommu_create(&w->host, obs, &w->u);
	if (!err)
		err = uiommu_smmuv3_probe(w->u, cfg, &w->iommu);
	if (world_forgives(w, err))
		err = uiommu_smmuv3_probe(w->u, cfg, &w->iommu);
	return err;
}

void world_boot(struct world *w)
{
	const struct uiommu_observer obs = { .ctx = w, .fault = on_fault,
					     .iommu_failed = on_failed,
					     .device_failed = on_device_failed };
	struct uiommu_smmuv3_config cfg = {
		.name = "smmu", .mmio_pa = 0x9050000, .mmio_bytes = 0x20000,
		.coherent = w->setup.coherent, .has_irqs = w->setup.irqs, .irq_evtq = 1,
		.irq_gerror = 2, .reset = on_reset, .reset_ctx = w,
		.cmdq_lg2 = w->setup.cmdq_lg2, .evtq_lg2 = w->setup.evtq_lg2,
		.priq_lg2 = w->setup.priq_lg2, .has_irq_priq = true, .irq_priq = 4,
	};

	for (unsigned i = 0; i < PAGES; i++)
		w->page[i] = physical(w, PAGE);
	for (unsigned i = 0; i < 2; i++)
		w->block[i] = physical(w, BLOCK);
	for (unsigned i = 0; i < DOMS * REGIONS; i++)
		w->dom[i / REGIONS].region[i % REGIONS].own = physical(w, PAGE);
	var_init(&w->on, 1);
	cmdqv_configure(w, &cfg);
	if (bring_up(w, &obs, &cfg))
		uiommu_hostile_fail("the SMMU cannot be brought up");
	boot_devices(w);
	extra_boot(w);
	sva_boot(w);
	nested_boot(w);
}

void world_shut(struct world *w)
{
	uiommu_destroy(w->u);
	if (w->refused && !w->forgiven)
		uiommu_hostile_fail("a host call was refused, and nobody said so");
	if (w->live)
		uiommu_hostile_fail("%ld allocations are left behind", w->live);
}
