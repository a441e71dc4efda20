/* SPDX-License-Identifier: MIT */
/*
 * This process as an address space for devices. Frames are handed out in chunks of
 * 2 MiB of addresses, when a device first asks for a page in one; a leaf of the table
 * leads to the frame that stands for its page. They say where, not what: the kernel is
 * asked at each access.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/posix/internal.h"
#include "host/posix/mm.h"

#define CHUNK_LG2	21
#define CHUNK_BYTES	(1ull << CHUNK_LG2)
#define BUCKETS		1024u
#define VA_LG2		48

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

struct chunk {
	struct chunk *next;		/* (m) in its bucket */
	const struct uiommu_posix_mm *mm;	/* (i) */
	uint64_t va;			/* (i) */
	uiommu_pa_t pa;			/* (i) its frames */
};

struct uiommu_posix_mm {
	struct uiommu_posix *posix;	/* (i) */
	struct uiommu_pt pt;		/* (m) hardware reads it */
	struct uiommu_mm *mm;		/* (i) */
	pid_t pid;			/* (i) */
	pthread_mutex_t lock;		/* (m) */
	struct chunk *chunks[BUCKETS];	/* (m) */
};

/* ---- an access ---- */

static int copy(const struct chunk *c, uint64_t off, void *buf, size_t bytes, bool write)
{
	struct iovec local = { buf, bytes };
	struct iovec there = { (void *)(uintptr_t)(c->va + off), bytes };
	pid_t pid = c->mm->pid;
	ssize_t n = write ? process_vm_writev(pid, &local, 1, &there, 1, 0)
			  : process_vm_readv(pid, &local, 1, &there, 1, 0);

	return n == (ssize_t)bytes ? 0 : -UIOMMU_EFAULT;
}

static int frames_read(void *ctx, uint64_t off, void *buf, size_t bytes)
{
	return copy(ctx, off, buf, bytes, false);
}

static int frames_write(void *ctx, uint64_t off, const void *buf, size_t bytes)
{
	return copy(ctx, off, (void *)buf, bytes, true);
}

static const struct uiommu_posix_frames_ops frames_ops = { frames_read, frames_write };

/* ---- pages that are asked for ---- */

/* With the lock held. NULL: no memory, or no frames. */
static struct chunk *chunk_of(struct uiommu_posix_mm *m, uint64_t va)
{
	struct chunk **bucket = &m->chunks[va >> CHUNK_LG2 & (BUCKETS - 1)], *c;

	va &= ~(CHUNK_BYTES - 1);
	for (c = *bucket; c && c->va != va; c = c->next)
		;
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->mm = m;
	c->va = va;
	if (uiommu_posix_add_frames(m->posix, CHUNK_BYTES, va, CHUNK_BYTES, &frames_ops, c,
				    &c->pa)) {
		free(c);
		return NULL;
	}
	c->next = *bucket;
	*bucket = c;
	return c;
}

/* Would the process get there, now? Says so in advance where the kernel can: a write
 * that it cannot tell of is decided by the access itself. */
static bool present(const struct uiommu_posix_mm *m, uint64_t page, bool write)
{
	struct chunk c = { .mm = m, .va = page };
	char byte;

	if (getpid() == m->pid &&
	    !madvise((void *)(uintptr_t)page, PAGE_BYTES,
		     write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ))
		return true;
	if (getpid() == m->pid && errno != EINVAL)
		return false;
	return !copy(&c, 0, &byte, 1, false);
}

/* The leaf allows all: what the process may do is looked at when it is done. */
static bool map(struct uiommu_posix_mm *m, uint64_t page)
{
	struct chunk *c;
	int err = -UIOMMU_ENOMEM;

	pthread_mutex_lock(&m->lock);
	c = chunk_of(m, page);
	if (c)
		err = m->pt.ops->map(&m->pt, page, c->pa + (page - c->va), PAGE_BYTES,
				     UIOMMU_PROT_READ | UIOMMU_PROT_WRITE, NULL);
	pthread_mutex_unlock(&m->lock);
	return !err || err == -UIOMMU_EEXIST;
}

static enum uiommu_page_response serve(struct uiommu_posix_mm *m,
				       const struct uiommu_page_request *r)
{
	uint64_t page = r->addr & ~(PAGE_BYTES - 1);

	if (r->flags & (UIOMMU_FAULT_EXEC | UIOMMU_FAULT_PRIV) || r->addr >> VA_LG2)
		return UIOMMU_PAGE_INVALID;
	if (!present(m, page, r->flags & UIOMMU_FAULT_WRITE))
		return UIOMMU_PAGE_INVALID;
	return map(m, page) ? UIOMMU_PAGE_SUCCESS : UIOMMU_PAGE_FAILURE;
}

static void on_fault(void *ctx, struct uiommu_iopf_group *g)
{
	enum uiommu_page_response code = UIOMMU_PAGE_SUCCESS;

	for (const struct uiommu_page_request *r = g->requests; r && !code; r = r->next)
		code = serve(ctx, r);
	uiommu_page_response(g, code);
}

/* Answers before it returns: there is nothing to take back. */
static const struct uiommu_iopf_handler handler = { .fault = on_fault };

/* ---- life ---- */

static bool works(const struct uiommu_posix_mm *m)
{
	char there = 1, here = 0;
	struct chunk c = { .mm = m, .va = (uintptr_t)&there };

	return !copy(&c, 0, &here, 1, false) && here;
}

static void unmake(struct uiommu_posix_mm *m)
{
	m->pt.ops->fini(&m->pt);
	for (unsigned i = 0; i < BUCKETS; i++)
		while (m->chunks[i]) {
			struct chunk *c = m->chunks[i];

			m->chunks[i] = c->next;
			uiommu_posix_remove_frames(m->posix, c->pa);
			free(c);
		}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static int init(struct uiommu_posix_mm *m, struct uiommu *u)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = VA_LG2, .oas_lg2 = 48 };
	const struct uiommu_host *host = uiommu_posix_host(m->posix);
	char name[32];
	struct uiommu_mm_config mm = {
		.name = name, .table = &m->pt, .iopf = &handler, .ctx = m,
	};
	int err = uiommu_pt_arm_s1_4k_ops.init(&m->pt, host, &cfg);

	if (err)
		return err;
	snprintf(name, sizeof(name), "process %d", (int)m->pid);
	pthread_mutex_init(&m->lock, NULL);
	err = uiommu_mm_create(u, &mm, &m->mm);
	if (!err)
		return 0;
	pthread_mutex_destroy(&m->lock);
	m->pt.ops->fini(&m->pt);
	return err;
}

int uiommu_posix_mm_create(struct uiommu_posix *p, struct uiommu *u, struct uiommu_posix_mm **out)
{
	struct uiommu_posix_mm *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -UIOMMU_ENOMEM;
	m->posix = p;
	m->pid = getpid();
	err = works(m) ? init(m, u) : -UIOMMU_ENOSYS;
	if (err)
		free(m);
	else
		*out = m;
	return err;
}

struct uiommu_mm *uiommu_posix_mm_handle(struct uiommu_posix_mm *m)
{
	return m->mm;
}

int uiommu_posix_mm_destroy(struct uiommu_posix_mm *m)
{
	int err = uiommu_mm_destroy(m->mm);

	if (!err)
		unmake(m);
	return err;
}
