/* SPDX-License-Identifier: MIT */
/*
 * program.c - what a program has: memory that is pinned, files; and the functions that
 * stand behind VFIO device files
 */
#include "srv.h"

#include "tests/heap.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory: arguments are where they are, pages are those of @memory ---- */

static int copy_in(void *ctx, struct uiommu_as *as, void *dst, uint64_t src, size_t bytes)
{
	host_may_sleep(ctx, "copy_in");
	uiommu_hostile_yield();
	memcpy(dst, (const void *)(uintptr_t)src, bytes);
	return 0;
}

static int copy_out(void *ctx, struct uiommu_as *as, uint64_t dst, const void *src, size_t bytes)
{
	host_may_sleep(ctx, "copy_out");
	uiommu_hostile_yield();
	if (!dst)
		return -UIOMMU_EFAULT;
	memcpy((void *)(uintptr_t)dst, src, bytes);
	return 0;
}

struct pin {
	struct uiommu_pin pin;
	struct uiommu_pin_seg seg;
};

static int pin(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
	       uint64_t like, struct uiommu_pin **out)
{
	struct srv *s = ctx;
	unsigned first = (unsigned)((va - (uintptr_t)s->memory) / PAGE);
	struct pin *p = calloc(1, sizeof(*p));

	host_may_sleep(s, "pin");
	uiommu_hostile_yield();
	for (unsigned i = 0; i < len / PAGE; i++)
		s->pinned[first + i]++;
	s->pins++;
	p->pin = (struct uiommu_pin){ &p->seg, 1 };
	p->seg = (struct uiommu_pin_seg){ host_pa(s, s->memory + first * PAGE), len };
	*out = &p->pin;
	return 0;
}

static void unpin(void *ctx, struct uiommu_pin *pin)
{
	struct srv *s = ctx;
	struct pin *p = (struct pin *)pin;
	unsigned first = (unsigned)((p->seg.pa - host_pa(s, s->memory)) / PAGE);

	host_may_sleep(s, "unpin");
	for (unsigned i = 0; i < p->seg.bytes / PAGE; i++) {
		if (!s->pinned[first + i])
			uiommu_hostile_fail("page %u is given back twice", first + i);
		s->pinned[first + i]--;
	}
	s->pins--;
	free(p);
	uiommu_hostile_yield();
}

static void as_get(void *ctx, struct uiommu_as *as)
{
	as->refs++;
}

static void as_put(void *ctx, struct uiommu_as *as)
{
	if (!as->refs--)
		uiommu_hostile_fail("an address space is given back twice");
}

/* ---- files ---- */

struct uiommu_file *file_new(struct srv *s, const void *kind, void *object)
{
	struct uiommu_file *f = calloc(1, sizeof(*f));

	f->refs = 1;
	f->kind = kind;
	f->object = object;
	f->next = s->all_files;
	s->all_files = f;
	uiommu_hostile_release(f);
	s->files++;
	return f;
}

void file_release(struct srv *s, struct uiommu_file *f)
{
	if (!f->refs)
		uiommu_hostile_fail("a file is given back twice");
	uiommu_hostile_release(f);
	if (--f->refs)
		return;
	uiommu_hostile_acquire(f);
	if (f->kind == uiommu_iommufd_kind)
		uiommu_iommufd_put(f->object);
	else if (f->kind == uiommu_iommufd_fault_kind)
		uiommu_iommufd_fault_close(f->object);
	else if (f->kind == uiommu_iommufd_veventq_kind)
		uiommu_iommufd_veventq_close(f->object);
	s->files--;
	f->dead = true;		/* it stays in memory, so that whoever still has it is found */
}

static int file_get(void *ctx, struct uiommu_as *as, int fd, struct uiommu_file **out)
{
	struct srv *s = ctx;

	host_may_sleep(s, "file_get");
	uiommu_hostile_yield();
	if (fd < 0 || fd >= FILES || !s->fd[fd])
		return -UIOMMU_EBADF;
	*out = s->fd[fd];
	(*out)->refs++;
	uiommu_hostile_acquire(*out);
	return 0;
}

