/* SPDX-License-Identifier: MIT */
/* vm.c - memory, CPUs, and the beginning and the end of a VM */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/kernel.h"
#include "say.h"
#include "vm.h"

#define LATE_MS		1		/* how often a hostile SMMU gets a chance to act */

/* ---- memory ---- */

void *vm_ram(const struct vm *vm, uint64_t pa, uint64_t bytes)
{
	uint64_t off = pa - BOARD_RAM;

	if (pa < BOARD_RAM || off > VM_RAM_BYTES || bytes > VM_RAM_BYTES - off)
		return NULL;
	return vm->ram + off;
}

/* Words that the guest may be writing: each is read once. */
bool vm_read64(const struct vm *vm, uint64_t pa, uint64_t *out, unsigned words)
{
	const uint64_t *p = vm_ram(vm, pa, words * 8ull);

	for (unsigned i = 0; p && i < words; i++)
		out[i] = __atomic_load_n(&p[i], __ATOMIC_ACQUIRE);
	return p;
}

bool vm_write64(const struct vm *vm, uint64_t pa, const uint64_t *words, unsigned n)
{
	uint64_t *p = vm_ram(vm, pa, n * 8ull);

	for (unsigned i = 0; p && i < n; i++)
		__atomic_store_n(&p[i], words[i], __ATOMIC_RELEASE);
	return p;
}

bool vm_write32(const struct vm *vm, uint64_t pa, uint32_t value)
{
	uint32_t *p = vm_ram(vm, pa, 4);

	if (p)
		__atomic_store_n(p, value, __ATOMIC_RELEASE);
	return p;
}

/* ---- CPUs ---- */

bool vm_is_on(const struct vm *vm)
{
	return atomic_load(&vm->power) == VM_ON;
}

static void board_pause(void *cpu)
{
	struct vm *vm = cpu;

	if (atomic_load(&vm->power) == VM_OFF)
		pthread_exit(NULL);
	sched_yield();
	if (vm->smmu.temper.hostile)
		vsmmu_idle(&vm->smmu);
}

void vm_raise_irq(struct vm *vm, unsigned line)
{
	if (!line || line >= BOARD_IRQS)
		return;
	pthread_mutex_lock(&vm->irq_lock);
	vm->irqs |= 1u << line;
	pthread_cond_broadcast(&vm->irq_wake);
	pthread_mutex_unlock(&vm->irq_lock);
}

static uint32_t board_wait_for_interrupt(void *cpu)
{
	struct vm *vm = cpu;
	uint32_t irqs;

	pthread_mutex_lock(&vm->irq_lock);
	vm->asleep = true;
	while (!vm->irqs && vm_is_on(vm))
		pthread_cond_wait(&vm->irq_wake, &vm->irq_lock);
	vm->asleep = false;
	irqs = vm_is_on(vm) ? vm->irqs : 0;
	vm->irqs = 0;
	pthread_mutex_unlock(&vm->irq_lock);
	return irqs;
}

static void *second_cpu(void *arg)
{
	struct vm *vm = arg;

	kernel_take_interrupts(vm->kernel);
	return NULL;
}

static void run_jobs(struct vm *vm)
{
	pthread_mutex_lock(&vm->job_lock);
	while (!vm->ended) {
		if (!vm->job) {
			pthread_cond_wait(&vm->job_wake, &vm->job_lock);
			continue;
		}
		pthread_mutex_unlock(&vm->job_lock);
		vm->job(vm->kernel, vm->job_arg);
		pthread_mutex_lock(&vm->job_lock);
		vm->job = NULL;
		pthread_cond_broadcast(&vm->job_wake);
	}
	pthread_mutex_unlock(&vm->job_lock);
}

static void *first_cpu(void *arg)
{
	struct vm *vm = arg;
	struct kernel *k = kernel_boot(&vm->board);

	if (!k)
		die("%s: its kernel does not come up", vm->name);
	pthread_mutex_lock(&vm->job_lock);
	vm->kernel = k;
	pthread_cond_broadcast(&vm->job_wake);
	pthread_mutex_unlock(&vm->job_lock);
	run_jobs(vm);
	return NULL;
}

void vm_start(struct vm *vm, void (*fn)(struct kernel *k, void *arg), void *arg)
{
	pthread_mutex_lock(&vm->job_lock);
	vm->job_arg = arg;
	vm->job = fn;
	pthread_cond_broadcast(&vm->job_wake);
	pthread_mutex_unlock(&vm->job_lock);
}

