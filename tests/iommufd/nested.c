/* SPDX-License-Identifier: MIT */
/*
 * A VM through /dev/iommu: parents, slices, devices, nested page tables, and what the
 * guest invalidates. Every errno is the one that Linux gives.
 */
#include "vm.h"

static int setup(void **state)
{
	return vm_setup(state, &(struct rig_options){ .nesting = true, .faults = true });
}

static void a_guest_runs(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	const uint64_t cmd[4] = { FPREP(CMD_Opcode, CMD_TLBI_NH_ALL), 0,
		FPREP(CMD_Opcode, CMD_CFGI_CD_ALL) | FPREP(CMD_CFGI_CD_ALL_StreamID, VSID), 0 };
	uint32_t done;

	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	assert_int_equal(rig_read64(e->r, 0, -1, RAM), 0);	/* no address of its process */
	guest_change(e, 43);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
	assert_int_equal(invalidate(e, vm.v, cmd, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 43);
	/* from the guest's table to the parent and back */
	assert_int_equal(attach(e, 0, 0, e->parent), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 0);
	*(uint64_t *)rig_ptr(e->r, RIG_VA + (RAM_PAGES - 1) * PAGE) = 99;
	assert_int_equal(rig_read64(e->r, 0, -1, RAM + (RAM_PAGES - 1) * PAGE), 99);
	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 43);
	/* the host takes memory away: nothing is kept of it */
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, RAM, RAM_PAGES * PAGE, NULL), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 0);
}

static void what_holds_what(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);

	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, e->parent), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, e->ioas), -UIOMMU_EBUSY);
	uiommu_iommufd_detach(e->dev[0], 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.vd), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, e->parent), 0);
}

/* The number of a vDEVICE whose device went is nobody's: it stays taken. */
static void a_tombstone(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	uint32_t next;

	uiommu_iommufd_unbind(e->dev[0]);
	e->dev[0] = NULL;
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.vd), -UIOMMU_ENOENT);
	for (unsigned i = 0; i < 8; i++) {
		next = rig_ioas(e->r, e->ctx);
		assert_int_not_equal(next, vm.vd);
	}
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), 0);
}

static void errors_of_hwpt_alloc(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	uint64_t ste[2];
	uint32_t id;

	guest_ste(e, ste);
#define TRY(err, pt, ...) do {							\
	struct uiommu_abi_iommu_hwpt_alloc c = nested_on(pt, e->id[0]);		\
	__VA_ARGS__;								\
	assert_int_equal(nested_with(e, c, ste, &id), err);			\
} while (0)
	TRY(-UIOMMU_ENOENT, vm.v, c.dev_id = 99);
	TRY(-UIOMMU_EINVAL, 99);
	TRY(-UIOMMU_EINVAL, e->id[0]);
	TRY(-UIOMMU_EINVAL, vm.hwpt);	/* no parent */
	TRY(-UIOMMU_EOPNOTSUPP, e->parent);	/* not without a vIOMMU */
	TRY(-UIOMMU_EOPNOTSUPP, e->ioas);
	TRY(-UIOMMU_EOPNOTSUPP, vm.v, c.flags = PASID_FLAG);
	TRY(-UIOMMU_EOPNOTSUPP, vm.v, c.flags = PARENT_FLAG);
	TRY(-UIOMMU_EOPNOTSUPP, vm.v, c.flags = 1u << 9);
	TRY(-UIOMMU_EOPNOTSUPP, vm.v, c.data_type = 1);
	TRY(-UIOMMU_EINVAL, vm.v, c.data_len = 8);
	TRY(-UIOMMU_EINVAL, vm.v, c.data_len = 4096);
	TRY(-UIOMMU_EINVAL, vm.v, c.data_len = 0);
	TRY(-UIOMMU_EOPNOTSUPP, vm.v, c.data_type = 0, c.data_len = 0);
	TRY(-UIOMMU_EFAULT, vm.v, c.data_uptr = RIG_HOLE);
	ste[1] |= FPREP(STE_STRW, 2);
	TRY(-UIOMMU_EIO, vm.v);
#undef TRY
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, PARENT_FLAG | PASID_FLAG,
					&id), -UIOMMU_EOPNOTSUPP);
}

static void errors_of_viommu_alloc(void **state)
{
	struct env *e = *state;
	struct uiommu_abi_iommu_viommu_alloc c = {
		.type = 1, .dev_id = e->id[0], .hwpt_id = e->parent };
	uint32_t plain, id;

	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, 0, &plain), 0);
