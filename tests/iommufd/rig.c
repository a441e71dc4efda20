/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/mman.h>
#include "rig.h"
#include "sim/mmio.h"
#include "tests/fail/hook.h"
#include "tests/heap.h"

#define MMIO_PA		0x9050000ull
#define MMIO_BYTES	0x20000ull
#define MEM_ALIGN	(2ull << 20)
#define MEM_BYTES	((RIG_PAGES + RIG_RO_PAGES) * PAGE)
#define ARGS		(RIG_VA + (RIG_PAGES - 1) * PAGE)

/* ---- host ---- */

/* Where a test refuses calls itself nobody else does. */
static bool refuses(const struct rig *r, enum host_call what)
{
	return !r->fail_at && host_refuses(what);
}

static bool fails(struct rig *r, enum host_call what)
{
	return refuses(r, what) || ++r->allocs == r->fail_at;
}

static void *host_alloc(void *ctx, size_t bytes)
{
	struct rig *r = ctx;
	void *p = fails(r, HOST_ALLOC) ? NULL : calloc(1, bytes);

	r->live += p != NULL;
	host_held(HOST_ALLOC, p != NULL);
	return p;
}

static void host_free(void *ctx, void *p, size_t bytes)
{
	struct rig *r = ctx;

	if (!p)
		return;
	memset(p, 0xa5, bytes);		/* the size must be the one it was allocated with */
	r->live--;
	host_held(HOST_ALLOC, -1);
	free(p);
}

static void *host_table_alloc(void *ctx, size_t bytes)
{
	struct rig *r = ctx;
	struct rig_table *t;

	if (fails(r, HOST_TABLE))
		return NULL;
	host_held(HOST_TABLE, 1);
	t = malloc(sizeof(*t));
	t->p = aligned_alloc(bytes, bytes);
	t->bytes = bytes;
	memset(t->p, 0, bytes);
	t->next = r->tables;
	r->tables = t;
	return t->p;
}

static void host_table_free(void *ctx, void *p, size_t bytes)
{
	struct rig *r = ctx;
	struct rig_table **link = &r->tables, *t;

	while ((*link)->p != p)
		link = &(*link)->next;
	t = *link;
	assert_int_equal(t->bytes, bytes);
	*link = t->next;
	host_held(HOST_TABLE, -1);
	free(t->p);
	free(t);
}

SIM_MMIO_OPS(smmu_regs, uiommu_sim_smmuv3_mmio_read, uiommu_sim_smmuv3_mmio_write)
SIM_MMIO_OPS(cmdqv_regs, uiommu_sim_smmuv3_cmdqv_read, uiommu_sim_smmuv3_cmdqv_write)

static int host_mmio_map(void *ctx, uiommu_pa_t pa, uint64_t bytes, struct uiommu_mmio *out)
{
	if (pa != MMIO_PA)
		return -UIOMMU_ENODEV;
	if (refuses(ctx, HOST_MMIO))
		return -UIOMMU_ENOMEM;
	host_held(HOST_MMIO, 1);
	*out = (struct uiommu_mmio){ .ops = &smmu_regs, .ctx = ((struct rig *)ctx)->smmu,
				     .bytes = bytes };
	return 0;
}

static void host_mmio_unmap(void *ctx, struct uiommu_mmio *mmio)
{
	host_held(HOST_MMIO, -1);
}

/* One thread: nobody is waited for, so a lock that is taken twice is a mistake. */
static int host_lock_init(void *ctx, struct uiommu_lock *l, enum uiommu_lock_kind kind)
{
	struct rig *r = ctx;

	if (refuses(r, HOST_LOCK))
		return -UIOMMU_ENOMEM;
	host_held(HOST_LOCK, 1);
	r->num_locks++;
	l->opaque[0] = 0;
	return 0;
}

static void host_lock_fini(void *ctx, struct uiommu_lock *l)
{
	assert_int_equal(l->opaque[0], 0);
	((struct rig *)ctx)->num_locks--;
	host_held(HOST_LOCK, -1);
}

static void host_lock(void *ctx, struct uiommu_lock *l)
{
	assert_int_equal(l->opaque[0], 0);
	l->opaque[0] = 1;
}

