/* SPDX-License-Identifier: MIT */
/*
 * Command queues in a program's hands: an SMMU with TEGRA241_CMDQV through /dev/iommu. The
 * program is a VMM and its guest at once: it makes the queue, maps the page of registers,
 * and runs it. Every errno is the one that Linux gives.
 */
#include "vm.h"

#include "src/iommufd/internal.h"

#define CDATA		uiommu_abi_iommu_viommu_tegra241_cmdqv
#define VINTF_BYTES	0x10000ull
#define FILL		(~0ull)

/* ---- a VM with queues ---- */

struct qvm {
	uint32_t v, vd, hwpt, q[RIG_QUEUES];
	struct CDATA data;
	struct uiommu_iommufd_region *regs;
	uint64_t *mem[RIG_QUEUES];		/* one page each */
	uint32_t prod[RIG_QUEUES];
};

static int setup(void **state)
{
	return vm_setup(state, &(struct rig_options){ .nesting = true, .faults = true,
						      .cmdqv = true });
}

static int setup_without(void **state)
{
	return vm_setup(state, &(struct rig_options){ .nesting = true });
}

static int hw_queue(struct env *e, struct uiommu_abi_iommu_hw_queue_alloc c, uint32_t *out)
{
	int ret;

	c.size = sizeof(c);
	ret = CALL(e, IOMMU_HW_QUEUE_ALLOC, c);
	*out = c.out_hw_queue_id;
	return ret;
}

static struct uiommu_abi_iommu_hw_queue_alloc queue_at(uint32_t v, uint32_t index, uint64_t iova)
{
	return (struct uiommu_abi_iommu_hw_queue_alloc){ .viommu_id = v, .type = 1, .index = index,
		.nesting_parent_iova = iova, .length = PAGE };
}

static uint32_t reg(unsigned q, unsigned off)
{
	return q * CMDQV_STRIDE_VCMDQ + off;
}

static uint32_t load(const struct qvm *vm, unsigned q, unsigned off)
{
	return (uint32_t)uiommu_iommufd_load(vm->regs, reg(q, off), 4);
}

static void store(const struct qvm *vm, unsigned q, unsigned off, uint32_t v)
{
	uiommu_iommufd_store(vm->regs, reg(q, off), v, 4);
}

static void add_queue(struct env *e, struct qvm *vm, unsigned q)
{
	vm->mem[q] = guest_alloc(e, PAGE);
	assert_int_equal(hw_queue(e, queue_at(vm->v, q, ipa(e, vm->mem[q])), &vm->q[q]), 0);
	store(vm, q, VCMDQ_CONFIG, FPREP(VCMDQ_CONFIG_EN, 1));
	assert_int_equal(FGET(VCMDQ_STATUS_ENABLED, load(vm, q, VCMDQ_STATUS)), 1);
}

static struct qvm make_qvm(struct env *e, unsigned dev, uint32_t parent)
{
	struct qvm vm = { 0 };
	uint64_t ste[2];

	guest_ste(e, ste);
	assert_int_equal(viommu_cmdqv(e, e->id[dev], parent, &vm.v, &vm.data), 0);
	assert_int_equal(vdevice(e, vm.v, e->id[dev], VSID, &vm.vd), 0);
	assert_int_equal(nested_with(e, nested_on(vm.v, e->id[dev]), ste, &vm.hwpt), 0);
	assert_int_equal(attach(e, dev, 0, vm.hwpt), 0);
	assert_int_equal(uiommu_iommufd_mmap(e->ctx, vm.data.out_vintf_mmap_offset,
					     vm.data.out_vintf_mmap_length, &vm.regs), 0);
	return vm;
}

/* What the guest's driver does. The VMID in a command is nobody's. */
static void give(struct qvm *vm, unsigned q, uint64_t w0, uint64_t w1)
{
	uint64_t *cmd = vm->mem[q] + vm->prod[q] % (PAGE / 16) * 2;

	cmd[0] = w0;
	cmd[1] = w1;
	vm->prod[q] = (vm->prod[q] + 1) % (2 * PAGE / 16);
	store(vm, q, VCMDQ_PROD, vm->prod[q]);
}

#define TLBI(va)	FPREP(CMD_Opcode, CMD_TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7) |	\
			FPREP(CMD_TLBI_NH_VA_VMID, 0x1234), (va) | 1

