/* SPDX-License-Identifier: MIT */
/* User-managed tables on a parent, and a VM's slice: the second picture of seed S1. */
#include "vtd.h"

#define VM_BYTES	(64u << 10)
#define VA		0x7f1234567000ull
#define GPA(vm)		(0x100000ull << (vm))

/* ---- a VM: its memory, its address space, tables that it writes itself ---- */

struct vm {
	struct thost *t;
	unsigned char *mem;
	uint64_t gpa;
	size_t used;
	struct uiommu_domain *dom;
};

static uint64_t vm_take(struct vm *vm)
{
	uint64_t gpa = vm->gpa + vm->used;

	vm->used += 4096;
	assert_true(vm->used <= VM_BYTES);
	return gpa;
}

static uint64_t *vm_at(const struct vm *vm, uint64_t gpa)
{
	return (uint64_t *)(void *)(vm->mem + (gpa - vm->gpa));
}

/* A process of the guest's: four levels down to one page, which holds its number. */
static uint64_t vm_process(struct vm *vm, uint64_t number)
{
	uint64_t root = vm_take(vm), table = root;

	for (unsigned lvl = 3; lvl; lvl--) {
		uint64_t next = vm_take(vm);

		vm_at(vm, table)[VA >> (12 + 9 * lvl) & 511] = next | 3;
		table = next;
	}
	vm_at(vm, table)[VA >> 12 & 511] = vm_take(vm) | 3;
	*vm_at(vm, vm->gpa + vm->used - 4096) = number;
	return root;
}

/* The guest's page for VA in that process becomes a new one. */
static void vm_remap(struct vm *vm, uint64_t root, uint64_t number)
{
	uint64_t table = root, page = vm_take(vm);

	for (unsigned lvl = 3; lvl; lvl--)
		table = vm_at(vm, table)[VA >> (12 + 9 * lvl) & 511] & ~4095ull;
	vm_at(vm, table)[VA >> 12 & 511] = page | 3;
	*vm_at(vm, page) = number;
}

static struct vm vm_make(struct thost *t, struct uiommu_dev *dev, unsigned n, const char *name)
{
	struct vm vm = { .t = t, .gpa = GPA(n), .mem = t->host.table_alloc(t, VM_BYTES) };

	assert_int_equal(uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &vm.dom),
			 0);
	uiommu_domain_set_name(vm.dom, name);
	assert_int_equal(uiommu_map(vm.dom, vm.gpa, thost_pa(t, vm.mem), VM_BYTES, RW, NULL), 0);
	vm_take(&vm);
	*vm_at(&vm, vm.gpa) = 0x1000 + n;	/* what its address 0 holds */
	return vm;
}

/* ---- an instance with one such IOMMU ---- */

struct rig {
	struct thost t;
	struct uiommu *u;
	struct vtd v;
	struct uiommu_dev *rid1, *rid2;
	struct vm vm1, vm2;
	struct uiommu_domain *iova;
	unsigned faults;
};

static void rig_fault(void *ctx, const struct uiommu_fault *f)
{
	((struct rig *)ctx)->faults++;
}

static struct uiommu_dev *rig_add(struct rig *r, const char *name, uint32_t sid)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = &r->v.iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 5, .group = -1,
	};
	struct uiommu_dev *dev;

	assert_int_equal(uiommu_device_add(r->u, &cfg, &dev), 0);
	return dev;
}

static int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct uiommu_observer obs = { .ctx = r, .fault = rig_fault };

	thost_init(&r->t, false);
	assert_int_equal(uiommu_create(&r->t.host, &obs, &r->u), 0);
	vtd_init(&r->v, &r->t, r->u);
	r->rid1 = rig_add(r, "RID1", 0x100);
	r->rid2 = rig_add(r, "RID2", 0x200);
	r->vm1 = vm_make(&r->t, r->rid1, 1, "vm1");
	r->vm2 = vm_make(&r->t, r->rid1, 2, "vm2");
	*state = r;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *r = *state;

	uiommu_destroy(r->u);
	r->t.host.table_free(&r->t, r->vm1.mem, VM_BYTES);
	r->t.host.table_free(&r->t, r->vm2.mem, VM_BYTES);
	thost_fini(&r->t);
	free(r);
	return 0;
}

static int try_bind(struct vm *vm, struct uiommu_dev *dev, uiommu_pasid_t pasid, uint64_t root)
{
	const struct vtd_user user = { root };
	const struct uiommu_user_data data = { VTD_DATA, &user, sizeof(user) };

	return uiommu_bind_pgtable_pasid(vm->dom, dev, &data, pasid);
}