static void host_unlock(void *ctx, struct uiommu_lock *l)
{
	assert_int_equal(l->opaque[0], 1);
	l->opaque[0] = 0;
}

static uint64_t host_now(void *ctx)
{
	static uint64_t t;

	return t += 1000;
}

/* ---- physical memory, as hardware reaches it ---- */

static void *pa_to_ptr(struct rig *r, uiommu_pa_t pa, size_t bytes)
{
	for (struct rig_table *t = r->tables; t; t = t->next)
		if (pa >= (uintptr_t)t->p && pa + bytes <= (uintptr_t)t->p + t->bytes)
			return (void *)(uintptr_t)pa;
	for (struct rig_pin *p = r->pins; p; p = p->next)
		for (size_t i = 0; i < p->pin.nsegs; i++)
			if (pa >= p->segs[i].pa && pa + bytes <= p->segs[i].pa + p->segs[i].bytes)
				return (void *)(uintptr_t)pa;
	return NULL;
}

static int pa_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	void *p = pa_to_ptr(ctx, pa, bytes);

	if (p)
		memcpy(buf, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static struct rig_fn *initiator;

static int pa_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	void *p = pa_to_ptr(ctx, pa, bytes);
	uint32_t data;

	if (p) {
		memcpy(p, buf, bytes);
		return 0;
	}
	if (pa != RIG_DOORBELL || bytes != 4 || !initiator)
		return -UIOMMU_EFAULT;
	memcpy(&data, buf, sizeof(data));
	if (data < RIG_VECTORS && initiator->msi_fn[data])
		initiator->msi_fn[data](initiator->msi_arg[data]);
	return 0;
}

/* ---- the program ---- */

static uint8_t *user(struct uiommu_as *as, uint64_t va, uint64_t bytes, bool write)
{
	const uint64_t end = write ? RIG_VA + RIG_PAGES * PAGE : RIG_HOLE;

	if (as->dead || va < RIG_VA || va > end || bytes > end - va)
		return NULL;
	return as->mem + (va - RIG_VA);
}