/* CONS.ERR stays what it was after an error. */
static uint32_t consumed(const struct qvm *vm, unsigned q)
{
	return (uint32_t)FGET(VCMDQ_CONS_RD, load(vm, q, VCMDQ_CONS));
}

static void sync(struct qvm *vm, unsigned q)
{
	give(vm, q, FPREP(CMD_Opcode, CMD_SYNC), 0);
	assert_int_equal(consumed(vm, q), vm->prod[q]);
}

static void invalidates(struct qvm *vm, unsigned q, uint64_t va)
{
	give(vm, q, TLBI(va));
	sync(vm, q);
}

/* ---- */

static void a_program_runs_its_queue(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	assert_int_equal(vm.data.out_vintf_mmap_length, VINTF_BYTES);
	add_queue(e, &vm, 0);
	add_queue(e, &vm, 1);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	for (unsigned i = 0; i < 600; i++) {		/* twice around */
		guest_change(e, 43 + i);
		assert_int_equal(rig_read64(e->r, 0, -1, VA), i ? 42 + i : 42);
		invalidates(&vm, i % RIG_QUEUES, VA);
		assert_int_equal(rig_read64(e->r, 0, -1, VA), 43 + i);
	}
	/* 8 bytes are both registers */
	assert_int_equal(uiommu_iommufd_load(vm.regs, reg(1, VCMDQ_CONS), 8),
			 vm.prod[1] | (uint64_t)vm.prod[1] << 32);
	/* beside its queue the program has what it always had */
	guest_change(e, 1);
	assert_int_equal(invalidate(e, vm.v, (uint64_t[2]){ TLBI(VA) }, 1, &(uint32_t){ 0 }), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 1);
	uiommu_iommufd_munmap(vm.regs);
}

/* Another VM's translations stay: a queue has one VMID, whatever it says (seed S2). */
static void invariant_08_a_programs_queue_has_one_vmid(void **state)
{
	struct env *e = *state;
	uint32_t ioas2 = rig_ioas(e->r, e->ctx), parent2;
	struct qvm one, two;

	rig_map(e->r, e->ctx, ioas2, RIG_VA, RAM_PAGES * PAGE, RAM);
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[1], ioas2, PARENT_FLAG, &parent2), 0);
	one = make_qvm(e, 0, e->parent);
	two = make_qvm(e, 1, parent2);
	add_queue(e, &one, 0);
	add_queue(e, &two, 0);
	assert_int_equal(two.data.out_vintf_mmap_offset,
			 one.data.out_vintf_mmap_offset + VINTF_BYTES);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	assert_int_equal(rig_read64(e->r, 1, -1, VA), 42);
	guest_change(e, 43);
	for (unsigned vmid = 0; vmid < 8; vmid++) {
		give(&two, 0, FPREP(CMD_Opcode, CMD_TLBI_NH_ASID) |
			      FPREP(CMD_TLBI_NH_ASID_ASID, 7) |
			      FPREP(CMD_TLBI_NH_ASID_VMID, vmid), 0);
		sync(&two, 0);
	}
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	assert_int_equal(rig_read64(e->r, 1, -1, VA), 43);
	invalidates(&one, 0, VA);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 43);
	uiommu_iommufd_munmap(one.regs);
	uiommu_iommufd_munmap(two.regs);
}

/* ---- what the VM is told ---- */

#define STOPPED	(sizeof(struct uiommu_abi_iommufd_vevent_header) + 16)

static int64_t read_q(struct env *e, const struct uiommu_abi_iommu_veventq_alloc *c, uint64_t n)
{
	return uiommu_iommufd_veventq_read(e->r->as.fds[c->out_veventq_fd]->object, &e->r->as, 0,
					   n, BUF);
}

static void stop(struct env *e, struct qvm *vm, unsigned q)
{
	give(vm, q, FPREP(CMD_Opcode, CMD_TLBI_NSNH_ALL), 0);
	assert_int_equal(FGET(VCMDQ_CONS_ERR, load(vm, q, VCMDQ_CONS)), CERROR_ILL);
	uiommu_smmuv3_poll(e->r->iommu);
}

/* The guest mends what it said, and acknowledges. */
static void go_on(struct qvm *vm, unsigned q)
{
	uint64_t *cmd = vm->mem[q] + consumed(vm, q) % (PAGE / 16) * 2;

	cmd[0] = FPREP(CMD_Opcode, CMD_SYNC);
	store(vm, q, VCMDQ_GERRORN, load(vm, q, VCMDQ_GERROR));
	assert_int_equal(consumed(vm, q), vm->prod[q]);
}