static void bind(struct vm *vm, struct uiommu_dev *dev, uiommu_pasid_t pasid, uint64_t root)
{
	assert_int_equal(try_bind(vm, dev, pasid, root), 0);
}

/* What a read by (dev, pasid) finds there; 0: it is blocked. */
static uint64_t dma(struct rig *r, struct uiommu_dev *dev, uiommu_pasid_t pasid, uint64_t va)
{
	uint64_t pa;

	return vtd_dma(dev, pasid, va, false, &pa) ? *(uint64_t *)thost_at(&r->t, pa, 8) : 0;
}

/* ---- drawn as the seed draws it ---- */

struct drawing {
	char s[2048];
	size_t n;
	struct uiommu_domain *dom;
};

static void draw(struct drawing *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	d->n += (size_t)vsnprintf(d->s + d->n, sizeof(d->s) - d->n, fmt, ap);
	va_end(ap);
}

static int draw_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct drawing *d = ctx;

	draw(d, "     |      |-- [%s", uiommu_device_name(st->dev));
	if (st->pasid)
		draw(d, ", PASID-%c", 'a' + (int)st->pasid - 1);
	draw(d, "]");
	if (st->nested)
		draw(d, " nested");
	draw(d, "\n");
	return 0;
}

static int draw_domain(void *ctx, struct uiommu_domain *dom)
{
	struct drawing *d = ctx;

	if (dom->type != UIOMMU_DOMAIN_PAGING)
		return 0;
	draw(d, "     |-- %s\n", uiommu_domain_name(dom));
	return uiommu_domain_for_each_attach(dom, draw_attach, d);
}

#define A	1u
#define B	2u
#define C	3u
#define X	('x' - 'a' + 1u)
#define Y	('y' - 'a' + 1u)

static const char second_picture[] =
	"     |-- vm1\n"
	"     |      |-- [RID1, PASID-x]\n"
	"     |      |-- [RID1, PASID-a] nested\n"
	"     |      |-- [RID1, PASID-b] nested\n"
	"     |-- vm2\n"
	"     |      |-- [RID1, PASID-y]\n"
	"     |      |-- [RID2]\n"
	"     |      |-- [RID1, PASID-c] nested\n"
	"     |      |-- [RID2, PASID-a] nested\n"
	"     |-- iova\n"
	"     |      |-- [RID1]\n";

/* Everything of the seed's topology but the processes' tables. */
static void first_picture(struct rig *r)
{
	assert_int_equal(uiommu_domain_alloc_paging(r->rid1, 0, &r->iova), 0);
	uiommu_domain_set_name(r->iova, "iova");
	assert_int_equal(uiommu_attach_device(r->iova, r->rid1), 0);
	assert_int_equal(uiommu_attach_device_pasid(r->vm1.dom, r->rid1, X), 0);
	assert_int_equal(uiommu_attach_device_pasid(r->vm2.dom, r->rid1, Y), 0);
	assert_int_equal(uiommu_attach_device(r->vm2.dom, r->rid2), 0);
}

static void invariant_07_the_second_picture_of_s1(void **state)
{
	struct rig *r = *state;
	struct drawing d = { .n = 0 };

	first_picture(r);
	bind(&r->vm1, r->rid1, A, vm_process(&r->vm1, 11));
	bind(&r->vm1, r->rid1, B, vm_process(&r->vm1, 12));
	bind(&r->vm2, r->rid1, C, vm_process(&r->vm2, 21));
	bind(&r->vm2, r->rid2, A, vm_process(&r->vm2, 22));
	uiommu_for_each_domain(r->u, draw_domain, &d);
	assert_string_equal(d.s, second_picture);

	assert_int_equal(dma(r, r->rid1, X, GPA(1)), 0x1001);
	assert_int_equal(dma(r, r->rid1, Y, GPA(2)), 0x1002);
	assert_int_equal(dma(r, r->rid2, 0, GPA(2)), 0x1002);
	assert_int_equal(dma(r, r->rid1, A, VA), 11);
	assert_int_equal(dma(r, r->rid1, B, VA), 12);
	assert_int_equal(dma(r, r->rid1, C, VA), 21);
	assert_int_equal(dma(r, r->rid2, A, VA), 22);
	/* nobody reaches what is another's */
	assert_int_equal(dma(r, r->rid1, X, GPA(2)), 0);
	assert_int_equal(dma(r, r->rid1, 0, GPA(1)), 0);
	assert_int_equal(dma(r, r->rid1, A, GPA(1)), 0);
	assert_int_equal(dma(r, r->rid2, B, VA), 0);
}