void vm_wait(struct vm *vm)
{
	pthread_mutex_lock(&vm->job_lock);
	while (vm->job)
		pthread_cond_wait(&vm->job_wake, &vm->job_lock);
	pthread_mutex_unlock(&vm->job_lock);
}

void vm_run(struct vm *vm, void (*fn)(struct kernel *k, void *arg), void *arg)
{
	vm_start(vm, fn, arg);
	vm_wait(vm);
}

static uint64_t sum_of(const struct vm *vm)
{
	const uint64_t *word = (const uint64_t *)(const void *)vm->ram;
	uint64_t sum = 0;

	for (size_t i = 0; i < VM_RAM_BYTES / sizeof(*word); i++)
		sum = sum * 31 + word[i];
	return sum;
}

static void let_go(struct vm *vm)
{
	pthread_mutex_unlock(&vm->irq_lock);
	pthread_mutex_unlock(&vm->smmu.lock);
}

/*
 * With both locks held: an interrupt that is being served changes memory and reads
 * registers, and what the SMMU has not told yet will.
 */
static bool stands_still(const struct vm *vm)
{
	return !vm_is_on(vm) || (!vsmmu_has_news(&vm->smmu) && !vm->irqs && vm->asleep);
}

/* Until then; both locks are held: nobody of the VM's does anything meanwhile. */
static void hold_still(struct vm *vm)
{
	for (;;) {
		pthread_mutex_lock(&vm->smmu.lock);
		pthread_mutex_lock(&vm->irq_lock);
		if (stands_still(vm))
			return;
		let_go(vm);
		sched_yield();
	}
}

uint64_t vm_checksum(struct vm *vm)
{
	uint64_t sum;

	hold_still(vm);
	sum = sum_of(vm);
	let_go(vm);
	return sum;
}

uint64_t vm_exits(struct vm *vm)
{
	uint64_t n;

	hold_still(vm);
	n = vm->smmu.exits.reads + vm->smmu.exits.writes + vm->cmdqv.exits;
	let_go(vm);
	return n;
}

uint64_t vm_queue_exits(struct vm *vm)
{
	uint64_t n;

	hold_still(vm);
	n = vm->smmu.exits.queue;
	let_go(vm);
	return n;
}

/* ---- what the host has to say ---- */

static void take_events(struct vm *vm)
{
	struct host_event e;

	while (vsmmu_room(&vm->smmu) && host_event_read(vm->events, &e)) {
		vsmmu_event(&vm->smmu, &e);
		vsmmu_idle(&vm->smmu);
	}
}

static void take_page_requests(struct vm *vm)
{
	struct host_page_request r[16];
	unsigned n;

	if (vsmmu_room(&vm->smmu) < 16)
		return;
	n = host_page_requests_read(vm->faults, r, 16);
	for (unsigned i = 0; i < n; i++)
		vsmmu_page_request(&vm->smmu, &r[i]);
	vsmmu_idle(&vm->smmu);
}

static void take_queue_errors(struct vm *vm)
{
	uint64_t map[2];

	while (host_queue_error_read(vm->queue_events, map))
		vcmdqv_error(&vm->cmdqv, map);
}

static void *io(void *arg)
{
	struct vm *vm = arg;
	struct pollfd p[4] = {
		{ vm->stop, POLLIN, 0 }, { vm->events, POLLIN, 0 }, { vm->faults, POLLIN, 0 },
		{ vm->queue_events, POLLIN, 0 },
	};
	int wait = vm->smmu.temper.hostile ? LATE_MS : -1;

	while (poll(p, 4, wait) >= 0 && !p[0].revents) {
		if (p[1].revents & POLLIN)
			take_events(vm);
		if (p[2].revents & POLLIN)
			take_page_requests(vm);
		if (p[3].revents & POLLIN)
			take_queue_errors(vm);
		vsmmu_idle(&vm->smmu);
	}
	return NULL;
}

/* ---- life ---- */