static void a_queue_that_stops_is_told(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);
	struct uiommu_abi_iommu_veventq_alloc smmu, cmdqv, again;
	uint64_t map[2];
	uint32_t flags;

	add_queue(e, &vm, 0);
	add_queue(e, &vm, 1);
	assert_int_equal(veventq(e, vm.v, 2, 1, &smmu), 0);
	assert_int_equal(veventq(e, vm.v, 2, 2, &cmdqv), 0);
	assert_int_equal(veventq(e, vm.v, 2, 2, &again), -UIOMMU_EEXIST);
	stop(e, &vm, 1);
	assert_true(e->r->as.fds[cmdqv.out_veventq_fd]->count > 0);
	assert_int_equal(read_q(e, &smmu, 4096), 0);
	assert_int_equal(read_q(e, &cmdqv, STOPPED - 1), 0);
	assert_int_equal(read_q(e, &cmdqv, 4096), STOPPED);
	assert_int_equal(header(e, 0, &flags), 0);
	assert_int_equal(flags, 0);
	memcpy(map, rig_ptr(e->r, BUF + 8), sizeof(map));
	assert_int_equal(map[0], 1 << 1);
	assert_int_equal(map[1], 0);
	/* the other one goes on meanwhile, and then it too */
	guest_change(e, 43);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 43);
	guest_change(e, 44);
	invalidates(&vm, 0, VA);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 44);
	go_on(&vm, 1);
	guest_change(e, 45);
	invalidates(&vm, 1, VA);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 45);
	/* two fit; the third is lost */
	for (unsigned i = 0; i < 3; i++) {
		stop(e, &vm, 0);
		go_on(&vm, 0);
		uiommu_smmuv3_poll(e->r->iommu);
	}
	assert_int_equal(read_q(e, &cmdqv, 4096), 2 * STOPPED + 8);
	assert_int_equal(header(e, STOPPED, &flags), 2);
	assert_int_equal(header(e, 2 * STOPPED, &flags), 3);
	assert_int_equal(flags, UIOMMU_ABI_IOMMU_VEVENTQ_FLAG_LOST_EVENTS);
	/* and events of the VM's devices are still the other file's */
	assert_int_equal(rig_read64(e->r, 0, -1, VA + PAGE), 0);
	uiommu_smmuv3_poll(e->r->iommu);
	assert_int_equal(read_q(e, &smmu, 4096), EVENT);
	assert_int_equal(read_q(e, &cmdqv, 4096), 0);
	/* each holds the slice for itself */
	rig_close_fd(e->r, (int)smmu.out_veventq_fd);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, smmu.out_veventq_id), 0);
	assert_int_equal(veventq(e, vm.v, 2, 2, &again), -UIOMMU_EEXIST);
	assert_int_equal(veventq(e, vm.v, 2, 1, &smmu), 0);
	stop(e, &vm, 0);
	assert_int_equal(read_q(e, &cmdqv, 4096), STOPPED);
	uiommu_iommufd_munmap(vm.regs);
}

/* ---- refusals ---- */

static void errors_of_viommu_alloc(void **state)
{
	struct env *e = *state;
	struct uiommu_abi_iommu_viommu_alloc c = { .type = 2, .dev_id = e->id[0],
		.hwpt_id = e->parent, .data_len = 16, .data_uptr = DATA };
	const uint64_t readonly = RIG_VA + RIG_PAGES * PAGE;
	uint32_t plain, id, ids[RIG_VINTFS - 1];
	struct CDATA data;

	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, 0, &plain), 0);
#define TRY(err, ...) do { struct uiommu_abi_iommu_viommu_alloc was = c; __VA_ARGS__;	\
	assert_int_equal(viommu(e, c, &id), err); c = was; } while (0)
	TRY(-UIOMMU_EOPNOTSUPP, c.flags = 1);
	TRY(-UIOMMU_EOPNOTSUPP, c.type = 3);
	TRY(-UIOMMU_ENOENT, c.dev_id = 99, c.data_len = 0);
	TRY(-UIOMMU_ENOENT, c.hwpt_id = 99, c.data_len = 0);
	TRY(-UIOMMU_EINVAL, c.hwpt_id = plain, c.data_uptr = RIG_HOLE);
	TRY(-UIOMMU_EINVAL, c.data_len = 0);
	TRY(-UIOMMU_EINVAL, c.data_len = 8);
	TRY(-UIOMMU_EINVAL, c.data_len = 24);
	TRY(-UIOMMU_EFAULT, c.data_uptr = 0);
	TRY(-UIOMMU_EFAULT, c.data_uptr = RIG_HOLE - 8);
	for (unsigned i = 0; i < 2 * RIG_VINTFS; i++)	/* made, and gone again */
		TRY(-UIOMMU_EFAULT, c.data_uptr = readonly);
