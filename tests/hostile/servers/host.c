/* SPDX-License-Identifier: MIT */
/*
 * host.c - a host on a hostile memory that looks at the order of locks, the simulator's
 * environment, and hardware that acts when the seed lets it
 */
#include "srv.h"

#include "sim/mmio.h"
#include "src/smmuv3/fields.h"
#include "tests/heap.h"

#include <stdlib.h>
#include <string.h>

void srv_note(struct srv *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->cfg->log)
		return;
	fprintf(s->cfg->log, "  %-9s ", uiommu_hostile_self());
	va_start(ap, fmt);
	vfprintf(s->cfg->log, fmt, ap);
	va_end(ap);
	fputc('\n', s->cfg->log);
}

uint64_t host_pa(const struct srv *s, const void *p)
{
	return (uint64_t)(uintptr_t)p - s->host.table_offset;
}

/* ---- locks ---- */

/* What lies in a lock's room: the word that is taken, and where it belongs in the order. */
struct room {
	uint64_t word;
	uint64_t rank;
};

static struct cpu *cpu_of(struct srv *s)
{
	const char *name = uiommu_hostile_self();
	unsigned i = 0;

	while (s->cpu[i].name && s->cpu[i].name != name)
		i++;
	if (!s->cpu[i].name)
		s->cpu[i] = (struct cpu){ .name = name, .making = RANK_CORE };
	return &s->cpu[i];
}

static const char *rank_name(enum rank r)
{
	static const char *const names[] = { "", "VFIO device", "context", "core", "spin" };

	return names[r];
}

/* What may sleep, or asks a program, is not called where a device or an interrupt waits. */
void host_may_sleep(struct srv *s, const char *what)
{
	const struct cpu *c = cpu_of(s);

	if (c->num && c->held[c->num - 1].rank == RANK_SPIN)
		uiommu_hostile_fail("%s with a spin lock held", what);
}

void host_makes(struct srv *s, enum rank rank)
{
	cpu_of(s)->making = rank;
}

static int lock_init(void *ctx, struct uiommu_lock *l, enum uiommu_lock_kind kind)
{
	struct srv *s = ctx;
	struct room *r = (void *)l->opaque;

	host_may_sleep(s, "lock_init");
	memset(l, 0, sizeof(*l));
	r->rank = kind == UIOMMU_LOCK_SPIN ? RANK_SPIN : cpu_of(s)->making;
	s->locks++;
	return 0;
}

static void lock_fini(void *ctx, struct uiommu_lock *l)
{
	const struct room *r = (const void *)l->opaque;
	struct srv *s = ctx;

	if (uiommu_hostile_load64(&r->word))
		uiommu_hostile_fail("a lock ends that is held");
	uiommu_hostile_mb();		/* what gave it back is seen before it is gone */
	memset(l, 0xa5, sizeof(*l));
	s->locks--;
}

static void lock(void *ctx, struct uiommu_lock *l)
{
	struct room *r = (void *)l->opaque;
	struct cpu *c = cpu_of(ctx);

	if (r->rank < RANK_VFIO || r->rank > RANK_SPIN)
		uiommu_hostile_fail("a lock is taken that is none (any more)");
	for (unsigned i = 0; i < c->num; i++)
		if (c->held[i].rank >= (enum rank)r->rank)
			uiommu_hostile_fail("lock order: %s below %s", rank_name((enum rank)r->rank),
					    rank_name(c->held[i].rank));
	uiommu_hostile_lock(&r->word);
	c->held[c->num].rank = (enum rank)r->rank;
	c->held[c->num++].lock = l;
}

static void unlock(void *ctx, struct uiommu_lock *l)
{
	struct cpu *c = cpu_of(ctx);
	unsigned i = 0;

	while (i < c->num && c->held[i].lock != l)
		i++;
	if (i < c->num)
		c->held[i] = c->held[--c->num];
	uiommu_hostile_unlock((uint64_t *)(void *)l->opaque);
}

/* ---- memory ---- */

static void *alloc(void *ctx, size_t bytes)
{
	struct srv *s = ctx;
	void *p;

	host_may_sleep(s, "alloc");
	p = uiommu_hostile_alloc(bytes < 64 ? 64 : bytes);
	if (!p)
		uiommu_hostile_fail("the world has no memory left");
	s->live++;
	return p;
}

static void give_back(void *ctx, void *p, size_t bytes)
{
	if (!p)
		return;
	((struct srv *)ctx)->live--;
	uiommu_hostile_free(p, bytes < 64 ? 64 : bytes);
}

static void clean(void *ctx, const void *p, size_t bytes)
{
	uiommu_hostile_clean(p, bytes);
}

/* ---- time, readers, interrupts ---- */

static uint64_t now(void *ctx)
{
	return uiommu_hostile_now();
}

static void relax(void *ctx)
{
	uiommu_hostile_wait();
}

static void log_line(void *ctx, enum uiommu_log_level level, const char *line)
{
	srv_note(ctx, "log: %s", line);
	if (level == UIOMMU_LOG_ERR)
		uiommu_hostile_fail("the library says: %s", line);
}