static int copy_in(void *ctx, struct uiommu_as *as, void *dst, uint64_t src, size_t bytes)
{
	const uint8_t *p = refuses(ctx, HOST_COPY_IN) ? NULL : user(as, src, bytes, false);

	if (p)
		memcpy(dst, p, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

static int copy_out(void *ctx, struct uiommu_as *as, uint64_t dst, const void *src, size_t bytes)
{
	uint8_t *p = refuses(ctx, HOST_COPY_OUT) ? NULL : user(as, dst, bytes, true);

	if (p)
		memcpy(p, src, bytes);
	return p ? 0 : -UIOMMU_EFAULT;
}

/* Two segments wherever there are two pages, so that callers see several. */
static int pin(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
	       uint64_t like, struct uiommu_pin **out)
{
	struct rig *r = ctx;
	uint8_t *p = user(as, va, len, prot & UIOMMU_PROT_WRITE);
	struct rig_pin *rp;

	assert_int_equal((va | len | like) % PAGE, 0);
	assert_int_not_equal(len, 0);
	if (!p || refuses(r, HOST_PIN_FAULT))
		return -UIOMMU_EFAULT;
	if (fails(r, HOST_PIN))
		return -UIOMMU_ENOMEM;
	host_held(HOST_PIN, 1);
	rp = calloc(1, sizeof(*rp));
	rp->pin.segs = rp->segs;
	rp->pin.nsegs = len > PAGE ? 2 : 1;
	rp->segs[0] = (struct uiommu_pin_seg){ (uintptr_t)p, PAGE };
	rp->segs[1] = (struct uiommu_pin_seg){ (uintptr_t)p + PAGE, len - PAGE };
	rp->va = va;
	rp->like = like;
	rp->next = r->pins;
	r->pins = rp;
	r->num_pins++;
	*out = &rp->pin;
	return 0;
}

static void unpin(void *ctx, struct uiommu_pin *pin)
{
	struct rig *r = ctx;
	struct rig_pin **link = &r->pins, *rp;

	while (&(*link)->pin != pin)
		link = &(*link)->next;
	rp = *link;
	*link = rp->next;
	r->num_pins--;
	host_held(HOST_PIN, -1);
	free(rp);
}

static void as_get(void *ctx, struct uiommu_as *as)
{
	as->refs++;
	host_held(HOST_AS, 1);
}

static void as_put(void *ctx, struct uiommu_as *as)
{
	assert_int_not_equal(as->refs, 0);
	as->refs--;
	host_held(HOST_AS, -1);
}

static int file_get(void *ctx, struct uiommu_as *as, int fd, struct uiommu_file **out)
{
	if (fd < 0 || fd >= RIG_FDS || !as->fds[fd])
		return -UIOMMU_EBADF;
	if (refuses(ctx, HOST_FILE_GET))
		return -UIOMMU_ENOMEM;
	*out = as->fds[fd];
	(*out)->refs++;
	return 0;
}

static void file_put(void *ctx, struct uiommu_file *f)
{
	assert_int_not_equal(f->refs, 0);
	if (--f->refs)
		return;
	if (f->kind == uiommu_iommufd_kind)
		uiommu_iommufd_put(f->object);
	else if (f->kind == uiommu_iommufd_fault_kind)
		uiommu_iommufd_fault_close(f->object);
	else if (f->kind == uiommu_iommufd_veventq_kind)
		uiommu_iommufd_veventq_close(f->object);
	((struct rig *)ctx)->num_files--;
	free(f);
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
	assert_true(f->eventfd);
	f->count++;
}

static int file_give(void *ctx, struct uiommu_as *as, const void *kind, void *obj,
		     struct uiommu_given **out, int *fd)
{
	struct rig *r = ctx;
	int n = 0;

	while (n < RIG_FDS && as->fds[n])
		n++;
	if (r->no_files || refuses(r, HOST_FILE_GIVE_FAULT))
		return -UIOMMU_EFAULT;
	if (n == RIG_FDS || fails(r, HOST_FILE_GIVE))
		return -UIOMMU_ENOMEM;
	rig_install(r, n, kind, obj);
	*out = (struct uiommu_given *)as->fds[n];
	*fd = n;
	return 0;
}

static void file_ready(void *ctx, struct uiommu_given *g)
{
	((struct uiommu_file *)g)->count++;
}

/* ---- functions ---- */

static int bus_dma(void *ctx, int32_t pasid, uiommu_iova_t iova, void *buf, size_t bytes,
		   bool write)
{
	struct rig_fn *f = ctx;

	return rig_dma(f->rig, (unsigned)(f - f->rig->fns), pasid, iova, buf, bytes, write);
}

static void bus_kick(void *ctx)
{
}

static uint32_t be_cfg_read(void *ctx, unsigned off, unsigned size)
{
	return uiommu_sim_cfg_read(((struct rig_fn *)ctx)->sim, off, size);
}

static void be_cfg_write(void *ctx, unsigned off, uint32_t val, unsigned size)
{
	uiommu_sim_cfg_write(((struct rig_fn *)ctx)->sim, off, val, size);
}

static uint64_t be_bar_read(void *ctx, unsigned bar, uint64_t off, unsigned size)
{
	return uiommu_sim_bar_read(((struct rig_fn *)ctx)->sim, bar, off, size);
}

static void be_bar_write(void *ctx, unsigned bar, uint64_t off, uint64_t val, unsigned size)
{
	uiommu_sim_bar_write(((struct rig_fn *)ctx)->sim, bar, off, val, size);
}

static void be_reset(void *ctx)
{
	struct rig_fn *f = ctx;

	f->resets++;
	if (f->on_reset)
		f->on_reset(f);
	uiommu_sim_reset(f->sim);
}

static int be_msi_alloc(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg),
			void *arg, uiommu_pa_t *pa, uint32_t *data)
{
	struct rig_fn *f = ctx;

	assert_int_equal(index, 1);
	assert_true(vector < RIG_VECTORS);
	assert_null(f->msi_fn[vector]);
	if (fails(f->rig, HOST_MSI))
		return -UIOMMU_ENOMEM;
	host_held(HOST_MSI, 1);
	f->msi_fn[vector] = fn;
	f->msi_arg[vector] = arg;
	*pa = RIG_DOORBELL;
	*data = vector;
	return 0;
}

static void be_msi_program(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
			   uint32_t data)
{
	struct rig_fn *f = ctx;
	const unsigned cap = f->sim->msi_cap;

	if (vector)
		return;
	uiommu_sim_cfg_write(f->sim, cap + 4, (uint32_t)iova, 4);
	uiommu_sim_cfg_write(f->sim, cap + 8, (uint32_t)(iova >> 32), 4);
	uiommu_sim_cfg_write(f->sim, cap + 12, data, 2);
	uiommu_sim_cfg_write(f->sim, cap + 2, 1, 2);
}

static void be_msi_free(void *ctx, unsigned index, unsigned vector)
{
	struct rig_fn *f = ctx;

	assert_non_null(f->msi_fn[vector]);
	if (!vector)
		uiommu_sim_cfg_write(f->sim, f->sim->msi_cap + 2, 0, 2);
	f->msi_fn[vector] = NULL;
	host_held(HOST_MSI, -1);
}

static void add_vfio(struct rig *r, struct rig_fn *f)
{
	const struct uiommu_sim_edu_config edu = { .pasid_bits = 8 };
	struct uiommu_vfio_backend be = {
		.ctx = f,
		.dev = f->dev,
		.region_bytes = { [7] = 4096 },
		.irq_count = { [1] = RIG_VECTORS },
		.mmap_ok = { true },
		.cfg_read = be_cfg_read,
		.cfg_write = be_cfg_write,
		.bar_read = be_bar_read,
		.bar_write = be_bar_write,
		.reset = be_reset,
		.msi_alloc = be_msi_alloc,
		.msi_program = be_msi_program,
		.msi_free = be_msi_free,
	};

	f->bus = (struct uiommu_sim_bus){
		.ctx = f, .alloc = heap_alloc, .free = heap_free, .dma = bus_dma, .kick = bus_kick,
	};
	assert_int_equal(uiommu_sim_edu_create(&f->bus, &edu, &f->sim), 0);
	uiommu_sim_cfg_write(f->sim, 0x10, 0xe0000000, 4);
	if (f->sim->pasid_cap)
		uiommu_sim_cfg_write(f->sim, f->sim->pasid_cap + 6u, 1, 2);
	be.region_bytes[0] = f->sim->bars[0].bytes;
	assert_int_equal(uiommu_vfio_device_create(&r->host, &r->ua, &be, &f->vfio), 0);
}

/* ---- made and unmade ---- */

static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	struct rig *r = ctx;

	r->faults++;
	uiommu_fault_text(f, r->fault_text, sizeof(r->fault_text));
}