static void one_pasid_is_invalidated_alone(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu *v;
	struct uiommu_vdevice *vd;
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
						  .type = VTD_SLICE };
	struct vtd_inv e[] = { { 7, A }, { 8, B } };
	struct uiommu_user_data inv = { VTD_INV, e, sizeof(e) };
	uint64_t a = vm_process(&r->vm1, 11), b = vm_process(&r->vm1, 12);
	size_t handled = 9;

	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid1, 7, &vd), 0);
	bind(&r->vm1, r->rid1, A, a);
	bind(&r->vm1, r->rid1, B, b);
	assert_int_equal(dma(r, r->rid1, A, VA), 11);
	assert_int_equal(dma(r, r->rid1, B, VA), 12);
	vm_remap(&r->vm1, a, 31);
	vm_remap(&r->vm1, b, 32);
	/* the second entry names a device that the VM does not have */
	assert_int_equal(uiommu_cache_invalidate(v, &inv, 2, &handled), -UIOMMU_EIO);
	assert_int_equal(handled, 1);
	assert_int_equal(dma(r, r->rid1, A, VA), 31);
	assert_int_equal(dma(r, r->rid1, B, VA), 12);
	e[1].virt_id = 7;
	assert_int_equal(uiommu_cache_invalidate(v, &inv, 2, &handled), 0);
	assert_int_equal(handled, 2);
	assert_int_equal(dma(r, r->rid1, B, VA), 32);
	inv.bytes--;
	assert_int_equal(uiommu_cache_invalidate(v, &inv, 2, &handled), -UIOMMU_EINVAL);
	assert_int_equal(handled, 0);
	assert_int_equal(uiommu_viommu_free(v), -UIOMMU_EBUSY);
	uiommu_vdevice_free(vd);
	assert_int_equal(uiommu_viommu_free(v), 0);
}

static void invariant_09_an_unmap_of_the_parent_reaches_the_nested(void **state)
{
	struct rig *r = *state;
	unsigned told;

	bind(&r->vm1, r->rid1, A, vm_process(&r->vm1, 11));
	bind(&r->vm1, r->rid2, B, vm_process(&r->vm1, 12));
	bind(&r->vm2, r->rid2, A, vm_process(&r->vm2, 22));
	assert_int_equal(dma(r, r->rid1, A, VA), 11);
	assert_int_equal(dma(r, r->rid2, B, VA), 12);
	assert_int_equal(dma(r, r->rid2, A, VA), 22);
	told = r->v.told;
	assert_int_equal(uiommu_unmap(r->vm1.dom, r->vm1.gpa, VM_BYTES, NULL), 0);
	assert_int_equal(r->v.told - told, 2);		/* and not the other VM's */
	assert_int_equal(dma(r, r->rid1, A, VA), 0);
	assert_int_equal(dma(r, r->rid2, B, VA), 0);
	assert_int_equal(dma(r, r->rid2, A, VA), 22);
}

static void invariant_07_nesting_holds_its_parent(void **state)
{
	struct rig *r = *state;
	struct uiommu_domain *parent, *dom;
	const struct vtd_user user = { 0x5000 };
	const struct uiommu_user_data data = { VTD_DATA, &user, sizeof(user) };

	assert_int_equal(uiommu_domain_alloc_paging(r->rid1, UIOMMU_DOMAIN_ALLOC_NEST_PARENT,
						    &parent), 0);
	assert_int_equal(uiommu_domain_alloc_nested(parent, NULL, r->rid1, &data, &dom), 0);
	assert_ptr_equal(uiommu_domain_parent(dom), parent);
	assert_null(uiommu_domain_parent(parent));
	assert_int_equal(uiommu_domain_free(parent), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_attach_device_pasid(dom, r->rid1, A), 0);
	assert_int_equal(uiommu_domain_free(dom), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r->rid1, A);
	assert_int_equal(uiommu_domain_free(parent), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_domain_free(dom), 0);
	assert_int_equal(uiommu_domain_free(parent), 0);
}

static int tag_of(void *ctx, const struct uiommu_attach_status *st)
{
	*(uint32_t *)ctx = st->tag;
	return 1;
}