static unsigned read_enter(void *ctx)
{
	uiommu_hostile_read_enter();
	return 1;
}

static void read_leave(void *ctx, unsigned token)
{
	uiommu_hostile_read_leave();
}

static void retire(void *ctx, struct uiommu_retire *r)
{
	uiommu_hostile_retire(r);
}

static int irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	struct srv *s = ctx;

	uiommu_hostile_release(&s->irq[irq]);
	s->irq[irq].arg = arg;
	s->irq[irq].fn = fn;
	return 0;
}

static void irq_release(void *ctx, unsigned irq)
{
	struct srv *s = ctx;

	s->irq[irq].fn = NULL;
	while (s->irq[irq].running)
		uiommu_hostile_wait();
	uiommu_hostile_acquire(&s->irq[irq]);
}

/* ---- registers ---- */

static uint64_t read_register(struct srv *s, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_mmio_read(s->sim, off, size);

	if (size == 4)
		uiommu_hostile_yield();
	return v;
}

static void write_register(struct srv *s, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_hostile_device_write();
	uiommu_sim_smmuv3_mmio_write(s->sim, off, v, size);
	uiommu_hostile_yield();
}

SIM_MMIO_OPS(registers, read_register, write_register)

static uint64_t read_cmdqv(struct srv *s, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_cmdqv_read(s->sim, off, size);

	if (size == 4)
		uiommu_hostile_yield();
	return v;
}

static void write_cmdqv(struct srv *s, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_hostile_device_write();
	uiommu_sim_smmuv3_cmdqv_write(s->sim, off, v, size);
	uiommu_hostile_yield();
}

SIM_MMIO_OPS(cmdqv_registers, read_cmdqv, write_cmdqv)

static int mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	*out = (struct uiommu_mmio){ .ops = &registers, .ctx = ctx, .bytes = bytes };
	return 0;
}

static void mmio_unmap(void *ctx, struct uiommu_mmio *m)
{
}

static void make_host(struct srv *s)
{
	s->host = (struct uiommu_host){
		.ctx = s, .table_alloc = alloc, .table_free = give_back, .alloc = alloc,
		.free = give_back, .mmio_map = mmio_map, .mmio_unmap = mmio_unmap,
		.now_ns = now, .relax = relax, .log = log_line,
		.lock_init = lock_init, .lock_fini = lock_fini, .lock = lock, .unlock = unlock,
		.read_enter = read_enter, .read_leave = read_leave, .retire = retire,
		.irq_request = s->irqs ? irq_request : NULL,
		.irq_release = s->irqs ? irq_release : NULL,
		.cache_clean = s->coherent ? NULL : clean,
		.table_offset = (uint64_t)(uintptr_t)uiommu_hostile_memory(s->h) - PA_BASE,
	};
}

/* ---- the simulator's world ---- */

static void *at(struct srv *s, uint64_t pa)
{
	return (void *)(uintptr_t)(pa + s->host.table_offset);
}

/* The data of a DMA, not the simulator's own reading: held for a while first. */
static struct flight *data_of(struct srv *s)
{
	struct flight *f = *uiommu_hostile_local();
	unsigned n;

	if (!f || !f->active || s->sim_holder == (void *)uiommu_hostile_local())
		return NULL;
	n = pick(4) ? 0 : pick(40);
	s->res->taken[UIOMMU_SIM_HELD_DMA] += n != 0;
	for (; n; n--)
		uiommu_hostile_wait();
	return f;
}

static int sim_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	struct flight *f = data_of(ctx);

	if (!f)
		return uiommu_hostile_hw_read(at(ctx, pa), buf, bytes);
	memset(buf, 0, bytes);
	oracle_data(ctx, f, pa, buf);
	return 0;
}

static int sim_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	struct flight *f = data_of(ctx);

	if (!f)
		return uiommu_hostile_hw_write(at(ctx, pa), buf, bytes);
	oracle_data(ctx, f, pa, buf);
	return 0;
}

static void sim_lock(void *ctx)
{
	struct srv *s = ctx;

	while (s->sim_locked)
		uiommu_hostile_wait();
	s->sim_locked = true;
	s->sim_holder = (void *)uiommu_hostile_local();
}

static void sim_unlock(void *ctx)
{
	((struct srv *)ctx)->sim_locked = false;
	((struct srv *)ctx)->sim_holder = NULL;
}

static void sim_irq(void *ctx, enum uiommu_sim_irq line)
{
	struct srv *s = ctx;

	if (line != UIOMMU_SIM_IRQ_EVTQ && line != UIOMMU_SIM_IRQ_GERROR)
		return;
	s->irq[line == UIOMMU_SIM_IRQ_EVTQ ? 1 : 2].pending = true;
	s->res->taken[UIOMMU_SIM_LATE_IRQ]++;
}

static void sim_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
	((struct srv *)ctx)->stalled--;
	srv_note(ctx, "access %u of stream %u goes on: %d", stag, sid, how);
}