#undef TRY
	memset(rig_ptr(e->r, DATA), 0xff, 16);		/* nobody looks at what is in it */
	for (unsigned i = 0; i < RIG_VINTFS - 1; i++) {
		assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &ids[i], &data), 0);
		assert_int_equal(data.out_vintf_mmap_offset, PAGE + i * VINTF_BYTES);
	}
	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &id, &data), -UIOMMU_ENOSPC);
	/* the lowest offset is used again */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ids[1]), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, ids[0]), 0);
	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &ids[0], &data), 0);
	assert_int_equal(data.out_vintf_mmap_offset, PAGE);
	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &ids[1], &data), 0);
	assert_int_equal(data.out_vintf_mmap_offset, PAGE + VINTF_BYTES);
}

static void without_the_hardware(void **state)
{
	struct env *e = *state;
	struct CDATA data;
	struct vm vm = make_vm(e);
	uint32_t id;

	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &id, &data), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(hw_queue(e, queue_at(vm.v, 0, RAM), &id), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(hw_queue(e, queue_at(vm.v, 0, 0), &id), -UIOMMU_EOPNOTSUPP);
}

/* [at, at + 2 pages) behind RAM: two mappings of pages that lie apart, or side by side. */
static void map_two(struct env *e, uint64_t at, bool apart)
{
	const uint64_t va = RIG_VA + (RAM_PAGES + 8) * PAGE;

	rig_map(e->r, e->ctx, e->ioas, va, PAGE, at);
	rig_map(e->r, e->ctx, e->ioas, va + (apart ? 2 : 1) * PAGE, PAGE, at + PAGE);
}

static void errors_of_hw_queue_alloc(void **state)
{
	struct env *e = *state;
	const uint64_t at = RAM + 64 * PAGE, end = RAM + RAM_PAGES * PAGE;
	struct uiommu_abi_iommu_hw_queue_alloc c;
	uint32_t v, plain, id, first;
	struct CDATA data;

	assert_int_equal(viommu(e, (struct uiommu_abi_iommu_viommu_alloc){
		.type = 1, .dev_id = e->id[0], .hwpt_id = e->parent }, &plain), 0);
	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &v, &data), 0);
	c = queue_at(v, 0, at);
#define TRY(err, ...) do { struct uiommu_abi_iommu_hw_queue_alloc was = c; __VA_ARGS__;	\
	assert_int_equal(hw_queue(e, c, &id), err); c = was; } while (0)
	TRY(-UIOMMU_EOPNOTSUPP, c.flags = 1);
	TRY(-UIOMMU_EOPNOTSUPP, c.type = 0);
	TRY(-UIOMMU_EOPNOTSUPP, c.type = 2);
	TRY(-UIOMMU_EINVAL, c.length = 0);
	TRY(-UIOMMU_EOVERFLOW, c.nesting_parent_iova = -PAGE, c.length = PAGE + 1);
	TRY(-UIOMMU_ERANGE, c.nesting_parent_iova = 0, c.length = UINT64_MAX);
	TRY(-UIOMMU_ENOENT, c.viommu_id = 99);
	TRY(-UIOMMU_ENOENT, c.viommu_id = e->parent);
	TRY(-UIOMMU_EOPNOTSUPP, c.viommu_id = plain);
	/* its memory */
	TRY(-UIOMMU_ENOENT, c.nesting_parent_iova = 0);
	TRY(-UIOMMU_ENOENT, c.nesting_parent_iova = end - PAGE, c.length = 2 * PAGE);
	map_two(e, 2 * end, true);
	TRY(-UIOMMU_EFAULT, c.nesting_parent_iova = 2 * end, c.length = 2 * PAGE);
	TRY(-UIOMMU_EFAULT, c.nesting_parent_iova = 2 * end, c.length = 2 * PAGE, c.index = 99);
	TRY(-UIOMMU_ENOENT, c.nesting_parent_iova = 2 * end + PAGE, c.length = 2 * PAGE);
	/* what hardware can */
	TRY(-UIOMMU_EINVAL, c.index = RIG_QUEUES);
	TRY(-UIOMMU_EIO, c.index = 1);
	TRY(-UIOMMU_EINVAL, c.length = 16);
	TRY(-UIOMMU_EINVAL, c.length = 48);
	TRY(-UIOMMU_EINVAL, c.length = PAGE + 16);
	TRY(-UIOMMU_EINVAL, c.length = 2 * PAGE, c.nesting_parent_iova = at + PAGE);
	TRY(-UIOMMU_EINVAL, c.length = 64, c.nesting_parent_iova = at + 32);
	/* none of them has left a lock: all that was mapped can go */
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 2 * end, 2 * PAGE, NULL), 0);
	map_two(e, 2 * end, false);
	TRY(0, c.nesting_parent_iova = 2 * end, c.length = 2 * PAGE);
	first = id;
	TRY(-UIOMMU_EEXIST, );
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, first), 0);
	TRY(0, c.length = 32, c.nesting_parent_iova = at + 32);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, id), 0);
	TRY(0, c.length = 64 * PAGE);