static void on_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
	((struct rig *)ctx)->resumed[how]++;
}

static void make_smmu(struct rig *r, const struct rig_options *o)
{
	struct uiommu_sim_smmuv3_config cfg;
	const struct uiommu_sim_env env = {
		.ctx = r, .alloc = heap_alloc, .free = heap_free, .read = pa_read, .write = pa_write,
		.resume = on_resume,
	};
	struct uiommu_smmuv3_config drv = {
		.name = "smmu", .mmio_pa = MMIO_PA, .mmio_bytes = MMIO_BYTES, .coherent = true,
		.has_cmdqv = o->cmdqv,
		.cmdqv = { .ops = &cmdqv_regs, .bytes = 0x30000 + RIG_VINTFS * 0x20000 },
	};
	const struct uiommu_observer obs = { .ctx = r, .fault = on_fault };

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = o->nesting;
	cfg.stall = o->faults;
	cfg.stall_max = 16;
	if (o->cmdqv) {
		cfg.cmdqv.vintfs_lg2 = 2;
		cfg.cmdqv.vcmdqs_lg2 = 3;
		cfg.cmdqv.sids_lg2 = 1;
	}
	assert_int_equal(uiommu_sim_smmuv3_create(&cfg, &env, &r->smmu), 0);
	drv.cmdqv.ctx = r->smmu;
	assert_int_equal(uiommu_create(&r->host, &obs, &r->u), 0);
	assert_int_equal(uiommu_smmuv3_probe(r->u, &drv, &r->iommu), 0);
}

