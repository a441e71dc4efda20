/* SPDX-License-Identifier: MIT */
/* Interrupts: the device's own write, through its own address space, to an eventfd. */
#include "vrig.h"

#define MSI	1u
#define ERR	3u
#define REQ	4u

static int setup(void **state)
{
	struct venv *e = venv_create_bound();

	vput(e->r, e->f, CONFIG + PCI_COMMAND, MASTER | MEMORY, 2);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	venv_destroy(*state);
	return 0;
}

#define E struct venv *e = *state; struct rig *r = e->r

/* The device raises its interrupt; how often did the eventfd @fd get it? */
static uint64_t raise_(struct rig *r, struct uiommu_vfio_file *f, int fd)
{
	uint64_t before = r->as.fds[fd]->count;

	uiommu_vfio_store(f, 0, 0x60, 1, 4);
	for (unsigned i = 0; i < 10 && uiommu_sim_step(r->fns[0].sim); i++)
		;
	return r->as.fds[fd]->count - before;
}

static int set_fd(struct rig *r, struct uiommu_vfio_file *f, uint32_t index, int32_t fd)
{
	return virqs(r, f, FDS | TRIGGER, index, 0, 1, &fd, sizeof(fd));
}

static void an_interrupt_goes_through_the_iommu(void **state)
{
	E;
	uint32_t a = rig_ioas(r, e->ctx), b = rig_ioas(r, e->ctx), pt = a;

	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 0);		/* BLOCKED */
	assert_int_equal(vattach(r, e->f, 0, &pt), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
	pt = b;
	assert_int_equal(vattach(r, e->f, 0, &pt), 0);		/* replaced */
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
	vput(r, e->f, CONFIG + PCI_COMMAND, MEMORY, 2);		/* no bus mastering */
	assert_int_equal(raise_(r, e->f, EVENTFD), 0);
	vput(r, e->f, CONFIG + PCI_COMMAND, MASTER | MEMORY, 2);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
	assert_int_equal(vdetach(r, e->f, 0), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 0);
	pt = a;
	assert_int_equal(vattach(r, e->f, 0, &pt), 0);		/* attached again */
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
}

static void the_address_may_be_given_before_or_after(void **state)
{
	E;
	uint32_t pt = rig_ioas(r, e->ctx);

	assert_int_equal(vattach(r, e->f, 0, &pt), 0);
	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_RESET, 0), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);		/* a reset does not lose it */
}

static void another_eventfd_takes_over(void **state)
{
	E;
	uint32_t pt = rig_ioas(r, e->ctx);

	assert_int_equal(vattach(r, e->f, 0, &pt), 0);
	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD), 0);
	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD2), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD2), 1);
	rig_close_fd(r, EVENTFD);
	assert_int_equal(set_fd(r, e->f, MSI, -1), 0);		/* none, but MSI stays on */
	assert_int_equal(raise_(r, e->f, EVENTFD2), 0);
	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD2), 0);
	assert_int_equal(raise_(r, e->f, EVENTFD2), 1);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 0, NULL, 0), 0);	/* off */
	assert_int_equal(raise_(r, e->f, EVENTFD2), 0);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 0, NULL, 0), -UIOMMU_EINVAL);
}

static void a_program_may_ring_its_own_vectors(void **state)
{
	E;
	const uint8_t yes = 1, no = 0;

	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 1, NULL, 0), -UIOMMU_EINVAL);
	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD), 0);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 1, NULL, 0), 0);
	assert_int_equal(r->as.fds[EVENTFD]->count, 1);
	assert_int_equal(virqs(r, e->f, BOOLS | TRIGGER, MSI, 0, 1, &no, 1), 0);
	assert_int_equal(r->as.fds[EVENTFD]->count, 1);
	assert_int_equal(virqs(r, e->f, BOOLS | TRIGGER, MSI, 0, 1, &yes, 1), 0);
	assert_int_equal(r->as.fds[EVENTFD]->count, 2);
	assert_int_equal(set_fd(r, e->f, MSI, -1), 0);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 1, NULL, 0), 0);
	assert_int_equal(r->as.fds[EVENTFD]->count, 2);
}