static void invariant_08_one_tag_for_all_of_a_vm(void **state)
{
	struct rig *r = *state;
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
						  .type = VTD_SLICE };
	struct uiommu_viommu *v;
	uint32_t tag = 0, other = 0;

	/* the slice has it before anything is attached, and keeps it */
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	assert_int_equal(r->v.live_dids, 1);
	bind(&r->vm1, r->rid1, A, vm_process(&r->vm1, 11));
	bind(&r->vm2, r->rid1, B, vm_process(&r->vm2, 21));
	assert_int_equal(r->v.live_dids, 2);
	uiommu_domain_for_each_attach(r->vm1.dom, tag_of, &tag);
	uiommu_domain_for_each_attach(r->vm2.dom, tag_of, &other);
	assert_int_equal(tag, v->link->tag);
	assert_int_not_equal(tag, other);
	assert_int_equal(r->v.entry[0][A].did, tag);
	uiommu_unbind_pgtable_pasid(r->vm1.dom, r->rid1, A);
	assert_int_equal(r->v.live_dids, 2);
	assert_int_equal(uiommu_viommu_free(v), 0);
	assert_int_equal(r->v.live_dids, 1);
}

static void unbind_is_the_end_of_it(void **state)
{
	struct rig *r = *state;
	long live = r->t.live;

	bind(&r->vm1, r->rid1, A, vm_process(&r->vm1, 11));
	assert_int_equal(dma(r, r->rid1, A, VA), 11);
	r->t.forbid = true;
	uiommu_unbind_pgtable_pasid(r->vm2.dom, r->rid1, A);	/* not its parent */
	assert_int_equal(dma(r, r->rid1, A, VA), 11);
	uiommu_unbind_pgtable_pasid(r->vm1.dom, r->rid1, A);
	uiommu_unbind_pgtable_pasid(r->vm1.dom, r->rid1, A);	/* nothing is there */
	r->t.forbid = false;
	assert_int_equal(dma(r, r->rid1, A, VA), 0);
	/* a detach ends it too, and so does a replace */
	bind(&r->vm1, r->rid1, A, r->vm1.gpa);
	assert_int_equal(try_bind(&r->vm1, r->rid1, A, r->vm1.gpa), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r->rid1, A);
	bind(&r->vm1, r->rid1, A, r->vm1.gpa);
	assert_int_equal(uiommu_replace_device_pasid(r->vm2.dom, r->rid1, A), 0);
	uiommu_detach_device_pasid(r->rid1, A);
	assert_true(r->t.live - live <= 1);		/* the index of PASIDs, at most */
	assert_int_equal(uiommu_domain_free(r->vm1.dom), 0);
	assert_int_equal(uiommu_domain_alloc_paging(r->rid1, UIOMMU_DOMAIN_ALLOC_NEST_PARENT,
						    &r->vm1.dom), 0);
}

static void the_rid_goes_home_to_the_parent(void **state)
{
	struct rig *r = *state;
	uint64_t root = vm_process(&r->vm2, 22);

	assert_int_equal(try_bind(&r->vm2, r->rid2, 0, root), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_attach_device(r->vm2.dom, r->rid2), 0);
	bind(&r->vm2, r->rid2, 0, root);
	assert_int_equal(dma(r, r->rid2, 0, VA), 22);
	assert_int_equal(dma(r, r->rid2, 0, GPA(2)), 0);
	r->t.forbid = true;
	uiommu_unbind_pgtable(r->vm2.dom, r->rid2);
	r->t.forbid = false;
	assert_int_equal(dma(r, r->rid2, 0, VA), 0);
	assert_int_equal(dma(r, r->rid2, 0, GPA(2)), 0x1002);
	/* hardware that does not answer: BLOCKED, and nothing is held */
	bind(&r->vm2, r->rid2, 0, root);
	r->v.dead = true;
	uiommu_unbind_pgtable(r->vm2.dom, r->rid2);
	r->v.dead = false;
	assert_int_equal(dma(r, r->rid2, 0, GPA(2)), 0);
	assert_ptr_equal(uiommu_device_link(r->rid2, 0)->dom, uiommu_domain_blocked(r->u));
	/* replaced by somebody else's while bound: the way home goes with it */
	uiommu_detach_device_pasid(r->rid2, 0);
	assert_int_equal(uiommu_attach_device(r->vm2.dom, r->rid2), 0);
	bind(&r->vm2, r->rid2, 0, root);
	assert_int_equal(uiommu_replace_device_pasid(r->vm1.dom, r->rid2, 0), 0);
	assert_int_equal(dma(r, r->rid2, 0, GPA(1)), 0x1001);
	uiommu_unbind_pgtable(r->vm2.dom, r->rid2);
	assert_int_equal(dma(r, r->rid2, 0, GPA(1)), 0x1001);
	assert_int_equal(uiommu_domain_free(r->vm2.dom), 0);
	r->t.host.table_free(&r->t, r->vm2.mem, VM_BYTES);
	r->vm2 = vm_make(&r->t, r->rid2, 2, "vm2");
}