#undef TRY
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, id), 0);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL), 0);
}

/* A number that cannot be told, or a structure that cannot be written: nothing is left. */
static void an_answer_that_cannot_be_given(void **state)
{
	struct env *e = *state;
	const uint64_t readonly = RIG_VA + RIG_PAGES * PAGE;
	struct uiommu_abi_iommu_hw_queue_alloc c;
	struct CDATA data;
	uint32_t v, id;

	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &v, &data), 0);
	c = queue_at(v, 0, RAM);
	c.size = sizeof(c);
	memcpy(rig_ptr(e->r, readonly), &c, sizeof(c));
	assert_int_equal(uiommu_iommufd_ioctl(e->ctx, &e->r->as, UIOMMU_ABI_IOMMU_HW_QUEUE_ALLOC,
					      readonly), -UIOMMU_EFAULT);
	assert_int_equal(hw_queue(e, c, &id), 0);
}

static void hw_info(void **state)
{
	struct env *e = *state;
	struct uiommu_abi_iommu_hw_info c = { .size = sizeof(c), .flags = 1, .dev_id = e->id[0],
		.in_data_type = 3, .data_len = 16, .data_uptr = DATA };
	struct uiommu_abi_iommu_hw_info_tegra241_cmdqv info;

	memset(rig_ptr(e->r, DATA), 0xff, 16);
	assert_int_equal(CALL(e, IOMMU_GET_HW_INFO, c), 0);
	assert_int_equal(c.out_data_type, 3);
	assert_int_equal(c.data_len, sizeof(info));
	memcpy(&info, rig_ptr(e->r, DATA), sizeof(info));
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.version, 1);
	assert_int_equal(1u << info.log2vcmdqs, RIG_QUEUES);
	assert_int_equal(1u << info.log2vsids, RIG_SIDS);
	assert_int_equal(((uint64_t *)rig_ptr(e->r, DATA))[1], 0);
	c.in_data_type = 0;
	assert_int_equal(CALL(e, IOMMU_GET_HW_INFO, c), 0);
	assert_int_equal(c.out_data_type, 2);
	c.flags = 0;
	c.in_data_type = 3;				/* not looked at */
	assert_int_equal(CALL(e, IOMMU_GET_HW_INFO, c), 0);
	assert_int_equal(c.out_data_type, 2);
	c.flags = 1;
	c.in_data_type = 1;
	assert_int_equal(CALL(e, IOMMU_GET_HW_INFO, c), -UIOMMU_EOPNOTSUPP);
}

static void hw_info_without(void **state)
{
	struct env *e = *state;
	struct uiommu_abi_iommu_hw_info c = { .size = sizeof(c), .flags = 1, .dev_id = e->id[0],
		.in_data_type = 3 };

	assert_int_equal(CALL(e, IOMMU_GET_HW_INFO, c), -UIOMMU_EOPNOTSUPP);
}

