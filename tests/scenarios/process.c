/* SPDX-License-Identifier: MIT */
/* process.c - see process.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "process.h"
#include "sim/mmio.h"
#include "tests/fail/hook.h"
#include "tests/heap.h"

struct world world;

static struct uiommu_sim_smmuv3 *sim;
static bool watched;			/* a write of the device is under way */
static uint64_t last_write;
static uint32_t device;			/* what the device's engine has */
static void (*irq_fn[4])(void *arg);
static void *irq_arg[4];

/* ---- memory ---- */

static bool is_ram(uint64_t pa, size_t bytes)
{
	return pa >= RAM && pa <= RAM_END && bytes <= RAM_END - pa;
}

/* What else answers on QEMU's machine: flash, which is empty; PCI windows, all ones. */
static const struct { uint64_t first, end; int byte; } others[] = {
	{ 0, 0x08000000, 0 },
	{ 0x10000000, 0x3eff0000, 0xff },
	{ 0x8000000000, 0x10000000000, 0xff },
};

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	if (is_ram(pa, bytes)) {
		memcpy(buf, (void *)(uintptr_t)pa, bytes);
		return 0;
	}
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (pa < others[i].first || pa >= others[i].end)
			continue;
		memset(buf, others[i].byte, bytes);
		return 0;
	}
	return -UIOMMU_EFAULT;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	if (watched && bytes == 4)
		last_write = pa;
	if (!is_ram(pa, bytes))
		return -UIOMMU_EFAULT;
	memcpy((void *)(uintptr_t)pa, buf, bytes);
	return 0;
}

/* ---- the device ---- */

static int access_sim(uint64_t iova, bool write, void *buf)
{
	const struct uiommu_sim_access a = { .stream_id = world.sid, .write = write, .iova = iova };

	return uiommu_sim_smmuv3_dma(sim, &a, buf, 4, NULL);
}

static void dma_write(uint64_t iova, uint16_t data)
{
	uint32_t v = data;

	watched = true;
	last_write = 0;
	access_sim(iova, true, &v);
	watched = false;
}

static void dma_load(uint64_t iova)
{
	uint32_t v;

	device = access_sim(iova, false, &v) ? 0 : v;
}

static void dma_store(uint64_t iova)
{
	access_sim(iova, true, &device);
}

/* ---- registers ---- */

SIM_MMIO_OPS(mmio_ops, uiommu_sim_smmuv3_mmio_read, uiommu_sim_smmuv3_mmio_write)

/* ---- a host: one thread, and interrupts that wait while a lock is held ---- */

#define CLASSES 24

static uint64_t next_block = RAM_FREE;
static void *spare[CLASSES];		/* of 64 << i bytes */
static unsigned live, locks, pending;

static unsigned size_class(size_t bytes)
{
	unsigned i = 0;

	while ((size_t)64 << i < bytes)
		i++;
	return i;
}

static void *take(size_t bytes)
{
	unsigned i = size_class(bytes);
	void *p = i < CLASSES ? spare[i] : NULL;

	if (p) {
		spare[i] = *(void **)p;
	} else {
		next_block = (next_block + ((uint64_t)64 << i) - 1) & ~(((uint64_t)64 << i) - 1);
		p = (void *)(uintptr_t)next_block;
		next_block += (uint64_t)64 << i;
		if (next_block > RAM + (256u << 20))
			return NULL;
	}
	live++;
	return memset(p, 0, (size_t)64 << i);
}

static void give_back(void *p, size_t bytes)
{
	unsigned i = size_class(bytes);

	*(void **)p = spare[i];
	spare[i] = p;
	live--;
}

static void *host_alloc(void *ctx, size_t bytes)
{
	if (host_refuses(HOST_ALLOC))
		return NULL;
	host_held(HOST_ALLOC, 1);
	return take(bytes);
}

static void host_free(void *ctx, void *p, size_t bytes)
{
	if (!p)
		return;
	host_held(HOST_ALLOC, -1);
	give_back(p, bytes);
}

static void *host_table_alloc(void *ctx, size_t bytes)
{
	if (host_refuses(HOST_TABLE))
		return NULL;
	host_held(HOST_TABLE, 1);
	return take(bytes);
}

static void host_table_free(void *ctx, void *p, size_t bytes)
{
	host_held(HOST_TABLE, -1);
	give_back(p, bytes);
}

static int host_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	if (host_refuses(HOST_MMIO))
		return -UIOMMU_ENOMEM;
	host_held(HOST_MMIO, 1);
	*out = world.mmio;
	return 0;
}

static void host_mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	host_held(HOST_MMIO, -1);
}

static uint64_t host_now_ns(void *ctx)
{
	static uint64_t now;

	return now += 1000;
}

static void host_relax(void *ctx)
{
}