static void invariant_06_what_is_refused(void **state)
{
	struct rig *r = *state;
	struct uiommu_domain *plain, *dom = NULL;
	struct vtd_user user = { 0x5001 };
	struct uiommu_user_data data = { VTD_DATA, &user, sizeof(user) };

	assert_int_equal(uiommu_domain_alloc_paging(r->rid1, 0, &plain), 0);
	assert_int_equal(uiommu_domain_alloc_nested(r->vm1.dom, NULL, r->rid1, &data, &dom), -UIOMMU_EIO);
	user.table = 0x5000;
	assert_int_equal(uiommu_domain_alloc_nested(plain, NULL, r->rid1, &data, &dom), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_domain_alloc_nested(uiommu_domain_identity(r->u), NULL, r->rid1, &data,
						    &dom), -UIOMMU_EINVAL);
	data.bytes--;
	assert_int_equal(uiommu_domain_alloc_nested(r->vm1.dom, NULL, r->rid1, &data, &dom),
			 -UIOMMU_EINVAL);
	data = (struct uiommu_user_data){ 2, &user, sizeof(user) };
	assert_int_equal(uiommu_domain_alloc_nested(r->vm1.dom, NULL, r->rid1, &data, &dom),
			 -UIOMMU_EOPNOTSUPP);
	assert_null(dom);
	/* a nested one is no parent, and is not mapped */
	data.type = VTD_DATA;
	assert_int_equal(uiommu_domain_alloc_nested(r->vm1.dom, NULL, r->rid1, &data, &dom), 0);
	assert_int_equal(uiommu_domain_alloc_nested(dom, NULL, r->rid1, &data, &plain), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_map(dom, 0, 0, 4096, RW, NULL), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_unmap(dom, 0, 4096, NULL), -UIOMMU_EINVAL);
}

/* An IOMMU with stage 2 per RID, and one without nesting. */
static void hardware_that_has_it_not_says_so(void **state)
{
	struct world *w = *state;
	struct uiommu_iommu_ops per_rid = fake_ops;
	struct uiommu_dev *dev = world_add(&w->a, "a", 1);
	struct uiommu_viommu_config cfg = { .dev = dev, .type = VTD_SLICE };
	const struct vtd_user user = { 0x5000 };
	const struct uiommu_user_data data = { VTD_DATA, &user, sizeof(user) };
	struct uiommu_domain *parent, *dom;
	struct uiommu_viommu *v;

	assert_int_equal(uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_NEST_PARENT, &parent),
			 0);
	cfg.parent = parent;
	assert_int_equal(uiommu_domain_alloc_nested(parent, NULL, dev, &data, &dom), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), -UIOMMU_EOPNOTSUPP);
	per_rid.nested_init = vtd_nested_init;
	w->a.iommu.ops = &per_rid;
	assert_int_equal(uiommu_bind_pgtable_pasid(parent, dev, &data, 3), -UIOMMU_EOPNOTSUPP);
	assert_true(thost_logged(&w->t, "stage 2 is per RID"));
	assert_int_equal(uiommu_domain_alloc_nested(parent, NULL, dev, &data, &dom), 0);
	assert_int_equal(uiommu_attach_device_pasid(dom, dev, 3), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	uiommu_detach_device_pasid(dev, 0);
	w->a.iommu.ops = &fake_ops;
}

/* ---- a VM's devices, and what it is told ---- */

struct told {
	unsigned n, type;
	uint64_t record[2];
};

static bool on_event(void *ctx, unsigned type, const void *record, size_t bytes)
{
	struct told *t = ctx;

	t->n++;
	t->type = type;
	assert_int_equal(bytes, sizeof(t->record));
	memcpy(t->record, record, bytes);
	return true;
}

static void report(struct rig *r, uint32_t sid, unsigned flags)
{
	struct uiommu_fault f = { .stream_id = sid, .flags = flags, .iova = 0xabc000, .pasid = A };

	uiommu_fault_report(&r->v.iommu, &f);
}

