/* SPDX-License-Identifier: MIT */
/* Fault queues: what a program reads, what it may answer, what becomes of the rest. */
#include "rig.h"

#define IOVA		0x100000ull
#define NONE		(-UIOMMU_EAGAIN)
#define PGFAULT		sizeof(struct uiommu_abi_iommu_hwpt_pgfault)
#define RESP		sizeof(struct uiommu_abi_iommu_hwpt_page_response)
#define BUF		(RIG_VA + (RIG_PAGES - 2) * PAGE)
#define FAULTING	UIOMMU_ABI_IOMMU_HWPT_FAULT_ID_VALID
#define WITH_PASID	UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID

struct scene {
	struct rig *r;
	struct uiommu_iommufd *ctx;
	struct uiommu_iommufd_dev *idev[2];
	uint32_t dev[2], ioas, queue, hwpt, plain;
	struct uiommu_iommufd_fault *q;
	int fd;
};

static int alloc_queue(struct scene *s, uint32_t *id, int *fd)
{
	struct uiommu_abi_iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int ret = rig_ioctl(s->r, s->ctx, UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC, &cmd, sizeof(cmd));

	if (!ret) {
		*id = cmd.out_fault_id;
		*fd = (int)cmd.out_fault_fd;
	}
	return ret;
}

static int alloc_hwpt(struct scene *s, uint32_t flags, uint32_t queue, uint32_t *out)
{
	struct uiommu_abi_iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = s->dev[0], .pt_id = s->ioas,
		.fault_id = queue,
	};
	int ret = rig_ioctl(s->r, s->ctx, UIOMMU_ABI_IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd));

	if (!ret)
		*out = cmd.out_hwpt_id;
	return ret;
}

static void attach(struct scene *s, unsigned dev, uiommu_pasid_t pasid, uint32_t hwpt)
{
	assert_int_equal(uiommu_iommufd_attach(s->idev[dev], pasid, &hwpt), 0);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->r = rig_create_with(&(struct rig_options){ .faults = true });
	s->ctx = rig_iommufd(s->r);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(uiommu_iommufd_bind(s->ctx, s->r->fns[i].dev, &s->idev[i],
						     &s->dev[i]), 0);
	s->ioas = rig_ioas(s->r, s->ctx);
	assert_int_equal(alloc_queue(s, &s->queue, &s->fd), 0);
	s->q = s->r->as.fds[s->fd]->object;
	assert_int_equal(alloc_hwpt(s, FAULTING | WITH_PASID, s->queue, &s->hwpt), 0);
	assert_int_equal(alloc_hwpt(s, WITH_PASID, 0, &s->plain), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	for (unsigned i = 0; i < 2; i++)
		if (s->idev[i])
			uiommu_iommufd_unbind(s->idev[i]);
	if (s->ctx)
		uiommu_iommufd_put(s->ctx);
	rig_destroy(s->r);
	free(s);
	return 0;
}

/* One access: 0, -EFAULT, or NONE while it waits. */
static int touch(struct scene *s, unsigned dev, int32_t pasid, uint64_t iova, bool write)
{
	uint64_t v = 0;

	return rig_dma(s->r, dev, pasid, iova, &v, sizeof(v), write);
}

static int64_t fault_read(struct scene *s, size_t bytes)
{
	return uiommu_iommufd_fault_read(s->q, &s->r->as, 0, bytes, BUF);
}

static struct uiommu_abi_iommu_hwpt_pgfault *got(struct scene *s, unsigned n)
{
	return (struct uiommu_abi_iommu_hwpt_pgfault *)rig_ptr(s->r, BUF) + n;
}

static int64_t answer(struct scene *s, uint32_t cookie, uint32_t code)
{
	const struct uiommu_abi_iommu_hwpt_page_response resp = { cookie, code };

	memcpy(rig_ptr(s->r, BUF + 2048), &resp, sizeof(resp));
	return uiommu_iommufd_fault_write(s->q, &s->r->as, 0, RESP, BUF + 2048);
}

static void resumed(struct scene *s, unsigned retried, unsigned aborted)
{
	assert_int_equal(s->r->resumed[UIOMMU_SIM_RESUME_RETRY], retried);
	assert_int_equal(s->r->resumed[UIOMMU_SIM_RESUME_ABORT], aborted);
}

/* ---- serving ---- */

static void a_page_comes_when_asked_for(void **state)
{
	struct scene *s = *state;
	const struct uiommu_abi_iommu_hwpt_pgfault *f = got(s, 0);

	attach(s, 0, 0, s->hwpt);
	assert_false(uiommu_iommufd_fault_ready(s->q));
	assert_int_equal(fault_read(s, PGFAULT), 0);
	assert_int_equal(touch(s, 0, -1, IOVA + 8, true), NONE);
	assert_true(uiommu_iommufd_fault_ready(s->q));
	assert_int_equal(s->r->as.fds[s->fd]->count, 1);
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);
	assert_false(uiommu_iommufd_fault_ready(s->q));
	assert_int_equal(f->flags, UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_LAST_PAGE);
	assert_int_equal(f->dev_id, s->dev[0]);
	assert_int_equal(f->perm, UIOMMU_ABI_IOMMU_PGFAULT_PERM_WRITE);
	assert_int_equal(f->addr, IOVA + 8);
	assert_int_equal(f->pasid, 0);
	assert_int_equal(f->length, 0);
	assert_int_equal(f->cookie, 1);
	rig_map(s->r, s->ctx, s->ioas, RIG_VA, PAGE, IOVA);
	assert_int_equal(answer(s, 1, 0), RESP);
	resumed(s, 1, 0);
	assert_int_equal(touch(s, 0, -1, IOVA + 8, true), 0);
	assert_int_equal(answer(s, 1, 0), -UIOMMU_EINVAL);	/* once */
	assert_int_equal(s->r->faults, 0);
}

