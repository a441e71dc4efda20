/* SPDX-License-Identifier: MIT */
/*
 * vmm - a small VMM that gives its guests an SMMUv3, and two VMs to show it
 *
 *	 vm1					 vm2
 *	kernel  process 1  process 2		kernel  process 1  process 2
 *	  RID    PASID 1    PASID 2		  RID    PASID 1    PASID 2
 *	   \________ | ________/		   \________ | ________/
 *	  two devices each, and a virtual SMMUv3
 *	----------------------------------------------------------------- Linux's uAPI
 *	  four devices, one SMMUv3: stage 1 is the guests', stage 2 the VMM's
 *
 * Of the host it uses /dev/iommu and VFIO device files, and nothing else: host.c has
 * every call. The virtual SMMU (vsmmu.h names its files) is what a VMM for Linux has to
 * do: registers and queues in software, translation by hardware. vm.c has the rest.
 *
 * The guests (guest/, board.h) are small kernels around the library's SMMUv3 driver, the same
 * that drives the hardware below, each in its VM's memory, with a domain for its own
 * DMA and two processes that share their address spaces with the devices (SVA): pages
 * come when a device asks for them.
 *
 * What happens: each VM's kernel and processes use each of its devices, and every byte
 * is looked at; what was unmapped is not reached, and the guest is told; both VMs are
 * at work when one of them is killed, and the other does not notice; a device of the
 * dead one goes to the other.
 *
 *	uiommu run --machine vmm.dts -- vmm [--user-queue] [--show] [--hostile SEED]
 *
 *	--user-queue		the guests get command queues of the hardware's own
 *				(TEGRA241_CMDQV): their invalidations cause no exit
 *	--show			draw what the guests see, with the tool's own pen;
 *				`uiommu run --show' draws the host
 *	--hostile SEED		the virtual SMMUs do late what they may do late
 */
#include <dirent.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/work.h"
#include "say.h"
#include "tools/uiommu/attachments.h"
#include "vm.h"

#define VMS	2u
#define SEED2	0x9e3779b97f4a7c15ull	/* so that two VMs are not late in step */

struct options {
	bool show, user_queue;
	uint64_t seed;
};

static struct vm vm[VMS];
static const char *const vm_names[VMS] = { "vm1", "vm2" };
static unsigned files_before[VMS];	/* each VM came */

/* One VM does something; in the other's memory no byte changes. */
static void alone(unsigned i, void (*fn)(struct kernel *k, void *arg))
{
	uint64_t other = vm_checksum(&vm[!i]);

	vm_run(&vm[i], fn, NULL);
	check(vm_checksum(&vm[!i]) == other, "no byte of %s has changed", vm_names[!i]);
}

/* ---- what is left of one ---- */

