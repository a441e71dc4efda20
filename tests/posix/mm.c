/* SPDX-License-Identifier: MIT */
/*
 * A device that is given plain pointers sees what the process would see: also after
 * munmap, mprotect, mremap, madvise, free and fork, and from threads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "mm_rig.h"

#define PAGE	4096ul
#define MIB	(1ul << 20)

static int setup(void **state)
{
	struct mm_rig *r = calloc(1, sizeof(*r));

	*state = r;
	return mm_rig_init(r);
}

static int teardown(void **state)
{
	int err = mm_rig_fini(*state);

	free(*state);
	return err;
}

static uiommu_pasid_t pasid_of(struct mm_rig *r)
{
	return uiommu_sva_pasid(r->sva);
}

static int dev_read(struct mm_rig *r, void *p, uint64_t *v)
{
	*v = 0;
	return dev_dma(r, pasid_of(r), p, v, sizeof(*v), false);
}

static int dev_write(struct mm_rig *r, void *p, uint64_t v)
{
	return dev_dma(r, pasid_of(r), p, &v, sizeof(v), true);
}

static void reads(struct mm_rig *r, void *p, uint64_t want)
{
	uint64_t v;

	assert_int_equal(dev_read(r, p, &v), 0);
	assert_int_equal(v, want);
}

static void *map_at(void *at, size_t bytes, int prot)
{
	void *p = mmap(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void a_pointer_from_malloc(void **state)
{
	struct mm_rig *r = *state;
	char *p = malloc(3 * MIB), *buf = malloc(3 * MIB);
	unsigned char resident[1];

	/* pages that nobody ever touched */
	assert_int_equal(dev_write(r, p + 2 * MIB, 42), 0);
	assert_int_equal(*(uint64_t *)(p + 2 * MIB), 42);
	assert_int_equal(mincore((void *)((uintptr_t)(p + 2 * MIB) & ~(PAGE - 1)), PAGE,
				 resident), 0);
	assert_true(resident[0] & 1);
	for (size_t i = 0; i < 3 * MIB; i++)
		p[i] = (char)(i * 7 >> 3);
	assert_int_equal(dev_dma(r, pasid_of(r), p, buf, 3 * MIB, false), 0);
	assert_memory_equal(p, buf, 3 * MIB);
	memset(buf, 0x5a, 3 * MIB);
	assert_int_equal(dev_dma(r, pasid_of(r), p + 3, buf, 2 * MIB, true), 0);
	assert_int_equal((unsigned char)p[3], 0x5a);
	assert_int_equal((unsigned char)p[2 * MIB + 2], 0x5a);
	assert_int_equal(p[2 * MIB + 3], (char)((2 * MIB + 3) * 7 >> 3));
	assert_int_equal(r->events, 0);
	free(p);
	free(buf);
}

static void the_stack_too(void **state)
{
	uint64_t here = 5;

	reads(*state, &here, 5);
	assert_int_equal(dev_write(*state, &here, 6), 0);
	assert_int_equal(*(volatile uint64_t *)&here, 6);
}

static void what_is_not_there_fails(void **state)
{
	struct mm_rig *r = *state;
	uint64_t v;

	assert_int_not_equal(dev_read(r, (void *)(uintptr_t)0x10, &v), 0);
	assert_int_not_equal(dev_read(r, (void *)(uintptr_t)0x7fffdeadb000ull, &v), 0);
	assert_int_not_equal(dev_read(r, (void *)(uintptr_t)0xffff800000000000ull, &v), 0);
	assert_int_not_equal(dev_write(r, (void *)(uintptr_t)0x10, 1), 0);
	assert_int_equal(r->refused, 4);
}

/* The old page is never reached again. */
static void invariant_09_munmap_and_another_page_there(void **state)
{
	struct mm_rig *r = *state;
	char *p = map_at(NULL, MIB, PROT_READ | PROT_WRITE);
	uint64_t v;

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dev_write(r, p + i * PAGE, 1), 0);
	munmap(p, MIB);
	assert_int_not_equal(dev_read(r, p, &v), 0);
	assert_int_not_equal(dev_write(r, p, 2), 0);
	map_at(p, MIB, PROT_READ | PROT_WRITE);
	reads(r, p, 0);
	*(uint64_t *)p = 3;
	reads(r, p, 3);
	assert_int_equal(dev_write(r, p + PAGE, 4), 0);
	assert_int_equal(*(uint64_t *)(p + PAGE), 4);
	munmap(p, MIB);
}