static void a_vm_is_told_in_its_own_terms(void **state)
{
	struct rig *r = *state;
	struct told told = { 0 };
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1, .type = VTD_SLICE,
						  .event = on_event, .ctx = &told };
	struct uiommu_viommu *v;
	struct uiommu_vdevice *vd;

	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid1, 0x77, &vd), 0);
	report(r, 0x100, 0);				/* not nested: the host's affair */
	assert_int_equal(r->faults, 1);
	bind(&r->vm1, r->rid1, A, vm_process(&r->vm1, 11));
	report(r, 0x100, UIOMMU_FAULT_HAS_PASID);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.type, 98);
	assert_int_equal(told.record[0], 0x77);
	assert_int_equal(told.record[1], 0xabc000);
	report(r, 0x100, UIOMMU_FAULT_HAS_PASID | UIOMMU_FAULT_STAGE2);
	report(r, 0x200, UIOMMU_FAULT_HAS_PASID);	/* another device */
	report(r, 0x999, 0);				/* nobody's */
	assert_int_equal(told.n, 1);
	assert_int_equal(r->faults, 4);
	uiommu_vdevice_free(vd);
	report(r, 0x100, UIOMMU_FAULT_HAS_PASID);
	assert_int_equal(told.n, 1);
	assert_int_equal(r->faults, 5);
}

static void a_device_has_one_vm_and_a_number_one_device(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
					    .type = VTD_SLICE };
	struct uiommu_viommu *v1, *v2, *none = NULL;
	struct uiommu_vdevice *vd, *other = NULL;

	assert_int_equal(uiommu_viommu_alloc(&cfg, &v1), 0);
	cfg.parent = r->vm2.dom;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v2), 0);
	cfg.type = 98;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &none), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_domain_free(r->vm1.dom), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_vdevice_alloc(v1, r->rid1, 1ull << 32, &vd), -UIOMMU_ERANGE);
	assert_int_equal(uiommu_vdevice_alloc(v1, r->rid1, 5, &vd), 0);
	assert_ptr_equal(uiommu_device_vdevice(r->rid1), vd);
	assert_int_equal(uiommu_vdevice_alloc(v1, r->rid2, 5, &other), -UIOMMU_EEXIST);
	assert_int_equal(uiommu_vdevice_alloc(v2, r->rid1, 6, &other), -UIOMMU_EEXIST);
	assert_int_equal(uiommu_vdevice_alloc(v2, r->rid2, 5, &other), 0);
	/* a device that goes is not the VM's any more */
	uiommu_device_remove(r->rid2);
	assert_int_equal(uiommu_viommu_free(v2), 0);
	assert_null(uiommu_viommu_find(v1, 6));
	assert_ptr_equal(uiommu_viommu_find(v1, 5), r->rid1);
}

/* Each allocation refused in turn: nothing has changed, nothing is left. */
static void invariant_13_no_memory_at_any_point(void **state)
{
	struct rig *r = *state;
	uint64_t root = vm_process(&r->vm2, 22);
	unsigned fails = 0;
	int err = 0;

	assert_int_equal(uiommu_attach_device(r->vm2.dom, r->rid2), 0);
	for (unsigned long n = 1;; n++) {
		long live = r->t.live;

		r->t.fail_at = r->t.calls + n;
		err = try_bind(&r->vm2, r->rid2, 0, root);
		r->t.fail_at = 0;
		if (!err)
			break;
		assert_int_equal(err, -UIOMMU_ENOMEM);
		assert_int_equal(r->t.live, live);
		assert_int_equal(dma(r, r->rid2, 0, GPA(2)), 0x1002);
		fails++;
	}
	assert_true(fails >= 3);
	assert_int_equal(dma(r, r->rid2, 0, VA), 22);
}

/* ---- queues in a VM's memory ---- */

static struct uiommu_viommu *queued(struct rig *r, struct vm *vm, struct told *told)
{
	const struct uiommu_viommu_config cfg = { .parent = vm->dom, .dev = r->rid1,
						  .type = VTD_QUEUED, .event = on_event,
						  .ctx = told };
	struct uiommu_viommu *v = NULL;

	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	return v;
}

static int try_queue(struct uiommu_viommu *v, unsigned index, struct uiommu_hw_queue **out)
{
	const struct uiommu_hw_queue_config cfg = { VTD_QUEUE, index, 0x10000 * (index + 1), 4096 };

	return uiommu_hw_queue_alloc(v, &cfg, out);
}

static void a_slice_holds_hardware_until_its_tag_goes(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu *v1 = queued(r, &r->vm1, NULL), *v2 = queued(r, &r->vm2, NULL), *v3;
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
						  .type = VTD_QUEUED };

	assert_ptr_equal(r->v.slice[0].v, v1);
	assert_ptr_equal(r->v.slice[1].v, v2);
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v3), -UIOMMU_ENOSPC);
	assert_int_equal(uiommu_viommu_free(v1), 0);
	assert_null(r->v.slice[0].v);
	assert_int_equal(r->v.live_dids, 1);
	/* hardware that does not take it: the tag is free again */
	r->v.slice_fails = 1;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v3), -UIOMMU_ETIMEDOUT);
	assert_int_equal(r->v.live_dids, 1);
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v3), 0);
}

