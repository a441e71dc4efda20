/* SPDX-License-Identifier: MIT */
/*
 * threads.c - DMAs on several threads while one remaps and invalidates
 *
 * Two device threads write and read through one page of the device's address
 * space. The main thread takes the page away, invalidates, waits for CMD_SYNC,
 * and then owns the memory: a plain, unsynchronized store to it must never meet a
 * DMA's. ThreadSanitizer sees one that does; without it, a lost mark shows it.
 *
 * And the same for VMs, each with a device, a thread and a command queue of its own.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <uiommu/sim/smmuv3.h>

#include "../heap.h"

#define RAM	0x100000u
#define WORDS	(64 * 512)		/* 64 pages */
#define VA	0x7000u
#define ROUNDS	300

/* pages of the RAM */
enum { STRTAB, CMDQ, EVTQ, CD, ROOT, L1, L2, L3, DATA };

struct world {
	uint64_t ram[WORDS];
	pthread_mutex_t lock;
	struct uiommu_sim_smmuv3 *sim;
	unsigned stop, moved, aborted, prod;
	unsigned irqs;
};

static uint64_t page(unsigned n)
{
	return RAM + n * 4096u;
}

static uint64_t *word(struct world *w, uint64_t pa)
{
	return pa >= RAM && pa - RAM < sizeof(w->ram) ? &w->ram[(pa - RAM) / 8] : NULL;
}

/* Everything here is read and written with atomics, as memory that hardware
 * shares is; only the main thread's store to a page that it owns is plain. */
static bool is_data(uint64_t pa)
{
	return pa >= page(DATA);
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	uint64_t *p = word(ctx, pa), v;

	if (!p || bytes != 8)
		return -UIOMMU_EFAULT;
	v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	memcpy(buf, &v, 8);
	return 0;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	uint64_t *p = word(ctx, pa), v;

	if (!p || bytes != 8)
		return -UIOMMU_EFAULT;
	memcpy(&v, buf, 8);
	if (is_data(pa)) {
		sched_yield();		/* make the window wide */
		__atomic_store_n(p, v, __ATOMIC_RELAXED);	/* the devices may collide */
	} else {
		__atomic_store_n(p, v, __ATOMIC_RELEASE);
	}
	return 0;
}

static void env_lock(void *ctx)
{
	pthread_mutex_lock(&((struct world *)ctx)->lock);
}

static void env_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct world *)ctx)->lock);
}

static void env_irq(void *ctx, enum uiommu_sim_irq line)
{
	struct world *w = ctx;

	(void)line;
	/* none of the simulator's locks is held: this must not hang */
	uiommu_sim_smmuv3_mmio_read(w->sim, 0x100a8, 4);
	__atomic_add_fetch(&w->irqs, 1, __ATOMIC_RELAXED);
}

static void set(struct world *w, uint64_t pa, uint64_t v)
{
	__atomic_store_n(word(w, pa), v, __ATOMIC_RELEASE);
}

static void wr(struct world *w, unsigned reg, uint64_t v, unsigned size)
{
	uiommu_sim_smmuv3_mmio_write(w->sim, reg, v, size);
}

static uint32_t rd(struct world *w, unsigned reg)
{
	return (uint32_t)uiommu_sim_smmuv3_mmio_read(w->sim, reg, 4);
}

static void command(struct world *w, uint64_t w0, uint64_t w1)
{
	set(w, page(CMDQ) + (w->prod & 15) * 16, w0);
	set(w, page(CMDQ) + (w->prod & 15) * 16 + 8, w1);
	w->prod = (w->prod + 1) & 31;
	wr(w, 0x98, w->prod, 4);
}

static void wait(struct world *w)
{
	while ((rd(w, 0x9c) & 0xfffff) != w->prod)
		sched_yield();
}