static void host_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	char said[200] = "# ";

	strncat(said, line, sizeof(said) - 3);
	world.say(said);
}

static void deliver(void)
{
	for (unsigned i = 0; !locks && pending && i < 4; i++) {
		if (!(pending >> i & 1))
			continue;
		pending &= ~(1u << i);
		if (irq_fn[i])
			irq_fn[i](irq_arg[i]);
	}
}

static int host_lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	if (host_refuses(HOST_LOCK))
		return -UIOMMU_ENOMEM;
	host_held(HOST_LOCK, 1);
	return 0;
}

static void host_lock_fini(void *ctx, struct uiommu_lock *lock)
{
	host_held(HOST_LOCK, -1);
}

static void host_lock(void *ctx, struct uiommu_lock *lock)
{
	locks++;
}

static void host_unlock(void *ctx, struct uiommu_lock *lock)
{
	if (!--locks)
		deliver();
}

static void env_irq(void *ctx, enum uiommu_sim_irq line)
{
	pending |= 1u << line;
	deliver();
}

static int host_irq_request(void *ctx, unsigned irq, void (*fn)(void *arg), void *arg)
{
	if (host_refuses(HOST_IRQ))
		return -UIOMMU_ENOMEM;
	host_held(HOST_IRQ, 1);
	irq_fn[irq] = fn;
	irq_arg[irq] = arg;
	return 0;
}

static void host_irq_release(void *ctx, unsigned irq)
{
	irq_fn[irq] = NULL;
	host_held(HOST_IRQ, -1);
}

#define STEP_2							\
	.table_alloc = host_table_alloc, .table_free = host_table_free, \
	.alloc = host_alloc, .free = host_free,			\
	.mmio_map = host_mmio_map, .mmio_unmap = host_mmio_unmap, \
	.now_ns = host_now_ns, .relax = host_relax, .log = host_log

static const struct uiommu_host polled = { STEP_2 };
static const struct uiommu_host with_irqs = {
	STEP_2,
	.lock_init = host_lock_init, .lock_fini = host_lock_fini,
	.lock = host_lock, .unlock = host_unlock,
	.irq_request = host_irq_request, .irq_release = host_irq_release,
};

static const struct uiommu_host *host_get(bool irqs)
{
	return irqs ? &with_irqs : &polled;
}

static unsigned host_live(void)
{
	return live;
}

/* ---- all of it ---- */

/* IDR0 to IDR5 as QEMU 9.1 to 11.1 have them, as far as ours can say it. */
static void advertise(struct uiommu_sim_smmuv3_config *c)
{
	uiommu_sim_smmuv3_config_init(c);
	c->sidsize = 16;
	c->ssidsize = 0;
	c->cmdq_max_lg2 = c->evtq_max_lg2 = 19;
	c->oas_lg2 = 44;
	c->gran4k = c->gran16k = c->gran64k = true;
	c->st_2level = true;
	c->cd_2level = false;
	c->asid16 = c->vmid16 = c->coherent = c->range_inv = true;
	c->stage2 = c->xnx = c->abort_only = true;
}

void process_reset(void)
{
	static const struct uiommu_sim_env env = {
		.alloc = heap_alloc, .free = heap_free, .read = env_read, .write = env_write,
		.irq = env_irq,
	};
	struct uiommu_sim_smmuv3_config c;

	if (sim)
		uiommu_sim_smmuv3_destroy(sim);
	advertise(&c);
	if (uiommu_sim_smmuv3_create(&c, &env, &sim)) {
		fprintf(stderr, "the software SMMUv3 cannot be made\n");
		exit(1);
	}
	world.mmio.ctx = sim;
}

void process_begin(uint32_t sid, void (*say)(const char *line))
{
	void *p = mmap((void *)(uintptr_t)RAM, RAM_END - RAM, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)(uintptr_t)RAM) {
		printf("memory at 1 GiB is in use here\n");
		exit(77);
	}
	world = (struct world){
		.mmio = { .ops = &mmio_ops, .bytes = 0x20000 },
		.smmu = { .name = "smmuv3", .mmio_bytes = 0x20000, .coherent = true, .has_irqs = true,
			  .irq_evtq = UIOMMU_SIM_IRQ_EVTQ, .irq_gerror = UIOMMU_SIM_IRQ_GERROR },
		.sid = sid, .rid = sid, .host = host_get, .live = host_live,
		.write = dma_write, .load = dma_load, .store = dma_store, .say = say,
	};
	sim = NULL;
	next_block = RAM_FREE;
	memset(spare, 0, sizeof(spare));
	process_reset();
}

void process_end(void)
{
	uiommu_sim_smmuv3_destroy(sim);
	munmap((void *)(uintptr_t)RAM, RAM_END - RAM);
}

uint64_t process_arrived(void)
{
	return last_write;
}