static void hardware_knows_a_vms_devices(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu *v = queued(r, &r->vm1, NULL);
	struct vtd_slice *s = v->drv;
	struct uiommu_dev *rid3 = rig_add(r, "RID3", 0x300);
	struct uiommu_vdevice *vd1, *vd2, *vd3 = NULL;

	assert_int_equal(uiommu_vdevice_alloc(v, r->rid1, 0x100, &vd1), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid1, 1ull << 32, &vd1), -UIOMMU_EINVAL);
	assert_null(uiommu_device_vdevice(r->rid1));
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid1, 1, &vd1), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid2, 1, &vd2), -UIOMMU_EEXIST);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid2, 2, &vd2), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, rid3, 3, &vd3), -UIOMMU_ENOSPC);
	assert_null(uiommu_device_vdevice(rid3));
	uiommu_vdevice_free(vd1);
	assert_null(s->match[0]);
	assert_ptr_equal(s->match[1], r->rid2);
	assert_int_equal(uiommu_vdevice_alloc(v, rid3, 3, &vd3), 0);
	/* a device that goes is not known any more */
	uiommu_device_remove(r->rid2);
	assert_null(s->match[1]);
	uiommu_vdevice_free(vd3);
	assert_int_equal(uiommu_viommu_free(v), 0);
}

