/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/threads.c - threads hammer a trapped BAR while others open,
 * map, fork and catch signals
 */
#include "tests/preload/progs/prog.h"

#include <pthread.h>

#define THREADS	4
#define ROUNDS	2000

static volatile uint8_t *bar;
static int fd;
static _Atomic bool stop;
static _Atomic unsigned signals;

static void *add(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		__atomic_fetch_add((uint32_t *)(bar + 64), 1, __ATOMIC_RELAXED);
	return arg;
}

static void *others(void *arg)
{
	do {
		int own = open("/dev/iommu", O_RDWR);
		uint8_t *p = map_bar(fd);
		pid_t pid, got;
		int status;

		__atomic_store_n(p + 128, 1, __ATOMIC_RELAXED);
		munmap(p, FAKE_BAR_BYTES);
		close(own);
		pid = fork();
		if (!pid) {
			__atomic_store_n(bar + 129, 1, __ATOMIC_RELAXED);
			_exit(__atomic_load_n(bar + 129, __ATOMIC_RELAXED) != 1);
		}
		while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
			;
		CHECK(got == pid && status == 0);
	} while (!stop);
	return arg;
}

static void on_usr1(int sig)
{
	__atomic_store_n(bar + 256, (uint8_t)sig, __ATOMIC_RELAXED);
	signals++;
}

/* Goes on until one was caught: all else may be over before this thread runs. */
static void *kicks(void *arg)
{
	do {
		kill(getpid(), SIGUSR1);
		usleep(200);
	} while (!stop || !signals);
	return arg;
}

int main(void)
{
	pthread_t t[THREADS], o, k;

	signal(SIGUSR1, on_usr1);
	fd = open_device();
	bar = map_bar(fd);
	*(volatile uint32_t *)(bar + 64) = 0;
	pthread_create(&o, NULL, others, NULL);
	pthread_create(&k, NULL, kicks, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, add, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	stop = true;
	pthread_join(o, NULL);
	pthread_join(k, NULL);
	CHECK(*(volatile uint32_t *)(bar + 64) == THREADS * ROUNDS);
	return failed != 0;
}