static void file_put(void *ctx, struct uiommu_file *f)
{
	uiommu_hostile_yield();
	file_release(ctx, f);
}

static void *file_object(void *ctx, struct uiommu_file *f, const void *kind)
{
	return f->kind == kind ? f->object : NULL;
}

static bool file_is_eventfd(void *ctx, struct uiommu_file *f)
{
	return f->eventfd;
}

static void file_signal(void *ctx, struct uiommu_file *f)
{
	uiommu_hostile_yield();
	if (f->dead || !f->eventfd)
		uiommu_hostile_fail("an eventfd is signalled that was given back");
	f->count++;
}

static int file_give(void *ctx, struct uiommu_as *as, const void *kind, void *obj,
		     struct uiommu_given **out, int *fd)
{
	struct srv *s = ctx;

	host_may_sleep(s, "file_give");
	for (int i = CTXS; i < FILES; i++) {
		if (s->fd[i])
			continue;
		s->fd[i] = file_new(s, kind, obj);
		*out = (struct uiommu_given *)s->fd[i];
		*fd = i;
		uiommu_hostile_yield();
		return 0;
	}
	return -UIOMMU_ENOMEM;
}

static void file_ready(void *ctx, struct uiommu_given *g)
{
	struct uiommu_file *f = (struct uiommu_file *)g;

	uiommu_hostile_yield();
	if (f->dead)
		uiommu_hostile_fail("a file is said to be ready that was given back");
	f->count++;
}

/* ---- functions ---- */

static int bus_dma(void *ctx, int32_t pasid, uiommu_iova_t iova, void *buf, size_t bytes,
		   bool write)
{
	return -UIOMMU_EFAULT;
}

static void bus_kick(void *ctx)
{
}

static uint32_t be_cfg_read(void *ctx, unsigned off, unsigned size)
{
	uiommu_hostile_yield();
	return uiommu_sim_cfg_read(((struct function *)ctx)->sim, off, size);
}

static void be_cfg_write(void *ctx, unsigned off, uint32_t val, unsigned size)
{
	uiommu_hostile_yield();
	uiommu_sim_cfg_write(((struct function *)ctx)->sim, off, val, size);
}

static uint64_t be_bar_read(void *ctx, unsigned bar, uint64_t off, unsigned size)
{
	uiommu_hostile_yield();
	return uiommu_sim_bar_read(((struct function *)ctx)->sim, bar, off, size);
}

static void be_bar_write(void *ctx, unsigned bar, uint64_t off, uint64_t val, unsigned size)
{
	uiommu_hostile_yield();
	uiommu_sim_bar_write(((struct function *)ctx)->sim, bar, off, val, size);
}

/* None of the DMA that was under way is, when it returns. */
static void be_reset(void *ctx)
{
	struct function *f = ctx;
	unsigned old = f->epoch++ & 1;

	while (f->flying[old])
		uiommu_hostile_wait();
	uiommu_sim_reset(f->sim);
}

static int be_msi_alloc(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg),
			void *arg, uiommu_pa_t *pa, uint32_t *data)
{
	struct function *f = ctx;

	uiommu_hostile_yield();
	if (f->msi[vector].fn)
		uiommu_hostile_fail("vector %u is allocated twice", vector);
	uiommu_hostile_release(&f->msi[vector]);
	f->msi[vector].arg = arg;
	f->msi[vector].fn = fn;
	*pa = DOORBELL;
	*data = vector;
	return 0;
}

static void be_msi_program(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
			   uint32_t data)
{
	uiommu_hostile_yield();
	((struct function *)ctx)->msi_iova = iova;
}

static void be_msi_free(void *ctx, unsigned index, unsigned vector)
{
	struct function *f = ctx;

	if (!f->msi[vector].fn)
		uiommu_hostile_fail("vector %u is given back twice", vector);
	f->msi[vector].fn = NULL;
	while (f->msi[vector].running)
		uiommu_hostile_wait();
	uiommu_hostile_acquire(&f->msi[vector]);
}