#define TRY(m, v, err) do { typeof(c.m) was = c.m; c.m = (v);		\
	assert_int_equal(viommu(e, c, &id), err); c.m = was; } while (0)
	TRY(flags, 1, -UIOMMU_EOPNOTSUPP);
	TRY(type, 0, -UIOMMU_EOPNOTSUPP);
	TRY(type, 2, -UIOMMU_EOPNOTSUPP);
	TRY(dev_id, 99, -UIOMMU_ENOENT);
	TRY(dev_id, e->parent, -UIOMMU_ENOENT);
	TRY(hwpt_id, 99, -UIOMMU_ENOENT);
	TRY(hwpt_id, e->ioas, -UIOMMU_ENOENT);
	TRY(hwpt_id, plain, -UIOMMU_EINVAL);
	TRY(flags, 0, 0);
#undef TRY
}

static void errors_of_vdevice_alloc(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	uint32_t id, other;

	assert_int_equal(vdevice(e, 99, e->id[1], 1, &id), -UIOMMU_ENOENT);
	assert_int_equal(vdevice(e, vm.hwpt, e->id[1], 1, &id), -UIOMMU_ENOENT);
	assert_int_equal(vdevice(e, vm.v, 99, 1, &id), -UIOMMU_ENOENT);
	assert_int_equal(vdevice(e, vm.v, e->id[0], 1, &id), -UIOMMU_EEXIST);
	assert_int_equal(vdevice(e, vm.v, e->id[1], VSID, &id), -UIOMMU_EEXIST);
	assert_int_equal(vdevice(e, vm.v, e->id[1], 1ull << 32, &id), -UIOMMU_ERANGE);
	assert_int_equal(vdevice(e, vm.v, e->id[1], VSID + 1, &other), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, other), 0);
	assert_int_equal(vdevice(e, vm.v, e->id[1], VSID + 1, &other), 0);
}

static void errors_of_attach(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	uint64_t ste[2];
	uint32_t s1, two, twelve;

	/* a table of the guest's for a device that the guest has not */
	assert_int_equal(attach(e, 1, 0, vm.hwpt), -UIOMMU_ENOENT);
	/* its "off" needs no number */
	ste[0] = CFG(STE_Config_BYPASS);
	ste[1] = 0;
	assert_int_equal(nested_with(e, nested_on(vm.v, e->id[0]), ste, &two), 0);
	assert_int_equal(attach(e, 1, 0, two), 0);
	assert_int_equal(rig_read64(e->r, 1, -1, RAM + VA), 0);
	/* PASIDs are the guest's own affair */
	assert_int_equal(attach(e, 0, 5, vm.hwpt), -UIOMMU_EINVAL);
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, PASID_FLAG, &s1), 0);
	assert_int_equal(attach(e, 0, 5, s1), 0);
	assert_int_equal(attach(e, 0, 0, vm.hwpt), -UIOMMU_EINVAL);
	uiommu_iommufd_detach(e->dev[0], 5);
	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	assert_int_equal(attach(e, 0, 5, s1), -UIOMMU_EINVAL);
	/* the IOAS is not where a guest's table is found */
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[0], e->ioas, 0, &twelve), 0);
	assert_int_equal(attach(e, 0, 0, e->ioas), 0);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 0);
}