/* An interface knows so many devices. */
static void more_devices_than_it_knows(void **state)
{
	struct env *e = *state;
	struct CDATA data;
	uint32_t v, id[RIG_DEVS];

	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &v, &data), 0);
	assert_int_equal(vdevice(e, v, e->id[0], 1, &id[0]), 0);
	assert_int_equal(vdevice(e, v, e->id[1], 2, &id[1]), 0);
	assert_int_equal(vdevice(e, v, e->id[2], 3, &id[2]), -UIOMMU_ENOSPC);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, id[0]), 0);
	assert_int_equal(vdevice(e, v, e->id[2], 3, &id[2]), 0);
}

/* ---- what holds what ---- */

static void queues_go_from_the_top(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	add_queue(e, &vm, 0);
	add_queue(e, &vm, 1);
	uiommu_iommufd_munmap(vm.regs);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[1]), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[1]), -UIOMMU_ENOENT);
	assert_int_equal(hw_queue(e, queue_at(vm.v, 1, ipa(e, vm.mem[1])), &vm.q[1]), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[1]), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), 0);
	uiommu_iommufd_detach(e->dev[0], 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.vd), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, e->parent), 0);
}

/* What stands in a queue that is gone is nobody's command. */
static void a_queue_that_is_gone_does_nothing(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	add_queue(e, &vm, 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	guest_change(e, 43);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), 0);
	store(&vm, 0, VCMDQ_CONFIG, FPREP(VCMDQ_CONFIG_EN, 1));
	give(&vm, 0, TLBI(VA));
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	uiommu_iommufd_munmap(vm.regs);
}

static void queue_memory_cannot_be_unmapped(void **state)
{
	struct env *e = *state;
	const uint64_t page = RIG_VA + (RAM_PAGES + 8) * PAGE, end = RAM + RAM_PAGES * PAGE;
	struct qvm vm = make_qvm(e, 0, e->parent);
	struct uiommu_abi_vfio_iommu_type1_dma_unmap un = { .argsz = sizeof(un), .iova = RAM,
		.size = RAM_PAGES * PAGE };
	struct uiommu_abi_iommu_vfio_ioas set = { .size = sizeof(set), .ioas_id = e->ioas,
		.op = UIOMMU_ABI_IOMMU_VFIO_IOAS_SET };
	unsigned pins;
	uint64_t n;

	rig_map(e->r, e->ctx, e->ioas, page, PAGE, 2 * end);
	pins = e->r->num_pins;
	add_queue(e, &vm, 0);
	assert_int_equal(e->r->num_pins, pins);		/* pinned it was */
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, RAM, RAM_PAGES * PAGE, &n),
			 -UIOMMU_EBUSY);
	/* before it is said that it would have to be split, and nothing else goes */
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, RAM, PAGE, NULL), -UIOMMU_EBUSY);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL), -UIOMMU_EBUSY);
	assert_int_equal(CALL(e, IOMMU_VFIO_IOAS, set), 0);
	assert_int_equal(CALL(e, VFIO_IOMMU_UNMAP_DMA, un), -UIOMMU_EBUSY);
	assert_int_equal(e->r->num_pins, pins);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 2 * end, PAGE, &n), 0);
	assert_int_equal(n, PAGE);
	/* the process is gone, its pages are where they were */
	e->r->as.dead = true;
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	guest_change(e, 43);
	invalidates(&vm, 0, VA);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 43);
	e->r->as.dead = false;
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), 0);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, RAM_PAGES * PAGE);
	uiommu_iommufd_munmap(vm.regs);
}

/* Two queues in one mapping: it goes when both have. */
static void locks_are_counted(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	add_queue(e, &vm, 0);
	add_queue(e, &vm, 1);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[1]), 0);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.q[0]), 0);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL), 0);
	uiommu_iommufd_munmap(vm.regs);
}