void vm_create(struct vm *vm, const struct vm_config *cfg)
{
	memset(vm, 0, sizeof(*vm));
	vm->name = cfg->name;
	vm->user_queue = cfg->user_queue;
	vm->queue_events = -1;
	temper_init(&vm->smmu.temper, cfg->seed);
	vm->smmu.batch_max = VSMMU_BATCH;
	for (unsigned i = 0; i < VM_DEVICES; i++)
		vm->dev[i].fd = -1;
	pthread_mutex_init(&vm->irq_lock, NULL);
	pthread_cond_init(&vm->irq_wake, NULL);
	pthread_mutex_init(&vm->job_lock, NULL);
	pthread_cond_init(&vm->job_wake, NULL);
	vm->ram = mmap(NULL, VM_RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	vm->stop = eventfd(0, EFD_CLOEXEC);
	if (vm->ram == MAP_FAILED || vm->stop < 0)
		die("%s: memory", vm->name);
	vm->iommufd = host_iommufd_open();
	vm->ioas = host_ioas_alloc(vm->iommufd);
	host_ioas_map(vm->iommufd, vm->ioas, vm->ram, VM_RAM_BYTES, BOARD_RAM);
}

static void start_thread(pthread_t *th, void *(*fn)(void *arg), struct vm *vm)
{
	if (pthread_create(th, NULL, fn, vm))
		die("%s: a thread", vm->name);
}

void vm_boot(struct vm *vm)
{
	vm->board = (struct board){
		.name = vm->name,
		.ram = vm->ram,
		.ram_bytes = VM_RAM_BYTES,
		.smmu = { .ops = &vsmmu_mmio_ops, .ctx = &vm->smmu, .bytes = BOARD_SMMU_BYTES },
		.cmdqv = { .ops = &vcmdqv_mmio_ops, .ctx = &vm->cmdqv, .bytes = VCMDQV_BYTES },
		.has_cmdqv = vm->cmdqv.page,
		.cpu = vm,
		.pause = board_pause,
		.wait_for_interrupt = board_wait_for_interrupt,
	};
	start_thread(&vm->io, io, vm);
	start_thread(&vm->cpu[0], first_cpu, vm);
	pthread_mutex_lock(&vm->job_lock);
	while (!vm->kernel)
		pthread_cond_wait(&vm->job_wake, &vm->job_lock);
	pthread_mutex_unlock(&vm->job_lock);
	start_thread(&vm->cpu[1], second_cpu, vm);
}

/* When this returns nobody is in the middle of an exit any more. */
static void set_power(struct vm *vm, enum vm_power power)
{
	pthread_mutex_lock(&vm->smmu.lock);
	pthread_mutex_lock(&vm->irq_lock);
	atomic_store(&vm->power, power);
	pthread_cond_broadcast(&vm->irq_wake);
	pthread_mutex_unlock(&vm->irq_lock);
	pthread_mutex_unlock(&vm->smmu.lock);
}

static void stop_io(struct vm *vm)
{
	const uint64_t one = 1;

	if (write(vm->stop, &one, sizeof(one)) != sizeof(one))
		die("%s: eventfd", vm->name);
	pthread_join(vm->io, NULL);
	close(vm->stop);
}

static void end_jobs(struct vm *vm)
{
	pthread_mutex_lock(&vm->job_lock);
	vm->ended = true;
	pthread_cond_broadcast(&vm->job_wake);
	pthread_mutex_unlock(&vm->job_lock);
}

static void close_files(struct vm *vm)
{
	close(vm->iommufd);
	close(vm->events);
	close(vm->faults);
	if (vm->queue_events >= 0)
		close(vm->queue_events);
	for (unsigned i = 0; i < VM_DEVICES; i++)
		if (vm->dev[i].fd >= 0)
			vm_device_close(&vm->dev[i]);
}

static void unmap_registers(struct vm *vm)
{
	for (unsigned i = 0; i < VM_DEVICES; i++)
		vm_device_unmap(&vm->dev[i]);
	if (vm->cmdqv.page)
		munmap((void *)(uintptr_t)vm->cmdqv.page, vm->cmdqv.page_bytes);
}

static void halt(struct kernel *k, void *arg)
{
	kernel_halt(k);
}

void vm_shut_down(struct vm *vm)
{
	vm_run(vm, halt, NULL);
	end_jobs(vm);
	pthread_join(vm->cpu[0], NULL);
	set_power(vm, VM_OFF);
	pthread_join(vm->cpu[1], NULL);
	stop_io(vm);
	unmap_registers(vm);
	close_files(vm);
}

/*
 * The first CPU goes on meanwhile, as long as it needs nobody: it may start the
 * devices again and again while their files are closed.
 */
void vm_kill(struct vm *vm)
{
	set_power(vm, VM_DYING);
	pthread_join(vm->cpu[1], NULL);
	stop_io(vm);
	close_files(vm);
	set_power(vm, VM_OFF);
	end_jobs(vm);
	pthread_join(vm->cpu[0], NULL);
	unmap_registers(vm);
}

void vm_destroy(struct vm *vm)
{
	munmap(vm->ram, VM_RAM_BYTES);
	pthread_cond_destroy(&vm->job_wake);
	pthread_mutex_destroy(&vm->job_lock);
	pthread_cond_destroy(&vm->irq_wake);
	pthread_mutex_destroy(&vm->irq_lock);
}