static void errors_of_invalidate(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	const uint64_t all = FPREP(CMD_Opcode, CMD_TLBI_NH_ALL);
	struct uiommu_abi_iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = vm.v, .data_type = 1, .entry_len = 16, .entry_num = 1,
		.data_uptr = RIG_VA + RAM_PAGES * PAGE };
	uint64_t cmd[2 * 100];
	uint32_t done;

	for (unsigned i = 0; i < 100; i++)
		cmd[2 * i] = all, cmd[2 * i + 1] = 0;
	assert_int_equal(invalidate(e, vm.v, cmd, 100, &done), 0);
	assert_int_equal(done, 100);
	cmd[2 * 70] = FPREP(CMD_Opcode, CMD_SYNC);
	assert_int_equal(invalidate(e, vm.v, cmd, 100, &done), -UIOMMU_EIO);
	assert_int_equal(done, 70);
	assert_int_equal(invalidate(e, vm.hwpt, cmd, 1, &done), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(done, 0);
	assert_int_equal(invalidate(e, e->parent, cmd, 1, &done), -UIOMMU_EINVAL);
	assert_int_equal(invalidate(e, 99, cmd, 1, &done), -UIOMMU_ENOENT);
#define TRY(m, v, err, n) do { struct uiommu_abi_iommu_hwpt_invalidate was = c; c.m = (v);	\
	assert_int_equal(CALL(e, IOMMU_HWPT_INVALIDATE, c), err);				\
	assert_int_equal(c.entry_num, n); c = was; } while (0)
	TRY(__reserved, 1, -UIOMMU_EOPNOTSUPP, 0);
	TRY(data_type, 0, -UIOMMU_EINVAL, 0);
	TRY(entry_len, 0, -UIOMMU_EINVAL, 0);
	TRY(entry_len, 4097, -UIOMMU_EINVAL, 0);
	TRY(entry_num, (1u << 19) + 1, -UIOMMU_EINVAL, 0);
	TRY(data_uptr, 0, -UIOMMU_EINVAL, 0);
	TRY(data_uptr, RIG_HOLE, -UIOMMU_EFAULT, 0);
	TRY(entry_num, 0, 0, 0);			/* is the type known? */
	c.entry_num = 0;
	TRY(data_type, 5, -UIOMMU_EINVAL, 0);
	/* entries of a program with another idea of their length */
	c.entry_num = 1;
	TRY(entry_len, 8, 0, 1);
	memset(rig_ptr(e->r, c.data_uptr), 0, 48);
	memcpy(rig_ptr(e->r, c.data_uptr), &all, 8);
	TRY(entry_len, 24, 0, 1);
	((char *)rig_ptr(e->r, c.data_uptr))[23] = 1;
	TRY(entry_len, 24, -UIOMMU_E2BIG, 0);
#undef TRY
	/* the last of what fits is done, and the hole is said */
	c.entry_num = 300;
	c.data_uptr = RIG_HOLE - 256 * 16;
	for (unsigned i = 0; i < 256; i++)
		memcpy(rig_ptr(e->r, c.data_uptr + i * 16), cmd, 16);
	assert_int_equal(CALL(e, IOMMU_HWPT_INVALIDATE, c), -UIOMMU_EFAULT);
	assert_int_equal(c.entry_num, 256);
}

/* ---- what the guest is told ---- */

/* The guest's process asks for what it has not. */
static void fault(struct env *e, unsigned page)
{
	assert_int_equal(rig_read64(e->r, 0, -1, VA + page * PAGE), 0);
	uiommu_smmuv3_poll(e->r->iommu);
}

static void a_guests_events_are_read(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	struct uiommu_abi_iommu_veventq_alloc c;
	struct uiommu_iommufd_veventq *q;
	uint64_t evt[4];
	uint32_t flags;

	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	fault(e, 1);				/* nobody of the VM's listens: the host is told */
	assert_int_equal(e->r->faults, 1);
	assert_int_equal(veventq(e, vm.v, 3, 1, &c), 0);
	q = e->r->as.fds[c.out_veventq_fd]->object;
	assert_false(uiommu_iommufd_veventq_ready(q));
#define READ(n) uiommu_iommufd_veventq_read(q, &e->r->as, 0, n, BUF)
	assert_int_equal(READ(4096), 0);
	fault(e, 1);
	fault(e, 2);
	assert_int_equal(e->r->faults, 1);
	assert_true(uiommu_iommufd_veventq_ready(q));
	assert_true(e->r->as.fds[c.out_veventq_fd]->count > 0);
	assert_int_equal(READ(EVENT - 1), 0);	/* does not fit: stays */
	assert_int_equal(uiommu_iommufd_veventq_read(q, &e->r->as, 8, EVENT, BUF),
			 -UIOMMU_ESPIPE);
	assert_int_equal(uiommu_iommufd_veventq_read(q, &e->r->as, 0, EVENT, RIG_HOLE),
			 -UIOMMU_EFAULT);
	assert_int_equal(READ(EVENT + 3), EVENT);
	assert_int_equal(header(e, 0, &flags), 0);
	assert_int_equal(flags, 0);
	memcpy(evt, rig_ptr(e->r, BUF + 8), sizeof(evt));
	assert_int_equal(FGET(EVT_Number, evt[0]), EVT_F_TRANSLATION);
	assert_int_equal(FGET(EVT_StreamID, evt[0]), VSID);
	assert_int_equal(evt[2], VA + PAGE);
	/* three fit, two are lost: the gap says how many */
	for (unsigned i = 3; i < 7; i++)
		fault(e, i);
	assert_int_equal(READ(4096), 3 * EVENT + 8);
	assert_int_equal(header(e, 2 * EVENT, &flags), 3);
	assert_int_equal(header(e, 3 * EVENT, &flags), 5);
	assert_int_equal(flags, UIOMMU_ABI_IOMMU_VEVENTQ_FLAG_LOST_EVENTS);
	assert_int_equal(READ(4096), 0);
	fault(e, 7);
	assert_int_equal(READ(4096), EVENT);
	assert_int_equal(header(e, 0, &flags), 6);
	assert_int_equal(flags, 0);
	/* lost ones behind which there is room again are told by the gap alone */
	for (unsigned i = 0; i < 4; i++)
		fault(e, 8 + i);
	assert_int_equal(READ(EVENT), EVENT);
	fault(e, 12);
	assert_int_equal(READ(4096), 3 * EVENT);
	assert_int_equal(header(e, 2 * EVENT, &flags), 11);
#undef READ
}