/* The container's unmap may cut a mapping of small pages in two; not one with a queue. */
static void a_locked_mapping_is_not_cut(void **state)
{
	struct env *e = *state;
	const uint32_t ioas = rig_ioas(e->r, e->ctx);
	struct uiommu_abi_iommu_option small = { .size = sizeof(small), .option_id = 1,
		.object_id = ioas };
	struct uiommu_abi_iommu_vfio_ioas set = { .size = sizeof(set), .ioas_id = ioas,
		.op = UIOMMU_ABI_IOMMU_VFIO_IOAS_SET };
	struct uiommu_abi_vfio_iommu_type1_dma_unmap un = { .argsz = sizeof(un), .iova = RAM,
		.size = 2 * PAGE };
	struct CDATA data;
	uint32_t parent, v, q;

	assert_int_equal(CALL(e, IOMMU_OPTION, small), 0);
	assert_int_equal(CALL(e, IOMMU_VFIO_IOAS, set), 0);
	rig_map(e->r, e->ctx, ioas, RIG_VA, 8 * PAGE, RAM);
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], ioas, PARENT_FLAG, &parent), 0);
	assert_int_equal(viommu_cmdqv(e, e->id[0], parent, &v, &data), 0);
	assert_int_equal(hw_queue(e, queue_at(v, 0, RAM + 4 * PAGE), &q), 0);
	assert_int_equal(CALL(e, VFIO_IOMMU_UNMAP_DMA, un), -UIOMMU_EINVAL);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, q), 0);
	un.size = 2 * PAGE;
	assert_int_equal(CALL(e, VFIO_IOMMU_UNMAP_DMA, un), 0);
	assert_int_equal(un.size, 2 * PAGE);
}

/* ---- mmap ---- */

static void what_may_be_mapped(void **state)
{
	struct env *e = *state;
	struct uiommu_iommufd_region *reg = NULL, *more = NULL;
	struct CDATA data;
	uint64_t off, len;
	uint32_t v;

	assert_int_equal(uiommu_iommufd_mmap(e->ctx, 0, PAGE, &reg), -UIOMMU_ENXIO);
	assert_int_equal(viommu_cmdqv(e, e->id[0], e->parent, &v, &data), 0);
	off = data.out_vintf_mmap_offset;
	len = data.out_vintf_mmap_length;
	assert_int_equal(off, PAGE);
#define NO(off, len) assert_int_equal(uiommu_iommufd_mmap(e->ctx, off, len, &reg), -UIOMMU_ENXIO)
	NO(0, len);
	NO(off + PAGE, len);
	NO(off + PAGE, len - PAGE);
	NO(off, len - PAGE);
	NO(off, len + PAGE);
	NO(off, PAGE);
	NO(off, 0);
	NO(off + len, len);
	NO(-PAGE, PAGE);
	assert_null(reg);
	assert_int_equal(uiommu_iommufd_mmap(e->ctx, off, len, &reg), 0);
	assert_int_equal(uiommu_iommufd_mmap(e->ctx, off, len, &more), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, v), -UIOMMU_EBUSY);
	uiommu_iommufd_munmap(reg);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, v), -UIOMMU_EBUSY);
	uiommu_iommufd_munmap(more);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, v), 0);
	NO(off, len);
#undef NO
}

/* Only whole registers are there; everything else reads 0 and takes nothing. */
static void accesses_of_any_size(void **state)
{
	static const struct {
		uint64_t off;
		unsigned size;
	} none[] = {
		{ 0, 0 }, { VCMDQ_PROD, 1 }, { VCMDQ_PROD, 2 }, { VCMDQ_PROD + 1, 4 },
		{ VCMDQ_PROD, 8 }, { VCMDQ_PROD, 16 }, { VINTF_BYTES, 4 }, { VINTF_BYTES - 4, 8 },
		{ UINT64_MAX - 3, 4 }, { UINT64_MAX - 7, 8 }, { UINT64_MAX, 1 },
	};
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	add_queue(e, &vm, 0);
	sync(&vm, 0);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		uiommu_iommufd_store(vm.regs, none[i].off, FILL, none[i].size);
		assert_int_equal(uiommu_iommufd_load(vm.regs, none[i].off, none[i].size), 0);
		assert_int_equal(load(&vm, 0, VCMDQ_PROD), 1);
	}
	sync(&vm, 0);
	/* beyond its queues the page is empty */
	for (uint64_t off = RIG_QUEUES * CMDQV_STRIDE_VCMDQ; off < VINTF_BYTES; off += 8) {
		uiommu_iommufd_store(vm.regs, off, FILL, 8);
		assert_int_equal(uiommu_iommufd_load(vm.regs, off, 8), 0);
	}
	sync(&vm, 0);
	uiommu_iommufd_munmap(vm.regs);
}