static void each_device_and_pasid_is_named(void **state)
{
	struct scene *s = *state;

	attach(s, 0, 0, s->hwpt);
	attach(s, 0, 5, s->hwpt);
	attach(s, 1, 0, s->hwpt);
	assert_int_equal(touch(s, 0, 5, IOVA, false), NONE);
	assert_int_equal(touch(s, 1, -1, IOVA, true), NONE);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(fault_read(s, 10 * PGFAULT), 3 * PGFAULT);
	assert_int_equal(got(s, 0)->flags, UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_LAST_PAGE |
			 UIOMMU_ABI_IOMMU_PGFAULT_FLAGS_PASID_VALID);
	assert_int_equal(got(s, 0)->pasid, 5);
	assert_int_equal(got(s, 0)->perm, UIOMMU_ABI_IOMMU_PGFAULT_PERM_READ);
	assert_int_equal(got(s, 1)->dev_id, s->dev[1]);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(got(s, i)->cookie, i + 1);
	/* in another order, with another answer */
	assert_int_equal(answer(s, 2, 1), RESP);
	resumed(s, 0, 1);
	assert_int_equal(answer(s, 3, 0), RESP);
	assert_int_equal(answer(s, 1, 0), RESP);
	resumed(s, 2, 1);
	/* the lowest free cookie is the next */
	assert_int_equal(touch(s, 0, 5, IOVA, false), NONE);
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);
	assert_int_equal(got(s, 0)->cookie, 1);
}

static void sizes_and_errors_of_read_and_write(void **state)
{
	struct scene *s = *state;
	struct uiommu_abi_iommu_hwpt_page_response resp[3] = { { 1, 0 }, { 9, 0 }, { 2, 0 } };

	attach(s, 0, 0, s->hwpt);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(touch(s, 0, -1, IOVA + PAGE, false), NONE);
	assert_int_equal(fault_read(s, PGFAULT - 1), -UIOMMU_ESPIPE);
	assert_int_equal(fault_read(s, 0), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_iommufd_fault_read(s->q, &s->r->as, PGFAULT, PGFAULT, BUF),
			 -UIOMMU_ESPIPE);
	assert_int_equal(uiommu_iommufd_fault_read(s->q, &s->r->as, 0, PGFAULT, RIG_HOLE),
			 -UIOMMU_EFAULT);
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);	/* it stayed */
	assert_int_equal(got(s, 0)->addr, IOVA);
	assert_int_equal(s->r->as.fds[s->fd]->count > 2, 1);	/* poll says that there is more */
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);
	assert_int_equal(got(s, 0)->addr, IOVA + PAGE);
	assert_int_equal(answer(s, 1, 2), -UIOMMU_EINVAL);
	assert_int_equal(answer(s, 0, 0), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_iommufd_fault_write(s->q, &s->r->as, 0, RESP - 1, BUF),
			 -UIOMMU_ESPIPE);
	assert_int_equal(uiommu_iommufd_fault_write(s->q, &s->r->as, 8, RESP, BUF),
			 -UIOMMU_ESPIPE);
	assert_int_equal(uiommu_iommufd_fault_write(s->q, &s->r->as, 0, RESP, RIG_HOLE),
			 -UIOMMU_EFAULT);
	assert_int_equal(uiommu_iommufd_fault_write(s->q, &s->r->as, 0, 0, BUF), 0);
	resumed(s, 0, 0);
	/* up to the first bad one */
	memcpy(rig_ptr(s->r, BUF), resp, sizeof(resp));
	assert_int_equal(uiommu_iommufd_fault_write(s->q, &s->r->as, 0, sizeof(resp), BUF), RESP);
	resumed(s, 1, 0);
	assert_int_equal(answer(s, 2, 0), RESP);
}