/* The guest's CD lets accesses wait; its VMM serves what it asks for. */
static void a_guests_page_faults_are_served(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	struct uiommu_abi_iommu_fault_alloc q = { .size = sizeof(q) };
	struct uiommu_abi_iommu_hwpt_alloc c = nested_on(vm.v, e->id[0]);
	struct uiommu_abi_iommu_hwpt_pgfault pf;
	struct uiommu_abi_iommu_hwpt_page_response resp = { .code = 0 };
	struct uiommu_iommufd_fault *f;
	uint64_t ste[2], v = 0;
	uint32_t hwpt;

	guest_ste(e, ste);
	e->cds[CD_S_WORD] |= FPREP(CD_S, 1);
	c.flags = UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID;
	c.fault_id = 99;
	assert_int_equal(nested_with(e, c, ste, &hwpt), -UIOMMU_ENOENT);
	assert_int_equal(CALL(e, IOMMU_FAULT_QUEUE_ALLOC, q), 0);
	f = e->r->as.fds[q.out_fault_fd]->object;
	c.fault_id = q.out_fault_id;
	assert_int_equal(nested_with(e, c, ste, &hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, q.out_fault_id), -UIOMMU_EBUSY);
	assert_int_equal(attach(e, 0, 0, hwpt), 0);
	assert_int_equal(rig_dma(e->r, 0, -1, VA + PAGE, &v, 8, false), -UIOMMU_EAGAIN);
	uiommu_smmuv3_poll(e->r->iommu);
	assert_int_equal(uiommu_iommufd_fault_read(f, &e->r->as, 0, sizeof(pf), BUF), sizeof(pf));
	memcpy(&pf, rig_ptr(e->r, BUF), sizeof(pf));
	assert_int_equal(pf.dev_id, e->id[0]);
	assert_int_equal(pf.addr, VA + PAGE);
	guest_map(e, VA + PAGE, 77);
	resp.cookie = pf.cookie;
	memcpy(rig_ptr(e->r, BUF), &resp, sizeof(resp));
	assert_int_equal(uiommu_iommufd_fault_write(f, &e->r->as, 0, sizeof(resp), BUF),
			 sizeof(resp));
	assert_int_equal(e->r->resumed[UIOMMU_SIM_RESUME_RETRY], 1);
	assert_int_equal(rig_dma(e->r, 0, -1, VA + PAGE, &v, 8, false), 0);
	assert_int_equal(v, 77);
	/* one that is taken away while somebody waits is answered */
	assert_int_equal(rig_dma(e->r, 0, -1, VA + 2 * PAGE, &v, 8, false), -UIOMMU_EAGAIN);
	uiommu_smmuv3_poll(e->r->iommu);
	assert_int_equal(attach(e, 0, 0, e->parent), 0);
	assert_int_equal(e->r->resumed[UIOMMU_SIM_RESUME_ABORT], 1);
	assert_int_equal(uiommu_iommufd_fault_read(f, &e->r->as, 0, sizeof(pf), BUF), 0);
	/* and where nobody serves them, the access fails at once */
	assert_int_equal(attach(e, 0, 0, vm.hwpt), 0);
	assert_int_equal(rig_dma(e->r, 0, -1, VA + 2 * PAGE, &v, 8, false), -UIOMMU_EAGAIN);
	uiommu_smmuv3_poll(e->r->iommu);
	assert_int_equal(e->r->resumed[UIOMMU_SIM_RESUME_ABORT], 2);
}