static void add_fn(struct rig *r, unsigned n, const struct rig_options *o)
{
	static const char *const names[RIG_DEVS] = {
		"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
	};
	struct rig_fn *f = &r->fns[n];
	struct uiommu_dev_config cfg = {
		.name = names[n], .iommu = r->iommu, .rid = 0x100 * (n + 1), .stream_ids = &f->sid,
		.num_stream_ids = 1, .pasid_bits = n == 2 && !o->shared ? 0 : 8,
		.group = n && (o->group || o->shared) ? 7 : -1, .shared = n && o->shared,
		.default_type = o->identity ? UIOMMU_DOMAIN_IDENTITY : UIOMMU_DOMAIN_BLOCKED,
		.resv = o->resv, .num_resv = n < 2 ? o->num_resv : 0,
		.can_stall = n < 2 && o->faults,
	};

	f->rig = r;
	f->sid = 0x10 + n;
	host_counter(&f->resets, sizeof(f->resets));
	assert_int_equal(uiommu_device_add(r->u, &cfg, &f->dev), 0);
	if (o->vfio)
		add_vfio(r, f);
}

struct rig *rig_create(bool vfio, bool group)
{
	return rig_create_with(&(struct rig_options){ .vfio = vfio, .group = group });
}

/* Zero until it is touched: most tests need little of it. */
static void map_memory(struct rig *r)
{
	r->room = mmap(NULL, MEM_BYTES + MEM_ALIGN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r->room, MAP_FAILED);
	r->as.mem = r->room + (-(uintptr_t)r->room & (MEM_ALIGN - 1));
}

struct rig *rig_create_with(const struct rig_options *o)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->host = (struct uiommu_host){
		.ctx = r, .table_alloc = host_table_alloc, .table_free = host_table_free,
		.alloc = host_alloc, .free = host_free, .mmio_map = host_mmio_map,
		.mmio_unmap = host_mmio_unmap, .now_ns = host_now,
		.lock_init = host_lock_init, .lock_fini = host_lock_fini,
		.lock = host_lock, .unlock = host_unlock,
	};
	r->ua = (struct uiommu_uaccess){
		r, copy_in, copy_out, pin, unpin, as_get, as_put, file_get, file_put, file_object,
		file_is_eventfd, file_signal, file_give, file_ready
	};
	r->as.refs = 1;
	map_memory(r);
	make_smmu(r, o);
	for (unsigned n = 0; n < RIG_DEVS; n++)
		add_fn(r, n, o);
	return r;
}

void rig_destroy(struct rig *r)
{
	for (int fd = 0; fd < RIG_FDS; fd++)
		rig_close_fd(r, fd);
	for (unsigned i = 0; i < RIG_DEVS; i++) {
		if (r->fns[i].vfio)
			uiommu_vfio_device_destroy(r->fns[i].vfio);
		if (r->fns[i].sim)
			uiommu_sim_destroy(r->fns[i].sim);
		uiommu_device_remove(r->fns[i].dev);
	}
	uiommu_smmuv3_remove(r->iommu);
	uiommu_destroy(r->u);
	uiommu_sim_smmuv3_destroy(r->smmu);
	host_counts_nothing();
	assert_int_equal(r->num_pins, 0);
	assert_int_equal(r->num_files, 0);
	assert_int_equal(r->as.refs, 1);
	assert_int_equal(r->live, 0);
	assert_int_equal(r->num_locks, 0);
	assert_null(r->tables);
	munmap(r->room, MEM_BYTES + MEM_ALIGN);
	free(r);
}

/* ---- files ---- */

void rig_install(struct rig *r, int fd, const void *kind, void *object)
{
	struct uiommu_file *f = calloc(1, sizeof(*f));

	f->refs = 1;
	f->kind = kind;
	f->object = object;
	r->as.fds[fd] = f;
	r->num_files++;
}

void rig_install_eventfd(struct rig *r, int fd)
{
	rig_install(r, fd, NULL, NULL);
	r->as.fds[fd]->eventfd = true;
}

void rig_close_fd(struct rig *r, int fd)
{
	if (r->as.fds[fd])
		file_put(r, r->as.fds[fd]);
	r->as.fds[fd] = NULL;
}