/* ---- objects ---- */

static void what_holds_what(void **state)
{
	struct scene *s = *state;
	struct uiommu_abi_iommu_fault_alloc cmd = { .size = sizeof(cmd), .flags = 1 };
	uint32_t id, hwpt = 0;
	int fd;

	assert_int_equal(rig_ioctl(s->r, s->ctx, UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC, &cmd,
				   sizeof(cmd)), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_iommufd_ioctl(s->ctx, &s->r->as,
					      UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC, RIG_HOLE),
			 -UIOMMU_EFAULT);
	s->r->no_files = true;
	assert_int_equal(alloc_queue(s, &id, &fd), -UIOMMU_EFAULT);
	s->r->no_files = false;
	assert_int_equal(alloc_hwpt(s, FAULTING, 99, &hwpt), -UIOMMU_ENOENT);
	assert_int_equal(alloc_hwpt(s, FAULTING, s->ioas, &hwpt), -UIOMMU_ENOENT);
	assert_int_equal(alloc_hwpt(s, FAULTING | UIOMMU_ABI_IOMMU_HWPT_ALLOC_NEST_PARENT,
				    s->queue, &hwpt), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->queue), -UIOMMU_EBUSY);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->hwpt), 0);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->queue), -UIOMMU_EBUSY);	/* the file */
	assert_int_equal(alloc_hwpt(s, FAULTING, s->queue, &hwpt), 0);
	rig_close_fd(s->r, s->fd);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->queue), -UIOMMU_EBUSY);	/* the HWPT */
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, hwpt), 0);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->queue), 0);
	assert_int_equal(rig_destroy_obj(s->r, s->ctx, s->queue), -UIOMMU_ENOENT);
	s->r->ua.file_give = NULL;
	assert_int_equal(alloc_queue(s, &id, &fd), -UIOMMU_ENOTTY);
}

/* The file keeps the context when /dev/iommu itself is closed. */
static void the_file_outlives_the_context(void **state)
{
	struct scene *s = *state;

	attach(s, 0, 0, s->hwpt);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	for (unsigned i = 0; i < 2; i++) {
		uiommu_iommufd_unbind(s->idev[i]);
		s->idev[i] = NULL;
	}
	uiommu_iommufd_put(s->ctx);
	s->ctx = NULL;
	assert_int_equal(fault_read(s, PGFAULT), 0);
	resumed(s, 0, 1);
}

/* ---- taken away while something waits ---- */

static void wait_for_two(struct scene *s)
{
	attach(s, 0, 0, s->hwpt);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);
	assert_int_equal(touch(s, 0, -1, IOVA + PAGE, false), NONE);
}

static void both_are_over(struct scene *s)
{
	resumed(s, 0, 2);
	if (!s->r->as.fds[s->fd])
		return;
	assert_int_equal(answer(s, 1, 0), -UIOMMU_EINVAL);
	assert_int_equal(fault_read(s, PGFAULT), 0);
}

static void detach_answers(void **state)
{
	struct scene *s = *state;

	wait_for_two(s);
	uiommu_iommufd_detach(s->idev[0], 0);
	both_are_over(s);
	assert_int_equal(touch(s, 0, -1, IOVA, false), -UIOMMU_EFAULT);
}