static void errors_of_veventq_alloc(void **state)
{
	struct env *e = *state;
	struct vm vm = make_vm(e);
	struct uiommu_abi_iommu_veventq_alloc c, first;

	assert_int_equal(veventq(e, vm.v, 0, 1, &c), -UIOMMU_EINVAL);
	assert_int_equal(veventq(e, vm.v, (1u << 19) + 1, 1, &c), -UIOMMU_EINVAL);
	assert_int_equal(veventq(e, vm.v, 8, 0, &c), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(veventq(e, vm.v, 8, 3, &c), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(veventq(e, vm.hwpt, 8, 1, &c), -UIOMMU_ENOENT);
	e->r->no_files = true;
	assert_int_equal(veventq(e, vm.v, 8, 1, &c), -UIOMMU_EFAULT);
	e->r->no_files = false;
	assert_int_equal(veventq(e, vm.v, 8, 1, &first), 0);
	assert_int_equal(veventq(e, vm.v, 8, 1, &c), -UIOMMU_EEXIST);
	/* the file holds the queue, the queue the slice */
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, first.out_veventq_id), -UIOMMU_EBUSY);
	rig_close_fd(e->r, (int)first.out_veventq_fd);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.vd), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, first.out_veventq_id), 0);
	assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), 0);
}

/* What IOAS_COPY shares is a parent's memory too. */
static void a_parent_made_of_a_copy(void **state)
{
	struct env *e = *state;
	uint32_t ioas2 = rig_ioas(e->r, e->ctx), parent2, v, vd, hwpt;
	struct uiommu_abi_iommu_ioas_copy copy = {
		.size = sizeof(copy), .flags = 7, .dst_ioas_id = ioas2, .src_ioas_id = e->ioas,
		.length = RAM_PAGES * PAGE, .dst_iova = RAM, .src_iova = RAM };
	uint64_t ste[2];

	guest_ste(e, ste);
	assert_int_equal(CALL(e, IOMMU_IOAS_COPY, copy), 0);
	assert_int_equal(rig_hwpt_alloc(e->r, e->ctx, e->id[1], ioas2, PARENT_FLAG, &parent2), 0);
	assert_int_equal(viommu(e, (struct uiommu_abi_iommu_viommu_alloc){
		.type = 1, .dev_id = e->id[1], .hwpt_id = parent2 }, &v), 0);
	assert_int_equal(vdevice(e, v, e->id[1], 3, &vd), 0);
	assert_int_equal(nested_with(e, nested_on(v, e->id[1]), ste, &hwpt), 0);
	assert_int_equal(attach(e, 1, 0, hwpt), 0);
	assert_int_equal(rig_unmap(e->r, e->ctx, e->ioas, RAM, RAM_PAGES * PAGE, NULL), 0);
	assert_int_equal(rig_read64(e->r, 1, -1, VA), 42);
}

/* Each allocation refused in turn. */
static void invariant_13_no_memory_at_any_point(void **state)
{
	struct env *e = *state;
	uint64_t ste[2];
	unsigned fails = 0;

	guest_ste(e, ste);
	for (unsigned n = 1;; n++) {
		struct vm vm = { 0 };
		int ret;

		e->r->fail_at = e->r->allocs + n;
		ret = viommu(e, (struct uiommu_abi_iommu_viommu_alloc){
			.type = 1, .dev_id = e->id[0], .hwpt_id = e->parent }, &vm.v);
		if (!ret)
			ret = vdevice(e, vm.v, e->id[0], VSID, &vm.vd);
		if (!ret)
			ret = nested_with(e, nested_on(vm.v, e->id[0]), ste, &vm.hwpt);
		if (!ret)
			ret = attach(e, 0, 0, vm.hwpt);
		e->r->fail_at = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		if (vm.hwpt)
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.hwpt), 0);
		if (vm.vd)
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.vd), 0);
		if (vm.v)
			assert_int_equal(rig_destroy_obj(e->r, e->ctx, vm.v), 0);
		fails++;
	}
	assert_true(fails >= 6);
	assert_int_equal(rig_read64(e->r, 0, -1, VA), 42);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_guest_runs), CASE(what_holds_what), CASE(a_tombstone),
		CASE(errors_of_hwpt_alloc), CASE(errors_of_viommu_alloc),
		CASE(errors_of_vdevice_alloc), CASE(errors_of_attach), CASE(errors_of_invalidate),
		CASE(a_guests_events_are_read),
		CASE(a_guests_page_faults_are_served), CASE(errors_of_veventq_alloc),
		CASE(a_parent_made_of_a_copy), CASE(invariant_13_no_memory_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