static void set_irqs_arguments(void **state)
{
	E;
	const int32_t fds[5] = { EVENTFD };
	struct uiommu_abi_vfio_irq_set h = { 19, FDS | TRIGGER, MSI, 0, 1 };

#define TRY(flags, index, start, count, bytes) \
	virqs(r, e->f, flags, index, start, count, fds, bytes)
	assert_int_equal(vioctl(r, e->f, UIOMMU_ABI_VFIO_DEVICE_SET_IRQS, &h, sizeof(h)),
			 -UIOMMU_EINVAL);
	assert_int_equal(uiommu_vfio_ioctl(e->f, &r->as, UIOMMU_ABI_VFIO_DEVICE_SET_IRQS, 0),
			 -UIOMMU_EFAULT);
	assert_int_equal(TRY(FDS | TRIGGER, 5, 0, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, 0xffffffff, 0, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, 0, 0, 1, 4), -UIOMMU_EINVAL);	/* no INTx */
	assert_int_equal(TRY(FDS | TRIGGER, 2, 0, 1, 4), -UIOMMU_EINVAL);	/* no MSI-X */
	assert_int_equal(TRY(FDS | TRIGGER, MSI, 4, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, MSI, 0, 5, 20), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, MSI, 0, 0xffffffff, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, MSI, 0xffffffff, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | TRIGGER, MSI, 0, 1, 3), -UIOMMU_EINVAL);	/* argsz */
	assert_int_equal(TRY(BOOLS | TRIGGER, MSI, 0, 1, 0), -UIOMMU_EINVAL);
	assert_int_equal(TRY(TRIGGER, MSI, 0, 1, 4), -UIOMMU_EINVAL);		/* no data type */
	assert_int_equal(TRY(FDS | NONE | TRIGGER, MSI, 0, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(1u << 6 | FDS | TRIGGER, MSI, 0, 1, 4), -UIOMMU_EINVAL);
	assert_int_equal(TRY(FDS | 8, MSI, 0, 1, 4), -UIOMMU_ENOTTY);	/* MASK */
	assert_int_equal(TRY(FDS | 16, MSI, 0, 1, 4), -UIOMMU_ENOTTY);	/* UNMASK */
	assert_int_equal(TRY(FDS, MSI, 0, 1, 4), -UIOMMU_ENOTTY);
	assert_int_equal(TRY(FDS | TRIGGER | 8, MSI, 0, 1, 4), -UIOMMU_ENOTTY);
	assert_int_equal(set_fd(r, e->f, MSI, 12), -UIOMMU_EBADF);
	assert_int_equal(set_fd(r, e->f, MSI, IOMMUFD), -UIOMMU_EINVAL);	/* no eventfd */
	assert_null(r->fns[0].msi_fn[0]);						/* all undone */
	assert_int_equal(TRY(NONE | TRIGGER, MSI, 0, 0, 0), -UIOMMU_EINVAL);	/* never on */
#undef TRY
}

static void many_vectors(void **state)
{
	E;
	const int32_t three[] = { EVENTFD, -1, EVENTFD2 }, bad[] = { EVENTFD2, EVENTFD, 12 };
	const int32_t one = EVENTFD;
	const uint8_t bools[] = { 0, 1, 1 };

	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, MSI, 0, 3, three, 12), 0);
	assert_non_null(r->fns[0].msi_fn[0]);
	assert_null(r->fns[0].msi_fn[1]);
	assert_non_null(r->fns[0].msi_fn[2]);
	assert_int_equal(virqs(r, e->f, BOOLS | TRIGGER, MSI, 0, 3, bools, 3), 0);
	assert_int_equal(r->as.fds[EVENTFD]->count, 0);
	assert_int_equal(r->as.fds[EVENTFD2]->count, 1);
	/* MSI is as wide as it was switched on */
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, MSI, 3, 1, &one, 4), -UIOMMU_EINVAL);
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, MSI, 1, 1, &one, 4), 0);
	/* one bad file number: none of the block is left */
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, MSI, 0, 3, bad, 12), -UIOMMU_EBADF);
	for (unsigned n = 0; n < 3; n++)
		assert_null(r->fns[0].msi_fn[n]);
	assert_int_equal(r->as.fds[EVENTFD]->refs, 1);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 0, NULL, 0), 0);
	assert_int_equal(virqs(r, e->f, FDS | TRIGGER, MSI, 0, 3, bad, 12), -UIOMMU_EBADF);
	assert_int_equal(virqs(r, e->f, NONE | TRIGGER, MSI, 0, 0, NULL, 0), -UIOMMU_EINVAL);
}