struct uiommu_iommufd *rig_iommufd(struct rig *r)
{
	const struct uiommu_iommufd_config cfg = {
		.u = r->u, .host = &r->host, .uaccess = &r->ua,
		.msi_base = RIG_MSI_BASE, .msi_bytes = RIG_MSI_BYTES,
	};
	struct uiommu_iommufd *ctx;

	return uiommu_iommufd_create(&cfg, &ctx) ? NULL : ctx;
}

/* ---- calls ---- */

void *rig_ptr(struct rig *r, uint64_t va)
{
	return r->as.mem + (va - RIG_VA);
}

uint64_t rig_arg(struct rig *r, const void *src, size_t bytes)
{
	memcpy(rig_ptr(r, ARGS), src, bytes);
	return ARGS;
}

int rig_ioctl(struct rig *r, struct uiommu_iommufd *ctx, uint32_t nr, void *cmd, size_t bytes)
{
	uint64_t arg = rig_arg(r, cmd, bytes);
	int ret = uiommu_iommufd_ioctl(ctx, &r->as, nr, arg);

	memcpy(cmd, rig_ptr(r, arg), bytes);
	return ret;
}

int rig_dma(struct rig *r, unsigned fn, int32_t pasid, uint64_t iova, void *buf, size_t bytes,
	    bool write)
{
	const struct uiommu_sim_access a = {
		.stream_id = r->fns[fn].sid, .substream_id = pasid < 0 ? 0 : (uint32_t)pasid,
		.ssv = pasid >= 0, .write = write, .iova = iova,
	};
	int ret;

	initiator = &r->fns[fn];
	ret = uiommu_sim_smmuv3_dma(r->smmu, &a, buf, bytes, NULL);
	initiator = NULL;
	uiommu_smmuv3_poll(r->iommu);
	return ret;
}

uint64_t rig_read64(struct rig *r, unsigned fn, int32_t pasid, uint64_t iova)
{
	uint64_t v = 0;

	return rig_dma(r, fn, pasid, iova, &v, sizeof(v), false) ? 0 : v;
}

uint32_t rig_ioas(struct rig *r, struct uiommu_iommufd *ctx)
{
	struct uiommu_abi_iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	assert_int_equal(rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_ALLOC, &cmd, sizeof(cmd)), 0);
	return cmd.out_ioas_id;
}

int rig_try_map(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t va,
		uint64_t len, uint64_t *iova, uint32_t flags)
{
	struct uiommu_abi_iommu_ioas_map cmd = {
		.size = sizeof(cmd), .flags = flags, .ioas_id = ioas, .user_va = va,
		.length = len, .iova = *iova,
	};
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_MAP, &cmd, sizeof(cmd));

	*iova = cmd.iova;
	return ret;
}

void rig_map(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t va, uint64_t len,
	     uint64_t iova)
{
	assert_int_equal(rig_try_map(r, ctx, ioas, va, len, &iova, FIXED | RW), 0);
}

int rig_unmap(struct rig *r, struct uiommu_iommufd *ctx, uint32_t ioas, uint64_t iova,
	      uint64_t len, uint64_t *unmapped)
{
	struct uiommu_abi_iommu_ioas_unmap cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .iova = iova, .length = len,
	};
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_IOAS_UNMAP, &cmd, sizeof(cmd));

	if (unmapped)
		*unmapped = cmd.length;
	return ret;
}

int rig_destroy_obj(struct rig *r, struct uiommu_iommufd *ctx, uint32_t id)
{
	struct uiommu_abi_iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_DESTROY, &cmd, sizeof(cmd));
}

int rig_hwpt_alloc(struct rig *r, struct uiommu_iommufd *ctx, uint32_t dev, uint32_t pt,
		   uint32_t flags, uint32_t *out)
{
	struct uiommu_abi_iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = dev, .pt_id = pt,
	};
	int ret = rig_ioctl(r, ctx, UIOMMU_ABI_IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd));

	if (!ret)
		*out = cmd.out_hwpt_id;
	return ret;
}

/* ---- random numbers ---- */

uint64_t rig_seed(const char *test, uint64_t dflt)
{
	const char *s = getenv("UIOMMU_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : dflt;

	print_message("# %s: UIOMMU_SEED=0x%llx\n", test, (unsigned long long)seed);
	return seed;
}

uint64_t rig_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}