/* malloc(1 MiB) is a mapping of its own: free() gives it back without a word. */
static void invariant_09_free_and_another_page_there(void **state)
{
	struct mm_rig *r = *state;
	char *p, *page;
	uint64_t v;

#if defined(__SANITIZE_ADDRESS__)
	print_message("skipped: ASan keeps what is freed, and watches who uses it\n");
	skip();
#endif
	p = malloc(MIB);
	page = (char *)(((uintptr_t)p + PAGE) & ~(PAGE - 1));

	assert_int_equal(dev_write(r, page, 77), 0);
	assert_int_equal(*(uint64_t *)page, 77);
	free(p);
	assert_int_not_equal(dev_read(r, page, &v), 0);
	map_at(page, PAGE, PROT_READ | PROT_WRITE);
	*(uint64_t *)page = 78;
	reads(r, page, 78);
	munmap(page, PAGE);
	assert_int_not_equal(dev_read(r, page, &v), 0);
}

static void mprotect_is_obeyed(void **state)
{
	struct mm_rig *r = *state;
	uint64_t *p = map_at(NULL, PAGE, PROT_READ | PROT_WRITE), v;

	*p = 1;
	reads(r, p, 1);
	mprotect(p, PAGE, PROT_READ);
	reads(r, p, 1);
	assert_int_not_equal(dev_write(r, p, 2), 0);
	assert_int_equal(*p, 1);
	mprotect(p, PAGE, PROT_NONE);
	assert_int_not_equal(dev_read(r, p, &v), 0);
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	assert_int_equal(dev_write(r, p, 3), 0);
	assert_int_equal(*p, 3);
	/* one that was never more than readable: asked for, and refused */
	munmap(p, PAGE);
	p = map_at(NULL, PAGE, PROT_READ);
	assert_int_not_equal(dev_write(r, p, 4), 0);
	reads(r, p, 0);
	munmap(p, PAGE);
}

static void mremap_moves_it(void **state)
{
	struct mm_rig *r = *state;
	char *p = map_at(NULL, 2 * PAGE, PROT_READ | PROT_WRITE), *q;
	uint64_t v;

	assert_int_equal(dev_write(r, p, 11), 0);
	q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   map_at(NULL, 2 * PAGE, PROT_NONE));
	assert_ptr_not_equal(q, MAP_FAILED);
	assert_int_not_equal(dev_read(r, p, &v), 0);
	reads(r, q, 11);
	assert_int_equal(dev_write(r, q, 12), 0);
	assert_int_equal(*(uint64_t *)q, 12);
	munmap(q, 2 * PAGE);
}

static void dontneed_leaves_zeroes(void **state)
{
	struct mm_rig *r = *state;
	uint64_t *p = map_at(NULL, PAGE, PROT_READ | PROT_WRITE);

	assert_int_equal(dev_write(r, p, 9), 0);
	madvise(p, PAGE, MADV_DONTNEED);
	reads(r, p, 0);
	assert_int_equal(dev_write(r, p, 10), 0);
	assert_int_equal(*p, 10);
	munmap(p, PAGE);
}