static unsigned choose(void *ctx, unsigned n)
{
	return pick(n);
}

static void make_sim(struct srv *s)
{
	const struct uiommu_sim_env env = {
		.ctx = s, .alloc = heap_alloc, .free = heap_free, .read = sim_read,
		.write = sim_write, .irq = sim_irq, .lock = sim_lock, .unlock = sim_unlock,
		.resume = sim_resume,
	};
	const struct uiommu_sim_temper temper = { s, choose, s->evict };
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.sidsize = 6;
	cfg.ssidsize = 4;
	cfg.stage2 = true;
	cfg.stall = 1;
	cfg.stall_max = 4;
	cfg.coherent = s->coherent;
	cfg.cmdqv.vintfs_lg2 = s->cmdqv ? 2 : 0;
	cfg.cmdqv.vcmdqs_lg2 = s->cmdqv ? 2 : 0;
	cfg.cmdqv.sids_lg2 = s->cmdqv ? 4 : 0;
	cfg.tlb_entries_lg2 = 8;
	if (uiommu_sim_smmuv3_create(&cfg, &env, &s->sim) ||
	    uiommu_sim_smmuv3_set_temper(s->sim, &temper))
		abort();
}

/* ---- hardware that acts ---- */

static void smmu_acts(void *arg)
{
	struct srv *s = arg;

	for (;;) {
		if (uiommu_sim_smmuv3_step(s->sim))
			uiommu_hostile_yield();
		else
			uiommu_hostile_wait();
	}
}

static void irqs_act(void *arg)
{
	struct srv *s = arg;

	for (;; uiommu_hostile_wait()) {
		unsigned i = 1 + pick(2);

		if (!s->irq[i].pending || !s->irq[i].fn)
			continue;
		s->irq[i].pending = false;
		s->irq[i].running = true;
		uiommu_hostile_acquire(&s->irq[i]);
		s->irq[i].fn(s->irq[i].arg);
		uiommu_hostile_release(&s->irq[i]);
		uiommu_hostile_mb();	/* who waits for it sees what it did */
		s->irq[i].running = false;
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
		prefetch_any(arg);
}

static void function_acts(void *arg)
{
	for (;; rest())
		dma_any(arg);
}

/* ---- up and down ---- */

void host_create(struct srv *s)
{
	static const unsigned evict[] = { 0, 4, 30, 200 }, held[] = { 0, 4, 32 };
	struct uiommu_hostile_config cfg = {
		.seed = s->cfg->seed, .bytes = MEMORY, .coherent = true,
		.limit = 400000 + 4000ull * s->cfg->steps,
	};

	if (uiommu_hostile_create(&cfg, &s->h))
		abort();
	s->coherent = pick(3);
	s->irqs = pick(4);
	s->quarantine = held[pick(3)];
	s->evict = evict[pick(4)];
	s->cmdqv = pick(2);
	uiommu_hostile_destroy(s->h);
	cfg.coherent = s->coherent;
	cfg.quarantine = s->quarantine;
	if (uiommu_hostile_create(&cfg, &s->h))
		abort();
	make_host(s);
	make_sim(s);
	program_create(s);
	uiommu_hostile_spawn(s->h, "smmu", smmu_acts, s, true);
	uiommu_hostile_spawn(s->h, "irq", irqs_act, s, true);
	uiommu_hostile_spawn(s->h, "prefetch", prefetcher_acts, s, true);
	uiommu_hostile_spawn(s->h, "dma0", function_acts, s, true);
	uiommu_hostile_spawn(s->h, "dma1", function_acts, s, true);
}

void host_destroy(struct srv *s)
{
	uiommu_sim_smmuv3_destroy(s->sim);
	uiommu_hostile_destroy(s->h);
}

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	((struct srv *)ctx)->res->events++;
}

static void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	uiommu_hostile_fail("the SMMU was shut off, and nothing is wrong with it");
}

void host_boot(struct srv *s)
{
	const struct uiommu_observer obs = { .ctx = s, .fault = on_fault,
					     .iommu_failed = on_failed };
	const struct uiommu_smmuv3_config cfg = {
		.name = "smmu", .mmio_pa = 0x9050000, .mmio_bytes = 0x20000,
		.coherent = s->coherent, .has_irqs = s->irqs, .irq_evtq = 1, .irq_gerror = 2,
		.has_cmdqv = s->cmdqv,
		.cmdqv = { .ops = &cmdqv_registers, .ctx = s,
			   .bytes = CMDQV_AT_VINTF_PAGE0 + 4 * CMDQV_STRIDE_VINTF_PAGES },
	};

	if (uiommu_create(&s->host, &obs, &s->u) || uiommu_smmuv3_probe(s->u, &cfg, &s->iommu))
		uiommu_hostile_fail("the SMMU cannot be brought up");
}

void host_shut(struct srv *s)
{
	uiommu_destroy(s->u);
	if (s->live)
		uiommu_hostile_fail("%ld allocations are left behind", s->live);
	if (s->locks)
		uiommu_hostile_fail("%ld locks are left behind", s->locks);
}