static void queues_come_from_0_up_and_go_from_the_top(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu *v = queued(r, &r->vm1, NULL);
	struct uiommu_hw_queue_config cfg = { VTD_QUEUE + 1, 0, 0x10000, 4096 };
	struct uiommu_hw_queue *q[VTD_QUEUES], *none = NULL;
	struct vtd_slice *s = v->drv;

	assert_int_equal(uiommu_viommu_num_hw_queues(v, VTD_QUEUE), VTD_QUEUES);
	assert_int_equal(uiommu_hw_queue_alloc(v, &cfg, &none), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(try_queue(v, VTD_QUEUES, &none), -UIOMMU_EINVAL);
	assert_int_equal(try_queue(v, 1, &none), -UIOMMU_EIO);
	cfg = (struct uiommu_hw_queue_config){ VTD_QUEUE, 0, 0x10000, 8192 };
	assert_int_equal(uiommu_hw_queue_alloc(v, &cfg, &none), -UIOMMU_EINVAL);
	assert_int_equal(try_queue(v, 0, &q[0]), 0);
	assert_int_equal(try_queue(v, 0, &none), -UIOMMU_EEXIST);
	assert_int_equal(try_queue(v, 2, &none), -UIOMMU_EIO);
	r->v.slice_fails = 1;
	assert_int_equal(try_queue(v, 1, &none), -UIOMMU_ETIMEDOUT);
	assert_int_equal(try_queue(v, 1, &q[1]), 0);
	assert_int_equal(try_queue(v, 2, &q[2]), 0);
	assert_null(none);
	assert_int_equal(s->base[2], 0x30000);
	r->t.forbid = true;
	assert_int_equal(uiommu_hw_queue_free(q[0]), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_hw_queue_free(q[1]), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_hw_queue_free(q[2]), 0);
	assert_int_equal(uiommu_viommu_free(v), -UIOMMU_EBUSY);
	assert_int_equal(uiommu_hw_queue_free(q[1]), 0);
	r->t.forbid = false;
	assert_int_equal(try_queue(v, 1, &q[1]), 0);
	assert_int_equal(uiommu_hw_queue_free(q[1]), 0);
	assert_int_equal(uiommu_hw_queue_free(q[0]), 0);
	assert_int_equal(uiommu_viommu_free(v), 0);
}

static void a_slice_without_queues_has_none(void **state)
{
	struct rig *r = *state;
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
						  .type = VTD_SLICE };
	struct uiommu_mmio regs = { .bytes = 7 };
	struct uiommu_viommu *v, *with;
	struct uiommu_hw_queue *q;
	size_t bytes = 9;

	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	assert_int_equal(uiommu_viommu_mmio(v, &regs, &bytes), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(bytes, 9);
	assert_int_equal(uiommu_viommu_num_hw_queues(v, VTD_QUEUE), 0);
	assert_int_equal(try_queue(v, 0, &q), -UIOMMU_EOPNOTSUPP);
	with = queued(r, &r->vm2, NULL);
	assert_int_equal(uiommu_viommu_mmio(with, &regs, &bytes), 0);
	assert_int_equal(bytes, 4096);
	assert_ptr_equal(regs.base, with->drv);
}

static void a_report_reaches_its_vm_alone(void **state)
{
	struct rig *r = *state;
	struct told told1 = { 0 }, told2 = { 0 };
	struct uiommu_viommu *v1 = queued(r, &r->vm1, &told1), *v2 = queued(r, &r->vm2, &told2);
	const struct uiommu_viommu_config deaf = { .parent = r->vm1.dom, .dev = r->rid1,
						   .type = VTD_SLICE };
	const uint64_t map[2] = { 2, 0 };
	struct uiommu_viommu *v3;

	assert_true(uiommu_viommu_report(v2, 7, map, sizeof(map)));
	assert_int_equal(told1.n, 0);
	assert_int_equal(told2.n, 1);
	assert_int_equal(told2.type, 7);
	assert_int_equal(told2.record[0], 2);
	assert_int_equal(uiommu_viommu_alloc(&deaf, &v3), 0);
	assert_false(uiommu_viommu_report(v3, 7, map, sizeof(map)));
	assert_true(uiommu_viommu_report(v1, 7, map, sizeof(map)));
}

static int all_of_a_vm(struct rig *r, struct uiommu_viommu **v)
{
	const struct uiommu_viommu_config cfg = { .parent = r->vm1.dom, .dev = r->rid1,
						  .type = VTD_QUEUED };
	struct uiommu_vdevice *vd = NULL;
	struct uiommu_hw_queue *q;
	int err = uiommu_viommu_alloc(&cfg, v);

	if (err)
		return err;
	err = uiommu_vdevice_alloc(*v, r->rid1, 1, &vd);
	if (!err)
		err = try_queue(*v, 0, &q);
	if (!err)
		return 0;
	if (vd)
		uiommu_vdevice_free(vd);
	assert_int_equal(uiommu_viommu_free(*v), 0);
	return err;
}

static void invariant_13_no_memory_for_a_queue(void **state)
{
	struct rig *r = *state;
	struct uiommu_viommu *v;
	unsigned fails = 0;

	for (;; fails++) {
		long live = r->t.live;
		int err;

		r->t.fail_at = r->t.calls + fails + 1;
		err = all_of_a_vm(r, &v);
		r->t.fail_at = 0;
		if (!err)
			break;
		assert_int_equal(err, -UIOMMU_ENOMEM);
		assert_int_equal(r->t.live, live);
		assert_int_equal(r->v.live_dids, 0);
		assert_null(r->v.slice[0].v);
		assert_null(uiommu_device_vdevice(r->rid1));
	}
	assert_true(fails >= 3);
	assert_int_equal(r->v.slice[0].queues, 1);
}

/* Left to uiommu_destroy() with all that there can be. */
static void the_instance_ends_with_a_vm_in_it(void **state)
{
	struct rig *r = *state;
	const struct uiommu_viommu_config cfg = { .parent = r->vm2.dom, .dev = r->rid1,
						  .type = VTD_SLICE };
	struct uiommu_viommu *v, *with;
	struct uiommu_vdevice *vd;
	struct uiommu_hw_queue *q;

	assert_int_equal(all_of_a_vm(r, &with), 0);
	assert_int_equal(try_queue(with, 1, &q), 0);
	first_picture(r);
	bind(&r->vm1, r->rid1, A, r->vm1.gpa);
	bind(&r->vm2, r->rid2, 0, r->vm2.gpa);
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), 0);
	assert_int_equal(uiommu_vdevice_alloc(v, r->rid2, 5, &vd), 0);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(invariant_07_the_second_picture_of_s1), CASE(one_pasid_is_invalidated_alone),
		CASE(invariant_09_an_unmap_of_the_parent_reaches_the_nested),
		CASE(invariant_07_nesting_holds_its_parent),
		CASE(invariant_08_one_tag_for_all_of_a_vm), CASE(unbind_is_the_end_of_it),
		CASE(the_rid_goes_home_to_the_parent), CASE(invariant_06_what_is_refused),
		cmocka_unit_test_setup_teardown(hardware_that_has_it_not_says_so, world_setup,
						world_teardown),
		CASE(a_vm_is_told_in_its_own_terms),
		CASE(a_device_has_one_vm_and_a_number_one_device),
		CASE(invariant_13_no_memory_at_any_point),
		CASE(a_slice_holds_hardware_until_its_tag_goes),
		CASE(hardware_knows_a_vms_devices), CASE(queues_come_from_0_up_and_go_from_the_top),
		CASE(a_slice_without_queues_has_none), CASE(a_report_reaches_its_vm_alone),
		CASE(invariant_13_no_memory_for_a_queue), CASE(the_instance_ends_with_a_vm_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