static struct world *world_new(void)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct world *w = calloc(1, sizeof(*w));
	struct uiommu_sim_env env = { .ctx = w, .alloc = heap_alloc, .free = heap_free,
		.read = env_read, .write = env_write, .irq = env_irq, .lock = env_lock,
		.unlock = env_unlock };

	assert_non_null(w);
	pthread_mutex_init(&w->lock, NULL);
	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	cfg.cmdqv.vintfs_lg2 = cfg.cmdqv.vcmdqs_lg2 = 2;
	assert_int_equal(uiommu_sim_smmuv3_create(&cfg, &env, &w->sim), 0);
	set(w, page(STRTAB) + 64, 1 | 5 << 1 | page(CD));
	set(w, page(CD), 16 | (uint64_t)1 << 30 | (uint64_t)1 << 31 | (uint64_t)5 << 32 |
			 (uint64_t)1 << 41 | (uint64_t)3 << 45 | (uint64_t)9 << 48);
	set(w, page(CD) + 8, page(ROOT));
	set(w, page(ROOT), page(L1) | 3);
	set(w, page(L1), page(L2) | 3);
	set(w, page(L2), page(L3) | 3);
	wr(w, 0x80, page(STRTAB), 8);
	wr(w, 0x88, 4, 4);
	wr(w, 0x90, page(CMDQ) | 4, 8);
	wr(w, 0xa0, page(EVTQ) | 4, 8);
	wr(w, 0x50, 5, 4);
	wr(w, 0x20, 13, 4);
	return w;
}

