/* SPDX-License-Identifier: MIT */
/*
 * Devices on threads of their own, while a program maps, unmaps, attaches and
 * resets: what was unmapped stays untouched, and ThreadSanitizer stays quiet.
 */
#include "machine/internal.h"
#include "rig.h"

#define IOVA 0x50000000ull
#define X 0x11
#define ROUNDS 150

static struct rig rig;
static struct rig *const r = &rig;

/* DMAs of one device's queue 0 until told to stop; aborted ones are fine. */
struct hammer {
	unsigned n;
	atomic_bool stop;
	unsigned long done, aborted;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	while (!atomic_load(&h->stop)) {
		uint32_t res = rig_dma(r, h->n, 0, IOVA, 64, h->done & 1);

		h->done++;
		h->aborted += res == DMA_ABORTED;
	}
	return NULL;
}

static void wait_messages(unsigned n, uint64_t wanted)
{
	uint64_t got = 0;

	for (int i = 0; i < 5000 && got < wanted; i++) {
		got += rig_messages(r, n);
		if (got < wanted)
			usleep(1000);
	}
	assert_int_equal(got, wanted);
}

static void unmap_under_fire(void **state)
{
	struct hammer h[2] = { { .n = 0 }, { .n = 1 } };
	uint8_t *mem = rig_pages(1);
	uint32_t ioas;
	pthread_t t[2];

	rig_start(r, NULL, 0, true);
	ioas = rig_ioas(r);
	for (unsigned i = 0; i < 2; i++) {
		rig_bind(r, i);
		assert_int_equal(rig_attach(r, i, 0, ioas), 0);
		pthread_create(&t[i], NULL, hammer, &h[i]);
	}
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(rig_map(r, ioas, mem, PAGE, IOVA), 0);
		usleep(100);
		assert_int_equal(rig_unmap(r, ioas, IOVA, PAGE), 0);
		/* it is ours alone now: no device may write */
		memset(mem, 0xa5, PAGE);
		usleep(100);
		for (int j = 0; j < 64; j++)
			assert_int_equal(mem[j], 0xa5);
		memset(mem, 0, PAGE);
	}
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&h[i].stop, true);
		pthread_join(t[i], NULL);
		assert_true(h[i].aborted > 0 && h[i].done > h[i].aborted);
	}
	rig_stop(r);
	munmap(mem, PAGE);
}

static void attach_and_reset_under_fire(void **state)
{
	struct hammer h = { .n = 0 };
	uint8_t *mem = rig_pages(1);
	uint32_t ioas, hwpt;
	pthread_t t;

	rig_start(r, NULL, 0, true);
	rig_bind(r, 0);
	ioas = rig_ioas(r);
	assert_int_equal(rig_map(r, ioas, mem, PAGE, IOVA), 0);
	hwpt = rig_hwpt(r, 0, ioas);
	pthread_create(&t, NULL, hammer, &h);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(rig_attach(r, 0, 0, hwpt), 0);
		assert_int_equal(rig_attach(r, 0, X, hwpt), 0);
		usleep(50);
		assert_int_equal(rig_detach(r, 0, 0), 0);
		assert_int_equal(rig_detach(r, 0, X), 0);
	}
	atomic_store(&h.stop, true);
	pthread_join(t, NULL);
	for (int i = 0; i < 20; i++) {
		set_reg(r, 0, 0x98, 1, 4);
		assert_int_equal(vfio_ioctl(r, 0, VFIO_DEVICE_RESET, NULL), 0);
		assert_int_equal(reg(r, 0, 0x98), 0);
	}
	rig_stop(r);
	munmap(mem, PAGE);
}

/* SMMUs fail while devices work, and while a program attaches and unmaps. */
static void failures_under_fire(void **state)
{
	struct hammer h[2] = { { .n = 0 }, { .n = 1 } };
	uint8_t *mem = rig_pages(1);
	uint32_t ioas, hwpt;
	pthread_t t[2];

	rig_start(r, NULL, 0, true);
	ioas = rig_ioas(r);
	for (unsigned i = 0; i < 2; i++)
		rig_bind(r, i);
	hwpt = rig_hwpt(r, 0, ioas);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig_attach(r, i, 0, hwpt), 0);
		pthread_create(&t[i], NULL, hammer, &h[i]);
	}
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = atomic_load(&r->recoveries);

		assert_int_equal(rig_map(r, ioas, mem, PAGE, IOVA), 0);
		usleep(200);
		uiommu_sim_smmuv3_fail(r->m->smmus[0].sim);
		assert_int_equal(rig_unmap(r, ioas, IOVA, PAGE), 0);
		memset(mem, 0xa5, PAGE);
		for (int ms = 0; ms < 10000 && atomic_load(&r->recoveries) == before; ms++)
			usleep(1000);
		assert_int_equal(atomic_load(&r->recoveries), before + 1);
		assert_int_equal(rig_attach(r, 0, X, hwpt), 0);
		assert_int_equal(rig_detach(r, 0, X), 0);
		for (int j = 0; j < 64; j++)
			assert_int_equal(mem[j], 0xa5);
	}
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&h[i].stop, true);
		pthread_join(t[i], NULL);
		assert_true(h[i].aborted > 0 && h[i].done > h[i].aborted);
	}
	atomic_store(&r->complaints, 0);
	rig_stop(r);
	munmap(mem, PAGE);
}

static void messages_arrive(void **state)
{
	uint8_t *mem = rig_pages(1);
	uint32_t ioas;

	rig_start(r, NULL, 0, true);
	ioas = rig_ioas(r);
	assert_int_equal(rig_map(r, ioas, mem, PAGE, IOVA), 0);
	for (unsigned i = 0; i < 2; i++) {
		rig_bind(r, i);
		assert_int_equal(rig_attach(r, i, 0, ioas), 0);
		rig_msi(r, i);
	}
	for (int i = 0; i < 50; i++)
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(rig_dma(r, n, 0, IOVA, 64, i & 1), DMA_OK);
			wait_messages(n, 1);
		}
	assert_int_equal(r->faults, 0);
	rig_stop(r);
	munmap(mem, PAGE);
}

static void faults_arrive(void **state)
{
	uint32_t ioas;

	rig_start(r, NULL, 0, true);
	rig_bind(r, 0);
	ioas = rig_ioas(r);
	assert_int_equal(rig_attach(r, 0, 0, ioas), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(rig_dma(r, 0, 0, IOVA + i * PAGE, 64, true), DMA_ABORTED);
		for (int t = 0; t < 5000 && atomic_load(&r->faults) <= i; t++)
			usleep(1000);
		assert_int_equal(r->faults, i + 1);
		assert_int_equal(r->fault[i].iova, IOVA + i * PAGE);
	}
	rig_stop(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive),
		cmocka_unit_test(faults_arrive),
		cmocka_unit_test(unmap_under_fire),
		cmocka_unit_test(attach_and_reset_under_fire),
		cmocka_unit_test(failures_under_fire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