/* The child has its own memory; devices stay with the parent. */
static void fork_leaves_the_parents(void **state)
{
	struct mm_rig *r = *state;
	uint64_t *p = map_at(NULL, PAGE, PROT_READ | PROT_WRITE);
	int to_child[2], status = -1;
	char go = 0;
	pid_t pid;

	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(dev_write(r, p, 1), 0);
	pid = fork();
	if (!pid) {
		*p += 100;
		_exit(read(to_child[0], &go, 1) == 1 && *p == 101 ? 0 : 1);
	}
	reads(r, p, 1);
	assert_int_equal(dev_write(r, p, 2), 0);
	assert_int_equal(*p, 2);
	assert_int_equal(write(to_child[1], &go, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(to_child[0]);
	close(to_child[1]);
	munmap(p, PAGE);
}

/* A file that was cut short: SIGBUS for the process, an abort for the device. */
static void files_that_end(void **state)
{
	struct mm_rig *r = *state;
	int fd = memfd_create("mm", 0);
	uint64_t *p, v = 21;

	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(dev_write(r, p + PAGE / 8, 20), 0);
	assert_int_equal(pread(fd, &v, sizeof(v), PAGE), sizeof(v));
	assert_int_equal(v, 20);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_not_equal(dev_read(r, p + PAGE / 8, &v), 0);
	reads(r, p, 0);
	munmap(p, 2 * PAGE);
	close(fd);
}

static void after_unbind_nothing_is_reached(void **state)
{
	struct mm_rig *r = *state;
	uint64_t here = 5, v;
	uiommu_pasid_t pasid = pasid_of(r);

	reads(r, &here, 5);
	assert_int_equal(uiommu_posix_mm_destroy(r->mm), -UIOMMU_EBUSY);
	uiommu_sva_unbind_device(r->sva);
	assert_int_not_equal(dev_dma(r, pasid, &here, &v, sizeof(v), false), 0);
	assert_int_equal(uiommu_sva_bind_device(r->dev, uiommu_posix_mm_handle(r->mm), &r->sva),
			 0);
	reads(r, &here, 5);
}

/* ---- threads ---- */

#define ROUNDS	100u

struct churn {
	struct mm_rig *r;
	char *at;			/* two pages that come and go */
	uint64_t now;			/* what the process has there; 0: nothing; odd: changing */
	bool over;
	uint32_t next_sid;
	unsigned ok, failed, wrong;
};

/* Whatever a device reads is what was there at some moment while it read. */
static void *read_on(void *arg)
{
	struct churn *c = arg;

	rig_sid = __atomic_add_fetch(&c->next_sid, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&c->over, __ATOMIC_ACQUIRE)) {
		uint64_t before = __atomic_load_n(&c->now, __ATOMIC_SEQ_CST), v;
		int err = dev_read(c->r, c->at, &v);
		uint64_t after = __atomic_load_n(&c->now, __ATOMIC_SEQ_CST);

		if (err)
			__atomic_fetch_add(&c->failed, 1, __ATOMIC_RELAXED);
		else
			__atomic_fetch_add(&c->ok, 1, __ATOMIC_RELAXED);
		if (!err && v && (v + 2 < before || v > after + 2))
			__atomic_fetch_add(&c->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *bind_and_unbind(void *arg)
{
	struct churn *c = arg;

	while (!__atomic_load_n(&c->over, __ATOMIC_ACQUIRE)) {
		struct uiommu_sva *s = NULL;

		if (uiommu_sva_bind_device(c->r->dev, uiommu_posix_mm_handle(c->r->mm), &s) ||
		    s != c->r->sva)
			__atomic_fetch_add(&c->wrong, 1, __ATOMIC_RELAXED);
		uiommu_sva_unbind_device(s);
		sched_yield();
	}
	return NULL;
}

static void pages_come_and_go_under_dma(void **state)
{
	struct churn c = { .r = *state, .at = map_at(NULL, 2 * PAGE, PROT_NONE) };
	void *(*const jobs[])(void *arg) = { read_on, read_on, bind_and_unbind };
	pthread_t th[3];

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&th[i], NULL, jobs[i], &c), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		__atomic_store_n(&c.now, 2 * i - 1, __ATOMIC_SEQ_CST);
		map_at(c.at, 2 * PAGE, PROT_READ | PROT_WRITE);
		__atomic_store_n((uint64_t *)c.at, 2 * i, __ATOMIC_SEQ_CST);
		__atomic_store_n(&c.now, 2 * i, __ATOMIC_SEQ_CST);
		sched_yield();
		if (i % 3 == 0)
			map_at(c.at, 2 * PAGE, PROT_NONE);
		else if (i % 3 == 1)
			madvise(c.at, 2 * PAGE, MADV_DONTNEED);
	}
	__atomic_store_n(&c.over, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(c.wrong, 0);
	assert_true(c.ok > 0);
	munmap(c.at, 2 * PAGE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_pointer_from_malloc),
		T(the_stack_too),
		T(what_is_not_there_fails),
		T(invariant_09_munmap_and_another_page_there),
		T(invariant_09_free_and_another_page_there),
		T(mprotect_is_obeyed),
		T(mremap_moves_it),
		T(dontneed_leaves_zeroes),
		T(fork_leaves_the_parents),
		T(files_that_end),
		T(after_unbind_nothing_is_reached),
		T(pages_come_and_go_under_dma),
	};

	mallopt(M_MMAP_THRESHOLD, 128 * 1024);	/* and it stays there */
	return cmocka_run_group_tests_name("mm", tests, NULL, NULL);
}