void program_doorbell(struct srv *s, const struct flight *fl, uint32_t data)
{
	struct function *f = &s->fn[fl->fn];
	unsigned v = data % VECTORS;

	if (!f->msi[v].fn || fl->pair)
		return;
	f->msi[v].running++;
	uiommu_hostile_acquire(&f->msi[v]);
	f->msi[v].fn(f->msi[v].arg);
	uiommu_hostile_release(&f->msi[v]);
	f->msi[v].running--;
}

/* ---- up and down ---- */

void program_create(struct srv *s)
{
	s->ua = (struct uiommu_uaccess){
		s, copy_in, copy_out, pin, unpin, as_get, as_put, file_get, file_put, file_object,
		file_is_eventfd, file_signal, file_give, file_ready
	};
}

static void add_function(struct srv *s, unsigned n)
{
	const struct uiommu_sim_edu_config edu = { .pasid_bits = 4 };
	struct function *f = &s->fn[n];
	const uint32_t sid = 1 + n;
	const struct uiommu_dev_config cfg = {
		.name = n ? "b" : "a", .iommu = s->iommu, .rid = n, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 4, .group = -1, .can_stall = true,
		.default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct uiommu_vfio_backend be = {
		.ctx = f, .region_bytes = { [7] = 4096 }, .irq_count = { [1] = VECTORS },
		.mmap_ok = { true }, .cfg_read = be_cfg_read, .cfg_write = be_cfg_write,
		.bar_read = be_bar_read, .bar_write = be_bar_write, .reset = be_reset,
		.msi_alloc = be_msi_alloc, .msi_program = be_msi_program, .msi_free = be_msi_free,
	};

	f->s = s;
	f->bus = (struct uiommu_sim_bus){ .ctx = f, .alloc = heap_alloc, .free = heap_free,
					  .dma = bus_dma, .kick = bus_kick };
	for (unsigned p = 0; p < PAIRS; p++)
		cell_init(&f->at[p], NOWHERE);
	if (uiommu_sim_edu_create(&f->bus, &edu, &f->sim) ||
	    uiommu_device_add(s->u, &cfg, &f->dev))
		uiommu_hostile_fail("a function cannot be added");
	be.dev = f->dev;
	for (unsigned i = 0; i < 6; i++)
		be.region_bytes[i] = f->sim->bars[i].bytes;
	host_makes(s, RANK_VFIO);
	if (uiommu_vfio_device_create(&s->host, &s->ua, &be, &f->vfio))
		uiommu_hostile_fail("a VFIO device cannot be made");
	host_makes(s, RANK_CORE);
}

void program_boot(struct srv *s)
{
	s->memory = uiommu_hostile_alloc(UPAGES * PAGE);
	for (unsigned i = 0; i < ALL_SPACES * CELLS; i++)
		cell_init(&s->cell[i / CELLS][i % CELLS], -1);
	for (unsigned n = 0; n < FNS; n++)
		add_function(s, n);
}

void program_shut(struct srv *s)
{
	for (unsigned n = 0; n < FNS; n++) {
		uiommu_vfio_device_destroy(s->fn[n].vfio);
		uiommu_sim_destroy(s->fn[n].sim);
		uiommu_device_remove(s->fn[n].dev);
	}
	if (s->pins)
		uiommu_hostile_fail("%ld pins are left behind", s->pins);
	if (s->files)
		uiommu_hostile_fail("%ld files are left behind", s->files);
	if (s->as.refs)
		uiommu_hostile_fail("%u references on the program are left behind", s->as.refs);
	if (s->stalled)
		uiommu_hostile_fail("%u stalled accesses are left behind", s->stalled);
}

void program_destroy(struct srv *s)
{
	struct uiommu_file *next;

	for (struct uiommu_file *f = s->all_files; f; f = next) {
		next = f->next;
		free(f);
	}
}