static void error_and_request_interrupts(void **state)
{
	E;
	const uint8_t yes = 1;

	for (uint32_t index = ERR; index <= REQ; index++) {
		uint64_t before = r->as.fds[EVENTFD]->count;

		assert_int_equal(virqs(r, e->f, NONE | TRIGGER, index, 0, 1, NULL, 0),
				 -UIOMMU_EINVAL);
		assert_int_equal(set_fd(r, e->f, index, EVENTFD), 0);
		assert_int_equal(virqs(r, e->f, NONE | TRIGGER, index, 0, 1, NULL, 0), 0);
		assert_int_equal(virqs(r, e->f, BOOLS | TRIGGER, index, 0, 1, &yes, 1), 0);
		assert_int_equal(r->as.fds[EVENTFD]->count, before + 2);
		assert_int_equal(set_fd(r, e->f, index, -2), -UIOMMU_EINVAL);
		assert_int_equal(set_fd(r, e->f, index, 12), -UIOMMU_EBADF);
		assert_int_equal(virqs(r, e->f, BOOLS | TRIGGER, index, 0, 0, NULL, 0),
				 -UIOMMU_EINVAL);
		assert_int_equal(virqs(r, e->f, NONE | 8, index, 0, 1, NULL, 0), -UIOMMU_ENOTTY);
		assert_int_equal(virqs(r, e->f, NONE | TRIGGER, index, 0, 0, NULL, 0), 0);
		assert_int_equal(virqs(r, e->f, NONE | TRIGGER, index, 0, 0, NULL, 0),
				 -UIOMMU_EINVAL);
		assert_int_equal(set_fd(r, e->f, index, EVENTFD2), 0);	/* goes with the close */
	}
}

static void closing_takes_the_interrupts_away(void **state)
{
	E;

	assert_int_equal(set_fd(r, e->f, MSI, EVENTFD), 0);
	assert_int_equal(r->as.fds[EVENTFD]->refs, 2);
	uiommu_vfio_close(e->f);
	e->f = NULL;
	assert_int_equal(r->as.fds[EVENTFD]->refs, 1);
	assert_null(r->fns[0].msi_fn[0]);
}

static void every_failed_allocation_leaves_it_as_it_was(void **state)
{
	E;
	uint32_t pt = rig_ioas(r, e->ctx);
	unsigned n;

	assert_int_equal(vattach(r, e->f, 0, &pt), 0);
	for (n = 1; n < 50; n++) {
		int ret;

		r->fail_at = r->allocs + n;
		ret = set_fd(r, e->f, MSI, EVENTFD);
		r->fail_at = 0;
		if (!ret)
			break;
		assert_int_equal(ret, -UIOMMU_ENOMEM);
		assert_null(r->fns[0].msi_fn[0]);
		assert_int_equal(r->as.fds[EVENTFD]->refs, 1);
	}
	assert_true(n > 3);
	assert_int_equal(raise_(r, e->f, EVENTFD), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_interrupt_goes_through_the_iommu),
		T(the_address_may_be_given_before_or_after),
		T(another_eventfd_takes_over),
		T(a_program_may_ring_its_own_vectors),
		T(set_irqs_arguments),
		T(many_vectors),
		T(error_and_request_interrupts),
		T(closing_takes_the_interrupts_away),
		T(every_failed_allocation_leaves_it_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