/* /dev/iommu, devices, and what they give out. */
static bool is_a_vms(const char *fd)
{
	char path[280], to[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%s", fd);
	n = readlink(path, to, sizeof(to) - 1);
	to[n < 0 ? 0 : n] = '\0';
	return !strcmp(to, "/dev/iommu") || !strncmp(to, "/dev/vfio/", 10) ||
	       !strncmp(to, "anon_inode:[iommufd", 19);
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += is_a_vms(e->d_name);
	if (d)
		closedir(d);
	return n;
}

static bool is_mapped(volatile void *page)
{
	return page && !msync((void *)(uintptr_t)page, 1, MS_ASYNC);
}

/* ---- what a guest sees ---- */

static void draw(struct kernel *k, void *arg)
{
	struct pen pen;

	pen_init(&pen, stdout);
	say("What %s sees", k->board->name);
	attachments_draw(&pen, stdout, k->u);
	fflush(stdout);
}

static void show(const struct options *o, unsigned vms)
{
	for (unsigned i = 0; i < vms && o->show; i++)
		vm_run(&vm[i], draw, NULL);
}

/* ---- the story ---- */

static void boot(const struct options *o)
{
	static const char *const names[2] = { "0000:00:01.0", "0000:00:02.0" };
	const struct board_device *d[2];

	say("Two VMs boot, two devices each");
	for (unsigned i = 0; i < VMS; i++) {
		const struct vm_config cfg = {
			.name = vm_names[i], .user_queue = o->user_queue,
			.seed = o->seed ? o->seed + i * SEED2 : 0,
		};

		files_before[i] = open_files();
		vm_create(&vm[i], &cfg);
		for (unsigned j = 0; j < 2; j++)
			d[j] = vm_add_device(&vm[i], 2 * i + j, 0x08 * (j + 1), 0x10 + 8 * j,
					     names[j]);
		vm_boot(&vm[i]);
		for (unsigned j = 0; j < 2; j++)
			vm_run(&vm[i], work_add_device, (void *)(uintptr_t)d[j]);
	}
}

/* What was asked for is there. */
static void need_queues(const struct options *o)
{
	for (unsigned i = 0; i < VMS && o->user_queue; i++)
		if (!vm[i].board.has_cmdqv) {
			fprintf(stderr, "vmm: %s: the host has no command queues for it\n",
				vm_names[i]);
			exit(77);
		}
}

static void each_by_itself(void)
{
	for (unsigned i = 0; i < VMS; i++)
		alone(i, work_kernel);
	for (unsigned i = 0; i < VMS; i++)
		alone(i, work_processes);
	for (unsigned i = 0; i < VMS; i++)
		alone(i, work_munmap);
}

/* Of a device with ATS an unmap is two batches of commands, of another one. */
static void unmaps(void)
{
	unsigned n = 50;

	say("Each VM maps and unmaps %u pages on each device", n);
	for (unsigned i = 0; i < VMS; i++) {
		uint64_t queue = vm_queue_exits(&vm[i]), all = vm_exits(&vm[i]);

		vm_run(&vm[i], work_unmaps, &n);
		queue = vm_queue_exits(&vm[i]) - queue;
		all = vm_exits(&vm[i]) - all;
		if (vm[i].board.has_cmdqv)
			check(!all, "%s: no exit", vm_names[i]);
		else
			check(queue == 3 * n && all >= queue,
			      "%s: %llu exits for its command queue", vm_names[i],
			      (unsigned long long)queue);
	}
}

/* vm2 does not notice. */
static void a_queue_stops(void)
{
	uint64_t exits;

	if (!vm[0].board.has_cmdqv)
		return;
	say("A queue of vm1's own stops");
	exits = vm_exits(&vm[1]);
	alone(0, work_bad_command);
	check(vm_exits(&vm[1]) == exits, "vm2: no exit");
}

/* Both VMs have done @n rounds more. */
static void let_run(struct storm *s, unsigned n)
{
	for (unsigned i = 0; i < VMS; i++) {
		unsigned from = atomic_load(&s[i].rounds);

		while (atomic_load(&s[i].rounds) < from + n)
			usleep(100);
	}
}

static void finish_storm(unsigned i, struct storm *s)
{
	atomic_store(&s->stop, true);
	vm_wait(&vm[i]);
	check(!s->wrong && !s->events,
	      "%s: every byte of every copy was right, and no event came", vm_names[i]);
}

static void both_at_once(void)
{
	struct storm s[VMS] = { { .kernel_maps = true }, { .kernel_maps = true } };

	say("Both VMs use all queues of all devices");
	for (unsigned i = 0; i < VMS; i++)
		vm_start(&vm[i], work_storm, &s[i]);
	let_run(s, 5);
	for (unsigned i = 0; i < VMS; i++)
		finish_storm(i, &s[i]);
}

/* vm2 needs nobody but its devices: they are at work until the last of its files closes. */
static void one_dies(void)
{
	struct storm s[VMS] = { { .kernel_maps = true }, { .kernel_maps = false } };
	volatile void *page = vm[1].cmdqv.page;
	unsigned rounds;
	bool left;

	say("vm2 is killed while both are at work");
	vm_run(&vm[1], work_leave_waiting, NULL);
	for (unsigned i = 0; i < VMS; i++)
		vm_start(&vm[i], work_storm, &s[i]);
	let_run(s, 3);
	vm_kill(&vm[1]);
	left = is_mapped(page) || open_files() != files_before[1];
	check(!left, "nothing of vm2 is left: no file, no register");
	rounds = atomic_load(&s[0].rounds);
	while (atomic_load(&s[0].rounds) < rounds + 3)
		usleep(100);
	finish_storm(0, &s[0]);
}

static void device_moves(void)
{
	const struct board_device *d;
	uint64_t dead = vm_checksum(&vm[1]);

	say("A device of vm2 goes to vm1");
	d = vm_add_device(&vm[0], 2, 0x18, 0x20, "0000:00:03.0");
	vm_run(&vm[0], work_new_device, (void *)(uintptr_t)d);
	check(vm_checksum(&vm[1]) == dead, "no byte of vm2 has changed");
}

static void end(void)
{
	vm_run(&vm[0], work_exit, NULL);
	vm_shut_down(&vm[0]);
	for (unsigned i = 0; i < VMS; i++)
		vm_destroy(&vm[i]);
}

/* ---- what is asked for ---- */

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "show", no_argument, NULL, 's' },
		{ "user-queue", no_argument, NULL, 'u' },
		{ "hostile", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's') {
			o->show = true;
		} else if (c == 'u') {
			o->user_queue = true;
		} else if (c == 'h') {
			o->seed = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: vmm [--user-queue] [--show] [--hostile SEED]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = { 0 };

	parse(argc, argv, &o);
	setlocale(LC_ALL, "");
	boot(&o);
	need_queues(&o);
	each_by_itself();
	unmaps();
	a_queue_stops();
	both_at_once();
	show(&o, VMS);
	one_dies();
	device_moves();
	show(&o, 1);
	end();
	say("%u checks, %u failed", checks_done(), checks_failed());
	return checks_failed() != 0;
}