static void replace_answers(void **state)
{
	struct scene *s = *state;
	uint32_t other = 0;

	wait_for_two(s);
	attach(s, 0, 0, s->plain);
	both_are_over(s);
	assert_int_equal(touch(s, 0, -1, IOVA, false), -UIOMMU_EFAULT);
	/* and back: faulting again; from one faulting one to another */
	attach(s, 0, 0, s->hwpt);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(alloc_hwpt(s, FAULTING | WITH_PASID, s->queue, &other), 0);
	attach(s, 0, 0, other);
	resumed(s, 0, 3);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(fault_read(s, PGFAULT), PGFAULT);
	assert_int_equal(answer(s, got(s, 0)->cookie, 1), RESP);
	resumed(s, 0, 4);
}

static void unbind_answers(void **state)
{
	struct scene *s = *state;

	wait_for_two(s);
	uiommu_iommufd_unbind(s->idev[0]);
	s->idev[0] = NULL;
	both_are_over(s);
}

static void reset_answers(void **state)
{
	struct scene *s = *state;

	wait_for_two(s);
	assert_int_equal(uiommu_device_reset_prepare(s->r->fns[0].dev), 0);
	both_are_over(s);
	assert_int_equal(uiommu_device_reset_done(s->r->fns[0].dev), 0);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
}

static void close_answers_and_goes_on_answering(void **state)
{
	struct scene *s = *state;

	wait_for_two(s);
	rig_close_fd(s->r, s->fd);
	both_are_over(s);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	resumed(s, 0, 3);
	rig_map(s->r, s->ctx, s->ioas, RIG_VA, PAGE, IOVA);
	assert_int_equal(touch(s, 0, -1, IOVA, false), 0);
}

/* The others of its domain go on. */
static void another_devices_faults_stay(void **state)
{
	struct scene *s = *state;

	attach(s, 0, 0, s->hwpt);
	attach(s, 1, 0, s->hwpt);
	assert_int_equal(touch(s, 0, -1, IOVA, false), NONE);
	assert_int_equal(touch(s, 1, -1, IOVA, false), NONE);
	uiommu_iommufd_detach(s->idev[0], 0);
	resumed(s, 0, 1);
	assert_int_equal(fault_read(s, 4 * PGFAULT), PGFAULT);
	assert_int_equal(got(s, 0)->dev_id, s->dev[1]);
	assert_int_equal(answer(s, got(s, 0)->cookie, 0), RESP);
	resumed(s, 1, 1);
}

/* Every allocation on the way to a fault that is read, failed in turn. */
static void invariant_13_fail_nth(void **state)
{
	int64_t n = -1;
	int step = 0;

	for (unsigned nth = 1; n != PGFAULT; nth++) {
		struct scene s = { .fd = -1 };
		int err;

		s.r = rig_create_with(&(struct rig_options){ .faults = true });
		s.ctx = rig_iommufd(s.r);
		assert_int_equal(uiommu_iommufd_bind(s.ctx, s.r->fns[0].dev, &s.idev[0],
						     &s.dev[0]), 0);
		s.ioas = rig_ioas(s.r, s.ctx);
		s.r->fail_at = s.r->allocs + nth;
		err = alloc_queue(&s, &s.queue, &s.fd);
		step = 1;
		if (!err) {
			s.q = s.r->as.fds[s.fd]->object;
			err = alloc_hwpt(&s, FAULTING, s.queue, &s.hwpt);
			step = 2;
		}
		if (!err) {
			err = uiommu_iommufd_attach(s.idev[0], 0, &s.hwpt);
			step = 3;
		}
		if (!err) {
			assert_int_equal(touch(&s, 0, -1, IOVA, false), NONE);
			n = fault_read(&s, PGFAULT);
			step = 4;
			err = n < 0 ? (int)n : 0;
		}
		if (err)
			assert_int_equal(err, -UIOMMU_ENOMEM);
		if (err && step == 4)
			assert_true(uiommu_iommufd_fault_ready(s.q));
		uiommu_iommufd_unbind(s.idev[0]);
		uiommu_iommufd_put(s.ctx);
		rig_destroy(s.r);	/* nothing is left */
		assert_true(nth < 50);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_page_comes_when_asked_for),
		T(each_device_and_pasid_is_named),
		T(sizes_and_errors_of_read_and_write),
		T(what_holds_what),
		T(the_file_outlives_the_context),
		T(detach_answers),
		T(replace_answers),
		T(unbind_answers),
		T(reset_answers),
		T(close_answers_and_goes_on_answering),
		T(another_devices_faults_stay),
		cmocka_unit_test(invariant_13_fail_nth),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