static void *device(void *arg)
{
	struct world *w = arg;
	struct uiommu_sim_access a = { .stream_id = 1, .iova = VA, .write = true };
	uint64_t mark = 0x5555;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		if (uiommu_sim_smmuv3_dma(w->sim, &a, &mark, 8, NULL))
			__atomic_add_fetch(&w->aborted, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&w->moved, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* empties the event queue now and then, from a thread of its own */
static void *driver(void *arg)
{
	struct world *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		wr(w, 0x100ac, rd(w, 0x100a8), 4);
		sched_yield();
	}
	return NULL;
}

static void wait_for_more(struct world *w, unsigned *counter)
{
	unsigned was = __atomic_load_n(counter, __ATOMIC_RELAXED);

	while (__atomic_load_n(counter, __ATOMIC_RELAXED) == was)
		sched_yield();
	(void)w;
}

static void after_sync_nothing_reaches_the_old_page(void **state)
{
	struct world *w = world_new();
	pthread_t t[3];

	(void)state;
	assert_int_equal(pthread_create(&t[0], NULL, device, w), 0);
	assert_int_equal(pthread_create(&t[1], NULL, device, w), 0);
	assert_int_equal(pthread_create(&t[2], NULL, driver, w), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t pa = page(DATA + i % 8);

		set(w, page(L3) + 7 * 8, pa | 1 << 10 | 1 << 11 | 1 << 6 | 3);
		wait_for_more(w, &w->moved);
		set(w, page(L3) + 7 * 8, 0);
		command(w, 0x12 | (uint64_t)9 << 48, VA);
		command(w, 0x46, 0);
		wait(w);
		*word(w, pa) = i;		/* ours alone now */
		if (i % 16 == 0)
			wait_for_more(w, &w->aborted);
		assert_true(*word(w, pa) == i);
	}
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_true(w->irqs > 0);
	uiommu_sim_smmuv3_destroy(w->sim);
	free(w);
}

/* ---- VMs with queues of their own ---- */

#define VMS 3u

/* pages of VM n, from page 20 + 12 * n on */
enum { VM_QUEUE, VM_CD, VM_ROOT, VM_L1, VM_L2, VM_L3, VM_DATA };

struct vm {
	struct world *w;
	unsigned number, moved, prod, stop;
	pthread_t device, driver;
};

static uint64_t vm_page(const struct vm *vm, unsigned n)
{
	return page(20 + 12 * vm->number + n);
}

static void cw(struct world *w, uint64_t at, uint64_t v, unsigned size)
{
	uiommu_sim_smmuv3_cmdqv_write(w->sim, at, v, size);
}

/* its interface is number 1 + n, and so are VMID and StreamID (from 2 on) */
static uint64_t vm_regs(const struct vm *vm)
{
	return 0x30000u + 0x20000u * (1 + vm->number);
}

static void vm_init(struct vm *vm, struct world *w, unsigned n)
{
	uint64_t ste = page(STRTAB) + 64 * (2 + n);

	*vm = (struct vm){ .w = w, .number = n };
	set(w, ste + 16, 1 + n);
	set(w, ste, 1 | 5 << 1 | vm_page(vm, VM_CD));
	set(w, vm_page(vm, VM_CD),
	    16 | (uint64_t)1 << 30 | (uint64_t)1 << 31 | (uint64_t)5 << 32 | (uint64_t)1 << 41 |
		    (uint64_t)3 << 45 | (uint64_t)9 << 48);
	set(w, vm_page(vm, VM_CD) + 8, vm_page(vm, VM_ROOT));
	for (unsigned t = VM_ROOT; t < VM_L3; t++)
		set(w, vm_page(vm, t), vm_page(vm, t + 1) | 3);
	cw(w, 0x1000 + 0x100 * (1 + n), (1 + n) << 1, 4);
	cw(w, 0x1000 + 0x100 * (1 + n), (1 + n) << 1 | 1, 4);
	cw(w, 0x200 + 4 * (1 + n), (1 + n) << 15 | 1, 4);
	cw(w, vm_regs(vm) + 0x10000, vm_page(vm, VM_QUEUE) | 4, 8);
	cw(w, vm_regs(vm) + 8, 1, 4);
}

static void vm_command(struct vm *vm, uint64_t w0, uint64_t w1)
{
	set(vm->w, vm_page(vm, VM_QUEUE) + (vm->prod & 15) * 16, w0);
	set(vm->w, vm_page(vm, VM_QUEUE) + (vm->prod & 15) * 16 + 8, w1);
	vm->prod = (vm->prod + 1) & 31;
	cw(vm->w, vm_regs(vm) + 4, vm->prod, 4);
}

static void *vm_device(void *arg)
{
	struct vm *vm = arg;
	struct uiommu_sim_access a = { .stream_id = 2 + vm->number, .iova = VA, .write = true };
	uint64_t mark = 0x5555;

	while (!__atomic_load_n(&vm->stop, __ATOMIC_RELAXED)) {
		if (!uiommu_sim_smmuv3_dma(vm->w->sim, &a, &mark, 8, NULL))
			__atomic_add_fetch(&vm->moved, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

static void *vm_driver(void *arg)
{
	struct vm *vm = arg;
	struct world *w = vm->w;
	uint64_t leaf = vm_page(vm, VM_L3) + 7 * 8;

	for (unsigned i = 0; i < ROUNDS / 2; i++) {
		uint64_t pa = vm_page(vm, VM_DATA + i % 4);

		set(w, leaf, pa | 1 << 10 | 1 << 11 | 1 << 6 | 3);
		wait_for_more(w, &vm->moved);
		set(w, leaf, 0);
		vm_command(vm, 0x12 | (uint64_t)9 << 48, VA);
		vm_command(vm, 0x46, 0);
		while ((uiommu_sim_smmuv3_cmdqv_read(w->sim, vm_regs(vm), 4) & 0xfffff) != vm->prod)
			sched_yield();
		*word(w, pa) = i; /* ours alone now */
		sched_yield();
		assert_true(*word(w, pa) == i);
	}
	__atomic_store_n(&vm->stop, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* The host says CMD_SYNC in the SMMU's own queue all the while. */
static void each_vm_waits_for_its_own(void **state)
{
	struct world *w = world_new();
	struct vm vm[VMS];
	pthread_t events;

	(void)state;
	assert_int_equal(pthread_create(&events, NULL, driver, w), 0);
	for (unsigned n = 0; n < VMS; n++) {
		vm_init(&vm[n], w, n);
		assert_int_equal(pthread_create(&vm[n].device, NULL, vm_device, &vm[n]), 0);
		assert_int_equal(pthread_create(&vm[n].driver, NULL, vm_driver, &vm[n]), 0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		command(w, 0x12 | (uint64_t)1 << 32 | (uint64_t)9 << 48, VA);
		command(w, 0x46, 0);
		wait(w);
	}
	for (unsigned n = 0; n < VMS; n++) {
		pthread_join(vm[n].driver, NULL);
		pthread_join(vm[n].device, NULL);
	}
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	pthread_join(events, NULL);
	uiommu_sim_smmuv3_destroy(w->sim);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_sync_nothing_reaches_the_old_page),
		cmocka_unit_test(each_vm_waits_for_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