/* Where the host has mapped the registers, it is plain memory that is accessed. */
static void registers_in_memory(void **state)
{
	uint64_t page[3] = { 0x1111222233334444, 0x5555666677778888, FILL };
	struct uiommu_iommufd_region reg = { .r = { .start = PAGE, .last = PAGE + 15 },
		.mmio = { .base = page, .bytes = 16 } };

	assert_int_equal(uiommu_iommufd_load(&reg, 8, 8), 0x5555666677778888);
	assert_int_equal(uiommu_iommufd_load(&reg, 12, 4), 0x55556666);
	for (uint64_t off = 0; off < 24; off++)
		for (unsigned size = 0; size <= 8; size++) {
			const bool is = size && size % 4 == 0 && off % size == 0 && off < 16;

			uiommu_iommufd_store(&reg, off, 0, size);
			assert_int_equal(uiommu_iommufd_load(&reg, off, size), 0);
			assert_int_equal(page[0] != 0x1111222233334444 ||
					 page[1] != 0x5555666677778888, is);
			page[0] = 0x1111222233334444;
			page[1] = 0x5555666677778888;
		}
	assert_int_equal(page[2], FILL);
}

/* As on Linux a mapping keeps the file's context: closed, the queue still runs. */
static void a_mapping_outlives_the_file(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);

	add_queue(e, &vm, 0);
	for (unsigned i = 0; i < RIG_DEVS; i++)
		uiommu_iommufd_unbind(e->dev[i]);
	memset(e->dev, 0, sizeof(e->dev));
	uiommu_iommufd_put(e->ctx);
	invalidates(&vm, 0, VA);
	uiommu_iommufd_munmap(vm.regs);			/* the last: everything goes */
	e->ctx = rig_iommufd(e->r);			/* for teardown */
}

/* Closed with all of it in place. */
static void close_takes_it_all_down(void **state)
{
	struct env *e = *state;
	struct qvm vm = make_qvm(e, 0, e->parent);
	struct uiommu_abi_iommu_veventq_alloc c;

	add_queue(e, &vm, 0);
	add_queue(e, &vm, 1);
	assert_int_equal(veventq(e, vm.v, 2, 2, &c), 0);
	uiommu_iommufd_munmap(vm.regs);
}

/* Each allocation refused in turn. */
static void invariant_13_no_memory_at_any_point(void **state)
{
	struct env *e = *state;
	uint64_t *mem = guest_alloc(e, PAGE);
	unsigned fails = 0;

	for (unsigned n = 1;; n++) {
		uint32_t v = 0, vd = 0, q[RIG_QUEUES] = { 0 };
		struct uiommu_abi_iommu_veventq_alloc c = { 0 };
		struct CDATA data;
		int ret;

		e->r->fail_at = e->r->allocs + n;
		ret = viommu_cmdqv(e, e->id[0], e->parent, &v, &data);
		if (!ret)
			ret = vdevice(e, v, e->id[0], VSID, &vd);
		for (unsigned i = 0; i < RIG_QUEUES && !ret; i++)
			ret = hw_queue(e, queue_at(v, i, ipa(e, mem)), &q[i]);
		if (!ret)
			ret = veventq(e, v, 8, 2, &c);
		e->r->fail_at = 0;
		if (ret) {
			assert_int_equal(ret, -UIOMMU_ENOMEM);
			fails++;
		} else {
			rig_close_fd(e->r, (int)c.out_veventq_fd);
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, c.out_veventq_id), 0);
		}
		for (unsigned i = RIG_QUEUES; i--;)
			if (q[i])
				assert_int_equal(rig_destroy_obj(e->r, e->ctx, q[i]), 0);
		if (vd)
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, vd), 0);
		if (v)
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, v), 0);
		if (!ret)
			break;
	}
	assert_true(fails >= 8);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL), 0);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WITHOUT(f) cmocka_unit_test_setup_teardown(f, setup_without, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_program_runs_its_queue), CASE(invariant_08_a_programs_queue_has_one_vmid),
		CASE(a_queue_that_stops_is_told), CASE(errors_of_viommu_alloc),
		WITHOUT(without_the_hardware), CASE(errors_of_hw_queue_alloc),
		CASE(an_answer_that_cannot_be_given), CASE(hw_info), WITHOUT(hw_info_without),
		CASE(more_devices_than_it_knows), CASE(queues_go_from_the_top),
		CASE(a_queue_that_is_gone_does_nothing), CASE(queue_memory_cannot_be_unmapped),
		CASE(locks_are_counted), CASE(a_locked_mapping_is_not_cut), CASE(what_may_be_mapped), CASE(accesses_of_any_size),
		cmocka_unit_test(registers_in_memory), CASE(a_mapping_outlives_the_file), CASE(close_takes_it_all_down),
		CASE(invariant_13_no_memory_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
